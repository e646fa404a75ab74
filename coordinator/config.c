/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/config.h"

#include <string.h>

#include "base/config_checks.h"
#include "base/hostport.h"
#include "coordinator/limits.h"
#include "coordinator/template.h"
#include "providers/account.h"
#include "providers/catalogue.h"
#include "providers/engine.h"

#define FIELD(member) offsetof(struct coordinator_config, member)

static enum err check_prefix(struct view value, struct errinfo *info)
{
    struct ip_prefix prefix;
    enum err err = ip_prefix_parse(value, &prefix);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "config", 0, "not a prefix such as 192.0.2.0/24 with its host bits zero");
    }
    return ERR_OK;
}

static enum err check_type(struct view value, struct errinfo *info)
{
    if (view_equals(value, "A") || view_equals(value, "AAAA")) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "config", 0, "record type must be A or AAAA");
}

static enum err check_reserved(struct view value, struct errinfo *info)
{
    if (value.len > 0 && value.len <= DNSNAME_MAX && memchr(value.ptr, '\0', value.len) == NULL) {
        return ERR_OK;
    }
    return errinfo_set(info, ERR_INVALID, "config", 0, "must be 1 to %d bytes long, relative to the zone, such as ns1",
                       DNSNAME_MAX);
}

static enum err check_template(struct view value, struct errinfo *info)
{
    struct name_template parsed;
    return template_parse(value, &parsed, info);
}

static const char *const modes[] = {"dedicated", "shared", NULL};
static const char *const publish_modes[] = {"auto", "observed", "reported", "agree", NULL};
static const char *const uplinks_modes[] = {"primary", "all", "healthy", NULL};
static const char *const levels[] = {"error", "warn", "notice", "info", "debug", NULL};

static const struct config_row zone_rows[] = {
    {.name = "name",
     .type = CONFIG_NAME,
     .offset = offsetof(struct zone_config, name),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .help = "zone that the account's server is authoritative for"},
    {.name = "account",
     .type = CONFIG_STRING,
     .offset = offsetof(struct zone_config, account),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .help = "name of one of `accounts`"},
    {.name = "mode",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct zone_config, mode),
     .flags = CONFIG_RELOADABLE,
     .choices = modes,
     .def = "dedicated",
     .help =
         "dedicated: every name is Muster's; shared: a name that Muster did not write is never touched, which needs "
         "a provider written in C"},
    {.name = "sweep_every",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct zone_config, sweep_every_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 10000,
     .max = 7ull * 86400000,
     .def = "10m",
     .help = "period of the comparison of the zone with the desired records"},
    {.name = "refresh_every",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct zone_config, refresh_every_ms),
     .flags = CONFIG_RELOADABLE,
     .max = 365ull * 86400000,
     .def = "0s",
     .help = "write an unchanged name again after this time, for services that expire names (25d); 0s: never"},
    {.name = "reserved",
     .type = CONFIG_STRINGS,
     .offset = offsetof(struct zone_config, reserved),
     .flags = CONFIG_RELOADABLE,
     .max = 64,
     .def = "[ns, \"ns[0-9]\"]",
     .check = check_reserved,
     .help = "names below the zone, as patterns, that no device may have: its name servers and other hosts"},
    {0},
};

static const struct config_row template_rows[] = {
    {.name = "name",
     .type = CONFIG_STRING,
     .offset = offsetof(struct template_config, name),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = 253,
     .check = check_template,
     .help = "DNS name with {id}, {site}, {labels.KEY} or {host}, inside one of `zones`"},
    {.name = "types",
     .type = CONFIG_STRINGS,
     .offset = offsetof(struct template_config, types),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 2,
     .def = "[A, AAAA]",
     .check = check_type,
     .help = "record types to keep"},
    {.name = "ttl",
     .type = CONFIG_U32,
     .offset = offsetof(struct template_config, ttl),
     .flags = CONFIG_RELOADABLE,
     .unit = "seconds",
     .min = 30,
     .max = 86400,
     .def = "60",
     .help = "TTL of the records"},
    {.name = "hosts",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct template_config, hosts),
     .flags = CONFIG_RELOADABLE,
     .def = "false",
     .help = "one name for each host behind a gateway instead of one for the gateway itself"},
    {0},
};

