/* Inodes and the names under which the kernel knows them. */
#include "fs/inode.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fs/inode_private.h"

#define MANY 16384 /* inodes: what they take is worth giving back */

static uint64_t hash_name(const struct inode *parent, const char *text, size_t len)
{
	return XXH3_64bits_withSeed(text, len, (uintptr_t)parent);
}

static uint64_t hash_disk(uint64_t dev, uint64_t ino)
{
	uint64_t key[] = { dev, ino };

	return XXH3_64bits(key, sizeof(key));
}

struct name *inode_find_name(struct inodes *inodes, const struct inode *parent,
			     const char *text, size_t len)
{
	struct chain_link *link =
		chains_first(&inodes->names, hash_name(parent, text, len));

	for (; link; link = chains_next(link)) {
		struct name *name = (struct name *)link;

		if (name->parent == parent && strncmp(name->text, text, len) == 0 &&
		    !name->text[len])
			return name;
	}
	return NULL;
}

static struct name *find_name(struct inodes *inodes, const struct inode *parent,
			      const char *text) REQUIRES(&inodes->lock)
{
	return inode_find_name(inodes, parent, text, strlen(text));
}

static struct inode *find_disk(struct inodes *inodes, const struct inode_facts *found)
	REQUIRES(&inodes->lock)
{
	struct chain_link *link =
		chains_first(&inodes->disks, hash_disk(found->dev, found->ino));

	for (; link; link = chains_next(link)) {
		struct inode *inode = (struct inode *)link;

		if (inode->disk.dev == found->dev && inode->disk.ino == found->ino)
			return inode;
	}
	return NULL;
}

static void unchain(struct inodes *inodes, struct inode *inode) REQUIRES(&inodes->lock)
{
	if (inode->is_chained)
		chains_remove(&inodes->disks, &inode->link);
	inode->is_chained = false;
}

static void free_name(struct inodes *inodes, struct name *name) REQUIRES(&inodes->lock)
{
	struct inode *parent = name->parent;

	free(name);
	parent->n_refs--;
	inode_put(inodes, parent);
}

static void drop_last(struct inodes *inodes, struct inode *inode) REQUIRES(&inodes->lock)
{
	struct name *last = inode->last;

	inode->last = NULL;
	if (last)
		free_name(inodes, last);
}

static void remove_name(struct inodes *inodes, struct name *name) REQUIRES(&inodes->lock)
{
	struct inode *inode = name->inode;
	struct name **at = &inode->names;

	while (*at != name)
		at = &(*at)->next;
	*at = name->next;
	chains_remove(&inodes->names, &name->link);
	if (!inode->names) {
		unchain(inodes, inode);
		/* or the disk could not have its space back */
		inode_drop_backing(inodes, inode);
	}
	if (inode->names || !inode->n_lookups) {
		free_name(inodes, name);
		return;
	}
	drop_last(inodes, inode);
	inode->last = name;
}

void inode_drop_name(struct inodes *inodes, struct name *name)
{
	inode_count_change(name->parent);
	remove_name(inodes, name);
}

static void drop_names(struct inodes *inodes, struct inode *inode) REQUIRES(&inodes->lock)
{
	while (inode->names)
		inode_drop_name(inodes, inode->names);
}

void inode_put(struct inodes *inodes, struct inode *inode)
{
	if (inode->n_lookups || inode->n_refs || inode == inodes->top)
		return;
	/* the folder has them still: only the kernel forgot */
	while (inode->names)
		remove_name(inodes, inode->names);
	drop_last(inodes, inode);
	inode_drop_backing(inodes, inode);
	if (inode->next)
		inode->next->prev = inode->prev;
	if (inode->prev)
		inode->prev->next = inode->next;
	else
		inodes->all = inode->next;
	inodes->n_inodes--;
	free(inode->use);
	free(inode);
}

