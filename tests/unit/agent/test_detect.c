/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/detect_rig.h"

/* Behind a NAT, with one question under way. */
static struct source *begin_with_stun(const struct address_set *set)
{
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    detect_addresses(world.detect, set);
    after(0);
    assert_int_equal(world.sources[0]->open_len, 1);
    return world.sources[0];
}

static void asks_nobody_by_default(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "observed"};
    set_up(types, 2, 1);
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    assert_true(detect_run(world.detect) == UINT64_MAX); /* at rest there is no timer at all */
    assert_reported(set, "192.168.1.5", "interface", NAT_UNKNOWN);
    detect_observed(world.detect, &(struct ip){.family = IP_V4, .bytes = {45, 83, 1, 9}}, "eth0");
    after(0);
    assert_reported(set, "192.168.1.5", "interface", NAT_UNKNOWN); /* who said it need not be told */
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "\"nat\":\"nat\",\"inbound\":\"unproven\""));
    assert_non_null(strstr(strbuf_str(&json), "\"state\":\"confirmed\""));
    assert_non_null(strstr(strbuf_str(&json), "\"value\":\"45.83.1.9\",\"source\":\"observed\""));
    strbuf_deinit(&json);
    set = home("45.83.1.9");
    detect_addresses(world.detect, &set);
    after(0);
    assert_reported(set, "45.83.1.9", "interface", NAT_PUBLIC);
    tear_down();
}

static void asks_when_a_path_appears_and_moves(void **state)
{
    (void)state;
    struct address_set set = home("192.168.1.5");
    struct source *stun = begin_with_stun(&set);
    assert_int_equal(stun->asked, 1);
    assert_string_equal(stun->open[0].uplink, "eth0");
    assert_int_equal(stun->open[0].timeout_ms, 3000);
    assert_int_equal(stun->open[0].gateway.bytes[3], 1);
    answer(stun, "45.83.1.9");
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    after(FLOOR);
    assert_int_equal(stun->asked, 1); /* nothing happened: nobody asks */
    set = home("192.168.7.5");        /* another network */
    detect_addresses(world.detect, &set);
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_UNKNOWN); /* stays until something new is known */
    answer(stun, "45.83.1.77");
    assert_reported(set, "45.83.1.77", "stun", NAT_NAT); /* at once: an event brought it */
    tear_down();
}

#define SPREAD (2 * SECOND)

/* When the first question of a device that starts goes out. */
static uint64_t first_question(void)
{
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    struct address_set set = home("45.83.1.9");
    detect_addresses(world.detect, &set);
    uint64_t next = detect_run(world.detect);
    uint64_t waits = world.sources[0]->asked == 0 ? next - world.now : 0;
    assert_reported(set, "45.83.1.9", "interface", NAT_PUBLIC); /* that waits for nobody */
    assert_in_range(waits, 0, SPREAD - 1);
    add_uplink(&set, "wwan0", "192.168.8.5", "", "192.168.8.1");
    after(waits);
    assert_int_equal(world.sources[0]->asked, 1);
    answer(world.sources[0], "45.83.1.9");
    world.now += 30 * SECOND; /* no longer the start */
    detect_addresses(world.detect, &set);
    after(0);
    assert_int_equal(world.sources[0]->asked, 2);
    assert_string_equal(world.sources[0]->open[0].uplink, "wwan0");
    tear_down();
    return waits;
}

static void spreads_the_first_question_at_the_start(void **state)
{
    (void)state;
    uint64_t least = SPREAD, most = 0;
    world.spread_ms = SPREAD;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t waits = first_question();
        least = MIN(least, waits);
        most = MAX(most, waits);
    }
    world.spread_ms = 0;
    assert_true(least < SPREAD / 4 && most > SPREAD - SPREAD / 4); /* but for one run in a million */
}

