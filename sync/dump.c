/* Documents in files, without loss. */
#include "sync/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <bson/bson.h>

#include "sync/base/buf.h"
#include "sync/bson_check.h"

/* The text of the largest document: every byte of a binary value takes 4/3, every array element of
 * one byte its key and braces. Beyond that somebody wants our memory. */
#define JSON_MAX_SIZE (96 * 1024 * 1024)
#define HEAD_SIZE 4
#define BSON_MIN_SIZE 5

DEFINE_CLEANUP(bson_t *, bson_destroy);

/* A file whose first bytes were looked at. */
struct source {
	FILE *file;
	const char *name;
	uint8_t head[HEAD_SIZE];
	size_t n_head, at;
	int64_t offset, line;
	dump_fn *fn;
	void *context;
	struct error *error;
};

static int next_char(struct source *s)
{
	int c = s->at < s->n_head ? s->head[s->at++] : getc(s->file);

	s->line += c == '\n';
	return c;
}

static int read_failed(struct source *s)
{
	int r = errno ? -errno : -EIO;

	return error_set(s->error, r, "cannot read %s: %s", s->name, strerror(-r));
}

/* ---- BSON ---- */

static size_t read_bytes(struct source *s, uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len && s->at < s->n_head)
		data[n++] = s->head[s->at++];
	return n + fread(data + n, 1, len - n, s->file);
}

/* *data grows to the document's size only as far as the file has bytes for it. */
static int read_document(struct source *s, struct buf *doc, uint32_t len)
{
	char piece[65536];

	while (doc->len < len) {
		size_t want =
			len - doc->len < sizeof(piece) ? len - doc->len : sizeof(piece);
		size_t n = read_bytes(s, (uint8_t *)piece, want);

		if (buf_add(doc, piece, n) < 0)
			return -ENOMEM;
		if (n == want)
			continue;
		if (ferror(s->file))
			return read_failed(s);
		return error_set(s->error, -EBADMSG,
				 "%s is cut off: the document at byte %" PRId64
				 " says %" PRIu32 " bytes, %zu are there",
				 s->name, s->offset, len, doc->len);
	}
	return 0;
}

static int read_bson(struct source *s)
{
	_cleanup_(buf_done) struct buf doc = { 0 };
	uint8_t head[HEAD_SIZE];
	uint32_t len;
	size_t n;
	int r;

	while ((n = read_bytes(s, head, sizeof(head))) == sizeof(head)) {
		memcpy(&len, head, sizeof(len));
		len = BSON_UINT32_FROM_LE(len);
		if (len < BSON_MIN_SIZE || len > BSON_CHECK_MAX_SIZE)
			return error_set(s->error, -EBADMSG,
					 "%s is damaged, or no mongodump: a document of "
					 "%" PRIu32 " bytes at byte %" PRId64,
					 s->name, len, s->offset);
		buf_clear(&doc);
		if (buf_add(&doc, head, sizeof(head)) < 0)
			return -ENOMEM;
		r = read_document(s, &doc, len);
		if (r < 0)
			return r;
		if (bson_check(doc.data, doc.len) < 0)
			return error_set(s->error, -EBADMSG,
					 "%s: the document at byte %" PRId64
					 " is damaged: dump the collection again",
					 s->name, s->offset);
		r = s->fn(s->context, doc.data, doc.len);
		if (r != 0)
			return r;
		s->offset += len;
	}
	if (ferror(s->file))
		return read_failed(s);
	if (n > 0)
		return error_set(
			s->error, -EBADMSG,
			"%s is cut off: %zu bytes of a document at byte %" PRId64,
			s->name, n, s->offset);
	return 0;
}

/* ---- extended JSON ---- */

/* Follows a text to where its first object ends. */
struct scan {
	int depth;
	bool is_string, is_escaped;
};

/* True after the object's last character. */
static bool scan_step(struct scan *scan, int c)
{
	if (scan->is_escaped) {
		scan->is_escaped = false;
	} else if (scan->is_string) {
		scan->is_escaped = c == '\\';
		scan->is_string = c != '"';
	} else if (c == '"') {
		scan->is_string = true;
	} else if (c == '{' || c == '[') {
		scan->depth++;
	} else if (c == '}' || c == ']') {
		return --scan->depth == 0;
	}
	return false;
}

static int give_json(struct source *s, const struct buf *text, int64_t line)
{
	_cleanup_(bson_destroyp) bson_t *doc = NULL;
	bson_error_t why = { 0 };

	doc = bson_new_from_json((const uint8_t *)text->data, (ssize_t)text->len, &why);
	if (!doc)
		return error_set(s->error, -EBADMSG,
				 "%s: the document at line %" PRId64
				 " is no extended JSON: %s",
				 s->name, line, why.message);
	if (bson_check(bson_get_data(doc), doc->len) < 0)
		return error_set(s->error, -EBADMSG,
				 "%s: the document at line %" PRId64
				 " is larger or deeper than MongoDB's may be",
				 s->name, line);
	return s->fn(s->context, bson_get_data(doc), doc->len);
}

