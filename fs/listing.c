/* What a folder shows, packed: 32 bytes and the name per entry. */
#include "fs/listing.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"

struct row {
	uint32_t name; /* offset */
	unsigned char type;
	bool is_disk, is_folder;
	uint64_t ino;
	int64_t size, mtime_ns;
};

struct listing {
	struct buf names; /* each with its NUL */
	struct row *rows;
	size_t n_rows, n_room, n_disk;
	bool is_sorted, has_unknown;
	uint64_t version;
};

int listing_new(uint64_t version, struct listing **ret)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return -ENOMEM;
	listing->version = version;
	*ret = listing;
	return 0;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	buf_done(&listing->names);
	free(listing->rows);
	free(listing);
}

static const char *name_of(const struct listing *listing, const struct row *row)
{
	return listing->names.data + row->name;
}

static int add_row(struct listing *listing, const char *name, const struct row *row)
{
	size_t offset = listing->names.len;
	int r;

	if (listing->n_rows == listing->n_room) {
		size_t n_room = listing->n_room ? listing->n_room * 2 : 64;
		struct row *rows =
			reallocarray(listing->rows, n_room, sizeof(*listing->rows));

		if (!rows)
			return -ENOMEM;
		listing->rows = rows;
		listing->n_room = n_room;
	}
	if (offset > UINT32_MAX)
		return -ENOMEM;
	r = buf_add(&listing->names, name, strlen(name) + 1);
	if (r < 0)
		return r;
	listing->rows[listing->n_rows] = *row;
	listing->rows[listing->n_rows++].name = (uint32_t)offset;
	return 0;
}

int listing_add_disk(struct listing *listing, const char *name, unsigned char type,
		     uint64_t ino)
{
	int r = add_row(listing, name,
			&(struct row){ .type = type, .is_disk = true, .ino = ino });

	if (r == 0)
		listing->n_disk = listing->n_rows;
	return r;
}

static int compare_rows(const void *a, const void *b, void *context)
{
	return strcmp(name_of(context, a), name_of(context, b));
}

static bool is_on_disk(struct listing *listing, const char *name)
{
	size_t low = 0, high = listing->n_disk;

	if (!listing->is_sorted && listing->n_disk)
		qsort_r(listing->rows, listing->n_disk, sizeof(*listing->rows),
			compare_rows, listing);
	listing->is_sorted = true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name_of(listing, &listing->rows[middle]), name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

int listing_add_view(struct listing *listing, const char *name,
		     const struct view_node *node)
{
	if (is_on_disk(listing, name))
		return 0;
	if (!node->is_folder && node->size < 0)
		listing->has_unknown = true;
	return add_row(listing, name,
		       &(struct row){ .type = node->is_folder ? DT_DIR : DT_REG,
				      .is_folder = node->is_folder,
				      .ino = node->ino,
				      .size = node->size,
				      .mtime_ns = node->mtime_ns });
}

uint64_t listing_version(const struct listing *listing)
{
	return listing->version;
}

size_t listing_count(const struct listing *listing)
{
	return listing->n_rows;
}

void listing_get(const struct listing *listing, size_t i, struct listing_entry *ret)
{
	const struct row *row = &listing->rows[i];

	*ret = (struct listing_entry){ .name = name_of(listing, row),
				       .is_disk = row->is_disk,
				       .type = row->type,
				       .ino = row->ino };
	if (!row->is_disk)
		ret->node = (struct view_node){ .is_folder = row->is_folder,
						.size = row->size,
						.mtime_ns = row->mtime_ns,
						.ino = row->ino };
}

bool listing_has_unknown(const struct listing *listing)
{
	return listing->has_unknown;
}

size_t listing_memory(const struct listing *listing)
{
	return sizeof(*listing) + listing->names.cap +
	       listing->n_room * sizeof(*listing->rows);
}
