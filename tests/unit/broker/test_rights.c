/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct rights of(enum role role, const char *name)
{
    struct rights rights;
    rights_init(&rights, role, view_of(name), 0x3f);
    return rights;
}

static void device_writes(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        bool plain, retained;
    } rows[] = {
        {"muster/v1/up/3f/cam/state", true, true},
        {"muster/v1/up/3f/cam/gone", true, true},
        {"muster/v1/up/3f/cam/config", true, false},
        {"muster/v1/up/3f/cam/rsp", true, false},
        {"muster/v1/up/3f/cam/csr", true, false},
        {"muster/v1/up/3f/cam/dns", false, false},
        {"muster/v1/up/3f/cam", false, false},
        {"muster/v1/up/3f/cam/state/", false, false},
        {"muster/v1/up/3f/cam/state/x", false, false},
        {"muster/v1/up/3f//state", false, false},
        {"muster/v1/up/3e/cam/state", false, false},
        {"muster/v1/up/3F/cam/state", false, false},
        {"muster/v1/up/3f/cam2/state", false, false},
        {"muster/v1/up/3f/ca/state", false, false},
        {"muster/v1/dn/3f/cam/dns", false, false},
        {"muster/v1/blob/" HEX64, false, false},
        {"muster/v1/bc/sync", false, false},
        {"muster/v1/coord/cam/tick", false, false},
        {"muster/v1/", false, false},
        {"muster/v1", false, false},
        {"up/3f/cam/state", false, false},
        {"/muster/v1/up/3f/cam/state", false, false},
        {"", false, false},
        {"$SYS/broker/x", false, false},
    };
    struct rights rights = of(ROLE_DEVICE, "cam");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(rights_may_write(&rights, view_of(rows[i].topic), false, 10), rows[i].plain);
        assert_int_equal(rights_may_write(&rights, view_of(rows[i].topic), true, 10), rows[i].retained);
    }
    assert_true(rights_may_write(&rights, view_of("muster/v1/up/3f/cam/state"), true, RIGHTS_UP_PAYLOAD_MAX));
    assert_false(rights_may_write(&rights, view_of("muster/v1/up/3f/cam/state"), true, RIGHTS_UP_PAYLOAD_MAX + 1));
}

/* A will passes no hook: on `state` it could carry a stamp that somebody has read there. */
static void wills(void **state)
{
    (void)state;
    static const struct {
        enum role role;
        const char *name, *topic;
        bool granted;
    } rows[] = {
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam/gone", true},
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam/state", false},
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam/config", false},
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam/rsp", false},
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam/csr", false},
        {ROLE_DEVICE, "cam", "muster/v1/up/3f/cam2/gone", false},
        {ROLE_COORD, "svc-coord1", "muster/v1/coord/svc-coord1/state", true},
        {ROLE_COORD, "svc-coord1", "muster/v1/coord/svc-coord2/state", false},
        {ROLE_COORD, "svc-coord1", "muster/v1/dn/3f/cam/dns", false},
        {ROLE_COORD, "svc-coord1", "muster/v1/fleet/summary", false},
        {ROLE_SIGNER, "svc-signer", "muster/v1/bc/keys", false},
        {ROLE_SWARM, "swarm", "muster/v1/up/3f/cam/gone", true},
        {ROLE_SWARM, "swarm", "muster/v1/up/3f/cam/state", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rights rights = of(rows[i].role, rows[i].name);
        rights.left = true;
        assert_int_equal(rights_may_write(&rights, view_of(rows[i].topic), false, 10), rows[i].granted);
        assert_int_equal(rights_may_write(&rights, view_of(rows[i].topic), true, 10), rows[i].granted);
    }
}

static void device_subscriptions(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool granted;
    } rows[] = {
        {"muster/v1/dn/3f/cam/#", true},
        {"muster/v1/dn/3f/cam/dns", true},
        {"muster/v1/dn/3f/cam/+", true},
        {"muster/v1/bc/#", true},
        {"muster/v1/bc/sync", true},
        {"muster/v1/blob/" HEX64, true},
        {"muster/v1/blob/+", false},
        {"muster/v1/blob/#", false},
        {"muster/v1/blob/" HEX64 "/x", false},
        {"#", false},
        {"+/v1/dn/3f/cam/#", false},
        {"muster/v1/#", false},
        {"muster/v1/dn/#", false},
        {"muster/v1/dn/+/cam/#", false},
        {"muster/v1/dn/3f/+/dns", false},
        {"muster/v1/dn/3f/#", false},
        {"muster/v1/dn/3f/cam", false},
        {"muster/v1/+/3f/cam/#", false},
        {"muster/v1/up/3f/cam/#", false},
        {"muster/v1/dn/3e/cam/#", false},
        {"muster/v1/dn/3f/cam2/#", false},
        {"$SYS/broker/#", false},
        {"$share/g/muster/v1/bc/#", false},
        {"muster/v1/fleet/#", false},
    };
    struct rights rights = of(ROLE_DEVICE, "cam");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(rights_may_subscribe(&rights, view_of(rows[i].filter)), rows[i].granted);
    }
}

