/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/fusion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define X "93.184.216.34"
#define Y "151.101.1.1"
#define Z "185.199.108.1"

/* The sources of these tests, in their order. */
enum { INTERFACE, STUN, HTTP, ROUTER, OBSERVED, SHOWN, SOURCES };

static const struct fusion_source sources[SOURCES] = {
    [INTERFACE] = {.view = SOURCE_VIEW_LOCAL, .counts = true},
    [STUN] = {.view = SOURCE_VIEW_PATH, .counts = true, .fresh_ms = 30 * MINUTE},
    [HTTP] = {.view = SOURCE_VIEW_PATH, .counts = true, .fresh_ms = 2 * HOUR},
    [ROUTER] = {.view = SOURCE_VIEW_ROUTER, .counts = true, .fresh_ms = HOUR},
    [OBSERVED] = {.view = SOURCE_VIEW_PATH, .counts = true},
    [SHOWN] = {.view = SOURCE_VIEW_DECLARED, .counts = false},
};

static struct fusion_policy policy_of(unsigned quorum)
{
    return (struct fusion_policy){.quorum = quorum,
                                  .confirm_ms = 10 * SECOND,
                                  .hold_ms = 2 * MINUTE,
                                  .flap_max = 3,
                                  .flap_window_ms = HOUR,
                                  .flap_delay_ms = 20 * MINUTE};
}

static struct fusion fresh(unsigned quorum)
{
    struct fusion fusion;
    const struct fusion_policy policy = policy_of(quorum);
    fusion_init(&fusion, IP_V4, &policy, sources, SOURCES, 0);
    return fusion;
}

static struct source_answer says(const char *text)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_ADDRESS};
    assert_int_equal(ip_parse(view_of(text), &answer.ip), ERR_OK);
    return answer;
}

static bool poll(struct fusion *fusion, size_t source, const char *text, uint64_t now)
{
    const struct source_answer answer = says(text);
    return fusion_answer(fusion, source, &answer, false, now);
}

static bool event(struct fusion *fusion, size_t source, const char *text, uint64_t now)
{
    const struct source_answer answer = says(text);
    return fusion_answer(fusion, source, &answer, true, now);
}

static bool status(struct fusion *fusion, size_t source, enum source_status what, uint64_t now)
{
    const struct source_answer answer = {.status = what};
    return fusion_answer(fusion, source, &answer, true, now);
}

static const char *value_of(const struct fusion *fusion)
{
    static char text[IP_TEXT_SIZE];
    (void)ip_format(&fusion->value, text);
    return text;
}

static void assert_is(const struct fusion *fusion, enum fusion_state state, const char *value)
{
    if (fusion->state != state || strcmp(value_of(fusion), value) != 0) {
        fail_msg("%s with '%s', not %s with '%s'", fusion_state_name(fusion->state), value_of(fusion),
                 fusion_state_name(state), value);
    }
}

/* At 10 s, quorum 2; X was the value from CONFIRMED on, Y is the candidate or the dissent. */
static struct fusion fusion_in(enum fusion_state state)
{
    struct fusion fusion = fresh(2);
    if (state != FUSION_UNKNOWN) {
        (void)poll(&fusion, STUN, X, SECOND);
        (void)poll(&fusion, HTTP, X, SECOND);
    }
    if (state == FUSION_DISAGREE || state == FUSION_CHANGING) {
        (void)poll(&fusion, STUN, Y, 2 * SECOND);
    }
    if (state == FUSION_CHANGING) {
        (void)poll(&fusion, HTTP, Y, 5 * SECOND);
    } else if (state == FUSION_LOSING || state == FUSION_GONE) {
        (void)status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, 5 * SECOND);
    }
    if (state == FUSION_GONE) {
        (void)fusion_tick(&fusion, fusion.deadline_ms);
    }
    assert_int_equal(fusion.state, state);
    return fusion;
}

enum happening { SAME, OTHER, OTHER_EVENT, FAILURE, ABSENCE, WITHDRAWAL, PRIVATE, MOVE, TIME, HAPPENINGS };

