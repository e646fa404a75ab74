/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/template_internal.h"

#define HEAD                                                                                                           \
    "format: 1\nname: t\nservice: T\nclass: G\nsource: https://t.example/doc\nread: 2026-11-23\n" /* 6 lines           \
                                                                                                   */
#define ACCOUNT "account: {password: required}\n"
#define REQUEST "request: {url: \"https://t.example/u\", query: {h: \"{host}\", k: \"{secret}\", ip: \"{ip}\"}}\n"
#define REPLY   "reply: {rules: [{line: ok, then: applied}]}\n"

static struct template *load(const char *text)
{
    struct template *template = NULL;
    struct strbuf report;
    strbuf_init(&report, 1 << 16);
    enum err err = template_load_text("t.yaml", view_of(text), &template, &report);
    if (err != ERR_OK) {
        print_error("%s", strbuf_str(&report));
    }
    assert_int_equal(err, ERR_OK);
    assert_int_equal(report.len, 0);
    strbuf_deinit(&report);
    return template;
}

static void a_template_becomes_a_provider(void **state)
{
    (void)state;
    struct template *template = load(
        HEAD "account: {password: required, username: optional, url: optional, options: {group: which}}\n" REQUEST REPLY
             "limits: {refresh: 25d}\n");
    const struct provider_ops *ops = &template->ops;
    assert_string_equal(ops->about.name, "t");
    assert_string_equal(ops->about.service, "T");
    assert_string_equal(ops->default_url, "https://t.example/u");
    assert_int_equal(ops->needs, PROVIDER_PASSWORD);
    assert_int_equal(ops->takes, PROVIDER_USERNAME | PROVIDER_URL);
    assert_string_equal(ops->options[0].name, "group");
    assert_true(ops->options[0].required);
    assert_null(ops->options[1].name);
    assert_true(ops->asks); /* it is not said that a repetition does no harm */
    struct template *again = template_ref(template);
    template_unref(template);
    assert_string_equal(again->config.service, "T"); /* the second holder still has it */
    template_unref(again);
}

/** What loads, and does not do what its writer thinks. */
static void lint_says_what_is_declared_and_not_used(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {HEAD ACCOUNT REQUEST REPLY, ""},
        {HEAD "account: {password: required, options: {group: g}}\n" REQUEST REPLY,
         "t.yaml:7:48: no request says {option.group}: write it where the service wants it, or leave group out here\n"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", query: {k: \"{secret}\", ip: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:10: `request` never says which name is meant: write {host}; where the login stands for one name, "
         "`hosts: {per_account: 1}`\n"},
        {HEAD ACCOUNT "hosts: {per_account: 1}\nrequest: {url: \"https://t.example/\", query: {k: \"{secret}\", ip: "
                      "\"{ip}\"}}\n" REPLY,
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct template *template = load(cases[i].text);
        struct strbuf report;
        strbuf_init(&report, 1 << 16);
        assert_int_equal(template_lint(template, "t.yaml", &report), cases[i].says[0] == '\0');
        assert_string_equal(strbuf_str(&report), cases[i].says);
        strbuf_deinit(&report);
        template_unref(template);
    }
}