static void set_facts(struct inode *inode, const struct inode_facts *found)
{
	inode->kind = (unsigned char)found->kind;
	inode->type = (uint16_t)found->type;
	inode->root = found->root;
	inode->st_ino = found->st_ino;
	if (found->kind == INODE_STREAM) {
		inode->stream.size = found->size;
		inode->stream.mtime_ns = found->mtime_ns;
	} else {
		inode->disk.dev = found->dev;
		inode->disk.ino = found->ino;
	}
}

static struct inode *new_inode(struct inodes *inodes, const struct inode_facts *found)
	REQUIRES(&inodes->lock)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	set_facts(inode, found);
	inode->generation = ++inodes->generation;
	inode->next = inodes->all;
	if (inode->next)
		inode->next->prev = inode;
	inodes->all = inode;
	inodes->n_inodes++;
	if (inodes->n_inodes > inodes->n_peak)
		inodes->n_peak = inodes->n_inodes;
	return inode;
}

static struct name *new_name(const char *text)
{
	size_t len = strlen(text);
	struct name *name = malloc(sizeof(*name) + len + 1);

	if (!name)
		return NULL;
	memset(name, 0, sizeof(*name));
	memcpy(name->text, text, len + 1);
	return name;
}

static void add_name(struct inodes *inodes, struct name *name, struct inode *parent,
		     struct inode *inode) REQUIRES(&inodes->lock)
{
	name->parent = parent;
	name->inode = inode;
	name->next = inode->names;
	inode->names = name;
	chains_add(&inodes->names, &name->link,
		   hash_name(parent, name->text, strlen(name->text)));
	parent->n_refs++;
	if (inode->kind == INODE_DISK && !inode->is_chained) {
		chains_add(&inodes->disks, &inode->link,
			   hash_disk(inode->disk.dev, inode->disk.ino));
		inode->is_chained = true;
	}
	drop_last(inodes, inode);
}

uint64_t inode_id(const struct inode *inode)
{
	return inode->is_top ? INODE_TOP_ID : (uintptr_t)inode;
}

static bool is_folder(const struct inode *inode)
{
	return inode->kind == INODE_FOLDER || inode->kind == INODE_TOP;
}

void inode_count_change(struct inode *inode)
{
	if (is_folder(inode))
		inode->n_changes++;
}

void inode_copy_facts(const struct inode *inode, struct inode_facts *ret)
{
	bool is_stream = inode->kind == INODE_STREAM;

	*ret = (struct inode_facts){
		.kind = (enum inode_kind)inode->kind,
		.type = inode->type,
		.root = inode->root,
		.dev = is_stream ? 0 : inode->disk.dev,
		.ino = is_stream ? 0 : inode->disk.ino,
		.st_ino = inode->st_ino,
		.size = is_stream ? inode->stream.size : -1,
		.mtime_ns = is_stream ? inode->stream.mtime_ns : -1,
		.id = inode_id(inode),
		.generation = inode->generation,
		.is_named = inode->names || inode->is_top,
		.has_writers = inode->use && inode->use->n_writers > 0,
		.has_handles = inode_has_handles(inode),
		.has_opens = is_stream && inode->n_opens > 0,
		.n_changes = is_folder(inode) ? inode->n_changes : 0,
	};
}

int inodes_init(struct inodes *inodes, const struct inode_facts *top)
{
	int r;

	*inodes = (struct inodes){ 0 };
	mutex_init(&inodes->lock);
	mutex_lock(&inodes->lock);
	inodes->top = new_inode(inodes, top);
	if (inodes->top)
		inodes->top->is_top = true;
	r = inodes->top ? 0 : -ENOMEM;
	mutex_unlock(&inodes->lock);
	return r;
}

void inodes_done(struct inodes *inodes)
{
	mutex_lock(&inodes->lock);
	while (inodes->all) {
		struct inode *inode = inodes->all;

		inodes->all = inode->next;
		while (inode->names) {
			struct name *name = inode->names;

			inode->names = name->next;
			free(name);
		}
		free(inode->last);
		if (inode->use)
			inode->use->handles = NULL; /* there are none: see mount_run() */
		inode_drop_backing(inodes, inode);
		free(inode->use);
		free(inode);
	}
	chains_done(&inodes->names);
	chains_done(&inodes->disks);
	inodes_unlock(inodes);
	mutex_done(&inodes->lock);
}

