/* The files of a publish: paths walked, looked at and said as documents say them. */
#include "sync/publish_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/doc.h"

/* Deeper than any path may be long: a folder that holds itself (bind mount) ends here. */
#define MAX_DEPTH 256

static void publish_file_done(struct publish_file *file)
{
	free(file->path);
	free(file->rel);
}

void publish_files_done(struct publish_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		publish_file_done(&files->list[i]);
	free(files->list);
	*files = (struct publish_files){ 0 };
}

/* ---- roots ---- */

int publish_find_root(const struct config_site *site, const char *absolute,
		      const struct config_root **ret_root, char **ret_rel)
{
	const struct config_root *best = NULL;
	size_t best_len = 0;
	_cleanup_(freep) char *rel = NULL;

	for (size_t i = 0; i < site->n_roots; i++) {
		const char *root = site->roots[i].path;
		size_t len = strlen(root);

		while (len > 0 && root[len - 1] == '/')
			len--;
		if (strncmp(absolute, root, len) != 0 || (best && len <= best_len))
			continue;
		if (absolute[len] != '/' && absolute[len] != 0)
			continue;
		best = &site->roots[i];
		best_len = len;
	}
	if (!best)
		return -EINVAL;
	if (path_normalise(absolute + best_len, &rel) < 0)
		return -ENOMEM;
	if (path_refusal(rel))
		return -EINVAL;
	*ret_root = best;
	*ret_rel = steal(rel);
	return 0;
}

/* ---- walking ---- */

struct walk {
	const struct config_site *site;
	struct publish_files *files;
	struct publish *publish;
	struct error *error;
};

