/* How roots lie in the mount, and the inode numbers of several file systems side by side. */
#include "fs/rootmap.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "sync/base/buf.h"
#include "sync/base/lock.h"
#include "sync/base/netfs.h"
#include "sync/base/path.h"

#define FS_SHIFT 56
#define FS_MAX 127 /* bits 56 to 62 */
#define INO_MASK ((UINT64_C(1) << FS_SHIFT) - 1)

struct rootmap {
	const struct roots *roots;
	int single; /* -1: several */
	size_t n_roots;
	bool *is_remote;
	struct mutex lock;
	uint64_t devices[FS_MAX + 1] GUARDED_BY(&lock); /* in the order met */
	size_t n_devices GUARDED_BY(&lock);
};

static bool is_remote_fs(int fd)
{
	struct statfs st;

	if (fd < 0 || fstatfs(fd, &st) < 0)
		return true; /* unknown: believe nothing for long */
	return netfs_kind(st.f_type) || (uint32_t)st.f_type == FUSE_SUPER_MAGIC;
}

static int refuse_name(const struct roots *roots, const char *only, struct error *error)
{
	_cleanup_(buf_done) struct buf names = { 0 };

	for (size_t i = 0; i < roots_count(roots); i++)
		buf_addf(&names, "%s\"%s\"", i ? ", " : "", roots_name(roots, (int)i));
	return error_set(error, -ENOENT, "the active site has no root \"%s\"; it has %s",
			 only, buf_str(&names));
}

int rootmap_new(const struct roots *roots, const char *only, struct rootmap **ret,
		struct error *error)
{
	_cleanup_(rootmap_freep) struct rootmap *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	mutex_init(&map->lock);
	map->roots = roots;
	map->n_roots = roots_count(roots);
	map->single = map->n_roots == 1 ? 0 : -1;
	for (size_t i = 0; only && i < map->n_roots; i++)
		if (strcmp(roots_name(roots, (int)i), only) == 0)
			map->single = (int)i;
	if (only &&
	    (map->single < 0 || strcmp(roots_name(roots, map->single), only) != 0))
		return refuse_name(roots, only, error);
	map->is_remote = calloc(map->n_roots + 1, sizeof(*map->is_remote));
	if (!map->is_remote)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_roots; i++) {
		struct stat st;

		map->is_remote[i] = is_remote_fs(roots_fd(roots, (int)i));
		/* numbers in the order of the roots, so that they are the same at each start */
		if (roots_fd(roots, (int)i) >= 0 &&
		    fstat(roots_fd(roots, (int)i), &st) == 0)
			rootmap_ino(map, st.st_dev, st.st_ino);
	}
	*ret = steal(map);
	return 0;
}

void rootmap_free(struct rootmap *map)
{
	if (!map)
		return;
	mutex_done(&map->lock);
	free(map->is_remote);
	free(map);
}

int rootmap_single(const struct rootmap *map)
{
	return map->single;
}

int rootmap_find(const struct rootmap *map, const char *name)
{
	for (size_t i = 0; map->single < 0 && i < map->n_roots; i++)
		if (strcmp(roots_name(map->roots, (int)i), name) == 0)
			return (int)i;
	return -1;
}

int rootmap_path(const struct rootmap *map, int root, const char *rel, char **ret)
{
	if (map->single >= 0 && map->single != root)
		return ROOTMAP_NONE;
	if (map->single >= 0)
		*ret = strdup(rel);
	else if (rel[0])
		*ret = path_join(roots_name(map->roots, root), rel);
	else
		*ret = strdup(roots_name(map->roots, root));
	return *ret ? 0 : -ENOMEM;
}

uint64_t rootmap_ino(struct rootmap *map, uint64_t dev, uint64_t ino)
{
	uint64_t number;

	mutex_lock(&map->lock);
	for (number = 0; number < map->n_devices; number++)
		if (map->devices[number] == dev)
			break;
	if (number == map->n_devices && map->n_devices <= FS_MAX)
		map->devices[map->n_devices++] = dev;
	if (number > FS_MAX)
		number = FS_MAX; /* more file systems than numbers: they share the last */
	mutex_unlock(&map->lock);
	/* some file systems use all 64 bits: what is cut off must still tell */
	return ((ino ^ (ino >> FS_SHIFT) * UINT64_C(0x9e3779b97f4a7c)) & INO_MASK) |
	       number << FS_SHIFT;
}

bool rootmap_is_remote(const struct rootmap *map, int root)
{
	return root >= 0 && map->is_remote[root];
}
