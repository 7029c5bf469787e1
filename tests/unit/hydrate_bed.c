/* A hydrator with a remote in memory. */
#include "tests/unit/hydrate_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"

static struct bed *the_bed; /* the fake index answers from it */

char bed_byte(unsigned seed, int64_t offset)
{
	return (char)((uint64_t)offset * 2654435761u >> 13 ^ (uint64_t)offset ^
		      seed * 77);
}

static struct bed_file *find(struct remote *remote, const char *rel)
{
	for (size_t i = 0; i < remote->n_files; i++)
		if (strcmp(remote->files[i].rel, rel) == 0)
			return &remote->files[i];
	return NULL;
}

static void digest_of(unsigned seed, int64_t size, struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	char piece[4096];

	assert_int_equal(hasher_new(&hasher), 0);
	for (int64_t at = 0; at < size;) {
		size_t n = 0;

		for (; n < sizeof(piece) && at < size; n++)
			piece[n] = bed_byte(seed, at++);
		hasher_add(hasher, piece, n);
	}
	hasher_take(hasher, ret);
}

/* ---- the remote ---- */

static struct remote *remote_of(struct provider *provider)
{
	return container_of(provider, struct remote, provider);
}

static bool is_cancelled(const struct provider_call *call)
{
	return __atomic_load_n(&call->cancel, __ATOMIC_RELAXED);
}

/* Waits while *FLAG holds the calls; a cancelled one goes on. */
static void wait_held(struct remote *remote, const bool *flag,
		      const struct provider_call *call) REQUIRES(&remote->lock)
{
	remote->n_waiting += *flag;
	cond_broadcast(&remote->changed);
	while (*flag && !is_cancelled(call))
		cond_wait_until(&remote->changed, &remote->lock, clock_mono_ms() + 1);
}

static int failure(struct remote *remote, struct provider_call *call)
{
	if (is_cancelled(call))
		return -ECANCELED;
	if (!remote->n_fail)
		return 0;
	remote->n_fail--;
	return error_set(&call->error, remote->fail_with, "the remote was told to fail");
}

static void fill(const struct remote *remote, const struct bed_file *file,
		 struct provider_object *ret)
{
	*ret = (struct provider_object){
		.id = strf("id:%s", file->rel),
		.revision = strdup(file->revision),
		.document_id = strf("doc:%s", file->rel),
		.size = file->size - file->cut,
		.mtime_ns = 1000000000,
	};
	if (remote->tells_digest)
		digest_of(file->seed, file->size, &ret->digest);
}

static int remote_stat(struct provider *provider, const struct provider_ref *ref,
		       struct provider_call *call, struct provider_object *ret)
{
	struct remote *remote = remote_of(provider);
	const struct bed_file *file;
	int r;

	mutex_lock(&remote->lock);
	remote->n_stats++;
	wait_held(remote, &remote->is_stat_held, call);
	file = find(remote, ref->path);
	r = failure(remote, call);
	if (r == 0 && !file)
		r = PROVIDER_GONE;
	if (r == 0)
		fill(remote, file, ret);
	mutex_unlock(&remote->lock);
	return r;
}

static int remote_list(struct provider *provider, const struct provider_ref *folder,
		       provider_list_fn *fn, void *context, struct provider_call *call)
{
	struct remote *remote = remote_of(provider);
	int r;

	mutex_lock(&remote->lock);
	remote->n_lists++;
	wait_held(remote, &remote->is_stat_held, call);
	r = failure(remote, call);
	for (size_t i = 0; i < remote->n_files && r == 0; i++) {
		struct provider_object object;

		fill(remote, &remote->files[i], &object);
		r = fn(context, strrchr(remote->files[i].rel, '/') + 1, false, &object);
		provider_object_done(&object);
	}
	mutex_unlock(&remote->lock);
	return r;
}

static int send(const struct bed_file *file, const struct bed_range *range,
		int64_t flip_at, provider_sink *sink, void *context)
{
	char piece[3000];
	int r = 0;

	for (int64_t at = 0; at < range->length && r == 0;) {
		int64_t start = range->offset + at;
		size_t n = 0;

		for (; n < sizeof(piece) && at < range->length; n++, at++)
			piece[n] = (char)(bed_byte(file->seed, start + (int64_t)n) ^
					  (start + (int64_t)n == flip_at));
		r = sink(context, piece, n, (uint64_t)start);
	}
	return r;
}

