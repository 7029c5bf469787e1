/*
 * The changes feeds of Drive.
 *
 * Token: one line a feed, "KEY:TOKEN\n", KEY being the shared drive's id or "own".
 */
#include "providers/gdrive/changes.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/census.h"
#include "providers/gdrive/item.h"
#include "providers/gdrive/trail.h"
#include "providers/gdrive/wire.h"
#include "sync/base/path.h"

#define OWN "own"
#define PAGES_MAX 100000
#define ROOT_FRESH_MS 60000

struct follower {
	const struct errand *errand;
	provider_change_fn *fn;
	void *context;
};

/* ---- one request ---- */

static int get(const struct errand *errand, struct buf *target, int units,
	       struct api_answer *ret)
{
	struct api_request request = { .method = "GET",
				       .target = target->data,
				       .what = "ask what has changed",
				       .units = units };

	return target->has_failed ? -ENOMEM : api_run(errand, &request, ret);
}

static int no_sense(const struct errand *errand)
{
	return errand_say(errand, PROVIDER_BUSY,
			  ": cannot ask what has changed: the answer makes no sense");
}

static void add_drive(struct buf *target, const char *key)
{
	if (strcmp(key, OWN) == 0)
		return;
	buf_adds(target, "&driveId=");
	http_escape(target, key);
}

static int load_start(const struct errand *errand, const char *key, char **ret)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(buf_done) struct buf target = { 0 };
	int r;

	buf_adds(&target, "/drive/v3/changes/startPageToken?fields=startPageToken");
	add_drive(&target, key);
	r = get(errand, &target, UNITS_OTHER, &answer);
	if (r == 0)
		r = wire_parse_start(buf_str(&answer.http.body), answer.http.body.len,
				     ret);
	return r == -EINVAL ? no_sense(errand) : r;
}

static int load_page(const struct errand *errand, const char *key, const char *token,
		     struct wire_changes *ret)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(buf_done) struct buf target = { 0 };
	int r;

	*ret = (struct wire_changes){ 0 };
	buf_adds(&target, "/drive/v3/changes?pageSize=1000&spaces=drive&includeRemoved="
			  "true&fields=nextPageToken,newStartPageToken,changes(fileId,"
			  "removed,time,file(" WIRE_TRACE_FIELDS "))&pageToken=");
	http_escape(&target, token);
	add_drive(&target, key);
	if (strcmp(key, OWN) != 0)
		buf_adds(&target, "&includeItemsFromAllDrives=true");
	r = get(errand, &target, UNITS_LIST, &answer);
	if (r == 0)
		r = wire_parse_changes(buf_str(&answer.http.body), answer.http.body.len,
				       ret);
	return r == -EINVAL ? no_sense(errand) : r;
}

/* ---- one change ---- */

static void describe(const struct wire_change *change, struct provider_trace *ret)
{
	const struct wire_file *file = &change->file;

	ret->when_ms = change->time_ns / 1000000;
	if (change->is_removed) {
		ret->fate = FATE_REMOVED;
	} else if (file->is_trashed) {
		ret->fate = FATE_TRASHED;
		ret->by = file->trasher;
		if (file->trashed_ns)
			ret->when_ms = file->trashed_ns / 1000000;
	} else {
		ret->fate = FATE_EDITED;
		ret->by = file->editor;
	}
}

static int tell(struct follower *follower, struct provider_change *news,
		const struct anchor *root, const char *path)
{
	news->root = root ? root->name : NULL;
	news->path = root ? path : NULL;
	return follower->fn(follower->context, news);
}

/* Below which root a file lies now, and its path there; PROVIDER_GONE: in none. */
static int place_of(const struct errand *errand, const struct wire_file *file,
		    struct anchor **ret_root, char **ret_path)
{
	_cleanup_(freep) char *folder = NULL;
	int r = PROVIDER_GONE;

	if (file->parent && file->name && !path_refusal(file->name) &&
	    !strchr(file->name, '/'))
		r = trail_find(errand, file->parent, ret_root, &folder);
	if (r != 0)
		return r;
	*ret_path = path_join(folder, file->name);
	return *ret_path ? 0 : -ENOMEM;
}

static int follow_file(struct follower *follower, const struct wire_change *change,
		       struct provider_change *news, const struct anchor *root,
		       const char *path)
{
	struct provider_object object = { 0 };
	int r = 0;

	if (path && !change->file.is_trashed && wire_is_object(&change->file)) {
		r = item_fill(&change->file, &object);
		news->object = &object;
	}
	if (r == 0)
		r = tell(follower, news, path ? root : NULL, path);
	provider_object_done(&object);
	return r;
}

