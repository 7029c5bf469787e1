/*
 * Hydration, sizes: the listing of a folder at the remote, for an OPEN that waits for a true size and for folders that
 * somebody looked at. One listing per folder at a time, whoever asks; what it finds goes to the engine.
 */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/hydrate_private.h"

/* Guarded by the hydrator's lock, but for what is fixed. */
struct hydrate_listing {
	struct job job;
	struct hydrator *hydrator;
	int root;
	char *folder, *key;
	int refs;       /* the table's, a job's, one who moves it */
	bool is_listed; /* in the table */
	bool is_busy; /* queued or running; else it waits for wake_ms or the end of a fault */
	bool is_person_here; /* somebody waits */
	bool is_background;  /* runs for nobody: few do so at once */
	int64_t wake_ms;
	int n_busy;
	struct provider_call *call;
};

/* ---- life ---- */

static void run(struct job *job);

static void free_listing(struct hydrate_listing *listing)
{
	free(listing->folder);
	free(listing->key);
	free(listing);
}

static void unref(struct hydrate_listing *listing)
{
	struct hydrator *hydrator = listing->hydrator;
	int refs;

	mutex_lock(&hydrator->lock);
	refs = --listing->refs;
	mutex_unlock(&hydrator->lock);
	if (!refs)
		free_listing(listing);
}

static void delist_locked(struct hydrate_listing *listing) NO_THREAD_SAFETY
{
	if (!listing->is_listed)
		return;
	map_remove(&listing->hydrator->listings, listing->key);
	listing->is_listed = false;
	listing->refs--;
}

static struct hydrate_listing *get_locked(struct hydrator *hydrator, int root,
					  const char *folder) REQUIRES(&hydrator->lock)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, folder);
	struct hydrate_listing *listing = key ? map_get(&hydrator->listings, key) : NULL;

	if (listing || !key)
		return listing;
	listing = calloc(1, sizeof(*listing));
	if (!listing)
		return NULL;
	listing->job.run = run;
	listing->hydrator = hydrator;
	listing->root = root;
	listing->folder = strdup(folder);
	listing->key = steal(key);
	listing->refs = 1;
	listing->is_listed = true;
	if (!listing->folder ||
	    map_put(&hydrator->listings, listing->key, listing, NULL) < 0) {
		free_listing(listing);
		return NULL;
	}
	return listing;
}

/* What submit() is to do after the unlock. */
enum step {
	STEP_NONE,
	STEP_SUBMIT,
	STEP_SUBMIT_FIRST,
	STEP_MOVE,
};

#define BACKGROUND_MAX 2 /* listings at once that nobody waits for */

static bool must_wait_locked(struct hydrate_listing *listing) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = listing->hydrator;
	int64_t until_ms = listing->wake_ms;

	if (!listing->is_person_here && hydrator->calm_ms > until_ms)
		until_ms = hydrator->calm_ms;
	if (clock_mono_ms() >= until_ms)
		return !listing->is_person_here && hydrator->n_listing >= BACKGROUND_MAX;
	listing->wake_ms = until_ms;
	cond_signal(&hydrator->timer_wake);
	return true;
}

static enum step plan_locked(struct hydrate_listing *listing,
			     bool is_person) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = listing->hydrator;
	bool is_raised = is_person && !listing->is_person_here;

	listing->is_person_here |= is_person;
	if (hydrator->is_stopping || hydrator->fault)
		return STEP_NONE;
	if (listing->is_busy) {
		listing->refs += is_raised;
		return is_raised ? STEP_MOVE : STEP_NONE;
	}
	if (must_wait_locked(listing))
		return STEP_NONE;
	listing->is_busy = true;
	listing->is_background = !listing->is_person_here;
	listing->job.age = 0;
	listing->refs++;
	hydrator->n_listing += listing->is_background;
	hydrator->n_busy++;
	return listing->is_background ? STEP_SUBMIT : STEP_SUBMIT_FIRST;
}

/* With STEP_NONE the listing is not ours: it may be gone. */
static void submit(struct hydrator *hydrator, struct hydrate_listing *listing,
		   enum step step)
{
	struct pool *readers = hydrator->setup.readers;

