/* Several threads on one provider, several processes on one remote. Threads report; the test judges. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#define PATH "shot/beauty.exr"
#define THREADS 8

struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	struct provider *provider;
	char *path;
	const char *previous;
	struct source source;
	struct provider_object object;
	int r;
};

static void *work(void *context)
{
	struct worker *worker = context;
	struct provider_put put = put_of(worker->path, &worker->source);
	struct provider_call call = { 0 };

	put.previous = worker->previous;
	pthread_barrier_wait(worker->start);
	worker->r = worker->provider->ops->store(worker->provider, &put, &call,
						 &worker->object);
	return NULL;
}

/* All at once. The paths are taken. */
static void run(struct worker workers[THREADS], struct provider *provider)
{
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		workers[i].provider = provider;
		workers[i].start = &start;
		assert_int_equal(
			pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		provider_object_done(&workers[i].object);
	}
	pthread_barrier_destroy(&start);
}

static void free_paths(struct worker workers[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		free(workers[i].path);
}

static void test_new_folders(void **state)
{
	struct stage *stage = *state;

	for (int round = 0; round < 4; round++) {
		struct worker workers[THREADS] = { 0 };

		for (int i = 0; i < THREADS; i++) {
			workers[i].source = (struct source)SOURCE(1 + i, 1000 * i);
			workers[i].path = strf("r%d/a/b/c/%d/%d", round, i % 2, i);
		}
		run(workers, stage->provider);
		for (int i = 0; i < THREADS; i++) {
			assert_outcome(workers[i].r, 0);
			assert_holds(stage, workers[i].path, &workers[i].source);
		}
		free_paths(workers);
	}
	assert_int_equal(stage->hand->count(stage->remote), 4 * (THREADS + 6));
	assert_no_parts(stage);
}

static void test_same_content_at_once(void **state)
{
	struct stage *stage = *state;
	struct worker workers[THREADS] = { 0 };

	for (int i = 0; i < THREADS; i++) {
		workers[i].source = (struct source)SOURCE(1, 2 * MIB);
		workers[i].path = strf(PATH);
	}
	run(workers, stage->provider);
	for (int i = 0; i < THREADS; i++)
		assert_outcome(workers[i].r, 0);
	assert_holds(stage, PATH, &workers[0].source);
	assert_int_equal(stage->hand->count(stage->remote), 2);
	assert_no_parts(stage);
	free_paths(workers);
}

/* Whoever is told 0 is the one whose bytes are there; the others are told why not. */
static const struct worker *the_winner(const struct worker workers[THREADS], int outcome)
{
	const struct worker *winner = NULL;

	for (int i = 0; i < THREADS; i++) {
		if (workers[i].r == 0) {
			assert_null(winner);
			winner = &workers[i];
		} else if (workers[i].r != PROVIDER_BUSY) {
			assert_outcome(workers[i].r, outcome);
		}
	}
	assert_non_null(winner);
	return winner;
}

static void test_other_content_at_once(void **state)
{
	struct stage *stage = *state;

	for (int round = 0; round < 4; round++) {
		struct worker workers[THREADS] = { 0 };

		for (int i = 0; i < THREADS; i++) {
			workers[i].source = (struct source)SOURCE(1 + i, 100000);
			workers[i].path = strf(PATH);
		}
		run(workers, stage->provider);
		assert_holds(stage, PATH, &the_winner(workers, PROVIDER_EXISTS)->source);
		assert_no_parts(stage);
		stage->hand->remove(stage->remote, PATH);
		free_paths(workers);
	}
}

static void test_replaced_at_once(void **state)
{
	struct stage *stage = *state;

	for (int round = 0; round < 4; round++) {
		struct worker workers[THREADS] = { 0 };
		struct source old = SOURCE(100 + round, 5000);
		_cleanup_(freep) char *previous = store_ok(stage, PATH, &old, NULL);
		char data[5000];

		for (int i = 0; i < THREADS; i++) {
			workers[i].source = (struct source)SOURCE(1 + i, 100000);
			workers[i].path = strf(PATH);
			workers[i].previous = previous;
		}
		run(workers, stage->provider);
		assert_holds(stage, PATH, &the_winner(workers, PROVIDER_CHANGED)->source);
		source_bytes(&old, data, sizeof(data), 0);
		assert_true(
			stage->hand->has_old(stage->remote, PATH, data, sizeof(data)));
		assert_no_parts(stage);
		stage->hand->remove(stage->remote, PATH);
		free_paths(workers);
	}
}

/* ---- a reader meanwhile ---- */

struct reader {
	pthread_t thread;
	struct provider *provider;
	bool is_over;
	unsigned n_gone, n_torn;
};

static int add(void *context, const void *data, size_t len, uint64_t offset)
{
	hasher_add(context, data, len);
	return 0;
}

static bool is_whole(const struct digest *digest)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct source source = SOURCE(seed, 100000);
		struct digest wanted;

		source_digest(&source, &wanted);
		if (digest_equal(digest, &wanted))
			return true;
	}
	return false;
}

