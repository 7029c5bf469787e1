/* What an errno of the file system means to the port. Pure. */
#pragma once

#include <stdbool.h>

/* ERR is positive. A provider_outcome, or -ERR where the trouble is local (memory, descriptors) or unforeseen. */
int fault_outcome(int err, bool is_writing);
