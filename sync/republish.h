/*
 * A newer publish took a path: which files a truth record is put for, and whether the object at the remote can be that of
 * the newer publish. Pure.
 *
 *   document: new file ids ──► the truth record is of a publish before (index_path.former) ──► as if there were none
 *   object at the remote ──► contradicts the newer document? ── yes ──► refused, as one that somebody changed
 *                                    no ──► its size and digest are learnt, and become the truth
 *
 * What cannot be known: whether an object that contradicts nothing is what was published. So it is with each file that
 * another program uploaded.
 */
#pragma once

#include "sync/index.h"

/* What names the path, one for each record: an array for the caller to free; it borrows. NULL: no memory. */
struct truth_name *republish_names(const struct index_path *path);
/* TRUTH is of the files that PATH's records name and say to be at the remote (IS_SENT: or asked for there, or here), and takes the
 * place of the record of a publish before. 0 or -ENOMEM. */
int republish_sign(const struct index_path *path, bool is_sent, struct truth *truth);
/* The truth is of each file that is recorded at the remote. */
bool republish_is_signed(const struct index_path *path);
/* Why the object cannot be what the newer publish put there (static; for people), or NULL: it may be, or there is no
 * newer publish. SITE is the remote's. */
const char *republish_refusal(const struct index_path *path, const char *site,
			      const struct provider_object *object);
