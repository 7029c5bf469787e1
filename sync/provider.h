/*
 * Port to a place that holds copies: what the engine asks of a remote. One implementation per
 * folder in providers/; providers/local_drive is the smallest and the documentation by example.
 * One contract suite (tests/contract/provider) holds all of them to this page.
 *
 * Calls block, on pool threads, several at once on one handle; each returns soon (-ECANCELED) after
 * call->cancel was set from any thread. Memory belongs to the caller unless stated.
 *
 * Result of every int function: 0 on success; a positive provider_outcome that the caller must
 * handle; a negative errno for local trouble (-ENOMEM, -ECANCELED, what the source or sink
 * returned), passed up unchanged. Except on 0, call->error tells a person why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sync/base/cleanup.h"
#include "sync/base/digest.h"
#include "sync/base/error.h"
#include "sync/config.h"

enum provider_outcome {
	/* about one object: the rest of the site is fine */
	PROVIDER_GONE = 1, /* no object there (or trashed) */
	PROVIDER_CHANGED,  /* the object is not the revision given */
	PROVIDER_EXISTS, /* store: something is at that name and no previous revision was given */
	PROVIDER_REFUSED, /* this remote cannot hold that name or size, ever: report, no retry */
	PROVIDER_TORN, /* what came is not what the object's own checksum or size says */
	PROVIDER_SOURCE_CHANGED, /* store: the source changed while it was read: begin again later */
	/* about the moment: retry with backoff, no try counted */
	PROVIDER_BUSY, /* rate limit or server trouble; call->retry_after_ms if it said so */
	/* about the whole site: law 8, stop its queue and probe */
	PROVIDER_UNREACHABLE,  /* no network, mount away */
	PROVIDER_UNAUTHORIZED, /* login refused */
	PROVIDER_DENIED,       /* logged in, may not do this (read-only) */
	PROVIDER_FULL,         /* no room or quota */
	PROVIDER_NO_ROOT,      /* the site's root folder is missing or is another one */
};

/* True for the outcomes that concern the whole site. */
static inline bool provider_is_site_fault(int outcome)
{
	return outcome >= PROVIDER_UNREACHABLE && outcome <= PROVIDER_NO_ROOT;
}
/* "gone", "source changed"; "ok" for 0, "error" for a negative errno. */
const char *provider_outcome_name(int outcome);

/* Context of one call, zero-initialised by the caller. */
struct provider_call {
	bool cancel; /* set with __atomic_store_n by anyone, read with __atomic_load_n */
	void (*progress)(void *context, uint64_t bytes); /* or NULL; bytes moved so far */
	void *progress_context;
	int64_t retry_after_ms;
	/* stat, fetch: what was found that long ago will do, since the caller looks once more before it relies on it
	 * (a fetch: by digest, when all is there). 0: look now. */
	int64_t max_age_ms;
	struct error error;
};

/* Which object: by path below a root of the site, and by id where one is known (it may be NULL, and an
 * implementation may ignore it: local_drive does). Borrowed. */
struct provider_ref {
	const char *root; /* name of the root: "work", "" */
	const char *path; /* as sync/base/path.h */
	const char *id;
};

struct provider_object {
	char *id, *revision; /* the ids that a truth record keeps per remote */
	char *document_id; /* what the document's `id` gets (C9): Drive id, or the basename */
	int64_t size;
	int64_t mtime_ns;
	struct digest digest; /* as far as the remote tells without reading the content */
	int n_twins; /* list: further ones of that name there; this is the one that counts */
};
void provider_object_done(struct provider_object *object);

/* Takes LEN bytes that lie at OFFSET of the object; in order within one fetch. 0 or a negative errno,
 * which ends the fetch. */
typedef int provider_sink(void *context, const void *data, size_t len, uint64_t offset);
/* Gives up to LEN bytes at OFFSET of the source: bytes given, or a negative errno. */
typedef ssize_t provider_source(void *context, void *data, size_t len, uint64_t offset);
/* OBJECT of a folder: NULL, or where it has twins one that tells but that. */
typedef int provider_list_fn(void *context, const char *name, bool is_folder,
			     const struct provider_object *object);

/* A resumable upload: the provider fills TOKEN with whatever it needs to go on (not secret in logs: law 10
 * applies), and calls SAVE each time that a restart should start from it. */
