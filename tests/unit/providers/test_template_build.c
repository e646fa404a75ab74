/* SPDX-License-Identifier: Apache-2.0 */
#include "template_rig.h"

#define RULES "reply: {rules: [{line: ok, then: applied}]}\n"
#define KEYED "account: {username: optional, password: required, options: {group: g}, optional_options: {mode: m}}\n"

static const struct config_pair group_options[] = {{.key = "group", .value = "a&b c"}};
static const struct engine_account_config keyed = {
    .username = "u/ser", .options = {.items = (struct config_pair *)(uintptr_t)group_options, .len = 1}};

/** Everything that a secret or an option may hold is encoded for where it stands. */
static void placeholders_are_encoded_for_where_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *request, *want;
    } cases[] = {
        {"{url: \"https://t.example/{option.group}/x?k={secret}\", query: {h: \"{host}\", ip: \"{ip}\"}}",
         "GET https://t.example/a%26b%20c/x?k=p%26%3D%22%25%20%5C&h=a.example.org&ip=192.0.2.1\n"},
        {"{url: \"https://t.example/u\", query: {ip: \"{ip}\", k: \"{secret}\", lit: \"a b&c\"}}",
         "GET https://t.example/u?ip=192.0.2.1&k=p%26%3D%22%25%20%5C&lit=a%20b%26c\n"},
        {"{url: \"https://t.example/u\", query: {ip: \"{ip}\", none: \"{option.mode}\"}}", /* empty: left out */
         "GET https://t.example/u?ip=192.0.2.1\n"},
        {"{method: POST, url: \"https://t.example/u\", form: {ip: \"{ip}\", k: \"{secret}\", t: \"x:y\"}}",
         "POST https://t.example/u\nContent-Type: application/x-www-form-urlencoded\n"
         "ip=192.0.2.1&k=p%26%3D%22%25%20%5C&t=x%3Ay"},
        {"{method: PUT, url: \"https://t.example/u\", json: "
         "'{\"ip\":\"{ip}\",\"k\":\"{secret}\",\"ttl\":{ttl},\"a\":{}}'}",
         "PUT https://t.example/u\nContent-Type: application/json\n"
         "{\"ip\":\"192.0.2.1\",\"k\":\"p&=\\\"% \\\\\",\"ttl\":60,\"a\":{}}"},
        {"{url: \"https://t.example/{ip}\", headers: {X-Key: \"k {secret}\"}}",
         "GET https://t.example/192.0.2.1\nX-Key: k p&=\"% \\\n"},
        {"{url: \"https://t.example/{ip}\", headers: {User-Agent: \"muster/{version}({option.mode})\"}}",
         "GET https://t.example/192.0.2.1\nUser-Agent: muster/" MUSTER_VERSION "()\n"},
        {"{url: \"https://t.example/{ip}\", auth: bearer}",
         "GET https://t.example/192.0.2.1\nAuthorization: Bearer p&=\"% \\\n"},
        {"{url: \"https://t.example/{ip}\", auth: basic}", "GET https://t.example/192.0.2.1\nlogin u/ser:p&=\"% \\\n"},
        {"{url: \"https://t.example/{ip}\", auth: basic, auth_user: \"{host}\", auth_secret: \"x\"}",
         "GET https://t.example/192.0.2.1\nAuthorization: Basic YS5leGFtcGxlLm9yZzp4\n"},
        {"{url: \"https://t.example/{zone}/{label}/{fqdn}/{type}/{username}?ip={ip}\"}",
         "GET https://t.example/example.org/a/a.example.org/A/u%2Fser?ip=192.0.2.1\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[2048];
        struct rig rig;
        struct batch_item item = rig_item("a.example.org", "192.0.2.1");
        struct batch batch = {.items = &item, .len = 1};
        (void)snprintf(text, sizeof(text), TEMPLATE_HEAD KEYED "request: %s\n" RULES, cases[i].request); /* fits */
        rig_open(&rig, text, keyed, "p&=\"% \\\n", NULL);
        assert_string_equal(rig_build(&rig, &batch), cases[i].want);
        rig_close(&rig);
    }
}

