/* A site in a folder of the test's own. */
#include "tests/unit/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"

static void set_site(struct stage *stage, int i, const char *name, char *path)
{
	static char provider[] = "local_drive";

	stage->roots_of[i][0] = (struct config_root){ strdup("work"), path };
	stage->sites[i] = (struct config_site){
		.name = strdup(name),
		.provider = provider,
		.roots = stage->roots_of[i],
		.n_roots = 1,
	};
}

static void open_all(struct stage *stage)
{
	_cleanup_(freep) char *path = strf("%s/journal", stage->state);
	struct error error = { 0 };

	assert_int_equal(journal_open(path, &stage->journal, &error), 0);
	assert_int_equal(
		roots_open(&stage->config, stage->journal, false, &stage->roots, &error),
		0);
	if (roots_is_first_use(stage->roots, 0))
		assert_int_equal(roots_accept(stage->roots, 0), 0);
}

int stage_set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	snprintf(stage->dir, sizeof(stage->dir), "%s/sitefs-stage.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(stage->dir));
	stage->root = strf("%s/work", stage->dir);
	stage->state = strf("%s/state", stage->dir);
	assert_int_equal(mkdir(stage->root, 0755), 0);
	assert_int_equal(mkdir(stage->state, 0755), 0);
	set_site(stage, 0, "studio", strdup(stage->root));
	set_site(stage, 1, "nas", strf("%s/nas", stage->dir));
	stage->config = (struct config){
		.active_site = stage->sites[0].name,
		.remote_site = stage->sites[1].name,
		.sites = stage->sites,
		.n_sites = 2,
		.state_dir = stage->state,
		.n_readers = 4,
		.n_workers = 3,
		.read_deadline_ms = 30000,
		.verify_first_bytes = 1024 * 1024,
		.chunk_bytes = 8 * 1024 * 1024,
		.reserve_bytes = 0,
		.file_mode = 0644,
		.dir_mode = 0755,
		.retry_cnt = 3,
		.timing = { .retry_min_ms = 1, .retry_max_ms = 10, .probe_ms = 10 },
	};
	open_all(stage);
	*state = stage;
	return 0;
}

int stage_tear_down(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *command = strf("rm -rf '%s'", stage->dir);

	roots_free(stage->roots);
	journal_free(stage->journal);
	assert_int_equal(system(command), 0);
	for (int i = 0; i < 2; i++) {
		free(stage->sites[i].name);
		free(stage->roots_of[i][0].name);
		free(stage->roots_of[i][0].path);
	}
	free(stage->root);
	free(stage->state);
	free(stage);
	return 0;
}

void stage_reopen(struct stage *stage)
{
	roots_free(stage->roots);
	journal_free(stage->journal);
	open_all(stage);
}

static char *path_of(const struct stage *stage, const char *rel)
{
	return strf("%s/%s", stage->root, rel);
}

void stage_write(const struct stage *stage, const char *rel, const char *text)
{
	_cleanup_(freep) char *path = path_of(stage, rel);
	_cleanup_(closep) int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

void stage_mkdir(const struct stage *stage, const char *rel, mode_t mode)
{
	_cleanup_(freep) char *path = path_of(stage, rel);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

bool stage_exists(const struct stage *stage, const char *rel)
{
	_cleanup_(freep) char *path = path_of(stage, rel);
	struct stat st;

	return lstat(path, &st) == 0;
}

char *stage_read(const struct stage *stage, const char *rel, size_t *ret_len)
{
	_cleanup_(freep) char *path = path_of(stage, rel);
	char *data = NULL;
	size_t len;

	assert_int_equal(fd_read_file(AT_FDCWD, path, SIZE_MAX / 2, &data, &len), 0);
	if (ret_len)
		*ret_len = len;
	return data;
}

size_t stage_count(const struct stage *stage, const char *rel)
{
	_cleanup_(freep) char *path = path_of(stage, rel);
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

/* Weak: the real one is taken wherever the configuration is linked in. */
__attribute__((weak)) const struct config_site *
config_find_site(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sites; i++)
		if (strcmp(config->sites[i].name, name) == 0)
			return &config->sites[i];
	return NULL;
}