/* The name always stands for one or the other, and a revision for its bytes. */
static void *read_on(void *context)
{
	struct reader *reader = context;
	struct provider_ref ref = { .root = "", .path = PATH };

	while (!__atomic_load_n(&reader->is_over, __ATOMIC_ACQUIRE)) {
		_cleanup_(hasher_freep) struct hasher *hasher = NULL;
		struct provider_call call = { 0 };
		struct provider_object object = { 0 };
		struct digest digest;

		if (reader->provider->ops->stat(reader->provider, &ref, &call, &object) !=
		    0) {
			reader->n_gone++;
			continue;
		}
		if (hasher_new(&hasher) == 0 &&
		    reader->provider->ops->fetch(reader->provider, &ref, object.revision,
						 0, (uint64_t)object.size, add, hasher,
						 &call) == 0) {
			hasher_take(hasher, &digest);
			reader->n_torn += !is_whole(&digest);
		}
		provider_object_done(&object);
	}
	return NULL;
}

static void test_read_while_it_is_replaced(void **state)
{
	struct stage *stage = *state;
	struct source sources[] = { SOURCE(1, 100000), SOURCE(2, 100000) };
	struct reader reader = { .provider = stage->provider };
	char *revision = store_ok(stage, PATH, &sources[0], NULL);

	assert_int_equal(pthread_create(&reader.thread, NULL, read_on, &reader), 0);
	for (int i = 1; i < 20; i++) {
		struct provider_object object = { 0 };
		struct source source = sources[i % 2];
		int r = do_store(stage->provider, PATH, &source, revision, &object);

		free(revision);
		revision = r == 0 ? strdup(object.revision) : NULL;
		provider_object_done(&object);
		if (r != 0)
			break;
	}
	__atomic_store_n(&reader.is_over, true, __ATOMIC_RELEASE);
	pthread_join(reader.thread, NULL);
	assert_non_null(revision);
	free(revision);
	assert_int_equal(reader.n_gone, 0);
	assert_int_equal(reader.n_torn, 0);
}

/* ---- processes ---- */

static void test_two_processes(void **state)
{
	struct stage *stage = *state;

	stage_need(stage, stage->hand->is_shared, "another process");
	for (int round = 0; round < 4; round++) {
		struct source sources[2] = { SOURCE(1, 3 * MIB), SOURCE(2, 3 * MIB) };
		int start[2], n_done = 0, winner = -1;
		pid_t pids[2];
		char byte;

		assert_int_equal(pipe(start), 0);
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (pids[i] == 0) {
				struct provider_put put = put_of(PATH, &sources[i]);
				struct provider_call call = { 0 };
				struct provider_object object = { 0 };

				close(start[1]);
				(void)!read(start[0], &byte, 1);
				_exit(stage->provider->ops->store(stage->provider, &put,
								  &call, &object));
			}
		}
		/* both start at the end of the pipe */
		close(start[0]);
		close(start[1]);
		for (int i = 0; i < 2; i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFEXITED(status));
			if (WEXITSTATUS(status) == 0) {
				winner = i;
				n_done++;
			} else {
				assert_outcome(WEXITSTATUS(status), PROVIDER_EXISTS);
			}
		}
		assert_int_equal(n_done, 1);
		assert_holds(stage, PATH, &sources[winner]);
		assert_no_parts(stage);
		stage->hand->remove(stage->remote, PATH);
	}
}

/* ---- settled later ---- */

#define OLD_MS 60000 /* what was found a minute ago will do */

/* Looks, so that it takes the name for free from then on. */
static void look(struct provider *provider, const char *path)
{
	struct provider_ref ref = { .root = "", .path = path };
	struct provider_call call = { .max_age_ms = OLD_MS };
	struct provider_object object = { 0 };

	assert_outcome(provider->ops->stat(provider, &ref, &call, &object),
		       PROVIDER_GONE);
}

static void store_unsettled(struct provider *provider, const char *path,
			    struct source *source, struct provider_object *ret)
{
	struct provider_call call = { .max_age_ms = OLD_MS };
	struct provider_put put = put_of(path, source);

	put.is_settled_later = true;
	assert_outcome(provider->ops->store(provider, &put, &call, ret), 0);
}

static int settle(struct provider *provider, const char *path,
		  struct provider_object *object)
{
	struct provider_settle one = { .ref = { .root = "", .path = path },
				       .object = object };
	struct provider_call call = { 0 };

	assert_outcome(provider->ops->settle(provider, &one, 1, &call), 0);
	return one.result;
}

