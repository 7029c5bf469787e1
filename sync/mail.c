/* Mail to the sync thread. */
#include "sync/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mail *mail_new(void (*handle)(struct engine *engine, struct mail *mail), int root,
		      const char *rel)
{
	_cleanup_(mail_freep) struct mail *mail = calloc(1, sizeof(*mail));

	if (!mail)
		return NULL;
	mail->handle = handle;
	mail->root = root;
	if (rel) {
		mail->rel = strdup(rel);
		if (!mail->rel)
			return NULL;
	}
	return steal(mail);
}

void index_object_done(struct index_object *object)
{
	free(object->id);
	free(object->revision);
	free(object->document_id);
	free(object->who);
	*object = (struct index_object){ 0 };
}

static int copy_string(const char *from, char **ret)
{
	if (!from)
		return 0;
	*ret = strdup(from);
	return *ret ? 0 : -ENOMEM;
}

int index_object_copy(const struct index_object *object, struct index_object *ret)
{
	struct index_object copy = {
		.state = object->state,
		.size = object->size,
		.mtime_ns = object->mtime_ns,
		.seen_ms = object->seen_ms,
		.fate = object->fate,
		.at_ms = object->at_ms,
		.digest = object->digest,
	};

	if (copy_string(object->id, &copy.id) < 0 ||
	    copy_string(object->revision, &copy.revision) < 0 ||
	    copy_string(object->document_id, &copy.document_id) < 0 ||
	    copy_string(object->who, &copy.who) < 0) {
		index_object_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

void mail_free(struct mail *mail)
{
	if (!mail)
		return;
	for (size_t i = 0; i < mail->n_objects; i++) {
		free(mail->names[i]);
		index_object_done(&mail->objects[i]);
	}
	free(mail->names);
	free(mail->objects);
	index_object_done(&mail->object);
	if (mail->data)
		mail->free_data(mail->data);
	free(mail->rel);
	free(mail->text);
	free(mail);
}
