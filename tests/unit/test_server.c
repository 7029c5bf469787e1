/* tools/server and tools/runtime: who is answered, what hostile clients can do, what is left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tools/server.h"

struct fixture {
	char *dir;
	struct daemon_facts facts;
	struct server *server;
};

static void answer(void *context, const struct control_request *request,
		   struct server_call *call)
{
	struct json *item = json_object();

	if (!strcmp(request->verb, "wait")) {
		json_set_text(item, "waiting", "yes");
		server_send(call, item);
		/* stdin of a test may be readable; a descriptor that never is */
		while (server_wait(call, *(int *)context)) {
		}
	} else if (!strcmp(request->verb, "flood")) {
		json_set_text(item, "line", "x");
		while (server_send(call, item) == 0) {
		}
	} else if (!strcmp(request->verb, "echo")) {
		json_set_int(item, "paths", (int64_t)request->n_paths);
		server_send(call, item);
		server_finish(call, NULL, 0, NULL);
	}
	json_free(item);
}

static int never_readable = -1;

static void start(struct fixture *f, int64_t patience_ms)
{
	struct error error = { 0 };
	int r;

	r = server_start(&(struct server_setup){ .runtime_dir = f->dir,
						 .facts = &f->facts,
						 .answer = answer,
						 .context = &never_readable,
						 .patience_ms = patience_ms },
			 &f->server, &error);
	if (r < 0)
		fail_msg("%s", error_text(&error, r));
}

static int setup(void **state)
{
	char template[] = "/tmp/sitefs-server-XXXXXX";
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	if (never_readable < 0 && pipe2(fds, O_CLOEXEC) == 0)
		never_readable = fds[0];
	assert_non_null(mkdtemp(template));
	f->dir = strdup(template);
	f->facts = (struct daemon_facts){
		.name = runtime_name("/var/lib/sitefs/a show"),
		.pid = getpid(),
		.state_dir = strdup("/var/lib/sitefs/a show"),
		.active_site = strdup("studio"),
		.dir = strdup(template),
	};
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	server_free(f->server);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	daemon_facts_done(&f->facts);
	free(f->dir);
	free(f);
	return 0;
}

static int dial(struct fixture *f)
{
	int fd = runtime_connect(&f->facts);

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(control_write(fd, text, strlen(text), 5000, -1), 0);
}

/* The next line must come and hold this. */
static void expect(struct control_line *line, const char *part)
{
	_cleanup_(buf_done) struct buf got = { 0 };

	assert_int_equal(control_read(line, CONTROL_LINE_MAX, 10000, -1, &got), 0);
	if (!strstr(buf_str(&got), part))
		fail_msg("'%s' is not in '%s'", part, buf_str(&got));
}

/* The server closes, or has closed with our bytes unread. */
static void expect_end(struct control_line *line)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	int r = control_read(line, CONTROL_LINE_MAX, 10000, -1, &got);

	if (r != CONTROL_CLOSED && r != -ECONNRESET)
		fail_msg("not closed: %d %s", r, buf_str(&got));
}

static void test_requests_in_a_row(void **state)
{
	struct fixture *f = *state;
	_cleanup_(control_line_done) struct control_line line = { 0 };
	_cleanup_(closep) int fd = -1;

	start(f, 0);
	line.fd = fd = dial(f);
	say(fd, "{\"verb\":\"echo\",\"paths\":[\"a\",\"b\"]}\n{\"verb\":\"echo\"}\n");
	expect(&line, "{\"paths\":2}");
	expect(&line, "{\"exit\":0}");
	expect(&line, "{\"paths\":0}");
	expect(&line, "{\"exit\":0}");
	/* a bad request is answered and does not end the connection */
	say(fd, "garbage\n");
	expect(&line, "\"exit\":2");
	say(fd, "{\"verb\":\"nobody answers\"}\n");
	expect(&line, "\"exit\":1");
}

static void test_hostile_input(void **state)
{
	struct fixture *f = *state;
	static const char *const rows[] = {
		"\n",
		"{}\n",
		"[[[[[\n",
		"\xff\xfe\n",
		"{\"verb\":1}\n",
		"{\"verb\":\"echo\",\"paths\":{\"a\":1}}\n",
	};

	start(f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(control_line_done) struct control_line line = { 0 };
		_cleanup_(closep) int fd = dial(f);

		line.fd = fd;
		say(fd, rows[i]);
		expect(&line, "\"exit\":2");
		assert_int_equal(control_write(fd, "\"a\0\"\n", 5, 5000, -1), 0);
		expect(&line, "NUL");
	}
}

static void test_too_long_a_line(void **state)
{
	struct fixture *f = *state;
	_cleanup_(control_line_done) struct control_line line = { 0 };
	_cleanup_(freep) char *big = malloc(2 * CONTROL_LINE_MAX);
	_cleanup_(closep) int fd = -1;

	assert_non_null(big);
	memset(big, 'a', 2 * CONTROL_LINE_MAX);
	start(f, 0);
	line.fd = fd = dial(f);
	/* it stops reading somewhere in here */
	control_write(fd, big, 2 * CONTROL_LINE_MAX, 5000, -1);
	{
		_cleanup_(buf_done) struct buf got = { 0 };
		int r = control_read(&line, CONTROL_LINE_MAX, 10000, -1, &got);

		if (r == 0)
			assert_non_null(strstr(buf_str(&got), "too long"));
		else
			assert_int_equal(r, -ECONNRESET);
	}
}

