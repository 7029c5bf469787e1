/* The list of checks, and how findings are said. */
#include "tools/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "sync/base/buf.h"
#include "tools/json.h"
#include "tools/output.h"

const struct doctor_check *const doctor_checks[] = {
	&doctor_store, &doctor_index, &doctor_roots,  &doctor_lost,  &doctor_mount,
	&doctor_clock, &doctor_forms, &doctor_remote, &doctor_twins, NULL,
};

/* ---- findings ---- */

static _printf_(3, 0) void say(struct doctor *doctor, const char *what, const char *fmt,
			       va_list ap)
{
	_cleanup_(buf_done) struct buf text = { 0 }, safe = { 0 };
	struct json *json;

	buf_addv(&text, fmt, ap);
	if (doctor->cli->is_json) {
		json = json_object();
		json_set_text(json, "check", doctor->check);
		json_set_text(json, "finding", what);
		json_set_text(json, "text", buf_str(&text));
		json_append(doctor->found, json);
		return;
	}
	if (doctor->cli->is_quiet && strcmp(what, "fault") != 0)
		return;
	output_name(&safe, buf_str(&text));
	printf("%-8s %-7s %s\n", doctor->check, what, buf_str(&safe));
}

void doctor_good(struct doctor *doctor, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(doctor, "good", fmt, ap);
	va_end(ap);
}

void doctor_note(struct doctor *doctor, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(doctor, "note", fmt, ap);
	va_end(ap);
}

void doctor_fault(struct doctor *doctor, enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	if (doctor->n_faults++ == 0)
		doctor->code = code;
	va_start(ap, fmt);
	say(doctor, "fault", fmt, ap);
	va_end(ap);
}

void doctor_fixed(struct doctor *doctor, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(doctor, "fixed", fmt, ap);
	va_end(ap);
}

bool doctor_offer(struct doctor *doctor, const char *fmt, ...)
{
	va_list ap;

	if (doctor->wants_fix && !doctor->is_dry)
		return true;
	doctor->n_offers++;
	va_start(ap, fmt);
	say(doctor, doctor->wants_fix ? "would" : "--fix", fmt, ap);
	va_end(ap);
	return false;
}

/* ---- the run ---- */

static int end(struct doctor *doctor, struct json *json)
{
	if (doctor->cli->is_json) {
		json_set_int(json, "faults", doctor->n_faults);
		json_set_int(json, "offers", doctor->n_offers);
		json_set_bool(json, "dry_run", doctor->is_dry);
		json_set(json, "findings", doctor->found);
		doctor->found = NULL;
		if (json_print(json) < 0)
			return cli_fail(doctor->cli, EXIT_FAILED, "out of memory");
	}
	return doctor->n_faults ? (int)doctor->code : EXIT_DONE;
}

int doctor_run(struct doctor *doctor)
{
	_cleanup_(json_freep) struct json *json = json_document();
	int code;

	doctor->found = json_array();
	for (size_t i = 0; doctor_checks[i]; i++) {
		doctor->check = doctor_checks[i]->name;
		doctor_checks[i]->run(doctor);
		fflush(stdout);
	}
	code = end(doctor, json);
	json_free(doctor->found);
	doctor->found = NULL;
	return code;
}
