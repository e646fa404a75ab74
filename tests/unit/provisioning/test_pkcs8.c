/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pkcs8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "provisioning/pem.h"

#define PASSWORD VIEW_LITERAL("correct horse")
#define PLAIN    VIEW_LITERAL("\x30\x03\x02\x01\x07")

/* openssl genpkey ... | openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 2048 -passout pass:swordfish1
 */
static const char theirs[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                             "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjrHfbM5fk1ZQICCAAw\n"
                             "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJHaeGlvCWl94iX50mrTg7kEgZCl\n"
                             "K203/eOZG1EPGhviv5QlG2bP3/ZMQ1UR0J5dy+3+dxqHyMoEqDB09AW/VK+lonY2\n"
                             "zguZuF8FMbo2gqGUIyjP27Q3SwBWh+ACBXn0fKX+6wpsr34cVqhT2eYKqj4eteKY\n"
                             "29XCgQ30gDgApaEs2kmjb+R09xNa1Um558nosZtzvRl6kX0uaMxnlg3bUCVXEGE=\n"
                             "-----END ENCRYPTED PRIVATE KEY-----\n";
/* the same with -v2prf hmacWithSHA1, and with -v2 aes-128-cbc */
static const char theirs_sha1[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                  "MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAh7q6QHWL3VTAICCAAw\n"
                                  "HQYJYIZIAWUDBAEqBBAk59dxmnRFq5jgDjCMmaujBIGQb0wpbEYWyUOpXzljdsM4\n"
                                  "vY/bS144rTgMyGD7hVmyV6BaFKaJ/EnEG8mOIou/PtEZb7kWh0Q4v/8b6y3I+b0I\n"
                                  "2yiYjNC++RN1lxHZv/dvyRjV4BrPdTaoHi//Ot9AizsJqx8R0CMck8T/25TywAcN\n"
                                  "JsepXNReVrJf7TvVoD6Pu5ab1/fgIdfZKJdebHU1Bw2c\n"
                                  "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char theirs_aes128[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjGGlvSD2r8cQICCAAw\n"
                                    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEKmxMSGJ+t2DpIJaY24uzLEEgZDm\n"
                                    "fPT0CUOPlbNXANTbFlqS0AqLLUriMIa0pvkFoDvNPwEKvH4rD21j3KaJu+NZd0qC\n"
                                    "ZS+cCmCpv2HQzudebaCTzISIBbxLyEChuXx7YdzlMI2v/+WrFr3GNQ0sao9yaQqB\n"
                                    "w4/d2NIBmvBLov5kjxe5LchZuDubG36+gwW+ODdzDIceUQOuebsYAw0kOcRItGY=\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";

static size_t unpem(const char *pem, uint8_t *der, size_t size)
{
    size_t len = 0;
    assert_int_equal(pem_find(view_of(pem), PEM_PKCS8_ENCRYPTED, der, size, &len), ERR_OK);
    return len;
}

static size_t seal(struct view plain, uint8_t *der, size_t size)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    assert_int_equal(pkcs8_seal(plain, PASSWORD, 1000, &text), ERR_OK);
    size_t len = unpem(strbuf_str(&text), der, size);
    strbuf_deinit(&text);
    return len;
}

static void test_only_the_password_opens(void **state)
{
    (void)state;
    uint8_t der[1024];
    uint8_t plain[PKCS8_KEY_MAX];
    size_t plain_len = 0;
    size_t len = seal(PLAIN, der, sizeof(der));
    struct view sealed = view_n((const char *)der, len);
    assert_int_equal(pkcs8_unseal(sealed, PASSWORD, plain, &plain_len), ERR_OK);
    assert_true(view_equal(view_n((const char *)plain, plain_len), PLAIN));
    for (int i = 0; i < 300; i++) { /* some wrong ones decrypt to padding that fits */
        char wrong[] = "wrong horse 000";
        wrong[12] = (char)('0' + i / 100);
        wrong[13] = (char)('0' + i / 10 % 10);
        wrong[14] = (char)('0' + i % 10);
        assert_int_equal(pkcs8_unseal(sealed, view_of(wrong), plain, &plain_len), ERR_AUTH);
    }
}

static void test_every_length_and_no_two_alike(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        uint8_t content[64] = {0x04, (uint8_t)n};
        uint8_t der[1024];
        uint8_t again[1024];
        uint8_t plain[PKCS8_KEY_MAX];
        size_t plain_len = 0;
        struct view in = view_n((const char *)content, n + 2);
        size_t len = seal(in, der, sizeof(der));
        assert_int_equal(pkcs8_unseal(view_n((const char *)der, len), PASSWORD, plain, &plain_len), ERR_OK);
        assert_true(view_equal(view_n((const char *)plain, plain_len), in));
        size_t again_len = seal(in, again, sizeof(again));
        assert_false(view_equal(view_n((const char *)der, len), view_n((const char *)again, again_len)));
    }
}

