/*
 * Another hand at a local_drive remote: a folder in /tmp. Read-only and full remotes are mounts in a namespace of the
 * test's own, which ends with it.
 */
#include <stddef.h>

#include "tests/contract/provider/hand.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "providers/registry.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "tests/contract/provider/failing_call.h"

#define PRIVATE ".sitefs"

struct remote {
	char dir[64];
	char *root, *away;
	struct config_root roots[1];
	struct config_site site;
};

/* ---- folders ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	if (remove(path) < 0 && errno != ENOENT)
		fprintf(stderr, "cannot remove %s: %s\n", path, strerror(errno));
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool write_file(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

/* A name space of our own for mounts; an ordinary user needs one for users, too, in which he is himself. */
static bool unshare_mounts(void)
{
	_cleanup_(freep) char *uid = strf("%u %u 1", geteuid(), geteuid());
	_cleanup_(freep) char *gid = strf("%u %u 1", getegid(), getegid());

	if (geteuid() == 0)
		return unshare(CLONE_NEWNS) == 0;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uid) &&
	       write_file("/proc/self/gid_map", gid);
}

/* Asked first before there is any thread; mounts are ours alone from then on. */
static bool can_mount(void)
{
	static int state; /* 0: not asked yet */

	if (!state)
		state = unshare_mounts() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE,
						  NULL) == 0
				? 1
				: -1;
	return state > 0;
}

static void *local_open(void)
{
	struct remote *remote = calloc(1, sizeof(*remote));

	assert(remote);
	can_mount();
	snprintf(remote->dir, sizeof(remote->dir), "/tmp/sitefs-provider.XXXXXX");
	if (!mkdtemp(remote->dir)) {
		free(remote);
		return NULL;
	}
	remote->root = strf("%s/nas", remote->dir);
	remote->away = strf("%s/away", remote->dir);
	assert(mkdir(remote->root, 0755) == 0);
	remote->roots[0] = (struct config_root){ .name = strf("work"), remote->root };
	remote->site = (struct config_site){ .name = strf("nas"),
					     .provider = strf("local_drive"),
					     .roots = remote->roots,
					     .n_roots = 1 };
	return remote;
}

static void local_close(void *context)
{
	struct remote *remote = context;
	_cleanup_(freep) char *incoming = strf("%s/" PRIVATE "/incoming", remote->root);

	/* where a case failed before it took them back */
	if (can_mount()) {
		umount2(incoming, MNT_DETACH);
		umount2(remote->root, MNT_DETACH);
	}
	remove_tree(remote->dir);
	free(remote->roots[0].name);
	free(remote->site.name);
	free(remote->site.provider);
	free(remote->root);
	free(remote->away);
	free(remote);
}

static int local_provider(void *context, struct provider **ret)
{
	struct remote *remote = context;

	return provider_open(&remote->site, ret, NULL);
}

/* ---- objects ---- */

static char *path_of(const struct remote *remote, const char *path)
{
	char *full = strf("%s/%s", remote->root, path);

	assert(full);
	return full;
}

