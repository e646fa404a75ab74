/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader holds the examples of a template against its rules; here the rules are held against the examples: each
 * rule of each template of the program decides at least one of them, so that none can be lost or turned round unseen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "providers/embedded.h"
#include "providers/template_internal.h"

static struct template *load(const char *name, struct view text)
{
    struct template *template = NULL;
    struct strbuf report;
    strbuf_init(&report, 1 << 16);
    enum err err = template_load_text(name, text, &template, &report);
    if (err != ERR_OK) {
        print_error("%s", strbuf_str(&report));
    }
    strbuf_deinit(&report);
    assert_int_equal(err, ERR_OK);
    return template;
}

static bool rule_decides(const struct template *template, const struct template_rule *rule)
{
    const struct template_example *examples = template->config.examples.items;
    bool found = false;
    for (size_t i = 0; i < template->config.examples.len; i++) {
        found = found || template_example_code(template, &examples[i]) == &rule->found;
    }
    return found;
}

/** Rules that no example reaches. */
static size_t undecided(const struct template *template, const char *name, bool tell)
{
    const struct template_rule *rules = template->config.reply.rules.items;
    size_t len = 0;
    for (size_t i = 0; i < template->config.reply.rules.len; i++) {
        if (!rule_decides(template, &rules[i])) {
            len++;
            if (tell) {
                print_error("%s:%u: rule %zu (%s) decides no example\n", name, rules[i].position.line, i,
                            rules[i].found.code);
            }
        }
    }
    return len;
}

static bool has_example(const struct template *template, enum template_then from, enum template_then to)
{
    const struct template_example *examples = template->config.examples.items;
    bool found = false;
    for (size_t i = 0; i < template->config.examples.len; i++) {
        found = found || (examples[i].then >= (int)from && examples[i].then <= (int)to);
    }
    return found;
}

/** Of a template without rules: what is done, what was so already and what is refused, as the protocol says it. */
static size_t untold(const struct template *template, const char *name, bool tell)
{
    static const struct {
        enum template_then from, to;
    } wanted[] = {{TEMPLATE_APPLIED, TEMPLATE_APPLIED},
                  {TEMPLATE_UNCHANGED, TEMPLATE_UNCHANGED},
                  {TEMPLATE_STOP_HOST, TEMPLATE_STOP_SERVICE}};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (!has_example(template, wanted[i].from, wanted[i].to)) {
            len++;
            if (tell) {
                print_error("%s: no example of %s\n", name, template_thens[wanted[i].from]);
            }
        }
    }
    return len;
}

static size_t missing(const struct template *template, const char *name, bool tell)
{
    return template->config.reply.rules.len > 0 ? undecided(template, name, tell) : untold(template, name, tell);
}

static void each_rule_of_the_program_decides_an_example(void **state)
{
    (void)state;
    size_t failed = 0, rules = 0;
    for (const struct embedded_file *file = embedded_templates; file->name != NULL; file++) {
        struct template *template = load(file->name, view_n(file->text, file->len));
        failed += missing(template, file->name, true);
        rules += template->config.reply.rules.len;
        template_unref(template);
    }
    assert_int_equal(failed, 0);
    assert_true(rules > 300); /* of a hundred templates */
}

static bool is_success(const struct template *template, const struct template_example *example)
{
    const struct template_code *code = template_example_code(template, example);
    return code->then == TEMPLATE_APPLIED || code->then == TEMPLATE_UNCHANGED;
}

/** A proxy before the service, or the service half way down, may show the words of a success with a status that says
 * otherwise. */
static void no_words_make_a_success_of_a_servers_failure(void **state)
{
    (void)state;
    size_t failed = 0, tried = 0;
    for (const struct embedded_file *file = embedded_templates; file->name != NULL; file++) {
        struct template *template = load(file->name, view_n(file->text, file->len));
        const struct template_example *examples = template->config.examples.items;
        for (size_t i = 0; i < template->config.examples.len; i++) {
            struct template_example failure = examples[i];
            failure.status = 502;
            if (is_success(template, &examples[i])) {
                tried++;
                if (is_success(template, &failure)) {
                    print_error("%s:%u: done, with status 502 as well\n", file->name, failure.position.line);
                    failed++;
                }
            }
        }
        template_unref(template);
    }
    assert_int_equal(failed, 0);
    assert_true(tried > 150);
}

#define TEMPLATE                                                                                                       \
    "format: 1\nname: t\nservice: T\nclass: G\nsource: s\nread: 2026-11-23\naccount: {password: required}\n"           \
    "request: {url: \"https://t.example/u\", query: {h: \"{host}\", k: \"{secret}\", ip: \"{ip}\"}}\n"                 \
    "reply: {rules: [{line: no, then: stop_host, code: no}, {line: ok, then: applied}, "                               \
    "{line: \"n.\", then: stop_host, code: no}]}\n"

/** By the rule itself, not by what it says: two rules may say the same, and one may hide another. */
static void a_rule_that_decides_nothing_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *examples;
        size_t undecided;
    } cases[] = {
        {"", 3},
        {"examples: [{body: ok, then: applied}]\n", 2},
        {"examples: [{body: ok, then: applied}, {body: no, then: stop_host}]\n", 1},
        {"examples: [{body: ok, then: applied}, {body: nx, then: stop_host}]\n", 1},
        {"examples: [{body: ok, then: applied}, {body: no, then: stop_host}, {body: nx, then: stop_host}]\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), TEMPLATE "%s", cases[i].examples); /* fits */
        struct template *template = load("t.yaml", view_of(text));
        assert_int_equal(undecided(template, "t.yaml", false), cases[i].undecided);
        template_unref(template);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_the_program_decides_an_example),
        cmocka_unit_test(no_words_make_a_success_of_a_servers_failure),
        cmocka_unit_test(a_rule_that_decides_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
