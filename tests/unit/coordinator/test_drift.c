/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/drift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define ONE     "93.184.216.34"
#define TWO     "93.184.216.35"
#define OTHERS  "93.184.216.99"
#define STARTED INT64_C(1000000000)
#define NOW     (STARTED + 500)
#define HOUR    INT64_C(3600000)
#define TTL     60

enum want { WANTED, TOMBSTONE, NO_ROW };

/* One record as the sweep meets it. Texts are addresses; NULL = none. */
struct row {
    const char *want, *have; /* row: wanted (NULL = withdrawn, an event), last written */
    const char *found;       /* in the zone */
    enum drift_kind kind;
    bool write, guarded, deletion, exists; /* what is expected */
    enum want row;
    uint32_t found_ttl; /* 0 = TTL */
    int64_t applied_ms; /* 0 = an hour before the listing */
    uint64_t refresh_every_ms;
    bool shared, moving, refused, unlisted;
};

#define REPAIR .write = true, .guarded = true
#define DELETE .write = true, .guarded = true, .deletion = true
#define CREATE .write = true
#define EVENT  .write = true

static const struct row rows[] = {
    /* as wanted */
    {ONE, ONE, ONE, .kind = DRIFT_NONE},
    {ONE, NULL, ONE, .kind = DRIFT_NONE},
    {NULL, NULL, NULL, .kind = DRIFT_NONE},
    {NULL, ONE, NULL, .kind = DRIFT_NONE},
    {ONE, ONE, ONE, .kind = DRIFT_NONE, .shared = true},
    /* somebody changed or lost it */
    {ONE, ONE, NULL, .kind = DRIFT_MISSING, CREATE},
    {ONE, NULL, NULL, .kind = DRIFT_MISSING, CREATE},
    {ONE, ONE, TWO, .kind = DRIFT_WRONG, REPAIR},
    {ONE, TWO, TWO, .kind = DRIFT_WRONG, REPAIR},
    {ONE, ONE, ONE, .kind = DRIFT_TTL, REPAIR, .found_ttl = TTL + 1},
    {ONE, ONE, TWO, .kind = DRIFT_WRONG, REPAIR, .found_ttl = TTL + 1},
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE},
    {NULL, NULL, OTHERS, .kind = DRIFT_DELETE, DELETE},
    /* given up */
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE, .row = TOMBSTONE},
    {NULL, ONE, OTHERS, .kind = DRIFT_DELETE, DELETE, .row = TOMBSTONE},
    {NULL, ONE, NULL, .kind = DRIFT_FORGET, .write = true, .row = TOMBSTONE},
    {NULL, NULL, NULL, .kind = DRIFT_FORGET, .write = true, .row = TOMBSTONE},
    /* not ours */
    {NULL, NULL, OTHERS, .kind = DRIFT_UNKNOWN, .row = NO_ROW},
    {NULL, NULL, OTHERS, .kind = DRIFT_UNKNOWN, .row = NO_ROW, .shared = true},
    {NULL, NULL, OTHERS, .kind = DRIFT_NONE, .row = NO_ROW, .moving = true}, /* our first write of it is under way */
    /* a shared zone: only what we wrote last is ours */
    {ONE, ONE, NULL, .kind = DRIFT_MISSING, CREATE, .shared = true},
    {ONE, TWO, TWO, .kind = DRIFT_WRONG, REPAIR, .shared = true},
    {ONE, ONE, TWO, .kind = DRIFT_FOREIGN, .shared = true},
    {ONE, NULL, TWO, .kind = DRIFT_FOREIGN,
     .shared = true}, /* the store was lost: nothing is ours until it is adopted */
    {ONE, ONE, ONE, .kind = DRIFT_TTL, REPAIR, .shared = true, .found_ttl = 5},
    {ONE, NULL, ONE, .kind = DRIFT_FOREIGN, .shared = true, .found_ttl = 5},
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE, .shared = true},
    {NULL, ONE, OTHERS, .kind = DRIFT_FOREIGN, .shared = true},
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE, .row = TOMBSTONE, .shared = true},
    {NULL, ONE, OTHERS, .kind = DRIFT_FOREIGN, .row = TOMBSTONE, .shared = true},
    {NULL, NULL, OTHERS, .kind = DRIFT_FOREIGN, .row = TOMBSTONE, .shared = true},
    {NULL, ONE, NULL, .kind = DRIFT_FORGET, .write = true, .row = TOMBSTONE, .shared = true},
    {ONE, ONE, TWO, .kind = DRIFT_FOREIGN, .shared = true, .refused = true},
    /* under way, or written since the listing began: an event, not drift */
    {ONE, ONE, TWO, .kind = DRIFT_NONE, .moving = true},
    {ONE, ONE, NULL, .kind = DRIFT_NONE, .moving = true},
    {NULL, ONE, ONE, .kind = DRIFT_NONE, .row = TOMBSTONE, .moving = true},
    {ONE, ONE, TWO, .kind = DRIFT_NONE, .applied_ms = STARTED},
    {ONE, ONE, NULL, .kind = DRIFT_NONE, .applied_ms = STARTED + 1},
    {NULL, ONE, ONE, .kind = DRIFT_NONE, .row = TOMBSTONE, .applied_ms = STARTED},
    {ONE, ONE, TWO, .kind = DRIFT_WRONG, REPAIR, .applied_ms = STARTED - 1},
    {ONE, ONE, TWO, .kind = DRIFT_WRONG, REPAIR, .applied_ms = NOW + 1}, /* the clock has been set back since */
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE, .row = TOMBSTONE, .applied_ms = NOW + HOUR},
    {ONE, ONE, ONE, .kind = DRIFT_REFRESH, .write = true, .refresh_every_ms = HOUR, .applied_ms = NOW + HOUR},
    /* the server refused it: still the event that it was, so the guard lets it pass; not so a tombstone */
    {ONE, TWO, TWO, .kind = DRIFT_WRONG, EVENT, .refused = true},
    {ONE, ONE, ONE, .kind = DRIFT_TTL, EVENT, .refused = true, .found_ttl = 5},
    {ONE, NULL, NULL, .kind = DRIFT_MISSING, CREATE, .refused = true},
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, EVENT, .refused = true},
    {NULL, ONE, ONE, .kind = DRIFT_DELETE, DELETE, .row = TOMBSTONE, .refused = true},
    /* refreshed before the service lets it expire; the guard does not hold that up */
    {ONE, ONE, ONE, .kind = DRIFT_NONE, .refresh_every_ms = HOUR, .applied_ms = NOW - HOUR},
    {ONE, ONE, ONE, .kind = DRIFT_REFRESH, .write = true, .refresh_every_ms = HOUR, .applied_ms = NOW - HOUR - 1},
    {ONE, ONE, ONE, .kind = DRIFT_NONE, .applied_ms = 1},
    {ONE, ONE, ONE, .kind = DRIFT_NONE, .refresh_every_ms = HOUR, .applied_ms = -1}, /* never applied */
    {ONE, ONE, TWO, DRIFT_WRONG, REPAIR, .refresh_every_ms = HOUR, .applied_ms = NOW - 2 * HOUR},
    /* a zone that cannot be listed: what we wrote last is all there is to go by */
    {ONE, ONE, NULL, DRIFT_NONE, .unlisted = true, .exists = true},
    {ONE, NULL, NULL, DRIFT_NONE, .unlisted = true},
    {ONE, TWO, NULL, DRIFT_NONE, .unlisted = true, .exists = true, .moving = true},
    {NULL, NULL, NULL, DRIFT_NONE, .unlisted = true},
    {ONE, ONE, NULL, DRIFT_REFRESH, .write = true, .unlisted = true, .exists = true, .refresh_every_ms = 1},
    {NULL, ONE, NULL, DRIFT_DELETE, DELETE, .row = TOMBSTONE, .unlisted = true, .exists = true},
    {NULL, ONE, NULL, DRIFT_DELETE, EVENT, .row = TOMBSTONE, .unlisted = true, .exists = true, .refused = true},
    {NULL, NULL, NULL, DRIFT_FORGET, .write = true, .row = TOMBSTONE, .unlisted = true},
};

