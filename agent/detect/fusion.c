/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/fusion.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"

#define NEVER UINT64_MAX

/* What the votes say at one moment. */
struct tally {
    struct ip winner; /* IP_NONE: no value has the quorum */
    size_t source;    /* of the winner: the first that stands for it */
    size_t standing;
    bool differ;      /* two sources stand for different addresses */
    bool absent;      /* the interface has none, and nobody stands for an address */
    uint64_t expires; /* when the first standing vote gets stale */
};

const char *fusion_state_name(enum fusion_state state)
{
    static const char *const names[FUSION_STATES] = {
        [FUSION_UNKNOWN] = "unknown",   [FUSION_CONFIRMED] = "confirmed", [FUSION_CHANGING] = "changing",
        [FUSION_DISAGREE] = "disagree", [FUSION_LOSING] = "losing",       [FUSION_GONE] = "gone",
    };
    return names[state];
}

/* The one setter: only GONE has a single way in. */
static void enter(struct fusion *fusion, enum fusion_state next, uint64_t now)
{
    assert(next != FUSION_GONE || fusion->state == FUSION_LOSING);
    fusion->since_ms = fusion->state == next ? fusion->since_ms : now;
    fusion->state = next;
    fusion->due_ms = NEVER;
    fusion->candidate = (struct ip){0};
}

void fusion_init(struct fusion *fusion, enum ip_family family, const struct fusion_policy *policy,
                 const struct fusion_source *sources, size_t sources_len, uint64_t now)
{
    *fusion = (struct fusion){
        .family = (uint8_t)family,
        .policy = *policy,
        .sources_len = MIN(sources_len, (size_t)FUSION_SOURCES_MAX),
        .since_ms = now,
        .due_ms = NEVER,
        .deadline_ms = NEVER,
    };
    fusion->policy.quorum = MAX(policy->quorum, 1U);
    fusion->policy.flap_max = MIN(policy->flap_max, (unsigned)FUSION_FLAPS_MAX);
    for (size_t i = 0; i < fusion->sources_len; i++) {
        fusion->sources[i] = sources[i];
    }
}

static uint64_t later(uint64_t from, uint64_t by)
{
    return by < NEVER - from ? from + by : NEVER;
}

/* When the vote gets stale; a caller's clock that went back makes nothing stale. */
static uint64_t expiry(const struct fusion *fusion, size_t i)
{
    uint64_t fresh_ms = fusion->sources[i].fresh_ms;
    return fresh_ms == 0 ? NEVER : later(fusion->votes[i].ip_ms, fresh_ms);
}

static bool stands(const struct fusion *fusion, size_t i, uint64_t now)
{
    return fusion->sources[i].counts && fusion->votes[i].ip.family != IP_NONE && expiry(fusion, i) > now;
}

static bool stood_for(const struct fusion *fusion, const struct ip *ip, uint64_t now)
{
    for (size_t i = 0; i < fusion->sources_len; i++) {
        if (stands(fusion, i, now) && ip_equal(&fusion->votes[i].ip, ip)) {
            return true;
        }
    }
    return false;
}

static unsigned supporters(const struct fusion *fusion, const struct ip *ip, uint64_t now)
{
    unsigned count = 0;
    for (size_t i = 0; i < fusion->sources_len; i++) {
        count += stands(fusion, i, now) && ip_equal(&fusion->votes[i].ip, ip);
    }
    return count;
}

static struct tally count(const struct fusion *fusion, uint64_t now)
{
    struct tally tally = {.expires = NEVER, .absent = fusion->absent};
    const struct ip *first = NULL;
    for (size_t i = 0; i < fusion->sources_len; i++) {
        const struct ip *ip = &fusion->votes[i].ip;
        tally.absent = tally.absent || (fusion->sources[i].counts && fusion->votes[i].absent);
        if (!stands(fusion, i, now)) {
            continue;
        }
        tally.standing++;
        tally.expires = MIN(tally.expires, expiry(fusion, i));
        first = first == NULL ? ip : first;
        tally.differ = tally.differ || !ip_equal(ip, first);
        if (tally.winner.family == IP_NONE && supporters(fusion, ip, now) >= fusion->policy.quorum) {
            tally.winner = *ip;
            tally.source = i;
        }
    }
    tally.absent = tally.absent && tally.standing == 0;
    return tally;
}

