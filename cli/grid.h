/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * grid: rows of cells on stdout. For people (a terminal): a header, aligned columns, words in colour where NO_COLOR and
 * TERM=dumb allow; a last column that does not fit stands below its row. For scripts (a pipe): no header, cells uncut
 * and separated by tabs. Bytes that are not printable text come out as "?": error texts hold what a peer sent. Main
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "base/view.h"

#define GRID_COLUMNS_MAX 16
#define GRID_TEXT_MAX    ((size_t)16 << 20) /* a page of an answer is at most half of that */

struct grid_column {
    const char *title; /* NULL ends the columns */
    bool right;        /* numbers */
    bool state;        /* one of the words that have a colour */
};

struct grid {
    FILE *stream; /* borrowed */
    const struct grid_column *columns;
    size_t columns_len;
    bool aligned, colour;
    unsigned edge;                   /* characters of a line; 0 = no edge */
    size_t widths[GRID_COLUMNS_MAX]; /* they never shrink: pages of one answer line up where they can */
    bool headed;
    struct strbuf text; /* NUL-ended cells, row after row */
    size_t cells;
    int64_t now_ms; /* wall; ages count from here */
};

/** @param people aligned and headed even when stdout is no terminal. */
void grid_init(struct grid *grid, const struct grid_column *columns, FILE *stream, bool people);
void grid_deinit(struct grid *grid);

/* Next cell, row by row; an empty text is shown as "-". Failures stick until grid_flush. */
void grid_text(struct grid *grid, const char *text);
void grid_u64(struct grid *grid, uint64_t value);
void grid_ms(struct grid *grid, double ms);          /* "8.1 ms" */
void grid_time(struct grid *grid, const char *text); /* RFC 3339: an age for people, as it is for scripts; "" = never */
void grid_texts(struct grid *grid, const json_t *texts); /* an array of texts, joined by commas */

/** Prints the rows so far, the header before the first. @return ERR_LIMIT, ERR_NOMEM, ERR_IO. */
enum err grid_flush(struct grid *grid) MUST_CHECK;

/** Whether words may be coloured on @p stream (NO_COLOR, CLICOLOR_FORCE, TERM, a terminal). */
bool grid_colour(FILE *stream);
/** "\033[32m" and the like for a word that has a colour, "" for others. Static. */
const char *grid_colour_of(const char *word);
#define GRID_COLOUR_END "\033[0m"
