/* A change of whiteouts and renames: planned from memory, written in one transaction, then applied. */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/columns.h"
#include "sync/journal_private.h"

void whiteout_done(struct whiteout *whiteout)
{
	free(whiteout->rel);
	free(whiteout->hashes);
	*whiteout = (struct whiteout){ 0 };
}

void whiteout_free(struct whiteout *whiteout)
{
	if (!whiteout)
		return;
	whiteout_done(whiteout);
	free(whiteout);
}

void alias_free(struct alias *alias)
{
	if (!alias)
		return;
	free(alias->to);
	free(alias->from);
	free(alias->hashes);
	free(alias);
}

struct whiteout *whiteout_new(enum whiteout_kind kind, int root, const char *rel,
			      const uint64_t *hashes, size_t n)
{
	_cleanup_(whiteout_freep) struct whiteout *whiteout =
		calloc(1, sizeof(*whiteout));

	if (!whiteout)
		return NULL;
	*whiteout = (struct whiteout){
		.kind = kind,
		.root = root,
		.rel = strdup(rel),
		.created_ms = clock_wall_ms(),
		.hashes = n ? malloc(n * sizeof(*hashes)) : NULL,
		.n_hashes = n,
	};
	if (!whiteout->rel || (n && !whiteout->hashes))
		return NULL;
	if (n)
		memcpy(whiteout->hashes, hashes, n * sizeof(*hashes));
	return steal(whiteout);
}

static void free_whiteout(void *value)
{
	whiteout_free(value);
}

static void free_alias(void *value)
{
	alias_free(value);
}

void laid_plan_done(struct laid_plan *plan)
{
	path_list_done(&plan->whiteouts, free_whiteout);
	path_list_done(&plan->aliases, free_alias);
}

const struct whiteout *laid_get(const struct laid_plan *plan, int root, const char *rel)
{
	const struct whiteout *planned = path_list_get(&plan->whiteouts, root, rel);

	if (planned)
		return planned->kind ? planned : NULL;
	return path_list_get(&plan->journal->whiteouts, root, rel);
}

int laid_put(struct laid_plan *plan, struct whiteout *whiteout)
{
	if (!whiteout || path_list_reserve(&plan->whiteouts, 1) < 0) {
		whiteout_free(whiteout);
		return -ENOMEM;
	}
	whiteout_free(
		path_list_put(&plan->whiteouts, whiteout->root, whiteout->rel, whiteout));
	return 0;
}

int laid_drop(struct laid_plan *plan, int root, const char *rel)
{
	return laid_put(plan, whiteout_new(0, root, rel, NULL, 0));
}

const struct alias *laid_get_alias(const struct laid_plan *plan, int root,
				   const char *rel)
{
	const struct alias *planned = path_list_get(&plan->aliases, root, rel);

	if (planned)
		return planned->from ? planned : NULL;
	return path_list_get(&plan->journal->aliases, root, rel);
}

int laid_put_alias(struct laid_plan *plan, struct alias *alias)
{
	if (!alias || path_list_reserve(&plan->aliases, 1) < 0) {
		alias_free(alias);
		return -ENOMEM;
	}
	alias_free(path_list_put(&plan->aliases, alias->root, alias->to, alias));
	return 0;
}

int laid_drop_alias(struct laid_plan *plan, int root, const char *rel)
{
	_cleanup_(alias_freep) struct alias *alias = calloc(1, sizeof(*alias));

	if (!alias)
		return -ENOMEM;
	alias->root = root;
	alias->to = strdup(rel);
	if (!alias->to)
		return -ENOMEM;
	return laid_put_alias(plan, steal(alias));
}

static int write_whiteout(struct db *db, const struct whiteout *whiteout)
{
	if (!whiteout->kind)
		return db_run(db, "DELETE FROM whiteout WHERE root=? AND rel=?", "is",
			      (int64_t)whiteout->root, whiteout->rel);
	return db_run(db, "INSERT OR REPLACE INTO whiteout VALUES(?, ?, ?, ?, ?)",
		      "isiib", (int64_t)whiteout->root, whiteout->rel,
		      (int64_t)whiteout->kind, whiteout->created_ms,
		      (const void *)whiteout->hashes,
		      whiteout->n_hashes * sizeof(*whiteout->hashes));
}

