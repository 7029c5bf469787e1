/* The few facts that are asked of documents that are no representations. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* type is "project". */
bool doc_is_project(const void *bson, size_t len);
/* A project document whose data.active is there and false. */
bool doc_project_is_inactive(const void *bson, size_t len);
/* Its name, allocated; NULL where it has none. */
char *doc_project_name(const void *bson, size_t len);
/* The _id as text (sync/doc.h), or NULL. Allocated. */
char *doc_id_of(const void *bson, size_t len);
