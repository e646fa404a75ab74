/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * account: one element of `accounts:` in the coordinator's config. Open value filled by engine_account_rows; strings
 * live in the config's arena.
 */
#include <stdint.h>

#include "base/config.h"
#include "base/crypto.h"
#include "providers/engine.h"

/** How a service of the dyndns2 protocol is told an IPv6 address. */
enum account_ipv6 {
    ACCOUNT_IPV6_MYIP,   /* alone in `myip`: each family has a request of its own */
    ACCOUNT_IPV6_LIST,   /* `myip=v4,v6` where both change, else as MYIP */
    ACCOUNT_IPV6_MYIPV6, /* in `myipv6`, beside `myip` */
    ACCOUNT_IPV6_NONE,   /* not at all */
};

struct engine_account_config {
    const char *name;
    const char *provider;          /* name of a row of provider_registry */
    const char *server;            /* rfc2136: host:port of the primary; NULL = found by the zone's SOA */
    const char *key_file;          /* rfc2136: TSIG key; NULL = unsigned */
    const char *url;               /* dyndns2: https://host/nic/update */
    const char *username;          /* dyndns2 */
    const char *password_file;     /* dyndns2 */
    int ipv6;                      /* dyndns2: enum account_ipv6 */
    const char *unchanged;         /* dyndns2, MYIPV6: the word for a family that does not change; NULL = left out */
    const char *ca_file;           /* dyndns2: roots; NULL = the system's */
    const char *verify_server;     /* host:port of an authoritative server of the zone; NULL = found */
    const char *secrets_file;      /* services with a key a host: lines "host key" */
    const char *connect_to;        /* host:port to connect to in place of the URL's */
    struct config_map options;     /* what else the provider declares */
    uint64_t timeout;              /* milliseconds, absolute deadline of one transaction */
    uint64_t retry_min, retry_max; /* milliseconds: base and cap of the backoff */
    uint32_t rate;                 /* calls a minute; 0 = no limit */
    uint32_t burst;                /* calls at once */
    uint32_t quota;                /* times the documented rates; 0 as 1 */
    uint32_t batch_max;            /* changes a message; 0 = the provider's own */
    uint32_t depth_max;            /* messages in flight; 0 = the provider's own */
    struct config_position position;
};

/** "host:port" or "[v6]:port". @return ERR_PARSE, ERR_LIMIT. */
enum err account_split_hostport(const char *text, char *ret_host, size_t size, uint16_t *ret_port) MUST_CHECK;
/** Reads a password or token without its line end from a file that others must not be able to read. @return ERR_DENIED
 * (mode), ERR_INVALID (empty), ERR_NOTFOUND, ERR_LIMIT, ERR_IO; info says which. */
enum err account_read_secret(const char *path, struct secret *ret_secret, struct errinfo *info) MUST_CHECK;
/** The same for a key file of up to @p max bytes. */
enum err account_read_file(const char *path, size_t max, struct secret *ret_secret, struct errinfo *info) MUST_CHECK;
