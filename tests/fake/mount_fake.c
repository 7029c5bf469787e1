/*
 * mount_fake: a mount of fs over the scripted engine, driven by lines on standard input. Each command is answered by
 * lines on standard output, the last of them "ok" or "error: ...".
 *
 *   mount_fake [-r] [-a] [-p] [-c] [-R NAME] MOUNTPOINT NAME=FOLDER...
 *
 * -p: no passthrough. -c: the capability that it needs is given up once the mount is there.
 *
 *   put ROOT REL SIZE MTIME_NS SOURCE   failed ROOT REL        drop ROOT REL      generate ROOT FOLDER N
 *   complete ROOT REL                   evict ROOT REL         learn ROOT REL     spoil ROOT REL
 *   hold   release   waiting            log                    passthrough        stop
 *   synced   failsync ERRNO             synced: how often fsync and fdatasync were called, and of which inode last
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fs/mount.h"
#include "tests/fake/engine_fake.h"
#include "tests/fake/sync_fake.h"

#define WORDS_MAX 8

static void *run(void *context)
{
	return (void *)(intptr_t)mount_run(context);
}

static void say_log(struct engine *engine)
{
	_cleanup_(buf_done) struct buf log = { 0 };

	fake_log(engine, &log);
	fputs(buf_str(&log), stdout);
}

static void say_synced(void)
{
	struct sync_fake synced;

	sync_fake_look(&synced);
	printf("%d %d %" PRIu64 "\n", synced.n_fsync, synced.n_fdatasync, synced.ino);
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

/* Commands with a path. */
static int do_named(struct engine *engine, char **words, size_t n)
{
	int root = number(words[1]);
	const char *rel = words[2];
	struct fake_file file = { .root = root, .rel = rel };

	if (strcmp(words[0], "put") == 0 && n == 6) {
		file.size = strtoll(words[3], NULL, 10);
		file.mtime_ns = strtoll(words[4], NULL, 10);
		file.source = words[5];
		fake_put(engine, &file);
	} else if (strcmp(words[0], "failed") == 0) {
		file.is_failed = true;
		file.size = 10;
		fake_put(engine, &file);
	} else if (strcmp(words[0], "drop") == 0) {
		fake_drop(engine, root, rel);
	} else if (strcmp(words[0], "generate") == 0 && n == 4) {
		fake_generate(engine, root, rel, (size_t)number(words[3]));
	} else if (strcmp(words[0], "complete") == 0) {
		return fake_complete(engine, root, rel);
	} else if (strcmp(words[0], "evict") == 0) {
		return fake_evict(engine, root, rel);
	} else if (strcmp(words[0], "learn") == 0) {
		fake_learn(engine, root, rel);
	} else if (strcmp(words[0], "spoil") == 0) {
		fake_spoil(engine, root, rel);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int do_command(struct engine *engine, struct mount *mount, char **words, size_t n)
{
	char reason[200];

	if (strcmp(words[0], "hold") == 0)
		fake_hold(engine, true);
	else if (strcmp(words[0], "release") == 0)
		fake_hold(engine, false);
	else if (strcmp(words[0], "waiting") == 0)
		printf("%zu\n", fake_waiting(engine));
	else if (strcmp(words[0], "log") == 0)
		say_log(engine);
	else if (strcmp(words[0], "synced") == 0)
		say_synced();
	else if (strcmp(words[0], "failsync") == 0 && n == 2)
		sync_fake_fail(number(words[1]));
	else if (strcmp(words[0], "passthrough") == 0)
		printf("%d %s\n", mount_is_passthrough(mount, reason, sizeof(reason)),
		       reason);
	else if (n >= 3)
		return do_named(engine, words, n);
	else
		return -EINVAL;
	return 0;
}

/* Words are parted by tabs, so that names may have spaces. True: go on. */
static bool do_line(struct engine *engine, struct mount *mount, char *line)
{
	char *words[WORDS_MAX], *word;
	size_t n = 0;
	int r;

	line[strcspn(line, "\n")] = '\0';
	while (n < WORDS_MAX && (word = strsep(&line, "\t")))
		words[n++] = word;
	if (strcmp(words[0], "stop") == 0)
		return false;
	r = do_command(engine, mount, words, n);
	if (r < 0)
		printf("error: %s\n", strerror(-r));
	else
		puts("ok");
	fflush(stdout);
	return true;
}

/* Of this thread and those that it starts. */
static void give_up_capability(void)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		exit(1);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data) < 0)
		exit(1);
}

static int serve(struct engine *engine, struct mount_setup *setup, bool gives_up)
{
	_cleanup_(mount_freep) struct mount *mount = NULL;
	_cleanup_(freep) char *line = NULL;
	struct error error = { 0 };
	size_t room = 0;
	pthread_t thread;
	void *result;
	int r = mount_clear_stale(setup->mountpoint, &error);

	if (r == 0)
		r = mount_new(setup, &mount, &error);
	if (r < 0) {
		fprintf(stderr, "mount_fake: %s\n", error_text(&error, r));
		return 1;
	}
	if (gives_up)
		give_up_capability();
	if (pthread_create(&thread, NULL, run, mount) != 0)
		return 1;
	puts("ok");
	fflush(stdout);
	while (getline(&line, &room, stdin) > 0 && do_line(engine, mount, line))
		;
	/* whoever waits for bytes has to be answered for a clean unmount */
	mount_stop(mount);
	pthread_join(thread, &result);
	return result ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct mount_setup setup = { 0 };
	struct fake_setup roots = { 0 };
	bool gives_up = false;
	int option, code;

	while ((option = getopt(argc, argv, "rapcR:")) != -1) {
		setup.is_read_only |= option == 'r';
		setup.is_shared |= option == 'a';
		setup.has_no_passthrough |= option == 'p';
		gives_up |= option == 'c';
		if (option == 'R')
			setup.root = optarg;
	}
	if (argc - optind < 2 || argc - optind > 1 + FAKE_ROOTS_MAX)
		return 2;
	setup.mountpoint = argv[optind++];
	for (; optind < argc; optind++) {
		char *equals = strchr(argv[optind], '=');

		if (!equals)
			return 2;
		*equals = '\0';
		roots.names[roots.n_roots] = argv[optind];
		roots.paths[roots.n_roots++] = equals + 1;
	}
	setup.engine = fake_new(&roots);
	code = serve(setup.engine, &setup, gives_up);
	fake_free(setup.engine);
	return code;
}
