/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

struct device {
    struct config_position position;
    const char *id, *group, *site;
    struct config_map labels;
};

static const struct config_row device_rows[] = {
    {.name = "id",
     .type = CONFIG_STRING,
     .offset = offsetof(struct device, id),
     .flags = CONFIG_REQUIRED,
     .max = 40,
     .help = "id"},
    {.name = "group", .type = CONFIG_STRING, .offset = offsetof(struct device, group), .def = "cameras", .help = "g"},
    {.name = "site", .type = CONFIG_STRING, .offset = offsetof(struct device, site), .help = "s"},
    {.name = "labels", .type = CONFIG_MAP, .offset = offsetof(struct device, labels), .help = "l"},
    {0},
};

struct seen {
    struct strbuf text;
    size_t count;
    size_t heap_max;
    enum err answer;
};

static enum err note(void *context, const void *element, struct config_errors *errors)
{
    struct seen *seen = context;
    const struct device *device = element;
    seen->count++;
    (void)strbuf_addf(&seen->text, "%s@%u:%u ", device->id, device->position.line, device->position.column);
    if (strcmp(device->id, "odd") == 0) {
        config_error(errors, &device->position, "odd one");
        return ERR_INVALID;
    }
    return seen->answer;
}

static enum err measure(void *context, const void *element, struct config_errors *errors)
{
    (void)errors;
    struct seen *seen = context;
    const struct device *device = element;
    assert_non_null(device->id);
    assert_int_equal(device->labels.len, 2);
    if (seen->count++ % 1000 == 0) {
        seen->heap_max = MAX(seen->heap_max, mallinfo2().uordblks);
    }
    return ERR_OK;
}

