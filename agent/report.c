/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include <assert.h>

#include "base/backoff.h"

#define HEARTBEAT_PERCENT 10
/* Each raise writes to flash and costs a handshake: a confused coordinator must not wear either out. */
#define RAISE_APART_MS 60000
/* Lifetimes come in whole seconds: less than this is the same one. */
#define SAME_LIFETIME_MS 2000

struct step {
    struct report *report;
    const struct report_event *event;
    uint64_t now, random;
    struct report_actions actions;
};

typedef void (*step_fn)(struct step *step);

const char *report_state_text(enum report_state state)
{
    static const char *const texts[REPORT_STATES] = {
        [REPORT_OFFLINE] = "offline",           [REPORT_HELD] = "held",
        [REPORT_WAITING] = "waiting",           [REPORT_ACKED] = "acknowledged",
        [REPORT_UNREGISTERED] = "unregistered", [REPORT_STOPPED] = "stopped",
    };
    return texts[state];
}

/* The one setter: a move that the diagram does not show is our own bug. */
static void enter(struct report *report, enum report_state next)
{
    static const bool legal[REPORT_STATES][REPORT_STATES] = {
        [REPORT_OFFLINE] = {true, true, true, [REPORT_STOPPED] = true},
        [REPORT_HELD] = {true, true, true, [REPORT_STOPPED] = true},
        [REPORT_WAITING] = {true, true, true, true, true, true},
        [REPORT_ACKED] = {true, true, true, true, true, true},
        [REPORT_UNREGISTERED] = {true, true, true, true, true, true},
        [REPORT_STOPPED] = {[REPORT_STOPPED] = true},
    };
    assert(legal[report->state][next]);
    report->state = next;
}

static bool timed_out(uint64_t deadline, uint64_t now)
{
    return deadline <= now;
}

static uint64_t repeat_delay(const struct report *report, uint64_t random)
{
    uint64_t delay = report->timing.repeat_max_ms;
    if (report->state == REPORT_UNREGISTERED) {
        return backoff_jitter(report->timing.heartbeat_ms, HEARTBEAT_PERCENT, random);
    }
    if (report->repeats < 32 && report->timing.repeat_first_ms <= delay >> report->repeats) {
        delay = report->timing.repeat_first_ms << report->repeats;
    }
    return backoff_jitter(delay, REPORT_REPEAT_PERCENT, random);
}

/* Arms what follows a message: its repeat while nobody acknowledged it, else the next heartbeat. */
static void arm(struct step *step)
{
    struct report *report = step->report;
    bool waits = report->state == REPORT_WAITING || report->state == REPORT_UNREGISTERED;
    report->repeat_at_ms = waits ? step->now + repeat_delay(report, step->random) : REPORT_NEVER;
    report->heartbeat_at_ms =
        waits ? REPORT_NEVER : step->now + backoff_jitter(report->timing.heartbeat_ms, HEARTBEAT_PERCENT, step->random);
}

static void disarm(struct report *report)
{
    report->birth_at_ms = report->settle_at_ms = report->sync_at_ms = REPORT_NEVER;
    report->repeat_at_ms = report->heartbeat_at_ms = report->renew_at_ms = REPORT_NEVER;
}

static bool differs(const struct report *report)
{
    return !address_set_equal(&report->current, &report->published);
}

static void forget_null(struct address_field *field)
{
    field->presence = field->presence == FIELD_NULL ? FIELD_ABSENT : field->presence;
}

/* What of a set is worth a message of its own: not the null of a family that this process never had. */
static struct address_set urgent_part(const struct report *report, const struct address_set *set)
{
    struct address_set urgent = *set;
    if (!report->had4) {
        forget_null(&urgent.ip4);
    }
    if (!report->had6) {
        forget_null(&urgent.ip6);
    }
    urgent.prefix6_gone = urgent.prefix6_gone && report->had_prefix6;
    for (size_t i = 0; i < urgent.uplinks_len; i++) {
        forget_null(&urgent.uplinks[i].ip4); /* shown to the operator, decides nothing */
        forget_null(&urgent.uplinks[i].ip6);
    }
    return urgent;
}

static bool differs_urgently(const struct report *report)
{
    const struct address_set current = urgent_part(report, &report->current);
    const struct address_set published = urgent_part(report, &report->published);
    return !address_set_equal(&current, &published);
}

/* A content is new: the pair rises. A seq at its end goes on in a new boot. */
static void next_pair(struct step *step)
{
    struct report *report = step->report;
    if (report->seq == UINT32_MAX && report->boot < UINT32_MAX) {
        report->boot++;
        report->seq = 0;
        step->actions.persist_boot = true;
    }
    report->seq++;
    report->repeats = 0;
}

static void send(struct step *step, const char *why)
{
    struct report *report = step->report;
    report->published = report->current;
    report->settle_at_ms = REPORT_NEVER;
    report->sync_at_ms = report->renew_at_ms = REPORT_NEVER;
    report->sent_ms = step->now;
    step->actions.publish = true;
    step->actions.why = why;
    arm(step);
}

