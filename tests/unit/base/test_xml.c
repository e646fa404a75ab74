/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"

struct trace {
    struct strbuf text;
    const char *stop_at; /* element whose end is an error; NULL = none */
};

static enum err traced_open(void *context, const struct xml_element *element)
{
    struct trace *trace = context;
    return strbuf_addf(&trace->text, "<%.*s %u>", VIEW_ARG(element->name), element->depth);
}

static enum err traced_close(void *context, const struct xml_element *element)
{
    struct trace *trace = context;
    if (trace->stop_at != NULL && view_equals(element->name, trace->stop_at)) {
        return ERR_CONFLICT;
    }
    return strbuf_addf(&trace->text, "[%.*s/%.*s=%.*s]", VIEW_ARG(element->parent), VIEW_ARG(element->name),
                       VIEW_ARG(element->text));
}

static enum err parse(const char *text, struct trace *trace, struct errinfo *info)
{
    const struct xml_handler handler = {traced_open, traced_close, trace};
    strbuf_init(&trace->text, 1 << 20);
    return xml_parse(view_of(text), 1 << 20, 4, &handler, info);
}

static void elements_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"<?xml version=\"1.0\"?>\n<a xmlns=\"u\"><b x='1'> one </b><c/><b>t<d>u</d>w</b></a>",
         "<a 1><b 2>[a/b=one]<c 2>[a/c=]<b 2><d 3>[b/d=u][a/b=tw][/a=]"},
        {"<a>&lt;&amp;&#65;<![CDATA[<x>]]></a>", "<a 1>[/a=<&A<x>]"},
        {"<a><!-- no --><?p i?>t</a>\n", "<a 1>[/a=t]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trace trace = {0};
        assert_int_equal(parse(rows[i].text, &trace, NULL), ERR_OK);
        assert_string_equal(strbuf_str(&trace.text), rows[i].want);
        strbuf_deinit(&trace.text);
    }
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"", ERR_PARSE},
        {"<a>", ERR_PARSE},
        {"<a></b>", ERR_PARSE},
        {"<a/><b/>", ERR_PARSE},
        {"<html><br></html>", ERR_PARSE},
        {"{\"a\":1}", ERR_PARSE},
        {"<a>&unknown;</a>", ERR_PARSE},
        {"<a>\xff</a>", ERR_PARSE},
        {"<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>", ERR_UNSUPPORTED},
        {"<!DOCTYPE html><a/>", ERR_UNSUPPORTED},
        {"<a><b><c><d/></c></b></a>", ERR_OK},
        {"<a><b><c><d><e/></d></c></b></a>", ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trace trace = {0};
        struct errinfo info = {0};
        if (parse(rows[i].text, &trace, &info) != rows[i].err || (info.text[0] == '\0') != (rows[i].err == ERR_OK)) {
            fail_msg("case %zu: %s", i, info.text);
        }
        strbuf_deinit(&trace.text);
    }
}

static void a_handler_ends_the_parse(void **state)
{
    (void)state;
    struct trace trace = {.stop_at = "b"};
    assert_int_equal(parse("<a><b/><c/></a>", &trace, NULL), ERR_CONFLICT);
    assert_string_equal(strbuf_str(&trace.text), "<a 1><b 2>");
    strbuf_deinit(&trace.text);
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    struct trace trace = {0};
    struct strbuf text;
    const struct xml_handler handler = {.close = traced_close, .context = &trace};
    strbuf_init(&text, 1 << 20);
    strbuf_init(&trace.text, 1 << 20);
    strbuf_adds(&text, "<a>");
    for (size_t i = 0; i < XML_TEXT_MAX; i++) {
        strbuf_addc(&text, 'x');
    }
    strbuf_adds(&text, "</a>");
    assert_int_equal(xml_parse(strbuf_view(&text), text.len, 1, &handler, NULL), ERR_OK);
    assert_int_equal(xml_parse(strbuf_view(&text), text.len - 1, 1, &handler, NULL), ERR_LIMIT);
    text.len -= 4;
    strbuf_adds(&text, "x</a>");
    assert_int_equal(xml_parse(strbuf_view(&text), text.len, 1, &handler, NULL), ERR_LIMIT);
    strbuf_deinit(&text);
    strbuf_deinit(&trace.text);
}

static void text_is_escaped(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 100);
    assert_int_equal(strbuf_add_xml(&text, VIEW_LITERAL("a<b>&\"'\\052.c")), ERR_OK);
    assert_string_equal(strbuf_str(&text), "a&lt;b&gt;&amp;&quot;&apos;\\052.c");
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_in_order),   cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(a_handler_ends_the_parse), cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
