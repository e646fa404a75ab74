/* SPDX-License-Identifier: Apache-2.0 */
/** Fails the n-th allocation of a load, libyaml's included, for growing n: every one is an error, none a leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "tests/lib/scarce.h"

struct item {
    const char *id;
    struct config_strings names;
    struct config_map labels;
};
struct root {
    struct config_list items;
    uint32_t count;
};
static const struct config_row item_rows[] = {
    {.name = "id", .type = CONFIG_STRING, .offset = offsetof(struct item, id), .flags = CONFIG_REQUIRED, .help = "i"},
    {.name = "names", .type = CONFIG_STRINGS, .offset = offsetof(struct item, names), .def = "[x, y]", .help = "n"},
    {.name = "labels", .type = CONFIG_MAP, .offset = offsetof(struct item, labels), .help = "l"},
    {0},
};
static const struct config_row rows[] = {
    {.name = "items",
     .type = CONFIG_LIST,
     .offset = offsetof(struct root, items),
     .rows = item_rows,
     .element_size = sizeof(struct item),
     .position_offset = CONFIG_NO_POSITION,
     .help = "i"},
    {.name = "count", .type = CONFIG_U32, .offset = offsetof(struct root, count), .help = "c"},
    {0},
};
static const struct config_schema schema = {.title = "t", .rows = rows, .size = sizeof(struct root)};
static const char good[] = "items:\n- {id: a, labels: {k: v}}\n- id: 'b'\n  names: [p, q]\n";
static const char bad[] = "items:\n- {id: a, lables: {k: v}}\n- id: []\ncount: x\n";

static enum err take(void *context, const void *element, struct config_errors *errors)
{
    (void)context;
    (void)errors;
    return ((const struct item *)element)->id != NULL ? ERR_OK : ERR_STATE;
}

static enum err load(const char *text)
{
    struct arena arena;
    struct root root;
    struct strbuf report;
    struct strbuf dump;
    arena_init(&arena, 1 << 20);
    strbuf_init(&report, 4000);
    strbuf_init(&dump, 4000);
    enum err err = config_load_text(&schema, "f", view_of(text), &arena, &root, &report);
    if (err == ERR_OK) {
        err = config_dump(&schema, &root, &dump);
    }
    strbuf_deinit(&dump);
    strbuf_deinit(&report);
    arena_deinit(&arena);
    return err;
}

static int stream_fd;

static enum err stream(const char *text)
{
    (void)text; /* is in stream_fd */
    struct strbuf report;
    strbuf_init(&report, 4000);
    const struct config_stream items = {.key = "items",
                                        .rows = item_rows,
                                        .element_size = sizeof(struct item),
                                        .position_offset = CONFIG_NO_POSITION,
                                        .cap = 100000,
                                        .each = take};
    enum err err = lseek(stream_fd, 0, SEEK_SET) == 0 ? config_stream_fd(&items, "f", stream_fd, &report) : ERR_IO;
    strbuf_deinit(&report);
    return err;
}

struct case_of {
    enum err (*run)(const char *text);
    const char *text;
    enum err want;
};

static bool run_case(void *context, unsigned long n)
{
    const struct case_of *c = context;
    scarce_arm(n);
    enum err err = c->run(c->text);
    bool reached = scarce_disarm();
    /* A bad file may lose a line of its report; a good one is never half loaded. */
    assert_true(reached ? err == ERR_NOMEM || (c->want != ERR_OK && err == c->want) : err == c->want);
    return reached;
}

static unsigned long fail_each(enum err (*run)(const char *text), const char *text, enum err want)
{
    return scarce_each(run_case, &(struct case_of){.run = run, .text = text, .want = want});
}

static void a_load_survives_every_failed_allocation(void **state)
{
    (void)state;
    assert_true(fail_each(load, good, ERR_OK) > 20);
    assert_true(fail_each(load, bad, ERR_INVALID) > 20);
}

static void a_stream_survives_every_failed_allocation(void **state)
{
    (void)state;
    stream_fd = memfd_create("items", MFD_CLOEXEC);
    assert_true(stream_fd >= 0);
    assert_int_equal(write(stream_fd, good, sizeof(good) - 1), sizeof(good) - 1);
    assert_true(fail_each(stream, NULL, ERR_OK) > 20);
    (void)close(stream_fd); /* only memory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_survives_every_failed_allocation),
        cmocka_unit_test(a_stream_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
