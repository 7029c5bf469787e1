/* Making folders and taking away what was made. */
#include "providers/gdrive/make.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "sync/base/log.h"

#define TYPE_JSON "application/json; charset=UTF-8"

int make_find_elder(const struct errand *errand, const struct wire_file *file,
		    bool is_folder, struct wire_file *ret)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r;

	*ret = (struct wire_file){ .size = -1 };
	r = find_by_name(errand, file->parent, file->name, &list);
	if (r != 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		if (wire_is_folder(&list.files[i]) != is_folder ||
		    strcmp(list.files[i].id, file->id) == 0 ||
		    find_compare(&list.files[i], file) > 0)
			continue;
		*ret = list.files[i];
		list.files[i] = (struct wire_file){ .size = -1 };
		return 0;
	}
	return PROVIDER_GONE;
}

/* The answer may have been lost, and a repeat is told that the id is taken: both ask what became of the id. */
static int post_folder(const struct errand *errand, const struct wire_meta *meta,
		       struct wire_file *ret, bool *ret_is_new)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *body = wire_format_meta(meta);
	struct api_request request = {
		.method = "POST",
		.target = "/drive/v3/files?fields=" WIRE_FILE_FIELDS,
		.what = "make the folder",
		.type = TYPE_JSON,
		.body = body,
		.body_len = body ? (int64_t)strlen(body) : 0,
		.lane = API_ANY_LANE,
		.units = UNITS_EDIT,
		.is_writing = true,
	};
	int r;

	if (!body)
		return -ENOMEM;
	r = api_run(errand, &request, &answer);
	*ret_is_new = r == 0;
	if (r != 0 && (answer.is_lost || answer.verdict == VERDICT_TAKEN)) {
		struct error said = errand->call->error;
		int again = find_by_id(errand, meta->id, ret);

		if (again == 0 || again < 0)
			return again;
		wire_file_done(ret);
		errand->call->error = said;
		return r;
	}
	if (r != 0)
		return r;
	r = wire_parse_file(buf_str(&answer.http.body), answer.http.body.len, ret);
	if (r == -EINVAL || (r == 0 && (!ret->name || !ret->parent))) {
		wire_file_done(ret);
		return find_by_id(errand, meta->id, ret);
	}
	return r;
}

/* What was made with the id that was brought along is where and what it should be? */
static bool is_in_place(const struct wire_meta *meta, const struct wire_file *file)
{
	return wire_is_folder(file) && file->name && file->parent &&
	       strcmp(file->name, meta->name) == 0 &&
	       strcmp(file->parent, meta->parent) == 0;
}

/* A stranger, who brings no ids, made one of the same name before: its counts. Ours stays: another of our hosts may
 * have put something into it already. */
static int give_way(const struct errand *errand, struct wire_file *file, bool *is_new)
{
	_cleanup_(wire_file_done) struct wire_file elder = { .size = -1 };
	int r = make_find_elder(errand, file, true, &elder);

	if (r == PROVIDER_GONE)
		return 0;
	if (r != 0)
		return r;
	log_warning("there are two folders '%s' at Drive now: the elder one is used",
		    file->name);
	wire_file_done(file);
	*file = elder;
	elder = (struct wire_file){ .size = -1 };
	*is_new = false;
	return 0;
}

/* Made with the id that was brought along, by us or (*RET_IS_NEW false) by another who brought the same.
 * PROVIDER_GONE: there is none, or it was of no use. */
static int make_reserved(const struct errand *errand, const struct make_place *place,
			 struct wire_meta *meta, struct wire_file *ret, bool *ret_is_new)
{
	_cleanup_(freep) char *id = errand_id(errand, place->depth);
	struct error said = errand->call->error;
	int r;

	if (!id)
		return PROVIDER_GONE;
	meta->id = id;
	r = post_folder(errand, meta, ret, ret_is_new);
	meta->id = NULL;
	if (r == 0 && is_in_place(meta, ret))
		return *ret_is_new ? give_way(errand, ret, ret_is_new) : 0;
	if (r < 0 || r == PROVIDER_BUSY || provider_is_site_fault(r))
		return r;
	/* it was made before, and somebody has moved it or thrown it away */
	wire_file_done(ret);
	*ret = (struct wire_file){ .size = -1 };
	*ret_is_new = false;
	errand->call->error = said;
	return PROVIDER_GONE;
}

