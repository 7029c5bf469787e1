/* Finding files. */
#include "providers/gdrive/find.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "sync/base/map.h"

#define PAGE 1000
#define PAGES_MAX 2000 /* 500,000 items are the most in a folder; pages may be short */

int find_quote(struct buf *query, const char *text)
{
	int r = buf_addc(query, '\'');

	for (const char *p = text; *p && r == 0; p++) {
		if (*p == '\'' || *p == '\\')
			r = buf_addc(query, '\\');
		if (r == 0)
			r = buf_addc(query, *p);
	}
	return r == 0 ? buf_addc(query, '\'') : r;
}

int find_compare(const struct wire_file *a, const struct wire_file *b)
{
	int by_time = strcmp(a->created ? a->created : "", b->created ? b->created : "");

	return by_time ? by_time : strcmp(a->id, b->id);
}

static int look(const struct errand *errand, const char *id, const char *fields,
		struct wire_file *ret)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(buf_done) struct buf target = { 0 };
	int r;

	*ret = (struct wire_file){ .size = -1 };
	buf_adds(&target, "/drive/v3/files/");
	http_escape(&target, id);
	buf_addf(&target, "?fields=%s", fields);
	if (target.has_failed)
		return -ENOMEM;
	r = api_get(errand, target.data, UNITS_GET, "look at it", &answer);
	if (r == 0)
		r = wire_parse_file(buf_str(&answer.http.body), answer.http.body.len,
				    ret);
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be looked at: the answer makes no sense");
	return r;
}

int find_trashed(const struct errand *errand, const char *id, struct wire_file *ret)
{
	return look(errand, id, WIRE_FILE_FIELDS, ret);
}

int find_traced(const struct errand *errand, const char *id, struct wire_file *ret)
{
	return look(errand, id, WIRE_TRACE_FIELDS, ret);
}

int find_by_id(const struct errand *errand, const char *id, struct wire_file *ret)
{
	int r = find_trashed(errand, id, ret);

	if (r == 0 && ret->is_trashed)
		return errand_say(errand, PROVIDER_GONE, "is in the trash of Drive");
	return r;
}

/* ---- queries ---- */

static char *list_target(const struct errand *errand, const char *query, const char *page)
{
	_cleanup_(freep) char *corpora = anchor_corpora(errand->root);
	_cleanup_(buf_done) struct buf target = { 0 };

	if (!corpora)
		return NULL;
	buf_addf(&target, "/drive/v3/files?%s&pageSize=%d&spaces=drive", corpora, PAGE);
	buf_adds(&target, "&includeItemsFromAllDrives=true&fields=nextPageToken,"
			  "incompleteSearch,files(" WIRE_FILE_FIELDS ")&q=");
	http_escape(&target, query);
	if (page) {
		buf_adds(&target, "&pageToken=");
		http_escape(&target, page);
	}
	return buf_take(&target);
}

/* Moves the files of PAGE to the end of LIST. */
static int append(struct wire_list *list, struct wire_list *page)
{
	struct wire_file *grown;

	if (!page->n)
		return 0;
	grown = reallocarray(list->files, list->n + page->n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memcpy(grown + list->n, page->files, page->n * sizeof(*grown));
	list->files = grown;
	list->n += page->n;
	page->n = 0;
	return 0;
}

static int load_page(const struct errand *errand, const char *query, const char *token,
		     struct wire_list *ret)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target = list_target(errand, query, token);
	int r;

	if (!target)
		return -ENOMEM;
	r = api_get(errand, target, UNITS_LIST, "list", &answer);
	if (r == 0)
		r = wire_parse_list(buf_str(&answer.http.body), answer.http.body.len,
				    ret);
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be listed: the answer makes no sense");
	if (r == 0 && ret->is_incomplete)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be listed: Drive has not looked everywhere");
	return r;
}

static int query_some(const struct errand *errand, const char *query, size_t most,
		      struct wire_list *ret)
{
	_cleanup_(freep) char *token = NULL;

