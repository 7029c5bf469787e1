/* Values as the index and the journal keep them in columns. */
#include "sync/columns.h"

#include <errno.h>
#include <string.h>

char *column_text(struct sqlite3_stmt *stmt, int column, int *r)
{
	const char *text = db_text(stmt, column);
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*r = -ENOMEM;
	return copy;
}

uint64_t *column_hashes(struct sqlite3_stmt *stmt, int column, size_t *ret_n, int *r)
{
	size_t len;
	const void *data = db_blob(stmt, column, &len);
	uint64_t *hashes;

	*ret_n = 0;
	if (len < sizeof(*hashes))
		return NULL;
	hashes = malloc(len);
	if (!hashes) {
		*r = -ENOMEM;
		return NULL;
	}
	memcpy(hashes, data, len);
	*ret_n = len / sizeof(*hashes);
	return hashes;
}

static bool load_exactly(struct sqlite3_stmt *stmt, int column, uint8_t *ret, size_t size)
{
	size_t len;
	const void *data = db_blob(stmt, column, &len);

	if (!data || len != size)
		return false;
	memcpy(ret, data, size);
	return true;
}

void column_digest(struct sqlite3_stmt *stmt, int first, struct digest *ret)
{
	ret->has_sha256 = load_exactly(stmt, first, ret->sha256, sizeof(ret->sha256));
	ret->has_md5 = load_exactly(stmt, first + 1, ret->md5, sizeof(ret->md5));
}

int pack_text(struct buf *buf, const char *text)
{
	return text ? buf_add(buf, text, strlen(text) + 1) : buf_addc(buf, '\0');
}

const char *unpack_text(const char *data, size_t len, size_t *pos)
{
	const char *text = data + *pos;
	size_t n;

	if (*pos >= len)
		return NULL;
	n = strnlen(text, len - *pos);
	if (n == len - *pos)
		return NULL;
	*pos += n + 1;
	return text;
}

int pack_remotes(struct buf *buf, const struct truth *truth)
{
	for (size_t i = 0; i < truth->n_remotes; i++) {
		pack_text(buf, truth->remotes[i].site);
		pack_text(buf, truth->remotes[i].id);
		pack_text(buf, truth->remotes[i].revision);
	}
	return buf->has_failed ? -ENOMEM : 0;
}

int column_remotes(struct sqlite3_stmt *stmt, int column, struct truth *truth)
{
	size_t len, pos = 0;
	const char *data = db_blob(stmt, column, &len);

	for (;;) {
		const char *site = unpack_text(data, len, &pos);
		const char *id = site ? unpack_text(data, len, &pos) : NULL;
		const char *revision = id ? unpack_text(data, len, &pos) : NULL;
		int r;

		if (!revision)
			return 0;
		r = truth_set_remote(truth, site, *id ? id : NULL,
				     *revision ? revision : NULL);
		if (r < 0)
			return r;
	}
}

int pack_files(struct buf *buf, const struct truth_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		pack_text(buf, files->refs[i]);
	return buf->has_failed ? -ENOMEM : 0;
}

int column_files(struct sqlite3_stmt *stmt, int column, struct truth_files *ret)
{
	size_t len, pos = 0;
	const char *data = db_blob(stmt, column, &len), *ref;
	int r = 0;

	while (r == 0 && (ref = unpack_text(data, len, &pos)))
		r = truth_files_add_ref(ret, ref);
	return r;
}
