/* One site at work in this process. */
#include "tools/site.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount.h"
#include "providers/registry.h"
#include "sync/base/lock.h"
#include "sync/base/log.h"
#include "sync/store.h"
#include "tools/answers.h"
#include "tools/output.h"
#include "tools/server.h"
#include "tools/setup.h"
#include "tools/site_progress.h"

struct site {
	struct site_setup setup;
	struct engine *engine;
	struct server *server;
	struct answers answers;
	struct daemon_facts facts;
	struct mutex lock;
	struct cond changed;
	struct mount *mount;   /* guarded by lock: what a stop has to end */
	bool is_stopping;      /* guarded by lock */
	bool is_being_stopped; /* guarded by lock: the signal thread is at it */
	int n_asking;          /* guarded by lock: clients who look at the mount */
};

/* ---- before ---- */

static int check_store(struct cli *cli, const struct config *config)
{
	_cleanup_(freep) char *index = strf("%s/index.db", config->state_dir);
	_cleanup_(store_freep) struct store *store = NULL;
	struct error error = { 0 };
	int r;

	if (!config->store_uri)
		return cli_no_store(cli);
	r = store_open(config->store_uri, config->store_database, true, &store, &error);
	if (r == 0)
		return 0;
	/* what was read before can be shown while the store is away */
	if (r != -EOPNOTSUPP && r != -EREMOTE && r != -EMEDIUMTYPE && index &&
	    access(index, F_OK) == 0)
		return 0;
	return cli_fail(cli, r == -ENOENT ? EXIT_USAGE : cli_store_exit(r), "%s",
			error_text(&error, r));
}

static void say_note(const struct config *config)
{
	struct config_reason note;

	if (!config_find_note(config, &note))
		return;
	/* presets that say all that is needed do without */
	if (config->openpype_fault && !config->openpype)
		log_info("%s", note.text);
	else
		log_warning("%s", note.text);
}

int site_check(struct cli *cli, const struct config *config)
{
	const struct config_site *remote = config_find_site(config, config->remote_site);
	_cleanup_(provider_freep) struct provider *provider = NULL;
	struct error error = { 0 };
	int r;

	r = config_check_local_fs(config->state_dir, &error);
	if (r == 0 && remote)
		r = provider_open(remote, &provider, &error);
	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "%s", error_text(&error, r));
	r = check_store(cli, config);
	if (!r)
		say_note(config);
	return r;
}

/* ---- signals ---- */

static void stop(void *context)
{
	struct site *site = context;
	struct mount *mount;

	mutex_lock(&site->lock);
	site->is_stopping = true;
	site->is_being_stopped = true;
	mount = site->mount;
	mutex_unlock(&site->lock);
	if (mount)
		mount_stop(mount);
	else
		engine_stop(site->engine);
	mutex_lock(&site->lock);
	site->is_being_stopped = false;
	cond_broadcast(&site->changed);
	mutex_unlock(&site->lock);
}

static void tell_status(void *context, char *ret, size_t size)
{
	struct site *site = context;
	char up[OUTPUT_SIZE], down[OUTPUT_SIZE];
	struct engine_status status;

	engine_get_status(site->engine, &status);
	snprintf(ret, size, "%lld to upload (%s), %lld to download (%s)%s%s",
		 (long long)status.upload.files,
		 output_size(status.upload.bytes, false, up),
		 (long long)status.download.files,
		 output_size(status.download.bytes, false, down),
		 status.lost_root[0] ? "; lost root: " : "", status.lost_root);
}

/* ---- starting ---- */

static int fail(struct site *site, enum cli_exit code, const struct error *error, int r)
{
	return daemon_fail(site->setup.daemon, code, "%s", error_text(error, r));
}

static enum cli_exit exit_of(int r)
{
	switch (r) {
	case -EREMOTE:
	case -EXDEV:
	case -EOPNOTSUPP:
		return EXIT_USAGE;
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
	case -EUCLEAN:
		return EXIT_NO_STORE;
	case -ENOSPC:
		return EXIT_NO_SPACE;
	case -ECANCELED:
		return EXIT_INTERRUPTED;
	case PROVIDER_UNAUTHORIZED:
	case PROVIDER_DENIED:
		return EXIT_CREDENTIALS;
	case PROVIDER_FULL:
		return EXIT_QUOTA;
	default:
		return EXIT_FAILED;
	}
}

