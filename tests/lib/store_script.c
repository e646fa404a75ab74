/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/store_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEVICES     7
#define RECORDS     5
#define NAME_SIZE   32
#define DISCARD_LEN 700 /* the audit text of a batch: long enough that logs wrap and pages overflow */

static struct rrset_value value_of(uint64_t k)
{
    struct rrset_value value = {.len = (uint8_t)(1 + k % RRSET_VALUES_MAX)};
    for (uint8_t i = 0; i < value.len; i++) {
        value.ips[i] = (struct ip){.family = IP_V4,
                                   .bytes = {198, 51, (uint8_t)(k & 0xff), (uint8_t)((k >> 8) * RRSET_VALUES_MAX + i)}};
    }
    return value;
}

static void text_of(char *buffer, size_t size, const char *prefix, uint64_t number, const char *suffix)
{
    assert_true(snprintf(buffer, size, "%s%llu%s", prefix, (unsigned long long)number, suffix) < (int)size);
}

enum err script_commit(const struct store_ops *ops, struct store *store, uint64_t k, uint64_t epoch,
                       struct errinfo *info)
{
    char device_id[NAME_SIZE], name[NAME_SIZE], before[NAME_SIZE], detail[DISCARD_LEN + 1];
    text_of(device_id, sizeof(device_id), "dev-", k % DEVICES, "");
    text_of(name, sizeof(name), "r", k % RECORDS, "." SCRIPT_ZONE);
    text_of(before, sizeof(before), "r", (k - 1) % RECORDS, "." SCRIPT_ZONE);
    memset(detail, 'a' + (int)(k % 26), DISCARD_LEN);
    detail[DISCARD_LEN] = '\0';
    struct store_device device = {
        .id = device_id, .shard = (uint8_t)(k % DEVICES), .seq = (uint32_t)k, .observed = value_of(k).ips[0]};
    struct store_want want = {.zone = SCRIPT_ZONE,
                              .name = name,
                              .type = RRTYPE_A,
                              .device = name,
                              .ttl = 60,
                              .want = value_of(k),
                              .want_rev = k,
                              .now_ms = (int64_t)k};
    struct store_have have = {.zone = SCRIPT_ZONE,
                              .name = before,
                              .type = RRTYPE_A,
                              .epoch = epoch,
                              .applied = true,
                              .have = value_of(k - 1),
                              .have_rev = k - 1,
                              .error = "",
                              .now_ms = (int64_t)k};
    struct store_audit audit = {.at_ms = (int64_t)k, .event = "published", .subject = name, .detail = detail};
    struct store_reg reg = {.id = device_id,
                            .shard = (uint8_t)(k % DEVICES),
                            .rev = k,
                            .owned = k % 2 == 0,
                            .group = "cameras",
                            .site = before,
                            .detail = ""};
    struct store_feed feed = {.feed = "f-1", .rev = k, .complete = true};
    struct store_batch batch = {.regs = &reg,
                                .regs_len = 1,
                                .feed = &feed,
                                .devices = &device,
                                .devices_len = 1,
                                .wants = &want,
                                .wants_len = 1,
                                .haves = &have,
                                .haves_len = k > 1 ? 1 : 0,
                                .audits = &audit,
                                .audits_len = 1};
    return ops->commit(store, &batch, info);
}

struct tally {
    uint64_t k, devices, records, regs, audits;
};

/* The last of the numbers 1..k that is `index` modulo `modulus`; 0 when there is none. */
static uint64_t last_of(uint64_t k, uint64_t index, uint64_t modulus)
{
    uint64_t back = (k % modulus + modulus - index) % modulus;
    return back < k ? k - back : 0;
}

static uint64_t number_in(const char *text)
{
    uint64_t number = 0;
    for (; *text != '\0' && (*text < '0' || *text > '9'); text++) {
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10 + (uint64_t)(*text - '0');
    }
    return number;
}

static enum err check_device(void *context, const struct store_device *device)
{
    struct tally *tally = context;
    uint64_t last = last_of(tally->k, number_in(device->id), DEVICES);
    assert_int_not_equal(last, 0);
    assert_int_equal(device->seq, last);
    struct ip expected = value_of(last).ips[0];
    assert_memory_equal(&device->observed, &expected, sizeof(expected));
    tally->devices++;
    return ERR_OK;
}

static enum err check_record(void *context, const struct store_record *record)
{
    struct tally *tally = context;
    uint64_t index = number_in(record->name), want = last_of(tally->k, index, RECORDS);
    uint64_t have = tally->k > 0 ? last_of(tally->k - 1, index, RECORDS) : 0;
    struct rrset_value wanted = value_of(want), had = value_of(have);
    assert_int_equal(record->want_rev, want);
    assert_memory_equal(&record->want, &wanted, sizeof(wanted));
    assert_int_equal(record->have_rev, have);
    assert_int_equal(record->have_known, have != 0);
    if (have != 0) {
        assert_memory_equal(&record->have, &had, sizeof(had));
    }
    tally->records++;
    return ERR_OK;
}

static enum err check_reg(void *context, const struct store_reg *reg)
{
    struct tally *tally = context;
    uint64_t last = last_of(tally->k, number_in(reg->id), DEVICES);
    assert_int_equal(reg->rev, last);
    assert_int_equal(reg->owned, last % 2 == 0);
    tally->regs++;
    return ERR_OK;
}

static enum err check_audit(void *context, const struct store_audit *audit)
{
    struct tally *tally = context;
    tally->audits++;
    assert_int_equal(audit->at_ms, tally->audits);
    assert_int_equal(strlen(audit->detail), DISCARD_LEN);
    assert_int_equal(audit->detail[0], 'a' + (int)(tally->audits % 26));
    return ERR_OK;
}

uint64_t script_check(const struct store_ops *ops, struct store *store)
{
    struct tally tally = {0};
    assert_int_equal(ops->last_rev(store, &tally.k), ERR_OK);
    assert_int_equal(ops->each_device(store, STORE_ALL_SHARDS, check_device, &tally), ERR_OK);
    assert_int_equal(ops->each_record(store, &(struct store_record_query){0}, check_record, &tally), ERR_OK);
    assert_int_equal(ops->each_audit(store, 0, 0, check_audit, &tally), ERR_OK);
    assert_int_equal(ops->each_reg(store, STORE_ALL_SHARDS, check_reg, &tally), ERR_OK);
    struct store_feed feed;
    assert_int_equal(ops->feed(store, &feed), ERR_OK);
    assert_int_equal(feed.rev, tally.k); /* never ahead of the words that it counts */
    assert_int_equal(tally.regs, MIN(tally.k, DEVICES));
    assert_int_equal(tally.devices, MIN(tally.k, DEVICES));
    assert_int_equal(tally.records, MIN(tally.k, RECORDS));
    assert_int_equal(tally.audits, tally.k);
    uint64_t devices, records, pending;
    assert_int_equal(ops->count(store, &devices, &records, &pending), ERR_OK);
    assert_int_equal(devices, tally.devices);
    assert_int_equal(records, tally.records);
    assert_int_equal(pending, tally.k > 0 ? 1 : 0);
    return tally.k;
}
