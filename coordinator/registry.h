/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * registry: which devices exist, to which group and site they belong, and so which names they have. Immutable once
 * loaded: a reload makes a new one and swaps it in. Devices are named by id or by pattern; an id wins over patterns,
 * patterns are tried in the file's order.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "coordinator/config.h"
#include "coordinator/hostaddr.h"
#include "coordinator/limits.h"
#include "coordinator/template.h"
#include "providers/rrset.h"

struct registry;

struct registry_label {
    const char *key, *value;
};

/** A host behind a gateway: its IPv6 address is made of the gateway's prefix. */
struct registry_host {
    const char *name;
    struct host_id id;
    bool ip4; /* reachable through a port of the gateway: its A record is the gateway's */
};

struct registry_template {
    struct name_template parsed;
    const char *text;                /* as written */
    struct config_position position; /* in the config */
    uint32_t ttl;                    /* seconds */
    bool a, aaaa, hosts;
};

struct registry_group {
    const char *name;
    struct registry_template templates[TEMPLATES_MAX];
    size_t templates_len;
    enum publish_mode publish;
    enum uplinks_mode uplinks;
    bool gateway, damping, publish_cgnat;
};

struct registry_entry {
    const char *id;   /* device id, or pattern when is_pattern */
    const char *site; /* "" when none */
    const struct registry_group *group;
    const struct registry_label *labels;
    const struct registry_host *hosts;
    struct config_position position; /* in the device file */
    uint16_t labels_len, hosts_len;
    bool is_pattern;
};

/**
 * Loads the device file against the groups and zones of @p config, whose arena must outlive the registry.
 * Names that are invalid, outside every zone, or claimed by two devices are errors of the load, each with
 * file:line:column; a name that a pattern could give to two devices is a warning (collision.h).
 * @param config_path for messages. @return ERR_INVALID (report), ERR_NOTFOUND, ERR_LIMIT, ERR_IO, ERR_NOMEM.
 */
enum err registry_load(const struct coordinator_config *config, const char *config_path, const char *path,
                       struct registry **ret_registry, struct strbuf *report) MUST_CHECK;
void registry_free(struct registry *registry);

/** What the load warns about, one a line, newline-ended; "" when nothing. For the daemon's log and --check-config. */
const char *registry_warnings(const struct registry *registry);

/** Markdown reference of the file, from the rows that read it. @return the buffer's error. */
enum err registry_reference(struct strbuf *out) MUST_CHECK;

/** Entry number of a device, DEVICE_NONE (device.h) when no entry fits. */
uint32_t registry_find(const struct registry *registry, struct view id);
const struct registry_entry *registry_entry_at(const struct registry *registry, uint32_t ref);
/** NULL when the config has none of that name. */
const struct registry_group *registry_group_named(const struct registry *registry, const char *name);
size_t registry_count(const struct registry *registry);

/** Index into config->zones of the zone that @p name lies in (the longest), -1 for none. */
int registry_zone_of(const struct registry *registry, struct view name);

/** The zone's service holds one address a name and type: more are not to be asked of it. @param zone from
 * registry_zone_of, not -1. */
bool registry_zone_holds_one(const struct registry *registry, int zone);

/** Whom a name inside a zone is for. */
enum registry_claim {
    REGISTRY_FREE,     /* a device may have it */
    REGISTRY_APEX,     /* the zone's own name */
    REGISTRY_RESERVED, /* `reserved` of its zone keeps it for name servers and the like */
};
/** @param zone from registry_zone_of, not -1; @p name NUL-terminated, lower case. */
enum registry_claim registry_claim_of(const struct registry *registry, int zone, const char *name);

/** Renders one name of a device. @p host NULL for the device itself. */
enum err registry_render(const struct registry_entry *entry, const struct registry_template *name_template,
                         struct view id, const struct registry_host *host, char ret_name[static DNSNAME_SIZE],
                         struct errinfo *info) MUST_CHECK;

/** The same for every id at once, in the sense of shape.h: what a pattern's row gives. */
enum err registry_shape(const struct registry_entry *entry, const struct registry_template *name_template,
                        const struct registry_host *host, char ret_shape[static DNSNAME_SIZE]) MUST_CHECK;

/** True when no two devices can ever have the same name: every template has {id} as a whole label, at one and the same
 * place. Then a change may go to the DNS before the store has confirmed who owns the name. */
bool registry_names_exclusive(const struct registry *registry);

/** Fingerprint of groups, zones and devices: equal files give equal fingerprints, so an unchanged start need not
 * reconcile. */
uint64_t registry_fingerprint(const struct registry *registry);

/** Shell-like match with "*" only. */
bool registry_pattern_match(struct view pattern, struct view id);
