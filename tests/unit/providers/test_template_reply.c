/* SPDX-License-Identifier: Apache-2.0 */
#include "template_rig.h"

enum { A = OUTCOME_APPLIED, F = OUTCOME_REFUSED, R = OUTCOME_RETRY, U = OUTCOME_UNKNOWN, MINUTE = 60000 };

#define REQUEST "request: {url: \"https://t.example/u\", query: {h: \"{hosts}\", ip: \"{ip}\"}}\nhosts: {max: 3}\n"

struct row {
    long status;
    const char *body;
    enum verdict_kind kind;
    int outcomes[2]; /* of two hosts, when SETTLED */
    const char *error;
    uint64_t wait_ms; /* of the verdict */
};

static void check(const char *reply, const struct row *rows, size_t len, size_t hosts)
{
    for (size_t i = 0; i < len; i++) {
        char text[4096];
        struct rig rig;
        struct batch_item items[2] = {rig_item("a.example.org", "192.0.2.1"), rig_item("b.example.org", "192.0.2.1")};
        struct batch batch = {.items = items, .len = hosts};
        (void)snprintf(text, sizeof(text), TEMPLATE_HEAD REQUEST "%s", reply); /* fits */
        rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
        (void)rig_build(&rig, &batch);
        struct verdict verdict = rig_reply(&rig, &batch, rows[i].status, rows[i].body);
        const char *error = verdict.kind == VERDICT_SETTLED ? items[0].error : verdict.error;
        bool same = verdict.kind == rows[i].kind && verdict.wait_ms == rows[i].wait_ms &&
                    (rows[i].error == NULL || (error != NULL && strcmp(error, rows[i].error) == 0));
        for (size_t j = 0; verdict.kind == VERDICT_SETTLED && j < hosts; j++) {
            same = same && (int)items[j].outcome == rows[i].outcomes[j];
            same = same && (items[j].outcome == OUTCOME_APPLIED) == (items[j].error == NULL);
        }
        if (!same) {
            fail_msg("row %zu: status %ld body \"%s\": kind %d, %d %d, error %s, wait %llu", i, rows[i].status,
                     rows[i].body, (int)verdict.kind, (int)items[0].outcome, (int)items[1].outcome,
                     error != NULL ? error : "-", (unsigned long long)verdict.wait_ms);
        }
        rig_close(&rig);
    }
}

static void lines_are_the_hosts_in_order(void **state)
{
    (void)state;
    static const char reply[] = "reply:\n  rules:\n"
                                "    - {line: \"(ok|done)( (.*))?\", address: 3, then: applied}\n"
                                "    - {line: same, then: unchanged, repeats: 2}\n"
                                "    - {line: \"no such .*\", then: stop_host, code: nohost}\n"
                                "    - {line: later, then: wait_host, wait: 5m}\n"
                                "    - {line: busy, then: wait_account, wait: 1h}\n"
                                "    - {line: key, then: stop_account, code: badauth}\n"
                                "    - {line: many, then: split}\n"
                                "    - {status: [\"418\"], then: stop_service}\n"
                                "    - {status: [\"5xx\"], line: gone, then: stop_family}\n";
    static const struct row rows[] = {
        {200, "ok\nsame\n", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "ok 192.0.2.1\r\n\r\nok 192.0.2.1,2001:db8::1", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "ok 192.0.2.9\nok", VERDICT_SETTLED, {U, A}, "unknown-reply", 0}, /* another address stands there */
        {200, "ok 192.0\nok", VERDICT_SETTLED, {U, A}, NULL, 0},
        {200, "okay\nok", VERDICT_SETTLED, {U, A}, NULL, 0}, /* the whole line, not a part of it */
        {200, "not ok\nok", VERDICT_SETTLED, {U, A}, NULL, 0},
        {200, "no such host\nok", VERDICT_SETTLED, {F, A}, "nohost", 0},
        {200, "later\nok", VERDICT_SETTLED, {R, A}, "wait", 0},
        {200, "busy", VERDICT_RETRY, {0}, "wait", 60 * MINUTE},
        {200, "ok\nbusy", VERDICT_SETTLED, {A, R}, NULL, 60 * MINUTE},
        {200, "key", VERDICT_STOP, {0}, "badauth", 0},
        {200, "many", VERDICT_SPLIT, {0}, "numhost", 0},
        {200, "ok", VERDICT_SETTLED, {U, U}, NULL, 0}, /* whose is which? */
        {200, "ok\nok\nok", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "no such host", VERDICT_SPLIT, {0}, "nohost", 0},
        {200, "later", VERDICT_SPLIT, {0}, "wait", 0},
        {200, "\xef\xbb\xbfok\nok", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "<html>ok</html>", VERDICT_SETTLED, {U, U}, NULL, 0},
        {500, "ok\nok", VERDICT_RETRY, {0}, "servererror", 0}, /* a success is told with 2xx only */
        {418, "", VERDICT_STOP, {0}, "badagent", 0},
        {503, "gone\ngone", VERDICT_SETTLED, {F, F}, "family-refused", 0},
        {429, "", VERDICT_RETRY, {0}, "rate-limited", 10 * MINUTE},
        {401, "", VERDICT_STOP, {0}, "badauth", 0},
        {404, "", VERDICT_SETTLED, {F, F}, "notfound", 0},
        {302, "ok\nok", VERDICT_UNKNOWN, {0}, "unknown-reply", 0},
    };
    check(reply, rows, ARRAY_LEN(rows), 2);
}

