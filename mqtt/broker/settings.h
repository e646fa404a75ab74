/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * settings: the plugin's options ("plugin_opt_..." lines of mosquitto.conf) and what they name, loaded as a whole: at
 * start, and again at SIGHUP, when a failure leaves the old ones in force.
 *
 *   mode         core (default), prov (the broker where devices get their identity) or dash (people only: no other
 *                option is taken, and what a client without certificate may read is fleet)
 *   key_file     core: 32 bytes in hex, shared with the coordinator; not readable by others
 *   device_ca    core: PEM file of the authorities that issue devices' certificates
 *   claim_ca     prov: PEM file of the authorities that issue claim certificates
 *   service_ca   PEM file of the authorities that issue services' certificates
 *   viewers      none (default), fleet or all: what a client without certificate may read; it writes nothing
 *   file         alone (default): the plugin decides; agree: what it grants, mosquitto's acl_file must grant too
 *   deny_file    certificates to turn away, a line each (mqtt/denyline.h); unreadable is an error, not an empty list
 *   swarm_ca     only in the library for benchmarks: authorities whose certificates may write any device's state
 */
#include <stdbool.h>

#include "base/err.h"
#include "mqtt/broker/authorities.h"
#include "mqtt/broker/denied.h"
#include "mqtt/broker/stamp.h"

struct setting {
    char *name;
    char *value;
};

struct settings {
    struct stamp *stamp;  /* owned; NULL on the broker for provisioning */
    struct trust trust;   /* owned */
    struct denied denied; /* owned; of deny_file */
    bool has_deny_file;
    enum role watcher; /* of a client without certificate */
    bool file_agrees;
};

/** @param info names the option that is wrong. @return ERR_INVALID (unknown or missing option, bad value),
 * ERR_NOTFOUND, ERR_PARSE, ERR_DENIED (key readable by others), ERR_CONFLICT (one authority for two
 * kinds), ERR_CRYPTO, ERR_NOMEM. */
enum err settings_load(const struct setting *options, size_t options_len, struct settings *ret_settings,
                       struct errinfo *info) MUST_CHECK;
void settings_deinit(struct settings *settings);
