/* The active site's folders: there, writable, known. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/kinship.h"
#include "sync/roots.h"
#include "tools/client.h"
#include "tools/doctor.h"
#include "tools/json.h"
#include "tools/mounts.h"

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

/* What a look at the folder tells, or whoever can see it. */
static void judge(struct doctor *doctor, const struct config_root *root,
		  const char *identity, bool is_writable)
{
	const char *name = root->name[0] ? root->name : "(unnamed)";

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

static const struct json *find_root(const struct json *status, const char *name)
{
	const struct json *part = json_first(json_get(status, "roots"));

	for (; part; part = json_next(part)) {
		const char *other = json_get_text(part, "name");

		if (other && strcmp(other, name) == 0)
			break;
	}
	return part;
}

/* A mount of ours lies over the root at PLACE: below it only its daemon can look. */
static void ask(struct doctor *doctor, const struct config_root *root, const char *place)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *status = NULL;
	const struct json *part = NULL;
	const char *lost;

	if (client_open_mount(doctor->cli, place, &client) == 0 &&
	    client_ask(&client, "status", NULL, NULL, &status) == 0)
		part = find_root(status, root->name);
	if (!part) {
		doctor_fault(
			doctor, EXIT_FAILED,
			"root '%s' lies below the mount at %s, whose daemon does not "
			"answer: mount again, or 'sitefs umount %s'",
			root->name, place, place);
		return;
	}
	lost = json_get_text(status, "lost_root");
	if (lost)
		doctor_fault(doctor, EXIT_FAILED, "%s", lost);
	else
		judge(doctor, root, json_get_text(part, "identity"),
		      json_get_bool(part, "writable"));
}

static void look_at(struct doctor *doctor, const struct config_root *root)
{
	_cleanup_(freep) char *identity = NULL, *place = NULL;
	bool is_writable;
	struct error error = { 0 };
	int r;

	/* up to it: a dead mount cannot be asked */
	if (client_absolute(root->path, false, &place) == 0 &&
	    mounts_find(place) == MOUNTS_OURS) {
		ask(doctor, root, place);
		return;
	}
	r = roots_examine(root, &identity, &is_writable, &error);
	if (r < 0)
		doctor_fault(doctor, EXIT_FAILED, "%s", error_text(&error, r));
	else
		judge(doctor, root, identity, is_writable);
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
