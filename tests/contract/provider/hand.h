/*
 * What another hand does to a remote behind the provider's back, by kind of provider: an administrator on the NAS, a
 * person on Drive, a cable. Only hand_*.c know an implementation; the cases know none.
 *
 * A member that is NULL, or that answers false, cannot be played there: the case is skipped and says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/provider.h"

/* Bytes at an offset of an object that is zero elsewhere. */
struct mark {
	uint64_t offset;
	const char *text;
};

struct hand {
	const char *name; /* of the remote, on the command line */

	/* A new, empty remote, and its end. What open() gives is the hand's own. */
	void *(*open)(void);
	void (*close)(void *remote);
	/* One more provider of it, not probed, as another process would have one. */
	int (*provider)(void *remote, struct provider **ret);
	/* Other processes reach the same remote (fork). */
	bool is_shared;
	/* Folders that may lie in each other; 0: as many as a case wants. */
	int depth;
	/* It ends the test where there is no memory. */
	bool needs_memory;

	/* ---- objects ---- */
	void (*put)(void *remote, const char *path, const void *data, size_t len);
	void (*put_marks)(void *remote, const char *path, uint64_t size,
			  const struct mark *marks, size_t n);
	void (*put_folder)(void *remote, const char *path);
	/* Other bytes of the same length. */
	void (*edit)(void *remote, const char *path);
	void (*cut)(void *remote, const char *path, uint64_t size);
	void (*remove)(void *remote, const char *path);
	/* Another object with the same bytes takes the name. */
	void (*swap)(void *remote, const char *path);
	/* All of it, NUL-terminated; NULL: no object there. The caller's. */
	char *(*read)(void *remote, const char *path, size_t *ret_len);
	/* Names that lie there openly: objects and folders. */
	size_t (*count)(void *remote);
	/* A replaced / a trashed object of that path with these bytes can be got back. */
	bool (*has_old)(void *remote, const char *path, const void *data, size_t len);
	bool (*has_trashed)(void *remote, const char *path, const void *data, size_t len);
	/* Another object of that name beside it; and a folder beside one of that name, which holds such an object. */
	void (*put_twin)(void *remote, const char *path, const void *data, size_t len);
	void (*put_twin_folder)(void *remote, const char *path, const char *name,
				const void *data, size_t len);
	/* A person puts it, or a folder with all in it, into the trash. */
	void (*throw_away)(void *remote, const char *path);
	void (*rename)(void *remote, const char *path, const char *name);
	/* N objects in a folder, "file.00000" and so on, all of one content of SIZE bytes. */
	void (*put_many)(void *remote, const char *folder, size_t n, size_t size);
	/* How often the remote was asked for something so far, by all. */
	size_t (*count_requests)(void *remote);
	/* Things that are no objects and that a listing must not show: symlinks, devices. */
	bool (*put_oddities)(void *remote, const char *folder);

	/* ---- uploads that are not complete ---- */
	size_t (*count_parts)(void *remote);
	void (*drop_parts)(void *remote);
	/* More bytes lie in them than arrived, as after a power cut. */
	void (*smear)(void *remote);
	/* Flips a bit in the first bytes of what arrived. */
	bool (*flip)(void *remote);

	/* ---- the site; each is taken back with false ---- */
	bool (*set_away)(void *remote, bool is_on); /* the root is missing */
	bool (*set_swapped)(void *remote,
			    bool is_on); /* an empty folder lies in its place */
	bool (*set_readonly)(void *remote, bool is_on); /* DENIED for writing only */
	bool (*set_full)(void *remote, bool is_on);
	/* Every call has that outcome, of the site or the moment, with its error set. */
	bool (*set_outcome)(void *remote, int outcome, bool is_on);
	/* The Nth step from now of the remote itself (1: the next) fails with ERROR, once; 0: none does. */
	void (*fail_step)(void *remote, unsigned n, int error);
	bool (*has_failed_step)(void *remote);
	/* FN is called before that step, once: what another hand does then harms neither. NULL where the remote cannot
	 * promise that. */
	void (*at_step)(void *remote, unsigned n, void (*fn)(void *context),
			void *context);
};

extern const struct hand hand_fake, hand_gdrive, hand_local_drive, hand_local_drive_nfs,
	hand_local_drive_exfat;
/* NULL: none of that name. */
const struct hand *hand_of(const char *name);
