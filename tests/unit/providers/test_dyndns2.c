/* SPDX-License-Identifier: Apache-2.0 */
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
#include "providers/catalogue.h"
#include "providers/hosts.h"
#include "providers/template_internal.h"

static struct catalogue *catalogue;
static const struct template *dyndns2;
static const struct provider_ops *ops;

/** An account and what the engine remembers of its names. */
struct account {
    void *state;
    struct hosts hosts;
};

static int open_catalogue(void **state)
{
    (void)state;
    struct strbuf report;
    strbuf_init(&report, 4096);
    enum err err = catalogue_new(NULL, &catalogue, &report);
    strbuf_deinit(&report);
    ops = err == ERR_OK ? catalogue_find(catalogue, "dyndns2", &dyndns2) : NULL;
    return ops != NULL && dyndns2 != NULL ? 0 : -1;
}

static int close_catalogue(void **state)
{
    (void)state;
    catalogue_unref(catalogue);
    return 0;
}

static struct account *open_account_as(enum account_ipv6 ipv6, const char *unchanged)
{
    char path[] = "/tmp/muster-dyndns2-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "secret\n", 7) == 7);
    close(fd);
    struct engine_account_config config = {.name = "t",
                                           .url = "https://h.example/nic/update",
                                           .username = "u",
                                           .password_file = path,
                                           .verify_server = "127.0.0.1:53",
                                           .ipv6 = ipv6,
                                           .unchanged = unchanged};
    struct account *account = calloc(1, sizeof(*account));
    assert_non_null(account);
    assert_int_equal(provider_open(ops, &config, dyndns2, &account->state, NULL), ERR_OK);
    unlink(path);
    return account;
}

static void close_account(struct account *account)
{
    ops->close(account->state);
    hosts_deinit(&account->hosts);
    free(account);
}

static struct account *open_account(void)
{
    return open_account_as(ACCOUNT_IPV6_MYIP, NULL);
}

