/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/registry_host.h"

#include <string.h>

#include "base/dnsname.h"

#define SUBNET_BYTES 8 /* before the interface id */

enum err registry_check_label(struct view value, struct errinfo *info)
{
    char name[DNSNAME_SIZE];
    if (memchr(value.ptr, '.', value.len) != NULL) {
        return errinfo_set(info, ERR_INVALID, "registry", 0, "one label of a host name: no dots");
    }
    return dnsname_parse(value, DNSNAME_HOST, name, info);
}

static enum err check_mac(struct view value, struct errinfo *info)
{
    struct host_id id;
    enum err err = host_id_of_mac(value, &id);
    if (err == ERR_OK) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "registry", 0, "%s",
                       err == ERR_PARSE ? "a MAC address, such as 00:11:22:aa:bb:cc"
                                        : "the MAC address of one interface: not a group's, not all zero");
}

const struct config_row host_rows[] = {
    {.name = "name",
     .type = CONFIG_STRING,
     .offset = offsetof(struct host_row, name),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 63,
     .check = registry_check_label,
     .help = "value of {host}"},
    {.name = "suffix",
     .type = CONFIG_ADDRESS,
     .offset = offsetof(struct host_row, suffix),
     .help = "low bits of the host's address, such as ::10; those that the prefix covers do not count. Or use mac"},
    {.name = "mac",
     .type = CONFIG_STRING,
     .offset = offsetof(struct host_row, mac),
     .check = check_mac,
     .help = "MAC address whose EUI-64 is the host's interface id, where it makes its address itself (SLAAC without "
             "privacy extensions); needs a prefix of /64 or shorter"},
    {.name = "subnet",
     .type = CONFIG_U32,
     .offset = offsetof(struct host_row, subnet),
     .max = UINT32_MAX,
     .def = "0",
     .help = "number of the host's /64 in a prefix that is shorter, counted from 0; with a suffix of at most 64 bits. "
             "A host that the prefix has no room for has no AAAA record, which the device's name error tells"},
    {.name = "ip4",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct host_row, ip4),
     .def = "false",
     .help =
         "the host is reachable through a port of the gateway: templates with type A give it the gateway's address"},
    {0},
};

/* A subnet places an interface id of 64 bits; a suffix alone is as long as the prefix leaves room. */
struct host_id host_row_id(const struct host_row *row)
{
    struct host_id id = {.suffix = row->suffix, .subnet = row->subnet, .is_64 = row->subnet != 0};
    if (row->mac != NULL && host_id_of_mac(view_of(row->mac), &id) != ERR_OK) {
        id.suffix = (struct ip){0}; /* check_mac has refused it: the load fails */
    }
    return id;
}

static bool stands_before(const struct host_row *hosts, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(hosts[i].name, hosts[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_host(const struct host_row *host, struct config_errors *errors)
{
    static const uint8_t none[16];
    bool has_suffix = host->suffix.family != IP_NONE;
    if (has_suffix == (host->mac != NULL)) {
        config_error(errors, &host->position, "devices: host %s: give either suffix or mac", host->name);
    } else if (has_suffix && host->suffix.family != IP_V6) {
        config_error(errors, &host->position,
                     "devices: host %s: its suffix is the low half of an IPv6 address, such as ::10", host->name);
    } else if (has_suffix && memcmp(host->suffix.bytes, none, sizeof(none)) == 0) {
        config_error(errors, &host->position,
                     "devices: host %s: a suffix of zeros makes the address of all routers (RFC 4291 2.6.1), no host's",
                     host->name);
    } else if (has_suffix && host->subnet != 0 && memcmp(host->suffix.bytes, none, SUBNET_BYTES) != 0) {
        config_error(errors, &host->position,
                     "devices: host %s: with a subnet its suffix is at most 64 bits long, such as ::10", host->name);
    }
}

void host_rows_check(const struct host_row *hosts, size_t len, struct config_errors *errors)
{
    for (size_t i = 0; i < len; i++) {
        check_host(&hosts[i], errors);
        if (stands_before(hosts, i)) {
            config_error(errors, &hosts[i].position, "devices: host %s stands twice; rename one", hosts[i].name);
        }
    }
}
