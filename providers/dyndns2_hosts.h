/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * dyndns2_hosts: what an account remembers of its hosts: which of them the service told us not to ask about again, and
 * how often in a row it gave a code that must not be repeated. Lives as long as the account, which is made anew from
 * changed config: that is how a person clears it. Hosts without trouble cost nothing. No clock, no I/O; one thread.
 */
#include "providers/dyndns2.h"
#include "providers/rrset.h"

#define DYNDNS2_HOSTS_ROW_MS (24ull * 3600 * 1000) /* replies further apart are no repetition: a monthly refresh */

enum { DYNDNS2_HOSTS_BUCKETS = 256 };

struct dyndns2_host;

struct dyndns2_hosts {
    struct dyndns2_host *buckets[DYNDNS2_HOSTS_BUCKETS]; /* owned; all NULL at first */
};

void dyndns2_hosts_deinit(struct dyndns2_hosts *hosts);

/** @return the code that stopped this family of the host; NULL = it may be asked about. */
const struct dyndns2_code *dyndns2_hosts_stopped(const struct dyndns2_hosts *hosts, const char *name, enum rrtype type);
/** A code whose action is STOP_FAMILY stops that family, every other the host in both. Without memory nothing is
 * remembered; the service will say it again. */
void dyndns2_hosts_stop(struct dyndns2_hosts *hosts, const char *name, enum rrtype type,
                        const struct dyndns2_code *code);
/** Counts @p code about this family of the host. @param now_ms monotonic. @return how many in a row, this one included;
 * 1 without memory. A code with no `repeats` ends the row and counts 0. */
unsigned dyndns2_hosts_count(struct dyndns2_hosts *hosts, const char *name, enum rrtype type,
                             const struct dyndns2_code *code, uint64_t now_ms);
