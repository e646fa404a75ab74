/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/grid.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/age.h"

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[31m"
#define GAP    2 /* blanks between columns */

static const struct {
    const char *word, *colour;
} colours[] = {
    {"online", GREEN}, {"running", GREEN},      {"live", GREEN},     {"connected", GREEN},  {"ok", GREEN},
    {"served", GREEN}, {"applied", GREEN},      {"late", YELLOW},    {"off", YELLOW},       {"pending", YELLOW},
    {"held", YELLOW},  {"claiming", YELLOW},    {"loading", YELLOW}, {"replaying", YELLOW}, {"reconciling", YELLOW},
    {"ttl", YELLOW},   {"backing-off", YELLOW}, {"unknown", YELLOW}, {"refresh", GREEN},    {"lost", RED},
    {"refused", RED},  {"deposed", RED},        {"broken", RED},     {"disconnected", RED}, {"missing", RED},
    {"wrong", RED},    {"delete", RED},         {"foreign", RED},    {"stopped", RED},      {"would-apply", GREEN},
};

const char *grid_colour_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(colours); i++) {
        if (strcmp(colours[i].word, word) == 0) {
            return colours[i].colour;
        }
    }
    return "";
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

bool grid_colour(FILE *stream)
{
    const char *term = getenv("TERM");
    if (is_set("NO_COLOR") || (term != NULL && strcmp(term, "dumb") == 0)) {
        return false;
    }
    return is_set("CLICOLOR_FORCE") || isatty(fileno(stream)) == 1;
}

static unsigned edge_of(FILE *stream)
{
    struct winsize size;
    if (isatty(fileno(stream)) != 1 || ioctl(fileno(stream), TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_col;
}

void grid_init(struct grid *grid, const struct grid_column *columns, FILE *stream, bool people)
{
    *grid = (struct grid){.stream = stream, .columns = columns, .now_ms = clock_wall_ms()};
    while (grid->columns_len < GRID_COLUMNS_MAX && columns[grid->columns_len].title != NULL) {
        grid->widths[grid->columns_len] = strlen(columns[grid->columns_len].title);
        grid->columns_len++;
    }
    grid->aligned = people || isatty(fileno(stream)) == 1;
    grid->colour = grid_colour(stream);
    grid->edge = edge_of(stream);
    strbuf_init(&grid->text, GRID_TEXT_MAX);
}

void grid_deinit(struct grid *grid)
{
    strbuf_deinit(&grid->text);
}

/* Printable: no control characters, C1 ones in UTF-8 (0xc2 0x80 to 0x9f) among them, and no broken UTF-8. */
static size_t printable(struct view rest)
{
    size_t len = view_utf8_sequence(rest);
    unsigned char c = (unsigned char)rest.ptr[0];
    bool control = c < ' ' || c == 0x7f || (c == 0xc2 && len == 2 && (unsigned char)rest.ptr[1] < 0xa0);
    return control ? 0 : len;
}

void grid_text(struct grid *grid, const char *text)
{
    struct view rest = view_of(text[0] != '\0' ? text : "-");
    size_t width = 0;
    for (; rest.len > 0; width++) {
        size_t len = printable(rest);
        (void)strbuf_add(&grid->text, len == 0 ? VIEW_LITERAL("?") : view_n(rest.ptr, len)); /* sticky: grid_flush */
        len = MAX(len, (size_t)1);
        rest = view_n(rest.ptr + len, rest.len - len);
    }
    (void)strbuf_addc(&grid->text, '\0'); /* sticky */
    size_t *most = &grid->widths[grid->cells % grid->columns_len];
    *most = MAX(*most, width);
    grid->cells++;
}

void grid_u64(struct grid *grid, uint64_t value)
{
    char text[AGE_TEXT_SIZE];
    if (!grid->aligned) {
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value); /* fits */
    }
    grid_text(grid, grid->aligned ? age_count(value, text) : text);
}

void grid_ms(struct grid *grid, double ms)
{
    char text[64];
    (void)snprintf(text, sizeof(text), grid->aligned ? "%.1f ms" : "%.3f", ms); /* cut at worst */
    grid_text(grid, text);
}

void grid_time(struct grid *grid, const char *text)
{
    char age[AGE_TEXT_SIZE];
    int64_t then_ms;
    if (text[0] == '\0') {
        grid_text(grid, grid->aligned ? "never" : "");
    } else if (grid->aligned && age_parse(view_of(text), &then_ms) == ERR_OK) {
        grid_text(grid, age_format(grid->now_ms, then_ms, age));
    } else {
        grid_text(grid, text);
    }
}

void grid_texts(struct grid *grid, const json_t *texts)
{
    struct strbuf joined;
    strbuf_init(&joined, GRID_TEXT_MAX);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        (void)strbuf_addf(&joined, "%s%s", i > 0 ? "," : "", text != NULL ? text : "?"); /* an answer is far shorter */
    }
    grid_text(grid, strbuf_str(&joined));
    strbuf_deinit(&joined);
}

