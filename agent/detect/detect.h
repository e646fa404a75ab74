/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * detect: the shell around sources, schedule, fusion and nat: who is asked when, for which uplink and family, and what
 * the agent reports of it. One `fusion` a family and uplink. Threading: loop thread.
 *
 * A round asks every configured source that is due for the paths that a trigger names. Triggers: an address, route or
 * link changed; the broker connection broke or stands again; a source announced something; the machine was suspended
 * (agent/detect/resume.h); `report now`; the safety poll of each source, +-20 %. A source is never asked more often
 * than its min_every_ms allows; what comes earlier is remembered and asked then. At most DETECT_UNDER_WAY questions are
 * open at a time. At rest nothing runs but one timer for the next poll, and with the default sources, interface and
 * observed, none at all: that is the budget of ARCHITECTURE.md.
 *
 * What the broker saw is compared and shown, but not told back to it: an address that only `observed` knows is not
 * reported, else each renumbering of a fleet behind NAT would take two messages a device.
 *
 * Parts: detect.c (questions and answers), detect_paths.c (what triggers them), detect_health.c (along which paths
 * anything answers), detect_view.c (what comes out).
 */
#include "agent/addresses.h"
#include "agent/detect/fusion.h"
#include "agent/detect/nat.h"
#include "agent/detect/source.h"
#include "base/strbuf.h"

#define DETECT_UNDER_WAY 4 /* questions open at a time: bounds memory, sockets and processes */

enum detect_trigger {
    DETECT_CONNECTION_LOST,
    DETECT_CONNECTED,
    DETECT_ANNOUNCED,
    DETECT_RESUMED,
    DETECT_REQUESTED,
};

struct detect_options {
    const struct source_config *sources; /* copied, their texts borrowed; in order of preference */
    size_t sources_len;                  /* at most FUSION_SOURCES_MAX */
    struct fusion_policy policy;
    uint32_t timeout_ms; /* of one question */
    /* Who is outside is first asked within this time about paths that appear soon after detect_new, for a fleet that
     * starts at one moment; interfaces, routers and programs answer at once. 0: everybody. */
    uint32_t spread_ms;
    /** Something that detect_merge or detect_json tell may have changed: never from inside a call of this header. */
    void (*changed)(void *context);
    /** The router no longer has the address that it had. @param seen the broker saw the connection come from there: it
     * is dead; else there is none yet, or none was answered yet. Not called for one that comes from elsewhere. Before
     * `changed`, and never from inside a call of this header. */
    void (*stranded)(void *context, bool seen);
    void *context;
    /* For tests; NULL: source_find, loop_now_ms. */
    const struct source_ops *(*find)(const char *type, bool *ret_left_out);
    uint64_t (*now)(void *context);
};

struct detect;
/** A source that cannot be opened is logged and shown as failed. @return ERR_UNSUPPORTED (unknown type), ERR_LIMIT,
 * ERR_NOMEM, with the reason in @p info. */
enum err detect_new(struct loop *loop, const struct detect_options *options, struct detect **ret_detect,
                    struct errinfo *info) MUST_CHECK;
/* Of what follows, detect_free, _addresses, _observed, _carries, _doubts, _doubts_carrier, _trigger, _awaits_router,
 * _merge and _source allow NULL: nothing is known. */
void detect_free(struct detect *detect);

/** Takes over what @p old knows, for a reload: the answers of sources that both have (by type and name) and when they
 * were asked. */
void detect_adopt(struct detect *detect, const struct detect *old);

/** What the interfaces have (agent/addresses.h), each time it was selected. Wants answers for the paths that changed.
 */
void detect_addresses(struct detect *detect, const struct address_set *set);
/** What the broker saw of the connection, from the coordinator's answer; IP_NONE: the connection went away.
 * @param uplink that the connection leaves by; "" = unknown, good enough where there is only one. */
void detect_observed(struct detect *detect, const struct ip *observed, const char *uplink);
/** The connection to the broker stands on this path; @p uplink "": on none that is known. As long as it does, the path
 * is not dead. */
void detect_carries(struct detect *detect, const char *uplink, uint8_t family);
/** Questions along the path that carries the connection fail: whether that is dead too is worth a question. */
bool detect_doubts_carrier(const struct detect *detect);
/** Questions along @p uplink (the kernel's name) fail, none of its families answers and the connection does not stand
 * on it: whoever connects anew takes another one. */
bool detect_doubts(const struct detect *detect, const char *uplink);
void detect_trigger(struct detect *detect, enum detect_trigger trigger);
/** A router that answers, or was never asked before, is being asked for its outside address, or will be when an uplink
 * is there: what stands in between is about to be known. */
bool detect_awaits_router(const struct detect *detect);
/** Does what is due; the shell's own timer calls it. @return when it is due again, in ms of the clock of `now`;
 * SCHEDULE_NEVER. */
uint64_t detect_run(struct detect *detect);
/** No question is open or due now. */
bool detect_is_idle(const struct detect *detect);

/** Puts what was fused into @p set, which was last handed to detect_addresses: ip4, ip6 and each uplink's seen4, seen6
 * and nat, of several also alive4 and alive6. Where nothing is known from outside the interfaces' own addresses stay,
 * as without detection. */
void detect_merge(const struct detect *detect, struct address_set *set);
/** Type of the source of what detect_merge puts into the family: "interface", "stun", ...; "none". */
const char *detect_source(const struct detect *detect, uint8_t family);

/** One JSON object: uplinks with metric, NAT class and what it means for those outside; each family's state and value,
 * and every source's answer with age and verdict. Answers beyond about 30 KB are counted only. */
enum err detect_json(const struct detect *detect, struct strbuf *out) MUST_CHECK;
