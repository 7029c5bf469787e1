/* watch: events of the engine, one line each, until the client leaves. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/base/path.h"
#include "tools/answers_private.h"

#define QUEUE_MAX 4096 /* events that a slow client may lie behind */

/* A name that the client watches, with all below it. */
struct target {
	int root;
	char *rel;
};

struct node {
	struct json *json;
	struct node *next;
};

/*
 * Engine threads add at the tail and never wait; the connection's thread takes from the head. What finds the queue full
 * is counted, and told in its place.
 */
struct watch {
	struct answer *answer;
	struct target *targets;
	size_t n_targets;
	int event_fd;
	struct mutex lock;
	struct node *first, **tail; /* guarded by lock, as what follows */
	size_t n;
	int64_t n_dropped;
};

static bool is_watched(const struct watch *watch, const struct engine_event *event)
{
	if (!watch->n_targets || !event->rel[0])
		return true;
	for (size_t i = 0; i < watch->n_targets; i++)
		if (watch->targets[i].root == event->root &&
		    path_is_below(event->rel, watch->targets[i].rel))
			return true;
	return false;
}

static struct json *event_json(const struct answer *answer,
			       const struct engine_event *event)
{
	struct json *json = json_document();

	json_set_int(json, "seq", (int64_t)event->seq);
	json_set_time(json, "time", event->wall_ms);
	json_set_text(json, "event", event->what);
	if (event->rel[0])
		answer_set_path(answer, json, event->root, event->rel);
	if (event->state)
		json_set_text(json, "state", file_state_name(event->state));
	if (event->rel[0] && strcmp(event->what, "state") != 0)
		json_set_double(json, "progress", event->progress);
	if (event->text)
		json_set_text(json, "text", event->text);
	return json;
}

static void add_event(void *context, const struct engine_event *event)
{
	struct watch *watch = context;
	struct node *node = NULL;
	uint64_t one = 1;

	if (!is_watched(watch, event))
		return;
	node = calloc(1, sizeof(*node));
	if (node)
		node->json = event_json(watch->answer, event);
	mutex_lock(&watch->lock);
	if (node && watch->n < QUEUE_MAX) {
		*watch->tail = node;
		watch->tail = &node->next;
		watch->n++;
		node = NULL;
	} else {
		watch->n_dropped++;
	}
	mutex_unlock(&watch->lock);
	if (node) {
		json_free(node->json);
		free(node);
	}
	if (write(watch->event_fd, &one, sizeof(one)) < 0) {
		/* full: it is readable then already */
	}
}

/* All that waits, for the caller to free node by node. */
static struct node *take_all(struct watch *watch, int64_t *ret_dropped)
{
	struct node *first;

	mutex_lock(&watch->lock);
	first = watch->first;
	watch->first = NULL;
	watch->tail = &watch->first;
	watch->n = 0;
	*ret_dropped = watch->n_dropped;
	watch->n_dropped = 0;
	mutex_unlock(&watch->lock);
	return first;
}

static int send_dropped(struct watch *watch, int64_t n)
{
	_cleanup_(json_freep) struct json *json = json_document();

	json_set_text(json, "event", "dropped");
	json_set_int(json, "count", n);
	return server_send(watch->answer->call, json);
}

/* Sends all that waits. Negative where the client is gone. */
static int send_all(struct watch *watch)
{
	int64_t n_dropped;
	struct node *node = take_all(watch, &n_dropped);
	int r = 0;

	while (node) {
		struct node *next = node->next;

		if (r == 0)
			r = server_send(watch->answer->call, node->json);
		json_free(node->json);
		free(node);
		node = next;
	}
	if (r == 0 && n_dropped)
		r = send_dropped(watch, n_dropped);
	return r;
}

static int add_target(void *context, int root, const char *rel)
{
	struct watch *watch = context;
	struct target *grown = reallocarray(watch->targets, watch->n_targets + 1,
					    sizeof(*watch->targets));

	if (!grown)
		return -ENOMEM;
	watch->targets = grown;
	grown[watch->n_targets] = (struct target){ root, strdup(rel) };
	return grown[watch->n_targets++].rel ? 0 : -ENOMEM;
}

static void watch_done(struct watch *watch)
{
	int64_t n_dropped;
	struct node *node = take_all(watch, &n_dropped);

	while (node) {
		struct node *next = node->next;

		json_free(node->json);
		free(node);
		node = next;
	}
	for (size_t i = 0; i < watch->n_targets; i++)
		free(watch->targets[i].rel);
	free(watch->targets);
	closep(&watch->event_fd);
	mutex_done(&watch->lock);
}

/* A script may act once it knows that nothing is missed. */
static int send_begin(struct watch *watch)
{
	_cleanup_(json_freep) struct json *json = json_document();

	json_set_int(json, "seq", 0);
	json_set_time(json, "time", clock_wall_ms());
	json_set_text(json, "event", "watching");
	return server_send(watch->answer->call, json);
}

static int follow(struct watch *watch)
{
	uint64_t n;
	int r;

	r = engine_subscribe(watch->answer->engine, add_event, watch);
	if (r < 0)
		return r;
	r = send_begin(watch);
	while (r == 0 && server_wait(watch->answer->call, watch->event_fd)) {
		if (read(watch->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
			r = -errno;
		else
			r = send_all(watch);
	}
	engine_unsubscribe(watch->answer->engine, add_event, watch);
	return 0;
}

void answer_watch(struct answer *answer)
{
	struct watch watch = { .answer = answer };
	struct error error = { 0 };
	int r = 0;

	mutex_init(&watch.lock);
	watch.tail = &watch.first;
	watch.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch.event_fd < 0)
		r = -errno;
	if (r == 0 && answer->request->n_paths)
		r = answer_each(answer, add_target, &watch, &error);
	if (r == 0)
		r = follow(&watch);
	watch_done(&watch);
	/* what ends it without a fault is the daemon's end, or nobody listens any more */
	if (r == 0)
		server_finish(answer->call, NULL, EXIT_NO_DAEMON, "the daemon has ended");
	else
		answer_end(answer, NULL, r, &error);
}
