/*
 * providers/local_drive: tokens, faults, and what the contract suite cannot play on every remote: rights of single files
 * and folders, a damaged identity, parts of nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "providers/local_drive/fault.h"
#include "providers/local_drive/token.h"
#include "providers/registry.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define HASH "0123456789abcdef0123456789abcdef"
#define RANDOM "fedcba9876543210"
#define SHA HASH HASH

static void test_token_round_trip(void **state)
{
	struct token token = { .part = HASH ".12." RANDOM,
			       .offset = 5,
			       .size = 12,
			       .mtime_ns = -7,
			       .prefix = { .has_sha256 = true, .sha256 = { 1, 2, 3 } } };
	struct provider_put put = { .size = 12, .mtime_ns = -7 };
	struct token parsed;

	for (int i = 0; i < 2; i++) {
		_cleanup_(freep) char *text = NULL;

		token.source.has_sha256 = put.digest.has_sha256 = i == 1;
		text = token_format(&token);
		assert_non_null(text);
		assert_int_equal(token_parse(text, &parsed), 0);
		assert_string_equal(parsed.part, token.part);
		assert_int_equal(parsed.offset, 5);
		assert_true(digest_equal(&parsed.prefix, &token.prefix));
		assert_int_equal(parsed.source.has_sha256, i == 1);
		assert_true(token_is_of(&parsed, &put));
	}
	put.digest.sha256[0] = 1;
	assert_false(token_is_of(&parsed, &put));
	put.digest.sha256[0] = 0;
	put.mtime_ns = 0;
	assert_false(token_is_of(&parsed, &put));
}

static void test_token_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"1",
		"2 " HASH ".12." RANDOM " 5 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 13 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " -1 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 5 -12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 5 12 0 - -",
		"1 " HASH ".12." RANDOM " 5 12 0 " SHA "00 -",
		"1 " HASH ".12." RANDOM " 5 12 0 " HASH " -",
		"1 " HASH ".12." RANDOM " 5 12 0 " SHA " - more",
		"1 ../../etc/passwd 5 12 0 " SHA " -",
		"1 " HASH ".12./" RANDOM " 5 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM "0 5 12 0 " SHA " -",
		"1 " HASH ".." RANDOM " 5 12 0 " SHA " -",
	};
	struct token token;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(token_parse(texts[i], &token), -EINVAL);
	assert_int_equal(token_parse("1 " HASH ".12." RANDOM " 5 12 0 " SHA " -", &token),
			 0);
}

static void test_part_names(void **state)
{
	struct provider_put a = { .ref = { .path = "a/b" }, .size = 12 };
	struct provider_put b = { .ref = { .path = "a/c" }, .size = 12 };
	_cleanup_(freep) char *prefix = token_part_prefix(&a);
	_cleanup_(freep) char *other = token_part_prefix(&b);
	char name[TOKEN_PART_SIZE];

	assert_non_null(prefix);
	assert_non_null(other);
	assert_true((size_t)snprintf(name, sizeof(name), "%s" RANDOM, prefix) <
		    sizeof(name));
	assert_true(token_is_part(name, prefix));
	assert_true(token_is_part(name, NULL));
	assert_false(token_is_part(name, other));
	assert_false(token_is_part("remote-id", NULL));
}

static void test_faults(void **state)
{
	assert_int_equal(fault_outcome(ENOENT, false), PROVIDER_GONE);
	assert_int_equal(fault_outcome(ENOTDIR, true), PROVIDER_REFUSED);
	assert_int_equal(fault_outcome(EROFS, true), PROVIDER_DENIED);
	assert_int_equal(fault_outcome(EDQUOT, true), PROVIDER_FULL);
	assert_int_equal(fault_outcome(ENOSPC, true), PROVIDER_FULL);
	assert_int_equal(fault_outcome(EIO, false), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ESTALE, false), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ENOTCONN, true), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ENOMEM, true), -ENOMEM);
	assert_int_equal(fault_outcome(EMFILE, false), -EMFILE);
}

static void test_registry(void **state)
{
	struct config_root root = { .name = (char[]){ "work" }, .path = (char[]){ "x" } };
	struct config_site site = { .name = (char[]){ "nas" } };
	struct provider *provider = NULL;
	struct error error = { 0 };

	site.provider = (char[]){ "floppy" };
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	site.provider = (char[]){ "local_drive" };
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	site.roots = &root;
	site.n_roots = 1;
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	assert_non_null(strstr(error.text, "no absolute path"));
	root.path[0] = '/';
	assert_int_equal(provider_open(&site, &provider, &error), 0);
	assert_string_equal(provider->ops->name, "local_drive");
	assert_non_null(provider->ops->refusal(provider, ".sitefs"));
	assert_non_null(provider->ops->refusal(provider, ".sitefs/incoming/x"));
	assert_null(provider->ops->refusal(provider, "a/.sitefs"));
	provider_free(provider);
}

/* ---- in a folder, as somebody without special rights ---- */

