/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crypto.h"

static struct key_rng *rng;

static int set_up(void **state)
{
    (void)state;
    return key_rng_new(&rng) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    key_rng_free(rng);
    return 0;
}

static struct key *make(void)
{
    struct key *key = NULL;
    assert_int_equal(key_make(rng, &key), ERR_OK);
    return key;
}

static struct view point_view(const uint8_t point[static KEY_POINT_SIZE])
{
    return view_n((const char *)point, KEY_POINT_SIZE);
}

static void signs_what_only_its_own_point_verifies(void **state)
{
    (void)state;
    struct key *key = make();
    struct key *other = make();
    uint8_t point[KEY_POINT_SIZE];
    uint8_t foreign[KEY_POINT_SIZE];
    key_public(key, point);
    key_public(other, foreign);
    assert_memory_not_equal(point, foreign, sizeof(point));
    for (int i = 0; i < 20; i++) { /* lengths of the signature differ from time to time */
        uint8_t signature[KEY_SIGNATURE_MAX];
        size_t len = 0;
        assert_int_equal(key_sign(key, VIEW_LITERAL("message"), signature, &len), ERR_OK);
        struct view view = view_n((const char *)signature, len);
        assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("message"), view), ERR_OK);
        assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("Message"), view), ERR_AUTH);
        assert_int_equal(key_verify(point_view(foreign), VIEW_LITERAL("message"), view), ERR_AUTH);
        signature[len - 1] ^= 1;
        assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("message"), view), ERR_AUTH);
        assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("message"), view_n(view.ptr, len - 1)), ERR_AUTH);
    }
    key_free(key);
    key_free(other);
}

static void verify_refuses_what_is_no_point(void **state)
{
    (void)state;
    uint8_t point[KEY_POINT_SIZE] = {4, 1, 2, 3};
    struct view signature = VIEW_LITERAL("\x30\x06\x02\x01\x01\x02\x01\x01");
    assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("m"), signature), ERR_INVALID);
    point[0] = 2;
    assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("m"), signature), ERR_INVALID);
    assert_int_equal(key_verify(VIEW_LITERAL(""), VIEW_LITERAL("m"), signature), ERR_INVALID);
    struct key *key = make();
    key_public(key, point);
    static const struct view bad[] = {VIEW_LITERAL(""), VIEW_LITERAL("\x30\x00"),
                                      VIEW_LITERAL("\x30\x06\x02\x01\x00\x02\x01\x00"),
                                      VIEW_LITERAL("\x30\x06\x02\x01\x01\x02\x01\x01")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("m"), bad[i]), ERR_AUTH);
    }
    key_free(key);
}

static void pem_round_trips_and_the_key_signs_again(void **state)
{
    (void)state;
    struct key *key = make();
    struct key *again = NULL;
    struct strbuf text;
    uint8_t point[KEY_POINT_SIZE];
    uint8_t same[KEY_POINT_SIZE];
    strbuf_init(&text, 1024);
    assert_int_equal(key_write(key, &text), ERR_OK);
    assert_int_equal(key_parse(strbuf_view(&text), rng, &again, NULL), ERR_OK);
    key_public(key, point);
    key_public(again, same);
    assert_memory_equal(point, same, sizeof(point));
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len;
    assert_int_equal(key_sign(again, VIEW_LITERAL("m"), signature, &len), ERR_OK);
    assert_int_equal(key_verify(point_view(point), VIEW_LITERAL("m"), view_n((const char *)signature, len)), ERR_OK);
    strbuf_deinit(&text);
    key_free(key);
    key_free(again);
}

/* Made with: openssl ecparam -name prime256v1 -genkey; openssl pkcs8 -topk8 -nocrypt. The same key twice. */
static const char sec1_text[] = "-----BEGIN EC PARAMETERS-----\n"
                                "BggqhkjOPQMBBw==\n"
                                "-----END EC PARAMETERS-----\n"
                                "-----BEGIN EC PRIVATE KEY-----\n"
                                "MHcCAQEEIMOJ+kVReSIDVShYvl7hnJjHY3XBqQ1rWSV8/YUmp138oAoGCCqGSM49\n"
                                "AwEHoUQDQgAEPj/Tml9q2x+BYj8PE3ImB0a7F/z2+ZrCwaeClRtBxFzT3d5ktJjH\n"
                                "nT8PLoghWycxm1hvTlwdGmCeq/YiHqRuyQ==\n"
                                "-----END EC PRIVATE KEY-----\n";
