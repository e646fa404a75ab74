/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keypair.h"

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

#include "base/file.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/pem.h"

/* Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=cam-17`; its key is not kept. */
#define CAM                                                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIBejCCAR+gAwIBAgIUB5kha2st8J4as9jQT6gywIebjeYwCgYIKoZIzj0EAwIw\n"                                               \
    "ETEPMA0GA1UEAwwGY2FtLTE3MCAXDTI2MTEyMjE3MzMxNVoYDzIxMjYxMDI5MTcz\n"                                               \
    "MzE1WjARMQ8wDQYDVQQDDAZjYW0tMTcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"                                               \
    "AAQgq25FVrvoustdmVZbZ/NS4d7YpwPG5V3ABPEvIFBvYXGWljEUAR0MuPu+yuT6\n"                                               \
    "cy/1n3em9vvsB62P7OvzboWao1MwUTAdBgNVHQ4EFgQUJadoyCsAywzLmR4FXb1E\n"                                               \
    "Jp9dHEIwHwYDVR0jBBgwFoAUJadoyCsAywzLmR4FXb1EJp9dHEIwDwYDVR0TAQH/\n"                                               \
    "BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAjAPJYunK9K5gnfic7NHrEzLR/SyG\n"                                               \
    "SF5PxjjSgufDRisCIQD9Tx4Ueen7ae8Q83STX5NNO445gUNL/PZafKc8v1V3lA==\n"                                               \
    "-----END CERTIFICATE-----\n"

static char folder[] = "/tmp/muster-keypair-XXXXXX";
static char cert_path[64], key_path[64];
static char another_key[1024];

static void judge(const char *cert, const char *key, mode_t mode, enum err expected, const char *text)
{
    struct errinfo info = {0};
    struct keypair pair = {0};
    assert_int_equal(file_replace(cert_path, view_of(cert), 0600), ERR_OK);
    assert_int_equal(file_replace(key_path, view_of(key), mode), ERR_OK);
    assert_int_equal(keypair_check(cert_path, key_path, &pair, &info), expected);
    if (text != NULL && strstr(info.text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", info.text, text);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    judge(CAM, another_key, 0600, ERR_INVALID, "is not the key of ");
    judge(CAM, CAM, 0600, ERR_INVALID, "no key for ");
    judge(CAM, "nothing", 0600, ERR_INVALID, "no key for ");
}

/* Of another authority's kind nothing but the key file's permissions is judged. */
static void leaves_foreign_kinds_to_the_tls_library(void **state)
{
    (void)state;
    static const char foreign[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct errinfo info = {0};
    struct keypair pair = {.known = true};
    judge(foreign, another_key, 0640, ERR_OK, NULL);
    assert_int_equal(keypair_check(cert_path, key_path, &pair, &info), ERR_OK);
    assert_false(pair.known);
    judge(foreign, another_key, 0604, ERR_DENIED, "anyone may read it; chmod o-rwx it");
}

static void says_which_file_is_missing(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct keypair pair;
    judge(CAM, another_key, 0600, ERR_INVALID, NULL);
    assert_int_equal(keypair_check(cert_path, "/nonexistent/a.key", &pair, &info), ERR_NOTFOUND);
    assert_string_equal(info.text, "/nonexistent/a.key: not found");
    assert_int_equal(keypair_check("/nonexistent/a.pem", key_path, &pair, &info), ERR_NOTFOUND);
    assert_string_equal(info.text, "/nonexistent/a.pem: not found");
}

static int set_up(void **state)
{
    (void)state;
    struct key_rng *rng = NULL;
    struct key *key = NULL;
    struct strbuf text;
    strbuf_init(&text, sizeof(another_key) - 1);
    bool good = mkdtemp(folder) != NULL && key_rng_new(&rng) == ERR_OK && key_make(rng, &key) == ERR_OK &&
                key_write(key, &text) == ERR_OK;
    (void)snprintf(another_key, sizeof(another_key), "%s", good ? strbuf_str(&text) : "");
    (void)snprintf(cert_path, sizeof(cert_path), "%s/a.pem", folder);
    (void)snprintf(key_path, sizeof(key_path), "%s/a.key", folder);
    strbuf_deinit(&text);
    key_free(key);
    key_rng_free(rng);
    return good ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(cert_path); /* they may not be there */
    (void)unlink(key_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(leaves_foreign_kinds_to_the_tls_library),
        cmocka_unit_test(says_which_file_is_missing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
