/* The documents and files of a real studio that tests read. */
#include "tests/unit/fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024)

static char *folder(void)
{
	const char *named = getenv("SITEFS_FIXTURES");

	return named && named[0] ? strf("%s", named)
				 : strf("%s/../shared/fixtures", SITEFS_SOURCE_ROOT);
}

void fixture_skip_if_missing(void)
{
	_cleanup_(freep) char *path = folder();

	if (access(path, R_OK) == 0)
		return;
	print_message("SKIP: no fixtures in %s: name their folder with SITEFS_FIXTURES\n",
		      path);
	skip();
}

char *fixture_path(const char *name)
{
	_cleanup_(freep) char *path = folder();

	return strf("%s/%s", path, name);
}

bson_t *fixture_read_json_list(const char *path)
{
	_cleanup_(freep) char *text = NULL;
	size_t len;
	bson_error_t error;
	bson_t *list;

	assert_int_equal(fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &text, &len), 0);
	list = bson_new_from_json((const uint8_t *)text, (ssize_t)len, &error);
	if (!list)
		fail_msg("%s: %s", path, error.message);
	return list;
}
