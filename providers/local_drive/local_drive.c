/* A folder as a remote: the table, and the calls that are one step. */
#include "providers/local_drive/local_drive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "providers/local_drive/bin.h"
#include "providers/local_drive/keep.h"
#include "providers/local_drive/object.h"
#include "providers/local_drive/part.h"
#include "providers/local_drive/store.h"
#include "providers/local_drive/visit.h"
#include "sync/base/beneath.h"
#include "sync/base/path.h"

#define PATH_LENGTH 4000 /* bytes: `.sitefs/superseded/PATH/TIME` must be a path too */

struct local_drive {
	struct provider base;
	const struct config_site *site;
	struct root *roots;
	size_t n_roots;
};

static struct local_drive *from_base(struct provider *base)
{
	return container_of(base, struct local_drive, base);
}

static const char *local_drive_refusal(struct provider *base, const char *path)
{
	const char *why = path_refusal(path);

	if (why)
		return why;
	if (!path_is_utf8(path))
		return "is not valid UTF-8";
	if (strlen(path) > PATH_LENGTH)
		return "is longer than 4000 bytes";
	if (path_is_below(path, PRIVATE_FOLDER))
		return "lies in .sitefs, which is sitefs' own";
	return NULL;
}

/* The root of that name, or the only one where either side names none. */
static struct root *find_root(struct local_drive *drive, const char *name)
{
	for (size_t i = 0; i < drive->n_roots; i++) {
		if (strcmp(drive->roots[i].name, name) == 0)
			return &drive->roots[i];
	}
	if (drive->n_roots == 1 && (!name[0] || !drive->roots[0].name[0]))
		return &drive->roots[0];
	return NULL;
}

/* Checks what came from outside and opens the root. */
static int begin(struct provider *base, const struct provider_ref *ref,
		 struct provider_call *call, struct visit *ret)
{
	struct local_drive *drive = from_base(base);
	struct root *root = find_root(drive, ref->root);
	const char *why = ref->path[0] ? local_drive_refusal(base, ref->path) : NULL;

	if (!root)
		return error_set(&call->error, PROVIDER_NO_ROOT,
				 "site '%s' has no root named '%s'", drive->site->name,
				 ref->root);
	if (why)
		return error_set(&call->error, PROVIDER_REFUSED, "site '%s': the path %s",
				 drive->site->name, why);
	return visit_begin(root, ref->path, call, ret);
}

/* The same for an object: "" is the root folder and none. */
static int begin_object(struct provider *base, const struct provider_ref *ref,
			struct provider_call *call, struct visit *ret)
{
	if (!ref->path[0])
		return error_set(&call->error, PROVIDER_REFUSED, "the path is empty");
	return begin(base, ref, call, ret);
}

static int local_drive_probe(struct provider *base, bool create_root,
			     struct provider_call *call)
{
	struct local_drive *drive = from_base(base);

	for (size_t i = 0; i < drive->n_roots; i++) {
		_cleanup_(closep) int fd = -1;
		int r = root_probe(&drive->roots[i], create_root, &call->error, &fd);

		if (r != 0)
			return r;
		part_sweep(fd);
	}
	return 0;
}

static int local_drive_stat(struct provider *base, const struct provider_ref *ref,
			    struct provider_call *call, struct provider_object *ret)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	struct stat st;
	int r = begin_object(base, ref, call, &visit);

	if (r == 0)
		r = object_find(&visit, &st);
	return r == 0 ? object_fill(ref->path, &st, ret) : r;
}

/* ---- list ---- */

struct listing {
	const struct visit *visit;
	const char *folder;
	int fd;
	provider_list_fn *fn;
	void *context;
};

/* One name of a folder. What goes while we look, and what is neither file nor folder, is not there. */
static int list_entry(const struct listing *listing, const char *name)
{
	struct provider_object object = { 0 };
	_cleanup_(freep) char *path = NULL;
	struct stat st;
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !path_is_utf8(name) ||
	    (!listing->folder[0] && strcmp(name, PRIVATE_FOLDER) == 0))
		return 0;
	if (fstatat(listing->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT
			       ? 0
			       : visit_fault(listing->visit, -errno, false, "list");
	if (S_ISDIR(st.st_mode))
		return listing->fn(listing->context, name, true, NULL);
	if (!S_ISREG(st.st_mode))
		return 0;
	path = path_join(listing->folder, name);
	r = path ? object_fill(path, &st, &object) : -ENOMEM;
	if (r == 0)
		r = listing->fn(listing->context, name, false, &object);
	provider_object_done(&object);
	return r;
}

static int list_entries(const struct listing *listing, DIR *dir)
{
	int r = 0;

	while (r == 0) {
		struct dirent *entry;

		if (visit_is_canceled(listing->visit))
			return -ECANCELED;
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? visit_fault(listing->visit, -errno, false, "list")
				     : 0;
		r = list_entry(listing, entry->d_name);
	}
	return r;
}

static int local_drive_list(struct provider *base, const struct provider_ref *folder,
			    provider_list_fn *fn, void *context,
			    struct provider_call *call)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	struct listing listing = { &visit, folder->path, -1, fn, context };
	int r = begin(base, folder, call, &visit);
	DIR *dir;

	if (r != 0)
		return r;
	listing.fd = beneath_open(visit.fd, folder->path, O_RDONLY | O_DIRECTORY, 0);
	if (listing.fd < 0)
		return visit_fault(&visit, listing.fd, false, "list");
	dir = fdopendir(listing.fd);
	if (!dir) {
		close(listing.fd);
		return -ENOMEM;
	}
	r = list_entries(&listing, dir);
	closedir(dir);
	return r;
}

