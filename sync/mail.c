/* Mail to the sync thread. */
#include "sync/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

#define AWAIT_MS 5000

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

void engine_post(struct engine *engine, struct mail *mail)
{
	if (!mail) {
		log_error("no memory for a result: it is found again at the next sweep");
		return;
	}
	mutex_lock(&engine->lock);
	mail->next = NULL;
	if (engine->mail_last)
		engine->mail_last->next = mail;
	else
		engine->mail_first = mail;
	engine->mail_last = mail;
	engine->n_posted++;
	mutex_unlock(&engine->lock);
	engine_wake(engine);
}

void engine_await_mail(struct engine *engine)
{
	int64_t deadline = clock_mono_ms() + AWAIT_MS;
	int64_t posted;

	mutex_lock(&engine->lock);
	posted = engine->n_posted;
	while (engine->n_handled < posted && !engine->is_stopping)
		if (cond_wait_until(&engine->changed, &engine->lock, deadline) ==
		    -ETIMEDOUT)
			break;
	mutex_unlock(&engine->lock);
}
