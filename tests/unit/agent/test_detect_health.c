/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are alive, as the shell finds out: agent/detect/detect_health.c. */
#include "tests/lib/detect_rig.h"

static struct address_set two_uplinks(void)
{
    struct address_set set = {0};
    add_uplink(&set, "eth0", "45.83.1.9", "", "45.83.0.1");
    add_uplink(&set, "wwan0", "62.1.2.3", "", "62.1.0.1");
    return set;
}

/* Every open question of the source is answered, but for those along @p dead. */
static void answer_all(struct source *source, const char *dead)
{
    while (source->open_len > 0) {
        bool first = strcmp(source->open[0].uplink, "eth0") == 0;
        bool silent = strstr(dead, source->open[0].uplink) != NULL;
        answer(source, silent ? "" : first ? "45.83.1.9" : "62.1.2.3");
    }
}

static enum alive told(const char *uplink)
{
    struct address_set set = two_uplinks();
    detect_merge(world.detect, &set);
    return set.uplinks[strcmp(uplink, "eth0") == 0 ? 0 : 1].alive4;
}

/* Time passes to each moment at which something is due, while nothing answers along @p dead. */
static void live(uint64_t ms, const char *dead)
{
    uint64_t end = world.now + ms;
    answer_all(world.sources[0], dead);
    while (detect_run(world.detect) <= end) {
        uint64_t next = detect_run(world.detect);
        after(next > world.now ? next - world.now : 0);
        answer_all(world.sources[0], dead);
    }
    world.now = end;
}

static void start_with_two(const char *const *types, size_t len)
{
    set_up(types, len, 1);
    struct address_set set = two_uplinks();
    detect_addresses(world.detect, &set);
    after(0);
    answer_all(world.sources[0], "");
    assert_true(told("eth0") == ALIVE_YES && told("wwan0") == ALIVE_YES);
}

static void a_path_dies_where_another_answers(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    start_with_two(types, 2);
    live(19 * MINUTE, ""); /* the next poll, at most */
    live(18 * MINUTE + 2 * FLOOR + 6 * SECOND, "eth0");
    assert_true(told("eth0") == ALIVE_NO && told("wwan0") == ALIVE_YES);
    assert_true(world.changes > 0);
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "\"health\":\"dead\""));
    strbuf_deinit(&json);
    live(19 * MINUTE, ""); /* back: asked by the same poll, and once more */
    assert_true(told("eth0") == ALIVE_YES);
    tear_down();
}

static void a_server_that_answers_nobody_kills_no_path(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    start_with_two(types, 2);
    live(300 * MINUTE, "eth0 wwan0");
    assert_true(told("eth0") == ALIVE_YES && told("wwan0") == ALIVE_YES);
    for (unsigned i = 0; i < 40; i++) { /* it comes back, is asked along one path first, and is down again soon */
        for (size_t asked = world.sources[0]->asked; world.sources[0]->asked == asked;) {
            live(SECOND, "");
        }
        live(2 * FLOOR, "");
        assert_true(told("eth0") == ALIVE_YES && told("wwan0") == ALIVE_YES);
        live(40 * MINUTE, "eth0 wwan0");
        assert_true(told("eth0") == ALIVE_YES && told("wwan0") == ALIVE_YES);
    }
    tear_down();
}

static void the_connection_speaks_for_its_path(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "observed", "stun"};
    start_with_two(types, 3);
    detect_carries(world.detect, "eth0", IP_V4);
    assert_false(detect_doubts_carrier(world.detect));
    live(60 * MINUTE, "eth0");
    assert_true(told("eth0") == ALIVE_YES && detect_doubts_carrier(world.detect));
    assert_false(detect_doubts(world.detect, "eth0") || detect_doubts(world.detect, "wwan0"));
    detect_carries(world.detect, "wwan0", IP_V4);
    after(0);
    assert_true(told("eth0") == ALIVE_NO && !detect_doubts_carrier(world.detect));
    assert_false(detect_doubts(world.detect, "eth0")); /* that is known, and told */
    detect_carries(world.detect, "eth0", IP_V4);       /* it stands again: so does the path, when that lasts */
    after(0);
    assert_true(told("eth0") == ALIVE_NO);
    after(6 * SECOND);
    assert_true(told("eth0") == ALIVE_YES);
    tear_down();
}

static void a_doubt_is_enough_to_leave_by_another_path(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    start_with_two(types, 2);
    assert_false(detect_doubts(world.detect, "eth0"));
    after(FLOOR);
    detect_trigger(world.detect, DETECT_CONNECTION_LOST);
    after(SECOND);
    answer_all(world.sources[0], "eth0");
    assert_true(told("eth0") == ALIVE_YES && detect_doubts(world.detect, "eth0"));
    assert_false(detect_doubts(world.detect, "wwan0") || detect_doubts(world.detect, "ppp0"));
    assert_false(detect_doubts(NULL, "eth0"));
    live(FLOOR + SECOND, "");
    assert_false(detect_doubts(world.detect, "eth0"));
    tear_down();
}

static void nothing_is_told_of_the_only_path_nor_without_a_question(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"}, *const silent[] = {"interface", "observed"};
    set_up(types, 2, 1);
    struct address_set set = home("45.83.1.9");
    detect_addresses(world.detect, &set);
    after(0);
    answer(world.sources[0], "45.83.1.9");
    detect_merge(world.detect, &set);
    assert_int_equal(set.uplinks[0].alive4, ALIVE_UNKNOWN);
    tear_down();
    set_up(silent, 2, 1);
    set = two_uplinks();
    detect_addresses(world.detect, &set);
    detect_carries(world.detect, "eth0", IP_V4);
    detect_observed(world.detect, &set.ip4.ip, "eth0");
    after(0);
    assert_int_equal(told("eth0"), ALIVE_UNKNOWN);
    assert_true(detect_run(world.detect) == UINT64_MAX); /* and it still costs nothing at rest */
    tear_down();
}

static void a_dead_path_stays_dead_through_a_reload(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    start_with_two(types, 2);
    live(60 * MINUTE, "eth0");
    assert_int_equal(told("eth0"), ALIVE_NO);
    struct detect *fresh = NULL;
    assert_int_equal(make(types, 2, 1, &fresh), ERR_OK);
    detect_adopt(fresh, world.detect);
    detect_free(world.detect);
    world.detect = fresh;
    world.sources[0] = world.sources[1];
    after(0);
    assert_int_equal(told("eth0"), ALIVE_NO);
    live(60 * MINUTE, "");
    assert_int_equal(told("eth0"), ALIVE_YES);
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_dies_where_another_answers),
        cmocka_unit_test(a_server_that_answers_nobody_kills_no_path),
        cmocka_unit_test(the_connection_speaks_for_its_path),
        cmocka_unit_test(a_doubt_is_enough_to_leave_by_another_path),
        cmocka_unit_test(nothing_is_told_of_the_only_path_nor_without_a_question),
        cmocka_unit_test(a_dead_path_stays_dead_through_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
