/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/httpjson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static const struct httpjson_api api = {.name = "Example",
                                        .login = "the token is wrong: mend password_file",
                                        .wait_ms = 60000,
                                        .text = "/errors/0/message",
                                        .depth_max = 8};

struct judged {
    long status;
    uint64_t retry_after_ms;
    const char *body;
    bool change, final;
    enum verdict_kind kind;
    const char *error;
    uint64_t wait_ms;
};

static void judges_what_every_service_means_alike(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        {401, 0, "", true, true, VERDICT_STOP, "badauth", 0},
        {403, 0, "<html>", true, true, VERDICT_STOP, "forbidden", 0},
        {429, 0, "", true, true, VERDICT_RETRY, "rate-limited", 60000},
        {429, 7000, "{}", true, true, VERDICT_RETRY, "rate-limited", 7000},
        {408, 0, "", true, true, VERDICT_RETRY, "servererror", 0},
        {500, 0, "", true, true, VERDICT_UNKNOWN, "servererror", 0},
        {500, 0, "", false, true, VERDICT_RETRY, "servererror", 0},
        {503, 5000, "", true, true, VERDICT_RETRY, "servererror", 5000},
        {503, 0, "", true, true, VERDICT_UNKNOWN, "servererror", 0},
        {504, 0, "", true, true, VERDICT_UNKNOWN, "servererror", 0},
        {302, 0, "", true, true, VERDICT_RETRY, "redirect", 0},
        {200, 0, "<html>login</html>", true, true, VERDICT_UNKNOWN, "bad-reply", 0},
        {200, 0, "<html>login</html>", false, true, VERDICT_RETRY, "bad-reply", 0},
        {200, 0, "{\"a\":[[[[[[[[1]]]]]]]]}", true, true, VERDICT_UNKNOWN, "bad-reply", 0},
        {200, 0, "{\"cut", true, true, VERDICT_UNKNOWN, "bad-reply", 0},
        {200, 0, "{}", true, false, 0, NULL, 0},
        {204, 0, "", true, false, 0, NULL, 0},
        {404, 0, "not json", true, false, 0, NULL, 0},
        {422, 0, "{}", true, false, 0, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct judged *c = &cases[i];
        struct provider_request request = {.stage = c->change ? PROVIDER_STAGE_CHANGE : PROVIDER_STAGE_ZONE};
        struct provider_reply reply = {
            .status = c->status, .body = view_of(c->body), .retry_after_ms = c->retry_after_ms};
        struct verdict verdict = {.wait_ms = 99};
        json_t *json = NULL;
        bool final = httpjson_judge(&api, &request, &reply, &json, &verdict);
        assert_int_equal(final, c->final);
        assert_int_equal(verdict.wait_ms, c->wait_ms);
        if (c->final) {
            assert_int_equal(verdict.kind, c->kind);
            assert_string_equal(verdict.error, c->error);
            assert_null(json);
        }
        json_decref(json);
    }
}

static void tells_the_reason_of_the_service(void **state)
{
    (void)state;
    struct provider_request request = {0};
    struct provider_reply reply = {
        .status = 403, .body = VIEW_LITERAL("{\"errors\":[{\"code\":1,\"message\":\"no\\nright \\u0007here\"}]}")};
    struct verdict verdict;
    json_t *json = NULL;
    assert_true(httpjson_judge(&api, &request, &reply, &json, &verdict));
    assert_string_equal(verdict.detail, "HTTP 403: the token is wrong: mend password_file: no right  here");
    reply.status = 422;
    assert_false(httpjson_judge(&api, &request, &reply, &json, &verdict));
    httpjson_refusal(&api, &request, 422, json, &verdict);
    assert_int_equal(verdict.kind, VERDICT_SPLIT);
    assert_string_equal(verdict.detail, "HTTP 422: Example refuses the record: no right  here");
    request.stage = PROVIDER_STAGE_ZONE;
    httpjson_refusal(&api, &request, 422, json, &verdict);
    assert_int_equal(verdict.kind, VERDICT_RETRY);
    httpjson_refusal(&api, &request, 404, NULL, &verdict);
    assert_string_equal(verdict.error, "notfound");
    json_decref(json);
}

