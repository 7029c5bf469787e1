/* A scripted hydrator: one thread answers reads and learning, unless they are held. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "tests/fake/engine_fake_private.h"

struct hydration {
	struct hydrator *hydrator;
	char *rel;
	int root;
	int64_t size;
	int fd;
};

struct hydrator {
	struct engine *engine;
	pthread_t thread;
	struct mutex lock;
	struct cond wake;
	struct hydrate_read *reads GUARDED_BY(&lock);
	struct hydrate_learn *learns GUARDED_BY(&lock);
	size_t n_waiting GUARDED_BY(&lock);
	bool is_held GUARDED_BY(&lock), is_ending GUARDED_BY(&lock);
	char *spoilt GUARDED_BY(&lock);
};

/* Of the fake: the file that is asked for. */
struct hydrate_listing {
	int root;
	char *rel;
};

static struct hydrate_listing *listing_new(int root, const char *rel)
{
	struct hydrate_listing *listing = calloc(1, sizeof(*listing));

	assert(listing);
	listing->root = root;
	listing->rel = strdup(rel);
	return listing;
}

static void listing_free(struct hydrate_listing *listing)
{
	if (!listing)
		return;
	free(listing->rel);
	free(listing);
}

static void answer(struct hydrate_read *read, int64_t result)
{
	struct hydration *hydration = read->hydration;
	int64_t left = hydration->size - read->offset;

	if (result == 0 && left > 0)
		result = left < read->length ? left : read->length;
	read->done(read, result, hydration->fd);
}

/* The next read or learning; false at the end. */
static bool take(struct hydrator *hydrator, struct hydrate_read **read,
		 struct hydrate_learn **learn, bool *is_spoilt)
{
	*read = NULL;
	*learn = NULL;
	mutex_lock(&hydrator->lock);
	while (!hydrator->is_ending &&
	       (hydrator->is_held || (!hydrator->reads && !hydrator->learns)))
		cond_wait(&hydrator->wake, &hydrator->lock);
	if (hydrator->reads) {
		*read = hydrator->reads;
		hydrator->reads = (*read)->next;
		(*read)->is_waiting = false;
		*is_spoilt = hydrator->spoilt &&
			     strcmp(hydrator->spoilt, (*read)->hydration->rel) == 0;
		hydrator->n_waiting--;
	} else if (hydrator->learns) {
		*learn = hydrator->learns;
		hydrator->learns = (*learn)->next;
		hydrator->n_waiting--;
	}
	mutex_unlock(&hydrator->lock);
	return *read || *learn;
}

static void *run(void *context)
{
	struct hydrator *hydrator = context;
	struct hydrate_read *read;
	struct hydrate_learn *learn;
	bool is_spoilt;

	while (take(hydrator, &read, &learn, &is_spoilt)) {
		if (read) {
			answer(read, is_spoilt ? -EIO : 0);
		} else {
			struct hydrate_listing *listing = learn->listing;
			int r = fake_learn_entry(hydrator->engine, listing->root,
						 listing->rel);

			learn->done(learn, r);
			listing_free(listing);
		}
	}
	return NULL;
}

struct hydrator *fake_hydrator_new(struct engine *engine)
{
	struct hydrator *hydrator = calloc(1, sizeof(*hydrator));

	assert(hydrator);
	hydrator->engine = engine;
	mutex_init(&hydrator->lock);
	cond_init(&hydrator->wake);
	assert(pthread_create(&hydrator->thread, NULL, run, hydrator) == 0);
	return hydrator;
}

void fake_hydrator_free(struct hydrator *hydrator)
{
	mutex_lock(&hydrator->lock);
	hydrator->is_ending = true;
	cond_broadcast(&hydrator->wake);
	mutex_unlock(&hydrator->lock);
	pthread_join(hydrator->thread, NULL);
	mutex_lock(&hydrator->lock);
	free(hydrator->spoilt);
	mutex_unlock(&hydrator->lock);
	cond_done(&hydrator->wake);
	mutex_done(&hydrator->lock);
	free(hydrator);
}

void fake_hold(struct engine *engine, bool is_held)
{
	struct hydrator *hydrator = engine->hydrator;

	mutex_lock(&hydrator->lock);
	hydrator->is_held = is_held;
	cond_broadcast(&hydrator->wake);
	mutex_unlock(&hydrator->lock);
}

