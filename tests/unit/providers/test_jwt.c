/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/providers/google_key.h"

/* The same as RSAPrivateKey. */
#define KEY_PKCS1                                                                                                      \
    "-----BEGIN RSA PRIVATE KEY-----\n"                                                                                \
    "MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0\n"                                               \
    "l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC\n"                                               \
    "gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX\n"                                               \
    "ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\n"                                               \
    "Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8\n"                                               \
    "q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S\n"                                               \
    "bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\n"                                               \
    "UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O\n"                                               \
    "n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK\n"                                               \
    "Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f\n"                                               \
    "40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU\n"                                               \
    "bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE\n"                                               \
    "tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\n"                                               \
    "BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\n"                                               \
    "fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs\n"                                               \
    "p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD\n"                                               \
    "zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7\n"                                               \
    "DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4\n"                                               \
    "U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm\n"                                               \
    "27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN\n"                                               \
    "54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\n"                                               \
    "Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S\n"                                               \
    "0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z\n"                                               \
    "NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE\n"                                               \
    "6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1\n"                                                           \
    "-----END RSA PRIVATE KEY-----\n"
/* Of kinds that are refused; made for this test with `openssl genpkey`, `openssl genrsa 1024`, `openssl pkcs8`. */
#define KEY_EC                                                                                                         \
    "-----BEGIN PRIVATE KEY-----\\n"                                                                                   \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGjnFYZPJQ4yoYoMi\\n"                                              \
    "mXohnvRU6+7Hg66BL6PDhbWrQWWhRANCAAQjy0b5rtSLd4WIhDCJ8ELhvpZoLEqK\\n"                                              \
    "fOPpFH/9BOU2ACe5/wSaJIBBzIHSY/YOdGYavAD/1Y7Bl5uZLsQ83XWF\\n"                                                      \
    "-----END PRIVATE KEY-----\\n"
#define KEY_SMALL                                                                                                      \
    "-----BEGIN PRIVATE KEY-----\\n"                                                                                   \
    "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBALeMw11zbVtgJx8z\\n"                                              \
    "e21x4kGN/8H/YBKNNhVEakvpx9wr+U6dHKeULwTROybTWeQ7cZxdZuQCejZsL1gp\\n"                                              \
    "nqatSsFKsXn3uEFc02JylGz6MZ4tbonMCmnLThQvQtLb8ZOEAzpRSMJ7Gqdulupc\\n"                                              \
    "kedxKpQV/exPUqmiij9WuXxx2MgTAgMBAAECgYAJ0bv52dz10HUHVEe8GSWTgDc4\\n"                                              \
    "d6L6GxfTl29gVEde3fNeY0VPKbxCM7dIYnIipZN0XALPG9rR4oO94awdGpQvH9Bi\\n"                                              \
    "IqcqwQBSPxtHuh6czexqrc31fVOxasAT6p2Y5NQqL7/c+ykFUCpN88RGncbHdsNY\\n"                                              \
    "CnOQZ0g8+JpAsvGFYQJBANkEpoHPS3Y8hARLGTEkKUE13lZl3KixIc8Rk9pprKM+\\n"                                              \
    "+oTdSVzfK3dW0ji+yxswb3aO27skfL9GtzqRo12DIysCQQDYhRusI9sp+qp75vwP\\n"                                              \
    "2txsNIlqyiJKGjDYtVwEMexADOaTwSR9J7wigTetqla/BUwV9KDgcI8blitQ7lxs\\n"                                              \
    "hhq5AkBil9hFtTWlW8zmXm/tgW40sBJ40gIzqXWgq22ulr/V0nDiF96SkNkgeJM9\\n"                                              \
    "MID5s0GQbUqqdOMvyyLHOw8rFr7NAkBRyCUlpf14I7gVSK/YhUBQlp94+JRvDOl6\\n"                                              \
    "UTZKV1j28Gh/Uqqno0SKe+g97mMJj8SnXlkNrTZAoz4FOaMrUpPxAkBB6eE0aCNT\\n"                                              \
    "xqS3O2Y613og1hzIquTcGD256U338N4It4twG2xfS8UNs2M4G3P0pWvNbzxY1Q1F\\n"                                              \
    "iglvQQWaJw+r\\n"                                                                                                  \
    "-----END PRIVATE KEY-----\\n"
