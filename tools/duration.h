/* Spans of time as people type them: "500ms", "30s", "2m", "1h", "14d"; a bare number is seconds. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* False where TEXT is none, or longer than 100 years. */
bool duration_parse(const char *text, int64_t *ret_ms);