size_t inodes_count(struct inodes *inodes)
{
	size_t n;

	mutex_lock(&inodes->lock);
	n = inodes->n_inodes;
	mutex_unlock(&inodes->lock);
	return n;
}

struct inode *inodes_at(struct inodes *inodes, uint64_t id)
{
	struct inode *top;

	if (id != INODE_TOP_ID)
		return (struct inode *)(uintptr_t)id;
	mutex_lock(&inodes->lock);
	top = inodes->top;
	mutex_unlock(&inodes->lock);
	return top;
}

void inodes_facts(struct inodes *inodes, struct inode *inode, struct inode_facts *ret)
{
	mutex_lock(&inodes->lock);
	inode_copy_facts(inode, ret);
	mutex_unlock(&inodes->lock);
}

static bool is_same_folder(const struct inode *known, const struct inode_facts *found)
{
	return !known->disk.dev || !found->dev ||
	       (known->disk.dev == found->dev && known->disk.ino == found->ino);
}

static bool is_same_stream(const struct inode *known, const struct inode_facts *found)
{
	return known->stream.size == found->size || known->stream.size < 0 ||
	       found->size < 0;
}

/* The disk uses inode numbers again. An equal one is the same file where we hold it open, where the name is
 * the one we know, or where it has further names. */
static struct inode *find_same_disk(struct inodes *inodes, const struct name *name,
				    const struct inode_facts *found)
	REQUIRES(&inodes->lock)
{
	struct inode *inode = find_disk(inodes, found);

	if (!inode)
		return NULL;
	if (inode->type == found->type &&
	    (inode_has_handles(inode) || found->n_links > 1 ||
	     (name && name->inode == inode)))
		return inode;
	return NULL;
}

static struct inode *find_same(struct inodes *inodes, const struct name *name,
			       const struct inode_facts *found) REQUIRES(&inodes->lock)
{
	const struct inode *known = name ? name->inode : NULL;

	if (found->kind == INODE_DISK)
		return find_same_disk(inodes, name, found);
	if (!known || known->kind != found->kind || known->root != found->root)
		return NULL;
	if (found->kind == INODE_FOLDER && is_same_folder(known, found))
		return name->inode;
	if (found->kind == INODE_STREAM && is_same_stream(known, found))
		return name->inode;
	return NULL;
}

static void update(struct inode *inode, const struct inode_facts *found)
{
	if (found->kind == INODE_FOLDER) {
		inode->disk.dev = found->dev;
		inode->disk.ino = found->ino;
	}
	if (found->kind == INODE_STREAM && found->size >= 0)
		inode->stream.size = found->size;
	if (found->kind == INODE_STREAM && found->mtime_ns >= 0)
		inode->stream.mtime_ns = found->mtime_ns;
}

static int take_locked(struct inodes *inodes, struct inode *parent, const char *text,
		       const struct inode_facts *found, struct inode **ret)
	REQUIRES(&inodes->lock)
{
	struct name *name = find_name(inodes, parent, text);
	struct inode *inode = find_same(inodes, name, found);
	struct name *added = NULL;

	if (chains_reserve(&inodes->names) < 0 || chains_reserve(&inodes->disks) < 0)
		return -ENOMEM;
	if (!inode || !name || name->inode != inode) {
		added = new_name(text);
		if (!added)
			return -ENOMEM;
	}
	if (!inode) {
		inode = new_inode(inodes, found);
		if (!inode) {
			free(added);
			return -ENOMEM;
		}
		if (found->kind == INODE_DISK) {
			struct inode *reused = find_disk(inodes, found);

			if (reused)
				drop_names(inodes, reused);
			name = find_name(inodes, parent, text);
		}
	}
	inode->n_lookups++;
	if (added)
		add_name(inodes, added, parent, inode);
	if (added && name)
		inode_drop_name(inodes, name);
	update(inode, found);
	*ret = inode;
	return 0;
}

