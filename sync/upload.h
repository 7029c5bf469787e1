/* One upload of one physical file: a job in the worker pool. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct upload_order {
	bool may_replace; /* what is there and differs is replaced; the old stays recoverable */
	bool must_match_truth; /* ... only where it still is what the truth record says */
	bool is_forced; /* by a person, who may have changed what is there: it is looked at anew */
	int priority;
	uint64_t job;    /* sync/plan.h */
	const char *ids; /* as in struct provider_put; borrowed for the call */
};