static void test_openssls_own(void **state)
{
    (void)state;
    uint8_t der[1024];
    uint8_t plain[PKCS8_KEY_MAX];
    size_t plain_len = 0;
    size_t len = unpem(theirs, der, sizeof(der));
    assert_int_equal(pkcs8_unseal(view_n((const char *)der, len), VIEW_LITERAL("swordfish1"), plain, &plain_len),
                     ERR_OK);
    assert_int_equal(plain_len, 138); /* PrivateKeyInfo of P-256 with its public half */
}

static void test_weak_schemes_are_refused(void **state)
{
    (void)state;
    uint8_t der[1024];
    uint8_t plain[PKCS8_KEY_MAX];
    size_t plain_len = 0;
    size_t len = unpem(theirs_sha1, der, sizeof(der));
    assert_int_equal(pkcs8_unseal(view_n((const char *)der, len), VIEW_LITERAL("swordfish1"), plain, &plain_len),
                     ERR_UNSUPPORTED);
    len = unpem(theirs_aes128, der, sizeof(der));
    assert_int_equal(pkcs8_unseal(view_n((const char *)der, len), VIEW_LITERAL("swordfish1"), plain, &plain_len),
                     ERR_UNSUPPORTED);
}

static void test_damage(void **state)
{
    (void)state;
    uint8_t der[1024];
    uint8_t plain[PKCS8_KEY_MAX];
    size_t plain_len = 0;
    size_t len = seal(PLAIN, der, sizeof(der));
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(pkcs8_unseal(view_n((const char *)der, cut), PASSWORD, plain, &plain_len), ERR_PARSE);
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t bad[1024];
        memcpy(bad, der, len);
        bad[i] ^= 0x80;
        enum err err = pkcs8_unseal(view_n((const char *)bad, len), PASSWORD, plain, &plain_len);
        assert_true(err != ERR_OK || !view_equal(view_n((const char *)plain, plain_len), PLAIN));
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct strbuf text;
    char big[PKCS8_KEY_MAX + 1] = {0};
    strbuf_init(&text, 4096);
    assert_int_equal(pkcs8_seal(PLAIN, VIEW_LITERAL("seven77"), 1000, &text), ERR_INVALID);
    assert_int_equal(pkcs8_seal(view_n(big, sizeof(big)), PASSWORD, 1000, &text), ERR_LIMIT);
    assert_int_equal(text.len, 0);
    strbuf_deinit(&text);
    uint8_t der[1024];
    uint8_t plain[PKCS8_KEY_MAX];
    size_t plain_len = 0;
    strbuf_init(&text, 4096);
    assert_int_equal(pkcs8_seal(PLAIN, PASSWORD, 1, &text), ERR_OK);
    size_t len = unpem(strbuf_str(&text), der, sizeof(der));
    strbuf_deinit(&text);
    /* the INTEGER 1 after the salt becomes 0: no iteration at all */
    struct view salt_end = VIEW_LITERAL("\x02\x01\x01\x30");
    uint8_t *at = memmem(der, len, salt_end.ptr, salt_end.len);
    assert_non_null(at);
    at[2] = 0;
    assert_int_equal(pkcs8_unseal(view_n((const char *)der, len), PASSWORD, plain, &plain_len), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_password_opens),
        cmocka_unit_test(test_every_length_and_no_two_alike),
        cmocka_unit_test(test_openssls_own),
        cmocka_unit_test(test_weak_schemes_are_refused),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
