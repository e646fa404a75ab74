/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/zonecache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

enum { MANY = 100000 };

static struct zonecache_record record_of(const char *address, const char *id)
{
    struct zonecache_record record = {.ttl = 60};
    assert_int_equal(ip_parse(view_of(address), &record.ip), ERR_OK);
    (void)snprintf(record.id, sizeof(record.id), "%s", id); /* fits */
    return record;
}

static void put(struct zonecache *cache, const char *name, const char *address, const char *id)
{
    struct zonecache_record record = record_of(address, id);
    assert_int_equal(zonecache_put(cache, name, &record), ERR_OK);
}

static size_t count(const struct zonecache *cache, const char *name, enum rrtype type)
{
    const struct zonecache_node *cursor = NULL;
    struct zonecache_record record;
    size_t len = 0;
    while (zonecache_next(cache, name, type, &cursor, &record)) {
        len++;
    }
    return len;
}

static void finds_puts_and_removes(void **state)
{
    (void)state;
    struct zonecache *cache = NULL;
    const struct zonecache_node *cursor = NULL;
    struct zonecache_record record;
    assert_int_equal(zonecache_new(&cache), ERR_OK);
    put(cache, "a.example", "192.0.2.1", "id-1");
    put(cache, "a.example", "192.0.2.2", "id-2");
    put(cache, "a.example", "2001:db8::1", "id-3");
    put(cache, "b.example", "192.0.2.3", "id-4");
    assert_int_equal(count(cache, "a.example", RRTYPE_A), 2);
    assert_int_equal(count(cache, "a.example", RRTYPE_AAAA), 1);
    assert_int_equal(count(cache, "c.example", RRTYPE_A), 0);
    put(cache, "a.example", "192.0.2.9", "id-1"); /* the same record with another address */
    assert_int_equal(count(cache, "a.example", RRTYPE_A), 2);
    struct present present = zonecache_present(cache, "a.example", RRTYPE_A);
    assert_int_equal(present.value.len, 2);
    assert_false(present.other);
    zonecache_remove(cache, "a.example", RRTYPE_A, "id-1");
    assert_true(zonecache_next(cache, "a.example", RRTYPE_A, &cursor, &record));
    assert_string_equal(record.id, "id-2");
    assert_int_equal(record.ttl, 60);
    zonecache_remove_all(cache, "a.example", RRTYPE_A);
    assert_int_equal(count(cache, "a.example", RRTYPE_A), 0);
    assert_int_equal(zonecache_len(cache), 2);
    zonecache_clear(cache);
    assert_int_equal(zonecache_len(cache), 0);
    zonecache_free(cache);
}

static void tells_records_without_ids_apart_by_address(void **state)
{
    (void)state;
    struct zonecache *cache = NULL;
    assert_int_equal(zonecache_new(&cache), ERR_OK);
    put(cache, "a.example", "192.0.2.1", "");
    put(cache, "a.example", "192.0.2.2", "");
    put(cache, "a.example", "192.0.2.1", "");
    assert_int_equal(count(cache, "a.example", RRTYPE_A), 2);
    for (int i = 0; i < RRSET_VALUES_MAX; i++) {
        char address[24];
        (void)snprintf(address, sizeof(address), "192.0.2.%d", 10 + i); /* fits */
        put(cache, "a.example", address, "");
    }
    assert_true(zonecache_present(cache, "a.example", RRTYPE_A).other);
    zonecache_free(cache);
}

/** 100,000 records with Cloudflare's ids stay within 12 MB and are all found. */
static void holds_a_large_zone_in_little_memory(void **state)
{
    (void)state;
    struct zonecache *cache = NULL;
    char name[64], id[64], address[24];
    assert_int_equal(zonecache_new(&cache), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "host-%06d.fleet.example.net", i); /* these fit */
        (void)snprintf(id, sizeof(id), "%032x", (unsigned)i);
        (void)snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
        put(cache, name, address, id);
    }
    assert_int_equal(zonecache_len(cache), MANY);
    print_message("%d records: %zu bytes each\n", MANY, zonecache_bytes(cache) / MANY);
    assert_true(zonecache_bytes(cache) < (size_t)120 * MANY);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "host-%06d.fleet.example.net", i); /* fits */
        assert_int_equal(count(cache, name, RRTYPE_A), 1);
    }
    zonecache_free(cache);
}

static void refuses_a_name_that_is_too_long(void **state)
{
    (void)state;
    struct zonecache *cache = NULL;
    struct zonecache_record record = record_of("192.0.2.1", "");
    assert_int_equal(zonecache_new(&cache), ERR_OK);
    char name[400];
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(zonecache_put(cache, name, &record), ERR_LIMIT);
    assert_int_equal(zonecache_len(cache), 0);
    zonecache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_puts_and_removes),
        cmocka_unit_test(tells_records_without_ids_apart_by_address),
        cmocka_unit_test(holds_a_large_zone_in_little_memory),
        cmocka_unit_test(refuses_a_name_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
