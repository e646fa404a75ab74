/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** A file of another client through reader and plan: what comes out is within its caps, notes can be
 * printed, names lie in their zones, texts are UTF-8, and the registry is YAML of the right shape. */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/dnsname.h"
#include "cli/import_plan.h"

static void fuzz_require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The text is YAML of the shape that is meant: other keys than these would be an error. */
static void fuzz_registry(struct view text)
{
    struct fuzz_device {
        const char *id, *group;
    };
    struct fuzz_root {
        struct config_list devices;
    } root;
    static const struct config_row device_rows[] = {
        {.name = "id", .type = CONFIG_STRING, .offset = offsetof(struct fuzz_device, id), .help = "h"},
        {.name = "group", .type = CONFIG_STRING, .offset = offsetof(struct fuzz_device, group), .help = "h"},
        {0},
    };
    static const struct config_row rows[] = {
        {.name = "devices",
         .type = CONFIG_LIST,
         .offset = offsetof(struct fuzz_root, devices),
         .rows = device_rows,
         .element_size = sizeof(struct fuzz_device),
         .position_offset = CONFIG_NO_POSITION,
         .help = "h"},
        {0},
    };
    static const struct config_schema schema = {.title = "fuzz", .rows = rows, .size = sizeof(root)};
    struct arena arena;
    struct strbuf report;
    arena_init(&arena, IMPORT_ARENA_MAX);
    strbuf_init(&report, IMPORT_TEXT_MAX);
    fuzz_require(config_load_text(&schema, "f", text, &arena, &root, &report) == ERR_OK);
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

static void fuzz_plan(const struct import_client *client, const struct import_file *file, bool each)
{
    const struct import_options options = {
        .folder = "/d", .device = "imported-1", .each = each, .broker = "b:1", .certs = "/c"};
    struct import_plan plan;
    struct strbuf coordinator, registry;
    strbuf_init(&coordinator, IMPORT_TEXT_MAX);
    strbuf_init(&registry, IMPORT_TEXT_MAX);
    if (import_plan_make(client, file, &options, &plan) == ERR_OK) {
        fuzz_require(each || plan.names_len <= IMPORT_NAMES_MAX);
        for (size_t i = 0; i < plan.names_len; i++) {
            fuzz_require(plan.names[i].zone < plan.zones_len && (plan.names[i].v4 || plan.names[i].v6));
            fuzz_require(dnsname_in_zone(view_of(plan.names[i].name), view_of(plan.zones[plan.names[i].zone].name)));
        }
        for (size_t i = 0; i < plan.notes_len; i++) {
            fuzz_require(i == 0 || plan.notes[i - 1].line <= plan.notes[i].line);
            for (const char *p = plan.notes[i].text; *p != '\0'; p++) {
                fuzz_require(*p >= ' ' && *p <= '~');
            }
        }
        if (import_plan_coordinator(&plan, client, &options, &coordinator) == ERR_OK) {
            fuzz_require(view_is_utf8(strbuf_view(&coordinator)));
        }
        if (import_plan_registry(&plan, &options, &registry) == ERR_OK && plan.names_len > 0) {
            fuzz_registry(strbuf_view(&registry));
        }
    }
    strbuf_deinit(&coordinator);
    strbuf_deinit(&registry);
    import_plan_deinit(&plan);
}

static void fuzz_import(const struct import_client *client, struct view text)
{
    struct import_file file;
    struct errinfo info = {0};
    import_file_init(&file);
    if (client->parse(text, &file, &info) == ERR_OK) {
        fuzz_plan(client, &file, false);
        fuzz_plan(client, &file, true);
    } else {
        fuzz_require(info.text[0] != '\0');
    }
    import_file_deinit(&file);
}
