/* The MongoDB store: the connection, what its failures mean, and what its files share. */
#include "sync/store_mongo.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "sync/base/digest.h"
#include "sync/base/log.h"
#include "sync/bson_id.h"

/* So long a call may take. A machine that is away is noticed by these, a busy one is not given up. */
#define SELECT_MS 3000
#define CONNECT_MS 3000
#define SOCKET_MS 30000
#define ACKNOWLEDGE_MS 10000
#define OWNER_KEPT_S (30 * 86400)
#define TOUCHED_KEPT_S (2 * 86400)

/* Codes of the server (src/mongo/base/error_codes.yml). */
enum {
	CODE_BAD_VALUE = 2,
	CODE_UNAUTHORIZED = 13,
	CODE_AUTHENTICATION_FAILED = 18,
	CODE_MAX_TIME_EXPIRED = 50,
	CODE_WRITE_CONCERN_FAILED = 64,
	CODE_OBJECT_TOO_LARGE = 10334,
	CODE_DUPLICATE_KEY = 11000,
	CODE_UPDATE_TOO_LARGE = 17419,
	CODE_UPDATE_TOO_LARGE_2 = 17420,
};

/* ---- failures ---- */

static int errno_of_code(uint32_t code)
{
	switch (code) {
	case CODE_BAD_VALUE: /* of a query of ours: the index that it wants is not there */
		return -EOPNOTSUPP;
	case CODE_UNAUTHORIZED:
	case CODE_AUTHENTICATION_FAILED:
		return -EACCES;
	case CODE_MAX_TIME_EXPIRED:
	case CODE_WRITE_CONCERN_FAILED:
		return -ETIMEDOUT;
	case CODE_OBJECT_TOO_LARGE:
	case CODE_UPDATE_TOO_LARGE:
	case CODE_UPDATE_TOO_LARGE_2:
		return -EFBIG;
	case CODE_DUPLICATE_KEY:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int store_mongo_errno(const bson_error_t *error, const char *what)
{
	log_debug("mongodb: %s: %s (%u/%u)", what, error->message, error->domain,
		  error->code);
	switch (error->domain) {
	case MONGOC_ERROR_SERVER:
	case MONGOC_ERROR_WRITE_CONCERN:
	case MONGOC_ERROR_QUERY:
		return errno_of_code(error->code);
	case MONGOC_ERROR_CLIENT:
		return error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? -EACCES : -EIO;
	case MONGOC_ERROR_SERVER_SELECTION:
	case MONGOC_ERROR_STREAM:
		return strstr(error->message, "timeout") ? -ETIMEDOUT : -EHOSTUNREACH;
	case MONGOC_ERROR_BSON:
		return -EFBIG;
	default:
		return -EIO;
	}
}

/* ---- shared ---- */

mongoc_collection_t *store_mongo_project(struct store_mongo *s, const char *project)
{
	return mongoc_client_get_collection(s->client, s->database, project);
}

mongoc_collection_t *store_mongo_own(struct store_mongo *s, const char *name)
{
	return mongoc_client_get_collection(s->client, s->own, name);
}

void store_mongo_borrow(const struct buf *buf, bson_t *ret)
{
	static const uint8_t empty[] = { 5, 0, 0, 0, 0 };
	bool is_document;

	if (buf->data)
		is_document = bson_init_static(ret, (const uint8_t *)buf->data, buf->len);
	else
		is_document = bson_init_static(ret, empty, sizeof(empty));
	if (!is_document)
		bson_init_static(ret, empty, sizeof(empty));
}

int store_mongo_each(mongoc_collection_t *collection, const bson_t *filter,
		     const bson_t *opts, int (*fn)(void *context, const bson_t *doc),
		     void *context)
{
	_cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(collection, filter, opts, NULL);
	bson_error_t error;
	const bson_t *doc;
	int r = 0;

	while (r == 0 && mongoc_cursor_next(cursor, &doc))
		r = fn(context, doc);
	if (r == 0 && mongoc_cursor_error(cursor, &error))
		r = store_mongo_errno(&error, "find");
	return r;
}

static int copy_first(void *context, const bson_t *doc)
{
	struct buf *ret = context;
	int r;

	buf_clear(ret);
	r = buf_add(ret, bson_get_data(doc), doc->len);
	return r < 0 ? r : 1;
}

int store_mongo_first(mongoc_collection_t *collection, const bson_t *filter,
		      const bson_t *opts, struct buf *ret)
{
	int r = store_mongo_each(collection, filter, opts, copy_first, ret);

	if (r < 0)
		return r;
	return r == 1 ? 0 : STORE_GONE;
}

int store_mongo_by_id(const char *id, bson_t *ret)
{
	bson_init(ret);
	return bson_id_append(ret, "_id", id);
}

/* ---- the handle ---- */

/* In place of the driver's own, which writes to stderr: its constructor speaks before any handler can be set. */
void mongoc_log(mongoc_log_level_t level, const char *domain, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_debug("mongodb driver, %s: %s", domain, text);
}

/* What does not ask for more is acknowledged by the primary alone. The server's own default (5.0 and later) would wait for
 * a majority without an end: beats and what is given back would stand in the way of all else. */
static void set_write_concern(mongoc_client_t *client)
{
	mongoc_write_concern_t *concern = mongoc_write_concern_new();

	mongoc_write_concern_set_w(concern, 1);
	mongoc_client_set_write_concern(client, concern);
	mongoc_write_concern_destroy(concern);
}

mongoc_client_t *store_mongo_client(const struct store_mongo *s)
{
	mongoc_client_t *client = mongoc_client_new_from_uri(s->uri);

	if (!client)
		return NULL;
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	set_write_concern(client);
	return client;
}

static void set_default(mongoc_uri_t *uri, const char *option, int32_t value)
{
	if (!mongoc_uri_has_option(uri, option))
		mongoc_uri_set_option_as_int32(uri, option, value);
}

/* Pype's own variable bounds how long a server is looked for. */
static int32_t select_ms(void)
{
	const char *text = getenv("AVALON_TIMEOUT");
	long ms = text ? strtol(text, NULL, 10) : 0;

	return ms > 0 && ms < INT32_MAX ? (int32_t)ms : SELECT_MS;
}

static int parse_uri(struct store_mongo *s, const char *text, struct error *error)
{
	bson_error_t why = { 0 };

	s->uri = mongoc_uri_new_with_error(text, &why);
	/* What is wrong is not repeated where it could hold a password. */
	if (!s->uri)
		return error_set(error, -EINVAL,
				 "the store's URI is none of MongoDB%s%s: write "
				 "mongodb://HOST[:PORT]/ or use sqlite:PATH",
				 strchr(text, '@') ? "" : ": ",
				 strchr(text, '@') ? "" : why.message);
	set_default(s->uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, select_ms());
	set_default(s->uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS);
	set_default(s->uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS);
	if (!mongoc_uri_has_option(s->uri, MONGOC_URI_APPNAME))
		mongoc_uri_set_appname(s->uri, "sitefs");
	return 0;
}

static const char *host_of(const struct store_mongo *s)
{
	const mongoc_host_list_t *host = mongoc_uri_get_hosts(s->uri);

	return host ? host->host_and_port : mongoc_uri_get_srv_hostname(s->uri);
}

/* Is there a server that can be written to, and does it have change streams? */
static int find_server(struct store_mongo *s, struct error *error)
{
	mongoc_server_description_t *server;
	bson_error_t why = { 0 };
	const bson_t *hello;
	bson_iter_t it;
	int r;

	server = mongoc_client_select_server(s->client, true, NULL, &why);
	if (!server) {
		r = store_mongo_errno(&why, "select a server");
		return error_set(error, r, "cannot use the store at mongodb://%s: %s: %s",
				 host_of(s), why.message,
				 r == -EACCES ? "check user and password in its URI"
					      : "is the server up and reachable?");
	}
	hello = mongoc_server_description_hello_response(server);
	s->has_streams =
		bson_iter_init_find(&it, hello, "setName") ||
		(bson_iter_init_find(&it, hello, "msg") && BSON_ITER_HOLDS_UTF8(&it) &&
		 strcmp(bson_iter_utf8(&it, NULL), "isdbgrid") == 0);
	mongoc_server_description_destroy(server);
	return 0;
}

static int take_identity(struct store_mongo *s, const struct buf *doc)
{
	bson_iter_t it;
	bson_t bson;

	store_mongo_borrow(doc, &bson);
	if (!bson_iter_init_find(&it, &bson, "value") || !BSON_ITER_HOLDS_UTF8(&it) ||
	    strlen(bson_iter_utf8(&it, NULL)) != STORE_MONGO_ID_SIZE - 1)
		return -EUCLEAN;
	memcpy(s->id, bson_iter_utf8(&it, NULL), STORE_MONGO_ID_SIZE);
	return 0;
}

/* What is ours goes by itself when nobody needs it any more; who polls reads by the time. */
static int make_indexes(struct store_mongo *s)
{
	_cleanup_(bson_destroyp) bson_t *owner =
		BCON_NEW("createIndexes", BCON_UTF8("owner"), "indexes", "[", "{", "key",
			 "{", "at", BCON_INT32(1), "}", "name", BCON_UTF8("at"),
			 "expireAfterSeconds", BCON_INT32(OWNER_KEPT_S), "}", "]");
	_cleanup_(bson_destroyp) bson_t *touched = BCON_NEW(
		"createIndexes", BCON_UTF8("touched"), "indexes", "[", "{", "key", "{",
		"day", BCON_INT32(1), "}", "name", BCON_UTF8("day"), "expireAfterSeconds",
		BCON_INT32(TOUCHED_KEPT_S), "}", "{", "key", "{", "at", BCON_INT32(1),
		"}", "name", BCON_UTF8("at"), "}", "]");
	bson_error_t why = { 0 };

	if (mongoc_client_write_command_with_opts(s->client, s->own, owner, NULL, NULL,
						  &why) &&
	    mongoc_client_write_command_with_opts(s->client, s->own, touched, NULL, NULL,
						  &why))
		return 0;
	return store_mongo_errno(&why, "make the indexes");
}

static int make_identity(struct store_mongo *s, mongoc_collection_t *meta)
{
	_cleanup_(bson_destroyp) bson_t *doc = NULL;
	int r = make_indexes(s);
	uint8_t random[(STORE_MONGO_ID_SIZE - 1) / 2];
	char id[STORE_MONGO_ID_SIZE];
	bson_error_t why = { 0 };

	if (r < 0)
		return r;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	hex_encode(random, sizeof(random), id);
	doc = BCON_NEW("_id", BCON_UTF8("identity"), "value", BCON_UTF8(id));
	if (mongoc_collection_insert_one(meta, doc, s->durable, NULL, &why))
		return 0;
	r = store_mongo_errno(&why, "make the identity");
	/* Another process was faster. */
	return r == -EEXIST ? 0 : r;
}

static int read_identity(struct store_mongo *s, struct error *error)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *meta =
		store_mongo_own(s, "meta");
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8("identity"));
	_cleanup_(buf_done) struct buf doc = { 0 };
	int r;

	r = store_mongo_first(meta, filter, NULL, &doc);
	if (r == STORE_GONE) {
		r = make_identity(s, meta);
		if (r == 0)
			r = store_mongo_first(meta, filter, NULL, &doc);
	}
	if (r == 0)
		r = take_identity(s, &doc);
	if (r == -EACCES)
		return error_set(error, r,
				 "the user of mongodb://%s may not use database %s: give "
				 "it the role readWrite on %s and on %s",
				 host_of(s), s->own, s->own, s->database);
	if (r != 0)
		return error_set(error, r < 0 ? r : -EIO,
				 "cannot read database %s at mongodb://%s: %s", s->own,
				 host_of(s), error_text(NULL, r < 0 ? r : -EIO));
	return 0;
}