static struct rrset_value value_of(const char *text)
{
    struct rrset_value value = {0};
    struct ip ip;
    if (text != NULL) {
        assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
        assert_true(rrset_value_add(&value, RRTYPE_A, &ip));
    }
    return value;
}

static struct drift_verdict judge(const struct row *row)
{
    const struct store_record record = {
        .name = "cam-1.example.net",
        .type = RRTYPE_A,
        .ttl = TTL,
        .want_null = row->row == TOMBSTONE,
        .want = value_of(row->want),
        .have_known = row->have != NULL,
        .have = value_of(row->have),
        .applied_ms = row->applied_ms == 0 ? STARTED - HOUR : MAX(row->applied_ms, 0),
    };
    const struct rrset_value found = value_of(row->found);
    return drift_judge(&(struct drift_input){
        .record = row->row == NO_ROW ? NULL : &record,
        .listed = !row->unlisted,
        .found = row->found != NULL ? &found : NULL,
        .found_ttl = row->found_ttl != 0 ? row->found_ttl : TTL,
        .moving = row->moving,
        .refused = row->refused,
        .shared = row->shared,
        .refresh_every_ms = row->refresh_every_ms,
        .started_ms = STARTED,
        .now_ms = NOW,
    });
}

static void each_record_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct drift_verdict verdict = judge(&rows[i]);
        if (verdict.kind != rows[i].kind || verdict.write != rows[i].write || verdict.guarded != rows[i].guarded ||
            verdict.deletion != rows[i].deletion || verdict.exists != rows[i].exists) {
            fail_msg("row %zu: kind %d write %d guarded %d deletion %d exists %d", i, (int)verdict.kind, verdict.write,
                     verdict.guarded, verdict.deletion, verdict.exists);
        }
    }
}

