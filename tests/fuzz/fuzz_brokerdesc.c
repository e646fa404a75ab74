/* SPDX-License-Identifier: Apache-2.0 */
/** What `muster broker` reads: a description, and a mosquitto.conf and an ACL file that somebody may have edited. The
 * first byte says which. */
#include <stdlib.h>

#include "cli/brokerconf.h"
#include "cli/brokerdesc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_description(struct view text)
{
    struct brokerdesc desc;
    struct arena arena;
    struct strbuf report;
    arena_init(&arena, 4u << 20);
    strbuf_init(&report, 256u << 10);
    if (config_load_text(&brokerdesc_schema, "fuzz", text, &arena, &desc, &report) == ERR_OK &&
        (desc.directory == NULL || desc.plugin == NULL)) {
        abort();
    }
    strbuf_deinit(&report);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct brokerconf conf;
    const struct config_strings none = {.items = NULL};
    struct view text = view_n((const char *)data + 1, size > 0 ? size - 1 : 0);
    if (size == 0) {
        return 0;
    }
    struct brokerfindings findings = {.list = json_array()};
    switch (data[0]) {
    case 'd':
        read_description(text);
        break;
    case 'a':
        brokerconf_lint_acl(text, "fuzz", &none, &findings);
        break;
    default:
        brokerconf_lint(text, "fuzz", (enum broker_kind)(data[0] % BROKER_KINDS), &conf, &findings);
        break;
    }
    if (findings.list == NULL) {
        abort(); /* every finding is text that JSON takes */
    }
    json_decref(findings.list);
    return 0;
}
