/* A remote in memory: its objects as another hand sees them, and the script. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "tests/fake/remote_fake_private.h"

#define LOOK_MS 5 /* a call that is held looks that often whether it is cancelled */
#define PATIENCE_MS 30000

void *fake_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

char *fake_strdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}

/* ---- objects ---- */

static void object_free(void *object)
{
	free(((struct object_fake *)object)->data);
	free(object);
}

static void kept_free(struct kept_fake *kept)
{
	while (kept) {
		struct kept_fake *next = kept->next;

		free(kept->path);
		free(kept->data);
		free(kept);
		kept = next;
	}
}

static void part_free(struct part_fake *part)
{
	free(part->token);
	free(part->data);
	hasher_free(part->hasher);
	free(part);
}

static void drop_parts(struct root_fake *root)
{
	while (root->parts)
		root_fake_drop_part(root, root->parts);
}

static void root_free(struct root_fake *root)
{
	if (!root)
		return;
	map_done(&root->objects, object_free);
	map_done(&root->folders, NULL);
	kept_free(root->kept);
	drop_parts(root);
	free(root);
}

struct root_fake *root_fake_new(struct remote_fake *remote)
{
	struct root_fake *root = fake_alloc(sizeof(*root));

	root->identity = ++remote->last_number;
	return root;
}

struct object_fake *root_fake_find(struct root_fake *root, const char *path)
{
	return map_get(&root->objects, path);
}

bool root_fake_has_folder(struct root_fake *root, const char *path)
{
	return !path[0] || map_get(&root->folders, path);
}

/* Calls FN for each folder above PATH until it says so. */
static bool any_above(struct root_fake *root, const char *path,
		      bool (*fn)(struct root_fake *root, const char *folder))
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		_cleanup_(freep) char *folder = strndup(path, (size_t)(p - path));

		if (!folder)
			abort();
		if (fn(root, folder))
			return true;
	}
	return false;
}

static bool is_object(struct root_fake *root, const char *folder)
{
	return root_fake_find(root, folder);
}

static bool add_folder(struct root_fake *root, const char *folder)
{
	if (map_put(&root->folders, folder, root, NULL) < 0)
		abort();
	return false;
}

bool root_fake_is_blocked(struct root_fake *root, const char *path)
{
	return any_above(root, path, is_object);
}

struct object_fake *root_fake_put(struct remote_fake *remote, const char *path,
				  char *data, size_t len)
{
	struct object_fake *object = root_fake_find(remote->root, path);

	any_above(remote->root, path, add_folder);
	if (!object) {
		object = fake_alloc(sizeof(*object));
		object->id = ++remote->last_number;
		if (map_put(&remote->root->objects, path, object, NULL) < 0)
			abort();
	}
	free(object->data);
	object->data = data;
	object->len = len;
	object->revision = ++remote->last_number;
	object->mtime_ns = clock_wall_ms() * 1000000;
	return object;
}

void root_fake_keep(struct root_fake *root, const char *path)
{
	struct object_fake *object = root_fake_find(root, path);
	struct kept_fake *kept = fake_alloc(sizeof(*kept));

	kept->path = fake_strdup(path);
	kept->len = object->len;
	kept->data = fake_alloc(object->len + 1);
	memcpy(kept->data, object->data, object->len);
	kept->next = root->kept;
	root->kept = kept;
}

void root_fake_trash(struct root_fake *root, const char *path)
{
	root_fake_keep(root, path);
	object_free(map_remove(&root->objects, path));
}

void root_fake_drop_part(struct root_fake *root, struct part_fake *part)
{
	for (struct part_fake **p = &root->parts; *p; p = &(*p)->next) {
		if (*p != part)
			continue;
		*p = part->next;
		part_free(part);
		return;
	}
}

/* ---- the remote ---- */

struct remote_fake *remote_fake_new(void)
{
	struct remote_fake *remote = fake_alloc(sizeof(*remote));

	mutex_init(&remote->lock);
	cond_init(&remote->changed);
	mutex_lock(&remote->lock);
	remote->root = root_fake_new(remote);
	mutex_unlock(&remote->lock);
	remote->room = UINT64_MAX;
	return remote;
}

void remote_fake_free(struct remote_fake *remote)
{
	if (!remote)
		return;
	root_free(remote->root);
	root_free(remote->shelf);
	cond_done(&remote->changed);
	mutex_done(&remote->lock);
	free(remote);
}

static char *copy_of(const void *data, size_t len)
{
	char *copy = fake_alloc(len + 1);

	if (len)
		memcpy(copy, data, len);
	return copy;
}

void remote_fake_put(struct remote_fake *remote, const char *path, const void *data,
		     size_t len)
{
	char *copy = copy_of(data, len);

	mutex_lock(&remote->lock);
	root_fake_put(remote, path, copy, len);
	mutex_unlock(&remote->lock);
}

void remote_fake_put_folder(struct remote_fake *remote, const char *path)
{
	mutex_lock(&remote->lock);
	any_above(remote->root, path, add_folder);
	add_folder(remote->root, path);
	mutex_unlock(&remote->lock);
}

