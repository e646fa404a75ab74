/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/store_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/store_script.h"

#define ZONE "cams.example.net"

static const struct store_backend *backend;

struct fixture {
    struct store_options options;
    struct store *store;
};

static struct fixture fixture;

static void reopen(void)
{
    const struct store_ops *ops = backend->ops;
    if (fixture.store != NULL) {
        ops->close(fixture.store);
        fixture.store = NULL;
    }
    struct errinfo info = {0};
    if (ops->open(&fixture.options, &fixture.store, &info) != ERR_OK) {
        fail_msg("cannot open: %s", info.text);
    }
}

static int setup(void **state)
{
    (void)state;
    fixture = (struct fixture){0};
    backend->fresh(&fixture.options);
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    backend->ops->close(fixture.store);
    return 0;
}

static struct ip ip4_of(uint32_t number)
{
    return (struct ip){
        .family = IP_V4,
        .bytes = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

/* 0 = the empty set. */
static struct rrset_value value_of(uint32_t number)
{
    return number != 0 ? (struct rrset_value){.ips = {ip4_of(number)}, .len = 1} : (struct rrset_value){.len = 0};
}

static enum err commit(const struct store_batch *batch)
{
    return backend->ops->commit(fixture.store, batch, NULL);
}

static struct store_want put(const char *name, const char *device, uint32_t number, uint64_t rev)
{
    struct store_want want = {.zone = ZONE,
                              .name = name,
                              .type = RRTYPE_A,
                              .device = device,
                              .ttl = 60,
                              .want_null = number == 0,
                              .want = value_of(number),
                              .want_rev = rev,
                              .now_ms = (int64_t)rev * 1000};
    assert_int_equal(commit(&(struct store_batch){.wants = &want, .wants_len = 1}), ERR_OK);
    return want;
}

static struct store_have outcome(const char *name, uint64_t epoch, uint32_t number, uint64_t rev)
{
    return (struct store_have){.zone = ZONE,
                               .name = name,
                               .type = RRTYPE_A,
                               .epoch = epoch,
                               .applied = true,
                               .have = value_of(number),
                               .have_rev = rev,
                               .error = "",
                               .now_ms = (int64_t)rev * 1000 + 500};
}

static enum err settle(struct store_have have)
{
    return commit(&(struct store_batch){.haves = &have, .haves_len = 1});
}

#define SEEN_MAX 64
struct seen {
    struct store_record records[SEEN_MAX];
    char names[SEEN_MAX][64], devices[SEEN_MAX][48], errors[SEEN_MAX][48], zones[SEEN_MAX][32];
    size_t len;
};

static void copy(char *to, size_t size, const char *text)
{
    assert_true(snprintf(to, size, "%s", text) < (int)size);
}

static enum err see(void *context, const struct store_record *record)
{
    struct seen *seen = context;
    assert_true(seen->len < SEEN_MAX);
    size_t at = seen->len++;
    seen->records[at] = *record;
    copy(seen->zones[at], sizeof(seen->zones[at]), record->zone);
    copy(seen->names[at], sizeof(seen->names[at]), record->name);
    copy(seen->devices[at], sizeof(seen->devices[at]), record->device != NULL ? record->device : "(none)");
    copy(seen->errors[at], sizeof(seen->errors[at]), record->error);
    return ERR_OK;
}

static struct seen query(struct store_record_query asked)
{
    struct seen seen = {.len = 0};
    assert_int_equal(backend->ops->each_record(fixture.store, &asked, see, &seen), ERR_OK);
    return seen;
}

static uint64_t claim(void)
{
    uint64_t epoch = 0;
    assert_int_equal(backend->ops->claim_zone(fixture.store, ZONE, 0, &epoch, NULL), ERR_OK);
    return epoch;
}

static void uuid_is_made_once(void **state)
{
    (void)state;
    char first[STORE_UUID_SIZE], again[STORE_UUID_SIZE], other[STORE_UUID_SIZE];
    backend->ops->uuid(fixture.store, first);
    assert_int_equal(strlen(first), STORE_UUID_SIZE - 1);
    assert_int_equal(first[14], '4');
    reopen();
    backend->ops->uuid(fixture.store, again);
    assert_string_equal(first, again);
    backend->fresh(&fixture.options);
    reopen();
    backend->ops->uuid(fixture.store, other);
    assert_string_not_equal(first, other);
}

static void last_rev_survives_the_record(void **state)
{
    (void)state;
    uint64_t rev = 1;
    assert_int_equal(backend->ops->last_rev(fixture.store, &rev), ERR_OK);
    assert_int_equal(rev, 0);
    (void)put("a." ZONE, "dev-a", 1, 41);
    (void)put("a." ZONE, "dev-a", 0, 42);
    struct store_have gone = outcome("a." ZONE, claim(), 0, 42);
    gone.forget = true;
    assert_int_equal(settle(gone), ERR_OK);
    assert_int_equal(query((struct store_record_query){0}).len, 0);
    reopen();
    assert_int_equal(backend->ops->last_rev(fixture.store, &rev), ERR_OK);
    assert_int_equal(rev, 42);
}

static void epoch_rises_past_what_was_seen(void **state)
{
    (void)state;
    uint64_t epoch = 9;
    assert_int_equal(backend->ops->zone_epoch(fixture.store, ZONE, &epoch), ERR_OK);
    assert_int_equal(epoch, 0);
    assert_int_equal(claim(), 1);
    assert_int_equal(claim(), 2);
    assert_int_equal(backend->ops->claim_zone(fixture.store, ZONE, 70, &epoch, NULL), ERR_OK);
    assert_int_equal(epoch, 71);
    assert_int_equal(backend->ops->claim_zone(fixture.store, "other.example.net", 5, &epoch, NULL), ERR_OK);
    assert_int_equal(epoch, 6);
    reopen();
    assert_int_equal(backend->ops->zone_epoch(fixture.store, ZONE, &epoch), ERR_OK);
    assert_int_equal(epoch, 71);
    assert_int_equal(backend->ops->claim_zone(fixture.store, ZONE, INT64_MAX, &epoch, NULL), ERR_RANGE);
}

static enum err see_device(void *context, const struct store_device *device)
{
    struct store_device *seen = context;
    assert_string_equal(device->id, "dev-a");
    *seen = *device;
    return ERR_OK;
}

static void a_device_comes_back_as_it_was(void **state)
{
    (void)state;
    struct store_device device = {
        .id = "dev-a",
        .shard = 255,
        .boot = UINT32_MAX,
        .conn = 7,
        .seq = UINT32_MAX - 1,
        .content_hash = UINT64_MAX,
        .observed = {.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
        .ip4 = {.ips = {ip4_of(0xc0000201), ip4_of(0xc6336401)}, .len = 2},
        .prefix6 = {.ip = {.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8}}, .len = 56},
        .also6 = {.len = ALSO6_MAX},
        .presence = 3,
        .flags = 0x81,
        .seen_ms = INT64_C(1795000000123),
        .changed_ms = -1,
    };
    static const int64_t ends[ALSO6_MAX] = {ALSO6_NO_END, INT64_C(1795000000123), 1};
    for (uint8_t i = 0; i < ALSO6_MAX; i++) {
        device.also6.items[i] = (struct also6_item){
            .prefix = {.ip = {.family = IP_V6, .bytes = {0x20, 0x01, i}}, .len = (uint8_t)(128 - i)},
            .until_ms = ends[i]};
    }
    struct store_batch batch = {.devices = &device, .devices_len = 1};
    assert_int_equal(commit(&batch), ERR_OK);
    device.seq = 0;
    assert_int_equal(commit(&batch), ERR_OK); /* an upsert */
    reopen();
    struct store_device seen = {0};
    assert_int_equal(backend->ops->get_device(fixture.store, "dev-a", see_device, &seen), ERR_OK);
    seen.id = device.id;
    assert_int_equal(seen.boot, device.boot);
    assert_int_equal(seen.seq, 0);
    assert_true(seen.content_hash == UINT64_MAX);
    assert_memory_equal(&seen.observed, &device.observed, sizeof(seen.observed));
    assert_true(rrset_value_equal(&seen.ip4, &device.ip4));
    assert_int_equal(seen.ip6.len, 0);
    assert_memory_equal(&seen.prefix6, &device.prefix6, sizeof(seen.prefix6));
    assert_int_equal(seen.also6.len, ALSO6_MAX);
    assert_true(also6_ends_equal(&seen.also6, &device.also6));
    assert_int_equal(seen.presence, 3);
    assert_int_equal(seen.flags, 0x81);
    assert_true(seen.seen_ms == device.seen_ms && seen.changed_ms == -1);
    assert_int_equal(backend->ops->get_device(fixture.store, "dev-b", see_device, &seen), ERR_NOTFOUND);
    device.also6.len = 0;
    assert_int_equal(commit(&batch), ERR_OK);
    assert_int_equal(backend->ops->get_device(fixture.store, "dev-a", see_device, &seen), ERR_OK);
    assert_int_equal(seen.also6.len, 0);
}

static enum err count_device(void *context, const struct store_device *device)
{
    (void)device;
    size_t *count = context;
    (*count)++;
    return *count == 5 ? ERR_LIMIT : ERR_OK;
}

static void devices_are_walked_by_shard_and_removed(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct store_device devices[ARRAY_LEN(ids)];
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        devices[i] = (struct store_device){.id = ids[i], .shard = (uint8_t)(i % 2)};
    }
    assert_int_equal(commit(&(struct store_batch){.devices = devices, .devices_len = 4}), ERR_OK);
    size_t all = 0, odd = 0, none = 0, cut = 4;
    assert_int_equal(backend->ops->each_device(fixture.store, STORE_ALL_SHARDS, count_device, &all), ERR_OK);
    assert_int_equal(backend->ops->each_device(fixture.store, 1, count_device, &odd), ERR_OK);
    assert_int_equal(backend->ops->each_device(fixture.store, 9, count_device, &none), ERR_OK);
    assert_int_equal(all, 4);
    assert_int_equal(odd, 2);
    assert_int_equal(none, 0);
    assert_int_equal(backend->ops->each_device(fixture.store, STORE_ALL_SHARDS, count_device, &cut), ERR_LIMIT);
    assert_int_equal(commit(&(struct store_batch){.device_removals = ids, .device_removals_len = 3}), ERR_OK);
    uint64_t left, records, pending;
    assert_int_equal(backend->ops->count(fixture.store, &left, &records, &pending), ERR_OK);
    assert_int_equal(left, 1);
}

static void a_want_is_pending_until_its_outcome(void **state)
{
    (void)state;
    uint64_t epoch = claim();
    (void)put("a." ZONE, "dev-a", 1, 10);
    struct seen seen = query((struct store_record_query){.pending_only = true});
    assert_int_equal(seen.len, 1);
    assert_false(seen.records[0].have_known);
    assert_string_equal(seen.devices[0], "dev-a");
    assert_int_equal(seen.records[0].ttl, 60);
    assert_true(seen.records[0].changed_ms == 10000 && seen.records[0].applied_ms == 0);
    assert_int_equal(settle(outcome("a." ZONE, epoch, 1, 10)), ERR_OK);
    assert_int_equal(query((struct store_record_query){.pending_only = true}).len, 0);
    seen = query((struct store_record_query){0});
    assert_true(seen.records[0].have_known && seen.records[0].applied_ms == 10500);
    struct store_want next = put("a." ZONE, "dev-a", 2, 11);
    struct rrset_value before = value_of(1);
    assert_true(next.have_known && next.have_rev == 10);
    assert_memory_equal(&next.have, &before, sizeof(before));
    assert_false(next.was_pending);
    struct store_want third = put("a." ZONE, "dev-a", 3, 12);
    struct rrset_value second = value_of(2);
    assert_true(third.was_pending && third.have_known);
    assert_memory_equal(&third.was, &second, sizeof(second)); /* the DNS holds 1, or 2 already */
    assert_memory_equal(&third.have, &before, sizeof(before));
    assert_int_equal(query((struct store_record_query){.pending_only = true}).len, 1);
}

/* Want and outcome in one row, as they come when the DNS is faster than the commit. */
static struct store_want both(const char *device, uint32_t number, uint64_t rev, uint64_t epoch, enum err expected)
{
    struct store_have have = outcome("a." ZONE, epoch, number, rev);
    have.with_want = true;
    struct store_want want = {.zone = ZONE,
                              .name = "a." ZONE,
                              .type = RRTYPE_A,
                              .device = device,
                              .ttl = 60,
                              .want = value_of(number),
                              .want_rev = rev,
                              .now_ms = (int64_t)rev * 1000,
                              .outcome = &have};
    const struct store_batch batch = {.wants = &want, .wants_len = 1, .haves = &have, .haves_len = 1};
    assert_int_equal(commit(&batch), expected);
    want.outcome = NULL;
    return want;
}

static void a_want_with_its_outcome_is_one_row(void **state)
{
    (void)state;
    uint64_t epoch = claim();
    for (uint64_t rev = 10; rev < 13; rev++) { /* made, then changed twice */
        assert_false(both("dev-a", (uint32_t)rev, rev, epoch, ERR_OK).taken);
        assert_int_equal(query((struct store_record_query){.pending_only = true}).len, 0);
        struct seen seen = query((struct store_record_query){0});
        assert_int_equal(seen.len, 1);
        assert_true(
            rrset_value_equal(&seen.records[0].want, &(struct rrset_value){.ips = {ip4_of((uint32_t)rev)}, .len = 1}));
        assert_true(rrset_value_equal(&seen.records[0].have, &seen.records[0].want));
        assert_true(seen.records[0].have_rev == rev && seen.records[0].want_rev == rev);
        assert_int_equal(seen.records[0].applied_ms, (int64_t)rev * 1000 + 500);
    }
    assert_true(both("dev-b", 99, 20, epoch, ERR_OK).taken); /* another device's: neither want nor outcome */
    assert_int_equal(query((struct store_record_query){0}).records[0].have_rev, 12);
    (void)both("dev-a", 50, 11, epoch, ERR_OK); /* older than what stands: dropped */
    assert_int_equal(query((struct store_record_query){0}).records[0].want_rev, 12);
    (void)put("a." ZONE, "dev-a", 0, 21); /* a tombstone may be taken over */
    assert_false(both("dev-b", 77, 22, epoch, ERR_OK).taken);
    struct seen seen = query((struct store_record_query){0});
    assert_string_equal(seen.devices[0], "dev-b");
    assert_true(seen.records[0].have_rev == 22 && !seen.records[0].want_null);
    uint64_t newer = claim();
    assert_true(newer > epoch);
    (void)both("dev-b", 78, 23, epoch, ERR_FENCED); /* a deposed writer */
    assert_int_equal(query((struct store_record_query){0}).records[0].want_rev, 22);
    (void)both("dev-b", 79, 24, 0, ERR_OK); /* one whose provider cannot claim */
    assert_int_equal(query((struct store_record_query){0}).records[0].have_rev, 24);
}

static void a_late_outcome_leaves_the_newer_want_pending(void **state)
{
    (void)state;
    uint64_t epoch = claim();
    (void)put("a." ZONE, "dev-a", 1, 10);
    (void)put("a." ZONE, "dev-a", 2, 12);
    assert_int_equal(settle(outcome("a." ZONE, epoch, 1, 10)), ERR_OK);
    struct seen seen = query((struct store_record_query){.pending_only = true});
    assert_int_equal(seen.len, 1);
    assert_int_equal(seen.records[0].have_rev, 10);
    assert_int_equal(settle(outcome("a." ZONE, epoch, 2, 12)), ERR_OK);
    assert_int_equal(settle(outcome("a." ZONE, epoch, 1, 10)), ERR_OK); /* repeated, now stale: dropped */
    seen = query((struct store_record_query){0});
    struct rrset_value two = value_of(2);
    assert_int_equal(seen.records[0].have_rev, 12);
    assert_memory_equal(&seen.records[0].have, &two, sizeof(two));
}

static void an_older_want_is_dropped(void **state)
{
    (void)state;
    (void)put("a." ZONE, "dev-a", 2, 12);
    assert_false(put("a." ZONE, "dev-a", 1, 11).taken);
    struct seen seen = query((struct store_record_query){0});
    assert_int_equal(seen.records[0].want_rev, 12);
    assert_int_equal(seen.records[0].want.ips[0].bytes[3], 2);
}

static void a_failure_counts_for_its_own_want_only(void **state)
{
    (void)state;
    uint64_t epoch = claim();
    (void)put("a." ZONE, "dev-a", 1, 10);
    struct store_have refused = outcome("a." ZONE, epoch, 1, 10);
    refused.applied = false;
    refused.error = "REFUSED";
    refused.attempts = 3;
    refused.not_before_ms = 99000;
    assert_int_equal(settle(refused), ERR_OK);
    struct seen seen = query((struct store_record_query){.pending_only = true});
    assert_int_equal(seen.len, 1);
    assert_string_equal(seen.errors[0], "REFUSED");
    assert_int_equal(seen.records[0].attempts, 3);
    assert_true(seen.records[0].not_before_ms == 99000);
    (void)put("a." ZONE, "dev-a", 2, 11); /* a new value starts afresh */
    assert_int_equal(settle(refused), ERR_OK);
    seen = query((struct store_record_query){0});
    assert_string_equal(seen.errors[0], "");
    assert_int_equal(seen.records[0].attempts, 0);
    assert_true(seen.records[0].not_before_ms == 0);
    assert_false(seen.records[0].have_known);
}

static void another_devices_record_is_not_taken(void **state)
{
    (void)state;
    (void)put("a." ZONE, "dev-a", 1, 10);
    struct store_want theft = put("a." ZONE, "dev-b", 2, 11);
    assert_true(theft.taken);
    struct seen seen = query((struct store_record_query){0});
    assert_int_equal(seen.len, 1);
    assert_string_equal(seen.devices[0], "dev-a");
    assert_int_equal(seen.records[0].want_rev, 10);
    assert_true(put("a." ZONE, NULL, 0, 12).taken); /* an unowned tombstone is another owner too */
    assert_true(put("a." ZONE, "dev-b", 0, 13).taken);
    assert_false(query((struct store_record_query){0}).records[0].want_null);
}

static void a_tombstone_may_be_taken_and_keeps_what_stands(void **state)
{
    (void)state;
    uint64_t epoch = claim();
    (void)put("a." ZONE, "dev-a", 1, 10);
    assert_int_equal(settle(outcome("a." ZONE, epoch, 1, 10)), ERR_OK);
    (void)put("a." ZONE, "dev-a", 0, 11);
    struct seen seen = query((struct store_record_query){.pending_only = true});
    assert_true(seen.len == 1 && seen.records[0].want_null);
    struct store_want heir = put("a." ZONE, "dev-b", 2, 12);
    assert_false(heir.taken);
    assert_true(heir.have_known);
    struct store_have gone = outcome("a." ZONE, epoch, 0, 11);
    gone.forget = true; /* the deletion that was under way arrives late: the heir's row stays */
    assert_int_equal(settle(gone), ERR_OK);
    seen = query((struct store_record_query){.device = "dev-b", .pending_only = true});
    assert_int_equal(seen.len, 1);
    assert_int_equal(seen.records[0].have_rev, 11);
    assert_true(seen.records[0].have_known && seen.records[0].have.len == 0);
    assert_int_equal(query((struct store_record_query){.device = "dev-a"}).len, 0);
}

static void a_deposed_writer_changes_nothing(void **state)
{
    (void)state;
    uint64_t old = claim();
    (void)put("a." ZONE, "dev-a", 1, 10);
    struct store *rival = NULL;
    uint64_t epoch = 0;
    assert_int_equal(backend->ops->open(&fixture.options, &rival, NULL), ERR_OK);
    assert_int_equal(backend->ops->claim_zone(rival, ZONE, 0, &epoch, NULL), ERR_OK);
    backend->ops->close(rival);
    assert_true(epoch > old);
    struct store_device device = {.id = "dev-z"};
    struct store_have have = outcome("a." ZONE, old, 1, 10);
    struct store_batch batch = {.devices = &device, .devices_len = 1, .haves = &have, .haves_len = 1};
    struct errinfo info = {0};
    assert_int_equal(backend->ops->commit(fixture.store, &batch, &info), ERR_FENCED);
    assert_non_null(strstr(info.text, ZONE));
    struct store_device seen;
    assert_int_equal(backend->ops->get_device(fixture.store, "dev-z", see_device, &seen), ERR_NOTFOUND);
    assert_int_equal(query((struct store_record_query){.pending_only = true}).len, 1);
    have.epoch = 0; /* its provider cannot claim, or it refused before a claim */
    have.applied = false;
    assert_int_equal(commit(&batch), ERR_OK);
    have.applied = true;
    have.epoch = epoch;
    assert_int_equal(commit(&batch), ERR_OK);
    assert_int_equal(query((struct store_record_query){.pending_only = true}).len, 0);
}

static void a_bad_row_undoes_its_whole_batch(void **state)
{
    (void)state;
    struct store_device device = {.id = "dev-a"};
    struct store_want wants[2] = {
        {.zone = "new.example.net", .name = "a.new.example.net", .type = RRTYPE_A, .device = "dev-a", .want_rev = 1},
        {.zone = ZONE, .name = "b." ZONE, .type = RRTYPE_A, .device = "dev-a", .want_rev = UINT64_MAX},
    };
    struct store_batch batch = {.devices = &device, .devices_len = 1, .wants = wants, .wants_len = 2};
    assert_int_equal(commit(&batch), ERR_RANGE);
    wants[1].want_rev = 2;
    wants[1].device = NULL; /* a live record needs an owner */
    assert_int_equal(commit(&batch), ERR_INVALID);
    uint64_t devices, records, pending;
    assert_int_equal(backend->ops->count(fixture.store, &devices, &records, &pending), ERR_OK);
    assert_true(devices == 0 && records == 0);
    wants[1].device = "dev-a";
    assert_int_equal(commit(&batch), ERR_OK); /* and the zone that went with the failed batch is made again */
    assert_int_equal(query((struct store_record_query){.zone = "new.example.net"}).len, 1);
}

static void records_page_in_order(void **state)
{
    (void)state;
    static const char *const zones[] = {"b.example", "a.example", "c.example"};
    struct store_want wants[ARRAY_LEN(zones) * 4];
    char names[ARRAY_LEN(wants)][32];
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        const char *zone = zones[i % 3];
        assert_true(snprintf(names[i], sizeof(names[i]), "n%zu.%s", i / 6, zone) > 0);
        wants[i] = (struct store_want){.zone = zone,
                                       .name = names[i],
                                       .type = (i / 3) % 2 == 0 ? RRTYPE_AAAA : RRTYPE_A,
                                       .device = i % 2 == 0 ? "even" : "odd",
                                       .want_rev = i + 1};
    }
    assert_int_equal(commit(&(struct store_batch){.wants = wants, .wants_len = ARRAY_LEN(wants)}), ERR_OK);
    struct seen all = query((struct store_record_query){0});
    assert_int_equal(all.len, ARRAY_LEN(wants));
    for (size_t limit = 1; limit <= 5; limit++) {
        struct store_record_query page = {.limit = limit};
        struct seen some = {.len = 0};
        for (size_t at = 0; at < all.len; at += some.len) {
            some = query(page);
            assert_int_equal(some.len, MIN(limit, all.len - at));
            for (size_t i = 0; i < some.len; i++) {
                assert_string_equal(some.names[i], all.names[at + i]);
                assert_int_equal(some.records[i].type, all.records[at + i].type);
            }
            page.after_zone = all.zones[at + some.len - 1];
            page.after_name = all.names[at + some.len - 1];
            page.after_type = all.records[at + some.len - 1].type;
        }
        assert_int_equal(query(page).len, 0);
    }
    assert_string_equal(all.zones[0], "a.example");
    assert_string_equal(all.zones[11], "c.example");
    assert_int_equal(all.records[0].type, RRTYPE_A);
    assert_int_equal(query((struct store_record_query){.zone = "b.example"}).len, 4);
    assert_int_equal(query((struct store_record_query){.zone = "no.example"}).len, 0);
    assert_int_equal(query((struct store_record_query){.device = "odd"}).len, 6);
    assert_int_equal(query((struct store_record_query){.zone = "b.example", .device = "odd"}).len, 2);
    assert_int_equal(query((struct store_record_query){.zone = "a.example", .after_zone = "b.example"}).len, 0);
    assert_int_equal(query((struct store_record_query){.zone = "b.example", .after_zone = "a.example"}).len, 4);
}

