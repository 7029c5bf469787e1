/* Surveying the remote. */
#include "sync/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/republish.h"

/* ---- judging ---- */

bool survey_is_recorded(const struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++)
		if (path->records[i].remote.presence == DOC_PRESENT)
			return true;
	return false;
}

const char *survey_known_id(const struct engine *engine, const struct index_path *path)
{
	const struct truth_remote *remote =
		truth_find_remote(&path->truth, engine->config->remote_site);

	if (remote && remote->id)
		return remote->id;
	for (size_t i = 0; i < path->n_records; i++)
		if (path->records[i].remote.presence == DOC_PRESENT &&
		    path->records[i].remote.id)
			return path->records[i].remote.id;
	return NULL;
}

static const char *known_revision(const struct engine *engine,
				  const struct index_path *path)
{
	const struct truth_remote *remote =
		truth_find_remote(&path->truth, engine->config->remote_site);

	return remote ? remote->revision : NULL;
}

enum index_object_state survey_judge(const struct engine *engine,
				     const struct index_path *path,
				     const struct provider_object *object)
{
	const char *revision = known_revision(engine, path);
	const struct index_object *known = &path->object;

	if (republish_refusal(path, engine->config->remote_site, object))
		return OBJECT_DIFFERENT;
	if (path->truth.size < 0 || (revision && strcmp(revision, object->revision) == 0))
		return OBJECT_PRESENT;
	if (object->size != path->truth.size ||
	    digest_differs(&object->digest, &path->truth.digest))
		return OBJECT_DIFFERENT;
	if (digest_equal(&object->digest, &path->truth.digest))
		return OBJECT_PRESENT;
	/* what was judged by its content before is still that */
	return known->revision && strcmp(known->revision, object->revision) == 0
		       ? known->state
		       : OBJECT_UNKNOWN;
}

/* ---- one file ---- */

struct look {
	const struct survey *survey;
	int root;
	const char *rel;
	struct index_path path;
	struct provider_object object; /* id NULL: none */
	struct provider_trace trace;
	enum index_object_state state;
	int n_twins;
	int64_t begun_ms;    /* wall time */
	uint64_t generation; /* of the index, before the folder was listed */
};

static void look_done(struct look *look)
{
	index_path_done(&look->path);
	provider_object_done(&look->object);
	provider_trace_done(&look->trace);
}

static struct provider_ref ref_of(const struct look *look, bool by_id)
{
	const struct engine *engine = look->survey->engine;

	return (struct provider_ref){
		.root = roots_name(engine->roots, look->root),
		.path = look->rel,
		.id = by_id ? survey_known_id(engine, &look->path) : NULL,
	};
}

/* What became of it; nobody tells: nothing. */
static int trace(struct look *look, bool is_there)
{
	const struct survey *survey = look->survey;
	struct provider *provider = survey->engine->provider;
	struct provider_ref ref = ref_of(look, true);
	const char *revision =
		is_there ? known_revision(survey->engine, &look->path) : NULL;

	provider_trace_done(&look->trace);
	if (!provider->ops->trace)
		return 0;
	return provider->ops->trace(provider, &ref, revision, survey->call, &look->trace);
}

static int stat_object(struct look *look)
{
	const struct survey *survey = look->survey;
	struct provider *provider = survey->engine->provider;
	struct provider_ref ref = ref_of(look, true);
	int r = provider->ops->stat(provider, &ref, survey->call, &look->object);

	return r == PROVIDER_GONE ? 0 : r;
}

/* Where the remote tells no digest, its content is read: only for a person who asked. */
static int judge(struct look *look)
{
	const struct survey *survey = look->survey;
	struct provider *provider = survey->engine->provider;
	struct provider_ref ref = ref_of(look, true);
	int r;

	look->state = survey_judge(survey->engine, &look->path, &look->object);
	if (look->state != OBJECT_UNKNOWN || !survey->can_read)
		return 0;
	r = provider->ops->digest(provider, &ref, look->object.revision, survey->call,
				  &look->object.digest);
	if (r == PROVIDER_GONE || r == PROVIDER_CHANGED)
		return PROVIDER_BUSY; /* somebody works at it */
	if (r == 0)
		look->state = digest_equal(&look->object.digest, &look->path.truth.digest)
				      ? OBJECT_PRESENT
				      : OBJECT_DIFFERENT;
	return r;
}