static int start_engine(struct site *site)
{
	const struct site_setup *setup = &site->setup;
	const struct config_site *remote =
		config_find_site(setup->config, setup->config->remote_site);
	_cleanup_(provider_freep) struct provider *provider = NULL;
	struct error error = { 0 };
	int r = 0;

	if (remote)
		r = provider_open(remote, &provider, &error);
	if (r < 0)
		return fail(site, EXIT_USAGE, &error, r);
	r = engine_new(
		&(struct engine_setup){ .config = setup->config,
					.provider = provider,
					.project = setup->project,
					.mountpoint = setup->mountpoint,
					.can_adopt = setup->can_adopt,
					.can_create_root = setup->can_create_root,
					.is_read_only = setup->is_read_only,
					.is_cache_only = setup->is_cache_only,
					.is_partial_shown = setup->is_partial_shown,
					.has_sync = setup->has_sync,
					.is_mirror = setup->is_mirror },
		&site->engine, &error);
	if (r < 0)
		return fail(site, exit_of(r), &error, r);
	provider = NULL; /* the engine's now */
	r = engine_start(site->engine, &error);
	return r < 0 ? fail(site, exit_of(r), &error, r) : 0;
}

static int fill_facts(struct site *site)
{
	const struct config *config = site->setup.config;
	struct daemon_facts *facts = &site->facts;
	const struct where *where = &site->answers.where;
	const struct roots *roots = engine_roots(site->engine);

	facts->state_dir = realpath(config->state_dir, NULL);
	if (!facts->state_dir)
		return -errno;
	facts->name = runtime_name(facts->state_dir);
	facts->dir = strdup(config->runtime_dir);
	facts->active_site = strdup(config->active_site);
	facts->pid = getpid();
	if (where->mountpoint)
		facts->mountpoint = strdup(where->mountpoint);
	if (where->only_root >= 0)
		facts->only_root = strdup(roots_name(roots, where->only_root));
	if (!facts->name || !facts->dir || !facts->active_site ||
	    (where->mountpoint && !facts->mountpoint) ||
	    (where->only_root >= 0 && !facts->only_root))
		return -ENOMEM;
	facts->roots = calloc(where->n_roots + 1, sizeof(*facts->roots));
	if (!facts->roots)
		return -ENOMEM;
	for (size_t i = 0; i < where->n_roots; i++) {
		struct daemon_root *root = &facts->roots[facts->n_roots++];

		root->name = strdup(roots_name(roots, (int)i));
		root->path = strdup(where->roots[i]);
		if (!root->name || !root->path)
			return -ENOMEM;
	}
	return 0;
}

/* For answers. The mount stays while it is asked. */
static bool is_passthrough(void *context, char *reason, size_t size)
{
	struct site *site = context;
	struct mount *mount;
	bool is_on = false;

	mutex_lock(&site->lock);
	mount = site->mount;
	site->n_asking++;
	mutex_unlock(&site->lock);
	if (mount)
		is_on = mount_is_passthrough(mount, reason, size);
	mutex_lock(&site->lock);
	site->n_asking--;
	cond_broadcast(&site->changed);
	mutex_unlock(&site->lock);
	return is_on;
}

static int start_server(struct site *site)
{
	const struct site_setup *setup = &site->setup;
	struct error error = { 0 };
	int r;

	site->answers.engine = site->engine;
	site->answers.is_read_only = setup->is_read_only;
	site->answers.is_passthrough = is_passthrough;
	site->answers.context = site;
	r = where_init(&site->answers.where, site->engine, setup->mountpoint,
		       setup->only_root);
	if (r == 0)
		r = fill_facts(site);
	if (r == 0)
		r = server_start(
			&(struct server_setup){ .runtime_dir = setup->config->runtime_dir,
						.facts = &site->facts,
						.answer = answers_answer,
						.context = &site->answers },
			&site->server, &error);
	return r < 0 ? fail(site, EXIT_FAILED, &error, r) : 0;
}

static void show_reading(void *context, int64_t documents)
{
	struct site *site = context;

	daemon_progress(site->setup.daemon,
			"reading the store for the first time: %lld documents",
			(long long)documents);
}

static int start_all(struct site *site)
{
	struct daemon_hooks hooks = { .stop = stop,
				      .status = tell_status,
				      .context = site };
	struct error error = { 0 };
	int code, r;

	code = start_engine(site);
	if (code)
		return code;
	r = daemon_watch_signals(site->setup.daemon, &hooks);
	if (r < 0)
		return fail(site, EXIT_FAILED, NULL, r);
	code = start_server(site);
	if (code)
		return code;
	r = engine_wait_ready(site->engine, show_reading, site, &error);
	if (r == -EXDEV || r == -ECANCELED)
		return fail(site, exit_of(r), &error, r);
	return r < 0 ? fail(site, EXIT_NO_STORE, &error, r) : 0;
}

