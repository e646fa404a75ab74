/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <dirent.h>
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
#include "provisioning/certread.h"
#include "provisioning/pem.h"

#define NOW 1795365780 /* 2026-11-22T16:43:00Z */

/** The fixture's folder and all in it. */
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

struct fixture {
    char dir[64];
    char path[128]; /* of the last at() */
    struct key_rng *rng;
    struct key_opening opening;
};

static const char *at(struct fixture *fixture, const char *file)
{
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->dir, file);
    return fixture->path;
}

static struct ca_setup setup_of(struct fixture *fixture)
{
    fixture->opening = (struct key_opening){.rng = fixture->rng};
    return (struct ca_setup){.dir = fixture->dir, .opening = &fixture->opening, .by = "test", .now_s = NOW};
}

static enum err init(struct fixture *fixture, struct view name, struct errinfo *info)
{
    struct ca_setup setup = setup_of(fixture);
    setup.name = name;
    return ca_init(&setup, info);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (fixture == NULL || key_rng_new(&fixture->rng) != ERR_OK) {
        return -1;
    }
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/muster-ca-XXXXXX");
    return mkdtemp(fixture->dir) != NULL && init(fixture, VIEW_LITERAL("test"), NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    remove_tree(fixture->dir);
    key_rng_free(fixture->rng);
    free(fixture);
    return 0;
}

static struct ca *open_ca(struct fixture *fixture, enum cert_profile profile)
{
    struct ca *ca = NULL;
    struct errinfo info = {0};
    if (ca_open(fixture->dir, profile, &(struct key_opening){.rng = fixture->rng}, &ca, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return ca;
}

/** The @p index-th certificate of a PEM text. */
static struct certread nth(struct view pem, size_t index, uint8_t der[static CERT_DER_MAX])
{
    struct view label;
    size_t len = 0;
    for (size_t i = 0; i <= index; i++) {
        assert_int_equal(pem_next(&pem, &label, der, CERT_DER_MAX, &len), ERR_OK);
        assert_true(view_equals(label, PEM_CERTIFICATE));
    }
    struct certread cert;
    assert_int_equal(certread_parse(view_n((const char *)der, len), &cert), ERR_OK);
    return cert;
}

static void assert_names(const char *path, const char *const *names, size_t count)
{
    char *text = NULL;
    size_t len = 0;
    uint8_t der[CERT_DER_MAX];
    assert_int_equal(file_read(path, PEM_FILE_MAX, &text, &len), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct certread cert = nth(view_n(text, len), i, der);
        assert_true(view_equals(cert.common_name, names[i]));
    }
    struct view rest = view_n(text, len);
    struct view label;
    for (size_t i = 0; i < count; i++) {
        size_t skipped;
        assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &skipped), ERR_OK);
    }
    size_t more;
    assert_int_equal(pem_next(&rest, &label, der, sizeof(der), &more), ERR_NOTFOUND);
    free(text);
}

static void folder_has_the_promised_layout(void **state)
{
    struct fixture *fixture = *state;
    static const char *const clients[] = {"test root CA", "test device CA", "test service CA"};
    static const char *const server[] = {"test root CA", "test server CA"};
    static const char *const claims[] = {"test root CA", "test claim CA", "test service CA"};
    assert_names(at(fixture, "bundle-clients.pem"), clients, 3);
    assert_names(at(fixture, "bundle-server.pem"), server, 2);
    assert_names(at(fixture, "bundle-claims.pem"), claims, 3);
    static const char *const keys[] = {"root.key", "devices.key", "services.key", "server-ca.key", "claims.key"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct stat st;
        assert_int_equal(stat(at(fixture, keys[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    struct errinfo info = {0};
    assert_int_equal(init(fixture, VIEW_LITERAL("again"), &info), ERR_EXISTS);
    assert_non_null(strstr(info.text, "root.pem"));
}

static void a_bad_name_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unlink(at(fixture, "root.pem")), 0);
    assert_int_equal(unlink(at(fixture, "root.key")), 0);
    assert_int_equal(init(fixture, VIEW_LITERAL("a\nb"), NULL), ERR_INVALID);
    assert_int_equal(init(fixture, VIEW_LITERAL(""), NULL), ERR_INVALID);
    assert_int_equal(access(at(fixture, "root.key"), F_OK), -1);
}

static void issues_a_pair_that_belongs_together(void **state)
{
    struct fixture *fixture = *state;
    struct ca *ca = open_ca(fixture, CERT_DEVICE);
    struct ca_pair pair;
    ca_pair_init(&pair);
    const struct cert_subject subject = {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")};
    struct errinfo info = {0};
    assert_int_equal(ca_issue(ca, &subject, NOW + 10, 0, &pair, &info), ERR_OK);
    assert_int_equal(ca_pair_save(&pair, at(fixture, "leaf"), false, &info), ERR_OK);
    assert_int_equal(ca_sync(at(fixture, "leaf"), &info), ERR_OK);
    struct key *key = NULL;
    assert_int_equal(key_load(at(fixture, "leaf.key"), fixture->rng, &key, &info), ERR_OK);
    uint8_t leaf_der[CERT_DER_MAX];
    uint8_t ca_der[CERT_DER_MAX];
    struct certread leaf = nth(strbuf_view(&pair.chain_pem), 0, leaf_der);
    struct certread issuer = nth(strbuf_view(&pair.chain_pem), 1, ca_der);
    uint8_t point[KEY_POINT_SIZE];
    key_public(key, point);
    assert_true(view_equal(leaf.point, view_n((const char *)point, sizeof(point))));
    assert_true(view_equals(issuer.common_name, "test device CA"));
    assert_int_equal(certread_verify(&leaf, &issuer), ERR_OK);
    assert_true(leaf.validity.not_before_s == issuer.validity.not_before_s + 10); /* as old as the hour allows */
    /* a second pair does not overwrite the first by accident */
    assert_int_equal(ca_issue(ca, &subject, NOW + 10, 0, &pair, &info), ERR_OK);
    assert_int_equal(ca_pair_save(&pair, at(fixture, "leaf"), false, &info), ERR_EXISTS);
    assert_int_equal(ca_pair_save(&pair, at(fixture, "leaf"), true, &info), ERR_OK);
    /* a device called as one of the CA's files does not take the CA's place */
    assert_int_equal(ca_pair_save(&pair, at(fixture, "devices"), true, &info), ERR_EXISTS);
    ca_free(ca);
    ca = open_ca(fixture, CERT_DEVICE);
    key_free(key);
    ca_pair_deinit(&pair);
    ca_free(ca);
}

static void leaves_stay_within_the_life_of_their_ca(void **state)
{
    struct fixture *fixture = *state;
    struct ca *ca = open_ca(fixture, CERT_SERVICE);
    struct ca_pair pair;
    ca_pair_init(&pair);
    const struct cert_subject subject = {.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-a")};
    const int64_t day = 86400;
    static const struct {
        int64_t after_days;
        uint32_t days;
        enum err err;
    } rows[] = {
        {0, 1, ERR_OK},
        {0, CA_VALIDITY_MAX_DAYS, ERR_OK},
        {0, CA_VALIDITY_MAX_DAYS + 1, ERR_RANGE},
        {7299, 397, ERR_OK},
        {7300, 1, ERR_RANGE},
        {-1, 397, ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err err = ca_issue(ca, &subject, NOW + rows[i].after_days * day, rows[i].days, &pair, NULL);
        if (err != rows[i].err) {
            fail_msg("row %zu: %s", i, err_name(err));
        }
        if (err == ERR_OK) {
            uint8_t leaf_der[CERT_DER_MAX];
            uint8_t ca_der[CERT_DER_MAX];
            struct certread leaf = nth(strbuf_view(&pair.chain_pem), 0, leaf_der);
            struct certread issuer = nth(strbuf_view(&pair.chain_pem), 1, ca_der);
            assert_true(leaf.validity.not_before_s >= issuer.validity.not_before_s);
            assert_true(leaf.validity.not_after_s <= issuer.validity.not_after_s);
        }
    }
    ca_pair_deinit(&pair);
    ca_free(ca);
}

static void a_ca_issues_its_own_profile_only(void **state)
{
    struct fixture *fixture = *state;
    static const char *const dns[] = {"broker.example.net"};
    const struct cert_subject subjects[] = {
        {.profile = CERT_DEVICE, .common_name = VIEW_LITERAL("cam-1")},
        {.profile = CERT_SERVICE, .common_name = VIEW_LITERAL("svc-1")},
        {.profile = CERT_SERVER, .common_name = VIEW_LITERAL("b"), .dns = dns, .dns_len = 1},
        {.profile = CERT_CLAIM, .common_name = VIEW_LITERAL("claim-b1")},
        {.profile = CERT_DEVICE_CA, .common_name = VIEW_LITERAL("forged CA")},
        {.profile = CERT_ROOT_CA, .common_name = VIEW_LITERAL("forged root")},
    };
    struct ca_pair pair;
    ca_pair_init(&pair);
    for (enum cert_profile profile = CERT_DEVICE; profile <= CERT_CLAIM; profile++) {
        struct ca *ca = open_ca(fixture, profile);
        for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
            enum err want = subjects[i].profile == profile ? ERR_OK : ERR_STATE;
            assert_int_equal(ca_issue(ca, &subjects[i], NOW, 0, &pair, NULL), want);
            assert_int_equal(pair.key_pem.len > 0, want == ERR_OK);
        }
        ca_free(ca);
    }
    ca_pair_deinit(&pair);
}

static void copy_file(struct fixture *fixture, const char *from, const char *to, mode_t mode)
{
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(file_read(at(fixture, from), PEM_FILE_MAX, &text, &len), ERR_OK);
    assert_int_equal(file_replace(at(fixture, to), view_n(text, len), mode), ERR_OK);
    free(text);
}

static void a_mixed_up_or_damaged_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ca *ca = NULL;
    struct errinfo info = {0};
    copy_file(fixture, "services.key", "devices.key", 0600);
    assert_int_equal(ca_open(fixture->dir, CERT_DEVICE, &(struct key_opening){.rng = fixture->rng}, &ca, &info),
                     ERR_CONFLICT);
    copy_file(fixture, "server-ca.key", "devices.key", 0600);
    copy_file(fixture, "server-ca.pem", "devices.pem", 0644);
    assert_int_equal(ca_open(fixture->dir, CERT_DEVICE, &(struct key_opening){.rng = fixture->rng}, &ca, &info),
                     ERR_CORRUPT);
    assert_int_equal(file_replace(at(fixture, "services.pem"), VIEW_LITERAL("not PEM"), 0644), ERR_OK);
    assert_int_equal(ca_open(fixture->dir, CERT_SERVICE, &(struct key_opening){.rng = fixture->rng}, &ca, &info),
                     ERR_CORRUPT);
    assert_int_equal(ca_bundle(fixture->dir, fixture->dir, &info), ERR_CORRUPT);
    assert_int_equal(unlink(at(fixture, "server-ca.pem")), 0);
    assert_int_equal(ca_open(fixture->dir, CERT_SERVER, &(struct key_opening){.rng = fixture->rng}, &ca, &info),
                     ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "server-ca.pem"));
    assert_null(ca);
    ca_free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_has_the_promised_layout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_name_leaves_nothing_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(issues_a_pair_that_belongs_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_stay_within_the_life_of_their_ca, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ca_issues_its_own_profile_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mixed_up_or_damaged_folder_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
