/* Whether the site's daemons on this machine hold something for lost: a root, or a project that was dropped or emptied. */
#include <string.h>

#include "tools/client.h"
#include "tools/doctor.h"
#include "tools/json.h"

static bool ask(struct doctor *doctor, const struct daemon_facts *facts)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	const char *lost;

	if (runtime_is_stopped(facts)) {
		doctor_fault(
			doctor, EXIT_FAILED,
			"the daemon of %s (pid %d) is stopped and answers nobody: kill "
			"-CONT %d lets it go on",
			facts->state_dir, (int)facts->pid, (int)facts->pid);
		return true;
	}
	if (client_open_state(doctor->cli, facts->state_dir, &client) != 0 ||
	    client_ask(&client, "status", NULL, NULL, &json) != 0)
		return false;
	lost = json_get_text(json, "lost_root");
	if (lost)
		doctor_fault(doctor, EXIT_FAILED, "%s", lost);
	else
		doctor_good(doctor, "the daemon of %s misses no root and no project",
			    facts->state_dir);
	return true;
}

static void run(struct doctor *doctor)
{
	struct daemon_facts *list = NULL;
	size_t n = 0;
	bool has_any = false;

	if (client_list(&list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].active_site, doctor->config->active_site) == 0)
			has_any |= ask(doctor, &list[i]);
	daemon_list_free(list, n);
	if (!has_any)
		doctor_note(doctor, "no daemon of this site runs here: it would tell "
				    "whether a root or a project is lost");
}

const struct doctor_check doctor_lost = { "lost", run };
