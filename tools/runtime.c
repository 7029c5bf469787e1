/* The runtime folder. */
#include "tools/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <xxhash.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/base/proc.h"

#define FACTS_MAX (64 << 10)

/* ---- facts ---- */

void daemon_facts_done(struct daemon_facts *facts)
{
	free(facts->name);
	free(facts->dir);
	free(facts->state_dir);
	free(facts->mountpoint);
	free(facts->active_site);
	for (size_t i = 0; i < facts->n_roots; i++) {
		free(facts->roots[i].name);
		free(facts->roots[i].path);
	}
	free(facts->roots);
	free(facts->only_root);
	*facts = (struct daemon_facts){ 0 };
}

void daemon_list_free(struct daemon_facts *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		daemon_facts_done(&list[i]);
	free(list);
}

struct json *daemon_facts_json(const struct daemon_facts *facts)
{
	struct json *json = json_document(), *roots = json_array();

	json_set_text(json, "name", facts->name);
	json_set_int(json, "pid", facts->pid);
	json_set_text(json, "state_dir", facts->state_dir);
	json_set_text(json, "mountpoint", facts->mountpoint);
	json_set_text(json, "active_site", facts->active_site);
	for (size_t i = 0; i < facts->n_roots; i++) {
		struct json *root = json_object();

		json_set_text(root, "name", facts->roots[i].name);
		json_set_text(root, "path", facts->roots[i].path);
		json_append(roots, root);
	}
	json_set(json, "roots", roots);
	json_set_text(json, "only_root", facts->only_root);
	json_set_text(json, "version", SITEFS_VERSION);
	return json;
}

static int copy_text(const struct json *json, const char *key, char **ret)
{
	const char *text = json_get_text(json, key);

	if (text) {
		*ret = strdup(text);
		if (!*ret)
			return -ENOMEM;
	}
	return 0;
}

static int read_roots(const struct json *roots, struct daemon_facts *facts)
{
	if (!json_is_array(roots))
		return -EBADMSG;
	facts->roots = calloc(json_size(roots) + 1, sizeof(*facts->roots));
	if (!facts->roots)
		return -ENOMEM;
	for (struct json *p = json_first(roots); p; p = json_next(p)) {
		struct daemon_root *root = &facts->roots[facts->n_roots++];
		int r = copy_text(p, "name", &root->name);

		if (r == 0)
			r = copy_text(p, "path", &root->path);
		if (r < 0)
			return r;
		if (!root->name || !root->path)
			return -EBADMSG;
	}
	return 0;
}

static int facts_read(const struct json *json, struct daemon_facts *facts)
{
	int r;

	facts->pid = (pid_t)json_get_int(json, "pid", 0);
	r = copy_text(json, "state_dir", &facts->state_dir);
	if (r == 0)
		r = copy_text(json, "mountpoint", &facts->mountpoint);
	if (r == 0)
		r = copy_text(json, "active_site", &facts->active_site);
	if (r == 0)
		r = copy_text(json, "only_root", &facts->only_root);
	if (r < 0)
		return r;
	if (facts->pid <= 0 || !facts->state_dir || !facts->active_site)
		return -EBADMSG;
	return read_roots(json_get(json, "roots"), facts);
}

char *runtime_name(const char *state_dir)
{
	_cleanup_(buf_done) struct buf name = { 0 };
	unsigned hash = (unsigned)XXH3_64bits(state_dir, strlen(state_dir));

	for (const char *p = path_name(state_dir); *p && name.len < 40; p++) {
		bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
				(*p >= '0' && *p <= '9') || *p == '-' || *p == '_';

		buf_addf(&name, "%c", is_plain ? *p : '_');
	}
	buf_addf(&name, "-%08x", hash);
	return buf_take(&name);
}

/* ---- the folder ---- */