/* ---- content ---- */

/* The port dictates the parameters. */
static int local_drive_fetch(struct provider *base, const struct provider_ref *ref,
			     const char *revision, uint64_t offset, uint64_t length,
			     provider_sink *sink, void *context,
			     struct provider_call *call)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r = begin_object(base, ref, call, &visit);
	int changed;

	if (r == 0)
		r = object_open(&visit, revision, &st, &fd);
	if (r != 0)
		return r;
	if (offset > (uint64_t)st.st_size || length > (uint64_t)st.st_size - offset)
		return visit_say(&visit, PROVIDER_TORN,
				 "has %jd bytes, %" PRIu64 " from %" PRIu64
				 " were wanted",
				 (intmax_t)st.st_size, length, offset);
	r = object_read(&visit, fd, offset, length, sink, context);
	if (r < 0)
		return r;
	/* an end before its time is a change if it is one */
	changed = object_check(&visit, fd, &st);
	return changed ? changed : r;
}

static int local_drive_digest(struct provider *base, const struct provider_ref *ref,
			      const char *revision, struct provider_call *call,
			      struct digest *ret)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r = begin_object(base, ref, call, &visit);

	if (r == 0)
		r = object_open(&visit, revision, &st, &fd);
	return r == 0 ? object_digest(&visit, fd, &st, ret) : r;
}

static int local_drive_store(struct provider *base, const struct provider_put *put,
			     struct provider_call *call, struct provider_object *ret)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	int r = begin_object(base, &put->ref, call, &visit);

	return r == 0 ? store_object(&visit, put, ret) : r;
}

static int local_drive_trash(struct provider *base, const struct provider_ref *ref,
			     const char *revision, struct provider_call *call)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r = begin_object(base, ref, call, &visit);

	if (r == 0)
		r = object_open(&visit, revision, &st, &fd);
	return r == 0 ? keep_trash(&visit, &st) : r;
}

/* ---- what others do there ---- */

static int local_drive_trace(struct provider *base, const struct provider_ref *ref,
			     const char *revision, struct provider_call *call,
			     struct provider_trace *ret)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	int r = begin_object(base, ref, call, &visit);

	return r == 0 ? bin_trace(&visit, revision, ret) : r;
}

static int local_drive_untrash(struct provider *base, const struct provider_ref *ref,
			       const struct provider_object *wanted,
			       struct provider_call *call, struct provider_object *ret)
{
	_cleanup_(visit_done) struct visit visit = { .fd = -1 };
	int r = begin_object(base, ref, call, &visit);

	return r == 0 ? bin_restore(&visit, wanted, ret) : r;
}

/* ---- the provider ---- */

static int local_drive_identity(struct provider *base, const char *root_name, char **ret)
{
	struct root *root = find_root(from_base(base), root_name);

	return root ? root_identity(root, ret) : -ENOENT;
}

static int local_drive_expect(struct provider *base, const char *root_name,
			      const char *identity)
{
	struct root *root = find_root(from_base(base), root_name);

	return root ? root_expect(root, identity) : -ENOENT;
}

static void local_drive_free(struct provider *base)
{
	struct local_drive *drive = from_base(base);

	for (size_t i = 0; i < drive->n_roots; i++)
		root_done(&drive->roots[i]);
	free(drive->roots);
	free(drive);
}

static const struct provider_ops local_drive_ops = {
	.name = "local_drive",
	.probe = local_drive_probe,
	.refusal = local_drive_refusal,
	.stat = local_drive_stat,
	.list = local_drive_list,
	.fetch = local_drive_fetch,
	.digest = local_drive_digest,
	.store = local_drive_store,
	.trash = local_drive_trash,
	.free = local_drive_free,
	.identity = local_drive_identity,
	.expect = local_drive_expect,
	.trace = local_drive_trace,
	.untrash = local_drive_untrash,
};

int local_drive_new(const struct config_site *site, struct provider **ret,
		    struct error *error)
{
	_cleanup_(provider_freep) struct provider *base = NULL;
	struct local_drive *drive = calloc(1, sizeof(*drive));

	if (!drive)
		return -ENOMEM;
	provider_init(&drive->base, &local_drive_ops);
	base = &drive->base;
	drive->site = site;
	if (!site->n_roots)
		return error_set(error, -EINVAL,
				 "site '%s' has no root: name its folder in "
				 "local_drive.json",
				 site->name);
	drive->roots = calloc(site->n_roots, sizeof(*drive->roots));
	if (!drive->roots)
		return -ENOMEM;
	for (; drive->n_roots < site->n_roots; drive->n_roots++) {
		const struct config_root *root = &site->roots[drive->n_roots];

		if (root->path[0] != '/')
			return error_set(error, -EINVAL,
					 "site '%s': the root '%s' is no absolute path: "
					 "correct it in local_drive.json",
					 site->name, root->path);
		root_init(&drive->roots[drive->n_roots], site->name, root);
	}
	*ret = steal(base);
	return 0;
}
