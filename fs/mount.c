/* One FUSE session: mounting, answering, ending. */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "fs/crew.h"
#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/stale.h"
#include "fs/unmount.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"

#define READ_MAX (1 << 20) /* bytes per READ and WRITE */
#define BACKGROUND_MAX \
	512            /* with the kernel's 12, a dozen waiting readers stop all others */
#define IDLE_MAX 32768 /* files kept open for the kernel, for the next time */

struct mount {
	struct fs fs;
	char *mountpoint;
	int covered; /* root that the mount point is; -1: none */
	void (*ready)(void *context);
	void *context;
	struct mutex lock;
	struct cond ended;
	struct crew *crew;
	bool is_running GUARDED_BY(&lock);
	bool is_stopping GUARDED_BY(&lock), has_stopped
		GUARDED_BY(&lock); /* mount_stop() */
};

/* Capabilities: from libfuse 3.17 on they have more bits than the old fields. */
static void want(struct fuse_conn_info *conn, unsigned capability)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	fuse_set_feature_flag(conn, capability);
#else
	conn->want |= conn->capable & capability;
#endif
}

static void want_not(struct fuse_conn_info *conn, unsigned capability)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	fuse_unset_feature_flag(conn, capability);
#else
	conn->want &= ~capability;
#endif
}

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;
	struct mount *mount = (struct mount *)fs; /* its first member */

	conn->max_read = READ_MAX;
	conn->max_write = READ_MAX;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
	/* the disk below applies umask or default ACL, as it knows which */
	want(conn, FUSE_CAP_DONT_MASK);
	want(conn, FUSE_CAP_SPLICE_READ);
	want(conn, FUSE_CAP_SPLICE_WRITE);
	/* we write as ourselves: the kernel must take set-user-ID bits away as for the caller */
	want_not(conn, FUSE_CAP_HANDLE_KILLPRIV);
	/* who waits for a direct read that was sent in parts is not woken by a signal, whatever we answer */
	want_not(conn, FUSE_CAP_ASYNC_DIO);
	/* checked with the modes, where we may do what the caller may not; and remembered: ls asks for each file */
	want(conn, FUSE_CAP_POSIX_ACL);
	passthrough_negotiate(&fs->passthrough, conn);
	if (mount->ready)
		mount->ready(mount->context);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.forget_multi = fs_forget_multi,
	.getattr = fs_getattr,
	.setattr = fs_setattr,
	.readlink = fs_readlink,
	.statfs = fs_statfs,
	.opendir = fs_opendir,
	.readdir = fs_readdir,
	.readdirplus = fs_readdirplus,
	.releasedir = fs_releasedir,
	.fsyncdir = fs_fsyncdir,
	.open = fs_open,
	.flush = fs_flush,
	.release = fs_release,
	.read = fs_read,
	.write_buf = fs_write_buf,
	.fsync = fs_fsync,
	.fallocate = fs_fallocate,
	.lseek = fs_lseek,
	.copy_file_range = fs_copy_file_range,
	.mknod = fs_mknod,
	.mkdir = fs_mkdir,
	.symlink = fs_symlink,
	.link = fs_link,
	.create = fs_create,
	.unlink = fs_unlink,
	.rmdir = fs_rmdir,
	.rename = fs_rename,
	.setxattr = fs_setxattr,
	.getxattr = fs_getxattr,
	.listxattr = fs_listxattr,
	.removexattr = fs_removexattr,
	/* no locks: the kernel's own, so that a waiter holds no worker */
};

static void top_facts(struct fs *fs, struct inode_facts *ret)
{
	int root = rootmap_single(fs->rootmap);
	struct shown shown = { .facts = { .kind = INODE_FOLDER, .type = S_IFDIR } };
	struct stat st;
	int fd = root >= 0 ? roots_fd(fs->roots, root) : -1;

	if (root < 0)
		shown.facts = (struct inode_facts){ .kind = INODE_TOP, .type = S_IFDIR };
	else if (fd >= 0 && fstat(fd, &st) == 0)
		shown_disk(fs, root, "", &st, &shown);
	*ret = shown.facts;
	ret->root = root;
	if (!ret->st_ino)
		ret->st_ino = view_ino(root < 0 ? 0 : root, "");
}

/* Files that stay known to the kernel by number cost a descriptor each: as many as we may have, within reason. */
static size_t idle_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur / 4 > IDLE_MAX)
		return IDLE_MAX;
	return limit.rlim_cur / 4;
}

