/* SPDX-License-Identifier: Apache-2.0 */
/* template_schema: the rows of a template as JSON Schema, so that editors know keys, choices and bounds. */
#include <inttypes.h>
#include <string.h>

#include "providers/template_internal.h"

static void add_rows(struct strbuf *out, const struct config_row *rows);

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    (void)strbuf_addf(out, "\"%s\":", key);    /* the caller of all looks at the sticky error */
    (void)strbuf_add_json(out, view_of(text)); /* as above */
}

static void add_bounds(struct strbuf *out, const struct config_row *row, const char *least, const char *most)
{
    if (row->min != 0 || row->type == CONFIG_U32 || row->type == CONFIG_U64) {
        (void)strbuf_addf(out, ",\"%s\":%" PRIu64, least, row->min); /* as above */
    }
    if (row->max != 0) {
        (void)strbuf_addf(out, ",\"%s\":%" PRIu64, most, row->max);
    }
}

static void add_choices(struct strbuf *out, const char *const *choices)
{
    (void)strbuf_adds(out, "\"enum\":["); /* as above */
    for (size_t i = 0; choices[i] != NULL; i++) {
        (void)strbuf_adds(out, i > 0 ? "," : "");
        (void)strbuf_add_json(out, view_of(choices[i]));
    }
    (void)strbuf_addc(out, ']');
}

static void add_pattern(struct strbuf *out, const struct config_row *row)
{
    const char *pattern = template_row_pattern(row);
    if (pattern != NULL) {
        (void)strbuf_adds(out, ",\"pattern\":"); /* as above */
        (void)strbuf_add_json(out, view_of(pattern));
    }
}

/** YAML reads `code: 0` and `read: 2026-11-23` as other things than texts: both are taken. */
#define SCALAR "\"type\":[\"string\",\"number\",\"boolean\"]"

static void add_type(struct strbuf *out, const struct config_row *row)
{
    switch (row->type) {
    case CONFIG_BOOL:
        (void)strbuf_adds(out, "\"type\":\"boolean\""); /* as above */
        break;
    case CONFIG_U32:
    case CONFIG_U64:
        (void)strbuf_adds(out, "\"type\":\"integer\"");
        add_bounds(out, row, "minimum", "maximum");
        break;
    case CONFIG_DURATION:
        (void)strbuf_adds(out, "\"type\":\"string\",\"pattern\":\"^(0|[1-9][0-9]*)(ms|s|m|h|d)$\"");
        break;
    case CONFIG_ENUM:
        add_choices(out, row->choices);
        break;
    case CONFIG_STRINGS:
        (void)strbuf_adds(out, "\"type\":\"array\",\"items\":{" SCALAR);
        add_pattern(out, row);
        (void)strbuf_addc(out, '}');
        add_bounds(out, row, "minItems", "maxItems");
        break;
    case CONFIG_MAP:
        (void)strbuf_adds(out, "\"type\":\"object\",\"additionalProperties\":{" SCALAR);
        add_pattern(out, row);
        (void)strbuf_addc(out, '}');
        add_bounds(out, row, "minProperties", "maxProperties");
        break;
    case CONFIG_LIST:
        (void)strbuf_adds(out, "\"type\":\"array\",\"items\":{");
        add_rows(out, row->rows);
        (void)strbuf_addc(out, '}');
        add_bounds(out, row, "minItems", "maxItems");
        break;
    case CONFIG_SECTION:
        add_rows(out, row->rows);
        break;
    default:
        (void)strbuf_adds(out, SCALAR);
        add_pattern(out, row);
        add_bounds(out, row, "minLength", "maxLength");
        break;
    }
}

/** The inside of a schema object. */
static void add_rows(struct strbuf *out, const struct config_row *rows)
{
    bool first = true;
    (void)strbuf_adds(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"); /* as above */
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        (void)strbuf_addf(out, "%s\n\"%s\":{", row == rows ? "" : ",", row->name);
        add_text(out, "description", row->help);
        (void)strbuf_addc(out, ',');
        add_type(out, row);
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_adds(out, "},\"required\":[");
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if ((row->flags & CONFIG_REQUIRED) != 0) {
            (void)strbuf_addf(out, "%s\"%s\"", first ? "" : ",", row->name);
            first = false;
        }
    }
    (void)strbuf_addc(out, ']');
}

enum err template_json_schema(struct strbuf *out)
{
    (void)strbuf_adds(out, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
                           "\"title\":\"Template of a DNS service for Muster\",\n"); /* as above */
    add_rows(out, template_schema.rows);
    (void)strbuf_adds(out, "}\n");
    return strbuf_error(out);
}