int runtime_open(const char *dir, struct error *error)
{
	bool is_public = geteuid() == 0 && !strcmp(dir, "/run/sitefs");
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (mkdir(dir, is_public ? 0755 : 0700) < 0 && errno != EEXIST)
		return error_set(error, -errno,
				 "cannot create the folder of control sockets %s: %s: "
				 "set XDG_RUNTIME_DIR to a folder of your own",
				 dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(error, -errno,
				 "cannot open the folder of control sockets %s: %s", dir,
				 strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(error, -EPERM,
				 "the folder of control sockets %s can be written by "
				 "others: give it to uid %d with mode 0700",
				 dir, (int)geteuid());
	return steal_fd(fd);
}

/* An address below a folder: paths of sockets are limited to 107 bytes, those of folders are not. */
static int make_address(int dir_fd, const char *name, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd,
		     name);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

static int connect_in(int dir_fd, const char *socket_name)
{
	_cleanup_(closep) int fd = -1;
	struct sockaddr_un address;
	int r;

	r = make_address(dir_fd, socket_name, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(fd);
}

int runtime_connect(const struct daemon_facts *facts)
{
	_cleanup_(closep) int dir_fd = -1;
	_cleanup_(freep) char *name = strf("%s.sock", facts->name);

	if (!name)
		return -ENOMEM;
	dir_fd = open(facts->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	return connect_in(dir_fd, name);
}

bool runtime_is_stopped(const struct daemon_facts *facts)
{
	char path[64], text[256];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)facts->pid);
	return proc_stat(path, text, sizeof(text), &state) == 0 &&
	       (state[0] == 'T' || state[0] == 't');
}

static int listen_in(int dir_fd, const char *name, struct error *error)
{
	_cleanup_(closep) int fd = -1;
	struct sockaddr_un address;
	int r;

	r = make_address(dir_fd, name, &address);
	if (r < 0)
		return r;
	unlinkat(dir_fd, name, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchmodat(dir_fd, name, 0600, 0) < 0 || listen(fd, 64) < 0)
		return error_set(error, -errno, "cannot listen on a control socket: %s",
				 strerror(errno));
	return steal_fd(fd);
}

static int publish_locked(int dir_fd, const struct daemon_facts *facts,
			  struct error *error)
{
	_cleanup_(freep) char *fresh = strf(".%s.sock", facts->name);
	_cleanup_(freep) char *name = strf("%s.sock", facts->name);
	_cleanup_(freep) char *facts_name = strf("%s.json", facts->name);
	_cleanup_(json_freep) struct json *json = daemon_facts_json(facts);
	_cleanup_(freep) char *line = json_line(json);
	_cleanup_(closep) int fd = -1;
	int r;

	if (!fresh || !name || !facts_name || !line)
		return -ENOMEM;
	fd = listen_in(dir_fd, fresh, error);
	if (fd < 0)
		return fd;
	if (renameat(dir_fd, fresh, dir_fd, name) < 0)
		return -errno;
	r = fd_replace_file(dir_fd, facts_name, line, strlen(line), 0600);
	if (r < 0) {
		unlinkat(dir_fd, name, 0);
		return r;
	}
	return steal_fd(fd);
}

int runtime_publish(int dir_fd, const struct daemon_facts *facts, struct error *error)
{
	int r;

	if (flock(dir_fd, LOCK_EX) < 0)
		return -errno;
	r = publish_locked(dir_fd, facts, error);
	flock(dir_fd, LOCK_UN);
	return r;
}

void runtime_withdraw(int dir_fd, const char *name)
{
	_cleanup_(freep) char *socket_name = strf("%s.sock", name);
	_cleanup_(freep) char *facts_name = strf("%s.json", name);

	if (facts_name)
		unlinkat(dir_fd, facts_name, 0);
	if (socket_name)
		unlinkat(dir_fd, socket_name, 0);
}

/* ---- finding ---- */

static int load_facts(int dir_fd, const char *file, struct daemon_facts *facts)
{
	_cleanup_(json_freep) struct json *json = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t len;
	int r;

	r = fd_read_file(dir_fd, file, FACTS_MAX, &text, &len);
	if (r < 0)
		return r;
	r = json_parse(text, len, &json, NULL);
	if (r < 0)
		return r;
	return facts_read(json, facts);
}

/* True where nobody listens: the daemon died without clean-up. */
static bool is_stale(int dir_fd, const char *name)
{
	_cleanup_(freep) char *socket_name = strf("%s.sock", name);
	int fd;

	if (!socket_name)
		return false;
	fd = connect_in(dir_fd, socket_name);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED || fd == -ENOENT;
}

/* Looks again with the folder locked: meanwhile another daemon of that name may have come. */
static void remove_stale(int dir_fd, const char *name)
{
	if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (is_stale(dir_fd, name))
		runtime_withdraw(dir_fd, name);
	flock(dir_fd, LOCK_UN);
}

static int add_facts(struct daemon_facts **list, size_t *n, struct daemon_facts *facts)
{
	struct daemon_facts *grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[(*n)++] = *facts;
	*facts = (struct daemon_facts){ 0 };
	return 0;
}

/* FILE is "NAME.json". */
static int list_one(int dir_fd, const char *dir, const char *file,
		    struct daemon_facts **list, size_t *n)
{
	_cleanup_(daemon_facts_done) struct daemon_facts facts = { 0 };
	int r;

	facts.name = strndup(file, strlen(file) - strlen(".json"));
	facts.dir = strdup(dir);
	if (!facts.name || !facts.dir)
		return -ENOMEM;
	if (is_stale(dir_fd, facts.name)) {
		remove_stale(dir_fd, facts.name);
		return 0;
	}
	r = load_facts(dir_fd, file, &facts);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? 0 : add_facts(list, n, &facts);
}

static bool is_facts_file(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && !strcmp(name + len - 5, ".json");
}

int runtime_list(const char *dir, struct daemon_facts **ret, size_t *ret_n)
{
	struct daemon_facts *list = NULL;
	struct dirent *entry;
	DIR *stream;
	size_t n = 0;
	int r = 0;

	stream = opendir(dir);
	if (!stream && errno != ENOENT && errno != EACCES)
		return -errno;
	while (stream && r == 0 && (entry = readdir(stream)) != NULL)
		if (is_facts_file(entry->d_name))
			r = list_one(dirfd(stream), dir, entry->d_name, &list, &n);
	if (stream)
		closedir(stream);
	if (r < 0) {
		daemon_list_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}
