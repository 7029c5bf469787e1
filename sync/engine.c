/* The engine: put together, started, stopped. What it does is in the files around it. */
#include "sync/engine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"

bool engine_is_stopping(struct engine *engine)
{
	bool is_stopping;

	mutex_lock(&engine->lock);
	is_stopping = engine->is_stopping;
	mutex_unlock(&engine->lock);
	return is_stopping;
}

bool engine_is_passive(const struct engine *engine)
{
	return engine->setup.is_read_only || engine->setup.is_cache_only ||
	       !engine->setup.has_sync || !engine->provider;
}

struct assess_setup engine_assess_setup(const struct engine *engine)
{
	return (struct assess_setup){
		.config = engine->config,
		.index = engine->index,
		.journal = engine->journal,
		.roots = engine->roots,
		/* its lock is all that changes */
		.pauses = (struct pauses *)(uintptr_t)&engine->pauses,
		.plans = (struct plans *)(uintptr_t)&engine->plans,
		.lost = (struct lost_projects *)(uintptr_t)&engine->lost_projects,
		.is_mirror = engine->setup.is_mirror,
	};
}

void engine_wake(struct engine *engine)
{
	mutex_lock(&engine->lock);
	engine->is_idle = false;
	/* wake() only sets an event: no I/O that could hold the lock */
	if (engine->wakeable)
		engine->wakeable->ops->wake(engine->wakeable);
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
}

void engine_tell(struct engine *engine, int root, const char *rel,
		 enum engine_change change)
{
	void (*fn)(void *context, int root, const char *rel, enum engine_change change);
	void *context;

	mutex_lock(&engine->lock);
	fn = engine->listener;
	context = engine->listener_context;
	mutex_unlock(&engine->lock);
	if (fn)
		fn(context, root, rel, change);
}

void engine_set_listener(struct engine *engine,
			 void (*fn)(void *context, int root, const char *rel,
				    enum engine_change change),
			 void *context)
{
	mutex_lock(&engine->lock);
	engine->listener = fn;
	engine->listener_context = context;
	mutex_unlock(&engine->lock);
}

bool engine_has_fault(struct engine *engine, struct fault *ret)
{
	mutex_lock(&engine->lock);
	*ret = engine->remote;
	mutex_unlock(&engine->lock);
	return ret->outcome != 0;
}

static void set_fault(struct engine *engine, int outcome, const char *text,
		      bool is_of_writing)
{
	const struct config_timing *timing = &engine->config->timing;
	bool is_news;

	mutex_lock(&engine->lock);
	is_news = engine->remote.outcome != outcome;
	engine->remote.outcome = outcome;
	engine->remote.is_of_writing = is_of_writing;
	engine->remote.next_probe_ms =
		clock_mono_ms() +
		(is_of_writing ? timing->retry_max_ms : timing->probe_ms);
	snprintf(engine->remote.text, sizeof(engine->remote.text), "%s",
		 text ? text : "");
	mutex_unlock(&engine->lock);
	hydrator_set_fault(engine->hydrator, outcome && !is_of_writing ? text : NULL);
	if (!is_news)
		return;
	if (outcome)
		log_warning("remote site '%s' %s: %s", engine->config->remote_site,
			    is_of_writing ? "takes nothing" : "stands still", text);
	else
		log_info("remote site '%s' is back", engine->config->remote_site);
	events_emit(&engine->events,
		    (struct engine_event){ .rel = "",
					   .what = outcome ? "fault" : "back",
					   .text = text });
}

void engine_set_remote_fault(struct engine *engine, int outcome, const char *text)
{
	set_fault(engine, outcome, text, false);
}

void engine_set_upload_fault(struct engine *engine, int outcome, const char *text)
{
	set_fault(engine, outcome, text,
		  outcome == PROVIDER_DENIED || outcome == PROVIDER_FULL);
}

void engine_call_begin(struct engine *engine, struct call *call)
{
	mutex_lock(&engine->lock);
	call->next = engine->calls;
	call->at = &engine->calls;
	if (call->next)
		call->next->at = &call->next;
	engine->calls = call;
	__atomic_store_n(&call->provider.cancel, engine->is_stopping, __ATOMIC_RELAXED);
	mutex_unlock(&engine->lock);
}

