/* Where a single value stands: command line, environment, files, OpenPype's settings, environment again, default. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"

void config_found_done(struct config_found *found)
{
	free(found->text);
	free(found->origin);
	free(found->base);
}

static int found_set(struct config_found *ret, const char *text, const char *prefix,
		     const char *origin)
{
	ret->text = strdup(text);
	ret->origin = strf("%s%s", prefix, origin);
	return ret->text && ret->origin ? 0 : -ENOMEM;
}

static int find_variable(const struct config_setting *setting, const char *name,
			 struct config_found *ret)
{
	const char *text = name ? getenv(name) : NULL;

	if (ret->text || !text || !(text[0] || setting->can_be_empty))
		return 0;
	return found_set(ret, text, "$", name);
}

static int find_own_variable(const struct config_setting *setting,
			     struct config_found *ret)
{
	_cleanup_(freep) char *name = strf("SITEFS_%s", setting->name);

	if (!name)
		return -ENOMEM;
	for (char *p = name; *p; p++)
		*p = (char)(*p == '.' ? '_' : toupper((unsigned char)*p));
	return find_variable(setting, name, ret);
}

/* The member of that name, whether it is written "a.b": 1 or "a": {"b": 1}. */
static struct json_at find_member(struct json_at object, const char *name)
{
	struct json_at at = json_at_find(object, name);
	const char *dot = strchr(name, '.');
	char group[32];

	if (at.node || !dot || (size_t)(dot - name) >= sizeof(group))
		return at;
	snprintf(group, sizeof(group), "%.*s", (int)(dot - name), name);
	return json_at_find(json_at_find(object, group), dot + 1);
}

/* A list of texts as one, with commas. */
static int take_list(struct json_at list, char **ret, struct error *error)
{
	_cleanup_(buf_done) struct buf buf = { 0 };
	const char *text;

	for (struct json_at at = json_at_first(list); at.node; at = json_at_next(at)) {
		int r = json_at_text(at, &text, error);

		if (r < 0)
			return r;
		buf_addf(&buf, "%s%s", buf.len ? "," : "", text);
	}
	*ret = buf.len ? buf_take(&buf) : buf.has_failed ? NULL : strdup("");
	return *ret ? 0 : -ENOMEM;
}

static int take_member(const struct config_setting *setting,
		       const struct config_layer *layer, struct json_at at,
		       struct config_found *ret, struct error *error)
{
	const char *text;
	double number;
	int r;

	if (setting->range.type == CONFIG_NAMES && json_at_is_list(at)) {
		r = take_list(at, &ret->text, error);
	} else if (json_at_is_number(at)) {
		r = json_at_number(at, &number, error);
		ret->text = r < 0 ? NULL : strf("%.15g", number);
	} else {
		r = json_at_text(at, &text, error);
		if (r == 0 && !text[0] && !(setting->can_be_empty && layer->has_empty))
			return 0;
		ret->text = r < 0 ? NULL : strdup(text);
	}
	if (r < 0)
		return r;
	ret->is_document = json_at_is_document(at);
	ret->origin = strdup(json_at_where(at).text);
	ret->base = config_folder_of(json_file_name(at.file));
	return ret->text && ret->origin && ret->base ? 0 : -ENOMEM;
}

static int find_in_layer(const struct config_setting *setting,
			 const struct config_layer *layer, struct config_found *ret,
			 struct error *error)
{
	struct json_at at = find_member(layer->at, setting->name);

	if (ret->text)
		return 0;
	if (!at.node && setting->alias && !json_at_is_document(layer->at)) {
		at = json_at_find(layer->at, setting->alias);
		if (at.node)
			log_warning("%s: \"%s\" is called \"%s\" now: taken for it",
				    json_at_where(at).text, setting->alias,
				    setting->name);
	}
	if (!at.node || json_at_is_null(at))
		return 0;
	return take_member(setting, layer, at, ret, error);
}

int config_find(const struct config_setting *setting, const char *option,
		const struct config_layers *layers, struct config_found *ret,
		struct error *error)
{
	int r = 0;

	if (option && option[0])
		return found_set(ret, option, "--", setting->name);
	r = find_own_variable(setting, ret);
	if (r == 0)
		r = find_variable(setting, setting->override, ret);
	for (size_t i = 0; i < layers->n && r == 0; i++)
		r = find_in_layer(setting, &layers->items[i], ret, error);
	for (size_t i = 0; i < ARRAY_SIZE(setting->fallbacks) && r == 0; i++)
		r = find_variable(setting, setting->fallbacks[i], ret);
	if (r == 0 && !ret->text && setting->initial)
		return found_set(ret, setting->initial, "", "default");
	return r;
}