static int file_of(struct view text)
{
    int fd = memfd_create("registry", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t done = 0; done < text.len;) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct config_stream stream_to(struct seen *seen)
{
    *seen = (struct seen){0};
    strbuf_init(&seen->text, 10000);
    return (struct config_stream){.key = "devices",
                                  .rows = device_rows,
                                  .element_size = sizeof(struct device),
                                  .position_offset = offsetof(struct device, position),
                                  .cap = 64u << 20,
                                  .each = note,
                                  .context = seen};
}

static const struct {
    const char *text, *seen, *report;
    enum err err;
} rows[] = {
    {"devices:\n- id: a\n- {id: b, site: s}\n", "a@2:3 b@3:3 ", "", ERR_OK},
    {"devices: [{id: a}]", "a@1:11 ", "", ERR_OK},
    {"devices:", "", "f:1:9: devices: nothing stands under it; write `devices: []` where none is meant\n", ERR_INVALID},
    {"devices: ~", "", "f:1:10: devices: a list is expected\n", ERR_INVALID},
    {"devices: null", "", "f:1:10: devices: a list is expected\n", ERR_INVALID},
    {"devices: ''", "", "f:1:10: devices: nothing stands under it; write `devices: []` where none is meant\n",
     ERR_INVALID},
    {"devices: []", "", "", ERR_OK},
    {"", "", "f:1:1: the file is empty; write `devices: []` where none is meant\n", ERR_INVALID},
    {"# nothing\n", "", "f:1:1: the file is empty; write `devices: []` where none is meant\n", ERR_INVALID},
    {"---\ndevices:\n- id: a\n...\n", "a@3:3 ", "", ERR_OK},
    {"devices:\n- idd: a\n- id: b\n- 5\n- id: [c]\n- id: d\n", "b@3:3 d@6:3 ",
     "f:2:3: devices[0].idd: unknown key; did you mean `id`?\nf:2:3: devices[0]: required key `id` is missing\n"
     "f:4:3: devices[2]: a section is expected: keys with values\n"
     "f:5:7: devices[3].id: a single value is expected here\n",
     ERR_INVALID},
    {"devices:\n- id: odd\n- id: b\n", "odd@2:3 b@3:3 ", "f:2:3: odd one\n", ERR_INVALID},
    {"device:\n- id: a\n", "", "f:1:1: the file must start with `devices:` and a list under it\n", ERR_INVALID},
    {"- id: a\n", "", "f:1:1: the file must start with `devices:` and a list under it\n", ERR_INVALID},
    {"5", "", "f:1:1: the file must start with `devices:` and a list under it\n", ERR_INVALID},
    {"[]: 5", "", "f:1:1: the file must start with `devices:` and a list under it\n", ERR_INVALID},
    {"devices: {a: b}", "", "f:1:10: devices: a list is expected\n", ERR_INVALID},
    {"devices: 5", "", "f:1:10: devices: a list is expected\n", ERR_INVALID},
    {"devices: &a []", "",
     "f:1:10: anchors (&) are not supported; write the value out where it is used\n"
     "f:1:10: devices: a list is expected\n",
     ERR_INVALID},
    {"devices:\n- id: a\nmore: 1\n", "a@2:3 ", "f:3:1: unknown key; the file holds one list and nothing else\n",
     ERR_INVALID},
    {"devices: []\nmore: 1\n", "", "f:2:1: unknown key; the file holds one list and nothing else\n", ERR_INVALID},
    {"devices:\n- id: a\n---\ndevices: []\n", "a@2:3 ",
     "f:3:1: a second document starts here; one file holds one document\n", ERR_INVALID},
    {"devices:\n- id: a\n- id: *a\n", "a@2:3 ", "f:3:7: aliases (*) are not supported; write the value out\n",
     ERR_INVALID},
    {"devices:\n- id: a\n- id: b\n  id: c\n", "a@2:3 ", "f:4:3: id: stands twice, first at line 3; remove one\n",
     ERR_INVALID},
    {"devices:\n- id: a\n- id: 'b\n", "a@2:3 ",
     "f:4:1: found unexpected end of stream, while scanning a quoted scalar that starts at line 3\n", ERR_INVALID},
};

static void hands_out_good_elements_and_reports_the_rest(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct seen seen;
        struct strbuf report;
        struct config_stream stream = stream_to(&seen);
        strbuf_init(&report, 10000);
        int fd = file_of(view_of(rows[i].text));
        enum err err = config_stream_fd(&stream, "f", fd, &report);
        (void)close(fd); /* only read */
        if (err != rows[i].err || strcmp(strbuf_str(&seen.text), rows[i].seen) != 0 ||
            strcmp(strbuf_str(&report), rows[i].report) != 0) {
            print_error("%s\n--- got %s <%s>\n%s\n", rows[i].text, err_name(err), strbuf_str(&seen.text),
                        strbuf_str(&report));
            failed++;
        }
        strbuf_deinit(&seen.text);
        strbuf_deinit(&report);
    }
    assert_int_equal(failed, 0);
}

static void an_error_of_the_callback_ends_the_load(void **state)
{
    (void)state;
    struct seen seen;
    struct strbuf report;
    struct config_stream stream = stream_to(&seen);
    seen.answer = ERR_NOMEM;
    strbuf_init(&report, 1000);
    int fd = file_of(view_of("devices: [{id: a}, {id: b}]"));
    assert_int_equal(config_stream_fd(&stream, "f", fd, &report), ERR_NOMEM);
    assert_int_equal(seen.count, 1);
    (void)close(fd); /* only read */
    strbuf_deinit(&seen.text);
    strbuf_deinit(&report);
}

