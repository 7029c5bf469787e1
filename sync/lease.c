/*
 * Leases of uploads, and the ids that go with them. Where a remote lets two objects have one name (Drive), every object
 * gets an id before it is made, and whoever else comes to make it brings the same id and is told that it is there:
 *
 *   a folder     reserved in the store for all hosts and for ever, by its path
 *   the file     kept with the lease; who takes it over goes on with the id of the one before
 *
 * So the upload of a machine that slept while another took its lease over ends at the same object. Sync thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"

#define LEVELS_MAX STORE_RESERVE_MAX
/* A record reaches the store within a second of its upload, and from there the other hosts within another. */
#define LINGER_MS 3000

/* What is made for one path: its folders from the top, and the file. */
struct levels {
	size_t n;                /* folders */
	char *keys[LEVELS_MAX];  /* in the store; NULL where the id is known */
	char *ids[LEVELS_MAX];   /* NULL: not known yet */
	char *names[LEVELS_MAX]; /* in engine->folder_ids */
	char *file;
};

static void levels_done(struct levels *levels)
{
	for (size_t i = 0; i < levels->n; i++) {
		free(levels->keys[i]);
		free(levels->ids[i]);
		free(levels->names[i]);
	}
	free(levels->file);
}

/* ---- the stock ---- */

struct restock {
	struct engine_job base;
	struct call call;
};

static void drop_restock(struct engine_job *job)
{
	free(job);
}

static void handle_restocked(struct engine *engine, struct mail *mail)
{
	syncer_job_end(engine);
	engine->is_restocking = false;
	if (provider_is_site_fault(mail->result))
		engine_set_remote_fault(engine, mail->result, mail->text);
}

static void run_restock(struct job *job)
{
	struct restock *restock = (struct restock *)job;
	struct engine *engine = restock->base.engine;
	struct mail *mail = mail_new(handle_restocked, 0, "");

	engine_call_begin(engine, &restock->call);
	if (mail) {
		mail->result = engine->provider->ops->restock(engine->provider,
							      &restock->call.provider);
		mail->text =
			strdup(error_text(&restock->call.provider.error, mail->result));
	}
	engine_call_end(engine, &restock->call);
	engine_post(engine, mail);
	free(restock);
}

static void start_restock(struct engine *engine)
{
	struct restock *restock = NULL;

	if (!engine->is_restocking)
		restock = calloc(1, sizeof(*restock));
	if (!restock)
		return;
	engine->is_restocking = true;
	restock->base.job.run = run_restock;
	restock->base.drop = drop_restock;
	syncer_submit(engine, &restock->base, POOL_UPLOAD, 0);
}

static int take_ids(struct engine *engine, size_t n, char **ret)
{
	int r = engine->provider->ops->take_ids(engine->provider, n, ret);

	if (r == -EAGAIN)
		start_restock(engine);
	return r;
}

/* ---- the ids of a path ---- */

static int add_level(struct engine *engine, const struct plan *plan, size_t len,
		     struct levels *levels)
{
	const char *root = roots_name(engine->roots, plan->root);
	size_t i = levels->n;
	const char *known;

	/* deeper than anybody's folders are: those below are made as they come */
	if (i == LEVELS_MAX - 1)
		return 0;
	levels->n++;
	levels->names[i] = strf("%d:%.*s", plan->root, (int)len, plan->rel);
	if (!levels->names[i])
		return -ENOMEM;
	known = map_get(&engine->folder_ids, levels->names[i]);
	if (known) {
		levels->ids[i] = strdup(known);
		return levels->ids[i] ? 0 : -ENOMEM;
	}
	levels->keys[i] = strf("folder:%s:%s/%.*s", engine->config->remote_site, root,
			       (int)len, plan->rel);
	return levels->keys[i] ? 0 : -ENOMEM;
}

static int find_levels(struct engine *engine, const struct plan *plan,
		       struct levels *levels)
{
	int r = 0;

	for (const char *slash = strchr(plan->rel, '/'); slash && r == 0;
	     slash = strchr(slash + 1, '/'))
		r = add_level(engine, plan, (size_t)(slash - plan->rel), levels);
	return r;
}

/* Folders that nobody asked for before get an id, the first one's for all. */
static int reserve(struct engine *engine, struct levels *levels, char **fresh)
{
	const char *keys[LEVELS_MAX];
	char *got[LEVELS_MAX] = { 0 };
	size_t at[LEVELS_MAX], n = 0;
	int r;

	for (size_t i = 0; i < levels->n; i++) {
		if (!levels->keys[i])
			continue;
		at[n] = i;
		keys[n++] = levels->keys[i];
	}
	if (n == 0)
		return 0;
	r = engine->store->ops->reserve(engine->store, keys, (const char *const *)fresh,
					n, got);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		char *copy = strdup(got[i]);

		levels->ids[at[i]] = got[i];
		if (!copy ||
		    map_put(&engine->folder_ids, levels->names[at[i]], copy, NULL) < 0) {
			free(copy);
			r = -ENOMEM;
		}
	}
	return r;
}

