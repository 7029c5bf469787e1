/* Whiteouts: names that a person took away. Questions are answered from memory. */
#include <errno.h>
#include <string.h>

#include "sync/journal_private.h"

static int copy_whiteout(const struct whiteout *whiteout, struct whiteout *ret)
{
	struct whiteout *copy =
		whiteout_new(whiteout->kind, whiteout->root, whiteout->rel,
			     whiteout->hashes, whiteout->n_hashes);

	if (!copy)
		return -ENOMEM;
	copy->created_ms = whiteout->created_ms;
	*ret = *copy;
	free(copy);
	return 0;
}

int journal_whiteout_put(struct journal *journal, const struct whiteout *whiteout)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	struct whiteout *copy =
		whiteout_new(whiteout->kind, whiteout->root, whiteout->rel,
			     whiteout->hashes, whiteout->n_hashes);
	int r;

	if (copy && whiteout->created_ms)
		copy->created_ms = whiteout->created_ms;
	r = laid_put(&plan, copy);
	if (r < 0)
		return r;
	journal_take_pen(journal);
	r = laid_run(&plan);
	journal_give_pen(journal);
	return r;
}

static bool has_whiteout(struct journal *journal, int root, const char *rel)
{
	bool has;

	mutex_lock(&journal->lock);
	has = path_list_get(&journal->whiteouts, root, rel);
	mutex_unlock(&journal->lock);
	return has;
}

int journal_whiteout_drop(struct journal *journal, int root, const char *rel)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	int r = laid_drop(&plan, root, rel);

	if (r < 0)
		return r;
	journal_take_pen(journal);
	r = has_whiteout(journal, root, rel) ? laid_run(&plan) : JOURNAL_NONE;
	journal_give_pen(journal);
	return r;
}

/* The hashes of W that are not in HASHES stay; without any left the whiteout goes. */
static int keep_others(struct laid_plan *plan, const struct whiteout *w,
		       const uint64_t *hashes, size_t n)
{
	_cleanup_(whiteout_freep) struct whiteout *rest =
		whiteout_new(w->kind, w->root, w->rel, w->hashes, w->n_hashes);

	if (!rest)
		return -ENOMEM;
	rest->created_ms = w->created_ms;
	rest->n_hashes =
		hashes_filter(w->hashes, w->n_hashes, hashes, n, false, rest->hashes);
	if (rest->n_hashes == w->n_hashes)
		return 0;
	if (!rest->n_hashes)
		return laid_drop(plan, w->root, w->rel);
	return laid_put(plan, steal(rest));
}

static int plan_lift(struct laid_plan *plan, int root, const char *rel,
		     const uint64_t *hashes, size_t n) REQUIRES(&plan->journal->lock)
{
	const struct path_list *list = &plan->journal->whiteouts;
	size_t len = strlen(rel);
	int r = 0;

	for (size_t i = path_list_lower(list, root, rel, len);
	     r == 0 && path_list_is_below(list, i, root, rel); i++)
		r = laid_drop(plan, root, list->items[i].rel);
	while (r == 0 && len > 0) {
		const struct whiteout *w;

		len = path_up(rel, len);
		w = path_list_get_n(list, root, rel, len);
		if (w && w->kind == WHITEOUT_TREE)
			r = keep_others(plan, w, hashes, n);
		else if (w && w->kind == WHITEOUT_ALIAS)
			r = laid_drop(plan, root, w->rel);
	}
	return r;
}

int journal_whiteout_lift(struct journal *journal, int root, const char *rel,
			  const uint64_t *hashes, size_t n)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	int r;

	journal_take_pen(journal);
	mutex_lock(&plan.journal->lock);
	r = plan_lift(&plan, root, rel, hashes, n);
	mutex_unlock(&plan.journal->lock);
	if (r == 0)
		r = plan.whiteouts.n ? laid_run(&plan) : JOURNAL_NONE;
	journal_give_pen(journal);
	return r;
}

/* The whiteout on exactly this path, else the nearest TREE above. */
static const struct whiteout *find_locked(struct journal *journal, int root,
					  const char *rel) REQUIRES(&journal->lock)
{
	size_t len = strlen(rel);
	const struct whiteout *w = path_list_get_n(&journal->whiteouts, root, rel, len);

	while (!w && len > 0) {
		len = path_up(rel, len);
		w = path_list_get_n(&journal->whiteouts, root, rel, len);
		if (w && w->kind != WHITEOUT_TREE)
			w = NULL;
	}
	return w;
}

