/* What a site's daemons told that they hold is forgotten. */
#include "tools/forget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/map.h"
#include "sync/holdings.h"
#include "tools/setup.h"

/* What is told of one representation, and will be. */
struct held {
	char *project, *repre;
	char **files;
	size_t n;
	bool is_changed;
};

struct forget {
	const struct edits_setup *setup;
	struct map held; /* by holdings_key() */
	size_t n_changed;
};

static void held_free(void *data)
{
	struct held *held = data;

	for (size_t i = 0; i < held->n; i++)
		free(held->files[i]);
	free(held->files);
	free(held->project);
	free(held->repre);
	free(held);
}
DEFINE_CLEANUP(void *, held_free);

static void forget_done(struct forget *forget)
{
	map_done(&forget->held, held_free);
}

static int copy(const struct holding *from, struct held *held)
{
	held->project = strdup(from->project);
	held->repre = strdup(from->repre);
	held->files = calloc(from->n_files + 1, sizeof(*held->files));
	if (!held->project || !held->repre || !held->files)
		return -ENOMEM;
	for (; held->n < from->n_files; held->n++) {
		held->files[held->n] = strdup(from->files[held->n]);
		if (!held->files[held->n])
			return -ENOMEM;
	}
	return 0;
}

static int take(void *context, const struct holding *holding)
{
	struct forget *forget = context;
	_cleanup_(buf_done) struct buf key = { 0 };
	_cleanup_(held_freep) void *data = calloc(1, sizeof(struct held));
	int r = data ? copy(holding, data) : -ENOMEM;

	if (r == 0)
		r = holdings_key(&key, holding->project, holding->repre);
	if (r == 0)
		r = map_put_n(&forget->held, key.data, key.len, data, NULL);
	if (r == 0)
		data = NULL;
	return r;
}

static void drop_file(struct held *held, const char *file)
{
	size_t n = 0;

	for (size_t i = 0; i < held->n; i++) {
		if (strcmp(held->files[i], file) != 0)
			held->files[n++] = held->files[i];
		else
			free(held->files[i]);
	}
	held->is_changed = held->is_changed || n < held->n;
	held->n = n;
}

static void drop_all(struct held *held)
{
	for (size_t i = 0; i < held->n; i++)
		free(held->files[i]);
	held->n = 0;
	held->is_changed = true;
}

static int visit(void *context, const struct doc *doc, const size_t *files,
		 size_t n_files)
{
	struct forget *forget = context;
	_cleanup_(buf_done) struct buf key = { 0 };
	struct held *held;

	if (holdings_key(&key, doc->project, doc->id) < 0)
		return -ENOMEM;
	held = map_get_n(&forget->held, key.data, key.len);
	if (!held || held->is_changed)
		return 0;
	if (n_files == doc->n_files)
		drop_all(held);
	else
		for (size_t i = 0; i < n_files; i++)
			drop_file(held, doc->files[files[i]].id);
	forget->n_changed += held->is_changed;
	return 0;
}

static int put_changed(struct forget *forget)
{
	const struct edits_setup *setup = forget->setup;
	_cleanup_(freep) struct holding *list =
		calloc(forget->n_changed + 1, sizeof(*list));
	struct map_slot *slot;
	size_t pos = 0, n = 0;

	if (!list)
		return -ENOMEM;
	while ((slot = map_next(&forget->held, &pos))) {
		const struct held *held = slot->value;

		if (held->is_changed)
			list[n++] = (struct holding){ held->project, held->repre,
						      (const char *const *)held->files,
						      held->n };
	}
	return setup->store->ops->put_holdings(setup->store, setup->sites[0], list, n);
}

static int fail(const struct edits_setup *setup, int r)
{
	return cli_fail(setup->cli, cli_store_exit(r),
			"the records are changed, but what site '%s' told that it holds "
			"without a record is not forgotten: %s; asking again does it",
			setup->sites[0], error_text(NULL, r));
}

int forget_held(const struct edits_setup *setup)
{
	_cleanup_(forget_done) struct forget forget = { .setup = setup };
	struct store *store = setup->store;
	struct selection selection = edits_selection(setup);
	int r = store->ops->holdings(store, setup->sites[0], setup->options->project,
				     NULL, take, &forget);

	if (r == 0 && map_size(&forget.held)) {
		int code = select_each(&selection, visit, &forget);

		if (code)
			return code;
		r = put_changed(&forget);
	}
	return r < 0 ? fail(setup, r) : 0;
}
