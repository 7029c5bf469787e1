/*
 * Renames of folders laid over the index. A row says that under its target the mount shows the names
 * that the index has under its source, as far as their file ids are among the row's hashes.
 *
 *   mv hero hero.BACKUP    row hero.BACKUP -> hero {1,2}       TREE at hero {1,2}
 *   rm hero.BACKUP/a       ... and ALIAS at hero.BACKUP/a {1}
 *   mv hero.BACKUP hero    the row is gone, the TREE is gone, TREE at hero/a {1}
 *
 * What is laid below a folder moves along with it: rows by their target; whiteouts by the part of their
 * hashes that the moving row shows. On arrival these hashes leave whatever whiteouts lie there.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/journal_private.h"

/* One journal_rename(). */
struct move {
	struct laid_plan *plan;
	int root;
	const char *from, *to;
	const struct whiteout *old_name;   /* or NULL */
	const struct alias *exact, *outer; /* rows on FROM, and nearest above it */
	struct path_list
		rows; /* struct alias: as they arrive, by what lies above at FROM */
};

static struct alias *alias_new(int root, char *to, char *from, const uint64_t *hashes,
			       size_t n)
{
	_cleanup_(alias_freep) struct alias *alias = calloc(1, sizeof(*alias));

	if (!alias) {
		free(to);
		free(from);
		return NULL;
	}
	*alias = (struct alias){
		.root = root,
		.to = to,
		.from = from,
		.created_ms = clock_wall_ms(),
		.hashes = n ? malloc(n * sizeof(*hashes)) : NULL,
		.n_hashes = n,
	};
	if (!to || !from || (n && !alias->hashes))
		return NULL;
	if (n)
		memcpy(alias->hashes, hashes, n * sizeof(*hashes));
	return steal(alias);
}

static const struct alias *nearest(const struct path_list *list, int root,
				   const char *rel, size_t len)
{
	const struct alias *alias = path_list_get_n(list, root, rel, len);

	while (!alias && len > 0) {
		len = path_up(rel, len);
		alias = path_list_get_n(list, root, rel, len);
	}
	return alias;
}

static const struct alias *nearest_above(const struct path_list *list, int root,
					 const char *rel)
{
	size_t len = strlen(rel);

	return len ? nearest(list, root, rel, path_up(rel, len)) : NULL;
}

/* The row that FROM itself needs under TO, or NULL. */
static int make_row(struct move *move, struct alias **ret)
{
	const struct alias *outer = move->outer;
	const struct whiteout *old = move->old_name;
	struct alias *row;

	if (move->exact)
		row = alias_new(move->root, strdup(move->to), strdup(move->exact->from),
				move->exact->hashes, move->exact->n_hashes);
	else if (!old)
		return 0;
	else if (outer)
		row = alias_new(move->root, strdup(move->to),
				path_rebase(move->from, outer->to, outer->from),
				outer->hashes, outer->n_hashes);
	else
		row = alias_new(move->root, strdup(move->to), strdup(move->from),
				old->hashes, old->n_hashes);
	if (!row)
		return -ENOMEM;
	*ret = row;
	return 0;
}

/* The key of a row in MOVE->rows is where it came from, so that what is laid at FROM finds it. */
static int add_row(struct move *move, const char *old_target, struct alias *row)
{
	int r = path_list_reserve(&move->rows, 1);

	if (r < 0)
		alias_free(row);
	else
		path_list_put(&move->rows, move->root, old_target, row);
	return r;
}

static int collect_rows(struct move *move) REQUIRES(&move->plan->journal->lock)
{
	const struct path_list *list = &move->plan->journal->aliases;
	struct alias *row = NULL;
	int r = make_row(move, &row);

	if (r == 0 && row)
		r = add_row(move, move->from, row);
	for (size_t i = path_list_lower(list, move->root, move->from, strlen(move->from));
	     r == 0 && path_list_is_below(list, i, move->root, move->from); i++) {
		const struct alias *old = list->items[i].value;

		r = laid_drop_alias(move->plan, move->root, old->to);
		if (r < 0 || old == move->exact)
			continue;
		row = alias_new(move->root, path_rebase(old->to, move->from, move->to),
				strdup(old->from), old->hashes, old->n_hashes);
		r = row ? add_row(move, old->to, row) : -ENOMEM;
	}
	return r;
}

static bool is_home(const struct alias *row)
{
	return strcmp(row->to, row->from) == 0;
}

