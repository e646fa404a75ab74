/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/identitydir.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
#include "base/macros.h"
#include "provisioning/cert.h"
#include "provisioning/keypair.h"
#include "provisioning/pem.h"

#define NOW    1795365780 /* 2026-11-22T16:43:00Z */
#define KILLED 9

static char work[] = "/tmp/muster-identity-XXXXXX";
static char root[64];
static struct key_rng *rng;
static struct key *authority;

/* ---- the process ends before the n-th change of the disk ---- */

static long steps_left = -1; /* of this process; -1: no end */

static void step(void)
{
    if (steps_left == 0) {
        _exit(KILLED);
    }
    steps_left -= steps_left > 0;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to)
{
    step();
    return REAL(rename)(from, to);
}

int fsync(int fd)
{
    step();
    return REAL(fsync)(fd);
}

int symlink(const char *target, const char *path)
{
    step();
    return REAL(symlink)(target, path);
}

int mkdir(const char *path, mode_t mode)
{
    step();
    return REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    step();
    return REAL(rmdir)(path);
}

int unlink(const char *path)
{
    step();
    return REAL(unlink)(path);
}

/* ---- rig ---- */

static int set_up_all(void **state)
{
    (void)state;
    return mkdtemp(work) != NULL && key_rng_new(&rng) == ERR_OK && key_make(rng, &authority) == ERR_OK ? 0 : -1;
}

static int tear_down_all(void **state)
{
    (void)state;
    key_free(authority);
    key_rng_free(rng);
    return rmdir(work);
}

/** Runs a program to its end: `words` end with NULL. */
static void run(const char *const words[])
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execvp(words[0], (char *const *)words);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void remove_folder(const char *path)
{
    run((const char *const[]){"rm", "-rf", path, NULL});
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "%s/identity", work);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(root);
    return 0;
}

