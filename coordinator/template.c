/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/template.h"

#include <string.h>

static enum err parse_variable(struct view name, struct template_part *ret_part, struct errinfo *info)
{
    static const struct {
        const char *name;
        enum template_variable kind;
    } variables[] = {{"id", TEMPLATE_ID}, {"site", TEMPLATE_SITE}, {"host", TEMPLATE_HOST}};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (view_equals(name, variables[i].name)) {
            *ret_part = (struct template_part){.kind = variables[i].kind};
            return ERR_OK;
        }
    }
    struct view prefix = VIEW_LITERAL("labels.");
    if (view_starts_with(name, prefix) && name.len > prefix.len) {
        *ret_part = (struct template_part){.kind = TEMPLATE_LABEL,
                                           .text = view_n(name.ptr + prefix.len, name.len - prefix.len)};
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "config", 0,
                       "unknown variable {%.*s}: use {id}, {site}, {host} or {labels.KEY}", VIEW_ARG(name));
}

static enum err check_literal(struct view text, struct errinfo *info)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!ok) {
            return errinfo_set(info, ERR_INVALID, "config", 0,
                               "'%c' cannot stand in a host name: use a-z, 0-9, \"-\" and \".\"",
                               c >= 0x20 && c < 0x7f ? c : '?');
        }
    }
    return ERR_OK;
}

/* Length of the next part: up to the next "{", or through the next "}". 0 when a brace is not closed. */
static size_t part_length(struct view rest)
{
    char until = rest.ptr[0] == '{' ? '}' : '{';
    const char *end = memchr(rest.ptr, until, rest.len);
    if (until == '}') {
        return end == NULL ? 0 : (size_t)(end - rest.ptr) + 1;
    }
    return end == NULL ? rest.len : (size_t)(end - rest.ptr);
}

enum err template_parse(struct view text, struct name_template *ret_template, struct errinfo *info)
{
    struct name_template parsed = {.len = 0};
    while (text.len > 0) {
        if (parsed.len == TEMPLATE_PARTS_MAX) {
            return errinfo_set(info, ERR_LIMIT, "config", 0, "more than %d parts", TEMPLATE_PARTS_MAX);
        }
        size_t length = part_length(text);
        if (length == 0) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "\"{\" without \"}\"");
        }
        struct template_part *part = &parsed.parts[parsed.len++];
        enum err err;
        if (text.ptr[0] == '{') {
            err = parse_variable(view_n(text.ptr + 1, length - 2), part, info);
        } else {
            *part = (struct template_part){.kind = TEMPLATE_LITERAL, .text = view_n(text.ptr, length)};
            err = check_literal(part->text, info);
        }
        if (err != ERR_OK) {
            return err;
        }
        text = view_n(text.ptr + length, text.len - length);
    }
    *ret_template = parsed;
    return ERR_OK;
}

static bool uses(const struct name_template *name_template, enum template_variable kind)
{
    for (size_t i = 0; i < name_template->len; i++) {
        if (name_template->parts[i].kind == kind) {
            return true;
        }
    }
    return false;
}

bool template_uses_host(const struct name_template *name_template)
{
    return uses(name_template, TEMPLATE_HOST);
}

bool template_uses_id(const struct name_template *name_template)
{
    return uses(name_template, TEMPLATE_ID);
}

int template_id_label(const struct name_template *name_template)
{
    int label = 0;
    bool at_start = true;
    for (size_t i = 0; i < name_template->len; i++) {
        const struct template_part *part = &name_template->parts[i];
        if (part->kind == TEMPLATE_ID && at_start) {
            const struct template_part *next = i + 1 < name_template->len ? part + 1 : NULL;
            bool whole = next == NULL || (next->kind == TEMPLATE_LITERAL && next->text.ptr[0] == '.');
            return whole ? label : -1;
        }
        if (part->kind == TEMPLATE_LITERAL) {
            for (size_t k = 0; k < part->text.len; k++) {
                label += part->text.ptr[k] == '.';
            }
            at_start = part->text.ptr[part->text.len - 1] == '.';
        } else {
            at_start = false; /* other variables are single labels: their values hold no dots */
        }
    }
    return -1;
}