static void happen(struct fusion *fusion, enum happening what, uint64_t now)
{
    switch (what) {
    case SAME:
        (void)poll(fusion, STUN, X, now);
        (void)poll(fusion, HTTP, X, now);
        break;
    case OTHER:
        (void)poll(fusion, STUN, Z, now);
        (void)poll(fusion, HTTP, Z, now);
        break;
    case OTHER_EVENT:
        (void)event(fusion, STUN, Z, now);
        (void)event(fusion, HTTP, Z, now);
        break;
    case FAILURE:
        (void)status(fusion, STUN, SOURCE_ANSWER_FAILED, now);
        break;
    case ABSENCE:
        (void)status(fusion, INTERFACE, SOURCE_ANSWER_ABSENT, now);
        break;
    case WITHDRAWAL:
        (void)status(fusion, INTERFACE, SOURCE_ANSWER_FAILED, now);
        break;
    case PRIVATE:
        (void)event(fusion, INTERFACE, "192.168.1.9", now);
        break;
    case MOVE:
        (void)fusion_path_changed(fusion, now);
        break;
    case TIME:
        (void)fusion_tick(fusion, MIN(fusion->deadline_ms, 100 * HOUR));
        break;
    case HAPPENINGS:
        fail();
    }
}

struct expected {
    enum fusion_state state;
    const char *value;
};

#define ROW(name, value)                                                                                               \
    {                                                                                                                  \
        FUSION_##name, value                                                                                           \
    }

static const struct expected all_pairs[FUSION_STATES][HAPPENINGS] = {
    [FUSION_UNKNOWN] = {ROW(CONFIRMED, X), ROW(CONFIRMED, Z), ROW(CONFIRMED, Z), ROW(UNKNOWN, ""), ROW(LOSING, ""),
                        ROW(UNKNOWN, ""), ROW(UNKNOWN, ""), ROW(UNKNOWN, ""), ROW(UNKNOWN, "")},
    [FUSION_CONFIRMED] = {ROW(CONFIRMED, X), ROW(CHANGING, X), ROW(CONFIRMED, Z), ROW(CONFIRMED, X), ROW(LOSING, X),
                          ROW(CONFIRMED, X), ROW(CONFIRMED, X), ROW(CONFIRMED, X), ROW(CONFIRMED, X)},
    [FUSION_CHANGING] = {ROW(CONFIRMED, X), ROW(CHANGING, X), ROW(CONFIRMED, Z), ROW(CHANGING, X), ROW(LOSING, X),
                         ROW(CHANGING, X), ROW(CHANGING, X), ROW(CONFIRMED, X), ROW(CONFIRMED, Y)},
    [FUSION_DISAGREE] = {ROW(CONFIRMED, X), ROW(CHANGING, X), ROW(CONFIRMED, Z), ROW(DISAGREE, X), ROW(LOSING, X),
                         ROW(DISAGREE, X), ROW(DISAGREE, X), ROW(CONFIRMED, X), ROW(CONFIRMED, X)},
    [FUSION_LOSING] = {ROW(CONFIRMED, X), ROW(CHANGING, X), ROW(CONFIRMED, Z), ROW(LOSING, X), ROW(LOSING, X),
                       ROW(CONFIRMED, X), ROW(CONFIRMED, X), ROW(LOSING, X), ROW(GONE, "")},
    [FUSION_GONE] = {ROW(CONFIRMED, X), ROW(CONFIRMED, Z), ROW(CONFIRMED, Z), ROW(GONE, ""), ROW(GONE, ""),
                     ROW(UNKNOWN, ""), ROW(UNKNOWN, ""), ROW(GONE, ""), ROW(GONE, "")},
};

static void walks_all_pairs(void **state)
{
    (void)state;
    for (int from = 0; from < FUSION_STATES; from++) {
        for (int what = 0; what < HAPPENINGS; what++) {
            struct fusion fusion = fusion_in((enum fusion_state)from);
            happen(&fusion, (enum happening)what, from == FUSION_GONE ? HOUR : 10 * SECOND);
            const struct expected *expected = &all_pairs[from][what];
            if (fusion.state != expected->state || strcmp(value_of(&fusion), expected->value) != 0) {
                fail_msg("%s and happening %d: %s with '%s', not %s with '%s'",
                         fusion_state_name((enum fusion_state)from), what, fusion_state_name(fusion.state),
                         value_of(&fusion), fusion_state_name(expected->state), expected->value);
            }
            bool waits = fusion.state == FUSION_CHANGING || fusion.state == FUSION_LOSING;
            assert_true(!waits || fusion.deadline_ms != UINT64_MAX);
        }
    }
}