/* Every record in every circumstance: what must hold whatever the rows above say. */
static void no_verdict_breaks_the_rules(void **state)
{
    (void)state;
    static const char *const addresses[] = {NULL, ONE, TWO};
    size_t judged = 0;
    for (unsigned bits = 0; bits < 3 * 3 * 3 * 2 * 16; bits++) {
        struct row row = {
            .want = addresses[bits % 3], .have = addresses[bits / 3 % 3], .found = addresses[bits / 9 % 3]};
        unsigned flags = bits / 27;
        row.row = (flags & 1) != 0 ? TOMBSTONE : WANTED;
        row.shared = (flags & 2) != 0;
        row.moving = (flags & 4) != 0;
        row.refused = (flags & 8) != 0;
        row.unlisted = (flags & 16) != 0;
        if (row.row == TOMBSTONE && row.want != NULL) {
            continue; /* the store cannot hold such a row */
        }
        struct drift_verdict verdict = judge(&row);
        judged++;
        assert_true(!row.moving || !verdict.write);
        assert_true(!verdict.guarded || verdict.write);
        assert_true(!verdict.deletion || verdict.guarded);
        assert_true(verdict.kind != DRIFT_FOREIGN || (row.shared && !verdict.write));
        if (row.shared && !row.unlisted && row.found != NULL && verdict.write) {
            assert_string_equal(row.found, row.have); /* nothing but our own is written over */
        }
        if (verdict.write && !row.refused && row.found != NULL && !row.unlisted) {
            assert_true(verdict.guarded); /* no update or deletion past the guard without an event */
        }
    }
    assert_true(judged > 500);
}

struct guard {
    size_t existing, wrong, deletions;
    enum drift_guard guard;
    bool none_stays; /* else another record of ours does */
};

