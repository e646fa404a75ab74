/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_checks.h"

#include <sys/un.h>

#include "base/hostport.h"

enum err config_check_service(struct view value, struct errinfo *info)
{
    if (view_starts_with(value, VIEW_LITERAL("svc-"))) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "config", 0, "must be the certificate's name and start with \"svc-\"");
}

enum err config_check_socket(struct view value, struct errinfo *info)
{
    size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    if (value.len <= most) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "config", 0, "a socket's path has at most %zu bytes; choose a shorter one",
                       most);
}

enum err config_check_mode(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '7') {
            return errinfo_set(info, ERR_INVALID, "config", 0, "not octal; write permission bits such as \"0660\"");
        }
    }
    if (value.len == 4 && value.ptr[0] != '0') {
        return errinfo_set(info, ERR_INVALID, "config", 0, "more than permission bits; write such as \"0660\"");
    }
    return ERR_OK;
}

enum err config_check_listen(struct view value, struct errinfo *info)
{
    struct view host;
    struct ip ip;
    uint16_t port;
    enum err err = hostport_parse(value, &host, &port, info);
    if (err == ERR_OK && ip_parse(host, &ip) != ERR_OK) {
        err = errinfo_set(info, ERR_INVALID, "config", 0, "not an address and port; write such as \"[::]:3478\"");
    }
    return err;
}

enum err config_loopback(const char *text, struct ip *ret_ip, uint16_t *ret_port, struct errinfo *info)
{
    struct view host;
    struct errinfo ignored;
    enum err err = hostport_parse(view_of(text), &host, ret_port, &ignored);
    if (err == ERR_OK) {
        err = ip_parse(host, ret_ip);
    }
    if (err != ERR_OK || ip_classify(ret_ip) != IP_CLASS_LOOPBACK) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "%s is not a loopback address and port; use 127.0.0.1:9188",
                           text);
    }
    return ERR_OK;
}
