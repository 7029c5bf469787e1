/* sync/roots: first use, loss and return, adoption, a root that cannot be written. The journal is a small fake. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/map.h"
#include "sync/roots.h"

static struct map facts;

int journal_get(struct journal *journal, const char *name, char **ret)
{
	const char *value = map_get(&facts, name);

	if (!value)
		return JOURNAL_NONE;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

int journal_set(struct journal *journal, const char *name, const char *value)
{
	void *old;
	int r = map_put(&facts, name, strdup(value), &old);

	free(old);
	return r;
}

const struct config_site *config_find_site(const struct config *config, const char *name)
{
	return strcmp(config->sites[0].name, name) == 0 ? &config->sites[0] : NULL;
}

/* One site with one root "work" in a folder of the test's own. */
struct stage {
	char dir[64];
	char *root, *state;
	struct config config;
	struct config_site site;
	struct config_root roots[1];
};

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	snprintf(stage->dir, sizeof(stage->dir), "/tmp/sitefs-roots.XXXXXX");
	assert_non_null(mkdtemp(stage->dir));
	stage->root = strf("%s/work", stage->dir);
	stage->state = strf("%s/state", stage->dir);
	assert_int_equal(mkdir(stage->root, 0755), 0);
	assert_int_equal(mkdir(stage->state, 0755), 0);
	stage->roots[0] = (struct config_root){ strf("work"), stage->root };
	stage->site = (struct config_site){ .name = strf("studio"),
					    .roots = stage->roots,
					    .n_roots = 1 };
	stage->config = (struct config){ .active_site = stage->site.name,
					 .sites = &stage->site,
					 .n_sites = 1,
					 .state_dir = stage->state };
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *command = strf("rm -rf '%s'", stage->dir);

	assert_int_equal(system(command), 0);
	map_done(&facts, free);
	free(stage->roots[0].name);
	free(stage->site.name);
	free(stage->root);
	free(stage->state);
	free(stage);
	return 0;
}

static struct roots *open_roots(struct stage *stage, bool adopt)
{
	struct error error = { 0 };
	struct roots *roots = NULL;

	assert_int_equal(roots_open(&stage->config, NULL, adopt, &roots, &error), 0);
	return roots;
}

static char *path_of(const struct stage *stage, const char *name)
{
	return strf("%s/%s", stage->root, name);
}

static bool exists(const struct stage *stage, const char *name)
{
	_cleanup_(freep) char *path = path_of(stage, name);

	return access(path, F_OK) == 0;
}

static void write_file(const struct stage *stage, const char *name, const char *text)
{
	_cleanup_(freep) char *path = path_of(stage, name);
	_cleanup_(closep) int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void assert_why(struct roots *roots, const char *part)
{
	struct error error = { 0 };

	assert_true(roots_are_lost(roots, &error));
	if (!strstr(error.text, part))
		fail_msg("'%s' does not say '%s'", error.text, part);
	assert_int_equal(roots_private(roots, 0, "staged"), -ESTALE);
}

static void test_first_use(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);
	int fd;

	assert_int_equal(roots_count(roots), 1);
	assert_string_equal(roots_name(roots, 0), "work");
	assert_string_equal(roots_path(roots, 0), stage->root);
	assert_true(roots_fd(roots, 0) >= 0);
	assert_true(roots_is_first_use(roots, 0));
	assert_false(roots_are_lost(roots, NULL));
	/* nothing is written before it is ours */
	assert_int_equal(roots_private(roots, 0, "staged"), -ESTALE);
	assert_false(exists(stage, ".sitefs"));
	assert_int_equal(roots_accept(roots, 0), 0);
	assert_false(roots_is_first_use(roots, 0));
	assert_true(exists(stage, ".sitefs/root-id"));
	assert_true(roots_check(roots));
	fd = roots_private(roots, 0, "superseded");
	assert_true(fd >= 0);
	close(fd);
	roots_free(roots);

	roots = open_roots(stage, false);
	assert_false(roots_is_first_use(roots, 0));
	assert_true(roots_check(roots));
	roots_free(roots);
}

static void test_private_is_private(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);
	_cleanup_(freep) char *path = path_of(stage, ".sitefs");
	struct stat st;

	assert_int_equal(roots_accept(roots, 0), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	roots_free(roots);
}