static const struct config_row group_rows[] = {
    {.name = "name",
     .type = CONFIG_STRING,
     .offset = offsetof(struct group_config, name),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = 63,
     .help = "how the registry refers to the group"},
    {.name = "names",
     .type = CONFIG_LIST,
     .offset = offsetof(struct group_config, names),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = TEMPLATES_MAX,
     .rows = template_rows,
     .element_size = sizeof(struct template_config),
     .position_offset = offsetof(struct template_config, position),
     .help = "DNS names of each device of the group"},
    {.name = "publish",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct group_config, publish),
     .flags = CONFIG_RELOADABLE,
     .choices = publish_modes,
     .def = "auto",
     .help = "which address counts; auto: the observed one where it is public, else the reported one"},
    {.name = "gateway",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct group_config, gateway),
     .flags = CONFIG_RELOADABLE,
     .def = "false",
     .help = "devices share their address with others on purpose and may have hosts behind them"},
    {.name = "damping",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct group_config, damping),
     .flags = CONFIG_RELOADABLE,
     .def = "true",
     .help = "delay the newest value of a device whose address flaps"},
    {.name = "uplinks",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct group_config, uplinks),
     .flags = CONFIG_RELOADABLE,
     .choices = uplinks_modes,
     .def = "primary",
     .help =
         "of devices with several paths to the internet: primary: the address of the one that is up with the lowest "
         "metric; all: up to 4 addresses a name; healthy: of these, without paths along which nothing answers the "
         "device's own questions, unless no other is left. Where the device says what its paths are, with publish "
         "auto and reported"},
    {.name = "publish_cgnat",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct group_config, publish_cgnat),
     .flags = CONFIG_RELOADABLE,
     .def = "false",
     .help =
         "A records also of devices that say they are behind a carrier's or a double NAT, DS-Lite or 464XLAT, where "
         "nobody outside can come in"},
    {0},
};