static int write_alias(struct db *db, const struct alias *alias)
{
	if (!alias->from)
		return db_run(db, "DELETE FROM alias WHERE root=? AND target=?", "is",
			      (int64_t)alias->root, alias->to);
	return db_run(db, "INSERT OR REPLACE INTO alias VALUES(?, ?, ?, ?, ?)", "issib",
		      (int64_t)alias->root, alias->to, alias->from, alias->created_ms,
		      (const void *)alias->hashes,
		      alias->n_hashes * sizeof(*alias->hashes));
}

static int write_plan(struct laid_plan *plan)
{
	struct db *db = plan->journal->db;
	int r = db_begin(db);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < plan->whiteouts.n; i++)
		r = write_whiteout(db, plan->whiteouts.items[i].value);
	for (size_t i = 0; r == 0 && i < plan->aliases.n; i++)
		r = write_alias(db, plan->aliases.items[i].value);
	return journal_end(plan->journal, r);
}

/* Room was reserved. What was dropped stays with the plan, which frees it. */
static void apply_plan(struct laid_plan *plan) REQUIRES(&plan->journal->lock)
{
	struct journal *journal = plan->journal;

	for (size_t i = 0; i < plan->whiteouts.n; i++) {
		struct path_item *item = &plan->whiteouts.items[i];
		struct whiteout *whiteout = item->value;

		if (!whiteout->kind) {
			whiteout_free(path_list_remove(&journal->whiteouts, item->root,
						       item->rel));
			continue;
		}
		whiteout_free(path_list_put(&journal->whiteouts, item->root, item->rel,
					    whiteout));
		item->value = NULL;
	}
	for (size_t i = 0; i < plan->aliases.n; i++) {
		struct path_item *item = &plan->aliases.items[i];
		struct alias *alias = item->value;

		if (!alias->from) {
			alias_free(path_list_remove(&journal->aliases, item->root,
						    item->rel));
			continue;
		}
		alias_free(
			path_list_put(&journal->aliases, item->root, item->rel, alias));
		item->value = NULL;
	}
	journal->laid_generation++;
}

int laid_run(struct laid_plan *plan)
{
	struct journal *journal = plan->journal;
	int r;

	if (!plan->whiteouts.n && !plan->aliases.n)
		return 0;
	mutex_lock(&journal->lock);
	r = path_list_reserve(&journal->whiteouts, plan->whiteouts.n);
	if (r == 0)
		r = path_list_reserve(&journal->aliases, plan->aliases.n);
	mutex_unlock(&journal->lock);
	if (r == 0)
		r = write_plan(plan);
	if (r < 0)
		return r;
	mutex_lock(&plan->journal->lock);
	apply_plan(plan);
	mutex_unlock(&plan->journal->lock);
	return 0;
}

static int load_whiteouts(struct laid_plan *plan)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(plan->journal->db, &stmt, "SELECT * FROM whiteout", "");

	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct whiteout *whiteout =
			whiteout_new((enum whiteout_kind)db_int(stmt, 2),
				     (int)db_int(stmt, 0), db_text(stmt, 1), NULL, 0);

		r = 0;
		if (whiteout) {
			whiteout->created_ms = db_int(stmt, 3);
			whiteout->hashes =
				column_hashes(stmt, 4, &whiteout->n_hashes, &r);
		}
		if (r == 0)
			r = laid_put(plan, whiteout);
		else
			whiteout_free(whiteout);
	}
	return r;
}

static int load_aliases(struct laid_plan *plan)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(plan->journal->db, &stmt, "SELECT * FROM alias", "");

	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct alias *alias = calloc(1, sizeof(*alias));

		if (!alias)
			return -ENOMEM;
		r = 0;
		alias->root = (int)db_int(stmt, 0);
		alias->to = column_text(stmt, 1, &r);
		alias->from = column_text(stmt, 2, &r);
		alias->created_ms = db_int(stmt, 3);
		alias->hashes = column_hashes(stmt, 4, &alias->n_hashes, &r);
		if (r == 0)
			r = laid_put_alias(plan, alias);
		else
			alias_free(alias);
	}
	return r;
}

int journal_load_laid(struct journal *journal)
{
	_cleanup_(laid_plan_done) struct laid_plan plan = { .journal = journal };
	int r = load_whiteouts(&plan);

	if (r == 0)
		r = load_aliases(&plan);
	if (r < 0)
		return r;
	mutex_lock(&plan.journal->lock);
	r = path_list_reserve(&plan.journal->whiteouts, plan.whiteouts.n);
	if (r == 0)
		r = path_list_reserve(&plan.journal->aliases, plan.aliases.n);
	if (r == 0)
		apply_plan(&plan);
	mutex_unlock(&plan.journal->lock);
	return r;
}
