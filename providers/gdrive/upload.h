/* Putting an object there: `store` of the port. */
#pragma once

#include "providers/gdrive/errand.h"

/* As in provider_ops. */
_must_check_ int upload_store(const struct errand *errand, const struct provider_put *put,
			      struct provider_object *ret);
