/*
 * The tree as its writer sees it: nodes are read once, changed in memory and written when the transaction
 * ends. Counts run upwards here: a folder knows how many children it has and how many of them are shown.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/base/path_list.h"
#include "sync/columns.h"
#include "sync/index_private.h"

#define MAX_NODES 20000 /* about 5 MB */

#define NODE_COLUMNS                                                               \
	"parent, name, id, children, shown_children, records, shown, size, mtime," \
	" project"

struct name_key {
	char data[sizeof(int64_t) + PATH_COMPONENT_MAX];
	size_t len;
};

/* Components are 255 bytes at most: paths were judged before. */
static int make_name_key(struct name_key *key, int64_t parent, const char *name,
			 size_t len)
{
	if (len > PATH_COMPONENT_MAX)
		return -ENAMETOOLONG;
	memcpy(key->data, &parent, sizeof(parent));
	memcpy(key->data + sizeof(parent), name, len);
	key->len = sizeof(parent) + len;
	return 0;
}

static void node_free(void *value)
{
	struct node *node = value;

	free(node->name);
	free(node);
}

bool node_is_folder(const struct node *node)
{
	return node->n_children > 0 || node->parent == 0;
}

static enum node_class classify(const struct node *node)
{
	if (node->is_dead || node->parent == 0)
		return NODE_NOTHING;
	if (node_is_folder(node))
		return NODE_FOLDER;
	switch (node->shown) {
	case SHOWN_NOT:
		return NODE_AWAITED;
	case SHOWN_FILE:
		return NODE_SHOWN;
	case SHOWN_FAILED:
		return NODE_FAILED;
	}
	return NODE_NOTHING;
}

/* Takes the node, also on failure. */
static int keep(struct index *index, struct node *node)
{
	struct tree *tree = &index->tree;
	struct name_key key;
	int r = make_name_key(&key, node->parent, node->name, strlen(node->name));

	if (r == 0)
		r = map_put_n(&tree->by_name, key.data, key.len, node, NULL);
	if (r < 0) {
		node_free(node);
		return r;
	}
	r = map_put_n(&tree->by_id, &node->id, sizeof(node->id), node, NULL);
	if (r < 0) {
		map_remove_n(&tree->by_name, key.data, key.len);
		node_free(node);
	}
	return r;
}

static struct node *node_new(int64_t parent, const char *name, size_t len)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->parent = parent;
	node->name = strndup(name, len);
	node->size = node->mtime_ns = -1;
	node->project = PROJECT_NONE;
	if (node->name)
		return node;
	free(node);
	return NULL;
}

static int keep_row(struct index *index, struct sqlite3_stmt *stmt, struct node **ret)
{
	size_t len;
	const char *name = db_blob(stmt, 1, &len);
	struct node *node = node_new(db_int(stmt, 0), name ? name : "", len);
	int r;

	if (!node)
		return -ENOMEM;
	node->id = db_int(stmt, 2);
	node->n_children = db_int(stmt, 3);
	node->n_shown = db_int(stmt, 4);
	node->n_records = db_int(stmt, 5);
	node->shown = (enum index_shown)db_int(stmt, 6);
	node->size = db_int(stmt, 7);
	node->mtime_ns = db_int(stmt, 8);
	node->project = db_int(stmt, 9);
	node->is_stored = true;
	node->stored = classify(node);
	r = keep(index, node);
	if (r == 0)
		*ret = node;
	return r;
}

int tree_load(struct index *index, int64_t id, struct node **ret)
{
	struct node *node = map_get_n(&index->tree.by_id, &id, sizeof(id));
	DB_ROWS *stmt = NULL;
	int r;

	if (node) {
		*ret = node;
		return node->is_dead ? INDEX_NONE : 0;
	}
	r = db_query(index->db, &stmt, "SELECT " NODE_COLUMNS " FROM node WHERE id=?",
		     "i", id);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	return keep_row(index, stmt, ret);
}

static bool is_cached(struct index *index, int64_t id)
{
	return map_get_n(&index->tree.by_id, &id, sizeof(id));
}

