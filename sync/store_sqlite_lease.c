/*
 * The embedded store: leases. One is held by a process, not by a handle: the boot's id, the pid and
 * the start time name it, so that neither a dead process nor a reused pid holds anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "sync/store_sqlite.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* Files of proc have no size to go by; these are short and come in one piece. */
static int read_proc(const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

/* proc(5), stat: field 3 is the state, field 22 the start in clock ticks after the boot. The name in
 * field 2 may hold anything. A zombie is -ESRCH. */
static int read_start(int64_t pid, int64_t *ret)
{
	char path[64], text[1024];
	const char *at;
	int r;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	r = read_proc(path, text, sizeof(text));
	if (r < 0)
		return r;
	at = strrchr(text, ')');
	if (at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0))
		return -ESRCH;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EIO;
	*ret = strtoll(at + 1, NULL, 10);
	return 0;
}

static int read_boot(char *ret, size_t size)
{
	int r;

	r = read_proc(BOOT_ID, ret, size);
	if (r < 0)
		return r;
	ret[strcspn(ret, "\n")] = 0;
	return ret[0] ? 0 : -EIO;
}

/* Who we are, read once: a handle is not taken over a fork. */
static int know_self(struct store_sqlite *s)
{
	int r;

	if (s->self.pid)
		return 0;
	r = read_boot(s->self.boot, sizeof(s->self.boot));
	if (r == 0)
		r = read_start(getpid(), &s->self.start);
	if (r == 0)
		s->self.pid = getpid();
	return r;
}

static bool is_alive(const struct store_sqlite *s, struct sqlite3_stmt *rows)
{
	int64_t pid = db_int(rows, 1), start;
	int r;

	if (strcmp(db_text(rows, 0), s->self.boot) != 0)
		return false;
	if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
		return false;
	r = read_start(pid, &start);
	/* What /proc hides from us (hidepid) lives. */
	return r < 0 ? r != -ESRCH : start == db_int(rows, 2);
}

static bool is_self(const struct store_sqlite *s, struct sqlite3_stmt *rows)
{
	return strcmp(db_text(rows, 0), s->self.boot) == 0 &&
	       db_int(rows, 1) == s->self.pid && db_int(rows, 2) == s->self.start;
}

static int take(struct store_sqlite *s, void *context)
{
	const char *key = context;
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows, "SELECT boot, pid, start FROM lease WHERE key = ?",
		     "s", key);
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	if (r > 0 && is_self(s, rows))
		return 0;
	if (r > 0 && is_alive(s, rows))
		return STORE_CONFLICT;
	return db_run(s->db, "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", "ssii",
		      key, s->self.boot, s->self.pid, s->self.start);
}

static int give(struct store_sqlite *s, void *context)
{
	const char *key = context;
	int r;

	r = db_run(s->db,
		   "DELETE FROM lease WHERE key = ? AND boot = ? AND pid = ?"
		   " AND start = ?",
		   "ssii", key, s->self.boot, s->self.pid, s->self.start);
	if (r < 0)
		return r;
	return db_changes(s->db) > 0 ? 0 : STORE_GONE;
}

static int change(struct store *store, int (*fn)(struct store_sqlite *s, void *context),
		  const char *key)
{
	struct store_sqlite *s = store_sqlite_of(store);
	_cleanup_(freep) char *copy = strdup(key);
	int r;

	r = copy ? know_self(s) : -ENOMEM;
	return r < 0 ? r : store_sqlite_change(s, fn, copy);
}

int store_sqlite_lease(struct store *store, const char *key)
{
	return change(store, take, key);
}

int store_sqlite_release(struct store *store, const char *key)
{
	return change(store, give, key);
}
