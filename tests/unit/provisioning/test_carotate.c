/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, and that a power cut at any of its changes to the disk is mended by repeating it: the calls that change a
 * folder are interposed here and fail from the n-th on, as they do for a process that is no more. */
#include "provisioning/ca.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "provisioning/ceremony.h"
#include "provisioning/pem.h"

#define NOW   1795365780 /* 2026-11-22T16:43:00Z */
#define STEPS 60

static char dir[] = "/tmp/muster-carotate-XXXXXX";
static struct key_rng *rng;
static struct key_opening opening;
static int steps_left = -1; /* -1: the power stays on */

static bool power(void)
{
    if (steps_left == 0) {
        errno = EIO;
        return false;
    }
    steps_left -= steps_left > 0;
    return true;
}

#define INTERPOSE(name, parameters, arguments)                                                                         \
    int name parameters;                                                                                               \
    int name parameters                                                                                                \
    {                                                                                                                  \
        int(*real) parameters;                                                                                         \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                                        \
        memcpy(&real, &symbol, sizeof(real));                                                                          \
        return power() ? real arguments : -1;                                                                          \
    }
INTERPOSE(rename, (const char *from, const char *to), (from, to))
INTERPOSE(link, (const char *from, const char *to), (from, to))
INTERPOSE(unlink, (const char *path), (path))
INTERPOSE(fsync, (int fd), (fd))
INTERPOSE(fdatasync, (int fd), (fd))

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

