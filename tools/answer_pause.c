/* pause, resume: what a person holds back on this machine. */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "tools/answers_private.h"

struct pausing {
	struct answer *answer;
	struct pause pause;
	bool is_ending;
	int64_t n;
};

static int hold(struct pausing *pausing)
{
	int r;

	if (pausing->is_ending)
		r = engine_resume(pausing->answer->engine, &pausing->pause);
	else
		r = engine_pause(pausing->answer->engine, &pausing->pause);
	if (r < 0)
		return r;
	pausing->n += pausing->is_ending ? r : 1;
	return 0;
}

static int hold_path(void *context, int root, const char *rel)
{
	struct pausing *pausing = context;
	int r;

	pausing->pause.root = root;
	pausing->pause.rel = strdup(rel);
	r = pausing->pause.rel ? hold(pausing) : -ENOMEM;
	free(pausing->pause.rel);
	pausing->pause.rel = NULL;
	return r;
}

static void run(struct answer *answer, bool is_ending)
{
	const struct control_request *request = answer->request;
	struct pausing pausing = { .answer = answer, .is_ending = is_ending };
	struct json *json = json_document();
	struct error error = { 0 };
	bool is_both = request->is_uploads == request->is_downloads;
	int r;

	pausing.pause.project = request->project;
	if (request->for_ms > 0)
		pausing.pause.until_ms = clock_wall_ms() + request->for_ms;
	if (is_both || request->is_uploads)
		pausing.pause.directions |= PAUSE_UPLOADS;
	if (is_both || request->is_downloads)
		pausing.pause.directions |= PAUSE_DOWNLOADS;
	r = request->n_paths ? answer_each(answer, hold_path, &pausing, &error)
			     : hold(&pausing);
	json_set_int(json, is_ending ? "ended" : "paused", pausing.n);
	if (!is_ending)
		json_set_time(json, "until", pausing.pause.until_ms);
	answer_end(answer, json, r, &error);
}

void answer_pause(struct answer *answer)
{
	run(answer, false);
}

void answer_resume(struct answer *answer)
{
	run(answer, true);
}

/* ---- in status ---- */

struct list {
	const struct answer *answer;
	struct json *array;
};

static void add(void *context, const struct pause *pause)
{
	struct list *list = context;
	struct json *json = json_object();

	if (pause->project)
		json_set_text(json, "project", pause->project);
	if (pause->rel)
		answer_set_path(list->answer, json, pause->root, pause->rel);
	json_set_bool(json, "uploads", pause->directions & PAUSE_UPLOADS);
	json_set_bool(json, "downloads", pause->directions & PAUSE_DOWNLOADS);
	json_set_time(json, "until", pause->until_ms);
	json_append(list->array, json);
}

struct json *answer_pauses(const struct answer *answer)
{
	struct list list = { answer, json_array() };

	engine_each_pause(answer->engine, add, &list);
	return list.array;
}