static void every_code_obliges_to_its_action(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum template_then then;
        uint64_t wait_ms;
    } cases[] = {
        {"good", TEMPLATE_APPLIED, 0},
        {"nochg", TEMPLATE_UNCHANGED, 0},
        {"badauth", TEMPLATE_STOP_ACCOUNT, 0},
        {"badagent", TEMPLATE_STOP_SERVICE, 0},
        {"badsys", TEMPLATE_STOP_ACCOUNT, 0},
        {"!donator", TEMPLATE_STOP_FAMILY, 0},
        {"notfqdn", TEMPLATE_STOP_HOST, 0},
        {"nofqdn", TEMPLATE_STOP_HOST, 0},
        {"nohost", TEMPLATE_STOP_HOST, 0},
        {"!yours", TEMPLATE_STOP_HOST, 0},
        {"!active", TEMPLATE_STOP_HOST, 0},
        {"abuse", TEMPLATE_STOP_HOST, 0},
        {"numhost", TEMPLATE_SPLIT, 0},
        {"badrequest", TEMPLATE_MALFORMED, 0},
        {"dnserr", TEMPLATE_WAIT_HOST, 30 * 60000},
        {"911", TEMPLATE_WAIT_ACCOUNT, 30 * 60000},
        {"servererror", TEMPLATE_WAIT_ACCOUNT, 0},
        {"w2h", TEMPLATE_WAIT_ACCOUNT, 2 * 3600000},
        {"w30m", TEMPLATE_WAIT_ACCOUNT, 30 * 60000},
        {"w45s", TEMPLATE_WAIT_ACCOUNT, 45000},
        {"w45", TEMPLATE_UNKNOWN, 0},
        {"wxm", TEMPLATE_UNKNOWN, 0},
        {"GOOD", TEMPLATE_UNKNOWN, 0},
        {"goods", TEMPLATE_UNKNOWN, 0},
        {"", TEMPLATE_UNKNOWN, 0},
        {"<html>", TEMPLATE_UNKNOWN, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t wait_ms = 1;
        const struct template_code *code = template_dyndns2_code(view_of(cases[i].word), &wait_ms);
        assert_int_equal(code != NULL ? code->then : TEMPLATE_UNKNOWN, cases[i].then);
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
    {200, "numhost", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "badrequest", 0, VERDICT_STOP, {-1, -1}, false, 0}, /* the first reply ever: our form of request is wrong */
    {200, "nofqdn", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "!yours", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "!active", 0, VERDICT_SETTLED, {F, -1}, false, 0},
    {200, "badsys", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {200, "servererror", 0, VERDICT_RETRY, {-1, -1}, false, 0},
    {200, "dnserr", 0, VERDICT_SETTLED, {R, -1}, false, 0},
    {200, "911", 0, VERDICT_RETRY, {-1, -1}, false, 30 * MINUTE},
    {200, "w15m", 0, VERDICT_RETRY, {-1, -1}, false, 15 * MINUTE},
    {200, "", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "goo", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {200, "<html>\n<body>\n", 0, VERDICT_SETTLED, {U, -1}, false, 0},
    {401, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {403, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {404, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
    {400, "", 0, VERDICT_STOP, {-1, -1}, false, 0},
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
    {200, "good 192.0.2.1\n911\n", 0, VERDICT_SETTLED, {A, R}, false, 30 * MINUTE},
    {200, "good 192.0.2.1\ndnserr\n", 0, VERDICT_SETTLED, {A, R}, false, 0},
    {200, "good 192.0.2.1\n", 0, VERDICT_SETTLED, {U, U}, false, 0}, /* whose is it? */
    {200, "nohost\n", 0, VERDICT_SPLIT, {-1, 0}, false, 0},          /* each alone tells */
    {200, "good\ngood\ngood\n", 0, VERDICT_SETTLED, {U, U}, false, 0},
    {200, "numhost", 0, VERDICT_SPLIT, {-1, 0}, false, 0},
    {200, "numhost\nnumhost", 0, VERDICT_SPLIT, {-1, 0}, false, 0},
    {200, "good\nnumhost", 0, VERDICT_SETTLED, {A, F}, false, 0}, /* that host's own trouble */
    {200, "badrequest", 0, VERDICT_SPLIT, {-1, 0}, false, 0},
    {200, "badrequest\ngood", 0, VERDICT_SETTLED, {F, A}, false, 0},
    {400, "", 0, VERDICT_SPLIT, {-1, 0}, false, 0},
    {200, "badauth\nbadauth\n", 0, VERDICT_STOP, {-1, 0}, false, 0},
    {200, "911\n911\n", 0, VERDICT_RETRY, {-1, 0}, false, 30 * MINUTE},
    {200, "good\ngood 127.0.0.1\n", 0, VERDICT_SETTLED, {A, R}, true, 0},
};

static void replies_mean_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct account *account = open_account();
        const struct row *row = &rows[i];
        struct batch_item items[2] = {{.name = "a.example", .type = RRTYPE_A}, {.name = "b.example", .type = RRTYPE_A}};
        struct batch batch = {.items = items, .len = row->outcomes[1] < 0 ? 1 : 2};
        struct provider_zone zone = {.name = "example"};
        struct provider_request request;
        struct provider_reply reply = {
            .status = row->status, .body = view_of(row->body), .retry_after_ms = row->retry_after_ms};
        struct verdict verdict = {0};
        for (size_t j = 0; j < batch.len; j++) {
            items[j].want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
        }
        provider_request_init(&request);
        assert_int_equal(ops->build_request(account->state, &zone, &batch, &request), ERR_OK);
        assert_string_equal(strbuf_str(&request.url),
                            batch.len == 1
                                ? "https://h.example/nic/update?hostname=a.example&myip=192.0.2.1"
                                : "https://h.example/nic/update?hostname=a.example,b.example&myip=192.0.2.1");
        assert_true(view_equals(request.user, "u") && view_equals(request.secret, "secret"));
        assert_int_equal(ops->parse_reply(account->state, &zone, &batch, &request, &reply, &verdict), ERR_OK);
        if (verdict.kind != row->kind || verdict.stop != row->stop || verdict.wait_ms != row->wait_ms) {
            print_error("row %zu: status %ld body \"%s\"\n", i, row->status, row->body);
        }
        assert_int_equal(verdict.kind, row->kind);
        assert_int_equal(verdict.stop, row->stop);
        assert_int_equal(verdict.wait_ms, row->wait_ms);
        for (size_t j = 0; row->kind == VERDICT_SETTLED && j < batch.len; j++) {
            assert_int_equal(items[j].outcome, row->outcomes[j]);
            assert_int_equal(items[j].stop != BATCH_STOP_NONE, items[j].outcome == OUTCOME_REFUSED);
            assert_true(items[j].outcome != OUTCOME_REFUSED ||
                        (items[j].stop_detail != NULL && items[j].stop_detail[0] != '\0'));
        }
        provider_request_deinit(&request);
        close_account(account);
    }
}

static struct batch_item item_of(const char *name, const char *address)
{
    struct batch_item item = {.name = name, .want = {.len = 1}};
    assert_int_equal(ip_parse(view_of(address), &item.want.ips[0]), ERR_OK);
    item.type = item.want.ips[0].family == IP_V4 ? RRTYPE_A : RRTYPE_AAAA;
    return item;
}

/** As the engine does it: parsed, then remembered. */
static struct verdict replied(struct account *account, struct batch_item *items, size_t len, const char *body,
                              uint64_t now_ms)
{
    struct batch batch = {.items = items, .len = len};
    struct provider_zone zone = {.name = "example"};
    struct provider_request request = {0};
    struct provider_reply reply = {.status = 200, .body = view_of(body), .now_ms = now_ms};
    struct verdict verdict = {0};
    assert_int_equal(ops->parse_reply(account->state, &zone, &batch, &request, &reply, &verdict), ERR_OK);
    for (size_t i = 0; verdict.kind == VERDICT_SETTLED && i < len; i++) {
        (void)hosts_learn(&account->hosts, &items[i], now_ms); /* looked at by stopped_by */
    }
    return verdict;
}

static const char *stopped_by(struct account *account, const char *name, const char *address)
{
    char detail[PROVIDER_DETAIL_MAX];
    const char *why = NULL;
    struct batch_item item = item_of(name, address);
    const char *code = hosts_stopped(&account->hosts, item.name, item.type, &why);
    return code != NULL ? code : ops->impossible(account->state, &item, detail);
}

static void repeated_nochg_is_an_alarm_and_stops_the_host(void **state)
{
    (void)state;
    enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };
    static const struct {
        const char *bodies[4];
        uint64_t times_ms[4];
        unsigned alarm_at; /* which reply; 0 = none */
    } cases[] = {
        {{"nochg"}, {0}, 0}, /* at the first start */
        {{"nochg", "nochg 192.0.2.1"}, {0, HOUR}, 2},
        {{"nochg", "nochg"}, {0, DAY - 1}, 2},
        {{"nochg", "nochg", "nochg", "nochg"}, {0, DAY, 2 * DAY, 27ull * DAY}, 0}, /* refreshed before it expires */
        {{"nochg", "good", "nochg"}, {0, 1, 2}, 0},
        {{"good", "nochg", "nochg"}, {0, 1, 2}, 3},
        {{"nochg", "911", "nochg"}, {0, HOUR, 2 * HOUR}, 2}, /* a request that changed nothing is no change */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account *account = open_account();
        unsigned alarm_at = 0, replies = 0;
        for (size_t j = 0; j < 4 && cases[i].bodies[j] != NULL && alarm_at == 0; j++) {
            struct batch_item item = item_of("a.example", "192.0.2.1");
            struct verdict verdict = replied(account, &item, 1, cases[i].bodies[j], 5000 + cases[i].times_ms[j]);
            if (verdict.kind != VERDICT_SETTLED) {
                continue;
            }
            replies++;
            assert_int_equal(item.outcome, OUTCOME_APPLIED); /* it stands there all the same */
            assert_null(item.error);
            if (item.alarm != NULL) {
                assert_string_equal(item.alarm, "nochg");
                assert_non_null(strstr(verdict.detail, "who else"));
                alarm_at = replies;
            }
        }
        assert_int_equal(alarm_at, cases[i].alarm_at);
        assert_int_equal(stopped_by(account, "a.example", "192.0.2.2") != NULL, alarm_at != 0);
        assert_int_equal(stopped_by(account, "a.example", "2001:db8::2") != NULL, alarm_at != 0);
        assert_null(stopped_by(account, "b.example", "192.0.2.2"));
        close_account(account);
    }
}

static void families_count_apart(void **state)
{
    (void)state;
    struct account *account = open_account();
    struct batch_item v4 = item_of("a.example", "192.0.2.1"), v6 = item_of("a.example", "2001:db8::1");
    (void)replied(account, &v4, 1, "nochg", 1); /* judged by the items */
    (void)replied(account, &v6, 1, "nochg", 2);
    assert_null(v4.alarm);
    assert_null(v6.alarm);
    assert_null(stopped_by(account, "a.example", "192.0.2.2"));
    close_account(account);
}

static void a_stop_is_as_wide_as_its_code_says(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        bool other_family;
    } cases[] = {{"nohost", true},  {"notfqdn", true}, {"nofqdn", true},  {"!yours", true},
                 {"!active", true}, {"abuse", true},   {"numhost", true}, {"!donator", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account *account = open_account();
        struct batch_item item = item_of("a.example", "2001:db8::1");
        (void)replied(account, &item, 1, cases[i].code, 1); /* judged by the item */
        assert_int_equal(item.outcome, OUTCOME_REFUSED);
        assert_string_equal(stopped_by(account, "a.example", "2001:db8::2"), cases[i].code);
        assert_int_equal(stopped_by(account, "a.example", "192.0.2.1") != NULL, cases[i].other_family);
        assert_null(stopped_by(account, "b.example", "2001:db8::1"));
        close_account(account);
    }
}

static void badrequest_stops_the_account_only_where_nothing_was_ever_taken(void **state)
{
    (void)state;
    struct account *account = open_account();
    struct batch_item item = item_of("a.example", "192.0.2.1");
    assert_int_equal(replied(account, &item, 1, "badrequest", 1).kind, VERDICT_STOP);
    assert_int_equal(replied(account, &item, 1, "good", 2).kind, VERDICT_SETTLED);
    assert_int_equal(replied(account, &item, 1, "badrequest", 3).kind, VERDICT_SETTLED);
    assert_int_equal(item.outcome, OUTCOME_REFUSED);
    assert_string_equal(stopped_by(account, "a.example", "192.0.2.2"), "badrequest");
    close_account(account);
}

static void badagent_is_about_the_client_badauth_about_the_account(void **state)
{
    (void)state;
    struct account *account = open_account();
    struct batch_item items[2] = {item_of("a.example", "192.0.2.1"), item_of("b.example", "192.0.2.1")};
    assert_true(replied(account, items, 1, "badagent", 1).everywhere);
    assert_true(replied(account, items, 1, "good 127.0.0.1", 1).everywhere);
    assert_true(replied(account, items, 2, "good\nbadagent", 1).everywhere);
    assert_string_equal(items[1].alarm, "badagent");
    assert_false(replied(account, items, 1, "badauth", 1).everywhere);
    assert_false(replied(account, items, 2, "good\nbadauth", 1).everywhere);
    assert_string_equal(items[1].alarm, "badauth");
    close_account(account);
}

static void dnserr_that_lasts_is_an_alarm_once(void **state)
{
    (void)state;
    struct account *account = open_account();
    unsigned alarms = 0;
    for (unsigned i = 1; i <= 48; i++) {
        struct batch_item item = item_of("a.example", "192.0.2.1");
        struct verdict verdict = replied(account, &item, 1, "dnserr", i * 30ull * MINUTE);
        assert_int_equal(verdict.kind, VERDICT_SETTLED);
        assert_int_equal(item.wait_ms, 30 * MINUTE);
        assert_int_equal(item.alarm != NULL, i == 4);
        alarms += item.alarm != NULL;
    }
    assert_int_equal(alarms, 1);
    assert_null(stopped_by(account, "a.example", "192.0.2.1"));
    close_account(account);
}

static void both_families_travel_as_the_account_says(void **state)
{
    (void)state;
    static const char *const v4 = "192.0.2.1", *const v6 = "2001:db8::1";
    static const struct {
        enum account_ipv6 ipv6;
        const char *unchanged, *first, *second; /* second NULL: one family */
        const char *query;
    } cases[] = {
        {ACCOUNT_IPV6_MYIP, NULL, v4, NULL, "myip=192.0.2.1"},
        {ACCOUNT_IPV6_MYIP, NULL, v6, NULL, "myip=2001:db8::1"},
        {ACCOUNT_IPV6_LIST, NULL, v4, NULL, "myip=192.0.2.1"},
        {ACCOUNT_IPV6_LIST, NULL, v6, NULL, "myip=2001:db8::1"},
        {ACCOUNT_IPV6_LIST, NULL, v4, v6, "myip=192.0.2.1,2001:db8::1"},
        {ACCOUNT_IPV6_LIST, NULL, v6, v4, "myip=192.0.2.1,2001:db8::1"},
        {ACCOUNT_IPV6_MYIPV6, NULL, v4, NULL, "myip=192.0.2.1"},
        {ACCOUNT_IPV6_MYIPV6, NULL, v6, NULL, "myipv6=2001:db8::1"},
        {ACCOUNT_IPV6_MYIPV6, "no", v4, NULL, "myip=192.0.2.1&myipv6=no"},
        {ACCOUNT_IPV6_MYIPV6, "preserve", v6, NULL, "myip=preserve&myipv6=2001:db8::1"},
        {ACCOUNT_IPV6_MYIPV6, "no", v6, v4, "myip=192.0.2.1&myipv6=2001:db8::1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account *account = open_account_as(cases[i].ipv6, cases[i].unchanged);
        struct batch_item items[2] = {item_of("a.example", cases[i].first)};
        struct batch batch = {.items = items, .len = 1};
        if (cases[i].second != NULL) {
            items[1] = item_of("a.example", cases[i].second);
            assert_true(ops->together(account->state, &batch, &items[1]));
            batch.len = 2;
        }
        struct provider_zone zone = {.name = "example"};
        struct provider_request request;
        char url[128];
        provider_request_init(&request);
        assert_int_equal(ops->build_request(account->state, &zone, &batch, &request), ERR_OK);
        (void)snprintf(url, sizeof(url), "https://h.example/nic/update?hostname=a.example&%s",
                       cases[i].query); /* fits */
        assert_string_equal(strbuf_str(&request.url), url);
        provider_request_deinit(&request);
        close_account(account);
    }
}

static void one_line_answers_for_both_families(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int outcomes[2];
    } cases[] = {
        {"good 192.0.2.1,2001:db8::1", {A, A}},
        {"good", {A, A}},
        {"nochg 192.0.2.1 2001:db8::1", {A, A}},
        {"good 192.0.2.1", {A, U}}, /* of the other nothing is said: the authoritative server knows */
        {"good 192.0.2.9,2001:db8::1", {U, A}},
        {"nohost", {F, F}},
        {"numhost", {F, F}},
        {"good\ngood", {U, U}}, /* two lines for one host */
        {"", {U, U}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account *account = open_account_as(ACCOUNT_IPV6_LIST, NULL);
        struct batch_item items[2] = {item_of("a.example", "192.0.2.1"), item_of("a.example", "2001:db8::1")};
        assert_int_equal(replied(account, items, 2, cases[i].body, 1).kind, VERDICT_SETTLED);
        assert_int_equal(items[0].outcome, cases[i].outcomes[0]);
        assert_int_equal(items[1].outcome, cases[i].outcomes[1]);
        close_account(account);
    }
}

static void only_what_one_request_can_say_goes_together(void **state)
{
    (void)state;
    static const enum account_ipv6 ways[] = {ACCOUNT_IPV6_MYIP, ACCOUNT_IPV6_LIST, ACCOUNT_IPV6_MYIPV6};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        bool pairs = ways[i] != ACCOUNT_IPV6_MYIP;
        struct account *account = open_account_as(ways[i], NULL);
        struct batch_item items[3] = {item_of("a.example", "192.0.2.1")};
        struct batch batch = {.items = items, .len = 1};
        struct batch_item same = item_of("b.example", "192.0.2.1"), other = item_of("b.example", "192.0.2.2");
        struct batch_item v6 = item_of("a.example", "2001:db8::1"), strangers = item_of("b.example", "2001:db8::1");
        assert_true(ops->together(account->state, &batch, &same));
        assert_false(ops->together(account->state, &batch, &other));
        assert_false(ops->together(account->state, &batch, &strangers));
        assert_int_equal(ops->together(account->state, &batch, &v6), pairs);
        items[1] = same;
        batch.len = 2;
        assert_false(ops->together(account->state, &batch, &v6)); /* b would get it too */
        items[1] = v6;
        assert_false(ops->together(account->state, &batch, &same));
        assert_false(ops->together(account->state, &batch, &strangers));
        close_account(account);
    }
    struct account *account = open_account_as(ACCOUNT_IPV6_NONE, NULL);
    assert_string_equal(stopped_by(account, "a.example", "2001:db8::1"), "no-ipv6");
    assert_null(stopped_by(account, "a.example", "192.0.2.1"));
    close_account(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_obliges_to_its_action),
        cmocka_unit_test(replies_mean_what_the_table_says),
        cmocka_unit_test(repeated_nochg_is_an_alarm_and_stops_the_host),
        cmocka_unit_test(families_count_apart),
        cmocka_unit_test(a_stop_is_as_wide_as_its_code_says),
        cmocka_unit_test(badrequest_stops_the_account_only_where_nothing_was_ever_taken),
        cmocka_unit_test(badagent_is_about_the_client_badauth_about_the_account),
        cmocka_unit_test(dnserr_that_lasts_is_an_alarm_once),
        cmocka_unit_test(both_families_travel_as_the_account_says),
        cmocka_unit_test(one_line_answers_for_both_families),
        cmocka_unit_test(only_what_one_request_can_say_goes_together),
    };
    return cmocka_run_group_tests(tests, open_catalogue, close_catalogue);
}
