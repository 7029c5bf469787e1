/*
 * What a change of records means: which representations are whole, which names are shown and how. Each node
 * is told of once, however many of its facts changed.
 */
#include <errno.h>
#include <string.h>

#include "sync/columns.h"
#include "sync/index_private.h"

/* ---- what is to be settled ---- */

static int list_add(struct node_list *list, struct node *node)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		struct node **items = reallocarray(list->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = node;
	return 0;
}

int work_add_node(struct index *index, struct node *node, bool is_touched)
{
	int r = node->is_in_work ? 0 : list_add(&index->work.nodes, node);

	if (r < 0)
		return r;
	node->is_in_work = true;
	node->is_touched |= is_touched;
	return 0;
}

int work_add_flip(struct index *index, struct node *node)
{
	return list_add(&index->work.flips, node);
}

int work_add_repre(struct index *index, int64_t repre)
{
	struct work *work = &index->work;

	if (hash_set_has(&work->seen, (uint64_t)repre))
		return 0;
	if (work->n_repres == work->cap_repres) {
		size_t cap = work->cap_repres ? work->cap_repres * 2 : 16;
		int64_t *repres = reallocarray(work->repres, cap, sizeof(*repres));

		if (!repres)
			return -ENOMEM;
		work->repres = repres;
		work->cap_repres = cap;
	}
	if (hash_set_add(&work->seen, (uint64_t)repre) < 0)
		return -ENOMEM;
	work->repres[work->n_repres++] = repre;
	return 0;
}

/* Room is kept for the next change: loading makes a million of them. */
static void work_end(struct index *index)
{
	struct work *work = &index->work;

	for (size_t i = 0; i < work->nodes.n; i++)
		work->nodes.items[i]->is_in_work = work->nodes.items[i]->is_touched =
			work->nodes.items[i]->is_sent_anew = false;
	for (size_t i = 0; i < work->n_repres; i++)
		hash_set_remove(&work->seen, (uint64_t)work->repres[i]);
	work->nodes.n = work->flips.n = work->n_repres = 0;
}

void work_clear(struct index *index)
{
	struct work *work = &index->work;

	work_end(index);
	free(work->nodes.items);
	free(work->flips.items);
	free(work->repres);
	hash_set_done(&work->seen);
	*work = (struct work){ 0 };
}

/* ---- representations ---- */

/* One record, as far as it decides. */
struct part {
	int64_t node;
	int ours, remote, tries;
};

static bool has_failed(const struct index *index, const struct part *part)
{
	return part->remote == DOC_WANTED && part->tries > 0 &&
	       part->tries >= index->config->retry_cnt;
}

/* "Not asked for" and finally failed files do not hold back the rest, refused ones neither. */
static int judge_part(struct index *index, const struct part *part, int *flags)
{
	struct node *node;
	int r = tree_load(index, part->node, &node);

	if (r)
		return r == INDEX_NONE ? -EUCLEAN : r;
	if (node_is_folder(node))
		return 0;
	if (part->remote == DOC_PRESENT)
		*flags |= REPRE_PRESENT;
	else if (part->remote == DOC_WANTED && !has_failed(index, part))
		*flags &= ~REPRE_WHOLE;
	return 0;
}

static int judge_repre(struct index *index, int64_t repre, int *ret_flags)
{
	DB_ROWS *stmt = NULL;
	int flags = REPRE_WHOLE;
	int r = db_query(index->db, &stmt,
			 "SELECT node, r_presence, r_tries FROM record"
			 " WHERE repre=? AND node IS NOT NULL",
			 "i", repre);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct part part = {
			.node = db_int(stmt, 0),
			.remote = (int)db_int(stmt, 1),
			.tries = (int)db_int(stmt, 2),
		};

		r = judge_part(index, &part, &flags);
	}
	*ret_flags = flags;
	return r;
}

static int read_flags(struct index *index, int64_t repre, int *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt, "SELECT flags FROM repre WHERE id=?", "i",
			 repre);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	*ret = (int)db_int(stmt, 0);
	return 0;
}

static int add_nodes_of(struct index *index, int64_t repre)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT node FROM record WHERE repre=? AND node IS NOT NULL",
			 "i", repre);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct node *node;

		r = tree_load(index, db_int(stmt, 0), &node);
		if (r == 0)
			r = work_add_node(index, node, true);
		else if (r == INDEX_NONE)
			r = -EUCLEAN;
	}
	return r;
}

static int settle_repre(struct index *index, int64_t repre)
{
	int old, flags;
	int r = read_flags(index, repre, &old);

	if (r)
		return r == INDEX_NONE ? 0 : r;
	r = judge_repre(index, repre, &flags);
	if (r < 0 || flags == old)
		return r;
	r = db_run(index->db, "UPDATE repre SET flags=? WHERE id=?", "ii", (int64_t)flags,
		   repre);
	index->has_written = true;
	return r < 0 ? r : add_nodes_of(index, repre);
}

