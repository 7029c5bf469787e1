/*
 * What people read: sizes, tables, names that are safe on a terminal, collapsed sequences, a progress line. JSON is
 * tools/json.h. Widths count characters, not bytes; nothing here is wider than 80 columns but names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"

#define OUTPUT_SIZE 32

/* "3.2 GiB", "512 B"; IS_RAW: "3435973837"; "?" where BYTES is negative. Returns RET. */
const char *output_size(int64_t bytes, bool is_raw, char ret[OUTPUT_SIZE]);
/* "45 s", "3 min 20 s", "2 h 5 min"; "?" where negative. Returns RET. */
const char *output_duration(int64_t ms, char ret[OUTPUT_SIZE]);
/* "1 file", "1000 files". Returns RET. */
const char *output_count(int64_t n, const char *noun, char ret[OUTPUT_SIZE]);
/* Adds NAME with control characters and broken UTF-8 as '?': names come from databases and may hold
 * escape sequences. */
void output_name(struct buf *buf, const char *name);
/* Columns that S takes on a terminal, roughly: one per character. */
size_t output_width(const char *s);
/* FILE is a terminal and NO_COLOR is not set. */
bool output_has_colour(FILE *file);

/* ---- tables ---- */

/*
 * Rows of text, printed when all are there: each column as wide as its widest cell, the last one not padded and
 * never cut. Columns whose letter in ALIGN is 'r' are right-aligned.
 */
struct table;

/* ALIGN: one letter ('l', 'r') per column. HEAD: that many titles, or NULL. Both borrowed. */
int table_new(const char *align, const char *const *head, struct table **ret);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);
/* The next cell, row by row; copied. */
void table_add(struct table *table, const char *text);
/* 0 or -ENOMEM, also for an addition that failed. */
int table_print(const struct table *table, FILE *file);

/* ---- progress ---- */

/* One line on stderr that is drawn over, while stderr is a terminal; nothing at all else. One thread. */
struct progress {
	int64_t started_ms, drawn_ms;
	int64_t first_bytes; /* at the start: the rate is of this run */
	bool is_on, has_bytes, is_drawn;
	bool is_quiet, has_said;
};

void progress_start(struct progress *progress, bool is_quiet, bool has_bytes);
/* What a progress line says. TOTAL_* -1: unknown. */
struct progress_counts {
	const char *verb; /* "uploading" */
	int64_t files, total_files, bytes, total_bytes;
};
/* Draws at most ten times a second. */
void progress_show(struct progress *progress, const struct progress_counts *counts);
/* The same with free text. Where stderr is no terminal only the first is said, as a line. */
void progress_text(struct progress *progress, const char *text);
/* Wipes the line. */
void progress_end(struct progress *progress);
/* The line itself, 79 columns at most. BYTES_NEW came in ELAPSED_MS. */
void progress_line(const struct progress_counts *counts, int64_t elapsed_ms,
		   int64_t bytes_new, bool is_raw, struct buf *ret);
