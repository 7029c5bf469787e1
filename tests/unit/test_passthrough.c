/* fs/passthrough: on from the first request that follows INIT, whoever answers that one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/passthrough.h"

static void test_a_request_may_overtake_the_answer_to_init(void **state)
{
	struct fuse_args args = { 0 };
	struct fuse_lowlevel_ops none = { 0 };
	struct passthrough passthrough = { 0 };
	char reason[200];

	passthrough_init(&passthrough, true);
	/* as it is when libfuse has been told, and INIT's answer may be with the kernel already */
	atomic_store(&passthrough.stage, PASSTHROUGH_ASKING);
	fuse_opt_add_arg(&args, "test");
	passthrough.session = fuse_session_new(&args, &none, sizeof(none), NULL);
	assert_non_null(passthrough.session);
	assert_true(passthrough_tell(&passthrough, reason, sizeof(reason)));
	/* decided there and then: no file goes another way because it came early. Not mounted, it is refused */
	assert_false(passthrough_is_on(&passthrough));
	assert_int_not_equal(atomic_load(&passthrough.stage), PASSTHROUGH_ASKING);
	assert_false(passthrough_tell(&passthrough, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "refuses"));
	fuse_session_destroy(passthrough.session);
	fuse_opt_free_args(&args);
	passthrough_done(&passthrough);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_may_overtake_the_answer_to_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
