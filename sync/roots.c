/*
 * The active site's roots: their descriptors, identities and loss.
 *
 * A look at a root (open by path, read its identity) is I/O and done without the lock; what it found is then applied
 * under the lock: a root that is ours gets its descriptor swapped in where the folder is another one than before (it
 * was mounted again), a root that is not keeps the old one and is lost. Old descriptors stay open until the end, so
 * that roots_fd() can be lent out without counting.
 */
#include "sync/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/digest.h"
#include "sync/base/lock.h"
#include "sync/claims.h"

#define IDENTITY_FILE ".sitefs/root-id"
#define IDENTITY_SIZE 16  /* random bytes; twice as many hex digits in the file */
#define BY_INODE "inode:" /* an identity of a root that cannot be written */

struct root {
	const char *name, *path; /* of the configuration */
	atomic_int fd;
	atomic_bool is_covered; /* by our own mount: its path leads there */
	/* guarded by roots->lock */
	uint64_t dev, ino; /* of fd */
	char *identity;    /* that we gave; NULL: first use */
	bool is_writable, is_lost;
	bool is_unpopulated; /* first use found nothing there: lost while the folder is the same */
	struct error why; /* where lost */
};

struct roots {
	const struct config *config;
	struct journal *journal;
	struct claims *claims;
	struct root *roots;
	size_t n;
	struct mutex lock;
	int *old_fds GUARDED_BY(&lock);
	size_t n_old_fds GUARDED_BY(&lock);
	bool is_checking GUARDED_BY(&lock);
};

/* What lies at a root's path now. */
struct look {
	int fd; /* -1: nothing */
	uint64_t dev, ino;
	char *identity; /* of its file; NULL: none there */
	bool is_writable;
	bool is_ours;
	struct error why; /* where not */
};