/* The port sets the parameters. */
static int remote_fetch(struct provider *provider, const struct provider_ref *ref,
			const char *revision, uint64_t offset, uint64_t length,
			provider_sink *sink, void *context, struct provider_call *call)
{
	struct remote *remote = remote_of(provider);
	const struct bed_range range = { (int64_t)offset, (int64_t)length };
	const struct bed_file *object;
	struct bed_file file;
	int64_t flip_at;
	int r;

	mutex_lock(&remote->lock);
	object = find(remote, ref->path);
	if (!object) {
		mutex_unlock(&remote->lock);
		return PROVIDER_GONE;
	}
	remote->fetches[remote->n_fetches++ % ARRAY_SIZE(remote->fetches)] = range;
	wait_held(remote, &remote->is_held, call);
	file = *object;
	flip_at = remote->flip_at;
	r = failure(remote, call);
	if (r == 0 && strcmp(file.revision, revision) != 0)
		r = error_set(&call->error, PROVIDER_CHANGED, "another revision");
	mutex_unlock(&remote->lock);
	if (r == 0)
		r = send(&file, &range, flip_at, sink, context);
	mutex_lock(&remote->lock);
	/* as a real one does: the object may have changed while it was read */
	if (r == 0 && strcmp(object->revision, revision) != 0)
		r = PROVIDER_CHANGED;
	if (r == 0)
		remote->bytes += range.length;
	if (remote->die_after >= 0 && remote->bytes >= remote->die_after)
		raise(SIGKILL);
	mutex_unlock(&remote->lock);
	return r;
}

static int remote_digest(struct provider *provider, const struct provider_ref *ref,
			 const char *revision, struct provider_call *call,
			 struct digest *ret)
{
	struct remote *remote = remote_of(provider);
	struct bed_file *file;
	int r;

	mutex_lock(&remote->lock);
	remote->n_digests++;
	file = find(remote, ref->path);
	r = failure(remote, call);
	if (r == 0 && strcmp(file->revision, revision) != 0)
		r = PROVIDER_CHANGED;
	if (r == 0)
		digest_of(file->seed, file->size, ret);
	mutex_unlock(&remote->lock);
	return r;
}

static const struct provider_ops remote_ops = {
	.name = "memory",
	.stat = remote_stat,
	.list = remote_list,
	.fetch = remote_fetch,
	.digest = remote_digest,
};

/* ---- the index ---- */

int index_find_path(struct index *index, int root, const char *rel,
		    struct index_path *ret)
{
	struct remote *remote = &the_bed->remote;
	const struct bed_file *file;

	mutex_lock(&remote->lock);
	file = find(remote, rel);
	if (!file || file->is_hidden_from_index) {
		mutex_unlock(&remote->lock);
		return INDEX_NONE;
	}
	*ret = (struct index_path){
		.node = { .shown = SHOWN_FILE,
			  .size = file->size,
			  .mtime_ns = 1500000000000000000 },
		.records = calloc(2, sizeof(*ret->records)),
		.n_records = file->further_id ? 2 : 1,
		.truth = { .size = -1 },
		.object = { .state = file->state, .size = -1, .mtime_ns = -1 },
	};
	ret->records[0] = (struct index_record){
		.project = strdup("demo"),
		.repre = strdup("repre"),
		.file = strdup(file->file_id),
		.key = strf("{root[work]}/%s", rel),
		.remote.presence = file->is_there ? DOC_PRESENT : DOC_WANTED,
	};
	if (file->further_id)
		ret->records[1] = (struct index_record){
			.project = strdup("demo"),
			.repre = strdup("further"),
			.file = strdup(file->further_id),
			.key = strdup(ret->records[0].key),
		};
	if (file->has_truth && file->truth_file_id)
		truth_files_add(&ret->truth.files, "repre", file->truth_file_id);
	if (file->has_truth) {
		ret->truth.project = strdup("demo");
		ret->truth.key = strdup(ret->records[0].key);
		ret->truth.size = file->size;
		if (file->has_digest)
			digest_of(file->truth_seed, file->size, &ret->truth.digest);
		if (file->truth_revision) {
			_cleanup_(freep) char *id = strf("id:%s", rel);

			truth_set_remote(&ret->truth, "nas", id, file->truth_revision);
		}
	}
	mutex_unlock(&remote->lock);
	return 0;
}

