/* Opens a store by its URI, and what all stores share. */
#include "sync/store.h"

#include <errno.h>
#include <string.h>

void record_done(struct record *record)
{
	free(record->project);
	free(record->repre);
	free(record->file);
	free(record->path);
	free(record->site);
	free(record->had_id);
	free(record->id);
	free(record->error);
	*record = (struct record){ 0 };
}