static void forget_flaps(struct fusion *fusion, uint64_t now)
{
    size_t old = 0;
    while (old < fusion->flaps_len && later(fusion->flaps[old], fusion->policy.flap_window_ms) <= now) {
        old++;
    }
    fusion->flaps_len -= old;
    memmove(fusion->flaps, fusion->flaps + old, fusion->flaps_len * sizeof(fusion->flaps[0]));
    fusion->unstable = fusion->policy.flap_max > 0 && fusion->flaps_len >= fusion->policy.flap_max;
}

static void note_flap(struct fusion *fusion, uint64_t now)
{
    if (fusion->flaps_len == FUSION_FLAPS_MAX) {
        fusion->flaps_len--;
        memmove(fusion->flaps, fusion->flaps + 1, fusion->flaps_len * sizeof(fusion->flaps[0]));
    }
    fusion->flaps[fusion->flaps_len++] = now;
    forget_flaps(fusion, now);
}

static bool seen_from_outside(enum source_view view)
{
    return view == SOURCE_VIEW_PATH || view == SOURCE_VIEW_ROUTER;
}

/* The value became another one: who saw something else before anybody saw this saw the time before. Without that, the
 * new value's votes getting stale first would bring the old value back. */
static void supersede(struct fusion *fusion, uint64_t now)
{
    uint64_t first = NEVER;
    for (size_t i = 0; i < fusion->sources_len; i++) {
        if (stands(fusion, i, now) && ip_equal(&fusion->votes[i].ip, &fusion->value)) {
            first = MIN(first, fusion->votes[i].ip_ms);
        }
    }
    for (size_t i = 0; i < fusion->sources_len; i++) {
        struct fusion_vote *vote = &fusion->votes[i];
        bool ages = fusion->sources[i].fresh_ms != 0; /* else it holds until its source says otherwise */
        if (ages && seen_from_outside(fusion->sources[i].view) && !ip_equal(&vote->ip, &fusion->value) &&
            vote->ip_ms < first) {
            vote->ip = (struct ip){0};
        }
    }
}

static void confirm(struct fusion *fusion, const struct tally *tally, uint64_t now)
{
    enter(fusion, FUSION_CONFIRMED, now);
    if (!ip_equal(&fusion->value, &tally->winner)) {
        bool changed = fusion->value.family != IP_NONE;
        fusion->value = tally->winner;
        if (changed) {
            note_flap(fusion, now);
            supersede(fusion, now);
        }
        fusion->value_source = tally->source;
        fusion->since_ms = now;
    }
    fusion->moved = false;
    fusion->disproved = false;
}

/* A candidate that goes before its time keeps an unstable path unstable. */
static void drop_candidate(struct fusion *fusion, uint64_t now)
{
    if (fusion->state == FUSION_CHANGING && fusion->unstable) {
        note_flap(fusion, now);
    }
}

/* Another value than the confirmed one has the quorum. */
static void change(struct fusion *fusion, const struct tally *tally, bool at_once, uint64_t now)
{
    const struct fusion_policy *policy = &fusion->policy;
    bool same = fusion->state == FUSION_CHANGING && ip_equal(&fusion->candidate, &tally->winner);
    uint64_t wait = fusion->unstable ? policy->flap_delay_ms : at_once || fusion->moved ? 0 : policy->confirm_ms;
    uint64_t due = later(now, wait);
    if (same) {
        due = MIN(due, fusion->due_ms);
    }
    if (due <= now) {
        confirm(fusion, tally, now);
        return;
    }
    uint64_t since = same ? fusion->since_ms : now;
    if (!same) {
        drop_candidate(fusion, now);
    }
    enter(fusion, FUSION_CHANGING, now);
    fusion->since_ms = since;
    fusion->candidate = tally->winner;
    fusion->due_ms = due;
}