static void send_new(struct step *step, const char *why)
{
    next_pair(step);
    if (step->report->state != REPORT_UNREGISTERED) { /* answered hourly at most: repeating sooner is for nothing */
        enter(step->report, REPORT_WAITING);
    }
    send(step, why);
}

static void send_change(struct step *step)
{
    step->report->changed_before = true;
    step->report->changed_ms = step->now;
    send_new(step, "change");
}

/* Says the pair again, unless a change waits: content never goes out under an old pair. */
static void send_again(struct step *step, const char *why)
{
    if (differs(step->report)) {
        send_change(step);
    } else {
        send(step, why);
    }
}

static void note_addresses(struct step *step)
{
    struct report *report = step->report;
    report->current = *step->event->addresses;
    report->had4 = report->had4 || report->current.ip4.presence == FIELD_SET;
    report->had6 = report->had6 || report->current.ip6.presence == FIELD_SET;
    report->had_prefix6 = report->had_prefix6 || report->current.has_prefix6;
}

/* When the coordinator has to hear of longer lives than it was told; the prefixes of the two sets are the same. */
static uint64_t renewal_due(const struct report *report)
{
    uint64_t due = REPORT_NEVER;
    for (size_t i = 0; i < report->published.prefix6_also_len; i++) {
        uint64_t told = report->published.prefix6_also[i].life.preferred_until_ms;
        uint64_t true_end = report->current.prefix6_also[i].life.preferred_until_ms;
        if (true_end > told && true_end - told > SAME_LIFETIME_MS) {
            due = MIN(due, report->sent_ms + (told > report->sent_ms ? (told - report->sent_ms) / 2 : 0));
        }
    }
    return due;
}

static void on_changed(struct step *step)
{
    struct report *report = step->report;
    note_addresses(step);
    report->renew_at_ms = differs_urgently(report) ? REPORT_NEVER : renewal_due(report);
    if (!differs_urgently(report)) {
        report->settle_at_ms = REPORT_NEVER; /* nothing that cannot wait, or it came back within the window */
        return;
    }
    uint64_t open_at = report->changed_ms + report->timing.window_ms;
    if (report->changed_before && step->now < open_at) {
        report->settle_at_ms = open_at;
        return;
    }
    send_change(step);
}

static void on_attempt(struct step *step)
{
    step->report->conn++;
}

static void be_born(struct step *step)
{
    step->report->birth_at_ms = REPORT_NEVER;
    enter(step->report, REPORT_WAITING);
    send_new(step, "birth");
}

/* Also in a connected state: a new connection needs its birth, whether or not the end of the old one was heard of. */
static void on_connected(struct step *step)
{
    if (step->event->hold_ms == 0) {
        be_born(step);
        return;
    }
    disarm(step->report);
    enter(step->report, REPORT_HELD);
    step->report->birth_at_ms = step->now + step->event->hold_ms;
}

static void on_timer_held(struct step *step)
{
    if (timed_out(step->report->birth_at_ms, step->now)) {
        be_born(step);
    }
}

static void on_disconnected(struct step *step)
{
    disarm(step->report);
    enter(step->report, REPORT_OFFLINE);
}

/* The coordinator knows a later life: go past it. */
static void raise_boot(struct step *step)
{
    struct report *report = step->report;
    uint32_t highest = step->event->answer.boot > report->boot ? step->event->answer.boot : report->boot;
    bool too_soon = report->raised_before && step->now - report->raised_ms < RAISE_APART_MS;
    if (too_soon || highest == UINT32_MAX) {
        return; /* repeats go on, so a later answer comes by again */
    }
    report->boot = highest + 1;
    report->seq = 0;
    report->raised_before = true;
    report->raised_ms = step->now;
    step->actions.persist_boot = true;
    step->actions.reconnect = true;
    on_disconnected(step); /* nothing more on the old connection: its will names the old boot */
}

static bool is_of_later_life(const struct step *step)
{
    const struct report *report = step->report;
    uint32_t boot = step->event->answer.boot, seq = step->event->answer.seq;
    return step->event->answer.has_ack && (boot > report->boot || (boot == report->boot && seq > report->seq));
}

/* Nothing was said on this connection yet: whatever else is answered was asked before. */
static void on_answer_held(struct step *step)
{
    if (is_of_later_life(step)) {
        raise_boot(step);
    }
}

static void on_answer(struct step *step)
{
    struct report *report = step->report;
    uint32_t boot = step->event->answer.boot, seq = step->event->answer.seq;
    bool has_ack = step->event->answer.has_ack;
    if (is_of_later_life(step)) {
        raise_boot(step);
        return;
    }
    if (step->event->answer.unregistered) {
        if (!step->event->answer.retained && report->state != REPORT_UNREGISTERED) {
            enter(report, REPORT_UNREGISTERED);
            arm(step);
        }
        return;
    }
    if (has_ack && boot == report->boot && seq == report->seq) {
        report->acked_ms = step->now;
        if (report->state != REPORT_ACKED) {
            enter(report, REPORT_ACKED);
            arm(step);
        }
    }
}