static int identity(struct store *store, char **ret)
{
	*ret = strdup(store_mongo_of(store)->id);
	return *ret ? 0 : -ENOMEM;
}

/* What the server says to a command of the database "admin"; the caller destroys RET. */
static int ask_server(struct store_mongo *s, const char *name, bson_t *ret)
{
	_cleanup_(bson_destroyp) bson_t *command = BCON_NEW(name, BCON_INT32(1));
	bson_error_t why = { 0 };

	if (mongoc_client_command_simple(s->client, "admin", command, NULL, ret, &why))
		return 0;
	bson_destroy(ret);
	return store_mongo_errno(&why, name);
}

/* Of a reply to isMaster, which older servers than 4.4.2 know by this name only. 0: it does not say. */
static int64_t clock_in(const bson_t *hello)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, hello, "localTime") &&
			       BSON_ITER_HOLDS_DATE_TIME(&it)
		       ? bson_iter_date_time(&it)
		       : 0;
}

int store_mongo_clock(struct store_mongo *s, int64_t *ret_ms)
{
	bson_t hello;
	int r = ask_server(s, "isMaster", &hello);

	if (r < 0)
		return r;
	*ret_ms = clock_in(&hello);
	bson_destroy(&hello);
	return 0;
}

static const char *text_in(const bson_t *doc, const char *key)
{
	const char *text = NULL;
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, key))
		text = bson_get_text(&it);
	return text;
}

