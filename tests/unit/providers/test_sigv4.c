/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

#define WALL_MS     1440938160000 /* 2015-08-30T12:36:00Z */
#define TOKEN_SHORT "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define TOKEN_LONG                                                                                                     \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp"                       \
    "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQ"                       \
    "DYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+s"                       \
    "cqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define DIGEST_OF_BODY "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

static const struct sigv4_credentials example = {.id = {"AKIDEXAMPLE", 11},
                                                 .secret = {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40}};

/*
 * AWS's signing test suite, every case that asks for a normalised path:
 * https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4, read 2026-11-23.
 */
static const struct vector {
    const char *name, *method, *path, *query, *body, *token, *signature;
    struct {
        const char *name, *value;
    } headers[5];
} vectors[] = {
    {.name = "get-header-key-duplicate",
     .method = "GET",
     .path = "/",
     .headers = {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {.name = "get-header-value-multiline",
     .method = "GET",
     .path = "/",
     .headers = {{"My-Header1", "value1 value2 value3"}},
     .signature = "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
    {.name = "get-header-value-order",
     .method = "GET",
     .path = "/",
     .headers =
         {{"My-Header1", "value4"}, {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}},
     .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {.name = "get-header-value-trim",
     .method = "GET",
     .path = "/",
     .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "get-relative-normalized",
     .method = "GET",
     .path = "/example/..",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-relative-relative-normalized",
     .method = "GET",
     .path = "/example1/example2/../..",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-dot-slash-normalized",
     .method = "GET",
     .path = "/./",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-normalized",
     .method = "GET",
     .path = "//",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-slash-pointless-dot-normalized",
     .method = "GET",
     .path = "/./example",
     .signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {.name = "get-slashes-normalized",
     .method = "GET",
     .path = "//example//",
     .signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {.name = "get-space-normalized",
     .method = "GET",
     .path = "/example space/",
     .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-unreserved",
     .method = "GET",
     .path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-utf8",
     .method = "GET",
     .path = "/\xe1\x88\xb4",
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-vanilla-empty-query-key",
     .method = "GET",
     .path = "/",
     .query = "Param1=value1",
     .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {.name = "get-vanilla-query-order-encoded",
     .method = "GET",
     .path = "/",
     .query = "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
     .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {.name = "get-vanilla-query-order-key-case",
     .method = "GET",
     .path = "/",
     .query = "Param2=value2&Param1=value1",
     .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-vanilla-query-unreserved",
     .method = "GET",
     .path = "/",
     .query = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~"
              "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {.name = "get-vanilla-query",
     .method = "GET",
     .path = "/",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-vanilla-utf8-query",
     .method = "GET",
     .path = "/",
     .query = "\xe1\x88\xb4"
              "=bar",
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "get-vanilla-with-session-token",
     .method = "GET",
     .path = "/",
     .token = TOKEN_SHORT,
     .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "get-vanilla",
     .method = "GET",
     .path = "/",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "post-header-key-case",
     .method = "POST",
     .path = "/",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-header-key-sort",
     .method = "POST",
     .path = "/",
     .headers = {{"My-Header1", "value1"}},
     .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {.name = "post-header-value-case",
     .method = "POST",
     .path = "/",
     .headers = {{"My-Header1", "VALUE1"}},
     .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {.name = "post-sts-header-after",
     .method = "POST",
     .path = "/",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-sts-header-before",
     .method = "POST",
     .path = "/",
     .token = TOKEN_LONG,
     .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
    {.name = "post-vanilla-empty-query-value",
     .method = "POST",
     .path = "/",
     .query = "Param1=value1",
     .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "post-vanilla-query",
     .method = "POST",
     .path = "/",
     .query = "Param1=value1",
     .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {.name = "post-vanilla",
     .method = "POST",
     .path = "/",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "post-x-www-form-urlencoded-parameters",
     .method = "POST",
     .path = "/",
     .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}, {"Content-Length", "13"}},
     .body = "Param1=value1",
     .signature = "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
    {.name = "post-x-www-form-urlencoded",
     .method = "POST",
     .path = "/",
     .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", "13"}},
     .body = "Param1=value1",
     .signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static struct sigv4_request request_of(const struct vector *vector, struct sigv4_header headers[static 8])
{
    struct sigv4_request request = {.region = "us-east-1",
                                    .service = "service",
                                    .wall_ms = WALL_MS,
                                    .method = vector->method,
                                    .host = "example.amazonaws.com",
                                    .path = view_of(vector->path),
                                    .query = view_of(vector->query),
                                    .headers = headers,
                                    .payload = view_of(vector->body)};
    for (size_t i = 0; i < ARRAY_LEN(vector->headers) && vector->headers[i].name != NULL; i++) {
        headers[request.headers_len++] =
            (struct sigv4_header){view_of(vector->headers[i].name), view_of(vector->headers[i].value)};
    }
    if (vector->body != NULL) { /* the suite's `sign_body` */
        headers[request.headers_len++] =
            (struct sigv4_header){VIEW_LITERAL("X-Amz-Content-Sha256"), VIEW_LITERAL(DIGEST_OF_BODY)};
    }
    return request;
}

static void the_vendors_suite_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct sigv4_header headers[8];
        struct sigv4_credentials credentials = example;
        struct sigv4_request request = request_of(&vectors[i], headers);
        struct strbuf lines;
        strbuf_init(&lines, 4096);
        credentials.token = view_of(vectors[i].token);
        assert_int_equal(sigv4_sign(&request, &credentials, &lines), ERR_OK);
        const char *signature = strstr(strbuf_str(&lines), ", Signature=");
        assert_non_null(signature);
        if (strncmp(signature + 12, vectors[i].signature, 64) != 0) {
            struct strbuf text;
            strbuf_init(&text, SIGV4_TEXT_MAX);
            assert_int_equal(sigv4_canonical(&request, &credentials, &text), ERR_OK);
            fail_msg("%s: canonical request is\n%s", vectors[i].name, strbuf_str(&text));
        }
        strbuf_deinit(&lines);
    }
}

static void the_lines_are_whole(void **state)
{
    (void)state;
    struct sigv4_header headers[8];
    struct sigv4_credentials credentials = example;
    struct sigv4_request request = request_of(&vectors[0], headers);
    struct strbuf lines;
    request.headers_len = 0;
    credentials.token = VIEW_LITERAL(TOKEN_SHORT);
    strbuf_init(&lines, 4096);
    assert_int_equal(sigv4_sign(&request, &credentials, &lines), ERR_OK);
    assert_string_equal(
        strbuf_str(&lines),
        "X-Amz-Date: 20150830T123600Z\nX-Amz-Security-Token: " TOKEN_SHORT
        "\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8\n");
    strbuf_deinit(&lines);
}

/** Rules of the specification that the suite does not touch. */
static void canonical_request(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query, *want;
    } rows[] = {
        {"/a%20b", "", "/a%2520b\n\n"}, /* encoded twice: it is encoded in the URL already */
        {"/a/b/..", "", "/a/\n\n"},
        {"/..", "", "/\n\n"},
        {"", "", "/\n\n"},
        {"/2013-04-01/hostedzone/Z1/rrset/", "", "/2013-04-01/hostedzone/Z1/rrset/\n\n"},
        {"/", "b&a", "/\na=&b=\n"},
        {"/", "a=2&a=1&a-b=0&a=", "/\na=&a=1&a=2&a-b=0\n"}, /* by name, then by value: not as one text */
        {"/", "dnsname=a.example.&maxitems=1", "/\ndnsname=a.example.&maxitems=1\n"},
        {"/", "a=x%2Fy/z", "/\na=x%2Fy%2Fz\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sigv4_request request = {.region = "r",
                                        .service = "s",
                                        .method = "GET",
                                        .host = "h",
                                        .path = view_of(rows[i].path),
                                        .query = view_of(rows[i].query)};
        struct strbuf text, want;
        strbuf_init(&text, SIGV4_TEXT_MAX);
        strbuf_init(&want, SIGV4_TEXT_MAX);
        strbuf_addf(&want, "GET\n%shost:h\nx-amz-date:19700101T000000Z\n\nhost;x-amz-date\n%s", rows[i].want,
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_OK);
        assert_string_equal(strbuf_str(&text), strbuf_str(&want));
        strbuf_deinit(&text);
        strbuf_deinit(&want);
    }
}

static void bounds_hold(void **state)
{
    (void)state;
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct sigv4_request request = {
        .region = "r", .service = "s", .method = "GET", .host = "h", .path = VIEW_LITERAL("/"), .headers = headers};
    struct strbuf text, query;
    strbuf_init(&text, SIGV4_TEXT_MAX);
    strbuf_init(&query, SIGV4_TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        headers[i] = (struct sigv4_header){VIEW_LITERAL("x"), VIEW_LITERAL("1")};
    }
    request.headers_len = SIGV4_HEADERS_MAX - 2; /* host and date are added */
    assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_OK);
    request.headers_len++;
    assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_LIMIT);
    request.headers_len = 1;
    headers[0].value = VIEW_LITERAL("1\nX-Amz-Acl: public-read");
    assert_int_equal(sigv4_sign(&request, &example, &text), ERR_INVALID);
    request.headers_len = 0;
    for (size_t i = 0; i < SIGV4_PARTS_MAX; i++) {
        strbuf_adds(&query, "a&");
    }
    request.query = view_n(query.ptr, query.len - 1);
    strbuf_clear(&text);
    assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_OK);
    strbuf_adds(&query, "a");
    request.query = strbuf_view(&query);
    assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_LIMIT);
    request.query = view_of("");
    for (size_t i = 0; i < SIGV4_PARTS_MAX; i++) {
        query.ptr[2 * i + 1] = '/';
    }
    request.path = strbuf_view(&query);
    assert_int_equal(sigv4_canonical(&request, &example, &text), ERR_LIMIT);
    strbuf_deinit(&text);
    strbuf_deinit(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vendors_suite_holds),
        cmocka_unit_test(the_lines_are_whole),
        cmocka_unit_test(canonical_request),
        cmocka_unit_test(bounds_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
