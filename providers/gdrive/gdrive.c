/* Google Drive as a remote: the table, and the calls that are one step. */
#include "providers/gdrive/gdrive.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/census.h"
#include "providers/gdrive/changes.h"
#include "providers/gdrive/download.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/item.h"
#include "providers/gdrive/make.h"
#include "providers/gdrive/settle.h"
#include "providers/gdrive/trace.h"
#include "providers/gdrive/trail.h"
#include "providers/gdrive/trash.h"
#include "providers/gdrive/twins.h"
#include "providers/gdrive/upload.h"
#include "sync/base/log.h"
#include "sync/base/path.h"

#define ENDPOINT "https://www.googleapis.com"
#define FRESH_MS 60000
#define RENAMED_MS 5000
#define PATH_LENGTH 4000 /* bytes, as local_drive: what one remote takes, another does */
#define DEPTH 100        /* levels, Drive's limit */

static struct drive *from_base(struct provider *base)
{
	return container_of(base, struct drive, base);
}

static const char *gdrive_refusal(struct provider *base, const char *path)
{
	const char *why = path_refusal(path);
	int depth = 0;

	if (why)
		return why;
	if (!path_is_utf8(path))
		return "is not valid UTF-8";
	if (strlen(path) > PATH_LENGTH)
		return "is longer than 4000 bytes";
	for (const char *p = path; *p; p++)
		depth += *p == '/';
	return depth + from_base(base)->depth > DEPTH
		       ? "lies deeper than Drive's 100 levels"
		       : NULL;
}

/* ---- a call ---- */

/* The root of that name, or the only one where either side names none. */
static struct anchor *find_root(struct drive *drive, const char *name)
{
	for (size_t i = 0; i < drive->n_roots; i++) {
		if (strcmp(drive->roots[i].name, name) == 0)
			return &drive->roots[i];
	}
	if (drive->n_roots == 1 && (!name[0] || !drive->roots[0].name[0]))
		return &drive->roots[0];
	return NULL;
}

/* Checks what came from outside. */
static int begin(struct provider *base, const struct provider_ref *ref,
		 struct provider_call *call, struct errand *ret)
{
	struct drive *drive = from_base(base);
	struct anchor *root = find_root(drive, ref->root);
	const char *why = ref->path[0] ? gdrive_refusal(base, ref->path) : NULL;

	if (__atomic_load_n(&call->cancel, __ATOMIC_RELAXED))
		return -ECANCELED;
	if (!root)
		return error_set(&call->error, PROVIDER_NO_ROOT,
				 "site '%s' has no root named '%s'", drive->site->name,
				 ref->root);
	if (why)
		return error_set(&call->error, PROVIDER_REFUSED, "site '%s': the path %s",
				 drive->site->name, why);
	*ret = (struct errand){
		.drive = drive, .root = root, .path = ref->path, .call = call
	};
	return 0;
}

/* The same for an object: "" is the root folder and none. */
static int begin_object(struct provider *base, const struct provider_ref *ref,
			struct provider_call *call, struct errand *ret)
{
	if (!ref->path[0])
		return error_set(&call->error, PROVIDER_REFUSED, "the path is empty");
	return begin(base, ref, call, ret);
}

/* Lost is not empty: what is gone is gone only where the root is there. Whether its folder is was looked at by now; that
 * somebody renamed the root, or took it away from us, may be noticed some seconds later. */
static int end(const struct errand *errand, int r)
{
	_cleanup_(freep) char *root = NULL;
	struct error said = errand->call->error;
	int lost;

	if (r != PROVIDER_GONE)
		return r;
	lost = anchor_find(errand, errand->call->max_age_ms ? FRESH_MS : RENAMED_MS,
			   &root);
	if (lost != 0)
		return lost;
	errand->call->error = said;
	return r;
}

/* ---- the site ---- */

/* A service account owns no storage: better said now than at the first upload. */
static int check_storage(const struct errand *errand)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	struct drive *drive = errand->drive;
	int64_t limit = INT64_MAX;
	bool is_news;
	int r = api_get(errand, "/drive/v3/about?fields=storageQuota", UNITS_OTHER,
			"look at the account's storage", &answer);

	if (r == 0)
		r = wire_parse_limit(buf_str(&answer.http.body), answer.http.body.len,
				     &limit);
	/* what cannot be told is no fault: the first upload will tell */
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	mutex_lock(&drive->lock);
	is_news = limit == 0 && !drive->has_no_storage;
	drive->has_no_storage = limit == 0;
	mutex_unlock(&drive->lock);
	if (is_news)
		log_warning("site '%s': %s can be read only: a service account has no "
			    "storage of its own. Use a shared drive as the root, or act "
			    "as a user (\"subject\" in gdrive.json)",
			    drive->site->name, errand->root->path);
	return r > 0 && !provider_is_site_fault(r) ? 0 : r;
}