static int init_fs(struct fs *fs, const struct mount_setup *setup, struct error *error)
{
	struct inode_facts top;
	int r;

	fs->engine = setup->engine;
	fs->config = engine_config(setup->engine);
	fs->view = engine_view(setup->engine);
	fs->roots = engine_roots(setup->engine);
	fs->journal = engine_journal(setup->engine);
	fs->hydrator = engine_hydrator(setup->engine);
	fs->is_read_only = setup->is_read_only;
	fs->is_shared = setup->is_shared;
	fs->is_privileged = geteuid() == 0;
	fs->started_ns = clock_wall_ms() * 1000000;
	moves_init(&fs->moves);
	streams_init(&fs->streams);
	passthrough_init(&fs->passthrough, !setup->has_no_passthrough);
	r = rootmap_new(fs->roots, setup->root, &fs->rootmap, error);
	if (r < 0)
		return r;
	top_facts(fs, &top);
	r = inodes_init(&fs->inodes, &top);
	if (r == 0)
		inodes_set_idle_max(&fs->inodes, idle_max());
	return r;
}

/* What libfuse says goes to our log; the last line is the best that there is to tell why mounting failed. */
static _Thread_local struct error *fuse_says;

static _printf_(2, 0) void hear_fuse(enum fuse_log_level level, const char *fmt,
				     va_list ap)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (buf_addv(&text, fmt, ap) < 0)
		return;
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (fuse_says)
		error_set(fuse_says, 0, "%s", buf_str(&text));
	else if (level <= FUSE_LOG_ERR)
		log_warning("%s", buf_str(&text));
	else
		log_debug("%s", buf_str(&text));
}

static int new_session(struct mount *mount, struct error *said)
{
	_cleanup_(buf_done) struct buf options = { 0 };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r;

	buf_addf(&options,
		 "fsname=sitefs,subtype=sitefs,default_permissions,max_read=%d%s%s",
		 READ_MAX, mount->fs.is_read_only ? ",ro" : "",
		 mount->fs.is_shared ? ",allow_other" : "");
	if (options.has_failed || fuse_opt_add_arg(&args, "sitefs") < 0 ||
	    fuse_opt_add_arg(&args, "-o") < 0 ||
	    fuse_opt_add_arg(&args, buf_str(&options)) < 0) {
		fuse_opt_free_args(&args);
		return -ENOMEM;
	}
	fuse_set_log_func(hear_fuse);
	fuse_says = said;
	mount->fs.session =
		fuse_session_new(&args, &operations, sizeof(operations), &mount->fs);
	fuse_opt_free_args(&args);
	errno = 0;
	r = mount->fs.session ? 0 : -EINVAL;
	if (r == 0 && fuse_session_mount(mount->fs.session, mount->mountpoint) < 0)
		r = errno ? -errno : -EPERM;
	fuse_says = NULL;
	if (r == 0)
		r = passthrough_attach(&mount->fs.passthrough, mount->fs.session);
	return r;
}

static int mount_session(struct mount *mount, struct error *error)
{
	struct error said = { 0 };
	int r = new_session(mount, &said);

	if (r == 0)
		return 0;
	if (mount->fs.session)
		fuse_session_destroy(mount->fs.session);
	mount->fs.session = NULL;
	return error_set(error, r,
			 "cannot mount at %s: %s; is it a folder that you own, is "
			 "/dev/fuse there, and for allow_other user_allow_other in "
			 "/etc/fuse.conf?",
			 mount->mountpoint, error_text(&said, r));
}

/* Of the root that the mount is put over. */
static void cover_root(struct mount *mount, bool is_covered)
{
	if (mount->covered >= 0)
		roots_cover(mount->fs.roots, mount->covered, is_covered);
}

static void find_covered(struct mount *mount, const struct stat *mountpoint)
{
	struct roots *roots = mount->fs.roots;
	struct stat st;

	for (int i = 0; i < (int)roots_count(roots); i++)
		if (roots_fd(roots, i) >= 0 && fstat(roots_fd(roots, i), &st) == 0 &&
		    st.st_dev == mountpoint->st_dev && st.st_ino == mountpoint->st_ino)
			mount->covered = i;
}

int mount_new(const struct mount_setup *setup, struct mount **ret, struct error *error)
{
	_cleanup_(mount_freep) struct mount *mount = calloc(1, sizeof(*mount));
	struct stat st = { 0 };
	int r;

	if (!mount)
		return -ENOMEM;
	mutex_init(&mount->lock);
	cond_init(&mount->ended);
	mount->covered = -1;
	mount->ready = setup->ready;
	mount->context = setup->context;
	mount->mountpoint = realpath(setup->mountpoint, NULL);
	if (!mount->mountpoint)
		return error_set(error, -errno, "cannot mount at %s: %s",
				 setup->mountpoint, strerror(errno));
	if (stat(mount->mountpoint, &st) == 0 && !S_ISDIR(st.st_mode))
		return error_set(error, -ENOTDIR, "cannot mount at %s: not a folder",
				 setup->mountpoint);
	r = init_fs(&mount->fs, setup, error);
	if (r == 0) {
		find_covered(mount, &st);
		cover_root(mount, true);
		r = mount_session(mount, error);
	}
	if (r == 0)
		r = crew_new(mount->fs.session, &mount->crew);
	if (r < 0)
		return r;
	*ret = steal(mount);
	return 0;
}