static void services(void **state)
{
    (void)state;
    struct rights coord = of(ROLE_COORD, "svc-coord1");
    assert_true(rights_may_subscribe(&coord, view_of("muster/v1/up/3f/#")));
    assert_true(rights_may_subscribe(&coord, view_of("muster/v1/up/#")));
    assert_true(rights_may_subscribe(&coord, view_of("$SYS/broker/uptime")));
    assert_false(rights_may_subscribe(&coord, view_of("$SYS/#")));
    assert_false(rights_may_subscribe(&coord, view_of("muster/v1/#")));
    assert_false(rights_may_subscribe(&coord, view_of("$share/g/muster/v1/up/#")));
    assert_true(rights_may_write(&coord, view_of("muster/v1/dn/00/cam/dns"), true, 100000));
    assert_true(rights_may_write(&coord, view_of("muster/v1/coord/svc-coord1/tick"), false, 0));
    assert_false(rights_may_write(&coord, view_of("muster/v1/coord/svc-coord2/state"), false, 0));
    assert_false(rights_may_write(&coord, view_of("muster/v1/up/3f/cam/state"), false, 0));
    assert_false(rights_may_write(&coord, view_of("muster/v1/dn/00/cam/cert"), false, 0));
    struct rights viewer = of(ROLE_VIEWER, "svc-viewer");
    assert_true(rights_may_read(&viewer, view_of("muster/v1/up/3f/cam/state")));
    assert_false(rights_may_write(&viewer, view_of("muster/v1/fleet/summary"), false, 0));
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("svc-coord")), ROLE_COORD);
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("svc-viewer-3")), ROLE_VIEWER);
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("svc-other")), ROLE_NONE);
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("xsvc-coord")), ROLE_NONE);
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("cam")), ROLE_NONE);
}

#define CID "00112233445566778899aabbccddeeff"