/* A row that shows HASHES arrives over W: what it shows is no longer hidden there. */
static int arrive_over(struct laid_plan *plan, const struct whiteout *w,
		       const struct alias *row)
{
	_cleanup_(whiteout_freep) struct whiteout *rest =
		whiteout_new(w->kind, w->root, w->rel, w->hashes, w->n_hashes);

	if (!rest)
		return -ENOMEM;
	if (w->kind == WHITEOUT_FOLDER)
		return strcmp(w->rel, row->to) == 0 ? laid_drop(plan, w->root, w->rel)
						    : 0;
	rest->n_hashes = hashes_filter(w->hashes, w->n_hashes, row->hashes, row->n_hashes,
				       false, rest->hashes);
	if (!row->n_hashes && is_home(row))
		rest->n_hashes = 0;
	if (!rest->n_hashes)
		return laid_drop(plan, w->root, w->rel);
	if (w->kind == WHITEOUT_ALIAS)
		rest->kind = WHITEOUT_TREE;
	return laid_put(plan, steal(rest));
}

/* TO was free or an empty folder for the eyes of whoever renames: rows there show nothing. */
static int clear_target(struct move *move) REQUIRES(&move->plan->journal->lock)
{
	struct journal *journal = move->plan->journal;
	const struct path_list *list = &journal->aliases;
	size_t len = strlen(move->to);
	int r = 0;

	for (size_t i = path_list_lower(list, move->root, move->to, len);
	     r == 0 && path_list_is_below(list, i, move->root, move->to); i++)
		r = laid_drop_alias(move->plan, move->root, list->items[i].rel);
	list = &journal->whiteouts;
	for (size_t k = 0; r == 0 && k < move->rows.n; k++) {
		const struct alias *row = move->rows.items[k].value;

		len = strlen(row->to);
		for (size_t i = path_list_lower(list, move->root, row->to, len);
		     r == 0 && path_list_is_below(list, i, move->root, row->to); i++) {
			const struct whiteout *w =
				laid_get(move->plan, move->root, list->items[i].rel);

			r = w ? arrive_over(move->plan, w, row) : 0;
		}
	}
	return r;
}

/* Puts W (taken), together with the hashes of what lies there already. */
static int merge(struct laid_plan *plan, struct whiteout *w)
{
	const struct whiteout *old = w ? laid_get(plan, w->root, w->rel) : NULL;
	uint64_t *hashes;

	if (!old || !old->n_hashes)
		return laid_put(plan, w);
	hashes = reallocarray(w->hashes, w->n_hashes + old->n_hashes, sizeof(*hashes));
	if (!hashes) {
		whiteout_free(w);
		return -ENOMEM;
	}
	memcpy(hashes + w->n_hashes, old->hashes, old->n_hashes * sizeof(*hashes));
	w->hashes = hashes;
	w->n_hashes = hashes_sort(hashes, w->n_hashes + old->n_hashes);
	return laid_put(plan, w);
}

/* Where the row is home again, names are the index's own: nothing is hidden for good. */
static enum whiteout_kind kind_after(const struct whiteout *w, const struct alias *row)
{
	if (w->kind != WHITEOUT_ALIAS || !is_home(row))
		return w->kind;
	return w->n_hashes ? WHITEOUT_TREE : WHITEOUT_FOLDER;
}

/* W lies at or below FROM, under ROW: the part of it that ROW shows goes along. */
static int depart(struct move *move, const struct whiteout *w, const struct alias *row)
{
	_cleanup_(whiteout_freep) struct whiteout *moved = NULL, *rest = NULL;
	_cleanup_(freep) char *rel = path_rebase(w->rel, move->from, move->to);
	bool is_whole =
		w->kind == WHITEOUT_ALIAS || w->kind == WHITEOUT_FOLDER || !row->n_hashes;
	int r;

	if (!rel)
		return -ENOMEM;
	moved = whiteout_new(kind_after(w, row), w->root, rel, w->hashes, w->n_hashes);
	rest = whiteout_new(w->kind, w->root, w->rel, w->hashes, w->n_hashes);
	if (!moved || !rest)
		return -ENOMEM;
	if (is_whole) {
		rest->n_hashes = 0;
	} else {
		moved->n_hashes = hashes_filter(w->hashes, w->n_hashes, row->hashes,
						row->n_hashes, true, moved->hashes);
		rest->n_hashes = hashes_filter(w->hashes, w->n_hashes, row->hashes,
					       row->n_hashes, false, rest->hashes);
	}
	r = rest->n_hashes ? laid_put(move->plan, steal(rest))
			   : laid_drop(move->plan, w->root, w->rel);
	if (r == 0 && (is_whole || moved->n_hashes))
		r = merge(move->plan, steal(moved));
	return r;
}

