/* The control socket's protocol. */
#include "tools/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "sync/base/clock.h"

/* ---- requests ---- */

static int take_paths(const struct json *list, struct control_request *request,
		      struct error *error)
{
	if (!list)
		return 0;
	if (!json_is_array(list))
		return error_set(error, -EBADMSG, "\"paths\" is not a list");
	if (json_size(list) > CONTROL_PATHS_MAX)
		return error_set(error, -EBADMSG, "more than %d paths",
				 CONTROL_PATHS_MAX);
	request->paths = calloc(json_size(list) + 1, sizeof(*request->paths));
	if (!request->paths)
		return -ENOMEM;
	for (struct json *p = json_first(list); p; p = json_next(p)) {
		const char *text = json_as_text(p);

		if (!text)
			return error_set(error, -EBADMSG, "a path is not a string");
		request->paths[request->n_paths] = strdup(text);
		if (!request->paths[request->n_paths++])
			return -ENOMEM;
	}
	return 0;
}

static int take_request(const struct json *json, struct control_request *request,
			struct error *error)
{
	const char *verb = json_get_text(json, "verb");
	const char *frames = json_get_text(json, "frames");
	const char *project = json_get_text(json, "project");
	int r;

	if (!json_is_object(json) || !verb)
		return error_set(error, -EBADMSG,
				 "a request is an object with a \"verb\"");
	request->verb = strdup(verb);
	if (frames)
		request->frames = strdup(frames);
	if (project)
		request->project = strdup(project);
	if (!request->verb || (frames && !request->frames) ||
	    (project && !request->project))
		return -ENOMEM;
	r = take_paths(json_get(json, "paths"), request, error);
	if (r < 0)
		return r;
	request->is_accepting = json_get_bool(json, "accept");
	request->is_failed = json_get_bool(json, "failed");
	request->is_awaited = json_get_bool(json, "awaited");
	request->is_remote = json_get_bool(json, "remote");
	request->is_orphans = json_get_bool(json, "orphans");
	request->is_fix = json_get_bool(json, "fix");
	request->is_dry = json_get_bool(json, "dry_run");
	request->is_uploads = json_get_bool(json, "uploads");
	request->is_downloads = json_get_bool(json, "downloads");
	request->for_ms = json_get_int(json, "for_ms", 0);
	if (request->for_ms < 0 || request->for_ms > CONTROL_FOR_MAX_MS)
		return error_set(error, -EBADMSG, "\"for_ms\" is no span of time");
	return 0;
}

int control_request_parse(const char *line, size_t len, struct control_request *ret,
			  struct error *error)
{
	_cleanup_(control_request_done) struct control_request request = { 0 };
	_cleanup_(json_freep) struct json *json = NULL;
	int r;

	if (len > CONTROL_LINE_MAX)
		return error_set(error, -EBADMSG, "a request is longer than %d bytes",
				 CONTROL_LINE_MAX);
	r = json_parse(line, len, &json, error);
	if (r < 0)
		return r;
	r = take_request(json, &request, error);
	if (r < 0)
		return r;
	*ret = request;
	request = (struct control_request){ 0 };
	return 0;
}

void control_request_done(struct control_request *request)
{
	free(request->verb);
	for (size_t i = 0; i < request->n_paths; i++)
		free(request->paths[i]);
	free(request->paths);
	free(request->frames);
	free(request->project);
	*request = (struct control_request){ 0 };
}

