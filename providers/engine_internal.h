/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * engine_internal: what the files of the engine share; nobody else includes it. Loop thread.
 *
 *   engine.c           engine, accounts, zones: life and status
 *   engine_zone.c      pump: decides what a zone does next, and when it looks again
 *   engine_batch.c     which changes go into one message, the parts of a bisected batch
 *   engine_exchange.c  one message and its reply; what a verdict does to its changes
 *   engine_fence.c     owner record: ask, claim, deposed
 *   engine_link.c      connection of a DNS zone, to the configured server or the primary found
 *   engine_find.c      who answers for a name, by the system's resolvers
 *   engine_http.c      HTTP requests
 *   engine_verify.c    asks the authoritative server what became of an unknown outcome
 *   engine_list.c      zone transfer; engine_list_http.c: listing page by page
 *   engine_stops.c     what a service told us not to ask for again
 *   engine_follow.c    samples when a change is at all of a service's servers
 *   engine_inherit.c   what outlives a reload: spent rates, waits, stops
 *
 * Phases of a zone that can fence; one that cannot is always RUNNING:
 *
 *   IDLE --connect--> CONNECTING --> ASKING --TXT--> CLAIMING --claimed()--> SETTING --set--> RUNNING
 *    ^                                 ^  '-- newer epoch --> DEPOSED --resume()--> IDLE        |
 *    |                                 '------------------- beaten, or fenced ------------------|
 *    '---------- connection lost, unknown outcome, refused (breaker decides when) --------------'
 *
 * A change that was refused leads to ASKING too. There our own epoch is set once more instead of being read (a probe):
 * a zone that is frozen refuses that as well, and the change waits; else the change is to blame.
 *
 * The breaker of such a zone may be HALF_OPEN from CONNECTING to RUNNING: the probe is the whole way there, so each way
 * out of these phases tells it: zone_failed, the claim (breaker_admit), or deposed (breaker_unused).
 */
#include "net/http.h"
#include "providers/adapt.h"
#include "providers/breaker.h"
#include "providers/budget.h"
#include "providers/catalogue.h"
#include "providers/engine.h"
#include "providers/engine_find.h"
#include "providers/engine_queue.h"
#include "providers/hosts.h"
#include "providers/provider.h"
#include "providers/template.h"

#define ENGINE_HAND_OVER_MS (60 * 1000ull) /* for which what a zone leaves behind waits for its successor */

struct stream;
struct tls_client;
struct stream_options;

/** An RRset whose outcome is unknown and whose zone ended: the next zone of that name asks before it sends. */
struct unsettled {
    struct unsettled *next;
    uint64_t until_ms; /* monotonic */
    char zone[DNSNAME_SIZE], name[DNSNAME_SIZE];
    uint8_t type;
};

/** What a zone that ended has spent of its rates, for the next one of that name. */
struct kept_budget {
    struct kept_budget *next;
    uint64_t until_ms; /* monotonic: whoever makes zones anew does it at once */
    char account[ACCOUNT_NAME_SIZE], zone[DNSNAME_SIZE];
    struct budget budget; /* owned */
};

struct engine {
    struct loop *loop;               /* borrowed */
    struct engine_account *accounts; /* owned */
    struct engine_zone *zones;       /* all that live; owned by their makers */
    struct unsettled *unsettled;     /* owned */
    struct kept_budget *kept;        /* owned */
    uint16_t next_id;
    struct catalogue *catalogue; /* counted; NULL until it is given or needed */
    engine_stop_fn stopped;
    void *stopped_context;
    struct engine_result results[PROVIDER_BATCH_MAX]; /* scratch of one callback */
};