/* The object at PATH, of which there is one. */
static struct object_fake *object_at(struct remote_fake *remote, const char *path)
	REQUIRES(&remote->lock)
{
	struct object_fake *object = root_fake_find(remote->root, path);

	if (!object) {
		fprintf(stderr, "remote_fake: there is no %s\n", path);
		abort();
	}
	return object;
}

void remote_fake_edit(struct remote_fake *remote, const char *path)
{
	struct object_fake *object;

	mutex_lock(&remote->lock);
	object = object_at(remote, path);
	object->data[0] = (char)(object->data[0] ^ 1);
	object->revision = ++remote->last_number;
	mutex_unlock(&remote->lock);
}

void remote_fake_cut(struct remote_fake *remote, const char *path, size_t size)
{
	struct object_fake *object;

	mutex_lock(&remote->lock);
	object = object_at(remote, path);
	object->len = size < object->len ? size : object->len;
	object->revision = ++remote->last_number;
	mutex_unlock(&remote->lock);
}

void remote_fake_swap(struct remote_fake *remote, const char *path)
{
	struct object_fake *object;

	mutex_lock(&remote->lock);
	object = object_at(remote, path);
	object->id = ++remote->last_number;
	object->revision = ++remote->last_number;
	mutex_unlock(&remote->lock);
}

void remote_fake_remove(struct remote_fake *remote, const char *path)
{
	mutex_lock(&remote->lock);
	object_at(remote, path);
	object_free(map_remove(&remote->root->objects, path));
	mutex_unlock(&remote->lock);
}

char *remote_fake_read(struct remote_fake *remote, const char *path, size_t *ret_len)
{
	struct object_fake *object;
	char *copy = NULL;

	mutex_lock(&remote->lock);
	object = remote->root ? root_fake_find(remote->root, path) : NULL;
	if (object) {
		copy = copy_of(object->data, object->len);
		*ret_len = object->len;
	}
	mutex_unlock(&remote->lock);
	return copy;
}

size_t remote_fake_count(struct remote_fake *remote)
{
	size_t n;

	mutex_lock(&remote->lock);
	n = map_size(&remote->root->objects) + map_size(&remote->root->folders);
	mutex_unlock(&remote->lock);
	return n;
}

bool remote_fake_has_kept(struct remote_fake *remote, const char *path, const void *data,
			  size_t len)
{
	bool is_found = false;

	mutex_lock(&remote->lock);
	for (struct kept_fake *kept = remote->root->kept; kept; kept = kept->next)
		is_found |= kept->len == len && strcmp(kept->path, path) == 0 &&
			    memcmp(kept->data, data, len) == 0;
	mutex_unlock(&remote->lock);
	return is_found;
}

size_t remote_fake_count_parts(struct remote_fake *remote)
{
	size_t n = 0;

	mutex_lock(&remote->lock);
	for (struct part_fake *part = remote->root->parts; part; part = part->next)
		n++;
	mutex_unlock(&remote->lock);
	return n;
}

void remote_fake_drop_parts(struct remote_fake *remote)
{
	mutex_lock(&remote->lock);
	drop_parts(remote->root);
	mutex_unlock(&remote->lock);
}

bool remote_fake_flip(struct remote_fake *remote)
{
	bool is_found = false;

	mutex_lock(&remote->lock);
	for (struct part_fake *part = remote->root->parts; part; part = part->next) {
		if (!part->len)
			continue;
		part->data[0] = (char)(part->data[0] ^ 1);
		is_found = true;
	}
	mutex_unlock(&remote->lock);
	return is_found;
}

/* ---- the site ---- */

static void shelve(struct remote_fake *remote, bool is_on, bool has_other)
{
	mutex_lock(&remote->lock);
	if (is_on) {
		remote->shelf = remote->root;
		remote->root = has_other ? root_fake_new(remote) : NULL;
	} else {
		root_free(remote->root);
		remote->root = remote->shelf;
		remote->shelf = NULL;
	}
	mutex_unlock(&remote->lock);
}

void remote_fake_set_away(struct remote_fake *remote, bool is_on)
{
	shelve(remote, is_on, false);
}

void remote_fake_set_swapped(struct remote_fake *remote, bool is_on)
{
	shelve(remote, is_on, true);
}

void remote_fake_set_readonly(struct remote_fake *remote, bool is_on)
{
	mutex_lock(&remote->lock);
	remote->is_readonly = is_on;
	mutex_unlock(&remote->lock);
}

void remote_fake_set_room(struct remote_fake *remote, uint64_t bytes)
{
	mutex_lock(&remote->lock);
	remote->room = bytes;
	mutex_unlock(&remote->lock);
}

void remote_fake_set_outcome(struct remote_fake *remote, int outcome)
{
	mutex_lock(&remote->lock);
	remote->outcome = outcome;
	mutex_unlock(&remote->lock);
}