	*ret = (struct wire_list){ 0 };
	for (int i = 0; i < PAGES_MAX; i++) {
		struct wire_list page = { 0 };
		int r = load_page(errand, query, token, &page);

		if (r == 0)
			r = append(ret, &page);
		free(token);
		token = steal(page.next);
		wire_list_done(&page);
		if (r != 0 || !token)
			return r;
		if (ret->n > most)
			return -E2BIG;
	}
	return errand_say(errand, PROVIDER_BUSY, "cannot be listed: it has no end");
}

int find_query(const struct errand *errand, const char *query, struct wire_list *ret)
{
	return query_some(errand, query, SIZE_MAX, ret);
}

/* ---- in a folder ---- */

static int by_age(const void *a, const void *b)
{
	return find_compare(a, b);
}

/* Keeps those that are wanted, in order. */
static void keep_exact(struct wire_list *list, const char *name, bool is_trashed)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct wire_file file = list->files[i];

		/* `name =` ignores case, and more */
		if (file.is_trashed != is_trashed || strcmp(file.name, name) != 0)
			wire_file_done(&file);
		else
			list->files[n++] = file;
	}
	list->n = n;
	if (n > 1)
		qsort(list->files, n, sizeof(*list->files), by_age);
	/* a listing that moves under us may give one item twice */
	for (size_t i = 1; i < list->n; i++) {
		if (strcmp(list->files[i - 1].id, list->files[i].id) != 0)
			continue;
		wire_file_done(&list->files[i]);
		memmove(&list->files[i], &list->files[i + 1],
			(list->n - i - 1) * sizeof(*list->files));
		list->n--;
		i--;
	}
}

static int find_named(const struct errand *errand, const char *folder_id,
		      const char *name, bool is_trashed, struct wire_list *ret)
{
	_cleanup_(buf_done) struct buf query = { 0 };
	int r;

	*ret = (struct wire_list){ 0 };
	buf_adds(&query, "name = ");
	find_quote(&query, name);
	buf_adds(&query, " and ");
	find_quote(&query, folder_id);
	buf_addf(&query, " in parents and trashed = %s", is_trashed ? "true" : "false");
	if (query.has_failed)
		return -ENOMEM;
	r = find_query(errand, query.data, ret);
	if (r == 0)
		keep_exact(ret, name, is_trashed);
	return r;
}

int find_by_name(const struct errand *errand, const char *folder_id, const char *name,
		 struct wire_list *ret)
{
	return find_named(errand, folder_id, name, false, ret);
}

int find_in_trash(const struct errand *errand, const char *folder_id, const char *name,
		  struct wire_list *ret)
{
	return find_named(errand, folder_id, name, true, ret);
}

/* Keeps the first of each name, and counts the others there. */
static int drop_twins(struct wire_list *list)
{
	struct map names = { 0 };
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct wire_file file = list->files[i];
		/* the files do not move any more once they are kept */
		struct wire_file *first = r == 0 ? map_get(&names, file.name) : NULL;

		if (r == 0 && !file.is_trashed && !first) {
			list->files[n] = file;
			r = map_put(&names, file.name, &list->files[n++], NULL);
			continue;
		}
		/* a listing that moves under us may give one item twice */
		if (first && !file.is_trashed && strcmp(first->id, file.id) != 0)
			first->n_twins++;
		wire_file_done(&file);
	}
	list->n = n;
	map_done(&names, NULL);
	return r;
}

int find_some(const struct errand *errand, const char *folder_id, size_t most,
	      struct wire_list *ret)
{
	_cleanup_(buf_done) struct buf query = { 0 };
	int r;

	*ret = (struct wire_list){ 0 };
	find_quote(&query, folder_id);
	buf_adds(&query, " in parents and trashed = false");
	if (query.has_failed)
		return -ENOMEM;
	r = query_some(errand, query.data, most, ret);
	if (r == 0 && ret->n > 1)
		qsort(ret->files, ret->n, sizeof(*ret->files), by_age);
	return r;
}

int find_each(const struct errand *errand, const char *folder_id, struct wire_list *ret)
{
	return find_some(errand, folder_id, SIZE_MAX, ret);
}

int find_all(const struct errand *errand, const char *folder_id, struct wire_list *ret)
{
	int r = find_each(errand, folder_id, ret);

	return r == 0 ? drop_twins(ret) : r;
}
