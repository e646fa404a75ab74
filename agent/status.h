/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * status: what `muster-agent status` says, as JSON for machines and as lines for a person. Pure. In the JSON an address
 * field is as on the wire: absent = unknown, null = none, else the text. Times are RFC 3339, durations whole seconds.
 */
#include <stdint.h>

#include "agent/detect/detect.h"
#include "agent/report.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "mqtt/messages.h"

/** The identity of a device that was provisioned. */
struct status_identity {
    uint32_t version;     /* in the identity folder */
    bool on_trial;        /* not yet proven by a connection */
    int64_t not_after_ms; /* wall */
    int64_t renew_ms;     /* wall; when the next certificate is asked for */
    const char *error;    /* of the last renewal; "" for none */
};

struct agent_status {
    const char *device_id, *version;
    uint64_t now_ms, started_ms; /* monotonic */
    int64_t wall_ms;             /* 0: the clock is not set */
    const char *endpoint;        /* "" while not connected */
    const char
        *connection_error; /* last reason of a failed or lost connection; "" when none since the connection came up */
    uint64_t connection_since_ms; /* monotonic; of the present state */
    uint64_t probe_ms;            /* period of the questions whether it still stands, as of now; 0: none */
    uint64_t dropped;             /* messages that did not fit the inbox */
    const char *source; /* type of the source of the reported addresses; "none" (then the broker's view counts) */
    const struct detect *detect; /* NULL: left out */
    const struct report *report;
    bool boot_stored;                       /* the boot counter is on flash */
    const struct dns_message *dns;          /* last answer of the coordinator; NULL before the first */
    uint64_t dns_ms;                        /* monotonic; when it came */
    const struct status_identity *identity; /* NULL: of files that somebody put there */
};

/** A device on its way to an identity. */
struct enrolment_status {
    const char *serial, *version;
    uint64_t now_ms, started_ms; /* monotonic */
    const char *state, *error;
};
enum err enrolment_status_json(const struct enrolment_status *status, struct strbuf *out) MUST_CHECK;

enum err agent_status_json(const struct agent_status *status, struct strbuf *out) MUST_CHECK;

/** The JSON of an agent (of this version or another: unknown fields are ignored, missing ones shown as "-") as lines.
 *  @return ERR_PARSE, ERR_LIMIT, ERR_NOMEM. */
enum err agent_status_text(struct view json, struct strbuf *out) MUST_CHECK;
