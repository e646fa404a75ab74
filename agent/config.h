/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * config: the agent's settings as rows (base/config.h): the parser, --check-config, --dump-config and the reference
 * page come from them. All texts live in the arena of the load.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/addresses.h"
#include "agent/detect/settings.h"
#include "agent/report.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"

#define AGENT_CONFIG_PATH      "/etc/muster/agent.yaml"
#define AGENT_CONTROL_SOCKET   "/run/muster-agent/control.sock"
#define AGENT_CONFIG_ARENA_MAX (1024 * 1024) /* a file is at most 256 KiB of text */

struct agent_config {
    const char *device_id; /* NULL or "": the certificate's common name */
    const char *state_dir;
    const char *control_socket;
    const char *firmware; /* shown to the operator; may be "" */
    int log_level;        /* index into the row's choices; agent_config_log_level */
    struct {
        struct config_strings endpoints;
        uint64_t keepalive_ms, connect_timeout_ms, backoff_ms;
        uint64_t probe_ms;     /* 0: never */
        uint64_t probe_max_ms; /* 0: as probe_ms */
    } broker;
    struct {
        const char *ca_file, *cert_file;
        const char *key_file; /* "" when the key is in cert_file */
    } tls;
    struct {
        struct config_strings include, exclude;
        const char *prefix6_from; /* "" for none */
        bool ip4, ip6;
        int temporary; /* enum address_temporary */
        uint64_t hold_ms;
    } addresses;
    struct {
        uint64_t heartbeat_ms, window_ms, repeat_first_ms, repeat_max_ms;
    } report;
    struct detect_settings detect;
    struct {
        struct config_strings endpoints; /* empty: this device is not provisioned over the air */
        const char *claim_dir;
        const char *serial, *serial_file; /* at most one of them; neither: serial in state_dir */
        const char *key;                  /* "": device.key in state_dir */
    } provisioning;
};

const struct config_schema *agent_config_schema(void);

/** The block `provisioning` is there: identity and, where `broker` names none, brokers come from a provisioner. */
bool agent_config_is_provisioned(const struct agent_config *config);

enum log_level agent_config_log_level(const struct agent_config *config);
/** Borrows from @p config. */
struct address_policy agent_config_policy(const struct agent_config *config);
struct report_timing agent_config_timing(const struct agent_config *config);

/** Names of the rows that differ and are not applied by a reload ("broker.endpoints, tls.ca_file"), appended to
 * @p names; nothing when a reload applies all. @return the buffer's error. */
enum err agent_config_restart_rows(const struct agent_config *before, const struct agent_config *after,
                                   struct strbuf *names) MUST_CHECK;