static void lose(struct fusion *fusion, uint64_t now)
{
    if (fusion->state == FUSION_GONE) {
        return;
    }
    uint64_t due = fusion->state == FUSION_LOSING ? fusion->due_ms : later(now, fusion->policy.hold_ms);
    enter(fusion, FUSION_LOSING, now);
    fusion->due_ms = due;
    if (due <= now) {
        enter(fusion, FUSION_GONE, now);
        fusion->value = (struct ip){0};
    }
}

static void settle(struct fusion *fusion, const struct tally *tally, uint64_t now)
{
    drop_candidate(fusion, now);
    if (tally->absent) {
        lose(fusion, now);
    } else if (tally->differ) {
        enter(fusion, FUSION_DISAGREE, now);
    } else {
        enter(fusion, fusion->value.family != IP_NONE ? FUSION_CONFIRMED : FUSION_UNKNOWN, now);
    }
}

/* Next moment at which time alone changes something: at rest, with votes that all say the same, there is none. */
static uint64_t next_deadline(const struct fusion *fusion, const struct tally *tally, bool disputed)
{
    uint64_t deadline = fusion->due_ms;
    bool matters = fusion->state == FUSION_CHANGING || fusion->state == FUSION_DISAGREE || disputed || fusion->absent;
    for (size_t i = 0; i < fusion->sources_len; i++) {
        matters = matters || fusion->votes[i].absent; /* it says that there is none, others see one */
    }
    if (matters) {
        deadline = MIN(deadline, tally->expires);
    }
    if (fusion->unstable) {
        size_t last = fusion->flaps_len - fusion->policy.flap_max;
        deadline = MIN(deadline, later(fusion->flaps[last], fusion->policy.flap_window_ms));
    }
    return deadline;
}

/* @param event_ip what an event said just now; IP_NONE = nothing */
static bool evaluate(struct fusion *fusion, const struct ip *event_ip, uint64_t now)
{
    const struct fusion before = {
        .state = fusion->state, .value = fusion->value, .unstable = fusion->unstable, .disputed = fusion->disputed};
    forget_flaps(fusion, now);
    struct tally tally = count(fusion, now);
    fusion->disproved = fusion->disproved && !stood_for(fusion, &fusion->value, now);
    if (tally.winner.family == IP_NONE) {
        fusion->value = fusion->disproved ? (struct ip){0} : fusion->value;
        fusion->disproved = false;
        settle(fusion, &tally, now);
    } else if (ip_equal(&tally.winner, &fusion->value) || fusion->value.family == IP_NONE) {
        drop_candidate(fusion, now);
        confirm(fusion, &tally, now);
    } else {
        change(fusion, &tally, ip_equal(&tally.winner, event_ip), now);
    }
    tally = count(fusion, now); /* a change may have superseded votes */
    fusion->disputed = fusion->state == FUSION_CONFIRMED && tally.differ;
    fusion->deadline_ms = next_deadline(fusion, &tally, fusion->disputed);
    return before.state != fusion->state || !ip_equal(&before.value, &fusion->value) ||
           before.unstable != fusion->unstable || before.disputed != fusion->disputed;
}

void fusion_adopt(struct fusion *fusion, const struct fusion *old, const size_t *from, uint64_t now)
{
    size_t holder = SIZE_MAX; /* who of the new ones the value comes from */
    for (size_t i = 0; i < fusion->sources_len; i++) {
        fusion->votes[i] = from[i] < old->sources_len ? old->votes[from[i]] : (struct fusion_vote){0};
        bool holds = fusion->sources[i].counts && from[i] == old->value_source;
        bool says = stands(fusion, i, now) && ip_equal(&fusion->votes[i].ip, &old->value);
        holder = holder == SIZE_MAX && (holds || says) ? i : holder;
    }
    memcpy(fusion->flaps, old->flaps, sizeof(fusion->flaps));
    fusion->flaps_len = old->flaps_len;
    fusion->moved = old->moved;
    fusion->disproved = old->disproved;
    if (old->value.family != IP_NONE && holder != SIZE_MAX) {
        fusion->state = FUSION_CONFIRMED;
        fusion->since_ms = old->since_ms;
        fusion->value = old->value;
        fusion->value_source = holder;
    }
    (void)evaluate(fusion, &(struct ip){0}, now);
}

