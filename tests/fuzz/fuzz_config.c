/*
 * Fuzz target: presets and settings. The first line of an input names a file ("gdrive.json"), the
 * rest is its content; the other files are sound ones.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/log.h"
#include "sync/config.h"
#include "tests/fuzz/fuzz.h"

static const struct {
	const char *name, *text;
} files[] = {
	{ "config.json", "{\"active_site\": \"studio\", \"remote_site\": \"g\"}" },
	{ "local_drive.json", "{\"studio\": {\"root\": {\"work\": \"/srv/work\"}}}" },
	{ "gdrive.json", "{\"g\": {\"root\": {\"work\": \"/My Drive/work\"}}}" },
	{ "sitefs.json", "{\"pools\": {\"readers\": 2}}" },
};

static char dir[] = "/tmp/fuzz_config.XXXXXX";
static int dir_fd = -1;

static void clean_up(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir_fd, files[i].name, 0);
	close(dir_fd);
	rmdir(dir);
}

static void write_file(const char *name, const void *data, size_t len)
{
	int fd;

	/* Not truncated: ext4 writes such a file to the disk at once. */
	unlinkat(dir_fd, name, 0);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(fd >= 0 && fd_write_all(fd, data, len) == 0);
	close(fd);
}

static void set_up(void)
{
	if (dir_fd >= 0)
		return;
	log_set_level(LOG_LEVEL_ERROR);
	clearenv();
	assert(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atexit(clean_up);
}

static int check_key(void *context, const struct config_key *key)
{
	assert(key->name[0] && key->value[0] && key->origin[0] && key->help[0]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_options options = { .config_dir = dir };
	const uint8_t *line = memchr(data, '\n', size);
	struct config *config = NULL;
	struct error error = { 0 };
	int r;

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len = strlen(files[i].name);

		if (line && (size_t)(line - data) == len &&
		    memcmp(data, files[i].name, len) == 0)
			write_file(files[i].name, line + 1, size - len - 1);
		else
			write_file(files[i].name, files[i].text, strlen(files[i].text));
	}
	r = config_load(&options, &config, &error);
	assert((r == 0) == (config != NULL));
	assert(r == 0 || error.text[0]);
	if (config) {
		assert(config_find_site(config, config->active_site)->n_roots > 0);
		assert(config_each_key(config, check_key, NULL) == 0);
	}
	config_free(config);
	return 0;
}
