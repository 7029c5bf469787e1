/* The remote site: reachable, let in, with its roots. Opens it for the checks behind it. */
#include "providers/registry.h"
#include "tools/doctor.h"

static enum cli_exit exit_of(int r)
{
	if (r == PROVIDER_UNAUTHORIZED || r == PROVIDER_DENIED)
		return EXIT_CREDENTIALS;
	return r == PROVIDER_FULL ? EXIT_QUOTA : EXIT_FAILED;
}

static void run(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct config_site *site = config_find_site(config, config->remote_site);
	struct provider_call call = { 0 };
	struct error error = { 0 };
	int r;

	if (!config->remote_site[0]) {
		doctor_note(doctor, "no remote site is named: nothing is synced");
		return;
	}
	if (!site) {
		doctor_fault(doctor, EXIT_USAGE,
			     "no preset describes the remote site '%s'",
			     config->remote_site);
		return;
	}
	r = provider_open(site, &doctor->provider, &error);
	if (r < 0) {
		doctor_fault(doctor, EXIT_USAGE, "%s", error_text(&error, r));
		return;
	}
	r = doctor->provider->ops->probe(doctor->provider, false, &call);
	if (r == 0) {
		doctor_good(doctor, "site '%s' (%s) answers, with all its roots",
			    site->name, site->provider);
		return;
	}
	doctor_fault(doctor, exit_of(r), "site '%s': %s", site->name,
		     error_text(&call.error, r));
	provider_free(doctor->provider);
	doctor->provider = NULL;
}

const struct doctor_check doctor_remote = { "remote", run };
