/* Another hand at a remote in memory. */
#include <stddef.h>

#include "tests/contract/provider/hand.h"

#include "tests/fake/provider_fake.h"

static void *fake_open(void)
{
	return remote_fake_new();
}

static void fake_close(void *remote)
{
	remote_fake_free(remote);
}

static int fake_provider(void *remote, struct provider **ret)
{
	*ret = provider_fake_new(remote);
	return 0;
}

static void fake_put(void *remote, const char *path, const void *data, size_t len)
{
	remote_fake_put(remote, path, data, len);
}

static void fake_put_folder(void *remote, const char *path)
{
	remote_fake_put_folder(remote, path);
}

static void fake_edit(void *remote, const char *path)
{
	remote_fake_edit(remote, path);
}

static void fake_cut(void *remote, const char *path, uint64_t size)
{
	remote_fake_cut(remote, path, (size_t)size);
}

static void fake_remove(void *remote, const char *path)
{
	remote_fake_remove(remote, path);
}

static void fake_swap(void *remote, const char *path)
{
	remote_fake_swap(remote, path);
}

static char *fake_read(void *remote, const char *path, size_t *ret_len)
{
	return remote_fake_read(remote, path, ret_len);
}

static size_t fake_count(void *remote)
{
	return remote_fake_count(remote);
}

static bool fake_has_kept(void *remote, const char *path, const void *data, size_t len)
{
	return remote_fake_has_kept(remote, path, data, len);
}

static size_t fake_count_parts(void *remote)
{
	return remote_fake_count_parts(remote);
}

static void fake_drop_parts(void *remote)
{
	remote_fake_drop_parts(remote);
}

static bool fake_flip(void *remote)
{
	return remote_fake_flip(remote);
}

static bool fake_set_away(void *remote, bool is_on)
{
	remote_fake_set_away(remote, is_on);
	return true;
}

static bool fake_set_swapped(void *remote, bool is_on)
{
	remote_fake_set_swapped(remote, is_on);
	return true;
}

static bool fake_set_readonly(void *remote, bool is_on)
{
	remote_fake_set_readonly(remote, is_on);
	return true;
}

static bool fake_set_full(void *remote, bool is_on)
{
	remote_fake_set_room(remote, is_on ? 65536 : UINT64_MAX);
	return true;
}

static bool fake_set_outcome(void *remote, int outcome, bool is_on)
{
	remote_fake_set_outcome(remote, is_on ? outcome : 0);
	return true;
}

const struct hand hand_fake = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.provider = fake_provider,
	.needs_memory = true,
	.put = fake_put,
	.put_folder = fake_put_folder,
	.edit = fake_edit,
	.cut = fake_cut,
	.remove = fake_remove,
	.swap = fake_swap,
	.read = fake_read,
	.count = fake_count,
	.has_old = fake_has_kept,
	.has_trashed = fake_has_kept,
	.count_parts = fake_count_parts,
	.drop_parts = fake_drop_parts,
	.flip = fake_flip,
	.set_away = fake_set_away,
	.set_swapped = fake_set_swapped,
	.set_readonly = fake_set_readonly,
	.set_full = fake_set_full,
	.set_outcome = fake_set_outcome,
};
