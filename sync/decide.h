/*
 * Every rule about who wins: (what lies on the disk, what the records say, what the remote holds) -> what is
 * done and what people see. Pure; the rows are those of STATES.md, and tests/unit/test_decide.c
 * names each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/doc.h"
#include "sync/file_state.h"
#include "sync/index.h"

enum decide_disk {
	DISK_NOTHING = 0,
	DISK_COPY,     /* we downloaded it, the stamp matches */
	DISK_UPLOADED, /* original that we sent or found equal, the stamp matches */
	DISK_FOREIGN,  /* original without a stamp that matches */
	DISK_BLOCKED, /* a folder, symlink or special, or a file where a folder is needed */
};

/* The disk file's bytes against the truth record. */
enum decide_bytes {
	BYTES_UNKNOWN = 0, /* not hashed yet */
	BYTES_EQUAL,
	BYTES_UNEQUAL,
};

/* One record that names the path. */
struct decide_input {
	enum decide_disk disk;
	enum doc_presence ours, remote;
	enum index_object_state object;
	enum decide_bytes bytes;
	bool has_truth;
	bool is_hidden;      /* a whiteout hides exactly this file id */
	bool is_hidden_tree; /* ... one of a renamed folder: the entry stays for a while */
	bool is_newer;       /* the stamp knows another file id of this representation */
	bool is_newer_truth; /* the truth record says other bytes than the stamp */
	bool is_republished; /* the truth record is of a publish before: of this one nothing is known */
	bool is_replaced; /* foreign now, but a whole replacement (new inode) of an original that we sent */
	bool is_paused;                          /* the entry at either site */
	bool is_upload_held, is_download_held;   /* by a person, on this machine */
	bool is_ours_used_up, is_remote_used_up; /* tries >= retry_cnt */
	bool has_tmp;                            /* "<name>.tmp" lies beside it */
	bool is_young;                           /* the record is young */
	bool is_settled; /* the disk file has not changed for a while */
	bool has_stood; /* record and disk unchanged long enough to be believed (10 minutes) */
	bool is_arriving; /* its representation is not whole at the remote, so not shown */
	bool is_moved_by_others; /* another program tells of its progress */
	bool is_inactive;        /* project without background transfers */
	bool is_lost;            /* its project was dropped or emptied: nothing is done */
	bool is_mirror;          /* fetch what nobody asked for, too */
};

enum decide_action {
	ACT_NOTHING = 0,
	ACT_WAIT,    /* something is under way by another hand: look again soon */
	ACT_RECHECK, /* failed by the object's state: ask the remote again after a while */
	ACT_CHECK,   /* the object's state must be known first */
	ACT_HASH,    /* the disk file's digest must be known first */
	ACT_DOWNLOAD,
	ACT_UPLOAD,      /* nothing may be replaced that differs from the truth */
	ACT_UPLOAD_OVER, /* what is at the remote may be replaced; it stays recoverable */
	ACT_RECORD_OURS, /* our entry: done */
	ACT_STAMP,       /* known to be the uploaded bytes: stamp, nothing to record */
	ACT_PULL,        /* remove our entry */
	ACT_ASIDE,       /* move the disk file to .sitefs/superseded */
	ACT_FAIL, /* the source is missing for good: counts a try at the remote's entry */
};

struct decision {
	enum decide_action action;
	enum file_state state;
	int row;         /* of STATES.md; 0 where none */
	const char *why; /* static; one line for explain */
};

struct decision decide(const struct decide_input *in);
/* A disk file that no record names: HAS_GONE says for long enough; IS_LOST: the project is that named it. */
struct decision decide_unpublished(enum decide_disk disk, bool has_gone, bool is_lost);
