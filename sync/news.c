/* What others do at the remote. */
#include "sync/news.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/news_private.h"

#define LOOK_AT_ONCE 32
#define PUT_OFF_MS \
	((int64_t)600000) /* for comparing everything, while files are on their way */
#define TOKEN "changes"
#define COMPARED "compared"

static void suspect_free(void *data)
{
	struct suspect *suspect = data;

	free(suspect->rel);
	free(suspect->by);
	free(suspect);
}

void news_done(struct news *news)
{
	map_done(&news->suspects, suspect_free);
	map_done(&news->folders, NULL);
	map_done(&news->twins, NULL);
	free(news->token);
}

/* ---- what is to be looked at ---- */

static struct suspect *suspect_get(struct engine *engine, int root, const char *rel)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);
	struct suspect *suspect = key ? map_get(&engine->news.suspects, key) : NULL;

	if (suspect || !key)
		return suspect;
	suspect = calloc(1, sizeof(*suspect));
	if (!suspect)
		return NULL;
	suspect->root = root;
	suspect->rel = strdup(rel);
	if (!suspect->rel || map_put(&engine->news.suspects, key, suspect, NULL) < 0) {
		suspect_free(suspect);
		return NULL;
	}
	return suspect;
}

struct suspect *news_add(struct engine *engine, int root, const char *rel,
			 int64_t delay_ms)
{
	struct suspect *suspect = suspect_get(engine, root, rel);

	if (suspect)
		suspect->due_ms = clock_mono_ms() + delay_ms;
	return suspect;
}

void news_suspect(struct engine *engine, int root, const char *rel)
{
	if (!engine_is_passive(engine))
		news_add(engine, root, rel, 0);
}

/* ---- the feed's answer ---- */

/* The token counts from now on. */
static void keep_token(struct engine *engine)
{
	struct news *news = &engine->news;

	if (!news->is_ahead || map_size(&news->suspects) || map_size(&news->folders))
		return;
	if (index_set_remote_fact(engine->index, TOKEN, news->token ? news->token : "") <
	    0)
		return;
	news->is_ahead = false;
}

static void set_token(struct engine *engine, char *token)
{
	free(engine->news.token);
	engine->news.token = token;
	engine->news.is_ahead = true;
}

static void compare_all(struct engine *engine)
{
	engine->news.is_comparing = true;
	engine->news.after = 0;
}

static void handle_asked(struct engine *engine, struct errand *errand)
{
	struct news *news = &engine->news;
	int r = 0;

	news->has_asked = true;
	for (size_t i = 0; r == 0 && i < errand->n_changes; i++)
		r = news_heed(engine, &errand->changes[i]);
	if (r < 0) {
		log_error("cannot heed what has changed at the remote: %s",
			  error_text(NULL, r));
		return;
	}
	if (!errand->token)
		compare_all(engine);
	set_token(engine, steal(errand->next_token));
}

/* ---- answers ---- */

/* A name in that folder that had twins, and was seen without. */
static char *find_single(struct engine *engine, const struct errand *errand)
{
	struct map_slot *slot;
	size_t pos = 0;

	while ((slot = map_next(&engine->news.twins, &pos))) {
		char *rel = NULL;
		long root = strtol(slot->key, &rel, 10);
		_cleanup_(freep) char *folder = path_parent(++rel);
		bool has_twins = false;

		if (!folder || root != errand->root ||
		    strcmp(folder, errand->folder) != 0)
			continue;
		for (size_t i = 0; i < errand->n_found; i++)
			has_twins |= errand->found[i].has_twins &&
				     strcmp(errand->found[i].rel, rel) == 0;
		if (!has_twins)
			return strdup(slot->key);
	}
	return NULL;
}

static void share_twins(struct engine *engine)
{
	mutex_lock(&engine->lock);
	engine->n_twins = (int64_t)map_size(&engine->news.twins);
	mutex_unlock(&engine->lock);
}

static void handle_compared(struct engine *engine, const struct errand *errand)
{
	_cleanup_(freep) char *key = strf("%d:%s", errand->root, errand->folder);
	char *single;

	while ((single = find_single(engine, errand))) {
		map_remove(&engine->news.twins, single);
		free(single);
	}
	share_twins(engine);
	if (!errand->is_part_of_all && key)
		map_remove(&engine->news.folders, key);
}

