/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * source: where an address of this device can be learnt from. One ops table, one file a source (source_<type>.c), one
 * row in sources.c: that is all a new source takes. A source answers questions of the shell (agent/detect/detect.h) and
 * judges nothing: what an answer is worth is agent/detect/fusion.h's.
 *
 * A source never blocks the loop, holds at most one question a (family, uplink) at a time, obeys the question's
 * deadline, and costs nothing between questions: its sockets and processes live as long as a question does, unless it
 * listens for announcements. Threading: loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "net/loop.h"
#include "net/rtparse.h"

/** What an answer tells about, and so what it can prove. */
enum source_view {
    SOURCE_VIEW_LOCAL,    /* the interface itself: interface */
    SOURCE_VIEW_PATH,     /* what the internet sees of this path: observed, stun, dns, http */
    SOURCE_VIEW_ROUTER,   /* what the next router says its outside is: pcp, upnp */
    SOURCE_VIEW_DECLARED, /* what a person says: static, exec */
};

enum source_status {
    SOURCE_ANSWER_ADDRESS,
    SOURCE_ANSWER_ABSENT, /* the source is sure that there is none of this family */
    SOURCE_ANSWER_FAILED, /* no answer, or one that cannot be trusted: says nothing about the address */
};

#define SOURCE_DETAIL_SIZE 128

/** Open value. */
struct source_answer {
    enum source_status status;
    struct ip ip;                    /* ADDRESS; any class, the asked family */
    char detail[SOURCE_DETAIL_SIZE]; /* for people: server and what it said, or why it failed, with the remedy */
    uint64_t elapsed_ms;
    bool mapping_varies; /* stun: two servers saw different ports or addresses of one socket */
    bool port_control;   /* pcp, upnp: the router would open a port */
    bool restarted;      /* pcp: its epoch went back */
    bool no_outside;     /* pcp, upnp; FAILED: the router says that it has no public address */
};

/** What is asked. A value; handed back with the answer. */
struct source_question {
    uint8_t family;              /* enum ip_family: IP_V4 or IP_V6 */
    char uplink[RT_IFNAME_SIZE]; /* the path: bound to this interface; "" = whatever the routing table takes */
    struct ip local;             /* the uplink's own address to send from; IP_NONE = the kernel's choice */
    struct ip gateway;           /* its default gateway; IP_NONE = none known */
    uint32_t timeout_ms;         /* of the whole question, more than 0 */
};

struct source_callbacks {
    /** Exactly once for each ask that returned ERR_OK and was not cancelled; from the loop, never inside ask. */
    void (*answered)(void *context, const struct source_question *question, const struct source_answer *answer);
    /** Something moved that this source listens to (a PCP announcement): ask again. May be NULL. */
    void (*announced)(void *context);
    void *context;
};

/** One item of `detect.sources`, as read; texts are borrowed for the life of the source, "" where a row was left out.
 * A row that a type does not know is an error at load (source_ops.check). */
struct source_config {
    const char *type;
    const char *name;   /* how it is shown; "" = its type */
    uint64_t every_ms;  /* period of the safety poll; 0 = the type's default */
    bool ip4, ip6;      /* families that it is asked for */
    const char *uplink; /* glob of the interfaces that it is asked on; "" = all, of declared views the first */
    bool shown_only;    /* its answers do not vote */
    const char *server, *server2; /* host:port; stun, dns, pcp */
    const char *service;          /* dns: opendns, google, cloudflare, akamai, or "" */
    const char *query;            /* dns: name that is asked */
    const char *rrtype;           /* dns: "A", "AAAA", "TXT", "CH TXT" */
    const char *url;              /* http */
    const char *format;           /* http: "text", "trace", "json:<field>", "dyndns" */
    const char *ca_file;          /* http */
    const char *const *command;   /* exec: absolute path and arguments */
    size_t command_len;
    const char *address4, *address6; /* static */
};

struct source; /* each type's own */

struct source_ops {
    const char *type;
    enum source_view view;
    uint32_t min_every_ms;     /* politeness: never asked more often than this on one path, events included */
    uint32_t default_every_ms; /* of the safety poll; 0 = never polled, its events suffice */
    /** More than min_every_ms, where the config's service asks for it; NULL: none does. */
    uint32_t (*pause_ms)(const struct source_config *config);
    /** What is wrong with a config of this type (a missing server, a row it does not know). Called at load. */
    enum err (*check)(const struct source_config *config, struct errinfo *info);
    /** NULL, with ask, cancel and close: its answers are events that the shell knows of (interface, observed).
     * @param config borrowed for the source's life. @return ERR_NOMEM, ERR_IO, ERR_UNSUPPORTED, with info. */
    enum err (*open)(struct loop *loop, const struct source_config *config, const struct source_callbacks *callbacks,
                     struct source **ret_source, struct errinfo *info);
    /** @return ERR_AGAIN: this path is being asked already; ERR_UNSUPPORTED: it knows nothing of this family, now or
     * later; ERR_NOMEM; anything else: cannot be asked now. */
    enum err (*ask)(struct source *source, const struct source_question *question);
    /** No answer follows to what is under way. */
    void (*cancel)(struct source *source);
    void (*close)(struct source *source); /* NULL allowed; not from inside its callbacks */
};

/** Row of sources.c; NULL = unknown (or left out of this build: *ret_left_out). */
const struct source_ops *source_find(const char *type, bool *ret_left_out);
/** Period of the safety poll: `every`, or else the type's own, within what the type allows; 0 = never polled. */
uint64_t source_period_ms(const struct source_ops *ops, const struct source_config *config);
/** How long an answer counts: two polls after it may fail, late as they may be, and the question of the last one takes
 * @p timeout_ms; 0 = until its path changes, for a source that is never polled. */
uint64_t source_fresh_ms(const struct source_ops *ops, const struct source_config *config, uint32_t timeout_ms);
