/* The table of verbs. */
#include "tools/verbs.h"

#include <string.h>

const struct verb *const verbs[] = {
	&verb_init,     &verb_mount,   &verb_sync,     &verb_umount,      &verb_publish,
	&verb_import,   &verb_export,  &verb_add_site, &verb_remove_site, &verb_reset,
	&verb_priority, &verb_pause,   &verb_resume,   &verb_status,      &verb_ls,
	&verb_info,     &verb_explain, &verb_watch,    &verb_retry,       &verb_restore,
	&verb_scan,     &verb_verify,  &verb_doctor,   &verb_config,      &verb_version,
	NULL,
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}
