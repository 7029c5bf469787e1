/*
 * A site "studio" with one root "work" and the remote site "nas", in a folder of the test's own: what tests below the
 * engine stand on. The root is accepted. Ends the test where something of it cannot be made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/config.h"
#include "sync/journal.h"
#include "sync/roots.h"

struct stage {
	char dir[64];
	char *root, *state; /* paths */
	struct config config;
	struct config_site sites[2];
	struct config_root roots_of[2][1];
	struct journal *journal;
	struct roots *roots;
};

/* For cmocka's setup and teardown: *state is the stage. */
int stage_set_up(void **state);
int stage_tear_down(void **state);
/* Journal and roots anew, as after a restart. */
void stage_reopen(struct stage *stage);

/* Files by their path below the root. */
void stage_write(const struct stage *stage, const char *rel, const char *text);
void stage_mkdir(const struct stage *stage, const char *rel, mode_t mode);
bool stage_exists(const struct stage *stage, const char *rel);
/* Content; allocated. */
char *stage_read(const struct stage *stage, const char *rel, size_t *ret_len);
/* How many entries a folder has, without "." and "..". */
size_t stage_count(const struct stage *stage, const char *rel);