/* What a listing does not show may be there: its id decides. */
static int find_missing(struct look *look)
{
	int r = trace(look, false);

	if (r == 0 && (look->trace.fate == FATE_NONE || look->trace.fate == FATE_MOVED ||
		       look->trace.fate == FATE_EDITED))
		r = stat_object(look);
	if (r != 0)
		return r;
	if (look->object.id)
		return judge(look);
	look->state = OBJECT_MISSING;
	return 0;
}

static bool is_news(const struct look *look, const struct index_object *object)
{
	const struct index_object *known = &look->path.object;

	return known->state != object->state || !str_is_same(known->id, object->id) ||
	       !str_is_same(known->revision, object->revision) ||
	       known->size != object->size || known->fate != object->fate ||
	       !str_is_same(known->who, object->who);
}

static int tell(const struct look *look)
{
	bool is_there = look->object.id;
	bool is_trouble =
		look->state == OBJECT_MISSING || look->state == OBJECT_DIFFERENT;
	struct survey_finding finding = {
		.root = look->root,
		.rel = look->rel,
		.path = &look->path,
		.n_twins = look->n_twins,
		.object = { .state = look->state,
			    .id = look->object.id,
			    .revision = look->object.revision,
			    .document_id = look->object.document_id,
			    .size = is_there ? look->object.size : -1,
			    .mtime_ns = is_there ? look->object.mtime_ns : -1,
			    .digest = look->object.digest,
			    .seen_ms = look->begun_ms },
	};

	if (is_trouble) {
		finding.object.fate = look->trace.fate;
		finding.object.who = look->trace.by;
		finding.object.at_ms = look->trace.when_ms;
	}
	/* the feed told once when it was removed: nobody tells again */
	if (is_trouble && look->trace.fate == look->path.object.fate &&
	    !look->trace.when_ms) {
		finding.object.at_ms = look->path.object.at_ms;
		if (!finding.object.who)
			finding.object.who = look->path.object.who;
	}
	finding.is_news = is_news(look, &finding.object);
	finding.is_learnt =
		is_there && look->path.truth.size < 0 && look->state == OBJECT_PRESENT &&
		(look->object.digest.has_sha256 || look->object.digest.has_md5);
	return look->survey->fn(look->survey->context, &finding);
}

/* A newer publish took the path, perhaps since the folder was listed: then that shows what was there before. */
static bool is_outdated(const struct look *look)
{
	return look->path.former.files.n &&
	       index_generation(look->survey->engine->index) != look->generation;
}

/* LISTED: what a listing shows under the name; NULL: nothing. */
static int look_at(struct look *look, const struct provider_object *listed)
{
	int r;

	if (listed && is_outdated(look)) {
		look->n_twins = listed->n_twins;
		r = stat_object(look);
		if (r == 0)
			r = look->object.id ? judge(look) : find_missing(look);
	} else if (listed) {
		look->object = *listed;
		look->n_twins = listed->n_twins;
		look->object.id = strdup(listed->id);
		look->object.revision = strdup(listed->revision);
		look->object.document_id = strdup(listed->document_id);
		if (!look->object.id || !look->object.revision ||
		    !look->object.document_id)
			return -ENOMEM;
		r = judge(look);
	} else {
		r = find_missing(look);
	}
	if (r == 0 && look->state == OBJECT_DIFFERENT)
		r = trace(look, true);
	return r == 0 ? tell(look) : r;
}

/* INDEX_NONE, where it does not concern us. */
static int load(struct look *look)
{
	int r = index_find_path(look->survey->engine->index, look->root, look->rel,
				&look->path);

	if (r == 0 && (look->path.node.is_folder || !survey_is_recorded(&look->path)))
		return INDEX_NONE;
	return r;
}

int survey_path(const struct survey *survey, int root, const char *rel)
{
	_cleanup_(look_done) struct look look = {
		.survey = survey, .root = root, .rel = rel, .begun_ms = clock_wall_ms()
	};
	int r = load(&look);

	if (r != 0)
		return r == INDEX_NONE ? 0 : r;
	r = stat_object(&look);
	if (r == 0)
		r = look.object.id ? judge(&look) : find_missing(&look);
	if (r == 0 && look.state == OBJECT_DIFFERENT)
		r = trace(&look, true);
	return r == 0 ? tell(&look) : r;
}

/* ---- a folder ---- */

struct listed {
	struct provider_object object;
	bool is_folder, is_published;
};

struct listing {
	const struct survey *survey;
	int root;
	const char *folder;
	struct map names;    /* name -> struct listed */
	int64_t begun_ms;    /* wall time */
	uint64_t generation; /* of the index then */
	char **published;    /* names of files that the index has there */
	size_t n_published, cap;
};