static void handle_looked(struct engine *engine, const struct errand *errand)
{
	for (size_t i = 0; i < errand->n_suspects; i++) {
		const struct suspect *seen = &errand->suspects[i];
		_cleanup_(freep) char *key = strf("%d:%s", seen->root, seen->rel);
		struct suspect *suspect =
			key ? map_get(&engine->news.suspects, key) : NULL;

		/* one that was suspected again meanwhile stays */
		if (suspect && suspect->due_ms == seen->due_ms)
			suspect_free(map_remove(&engine->news.suspects, key));
	}
}

/* ---- both ---- */

/* Trouble of the moment, or of the site: all of it again, later. */
static void not_done(struct engine *engine, const struct errand *errand,
		     const struct mail *mail)
{
	struct news *news = &engine->news;
	int64_t wait_ms = act_backoff_ms(engine->config, ++news->n_faults);

	if (mail->result == -ECANCELED)
		return;
	if (errand->is_ask)
		news->has_asked = true;
	if (errand->is_ask && mail->result == PROVIDER_GONE) {
		log_info("site '%s': what has changed since last time is not known: "
			 "everything is compared",
			 engine->config->remote_site);
		set_token(engine, NULL);
		news->next_ask_ms = 0;
		return;
	}
	if (provider_is_site_fault(mail->result))
		engine_set_remote_fault(engine, mail->result, mail->text);
	else if (mail->result != PROVIDER_BUSY && news->n_faults == 1)
		log_warning("cannot tell what has changed at site '%s': %s",
			    engine->config->remote_site, mail->text ? mail->text : "");
	if (wait_ms < mail->again_ms)
		wait_ms = mail->again_ms;
	news->not_before_ms = clock_mono_ms() + wait_ms;
	/* one folder that may not be listed does not hold up the rest */
	if (errand->folder && mail->result == PROVIDER_REFUSED)
		handle_compared(engine, errand);
	else if (errand->is_part_of_all)
		news->after--; /* the next after that is the same one again */
}

void news_handle(struct engine *engine, struct mail *mail)
{
	struct errand *errand = mail->data;
	struct news *news = &engine->news;

	news->is_busy = false;
	if (mail->result != 0) {
		not_done(engine, errand, mail);
		return;
	}
	news->n_faults = 0;
	if (errand->is_ask) {
		handle_asked(engine, errand);
	} else {
		/* what is doubted of it is looked at again */
		news_found(engine, errand);
		if (errand->folder)
			handle_compared(engine, errand);
		else
			handle_looked(engine, errand);
	}
	keep_token(engine);
}

/* ---- what is next ---- */

static bool can_ask(const struct engine *engine)
{
	return engine->provider->ops->changes != NULL;
}

static void start_ask(struct engine *engine)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	engine->news.next_ask_ms = clock_mono_ms() + engine->config->loop_delay_ms;
	if (!errand)
		return;
	errand->is_ask = true;
	if (engine->news.token && engine->news.token[0])
		errand->token = strdup(engine->news.token);
	news_start(engine, errand);
}

/* Those that are due. */
static bool start_look(struct engine *engine)
{
	int64_t now = clock_mono_ms();
	struct errand *errand = NULL;
	struct map_slot *slot;
	size_t pos = 0;

	while ((slot = map_next(&engine->news.suspects, &pos))) {
		const struct suspect *suspect = slot->value;
		struct suspect *taken;
		int r = 0;

		if (suspect->due_ms > now)
			continue;
		if (!errand)
			errand = calloc(1, sizeof(*errand));
		if (errand && !errand->suspects)
			errand->suspects = calloc(LOOK_AT_ONCE, sizeof(*taken));
		if (!errand || !errand->suspects)
			break;
		taken = &errand->suspects[errand->n_suspects++];
		*taken = *suspect;
		taken->rel = news_copy(suspect->rel, &r);
		taken->by = news_copy(suspect->by, &r);
		if (r < 0 || errand->n_suspects == LOOK_AT_ONCE)
			break;
	}
	if (!errand)
		return false;
	news_start(engine, errand);
	return true;
}

static void start_folder(struct engine *engine, int root, const char *rel, bool is_all)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return;
	errand->root = root;
	errand->folder = strdup(rel);
	errand->is_part_of_all = is_all;
	if (errand->folder)
		news_start(engine, errand);
	else
		news_errand_free(errand);
}

static bool start_folder_of_feed(struct engine *engine)
{
	size_t pos = 0;
	struct map_slot *slot = map_next(&engine->news.folders, &pos);
	char *rel = NULL;
	long root;

	if (!slot)
		return false;
	root = strtol(slot->key, &rel, 10);
	start_folder(engine, (int)root, rel + 1, false);
	return true;
}

