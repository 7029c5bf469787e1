/* Making folders and taking away what was made, without twins: ids are brought along, and whoever came first stays. */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* Where a folder is to be. */
struct make_place {
	const char *parent, *name; /* id; name */
	size_t depth; /* below the root: which of the ids that were brought along is its own */
};

/* A folder there, or the one that another made at the same time. RET is the caller's to end, whatever comes;
 * *RET_IS_NEW: nobody else can have put anything into it before. */
_must_check_ int make_folder(const struct errand *errand, const struct make_place *place,
			     struct wire_file *ret, bool *ret_is_new);
/* Another one of that name in that folder came before FILE: it goes to RET. PROVIDER_GONE: FILE is the first. IS_FOLDER:
 * only folders count, else all but them. */
_must_check_ int make_find_elder(const struct errand *errand,
				 const struct wire_file *file, bool is_folder,
				 struct wire_file *ret);
/* Into the trash of Drive; out of it. */
_must_check_ int make_trash(const struct errand *errand, const char *id);
_must_check_ int make_untrash(const struct errand *errand, const char *id);
/* Another name; another folder. */
_must_check_ int make_name(const struct errand *errand, const char *id, const char *name);
_must_check_ int make_move(const struct errand *errand, const char *id, const char *from,
			   const char *to);
/* Removes for good what we just made and nobody has used; into the trash where that is not allowed. Goes on after a
 * cancel. */
_must_check_ int make_undo(const struct errand *errand, const char *id);