static const char pkcs8_text[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgw4n6RVF5IgNVKFi+\n"
                                 "XuGcmMdjdcGpDWtZJXz9hSanXfyhRANCAAQ+P9OaX2rbH4FiPw8TciYHRrsX/Pb5\n"
                                 "msLBp4KVG0HEXNPd3mS0mMedPw8uiCFbJzGbWG9OXB0aYJ6r9iIepG7J\n"
                                 "-----END PRIVATE KEY-----\n";

static void reads_what_openssl_writes(void **state)
{
    (void)state;
    struct key *sec1 = NULL;
    struct key *pkcs8 = NULL;
    uint8_t a[KEY_POINT_SIZE];
    uint8_t b[KEY_POINT_SIZE];
    assert_int_equal(key_parse(view_of(sec1_text), rng, &sec1, NULL), ERR_OK);
    assert_int_equal(key_parse(view_of(pkcs8_text), rng, &pkcs8, NULL), ERR_OK);
    key_public(sec1, a);
    key_public(pkcs8, b);
    assert_memory_equal(a, b, sizeof(a));
    char hex[2 * KEY_POINT_SIZE + 1];
    crypto_hex(a, sizeof(a), hex);
    assert_string_equal(hex, "043e3fd39a5f6adb1f81623f0f1372260746bb17fcf6f99ac2c1a782951b41c45cd3ddde64b498c79d3f0f2e8"
                             "8215b27319b586f4e5c1d1a609eabf6221ea46ec9");
    key_free(sec1);
    key_free(pkcs8);
}

static void refuses_other_keys_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"", ERR_PARSE},
        {"no key here", ERR_PARSE},
        {"-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----\n", ERR_PARSE},
        {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n-----END EC PRIVATE KEY-----\n", ERR_PARSE},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nZm9v\n-----END ENCRYPTED PRIVATE KEY-----\n", ERR_UNSUPPORTED},
        {"-----BEGIN RSA PRIVATE KEY-----\nZm9v\n-----END RSA PRIVATE KEY-----\n", ERR_UNSUPPORTED},
        {"-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n", ERR_UNSUPPORTED},
        /* openssl genpkey -algorithm ed25519 */
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
         "-----END PRIVATE KEY-----\n",
         ERR_UNSUPPORTED},
        /* SEC1 with the scalar 0, then with the group order n */
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MDECAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAoGCCqGSM49\nAwEH\n"
         "-----END EC PRIVATE KEY-----\n",
         ERR_INVALID},
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MDECAQEEIP////8AAAAA//////////+85vqtpxeehPO5ysL8YyVRoAoGCCqGSM49\nAwEH\n"
         "-----END EC PRIVATE KEY-----\n",
         ERR_INVALID},
        /* SEC1 that names secp256k1 */
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MC4CAQEEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBoAcGBSuBBAAK\n"
         "-----END EC PRIVATE KEY-----\n",
         ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *key = NULL;
        struct errinfo info = {0};
        enum err err = key_parse(view_of(rows[i].text), rng, &key, &info);
        if (err != rows[i].err) {
            fail_msg("row %zu: %s", i, err_name(err));
        }
        assert_null(key);
        assert_int_equal(info.err, err);
        assert_true(info.text[0] != '\0');
    }
}

static void files_are_private(void **state)
{
    (void)state;
    char folder[] = "/tmp/muster-key-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/k.key", folder);
    struct key *key = make();
    struct key *again = NULL;
    struct errinfo info = {0};
    assert_int_equal(key_save(key, path), ERR_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(key_load(path, rng, &again, &info), ERR_OK);
    assert_int_equal(chmod(path, 0640), 0);
    struct key *refused = NULL;
    assert_int_equal(key_load(path, rng, &refused, &info), ERR_DENIED);
    assert_non_null(strstr(info.text, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(key_load(path, rng, &refused, &info), ERR_NOTFOUND);
    assert_null(refused);
    assert_int_equal(rmdir(folder), 0);
    key_free(key);
    key_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_what_only_its_own_point_verifies),  cmocka_unit_test(verify_refuses_what_is_no_point),
        cmocka_unit_test(pem_round_trips_and_the_key_signs_again), cmocka_unit_test(reads_what_openssl_writes),
        cmocka_unit_test(refuses_other_keys_with_a_reason),        cmocka_unit_test(files_are_private),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
