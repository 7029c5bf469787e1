/* Every rule about who wins: one function per row of the disk's column in STATES.md. */
#include "sync/decide.h"

#define LOST \
	"its project was dropped or emptied: all of it waits until it is back, or --adopt"
#define ACCEPT "`sitefs retry --accept` takes it as the truth"
#define OF_BEFORE                                                                      \
	"published anew, and the object at the remote is not what the newer document " \
	"tells, by size or time: " ACCEPT
#define DECIDE(a, s, r, w) \
	((struct decision){ .action = (a), .state = (s), .row = (r), .why = (w) })

/* A transfer in the background that the records ask for, unless somebody said no. */
static struct decision transfer(const struct decide_input *in, enum decide_action action,
				bool is_used_up, int row, const char *why)
{
	if (in->is_paused)
		return DECIDE(ACT_NOTHING, FILE_PAUSED, row, "paused in the document");
	if (action == ACT_DOWNLOAD ? in->is_download_held : in->is_upload_held)
		return DECIDE(ACT_NOTHING, FILE_PAUSED, row,
			      "paused here by a person: `sitefs resume` goes on");
	if (is_used_up)
		return DECIDE(ACT_NOTHING, FILE_FAILED, row,
			      "all tries are used up: `sitefs retry` starts over");
	if (in->is_inactive)
		return DECIDE(ACT_NOTHING,
			      in->disk == DISK_NOTHING ? FILE_REMOTE : FILE_LOCAL, row,
			      "the project is inactive: no background transfers");
	if (in->is_moved_by_others)
		return DECIDE(
			ACT_WAIT, FILE_QUEUED, row,
			"another program tells of its progress with this file: it is "
			"waited for");
	return DECIDE(action, FILE_QUEUED, row, why);
}

static struct decision decide_hidden(const struct decide_input *in)
{
	if (in->ours == DOC_ABSENT)
		return DECIDE(
			ACT_NOTHING, FILE_HIDDEN, 38,
			"removed here by a person: `sitefs restore` shows it again");
	if (in->is_hidden_tree && !in->has_stood)
		return DECIDE(
			ACT_WAIT, FILE_HIDDEN, 0,
			"its folder was renamed away: our entry goes if the name stays free");
	return DECIDE(ACT_PULL, FILE_HIDDEN, 0,
		      "removed here by a person: our entry goes");
}

/* Recorded here, not on the disk, and at the remote (row 7): another hand's mistake, or ours to wait. */
static struct decision decide_phantom(const struct decide_input *in)
{
	if (in->has_tmp)
		return DECIDE(
			ACT_WAIT, FILE_REMOTE, 7,
			"recorded here, not on the disk: its .tmp is being written");
	if (!in->has_stood)
		return DECIDE(
			ACT_WAIT, FILE_REMOTE, 7,
			"recorded here, not on the disk: our entry goes if it stays so");
	if (in->object == OBJECT_UNKNOWN)
		return DECIDE(
			ACT_CHECK, FILE_REMOTE, 7,
			"recorded here, not on the disk: the remote is asked first");
	return DECIDE(ACT_PULL, FILE_REMOTE, 7,
		      "recorded here, not on the disk: our entry is removed");
}

static struct decision decide_source_missing(const struct decide_input *in)
{
	if (in->has_tmp || in->is_young)
		return DECIDE(
			ACT_WAIT, FILE_AWAITED, 8,
			"recorded here, not on the disk yet: the publisher is waited for");
	if (in->remote == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_FAILED, 8, "recorded here, not on disk");
	if (in->is_paused)
		return DECIDE(ACT_NOTHING, FILE_PAUSED, 8, "paused in the document");
	if (in->is_remote_used_up || in->is_inactive)
		return DECIDE(ACT_NOTHING, FILE_FAILED, 8, "recorded here, not on disk");
	return DECIDE(ACT_FAIL, FILE_FAILED, 8, "recorded here, not on disk");
}