/** Each mistake is told where it stands and what to do. */
static void mistakes_are_told_by_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *says;
    } cases[] = {
        {"", "t.yaml:1:1: ", "`format` is missing"},
        {HEAD ACCOUNT REPLY, "t.yaml:1:1: ", "required key `request` is missing"},
        {HEAD "acount: {}\n" REQUEST REPLY, "t.yaml:7:1: ", "did you mean `account`?"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/{hst}\"}\n" REPLY,
         "t.yaml:8:16: ", "unknown placeholder {hst}; did you mean {host}?"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", query: {a: \"{ip}\", b: \"{option.x}\"}}\n" REPLY,
         "t.yaml:8:60: ", "{option.x} is not declared; add it to account.options"},
        {HEAD "account: {options: {group: g}}\nrequest: {url: \"https://t.example/{option.groop}\", query: {a: "
              "\"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "did you mean {option.group}?"},
        {HEAD "account: {username: required}\n" REQUEST REPLY, "t.yaml:8:63: ", "{secret} needs `account.password`"},
        {HEAD ACCOUNT "request: {url: \"http://t.example/{secret}\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "the secret would travel in the clear"},
        {HEAD ACCOUNT "request: {url: \"http://t.example/{password}\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "the secret would travel in the clear"},
        {HEAD ACCOUNT "request: {url: \"http://t.example/\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "or say in `note` why"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", query: {\"{hst}\": \"{ip}\"}}\n" REPLY,
         "t.yaml:8:55: ", "unknown placeholder {hst}"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", query: {\"{capture.id}\": \"{ip}\"}}\n" REPLY,
         "t.yaml:8:62: ", "needs a `lookup`"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", query: {a: \"{ip}\"}, headers: {\"X Y\": a}}\n" REPLY,
         "t.yaml:8:75: ", "cannot be the name of a header"},
        {HEAD ACCOUNT "request: {url: \"https://{host}/\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "only {option.NAME} may stand in the host"},
        {HEAD ACCOUNT "request: {url: \"ftp://t.example/\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "must start with https://"},
        {HEAD ACCOUNT "request: {query: {a: \"{ip}\"}}\n" REPLY, "t.yaml:8:10: ", "request needs `url`"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\", form: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:10: ", "a GET has no body"},
        {HEAD ACCOUNT "request: {method: POST, url: \"https://t.example/\", json: '{\"a\":{ip}'}\n" REPLY,
         "t.yaml:8:58: ", "is not JSON"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/\"}\n" REPLY, "t.yaml:8:10: ", "never says the address"},
        {HEAD ACCOUNT "hosts: {max: 2}\n" REQUEST REPLY, "t.yaml:9:50: ", "write {hosts}"},
        {HEAD "account: {host_secrets: required}\nhosts: {max: 2}\nrequest: {url: \"https://t.example/\", query: {h: "
              "\"{hosts}\", a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:8: ", "max: 1"},
        {HEAD ACCOUNT "families: {omitted: deletes}\n" REQUEST REPLY, "t.yaml:8:11: ", "would lose the other"},
        {HEAD ACCOUNT "families: {send: pair, omitted: detects}\nrequest: {url: \"https://t.example/\", query: {a: "
                      "\"{ip4}\", b: \"{ip6}\"}}\n" REPLY,
         "t.yaml:8:11: ", "would lose the other"},
        {HEAD ACCOUNT "families: {unchanged: keep}\n" REQUEST REPLY, "t.yaml:8:11: ", "`unchanged` goes with"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: \"a(\", then: applied}]}\n",
         "t.yaml:9:24: ", "is not a POSIX extended regular expression"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: '(a)\\1', then: applied}]}\n",
         "t.yaml:9:24: ", "back-references are not allowed"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: \"((a{1,9}){1,9})\", then: applied}]}\n",
         "t.yaml:9:24: ", "{n,m} may stand once"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: \"a{1,200}\", then: applied}]}\n",
         "t.yaml:9:24: ", "{n,m} may stand once"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: ok, then: aplied}]}\n",
         "t.yaml:9:34: ", "did you mean `applied`?"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{then: applied}]}\n", "t.yaml:9:17: ", "a rule needs a condition"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: ok, equals: x, then: applied}]}\n",
         "t.yaml:9:17: ", "go with `json` or `xml`"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: ok, then: applied, wait: 5m}]}\n",
         "t.yaml:9:17: ", "`wait` goes with"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: \"ok (.*)\", address: 2, then: applied}]}\n",
         "t.yaml:9:24: ", "there is no group 2"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{json: a, then: applied}]}\n", "t.yaml:9:24: ", "is not a JSON pointer"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{status: [\"20\"], then: applied}]}\n",
         "t.yaml:9:27: ", "write an HTTP status"},
        {HEAD ACCOUNT REQUEST "reply: {rules: [{line: no, then: stop_host}]}\n",
         "t.yaml:9:8: ", "no reply means success"},
        {HEAD ACCOUNT REQUEST REPLY "limits: {interval: 5}\n", "t.yaml:10:20: ", "has no unit"},
        {HEAD ACCOUNT REQUEST REPLY "limits: {interval: 5d, refresh: 1d}\n",
         "t.yaml:10:9: ", "refresh is shorter than interval"},
        {HEAD ACCOUNT REQUEST REPLY "examples: [{body: ok, then: stop_host}]\n",
         "t.yaml:10:12: ", "the rules make applied (good) of this reply, not stop_host"},
        {HEAD ACCOUNT REQUEST REPLY "examples: [{body: \"o\\tk\", then: unknown}]\n",
         "t.yaml:10:19: ", "holds a control character"},
        {HEAD ACCOUNT REQUEST REPLY "note: \"a\\nb\"\n", "t.yaml:10:7: ", "holds a control character"},
        {HEAD ACCOUNT REQUEST REPLY "lookup: {url: \"https://t.example/\", capture: {id: id}}\n",
         "t.yaml:10:", "is not a JSON pointer"},
        {HEAD ACCOUNT "request: {url: \"https://t.example/{capture.id}\", query: {a: \"{ip}\"}}\n" REPLY,
         "t.yaml:8:16: ", "needs a `lookup`"},
        {"format: 1\nname: powerdns\nservice: T\nclass: G\nsource: s\nread: 2026-11-23\n" ACCOUNT REQUEST REPLY,
         "t.yaml:2:7: ", "is built in"},
        {"format: 1\nname: t\nservice: T\nclass: G\nsource: s\nread: 2026-13-23\n" ACCOUNT REQUEST REPLY,
         "t.yaml:6:7: ", "write the day"},
        {"format: 1\nname: other\nservice: T\nclass: G\nsource: s\nread: 2026-11-23\n" ACCOUNT REQUEST REPLY,
         "t.yaml:2:7: ", "must be called other.yaml"},
        {"format: 1\nname: T_\nservice: T\nclass: Z\nsource: s\nread: today\n" ACCOUNT REQUEST REPLY,
         "t.yaml:6:7: ", "write the day"},
    };
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct template *template = NULL;
        struct strbuf report;
        strbuf_init(&report, 1 << 16);
        assert_int_equal(template_load_text("t.yaml", view_of(cases[i].text), &template, &report), ERR_INVALID);
        assert_null(template);
        const char *place = strstr(strbuf_str(&report), cases[i].place);
        if (place == NULL || strstr(place, cases[i].says) == NULL) {
            print_error("case %zu: wanted \"%s...%s\", got:\n%s", i, cases[i].place, cases[i].says,
                        strbuf_str(&report));
            failed++;
        }
        strbuf_deinit(&report);
    }
    assert_int_equal(failed, 0);
}