static void drops_the_answer_of_a_path_that_is_no_more(void **state)
{
    (void)state;
    struct address_set set = home("192.168.1.5");
    struct source *stun = begin_with_stun(&set);
    set = home("192.168.7.5");
    detect_addresses(world.detect, &set);
    after(100);
    answer(stun, "45.83.1.9"); /* asked from 192.168.1.5 */
    assert_reported(set, "192.168.7.5", "interface", NAT_UNKNOWN);
    assert_int_equal(stun->asked, 1);
    after(FLOOR); /* what was wanted meanwhile is asked when the floor allows it */
    assert_int_equal(stun->asked, 2);
    assert_int_equal(stun->open[0].local.bytes[2], 7);
    answer(stun, "45.83.1.10");
    assert_reported(set, "45.83.1.10", "stun", NAT_NAT);
    tear_down();
}

static void never_asks_below_the_floor(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    struct source *stun = world.sources[0];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    for (unsigned i = 0; i < 600; i++) { /* a minute of a connection that breaks ten times a second */
        detect_trigger(world.detect, i % 2 == 0 ? DETECT_CONNECTION_LOST : DETECT_CONNECTED);
        detect_trigger(world.detect, DETECT_REQUESTED);
        after(100);
        if (stun->open_len > 0) {
            answer(stun, "45.83.1.9");
        }
    }
    assert_in_range(stun->asked, 5, 7);
    tear_down();
}

static void confirms_what_only_a_poll_found(void **state)
{
    (void)state;
    struct address_set set = home("192.168.1.5");
    struct source *stun = begin_with_stun(&set);
    answer(stun, "45.83.1.9");
    uint64_t next = detect_run(world.detect);
    assert_in_range(next - world.now, 12 * MINUTE, 18 * MINUTE);
    after(next - world.now);
    assert_int_equal(stun->asked, 2);
    answer(stun, "45.83.1.10");
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    after(FLOOR); /* later than the confirmation */
    assert_reported(set, "45.83.1.10", "stun", NAT_NAT);
    assert_int_equal(stun->asked, 3); /* and it was looked at twice */
    tear_down();
}

static void failing_is_not_losing(void **state)
{
    (void)state;
    struct address_set set = home("192.168.1.5");
    struct source *stun = begin_with_stun(&set);
    answer(stun, "45.83.1.9");
    for (unsigned i = 0; i < 50; i++) { /* the server is down for hours */
        uint64_t next = detect_run(world.detect);
        assert_int_not_equal(next, UINT64_MAX);
        after(next - world.now);
        if (stun->open_len > 0) {
            answer(stun, "");
        }
    }
    assert_reported(set, "45.83.1.9", "stun", NAT_UNKNOWN);
    assert_true(stun->asked < 60);
    set = home(""); /* the interface has none: that is a loss */
    detect_addresses(world.detect, &set);
    after(0);
    after(0);
    assert_reported(set, "none", "none", NAT_UNKNOWN);
    tear_down();
}

static void asks_anew_after_a_suspend_and_an_announcement(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct source *stun = world.sources[0], *pcp = world.sources[1];
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    answer_with(
        pcp, &(struct source_answer){.status = SOURCE_ANSWER_ADDRESS, .ip = ip_of("45.83.1.9"), .port_control = true});
    assert_reported(set, "45.83.1.9", "stun", NAT_PORT_CONTROL);
    after(FLOOR);
    detect_trigger(world.detect, DETECT_RESUMED);
    after(0);
    assert_true(stun->asked == 2 && pcp->asked == 2);
    answer(stun, "45.83.1.9");
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_ADDRESS, .ip = ip_of("100.64.3.4")});
    assert_reported(set, "45.83.1.9", "stun", NAT_CGNAT); /* the provider put its NAT in */
    after(FLOOR);
    pcp->callbacks.announced(pcp->callbacks.context);
    after(0);
    assert_true(stun->asked == 3 && pcp->asked == 3);
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_ADDRESS, .ip = ip_of("45.83.1.11")});
    assert_reported(set, "45.83.1.11", "pcp", NAT_NAT);
    after(FLOOR);
    detect_trigger(world.detect, DETECT_RESUMED);
    after(0);
    answer(stun, "45.83.1.11");
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    assert_reported(set, "45.83.1.11", "stun", NAT_DOUBLE);
    after(FLOOR);
    assert_int_equal(pcp->open_len, 1); /* asked again soon: the router may have been starting */
    answer_with(
        pcp, &(struct source_answer){.status = SOURCE_ANSWER_ADDRESS, .ip = ip_of("45.83.1.11"), .port_control = true});
    assert_reported(set, "45.83.1.11", "stun", NAT_PORT_CONTROL);
    tear_down();
}

