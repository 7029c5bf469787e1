/* What a person's hand on names of the view means: whiteouts and renames, durable on return; and what lifts
 * them again. */
#include <errno.h>
#include <string.h>

#include "sync/base/hash_set.h"
#include "sync/base/path.h"
#include "sync/view_private.h"

static void tell(struct view *view, int root, const char *rel)
{
	if (view->changed)
		view->changed(view->context, root, rel);
}

/* ---- hashes ---- */

struct hashes {
	uint64_t *items;
	size_t n;
};

static void hashes_done(struct hashes *hashes)
{
	free(hashes->items);
}

static int add_hashes(struct hashes *hashes, const uint64_t *more, size_t n)
{
	uint64_t *items;

	if (!n)
		return 0;
	items = reallocarray(hashes->items, hashes->n + n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	memcpy(items + hashes->n, more, n * sizeof(*items));
	hashes->items = items;
	hashes->n = hashes_sort(items, hashes->n + n);
	return 0;
}

/* Of every record at and below an index path; none where it is unknown. */
static int add_hashes_of(struct view *view, int root, const char *source,
			 struct hashes *hashes)
{
	_cleanup_(freep) uint64_t *more = NULL;
	size_t n = 0;
	int r = index_file_hashes(view->index, root, source, &more, &n);

	if (r)
		return r < 0 ? r : 0;
	return add_hashes(hashes, more, n);
}

/* ---- going away ---- */

/* Puts a whiteout that also hides what the one on this very name hid. */
static int put_whiteout(struct view *view, struct whiteout *w, struct hashes *hashes)
{
	struct whiteout old = { 0 };
	int r = journal_whiteout_find(view->journal, w->root, w->rel, &old);

	if (r == 0 && strcmp(old.rel, w->rel) == 0)
		r = add_hashes(hashes, old.hashes, old.n_hashes);
	whiteout_done(&old);
	if (r < 0)
		return r;
	w->hashes = hashes->items;
	w->n_hashes = hashes->n;
	r = journal_whiteout_put(view->journal, w);
	if (r == 0)
		tell(view, w->root, w->rel);
	return r;
}

/* Known to the index, shown or not, and not hidden yet. */
static bool is_own_to_hide(struct view *view, int root, const char *rel,
			   const struct hashes *hashes)
{
	for (size_t i = 0; i < hashes->n; i++)
		if (!journal_is_hidden(view->journal, root, rel, hashes->items[i]))
			return true;
	return false;
}

/* The same through a renamed folder. */
static bool is_alias_to_hide(struct view *view, int root, const char *rel,
			     const struct hashes *hashes)
{
	for (size_t i = 0; i < hashes->n; i++)
		if (journal_alias_shows(view->journal, root, rel, hashes->items[i]))
			return true;
	return false;
}

static int hide_file(struct view *view, int root, const char *rel,
		     const struct look *look)
{
	_cleanup_(freep) char *copy = strdup(rel);
	_cleanup_(hashes_done) struct hashes own = { 0 }, alias = { 0 };
	struct whiteout w = { .kind = WHITEOUT_NAME, .root = root, .rel = copy };
	int r = copy ? 0 : -ENOMEM;

	if (r == 0 && look->own.id && !look->own.is_folder)
		r = add_hashes_of(view, root, rel, &own);
	if (r == 0 && look->source && !look->alias.is_folder)
		r = add_hashes_of(view, root, look->source, &alias);
	if (r < 0)
		return r;
	if (is_alias_to_hide(view, root, rel, &alias))
		w.kind = WHITEOUT_ALIAS;
	else if (!is_own_to_hide(view, root, rel, &own))
		return 0;
	r = add_hashes(&own, alias.items, alias.n);
	return r < 0 ? r : put_whiteout(view, &w, &own);
}

/* Names in it went before: this only says that the folder itself is gone. */
static int hide_own_folder(struct view *view, int root, const char *rel)
{
	_cleanup_(freep) char *copy = strdup(rel);
	struct whiteout w = { .kind = WHITEOUT_FOLDER, .root = root, .rel = copy };
	unsigned marks = journal_whiteout_marks(view->journal, root, rel, false);
	int r;

	if (!copy)
		return -ENOMEM;
	/* A TREE or ALIAS says so already, and knows more. */
	if (marks & (1u << WHITEOUT_TREE | 1u << WHITEOUT_ALIAS | 1u << WHITEOUT_FOLDER))
		return 0;
	r = journal_whiteout_put(view->journal, &w);
	if (r == 0)
		tell(view, root, rel);
	return r;
}

static int hide_alias_folder(struct view *view, int root, const char *rel,
			     const struct look *look)
{
	_cleanup_(freep) char *copy = strdup(rel);
	_cleanup_(hashes_done) struct hashes hashes = { 0 };
	struct whiteout w = { .kind = WHITEOUT_ALIAS, .root = root, .rel = copy };
	unsigned marks = journal_whiteout_marks(view->journal, root, rel, true);
	int r;

	if (!copy)
		return -ENOMEM;
	if (!look->is_target)
		return marks & (1u << WHITEOUT_ALIAS | WHITEOUT_MARK_ALIAS_ABOVE)
			       ? 0
			       : put_whiteout(view, &w, &hashes);
	r = journal_alias_drop(view->journal, root, rel);
	if (r == 0)
		tell(view, root, rel);
	return r < 0 ? r : 0;
}

static int hide_folder(struct view *view, int root, const char *rel,
		       const struct look *look)
{
	int r = 0;

	if (look->is_target || (look->source && look->alias.id && look->alias.is_folder))
		r = hide_alias_folder(view, root, rel, look);
	if (r == 0 && look->own.id && look->own.is_folder && look->own.shown != SHOWN_NOT)
		r = hide_own_folder(view, root, rel);
	return r;
}

int view_hide(struct view *view, int root, const char *rel, bool is_folder)
{
	_cleanup_(look_done) struct look look = { 0 };
	int r = look_at(view, root, rel, &look);

	if (r < 0)
		return r;
	return is_folder ? hide_folder(view, root, rel, &look)
			 : hide_file(view, root, rel, &look);
}

/* The disk refused, so the name is on the disk, which is shown before anything else: what an older
 * whiteout on it hid matters only when the name goes away again. */
int view_unhide(struct view *view, int root, const char *rel)
{
	unsigned marks = journal_whiteout_marks(view->journal, root, rel, false);
	int r;

	if (!(marks &
	      (1u << WHITEOUT_NAME | 1u << WHITEOUT_FOLDER | 1u << WHITEOUT_ALIAS)))
		return 0;
	r = journal_whiteout_drop(view->journal, root, rel);
	if (r == 0)
		tell(view, root, rel);
	return r < 0 ? r : 0;
}

/* ---- renamed ---- */

/* A walk over the index's own files below a folder, to tell of each. */
struct telling {
	struct view *view;
	int root;
	const char *folder;
	char **todo;
	size_t n;
};

static void telling_done(struct telling *telling)
{
	while (telling->n > 0)
		free(telling->todo[--telling->n]);
	free(telling->todo);
}

static int tell_child(void *context, const char *name, const struct index_node *node)
{
	struct telling *telling = context;
	_cleanup_(freep) char *rel = path_join(telling->folder, name);
	char **todo;

	if (!rel)
		return -ENOMEM;
	if (!node->is_folder) {
		tell(telling->view, telling->root, rel);
		return 0;
	}
	todo = reallocarray(telling->todo, telling->n + 1, sizeof(*todo));
	if (!todo)
		return -ENOMEM;
	telling->todo = todo;
	todo[telling->n++] = steal(rel);
	return 0;
}

/* Told for the next decisions only: what fails here is found by the next full pass. */
static void tell_below(struct view *view, int root, const char *rel)
{
	_cleanup_(telling_done) struct telling telling = { .view = view, .root = root };
	_cleanup_(freep) char *folder = strdup(rel);

	tell(view, root, rel);
	while (folder) {
		telling.folder = folder;
		index_list(view->index, root, folder, NULL, true, tell_child, &telling);
		free(folder);
		folder = telling.n ? telling.todo[--telling.n] : NULL;
	}
}

static int stop_at_first(void *context, const char *name)
{
	return 1;
}

/* What the old name needs, by where it lies: see journal_rename(). */
static int make_old_name(struct view *view, int root, const char *from,
			 const struct look *look, struct whiteout *ret)
{
	_cleanup_(hashes_done) struct hashes hashes = { 0 };
	int r;

	if (look->is_target)
		return 0;
	if (look->is_alias && look->alias.is_folder)
		r = add_hashes_of(view, root, look->source, &hashes);
	else if (look->is_own && look->own.is_folder)
		r = add_hashes_of(view, root, from, &hashes);
	else
		return 0;
	if (r < 0)
		return r;
	ret->rel = strdup(from);
	if (!ret->rel)
		return -ENOMEM;
	ret->root = root;
	ret->kind = look->is_alias ? WHITEOUT_ALIAS : WHITEOUT_TREE;
	ret->n_hashes = hashes.n;
	ret->hashes = steal(hashes.items);
	return 0;
}

int view_rename(struct view *view, int root, const char *from, const char *to)
{
	_cleanup_(look_done) struct look look = { 0 };
	_cleanup_(whiteout_done) struct whiteout old_name = { 0 };
	int r = look_at(view, root, from, &look);

	if (r == 0)
		r = make_old_name(view, root, from, &look, &old_name);
	if (r == 0 && !look.is_target && !old_name.kind) {
		/* Nothing published: only renamed folders below would go along. */
		r = journal_alias_list(view->journal, root, from, stop_at_first, NULL);
		if (r == 0)
			return 0;
	}
	if (r < 0)
		return r;
	r = journal_rename(view->journal, root, from, to,
			   old_name.kind ? &old_name : NULL);
	if (r < 0)
		return r;
	if (old_name.kind == WHITEOUT_TREE)
		tell_below(view, root, from);
	else
		tell(view, root, from);
	tell(view, root, to);
	return 0;
}

/* ---- restored ---- */

int view_restore(struct view *view, int root, const char *rel)
{
	_cleanup_(hashes_done) struct hashes hashes = { 0 };
	_cleanup_(freep) char *source = NULL;
	int r = journal_alias_resolve(view->journal, root, rel, &source);

	if (r >= 0)
		r = add_hashes_of(view, root, rel, &hashes);
	if (r == 0 && source)
		r = add_hashes_of(view, root, source, &hashes);
	if (r == 0)
		r = journal_whiteout_lift(view->journal, root, rel, hashes.items,
					  hashes.n);
	if (r)
		return r < 0 ? r : VIEW_NONE;
	tell_below(view, root, rel);
	return 0;
}

int view_lift_if_new(struct view *view, int root, const char *rel, const char *file_id)
{
	_cleanup_(whiteout_done) struct whiteout w = { 0 };
	int r = journal_whiteout_find(view->journal, root, rel, &w);

	if (r)
		return r < 0 ? r : 0;
	if (w.kind != WHITEOUT_NAME || strcmp(w.rel, rel) != 0 ||
	    hashes_have(w.hashes, w.n_hashes, index_file_hash(file_id)))
		return 0;
	r = journal_whiteout_drop(view->journal, root, rel);
	if (r == 0)
		tell(view, root, rel);
	return r < 0 ? r : 0;
}
