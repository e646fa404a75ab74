/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_rules.h"

#include <string.h>
#include <strings.h>

#include "base/macros.h"

#define AGENT_ADDRESS "the device's agent finds its address: `addresses` and `detect` of agent.yaml"
#define PUSHED        "not needed: agents report a change when it happens"
#define ALWAYS_TLS    "Muster speaks HTTPS only"
#define NO_SCRIPT     "Muster runs no commands: subscribe to the feed of changed names instead (docs/protocol.md)"
#define LOGS          "Muster logs to the journal: `log` of coordinator.yaml"
#define CHECKED_TLS   "certificates are always checked: ca_file of the account names other roots"
#define NO_MX         "Muster keeps addresses only: set it at the service"
#define NO_WILDCARD   "Muster keeps one name, without a wildcard: set it at the service"
#define RATES         "Muster keeps to the rates that the service documents: muster provider limits"
#define CHECKED_IP    "Muster publishes public addresses only: `policy` of coordinator.yaml names exceptions"

const struct import_rule import_inadyn_rules[] = {
    {"username", NULL},
    {"password", NULL},
    {"ttl", NULL},
    {"allow-ipv6", NULL},
    {"forced-update", NULL},
    {"ca-trust-file", NULL},
    {"proxied", NULL},
    {"ddns-server", NULL},
    {"ddns-path", NULL},
    {"ssl", ALWAYS_TLS}, /* where it is false */
    {"verify-address", CHECKED_IP},
    {"fake-address", "Muster never sends an address that a device does not have"},
    {"iface", AGENT_ADDRESS " (addresses: {include: [..]})"},
    {"iterations", "the coordinator runs until it is stopped"},
    {"period", PUSHED},
    {"secure-ssl", CHECKED_TLS},
    {"broken-rtc", CHECKED_TLS},
    {"user-agent", "Muster names itself"},
    {"checkip-*", AGENT_ADDRESS},
    {"wildcard", NO_WILDCARD},
    {"append-myip", "Muster always sends the address"},
    {"startup-delay", "not needed: agents wait for the network"},
    {"cache-dir", "Muster's store has its own place: `store` of coordinator.yaml"},
    {"drop-privs", "the service's unit names the user"},
    {0},
};

const struct import_rule import_ddclient_rules[] = {
    {"protocol", NULL},
    {"login", NULL},
    {"password", NULL},
    {"apikey", NULL},
    {"secretapikey", NULL},
    {"server", NULL},
    {"script", NULL},
    {"zone", NULL},
    {"root-domain", NULL},
    {"ttl", NULL},
    {"max-interval", NULL},
    {"ipv6", NULL},
    {"ssl_ca_file", NULL},
    {"ssl", ALWAYS_TLS}, /* where it is no */
    {"ssl_ca_dir", "ca_file of the account names one file of roots"},
    {"use", AGENT_ADDRESS},
    {"usev4", AGENT_ADDRESS},
    {"usev6", AGENT_ADDRESS},
    {"web*", AGENT_ADDRESS},
    {"if*", AGENT_ADDRESS},
    {"fw*", AGENT_ADDRESS},
    {"cmd*", AGENT_ADDRESS},
    {"ip", AGENT_ADDRESS},
    {"ipv4", AGENT_ADDRESS},
    {"allow-private", CHECKED_IP},
    {"daemon", PUSHED},
    {"foreground", "the service's unit says how it runs"},
    {"pid", "the service's unit says how it runs"},
    {"file", "muster-coordinator --config names the file"},
    {"cache", "Muster's store has its own place: `store` of coordinator.yaml"},
    {"syslog", LOGS},
    {"facility", LOGS},
    {"priority", LOGS},
    {"quiet", LOGS},
    {"verbose", LOGS},
    {"debug", LOGS},
    {"mail*", "alarms are metrics and log events: docs/operations.md"},
    {"postscript", NO_SCRIPT},
    {"exec", "no equivalent: muster zone plan and muster zone apply --dry-run show what would be done"},
    {"proxy", "no equivalent: connect_to of the account names a gateway"},
    {"timeout", "timeout of the account, when 10s do not do"},
    {"retry", "failed updates are always sent again"},
    {"force", "muster record retry NAME writes a name again"},
    {"min-interval", RATES},
    {"min-error-interval", RATES},
    {"max-warn", RATES},
    {"wildcard", NO_WILDCARD},
    {"mx", NO_MX},
    {"backupmx", NO_MX},
    {"static", "no equivalent: it is a choice of the service"},
    {"custom", "no equivalent: it is a choice of the service"},
    {"on-ip-change", NO_SCRIPT},
    {"dynurl", "Muster needs the account's own credentials"},
    {"urlv4", "Muster needs the account's own credentials"},
    {"urlv6", "Muster needs the account's own credentials"},
    {"include", "the file is not read: put its lines here, or import it by itself"},
    {0},
};

bool import_is_true(const char *value)
{
    static const char *const words[] = {"true", "yes", "on", "1", "y", "t"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool fits(const char *pattern, const char *key)
{
    size_t len = strlen(pattern);
    return pattern[len - 1] == '*' ? strncmp(key, pattern, len - 1) == 0 : strcmp(key, pattern) == 0;
}

const char *import_judge(const struct import_rule *rules, const struct import_setting *setting)
{
    size_t len = strlen(setting->key);
    if (setting->from_env || (len > 4 && strcmp(setting->key + len - 4, "_env") == 0)) {
        return "the value of an environment variable is not known here: write it into the file first";
    }
    if (strcmp(setting->key, "ssl") == 0 && import_is_true(setting->value)) {
        return NULL; /* as Muster has it */
    }
    for (const struct import_rule *rule = rules; rule->key != NULL; rule++) {
        if (fits(rule->key, setting->key)) {
            return rule->text;
        }
    }
    return "no equivalent: Muster does not know this setting";
}