int journal_whiteout_find(struct journal *journal, int root, const char *rel,
			  struct whiteout *ret)
{
	const struct whiteout *w;
	int r = JOURNAL_NONE;

	mutex_lock(&journal->lock);
	w = find_locked(journal, root, rel);
	if (w)
		r = copy_whiteout(w, ret);
	mutex_unlock(&journal->lock);
	return r;
}

static bool hides_below(const struct whiteout *w)
{
	return w->kind == WHITEOUT_TREE || w->kind == WHITEOUT_ALIAS;
}

bool journal_is_hidden(struct journal *journal, int root, const char *rel, uint64_t hash)
{
	const struct path_list *list = &journal->whiteouts;
	size_t len = strlen(rel);
	const struct whiteout *w;
	bool is_hidden;

	mutex_lock(&journal->lock);
	w = path_list_get_n(list, root, rel, len);
	is_hidden = w && hashes_have(w->hashes, w->n_hashes, hash);
	while (!is_hidden && len > 0 && list->n) {
		len = path_up(rel, len);
		w = path_list_get_n(list, root, rel, len);
		is_hidden =
			w && hides_below(w) && hashes_have(w->hashes, w->n_hashes, hash);
	}
	mutex_unlock(&journal->lock);
	return is_hidden;
}

unsigned journal_whiteout_marks(struct journal *journal, int root, const char *rel,
				bool is_alias)
{
	const struct path_list *list = &journal->whiteouts;
	size_t len = strlen(rel);
	const struct whiteout *w;
	unsigned marks = 0;

	mutex_lock(&journal->lock);
	w = path_list_get_n(list, root, rel, len);
	if (w)
		marks |= 1u << w->kind;
	while (len > 0 && list->n) {
		/* What a rename shows is not touched by what lies above its target. */
		if (is_alias && path_list_get_n(&journal->aliases, root, rel, len))
			break;
		len = path_up(rel, len);
		w = path_list_get_n(list, root, rel, len);
		if (w && hides_below(w) && w->n_hashes)
			marks |= WHITEOUT_MARK_TREE_ABOVE;
		if (w && w->kind == WHITEOUT_ALIAS && is_alias)
			marks |= WHITEOUT_MARK_ALIAS_ABOVE;
	}
	mutex_unlock(&journal->lock);
	return marks;
}

bool journal_has_whiteouts_below(struct journal *journal, int root, const char *rel)
{
	const struct path_list *list = &journal->whiteouts;
	bool has;

	mutex_lock(&journal->lock);
	has = path_list_is_below(list, path_list_lower(list, root, rel, strlen(rel)),
				 root, rel);
	mutex_unlock(&journal->lock);
	return has;
}

struct whiteout_copies {
	struct whiteout *items;
	size_t n;
};

static void copies_done(struct whiteout_copies *copies)
{
	while (copies->n > 0)
		whiteout_done(&copies->items[--copies->n]);
	free(copies->items);
}

static int copy_all(struct journal *journal, struct whiteout_copies *ret)
{
	const struct path_list *list = &journal->whiteouts;
	int r = 0;

	mutex_lock(&journal->lock);
	ret->items = calloc(list->n ? list->n : 1, sizeof(*ret->items));
	if (!ret->items)
		r = -ENOMEM;
	while (r == 0 && ret->n < list->n) {
		r = copy_whiteout(list->items[ret->n].value, &ret->items[ret->n]);
		ret->n += r == 0;
	}
	mutex_unlock(&journal->lock);
	return r;
}

int journal_whiteout_each(struct journal *journal,
			  int (*fn)(void *context, const struct whiteout *whiteout),
			  void *context)
{
	_cleanup_(copies_done) struct whiteout_copies copies = { 0 };
	int r = copy_all(journal, &copies);

	for (size_t i = 0; r == 0 && i < copies.n; i++)
		r = fn(context, &copies.items[i]);
	return r;
}

uint64_t journal_laid_generation(struct journal *journal)
{
	uint64_t generation;

	mutex_lock(&journal->lock);
	generation = journal->laid_generation;
	mutex_unlock(&journal->lock);
	return generation;
}
