/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW   INT64_C(1795365780000) /* 2026-11-22T16:43:00Z */
#define LINES 5

static struct key_rng *rng;
static struct key *station, *device, *other;

/** A head, a device made and tested, another one made and voided; each line by itself, without its newline. */
static char lines[LINES][LEDGER_LINE_MAX + 1];

static const struct ledger_line events[LINES] = {
    {.event = LEDGER_HEAD, .batch = "b2026-11", .station = "line-1", .manifest = {1, 2, 3}, .ts = NOW},
    {.event = LEDGER_MADE, .serial = "A7K2-0001", .id = "cam-a7k2-0001", .owner = {4, 5}, .ts = NOW + 1},
    {.event = LEDGER_TESTED, .serial = "A7K2-0001", .ts = NOW + 2},
    {.event = LEDGER_MADE, .serial = "A7K2-0002", .id = "cam-a7k2-0002", .owner = {6}, .ts = NOW + 3},
    {.event = LEDGER_VOID, .serial = "A7K2-0002", .why = "no picture", .ts = NOW + 4},
};

static void write_all(struct key *signer, struct strbuf *out)
{
    struct ledger_chain chain = {.begun = false};
    for (size_t i = 0; i < LINES; i++) {
        struct ledger_line line = events[i];
        key_public(device, line.key);
        assert_int_equal(ledger_write(&chain, &line, signer, out), ERR_OK);
        assert_int_equal(chain.next, i + 1);
    }
}

static void split(struct view text, char ret_lines[LINES][LEDGER_LINE_MAX + 1])
{
    for (size_t i = 0; i < LINES; i++) {
        struct view line;
        assert_true(view_next(&text, '\n', &line));
        assert_int_equal(view_copy(line, ret_lines[i], LEDGER_LINE_MAX + 1), ERR_OK);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (key_rng_new(&rng) != ERR_OK || key_make(rng, &station) != ERR_OK || key_make(rng, &device) != ERR_OK ||
        key_make(rng, &other) != ERR_OK) {
        return -1;
    }
    struct strbuf text;
    strbuf_init(&text, LINES * LEDGER_LINE_MAX);
    write_all(station, &text);
    split(strbuf_view(&text), lines);
    strbuf_deinit(&text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    key_free(station);
    key_free(device);
    key_free(other);
    key_rng_free(rng);
    return 0;
}

/** Reads the first @p len lines, which are good. */
static struct ledger_chain chain_of(size_t len)
{
    struct ledger_chain chain = {.begun = false};
    struct ledger_line line;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(ledger_read(&chain, view_of(lines[i]), &line, NULL), ERR_OK);
    }
    return chain;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct ledger_chain chain = {.begun = false};
    uint8_t point[KEY_POINT_SIZE];
    for (size_t i = 0; i < LINES; i++) {
        struct ledger_line line;
        assert_int_equal(ledger_read(&chain, view_of(lines[i]), &line, NULL), ERR_OK);
        assert_int_equal(line.event, events[i].event);
        assert_int_equal(line.n, i);
        assert_int_equal(line.ts, events[i].ts);
        assert_string_equal(line.serial, events[i].serial);
        assert_string_equal(line.id, events[i].id);
        assert_string_equal(line.batch, events[i].batch);
        assert_string_equal(line.station, events[i].station);
        assert_string_equal(line.why, events[i].why);
        assert_memory_equal(line.owner, events[i].owner, SHA256_SIZE);
        assert_memory_equal(line.manifest, events[i].manifest, SHA256_SIZE);
        if (line.event == LEDGER_HEAD || line.event == LEDGER_MADE) {
            key_public(line.event == LEDGER_HEAD ? station : device, point);
            assert_memory_equal(line.key, point, sizeof(point));
        }
    }
    assert_string_equal(chain.head.batch, "b2026-11");
}

static void a_line_changed_anywhere_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        const struct ledger_chain before = chain_of(i);
        char text[LEDGER_LINE_MAX + 1];
        memcpy(text, lines[i], sizeof(text));
        for (size_t at = 0; text[at] != '\0'; at++) {
            struct ledger_chain chain = before;
            struct ledger_line line;
            text[at] ^= 1;
            assert_int_not_equal(ledger_read(&chain, view_of(text), &line, NULL), ERR_OK);
            assert_memory_equal(&chain, &before, sizeof(chain)); /* a refused line moves nothing */
            text[at] ^= 1;
        }
    }
}