/* Answers that clients were seen to publish, and each special range: none is a value, first or later. */
static void only_public_addresses_become_a_value(void **state)
{
    (void)state;
    static const char *const special[] = {"0.0.0.0",     "0.1.2.3",     "10.0.0.1",   "100.64.1.2",   "100.127.255.255",
                                          "127.0.0.1",   "169.254.1.1", "172.16.0.1", "172.31.255.1", "192.0.0.1",
                                          "192.0.2.1",   "192.168.1.5", "198.18.0.1", "198.19.255.1", "198.51.100.1",
                                          "203.0.113.5", "224.0.0.1",   "239.1.2.3",  "240.0.0.1",    "255.255.255.255",
                                          "192.0.0.9",   "192.0.0.10"};
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        for (size_t source = 0; source < SOURCES; source++) {
            struct fusion first = fresh(1);
            assert_false(event(&first, source, special[i], SECOND));
            assert_is(&first, FUSION_UNKNOWN, "");
            struct fusion later = fresh(1);
            (void)event(&later, OBSERVED, X, SECOND);
            (void)event(&later, HTTP, X, SECOND);
            (void)event(&later, source, special[i], 2 * SECOND);
            (void)fusion_tick(&later, HOUR);
            assert_is(&later, FUSION_CONFIRMED, X);
            assert_string_equal(fusion_verdict(&later, source, HOUR), "not public");
        }
    }
}

static void only_public_ip6_becomes_a_value(void **state)
{
    (void)state;
    static const char *const special[] = {"::",          "::1",          "::ffff:93.184.216.34",
                                          "64:ff9b::1",  "64:ff9b:1::1", "100::1",
                                          "2001:db8::1", "3fff::1",      "2002::1",
                                          "2001::1",     "fc00::1",      "fd00::1",
                                          "fe80::1",     "ff02::1",      "2001:2::1",
                                          "2001:1::1",   "2001:20::1",   "fec0::1"};
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        struct fusion fusion;
        const struct fusion_policy policy = policy_of(1);
        fusion_init(&fusion, IP_V6, &policy, sources, SOURCES, 0);
        assert_false(event(&fusion, STUN, special[i], SECOND));
        assert_is(&fusion, FUSION_UNKNOWN, "");
        assert_true(event(&fusion, STUN, "2606:4700::1", SECOND));
        assert_is(&fusion, FUSION_CONFIRMED, "2606:4700::1");
    }
}

static void an_address_of_the_other_family_is_a_failure(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    assert_false(poll(&fusion, HTTP, "2606:4700::1", SECOND));
    assert_false(poll(&fusion, HTTP, "::ffff:93.184.216.34", SECOND));
    assert_is(&fusion, FUSION_UNKNOWN, "");
    assert_string_equal(fusion_verdict(&fusion, HTTP, SECOND), "failed");
    (void)poll(&fusion, HTTP, X, SECOND);
    assert_false(poll(&fusion, HTTP, "2606:4700::1", 2 * SECOND)); /* and takes nothing back */
    assert_is(&fusion, FUSION_CONFIRMED, X);
}

