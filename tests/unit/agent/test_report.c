/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

static uint64_t random_state = 1;

static uint64_t next_random(void) /* splitmix64 */
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static struct address_set set_of(uint32_t n)
{
    struct address_set set = {.ip4 = {.presence = FIELD_SET, .ip = {.family = IP_V4}}};
    for (unsigned i = 0; i < 4; i++) {
        set.ip4.ip.bytes[i] = (uint8_t)(n >> (24 - 8 * i));
    }
    return set;
}

static struct report_actions step(struct report *report, struct report_event event, uint64_t now)
{
    return report_step(report, &event, now, next_random());
}

static struct report_actions give(struct report *report, enum report_event_kind kind, uint64_t now)
{
    return step(report, (struct report_event){.kind = kind}, now);
}

static struct report_actions change(struct report *report, uint32_t n, uint64_t now)
{
    struct address_set set = set_of(n);
    return step(report, (struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set}, now);
}

static struct report_actions ack(struct report *report, uint32_t boot, uint32_t seq, uint64_t now)
{
    return step(report,
                (struct report_event){.kind = REPORT_EV_ANSWER, .answer = {.has_ack = true, .boot = boot, .seq = seq}},
                now);
}

static struct report_actions unregistered(struct report *report, bool retained, uint64_t now)
{
    return step(report,
                (struct report_event){.kind = REPORT_EV_ANSWER, .answer = {.unregistered = true, .retained = retained}},
                now);
}

static struct report_actions hold(struct report *report, uint64_t hold_ms, uint64_t now)
{
    return step(report, (struct report_event){.kind = REPORT_EV_CONNECTED, .hold_ms = hold_ms}, now);
}

static struct report fresh(uint32_t boot)
{
    struct report report;
    const struct report_timing timing = REPORT_TIMING_DEFAULT;
    report_init(&report, boot, &timing);
    return report;
}

/* A report in @p state at time 10 s with boot 3, seq 1 (offline: none), address 1. */
static struct report report_in(enum report_state state)
{
    struct report report = fresh(3);
    (void)change(&report, 1, 0);
    if (state == REPORT_OFFLINE) {
        return report;
    }
    (void)give(&report, REPORT_EV_ATTEMPT, 9 * SECOND);
    if (state == REPORT_HELD) {
        (void)hold(&report, 2 * SECOND, 10 * SECOND);
        assert_int_equal(report.state, state);
        return report;
    }
    (void)give(&report, REPORT_EV_CONNECTED, 10 * SECOND);
    if (state == REPORT_ACKED) {
        (void)ack(&report, 3, 1, 10 * SECOND);
    } else if (state == REPORT_UNREGISTERED) {
        (void)unregistered(&report, false, 10 * SECOND);
    } else if (state == REPORT_STOPPED) {
        (void)give(&report, REPORT_EV_STOP, 10 * SECOND);
    }
    assert_int_equal(report.state, state);
    return report;
}

struct expected {
    enum report_state state;
    const char *why; /* NULL: nothing is published */
    uint32_t seq_up;
};

#define OFF(why, up)                                                                                                   \
    {                                                                                                                  \
        REPORT_OFFLINE, why, up                                                                                        \
    }
#define HELD(why, up)                                                                                                  \
    {                                                                                                                  \
        REPORT_HELD, why, up                                                                                           \
    }
#define WAIT(why, up)                                                                                                  \
    {                                                                                                                  \
        REPORT_WAITING, why, up                                                                                        \
    }
#define ACK(why, up)                                                                                                   \
    {                                                                                                                  \
        REPORT_ACKED, why, up                                                                                          \
    }
#define UNR(why, up)                                                                                                   \
    {                                                                                                                  \
        REPORT_UNREGISTERED, why, up                                                                                   \
    }
#define STOP(why, up)                                                                                                  \
    {                                                                                                                  \
        REPORT_STOPPED, why, up                                                                                        \
    }

