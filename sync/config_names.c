/* Lists of site names: as people write them, without doubles, in their order. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/config_private.h"

bool config_names_have(const struct config_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

int config_names_add(struct config_names *names, const char *name)
{
	char **grown, *copy;

	if (config_names_have(names, name))
		return 0;
	copy = strdup(name);
	grown = reallocarray(names->items, names->n + 1, sizeof(*grown));
	if (grown)
		names->items = grown;
	if (!copy || !grown) {
		free(copy);
		return -ENOMEM;
	}
	grown[names->n++] = copy;
	return 0;
}

int config_names_parse(const char *text, struct config_names *ret)
{
	struct config_names names = { 0 };
	int r = 0;

	for (const char *at = text; r == 0 && *at; at += *at == ',') {
		size_t len = strcspn(at, ",");
		_cleanup_(freep) char *part = strndup(at, len);
		_cleanup_(freep) char *name = part ? config_strip(part) : NULL;

		if (!name)
			r = -ENOMEM;
		else if (name[0])
			r = config_names_add(&names, name);
		at += len;
	}
	if (r < 0) {
		config_names_done(&names);
		return r;
	}
	config_names_done(ret);
	*ret = names;
	return 0;
}

char *config_names_format(const struct config_names *names)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_addc(&buf, '[');
	for (size_t i = 0; i < names->n; i++) {
		_cleanup_(freep) char *quoted = config_quote(names->items[i]);

		if (!quoted)
			return NULL;
		buf_addf(&buf, "%s%s", i ? ", " : "", quoted);
	}
	buf_addc(&buf, ']');
	return buf_take(&buf);
}

void config_names_done(struct config_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct config_names){ 0 };
}