/* One endless scalar, and one endless element: refused long before they are in memory. */
static void caps_the_file_and_each_element(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    for (int kind = 0; kind < 3; kind++) {
        struct seen seen;
        struct strbuf text;
        struct strbuf report;
        struct config_stream stream = stream_to(&seen);
        strbuf_init(&text, SIZE * 2);
        strbuf_init(&report, 1000);
        (void)strbuf_adds(&text, kind == 0 ? "devices:\n- id: \"" : kind == 1 ? "devices:\n- id: [a" : "devices:\n");
        while (text.len < SIZE) {
            (void)strbuf_adds(&text, kind == 0 ? "xxxxxxxx xxxxxxxx" : kind == 1 ? ",\n b" : "- id: a\n");
        }
        stream.cap = kind == 2 ? SIZE / 2 : SIZE * 2;
        int fd = file_of(strbuf_view(&text));
        enum err err = config_stream_fd(&stream, "f", fd, &report);
        assert_int_equal(err, ERR_LIMIT);
        assert_int_equal(seen.count > 0, kind == 2);
        (void)close(fd); /* only read */
        strbuf_deinit(&text);
        strbuf_deinit(&seen.text);
        strbuf_deinit(&report);
    }
}

/* The time is printed, never judged. */
static void a_large_registry_takes_constant_memory(void **state)
{
    (void)state;
    enum { DEVICES = 100000, HEAP_MAX = 1 << 20 };
    struct seen seen;
    struct strbuf text;
    struct strbuf report;
    struct config_stream stream = stream_to(&seen);
    stream.each = measure;
    strbuf_init(&text, 64u << 20);
    strbuf_init(&report, 1000);
    (void)strbuf_adds(&text, "devices:\n");
    for (unsigned i = 0; i < DEVICES; i++) {
        (void)strbuf_addf(&text, "  - id: cam-%06u\n    site: site-%u\n    labels: {floor: \"%u\", owner: someone}\n",
                          i, i / 100, i % 7);
    }
    assert_int_equal(strbuf_error(&text), ERR_OK);
    size_t size = text.len;
    int fd = file_of(strbuf_view(&text));
    strbuf_deinit(&text);
    size_t heap_before = mallinfo2().uordblks;
    uint64_t start = clock_mono_ms();
    assert_int_equal(config_stream_fd(&stream, "f", fd, &report), ERR_OK);
    uint64_t elapsed = clock_mono_ms() - start;
    assert_int_equal(seen.count, DEVICES);
    assert_true(seen.heap_max < heap_before + HEAP_MAX);
    print_message("devices=%u bytes=%zu ms=%u heap_bytes=%zu\n", DEVICES, size, (unsigned)elapsed,
                  seen.heap_max > heap_before ? seen.heap_max - heap_before : 0);
    (void)close(fd); /* only read */
    strbuf_deinit(&seen.text);
    strbuf_deinit(&report);
}

static void refuses_a_file_over_the_cap_or_not_there(void **state)
{
    (void)state;
    struct seen seen;
    struct strbuf report;
    struct config_stream stream = stream_to(&seen);
    strbuf_init(&report, 1000);
    assert_int_equal(config_stream(&stream, "/nonexistent/devices.yaml", &report), ERR_NOTFOUND);
    assert_string_equal(
        strbuf_str(&report),
        "/nonexistent/devices.yaml: not found; write it, with `devices: []` for none, or correct the path\n");
    strbuf_clear(&report);
    assert_int_equal(config_stream(&stream, "/", &report), ERR_INVALID);
    assert_string_equal(strbuf_str(&report), "/: is a folder; name the file in it\n");
    strbuf_clear(&report);
    stream.cap = 10;
    char path[] = "/tmp/muster-stream-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "devices: [{id: a}]", 18), 18);
    enum err err = config_stream(&stream, path, &report);
    (void)close(fd);
    (void)unlink(path);
    assert_int_equal(err, ERR_LIMIT);
    assert_non_null(strstr(strbuf_str(&report), "the file is larger than 10 bytes"));
    strbuf_deinit(&seen.text);
    strbuf_deinit(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_good_elements_and_reports_the_rest),
        cmocka_unit_test(an_error_of_the_callback_ends_the_load),
        cmocka_unit_test(caps_the_file_and_each_element),
        cmocka_unit_test(a_large_registry_takes_constant_memory),
        cmocka_unit_test(refuses_a_file_over_the_cap_or_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
