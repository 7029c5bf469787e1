/* Becoming a daemon, and being one. */
#include "tools/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "tools/control.h"
#include "tools/notify.h"
#include "tools/output.h"
#include "tools/setup.h"

#define STATUS_MS 5000
#define PROGRESS_MS 200
#define PATIENCE_MS 1000 /* what takes less is not worth a word */

struct daemon {
	struct cli *cli;
	int line_fd; /* to the waiting command; -1: none, or it has left */
	bool is_ready;
	int64_t progress_ms;
	struct progress progress; /* in the foreground */
	struct daemon_hooks hooks;
	pthread_t thread;
	bool has_thread;
	int stop_fd, signal_fd;
	atomic_int signal;
};

/* ---- the command, which waits ---- */

static int say_result(struct cli *cli, const char *line, const char *log_path)
{
	const char *text;
	char *end;
	long code;

	code = strtol(line, &end, 10);
	text = *end == ' ' ? end + 1 : end;
	if (code && text[0])
		return cli_fail(cli, (enum cli_exit)code, "%s", text);
	if (code)
		return cli_fail(cli, (enum cli_exit)code, "the daemon failed: see %s",
				log_path);
	return EXIT_DONE;
}

/* An interrupt of the command means the daemon that it has started. */
static pid_t child;

static void end_child(int number)
{
	if (child > 0)
		kill(child, SIGTERM);
}

static void forward_signals(pid_t pid)
{
	struct sigaction action = { .sa_handler = end_child };

	child = pid;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int wait_for_daemon(struct cli *cli, int fd, pid_t pid, const char *log_path)
{
	_cleanup_(control_line_done) struct control_line line = { .fd = fd };
	struct progress progress;
	int status, r;

	forward_signals(pid);
	progress_start(&progress, cli->is_quiet, false);
	for (;;) {
		_cleanup_(buf_done) struct buf text = { 0 };

		r = control_read(&line, CONTROL_LINE_MAX, -1, -1, &text);
		if (r == 0 && text.len && text.data[0] == 'P') {
			progress_text(&progress, text.data + 1);
			continue;
		}
		progress_end(&progress);
		if (r == 0)
			return say_result(cli, buf_str(&text) + 1, log_path);
		break;
	}
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		return cli_fail(cli, EXIT_FAILED, "the daemon died of signal %d: see %s",
				WTERMSIG(status), log_path);
	return cli_fail(cli, EXIT_FAILED, "the daemon ended before it was ready: see %s",
			log_path);
}

/* ---- the daemon ---- */

static void tell(struct daemon *daemon, const char *line)
{
	if (daemon->line_fd < 0)
		return;
	if (control_write(daemon->line_fd, line, strlen(line), 1000, -1) < 0) {
		close(daemon->line_fd);
		daemon->line_fd = -1;
	}
}

static _printf_(1, 0) char *one_line(const char *fmt, va_list ap)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_addv(&text, fmt, ap);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n')
			text.data[i] = ' ';
	return buf_take(&text);
}

void daemon_progress(struct daemon *daemon, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) char *line = NULL;
	int64_t now = clock_mono_ms();
	va_list ap;

	if (daemon->is_ready || now - daemon->progress_ms < PROGRESS_MS)
		return;
	daemon->progress_ms = now;
	va_start(ap, fmt);
	text = one_line(fmt, ap);
	va_end(ap);
	if (!text)
		return;
	if (daemon->line_fd < 0) {
		progress_text(&daemon->progress, text);
		return;
	}
	line = strf("P%s\n", text);
	if (line)
		tell(daemon, line);
}

void daemon_ready(struct daemon *daemon)
{
	progress_end(&daemon->progress);
	tell(daemon, "R0\n");
	closep(&daemon->line_fd);
	daemon->line_fd = -1;
	daemon->is_ready = true;
	notify_send("READY=1");
}

int daemon_fail(struct daemon *daemon, enum cli_exit code, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = one_line(fmt, ap);
	va_end(ap);
	progress_end(&daemon->progress);
	if (daemon->line_fd < 0 && !daemon->is_ready)
		return cli_fail(daemon->cli, code, "%s", text ? text : "out of memory");
	log_error("%s", text ? text : "out of memory");
	line = strf("R%d %s\n", (int)code, text ? text : "out of memory");
	if (line)
		tell(daemon, line);
	return (int)code;
}

static int open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int null;

	if (fd < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		return -errno;
	close(null);
	close(fd);
	return 0;
}

