/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerdesc.h"

#include <string.h>

#include "mqtt/topics.h"

#define PART(member)  .offset = offsetof(struct broker_part, member)
#define TRIAL(member) .offset = offsetof(struct broker_trial, member)
#define DESC(member)  .offset = offsetof(struct brokerdesc, member)

const char *broker_kind_name(enum broker_kind kind)
{
    static const char *const names[BROKER_KINDS] = {"core", "prov", "dash"};
    return names[kind];
}

static enum err check_path(struct view value, struct errinfo *info)
{
    return view_starts_with(value, VIEW_LITERAL("/"))
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0, "not an absolute path");
}

static enum err check_service(struct view value, struct errinfo *info)
{
    static const char *const kinds[] = {"svc-coord", "svc-viewer", "svc-prov", "svc-signer", "svc-bridge"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        known = known || view_starts_with(value, view_of(kinds[i]));
    }
    bool grammar = value.len > 4 && device_id_valid(view_n(value.ptr + 4, value.len - 4)) && value.len <= DEVICE_ID_MAX;
    return known && grammar
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0,
                             "not a service: svc-coord, svc-viewer, svc-prov, svc-signer or svc-bridge, and "
                             "what follows of a-z, 0-9 and '-'");
}

static const char *const viewers_choices[] = {"fleet", "all", NULL};

