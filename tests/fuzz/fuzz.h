/*
 * A fuzz target: one parser with any bytes. It must neither crash nor break what its assertions
 * say. The signature is libFuzzer's, so that `clang -fsanitize=fuzzer` can drive a target too;
 * here tests/fuzz/main.c does.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
