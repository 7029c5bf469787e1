/* Mark and sweep: after a full reading, what was not put since its beginning is dropped. */
#include <errno.h>
#include <string.h>

#include "sync/columns.h"
#include "sync/index_private.h"

/* Marks live in memory: a reading that does not end is begun again. */
int index_sweep_begin(struct index *index)
{
	hash_set_done(&index->swept);
	index->is_sweeping = true;
	return 0;
}

/* Representations of one project that were not put. */
struct stale {
	int64_t *ids;
	size_t n, cap;
	bool has_put; /* others of it were */
};

static void stale_done(struct stale *stale)
{
	free(stale->ids);
}

static int add_stale(struct stale *stale, int64_t id)
{
	if (stale->n == stale->cap) {
		size_t cap = stale->cap ? stale->cap * 2 : 64;
		int64_t *ids = reallocarray(stale->ids, cap, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		stale->ids = ids;
		stale->cap = cap;
	}
	stale->ids[stale->n++] = id;
	return 0;
}

static int find_stale(struct index *index, int64_t project, struct stale *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt, "SELECT id FROM repre WHERE project=?", "i",
			 project);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		int64_t id = db_int(stmt, 0);

		r = 0;
		if (hash_set_has(&index->swept, (uint64_t)id))
			ret->has_put = true;
		else
			r = add_stale(ret, id);
	}
	return r;
}

/* The project after one, in id order; INDEX_NONE. */
static int next_project(struct index *index, int64_t *id, char **ret_name)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT id, name FROM project WHERE id>? ORDER BY id LIMIT 1",
			 "i", *id);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	r = 0;
	*id = db_int(stmt, 0);
	*ret_name = column_text(stmt, 1, &r);
	return r;
}

static int sweep(struct index *index, index_touched_fn *fn, index_keep_fn *keep,
		 void *context)
{
	int64_t project = 0;
	int result = 0;

	for (;;) {
		_cleanup_(freep) char *name = NULL;
		_cleanup_(stale_done) struct stale stale = { 0 };
		int r = next_project(index, &project, &name);

		if (r)
			return r < 0 ? r : result;
		r = find_stale(index, project, &stale);
		if (r == 0 && (stale.n || stale.has_put) &&
		    keep(context, name, !stale.has_put)) {
			result = stale.has_put ? result : INDEX_EMPTIED;
			continue;
		}
		for (size_t i = 0; r == 0 && i < stale.n; i++)
			r = put_drop(index, stale.ids[i], fn, context);
		if (r)
			return r;
	}
}

int index_sweep_end(struct index *index, index_touched_fn *fn, index_keep_fn *keep,
		    void *context)
{
	bool is_own;
	int r = index_begin_own(index, &is_own);

	if (r == 0)
		r = index_end_own(index, is_own, sweep(index, fn, keep, context));
	index->is_sweeping = false;
	hash_set_done(&index->swept);
	return index_judge(index, r);
}
