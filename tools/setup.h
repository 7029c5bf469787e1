/*
 * What verbs stand on before they do anything: the configuration and the store. What goes wrong has been said
 * (cli_fail) when a function here returns an exit code.
 */
#pragma once

#include "sync/config.h"
#include "sync/store.h"
#include "tools/cli.h"

/* The configuration of this call. PROJECT may be NULL. 0, EXIT_USAGE, or EXIT_NO_STORE where what is missing could stand in
 * OpenPype's settings. */
int cli_load_config(struct cli *cli, const char *project, struct config **ret)
	_must_check_;
/* No store was named: says where it was looked for. EXIT_USAGE. */
int cli_no_store(struct cli *cli);
/* The store that CONFIG names. CAN_CREATE: made where it is missing (embedded). 0, EXIT_USAGE, EXIT_NO_STORE. */
int cli_open_store(struct cli *cli, const struct config *config, bool can_create,
		   struct store **ret) _must_check_;
/* The exit code for a negative errno of the store port. */
enum cli_exit cli_store_exit(int r);
/* Creates PATH with all folders above that are missing, mode 0755, the last one MODE. 0 or a negative errno. */
int cli_make_dirs(const char *path, mode_t mode);
