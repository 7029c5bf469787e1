/* sync/place: into place with owner, mode and time; never onto anything; aside and back. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/place.h"
#include "tests/unit/stage.h"

#define STAGED ".sitefs/staged"
#define MTIME 1234567890123456789

static int say(void *context)
{
	return *(int *)context;
}

static int say_of(void *context, const struct stat *st)
{
	return *(int *)context;
}

/* Stages "content" and places it; 0 or the result. The staged file is gone afterwards where it was placed. */
static int place_text(const struct stage *stage, const char *rel, int check,
		      struct stat *ret)
{
	_cleanup_(closep) int dir = roots_private(stage->roots, 0, "staged");
	_cleanup_(closep) int fd =
		openat(dir, "host.1", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct place place = {
		.roots = stage->roots,
		.rel = rel,
		.fd = fd,
		.name = "host.1",
		.file_mode = 0640,
		.dir_mode = 0751,
		.mtime_ns = MTIME,
		.check = say,
		.context = &check,
	};

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "content", 7), 7);
	return place_file(&place, ret);
}

static struct stat stat_of(const struct stage *stage, const char *rel)
{
	_cleanup_(freep) char *path = strf("%s/%s", stage->root, rel);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void test_into_place(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *text = NULL;
	mode_t old = umask(077);
	struct stat st, there;

	assert_int_equal(place_text(stage, "shot/render/v001/a.exr", 0, &st), 0);
	umask(old);
	text = stage_read(stage, "shot/render/v001/a.exr", NULL);
	assert_string_equal(text, "content");
	there = stat_of(stage, "shot/render/v001/a.exr");
	assert_int_equal(there.st_ino, st.st_ino);
	assert_int_equal(timespec_ns(there.st_ctim), timespec_ns(st.st_ctim));
	assert_int_equal(timespec_ns(there.st_mtim), MTIME);
	assert_int_equal(there.st_mode & 07777, 0640);
	assert_int_equal(stat_of(stage, "shot").st_mode & 07777, 0751);
	assert_int_equal(stat_of(stage, "shot/render/v001").st_mode & 07777, 0751);
	assert_int_equal(stage_count(stage, STAGED), 0);
}

/* Owner, group and set-group-id come from the nearest folder that was there. */
static void test_owner_of_the_nearest_folder(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *path = strf("%s/shot", stage->root);
	struct stat st;

	stage_mkdir(stage, "shot", 0750);
	if (chown(path, 1234, 4321) < 0) {
		print_message("SKIPPED: changing owners needs root: %s\n",
			      strerror(errno));
		return;
	}
	assert_int_equal(chmod(path, 02750), 0);
	assert_int_equal(place_text(stage, "shot/new/deep/a.exr", 0, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	st = stat_of(stage, "shot/new/deep");
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(st.st_mode & 07777, 02751);
	st = stat_of(stage, "shot");
	assert_int_equal(st.st_mode & 07777, 02750);
}

static void test_the_disk_wins(void **state)
{
	static const char *const rels[] = { "file", "folder",     "file/below",
					    "link", "link/below", "dangling" };
	struct stage *stage = *state;
	_cleanup_(freep) char *link = strf("%s/link", stage->root);
	_cleanup_(freep) char *dangling = strf("%s/dangling", stage->root);
	struct stat st;

	stage_write(stage, "file", "mine");
	stage_mkdir(stage, "folder", 0755);
	assert_int_equal(symlink(stage->state, link), 0);
	assert_int_equal(symlink("nowhere", dangling), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rels); i++) {
		assert_int_equal(place_text(stage, rels[i], 0, &st), -EEXIST);
		assert_int_equal(stage_count(stage, STAGED), 1);
	}
	{
		_cleanup_(freep) char *text = stage_read(stage, "file", NULL);

		assert_string_equal(text, "mine");
	}
	assert_int_equal(access(link, F_OK), 0);
}

static void test_record_changed(void **state)
{
	struct stage *stage = *state;
	struct stat st;

	assert_int_equal(place_text(stage, "shot/a.exr", -ECANCELED, &st), -ECANCELED);
	assert_false(stage_exists(stage, "shot"));
	/* the claim was given back */
	assert_int_equal(place_text(stage, "shot/a.exr", 0, &st), 0);
}

static void test_not_in_this_root(void **state)
{
	struct stage *stage = *state;
	_cleanup_(closep) int fd = open(stage->state, O_RDWR | O_TMPFILE, 0600);
	int check = 0;
	const struct place place = {
		.roots = stage->roots,
		.rel = "a.exr",
		.fd = fd,
		.name = "host.1",
		.check = say,
		.context = &check,
	};
	_cleanup_(closep) int dir = roots_private(stage->roots, 0, "staged");
	struct stat st;

	assert_true(fd >= 0 && dir >= 0);
	assert_int_equal(place_file(&place, &st), -ESTALE);
	stage_write(stage, STAGED "/host.1", "another file of that name");
	assert_int_equal(place_file(&place, &st), -ESTALE);
	assert_false(stage_exists(stage, "a.exr"));
}

static void test_aside_and_back(void **state)
{
	struct stage *stage = *state;
	int check = 0;

	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check),
			 PLACE_NONE);
	assert_int_equal(place_back(stage->roots, 0, "shot/a.exr", 0755), PLACE_NONE);
	stage_mkdir(stage, "shot", 0755);
	stage_write(stage, "shot/a.exr", "first");
	check = -EAGAIN;
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check),
			 -EAGAIN);
	assert_true(stage_exists(stage, "shot/a.exr"));
	check = 0;
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check), 0);
	assert_false(stage_exists(stage, "shot/a.exr"));
	stage_write(stage, "shot/a.exr", "second");
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check), 0);
	/* a longer name with the same beginning is another file */
	stage_write(stage, "shot/a.exr.tmp", "other");
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr.tmp", say_of, &check),
			 0);
	assert_int_equal(stage_count(stage, ".sitefs/superseded/shot"), 3);

	assert_int_equal(place_back(stage->roots, 0, "shot/a.exr", 0755), 0);
	{
		_cleanup_(freep) char *text = stage_read(stage, "shot/a.exr", NULL);

		assert_string_equal(text, "second");
	}
	assert_int_equal(place_back(stage->roots, 0, "shot/a.exr", 0755), -EEXIST);
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check), 0);
	assert_int_equal(stage_count(stage, ".sitefs/superseded/shot"), 3);
}

