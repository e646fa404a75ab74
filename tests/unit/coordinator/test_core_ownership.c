/* SPDX-License-Identifier: Apache-2.0 */
/* Names and owners: what the ledger says binds, freezes and withdraws; its feed is asked for until all of it is known;
 * and two devices with one identity change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/topics.h"
#include "tests/lib/core_rig.h"

#define NAME "cam-1.example.net"
#define A    "93.184.216.34"
#define B    "93.184.216.77"

static const struct rig_config required = {.more = "ownership: required\n"};
static struct rig rig;

static void start(const struct rig_config *config)
{
    rig_start(&rig, config);
    core_reg_ready(rig.core, true);
}

static uint32_t index_of(const char *id)
{
    uint32_t index = device_find(core_devices(rig.core), view_of(id));
    assert_int_not_equal(index, DEVICE_NONE);
    return index;
}

static struct standing standing_of(const char *id)
{
    return core_standing(rig.core, index_of(id));
}

static bool was_compared(const char *id)
{
    uint32_t index = index_of(id);
    for (size_t i = 0; i < rig.reconciled_len; i++) {
        if (rig.reconciled[i] == index) {
            return true;
        }
    }
    return false;
}

static bool was_replayed(const char *id)
{
    bool replayed = rig.replayed[topic_shard(view_of(id))];
    memset(rig.replayed, 0, sizeof(rig.replayed));
    return replayed;
}

/* A whole answer of a ledger that knows another device. */
static void know_ledger(void)
{
    rig_pass(&rig, 1000);
    assert_int_equal(rig.asks, 1);
    rig_reg(&rig, "cam-0", 1, "made", false);
    rig_reg_done(&rig, "f-1", 1);
    rig_commit_all(&rig);
}

static void report(const char *observed, uint32_t seq, bool retained)
{
    rig_state(&rig, &(struct rig_state){
                        .id = "cam-1", .boot = 1, .conn = 1, .seq = seq, .observed = observed, .retained = retained});
}

static void bind(void)
{
    know_ledger();
    rig_reg(&rig, "cam-1", 2, "active", true);
    report(A, 1, false);
    rig_settle_all(&rig);
}

static void without_owners_the_registry_decides_alone(void **state)
{
    (void)state;
    start(&(struct rig_config){.more = ""});
    rig_reg(&rig, "cam-1", 5, "revoked", false);
    report(A, 1, false);
    assert_true(rig_wants(&rig, NAME, A));
    rig_pass(&rig, 120000);
    assert_int_equal(rig.asks, 0);
    rig_stop(&rig);
}

static void names_wait_for_an_owner_and_then_need_no_report(void **state)
{
    (void)state;
    start(&required);
    know_ledger();
    assert_int_equal(rig.reconciled[0], DEVICE_NONE); /* from now on whom it does not name has no name */
    rig_reg(&rig, "cam-1", 2, "active", false);
    report(A, 1, false);
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_string_equal(rig.ack.error, "not-owned");
    assert_int_equal(rig.ack.names_len, 0);
    rig_reg(&rig, "cam-1", 3, "active", true);
    assert_true(was_compared("cam-1"));
    assert_false(was_replayed("cam-1")); /* its addresses are known */
    assert_true(rig_reconcile(&rig, "cam-1", NULL, 0));
    assert_true(rig_wants(&rig, NAME, A));
    rig_settle_all(&rig);
    assert_string_equal(rig.ack.error, "");
    rig_stop(&rig);
}

static void before_the_ledger_is_known_nothing_is_changed(void **state)
{
    (void)state;
    start(&required);
    const struct store_device known = {.id = "cam-1",
                                       .shard = topic_shard(VIEW_LITERAL("cam-1")),
                                       .boot = 1,
                                       .conn = 1,
                                       .seq = 1,
                                       .observed = rig_ip(A),
                                       .ip4 = rig_value(A)};
    assert_int_equal(core_load_device(rig.core, &known), ERR_OK);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    const struct store_record row = rig_record("example.net", "cam-1", NAME, A);
    assert_true(rig_reconcile(&rig, "cam-1", &row, 1)); /* the registry changed, say */
    report(B, 2, false);
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    rig_stop(&rig);
}