static struct identitydir open_dir(void)
{
    struct identitydir dir;
    struct errinfo info = {0};
    if (identitydir_open(root, &dir, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return dir;
}

/** A self-signed certificate will do: what counts here is whose key it is. */
static enum err certify(const struct key *key, struct strbuf *pem)
{
    const struct cert_subject subject = {.profile = CERT_ROOT_CA, .common_name = VIEW_LITERAL("cam-1")};
    uint8_t point[KEY_POINT_SIZE];
    uint8_t der[CERT_DER_MAX];
    size_t len = 0;
    key_public(key, point);
    struct cert_request request = {.subject = &subject, .point = point, .validity = cert_validity_of(NOW, 100)};
    cert_serial_make(request.serial);
    const struct cert_signer signer = {.key = authority};
    enum err err = cert_build(&request, &signer, der, &len, NULL);
    return err == ERR_OK ? pem_write(pem, PEM_CERTIFICATE, view_n((const char *)der, len)) : err;
}

static enum err install(struct identitydir *dir, const struct key *key, struct errinfo *info)
{
    struct strbuf pem;
    strbuf_init(&pem, PEM_FILE_MAX);
    enum err err = certify(key, &pem);
    if (err == ERR_OK) {
        const struct identitydir_content content = {
            .chain_pem = strbuf_view(&pem), .trust_pem = VIEW_LITERAL("trust\n"), .meta = VIEW_LITERAL("{}\n")};
        err = identitydir_install(dir, &content, info);
    }
    strbuf_deinit(&pem);
    return err;
}

static void assert_ok(enum err err, const struct errinfo *info)
{
    if (err != ERR_OK) {
        fail_msg("%s: %s", err_name(err), info->text);
    }
}

/** One identity from the key to the current version. */
static void enrol(struct identitydir *dir)
{
    struct key *key;
    struct errinfo info = {0};
    assert_ok(identitydir_next_key(dir, rng, &key, &info), &info);
    assert_ok(install(dir, key, &info), &info);
    assert_ok(identitydir_promote(dir, &info), &info);
    key_free(key);
}

static bool is_there(const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return lstat(path, &st) == 0;
}

/** Every file of a version, each with its rights, and key and certificate of one pair. */
static void assert_whole(const struct identitydir *dir, uint32_t version)
{
    static const char *const files[] = {IDENTITYDIR_KEY, IDENTITYDIR_CERT, IDENTITYDIR_TRUST, IDENTITYDIR_META};
    char path[PATH_MAX];
    char cert[PATH_MAX];
    struct stat st;
    struct keypair pair;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        assert_int_equal(identitydir_path(dir, version, files[i], path), ERR_OK);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    assert_int_equal(identitydir_path(dir, version, IDENTITYDIR_KEY, path), ERR_OK);
    assert_int_equal(identitydir_path(dir, version, IDENTITYDIR_CERT, cert), ERR_OK);
    assert_int_equal(keypair_check(cert, path, &pair, NULL), ERR_OK);
}

/* ---- tests ---- */

static void from_nothing_to_the_current_version(void **state)
{
    (void)state;
    struct identitydir dir = open_dir();
    char link[PATH_MAX];
    assert_int_equal(dir.current, 0);
    assert_int_equal(dir.trial, 0);
    enrol(&dir);
    dir = open_dir();
    assert_int_equal(dir.current, 1);
    assert_int_equal(dir.trial, 0);
    assert_whole(&dir, 1);
    assert_false(is_there("next"));
    (void)snprintf(link, sizeof(link), "%s/current/%s", root, IDENTITYDIR_CERT);
    assert_int_equal(access(link, R_OK), 0);
}

static void a_trial_is_proven_or_dropped(void **state)
{
    (void)state;
    struct key *key;
    struct errinfo info = {0};
    struct identitydir dir = open_dir();
    assert_int_equal(identitydir_promote(&dir, NULL), ERR_STATE);
    assert_int_equal(identitydir_reject(&dir, NULL), ERR_STATE);
    enrol(&dir);
    assert_ok(identitydir_next_key(&dir, rng, &key, &info), &info);
    assert_ok(install(&dir, key, &info), &info);
    key_free(key);
    dir = open_dir();
    assert_int_equal(dir.current, 1);
    assert_int_equal(dir.trial, 2);
    assert_ok(identitydir_reject(&dir, &info), &info);
    dir = open_dir();
    assert_int_equal(dir.current, 1);
    assert_int_equal(dir.trial, 0);
    enrol(&dir);
    dir = open_dir();
    assert_int_equal(dir.current, 2);
    assert_whole(&dir, 2);
}

static void a_second_trial_takes_the_place_of_the_first(void **state)
{
    (void)state;
    struct key *key;
    struct errinfo info = {0};
    struct identitydir dir = open_dir();
    enrol(&dir);
    for (int i = 0; i < 2; i++) {
        assert_ok(identitydir_next_key(&dir, rng, &key, &info), &info);
        assert_ok(install(&dir, key, &info), &info);
        key_free(key);
    }
    dir = open_dir();
    assert_int_equal(dir.current, 1);
    assert_whole(&dir, dir.trial);
    assert_int_not_equal(is_there("v2"), is_there("v3"));
}

static void two_old_versions_are_kept(void **state)
{
    (void)state;
    struct identitydir dir = open_dir();
    for (int i = 0; i < 5; i++) {
        enrol(&dir);
    }
    assert_int_equal(dir.current, 5);
    assert_false(is_there("v1"));
    assert_false(is_there("v2"));
    assert_true(is_there("v3"));
    assert_true(is_there("v4"));
}

static void the_key_stays_until_it_is_certified(void **state)
{
    (void)state;
    struct key *key;
    struct key *again;
    struct errinfo info = {0};
    uint8_t point[KEY_POINT_SIZE];
    uint8_t same[KEY_POINT_SIZE];
    struct identitydir dir = open_dir();
    assert_ok(identitydir_next_key(&dir, rng, &key, &info), &info);
    dir = open_dir();
    assert_ok(identitydir_next_key(&dir, rng, &again, &info), &info);
    key_public(key, point);
    key_public(again, same);
    assert_memory_equal(point, same, sizeof(point));
    key_free(again);
    assert_ok(identitydir_drop_next(&dir, &info), &info);
    assert_ok(identitydir_drop_next(&dir, &info), &info);
    assert_ok(identitydir_next_key(&dir, rng, &again, &info), &info);
    key_public(again, same);
    assert_memory_not_equal(point, same, sizeof(point));
    assert_int_equal(install(&dir, key, &info), ERR_INVALID); /* the dropped key's certificate */
    assert_ok(install(&dir, again, &info), &info);
    key_free(key);
    key_free(again);
}

static void a_certificate_without_key_is_refused(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct identitydir dir = open_dir();
    assert_int_equal(install(&dir, authority, &info), ERR_STATE);
    assert_non_null(strstr(info.text, "next/key.pem"));
}

static void others_have_no_rights(void **state)
{
    (void)state;
    struct errinfo info = {0};
    struct identitydir dir = open_dir();
    struct stat st;
    assert_int_equal(stat(root, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(chmod(root, 0750), 0);
    assert_int_equal(identitydir_open(root, &dir, &info), ERR_DENIED);
    assert_non_null(strstr(info.text, "chmod 0700"));
    assert_int_equal(chmod(root, 0700), 0);
}

static void a_lost_link_is_no_lost_identity(void **state)
{
    (void)state;
    struct errinfo info = {0};
    char path[PATH_MAX];
    struct identitydir dir = open_dir();
    enrol(&dir);
    (void)snprintf(path, sizeof(path), "%s/current", root);
    assert_int_equal(unlink(path), 0);
    dir = open_dir();
    assert_int_equal(dir.current, 0);
    assert_int_equal(dir.trial, 1);
    assert_int_equal(symlink("v7", path), 0);
    dir = open_dir();
    assert_int_equal(dir.trial, 1);
    assert_ok(identitydir_reject(&dir, &info), &info);
    assert_int_equal(identitydir_open(root, &dir, &info), ERR_CORRUPT);
    assert_non_null(strstr(info.text, "remove it"));
}

/* ---- killed at every step ---- */

/** A renewal in a process of its own that ends before its n-th change of the disk. What it asks a certificate for goes
 * through the pipe first. @return true when it came to its end. */
static bool renew_killed(long n, int out)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct identitydir dir;
        struct key *key;
        uint8_t point[KEY_POINT_SIZE];
        steps_left = n;
        if (key_rng_new(&rng) != ERR_OK || identitydir_open(root, &dir, NULL) != ERR_OK ||
            identitydir_next_key(&dir, rng, &key, NULL) != ERR_OK) {
            _exit(1);
        }
        key_public(key, point);
        if (write(out, point, sizeof(point)) != sizeof(point) || install(&dir, key, NULL) != ERR_OK ||
            identitydir_promote(&dir, NULL) != ERR_OK) {
            _exit(1);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
    return WEXITSTATUS(status) == 0;
}

/** Whether @p point is the key of the next, the trial or the current version. */
static bool is_known(struct identitydir *dir, const uint8_t point[static KEY_POINT_SIZE])
{
    char path[PATH_MAX];
    const uint32_t versions[] = {dir->trial, dir->current};
    struct key *key;
    uint8_t own[KEY_POINT_SIZE];
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(versions) && !known; i++) {
        if (versions[i] != 0) {
            assert_int_equal(identitydir_path(dir, versions[i], IDENTITYDIR_KEY, path), ERR_OK);
            assert_int_equal(key_load(path, rng, &key, NULL), ERR_OK);
            key_public(key, own);
            key_free(key);
            known = memcmp(own, point, sizeof(own)) == 0;
        }
    }
    if (!known) {
        assert_int_equal(identitydir_next_key(dir, rng, &key, NULL), ERR_OK);
        key_public(key, own);
        key_free(key);
        known = memcmp(own, point, sizeof(own)) == 0;
    }
    return known;
}

/* Whatever was cut off: a whole version to connect with, the key that asked is not lost, and all can go on. */
static void killed_at_every_step_of_a_renewal(void **state)
{
    (void)state;
    char before[sizeof(root) + 8];
    bool ended = false;
    long n;
    struct identitydir dir = open_dir();
    for (int i = 0; i < 3; i++) { /* so that the renewal has an old version to remove */
        enrol(&dir);
    }
    (void)snprintf(before, sizeof(before), "%s.before", root);
    assert_int_equal(rename(root, before), 0);
    for (n = 0; !ended; n++) {
        int ends[2];
        uint8_t point[KEY_POINT_SIZE];
        run((const char *const[]){"cp", "-a", before, root, NULL});
        assert_int_equal(pipe(ends), 0);
        ended = renew_killed(n, ends[1]);
        assert_int_equal(close(ends[1]), 0);
        bool asked = read(ends[0], point, sizeof(point)) == sizeof(point);
        assert_int_equal(close(ends[0]), 0);
        dir = open_dir();
        assert_true(dir.current == 3 || dir.current == 4);
        assert_whole(&dir, dir.current);
        if (dir.trial != 0) {
            assert_whole(&dir, dir.trial);
        }
        if (asked) {
            assert_true(is_known(&dir, point));
        }
        enrol(&dir);
        dir = open_dir();
        assert_whole(&dir, dir.current);
        remove_folder(root);
    }
    assert_true(n > 20);
    remove_folder(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(from_nothing_to_the_current_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trial_is_proven_or_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_trial_takes_the_place_of_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_old_versions_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_stays_until_it_is_certified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_without_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_have_no_rights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_link_is_no_lost_identity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_every_step_of_a_renewal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