/* Two hosts take a name at the same time, neither knowing of the other: RESULT is what the second one is told. */
static void take_twice(struct stage *stage, struct source sources[2], int result)
{
	_cleanup_(provider_freep) struct provider *other = stage_provider(stage, true);
	struct provider *providers[2] = { stage->provider, other };
	struct provider_object objects[2] = { { 0 }, { 0 } };
	struct source folder = SOURCE(9, 10);

	free(store_ok(stage, "shot/other", &folder, NULL));
	for (int i = 0; i < 2; i++)
		look(providers[i], PATH);
	for (int i = 0; i < 2; i++)
		store_unsettled(providers[i], PATH, &sources[i], &objects[i]);
	assert_string_not_equal(objects[0].id, objects[1].id);
	assert_outcome(settle(providers[1], PATH, &objects[1]), result);
	assert_outcome(settle(providers[0], PATH, &objects[0]), 0);
	if (result == 0)
		assert_string_equal(objects[0].id, objects[1].id);
	assert_holds(stage, PATH, &sources[0]);
	assert_int_equal(stage->hand->count(stage->remote), 3);
	for (int i = 0; i < 2; i++)
		provider_object_done(&objects[i]);
}

static void test_same_content_settled(void **state)
{
	struct stage *stage = *state;
	struct source sources[2] = { SOURCE(1, 5000), SOURCE(1, 5000) };

	stage_need(stage, stage->provider->ops->settle, "settling");
	take_twice(stage, sources, 0);
}

static void test_other_content_settled(void **state)
{
	struct stage *stage = *state;
	struct source sources[2] = { SOURCE(1, 5000), SOURCE(2, 5000) };

	stage_need(stage, stage->provider->ops->settle, "settling");
	take_twice(stage, sources, PROVIDER_EXISTS);
}

#define MANY 250

/* In two folders, with names that want care; one of them went meanwhile. */
static void test_many_settled(void **state)
{
	struct stage *stage = *state;
	struct provider_settle stores[MANY] = { 0 };
	struct provider_object objects[MANY] = { 0 };
	struct provider_call call = { 0 };
	char *paths[MANY];

	stage_need(stage, stage->provider->ops->settle, "settling");
	for (int i = 0; i < MANY; i++) {
		struct source source = SOURCE(1 + i, 10);

		paths[i] = strf("%s/it's \\ %d", i % 2 ? "a" : "b/c", i);
		store_unsettled(stage->provider, paths[i], &source, &objects[i]);
		stores[i] =
			(struct provider_settle){ .ref = { .root = "", .path = paths[i] },
						  .object = &objects[i],
						  .result = -1 };
	}
	stage->hand->remove(stage->remote, paths[7]);
	assert_outcome(stage->provider->ops->settle(stage->provider, stores, MANY, &call),
		       0);
	for (int i = 0; i < MANY; i++) {
		assert_outcome(stores[i].result, i == 7 ? PROVIDER_BUSY : 0);
		provider_object_done(&objects[i]);
		free(paths[i]);
	}
}

/* ---- a full folder ---- */

#define FULL 20000

/* Each name is found, with its size and checksum, and none beside them, for 25 requests at most. */
static void test_full_folder(void **state)
{
	struct stage *stage = *state;
	const struct hand *hand = stage->hand;
	struct digest first = { 0 };
	size_t before;

	stage_need(stage, hand->put_many && hand->count_requests, "counting requests");
	hand->put_many(stage->remote, "sim", FULL, 100);
	before = hand->count_requests(stage->remote);
	for (int i = 0; i <= FULL; i++) {
		_cleanup_(freep) char *path = strf("sim/file.%05d", i);
		struct provider_ref ref = { .root = "", .path = path };
		struct provider_call call = { .max_age_ms = OLD_MS };
		struct provider_object object = { 0 };

		assert_outcome(
			stage->provider->ops->stat(stage->provider, &ref, &call, &object),
			i == FULL ? PROVIDER_GONE : 0);
		if (i == FULL)
			break;
		first = i ? first : object.digest;
		assert_int_equal(object.size, 100);
		assert_true(digest_equal(&object.digest, &first));
		provider_object_done(&object);
	}
	assert_true(hand->count_requests(stage->remote) - before <= 25);
}

static const struct CMUnitTest tests[] = {
	CASE(test_new_folders),
	CASE(test_same_content_at_once),
	CASE(test_other_content_at_once),
	CASE(test_replaced_at_once),
	CASE(test_read_while_it_is_replaced),
	CASE(test_two_processes),
	CASE(test_same_content_settled),
	CASE(test_other_content_settled),
	CASE(test_many_settled),
	CASE(test_full_folder),
};
const struct cases cases_many = { "many", tests, ARRAY_SIZE(tests) };