static void asks_each_uplink_by_itself(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    struct source *stun = world.sources[0];
    struct address_set set = {0};
    add_uplink(&set, "eth0", "192.168.1.5", "2a00:1450::5", "192.168.1.1");
    add_uplink(&set, "wwan0", "100.64.0.7", "", "");
    detect_addresses(world.detect, &set);
    after(0);
    assert_int_equal(stun->open_len, 3);
    while (stun->open_len > 0) {
        const char *seen = strcmp(stun->open[0].uplink, "wwan0") == 0 ? "62.1.2.3" : "45.83.1.9";
        answer(stun, stun->open[0].family == IP_V6 ? "2a00:1450::1234" : seen);
    }
    struct address_set merged = set;
    detect_merge(world.detect, &merged);
    assert_true(merged.ip4.ip.bytes[0] == 45 && merged.uplinks[1].seen4.bytes[0] == 62);
    assert_int_equal(merged.uplinks[1].nat, NAT_CGNAT);
    assert_true(ip_equal(&merged.ip6.ip, &set.ip6.ip)); /* a temporary address of the same link vouches for it */
    struct address_set failover = {0};                  /* eth0 is gone */
    add_uplink(&failover, "wwan0", "100.64.0.7", "", "");
    detect_addresses(world.detect, &failover);
    after(0);
    assert_reported(failover, "62.1.2.3", "stun", NAT_CGNAT); /* known already: nobody is asked */
    assert_int_equal(stun->open_len, 0);
    after(FLOOR);
    detect_addresses(world.detect, &set); /* back: what was seen before may lead elsewhere now */
    after(0);
    assert_int_equal(stun->open_len, 2);
    tear_down();
}

static void asks_by_the_name_that_the_kernel_knows(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    static const char one[] = "wl\xc3\xa4n", other[] = "wl\xc3\xb6n"; /* both are reported as wl??n */
    set_up(types, 2, 1);
    struct source *stun = world.sources[0];
    struct address_set set = {0};
    add_uplink(&set, one, "192.168.1.5", "", "192.168.1.1");
    add_uplink(&set, other, "192.168.2.5", "", "192.168.2.1");
    detect_addresses(world.detect, &set);
    after(0);
    assert_int_equal(stun->open_len, 2);
    while (stun->open_len > 0) {
        assert_true(strcmp(stun->open[0].uplink, one) == 0 || strcmp(stun->open[0].uplink, other) == 0);
        answer(stun, strcmp(stun->open[0].uplink, one) == 0 ? "45.83.1.9" : "62.1.2.3");
    }
    detect_observed(world.detect, &(struct ip){.family = IP_V4, .bytes = {62, 1, 2, 3}}, other);
    after(0);
    struct address_set merged = set;
    detect_merge(world.detect, &merged);
    assert_string_equal(merged.uplinks[0].name, "wl??n");
    assert_true(merged.uplinks[0].seen4.bytes[0] == 45 && merged.uplinks[1].seen4.bytes[0] == 62);
    tear_down();
}

static struct address_set two_uplinks(void)
{
    struct address_set set = {0};
    add_uplink(&set, "eth0", "192.168.1.5", "", "192.168.1.1");
    add_uplink(&set, "wwan0", "100.64.0.7", "", "");
    return set;
}

static void asks_what_a_person_says_about_the_first_uplink_or_the_named_ones(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "exec"};
    static const struct {
        const char *uplink, *first, *second;
    } cases[] = {{"", "eth0", NULL}, {"wwan*", "wwan0", NULL}, {"*", "eth0", "wwan0"}, {"ppp*", NULL, NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        world.uplink = cases[i].uplink;
        set_up(types, 2, 1);
        struct source *exec = world.sources[0];
        struct address_set set = two_uplinks();
        detect_addresses(world.detect, &set);
        after(0);
        assert_int_equal(exec->open_len, (cases[i].first != NULL) + (cases[i].second != NULL));
        if (cases[i].first != NULL) {
            assert_string_equal(exec->open[0].uplink, cases[i].first);
        }
        if (cases[i].second != NULL) {
            assert_string_equal(exec->open[1].uplink, cases[i].second);
        }
        tear_down();
    }
    world.uplink = "";
}

