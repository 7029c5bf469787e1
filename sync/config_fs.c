/* Whether a folder lies on a disk of this machine: SQLite's locks and memory maps need one. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "sync/base/path.h"
#include "sync/config.h"

/* From statfs(2) and the kernel's file systems; <linux/magic.h> lacks some. */
#define MAGIC_CIFS 0xff534d42
#define MAGIC_SMB2 0xfe534d42
#define MAGIC_FUSE 0x65735546
#define MAGIC_LUSTRE 0x0bd00bd0
#define MAGIC_GPFS 0x47504653
#define MAGIC_BEEGFS 0x19830326

static const char *network_name(unsigned long magic)
{
	switch (magic) {
	case NFS_SUPER_MAGIC:
		return "NFS";
	case SMB_SUPER_MAGIC:
	case MAGIC_CIFS:
	case MAGIC_SMB2:
		return "SMB";
	case AFS_SUPER_MAGIC:
		return "AFS";
	case CODA_SUPER_MAGIC:
		return "Coda";
	case CEPH_SUPER_MAGIC:
		return "Ceph";
	case MAGIC_LUSTRE:
		return "Lustre";
	case MAGIC_GPFS:
		return "GPFS";
	case MAGIC_BEEGFS:
		return "BeeGFS";
	default:
		return NULL;
	}
}

/* A FUSE file system on a disk of its own (ntfs-3g) has that disk's device number. */
static bool is_on_disk(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && major(st.st_dev) != 0;
}

/* PATH, or the nearest folder above it that exists. NULL on -ENOMEM. */
static char *nearest(const char *path)
{
	char *found = strdup(path);

	while (found && access(found, F_OK) < 0) {
		char *slash = strrchr(found, '/');

		if (!slash || slash == found) {
			free(found);
			return strdup(slash ? "/" : ".");
		}
		*slash = '\0';
	}
	return found;
}

int config_check_local_fs(const char *path, struct error *error)
{
	_cleanup_(freep) char *found = nearest(path);
	const char *name;
	struct statfs fs;

	if (!found)
		return -ENOMEM;
	if (statfs(found, &fs) < 0)
		return error_set(error, -errno, "%s: %s", found, strerrordesc_np(errno));
	name = network_name((unsigned long)fs.f_type & 0xffffffff);
	if ((fs.f_type & 0xffffffff) == MAGIC_FUSE && !is_on_disk(found))
		name = "FUSE";
	if (!name)
		return 0;
	return error_set(
		error, -EREMOTE,
		"%s lies on a network file system (%s): a database needs a disk of this "
		"machine, like /var/lib/sitefs",
		path, name);
}