/** A reply of several lines stands in an example as it comes. */
static void an_example_may_have_several_lines(void **state)
{
    (void)state;
    template_unref(load(HEAD ACCOUNT REQUEST
                        "reply: {lines: any, rules: [{line: ok, then: applied}, {body: \"a.*c\", then: stop_host}]}\n"
                        "examples: [{body: \"[x]\\r\\nok\\r\\nend\", then: applied},\n"
                        "           {body: \"a\\nb\\nc\\n\", then: stop_host}]\n"));
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    struct template *template = NULL;
    struct strbuf report;
    strbuf_init(&report, 1 << 16);
    assert_int_equal(
        template_load_text("t.yaml",
                           view_of(HEAD ACCOUNT "families: {unchanged: keep, omitted: deletes}\n" REQUEST
                                                "reply: {rules: [{then: applied}, {line: a, wait: 1m, then: split}]}\n"
                                                "limits: {ttl: 60, ttl_min: 60}\n"),
                           &template, &report),
        ERR_INVALID);
    size_t lines = 0;
    struct view rest = strbuf_view(&report), line;
    while (view_next(&rest, '\n', &line)) {
        lines += line.len > 0;
    }
    assert_int_equal(lines, 5);
    strbuf_deinit(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_becomes_a_provider),
        cmocka_unit_test(mistakes_are_told_by_line_and_column),
        cmocka_unit_test(lint_says_what_is_declared_and_not_used),
        cmocka_unit_test(an_example_may_have_several_lines),
        cmocka_unit_test(all_mistakes_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