void index_path_done(struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++) {
		free(path->records[i].project);
		free(path->records[i].repre);
		free(path->records[i].file);
		free(path->records[i].key);
	}
	free(path->records);
	truth_done(&path->truth);
	*path = (struct index_path){ 0 };
}

uint64_t index_file_hash(const char *file_id)
{
	return (uint64_t)(unsigned char)file_id[0];
}

/* ---- the engine ---- */

static void completed(void *context, const struct hydrate_result *result)
{
	struct bed *bed = context;
	const struct truth_remote *remote = truth_find_remote(&result->truth, "nas");

	mutex_lock(&bed->lock);
	bed->n_completed++;
	bed->error = result->error;
	bed->is_new_truth = result->is_new_truth;
	bed->has_digest = result->truth.digest.has_sha256 && result->truth.digest.has_md5;
	snprintf(bed->text, sizeof(bed->text), "%s", result->text ? result->text : "");
	snprintf(bed->document_id, sizeof(bed->document_id), "%s",
		 result->document_id ? result->document_id : "");
	snprintf(bed->remote_revision, sizeof(bed->remote_revision), "%s",
		 remote ? remote->revision : "");
	cond_broadcast(&bed->changed);
	mutex_unlock(&bed->lock);
}

static void listed(void *context, int root, const char *rel_folder,
		   const struct index_object *objects, char *const *names, size_t n,
		   int error)
{
	struct bed *bed = context;

	mutex_lock(&bed->lock);
	bed->n_listed++;
	bed->n_objects = (int)n;
	bed->list_error = error;
	cond_broadcast(&bed->changed);
	mutex_unlock(&bed->lock);
}

static void fault(void *context, int outcome, const char *text)
{
	struct bed *bed = context;

	mutex_lock(&bed->lock);
	bed->n_faults++;
	bed->fault = outcome;
	cond_broadcast(&bed->changed);
	mutex_unlock(&bed->lock);
}

/* ---- the bed ---- */

void bed_start(struct bed *bed)
{
	const struct hydrator_setup setup = {
		.config = &bed->stage->config,
		.journal = bed->stage->journal,
		.roots = bed->stage->roots,
		.provider = &bed->remote.provider,
		.readers = bed->readers,
		.workers = bed->workers,
		.completed = completed,
		.listed = listed,
		.fault = fault,
		.context = bed,
	};

	assert_int_equal(hydrator_new(&setup, &bed->hydrator), 0);
}

void bed_stop(struct bed *bed)
{
	hydrator_free(bed->hydrator);
	bed->hydrator = NULL;
}

int bed_set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	void *stage;

	stage_set_up(&stage);
	bed->stage = stage;
	bed->stage->config.chunk_bytes = BED_MIB;
	mutex_init(&bed->lock);
	cond_init(&bed->changed);
	mutex_init(&bed->remote.lock);
	cond_init(&bed->remote.changed);
	bed->remote.provider.ops = &remote_ops;
	bed->remote.flip_at = bed->remote.die_after = -1;
	assert_int_equal(pool_new("readers", 4, &bed->readers), 0);
	assert_int_equal(pool_new("workers", 3, &bed->workers), 0);
	the_bed = bed;
	bed_start(bed);
	*state = bed;
	return 0;
}

int bed_tear_down(void **state)
{
	struct bed *bed = *state;
	void *stage = bed->stage;

	bed_stop(bed);
	pool_free(bed->readers);
	pool_free(bed->workers);
	stage_tear_down(&stage);
	cond_done(&bed->changed);
	mutex_done(&bed->lock);
	cond_done(&bed->remote.changed);
	mutex_done(&bed->remote.lock);
	free(bed);
	return 0;
}

struct bed_file *bed_publish(struct bed *bed, const char *rel, int64_t size)
{
	struct bed_file *file;

