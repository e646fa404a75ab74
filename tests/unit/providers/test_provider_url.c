/* SPDX-License-Identifier: Apache-2.0 */
/* Where an account's key may travel in the clear: nowhere, but for servers in the house, and then by who asks for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macros.h"
#include "providers/provider.h"

static char password_file[] = "/tmp/muster-url-XXXXXX";

static int write_password(void **state)
{
    (void)state;
    int fd = mkstemp(password_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    return file_replace(password_file, view_of("t0ken"), 0600) == ERR_OK ? 0 : -1;
}

static int remove_password(void **state)
{
    (void)state;
    return unlink(password_file);
}

static void a_key_travels_in_the_clear_only_where_it_may(void **state)
{
    (void)state;
    static const struct {
        const struct provider_ops *ops;
        const char *url, *connect_to, *allow; /* allow: value of the option; NULL = not given */
        const char *refusal;                  /* a part of the text; NULL = opened */
    } cases[] = {
        {&provider_powerdns, "https://dns.example.org", NULL, NULL, NULL},
        {&provider_powerdns, "http://127.0.0.1:8081", NULL, NULL, NULL},
        {&provider_powerdns, "http://127.9.9.9", NULL, NULL, NULL},
        {&provider_powerdns, "http://localhost:8081/x", NULL, NULL, NULL},
        {&provider_powerdns, "http://[::1]:8081", NULL, NULL, NULL},
        {&provider_powerdns, "http://[::2]:8081", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://[::1", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://192.0.2.1:8081", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://192.0.2.1:8081", NULL, "false", "allow_http"},
        {&provider_powerdns, "http://192.0.2.1:8081", NULL, "true", NULL},
        {&provider_powerdns, "http://127.0.0.1.example.org", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://localhost.example.org", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://127.0.0.1:x@192.0.2.1", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://", NULL, NULL, "allow_http"},
        {&provider_powerdns, "http://127.0.0.1:8081", "192.0.2.1:8081", NULL, "allow_http"},
        {&provider_cloudflare, "http://127.0.0.1:8081", NULL, NULL, "must start with https://"},
        {&provider_desec, "http://127.0.0.1:8081", NULL, NULL, "must start with https://"},
        {&provider_desec, "https://127.0.0.1:8081", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_pair option = {.key = "allow_http", .value = cases[i].allow};
        struct engine_account_config config = {.name = "x",
                                               .url = cases[i].url,
                                               .connect_to = cases[i].connect_to,
                                               .password_file = password_file,
                                               .options = {.items = &option, .len = cases[i].allow != NULL}};
        struct errinfo info = {0};
        void *account = NULL;
        enum err err = provider_open(cases[i].ops, &config, NULL, &account, &info);
        assert_int_equal(err, cases[i].refusal != NULL ? ERR_INVALID : ERR_OK);
        if (account != NULL) {
            cases[i].ops->close(account);
        } else {
            assert_non_null(strstr(info.text, cases[i].refusal));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_key_travels_in_the_clear_only_where_it_may)};
    return cmocka_run_group_tests(tests, write_password, remove_password);
}