/* A symlink in place of .sitefs must not lead our files elsewhere. */
static void test_private_symlink(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);
	_cleanup_(freep) char *path = path_of(stage, ".sitefs");

	assert_int_equal(symlink(stage->state, path), 0);
	assert_int_equal(roots_accept(roots, 0), -ESTALE);
	assert_int_equal(roots_private(roots, 0, "staged"), -ESTALE);
	assert_false(roots_check(roots));
	assert_why(roots, "cannot read");
	roots_free(roots);
}

static void test_found_nothing_at_first_use(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);

	roots_set_lost(roots, 0, "none of the 12 recorded files is there");
	assert_why(roots, "none of the 12");
	assert_false(roots_check(roots));
	assert_why(roots, "none of the 12");
	assert_true(roots_is_first_use(roots, 0));
	assert_int_equal(roots_accept(roots, 0), 0);
	assert_true(roots_check(roots));
	roots_free(roots);
}

/* The folder is missing, comes back as another one, and at last as itself. */
static void test_lost_and_back(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);
	_cleanup_(freep) char *away = strf("%s/away", stage->dir);
	int fd = roots_fd(roots, 0);

	assert_int_equal(roots_accept(roots, 0), 0);
	assert_int_equal(rename(stage->root, away), 0);
	assert_false(roots_check(roots));
	assert_why(roots, "cannot open");
	assert_int_equal(roots_fd(roots, 0), fd);

	assert_int_equal(mkdir(stage->root, 0755), 0);
	assert_false(roots_check(roots));
	assert_why(roots, "has no .sitefs/root-id");
	assert_int_equal(roots_fd(roots, 0), fd);
	assert_false(exists(stage, ".sitefs"));

	assert_int_equal(rmdir(stage->root), 0);
	assert_int_equal(rename(away, stage->root), 0);
	assert_true(roots_check(roots));
	assert_int_equal(roots_fd(roots, 0), fd);
	roots_free(roots);
}

static void test_another_identity(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);

	assert_int_equal(roots_accept(roots, 0), 0);
	write_file(stage, ".sitefs/root-id", "00112233445566778899aabbccddeeff\n");
	assert_false(roots_check(roots));
	assert_why(roots, "another one than before");
	roots_free(roots);

	roots = open_roots(stage, false);
	assert_why(roots, "--adopt");
	assert_int_equal(roots_fd(roots, 0), -1);
	roots_free(roots);

	roots = open_roots(stage, true);
	assert_false(roots_are_lost(roots, NULL));
	assert_string_equal(map_get(&facts, "root:work"),
			    "00112233445566778899aabbccddeeff");
	roots_free(roots);
}

static void test_unreadable_identity(void **state)
{
	static const char *const texts[] = { "", "nonsense",
					     "00112233445566778899aabbccddee",
					     "00112233445566778899aabbccddeeffff" };
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, false);

	assert_int_equal(roots_accept(roots, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file(stage, ".sitefs/root-id", texts[i]);
		assert_false(roots_check(roots));
		assert_why(roots, "cannot read");
	}
	roots_free(roots);
	roots = open_roots(stage, true);
	assert_true(roots_check(roots));
	roots_free(roots);
}

/* A second state folder (or host) at the same root takes the identity that is there. */
static void test_identity_is_shared(void **state)
{
	struct stage *stage = *state;
	struct roots *first = open_roots(stage, false), *second;
	_cleanup_(freep) char *identity = NULL;

	assert_int_equal(roots_accept(first, 0), 0);
	identity = strdup(map_get(&facts, "root:work"));
	map_done(&facts, free);
	second = open_roots(stage, false);
	assert_true(roots_is_first_use(second, 0));
	assert_int_equal(roots_accept(second, 0), 0);
	assert_string_equal(map_get(&facts, "root:work"), identity);
	assert_true(roots_check(first));
	assert_true(roots_check(second));
	roots_free(first);
	roots_free(second);
}

static void test_adopt_at_first_use(void **state)
{
	struct stage *stage = *state;
	struct roots *roots = open_roots(stage, true);

	assert_false(roots_is_first_use(roots, 0));
	assert_true(exists(stage, ".sitefs/root-id"));
	roots_free(roots);
}