static void leaves_an_uplink_alone_that_is_not_named(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    world.uplink = "*";
    set_up(types, 2, 1);
    struct address_set set = two_uplinks();
    detect_addresses(world.detect, &set);
    after(0);
    answer(world.sources[0], "45.83.1.9");
    answer(world.sources[0], "62.1.2.3");
    struct detect *fresh = NULL;
    world.uplink = "wwan*"; /* a reload */
    assert_int_equal(make(types, 2, 1, &fresh), ERR_OK);
    world.uplink = "";
    detect_adopt(fresh, world.detect);
    detect_free(world.detect);
    world.detect = fresh;
    after(FLOOR);
    assert_int_equal(world.sources[1]->asked, 1);
    assert_string_equal(world.sources[1]->open[0].uplink, "wwan0");
    struct address_set merged = set;
    detect_merge(world.detect, &merged);
    assert_true(merged.uplinks[0].seen4.family == IP_NONE && merged.uplinks[1].seen4.family == IP_V4);
    tear_down();
}

static void bounds_what_is_open(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun", "pcp"};
    set_up(types, 3, 1);
    struct address_set set = {0};
    char name[] = "eth0";
    for (; set.uplinks_len < MQTT_UPLINKS_MAX; name[3]++) {
        add_uplink(&set, name, "192.168.1.5", "2a00:1450::5", "192.168.1.1");
    }
    detect_addresses(world.detect, &set);
    after(0);
    size_t asked = 0;
    while (world.sources[0]->open_len + world.sources[1]->open_len > 0) {
        assert_in_range(world.sources[0]->open_len + world.sources[1]->open_len, 1, DETECT_UNDER_WAY);
        assert_false(detect_is_idle(world.detect));
        answer(world.sources[world.sources[0]->open_len > 0 ? 0 : 1], "");
        asked++;
    }
    assert_int_equal(asked, 4 * MQTT_UPLINKS_MAX);
    tear_down();
}

static void shows_disagreement_and_keeps_the_value(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "observed", "stun"};
    set_up(types, 3, 2);
    struct source *stun = world.sources[0];
    struct address_set set = home("192.168.1.5");
    struct ip observed = ip_of("45.83.1.9");
    detect_addresses(world.detect, &set);
    after(0);
    answer(stun, "45.83.1.9");
    assert_reported(set, "192.168.1.5", "interface", NAT_NAT); /* one of two */
    detect_observed(world.detect, &observed, "");
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    observed = ip_of("62.1.2.3"); /* a proxy */
    detect_observed(world.detect, &observed, "");
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    json_t *root = NULL;
    assert_int_equal(json_parse(strbuf_view(&json), 65536, 8, &root, NULL), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "\"state\":\"disagree\""));
    assert_non_null(strstr(strbuf_str(&json), "\"why\":\"as the test says\""));
    json_decref(root);
    strbuf_deinit(&json);
    detect_observed(world.detect, &(struct ip){0}, ""); /* the connection broke: it no longer says anything */
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    tear_down();
}

static void lives_with_sources_that_cannot_be_asked(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "broken", "stun"};
    static const char *const left_out[] = {"upnp"}, *const unknown[] = {"magic"};
    struct detect *none = NULL;
    set_up(types, 3, 1);
    assert_int_equal(make(left_out, 1, 1, &none), ERR_UNSUPPORTED);
    assert_int_equal(make(unknown, 1, 1, &none), ERR_UNSUPPORTED);
    struct address_set set = home("192.168.1.5");
    world.ask_error = ERR_NOMEM;
    detect_addresses(world.detect, &set);
    after(0);
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "no such device"));
    assert_non_null(strstr(strbuf_str(&json), "cannot be asked now: out of memory"));
    strbuf_deinit(&json);
    world.ask_error = ERR_OK;
    after(FLOOR); /* tried again */
    answer(world.sources[0], "45.83.1.9");
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    tear_down();
}

