/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * import_plan: another client's configuration as Muster's: accounts, zones, one device with the names (or one device a
 * name), files of secrets, and a note for everything that has no equivalent, by line. Pure.
 */
#include "base/strbuf.h"
#include "cli/import.h"
#include "cli/import_rules.h"
#include "cli/import_services.h"
#include "providers/catalogue.h"

#define IMPORT_NAMES_MAX    8            /* of one device, as the coordinator's configuration has it */
#define IMPORT_ACCOUNTS_MAX 256          /* the same */
#define IMPORT_RECORDS_MAX  1024         /* host names of one file */
#define IMPORT_TEXT_MAX     (256u << 10) /* of a file that is written */

/** What differs between the clients. */
struct import_client {
    const char *name; /* "inadyn" */
    import_parse_fn parse;
    const struct import_rule *rules;
    const char *user_key, *refresh_key, *ca_key;
};
extern const struct import_client import_inadyn, import_ddclient;

struct import_options {
    const char *folder; /* absolute: where the files will be */
    const char *device; /* id of the device that has all names */
    bool each;          /* every name is a device of its own, whatever `device` says */
    const char *broker; /* host:port */
    const char *certs;  /* folder of the coordinator's certificates and keys */
    /* Authoritative servers for accounts whose service cannot be asked what it did: "ACCOUNT=host:port", or "host:port"
     * for those that none names. */
    const char *const *verify;
    size_t verify_len;
    struct catalogue *catalogue; /* says which accounts need one; NULL = none does */
};

struct import_note {
    const char *path;     /* of the included file that the line is in; NULL: the file itself */
    uint32_t line, place; /* place: as in import.h */
    bool lost;            /* names that Muster will not write */
    const char *text;
};

struct import_account {
    const char *name;
    const struct import_service *service;
    const char *provider, *username, *password, *url, *server, *ca_file; /* NULL = none */
    const char *verify;                                                  /* the same */
    bool proxied, ttl_auto;                                              /* options that Cloudflare has */
    bool shares;                                                         /* its zones can be `mode: shared` */
    struct strbuf hosts;                                                 /* lines "host password" */
};

struct import_zone {
    const char *name;
    size_t account;
    uint64_t refresh_s; /* 0 = as the service demands */
};

struct import_name {
    const char *name;
    size_t zone;
    bool v4, v6;
    uint32_t ttl; /* 0 = the default */
};

struct import_plan {
    struct arena arena;
    const struct import_file *file; /* borrowed: what it was made of */
    struct import_note *notes;      /* by line */
    size_t notes_len, notes_size;
    struct import_account *accounts;
    size_t accounts_len;
    struct import_zone *zones;
    size_t zones_len;
    struct import_name *names;
    size_t names_len;
    enum err err; /* of memory */
};

/** @return ERR_NOMEM. Call import_plan_deinit in any case. */
enum err import_plan_make(const struct import_client *client, const struct import_file *file,
                          const struct import_options *options, struct import_plan *ret_plan) MUST_CHECK;
void import_plan_deinit(struct import_plan *plan);
bool import_plan_lost(const struct import_plan *plan); /* a name or an account was left out */

/* The files, without a secret in them. @return the buffer's error. */
enum err import_plan_coordinator(const struct import_plan *plan, const struct import_client *client,
                                 const struct import_options *options, struct strbuf *out) MUST_CHECK;
enum err import_plan_registry(const struct import_plan *plan, const struct import_options *options,
                              struct strbuf *out) MUST_CHECK;
/** Name of the file of an account's secrets within the folder; @return false: it has none. */
bool import_secret_name(const struct import_account *account, char *buffer, size_t size);
