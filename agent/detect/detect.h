/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * detect: the shell around sources, fusion and nat: who is asked when, for which uplink and family, and what the agent
 * reports of it. One `fusion` a family and uplink. Threading: loop thread.
 *
 * A round asks every configured source that is due for the paths that a trigger names. Triggers: an address, route or
 * link changed; the broker connection broke or stands again; a source announced something; the machine was suspended
 * (CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC); `report now`; the safety poll of each source, +-20 %. A source is
 * never asked more often than its min_every_ms allows; what comes earlier is remembered and asked then.
 * At rest nothing runs but one timer for the next poll: that is the budget of ARCHITECTURE.md.
 */
#include "agent/addresses.h"
#include "agent/detect/fusion.h"
#include "agent/detect/nat.h"
#include "agent/detect/source.h"
#include "base/strbuf.h"

enum detect_trigger {
    DETECT_ADDRESSES, /* detect_addresses was called with another set */
    DETECT_CONNECTION_LOST,
    DETECT_CONNECTED,
    DETECT_ANNOUNCED,
    DETECT_RESUMED,
    DETECT_REQUESTED,
    DETECT_POLL,
};

struct detect_options {
    const struct source_config *sources; /* borrowed; in order of preference */
    size_t sources_len;                  /* at most FUSION_SOURCES_MAX */
    struct fusion_policy policy;
    uint32_t timeout_ms; /* of one question */
    /** The fused set differs from the one before: report it. From the loop. */
    void (*changed)(void *context);
    void *context;
};

struct detect;
enum err detect_new(struct loop *loop, const struct detect_options *options, struct detect **ret_detect,
                    struct errinfo *info) MUST_CHECK;
void detect_free(struct detect *detect); /* NULL allowed */

/** What the interfaces have (agent/addresses.h), each time it was selected. Starts a round for the paths that changed.
 */
void detect_addresses(struct detect *detect, const struct address_set *set);
/** What the broker saw of the connection, from the coordinator's answer; IP_NONE: it went away. @p local: the address
 * that the connection uses, to know its uplink. */
void detect_observed(struct detect *detect, const struct ip *observed, const struct ip *local);
void detect_trigger(struct detect *detect, enum detect_trigger trigger);

/** Puts what was fused into @p set: ip4, ip6 and each uplink's fields. Where nothing is known from outside the
 * interfaces' own addresses stay, as without detection. */
void detect_merge(const struct detect *detect, struct address_set *set);
/** Type of the source whose value counts: "interface", "stun", ...; "none". */
const char *detect_source(const struct detect *detect, uint8_t family);

/** One JSON object: families, uplinks, state, NAT class, every source's answer with age and verdict. For `status`. */
enum err detect_json(const struct detect *detect, uint64_t now, struct strbuf *out) MUST_CHECK;
