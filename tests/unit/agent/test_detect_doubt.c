/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a path while it is in doubt: reloads, silence, nonsense, a suspend. */
#include "tests/lib/detect_rig.h"

/* world.sources begins anew. */
static void reload(const char *const *types, size_t len, unsigned quorum)
{
    struct detect *fresh = NULL;
    struct detect *old = world.detect;
    world.sources_len = 0;
    assert_int_equal(make(types, len, quorum, &fresh), ERR_OK);
    detect_adopt(fresh, old);
    detect_free(old);
    world.detect = fresh;
    after(0);
}

static void a_reload_makes_no_answer_younger(void **state)
{
    (void)state;
    static const char *const types[] = {"stun", "interface", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    answer(pcp, "45.83.1.9");
    after(FLOOR);
    pcp->callbacks.announced(pcp->callbacks.context); /* renumbered; the server is slow to say so */
    after(0);
    answer(pcp, "45.83.1.77");
    assert_reported(set, "45.83.1.77", "pcp", NAT_NAT);
    reload(types, 3, 1);
    assert_reported(set, "45.83.1.77", "pcp", NAT_NAT); /* what the server saw before is not news */
    reload(types, 2, 1);
    assert_reported(set, "192.168.1.5", "interface", NAT_UNKNOWN); /* who said it is not asked any more */
    tear_down();
}

static void a_reload_loses_no_value(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"}, *const turned[] = {"stun", "interface"},
                             *const alone[] = {"stun"};
    set_up(types, 2, 1);
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(world.sources[0], "45.83.1.9");
    for (unsigned i = 0; i < 40; i++) { /* the server is down for hours */
        after(FLOOR);
        after(detect_run(world.detect) - world.now);
        answer(world.sources[0], "");
    }
    reload(turned, 2, 1);
    assert_reported(set, "45.83.1.9", "stun", NAT_UNKNOWN);
    reload(alone, 1, 1);
    assert_reported(set, "45.83.1.9", "stun", NAT_UNKNOWN);
    reload(types, 2, 1);
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "\"verdict\":\"not public\"")); /* the interface is asked at once */
    strbuf_deinit(&json);
    tear_down();
}

static void a_pause_outlives_a_reload(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "echo"};
    set_up(types, 2, 1);
    struct address_set set = home("192.168.1.5");
    unsigned asked = 0;
    detect_addresses(world.detect, &set);
    for (unsigned i = 0; i < 20; i++) { /* an operator who tries things */
        after(FLOOR);
        if (world.sources[0]->open_len > 0) {
            asked++;
            answer(world.sources[0], "45.83.1.9");
        }
        detect_trigger(world.detect, DETECT_REQUESTED);
        reload(types, 2, 1);
        after(50 * SECOND);
    }
    assert_int_equal(asked, 2); /* in twenty minutes */
    tear_down();
}

/* Whatever the list says, the interface knows. */
static void a_family_is_lost_without_the_source_interface(void **state)
{
    (void)state;
    static const char *const types[] = {"stun"};
    set_up(types, 1, 1);
    struct source *stun = world.sources[0];
    struct address_set set = home("192.168.1.5"), gone = home("");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    detect_addresses(world.detect, &gone);
    after(0);
    assert_reported(gone, "none", "none", NAT_UNKNOWN);
    detect_addresses(world.detect, &set); /* another lease */
    after(FLOOR);
    answer(stun, "45.83.1.10");
    assert_reported(set, "45.83.1.10", "stun", NAT_NAT);
    tear_down();
}

static void a_path_without_an_address_is_not_asked_about(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    struct source *stun = world.sources[0];
    struct address_set set = home("192.168.1.5"), gone = home("");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    detect_addresses(world.detect, &gone);
    for (unsigned hour = 0; hour < 24; hour++) {
        after(60 * MINUTE);
        if (stun->open_len > 0) {
            answer(stun, "");
        }
    }
    assert_int_equal(stun->asked, 1);
    assert_true(detect_run(world.detect) == UINT64_MAX); /* nothing wakes the machine for it */
    tear_down();
}

/* A carrier's NAT keeps the record back: one question that nobody answered is no reason to publish. */
static void one_lost_answer_does_not_end_a_carriers_nat(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    answer(pcp, "100.64.3.4");
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT);
    after(72 * MINUTE);
    answer(pcp, "");
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT);
    answer(stun, "45.83.1.9");
    for (uint64_t waited = 0; waited < 120 * MINUTE; waited += MINUTE) {
        after(MINUTE);
        while (pcp->open_len > 0) {
            answer(pcp, "");
        }
        while (stun->open_len > 0) {
            answer(stun, "45.83.1.9");
        }
    }
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT); /* three polls later nobody knows any more */
    while (pcp->open_len == 0) {
        after(MINUTE);
    }
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    assert_reported(set, "45.83.1.9", "stun", NAT_DOUBLE);
    while (pcp->open_len == 0) {
        after(MINUTE);
    }
    answer(pcp, ""); /* as little does it end that one */
    assert_reported(set, "45.83.1.9", "stun", NAT_DOUBLE);
    tear_down();
}

static void waking_up_does_not_end_a_carriers_nat(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    answer(pcp, "100.64.3.4");
    after(FLOOR);
    detect_trigger(world.detect, DETECT_RESUMED);
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT); /* nobody was heard yet */
    answer(stun, "45.83.1.9");
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT); /* and it does not know */
    answer(pcp, "");
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT);
    after(FLOOR);
    answer(pcp, "45.83.1.9"); /* it is gone */
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    tear_down();
}

/* The router has a public address that is not what the internet sees: both are needed to know. */
static void a_carrier_that_hides_is_known_until_both_were_heard(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    answer(pcp, "62.1.2.3");
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT);
    for (unsigned heard = 0; heard < 2; heard++) {
        after(FLOOR);
        pcp->callbacks.announced(pcp->callbacks.context);
        after(0);
        answer(pcp, "62.1.2.3");
        assert_reported(set, "62.1.2.3", "pcp", NAT_CGNAT);
        answer(stun, heard == 0 ? "" : "62.1.2.3");
    }
    assert_reported(set, "62.1.2.3", "stun", NAT_NAT);
    tear_down();
}

/* A router whose clock is nonsense (of the wrong byte order, say) has restarted in every answer. */
static void a_router_that_always_restarts_is_not_asked_for_ever(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    for (unsigned i = 0; i < 360; i++) { /* an hour */
        after(FLOOR);
        while (stun->open_len > 0) {
            answer(stun, "45.83.1.9");
        }
        while (pcp->open_len > 0) {
            answer_with(pcp, &(struct source_answer){
                                 .status = SOURCE_ANSWER_ADDRESS, .ip = ip_of("45.83.1.9"), .restarted = true});
        }
    }
    assert_in_range(pcp->asked, 1, 3);
    assert_in_range(stun->asked, 3, 9);
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_makes_no_answer_younger),
        cmocka_unit_test(a_reload_loses_no_value),
        cmocka_unit_test(a_pause_outlives_a_reload),
        cmocka_unit_test(a_family_is_lost_without_the_source_interface),
        cmocka_unit_test(a_path_without_an_address_is_not_asked_about),
        cmocka_unit_test(one_lost_answer_does_not_end_a_carriers_nat),
        cmocka_unit_test(waking_up_does_not_end_a_carriers_nat),
        cmocka_unit_test(a_carrier_that_hides_is_known_until_both_were_heard),
        cmocka_unit_test(a_router_that_always_restarts_is_not_asked_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