/* Two of one millisecond get two names; a name of 255 bytes gets one that fits, and comes back. */
static void test_aside_names(void **state)
{
	struct stage *stage = *state;
	char name[256];
	int check = 0;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 20; i++) {
		stage_write(stage, name, i == 19 ? "newest" : "older");
		assert_int_equal(place_aside(stage->roots, 0, name, say_of, &check), 0);
	}
	assert_int_equal(stage_count(stage, ".sitefs/superseded"), 20);
	assert_int_equal(place_back(stage->roots, 0, name, 0755), 0);
	{
		_cleanup_(freep) char *text = stage_read(stage, name, NULL);

		assert_string_equal(text, "newest");
	}
}

static void test_back_makes_folders(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *path = strf("%s/shot", stage->root);
	int check = 0;

	stage_mkdir(stage, "shot", 0755);
	stage_write(stage, "shot/a.exr", "text");
	assert_int_equal(place_aside(stage->roots, 0, "shot/a.exr", say_of, &check), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(place_back(stage->roots, 0, "shot/a.exr", 0755), 0);
	assert_true(stage_exists(stage, "shot/a.exr"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, stage_set_up, stage_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_into_place),       TEST(test_owner_of_the_nearest_folder),
		TEST(test_the_disk_wins),    TEST(test_record_changed),
		TEST(test_not_in_this_root), TEST(test_aside_and_back),
		TEST(test_aside_names),      TEST(test_back_makes_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