static struct ca_setup setup(void)
{
    opening = (struct key_opening){.rng = rng};
    return (struct ca_setup){.dir = dir, .name = VIEW_LITERAL("test"), .opening = &opening, .by = "test", .now_s = NOW};
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/muster-carotate-XXXXXX");
    if (mkdtemp(dir) == NULL || key_rng_new(&rng) != ERR_OK) {
        return -1;
    }
    struct ca_setup made = setup();
    return ca_init(&made, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    steps_left = -1;
    key_rng_free(rng);
    remove_tree(dir);
    return 0;
}

static enum err rotate(const char *what)
{
    struct ca_setup made = setup();
    struct errinfo info = {0};
    return ca_rotate(&made, what, &info);
}

static size_t generations_of(const char *what, const char *ending)
{
    struct ca_generations generations;
    assert_int_equal(ca_generations(dir, what, ending, &generations, NULL), ERR_OK);
    assert_string_equal(generations.base[0], what);
    return generations.len;
}

/** A device's certificate of the present CA, and its file. */
static struct ca_signed issue(const char *file)
{
    struct ca *ca = NULL;
    struct key *key = NULL;
    struct ca_signed made;
    struct strbuf pem;
    char path[128];
    uint8_t point[KEY_POINT_SIZE];
    const struct cert_subject subject = {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")};
    assert_int_equal(ca_open(dir, CERT_DEVICE, &(struct key_opening){.rng = rng}, &ca, NULL), ERR_OK);
    assert_int_equal(key_make(rng, &key), ERR_OK);
    key_public(key, point);
    assert_int_equal(ca_sign(ca, &subject, point, NOW, 0, &made, NULL), ERR_OK);
    strbuf_init(&pem, 4096);
    assert_int_equal(pem_write(&pem, PEM_CERTIFICATE, view_n((const char *)made.der, made.der_len)), ERR_OK);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    assert_int_equal(file_replace(path, strbuf_view(&pem), 0644), ERR_OK);
    strbuf_deinit(&pem);
    key_free(key);
    ca_free(ca);
    return made;
}

/** Lists of both generations, with @p revoked entries in the old one's. */
static size_t lists(void)
{
    struct strbuf pem;
    size_t count = 0;
    const struct key_opening with = {.rng = rng};
    strbuf_init(&pem, 65536);
    assert_int_equal(ca_crl(dir, CERT_DEVICE, NOW, 7, &with, &pem, NULL), ERR_OK);
    assert_int_equal(ca_crl_lint(dir, CERT_DEVICE, strbuf_view(&pem), NOW, 6 * 86400, NULL), ERR_OK);
    for (const char *at = strbuf_str(&pem); (at = strstr(at, "BEGIN X509 CRL")) != NULL; at++) {
        count++;
    }
    strbuf_deinit(&pem);
    return count;
}

static void test_old_and_new_until_the_old_is_dropped(void **state)
{
    (void)state;
    struct ca_setup made = setup();
    struct ceremony_state log;
    size_t dropped = 0;
    char path[128];
    struct ca_signed old = issue("old.pem");
    assert_int_equal(rotate("devices"), ERR_OK);
    struct ca_signed new = issue("new.pem");
    assert_int_equal(generations_of("devices", ".pem"), 2);
    assert_int_equal(lists(), 2);
    (void)snprintf(path, sizeof(path), "%s/old.pem", dir);
    assert_int_equal(ca_revoke(dir, path, NOW, NULL), ERR_OK);
    assert_int_equal(ca_revoke(dir, path, NOW, NULL), ERR_EXISTS);
    assert_int_equal(ca_revoke_check(dir, path, NULL), ERR_EXISTS);
    struct certread cert;
    assert_int_equal(certread_parse(view_n((const char *)new.der, new.der_len), &cert), ERR_OK);
    assert_int_equal(ca_revoke_serial(dir, cert.authority_id, cert.serial, NOW, NULL), ERR_OK);
    assert_int_equal(ca_revoke_serial(dir, cert.key_id, cert.serial, NOW, NULL), ERR_AUTH);
    assert_int_equal(lists(), 2);
    assert_int_equal(ca_drop(&made, "devices", &dropped, NULL), ERR_OK);
    assert_int_equal(dropped, 1);
    assert_int_equal(lists(), 1);
    assert_int_equal(ca_revoke(dir, path, NOW, NULL), ERR_AUTH);
    assert_int_equal(ca_drop(&made, "devices", &dropped, NULL), ERR_NOTFOUND);
    assert_int_equal(ceremony_verify(dir, &log, NULL), ERR_OK);
    assert_int_equal(log.lines, 12); /* ten made, one rotated, one dropped */
    assert_int_not_equal(old.serial[0], 0);
}

static void test_every_key_can_be_replaced(void **state)
{
    (void)state;
    static const char *const all[] = {"devices", "services",      "server-ca",     "claims",
                                      "factory", "config-root-1", "config-root-3", "config-signer"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_true(ca_can_rotate(all[i]));
        assert_int_equal(rotate(all[i]), ERR_OK);
        assert_int_equal(generations_of(all[i], i < 4 ? ".pem" : ".pub"), 2);
    }
    assert_int_equal(rotate("root"), ERR_INVALID);
    assert_int_equal(rotate("../devices"), ERR_INVALID);
}

static void test_generations_are_bounded(void **state)
{
    (void)state;
    for (size_t i = 1; i < CA_GENERATIONS_MAX; i++) {
        assert_int_equal(rotate("factory"), ERR_OK);
    }
    assert_int_equal(generations_of("factory", ".pub"), CA_GENERATIONS_MAX);
    assert_int_equal(rotate("factory"), ERR_LIMIT);
}

/** Cut at the @p n-th change, then repeated. @return whether the cut came before the end. */
static bool cut_and_repeat(int n)
{
    struct ca *ca = NULL;
    steps_left = n;
    bool cut = rotate("devices") != ERR_OK;
    steps_left = -1;
    size_t before = generations_of("devices", ".pem");
    assert_in_range(before, 1, 2);
    if (cut) {
        assert_int_equal(rotate("devices"), ERR_OK);
    }
    assert_int_equal(generations_of("devices", ".pem"), 2);
    assert_int_equal(ca_open(dir, CERT_DEVICE, &(struct key_opening){.rng = rng}, &ca, NULL), ERR_OK);
    ca_free(ca);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/old.pem", dir);
    assert_int_equal(ca_revoke_check(dir, path, NULL), ERR_EXISTS); /* what was revoked stays so */
    assert_int_equal(lists(), 2);
    return cut;
}

static void test_a_cut_at_every_change_is_mended_by_repeating(void **state)
{
    (void)state;
    struct ca_setup made = setup();
    char path[128];
    size_t dropped;
    int n = 0;
    for (bool cut = true; cut; n++) {
        assert_true(n < STEPS);
        (void)issue("old.pem");
        (void)snprintf(path, sizeof(path), "%s/old.pem", dir);
        assert_int_equal(ca_revoke(dir, path, NOW, NULL), ERR_OK);
        cut = cut_and_repeat(n);
        assert_int_equal(ca_drop(&made, "devices", &dropped, NULL), ERR_OK);
    }
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_old_and_new_until_the_old_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_key_can_be_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generations_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_at_every_change_is_mended_by_repeating, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