static const struct config_row trial_rows[] = {
    {.name = "endpoint",
     .type = CONFIG_HOSTPORT,
     TRIAL(endpoint),
     .flags = CONFIG_REQUIRED,
     .help = "Where to connect; the broker's certificate must bear the host"},
    {.name = "server_ca_file",
     .type = CONFIG_PATH,
     TRIAL(server_ca),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the authorities that the broker's certificate must end at"},
    {.name = "cert_file",
     .type = CONFIG_PATH,
     TRIAL(cert_file),
     .flags = CONFIG_REQUIRED,
     .help = "Certificate that must get in, of a device made for this (core) or a claim (prov)"},
    {.name = "key_file", .type = CONFIG_PATH, TRIAL(key_file), .flags = CONFIG_REQUIRED, .help = "Its key"},
    {.name = "revoked_cert_file",
     .type = CONFIG_PATH,
     TRIAL(revoked_cert),
     .help = "Certificate that was revoked, which must not get in"},
    {.name = "revoked_key_file", .type = CONFIG_PATH, TRIAL(revoked_key), .help = "Its key"},
    {0},
};

#define LISTEN_ROWS                                                                                                    \
    {                                                                                                                  \
        .name = "listen", .type = CONFIG_HOSTPORT, PART(listen), .flags = CONFIG_REQUIRED,                             \
        .help = "Address and port of the listener"                                                                     \
    }
#define TLS_ROWS                                                                                                       \
    {.name = "cert_file",                                                                                              \
     .type = CONFIG_PATH,                                                                                              \
     PART(cert_file),                                                                                                  \
     .flags = CONFIG_REQUIRED,                                                                                         \
     .help = "PEM file of the broker's certificate and its chain"},                                                    \
        {.name = "key_file",                                                                                           \
         .type = CONFIG_PATH,                                                                                          \
         PART(key_file),                                                                                               \
         .flags = CONFIG_REQUIRED,                                                                                     \
         .help = "PEM file of its key, readable by the broker's user"},                                                \
    {                                                                                                                  \
        .name = "deny_file", .type = CONFIG_PATH, PART(deny_file), .flags = CONFIG_REQUIRED,                           \
        .help = "Certificates to turn away at once; made empty when it is not there"                                   \
    }
#define RUN_ROWS(run, log)                                                                                             \
    {.name = "user",                                                                                                   \
     .type = CONFIG_STRING,                                                                                            \
     PART(user),                                                                                                       \
     .def = "mosquitto",                                                                                               \
     .min = 1,                                                                                                         \
     .max = 32,                                                                                                        \
     .help = "Account that mosquitto runs as"},                                                                        \
        {.name = "run_dir", .type = CONFIG_PATH, PART(run_dir), .def = (run), .help = "Folder of the pid file"},       \
    {                                                                                                                  \
        .name = "log_file", .type = CONFIG_PATH, PART(log_file), .def = (log),                                         \
        .help = "mosquitto's log, which a reload watches; its folder belongs to the account"                           \
    }
#define TRIAL_ROWS                                                                                                     \
    {                                                                                                                  \
        .name = "probe", .type = CONFIG_SECTION, PART(trial), .rows = trial_rows,                                      \
        .position_offset = offsetof(struct broker_trial, position),                                                    \
        .help = "Identities that muster broker probe connects with"                                                    \
    }

static const struct config_row core_rows[] = {
    LISTEN_ROWS,
    TLS_ROWS,
    {.name = "stamp_key_file",
     .type = CONFIG_PATH,
     PART(stamp_key_file),
     .flags = CONFIG_REQUIRED,
     .help = "The key shared with the coordinator: 32 bytes in hexadecimal"},
    {.name = "viewers",
     .type = CONFIG_HOSTPORT,
     PART(viewers),
     .help = "Address and port of a listener for people, without TLS: keep it on loopback; none without"},
    {.name = "viewers_show",
     .type = CONFIG_ENUM,
     PART(viewers_show),
     .choices = viewers_choices,
     .def = "fleet",
     .help = "What they may read: aggregates, or devices' topics too"},
    {.name = "state_dir",
     .type = CONFIG_PATH,
     PART(state_dir),
     .def = "/var/lib/muster-broker",
     .help = "Folder of what is retained"},
    RUN_ROWS("/run/muster-broker", "/var/log/muster-broker/core.log"),
    TRIAL_ROWS,
    {0},
};

static const struct config_row prov_rows[] = {
    LISTEN_ROWS, TLS_ROWS, RUN_ROWS("/run/muster-broker-prov", "/var/log/muster-broker/prov.log"), TRIAL_ROWS, {0},
};

static const struct config_row dash_rows[] = {
    LISTEN_ROWS,
    {.name = "websockets",
     .type = CONFIG_HOSTPORT,
     PART(websockets),
     .help = "Address and port for browsers; TLS is the business of the web server before it"},
    {.name = "password_file",
     .type = CONFIG_PATH,
     PART(password_file),
     .help = "mosquitto_passwd's file; without one whoever reaches the listeners may look"},
    {.name = "uplink", .type = CONFIG_HOSTPORT, PART(uplink), .flags = CONFIG_REQUIRED, .help = "The core broker"},
    {.name = "uplink_ca_file",
     .type = CONFIG_PATH,
     PART(uplink_ca),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the authorities that its certificate must end at"},
    {.name = "uplink_cert_file",
     .type = CONFIG_PATH,
     PART(uplink_cert),
     .flags = CONFIG_REQUIRED,
     .help = "Certificate of a svc-bridge"},
    {.name = "uplink_key_file", .type = CONFIG_PATH, PART(uplink_key), .flags = CONFIG_REQUIRED, .help = "Its key"},
    RUN_ROWS("/run/muster-broker-dash", "/var/log/muster-broker/dash.log"),
    {0},
};

static const struct config_row authorities_rows[] = {
    {.name = "roots",
     .type = CONFIG_STRINGS,
     DESC(roots),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 8,
     .check = check_path,
     .help = "PEM files of the roots"},
    {.name = "devices",
     .type = CONFIG_STRINGS,
     DESC(devices),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 8,
     .check = check_path,
     .help = "PEM files of the authorities of devices: the present one and those being left"},
    {.name = "services",
     .type = CONFIG_STRINGS,
     DESC(services),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 8,
     .check = check_path,
     .help = "PEM files of the authorities of services"},
    {.name = "claims",
     .type = CONFIG_STRINGS,
     DESC(claims),
     .max = 8,
     .check = check_path,
     .help = "PEM files of the authorities of claims; needed for prov"},
    {.name = "lists",
     .type = CONFIG_STRINGS,
     DESC(lists),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 32,
     .check = check_path,
     .help = "PEM files of revocation lists: one for each authority of clients"},
    {0},
};

#define PART_SECTION(kind, part_rows, text)                                                                            \
    {                                                                                                                  \
        .name = (kind) == BROKER_KIND_CORE   ? "core"                                                                  \
                : (kind) == BROKER_KIND_PROV ? "prov"                                                                  \
                                             : "dash",                                                                 \
        .type = CONFIG_SECTION, DESC(part[kind]), .rows = (part_rows),                                                 \
        .position_offset = offsetof(struct broker_part, position), .help = (text)                                      \
    }

static const struct config_row rows[] = {
    {.name = "directory",
     .type = CONFIG_PATH,
     DESC(directory),
     .def = "/etc/muster/brokers",
     .help = "Folder of what is rendered: <broker>/v1, v2, ... and current, the one in use"},
    {.name = "plugin", .type = CONFIG_PATH, DESC(plugin), .def = MUSTER_PLUGIN_FILE, .help = "The plugin's library"},
    {.name = "authorities",
     .type = CONFIG_SECTION,
     .offset = 0,
     .rows = authorities_rows,
     .position_offset = CONFIG_NO_POSITION,
     .help = "Who may have signed a client's certificate"},
    {.name = "services",
     .type = CONFIG_STRINGS,
     DESC(names),
     .max = 64,
     .check = check_service,
     .help = "Names of the services that connect, for the ACL file"},
    PART_SECTION(BROKER_KIND_CORE, core_rows, "The broker of devices that have their identity"),
    PART_SECTION(BROKER_KIND_PROV, prov_rows, "The broker where devices get it"),
    PART_SECTION(BROKER_KIND_DASH, dash_rows, "A broker for dashboards that has the aggregates and nothing else"),
    {0},
};

static void check(void *root, struct config_errors *errors)
{
    const struct brokerdesc *desc = root;
    bool any = false;
    for (size_t i = 0; i < BROKER_KINDS; i++) {
        const struct broker_trial *trial = &desc->part[i].trial;
        any = any || desc->part[i].position.line != 0;
        if ((trial->revoked_cert == NULL) != (trial->revoked_key == NULL)) {
            config_error(errors, &trial->position, "probe: revoked_cert_file and revoked_key_file belong together");
        }
    }
    if (!any) {
        config_error(errors, NULL, "no broker is described: core, prov or dash");
    }
    if (desc->part[BROKER_KIND_PROV].position.line != 0 && desc->claims.len == 0) {
        config_error(errors, &desc->part[BROKER_KIND_PROV].position, "prov: authorities.claims is missing");
    }
}

const struct config_schema brokerdesc_schema = {
    .title = "muster broker", .rows = rows, .size = sizeof(struct brokerdesc), .check = check};
