/*
 * Judges the text of a JSON file that a person wrote, and says where and how to mend it. As strict
 * as RFC 8259 except for what the old loader of presets let pass: a byte order mark, commas before
 * a closing bracket, nothing at all. Part of sync/json_file.h; pure.
 */
#pragma once

#include <stddef.h>

#include "sync/base/cleanup.h"

#define JSON_DEPTH_MAX 64

struct json_fault {
	int line; /* from 1 */
	char text[200];
};

/* Lines on which the values begin, in the order of the text (a container before its members). */
struct json_lines {
	int *lines;
	size_t n, cap;
};

/* Blanks out what a strict parser would refuse. -EINVAL with *ret_fault; -ENOMEM. RET_LINES is
 * the caller's to free in any case. */
int json_check(char *text, size_t len, struct json_lines *ret_lines,
	       struct json_fault *ret_fault);
