/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * hosts: what an account remembers of single names: which of them a service told us not to ask about again, how often
 * in a row it gave a code that must not be repeated, and when they were last written where the service limits that.
 * Names without any of it cost nothing. No clock, no I/O; one thread.
 */
#include "providers/provider.h"

#define HOSTS_ROW_MS   (24ull * 3600 * 1000) /* replies further apart are no repetition: a monthly refresh */
#define HOSTS_RATE_MAX 16                    /* writes of one name in a period; Hurricane Electric's 10 is the most */
#define HOSTS_CODE_MAX 32

enum { HOSTS_BUCKETS = 1024 };

struct host;

struct hosts {
    struct host *buckets[HOSTS_BUCKETS]; /* owned; all NULL at first */
    struct provider_rate rate;           /* of a name; units 0 = none */
};

void hosts_deinit(struct hosts *hosts);

/** What @p from remembers of its names, for a table that is empty; its rate is its own. Without memory some is
 * forgotten. */
void hosts_inherit(struct hosts *hosts, const struct hosts *from);

/** @return the code that stopped this type of the name, with its detail; NULL = it may be asked about. */
const char *hosts_stopped(const struct hosts *hosts, const char *name, enum rrtype type, const char **ret_detail);
/** Stops this type of the name, or both. @return ERR_NOMEM: not remembered; the service will say it again. */
enum err hosts_stop(struct hosts *hosts, const char *name, enum rrtype type, bool both, const char *code,
                    const char *detail) MUST_CHECK;
/** A person cleared it; how often a name may be written stays. @param name NULL = all names. @param now_ms monotonic.
 * @return how many stops were lifted. */
size_t hosts_clear(struct hosts *hosts, const char *name, uint64_t now_ms);

/** Counts @p code about this type of the name; NULL ends a row. @param now_ms monotonic. @return how many in a row,
 * this one included; 1 without memory. */
unsigned hosts_count(struct hosts *hosts, const char *name, enum rrtype type, const char *code, uint64_t now_ms);

/** Monotonic time from which the name may be written again; 0 = now. */
uint64_t hosts_ready_ms(const struct hosts *hosts, const char *name, enum rrtype type, uint64_t now_ms);
/** It was written. Without memory it is not remembered. */
void hosts_wrote(struct hosts *hosts, const char *name, enum rrtype type, uint64_t now_ms);
/** What hosts_wrote noted last of the name was not written after all. */
void hosts_unwrote(struct hosts *hosts, const char *name, enum rrtype type);

/** What a settled item says of its name for later: a code that came too often becomes its alarm, and what must not be
 * asked for again is stopped. @return what was stopped, under item->error or else item->repeat. */
enum batch_stop hosts_learn(struct hosts *hosts, struct batch_item *item, uint64_t now_ms);
