/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/config_internal.h"
#include "base/ip.h"
#include "base/units.h"

/* Appends of a failed buffer do nothing; config_dump returns its error at the end. */

static void dump_rows(const struct config_row *rows, const void *section, unsigned indent, struct strbuf *out);

static void add_indent(struct strbuf *out, unsigned indent)
{
    (void)strbuf_addf(out, "%*s", (int)indent, "");
}

/* A key that has no value to write. */
static void add_unset(const struct config_row *row, unsigned indent, struct strbuf *out)
{
    add_indent(out, indent);
    (void)strbuf_addf(out, "# %s: not set\n", row->name);
}

static bool has_required(const struct config_row *rows)
{
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if ((row->flags & CONFIG_REQUIRED) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether the field holds nothing that a file could have set. */
static bool is_unset(const struct config_row *row, const void *field)
{
    const struct ip *ip = field;
    const struct config_position *position = NULL;
    switch (row->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
    case CONFIG_HOSTPORT:
    case CONFIG_NAME:
        return *(const char *const *)field == NULL;
    case CONFIG_ADDRESS:
        return ip->family == IP_NONE;
    case CONFIG_U32:
        return row->def == NULL && *(const uint32_t *)field < row->min;
    case CONFIG_U64:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return row->def == NULL && *(const uint64_t *)field < row->min;
    case CONFIG_STRINGS:
        return ((const struct config_strings *)field)->len < row->min;
    case CONFIG_MAP:
        return ((const struct config_map *)field)->len < row->min;
    case CONFIG_LIST:
        return ((const struct config_list *)field)->len < row->min;
    case CONFIG_SECTION:
        if (row->position_offset == CONFIG_NO_POSITION || !has_required(row->rows)) {
            return false;
        }
        position = (const void *)((const char *)field + row->position_offset);
        return position->line == 0;
    default:
        return false;
    }
}

static void add_scalar(const struct config_row *row, const void *field, struct strbuf *out)
{
    char units[UNITS_TEXT_SIZE];
    char address[IP_TEXT_SIZE];
    if ((row->flags & CONFIG_SECRET) != 0) {
        (void)strbuf_adds(out, "\"<redacted>\"");
        return;
    }
    switch (row->type) {
    case CONFIG_BOOL:
        (void)strbuf_adds(out, *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_U32:
        (void)strbuf_addf(out, "%" PRIu32, *(const uint32_t *)field);
        break;
    case CONFIG_U64:
        (void)strbuf_addf(out, "%" PRIu64, *(const uint64_t *)field);
        break;
    case CONFIG_DURATION:
        (void)strbuf_adds(out, units_format_duration(*(const uint64_t *)field, units));
        break;
    case CONFIG_SIZE:
        (void)strbuf_adds(out, units_format_size(*(const uint64_t *)field, units));
        break;
    case CONFIG_ENUM:
        (void)strbuf_add_json(out, view_of(row->choices[*(const int *)field]));
        break;
    case CONFIG_ADDRESS:
        (void)ip_format(field, address);
        (void)strbuf_add_json(out, view_of(address));
        break;
    default:
        (void)strbuf_add_json(out, view_of(*(const char *const *)field)); /* valid in YAML's double quotes, too */
        break;
    }
}

static void add_strings(const struct config_row *row, const struct config_strings *strings, unsigned indent,
                        struct strbuf *out)
{
    bool secret = (row->flags & CONFIG_SECRET) != 0;
    (void)strbuf_adds(out, strings->len == 0 ? " []\n" : "\n");
    for (size_t i = 0; i < strings->len; i++) {
        add_indent(out, indent);
        (void)strbuf_adds(out, "- ");
        (void)strbuf_add_json(out, view_of(secret ? "<redacted>" : strings->items[i]));
        (void)strbuf_adds(out, "\n");
    }
}

static void add_map(const struct config_row *row, const struct config_map *map, unsigned indent, struct strbuf *out)
{
    bool secret = (row->flags & CONFIG_SECRET) != 0;
    (void)strbuf_adds(out, map->len == 0 ? " {}\n" : "\n");
    for (size_t i = 0; i < map->len; i++) {
        add_indent(out, indent);
        (void)strbuf_add_json(out, view_of(map->items[i].key));
        (void)strbuf_adds(out, ": ");
        (void)strbuf_add_json(out, view_of(secret ? "<redacted>" : map->items[i].value));
        (void)strbuf_adds(out, "\n");
    }
}

/* The dash has a line of its own: an element may start with a comment or have no key at all. */
static void add_list(const struct config_row *row, const struct config_list *list, unsigned indent, struct strbuf *out)
{
    (void)strbuf_adds(out, list->len == 0 ? " []\n" : "\n");
    for (size_t i = 0; i < list->len; i++) {
        add_indent(out, indent);
        (void)strbuf_adds(out, "-\n");
        dump_rows(row->rows, (const char *)list->items + i * row->element_size, indent + 2, out);
    }
}

static void dump_row(const struct config_row *row, const void *field, unsigned indent, struct strbuf *out)
{
    add_indent(out, indent);
    (void)strbuf_addf(out, "%s:", row->name);
    switch (row->type) {
    case CONFIG_STRINGS:
        add_strings(row, field, indent + 2, out);
        break;
    case CONFIG_MAP:
        add_map(row, field, indent + 2, out);
        break;
    case CONFIG_LIST:
        add_list(row, field, indent + 2, out);
        break;
    case CONFIG_SECTION:
        (void)strbuf_adds(out, "\n");
        dump_rows(row->rows, field, indent + 2, out);
        break;
    default:
        (void)strbuf_adds(out, " ");
        add_scalar(row, field, out);
        (void)strbuf_adds(out, "\n");
        break;
    }
}

static void dump_rows(const struct config_row *rows, const void *section, unsigned indent, struct strbuf *out)
{
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        const void *field = (const char *)section + row->offset;
        if (is_unset(row, field)) {
            add_unset(row, indent, out);
        } else {
            dump_row(row, field, indent, out);
        }
    }
}

enum err config_dump(const struct config_schema *schema, const void *root, struct strbuf *out)
{
    (void)strbuf_addf(out, "# %s: effective configuration\n", schema->title);
    dump_rows(schema->rows, root, 0, out);
    return strbuf_error(out);
}
