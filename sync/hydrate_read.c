/*
 * Hydration, reads: those that wait, and what the way a handle reads says of what it will want next.
 *
 * Waiting reads stand in one list in the order of their deadlines, which is that of their coming, since all wait
 * equally long.
 */
#include <errno.h>

#include "sync/base/clock.h"
#include "sync/hydrate_private.h"

#define WAITS INT64_MIN

/* ---- waiting ---- */

static void wait_locked(struct hydrate_read *read) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = read->hydration->file->hydrator;
	int64_t patience = hydrator->config->read_deadline_ms;
	struct hydrate_read **at = &hydrator->first_read;

	read->deadline_ms = patience < 0 ? INT64_MAX : clock_mono_ms() + patience;
	read->is_waiting = true;
	read->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = read;
	read->hydration->file->n_waiting++;
	if (hydrator->first_read == read)
		cond_signal(&hydrator->timer_wake);
}

static void answer_locked(struct hydrate_read *read, int64_t result,
			  struct hydrate_todo *todo)
{
	const struct hydrate_file *file = read->hydration->file;

	read->result = result;
	read->fd = file->staging ? staging_fd(file->staging) : -1;
	read->next = todo->answers;
	todo->answers = read;
}

/* Out of the list (AT is the link to it). */
static void end_wait_locked(struct hydrate_read **at, int64_t result,
			    struct hydrate_todo *todo)
{
	struct hydrate_read *read = *at;

	*at = read->next;
	read->is_waiting = false;
	read->hydration->file->n_waiting--;
	answer_locked(read, result, todo);
}

bool hydrate_is_readable_locked(const struct hydrate_file *file, int64_t offset,
				int64_t length)
{
	if (file->phase == HYDRATE_FAILED || !file->staging ||
	    (file->is_small && !file->is_verified))
		return false;
	return rangemap_has(&file->present, offset, offset + length);
}

void hydrate_answer_locked(struct hydrator *hydrator, struct hydrate_file *file,
			   int error, struct hydrate_todo *todo)
{
	struct hydrate_read **at = &hydrator->first_read;

	while (*at) {
		struct hydrate_read *read = *at;
		struct hydrate_file *of = read->hydration->file;

		bool is_asked = !file || of == file;

		if (is_asked &&
		    hydrate_is_readable_locked(of, read->offset, read->length))
			end_wait_locked(at, read->length, todo);
		else if (is_asked && error)
			end_wait_locked(at, error, todo);
		else
			at = &read->next;
	}
}

void hydrate_expire_reads_locked(struct hydrator *hydrator, int64_t now_ms,
				 struct hydrate_todo *todo)
{
	while (hydrator->first_read && hydrator->first_read->deadline_ms <= now_ms)
		end_wait_locked(&hydrator->first_read, -ETIMEDOUT, todo);
}

void hydrate_drop_reads_locked(struct hydration *hydration, struct hydrate_todo *todo)
{
	struct hydrate_read **at = &hydration->file->hydrator->first_read;

	while (*at) {
		if ((*at)->hydration == hydration)
			end_wait_locked(at, -EINTR, todo);
		else
			at = &(*at)->next;
	}
}

/* ---- how a handle reads ---- */

/* Has it read enough of the body to want all of it? Probes stay within the head and tail windows. */
static bool is_body_reader(const struct hydration *handle)
{
	int64_t body = handle->file->size - 2 * HYDRATE_PROBE;
	int64_t enough = body / 2 < HYDRATE_BODY ? body / 2 : HYDRATE_BODY;

	if (body <= 0)
		return handle->run >= handle->file->size / 2;
	return handle->body_run >= enough || handle->n_jumps >= HYDRATE_JUMPS;
}

/* Grows the window each time that the reader comes into its second half. */
static void look_ahead_locked(struct hydration *handle)
{
	struct hydrate_file *file = handle->file;
	int64_t chunk = file->hydrator->config->chunk_bytes;
	int64_t start =
		handle->ahead_end > handle->next ? handle->ahead_end : handle->next;

	if (handle->run < HYDRATE_WINDOW ||
	    handle->next < handle->ahead_end - handle->window / 2)
		return;
	handle->window = handle->window ? 2 * handle->window : HYDRATE_WINDOW;
	if (handle->window > chunk)
		handle->window = chunk;
	handle->ahead_end = start + handle->window;
	if (handle->ahead_end > file->size)
		handle->ahead_end = file->size;
	file->ahead = (struct range){ start, handle->ahead_end };
}

static void note_read_locked(struct hydration *handle, int64_t offset, int64_t length)
{
	struct hydrate_file *file = handle->file;
	int64_t end = offset + length;
	bool is_in_body = end > HYDRATE_PROBE && offset < file->size - HYDRATE_PROBE;
	/* the kernel's own read-ahead comes a little out of order */
	bool is_in_order = !handle->has_read || (offset >= handle->next - HYDRATE_PROBE &&
						 offset <= handle->next + HYDRATE_PROBE);

	if (!is_in_order) {
		handle->run = handle->body_run = handle->window = handle->ahead_end = 0;
		handle->n_jumps += is_in_body;
	}
	if (!is_in_order || !hydrate_has_background(file))
		file->next_pos = hydrate_end_of_wanted(offset, length);
	handle->has_read = true;
	handle->run += length;
	handle->body_run += is_in_body ? length : 0;
	handle->next = end;
	if (file->is_keepable && !file->is_cramped &&
	    (file->is_small || is_body_reader(handle)))
		file->is_rest_wanted = true;
	look_ahead_locked(handle);
}

/* ---- the port ---- */

static void clip(struct hydrate_read *read, int64_t size)
{
	if (read->offset < 0 || read->offset >= size || read->length < 0)
		read->length = 0;
	else if (read->length > size - read->offset)
		read->length = size - read->offset;
}

/* The result where the read need not wait, else WAITS. */
static int64_t answer_at_once_locked(const struct hydrate_read *read) NO_THREAD_SAFETY
{
	const struct hydrate_file *file = read->hydration->file;
	const struct hydrator *hydrator = file->hydrator;

	if (file->phase == HYDRATE_FAILED)
		return -EIO;
	if (!read->length || hydrate_is_readable_locked(file, read->offset, read->length))
		return read->length;
	return hydrator->is_stopping || hydrator->fault ? -EIO : WAITS;
}

static void begin_locked(struct hydrate_read *read, struct hydrate_todo *todo)
{
	struct hydrate_file *file = read->hydration->file;
	int64_t result;

	clip(read, file->size);
	if (read->length)
		note_read_locked(read->hydration, read->offset, read->length);
	else if (!file->size && file->is_keepable)
		file->is_rest_wanted = true; /* an empty file is read by asking for it */
	result = answer_at_once_locked(read);
	if (result == WAITS)
		wait_locked(read);
	else
		answer_locked(read, result, todo);
	hydrate_plan_locked(file, todo);
}

void hydrate_read(struct hydration *hydration, struct hydrate_read *read)
{
	struct hydrator *hydrator = hydration->file->hydrator;
	struct hydrate_todo todo = { 0 };

	read->hydration = hydration;
	mutex_lock(&hydrator->lock);
	begin_locked(read, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
}

void hydrate_cancel(struct hydrate_read *read)
{
	struct hydrator *hydrator = read->hydration->file->hydrator;
	struct hydrate_read **at = &hydrator->first_read;
	struct hydrate_todo todo = { 0 };

	mutex_lock(&hydrator->lock);
	while (*at && *at != read)
		at = &(*at)->next;
	if (*at)
		end_wait_locked(at, -EINTR, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
}
