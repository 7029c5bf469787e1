/*
 * The contract of the provider port: contract-provider [NAME [GROUP]]. NAME: of a remote in hand_*.c (local_drive if
 * none is given); GROUP: one file of cases, else all but those that take long ("large").
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <string.h>

static const struct cases *const groups[] = {
	&cases_read,    &cases_list,   &cases_store,   &cases_names,
	&cases_source,  &cases_resume, &cases_site,    &cases_many,
	&cases_trouble, &cases_fate,   &cases_changes, &cases_twins,
};

static int run(const struct cases *cases, const struct hand *hand)
{
	_cleanup_(freep) struct CMUnitTest *tests =
		calloc(cases->n, sizeof(*cases->tests));
	_cleanup_(freep) char *title = strf("%s: %s", hand->name, cases->name);

	if (!tests || !title)
		return 1;
	memcpy(tests, cases->tests, cases->n * sizeof(*tests));
	for (size_t i = 0; i < cases->n; i++)
		tests[i].initial_state = (void *)(uintptr_t)hand;
	return _cmocka_run_group_tests(title, tests, cases->n, NULL, NULL);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "local_drive";
	const char *only = argc > 2 ? argv[2] : NULL;
	const struct hand *hand = hand_of(name);
	int n_failed = 0;

	if (!hand) {
		fprintf(stderr, "contract-provider: no hand for the remote '%s'\n", name);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!only || strcmp(groups[i]->name, only) == 0)
			n_failed += run(groups[i], hand);
	}
	if (only && strcmp(cases_large.name, only) == 0)
		n_failed += run(&cases_large, hand);
	return n_failed != 0;
}