static void families_travel_as_the_template_says(void **state)
{
    (void)state;
    static const char *const v4 = "192.0.2.1", *const v6 = "2001:db8::1";
    static const char pair[] = "{send: pair}", list[] = "{send: list}", apart[] = "{send: separate}";
    static const char keep[] = "{send: pair, omitted: deletes, unchanged: preserve}";
    static const char by_pair[] = "a: \"{ip4}\", b: \"{ip6}\"", by_list[] = "a: \"{ips}\"", by_one[] = "a: \"{ip}\"";
    static const struct {
        const char *families, *query, *first, *second, *want;
    } cases[] = {
        {pair, by_pair, v4, NULL, "?a=192.0.2.1"},
        {pair, by_pair, v6, NULL, "?b=2001:db8::1"},
        {pair, by_pair, v6, v4, "?a=192.0.2.1&b=2001:db8::1"},
        {keep, by_pair, v4, NULL, "?a=192.0.2.1&b=preserve"},
        {keep, by_pair, v6, NULL, "?a=preserve&b=2001:db8::1"},
        {keep, by_pair, v4, v6, "?a=192.0.2.1&b=2001:db8::1"},
        {list, by_list, v4, v6, "?a=192.0.2.1,2001:db8::1"},
        {list, by_list, v6, NULL, "?a=2001:db8::1"},
        {apart, by_one, v4, NULL, "?a=192.0.2.1"},
        {apart, by_one, v6, NULL, "6?a=2001:db8::1"}, /* url6 */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[2048], want[256];
        struct rig rig;
        struct batch_item items[2] = {rig_item("a.example.org", cases[i].first)};
        struct batch batch = {.items = items, .len = 1};
        (void)snprintf(text, sizeof(text),
                       TEMPLATE_HEAD "families: %s\nrequest: {url: \"https://t.example/u\", %squery: {%s}}\n" RULES,
                       cases[i].families, cases[i].families == apart ? "url6: \"https://t.example/u6\", " : "",
                       cases[i].query); /* fits */
        rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
        if (cases[i].second != NULL) {
            items[1] = rig_item("a.example.org", cases[i].second);
            assert_true(rig.template->ops.together(rig.account, &batch, &items[1]));
            batch.len = 2;
        }
        (void)snprintf(want, sizeof(want), "GET https://t.example/u%s\n", cases[i].want); /* fits */
        assert_string_equal(rig_build(&rig, &batch), want);
        rig_close(&rig);
    }
}

static void hosts_go_together_up_to_the_limit_and_with_one_address(void **state)
{
    (void)state;
    static const char text[] =
        TEMPLATE_HEAD "hosts: {max: 2, separator: \";\", form: label, domain: dyn.example, apex: root}\n"
                      "delete: {url: \"https://t.example/d\", query: {h: \"{host}\"}}\n"
                      "request: {url: \"https://t.example/u\", query: {h: \"{hosts}\", ip: \"{ip}\"}}\n" RULES;
    struct rig rig;
    rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
    struct batch_item items[2] = {rig_item("a.dyn.example", "192.0.2.1")}, same = rig_item("dyn.example", "192.0.2.1");
    struct batch_item other = rig_item("b.dyn.example", "192.0.2.2"), gone = rig_item("c.dyn.example", NULL);
    struct batch_item v6 = rig_item("a.dyn.example", "2001:db8::1"), foreign = rig_item("a.example", "192.0.2.1");
    struct batch batch = {.items = items, .len = 1};
    const struct provider_ops *ops = &rig.template->ops;
    char detail[PROVIDER_DETAIL_MAX];
    struct provider_limits limits = {0};
    ops->limits(rig.account, &limits);
    assert_int_equal(limits.batch_max, 2);
    assert_true(ops->together(rig.account, &batch, &same));
    assert_false(ops->together(rig.account, &batch, &other));
    assert_false(ops->together(rig.account, &batch, &gone));
    assert_false(ops->together(rig.account, &batch, &v6));
    items[1] = same;
    batch.len = 2;
    assert_false(ops->together(rig.account, &batch, &same)); /* one more than the limit */
    assert_string_equal(rig_build(&rig, &batch), "GET https://t.example/u?h=a%3Broot&ip=192.0.2.1\n");
    batch = (struct batch){.items = &gone, .len = 1};
    assert_string_equal(rig_build(&rig, &batch), "DELETE https://t.example/d?h=c\n");
    assert_null(ops->impossible(rig.account, &gone, detail));
    assert_string_equal(ops->impossible(rig.account, &foreign, detail), "not-in-domain");
    rig_close(&rig);
}

