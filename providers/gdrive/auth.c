/* One identity of a site. */
#include "providers/gdrive/auth.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "providers/gdrive/wire.h"
#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/json_file.h"

#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define LIFE_S 3600     /* the longest that is allowed */
#define BACKDATE_S 30   /* clocks of render nodes run ahead */
#define SKEW_S 60       /* more than this, and we go by the peer's clock */
#define RENEW_MS 300000 /* ahead of the end */
#define POLL_MS 100     /* who waits for another's request looks for a cancel */
#define MAX_SIGNATURE 1024

struct auth {
	const char *path, *subject;
	struct mutex lock;
	struct cond changed;
	char *token GUARDED_BY(&lock);
	int64_t renew_ms GUARDED_BY(&lock);
	bool is_asking GUARDED_BY(&lock); /* one thread does; the others wait */
	uint64_t n_asked GUARDED_BY(&lock);
	int outcome GUARDED_BY(&lock); /* of the last request */
	struct error error GUARDED_BY(&lock);
	int64_t skew_s GUARDED_BY(
		&lock); /* the peer's clock less ours, where ours was refused */
};

/* What a key file says. Borrowed from FILE. */
struct key {
	struct json_file *file;
	const char *email, *id, *pem, *token_uri;
};

int auth_new(const char *path, const char *subject, struct auth **ret)
{
	struct auth *auth = calloc(1, sizeof(*auth));

	if (!auth)
		return -ENOMEM;
	auth->path = path;
	auth->subject = subject;
	mutex_init(&auth->lock);
	cond_init(&auth->changed);
	*ret = auth;
	return 0;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	mutex_lock(&auth->lock);
	wipe(auth->token);
	auth->token = NULL;
	mutex_unlock(&auth->lock);
	mutex_done(&auth->lock);
	cond_done(&auth->changed);
	free(auth);
}

/* ---- the key file ---- */

static void key_done(struct key *key)
{
	json_file_free(key->file);
}

static const char *member(const struct key *key, const char *name)
{
	struct json_at at = json_at_find(json_file_top(key->file), name);
	const char *text;

	if (!json_at_is_text(at) || json_at_text(at, &text, NULL) < 0 || !text[0])
		return NULL;
	return text;
}

static int key_load(const struct auth *auth, struct key *ret, struct error *error)
{
	struct error why = { 0 };
	const char *type;
	int r = json_file_load(auth->path, &ret->file, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return error_set(error, PROVIDER_UNAUTHORIZED,
				 "cannot read the key file %s: %s", auth->path,
				 r == -ENOENT ? "there is none; download the service "
						"account's key (JSON) and name it in "
						"credentials_url"
					      : error_text(&why, r));
	type = member(ret, "type");
	ret->email = member(ret, "client_email");
	ret->id = member(ret, "private_key_id");
	ret->pem = member(ret, "private_key");
	ret->token_uri = member(ret, "token_uri");
	if (!ret->token_uri)
		ret->token_uri = TOKEN_URI;
	if (!ret->email || !ret->pem || (type && strcmp(type, "service_account") != 0))
		return error_set(error, PROVIDER_UNAUTHORIZED,
				 "%s is no key file of a service account (client_email "
				 "and private_key are needed)",
				 auth->path);
	if (!http_is_safe_url(ret->token_uri))
		return error_set(error, PROVIDER_UNAUTHORIZED,
				 "%s: token_uri is no https address", auth->path);
	return 0;
}

/* ---- the JWT (RFC 7515, 7519) ---- */

static int add_base64url(struct buf *buf, const uint8_t *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	int n_bits = 0, r = 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		bits = bits << 8 | data[i];
		for (n_bits += 8; n_bits >= 6 && r == 0; n_bits -= 6)
			r = buf_addc(buf, digits[bits >> (n_bits - 6) & 63]);
	}
	if (n_bits && r == 0)
		r = buf_addc(buf, digits[bits << (6 - n_bits) & 63]);
	return r;
}

/* A key with a passphrase is none of ours, and nobody is there to type it. */
static int no_passphrase(char *ret, int size, int is_writing, void *context)
{
	return 0;
}

static EVP_PKEY *read_pem(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return key;
}

