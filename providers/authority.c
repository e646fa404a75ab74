/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/authority.h"

#include <string.h>

#include "providers/dnsmsg.h"

struct reading {
    struct authority authority;
    const char *name;
    bool found; /* an SOA of the zone, whatever its primary */
};

static void take_soa(void *context, const struct dnsmsg_record *record)
{
    struct reading *reading = context;
    struct authority *authority = &reading->authority;
    struct view zone = view_of(record->name);
    if (record->type != DNSMSG_TYPE_SOA || reading->found || zone.len == 0 ||
        !dnsname_in_zone(view_of(reading->name), zone) ||
        view_copy(zone, authority->zone, sizeof(authority->zone)) != ERR_OK) {
        return;
    }
    reading->found = true;
    authority->ttl_s = MIN(MAX(record->ttl, (uint32_t)AUTHORITY_TTL_MIN_S), (uint32_t)AUTHORITY_TTL_MAX_S);
    authority->hosts_len = dnsmsg_host(record, authority->hosts[0]) == ERR_OK;
}

enum err authority_read(struct view wire, const char *name, struct authority *ret_authority, struct errinfo *info)
{
    struct reading reading = {.name = name};
    struct dnsmsg message;
    enum err err = dnsmsg_parse(wire, NULL, NULL, &message);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "dns", 0, "the answer about %s cannot be read: %s", name, err_text(err));
    }
    dnsmsg_each_answer(&message, take_soa, &reading);
    dnsmsg_each_authority(&message, take_soa, &reading);
    dnsmsg_deinit(&message);
    if (!reading.found) {
        return errinfo_set(info, ERR_NOTFOUND, "dns", 0, "the resolver knows no zone of %s: no SOA in its answer",
                           name);
    }
    if (reading.authority.hosts_len == 0) {
        return errinfo_set(info, ERR_NOTFOUND, "dns", 0, "the SOA of %s names no primary", reading.authority.zone);
    }
    *ret_authority = reading.authority;
    return ERR_OK;
}

static void take_server(void *context, const struct dnsmsg_record *record)
{
    struct authority *authority = context;
    char host[DNSNAME_SIZE];
    if (record->type != DNSMSG_TYPE_NS || authority->hosts_len == AUTHORITY_HOSTS_MAX ||
        strcmp(record->name, authority->zone) != 0 || dnsmsg_host(record, host) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < authority->hosts_len; i++) {
        if (strcmp(authority->hosts[i], host) == 0) {
            return;
        }
    }
    memcpy(authority->hosts[authority->hosts_len++], host, sizeof(host));
}

void authority_add_servers(struct authority *authority, struct view wire)
{
    struct dnsmsg message;
    if (dnsmsg_parse(wire, NULL, NULL, &message) == ERR_OK) {
        dnsmsg_each_answer(&message, take_server, authority);
        dnsmsg_deinit(&message);
    }
}
