/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* SHA-256("cam-0001") starts with 62, SHA-256("a") with ca (sha256sum). */
#define CAM    "cam-0001"
#define CAM_SH "62"
#define ID_40  "a123456789b123456789c123456789d123456789"
#define ID_41  ID_40 "x"

static void ids_have_a_closed_alphabet(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool valid;
    } cases[] = {
        {CAM, true},     {"a", true},      {"-", true},      {"0", true},         {ID_40, true},
        {ID_41, false},  {"", false},      {"A", false},     {"a_b", false},      {"a.b", false},
        {"a/b", false},  {"a+", false},    {"#", false},     {"a b", false},      {"svc", true},
        {"svc-", false}, {"svc-x", false}, {"xsvc-1", true}, {"\xc3\xa4", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(device_id_valid(view_of(cases[i].id)), cases[i].valid);
    }
    assert_false(device_id_valid(view_n("a\0b", 3)));
}

static void every_kind_survives_build_and_parse(void **state)
{
    (void)state;
    for (int kind = TOPIC_UP_STATE; kind <= TOPIC_FLEET_FEED; kind++) {
        struct view id = view_of(CAM);
        if (kind >= TOPIC_COORD_STATE && kind <= TOPIC_COORD_SUSPECT) {
            id = view_of("svc-coord-1");
        } else if (kind == TOPIC_BC_SYNC || kind == TOPIC_BC_KEYS || kind >= TOPIC_FLEET_SUMMARY) {
            id = view_of("");
        }
        char text[TOPIC_SIZE];
        assert_int_equal(topic_build((enum topic_kind)kind, id, text), ERR_OK);
        struct topic topic;
        assert_int_equal(topic_parse(view_of(text), &topic), ERR_OK);
        assert_int_equal(topic.kind, kind);
        assert_true(view_equal(topic.id, id));
        if (id.len != 0) {
            assert_int_equal(topic.shard, topic_shard(id));
        }
    }
}

static void texts_are_those_of_the_contract(void **state)
{
    (void)state;
    char text[TOPIC_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_STATE, view_of(CAM), text), ERR_OK);
    assert_string_equal(text, "muster/v1/up/" CAM_SH "/" CAM "/state");
    assert_int_equal(topic_build(TOPIC_DN_DNS, view_of("a"), text), ERR_OK);
    assert_string_equal(text, "muster/v1/dn/ca/a/dns");
    assert_int_equal(topic_build(TOPIC_COORD_STATE, view_of("svc-c1"), text), ERR_OK);
    assert_string_equal(text, "muster/v1/coord/svc-c1/state");
    assert_int_equal(topic_build(TOPIC_BC_SYNC, view_of(""), text), ERR_OK);
    assert_string_equal(text, "muster/v1/bc/sync");
    assert_int_equal(topic_build(TOPIC_SEEN, view_of(CAM), text), ERR_OK);
    assert_string_equal(text, "muster/v1/seen/" CAM_SH "/" CAM);
    assert_int_equal(topic_build(TOPIC_REG, view_of("a"), text), ERR_OK);
    assert_string_equal(text, "muster/v1/reg/ca/a");
    assert_int_equal(topic_build(TOPIC_COORD_REG_DONE, view_of("svc-c1"), text), ERR_OK);
    assert_string_equal(text, "muster/v1/coord/svc-c1/reg-done");
    topic_shard_filter(0x0f, text);
    assert_string_equal(text, "muster/v1/up/0f/#");
    assert_int_equal(topic_device_filter(view_of(CAM), text), ERR_OK);
    assert_string_equal(text, "muster/v1/dn/" CAM_SH "/" CAM "/#");
    assert_int_equal(topic_device_filter(view_of("+"), text), ERR_INVALID);
}

static void the_longest_topic_fits(void **state)
{
    (void)state;
    char text[TOPIC_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_CONFIG, view_of(ID_40), text), ERR_OK);
    assert_true(strlen(text) < 90);
    assert_int_equal(topic_build(TOPIC_UP_CONFIG, view_of(ID_41), text), ERR_INVALID);
}

static void ids_that_a_kind_does_not_allow_build_nothing(void **state)
{
    (void)state;
    char text[TOPIC_SIZE];
    assert_int_equal(topic_build(TOPIC_UP_STATE, view_of("svc-x"), text), ERR_INVALID);
    assert_int_equal(topic_build(TOPIC_UP_STATE, view_of(""), text), ERR_INVALID);
    assert_int_equal(topic_build(TOPIC_BC_SYNC, view_of(CAM), text), ERR_INVALID);
    assert_int_equal(topic_build(TOPIC_COORD_STATE, view_of(CAM), text), ERR_INVALID);
    assert_int_equal(topic_build((enum topic_kind)99, view_of(CAM), text), ERR_INVALID);
}

