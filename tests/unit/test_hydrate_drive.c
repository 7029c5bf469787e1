/* sync/hydrate with the real index and a folder as remote: that what each of them tells fits together. */
#include <fcntl.h>
#include <sys/stat.h>

#include "providers/registry.h"
#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/hydrate.h"
#include "tests/unit/index_bed.h"
#include "tests/unit/stage.h"

#define REL "shot/v001/a.exr"
#define KEY "{root[work]}/" REL
#define SIZE (3 * 1024 * 1024 + 17)

struct world {
	struct stage *stage;
	struct index_bed index;
	struct provider *provider;
	struct pool *readers, *workers;
	struct hydrator *hydrator;
	struct mutex lock;
	struct cond changed;
	int n_completed, error;
	bool is_new_truth;
	char document_id[64], revision[128];
	int64_t listed_size;
	char listed_name[64];
	bool is_learnt, is_read;
	int64_t result, n_wrong;
};

static char byte_at(int64_t offset)
{
	return (char)(offset * 7 + (offset >> 9));
}

static ssize_t give(void *context, void *data, size_t len, uint64_t offset)
{
	size_t left = SIZE - offset, n = len < left ? len : left;

	for (size_t i = 0; i < n; i++)
		((char *)data)[i] = byte_at((int64_t)(offset + i));
	return (ssize_t)n;
}

/* ---- what the engine would hear ---- */

static void completed(void *context, const struct hydrate_result *result)
{
	struct world *world = context;
	const struct truth_remote *remote = truth_find_remote(&result->truth, "gdrive");

	mutex_lock(&world->lock);
	world->n_completed++;
	world->error = result->error;
	world->is_new_truth = result->is_new_truth;
	snprintf(world->document_id, sizeof(world->document_id), "%s",
		 result->document_id ? result->document_id : "");
	snprintf(world->revision, sizeof(world->revision), "%s",
		 remote ? remote->revision : "");
	cond_broadcast(&world->changed);
	mutex_unlock(&world->lock);
}

static void listed(void *context, int root, const char *rel_folder,
		   const struct index_object *objects, char *const *names, size_t n,
		   int error)
{
	struct world *world = context;

	assert_int_equal(error, 0);
	assert_int_equal(n, 1);
	world->listed_size = objects[0].size;
	snprintf(world->listed_name, sizeof(world->listed_name), "%s", names[0]);
}

static int wait_completed(struct world *world, int n)
{
	int error;

	mutex_lock(&world->lock);
	while (world->n_completed < n)
		cond_wait(&world->changed, &world->lock);
	error = world->error;
	mutex_unlock(&world->lock);
	return error;
}

/* ---- set up ---- */

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct provider_call call = { 0 };
	struct error error = { 0 };
	void *stage;

	stage_set_up(&stage);
	world->stage = stage;
	free(world->stage->sites[1].name);
	world->stage->sites[1].name = strdup("gdrive"); /* as the shorthand has it */
	world->stage->config.remote_site = world->stage->sites[1].name;
	mutex_init(&world->lock);
	cond_init(&world->changed);
	assert_int_equal(provider_open(&world->stage->sites[1], &world->provider, &error),
			 0);
	assert_int_equal(world->provider->ops->probe(world->provider, true, &call), 0);

	world->index.scratch = scratch_new();
	world->index.path = strf("%s/index", world->index.scratch.dir);
	world->index.setup = (struct index_setup){ .path = world->index.path,
						   .store_identity = "store-1",
						   .config = &world->stage->config };
	assert_int_equal(index_bed_open(&world->index), INDEX_FRESH);
	assert_int_equal(pool_new("readers", 2, &world->readers), 0);
	assert_int_equal(pool_new("workers", 2, &world->workers), 0);
	{
		const struct hydrator_setup setup = {
			.config = &world->stage->config,
			.index = world->index.index,
			.journal = world->stage->journal,
			.roots = world->stage->roots,
			.provider = world->provider,
			.readers = world->readers,
			.workers = world->workers,
			.completed = completed,
			.listed = listed,
			.context = world,
		};

		assert_int_equal(hydrator_new(&setup, &world->hydrator), 0);
	}
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	void *stage = world->stage;

	hydrator_free(world->hydrator);
	pool_free(world->readers);
	pool_free(world->workers);
	provider_free(world->provider);
	index_bed_done(&world->index);
	stage_tear_down(&stage);
	cond_done(&world->changed);
	mutex_done(&world->lock);
	free(world);
	return 0;
}

/* Uploads the file, and publishes it with its truth record, unless it is to come from somewhere else. */
static void publish(struct world *world, bool has_truth)
{
	const struct provider_put order = {
		.ref = { .root = "work", .path = REL },
		.source = give,
		.size = SIZE,
		.mtime_ns = 1600000000000000000,
	};
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	struct truth truth = {
		.project = strdup("demo"),
		.key = strdup(KEY),
		.size = SIZE,
		.mtime_ns = 1600000000000000000,
	};

	assert_int_equal(
		world->provider->ops->store(world->provider, &order, &call, &object), 0);
	put(&world->index, "demo", "r1", "f1 " KEY " 0+");
	truth.digest = object.digest;
	assert_int_equal(truth_files_add(&truth.files, "r1", "f1"), 0);
	assert_int_equal(truth_set_remote(&truth, "gdrive", object.id, object.revision),
			 0);
	if (has_truth) {
		assert_int_equal(index_begin(world->index.index), 0);
		assert_int_equal(index_put_truth(world->index.index, &truth,
						 index_bed_touch, &world->index),
				 0);
		assert_int_equal(index_commit(world->index.index), 0);
	}
	truth_done(&truth);
	provider_object_done(&object);
}