static struct decision decide_nothing(const struct decide_input *in)
{
	if (in->is_hidden)
		return decide_hidden(in);
	if (in->remote != DOC_PRESENT && in->ours == DOC_PRESENT)
		return decide_source_missing(in);
	if (in->remote == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_AWAITED, 1,
			      "not asked for at the remote");
	if (in->remote == DOC_WANTED && in->is_remote_used_up)
		return DECIDE(ACT_NOTHING, FILE_FAILED, 2,
			      "its upload finally failed at the site that has it");
	if (in->remote == DOC_WANTED)
		return DECIDE(ACT_NOTHING, FILE_AWAITED, 2,
			      "not at the remote yet: a site that has it must upload it");
	if (in->ours == DOC_PRESENT && in->object == OBJECT_MISSING)
		return DECIDE(
			ACT_RECHECK, FILE_FAILED, 8,
			"recorded here, not on disk; the object at the remote is missing, too");
	if (in->ours == DOC_PRESENT && in->object == OBJECT_DIFFERENT)
		return DECIDE(ACT_RECHECK, FILE_FAILED, 8,
			      in->is_republished
				      ? OF_BEFORE
				      : "recorded here, not on disk; the object at the "
					"remote was changed: " ACCEPT);
	if (in->object == OBJECT_MISSING)
		return DECIDE(ACT_RECHECK, FILE_FAILED, 5,
			      "recorded at the remote, but the object is missing there");
	if (in->object == OBJECT_DIFFERENT)
		return DECIDE(ACT_RECHECK, FILE_FAILED, 6,
			      in->is_republished
				      ? OF_BEFORE
				      : "the object at the remote was changed: " ACCEPT);
	if (in->ours == DOC_PRESENT)
		return decide_phantom(in);
	if (in->ours == DOC_WANTED)
		return transfer(in, ACT_DOWNLOAD, in->is_ours_used_up,
				in->is_paused || in->is_ours_used_up ? 9 : 4,
				"asked for here: downloaded in the background");
	if (in->is_mirror)
		return transfer(in, ACT_DOWNLOAD, false, 3, "mirrored in the background");
	if (in->is_arriving)
		return DECIDE(
			ACT_NOTHING, FILE_AWAITED, 3,
			"at the remote, but other files of its representation are not there yet");
	return DECIDE(ACT_NOTHING, FILE_REMOTE, 3,
		      "at the remote: comes when it is read");
}

/* A newer publish names the path of a stamped file: ours (wait for its bytes) or another site's. */
static struct decision decide_newer(const struct decide_input *in)
{
	if (in->ours == DOC_PRESENT && !in->is_newer_truth)
		return DECIDE(ACT_WAIT, FILE_LOCAL, 0,
			      "published anew here: its new bytes are waited for");
	return DECIDE(
		ACT_ASIDE, in->remote == DOC_PRESENT ? FILE_REMOTE : FILE_AWAITED, 19,
		"a newer publish of another site: ours is moved to .sitefs/superseded");
}

/* Ten quiet minutes after our own new publish, the bytes on the disk are what it meant. */
static bool has_newer(const struct decide_input *in)
{
	bool is_believed = in->ours == DOC_PRESENT && in->has_stood && !in->has_tmp;

	return in->is_newer_truth || (in->is_newer && !is_believed);
}

static struct decision decide_copy(const struct decide_input *in)
{
	if (has_newer(in))
		return decide_newer(in);
	if (in->remote == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 18,
			      "not asked for at the remote: nothing moves");
	if (in->remote == DOC_WANTED && in->ours == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 16,
			      "not recorded here: nothing moves");
	if (in->remote == DOC_WANTED && in->ours == DOC_WANTED) {
		if (in->bytes == BYTES_EQUAL)
			return DECIDE(ACT_RECORD_OURS, FILE_LOCAL, 17,
				      "equal to the truth record: recorded here");
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 17,
			      "no truth record to compare with");
	}
	if (in->remote == DOC_WANTED) {
		if (in->object == OBJECT_DIFFERENT)
			return DECIDE(
				ACT_NOTHING, FILE_FAILED, 15,
				"the object at the remote differs: `sitefs retry` sends ours");
		return transfer(
			in, ACT_UPLOAD, in->is_remote_used_up, 15,
			"asked for at the remote: found there, or sent from the copy");
	}
	if (in->object == OBJECT_MISSING)
		return DECIDE(
			ACT_RECHECK, FILE_LOCAL, 13,
			"the object is missing at the remote: this may be the only copy");
	if (in->object == OBJECT_DIFFERENT)
		return DECIDE(
			ACT_RECHECK, FILE_LOCAL, 14,
			"the object at the remote was changed: this copy is right by the "
			"truth record");
	if (in->ours == DOC_WANTED && in->object == OBJECT_UNKNOWN)
		return DECIDE(ACT_CHECK, FILE_LOCAL, 11,
			      "here: the remote is asked, then recorded");
	if (in->ours == DOC_WANTED)
		return DECIDE(ACT_RECORD_OURS, FILE_LOCAL, 11,
			      "here and verified: recorded");
	return DECIDE(ACT_NOTHING, FILE_LOCAL, in->ours == DOC_ABSENT ? 10 : 12,
		      "a copy of what is at the remote");
}