static int refuse(struct walk *walk, const char *path, const char *why)
{
	struct publish *publish = walk->publish;
	struct publish_refusal *grown =
		reallocarray(publish->refused, publish->n_refused + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	publish->refused = grown;
	grown[publish->n_refused] = (struct publish_refusal){ strdup(path), strdup(why) };
	publish->n_refused++;
	if (grown[publish->n_refused - 1].path && grown[publish->n_refused - 1].why)
		return 0;
	return -ENOMEM;
}

/* 1 where the path, as the document will say it, is read as this file; 0 where it is not. */
static int is_told_back(const struct publish_file *file)
{
	_cleanup_(freep) char *path = publish_stored_path(file), *root = NULL;
	_cleanup_(freep) char *rel = NULL, *refused = NULL;
	int r;

	if (!path)
		return -ENOMEM;
	r = doc_path_parse(path, &root, &rel, &refused);
	if (r == -ENOMEM)
		return r;
	return r == 0 && root && strcmp(root, file->root->name) == 0 &&
	       strcmp(rel, file->rel) == 0;
}

static int add_file(struct walk *walk, const char *path, const struct stat *st)
{
	struct publish_files *files = walk->files;
	struct publish_file file = { .size = st->st_size,
				     .mtime_ns = timespec_ns(st->st_mtim) };
	int r;

	if (!path_is_utf8(path))
		return refuse(
			walk, path,
			"its name is not UTF-8, which documents cannot hold: rename "
			"it");
	if (files->n == files->cap) {
		size_t cap = files->cap ? 2 * files->cap : 64;
		struct publish_file *grown =
			reallocarray(files->list, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		files->list = grown;
		files->cap = cap;
	}
	r = publish_find_root(walk->site, path, &file.root, &file.rel);
	if (r < 0)
		return r;
	file.path = strdup(path);
	if (!file.path) {
		free(file.rel);
		return -ENOMEM;
	}
	files->list[files->n++] = file;
	r = is_told_back(&file);
	if (r == 0) {
		publish_file_done(&files->list[--files->n]);
		return refuse(walk, path,
			      "documents would take its name for another path (a "
			      "back-slash is a slash there): rename it");
	}
	return r < 0 ? r : 0;
}

static bool is_temporary(const char *name)
{
	size_t len = strlen(name);

	return len >= 4 && strcmp(name + len - 4, ".tmp") == 0;
}

static bool is_passed_over(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       strcmp(name, ".sitefs") == 0 || is_temporary(name);
}

static int walk_folder(struct walk *walk, int parent_fd, const char *name,
		       const char *path, int depth);

static int walk_entry(struct walk *walk, int dir_fd, const char *name, const char *path,
		      int depth)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : refuse(walk, path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return walk_folder(walk, dir_fd, name, path, depth + 1);
	return S_ISREG(st.st_mode) ? add_file(walk, path, &st) : 0;
}

static int walk_folder(struct walk *walk, int parent_fd, const char *name,
		       const char *path, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return refuse(walk, path, strerror(errno));
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	if (depth > MAX_DEPTH)
		r = refuse(walk, path, "its folders are nested too deep");
	while (r == 0 && depth <= MAX_DEPTH && (entry = readdir(dir))) {
		_cleanup_(freep) char *below = NULL;

		if (is_passed_over(entry->d_name))
			continue;
		below = path_join(path, entry->d_name);
		r = below ? walk_entry(walk, fd, entry->d_name, below, depth) : -ENOMEM;
	}
	closedir(dir);
	return r;
}

static bool is_private(const char *rel)
{
	for (const char *at = rel; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (path_is_below(at, ".sitefs"))
			return true;
	}
	return false;
}

/* A path that a person named. */
static int walk_path(struct walk *walk, const char *path)
{
	const struct config_root *root;
	_cleanup_(freep) char *rel = NULL;
	struct stat st;
	int r;

	r = publish_find_root(walk->site, path, &root, &rel);
	if (r == -EINVAL)
		return error_set(
			walk->error, r,
			"cannot publish %.300s: it is not below a root of site %s", path,
			walk->site->name);
	if (r < 0)
		return r;
	if (is_private(rel))
		return refuse(walk, path, "sitefs keeps its own files there");
	if (lstat(path, &st) < 0)
		return error_set(walk->error, -errno, "cannot publish %.300s: %m", path);
	if (S_ISDIR(st.st_mode))
		return walk_folder(walk, AT_FDCWD, path, path, 1);
	if (!S_ISREG(st.st_mode))
		return refuse(walk, path, "it is no regular file");
	if (is_temporary(path))
		return refuse(walk, path, "a .tmp file is still being written");
	return add_file(walk, path, &st);
}

static int compare_files(const void *a, const void *b)
{
	const struct publish_file *one = a, *other = b;

	return strcmp(one->path, other->path);
}

static void sort_once(struct publish_files *files)
{
	size_t n = 0;

	if (files->n > 0)
		qsort(files->list, files->n, sizeof(*files->list), compare_files);
	for (size_t i = 0; i < files->n; i++) {
		if (n > 0 && strcmp(files->list[n - 1].path, files->list[i].path) == 0) {
			free(files->list[i].path);
			free(files->list[i].rel);
			continue;
		}
		files->list[n++] = files->list[i];
	}
	files->n = n;
}

int publish_files_collect(const struct publish_request *request,
			  const struct config_site *site, struct publish_files *ret,
			  struct publish *publish, struct error *error)
{
	struct walk walk = { site, ret, publish, error };
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->n_paths; i++) {
		_cleanup_(freep) char *path = NULL, *rel = NULL;

		if (path_normalise(request->paths[i], &rel) < 0)
			return -ENOMEM;
		path = strf("/%s", rel);
		r = path ? walk_path(&walk, path) : -ENOMEM;
	}
	sort_once(ret);
	return r;
}

/* ---- as documents say it ---- */

char *publish_stored_path(const struct publish_file *file)
{
	if (file->root->name[0])
		return strf("{root[%s]}/%s", file->root->name, file->rel);
	return strf("{root}/%s", file->rel);
}

/* The shortest digits that read back as the same double, as Python's repr() has them. */
static void print_mtime(int64_t mtime_ns, char *ret, size_t size)
{
	struct timespec ts = ns_timespec(mtime_ns);
	double seconds = (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;

	/* Ten digits hold the seconds; seventeen every double. */
	for (int digits = 10; digits <= 17; digits++) {
		snprintf(ret, size, "%.*g", digits, seconds);
		if (strtod(ret, NULL) == seconds)
			break;
	}
	if (!strchr(ret, '.') && strlen(ret) + 2 < size)
		memcpy(ret + strlen(ret), ".0", 3);
}

char *publish_hash(const struct publish_file *file)
{
	char mtime[64], *hash;

	print_mtime(file->mtime_ns, mtime, sizeof(mtime));
	hash = strf("%s|%s|%lld", path_name(file->path), mtime, (long long)file->size);
	for (char *c = hash; c && *c; c++)
		if (*c == '.')
			*c = ',';
	return hash;
}

static const char *extension_of(const char *path)
{
	const char *name = path_name(path), *dot = strrchr(name, '.');

	return dot && dot > name ? dot + 1 : "";
}

char *publish_extension(const struct publish_files *files)
{
	const char *first = files->n ? extension_of(files->list[0].path) : "";

	for (size_t i = 1; i < files->n; i++)
		if (strcmp(extension_of(files->list[i].path), first) != 0)
			first = "";
	return strdup(first[0] ? first : "files");
}
