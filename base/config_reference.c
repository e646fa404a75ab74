/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/config_internal.h"
#include "base/units.h"

/* Appends of a failed buffer do nothing; the public functions return its error at the end. */

#define HEADING_MAX 200 /* bytes of a dotted path in a heading */

static const char *const type_names[] = {
    [CONFIG_BOOL] = "true or false",  [CONFIG_U32] = "number",         [CONFIG_U64] = "number",
    [CONFIG_DURATION] = "duration",   [CONFIG_SIZE] = "size",          [CONFIG_STRING] = "text",
    [CONFIG_PATH] = "absolute path",  [CONFIG_HOSTPORT] = "host:port", [CONFIG_NAME] = "DNS name",
    [CONFIG_ADDRESS] = "IP address",  [CONFIG_ENUM] = "choice",        [CONFIG_STRINGS] = "list of texts",
    [CONFIG_MAP] = "keys with texts", [CONFIG_SECTION] = "section",    [CONFIG_LIST] = "list of sections",
};

/* A cell of a table: a bar would end it. */
static void add_cell(struct strbuf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        (void)strbuf_adds(out, *c == '|' ? "\\" : "");
        (void)strbuf_addc(out, *c);
    }
}

static void add_type(const struct config_row *row, struct strbuf *out)
{
    (void)strbuf_adds(out, type_names[row->type]);
    if (row->unit != NULL) {
        (void)strbuf_addf(out, " (%s)", row->unit);
    }
    for (size_t i = 0; row->type == CONFIG_ENUM && row->choices[i] != NULL; i++) {
        (void)strbuf_addf(out, "%s`%s`", i == 0 ? ": " : ", ", row->choices[i]);
    }
}

static void add_bound(const struct config_row *row, uint64_t bound, struct strbuf *out)
{
    char units[UNITS_TEXT_SIZE];
    if (row->type == CONFIG_DURATION) {
        (void)strbuf_adds(out, units_format_duration(bound, units));
    } else if (row->type == CONFIG_SIZE) {
        (void)strbuf_adds(out, units_format_size(bound, units));
    } else {
        (void)strbuf_addf(out, "%" PRIu64, bound);
    }
}

static void add_range(const struct config_row *row, struct strbuf *out)
{
    if (row->min == 0 && row->max == 0) {
        return;
    }
    if (row->max == 0) {
        (void)strbuf_adds(out, "at least ");
        add_bound(row, row->min, out);
    } else {
        add_bound(row, row->min, out);
        (void)strbuf_adds(out, " to ");
        add_bound(row, row->max, out);
    }
    bool text = row->type >= CONFIG_STRING && row->type <= CONFIG_NAME;
    bool items = row->type == CONFIG_STRINGS || row->type == CONFIG_MAP || row->type == CONFIG_LIST;
    (void)strbuf_adds(out, text ? " bytes" : items ? " items" : "");
}

static void add_default(const struct config_row *row, struct strbuf *out)
{
    if ((row->flags & CONFIG_REQUIRED) != 0) {
        (void)strbuf_adds(out, "**required**");
    } else if (row->def != NULL) {
        (void)strbuf_adds(out, "`");
        add_cell(out, row->def);
        (void)strbuf_adds(out, "`");
    } else if (row->type == CONFIG_BOOL) {
        (void)strbuf_adds(out, "`false`");
    } else if (row->type == CONFIG_ENUM) {
        (void)strbuf_addf(out, "`%s`", row->choices[0]);
    }
}

static void add_row(const struct config_row *row, struct strbuf *out)
{
    (void)strbuf_addf(out, "| `%s` | ", row->name);
    add_type(row, out);
    (void)strbuf_adds(out, " | ");
    add_default(row, out);
    (void)strbuf_adds(out, " | ");
    add_range(row, out);
    (void)strbuf_adds(out, (row->flags & CONFIG_RELOADABLE) != 0 ? " | yes | " : " | | ");
    add_cell(out, row->help);
    (void)strbuf_adds(out, " |\n");
}

static void add_section(const struct config_row *rows, const char *heading, const char *help, struct strbuf *out)
{
    (void)strbuf_addf(out, "\n## %s\n\n", heading[0] != '\0' ? heading : "Top level");
    if (help != NULL) {
        (void)strbuf_addf(out, "%s\n\n", help);
    }
    (void)strbuf_adds(out, "| Key | Type | Default | Range | Reload | Meaning |\n|---|---|---|---|---|---|\n");
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        add_row(row, out);
    }
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if (row->rows != NULL) {
            struct strbuf path;
            strbuf_init(&path, HEADING_MAX);
            (void)strbuf_addf(&path, "%s%s%s%s", heading, heading[0] != '\0' ? "." : "", row->name,
                              row->type == CONFIG_LIST ? "[]" : "");
            add_section(row->rows, strbuf_str(&path), row->help, out);
            strbuf_deinit(&path);
        }
    }
}

enum err config_reference(const struct config_schema *schema, struct strbuf *out)
{
    (void)strbuf_addf(out, "# Configuration of %s\n\nGenerated from the program's own table; do not edit.\n\n",
                      schema->title);
    (void)strbuf_adds(
        out, "YAML, UTF-8, at most 256 KiB, without anchors, aliases and tags. Durations are a number and a unit "
             "(`250ms`, `60s`, `15m`, `1h`, `25d`),\nsizes a number of bytes or one with a unit (`64KiB`, "
             "`1MiB`, `2GiB`). Keys marked *Reload* are applied at SIGHUP.\n");
    add_section(schema->rows, "", NULL, out);
    return strbuf_error(out);
}

enum err config_reference_section(const struct config_row *rows, const char *heading, const char *help,
                                  struct strbuf *out)
{
    add_section(rows, heading, help, out);
    return strbuf_error(out);
}

static void add_words(const struct config_row *rows, struct strbuf *out)
{
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        (void)strbuf_addf(out, "\"%s:\"\n", row->name);
        for (size_t i = 0; row->type == CONFIG_ENUM && row->choices[i] != NULL; i++) {
            (void)strbuf_addf(out, "\"%s\"\n", row->choices[i]);
        }
        if (row->rows != NULL) {
            add_words(row->rows, out);
        }
    }
}

enum err config_dictionary(const struct config_schema *schema, struct strbuf *out)
{
    add_words(schema->rows, out);
    return strbuf_error(out);
}