static void forget_outside(struct fusion *fusion)
{
    for (size_t i = 0; i < fusion->sources_len; i++) {
        if (seen_from_outside(fusion->sources[i].view)) {
            fusion->votes[i].ip = (struct ip){0};
        }
    }
}

/* Only what knows its own address can take it back: an intercepted resolver that answers nonsense proves nothing. */
static bool is_witness(enum source_view view)
{
    return view == SOURCE_VIEW_LOCAL || view == SOURCE_VIEW_ROUTER;
}

/* Takes what @p answer means for the source's vote. */
static void take_vote(struct fusion *fusion, size_t i, const struct source_answer *answer, uint64_t now)
{
    struct fusion_vote *vote = &fusion->votes[i];
    const struct fusion_source *source = &fusion->sources[i];
    bool local = source->view == SOURCE_VIEW_LOCAL;
    if (answer->status == SOURCE_ANSWER_ADDRESS) {
        vote->ip = ip_is_public(&answer->ip) ? answer->ip : (struct ip){0};
        vote->ip_ms = now;
        vote->said = vote->ip.family != IP_NONE ? vote->ip : vote->said;
        vote->absent = false;
    } else if (answer->status == SOURCE_ANSWER_ABSENT && local) {
        if (!vote->absent) {
            forget_outside(fusion);
        }
        vote->ip = (struct ip){0};
        vote->absent = true;
    } else if (source->fresh_ms == 0) {
        vote->ip = (struct ip){0};
        vote->absent = false;
    }
}

bool fusion_answer(struct fusion *fusion, size_t source, const struct source_answer *answer, bool event, uint64_t now)
{
    if (source >= fusion->sources_len) {
        return false;
    }
    struct fusion_vote *vote = &fusion->votes[source];
    vote->has = true;
    vote->answer = *answer;
    vote->at_ms = now;
    if (answer->status == SOURCE_ANSWER_ADDRESS && answer->ip.family != fusion->family) {
        vote->answer.status = SOURCE_ANSWER_FAILED;
    }
    bool is_address = vote->answer.status == SOURCE_ANSWER_ADDRESS;
    bool said_it = fusion->sources[source].counts && is_witness(fusion->sources[source].view) &&
                   fusion->value.family != IP_NONE && ip_equal(&vote->said, &fusion->value);
    take_vote(fusion, source, &vote->answer, now);
    fusion->disproved = fusion->disproved || (said_it && is_address); /* unless somebody stands for it: evaluate asks */
    return evaluate(fusion, event && is_address ? &vote->ip : &(struct ip){0}, now);
}

bool fusion_path_changed(struct fusion *fusion, uint64_t now)
{
    forget_outside(fusion);
    fusion->moved = true;
    return evaluate(fusion, &(struct ip){0}, now);
}

bool fusion_absence(struct fusion *fusion, bool absent, uint64_t now)
{
    if (absent && !fusion->absent) {
        forget_outside(fusion);
    }
    fusion->absent = absent;
    return evaluate(fusion, &(struct ip){0}, now);
}

bool fusion_tick(struct fusion *fusion, uint64_t now)
{
    return now >= fusion->deadline_ms && evaluate(fusion, &(struct ip){0}, now);
}

const char *fusion_verdict(const struct fusion *fusion, size_t source, uint64_t now)
{
    const struct fusion_vote *vote = source < fusion->sources_len ? &fusion->votes[source] : NULL;
    if (vote == NULL || !vote->has) {
        return "none";
    }
    if (vote->answer.status != SOURCE_ANSWER_ADDRESS) {
        return vote->answer.status == SOURCE_ANSWER_ABSENT ? "absent" : "failed";
    }
    if (!ip_is_public(&vote->answer.ip)) {
        return "not public";
    }
    if (!fusion->sources[source].counts) {
        return "shown only";
    }
    if (!stands(fusion, source, now)) {
        return "stale";
    }
    if (fusion->value.family == IP_NONE) {
        return "counts";
    }
    return ip_equal(&vote->ip, &fusion->value) ? "agrees" : "differs";
}
