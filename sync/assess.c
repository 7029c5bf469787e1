/* Assessing a path: disk, stamp, records and whiteouts put together. */
#include "sync/assess.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"

char *assess_file_ref(const struct index_record *record)
{
	return strf("%s/%s/%s", record->project, record->repre, record->file);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int assess_stamp_files(const struct index_path *path, struct stamp *stamp)
{
	stamp->files = calloc(path->n_records + 1, sizeof(*stamp->files));
	if (!stamp->files)
		return -ENOMEM;
	for (size_t i = 0; i < path->n_records; i++) {
		stamp->files[i] = assess_file_ref(&path->records[i]);
		if (!stamp->files[i])
			return -ENOMEM;
		stamp->n_files++;
	}
	qsort(stamp->files, stamp->n_files, sizeof(*stamp->files), compare_strings);
	return 0;
}

/* Wall time of an ObjectId in ms, or -1 for other ids. */
static int64_t id_time_ms(const char *id)
{
	char head[9];

	if (id[0] == '=' || strlen(id) != 24)
		return -1;
	memcpy(head, id, 8);
	head[8] = '\0';
	return (int64_t)strtoul(head, NULL, 16) * 1000;
}

bool assess_is_young(const struct config *config, const struct index_record *record)
{
	int64_t now = clock_wall_ms();
	int64_t born = id_time_ms(record->file);

	if (born < 0 || born > now)
		born = record->first_seen_ms;
	return now - born < config->timing.young_ms;
}

static bool has_temporary(const struct assess_setup *setup, int root, const char *rel)
{
	_cleanup_(freep) char *temporary = strf("%s.tmp", rel);
	struct stat st;

	return temporary &&
	       beneath_stat(roots_fd(setup->roots, root), temporary, &st) == 0;
}

static int look_at_disk(const struct assess_setup *setup, struct assessment *a)
{
	int fd = roots_fd(setup->roots, a->root);
	int r = fd < 0 ? -ENOENT : beneath_stat(fd, a->rel, &a->st);

	if (r == -ENOENT) {
		a->disk = DISK_NOTHING;
		return 0;
	}
	if (r == -ELOOP || r == -ENOTDIR || (r == 0 && !S_ISREG(a->st.st_mode))) {
		a->disk = DISK_BLOCKED;
		return 0;
	}
	if (r < 0)
		return r;
	a->disk = DISK_FOREIGN;
	return 0;
}

static int look_at_stamp(const struct assess_setup *setup, struct assessment *a)
{
	int r = journal_stamp_get(setup->journal, a->root, a->rel, &a->stamp);
	enum stamp_match match;

	if (r < 0)
		return r;
	a->has_stamp = r == 0;
	if (!a->has_stamp || a->disk != DISK_FOREIGN)
		return 0;
	match = stamp_compare(&a->stamp, &a->st);
	a->needs_rehash = match == STAMP_REHASH && a->stamp.kind != STAMP_FOREIGN;
	if (match != STAMP_SAME && !a->needs_rehash)
		return 0;
	if (a->stamp.kind == STAMP_COPY)
		a->disk = DISK_COPY;
	else if (a->stamp.kind == STAMP_UPLOADED)
		a->disk = DISK_UPLOADED;
	return 0;
}

static enum decide_bytes bytes_of(const struct assessment *a)
{
	const struct truth *truth = &a->path.truth;
	bool has_digest = a->has_stamp && stamp_compare(&a->stamp, &a->st) != STAMP_OTHER;

	if (a->disk == DISK_NOTHING || a->disk == DISK_BLOCKED || truth->size < 0)
		return BYTES_UNKNOWN;
	if (a->st.st_size != truth->size)
		return BYTES_UNEQUAL;
	if (!has_digest)
		return BYTES_UNKNOWN;
	if (digest_equal(&a->stamp.digest, &truth->digest))
		return BYTES_EQUAL;
	return digest_differs(&a->stamp.digest, &truth->digest) ? BYTES_UNEQUAL
								: BYTES_UNKNOWN;
}

/* The truth record says other bytes than our stamp, and not because ours still waits in the outbox: then the
 * index does not know yet what we sent ourselves. */
static bool is_truth_of_others(const struct assess_setup *setup,
			       const struct assessment *a)
{
	if (!a->has_stamp || a->path.truth.size < 0 ||
	    !digest_differs(&a->stamp.digest, &a->path.truth.digest))
		return false;
	for (size_t i = 0; i < a->path.n_records; i++)
		if (journal_outbox_has_truth(setup->journal, a->path.records[i].project,
					     a->path.records[i].key))
			return false;
	return true;
}

/* Another file id of a representation that the stamp knows. */
static bool is_newer(const struct assessment *a, const struct index_record *record)
{
	_cleanup_(freep) char *ref = assess_file_ref(record);
	_cleanup_(freep) char *prefix = strf("%s/%s/", record->project, record->repre);

	if (!ref || !prefix || !a->has_stamp)
		return false;
	if (a->is_truth_of_others)
		return true;
	for (size_t i = 0; i < a->stamp.n_files; i++)
		if (strcmp(a->stamp.files[i], ref) == 0)
			return false;
	for (size_t i = 0; i < a->stamp.n_files; i++)
		if (strncmp(a->stamp.files[i], prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

static enum index_object_state object_of(const struct assess_setup *setup,
					 const struct assessment *a,
					 const struct index_record *record)
{
	const struct index_object *object = &a->path.object;

	/* our entry is pulled only after the object was verified lately */
	if (object->state == OBJECT_PRESENT && a->disk == DISK_NOTHING &&
	    record->ours.presence == DOC_PRESENT &&
	    clock_wall_ms() - object->seen_ms > setup->config->timing.pull_ms)
		return OBJECT_UNKNOWN;
	return object->state;
}

static void look_at_whiteouts(const struct assess_setup *setup,
			      const struct assessment *a,
			      const struct index_record *record, struct decide_input *in)
{
	struct whiteout whiteout = { 0 };

	if (!journal_is_hidden(setup->journal, a->root, a->rel,
			       index_file_hash(record->file)))
		return;
	in->is_hidden = true;
	if (journal_whiteout_find(setup->journal, a->root, a->rel, &whiteout) == 0) {
		in->is_hidden_tree = whiteout.kind == WHITEOUT_TREE;
		whiteout_done(&whiteout);
	}
}

/* What a process of before began goes on from there. */
static bool was_begun_here(const struct assess_setup *setup, const struct assessment *a)
{
	struct upload_resume resume = { 0 };
	struct staged staged = { 0 };
	struct staged_block *blocks = NULL;
	size_t n_blocks = 0;
	int r;

	if (a->disk == DISK_NOTHING) {
		r = journal_staged_get(setup->journal, a->root, a->rel, &staged, &blocks,
				       &n_blocks);
		staged_done(&staged);
		free(blocks);
		return r == 0;
	}
	r = journal_upload_get(setup->journal, a->root, a->rel,
			       setup->config->remote_site, &resume);
	free(resume.token);
	return r == 0;
}

/* Another program tells how far it is with this file, and told it lately: Pype's own sync server, another host. */
static bool is_moved_by_others(const struct assess_setup *setup,
			       const struct assessment *a,
			       const struct index_record *record, int64_t stood_ms)
{
	const struct index_entry *entry =
		a->disk == DISK_NOTHING ? &record->ours : &record->remote;

	return entry->presence == DOC_WANTED && entry->progress >= 0 &&
	       stood_ms < setup->config->timing.takeover_ms && setup->plans &&
	       !plans_are_moving(setup->plans, a->root, a->rel) &&
	       !was_begun_here(setup, a);
}

enum doc_presence assess_presence_there(const struct config *config,
					const struct index_record *record)
{
	if (record->remote.presence == DOC_ABSENT &&
	    record->ours.presence == DOC_PRESENT &&
	    config_names_have(&config->always_accessible_on, config->remote_site))
		return DOC_WANTED;
	return record->remote.presence;
}

static struct decision decide_record(const struct assess_setup *setup,
				     const struct assessment *a,
				     const struct index_record *record, int64_t stood_ms,
				     bool has_tmp)
{
	const struct config *config = setup->config;
	int64_t changed_ms = timespec_ns(a->st.st_ctim) / 1000000;
	struct decide_input in = {
		.disk = a->disk,
		.ours = record->ours.presence,
		/* what is not here is not asked for there */
		.remote = a->disk == DISK_NOTHING ? record->remote.presence
						  : assess_presence_there(config, record),
		.object = object_of(setup, a, record),
		.bytes = bytes_of(a),
		.has_truth = a->path.truth.size >= 0,
		.is_newer = is_newer(a, record),
		.is_newer_truth = a->is_truth_of_others,
		.is_republished = a->path.former.files.n > 0,
		.is_replaced = a->disk == DISK_FOREIGN && a->has_stamp &&
			       a->stamp.kind == STAMP_UPLOADED &&
			       a->stamp.ino != (uint64_t)a->st.st_ino &&
			       a->st.st_size > 0,
		.is_paused = record->ours.is_paused || record->remote.is_paused,
		.is_ours_used_up = record->ours.tries >= config->retry_cnt,
		.is_remote_used_up = record->remote.tries >= config->retry_cnt,
		.has_tmp = has_tmp,
		.is_young = assess_is_young(config, record),
		.is_settled = clock_wall_ms() - changed_ms >= config->timing.settled_ms,
		.has_stood = stood_ms >= config->timing.pull_ms,
		.is_arriving = record->is_arriving && a->path.node.shown == SHOWN_NOT,
		.is_inactive = record->is_inactive,
		.is_mirror = setup->is_mirror,
	};

	in.is_moved_by_others = is_moved_by_others(setup, a, record, stood_ms);
	in.is_lost = setup->lost && lost_projects_has(setup->lost, record->project);
	if (setup->pauses) {
		in.is_upload_held = pauses_hold(setup->pauses, record->project, a->root,
						a->rel, PAUSE_UPLOADS);
		in.is_download_held = pauses_hold(setup->pauses, record->project, a->root,
						  a->rel, PAUSE_DOWNLOADS);
	}
	look_at_whiteouts(setup, a, record, &in);
	return decide(&in);
}

/* Of several records' decisions, the one that tells a person most. */
static int weight(const struct decision *decision)
{
	static const int weights[FILE_N_STATES] = {
		[FILE_HIDDEN] = 1,   [FILE_AWAITED] = 2,     [FILE_LOCAL] = 3,
		[FILE_REMOTE] = 4,   [FILE_PARTIAL] = 5,     [FILE_PAUSED] = 6,
		[FILE_QUEUED] = 7,   [FILE_DOWNLOADING] = 8, [FILE_UPLOADING] = 8,
		[FILE_MODIFIED] = 9, [FILE_FAILED] = 10,
	};

	return weights[decision->state] * 2 + (decision->action != ACT_NOTHING);
}

static int decide_records(const struct assess_setup *setup, struct assessment *a,
			  int64_t stood_ms)
{
	bool has_tmp = a->path.n_records && has_temporary(setup, a->root, a->rel);

	a->decisions = calloc(a->path.n_records + 1, sizeof(*a->decisions));
	if (!a->decisions)
		return -ENOMEM;
	if (!a->path.n_records) {
		a->is_lost = setup->lost &&
			     lost_projects_hold(setup->lost,
						(const char *const *)a->stamp.files,
						a->stamp.n_files);
		a->whole = decide_unpublished(
			a->disk, stood_ms >= setup->config->timing.gone_ms, a->is_lost);
		return 0;
	}
	a->is_truth_of_others = is_truth_of_others(setup, a);
	a->is_hidden = a->disk == DISK_NOTHING;
	for (size_t i = 0; i < a->path.n_records; i++) {
		a->decisions[i] =
			decide_record(setup, a, &a->path.records[i], stood_ms, has_tmp);
		if (i == 0 || weight(&a->decisions[i]) > weight(&a->whole))
			a->whole = a->decisions[i];
		a->is_lost = a->is_lost ||
			     (setup->lost &&
			      lost_projects_has(setup->lost, a->path.records[i].project));
		a->is_hidden = a->is_hidden && a->decisions[i].state == FILE_HIDDEN;
	}
	return 0;
}

int assess(const struct assess_setup *setup, int root, const char *rel, int64_t stood_ms,
	   struct assessment *ret)
{
	struct assessment a = { .root = root, .rel = rel, .path.truth.size = -1 };
	int r = index_find_path(setup->index, root, rel, &a.path);

	if (r == INDEX_NONE) {
		a.path = (struct index_path){ .truth.size = -1 };
		r = 0;
	}
	if (r == 0)
		r = look_at_disk(setup, &a);
	if (r == 0)
		r = look_at_stamp(setup, &a);
	if (r == 0)
		r = decide_records(setup, &a, stood_ms);
	if (r < 0) {
		assessment_done(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void assessment_done(struct assessment *assessment)
{
	index_path_done(&assessment->path);
	stamp_done(&assessment->stamp);
	free(assessment->decisions);
	*assessment = (struct assessment){ 0 };
}

int assess_hash(struct roots *roots, const struct assessment *a, const bool *cancel,
		struct digest *ret, uint64_t *ret_n)
{
	_cleanup_(closep) int fd = beneath_open(roots_fd(roots, a->root), a->rel,
						O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = digest_fd(fd, 0, -1, cancel, ret, ret_n);
	if (r < 0)
		return r;
	return fstat(fd, &st) == 0 && st.st_ino == a->st.st_ino &&
			       timespec_ns(st.st_ctim) == timespec_ns(a->st.st_ctim)
		       ? 0
		       : -EAGAIN;
}

bool assessment_has_action(const struct assessment *assessment)
{
	if (assessment->needs_rehash || !assessment->path.n_records)
		return assessment->needs_rehash ||
		       assessment->whole.action != ACT_NOTHING;
	for (size_t i = 0; i < assessment->path.n_records; i++)
		if (assessment->decisions[i].action != ACT_NOTHING)
			return true;
	return false;
}

static uint64_t mix(uint64_t seed, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

uint64_t assessment_signature(const struct assessment *assessment)
{
	const struct stat *st = &assessment->st;
	int64_t facts[] = { assessment->disk, (int64_t)st->st_ino, st->st_size,
			    timespec_ns(st->st_mtim) };
	uint64_t signature = mix(0, facts, sizeof(facts));

	for (size_t i = 0; i < assessment->path.n_records; i++) {
		const struct index_record *record = &assessment->path.records[i];
		int64_t entries[] = { record->ours.presence, record->ours.created_ms,
				      record->remote.presence,
				      record->remote.created_ms };
		double parts[] = { record->ours.progress, record->remote.progress };

		signature = mix(signature, record->file, strlen(record->file));
		signature = mix(signature, entries, sizeof(entries));
		signature = mix(signature, parts, sizeof(parts));
	}
	return signature;
}