static void an_empty_ledger_is_not_believed(void **state)
{
    (void)state;
    start(&required);
    rig_pass(&rig, 1000);
    rig_reg_done(&rig, "f-1", 0);
    report(A, 1, false);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    assert_int_equal(rig.reconciled_len, 0);
    rig_stop(&rig);
}

static void suspended_stays_at_what_it_is_and_resumes_with_the_present(void **state)
{
    (void)state;
    start(&required);
    bind();
    rig_reg(&rig, "cam-1", 3, "suspended", true);
    report(B, 2, false);
    rig_commit_all(&rig);
    assert_null(rig_change(&rig, NAME, RRTYPE_A));
    assert_string_equal(rig.ack.error, "suspended");
    assert_int_equal(rig.ack.ack_seq, 2); /* heard, and acknowledged */
    assert_string_equal(rig_ack_name(&rig, NAME, "A")->value, A);
    assert_false(was_compared("cam-1")); /* its records are as they were */
    (void)was_replayed("cam-1");
    rig_reg(&rig, "cam-1", 4, "active", true);
    assert_true(was_replayed("cam-1"));
    report(B, 2, true);
    assert_true(rig_wants(&rig, NAME, B));
    rig_stop(&rig);
}

static void an_end_of_ownership_withdraws(void **state)
{
    static const struct {
        const char *state;
        bool owned;
        const char *problem;
    } ends[] = {{"revoked", true, "revoked"}, {"scrapped", true, "scrapped"}, {"active", false, "not-owned"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        start(&required);
        bind();
        rig_reg(&rig, "cam-1", 3, ends[i].state, ends[i].owned);
        assert_string_equal(standing_of("cam-1").problem, ends[i].problem);
        assert_true(was_compared("cam-1"));
        rig_commit_all(&rig);
        const struct store_record row = rig_record("example.net", "cam-1", NAME, A);
        assert_true(rig_reconcile(&rig, "cam-1", &row, 1));
        struct store_want *want = rig_batch_want(&rig, NAME);
        assert_true(want != NULL && want->want_null);
        rig_stop(&rig);
    }
}

/* Nobody gave it up: its flash was replaced, or its certificate expired in the warehouse. */
static void a_device_that_enrols_anew_keeps_its_names(void **state)
{
    (void)state;
    start(&required);
    bind();
    rig_reg(&rig, "cam-1", 3, "made", true);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    rig_reg(&rig, "cam-1", 4, "issued", true);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    assert_false(was_compared("cam-1"));
    rig_stop(&rig);
}

/* What stands in the store when the power goes between the word and its consequence. */
static void a_word_is_due_until_its_consequence_is_in_the_same_batch(void **state)
{
    (void)state;
    start(&required);
    bind();
    rig_reg(&rig, "cam-1", 3, "revoked", true);
    assert_non_null(rig.batch);
    assert_int_equal(rig.batch->regs_len, 1);
    assert_true(rig.batch->regs[0].due && rig.batch->regs[0].rev == 3);
    rig_commit_all(&rig);
    const struct store_record row = rig_record("example.net", "cam-1", NAME, A);
    assert_true(rig_reconcile(&rig, "cam-1", &row, 1));
    core_reconciled_device(rig.core, index_of("cam-1"));
    rig_commit(&rig, ERR_OK); /* which was made before the last call */
    assert_non_null(rig.batch);
    assert_int_equal(rig.batch->regs_len, 1);
    assert_false(rig.batch->regs[0].due);
    rig_commit_all(&rig);
    const struct store_reg stored = {.id = "cam-2",
                                     .shard = topic_shard(VIEW_LITERAL("cam-2")),
                                     .state = REG_REVOKED,
                                     .rev = 9,
                                     .due = true,
                                     .group = "",
                                     .site = "",
                                     .detail = ""};
    rig.reconciled_len = 0;
    assert_int_equal(core_load_reg(rig.core, &stored), ERR_OK);
    assert_true(was_compared("cam-2")); /* a new process finds it */
    rig_stop(&rig);
}

/* ---- the feed ---- */

static void the_position_moves_with_our_own_answers_only(void **state)
{
    (void)state;
    start(&required);
    rig_pass(&rig, 1000);
    assert_string_equal(rig.ask.feed, "");
    assert_int_equal(rig.ask.last, 255);
    rig_reg(&rig, "cam-1", 7, "active", true); /* by itself, or for another coordinator */
    rig_commit_all(&rig);
    assert_int_equal(core_feed_position(rig.core)->rev, 0);
    rig_message(&rig, TOPIC_ROOT "/coord/svc-other/reg-done", VIEW_LITERAL("{\"v\":1,\"feed\":\"f-1\",\"rev\":7}"),
                NULL);
    assert_int_equal(core_feed_position(rig.core)->rev, 0);
    rig_reg_done(&rig, "f-1", 7);
    assert_int_equal(core_feed_position(rig.core)->rev, 7);
    assert_true(rig.batch != NULL && rig.batch->feed != NULL && rig.batch->feed->rev == 7 && rig.batch->feed->complete);
    rig_commit_all(&rig);
    rig_reg_done(&rig, "f-1", 99); /* nobody asked */
    assert_int_equal(core_feed_position(rig.core)->rev, 7);
    rig_pass(&rig, 310000);
    assert_int_equal(rig.asks, 2); /* what came by itself and was lost comes then */
    assert_int_equal(rig.ask.rev, 7);
    assert_string_equal(rig.ask.feed, "f-1");
    rig_stop(&rig);
}

static void an_answer_of_which_some_was_lost_is_asked_for_again(void **state)
{
    (void)state;
    start(&required);
    rig_pass(&rig, 1000);
    rig.dropped = 3;
    rig_reg_done(&rig, "f-1", 7);
    assert_int_equal(core_feed_position(rig.core)->rev, 0);
    rig_pass(&rig, 3000);
    assert_int_equal(rig.asks, 2);
    rig_stop(&rig);
}

static void no_answer_is_asked_for_again(void **state)
{
    (void)state;
    start(&required);
    rig_pass(&rig, 200000);
    assert_in_range(rig.asks, 3, 15);
    assert_false(core_reg_is_late(rig.core, rig.now));
    rig_pass(&rig, 1800000);
    assert_true(core_reg_is_late(rig.core, rig.now));
    core_reg_ready(rig.core, false);
    size_t asks = rig.asks;
    rig_pass(&rig, 200000);
    assert_int_equal(rig.asks, asks);
    rig_stop(&rig);
}

static void a_restart_goes_on_where_the_store_stands(void **state)
{
    (void)state;
    start(&required);
    rig.feed_position = (struct store_feed){.feed = "f-1", .rev = 41, .complete = true};
    rig_restart(&rig, 100);
    core_reg_ready(rig.core, true);
    rig_pass(&rig, 1000);
    assert_string_equal(rig.ask.feed, "f-1");
    assert_int_equal(rig.ask.rev, 41);
    rig_stop(&rig);
}

/* The provisioner's file was lost, or put back from a backup: its revisions say nothing about ours any more, and what
 * it does not know any more it does not take away. */
static void another_ledger_is_asked_for_all_and_takes_nothing_away(void **state)
{
    static const struct {
        const char *feed;
        uint64_t rev;
    } answers[] = {{"f-2", 900}, {"f-1", 1}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        start(&required);
        bind();
        rig_pass(&rig, 310000);
        assert_int_equal(rig.ask.rev, 1);
        rig_reg_done(&rig, "f-1", 2);
        rig_pass(&rig, 310000);
        assert_int_equal(rig.ask.rev, 2);
        size_t asks = rig.asks;
        rig_reg_done(&rig, answers[i].feed, answers[i].rev);
        rig_pass(&rig, 1000);
        assert_int_equal(rig.asks, asks + 1);
        assert_int_equal(rig.ask.rev, 0);
        assert_string_equal(rig.ask.feed, answers[i].feed);
        rig_reg_done(&rig, answers[i].feed, answers[i].rev);
        assert_int_equal(core_feed_position(rig.core)->rev, answers[i].rev);
        assert_int_equal(standing_of("cam-1").gate, GATE_OPEN);
        if (i == 1) {
            rig_reg(&rig, "cam-1", 1, "suspended", true); /* lower than what was known, and counts */
            assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
        }
        rig_stop(&rig);
    }
}

/* ---- groups ---- */

static void word_with_group(const char *id, uint64_t rev, const char *group, const char *site)
{
    char topic[TOPIC_SIZE];
    struct reg_message said = {.feed = "f-1", .rev = rev, .state = REG_ACTIVE, .owned = true};
    struct strbuf body;
    strbuf_init(&body, 512);
    assert_int_equal(view_copy(view_of(group), said.group, sizeof(said.group)), ERR_OK);
    assert_int_equal(view_copy(view_of(site), said.site, sizeof(said.site)), ERR_OK);
    assert_int_equal(topic_build(TOPIC_REG, view_of(id), topic), ERR_OK);
    assert_int_equal(reg_encode(&said, &body), ERR_OK);
    rig_message(&rig, topic, strbuf_view(&body), NULL);
    strbuf_deinit(&body);
}

static const struct rig_config groups = {
    .groups = "  - name: cameras\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n"
              "  - name: sited\n    damping: false\n    names:\n      - name: \"{id}.{site}.example.net\"\n",
    .devices = "devices:\n  - id: cam-9\n    group: cameras\n  - match: \"cam-*\"\n    group: cameras\n",
    .more = "ownership: required\n",
};

static void the_ledgers_group_wins_over_a_patterns_and_not_over_an_entry(void **state)
{
    (void)state;
    start(&groups);
    know_ledger();
    word_with_group("cam-1", 2, "sited", "berlin");
    word_with_group("cam-9", 3, "sited", "berlin");
    word_with_group("van-1", 4, "sited", "paris"); /* no entry fits it: the ledger's word is enough */
    word_with_group("van-2", 5, "", "paris");
    word_with_group("cam-2", 6, "no-such-group", "");
    static const struct {
        const char *id, *name; /* NULL: none */
    } devices[] = {{"cam-1", "cam-1.berlin.example.net"},
                   {"cam-9", "cam-9.example.net"},
                   {"van-1", "van-1.paris.example.net"},
                   {"van-2", NULL},
                   {"cam-2", "cam-2.example.net"}};
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        rig_state(&rig, &(struct rig_state){.id = devices[i].id, .boot = 1, .conn = 1, .seq = 1, .observed = A});
        size_t before = rig.changes_len;
        if (devices[i].name != NULL) {
            assert_true(rig_wants(&rig, devices[i].name, A));
        } else {
            assert_int_equal(rig.changes_len, before);
            assert_string_equal(rig.ack.error, "unregistered");
        }
    }
    rig_settle_all(&rig);
    word_with_group("cam-1", 7, "cameras", "berlin"); /* moved in the order file */
    assert_true(was_compared("cam-1"));
    const struct store_record row = rig_record("example.net", "cam-1", "cam-1.berlin.example.net", A);
    assert_true(rig_reconcile(&rig, "cam-1", &row, 1));
    assert_true(rig_wants(&rig, NAME, A));
    assert_false(rig_reload(&rig, &groups)); /* entries that the ledger made are made again */
    assert_string_equal(core_entry(rig.core, device_at(core_devices(rig.core), index_of("van-1")))->group->name,
                        "sited");
    rig_stop(&rig);
}