static void lets_who_does_not_know_the_family_rest(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"};
    set_up(types, 2, 1);
    struct address_set set = home("192.168.1.5");
    world.ask_error = ERR_UNSUPPORTED;
    detect_addresses(world.detect, &set);
    after(0);
    after(0); /* what the failure changed is told */
    assert_true(detect_run(world.detect) == UINT64_MAX);
    struct strbuf json;
    strbuf_init(&json, 65536);
    assert_int_equal(detect_json(world.detect, &json), ERR_OK);
    assert_non_null(strstr(strbuf_str(&json), "knows nothing of IPv4"));
    strbuf_deinit(&json);
    world.ask_error = ERR_OK;
    after(60 * MINUTE);
    assert_int_equal(world.sources[0]->asked, 0);
    detect_trigger(world.detect, DETECT_RESUMED); /* an event may have brought what it takes */
    after(0);
    answer(world.sources[0], "45.83.1.9");
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    tear_down();
}

static void keeps_what_it_knows_through_a_reload(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "stun"}, *const more[] = {"pcp", "interface", "stun"};
    set_up(types, 2, 1);
    struct address_set set = home("192.168.1.5");
    detect_addresses(world.detect, &set);
    after(0);
    answer(world.sources[0], "45.83.1.9");
    world.now += SECOND;
    struct detect *fresh = NULL;
    assert_int_equal(make(more, 3, 1, &fresh), ERR_OK);
    detect_adopt(fresh, world.detect);
    detect_free(world.detect);
    world.detect = fresh;
    struct source *pcp = world.sources[1], *stun = world.sources[2];
    after(0);
    assert_reported(set, "45.83.1.9", "stun", NAT_NAT);
    assert_true(pcp->asked == 1 && stun->asked == 0); /* a reload is no way round the floor */
    after(FLOOR);
    assert_int_equal(stun->asked, 1);
    tear_down();
}

/* A connection that breaks and stands again may lead through another NAT: only the router knows, and only then. */
static void awaits_a_router_that_answers(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "pcp", "stun"};
    set_up(types, 3, 1);
    struct source *pcp = world.sources[0], *stun = world.sources[1];
    struct address_set set = home("192.168.1.5");
    assert_true(detect_awaits_router(world.detect)); /* no uplink yet */
    detect_addresses(world.detect, &set);
    after(0);
    assert_true(detect_awaits_router(world.detect)); /* nobody knows yet whether it is one that answers */
    answer(pcp, "45.83.1.9");
    answer(stun, "45.83.1.9");
    assert_false(detect_awaits_router(world.detect)); /* who looks from outside is not waited for */
    after(FLOOR);
    detect_trigger(world.detect, DETECT_CONNECTION_LOST);
    after(SECOND);
    assert_int_equal(stun->asked, 2);
    assert_int_equal(pcp->asked, 1); /* its address may change while nobody can be reached */
    answer(stun, "");
    detect_trigger(world.detect, DETECT_CONNECTED);
    assert_true(detect_awaits_router(world.detect));
    after(0);
    assert_int_equal(pcp->asked, 2);
    assert_true(detect_awaits_router(world.detect));
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    assert_false(detect_awaits_router(world.detect));
    assert_reported(set, "45.83.1.9", "pcp", NAT_DOUBLE);
    detect_trigger(world.detect, DETECT_ANNOUNCED);
    assert_reported(set, "45.83.1.9", "pcp", NAT_DOUBLE); /* until it has been asked */
    after(FLOOR);
    assert_int_equal(pcp->open_len, 1);
    assert_reported(set, "45.83.1.9", "pcp", NAT_DOUBLE);
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    assert_reported(set, "45.83.1.9", "pcp", NAT_DOUBLE);
    detect_trigger(world.detect, DETECT_ANNOUNCED);
    after(FLOOR);
    answer(pcp, ""); /* one answer that was lost opens no way in */
    assert_reported(set, "45.83.1.9", "pcp", NAT_DOUBLE);
    after(MINUTE);
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    after(FLOOR);
    detect_trigger(world.detect, DETECT_CONNECTED);
    assert_true(detect_awaits_router(world.detect)); /* it answers, after its fashion */
    after(0);
    answer(pcp, "");
    assert_false(detect_awaits_router(world.detect));
    after(FLOOR);
    detect_trigger(world.detect, DETECT_CONNECTED);
    after(0);
    assert_int_equal(pcp->open_len, 1);
    assert_false(detect_awaits_router(world.detect)); /* it was silent before */
    tear_down();
}

