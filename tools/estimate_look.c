/* What of it lies at the site already: each folder that will hold a file is listed there once. Nothing is written. */
#include <errno.h>
#include <string.h>

#include "providers/registry.h"
#include "sync/base/path.h"
#include "tools/estimate.h"

struct look {
	struct estimate *estimate;
	const char *root, *folder;
};

static int heed_name(void *context, const char *name, bool is_folder,
		     const struct provider_object *object)
{
	const struct look *look = context;
	_cleanup_(freep) char *path = NULL;

	if (is_folder || !object)
		return 0;
	path = path_join(look->folder, name);
	if (!path)
		return -ENOMEM;
	estimate_heed(look->estimate, look->root, path, object->size);
	return 0;
}

static size_t count_holders(const struct buf *holders)
{
	size_t n = 0;

	for (size_t i = 0; i < holders->len; i++)
		n += !holders->data[i];
	return n / 2;
}

int estimate_look(struct estimate *estimate, const struct config_site *site,
		  estimate_draw_fn *draw, void *context, struct error *error)
{
	_cleanup_(provider_freep) struct provider *provider = NULL;
	struct provider_call call = { 0 };
	const struct buf *holders = &estimate->holders;
	struct look look = { .estimate = estimate };
	size_t total = count_holders(holders), n = 0;
	int r = provider_open(site, &provider, error);

	if (r < 0)
		return r;
	r = provider->ops->probe(provider, false, &call);
	for (size_t at = 0; r == 0 && at < holders->len; n++) {
		struct provider_ref ref;

		look.root = holders->data + at;
		look.folder = look.root + strlen(look.root) + 1;
		at += strlen(look.root) + strlen(look.folder) + 2;
		ref = (struct provider_ref){ .root = look.root, .path = look.folder };
		draw(context, n, total);
		r = provider->ops->list(provider, &ref, heed_name, &look, &call);
		if (r == PROVIDER_GONE)
			r = 0;
	}
	estimate->is_looked = r == 0;
	return r == 0 ? 0
		      : error_set(error, r < 0 ? r : -EIO, "%s",
				  error_text(&call.error, r));
}
