/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * probe: asks one authoritative server over UDP what it says now: an address of a name, the zone's serial. One question
 * at a time, without any DNS library, so that the check costs next to nothing. Not thread-safe.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct probe {
    int fd; /* connected, non-blocking; -1 when closed */
    const char *zone;
    uint16_t id;
};

struct probe_answer {
    bool is_soa;
    uint32_t value;   /* address in host order, or serial */
    unsigned answers; /* records of the asked type; 0: no such name or type */
};

/** @param zone borrowed. @return ERR_IO. */
enum err probe_open(struct probe *probe, const struct sockaddr_in *server, const char *zone) MUST_CHECK;
void probe_close(struct probe *probe);
/** Sends a question for `<label>.<zone> A`, or for the zone's SOA when @p label is empty. An answer to an earlier
 * question is ignored from now on. A full socket loses it, as a network would. */
void probe_ask(struct probe *probe, struct view label);
/** Takes what came. @return ERR_AGAIN when no answer to the last question is there. */
enum err probe_take(struct probe *probe, struct probe_answer *ret_answer) MUST_CHECK;