/* The next one of all. */
static void go_on_comparing(struct engine *engine)
{
	_cleanup_(freep) char *rel = NULL, *now = NULL;
	struct news *news = &engine->news;
	int root;
	int r = index_next_folder(engine->index, &news->after, &root, &rel);

	if (r == 0) {
		start_folder(engine, root, rel, true);
		return;
	}
	if (r < 0)
		log_error("comparing the remote with the records ended early: %s",
			  error_text(NULL, r));
	news->is_comparing = false;
	news->compare_by_ms = 0;
	news->next_compare_ms = clock_mono_ms() + engine->config->timing.compare_ms;
	now = strf("%" PRId64, clock_wall_ms());
	if (r == INDEX_NONE && now)
		index_set_remote_fact(engine->index, COMPARED, now);
}

static bool is_at_work(struct engine *engine)
{
	int64_t n_jobs;

	mutex_lock(&engine->lock);
	n_jobs = engine->n_jobs;
	mutex_unlock(&engine->lock);
	return n_jobs || hydrator_is_at_work(engine->hydrator);
}

/* Everything is compared in a quiet moment: what people wait for is asked first. */
static bool may_compare(struct engine *engine)
{
	struct news *news = &engine->news;
	int64_t now = clock_mono_ms();

	if (!news->compare_by_ms)
		news->compare_by_ms = now + PUT_OFF_MS;
	if (is_at_work(engine) || !news->quiet_ms)
		news->quiet_ms = now + engine->config->timing.settled_ms;
	return now >= news->quiet_ms || now >= news->compare_by_ms;
}

/* What the index knows of before. */
static void recall(struct engine *engine)
{
	_cleanup_(freep) char *compared = NULL;
	struct news *news = &engine->news;
	int64_t since_ms = INT64_MAX;

	if (news->is_started)
		return;
	news->is_started = true;
	if (index_get_remote_fact(engine->index, TOKEN, &news->token) != 0)
		news->token = NULL;
	if (index_get_remote_fact(engine->index, COMPARED, &compared) == 0)
		since_ms = clock_wall_ms() - strtoll(compared, NULL, 10);
	news->next_compare_ms = clock_mono_ms();
	if (since_ms >= 0 && since_ms < engine->config->timing.compare_ms)
		news->next_compare_ms += engine->config->timing.compare_ms - since_ms;
}

static bool is_possible(struct engine *engine)
{
	struct fault fault;

	return engine->provider && !engine_is_passive(engine) && engine->has_probed &&
	       index_is_complete(engine->index) && engine->is_swept &&
	       !roots_are_lost(engine->roots, NULL) &&
	       (!engine_has_fault(engine, &fault) || fault.is_of_writing);
}

void news_due(struct engine *engine)
{
	struct news *news = &engine->news;
	int64_t now = clock_mono_ms();

	if (news->is_busy || now < news->not_before_ms || !is_possible(engine))
		return;
	recall(engine);
	if (start_look(engine) || start_folder_of_feed(engine))
		return;
	if (can_ask(engine) && now >= news->next_ask_ms) {
		start_ask(engine);
		return;
	}
	/* the token is older than what is compared, so that nothing falls between */
	if (!news->is_comparing && now >= news->next_compare_ms &&
	    (!can_ask(engine) || news->has_asked))
		compare_all(engine);
	if (news->is_comparing && may_compare(engine))
		go_on_comparing(engine);
	keep_token(engine);
}

int64_t news_next_ms(struct engine *engine)
{
	const struct news *news = &engine->news;
	int64_t next = news->next_compare_ms;
	struct map_slot *slot;
	size_t pos = 0;

	if (news->is_busy || !news->is_started || !is_possible(engine))
		return INT64_MAX;
	if (news->is_comparing)
		next = news->quiet_ms < news->compare_by_ms ? news->quiet_ms
							    : news->compare_by_ms;
	if (map_size(&news->folders))
		next = 0;
	if (can_ask(engine) && news->next_ask_ms < next)
		next = news->next_ask_ms;
	while ((slot = map_next(&news->suspects, &pos)))
		if (((const struct suspect *)slot->value)->due_ms < next)
			next = ((const struct suspect *)slot->value)->due_ms;
	return next > news->not_before_ms ? next : news->not_before_ms;
}

bool news_is_settled(struct engine *engine)
{
	const struct news *news = &engine->news;

	return !is_possible(engine) || !can_ask(engine) ||
	       (news->has_asked && !map_size(&news->suspects) &&
		!map_size(&news->folders));
}
