/* The daemon's side of the control socket. */
#include "tools/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "sync/base/lock.h"
#include "sync/base/log.h"

/*
 * A slot's life: FREE ── accept thread ──► BUSY ── its own thread ──► OVER ── accept thread, or
 * server_free(), joins ──► FREE.
 */
enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_OVER };

struct slot {
	struct server *server;
	enum slot_state state; /* guarded by server->lock */
	pthread_t thread;
	int fd;
};

struct server {
	server_answer_fn *answer;
	void *context;
	char *name;
	int64_t patience_ms;
	int dir_fd, listen_fd;
	int stop_fd; /* readable from the moment on that the server stops */
	pthread_t thread;
	bool has_thread;
	struct mutex lock;
	struct slot slots[SERVER_CLIENTS];
};

struct server_call {
	struct server *server;
	int fd;
	bool is_finished;
};

/* ---- what answers use ---- */

int server_send(struct server_call *call, const struct json *json)
{
	if (server_is_over(call))
		return -ECANCELED;
	return control_send(call->fd, json, call->server->patience_ms,
			    call->server->stop_fd);
}

void server_finish(struct server_call *call, struct json *json, int code,
		   const char *text)
{
	if (!json)
		json = json_object();
	json_set_int(json, "exit", code);
	if (text)
		json_set_text(json, "error", text);
	/* a client that left does not hear it, and that is all */
	control_send(call->fd, json, call->server->patience_ms, call->server->stop_fd);
	json_free(json);
	call->is_finished = true;
}

bool server_is_over(struct server_call *call)
{
	struct pollfd fds[2] = { { .fd = call->server->stop_fd, .events = POLLIN },
				 { .fd = call->fd, .events = POLLRDHUP } };

	/* a further request that waits already is no end */
	return poll(fds, 2, 0) > 0 &&
	       (fds[0].revents || (fds[1].revents & (POLLRDHUP | POLLHUP | POLLERR)));
}

int server_wait(struct server_call *call, int fd)
{
	for (;;) {
		struct pollfd fds[3] = { { .fd = call->server->stop_fd,
					   .events = POLLIN },
					 { .fd = call->fd, .events = POLLRDHUP },
					 { .fd = fd, .events = POLLIN } };

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return 0;
		if (fds[0].revents || fds[1].revents)
			return 0;
		if (fds[2].revents)
			return 1;
	}
}

/* ---- one connection ---- */

static void refuse(struct server_call *call, int code, const char *text)
{
	server_finish(call, NULL, code, text);
}

/* Answers one request. False where the connection should end. */
static bool serve_request(struct server_call *call, const struct buf *line)
{
	_cleanup_(control_request_done) struct control_request request = { 0 };
	struct error error = { 0 };
	int r;

	call->is_finished = false;
	r = control_request_parse(buf_str(line), line->len, &request, &error);
	if (r < 0) {
		refuse(call, 2, error_text(&error, r));
		return r == -EBADMSG;
	}
	call->server->answer(call->server->context, &request, call);
	if (!call->is_finished)
		refuse(call, 1, "the request was not answered");
	return true;
}

static void serve(struct server *server, int fd)
{
	_cleanup_(control_line_done) struct control_line line = { .fd = fd };
	struct server_call call = { .server = server, .fd = fd };
	int r;

	for (;;) {
		_cleanup_(buf_done) struct buf text = { 0 };

		r = control_read(&line, CONTROL_LINE_MAX, server->patience_ms,
				 server->stop_fd, &text);
		if (r == -EMSGSIZE)
			refuse(&call, 2, "the request is too long");
		if (r != 0 || !serve_request(&call, &text))
			return;
	}
}

static void *run_slot(void *context)
{
	struct slot *slot = context;
	struct server *server = slot->server;

	serve(server, slot->fd);
	close(slot->fd);
	mutex_lock(&server->lock);
	slot->state = SLOT_OVER;
	mutex_unlock(&server->lock);
	return NULL;
}

/* ---- accepting ---- */

/* Only the daemon's own user and root: a socket's mode says the same, but not of a folder that was opened up. */
static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}

/* A slot of which no thread exists, or NULL. Threads that are over are joined on the way. */
static struct slot *find_slot(struct server *server)
{
	struct slot *free_slot = NULL;

