/* The staged file of one download. Sweeping at start is sync/staging_sweep.c. */
#include "sync/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/digest.h"
#include "sync/base/lock.h"
#include "sync/base/log.h"

#define BLOCK_BYTES (4 * 1024 * 1024) /* largest block: what is read to check one byte */
#define CHECK_BYTES (256 * 1024)
#define BATCH_MS 1000

struct blocks {
	struct staged_block *items;
	size_t n, cap;
};

struct staging {
	struct journal *journal;
	struct staged row;
	int64_t batch_bytes;
	int fd, dir_fd;
	struct mutex lock;
	struct cond changed;
	struct blocks kept GUARDED_BY(&lock);  /* of an earlier run, not checked yet */
	struct blocks fresh GUARDED_BY(&lock); /* written, without rows yet */
	int64_t fresh_bytes GUARDED_BY(&lock);
	int64_t fresh_since_ms GUARDED_BY(&lock);
	bool has_row GUARDED_BY(&lock);
	bool is_dropped GUARDED_BY(&lock);
	/* One thread at a time writes rows, without the lock: others that want to wait for this to fall. */
	bool is_committing GUARDED_BY(&lock);
};

struct staging_writer {
	struct staging *staging;
	int64_t offset; /* of the next byte */
	int64_t start;  /* of the block being written */
	XXH3_state_t *hash;
	struct blocks blocks;
};

static int blocks_add(struct blocks *blocks, const struct staged_block *block)
{
	size_t cap = blocks->cap ? 2 * blocks->cap : 4;
	struct staged_block *items;

	if (blocks->n == blocks->cap) {
		items = reallocarray(blocks->items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		blocks->items = items;
		blocks->cap = cap;
	}
	blocks->items[blocks->n++] = *block;
	return 0;
}

static void blocks_done(struct blocks *blocks)
{
	free(blocks->items);
	*blocks = (struct blocks){ 0 };
}

/* ---- opening ---- */

/* The row is of what we are to fetch, and its file is there as it should be. */
static int open_kept(struct staging *staging, const struct staged *row)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (!str_is_same(row->remote_id, staging->row.remote_id) ||
	    !str_is_same(row->revision, staging->row.revision) ||
	    row->size != staging->row.size || strchr(row->name, '/'))
		return JOURNAL_NONE;
	fd = openat(staging->dir_fd, row->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? JOURNAL_NONE : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != row->size)
		return JOURNAL_NONE;
	staging->row.name = strdup(row->name);
	if (!staging->row.name)
		return -ENOMEM;
	staging->fd = steal_fd(fd);
	return 0;
}

/* A row that cannot be used goes, with its file. */
static int drop_unusable(struct staging *staging, const struct staged *row)
{
	int r;

	if (!strchr(row->name, '/') && unlinkat(staging->dir_fd, row->name, 0) < 0 &&
	    errno != ENOENT)
		log_debug("staged file %s of %s stays: %s", row->name, row->rel,
			  strerror(errno));
	r = journal_staged_drop(staging->journal, row->root, row->rel);
	return r < 0 ? r : JOURNAL_NONE;
}

/* 0, or JOURNAL_NONE where there is nothing to go on with. */
static int resume(struct staging *staging) NO_THREAD_SAFETY
{
	_cleanup_(staged_done) struct staged row = { 0 };
	_cleanup_(freep) struct staged_block *blocks = NULL;
	size_t n;
	int r;

	r = journal_staged_get(staging->journal, staging->row.root, staging->row.rel,
			       &row, &blocks, &n);
	if (r != 0)
		return r;
	r = open_kept(staging, &row);
	if (r == JOURNAL_NONE)
		return drop_unusable(staging, &row);
	staging->has_row = r == 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (blocks[i].offset >= 0 && blocks[i].length > 0 &&
		    blocks[i].length <= row.size - blocks[i].offset)
			r = blocks_add(&staging->kept, &blocks[i]);
	return r;
}

