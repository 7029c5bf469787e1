/*
 * The embedded store: the change feed. Every change is a row of `oplog`; a token is "ID:SEQ:MARK",
 * the store's id and the last row that was read.
 *
 * Whoever changes something through this module touches the database file after the commit, and
 * inotify on its folder wakes the watchers of all processes: nothing runs while nothing happens.
 * Another program (sqlite3) does not touch it; then we see the write to the -wal file, but that may
 * come before the change can be read. So after any event that brought nothing yet we look a while by
 * ourselves, at growing intervals. The same covers a writer that was killed between commit and touch.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/store_sqlite.h"

#define LOOK_FOR_MS 3000
#define LOOK_FIRST_MS 20
#define LOOK_LAST_MS 500
/* Rows of the oplog that one call takes: what happened to one document in them is one event. */
#define BATCH 4096

struct position {
	int64_t seq, mark;
};

/* ---- tokens ---- */

static int format_token(const struct store_sqlite *s, struct position at, char **ret)
{
	*ret = strf("%s:%lld:%lld", s->id, (long long)at.seq, (long long)at.mark);
	return *ret ? 0 : -ENOMEM;
}

static int parse_token(const struct store_sqlite *s, const char *token,
		       struct position *ret)
{
	size_t len = strlen(s->id);
	char *end;

	if (strncmp(token, s->id, len) != 0 || token[len] != ':')
		return STORE_TOKEN_LOST;
	ret->seq = strtoll(token + len + 1, &end, 10);
	if (*end != ':')
		return STORE_TOKEN_LOST;
	ret->mark = strtoll(end + 1, &end, 10);
	return *end ? STORE_TOKEN_LOST : 0;
}

static int read_last(struct store_sqlite *s, struct position *ret)
{
	DB_ROWS *rows = NULL;
	int r;

	*ret = (struct position){ 0 };
	r = db_query(s->db, &rows,
		     "SELECT seq, mark FROM oplog ORDER BY seq DESC LIMIT 1", "");
	if (r == 0)
		r = db_step(rows);
	if (r > 0)
		*ret = (struct position){ db_int(rows, 0), db_int(rows, 1) };
	return r < 0 ? r : 0;
}

/* 0: everything after the position is there; STORE_TOKEN_LOST. */
static int check_position(struct store_sqlite *s, struct position at)
{
	DB_ROWS *rows = NULL;
	int r;

	if (at.seq == 0)
		r = db_query(s->db, &rows,
			     "SELECT 1 WHERE coalesce((SELECT min(seq) FROM oplog), 1)"
			     " = 1",
			     "");
	else
		r = db_query(s->db, &rows,
			     "SELECT 1 FROM oplog WHERE seq = ? AND mark = ?", "ii",
			     at.seq, at.mark);
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	return r > 0 ? 0 : STORE_TOKEN_LOST;
}

int store_sqlite_now(struct store *store, char **ret_token)
{
	struct store_sqlite *s = store_sqlite_of(store);
	struct position at;
	int r;

	r = store_sqlite_ready(s);
	if (r == 0)
		r = read_last(s, &at);
	return r == 0 ? format_token(s, at, ret_token) : r;
}

/* ---- events ---- */

/* "Kproject\0id\0" each, K the kind: no statement is open while the caller's function runs. */
static int read_events(struct store_sqlite *s, int64_t after, int64_t to, struct buf *ret)
{
	DB_ROWS *rows = NULL;
	int r;

	/* SQLite: with a lone max(), the other columns are those of the row that has it. */
	r = db_query(s->db, &rows,
		     "SELECT kind, project, id, max(seq) FROM oplog"
		     " WHERE seq > ? AND seq <= ? GROUP BY kind = 3, project, id"
		     " ORDER BY max(seq)",
		     "ii", after, to);
	while (r == 0 && (r = db_step(rows)) > 0) {
		const char *project = db_text(rows, 1), *id = db_text(rows, 2);

		buf_addc(ret, (char)db_int(rows, 0));
		buf_add(ret, project, strlen(project) + 1);
		r = buf_add(ret, id, strlen(id) + 1);
	}
	return r < 0 || !ret->has_failed ? r : -ENOMEM;
}

static int give_events(const struct buf *events, store_event_fn *fn, void *context)
{
	const char *at = events->data, *end = at + events->len;
	int r = 0;

	while (r == 0 && at < end) {
		struct store_event event = { .kind = (enum store_event_kind)at[0],
					     .project = at + 1 };

		event.id = event.project + strlen(event.project) + 1;
		at = event.id + strlen(event.id) + 1;
		r = fn(context, &event);
	}
	return r;
}

static int read_batch_end(struct store_sqlite *s, int64_t after, struct position *ret)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows,
		     "SELECT seq, mark FROM oplog WHERE seq > ?1 AND seq <= ?2"
		     " ORDER BY seq DESC LIMIT 1",
		     "ii", after, after + BATCH);
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	if (r == 0)
		return STORE_QUIET;
	*ret = (struct position){ db_int(rows, 0), db_int(rows, 1) };
	return 0;
}