/** Where the zone's own name is the empty text, that text names the host, and the service asks for it. */
static void an_empty_name_is_a_name(void **state)
{
    (void)state;
    static const char text[] =
        TEMPLATE_HEAD "hosts: {form: label, apex: \"\"}\n"
                      "request: {url: \"https://t.example/u\", query: {h: \"{host}\", ip: \"{ip}\"}}\n" RULES;
    struct rig rig;
    rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
    struct batch_item item = rig_item("example.org", "192.0.2.1");
    struct batch batch = {.items = &item, .len = 1};
    assert_string_equal(rig_build(&rig, &batch), "GET https://t.example/u?h=&ip=192.0.2.1\n");
    rig_close(&rig);
}

static void what_a_service_cannot_do_is_refused_unsent(void **state)
{
    (void)state;
    static const struct {
        const char *more, *name, *address, *error;
    } cases[] = {
        {"", "a.example.org", NULL, "no-delete"},
        {"", "a.example.org", "192.0.2.1", NULL},
        {"families: {send: ipv4}\n", "a.example.org", "2001:db8::1", "no-ipv6"},
        {"hosts: {per_account: 1}\n", "b.example.org", "192.0.2.1", "one-host"}, /* the first one was a */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024], detail[PROVIDER_DETAIL_MAX];
        struct rig rig;
        struct batch_item first = rig_item("a.example.org", "192.0.2.1");
        struct batch_item item = rig_item(cases[i].name, cases[i].address);
        struct batch batch = {.items = &first, .len = 1};
        (void)snprintf(text, sizeof(text),
                       TEMPLATE_HEAD "%srequest: {url: \"https://t.example/u\", query: {a: \"{ip}\"}}\n" RULES,
                       cases[i].more); /* fits */
        rig_open(&rig, text, (struct engine_account_config){0}, NULL, NULL);
        (void)rig_build(&rig, &batch);
        const char *error = rig.template->ops.impossible(rig.account, &item, detail);
        assert_int_equal(error != NULL, cases[i].error != NULL);
        if (error != NULL) {
            assert_string_equal(error, cases[i].error);
            assert_true(detail[0] != '\0');
        }
        rig_close(&rig);
    }
}

#define SECRETS                                                                                                        \
    TEMPLATE_HEAD "account: {host_secrets: required}\n"                                                                \
                  "request: {url: \"https://t.example/{secret}\", query: {ip: \"{ip}\"}}\n" RULES

static void each_host_has_its_own_secret(void **state)
{
    (void)state;
    static const struct {
        const char *file, *says;
    } broken[] = {{"", "no line"},
                  {"a.example.org\n", ":1: a line is"},
                  {"# c\na..b x\n", ":2: not a host name"},
                  {"a.example.org x\nA.example.org. y\n", "stands twice"}};
    struct rig rig;
    rig_open(&rig, SECRETS, (struct engine_account_config){0}, NULL,
             "# keys\nb.example.org  two words\n\nA.Example.ORG one\n");
    struct batch_item items[3] = {rig_item("a.example.org", "192.0.2.1"), rig_item("b.example.org", "192.0.2.1"),
                                  rig_item("c.example.org", "192.0.2.1")};
    struct batch batch = {.items = &items[0], .len = 1};
    char detail[PROVIDER_DETAIL_MAX];
    assert_string_equal(rig_build(&rig, &batch), "GET https://t.example/one?ip=192.0.2.1\n");
    batch.items = &items[1];
    assert_string_equal(rig_build(&rig, &batch), "GET https://t.example/two%20words?ip=192.0.2.1\n");
    assert_string_equal(rig.template->ops.impossible(rig.account, &items[2], detail), "no-secret");
    rig_close(&rig);
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct errinfo info = {0};
        assert_int_equal(rig_try(&rig, SECRETS, (struct engine_account_config){0}, NULL, broken[i].file, &info),
                         ERR_INVALID);
        if (strstr(info.text, broken[i].says) == NULL) {
            fail_msg("%s", info.text);
        }
        rig_close(&rig);
    }
}

