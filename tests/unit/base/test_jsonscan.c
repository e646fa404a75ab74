/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonscan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/strbuf.h"

#define DEPTH 4
#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const char state_text[] = "{\"v\":1,\"s\":\"on\",\"boot\":7,\"conn\":3,\"seq\":42,\"ts\":1790000000000,\"tsq\":"
                                 "\"ntp\",\"ip4\":\"192.0.2.77\","
                                 "\"ip6\":null,\"src\":\"interface\",\"why\":\"heartbeat\",\"agent\":\"0.1.0\"}";

/* Every row is judged by json_parse too: the two must agree on what is valid. */
static const struct {
    struct view text;
    enum err err;
} verdicts[] = {
    {TEXT("{}"), ERR_OK},
    {TEXT(" \t\r\n{ } \n"), ERR_OK},
    {TEXT("{\"a\":1}"), ERR_OK},
    {TEXT("{\"\":0}"), ERR_OK},
    {TEXT("{\"a\":[1,2,[3,{}]],\"b\":{\"c\":{}}}"), ERR_OK},
    {TEXT("{\"a\":-0,\"b\":1.5e3,\"c\":1E-9,\"d\":-9223372036854775808,\"e\":9223372036854775807}"), ERR_OK},
    {TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}"), ERR_OK},
    {TEXT("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}"), ERR_OK},
    {TEXT("{\"a\":true,\"b\":false,\"c\":null}"), ERR_OK},
    {TEXT("{\"a\":1e-999}"), ERR_OK}, /* underflow is zero */
    {TEXT(""), ERR_PARSE},
    {TEXT("   "), ERR_PARSE},
    {TEXT("{"), ERR_PARSE},
    {TEXT("{}}"), ERR_PARSE},
    {TEXT("{}\0"), ERR_PARSE},
    {TEXT("{\"a\":1\0}"), ERR_PARSE}, /* jansson alone takes this one */
    {TEXT("\xef\xbb\xbf{}"), ERR_PARSE},
    {TEXT("{\"a\"}"), ERR_PARSE},
    {TEXT("{\"a\":}"), ERR_PARSE},
    {TEXT("{\"a\":1,}"), ERR_PARSE},
    {TEXT("{,}"), ERR_PARSE},
    {TEXT("{\"a\":1 \"b\":2}"), ERR_PARSE},
    {TEXT("{a:1}"), ERR_PARSE},
    {TEXT("{'a':1}"), ERR_PARSE},
    {TEXT("{\"a\":[1,]}"), ERR_PARSE},
    {TEXT("{\"a\":[1}"), ERR_PARSE},
    {TEXT("{\"a\":[}"), ERR_PARSE},
    {TEXT("{\"a\":01}"), ERR_PARSE},
    {TEXT("{\"a\":+1}"), ERR_PARSE},
    {TEXT("{\"a\":.5}"), ERR_PARSE},
    {TEXT("{\"a\":1.}"), ERR_PARSE},
    {TEXT("{\"a\":1.e3}"), ERR_PARSE},
    {TEXT("{\"a\":1e}"), ERR_PARSE},
    {TEXT("{\"a\":1e+}"), ERR_PARSE},
    {TEXT("{\"a\":-}"), ERR_PARSE},
    {TEXT("{\"a\":0x10}"), ERR_PARSE},
    {TEXT("{\"a\":NaN}"), ERR_PARSE},
    {TEXT("{\"a\":Infinity}"), ERR_PARSE},
    {TEXT("{\"a\":1e999}"), ERR_PARSE},
    {TEXT("{\"a\":9223372036854775808}"), ERR_PARSE},
    {TEXT("{\"a\":-9223372036854775809}"), ERR_PARSE},
    {TEXT("{\"a\":100000000000000000000}"), ERR_PARSE},
    {TEXT("{\"a\":tru}"), ERR_PARSE},
    {TEXT("{\"a\":nulll}"), ERR_PARSE},
    {TEXT("{\"a\":\"x}"), ERR_PARSE},
    {TEXT("{\"a\":\"\n\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\x\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\u12g4\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\u0000\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\ud800\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\ud800\\u0041\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\udc00\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\\"), ERR_PARSE},
    {TEXT("{\"a\":\"\xff\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\xc0\xaf\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\xed\xa0\x80\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), ERR_PARSE},
    {TEXT("{\"a\":\"\xe2\x82\"}"), ERR_PARSE},
    {TEXT("{\"a\":\xc3\xa9}"), ERR_PARSE},
    {TEXT("{\"a\":1,\"a\":2}"), ERR_PARSE},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), ERR_PARSE},
    {TEXT("{\"\xc3\xa9\":1,\"\\u00e9\":2}"), ERR_PARSE},
    {TEXT("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), ERR_PARSE},
    {TEXT("{\"b\":{\"a\":1,\"c\":0,\"a\":2}}"), ERR_PARSE},
    {TEXT("{\"a\":{\"a\":1},\"b\":{\"a\":{\"a\":1}}}"), ERR_OK}, /* the same key in different objects */
    {TEXT("{\"a\":1,\"\\u0062\":2,\"ab\":3}"), ERR_OK},
    {TEXT("{\"a\":[[[1]]]}"), ERR_OK},
    {TEXT("{\"a\":[[[[1]]]]}"), ERR_LIMIT},
    {TEXT("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}"), ERR_LIMIT},
};

static enum err ignore_member(void *context, const struct jsonscan_member *member)
{
    (void)context;
    (void)member;
    return ERR_OK;
}

static void judges_as_json_parse_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        struct view text = verdicts[i].text;
        enum err scanned = jsonscan_object(text, DEPTH, ignore_member, NULL);
        json_t *json = NULL;
        enum err parsed = json_parse(text, 8192, DEPTH, &json, NULL);
        json_decref(json);
        if (scanned != verdicts[i].err || parsed != verdicts[i].err) {
            fail_msg("row %zu <%.*s>: scan %s, parse %s, want %s", i, VIEW_ARG(text), err_name(scanned),
                     err_name(parsed), err_name(verdicts[i].err));
        }
    }
}