static int move_whiteouts(struct move *move) REQUIRES(&move->plan->journal->lock)
{
	const struct path_list *list = &move->plan->journal->whiteouts;
	size_t len = strlen(move->from);
	int r = 0;

	for (size_t i = path_list_lower(list, move->root, move->from, len);
	     r == 0 && path_list_is_below(list, i, move->root, move->from); i++) {
		const struct whiteout *w = list->items[i].value;
		const struct alias *row =
			nearest(&move->rows, move->root, w->rel, strlen(w->rel));
		bool is_here = strcmp(w->rel, move->from) == 0;

		/* The folder itself is being renamed, so it is no removed one. */
		if (is_here && w->kind == WHITEOUT_FOLDER)
			r = laid_drop(move->plan, move->root, w->rel);
		else if (row)
			r = depart(move, w, row);
	}
	return r;
}

static int hide_old_name(struct move *move)
{
	const struct whiteout *old = move->old_name;

	if (move->outer && (move->exact || old))
		return merge(move->plan,
			     whiteout_new(WHITEOUT_ALIAS, move->root, move->from,
					  old ? old->hashes : NULL,
					  old ? old->n_hashes : 0));
	if (move->exact || !old)
		return 0;
	return merge(move->plan, whiteout_new(WHITEOUT_TREE, move->root, move->from,
					      old->hashes, old->n_hashes));
}

static bool is_tree_above(const struct laid_plan *plan, int root, const char *rel)
{
	_cleanup_(freep) char *up = strdup(rel);
	size_t len = strlen(rel);
	bool is_above = !up; /* without memory the row is kept, which is never wrong */

	while (!is_above && len > 0) {
		const struct whiteout *w;

		len = path_up(up, len);
		up[len] = '\0';
		w = laid_get(plan, root, up);
		is_above = w && (w->kind == WHITEOUT_TREE || w->kind == WHITEOUT_ALIAS);
	}
	return is_above;
}

/* A row that is home again needs no row, unless a folder above it was renamed away. */
static int put_rows(struct move *move)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < move->rows.n; i++) {
		struct alias *row = steal(move->rows.items[i].value);

		if (is_home(row) && !is_tree_above(move->plan, move->root, row->to))
			alias_free(row);
		else
			r = laid_put_alias(move->plan, row);
	}
	return r;
}

static int plan_move(struct move *move) REQUIRES(&move->plan->journal->lock)
{
	const struct path_list *list = &move->plan->journal->aliases;
	int r;

	move->exact = path_list_get(list, move->root, move->from);
	move->outer = nearest_above(list, move->root, move->from);
	r = collect_rows(move);
	if (r == 0)
		r = clear_target(move);
	if (r == 0)
		r = move_whiteouts(move);
	if (r == 0)
		r = hide_old_name(move);
	return r < 0 ? r : put_rows(move);
}

static void free_row(void *value)
{
	alias_free(value);
}

static void move_done(struct move *move)
{
	path_list_done(&move->rows, free_row);
}

int journal_rename(struct journal *journal, int root, const char *from, const char *to,
		   const struct whiteout *old_name)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	_cleanup_(move_done) struct move move = {
		.plan = &plan,
		.root = root,
		.from = from,
		.to = to,
		.old_name = old_name,
	};
	int r;

	journal_take_pen(journal);
	mutex_lock(&move.plan->journal->lock);
	r = plan_move(&move);
	mutex_unlock(&move.plan->journal->lock);
	if (r == 0)
		r = laid_run(&plan);
	journal_give_pen(journal);
	return r;
}

static int plan_drop(struct laid_plan *plan, const struct alias *row)
	REQUIRES(&plan->journal->lock)
{
	const struct path_list *list = &plan->journal->whiteouts;
	int r = laid_drop_alias(plan, row->root, row->to);

	for (size_t i = path_list_lower(list, row->root, row->to, strlen(row->to));
	     r == 0 && path_list_is_below(list, i, row->root, row->to); i++)
		r = arrive_over(plan, list->items[i].value, row);
	if (r == 0 && nearest_above(&plan->journal->aliases, row->root, row->to))
		r = merge(plan,
			  whiteout_new(WHITEOUT_ALIAS, row->root, row->to, NULL, 0));
	return r;
}

