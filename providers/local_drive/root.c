/* One root folder of a local_drive site: opening it, and knowing it again. */
#include "providers/local_drive/root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "providers/local_drive/fault.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/digest.h"

#define IDENTITY_FILE PRIVATE_FOLDER "/remote-id"
#define IDENTITY_SIZE 16 /* random bytes; twice as many hex digits in the file */

/* What lies at a root's path now. */
struct look {
	int fd;
	struct root_seen seen;
	int id_fault; /* why seen.id is NULL: a negative errno, -ENOENT: there is none */
};

static void look_done(struct look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	free(look->seen.id);
}

void root_init(struct root *root, const char *site, const struct config_root *config)
{
	*root = (struct root){ .name = config->name, .path = config->path, .site = site };
	mutex_init(&root->lock);
}

void root_done(struct root *root) NO_THREAD_SAFETY
{
	free(root->known.id);
	mutex_done(&root->lock);
}

/* ---- looking ---- */

/* Says why a root cannot be used, and evaluates to the outcome. */
static int fault(const struct root *root, int r, struct error *error)
{
	int outcome = fault_outcome(-r, false);

	if (outcome == PROVIDER_GONE)
		return error_set(error, PROVIDER_NO_ROOT,
				 "site '%s': there is no folder %s: is its disk mounted? "
				 "--create-root makes it",
				 root->site, root->path);
	return error_set(error, outcome, "site '%s': cannot open %s: %s", root->site,
			 root->path, strerror(-r));
}

