/* One site of a preset: roots, credentials and the rest, in every form that presets have had. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/config_private.h"

static void root_done(struct config_root *root)
{
	free(root->origin);
	free(root->name);
	free(root->path);
}

static void drop_roots(struct config_site *site)
{
	for (size_t i = 0; i < site->n_roots; i++)
		root_done(&site->roots[i]);
	free(site->roots);
	site->roots = NULL;
	site->n_roots = 0;
}

static void drop_credentials(struct config_site *site)
{
	for (size_t i = 0; i < site->n_credentials; i++)
		free(site->credentials[i]);
	free(site->credentials);
	site->credentials = NULL;
	site->n_credentials = 0;
}

void config_site_done(struct config_site *site)
{
	drop_roots(site);
	drop_credentials(site);
	free(site->name);
	free(site->provider);
	free(site->endpoint);
	free(site->subject);
	config_names_done(&site->alternatives);
	*site = (struct config_site){ 0 };
}

static int replace_text(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* ---- values that differ by platform ---- */

static bool is_platform(const char *key)
{
	return strcmp(key, "windows") == 0 || strcmp(key, "linux") == 0 ||
	       strcmp(key, "darwin") == 0;
}

static bool is_platform_map(struct json_at at)
{
	struct json_at member = json_at_first(at);

	if (!json_at_is_object(at) || !member.node)
		return false;
	for (; member.node; member = json_at_next(member))
		if (!is_platform(json_at_key(member)))
			return false;
	return true;
}

/* The value itself, or that for Linux of a map by platform. */
static int pick_platform(struct json_at at, struct json_at *ret, struct error *error)
{
	struct json_at found = at;

	if (is_platform_map(at))
		found = json_at_find(at, "linux");
	if (!found.node)
		return json_at_error(at, error, "there is none for \"linux\": add it");
	*ret = found;
	return 0;
}

static bool is_empty(struct json_at at)
{
	const char *text;

	return json_at_is_null(at) ||
	       (json_at_is_text(at) && json_at_text(at, &text, NULL) == 0 && !text[0]);
}

/* ---- roots ---- */

static int expand_at(struct json_at at, char **ret, struct error *error)
{
	struct error why = { 0 };
	const char *text;
	int r;

	r = json_at_text(at, &text, error);
	if (r < 0)
		return r;
	r = config_expand(text, ret, &why);
	return r < 0 && r != -ENOMEM ? json_at_error(at, error, "%s", error_text(&why, r))
				     : r;
}

static int read_path(const struct config_site *site, struct json_at at, char **ret,
		     struct error *error)
{
	bool is_local = strcmp(site->provider, CONFIG_LOCAL_DRIVE) == 0;
	_cleanup_(freep) char *text = NULL, *path = NULL;
	const char *why;
	int r;

	r = expand_at(at, &text, error);
	if (r < 0)
		return r;
	if (text[0] != '/' && is_local)
		return json_at_error(
			at, error, "\"%s\" is no full path: it begins with \"/\"", text);
	if (text[0] != '/')
		return json_at_error(
			at, error,
			"\"%s\" begins neither with \"/My Drive\" nor with the name of a "
			"shared drive (\"/DRIVE/...\")",
			text);
	r = config_absolute(text, NULL, &path);
	if (r < 0)
		return r;
	why = path_refusal(path + 1);
	if (why)
		return json_at_error(at, error, "\"%s\" %s", text,
				     path[1] ? why : "is no folder of a site");
	*ret = steal(path);
	return 0;
}

/* Takes what ROOT owns, whatever it returns. */
static int add_root(struct config_site *site, struct config_root root)
{
	struct config_root *grown;

	if (!root.name || !root.origin) {
		root_done(&root);
		return -ENOMEM;
	}
	for (size_t i = 0; i < site->n_roots; i++) {
		if (strcmp(site->roots[i].name, root.name) != 0)
			continue;
		root_done(&site->roots[i]);
		site->roots[i] = root;
		return 0;
	}
	grown = reallocarray(site->roots, site->n_roots + 1, sizeof(*grown));
	if (!grown) {
		root_done(&root);
		return -ENOMEM;
	}
	site->roots = grown;
	grown[site->n_roots++] = root;
	return 0;
}

