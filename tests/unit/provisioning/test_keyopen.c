/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keyopen.h"

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
#include "provisioning/ed25519.h"
#include "provisioning/pem.h"

#define PASSWORD "correct horse battery"

static struct key_rng *rng;
static char dir[] = "/tmp/muster-keyopen-XXXXXX";
static char path[64], password_path[64], ed_path[64];
static struct key *original;
static unsigned asked;

/** Somebody at a terminal. */
static enum err answer(void *context, const char *what, struct secret *ret)
{
    asked++;
    assert_non_null(strstr(what, "the password of "));
    const char *word = context;
    return word != NULL ? secret_set(ret, view_of(word)) : ERR_CLOSED;
}

/** The PEM in @p plain under the password, which costs less to try than with the number of real files. */
static bool seal(const struct strbuf *plain, const char *file)
{
    struct strbuf text;
    uint8_t der[PKCS8_KEY_MAX];
    size_t len = 0;
    strbuf_init(&text, 4096);
    bool good = pem_find(strbuf_view(plain), PEM_PKCS8, der, sizeof(der), &len) == ERR_OK &&
                pkcs8_seal(view_n((const char *)der, len), view_of(PASSWORD), 1000, &text) == ERR_OK &&
                file_replace(file, strbuf_view(&text), 0600) == ERR_OK;
    strbuf_deinit(&text);
    return good;
}

static int set_up(void **state)
{
    (void)state;
    struct ed25519 *ed = NULL;
    struct strbuf text;
    bool good = mkdtemp(dir) != NULL && key_rng_new(&rng) == ERR_OK && key_make(rng, &original) == ERR_OK &&
                ed25519_make(rng, &ed) == ERR_OK;
    (void)snprintf(path, sizeof(path), "%s/a.key", dir); /* short */
    (void)snprintf(ed_path, sizeof(ed_path), "%s/ed.key", dir);
    (void)snprintf(password_path, sizeof(password_path), "%s/password", dir);
    strbuf_init(&text, 4096);
    good = good && key_write(original, &text) == ERR_OK && seal(&text, path) &&
           file_replace(password_path, view_of(PASSWORD "\nsecond line\n"), 0600) == ERR_OK;
    strbuf_clear(&text);
    good = good && ed25519_write(ed, &text) == ERR_OK && seal(&text, ed_path);
    strbuf_deinit(&text);
    ed25519_free(ed);
    return good ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path); /* leftovers harm nobody */
    (void)unlink(ed_path);
    (void)unlink(password_path);
    (void)rmdir(dir);
    key_free(original);
    key_rng_free(rng);
    return 0;
}

static enum err open_with(const struct key_opening *opening, struct errinfo *info)
{
    struct key *key = NULL;
    enum err err = key_open(path, opening, &key, info);
    if (err == ERR_OK) {
        uint8_t mine[KEY_POINT_SIZE];
        uint8_t theirs[KEY_POINT_SIZE];
        key_public(original, mine);
        key_public(key, theirs);
        assert_memory_equal(mine, theirs, sizeof(mine));
        assert_false(key_is_token(key));
    }
    key_free(key);
    return err;
}

static void test_by_file_or_person(void **state)
{
    (void)state;
    struct errinfo info = {0};
    char word[] = PASSWORD;
    assert_int_equal(open_with(&(struct key_opening){.rng = rng, .password_file = password_path}, &info), ERR_OK);
    asked = 0;
    assert_int_equal(open_with(&(struct key_opening){.rng = rng, .ask = answer, .ask_context = word}, &info), ERR_OK);
    assert_int_equal(asked, 1);
}

static void test_without_the_password(void **state)
{
    (void)state;
    struct errinfo info = {0};
    char wrong[] = "correct horse batterx";
    assert_int_equal(open_with(&(struct key_opening){.rng = rng}, &info), ERR_DENIED);
    assert_non_null(strstr(info.text, "no terminal"));
    assert_int_equal(open_with(&(struct key_opening){.rng = rng, .ask = answer, .ask_context = wrong}, &info),
                     ERR_AUTH);
    assert_null(strstr(info.text, wrong));
    assert_int_equal(open_with(&(struct key_opening){.rng = rng, .ask = answer}, &info), ERR_CLOSED);
    struct key *key = NULL;
    assert_int_equal(key_load(path, rng, &key, &info), ERR_UNSUPPORTED);
}

static void test_files_that_others_read(void **state)
{
    (void)state;
    struct errinfo info = {0};
    const struct key_opening opening = {.rng = rng, .password_file = password_path};
    const char *const files[] = {path, password_path};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        assert_int_equal(chmod(files[i], 0640), 0);
        assert_int_equal(open_with(&opening, &info), ERR_DENIED);
        assert_non_null(strstr(info.text, files[i]));
        assert_int_equal(chmod(files[i], 0600), 0);
    }
    assert_int_equal(file_replace(password_path, VIEW_LITERAL("\nempty first\n"), 0600), ERR_OK);
    assert_int_equal(open_with(&opening, &info), ERR_INVALID);
    assert_int_equal(file_replace(password_path, view_of(PASSWORD), 0600), ERR_OK); /* and no newline is fine */
    assert_int_equal(open_with(&opening, &info), ERR_OK);
}

static void test_keys_of_the_other_kind(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct ed25519 *ed = NULL;
    struct key *key = NULL;
    const struct key_opening opening = {.rng = rng, .password_file = password_path};
    assert_int_equal(ed25519_load(ed_path, &opening, &ed, &info), ERR_OK);
    ed25519_free(ed);
    assert_int_equal(ed25519_load(path, &opening, &ed, &info), ERR_UNSUPPORTED);
    assert_non_null(strstr(info.text, path));
    assert_int_equal(key_open(ed_path, &opening, &key, &info), ERR_UNSUPPORTED);
    assert_int_equal(ed25519_load(ed_path, &(struct key_opening){.rng = rng}, &ed, &info), ERR_DENIED);
}

static void test_what_is_written_opens(void **state)
{
    (void)state;
    struct strbuf text;
    struct errinfo info = {0};
    strbuf_init(&text, 4096);
    assert_int_equal(key_write_sealed(original, view_of(PASSWORD), &text), ERR_OK);
    assert_int_equal(file_replace(path, strbuf_view(&text), 0600), ERR_OK);
    assert_int_equal(open_with(&(struct key_opening){.rng = rng, .password_file = password_path}, &info), ERR_OK);
    strbuf_deinit(&text);
}

static void test_public_half(void **state)
{
    (void)state;
    struct strbuf text;
    uint8_t mine[KEY_POINT_SIZE];
    uint8_t read[KEY_POINT_SIZE];
    strbuf_init(&text, 4096);
    assert_int_equal(key_write_public(original, &text), ERR_OK);
    key_public(original, mine);
    assert_int_equal(key_parse_public(strbuf_view(&text), read), ERR_OK);
    assert_memory_equal(mine, read, sizeof(mine));
    assert_int_equal(key_parse_public(VIEW_LITERAL("nothing"), read), ERR_PARSE);
    strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_file_or_person),      cmocka_unit_test(test_without_the_password),
        cmocka_unit_test(test_files_that_others_read), cmocka_unit_test(test_keys_of_the_other_kind),
        cmocka_unit_test(test_what_is_written_opens),  cmocka_unit_test(test_public_half),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
