/* The index by which a server that tells nobody of changes is looked at for what waits: offered, made by --fix. */
#include "tools/doctor.h"
#include "tools/output.h"

#include <errno.h>

#include "sync/base/buf.h"

#define NAMED_MAX 3

struct search {
	struct doctor *doctor;
	struct buf names; /* of the first projects without it */
	int64_t n;
};

static int add(void *context, const char *project)
{
	struct search *search = context;

	if (search->n++ < NAMED_MAX)
		buf_addf(&search->names, "%s%s", search->names.len ? ", " : "", project);
	return search->names.has_failed ? -ENOMEM : 0;
}

static int look(struct search *search, bool make)
{
	struct store *store = search->doctor->store;
	int r;

	buf_clear(&search->names);
	search->n = 0;
	r = store->ops->indexes(store, make, add, search);
	if (r == 0 && search->n > NAMED_MAX)
		buf_addf(&search->names, " and %lld more",
			 (long long)search->n - NAMED_MAX);
	return r;
}

static int put_right(struct search *search)
{
	struct doctor *doctor = search->doctor;
	char count[OUTPUT_SIZE];
	int r;

	output_count(search->n, "project", count);
	if (!doctor_offer(
		    doctor,
		    "makes an index of waiting entries in %s (%s): each look at the "
		    "database then costs what waits, other programs' requests are seen "
		    "within loop_delay, and everything is read anew once an hour instead "
		    "of every ten minutes; the stock Sync Server's query uses it too",
		    count, buf_str(&search->names)))
		return 0;
	r = look(search, true);
	if (r == 0)
		doctor_fixed(doctor, "waiting entries have an index now in %s (%s)",
			     output_count(search->n, "project", count),
			     buf_str(&search->names));
	return r;
}

static void run(struct doctor *doctor)
{
	_cleanup_(store_facts_done) struct store_facts facts = { 0 };
	struct search search = { .doctor = doctor };
	int r;

	/* where it tells of changes nobody looks */
	if (!doctor->store || !doctor->store->ops->indexes ||
	    doctor->store->ops->facts(doctor->store, &facts) != 0 || facts.has_feed)
		return;
	r = look(&search, false);
	if (r == 0 && !search.n)
		doctor_good(doctor, "entries that wait are found by an index");
	else if (r == 0)
		r = put_right(&search);
	if (r < 0)
		doctor_fault(doctor, r == -EACCES ? EXIT_CREDENTIALS : EXIT_NO_STORE,
			     "the index of waiting entries: %s%s", error_text(NULL, r),
			     r == -EACCES ? ": the user needs the role readWrite on the "
					    "database"
					  : "");
	buf_done(&search.names);
}

const struct doctor_check doctor_index = { "index", run };
