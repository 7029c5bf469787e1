/* fs/notify: notices are told once, in order, by one thread that nobody waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/notify.h"
#include "sync/base/buf.h"
#include "sync/base/lock.h"

struct bed {
	struct mutex lock;
	struct cond changed;
	struct buf told GUARDED_BY(&lock);
	bool is_held GUARDED_BY(&lock); /* the thread stays in its first notice */
	size_t n_told GUARDED_BY(&lock);
};

static void tell(void *context, const struct notice *notice)
{
	struct bed *bed = context;

	mutex_lock(&bed->lock);
	buf_addf(&bed->told, "%d:%d:%s ", notice->kind, notice->root, notice->rel);
	bed->n_told++;
	cond_broadcast(&bed->changed);
	while (bed->is_held)
		cond_wait(&bed->changed, &bed->lock);
	mutex_unlock(&bed->lock);
}

static void push(struct notifier *notifier, enum notice_kind kind, int root,
		 const char *rel)
{
	notifier_push(notifier,
		      &(struct notice){ .kind = kind, .root = root, .rel = rel });
}

static void wait_told(struct bed *bed, size_t n)
{
	mutex_lock(&bed->lock);
	while (bed->n_told < n)
		cond_wait(&bed->changed, &bed->lock);
	mutex_unlock(&bed->lock);
}

static void hold(struct bed *bed, bool is_held)
{
	mutex_lock(&bed->lock);
	bed->is_held = is_held;
	cond_broadcast(&bed->changed);
	mutex_unlock(&bed->lock);
}

static void test_equal_notices_become_one(void **state)
{
	struct bed bed = { 0 };
	struct notifier *notifier;

	mutex_init(&bed.lock);
	cond_init(&bed.changed);
	hold(&bed, true);
	assert_int_equal(notifier_new(tell, &bed, &notifier), 0);
	push(notifier, NOTICE_NAME, 0, "a");
	wait_told(&bed, 1);
	/* "a" is being told: a change from now on is another one */
	push(notifier, NOTICE_NAME, 0, "a");
	push(notifier, NOTICE_NAME, 0, "b");
	push(notifier, NOTICE_NAME, 0, "a");
	push(notifier, NOTICE_ATTR, 0, "b");
	push(notifier, NOTICE_NAME, 1, "b");
	push(notifier, NOTICE_NAME, 0, "b");
	assert_int_equal(notifier_waiting(notifier), 4);
	hold(&bed, false);
	wait_told(&bed, 5);
	assert_int_equal(notifier_waiting(notifier), 0);
	notifier_stop(notifier);
	push(notifier, NOTICE_NAME, 0, "late");
	notifier_free(notifier);
	mutex_lock(&bed.lock);
	assert_string_equal(buf_str(&bed.told), "1:0:a 1:0:a 1:0:b 2:0:b 1:1:b ");
	buf_done(&bed.told);
	mutex_unlock(&bed.lock);
	cond_done(&bed.changed);
	mutex_done(&bed.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_notices_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