static int fill_levels(struct engine *engine, struct levels *levels)
{
	char *fresh[LEVELS_MAX] = { 0 };
	size_t n = 1;
	int r;

	for (size_t i = 0; i < levels->n; i++)
		n += levels->keys[i] != NULL;
	r = take_ids(engine, n, fresh);
	if (r == 0)
		r = reserve(engine, levels, fresh);
	if (r == 0)
		levels->file = steal(fresh[n - 1]);
	for (size_t i = 0; i < n; i++)
		free(fresh[i]);
	return r;
}

/* *RET stays NULL where the remote knows no ids. */
static int make_ids(struct engine *engine, const struct plan *plan, char **ret)
{
	_cleanup_(levels_done) struct levels levels = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (!engine->provider->ops->take_ids)
		return 0;
	r = find_levels(engine, plan, &levels);
	if (r == 0)
		r = fill_levels(engine, &levels);
	if (r < 0)
		return r;
	for (size_t i = 0; i < levels.n; i++)
		buf_addf(&text, "%s ", levels.ids[i]);
	buf_adds(&text, levels.file);
	*ret = buf_take(&text);
	return *ret ? 0 : -ENOMEM;
}

/* ---- leases ---- */

static void lease_key(const struct engine *engine, const struct plan *plan,
		      struct buf *ret)
{
	buf_addf(ret, "upload:%s:%s:%s/%s", engine->config->active_site,
		 engine->config->remote_site, roots_name(engine->roots, plan->root),
		 plan->rel);
}

int lease_take(struct engine *engine, struct plan *plan, char **ret_ids)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	_cleanup_(freep) char *ids = NULL;
	int r;

	if (!engine->store || engine->store_trouble < 0)
		return -EHOSTUNREACH;
	lease_key(engine, plan, &key);
	if (key.has_failed)
		return -ENOMEM;
	free(map_remove(&engine->lingering, buf_str(&key)));
	r = make_ids(engine, plan, &ids);
	if (r == -EAGAIN)
		return r;
	if (r == 0)
		r = engine->store->ops->lease(engine->store, buf_str(&key), ids, ret_ids);
	if (r < 0 && r != -ENOMEM)
		engine->store_trouble = r;
	plan->is_leased = r == 0;
	return r;
}

void lease_release(struct engine *engine, struct plan *plan)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	int r;

	/* one that stays is ours all the same when the file is wanted again */
	if (!plan->is_leased || !engine->store || engine->store_trouble < 0)
		return;
	lease_key(engine, plan, &key);
	r = engine->store->ops->release(engine->store, buf_str(&key));
	if (r < 0)
		engine->store_trouble = r;
	plan->is_leased = false;
}

void lease_linger(struct engine *engine, struct plan *plan)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	_cleanup_(freep) int64_t *due = malloc(sizeof(*due));
	void *old = NULL;

	if (!plan->is_leased)
		return;
	lease_key(engine, plan, &key);
	if (!due || map_put(&engine->lingering, buf_str(&key), due, &old) < 0) {
		lease_release(engine, plan);
		return;
	}
	free(old);
	*due = clock_mono_ms() + LINGER_MS;
	if (map_size(&engine->lingering) == 1)
		engine->next_linger_ms = *due;
	due = NULL;
	plan->is_leased = false;
}

/* One whose moment has come; allocated. NULL: none, and *ret_next_ms is when the next one's comes. */
static char *find_due(const struct engine *engine, bool is_all, int64_t *ret_next_ms)
{
	int64_t now = clock_mono_ms();
	const struct map_slot *slot;
	size_t pos = 0;

	*ret_next_ms = INT64_MAX;
	while ((slot = map_next(&engine->lingering, &pos))) {
		int64_t due = *(const int64_t *)slot->value;

		if (is_all || due <= now)
			return strndup(slot->key, slot->len);
		if (due < *ret_next_ms)
			*ret_next_ms = due;
	}
	return NULL;
}

void lease_give_back(struct engine *engine, bool is_all)
{
	int r = 0;

	if (!map_size(&engine->lingering)) {
		engine->next_linger_ms = INT64_MAX;
		return;
	}
	if (!is_all && clock_mono_ms() < engine->next_linger_ms)
		return;
	if (!engine->store || engine->store_trouble < 0)
		r = -EHOSTUNREACH;
	while (r >= 0) {
		_cleanup_(freep) char *key =
			find_due(engine, is_all, &engine->next_linger_ms);

		if (!key)
			return;
		free(map_remove(&engine->lingering, key));
		r = engine->store->ops->release(engine->store, key);
		if (r < 0)
			engine->store_trouble = r;
	}
	engine->next_linger_ms = clock_mono_ms() + LINGER_MS;
}