static void tell_rights(const struct errand *errand)
{
	if (!anchor_can_add(errand->root))
		log_warning("site '%s': the account may only read %s: nothing will be "
			    "stored there",
			    errand->drive->site->name, errand->root->path);
}

static int gdrive_probe(struct provider *base, bool create_root,
			struct provider_call *call)
{
	struct drive *drive = from_base(base);
	bool is_own = false;

	for (size_t i = 0; i < drive->n_roots; i++) {
		struct errand errand = {
			.drive = drive, .root = &drive->roots[i], .path = "", .call = call
		};
		int r = anchor_probe(&errand, create_root);

		/* what is refused for the root is refused for all */
		if (r == PROVIDER_REFUSED)
			r = PROVIDER_DENIED;
		if (r != 0)
			return r;
		tell_rights(&errand);
		if (anchor_is_shared(&drive->roots[i]) || is_own)
			continue;
		is_own = true;
		r = check_storage(&errand);
		if (r != 0)
			return r;
	}
	return 0;
}

static int gdrive_identity(struct provider *base, const char *root_name, char **ret)
{
	struct anchor *root = find_root(from_base(base), root_name);

	return root ? anchor_identity(root, ret) : -ENOENT;
}

static int gdrive_expect(struct provider *base, const char *root_name,
			 const char *identity)
{
	struct anchor *root = find_root(from_base(base), root_name);

	return root ? anchor_expect(root, identity) : -ENOENT;
}

/* ---- objects ---- */

static int gdrive_stat(struct provider *base, const struct provider_ref *ref,
		       struct provider_call *call, struct provider_object *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	struct errand errand = { .call = call };
	bool is_known = false;
	int r = begin_object(base, ref, call, &errand);

	if (r != 0)
		return r;
	r = item_recall(&errand, ref->id, &is_known, &file);
	if (r == 0 && !is_known)
		r = item_find(&errand, ref->id, &file);
	if (r == 0 && !is_known && file.can_download)
		seen_note(&errand, file.id, file.revision, file.size);
	if (r == 0)
		return item_fill(&file, ret);
	r = end(&errand, r);
	if (r == PROVIDER_GONE)
		absent_note(&errand, errand.path);
	return r;
}

/* One name of a folder. What is neither file nor folder to us is not there, nor is what no path can hold. */
static int list_entry(const struct wire_file *file, provider_list_fn *fn, void *context)
{
	struct provider_object object = { 0 };
	int r;

	if (path_refusal(file->name) || strchr(file->name, '/') ||
	    !path_is_utf8(file->name))
		return 0;
	object.n_twins = file->n_twins;
	if (wire_is_folder(file))
		return fn(context, file->name, true, file->n_twins ? &object : NULL);
	if (!wire_is_object(file))
		return 0;
	r = item_fill(file, &object);
	if (r == 0)
		r = fn(context, file->name, false, &object);
	provider_object_done(&object);
	return r;
}

static int list_folder(const struct errand *errand, struct wire_list *ret)
{
	_cleanup_(freep) char *id = NULL;
	int r = folder_find(errand, errand->path, FRESH_MS, &id);

	if (r == 0)
		r = find_all(errand, id, ret);
	if (r != 0 || ret->n)
		return r;
	/* empty, or is it there no more? */
	free(steal(id));
	r = folder_find(errand, errand->path, 0, &id);
	if (r == 0) {
		wire_list_done(ret);
		r = find_all(errand, id, ret);
	}
	return r;
}

static int gdrive_list(struct provider *base, const struct provider_ref *folder,
		       provider_list_fn *fn, void *context, struct provider_call *call)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	struct errand errand = { .call = call };
	int r = begin(base, folder, call, &errand);

	if (r == 0)
		r = end(&errand, list_folder(&errand, &list));
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = errand_is_canceled(&errand) ? -ECANCELED
						: list_entry(&list.files[i], fn, context);
	return r;
}

/* The port dictates the parameters. */
static int gdrive_fetch(struct provider *base, const struct provider_ref *ref,
			const char *revision, uint64_t offset, uint64_t length,
			provider_sink *sink, void *context, struct provider_call *call)
{
	struct download download = { .id = ref->id,
				     .revision = revision,
				     .offset = offset,
				     .length = length,
				     .sink = sink,
				     .context = context };
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	return r == 0 ? end(&errand, download_fetch(&errand, &download)) : r;
}

static int gdrive_digest(struct provider *base, const struct provider_ref *ref,
			 const char *revision, struct provider_call *call,
			 struct digest *ret)
{
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	return r == 0 ? end(&errand, download_digest(&errand, ref->id, revision, ret))
		      : r;
}