static void test_slow_clients_are_dropped(void **state)
{
	struct fixture *f = *state;
	_cleanup_(control_line_done) struct control_line half = { 0 };
	_cleanup_(closep) int half_fd = -1;
	_cleanup_(closep) int deaf_fd = -1;

	start(f, 50);
	half.fd = half_fd = dial(f);
	say(half_fd, "{\"verb\":");
	expect_end(&half);
	/* one that never reads: the answer gives up, and server_free() in the teardown does not hang */
	deaf_fd = dial(f);
	say(deaf_fd, "{\"verb\":\"flood\"}\n");
}

static void test_too_many_clients(void **state)
{
	struct fixture *f = *state;
	int fds[SERVER_CLIENTS + 1];
	struct control_line line = { 0 };

	start(f, 0);
	for (size_t i = 0; i < SERVER_CLIENTS; i++) {
		line.fd = fds[i] = dial(f);
		say(fds[i], "{\"verb\":\"wait\"}\n");
		expect(&line, "waiting");
	}
	line.fd = fds[SERVER_CLIENTS] = dial(f);
	expect(&line, "too many clients");
	expect_end(&line);
	/* places are given again */
	for (size_t i = 0; i <= SERVER_CLIENTS; i++)
		close(fds[i]);
	for (bool is_served = false; !is_served;) {
		_cleanup_(buf_done) struct buf got = { 0 };
		_cleanup_(closep) int fd = dial(f);

		buf_clear(&line.in);
		line.scanned = 0;
		line.fd = fd;
		control_write(fd, "{\"verb\":\"echo\"}\n", 16, 5000, -1);
		is_served = control_read(&line, 1000, 10000, -1, &got) == 0 &&
			    strstr(buf_str(&got), "paths") != NULL;
	}
	control_line_done(&line);
}

static void test_stop_ends_waits(void **state)
{
	struct fixture *f = *state;
	_cleanup_(control_line_done) struct control_line line = { 0 };
	_cleanup_(closep) int fd = -1;

	start(f, 0);
	line.fd = fd = dial(f);
	say(fd, "{\"verb\":\"wait\"}\n");
	expect(&line, "waiting");
	server_free(steal(f->server));
	expect(&line, "\"exit\":1");
	expect_end(&line);
}

/* One that asks for much and reads nothing keeps nobody from ending. */
static void test_stop_ends_writes(void **state)
{
	struct fixture *f = *state;
	_cleanup_(control_line_done) struct control_line line = { 0 };
	_cleanup_(closep) int fd = -1;

	start(f, INT32_MAX);
	line.fd = fd = dial(f);
	say(fd, "{\"verb\":\"flood\"}\n");
	expect(&line, "\"line\":\"x\"");
	server_free(steal(f->server));
}

static size_t count_daemons(struct fixture *f)
{
	struct daemon_facts *list;
	size_t n;

	assert_int_equal(runtime_list(f->dir, &list, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(list[i].name, f->facts.name);
		assert_string_equal(list[i].state_dir, f->facts.state_dir);
		assert_int_equal(list[i].pid, getpid());
		assert_null(list[i].mountpoint);
	}
	daemon_list_free(list, n);
	return n;
}

static size_t count_files(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	if (!dir)
		return SIZE_MAX;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void test_published_and_withdrawn(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(count_daemons(f), 0);
	start(f, 0);
	assert_int_equal(count_daemons(f), 1);
	assert_int_equal(count_files(f->dir), 2);
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	server_free(steal(f->server));
	assert_int_equal(count_daemons(f), 0);
	assert_int_equal(count_files(f->dir), 0);
}

static void test_stale_entries_go(void **state)
{
	struct fixture *f = *state;
	_cleanup_(closep) int dir_fd = runtime_open(f->dir, NULL);
	int fd;

	assert_true(dir_fd >= 0);
	/* a daemon that was killed: socket and facts are there, nobody listens */
	fd = runtime_publish(dir_fd, &f->facts, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(count_files(f->dir), 2);
	assert_int_equal(count_daemons(f), 0);
	assert_int_equal(count_files(f->dir), 0);
	/* and one that starts over them just takes the name */
	fd = runtime_publish(dir_fd, &f->facts, NULL);
	close(fd);
	start(f, 0);
	assert_int_equal(count_daemons(f), 1);
}

static void test_folder_of_others_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error error = { 0 };

	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(runtime_open(f->dir, &error), -EPERM);
	assert_non_null(strstr(error.text, f->dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests_in_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_clients_are_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_ends_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_ends_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_published_and_withdrawn, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_stale_entries_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_of_others_is_refused, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