static size_t width_of(const char *cell)
{
    size_t width = 0;
    for (struct view rest = view_of(cell); rest.len > 0; width++) {
        size_t len = MAX(view_utf8_sequence(rest), (size_t)1);
        rest = view_n(rest.ptr + len, rest.len - len);
    }
    return width;
}

/* Bytes of @p cell that fit into @p room characters. */
static size_t cut(const char *cell, size_t room)
{
    struct view rest = view_of(cell);
    for (; rest.len > 0 && room > 0; room--) {
        size_t len = MAX(view_utf8_sequence(rest), (size_t)1);
        rest = view_n(rest.ptr + len, rest.len - len);
    }
    return (size_t)(rest.ptr - cell);
}

static void print_cell(const struct grid *grid, size_t column, const char *cell, size_t used, bool title)
{
    bool last = column + 1 == grid->columns_len;
    bool right = grid->columns[column].right;
    size_t width = width_of(cell);
    size_t pad = grid->widths[column] - MIN(width, grid->widths[column]);
    size_t bytes = strlen(cell);
    if (last && grid->edge > 0 && used + width > grid->edge) {
        bytes = grid->edge > used ? cut(cell, grid->edge - used) : 0;
    }
    const char *colour = grid->colour && grid->columns[column].state && !title ? grid_colour_of(cell) : "";
    if (right) {
        (void)fprintf(grid->stream, "%*s", (int)pad, ""); /* ferror is looked at by grid_flush, here and below */
    }
    (void)fprintf(grid->stream, "%s%.*s%s", colour, (int)bytes, cell, colour[0] != '\0' ? GRID_COLOUR_END : "");
    if (!last) {
        (void)fprintf(grid->stream, "%*s", (int)(right ? GAP : pad + GAP), "");
    }
}

/* What the edge would cut of the last column, which mostly says what is wrong: whole, below its row. */
static bool overflows(const struct grid *grid, const char *cell, size_t used)
{
    return grid->aligned && grid->edge > 0 && used + width_of(cell) > grid->edge && strcmp(cell, "-") != 0;
}

static const char *print_row(const struct grid *grid, const char *cell, bool titles)
{
    const char *below = NULL;
    size_t used = 0;
    for (size_t column = 0; column < grid->columns_len; column++) {
        const char *text = titles ? grid->columns[column].title : cell;
        if (!titles && column + 1 == grid->columns_len && overflows(grid, text, used)) {
            below = text;
        } else if (grid->aligned) {
            print_cell(grid, column, text, used, titles);
        } else {
            (void)fprintf(grid->stream, "%s%s", column > 0 ? "\t" : "", text); /* see print_cell */
        }
        used += grid->widths[column] + GAP;
        cell = titles ? cell : cell + strlen(cell) + 1;
    }
    (void)fputc('\n', grid->stream); /* see print_cell */
    if (below != NULL) {
        (void)fprintf(grid->stream, "  %s: %s\n", grid->columns[grid->columns_len - 1].title, below); /* the same */
    }
    return cell;
}

enum err grid_flush(struct grid *grid)
{
    enum err err = strbuf_error(&grid->text);
    if (err != ERR_OK) {
        return err;
    }
    const char *cell = strbuf_str(&grid->text);
    size_t rows = grid->cells / grid->columns_len;
    if (rows > 0 && grid->aligned && !grid->headed) {
        (void)print_row(grid, cell, true); /* returns the same cell */
        grid->headed = true;
    }
    for (size_t i = 0; i < rows; i++) {
        cell = print_row(grid, cell, false);
    }
    strbuf_clear(&grid->text);
    grid->cells = 0;
    return fflush(grid->stream) == 0 && ferror(grid->stream) == 0 ? ERR_OK : ERR_IO;
}