/* A truncated text is never valid, and never read past its end (the copy is exactly as long, for the sanitizer). */
static void refuses_every_prefix(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(state_text) - 1; len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, state_text, len);
        char *exact = realloc(copy, len > 0 ? len : 1);
        assert_non_null(exact);
        assert_int_equal(jsonscan_object(view_n(exact, len), DEPTH, ignore_member, NULL), ERR_PARSE);
        free(exact);
    }
    assert_int_equal(jsonscan_object(view_of(state_text), DEPTH, ignore_member, NULL), ERR_OK);
}

static enum err describe(void *context, const struct jsonscan_member *member)
{
    struct strbuf *out = context;
    (void)strbuf_addf(out, "%.*s|%c|%.*s;", VIEW_ARG(member->key), member->kind, VIEW_ARG(member->value));
    return ERR_OK;
}

static void hands_out_raw_members_in_order(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 1000);
    struct view text = view_of("{ \"v\" : 1 ,\"s\":\"o\\n\",\"o\":{\"x\": [1, 2]} ,\"a\":[ ],\"n\":null,\"t\":true,"
                               "\"f\":false,\"m\":-1.5 }");
    assert_int_equal(jsonscan_object(text, DEPTH, describe, &out), ERR_OK);
    assert_string_equal(strbuf_str(&out), "v|0|1;s|\"|\"o\\n\";o|{|{\"x\": [1, 2]};a|[|[ ];n|n|null;t|t|true;"
                                          "f|f|false;m|0|-1.5;");
    strbuf_deinit(&out);
}

static enum err refuse_second(void *context, const struct jsonscan_member *member)
{
    (void)member;
    int *calls = context;
    return ++*calls == 2 ? ERR_RANGE : ERR_OK;
}

static void an_error_of_the_callback_ends_the_scan(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(jsonscan_object(view_of("{\"a\":1,\"b\":2,\"c\":3}"), DEPTH, refuse_second, &calls), ERR_RANGE);
    assert_int_equal(calls, 2);
}

static void add_members(struct strbuf *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        (void)strbuf_addf(out, "%s\"k%u\":%u", i > 0 ? "," : "", i, i);
    }
}

