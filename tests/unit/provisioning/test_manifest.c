/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provisioning/sealed.h"

#define NOW INT64_C(1795365780000) /* 2026-11-22T16:43:00Z */
#define DAY INT64_C(86400000)

static struct key_rng *rng;
static struct key *factory, *other;
static struct manifest good;

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK || key_make(rng, &factory) != ERR_OK || key_make(rng, &other) != ERR_OK) {
        return -1;
    }
    good = (struct manifest){
        .batch = "b2026-11",
        .model = "Cam 2 (outdoor)",
        .count = 1000,
        .quota = 1010,
        .has_serials = true,
        .serials = {.prefix = "A7-", .first = 1, .last = 1000, .width = 5},
        .id = "cam-{serial}",
        .claim_cn = "claim-b2026-11",
        .claim_sha256 = {1, 2, 3},
        .from_ms = NOW,
        .to_ms = NOW + 365 * DAY,
        .activation_s = 90 * 86400,
        .stations_len = 2,
        .made_ms = NOW - DAY,
    };
    key_public(factory, good.factory);
    key_public(factory, good.stations[0]);
    key_public(other, good.stations[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    key_free(factory);
    key_free(other);
    key_rng_free(rng);
    return 0;
}

static void write_good(struct strbuf *text)
{
    strbuf_init(text, MANIFEST_MAX);
    assert_int_equal(manifest_write(&good, factory, text, NULL), ERR_OK);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct strbuf text;
    struct manifest back;
    uint8_t digest[SHA256_SIZE], digest_of_file[SHA256_SIZE];
    write_good(&text);
    assert_int_equal(manifest_read(strbuf_view(&text), good.factory, &back, NULL), ERR_OK);
    assert_true(manifest_same(&good, &back));
    assert_int_equal(back.made_ms, good.made_ms);
    manifest_digest(strbuf_view(&text), digest);
    assert_int_equal(strbuf_addc(&text, '\n'), ERR_OK);
    assert_int_equal(manifest_read(strbuf_view(&text), NULL, &back, NULL), ERR_OK);
    manifest_digest(strbuf_view(&text), digest_of_file);
    assert_memory_equal(digest, digest_of_file, sizeof(digest));
    strbuf_deinit(&text);
}

static void the_largest_fits(void **state)
{
    (void)state;
    struct manifest most = good, back;
    struct strbuf text;
    strbuf_init(&text, MANIFEST_MAX);
    memset(most.batch, 'b', LEDGER_BATCH_MAX);
    memset(most.model, 'm', MANIFEST_MODEL_MAX);
    most.serials =
        (struct manifest_serials){.prefix = "PPPPPPPPPPPPPPP", .last = UINT64_C(999999999999999), .width = 15};
    memset(most.claim_cn, 'c', IDENTITY_MAX);
    memcpy(most.claim_cn, "claim-", 6);
    most.stations_len = MANIFEST_STATIONS_MAX;
    for (size_t i = 0; i < MANIFEST_STATIONS_MAX; i++) {
        key_public(other, most.stations[i]);
    }
    assert_int_equal(manifest_write(&most, factory, &text, NULL), ERR_OK);
    assert_int_equal(manifest_read(strbuf_view(&text), NULL, &back, NULL), ERR_OK);
    assert_true(manifest_same(&most, &back));
    strbuf_deinit(&text);
}

static void any_change_is_noticed(void **state)
{
    (void)state;
    struct strbuf text;
    struct manifest back = {.count = 7};
    write_good(&text);
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] ^= 1;
        assert_int_not_equal(manifest_read(strbuf_view(&text), NULL, &back, NULL), ERR_OK);
        text.ptr[i] ^= 1;
    }
    assert_int_equal(back.count, 7); /* untouched by what was refused */
    strbuf_deinit(&text);
}

static void another_factorys_is_refused(void **state)
{
    (void)state;
    struct strbuf text;
    struct manifest back;
    struct errinfo info = {0};
    write_good(&text);
    assert_int_equal(manifest_read(strbuf_view(&text), good.stations[1], &back, &info), ERR_AUTH);
    assert_string_equal(info.text, "factory: signed by another factory key than the one given");
    strbuf_deinit(&text);
}

/** A member changed in the text, and the text signed anew by the right key. */
static enum err read_changed(const char *from, const char *to, struct errinfo *info)
{
    struct strbuf text, changed;
    struct manifest back;
    write_good(&text);
    strbuf_init(&changed, 2 * MANIFEST_MAX);
    const char *end = strstr(strbuf_str(&text), ",\"sig\"");
    const char *at = strstr(strbuf_str(&text), from);
    assert_non_null(at);
    assert_int_equal(strbuf_add(&changed, view_n(text.ptr, (size_t)(at - text.ptr))), ERR_OK);
    assert_int_equal(strbuf_adds(&changed, to), ERR_OK);
    at += strlen(from);
    assert_int_equal(strbuf_add(&changed, view_n(at, (size_t)(end - at))), ERR_OK);
    assert_int_equal(sealed_close(&changed, factory), ERR_OK);
    enum err err = manifest_read(strbuf_view(&changed), NULL, &back, info);
    strbuf_deinit(&text);
    strbuf_deinit(&changed);
    return err;
}