int journal_alias_drop(struct journal *journal, int root, const char *rel)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	const struct alias *row;
	int r;

	journal_take_pen(journal);
	mutex_lock(&plan.journal->lock);
	row = path_list_get(&plan.journal->aliases, root, rel);
	r = row ? plan_drop(&plan, row) : JOURNAL_NONE;
	mutex_unlock(&plan.journal->lock);
	if (r == 0)
		r = laid_run(&plan);
	journal_give_pen(journal);
	return r;
}

int journal_alias_resolve(struct journal *journal, int root, const char *rel, char **ret)
{
	const struct alias *alias;
	int r = JOURNAL_NONE;

	mutex_lock(&journal->lock);
	alias = journal->aliases.n ? nearest(&journal->aliases, root, rel, strlen(rel))
				   : NULL;
	if (alias) {
		*ret = path_rebase(rel, alias->to, alias->from);
		r = *ret ? 0 : -ENOMEM;
	}
	mutex_unlock(&journal->lock);
	return r;
}

bool journal_alias_has(struct journal *journal, int root, const char *rel)
{
	bool has;

	mutex_lock(&journal->lock);
	has = path_list_get(&journal->aliases, root, rel);
	mutex_unlock(&journal->lock);
	return has;
}

static bool covers(const struct alias *alias, uint64_t hash)
{
	return alias &&
	       (!alias->n_hashes || hashes_have(alias->hashes, alias->n_hashes, hash));
}

static bool shows_locked(struct journal *journal, int root, const char *rel,
			 uint64_t hash) REQUIRES(&journal->lock)
{
	size_t len = strlen(rel);
	const struct alias *alias = nearest(&journal->aliases, root, rel, len);
	size_t top = alias ? strlen(alias->to) : 0;
	bool is_here = true;

	if (!covers(alias, hash))
		return false;
	for (;;) {
		const struct whiteout *w =
			path_list_get_n(&journal->whiteouts, root, rel, len);

		if (w && w->kind == WHITEOUT_ALIAS)
			return false;
		if (w && (is_here || w->kind == WHITEOUT_TREE) &&
		    hashes_have(w->hashes, w->n_hashes, hash))
			return false;
		if (len <= top)
			return true;
		len = path_up(rel, len);
		is_here = false;
	}
}

bool journal_alias_shows(struct journal *journal, int root, const char *rel,
			 uint64_t hash)
{
	bool shows;

	mutex_lock(&journal->lock);
	shows = shows_locked(journal, root, rel, hash);
	mutex_unlock(&journal->lock);
	return shows;
}

bool journal_alias_covers(struct journal *journal, int root, const char *rel,
			  uint64_t hash)
{
	bool does;

	mutex_lock(&journal->lock);
	does = covers(nearest(&journal->aliases, root, rel, strlen(rel)), hash);
	mutex_unlock(&journal->lock);
	return does;
}

struct names {
	char **items;
	size_t n;
};

static void names_done(struct names *names)
{
	while (names->n > 0)
		free(names->items[--names->n]);
	free(names->items);
}

static int add_name(struct names *names, const char *name, size_t len)
{
	char **items;

	if (names->n && strncmp(names->items[names->n - 1], name, len) == 0 &&
	    !names->items[names->n - 1][len])
		return 0;
	items = reallocarray(names->items, names->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	names->items = items;
	items[names->n] = strndup(name, len);
	if (!items[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

/* Targets below one folder lie side by side, so equal first components do too. */
static int list_names(struct journal *journal, int root, const char *rel,
		      struct names *ret)
{
	const struct path_list *list = &journal->aliases;
	size_t skip = rel[0] ? strlen(rel) + 1 : 0;
	int r = 0;

	mutex_lock(&journal->lock);
	for (size_t i = path_list_lower(list, root, rel, strlen(rel));
	     r == 0 && path_list_is_below(list, i, root, rel); i++) {
		const char *target = list->items[i].rel;

		if (strlen(target) > skip)
			r = add_name(ret, target + skip, strcspn(target + skip, "/"));
	}
	mutex_unlock(&journal->lock);
	return r;
}

int journal_alias_list(struct journal *journal, int root, const char *rel,
		       int (*fn)(void *context, const char *name), void *context)
{
	_cleanup_(names_done) struct names names = { 0 };
	int r = list_names(journal, root, rel, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = fn(context, names.items[i]);
	return r;
}
