/* --help texts, from the table of verbs: to stdout, at most 80 columns wide. */
#pragma once

#include "tools/cli.h"

/* Options of every verb; name NULL at the end. Offsets are those of struct cli. */
extern const struct cli_option cli_global_options[];

void help_print(void);
void help_print_verb(const struct verb *verb);