void remote_fake_set_tells_digest(struct remote_fake *remote, bool is_on)
{
	mutex_lock(&remote->lock);
	remote->tells_digest = is_on;
	mutex_unlock(&remote->lock);
}

/* ---- script ---- */

static void add_rule(struct remote_fake *remote, struct rule_fake rule)
{
	bool is_added = false;

	mutex_lock(&remote->lock);
	for (size_t i = 0; i < ARRAY_SIZE(remote->rules) && !is_added; i++) {
		if (remote->rules[i].countdown)
			continue;
		remote->rules[i] = rule;
		is_added = true;
	}
	mutex_unlock(&remote->lock);
	if (!is_added)
		abort();
}

void remote_fake_fail(struct remote_fake *remote, enum fake_op op, unsigned nth,
		      int outcome)
{
	add_rule(remote, (struct rule_fake){ RULE_FAIL, op, nth, outcome });
}

void remote_fake_lose(struct remote_fake *remote, enum fake_op op, unsigned nth,
		      int outcome)
{
	add_rule(remote, (struct rule_fake){ RULE_LOSE, op, nth, outcome });
}

void remote_fake_tear(struct remote_fake *remote, enum fake_op op, unsigned nth)
{
	add_rule(remote, (struct rule_fake){ RULE_TEAR, op, nth, PROVIDER_TORN });
}

int script_fake_take(struct remote_fake *remote, enum rule_kind kind, enum fake_op op)
{
	int outcome = 0;

	for (size_t i = 0; i < ARRAY_SIZE(remote->rules); i++) {
		struct rule_fake *rule = &remote->rules[i];

		if (rule->countdown && rule->kind == kind &&
		    (rule->op == op || rule->op == FAKE_N_OPS) && --rule->countdown == 0)
			outcome = rule->outcome;
	}
	return outcome;
}

void remote_fake_hold(struct remote_fake *remote, enum fake_op op, uint64_t bytes)
{
	mutex_lock(&remote->lock);
	remote->holds[op].is_on = true;
	remote->holds[op].bytes = bytes;
	mutex_unlock(&remote->lock);
}

void remote_fake_release(struct remote_fake *remote, enum fake_op op)
{
	mutex_lock(&remote->lock);
	remote->holds[op].is_on = false;
	remote->holds[op].generation++;
	cond_broadcast(&remote->changed);
	mutex_unlock(&remote->lock);
}

bool remote_fake_wait_held(struct remote_fake *remote, enum fake_op op, unsigned n)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	bool is_held;

	mutex_lock(&remote->lock);
	while (remote->holds[op].n_held < n &&
	       cond_wait_until(&remote->changed, &remote->lock, deadline) == 0)
		;
	is_held = remote->holds[op].n_held >= n;
	mutex_unlock(&remote->lock);
	return is_held;
}

int script_fake_wait(struct remote_fake *remote, enum fake_op op, uint64_t moved,
		     const bool *cancel)
{
	struct hold_fake *hold = &remote->holds[op];
	unsigned generation;
	bool is_canceled;

	mutex_lock(&remote->lock);
	generation = hold->generation;
	if (hold->is_on && moved >= hold->bytes) {
		hold->n_held++;
		cond_broadcast(&remote->changed);
		/* the flag that cancels is set by people who wake nobody */
		while (hold->generation == generation &&
		       !__atomic_load_n(cancel, __ATOMIC_RELAXED))
			cond_wait_until(&remote->changed, &remote->lock,
					clock_mono_ms() + LOOK_MS);
		hold->n_held--;
	}
	is_canceled = __atomic_load_n(cancel, __ATOMIC_RELAXED);
	mutex_unlock(&remote->lock);
	return is_canceled ? -ECANCELED : 0;
}

/* ---- counted ---- */

unsigned remote_fake_calls(struct remote_fake *remote, enum fake_op op)
{
	unsigned n = 0;

	mutex_lock(&remote->lock);
	for (int i = 0; i < FAKE_N_OPS; i++) {
		if (op == FAKE_N_OPS || (int)op == i)
			n += remote->n_calls[i];
	}
	mutex_unlock(&remote->lock);
	return n;
}

uint64_t remote_fake_bytes(struct remote_fake *remote, enum fake_op op)
{
	uint64_t n;

	mutex_lock(&remote->lock);
	n = remote->n_bytes[op];
	mutex_unlock(&remote->lock);
	return n;
}

unsigned remote_fake_most_at_once(struct remote_fake *remote, enum fake_op op)
{
	unsigned n;

	mutex_lock(&remote->lock);
	n = remote->n_most[op];
	mutex_unlock(&remote->lock);
	return n;
}

void remote_fake_forget_counts(struct remote_fake *remote)
{
	mutex_lock(&remote->lock);
	for (int i = 0; i < FAKE_N_OPS; i++) {
		remote->n_calls[i] = 0;
		remote->n_bytes[i] = 0;
		remote->n_most[i] = remote->n_now[i];
	}
	mutex_unlock(&remote->lock);
}
