/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 5000 }; /* several doublings of the table */

static const void *key_of(size_t i)
{
    static char base[MANY * 16];
    return &base[i * 16];
}

static void many_come_and_go(void **state)
{
    (void)state;
    struct clients clients = {.buckets = NULL};
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_null(clients_find(&clients, key_of(0)));
    clients_drop(&clients, key_of(0));
    for (size_t i = 0; i < MANY; i++) {
        struct client *client = NULL;
        assert_int_equal(clients_add(&clients, key_of(i), certificate, &client), ERR_OK);
        client->rights.shard[0] = (char)(i & 0x7f);
    }
    for (size_t i = 0; i < MANY; i += 2) {
        clients_drop(&clients, key_of(i));
    }
    assert_int_equal(clients.count, MANY / 2);
    for (size_t i = 0; i < MANY; i++) {
        struct client *client = clients_find(&clients, key_of(i));
        if (i % 2 == 0) {
            assert_null(client);
        } else {
            assert_non_null(client);
            assert_ptr_equal(client->key, key_of(i));
            assert_int_equal(client->rights.shard[0], (char)(i & 0x7f));
        }
    }
    clients_deinit(&clients);
    assert_null(clients_find(&clients, key_of(1)));
    X509_free(certificate);
}

static void the_same_key_starts_anew(void **state)
{
    (void)state;
    struct clients clients = {.buckets = NULL};
    X509 *first = X509_new();
    X509 *second = X509_new();
    struct client *client = NULL;
    assert_int_equal(clients_add(&clients, key_of(7), first, &client), ERR_OK);
    client->rights.role = ROLE_COORD;
    assert_int_equal(clients_add(&clients, key_of(7), second, &client), ERR_OK);
    assert_int_equal(clients.count, 1);
    assert_ptr_equal(client->certificate, second);
    assert_int_equal(client->rights.role, ROLE_NONE);
    clients_deinit(&clients);
    X509_free(first);
    X509_free(second);
}

static void holders_of_denied_certificates(void **state)
{
    (void)state;
    struct clients clients = {.buckets = NULL};
    struct denied denied = {.refs = NULL};
    X509 *certificate = X509_new();
    for (size_t i = 0; i < 10; i++) {
        struct client *client = NULL;
        assert_int_equal(clients_add(&clients, key_of(i), certificate, &client), ERR_OK);
        char name[] = "cam-0";
        name[4] = (char)('0' + i);
        rights_init(&client->rights, i == 9 ? ROLE_NONE : ROLE_DEVICE, view_of(name), 0);
        client->ref.serial[0] = i < 3 || i == 9 ? 1 : 2;
    }
    struct cert_ref ref = {.serial = {1}};
    char(*ids)[DEVICE_ID_MAX + 1] = NULL;
    size_t len = 7;
    assert_int_equal(clients_holding(&clients, &denied, NULL, &ids, &len), ERR_OK);
    assert_int_equal(len, 0);
    assert_null(ids);
    assert_int_equal(denied_add(&denied, &ref), ERR_OK);
    assert_int_equal(clients_holding(&clients, &denied, key_of(1), &ids, &len), ERR_OK);
    assert_int_equal(len, 2);
    bool first = strcmp(ids[0], "cam-0") == 0;
    assert_string_equal(ids[first ? 0 : 1], "cam-0");
    assert_string_equal(ids[first ? 1 : 0], "cam-2");
    free(ids);
    denied_deinit(&denied);
    clients_deinit(&clients);
    X509_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(the_same_key_starts_anew),
        cmocka_unit_test(holders_of_denied_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
