/* The `sites` of a document's file. */
#include "sync/doc_site.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "sync/bson_id.h"

static void site_done(struct doc_site *site)
{
	free(site->name);
	free(site->id);
	free(site->error);
}

void doc_sites_done(struct doc_file *file)
{
	for (size_t i = 0; i < file->n_sites; i++)
		site_done(&file->sites[i]);
	free(file->sites);
	file->sites = NULL;
	file->n_sites = 0;
}

/* Adds an empty entry for NAME; *ret is NULL where it has one already. */
static int add_site(struct doc_file *file, const char *name, struct doc_site **ret)
{
	struct doc_site *grown, *site;

	*ret = NULL;
	if (doc_find_site(file, name))
		return 0;
	if (file->n_sites == DOC_SITES_MAX)
		return -E2BIG;
	grown = reallocarray(file->sites, file->n_sites + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	file->sites = grown;
	site = &grown[file->n_sites];
	*site = (struct doc_site){
		.name = strdup(name),
		.presence = DOC_WANTED,
		.priority = DOC_PRIORITY_NONE,
		.progress = -1,
	};
	if (!site->name)
		return -ENOMEM;
	file->n_sites++;
	*ret = site;
	return 0;
}

static int clamp_int(int64_t value, int min)
{
	return value < min ? min : value > INT_MAX ? INT_MAX : (int)value;
}

static int set_text(char **field, const bson_iter_t *value)
{
	const char *text = bson_get_text(value);

	if (*field || !text)
		return 0;
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

static void set_created(struct doc_site *site, const bson_iter_t *value)
{
	/* Hand-made entries say null for "not there", as the old code reads it. */
	if (site->presence == DOC_PRESENT || BSON_ITER_HOLDS_NULL(value))
		return;
	site->presence = DOC_PRESENT;
	bson_get_date_ms(value, &site->created_ms);
}

/* One key of an entry. Keys that we do not know are left alone. */
static int set_field(struct doc_site *site, const char *key, const bson_iter_t *value)
{
	int64_t number;
	double real;

	if (strcmp(key, "created_dt") == 0)
		set_created(site, value);
	else if (strcmp(key, "id") == 0)
		return set_text(&site->id, value);
	else if (strcmp(key, "error") == 0)
		return set_text(&site->error, value);
	else if (strcmp(key, "last_failed_dt") == 0)
		bson_get_date_ms(value, &site->failed_ms);
	else if (strcmp(key, "paused") == 0)
		site->is_paused = true;
	else if (strcmp(key, "tries") == 0 && bson_get_int64(value, &number))
		site->tries = clamp_int(number, 0);
	else if (strcmp(key, "priority") == 0 && bson_get_int64(value, &number))
		site->priority = clamp_int(number, INT_MIN);
	else if (strcmp(key, "progress") == 0 && bson_get_double(value, &real))
		site->progress = real >= 0 && real <= 1 ? real : -1;
	return 0;
}

static int set_fields(struct doc_site *site, const bson_iter_t *entry)
{
	bson_iter_t field;

	if (!bson_iter_recurse(entry, &field))
		return -EBADMSG;
	while (bson_iter_next(&field)) {
		int r = set_field(site, bson_iter_key(&field), &field);

		if (r < 0)
			return r;
	}
	return field.err_off ? -EBADMSG : 0;
}

/* The name in a list's entry, borrowed; NULL where it has none. */
static const char *entry_name(const bson_iter_t *entry)
{
	const char *name = NULL;
	bson_iter_t field;

	if (!bson_iter_recurse(entry, &field) || !bson_iter_find(&field, "name"))
		return NULL;
	name = bson_get_text(&field);
	return name && name[0] ? name : NULL;
}

static int parse_list_entry(struct doc_file *file, const bson_iter_t *entry)
{
	bool is_string = BSON_ITER_HOLDS_UTF8(entry);
	const char *name = NULL;
	struct doc_site *site;
	int r;

	if (is_string)
		name = bson_get_text(entry);
	else if (BSON_ITER_HOLDS_DOCUMENT(entry))
		name = entry_name(entry);
	if (is_string)
		file->form = DOC_FORM_STRINGS;
	if (!name || !name[0])
		return 0;
	r = add_site(file, name, &site);
	if (r < 0 || !site)
		return r;
	if (!is_string)
		return set_fields(site, entry);
	site->presence = DOC_PRESENT;
	return 0;
}

static int parse_object_entry(struct doc_file *file, const bson_iter_t *entry)
{
	const char *name = bson_iter_key(entry);
	bool is_object = BSON_ITER_HOLDS_DOCUMENT(entry);
	struct doc_site *site;
	int r;

	if (!name[0] || !(is_object || BSON_ITER_HOLDS_NULL(entry)))
		return 0;
	if (!bson_utf8_validate(name, strlen(name), false))
		return 0;
	r = add_site(file, name, &site);
	return r < 0 || !site || !is_object ? r : set_fields(site, entry);
}

static int parse_entries(const bson_iter_t *value, struct doc_file *file)
{
	bson_iter_t entry;

	if (!bson_iter_recurse(value, &entry))
		return -EBADMSG;
	while (bson_iter_next(&entry)) {
		int r = file->form == DOC_FORM_OBJECT ? parse_object_entry(file, &entry)
						      : parse_list_entry(file, &entry);

		if (r < 0)
			return r;
	}
	return entry.err_off ? -EBADMSG : 0;
}

int doc_sites_parse(const bson_iter_t *value, struct doc_file *file,
		    const char **ret_refused)
{
	int r;

	file->form = DOC_FORM_MISSING;
	if (value && BSON_ITER_HOLDS_ARRAY(value))
		file->form = DOC_FORM_LIST;
	else if (value && BSON_ITER_HOLDS_DOCUMENT(value))
		file->form = DOC_FORM_OBJECT;
	else
		return 0;
	r = parse_entries(value, file);
	if (r == 0 || r == -ENOMEM)
		return r;
	*ret_refused = r == -E2BIG ? "lists more than 512 sites" : "is damaged";
	return -EINVAL;
}
