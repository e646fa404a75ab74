/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * engine_queue: the changes of one zone that are not settled, keyed by (name, type). Coalesces, keeps the order of
 * arrival, and never lets two changes of one RRset be taken at once. A change costs 80 bytes, its name and its
 * addresses; shared zones add room for the value that stands there. Private to the engine. Loop thread.
 *
 *   submit -> WAITING --take--> TAKEN --settle--> gone (a newer one of the same RRset then WAITS)
 *                ^                 | put_back, delay
 *                '---- wake -- DELAYED
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "providers/batch.h"

enum change_state { CHANGE_WAITING, CHANGE_TAKEN, CHANGE_DELAYED };

struct change {
    struct change *hash_next;
    struct change *prev, *next; /* of the waiting or the delayed list */
    struct change *newer;       /* owned: waits behind this one while it is TAKEN */
    uint64_t rev;
    uint64_t time_ms; /* monotonic. WAITING: since when; DELAYED: until when; TAKEN by engine_verify: when to ask */
    uint32_t hash;
    uint32_t ttl;
    uint32_t attempts;
    uint8_t type, state;
    uint8_t name_len, want_len, have_len, sent_len;
    bool have_known : 1, adopt : 1, unsure : 1, shared : 1, told : 1;
    bool lost : 1;     /* DELAYED: a message about the RRset went unanswered, and may yet be done */
    bool doubted : 1;  /* refused alone once, and the zone took updates right after */
    uint8_t tries : 2; /* questions of engine_verify, less than 4 */
    uint8_t data[];    /* name and NUL, want; in shared zones room for RRSET_VALUES_MAX of have and of sent */
};

struct change_list {
    struct change *head, *tail;
    size_t len;
};

struct change_queue {
    struct change **buckets; /* owned */
    size_t buckets_len;      /* power of two */
    size_t len;              /* RRsets */
    bool shared;
    struct change_list waiting;
    struct change_list delayed; /* by time_ms, soonest first */
    struct change *replaced;    /* owned: results that are being told may still borrow their names */
};

void change_queue_init(struct change_queue *queue, bool shared);
void change_queue_deinit(struct change_queue *queue);

/** Adds @p change, or puts it in the place of an older one of its RRset that is not taken, or behind one that is. An
 * older rev than the one that waits is dropped, and one that is taken already. @return ERR_NOMEM. */
enum err change_queue_submit(struct change_queue *queue, const struct rrset_change *change, uint64_t now_ms) MUST_CHECK;
/** Frees what submit replaced. Not from inside a callback of the zone's owner. */
void change_queue_bury(struct change_queue *queue);
void change_queue_take(struct change_queue *queue, struct change *change);
/** Back to the front. A newer one takes its place; what is known of the server's side is handed on. @return the change
 * that waits now. */
struct change *change_queue_put_back(struct change_queue *queue, struct change *change, uint64_t now_ms);
/** Out of the way until @p until_ms; a newer change of the RRset waits as long. */
void change_queue_delay(struct change_queue *queue, struct change *change, uint64_t until_ms);
/** Ends a taken change and frees it; a newer one of its RRset joins the end of the waiting ones. */
void change_queue_settle(struct change_queue *queue, struct change *change, bool applied, uint64_t now_ms);
/** Moves what is due from delayed to waiting. @return when the next is due, UINT64_MAX = none. */
uint64_t change_queue_wake(struct change_queue *queue, uint64_t now_ms);

static inline const char *change_name(const struct change *change)
{
    return (const char *)change->data;
}
/** Everything that a provider needs, name borrowed from the change. */
void change_unpack(const struct change *change, struct batch_item *ret_item);
/** Shared zones: stores what a lookup found out (have, unsure). */
void change_learn(struct change *change, const struct batch_item *item);
/** Shared zones: a message about @p change went unanswered: `want` may stand at the server, or, when it only asked what
 * stands there, what was `sent` before. */
void change_mark_unsure(struct change *change);