static void wrong_members_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"\"v\":1", "\"v\":2", "v, t"},
        {"\"manifest\"", "\"head\"", "v, t"},
        {"\"batch\":\"b2026-11\"", "\"batch\":\"B\"", "batch"},
        {"\"batch\":\"b2026-11\"", "\"batch\":7", "batch"},
        {"\"count\":1000", "\"count\":0", "count"},
        {"\"count\":1000", "\"count\":1001", "count"},
        {"\"count\":1000", "\"count\":-1", "count"},
        {"\"count\":1000", "\"count\":4294968296", "count"},
        {"\"quota\":1010", "\"quota\":0", "quota"},
        {"\"serials\":{", "\"serials\":7,\"x\":{", "serials"},
        {"\"first\":1,", "\"first\":2000,", "serials"},
        {"\"width\":5", "\"width\":3", "serials"},
        {"\"prefix\":\"A7-\"", "\"prefix\":\"A 7\"", "serials"},
        {"\"prefix\":\"A7-\"", "\"prefix\":\"01234567890123456789012345678901234567\"", "id: with a serial"},
        {"cam-{serial}", "cam-{SERIAL}", "id"},
        {"cam-{serial}", "Cam-{serial}", "id"},
        {"cam-{serial}", "svc-{serial}", "id"},
        {"cam-{serial}", "{serial}{serial}", "id"},
        {"\"cn\":\"claim-", "\"cn\":\"svc-", "claim"},
        {"\"sha256\":\"01", "\"sha256\":\"0g", "claim"},
        {"\"to\":", "\"to\":1,\"z\":", "from, to"},
        {"\"stations\":[", "\"stations\":[],\"z\":[", "stations"},
        {"\"stations\":[\"B", "\"stations\":[\"A", "stations"},
        {"\"made\":", "\"made\":true,\"z\":", "made"},
        {"\"model\":\"Cam 2", "\"model\":\"Cam\\n2", "model"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct errinfo info = {0};
        assert_int_equal(read_changed(rows[i].from, rows[i].to, &info), ERR_INVALID);
        assert_true(view_starts_with(view_of(info.text), view_of(rows[i].says)));
    }
    assert_int_equal(read_changed("\"v\":1", "\"v\":1,\"later\":[]", NULL), ERR_OK); /* for versions to come */
}

static void serials_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *serial;
        bool has;
    } rows[] = {
        {"A7-00001", true},  {"A7-01000", true},  {"A7-00000", false}, {"A7-01001", false}, {"A7-1", false},
        {"A8-00001", false}, {"A7-0000a", false}, {"", false},         {"a7-00001", false}, {"A7-000001", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(manifest_has_serial(&good, view_of(rows[i].serial)), rows[i].has);
    }
    struct manifest any = good;
    any.has_serials = false;
    assert_true(manifest_has_serial(&any, VIEW_LITERAL("X.9_z")));
    assert_false(manifest_has_serial(&any, VIEW_LITERAL("X 9")));
    char serial[LEDGER_SERIAL_MAX + 1];
    assert_int_equal(manifest_serial_at(&any, 0, serial), ERR_STATE);
    assert_int_equal(manifest_serial_at(&good, 999, serial), ERR_OK);
    assert_string_equal(serial, "A7-01000");
    assert_int_equal(manifest_serial_at(&good, 1000, serial), ERR_RANGE);
}

static void ids_come_from_serials(void **state)
{
    (void)state;
    char id[IDENTITY_MAX + 1];
    struct manifest any = good;
    any.has_serials = false;
    assert_int_equal(manifest_device_id(&good, VIEW_LITERAL("A7-00042"), id), ERR_OK);
    assert_string_equal(id, "cam-a7-00042");
    assert_int_equal(manifest_device_id(&any, VIEW_LITERAL("X.9_z"), id), ERR_OK);
    assert_string_equal(id, "cam-x-9-z");
    assert_int_equal(manifest_device_id(&good, VIEW_LITERAL("X.9_z"), id), ERR_INVALID);
    assert_int_equal(manifest_device_id(&any, VIEW_LITERAL("0123456789012345678901234567890123456"), id), ERR_INVALID);
    (void)snprintf(any.id, sizeof(any.id), "{serial}");
    assert_int_equal(manifest_device_id(&any, VIEW_LITERAL("SVC-1"), id), ERR_INVALID);
    assert_int_equal(manifest_device_id(&any, VIEW_LITERAL("Claim_1"), id), ERR_INVALID);
}

static void stations_are_known(void **state)
{
    (void)state;
    uint8_t point[KEY_POINT_SIZE] = {4};
    assert_true(manifest_has_station(&good, good.stations[1]));
    assert_false(manifest_has_station(&good, point));
}

static void the_time_made_is_no_difference(void **state)
{
    (void)state;
    struct manifest later = good;
    later.made_ms++;
    assert_true(manifest_same(&good, &later));
    later.quota++;
    assert_false(manifest_same(&good, &later));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),       cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(any_change_is_noticed),          cmocka_unit_test(another_factorys_is_refused),
        cmocka_unit_test(wrong_members_are_named),        cmocka_unit_test(serials_are_judged),
        cmocka_unit_test(ids_come_from_serials),          cmocka_unit_test(stations_are_known),
        cmocka_unit_test(the_time_made_is_no_difference),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
