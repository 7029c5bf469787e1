/* ls, explain: states and reasons. */
#include <errno.h>
#include <string.h>

#include "tools/answers_private.h"

/* ---- ls ---- */

static int send_file(void *context, int root, const char *rel, enum file_state state,
		     int64_t size)
{
	_cleanup_(json_freep) struct json *json = json_object();
	struct answer *answer = context;

	answer_set_path(answer, json, root, rel);
	json_set_text(json, "state", file_state_name(state));
	json_set_int(json, "size", size);
	return server_send(answer->call, json);
}

static int list_below(void *context, int root, const char *rel)
{
	struct answer *answer = context;
	int r = engine_each_file(answer->engine, root, rel, answer->request->is_awaited,
				 send_file, answer);

	return r == INDEX_NONE ? -ENOENT : r;
}

void answer_ls(struct answer *answer)
{
	struct error error = { 0 };
	int r = answer_each(answer, list_below, answer, &error);

	answer_end(answer, NULL, r, &error);
}

/* ---- explain ---- */

static int send_explanation(void *context, int root, const char *rel)
{
	_cleanup_(json_freep) struct json *json = json_object();
	_cleanup_(buf_done) struct buf text = { 0 };
	struct answer *answer = context;
	struct json *lines = json_array();
	int r;

	r = engine_explain(answer->engine, root, rel, &text);
	for (const char *p = buf_str(&text); r == 0 && *p;) {
		_cleanup_(freep) char *line = strndup(p, strcspn(p, "\n"));

		if (line)
			json_append(lines, json_text_value(line));
		if (line && strncmp(line, "object at the remote:", 21) == 0)
			answer_add_holders(answer, root, rel, lines);
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	answer_set_path(answer, json, root, rel);
	json_set(json, "explanation", lines);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	return server_send(answer->call, json);
}

void answer_explain(struct answer *answer)
{
	struct error error = { 0 };
	int r = answer_each(answer, send_explanation, answer, &error);

	answer_end(answer, NULL, r, &error);
}