/* RSA over SHA-256 of what is in BUF; 0 length where it cannot be. */
static size_t sign(const char *pem, const struct buf *buf, uint8_t ret[MAX_SIGNATURE])
{
	EVP_PKEY *key = read_pem(pem);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = MAX_SIGNATURE;

	if (!key || !context || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(context, ret, &len, (const uint8_t *)buf->data, buf->len) != 1)
		len = 0;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return len;
}

static int add_jwt(struct buf *buf, const struct auth *auth, const struct key *key,
		   int64_t skew_s, struct error *error)
{
	int64_t now_s = clock_wall_ms() / 1000 + skew_s - BACKDATE_S;
	_cleanup_(freep) char *header = wire_format_jwt_header(key->id);
	_cleanup_(freep) char *claims = wire_format_claims(
		key->email, key->token_uri, auth->subject, now_s, now_s + LIFE_S);
	_cleanup_(buf_done) struct buf jwt = { 0 };
	uint8_t signature[MAX_SIGNATURE];
	size_t len;

	if (!header || !claims)
		return -ENOMEM;
	add_base64url(&jwt, (const uint8_t *)header, strlen(header));
	buf_addc(&jwt, '.');
	add_base64url(&jwt, (const uint8_t *)claims, strlen(claims));
	if (jwt.has_failed)
		return -ENOMEM;
	len = sign(key->pem, &jwt, signature);
	if (!len)
		return error_set(error, PROVIDER_UNAUTHORIZED,
				 "%s: private_key is no RSA key in PEM", auth->path);
	buf_addc(&jwt, '.');
	add_base64url(&jwt, signature, len);
	if (jwt.has_failed)
		return -ENOMEM;
	return buf_add(buf, jwt.data, jwt.len);
}

/* ---- asking ---- */

static int refused(const struct auth *auth, const struct key *key, int status,
		   const struct wire_token *token, struct error *error)
{
	const char *what = token->description[0] ? token->description : token->error;

	if (status == 429 || status >= 500)
		return error_set(error, PROVIDER_BUSY,
				 "Google's token service answered %d", status);
	if (strcmp(token->error, "unauthorized_client") == 0 && auth->subject)
		return error_set(
			error, PROVIDER_UNAUTHORIZED,
			"%s may not act as %s: an administrator has to allow its "
			"domain-wide delegation for Drive",
			key->email, auth->subject);
	return error_set(error, PROVIDER_UNAUTHORIZED,
			 "login of %s refused: %s; is the key (%s) still valid, and this "
			 "machine's clock right?",
			 key->email, what[0] ? what : "no reason given", auth->path);
}

static int post(struct http *http, const struct key *key, const struct buf *form,
		struct provider_call *call, struct http_answer *answer)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded"
	};
	struct http_request request = { .method = "POST",
					.url = key->token_uri,
					.headers = headers,
					.n_headers = 1,
					.body = form->data,
					.body_len = (int64_t)form->len,
					.cancel = &call->cancel };
	struct error why = { 0 };
	int r = http_run(http, &request, answer, &why);

	if (r <= 0)
		return r;
	return error_set(&call->error,
			 r == HTTP_BROKEN ? PROVIDER_BUSY : PROVIDER_UNREACHABLE,
			 "cannot reach Google's token service: %s", why.text);
}

/* One request. *SKEW_S: by how much to correct our clock; where the answer says that it is wrong, -EAGAIN with it
 * corrected. */
static int ask(const struct auth *auth, const struct key *key, struct http *http,
	       struct provider_call *call, int64_t *skew_s, struct wire_token *ret)
/* parameters: one login */
{
	_cleanup_(http_answer_done) struct http_answer answer = { 0 };
	_cleanup_(buf_done) struct buf form = { 0 };
	int64_t skew_now_s;
	int r;

	buf_adds(&form, "grant_type=");
	http_escape(&form, GRANT);
	buf_adds(&form, "&assertion=");
	r = add_jwt(&form, auth, key, *skew_s, &call->error);
	if (r == 0 && form.has_failed)
		r = -ENOMEM;
	if (r == 0)
		r = post(http, key, &form, call, &answer);
	if (r != 0)
		return r;
	r = wire_parse_token(buf_str(&answer.body), answer.body.len, ret);
	if (r == -ENOMEM || (r == 0 && answer.status == 200 && ret->access_token))
		return r;
	skew_now_s = answer.date_ms ? (answer.date_ms - clock_wall_ms()) / 1000 : 0;
	if (strcmp(ret->error, "invalid_grant") == 0 &&
	    llabs(skew_now_s - *skew_s) > SKEW_S) {
		*skew_s = skew_now_s;
		return -EAGAIN;
	}
	return refused(auth, key, answer.status, ret, &call->error);
}

