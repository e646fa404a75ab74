/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dyndns2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/provider.h"

static const struct provider_ops *const ops = &provider_dyndns2;

static void *open_account(void)
{
    char path[] = "/tmp/muster-dyndns2-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "secret\n", 7) == 7);
    close(fd);
    struct engine_account_config config = {.name = "t",
                                           .url = "https://h.example/nic/update",
                                           .username = "u",
                                           .password_file = path,
                                           .verify_server = "127.0.0.1:53"};
    void *state = NULL;
    assert_int_equal(ops->open(&config, &state, NULL), ERR_OK);
    unlink(path);
    return state;
}

static void every_code_obliges_to_its_action(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum dyndns2_action action;
        uint64_t wait_ms;
    } cases[] = {
        {"good", DYNDNS2_APPLIED, 0},
        {"nochg", DYNDNS2_APPLIED, 0},
        {"badauth", DYNDNS2_STOP_ACCOUNT, 0},
        {"badagent", DYNDNS2_STOP_ACCOUNT, 0},
        {"badsys", DYNDNS2_STOP_ACCOUNT, 0},
        {"!donator", DYNDNS2_STOP_HOST, 0},
        {"notfqdn", DYNDNS2_STOP_HOST, 0},
        {"nofqdn", DYNDNS2_STOP_HOST, 0},
        {"nohost", DYNDNS2_STOP_HOST, 0},
        {"!yours", DYNDNS2_STOP_HOST, 0},
        {"!active", DYNDNS2_STOP_HOST, 0},
        {"abuse", DYNDNS2_STOP_HOST, 0},
        {"numhost", DYNDNS2_SPLIT, 0},
        {"dnserr", DYNDNS2_WAIT_HOST, 30 * 60000},
        {"911", DYNDNS2_WAIT_ACCOUNT, 10 * 60000},
        {"servererror", DYNDNS2_WAIT_ACCOUNT, 0},
        {"w2h", DYNDNS2_WAIT_ACCOUNT, 2 * 3600000},
        {"w30m", DYNDNS2_WAIT_ACCOUNT, 30 * 60000},
        {"w45s", DYNDNS2_WAIT_ACCOUNT, 45000},
        {"w45", DYNDNS2_UNKNOWN, 0},
        {"wxm", DYNDNS2_UNKNOWN, 0},
        {"GOOD", DYNDNS2_UNKNOWN, 0},
        {"goods", DYNDNS2_UNKNOWN, 0},
        {"", DYNDNS2_UNKNOWN, 0},
        {"<html>", DYNDNS2_UNKNOWN, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t wait_ms = 1;
        assert_int_equal(dyndns2_find(view_of(cases[i].word), &wait_ms)->action, cases[i].action);
        assert_int_equal(wait_ms, cases[i].wait_ms);
    }
}

enum { A = OUTCOME_APPLIED, F = OUTCOME_REFUSED, R = OUTCOME_RETRY, U = OUTCOME_UNKNOWN, MINUTE = 60000 };

struct row {
    long status;
    const char *body;
    uint64_t retry_after_ms;
    enum verdict_kind kind;
    int outcomes[2]; /* when SETTLED */
    bool stop;
    uint64_t wait_ms;
};