static void values_of_both_families_come_back(void **state)
{
    (void)state;
    struct store_want want = {.zone = ZONE, .name = "a." ZONE, .type = RRTYPE_AAAA, .device = "d", .want_rev = 1};
    for (uint8_t len = 0; len <= RRSET_VALUES_MAX; len++) {
        want.want_rev++;
        want.want.len = len;
        if (len > 0) {
            want.want.ips[len - 1] = (struct ip){.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = len}};
        }
        assert_int_equal(commit(&(struct store_batch){.wants = &want, .wants_len = 1}), ERR_OK);
        struct seen seen = query((struct store_record_query){0});
        assert_false(seen.records[0].want_null); /* an empty set is wanted, which is not a tombstone */
        assert_memory_equal(&seen.records[0].want, &want.want, sizeof(want.want));
    }
}

static enum err count_audit(void *context, const struct store_audit *audit)
{
    size_t *count = context;
    (*count)++;
    assert_string_equal(audit->event, "published");
    assert_true(audit->id > 0);
    return ERR_OK;
}

static void audit_is_appended_and_ages(void **state)
{
    (void)state;
    backend->fresh(&fixture.options);
    fixture.options.audit_keep_ms = 10;
    reopen();
    for (int64_t at = 1; at <= 100; at++) {
        struct store_audit audit = {.at_ms = at, .event = "published", .subject = "a." ZONE, .detail = "x"};
        assert_int_equal(commit(&(struct store_batch){.audits = &audit, .audits_len = 1}), ERR_OK);
    }
    size_t count = 0, some = 0;
    assert_int_equal(backend->ops->each_audit(fixture.store, 0, 0, count_audit, &count), ERR_OK);
    assert_true(count >= 10 && count <= 12);
    assert_int_equal(backend->ops->each_audit(fixture.store, 98, 0, count_audit, &some), ERR_OK);
    assert_int_equal(some, 2);
    assert_int_equal(backend->ops->each_audit(fixture.store, 0, 3, count_audit, &some), ERR_OK);
    assert_int_equal(some, 5);
}

