/*
 * What OpenPype's settings said when they were last read, in the state folder: a machine whose roots stand nowhere else
 * can be started while the store is away. The documents as they came, in one file, for its owner only.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"
#include "sync/doc_project.h"
#include "sync/dump.h"
#include "sync/openpype.h"

#define KEPT "openpype.bson"
#define KEPT_MAX (64 * 1024 * 1024)

static bool is_kept(int dir_fd, const struct buf *bytes)
{
	_cleanup_(freep) char *data = NULL;
	size_t len;

	return fd_read_file(dir_fd, KEPT, KEPT_MAX, &data, &len) == 0 &&
	       len == bytes->len && memcmp(data, bytes->data, len) == 0;
}

static void add(struct buf *ret, const struct buf *bytes)
{
	if (bytes->len)
		buf_add(ret, bytes->data, bytes->len);
}

void config_keep_settings(const struct config *config)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(closep) int dir_fd =
		open(config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir_fd < 0 || !config->openpype)
		return;
	add(&bytes, openpype_bytes(config->openpype));
	add(&bytes, openpype_project_bytes(config->openpype));
	if (bytes.has_failed || !bytes.len || bytes.len > KEPT_MAX ||
	    is_kept(dir_fd, &bytes))
		return;
	r = fd_replace_file(dir_fd, KEPT, bytes.data, bytes.len, 0600);
	if (r < 0)
		log_debug("cannot keep OpenPype's settings in %s: %s", config->state_dir,
			  strerrordesc_np(-r));
}

static int take(void *context, const void *bson, size_t len)
{
	_cleanup_(freep) char *project = NULL;

	if (!doc_is_project(bson, len))
		return openpype_add(context, bson, len);
	project = doc_project_name(bson, len);
	return project ? openpype_add_project(context, project, bson, len) : 0;
}

int config_kept_load(struct config *config)
{
	_cleanup_(freep) char *path = strf("%s/" KEPT, config->state_dir);
	_cleanup_(fclosep) FILE *file = NULL;
	int r;

	if (!path)
		return -ENOMEM;
	file = fopen(path, "re");
	if (!file)
		return 0;
	r = dump_read(file, path, take, config->openpype, NULL);
	return r == -ENOMEM ? r : 0;
}
