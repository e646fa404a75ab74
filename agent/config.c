/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <string.h>

#include "base/hostport.h"
#include "mqtt/topics.h"

#define MS_SECOND 1000ULL
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR   (60 * MS_MINUTE)

#define AT(member) .offset = offsetof(struct agent_config, member)

static enum err check_device_id(struct view value, struct errinfo *info)
{
    if (value.len > 0 && !device_id_valid(value)) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "not a device id: 1 to 40 of a-z, 0-9 and '-', not starting with 'svc-'");
    }
    return ERR_OK;
}

static enum err check_pattern(struct view value, struct errinfo *info)
{
    if (value.len == 0 || value.len >= 4 * RT_IFNAME_SIZE) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "not an interface name or pattern: 1 to 63 bytes");
    }
    return ERR_OK;
}

/* As the contract has it; else no state could be encoded. */
static enum err check_firmware(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~') {
            return errinfo_set(info, ERR_INVALID, "config", 0, "only printable ASCII characters");
        }
    }
    return ERR_OK;
}

static const char *const log_levels[] = {"error", "warn", "notice", "info", "debug", NULL};

static const char *const temporaries[] = {
    [ADDRESS_TEMPORARY_AVOID] = "avoid",
    [ADDRESS_TEMPORARY_PREFER] = "prefer",
    [ADDRESS_TEMPORARY_NEVER] = "never",
    NULL,
};

static const struct config_row broker_rows[] = {
    {.name = "endpoints",
     .type = CONFIG_STRINGS,
     AT(broker.endpoints),
     .max = 16,
     .check = hostport_check,
     .help =
         "Brokers as host:port, tried in turn, each with all its IPv4 and IPv6 addresses. With a provisioning block "
         "left out: those that the provisioner names"},
    {.name = "keepalive",
     .type = CONFIG_DURATION,
     AT(broker.keepalive_ms),
     .min = 5 * MS_SECOND,
     .max = 20 * MS_MINUTE,
     .def = "4m",
     .help = "After this long without traffic, and up to 5 s, the broker is asked whether it is there; silence is then "
             "given up after 20 s. Below the NAT's idle time, at most the broker's max_keepalive"},
    {.name = "probe",
     .type = CONFIG_DURATION,
     AT(broker.probe_ms),
     .max = 20 * MS_MINUTE,
     .def = "0s",
     .help =
         "A dead path is noticed after this long without a sign of life, at least 4 s, instead of after the "
         "keepalive: the kernel asks (TCP keep-alive, in whole seconds) from half of it on. A device whose router got "
         "another public address notices at the first question, after half. Each costs a small packet each way; 0 "
         "asks never"},
    {.name = "probe_max",
     .type = CONFIG_DURATION,
     AT(broker.probe_max_ms),
     .max = 20 * MS_MINUTE,
     .def = "0s",
     .help =
         "Longer than probe: while nothing happens the time of probe doubles after each eight of it, up to this, for "
         "links that pay for traffic; a new connection, another address, a doubt or the end of a suspend begin anew"},
    {.name = "connect_timeout",
     .type = CONFIG_DURATION,
     AT(broker.connect_timeout_ms),
     .min = 5 * MS_SECOND,
     .max = 5 * MS_MINUTE,
     .def = "30s",
     .help = "For name lookup, TCP, TLS and CONNECT together; longer than the resolver's own timeout"},
    {.name = "backoff_max",
     .type = CONFIG_DURATION,
     AT(broker.backoff_ms),
     .min = 1 * MS_SECOND,
     .max = 1 * MS_HOUR,
     .def = "2m",
     .help = "Longest wait between attempts; each wait is drawn evenly from zero to its bound, which doubles from 1s"},
    {0},
};

static const struct config_row tls_rows[] = {
    {.name = "ca_file",
     .type = CONFIG_PATH,
     AT(tls.ca_file),
     .help = "PEM file of the authority that signed the broker's certificate"},
    {.name = "cert_file",
     .type = CONFIG_PATH,
     AT(tls.cert_file),
     .help = "PEM file of the device's certificate and its chain; read anew at each connection"},
    {.name = "key_file",
     .type = CONFIG_PATH,
     AT(tls.key_file),
     .help = "PEM file of the device's key (0600); left out when the key is in cert_file"},
    {0},
};