/* ---- clones ---- */

static void take_turns(unsigned turns)
{
    uint32_t copy = 1, original = 1, copy_seq = 0, original_seq = 1;
    for (unsigned turn = 0; turn < turns; turn++) {
        copy = copy == 1 ? original + 1 : copy;
        rig_state(&rig, &(struct rig_state){.id = "cam-1", .boot = copy, .conn = 1, .seq = ++copy_seq, .observed = B});
        rig_pass(&rig, 2000);
        rig_state(&rig, &(struct rig_state){
                            .id = "cam-1", .boot = original, .conn = turn + 2, .seq = ++original_seq, .observed = A});
        rig_pass(&rig, 2000);
        original = copy + 1; /* lifted by the answer */
        original_seq++;
        rig_state(&rig, &(struct rig_state){
                            .id = "cam-1", .boot = original, .conn = turn + 3, .seq = original_seq, .observed = A});
        rig_pass(&rig, 2000);
        rig_state(&rig, &(struct rig_state){.id = "cam-1", .boot = copy, .conn = 2, .seq = ++copy_seq, .observed = B});
        rig_pass(&rig, 2000);
        copy = original + 1;
        copy_seq++;
    }
}

static void two_devices_with_one_identity_freeze_at_the_last_good(void **state)
{
    (void)state;
    start(&required);
    bind();
    take_turns(4);
    assert_int_equal(rig_stats(&rig).suspects, 1);
    assert_string_equal(standing_of("cam-1").problem, "cloned-suspect");
    rig_settle_all(&rig);
    assert_int_equal(rig.suspects, 1);
    assert_string_equal(rig.suspect.device, "cam-1");
    struct device_addresses counts = device_addresses(core_devices(rig.core), index_of("cam-1"));
    struct ip good = rig_ip(A);
    assert_true(ip_equal(&counts.ip4.ips[0], &good));
    size_t changes = rig.changes_len;
    take_turns(4);
    rig_settle_all(&rig);
    assert_int_equal(rig.changes_len, changes); /* the DNS sees none of it any more */
    assert_string_equal(rig.ack.error, "cloned-suspect");
    rig_pass(&rig, 310000);
    assert_true(rig.suspects > 1); /* told until the ledger says it, too */
    rig_reg(&rig, "cam-1", 3, "cloned-suspect", true);
    size_t told = rig.suspects;
    rig_pass(&rig, 310000);
    assert_int_equal(rig.suspects, told);
    rig_reg(&rig, "cam-1", 4, "active", true); /* an operator has found the copy */
    assert_string_equal(standing_of("cam-1").problem, "");
    assert_int_equal(rig_stats(&rig).suspects, 0);
    rig_stop(&rig);
}