/* The node's records begin or cease to be refused. */
static int settle_flip(struct index *index, struct node *node)
{
	DB_ROWS *stmt = NULL;
	int r;

	if (node->is_dead)
		return 0;
	r = work_add_node(index, node, true);
	if (r == 0)
		r = db_query(index->db, &stmt, "SELECT repre FROM record WHERE node=?",
			     "i", node->id);
	while (r == 0 && (r = db_step(stmt)) > 0)
		r = work_add_repre(index, db_int(stmt, 0));
	return r;
}

/* ---- nodes ---- */

/* Facts of a file's node, from all records that name it. */
struct verdict {
	enum index_shown shown;
	int64_t size, mtime_ns;
	bool has_truth, has_object;
	bool has_former; /* the truth record is of a publish before */
	enum index_object_state object;
};

/* How one record shows the name (STATES: rows 1 to 9, nothing on the disk). */
static enum index_shown judge_shown(const struct index *index, const struct part *part,
				    int flags, enum index_object_state object)
{
	bool is_whole = (flags & REPRE_WHOLE) || index->is_partial_shown;

	if (!is_whole)
		return SHOWN_NOT;
	/* Row 8: recorded here, neither here nor there. */
	if (part->ours == DOC_PRESENT &&
	    (part->remote != DOC_PRESENT || object == OBJECT_MISSING ||
	     object == OBJECT_DIFFERENT))
		return SHOWN_NOT;
	if (part->remote == DOC_PRESENT)
		return SHOWN_FILE;
	return has_failed(index, part) && (flags & REPRE_PRESENT) ? SHOWN_FAILED
								  : SHOWN_NOT;
}

/* The file of this row is one that the record is of: nothing else needs to be known where no other names the node. */
static bool is_of_row(const struct truth *truth, struct sqlite3_stmt *stmt)
{
	return truth_files_have(&truth->files, db_text(stmt, 7), db_text(stmt, 8));
}

static int heed_truth(struct index *index, const struct node *node,
		      struct sqlite3_stmt *row, struct verdict *verdict)
{
	_cleanup_(truth_done) struct truth truth = { 0 };
	DB_ROWS *stmt = NULL;
	int is_former;
	int r = db_query(index->db, &stmt,
			 "SELECT size, mtime, files FROM truth"
			 " WHERE project=? AND key=? AND size>=0",
			 "is", db_int(row, 5), db_text(row, 6));

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	r = column_files(stmt, 2, &truth.files);
	if (r < 0)
		return r;
	is_former = node->n_records == 1 && is_of_row(&truth, row)
			    ? 0
			    : read_is_former(index->db, node->id, &truth);
	if (is_former < 0)
		return is_former;
	verdict->has_truth = !is_former;
	verdict->has_former = is_former;
	if (is_former)
		return 0;
	verdict->size = db_int(stmt, 0);
	if (db_int(stmt, 1) != -1)
		verdict->mtime_ns = db_int(stmt, 1);
	return 0;
}

static int heed_object(struct index *index, int64_t node, struct verdict *verdict)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT state, size, mtime FROM object WHERE node=?", "i", node);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	verdict->has_object = true;
	verdict->object = (enum index_object_state)db_int(stmt, 0);
	verdict->size = db_int(stmt, 1);
	verdict->mtime_ns = db_int(stmt, 2);
	return 0;
}

static int heed_record(struct index *index, const struct node *node,
		       struct sqlite3_stmt *stmt, struct verdict *verdict)
{
	struct part part = {
		.ours = (int)db_int(stmt, 0),
		.remote = (int)db_int(stmt, 1),
		.tries = (int)db_int(stmt, 2),
	};
	enum index_shown shown =
		judge_shown(index, &part, (int)db_int(stmt, 3), verdict->object);

	if (verdict->shown != SHOWN_FILE && shown != SHOWN_NOT)
		verdict->shown = shown;
	if (verdict->mtime_ns == -1)
		verdict->mtime_ns = db_int(stmt, 4);
	if (verdict->has_truth || verdict->has_former)
		return 0;
	return heed_truth(index, node, stmt, verdict);
}

/* Truth, then what was listed at the remote, then what the documents hint at; the oldest record first. */
static int judge_file(struct index *index, struct node *node, struct verdict *ret)
{
	struct verdict verdict = { .size = -1, .mtime_ns = -1 };
	DB_ROWS *stmt = NULL;
	int r = heed_object(index, node->id, &verdict);

	if (r == 0)
		r = db_query(index->db, &stmt,
			     "SELECT r.o_presence, r.r_presence, r.r_tries, p.flags,"
			     " r.mtime, p.project, coalesce(r.key, r.path), p.ident,"
			     " r.file FROM record r JOIN repre p ON p.id=r.repre"
			     " WHERE r.node=? ORDER BY r.id",
			     "i", node->id);
	while (r == 0 && (r = db_step(stmt)) > 0)
		r = heed_record(index, node, stmt, &verdict);
	*ret = verdict;
	return r;
}

