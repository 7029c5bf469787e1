/* Projects whose collection was dropped or emptied. */
#include "sync/lost_projects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"

#define FACT "lost_projects" /* one name a line */

struct lost_project {
	int64_t came_ms; /* a document of it, last; INT64_MAX: none did */
};

void lost_projects_init(struct lost_projects *lost)
{
	mutex_init(&lost->lock);
}

void lost_projects_done(struct lost_projects *lost)
{
	mutex_lock(&lost->lock);
	map_done(&lost->names, free);
	mutex_unlock(&lost->lock);
	mutex_done(&lost->lock);
}

static void save(struct lost_projects *lost, struct journal *journal)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct map_slot *slot;
	size_t pos = 0;
	int r;

	mutex_lock(&lost->lock);
	while ((slot = map_next(&lost->names, &pos)))
		buf_addf(&text, "%s\n", slot->key);
	mutex_unlock(&lost->lock);
	r = text.has_failed ? -ENOMEM : journal_set(journal, FACT, buf_str(&text));
	if (r < 0)
		log_error("cannot note the lost projects: %s", error_text(NULL, r));
}

static int put(struct lost_projects *lost, const char *project)
{
	struct lost_project *one = malloc(sizeof(*one));
	void *old = NULL;
	int r;

	if (!one)
		return -ENOMEM;
	one->came_ms = INT64_MAX;
	mutex_lock(&lost->lock);
	r = map_put(&lost->names, project, one, &old);
	mutex_unlock(&lost->lock);
	free(r == 0 ? old : one);
	return r;
}

int lost_projects_load(struct lost_projects *lost, struct journal *journal, bool adopt)
{
	_cleanup_(freep) char *text = NULL;
	int r = journal_get(journal, FACT, &text);

	if (r == JOURNAL_NONE)
		return 0;
	if (r == 0 && adopt)
		return text[0] ? journal_set(journal, FACT, "") : 0;
	for (char *name = text, *end; r == 0 && (end = strchr(name, '\n'));
	     name = end + 1) {
		*end = '\0';
		r = put(lost, name);
	}
	return r;
}

void lost_projects_add(struct lost_projects *lost, struct journal *journal,
		       const char *project)
{
	if (put(lost, project) < 0)
		log_error("no memory to note that project '%s' is lost", project);
	save(lost, journal);
}

bool lost_projects_has(struct lost_projects *lost, const char *project)
{
	bool has;

	mutex_lock(&lost->lock);
	has = map_get(&lost->names, project) != NULL;
	mutex_unlock(&lost->lock);
	return has;
}

bool lost_projects_hold(struct lost_projects *lost, const char *const *files, size_t n)
{
	struct map_slot *slot;
	bool holds = false;
	size_t pos = 0;

	mutex_lock(&lost->lock);
	while (!holds && (slot = map_next(&lost->names, &pos)))
		for (size_t i = 0; i < n && !holds; i++)
			holds = strncmp(files[i], slot->key, slot->len) == 0 &&
				files[i][slot->len] == '/';
	mutex_unlock(&lost->lock);
	return holds;
}

void lost_projects_name(struct lost_projects *lost, char *ret, size_t size)
{
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&lost->lock);
	slot = map_next(&lost->names, &pos);
	str_cut(ret, size, slot ? slot->key : "");
	mutex_unlock(&lost->lock);
}

bool lost_projects_note(struct lost_projects *lost, const char *project, int64_t now_ms)
{
	struct lost_project *one;

	mutex_lock(&lost->lock);
	one = map_get(&lost->names, project);
	if (one)
		one->came_ms = now_ms;
	mutex_unlock(&lost->lock);
	return one != NULL;
}

int64_t lost_projects_due_ms(struct lost_projects *lost, int64_t quiet_ms)
{
	struct map_slot *slot;
	int64_t due = INT64_MAX;
	size_t pos = 0;

	mutex_lock(&lost->lock);
	while ((slot = map_next(&lost->names, &pos))) {
		const struct lost_project *one = slot->value;

		if (one->came_ms != INT64_MAX && one->came_ms + quiet_ms < due)
			due = one->came_ms + quiet_ms;
	}
	mutex_unlock(&lost->lock);
	return due;
}

char *lost_projects_take_back(struct lost_projects *lost, struct journal *journal,
			      int64_t now_ms, int64_t quiet_ms)
{
	struct map_slot *slot;
	char *name = NULL;
	size_t pos = 0;

	mutex_lock(&lost->lock);
	while (!name && (slot = map_next(&lost->names, &pos))) {
		const struct lost_project *one = slot->value;

		if (one->came_ms != INT64_MAX && one->came_ms + quiet_ms <= now_ms)
			name = strdup(slot->key);
	}
	if (name)
		free(map_remove(&lost->names, name));
	mutex_unlock(&lost->lock);
	if (name)
		save(lost, journal);
	return name;
}