int site_start(const struct site_setup *setup, struct site **ret)
{
	_cleanup_(site_freep) struct site *site = calloc(1, sizeof(*site));
	int code;

	if (!site)
		return daemon_fail(setup->daemon, EXIT_FAILED, "out of memory");
	site->setup = *setup;
	config_keep_settings(setup->config);
	mutex_init(&site->lock);
	cond_init(&site->changed);
	code = start_all(site);
	if (code)
		return code;
	*ret = steal(site);
	return 0;
}

/* ---- running ---- */

static void mount_is_ready(void *context)
{
	struct site *site = context;

	log_info("site '%s' is mounted at %s", site->setup.config->active_site,
		 site->setup.mountpoint);
	daemon_ready(site->setup.daemon);
}

/* False where a stop came first. */
static bool show_mount(struct site *site, struct mount *mount)
{
	bool is_stopping;

	mutex_lock(&site->lock);
	is_stopping = site->is_stopping;
	if (!is_stopping)
		site->mount = mount;
	mutex_unlock(&site->lock);
	return !is_stopping;
}

/* After this nobody uses it. */
static void hide_mount(struct site *site)
{
	mutex_lock(&site->lock);
	while (site->is_being_stopped || site->n_asking)
		cond_wait(&site->changed, &site->lock);
	site->mount = NULL;
	mutex_unlock(&site->lock);
}

int site_run_mount(struct site *site)
{
	const struct site_setup *setup = &site->setup;
	_cleanup_(mount_freep) struct mount *mount = NULL;
	struct error error = { 0 };
	int r;

	r = mount_new(
		&(struct mount_setup){ .engine = site->engine,
				       .mountpoint = setup->mountpoint,
				       .root = setup->only_root,
				       .is_read_only = setup->is_read_only,
				       .is_shared = setup->is_shared,
				       .has_no_passthrough = setup->has_no_passthrough,
				       .ready = mount_is_ready,
				       .context = site },
		&mount, &error);
	if (r < 0)
		return fail(site, r == -ENOENT ? EXIT_USAGE : EXIT_FAILED, &error, r);
	if (!show_mount(site, mount)) {
		engine_stop(site->engine);
		return daemon_fail(setup->daemon, EXIT_INTERRUPTED, "interrupted");
	}
	r = mount_run(mount);
	hide_mount(site);
	/* before the mount is freed: its last requests end with the engine's */
	engine_stop(site->engine);
	if (r < 0)
		return daemon_fail(setup->daemon, EXIT_FAILED,
				   "the mount at %s broke: %s", setup->mountpoint,
				   error_text(NULL, r));
	log_info("site '%s' is no longer mounted at %s", setup->config->active_site,
		 setup->mountpoint);
	return EXIT_DONE;
}

int site_run(struct site *site)
{
	daemon_ready(site->setup.daemon);
	log_info("site '%s' is being synced", site->setup.config->active_site);
	mutex_lock(&site->lock);
	while (!site->is_stopping || site->is_being_stopped)
		cond_wait(&site->changed, &site->lock);
	mutex_unlock(&site->lock);
	return EXIT_DONE;
}

int site_run_once(struct site *site)
{
	_cleanup_(site_progress_freep) struct site_progress *progress =
		site_progress_new(site->setup.cli, site->engine);
	struct daemon *daemon = site->setup.daemon;
	struct engine_status status;
	struct error error = { 0 };
	char count[OUTPUT_SIZE];
	int64_t n_failed = 0;
	int r;

	r = engine_wait_idle(site->engine, &n_failed, &error);
	site_progress_free(steal(progress));
	if (daemon_signal(daemon))
		return daemon_fail(daemon, (enum cli_exit)(128 + daemon_signal(daemon)),
				   "interrupted: what is left goes on at the next start");
	if (r == -ESTALE)
		return daemon_fail(daemon, EXIT_FAILED,
				   "%s: bring it back, or take what is there as the "
				   "site's with --adopt",
				   error_text(&error, r));
	if (r != 0)
		return fail(site, exit_of(r), &error, r);
	engine_get_status(site->engine, &status);
	if (status.lost_root[0])
		return daemon_fail(daemon, EXIT_PARTLY, "%s", status.lost_root);
	if (n_failed)
		return daemon_fail(daemon, EXIT_PARTLY,
				   "%s not synced: 'sitefs explain PATH' says why, "
				   "'sitefs retry' tries again",
				   output_count(n_failed, "file", count));
	return EXIT_DONE;
}

void site_free(struct site *site)
{
	if (!site)
		return;
	/* reads and requests that wait end first, then those who ask, then the engine */
	if (site->engine)
		engine_stop(site->engine);
	server_free(site->server);
	daemon_end_signals(site->setup.daemon);
	where_done(&site->answers.where);
	daemon_facts_done(&site->facts);
	engine_free(site->engine);
	mutex_done(&site->lock);
	cond_done(&site->changed);
	free(site);
}
