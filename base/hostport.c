/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hostport.h"

#include <string.h>

#include "base/dnsname.h"
#include "base/ip.h"

/* Offset of the colon before the port; text.len when there is none outside brackets. */
static size_t find_colon(struct view text)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == ':') {
            return i - 1;
        }
        if (text.ptr[i - 1] == ']') {
            break;
        }
    }
    return text.len;
}

static enum err check_host(struct view text, struct view *ret_host, struct errinfo *info)
{
    struct ip ip;
    bool bracketed = text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    struct view host = bracketed ? view_n(text.ptr + 1, text.len - 2) : text;
    bool is_ip = ip_parse(host, &ip) == ERR_OK;
    if (bracketed ? !is_ip || ip.family != IP_V6 : is_ip && ip.family == IP_V6) {
        return errinfo_set(info, ERR_INVALID, "hostport", 0, "an IPv6 address stands in brackets: [2001:db8::1]:8883");
    }
    char name[DNSNAME_SIZE];
    if (!is_ip && dnsname_parse(host, DNSNAME_HOST, name, info) != ERR_OK) {
        return ERR_INVALID;
    }
    *ret_host = host;
    return ERR_OK;
}

enum err hostport_parse(struct view text, struct view *ret_host, uint16_t *ret_port, struct errinfo *info)
{
    size_t colon = find_colon(text);
    if (colon == text.len) {
        return errinfo_set(info, ERR_INVALID, "hostport", 0, "the port is missing: write host:port");
    }
    uint64_t port;
    if (view_to_u64(view_n(text.ptr + colon + 1, text.len - colon - 1), UINT16_MAX, &port) != ERR_OK || port == 0) {
        return errinfo_set(info, ERR_INVALID, "hostport", 0, "the port is not a number from 1 to 65535");
    }
    struct view host;
    if (check_host(view_n(text.ptr, colon), &host, info) != ERR_OK) {
        return ERR_INVALID;
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return ERR_OK;
}

enum err hostport_check(struct view text, struct errinfo *info)
{
    struct view host;
    uint16_t port;
    return hostport_parse(text, &host, &port, info);
}