static int read_root(struct config_site *site, struct json_at at, const char *name,
		     struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	int r = read_path(site, at, &path, error);

	if (r < 0)
		return r;
	return add_root(site,
			(struct config_root){ .name = strdup(name),
					      .path = steal(path),
					      .origin = strdup(json_at_where(at).text),
					      .is_document = json_at_is_document(at) });
}

/* The name of a root from its key and those above it: "a", "a.b". */
static int root_name(struct json_at at, const char *above, char **ret,
		     struct error *error)
{
	_cleanup_(freep) char *key = config_strip(json_at_key(at));
	_cleanup_(freep) char *name = NULL;

	if (key)
		name = above[0] ? strf("%s.%s", above, key) : strdup(key);
	if (!name)
		return -ENOMEM;
	/* It becomes the name of a folder where a site has several. */
	if (!key[0] || strchr(name, '/') || path_refusal(name))
		return json_at_error(at, error, "\"%s\" cannot be the name of a root",
				     name);
	*ret = steal(name);
	return 0;
}

/* OpenPype has its own remarks among the keys. */
static bool is_remark(struct json_at at)
{
	return json_at_is_document(at) && strncmp(json_at_key(at), "__", 2) == 0;
}

/* OpenPype keeps an empty path for platforms that a studio does not have. */
static bool is_left_out(struct json_at at)
{
	struct json_at value = is_platform_map(at) ? json_at_find(at, "linux") : at;

	if (!json_at_is_document(at) || (value.node && !is_empty(value)))
		return false;
	log_warning("%s: root \"%s\" has no path for \"linux\": it is left out",
		    json_at_where(at).text, json_at_key(at));
	return true;
}