int control_request_format(const struct control_request *request, struct buf *ret)
{
	_cleanup_(json_freep) struct json *json = json_object();
	_cleanup_(freep) char *line = NULL;
	struct json *paths = json_array();

	json_set_text(json, "verb", request->verb);
	for (size_t i = 0; i < request->n_paths; i++)
		json_append(paths, json_text_value(request->paths[i]));
	json_set(json, "paths", paths);
	if (request->frames)
		json_set_text(json, "frames", request->frames);
	json_set_bool(json, "accept", request->is_accepting);
	json_set_bool(json, "failed", request->is_failed);
	json_set_bool(json, "awaited", request->is_awaited);
	json_set_bool(json, "remote", request->is_remote);
	json_set_bool(json, "orphans", request->is_orphans);
	json_set_bool(json, "fix", request->is_fix);
	json_set_bool(json, "dry_run", request->is_dry);
	json_set_bool(json, "uploads", request->is_uploads);
	json_set_bool(json, "downloads", request->is_downloads);
	if (request->project)
		json_set_text(json, "project", request->project);
	json_set_int(json, "for_ms", request->for_ms);
	line = json_line(json);
	if (!line)
		return -ENOMEM;
	return buf_addf(ret, "%s\n", line);
}

/* ---- lines ---- */

/* Waits until FD can be read or written. 0, -ETIMEDOUT, -ECANCELED. */
static int wait_fd(int fd, short events, int64_t deadline_ms, int stop_fd)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = fd, .events = events },
					 { .fd = stop_fd, .events = POLLIN } };
		int64_t left = -1;
		int n;

		if (deadline_ms >= 0) {
			left = deadline_ms - clock_mono_ms();
			if (left <= 0)
				return -ETIMEDOUT;
			if (left > 60000)
				left = 60000;
		}
		n = poll(fds, 2, (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[1].revents)
			return -ECANCELED;
		if (n > 0 && fds[0].revents)
			return 0;
	}
}

/* More bytes into line->in. The number of bytes, 0 at the end, or a negative errno. */
static ssize_t receive(struct control_line *line, int64_t deadline_ms, int stop_fd)
{
	char data[4096];
	ssize_t n;
	int r;

	for (;;) {
		r = wait_fd(line->fd, POLLIN, deadline_ms, stop_fd);
		if (r < 0)
			return r;
		n = recv(line->fd, data, sizeof(data), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = buf_add(&line->in, data, (size_t)n);
		return r < 0 ? r : n;
	}
}

/* Moves the first line of line->in, if it is whole, to RET: 1; else 0. */
static int take_line(struct control_line *line, struct buf *ret)
{
	char *start = line->in.data, *newline = NULL;
	size_t len;
	int r;

	if (line->in.len > line->scanned)
		newline =
			memchr(start + line->scanned, '\n', line->in.len - line->scanned);
	if (!newline) {
		line->scanned = line->in.len;
		return 0;
	}
	len = (size_t)(newline - start);
	r = buf_add(ret, start, len);
	if (r < 0)
		return r;
	line->in.len -= len + 1;
	line->scanned = 0;
	memmove(start, newline + 1, line->in.len + 1);
	return 1;
}

int control_read(struct control_line *line, size_t max, int64_t timeout_ms, int stop_fd,
		 struct buf *ret)
{
	int64_t deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;

	for (;;) {
		ssize_t n;
		int r = take_line(line, ret);

		if (r)
			return r < 0 ? r : 0;
		if (line->in.len > max)
			return -EMSGSIZE;
		n = receive(line, deadline, stop_fd);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return line->in.len ? -ECONNRESET : CONTROL_CLOSED;
	}
}

void control_line_done(struct control_line *line)
{
	buf_done(&line->in);
}

int control_write(int fd, const void *data, size_t len, int64_t timeout_ms, int stop_fd)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_fd(fd, POLLOUT, clock_mono_ms() + timeout_ms, stop_fd);
		if (r < 0)
			return r;
	}
	return 0;
}

int control_send(int fd, const struct json *json, int64_t timeout_ms, int stop_fd)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(freep) char *line = json_line(json);

	if (!line)
		return -ENOMEM;
	buf_adds(&out, line);
	buf_addc(&out, '\n');
	if (out.has_failed)
		return -ENOMEM;
	return control_write(fd, out.data, out.len, timeout_ms, stop_fd);
}
