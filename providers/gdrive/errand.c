/* One call's stay at a Drive. */
#include "providers/gdrive/errand.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "sync/base/clock.h"

#define POLL_MS 50

struct claim {
	char *key;
	struct claim *next;
};

int errand_say(const struct errand *errand, int outcome, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *rest, *blank = "";
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	rest = buf_str(&text);
	if (rest[0] == ':' && !errand->path[0])
		rest += 2;
	else if (rest[0] != ':' && errand->path[0])
		blank = " ";
	return error_set(&errand->call->error, outcome, "site '%s': %s%s%s",
			 errand->drive->site->name, errand->path, blank, rest);
}

char *errand_id(const struct errand *errand, size_t depth)
{
	const char *at = errand->ids, *last = at ? strrchr(at, ' ') : NULL;

	if (!at)
		return NULL;
	if (depth == ERRAND_FILE)
		return strdup(last ? last + 1 : at);
	for (; depth > 0 && at; depth--) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	/* the last one is the file's */
	return at && last && at <= last ? strndup(at, strcspn(at, " ")) : NULL;
}

/* FNV-1a of both, with a "/" between. */
static uint64_t hash_of(const char *first, const char *second)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *p = first; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	hash = (hash ^ '/') * 0x100000001b3;
	for (const char *p = second; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return hash;
}

void absent_note(const struct errand *errand, const char *path)
{
	struct absent absent = { hash_of(errand->root->path, path), clock_mono_ms() };
	struct drive *drive = errand->drive;

	mutex_lock(&drive->lock);
	drive->absent[drive->next_absent++ % ABSENT_KEPT] = absent;
	mutex_unlock(&drive->lock);
}

bool absent_is_known(const struct errand *errand, const char *path, int64_t max_age_ms)
{
	int64_t since_ms = clock_mono_ms() - max_age_ms;
	struct drive *drive = errand->drive;
	uint64_t hash = hash_of(errand->root->path, path);
	bool is_known = false;

	mutex_lock(&drive->lock);
	for (size_t i = 0; i < ABSENT_KEPT && !is_known; i++)
		is_known = drive->absent[i].hash == hash &&
			   drive->absent[i].seen_ms > since_ms;
	mutex_unlock(&drive->lock);
	return is_known;
}

void seen_note(const struct errand *errand, const char *id, const char *revision,
	       int64_t size)
{
	struct seen seen = { hash_of(id, revision), size, clock_mono_ms() };
	struct drive *drive = errand->drive;
	size_t at;

	mutex_lock(&drive->lock);
	at = drive->next_seen % SEEN_KEPT;
	for (size_t i = 0; i < SEEN_KEPT; i++) {
		if (drive->seen[i].hash == seen.hash)
			at = i;
	}
	drive->next_seen += at == drive->next_seen % SEEN_KEPT;
	drive->seen[at] = seen;
	mutex_unlock(&drive->lock);
}

bool seen_recall(const struct errand *errand, const char *id, const char *revision,
		 int64_t *ret_size)
{
	uint64_t hash = hash_of(id, revision);
	int64_t since_ms = clock_mono_ms() - errand->call->max_age_ms;
	struct drive *drive = errand->drive;
	bool is_known = false;

	if (!errand->call->max_age_ms)
		return false;
	mutex_lock(&drive->lock);
	for (size_t i = 0; i < SEEN_KEPT && !is_known; i++) {
		is_known =
			drive->seen[i].hash == hash && drive->seen[i].seen_ms >= since_ms;
		if (is_known)
			*ret_size = drive->seen[i].size;
	}
	mutex_unlock(&drive->lock);
	return is_known;
}

static bool is_claimed(const struct drive *drive, const char *key) REQUIRES(&drive->lock)
{
	for (const struct claim *claim = drive->claims; claim; claim = claim->next) {
		if (strcmp(claim->key, key) == 0)
			return true;
	}
	return false;
}

int claim_take(const struct errand *errand, const char *key, struct claim **ret)
{
	struct drive *drive = errand->drive;
	struct claim *claim = calloc(1, sizeof(*claim));
	int r = 0;

	if (claim)
		claim->key = strdup(key);
	if (!claim || !claim->key) {
		free(claim);
		return -ENOMEM;
	}
	mutex_lock(&drive->lock);
	while (r == 0 && is_claimed(drive, key)) {
		cond_wait_until(&drive->changed, &drive->lock, clock_mono_ms() + POLL_MS);
		if (errand_is_canceled(errand))
			r = -ECANCELED;
	}
	if (r == 0) {
		claim->next = drive->claims;
		drive->claims = claim;
	}
	mutex_unlock(&drive->lock);
	if (r == 0) {
		*ret = claim;
		return 0;
	}
	free(claim->key);
	free(claim);
	return r;
}

void claim_drop(struct drive *drive, struct claim *claim)
{
	mutex_lock(&drive->lock);
	for (struct claim **p = &drive->claims; *p; p = &(*p)->next) {
		if (*p == claim) {
			*p = claim->next;
			break;
		}
	}
	cond_broadcast(&drive->changed);
	mutex_unlock(&drive->lock);
	free(claim->key);
	free(claim);
}
