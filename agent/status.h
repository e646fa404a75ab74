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
    bool boot_stored;              /* the boot counter is on flash */
    const struct dns_message *dns; /* last answer of the coordinator; NULL before the first */
    uint64_t dns_ms;               /* monotonic; when it came */
};

enum err agent_status_json(const struct agent_status *status, struct strbuf *out) MUST_CHECK;

/** The JSON of an agent (of this version or another: unknown fields are ignored, missing ones shown as "-") as lines.
 *  @return ERR_PARSE, ERR_LIMIT, ERR_NOMEM. */
enum err agent_status_text(struct view json, struct strbuf *out) MUST_CHECK;