struct seen_stops {
    size_t len;
    char last[256];
};

static enum err see_stop(void *context, const struct store_stop *stop)
{
    struct seen_stops *seen = context;
    seen->len++;
    (void)snprintf(seen->last, sizeof(seen->last), "%s %s %s %d %s %s %d %lld", stop->account, stop->name,
                   rrtype_name(stop->type), stop->both, stop->error, stop->detail, stop->fingerprint[31],
                   (long long)stop->at_ms); /* fits */
    return ERR_OK;
}

static void stops_are_kept_until_they_are_dropped(void **state)
{
    (void)state;
    struct store_stop stop = {.account = "noip",
                              .name = "a.example.net",
                              .type = RRTYPE_A,
                              .error = "nohost",
                              .detail = "create it",
                              .fingerprint = {[31] = 7},
                              .at_ms = 1000};
    struct store_stop whole = {
        .account = "other", .name = "", .type = RRTYPE_A, .both = true, .error = "badauth", .detail = "d"};
    assert_int_equal(backend->ops->put_stop(fixture.store, &stop, NULL), ERR_OK);
    stop.error = "abuse"; /* the newer word counts */
    stop.both = true;
    assert_int_equal(backend->ops->put_stop(fixture.store, &stop, NULL), ERR_OK);
    reopen();
    struct seen_stops seen = {0};
    assert_int_equal(backend->ops->each_stop(fixture.store, see_stop, &seen), ERR_OK);
    assert_int_equal(seen.len, 1);
    assert_string_equal(seen.last, "noip a.example.net A 1 abuse create it 7 1000");
    stop.name = "b.example.net";
    assert_int_equal(backend->ops->put_stop(fixture.store, &stop, NULL), ERR_OK);
    assert_int_equal(backend->ops->put_stop(fixture.store, &whole, NULL), ERR_OK);
    assert_int_equal(backend->ops->drop_stops(fixture.store, "noip", "b.example.net", NULL), ERR_OK);
    assert_int_equal(backend->ops->drop_stops(fixture.store, "nobody", NULL, NULL), ERR_OK);
    seen = (struct seen_stops){0};
    assert_int_equal(backend->ops->each_stop(fixture.store, see_stop, &seen), ERR_OK);
    assert_int_equal(seen.len, 2);
    assert_int_equal(backend->ops->drop_stops(fixture.store, "noip", NULL, NULL), ERR_OK);
    seen = (struct seen_stops){0};
    assert_int_equal(backend->ops->each_stop(fixture.store, see_stop, &seen), ERR_OK);
    assert_int_equal(seen.len, 1);
    assert_string_equal(seen.last, "other  A 1 badauth d 0 0");
}

