/* Verifying: what can be put right, and what is. */
#include "sync/verify_private.h"

#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/place.h"

static bool may_do(const struct verify *verify)
{
	return verify->setup->wants_fix && !verify->setup->is_dry;
}

/* ---- the disk ---- */

static int note_state(void *context, const struct survey_finding *found)
{
	*(enum index_object_state *)context = found->object.state;
	return 0;
}

/* Asked right now, by size and checksum. */
static bool is_at_remote(struct verify *verify, const struct assessment *a)
{
	enum index_object_state state = OBJECT_UNKNOWN;
	const struct survey survey = {
		.engine = verify->engine,
		.call = &verify->call.provider,
		.can_read = true,
		.fn = note_state,
		.context = &state,
	};

	return verify->engine->provider && survey_path(&survey, a->root, a->rel) == 0 &&
	       state == OBJECT_PRESENT;
}

/* The very file that was read. */
static int is_still_damaged(void *context, const struct stat *st)
{
	const struct stat *seen = context;

	return st->st_dev == seen->st_dev && st->st_ino == seen->st_ino &&
			       timespec_ns(st->st_ctim) == timespec_ns(seen->st_ctim)
		       ? 0
		       : -EAGAIN;
}

void verify_fix_disk(struct verify *verify, const struct assessment *a,
		     struct verify_finding *finding)
{
	struct engine *engine = verify->engine;
	struct stat seen = a->st;
	int r;

	if (!is_at_remote(verify, a)) {
		finding->fix = "the remote has no right copy either: nothing is done";
		return;
	}
	if (a->disk != DISK_COPY) {
		finding->fix = "the remote has the right bytes: move this original away, "
			       "and it comes when it is read";
		return;
	}
	finding->fix = verify->setup->wants_fix
			       ? "moved to .sitefs/superseded: the right bytes come when "
				 "it is read"
			       : "--fix moves it aside: the remote has the right bytes";
	if (!may_do(verify))
		return;
	r = place_aside(engine->roots, a->root, a->rel, is_still_damaged, &seen);
	if (r < 0) {
		log_warning("cannot move '%s' aside: %s", a->rel, error_text(NULL, r));
		finding->fix = "cannot be moved aside: see the log";
		return;
	}
	finding->is_fixed = true;
	journal_stamp_drop(engine->journal, a->root, a->rel);
	hydrate_invalidate(engine->hydrator, a->root, a->rel);
	engine_tell(engine, a->root, a->rel, ENGINE_CHANGE_NAME);
	engine_touch(engine, a->root, a->rel);
}

/* ---- the remote: its trash ---- */

/* At once: a look that began before may say otherwise. */
static void tell_restored(struct verify *verify, const struct survey_finding *found,
			  const struct provider_object *object)
{
	const struct truth *truth = &found->path->truth;
	/* untrash() compared it with what is known of it */
	bool is_proven =
		truth->size >= 0 && (truth->digest.has_sha256 || truth->digest.has_md5);
	struct survey_finding restored = {
		.root = found->root,
		.rel = found->rel,
		.path = found->path,
		.object = { .state = is_proven ? OBJECT_PRESENT
					       : survey_judge(verify->engine, found->path,
							      object),
			    .id = object->id,
			    .revision = object->revision,
			    .document_id = object->document_id,
			    .size = object->size,
			    .mtime_ns = object->mtime_ns,
			    .digest = object->digest,
			    .seen_ms = clock_wall_ms() },
		.is_news = true,
	};

	news_tell(verify->engine, &restored);
}

/* 0 with is_fixed, or without: it is not there. */
static int from_trash(struct verify *verify, const struct survey_finding *found,
		      struct verify_finding *finding)
{
	struct engine *engine = verify->engine;
	struct provider *provider = engine->provider;
	const struct truth *truth = &found->path->truth;
	const struct provider_ref ref = {
		.root = roots_name(engine->roots, found->root),
		.path = found->rel,
		.id = survey_known_id(engine, found->path),
	};
	const struct provider_object wanted = { .size = truth->size,
						.digest = truth->digest };
	struct provider_object object = { 0 };
	int r;

	if (!provider->ops->untrash || finding->kind != VERIFY_MISSING ||
	    finding->fate != FATE_TRASHED)
		return 0;
	finding->fix = verify->setup->wants_fix ? "taken out of the trash"
						: "--fix takes it out of the trash";
	if (!may_do(verify))
		return 0;
	r = provider->ops->untrash(provider, &ref, &wanted, &verify->call.provider,
				   &object);
	if (r == 0) {
		finding->is_fixed = true;
		tell_restored(verify, found, &object);
		provider_object_done(&object);
		return 0;
	}
	finding->fix = NULL;
	if (r < 0 || (provider_is_site_fault(r) && r != PROVIDER_DENIED))
		return r;
	log_info("'%s' cannot be taken out of the trash: %s", found->rel,
		 error_text(&verify->call.provider.error, r));
	verify->call.provider.error.text[0] = '\0';
	return 0;
}

