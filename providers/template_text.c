/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/suggest.h"
#include "providers/template_internal.h"

enum { VALUE_MAX = 8192 /* bytes of one filled placeholder */ };

static const char *const slots[TEMPLATE_SLOTS] = {
    [TEMPLATE_SLOT_HOSTS] = "hosts",     [TEMPLATE_SLOT_HOST] = "host",
    [TEMPLATE_SLOT_FQDN] = "fqdn",       [TEMPLATE_SLOT_LABEL] = "label",
    [TEMPLATE_SLOT_ZONE] = "zone",       [TEMPLATE_SLOT_DOMAIN] = "domain",
    [TEMPLATE_SLOT_IP] = "ip",           [TEMPLATE_SLOT_IPS] = "ips",
    [TEMPLATE_SLOT_IP4] = "ip4",         [TEMPLATE_SLOT_IP6] = "ip6",
    [TEMPLATE_SLOT_MYIP] = "myip",       [TEMPLATE_SLOT_MYIPV6] = "myipv6",
    [TEMPLATE_SLOT_TYPE] = "type",       [TEMPLATE_SLOT_TTL] = "ttl",
    [TEMPLATE_SLOT_VERSION] = "version", [TEMPLATE_SLOT_USERNAME] = "username",
    [TEMPLATE_SLOT_SECRET] = "secret",   [TEMPLATE_SLOT_PASSWORD] = "password",
    [TEMPLATE_SLOT_OPTION] = "option",   [TEMPLATE_SLOT_CAPTURE] = "capture",
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/** Bytes of "{word}" at the front of @p text; 0 when it is none: a brace of JSON, say. */
static size_t braced(struct view text)
{
    size_t len = 1;
    if (text.len < 3 || text.ptr[0] != '{' || !is_letter(text.ptr[1])) {
        return 0;
    }
    while (len < text.len && (is_letter(text.ptr[len]) || strchr("0123456789._-", text.ptr[len]) != NULL) &&
           text.ptr[len] != '\0') {
        len++;
    }
    return len < text.len && text.ptr[len] == '}' ? len + 1 : 0;
}

static bool read_slot(struct view word, struct template_part *part)
{
    struct view rest = word, name;
    (void)view_next(&rest, '.', &name); /* a word is not empty */
    bool keyed = name.len < word.len;
    part->key = rest;
    for (int i = 0; i < TEMPLATE_SLOTS; i++) {
        if (view_equals(name, slots[i])) {
            part->slot = (enum template_slot)i;
            part->is_slot = true;
            return keyed ? i >= TEMPLATE_SLOT_OPTION && rest.len > 0 : i < TEMPLATE_SLOT_OPTION;
        }
    }
    return false;
}

bool template_text_next(struct view *rest, struct template_part *ret_part, struct view *ret_unknown)
{
    *ret_part = (struct template_part){.literal = *rest};
    *ret_unknown = (struct view){0};
    for (size_t i = 0; i < rest->len; i++) {
        struct view here = view_n(rest->ptr + i, rest->len - i);
        size_t len = braced(here);
        if (len > 0) {
            ret_part->literal = view_n(rest->ptr, i);
            *rest = view_n(here.ptr + len, here.len - len);
            if (!read_slot(view_n(here.ptr + 1, len - 2), ret_part)) {
                *ret_unknown = view_n(here.ptr, len);
            }
            return true;
        }
    }
    *rest = (struct view){0};
    return ret_part->literal.len > 0;
}

enum err template_text_check(struct view text, struct errinfo *info)
{
    struct template_part part;
    struct view unknown;
    while (template_text_next(&text, &part, &unknown)) {
        if (unknown.len == 0) {
            continue;
        }
        struct suggest suggest;
        suggest_init(&suggest, view_n(unknown.ptr + 1, unknown.len - 2));
        for (int i = 0; i < TEMPLATE_SLOT_OPTION; i++) {
            suggest_offer(&suggest, slots[i]);
        }
        if (suggest.best != NULL) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "unknown placeholder %.*s; did you mean {%s}?",
                               VIEW_ARG(unknown), suggest.best);
        }
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "unknown placeholder %.*s; known are hosts host fqdn label zone domain ip ips ip4 ip6 myip "
                           "myipv6 type ttl version username secret password option.NAME capture.NAME",
                           VIEW_ARG(unknown));
    }
    return ERR_OK;
}