static void the_whole_reply_counts_where_lines_do_not(void **state)
{
    (void)state;
    static const char reply[] = "reply:\n  lines: any\n  rules:\n"
                                "    - {body: \"OK.*UPDATED\", then: applied}\n"
                                "    - {body: \"was: ([0-9.]+)\", address: 1, then: applied}\n"
                                "    - {line: \".*refused.*\", then: stop_host, code: refused}\n"
                                "    - {json: /status, equals: success, then: applied}\n"
                                "    - {json: /errors/0/code, matches: \"1[0-9]{3}\", then: stop_account, code: c}\n"
                                "    - {json: /n, equals: \"0\", then: applied}\n"
                                "    - {json: /t, equals: \"true\", then: unchanged}\n"
                                "    - {json: /there, then: stop_family}\n"
                                "    - {xml: ErrCount, equals: \"0\", then: applied}\n"
                                "    - {xml: Err1, matches: \".*<pass.*\", then: stop_account, code: badauth}\n";
    static const struct row rows[] = {
        {200, "OK\n1.2.3.4\nUPDATED\n", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "was: 192.0.2.1", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "was: 192.0.2.2", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "line\nthe name is refused\n", VERDICT_SETTLED, {F, F}, "refused", 0},
        {200, "{\"status\":\"success\"}", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "{\"status\":\"Success\"}", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "{\"status\":\"success\"", VERDICT_SETTLED, {U, U}, NULL, 0}, /* cut */
        {200, "{\"status\":{\"a\":\"success\"}}", VERDICT_SETTLED, {U, U}, NULL, 0},
        {400, "{\"errors\":[{\"code\":1234}]}", VERDICT_STOP, {0}, "c", 0},
        {200, "{\"errors\":[{\"code\":12345}]}", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "{\"n\":0}", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "{\"n\":null,\"t\":true}", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "{\"there\":[]}", VERDICT_SETTLED, {F, F}, "family-refused", 0},
        {200, "{\"there\":null}", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200,
         "<?xml version=\"1.0\" encoding=\"utf-16\"?><r><ErrCount>0</ErrCount></r>",
         VERDICT_SETTLED,
         {A, A},
         NULL,
         0},
        {200, "<r><ErrCountX>0</ErrCountX><ErrCount a='1'> 1 </ErrCount></r>", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "<r><ErrCount/><Err1>no &lt;password</Err1></r>", VERDICT_STOP, {0}, "badauth", 0},
        {200, "<r><ErrCount>0", VERDICT_SETTLED, {U, U}, NULL, 0},
    };
    check(reply, rows, ARRAY_LEN(rows), 2);
}

static void a_status_is_not_believed_under_a_page(void **state)
{
    (void)state;
    static const char reply[] = "reply: {one_line: all, rules: [{status: [\"200\", \"204\"], then: applied}]}\n";
    static const struct row rows[] = {
        {200, "", VERDICT_SETTLED, {A, A}, NULL, 0},
        {204, "", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "fine", VERDICT_SETTLED, {A, A}, NULL, 0},
        {200, "  <!doctype html><title>Hotel</title>", VERDICT_SETTLED, {U, U}, NULL, 0},
        {200, "\xef\xbb\xbf<!doctype html><title>Hotel</title>", VERDICT_SETTLED, {U, U}, NULL, 0},
    };
    check(reply, rows, ARRAY_LEN(rows), 2);
}

static void one_line_stands_for_all_only_where_the_service_says_so(void **state)
{
    (void)state;
    static const struct row none[] = {{200, "good", VERDICT_SETTLED, {U, U}, NULL, 0},
                                      {200, "nohost", VERDICT_SPLIT, {0}, "nohost", 0},
                                      {200, "badauth", VERDICT_STOP, {0}, "badauth", 0}};
    static const struct row all[] = {{200, "good", VERDICT_SETTLED, {A, A}, NULL, 0},
                                     {200, "nohost\ngood", VERDICT_SETTLED, {F, A}, "nohost", 0}};
    check("reply: {base: dyndns2}\n", none, ARRAY_LEN(none), 2);
    check("reply: {base: dyndns2, one_line: all}\n", all, ARRAY_LEN(all), 2);
}