/* ---- the remote: sent again by whoever has it ---- */

/* Only a recorded file is sent. */
static bool is_recorded_here(const struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++)
		if (path->records[i].ours.presence == DOC_PRESENT)
			return true;
	return false;
}

/* Our own disk: its bytes, a record alone is no proof. */
static int is_here(struct verify *verify, const struct survey_finding *found, bool *ret)
{
	struct assess_setup setup = engine_assess_setup(verify->engine);
	struct digest digest = { 0 };
	struct assessment a;
	int r = assess(&setup, found->root, found->rel, 0, &a);

	*ret = false;
	if (r < 0)
		return r;
	if (is_recorded_here(&a.path) && a.disk != DISK_NOTHING &&
	    a.disk != DISK_BLOCKED && a.path.truth.size >= 0 &&
	    a.st.st_size == a.path.truth.size) {
		r = verify_hash(verify, &a, &digest);
		*ret = r == 0 && digest_equal(&digest, &a.path.truth.digest);
		r = r == -ECANCELED || r == -ENOMEM ? r : 0;
	}
	assessment_done(&a);
	return r;
}

/* Whether the store records it at a site that is neither ours nor the remote. */
static bool is_elsewhere(struct verify *verify, const struct index_record *record)
{
	const struct config *config = verify->engine->config;
	_cleanup_(buf_done) struct buf bson = { 0 };
	_cleanup_(doc_freep) struct doc *doc = NULL;
	const struct doc_file *file;

	if (verify->store->ops->load(verify->store, record->project, record->repre,
				     &bson) != 0 ||
	    doc_parse(bson.data, bson.len, record->project, &doc, NULL) != 0)
		return false;
	file = doc_find_file(doc, record->file);
	for (size_t i = 0; file && i < file->n_sites; i++)
		if (file->sites[i].presence == DOC_PRESENT &&
		    strcmp(file->sites[i].name, config->active_site) != 0 &&
		    strcmp(file->sites[i].name, config->remote_site) != 0)
			return true;
	return false;
}

static int open_store(struct verify *verify)
{
	const struct config *config = verify->engine->config;

	if (verify->store)
		return 0;
	return store_open(config->store_uri, config->store_database, true, &verify->store,
			  NULL);
}

/* The remote's entries of all records that name the path. */
static int reset(struct verify *verify, const struct survey_finding *found)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < found->path->n_records; i++) {
		const struct index_record *record = &found->path->records[i];
		const char *const file = record->file;
		const struct site_edit edit = {
			.op = SITE_RESET,
			.project = record->project,
			.repre = record->repre,
			.files = &file,
			.n_files = 1,
			.site = verify->engine->config->remote_site,
		};
		struct site_edited edited;

		if (record->remote.presence == DOC_PRESENT)
			r = verify->store->ops->edit(verify->store, &edit, 1, &edited);
	}
	return r < 0 ? r : 0;
}

static int send_again(struct verify *verify, const struct survey_finding *found,
		      struct verify_finding *finding)
{
	bool has_copy = false;
	int r = is_here(verify, found, &has_copy);

	if (r < 0)
		return r;
	if (open_store(verify) < 0) {
		finding->fix = "the store is away: nothing can be reset";
		return 0;
	}
	for (size_t i = 0; !has_copy && i < found->path->n_records; i++)
		has_copy = is_elsewhere(verify, &found->path->records[i]);
	if (!has_copy) {
		finding->fix = finding->kind == VERIFY_MISSING
				       ? "no site is known to hold it: nothing is done"
				       : "no site is known to hold it: `sitefs retry "
					 "--accept` takes what is there as the truth";
		return 0;
	}
	finding->fix = verify->setup->wants_fix
			       ? "reset: a site that holds it sends it again"
			       : "--fix resets it: a site that holds it sends it again";
	if (!may_do(verify))
		return 0;
	r = reset(verify, found);
	finding->is_fixed = r == 0;
	if (r < 0) {
		log_warning("cannot reset '%s': %s", found->rel, error_text(NULL, r));
		finding->fix = "cannot be reset: see the log";
	}
	return 0;
}

int verify_fix_remote(struct verify *verify, const struct survey_finding *found,
		      struct verify_finding *finding)
{
	int r = from_trash(verify, found, finding);

	if (r != 0 || finding->fix)
		return r;
	return send_again(verify, found, finding);
}
