/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dnsname.h"

#include <string.h>

static bool is_ldh(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool all_digits(struct view label)
{
    for (size_t i = 0; i < label.len; i++) {
        if (label.ptr[i] < '0' || label.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

/** Fails with the offending label in printable ASCII: it may be anything that a file or a peer held. */
static enum err refuse(struct errinfo *info, enum err err, struct view label, const char *why)
{
    char shown[DNSLABEL_MAX + 1];
    size_t len = MIN(label.len, sizeof(shown) - 1);
    for (size_t i = 0; i < len; i++) {
        shown[i] = label.ptr[i] > ' ' && label.ptr[i] < 0x7f ? label.ptr[i] : '?';
    }
    shown[len] = '\0';
    return errinfo_set(info, err, "dns", 0, "label \"%s\"%s %s", shown, label.len > len ? "..." : "", why);
}

/** One lower-cased label. @p first allows the wildcard. */
static enum err check_label(struct view label, enum dnsname_kind kind, bool first, struct errinfo *info)
{
    if (label.len == 0) {
        return refuse(info, ERR_INVALID, label, "is empty");
    }
    if (label.len > DNSLABEL_MAX) {
        return refuse(info, ERR_LIMIT, label, "is longer than 63 bytes");
    }
    if (kind == DNSNAME_RECORD && first && view_equals(label, "*")) {
        return ERR_OK;
    }
    struct view rest = label;
    if (kind == DNSNAME_RECORD && label.len > 1 && label.ptr[0] == '_') {
        rest = view_n(label.ptr + 1, label.len - 1);
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (!is_ldh(rest.ptr[i])) {
            return refuse(info, ERR_INVALID, label, "holds a character other than letters, digits and hyphens");
        }
    }
    if (rest.ptr[0] == '-' || rest.ptr[rest.len - 1] == '-') {
        return refuse(info, ERR_INVALID, label, "starts or ends with a hyphen");
    }
    return ERR_OK;
}

static void lower(char *to, struct view from)
{
    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i];
        to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    to[from.len] = '\0';
}

static enum err check_labels(struct view name, enum dnsname_kind kind, struct errinfo *info)
{
    struct view rest = name;
    struct view label = {0};
    bool first = true;
    while (true) { /* not view_next: a name that ends in a dot here has an empty last label */
        const char *dot = memchr(rest.ptr, '.', rest.len);
        label = view_n(rest.ptr, dot != NULL ? (size_t)(dot - rest.ptr) : rest.len);
        enum err err = check_label(label, kind, first, info);
        if (err != ERR_OK) {
            return err;
        }
        if (dot == NULL) {
            break;
        }
        rest = view_n(dot + 1, rest.len - label.len - 1);
        first = false;
    }
    if (kind == DNSNAME_HOST && !first && all_digits(label)) { /* RFC 1123 2.1: else it reads as an address */
        return refuse(info, ERR_INVALID, label, "is a top-level label of digits only");
    }
    return ERR_OK;
}

enum err dnsname_parse(struct view text, enum dnsname_kind kind, char ret_name[static DNSNAME_SIZE],
                       struct errinfo *info)
{
    struct view name = text;
    if (name.len > 0 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    if (name.len == 0) {
        return errinfo_set(info, ERR_INVALID, "dns", 0, "empty name");
    }
    if (name.len > DNSNAME_MAX) {
        return errinfo_set(info, ERR_LIMIT, "dns", 0, "name of %zu bytes, at most %d", name.len, DNSNAME_MAX);
    }
    char lowered[DNSNAME_SIZE];
    lower(lowered, name);
    enum err err = check_labels(view_n(lowered, name.len), kind, info);
    if (err == ERR_OK) {
        memcpy(ret_name, lowered, name.len + 1);
    }
    return err;
}

bool dnsname_in_zone(struct view name, struct view zone)
{
    if (!view_ends_with(name, zone)) {
        return false;
    }
    return name.len == zone.len || (zone.len > 0 && name.ptr[name.len - zone.len - 1] == '.');
}

struct view dnsname_relative(struct view name, struct view zone)
{
    return view_n(name.ptr, name.len > zone.len ? name.len - zone.len - 1 : 0);
}