static void the_first_value_goes_out_at_once_and_a_polled_change_waits(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    assert_true(poll(&fusion, STUN, X, SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_int_equal(fusion.value_source, STUN);
    assert_int_equal(fusion.deadline_ms, UINT64_MAX); /* at rest nothing is due */
    assert_false(poll(&fusion, STUN, X, MINUTE));
    assert_true(poll(&fusion, STUN, Y, 2 * MINUTE));
    assert_is(&fusion, FUSION_CHANGING, X);
    assert_int_equal(fusion.deadline_ms, 2 * MINUTE + 10 * SECOND);
    assert_false(poll(&fusion, STUN, Y, 2 * MINUTE + 4 * SECOND)); /* said again: the wait is not prolonged */
    assert_false(fusion_tick(&fusion, 2 * MINUTE + 10 * SECOND - 1));
    assert_true(fusion_tick(&fusion, 2 * MINUTE + 10 * SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    assert_int_equal(fusion.since_ms, 2 * MINUTE + 10 * SECOND);
}

static void an_event_ends_the_wait(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, OBSERVED, X, SECOND);
    assert_true(event(&fusion, OBSERVED, Y, MINUTE)); /* the connection stands again, from another address */
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    (void)poll(&fusion, STUN, Z, 2 * MINUTE); /* comes before observed in the config */
    assert_is(&fusion, FUSION_CHANGING, Y);
    assert_true(event(&fusion, OBSERVED, Z, 2 * MINUTE + SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, Z);
}

static void the_first_of_the_config_counts_and_the_others_dispute(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, OBSERVED, Y, SECOND); /* the connection leaves through a VPN */
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    assert_false(fusion.disputed);
    assert_true(event(&fusion, INTERFACE, X, 2 * SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_true(fusion.disputed);
    assert_string_equal(fusion_verdict(&fusion, OBSERVED, 2 * SECOND), "differs");
    assert_string_equal(fusion_verdict(&fusion, INTERFACE, 2 * SECOND), "agrees");
    assert_true(event(&fusion, OBSERVED, X, 3 * SECOND));
    assert_false(fusion.disputed);
}

static void a_dispute_ends_when_its_vote_is_stale(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, SECOND);
    (void)poll(&fusion, STUN, Y, 2 * SECOND);
    assert_true(fusion.disputed);
    assert_int_equal(fusion.deadline_ms, 2 * SECOND + 30 * MINUTE);
    assert_true(fusion_tick(&fusion, fusion.deadline_ms));
    assert_false(fusion.disputed);
    assert_int_equal(fusion.deadline_ms, UINT64_MAX);
    assert_string_equal(fusion_verdict(&fusion, STUN, HOUR), "stale");
}

static void a_quorum_stands_against_one_that_lies(void **state)
{
    (void)state;
    struct fusion fusion = fresh(2);
    (void)poll(&fusion, STUN, Z, SECOND); /* an intercepted answer, and the first to come */
    assert_is(&fusion, FUSION_UNKNOWN, "");
    assert_string_equal(fusion_verdict(&fusion, STUN, SECOND), "counts");
    (void)poll(&fusion, HTTP, X, SECOND);
    assert_is(&fusion, FUSION_DISAGREE, "");
    assert_true(event(&fusion, OBSERVED, X, SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_true(fusion.disputed);
    (void)event(&fusion, OBSERVED, Z, MINUTE); /* now it has one more, but not by itself */
    assert_is(&fusion, FUSION_CONFIRMED, Z);
}

static void a_vote_that_is_shown_only_never_counts(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    assert_false(event(&fusion, SHOWN, Y, SECOND));
    assert_is(&fusion, FUSION_UNKNOWN, "");
    assert_string_equal(fusion_verdict(&fusion, SHOWN, SECOND), "shown only");
    (void)poll(&fusion, STUN, X, SECOND);
    assert_false(fusion.disputed);
    assert_string_equal(fusion_verdict(&fusion, HTTP, SECOND), "none");
}

static void fewer_than_the_quorum_change_nothing(void **state)
{
    (void)state;
    struct fusion fusion = fusion_in(FUSION_CONFIRMED); /* stun and http said X */
    (void)status(&fusion, STUN, SOURCE_ANSWER_FAILED, MINUTE);
    (void)status(&fusion, HTTP, SOURCE_ANSWER_FAILED, MINUTE);
    (void)fusion_tick(&fusion, 200 * HOUR); /* all stale: the week without an answer */
    assert_is(&fusion, FUSION_CONFIRMED, X);
    (void)poll(&fusion, HTTP, Y, 200 * HOUR);
    assert_is(&fusion, FUSION_CONFIRMED, X);
    (void)poll(&fusion, STUN, Y, 200 * HOUR);
    assert_is(&fusion, FUSION_CHANGING, X);
}

static void failures_never_lose_a_family(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, SECOND);
    for (uint64_t now = MINUTE; now < 1000 * HOUR; now += HOUR) {
        for (size_t source = 0; source < SOURCES; source++) {
            (void)status(&fusion, source, SOURCE_ANSWER_FAILED, now);
            (void)status(&fusion, STUN, SOURCE_ANSWER_ABSENT, now); /* "no such record" of an echo is no absence */
            (void)fusion_tick(&fusion, now);
            assert_is(&fusion, FUSION_CONFIRMED, X);
        }
    }
}

static void an_absent_family_is_retracted_after_the_hold(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, SECOND);
    (void)poll(&fusion, STUN, X, SECOND); /* before the absence: it proves nothing after it */
    assert_true(status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, MINUTE));
    assert_is(&fusion, FUSION_LOSING, X);
    assert_false(status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, 2 * MINUTE)); /* the hold is not prolonged */
    assert_int_equal(fusion.deadline_ms, 3 * MINUTE);
    assert_false(fusion_tick(&fusion, 3 * MINUTE - 1));
    assert_true(fusion_tick(&fusion, 3 * MINUTE));
    assert_is(&fusion, FUSION_GONE, "");
    assert_int_equal(fusion.deadline_ms, UINT64_MAX);
    assert_true(event(&fusion, INTERFACE, Y, HOUR));
    assert_is(&fusion, FUSION_CONFIRMED, Y);
}

static void a_renewal_within_the_hold_is_no_loss(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, SECOND);
    (void)status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, MINUTE);
    assert_true(event(&fusion, INTERFACE, X, MINUTE + 30 * SECOND));
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_int_equal(fusion.flaps_len, 0);
}

