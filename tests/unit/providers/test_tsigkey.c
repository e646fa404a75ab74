/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/tsigkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/dnsmsg.h"

static void reads_every_form_of_a_key(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "key \"k.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n",
        "# made by hand\nkey k.example { secret c2VjcmV0; /* here */ algorithm HMAC-SHA256.; }; // end",
        "hmac-sha256:k.example:c2VjcmV0\n",
        "  # the key\nhmac-sha256:k.example:c2VjcmV0",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct tsigkey key;
        assert_int_equal(tsigkey_parse(view_of(texts[i]), &key, NULL), ERR_OK);
        assert_string_equal(key.algorithm, "hmac-sha256");
        assert_string_equal(key.name, "k.example");
        assert_string_equal(key.secret, "c2VjcmV0");
    }
}

static void refuses_what_is_no_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", ERR_PARSE},
        {"# only a comment", ERR_PARSE},
        {"key", ERR_PARSE},
        {"key \"k", ERR_PARSE},
        {"key k { algorithm hmac-sha256; }", ERR_PARSE},
        {"key k { algorithm hmac-sha256 secret x; }", ERR_PARSE},
        {"key k { colour blue; }", ERR_PARSE},
        {"key k { algorithm hmac-md5; secret x; }", ERR_UNSUPPORTED},
        {"hmac-md5:k:eA==", ERR_UNSUPPORTED},
        {"k:eA==", ERR_PARSE},
        {"hmac-sha256:k:", ERR_PARSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tsigkey key;
        struct errinfo info = {0};
        assert_int_equal(tsigkey_parse(view_of(cases[i].text), &key, &info), cases[i].err);
    }
}

static void secret_must_be_base64(void **state)
{
    (void)state;
    struct tsigkey text = {.algorithm = "hmac-sha256", .name = "k", .secret = "not base64!"};
    struct dnsmsg_key *key = NULL;
    struct errinfo info = {0};
    assert_int_equal(dnsmsg_key_new(&text, &key, &info), ERR_INVALID);
    assert_null(strstr(info.text, "not base64")); /* secrets are never shown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form_of_a_key),
        cmocka_unit_test(refuses_what_is_no_key),
        cmocka_unit_test(secret_must_be_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
