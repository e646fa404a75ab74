/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dyndns2: the code table of the dyndns2 protocol as data: what each word of a reply obliges a client to do. Sources:
 * help.dyn.com/return-codes and /remote-access-api/policies; noip.com/integrate/response (911 for 30 minutes; Dynu says
 * ten, the longer holds for all) and its older wNN; dynu.com/DynamicDNS/IP-Update-Protocol (servererror). Read
 * 2026-11-22. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum dyndns2_action {
    DYNDNS2_APPLIED,      /* changed, or it was so already */
    DYNDNS2_STOP_HOST,    /* not again, in neither family, until the config changes */
    DYNDNS2_STOP_FAMILY,  /* this family of the host not again until the config changes */
    DYNDNS2_STOP_ACCOUNT, /* nothing of this account again until the config changes */
    DYNDNS2_STOP_SERVICE, /* nothing of any account at this service: it refuses the client itself */
    DYNDNS2_SPLIT,        /* too many hosts in one request; alone, the host stops */
    DYNDNS2_MALFORMED,    /* as SPLIT; before the service ever took anything it is the account that stops */
    DYNDNS2_WAIT_HOST,    /* this host not before wait_ms */
    DYNDNS2_WAIT_ACCOUNT, /* the account not before wait_ms; 0 = exponential backoff */
    DYNDNS2_UNKNOWN,      /* not a code: ask the authoritative server before any resend */
};

struct dyndns2_code {
    const char *code; /* as it stands in the reply; also the error id for people */
    enum dyndns2_action action;
    uint64_t wait_ms;
    unsigned repeats;   /* so many of them in a row within a day are an alarm; "nochg" stops the host then; 0 = never */
    const char *detail; /* cause and remedy */
};

/** The row for the first word of a reply line; the UNKNOWN row when there is none. @param ret_wait_ms of the row, or
 * what "wNNh", "wNNm", "wNNs" ask for. */
const struct dyndns2_code *dyndns2_find(struct view word, uint64_t *ret_wait_ms);