/* Their quarrel has damped the name: the way back to what is good does not wait for that. */
static void the_way_back_is_not_damped(void **state)
{
    static const struct rig_config damped = {
        .groups = "  - name: cameras\n    damping: true\n    names:\n      - name: \"{id}.example.net\"\n",
        .more = "ownership: required\ndamping: {suppress: 1500, reuse: 700}\n"};
    (void)state;
    start(&damped);
    bind();
    take_turns(4);
    assert_int_equal(rig_stats(&rig).suspects, 1);
    assert_int_equal(rig_stats(&rig).records_held, 0);
    rig_commit_all(&rig);
    assert_true(rig_change(&rig, NAME, RRTYPE_A) == NULL || rig_wants(&rig, NAME, A));
    rig_stop(&rig);
}

static void a_suspicion_outlives_a_restart_and_ends_with_forget(void **state)
{
    (void)state;
    start(&(struct rig_config){.more = ""}); /* without a ledger, too */
    report(A, 1, false);
    rig_settle_all(&rig);
    take_turns(4);
    rig_commit_all(&rig);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    assert_int_equal(rig.suspects, 0); /* nobody to tell */
    rig_restart(&rig, 100);
    const struct store_reg stored = {.id = "cam-1",
                                     .shard = topic_shard(VIEW_LITERAL("cam-1")),
                                     .state = STORE_REG_UNTOLD,
                                     .suspect = 1 + SUSPECT_BOOT,
                                     .suspect_ms = 1780000000000,
                                     .group = "",
                                     .site = "",
                                     .detail = "two"};
    assert_int_equal(core_load_reg(rig.core, &stored), ERR_OK);
    assert_int_equal(standing_of("cam-1").gate, GATE_FROZEN);
    report(A, 1, false);
    assert_int_equal(core_forget_pair(rig.core, rig.now, index_of("cam-1")), ERR_OK);
    assert_int_equal(standing_of("cam-1").gate, GATE_OPEN);
    rig_stop(&rig);
}