static int find_child(struct index *index, struct node *parent, const char *name,
		      size_t len, struct node **ret)
{
	struct node *node;
	struct name_key key;
	DB_ROWS *stmt = NULL;
	int r = make_name_key(&key, parent->id, name, len);

	if (r < 0)
		return r;
	node = map_get_n(&index->tree.by_name, key.data, key.len);
	if (node) {
		*ret = node;
		return 0;
	}
	if (!parent->is_stored || !parent->n_children)
		return INDEX_NONE;
	r = db_query(index->db, &stmt,
		     "SELECT " NODE_COLUMNS " FROM node WHERE parent=? AND name=?", "ib",
		     parent->id, (const void *)name, len);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	if (is_cached(index, db_int(stmt, 2)))
		return INDEX_NONE; /* dead, its row not deleted yet */
	return keep_row(index, stmt, ret);
}

static int make_child(struct index *index, struct node *parent, const char *name,
		      size_t len, struct node **ret)
{
	struct node *node = node_new(parent->id, name, len);
	int r;

	if (!node)
		return -ENOMEM;
	node->id = index->tree.next_id;
	node->is_dirty = true;
	r = keep(index, node);
	if (r < 0)
		return r;
	index->tree.next_id++;
	node->up = parent;
	*ret = node;
	if (parent->n_children++ == 0 && parent->n_records)
		r = work_add_flip(index, parent);
	parent->is_dirty = true;
	return r;
}

static int walk(struct index *index, int root, const char *rel, bool can_make,
		struct node **ret)
{
	struct node *node = NULL;
	int r = tree_load(index, (int64_t)root + 1, &node);

	for (const char *p = rel; r == 0 && *p;) {
		size_t len = strcspn(p, "/");
		struct node *child = NULL;

		r = find_child(index, node, p, len, &child);
		if (r == INDEX_NONE && can_make)
			r = make_child(index, node, p, len, &child);
		if (r == 0) {
			child->up = node;
			node = child;
		}
		p += len;
		p += *p == '/';
	}
	if (r == 0)
		*ret = node;
	return r;
}

int tree_find(struct index *index, int root, const char *rel, struct node **ret)
{
	return walk(index, root, rel, false, ret);
}

int tree_make(struct index *index, int root, const char *rel, struct node **ret)
{
	return walk(index, root, rel, true, ret);
}

/* The folder above, or NULL for a root's. */
static int load_up(struct index *index, struct node *node, struct node **ret)
{
	int r = 0;

	if (!node->up && node->parent)
		r = tree_load(index, node->parent, &node->up);
	*ret = node->up;
	/* A row without its folder: the rows contradict each other. */
	return r == INDEX_NONE && !node->up ? -EUCLEAN : r < 0 ? r : 0;
}

int tree_attach(struct index *index, struct node *node, int64_t project)
{
	struct node *up = node;
	int r = 0;

	node->n_records++;
	node->is_dirty = true;
	/* Until a node of several projects: those above it are so too. */
	while (r == 0 && up && up->project != project && up->project != 0) {
		up->project = up->project == PROJECT_NONE ? project : 0;
		up->is_dirty = true;
		r = load_up(index, up, &up);
	}
	return r;
}

void tree_detach(struct node *node)
{
	node->n_records--;
	node->is_dirty = true;
}

int tree_set_shown(struct index *index, struct node *node, enum index_shown shown)
{
	int r = 0;

	while (r == 0 && node && node->shown != shown) {
		int step = (shown != SHOWN_NOT) - (node->shown != SHOWN_NOT);

		node->shown = shown;
		node->is_dirty = true;
		/* A folder that begins or ends to be shown is told of like a file. */
		if (node_is_folder(node) && node->parent)
			r = work_add_node(index, node, true);
		if (r == 0)
			r = load_up(index, node, &node);
		if (!node || !step)
			break;
		node->n_shown += step;
		node->is_dirty = true;
		shown = node->n_shown > 0 ? SHOWN_FILE : SHOWN_NOT;
	}
	return r;
}

