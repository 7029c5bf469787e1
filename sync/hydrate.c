/*
 * Hydration, the port: the table of files, handles, background wishes, and the ends that are not completion. How a file is
 * brought is drawn in sync/hydrate_private.h.
 */
#include "sync/hydrate.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/hydrate_private.h"
#include "sync/republish.h"

/* ---- files ---- */

void hydrate_ref_locked(struct hydrate_file *file)
{
	file->refs++;
}

static void free_file(struct hydrate_file *file)
{
	staging_free(file->staging);
	index_path_done(&file->facts);
	truth_files_done(&file->files);
	truth_files_done(&file->there);
	rangemap_done(&file->present);
	rangemap_done(&file->taken);
	rangemap_done(&file->reserved);
	free(file->id);
	free(file->revision);
	free(file->document_id);
	free(file->rel);
	free(file->key);
	free(file->more);
	mutex_done(&file->room);
	free(file);
}

void hydrate_unref(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	int refs;

	mutex_lock(&hydrator->lock);
	refs = --file->refs;
	mutex_unlock(&hydrator->lock);
	if (!refs)
		free_file(file);
}

static void set_idle_locked(struct hydrate_file *file, bool is_idle) NO_THREAD_SAFETY
{
	file->hydrator->n_idle += is_idle - file->is_idle;
	file->is_idle = is_idle;
}

void hydrate_delist_locked(struct hydrate_file *file)
{
	if (!file->is_listed)
		return;
	set_idle_locked(file, false);
	map_remove(&file->hydrator->files, file->key);
	file->is_listed = false;
	file->refs--;
}

static char *key_of(int root, const char *rel)
{
	return strf("%d:%s", root, rel);
}

static struct hydrate_file *new_file(struct hydrator *hydrator, int root, const char *rel,
				     const struct index_node *node)
{
	struct hydrate_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->hydrator = hydrator;
	file->refs = 1;
	mutex_init(&file->room);
	file->root = root;
	file->rel = strdup(rel);
	file->key = key_of(root, rel);
	file->size = node->size;
	file->mtime_ns = node->mtime_ns;
	file->is_small = node->size <= hydrator->config->verify_first_bytes;
	file->is_keepable = roots_is_writable(hydrator->setup.roots, root);
	hydrate_init_starter(file);
	if (file->rel && file->key)
		return file;
	free_file(file);
	return NULL;
}

bool hydrate_is_outdated(const struct hydrate_file *file, const struct truth_name *names,
			 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct truth_name *name = &names[i];

		if (truth_files_precede(&file->files, name, names, n))
			return true;
		if (name->is_there &&
		    truth_files_have(&file->files, name->repre, name->file) &&
		    !truth_files_have(&file->there, name->repre, name->file))
			return true;
	}
	return false;
}

/* What a path is now. */
struct sight {
	const struct index_node *node;
	const struct truth_name *names;
	size_t n;
};

/* The listed file, or FILE, which is listed then; with a reference. NULL: another one of another size or publish is in the
 * way (in RET_OLD, with a reference), or -ENOMEM. */
static struct hydrate_file *find_or_list(struct hydrate_file *file,
					 const struct sight *sight,
					 struct hydrate_file **ret_old)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_file *found;

	mutex_lock(&hydrator->lock);
	found = map_get(&hydrator->files, file->key);
	if (found && (found->size != file->size ||
		      hydrate_is_outdated(found, sight->names, sight->n))) {
		*ret_old = found;
		found->refs++;
		found = NULL;
	} else if (found) {
		found->refs++;
	} else if (map_put(&hydrator->files, file->key, file, NULL) == 0) {
		file->is_listed = true;
		file->refs += 2;
		found = file;
	}
	mutex_unlock(&hydrator->lock);
	return found;
}

/* 0 where the path can be brought by its records, else as hydrate_open() says. */
static int check_path(const struct hydrator *hydrator, const struct index_path *path)
{
	if (path->node.is_folder)
		return -EISDIR;
	if (path->node.shown == SHOWN_NOT)
		return -ENOENT;
	if (!hydrator->setup.provider || path->node.shown == SHOWN_FAILED ||
	    path->object.state == OBJECT_MISSING ||
	    path->object.state == OBJECT_DIFFERENT)
		return -EIO;
	return path->node.size < 0 ? -ENODATA : 0;
}

