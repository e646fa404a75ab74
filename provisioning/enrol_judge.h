/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * enrol_judge: whether a device gets a certificate. Facts in, verdict out; the facts are gathered and every signature
 * is verified before, also for serial numbers that do not exist, so that neither the verdict nor the time that it takes
 * tells a thief of a claim certificate which serial numbers there are.
 *
 * Order: what concerns the claim (whoever holds it may know); then the device as a whole, with one verdict for all that
 * can be wrong; only a device that has proven its key hears of windows, quotas and load. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "provisioning/lifecycle.h"

enum enrol_verdict {
    ENROL_ISSUE,   /* make a certificate */
    ENROL_SAME,    /* it has one for this key: that again */
    ENROL_REFUSED, /* unknown, of another batch, wrong key, or not in a state to have one */
    ENROL_CLOSED,  /* the batch takes no more, or none at this time */
    ENROL_QUOTA,   /* the batch has had as many as it may */
    ENROL_BUSY,    /* later */
};
#define ENROL_VERDICTS (ENROL_BUSY + 1)
const char *enrol_verdict_name(enum enrol_verdict verdict); /* "issue", ...; static storage */

struct enrol_facts {
    /* the claim's batch */
    bool batch_known;
    bool batch_disabled; /* by an operator: the claim is in wrong hands */
    bool batch_closed;   /* the factory is done with it */
    int64_t from_ms;     /* wall; the window in which its devices may enrol */
    int64_t to_ms;       /* exclusive */
    uint64_t quota;      /* devices */
    uint64_t used;       /* devices of it that have had a certificate */
    /* the device */
    bool device_known;
    bool of_this_batch;
    bool proven; /* by the ledger's key, or by the key of a certificate that it still owns */
    enum life life;
    bool has_same;   /* a certificate for the very key asked about, with life left */
    bool had_one;    /* a certificate was issued to it before: neither window nor quota are its business any more */
    bool recovering; /* the proof is by the key of an old certificate */
    /* the provisioner */
    bool recovery_on;
    bool has_token; /* the rate allows one more now */
    int64_t now_ms;
};

enum enrol_verdict enrol_judge(const struct enrol_facts *facts);