/* Each state with each event: CHANGED brings a new address, ANSWER acknowledges the pair, TIMER comes a day later. */
static const struct expected all_pairs[REPORT_STATES][REPORT_EVENTS] = {
    [REPORT_OFFLINE] = {OFF(NULL, 0), OFF(NULL, 0), WAIT("birth", 1), OFF(NULL, 0), OFF(NULL, 0), OFF(NULL, 0),
                        OFF(NULL, 0), OFF(NULL, 0), OFF(NULL, 0), STOP(NULL, 0)},
    [REPORT_HELD] = {HELD(NULL, 0), HELD(NULL, 0), WAIT("birth", 1), WAIT("birth", 1), OFF(NULL, 0), HELD(NULL, 0),
                     WAIT("birth", 1), HELD(NULL, 0), HELD(NULL, 0), STOP(NULL, 0)},
    [REPORT_WAITING] = {WAIT("change", 1), WAIT(NULL, 0), WAIT("birth", 1), WAIT(NULL, 0), OFF(NULL, 0), ACK(NULL, 0),
                        WAIT("repeat", 0), WAIT(NULL, 0), WAIT("request", 1), STOP("stop", 1)},
    [REPORT_ACKED] = {WAIT("change", 1), ACK(NULL, 0), WAIT("birth", 1), ACK(NULL, 0), OFF(NULL, 0), ACK(NULL, 0),
                      ACK("heartbeat", 0), ACK(NULL, 0), WAIT("request", 1), STOP("stop", 1)},
    [REPORT_UNREGISTERED] = {UNR("change", 1), UNR(NULL, 0), WAIT("birth", 1), UNR(NULL, 0), OFF(NULL, 0), ACK(NULL, 0),
                             UNR("repeat", 0), UNR(NULL, 0), UNR("request", 1), STOP("stop", 1)},
    [REPORT_STOPPED] = {STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0),
                        STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0), STOP(NULL, 0)},
};

static void walks_all_pairs(void **state)
{
    (void)state;
    for (int from = 0; from < REPORT_STATES; from++) {
        for (int kind = 0; kind < REPORT_EVENTS; kind++) {
            struct report report = report_in((enum report_state)from);
            struct address_set set = set_of(2);
            uint32_t seq = report.seq;
            struct report_event event = {.kind = (enum report_event_kind)kind,
                                         .addresses = &set,
                                         .answer = {.has_ack = true, .boot = report.boot, .seq = report.seq},
                                         .sync_window_s = 60};
            uint64_t now = kind == REPORT_EV_TIMER ? 24 * HOUR : 11 * SECOND;
            struct report_actions actions = step(&report, event, now);
            const struct expected *expected = &all_pairs[from][kind];
            if (report.state != expected->state || report.seq != seq + expected->seq_up ||
                actions.publish != (expected->why != NULL) ||
                (actions.publish && strcmp(actions.why, expected->why) != 0)) {
                fail_msg("state %d event %d: now %s, seq %u to %u, published %s", from, kind,
                         report_state_text(report.state), seq, report.seq, actions.publish ? actions.why : "nothing");
            }
            assert_int_equal(actions.off, kind == REPORT_EV_STOP && actions.publish);
            assert_int_equal(actions.stopped, kind == REPORT_EV_STOP && from != REPORT_STOPPED);
            bool connected = report.state != REPORT_OFFLINE && report.state != REPORT_STOPPED;
            assert_int_equal(report_deadline(&report) != REPORT_NEVER, connected); /* someone waits: a timer is armed */
        }
    }
}

static void counts_attempts_not_connections(void **state)
{
    (void)state;
    struct report report = fresh(1);
    for (uint32_t i = 1; i <= 4; i++) {
        (void)give(&report, REPORT_EV_ATTEMPT, i);
        assert_int_equal(report.conn, i);
        (void)give(&report, REPORT_EV_DISCONNECTED, i);
    }
    assert_int_equal(report.seq, 0);
}

static void sends_a_first_change_at_once_and_joins_a_burst(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_ACKED);
    uint64_t t = 20 * MINUTE;
    assert_true(change(&report, 2, t).publish);
    assert_false(change(&report, 3, t + 100).publish);
    assert_false(change(&report, 4, t + 200).publish);
    assert_int_equal(report_deadline(&report), t + 1000);
    struct report_actions actions = give(&report, REPORT_EV_TIMER, t + 1000);
    assert_true(actions.publish);
    assert_string_equal(actions.why, "change");
    struct address_set last = set_of(4);
    assert_true(address_set_equal(&report.published, &last));
    assert_int_equal(report.seq, 3); /* birth, first, burst */
    assert_true(change(&report, 5, t + 5000).publish);
}

