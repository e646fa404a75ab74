/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * engine: turns single RRset changes into the fewest provider calls. Owns sockets, timers, retries, rate budgets,
 * circuit breakers; the providers behind it are pure (providers/provider.h). One engine a process, loop thread only.
 *
 * A zone is a queue of changes keyed by (name, type): a newer change of an RRset replaces a waiting one (coalescing);
 * while one is in an unanswered message the newer waits behind it (never an RRset in two unanswered messages). Changes
 * go out in order of arrival, up to the provider's batch limit and depth, both adapted to the service time observed. A
 * failed batch is bisected so that one poison record never blocks the others.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "net/loop.h"
#include "providers/limits.h"
#include "providers/rrset.h"

struct engine;
struct engine_account;
struct engine_zone;

enum outcome {
    OUTCOME_APPLIED, /* the authoritative side holds it now */
    OUTCOME_REFUSED, /* permanent until something changes: the change leaves the queue */
    OUTCOME_RETRY,   /* told for status only: the change stays queued until retry_ms */
    OUTCOME_UNKNOWN, /* told for status only: the engine settles it (raise the epoch and resend, or ask the
                        authoritative server) */
};
const char *outcome_name(enum outcome outcome);

struct engine_result {
    const char *name;
    enum rrtype type;
    uint64_t rev; /* of the change that was settled */
    enum outcome outcome;
    const struct rrset_value *value; /* what is now served, when APPLIED */
    const char *error; /* id for people and JSON: "refused", "foreign", "badauth", "notauth", "badtime", "rate-limited",
                          ...; NULL when APPLIED */
    const char *alarm; /* id; not NULL: a person must act, whatever the outcome; detail says what is to be done */
    const char *detail; /* one line of cause and remedy, "" allowed */
    uint64_t retry_ms;  /* monotonic time of the next try, RETRY only */
    uint32_t attempts;
};

/** Called on the loop thread. None may free the zone; all other calls are allowed inside. */
struct engine_zone_callbacks {
    /** A batch was settled; results live for the call. */
    void (*settled)(void *context, const struct engine_result *results, size_t results_len);
    /**
     * The writer must (re)claim the zone: the owner TXT showed @p seen_epoch (0 when absent). Make max(store, seen) + 1
     * durable, then call engine_zone_claimed. Called at start, reconnect and after an unknown outcome, for providers
     * that can fence.
     */
    void (*claim)(void *context, struct engine_zone *zone, uint64_t seen_epoch);
    /** The zone's server or service begins to fail: @p error is an id, @p detail cause and remedy. Once, until it is
     * over: then @p error is NULL and @p detail "". May be NULL. */
    void (*trouble)(void *context, struct engine_zone *zone, const char *error, const char *detail);
    /** Another writer holds a newer epoch: this one stops; the owner decides (engine_zone_resume claims again). */
    void (*deposed)(void *context, struct engine_zone *zone);
};

enum zone_mode { ZONE_DEDICATED, ZONE_SHARED };

/** What a service told us never to ask for again: a name, or everything of an account. */
struct engine_stop {
    const char *account; /* its name in the config */
    const char *name;    /* "" = the whole account */
    enum rrtype type;    /* of a name: this type of it */
    bool both;           /* of a name: both types */
    const char *error, *detail;
};
typedef void (*engine_stop_fn)(void *context, const struct engine_stop *stop);

enum err engine_new(struct loop *loop, struct engine **ret_engine) MUST_CHECK;
void engine_free(struct engine *engine);
/** @p stopped is called on the loop thread when a service stops a name or an account, so that the stop can be kept over
 * a restart; from inside it only engine_zone_submit and engine_zone_status may be called. */
void engine_on_stop(struct engine *engine, engine_stop_fn stopped, void *context);

struct catalogue;
/** What the providers of accounts are looked up in from now on; counted. Without it: what is part of the program. */
void engine_use_catalogue(struct engine *engine, struct catalogue *catalogue);

/** Rows of `accounts:` in the coordinator's config: provider name, server or endpoint, TSIG or login, limits. */
extern const struct config_row engine_account_rows[];
struct engine_account_config; /* providers/account.h */
struct provider_limits;       /* providers/provider.h */
struct provider_rate;         /* the same */
struct template;
size_t engine_account_config_size(void);

/** @return ERR_INVALID (info: what and remedy: unknown provider, unreadable key file, ...). */
enum err engine_account_new(struct engine *engine, const struct engine_account_config *config,
                            struct engine_account **ret_account, struct errinfo *info) MUST_CHECK;

/** Ends an account that no zone uses any more (config reload). NULL allowed; engine_free ends those that are left. */
void engine_account_free(struct engine_account *account);

/** Digest of everything in @p config and in the files that it names: a stop holds as long as it stays the same. A file
 * that cannot be read counts as empty. @param template that serves the account, of which a user's own counts, too: it
 * may be what the service refused. NULL = none. */
void engine_account_fingerprint(const struct engine_account_config *config, const struct template *template,
                                uint8_t ret_digest[static 32]);