/* One object, whose brace was read. */
static int read_object(struct source *s, struct buf *text)
{
	struct scan scan = { 0 };
	int64_t line = s->line;
	int c = '{';

	buf_clear(text);
	for (;;) {
		if (buf_addc(text, (char)c) < 0)
			return -ENOMEM;
		if (scan_step(&scan, c))
			return give_json(s, text, line);
		if (text->len > JSON_MAX_SIZE)
			return error_set(s->error, -EBADMSG,
					 "%s: the document at line %" PRId64
					 " is too large",
					 s->name, line);
		c = next_char(s);
		if (c == EOF)
			break;
	}
	if (ferror(s->file))
		return read_failed(s);
	return error_set(s->error, -EBADMSG,
			 "%s is cut off: the document at line %" PRId64 " does not end",
			 s->name, line);
}

/* The next character that is no white space. */
static int next_token(struct source *s)
{
	int c;

	do
		c = next_char(s);
	while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
	return c;
}

static int bad_token(struct source *s, int c, const char *wanted)
{
	if (c == EOF && ferror(s->file))
		return read_failed(s);
	if (c == EOF)
		return error_set(s->error, -EBADMSG, "%s is cut off: it ends without %s",
				 s->name, wanted);
	return error_set(s->error, -EBADMSG,
			 "%s is neither mongodump's BSON nor extended JSON: line %" PRId64
			 " has other text where %s belongs",
			 s->name, s->line, wanted);
}

/* After the opening bracket. */
static int read_array(struct source *s, struct buf *text)
{
	int c = next_token(s), r;

	while (c != ']') {
		if (c != '{')
			return bad_token(s, c, "an object");
		r = read_object(s, text);
		if (r != 0)
			return r;
		c = next_token(s);
		if (c != ',' && c != ']')
			return bad_token(s, c, "a comma or the array's end");
		/* A comma is followed by one more object, not by the end. */
		if (c == ',' && (c = next_token(s)) == ']')
			return bad_token(s, c, "an object");
	}
	c = next_token(s);
	return c == EOF ? 0 : bad_token(s, c, "the file's end");
}

static int read_json(struct source *s)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int c, r = 0;

	s->line = 1;
	if (s->n_head >= 3 && memcmp(s->head, "\xef\xbb\xbf", 3) == 0)
		s->at = 3;
	c = next_token(s);
	if (c == '[')
		return read_array(s, &text);
	for (; c != EOF; c = next_token(s)) {
		if (c != '{')
			return bad_token(s, c, "an object");
		r = read_object(s, &text);
		if (r != 0)
			return r;
	}
	return ferror(s->file) ? read_failed(s) : 0;
}

/* ---- which of the two ---- */

static bool begins(const struct source *s, const char *bytes, size_t len)
{
	return s->n_head >= len && memcmp(s->head, bytes, len) == 0;
}

int dump_read(FILE *file, const char *name, dump_fn *fn, void *context,
	      struct error *error)
{
	struct source s = {
		.file = file, .name = name, .fn = fn, .context = context, .error = error
	};

	errno = 0;
	s.n_head = fread(s.head, 1, sizeof(s.head), file);
	if (ferror(file))
		return read_failed(&s);
	if (begins(&s, "\x1f\x8b", 2))
		return error_set(error, -EBADMSG,
				 "%s is compressed: unpack it with gunzip", name);
	if (begins(&s, "\x6d\xe2\x99\x81", 4))
		return error_set(
			error, -EBADMSG,
			"%s is an archive of mongodump: use its --out instead of "
			"--archive",
			name);
	/* The highest byte of a document's length is 0 or 1; JSON has no such character. */
	if (s.n_head == HEAD_SIZE && s.head[HEAD_SIZE - 1] <= 1)
		return read_bson(&s);
	return read_json(&s);
}

/* ---- writing ---- */

static int write_json(FILE *file, const bson_t *doc, struct error *error)
{
	_cleanup_(bson_destroyp) bson_t *again = NULL;
	char *text = bson_as_canonical_extended_json(doc, NULL);
	int r = 0;

	if (text)
		again = bson_new_from_json((const uint8_t *)text, -1, NULL);
	if (!again || !bson_equal(again, doc))
		r = error_set(error, -EBADMSG,
			      "a document holds what extended JSON cannot tell exactly: "
			      "export BSON instead");
	else if (fputs(text, file) < 0 || putc('\n', file) < 0)
		r = errno ? -errno : -EIO;
	bson_free(text);
	return r;
}

int dump_write(FILE *file, enum dump_format format, const void *bson, size_t len,
	       struct error *error)
{
	bson_t doc;

	errno = 0;
	switch (format) {
	case DUMP_BSON:
		if (fwrite(bson, 1, len, file) != len)
			return errno ? -errno : -EIO;
		return 0;
	case DUMP_JSON:
		if (!bson_init_static(&doc, bson, len))
			return error_set(error, -EBADMSG, "a document is damaged");
		return write_json(file, &doc, error);
	}
	return -EINVAL;
}
