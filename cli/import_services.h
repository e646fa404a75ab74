/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * import_services: which of Muster's providers serves what another client calls by a name of its own, and where that
 * client keeps the credentials that ours needs. Static tables, pure.
 */
#include "base/view.h"

/** Where the secrets of an account are in the client's settings. */
enum import_secret {
    IMPORT_LOGIN,    /* user name and password */
    IMPORT_PASSWORD, /* the password alone */
    IMPORT_USERNAME, /* the user name is the token */
    IMPORT_HOSTS,    /* the password is that of each host: a secrets_file */
    IMPORT_PAIR,     /* "user,password" is the token */
    IMPORT_API_KEYS, /* ddclient's apikey and secretapikey */
    IMPORT_KEY_FILE, /* ddclient's nsupdate: the password is the path of a TSIG key */
    IMPORT_BY_HAND,  /* the service is there, but its account needs what the client does not have: why */
    IMPORT_NONE,     /* no provider serves it: why */
};

struct import_service {
    const char *id;       /* of the client; NULL ends a table */
    const char *provider; /* ours; NULL with IMPORT_NONE */
    enum import_secret secret;
    const char *domain; /* appended to host names of one label; NULL = none */
    bool user_is_zone;  /* the user name is the zone and nothing else */
    const char *why;    /* one line for people; NULL = nothing to say */
};

extern const struct import_service import_inadyn_services[];
extern const struct import_service import_ddclient_services[];
/** Update servers of the dyndns2 protocol by host name, which stands in `id`. */
extern const struct import_service import_servers[];

/** inadyn's `[name@]service[:number]`: the whole name, what stands behind "@", or a piece that fits only services of
 * one provider. @return NULL = none, or several. */
const struct import_service *import_find_inadyn(struct view id);
const struct import_service *import_find_ddclient(struct view id);
/** @param server host with or without a port. */
const struct import_service *import_find_server(struct view server);