static void no_secret_survives_in_a_text_for_people(void **state)
{
    (void)state;
    static const char text[] = TEMPLATE_HEAD "account: {password: required}\n"
                                             "request: {url: \"https://t.example/{secret}?ip={ip}\"}\n" RULES;
    struct rig rig;
    rig_open(&rig, text, (struct engine_account_config){0}, "s3cr&t/", NULL);
    char told[] = "GET /s3cr%26t%2F?x=1 said s3cr&t/ twice: s3cr&t/";
    rig.template->ops.redact(rig.account, told);
    assert_null(strstr(told, "s3cr"));
    assert_non_null(strstr(told, "said"));
    char cut[] = "the service said: s3cr&"; /* a text that had room for no more */
    rig.template->ops.redact(rig.account, cut);
    assert_null(strstr(cut, "s3cr"));
    rig_close(&rig);
    rig_open(&rig, text, (struct engine_account_config){0}, "s3@cr t",
             NULL); /* a path keeps the @ that a query does not */
    char path[] = "GET /s3@cr%20t?x=1";
    rig.template->ops.redact(rig.account, path);
    assert_string_equal(path, "GET /*********?x=1");
    rig_close(&rig);
    struct errinfo info = {0};
    assert_int_equal(rig_try(&rig, text, (struct engine_account_config){0}, "a\rX-Evil: b", NULL, &info), ERR_INVALID);
    assert_null(strstr(info.text, "Evil"));
    rig_close(&rig);
}

/** What would be sent as something else is refused before anything is sent. */
static void a_login_that_cannot_travel_is_refused(void **state)
{
    (void)state;
#define NEEDS "account: {username: required, password: required}\n"
    static const struct {
        const char *request, *user, *password, *says;
    } cases[] = {
        {"request: {method: POST, url: \"https://t.example/{username}?ip={ip}\", json: '{\"key\":\"{secret}\"}'}\n",
         "u:v", "p\xe4ss", "account t: a secret is not UTF-8, and t takes it as JSON: save its file as UTF-8"},
        {"request: {method: POST, url: \"https://t.example/{username}?ip={ip}\", json: '{\"key\":\"{secret}\"}'}\n",
         "u:v", "p\xc3\xa4ss", NULL},
        {"request: {url: \"https://t.example/{username}?ip={ip}&k={secret}\"}\n", "u:v", "p\xe4ss", NULL},
        {"request: {url: \"https://t.example/?ip={ip}\", auth: basic}\n", "u:v", "p",
         "account t: username holds a colon"},
        {"request: {url: \"https://t.example/?ip={ip}\", auth: basic, auth_user: \"x{username}\"}\n", "u:v", "p",
         "account t: username holds a colon"},
        {"request: {url: \"https://t.example/{username}?ip={ip}\", auth: basic, auth_user: \"{host}\"}\n", "u:v", "p",
         NULL},
        {"request: {url: \"https://t.example/?ip={ip}\", auth: basic}\n", "u", "p:w\xe4", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024];
        struct rig rig;
        struct errinfo info = {0};
        (void)snprintf(text, sizeof(text), TEMPLATE_HEAD NEEDS "%s" RULES, cases[i].request); /* fits */
        enum err err = rig_try(&rig, text, (struct engine_account_config){.username = cases[i].user}, cases[i].password,
                               NULL, &info);
        if (err != (cases[i].says != NULL ? ERR_INVALID : ERR_OK) ||
            (cases[i].says != NULL && strstr(info.text, cases[i].says) != info.text)) {
            fail_msg("case %zu: %s", i, info.text);
        }
        rig_close(&rig);
    }
}

