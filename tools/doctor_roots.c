/* The active site's folders: there, writable, known. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/kinship.h"
#include "sync/roots.h"
#include "tools/doctor.h"

/* The site's other hosts have the same root? */
static void compare(struct doctor *doctor, const struct config_root *root,
		    const char *identity)
{
	struct kinship kinship = { .site = doctor->config->active_site,
				   .root = root->name,
				   .path = root->path,
				   .identity = identity };
	struct error error = { 0 };
	int r = doctor->store
			? kinship_check(doctor->store, &kinship, false, true, &error)
			: 0;

	if (r == -EXDEV)
		doctor_fault(doctor, EXIT_USAGE, "%s", error.text);
	else
		doctor_good(doctor, "root '%s' at %s: identity %s",
			    root->name[0] ? root->name : "(unnamed)", root->path,
			    identity);
}

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
		compare(doctor, root, identity);
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
