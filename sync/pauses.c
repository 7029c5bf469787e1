/* What a person holds back on this machine. */
#include "sync/pauses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"

/* One a line: "DIRECTIONS UNTIL ROOT", and in lines of their own "pPROJECT" and "rREL", which are escaped. */
#define FACT "pauses"

void pauses_init(struct pauses *pauses)
{
	mutex_init(&pauses->lock);
}

static void pause_done(struct pause *pause)
{
	free(pause->project);
	free(pause->rel);
}

void pauses_done(struct pauses *pauses)
{
	mutex_lock(&pauses->lock);
	for (size_t i = 0; i < pauses->n; i++)
		pause_done(&pauses->list[i]);
	free(pauses->list);
	pauses->list = NULL;
	pauses->n = 0;
	mutex_unlock(&pauses->lock);
	mutex_done(&pauses->lock);
}

/* ---- in the journal ---- */

static void add_escaped(struct buf *buf, char kind, const char *text)
{
	buf_addc(buf, kind);
	for (; *text; text++) {
		if (*text == '\n' || *text == '\\')
			buf_addc(buf, '\\');
		if (*text == '\n')
			buf_addc(buf, 'n');
		else
			buf_addc(buf, *text);
	}
	buf_addc(buf, '\n');
}

static int save(struct pauses *pauses)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	mutex_lock(&pauses->lock);
	for (size_t i = 0; i < pauses->n; i++) {
		const struct pause *pause = &pauses->list[i];

		buf_addf(&text, "%u %lld %d\n", pause->directions,
			 (long long)pause->until_ms, pause->root);
		if (pause->project)
			add_escaped(&text, 'p', pause->project);
		if (pause->rel)
			add_escaped(&text, 'r', pause->rel);
	}
	mutex_unlock(&pauses->lock);
	if (text.has_failed)
		return -ENOMEM;
	return journal_set(pauses->journal, FACT, buf_str(&text));
}

static char *unescaped(const char *text)
{
	char *copy = strdup(text), *to = copy;

	if (!copy)
		return NULL;
	for (const char *from = copy; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		else {
			*to++ = *from;
			continue;
		}
		if (*from == 'n')
			*to++ = '\n';
		else
			*to++ = *from;
	}
	*to = '\0';
	return copy;
}

static int append(struct pauses *pauses, const struct pause *pause)
	REQUIRES(&pauses->lock)
{
	struct pause *grown = reallocarray(pauses->list, pauses->n + 1, sizeof(*grown));
	struct pause copy = *pause;

	if (!grown)
		return -ENOMEM;
	pauses->list = grown;
	copy.project = pause->project ? strdup(pause->project) : NULL;
	copy.rel = pause->rel ? strdup(pause->rel) : NULL;
	if ((pause->project && !copy.project) || (pause->rel && !copy.rel)) {
		pause_done(&copy);
		return -ENOMEM;
	}
	pauses->list[pauses->n++] = copy;
	return 0;
}

static int load_line(struct pauses *pauses, const char *line) REQUIRES(&pauses->lock)
{
	struct pause *last = pauses->n ? &pauses->list[pauses->n - 1] : NULL;
	struct pause pause = { 0 };
	char *end;

	if (line[0] == 'p' && last && !last->project)
		return (last->project = unescaped(line + 1)) ? 0 : -ENOMEM;
	if (line[0] == 'r' && last && !last->rel)
		return (last->rel = unescaped(line + 1)) ? 0 : -ENOMEM;
	pause.directions = (unsigned)strtoul(line, &end, 10);
	pause.until_ms = strtoll(end, &end, 10);
	pause.root = (int)strtol(end, &end, 10);
	return *end ? 0 : append(pauses, &pause);
}

