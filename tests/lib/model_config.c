/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/model_config.h"

#include <string.h>

#define SITES    4
#define TEXT_MAX 4096 /* bytes; all of it fits */

static const char groups[] =
    "  - name: own\n    damping: false\n    names:\n      - name: \"{id}.example.net\"\n        types: [A]\n"
    "  - name: site\n    damping: false\n    names:\n      - name: \"{site}.sub.example.net\"\n        types: [A]\n"
    "  - name: both\n    damping: false\n    names:\n      - name: \"{site}.sub.example.net\"\n        types: [A]\n"
    "      - name: \"{id}.example.net\"\n        types: [A]\n"
    "  - name: damp\n    names:\n      - name: \"{site}.sub.example.net\"\n        types: [A]\n"
    "  - name: gate\n    damping: false\n    gateway: true\n    names:\n      - name: \"{host}.{id}.example.net\"\n"
    "        types: [AAAA]\n        hosts: true\n"
    "  - name: clash\n    damping: false\n    names:\n      - name: \"{site}.example.net\"\n        types: [A]\n";

static void add_zone(struct model_config *config, const char *name, const char *mode)
{
    (void)strbuf_addf(&config->zones, "  - name: %s\n    account: dns\n    mode: %s\n", name, mode); /* fits */
}

static void make_zones(struct model_config *config, struct model_dns *dns, const char *mode, bool splits)
{
    unsigned split = splits ? model_pick(dns, 4) : 0;
    strbuf_clear(&config->zones);
    if (split == 1) {
        add_zone(config, "sub.example.net", mode); /* so that the other one has another index */
    }
    add_zone(config, "example.net", mode);
    if (split == 0) {
        add_zone(config, "sub.example.net", mode);
    }
}

static void make_devices(struct model_config *config, struct model_dns *dns)
{
    static const char *const names[] = {"own", "site", "both", "damp", "gate"};
    static const char hosts[] = ", hosts: [{name: n, suffix: \"::10\"}, {name: m, suffix: \"::11\"}]";
    struct strbuf *out = &config->devices;
    unsigned first_site = model_pick(dns, SITES);
    strbuf_clear(out);
    (void)strbuf_add(out, VIEW_LITERAL("devices:\n  - {id: other, group: own}\n")); /* fits */
    for (unsigned i = 0; i < SITES; i++) {                                          /* a site is one device's */
        if (model_pick(dns, 10) >= 3) {
            unsigned group = model_pick(dns, ARRAY_LEN(names));
            (void)strbuf_addf(out, "  - {id: cam-%u, group: %s, site: s%u%s}\n", i, names[group],
                              (first_site + i) % SITES, strcmp(names[group], "gate") == 0 ? hosts : ""); /* fits */
        }
    }
    if (model_pick(dns, 4) == 0) {
        (void)strbuf_addf(out, "  - {id: cam-%d, group: clash, site: cam-%u}\n", MODEL_DEVICES - 1,
                          model_pick(dns, MODEL_DEVICES)); /* fits */
    }
    if (model_pick(dns, 3) > 0) {
        (void)strbuf_add(out, VIEW_LITERAL("  - {match: \"cam-*\", group: own}\n")); /* fits */
    }
}

static struct rig_config texts_of(const struct model_config *config)
{
    return (struct rig_config){
        .zones = strbuf_str(&config->zones), .groups = groups, .devices = strbuf_str(&config->devices)};
}

void model_config_first(struct model_config *config, struct model_dns *dns, const char *mode, bool splits,
                        struct rig_config *ret_config)
{
    strbuf_init(&config->zones, TEXT_MAX);
    strbuf_init(&config->devices, TEXT_MAX);
    make_zones(config, dns, mode, splits);
    (void)strbuf_add(&config->devices, VIEW_LITERAL("devices:\n  - {match: \"cam-*\", group: own}\n")); /* fits */
    *ret_config = texts_of(config);
}

/* Two devices that are sure to want one name do not load. */
void model_config_make(struct model_config *config, struct model_dns *dns, const char *mode, bool splits,
                       struct rig_config *ret_config)
{
    enum err err;
    do {
        struct strbuf report;
        struct settings *settings = NULL;
        make_zones(config, dns, mode, splits);
        make_devices(config, dns);
        *ret_config = texts_of(config);
        strbuf_init(&report, 64 * 1024);
        err = rig_load(dns->rig, ret_config, &settings, &report);
        settings_free(settings);
        strbuf_deinit(&report);
    } while (err != ERR_OK);
}

void model_config_deinit(struct model_config *config)
{
    strbuf_deinit(&config->zones);
    strbuf_deinit(&config->devices);
}
