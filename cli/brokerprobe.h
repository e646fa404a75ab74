/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerprobe: asks a broker that runs whether it lets in whom it should and refuses what it must, as clients of its
 * own: a certificate that is good, and one that was revoked. Runs a loop of its own; blocks until it knows, or the time
 * is up, and then up to 2 s more for Paho.
 */
#include "cli/brokerdesc.h"

enum brokerprobe_check {
    BROKERPROBE_GOOD,              /* the good certificate connects */
    BROKERPROBE_OWN,               /* and may subscribe what is its own */
    BROKERPROBE_FOREIGN_PUBLISH,   /* its publication on another's topic is refused */
    BROKERPROBE_FOREIGN_SUBSCRIBE, /* its subscription of everybody's topics is refused */
    BROKERPROBE_REVOKED,           /* the revoked certificate is refused */
};
#define BROKERPROBE_CHECKS (BROKERPROBE_REVOKED + 1)

enum brokerprobe_verdict { BROKERPROBE_UNKNOWN, BROKERPROBE_PASSED, BROKERPROBE_FAILED, BROKERPROBE_SKIPPED };

struct brokerprobe {
    enum brokerprobe_verdict verdict[BROKERPROBE_CHECKS];
    char detail[BROKERPROBE_CHECKS][160]; /* why it failed or was skipped; "" */
};

const char *brokerprobe_check_text(enum brokerprobe_check check); /* "a good certificate connects"; static storage */
/** Every check passed, or was skipped by the description. */
bool brokerprobe_passed(const struct brokerprobe *probe);

/** @param kind not BROKER_KIND_DASH. @param trial with position. @param timeout_ms for all together.
 * @return what reading the certificate, making a loop and sessions return; what the broker did is in @p ret_probe. */
enum err brokerprobe_run(enum broker_kind kind, const struct broker_trial *trial, uint64_t timeout_ms,
                         struct brokerprobe *ret_probe, struct errinfo *info) MUST_CHECK;