static void says_nothing_of_what_went_and_came_back(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_ACKED);
    assert_true(change(&report, 2, 11 * SECOND).publish);
    (void)ack(&report, 3, 2, 11 * SECOND);
    assert_false(change(&report, 3, 11 * SECOND + 10).publish);
    assert_false(change(&report, 2, 11 * SECOND + 20).publish);
    assert_true(report_deadline(&report) > 30 * MINUTE);
    assert_int_equal(report.seq, 2);
}

static struct report_actions change_six(struct report *report, enum field_presence six, uint64_t now)
{
    struct address_set set = set_of(1);
    set.ip6 = (struct address_field){.presence = six, .ip = {.family = IP_V6, .bytes = {0x2a}}};
    set.uplinks[set.uplinks_len++] = (struct uplink){.name = "eth0", .up = true, .ip4 = set.ip4, .ip6 = set.ip6};
    return step(report, (struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set}, now);
}

/* An IPv4-only device, from its start: the end of the hold is no message, but the heartbeat says it. */
static void says_that_a_family_was_never_there_with_the_next_message(void **state)
{
    (void)state;
    struct report report = fresh(3);
    (void)change_six(&report, FIELD_ABSENT, 0);
    (void)give(&report, REPORT_EV_CONNECTED, SECOND);
    (void)ack(&report, 3, 1, SECOND);
    assert_false(change_six(&report, FIELD_NULL, MINUTE).publish);
    assert_true(report_deadline(&report) > 50 * MINUTE);
    struct report_actions actions = give(&report, REPORT_EV_TIMER, report_deadline(&report));
    assert_true(actions.publish);
    assert_int_equal(report.seq, 2); /* new content, new pair */
    assert_int_equal(report.published.ip6.presence, FIELD_NULL);
    (void)ack(&report, 3, 2, 2 * HOUR);
    assert_false(change_six(&report, FIELD_NULL, 2 * HOUR).publish);
    assert_true(change_six(&report, FIELD_SET, 2 * HOUR).publish);
}

static void says_at_once_that_a_family_is_gone(void **state)
{
    (void)state;
    struct report report = fresh(3);
    (void)change_six(&report, FIELD_SET, 0);
    (void)give(&report, REPORT_EV_CONNECTED, SECOND);
    assert_true(change_six(&report, FIELD_NULL, MINUTE).publish);
    assert_true(change_six(&report, FIELD_ABSENT, 2 * MINUTE).publish); /* the link went down */
    assert_true(change_six(&report, FIELD_NULL, 3 * MINUTE).publish);
}

/* A gateway with the first prefix for ever and another one until then. */
static struct report_actions change_prefix(struct report *report, bool has_another, uint64_t until_ms, uint64_t now)
{
    struct address_set set = set_of(1);
    const struct ip_prefix first = {.ip = {.family = IP_V6, .bytes = {0x2a, 9}}, .len = 64};
    set.has_prefix6 = true;
    set.prefix6 = first;
    set.prefix6_life = (struct prefix_life){ADDRESSES_NO_END, ADDRESSES_NO_END};
    set.prefix6_also[0] = (struct further_prefix){.prefix = first, .life = {until_ms, until_ms}};
    set.prefix6_also[0].prefix.ip.bytes[1] = 1;
    set.prefix6_also_len = has_another ? 1 : 0;
    return step(report, (struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set}, now);
}

static struct report gateway_with_two_prefixes(uint64_t until_ms)
{
    struct report report = fresh(3);
    (void)change_prefix(&report, true, until_ms, 0);
    (void)give(&report, REPORT_EV_CONNECTED, SECOND);
    (void)ack(&report, 3, 1, SECOND);
    return report;
}

static void a_ticking_lifetime_is_no_change(void **state)
{
    (void)state;
    struct report report = gateway_with_two_prefixes(30 * MINUTE);
    for (uint64_t now = 2 * SECOND; now < 29 * MINUTE; now += 10 * SECOND) {
        assert_false(change_prefix(&report, true, 30 * MINUTE + now % 1500, now).publish); /* rounded to seconds */
    }
    assert_true(report_deadline(&report) > 50 * MINUTE);
    assert_true(change_prefix(&report, false, 0, 30 * MINUTE).publish);
    assert_int_equal(report.published.prefix6_also_len, 0);
}

