/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * provider: one DNS backend as pure functions over messages: which changes go together, how a request is written, what
 * a reply means. Never touches a socket, a clock or a store; the engine does, and puts the time into each request.
 * (TSIG's is read below providers/dnsmsg.h.)
 *
 * One batch is one or more requests, one after the other: build_request, then parse_reply; as long as the verdict is
 * VERDICT_CONTINUE the same batch is built again. That is how lookups are made (zone id, record ids, the present
 * RRset): the provider keeps what it learnt in the zone's `cache`, forgets it when a reply says that it is stale (404)
 * and answers CONTINUE. A native bulk call is one request for the whole batch.
 *
 * Threading: one state and one cache are used by one thread at a time. A new backend is one .c file, one row of
 * provider_registry, its replay files and a row of documentation.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "net/httphead.h"
#include "providers/account.h"
#include "providers/batch.h"
#include "providers/dnsmsg.h"
#include "providers/limits.h"

enum provider_transport {
    PROVIDER_DNS,  /* messages framed over one TCP connection a zone, pipelined, matched by id */
    PROVIDER_HTTP, /* a request and its reply */
};

/** What people are told of a backend, and where its facts come from. Static storage, or the template's. */
struct provider_about {
    const char *name;    /* value of `provider:` in an account, [a-z0-9-]{1,32} */
    const char *service; /* as people call it */
    const char *class;   /* "D2", "G", "J", "S", "R": docs/providers.md tells what they mean */
    const char *since;   /* version of Muster that had it first */
    const char *source;  /* the vendor's page */
    const char *read;    /* day it was read, YYYY-MM-DD */
    const char *note;    /* one line for people: what to write into an account; NULL = none */
};

#define PROVIDER_ALLOW_HTTP "allow_http"
#define PROVIDER_ONE_HOST   "one-host" /* error of `impossible`: the login stands for another name */

/** A key of an account's `options:`. */
struct provider_option {
    const char *name, *help;
    const char *const *choices; /* NULL-terminated; NULL = free text */
    bool required;
};

/** Fields of an account that a backend needs or may be given; others are an error that says so. */
enum provider_field {
    PROVIDER_SERVER = 1,
    PROVIDER_URL = 2,
    PROVIDER_USERNAME = 4,
    PROVIDER_PASSWORD = 8, /* password_file */
    PROVIDER_KEY = 16,     /* key_file */
    PROVIDER_SECRETS = 32, /* secrets_file */
};

enum rate_of { RATE_OF_ACCOUNT, RATE_OF_ZONE, RATE_OF_HOST /* one name and type; RATE_WRITES only */ };
enum rate_what {
    RATE_CALLS,   /* every request, lookups and listings included */
    RATE_WRITES,  /* requests of stage 0 */
    RATE_CHANGES, /* the sum of item_cost of what is written */
};

/** A documented limit. */
struct provider_rate {
    enum rate_of of;
    enum rate_what what;
    uint32_t units;
    uint32_t period_ms;
    uint32_t burst; /* a token bucket of so many, refilled with `units` a period; 0 = a sliding window: never more than
                       `units` in any period */
};

struct provider_limits {
    uint32_t batch_max;
    uint32_t depth_max;   /* batches in flight a zone; 1 where the service wants them one after the other */
    uint32_t flight_max;  /* changes in flight a zone, over all its batches; 0 = as many as batch and depth allow */
    uint32_t account_max; /* requests in flight over all zones of the account; 0 = no limit of its own */
    size_t bytes_max;     /* sum of item_size of a batch */
    bool adaptive;        /* batch and depth follow the observed service time; else they are taken as they are */
    uint32_t ttl_min, ttl_max; /* seconds, what the service takes; 0 = any; equal: it serves that and nothing else */
    uint32_t refresh_s;        /* an unchanged record must be written again after that; 0 = never */
    struct provider_rate rates[PROVIDER_RATES_MAX];
    size_t rates_len;
};

/** The zone a message is about. */
struct provider_zone {
    const char *name; /* canonical; borrowed */
    enum zone_mode mode;
    uint64_t epoch; /* that each data message requires; 0 = the provider cannot fence */
    void *cache;    /* the provider's own; made by it on first use, ended by cache_free */
    bool following; /* what became of a change is being asked: the cache keeps that change's id, not a later one's */
};

enum http_verb { HTTP_VERB_GET, HTTP_VERB_POST, HTTP_VERB_PUT, HTTP_VERB_PATCH, HTTP_VERB_DELETE };

/** Stages of a request: the change itself, lookups of the zone (its id, its records), lookups of the account (an access
 * token). While a lookup is out nothing else of that zone, or of that account, is built. */
enum { PROVIDER_STAGE_CHANGE = 0, PROVIDER_STAGE_ZONE = 1, PROVIDER_STAGE_ACCOUNT = 128 };

/** One request, and what its reply is read with. Owned by the engine: provider_request_init, _deinit. */
struct provider_request {
    int64_t wall_ms;    /* in: now, for signatures and tokens; Unix epoch */
    uint64_t now_ms;    /* in: now, monotonic, for the age of what is cached */
    struct strbuf body; /* DNS: the message without its length; HTTP: body */
    /* HTTP only */
    enum http_verb verb;
    struct strbuf url, headers; /* headers: "Name: value" lines, each ended by \n */
    struct view user, secret;   /* basic authentication; borrowed from the provider's state */
    size_t reply_max;           /* HTTP: most bytes of body; 0 = PROVIDER_HTTP_BODY_MAX */
    /* for parse_reply only */
    uint8_t stage;  /* set by build: PROVIDER_STAGE_CHANGE, or the provider's own from ZONE or ACCOUNT up */
    size_t index;   /* the provider's own: item that a lookup is about */
    uint32_t login; /* the provider's own: which of its access tokens it was sent with */
    uint16_t id;    /* DNS: message id, chosen by the engine before build */
    struct dnsmsg_mac mac;
};
void provider_request_init(struct provider_request *request);
/** Empties it for the next build: what was written, and what the last build set, is gone; the time is given. */
void provider_request_reset(struct provider_request *request, int64_t wall_ms, uint64_t now_ms);
void provider_request_deinit(struct provider_request *request); /* zeroises what was written: it holds logins */

struct provider_reply {
    long status;                        /* HTTP; 0 for DNS */
    struct view body;                   /* borrowed */
    uint64_t retry_after_ms;            /* HTTP Retry-After; 0 = none */
    uint64_t now_ms;                    /* monotonic, when it came: to count by, not to wait by */
    int64_t wall_ms;                    /* the same as Unix time */
    const struct http_headers *headers; /* HTTP; may be NULL */
};
/** Value of a reply header in any case; false when there is none. */
bool provider_reply_header(const struct provider_reply *reply, const char *name, struct view *ret_value);

/** Who owns the zone by its owner record. */
struct provider_owner {
    bool present;
    uint64_t epoch;
};

struct provider_listing {
    void (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip);
    void *context;
};

struct template;

struct provider_ops {
    struct provider_about about;
    enum provider_transport transport;
    unsigned needs, takes;                 /* enum provider_field; `takes` besides what it needs */
    const struct provider_option *options; /* terminated by name == NULL; NULL = none */
    const char *default_url;               /* HTTP: the service's own; an account's `url` replaces it (PROVIDER_URL) */
    bool plain_http;                       /* servers in the house: `url` may be http:// to this machine, and with the
                                              option PROVIDER_ALLOW_HTTP (which it declares) to others */
    bool one_address;                      /* the service holds one address a name and type */
    bool asks;   /* a repeated request is no harm only if nothing changed: an unknown outcome is settled at the
                    authoritative server. Others replace whole RRsets and are simply sent again */
    bool shared; /* can keep the rules of shared zones (engine.h) */
    bool plain;  /* asks http:// addresses too, on its own host; no secret of ours goes there */

    /** Reads key and password files, checks what `needs`, `takes` and `options` do not say (provider_open does
     * that before). @param template what a declarative backend is made from, referenced by it; NULL for others. @return
     * ERR_INVALID and others with info. */
    enum err (*open)(const struct engine_account_config *config, const struct template *template, void **ret_state,
                     struct errinfo *info);
    void (*close)(void *state);
    void (*limits)(const void *state, struct provider_limits *ret_limits);
    /** NULL = never makes a cache. */
    void (*cache_free)(void *cache);

    /** A change that this backend can never make: @return its error id, detail filled; NULL = fine. */
    const char *(*impossible)(const void *state, const struct batch_item *item,
                              char detail[static PROVIDER_DETAIL_MAX]);
    /** What one item counts against RATE_CHANGES. NULL = 1. */
    uint32_t (*item_cost)(const void *state, const struct batch_item *item);
    /** Upper bound of the bytes of one item. NULL = bytes do not matter. */
    size_t (*item_size)(const struct provider_zone *zone, const struct batch_item *item);
    /** May @p item join @p batch, which is not empty? NULL = always. */
    bool (*together)(const void *state, const struct batch *batch, const struct batch_item *item);

    /** Takes every secret of the account out of a text that a person will see. NULL = there is none that a peer could
     * give back. */
    void (*redact)(const void *state, char *text);

    /** @return ERR_LIMIT (does not fit: the engine bisects), ERR_NOMEM, ERR_CRYPTO. */
    enum err (*build_request)(void *state, struct provider_zone *zone, struct batch *batch,
                              struct provider_request *request);
    /** Fills the verdict, and each item's outcome when it is SETTLED. @return ERR_PARSE: not a reply to this request;
     *  the engine treats the outcome as unknown. */
    enum err (*parse_reply)(void *state, struct provider_zone *zone, struct batch *batch,
                            const struct provider_request *request, const struct provider_reply *reply,
                            struct verdict *ret_verdict);

    /* Fencing; all NULL for backends without. */
    enum err (*build_owner)(void *state, const struct provider_zone *zone, struct provider_request *request);
    /** Verdict SETTLED: @p ret_owner is filled. */
    enum err (*parse_owner)(void *state, const struct provider_request *request, const struct provider_reply *reply,
                            struct provider_owner *ret_owner, struct verdict *ret_verdict);
    /** Compare and set: from what was @p seen to @p epoch. The same epoch: a probe whether the zone takes updates. */
    enum err (*build_claim)(void *state, const struct provider_zone *zone, const struct provider_owner *seen,
                            uint64_t epoch, struct provider_request *request);
    /** Verdict SETTLED: claimed; FENCED: somebody else was faster. */
    enum err (*parse_claim)(void *state, const struct provider_request *request, const struct provider_reply *reply,
                            struct verdict *ret_verdict);

    /* What became of an applied change at the service's own servers: asked now and then, for the figures only
     * (Route 53's GetChange). Both NULL for backends without. The zone's cache remembers the last change's id, while
     * zone->following that of the change that is asked about: under constant change it would never be done. */
    /** @return ERR_NOTFOUND: there is nothing to ask about. */
    enum err (*build_follow)(void *state, struct provider_zone *zone, struct provider_request *request);
    enum err (*parse_follow)(void *state, struct provider_zone *zone, const struct provider_request *request,
                             const struct provider_reply *reply, bool *ret_done);

    /* Listing of a whole zone; all NULL for backends without. DNS: over a connection of its own; list_next is NULL.
     * HTTP: list_begin, then list_next builds a request (the same again when its reply did not come to list_feed) and
     * list_feed reads its reply, until that says done. */
    enum err (*list_begin)(void *state, struct provider_zone *zone, const struct provider_listing *listing,
                           struct provider_request *request, void **ret_list);
    enum err (*list_next)(void *list, struct provider_request *request);
    enum err (*list_feed)(void *list, const struct provider_request *request, const struct provider_reply *reply,
                          bool *ret_done, struct errinfo *info);
    void (*list_end)(void *list);
};

extern const struct provider_ops *const provider_registry[]; /* NULL-terminated; the ones written in C */
const struct provider_ops *provider_find(struct view name);  /* NULL = unknown */
/** Comma-separated names of the registry; cut at @p size. */
void provider_names(char *buffer, size_t size);

/** Opens a backend after the checks that are alike for all: fields that it needs, fields and options that it does not
 * know. @return as ops->open. */
enum err provider_open(const struct provider_ops *ops, const struct engine_account_config *config,
                       const struct template *template, void **ret_state, struct errinfo *info) MUST_CHECK;
/** Value of an account's option; NULL when it is not there. */
const char *provider_option(const struct engine_account_config *config, const char *name);

/** The registry: one row a provider written in C, provider_<name>. */
#define PROVIDER_ROWS(ROW)                                                                                             \
    ROW(rfc2136)                                                                                                       \
    ROW(route53)                                                                                                       \
    ROW(cloudflare)                                                                                                    \
    ROW(powerdns)                                                                                                      \
    ROW(desec)                                                                                                         \
    ROW(google)                                                                                                        \
    ROW(azure)

#define PROVIDER_DECLARE(name) extern const struct provider_ops provider_##name;
PROVIDER_ROWS(PROVIDER_DECLARE)
