/* SPDX-License-Identifier: Apache-2.0 */
/* What only the store can say: what a rollback takes back, and that the history's chain holds over it and a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "provisioner/store.h"

struct fixture {
    char folder[32], path[64];
    struct store *store;
};

static void reopen(struct fixture *fixture)
{
    struct errinfo info = {0};
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_open(fixture->path, &fixture->store, &info), ERR_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/muster-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/p.db", fixture->folder);
    reopen(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    static const char *const endings[] = {"", "-wal", "-shm"};
    store_close(fixture->store);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static struct batch_row batch(void)
{
    return (struct batch_row){.id = "b1", .from_ms = 1, .to_ms = 2, .quota = 5, .activation_s = 60, .added_ms = 1};
}

static struct device_row device(const char *serial, uint8_t key)
{
    struct device_row row = {.batch = "b1"};
    (void)snprintf(row.id, sizeof(row.id), "cam-%s", serial);
    (void)snprintf(row.serial, sizeof(row.serial), "%s", serial);
    memset(row.key, key, sizeof(row.key));
    return row;
}

static enum err note(struct fixture *fixture, const char *act)
{
    return store_add_event(fixture->store, &(const struct event_row){
                                               .at_ms = 5, .actor = "clock", .act = act, .device = "d", .detail = ""});
}

struct chain {
    uint8_t last[SHA256_SIZE];
    uint64_t n;
};

static enum err follow(void *context, const struct event_row *event)
{
    struct chain *chain = context;
    uint8_t want[SHA256_SIZE];
    event_hash(chain->last, event, want);
    assert_memory_equal(event->hash, want, SHA256_SIZE);
    assert_int_equal(event->n, ++chain->n);
    memcpy(chain->last, want, SHA256_SIZE);
    return ERR_OK;
}

static void events_chain_over_rollback_and_restart(void **state)
{
    struct fixture *fixture = *state;
    struct chain chain = {.n = 0};
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(store_begin(fixture->store), ERR_OK);
        assert_int_equal(note(fixture, "kept"), ERR_OK);
        assert_int_equal(store_end(fixture->store, ERR_OK), ERR_OK);
        assert_int_equal(store_begin(fixture->store), ERR_OK);
        assert_int_equal(note(fixture, "dropped"), ERR_OK);
        assert_int_equal(store_end(fixture->store, ERR_LIMIT), ERR_LIMIT);
        reopen(fixture);
    }
    assert_int_equal(store_each_event(fixture->store, "", 0, 100, follow, &chain), ERR_OK);
    assert_int_equal(chain.n, 3);
}

static void revisions_go_back_with_a_rollback(void **state)
{
    struct fixture *fixture = *state;
    const struct batch_row row = batch();
    struct device_row one = device("a", 1), two = device("b", 2), same_key = device("c", 1);
    assert_int_equal(store_begin(fixture->store), ERR_OK);
    assert_int_equal(store_add_batch(fixture->store, &row, view_of("{}")), ERR_OK);
    assert_int_equal(store_add_batch(fixture->store, &row, view_of("{}")), ERR_EXISTS);
    assert_int_equal(store_add_device(fixture->store, &one), ERR_OK);
    assert_int_equal(store_end(fixture->store, ERR_OK), ERR_OK);
    assert_int_equal(store_rev(fixture->store), 1);
    assert_int_equal(store_begin(fixture->store), ERR_OK);
    assert_int_equal(store_add_device(fixture->store, &two), ERR_OK);
    assert_int_equal(store_add_device(fixture->store, &same_key), ERR_EXISTS);
    assert_int_equal(store_end(fixture->store, ERR_EXISTS), ERR_EXISTS);
    assert_int_equal(store_rev(fixture->store), 1);
    assert_int_equal(store_get_device(fixture->store, "cam-b", &two), ERR_NOTFOUND);
    reopen(fixture);
    assert_int_equal(store_rev(fixture->store), 1);
    assert_int_equal(store_get_device(fixture->store, "cam-a", &one), ERR_OK);
    assert_int_equal(one.rev, 1);
}

static void name_and_secret_stay(void **state)
{
    struct fixture *fixture = *state;
    char uuid[64];
    uint8_t secret[STORE_SECRET_SIZE], zeros[STORE_SECRET_SIZE] = {0};
    (void)snprintf(uuid, sizeof(uuid), "%s", store_uuid(fixture->store));
    memcpy(secret, store_secret(fixture->store), sizeof(secret));
    assert_memory_not_equal(secret, zeros, sizeof(secret));
    reopen(fixture);
    assert_string_equal(store_uuid(fixture->store), uuid);
    assert_memory_equal(store_secret(fixture->store), secret, sizeof(secret));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_chain_over_rollback_and_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revisions_go_back_with_a_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(name_and_secret_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