/* Translated IPv6: the interface has nothing that may be reported, the internet sees an address of the path. */
static void what_is_seen_after_an_absence_holds_while_it_is_fresh(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, SECOND);
    assert_is(&fusion, FUSION_LOSING, "");
    (void)poll(&fusion, STUN, X, 2 * SECOND);
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_false(status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, 3 * SECOND)); /* nothing new */
    assert_int_equal(fusion.deadline_ms, 2 * SECOND + 30 * MINUTE);
    assert_true(fusion_tick(&fusion, fusion.deadline_ms));
    assert_is(&fusion, FUSION_LOSING, X);
}

static void one_who_sees_an_address_stands_against_an_absence(void **state)
{
    (void)state;
    struct fusion fusion = fusion_in(FUSION_LOSING);
    (void)poll(&fusion, STUN, X, 10 * SECOND); /* fewer than the quorum: proves nothing, and nor is the family gone */
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_int_equal(fusion.deadline_ms, 10 * SECOND + 30 * MINUTE);
    (void)fusion_tick(&fusion, fusion.deadline_ms);
    assert_is(&fusion, FUSION_LOSING, X);
}

/* The only one who knew the value says that it has another one now: nothing is published on its old word. */
static void a_value_is_disproved_by_who_said_it(void **state)
{
    (void)state;
    static const size_t witnesses[] = {INTERFACE, ROUTER};
    for (size_t i = 0; i < ARRAY_LEN(witnesses); i++) {
        struct fusion fusion = fresh(1);
        (void)event(&fusion, witnesses[i], X, SECOND);
        assert_true(event(&fusion, witnesses[i], "100.64.1.2", MINUTE)); /* a carrier's NAT was inserted */
        assert_is(&fusion, FUSION_UNKNOWN, "");
        (void)event(&fusion, witnesses[i], X, 2 * MINUTE);
        (void)status(&fusion, witnesses[i], SOURCE_ANSWER_FAILED, 3 * MINUTE);
        (void)fusion_path_changed(&fusion, 3 * MINUTE);
        assert_is(&fusion, FUSION_CONFIRMED, X);
        assert_true(event(&fusion, witnesses[i], "192.168.1.9", 4 * MINUTE));
        assert_is(&fusion, FUSION_UNKNOWN, "");
    }
    struct fusion seen = fresh(1);
    (void)poll(&seen, STUN, X, SECOND);
    assert_false(poll(&seen, STUN, "10.10.10.10", MINUTE)); /* a captive portal: proves nothing */
    assert_is(&seen, FUSION_CONFIRMED, X);
    (void)event(&seen, INTERFACE, X, 2 * MINUTE);
    (void)poll(&seen, HTTP, X, 2 * MINUTE);
    (void)event(&seen, INTERFACE, "10.0.0.5", 3 * MINUTE); /* another still stands for it */
    assert_is(&seen, FUSION_CONFIRMED, X);
}

static void a_disproved_value_does_not_come_back_when_its_successor_goes(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, SECOND);
    (void)fusion_tick(&fusion, MINUTE);
    const struct source_answer other = says(Y);
    (void)fusion_answer(&fusion, INTERFACE, &other, false, MINUTE); /* as a poll: it has to wait */
    assert_is(&fusion, FUSION_CHANGING, X);
    (void)event(&fusion, INTERFACE, "192.168.1.9", MINUTE + SECOND);
    assert_is(&fusion, FUSION_UNKNOWN, "");
}

