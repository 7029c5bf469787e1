/*
 * Runs a fuzz target over a corpus: each file as it is, cut off at each of its first bytes, and
 * then with random changes, the same ones each time. What breaks it is left in ./crash-input.
 *
 *	fuzz_NAME [-r ROUNDS] FOLDER|FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)
#define CUTS_MAX 256
#define ROUNDS_DEFAULT 500

struct input {
	uint8_t *
		data; /* exactly as large as it is, so that AddressSanitizer sees what is beyond */
	size_t len;
};

/* For the signal handler: what runs now. */
static const void *current;
static size_t current_len;

/* A sanitiser's report ends in abort(), so that the input is saved. Looked up by name. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

static void save_input(int signo)
{
	static const char text[] = "the input that broke it: ./crash-input\n";
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, current, current_len) >= 0 &&
	    write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* nowhere left to say it */
	}
	signal(signo, SIG_DFL);
	raise(signo);
}

static void run(const void *data, size_t len)
{
	void *exact = malloc(len ? len : 1);

	if (!exact)
		abort();
	memcpy(exact, data, len);
	current = exact;
	current_len = len;
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

/* xorshift64: the same changes on every machine. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Changes DATA, of at most INPUT_MAX bytes, in one place. */
static void change(uint8_t *data, size_t *len, uint64_t *random)
{
	static const uint8_t telling[] = "\0\x01\x7f\x80\xff\"'{}[],:/\\.0-|=$ \n";
	size_t at = *len ? next_random(random) % *len : 0;
	size_t n = 1 + next_random(random) % 8;
	uint8_t byte = telling[next_random(random) % (sizeof(telling) - 1)];

	n = n < *len - at ? n : *len - at;
	switch (next_random(random) % 5) {
	case 0: /* a bit */
		if (*len)
			data[at] ^= (uint8_t)(1u << next_random(random) % 8);
		break;
	case 1: /* a byte */
		if (*len)
			data[at] = byte;
		break;
	case 2: /* one more */
		if (*len == INPUT_MAX)
			break;
		memmove(data + at + 1, data + at, *len - at);
		data[at] = byte;
		(*len)++;
		break;
	case 3: /* some less */
		memmove(data + at, data + at + n, *len - at - n);
		*len -= n;
		break;
	default: /* some twice */
		if (*len + n > INPUT_MAX)
			break;
		memmove(data + at + n, data + at, *len - at);
		*len += n;
		break;
	}
}

static void run_changed(const char *data, size_t len, unsigned rounds)
{
	uint8_t *work = malloc(INPUT_MAX);
	uint64_t random = 0x9e3779b97f4a7c15 ^ len;

	if (!work)
		abort();
	for (size_t cut = 0; cut < len && cut < CUTS_MAX && rounds; cut++)
		run(data, cut);
	for (unsigned i = 0; i < rounds; i++) {
		size_t work_len = len;

		memcpy(work, data, len);
		for (size_t n = 1 + next_random(&random) % 4; n > 0; n--)
			change(work, &work_len, &random);
		run(work, work_len);
	}
	free(work);
}

/* Returns the number of files run, or -1. */
static int run_file(const char *path, unsigned rounds)
{
	_cleanup_(freep) char *data = NULL;
	size_t len;
	int r = fd_read_file(AT_FDCWD, path, INPUT_MAX, &data, &len);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", path, strerrordesc_np(-r));
		return -1;
	}
	run(data, len);
	run_changed(data, len, rounds);
	return 1;
}

static int run_folder(const char *path, unsigned rounds)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort);
	int done = 0;

	if (n < 0)
		fprintf(stderr, "%s: %s\n", path, strerrordesc_np(errno));
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *file = strf("%s/%s", path, names[i]->d_name);

		if (names[i]->d_name[0] != '.' && done >= 0)
			done = run_file(file, rounds) < 0 ? -1 : done + 1;
		free(names[i]);
	}
	free(names);
	return n < 0 ? -1 : done;
}

int main(int argc, char **argv)
{
	unsigned rounds = ROUNDS_DEFAULT;
	int total = 0, option;
	struct stat st;

	while ((option = getopt(argc, argv, "r:")) != -1) {
		if (option != 'r')
			return 2;
		rounds = (unsigned)strtoul(optarg, NULL, 10);
	}
	signal(SIGABRT, save_input);
	for (int i = optind; i < argc; i++) {
		bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
		int n = is_folder ? run_folder(argv[i], rounds)
				  : run_file(argv[i], rounds);

		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs, %u changes of each\n", total, rounds);
	if (!total)
		fprintf(stderr, "no inputs: name a folder of them\n");
	return total ? 0 : 1;
}
