/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends at the n-th allocation, libknot's included, while an account is opened, messages are built and
 * replies are read: an error, nothing left behind, and never a change that counts as applied. */
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
#include "providers/provider.h"
#include "tests/lib/scarce.h"

static char key_file[] = "/tmp/muster-oom-XXXXXX";
static struct engine_account_config config = {.name = "dns", .server = "127.0.0.1:53", .key_file = key_file};

static int write_key(void **state)
{
    (void)state;
    int fd = mkstemp(key_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    return file_replace(key_file, view_of("hmac-sha256:k:c2VjcmV0\n"), 0600) == ERR_OK ? 0 : -1;
}

static int remove_key(void **state)
{
    (void)state;
    return unlink(key_file);
}

static bool open_account(void *context, unsigned long n)
{
    (void)context;
    void *account = NULL;
    struct errinfo info = {0};
    scarce_arm(n);
    enum err err = provider_rfc2136.open(&config, NULL, &account, &info);
    bool reached = scarce_disarm();
    assert_true(err == ERR_OK ? account != NULL : reached && account == NULL);
    if (account != NULL) {
        provider_rfc2136.close(account);
    }
    return reached;
}

static void an_account_opens_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(scarce_each(open_account, NULL) > 3);
}

/* One change, and the reply of a server that refuses it. Without a key: libknot 3.2.6 itself reads through a NULL when
 * it runs out of memory while signing (knot_tsig_sign). */
static bool change(void *context, unsigned long n)
{
    void *account = context;
    static const uint8_t reply_tail[] = {0xa8, 0x09, 0,   1,   0, 0,   0,   0,   0, 0, 7, 'e', 'x', 'a',
                                         'm',  'p',  'l', 'e', 3, 'n', 'e', 't', 0, 0, 6, 0,   1};
    uint8_t wire[2 + sizeof(reply_tail)] = {0x12, 0x34};
    memcpy(wire + 2, reply_tail, sizeof(reply_tail));
    struct provider_zone zone = {.name = "example.net", .mode = ZONE_DEDICATED, .epoch = 1};
    struct batch_item item = {.name = "a.example.net", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    item.want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
    struct batch batch = {.items = &item, .len = 1};
    struct provider_request request;
    struct verdict verdict = {0};
    provider_request_init(&request);
    request.id = 0x1234;
    const struct provider_reply reply = {.body = view_n((const char *)wire, sizeof(wire))};
    scarce_arm(n);
    enum err err = provider_rfc2136.build_request(account, &zone, &batch, &request);
    bool built = err == ERR_OK;
    if (built) {
        err = provider_rfc2136.parse_reply(account, &zone, &batch, &request, &reply, &verdict);
    }
    bool reached = scarce_disarm();
    assert_true(built || reached);
    assert_true(item.outcome != OUTCOME_APPLIED);
    provider_request_deinit(&request);
    return reached;
}

static void a_change_survives_every_failed_allocation(void **state)
{
    (void)state;
    void *account = NULL;
    struct engine_account_config unsigned_config = config;
    unsigned_config.key_file = NULL;
    assert_int_equal(provider_rfc2136.open(&unsigned_config, NULL, &account, NULL), ERR_OK);
    assert_true(scarce_each(change, account) > 1);
    provider_rfc2136.close(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_opens_whole_or_not_at_all),
        cmocka_unit_test(a_change_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, write_key, remove_key);
}