static void an_alarm_alone_changes_no_name(void **state)
{
    (void)state;
    start(&(struct rig_config){.more = "clones: alarm\n"});
    report(A, 1, false);
    rig_settle_all(&rig);
    take_turns(5);
    rig_settle_all(&rig);
    assert_int_equal(rig_stats(&rig).suspects, 1);
    assert_int_equal(standing_of("cam-1").gate, GATE_OPEN);
    assert_string_equal(standing_of("cam-1").problem, "cloned-suspect");
    rig_stop(&rig);
}

static void off_looks_for_nothing(void **state)
{
    (void)state;
    start(&(struct rig_config){.more = "clones: off\n"});
    report(A, 1, false);
    take_turns(6);
    assert_int_equal(rig_stats(&rig).suspects, 0);
    rig_stop(&rig);
}

static void a_silent_stranger_is_found_by_the_brokers_word(void **state)
{
    (void)state;
    start(&required);
    bind();
    for (unsigned turn = 0; turn < 8; turn++) {
        rig_seen(&rig, "cam-1", "0a", B);
        rig_pass(&rig, 3000);
        rig_seen(&rig, "cam-1", "0a", A);
        rig_pass(&rig, 3000);
        rig_state(&rig,
                  &(struct rig_state){.id = "cam-1", .boot = 1, .conn = turn + 2, .seq = turn + 2, .observed = A});
        rig_pass(&rig, 3000);
    }
    assert_int_equal(rig_stats(&rig).suspects, 1);
    assert_int_equal(rig.suspect.kind, SUSPECT_TAKEOVER);
    rig_stop(&rig);
}

