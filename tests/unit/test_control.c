/* tools/control and tools/json: requests, and lines on a socket. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tools/control.h"

static void test_request_round_trip(void **state)
{
	static char info[] = "info", path[] = "/mnt/\xff \"x\".exr", frames[] = "1-10";
	char *paths[] = { path };
	struct control_request in = { .verb = info,
				      .paths = paths,
				      .n_paths = 1,
				      .frames = frames,
				      .is_accepting = true };
	_cleanup_(control_request_done) struct control_request out = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };

	assert_int_equal(control_request_format(&in, &line), 0);
	assert_ptr_equal(strchr(line.data, '\n'), line.data + line.len - 1);
	assert_int_equal(control_request_parse(line.data, line.len - 1, &out, NULL), 0);
	assert_string_equal(out.verb, "info");
	assert_int_equal(out.n_paths, 1);
	assert_string_equal(out.paths[0], path);
	assert_string_equal(out.frames, "1-10");
	assert_true(out.is_accepting);
	assert_false(out.is_failed);
}

static void test_bad_requests(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"{",
		"{}",
		"{\"verb\": 7}",
		"{\"verb\": \"ls\", \"paths\": \"/mnt\"}",
		"{\"verb\": \"ls\", \"paths\": [1]}",
		"{\"verb\": \"ls\", \"paths\": [\"a\\u0000b\"]}",
		"{\"verb\": \"ls\"} {\"verb\": \"ls\"}",
		"{\"verb\": \"\\ud800\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct control_request request;
		struct error error = { 0 };

		if (control_request_parse(rows[i], strlen(rows[i]), &request, &error) !=
		    -EBADMSG)
			fail_msg("taken: %s", rows[i]);
		assert_true(error.text[0]);
	}
}

static void test_escaped_backslash_is_no_nul(void **state)
{
	static const char text[] = "{\"verb\": \"a\\\\u0000\"}";
	_cleanup_(control_request_done) struct control_request request = { 0 };

	assert_int_equal(control_request_parse(text, strlen(text), &request, NULL), 0);
	assert_string_equal(request.verb, "a\\u0000");
}

static void test_nesting_is_bounded(void **state)
{
	_cleanup_(buf_done) struct buf deep = { 0 };
	struct control_request request;

	for (int i = 0; i < 500000; i++)
		buf_addc(&deep, '[');
	assert_int_equal(control_request_parse(deep.data, deep.len, &request, NULL),
			 -EBADMSG);
}

static void test_large_numbers_stay_whole(void **state)
{
	_cleanup_(json_freep) struct json *json = json_object();
	_cleanup_(freep) char *line = NULL;
	_cleanup_(json_freep) struct json *back = NULL;

	json_set_int(json, "a", 1000000000000000);
	json_set_int(json, "b", -1);
	json_set_time(json, "c", 1701075384512);
	json_set_time(json, "d", 0);
	line = json_line(json);
	assert_string_equal(line, "{\"a\":1000000000000000,\"b\":-1,"
				  "\"c\":\"2023-11-27T08:56:24.512Z\",\"d\":null}");
	assert_int_equal(json_parse(line, strlen(line), &back, NULL), 0);
	assert_int_equal(json_get_int(back, "a", 0), 1000000000000000);
	assert_int_equal(json_get_int(back, "c", 5), 5);
	assert_int_equal(json_get_int(back, "none", 5), 5);
}

/* Two ends of a socket, closed at the end of a test. */
struct ends {
	int a, b;
};

static void ends_done(struct ends *ends)
{
	closep(&ends->a);
	closep(&ends->b);
}

static struct ends make_ends(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return (struct ends){ fds[0], fds[1] };
}

static void test_lines(void **state)
{
	_cleanup_(ends_done) struct ends ends = make_ends();
	_cleanup_(control_line_done) struct control_line line = { .fd = ends.b };
	_cleanup_(buf_done) struct buf got = { 0 };

	assert_int_equal(control_write(ends.a, "one\ntwo\nthr", 11, 1000, -1), 0);
	assert_int_equal(control_read(&line, 100, 1000, -1, &got), 0);
	assert_string_equal(buf_str(&got), "one");
	buf_clear(&got);
	assert_int_equal(control_read(&line, 100, 1000, -1, &got), 0);
	assert_string_equal(buf_str(&got), "two");
	buf_clear(&got);
	assert_int_equal(control_read(&line, 100, 0, -1, &got), -ETIMEDOUT);
	assert_int_equal(control_write(ends.a, "ee\n", 3, 1000, -1), 0);
	assert_int_equal(control_read(&line, 100, 1000, -1, &got), 0);
	assert_string_equal(buf_str(&got), "three");
	buf_clear(&got);
	close(steal_fd(ends.a));
	assert_int_equal(control_read(&line, 100, 1000, -1, &got), CONTROL_CLOSED);
}

static void test_line_limits(void **state)
{
	_cleanup_(ends_done) struct ends ends = make_ends();
	_cleanup_(control_line_done) struct control_line line = { .fd = ends.b };
	_cleanup_(buf_done) struct buf got = { 0 };
	char data[200] = { 0 };

	assert_int_equal(control_write(ends.a, data, sizeof(data), 1000, -1), 0);
	assert_int_equal(control_read(&line, 100, 1000, -1, &got), -EMSGSIZE);
	close(steal_fd(ends.a));
	assert_int_equal(control_read(&line, 1000, 1000, -1, &got), -ECONNRESET);
	assert_int_equal(control_write(ends.b, data, sizeof(data), 1000, -1), -EPIPE);
}

static void test_read_stops(void **state)
{
	_cleanup_(ends_done) struct ends ends = make_ends();
	_cleanup_(ends_done) struct ends stop = make_ends();
	_cleanup_(control_line_done) struct control_line line = { .fd = ends.b };
	_cleanup_(buf_done) struct buf got = { 0 };

	assert_int_equal(control_write(stop.a, "x", 1, 1000, -1), 0);
	assert_int_equal(control_read(&line, 100, -1, stop.b, &got), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_round_trip),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_escaped_backslash_is_no_nul),
		cmocka_unit_test(test_nesting_is_bounded),
		cmocka_unit_test(test_large_numbers_stay_whole),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_line_limits),
		cmocka_unit_test(test_read_stops),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