static const struct config_row addresses_rows[] = {
    {.name = "include",
     .type = CONFIG_STRINGS,
     AT(addresses.include),
     .flags = CONFIG_RELOADABLE,
     .max = 32,
     .check = check_pattern,
     .help = "Interfaces whose addresses count, as glob patterns; empty: all but loopback"},
    {.name = "exclude",
     .type = CONFIG_STRINGS,
     AT(addresses.exclude),
     .flags = CONFIG_RELOADABLE,
     .max = 32,
     .check = check_pattern,
     .help = "Interfaces that never count, as glob patterns; wins over include"},
    {.name = "ip4",
     .type = CONFIG_BOOL,
     AT(addresses.ip4),
     .flags = CONFIG_RELOADABLE,
     .def = "true",
     .help = "Report the IPv4 address; switched off later, what stands in the DNS stays until the device is removed"},
    {.name = "ip6",
     .type = CONFIG_BOOL,
     AT(addresses.ip6),
     .flags = CONFIG_RELOADABLE,
     .def = "true",
     .help = "Report the IPv6 address; switched off later, as with ip4"},
    {.name = "temporary",
     .type = CONFIG_ENUM,
     AT(addresses.temporary),
     .flags = CONFIG_RELOADABLE,
     .choices = temporaries,
     .def = "avoid",
     .help =
         "Temporary IPv6 addresses (RFC 8981), which change daily: reported when there is no stable one, before it, "
         "or never"},
    {.name = "prefix6_from",
     .type = CONFIG_STRING,
     AT(addresses.prefix6_from),
     .flags = CONFIG_RELOADABLE,
     .max = 63,
     .help = "Gateways: interface (glob pattern) whose IPv6 prefix the hosts behind live in"},
    {.name = "hold",
     .type = CONFIG_DURATION,
     AT(addresses.hold_ms),
     .flags = CONFIG_RELOADABLE,
     .max = 1 * MS_HOUR,
     .def = "60s",
     .help =
         "How long an address that went away while its link is up still counts (DHCP renewals); then it is reported "
         "as gone"},
    {0},
};

static const struct config_row report_rows[] = {
    {.name = "heartbeat",
     .type = CONFIG_DURATION,
     AT(report.heartbeat_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 10 * MS_SECOND,
     .max = 24 * MS_HOUR,
     .def = "1h",
     .help = "The state is repeated this often, spread by 10 %; the coordinator calls a device late after three"},
    {.name = "window",
     .type = CONFIG_DURATION,
     AT(report.window_ms),
     .flags = CONFIG_RELOADABLE,
     .max = 1 * MS_MINUTE,
     .def = "1s",
     .help = "A first change goes out at once; further ones within this time are joined"},
    {.name = "repeat_first",
     .type = CONFIG_DURATION,
     AT(report.repeat_first_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 1 * MS_SECOND,
     .max = 1 * MS_HOUR,
     .def = "20s",
     .help =
         "A state that the coordinator did not acknowledge is repeated after this long, spread by 50 %, then doubled"},
    {.name = "repeat_max",
     .type = CONFIG_DURATION,
     AT(report.repeat_max_ms),
     .flags = CONFIG_RELOADABLE,
     .min = 1 * MS_SECOND,
     .max = 24 * MS_HOUR,
     .def = "15m",
     .help = "Longest time between such repeats"},
    {0},
};

static enum err check_serial(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_')) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "only A-Z, a-z, 0-9, '.', '_' and '-'");
        }
    }
    return ERR_OK;
}