static int login(struct auth *auth, struct http *http, struct provider_call *call,
		 struct wire_token *ret)
{
	_cleanup_(key_done) struct key key = { 0 };
	int64_t skew_s;
	int r = key_load(auth, &key, &call->error);

	if (r != 0)
		return r;
	mutex_lock(&auth->lock);
	skew_s = auth->skew_s;
	mutex_unlock(&auth->lock);
	r = ask(auth, &key, http, call, &skew_s, ret);
	if (r != -EAGAIN)
		return r;
	wire_token_done(ret);
	r = ask(auth, &key, http, call, &skew_s, ret);
	if (r == -EAGAIN)
		return error_set(&call->error, PROVIDER_UNAUTHORIZED,
				 "login of %s refused: this machine's clock is wrong",
				 key.email);
	mutex_lock(&auth->lock);
	auth->skew_s = skew_s;
	mutex_unlock(&auth->lock);
	return r;
}

/* ---- shared by all threads ---- */

/* 1: the token is there (RET, or NULL on -ENOMEM); 0: we have to ask; else what another thread's request came to. */
static int find_or_wait(struct auth *auth, struct provider_call *call, char **ret)
{
	int r = 0;

	mutex_lock(&auth->lock);
	for (;;) {
		uint64_t n_asked = auth->n_asked;

		if (auth->token && clock_mono_ms() < auth->renew_ms) {
			*ret = strdup(auth->token);
			r = *ret ? 1 : -ENOMEM;
			break;
		}
		if (!auth->is_asking) {
			auth->is_asking = true;
			break;
		}
		cond_wait_until(&auth->changed, &auth->lock, clock_mono_ms() + POLL_MS);
		if (__atomic_load_n(&call->cancel, __ATOMIC_RELAXED)) {
			r = -ECANCELED;
			break;
		}
		/* what a cancelled thread met is nothing to us */
		if (auth->n_asked != n_asked && auth->outcome > 0) {
			call->error = auth->error;
			r = auth->outcome + 1;
			break;
		}
	}
	mutex_unlock(&auth->lock);
	return r;
}

static void keep(struct auth *auth, int outcome, struct wire_token *token,
		 const struct error *error)
{
	int64_t ahead_ms = token->expires_ms / 4;

	mutex_lock(&auth->lock);
	if (outcome == 0) {
		wipe(auth->token);
		auth->token = steal(token->access_token);
		auth->renew_ms = clock_mono_ms() + token->expires_ms -
				 (ahead_ms < RENEW_MS ? ahead_ms : RENEW_MS);
	}
	auth->outcome = outcome;
	auth->error = *error;
	auth->is_asking = false;
	auth->n_asked++;
	cond_broadcast(&auth->changed);
	mutex_unlock(&auth->lock);
}

int auth_token(struct auth *auth, struct http *http, struct provider_call *call,
	       char **ret)
{
	struct wire_token token = { 0 };
	char *copy = NULL;
	int r = find_or_wait(auth, call, &copy);

	if (r < 0)
		return r;
	if (r == 1) {
		*ret = copy;
		return 0;
	}
	if (r > 1)
		return r - 1;
	r = login(auth, http, call, &token);
	if (r == 0) {
		copy = strdup(token.access_token);
		if (!copy)
			r = -ENOMEM;
	}
	keep(auth, r, &token, &call->error);
	wipe(token.access_token);
	if (r == 0)
		*ret = copy;
	return r;
}

void auth_refused(struct auth *auth, const char *token)
{
	mutex_lock(&auth->lock);
	if (auth->token && strcmp(auth->token, token) == 0) {
		wipe(auth->token);
		auth->token = NULL;
	}
	mutex_unlock(&auth->lock);
}
