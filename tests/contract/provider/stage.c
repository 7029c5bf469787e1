/* What a case is played on. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct error last_error;

const struct hand *hand_of(const char *name)
{
	static const struct hand *const hands[] = { &hand_fake, &hand_gdrive,
						    &hand_local_drive,
						    &hand_local_drive_nfs,
						    &hand_local_drive_exfat };

	for (size_t i = 0; i < ARRAY_SIZE(hands); i++) {
		if (strcmp(hands[i]->name, name) == 0)
			return hands[i];
	}
	return NULL;
}

int stage_open(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->hand = *state;
	stage->remote = stage->hand->open();
	assert_non_null(stage->remote);
	stage->provider = stage_provider(stage, true);
	*state = stage;
	return 0;
}

int stage_close(void **state)
{
	struct stage *stage = *state;

	provider_free(stage->provider);
	stage->hand->close(stage->remote);
	free(stage);
	return 0;
}

struct provider *stage_provider(const struct stage *stage, bool is_probed)
{
	struct provider *provider = NULL;

	assert_int_equal(stage->hand->provider(stage->remote, &provider), 0);
	if (is_probed)
		assert_outcome(do_probe(provider, false), 0);
	return provider;
}

void stage_need(const struct stage *stage, bool can, const char *what)
{
	if (can)
		return;
	print_message("left out: a remote of kind %s cannot play \"%s\"\n",
		      stage->hand->name, what);
	skip();
}

void stage_set(const struct stage *stage, bool (*set)(void *remote, bool is_on),
	       const char *what)
{
	const char *require = getenv("SITEFS_REQUIRE");

	stage_need(stage, set, what);
	if (set(stage->remote, true))
		return;
	if (require && require[0] && strcmp(require, "0") != 0)
		fail_msg("%s: cannot play \"%s\" here", stage->hand->name, what);
	print_message("SKIP: %s: cannot play \"%s\" here\n", stage->hand->name, what);
	skip();
}

void stage_unset(const struct stage *stage, bool (*set)(void *remote, bool is_on))
{
	assert_true(set(stage->remote, false));
}

const char *stage_error(void)
{
	return last_error.text;
}

/* Every outcome but 0 tells a person why, in one line. */
static int note(int r, const struct provider_call *call)
{
	last_error = call->error;
	if (r > 0)
		assert_true(call->error.text[0]);
	return r;
}

void assert_outcome(int outcome, int wanted)
{
	if (outcome == wanted)
		return;
	fail_msg("%s (%d: %s), wanted %s (%d)", provider_outcome_name(outcome), outcome,
		 last_error.text, provider_outcome_name(wanted), wanted);
}

/* ---- calls ---- */

static struct provider_ref ref_of(const char *path)
{
	return (struct provider_ref){ .root = "", .path = path };
}

int do_probe(struct provider *provider, bool create_root)
{
	struct provider_call call = { 0 };

	return note(provider->ops->probe(provider, create_root, &call), &call);
}

int do_stat(struct provider *provider, const char *path, struct provider_object *ret)
{
	struct provider_ref ref = ref_of(path);
	struct provider_call call = { 0 };

	return note(provider->ops->stat(provider, &ref, &call, ret), &call);
}

int do_fetch(struct provider *provider, const char *path, const char *revision,
	     uint64_t offset, uint64_t length, struct sink *sink)
{
	struct provider_ref ref = ref_of(path);
	struct provider_call call = { 0 };

	sink->next = offset;
	return note(provider->ops->fetch(provider, &ref, revision, offset, length,
					 sink_take, sink, &call),
		    &call);
}

int do_digest(struct provider *provider, const char *path, const char *revision,
	      struct digest *ret)
{
	struct provider_ref ref = ref_of(path);
	struct provider_call call = { 0 };

	return note(provider->ops->digest(provider, &ref, revision, &call, ret), &call);
}

int do_trash(struct provider *provider, const char *path, const char *revision)
{
	struct provider_ref ref = ref_of(path);
	struct provider_call call = { 0 };

	return note(provider->ops->trash(provider, &ref, revision, &call), &call);
}

int do_trace(struct provider *provider, const char *path, const char *id,
	     const char *revision, struct provider_trace *ret)
{
	struct provider_ref ref = { .root = "", .path = path, .id = id };
	struct provider_call call = { 0 };

	return note(provider->ops->trace(provider, &ref, revision, &call, ret), &call);
}

int do_untrash(struct provider *provider, const char *path, const char *id,
	       const struct provider_object *wanted, struct provider_object *ret)
{
	struct provider_ref ref = { .root = "", .path = path, .id = id };
	struct provider_call call = { 0 };

	return note(provider->ops->untrash(provider, &ref, wanted, &call, ret), &call);
}

