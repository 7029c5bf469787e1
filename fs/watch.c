/* Changes on the disk that others make. */
#include "fs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/base/path.h"

#define MOVES (FAN_MOVED_FROM | FAN_MOVED_TO)
#define NAMES (FAN_CREATE | FAN_DELETE | MOVES)
#define EVENTS (NAMES | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_ONDIR)
#define BUFFER_SIZE ((size_t)64 << 10)
#define EVENT_MAX 1024 /* a handle and a name are shorter */
#define HANDLE_MAX 128
#define PAUSE_MS 10 /* between two readings: equal events become one meanwhile */
#define KNOWN_MAX 64
#define PRIVATE ".sitefs"

struct mark {
	int fd; /* of the root, for handles; -1: not covered */
	uint64_t dev;
	fsid_t fsid;
};

/* A folder that events came from: where it lies. */
struct known {
	unsigned char handle[HANDLE_MAX];
	size_t size;
	int root; /* -1: below none */
	char *rel;
};

struct watch {
	struct watch_setup setup;
	int fd, stop_fd;
	pid_t pid;          /* ours */
	struct mark *marks; /* by root */
	size_t n_marks, n_covered;
	pthread_t thread;
	bool is_running;
	/* of the thread */
	struct known known[KNOWN_MAX];
	size_t next;
};

/* ---- where an event lies ---- */

static void forget_folders(struct watch *watch)
{
	for (size_t i = 0; i < KNOWN_MAX; i++) {
		free(steal(watch->known[i].rel));
		watch->known[i].size = 0;
	}
}

/* The path of an open folder as this process sees it; allocated. */
static char *path_of(int fd)
{
	char link[64], target[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0 || target[0] != '/')
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

/* PATH below the folder ROOT: "" or "a/b"; NULL where it is not. */
static const char *below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, len) != 0)
		return NULL;
	if (!path[len])
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

static void find_root(struct watch *watch, int fd, struct known *known)
{
	_cleanup_(freep) char *path = path_of(fd);

	known->root = -1;
	for (size_t i = 0; path && i < watch->n_marks; i++) {
		_cleanup_(freep) char *root =
			path_of(roots_fd(watch->setup.roots, (int)i));
		const char *rel = root ? below(path, root) : NULL;

		if (!rel)
			continue;
		known->root = (int)i;
		known->rel = strdup(rel);
		return;
	}
}

static const struct mark *mark_of(const struct watch *watch, const void *fsid)
{
	for (size_t i = 0; i < watch->n_marks; i++)
		if (watch->marks[i].fd >= 0 &&
		    memcmp(&watch->marks[i].fsid, fsid, sizeof(fsid_t)) == 0)
			return &watch->marks[i];
	return NULL;
}

static const struct known *find_folder(struct watch *watch,
				       const struct fanotify_event_info_fid *info)
{
	struct file_handle *handle = (struct file_handle *)(uintptr_t)info->handle;
	size_t size = sizeof(*handle) + handle->handle_bytes;
	const struct mark *mark = mark_of(watch, &info->fsid);
	_cleanup_(closep) int fd = -1;
	struct known *known;

	for (size_t i = 0; i < KNOWN_MAX; i++)
		if (watch->known[i].size == size &&
		    memcmp(watch->known[i].handle, handle, size) == 0)
			return &watch->known[i];
	if (!mark || size > HANDLE_MAX)
		return NULL;
	fd = open_by_handle_at(mark->fd, handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL; /* it is gone, and its own end was told by the folder above */
	known = &watch->known[watch->next++ % KNOWN_MAX];
	free(steal(known->rel));
	memcpy(known->handle, handle, size);
	known->size = size;
	find_root(watch, fd, known);
	return known;
}

/* ---- events ---- */

static void tell(struct watch *watch, const struct known *folder, const char *name)
{
	_cleanup_(freep) char *rel = NULL;

	if (folder->root < 0 || !folder->rel)
		return;
	if (strcmp(name, ".") == 0)
		rel = strdup(folder->rel);
	else
		rel = path_join(folder->rel, name);
	if (!rel || path_is_below(rel, PRIVATE))
		return;
	watch->setup.changed(watch->setup.context, folder->root, rel);
}

static void take_event(struct watch *watch, const struct fanotify_event_metadata *event)
{
	const struct fanotify_event_info_fid *info =
		(const struct fanotify_event_info_fid *)(event + 1);
	const struct file_handle *handle = (const struct file_handle *)info->handle;
	const struct known *folder;

	/* folders that move take along what is known of those below */
	if (event->mask & FAN_ONDIR && event->mask & MOVES)
		forget_folders(watch);
	/* our own hand is told by whoever moved it */
	if (event->pid == watch->pid ||
	    event->event_len < sizeof(*event) + sizeof(*info) ||
	    info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME)
		return;
	folder = find_folder(watch, info);
	if (folder)
		tell(watch, folder,
		     (const char *)handle->f_handle + handle->handle_bytes);
}

/* The kernel packs events to four bytes, their type wants eight: each is moved to where it may lie. */
static void take_events(struct watch *watch, const char *at, size_t n)
{
	union {
		struct fanotify_event_metadata head;
		char bytes[EVENT_MAX];
	} event;

	while (n >= sizeof(event.head)) {
		memcpy(&event.head, at, sizeof(event.head));
		if (event.head.event_len < sizeof(event.head) || event.head.event_len > n)
			return;
		n -= event.head.event_len;
		if (event.head.event_len <= sizeof(event)) {
			memcpy(&event, at, event.head.event_len);
			at += event.head.event_len;
			take_event(watch, &event.head);
		} else {
			at += event.head.event_len;
		}
	}
}

static void take_all(struct watch *watch, void *buffer)
{
	ssize_t n;

	while ((n = read(watch->fd, buffer, BUFFER_SIZE)) > 0) {
		take_events(watch, buffer, (size_t)n);
		if ((size_t)n < BUFFER_SIZE / 2)
			break;
	}
}

static void *run(void *context)
{
	struct watch *watch = context;
	_cleanup_(freep) void *buffer = malloc(BUFFER_SIZE);
	struct pollfd fds[] = { { .fd = watch->stop_fd, .events = POLLIN },
				{ .fd = watch->fd, .events = POLLIN } };

	pthread_setname_np(pthread_self(), "watch");
	while (buffer && !fds[0].revents) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (!fds[1].revents || fds[0].revents)
			continue;
		take_all(watch, buffer);
		poll(fds, 1, PAUSE_MS);
	}
	return NULL;
}

