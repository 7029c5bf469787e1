/* Putting an object there: `store` of the port. */
#pragma once

#include "providers/local_drive/visit.h"

/* As in provider_ops; the visit is at put->ref. */
int store_object(const struct visit *visit, const struct provider_put *put,
		 struct provider_object *ret);
