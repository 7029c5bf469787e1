/* Staged files with their blocks, and uploads that can be resumed. */
#include <errno.h>
#include <string.h>

#include "sync/columns.h"
#include "sync/journal_private.h"

void staged_done(struct staged *staged)
{
	free(staged->rel);
	free(staged->name);
	free(staged->remote_id);
	free(staged->revision);
	*staged = (struct staged){ 0 };
}

static int load_staged(struct sqlite3_stmt *stmt, struct staged *ret)
{
	int r = 0;

	ret->root = (int)db_int(stmt, 0);
	ret->rel = column_text(stmt, 1, &r);
	ret->name = column_text(stmt, 2, &r);
	ret->remote_id = column_text(stmt, 3, &r);
	ret->revision = column_text(stmt, 4, &r);
	ret->size = db_int(stmt, 5);
	ret->mtime_ns = db_int(stmt, 6);
	return r;
}

/* Blocks belong to one file of one revision: put for another, they go. */
static int drop_foreign_blocks(struct db *db, const struct staged *staged)
{
	return db_run(db,
		      "DELETE FROM staged_block WHERE root=?1 AND rel=?2 AND NOT EXISTS("
		      "SELECT 1 FROM staged WHERE root=?1 AND rel=?2 AND name=?3"
		      " AND remote_id IS ?4 AND revision IS ?5 AND size=?6)",
		      "issssi", (int64_t)staged->root, staged->rel, staged->name,
		      staged->remote_id, staged->revision, staged->size);
}

int journal_staged_put(struct journal *journal, const struct staged *staged)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = drop_foreign_blocks(journal->db, staged);
	if (r == 0)
		r = db_run(journal->db,
			   "INSERT OR REPLACE INTO staged VALUES(?, ?, ?, ?, ?, ?, ?)",
			   "issssii", (int64_t)staged->root, staged->rel, staged->name,
			   staged->remote_id, staged->revision, staged->size,
			   staged->mtime_ns);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}

int journal_staged_add(struct journal *journal, int root, const char *rel,
		       const struct staged_block *blocks, size_t n)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = db_run(journal->db,
			   "INSERT OR REPLACE INTO staged_block VALUES(?, ?, ?, ?, ?)",
			   "isiii", (int64_t)root, rel, blocks[i].offset,
			   blocks[i].length, (int64_t)blocks[i].xxh3);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}

static int read_staged(struct db *db, int root, const char *rel, struct staged *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, "SELECT * FROM staged WHERE root=? AND rel=?", "is",
			 (int64_t)root, rel);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : JOURNAL_NONE;
	return load_staged(stmt, ret);
}

static int read_blocks(struct db *db, int root, const char *rel,
		       struct staged_block **blocks, size_t *ret_n)
{
	DB_ROWS *stmt = NULL;
	size_t n = 0;
	int r = db_query(db, &stmt,
			 "SELECT start, length, xxh3 FROM staged_block"
			 " WHERE root=? AND rel=? ORDER BY start",
			 "is", (int64_t)root, rel);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		if ((n & (n - 1)) == 0) {
			struct staged_block *more =
				reallocarray(*blocks, n ? n * 2 : 1, sizeof(**blocks));

			if (!more)
				return -ENOMEM;
			*blocks = more;
		}
		(*blocks)[n++] = (struct staged_block){
			.offset = db_int(stmt, 0),
			.length = db_int(stmt, 1),
			.xxh3 = (uint64_t)db_int(stmt, 2),
		};
		r = 0;
	}
	*ret_n = n;
	return r;
}

int journal_staged_get(struct journal *journal, int root, const char *rel,
		       struct staged *ret, struct staged_block **ret_blocks,
		       size_t *ret_n)
{
	_cleanup_(staged_done) struct staged staged = { 0 };
	_cleanup_(freep) struct staged_block *blocks = NULL;
	DB_LOAN loan = { 0 };
	size_t n = 0;
	int r;

	/* Blocks of a file that was put anew in between would be another's. */
	r = db_pool_take_snapshot(journal->readers, &loan);
	if (r == 0)
		r = read_staged(loan.db, root, rel, &staged);
	if (r == 0)
		r = read_blocks(loan.db, root, rel, &blocks, &n);
	if (r)
		return r;
	*ret = staged;
	staged = (struct staged){ 0 };
	*ret_blocks = steal(blocks);
	*ret_n = n;
	return 0;
}

int journal_staged_drop(struct journal *journal, int root, const char *rel)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = db_run(journal->db, "DELETE FROM staged_block WHERE root=? AND rel=?", "is",
		   (int64_t)root, rel);
	if (r == 0)
		r = db_run(journal->db, "DELETE FROM staged WHERE root=? AND rel=?", "is",
			   (int64_t)root, rel);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}

struct staged_list {
	struct staged *items;
	size_t n;
};

static void staged_list_done(struct staged_list *list)
{
	while (list->n > 0)
		staged_done(&list->items[--list->n]);
	free(list->items);
}

static int read_all_staged(struct journal *journal, struct staged_list *list)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt, "SELECT * FROM staged ORDER BY root, rel",
			     "");
	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct staged *more =
			reallocarray(list->items, list->n + 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->items = more;
		more[list->n] = (struct staged){ 0 };
		r = load_staged(stmt, &more[list->n++]);
	}
	return r;
}

/* Read whole first: FN may drop what it is told of, and there are only as many as are in flight. */
int journal_staged_each(struct journal *journal,
			int (*fn)(void *context, const struct staged *staged),
			void *context)
{
	_cleanup_(staged_list_done) struct staged_list list = { 0 };
	int r = read_all_staged(journal, &list);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = fn(context, &list.items[i]);
	return r;
}

int journal_upload_put(struct journal *journal, int root, const char *rel,
		       const char *site, const struct upload_resume *upload)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = db_run(journal->db,
		   "INSERT OR REPLACE INTO upload VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		   "issiiiisi", (int64_t)root, rel, site, (int64_t)upload->dev,
		   (int64_t)upload->ino, upload->size, upload->mtime_ns, upload->token,
		   upload->bytes);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}

int journal_upload_get(struct journal *journal, int root, const char *rel,
		       const char *site, struct upload_resume *ret)
{
	struct upload_resume upload = { 0 };
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT dev, ino, size, mtime, token, bytes FROM upload"
			     " WHERE root=? AND rel=? AND site=?",
			     "iss", (int64_t)root, rel, site);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : JOURNAL_NONE;
	r = 0;
	upload.dev = (uint64_t)db_int(stmt, 0);
	upload.ino = (uint64_t)db_int(stmt, 1);
	upload.size = db_int(stmt, 2);
	upload.mtime_ns = db_int(stmt, 3);
	upload.token = column_text(stmt, 4, &r);
	upload.bytes = db_int(stmt, 5);
	if (r == 0)
		*ret = upload;
	return r;
}

int journal_upload_drop(struct journal *journal, int root, const char *rel,
			const char *site)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = db_run(journal->db, "DELETE FROM upload WHERE root=? AND rel=? AND site=?",
		   "iss", (int64_t)root, rel, site);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}