struct bed {
	char *dir, *root;
	struct config_root roots[1];
	struct config_site site;
	struct provider *provider;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char dir[] = "/tmp/sitefs-local_drive.XXXXXX";

	assert_non_null(bed);
	assert_non_null(mkdtemp(dir));
	bed->dir = strdup(dir);
	bed->root = strf("%s/nas", dir);
	assert_int_equal(mkdir(bed->root, 0755), 0);
	bed->roots[0] = (struct config_root){ .name = strdup(""), bed->root };
	bed->site = (struct config_site){ .name = strdup("nas"),
					  .provider = strdup("local_drive"),
					  .roots = bed->roots,
					  .n_roots = 1 };
	assert_int_equal(provider_open(&bed->site, &bed->provider, NULL), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(bed->dir, 65534, 65534), 0);
		assert_int_equal(chown(bed->root, 65534, 65534), 0);
	}
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;
	_cleanup_(freep) char *command =
		strf("chmod -R u+rwX '%s' && rm -rf '%s'", bed->dir, bed->dir);

	provider_free(bed->provider);
	assert_int_equal(system(command), 0);
	free(bed->dir);
	free(bed->root);
	free(bed->roots[0].name);
	free(bed->site.name);
	free(bed->site.provider);
	free(bed);
	return 0;
}

static int change_mode(const struct bed *bed, const char *path, mode_t mode)
{
	_cleanup_(freep) char *full = strf("%s/%s", bed->root, path);

	return chmod(full, mode);
}

static int write_text(const struct bed *bed, const char *path, const char *text)
{
	_cleanup_(freep) char *full = strf("%s/%s", bed->root, path);
	_cleanup_(closep) int fd =
		open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int make_folder(const struct bed *bed, const char *path)
{
	_cleanup_(freep) char *full = strf("%s/%s", bed->root, path);

	return mkdir(full, 0755);
}

static int do_probe(struct provider *provider)
{
	struct provider_call call = { 0 };

	return provider->ops->probe(provider, false, &call);
}

static int do_stat(const struct bed *bed, const char *path)
{
	struct provider_ref ref = { .root = "", .path = path };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	int r = bed->provider->ops->stat(bed->provider, &ref, &call, &object);

	provider_object_done(&object);
	return r;
}

static int do_digest(const struct bed *bed, const char *path)
{
	struct provider_ref ref = { .root = "", .path = path };
	struct provider_call call = { 0 };
	struct digest digest;

	return bed->provider->ops->digest(bed->provider, &ref, NULL, &call, &digest);
}

static ssize_t give_nothing(void *context, void *data, size_t len, uint64_t offset)
{
	return 0;
}

static int do_store(const struct bed *bed, const char *path)
{
	struct provider_put put = { .ref = { .root = "", .path = path },
				    .source = give_nothing };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	int r = bed->provider->ops->store(bed->provider, &put, &call, &object);

	provider_object_done(&object);
	return r;
}

/* Runs FN as somebody whom modes of files concern. It gives the line that fails, or 0. */
static void run_as_nobody(void **state, int (*fn)(const struct bed *bed))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
			_exit(255);
		_exit(fn(*state) % 255);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		fail_msg("line %d (modulo 255)", WEXITSTATUS(status));
}

#define CHECK(x)                         \
	do {                             \
		if (!(x))                \
			return __LINE__; \
	} while (0)

static int locked_folder(const struct bed *bed)
{
	CHECK(do_probe(bed->provider) == 0);
	CHECK(make_folder(bed, "locked") == 0);
	CHECK(change_mode(bed, "locked", 0555) == 0);
	CHECK(do_store(bed, "locked/x") == PROVIDER_REFUSED);
	CHECK(do_store(bed, "locked/a/x") == PROVIDER_REFUSED);
	CHECK(do_store(bed, "open/x") == 0);
	CHECK(change_mode(bed, "locked", 0) == 0);
	CHECK(do_stat(bed, "locked/x") == PROVIDER_REFUSED);
	CHECK(do_stat(bed, "open/x") == 0);
	return 0;
}

/* One folder of another user does not stop the site. */
static void test_locked_folder(void **state)
{
	run_as_nobody(state, locked_folder);
}

static int locked_file(const struct bed *bed)
{
	CHECK(do_probe(bed->provider) == 0);
	CHECK(do_store(bed, "x") == 0);
	CHECK(change_mode(bed, "x", 0) == 0);
	CHECK(do_stat(bed, "x") == 0);
	CHECK(do_digest(bed, "x") == PROVIDER_REFUSED);
	return 0;
}

static void test_locked_file(void **state)
{
	run_as_nobody(state, locked_file);
}