int pauses_load(struct pauses *pauses, struct journal *journal)
{
	_cleanup_(freep) char *text = NULL;
	int r = journal_get(journal, FACT, &text);

	pauses->journal = journal;
	if (r != 0)
		return r == JOURNAL_NONE ? 0 : r;
	mutex_lock(&pauses->lock);
	for (char *line = text, *end; r == 0 && (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		r = load_line(pauses, line);
	}
	mutex_unlock(&pauses->lock);
	return r;
}

/* ---- changes ---- */

static bool is_same_extent(const struct pause *a, const struct pause *b)
{
	return str_is_same(a->project, b->project) && str_is_same(a->rel, b->rel) &&
	       (!a->rel || a->root == b->root);
}

static int put_one(struct pauses *pauses, const struct pause *pause)
	REQUIRES(&pauses->lock)
{
	for (size_t i = 0; i < pauses->n; i++) {
		struct pause *old = &pauses->list[i];

		if (old->directions != pause->directions || !is_same_extent(old, pause))
			continue;
		old->until_ms = pause->until_ms;
		return 0;
	}
	return append(pauses, pause);
}

int pauses_put(struct pauses *pauses, const struct pause *pause)
{
	int r = 0;

	mutex_lock(&pauses->lock);
	for (unsigned bit = PAUSE_UPLOADS; r == 0 && bit <= PAUSE_DOWNLOADS; bit <<= 1) {
		struct pause one = *pause;

		one.directions = bit;
		if (pause->directions & bit)
			r = put_one(pauses, &one);
	}
	mutex_unlock(&pauses->lock);
	return r < 0 ? r : save(pauses);
}

static void drop(struct pauses *pauses, size_t i) REQUIRES(&pauses->lock)
{
	pause_done(&pauses->list[i]);
	pauses->list[i] = pauses->list[--pauses->n];
}

static bool is_within(const struct pause *pause, const struct pause *extent)
{
	if (!(pause->directions & extent->directions))
		return false;
	if (extent->project && !str_is_same(pause->project, extent->project))
		return false;
	return !extent->rel || (pause->rel && pause->root == extent->root &&
				path_is_below(pause->rel, extent->rel));
}

int pauses_end(struct pauses *pauses, const struct pause *pause)
{
	int r, n = 0;

	mutex_lock(&pauses->lock);
	for (size_t i = pauses->n; i-- > 0;) {
		if (!is_within(&pauses->list[i], pause))
			continue;
		drop(pauses, i);
		n++;
	}
	mutex_unlock(&pauses->lock);
	r = n ? save(pauses) : 0;
	return r < 0 ? r : n;
}

bool pauses_expire(struct pauses *pauses, int64_t now_ms, int64_t *ret_next)
{
	bool is_over = false;

	*ret_next = INT64_MAX;
	mutex_lock(&pauses->lock);
	for (size_t i = pauses->n; i-- > 0;) {
		int64_t until = pauses->list[i].until_ms;

		if (until && until <= now_ms) {
			drop(pauses, i);
			is_over = true;
		} else if (until && until < *ret_next) {
			*ret_next = until;
		}
	}
	mutex_unlock(&pauses->lock);
	/* one that comes back at the next start is over then, too */
	if (is_over)
		save(pauses);
	return is_over;
}

/* ---- questions ---- */

bool pauses_hold(struct pauses *pauses, const char *project, int root, const char *rel,
		 enum pause_direction direction)
{
	bool is_held = false;

	mutex_lock(&pauses->lock);
	for (size_t i = 0; !is_held && i < pauses->n; i++) {
		const struct pause *pause = &pauses->list[i];

		is_held = (pause->directions & direction) &&
			  (!pause->project || str_is_same(pause->project, project)) &&
			  (!pause->rel ||
			   (pause->root == root && path_is_below(rel, pause->rel)));
	}
	mutex_unlock(&pauses->lock);
	return is_held;
}

void pauses_each(struct pauses *pauses,
		 void (*fn)(void *context, const struct pause *pause), void *context)
{
	for (size_t i = 0;; i++) {
		struct pause copy = { 0 };
		bool has_it = false;

		mutex_lock(&pauses->lock);
		if (i < pauses->n) {
			has_it = true;
			copy = pauses->list[i];
			copy.project = copy.project ? strdup(copy.project) : NULL;
			copy.rel = copy.rel ? strdup(copy.rel) : NULL;
		}
		mutex_unlock(&pauses->lock);
		if (!has_it)
			return;
		fn(context, &copy);
		pause_done(&copy);
	}
}