/** The line that stops the account says why, wherever it stands; one that stops the whole service goes first. */
static void the_reason_of_a_stop_is_that_of_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *body, *error;
        bool everywhere;
    } rows[] = {
        {"badauth\nnochg", "badauth", false},    {"nochg\nbadauth", "badauth", false},
        {"badauth\nnohost", "badauth", false},   {"badsys\nbadauth", "badsys", false},
        {"badauth\nbadagent", "badagent", true}, {"badagent\nbadauth", "badagent", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        struct batch_item items[2] = {rig_item("a.example.org", "192.0.2.1"), rig_item("b.example.org", "192.0.2.1")};
        struct batch batch = {.items = items, .len = 2};
        rig_open(&rig, TEMPLATE_HEAD REQUEST "reply: {base: dyndns2}\n", (struct engine_account_config){0}, NULL, NULL);
        (void)rig_build(&rig, &batch);
        struct verdict verdict = rig_reply(&rig, &batch, 200, rows[i].body);
        assert_int_equal(verdict.kind, VERDICT_SETTLED);
        assert_true(verdict.stop);
        assert_int_equal(verdict.everywhere, rows[i].everywhere);
        assert_string_equal(verdict.error, rows[i].error);
        assert_ptr_equal(strstr(verdict.detail, rows[i].error), verdict.detail);
        rig_close(&rig);
    }
}

/** Own rules go before the built-in codes, and leave the others as they are. */
static void rules_go_before_the_base(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {200, "abuse", VERDICT_STOP, {0}, "abuse", 0},
        {200, "nohost", VERDICT_SETTLED, {F, 0}, "nohost", 0},
        {200, "good 192.0.2.1", VERDICT_SETTLED, {A, 0}, NULL, 0},
        {404, "", VERDICT_STOP, {0}, "forbidden", 0},
    };
    check("reply: {base: dyndns2, rules: [{line: abuse, then: stop_account, code: abuse}]}\n", rows, ARRAY_LEN(rows),
          1);
}

static void missing_without_create_stops_the_host_and_is_done_after_delete(void **state)
{
    (void)state;
    static const char text[] = TEMPLATE_HEAD
        "request: {url: \"https://t.example/u\", query: {a: \"{ip}\"}}\ndelete: {url: \"https://t.example/d\"}\n"
        "reply: {rules: [{line: none, then: missing}, {line: ok, then: applied}]}\n";
    struct rig rig;
    rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
    struct batch_item item = rig_item("a.example.org", "192.0.2.1"), gone = rig_item("a.example.org", NULL);
    struct batch batch = {.items = &item, .len = 1};
    (void)rig_build(&rig, &batch);
    assert_int_equal(rig_reply(&rig, &batch, 200, "none").kind, VERDICT_SETTLED);
    assert_int_equal(item.outcome, OUTCOME_REFUSED);
    assert_string_equal(item.error, "norecord");
    assert_int_equal(item.stop, BATCH_STOP_HOST);
    batch.items = &gone;
    (void)rig_build(&rig, &batch);
    assert_int_equal(rig_reply(&rig, &batch, 200, "none").kind, VERDICT_SETTLED);
    assert_int_equal(gone.outcome, OUTCOME_APPLIED);
    rig_close(&rig);
}

static void long_and_binary_replies_match_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, TEMPLATE_HEAD REQUEST "reply: {rules: [{body: \".*ok.*\", then: applied}]}\n",
             (struct engine_account_config){0}, NULL, NULL);
    size_t len = TEMPLATE_MATCH_MAX + 1;
    char *body = malloc(len);
    assert_non_null(body);
    memset(body, 'a', len);
    memcpy(body, "ok", 2);
    struct {
        struct view body;
        int outcome;
    } cases[] = {{view_n(body, 100), A}, {view_n(body, len), U}, {view_n("ok\0a", 4), U}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct batch_item item = rig_item("a.example.org", "192.0.2.1");
        struct batch batch = {.items = &item, .len = 1};
        struct provider_reply reply = {.status = 200, .body = cases[i].body};
        struct verdict verdict = {0};
        (void)rig_build(&rig, &batch);
        assert_int_equal(rig.template->ops.parse_reply(rig.account, &rig.zone, &batch, &rig.request, &reply, &verdict),
                         ERR_OK);
        assert_int_equal(item.outcome, cases[i].outcome);
    }
    free(body);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_hosts_in_order),
        cmocka_unit_test(the_whole_reply_counts_where_lines_do_not),
        cmocka_unit_test(a_status_is_not_believed_under_a_page),
        cmocka_unit_test(one_line_stands_for_all_only_where_the_service_says_so),
        cmocka_unit_test(the_reason_of_a_stop_is_that_of_its_line),
        cmocka_unit_test(rules_go_before_the_base),
        cmocka_unit_test(missing_without_create_stops_the_host_and_is_done_after_delete),
        cmocka_unit_test(long_and_binary_replies_match_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
