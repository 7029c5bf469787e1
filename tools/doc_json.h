/* Parts of representation documents as JSON, with the names that the documents have. */
#pragma once

#include "sync/doc.h"
#include "tools/json.h"

/* The `sites` of a file, in list form. */
struct json *doc_sites_json(const struct doc_file *file);