static const struct guard guards[] = {
    {0, 0, 0, DRIFT_GUARD_PASS, false},
    {0, 9, 9, DRIFT_GUARD_PASS, false},
    {1, 1, 0, DRIFT_GUARD_PASS, false},
    {9, 9, 0, DRIFT_GUARD_PASS, false}, /* fewer than ten: one device would be a third of them */
    {9, 0, 9, DRIFT_GUARD_PASS, false},
    {10, 3, 0, DRIFT_GUARD_PASS, false}, /* exactly 30 % */
    {10, 0, 3, DRIFT_GUARD_PASS, false},
    {10, 2, 1, DRIFT_GUARD_PASS, false},
    {10, 4, 0, DRIFT_GUARD_SHARE, false},
    {10, 0, 4, DRIFT_GUARD_SHARE, false},
    {10, 3, 1, DRIFT_GUARD_SHARE, false},
    {10, 10, 0, DRIFT_GUARD_SHARE, false},
    {11, 3, 0, DRIFT_GUARD_PASS, false},  /* 27 % */
    {11, 4, 0, DRIFT_GUARD_SHARE, false}, /* 36 % */
    {100, 30, 0, DRIFT_GUARD_PASS, false},
    {100, 15, 15, DRIFT_GUARD_PASS, false},
    {100, 16, 15, DRIFT_GUARD_SHARE, false},
    {101, 30, 0, DRIFT_GUARD_PASS, false},
    {103, 31, 0, DRIFT_GUARD_SHARE, false}, /* 30.1 % */
    {104, 31, 0, DRIFT_GUARD_PASS, false},
    {1000000, 300000, 0, DRIFT_GUARD_PASS, false},
    {1000000, 300000, 1, DRIFT_GUARD_SHARE, false},
    {SIZE_MAX / 100, SIZE_MAX / 400, 0, DRIFT_GUARD_PASS, false},
    {SIZE_MAX / 100, SIZE_MAX / 300, 0, DRIFT_GUARD_SHARE, false},
    /* all that is ours would go, in a zone of any size: the others in it do not count */
    {2, 0, 2, DRIFT_GUARD_ALL, .none_stays = true},
    {3, 0, 2, DRIFT_GUARD_ALL, .none_stays = true},
    {9, 0, 9, DRIFT_GUARD_ALL, .none_stays = true},
    {1000, 0, 2, DRIFT_GUARD_ALL, .none_stays = true},
    {1000000, 0, 1000000, DRIFT_GUARD_ALL, .none_stays = true},
    {1, 0, 1, DRIFT_GUARD_PASS, .none_stays = true}, /* the last device of a zone */
    {9, 0, 1, DRIFT_GUARD_PASS, .none_stays = true},
    {0, 0, 0, DRIFT_GUARD_PASS, .none_stays = true},
    {1000, 0, 0, DRIFT_GUARD_PASS, .none_stays = true},
};

static void the_guard_stops_above_thirty_percent_of_ten_and_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(guards); i++) {
        struct drift_tally tally = {.existing = guards[i].existing,
                                    .wrong = guards[i].wrong,
                                    .deletions = guards[i].deletions,
                                    .stays = guards[i].none_stays ? 0 : 1};
        if (drift_guard(&tally, false) != guards[i].guard) {
            fail_msg("%zu existing, %zu wrong, %zu deletions", tally.existing, tally.wrong, tally.deletions);
        }
        assert_int_equal(drift_guard(&tally, true), DRIFT_GUARD_PASS); /* an operator has looked */
    }
}

/* Judge, count, guard as a sweep does: @p len copies of a row beside others that are as wanted. */
static bool stops(const struct row *row, size_t len, size_t existing)
{
    struct drift_tally tally = {.existing = row->unlisted ? 0 : existing};
    for (size_t i = 0; i < len; i++) {
        struct drift_verdict verdict = judge(row);
        drift_count(&tally, &verdict);
    }
    const struct row good = {ONE, ONE, ONE, .unlisted = row->unlisted};
    for (size_t i = len; i < existing; i++) {
        struct drift_verdict verdict = judge(&good);
        drift_count(&tally, &verdict);
    }
    return drift_guard(&tally, false) != DRIFT_GUARD_PASS;
}

