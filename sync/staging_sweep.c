/* Staged files at start: the host's name for them, and rows and files brought into line. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "sync/base/buf.h"
#include "sync/base/digest.h"
#include "sync/base/log.h"
#include "sync/base/map.h"
#include "sync/staging.h"

#define HOST_FACT "host"

/* The host's own name is for people; the random part tells apart two hosts, or two state folders of one. */
static char *make_host(void)
{
	char name[40] = "", text[17];
	uint8_t bytes[8];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return NULL;
	hex_encode(bytes, sizeof(bytes), text);
	if (gethostname(name, sizeof(name)) < 0)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	for (char *p = name; *p; p++)
		if (*p == '/' || *p == '.')
			*p = '-';
	return strf("%s-%s", name[0] ? name : "host", text);
}

int staging_load_host(struct journal *journal, char **ret)
{
	_cleanup_(freep) char *host = NULL;
	int r = journal_get(journal, HOST_FACT, &host);

	if (r == JOURNAL_NONE) {
		host = make_host();
		r = host ? journal_set(journal, HOST_FACT, host) : -ENOMEM;
	}
	if (r == 0)
		*ret = steal(host);
	return r;
}

struct sweep {
	struct journal *journal;
	int root, dir_fd;
	struct map *names; /* of all rows, whatever their root */
};

static int collect_name(void *context, const struct staged *staged)
{
	return map_put(context, staged->name, context, NULL);
}

static int sweep_row(void *context, const struct staged *staged)
{
	const struct sweep *sweep = context;
	struct stat st;
	int r;

	if (staged->root != sweep->root)
		return 0;
	if (!strchr(staged->name, '/') &&
	    fstatat(sweep->dir_fd, staged->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = journal_staged_drop(sweep->journal, staged->root, staged->rel);
	return r < 0 ? r : 0;
}

static int remove_unnamed(const struct sweep *sweep, const char *host)
{
	int fd = openat(sweep->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(host);
	struct dirent *entry;

	if (!dir) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, host, len) == 0 && entry->d_name[len] == '.' &&
		    !map_get(sweep->names, entry->d_name))
			unlinkat(sweep->dir_fd, entry->d_name, 0);
	closedir(dir);
	return 0;
}

static int sweep_root(struct sweep *sweep, struct roots *roots, const char *host)
{
	_cleanup_(closep) int dir_fd = roots_private(roots, sweep->root, "staged");
	int r;

	if (dir_fd < 0)
		return dir_fd;
	sweep->dir_fd = dir_fd;
	r = journal_staged_each(sweep->journal, sweep_row, sweep);
	if (r < 0)
		return r;
	return remove_unnamed(sweep, host);
}

static void names_done(struct map *names)
{
	map_done(names, NULL);
}

int staging_sweep(struct journal *journal, struct roots *roots, const char *host)
{
	_cleanup_(names_done) struct map names = { 0 };
	struct sweep sweep = {
		.journal = journal,
		.names = &names,
	};
	int r = journal_staged_each(journal, collect_name, &names);

	if (r < 0)
		return r;
	for (int i = 0; i < (int)roots_count(roots); i++) {
		sweep.root = i;
		r = sweep_root(&sweep, roots, host);
		if (r == -ENOMEM)
			return r;
		/* a root without its folder is looked after at a later start */
		if (r < 0)
			log_debug("root '%s': its staged files are not swept: %s",
				  roots_name(roots, i), strerror(-r));
	}
	return 0;
}

int staging_drop_row(struct journal *journal, struct roots *roots, int root,
		     const char *rel)
{
	_cleanup_(staged_done) struct staged row = { 0 };
	_cleanup_(freep) struct staged_block *blocks = NULL;
	_cleanup_(closep) int dir_fd = -1;
	size_t n;
	int r = journal_staged_get(journal, root, rel, &row, &blocks, &n);

	if (r != 0)
		return r;
	dir_fd = roots_private(roots, root, "staged");
	if (dir_fd >= 0 && !strchr(row.name, '/'))
		unlinkat(dir_fd, row.name, 0);
	return journal_staged_drop(journal, root, rel);
}
