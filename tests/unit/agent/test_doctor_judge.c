/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY ((int64_t)86400)
#define NOW ((int64_t)1800000000)

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    assert_int_equal(json_parse(view_of(text), 4096, 8, &json, NULL), ERR_OK);
    return json;
}

static void expect(const struct finding *finding, enum check_verdict verdict, const char *part)
{
    assert_string_equal(check_verdict_name(finding->verdict), check_verdict_name(verdict));
    if (strstr(finding->detail, part) == NULL) {
        fail_msg("'%s' does not tell '%s'", finding->detail, part);
    }
    assert_true(verdict == CHECK_OK || verdict == CHECK_SKIP || (finding->hint != NULL && finding->hint[0] != '\0'));
}

static void judges_clock_and_dates(void **state)
{
    (void)state;
    const struct {
        int64_t before, after; /* of the certificate, from now */
        bool is_set;
        enum check_verdict clock, dates;
        const char *clock_text, *dates_text;
    } rows[] = {
        {-DAY, 90 * DAY, true, CHECK_OK, CHECK_OK, "within", "90 days left"},
        {-DAY, 90 * DAY, false, CHECK_FAIL, CHECK_OK, "before this program was built", "90 days left"},
        {DAY, 90 * DAY, true, CHECK_FAIL, CHECK_FAIL, "was issued", "not valid yet"},
        {-90 * DAY, -2 * DAY, true, CHECK_WARN, CHECK_FAIL, "ended", "2 days ago"},
        {-90 * DAY, 13 * DAY, true, CHECK_OK, CHECK_WARN, "within", "13 days left"},
        {-90 * DAY, 14 * DAY, true, CHECK_OK, CHECK_OK, "within", "14 days left"},
        {-1 * DAY, 6 * DAY, true, CHECK_OK, CHECK_OK, "within", "6 days left"}, /* lives for a week: renewed daily */
        {-5 * DAY, 2 * DAY, true, CHECK_OK, CHECK_WARN, "within", "2 days left"},
        {0, 0, true, CHECK_OK, CHECK_OK, "within", "0 days left"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct cert_validity validity = {.not_before_s = NOW + rows[i].before,
                                               .not_after_s = NOW + rows[i].after};
        struct finding clock = judge_clock(NOW, rows[i].is_set, &validity);
        expect(&clock, rows[i].clock, rows[i].clock_text);
        struct finding dates = judge_validity(NOW, &validity);
        expect(&dates, rows[i].dates, rows[i].dates_text);
    }
    struct finding unknown = judge_clock(NOW, true, NULL);
    expect(&unknown, CHECK_OK, "2027-01-15");
}

static void judges_what_the_server_shows(void **state)
{
    (void)state;
    static const char *const parts[TLSPEER_FAULTS] = {
        [TLSPEER_GOOD] = "good",           [TLSPEER_NO_TLS] = "no TLS", [TLSPEER_CHAIN] = "tls.ca_file",
        [TLSPEER_NAME] = "not for b.test", [TLSPEER_EXPIRED] = "ended", [TLSPEER_NOT_YET] = "not valid yet",
        [TLSPEER_DEFECTIVE] = "cannot be",
    };
    for (enum tlspeer_fault fault = TLSPEER_GOOD; fault < TLSPEER_FAULTS; fault++) {
        const struct tlspeer peer = {.fault = fault, .text = "why"};
        struct finding finding = judge_tls(&peer, "b.test");
        expect(&finding, fault == TLSPEER_GOOD ? CHECK_OK : CHECK_FAIL, parts[fault]);
        expect(&finding, finding.verdict, "b.test (why)");
    }
}

static void judges_an_attempt(void **state)
{
    (void)state;
    const struct {
        enum err err;
        const char *reason, *part, *hint;
    } rows[] = {
        {ERR_AUTH, "connect failed (-1): bad certificate", "bad certificate", "not revoked"},
        {ERR_DENIED, NULL, "not permitted", "rules refuse"},
        {ERR_LIMIT, "", "limit", "max_connections"},
        {ERR_TIMEOUT, "", "timed out", "does not answer"},
        {ERR_IO, "\x1b[2J", "?[2J", "broker's log"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct finding finding = judge_session(rows[i].err, rows[i].reason);
        expect(&finding, CHECK_FAIL, rows[i].part);
        assert_non_null(strstr(finding.hint, rows[i].hint));
    }
    struct finding good = judge_session(ERR_OK, NULL);
    expect(&good, CHECK_OK, "took");
}

#define T0 "2027-01-15T08:00:00.000Z"
#define T1 "2027-01-15T08:00:01.000Z"
#define T2 "2027-01-15T08:00:02.000Z"

static void judges_the_answer_to_a_report(void **state)
{
    (void)state;
    const struct {
        const char *status, *since;
        bool final;
        enum check_verdict verdict;
        const char *part;
    } rows[] = {
        {"{\"report\":{\"state\":\"acknowledged\",\"seq\":7,\"sent\":\"" T1 "\",\"acknowledged\":\"" T2 "\"}}", T1,
         true, CHECK_OK, "seq 7"},
        /* of an earlier report */
        {"{\"report\":{\"state\":\"acknowledged\",\"sent\":\"" T0 "\",\"acknowledged\":\"" T0 "\"}}", T1, false,
         CHECK_FAIL, "last one " T0},
        {"{\"report\":{\"state\":\"acknowledged\",\"sent\":\"" T2 "\",\"acknowledged\":\"" T0 "\"}}", T1, false,
         CHECK_FAIL, "last one " T0},
        {"{\"report\":{\"state\":\"waiting\",\"sent\":\"" T2 "\"}}", T1, false, CHECK_FAIL, "never"},
        /* no clock */
        {"{\"report\":{\"state\":\"acknowledged\",\"seq\":1}}", "", true, CHECK_OK, "seq 1"},
        {"{\"device\":\"cam-1\",\"report\":{\"state\":\"unregistered\"},\"dns\":{\"error\":\"unregistered\",\"at\":"
         "\"" T2 "\"}}",
         T1, true, CHECK_FAIL, "does not know 'cam-1'"},
        /* it may have been registered since */
        {"{\"device\":\"cam-1\",\"report\":{\"state\":\"unregistered\"},\"dns\":{\"error\":\"unregistered\",\"at\":"
         "\"" T0 "\"}}",
         T1, false, CHECK_FAIL, "does not know 'cam-1'"},
        {"{}", T1, false, CHECK_FAIL, "never"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_decref_p) json_t *status = parse(rows[i].status);
        assert_int_equal(judge_ack_is_final(status, rows[i].since), rows[i].final);
        struct finding finding = judge_ack(status, rows[i].since);
        expect(&finding, rows[i].verdict, rows[i].part);
    }
}

static void judges_the_agents_status(void **state)
{
    (void)state;
    const struct {
        struct finding (*judge)(const json_t *status);
        const char *status;
        enum check_verdict verdict;
        const char *part;
    } rows[] = {
        {judge_connection, "{\"connection\":{\"state\":\"connected\",\"endpoint\":\"b:1\"}}", CHECK_OK, "b:1"},
        {judge_connection, "{\"connection\":{\"state\":\"disconnected\",\"error\":\"boom\"}}", CHECK_FAIL, "boom"},
        {judge_connection, "{}", CHECK_FAIL, "not connected"},
        {judge_names, "{}", CHECK_OK, "0"},
        {judge_names, "{\"dns\":{\"error\":\"\",\"names\":[{\"name\":\"a\",\"error\":\"\"}]}}", CHECK_OK, "1"},
        {judge_names, "{\"dns\":{\"names\":[{\"name\":\"a.b\",\"type\":\"A\",\"state\":\"refused\",\"error\":\"x\"}]}}",
         CHECK_WARN, "a.b A is refused: x"},
        {judge_names, "{\"dns\":{\"error\":\"not-public\",\"names\":[]}}", CHECK_WARN, "not-public"},
        {judge_sources, "{\"ip4\":{\"state\":\"confirmed\",\"value\":\"45.83.1.9\"}}", CHECK_OK, "45.83.1.9"},
        {judge_sources, "{\"ip4\":{\"state\":\"confirmed\",\"value\":\"45.83.1.9\",\"disputed\":true}}", CHECK_WARN,
         "IPv4 45.83.1.9"},
        {judge_sources, "{\"ip4\":{\"value\":\"45.83.1.9\",\"disputed\":true},\"ip6\":{\"state\":\"disagree\"}}",
         CHECK_FAIL, "disagree about IPv6"},
        {judge_sources, "{\"ip4\":{\"state\":\"disagree\"},\"ip6\":{\"value\":\"2a00::1\"}}", CHECK_FAIL, "about IPv4"},
        {judge_sources, "{\"ip4\":{\"state\":\"unknown\"}}", CHECK_WARN, "no public address"},
        {judge_nat, "{\"nat\":\"public\",\"inbound\":\"open\"}", CHECK_OK, "open"},
        {judge_nat, "{\"nat\":\"cgnat\",\"inbound\":\"none\"}", CHECK_WARN, "no inbound path"},
        {judge_nat, "{\"nat\":\"tunnel\",\"inbound\":\"unproven\"}", CHECK_WARN, "VPN"},
        {judge_nat, "{}", CHECK_OK, "unknown"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_decref_p) json_t *status = parse(rows[i].status);
        struct finding finding = rows[i].judge(status);
        expect(&finding, rows[i].verdict, rows[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_clock_and_dates),   cmocka_unit_test(judges_what_the_server_shows),
        cmocka_unit_test(judges_an_attempt),        cmocka_unit_test(judges_the_answer_to_a_report),
        cmocka_unit_test(judges_the_agents_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