struct seen_regs {
    char lines[4][120];
    size_t len;
};

static enum err see_reg(void *context, const struct store_reg *reg)
{
    struct seen_regs *seen = context;
    assert_true(seen->len < ARRAY_LEN(seen->lines));
    (void)snprintf(seen->lines[seen->len++], sizeof(seen->lines[0]), "%s %u %u %d %llu %s/%s %u@%lld %s %d", reg->id,
                   reg->shard, reg->state, reg->owned, (unsigned long long)reg->rev, reg->group, reg->site,
                   reg->suspect, (long long)reg->suspect_ms, reg->detail, reg->due); /* compared whole */
    return ERR_OK;
}

static struct seen_regs regs_of(int shard)
{
    struct seen_regs seen = {.len = 0};
    assert_int_equal(backend->ops->each_reg(fixture.store, shard, see_reg, &seen), ERR_OK);
    return seen;
}

static void the_ledgers_word_is_kept_and_its_position_with_it(void **state)
{
    (void)state;
    struct store_feed feed;
    assert_int_equal(backend->ops->feed(fixture.store, &feed), ERR_OK);
    assert_true(feed.feed[0] == '\0' && feed.rev == 0 && !feed.complete);
    const struct store_reg regs[] = {
        {.id = "cam-a",
         .shard = 3,
         .state = 2,
         .owned = true,
         .rev = 7,
         .group = "cameras",
         .site = "berlin",
         .detail = "",
         .due = true},
        {.id = "cam-b",
         .shard = 9,
         .state = STORE_REG_UNTOLD,
         .group = "",
         .site = "",
         .suspect = 2,
         .suspect_ms = 5000,
         .detail = "two addresses"},
    };
    const struct store_feed first = {.feed = "ledger-1", .rev = 7, .complete = true};
    assert_int_equal(commit(&(struct store_batch){.regs = regs, .regs_len = 2, .feed = &first}), ERR_OK);
    reopen();
    assert_int_equal(backend->ops->feed(fixture.store, &feed), ERR_OK);
    assert_true(strcmp(feed.feed, "ledger-1") == 0 && feed.rev == 7 && feed.complete);
    assert_int_equal(regs_of(STORE_ALL_SHARDS).len, 2);
    struct seen_regs seen = regs_of(3);
    assert_int_equal(seen.len, 1);
    assert_string_equal(seen.lines[0], "cam-a 3 2 1 7 cameras/berlin 0@0  1");
    assert_string_equal(regs_of(9).lines[0], "cam-b 9 255 0 0 / 2@5000 two addresses 0");
}