/** Two hosts of one address; rows of one host end with -1. */
static const struct row rows[] = {
    {200, "good 192.0.2.1", 0, VERDICT_SETTLED, {A, -1}, false, 0},
    {200, "nochg 192.0.2.1\r\n", 0, VERDICT_SETTLED, {A, -1}, false, 0},
    {200, "good", 0, VERDICT_SETTLED, {A, -1}, false, 0},
    {200, "good 192.0.2.1,2001:db8::1", 0, VERDICT_SETTLED, {A, -1}, false, 0},
    {200, "good 192.0.2.2", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "good 192.0", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "good 127.0.0.1", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {200, "badauth", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {200, "badagent", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {200, "nohost", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "notfqdn", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "abuse", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "!donator", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "numhost", 0, VERDICT_SPLIT, {-1, -1}, false, 0},
    {200, "dnserr", 0, VERDICT_SETTLED, {R, -1}, false, 0},
    {200, "911", 0, VERDICT_RETRY, {-1, -1}, false, 10 * MINUTE},
    {200, "w15m", 0, VERDICT_RETRY, {-1, -1}, false, 15 * MINUTE},
    {200, "", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "goo", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "<html>\n<body>\n", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {401, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {403, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {404, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {400, "", 0, VERDICT_SPLIT, {-1, -1}, false, 0},
    {429, "", 7000, VERDICT_RETRY, {-1, -1}, false, 7000},
    {429, "", 0, VERDICT_RETRY, {-1, -1}, false, 10 * MINUTE},
    {500, "good", 0, VERDICT_RETRY, {-1, -1}, false, 0},
    {503, "", 5000, VERDICT_RETRY, {-1, -1}, false, 5000},
    {204, "", 0, VERDICT_UNKNOWN, {-1, -1}, false, 0},
    {302, "good", 0, VERDICT_UNKNOWN, {-1, -1}, false, 0},
    /* two hosts */
    {200, "good 192.0.2.1\nnochg 192.0.2.1\n", 0, VERDICT_SETTLED, {A, A}, false, 0},
    {200, "nohost\ngood 192.0.2.1\n", 0, VERDICT_SETTLED, {F, A}, false, 0},
    {200, "good 192.0.2.1\nabuse\n", 0, VERDICT_SETTLED, {A, F}, false, 0},
    {200, "good 192.0.2.1\n<br>\n", 0, VERDICT_SETTLED, {A, U}, false, 0},
    {200, "good 192.0.2.1\nbadauth\n", 0, VERDICT_SETTLED, {A, R}, true, 0},
    {200, "good 192.0.2.1\n911\n", 0, VERDICT_SETTLED, {A, R}, false, 10 * MINUTE},
    {200, "good 192.0.2.1\ndnserr\n", 0, VERDICT_SETTLED, {A, R}, false, 0},
    {200, "good 192.0.2.1\n", 0, VERDICT_SETTLED, {A, U}, false, 0},
    {200, "nohost\n", 0, VERDICT_SETTLED, {F, U}, false, 0},
    {200, "good\ngood\ngood\n", 0, VERDICT_SETTLED, {U, U}, false, 0},
};

static void replies_mean_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *account = open_account();
        const struct row *row = &rows[i];
        struct batch_item items[2] = {{.name = "a.example", .type = RRTYPE_A}, {.name = "b.example", .type = RRTYPE_A}};
        struct batch batch = {.items = items, .len = row->outcomes[1] < 0 ? 1 : 2};
        struct provider_zone zone = {.name = "example"};
        struct provider_request request;
        struct provider_reply reply = {row->status, view_of(row->body), row->retry_after_ms};
        struct verdict verdict = {0};
        for (size_t j = 0; j < batch.len; j++) {
            items[j].want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
        }
        provider_request_init(&request);
        assert_int_equal(ops->build_request(account, &zone, &batch, &request), ERR_OK);
        assert_string_equal(strbuf_str(&request.url),
                            batch.len == 1
                                ? "https://h.example/nic/update?hostname=a.example&myip=192.0.2.1"
                                : "https://h.example/nic/update?hostname=a.example,b.example&myip=192.0.2.1");
        assert_true(view_equals(request.user, "u") && view_equals(request.secret, "secret"));
        assert_int_equal(ops->parse_reply(account, &zone, &batch, &request, &reply, &verdict), ERR_OK);
        if (verdict.kind != row->kind || verdict.stop != row->stop || verdict.wait_ms != row->wait_ms) {
            print_error("row %zu: status %ld body \"%s\"\n", i, row->status, row->body);
        }
        assert_int_equal(verdict.kind, row->kind);
        assert_int_equal(verdict.stop, row->stop);
        assert_int_equal(verdict.wait_ms, row->wait_ms);
        for (size_t j = 0; row->kind == VERDICT_SETTLED && j < batch.len; j++) {
            assert_int_equal(items[j].outcome, row->outcomes[j]);
            char detail[PROVIDER_DETAIL_MAX];
            assert_int_equal(ops->impossible(account, &items[j], detail) != NULL, items[j].outcome == OUTCOME_REFUSED);
        }
        provider_request_deinit(&request);
        ops->close(account);
    }
}

static void only_hosts_of_one_address_go_together(void **state)
{
    (void)state;
    struct batch_item a = {.type = RRTYPE_A, .want = {.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}}};
    struct batch_item b = a, c = a;
    b.want.ips[0].bytes[3] = 2;
    c.type = RRTYPE_AAAA;
    assert_true(ops->together(&a, &a));
    assert_false(ops->together(&a, &b));
    assert_false(ops->together(&a, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_obliges_to_its_action),
        cmocka_unit_test(replies_mean_what_the_table_says),
        cmocka_unit_test(only_hosts_of_one_address_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