static const struct config_row broker_rows[] = {
    {.name = "endpoints",
     .type = CONFIG_STRINGS,
     .offset = FIELD(broker.endpoints),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 16,
     .check = hostport_check,
     .help = "host:port of each broker address, tried in turn"},
    {.name = "client_id",
     .type = CONFIG_STRING,
     .offset = FIELD(broker.client_id),
     .flags = CONFIG_REQUIRED,
     .min = 5,
     .max = 40,
     .check = config_check_service,
     .help = "name in the service certificate (svc-...)"},
    {.name = "ca_file",
     .type = CONFIG_PATH,
     .offset = FIELD(broker.ca_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the CA that the broker's certificate must come from"},
    {.name = "cert_file",
     .type = CONFIG_PATH,
     .offset = FIELD(broker.cert_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the service certificate and its chain"},
    {.name = "key_file",
     .type = CONFIG_PATH,
     .offset = FIELD(broker.key_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the service certificate's key"},
    {.name = "stamp_key_file",
     .type = CONFIG_PATH,
     .offset = FIELD(broker.stamp_key_file),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .help = "key shared with the broker's plugin: 64 hex digits"},
    {.name = "keepalive",
     .type = CONFIG_DURATION,
     .offset = FIELD(broker.keepalive_ms),
     .min = 5000,
     .max = 1200000,
     .def = "30s",
     .help = "MQTT keep-alive"},
    {0},
};

static const struct config_row store_rows[] = {
    {.name = "path",
     .type = CONFIG_PATH,
     .offset = FIELD(store.path),
     .def = "/var/lib/muster/coordinator.db",
     .help = "SQLite database; its folder must be on a local disk"},
    {0},
};

static const struct config_row control_rows[] = {
    {.name = "socket",
     .type = CONFIG_PATH,
     .offset = FIELD(control.socket),
     .def = "/run/muster/control.sock",
     .check = config_check_socket,
     .help = "unix socket of the muster command"},
    {.name = "mode",
     .type = CONFIG_STRING,
     .offset = FIELD(control.mode),
     .min = 3,
     .max = 4,
     .def = "\"0660\"",
     .check = config_check_mode,
     .help = "permission bits of the socket"},
    {0},
};

static const struct config_row metrics_rows[] = {
    {.name = "listen",
     .type = CONFIG_HOSTPORT,
     .offset = FIELD(metrics.listen),
     .def = "127.0.0.1:9188",
     .help = "loopback address and port of /metrics and /healthz"},
    {0},
};

static const struct config_row whoami_rows[] = {
    {.name = "stun_listen",
     .type = CONFIG_STRINGS,
     .offset = FIELD(whoami.stun_listen),
     .max = WHOAMI_LISTEN_MAX,
     .check = config_check_listen,
     .help = "addresses and ports where STUN is answered over UDP, such as \"[::]:3478\" for both families"},
    {.name = "listen",
     .type = CONFIG_STRINGS,
     .offset = FIELD(whoami.listen),
     .max = WHOAMI_LISTEN_MAX,
     .check = config_check_listen,
     .help = "addresses and ports of `GET /whoami` over HTTPS, for everybody; there is nothing else"},
    {.name = "cert_file",
     .type = CONFIG_PATH,
     .offset = FIELD(whoami.cert_file),
     .flags = CONFIG_RELOADABLE,
     .help = "PEM file of a server certificate and its chain, for `listen`; a reload reads it again"},
    {.name = "key_file",
     .type = CONFIG_PATH,
     .offset = FIELD(whoami.key_file),
     .flags = CONFIG_RELOADABLE,
     .help = "PEM file of its key"},
    {.name = "rate",
     .type = CONFIG_U32,
     .offset = FIELD(whoami.rate),
     .flags = CONFIG_RELOADABLE,
     .unit = "questions/s",
     .min = 1,
     .max = 100000,
     .def = "20",
     .help = "what one network, a /24 or a /56, may ask all the time; an HTTPS connection counts as 10"},
    {.name = "burst",
     .type = CONFIG_U32,
     .offset = FIELD(whoami.burst),
     .flags = CONFIG_RELOADABLE,
     .unit = "questions",
     .min = 10,
     .max = 1000000,
     .def = "400",
     .help = "what it may ask at once: all devices of a site after its router was renumbered, several times"},
    {0},
};

static const struct config_row policy_rows[] = {
    {.name = "treat_as_public",
     .type = CONFIG_STRINGS,
     .offset = FIELD(policy.treat_as_public),
     .flags = CONFIG_RELOADABLE,
     .max = 64,
     .check = check_prefix,
     .help = "prefixes to publish although the registries say they are not public: for test set-ups"},
    {.name = "shared_limit",
     .type = CONFIG_U32,
     .offset = FIELD(policy.shared_limit),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 16777216,
     .def = "50",
     .help = "an observed address of more devices than this is an alarm and is not published"},
    {0},
};

static const struct config_row presence_rows[] = {
    {.name = "heartbeat",
     .type = CONFIG_DURATION,
     .offset = FIELD(presence.heartbeat_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 1000,
     .max = 86400000,
     .def = "1h",
     .help = "period at which the agents repeat their state"},
    {.name = "late_after",
     .type = CONFIG_U32,
     .offset = FIELD(presence.late_after),
     .flags = CONFIG_RELOADABLE,
     .unit = "heartbeats",
     .min = 1,
     .max = 100,
     .def = "3",
     .help = "missed heartbeats after which a device is late"},
    {0},
};

static const struct config_row damping_rows[] = {
    {.name = "penalty",
     .type = CONFIG_U32,
     .offset = FIELD(damping.penalty),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 100000,
     .def = "1000",
     .help = "added at each change of a device's addresses (RFC 2439)"},
    {.name = "suppress",
     .type = CONFIG_U32,
     .offset = FIELD(damping.suppress),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 1000000,
     .def = "3000",
     .help = "above this sum the newest value is delayed"},
    {.name = "reuse",
     .type = CONFIG_U32,
     .offset = FIELD(damping.reuse),
     .flags = CONFIG_RELOADABLE,
     .min = 1,
     .max = 1000000,
     .def = "1000",
     .help = "below this sum it is published"},
    {.name = "half_life",
     .type = CONFIG_DURATION,
     .offset = FIELD(damping.half_life_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 1000,
     .max = 86400000,
     .def = "15m",
     .help = "time in which the sum halves"},
    {.name = "max_suppress",
     .type = CONFIG_DURATION,
     .offset = FIELD(damping.max_suppress_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 1000,
     .max = 86400000,
     .def = "60m",
     .help = "longest delay"},
    {0},
};

static const struct config_row log_rows[] = {
    {.name = "level",
     .type = CONFIG_ENUM,
     .offset = FIELD(log.level),
     .flags = CONFIG_RELOADABLE,
     .choices = levels,
     .def = "info",
     .help = "least urgent level that is written"},
    {0},
};

static const char *const ownership_modes[] = {"off", "required", NULL};
static const char *const clones_modes[] = {"off", "alarm", "freeze", NULL};

static const struct config_row shards_rows[] = {
    {.name = "first",
     .type = CONFIG_U32,
     .offset = FIELD(shards.first),
     .max = 255,
     .def = "0",
     .help = "first of the 256 shards that this coordinator serves"},
    {.name = "last",
     .type = CONFIG_U32,
     .offset = FIELD(shards.last),
     .max = 255,
     .def = "255",
     .help = "last one; another coordinator, with zones of its own, serves the others"},
    {0},
};

static const struct config_row root_rows[] = {
    {.name = "broker",
     .type = CONFIG_SECTION,
     .rows = broker_rows,
     .flags = CONFIG_REQUIRED,
     .position_offset = CONFIG_NO_POSITION,
     .help = "connection to the core broker"},
    {.name = "store",
     .type = CONFIG_SECTION,
     .rows = store_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "durable state"},
    {.name = "registry",
     .type = CONFIG_PATH,
     .offset = FIELD(registry),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .help = "file of devices"},
    {.name = "ownership",
     .type = CONFIG_ENUM,
     .offset = FIELD(ownership),
     .flags = CONFIG_RELOADABLE,
     .choices = ownership_modes,
     .def = "off",
     .help = "off: the registry decides alone whose names are served; required: only those of devices that the "
             "provisioner's ledger calls owned and active (docs/provisioning.md)"},
    {.name = "clones",
     .type = CONFIG_ENUM,
     .offset = FIELD(clones),
     .flags = CONFIG_RELOADABLE,
     .choices = clones_modes,
     .def = "freeze",
     .help = "two devices seem to have one identity: freeze the names at what counted before, only raise the alarm, or "
             "do not look"},
    {.name = "shards",
     .type = CONFIG_SECTION,
     .rows = shards_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "part of the fleet"},
    {.name = "control",
     .type = CONFIG_SECTION,
     .rows = control_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "operator's socket"},
    {.name = "metrics",
     .type = CONFIG_SECTION,
     .rows = metrics_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "Prometheus"},
    {.name = "whoami",
     .type = CONFIG_SECTION,
     .rows = whoami_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "tells whoever asks which address he comes from; off while both lists are empty"},
    {.name = "policy",
     .type = CONFIG_SECTION,
     .rows = policy_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "which addresses may be published"},
    {.name = "presence",
     .type = CONFIG_SECTION,
     .rows = presence_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "when a device counts as late"},
    {.name = "damping",
     .type = CONFIG_SECTION,
     .rows = damping_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "flap damping"},
    {.name = "accounts",
     .type = CONFIG_LIST,
     .offset = FIELD(accounts),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = ACCOUNTS_MAX,
     .rows = engine_account_rows,
     .element_size = sizeof(struct engine_account_config),
     .position_offset = offsetof(struct engine_account_config, position),
     .help = "DNS servers and services with their credentials"},
    {.name = "providers_dir",
     .type = CONFIG_PATH,
     .offset = FIELD(providers_dir),
     .flags = CONFIG_RELOADABLE,
     .def = CATALOGUE_FOLDER,
     .help = "folder of templates of your own (*.yaml): DNS services that are added or described anew; it need not be "
             "there"},
    {.name = "zones",
     .type = CONFIG_LIST,
     .offset = FIELD(zones),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = ZONES_MAX,
     .rows = zone_rows,
     .element_size = sizeof(struct zone_config),
     .position_offset = offsetof(struct zone_config, position),
     .help = "zones that Muster writes"},
    {.name = "groups",
     .type = CONFIG_LIST,
     .offset = FIELD(groups),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .min = 1,
     .max = GROUPS_MAX,
     .rows = group_rows,
     .element_size = sizeof(struct group_config),
     .position_offset = offsetof(struct group_config, position),
     .help = "kinds of devices and how they are named"},
    {.name = "log", .type = CONFIG_SECTION, .rows = log_rows, .position_offset = CONFIG_NO_POSITION, .help = "logging"},
    {0},
};

static bool account_exists(const struct coordinator_config *config, const char *name)
{
    const struct engine_account_config *accounts = config->accounts.items;
    for (size_t i = 0; i < config->accounts.len; i++) {
        if (strcmp(accounts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_accounts(const struct coordinator_config *config, struct config_errors *errors)
{
    const struct engine_account_config *accounts = config->accounts.items;
    for (size_t i = 0; i < config->accounts.len; i++) {
        if (accounts[i].retry_min > accounts[i].retry_max) {
            config_error(errors, &accounts[i].position, "accounts: %s: retry_min is longer than retry_max; swap them",
                         accounts[i].name);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(accounts[i].name, accounts[k].name) == 0) {
                config_error(errors, &accounts[i].position, "accounts: name \"%s\" is used twice; rename one",
                             accounts[i].name);
            }
        }
    }
}

static void check_zones(const struct coordinator_config *config, struct config_errors *errors)
{
    const struct zone_config *zones = config->zones.items;
    for (size_t i = 0; i < config->zones.len; i++) {
        if (!account_exists(config, zones[i].account)) {
            config_error(errors, &zones[i].position,
                         "zones: account \"%s\" is not in accounts; add it or correct the name", zones[i].account);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(zones[i].name, zones[k].name) == 0) {
                config_error(errors, &zones[i].position, "zones: zone %s stands twice; remove one", zones[i].name);
            }
        }
    }
}

static bool template_in_some_zone(const struct coordinator_config *config, struct view literal_tail)
{
    const struct zone_config *zones = config->zones.items;
    for (size_t i = 0; i < config->zones.len; i++) {
        struct view zone = view_of(zones[i].name);
        if (dnsname_in_zone(literal_tail, zone) ||
            (view_ends_with(zone, literal_tail) && zone.len > literal_tail.len)) {
            return true;
        }
    }
    return false;
}

static bool is_zone(const struct coordinator_config *config, struct view name)
{
    const struct zone_config *zones = config->zones.items;
    for (size_t i = 0; i < config->zones.len; i++) {
        if (view_equals(name, zones[i].name)) {
            return true;
        }
    }
    return false;
}

static void check_group(const struct coordinator_config *config, const struct group_config *group,
                        struct config_errors *errors)
{
    const struct template_config *templates = group->names.items;
    for (size_t i = 0; i < group->names.len; i++) {
        struct name_template parsed;
        if (template_parse(view_of(templates[i].name), &parsed, NULL) != ERR_OK) {
            continue; /* reported by its row */
        }
        if (!template_in_some_zone(config, template_tail(&parsed))) {
            config_error(errors, &templates[i].position, "names: %s lies in none of the zones; add its zone",
                         templates[i].name);
        }
        if (is_zone(config, view_of(templates[i].name))) {
            config_error(errors, &templates[i].position,
                         "names: %s is the zone itself, whose addresses are not a device's; put a label before it",
                         templates[i].name);
        }
        if (templates[i].hosts != template_uses_host(&parsed)) {
            config_error(errors, &templates[i].position,
                         "names: {host} and hosts: true belong together; use both or neither");
        }
        if (templates[i].hosts && !group->gateway) {
            config_error(errors, &templates[i].position, "names: hosts: true needs a group with gateway: true");
        }
    }
}

static void check_root(void *root, struct config_errors *errors)
{
    const struct coordinator_config *config = root;
    check_accounts(config, errors);
    check_zones(config, errors);
    const struct group_config *groups = config->groups.items;
    for (size_t i = 0; i < config->groups.len; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(groups[i].name, groups[k].name) == 0) {
                config_error(errors, &groups[i].position, "groups: name \"%s\" is used twice; rename one",
                             groups[i].name);
            }
        }
        check_group(config, &groups[i], errors);
    }
    if (config->whoami.listen.len > 0 && (config->whoami.cert_file == NULL || config->whoami.key_file == NULL)) {
        config_error(errors, NULL, "whoami: listen needs cert_file and key_file, since it is HTTPS");
    }
    if (config->shards.first > config->shards.last) {
        config_error(errors, NULL, "shards: first is behind last; swap them");
    }
    if (config->damping.reuse >= config->damping.suppress) {
        config_error(errors, NULL, "damping: reuse must be below suppress");
    }
}

const struct config_schema coordinator_config_schema = {
    .title = "muster-coordinator",
    .rows = root_rows,
    .size = sizeof(struct coordinator_config),
    .check = check_root,
};