/* 0: events were given; STORE_QUIET: there are none; STORE_TOKEN_LOST; FN's result. */
static int look(struct store_sqlite *s, char **token, store_event_fn *fn, void *context)
{
	_cleanup_(buf_done) struct buf events = { 0 };
	_cleanup_(freep) char *next = NULL;
	struct position at, to;
	int r;

	r = store_sqlite_ready(s);
	if (r == 0)
		r = parse_token(s, *token, &at);
	if (r == 0)
		r = check_position(s, at);
	if (r == 0)
		r = read_batch_end(s, at.seq, &to);
	if (r == 0)
		r = read_events(s, at.seq, to.seq, &events);
	/* Rows go oldest first: while ours stands, none behind it was pruned meanwhile. */
	if (r == 0)
		r = check_position(s, at);
	if (r == 0)
		r = format_token(s, to, &next);
	if (r == 0)
		r = give_events(&events, fn, context);
	if (r != 0)
		return r;
	free(*token);
	*token = steal(next);
	return 0;
}

/* ---- waiting ---- */

static void look_soon(struct store_sqlite *s)
{
	s->look_until = clock_mono_ms() + LOOK_FOR_MS;
	s->look_ms = LOOK_FIRST_MS;
}

static void start_polling(struct store_sqlite *s, const char *why)
{
	log_warning("cannot watch the folder of %s (%s): looking at it twice a second",
		    s->path, why);
	s->is_polling = true;
}

static int start_watching(struct store_sqlite *s)
{
	_cleanup_(freep) char *folder = NULL;

	if (s->inotify_fd >= 0 || s->is_polling)
		return 0;
	folder = path_parent(s->path);
	if (!folder)
		return -ENOMEM;
	/* What another process is just writing may have begun before. */
	look_soon(s);
	s->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->inotify_fd < 0 ||
	    inotify_add_watch(s->inotify_fd, folder[0] ? folder : "/",
			      IN_ATTRIB | IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		start_polling(s, strerror(errno));
	return 0;
}

static bool is_ours(const struct store_sqlite *s, const struct inotify_event *event)
{
	const char *base = path_name(s->path);
	size_t len = strlen(base);

	if (event->mask & IN_Q_OVERFLOW)
		return true;
	return event->len && strncmp(event->name, base, len) == 0 &&
	       (event->name[len] == 0 || strcmp(event->name + len, "-wal") == 0);
}

/* Reads what inotify has; true where any of it is about our files. */
static bool drain(struct store_sqlite *s)
{
	_Alignas(struct inotify_event) char data[8192];
	bool has_ours = false;
	ssize_t n;

	while ((n = read(s->inotify_fd, data, sizeof(data))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(data + at);

			if (event->mask & IN_IGNORED)
				start_polling(s, "it is gone");
			has_ours |= is_ours(s, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	return has_ours;
}

/* True where wake() was called since. */
static bool take_wake(struct store_sqlite *s)
{
	eventfd_t n;

	return eventfd_read(s->wake_fd, &n) == 0;
}

/* How long poll() may wait: for ever (-1) where nothing but an event can change anything. */
static int wait_ms(struct store_sqlite *s, int64_t now, int64_t deadline)
{
	int64_t ms = deadline == INT64_MAX ? -1 : deadline - now;
	int64_t look_ms = -1;

	if (s->is_polling)
		look_ms = LOOK_LAST_MS;
	else if (now < s->look_until)
		look_ms = s->look_ms;
	if (look_ms >= 0 && (ms < 0 || look_ms < ms)) {
		ms = look_ms;
		s->look_ms =
			s->look_ms < LOOK_LAST_MS / 2 ? 2 * s->look_ms : LOOK_LAST_MS;
	}
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Returns when it is time to look again; STORE_QUIET at the deadline or after wake(). */
static int wait_for_change(struct store_sqlite *s, int64_t deadline)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = s->wake_fd, .events = POLLIN },
			{ .fd = s->is_polling ? -1 : s->inotify_fd, .events = POLLIN },
		};
		int64_t now = clock_mono_ms();
		int n;

		if (take_wake(s) || now >= deadline)
			return STORE_QUIET;
		n = poll(fds, ARRAY_SIZE(fds), wait_ms(s, now, deadline));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0 && fds[1].revents && drain(s)) {
			look_soon(s);
			return 0;
		}
	}
}

int store_sqlite_watch(struct store *store, char **token, int64_t timeout_ms,
		       store_event_fn *fn, void *context)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int64_t deadline = INT64_MAX;
	int r;

	if (timeout_ms >= 0 && timeout_ms < INT32_MAX * INT64_C(1000))
		deadline = clock_mono_ms() + timeout_ms;
	r = start_watching(s);
	while (r == 0) {
		if (!s->is_polling && drain(s))
			look_soon(s);
		r = look(s, token, fn, context);
		if (r != STORE_QUIET)
			break;
		r = wait_for_change(s, deadline);
	}
	return r;
}

void store_sqlite_wake(struct store *store)
{
	struct store_sqlite *s = store_sqlite_of(store);

	/* Fails only where the counter is full: then it is awake anyway. */
	(void)eventfd_write(s->wake_fd, 1);
}