/* Advertisements each 10 minutes refresh it, and the coordinator would drop it at the end that it was told. */
static void a_refreshed_prefix_is_told_again_in_time(void **state)
{
    (void)state;
    struct report report = gateway_with_two_prefixes(30 * MINUTE);
    assert_false(change_prefix(&report, true, 40 * MINUTE, 10 * MINUTE).publish);
    uint64_t due = report_deadline(&report);
    assert_true(due >= 15 * MINUTE && due < 16 * MINUTE);
    assert_false(give(&report, REPORT_EV_TIMER, due - 1).publish);
    struct report_actions actions = give(&report, REPORT_EV_TIMER, due);
    assert_true(actions.publish);
    assert_int_equal(report.seq, 2); /* a pair of its own: repeated until the coordinator has it */
    assert_true(report.published.prefix6_also[0].life.preferred_until_ms == 40 * MINUTE);
    (void)ack(&report, 3, 2, due);
    assert_true(report_deadline(&report) > 60 * MINUTE); /* told, and over */
    assert_false(change_prefix(&report, true, 50 * MINUTE, 20 * MINUTE).publish);
    assert_true(report_deadline(&report) < 30 * MINUTE);
    assert_true(change_prefix(&report, false, 0, 21 * MINUTE).publish); /* it ended after all: nothing is due */
    assert_true(report_deadline(&report) > 21 * MINUTE && report.renew_at_ms == REPORT_NEVER);
}

/* Hours of two prefixes, as RFC 4192 has it: heartbeats say how long they live, and cost no message more. */
static void a_heartbeat_tells_what_is_left(void **state)
{
    (void)state;
    struct report report = gateway_with_two_prefixes(4 * HOUR);
    for (uint64_t now = 10 * MINUTE; now < 24 * HOUR; now += 10 * MINUTE) {
        assert_false(change_prefix(&report, true, 4 * HOUR + now, now).publish);
        uint64_t due = report_deadline(&report);
        if (due < now + 10 * MINUTE) {
            assert_string_equal(give(&report, REPORT_EV_TIMER, due).why, "heartbeat");
        }
        assert_true(report.published.prefix6_also[0].life.preferred_until_ms > now + 2 * HOUR);
    }
    assert_int_equal(report.seq, 1);
}

static void never_sends_new_content_under_an_old_pair(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    (void)change(&report, 2, 11 * SECOND);
    (void)change(&report, 3, 11 * SECOND + 10); /* waits for the window */
    uint32_t seq = report.seq;
    struct report_actions actions = give(&report, REPORT_EV_REQUEST, 11 * SECOND + 20);
    assert_true(actions.publish);
    assert_string_equal(actions.why, "change");
    assert_int_equal(report.seq, seq + 1);
}

static void repeats_with_growing_delays(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    uint64_t now = 10 * SECOND, expected = 20 * SECOND;
    for (int i = 0; i < 20; i++) {
        uint64_t at = report_deadline(&report), delay = at - now;
        assert_in_range(delay, expected / 2, expected * 3 / 2);
        assert_false(give(&report, REPORT_EV_TIMER, at - 1).publish);
        struct report_actions actions = give(&report, REPORT_EV_TIMER, at);
        assert_string_equal(actions.why, "repeat");
        assert_int_equal(report.seq, 1);
        now = at;
        expected = expected * 2 > 15 * MINUTE ? 15 * MINUTE : expected * 2;
    }
    (void)ack(&report, 3, 1, now);
    assert_in_range(report_deadline(&report) - now, 54 * MINUTE, 66 * MINUTE);
}

static void ignores_acks_of_other_pairs(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    (void)change(&report, 2, 12 * SECOND); /* (3,2) */
    const struct {
        uint32_t boot, seq;
    } old[] = {{3, 1}, {2, 99}, {0, 0}, {1, 2}};
    for (size_t i = 0; i < ARRAY_LEN(old); i++) {
        struct report_actions actions = ack(&report, old[i].boot, old[i].seq, 12 * SECOND);
        assert_int_equal(report.state, REPORT_WAITING);
        assert_false(actions.persist_boot || actions.publish || actions.reconnect);
    }
    (void)ack(&report, 3, 2, 12 * SECOND);
    assert_int_equal(report.state, REPORT_ACKED);
}