struct engine_account {
    struct engine_account *next;
    struct engine *engine;
    const struct provider_ops *ops;
    struct template *template; /* counted, ops is part of it; NULL for what is written in C */
    void *state;               /* owned, of ops */
    struct provider_limits limits;
    struct budget budget; /* owned: rates of the account, its own `rate` among them */
    struct hosts hosts;   /* owned */
    size_t requests;      /* HTTP, in flight */
    size_t lookups;       /* of them: of the account (an access token); nothing else is built meanwhile */
    char name[ACCOUNT_NAME_SIZE];
    uint8_t fingerprint[SHA256_SIZE]; /* of its config: one of the same name and config takes its place at a reload */
    char host[DNSNAME_SIZE];          /* of `server`, or of `url`; DNS: "" = each zone's primary is found */
    char verify_host[DNSNAME_SIZE];   /* "" = found */
    uint16_t port, verify_port;
    uint64_t timeout_ms, retry_min_ms, retry_max_ms;
    struct http_client *http; /* owned; NULL for DNS */
    struct tls_client *tls;   /* owned; DNS over TLS; NULL = over TCP */
    struct breaker breaker;   /* HTTP: one a service; DNS has one a zone */
    bool stopped;             /* until the account is made anew from changed config */
    char stop_error[HOSTS_CODE_MAX];
    char stop_detail[PROVIDER_DETAIL_MAX];
};

enum zone_phase {
    PHASE_IDLE,
    PHASE_CONNECTING,
    PHASE_ASKING,
    PHASE_CLAIMING,
    PHASE_SETTING,
    PHASE_RUNNING,
    PHASE_DEPOSED,
};

enum exchange_kind { EXCHANGE_OWNER, EXCHANGE_CLAIM, EXCHANGE_PROBE, EXCHANGE_CHANGES, EXCHANGE_FOLLOW };

enum hold { HOLD_NONE, HOLD_ZONE, HOLD_ACCOUNT };

/** One message under way and what it is about. */
struct exchange {
    struct exchange *next;
    struct engine_zone *zone;
    enum exchange_kind kind;
    struct provider_request request;
    struct batch batch;      /* items are behind this struct */
    struct change **changes; /* beside batch.items */
    struct adapt_stamp stamp;
    uint64_t deadline_ms; /* of the request that is out */
    unsigned rounds;      /* requests made for this batch */
    uint64_t epoch;       /* CLAIM, PROBE: what it sets */
    enum hold hold;       /* a lookup is out: what must wait for it */
    struct http_transfer *http;
};

/** Part of a bisected batch that waits for its turn; its changes stay TAKEN. */
struct group {
    struct group *next;
    bool suspect;      /* the owner must be asked before it may be bisected */
    bool probe;        /* and whether the zone takes updates at all */
    const char *error; /* suspect: what a single change is refused with */
    char detail[PROVIDER_DETAIL_MAX];
    size_t len;
    struct change *changes[];
};

struct engine_list;
struct engine_list_http;
struct engine_verify;

/** Puts records of a listing together to RRsets: those of one set come one after the other. */
struct list_gather {
    struct engine_listing listing;
    char name[DNSNAME_SIZE];
    enum rrtype type;
    uint32_t ttl;
    struct rrset_value value;
};

struct engine_zone {
    struct engine_zone *next;
    struct engine *engine;
    struct engine_account *account;
    struct provider_zone about;
    char name[DNSNAME_SIZE];
    struct engine_zone_callbacks callbacks;
    void *context;

    struct change_queue queue;
    struct group *groups, **groups_tail;
    struct exchange *in_flight;                   /* every kind */
    size_t messages_in_flight, changes_in_flight; /* of kind CHANGES */
    struct adapt adapt;
    struct breaker breaker; /* HTTP: for what concerns this zone alone (verdict.zone_only), beside the account's */
    struct loop_timer *timer;
    uint64_t wake_ms;     /* armed for; UINT64_MAX = not */
    struct budget budget; /* owned: rates of the zone */
    size_t lookups;       /* in flight */

    enum zone_phase phase;
    struct stream *stream; /* owned */
    struct find *find;     /* owned; NULL where the config names the server */
    struct provider_owner seen;
    uint64_t highest_epoch; /* that we tried to set */
    bool must_claim;        /* raise the epoch even if it is ours */
    bool must_probe;        /* a change was refused: does the zone take updates at all? */
    bool claim_open;        /* the owner of the zone has not answered `claim` */
    bool beaten;            /* our compare-and-set failed for certain */
    uint64_t heard_ms;      /* monotonic: last message from the server */
    uint64_t steady_ms;     /* monotonic: from then on a peer that closes the idle connection is no failure */

