/* Fuzz target: files of documents, BSON and extended JSON. What is given is sound, and what is written
 * of it reads back as the same bytes. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/bson_check.h"
#include "sync/dump.h"
#include "tests/fuzz/fuzz.h"

struct again {
	const void *bson;
	size_t len;
	int n;
};

static int compare(void *context, const void *bson, size_t len)
{
	struct again *again = context;

	assert(len == again->len && memcmp(bson, again->bson, len) == 0);
	again->n++;
	return 0;
}

static void write_and_read(enum dump_format format, const void *bson, size_t len)
{
	struct again again = { bson, len, 0 };
	char *text = NULL;
	size_t text_len = 0;
	FILE *out = open_memstream(&text, &text_len), *in;
	int r;

	assert(out);
	r = dump_write(out, format, bson, len, NULL);
	assert(fclose(out) == 0);
	assert(r == 0 || (format == DUMP_JSON && r == -EBADMSG));
	if (r == 0) {
		in = fmemopen(text, text_len, "r");
		assert(in);
		assert(dump_read(in, "again", compare, &again, NULL) == 0);
		assert(again.n == 1);
		fclose(in);
	}
	free(text);
}

static int take(void *context, const void *bson, size_t len)
{
	assert(bson_check(bson, len) == 0);
	write_and_read(DUMP_BSON, bson, len);
	write_and_read(DUMP_JSON, bson, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { 0 };
	FILE *file;
	int r;

	if (size == 0)
		return 0;
	file = tmpfile();
	assert(file);
	assert(fwrite(data, 1, size, file) == size);
	rewind(file);
	r = dump_read(file, "f", take, NULL, &error);
	assert(r == 0 || r == -EBADMSG);
	assert(r == 0 || error.text[0]);
	fclose(file);
	return 0;
}