static const struct config_row provisioning_rows[] = {
    {.name = "endpoints",
     .type = CONFIG_STRINGS,
     AT(provisioning.endpoints),
     .max = 16,
     .check = hostport_check,
     .help = "Brokers for provisioning as host:port, tried in turn; their certificates are verified by root.pem"},
    {.name = "claim_dir",
     .type = CONFIG_PATH,
     AT(provisioning.claim_dir),
     .def = "/etc/muster/claim",
     .help = "Folder with what every device of a batch has: claim.pem, claim.key (0600) and root.pem"},
    {.name = "serial",
     .type = CONFIG_STRING,
     AT(provisioning.serial),
     .max = 48,
     .check = check_serial,
     .help = "Serial number of this device, as the factory's ledger has it"},
    {.name = "serial_file", .type = CONFIG_PATH, AT(provisioning.serial_file), .help = "File that holds it instead"},
    {.name = "key",
     .type = CONFIG_PATH,
     AT(provisioning.key),
     .help =
         "The device's own key, whose public half the ledger knows: a PEM file (0600), or a file with a pkcs11: URI. "
         "Left out: device.key in state_dir. It signs requests; each certificate has a key of its own"},
    {0},
};

static const struct config_row root_rows[] = {
    {.name = "device_id",
     .type = CONFIG_STRING,
     AT(device_id),
     .check = check_device_id,
     .help = "Name of this device; left out: the common name of its certificate, which it must equal"},
    {.name = "state_dir",
     .type = CONFIG_PATH,
     AT(state_dir),
     .def = "/var/lib/muster-agent",
     .help = "Folder on storage that survives power loss; holds the boot counter, and with provisioning the identity"},
    {.name = "control_socket",
     .type = CONFIG_PATH,
     AT(control_socket),
     .max = 107,
     .def = AGENT_CONTROL_SOCKET,
     .help = "Unix socket for `muster-agent status` (mode 0660)"},
    {.name = "firmware",
     .type = CONFIG_STRING,
     AT(firmware),
     .max = MQTT_TEXT_MAX,
     .check = check_firmware,
     .help = "Firmware version that is shown to the operator"},
    {.name = "log_level",
     .type = CONFIG_ENUM,
     AT(log_level),
     .flags = CONFIG_RELOADABLE,
     .choices = log_levels,
     .def = "info",
     .help = "Least important level that is logged"},
    {.name = "broker",
     .type = CONFIG_SECTION,
     .position_offset = CONFIG_NO_POSITION,
     .rows = broker_rows,
     .help = "Connection"},
    {.name = "tls",
     .type = CONFIG_SECTION,
     .position_offset = CONFIG_NO_POSITION,
     .rows = tls_rows,
     .help = "Identity of this device and of the broker, as files that somebody put there; not with provisioning"},
    {.name = "addresses",
     .type = CONFIG_SECTION,
     .position_offset = CONFIG_NO_POSITION,
     .rows = addresses_rows,
     .help = "Which addresses are reported"},
    {.name = "report",
     .type = CONFIG_SECTION,
     .position_offset = CONFIG_NO_POSITION,
     .rows = report_rows,
     .help = "When they are reported"},
    {.name = "detect",
     .type = CONFIG_SECTION,
     AT(detect),
     .flags = CONFIG_RELOADABLE,
     .position_offset = CONFIG_NO_POSITION,
     .rows = detect_settings_rows,
     .help = "Who else is asked for the addresses, and how many must agree"},
    {.name = "provisioning",
     .type = CONFIG_SECTION,
     .position_offset = CONFIG_NO_POSITION,
     .rows = provisioning_rows,
     .help = "Identity over the air: with this block the device gets its certificate by itself, and keeps it valid"},
    {0},
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool agent_config_is_provisioned(const struct agent_config *config)
{
    return config->provisioning.endpoints.len > 0;
}

/* What a device needs that has its identity in files, and what one needs that gets it over the air. */
static void check_identity(const struct agent_config *config, struct config_errors *errors)
{
    bool files = is_set(config->tls.ca_file) || is_set(config->tls.cert_file) || is_set(config->tls.key_file);
    if (!agent_config_is_provisioned(config)) {
        if (config->broker.endpoints.len == 0) {
            config_error(errors, NULL, "broker.endpoints: required key `endpoints` is missing");
        }
        if (!is_set(config->tls.ca_file) || !is_set(config->tls.cert_file)) {
            config_error(errors, NULL, "tls: required keys `ca_file` and `cert_file`: one is missing");
        }
        return;
    }
#if !MUSTER_PROVISIONING /* agent/CMakeLists.txt */
    config_error(errors, NULL, "provisioning: left out of this build");
#endif
    if (files) {
        config_error(errors, NULL, "tls: not with provisioning, which keeps the files in state_dir");
    }
    if (is_set(config->provisioning.serial) && is_set(config->provisioning.serial_file)) {
        config_error(errors, NULL, "provisioning: serial and serial_file: one of them");
    }
}

static void check_across(void *root, struct config_errors *errors)
{
    const struct agent_config *config = root;
    if (!config->addresses.ip4 && !config->addresses.ip6) {
        config_error(errors, NULL, "addresses: ip4 and ip6 are both false; nothing would be reported");
    }
    if (config->report.repeat_first_ms > config->report.repeat_max_ms) {
        config_error(errors, NULL, "report.repeat_first: longer than report.repeat_max");
    }
    check_identity(config, errors);
    detect_settings_check(&config->detect, errors);
}

const struct config_schema *agent_config_schema(void)
{
    static const struct config_schema schema = {
        .title = "muster-agent", .rows = root_rows, .size = sizeof(struct agent_config), .check = check_across};
    return &schema;
}

enum log_level agent_config_log_level(const struct agent_config *config)
{
    return (enum log_level)(LOG_LEVEL_ERROR + config->log_level);
}

struct address_policy agent_config_policy(const struct agent_config *config)
{
    bool has_prefix = config->addresses.prefix6_from != NULL && config->addresses.prefix6_from[0] != '\0';
    return (struct address_policy){
        .include = config->addresses.include.items,
        .include_len = config->addresses.include.len,
        .exclude = config->addresses.exclude.items,
        .exclude_len = config->addresses.exclude.len,
        .prefix6_from = has_prefix ? config->addresses.prefix6_from : NULL,
        .ip4 = config->addresses.ip4,
        .ip6 = config->addresses.ip6,
        .temporary = (enum address_temporary)config->addresses.temporary,
        .hold_ms = config->addresses.hold_ms,
    };
}

struct report_timing agent_config_timing(const struct agent_config *config)
{
    return (struct report_timing){
        .heartbeat_ms = config->report.heartbeat_ms,
        .window_ms = config->report.window_ms,
        .repeat_first_ms = config->report.repeat_first_ms,
        .repeat_max_ms = config->report.repeat_max_ms,
    };
}

static bool texts_equal(const char *a, const char *b)
{
    return view_equal(view_of(a), view_of(b));
}

static bool lists_equal(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = texts_equal(a->items[i], b->items[i]);
    }
    return same;
}

