/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Answers byte by byte: the head, the question "h.zone.example SOA", then records; names after the question point back:
 * 12 is h.zone.example, 14 zone.example, 19 example. */
#define QUESTION      "\1h\4zone\7example\0\0\6\0\1"
#define HEAD(an, ns)  "\0\0\x81\x80\0\1\0" an "\0" ns "\0\0" QUESTION
#define SOA_NUMBERS   "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"
#define NS1_ROOT      "\3ns1\xc0\x0e\0" /* MNAME ns1.zone.example, RNAME the root */
#define WIRE(literal) view_n((literal), sizeof(literal) - 1)

static const char in_answer[] = HEAD("\1", "\0") "\xc0\x0e\0\6\0\1\0\0\1\x2c\0\x1b" NS1_ROOT SOA_NUMBERS;
static const char in_authority[] = HEAD("\0", "\1") "\xc0\x0e\0\6\0\1\0\0\0\1\0\x1b" NS1_ROOT SOA_NUMBERS;
static const char of_another[] = HEAD("\0", "\1") "\4else\xc0\x13\0\6\0\1\0\0\0\1\0\x1b" NS1_ROOT SOA_NUMBERS;
static const char hidden[] = HEAD("\0", "\1") "\xc0\x0e\0\6\0\1\x7f\xff\xff\xff\0\x16\0\0" SOA_NUMBERS;
static const char servers[] = HEAD("\4", "\0") "\xc0\x0e\0\2\0\1\0\0\0\1\0\6\3ns1\xc0\x0e"
                                               "\xc0\x0e\0\2\0\1\0\0\0\1\0\6\3ns2\xc0\x0e"
                                               "\xc0\x13\0\2\0\1\0\0\0\1\0\6\3ns3\xc0\x0e" /* of the parent */
                                               "\xc0\x0e\0\2\0\1\0\0\0\1\0\1\0";           /* the root is no host */

static void primary_is_the_mname_of_the_zone_that_the_name_lies_in(void **state)
{
    (void)state;
    struct authority authority;
    struct errinfo info = {0};
    assert_int_equal(authority_read(WIRE(in_answer), "zone.example", &authority, &info), ERR_OK);
    assert_string_equal(authority.zone, "zone.example");
    assert_int_equal(authority.hosts_len, 1);
    assert_string_equal(authority.hosts[0], "ns1.zone.example");
    assert_int_equal(authority.ttl_s, 300);
    assert_int_equal(authority_read(WIRE(in_authority), "h.zone.example", &authority, &info), ERR_OK);
    assert_string_equal(authority.zone, "zone.example");
    assert_int_equal(authority.ttl_s, AUTHORITY_TTL_MIN_S);
}

static void what_names_no_primary_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct authority authority = {.hosts_len = 3};
    struct errinfo info = {0};
    assert_int_equal(authority_read(WIRE(of_another), "h.zone.example", &authority, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "no zone of h.zone.example"));
    assert_int_equal(authority_read(WIRE(hidden), "h.zone.example", &authority, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "SOA of zone.example names no primary"));
    assert_int_equal(authority_read(view_n(in_answer, sizeof(in_answer) - 5), "zone.example", &authority, &info),
                     ERR_PARSE);
    assert_int_equal(authority.hosts_len, 3); /* untouched */
}

static void name_servers_stand_behind_the_primary(void **state)
{
    (void)state;
    struct authority authority;
    assert_int_equal(authority_read(WIRE(in_answer), "zone.example", &authority, NULL), ERR_OK);
    authority_add_servers(&authority, (struct view){0});
    assert_int_equal(authority.hosts_len, 1);
    authority_add_servers(&authority, WIRE(servers));
    assert_int_equal(authority.hosts_len, 2);
    assert_string_equal(authority.hosts[1], "ns2.zone.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primary_is_the_mname_of_the_zone_that_the_name_lies_in),
        cmocka_unit_test(what_names_no_primary_is_an_error_that_says_so),
        cmocka_unit_test(name_servers_stand_behind_the_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
