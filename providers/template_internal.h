/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** template_internal: what the parts of the template provider share. */
#include "base/crypto.h"
#include "base/json.h"
#include "providers/template.h"

/* ---- template_text.c: placeholders ---- */

enum template_place {
    TEMPLATE_PLACE_URL, /* text is a URL: encoded by the part that a placeholder stands in */
    TEMPLATE_PLACE_QUERY,
    TEMPLATE_PLACE_FORM,
    TEMPLATE_PLACE_JSON,
    TEMPLATE_PLACE_PLAIN, /* headers, logins, comparisons: as it is, but no control characters */
};

enum template_slot {
    TEMPLATE_SLOT_HOSTS,
    TEMPLATE_SLOT_HOST,
    TEMPLATE_SLOT_FQDN,
    TEMPLATE_SLOT_LABEL,
    TEMPLATE_SLOT_ZONE,
    TEMPLATE_SLOT_DOMAIN,
    TEMPLATE_SLOT_IP,
    TEMPLATE_SLOT_IPS,
    TEMPLATE_SLOT_IP4,
    TEMPLATE_SLOT_IP6,
    TEMPLATE_SLOT_MYIP,
    TEMPLATE_SLOT_MYIPV6,
    TEMPLATE_SLOT_TYPE,
    TEMPLATE_SLOT_TTL,
    TEMPLATE_SLOT_VERSION,
    TEMPLATE_SLOT_USERNAME,
    TEMPLATE_SLOT_SECRET,
    TEMPLATE_SLOT_PASSWORD,
    TEMPLATE_SLOT_OPTION,
    TEMPLATE_SLOT_CAPTURE,
    TEMPLATE_SLOTS,
};

struct template_part {
    struct view literal; /* before the placeholder; all of the rest at the end */
    bool is_slot;
    enum template_slot slot;
    struct view key; /* of {option.key} and {capture.key} */
};
/** Takes the next literal and placeholder off the front of @p rest. @return false at the end. @p ret_unknown: what
 * stands in braces like a placeholder and is none; empty otherwise. */
bool template_text_next(struct view *rest, struct template_part *ret_part, struct view *ret_unknown);
/** Complains of placeholders that nobody knows. */
enum err template_text_check(struct view text, struct errinfo *info);
bool template_text_uses(const char *text, enum template_slot slot);
/** Whether a body in JSON holds the account's secret. */
bool template_json_says_secret(const struct template *template);

/** Fills in one placeholder: appends plain text. False: there is no value for it. */
typedef bool (*template_fill_fn)(void *context, enum template_slot slot, struct view key, struct strbuf *out);
/** Appends @p text with its placeholders filled in, encoded for where they stand. @return ERR_NOTFOUND (no value),
 * ERR_INVALID (a value that cannot stand there), ERR_NOMEM, ERR_LIMIT. */
enum err template_text_expand(const char *text, enum template_place place, template_fill_fn fill, void *context,
                              struct strbuf *out) MUST_CHECK;

/* ---- template_rows.c ---- */
/** What the value of a row must match, for JSON Schema; NULL = anything. */
const char *template_row_pattern(const struct config_row *row);

/* ---- template_load.c ---- */
/** What the rules make of an example: `found` of the rule that decides, or a row that is no rule's. Never NULL. */
const struct template_code *template_example_code(const struct template *template,
                                                  const struct template_example *example);

/* ---- template_check.c ---- */
void template_check(void *root, struct config_errors *errors);

/* ---- template_regex.c ---- */
/** Compiles @p text, anchored at both ends: group 1 is all of it. @return ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
enum err template_regex_compile(struct view text, regex_t *ret_regex, struct errinfo *info) MUST_CHECK;

/* ---- template_cache.c: what lookups found, by host ---- */
struct template_entry {
    struct template_entry *next;
    char *values[TEMPLATE_CAPTURES_MAX]; /* owned */
    bool fresh;                          /* not used yet: a 404 does not speak against it */
    char key[];
};
enum { TEMPLATE_CACHE_BUCKETS = 256 };
struct template_cache {
    struct template_entry *buckets[TEMPLATE_CACHE_BUCKETS];
};
struct template_entry *template_cache_find(const struct template_cache *cache, const char *key);
struct template_entry *template_cache_add(struct template_cache *cache, const char *key); /* NULL without memory */
void template_cache_forget(struct template_cache *cache, const char *key);
void template_cache_free(void *cache);