static void free_listed(void *data)
{
	struct listed *listed = data;

	provider_object_done(&listed->object);
	free(listed);
}

static void listing_done(struct listing *listing)
{
	map_done(&listing->names, free_listed);
	for (size_t i = 0; i < listing->n_published; i++)
		free(listing->published[i]);
	free(listing->published);
}

static int take(void *context, const char *name, bool is_folder,
		const struct provider_object *object)
{
	struct listing *listing = context;
	struct listed *listed = calloc(1, sizeof(*listed));
	void *old = NULL;
	int r = 0;

	if (!listed)
		return -ENOMEM;
	listed->is_folder = is_folder;
	if (object)
		listed->object = *object;
	if (object && !is_folder) {
		listed->object.id = strdup(object->id);
		listed->object.revision = strdup(object->revision);
		listed->object.document_id = strdup(object->document_id);
		if (!listed->object.id || !listed->object.revision ||
		    !listed->object.document_id)
			r = -ENOMEM;
	}
	if (r == 0)
		r = map_put(&listing->names, name, listed, &old);
	if (r < 0)
		old = listed;
	if (old)
		free_listed(old);
	return r;
}

/* Nothing of the index is held while the remote is asked. */
static int note_published(void *context, const char *name, const struct index_node *node)
{
	struct listing *listing = context;

	if (node->is_folder)
		return 0;
	if (listing->n_published == listing->cap) {
		size_t cap = listing->cap ? 2 * listing->cap : 64;
		char **grown = reallocarray(listing->published, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		listing->published = grown;
		listing->cap = cap;
	}
	listing->published[listing->n_published] = strdup(name);
	return listing->published[listing->n_published++] ? 0 : -ENOMEM;
}

static int look_at_published(struct listing *listing, const char *name)
{
	struct listed *listed = map_get(&listing->names, name);
	_cleanup_(freep) char *rel = path_join(listing->folder, name);
	_cleanup_(look_done) struct look look = { .survey = listing->survey,
						  .root = listing->root,
						  .rel = rel,
						  .begun_ms = listing->begun_ms,
						  .generation = listing->generation };
	bool is_object = listed && !listed->is_folder;
	int r;

	if (!rel)
		return -ENOMEM;
	r = load(&look);
	if (is_object && look.path.n_records)
		listed->is_published = true;
	if (r != 0)
		return r == INDEX_NONE ? 0 : r;
	return look_at(&look, is_object ? &listed->object : NULL);
}

/* Objects of nobody, and folders. */
static int tell_others(const struct listing *listing)
{
	const struct survey *survey = listing->survey;
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (slot = map_next(&listing->names, &pos))) {
		const struct listed *listed = slot->value;
		_cleanup_(freep) char *rel = path_join(listing->folder, slot->key);
		struct survey_finding finding = {
			.root = listing->root,
			.rel = rel,
			.object = { .id = listed->object.id,
				    .size = listed->is_folder ? -1 : listed->object.size,
				    .mtime_ns = listed->object.mtime_ns },
			.is_folder = listed->is_folder,
			.n_twins = listed->object.n_twins,
		};

		if (!rel)
			return -ENOMEM;
		if (!listed->is_published)
			r = survey->fn(survey->context, &finding);
	}
	return r;
}

int survey_folder(const struct survey *survey, int root, const char *folder)
{
	_cleanup_(listing_done) struct listing listing = { .survey = survey,
							   .root = root,
							   .folder = folder,
							   .begun_ms = clock_wall_ms() };
	struct engine *engine = survey->engine;
	struct provider_ref ref = { .root = roots_name(engine->roots, root),
				    .path = folder };
	int r;

	listing.generation = index_generation(engine->index);
	r = engine->provider->ops->list(engine->provider, &ref, take, &listing,
					survey->call);
	/* a folder that is gone holds nothing; that the root is there was looked at */
	if (r != 0 && r != PROVIDER_GONE)
		return r;
	r = index_list(engine->index, root, folder, NULL, true, note_published, &listing);
	if (r == INDEX_NONE)
		r = 0;
	for (size_t i = 0; r == 0 && i < listing.n_published; i++)
		r = __atomic_load_n(&survey->call->cancel, __ATOMIC_RELAXED)
			    ? -ECANCELED
			    : look_at_published(&listing, listing.published[i]);
	return r == 0 && survey->wants_others ? tell_others(&listing) : r;
}