int inodes_take(struct inodes *inodes, struct inode *parent, const char *name,
		const struct inode_facts *found, struct inode_facts *ret)
{
	struct inode *inode;
	int r;

	mutex_lock(&inodes->lock);
	r = take_locked(inodes, parent, name, found, &inode);
	if (r == 0)
		inode_copy_facts(inode, ret);
	inodes_unlock(inodes);
	return r;
}

void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t n)
{
	struct inode *inode = inodes_at(inodes, id);

	mutex_lock(&inodes->lock);
	if (inode != inodes->top) {
		inode->n_lookups -= n < inode->n_lookups ? n : inode->n_lookups;
		inode_put(inodes, inode);
	}
	inodes_unlock(inodes);
}

bool inodes_have_shrunk(struct inodes *inodes)
{
	bool have;

	mutex_lock(&inodes->lock);
	have = inodes->n_peak >= MANY && inodes->n_inodes <= inodes->n_peak / 2;
	if (have)
		inodes->n_peak = inodes->n_inodes;
	mutex_unlock(&inodes->lock);
	return have;
}

void inodes_shrink(struct inodes *inodes)
{
	mutex_lock(&inodes->lock);
	chains_shrink(&inodes->names);
	chains_shrink(&inodes->disks);
	mutex_unlock(&inodes->lock);
}

/* A root's folder: the path of what is below starts there. */
static bool is_root_folder(const struct inodes *inodes, const struct inode *inode)
	REQUIRES(&inodes->lock)
{
	return inode == inodes->top ||
	       (inode->names && inode->names->parent->kind == INODE_TOP);
}

/* Length of the path by NAME, or -1 where a folder above has lost its name. */
static ssize_t measure(const struct inodes *inodes, const struct name *name)
	REQUIRES(&inodes->lock)
{
	size_t len = strlen(name->text);

	while (!is_root_folder(inodes, name->parent)) {
		name = name->parent->names;
		if (!name)
			return -1;
		len += strlen(name->text) + 1;
	}
	return (ssize_t)len;
}

static int path_by_name(const struct inodes *inodes, const struct name *name, char **ret)
	REQUIRES(&inodes->lock)
{
	ssize_t len = measure(inodes, name);
	char *path, *end;

	if (len < 0)
		return -ESTALE;
	path = malloc((size_t)len + 1);
	if (!path)
		return -ENOMEM;
	end = path + len;
	*end = '\0';
	for (;;) {
		size_t n = strlen(name->text);

		end -= n;
		memcpy(end, name->text, n);
		if (is_root_folder(inodes, name->parent))
			break;
		*--end = '/';
		name = name->parent->names;
		assert(name); /* it was measured */
	}
	*ret = path;
	return 0;
}

/* By its Nth name. */
static int path_locked(const struct inodes *inodes, const struct inode *inode, size_t n,
		       char **ret) REQUIRES(&inodes->lock)
{
	const struct name *name = inode->names;

	if (is_root_folder(inodes, inode)) {
		*ret = n == 0 ? strdup("") : NULL;
		return n ? -ESTALE : *ret ? 0 : -ENOMEM;
	}
	while (name && n--)
		name = name->next;
	return name ? path_by_name(inodes, name, ret) : -ESTALE;
}

int inodes_path(struct inodes *inodes, struct inode *inode, size_t n, char **ret,
		struct inode_facts *facts)
{
	int r;

	mutex_lock(&inodes->lock);
	if (facts)
		inode_copy_facts(inode, facts);
	r = path_locked(inodes, inode, n, ret);
	mutex_unlock(&inodes->lock);
	return r;
}

int inodes_begin_open(struct inodes *inodes, struct inode *inode, char **ret,
		      struct inode_facts *facts)
{
	int r;

	mutex_lock(&inodes->lock);
	inode->n_opens++;
	inode_copy_facts(inode, facts);
	r = path_locked(inodes, inode, 0, ret);
	mutex_unlock(&inodes->lock);
	return r;
}