static void look_done(struct look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	free(look->identity);
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

static char *identity_by_inode(const struct look *look)
{
	return strf(BY_INODE "%llu:%llu", (unsigned long long)look->dev,
		    (unsigned long long)look->ino);
}

/* Is what was found the root that we gave IDENTITY (NULL: none yet, anything is fine)? */
static int judge(const struct root *root, const char *identity, struct look *look, int r)
{
	static const char remedy[] = "is its disk mounted? --adopt takes what is there";
	_cleanup_(freep) char *by_inode = identity_by_inode(look);

	if (!by_inode)
		return -ENOMEM;
	if (r < 0 && r != -ENOENT) {
		error_set(&look->why, r, "root '%s' at %s: cannot read %s: %s: %s",
			  root->name, root->path, IDENTITY_FILE, strerror(-r), remedy);
		return 0;
	}
	look->is_ours = !identity || strcmp(identity, by_inode) == 0 ||
			(look->identity && strcmp(identity, look->identity) == 0);
	if (look->is_ours)
		return 0;
	if (!look->identity && strncmp(identity, BY_INODE, strlen(BY_INODE)) != 0)
		error_set(&look->why, 0, "root '%s' at %s has no %s any more: %s",
			  root->name, root->path, IDENTITY_FILE, remedy);
	else
		error_set(&look->why, 0, "root '%s' at %s is another one than before: %s",
			  root->name, root->path, remedy);
	return 0;
}

/* Opens and examines; finding no root or another one is no failure. */
static int look_at(const struct root *root, const char *identity, struct look *ret)
{
	_cleanup_(look_done) struct look look = { .fd = -1 };
	struct stat st;
	int r;

	if (atomic_load(&root->is_covered))
		look.fd = openat(atomic_load(&root->fd), ".",
				 O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		look.fd = open(root->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (look.fd < 0 || fstat(look.fd, &st) < 0) {
		error_set(&look.why, 0, "root '%s': cannot open %s: %s", root->name,
			  root->path, strerror(errno));
	} else {
		look.dev = st.st_dev;
		look.ino = st.st_ino;
		look.is_writable = faccessat(look.fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
		r = read_identity(look.fd, &look.identity);
		if (r == -ENOMEM)
			return r;
		r = judge(root, identity, &look, r);
		if (r < 0)
			return r;
	}
	*ret = look;
	look = (struct look){ .fd = -1 };
	return 0;
}

int roots_examine(const struct config_root *root, char **ret_identity,
		  bool *ret_is_writable, struct error *error)
{
	const struct root seen = { .name = root->name, .path = root->path };
	_cleanup_(look_done) struct look look = { .fd = -1 };
	int r = look_at(&seen, NULL, &look);

	if (r < 0)
		return r;
	if (!look.is_ours)
		return error_set(error, look.fd < 0 ? -ENOENT : -EIO, "%s",
				 look.why.text);
	*ret_is_writable = look.is_writable;
	*ret_identity = steal(look.identity);
	return 0;
}

/* Puts the descriptor of LOOK in the place of the root's own, if it is another folder. */
static int swap_locked(struct roots *roots, struct root *root, struct look *look)
	REQUIRES(&roots->lock)
{
	int old = atomic_load(&root->fd);
	int *fds;

	root->is_writable = look->is_writable;
	if (old >= 0 && root->dev == look->dev && root->ino == look->ino)
		return 0;
	fds = realloc(roots->old_fds, (roots->n_old_fds + 1) * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	roots->old_fds = fds;
	if (old >= 0)
		roots->old_fds[roots->n_old_fds++] = old;
	root->dev = look->dev;
	root->ino = look->ino;
	root->is_unpopulated = false;
	atomic_store(&root->fd, steal_fd(look->fd));
	return 0;
}

static int apply_locked(struct roots *roots, struct root *root, struct look *look)
	REQUIRES(&roots->lock)
{
	int r;

	if (!look->is_ours) {
		root->is_lost = true;
		root->why = look->why;
		return 0;
	}
	r = swap_locked(roots, root, look);
	if (r == 0)
		root->is_lost = root->is_unpopulated;
	return r;
}

/* ---- giving an identity ---- */

static int write_identity(int root_fd, char **ret)
{
	_cleanup_(closep) int private_fd = -1, dir_fd = -1;
	_cleanup_(freep) char *new_name = NULL, *line = NULL;
	uint8_t bytes[IDENTITY_SIZE];
	char text[2 * IDENTITY_SIZE + 1];
	int r;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	hex_encode(bytes, sizeof(bytes), text);
	new_name = strf("%s.%s", IDENTITY_FILE, text);
	line = strf("%s\n", text);
	if (!new_name || !line)
		return -ENOMEM;
	r = beneath_mkdirs(root_fd, ".sitefs", 0700, &private_fd);
	if (r < 0)
		return r;
	dir_fd = beneath_open(root_fd, ".sitefs", O_RDONLY | O_DIRECTORY, 0);
	if (dir_fd < 0)
		return dir_fd;
	r = fd_replace_file(dir_fd, strrchr(new_name, '/') + 1, line, strlen(line), 0600);
	if (r < 0)
		return r;
	/* two hosts may give a shared root its identity at once: the first one's stays */
	r = beneath_rename(root_fd, new_name, IDENTITY_FILE, RENAME_NOREPLACE);
	if (r < 0)
		beneath_unlink(root_fd, new_name, 0);
	if (r < 0 && r != -EEXIST)
		return r;
	if (fsync(dir_fd) < 0)
		return -errno;
	return read_identity(root_fd, ret);
}

/* The identity that the root at LOOK gets: the one it has, a new one, or its inode's where it cannot be written. */
static int give_identity(const struct look *look, bool may_replace, char **ret)
{
	int r = read_identity(look->fd, ret);

	if (r == 0 || r == -ENOMEM)
		return r;
	if (look->is_writable) {
		if (r != -ENOENT && may_replace)
			beneath_unlink(look->fd, IDENTITY_FILE, 0);
		r = write_identity(look->fd, ret);
		if (r != -EACCES && r != -EPERM && r != -EROFS)
			return r;
	}
	*ret = identity_by_inode(look);
	return *ret ? 0 : -ENOMEM;
}

static int accept_look(struct roots *roots, struct root *root, struct look *look,
		       bool may_replace)
{
	_cleanup_(freep) char *identity = NULL, *fact = strf("root:%s", root->name);
	int r;

	if (!fact)
		return -ENOMEM;
	r = give_identity(look, may_replace, &identity);
	if (r < 0)
		return r;
	r = journal_set(roots->journal, fact, identity);
	if (r < 0)
		return r;
	mutex_lock(&roots->lock);
	r = swap_locked(roots, root, look);
	if (r == 0) {
		free(root->identity);
		root->identity = steal(identity);
		root->is_lost = root->is_unpopulated = false;
	}
	mutex_unlock(&roots->lock);
	return r;
}

void roots_cover(struct roots *roots, int root, bool is_covered)
{
	atomic_store(&roots->roots[root].is_covered, is_covered);
}

int roots_accept(struct roots *roots, int root)
{
	_cleanup_(look_done) struct look look = { .fd = -1 };
	int r = look_at(&roots->roots[root], NULL, &look);

	if (r < 0)
		return r;
	if (!look.is_ours)
		return -ESTALE;
	return accept_look(roots, &roots->roots[root], &look, false);
}

/* ---- opening and looking again ---- */

static int look_again(struct roots *roots, struct root *root, bool can_adopt)
{
	_cleanup_(look_done) struct look look = { .fd = -1 };
	_cleanup_(freep) char *identity = NULL;
	int r;

	mutex_lock(&roots->lock);
	identity = root->identity ? strdup(root->identity) : NULL;
	r = root->identity && !identity ? -ENOMEM : 0;
	mutex_unlock(&roots->lock);
	if (r < 0)
		return r;
	r = look_at(root, identity, &look);
	if (r < 0)
		return r;
	if (can_adopt && look.fd >= 0 && (!look.is_ours || !identity))
		return accept_look(roots, root, &look, true);
	mutex_lock(&roots->lock);
	r = apply_locked(roots, root, &look);
	mutex_unlock(&roots->lock);
	return r;
}

static int open_root(struct roots *roots, struct root *root, bool can_adopt)
{
	_cleanup_(freep) char *fact = strf("root:%s", root->name);
	int r;

	if (!fact)
		return -ENOMEM;
	r = journal_get(roots->journal, fact, &root->identity);
	if (r < 0)
		return r;
	return look_again(roots, root, can_adopt);
}

int roots_open(const struct config *config, struct journal *journal, bool adopt,
	       struct roots **ret, struct error *error)
{
	const struct config_site *site = config_find_site(config, config->active_site);
	_cleanup_(roots_freep) struct roots *roots = calloc(1, sizeof(*roots));
	int r;

	if (!site || !site->n_roots)
		return error_set(
			error, -ENOENT,
			"the active site '%s' has no root folder on this machine: name one in "
			"local_drive.json",
			config->active_site);
	if (!roots)
		return -ENOMEM;
	mutex_init(&roots->lock);
	roots->config = config;
	roots->journal = journal;
	roots->roots = calloc(site->n_roots, sizeof(*roots->roots));
	if (!roots->roots)
		return -ENOMEM;
	for (; roots->n < site->n_roots; roots->n++) {
		struct root *root = &roots->roots[roots->n];

		root->name = site->roots[roots->n].name;
		root->path = site->roots[roots->n].path;
		atomic_store(&root->fd, -1);
	}
	r = claims_new(&roots->claims);
	for (size_t i = 0; i < roots->n && r == 0; i++) {
		r = open_root(roots, &roots->roots[i], adopt);
		if (r < 0)
			error_set(error, r, "cannot open the root '%s' at %s: %s",
				  roots->roots[i].name, roots->roots[i].path,
				  strerror(-r));
	}
	if (r < 0)
		return r;
	*ret = steal(roots);
	return 0;
}

void roots_free(struct roots *roots) NO_THREAD_SAFETY
{
	if (!roots)
		return;
	for (size_t i = 0; i < roots->n; i++) {
		int fd = atomic_load(&roots->roots[i].fd);

		if (fd >= 0)
			close(fd);
		free(roots->roots[i].identity);
	}
	for (size_t i = 0; i < roots->n_old_fds; i++)
		close(roots->old_fds[i]);
	free(roots->old_fds);
	free(roots->roots);
	claims_free(roots->claims);
	mutex_done(&roots->lock);
	free(roots);
}

bool roots_check(struct roots *roots)
{
	bool is_mine;

	mutex_lock(&roots->lock);
	is_mine = !roots->is_checking;
	roots->is_checking = true;
	mutex_unlock(&roots->lock);
	/* another thread is at it: its result will do, the last one until then */
	if (!is_mine)
		return !roots_are_lost(roots, NULL);
	/* no memory for a look: what was known stays */
	for (size_t i = 0; i < roots->n; i++)
		look_again(roots, &roots->roots[i], false);
	mutex_lock(&roots->lock);
	roots->is_checking = false;
	mutex_unlock(&roots->lock);
	return !roots_are_lost(roots, NULL);
}

/* ---- questions ---- */

size_t roots_count(const struct roots *roots)
{
	return roots->n;
}

const char *roots_name(const struct roots *roots, int root)
{
	return roots->roots[root].name;
}

const char *roots_path(const struct roots *roots, int root)
{
	return roots->roots[root].path;
}

int roots_fd(const struct roots *roots, int root)
{
	return atomic_load(&roots->roots[root].fd);
}

bool roots_is_writable(struct roots *roots, int root)
{
	bool is_writable;

	mutex_lock(&roots->lock);
	is_writable = roots->roots[root].is_writable;
	mutex_unlock(&roots->lock);
	return is_writable;
}

bool roots_are_lost(struct roots *roots, struct error *error)
{
	bool is_lost = false;

	mutex_lock(&roots->lock);
	for (size_t i = 0; i < roots->n && !is_lost; i++) {
		is_lost = roots->roots[i].is_lost;
		if (is_lost && error)
			*error = roots->roots[i].why;
	}
	mutex_unlock(&roots->lock);
	return is_lost;
}

void roots_set_lost(struct roots *roots, int root, const char *why)
{
	struct root *lost = &roots->roots[root];

	mutex_lock(&roots->lock);
	lost->is_lost = lost->is_unpopulated = true;
	error_set(&lost->why, 0, "%s", why);
	mutex_unlock(&roots->lock);
}

char *roots_identity(struct roots *roots, int root)
{
	char *identity = NULL;

	mutex_lock(&roots->lock);
	if (roots->roots[root].identity &&
	    strncmp(roots->roots[root].identity, BY_INODE, strlen(BY_INODE)) != 0)
		identity = strdup(roots->roots[root].identity);
	mutex_unlock(&roots->lock);
	return identity;
}

bool roots_is_first_use(struct roots *roots, int root)
{
	bool is_first;

	mutex_lock(&roots->lock);
	is_first = !roots->roots[root].identity;
	mutex_unlock(&roots->lock);
	return is_first;
}

/* ---- the private folder ---- */

static int open_state_staged(const struct roots *roots)
{
	_cleanup_(closep) int state_fd =
		open(roots->config->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, r;

	if (state_fd < 0)
		return -errno;
	r = beneath_mkdirs(state_fd, "staged", 0700, &fd);
	return r < 0 ? r : fd;
}

int roots_private(struct roots *roots, int root, const char *name)
{
	_cleanup_(freep) char *path = strf(".sitefs/%s", name);
	bool is_lost, is_writable;
	int fd, r;

	if (!path)
		return -ENOMEM;
	mutex_lock(&roots->lock);
	is_lost = roots->roots[root].is_lost || !roots->roots[root].identity;
	is_writable = roots->roots[root].is_writable;
	mutex_unlock(&roots->lock);
	if (is_lost)
		return -ESTALE;
	if (!is_writable)
		return strcmp(name, "staged") == 0 ? open_state_staged(roots) : -EROFS;
	r = beneath_mkdirs(roots_fd(roots, root), path, 0700, &fd);
	return r < 0 ? r : fd;
}

void roots_claim(struct roots *roots, int root, const char *rel)
{
	claims_take(roots->claims, root, rel);
}

void roots_unclaim(struct roots *roots, int root, const char *rel)
{
	claims_release(roots->claims, root, rel);
}