static void holds_its_birth_until_settled_or_late(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct report report = report_in(REPORT_ACKED);
        (void)give(&report, REPORT_EV_DISCONNECTED, 20 * SECOND);
        assert_false(hold(&report, 3 * SECOND, 21 * SECOND).publish);
        assert_false(change(&report, 7, 22 * SECOND).publish); /* joined into the birth */
        assert_false(ack(&report, 3, 1, 22 * SECOND).publish); /* retained, of the connection before */
        assert_int_equal(report.state, REPORT_HELD);
        assert_int_equal(report_deadline(&report), 24 * SECOND);
        assert_false(give(&report, REPORT_EV_TIMER, 24 * SECOND - 1).publish);
        struct report_actions actions =
            settled ? give(&report, REPORT_EV_SETTLED, 22 * SECOND) : give(&report, REPORT_EV_TIMER, 24 * SECOND);
        struct address_set last = set_of(7);
        assert_string_equal(actions.why, "birth");
        assert_int_equal(report.seq, 2);
        assert_true(address_set_equal(&report.published, &last));
    }
    struct report report = report_in(REPORT_HELD);
    struct report_actions actions = ack(&report, 8, 1, 11 * SECOND);
    assert_true(actions.persist_boot && actions.reconnect && !actions.publish);
    assert_int_equal(report.boot, 9);
    assert_int_equal(report_deadline(&report), REPORT_NEVER);
    report = report_in(REPORT_HELD);
    actions = hold(&report, 3 * SECOND, 11 * SECOND); /* the end of the held connection was not heard of */
    assert_false(actions.publish);
    assert_int_equal(report_deadline(&report), 14 * SECOND);
}

static void goes_past_a_later_life(void **state)
{
    (void)state;
    const struct {
        uint32_t boot, seq, raised;
    } rows[] = {{17, 900, 18}, {3, 2, 4}, {UINT32_MAX - 1, 1, UINT32_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct report report = report_in(REPORT_WAITING); /* (3,1) */
        struct report_actions actions = ack(&report, rows[i].boot, rows[i].seq, 11 * SECOND);
        assert_true(actions.persist_boot);
        assert_true(actions.reconnect);
        assert_false(actions.publish);
        assert_int_equal(report.boot, rows[i].raised);
        assert_int_equal(report.state, REPORT_OFFLINE);
        actions = give(&report, REPORT_EV_CONNECTED, 12 * SECOND);
        assert_true(actions.publish);
        assert_int_equal(report.seq, 1);
        (void)ack(&report, rows[i].raised, 1, 12 * SECOND);
        assert_int_equal(report.state, REPORT_ACKED);
    }
}

static void raises_once_a_minute_at_most(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    assert_true(ack(&report, 10, 1, 11 * SECOND).persist_boot);
    (void)give(&report, REPORT_EV_CONNECTED, 12 * SECOND);
    assert_false(ack(&report, 20, 1, 13 * SECOND).persist_boot);
    assert_int_equal(report.state, REPORT_WAITING); /* and goes on repeating */
    assert_true(ack(&report, 20, 1, 71 * SECOND).persist_boot);
    assert_int_equal(report.boot, 21);
}

static void survives_the_end_of_the_numbers(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    assert_false(ack(&report, UINT32_MAX, 5, 11 * SECOND).persist_boot);
    assert_int_equal(report.boot, 3);
    report.seq = UINT32_MAX;
    struct report_actions actions = change(&report, 9, 12 * SECOND);
    assert_true(actions.persist_boot && actions.publish);
    assert_int_equal(report.boot, 4);
    assert_int_equal(report.seq, 1);
}

static void slows_down_when_unregistered(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_WAITING);
    (void)unregistered(&report, true, 11 * SECOND); /* an old answer from the store says nothing of now */
    assert_int_equal(report.state, REPORT_WAITING);
    (void)unregistered(&report, false, 11 * SECOND);
    assert_int_equal(report.state, REPORT_UNREGISTERED);
    uint64_t at = report_deadline(&report);
    assert_in_range(at - 11 * SECOND, 54 * MINUTE, 66 * MINUTE);
    assert_string_equal(give(&report, REPORT_EV_TIMER, at).why, "repeat");
    assert_in_range(report_deadline(&report) - at, 54 * MINUTE, 66 * MINUTE);
    (void)ack(&report, 3, 1, at + 5); /* registered meanwhile */
    assert_int_equal(report.state, REPORT_ACKED);
}