    struct engine_list *list;
    struct engine_list_http *list_http;
    uint64_t follow_ms, changed_ms; /* monotonic: when to ask what became of a change; when it was applied */
    bool following;
    struct engine_verify *verify;

    uint64_t messages, changes, failures, lookups_made, insync_ms;
    char last_error[PROVIDER_DETAIL_MAX];
    bool in_trouble;              /* told so */
    char trouble[HOSTS_CODE_MAX]; /* its id */
};

/* engine_zone.c */
void zone_kick(struct engine_zone *zone); /* looks again soon; cheap */
void zone_kick_at(struct engine_zone *zone, uint64_t mono_ms);
void account_kick(struct engine_account *account);
struct breaker *zone_breaker(struct engine_zone *zone);
/** What the breakers granted was not sent, or nobody will hear of it. */
void zone_probe_unused(struct engine_zone *zone);
void zone_timer(void *context);
uint64_t zone_now(const struct engine_zone *zone);
/** Remembers a failure for status and lets the breaker decide when to go on. */
void zone_failed(struct engine_zone *zone, const struct verdict *verdict);
/** Changes are taken again: ends the trouble that was told. */
void zone_works(struct engine_zone *zone);
/** The connection is gone or of no use any more: everything under way has an unknown outcome. */
void zone_disconnect(struct engine_zone *zone, const char *error, const char *detail);
/** Tells the first changes that wait, and were not told, why they wait. @return how many were told. */
size_t zone_tell_waiting(struct engine_zone *zone, const char *error, const char *detail);

/* engine_batch.c */
struct exchange *exchange_new(struct engine_zone *zone, enum exchange_kind kind, size_t len);
void exchange_free(struct exchange *exchange);
void exchange_unlink(struct exchange *exchange);
/** Takes waiting changes into a new exchange. NULL: none could be taken. */
struct exchange *exchange_fill(struct engine_zone *zone, size_t most);
struct exchange *exchange_from_group(struct engine_zone *zone);
void exchange_put_back(struct exchange *exchange);
/** Tells of a TAKEN change that it is refused for good. */
void change_refuse(struct engine_zone *zone, struct change *change, const char *error, const char *detail);
/** TAKEN changes that make a batch of their own; without memory they go to the front of the queue. @param suspect not
 * NULL: what may be wrong with one of them, once it is known whose the zone is. */
void groups_add(struct engine_zone *zone, struct change *const *changes, size_t len, const struct verdict *suspect);
bool groups_ready(const struct engine_zone *zone);
void groups_put_back(struct engine_zone *zone);
/** After the owner was found to be ours: suspect groups may be bisected. */
void groups_release(struct engine_zone *zone);

/* engine_exchange.c */
/** Builds and sends. False: nothing went out; the exchange is gone and what it held is back in the queue or settled. */
bool exchange_send(struct exchange *exchange);
void exchange_reply(struct exchange *exchange, const struct provider_reply *reply);
/** What went out counts against the documented rates, and a lookup holds up what would look the same up. */
void exchange_account(struct exchange *exchange);
/** HTTP: the request came to its end, whatever its reply: what waited for it may go. @param sent some of it had left
 * us. */
void exchange_landed(struct exchange *exchange, bool sent);
void exchange_verdict(struct exchange *exchange, const struct verdict *verdict);
void exchange_unknown(struct exchange *exchange, const struct verdict *verdict);
/** Full jitter over the account's bounds, for one change alone. */
uint64_t change_backoff(const struct engine_zone *zone, const struct change *change);

/* engine_fence.c */
void fence_ask(struct engine_zone *zone);
void fence_reply(struct exchange *exchange, const struct provider_reply *reply);

/* engine_link.c */
/** What an account of DNS says of its connections: port and TLS. @return ERR_INVALID with info, ERR_NOMEM. */
enum err link_account_open(struct engine_account *account, const struct engine_account_config *config,
                           struct errinfo *info) MUST_CHECK;
