/* SPDX-License-Identifier: Apache-2.0 */
/* Against SoftHSM2, whose tokens are made with its own tool and OpenSC's, as a person would. */
#include "provisioning/pkcs11.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "provisioning/csr.h"
#include "provisioning/keyopen.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN    "24681357"

static struct key_rng *rng;
static char dir[] = "/tmp/muster-pkcs11-XXXXXX";
static char pin_path[64], tokens_path[64], config_path[64], uri_path[64];

/** Runs a program with its output thrown away; its exit code. */
static int run(const char *const *argv)
{
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL && freopen("/dev/null", "w", stderr) != NULL) {
            execvp(argv[0], (char *const *)argv);
        }
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool make_token(const char *label)
{
    const char *const argv[] = {
        "softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", PIN, "--pin", PIN, NULL};
    return run(argv) == 0;
}

static bool make_key(const char *token, const char *type, const char *label, const char *id, const char *more)
{
    const char *const argv[] = {
        "pkcs11-tool", "--module", MODULE,    "--token-label", token,  "--login", "--pin", PIN, "--keypairgen",
        "--key-type",  type,       "--label", label,           "--id", id,        more,    NULL};
    return run(argv) == 0;
}

static int set_up(void **state)
{
    (void)state;
    char config[128];
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(pin_path, sizeof(pin_path), "%s/pin", dir); /* all of them short */
    (void)snprintf(uri_path, sizeof(uri_path), "%s/device.key", dir);
    (void)snprintf(tokens_path, sizeof(tokens_path), "%s/tokens", dir);
    (void)snprintf(config_path, sizeof(config_path), "%s/softhsm2.conf", dir);
    (void)snprintf(config, sizeof(config), "directories.tokendir = %s\nobjectstore.backend = file\n", tokens_path);
    bool good = mkdir(tokens_path, 0700) == 0 && file_replace(config_path, view_of(config), 0600) == ERR_OK &&
                file_replace(pin_path, VIEW_LITERAL(PIN "\n"), 0600) == ERR_OK &&
                setenv("SOFTHSM2_CONF", config_path, 1) == 0 && key_rng_new(&rng) == ERR_OK;
    good = good && make_token("fleet") && make_token("twin") && make_token("twin") &&
           make_key("fleet", "EC:prime256v1", "device-ca", "01", NULL) &&
           make_key("fleet", "EC:prime256v1", "two", "02", NULL) &&
           make_key("fleet", "EC:prime256v1", "two", "03", NULL) &&
           make_key("fleet", "EC:secp384r1", "other-curve", "04", NULL) &&
           make_key("fleet", "rsa:2048", "rsa", "05", NULL) &&
           make_key("fleet", "EC:prime256v1", "loose", "06", "--extractable");
    return good ? 0 : -1;
}

static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char inner[512];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
            remove_tree(inner);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)remove(path); /* leftovers harm nobody */
}

static int tear_down(void **state)
{
    (void)state;
    key_rng_free(rng);
    remove_tree(dir);
    return 0;
}

static enum err open_uri(const char *path_part, const char *query, struct key **ret_key, struct errinfo *info)
{
    char uri[512];
    (void)snprintf(uri, sizeof(uri), "pkcs11:%s?module-path=" MODULE "&pin-source=%s%s", path_part, pin_path, query);
    return key_open(uri, &(struct key_opening){.rng = rng}, ret_key, info);
}

static void test_signs_there_and_cannot_leave(void **state)
{
    (void)state;
    struct key *key = NULL;
    struct errinfo info = {0};
    struct strbuf text;
    uint8_t point[KEY_POINT_SIZE];
    strbuf_init(&text, 4096);
    enum err err = open_uri("token=fleet;object=device-ca", "", &key, &info);
    if (err != ERR_OK) {
        fail_msg("%s", info.text);
    }
    assert_true(key_is_token(key));
    key_public(key, point);
    for (int i = 0; i < 50; i++) { /* r and s lose leading zeros from time to time */
        uint8_t signature[KEY_SIGNATURE_MAX];
        size_t len = 0;
        assert_int_equal(key_sign(key, VIEW_LITERAL("message"), signature, &len), ERR_OK);
        assert_int_equal(key_verify(view_n((const char *)point, sizeof(point)), VIEW_LITERAL("message"),
                                    view_n((const char *)signature, len)),
                         ERR_OK);
    }
    assert_int_equal(key_write(key, &text), ERR_UNSUPPORTED);
    assert_int_equal(key_save(key, uri_path), ERR_UNSUPPORTED);
    assert_int_equal(text.len, 0);
    strbuf_deinit(&text);
    key_free(key);
}