static int gdrive_store(struct provider *base, const struct provider_put *put,
			struct provider_call *call, struct provider_object *ret)
{
	struct errand errand = { .call = call };
	int r = begin_object(base, &put->ref, call, &errand);

	errand.ids = put->ids;
	return r == 0 ? upload_store(&errand, put, ret) : r;
}

static int gdrive_take_ids(struct provider *base, size_t n, char **ret)
{
	return api_take_ids(from_base(base), n, ret);
}

static int gdrive_restock(struct provider *base, struct provider_call *call)
{
	struct drive *drive = from_base(base);
	struct errand errand = {
		.drive = drive, .root = &drive->roots[0], .path = "", .call = call
	};

	return errand_is_canceled(&errand) ? -ECANCELED : api_restock(&errand);
}

static int gdrive_trash(struct provider *base, const struct provider_ref *ref,
			const char *revision, struct provider_call *call)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	if (r != 0)
		return r;
	r = item_find(&errand, ref->id, &file);
	if (r == 0)
		r = item_check(&errand, &file, revision);
	if (r == 0)
		r = make_trash(&errand, file.id);
	if (r == 0 && file.parent)
		census_forget(&errand, file.parent);
	return end(&errand, r);
}

/* ---- what others do there ---- */

static int gdrive_trace(struct provider *base, const struct provider_ref *ref,
			const char *revision, struct provider_call *call,
			struct provider_trace *ret)
{
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	if (r != 0)
		return r;
	*ret = (struct provider_trace){ 0 };
	r = trace_object(&errand, ref->id, revision, ret);
	/* gone is gone only where the root is there */
	if (r == 0 && ret->fate == FATE_REMOVED) {
		r = end(&errand, PROVIDER_GONE);
		r = r == PROVIDER_GONE ? 0 : r;
	}
	if (r != 0)
		provider_trace_done(ret);
	return r;
}

static int gdrive_untrash(struct provider *base, const struct provider_ref *ref,
			  const struct provider_object *wanted,
			  struct provider_call *call, struct provider_object *ret)
{
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	return r == 0 ? end(&errand, trash_restore(&errand, ref->id, wanted, ret)) : r;
}

static int gdrive_changes(struct provider *base, const char *token,
			  provider_change_fn *fn, void *context,
			  struct provider_call *call, char **ret_token)
{
	struct drive *drive = from_base(base);
	struct errand errand = {
		.drive = drive, .root = &drive->roots[0], .path = "", .call = call
	};

	if (errand_is_canceled(&errand))
		return -ECANCELED;
	return changes_follow(&errand, token, fn, context, ret_token);
}

static int gdrive_merge(struct provider *base, const struct provider_ref *ref,
			struct provider_call *call, int *ret)
{
	struct errand errand = { .call = call };
	int r = begin_object(base, ref, call, &errand);

	return r == 0 ? end(&errand, twins_merge(&errand, ref->id, ret)) : r;
}

static int gdrive_settle(struct provider *base, struct provider_settle *stores, size_t n,
			 struct provider_call *call)
{
	_cleanup_(freep) struct errand *errands = calloc(n ? n : 1, sizeof(*errands));

	if (!errands)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = begin_object(base, &stores[i].ref, call, &errands[i]);

		if (r != 0)
			return r;
	}
	return settle_stores(errands, stores, n);
}

/* ---- what may be sent ---- */

static void gdrive_quota(struct provider *base, struct provider_quota *ret)
{
	governor_get_quota(&from_base(base)->governor, ret);
}

static char *gdrive_meter(struct provider *base)
{
	struct drive *drive = from_base(base);

	return governor_save(&drive->governor, (const char *const *)drive->lane_names);
}

static void gdrive_set_meter(struct provider *base, const char *text)
{
	struct drive *drive = from_base(base);

	governor_load(&drive->governor, (const char *const *)drive->lane_names, text);
}

/* ---- the provider ---- */

static void gdrive_free(struct provider *base)
{
	struct drive *drive = from_base(base);
	struct wire_ids ids;

	for (size_t i = 0; i < drive->n_roots; i++)
		anchor_done(&drive->roots[i]);
	free(drive->roots);
	for (size_t i = 0; i < drive->n_auths; i++)
		auth_free(drive->auths[i]);
	for (size_t i = 0; drive->lane_names && i < drive->site->n_credentials; i++)
		free(drive->lane_names[i]);
	free(drive->lane_names);
	free(drive->auths);
	governor_done(&drive->governor);
	http_free(drive->http);
	trail_forget(drive);
	mutex_lock(&drive->lock);
	ids = (struct wire_ids){ drive->ids, drive->n_ids };
	mutex_unlock(&drive->lock);
	wire_ids_done(&ids);
	census_free_all(drive);
	mutex_done(&drive->lock);
	cond_done(&drive->changed);
	free(drive->endpoint);
	free(drive);
}