static char *remote_path(const struct world *world)
{
	return strf("%s/" REL, world->stage->sites[1].roots[0].path);
}

struct reading {
	struct hydrate_read read;
	struct world *world;
};

static void done(struct hydrate_read *read, int64_t result, int fd)
{
	struct world *world = container_of(read, struct reading, read)->world;
	int64_t n_wrong = 0;

	for (int64_t i = 0; i < result; i++) {
		char byte = 0;

		n_wrong += pread(fd, &byte, 1, read->offset + i) != 1 ||
			   byte != byte_at(read->offset + i);
	}
	mutex_lock(&world->lock);
	world->result = result;
	world->n_wrong = n_wrong;
	world->is_read = true;
	cond_broadcast(&world->changed);
	mutex_unlock(&world->lock);
}

static int64_t read_at(struct world *world, struct hydration *handle, int64_t offset)
{
	struct reading reading = {
		.read = { .offset = offset, .length = 1000, .done = done },
		.world = world,
	};

	world->is_read = false;
	hydrate_read(handle, &reading.read);
	mutex_lock(&world->lock);
	while (!world->is_read)
		cond_wait(&world->changed, &world->lock);
	mutex_unlock(&world->lock);
	assert_int_equal(world->n_wrong, 0);
	return world->result;
}

static void fetch_all(struct world *world)
{
	_cleanup_(freep) char *data = NULL;
	size_t len;

	assert_int_equal(hydrate_fetch(world->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(wait_completed(world, 1), 0);
	data = stage_read(world->stage, REL, &len);
	assert_int_equal(len, SIZE);
	for (int64_t i = 0; i < SIZE; i++)
		if (data[i] != byte_at(i))
			fail_msg("byte %d is wrong", (int)i);
}

/* ---- tests ---- */

static void test_uploaded_and_fetched(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *path = strf("%s/" REL, world->stage->root);
	struct hydration *handle = NULL;
	struct stat st;

	publish(world, true);
	assert_int_equal(hydrate_open(world->hydrator, 0, REL, &handle), 0);
	assert_int_equal(read_at(world, handle, 2000000), 1000);
	hydrate_close(handle);
	fetch_all(world);
	assert_false(world->is_new_truth);
	assert_string_equal(world->document_id, "a.exr");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(timespec_ns(st.st_mtim), 1600000000000000000);
}

static void test_edited_at_the_remote(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *path = remote_path(world);
	_cleanup_(closep) int fd = -1;
	struct hydration *handle = NULL;

	publish(world, true);
	assert_int_equal(hydrate_open(world->hydrator, 0, REL, &handle), 0);
	assert_int_equal(read_at(world, handle, 0), 1000);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "edited", 6, 2000000), 6);
	assert_int_equal(read_at(world, handle, 2000000), -EIO);
	assert_int_equal(read_at(world, handle, 0), -EIO);
	assert_int_equal(wait_completed(world, 1), PROVIDER_CHANGED);
	hydrate_close(handle);
	/* nor does a new open get what was never published */
	assert_int_equal(hydrate_open(world->hydrator, 0, REL, &handle), 0);
	assert_int_equal(read_at(world, handle, 0), -EIO);
	assert_int_equal(wait_completed(world, 2), PROVIDER_CHANGED);
	hydrate_close(handle);
	assert_false(stage_exists(world->stage, "shot"));
}

/* Another mode or a copy put back: another revision of a folder's object, the same bytes. */
static void test_touched_at_the_remote(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *path = remote_path(world);

	publish(world, true);
	assert_int_equal(chmod(path, 0600), 0);
	fetch_all(world);
	assert_true(world->is_new_truth);
	assert_string_not_equal(world->revision, "");
}

struct learning {
	struct hydrate_learn learn;
	struct world *world;
};

static void learn_done(struct hydrate_learn *learn, int result)
{
	struct world *world = container_of(learn, struct learning, learn)->world;

	mutex_lock(&world->lock);
	world->is_learnt = true;
	world->result = result;
	cond_broadcast(&world->changed);
	mutex_unlock(&world->lock);
}

/* Uploaded by somebody else: no truth record. Its size is learnt, its bytes become the truth. */
static void test_foreign_upload(void **state)
{
	struct world *world = *state;
	struct learning learning = { .learn.done = learn_done, .world = world };
	struct hydration *handle = NULL;

	publish(world, false);
	assert_int_equal(hydrate_open(world->hydrator, 0, REL, &handle), -ENODATA);
	hydrate_learn(world->hydrator, 0, REL, &learning.learn);
	mutex_lock(&world->lock);
	while (!world->is_learnt)
		cond_wait(&world->changed, &world->lock);
	mutex_unlock(&world->lock);
	assert_int_equal(world->result, 0);
	assert_int_equal(world->listed_size, SIZE);
	assert_string_equal(world->listed_name, "a.exr");
	put_object(&world->index, REL, OBJECT_UNKNOWN, world->listed_size);
	fetch_all(world);
	assert_true(world->is_new_truth);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_uploaded_and_fetched),
		TEST(test_edited_at_the_remote),
		TEST(test_touched_at_the_remote),
		TEST(test_foreign_upload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