/* What was seen of the object before it was sent anew was of another publish. */
static bool is_outdated(const struct node *node, const struct verdict *verdict)
{
	return node->is_sent_anew && verdict->has_object && !verdict->has_truth &&
	       (verdict->has_former || node->n_records == 1);
}

static int judge_anew(struct index *index, struct node *node, struct verdict *ret)
{
	int r = judge_file(index, node, ret);

	if (r < 0 || !is_outdated(node, ret))
		return r;
	index->has_written = true;
	r = db_run(index->db, "DELETE FROM object WHERE node=?", "i", node->id);
	return r < 0 ? r : judge_file(index, node, ret);
}

static int settle_node(struct index *index, struct node *node)
{
	struct verdict verdict = { .size = -1, .mtime_ns = -1 };
	int r = 0;

	if (node->is_dead)
		return 0;
	if (node_is_folder(node))
		verdict.shown = node->n_shown > 0 ? SHOWN_FILE : SHOWN_NOT;
	else
		r = judge_anew(index, node, &verdict);
	if (r < 0)
		return r;
	if (verdict.size != node->size || verdict.mtime_ns != node->mtime_ns) {
		node->size = verdict.size;
		node->mtime_ns = verdict.mtime_ns;
		node->is_dirty = node->is_touched = true;
	}
	node->is_touched |= verdict.shown != node->shown;
	return tree_set_shown(index, node, verdict.shown);
}

/* ---- in order ---- */

/* Pruning and representations add nodes as they go, so the lists are walked by position. */
static int settle(struct index *index)
{
	struct work *work = &index->work;
	size_t pruned = 0, flipped = 0, judged = 0;
	int r = 0;

	while (r == 0 && (pruned < work->nodes.n || flipped < work->flips.n ||
			  judged < work->n_repres)) {
		if (pruned < work->nodes.n)
			r = tree_prune(index, work->nodes.items[pruned++]);
		else if (flipped < work->flips.n)
			r = settle_flip(index, work->flips.items[flipped++]);
		else
			r = settle_repre(index, work->repres[judged++]);
	}
	for (size_t i = 0; r == 0 && i < work->nodes.n; i++)
		r = settle_node(index, work->nodes.items[i]);
	return r;
}

static int tell(struct index *index, index_touched_fn *fn, void *context)
{
	struct node_list *nodes = &index->work.nodes;
	int r = 0;

	for (size_t i = 0; r == 0 && i < nodes->n && fn; i++) {
		_cleanup_(freep) char *rel = NULL;
		int root;

		if (!nodes->items[i]->is_touched)
			continue;
		r = tree_path(index, nodes->items[i], &root, &rel);
		if (r == 0)
			r = fn(context, root, rel);
	}
	return r;
}

int work_settle(struct index *index, index_touched_fn *fn, void *context)
{
	int r = settle(index);

	if (r == 0)
		r = tell(index, fn, context);
	work_end(index);
	if (r == 0)
		r = tree_trim(index);
	return index_judge(index, r);
}

/* ---- all of it ---- */

/* The next ids of a table after one; read and let go, as settling runs the same tables. */
static int next_ids(struct db *db, const char *sql, int64_t after, int64_t *ids,
		    size_t *n)
{
	DB_ROWS *stmt = NULL;
	size_t max = *n;
	int r = db_query(db, &stmt, sql, "ii", after, (int64_t)max);

	*n = 0;
	while (r == 0 && (r = db_step(stmt)) > 0) {
		ids[(*n)++] = db_int(stmt, 0);
		r = 0;
	}
	return r;
}

static int settle_slices(struct index *index, const char *sql, bool is_repre)
{
	int64_t ids[256], after = 0;
	size_t n = ARRAY_SIZE(ids);
	int r = 0;

	while (r == 0 && n > 0) {
		n = ARRAY_SIZE(ids);
		r = next_ids(index->db, sql, after, ids, &n);
		for (size_t i = 0; r == 0 && i < n; i++) {
			struct node *node = NULL;

			after = ids[i];
			if (is_repre)
				r = work_add_repre(index, ids[i]);
			else
				r = tree_load(index, ids[i], &node);
			if (r == 0 && node)
				r = work_add_node(index, node, false);
		}
		if (r == 0)
			r = work_settle(index, NULL, NULL);
	}
	return r;
}

int work_settle_all(struct index *index)
{
	int r = settle_slices(
		index, "SELECT id FROM repre WHERE id>? ORDER BY id LIMIT ?", true);

	if (r == 0)
		r = settle_slices(index,
				  "SELECT id FROM node WHERE id>? AND records>0"
				  " AND children=0 ORDER BY id LIMIT ?",
				  false);
	return r;
}
