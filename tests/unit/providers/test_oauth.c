/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct httpjson_api api = {.name = "The service", .login = "check the key", .wait_ms = 7000};

static void replies_of_a_token_endpoint(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum verdict_kind kind;
        const char *error;
        uint64_t until_ms; /* 0 = no token */
    } rows[] = {
        {200, "{\"access_token\":\"t\",\"expires_in\":3600}", VERDICT_CONTINUE, NULL, 1000 + 3540000},
        {200, "{\"access_token\":\"t\",\"expires_in\":\"3599\"}", VERDICT_CONTINUE, NULL, 1000 + 3539000},
        {200, "{\"access_token\":\"t\",\"expires_in\":60}", VERDICT_CONTINUE, NULL, 1000 + 30000},
        {200, "{\"access_token\":\"t\",\"expires_in\":0}", VERDICT_RETRY, "no-token", 0},
        {200, "{\"access_token\":\"t\",\"expires_in\":\"0\"}", VERDICT_RETRY, "no-token", 0},
        {200, "{\"access_token\":\"t\",\"expires_in\":\"soon\"}", VERDICT_RETRY, "no-token", 0},
        {200, "{\"access_token\":\"t\"}", VERDICT_RETRY, "no-token", 0},
        {200, "{\"access_token\":\"\",\"expires_in\":3600}", VERDICT_RETRY, "no-token", 0},
        {200, "<html>", VERDICT_RETRY, "no-token", 0},
        {400, "{\"error\":\"invalid_client\"}", VERDICT_STOP, "badauth", 0},
        {401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215\"}", VERDICT_STOP, "badauth", 0},
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"not in a reasonable timeframe\"}", VERDICT_RETRY,
         "badtime", 0},
        {400, "{\"error\":\"temporarily_unavailable\",\"error_description\":\"AADSTS90033\"}", VERDICT_RETRY,
         "no-token", 0},
        {403, "<html>blocked</html>", VERDICT_RETRY, "no-token", 0},
        {429, "", VERDICT_RETRY, "rate-limited", 0},
        {500, "{\"error\":\"x\"}", VERDICT_RETRY, "no-token", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct oauth_token token = {0};
        struct verdict verdict;
        struct provider_reply reply = {.status = rows[i].status, .body = view_of(rows[i].body), .now_ms = 1000};
        oauth_parse(&token, &api, &reply, &verdict);
        bool error = (verdict.error == NULL) == (rows[i].error == NULL) &&
                     (verdict.error == NULL || strcmp(verdict.error, rows[i].error) == 0);
        if (verdict.kind != rows[i].kind || !error || token.until_ms != rows[i].until_ms ||
            oauth_fresh(&token, 1001) != (rows[i].until_ms != 0) || strstr(verdict.detail, "AADSTS") != NULL) {
            fail_msg("row %zu: %s", i, verdict.detail);
        }
        assert_false(oauth_fresh(&token, rows[i].until_ms));
        oauth_deinit(&token);
    }
}

static void a_wait_is_honoured(void **state)
{
    (void)state;
    struct oauth_token token = {0};
    struct verdict verdict;
    struct provider_reply reply = {.status = 429, .retry_after_ms = 9000};
    oauth_parse(&token, &api, &reply, &verdict);
    assert_int_equal(verdict.wait_ms, 9000);
    reply.retry_after_ms = 0;
    oauth_parse(&token, &api, &reply, &verdict);
    assert_int_equal(verdict.wait_ms, 7000);
}

static void a_refused_token_is_replaced_once(void **state)
{
    (void)state;
    struct oauth_token token = {.until_ms = 100};
    struct verdict verdict = {.kind = VERDICT_STOP};
    struct provider_request request;
    assert_int_equal(secret_set(&token.value, view_of("t1")), ERR_OK);
    provider_request_init(&request);
    oauth_header(&token, &request);
    assert_string_equal(strbuf_str(&request.headers), "Authorization: Bearer t1\n");
    assert_true(oauth_again(&token, &request, &verdict));
    assert_int_equal(verdict.kind, VERDICT_CONTINUE);
    assert_false(oauth_fresh(&token, 1));
    assert_int_equal(secret_set(&token.value, view_of("t2")), ERR_OK);
    assert_false(oauth_again(&token, &request, &verdict));
    assert_null(token.value.ptr);
    provider_request_deinit(&request);
    oauth_deinit(&token);
}

/** Ten requests are out when the token ends: each of them comes back 401, and the login is as good as before. */
static void a_token_that_ends_under_several_requests_is_replaced_once(void **state)
{
    (void)state;
    struct oauth_token token = {0};
    struct verdict verdict = {0};
    struct provider_request first, second, third;
    struct provider_reply reply = {.status = 200, .body = view_of("{\"access_token\":\"t1\",\"expires_in\":3600}")};
    provider_request_init(&first);
    provider_request_init(&second);
    provider_request_init(&third);
    oauth_parse(&token, &api, &reply, &verdict);
    oauth_header(&token, &first);
    oauth_header(&token, &second);
    oauth_header(&token, &third);
    assert_true(oauth_again(&token, &first, &verdict));
    assert_true(oauth_again(&token, &second, &verdict));
    assert_int_equal(verdict.kind, VERDICT_CONTINUE);
    reply.body = view_of("{\"access_token\":\"t2\",\"expires_in\":3600}");
    oauth_parse(&token, &api, &reply, &verdict);
    assert_true(oauth_again(&token, &third, &verdict));
    assert_true(oauth_fresh(&token, 1)); /* the new one has not been tried yet */
    oauth_header(&token, &first);
    assert_false(oauth_again(&token, &first, &verdict));
    provider_request_deinit(&first);
    provider_request_deinit(&second);
    provider_request_deinit(&third);
    oauth_deinit(&token);
}

static void a_long_token_fits(void **state)
{
    (void)state;
    static char body[OAUTH_TOKEN_MAX + 64];
    struct oauth_token token = {0};
    struct verdict verdict = {0};
    struct provider_request request;
    int head = snprintf(body, sizeof(body), "{\"expires_in\":3600,\"access_token\":\"");
    memset(body + head, 'x', OAUTH_TOKEN_MAX);
    (void)snprintf(body + head + OAUTH_TOKEN_MAX, 3, "\"}");
    struct provider_reply reply = {.status = 200, .body = view_of(body)};
    provider_request_init(&request);
    oauth_parse(&token, &api, &reply, &verdict);
    assert_int_equal(verdict.kind, VERDICT_CONTINUE);
    httpjson_begin(&request, HTTP_VERB_PUT, PROVIDER_STAGE_CHANGE);
    oauth_header(&token, &request);
    assert_int_equal(httpjson_built(&request), ERR_OK);
    provider_request_deinit(&request);
    oauth_deinit(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_a_token_endpoint),
        cmocka_unit_test(a_wait_is_honoured),
        cmocka_unit_test(a_refused_token_is_replaced_once),
        cmocka_unit_test(a_token_that_ends_under_several_requests_is_replaced_once),
        cmocka_unit_test(a_long_token_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