bool template_text_uses(const char *text, enum template_slot slot)
{
    struct view rest = view_of(text), unknown;
    struct template_part part;
    while (template_text_next(&rest, &part, &unknown)) {
        if (part.is_slot && part.slot == slot) {
            return true;
        }
    }
    return false;
}

/* ---- encoding ---- */

enum part { PART_HOST, PART_PATH, PART_QUERY };

/** Which part of a URL comes after @p text. */
static enum part part_after(struct view text)
{
    size_t slashes = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '?') {
            return PART_QUERY;
        }
        slashes += text.ptr[i] == '/';
    }
    return slashes < 3 ? PART_HOST : PART_PATH;
}

/** Characters that stay besides letters, digits and "-._~": what RFC 3986 allows there and no service takes for
 * something else. */
static const char *kept(enum template_place place)
{
    return place == TEMPLATE_PLACE_QUERY ? ":," : place == TEMPLATE_PLACE_URL ? ":,@" : "";
}

static void add_percent(struct strbuf *out, struct view value, const char *keep)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool plain = is_letter(c) || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
        if (plain || (c != '\0' && strchr(keep, c) != NULL)) {
            (void)strbuf_addc(out, c); /* the caller looks at the sticky error */
        } else {
            (void)strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
}

static void add_json(struct strbuf *out, struct view value)
{
    struct strbuf quoted;
    strbuf_init(&quoted, out->cap);
    (void)strbuf_add_json(&quoted, value); /* as above */
    if (quoted.error != ERR_OK) {
        out->error = out->error == ERR_OK ? quoted.error : out->error;
    } else {
        (void)strbuf_add(out, view_n(quoted.ptr + 1, quoted.len - 2));
        crypto_zeroise(quoted.ptr, quoted.size);
    }
    strbuf_deinit(&quoted);
}

static bool is_host(struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && (c == '\0' || strchr("-.:", c) == NULL)) {
            return false;
        }
    }
    return value.len > 0;
}

static bool is_plain(struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum err add_value(enum template_place place, struct view value, struct strbuf *out)
{
    enum part part = place == TEMPLATE_PLACE_URL ? part_after(strbuf_view(out)) : PART_QUERY;
    if (!is_plain(value) || (part == PART_HOST && !is_host(value))) {
        return ERR_INVALID;
    }
    if (part == PART_HOST || place == TEMPLATE_PLACE_PLAIN) {
        (void)strbuf_add(out, value); /* as above */
    } else if (place == TEMPLATE_PLACE_JSON) {
        add_json(out, value);
    } else {
        add_percent(out, value, kept(part == PART_QUERY && place == TEMPLATE_PLACE_URL ? TEMPLATE_PLACE_QUERY : place));
    }
    return ERR_OK;
}

static void add_literal(enum template_place place, struct view literal, struct strbuf *out)
{
    bool encoded = place == TEMPLATE_PLACE_QUERY || place == TEMPLATE_PLACE_FORM;
    if (encoded) {
        add_percent(out, literal, kept(place));
    } else {
        (void)strbuf_add(out, literal); /* as above */
    }
}

enum err template_text_expand(const char *text, enum template_place place, template_fill_fn fill, void *context,
                              struct strbuf *out)
{
    struct view rest = view_of(text), unknown;
    struct template_part part;
    struct strbuf value;
    enum err err = ERR_OK;
    strbuf_init(&value, VALUE_MAX);
    while (err == ERR_OK && template_text_next(&rest, &part, &unknown)) {
        add_literal(place, part.literal, out);
        if (part.is_slot) {
            strbuf_clear(&value);
            err = fill(context, part.slot, part.key, &value) ? strbuf_error(&value) : ERR_NOTFOUND;
            err = err == ERR_OK ? add_value(place, strbuf_view(&value), out) : err;
        }
    }
    if (value.ptr != NULL) {
        crypto_zeroise(value.ptr, value.size); /* it may have been the secret */
    }
    strbuf_deinit(&value);
    return err == ERR_OK ? strbuf_error(out) : err;
}