static const struct provider_ops gdrive_ops = {
	.name = "gdrive",
	.has_twins = true,
	.probe = gdrive_probe,
	.refusal = gdrive_refusal,
	.stat = gdrive_stat,
	.list = gdrive_list,
	.fetch = gdrive_fetch,
	.digest = gdrive_digest,
	.store = gdrive_store,
	.trash = gdrive_trash,
	.free = gdrive_free,
	.identity = gdrive_identity,
	.expect = gdrive_expect,
	.take_ids = gdrive_take_ids,
	.restock = gdrive_restock,
	.trace = gdrive_trace,
	.untrash = gdrive_untrash,
	.changes = gdrive_changes,
	.merge = gdrive_merge,
	.settle = gdrive_settle,
	.quota = gdrive_quota,
	.meter = gdrive_meter,
	.set_meter = gdrive_set_meter,
};

static int check_site(const struct config_site *site, struct error *error)
{
	if (!site->n_roots)
		return error_set(error, -EINVAL,
				 "site '%s' has no root: name its folder in gdrive.json "
				 "(\"/My Drive/NAME\", \"/SHARED DRIVE/NAME\")",
				 site->name);
	if (!site->n_credentials)
		return error_set(
			error, -EINVAL,
			"site '%s' has no credentials_url: name the key file of a "
			"service account in gdrive.json",
			site->name);
	if (site->endpoint && !http_is_safe_url(site->endpoint))
		return error_set(error, -EINVAL,
				 "site '%s': the endpoint in gdrive.json is no https "
				 "address",
				 site->name);
	return 0;
}

static int set_endpoint(struct drive *drive)
{
	const char *text = drive->site->endpoint ? drive->site->endpoint : ENDPOINT;
	size_t len = strlen(text);

	while (len && text[len - 1] == '/')
		len--;
	drive->endpoint = strndup(text, len);
	return drive->endpoint ? 0 : -ENOMEM;
}

/* Tells an identity from others in what is kept of it, and tells nothing else. */
static char *lane_name(const char *key_file, const char *subject)
{
	_cleanup_(freep) char *text = strf("%s\n%s", key_file, subject ? subject : "");
	uint64_t hash = 0xcbf29ce484222325;

	if (!text)
		return NULL;
	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return strf("%016llx", (unsigned long long)hash);
}

static int add_auths(struct drive *drive)
{
	const struct config_site *site = drive->site;

	drive->auths = calloc(site->n_credentials, sizeof(struct auth *));
	drive->lane_names = calloc(site->n_credentials, sizeof(char *));
	if (!drive->auths || !drive->lane_names)
		return -ENOMEM;
	for (size_t i = 0; i < site->n_credentials; i++) {
		drive->lane_names[i] = lane_name(site->credentials[i], site->subject);
		if (!drive->lane_names[i])
			return -ENOMEM;
	}
	for (; drive->n_auths < site->n_credentials; drive->n_auths++) {
		int r = auth_new(site->credentials[drive->n_auths], site->subject,
				 &drive->auths[drive->n_auths]);

		if (r < 0)
			return r;
	}
	return governor_init(&drive->governor, site->n_credentials);
}

/* Levels that the roots themselves take. */
static void note_depth(struct drive *drive)
{
	for (size_t i = 0; i < drive->site->n_roots; i++) {
		int depth = 0;

		for (const char *p = drive->site->roots[i].path; *p; p++)
			depth += *p == '/';
		if (depth > drive->depth)
			drive->depth = depth;
	}
}

int gdrive_new(const struct config_site *site, struct provider **ret, struct error *error)
{
	_cleanup_(provider_freep) struct provider *base = NULL;
	struct drive *drive;
	int r = check_site(site, error);

	if (r < 0)
		return r;
	drive = calloc(1, sizeof(*drive));
	if (!drive)
		return -ENOMEM;
	provider_init(&drive->base, &gdrive_ops);
	base = &drive->base;
	drive->site = site;
	mutex_init(&drive->lock);
	cond_init(&drive->changed);
	r = set_endpoint(drive);
	if (r == 0)
		r = http_new(NULL, &drive->http);
	if (r == 0)
		r = add_auths(drive);
	if (r < 0)
		return r;
	drive->roots = calloc(site->n_roots, sizeof(*drive->roots));
	if (!drive->roots)
		return -ENOMEM;
	note_depth(drive);
	for (; drive->n_roots < site->n_roots; drive->n_roots++)
		anchor_init(&drive->roots[drive->n_roots], &site->roots[drive->n_roots]);
	*ret = steal(base);
	return 0;
}
