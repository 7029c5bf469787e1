/*
 * The MongoDB store: following changes. Where the server has change streams, two of them (the studio's database, our
 * truth records) are read by threads of their own and what they brought waits until watch() takes it; elsewhere
 * watch() looks itself (sync/store_mongo_poll). A token is
 *
 *   ID \n streams \n POSITION \n POSITION        valid as long as the server keeps what happened since
 *   ID \n poll \n POLL:N                         valid in this handle only
 */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/store_mongo_poll.h"
#include "sync/store_mongo_stream.h"

#define STREAMS "streams"
#define POLL "poll"

struct store_mongo_feed {
	char *at; /* the token that was given last: what comes next is after it */
	struct buf pending; /* events after it, taken and not given */
	struct store_mongo_stream *docs, *truth;
	char *docs_at, *truth_at; /* positions after PENDING */
	struct store_mongo_poll *poll;
	int64_t n_given; /* by poll */
};

/* ---- tokens ---- */

static char *stream_token(const struct store_mongo *s, const char *docs,
			  const char *truth)
{
	return strf("%s\n" STREAMS "\n%s\n%s", s->id, docs, truth);
}

static char *poll_token(const struct store_mongo *s, const struct store_mongo_feed *feed)
{
	return strf("%s\n" POLL "\n%s:%lld", s->id, store_mongo_poll_id(feed->poll),
		    (long long)feed->n_given);
}

/* The positions of a token of this store. STORE_TOKEN_LOST. */
static int parse_token(const struct store_mongo *s, const char *token, char **ret_docs,
		       char **ret_truth)
{
	_cleanup_(freep) char *head = strf("%s\n" STREAMS "\n", s->id);
	const char *docs, *end;

	if (!head)
		return -ENOMEM;
	if (strncmp(token, head, strlen(head)) != 0)
		return STORE_TOKEN_LOST;
	docs = token + strlen(head);
	end = strchr(docs, '\n');
	if (!end)
		return STORE_TOKEN_LOST;
	*ret_docs = strndup(docs, (size_t)(end - docs));
	*ret_truth = strdup(end + 1);
	return *ret_docs && *ret_truth ? 0 : -ENOMEM;
}

static struct store_mongo_source docs_source(const struct store_mongo *s)
{
	return (struct store_mongo_source){ .database = s->database };
}

static struct store_mongo_source truth_source(const struct store_mongo *s)
{
	return (struct store_mongo_source){ .database = s->own, .collection = "truth" };
}

/* ---- begin and end ---- */

void store_mongo_feed_free(struct store_mongo *s)
{
	struct store_mongo_feed *feed = s->feed;

	if (!feed)
		return;
	store_mongo_stream_free(feed->docs);
	store_mongo_stream_free(feed->truth);
	store_mongo_poll_free(feed->poll);
	buf_done(&feed->pending);
	free(feed->docs_at);
	free(feed->truth_at);
	free(feed->at);
	free(feed);
	s->feed = NULL;
}

