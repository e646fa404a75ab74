/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/factory.h"

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

#define PATH_SIZE 256

static struct key_rng *rng;
static char folder[] = "/tmp/muster-factory-XXXXXX";
static char key_path[PATH_SIZE], serial_path[PATH_SIZE], claim_dir[PATH_SIZE];
static struct factory_device device;

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK || mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(key_path, sizeof(key_path), "%s/state/device.key", folder);
    (void)snprintf(serial_path, sizeof(serial_path), "%s/state/serial", folder);
    (void)snprintf(claim_dir, sizeof(claim_dir), "%s/claim", folder);
    device = (struct factory_device){key_path, serial_path, claim_dir, rng};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"state/device.key", "state/serial", "claim/claim.pem", "claim/claim.key",
                                        "claim/root.pem",   "state",        "claim",           ""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[2 * PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    key_rng_free(rng);
    return 0;
}

static struct factory_answer ask(enum factory_op op, const char *serial)
{
    struct factory_request request = {.op = op, .nonce = {7}};
    struct factory_answer answer;
    (void)snprintf(request.serial, sizeof(request.serial), "%s", serial);
    factory_serve(&device, &request, &answer);
    return answer;
}

static struct factory_answer install(const char *file, const char *text)
{
    struct factory_request request = {.op = FACTORY_INSTALL, .data_len = strlen(text)};
    struct factory_answer answer;
    (void)snprintf(request.file, sizeof(request.file), "%s", file);
    memcpy(request.data, text, request.data_len);
    factory_serve(&device, &request, &answer);
    return answer;
}

static void require_proof(const uint8_t *point, enum factory_op op, const struct factory_answer *answer)
{
    const struct factory_request request = {.op = op, .serial = "A7-1", .nonce = {7}};
    assert_int_equal(answer->op, op);
    assert_int_equal(
        factory_proof_verify(point, &request, view_n((const char *)answer->signature, answer->signature_len)), ERR_OK);
}

static void a_new_device_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask(FACTORY_PROVE, "A7-1").op, FACTORY_NO);
    assert_int_equal(ask(FACTORY_LABEL_TAIL, "").op, FACTORY_NO);
    assert_int_equal(ask(FACTORY_TEST, "A7-1").op, FACTORY_NO);
    assert_int_equal(ask(FACTORY_NO, "").op, FACTORY_NO);
}

static void the_key_is_made_once(void **state)
{
    (void)state;
    struct stat status;
    struct factory_answer first = ask(FACTORY_KEY, "");
    struct factory_answer again = ask(FACTORY_KEY, "");
    assert_int_equal(first.op, FACTORY_KEY);
    assert_memory_equal(first.key, again.key, sizeof(first.key));
    assert_int_equal(stat(key_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct factory_answer proof = ask(FACTORY_PROVE, "A7-1");
    require_proof(first.key, FACTORY_PROVE, &proof);
}

static void the_serial_number_is_for_good(void **state)
{
    (void)state;
    assert_int_equal(ask(FACTORY_SERIAL, "A7-1").op, FACTORY_SERIAL);
    assert_int_equal(ask(FACTORY_SERIAL, "A7-1").op, FACTORY_SERIAL);
    struct factory_answer answer = ask(FACTORY_SERIAL, "A7-2");
    assert_int_equal(answer.op, FACTORY_NO);
    assert_string_equal(answer.why, "this device has another serial number already");
    assert_string_equal(ask(FACTORY_LABEL_TAIL, "").serial, "A7-1");
}

static void the_end_test_finds_what_is_missing(void **state)
{
    (void)state;
    struct stat status;
    char path[2 * PATH_SIZE];
    assert_string_equal(ask(FACTORY_TEST, "A7-1").why, "no claim is installed: not found");
    assert_int_equal(install("claim.pem", "pem").op, FACTORY_INSTALL);
    assert_int_equal(install("root.pem", "pem").op, FACTORY_INSTALL);
    assert_string_equal(ask(FACTORY_TEST, "A7-1").why, "claim.key: not found");
    assert_int_equal(install("claim.key", "secret").op, FACTORY_INSTALL);
    (void)snprintf(path, sizeof(path), "%s/claim.key", claim_dir);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_string_equal(ask(FACTORY_TEST, "A7-2").why, "this device has another serial number");
    struct factory_answer key = ask(FACTORY_KEY, "");
    struct factory_answer proof = ask(FACTORY_TEST, "A7-1");
    require_proof(key.key, FACTORY_TEST, &proof);
}

static void a_damaged_key_is_not_made_anew(void **state)
{
    (void)state;
    assert_int_equal(truncate(key_path, 20), 0);
    assert_int_equal(ask(FACTORY_KEY, "").op, FACTORY_NO);
    assert_int_equal(ask(FACTORY_TEST, "A7-1").op, FACTORY_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_device_has_nothing),       cmocka_unit_test(the_key_is_made_once),
        cmocka_unit_test(the_serial_number_is_for_good),  cmocka_unit_test(the_end_test_finds_what_is_missing),
        cmocka_unit_test(a_damaged_key_is_not_made_anew),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