#define KEY_ENCRYPTED                                                                                                  \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\\n"                                                                         \
    "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIPYK2JlRYHrgCAggA\\n"                                              \
    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBCdD5M9oPPKDu71CR4dFSDSBIIE\\n"                                              \
    "0GZhSX3Jx/3EFNmEfMWz8Ef8RQscFl0xN1dpz1eoNECYzLoY9cDpLDXE0kmI2qeA\\n"                                              \
    "VdQaJChRYmUE2q9azl7oyjVhEW5O6HZyl3WfDEtXg4zJB7Przy4hMyJzv8At8s0J\\n"                                              \
    "+bMbRc1GbERvmPoj02IFKvUf8Y+VQ6o2hR2K2o84VYNQRbUqnlhJ/IUaes+xy1DA\\n"                                              \
    "z8OdPj0V14K4Iee9tJ7FKDcBhAqzC6bROK9liY0U834YKFtlI4He/ebkAYyqevd7\\n"                                              \
    "vgROB5wZl+ZsOFzLnR2eLqMpE8qpWo8Qrr8ODkdo0fL6nvXZ1x/XMIgQI/oSAJXq\\n"                                              \
    "+2hXBWfquemGBYvmLMUgVgs0IFfjjTOIY/AHKa66QUDIZQI9v9MQ4zCZHaNGjqTS\\n"                                              \
    "Ws4ymhXW1iy7N++cNPl5ksh/n88GTYl1s3jzY/VVNgGahhDF6+wGPypmaoL+tFjT\\n"                                              \
    "xdlj7c33iAw8JakOTJyz0/8/j7Bz/fOe0eTxu/j8Aex5GuHpBSi56VT/SMm5Qdtg\\n"                                              \
    "epEQxJ9IxLRM6AlW44gtQrw1kGsWUz1IvIhNX5S5GozmeDKPBbiOI5LFHZKTEGMc\\n"                                              \
    "HVw5sQYm63aHcqQ4rl4yMiEY1oY3hWi9Th02xJEW7CYvz4NAR7HwBkLmE7oxy7C5\\n"                                              \
    "QPa7d8zeklivFBaZZ8myDRKLjzizFpz/crjzlucJlkTWQyirdJXHrPlNp06IQkVj\\n"                                              \
    "W12WULvMqD41kdmgqGFEHgA2kdNh6/sYj8Di3XNt/Ri40/wTatiP1U0ZZ4sX04J4\\n"                                              \
    "65TTQhULjukY5TcPrQX8bc9H6W5pRm1qXkXFTwUUDNgPctLmRxNsdPUs2CXHUr0l\\n"                                              \
    "CQvyp3iSu5wfp1/EE/IhuSYC3dWikmUfL+Q5ep8K54eZMaI1Yoc3Hpr1o5lGVahK\\n"                                              \
    "+LyJRxXoX6iwlZladyAEHbMZoC9X0schv3kL+oGsV/2sLU/Tu5XexkUVIFgO20vE\\n"                                              \
    "U9fIvX5NJSkymv8+CpNdKPgQY6CdLNy0DOAyei/ea6ZWp6xp9qZkIso6ZRpFAvmb\\n"                                              \
    "0Lvx+fimlv+vDLfl5ZDxwGngHhPNJyBWNc2MGHH16NDJ8H3ouaX0i2ARasFNoRCD\\n"                                              \
    "RuCHOZmt8moIdAl5WvRhZDrG2fdWaur2Vc35qPw8XiiPZhnNymQmioKCSisMdPVg\\n"                                              \
    "QPbFybmJvNm01EgAhuwtXWk5ruf1tUD0LK5yzYf1rL9LuuQ8ZNQ36252+ShGQ9m6\\n"                                              \
    "PTg8xW1GL4jfaeUl6TKLA+STFHsO+xWDsiblH811HSKSQahhdbcc1PYUOeGfLv4G\\n"                                              \
    "X1WTxbfE9UD7/uDoi6U/Xi9Iz/B156j/ynsFLFPsDqYRoXNS/3ZjdwWhJr+L0WtF\\n"                                              \
    "gA9QX7yPctCVoAu6OVhz82cXe8pvpjbShfMxrBxg5VCoIKfnnbUFSQXmZhZK/+9R\\n"                                              \
    "cPgWdgAPZQjgvaS1Id1suGv1jNO8hmirALYdU2ZQKhOy96TKOyP3cq3OEv1QYTmr\\n"                                              \
    "6Qbn57yoEzfT+8VUfxZZ+KHHXJ1tc1oiUcC5fcU4503sDLKnPv7KXAlyNJcqDzrV\\n"                                              \
    "7f6rm10TqgGepRJ6RTKF1cv7UhDTdRA6qP6100kGb2gEj8/41PUlwJpjBdeVolC5\\n"                                              \
    "3mnneC3FC2JSSqPwwHyG4gaxAvP7H/zmi/BLOh0LeJ96\\n"                                                                  \
    "-----END ENCRYPTED PRIVATE KEY-----\\n"