static void provisioning(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        bool claim_writes, claim_reads, enroller_writes, enroller_reads;
    } rows[] = {
        {"muster/v1/prov/claim-b1/" CID "/req", true, false, false, true},
        {"muster/v1/prov/claim-b1/" CID "/rsp", false, true, true, false},
        {"muster/v1/prov/claim-b2/" CID "/req", false, false, false, true},
        {"muster/v1/prov/claim-b2/" CID "/rsp", false, false, true, false},
        {"muster/v1/prov/claim-b1/10112233445566778899aabbccddeeff/req", false, false, false, true},
        {"muster/v1/prov/claim-b1/10112233445566778899aabbccddeeff/rsp", false, false, true, false},
        {"muster/v1/prov/claim-b1/+/rsp", false, false, true, false}, /* mosquitto lets nobody publish to a wildcard */
        {"muster/v1/prov/+/+/req", false, false, false, true},
        {"muster/v1/prov/#", false, false, false, false},
        {"muster/v1/prov/claim-b1/" CID "/#", false, false, false, false},
        {"muster/v1/up/3f/claim-b1/state", false, false, false, false},
        {"muster/v1/dn/3f/claim-b1/#", false, false, false, false},
        {"muster/v1/bc/#", false, false, false, false},
        {"$CONTROL/muster/v1", false, false, true, false},
        {"#", false, false, false, false},
    };
    struct rights claim = of(ROLE_CLAIM, "claim-b1");
    struct rights enroller = of(ROLE_ENROLLER, "svc-prov");
    rights_set_attempt(&claim, view_of(CID));
    rights_set_attempt(&enroller, view_of(CID));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view topic = view_of(rows[i].topic);
        assert_int_equal(rights_may_write(&claim, topic, false, 10), rows[i].claim_writes);
        assert_int_equal(rights_may_subscribe(&claim, topic), rows[i].claim_reads);
        assert_int_equal(rights_may_write(&enroller, topic, false, 10), rows[i].enroller_writes);
        assert_int_equal(rights_may_subscribe(&enroller, topic), rows[i].enroller_reads);
        assert_false(rights_may_write(&claim, topic, true, 10));
        assert_false(rights_may_write(&enroller, topic, true, 10));
    }
    struct view req = view_of("muster/v1/prov/claim-b1/" CID "/req");
    assert_true(rights_may_write(&claim, req, false, RIGHTS_UP_PAYLOAD_MAX));
    assert_false(rights_may_write(&claim, req, false, RIGHTS_UP_PAYLOAD_MAX + 1));
    claim.left = true;
    assert_false(rights_may_write(&claim, req, false, 10));
    assert_int_equal(rights_service_role(BROKER_PROV, view_of("svc-prov-2")), ROLE_ENROLLER);
    assert_int_equal(rights_service_role(BROKER_PROV, view_of("svc-coord")), ROLE_NONE);
    assert_int_equal(rights_service_role(BROKER_CORE, view_of("svc-prov")), ROLE_PROV);
}

/* A client id that can be guessed can be pushed out. */
static void client_ids_of_attempts(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "svc-prov",
                                      "00112233445566778899aabbccddeef",
                                      CID "0",
                                      "00112233445566778899AABBCCDDEEFF",
                                      "0011223344556677/899aabbccddeeff"};
    assert_true(rights_attempt_valid(view_of(CID)));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rights rights = of(ROLE_ENROLLER, "svc-prov");
        rights_set_attempt(&rights, view_of(bad[i]));
        assert_int_equal(rights.role, ROLE_NONE);
        assert_false(rights_may_subscribe(&rights, view_of("muster/v1/prov/+/+/req")));
    }
}

static void names_and_roles_without_rights(void **state)
{
    (void)state;
    static const char *const bad[] = {"",  "Cam", "cam.1", "cam+",
                                      "#", "a/b", "cam\n", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(rights_name_valid(view_of(bad[i])));
        struct rights rights = of(ROLE_COORD, bad[i]);
        assert_int_equal(rights.role, ROLE_NONE);
        assert_false(rights_may_read(&rights, view_of("muster/v1/up/3f/cam/state")));
    }
    assert_false(rights_name_valid(view_n("ca\0m", 4)));
    assert_true(rights_name_valid(view_of("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd")));
    struct rights none = of(ROLE_NONE, "cam");
    assert_false(rights_may_write(&none, view_of("muster/v1/up/3f/cam/state"), false, 0));
    assert_false(rights_may_subscribe(&none, view_of("muster/v1/bc/#")));
    struct rights fleet = of(ROLE_WATCH_FLEET, "ignored");
    assert_true(rights_may_subscribe(&fleet, view_of("muster/v1/fleet/#")));
    assert_false(rights_may_subscribe(&fleet, view_of("muster/v1/up/#")));
    struct rights all = of(ROLE_WATCH_ALL, "ignored");
    assert_true(rights_may_subscribe(&all, view_of("muster/v1/up/#")));
    assert_false(rights_may_write(&all, view_of("muster/v1/fleet/feed"), false, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_writes),
        cmocka_unit_test(wills),
        cmocka_unit_test(device_subscriptions),
        cmocka_unit_test(services),
        cmocka_unit_test(provisioning),
        cmocka_unit_test(client_ids_of_attempts),
        cmocka_unit_test(names_and_roles_without_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
