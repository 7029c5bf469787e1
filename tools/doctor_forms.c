/* Old forms of `sites` in documents: read as they are, and turned into the list form by --fix. */
#include <errno.h>
#include <string.h>

#include "sync/doc.h"
#include "tools/doctor.h"
#include "tools/output.h"

/* What has an old form; ids of PROJECT in a row, each with its NUL. */
struct found {
	struct buf projects, ids;
	int64_t n_repres, n_files, n_broken;
	char first_broken[160];
};

static int collect(void *context, const char *project, const void *bson, size_t len)
{
	struct found *found = context;
	_cleanup_(doc_freep) struct doc *doc = NULL;
	struct error error = { 0 };
	int64_t n_files = 0;
	int r = doc_parse(bson, len, project, &doc, &error);

	if (r == -EBADMSG) {
		if (found->n_broken++ == 0)
			str_cut(found->first_broken, sizeof(found->first_broken),
				error_text(&error, r));
		return 0;
	}
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < doc->n_files; i++)
		n_files += doc->files[i].form == DOC_FORM_STRINGS ||
			   doc->files[i].form == DOC_FORM_OBJECT;
	if (!n_files)
		return 0;
	found->n_files += n_files;
	found->n_repres++;
	buf_add(&found->projects, project, strlen(project) + 1);
	return buf_add(&found->ids, doc->id, strlen(doc->id) + 1);
}

static int convert(struct doctor *doctor, const struct found *found, int64_t *ret_n)
{
	size_t at = 0, at_id = 0;

	*ret_n = 0;
	while (at < found->projects.len) {
		const char *project = found->projects.data + at;
		const char *id = found->ids.data + at_id;
		struct site_edited edited = { 0 };
		int r;

		r = doctor->store->ops->edit(doctor->store,
					     &(struct site_edit){ .op = SITE_LIST_FORM,
								  .project = project,
								  .repre = id },
					     1, &edited);
		if (r < 0)
			return r;
		*ret_n += (int64_t)edited.n_changed;
		at += strlen(project) + 1;
		at_id += strlen(id) + 1;
	}
	return 0;
}

static void put_right(struct doctor *doctor, const struct found *found)
{
	char files[OUTPUT_SIZE], repres[OUTPUT_SIZE];
	int64_t n;
	int r;

	output_count(found->n_files, "file", files);
	output_count(found->n_repres, "representation", repres);
	if (!doctor_offer(
		    doctor,
		    "turns the old form of `sites` in %s of %s into a list, as Pype "
		    "reads it",
		    files, repres))
		return;
	r = convert(doctor, found, &n);
	if (r < 0)
		doctor_fault(
			doctor, EXIT_NO_STORE,
			"cannot convert `sites`: %s: try again when the store is well",
			error_text(NULL, r));
	else
		doctor_fixed(doctor, "`sites` is a list now in %s more",
			     output_count(n, "file", files));
}

static void run(struct doctor *doctor)
{
	struct found found = { 0 };
	int r;

	if (!doctor->store)
		return;
	r = doctor->store->ops->scan(doctor->store, NULL, false, collect, &found);
	if (r < 0)
		doctor_fault(doctor, EXIT_NO_STORE, "cannot read the documents: %s",
			     error_text(NULL, r));
	else if (found.n_broken)
		doctor_note(doctor, "%lld documents are passed over; the first: %s",
			    (long long)found.n_broken, found.first_broken);
	if (r == 0 && !found.n_files)
		doctor_good(doctor, "`sites` of every file is a list");
	else if (r == 0)
		put_right(doctor, &found);
	buf_done(&found.projects);
	buf_done(&found.ids);
}

const struct doctor_check doctor_forms = { "forms", run };