static void caps_members_and_numbers(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 10000);
    for (unsigned count = JSONSCAN_MEMBERS_MAX; count <= JSONSCAN_MEMBERS_MAX + 1; count++) {
        strbuf_clear(&out);
        (void)strbuf_addc(&out, '{');
        add_members(&out, count);
        (void)strbuf_addc(&out, '}');
        assert_int_equal(strbuf_error(&out), ERR_OK);
        enum err want = count > JSONSCAN_MEMBERS_MAX ? ERR_LIMIT : ERR_OK;
        assert_int_equal(jsonscan_object(strbuf_view(&out), DEPTH, ignore_member, NULL), want);
    }
    strbuf_clear(&out);
    (void)strbuf_addf(&out, "{\"a\":0.%0*d}", JSONSCAN_NUMBER_MAX - 2, 1);
    assert_int_equal(jsonscan_object(strbuf_view(&out), DEPTH, ignore_member, NULL), ERR_OK);
    strbuf_clear(&out);
    (void)strbuf_addf(&out, "{\"a\":0.%0*d}", JSONSCAN_NUMBER_MAX - 1, 1);
    assert_int_equal(jsonscan_object(strbuf_view(&out), DEPTH, ignore_member, NULL), ERR_LIMIT);
    strbuf_deinit(&out);
}

static void reads_u32(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char kind;
        enum err err;
        uint32_t value;
    } rows[] = {
        {"0", '0', ERR_OK, 0},
        {"4294967295", '0', ERR_OK, UINT32_MAX},
        {"4294967296", '0', ERR_RANGE, 0},
        {"-1", '0', ERR_PARSE, 0},
        {"1.0", '0', ERR_PARSE, 0},
        {"1e3", '0', ERR_PARSE, 0},
        {"\"1\"", '"', ERR_PARSE, 0},
        {"null", 'n', ERR_PARSE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jsonscan_member member = {.value = view_of(rows[i].text), .kind = rows[i].kind};
        uint32_t value = 0;
        assert_int_equal(jsonscan_u32(&member, &value), rows[i].err);
        assert_int_equal(value, rows[i].value);
    }
}

static void reads_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char kind;
        enum err err;
        const char *value;
    } rows[] = {
        {"\"\"", '"', ERR_OK, ""},
        {"\"abc\"", '"', ERR_OK, "abc"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", '"', ERR_OK, "\"\\/\b\f\n\r\t"},
        {"\"\\u003d\\u002F\"", '"', ERR_OK, "=/"},
        {"\"\xc3\xa9\"", '"', ERR_OK, "\xc3\xa9"},
        {"\"1234567890123456789012345678901\"", '"', ERR_OK, "1234567890123456789012345678901"},
        {"\"12345678901234567890123456789012\"", '"', ERR_LIMIT, ""},
        {"\"\\u00e9\"", '"', ERR_PARSE, ""},
        {"\"\\u0000\"", '"', ERR_PARSE, ""},
        {"\"\\u00\"", '"', ERR_PARSE, ""},
        {"12", '0', ERR_PARSE, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jsonscan_member member = {.value = view_of(rows[i].text), .kind = rows[i].kind};
        char buffer[32];
        size_t len = 0;
        assert_int_equal(jsonscan_text(&member, buffer, sizeof(buffer), &len), rows[i].err);
        if (rows[i].err == ERR_OK) {
            assert_string_equal(buffer, rows[i].value);
            assert_int_equal(len, strlen(rows[i].value));
        }
    }
}

/* Printed, never judged: what one state costs the coordinator's hot path. */
static void prints_its_speed(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    struct view text = view_of(state_text);
    uint64_t best = UINT64_MAX;
    for (int repeat = 0; repeat < 5; repeat++) {
        uint64_t start = clock_mono_ns();
        for (int i = 0; i < ROUNDS; i++) {
            assert_int_equal(jsonscan_object(text, DEPTH, ignore_member, NULL), ERR_OK);
        }
        best = MIN(best, clock_mono_ns() - start);
    }
    print_message("bytes=%zu ns_per_state=%.0f\n", text.len, (double)best / ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_as_json_parse_does),
        cmocka_unit_test(refuses_every_prefix),
        cmocka_unit_test(hands_out_raw_members_in_order),
        cmocka_unit_test(an_error_of_the_callback_ends_the_scan),
        cmocka_unit_test(caps_members_and_numbers),
        cmocka_unit_test(reads_u32),
        cmocka_unit_test(reads_text),
        cmocka_unit_test(prints_its_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