static struct decision decide_uploaded(const struct decide_input *in)
{
	if (has_newer(in))
		return decide_newer(in);
	if (in->ours == DOC_PRESENT && in->remote == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 35, "not asked for at the remote");
	if (in->ours == DOC_PRESENT && in->remote == DOC_WANTED)
		return transfer(in, ACT_UPLOAD_OVER, in->is_remote_used_up, 24,
				"asked for at the remote again: found there, or sent");
	if (in->remote != DOC_PRESENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 27,
			      "not recorded here: `sitefs scan` records it");
	if (in->ours == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 22,
			      "our entry was removed: `sitefs scan` adds it again");
	if (in->ours == DOC_WANTED) {
		if (in->bytes == BYTES_EQUAL)
			return DECIDE(ACT_RECORD_OURS, FILE_LOCAL, 23,
				      "here and equal to the truth record: recorded");
		return DECIDE(ACT_NOTHING, FILE_MODIFIED, 23,
			      "differs from the truth record: never overwritten");
	}
	if (in->object == OBJECT_MISSING || in->object == OBJECT_DIFFERENT)
		return DECIDE(
			ACT_RECHECK, FILE_LOCAL, 26,
			"the object at the remote is missing or changed: `sitefs retry` sends "
			"ours again");
	return DECIDE(ACT_NOTHING, FILE_LOCAL, 25, "uploaded");
}

static struct decision decide_foreign_recorded(const struct decide_input *in)
{
	if (in->object == OBJECT_MISSING)
		return DECIDE(ACT_RECHECK, FILE_LOCAL, 31,
			      "the object is missing at the remote: nothing moves");
	if (in->is_replaced && in->ours == DOC_PRESENT && in->bytes != BYTES_EQUAL) {
		if (in->has_tmp || !in->is_settled)
			return DECIDE(ACT_WAIT, FILE_QUEUED, 0,
				      "replaced here: still changing");
		return transfer(in, ACT_UPLOAD_OVER, in->is_remote_used_up, 0,
				"what this site had uploaded was replaced: sent again");
	}
	if (in->bytes == BYTES_UNEQUAL)
		return DECIDE(ACT_NOTHING, FILE_MODIFIED, 30,
			      "differs from the truth record: `sitefs retry` sends it");
	if (in->bytes == BYTES_EQUAL && in->ours == DOC_WANTED)
		return DECIDE(ACT_RECORD_OURS, FILE_LOCAL, 28,
			      "here and equal to the truth record: recorded");
	if (in->bytes == BYTES_EQUAL)
		return DECIDE(ACT_STAMP, FILE_LOCAL, in->ours == DOC_ABSENT ? 29 : 28,
			      "equal to the truth record");
	if (in->has_truth || in->ours == DOC_WANTED)
		return DECIDE(ACT_HASH, FILE_LOCAL, in->ours == DOC_ABSENT ? 29 : 28,
			      "here: compared with the truth record");
	return DECIDE(ACT_NOTHING, FILE_LOCAL, in->ours == DOC_ABSENT ? 29 : 28,
		      "here; no truth record to compare with");
}

static struct decision decide_foreign(const struct decide_input *in)
{
	if (in->remote == DOC_PRESENT)
		return decide_foreign_recorded(in);
	if (in->ours == DOC_PRESENT && in->remote == DOC_ABSENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 35, "not asked for at the remote");
	if (in->ours != DOC_PRESENT)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 32,
			      "not recorded here: `sitefs scan` records it");
	if (in->has_tmp)
		return DECIDE(ACT_WAIT, FILE_QUEUED, 33, "its .tmp is being written");
	return transfer(in, ACT_UPLOAD_OVER, in->is_remote_used_up,
			in->object == OBJECT_MISSING || in->object == OBJECT_UNKNOWN ? 33
										     : 34,
			"published here: sent to the remote");
}

static struct decision decide_by_disk(const struct decide_input *in)
{
	switch (in->disk) {
	case DISK_NOTHING:
		return decide_nothing(in);
	case DISK_COPY:
		return decide_copy(in);
	case DISK_UPLOADED:
		return decide_uploaded(in);
	case DISK_FOREIGN:
		return decide_foreign(in);
	case DISK_BLOCKED:
		break;
	}
	return DECIDE(ACT_NOTHING, FILE_FAILED, 36,
		      "something else lies at this name on the disk: the disk wins");
}

struct decision decide(const struct decide_input *in)
{
	struct decision decision = decide_by_disk(in);

	if (!in->is_lost || decision.action == ACT_NOTHING)
		return decision;
	return DECIDE(ACT_NOTHING,
		      decision.state == FILE_QUEUED ? FILE_PAUSED : decision.state,
		      decision.row, LOST);
}

struct decision decide_unpublished(enum decide_disk disk, bool has_gone, bool is_lost)
{
	if (is_lost)
		return DECIDE(ACT_NOTHING, FILE_LOCAL, 20, LOST);
	if (disk == DISK_COPY && has_gone)
		return DECIDE(ACT_ASIDE, FILE_LOCAL, 20,
			      "no document names this copy: moved to .sitefs/superseded");
	if (disk == DISK_COPY)
		return DECIDE(ACT_WAIT, FILE_LOCAL, 20,
			      "no document names this copy: moved aside if none comes");
	return DECIDE(
		ACT_NOTHING, FILE_LOCAL, 21,
		"not published: sitefs does not copy it anywhere and is no backup of it");
}