static void another_path_makes_stale_what_was_seen_from_outside(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)poll(&fusion, STUN, X, SECOND);
    (void)poll(&fusion, HTTP, X, SECOND);
    assert_false(fusion_path_changed(&fusion, MINUTE));
    assert_is(&fusion, FUSION_CONFIRMED, X);
    assert_true(poll(&fusion, HTTP, Y, MINUTE + 100)); /* at once: the path is known to be another one */
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    (void)poll(&fusion, STUN, Z, MINUTE + 200); /* and from there on as ever */
    assert_is(&fusion, FUSION_CHANGING, Y);
}

static void an_older_answer_never_takes_a_newer_one_back(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)poll(&fusion, HTTP, X, SECOND);       /* counts for two hours */
    (void)event(&fusion, STUN, Y, 10 * MINUTE); /* for half an hour */
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    assert_false(fusion.disputed);
    assert_string_equal(fusion_verdict(&fusion, HTTP, 10 * MINUTE), "stale");
    (void)fusion_tick(&fusion, HOUR);
    assert_is(&fusion, FUSION_CONFIRMED, Y);
    (void)poll(&fusion, HTTP, X, 61 * MINUTE); /* said again, it is news */
    assert_is(&fusion, FUSION_CHANGING, Y);
}

/* A carrier's pool: each connection, or each question, comes from one of two addresses. */
static void two_egress_addresses_become_unstable_and_slow(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    size_t changes = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = (i + 1) * MINUTE;
        struct ip before = fusion.value;
        (void)event(&fusion, OBSERVED, i % 2 == 0 ? X : Y, now);
        (void)fusion_tick(&fusion, now);
        changes += i > 0 && !ip_equal(&before, &fusion.value);
        assert_int_equal(fusion.unstable, i >= 3);
    }
    assert_int_equal(changes, 3); /* flap_max, then none for 16 hours */
    assert_true(fusion.unstable);
    uint64_t now = 1000 * MINUTE;
    struct ip last = fusion.value;
    (void)event(&fusion, OBSERVED, Z, now);
    assert_true(ip_equal(&fusion.value, &last));
    assert_int_equal(fusion.deadline_ms, now + 20 * MINUTE);
    assert_true(fusion_tick(&fusion, now + 20 * MINUTE)); /* one that stays is followed */
    assert_is(&fusion, FUSION_CONFIRMED, Z);
    for (unsigned i = 0; i < 10 && fusion.unstable; i++) {
        (void)fusion_tick(&fusion, fusion.deadline_ms);
    }
    assert_false(fusion.unstable); /* a quiet window later */
    assert_int_equal(fusion.deadline_ms, UINT64_MAX);
    assert_true(event(&fusion, OBSERVED, X, now + 10 * HOUR));
    assert_is(&fusion, FUSION_CONFIRMED, X);
}

static void a_candidate_that_goes_keeps_a_path_unstable(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    uint64_t now = SECOND;
    for (unsigned i = 0; i < 4; i++, now += SECOND) {
        (void)event(&fusion, OBSERVED, i % 2 == 0 ? X : Y, now);
    }
    assert_true(fusion.unstable);
    for (unsigned i = 0; i < 20; i++, now += 15 * MINUTE) { /* five windows */
        (void)event(&fusion, OBSERVED, Z, now);
        assert_is(&fusion, FUSION_CHANGING, Y);
        (void)status(&fusion, OBSERVED, SOURCE_ANSWER_FAILED, now + MINUTE); /* the connection broke */
        assert_is(&fusion, FUSION_CONFIRMED, Y);
        (void)fusion_tick(&fusion, now + 14 * MINUTE);
        assert_true(fusion.unstable);
    }
}

static void damping_is_off_without_a_limit(void **state)
{
    (void)state;
    struct fusion fusion;
    struct fusion_policy policy = policy_of(1);
    policy.flap_max = 0;
    fusion_init(&fusion, IP_V4, &policy, sources, SOURCES, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(event(&fusion, OBSERVED, i % 2 == 0 ? X : Y, SECOND + i));
        assert_is(&fusion, FUSION_CONFIRMED, i % 2 == 0 ? X : Y);
        assert_false(fusion.unstable);
    }
}