struct view template_tail(const struct name_template *name_template)
{
    if (name_template->len == 0) {
        return (struct view){0};
    }
    const struct template_part *last = &name_template->parts[name_template->len - 1];
    if (last->kind != TEMPLATE_LITERAL) {
        return (struct view){0};
    }
    if (name_template->len == 1) {
        return last->text;
    }
    const char *dot = memchr(last->text.ptr, '.', last->text.len);
    if (dot == NULL) {
        return (struct view){0};
    }
    size_t skip = (size_t)(dot - last->text.ptr) + 1;
    return view_n(last->text.ptr + skip, last->text.len - skip);
}

static struct view value_of(const struct template_part *part, const struct template_values *values)
{
    switch (part->kind) {
    case TEMPLATE_LITERAL:
        return part->text;
    case TEMPLATE_ID:
        return values->id;
    case TEMPLATE_SITE:
        return values->site;
    case TEMPLATE_HOST:
        return values->host;
    case TEMPLATE_LABEL:
        return values->label != NULL ? values->label(values->context, part->text) : (struct view){0};
    }
    return (struct view){0};
}

/* The parts with their values, not yet a name. */
static enum err join(const struct name_template *name_template, const struct template_values *values,
                     char ret_text[static DNSNAME_SIZE], size_t *ret_len, struct errinfo *info)
{
    size_t len = 0;
    for (size_t i = 0; i < name_template->len; i++) {
        const struct template_part *part = &name_template->parts[i];
        struct view value = value_of(part, values);
        if (value.len == 0) {
            return errinfo_set(info, ERR_NOTFOUND, "registry", 0,
                               "the name needs %s%.*s, which the device does not have",
                               part->kind == TEMPLATE_SITE   ? "{site}"
                               : part->kind == TEMPLATE_HOST ? "{host}"
                                                             : "label ",
                               VIEW_ARG(part->text));
        }
        if (part->kind != TEMPLATE_LITERAL && memchr(value.ptr, '.', value.len) != NULL) {
            return errinfo_set(
                info, ERR_INVALID, "registry", 0, "label %.*s holds a dot: one label of a name only",
                VIEW_ARG(part->text)); /* else template_id_label would be wrong about the place of {id} */
        }
        if (value.len > DNSNAME_MAX - len) {
            return errinfo_set(info, ERR_LIMIT, "registry", 0, "the name is longer than %d bytes", DNSNAME_MAX);
        }
        memcpy(ret_text + len, value.ptr, value.len);
        len += value.len;
    }
    *ret_len = len;
    return ERR_OK;
}

enum err template_render(const struct name_template *name_template, const struct template_values *values,
                         char ret_name[static DNSNAME_SIZE], struct errinfo *info)
{
    char text[DNSNAME_SIZE];
    size_t len;
    enum err err = join(name_template, values, text, &len, info);
    return err == ERR_OK ? dnsname_parse(view_n(text, len), DNSNAME_HOST, ret_name, info) : err;
}

enum err template_shape(const struct name_template *name_template, const struct template_values *values,
                        char ret_shape[static DNSNAME_SIZE])
{
    struct template_values open = *values;
    size_t len;
    open.id = VIEW_LITERAL("*");
    enum err err = join(name_template, &open, ret_shape, &len, NULL);
    if (err != ERR_OK) {
        return err;
    }
    len -= len > 0 && ret_shape[len - 1] == '.'; /* as a canonical name */
    for (size_t i = 0; i < len; i++) {
        char c = ret_shape[i];
        ret_shape[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    ret_shape[len] = '\0';
    return ERR_OK;
}