struct provider_resume {
	char *token; /* in: NULL or the token saved last; owned here, replaced by the provider */
	int (*save)(void *context, const char *token, uint64_t bytes);
	void *context;
};

/* What became of an object that is not there as it was stored. */
enum provider_fate {
	FATE_NONE = 0, /* it is there, under its path; or nothing is known */
	FATE_TRASHED,  /* it can be taken out of the trash (untrash) */
	FATE_REMOVED,  /* it is gone for good, or nobody may see it any more */
	FATE_EDITED,   /* its content is another one */
	FATE_MOVED,    /* it has another name, or lies in another folder */
};
/* "trashed", "removed", "edited", "moved"; NULL for FATE_NONE. */
const char *provider_fate_name(enum provider_fate fate);

/* As far as the remote tells. */
struct provider_trace {
	enum provider_fate fate;
	char *by;        /* who did it, for people; or NULL */
	int64_t when_ms; /* wall time; 0: not known */
};
void provider_trace_done(struct provider_trace *trace);

/* Something happened at the remote. Borrowed. */
struct provider_change {
	const char *id;
	const char *root, *path; /* where it lies, or lay last; NULL: not known */
	bool is_folder;          /* ... and everything below may be concerned */
	const struct provider_object *object; /* that lies there now; NULL: none */
	struct provider_trace trace;
};
typedef int provider_change_fn(void *context, const struct provider_change *change);

struct provider_put {
	struct provider_ref ref;
	provider_source *source;
	void *source_context;
	/* True while the source is still what was decided on; asked before the last chunk. */
	bool (*is_source_same)(void *context);
	int64_t size, mtime_ns;
	struct digest digest; /* of the source where known already, else empty */
	/* Revision that may be replaced; NULL: nothing may be there. The old content stays recoverable. */
	const char *previous;
	struct provider_resume *resume;
	/* An object of this remote, under another name, that is known to have held these very bytes (`digest` is set then):
	 * the remote may copy it by itself instead. NULL: none. */
	const char *twin_id, *twin_revision;
	/* What take_ids() gave for this path, to whoever began with it first: two processes that bring the same make
	 * one object, whenever each of them comes to it. NULL: the provider's own choice. */
	const char *ids;
	/* The caller will settle() it together with others. */
	bool is_settled_later;
};

/* One of the stores that were to be settled later. */
struct provider_settle {
	struct provider_ref ref;
	struct provider_object *object; /* as store gave it; becomes what counts */
	int result;                     /* as store's; not 0: the object does not count */
	struct error error;
};

/* What may be sent to the remote in a day. */
struct provider_quota {
	int64_t opens_ms;    /* wall clock: nothing goes before; 0: it is open */
	int64_t sent, limit; /* bytes, in the last 24 hours */
};

struct provider;

