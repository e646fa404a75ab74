/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * template: a DNS name with variables, "{id}.{site}.cams.example.net". Parsed once, rendered per device. Pure.
 */
#include "base/dnsname.h"
#include "base/err.h"
#include "base/view.h"

#define TEMPLATE_PARTS_MAX 16

enum template_variable { TEMPLATE_LITERAL, TEMPLATE_ID, TEMPLATE_SITE, TEMPLATE_LABEL, TEMPLATE_HOST };

struct template_part {
    enum template_variable kind;
    struct view text; /* literal text, or the label's key; borrowed from the parsed text */
};

struct name_template {
    struct template_part parts[TEMPLATE_PARTS_MAX];
    size_t len;
};

/** What a device puts in. */
struct template_values {
    struct view id, site, host;
    struct view (*label)(const void *context, struct view key); /* NULL pointer in the view = no such label */
    const void *context;
};

/** @return ERR_INVALID: unknown variable, unbalanced brace, character that no DNS name has (info names it). */
enum err template_parse(struct view text, struct name_template *ret_template, struct errinfo *info) MUST_CHECK;

bool template_uses_host(const struct name_template *name_template);
bool template_uses_id(const struct name_template *name_template);
/** Which label from the left is {id} and nothing else; -1 when none is. */
int template_id_label(const struct name_template *name_template);
/** Literal end of the name, from the first whole label on: the zone must be a suffix of it or it one of the zone. */
struct view template_tail(const struct name_template *name_template);

/** Renders a canonical host name. @return ERR_INVALID, ERR_LIMIT, ERR_NOTFOUND (no such label, or site or host is
 * empty), info names the part. */
enum err template_render(const struct name_template *name_template, const struct template_values *values,
                         char ret_name[static DNSNAME_SIZE], struct errinfo *info) MUST_CHECK;

/** The names of all ids at once: canonical, with "*" in the place of each {id} (shape.h). The values' id is not looked
 * at. @return as template_render, but for what only a whole name can break. */
enum err template_shape(const struct name_template *name_template, const struct template_values *values,
                        char ret_shape[static DNSNAME_SIZE]) MUST_CHECK;