/** Puts a stop back that was told earlier; `account` is not looked at. @return ERR_NOMEM, ERR_INVALID. */
enum err engine_account_restore_stop(struct engine_account *account, const struct engine_stop *stop) MUST_CHECK;
/** Borrowed texts and limits: until the account's next change. */
struct engine_account_status {
    const char *state;          /* "running", "backing-off", "broken" (stopped) */
    const char *error, *detail; /* "" when it is well */
    size_t requests;            /* HTTP, in flight */
    uint64_t wait_ms;           /* until its rates let the next write go */
    const struct provider_limits *limits;
};
/** What is left now of a rate of the account's own limits. @return false: it is one of a zone or host. */
bool engine_account_left(struct engine_account *account, const struct provider_rate *rate, uint64_t *ret_units);
void engine_account_status(struct engine_account *account, struct engine_account_status *ret_status);
/** A person cleared it. @param name a name, or NULL: the account and all its names. @return how many stops there were;
 * what was refused because of them must be submitted again. */
size_t engine_account_clear_stops(struct engine_account *account, const char *name);

struct engine_zone_options {
    const char *name; /* zone, canonical; copied */
    enum zone_mode mode;
    struct engine_account *account; /* borrowed, outlives the zone */
    bool deposed; /* begins as if another writer had been found, so nothing is claimed before engine_zone_resume;
                     ignored where the provider cannot fence */
    struct engine_zone_callbacks callbacks;
    void *context;
};
enum err engine_zone_new(struct engine *engine, const struct engine_zone_options *options,
                         struct engine_zone **ret_zone) MUST_CHECK;
void engine_zone_free(struct engine_zone *zone); /* unanswered messages are abandoned: their outcome is unknown to the
                                                    store. A zone of the same name that is made within a minute settles
                                                    them (claims, or asks) before it sends such an RRset again */

/** Queues or coalesces one change; sent on the loop's next turn at the earliest. In a shared zone `have` is what the
 * last APPLIED result told, also when the store has not committed it yet. @return ERR_NOMEM, ERR_INVALID (name outside
 * the zone). */
enum err engine_zone_submit(struct engine_zone *zone, const struct rrset_change *change) MUST_CHECK;
/** The owner's answer to `claim`: @p epoch is durable. @p err not ERR_OK: the claim failed, the engine asks again with
 * backoff. */
void engine_zone_claimed(struct engine_zone *zone, uint64_t epoch, enum err err);
void engine_zone_resume(struct engine_zone *zone);

/** Reads the whole zone (AXFR or listing). @p each per RRset that Muster could own (A, AAAA), @p done once: ERR_OK
 * means complete. */
struct engine_listing {
    void (*each)(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct rrset_value *value);
    void (*done)(void *context, enum err err, const char *detail);
    void *context;
    unsigned pages_max; /* HTTP: no more pages than these; 0 = all. DNS has none */
    bool asked;         /* by a person, at once: also of an account that is stopped, or that waits */
};
enum err engine_zone_list(struct engine_zone *zone, const struct engine_listing *listing)
    MUST_CHECK; /* ERR_UNSUPPORTED, ERR_STATE (one runs), ERR_DENIED (the account is stopped) */

/** What a change would be sent as. No text holds a secret. */
struct engine_preview {
    const char *stage;  /* "change", or the lookup whose answer the change needs first; static */
    const char *method; /* HTTP's, or UPDATE; static */
    struct strbuf url;  /* DNS: server and port */
    struct strbuf headers, body;
    size_t bytes;                         /* of the body, or of the DNS message */
    char impossible[PROVIDER_DETAIL_MAX]; /* ERR_UNSUPPORTED: why the service cannot make such a change */
};
/** Builds with what the zone's cache knows, and sends nothing, no lookup either: who asks for a dry run is promised
 * that, and some services count or log what is asked. @return ERR_UNSUPPORTED, ERR_AGAIN (a lookup is under
 * way), and as a build. engine_preview_deinit in any case. */
enum err engine_zone_preview(struct engine_zone *zone, const struct rrset_change *change,
                             struct engine_preview *ret_preview) MUST_CHECK;
void engine_preview_deinit(struct engine_preview *preview);

/** The TTL that a record gets for @p ttl: what the provider takes. */
uint32_t engine_zone_ttl(const struct engine_zone *zone, uint32_t ttl);
/** Seconds after which an unchanged record must be written again; 0 = never. */
uint32_t engine_zone_refresh_s(const struct engine_zone *zone);

struct engine_zone_status {
    const char *state;         /* "claiming", "running", "backing-off", "deposed", "broken" (circuit open) */
    size_t waiting, in_flight; /* changes */
    uint64_t epoch;
    uint64_t messages, changes, failures; /* since start */
    uint32_t batch_size, depth;           /* what the adaptation settled on */
    double service_ms;                    /* smoothed time of one message */
    uint64_t resume_ms;                   /* monotonic, when backing off */
    uint64_t lookups;                     /* requests that were no changes, since start */
    uint64_t insync_ms;                   /* a change to all of the service's servers, last sampled; 0 = never */
    const char *error;                    /* id of why nothing is written now; "" when none */
    const char *last_error;               /* detail of the last failure; "" when none */
};
void engine_zone_status(const struct engine_zone *zone, struct engine_zone_status *ret_status);