static void make_parents(const struct remote *remote, const char *path)
{
	_cleanup_(freep) char *full = path_of(remote, path);

	for (char *p = full + strlen(remote->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		assert(mkdir(full, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
}

static int open_object(const struct remote *remote, const char *path, int flags)
{
	_cleanup_(freep) char *full = path_of(remote, path);
	int fd = open(full, flags | O_CLOEXEC, 0644);

	assert(fd >= 0);
	return fd;
}

/* Another object takes the name at once. */
static void local_put(void *context, const char *path, const void *data, size_t len)
{
	const struct remote *remote = context;
	_cleanup_(freep) char *temporary = strf("%s/put", remote->dir);
	_cleanup_(freep) char *full = path_of(remote, path);
	_cleanup_(closep) int fd =
		open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert(fd >= 0);
	assert(fd_write_all(fd, data, len) == 0);
	make_parents(remote, path);
	assert(rename(temporary, full) == 0);
}

static void local_put_marks(void *context, const char *path, uint64_t size,
			    const struct mark *marks, size_t n)
{
	_cleanup_(closep) int fd = -1;

	make_parents(context, path);
	fd = open_object(context, path, O_WRONLY | O_CREAT | O_TRUNC);
	assert(ftruncate(fd, (off_t)size) == 0);
	for (size_t i = 0; i < n; i++)
		assert(fd_pwrite_all(fd, marks[i].text, strlen(marks[i].text),
				     (off_t)marks[i].offset) == 0);
}

static void local_put_folder(void *context, const char *path)
{
	_cleanup_(freep) char *full = path_of(context, path);

	make_parents(context, path);
	assert(mkdir(full, 0755) == 0);
}

static void flip_byte(int fd)
{
	unsigned char byte;

	assert(pread(fd, &byte, 1, 0) == 1);
	byte ^= 0x10;
	assert(pwrite(fd, &byte, 1, 0) == 1);
}

static void local_edit(void *context, const char *path)
{
	_cleanup_(closep) int fd = open_object(context, path, O_RDWR);

	flip_byte(fd);
}

static void local_cut(void *context, const char *path, uint64_t size)
{
	_cleanup_(freep) char *full = path_of(context, path);

	assert(truncate(full, (off_t)size) == 0);
}

static void local_remove(void *context, const char *path)
{
	_cleanup_(freep) char *full = path_of(context, path);

	assert(unlink(full) == 0);
}

static char *read_whole(const char *path, size_t *ret_len)
{
	char *data = NULL;

	return fd_read_file(AT_FDCWD, path, SIZE_MAX / 2, &data, ret_len) < 0 ? NULL
									      : data;
}

static char *local_read(void *context, const char *path, size_t *ret_len)
{
	_cleanup_(freep) char *full = path_of(context, path);

	return read_whole(full, ret_len);
}

static void local_swap(void *context, const char *path)
{
	_cleanup_(freep) char *full = path_of(context, path);
	_cleanup_(freep) char *data = NULL;
	size_t len;

	data = read_whole(full, &len);
	assert(data);
	local_put(context, path, data, len);
}

/* ---- what is counted and found ---- */

/* nftw() has no context. One thread. */
static struct {
	size_t n;
	size_t skip; /* length of the path of the private folder */
	const char *private_folder;
	const void *data;
	size_t len;
	bool is_found;
} walk;

static int count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	if (ftw->level > 0 && strncmp(path, walk.private_folder, walk.skip) != 0)
		walk.n++;
	return 0;
}

static size_t local_count(void *context)
{
	struct remote *remote = context;
	_cleanup_(freep) char *private = path_of(remote, PRIVATE);

	walk.n = 0;
	walk.private_folder = private;
	walk.skip = strlen(private);
	nftw(remote->root, count_one, 16, FTW_PHYS);
	return walk.n;
}

static int compare_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	_cleanup_(freep) char *data = NULL;
	size_t len;

	if (flag != FTW_F || (size_t)st->st_size != walk.len)
		return 0;
	data = read_whole(path, &len);
	if (data && len == walk.len && memcmp(data, walk.data, len) == 0)
		walk.is_found = true;
	return walk.is_found;
}

static bool has_kept(const struct remote *remote, const char *folder, const void *data,
		     size_t len)
{
	_cleanup_(freep) char *full = path_of(remote, folder);

	walk.data = data;
	walk.len = len;
	walk.is_found = false;
	nftw(full, compare_one, 16, FTW_PHYS);
	return walk.is_found;
}

static bool local_has_old(void *context, const char *path, const void *data, size_t len)
{
	_cleanup_(freep) char *folder = strf(PRIVATE "/superseded/%s", path);

	return has_kept(context, folder, data, len);
}

static bool local_has_trashed(void *context, const char *path, const void *data,
			      size_t len)
{
	_cleanup_(freep) char *folder = strf(PRIVATE "/trash/%s", path);

	return has_kept(context, folder, data, len);
}

static bool local_put_oddities(void *context, const char *folder)
{
	_cleanup_(freep) char *link = NULL, *fifo = NULL, *bytes = NULL;
	struct remote *remote = context;

	link = strf("%s/%s/link", remote->root, folder);
	fifo = strf("%s/%s/fifo", remote->root, folder);
	bytes = strf("%s/%s/not\xffutf8", remote->root, folder);
	return symlink("/etc/passwd", link) == 0 && mkfifo(fifo, 0644) == 0 &&
	       creat(bytes, 0644) >= 0;
}

/* ---- uploads that are not complete ---- */

/* Calls FN for each file in the folder of uploads, or just counts. */
static size_t each_part(const struct remote *remote, void (*fn)(int dir_fd, const char *))
{
	_cleanup_(freep) char *full = path_of(remote, PRIVATE "/incoming");
	DIR *dir = opendir(full);
	struct dirent *entry;
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (fn)
			fn(dirfd(dir), entry->d_name);
	}
	if (dir)
		closedir(dir);
	return n;
}

static size_t local_count_parts(void *context)
{
	return each_part(context, NULL);
}

static void drop_part(int dir_fd, const char *name)
{
	assert(unlinkat(dir_fd, name, 0) == 0);
}

static void local_drop_parts(void *context)
{
	each_part(context, drop_part);
}

static void smear_part(int dir_fd, const char *name)
{
	_cleanup_(closep) int fd = openat(dir_fd, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	static const char rubbish[4096] = { "rubbish" };

	assert(fd >= 0);
	for (int i = 0; i < 512; i++)
		assert(fd_write_all(fd, rubbish, sizeof(rubbish)) == 0);
}

static void local_smear(void *context)
{
	each_part(context, smear_part);
}

static void flip_part(int dir_fd, const char *name)
{
	_cleanup_(closep) int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);

	assert(fd >= 0);
	flip_byte(fd);
}

static bool local_flip(void *context)
{
	return each_part(context, flip_part) > 0;
}

/* ---- the site ---- */

static bool local_set_away(void *context, bool is_on)
{
	struct remote *remote = context;
	const char *from = is_on ? remote->root : remote->away;
	const char *to = is_on ? remote->away : remote->root;

	assert(rename(from, to) == 0);
	return true;
}

static bool local_set_swapped(void *context, bool is_on)
{
	struct remote *remote = context;

	if (!is_on)
		remove_tree(remote->root);
	local_set_away(remote, is_on);
	if (is_on)
		assert(mkdir(remote->root, 0755) == 0);
	return true;
}

static bool local_set_readonly(void *context, bool is_on)
{
	struct remote *remote = context;

	if (!can_mount())
		return false;
	if (!is_on)
		return umount2(remote->root, MNT_DETACH) == 0;
	return mount(remote->root, remote->root, NULL, MS_BIND, NULL) == 0 &&
	       mount(NULL, remote->root, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) ==
		       0;
}

/* A file system without room lies where uploads arrive. */
static bool local_set_full(void *context, bool is_on)
{
	_cleanup_(freep) char *full = path_of(context, PRIVATE "/incoming");

	if (!can_mount())
		return false;
	if (!is_on)
		return umount2(full, MNT_DETACH) == 0;
	assert(mkdir(full, 0700) == 0 || errno == EEXIST);
	return mount("none", full, "tmpfs", 0, "size=64k") == 0;
}

static void local_fail_step(void *context, unsigned n, int error)
{
	failing_call_at(n, error);
}

static bool local_has_failed_step(void *context)
{
	return failing_call_has_failed();
}

static void local_at_step(void *context, unsigned n, void (*fn)(void *context),
			  void *fn_context)
{
	failing_call_do(n, fn, fn_context);
}

/* ---- the same on file systems that can less ---- */

static void *open_on(enum fs_kind kind)
{
	failing_call_set_kind(kind);
	return local_open();
}

static void *local_open_local(void)
{
	return open_on(FS_LOCAL);
}

static void *local_open_nfs(void)
{
	return open_on(FS_NFS);
}

static void *local_open_exfat(void)
{
	return open_on(FS_NO_LINK);
}

#define LOCAL_DRIVE                                                                     \
	.close = local_close, .provider = local_provider, .is_shared = true,            \
	.put = local_put, .put_marks = local_put_marks, .put_folder = local_put_folder, \
	.edit = local_edit, .cut = local_cut, .remove = local_remove,                   \
	.swap = local_swap, .read = local_read, .count = local_count,                   \
	.has_old = local_has_old, .has_trashed = local_has_trashed,                     \
	.put_oddities = local_put_oddities, .count_parts = local_count_parts,           \
	.drop_parts = local_drop_parts, .smear = local_smear, .flip = local_flip,       \
	.set_away = local_set_away, .set_swapped = local_set_swapped,                   \
	.set_readonly = local_set_readonly, .set_full = local_set_full,                 \
	.fail_step = local_fail_step, .has_failed_step = local_has_failed_step

const struct hand hand_local_drive = {
	.name = "local_drive",
	.open = local_open_local,
	.at_step = local_at_step,
	LOCAL_DRIVE,
};
const struct hand hand_local_drive_nfs = {
	.name = "local_drive-nfs",
	.open = local_open_nfs,
	LOCAL_DRIVE,
};
const struct hand hand_local_drive_exfat = {
	.name = "local_drive-exfat",
	.open = local_open_exfat,
	LOCAL_DRIVE,
};
