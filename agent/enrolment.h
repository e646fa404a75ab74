/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * enrolment: a device's visit to the broker for provisioning, until it has a certificate: carries out what
 * provisioning/enrol_device.h decides. Each attempt is a session of its own under a random client id. A device without
 * an identity goes on until it has one; one that has comes back after the first attempt that failed, since its own
 * broker may let it in again by then. Loop thread.
 */
#include "agent/config.h"
#include "agent/credentials.h"
#include "base/err.h"
#include "net/loop.h"

struct enrolment;

struct enrolment_options {
    struct loop *loop;
    const struct agent_config *config; /* borrowed */
    struct credentials *credentials;   /* borrowed */
    const char *trouble;               /* what led back here ("core-refused"); NULL: nothing did. Static storage */
    loop_fn ended; /* once, from the loop: credentials say whether there is a certificate on trial */
    void *context;
};

/** Begins at once. @return ERR_NOMEM, ERR_LIMIT (paths). */
enum err enrolment_new(const struct enrolment_options *options, struct enrolment **ret_enrolment) MUST_CHECK;
/** Leaves, then calls @p done once; `ended` is not called any more. */
void enrolment_stop(struct enrolment *enrolment, loop_fn done, void *context);
void enrolment_free(struct enrolment *enrolment); /* after ended or stop's done, not from inside; NULL allowed */

const char *enrolment_state(const struct enrolment *enrolment); /* "asking", ...; static storage */
const char *enrolment_error(const struct enrolment *enrolment); /* last failure; "": none. Borrowed */
