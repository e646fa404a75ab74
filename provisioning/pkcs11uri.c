/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pkcs11uri.h"

#include <string.h>

#include "base/crypto.h"
#include "provisioning/pkcs11.h"

#define DECODED_MAX PKCS11_PATH_MAX

struct reading {
    struct pkcs11_uri uri;
    unsigned seen; /* a bit for each row that was met */
    struct errinfo *info;
};

/** Percent-decodes. NUL is refused but in ids. */
static enum err decode(struct view text, uint8_t buffer[static DECODED_MAX], size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (len == DECODED_MAX) {
            return ERR_LIMIT;
        }
        if (text.ptr[i] != '%') {
            buffer[len++] = (uint8_t)text.ptr[i];
            continue;
        }
        if (text.len - i < 3 || crypto_unhex(view_n(text.ptr + i + 1, 2), &buffer[len], 1) != ERR_OK) {
            return ERR_PARSE;
        }
        len++;
        i += 2;
    }
    *ret_len = len;
    return ERR_OK;
}

static enum err take_token(struct pkcs11_uri *uri, struct view value)
{
    return view_copy(value, uri->token, sizeof(uri->token));
}

static enum err take_object(struct pkcs11_uri *uri, struct view value)
{
    return view_copy(value, uri->object, sizeof(uri->object));
}

static enum err take_id(struct pkcs11_uri *uri, struct view value)
{
    if (value.len > sizeof(uri->id)) {
        return ERR_LIMIT;
    }
    memcpy(uri->id, value.ptr, value.len);
    uri->id_len = value.len;
    return ERR_OK;
}

static enum err take_slot(struct pkcs11_uri *uri, struct view value)
{
    uri->has_slot = true;
    return view_to_u64(value, UINT32_MAX, &uri->slot);
}

static enum err take_type(struct pkcs11_uri *uri, struct view value)
{
    (void)uri; /* nothing else is ever looked for */
    return view_equals(value, "private") ? ERR_OK : ERR_INVALID;
}

static enum err take_module(struct pkcs11_uri *uri, struct view value)
{
    return value.len > 0 && value.ptr[0] == '/' ? view_copy(value, uri->module_path, sizeof(uri->module_path))
                                                : ERR_INVALID;
}

static enum err take_pin_source(struct pkcs11_uri *uri, struct view value)
{
    struct view scheme = VIEW_LITERAL("file:");
    if (view_starts_with(value, scheme)) {
        value = view_n(value.ptr + scheme.len, value.len - scheme.len);
    }
    return value.len > 0 && value.ptr[0] == '/' ? view_copy(value, uri->pin_source, sizeof(uri->pin_source))
                                                : ERR_INVALID;
}

static const struct attribute {
    const char *name;
    bool query;
    enum err (*take)(struct pkcs11_uri *uri, struct view value);
} attributes[] = {
    {"token", false, take_token},          {"object", false, take_object}, {"id", false, take_id},
    {"slot-id", false, take_slot},         {"type", false, take_type},     {"module-path", true, take_module},
    {"pin-source", true, take_pin_source},
};

static enum err take(struct reading *reading, struct view field, bool query)
{
    struct view name;
    struct view value = field;
    uint8_t decoded[DECODED_MAX];
    size_t len;
    if (!view_next(&value, '=', &name) || name.len == field.len) {
        return errinfo_set(reading->info, ERR_PARSE, "pkcs11", 0, "the URI has an attribute without \"=\"");
    }
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (attributes[i].query != query || !view_equals(name, attributes[i].name)) {
            continue;
        }
        if ((reading->seen >> i & 1) != 0) {
            return errinfo_set(reading->info, ERR_PARSE, "pkcs11", 0, "%s stands twice in the URI", attributes[i].name);
        }
        reading->seen |= 1u << i;
        enum err err = decode(value, decoded, &len);
        if (err == ERR_OK) {
            err = attributes[i].take(&reading->uri, view_n((const char *)decoded, len));
        }
        return err == ERR_OK ? ERR_OK
                             : errinfo_set(reading->info, err == ERR_LIMIT ? ERR_LIMIT : ERR_PARSE, "pkcs11", 0,
                                           "the URI's %s: %s", attributes[i].name, err_text(err));
    }
    if (view_equals(name, "pin-value")) {
        return errinfo_set(reading->info, ERR_PARSE, "pkcs11", 0, "a PIN does not belong into a URI: use pin-source");
    }
    return errinfo_set(reading->info, ERR_PARSE, "pkcs11", 0, "the URI's attribute %.*s is not known", VIEW_ARG(name));
}

static enum err take_all(struct reading *reading, struct view text, char separator, bool query)
{
    struct view field;
    enum err err = ERR_OK;
    while (err == ERR_OK && text.len > 0 && view_next(&text, separator, &field)) {
        err = take(reading, field, query);
    }
    return err;
}

enum err pkcs11_uri_parse(struct view text, struct pkcs11_uri *ret_uri, struct errinfo *info)
{
    struct reading reading = {.info = info};
    struct view scheme = VIEW_LITERAL(PKCS11_SCHEME);
    struct view path;
    if (!view_starts_with(text, scheme)) {
        return errinfo_set(info, ERR_PARSE, "pkcs11", 0, "not a pkcs11: URI");
    }
    struct view query = view_n(text.ptr + scheme.len, text.len - scheme.len);
    if (!view_next(&query, '?', &path)) {
        path = view_n(NULL, 0);
    }
    enum err err = take_all(&reading, path, ';', false);
    if (err == ERR_OK) {
        err = take_all(&reading, query, '&', true);
    }
    if (err != ERR_OK) {
        return err;
    }
    const struct pkcs11_uri *uri = &reading.uri;
    if (uri->module_path[0] == '\0') {
        return errinfo_set(info, ERR_INVALID, "pkcs11", 0, "the URI names no module-path");
    }
    if ((uri->token[0] == '\0' && !uri->has_slot) || (uri->object[0] == '\0' && uri->id_len == 0)) {
        return errinfo_set(info, ERR_INVALID, "pkcs11", 0, "the URI names no token, or no object or id in it");
    }
    *ret_uri = reading.uri;
    return ERR_OK;
}