/* A folder is told of where it lay as well. */
static int follow_change(struct follower *follower, const struct wire_change *change)
{
	struct drive *drive = follower->errand->drive;
	struct provider_change news = { .id = change->id };
	_cleanup_(freep) char *path = NULL, *old = NULL;
	struct anchor *root = NULL, *old_root = NULL;
	int r = 0;

	census_heard(drive, change->id, change->is_removed ? NULL : &change->file);
	for (size_t i = 0; i < drive->n_roots; i++)
		anchor_doubt(&drive->roots[i], change->id);
	describe(change, &news.trace);
	/* only folders are remembered */
	news.is_folder = trail_recall(drive, change->id, &old_root, &old) == 0 ||
			 wire_is_folder(&change->file);
	if (!change->is_removed)
		r = place_of(follower->errand, &change->file, &root, &path);
	if (r != 0 && r != PROVIDER_GONE)
		return r;
	if (!news.is_folder)
		return follow_file(follower, change, &news, root, path);
	trail_forget(drive);
	if (old && (!path || old_root != root || strcmp(old, path) != 0)) {
		struct provider_change gone = news;

		if (path)
			gone.trace.fate = FATE_MOVED;
		r = tell(follower, &gone, old_root, old);
		if (r != 0 || !path)
			return r;
	}
	return tell(follower, &news, path ? root : NULL, path);
}

/* ---- a feed ---- */

static int follow_page(struct follower *follower, const struct wire_changes *page)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < page->n; i++)
		r = errand_is_canceled(follower->errand)
			    ? -ECANCELED
			    : follow_change(follower, &page->changes[i]);
	return r;
}

/* The token of that feed in TOKEN, the caller's; PROVIDER_GONE: it has none. */
static int find_token(const char *token, const char *key, char **ret)
{
	size_t len = strlen(key);

	for (const char *p = token; *p; p += strcspn(p, "\n"), p += *p != '\0') {
		if (strncmp(p, key, len) != 0 || p[len] != ':')
			continue;
		p += len + 1;
		*ret = strndup(p, strcspn(p, "\n"));
		return *ret ? 0 : -ENOMEM;
	}
	return PROVIDER_GONE;
}

/* What Drive refuses is a token that it does not know. */
static int follow_feed(struct follower *follower, const char *key, char **token)
{
	for (int i = 0; i < PAGES_MAX; i++) {
		_cleanup_(wire_changes_done) struct wire_changes page = { 0 };
		int r = load_page(follower->errand, key, *token, &page);
		bool is_last = !page.next;

		if (r == PROVIDER_REFUSED || r == PROVIDER_GONE)
			return PROVIDER_GONE;
		if (r == 0)
			r = follow_page(follower, &page);
		if (r != 0)
			return r;
		free(*token);
		*token = is_last ? steal(page.start) : steal(page.next);
		if (is_last)
			return 0;
	}
	return errand_say(follower->errand, PROVIDER_BUSY,
			  ": what has changed has no end");
}

static int add_feed(struct follower *follower, const char *token, const char *key,
		    struct buf *ret)
{
	_cleanup_(freep) char *at = NULL;
	int r = token ? find_token(token, key, &at)
		      : load_start(follower->errand, key, &at);

	if (r == 0 && token)
		r = follow_feed(follower, key, &at);
	if (r == PROVIDER_GONE)
		return errand_say(follower->errand, PROVIDER_GONE,
				  ": Drive does not know the place in its feed of "
				  "changes any more");
	return r == 0 ? buf_addf(ret, "%s:%s\n", key, at) : r;
}

/* The feed that tells of a root: its shared drive's id, or OWN. A root that is lost has none. */
static int key_of(const struct errand *errand, char **ret)
{
	_cleanup_(freep) char *id = NULL;
	int r = anchor_find(errand, ROOT_FRESH_MS, &id);

	if (r == 0)
		r = anchor_drive(errand->root, ret);
	if (r != 0 || *ret)
		return r;
	*ret = strdup(OWN);
	return *ret ? 0 : -ENOMEM;
}

int changes_follow(const struct errand *errand, const char *token, provider_change_fn *fn,
		   void *context, char **ret_token)
{
	_cleanup_(buf_done) struct buf tokens = { 0 };
	struct drive *drive = errand->drive;
	int r = 0;

	for (size_t i = 0; r == 0 && i < drive->n_roots; i++) {
		_cleanup_(freep) char *key = NULL, *known = NULL;
		struct errand at = *errand;
		struct follower follower = { &at, fn, context };

		at.root = &drive->roots[i];
		r = key_of(&at, &key);
		if (r != 0)
			return r;
		r = find_token(buf_str(&tokens), key, &known);
		if (r == PROVIDER_GONE)
			r = add_feed(&follower, token, key, &tokens);
	}
	if (r != 0)
		return r;
	*ret_token = buf_take(&tokens);
	return *ret_token ? 0 : -ENOMEM;
}