static void on_timer(struct step *step)
{
    struct report *report = step->report;
    if (timed_out(report->settle_at_ms, step->now) || timed_out(report->renew_at_ms, step->now)) {
        send_change(step);
    } else if (timed_out(report->sync_at_ms, step->now)) {
        send_again(step, "sync");
    } else if (timed_out(report->repeat_at_ms, step->now)) {
        report->repeats++;
        send_again(step, "repeat");
    } else if (timed_out(report->heartbeat_at_ms, step->now)) {
        send_again(step, "heartbeat");
    }
}

static void on_sync(struct step *step)
{
    uint64_t window_ms = (uint64_t)step->event->sync_window_s * 1000;
    uint64_t at = step->now + step->random % (window_ms + 1);
    step->report->sync_at_ms = at < step->report->sync_at_ms ? at : step->report->sync_at_ms;
}

/* A new pair, for the coordinator answers none again that it acknowledged: who asks waits for the answer. */
static void on_request(struct step *step)
{
    if (differs(step->report)) {
        send_change(step);
    } else {
        send_new(step, "request");
    }
}

static void on_stop(struct step *step)
{
    send_new(step, "stop");
    step->actions.off = true;
    step->actions.stopped = true;
    disarm(step->report);
    enter(step->report, REPORT_STOPPED);
}

static void on_stop_offline(struct step *step)
{
    step->actions.stopped = true;
    disarm(step->report);
    enter(step->report, REPORT_STOPPED);
}

#define CONNECTED_STEPS                                                                                                \
    {                                                                                                                  \
        [REPORT_EV_CHANGED] = on_changed, [REPORT_EV_ATTEMPT] = on_attempt, [REPORT_EV_CONNECTED] = on_connected,      \
        [REPORT_EV_DISCONNECTED] = on_disconnected, [REPORT_EV_ANSWER] = on_answer, [REPORT_EV_TIMER] = on_timer,      \
        [REPORT_EV_SYNC] = on_sync, [REPORT_EV_REQUEST] = on_request, [REPORT_EV_STOP] = on_stop,                      \
    }

/* NULL: the event says nothing in that state. An answer that comes while offline belongs to a connection that is gone.
 */
static const step_fn steps[REPORT_STATES][REPORT_EVENTS] = {
    [REPORT_OFFLINE] = {[REPORT_EV_CHANGED] = note_addresses,
                        [REPORT_EV_ATTEMPT] = on_attempt,
                        [REPORT_EV_CONNECTED] = on_connected,
                        [REPORT_EV_STOP] = on_stop_offline},
    /* The birth answers a sync and a request. */
    [REPORT_HELD] = {[REPORT_EV_CHANGED] = note_addresses,
                     [REPORT_EV_ATTEMPT] = on_attempt,
                     [REPORT_EV_CONNECTED] = on_connected,
                     [REPORT_EV_SETTLED] = be_born,
                     [REPORT_EV_DISCONNECTED] = on_disconnected,
                     [REPORT_EV_ANSWER] = on_answer_held,
                     [REPORT_EV_TIMER] = on_timer_held,
                     [REPORT_EV_STOP] = on_stop_offline},
    [REPORT_WAITING] = CONNECTED_STEPS,
    [REPORT_ACKED] = CONNECTED_STEPS,
    [REPORT_UNREGISTERED] = CONNECTED_STEPS,
};

void report_init(struct report *report, uint32_t boot, const struct report_timing *timing)
{
    *report = (struct report){.timing = *timing, .boot = boot};
    disarm(report);
}

void report_retime(struct report *report, const struct report_timing *timing, uint64_t now, uint64_t random)
{
    report->timing = *timing;
    if (report->repeat_at_ms != REPORT_NEVER) {
        report->repeat_at_ms = MIN(report->repeat_at_ms, now + repeat_delay(report, random));
    }
    if (report->heartbeat_at_ms != REPORT_NEVER) {
        report->heartbeat_at_ms =
            MIN(report->heartbeat_at_ms, now + backoff_jitter(timing->heartbeat_ms, HEARTBEAT_PERCENT, random));
    }
}

struct report_actions report_step(struct report *report, const struct report_event *event, uint64_t now,
                                  uint64_t random)
{
    struct step step = {.report = report, .event = event, .now = now, .random = random};
    step_fn fn = steps[report->state][event->kind];
    if (fn != NULL) {
        fn(&step);
    }
    return step.actions;
}

uint64_t report_deadline(const struct report *report)
{
    const uint64_t all[] = {report->birth_at_ms,     report->settle_at_ms, report->repeat_at_ms,
                            report->heartbeat_at_ms, report->sync_at_ms,   report->renew_at_ms};
    uint64_t first = REPORT_NEVER;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        first = all[i] < first ? all[i] : first;
    }
    return first;
}
