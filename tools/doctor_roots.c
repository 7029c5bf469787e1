/* The active site's folders: there, writable, known. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/roots.h"
#include "tools/doctor.h"

static void look_at(struct doctor *doctor, const struct config_root *root)
{
	_cleanup_(freep) char *identity = NULL;
	const char *name = root->name[0] ? root->name : "(unnamed)";
	bool is_writable;
	struct error error = { 0 };
	int r = roots_examine(root, &identity, &is_writable, &error);

	if (r < 0) {
		doctor_fault(doctor, EXIT_FAILED, "%s", error_text(&error, r));
		return;
	}
	if (!is_writable)
		doctor_note(
			doctor,
			"root '%s' at %s cannot be written by this user: what is read "
			"is kept in the state folder only",
			name, root->path);
	else if (!identity)
		doctor_good(
			doctor,
			"root '%s' at %s: not used yet, gets its identity at the first "
			"mount",
			name, root->path);
	else
		doctor_good(doctor, "root '%s' at %s: identity %s", name, root->path,
			    identity);
}

static void run(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct config_site *site = config_find_site(config, config->active_site);

	if (!site || !site->n_roots) {
		doctor_fault(doctor, EXIT_USAGE,
			     "the active site '%s' has no root folder on this machine: "
			     "name one in local_drive.json",
			     config->active_site);
		return;
	}
	for (size_t i = 0; i < site->n_roots; i++)
		look_at(doctor, &site->roots[i]);
}

const struct doctor_check doctor_roots = { "roots", run };
