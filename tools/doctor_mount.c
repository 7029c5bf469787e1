/* Whether this user can mount here, and how local files are read then: by the kernel itself, or through the daemon; and
 * how it is with the mounts that are there. */
#include <errno.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fs/mount.h"
#include "tools/client.h"
#include "tools/doctor.h"
#include "tools/json.h"

#define OVERLAY 0x794c7630 /* f_type, linux/magic.h */

static bool is_stacked(const struct config_site *site, const char **ret)
{
	for (size_t i = 0; site && i < site->n_roots; i++) {
		struct statfs fs;

		*ret = site->roots[i].path;
		if (statfs(*ret, &fs) == 0 && fs.f_type == OVERLAY)
			return true;
	}
	return false;
}

/* One that runs knows best. */
static bool ask(struct doctor *doctor, const struct daemon_facts *facts)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	const struct json *part;
	const char *reason;

	if (client_open_mount(doctor->cli, facts->mountpoint, &client) != 0 ||
	    client_ask(&client, "status", NULL, NULL, &json) != 0)
		return false;
	part = json_get(json, "passthrough");
	reason = part ? json_get_text(part, "reason") : NULL;
	if (part && json_get_bool(part, "active") && !reason)
		doctor_good(doctor, "%s: local files are read by the kernel itself",
			    facts->mountpoint);
	else
		doctor_note(doctor, "%s: local files go through the daemon: %s",
			    facts->mountpoint, reason ? reason : "it does not say why");
	return true;
}

static bool ask_all(struct doctor *doctor)
{
	struct daemon_facts *list = NULL;
	size_t n = 0;
	bool has_any = false;

	if (client_list(&list, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (list[i].mountpoint &&
		    strcmp(list[i].active_site, doctor->config->active_site) == 0)
			has_any |= ask(doctor, &list[i]);
	daemon_list_free(list, n);
	return has_any;
}

static void run(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const char *path;
	char reason[256];

	if (access("/dev/fuse", R_OK | W_OK) < 0) {
		doctor_note(doctor,
			    "nothing can be mounted, as /dev/fuse cannot be used: %s; "
			    "modprobe fuse, or give the container that device",
			    strerror(errno));
		return;
	}
	if (ask_all(doctor))
		return;
	if (!mount_could_passthrough(reason, sizeof(reason)))
		doctor_note(doctor,
			    "a mount of this user reads local files through the daemon: "
			    "%s; the unit sitefs@.service starts it with what is needed",
			    reason);
	else if (is_stacked(config_find_site(config, config->active_site), &path))
		doctor_note(doctor,
			    "local files are read through the daemon, as %s lies on a "
			    "stacked file system (overlay)",
			    path);
	else
		doctor_good(doctor, "local files would be read by the kernel itself");
}

const struct doctor_check doctor_mount = { "mount", run };