static int facts(struct store *store, struct store_facts *ret)
{
	struct store_mongo *s = store_mongo_of(store);
	const char *version, *set;
	bson_t hello, info;
	int r;

	r = ask_server(s, "buildInfo", &info);
	if (r < 0)
		return r;
	r = ask_server(s, "isMaster", &hello);
	if (r < 0) {
		bson_destroy(&info);
		return r;
	}
	version = text_in(&info, "version");
	set = text_in(&hello, "setName");
	ret->has_feed = s->has_streams;
	ret->clock_ms = clock_in(&hello);
	ret->kind = strf("MongoDB %s at %s, %s%s, databases %s and %s",
			 version ? version : "of unknown version", host_of(s),
			 set              ? "replica set "
			 : s->has_streams ? "a cluster"
					  : "a standalone",
			 set ? set : "", s->database, s->own);
	bson_destroy(&info);
	bson_destroy(&hello);
	return ret->kind ? 0 : -ENOMEM;
}

static void mongo_free(struct store *store)
{
	struct store_mongo *s = store_mongo_of(store);

	store_mongo_feed_free(s);
	if (s->client)
		mongoc_client_destroy(s->client);
	if (s->uri)
		mongoc_uri_destroy(s->uri);
	if (s->durable)
		bson_destroy(s->durable);
	map_done(&s->seen, free);
	cond_done(&s->changed);
	mutex_done(&s->lock);
	free(s->self_name);
	free(s->database);
	free(s->own);
	free(s);
}

