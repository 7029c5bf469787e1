/* Configuration and store of a call. */
#include "tools/setup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What is missing stands in the store, in OpenPype's settings. */
static bool is_store_away(int r)
{
	return r == -EHOSTUNREACH || r == -ETIMEDOUT;
}

int cli_load_config(struct cli *cli, const char *project, struct config **ret)
{
	struct config_options options = { .config_dir = cli->config_dir,
					  .state_dir = cli->state_dir,
					  .store_uri = cli->store_uri,
					  .project = project };
	struct error error = { 0 };
	int r;

	r = config_load(&options, ret, &error);
	if (r < 0)
		return cli_fail(cli, is_store_away(r) ? EXIT_NO_STORE : EXIT_USAGE, "%s",
				error_text(&error, r));
	return 0;
}

int cli_no_store(struct cli *cli)
{
	return cli_fail(cli, EXIT_USAGE,
			"no store is named: looked at %s: 'sitefs init' writes a "
			"configuration with one",
			config_store_places());
}

enum cli_exit cli_store_exit(int r)
{
	/* what another call would fix; the rest is the database's trouble */
	if (r == -EOPNOTSUPP || r == -EREMOTE || r == -EINVAL)
		return EXIT_USAGE;
	if (r == -ENOMEM)
		return EXIT_FAILED;
	return EXIT_NO_STORE;
}

int cli_open_store(struct cli *cli, const struct config *config, bool can_create,
		   struct store **ret)
{
	struct error error = { 0 };
	int r;

	if (!config->store_uri)
		return cli_no_store(cli);
	r = store_open(config->store_uri, config->store_database, !can_create, ret,
		       &error);
	if (r < 0)
		return cli_fail(cli, cli_store_exit(r), "%s", error_text(&error, r));
	return 0;
}

int cli_make_dirs(const char *path, mode_t mode)
{
	_cleanup_(freep) char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* one that may not be made may be there all the same */
		mkdir(part, 0755);
		*slash = '/';
	}
	return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}