/* Only the caller's clock: a forward leap (an hour of sleep on a clock that counts it) makes votes stale and loses
 * nothing; one that went back is a bug of the caller and still loses nothing. */
static void leaps_of_the_clock_lose_nothing(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    (void)event(&fusion, INTERFACE, X, HOUR);
    (void)poll(&fusion, STUN, X, HOUR);
    static const uint64_t leaps[] = {0, 1, 2 * HOUR, 1000 * HOUR, HOUR, UINT64_MAX - 1, UINT64_MAX, 0};
    for (size_t i = 0; i < ARRAY_LEN(leaps); i++) {
        (void)fusion_tick(&fusion, leaps[i]);
        (void)status(&fusion, STUN, SOURCE_ANSWER_FAILED, leaps[i]);
        (void)fusion_path_changed(&fusion, leaps[i]);
        assert_is(&fusion, FUSION_CONFIRMED, X);
    }
    (void)poll(&fusion, STUN, Y, UINT64_MAX); /* nothing overflows at the end of time */
    (void)status(&fusion, INTERFACE, SOURCE_ANSWER_ABSENT, UINT64_MAX);
    assert_true(fusion.state == FUSION_LOSING || fusion.state == FUSION_GONE);
}

static void says_only_what_changed(void **state)
{
    (void)state;
    struct fusion fusion = fresh(1);
    assert_false(fusion_answer(&fusion, SOURCES, &(struct source_answer){0}, false, 0)); /* no such source */
    assert_false(fusion_path_changed(&fusion, SECOND));
    assert_false(status(&fusion, STUN, SOURCE_ANSWER_FAILED, SECOND));
    assert_true(poll(&fusion, STUN, X, SECOND));
    assert_false(poll(&fusion, HTTP, X, SECOND));
    assert_false(event(&fusion, OBSERVED, X, SECOND));
    assert_false(fusion_tick(&fusion, HOUR));
}

static uint64_t random_state = 7;

static uint64_t next_random(void) /* splitmix64 */
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static void assert_sound(const struct fusion *fusion, uint64_t now)
{
    assert_true(fusion->deadline_ms > now); /* else a loop would spin */
    assert_true(fusion->value.family == IP_NONE || (fusion->value.family == IP_V4 && ip_is_public(&fusion->value)));
    assert_int_equal(fusion->due_ms != UINT64_MAX, fusion->state == FUSION_CHANGING || fusion->state == FUSION_LOSING);
    if (fusion->state == FUSION_UNKNOWN || fusion->state == FUSION_GONE) {
        assert_int_equal(fusion->value.family, IP_NONE);
    }
    if (fusion->state == FUSION_CONFIRMED || fusion->state == FUSION_CHANGING) {
        assert_int_equal(fusion->value.family, IP_V4);
    }
    assert_int_equal(fusion->candidate.family != IP_NONE, fusion->state == FUSION_CHANGING);
    assert_true(fusion->state != FUSION_CHANGING || !ip_equal(&fusion->value, &fusion->candidate));
    assert_true(fusion->flaps_len <= FUSION_FLAPS_MAX);
}

/* Another life with the same sources, or without one of them. */
static struct fusion reloaded(const struct fusion *old, unsigned quorum, size_t without, uint64_t now)
{
    struct fusion fusion = fresh(quorum);
    size_t from[SOURCES];
    for (size_t i = 0; i < SOURCES; i++) {
        from[i] = i == without ? SIZE_MAX : i;
    }
    fusion_adopt(&fusion, old, from, now);
    return fusion;
}

