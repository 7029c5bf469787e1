/* This machine's clock beside the store's. Nothing of ours compares clocks of hosts, but people compare the dates that
 * are written, and logins to a remote fail where they are wrong. */
#include "sync/base/clock.h"
#include "tools/doctor.h"
#include "tools/output.h"

#define TOLERATED_MS 5000
#define WRONG_MS 60000 /* Drive refuses logins that are off by some minutes */

static void run(struct doctor *doctor)
{
	_cleanup_(store_facts_done) struct store_facts facts = { 0 };
	char by[OUTPUT_SIZE];
	int64_t before, after, skew;

	if (!doctor->store)
		return;
	before = clock_wall_ms();
	if (doctor->store->ops->facts(doctor->store, &facts) != 0 || !facts.clock_ms)
		return;
	after = clock_wall_ms();
	/* the answer was made somewhere between the two */
	skew = facts.clock_ms < before  ? before - facts.clock_ms
	       : facts.clock_ms > after ? facts.clock_ms - after
					: 0;
	output_duration(skew, by);
	if (skew <= TOLERATED_MS)
		doctor_good(doctor, "this machine and the store agree");
	else if (skew <= WRONG_MS)
		doctor_note(doctor, "this machine's clock is %s %s the store's", by,
			    facts.clock_ms > after ? "behind" : "ahead of");
	else
		doctor_fault(
			doctor, EXIT_FAILED,
			"this machine's clock is %s %s the store's: set it (timedatectl "
			"set-ntp true); dates in records and logins to a remote go by it",
			by, facts.clock_ms > after ? "behind" : "ahead of");
}

const struct doctor_check doctor_clock = { "clock", run };