static int read_identity(int root_fd, char **ret)
{
	_cleanup_(closep) int fd =
		beneath_open(root_fd, IDENTITY_FILE, O_RDONLY | O_NONBLOCK, 0);
	char text[2 * IDENTITY_SIZE + 2] = { 0 };
	uint8_t bytes[IDENTITY_SIZE];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_pread_all(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	if (hex_decode(text, bytes, sizeof(bytes)) < 0)
		return -EBADMSG;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* No identity can be had, and that is no fault of the disk. */
static bool is_readable_all_the_same(int id_fault)
{
	static const int faults[] = {
		0,        -ENOENT, -EBADMSG,
		-EACCES,  -EPERM, /* another user's `.sitefs` */
		-ENOTDIR, -ELOOP, /* what is called so is none of ours */
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (id_fault == faults[i])
			return true;
	}
	return false;
}

static int look_at(const struct root *root, struct error *error, struct look *ret)
{
	struct statx stx;

	/* a symlink in the configured path is the administrator's business */
	ret->fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0 ||
	    statx(ret->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &stx) < 0)
		return fault(root, -errno, error);
	ret->seen.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	ret->seen.ino = stx.stx_ino;
	if (stx.stx_mask & STATX_BTIME)
		ret->seen.birth_ns = timespec_ns(
			(struct timespec){ .tv_sec = stx.stx_btime.tv_sec,
					   .tv_nsec = stx.stx_btime.tv_nsec });
	ret->id_fault = read_identity(ret->fd, &ret->seen.id);
	return is_readable_all_the_same(ret->id_fault)
		       ? 0
		       : fault(root, ret->id_fault, error);
}

static bool is_same_folder(const struct root_seen *a, const struct root_seen *b)
{
	return a->ino == b->ino && a->birth_ns == b->birth_ns &&
	       (a->birth_ns || a->dev == b->dev);
}

static int lost(const struct root *root, struct error *error, const char *why)
{
	return error_set(error, PROVIDER_NO_ROOT,
			 "site '%s': %s %s: is the right disk mounted?", root->site,
			 root->path, why);
}

/* Is it the folder that we know (if any)? */
static int judge_locked(const struct root *root, const struct look *look,
			struct error *error) REQUIRES(&root->lock)
{
	const struct root_seen *known = &root->known;

	if (look->id_fault == -EBADMSG)
		return lost(root, error, "has a damaged " IDENTITY_FILE);
	if (known->id && look->seen.id)
		return strcmp(known->id, look->seen.id) == 0
			       ? 0
			       : lost(root, error, "is another folder than before");
	if (known->id && look->id_fault != -ENOENT)
		return fault(root, look->id_fault, error);
	if (known->id)
		return lost(root, error, "has no " IDENTITY_FILE " any more");
	if (known->ino && !is_same_folder(known, &look->seen))
		return lost(root, error, "is another folder than before");
	return 0;
}

/* What was found is the root: the first time, again, or mounted again. */
static int remember_locked(struct root *root, const struct look *look)
	REQUIRES(&root->lock)
{
	struct root_seen *known = &root->known;

	if (!known->id && look->seen.id) {
		known->id = strdup(look->seen.id);
		if (!known->id)
			return -ENOMEM;
	}
	known->dev = look->seen.dev;
	known->ino = look->seen.ino;
	known->birth_ns = look->seen.birth_ns;
	return 0;
}

static int look_and_judge(struct root *root, struct error *error, struct look *ret)
{
	int r = look_at(root, error, ret);

	if (r != 0)
		return r;
	mutex_lock(&root->lock);
	r = judge_locked(root, ret, error);
	if (r == 0)
		r = remember_locked(root, ret);
	mutex_unlock(&root->lock);
	return r;
}

int root_open(struct root *root, struct error *error, int *ret_fd)
{
	_cleanup_(look_done) struct look look = { .fd = -1 };
	int r = look_and_judge(root, error, &look);

	if (r == 0)
		*ret_fd = steal_fd(look.fd);
	return r;
}

/* ---- making it, and giving it an identity ---- */

/* mkdir -p. */
static int make_folders(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1;; p++) {
		char old = *p;

		if (old && old != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = old;
		if (!old)
			return 0;
	}
}

/* Two hosts may come here at once: the first one's identity stays. */
static int write_identity(int root_fd)
{
	_cleanup_(closep) int dir_fd = -1;
	_cleanup_(freep) char *path = NULL, *line = NULL;
	uint8_t bytes[IDENTITY_SIZE];
	char text[2 * IDENTITY_SIZE + 1];
	int r;

	if (getrandom(bytes, sizeof(bytes), 0) < 0)
		return -errno;
	hex_encode(bytes, sizeof(bytes), text);
	path = strf("%s.%s", IDENTITY_FILE, text);
	line = strf("%s\n", text);
	if (!path || !line)
		return -ENOMEM;
	r = beneath_mkdirs(root_fd, PRIVATE_FOLDER, 0700, NULL);
	if (r < 0)
		return r;
	dir_fd = beneath_open(root_fd, PRIVATE_FOLDER, O_RDONLY | O_DIRECTORY, 0);
	if (dir_fd < 0)
		return dir_fd;
	r = fd_replace_file(dir_fd, strrchr(path, '/') + 1, line, strlen(line), 0600);
	if (r < 0)
		return r;
	r = beneath_rename(root_fd, path, IDENTITY_FILE, RENAME_NOREPLACE);
	if (r < 0)
		beneath_unlink(root_fd, path, 0);
	if (r < 0 && r != -EEXIST)
		return r;
	return beneath_sync_parent(root_fd, IDENTITY_FILE);
}

static int make_root(const struct root *root, struct error *error)
{
	int r = make_folders(root->path);
	int outcome = fault_outcome(-r, true);

	if (r == 0)
		return 0;
	if (outcome > 0 && !provider_is_site_fault(outcome))
		outcome = PROVIDER_NO_ROOT;
	return error_set(error, outcome, "site '%s': cannot make %s: %s", root->site,
			 root->path, strerror(-r));
}

int root_probe(struct root *root, bool can_create, struct error *error, int *ret_fd)
{
	_cleanup_(look_done) struct look look = { .fd = -1 }, again = { .fd = -1 };
	int r = can_create ? make_root(root, error) : 0;
	int outcome;

	if (r == 0)
		r = look_and_judge(root, error, &look);
	if (r != 0)
		return r;
	if (look.id_fault == -ENOENT) {
		r = write_identity(look.fd);
		outcome = fault_outcome(-r, true);
		if (r == 0)
			r = look_and_judge(root, error, &again);
		else if (outcome == PROVIDER_DENIED || outcome == PROVIDER_FULL)
			r = 0; /* it can be read, and is known by its inode */
		else
			r = fault(root, r, error);
	}
	if (r == 0)
		*ret_fd = steal_fd(look.fd);
	return r;
}

int root_identity(struct root *root, char **ret)
{
	int r = -ENOENT;

	mutex_lock(&root->lock);
	if (root->known.id) {
		*ret = strdup(root->known.id);
		r = *ret ? 0 : -ENOMEM;
	}
	mutex_unlock(&root->lock);
	return r;
}

int root_expect(struct root *root, const char *identity)
{
	_cleanup_(freep) char *id = strdup(identity);

	if (!id)
		return -ENOMEM;
	mutex_lock(&root->lock);
	free(root->known.id);
	root->known.id = steal(id);
	mutex_unlock(&root->lock);
	return 0;
}
