/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/clone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAYS           4 /* places that a device may stand in */
#define LIVES_KEPT     4
#define DAY_MS         UINT64_C(86400000)
#define WINDOW_MS      UINT64_C(600000)
#define PROOFS_BOOT    3
#define PROOFS_ADDRESS 2
#define SWITCHES_MIN   4
#define PEERS_MIN      8
#define SILENT_MIN     5

/* Going to and fro between two addresses. */
struct swing {
    struct ip last, other; /* where it is, where it was before */
    uint64_t since_ms;     /* of the first switch that counts */
    uint16_t switches;
};

struct life {
    uint32_t boot, seq;
    struct device_addresses bound; /* what counted with its last state */
};

struct tracker {
    uint32_t device; /* + 1; 0 = free */
    uint32_t certificate;
    uint64_t touched_ms, seen_ms;
    uint64_t proofs_ms;               /* of the first proof that counts */
    struct life lives[LIVES_KEPT];    /* accepted ones, as of when they were last heard of */
    struct clone_line lower;          /* last state that was lower, */
    uint32_t stored_boot, stored_seq; /* and what was accepted then */
    struct swing states, peers;
    uint32_t proof_boot;          /* of the first proof */
    struct device_addresses good; /* what counted before the first proof's other life came */
    uint8_t lives_next;
    uint8_t proofs, silent;
    bool two_lives; /* proofs of more than one life */
};

struct clone_table {
    struct tracker trackers[CLONE_DEVICES_MAX];
};

enum err clone_table_new(struct clone_table **ret_table)
{
    *ret_table = calloc(1, sizeof(**ret_table));
    return *ret_table != NULL ? ERR_OK : ERR_NOMEM;
}

void clone_table_free(struct clone_table *table)
{
    free(table);
}

static size_t bucket_of(uint32_t device)
{
    return ((device * UINT32_C(2654435761)) >> 8) % (CLONE_DEVICES_MAX / WAYS) * WAYS;
}

static struct tracker *find(const struct clone_table *table, uint32_t device)
{
    struct tracker *bucket = (struct tracker *)&table->trackers[bucket_of(device)];
    for (size_t i = 0; i < WAYS; i++) {
        if (bucket[i].device == device + 1) {
            return &bucket[i];
        }
    }
    return NULL;
}

/* The weaker of two: no proofs, then the one that was quiet for longer. */
static bool is_weaker(const struct tracker *a, const struct tracker *b)
{
    if ((a->proofs > 0) != (b->proofs > 0)) {
        return a->proofs == 0;
    }
    return a->touched_ms < b->touched_ms;
}

static struct tracker *find_or_add(struct clone_table *table, uint32_t device, uint64_t now_ms)
{
    struct tracker *tracker = find(table, device);
    if (tracker == NULL) {
        struct tracker *bucket = &table->trackers[bucket_of(device)];
        tracker = &bucket[0];
        for (size_t i = 1; i < WAYS && tracker->device != 0; i++) {
            if (bucket[i].device == 0 || is_weaker(&bucket[i], tracker)) {
                tracker = &bucket[i];
            }
        }
        *tracker = (struct tracker){.device = device + 1};
    }
    tracker->touched_ms = now_ms;
    return tracker;
}

void clone_forget(struct clone_table *table, uint32_t device)
{
    struct tracker *tracker = find(table, device);
    if (tracker != NULL) {
        *tracker = (struct tracker){.device = 0};
    }
}

uint64_t clone_seen_ms(const struct clone_table *table, uint32_t device)
{
    const struct tracker *tracker = find(table, device);
    return tracker != NULL ? tracker->seen_ms : 0;
}

/* A third address begins anew: a pool, a journey. */
static void swing_to(struct swing *swing, const struct ip *to, uint64_t now_ms)
{
    if (swing->last.family != IP_NONE && ip_equal(&swing->last, to)) {
        return;
    }
    bool back = swing->other.family != IP_NONE && ip_equal(&swing->other, to);
    if (!back || now_ms - swing->since_ms > WINDOW_MS) {
        swing->switches = 0;
        swing->since_ms = now_ms;
    }
    swing->other = swing->last;
    swing->last = *to;
    swing->switches = (uint16_t)(swing->switches + (swing->other.family != IP_NONE && swing->switches < UINT16_MAX));
}

static void prove(struct tracker *tracker, uint32_t boot, bool both, const struct device_addresses *good,
                  uint64_t now_ms)
{
    if (tracker->proofs == 0 || now_ms - tracker->proofs_ms > DAY_MS) {
        tracker->proofs = 0;
        tracker->good = *good;
        tracker->proofs_ms = now_ms;
        tracker->proof_boot = boot;
        tracker->two_lives = false;
    }
    tracker->two_lives = tracker->two_lives || both || boot != tracker->proof_boot;
    tracker->proofs = (uint8_t)(tracker->proofs + (tracker->proofs < UINT8_MAX));
}

static struct life *life_of(struct tracker *tracker, uint32_t boot)
{
    for (size_t i = 0; i < LIVES_KEPT; i++) {
        if (tracker->lives[i].boot == boot && tracker->lives[i].seq != 0) {
            return &tracker->lives[i];
        }
    }
    return NULL;
}

static void remember(struct tracker *tracker, const struct clone_sign *sign)
{
    const struct clone_line *line = &sign->stored;
    struct life *life = life_of(tracker, line->boot);
    if (life == NULL) {
        life = &tracker->lives[tracker->lives_next++ % LIVES_KEPT];
        *life = (struct life){.boot = line->boot};
    }
    life->seq = MAX(life->seq, line->seq);
    life->bound = sign->bound;
}

