/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/present.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

static struct rrset_value value_of(const char *address)
{
    struct present present = {0};
    if (address != NULL) {
        present_add(&present, RRTYPE_A, view_of(address));
    }
    return present.value;
}

static void keeps_the_rules_of_shared_zones(void **state)
{
    (void)state;
    static const struct {
        const char *found, *have, *sent, *want; /* NULL = nothing; have "-": not known */
        bool unsure, adopt, allowed;
    } cases[] = {
        {NULL, "-", NULL, "192.0.2.1", false, false, true},                /* a first write into an empty place */
        {"192.0.2.9", "-", NULL, "192.0.2.1", false, false, false},        /* somebody else's */
        {"192.0.2.9", "-", NULL, "192.0.2.1", false, true, true},          /* taken over */
        {"192.0.2.8", "192.0.2.8", NULL, "192.0.2.1", false, false, true}, /* what we wrote last */
        {"192.0.2.9", "192.0.2.8", NULL, "192.0.2.1", false, false, false},
        {NULL, "192.0.2.8", NULL, "192.0.2.1", false, false, false}, /* ours was removed by somebody */
        {NULL, "192.0.2.8", "192.0.2.7", "192.0.2.1", true, false, true},
        {"192.0.2.7", "192.0.2.8", "192.0.2.7", "192.0.2.1", true, false, true}, /* what was sent arrived */
        {"192.0.2.8", "192.0.2.8", "192.0.2.7", "192.0.2.1", true, false, true}, /* it did not */
        {"192.0.2.1", "192.0.2.8", "192.0.2.7", "192.0.2.1", true, false, true},
        {"192.0.2.9", "192.0.2.8", "192.0.2.7", "192.0.2.1", true, false, false},
        {"192.0.2.8", "192.0.2.8", NULL, NULL, false, false, true}, /* removal of ours */
        {"192.0.2.9", "192.0.2.8", NULL, NULL, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool known = cases[i].have == NULL || cases[i].have[0] != '-';
        struct batch_item item = {.type = RRTYPE_A,
                                  .want = value_of(cases[i].want),
                                  .have_known = known,
                                  .have = value_of(known ? cases[i].have : NULL),
                                  .sent = value_of(cases[i].sent),
                                  .unsure = cases[i].unsure,
                                  .adopt = cases[i].adopt,
                                  .outcome = OUTCOME_UNKNOWN};
        struct present present = {.value = value_of(cases[i].found)};
        struct batch_item copy = item;
        assert_true(present_allows(ZONE_DEDICATED, &copy, &present));
        assert_int_equal(present_allows(ZONE_SHARED, &item, &present), cases[i].allowed);
        if (cases[i].allowed) {
            assert_int_equal(item.outcome, OUTCOME_UNKNOWN);
            assert_true(item.adopt || (!item.unsure && rrset_value_equal(&item.have, &present.value)));
        } else {
            assert_int_equal(item.outcome, OUTCOME_REFUSED);
            assert_string_equal(item.error, "foreign");
        }
    }
}

static void more_than_ours_is_foreign(void **state)
{
    (void)state;
    struct present present = {0};
    struct batch_item item = {.type = RRTYPE_A, .have_known = true, .have = value_of("192.0.2.8")};
    present_add(&present, RRTYPE_A, VIEW_LITERAL("192.0.2.8"));
    present_add(&present, RRTYPE_A, VIEW_LITERAL("192.0.2.8"));
    assert_true(present_allows(ZONE_SHARED, &item, &present)); /* the same one twice is one */
    present_add(&present, RRTYPE_A, VIEW_LITERAL("2001:db8::1"));
    assert_false(present_allows(ZONE_SHARED, &item, &present));
    present = (struct present){0};
    present_add(&present, RRTYPE_A, VIEW_LITERAL("elsewhere.example"));
    item.have = (struct rrset_value){0};
    assert_false(present_allows(ZONE_SHARED, &item, &present)); /* no address, and yet not empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_rules_of_shared_zones),
        cmocka_unit_test(more_than_ours_is_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
