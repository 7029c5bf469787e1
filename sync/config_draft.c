/* Sites while they are read: what several files, and OpenPype's settings, say of one is laid over each other. */
#include <errno.h>
#include <string.h>

#include "sync/config_private.h"

void config_drafts_done(struct config_drafts *drafts)
{
	for (size_t i = 0; i < drafts->n; i++) {
		config_site_done(&drafts->items[i].site);
		free(drafts->items[i].origin);
		free(drafts->items[i].fault);
	}
	free(drafts->items);
}

struct config_draft *config_drafts_find(struct config_drafts *drafts, const char *name)
{
	for (size_t i = 0; i < drafts->n; i++)
		if (strcmp(drafts->items[i].site.name, name) == 0)
			return &drafts->items[i];
	return NULL;
}

int config_drafts_add(struct config_drafts *drafts, const char *name,
		      struct config_draft **ret)
{
	struct config_draft *grown, *draft;

	grown = reallocarray(drafts->items, drafts->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	drafts->items = grown;
	draft = &grown[drafts->n++];
	*draft = (struct config_draft){ 0 };
	draft->site.name = strdup(name);
	draft->site.provider = strdup(drafts->provider);
	*ret = draft;
	return draft->site.name && draft->site.provider ? 0 : -ENOMEM;
}

/* What a file says of a site counts before all that OpenPype's settings say: what was wrong with that, and another
 * provider, do not matter any more. */
static int take_over(struct config_drafts *drafts, struct config_draft *draft)
{
	bool is_other = strcmp(draft->site.provider, drafts->provider) != 0;
	char *name;

	draft->is_document = false;
	draft->site.is_disabled = false;
	free(steal(draft->fault));
	if (!is_other)
		return 0;
	name = steal(draft->site.name);
	config_site_done(&draft->site);
	draft->site.name = name;
	draft->site.provider = strdup(drafts->provider);
	return draft->site.provider ? 0 : -ENOMEM;
}

/* Before all else: they count also where the rest is wrong. */
int config_draft_alternatives(struct config_drafts *drafts, struct config_draft *draft,
			      struct json_at object)
{
	struct json_at list = json_at_find(object, "alternative_sites");

	return list.node ? config_site_set_alternatives(&draft->site, list, drafts->error)
			 : 0;
}

/* As config_site_read(). */
int config_draft_fill(struct config_drafts *drafts, struct config_draft *draft,
		      struct json_at object)
{
	struct config_site *site = &draft->site;
	int r;

	if (draft->is_document && !json_at_is_document(object) &&
	    take_over(drafts, draft) < 0)
		return -ENOMEM;
	free(draft->origin);
	draft->origin = strdup(json_at_where(object).text);
	if (!draft->origin)
		return -ENOMEM;
	if (strcmp(site->provider, drafts->provider) != 0)
		return json_at_error(
			object, drafts->error,
			"a site of that name stands in %s.json too: rename one",
			site->provider);
	if (!json_at_is_object(object))
		return json_at_error(
			object, drafts->error,
			"the settings of a site are expected: {\"root\": ...}");
	r = config_draft_alternatives(drafts, draft, object);
	return r < 0 ? r : config_site_read(site, object, drafts->error);
}

/* A mistake in a site is told once it is known whether the site is ours. */
int config_draft_keep_fault(struct config_drafts *drafts, struct config_draft *draft,
			    int r)
{
	if (r != -EINVAL)
		return r;
	if (!draft->fault)
		draft->fault = strdup(error_text(drafts->error, r));
	*drafts->error = (struct error){ 0 };
	return draft->fault ? 0 : -ENOMEM;
}