/* Revisions of two ledgers do not compare: what the former one said stays, as older than anything of the new one. */
static void another_ledgers_revisions_start_anew(void **state)
{
    (void)state;
    struct store_reg reg = {.id = "cam-a", .shard = 3, .state = 2, .rev = 700, .group = "", .site = "", .detail = ""};
    struct store_feed feed = {.feed = "ledger-1", .rev = 700, .complete = true};
    assert_int_equal(commit(&(struct store_batch){.regs = &reg, .regs_len = 1, .feed = &feed}), ERR_OK);
    feed.rev = 701;
    assert_int_equal(commit(&(struct store_batch){.feed = &feed}), ERR_OK);
    assert_non_null(strstr(regs_of(3).lines[0], " 700 "));
    struct store_reg other = {.id = "cam-b", .shard = 4, .state = 2, .rev = 2, .group = "", .site = "", .detail = ""};
    feed = (struct store_feed){.feed = "ledger-2", .rev = 0, .complete = true};
    assert_int_equal(commit(&(struct store_batch){.regs = &other, .regs_len = 1, .feed = &feed}), ERR_OK);
    assert_string_equal(regs_of(3).lines[0], "cam-a 3 2 0 0 / 0@0  0");
    assert_string_equal(regs_of(4).lines[0], "cam-b 4 2 0 2 / 0@0  0");
    reg.rev = UINT64_MAX;
    assert_int_equal(commit(&(struct store_batch){.regs = &reg, .regs_len = 1}), ERR_RANGE);
}