/** The first of two secrets must not leave the rest of the second. */
static void a_secret_that_begins_another_hides_neither_less(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, SECRETS, (struct engine_account_config){0}, NULL, "a.example.org k3y\nb.example.org k3yrest\n");
    char told[] = "a k3y, b k3yrest.";
    rig.template->ops.redact(rig.account, told);
    assert_string_equal(told, "a ***, b *******.");
    rig_close(&rig);
}

/** Some services call their key a user name. */
static void a_user_name_that_is_a_key_is_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *need;
        bool shown;
    } cases[] = {{"required", true}, {"secret", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024], told[] = "{\"apikey\":\"pk1_abcdef\"} pk1_abcdef";
        struct rig rig;
        (void)snprintf(text, sizeof(text),
                       TEMPLATE_HEAD
                       "account: {username: %s}\nrequest: {url: \"https://t.example/{username}?ip={ip}\"}\n" RULES,
                       cases[i].need); /* fits */
        rig_open(&rig, text, (struct engine_account_config){.username = "pk1_abcdef"}, NULL, NULL);
        assert_int_equal(rig.template->ops.needs, PROVIDER_USERNAME);
        rig.template->ops.redact(rig.account, told);
        assert_int_equal(strstr(told, "pk1_") != NULL, cases[i].shown);
        rig_close(&rig);
    }
}

#define LOOKUP                                                                                                         \
    TEMPLATE_HEAD "request: {method: PUT, url: \"https://t.example/r/{capture.id}\", json: '{\"a\":\"{ip}\"}'}\n"      \
                  "create: {url: \"https://t.example/r\", json: '{\"n\":\"{label}\",\"a\":\"{ip}\"}'}\n"               \
                  "delete: {url: \"https://t.example/r/{capture.id}\"}\n"                                              \
                  "lookup: {url: \"https://t.example/r\", query: {t: \"{type}\"}, list: /records, where: {/n: "        \
                  "\"{label}\", /t: \"{type}\"}, capture: {id: /id}}\n"                                                \
                  "reply: {rules: [{status: [\"200\", \"201\", \"204\"], then: applied}]}\n"
#define FOUND                                                                                                          \
    "{\"records\":[{\"n\":\"b\",\"t\":\"A\",\"id\":1},{\"n\":\"a\",\"t\":\"AAAA\",\"id\":2},{\"n\":\"A\",\"t\":\"A\"," \
    "\"id\":77}]}"

static void a_lookup_is_kept_until_it_is_found_stale(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, LOOKUP, (struct engine_account_config){0}, NULL, NULL);
    struct batch_item item = rig_item("a.example.org", "192.0.2.1");
    struct batch batch = {.items = &item, .len = 1};
    static const char update[] = "PUT https://t.example/r/77\nContent-Type: application/json\n{\"a\":\"192.0.2.1\"}";
    static const char lookup[] = "GET https://t.example/r?t=A\n";
    assert_string_equal(rig_build(&rig, &batch), lookup);
    assert_int_equal(rig.request.stage, PROVIDER_STAGE_ZONE);
    assert_int_equal(rig_reply(&rig, &batch, 200, FOUND).kind, VERDICT_CONTINUE);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(rig_build(&rig, &batch), update); /* the second time without asking */
        assert_int_equal(rig.request.stage, PROVIDER_STAGE_CHANGE);
        assert_int_equal(rig_reply(&rig, &batch, 200, "").kind, VERDICT_SETTLED);
        assert_int_equal(item.outcome, OUTCOME_APPLIED);
    }
    assert_string_equal(rig_build(&rig, &batch), update);
    assert_int_equal(rig_reply(&rig, &batch, 404, "").kind, VERDICT_CONTINUE); /* somebody made it anew */
    assert_string_equal(rig_build(&rig, &batch), lookup);
    assert_int_equal(rig_reply(&rig, &batch, 200, FOUND).kind, VERDICT_CONTINUE);
    assert_string_equal(rig_build(&rig, &batch), update);
    assert_int_equal(rig_reply(&rig, &batch, 404, "").kind, VERDICT_SETTLED); /* the fresh one, too: no circle */
    assert_int_equal(item.outcome, OUTCOME_REFUSED);
    rig_close(&rig);
}