static void knows_a_connection_that_is_stranded(void **state)
{
    (void)state;
    static const char *const types[] = {"interface", "pcp"};
    static const struct ip none = {0};
    set_up(types, 2, 1);
    struct source *pcp = world.sources[0];
    struct address_set set = home("192.168.1.5");
    struct ip first = ip_of("45.83.1.9"), second = ip_of("45.83.1.77");
    detect_addresses(world.detect, &set);
    after(0);
    answer(pcp, "45.83.1.9");
    assert_int_equal(world.stranded + world.moved, 0); /* its first answer */
    detect_observed(world.detect, &first, "eth0");
    after(FLOOR);
    detect_trigger(world.detect, DETECT_ANNOUNCED);
    after(0);
    answer(pcp, "45.83.1.77");
    assert_int_equal(world.stranded, 1);
    detect_observed(world.detect, &none, "");
    detect_observed(world.detect, &second, "eth0");
    after(FLOOR);
    detect_trigger(world.detect, DETECT_REQUESTED);
    after(0);
    answer(pcp, ""); /* silence is no other address */
    assert_int_equal(world.stranded, 1);
    after(FLOOR);
    answer(pcp, "45.83.1.77");
    after(FLOOR);
    detect_trigger(world.detect, DETECT_REQUESTED);
    after(0);
    answer_with(pcp, &(struct source_answer){.status = SOURCE_ANSWER_FAILED, .no_outside = true});
    assert_int_equal(world.stranded, 2);
    detect_observed(world.detect, &none, "");
    after(FLOOR);
    answer(pcp, "45.83.1.78"); /* it had none: nothing moved away */
    assert_int_equal(world.moved, 0);
    after(FLOOR);
    detect_trigger(world.detect, DETECT_ANNOUNCED);
    after(0);
    answer(pcp, "45.83.1.79"); /* while there is no connection */
    assert_int_equal(world.moved, 1);
    after(FLOOR);
    detect_observed(world.detect, &first, "eth0"); /* a VPN's: the router's never was */
    detect_trigger(world.detect, DETECT_REQUESTED);
    after(0);
    answer(pcp, "45.83.1.80");
    assert_int_equal(world.stranded + world.moved, 3);
    tear_down();
}

static void is_nothing_when_there_is_none(void **state)
{
    (void)state;
    struct address_set set = home("192.168.1.5"), same = set;
    detect_addresses(NULL, &set);
    detect_observed(NULL, &set.ip4.ip, "eth0");
    detect_trigger(NULL, DETECT_CONNECTED);
    detect_merge(NULL, &same);
    assert_true(address_set_equal(&set, &same));
    assert_string_equal(detect_source(NULL, IP_V4), "none");
    detect_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_nobody_by_default),
        cmocka_unit_test(asks_when_a_path_appears_and_moves),
        cmocka_unit_test(spreads_the_first_question_at_the_start),
        cmocka_unit_test(drops_the_answer_of_a_path_that_is_no_more),
        cmocka_unit_test(never_asks_below_the_floor),
        cmocka_unit_test(confirms_what_only_a_poll_found),
        cmocka_unit_test(failing_is_not_losing),
        cmocka_unit_test(asks_anew_after_a_suspend_and_an_announcement),
        cmocka_unit_test(asks_each_uplink_by_itself),
        cmocka_unit_test(asks_by_the_name_that_the_kernel_knows),
        cmocka_unit_test(asks_what_a_person_says_about_the_first_uplink_or_the_named_ones),
        cmocka_unit_test(leaves_an_uplink_alone_that_is_not_named),
        cmocka_unit_test(bounds_what_is_open),
        cmocka_unit_test(shows_disagreement_and_keeps_the_value),
        cmocka_unit_test(lives_with_sources_that_cannot_be_asked),
        cmocka_unit_test(lets_who_does_not_know_the_family_rest),
        cmocka_unit_test(keeps_what_it_knows_through_a_reload),
        cmocka_unit_test(awaits_a_router_that_answers),
        cmocka_unit_test(knows_a_connection_that_is_stranded),
        cmocka_unit_test(is_nothing_when_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