/* ---- template.c: one account ---- */
struct template_host_secret {
    char *host; /* owned; canonical */
    struct secret secret;
};
struct template_account {
    struct template *template; /* counted */
    char *url;                 /* owned; the account's, or NULL */
    char *user;                /* owned; "" = none */
    struct secret secret;
    struct template_host_secret *secrets; /* owned; sorted by host */
    size_t secrets_len;
    struct config_pair *options; /* owned, both texts */
    size_t options_len;
    enum template_send send;
    bool both_in_myip; /* of TEMPLATE_ACCOUNT: {myip} carries either family */
    char *unchanged;   /* owned; "" = a family that does not change is left out */
    char *only_host;   /* owned; the name of hosts.per_account; NULL before the first */
    bool taken;        /* the service took a request: the form of ours is right */
};
const struct secret *template_account_secret(const struct template_account *account, const char *host);

/* ---- template_build.c ---- */
enum template_kind { TEMPLATE_UPDATE, TEMPLATE_CREATE, TEMPLATE_DELETE, TEMPLATE_LOOKUP };
struct template_scene {
    const struct template_account *account;
    const struct provider_zone *zone;
    const struct batch *batch;
    const struct template_entry *entry; /* captures; NULL = none */
    size_t first;                       /* item that a request for one host is about */
};
/** Number of different names in a batch. */
size_t template_hosts_of(const struct batch *batch);
bool template_fill(void *scene, enum template_slot slot, struct view key, struct strbuf *out);
enum err template_build_request(void *account, struct provider_zone *zone, struct batch *batch,
                                struct provider_request *request);
enum { TEMPLATE_KEY_SIZE = DNSNAME_SIZE + 8 };
/** Key of what a lookup found for @p item. */
void template_cache_key(const struct template *template, const struct batch_item *item,
                        char key[static TEMPLATE_KEY_SIZE]);
/** Key of the note that the record is not there, so that the next request creates it. */
void template_missing_key(const struct batch_item *item, char key[static TEMPLATE_KEY_SIZE]);
/** Key of the page on which a lookup goes on. */
void template_page_key(const struct template *template, const struct batch_item *item,
                       char key[static TEMPLATE_KEY_SIZE]);
/** @p name without the domain that host names are relative to; empty at it. False: it lies outside. */
bool template_label(const struct template *template, const struct provider_zone *zone, const char *name,
                    struct view *ret_label);

/* ---- template_match.c: one reply and the rules ---- */
struct template_reading {
    const struct template *template;
    long status;
    struct view body; /* trimmed */
    uint64_t retry_after_ms;
    struct view lines[TEMPLATE_HOSTS_MAX + 1]; /* not empty; one more than can be somebody's stands for any number */
    size_t lines_len;
    json_t *json; /* owned; NULL = none or not read */
    bool json_read;
};
void template_reading_init(struct template_reading *reading, const struct template *template,
                           const struct provider_reply *reply);
void template_reading_deinit(struct template_reading *reading);
const json_t *template_reading_json(struct template_reading *reading);
/** What the reply says about @p item. @param line of that host; NULL = it has none. Never NULL. @param ret_wait_ms of
 * the code, or what the reply asks for. */
const struct template_code *template_find(struct template_reading *reading, const struct view *line,
                                          const struct batch_item *item, uint64_t *ret_wait_ms);
/** RFC 6901. NULL = nothing there. */
const json_t *template_json_at(const json_t *json, const char *pointer);
/** Text of a scalar. False for others, null among them. */
bool template_json_text(const json_t *json, char *buffer, size_t size);
bool template_xml_text(struct view xml, const char *element, char *buffer, size_t size);

/* ---- template_base.c ---- */
/** Row of the dyndns2 protocol for the first word of a line; NULL = none. */
const struct template_code *template_dyndns2_code(struct view word, uint64_t *ret_wait_ms);
/** What an HTTP status means where no rule says. */
const struct template_code *template_status_code(enum template_base base, long status);
extern const struct template_code template_unknown;
/** Id and text of an action whose rule gives none. */
const struct template_code *template_default_code(enum template_then then);

/* ---- template_reply.c ---- */
enum err template_parse_reply(void *account, struct provider_zone *zone, struct batch *batch,
                              const struct provider_request *request, const struct provider_reply *reply,
                              struct verdict *ret_verdict);