#define RFC_CLAIMS "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
#define RFC_TOKEN                                                                                                      \
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"             \
    "yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt"             \
    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"             \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI"             \
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
/* Made with the same key by `openssl dgst -sha256 -sign`. */
#define GOOGLE_TOKEN                                                                                                   \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njci"             \
    "fQ.eyJpc3MiOiJtdXN0ZXJAcHJvamVjdC0xLmlhbS5nc2VydmljZWFjY291bnQuY29tIiwic2NvcGUiOiJodHRwczovL3d3dy5nb"             \
    "29nbGVhcGlzLmNvbS9hdXRoL25kZXYuY2xvdWRkbnMucmVhZHdyaXRlIiwiYXVkIjoiaHR0cHM6Ly9vYXV0aDIuZ29vZ2xlYXBpc"             \
    "y5jb20vdG9rZW4iLCJpYXQiOjE3OTU0MjA4MDAsImV4cCI6MTc5NTQyNDQwMH0.XXKiFdjBTZkjRjCfkXDNJZCehGjHTjxFFXlrA"             \
    "Kz-UDRULWk3kb4FqPirt8EF1zyURjr7_mokweh-nwe24tWqrEr2hnsm2J7xpXdyYRytjw57pWL1PQ4KEYp2GJO647Afz-KTbUZQA"             \
    "HSzuXb6IxZSseMz9FPi5UJstEIQMZwD5PMIR2Ijo9XcWeZcWO5JbDdCA7miQxVb9WdNtlRPZ41Xw9QWptgfIz6mS0dN6KamAfWN4"             \
    "-u9HIatZUsYMDOTGedZSyjGEKovzrg0if8wZOsSeF1cYlNfIv-eeZ6ytKMba1XfXWSIxMS1t1ndH4PsnIm-yHoMwq2jz8ZWo6YpV"             \
    "-KR-A"

#define FILE_OF(type, key, uri)                                                                                        \
    "{\n  \"type\": " type ",\n  \"project_id\": \"project-1\",\n"                                                     \
    "  \"private_key_id\": \"0123456789abcdef0123456789abcdef01234567\",\n  \"private_key\": \"" key "\",\n"           \
    "  \"client_email\": \"muster@project-1.iam.gserviceaccount.com\",\n  \"client_id\": \"1\",\n"                     \
    "  \"auth_uri\": \"https://accounts.google.com/o/oauth2/auth\",\n  \"token_uri\": " uri ",\n"                      \
    "  \"universe_domain\": \"googleapis.com\"\n}\n"
#define TYPE "\"service_account\""
#define URI  "\"https://oauth2.googleapis.com/token\""

