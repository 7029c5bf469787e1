/* Network file systems, where a SQLite database is not safe. */
#include "sync/base/netfs.h"

#include <errno.h>
#include <stddef.h>
#include <sys/vfs.h>

#include "sync/base/cleanup.h"

/* Numbers: linux/magic.h and the sources of the file systems that are not in it. */
static const struct {
	unsigned long type;
	const char *kind;
} kinds[] = {
	{ 0x6969, "NFS" },      { 0x517b, "SMB" },        { 0xfe534d42, "SMB" },
	{ 0xff534d42, "CIFS" }, { 0x00c36400, "Ceph" },   { 0x0bd00bd0, "Lustre" },
	{ 0x47504653, "GPFS" }, { 0x19830326, "BeeGFS" }, { 0x01021997, "9p" },
	{ 0x5346414f, "AFS" },  { 0x6b414653, "AFS" },    { 0x73757245, "Coda" },
};

const char *netfs_kind(long type)
{
	/* f_type is signed on some machines: only 32 bits count. */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == ((unsigned long)type & 0xffffffff))
			return kinds[i].kind;
	return NULL;
}

int netfs_check(const char *path, const char **ret_kind)
{
	struct statfs fs;
	const char *kind;

	if (statfs(path, &fs) < 0)
		return -errno;
	kind = netfs_kind(fs.f_type);
	if (!kind)
		return 0;
	*ret_kind = kind;
	return -EREMOTE;
}
