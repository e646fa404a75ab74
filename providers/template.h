/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * template: a service described by a YAML file in place of code: how its request is written and what its reply means.
 * The file is read by rows of base/config (template_rows.c), judged as a whole (template_check.c) and run by
 * provider_template (template.c). docs/providers.md tells people how to write one.
 *
 * A template does not change after loading and may be shared by threads; it is counted, since accounts of an old config
 * live on while a new one is loaded.
 */
#include <regex.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/config.h"
#include "providers/provider.h"

enum template_status { TEMPLATE_OK, TEMPLATE_UNDOCUMENTED, TEMPLATE_DEAD };
enum template_need { TEMPLATE_NONE, TEMPLATE_OPTIONAL, TEMPLATE_REQUIRED, TEMPLATE_SECRET /* of `username` */ };
enum template_form { TEMPLATE_FQDN, TEMPLATE_LABEL };
enum template_send {
    TEMPLATE_SEPARATE, /* a request a family */
    TEMPLATE_LIST,     /* "v4,v6" in one value where both change */
    TEMPLATE_PAIR,     /* a parameter a family, in one request */
    TEMPLATE_IPV4,     /* no IPv6 */
    TEMPLATE_ACCOUNT,  /* as the account's `ipv6` and `unchanged` say */
};
enum template_omitted { TEMPLATE_KEEPS, TEMPLATE_DELETES, TEMPLATE_DETECTS };
enum template_auth { TEMPLATE_AUTH_NONE, TEMPLATE_AUTH_BASIC, TEMPLATE_AUTH_BEARER };
enum template_per { TEMPLATE_PER_HOST, TEMPLATE_PER_ZONE };
enum template_base { TEMPLATE_BASE_NONE, TEMPLATE_BASE_DYNDNS2 };
enum template_lines { TEMPLATE_LINES_HOSTS, TEMPLATE_LINES_ANY };
enum template_one_line { TEMPLATE_ONE_LINE_NONE, TEMPLATE_ONE_LINE_ALL };
enum template_rate_of { TEMPLATE_RATE_ACCOUNT, TEMPLATE_RATE_ZONE, TEMPLATE_RATE_HOST };

/** What a reply obliges us to do. */
enum template_then {
    TEMPLATE_APPLIED,
    TEMPLATE_UNCHANGED,    /* it was so already */
    TEMPLATE_MISSING,      /* there is no such record: `create` it, or a person must */
    TEMPLATE_STOP_HOST,    /* not again, in neither family, until the config changes */
    TEMPLATE_STOP_FAMILY,  /* this family of the host not again */
    TEMPLATE_STOP_ACCOUNT, /* nothing of this account again */
    TEMPLATE_STOP_SERVICE, /* nothing of any account at this service: it refuses the client itself */
    TEMPLATE_WAIT_HOST,
    TEMPLATE_WAIT_ACCOUNT,
    TEMPLATE_SPLIT,     /* too many hosts in one request; alone, the host stops */
    TEMPLATE_MALFORMED, /* as SPLIT; before the service ever took anything it is the account that stops */
    TEMPLATE_UNKNOWN,   /* ask the authoritative server before any resend */
    TEMPLATE_THENS,
};
extern const char *const template_thens[]; /* names, NULL-terminated */

/** What a reply says about a host. Compared by address: one row of a table, or one rule. */
struct template_code {
    const char *code; /* id for people */
    const char *detail;
    enum template_then then;
    uint64_t wait_ms;
    uint8_t repeats; /* so many in a row are an alarm, and stop a host that was told APPLIED; 0 = any number */
};

struct template_request {
    struct config_position position; /* line 0: there is none */
    int method;                      /* enum http_verb */
    struct config_text url, url6;
    struct config_map query, headers, form;
    struct config_text json;
    int auth; /* enum template_auth */
    struct config_text auth_user, auth_secret;
    bool idempotent; /* the same request twice does no harm */
};

struct template_lookup {
    struct template_request request;
    int per;
    bool fresh;                /* asked before every request: the answer does not stay right */
    struct config_text list;   /* JSON pointer to an array or object */
    struct config_map where;   /* pointer in an element -> text */
    struct config_map capture; /* name -> pointer */
    struct config_text next;   /* JSON pointer: where the answer says how the next page is asked for; NULL = one page */
    const char *next_param;    /* parameter of the query that says it */
};

struct template_rule {
    struct config_position position;
    struct config_strings status;
    struct config_text line, body, matches, json, xml, equals;
    int then;
    const char *code, *detail;
    uint64_t wait;
    uint32_t repeats, address;
    /* made after loading */
    regex_t *line_regex, *body_regex, *matches_regex; /* owned by the template */
    struct template_code found;
};

struct template_rate {
    struct config_position position;
    uint32_t calls;
    uint64_t per;
    int of;
};

struct template_example {
    struct config_position position;
    uint32_t status;
    const char *body;
    int then;
    const char *code;
};

/** The file, as its rows fill it. */
struct template_config {
    struct config_position position;
    uint32_t format;
    struct config_text name;
    const char *service, *class, *since, *source, *read, *note;
    int status;
    struct {
        struct config_position position;
        int username, password, host_secrets, url;
        struct config_map options, optional_options;
    } account;
    struct {
        struct config_position position;
        uint32_t max, per_account;
        const char *separator;
        int form;
        const char *domain, *apex;
    } hosts;
    struct {
        struct config_position position;
        int send, omitted;
        const char *unchanged;
    } families;
    struct template_request request, delete, create;
    struct template_lookup lookup;
    struct {
        struct config_position position;
        int base, lines, one_line;
        struct config_list rules;
    } reply;
    struct {
        struct config_position position;
        uint32_t requests;
        struct config_list rates;
        uint64_t interval, refresh, wait;
        uint32_t ttl, ttl_min, ttl_max;
    } limits;
    struct config_list examples;
};

struct template
{
    atomic_uint refs;
    struct arena arena;
    struct template_config config;
    struct provider_ops ops; /* provider_template with what this one needs and takes */
    struct regex_list *regexes;
    bool uses_ttl, uses_type_in_lookup;
    uint64_t file_hash; /* of the user's file; 0: part of the program */
};

extern const struct config_schema template_schema;
extern const struct provider_ops provider_template;

/**
 * Reads a template. @param name stands for the file in messages; a part before ".yaml" and behind the last "/" must be
 * the template's name. @param report one line an error with line and column; untouched on success.
 * @return ERR_INVALID (report filled), ERR_NOMEM.
 */
enum err template_load_text(const char *name, struct view text, struct template **ret_template,
                            struct strbuf *report) MUST_CHECK;
/** The same from a file. @return ERR_NOTFOUND, ERR_LIMIT, ERR_IO besides. */
enum err template_load(const char *path, struct template **ret_template, struct strbuf *report) MUST_CHECK;
/** Advice for its writer: what the template declares and its requests never say. One line a mistake into @p report,
 * with @p name for the file. @return whether there was none. */
bool template_lint(const struct template *template, const char *name, struct strbuf *report);
/** Whether the account's user name is the one of a Basic login, where it may hold no colon (RFC 7617 2). */
bool template_basic_says_user(const struct template *template);
struct template *template_ref(const struct template *template);
void template_unref(struct template *template); /* NULL allowed */
/** The JSON Schema of the rows, for editors. */
enum err template_json_schema(struct strbuf *out) MUST_CHECK;