static void finds_by_pointer(void **state)
{
    (void)state;
    json_t *json = NULL;
    assert_int_equal(json_parse(VIEW_LITERAL("{\"a\":[{\"b\":\"x\"},{\"b\":7}]}"), 100, 8, &json, NULL), ERR_OK);
    assert_true(view_equals(httpjson_text_at(json, "/a/0/b"), "x"));
    assert_int_equal(json_integer_value(httpjson_at(json, "/a/1/b")), 7);
    assert_int_equal(httpjson_text_at(json, "/a/1/b").len, 0);
    assert_null(httpjson_at(json, "/a/2/b"));
    assert_null(httpjson_at(json, "/a/x"));
    assert_null(httpjson_at(json, "/a/0/b/c"));
    json_decref(json);
}

static void encodes_for_where_it_stands(void **state)
{
    (void)state;
    struct provider_request request;
    provider_request_init(&request);
    httpjson_begin(&request, HTTP_VERB_PATCH, PROVIDER_STAGE_CHANGE);
    strbuf_adds(&request.url, "https://h.example");
    httpjson_path(&request.url, VIEW_LITERAL("a/../b?c"));
    httpjson_query(&request.url, "name", VIEW_LITERAL("*.x y&z"));
    httpjson_query(&request.url, "page", VIEW_LITERAL("2"));
    httpjson_header(&request, "Authorization", "Bearer ", VIEW_LITERAL("t0k"));
    httpjson_add_text(&request.body, "n", VIEW_LITERAL("q\"\n"));
    assert_string_equal(strbuf_str(&request.url), "https://h.example/a%2F..%2Fb%3Fc?name=%2A.x%20y%26z&page=2");
    assert_string_equal(strbuf_str(&request.headers),
                        "Accept: application/json\nContent-Type: application/json\nAuthorization: Bearer t0k\n");
    assert_string_equal(strbuf_str(&request.body), "\"n\":\"q\\\"\\u000a\"");
    assert_int_equal(httpjson_built(&request), ERR_OK);
    httpjson_header(&request, "Authorization", "Bearer ", VIEW_LITERAL("t\nX-Other: 1"));
    assert_int_equal(httpjson_built(&request), ERR_INVALID);
    assert_null(strstr(strbuf_str(&request.headers), "X-Other"));
    provider_request_deinit(&request);
}

static void redacts_whole_encoded_and_cut(void **state)
{
    (void)state;
    char text[] = "token s3cr+et! and s3cr%2Bet%21 and s3cr+";
    httpjson_redact(text, VIEW_LITERAL("s3cr+et!"));
    assert_string_equal(text, "token ******** and ************ and *****");
    char other[] = "s3c";
    httpjson_redact(other, VIEW_LITERAL("s3cr+et!"));
    assert_string_equal(other, "s3c"); /* three characters prove nothing */
    httpjson_redact(other, (struct view){0});
    assert_string_equal(other, "s3c");
}

static void cuts_text_at_whole_characters(void **state)
{
    (void)state;
    char buffer[6];
    httpjson_copy_text(VIEW_LITERAL("abcd\xc3\xa9"), buffer, sizeof(buffer));
    assert_string_equal(buffer, "abcd");
    httpjson_copy_text(VIEW_LITERAL("a\xff\x7f"
                                    "b"),
                       buffer, sizeof(buffer));
    assert_string_equal(buffer, "a  b");
}

static void settles_all_but_the_refused(void **state)
{
    (void)state;
    struct batch_item items[] = {{.outcome = OUTCOME_UNKNOWN, .error = "x"},
                                 {.outcome = OUTCOME_REFUSED, .error = "foreign"}};
    struct batch batch = {.items = items, .len = 2};
    struct verdict verdict = {0};
    char why[PROVIDER_DETAIL_MAX] = "because";
    httpjson_settle_because(&batch, why, &verdict);
    assert_int_equal(verdict.kind, VERDICT_SETTLED);
    assert_string_equal(verdict.detail, "because");
    assert_string_equal(why, "");
    assert_int_equal(httpjson_count_open(&batch), 1);
    assert_int_equal(items[0].outcome, OUTCOME_APPLIED);
    assert_null(items[0].error);
    assert_int_equal(items[1].outcome, OUTCOME_REFUSED);
    verdict = (struct verdict){0};
    batch.len = 1;
    memcpy(why, "of another batch", sizeof("of another batch"));
    httpjson_settle_because(&batch, why, &verdict);
    assert_string_equal(verdict.detail, "");
    assert_string_equal(why, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_what_every_service_means_alike),
        cmocka_unit_test(tells_the_reason_of_the_service),
        cmocka_unit_test(finds_by_pointer),
        cmocka_unit_test(encodes_for_where_it_stands),
        cmocka_unit_test(redacts_whole_encoded_and_cut),
        cmocka_unit_test(cuts_text_at_whole_characters),
        cmocka_unit_test(settles_all_but_the_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