/* ---- beginning and end ---- */

static void add_mark(struct watch *watch, int root)
{
	struct mark *mark = &watch->marks[root];
	int root_fd = roots_fd(watch->setup.roots, root);
	_cleanup_(closep) int fd = -1;
	struct statfs fs;
	struct stat st;

	mark->fd = -1;
	if (root_fd >= 0)
		fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return;
	if (fanotify_mark(watch->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, fd,
			  NULL) < 0) {
		log_debug("changes on the disk of root '%s' are not told: %s",
			  roots_name(watch->setup.roots, root), strerror(errno));
		return;
	}
	memcpy(&mark->fsid, &fs.f_fsid, sizeof(mark->fsid));
	mark->dev = st.st_dev;
	mark->fd = steal_fd(fd);
	watch->n_covered++;
}

static int start(struct watch *watch)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&watch->thread, NULL, run, watch);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	watch->is_running = r == 0;
	return -r;
}

int watch_new(const struct watch_setup *setup, struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
	int r = 0;

	if (!watch)
		return -ENOMEM;
	watch->setup = *setup;
	watch->pid = getpid();
	watch->stop_fd = eventfd(0, EFD_CLOEXEC);
	watch->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
					  FAN_REPORT_DFID_NAME | FAN_UNLIMITED_QUEUE,
				  O_RDONLY | O_CLOEXEC);
	watch->marks = calloc(roots_count(setup->roots) + 1, sizeof(*watch->marks));
	if (!watch->marks)
		return -ENOMEM;
	if (watch->fd >= 0 && watch->stop_fd >= 0) {
		watch->n_marks = roots_count(setup->roots);
		for (size_t i = 0; i < watch->n_marks; i++)
			add_mark(watch, (int)i);
	}
	if (watch->n_covered)
		r = start(watch);
	if (r < 0)
		return r;
	*ret = steal(watch);
	return 0;
}

void watch_free(struct watch *watch)
{
	const uint64_t one = 1;

	if (!watch)
		return;
	if (watch->is_running && write(watch->stop_fd, &one, sizeof(one)) > 0)
		pthread_join(watch->thread, NULL);
	for (size_t i = 0; i < watch->n_marks; i++)
		if (watch->marks[i].fd >= 0)
			close(watch->marks[i].fd);
	if (watch->fd >= 0)
		close(watch->fd);
	if (watch->stop_fd >= 0)
		close(watch->stop_fd);
	forget_folders(watch);
	free(watch->marks);
	free(watch);
}

bool watch_covers(const struct watch *watch, int root, uint64_t dev)
{
	return watch && root >= 0 && (size_t)root < watch->n_marks &&
	       watch->marks[root].fd >= 0 && watch->marks[root].dev == dev;
}
