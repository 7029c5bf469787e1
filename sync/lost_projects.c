/* Projects that have lost all their representations. */
#include "sync/lost_projects.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"

#define FACT "lost_projects" /* one name a line */

void lost_projects_init(struct lost_projects *lost)
{
	mutex_init(&lost->lock);
}

void lost_projects_done(struct lost_projects *lost)
{
	mutex_lock(&lost->lock);
	map_done(&lost->names, NULL);
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
	int r;

	mutex_lock(&lost->lock);
	r = map_put(&lost->names, project, lost, NULL);
	mutex_unlock(&lost->lock);
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

void lost_projects_remove(struct lost_projects *lost, struct journal *journal,
			  const char *project)
{
	mutex_lock(&lost->lock);
	map_remove(&lost->names, project);
	mutex_unlock(&lost->lock);
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

void lost_projects_name(struct lost_projects *lost, char *ret, size_t size)
{
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&lost->lock);
	slot = map_next(&lost->names, &pos);
	str_cut(ret, size, slot ? slot->key : "");
	mutex_unlock(&lost->lock);
}
