/* One upload of one physical file: a job in the worker pool. */
#pragma once

#include <stdbool.h>

struct upload_order {
	bool may_replace; /* what is there and differs is replaced; the old stays recoverable */
	bool must_match_truth; /* ... only where it still is what the truth record says */
	int priority;
};