static void foreign_and_broken_topics_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", ERR_PARSE},
        {"muster/v1", ERR_PARSE},
        {"muster/v1/", ERR_PARSE},
        {"/muster/v1/up/" CAM_SH "/" CAM "/state", ERR_PARSE},
        {"muster/v2/up/" CAM_SH "/" CAM "/state", ERR_PARSE},
        {"muster/v1/up/" CAM_SH "/" CAM, ERR_PARSE},
        {"muster/v1/up/" CAM_SH "/" CAM "/", ERR_PARSE},
        {"muster/v1/up/" CAM_SH "/" CAM "/states", ERR_PARSE},
        {"muster/v1/up/" CAM_SH "/" CAM "/state/", ERR_PARSE},
        {"muster/v1/up/" CAM_SH "/" CAM "/dns", ERR_PARSE},
        {"muster/v1/dn/" CAM_SH "/" CAM "/state", ERR_PARSE},
        {"muster/v1/up/7/" CAM "/state", ERR_PARSE},
        {"muster/v1/up/062/" CAM "/state", ERR_PARSE},
        {"muster/v1/up/CA/a/state", ERR_PARSE},
        {"muster/v1/up/zz/a/state", ERR_PARSE},
        {"muster/v1/up/73/" CAM "/state", ERR_INVALID},
        {"muster/v1/up/" CAM_SH "/CAM-0001/state", ERR_INVALID},
        {"muster/v1/up/" CAM_SH "//state", ERR_INVALID},
        {"muster/v1/up/00/" ID_41 "/state", ERR_INVALID},
        {"muster/v1/up/00/svc-a/state", ERR_INVALID},
        {"muster/v1/coord/" CAM "/state", ERR_INVALID},
        {"muster/v1/coord/svc-/state", ERR_INVALID},
        {"muster/v1/coord/svc-a/", ERR_PARSE},
        {"muster/v1/seen/" CAM_SH "/" CAM "/", ERR_INVALID},
        {"muster/v1/seen/" CAM_SH "/" CAM "/state", ERR_INVALID},
        {"muster/v1/seen/" CAM_SH, ERR_PARSE},
        {"muster/v1/seen", ERR_PARSE},
        {"muster/v1/reg/73/" CAM, ERR_INVALID},
        {"muster/v1/reg/" CAM_SH "/", ERR_INVALID},
        {"muster/v1/bc/syncs", ERR_PARSE},
        {"muster/v1/fleet", ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct topic topic;
        assert_int_equal(topic_parse(view_of(cases[i].text), &topic), cases[i].err);
    }
    char longer[MQTT_TOPIC_MAX + 1];
    memset(longer, 'a', sizeof(longer));
    struct topic topic;
    assert_int_equal(topic_parse(view_n(longer, sizeof(longer)), &topic), ERR_LIMIT);
    assert_int_equal(topic_parse(view_n(longer, sizeof(longer) - 1), &topic), ERR_PARSE);
}

static void the_unchecked_parse_hands_out_the_shard_that_the_text_names(void **state)
{
    (void)state;
    struct topic topic;
    assert_int_equal(topic_parse_unchecked(view_of("muster/v1/up/9f/" CAM "/gone"), &topic), ERR_OK);
    assert_int_equal(topic.kind, TOPIC_UP_GONE);
    assert_int_equal(topic.shard, 0x9f);
    assert_int_not_equal(topic.shard, topic_shard(topic.id));
}

#define CID "0123456789abcdef0123456789abcdef"

static void topics_of_provisioning(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"muster/v1/prov/claim-b1/" CID "/req", ERR_OK},
        {"muster/v1/prov/claim-b1/" CID "/rsp", ERR_OK},
        {"muster/v1/prov/" ID_40 "/" CID "/req", ERR_OK},
        {"muster/v1/prov/claim-b1/" CID "/", ERR_PARSE},
        {"muster/v1/prov/claim-b1/" CID, ERR_PARSE},
        {"muster/v1/prov/claim-b1/" CID "/req/", ERR_PARSE},
        {"muster/v1/prov/claim-b1", ERR_PARSE},
        {"muster/v1/prov/", ERR_PARSE},
        {"muster/v2/prov/claim-b1/" CID "/req", ERR_PARSE},
        {"muster/v1/prov//" CID "/req", ERR_INVALID},
        {"muster/v1/prov/" ID_41 "/" CID "/req", ERR_INVALID},
        {"muster/v1/prov/svc-prov/" CID "/req", ERR_INVALID},
        {"muster/v1/prov/claim-b1/" CID "0/req", ERR_INVALID},
        {"muster/v1/prov/claim-b1/0123456789ABCDEF0123456789abcdef/req", ERR_INVALID},
        {"muster/v1/prov/claim-b1//req", ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prov_topic topic;
        char text[TOPIC_SIZE];
        assert_int_equal(prov_topic_parse(view_of(cases[i].text), &topic), cases[i].err);
        if (cases[i].err == ERR_OK) {
            assert_int_equal(prov_topic_build(&topic, text), ERR_OK);
            assert_string_equal(text, cases[i].text);
        }
    }
    const struct prov_topic bad = {.claim = view_of("svc-prov"), .cid = view_of(CID)};
    char text[TOPIC_SIZE];
    assert_int_equal(prov_topic_build(&bad, text), ERR_INVALID);
    char longer[MQTT_TOPIC_MAX + 1];
    memset(longer, 'a', sizeof(longer));
    struct prov_topic topic;
    assert_int_equal(prov_topic_parse(view_n(longer, sizeof(longer)), &topic), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_a_closed_alphabet),
        cmocka_unit_test(every_kind_survives_build_and_parse),
        cmocka_unit_test(texts_are_those_of_the_contract),
        cmocka_unit_test(the_longest_topic_fits),
        cmocka_unit_test(ids_that_a_kind_does_not_allow_build_nothing),
        cmocka_unit_test(foreign_and_broken_topics_are_refused),
        cmocka_unit_test(topics_of_provisioning),
        cmocka_unit_test(the_unchecked_parse_hands_out_the_shard_that_the_text_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
