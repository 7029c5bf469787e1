/*
 * PATH arguments (INTERFACE, "Commands"): what a person typed, taken apart. Pure; asks neither disk nor index.
 *
 *   /mnt/show/a/b.exr             a path (absolute: the client made it so)
 *   /mnt/show/a/b.%04d.exr        a sequence; also b.####.exr, b.$F4.exr, b.<UDIM>.exr, b.1001-1100#.exr and, as
 *                                 sitefs prints it, b.[1001-1100].exr
 *   pub:PROJECT/asset/subset/v003/exr   what is published; parts may be left out from the end
 *   repre:5eeb25e4...             one representation by its id
 *
 * One '#' is four digits, several are as many digits as there are; '@' is any number of digits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

enum pathspec_kind {
	PATHSPEC_PATH = 1,
	PATHSPEC_SEQUENCE,
	PATHSPEC_PUB,
	PATHSPEC_REPRE,
};

/* "1001-1100x2": first, first + step ... up to last. */
struct frame_range {
	int64_t first, last, step; /* step > 0 */
};

struct frames {
	struct frame_range *ranges;
	size_t n; /* 0: every frame */
};

struct pathspec {
	enum pathspec_kind kind;
	char *text; /* as given */
	/* SEQUENCE: the name in folder "folder" is PREFIX, a number of WIDTH digits (0: any), SUFFIX */
	char *folder, *prefix, *suffix;
	int width;
	struct frames frames;
	/* PUB: missing parts are NULL */
	char *project, *asset, *subset, *version, *name;
	char *repre; /* REPRE: the id */
};

/* FRAMES: the value of --frames, or NULL. -EINVAL with the reason. */
int pathspec_parse(const char *text, const char *frames, struct pathspec *ret,
		   struct error *error) _must_check_;
void pathspec_done(struct pathspec *spec);

/* True where NAME (one component) is of the sequence. */
bool pathspec_matches(const struct pathspec *spec, const char *name);

/* "1001-1100x2,1200,-5--1". -EINVAL. */
int frames_parse(const char *text, struct frames *ret, struct error *error) _must_check_;
void frames_done(struct frames *frames);
bool frames_contain(const struct frames *frames, int64_t number);