static void lines_stand_in_their_order(void **state)
{
    (void)state;
    static const struct {
        size_t after, line;
        const char *says;
    } rows[] = {
        {0, 1, "t: the first line is no head"},
        {1, 0, "t: a second head"},
        {1, 2, "n: not the number"},
        {2, 1, "n: not the number"},
        {3, 4, "n: not the number"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_chain chain = chain_of(rows[i].after);
        struct ledger_line line;
        struct errinfo info = {0};
        assert_int_equal(ledger_read(&chain, view_of(lines[rows[i].line]), &line, &info), ERR_CONFLICT);
        assert_true(view_starts_with(view_of(info.text), view_of(rows[i].says)));
    }
}

/* The whole tail signed anew by the station itself: its own earlier copy does not fit. */
static void a_replaced_line_does_not_fit_the_next(void **state)
{
    (void)state;
    struct strbuf text;
    struct ledger_chain chain = chain_of(1);
    struct ledger_line forged = events[1];
    struct ledger_line line;
    struct errinfo info = {0};
    strbuf_init(&text, LEDGER_LINE_MAX);
    key_public(other, forged.key);
    assert_int_equal(ledger_write(&chain, &forged, station, &text), ERR_OK);
    assert_int_equal(ledger_read(&chain, view_of(lines[2]), &line, &info), ERR_CONFLICT);
    assert_true(view_starts_with(view_of(info.text), VIEW_LITERAL("prev:")));
    strbuf_deinit(&text);
}

static void anothers_signature_is_refused(void **state)
{
    (void)state;
    struct strbuf text;
    struct ledger_chain chain = chain_of(1);
    struct ledger_chain copy = chain;
    struct ledger_line forged = events[2];
    struct ledger_line line;
    strbuf_init(&text, LEDGER_LINE_MAX);
    assert_int_equal(ledger_write(&copy, &forged, other, &text), ERR_OK);
    assert_int_equal(ledger_read(&chain, view_n(text.ptr, text.len - 1), &line, NULL), ERR_AUTH);
    strbuf_deinit(&text);
}

static void bad_members_are_not_written(void **state)
{
    (void)state;
    static const struct {
        struct ledger_line line;
        size_t after;
        enum err err;
    } rows[] = {
        {{.event = LEDGER_HEAD, .batch = "B1", .station = "s"}, 0, ERR_INVALID},
        {{.event = LEDGER_HEAD, .batch = "", .station = "s"}, 0, ERR_INVALID},
        {{.event = LEDGER_HEAD, .batch = "b", .station = "s", .ts = -1}, 0, ERR_INVALID},
        {{.event = LEDGER_HEAD, .batch = "b", .station = "s"}, 1, ERR_STATE},
        {{.event = LEDGER_TESTED, .serial = "A"}, 0, ERR_STATE},
        {{.event = LEDGER_TESTED, .serial = ""}, 1, ERR_INVALID},
        {{.event = LEDGER_TESTED, .serial = "A\"B"}, 1, ERR_INVALID},
        {{.event = LEDGER_TESTED, .serial = "A/B"}, 1, ERR_INVALID},
        {{.event = LEDGER_MADE, .serial = "A", .id = "Cam"}, 1, ERR_INVALID},
        {{.event = LEDGER_VOID, .serial = "A", .why = ""}, 1, ERR_INVALID},
        {{.event = LEDGER_VOID, .serial = "A", .why = "a\nb"}, 1, ERR_INVALID},
        {{.event = LEDGER_VOID, .serial = "A", .why = "\""}, 1, ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf text;
        struct ledger_chain chain = chain_of(rows[i].after);
        const struct ledger_chain before = chain;
        strbuf_init(&text, LEDGER_LINE_MAX);
        assert_int_equal(ledger_write(&chain, &rows[i].line, station, &text), rows[i].err);
        assert_int_equal(text.len, 0);
        assert_memory_equal(&chain, &before, sizeof(chain));
        strbuf_deinit(&text);
    }
}

static void what_is_no_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{}", "[]", "x", "{\"v\":1}", "{\"v\":2,\"t\":\"head\"}"};
    struct ledger_line line;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct ledger_chain chain = {.begun = false};
        assert_int_not_equal(ledger_read(&chain, view_of(texts[i]), &line, NULL), ERR_OK);
    }
    char longer[LEDGER_LINE_MAX + 2];
    memset(longer, ' ', sizeof(longer));
    struct ledger_chain chain = {.begun = false};
    assert_int_equal(ledger_read(&chain, view_n(longer, sizeof(longer)), &line, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_line_changed_anywhere_is_noticed),
        cmocka_unit_test(lines_stand_in_their_order),
        cmocka_unit_test(a_replaced_line_does_not_fit_the_next),
        cmocka_unit_test(anothers_signature_is_refused),
        cmocka_unit_test(bad_members_are_not_written),
        cmocka_unit_test(what_is_no_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