static void spreads_a_sync_over_its_window(void **state)
{
    (void)state;
    uint64_t first = UINT64_MAX, last = 0;
    for (int i = 0; i < 1000; i++) {
        struct report report = report_in(REPORT_ACKED);
        (void)step(&report, (struct report_event){.kind = REPORT_EV_SYNC, .sync_window_s = 100}, 20 * SECOND);
        uint64_t at = report_deadline(&report) - 20 * SECOND;
        assert_in_range(at, 0, 100 * SECOND);
        first = MIN(first, at);
        last = MAX(last, at);
        struct report_actions actions = give(&report, REPORT_EV_TIMER, 20 * SECOND + at);
        assert_string_equal(actions.why, "sync");
        assert_int_equal(report.seq, 1);
    }
    assert_in_range(first, 0, 2 * SECOND);
    assert_in_range(last, 98 * SECOND, 100 * SECOND);
}

/* What a coordinator keeps of one device: the highest pair and its content, and presence by (boot, conn). */
struct peer {
    bool has;
    uint32_t boot, seq;
    struct address_set content;
};

struct week {
    struct report report;
    struct peer peer;
    uint64_t now;
    uint32_t stored_boot; /* what flash holds */
    uint32_t truth;       /* the address that the interfaces have */
    unsigned sent, reached, reboots;
    unsigned loss_percent;
    bool connected;
};

static struct report_actions week_step(struct week *week, struct report_event event);

/* A message arrives at the coordinator or is lost; so may its answer be. */
static void week_publish(struct week *week, bool off)
{
    struct report *report = &week->report;
    week->sent++;
    if (next_random() % 100 < week->loss_percent || off) {
        return;
    }
    week->reached++;
    struct peer *peer = &week->peer;
    bool lower = peer->has && (report->boot < peer->boot || (report->boot == peer->boot && report->seq < peer->seq));
    if (!lower) {
        bool same = peer->has && report->boot == peer->boot && report->seq == peer->seq;
        if (same) {
            assert_true(address_set_equal(&peer->content, &report->published)); /* one pair, one content */
        }
        *peer = (struct peer){.has = true, .boot = report->boot, .seq = report->seq, .content = report->published};
    }
    if (next_random() % 100 >= week->loss_percent) {
        (void)week_step(week, (struct report_event){.kind = REPORT_EV_ANSWER,
                                                    .answer = {true, peer->boot, peer->seq, false, false}});
    }
}

static struct report_actions week_step(struct week *week, struct report_event event)
{
    struct report_actions actions = step(&week->report, event, week->now);
    if (actions.persist_boot) {
        week->stored_boot = week->report.boot;
    }
    if (actions.reconnect) {
        (void)week_step(week, (struct report_event){.kind = REPORT_EV_ATTEMPT});
        (void)week_step(week, (struct report_event){.kind = REPORT_EV_CONNECTED});
    }
    if (actions.publish) {
        week_publish(week, actions.off);
    }
    return actions;
}

static void week_change(struct week *week)
{
    struct address_set set = set_of(++week->truth);
    (void)week_step(week, (struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set});
}

static void week_connect(struct week *week, bool up)
{
    if (up != week->connected) {
        week->connected = up;
        (void)week_step(week, (struct report_event){.kind = REPORT_EV_ATTEMPT});
        (void)week_step(week, (struct report_event){.kind = up ? REPORT_EV_CONNECTED : REPORT_EV_DISCONNECTED});
    }
}

/* Power loss: memory is gone, flash stays; @p wiped: flash is gone too (re-flashed). */
static void week_reboot(struct week *week, bool wiped)
{
    week->reboots++;
    week->stored_boot = wiped ? 1 : week->stored_boot + 1;
    struct address_set set = set_of(week->truth);
    week->report = fresh(week->stored_boot);
    week->connected = false;
    (void)week_step(week, (struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set});
    week_connect(week, true);
}

static void week_run_until(struct week *week, uint64_t end)
{
    while (report_deadline(&week->report) <= end) {
        week->now = MAX(week->now, report_deadline(&week->report));
        (void)week_step(week, (struct report_event){.kind = REPORT_EV_TIMER});
    }
    week->now = end;
}

static void assert_truth(const struct week *week)
{
    struct address_set truth = set_of(week->truth);
    assert_int_equal(week->report.state, REPORT_ACKED);
    assert_true(address_set_equal(&week->peer.content, &truth));
    assert_true(week->peer.boot == week->report.boot && week->peer.seq == week->report.seq);
}