int inodes_last_path(struct inodes *inodes, struct inode *inode, char **ret)
{
	int r = -ESTALE;

	mutex_lock(&inodes->lock);
	if (inode->last)
		r = path_by_name(inodes, inode->last, ret);
	mutex_unlock(&inodes->lock);
	return r;
}

uint64_t inodes_known_ino(struct inodes *inodes, struct inode *parent, const char *name)
{
	struct name *known;
	uint64_t ino;

	mutex_lock(&inodes->lock);
	known = find_name(inodes, parent, name);
	ino = known ? known->inode->st_ino : 0;
	mutex_unlock(&inodes->lock);
	return ino;
}

uint64_t inodes_parent_ino(struct inodes *inodes, struct inode *inode)
{
	uint64_t ino;

	mutex_lock(&inodes->lock);
	ino = inode->names ? inode->names->parent->st_ino : inode->st_ino;
	mutex_unlock(&inodes->lock);
	return ino;
}

uint64_t inodes_parent_id(struct inodes *inodes, struct inode *inode)
{
	uint64_t id;

	mutex_lock(&inodes->lock);
	id = inode->names ? inode_id(inode->names->parent) : 0;
	mutex_unlock(&inodes->lock);
	return id;
}

static void unname_locked(struct inodes *inodes, struct inode *parent, const char *text)
	REQUIRES(&inodes->lock)
{
	struct name *name = find_name(inodes, parent, text);

	if (!name)
		return;
	parent->n_refs++; /* the name may be the last to hold it */
	inode_drop_name(inodes, name);
	parent->n_refs--;
}

void inodes_unname(struct inodes *inodes, struct inode *parent, const char *name)
{
	mutex_lock(&inodes->lock);
	unname_locked(inodes, parent, name);
	inodes_unlock(inodes);
}

int inodes_rename(struct inodes *inodes, struct inode *parent, const char *name,
		  struct inode *new_parent, const char *new_name_text)
{
	struct name *added = new_name(new_name_text);
	struct name *known;
	struct inode *inode;
	int r = 0;

	mutex_lock(&inodes->lock);
	known = find_name(inodes, parent, name);
	if (known && (!added || chains_reserve(&inodes->names) < 0 ||
		      chains_reserve(&inodes->disks) < 0))
		r = -ENOMEM;
	unname_locked(inodes, new_parent, new_name_text);
	if (r < 0)
		unname_locked(inodes, parent, name);
	if (known && r == 0) {
		inode = known->inode;
		inode->n_refs++;
		add_name(inodes, steal(added), new_parent, inode);
		inode_drop_name(inodes, known);
		inode->n_refs--;
	}
	inodes_unlock(inodes);
	free(added);
	return r;
}

static void give_name(struct name *name, struct inode *inode)
{
	struct name **at = &name->inode->names;

	while (*at != name)
		at = &(*at)->next;
	*at = name->next;
	name->next = inode->names;
	inode->names = name;
	name->inode = inode;
}

void inodes_exchange(struct inodes *inodes, struct inode *parent, const char *name,
		     struct inode *other_parent, const char *other_name)
{
	struct name *one, *other;

	mutex_lock(&inodes->lock);
	one = find_name(inodes, parent, name);
	other = find_name(inodes, other_parent, other_name);
	if (one && other) {
		struct inode *inode = one->inode;

		inode_count_change(parent);
		inode_count_change(other_parent);
		give_name(one, other->inode);
		give_name(other, inode);
	} else {
		unname_locked(inodes, parent, name);
		unname_locked(inodes, other_parent, other_name);
	}
	inodes_unlock(inodes);
}

void inodes_set_disk(struct inodes *inodes, struct inode *inode, uint64_t dev,
		     uint64_t ino)
{
	mutex_lock(&inodes->lock);
	inode->disk.dev = dev;
	inode->disk.ino = ino;
	mutex_unlock(&inodes->lock);
}
