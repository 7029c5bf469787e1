/*
 * Allocation that fails when a test wants it: executables linked with this (meson:
 * failing_alloc_dep) go through it for every allocation of our own code, not of libraries.
 */
#pragma once

#include <stdbool.h>

/* The Nth allocation from now (1 = the next) fails, once; 0: none does. */
void failing_alloc_at(unsigned n);
/* True once that one has failed. */
bool failing_alloc_has_failed(void);
