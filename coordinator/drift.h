/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * drift: what a sweep does about one record, and whether all of it may go on. Pure: the sweep (sweep.c) lists the zone,
 * reads the rows, and does what is said here.
 *
 * Owned is, in a dedicated zone, every name that the store has a row for; in a shared zone only an RRset that still has
 * the value we wrote last. What is not owned is told and left.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/store/store.h"
#include "providers/rrset.h"

#define DRIFT_GUARD_PERCENT      30 /* more than this of what exists, and the sweep stops */
#define DRIFT_GUARD_MIN_EXISTING 10 /* in a smaller zone one device is a third of it */
#define DRIFT_GUARD_MIN_ALL      2  /* the last device of a zone may be removed */

enum drift_kind {
    DRIFT_NONE,    /* as wanted; or its writer is at it, or was since the listing began: an event, not drift */
    DRIFT_MISSING, /* wanted, not there: created */
    DRIFT_WRONG,   /* another value: repaired */
    DRIFT_TTL,     /* the value with another TTL: repaired */
    DRIFT_DELETE,  /* there, not wanted: deleted */
    DRIFT_FORGET,  /* a tombstone of nothing: its row goes */
    DRIFT_REFRESH, /* as wanted, but the service would let it expire: written again */
    DRIFT_FOREIGN, /* shared zone, not the value we wrote: left */
    DRIFT_UNKNOWN, /* no row: left */
};

struct drift_input {
    const struct store_record *record; /* the stored row; NULL = the zone has an RRset that no row names */
    bool listed;                       /* the zone could be listed; false: `found` says nothing */
    const struct rrset_value *found;   /* what the zone has; NULL = nothing */
    uint32_t found_ttl;                /* seconds */
    bool moving;                       /* its writer has it, or will */
    bool refused;                      /* its writer has given up on it: the change is an event still */
    bool shared;                       /* zone mode */
    uint64_t refresh_every_ms;         /* 0 = never */
    int64_t started_ms;                /* wall, when the listing began */
    int64_t now_ms;                    /* wall */
};

struct drift_verdict {
    enum drift_kind kind;
    bool write;    /* what is wanted goes out again */
    bool exists;   /* counts as one of the zone's existing records, where they cannot be listed */
    bool guarded;  /* an update or a deletion that no event asked for: the guard counts it and may stop it */
    bool deletion; /* guarded, and a deletion */
    bool stays;    /* a record of ours that is there, and is not to be deleted */
};

/** What one sweep found so far; zero at its start. */
struct drift_tally {
    size_t existing; /* RRsets: the owner sets it to what was listed; counted here where nothing could be */
    size_t stays;
    size_t missing, wrong, deletions, foreign, unknown, refreshed; /* wrong and deletions: the guarded ones only */
};

struct drift_verdict drift_judge(const struct drift_input *input);
void drift_count(struct drift_tally *tally, const struct drift_verdict *verdict);

/** Whether the guarded ones may go, and if not, why. */
enum drift_guard {
    DRIFT_GUARD_PASS,
    DRIFT_GUARD_SHARE, /* more than DRIFT_GUARD_PERCENT of at least DRIFT_GUARD_MIN_EXISTING records */
    DRIFT_GUARD_ALL,   /* every record of ours that is there, of at least DRIFT_GUARD_MIN_ALL, would be deleted */
};

/** @param force an operator has looked. */
enum drift_guard drift_guard(const struct drift_tally *tally, bool force);

/** For people and programs: "", "share", "all-deleted". */
const char *drift_guard_name(enum drift_guard guard);

/** For people: "missing", "wrong", "ttl", "delete", "refresh", "foreign", "unknown"; NULL: nothing to show. */
const char *drift_name(enum drift_kind kind);