static void a_dual_stack_device_that_reconnects_is_not_suspected(void **state)
{
    (void)state;
    start(&required);
    bind();
    for (unsigned turn = 0; turn < 30; turn++) {
        const char *from = turn % 2 == 0 ? "2a00:1450::7" : A;
        rig_seen(&rig, "cam-1", "0a", from);
        rig_state(&rig,
                  &(struct rig_state){.id = "cam-1", .boot = 1, .conn = turn + 2, .seq = turn + 2, .observed = from});
        rig_pass(&rig, 3000);
    }
    assert_int_equal(rig_stats(&rig).suspects, 0);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_owners_the_registry_decides_alone),
        cmocka_unit_test(names_wait_for_an_owner_and_then_need_no_report),
        cmocka_unit_test(before_the_ledger_is_known_nothing_is_changed),
        cmocka_unit_test(an_empty_ledger_is_not_believed),
        cmocka_unit_test(suspended_stays_at_what_it_is_and_resumes_with_the_present),
        cmocka_unit_test(an_end_of_ownership_withdraws),
        cmocka_unit_test(a_device_that_enrols_anew_keeps_its_names),
        cmocka_unit_test(a_word_is_due_until_its_consequence_is_in_the_same_batch),
        cmocka_unit_test(the_position_moves_with_our_own_answers_only),
        cmocka_unit_test(an_answer_of_which_some_was_lost_is_asked_for_again),
        cmocka_unit_test(no_answer_is_asked_for_again),
        cmocka_unit_test(a_restart_goes_on_where_the_store_stands),
        cmocka_unit_test(another_ledger_is_asked_for_all_and_takes_nothing_away),
        cmocka_unit_test(the_ledgers_group_wins_over_a_patterns_and_not_over_an_entry),
        cmocka_unit_test(two_devices_with_one_identity_freeze_at_the_last_good),
        cmocka_unit_test(the_way_back_is_not_damped),
        cmocka_unit_test(a_suspicion_outlives_a_restart_and_ends_with_forget),
        cmocka_unit_test(an_alarm_alone_changes_no_name),
        cmocka_unit_test(off_looks_for_nothing),
        cmocka_unit_test(a_silent_stranger_is_found_by_the_brokers_word),
        cmocka_unit_test(a_dual_stack_device_that_reconnects_is_not_suspected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
