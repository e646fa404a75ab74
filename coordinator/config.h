/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * config: the coordinator's own file (who, where, which zones and groups). Devices stand in the registry, a file of its
 * own. All texts live in the arena that the load was given.
 */
#include "base/config.h"
#include "base/ip.h"

enum uplinks_mode { UPLINKS_PRIMARY, UPLINKS_ALL, UPLINKS_HEALTHY };
enum ownership_mode { OWNERSHIP_OFF, OWNERSHIP_REQUIRED };
enum clones_mode { CLONES_OFF, CLONES_ALARM, CLONES_FREEZE };
enum publish_mode { PUBLISH_AUTO, PUBLISH_OBSERVED, PUBLISH_REPORTED, PUBLISH_AGREE };

struct zone_config {
    struct config_position position;
    const char *name;
    const char *account;
    int mode; /* enum zone_mode */
    uint64_t sweep_every_ms;
    uint64_t refresh_every_ms;      /* 0 = never */
    struct config_strings reserved; /* globs of names relative to the zone that no device may have */
};

struct template_config {
    struct config_position position;
    const char *name; /* "{id}.{site}.cams.example.net" */
    struct config_strings types;
    uint32_t ttl; /* seconds */
    bool hosts;   /* once for each host behind a gateway, with {host} */
};

struct group_config {
    struct config_position position;
    const char *name;
    struct config_list names; /* struct template_config */
    int publish;              /* enum publish_mode */
    bool gateway;             /* exempt from policy.shared_limit; may have hosts */
    bool damping;
    int uplinks;        /* enum uplinks_mode */
    bool publish_cgnat; /* A records also where nobody outside can come in */
};

struct coordinator_config {
    struct {
        struct config_strings endpoints;
        const char *client_id;
        const char *ca_file, *cert_file, *key_file, *stamp_key_file;
        uint64_t keepalive_ms;
    } broker;
    struct {
        const char *path;
    } store;
    const char *registry;
    int ownership; /* enum ownership_mode */
    int clones;    /* enum clones_mode */
    struct {
        uint32_t first, last;
    } shards;
    struct {
        const char *socket;
        const char *mode; /* octal permission bits */
    } control;
    struct {
        const char *listen;
    } metrics;
    struct {
        struct config_strings stun_listen, listen; /* address:port each; empty = off */
        const char *cert_file, *key_file;          /* NULL = none */
        uint32_t rate, burst;                      /* questions of one network */
    } whoami;
    struct {
        struct config_strings treat_as_public; /* prefixes */
        uint32_t shared_limit;
    } policy;
    struct {
        uint64_t heartbeat_ms;
        uint32_t late_after; /* heartbeats missed */
    } presence;
    struct {
        uint32_t penalty, suppress, reuse;
        uint64_t half_life_ms, max_suppress_ms;
    } damping;
    struct config_list accounts; /* struct engine_account_config */
    const char *providers_dir;
    struct catalogue *catalogue; /* not of the file: the settings' own; NULL = only what is written in C */
    struct config_list zones;    /* struct zone_config */
    struct config_list groups;   /* struct group_config */
    struct {
        int level; /* index into error, warn, notice, info, debug */
    } log;
};

extern const struct config_schema coordinator_config_schema;
