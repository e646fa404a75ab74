/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * outbox: the RRsets whose wanted value is not known to be served and stored yet. The store's record table is the real
 * outbox; this is the part of it that is moving, in memory, found by (name, type). An entry lives from a change until
 * both its want and its have are durable; refused and held ones stay until something changes. Loop thread only.
 *
 *   put ──▶ want dirty ──commit──▶ want durable ─────────────┐
 *    │                                                       ├──▶ have durable ──▶ gone from memory
 *    └──▶ submitted ──settled──▶ applied: have dirty ──commit┘
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "providers/engine.h"
#include "providers/rrset.h"

enum outbox_flag {
    OUTBOX_WANT_DIRTY = 1,    /* want must be committed */
    OUTBOX_HAVE_DIRTY = 2,    /* outcome must be committed */
    OUTBOX_COMMITTING = 4,    /* in the batch that the store works on */
    OUTBOX_SUBMITTED = 8,     /* the engine has submitted_rev and has not settled it */
    OUTBOX_SETTLED = 16,      /* applied or refused at this rev */
    OUTBOX_TOMBSTONE = 32,    /* want is NULL: deleted under the sweep's guard */
    OUTBOX_QUEUED_DIRTY = 64, /* stands in the dirty list */
    OUTBOX_HELD = 128,        /* damped until not_before_ms */
    OUTBOX_OPEN = 256,        /* counted in its device's open records */
    OUTBOX_WAIT_WANT = 512,   /* shared zone: submitted only when the commit tells what we wrote last */
    OUTBOX_TAKEN = 2048,      /* refused by the store: the name belongs to another device */
    OUTBOX_ADOPT = 1024,      /* take the name over whatever stands there */
    OUTBOX_CONTESTED = 8192,  /* `rival` wanted the name while the store had not judged this claim of it */
    OUTBOX_UNSURE = 4096,     /* shared zone: `sent`, or nothing, may stand there instead of `have` */
};

#define OUTBOX_ERROR_MAX 31

struct outbox_entry {
    struct outbox_entry *next;                    /* hash chain */
    struct outbox_entry *dirty_next, *dirty_prev; /* dirty list */
    uint64_t rev; /* of want; 0 = nothing is wanted: made just now, or its zone is gone */
    uint64_t committing_rev;
    uint64_t submitted_rev; /* the newest that the engine was given, valid with OUTBOX_SUBMITTED */
    uint64_t have_rev;      /* settled rev, valid with OUTBOX_HAVE_DIRTY */
    uint64_t applied_rev;   /* of `have` as the engine told it, in this zone; 0 = `have` is the store's word */
    uint64_t started_ms;    /* mono: when the report behind it was taken in; 0 = not an event (reconcile, sweep) */
    uint64_t not_before_ms; /* mono: next try or release */
    uint32_t device;        /* index, DEVICE_NONE for a tombstone of an unknown device */
    uint32_t rival;         /* index of the device that claimed the name last, in vain; DEVICE_NONE */
    uint32_t ttl;
    uint32_t since_s; /* wall: last change of state */
    uint32_t attempts;
    uint16_t flags; /* enum outbox_flag */
    uint16_t zone;  /* index into the core's known zones */
    uint16_t type;  /* enum rrtype */
    uint16_t name_len;
    bool have_applied; /* outcome at have_rev was APPLIED, not REFUSED */
    bool have_known;
    struct rrset_value want, have, sent; /* sent: valid with OUTBOX_UNSURE */
    char error[OUTBOX_ERROR_MAX + 1];
    char name[];
};

struct outbox;

enum err outbox_new(struct outbox **ret_outbox) MUST_CHECK;
void outbox_free(struct outbox *outbox);

struct outbox_entry *outbox_find(const struct outbox *outbox, struct view name,
                                 enum rrtype type); /* NULL when none moves */
/** Finds or makes; a new entry is zero but for name and type. @return ERR_NOMEM. */
enum err outbox_get(struct outbox *outbox, struct view name, enum rrtype type,
                    struct outbox_entry **ret_entry) MUST_CHECK;
void outbox_remove(struct outbox *outbox, struct outbox_entry *entry);

/** Appends to the dirty list unless it stands there. */
void outbox_mark_dirty(struct outbox *outbox, struct outbox_entry *entry);
/** The oldest of the dirty list; NULL when empty. */
struct outbox_entry *outbox_first_dirty(const struct outbox *outbox);
/** Takes an entry off the dirty list, wherever it stands in it. */
void outbox_take_dirty(struct outbox *outbox, struct outbox_entry *entry);
bool outbox_has_dirty(const struct outbox *outbox);
size_t outbox_dirty_count(const struct outbox *outbox);

size_t outbox_count(const struct outbox *outbox);
/** Every entry, in no order; @p each may remove the one it is given, and no other. */
void outbox_each(const struct outbox *outbox, void (*each)(void *context, struct outbox_entry *entry), void *context);
