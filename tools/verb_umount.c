/* sitefs umount */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sync/base/clock.h"
#include "tools/client.h"
#include "tools/mounts.h"
#include "tools/output.h"
#include "tools/verbs.h"

#define END_MS 60000

struct options {
	bool is_draining;
};

static const struct cli_option options_table[] = {
	{ "drain", NULL, "first wait until everything is sent and recorded",
	  offsetof(struct options, is_draining), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* ---- drain ---- */

struct drain {
	struct progress progress;
	int64_t first_files, first_bytes; /* what there was to do: the most seen */
};

static int show_drain(void *context, const struct json *item)
{
	struct drain *drain = context;
	int64_t files = json_get_int(item, "files", 0);
	int64_t bytes = json_get_int(item, "bytes", 0);

	if (files > drain->first_files)
		drain->first_files = files;
	if (bytes > drain->first_bytes)
		drain->first_bytes = bytes;
	progress_show(&drain->progress, &(struct progress_counts){
						.verb = "uploading",
						.files = drain->first_files - files,
						.total_files = drain->first_files,
						.bytes = drain->first_bytes - bytes,
						.total_bytes = drain->first_bytes,
					});
	return 0;
}

static int drain(struct client *client)
{
	struct drain state = { 0 };
	int code;

	progress_start(&state.progress, client->cli->is_quiet, client->cli->has_bytes);
	client->patience_ms = -1;
	code = client_ask(client, "drain", show_drain, &state, NULL);
	progress_end(&state.progress);
	return code;
}

/* ---- unmounting ---- */

/* fusermount3 -u: works for the user that mounted and for root. True where it succeeded. */
static bool run_fusermount(const char *mountpoint)
{
	char program[] = "fusermount3", unmount[] = "-u", quiet[] = "-q", end[] = "--";
	_cleanup_(freep) char *path = strdup(mountpoint);
	char *argv[] = { program, unmount, quiet, end, path, NULL };
	posix_spawn_file_actions_t actions;
	int status = -1, r;
	pid_t pid;

	if (!path || posix_spawn_file_actions_init(&actions))
		return false;
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY,
					 0);
	r = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	while (r == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	return r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A descriptor that turns readable when the daemon's process ends; -1 where it cannot be had. */
static int watch_process(const struct client *client)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

static int wait_end(struct cli *cli, int process_fd)
{
	struct pollfd fd = { .fd = process_fd, .events = POLLIN };
	int64_t deadline = clock_mono_ms() + END_MS;

	while (process_fd >= 0 && !fd.revents) {
		int64_t left = deadline - clock_mono_ms();

		if (left <= 0)
			return cli_fail(cli, EXIT_TIMED_OUT,
					"unmounted, but the daemon has not ended yet: it "
					"finishes in the background");
		poll(&fd, 1, (int)left);
	}
	return EXIT_DONE;
}

static int unmount(struct cli *cli, const char *mountpoint, int process_fd)
{
	bool is_done = run_fusermount(mountpoint);

	if (!is_done && mounts_find(mountpoint) == MOUNTS_OURS)
		return cli_fail(cli, EXIT_FAILED,
				"cannot unmount %s: it is in use: end the programs that "
				"have files open there (fuser -vm %s)",
				mountpoint, mountpoint);
	return wait_end(cli, process_fd);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(freep) char *mountpoint = NULL;
	_cleanup_(closep) int process_fd = -1;
	bool has_daemon;
	int code;

	/* not resolved to its end: a dead mount answers nothing */
	if (client_absolute(cli->args[0], false, &mountpoint) < 0)
		return cli_fail(cli, EXIT_NOT_OURS, "%s does not exist", cli->args[0]);
	has_daemon = client_open_mount(cli, mountpoint, &client) == 0;
	if (!has_daemon && mounts_find(mountpoint) != MOUNTS_OURS)
		return cli_fail(cli, EXIT_NOT_OURS, "%s is no mount of sitefs",
				mountpoint);
	if (options->is_draining && !has_daemon)
		return cli_fail(cli, EXIT_NO_DAEMON,
				"no daemon serves %s any more, so nothing can be sent: "
				"unmount it without --drain",
				mountpoint);
	if (has_daemon)
		process_fd = watch_process(&client);
	if (options->is_draining) {
		code = drain(&client);
		if (code)
			return code;
	}
	return unmount(cli, mountpoint, process_fd);
}

const struct verb verb_umount = {
	.name = "umount",
	.usage = "MOUNTPOINT [--drain]",
	.summary = "unmount and end the daemon",
	.help = "Unmounts and returns when the daemon has ended. What was not sent or recorded\n"
		"yet goes on at the next mount, or is waited for with --drain. A mount with open\n"
		"files stays.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
