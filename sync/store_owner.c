/* Who holds a lease. */
#include "sync/store_owner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/proc.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PID_SPACE "/proc/self/ns/pid"

/* Field 3 is the state, field 22 the start in clock ticks after the boot. A zombie is -ESRCH. */
static int read_start(int64_t pid, int64_t *ret)
{
	char path[64], text[1024];
	const char *at;
	int r;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	r = proc_stat(path, text, sizeof(text), &at);
	if (r < 0)
		return r;
	if (at[0] == 'Z' || at[0] == 'X')
		return -ESRCH;
	for (int field = 3; at && field < 22; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return -EIO;
	*ret = strtoll(at, NULL, 10);
	return 0;
}

int store_owner_self(struct store_owner *ret)
{
	struct store_owner self = { .pid = getpid() };
	struct stat st;
	int r;

	r = proc_read(BOOT_ID, self.boot, sizeof(self.boot));
	if (r < 0)
		return r;
	self.boot[strcspn(self.boot, "\n/")] = 0;
	if (!self.boot[0])
		return -EIO;
	if (stat(PID_SPACE, &st) == 0)
		self.space = (int64_t)st.st_ino;
	r = read_start(self.pid, &self.start);
	if (r < 0)
		return r;
	*ret = self;
	return 0;
}

char *store_owner_name(const struct store_owner *owner)
{
	return strf("%s/%lld/%lld/%lld", owner->boot, (long long)owner->space,
		    (long long)owner->pid, (long long)owner->start);
}

bool store_owner_parse(const char *name, struct store_owner *ret)
{
	struct store_owner owner = { 0 };
	int64_t *const numbers[] = { &owner.space, &owner.pid, &owner.start };
	size_t len = strcspn(name, "/");

	if (len == 0 || len >= sizeof(owner.boot))
		return false;
	memcpy(owner.boot, name, len);
	name += len;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		char *end;

		if (*name != '/')
			return false;
		*numbers[i] = strtoll(name + 1, &end, 10);
		if (end == name + 1)
			return false;
		name = end;
	}
	if (*name || owner.pid <= 0)
		return false;
	*ret = owner;
	return true;
}

bool store_owner_is_near(const struct store_owner *a, const struct store_owner *b)
{
	return strcmp(a->boot, b->boot) == 0 && a->space == b->space;
}

bool store_owner_equal(const struct store_owner *a, const struct store_owner *b)
{
	return store_owner_is_near(a, b) && a->pid == b->pid && a->start == b->start;
}

bool store_owner_lives(const struct store_owner *owner)
{
	int64_t start;
	int r;

	if (kill((pid_t)owner->pid, 0) < 0 && errno == ESRCH)
		return false;
	r = read_start(owner->pid, &start);
	/* What /proc hides from us (hidepid) lives. */
	return r < 0 ? r != -ESRCH : start == owner->start;
}