void fake_spoil(struct engine *engine, int root, const char *rel)
{
	struct hydrator *hydrator = engine->hydrator;

	mutex_lock(&hydrator->lock);
	free(hydrator->spoilt);
	hydrator->spoilt = strdup(rel);
	mutex_unlock(&hydrator->lock);
}

size_t fake_waiting(struct engine *engine)
{
	struct hydrator *hydrator = engine->hydrator;
	size_t n;

	mutex_lock(&hydrator->lock);
	n = hydrator->n_waiting;
	mutex_unlock(&hydrator->lock);
	return n;
}

/* ---- hydrate.h ---- */

int hydrate_open(struct hydrator *hydrator, int root, const char *rel,
		 struct hydration **ret)
{
	struct engine *engine = hydrator->engine;
	struct hydration *hydration = calloc(1, sizeof(*hydration));
	_cleanup_(freep) char *source = NULL;
	struct entry *entry;
	int r = 0;

	assert(hydration);
	mutex_lock(&engine->lock);
	entry = fake_find_index(engine, root, rel);
	if (!entry || !entry->source || entry->is_failed)
		r = -EIO;
	else if (entry->size < 0)
		r = -ENODATA;
	else
		source = strdup(entry->source);
	if (r == 0)
		*hydration = (struct hydration){
			.hydrator = hydrator, .root = root, .size = entry->size, .fd = -1
		};
	mutex_unlock(&engine->lock);
	if (r < 0) {
		free(hydration);
		return r;
	}
	hydration->rel = strdup(rel);
	hydration->fd = open(source, O_RDONLY | O_CLOEXEC);
	fake_note(engine, "open", rel);
	*ret = hydration;
	return 0;
}

void hydrate_close(struct hydration *hydration)
{
	fake_note(hydration->hydrator->engine, "close", hydration->rel);
	close(hydration->fd);
	free(hydration->rel);
	free(hydration);
}

void hydrate_read(struct hydration *hydration, struct hydrate_read *read)
{
	struct hydrator *hydrator = hydration->hydrator;

	mutex_lock(&hydrator->lock);
	read->hydration = hydration;
	read->is_waiting = true;
	read->next = hydrator->reads;
	hydrator->reads = read;
	hydrator->n_waiting++;
	cond_broadcast(&hydrator->wake);
	mutex_unlock(&hydrator->lock);
}

void hydrate_cancel(struct hydrate_read *read)
{
	struct hydrator *hydrator = read->hydration->hydrator;
	struct hydrate_read **at;
	bool cancels;

	mutex_lock(&hydrator->lock);
	cancels = read->is_waiting;
	if (cancels) {
		for (at = &hydrator->reads; *at != read; at = &(*at)->next)
			;
		*at = read->next;
		read->is_waiting = false;
		hydrator->n_waiting--;
	}
	mutex_unlock(&hydrator->lock);
	if (cancels)
		answer(read, -EINTR);
}

void hydrate_learn(struct hydrator *hydrator, int root, const char *rel,
		   struct hydrate_learn *learn)
{
	fake_note(hydrator->engine, "learn", rel);
	mutex_lock(&hydrator->lock);
	learn->hydrator = hydrator;
	learn->listing = listing_new(root, rel);
	learn->next = hydrator->learns;
	hydrator->learns = learn;
	hydrator->n_waiting++;
	cond_broadcast(&hydrator->wake);
	mutex_unlock(&hydrator->lock);
}

void hydrate_learn_cancel(struct hydrate_learn *learn)
{
	struct hydrator *hydrator = learn->hydrator;
	struct hydrate_learn **at;
	struct hydrate_listing *listing = NULL;

	mutex_lock(&hydrator->lock);
	for (at = &hydrator->learns; *at && *at != learn; at = &(*at)->next)
		;
	if (*at) {
		*at = learn->next;
		listing = learn->listing;
		hydrator->n_waiting--;
	}
	mutex_unlock(&hydrator->lock);
	if (listing)
		learn->done(learn, -EINTR);
	listing_free(listing);
}

bool hydrate_learn_later(struct hydrator *hydrator, int root, const char *rel_folder)
{
	fake_note(hydrator->engine, "later", rel_folder);
	return true;
}

int hydrate_fetch(struct hydrator *hydrator, int root, const char *rel,
		  enum pool_rank rank, int priority)
{
	fake_note(hydrator->engine, "fetch", rel);
	return 0;
}