int do_merge(struct provider *provider, const char *path, const char *id, int *ret)
{
	struct provider_ref ref = { .root = "", .path = path, .id = id };
	struct provider_call call = { 0 };

	return note(provider->ops->merge(provider, &ref, &call, ret), &call);
}

struct provider_put put_of(const char *path, struct source *source)
{
	return (struct provider_put){
		.ref = ref_of(path),
		.source = source_read,
		.source_context = source,
		.is_source_same = source_is_same,
		.size = (int64_t)source->size,
		.mtime_ns = source->mtime_ns,
	};
}

int do_store(struct provider *provider, const char *path, struct source *source,
	     const char *previous, struct provider_object *ret)
{
	struct provider_put put = put_of(path, source);
	struct provider_call call = { 0 };

	put.previous = previous;
	return note(provider->ops->store(provider, &put, &call, ret), &call);
}

/* ---- listing ---- */

struct names {
	char *names[64];
	size_t n;
};

static int add_name(void *context, const char *name, bool is_folder,
		    const struct provider_object *object)
{
	struct names *names = context;

	assert_int_equal(is_folder, object == NULL);
	assert_true(names->n < ARRAY_SIZE(names->names));
	names->names[names->n++] = strf("%s%s", name, is_folder ? "/" : "");
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *list_names(struct provider *provider, const char *folder)
{
	struct provider_ref ref = ref_of(folder);
	struct provider_call call = { 0 };
	struct names names = { 0 };
	struct buf text = { 0 };
	int r = note(provider->ops->list(provider, &ref, add_name, &names, &call), &call);

	if (r != 0) {
		assert_int_equal(names.n, 0);
		return strdup(provider_outcome_name(r));
	}
	qsort(names.names, names.n, sizeof(names.names[0]), by_name);
	for (size_t i = 0; i < names.n; i++) {
		buf_addf(&text, "%s%s", i ? "\n" : "", names.names[i]);
		free(names.names[i]);
	}
	return text.data ? buf_take(&text) : strdup("");
}

/* ---- checks ---- */

/* What a store, or a stat, says of the object is so. */
static void check_object(const char *path, const struct provider_object *object,
			 const struct source *source)
{
	assert_true(object->id && object->id[0]);
	assert_true(object->revision && object->revision[0]);
	assert_true(object->document_id && object->document_id[0]);
	assert_int_equal(object->size, source->size);
	assert_int_equal(object->mtime_ns / 1000000, source->mtime_ns / 1000000);
}

char *store_ok(const struct stage *stage, const char *path, struct source *source,
	       const char *previous)
{
	struct provider_object stored = { 0 }, found = { 0 };
	struct digest digest;
	char *revision;

	assert_outcome(do_store(stage->provider, path, source, previous, &stored), 0);
	check_object(path, &stored, source);
	source_digest(source, &digest);
	assert_true(digest_equal(&stored.digest, &digest));
	assert_outcome(do_stat(stage->provider, path, &found), 0);
	check_object(path, &found, source);
	assert_string_equal(found.id, stored.id);
	assert_string_equal(found.revision, stored.revision);
	assert_string_equal(found.document_id, stored.document_id);
	revision = strdup(stored.revision);
	provider_object_done(&stored);
	provider_object_done(&found);
	return revision;
}

void assert_holds(const struct stage *stage, const char *path,
		  const struct source *source)
{
	struct sink sink = { .wanted = source };
	_cleanup_(freep) char *data = NULL;
	_cleanup_(freep) char *wanted = malloc(source->size + 1);
	size_t len;

	assert_non_null(wanted);
	source_bytes(source, wanted, source->size, 0);
	data = stage->hand->read(stage->remote, path, &len);
	assert_non_null(data);
	assert_int_equal(len, source->size);
	assert_memory_equal(data, wanted, len);
	assert_outcome(do_fetch(stage->provider, path, NULL, 0, source->size, &sink), 0);
	assert_false(sink.is_wrong);
	assert_int_equal(sink.n_taken, source->size);
}

void assert_nothing_at(const struct stage *stage, const char *path)
{
	struct provider_object object = { 0 };
	size_t len;

	assert_null(stage->hand->read(stage->remote, path, &len));
	assert_outcome(do_stat(stage->provider, path, &object), PROVIDER_GONE);
}

void assert_text(const struct stage *stage, const char *path, const char *text)
{
	size_t len = 0;
	_cleanup_(freep) char *found = stage->hand->read(stage->remote, path, &len);

	if (!found || len != strlen(text) || memcmp(found, text, len) != 0)
		fail_msg("%s is \"%.100s\", wanted \"%s\"", path, found ? found : "gone",
			 text);
}

void assert_no_parts(const struct stage *stage)
{
	assert_int_equal(stage->hand->count_parts(stage->remote), 0);
}