static void test_missing_at_first_use(void **state)
{
	struct stage *stage = *state;
	struct roots *roots;

	assert_int_equal(rmdir(stage->root), 0);
	roots = open_roots(stage, true);
	assert_why(roots, "cannot open");
	assert_int_equal(roots_fd(roots, 0), -1);
	assert_int_equal(roots_accept(roots, 0), -ESTALE);
	assert_int_equal(mkdir(stage->root, 0755), 0);
	assert_true(roots_check(roots));
	assert_true(roots_is_first_use(roots, 0));
	assert_true(roots_fd(roots, 0) >= 0);
	roots_free(roots);
}

static void test_no_site(void **state)
{
	struct stage *stage = *state;
	struct error error = { 0 };
	struct roots *roots = NULL;

	stage->config.active_site = (char[]){ "elsewhere" };
	assert_int_equal(roots_open(&stage->config, NULL, false, &roots, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "local_drive.json"));
	stage->config.active_site = stage->site.name;
}

static bool mount_on_root(const struct stage *stage, unsigned long flags)
{
	if (mount("tmpfs", stage->root, "tmpfs", flags, "size=1m") == 0)
		return true;
	print_message("SKIPPED: mounting a tmpfs needs root: %s\n", strerror(errno));
	return false;
}

/* The disk is unmounted under us (the bare folder shows), then mounted again. */
static void test_unmounted_and_mounted(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *line = NULL;
	struct roots *roots;
	int fd;

	if (!mount_on_root(stage, 0))
		return;
	roots = open_roots(stage, false);
	assert_int_equal(roots_accept(roots, 0), 0);
	line = strf("%s\n", (const char *)map_get(&facts, "root:work"));
	fd = roots_fd(roots, 0);
	assert_int_equal(umount2(stage->root, MNT_DETACH), 0);
	assert_false(roots_check(roots));
	assert_why(roots, "has no .sitefs/root-id");
	assert_int_equal(roots_fd(roots, 0), fd);

	assert_true(mount_on_root(stage, 0));
	{
		_cleanup_(freep) char *private = path_of(stage, ".sitefs");

		assert_int_equal(mkdir(private, 0700), 0);
		write_file(stage, ".sitefs/root-id", line);
	}
	write_file(stage, "seen", "");
	assert_true(roots_check(roots));
	assert_int_not_equal(roots_fd(roots, 0), fd);
	assert_int_equal(faccessat(roots_fd(roots, 0), "seen", F_OK, 0), 0);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* lent out: it stays open */
	assert_int_equal(umount2(stage->root, MNT_DETACH), 0);
	roots_free(roots);
}

static void test_read_only_root(void **state)
{
	struct stage *stage = *state;
	struct roots *roots;
	struct stat st = { 0 }, state_st;
	int fd;

	if (!mount_on_root(stage, MS_RDONLY))
		return;
	roots = open_roots(stage, false);
	assert_false(roots_is_writable(roots, 0));
	assert_int_equal(roots_accept(roots, 0), 0);
	assert_int_equal(strncmp(map_get(&facts, "root:work"), "inode:", 6), 0);
	assert_true(roots_check(roots));
	assert_int_equal(roots_private(roots, 0, "superseded"), -EROFS);
	fd = roots_private(roots, 0, "staged");
	assert_int_equal(fd >= 0 ? fstat(fd, &st) : fd, 0);
	assert_int_equal(stat(stage->state, &state_st), 0);
	assert_int_equal(st.st_dev, state_st.st_dev);
	close(fd);
	assert_int_equal(umount2(stage->root, MNT_DETACH), 0);
	assert_false(roots_check(roots));
	assert_why(roots, "another one than before");
	roots_free(roots);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_use),
		TEST(test_private_is_private),
		TEST(test_private_symlink),
		TEST(test_found_nothing_at_first_use),
		TEST(test_lost_and_back),
		TEST(test_another_identity),
		TEST(test_unreadable_identity),
		TEST(test_identity_is_shared),
		TEST(test_adopt_at_first_use),
		TEST(test_missing_at_first_use),
		TEST(test_no_site),
		TEST(test_unmounted_and_mounted),
		TEST(test_read_only_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
