/* The store: reachable, of which kind, does it tell of changes? Opens it for all other checks. */
#include "tools/doctor.h"
#include "tools/setup.h"

static void run(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	_cleanup_(store_facts_done) struct store_facts facts = { 0 };
	struct error error = { 0 };
	int r;

	r = store_open(config->store_uri, config->store_database, true, &doctor->store,
		       &error);
	if (r == 0)
		r = doctor->store->ops->facts(doctor->store, &facts);
	if (r != 0) {
		doctor_fault(doctor, cli_store_exit(r), "%s", error_text(&error, r));
		return;
	}
	if (facts.has_feed)
		doctor_good(doctor, "%s: it tells of each change at once", facts.kind);
	else
		doctor_note(
			doctor,
			"%s: it tells nobody of changes and is looked at every %lld s; "
			"a replica set, of one node too, tells of them",
			facts.kind, (long long)config->loop_delay_ms / 1000);
}

const struct doctor_check doctor_store = { "store", run };
