/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/config.h"

#include <string.h>

#include "base/config_checks.h"
#include "base/hostport.h"
#include "provisioner/limits.h"

#define FIELD(member) offsetof(struct provisioner_config, member)

static const char *const levels[] = {"error", "warn", "notice", "info", "debug", NULL};

static const struct config_row broker_rows[] = {
    {.name = "endpoints",
     .type = CONFIG_STRINGS,
     .offset = offsetof(struct provisioner_broker, endpoints),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = 16,
     .check = hostport_check,
     .help = "host:port of each broker address, tried in turn"},
    {.name = "client_id",
     .type = CONFIG_STRING,
     .offset = offsetof(struct provisioner_broker, client_id),
     .min = 5,
     .max = 40,
     .def = "svc-prov",
     .check = config_check_service,
     .help = "name in the service certificate (svc-prov...)"},
    {.name = "ca_file",
     .type = CONFIG_PATH,
     .offset = offsetof(struct provisioner_broker, ca_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the CA that the broker's certificate must come from"},
    {.name = "cert_file",
     .type = CONFIG_PATH,
     .offset = offsetof(struct provisioner_broker, cert_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the service certificate and its chain"},
    {.name = "key_file",
     .type = CONFIG_PATH,
     .offset = offsetof(struct provisioner_broker, key_file),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the service certificate's key"},
    {.name = "keepalive",
     .type = CONFIG_DURATION,
     .offset = offsetof(struct provisioner_broker, keepalive_ms),
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
     .def = "/var/lib/muster-provisioner/provisioner.db",
     .help = "SQLite database; its folder must be on a local disk"},
    {0},
};

static const struct config_row ca_rows[] = {
    {.name = "dir",
     .type = CONFIG_PATH,
     .offset = FIELD(ca.dir),
     .flags = CONFIG_REQUIRED,
     .help = "folder of the authority; only devices.pem and devices.key are needed in it, and its list of revoked "
             "certificates is kept there"},
    {.name = "password_file",
     .type = CONFIG_PATH,
     .offset = FIELD(ca.password_file),
     .help = "file with the password of devices.key, where that is encrypted"},
    {0},
};

static const struct config_row control_rows[] = {
    {.name = "socket",
     .type = CONFIG_PATH,
     .offset = FIELD(control.socket),
     .def = "/run/muster-provisioner/control.sock",
     .check = config_check_socket,
     .help = "unix socket of the operator's commands"},
    {.name = "mode",
     .type = CONFIG_STRING,
     .offset = FIELD(control.mode),
     .min = 3,
     .max = 4,
     .def = "\"0660\"",
     .check = config_check_mode,
     .help = "permissions of the socket: who may use it may do everything"},
    {0},
};

static const struct config_row metrics_rows[] = {
    {.name = "listen",
     .type = CONFIG_HOSTPORT,
     .offset = FIELD(metrics.listen),
     .def = "127.0.0.1:9189",
     .help = "loopback address and port of /metrics and /healthz"},
    {0},
};

static const struct config_row issue_rows[] = {
    {.name = "days",
     .type = CONFIG_U32,
     .offset = FIELD(issue.days),
     .flags = CONFIG_RELOADABLE,
     .unit = "days",
     .min = 1,
     .max = 3650,
     .def = "365",
     .help = "life of a device's certificate; never longer than its authority's"},
    {.name = "renew_share",
     .type = CONFIG_U32,
     .offset = FIELD(issue.renew_share),
     .flags = CONFIG_RELOADABLE,
     .unit = "percent",
     .min = 10,
     .max = 95,
     .def = "66",
     .help = "share of its life after which a device asks for the next certificate"},
    {.name = "rate",
     .type = CONFIG_U32,
     .offset = FIELD(issue.rate),
     .flags = CONFIG_RELOADABLE,
     .unit = "certificates/s",
     .min = 1,
     .max = 10000,
     .def = "200",
     .help = "certificates made all the time; who comes too early is told when to come again"},
    {.name = "burst",
     .type = CONFIG_U32,
     .offset = FIELD(issue.burst),
     .flags = CONFIG_RELOADABLE,
     .unit = "certificates",
     .min = 1,
     .max = 100000,
     .def = "2000",
     .help = "certificates made at once after a quiet time"},
    {0},
};

static const struct config_row revocation_rows[] = {
    {.name = "deny_file",
     .type = CONFIG_PATH,
     .offset = FIELD(revocation.deny_file),
     .help = "written with every revoked certificate, for the core broker's plugin after a restart"},
    {.name = "crl_file",
     .type = CONFIG_PATH,
     .offset = FIELD(revocation.crl_file),
     .help = "written with the device CA's revocation list (PEM) at each revocation and once a day"},
    {.name = "reload_command",
     .type = CONFIG_STRINGS,
     .offset = FIELD(revocation.reload_command),
     .max = 16,
     .help =
         "program and arguments that bring a new list to the core broker, such as [/usr/bin/muster, broker, reload]"},
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

#define SECTION(key, table, text)                                                                                      \
    {                                                                                                                  \
        .name = (key), .type = CONFIG_SECTION, .rows = (table), .position_offset = CONFIG_NO_POSITION, .help = (text)  \
    }

static const struct config_row root_rows[] = {
    {.name = "prov",
     .type = CONFIG_SECTION,
     .offset = FIELD(prov),
     .rows = broker_rows,
     .flags = CONFIG_REQUIRED,
     .position_offset = offsetof(struct provisioner_broker, position),
     .help = "connection to the broker for provisioning; the same certificate signs every answer to devices"},
    {.name = "core",
     .type = CONFIG_SECTION,
     .offset = FIELD(core),
     .rows = broker_rows,
     .position_offset = offsetof(struct provisioner_broker, position),
     .help = "connection to the core broker; a factory may have none"},
    SECTION("store", store_rows, "durable state"),
    {.name = "ca",
     .type = CONFIG_SECTION,
     .rows = ca_rows,
     .flags = CONFIG_REQUIRED,
     .position_offset = CONFIG_NO_POSITION,
     .help = "authority that signs the devices' certificates"},
    {.name = "factory_key",
     .type = CONFIG_PATH,
     .offset = FIELD(factory_key),
     .flags = CONFIG_REQUIRED,
     .help = "PEM file of the public key that signs manifests of batches"},
    SECTION("control", control_rows, "operator's socket"),
    SECTION("metrics", metrics_rows, "Prometheus"),
    SECTION("issue", issue_rows, "certificates of devices"),
    {.name = "activation",
     .type = CONFIG_DURATION,
     .offset = FIELD(activation_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 10000,
     .max = 30ull * 86400000,
     .def = "1h",
     .help = "a certificate with which a device connects to the core broker without reporting is revoked after this"},
    {.name = "recovery",
     .type = CONFIG_BOOL,
     .offset = FIELD(recovery),
     .flags = CONFIG_RELOADABLE,
     .def = "true",
     .help = "devices may prove themselves with the key of an expired certificate"},
    {.name = "core_endpoints",
     .type = CONFIG_STRINGS,
     .offset = FIELD(core_endpoints),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = ENDPOINTS_MAX,
     .check = hostport_check,
     .help = "host:port of the core brokers, as devices are told"},
    {.name = "server_trust",
     .type = CONFIG_PATH,
     .offset = FIELD(server_trust),
     .flags = CONFIG_REQUIRED,
     .help = "PEM bundle of the authorities of the core brokers, present and next, as devices are told"},
    {.name = "config_roots",
     .type = CONFIG_STRINGS,
     .offset = FIELD(config_roots),
     .flags = CONFIG_REQUIRED,
     .min = 1,
     .max = ROOTS_MAX,
     .help = "PEM files of Ed25519 public keys that sign the list of config signers, as devices are told"},
    SECTION("revocation", revocation_rows, "what is done beside telling the broker's plugin"),
    SECTION("log", log_rows, "logging"),
    {0},
};

static void check_broker(const struct provisioner_broker *broker, const char *name, struct config_errors *errors)
{
    if (strncmp(broker->client_id, "svc-prov", 8) != 0) {
        config_error(errors, &broker->position,
                     "%s: client_id must begin with svc-prov, as the broker's plugin and the devices expect", name);
    }
}

static void check_root(void *root, struct config_errors *errors)
{
    const struct provisioner_config *config = root;
    check_broker(&config->prov, "prov", errors);
    if (config->core.position.line != 0) {
        check_broker(&config->core, "core", errors);
    }
}

const struct config_schema provisioner_config_schema = {
    .title = "muster-provisioner",
    .rows = root_rows,
    .size = sizeof(struct provisioner_config),
    .check = check_root,
};
