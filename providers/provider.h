/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * provider: one DNS backend as pure functions over messages: which changes go together, how a request is written, what
 * a reply means. Never touches a socket, the monotonic clock or a store; the engine does. (TSIG puts wall time into a
 * message; that is read below providers/dnsmsg.h.)
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
#include "providers/account.h"
#include "providers/batch.h"
#include "providers/dnsmsg.h"
#include "providers/limits.h"

enum provider_transport {
    PROVIDER_DNS,  /* messages framed over one TCP connection a zone, pipelined, matched by id */
    PROVIDER_HTTP, /* a request and its reply */
};

struct provider_limits {
    uint32_t batch_max, depth_max;
    size_t bytes_max; /* sum of item_size of a batch */
    bool adaptive;    /* batch and depth follow the observed service time; else they are taken as they are */
};

/** The zone a message is about. */
struct provider_zone {
    const char *name; /* canonical; borrowed */
    enum zone_mode mode;
    uint64_t epoch; /* that each data message requires; 0 = the provider cannot fence */
    void *cache;    /* the provider's own; made by it on first use, ended by cache_free */
};

enum http_verb { HTTP_VERB_GET, HTTP_VERB_POST, HTTP_VERB_PUT, HTTP_VERB_PATCH, HTTP_VERB_DELETE };

/** One request, and what its reply is read with. Owned by the engine: provider_request_init, _deinit. */
struct provider_request {
    struct strbuf body; /* DNS: the message without its length; HTTP: body */
    /* HTTP only */
    enum http_verb verb;
    struct strbuf url, headers; /* headers: "Name: value" lines, each ended by \n */
    struct view user, secret;   /* basic authentication; borrowed from the provider's state */
    /* for parse_reply only */
    uint8_t stage; /* the provider's own: which of its requests this is; 0 = the change itself */
    size_t index;  /* the provider's own: item that a lookup is about */
    uint16_t id;   /* DNS: message id, chosen by the engine before build */
    struct dnsmsg_mac mac;
};
void provider_request_init(struct provider_request *request);
void provider_request_deinit(struct provider_request *request); /* zeroises headers and url: they hold logins */

struct provider_reply {
    long status;             /* HTTP; 0 for DNS */
    struct view body;        /* borrowed */
    uint64_t retry_after_ms; /* HTTP Retry-After; 0 = none */
    uint64_t now_ms;         /* monotonic, when it came: to count by, not to wait by */
};

/** Who owns the zone by its owner record. */
struct provider_owner {
    bool present;
    uint64_t epoch;
};

struct provider_listing {
    void (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip);
    void *context;
};

struct provider_ops {
    const char *name; /* config value, [a-z0-9-]{1,32} */
    enum provider_transport transport;
    bool one_address; /* the service holds one address a name and type */

    /** Reads key and password files, checks the config. @return ERR_INVALID and others with info. */
    enum err (*open)(const struct engine_account_config *config, void **ret_state, struct errinfo *info);
    void (*close)(void *state);
    void (*limits)(const void *state, struct provider_limits *ret_limits);
    /** NULL = never makes a cache. */
    void (*cache_free)(void *cache);

    /** A change that this backend can never make: @return its error id, detail filled; NULL = fine. */
    const char *(*impossible)(const void *state, const struct batch_item *item,
                              char detail[static PROVIDER_DETAIL_MAX]);
    /** Upper bound of the bytes of one item. NULL = bytes do not matter. */
    size_t (*item_size)(const struct provider_zone *zone, const struct batch_item *item);
    /** May @p item join @p batch, which is not empty? NULL = always. */
    bool (*together)(const void *state, const struct batch *batch, const struct batch_item *item);

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

    /* Listing of a whole zone over a connection of its own; all NULL for backends without. */
    enum err (*list_begin)(void *state, const struct provider_zone *zone, const struct provider_listing *listing,
                           struct provider_request *request, void **ret_list);
    enum err (*list_feed)(void *list, struct view message, bool *ret_done, struct errinfo *info);
    void (*list_end)(void *list);
};

extern const struct provider_ops *const provider_registry[]; /* NULL-terminated */
const struct provider_ops *provider_find(struct view name);  /* NULL = unknown */
/** Comma-separated names of the registry; cut at @p size. */
void provider_names(char *buffer, size_t size);

extern const struct provider_ops provider_rfc2136;
extern const struct provider_ops provider_dyndns2;