static void the_script_holds_over_restarts(void **state)
{
    (void)state;
    uint64_t epoch = 0;
    for (uint64_t k = 1; k <= 40; k++) {
        if (k % 8 == 1) {
            reopen();
            assert_int_equal(backend->ops->claim_zone(fixture.store, SCRIPT_ZONE, 0, &epoch, NULL), ERR_OK);
        }
        assert_int_equal(script_commit(backend->ops, fixture.store, k, epoch, NULL), ERR_OK);
        assert_int_equal(script_check(backend->ops, fixture.store), k);
    }
}

static void every_start_checks_and_knows_how_the_last_one_ended(void **state)
{
    (void)state;
    struct store_facts facts;
    backend->ops->facts(fixture.store, &facts);
    assert_true(facts.checked && facts.schema_from == 0 && facts.schema > 0);
    reopen();
    backend->ops->facts(fixture.store, &facts);
    assert_true(facts.checked && facts.was_clean && facts.schema_from == facts.schema);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int store_suite_run(const struct store_backend *tested)
{
    backend = tested;
    const struct CMUnitTest tests[] = {
        TEST(uuid_is_made_once),
        TEST(last_rev_survives_the_record),
        TEST(epoch_rises_past_what_was_seen),
        TEST(a_device_comes_back_as_it_was),
        TEST(devices_are_walked_by_shard_and_removed),
        TEST(a_want_is_pending_until_its_outcome),
        TEST(a_want_with_its_outcome_is_one_row),
        TEST(a_late_outcome_leaves_the_newer_want_pending),
        TEST(an_older_want_is_dropped),
        TEST(a_failure_counts_for_its_own_want_only),
        TEST(another_devices_record_is_not_taken),
        TEST(a_tombstone_may_be_taken_and_keeps_what_stands),
        TEST(a_deposed_writer_changes_nothing),
        TEST(a_bad_row_undoes_its_whole_batch),
        TEST(records_page_in_order),
        TEST(values_of_both_families_come_back),
        TEST(audit_is_appended_and_ages),
        TEST(stops_are_kept_until_they_are_dropped),
        TEST(the_ledgers_word_is_kept_and_its_position_with_it),
        TEST(another_ledgers_revisions_start_anew),
        TEST(the_script_holds_over_restarts),
        TEST(every_start_checks_and_knows_how_the_last_one_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