	for (size_t i = 0; i < SERVER_CLIENTS; i++) {
		struct slot *slot = &server->slots[i];
		enum slot_state state;

		mutex_lock(&server->lock);
		state = slot->state;
		mutex_unlock(&server->lock);
		if (state == SLOT_BUSY)
			continue;
		if (state == SLOT_OVER) {
			pthread_join(slot->thread, NULL);
			mutex_lock(&server->lock);
			slot->state = SLOT_FREE;
			mutex_unlock(&server->lock);
		}
		free_slot = slot;
	}
	return free_slot;
}

static void turn_away(struct server *server, int fd, const char *text)
{
	struct server_call call = { .server = server, .fd = fd };
	struct json *json = json_object();

	json_set_int(json, "exit", 1);
	json_set_text(json, "error", text);
	/* no patience: this is the thread that accepts */
	control_send(call.fd, json, 0, -1);
	json_free(json);
	close(fd);
}

static void take_client(struct server *server, int fd)
{
	struct slot *slot;
	int r;

	if (!may_ask(fd)) {
		turn_away(server, fd, "only the daemon's own user and root are answered");
		return;
	}
	slot = find_slot(server);
	if (!slot) {
		turn_away(server, fd, "too many clients at once: try again");
		return;
	}
	slot->fd = fd;
	mutex_lock(&server->lock);
	slot->state = SLOT_BUSY;
	mutex_unlock(&server->lock);
	r = pthread_create(&slot->thread, NULL, run_slot, slot);
	if (r == 0)
		return;
	log_warning("control socket: cannot start a thread for a client: %s",
		    strerror(r));
	mutex_lock(&server->lock);
	slot->state = SLOT_FREE;
	mutex_unlock(&server->lock);
	close(fd);
}

static void *run_server(void *context)
{
	struct server *server = context;

	for (;;) {
		struct pollfd fds[2] = { { .fd = server->stop_fd, .events = POLLIN },
					 { .fd = server->listen_fd, .events = POLLIN } };
		int fd;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[0].revents)
			return NULL;
		if (!fds[1].revents)
			continue;
		fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			take_client(server, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			/* the backlog stays readable: without a pause this would spin */
			poll(fds, 1, 100);
	}
}

/* Signals are for the thread that waits for them. */
static int start_thread(struct server *server)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&server->thread, NULL, run_server, server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	server->has_thread = r == 0;
	return -r;
}

int server_start(const struct server_setup *setup, struct server **ret,
		 struct error *error)
{
	_cleanup_(server_freep) struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->answer = setup->answer;
	server->context = setup->context;
	server->patience_ms =
		setup->patience_ms ? setup->patience_ms : SERVER_PATIENCE_MS;
	server->dir_fd = server->listen_fd = -1;
	mutex_init(&server->lock);
	for (size_t i = 0; i < SERVER_CLIENTS; i++)
		server->slots[i].server = server;
	server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->stop_fd < 0)
		return -errno;
	server->dir_fd = runtime_open(setup->runtime_dir, error);
	if (server->dir_fd < 0)
		return server->dir_fd;
	server->listen_fd = runtime_publish(server->dir_fd, setup->facts, error);
	if (server->listen_fd < 0)
		return server->listen_fd;
	/* from here on there is something to withdraw */
	server->name = strdup(setup->facts->name);
	if (!server->name)
		return -ENOMEM;
	r = start_thread(server);
	if (r < 0)
		return r;
	*ret = steal(server);
	return 0;
}

static void join_clients(struct server *server)
{
	for (size_t i = 0; i < SERVER_CLIENTS; i++) {
		enum slot_state state;

		mutex_lock(&server->lock);
		state = server->slots[i].state;
		mutex_unlock(&server->lock);
		if (state != SLOT_FREE)
			pthread_join(server->slots[i].thread, NULL);
	}
}

void server_free(struct server *server)
{
	uint64_t one = 1;

	if (!server)
		return;
	if (server->name)
		runtime_withdraw(server->dir_fd, server->name);
	if (server->has_thread) {
		if (write(server->stop_fd, &one, sizeof(one)) < 0)
			log_debug("control socket: cannot stop: %s", strerror(errno));
		pthread_join(server->thread, NULL);
		join_clients(server);
	}
	closep(&server->dir_fd);
	closep(&server->listen_fd);
	closep(&server->stop_fd);
	mutex_done(&server->lock);
	free(server->name);
	free(server);
}