static struct jwt_account load(const char *json)
{
    struct jwt_account account;
    struct errinfo info = {0};
    if (jwt_account_parse(view_of(json), &account, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return account;
}

static void signs_as_rfc_7515_shows(void **state)
{
    (void)state;
    struct jwt_account account = load(FILE_OF(TYPE, KEY_IN_JSON, URI));
    struct strbuf token;
    strbuf_init(&token, 4096);
    for (int i = 0; i < 2; i++) { /* a key signs any number of times */
        strbuf_clear(&token);
        assert_int_equal(jwt_sign(account.key, VIEW_LITERAL("{\"alg\":\"RS256\"}"), VIEW_LITERAL(RFC_CLAIMS), &token),
                         ERR_OK);
        assert_string_equal(strbuf_str(&token), RFC_TOKEN);
    }
    strbuf_deinit(&token);
    jwt_account_deinit(&account);
}

static void reads_both_forms_of_a_key(void **state)
{
    (void)state;
    struct crypto_rsa *key = NULL;
    struct strbuf token;
    strbuf_init(&token, 4096);
    assert_int_equal(crypto_rsa_new(VIEW_LITERAL(KEY_PKCS1), &key), ERR_OK);
    assert_int_equal(jwt_sign(key, VIEW_LITERAL("{\"alg\":\"RS256\"}"), VIEW_LITERAL(RFC_CLAIMS), &token), ERR_OK);
    assert_string_equal(strbuf_str(&token), RFC_TOKEN);
    strbuf_deinit(&token);
    crypto_rsa_free(key);
    crypto_rsa_free(NULL);
    assert_int_equal(crypto_rsa_new(view_of(""), &key), ERR_PARSE);
}

static void asserts_as_google_documents(void **state)
{
    (void)state;
    struct jwt_account account = load(FILE_OF(TYPE, KEY_IN_JSON, URI));
    struct strbuf token;
    strbuf_init(&token, 4096);
    assert_string_equal(account.project, "project-1");
    assert_string_equal(account.token_uri, "https://oauth2.googleapis.com/token");
    assert_int_equal(
        jwt_assertion(&account, "https://www.googleapis.com/auth/ndev.clouddns.readwrite", 1795420800999, &token),
        ERR_OK);
    assert_string_equal(strbuf_str(&token), GOOGLE_TOKEN);
    strbuf_deinit(&token);
    strbuf_init(&token, 100);
    assert_int_equal(jwt_assertion(&account, "s", 0, &token), ERR_LIMIT);
    strbuf_deinit(&token);
    jwt_account_deinit(&account);
    assert_null(account.key);
    assert_string_equal(account.email, "");
}

static void escapes_of_a_file_are_read(void **state)
{
    (void)state;
    struct jwt_account account = load(FILE_OF(TYPE, KEY_IN_JSON, "\"https:\\/\\/oauth2.googleapis.com\\u002ftoken\""));
    assert_string_equal(account.token_uri, "https://oauth2.googleapis.com/token");
    jwt_account_deinit(&account);
}

#define LONG_64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_512 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64

static void refuses_what_is_no_account(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum err err;
        const char *says;
    } cases[] = {
        {"", ERR_PARSE, "not the JSON file"},
        {"{}", ERR_UNSUPPORTED, "`type`"},
        {FILE_OF("\"authorized_user\"", KEY_IN_JSON, URI), ERR_UNSUPPORTED, "`type`"},
        {FILE_OF("1", KEY_IN_JSON, URI), ERR_PARSE, "`type`"},
        {FILE_OF(TYPE, KEY_IN_JSON, "\"http://oauth2.googleapis.com/token\""), ERR_INVALID, "`token_uri`"},
        {FILE_OF(TYPE, KEY_IN_JSON, "\"https://a/\\r\\nX: y\""), ERR_INVALID, "`token_uri`"},
        {FILE_OF(TYPE, KEY_IN_JSON, "\"\\u00e9\""), ERR_PARSE, "`token_uri`"},
        {FILE_OF(TYPE, KEY_IN_JSON, "\"\""), ERR_INVALID, "`token_uri`"},
        {FILE_OF(TYPE, KEY_IN_JSON, "\"https://" LONG_512 "\""), ERR_LIMIT, "`token_uri`"},
        {FILE_OF(TYPE, "", URI), ERR_PARSE, "`private_key`"},
        {FILE_OF(TYPE, "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n", URI), ERR_UNSUPPORTED,
         "`private_key`"},
        {FILE_OF(TYPE, KEY_EC, URI), ERR_UNSUPPORTED, "`private_key`"},
        {FILE_OF(TYPE, KEY_SMALL, URI), ERR_UNSUPPORTED, "`private_key`"},
        {FILE_OF(TYPE, KEY_ENCRYPTED, URI), ERR_PARSE, "`private_key`"},
        {"{\"type\":\"service_account\",\"type\":\"service_account\"}", ERR_PARSE, "not the JSON file"},
        {"{\"type\":\"service_account\",\"a\":[[1]]}", ERR_LIMIT, "not the JSON file"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct jwt_account account;
        struct errinfo info = {0};
        enum err err = jwt_account_parse(view_of(cases[i].json), &account, &info);
        if (err != cases[i].err || strstr(info.text, cases[i].says) == NULL) {
            fail_msg("case %zu: %s, \"%s\"", i, err_name(err), info.text);
        }
    }
}

static void a_file_has_a_cap(void **state)
{
    (void)state;
    struct jwt_account account;
    struct strbuf text;
    strbuf_init(&text, 2 * (size_t)JWT_ACCOUNT_FILE_MAX);
    strbuf_adds(&text, FILE_OF(TYPE, KEY_IN_JSON, URI));
    while (text.len < JWT_ACCOUNT_FILE_MAX) {
        strbuf_addc(&text, '\n');
    }
    assert_int_equal(jwt_account_parse(strbuf_view(&text), &account, NULL), ERR_OK);
    jwt_account_deinit(&account);
    strbuf_addc(&text, '\n');
    assert_int_equal(jwt_account_parse(strbuf_view(&text), &account, NULL), ERR_LIMIT);
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_rfc_7515_shows),     cmocka_unit_test(reads_both_forms_of_a_key),
        cmocka_unit_test(asserts_as_google_documents), cmocka_unit_test(escapes_of_a_file_are_read),
        cmocka_unit_test(refuses_what_is_no_account),  cmocka_unit_test(a_file_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