static void only_what_no_event_wanted_counts(void **state)
{
    (void)state;
    const struct row wrong = {ONE, ONE, TWO, .row = WANTED};
    const struct row ttl = {ONE, ONE, ONE, .found_ttl = 1};
    const struct row lost = {NULL, ONE, ONE, .row = TOMBSTONE};
    const struct row *const guarded[] = {&wrong, &ttl, &lost};
    for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
        assert_false(stops(guarded[i], 3, 10));
        assert_true(stops(guarded[i], 4, 10));
        assert_int_equal(stops(guarded[i], 9, 9), guarded[i] == &lost);
    }
    const struct row missing = {ONE, ONE, NULL, .row = WANTED};
    const struct row event = {ONE, TWO, TWO, .refused = true};
    const struct row moving = {ONE, TWO, TWO, .moving = true};
    const struct row refresh = {ONE, ONE, ONE, .refresh_every_ms = 1};
    const struct row foreign = {ONE, ONE, TWO, .shared = true};
    const struct row unknown = {NULL, NULL, TWO, .row = NO_ROW};
    const struct row forget = {NULL, NULL, NULL, .row = TOMBSTONE};
    const struct row *const free_of_it[] = {&missing, &event, &moving, &refresh, &foreign, &unknown, &forget};
    for (size_t i = 0; i < ARRAY_LEN(free_of_it); i++) {
        assert_false(stops(free_of_it[i], 1000, 1000));
    }
    const struct row unlisted = {NULL, ONE, NULL, .row = TOMBSTONE, .unlisted = true};
    assert_false(stops(&unlisted, 3, 10));
    assert_true(stops(&unlisted, 4, 10));
    assert_false(stops(&unlisted, 8, 9));
    assert_true(stops(&unlisted, 9, 9));
}

/* What stays beside two records that are given up, and is ours: then they may go, in a small zone. */
static void one_of_ours_that_stays_is_enough(void **state)
{
    (void)state;
    static const struct {
        struct row row;
        bool stops;
    } cases[] = {
        {{ONE, ONE, ONE, .row = WANTED}, false},
        {{ONE, ONE, TWO, .row = WANTED}, false}, /* will be repaired, and is there */
        {{ONE, TWO, TWO, .moving = true}, false},
        {{ONE, ONE, ONE, .shared = true}, false},
        {{ONE, ONE, NULL, .row = WANTED}, true}, /* not there */
        {{ONE, ONE, TWO, .shared = true}, true}, /* another's */
        {{NULL, NULL, TWO, .row = NO_ROW}, true},
        {{NULL, ONE, ONE, .row = TOMBSTONE, .moving = true}, true}, /* on its way out */
        {{NULL, ONE, ONE, .row = WANTED}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct drift_tally tally = {.existing = 3};
        const struct row lost = {NULL, ONE, ONE, .row = TOMBSTONE};
        for (size_t k = 0; k < 3; k++) {
            struct drift_verdict verdict = judge(k < 2 ? &lost : &cases[i].row);
            drift_count(&tally, &verdict);
        }
        if (drift_guard(&tally, false) != (cases[i].stops ? DRIFT_GUARD_ALL : DRIFT_GUARD_PASS)) {
            fail_msg("case %zu: %zu stay", i, tally.stays);
        }
    }
    assert_string_equal(drift_guard_name(DRIFT_GUARD_PASS), "");
    assert_string_equal(drift_guard_name(DRIFT_GUARD_SHARE), "share");
    assert_string_equal(drift_guard_name(DRIFT_GUARD_ALL), "all-deleted");
}

static void each_kind_is_counted_once(void **state)
{
    (void)state;
    struct drift_tally tally = {.existing = 7};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct drift_verdict verdict = judge(&rows[i]);
        struct drift_tally before = tally;
        drift_count(&tally, &verdict);
        size_t counted = (tally.missing - before.missing) + (tally.wrong - before.wrong) +
                         (tally.deletions - before.deletions) + (tally.foreign - before.foreign) +
                         (tally.unknown - before.unknown) + (tally.refreshed - before.refreshed);
        bool counts = verdict.guarded || verdict.kind == DRIFT_MISSING || verdict.kind == DRIFT_REFRESH ||
                      verdict.kind == DRIFT_FOREIGN || verdict.kind == DRIFT_UNKNOWN;
        assert_int_equal(counted, counts);
        assert_int_equal(tally.existing - before.existing, verdict.exists);
    }
    assert_null(drift_name(DRIFT_NONE));
    assert_null(drift_name(DRIFT_FORGET));
    assert_string_equal(drift_name(DRIFT_MISSING), "missing");
    assert_string_equal(drift_name(DRIFT_UNKNOWN), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_judged),
        cmocka_unit_test(no_verdict_breaks_the_rules),
        cmocka_unit_test(the_guard_stops_above_thirty_percent_of_ten_and_at_all),
        cmocka_unit_test(one_of_ours_that_stays_is_enough),
        cmocka_unit_test(only_what_no_event_wanted_counts),
        cmocka_unit_test(each_kind_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