static int make_fresh(const struct errand *errand, struct wire_meta *meta,
		      struct wire_file *ret, bool *ret_is_new)
{
	_cleanup_(wire_file_done) struct wire_file elder = { .size = -1 };
	_cleanup_(freep) char *id = NULL;
	int r = api_new_id(errand, &id);

	if (r != 0)
		return r;
	meta->id = id;
	r = post_folder(errand, meta, ret, ret_is_new);
	if (r != 0 || !ret->parent || !ret->name)
		return r;
	r = make_find_elder(errand, ret, true, &elder);
	*ret_is_new = r == PROVIDER_GONE;
	if (r == PROVIDER_GONE)
		return 0;
	if (r != 0)
		return r;
	log_debug("another made the folder '%s' at the same time: ours goes", meta->name);
	if (make_undo(errand, id) < 0)
		return -ENOMEM;
	wire_file_done(ret);
	*ret = elder;
	elder = (struct wire_file){ .size = -1 };
	return 0;
}

int make_folder(const struct errand *errand, const struct make_place *place,
		struct wire_file *ret, bool *ret_is_new)
{
	struct wire_meta meta = { .name = place->name,
				  .parent = place->parent,
				  .mime = WIRE_FOLDER };
	int r;

	*ret = (struct wire_file){ .size = -1 };
	*ret_is_new = false;
	r = make_reserved(errand, place, &meta, ret, ret_is_new);
	return r == PROVIDER_GONE ? make_fresh(errand, &meta, ret, ret_is_new) : r;
}

/* A change of what is there. QUERY begins with '?', or is "". BODY is taken; NULL: -ENOMEM. */
static int patch(const struct errand *errand, const char *id, const char *query,
		 char *body, const char *what, bool is_cleanup)
/* parameters: one request */
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target = strf("/drive/v3/files/%s%s", id, query);
	_cleanup_(freep) char *text = body;
	struct api_request request = { .method = "PATCH",
				       .target = target,
				       .what = what,
				       .type = TYPE_JSON,
				       .body = text,
				       .body_len = text ? (int64_t)strlen(text) : 0,
				       .lane = API_ANY_LANE,
				       .units = UNITS_EDIT,
				       .is_writing = true,
				       .is_cleanup = is_cleanup };

	if (!target || !text)
		return -ENOMEM;
	return api_run(errand, &request, &answer);
}

int make_trash(const struct errand *errand, const char *id)
{
	return patch(errand, id, "", wire_format_trashed(true), "move it into the trash",
		     false);
}

int make_untrash(const struct errand *errand, const char *id)
{
	return patch(errand, id, "", wire_format_trashed(false),
		     "take it out of the trash", false);
}

int make_name(const struct errand *errand, const char *id, const char *name)
{
	const struct wire_meta meta = { .name = name };

	return patch(errand, id, "", wire_format_meta(&meta), "rename it", false);
}

int make_move(const struct errand *errand, const char *id, const char *from,
	      const char *to)
{
	_cleanup_(freep) char *query = strf("?addParents=%s&removeParents=%s", to, from);

	return query ? patch(errand, id, query, strdup("{}"), "move it", false) : -ENOMEM;
}

int make_undo(const struct errand *errand, const char *id)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target = strf("/drive/v3/files/%s", id);
	struct api_request request = { .method = "DELETE",
				       .target = target,
				       .what = "remove it again",
				       .lane = API_ANY_LANE,
				       .units = UNITS_EDIT,
				       .is_writing = true,
				       .is_cleanup = true };
	int r;

	if (!target)
		return -ENOMEM;
	r = api_run(errand, &request, &answer);
	if (r == PROVIDER_GONE)
		return 0;
	return r == PROVIDER_DENIED ? patch(errand, id, "", wire_format_trashed(true),
					    "move it into the trash", true)
				    : r;
}
