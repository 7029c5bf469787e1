/* A progress line for a site at work. */
#include "tools/site_progress.h"

#include <errno.h>

#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "tools/output.h"

#define PERIOD_MS 200

struct site_progress {
	struct engine *engine;
	struct progress line;
	int64_t total_files, total_bytes; /* the most that was to be done at a time */
	pthread_t thread;
	struct mutex lock;
	struct cond changed;
	bool is_over; /* guarded by lock */
};

static void draw(struct site_progress *progress)
{
	struct engine_status status;
	int64_t files, bytes;

	engine_get_status(progress->engine, &status);
	files = status.upload.files + status.download.files;
	bytes = status.upload.bytes + status.download.bytes;
	if (files > progress->total_files)
		progress->total_files = files;
	if (bytes > progress->total_bytes)
		progress->total_bytes = bytes;
	if (!progress->total_files)
		return;
	progress_show(&progress->line,
		      &(struct progress_counts){
			      .verb = status.download.files > status.upload.files
					      ? "downloading"
					      : "uploading",
			      .files = progress->total_files - files,
			      .total_files = progress->total_files,
			      .bytes = progress->total_bytes - bytes,
			      .total_bytes = progress->total_bytes,
		      });
}

static void *run(void *context)
{
	struct site_progress *progress = context;
	bool is_over = false;

	while (!is_over) {
		draw(progress);
		mutex_lock(&progress->lock);
		if (!progress->is_over)
			cond_wait_until(&progress->changed, &progress->lock,
					clock_mono_ms() + PERIOD_MS);
		is_over = progress->is_over;
		mutex_unlock(&progress->lock);
	}
	progress_end(&progress->line);
	return NULL;
}

struct site_progress *site_progress_new(const struct cli *cli, struct engine *engine)
{
	struct site_progress *progress = NULL;

	if (!cli->is_quiet && isatty(STDERR_FILENO))
		progress = calloc(1, sizeof(*progress));
	if (!progress)
		return NULL;
	progress->engine = engine;
	progress_start(&progress->line, false, cli->has_bytes);
	mutex_init(&progress->lock);
	cond_init(&progress->changed);
	if (pthread_create(&progress->thread, NULL, run, progress) == 0)
		return progress;
	mutex_done(&progress->lock);
	cond_done(&progress->changed);
	free(progress);
	return NULL;
}

void site_progress_free(struct site_progress *progress)
{
	if (!progress)
		return;
	mutex_lock(&progress->lock);
	progress->is_over = true;
	cond_broadcast(&progress->changed);
	mutex_unlock(&progress->lock);
	pthread_join(progress->thread, NULL);
	mutex_done(&progress->lock);
	cond_done(&progress->changed);
	free(progress);
}
