/* The provider port: what all implementations share. */
#include "sync/provider.h"

#include <assert.h>
#include <stdlib.h>

void provider_init(struct provider *provider, const struct provider_ops *ops)
{
	assert(ops->name && ops->name[0]);
	assert(ops->probe && ops->refusal);
	assert(ops->stat && ops->list && ops->fetch && ops->digest);
	assert(ops->store && ops->trash);
	assert(ops->free);
	assert(!ops->identity == !ops->expect);
	provider->ops = ops;
}

const char *provider_outcome_name(int outcome)
{
	switch ((enum provider_outcome)outcome) {
	case PROVIDER_GONE:
		return "gone";
	case PROVIDER_CHANGED:
		return "changed";
	case PROVIDER_EXISTS:
		return "exists";
	case PROVIDER_REFUSED:
		return "refused";
	case PROVIDER_TORN:
		return "torn";
	case PROVIDER_SOURCE_CHANGED:
		return "source changed";
	case PROVIDER_BUSY:
		return "busy";
	case PROVIDER_UNREACHABLE:
		return "unreachable";
	case PROVIDER_UNAUTHORIZED:
		return "unauthorized";
	case PROVIDER_DENIED:
		return "denied";
	case PROVIDER_FULL:
		return "full";
	case PROVIDER_NO_ROOT:
		return "no root";
	}
	return outcome == 0 ? "ok" : "error";
}

void provider_object_done(struct provider_object *object)
{
	free(object->id);
	free(object->revision);
	free(object->document_id);
	*object = (struct provider_object){ 0 };
}

const char *provider_fate_name(enum provider_fate fate)
{
	switch (fate) {
	case FATE_NONE:
		return NULL;
	case FATE_TRASHED:
		return "trashed";
	case FATE_REMOVED:
		return "removed";
	case FATE_EDITED:
		return "edited";
	case FATE_MOVED:
		return "moved";
	}
	return NULL;
}

void provider_trace_done(struct provider_trace *trace)
{
	free(trace->by);
	*trace = (struct provider_trace){ 0 };
}