static void stays_sound_whatever_comes(void **state)
{
    (void)state;
    static const char *const answers[] = {X, Y, Z, "192.168.1.9", "100.64.1.2", "2606:4700::1"};
    for (unsigned quorum = 0; quorum < 4; quorum++) {
        struct fusion fusion = fresh(quorum);
        uint64_t now = 0;
        for (unsigned i = 0; i < 50000; i++) {
            uint64_t random = next_random();
            now += (random >> 32) % (random % 3 == 0 ? HOUR : 5 * SECOND);
            size_t source = (random >> 8) % SOURCES;
            switch (random % 10) {
            case 0:
                (void)fusion_path_changed(&fusion, now);
                break;
            case 1:
                (void)fusion_tick(&fusion, now);
                break;
            case 2:
                (void)status(&fusion, source, SOURCE_ANSWER_FAILED, now);
                break;
            case 3:
                (void)status(&fusion, source, SOURCE_ANSWER_ABSENT, now);
                break;
            case 4:
                (void)fusion_absence(&fusion, (random >> 16) % 2 == 0, now);
                break;
            case 5:
                fusion = reloaded(&fusion, quorum, (random >> 16) % (2 * SOURCES), now);
                break;
            default: {
                const struct source_answer answer = says(answers[(random >> 16) % ARRAY_LEN(answers)]);
                (void)fusion_answer(&fusion, source, &answer, random % 2 == 0, now);
            }
            }
            (void)fusion_tick(&fusion, now);
            assert_sound(&fusion, now);
        }
    }
}

/* A camera behind a router that is renumbered each night, seen by STUN each 15 minutes with a third of the answers lost
 * and by an echo each hour: the value is the truth but for the time until somebody says so. */
static void follows_the_truth_for_a_simulated_month(void **state)
{
    (void)state;
    static const char *const truths[] = {X, Y, Z};
    struct fusion fusion = fresh(1);
    unsigned wrong = 0, minutes = 0;
    for (uint64_t now = MINUTE; now < 30 * 24 * HOUR; now += MINUTE, minutes++) {
        const char *truth = truths[now / (24 * HOUR) % ARRAY_LEN(truths)];
        bool lost = next_random() % 3 == 0;
        if (now / MINUTE % 15 == 0 && lost) {
            (void)status(&fusion, STUN, SOURCE_ANSWER_FAILED, now);
        } else if (now / MINUTE % 15 == 0) {
            (void)poll(&fusion, STUN, truth, now);
        }
        if (now / MINUTE % 60 == 7) {
            (void)poll(&fusion, HTTP, truth, now);
        }
        (void)fusion_tick(&fusion, now);
        wrong += fusion.value.family != IP_NONE && strcmp(value_of(&fusion), truth) != 0;
        assert_true(fusion.state == FUSION_CONFIRMED || fusion.state == FUSION_CHANGING || now < HOUR);
        assert_false(fusion.unstable);
    }
    assert_true(wrong > 0 && wrong < 30 * 60 && minutes == 30 * 24 * 60 - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_all_pairs),
        cmocka_unit_test(only_public_addresses_become_a_value),
        cmocka_unit_test(only_public_ip6_becomes_a_value),
        cmocka_unit_test(an_address_of_the_other_family_is_a_failure),
        cmocka_unit_test(the_first_value_goes_out_at_once_and_a_polled_change_waits),
        cmocka_unit_test(an_event_ends_the_wait),
        cmocka_unit_test(the_first_of_the_config_counts_and_the_others_dispute),
        cmocka_unit_test(a_dispute_ends_when_its_vote_is_stale),
        cmocka_unit_test(a_quorum_stands_against_one_that_lies),
        cmocka_unit_test(a_vote_that_is_shown_only_never_counts),
        cmocka_unit_test(fewer_than_the_quorum_change_nothing),
        cmocka_unit_test(failures_never_lose_a_family),
        cmocka_unit_test(an_absent_family_is_retracted_after_the_hold),
        cmocka_unit_test(a_renewal_within_the_hold_is_no_loss),
        cmocka_unit_test(what_is_seen_after_an_absence_holds_while_it_is_fresh),
        cmocka_unit_test(one_who_sees_an_address_stands_against_an_absence),
        cmocka_unit_test(a_value_is_disproved_by_who_said_it),
        cmocka_unit_test(a_disproved_value_does_not_come_back_when_its_successor_goes),
        cmocka_unit_test(another_path_makes_stale_what_was_seen_from_outside),
        cmocka_unit_test(an_older_answer_never_takes_a_newer_one_back),
        cmocka_unit_test(two_egress_addresses_become_unstable_and_slow),
        cmocka_unit_test(a_candidate_that_goes_keeps_a_path_unstable),
        cmocka_unit_test(damping_is_off_without_a_limit),
        cmocka_unit_test(leaps_of_the_clock_lose_nothing),
        cmocka_unit_test(says_only_what_changed),
        cmocka_unit_test(stays_sound_whatever_comes),
        cmocka_unit_test(follows_the_truth_for_a_simulated_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