static int get_seen(struct hydrator *hydrator, int root, const char *rel,
		    const struct sight *sight, struct hydrate_file **ret)
{
	for (;;) {
		struct hydrate_file *file = new_file(hydrator, root, rel, sight->node);
		struct hydrate_file *old = NULL;

		if (!file)
			return -ENOMEM;
		*ret = find_or_list(file, sight, &old);
		hydrate_unref(file);
		if (*ret)
			return 0;
		if (!old)
			return -ENOMEM;
		/* it is another file now */
		hydrate_fail(old, -ECANCELED, NULL);
		hydrate_unref(old);
	}
}

/* The file for a path, with a reference. */
static int get_file(struct hydrator *hydrator, int root, const char *rel,
		    struct hydrate_file **ret)
{
	_cleanup_(freep) struct truth_name *names = NULL;
	struct index_path path = { 0 };
	struct sight sight = { .node = &path.node };
	int r = index_find_path(hydrator->setup.index, root, rel, &path);

	if (r != 0)
		return r == INDEX_NONE ? -ENOENT : r;
	r = check_path(hydrator, &path);
	if (r == 0) {
		sight.names = names = republish_names(&path);
		sight.n = path.n_records;
		r = names ? get_seen(hydrator, root, rel, &sight, ret) : -ENOMEM;
	}
	index_path_done(&path);
	return r;
}

/* ---- ends ---- */

void hydrate_complete(struct hydrate_file *file, int error, const char *text)
{
	struct hydrator *hydrator = file->hydrator;
	const struct hydrate_result result = {
		.root = file->root,
		.rel = file->rel,
		.error = error,
		.text = text,
		.truth = { .size = -1 },
	};

	if (hydrator->setup.completed)
		hydrator->setup.completed(hydrator->setup.context, &result);
}

void hydrate_cancel_calls_locked(struct hydrate_file *file, enum hydrate_kind only)
{
	struct hydrate_work *work;

	for (size_t i = 0; (work = hydrate_work_at(file, i)); i++)
		if (work->call && (!only || work->kind == only))
			__atomic_store_n(&work->call->cancel, true, __ATOMIC_RELAXED);
}

void hydrate_fail(struct hydrate_file *file, int error, const char *text)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };
	struct staging *staging;
	bool is_over, was_wanted;
	int n_handles;

	mutex_lock(&hydrator->lock);
	is_over = file->phase == HYDRATE_DONE || file->phase == HYDRATE_FAILED;
	was_wanted = file->is_wanted;
	if (!is_over) {
		file->phase = HYDRATE_FAILED;
		file->is_wanted = file->is_rest_wanted = false;
		hydrate_cancel_calls_locked(file, 0);
		hydrate_answer_locked(hydrator, file, -EIO, &todo);
	}
	staging = file->staging;
	n_handles = file->n_handles;
	mutex_unlock(&hydrator->lock);
	if (is_over)
		return;
	/* its name and rows are gone before the next open can look for them */
	if (staging)
		staging_drop(staging);
	mutex_lock(&hydrator->lock);
	hydrate_delist_locked(file);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	if (text)
		log_warning("%s: %s; %d open handles get an error", file->rel, text,
			    n_handles);
	if (text || was_wanted)
		hydrate_complete(file, error,
				 text ? text : "what the file is changed meanwhile");
}

static void stop(struct hydrate_file *file, int error, const char *text, bool has_reads)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };
	bool was_wanted;

	mutex_lock(&hydrator->lock);
	was_wanted = hydrate_has_background(file);
	file->is_wanted = file->is_rest_wanted = false;
	file->ahead = (struct range){ 0 };
	if (has_reads)
		hydrate_answer_locked(hydrator, file, error == -ENOSPC ? error : -EIO,
				      &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	log_debug("%s: %s: %s", file->rel, text, strerror(-error));
	if (was_wanted)
		hydrate_complete(file, error, text);
}

void hydrate_stop_file(struct hydrate_file *file, int error, const char *text)
{
	stop(file, error, text, true);
}

void hydrate_stop_background(struct hydrate_file *file, int error, const char *text)
{
	stop(file, error, text, false);
}

/* ---- the site ---- */

/* A set fault fails what waits; a fault that is over lets everything go on. True where it was not set before. */
static bool set_fault(struct hydrator *hydrator, const char *text)
{
	char *copy = text ? strdup(text[0] ? text : "fault") : NULL, *old;
	struct hydrate_file *chain = NULL;
	struct hydrate_learn *learns = NULL;
	struct hydrate_todo todo = { 0 };
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&hydrator->lock);
	old = hydrator->fault;
	hydrator->fault = copy;
	if (copy) {
		hydrate_answer_locked(hydrator, NULL, -EIO, &todo);
		learns = hydrate_take_learns_locked(hydrator);
	} else {
		while ((slot = map_next(&hydrator->files, &pos)))
			hydrate_chain_locked(slot->value, &chain);
		cond_signal(&hydrator->timer_wake);
	}
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_answer_learns(learns, -EIO);
	hydrate_plan_chain(chain);
	free(old);
	return !old;
}