static bool row_equal(const struct config_row *row, const char *before, const char *after)
{
    const void *a = before + row->offset, *b = after + row->offset;
    switch (row->type) {
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_U32:
    case CONFIG_ENUM:
        return memcmp(a, b, sizeof(uint32_t)) == 0;
    case CONFIG_U64:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return memcmp(a, b, sizeof(uint64_t)) == 0;
    case CONFIG_STRINGS:
        return lists_equal(a, b);
    default: /* the texts; the agent has no rows of further types */
        return texts_equal(*(const char *const *)a, *(const char *const *)b);
    }
}

static void add_differing(const struct config_row *rows, const char *section, const char *before, const char *after,
                          struct strbuf *names)
{
    for (const struct config_row *row = rows; row->name != NULL; row++) {
        if (row->type == CONFIG_SECTION) {
            add_differing(row->rows, row->name, before + row->offset, after + row->offset, names);
        } else if ((row->flags & CONFIG_RELOADABLE) == 0 && !row_equal(row, before, after)) {
            (void)strbuf_addf(names, "%s%s%s%s", names->len > 0 ? ", " : "", section, section[0] != '\0' ? "." : "",
                              row->name); /* sticky: the caller asks the buffer */
        }
    }
}

enum err agent_config_restart_rows(const struct agent_config *before, const struct agent_config *after,
                                   struct strbuf *names)
{
    add_differing(root_rows, "", (const char *)before, (const char *)after, names);
    return strbuf_error(names);
}