static void test_a_request_of_a_tokens_key(void **state)
{
    (void)state;
    struct key *key = NULL;
    uint8_t der[CSR_DER_MAX];
    size_t len = 0;
    struct csr csr;
    assert_int_equal(open_uri("token=fleet;id=%01", "", &key, NULL), ERR_OK);
    assert_int_equal(csr_build(key, VIEW_LITERAL("cam-1"), der, &len), ERR_OK);
    assert_int_equal(csr_parse(view_n((const char *)der, len), &csr), ERR_OK);
    key_free(key);
}

static void test_a_file_that_names_the_token(void **state)
{
    (void)state;
    struct key *key = NULL;
    char uri[512];
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=fleet;object=device-ca?module-path=" MODULE "\n");
    assert_int_equal(file_replace(uri_path, view_of(uri), 0600), ERR_OK);
    struct errinfo info = {0};
    assert_int_equal(key_open(uri_path, &(struct key_opening){.rng = rng, .password_file = pin_path}, &key, &info),
                     ERR_OK);
    assert_true(key_is_token(key));
    key_free(key);
    assert_int_equal(key_open(uri_path, &(struct key_opening){.rng = rng}, &key, &info), ERR_DENIED);
    assert_non_null(strstr(info.text, "the PIN of token \"fleet\""));
}

static void test_what_does_not_fit_is_never_replaced_by_software(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query;
        enum err err;
        const char *says;
    } rows[] = {
        {"token=none;object=device-ca", "", ERR_NOTFOUND, "no token"},
        {"token=twin;object=device-ca", "", ERR_CONFLICT, "more than one token"},
        {"slot-id=4000000000;object=device-ca", "", ERR_NOTFOUND, "no token"},
        {"token=fleet;object=none", "", ERR_NOTFOUND, "no private key"},
        {"token=fleet;object=device-ca;id=%02", "", ERR_NOTFOUND, "no private key"},
        {"token=fleet;object=two", "", ERR_CONFLICT, "more than one private key"},
        {"token=fleet;object=other-curve", "", ERR_UNSUPPORTED, "P-256"},
        {"token=fleet;object=rsa", "", ERR_UNSUPPORTED, "not an EC key"},
        {"token=fleet;object=loose", "", ERR_UNSUPPORTED, "extracted"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key *key = NULL;
        struct errinfo info = {0};
        assert_int_equal(open_uri(rows[i].path, rows[i].query, &key, &info), rows[i].err);
        assert_null(key);
        if (strstr(info.text, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].path, info.text);
        }
    }
    struct key *key = NULL;
    assert_int_equal(open_uri("token=fleet;object=two;id=%03", "", &key, NULL), ERR_OK);
    key_free(key);
}

static void test_modules_that_are_none(void **state)
{
    (void)state;
    static const char *const modules[] = {"/nowhere.so", "/etc/passwd", "/lib/x86_64-linux-gnu/libm.so.6"};
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        char uri[256];
        struct key *key = NULL;
        (void)snprintf(uri, sizeof(uri), "pkcs11:token=fleet;object=device-ca?module-path=%s", modules[i]);
        assert_int_equal(key_open(uri, &(struct key_opening){.rng = rng}, &key, NULL), ERR_NOTFOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules_that_are_none),
        cmocka_unit_test(test_what_does_not_fit_is_never_replaced_by_software),
        cmocka_unit_test(test_signs_there_and_cannot_leave),
        cmocka_unit_test(test_a_request_of_a_tokens_key),
        cmocka_unit_test(test_a_file_that_names_the_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