	switch (step) {
	case STEP_NONE:
		break;
	case STEP_SUBMIT:
	case STEP_SUBMIT_FIRST:
		pool_submit(readers, &listing->job,
			    step == STEP_SUBMIT ? POOL_CHECK : POOL_READ,
			    HYDRATE_PRIORITY);
		break;
	case STEP_MOVE:
		pool_move(readers, &listing->job, POOL_READ, HYDRATE_PRIORITY);
		unref(listing);
		break;
	}
}

static void end_job(struct hydrate_listing *listing, bool was_background)
{
	struct hydrator *hydrator = listing->hydrator;

	mutex_lock(&hydrator->lock);
	hydrator->n_listing -= was_background;
	cond_signal(&hydrator->timer_wake); /* for the next in the background */
	mutex_unlock(&hydrator->lock);
	unref(listing);
	mutex_lock(&hydrator->lock);
	hydrator->n_busy--;
	if (!hydrator->n_busy)
		cond_broadcast(&hydrator->ended);
	mutex_unlock(&hydrator->lock);
}

/* ---- those who wait ---- */

/* Those that wait for LISTING (NULL: for any) and whose deadline is over by MS. */
static struct hydrate_learn *take_locked(struct hydrator *hydrator,
					 const struct hydrate_listing *listing,
					 int64_t ms) REQUIRES(&hydrator->lock)
{
	struct hydrate_learn **at = &hydrator->first_learn, *taken = NULL;

	while (*at) {
		struct hydrate_learn *learn = *at;

		if ((listing && learn->listing != listing) || learn->deadline_ms > ms) {
			at = &learn->next;
			continue;
		}
		*at = learn->next;
		learn->listing = NULL;
		learn->next = taken;
		taken = learn;
	}
	return taken;
}

struct hydrate_learn *hydrate_take_learns_locked(struct hydrator *hydrator)
{
	return take_locked(hydrator, NULL, INT64_MAX);
}

void hydrate_answer_learns(struct hydrate_learn *learns, int result)
{
	while (learns) {
		struct hydrate_learn *learn = learns;

		learns = learn->next;
		learn->done(learn, result);
	}
}

/* A listing whose time has come; what to do of it goes to RET. */
static struct hydrate_listing *find_due_locked(struct hydrator *hydrator, int64_t now_ms,
					       int64_t *ret_next_ms, enum step *ret)
	REQUIRES(&hydrator->lock) NO_THREAD_SAFETY
{
	struct map_slot *slot;
	size_t pos = 0;

	*ret_next_ms = INT64_MAX;
	if (hydrator->fault)
		return NULL;
	while ((slot = map_next(&hydrator->listings, &pos))) {
		struct hydrate_listing *listing = slot->value;

		if (listing->is_busy)
			continue;
		*ret = plan_locked(listing, false);
		if (*ret != STEP_NONE)
			return listing;
		/* one that waits for its turn is looked at when another one ends */
		if (listing->wake_ms > now_ms && listing->wake_ms < *ret_next_ms)
			*ret_next_ms = listing->wake_ms;
	}
	return NULL;
}

int64_t hydrate_look_at_learns_locked(struct hydrator *hydrator, int64_t now_ms)
{
	struct hydrate_learn *expired = take_locked(hydrator, NULL, now_ms);
	enum step step = STEP_NONE;
	int64_t next_ms;
	struct hydrate_listing *due = find_due_locked(hydrator, now_ms, &next_ms, &step);

	if (hydrator->first_learn && hydrator->first_learn->deadline_ms < next_ms)
		next_ms = hydrator->first_learn->deadline_ms;
	if (!due && !expired)
		return next_ms;
	mutex_unlock(&hydrator->lock);
	if (due)
		submit(hydrator, due, step);
	hydrate_answer_learns(expired, -ETIMEDOUT);
	mutex_lock(&hydrator->lock);
	return 0;
}

/* ---- the listing ---- */

struct found {
	struct index_object *objects;
	char **names;
	size_t n, cap;
	int64_t now_ms;
};

static void found_done(struct found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		free(found->objects[i].id);
		free(found->objects[i].revision);
		free(found->objects[i].document_id);
		free(found->names[i]);
	}
	free(found->objects);
	free(found->names);
}

