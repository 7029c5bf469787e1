/* What people read. */
#include "tools/output.h"

#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"

const char *output_size(int64_t bytes, bool is_raw, char ret[OUTPUT_SIZE])
{
	static const char *const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 0) {
		snprintf(ret, OUTPUT_SIZE, "?");
		return ret;
	}
	if (is_raw) {
		snprintf(ret, OUTPUT_SIZE, "%lld", (long long)bytes);
		return ret;
	}
	/* 1023.96 KiB would round to "1024.0 KiB" */
	while (value >= 999.95 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	if (!unit || value >= 99.95)
		snprintf(ret, OUTPUT_SIZE, "%.0f %s", value, units[unit]);
	else
		snprintf(ret, OUTPUT_SIZE, "%.1f %s", value, units[unit]);
	return ret;
}

const char *output_duration(int64_t ms, char ret[OUTPUT_SIZE])
{
	long long s = (ms + 500) / 1000;

	if (ms < 0)
		snprintf(ret, OUTPUT_SIZE, "?");
	else if (s < 60)
		snprintf(ret, OUTPUT_SIZE, "%lld s", s);
	else if (s < 3600)
		snprintf(ret, OUTPUT_SIZE, "%lld min %lld s", s / 60, s % 60);
	else
		snprintf(ret, OUTPUT_SIZE, "%lld h %lld min", s / 3600, s / 60 % 60);
	return ret;
}

const char *output_count(int64_t n, const char *noun, char ret[OUTPUT_SIZE])
{
	snprintf(ret, OUTPUT_SIZE, "%lld %s%s", (long long)n, noun, n == 1 ? "" : "s");
	return ret;
}

static bool is_control(const char *s, size_t len)
{
	unsigned char first = (unsigned char)s[0];

	/* C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey too */
	return first < 0x20 || first == 0x7f ||
	       (len == 2 && first == 0xc2 && (unsigned char)s[1] < 0xa0);
}

void output_name(struct buf *buf, const char *name)
{
	while (*name) {
		size_t len = path_utf8_length(name);

		if (!len || is_control(name, len))
			buf_addc(buf, '?');
		else
			buf_add(buf, name, len);
		name += len ? len : 1;
	}
}

size_t output_width(const char *s)
{
	size_t width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

bool output_has_colour(FILE *file)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_colour && no_colour[0])
		return false;
	return isatty(fileno(file)) && term && strcmp(term, "dumb") != 0;
}

/* ---- tables ---- */

struct table {
	const char *align;
	size_t n_columns;
	char **cells;
	size_t n_cells, cap;
	bool has_failed;
};

int table_new(const char *align, const char *const *head, struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->align = align;
	table->n_columns = strlen(align);
	for (size_t i = 0; head && i < table->n_columns; i++)
		table_add(table, head[i]);
	*ret = table;
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void table_add(struct table *table, const char *text)
{
	char *copy = strdup(text);

	if (table->n_cells == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		char **cells = reallocarray(table->cells, cap, sizeof(*cells));

		if (!cells) {
			table->has_failed = true;
			free(copy);
			return;
		}
		table->cells = cells;
		table->cap = cap;
	}
	if (copy)
		table->cells[table->n_cells++] = copy;
	else
		table->has_failed = true;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t w = output_width(table->cells[i]);

		width = w > width ? w : width;
	}
	return width;
}

static void add_padded(struct buf *line, const char *text, size_t width, char align)
{
	size_t w = output_width(text), pad = width > w ? width - w : 0;

	if (align == 'r')
		buf_addf(line, "%*s%s", (int)pad, "", text);
	else
		buf_addf(line, "%s%*s", text, (int)pad, "");
}

int table_print(const struct table *table, FILE *file)
{
	_cleanup_(freep) size_t *widths = calloc(table->n_columns, sizeof(*widths));
	_cleanup_(buf_done) struct buf line = { 0 };

	if (!widths || table->has_failed)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = column_width(table, i);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;
		bool is_last = column + 1 == table->n_columns;
		char align = table->align[column];

		add_padded(&line, table->cells[i],
			   is_last && align != 'r' ? 0 : widths[column], align);
		buf_adds(&line, is_last ? "\n" : "  ");
	}
	if (line.has_failed)
		return -ENOMEM;
	fputs(buf_str(&line), file);
	return 0;
}

/* ---- progress ---- */

#define BAR_WIDTH 20

static void add_bar(struct buf *buf, int64_t part, int64_t whole)
{
	int filled = whole > 0 ? (int)((double)part / (double)whole * BAR_WIDTH) : 0;

	if (filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	buf_addc(buf, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_addc(buf, i < filled ? '#' : '.');
	buf_adds(buf, "] ");
}

void progress_line(const struct progress_counts *counts, int64_t elapsed_ms,
		   int64_t bytes_new, bool is_raw, struct buf *ret)
{
	double rate = elapsed_ms > 0 ? (double)bytes_new * 1000 / (double)elapsed_ms : 0;
	bool has_total = counts->total_files >= 0 && counts->total_bytes >= 0;
	int64_t left = counts->total_bytes - counts->bytes;
	char text[OUTPUT_SIZE];

	buf_addf(ret, "%s ", counts->verb);
	if (has_total)
		add_bar(ret, counts->total_bytes ? counts->bytes : counts->files,
			counts->total_bytes ? counts->total_bytes : counts->total_files);
	buf_addf(ret, "%lld", (long long)counts->files);
	if (has_total)
		buf_addf(ret, "/%lld", (long long)counts->total_files);
	buf_adds(ret, " files");
	if (counts->bytes > 0 || counts->total_bytes > 0)
		buf_addf(ret, " %s", output_size(counts->bytes, is_raw, text));
	if (rate >= 1)
		buf_addf(ret, " %s/s", output_size((int64_t)rate, is_raw, text));
	if (rate >= 1 && has_total && left > 0)
		buf_addf(ret, " %s left",
			 output_duration((int64_t)((double)left * 1000 / rate), text));
	if (ret->len > 79) {
		ret->data[79] = '\0';
		ret->len = 79;
	}
}

void progress_start(struct progress *progress, bool is_quiet, bool has_bytes)
{
	*progress = (struct progress){
		.started_ms = clock_mono_ms(),
		.first_bytes = -1,
		.is_on = !is_quiet && isatty(STDERR_FILENO),
		.has_bytes = has_bytes,
		.is_quiet = is_quiet,
	};
}

void progress_show(struct progress *progress, const struct progress_counts *counts)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	int64_t now = clock_mono_ms();

	if (!progress->is_on || (progress->is_drawn && now - progress->drawn_ms < 100))
		return;
	if (progress->first_bytes < 0)
		progress->first_bytes = counts->bytes;
	progress_line(counts, now - progress->started_ms,
		      counts->bytes - progress->first_bytes, progress->has_bytes, &line);
	fprintf(stderr, "\r\033[K%s", buf_str(&line));
	fflush(stderr);
	progress->drawn_ms = now;
	progress->is_drawn = true;
}

void progress_text(struct progress *progress, const char *text)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	output_name(&line, text);
	if (progress->is_on)
		fprintf(stderr, "\r\033[K%.79s", buf_str(&line));
	else if (!progress->is_quiet && !progress->has_said)
		fprintf(stderr, "%s\n", buf_str(&line));
	fflush(stderr);
	progress->has_said = true;
	progress->is_drawn = progress->is_on;
}

void progress_end(struct progress *progress)
{
	if (progress->is_drawn)
		fprintf(stderr, "\r\033[K");
	progress->is_drawn = false;
}