void engine_cancel_upload(struct engine *engine, int root, const char *rel)
{
	mutex_lock(&engine->lock);
	for (struct call *call = engine->calls; call; call = call->next)
		if (call->rel && call->root == root && strcmp(call->rel, rel) == 0)
			__atomic_store_n(&call->provider.cancel, true, __ATOMIC_RELAXED);
	mutex_unlock(&engine->lock);
}

void engine_call_end(struct engine *engine, struct call *call)
{
	mutex_lock(&engine->lock);
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	mutex_unlock(&engine->lock);
}

/* A person removed or renamed a published name: decide it anew, and its entry goes. */
static void view_changed(void *context, int root, const char *rel)
{
	engine_touch(context, root, rel);
}

static void handle_touch(struct engine *engine, struct mail *mail)
{
	syncer_decide(engine, mail->root, mail->rel);
}

void engine_touch(struct engine *engine, int root, const char *rel)
{
	engine_post(engine, mail_new(handle_touch, root, rel));
}

static int make_state_folder(const char *path, struct error *error)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_set(error, -errno, "cannot create %s: %s", copy,
					 error_text(NULL, -errno));
		*p = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(error, -errno, "cannot create state folder %s: %s", path,
				 error_text(NULL, -errno));
	return 0;
}

static int lock_state_folder(struct engine *engine, struct error *error)
{
	const char *path = engine->config->state_dir;
	_cleanup_(freep) char *lock = strf("%s/lock", path);
	int r = config_check_local_fs(path, error);

	if (r < 0)
		return r;
	r = make_state_folder(path, error);
	if (r < 0)
		return r;
	if (!lock)
		return -ENOMEM;
	engine->state_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (engine->state_fd < 0)
		return error_set(error, -errno, "cannot open %s: %s", lock,
				 error_text(NULL, -errno));
	if (flock(engine->state_fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(
			error, -EBUSY,
			"another sitefs uses the state folder %s: end it, or give "
			"this one its own with --state",
			path);
	return 0;
}

/* The facts that a state folder remembers: it serves one store and one site (roots have their own). */
static int check_fact(struct engine *engine, const char *name, const char *value,
		      struct error *error)
{
	_cleanup_(freep) char *known = NULL;
	int r = journal_get(engine->journal, name, &known);

	if (r == JOURNAL_NONE)
		return journal_set(engine->journal, name, value);
	if (r < 0 || strcmp(known, value) == 0)
		return r;
	return error_set(
		error, -EXDEV,
		"state folder %s belongs to another %s (%s, not %s): give this one its own "
		"with --state",
		engine->config->state_dir, name, known, value);
}

/* The store's identity, from itself or, while it is away, as the state folder remembers it. */
static int find_store(struct engine *engine, struct error *error)
{
	_cleanup_(store_freep) struct store *store = NULL;
	struct error why = { 0 };
	int r = store_open(engine->config->store_uri, engine->config->store_database,
			   true, &store, &why);

	if (r == 0)
		r = store->ops->identity(store, &engine->store_identity);
	if (r == 0)
		return check_fact(engine, "store", engine->store_identity, error);
	if (r != -EMEDIUMTYPE && r != -EREMOTE && r != -EOPNOTSUPP &&
	    journal_get(engine->journal, "store", &engine->store_identity) == 0) {
		log_warning("store is away, starting from the index: %s",
			    error_text(&why, r));
		return 0;
	}
	return error_set(error, r, "%s", error_text(&why, r));
}

static int open_index(struct engine *engine, struct error *error)
{
	_cleanup_(freep) char *path = strf("%s/index.db", engine->config->state_dir);
	struct index_setup setup = {
		.path = path,
		.store_identity = engine->store_identity,
		.config = engine->config,
		.is_partial_shown = engine->setup.is_partial_shown,
	};
	int r;

	if (!path)
		return -ENOMEM;
	r = index_open(&setup, &engine->index, error);
	return r < 0 ? r : 0;
}

static int open_parts(struct engine *engine, struct error *error)
{
	_cleanup_(freep) char *path = strf("%s/journal.db", engine->config->state_dir);
	int r = path ? lock_state_folder(engine, error) : -ENOMEM;

	if (r == 0)
		r = journal_open(path, &engine->journal, error);
	if (r == 0)
		r = lost_projects_load(&engine->lost_projects, engine->journal,
				       engine->setup.can_adopt);
	if (r == 0)
		r = pauses_load(&engine->pauses, engine->journal);
	if (r == 0)
		r = check_fact(engine, "site", engine->config->active_site, error);
	if (r == 0)
		r = find_store(engine, error);
	if (r == 0)
		r = open_index(engine, error);
	if (r == 0)
		r = roots_open(engine->config, engine->journal, engine->setup.can_adopt,
			       &engine->roots, error);
	if (r == 0)
		r = view_new(engine->index, engine->journal, view_changed, engine,
			     &engine->view);
	if (r == 0)
		view_set_project(engine->view, engine->project);
	return r;
}

/* A site that always holds a copy fetches what nobody has asked for there. */
static bool is_mirror(const struct engine_setup *setup)
{
	const struct config *config = setup->config;

	return setup->is_mirror ||
	       (setup->has_sync && !setup->is_read_only && !setup->is_cache_only &&
		config_names_have(&config->always_accessible_on, config->active_site));
}

static int copy_setup(struct engine *engine, const struct engine_setup *setup)
{
	engine->setup = *setup;
	engine->setup.is_mirror = is_mirror(setup);
	engine->config = setup->config;
	engine->provider = setup->provider;
	engine->state_fd = -1;
	engine->next_write_ms = INT64_MAX;
	/* what is gone now is believed */
	engine->needs_reading = setup->can_adopt;
	if (setup->project && !(engine->project = strdup(setup->project)))
		return -ENOMEM;
	if (setup->mountpoint && !(engine->mountpoint = strdup(setup->mountpoint)))
		return -ENOMEM;
	return 0;
}

int engine_new(const struct engine_setup *setup, struct engine **ret, struct error *error)
{
	_cleanup_(engine_freep) struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	mutex_init(&engine->lock);
	cond_init(&engine->changed);
	plans_init(&engine->plans);
	events_init(&engine->events);
	tally_init(&engine->tally);
	lost_projects_init(&engine->lost_projects);
	pauses_init(&engine->pauses);
	r = copy_setup(engine, setup);
	if (r == 0)
		r = open_parts(engine, error);
	if (r < 0) {
		engine->provider = NULL; /* the caller's until we succeed */
		return r;
	}
	*ret = steal(engine);
	return 0;
}

static int start_hydrator(struct engine *engine)
{
	struct hydrator_setup setup = {
		.config = engine->config,
		.index = engine->index,
		.journal = engine->journal,
		.roots = engine->roots,
		.provider = engine->provider,
		.readers = engine->readers,
		.workers = engine->workers,
		.completed = arrive_completed,
		.listed = arrive_listed,
		.fault = arrive_fault,
		.context = engine,
		.is_cache_only = engine->setup.is_cache_only,
	};

	return hydrator_new(&setup, &engine->hydrator);
}

int engine_start(struct engine *engine, struct error *error)
{
	int r = pool_new("reader", engine->config->n_readers, &engine->readers);

	if (r == 0)
		r = pool_new("worker", engine->config->n_workers, &engine->workers);
	if (r == 0)
		r = start_hydrator(engine);
	probe_expect(engine);
	if (r == 0)
		r = -pthread_create(&engine->thread, NULL, syncer_run, engine);
	if (r < 0)
		return error_set(error, r, "cannot start threads: %s",
				 error_text(NULL, r));
	engine->has_thread = true;
	return 0;
}

int engine_wait_ready(struct engine *engine,
		      void (*progress)(void *context, int64_t documents), void *context,
		      struct error *error)
{
	int64_t told = -1, n;
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		mutex_lock(&engine->lock);
		if (!engine->is_ready && !engine->is_stopping && !engine->store_errno)
			cond_wait_until(&engine->changed, &engine->lock,
					clock_mono_ms() + 200);
		n = engine->n_read;
		if (engine->refusal.text[0])
			r = error_set(error, -EXDEV, "%s", engine->refusal.text);
		else if (engine->is_ready)
			r = 0;
		else if (engine->is_stopping)
			r = -ECANCELED;
		else if (engine->store_errno)
			r = error_set(error, engine->store_errno,
				      "cannot read the store: %s", engine->store_error);
		mutex_unlock(&engine->lock);
		if (progress && n != told)
			progress(context, n);
		told = n;
	}
	return r;
}

int engine_wait_idle(struct engine *engine, int64_t *ret_failed, struct error *error)
{
	struct plan_totals totals;
	struct fault fault;
	int r = 0;

	mutex_lock(&engine->lock);
	while (!engine->is_idle && !engine->is_stopping && !engine->remote.outcome &&
	       !(engine->store_errno && !engine->is_store_reachable))
		cond_wait_until(&engine->changed, &engine->lock, clock_mono_ms() + 1000);
	fault = engine->remote;
	if (engine->is_stopping)
		r = -ECANCELED;
	else if (!engine->is_idle && !fault.outcome)
		r = error_set(error, -EHOSTUNREACH, "the store is away: %s",
			      engine->store_error);
	mutex_unlock(&engine->lock);
	if (roots_are_lost(engine->roots, error))
		return -ESTALE;
	if (fault.outcome)
		return error_set(error, fault.outcome, "%s", fault.text);
	plans_count(&engine->plans, &totals);
	*ret_failed = totals.n_failed + totals.n_patient;
	return r;
}

void engine_stop(struct engine *engine)
{
	mutex_lock(&engine->lock);
	engine->is_stopping = true;
	for (struct call *call = engine->calls; call; call = call->next)
		__atomic_store_n(&call->provider.cancel, true, __ATOMIC_RELAXED);
	mutex_unlock(&engine->lock);
	engine_wake(engine);
}

static void drop_job(struct job *job)
{
	struct engine_job *ours = (struct engine_job *)job;

	ours->drop(ours);
}

/* Ends what engine_start() began, in the order that lets each part still reach the ones it uses. */
static void join(struct engine *engine)
{
	engine_stop(engine);
	if (engine->has_thread)
		pthread_join(engine->thread, NULL);
	engine->has_thread = false;
	if (engine->hydrator)
		hydrator_stop(engine->hydrator);
	if (engine->readers)
		pool_stop(engine->readers, NULL);
	if (engine->workers)
		pool_stop(engine->workers, drop_job);
}

void engine_free(struct engine *engine)
{
	struct mail *mail, *next;

	if (!engine)
		return;
	join(engine);
	mutex_lock(&engine->lock);
	mail = engine->mail_first;
	engine->mail_first = engine->mail_last = NULL;
	mutex_unlock(&engine->lock);
	for (; mail; mail = next) {
		next = mail->next;
		mail_free(mail);
	}
	upload_drop_unsettled(engine);
	upload_sent_all(engine);
	hydrator_free(engine->hydrator);
	pool_free(engine->readers);
	pool_free(engine->workers);
	provider_free(engine->provider);
	free(engine->meter);
	view_free(engine->view);
	roots_free(engine->roots);
	index_free(engine->index);
	journal_free(engine->journal);
	events_done(&engine->events);
	tally_done(&engine->tally);
	lost_projects_done(&engine->lost_projects);
	pauses_done(&engine->pauses);
	plans_done(&engine->plans);
	news_done(&engine->news);
	presence_done(&engine->presence);
	departed_done(&engine->departed);
	map_done(&engine->dirty, NULL);
	map_done(&engine->folder_ids, free);
	map_done(&engine->lingering, free);
	map_done(&engine->written, free);
	map_done(&engine->missing, missing_free);
	if (engine->state_fd >= 0)
		close(engine->state_fd);
	free(engine->store_identity);
	free(engine->token);
	free(engine->project);
	free(engine->mountpoint);
	cond_done(&engine->changed);
	mutex_done(&engine->lock);
	free(engine);
}

const struct config *engine_config(const struct engine *engine)
{
	return engine->config;
}

struct index *engine_index(const struct engine *engine)
{
	return engine->index;
}

struct journal *engine_journal(const struct engine *engine)
{
	return engine->journal;
}

struct view *engine_view(const struct engine *engine)
{
	return engine->view;
}

struct roots *engine_roots(const struct engine *engine)
{
	return engine->roots;
}

struct hydrator *engine_hydrator(const struct engine *engine)
{
	return engine->hydrator;
}

int engine_subscribe(struct engine *engine, engine_event_fn *fn, void *context)
{
	return events_subscribe(&engine->events, fn, context);
}

void engine_unsubscribe(struct engine *engine, engine_event_fn *fn, void *context)
{
	events_unsubscribe(&engine->events, fn, context);
}