static int read_roots(struct config_site *site, struct json_at map, const char *above,
		      struct error *error)
{
	for (struct json_at at = json_at_first(map); at.node; at = json_at_next(at)) {
		_cleanup_(freep) char *name = NULL;
		struct json_at value = { 0 };
		int r;

		if (is_remark(at) || is_left_out(at))
			continue;
		r = root_name(at, above, &name, error);
		if (r == 0)
			r = pick_platform(at, &value, error);
		if (r == 0 && json_at_is_object(value))
			r = read_roots(site, value, name, error);
		else if (r == 0)
			r = read_root(site, value, name, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Maps of two files are laid over each other; a single folder replaces what was there, and a file what OpenPype's
 * settings say: else a root of theirs would come to those that a person has named. */
int config_site_set_roots(struct config_site *site, struct json_at at,
			  struct error *error)
{
	struct json_at value = { 0 };
	int r;

	if (is_platform_map(at) && is_left_out(at))
		return 0;
	r = pick_platform(at, &value, error);
	if (r < 0 || is_empty(value))
		return r;
	if (json_at_is_object(value)) {
		if (site->n_roots == 1 && !site->roots[0].name[0])
			drop_roots(site);
		if (site->n_roots && site->roots[0].is_document &&
		    !json_at_is_document(at))
			drop_roots(site);
		return read_roots(site, value, "", error);
	}
	drop_roots(site);
	return read_root(site, value, "", error);
}

static bool has_root(const struct config_site *site, const char *name)
{
	for (size_t i = 0; i < site->n_roots; i++)
		if (strcmp(site->roots[i].name, name) == 0)
			return true;
	return false;
}

int config_site_override_roots(struct config_site *site, struct json_at map,
			       struct error *error)
{
	bool has_any = site->n_roots > 0;
	int r = 0;

	if (!json_at_is_object(map))
		return json_at_error(map, error, "folders by root are expected");
	for (struct json_at at = json_at_first(map); at.node && r == 0;
	     at = json_at_next(at)) {
		struct json_at value = { 0 };

		if (is_remark(at) || is_empty(at) ||
		    (has_any && !has_root(site, json_at_key(at))))
			continue;
		r = pick_platform(at, &value, error);
		if (r == 0)
			r = read_root(site, value, json_at_key(at), error);
	}
	return r;
}

/* ---- the other keys ---- */

static int add_credential(struct config_site *site, struct json_at at,
			  struct error *error)
{
	_cleanup_(freep) char *text = NULL, *folder = NULL, *path = NULL;
	char **grown;
	int r;

	if (is_empty(at))
		return 0;
	r = expand_at(at, &text, error);
	if (r < 0)
		return r;
	if (json_at_is_document(at) && text[0] != '/')
		return json_at_error(
			at, error, "\"%s\" is no full path: it begins with \"/\"", text);
	folder = config_folder_of(json_file_name(at.file));
	r = folder ? config_absolute(text, folder, &path) : -ENOMEM;
	if (r < 0)
		return r;
	grown = reallocarray(site->credentials, site->n_credentials + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[site->n_credentials++] = steal(path);
	site->credentials = grown;
	return 0;
}

int config_site_set_credentials(struct config_site *site, struct json_at at,
				struct error *error)
{
	struct json_at value = { 0 };
	int r;

	r = pick_platform(at, &value, error);
	if (r < 0)
		return r;
	drop_credentials(site);
	if (!json_at_is_list(value))
		return add_credential(site, value, error);
	for (at = json_at_first(value); at.node && r == 0; at = json_at_next(at))
		r = add_credential(site, at, error);
	return r;
}

int config_site_set_alternatives(struct config_site *site, struct json_at at,
				 struct error *error)
{
	const char *text;
	int r = 0;

	config_names_done(&site->alternatives);
	if (!json_at_is_list(at))
		return json_at_error(at, error,
				     "a list of sites is expected, like [\"studio\"]");
	for (at = json_at_first(at); at.node && r == 0; at = json_at_next(at)) {
		_cleanup_(freep) char *name = NULL;

		r = json_at_text(at, &text, error);
		if (r < 0)
			return r;
		name = config_strip(text);
		if (!name)
			return -ENOMEM;
		if (name[0])
			r = config_names_add(&site->alternatives, name);
	}
	return r;
}

static int set_text(char **field, struct json_at at, struct error *error)
{
	const char *text;
	int r;

	if (is_empty(at))
		return 0;
	r = json_at_text(at, &text, error);
	return r < 0 ? r : replace_text(field, text);
}

static int check_provider(const struct config_site *site, struct json_at at,
			  struct error *error)
{
	const char *text;
	int r = json_at_text(at, &text, error);

	if (r < 0 || strcmp(text, site->provider) == 0)
		return r;
	return json_at_error(at, error, "a site of provider \"%s\" stands in %s.json",
			     text, text);
}

static int set_enabled(struct config_site *site, struct json_at at, struct error *error)
{
	bool is_enabled;
	int r = json_at_bool(at, &is_enabled, error);

	if (r == 0)
		site->is_disabled = !is_enabled;
	return r;
}

static int set_key(struct config_site *site, struct json_at at, struct error *error)
{
	const char *key = json_at_key(at);

	if (strcmp(key, "root") == 0)
		return config_site_set_roots(site, at, error);
	if (strcmp(key, "credentials_url") == 0)
		return config_site_set_credentials(site, at, error);
	if (strcmp(key, "endpoint") == 0)
		return set_text(&site->endpoint, at, error);
	if (strcmp(key, "subject") == 0)
		return set_text(&site->subject, at, error);
	if (strcmp(key, "alternative_sites") == 0) /* read before */
		return 0;
	if (strcmp(key, "provider") == 0)
		return check_provider(site, at, error);
	if (strcmp(key, "enabled") == 0)
		return set_enabled(site, at, error);
	if (json_at_is_document(at)) /* of other programs */
		return 0;
	log_warning("%s: unknown key \"%s\" of site \"%s\": it changes nothing",
		    json_at_where(at).text, key, site->name);
	return 0;
}

int config_site_read(struct config_site *site, struct json_at object, struct error *error)
{
	int r = 0;

	for (struct json_at at = json_at_first(object); at.node && r == 0;
	     at = json_at_next(at))
		r = set_key(site, at, error);
	return r;
}