static void take_lower(struct tracker *tracker, const struct clone_sign *sign)
{
    const struct clone_line *said = &sign->said, *stored = &sign->stored;
    struct life *life = said->boot < stored->boot ? life_of(tracker, said->boot) : NULL;
    bool rises = tracker->lower.boot == said->boot && said->seq > tracker->lower.seq && tracker->lower.seq != 0;
    bool goes_on = tracker->stored_boot == stored->boot && stored->seq > tracker->stored_seq;
    if (life != NULL && said->seq > life->seq) {
        prove(tracker, said->boot, false, &life->bound, sign->now_ms); /* a life that came back */
        life->seq = said->seq;
    } else if (said->boot < stored->boot && rises && goes_on) {
        prove(tracker, said->boot, true, &sign->bound, sign->now_ms); /* two lives that go on */
    }
    tracker->lower = *said;
    tracker->stored_boot = stored->boot;
    tracker->stored_seq = stored->seq;
}

static bool is_lower(const struct clone_line *said, const struct clone_line *stored)
{
    return said->boot < stored->boot || (said->boot == stored->boot && said->seq < stored->seq);
}

static void count_proofs(struct tracker *tracker, const struct clone_sign *sign)
{
    const struct clone_line *said = &sign->said, *stored = &sign->stored;
    bool same_boot = said->boot == stored->boot;
    if (is_lower(said, stored)) {
        take_lower(tracker, sign);
    } else if (same_boot && (said->conn < stored->conn ||
                             (said->seq == stored->seq && !ip_equal(&said->observed, &stored->observed)))) {
        prove(tracker, said->boot, false, &sign->bound,
              sign->now_ms); /* one pair twice, or a connection before the last one */
    }
}

static void fill_swing(const struct swing *swing, const struct tracker *tracker, struct clone_verdict *ret_verdict)
{
    char here[IP_TEXT_SIZE], there[IP_TEXT_SIZE];
    (void)ip_format(&swing->last, here); /* lengths not needed */
    (void)ip_format(&swing->other, there);
    (void)snprintf(ret_verdict->detail, sizeof(ret_verdict->detail), "%s and %s, %u turns, %u proofs", here, there,
                   swing->switches, tracker->proofs); /* fits */
}

static void forget(struct tracker *tracker, struct clone_verdict *ret_verdict)
{
    ret_verdict->has_good = tracker->proofs > 0;
    ret_verdict->good = tracker->good;
    *tracker = (struct tracker){.device = 0};
}

bool clone_state(struct clone_table *table, const struct clone_sign *sign, struct clone_verdict *ret_verdict)
{
    struct tracker *tracker = find_or_add(table, sign->device, sign->now_ms);
    remember(tracker, sign);
    count_proofs(tracker, sign);
    if (tracker->states.last.family == IP_NONE && sign->stored.observed.family != IP_NONE) {
        tracker->states.last = sign->stored.observed;
    }
    swing_to(&tracker->states, &sign->said.observed, sign->now_ms);
    bool swings = tracker->states.switches >= SWITCHES_MIN && sign->now_ms - tracker->states.since_ms <= WINDOW_MS;
    if (tracker->proofs >= PROOFS_ADDRESS && swings) {
        ret_verdict->kind = SUSPECT_ADDRESSES;
        fill_swing(&tracker->states, tracker, ret_verdict);
    } else if (tracker->proofs >= PROOFS_BOOT && tracker->two_lives) {
        ret_verdict->kind = SUSPECT_BOOT;
        (void)snprintf(ret_verdict->detail, sizeof(ret_verdict->detail), "boot %u reports beside boot %u, %u proofs",
                       sign->said.boot, sign->stored.boot, tracker->proofs); /* fits */
    } else {
        return false;
    }
    forget(tracker, ret_verdict);
    return true;
}

bool clone_seen(struct clone_table *table, const struct clone_seen *seen, struct clone_verdict *ret_verdict)
{
    struct tracker *tracker = find(table, seen->device);
    if (tracker == NULL && (seen->before.family == IP_NONE || ip_equal(&seen->peer, &seen->before))) {
        return false; /* as always */
    }
    tracker = find_or_add(table, seen->device, seen->now_ms);
    if (tracker->certificate != seen->certificate) { /* renewed: the two ends of that swing are one device */
        tracker->certificate = seen->certificate;
        tracker->peers = (struct swing){.last = seen->before};
        tracker->silent = 0;
    }
    bool moved = !ip_equal(&tracker->peers.last, &seen->peer);
    swing_to(&tracker->peers, &seen->peer, seen->now_ms);
    if (tracker->peers.switches <= 1) {
        tracker->silent = 0;
    } else if (moved && !seen->spoke) {
        tracker->silent = (uint8_t)(tracker->silent + (tracker->silent < UINT8_MAX));
    }
    tracker->seen_ms = seen->now_ms;
    if (tracker->peers.switches < PEERS_MIN || seen->now_ms - tracker->peers.since_ms > WINDOW_MS ||
        (tracker->silent < SILENT_MIN && tracker->proofs == 0)) {
        return false;
    }
    ret_verdict->kind = SUSPECT_TAKEOVER;
    fill_swing(&tracker->peers, tracker, ret_verdict);
    forget(tracker, ret_verdict);
    return true;
}