	mutex_lock(&bed->remote.lock);
	file = &bed->remote.files[bed->remote.n_files++];
	*file = (struct bed_file){
		.rel = rel,
		.size = size,
		.seed = 1,
		.revision = "r1",
		.has_truth = true,
		.has_digest = true,
		.truth_revision = "r1",
		.truth_seed = 1,
		.file_id = "f",
		.state = OBJECT_PRESENT,
	};
	mutex_unlock(&bed->remote.lock);
	return file;
}

int bed_wait_completed(struct bed *bed, int n)
{
	int error;

	mutex_lock(&bed->lock);
	while (bed->n_completed < n)
		cond_wait(&bed->changed, &bed->lock);
	error = bed->error;
	mutex_unlock(&bed->lock);
	return error;
}

int bed_wait_fault(struct bed *bed, int n)
{
	int outcome;

	mutex_lock(&bed->lock);
	while (bed->n_faults < n)
		cond_wait(&bed->changed, &bed->lock);
	outcome = bed->fault;
	mutex_unlock(&bed->lock);
	return outcome;
}

void bed_wait_held(struct bed *bed, size_t n)
{
	mutex_lock(&bed->remote.lock);
	while (bed->remote.n_waiting < n)
		cond_wait(&bed->remote.changed, &bed->remote.lock);
	mutex_unlock(&bed->remote.lock);
}

void bed_hold(struct bed *bed, bool is_held)
{
	mutex_lock(&bed->remote.lock);
	bed->remote.is_held = is_held;
	cond_broadcast(&bed->remote.changed);
	mutex_unlock(&bed->remote.lock);
}

void bed_fail(struct bed *bed, int outcome, int n)
{
	mutex_lock(&bed->remote.lock);
	bed->remote.fail_with = outcome;
	bed->remote.n_fail = n;
	mutex_unlock(&bed->remote.lock);
}

void bed_assert_placed(struct bed *bed, const char *rel, int64_t size, unsigned seed)
{
	size_t len;
	_cleanup_(freep) char *data = stage_read(bed->stage, rel, &len);

	assert_int_equal(len, size);
	for (int64_t i = 0; i < size; i++)
		if (data[i] != bed_byte(seed, i))
			fail_msg("%s: byte %lld is wrong", rel, (long long)i);
}

/* ---- reads ---- */

static void done(struct hydrate_read *read, int64_t result, int fd)
{
	struct bed_read *mine = container_of(read, struct bed_read, read);
	struct bed *bed = mine->bed;
	int64_t n_wrong = 0;

	if (result > 0) {
		_cleanup_(freep) char *data = malloc((size_t)result);

		n_wrong = pread(fd, data, (size_t)result, read->offset) != result;
		for (int64_t i = 0; i < result; i++)
			n_wrong += data[i] != bed_byte(mine->seed, read->offset + i);
	}
	mutex_lock(&bed->lock);
	mine->n_wrong = n_wrong;
	mine->result = result;
	mine->is_done = true;
	cond_broadcast(&bed->changed);
	mutex_unlock(&bed->lock);
}

void bed_begin_read(struct bed *bed, struct hydration *handle, struct bed_read *read,
		    int64_t offset, int64_t length)
{
	*read = (struct bed_read){
		.read = { .offset = offset, .length = length, .done = done },
		.bed = bed,
		.seed = 1,
	};
	hydrate_read(handle, &read->read);
}

int64_t bed_end_read(struct bed_read *read)
{
	struct bed *bed = read->bed;

	mutex_lock(&bed->lock);
	while (!read->is_done)
		cond_wait(&bed->changed, &bed->lock);
	mutex_unlock(&bed->lock);
	assert_int_equal(read->n_wrong, 0);
	return read->result;
}

int64_t bed_read(struct bed *bed, struct hydration *handle, int64_t offset,
		 int64_t length)
{
	struct bed_read read;

	bed_begin_read(bed, handle, &read, offset, length);
	return bed_end_read(&read);
}

struct hydration *bed_open(struct bed *bed, const char *rel)
{
	struct hydration *handle = NULL;

	assert_int_equal(hydrate_open(bed->hydrator, 0, rel, &handle), 0);
	return handle;
}