void hydrator_set_fault(struct hydrator *hydrator, const char *text)
{
	set_fault(hydrator, text);
}

void hydrate_meet_fault(struct hydrator *hydrator, int outcome, const char *text)
{
	if (set_fault(hydrator, text) && hydrator->setup.fault)
		hydrator->setup.fault(hydrator->setup.context, outcome, text);
}

/* ---- handles ---- */

int hydrate_open(struct hydrator *hydrator, int root, const char *rel,
		 struct hydration **ret)
{
	_cleanup_(freep) struct hydration *handle = calloc(1, sizeof(*handle));
	int r;

	if (!handle)
		return -ENOMEM;
	r = get_file(hydrator, root, rel, &handle->file);
	if (r < 0)
		return r;
	mutex_lock(&hydrator->lock);
	r = hydrate_make_works_locked(handle->file);
	if (r == 0) {
		handle->file->n_handles++;
		set_idle_locked(handle->file, false);
	}
	mutex_unlock(&hydrator->lock);
	if (r < 0) {
		hydrate_unref(handle->file);
		return r;
	}
	*ret = steal(handle);
	return 0;
}

/* Nobody wants it now: what runs stops, what is staged gets its rows, and it lingers for the next open. */
static void rest_locked(struct hydrate_file *file,
			struct hydrate_todo *todo) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = file->hydrator;
	bool is_crowd = hydrator->n_idle >= HYDRATE_LINGER_MAX;

	if (file->n_handles || hydrate_has_background(file) || !file->is_listed)
		return;
	file->ahead = (struct range){ 0 };
	if (file->phase != HYDRATE_FINISHING)
		hydrate_cancel_calls_locked(file, 0);
	hydrate_keep_locked(file, todo);
	set_idle_locked(file, true);
	file->idle_until_ms = clock_mono_ms() + (is_crowd ? 0 : HYDRATE_LINGER_MS);
	hydrate_set_timer_locked(file, file->idle_until_ms);
}

void hydrate_close(struct hydration *hydration)
{
	struct hydrate_file *file = hydration->file;
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };

	mutex_lock(&hydrator->lock);
	hydrate_drop_reads_locked(hydration, &todo);
	file->n_handles--;
	rest_locked(file, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_unref(file);
	free(hydration);
}

/* ---- background ---- */

int hydrate_fetch(struct hydrator *hydrator, int root, const char *rel,
		  enum pool_rank rank, int priority)
{
	struct hydrate_todo todo = { 0 };
	struct hydrate_file *file = NULL;
	int r = get_file(hydrator, root, rel, &file);

	if (r < 0 || !file)
		return r;
	mutex_lock(&hydrator->lock);
	if (hydrator->is_stopping) {
		r = -ECANCELED;
	} else if (!file->is_keepable) {
		r = -EROFS;
	} else {
		if (!file->is_wanted || rank < file->rank)
			file->rank = rank;
		file->priority = priority;
		file->is_wanted = true;
		file->is_cramped = false;
		set_idle_locked(file, false);
		hydrate_plan_locked(file, &todo);
	}
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_unref(file);
	return r;
}

/* The listed file with a reference, or NULL. */
static struct hydrate_file *find_file(struct hydrator *hydrator, int root,
				      const char *rel)
{
	_cleanup_(freep) char *key = key_of(root, rel);
	struct hydrate_file *file;

	if (!key)
		return NULL;
	mutex_lock(&hydrator->lock);
	file = map_get(&hydrator->files, key);
	if (file)
		file->refs++;
	mutex_unlock(&hydrator->lock);
	return file;
}

void hydrate_forget(struct hydrator *hydrator, int root, const char *rel)
{
	struct hydrate_file *file = find_file(hydrator, root, rel);
	struct hydrate_todo todo = { 0 };

	if (!file)
		return;
	mutex_lock(&hydrator->lock);
	file->is_wanted = false;
	if (!file->n_handles)
		file->is_rest_wanted = false;
	if (!hydrate_has_background(file))
		hydrate_cancel_calls_locked(file, HYDRATE_SLOT);
	rest_locked(file, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_unref(file);
}

void hydrate_invalidate(struct hydrator *hydrator, int root, const char *rel)
{
	struct hydrate_file *file = find_file(hydrator, root, rel);

	if (file) {
		hydrate_fail(file, -ECANCELED, NULL);
		hydrate_unref(file);
	}
	staging_drop_row(hydrator->setup.journal, hydrator->setup.roots, root, rel);
}