static int locked_root(const struct bed *bed)
{
	CHECK(do_probe(bed->provider) == 0);
	CHECK(do_store(bed, "x") == 0);
	CHECK(change_mode(bed, "", 0555) == 0);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(do_stat(bed, "x") == 0);
	CHECK(do_store(bed, "y") == PROVIDER_DENIED);
	CHECK(change_mode(bed, "", 0) == 0);
	CHECK(do_stat(bed, "x") == PROVIDER_DENIED);
	CHECK(do_probe(bed->provider) == PROVIDER_DENIED);
	return 0;
}

static void test_locked_root(void **state)
{
	run_as_nobody(state, locked_root);
}

static int private_folder_of_another(const struct bed *bed)
{
	CHECK(write_text(bed, "x", "x") == 0);
	CHECK(make_folder(bed, ".sitefs") == 0);
	CHECK(change_mode(bed, ".sitefs", 0) == 0);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(do_digest(bed, "x") == 0);
	CHECK(do_store(bed, "y") == PROVIDER_DENIED);
	return 0;
}

static void test_private_folder_of_another(void **state)
{
	run_as_nobody(state, private_folder_of_another);
}

static int private_folder_is_none(const struct bed *bed)
{
	CHECK(write_text(bed, "x", "x") == 0);
	CHECK(write_text(bed, ".sitefs", "a file") == 0);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(do_digest(bed, "x") == 0);
	CHECK(do_store(bed, "y") == PROVIDER_DENIED);
	return 0;
}

static void test_private_folder_is_none(void **state)
{
	run_as_nobody(state, private_folder_is_none);
}

/* Without an identity file the folder is known by its inode. */
static int known_by_inode(const struct bed *bed)
{
	_cleanup_(freep) char *away = strf("%s.away", bed->root);

	CHECK(write_text(bed, "x", "x") == 0);
	CHECK(change_mode(bed, "", 0555) == 0);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(rename(bed->root, away) == 0);
	CHECK(do_stat(bed, "x") == PROVIDER_NO_ROOT);
	CHECK(mkdir(bed->root, 0755) == 0);
	CHECK(do_stat(bed, "x") == PROVIDER_NO_ROOT);
	CHECK(do_probe(bed->provider) == PROVIDER_NO_ROOT);
	CHECK(rmdir(bed->root) == 0);
	CHECK(rename(away, bed->root) == 0);
	CHECK(do_stat(bed, "x") == 0);
	return 0;
}

static void test_known_by_inode(void **state)
{
	run_as_nobody(state, known_by_inode);
}

static int damaged_identity(const struct bed *bed)
{
	CHECK(do_probe(bed->provider) == 0);
	CHECK(write_text(bed, ".sitefs/remote-id", "rubbish\n") == 0);
	CHECK(do_probe(bed->provider) == PROVIDER_NO_ROOT);
	CHECK(do_store(bed, "x") == PROVIDER_NO_ROOT);
	return 0;
}

static void test_damaged_identity(void **state)
{
	run_as_nobody(state, damaged_identity);
}

#define PART(n) ".sitefs/incoming/" HASH ".12." #n "edcba9876543210"

static int parts_of_nobody(const struct bed *bed)
{
	_cleanup_(freep) char *busy = strf("%s/%s", bed->root, PART(1));
	_cleanup_(freep) char *old = strf("%s/%s", bed->root, PART(2));
	_cleanup_(freep) char *other = strf("%s/.sitefs/incoming/notes", bed->root);
	_cleanup_(closep) int fd = -1;

	CHECK(do_probe(bed->provider) == 0);
	CHECK(make_folder(bed, ".sitefs/incoming") == 0);
	CHECK(write_text(bed, PART(1), "x") == 0);
	CHECK(write_text(bed, PART(2), "x") == 0);
	CHECK(write_text(bed, ".sitefs/incoming/notes", "x") == 0);
	fd = open(busy, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(access(busy, F_OK) == 0 && access(old, F_OK) == 0);
	clock_advance((int64_t)8 * 24 * 3600 * 1000);
	CHECK(do_probe(bed->provider) == 0);
	CHECK(access(busy, F_OK) == 0 && access(other, F_OK) == 0);
	CHECK(access(old, F_OK) < 0);
	return 0;
}

/* What nobody has touched for a week goes; what somebody writes stays. */
static void test_parts_of_nobody(void **state)
{
	run_as_nobody(state, parts_of_nobody);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_round_trip),
		cmocka_unit_test(test_token_refused),
		cmocka_unit_test(test_part_names),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_registry),
		CASE(test_locked_folder),
		CASE(test_locked_file),
		CASE(test_locked_root),
		CASE(test_private_folder_of_another),
		CASE(test_private_folder_is_none),
		CASE(test_known_by_inode),
		CASE(test_damaged_identity),
		CASE(test_parts_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