static void lives_a_week_with_loss_and_reboots(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        random_state = seed;
        struct week week = {.report = fresh(1), .stored_boot = 1, .loss_percent = 30};
        week_change(&week);
        week_connect(&week, true);
        for (int hour = 0; hour < 7 * 24; hour++) {
            uint64_t dice = next_random() % 20;
            if (dice < 3) {
                week_change(&week);
            } else if (dice < 5) {
                week_connect(&week, false);
                week_change(&week);
                week_run_until(&week, week.now + 10 * MINUTE);
                week_connect(&week, true);
            } else if (dice == 5) {
                week_reboot(&week, false);
            } else if (dice == 6) {
                week_reboot(&week, true);
            }
            week_run_until(&week, ((uint64_t)hour + 1) * HOUR);
        }
        week.loss_percent = 0;
        week_run_until(&week, week.now + 2 * HOUR);
        assert_truth(&week);
        assert_true(week.reboots > 0 && week.reached < week.sent);
        assert_true(week.sent < 1500); /* a device that chatters is a defect too: 168 heartbeats, and repeats */
    }
}

static void comes_back_after_a_week_offline(void **state)
{
    (void)state;
    random_state = 7;
    struct week week = {.report = fresh(1), .stored_boot = 1};
    week_change(&week);
    week_connect(&week, true);
    assert_truth(&week);
    week_connect(&week, false);
    unsigned sent = week.sent;
    for (int hour = 0; hour < 7 * 24; hour++) {
        assert_int_equal(report_deadline(&week.report), REPORT_NEVER); /* nothing wakes it but its session */
        week_change(&week);
        week_run_until(&week, week.now + HOUR);
    }
    assert_int_equal(week.sent, sent);
    week_connect(&week, true);
    assert_int_equal(week.sent, sent + 1); /* 168 changes are one message */
    assert_truth(&week);
}

static void a_shorter_timing_counts_from_the_reload(void **state)
{
    (void)state;
    struct report report = report_in(REPORT_ACKED);
    struct report_timing timing = report.timing;
    timing.heartbeat_ms = MINUTE;
    report_retime(&report, &timing, 20 * SECOND, next_random());
    assert_in_range(report_deadline(&report), 20 * SECOND + 54 * SECOND, 20 * SECOND + 66 * SECOND);
    uint64_t soon = report_deadline(&report);
    timing.heartbeat_ms = HOUR;
    report_retime(&report, &timing, 21 * SECOND, next_random()); /* longer: after the one that is armed */
    assert_int_equal(report_deadline(&report), soon);
    report = report_in(REPORT_WAITING);
    timing.repeat_first_ms = timing.repeat_max_ms = SECOND;
    report_retime(&report, &timing, 20 * SECOND, next_random());
    assert_in_range(report_deadline(&report), 20 * SECOND + SECOND / 2, 20 * SECOND + 3 * SECOND / 2);
    report = report_in(REPORT_OFFLINE);
    report_retime(&report, &timing, 20 * SECOND, next_random());
    assert_true(report_deadline(&report) == REPORT_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_all_pairs),
        cmocka_unit_test(counts_attempts_not_connections),
        cmocka_unit_test(sends_a_first_change_at_once_and_joins_a_burst),
        cmocka_unit_test(says_nothing_of_what_went_and_came_back),
        cmocka_unit_test(says_that_a_family_was_never_there_with_the_next_message),
        cmocka_unit_test(says_at_once_that_a_family_is_gone),
        cmocka_unit_test(a_ticking_lifetime_is_no_change),
        cmocka_unit_test(a_refreshed_prefix_is_told_again_in_time),
        cmocka_unit_test(a_heartbeat_tells_what_is_left),
        cmocka_unit_test(never_sends_new_content_under_an_old_pair),
        cmocka_unit_test(repeats_with_growing_delays),
        cmocka_unit_test(ignores_acks_of_other_pairs),
        cmocka_unit_test(holds_its_birth_until_settled_or_late),
        cmocka_unit_test(goes_past_a_later_life),
        cmocka_unit_test(raises_once_a_minute_at_most),
        cmocka_unit_test(survives_the_end_of_the_numbers),
        cmocka_unit_test(slows_down_when_unregistered),
        cmocka_unit_test(spreads_a_sync_over_its_window),
        cmocka_unit_test(lives_a_week_with_loss_and_reboots),
        cmocka_unit_test(comes_back_after_a_week_offline),
        cmocka_unit_test(a_shorter_timing_counts_from_the_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