static void what_a_lookup_does_not_find_is_created_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, LOOKUP, (struct engine_account_config){0}, NULL, NULL);
    struct batch_item item = rig_item("a.example.org", "192.0.2.1"), gone = rig_item("a.example.org", NULL);
    struct batch batch = {.items = &item, .len = 1};
    static const char create[] =
        "POST https://t.example/r\nContent-Type: application/json\n{\"n\":\"a\",\"a\":\"192.0.2.1\"}";
    (void)rig_build(&rig, &batch);
    assert_int_equal(rig_reply(&rig, &batch, 200, "{\"records\":[]}").kind, VERDICT_CONTINUE);
    assert_string_equal(rig_build(&rig, &batch), create);
    assert_int_equal(rig_reply(&rig, &batch, 201, "").kind, VERDICT_SETTLED);
    assert_int_equal(item.outcome, OUTCOME_APPLIED);
    assert_int_equal(rig_build(&rig, &batch)[0], 'G'); /* its id is not known yet */
    assert_int_equal(rig_reply(&rig, &batch, 200, FOUND).kind, VERDICT_CONTINUE);
    assert_int_equal(rig_build(&rig, &batch)[1], 'U');
    assert_int_equal(rig_reply(&rig, &batch, 200, "").kind, VERDICT_SETTLED);

    batch.items = &gone;
    assert_string_equal(rig_build(&rig, &batch), "DELETE https://t.example/r/77\n");
    assert_int_equal(rig_reply(&rig, &batch, 204, "").kind, VERDICT_SETTLED);
    assert_int_equal(gone.outcome, OUTCOME_APPLIED);
    assert_int_equal(rig_build(&rig, &batch)[0], 'G');
    assert_int_equal(rig_reply(&rig, &batch, 200, "{\"records\":[]}").kind, VERDICT_SETTLED); /* nothing to remove */
    assert_int_equal(gone.outcome, OUTCOME_APPLIED);
    rig_close(&rig);
}

static void a_lookup_that_fails_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum verdict_kind kind;
    } cases[] = {{200, "<html>", VERDICT_RETRY},
                 {200, "{\"rec", VERDICT_RETRY},
                 {200, "{\"success\":false}", VERDICT_RETRY},
                 {200, "{\"records\":\"none\"}", VERDICT_RETRY},
                 {401, "", VERDICT_STOP},
                 {429, "", VERDICT_RETRY},
                 {500, "", VERDICT_RETRY},
                 {302, "", VERDICT_RETRY}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        rig_open(&rig, LOOKUP, (struct engine_account_config){0}, NULL, NULL);
        struct batch_item item = rig_item("a.example.org", "192.0.2.1");
        struct batch batch = {.items = &item, .len = 1};
        const char *before = rig_build(&rig, &batch);
        assert_int_equal(before[0], 'G');
        assert_int_equal(rig_reply(&rig, &batch, cases[i].status, cases[i].body).kind, cases[i].kind);
        assert_int_equal(rig_build(&rig, &batch)[0], 'G'); /* asked again, nothing was kept */
        rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_are_encoded_for_where_they_stand),
        cmocka_unit_test(families_travel_as_the_template_says),
        cmocka_unit_test(hosts_go_together_up_to_the_limit_and_with_one_address),
        cmocka_unit_test(an_empty_name_is_a_name),
        cmocka_unit_test(what_a_service_cannot_do_is_refused_unsent),
        cmocka_unit_test(each_host_has_its_own_secret),
        cmocka_unit_test(no_secret_survives_in_a_text_for_people),
        cmocka_unit_test(a_login_that_cannot_travel_is_refused),
        cmocka_unit_test(a_secret_that_begins_another_hides_neither_less),
        cmocka_unit_test(a_user_name_that_is_a_key_is_hidden),
        cmocka_unit_test(a_lookup_is_kept_until_it_is_found_stale),
        cmocka_unit_test(what_a_lookup_does_not_find_is_created_once),
        cmocka_unit_test(a_lookup_that_fails_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
