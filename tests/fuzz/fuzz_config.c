/* SPDX-License-Identifier: Apache-2.0 */
/** No text breaks the loader; a text that loads has a dump that loads, to the same values; a failure always says why.
 */
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"
#include "base/ip.h"

#define ARENA_MAX  (16u << 20)
#define REPORT_MAX (1u << 20)
#define DUMP_MAX   (8u << 20) /* escapes make a dump several times as long as its file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    struct config_position position;
    const char *id;
    struct ip address;
    struct config_map labels;
    struct config_strings names;
};
struct root {
    bool on;
    uint32_t count;
    uint64_t big, wait_ms, size;
    const char *text, *path, *endpoint, *name;
    int level;
    struct item one;
    struct config_list items;
};

static const char *const levels[] = {"low", "high", NULL};
#define ITEM(member) .offset = offsetof(struct item, member), .help = "h"
#define ROOT(member) .offset = offsetof(struct root, member), .help = "h"
static const struct config_row item_rows[] = {
    {.name = "id", .type = CONFIG_STRING, ITEM(id), .flags = CONFIG_REQUIRED, .min = 1, .max = 40},
    {.name = "address", .type = CONFIG_ADDRESS, ITEM(address)},
    {.name = "labels", .type = CONFIG_MAP, ITEM(labels), .max = 8},
    {.name = "names", .type = CONFIG_STRINGS, ITEM(names), .min = 1, .max = 4, .def = "[a]"},
    {0},
};
static const struct config_row rows[] = {
    {.name = "on", .type = CONFIG_BOOL, ROOT(on)},
    {.name = "count", .type = CONFIG_U32, ROOT(count), .min = 1, .max = 10},
    {.name = "big", .type = CONFIG_U64, ROOT(big), .def = "7"},
    {.name = "wait", .type = CONFIG_DURATION, ROOT(wait_ms), .def = "5s"},
    {.name = "size", .type = CONFIG_SIZE, ROOT(size)},
    {.name = "text", .type = CONFIG_STRING, ROOT(text)},
    {.name = "path", .type = CONFIG_PATH, ROOT(path)},
    {.name = "endpoint", .type = CONFIG_HOSTPORT, ROOT(endpoint)},
    {.name = "name", .type = CONFIG_NAME, ROOT(name)},
    {.name = "level", .type = CONFIG_ENUM, ROOT(level), .choices = levels},
    {.name = "one", .type = CONFIG_SECTION, ROOT(one), .rows = item_rows, .position_offset = 0},
    {.name = "items", .type = CONFIG_LIST, ROOT(items), .rows = item_rows, .element_size = sizeof(struct item)},
    {0},
};
static const struct config_schema schema = {.title = "fuzz", .rows = rows, .size = sizeof(struct root)};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Loads a text; when it is valid, its dump is in `dump`. */
static bool load(struct view text, struct strbuf *dump)
{
    struct arena arena;
    struct root root;
    struct strbuf report;
    arena_init(&arena, ARENA_MAX);
    strbuf_init(&report, REPORT_MAX);
    enum err err = config_load_text(&schema, "f", text, &arena, &root, &report);
    require((err == ERR_OK) == (report.len == 0));
    require(view_is_utf8(strbuf_view(&report)));
    bool good = err == ERR_OK && config_dump(&schema, &root, dump) == ERR_OK;
    strbuf_deinit(&report);
    arena_deinit(&arena);
    return good;
}

static enum err take(void *context, const void *element, struct config_errors *errors)
{
    (void)context;
    (void)errors;
    const struct item *item = element;
    require(item->id != NULL && item->position.line > 0);
    return ERR_OK;
}

static void stream(struct view text)
{
    struct strbuf report;
    int fd = memfd_create("input", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len && lseek(fd, 0, SEEK_SET) == 0);
    strbuf_init(&report, REPORT_MAX);
    const struct config_stream items = {
        .key = "items", .rows = item_rows, .element_size = sizeof(struct item), .cap = 65536, .each = take};
    enum err err = config_stream_fd(&items, "f", fd, &report);
    require((err == ERR_OK) == (report.len == 0));
    strbuf_deinit(&report);
    (void)close(fd); /* only memory */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_n((const char *)data, size);
    struct strbuf dump;
    struct strbuf again;
    strbuf_init(&dump, DUMP_MAX);
    strbuf_init(&again, DUMP_MAX);
    if (size > 0) {
        stream(text);
    }
    if (load(text, &dump) && dump.len <= CONFIG_FILE_MAX) {
        require(load(strbuf_view(&dump), &again));
        require(view_equal(strbuf_view(&dump), strbuf_view(&again)));
    }
    strbuf_deinit(&dump);
    strbuf_deinit(&again);
    return 0;
}
