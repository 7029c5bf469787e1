/* Verifying: the two walks. What is put right is in verify_fix.c. */
#include "sync/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/verify_private.h"

static const char *const kind_names[] = {
	[VERIFY_DAMAGED] = "damaged", [VERIFY_MODIFIED] = "modified",
	[VERIFY_ABSENT] = "absent",   [VERIFY_UNREADABLE] = "unreadable",
	[VERIFY_MISSING] = "missing", [VERIFY_DIFFERENT] = "different",
	[VERIFY_TWINS] = "twins",     [VERIFY_ORPHAN] = "orphan",
};

const char *verify_kind_name(enum verify_kind kind)
{
	return kind_names[kind];
}

static bool is_over(struct verify *verify)
{
	const struct verify_setup *setup = verify->setup;

	if (engine_is_stopping(verify->engine) ||
	    (setup->is_over && setup->is_over(setup->context)))
		__atomic_store_n(&verify->call.provider.cancel, true, __ATOMIC_RELAXED);
	return __atomic_load_n(&verify->call.provider.cancel, __ATOMIC_RELAXED);
}

/* Counts and tells. */
static int tell(struct verify *verify, const struct verify_finding *finding)
{
	bool is_orphan = finding->kind == VERIFY_ORPHAN;

	verify->result.n_orphans += is_orphan;
	verify->result.n_bad += !is_orphan;
	verify->result.n_fixed += finding->is_fixed;
	return verify->setup->fn(verify->setup->context, finding);
}

/* ---- the disk ---- */

int verify_hash(struct verify *verify, const struct assessment *a, struct digest *ret)
{
	uint64_t n = 0;
	int r = assess_hash(verify->engine->roots, a, &verify->call.provider.cancel, ret,
			    &n);

	verify->result.n_bytes += (int64_t)n;
	return r;
}

static bool is_ours(const struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++)
		if (path->records[i].ours.presence == DOC_PRESENT)
			return true;
	return false;
}

/* The bytes against the truth record. */
static int check_bytes(struct verify *verify, const struct assessment *a,
		       struct verify_finding *finding)
{
	const struct truth *truth = &a->path.truth;
	struct digest digest = { 0 };
	int r;

	if (truth->size < 0 || (!truth->digest.has_sha256 && !truth->digest.has_md5)) {
		verify->result.n_unknown++;
		return 0;
	}
	finding->kind = a->disk == DISK_FOREIGN ? VERIFY_MODIFIED : VERIFY_DAMAGED;
	if (a->st.st_size == truth->size) {
		r = verify_hash(verify, a, &digest);
		if (r == -ECANCELED || r == -ENOMEM)
			return r;
		if (r == -EAGAIN) { /* somebody writes it: another time */
			verify->result.n_unknown++;
			return 0;
		}
		if (r == 0 && digest_equal(&digest, &truth->digest))
			return 0;
		if (r < 0) {
			finding->kind = VERIFY_UNREADABLE;
			finding->fix = strerror(-r);
			return tell(verify, finding);
		}
	}
	if (finding->kind == VERIFY_DAMAGED)
		verify_fix_disk(verify, a, finding);
	return tell(verify, finding);
}

static int check_disk(void *context, int root, const char *rel, enum file_state state,
		      int64_t size)
{
	struct verify *verify = context;
	struct assess_setup setup = engine_assess_setup(verify->engine);
	struct verify_finding finding = {
		.kind = VERIFY_ABSENT, .root = root, .rel = rel, .size = size
	};
	struct assessment a;
	int r;

	if (is_over(verify))
		return -ECANCELED;
	r = assess(&setup, root, rel, 0, &a);
	if (r < 0)
		return r;
	if (!a.path.n_records || a.is_hidden) {
		assessment_done(&a);
		return 0;
	}
	if (a.disk == DISK_NOTHING || a.disk == DISK_BLOCKED) {
		if (is_ours(&a.path)) {
			verify->result.n_checked++;
			r = tell(verify, &finding);
		}
	} else {
		verify->result.n_checked++;
		r = check_bytes(verify, &a, &finding);
	}
	assessment_done(&a);
	return r;
}

/* ---- the remote ---- */

static int tell_twins(struct verify *verify, const struct survey_finding *found)
{
	struct verify_finding finding = {
		.kind = VERIFY_TWINS,
		.root = found->root,
		.rel = found->rel,
		.size = found->object.size,
		.fix = "`sitefs doctor --fix` puts them right",
	};

	return found->n_twins ? tell(verify, &finding) : 0;
}

static int tell_trouble(struct verify *verify, const struct survey_finding *found)
{
	const struct index_object *object = &found->object;
	struct verify_finding finding = {
		.kind = object->state == OBJECT_MISSING ? VERIFY_MISSING
							: VERIFY_DIFFERENT,
		.root = found->root,
		.rel = found->rel,
		.size = object->state == OBJECT_MISSING ? found->path->truth.size
							: object->size,
		.fate = object->fate,
		.who = object->who,
		.at_ms = object->at_ms,
	};
	int r = verify_fix_remote(verify, found, &finding);

	if (r != 0)
		return r;
	/* what was put right is asked for anew by whoever did it */
	if (!finding.is_fixed)
		news_tell(verify->engine, found);
	return tell(verify, &finding);
}

