/* The table of verbs. */
#include "tools/verbs.h"

#include <string.h>

const struct verb *const verbs[] = {
	&verb_version,
	NULL,
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}
