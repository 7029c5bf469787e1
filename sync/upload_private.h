/* What the files of uploading share. */
#pragma once

#include <sys/stat.h>

#include "sync/engine_private.h"

struct upload {
	struct engine_job base;
	struct upload_order order;
	struct call call;
	int root;
	char *rel;
	char *key, *project; /* of the truth record */
	char *known_id;      /* remote id by the truth record, or NULL */
	char *ids;           /* of what is made, kept with the lease; or NULL */
	struct stat st;      /* of the source as it was opened */
	int fd;
	struct provider_object object; /* what is at the remote in the end */
	struct digest digest;
	bool was_there;
	bool is_unsettled; /* it is there; whether the name is ours alone is asked for many at once */
	struct mail *mail;
	struct upload *next;
};

/* ---- upload.c ---- */
void upload_free(struct upload *upload);
DEFINE_CLEANUP(struct upload *, upload_free);
struct provider_ref upload_ref(const struct upload *upload);
/* Takes both: records a success (MAIL's result), and posts. */
void upload_end(struct upload *upload, struct mail *mail, const struct error *error);

/* ---- upload_twin.c ---- */
/* An object at the remote with the bytes of UPLOAD, which is about to be sent and counts as being sent until upload_sent().
 * INDEX_NONE; PROVIDER_BUSY: one is on its way. */
int upload_find_twin(struct upload *upload, struct truth *ret);

/* ---- upload_settle.c ---- */
/* Takes UPLOAD, which is stored. */
void upload_settle_later(struct upload *upload);