int tree_prune(struct index *index, struct node *node)
{
	int r = 0;

	while (r == 0 && node && node->parent && !node->n_records && !node->n_children) {
		struct name_key key;
		struct node *up = NULL;

		r = tree_set_shown(index, node, SHOWN_NOT);
		if (r == 0)
			r = load_up(index, node, &up);
		if (r == 0)
			r = make_name_key(&key, node->parent, node->name,
					  strlen(node->name));
		if (r < 0 || !up)
			return r;
		map_remove_n(&index->tree.by_name, key.data, key.len);
		node->is_dead = node->is_dirty = true;
		up->n_children--;
		up->is_dirty = true;
		if (!up->n_children && up->n_records)
			r = work_add_flip(index, up);
		node = up;
	}
	return r;
}

static int measure_path(struct index *index, struct node *node, struct node **ret_top,
			size_t *ret_len)
{
	size_t len = 0;

	while (node->parent) {
		int r;

		len += strlen(node->name) + 1;
		r = load_up(index, node, &node);
		if (r < 0)
			return r;
	}
	*ret_top = node;
	*ret_len = len;
	return 0;
}

int tree_path(struct index *index, struct node *node, int *ret_root, char **ret_rel)
{
	struct node *top;
	size_t len;
	char *rel;
	int r = measure_path(index, node, &top, &len);

	if (r < 0)
		return r;
	rel = calloc(1, len + 1);
	if (!rel)
		return -ENOMEM;
	/* From the end: the last name is the one at hand. LEN counts a slash too many. */
	for (size_t end = len; node->parent; node = node->up) {
		size_t n = strlen(node->name);

		end -= n + 1;
		memcpy(rel + end, node->name, n);
		if (end)
			rel[end - 1] = '/';
	}
	*ret_root = (int)top->id - 1;
	*ret_rel = rel;
	return 0;
}

static int write_node(struct index *index, struct node *node)
{
	if (!node->is_stored)
		return db_run(index->db,
			      "INSERT INTO node(" NODE_COLUMNS ")"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "ibiiiiiiii", node->parent, (const void *)node->name,
			      strlen(node->name), node->id, node->n_children,
			      node->n_shown, node->n_records, (int64_t)node->shown,
			      node->size, node->mtime_ns, node->project);
	return db_run(index->db,
		      "UPDATE node SET children=?, shown_children=?, records=?, shown=?,"
		      " size=?, mtime=?, project=? WHERE parent=? AND name=?",
		      "iiiiiiiib", node->n_children, node->n_shown, node->n_records,
		      (int64_t)node->shown, node->size, node->mtime_ns, node->project,
		      node->parent, (const void *)node->name, strlen(node->name));
}

static int delete_node(struct index *index, const struct node *node)
{
	int r = db_run(index->db, "DELETE FROM object WHERE node=?", "i", node->id);

	if (r == 0 && node->is_stored)
		r = db_run(index->db, "DELETE FROM node WHERE parent=? AND name=?", "ib",
			   node->parent, (const void *)node->name, strlen(node->name));
	return r;
}

static void count_node(struct index *index, struct node *node)
{
	enum node_class now = classify(node);

	index->totals.n[node->stored]--;
	index->totals.n[now]++;
	node->stored = now;
	node->is_stored = !node->is_dead;
	node->is_dirty = false;
	index->has_written = true;
}

/* The dead first: their names may have been given again. */
int tree_flush(struct index *index)
{
	struct map *map = &index->tree.by_id;
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (slot = map_next(map, &pos))) {
		struct node *node = slot->value;

		if (!node->is_dead || !node->is_dirty)
			continue;
		r = delete_node(index, node);
		count_node(index, node);
	}
	pos = 0;
	while (r == 0 && (slot = map_next(map, &pos))) {
		struct node *node = slot->value;

		if (!node->is_dirty)
			continue;
		r = write_node(index, node);
		count_node(index, node);
	}
	return r;
}

int tree_trim(struct index *index)
{
	int r;

	if (map_size(&index->tree.by_id) < MAX_NODES)
		return 0;
	r = tree_flush(index);
	if (r == 0)
		tree_clear(index);
	return r;
}

void tree_clear(struct index *index)
{
	map_done(&index->tree.by_name, NULL);
	map_done(&index->tree.by_id, node_free);
}

int tree_start(struct index *index)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt, "SELECT max(id) FROM node", "");

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	index->tree.next_id = db_int(stmt, 0) + 1;
	return 0;
}
