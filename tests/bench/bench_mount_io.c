/*
 * The work that bench_mount.py times, in C, so that what is timed is the file system: prints the seconds that it
 * took. Opening the first file and joining threads are counted, starting the process is not.
 *
 *   bench_mount_io read FILE              sequential, 1 MiB a call
 *   bench_mount_io write FILE BYTES       sequential, 1 MiB a call, and fsync
 *   bench_mount_io random FILE CALLS      4 KiB at random places, on 4 threads
 *   bench_mount_io frames FOLDER N        opens, reads and closes f000000 ... of it, one after the other
 *   bench_mount_io opens FOLDER N         opens and closes them
 *   bench_mount_io stats FOLDER N         lstat() of each
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/clock.h"

#define CALL ((size_t)1 << 20)
#define BLOCK ((size_t)4096)
#define THREADS 4

static void must(const char *what, bool is_fine)
{
	if (is_fine)
		return;
	fprintf(stderr, "bench_mount_io: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *new_buffer(size_t size)
{
	char *buffer = aligned_alloc(BLOCK, size);

	must("memory", buffer);
	memset(buffer, 'x', size);
	return buffer;
}

static void read_all(int fd, char *buffer)
{
	ssize_t n;

	while ((n = read(fd, buffer, CALL)) > 0)
		;
	must("read", n == 0);
}

static void do_read(const char *path, long n)
{
	_cleanup_(freep) char *buffer = new_buffer(CALL);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(path, fd >= 0);
	read_all(fd, buffer);
	close(fd);
}

static void do_write(const char *path, long bytes)
{
	_cleanup_(freep) char *buffer = new_buffer(CALL);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(path, fd >= 0);
	for (long done = 0; done < bytes; done += (long)CALL)
		must("write", write(fd, buffer, CALL) == (ssize_t)CALL);
	must("fsync", fsync(fd) == 0);
	close(fd);
}

struct reader {
	pthread_t thread;
	const char *path;
	long calls;
	unsigned seed;
};

static void *read_random(void *context)
{
	struct reader *reader = context;
	_cleanup_(freep) char *buffer = new_buffer(BLOCK);
	int fd = open(reader->path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	must(reader->path, fd >= 0 && fstat(fd, &st) == 0);
	for (long i = 0; i < reader->calls; i++) {
		off_t block;

		reader->seed = reader->seed * 1103515245 + 12345;
		block = (off_t)(reader->seed >> 4) % (st.st_size / (off_t)BLOCK);
		must("pread",
		     pread(fd, buffer, BLOCK, block * (off_t)BLOCK) == (ssize_t)BLOCK);
	}
	close(fd);
	return NULL;
}

static void do_random(const char *path, long calls)
{
	struct reader readers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ .path = path,
					      .calls = calls / THREADS,
					      .seed = i * 7919 + 1 };
		must("thread", pthread_create(&readers[i].thread, NULL, read_random,
					      &readers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(readers[i].thread, NULL);
}

static void open_each(const char *folder, long n, char *buffer)
{
	for (long i = 0; i < n; i++) {
		char path[4096];
		int fd;

		snprintf(path, sizeof(path), "%s/f%06ld", folder, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		must(path, fd >= 0);
		if (buffer)
			read_all(fd, buffer);
		close(fd);
	}
}

static void do_frames(const char *folder, long n)
{
	_cleanup_(freep) char *buffer = new_buffer(CALL);

	open_each(folder, n, buffer);
}

static void do_opens(const char *folder, long n)
{
	open_each(folder, n, NULL);
}

static void do_stats(const char *folder, long n)
{
	for (long i = 0; i < n; i++) {
		char path[4096];
		struct stat st;

		snprintf(path, sizeof(path), "%s/f%06ld", folder, i);
		must(path, lstat(path, &st) == 0);
	}
}

static const struct {
	const char *name;
	void (*fn)(const char *path, long n);
} works[] = {
	{ "read", do_read },     { "write", do_write }, { "random", do_random },
	{ "frames", do_frames }, { "opens", do_opens }, { "stats", do_stats },
};

int main(int argc, char **argv)
{
	long n = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

	for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(works); i++) {
		struct timespec before, after;

		if (strcmp(works[i].name, argv[1]) != 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &before);
		works[i].fn(argv[2], n);
		clock_gettime(CLOCK_MONOTONIC, &after);
		printf("%.9f\n",
		       (double)(timespec_ns(after) - timespec_ns(before)) / 1e9);
		return 0;
	}
	fputs("usage: bench_mount_io read|write|random|frames|opens|stats PATH [N]\n",
	      stderr);
	return 2;
}