void link_account_close(struct engine_account *account);
/** Where the config names no server. */
enum err link_new(struct engine_zone *zone);
/** Connects, to the primary that it finds first where it must. */
enum err link_open(struct engine_zone *zone);
/** The reply came from a server that is not the zone's primary: is another one to be found? Then this one is forgotten,
 * and the connection is of no use any more. */
bool link_misdirected(struct engine_zone *zone, const struct verdict *verdict);
/** Options of a connection to @p host, the zone's server. */
struct stream_options link_options(const struct engine_zone *zone, const char *host);
void link_close(struct engine_zone *zone);
enum err link_send(struct engine_zone *zone, struct view message);

/* engine_http.c */
enum err http_client_open(struct engine_account *account, const struct engine_account_config *config);
void http_client_close(struct engine_account *account);
enum err http_send(struct exchange *exchange);
void http_abandon(struct exchange *exchange); /* its zone ends */
/** A request outside an exchange. Takes no budget; @p once and @p done as http_start tells it. */
enum err http_ask(struct engine_account *account, struct provider_request *request, bool once, uint64_t deadline_ms,
                  http_fn done, void *context, struct http_transfer **ret_transfer);
/** The reply of a whole result. */
struct provider_reply http_reply(struct engine_account *account, const struct http_result *result);
/** Id of what went wrong with a request that brought no reply. */
const char *http_failure(const struct http_result *result);

/* engine_verify.c */
/** For zones that cannot fence, where there is somebody to ask. */
enum err verify_new(struct engine_zone *zone);
/** Settles @p change, which is TAKEN, or puts it back. Never fails: it needs no memory. */
void verify_start(struct engine_zone *zone, struct change *change);
void verify_stop(struct engine_zone *zone);
/** The zone ends: what is under way at a service, or being asked for, is noted with the engine. */
void verify_hand_over(struct engine_zone *zone);
/** The change that was submitted last is asked for first if it was handed over, or waits where nobody is asked: what
 * the zone before had sent must not come after it. */
void verify_take_over(struct engine_zone *zone);
/** The same of one that may have been sent by a process that is gone. */
void verify_ask_first(struct engine_zone *zone, const struct rrset_change *submitted);
/** Forgets what was noted and is older than @p now_ms allows. */
void verify_forget(struct engine *engine, uint64_t now_ms);

/* engine_list.c */
void list_stop(struct engine_zone *zone);
/** For struct provider_listing: @p context is a struct list_gather. */
void list_gather_record(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip);
void list_gather_flush(struct list_gather *gather);

/* engine_list_http.c */
enum err list_http_start(struct engine_zone *zone, const struct engine_listing *listing);
void list_http_stop(struct engine_zone *zone);

/* engine_stops.c */
/** Error and detail of a change whose name, or whose kind, is not to be sent; NULL = fine. */
const char *stops_refusal(const struct engine_zone *zone, const struct batch_item *item,
                          char detail[static PROVIDER_DETAIL_MAX]);
/** A name that the login does not stand for stays refused when the account, and with it what the login stands for, is
 * made anew: it would be written first then, over the other one. */
void stops_keep(struct engine_zone *zone, const struct batch_item *item, const char *error, const char *detail);
/** After a batch was settled: what its items say about their names is remembered and told. */
void stops_learn(struct exchange *exchange);
/** The account stops, and with `everywhere` every other one at this service. */
void stops_account(struct engine_account *account, const struct verdict *verdict);

/* engine_inherit.c */
/** Before it joins the engine's accounts: from the one whose place it takes, which may live on when a reload fails. */
void account_inherit(struct engine_account *account);
/** The zone ends. */
void zone_keep_budget(struct engine_zone *zone);
/** Its rates are added. */
void zone_take_budget(struct engine_zone *zone);
void engine_forget_budgets(struct engine *engine, uint64_t now_ms);

/* engine_follow.c */
void follow_applied(struct engine_zone *zone);
void follow_run(struct engine_zone *zone, uint64_t now, uint64_t *wake);
void follow_reply(struct exchange *exchange, const struct provider_reply *reply);