static int make_state_dir(struct cli *cli, const char *path)
{
	int r = cli_make_dirs(path, 0700);

	if (r < 0)
		return cli_fail(cli, EXIT_USAGE,
				"cannot create the state folder %s: %s: name another one "
				"with --state",
				path, strerror(-r));
	return 0;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Forks. -1 in the daemon, else the command's exit code. */
static int split(struct daemon *daemon, const char *log_path)
{
	int fds[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return cli_fail(daemon->cli, EXIT_FAILED, "cannot start: %s",
				strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return cli_fail(daemon->cli, EXIT_FAILED, "cannot start: %s",
				strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		return wait_for_daemon(daemon->cli, fds[0], pid, log_path);
	}
	close(fds[0]);
	daemon->line_fd = fds[1];
	setsid();
	r = open_log(log_path);
	if (r < 0) {
		daemon_fail(daemon, EXIT_FAILED, "cannot write the log file %s: %s",
			    log_path, strerror(-r));
		_exit(EXIT_FAILED);
	}
	log_set_times(true);
	/* a working folder would keep a file system from being unmounted */
	return chdir("/") < 0 ? EXIT_FAILED : -1;
}

int daemon_begin(const struct daemon_setup *setup, struct daemon **ret)
{
	_cleanup_(daemon_freep) struct daemon *daemon = calloc(1, sizeof(*daemon));
	_cleanup_(freep) char *log_path = strf("%s/log", setup->state_dir);
	int code;

	*ret = NULL;
	if (!daemon || !log_path)
		return cli_fail(setup->cli, EXIT_FAILED, "out of memory");
	daemon->cli = setup->cli;
	daemon->line_fd = daemon->stop_fd = daemon->signal_fd = -1;
	daemon->progress_ms = clock_mono_ms() + PATIENCE_MS - PROGRESS_MS;
	code = make_state_dir(setup->cli, setup->state_dir);
	if (code)
		return code;
	if (!setup->is_foreground) {
		code = split(daemon, log_path);
		if (code >= 0)
			return code;
	} else {
		progress_start(&daemon->progress, setup->cli->is_quiet, false);
		log_set_systemd(notify_is_journal());
	}
	block_signals();
	*ret = steal(daemon);
	return -1;
}

/* ---- signals ---- */

static void take_signal(struct daemon *daemon)
{
	struct signalfd_siginfo info;
	int before = 0;

	if (read(daemon->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		log_info("SIGHUP: noted; presets are read at the next start");
		return;
	}
	if (!atomic_compare_exchange_strong(&daemon->signal, &before,
					    (int)info.ssi_signo)) {
		log_warning("a second signal: ending at once");
		_exit(128 + (int)info.ssi_signo);
	}
	log_info("signal %d: stopping", (int)info.ssi_signo);
	notify_send("STOPPING=1");
	daemon->hooks.stop(daemon->hooks.context);
}

static void send_status(struct daemon *daemon)
{
	char state[256] = "STATUS=";
	size_t len = strlen(state);

	daemon->hooks.status(daemon->hooks.context, state + len, sizeof(state) - len);
	notify_send(state);
}

static void *run_signals(void *context)
{
	struct daemon *daemon = context;
	int64_t watchdog = notify_watchdog_ms();
	int pause = watchdog > 0 && watchdog < STATUS_MS ? (int)watchdog : STATUS_MS;

	for (;;) {
		struct pollfd fds[2] = { { .fd = daemon->stop_fd, .events = POLLIN },
					 { .fd = daemon->signal_fd, .events = POLLIN } };
		int n = poll(fds, 2, pause);

		if (fds[0].revents || (n < 0 && errno != EINTR))
			return NULL;
		if (n > 0 && fds[1].revents)
			take_signal(daemon);
		if (n == 0 && getenv("NOTIFY_SOCKET"))
			send_status(daemon);
		if (n == 0 && watchdog > 0)
			notify_send("WATCHDOG=1");
	}
}

int daemon_watch_signals(struct daemon *daemon, const struct daemon_hooks *hooks)
{
	sigset_t set;
	int r;

	daemon->hooks = *hooks;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	daemon->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (daemon->signal_fd < 0 || daemon->stop_fd < 0)
		return -errno;
	r = pthread_create(&daemon->thread, NULL, run_signals, daemon);
	daemon->has_thread = r == 0;
	return -r;
}

int daemon_signal(struct daemon *daemon)
{
	return atomic_load(&daemon->signal);
}

void daemon_end_signals(struct daemon *daemon)
{
	uint64_t one = 1;

	if (daemon->has_thread && write(daemon->stop_fd, &one, sizeof(one)) > 0)
		pthread_join(daemon->thread, NULL);
	daemon->has_thread = false;
}

void daemon_free(struct daemon *daemon)
{
	if (!daemon)
		return;
	daemon_end_signals(daemon);
	closep(&daemon->line_fd);
	closep(&daemon->stop_fd);
	closep(&daemon->signal_fd);
	free(daemon);
}
