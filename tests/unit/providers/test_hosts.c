/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "providers/hosts.h"

static void a_stop_is_of_one_type_or_of_both(void **state)
{
    (void)state;
    static struct hosts hosts;
    const char *detail = NULL;
    assert_int_equal(hosts_stop(&hosts, "a.example", RRTYPE_A, false, "!donator", "no plan"), ERR_OK);
    assert_int_equal(hosts_stop(&hosts, "b.example", RRTYPE_AAAA, true, "abuse", "blocked"), ERR_OK);
    assert_string_equal(hosts_stopped(&hosts, "a.example", RRTYPE_A, &detail), "!donator");
    assert_string_equal(detail, "no plan");
    assert_null(hosts_stopped(&hosts, "a.example", RRTYPE_AAAA, &detail));
    assert_string_equal(hosts_stopped(&hosts, "b.example", RRTYPE_A, &detail), "abuse");
    assert_string_equal(hosts_stopped(&hosts, "b.example", RRTYPE_AAAA, &detail), "abuse");
    assert_null(hosts_stopped(&hosts, "c.example", RRTYPE_A, &detail));
    assert_int_equal(hosts_clear(&hosts, "b.example", 0), 2);
    assert_null(hosts_stopped(&hosts, "b.example", RRTYPE_A, &detail));
    assert_int_equal(hosts_clear(&hosts, NULL, 0), 1);
    assert_int_equal(hosts_clear(&hosts, NULL, 0), 0);
    hosts_deinit(&hosts);
}

static void only_the_same_code_soon_after_makes_a_row(void **state)
{
    (void)state;
    static struct hosts hosts;
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "nochg", 1000), 1);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_AAAA, "nochg", 1000), 1);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "nochg", 2000), 2);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "dnserr", 3000), 1);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "dnserr", 3000 + HOSTS_ROW_MS), 1);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "dnserr", 3001 + HOSTS_ROW_MS), 2);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, NULL, 3002 + HOSTS_ROW_MS), 0);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "dnserr", 3003 + HOSTS_ROW_MS), 1);
    hosts_deinit(&hosts);
}

static void a_name_waits_for_its_own_rate_alone(void **state)
{
    (void)state;
    static struct hosts hosts = {.rate = {.units = 3, .period_ms = 1000}};
    for (uint64_t now = 100; now <= 102; now++) {
        assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, now), 0);
        hosts_wrote(&hosts, "a.example", RRTYPE_A, now);
    }
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, 103), 1100);
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_AAAA, 103), 0);
    assert_int_equal(hosts_ready_ms(&hosts, "b.example", RRTYPE_A, 103), 0);
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, 1100), 0);
    hosts_wrote(&hosts, "a.example", RRTYPE_A, 1100);
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, 1100), 1101);
    for (uint64_t now = 2000; now < 2000 + 5 * HOSTS_RATE_MAX * 1000; now += 1000) { /* the ring goes round */
        assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, now + 500), 0);
        hosts_wrote(&hosts, "a.example", RRTYPE_A, now + 500);
    }
    hosts_deinit(&hosts);
}

static void who_clears_a_stop_does_not_raise_a_rate(void **state)
{
    (void)state;
    static struct hosts hosts = {.rate = {.units = 1, .period_ms = 1000}};
    const char *detail = NULL;
    hosts_wrote(&hosts, "a.example", RRTYPE_A, 100);
    assert_int_equal(hosts_stop(&hosts, "a.example", RRTYPE_A, false, "nohost", "create it"), ERR_OK);
    assert_int_equal(hosts_clear(&hosts, "a.example", 200), 1);
    assert_null(hosts_stopped(&hosts, "a.example", RRTYPE_A, &detail));
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, 200), 1100);
    hosts_deinit(&hosts);
}

static void a_table_takes_over_from_another(void **state)
{
    (void)state;
    static struct hosts from = {.rate = {.units = 2, .period_ms = 1000}};
    static struct hosts hosts = {.rate = {.units = 1, .period_ms = 5000}};
    const char *detail = NULL;
    hosts_wrote(&from, "a.example", RRTYPE_A, 100);
    assert_int_equal(hosts_count(&from, "a.example", RRTYPE_A, "nochg", 100), 1);
    assert_int_equal(hosts_stop(&from, "b.example", RRTYPE_AAAA, true, "abuse", "blocked"), ERR_OK);
    hosts_inherit(&hosts, &from);
    assert_int_equal(hosts_clear(&from, NULL, 100), 2); /* each has its own */
    hosts_deinit(&from);
    assert_int_equal(hosts_ready_ms(&hosts, "a.example", RRTYPE_A, 200), 5100);
    assert_int_equal(hosts_count(&hosts, "a.example", RRTYPE_A, "nochg", 200), 2);
    assert_string_equal(hosts_stopped(&hosts, "b.example", RRTYPE_A, &detail), "abuse");
    assert_string_equal(detail, "blocked");
    hosts_deinit(&hosts);
}

static void many_names_are_told_apart(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    static struct hosts hosts;
    char name[32];
    const char *detail = NULL;
    for (int i = 0; i < NAMES; i += 2) {
        (void)snprintf(name, sizeof(name), "n%d.example", i); /* fits */
        assert_int_equal(hosts_stop(&hosts, name, RRTYPE_A, false, "nohost", name), ERR_OK);
    }
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%d.example", i); /* fits */
        const char *code = hosts_stopped(&hosts, name, RRTYPE_A, &detail);
        assert_int_equal(code != NULL, i % 2 == 0);
        assert_true(code == NULL || strcmp(detail, name) == 0);
    }
    assert_int_equal(hosts_clear(&hosts, NULL, 0), NAMES / 2);
    hosts_deinit(&hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_of_one_type_or_of_both),
        cmocka_unit_test(only_the_same_code_soon_after_makes_a_row),
        cmocka_unit_test(a_name_waits_for_its_own_rate_alone),
        cmocka_unit_test(who_clears_a_stop_does_not_raise_a_rate),
        cmocka_unit_test(a_table_takes_over_from_another),
        cmocka_unit_test(many_names_are_told_apart),
    };
    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