/* By the threads of the streams. */
static void notify(void *context)
{
	struct store_mongo *s = context;

	mutex_lock(&s->lock);
	s->has_news = true;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

/* A new feed that begins with TOKEN. */
static int start_streams(struct store_mongo *s, const char *token)
{
	const struct store_mongo_listener listener = { notify, s };
	struct store_mongo_feed *feed = s->feed;
	int r;

	r = parse_token(s, token, &feed->docs_at, &feed->truth_at);
	if (r == 0)
		r = store_mongo_stream_start(s, docs_source(s), feed->docs_at, listener,
					     &feed->docs);
	if (r == 0)
		r = store_mongo_stream_start(s, truth_source(s), feed->truth_at, listener,
					     &feed->truth);
	if (r == 0) {
		feed->at = strdup(token);
		r = feed->at ? 0 : -ENOMEM;
	}
	return r;
}

/* 0: the feed stands at TOKEN. */
static int begin(struct store_mongo *s, const char *token)
{
	int r;

	if (s->feed && strcmp(s->feed->at, token) == 0)
		return 0;
	if (!s->has_streams)
		return STORE_TOKEN_LOST;
	store_mongo_feed_free(s);
	s->feed = calloc(1, sizeof(*s->feed));
	r = s->feed ? start_streams(s, token) : -ENOMEM;
	if (r != 0)
		store_mongo_feed_free(s);
	return r;
}

static int now_of_streams(struct store_mongo *s, char **ret_token)
{
	_cleanup_(freep) char *docs = NULL, *truth = NULL;
	int r;

	r = store_mongo_stream_now(s, docs_source(s), &docs);
	if (r == 0)
		r = store_mongo_stream_now(s, truth_source(s), &truth);
	if (r != 0)
		return r < 0 ? r : -EIO;
	*ret_token = stream_token(s, docs, truth);
	return *ret_token ? 0 : -ENOMEM;
}

static int now_of_poll(struct store_mongo *s, char **ret_token)
{
	int r;

	store_mongo_feed_free(s);
	s->feed = calloc(1, sizeof(*s->feed));
	r = s->feed ? store_mongo_poll_new(s, &s->feed->poll) : -ENOMEM;
	if (r == 0) {
		s->feed->at = poll_token(s, s->feed);
		*ret_token = s->feed->at ? strdup(s->feed->at) : NULL;
		r = *ret_token ? 0 : -ENOMEM;
	}
	if (r < 0)
		store_mongo_feed_free(s);
	return r;
}

int store_mongo_now(struct store *store, char **ret_token)
{
	struct store_mongo *s = store_mongo_of(store);

	return s->has_streams ? now_of_streams(s, ret_token) : now_of_poll(s, ret_token);
}

/* ---- giving ---- */

/* The next event of the bytes at *at; its key, kind aside, names what it is of. */
static size_t read_event(const char *at, struct store_event *ret)
{
	*ret = (struct store_event){ .kind = (enum store_event_kind)at[0],
				     .project = at + 1 };
	ret->id = ret->project + strlen(ret->project) + 1;
	return (size_t)(ret->id + strlen(ret->id) + 1 - at);
}

static char *event_key(const struct store_event *event)
{
	return strf("%c%s\n%s", event->kind == STORE_EVENT_TRUTH ? 't' : 'd',
		    event->project, event->id);
}

/* What happened to one document is one event: the last. Where it stands, by its key. */
static int find_last(const struct buf *events, struct map *ret)
{
	struct store_event event;
	int r = 0;

	for (size_t at = 0; r == 0 && at < events->len;) {
		size_t len = read_event(events->data + at, &event);
		_cleanup_(freep) char *key = event_key(&event);

		r = key ? map_put(ret, key, events->data + at, NULL) : -ENOMEM;
		at += len;
	}
	return r;
}

static int give_events(const struct buf *events, store_event_fn *fn, void *context)
{
	struct map last = { 0 };
	struct store_event event;
	int r = find_last(events, &last);

	for (size_t at = 0; r == 0 && at < events->len;) {
		const char *start = events->data + at;
		size_t len = read_event(start, &event);
		_cleanup_(freep) char *key = event_key(&event);

		if (!key)
			r = -ENOMEM;
		else if (map_get(&last, key) == start)
			r = fn(context, &event);
		at += len;
	}
	map_done(&last, NULL);
	return r;
}

/* What came since, into PENDING. */
static int fetch(struct store_mongo *s)
{
	struct store_mongo_feed *feed = s->feed;
	int r;

	if (feed->poll)
		return store_mongo_poll_look(s, feed->poll, &feed->pending);
	mutex_lock(&s->lock);
	s->has_news = false;
	mutex_unlock(&s->lock);
	r = store_mongo_stream_take(feed->docs, &feed->pending, &feed->docs_at);
	if (r == 0)
		r = store_mongo_stream_take(feed->truth, &feed->pending, &feed->truth_at);
	return r;
}

/* 0: events were given; STORE_QUIET: there are none; FN's result. */
static int give(struct store_mongo *s, char **token, store_event_fn *fn, void *context)
{
	struct store_mongo_feed *feed = s->feed;
	_cleanup_(freep) char *next = NULL, *copy = NULL;
	int r;

	if (!feed->pending.len)
		return STORE_QUIET;
	r = give_events(&feed->pending, fn, context);
	if (r != 0)
		return r;
	feed->n_given++;
	next = feed->poll ? poll_token(s, feed)
			  : stream_token(s, feed->docs_at, feed->truth_at);
	copy = next ? strdup(next) : NULL;
	if (!copy)
		return -ENOMEM;
	buf_clear(&feed->pending);
	free(feed->at);
	feed->at = steal(next);
	free(*token);
	*token = steal(copy);
	return 0;
}

/* ---- waiting ---- */

/* Returns when it is time to look again; STORE_QUIET at the deadline or after wake(). */
static int wait_for_news(struct store_mongo *s, int64_t deadline)
{
	int64_t until = deadline;
	int r = 0;

	if (s->next_beat_ms < until)
		until = s->next_beat_ms;
	if (s->feed->poll && store_mongo_poll_due_ms(s->feed->poll) < until)
		until = store_mongo_poll_due_ms(s->feed->poll);
	mutex_lock(&s->lock);
	while (!s->is_woken && !s->has_news && r == 0)
		r = cond_wait_until(&s->changed, &s->lock, until);
	r = s->is_woken || clock_mono_ms() >= deadline ? STORE_QUIET : 0;
	s->is_woken = false;
	mutex_unlock(&s->lock);
	return r;
}

int store_mongo_watch(struct store *store, char **token, int64_t timeout_ms,
		      store_event_fn *fn, void *context)
{
	struct store_mongo *s = store_mongo_of(store);
	int64_t deadline = INT64_MAX;
	int r;

	if (timeout_ms >= 0 && timeout_ms < INT32_MAX * INT64_C(1000))
		deadline = clock_mono_ms() + timeout_ms;
	r = begin(s, *token);
	while (r == 0) {
		store_mongo_beat(s);
		r = fetch(s);
		if (r == 0)
			r = give(s, token, fn, context);
		if (r != STORE_QUIET)
			break;
		r = wait_for_news(s, deadline);
	}
	/* Begun anew by the next call, from the token as it stands. */
	if (r < 0 || r == STORE_TOKEN_LOST)
		store_mongo_feed_free(s);
	return r;
}

void store_mongo_wake(struct store *store)
{
	struct store_mongo *s = store_mongo_of(store);

	mutex_lock(&s->lock);
	s->is_woken = true;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}