/* Whoever has a file open loses it: no RELEASE comes any more. */
static void end_handles(struct fs *fs)
{
	struct handle *handle;

	while ((handle = inodes_any_handle(&fs->inodes))) {
		fs_touch_written(fs, handle);
		handle_release(&fs->inodes, handle);
	}
}

int mount_run(struct mount *mount)
{
	struct fs *fs = &mount->fs;
	int r = fs->notifier ? -EALREADY : notifier_new(stale_tell, fs, &fs->notifier);

	if (r == 0)
		r = watch_new(&(struct watch_setup){ .roots = fs->roots,
						     .changed = stale_see,
						     .context = fs },
			      &fs->watch);
	if (r < 0)
		return r;
	mutex_lock(&mount->lock);
	mount->is_running = true;
	mutex_unlock(&mount->lock);
	engine_set_listener(fs->engine, stale_hear, fs);
	r = crew_run(mount->crew);
	engine_set_listener(fs->engine, NULL, NULL);
	watch_free(steal(fs->watch));
	/* whoever waits for bytes is answered while there is a session to answer through */
	streams_end(&fs->streams);
	mutex_lock(&mount->lock);
	mount->is_running = false;
	if (mount->is_stopping)
		r = 0;
	cond_broadcast(&mount->ended);
	while (mount->is_stopping && !mount->has_stopped)
		cond_wait(&mount->ended, &mount->lock);
	mutex_unlock(&mount->lock);
	notifier_stop(fs->notifier);
	fuse_session_unmount(fs->session);
	end_handles(fs);
	return r;
}

bool mount_is_passthrough(struct mount *mount, char *reason, size_t size)
{
	return passthrough_tell(&mount->fs.passthrough, reason, size);
}

bool mount_could_passthrough(char *reason, size_t size)
{
	struct passthrough passthrough = { 0 };
	struct utsname kernel = { 0 };
	long major = 6, minor = 9;
	char *end = kernel.release;

	passthrough_init(&passthrough, true);
	passthrough_tell(&passthrough, reason, size);
	passthrough_done(&passthrough);
	if (uname(&kernel) == 0) {
		major = strtol(kernel.release, &end, 10);
		minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	}
	if (!reason[0] && (major < 6 || (major == 6 && minor < 9)))
		snprintf(reason, size, "Linux %ld.%ld has no passthrough, 6.9 has", major,
			 minor);
	return !reason[0];
}

/* Asks, and while somebody has files open: writes back what mappings changed and ends all the same. */
static void end_loop(struct mount *mount)
{
	if (unmount_clean(mount->mountpoint) == 0)
		return;
	unmount_flush(mount->mountpoint);
	/* with the workers still there, or the kernel might wait for them in a notice for ever */
	notifier_stop(mount->fs.notifier);
}

void mount_stop(struct mount *mount)
{
	bool is_running;

	mutex_lock(&mount->lock);
	if (mount->is_stopping) {
		mutex_unlock(&mount->lock);
		return;
	}
	mount->is_stopping = true;
	is_running = mount->is_running;
	mutex_unlock(&mount->lock);
	if (is_running)
		end_loop(mount);
	fuse_session_exit(mount->fs.session);
	crew_stop(mount->crew);
	mutex_lock(&mount->lock);
	while (mount->is_running)
		cond_wait(&mount->ended, &mount->lock);
	mount->has_stopped = true;
	cond_broadcast(&mount->ended);
	mutex_unlock(&mount->lock);
}

void mount_free(struct mount *mount)
{
	struct fs *fs;

	if (!mount)
		return;
	fs = &mount->fs;
	if (fs->session) {
		fuse_session_unmount(fs->session);
		fs->passthrough.session = NULL; /* its ids end with it */
		fuse_session_destroy(fs->session);
		cover_root(mount, false);
	}
	crew_free(mount->crew);
	watch_free(fs->watch);
	notifier_free(fs->notifier);
	if (fs->rootmap) {
		inodes_done(&fs->inodes);
		rootmap_free(fs->rootmap);
		streams_done(&fs->streams);
		passthrough_done(&fs->passthrough);
		moves_done(&fs->moves);
	}
	cond_done(&mount->ended);
	mutex_done(&mount->lock);
	free(mount->mountpoint);
	free(mount);
}