static int make_room(struct found *found)
{
	size_t cap = found->cap ? 2 * found->cap : 64;
	struct index_object *objects;
	char **names;

	if (found->n < found->cap)
		return 0;
	objects = reallocarray(found->objects, cap, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	found->objects = objects;
	names = reallocarray(found->names, cap, sizeof(*names));
	if (!names)
		return -ENOMEM;
	found->names = names;
	found->cap = cap;
	return 0;
}

static char *copy(const char *text, bool *has_failed)
{
	char *result = text ? strdup(text) : NULL;

	*has_failed |= text && !result;
	return result;
}

static int find_object(void *context, const char *name, bool is_folder,
		       const struct provider_object *object)
{
	struct found *found = context;
	bool has_failed = false;

	if (is_folder)
		return 0;
	if (make_room(found) < 0)
		return -ENOMEM;
	found->names[found->n] = copy(name, &has_failed);
	found->objects[found->n++] = (struct index_object){
		.state = OBJECT_UNKNOWN,
		.id = copy(object->id, &has_failed),
		.revision = copy(object->revision, &has_failed),
		.document_id = copy(object->document_id, &has_failed),
		.size = object->size,
		.mtime_ns = object->mtime_ns,
		.digest = object->digest,
		.seen_ms = found->now_ms,
	};
	return has_failed ? -ENOMEM : 0;
}

/* Nobody waits for a listing that failed for the moment: it goes, or waits for its time. */
static int judge(struct hydrate_listing *listing, int r, const struct provider_call *call)
{
	struct hydrator *hydrator = listing->hydrator;

	if (provider_is_site_fault(r))
		hydrate_meet_fault(hydrator, r, error_text(&call->error, r));
	if (r != PROVIDER_BUSY)
		return r;
	mutex_lock(&hydrator->lock);
	listing->wake_ms =
		clock_mono_ms() +
		hydrate_backoff_ms(hydrator, ++listing->n_busy, call->retry_after_ms);
	listing->is_busy = false;
	cond_signal(&hydrator->timer_wake);
	mutex_unlock(&hydrator->lock);
	return r;
}

static void remember_locked(struct hydrator *hydrator, const char *key)
	REQUIRES(&hydrator->lock)
{
	hydrator->listed[hydrator->next_listed++ % HYDRATE_N_LISTED] =
		(struct hydrate_listed){ XXH3_64bits(key, strlen(key)), clock_mono_ms() };
}

static bool was_listed_locked(const struct hydrator *hydrator, const char *key)
	REQUIRES(&hydrator->lock)
{
	uint64_t hash = XXH3_64bits(key, strlen(key));
	int64_t since_ms = clock_mono_ms() - HYDRATE_LISTED_MS;

	for (size_t i = 0; i < HYDRATE_N_LISTED; i++)
		if (hydrator->listed[i].hash == hash && hydrator->listed[i].ms > since_ms)
			return true;
	return false;
}

static int list(struct hydrate_listing *listing, struct found *found)
{
	struct hydrator *hydrator = listing->hydrator;
	struct provider *provider = hydrator->setup.provider;
	const struct provider_ref ref = {
		.root = roots_name(hydrator->setup.roots, listing->root),
		.path = listing->folder,
	};
	struct provider_call call = { 0 };
	bool may_begin;
	int r;

	mutex_lock(&hydrator->lock);
	may_begin = !hydrator->is_stopping && !hydrator->fault;
	if (may_begin)
		listing->call = &call;
	mutex_unlock(&hydrator->lock);
	if (!may_begin)
		return -ECANCELED;
	r = provider->ops->list(provider, &ref, find_object, found, &call);
	mutex_lock(&hydrator->lock);
	listing->call = NULL;
	/* who comes from now on shall not share a failure that is past */
	if (r != 0 && r != PROVIDER_BUSY)
		delist_locked(listing);
	mutex_unlock(&hydrator->lock);
	return r == 0 ? 0 : judge(listing, r, &call);
}

static void run(struct job *job)
{
	struct hydrate_listing *listing = container_of(job, struct hydrate_listing, job);
	_cleanup_(found_done) struct found found = { .now_ms = clock_wall_ms() };
	struct hydrator *hydrator = listing->hydrator;
	struct hydrate_learn *learns = NULL;
	bool is_background = listing->is_background;
	int r = list(listing, &found);

	if (r != PROVIDER_BUSY) {
		if (hydrator->setup.listed && r != -ECANCELED &&
		    !provider_is_site_fault(r))
			hydrator->setup.listed(hydrator->setup.context, listing->root,
					       listing->folder, found.objects,
					       found.names, r == 0 ? found.n : 0, r);
		mutex_lock(&hydrator->lock);
		learns = take_locked(hydrator, listing, INT64_MAX);
		listing->is_busy = false;
		delist_locked(listing);
		if (r == 0)
			remember_locked(hydrator, listing->key);
		mutex_unlock(&hydrator->lock);
		hydrate_answer_learns(learns, r == 0 ? 0 : -EIO);
	}
	end_job(listing, is_background);
}

/* ---- the port ---- */

void hydrate_learn(struct hydrator *hydrator, int root, const char *rel,
		   struct hydrate_learn *learn)
{
	_cleanup_(freep) char *folder = path_parent(rel);
	int64_t patience = hydrator->config->read_deadline_ms;
	struct hydrate_listing *listing = NULL;
	struct hydrate_learn **at;
	enum step step = STEP_NONE;

	learn->hydrator = hydrator;
	learn->next = NULL;
	mutex_lock(&hydrator->lock);
	if (folder && hydrator->setup.provider && !hydrator->is_stopping &&
	    !hydrator->fault)
		listing = get_locked(hydrator, root, folder);
	if (listing) {
		learn->listing = listing;
		learn->deadline_ms =
			patience < 0 ? INT64_MAX : clock_mono_ms() + patience;
		for (at = &hydrator->first_learn; *at; at = &(*at)->next)
			;
		*at = learn;
		step = plan_locked(listing, true);
		cond_signal(&hydrator->timer_wake);
	}
	mutex_unlock(&hydrator->lock);
	if (listing)
		submit(hydrator, listing, step);
	else
		learn->done(learn, -EIO);
}

void hydrate_learn_cancel(struct hydrate_learn *learn)
{
	struct hydrator *hydrator = learn->hydrator;
	struct hydrate_learn **at;
	bool is_waiting;

	mutex_lock(&hydrator->lock);
	for (at = &hydrator->first_learn; *at && *at != learn; at = &(*at)->next)
		;
	is_waiting = *at;
	if (is_waiting)
		*at = learn->next;
	mutex_unlock(&hydrator->lock);
	if (is_waiting)
		learn->done(learn, -EINTR);
}

bool hydrate_learn_later(struct hydrator *hydrator, int root, const char *rel_folder)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel_folder);
	struct hydrate_listing *listing = NULL;
	enum step step = STEP_NONE;
	bool was_listed = false;

	mutex_lock(&hydrator->lock);
	if (key && hydrator->setup.provider && !hydrator->is_stopping)
		was_listed = was_listed_locked(hydrator, key);
	if (key && hydrator->setup.provider && !hydrator->is_stopping && !was_listed)
		listing = get_locked(hydrator, root, rel_folder);
	if (listing)
		step = plan_locked(listing, false);
	mutex_unlock(&hydrator->lock);
	if (listing)
		submit(hydrator, listing, step);
	return !was_listed;
}

/* ---- the end ---- */

void hydrate_stop_learning(struct hydrator *hydrator)
{
	struct hydrate_listing *listing;
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&hydrator->lock);
	while ((slot = map_next(&hydrator->listings, &pos))) {
		listing = slot->value;
		if (listing->call)
			__atomic_store_n(&listing->call->cancel, true, __ATOMIC_RELAXED);
	}
	mutex_unlock(&hydrator->lock);
}

void hydrate_free_learning(struct hydrator *hydrator) NO_THREAD_SAFETY
{
	struct map_slot *slot;
	size_t pos = 0;

	while ((slot = map_next(&hydrator->listings, &pos)))
		free_listing(slot->value);
	map_done(&hydrator->listings, NULL);
}