static int create(struct staging *staging, const char *host)
{
	uint8_t bytes[8];
	char text[2 * sizeof(bytes) + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	hex_encode(bytes, sizeof(bytes), text);
	staging->row.name = strf("%s.%s", host, text);
	if (!staging->row.name)
		return -ENOMEM;
	staging->fd = openat(staging->dir_fd, staging->row.name,
			     O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (staging->fd < 0)
		return -errno;
	if (ftruncate(staging->fd, staging->row.size) < 0) {
		int r = -errno;

		unlinkat(staging->dir_fd, staging->row.name, 0);
		return r;
	}
	return 0;
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

int staging_open(const struct staging_setup *setup, struct staging **ret)
{
	_cleanup_(staging_freep) struct staging *staging = calloc(1, sizeof(*staging));
	int r;

	if (!staging)
		return -ENOMEM;
	mutex_init(&staging->lock);
	cond_init(&staging->changed);
	staging->fd = staging->dir_fd = -1;
	staging->journal = setup->journal;
	staging->batch_bytes = setup->batch_bytes;
	staging->row.root = setup->root;
	staging->row.size = setup->size;
	staging->row.mtime_ns = setup->mtime_ns;
	if (copy_text(setup->rel, &staging->row.rel) < 0 ||
	    copy_text(setup->remote_id, &staging->row.remote_id) < 0 ||
	    copy_text(setup->revision, &staging->row.revision) < 0)
		return -ENOMEM;
	staging->dir_fd = roots_private(setup->roots, setup->root, "staged");
	if (staging->dir_fd < 0)
		return staging->dir_fd;
	r = resume(staging);
	if (r == JOURNAL_NONE)
		r = create(staging, setup->host);
	if (r < 0)
		return r;
	*ret = steal(staging);
	return 0;
}

void staging_free(struct staging *staging) NO_THREAD_SAFETY
{
	if (!staging)
		return;
	/* without a row nobody would find it again */
	if (staging->fd >= 0 && !staging->has_row && !staging->is_dropped)
		unlinkat(staging->dir_fd, staging->row.name, 0);
	if (staging->fd >= 0)
		close(staging->fd);
	if (staging->dir_fd >= 0)
		close(staging->dir_fd);
	blocks_done(&staging->kept);
	blocks_done(&staging->fresh);
	staged_done(&staging->row);
	cond_done(&staging->changed);
	mutex_done(&staging->lock);
	free(staging);
}

int staging_fd(const struct staging *staging)
{
	return staging->fd;
}

const char *staging_name(const struct staging *staging)
{
	return staging->row.name;
}

/* ---- kept blocks ---- */

int staging_add_kept(struct staging *staging, struct rangemap *map)
{
	int r = 0;

	mutex_lock(&staging->lock);
	for (size_t i = 0; i < staging->kept.n && r == 0; i++)
		r = rangemap_add(map, staging->kept.items[i].offset,
				 staging->kept.items[i].offset +
					 staging->kept.items[i].length);
	mutex_unlock(&staging->lock);
	return r;
}

/* The first kept block that overlaps the range; it stays until it was judged. */
static bool find_kept(struct staging *staging, struct range range,
		      struct staged_block *ret)
{
	bool is_found = false;

	mutex_lock(&staging->lock);
	for (size_t i = 0; i < staging->kept.n && !is_found; i++) {
		*ret = staging->kept.items[i];
		is_found = ret->offset < range.end &&
			   ret->offset + ret->length > range.start;
	}
	mutex_unlock(&staging->lock);
	return is_found;
}

static void remove_kept(struct staging *staging, const struct staged_block *block)
{
	mutex_lock(&staging->lock);
	for (size_t i = 0; i < staging->kept.n; i++) {
		struct staged_block *item = &staging->kept.items[i];

		if (item->offset != block->offset || item->length != block->length)
			continue;
		*item = staging->kept.items[--staging->kept.n];
		break;
	}
	mutex_unlock(&staging->lock);
}

static int hash_block(int fd, const struct staged_block *block, XXH3_state_t *state,
		      void *chunk)
{
	XXH3_64bits_reset(state);
	for (int64_t done = 0; done < block->length;) {
		int64_t left = block->length - done;
		size_t want = left < CHECK_BYTES ? (size_t)left : CHECK_BYTES;
		ssize_t n = fd_pread_all(fd, chunk, want, block->offset + done);

		if (n < 0)
			return (int)n;
		if ((size_t)n < want)
			return 1;
		XXH3_64bits_update(state, chunk, want);
		done += n;
	}
	return XXH3_64bits_digest(state) == block->xxh3 ? 0 : 1;
}

int staging_check(struct staging *staging, struct range range, struct rangemap *ret)
{
	XXH3_state_t *state = NULL;
	_cleanup_(freep) void *chunk = NULL;
	struct staged_block block;
	int r = 0;

	while (r >= 0 && find_kept(staging, range, &block)) {
		if (!chunk)
			chunk = malloc(CHECK_BYTES);
		if (!state)
			state = XXH3_createState();
		r = chunk && state ? hash_block(staging->fd, &block, state, chunk)
				   : -ENOMEM;
		if (r == 0)
			r = rangemap_add(ret, block.offset, block.offset + block.length);
		/* two threads may judge one block: both find the same */
		if (r >= 0 || r == -EIO)
			remove_kept(staging, &block);
		if (r == -EIO)
			r = 1; /* a block that the disk cannot read is fetched again */
	}
	if (state)
		XXH3_freeState(state);
	return r < 0 ? r : 0;
}

/* ---- writing ---- */

int staging_begin(struct staging *staging, int64_t offset, struct staging_writer **ret)
{
	_cleanup_(staging_writer_freep) struct staging_writer *writer =
		calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->staging = staging;
	writer->offset = writer->start = offset;
	writer->hash = XXH3_createState();
	if (!writer->hash)
		return -ENOMEM;
	XXH3_64bits_reset(writer->hash);
	*ret = steal(writer);
	return 0;
}

void staging_writer_free(struct staging_writer *writer)
{
	if (!writer)
		return;
	if (writer->hash)
		XXH3_freeState(writer->hash);
	blocks_done(&writer->blocks);
	free(writer);
}

static int end_block(struct staging_writer *writer)
{
	struct staged_block block = {
		.offset = writer->start,
		.length = writer->offset - writer->start,
		.xxh3 = XXH3_64bits_digest(writer->hash),
	};

	XXH3_64bits_reset(writer->hash);
	writer->start = writer->offset;
	return block.length ? blocks_add(&writer->blocks, &block) : 0;
}

int staging_write(struct staging_writer *writer, const void *data, size_t len)
{
	const char *at = data;
	int r;

	r = fd_pwrite_all(writer->staging->fd, data, len, writer->offset);
	while (len > 0 && r == 0) {
		size_t room = (size_t)(writer->start + BLOCK_BYTES - writer->offset);
		size_t n = len < room ? len : room;

		XXH3_64bits_update(writer->hash, at, n);
		writer->offset += (int64_t)n;
		at += n;
		len -= n;
		if (n == room)
			r = end_block(writer);
	}
	return r;
}

static bool is_due_locked(const struct staging *staging) REQUIRES(&staging->lock)
{
	return staging->fresh.n > 0 &&
	       (staging->fresh_bytes >= staging->batch_bytes ||
		clock_mono_ms() - staging->fresh_since_ms >= BATCH_MS);
}

int staging_end(struct staging_writer *writer)
{
	struct staging *staging = writer->staging;
	int r = end_block(writer);
	bool is_due;

	mutex_lock(&staging->lock);
	if (!staging->fresh.n)
		staging->fresh_since_ms = clock_mono_ms();
	for (size_t i = 0; i < writer->blocks.n && r == 0; i++) {
		r = blocks_add(&staging->fresh, &writer->blocks.items[i]);
		if (r == 0)
			staging->fresh_bytes += writer->blocks.items[i].length;
	}
	is_due = r == 0 && is_due_locked(staging);
	mutex_unlock(&staging->lock);
	if (is_due && staging_commit(staging) < 0)
		log_debug("%s: the journal takes no rows of its staged ranges",
			  staging->row.rel);
	return r;
}

static int write_rows(struct staging *staging, const struct blocks *blocks, bool has_row)
{
	int r = 0;

	if (fdatasync(staging->fd) < 0)
		return -errno;
	if (!has_row)
		r = journal_staged_put(staging->journal, &staging->row);
	if (r == 0)
		r = journal_staged_add(staging->journal, staging->row.root,
				       staging->row.rel, blocks->items, blocks->n);
	return r;
}

int staging_commit(struct staging *staging)
{
	_cleanup_(blocks_done) struct blocks blocks = { 0 };
	bool has_row;
	int r = 0;

	mutex_lock(&staging->lock);
	while (staging->is_committing)
		cond_wait(&staging->changed, &staging->lock);
	if (!staging->is_dropped) {
		blocks = staging->fresh;
		staging->fresh = (struct blocks){ 0 };
		staging->fresh_bytes = 0;
	}
	has_row = staging->has_row;
	staging->is_committing = blocks.n > 0;
	mutex_unlock(&staging->lock);
	if (!blocks.n)
		return 0;

	r = write_rows(staging, &blocks, has_row);
	mutex_lock(&staging->lock);
	staging->is_committing = false;
	staging->has_row = has_row || r == 0;
	cond_broadcast(&staging->changed);
	mutex_unlock(&staging->lock);
	return r;
}

/* ---- the end ---- */

/* No rows are written from now on. True where there are some to be removed. */
static bool end_rows(struct staging *staging, bool *ret_was_dropped)
{
	bool has_row;

	mutex_lock(&staging->lock);
	while (staging->is_committing)
		cond_wait(&staging->changed, &staging->lock);
	*ret_was_dropped = staging->is_dropped;
	staging->is_dropped = true;
	has_row = staging->has_row;
	staging->has_row = false;
	mutex_unlock(&staging->lock);
	return has_row;
}

void staging_forget(struct staging *staging)
{
	bool was_dropped;
	int r = 0;

	if (end_rows(staging, &was_dropped))
		r = journal_staged_drop(staging->journal, staging->row.root,
					staging->row.rel);
	/* the next start finds a row without a file and drops it */
	if (r < 0)
		log_debug("%s: its staged row stays: %s", staging->row.rel, strerror(-r));
}

void staging_drop(struct staging *staging)
{
	bool was_dropped, has_row = end_rows(staging, &was_dropped);

	if (!was_dropped)
		unlinkat(staging->dir_fd, staging->row.name, 0);
	if (has_row)
		journal_staged_drop(staging->journal, staging->row.root,
				    staging->row.rel);
}

int staging_check_room(const struct staging *staging, int64_t bytes, int64_t keep_free)
{
	struct statvfs fs;

	if (fstatvfs(staging->fd, &fs) < 0)
		return -errno;
	return (uint64_t)fs.f_bavail * fs.f_frsize < (uint64_t)(bytes + keep_free)
		       ? -ENOSPC
		       : 0;
}

int staging_allocate(const struct staging *staging)
{
	if (!staging->row.size ||
	    fallocate(staging->fd, FALLOC_FL_KEEP_SIZE, 0, staging->row.size) == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT ? -ENOSPC : 0;
}