struct provider_ops {
	const char *name;
	bool has_twins; /* store uses provider_put.twin_id */
	/* Login, roots, quota. CREATE_ROOT makes missing root folders. 0 or a site fault. Cheap enough to be
	 * repeated as the probe of a faulty site. */
	int (*probe)(struct provider *provider, bool create_root,
		     struct provider_call *call);
	/* NULL where this remote can hold that path, else why not (static). No I/O. */
	const char *(*refusal)(struct provider *provider, const char *path);
	/* PROVIDER_GONE. */
	int (*stat)(struct provider *provider, const struct provider_ref *ref,
		    struct provider_call *call, struct provider_object *ret);
	/* Everything directly in a folder. PROVIDER_GONE. */
	int (*list)(struct provider *provider, const struct provider_ref *folder,
		    provider_list_fn *fn, void *context, struct provider_call *call);
	/* LENGTH bytes from OFFSET (exactly; both within the object) of revision REVISION (NULL: any).
	 * PROVIDER_GONE, _CHANGED, _TORN. */
	int (*fetch)(struct provider *provider, const struct provider_ref *ref,
		     const char *revision, uint64_t offset, uint64_t length,
		     provider_sink *sink, void *context, struct provider_call *call);
	/* Reads what the remote holds, by its own checksum or by reading all of it. PROVIDER_GONE,
	 * _CHANGED. */
	int (*digest)(struct provider *provider, const struct provider_ref *ref,
		      const char *revision, struct provider_call *call,
		      struct digest *ret);
	/* Puts the whole source there, verified, atomically, folders made as needed: until it returns 0 the
	 * name holds what it held. RET is the stored object with the digest of what was sent. Repeating it
	 * after a lost answer makes no second object. */
	int (*store)(struct provider *provider, const struct provider_put *put,
		     struct provider_call *call, struct provider_object *ret);
	/* Moves the object into the remote's trash: only for commands that say so. PROVIDER_GONE,
	 * _CHANGED. */
	int (*trash)(struct provider *provider, const struct provider_ref *ref,
		     const char *revision, struct provider_call *call);
	void (*free)(struct provider *provider);
	/* A pair, or both NULL. Text that tells the root folder of that name (as in provider_ref) from any other
	 * one: known after a successful probe, -ENOENT where the remote gives none. Whoever keeps it and hands
	 * it to the next process before the first probe is told PROVIDER_NO_ROOT where another folder, or an
	 * empty mount point, lies there now. No I/O. RET is the caller's. */
	int (*identity)(struct provider *provider, const char *root, char **ret);
	int (*expect)(struct provider *provider, const char *root, const char *identity);
	/* A pair, or both NULL where names alone decide. N ids for what does not exist yet, from a stock: each allocated,
	 * without blanks, different from all others. No I/O: -EAGAIN, and restock() fills it. One for each folder of a
	 * path and one for the object, from the top, parted by blanks, are the `ids` of a put. */
	int (*take_ids)(struct provider *provider, size_t n, char **ret);
	int (*restock)(struct provider *provider, struct provider_call *call);

	/* ---- each may be NULL ---- */

	/* What became of the object: by its id where one is given. Asks for that only: 0 with FATE_NONE where it is
	 * where it should be (whatever it holds), and FATE_EDITED where it is there with another revision than
	 * REVISION (NULL: any is right). */
	int (*trace)(struct provider *provider, const struct provider_ref *ref,
		     const char *revision, struct provider_call *call,
		     struct provider_trace *ret);
	/* Takes an object back out of the trash that lay at that path (with that id, where one is given), with the
	 * size and digest of WANTED as far as they are known. PROVIDER_GONE: the trash has none; PROVIDER_EXISTS:
	 * something else has the name by now. RET is the object. */
	int (*untrash)(struct provider *provider, const struct provider_ref *ref,
		       const struct provider_object *wanted, struct provider_call *call,
		       struct provider_object *ret);
	/* What happened since TOKEN, oldest first, to everything that may concern a root; only what it is about, whoever
	 * wants to know looks at it. Each object once. RET_TOKEN (allocated) stands for now; TOKEN NULL: nothing is
	 * told but that. PROVIDER_GONE: the token is unknown: begin with NULL and look at everything. */
	int (*changes)(struct provider *provider, const char *token,
		       provider_change_fn *fn, void *context, struct provider_call *call,
		       char **ret_token);
	/* Where several things have that name in their folder: the object with ref->id, else the oldest, stays.
	 * Of the others those of the same bytes go into the trash, others get a name of their own; of folders the
	 * contents are brought together. RET: how many were put right. PROVIDER_GONE: nothing is there. */
	int (*merge)(struct provider *provider, const struct provider_ref *ref,
		     struct provider_call *call, int *ret);
	/* NULL where a store is final. Whether others took the names of those stores at the same time, told for many by
	 * few requests; the result of each is set. Else than 0: nothing is known of any, ask again. */
	int (*settle)(struct provider *provider, struct provider_settle *stores, size_t n,
		      struct provider_call *call);
	/* What is left of it. No I/O; these three come together. */
	void (*quota)(struct provider *provider, struct provider_quota *ret);
	/* What was counted, as text (NULL on -ENOMEM), for the next process to be told before its first call. */
	char *(*meter)(struct provider *provider);
	void (*set_meter)(struct provider *provider, const char *text);
};

struct provider {
	const struct provider_ops *ops;
};

/* The first call of a constructor: takes the table, and asserts that nothing mandatory is missing in it. */
void provider_init(struct provider *provider, const struct provider_ops *ops);

_unused_ static inline void provider_free(struct provider *provider)
{
	if (provider)
		provider->ops->free(provider);
}
DEFINE_CLEANUP(struct provider *, provider_free);