static int tell_other(struct verify *verify, const struct survey_finding *found)
{
	struct verify_finding finding = { .kind = VERIFY_ORPHAN,
					  .root = found->root,
					  .rel = found->rel,
					  .size = found->object.size,
					  .id = found->object.id };

	return tell(verify, &finding);
}

static int add_folder(struct verify *verify, int root, const char *rel)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);

	return key ? map_put(&verify->folders, key, verify, NULL) : -ENOMEM;
}

static int heed(void *context, const struct survey_finding *found)
{
	struct verify *verify = context;
	int r;

	if (is_over(verify))
		return -ECANCELED;
	r = tell_twins(verify, found);
	if (r != 0)
		return r;
	if (found->is_folder)
		return verify->setup->wants_orphans
			       ? add_folder(verify, found->root, found->rel)
			       : 0;
	if (!found->path)
		return verify->setup->wants_orphans ? tell_other(verify, found) : 0;
	verify->result.n_checked++;
	if (found->object.state == OBJECT_MISSING ||
	    found->object.state == OBJECT_DIFFERENT)
		return tell_trouble(verify, found);
	verify->result.n_unknown += found->object.state == OBJECT_UNKNOWN;
	if (found->is_news || found->is_learnt)
		news_tell(verify->engine, found);
	return 0;
}

struct walk {
	struct verify *verify;
	int root;
	const char *rel;
};

/* Folders that documents know, also where they are gone from the remote. */
static int add_subfolder(void *context, const char *name, const struct index_node *node)
{
	struct walk *walk = context;
	_cleanup_(freep) char *rel = NULL;

	if (!node->is_folder)
		return 0;
	rel = path_join(walk->rel, name);
	return rel ? add_folder(walk->verify, walk->root, rel) : -ENOMEM;
}

static int check_folder(struct verify *verify, int root, const char *rel)
{
	const struct survey survey = {
		.engine = verify->engine,
		.call = &verify->call.provider,
		.can_read = true,
		.wants_others = true,
		.fn = heed,
		.context = verify,
	};
	struct walk walk = { verify, root, rel };
	int r = is_over(verify) ? -ECANCELED : survey_folder(&survey, root, rel);

	if (r == 0)
		r = index_list(verify->engine->index, root, rel, NULL, true,
			       add_subfolder, &walk);
	return r == INDEX_NONE ? 0 : r;
}

static int check_folders(struct verify *verify)
{
	int r = 0;

	while (r == 0 && map_size(&verify->folders)) {
		size_t pos = 0;
		_cleanup_(freep) char *key =
			strdup(map_next(&verify->folders, &pos)->key);
		char *rel = NULL;
		long root;

		if (!key)
			return -ENOMEM;
		map_remove(&verify->folders, key);
		root = strtol(key, &rel, 10);
		r = check_folder(verify, (int)root, rel + 1);
	}
	return r;
}

static int check_remote(struct verify *verify, int root, const char *rel)
{
	const struct survey survey = {
		.engine = verify->engine,
		.call = &verify->call.provider,
		.can_read = true,
		.fn = heed,
		.context = verify,
	};
	struct index_node node;
	int r = index_find(verify->engine->index, root, rel, &node);

	if (r < 0)
		return r;
	if (r == 0 && !node.is_folder)
		return survey_path(&survey, root, rel);
	/* what no document knows may be there all the same */
	if (r == INDEX_NONE && !verify->setup->wants_orphans)
		return r;
	r = add_folder(verify, root, rel);
	return r == 0 ? check_folders(verify) : r;
}

/* ---- both ---- */

static int check_site(struct engine *engine, const struct verify_setup *setup,
		      struct error *error)
{
	struct error lost = { 0 };

	if (roots_are_lost(engine->roots, &lost))
		return error_set(error, -ESTALE, "a root is lost: %s", lost.text);
	if ((setup->is_remote || setup->wants_orphans) && !engine->provider)
		return error_set(error, -ENOTCONN, "no remote site is configured");
	if (setup->wants_fix && !setup->is_dry &&
	    (engine->setup.is_read_only || engine->setup.is_cache_only))
		return error_set(error, -EROFS,
				 "this daemon changes nothing (ro, cache): ask another "
				 "one to --fix");
	return 0;
}

static void verify_done(struct verify *verify)
{
	map_done(&verify->folders, NULL);
	store_free(verify->store);
}

int engine_verify(struct engine *engine, int root, const char *rel,
		  const struct verify_setup *setup, struct verify_result *ret,
		  struct error *error)
{
	_cleanup_(verify_done) struct verify verify = { .engine = engine,
							.setup = setup };
	int r = check_site(engine, setup, error);

	if (r < 0)
		return r;
	engine_call_begin(engine, &verify.call);
	if (setup->is_remote || setup->wants_orphans)
		r = check_remote(&verify, root, rel);
	else
		r = engine_each_file(engine, root, rel, false, check_disk, &verify);
	engine_call_end(engine, &verify.call);
	/* whoever reads next sees what was found */
	engine_await_mail(engine);
	if (r > 0 || verify.call.provider.error.text[0])
		*error = verify.call.provider.error;
	ret->n_checked += verify.result.n_checked;
	ret->n_bytes += verify.result.n_bytes;
	ret->n_unknown += verify.result.n_unknown;
	ret->n_bad += verify.result.n_bad;
	ret->n_fixed += verify.result.n_fixed;
	ret->n_orphans += verify.result.n_orphans;
	return r;
}