static const struct store_ops mongo_ops = {
	.name = "mongodb",
	.identity = identity,
	.facts = facts,
	.projects = store_mongo_projects,
	.now = store_mongo_now,
	.scan = store_mongo_scan,
	.settings = store_mongo_settings,
	.search = store_mongo_search,
	.scan_truth = store_mongo_scan_truth,
	.load = store_mongo_load,
	.load_truth = store_mongo_load_truth,
	.watch = store_mongo_watch,
	.wake = store_mongo_wake,
	.indexes = store_mongo_indexes,
	.record = store_mongo_record,
	.edit = store_mongo_edit,
	.put_truth = store_mongo_put_truth,
	.insert = store_mongo_insert,
	.publish = store_mongo_publish,
	.find = store_mongo_find,
	.lease = store_mongo_lease,
	.release = store_mongo_release,
	.reserve = store_mongo_reserve,
	.forget = store_mongo_forget,
	.greet = store_mongo_greet,
	.hosts = store_mongo_hosts,
	.put_holdings = store_mongo_put_holdings,
	.holdings = store_mongo_holdings,
	.free = mongo_free,
};

static int set_up(struct store_mongo *s, const char *uri, const char *database,
		  struct error *error)
{
	int r;

	s->database = strdup(database);
	s->own = strf("%s_sitefs", database);
	s->durable =
		BCON_NEW("writeConcern", "{", "w", BCON_UTF8("majority"), "j",
			 BCON_BOOL(true), "wtimeout", BCON_INT32(ACKNOWLEDGE_MS), "}");
	if (!s->database || !s->own)
		return -ENOMEM;
	r = parse_uri(s, uri, error);
	if (r < 0)
		return r;
	s->client = store_mongo_client(s);
	return s->client ? 0
			 : error_set(error, -EINVAL,
				     "the store's URI asks for what this build's driver "
				     "of MongoDB does not have");
}

int store_mongo_open(const char *uri, const char *database, struct store **ret,
		     struct error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct store_mongo *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	pthread_once(&once, mongoc_init);
	s->store.ops = &mongo_ops;
	s->store.poll_ms = STORE_POLL_MS;
	s->store.takeover_ms = STORE_TAKEOVER_MS;
	mutex_init(&s->lock);
	cond_init(&s->changed);
	r = set_up(s, uri, database, error);
	if (r == 0)
		r = find_server(s, error);
	if (r == 0)
		r = read_identity(s, error);
	if (r < 0) {
		store_free(&s->store);
		return r;
	}
	*ret = &s->store;
	return 0;
}
