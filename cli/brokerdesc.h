/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * brokerdesc: the one description that the configurations of all brokers come from (deploy/examples/brokers.yaml). Read
 * by rows, as every configuration is.
 */
#include "base/config.h"

#define BROKERDESC_DEFAULT "/etc/muster/brokers.yaml"

enum broker_kind { BROKER_KIND_CORE, BROKER_KIND_PROV, BROKER_KIND_DASH };
#define BROKER_KINDS (BROKER_KIND_DASH + 1)

/** How a broker is tried after a reload. */
struct broker_trial {
    const char *endpoint;     /* host:port; the server's certificate must bear the host */
    const char *server_ca;    /* what its certificate must end at */
    const char *cert_file;    /* core: of a device; prov: a claim */
    const char *key_file;     /* NULL: in cert_file */
    const char *revoked_cert; /* one that must not get in; NULL: not tried */
    const char *revoked_key;
    struct config_position position; /* line 0: no trial */
};

/** One broker; what it has no use for is NULL. */
struct broker_part {
    struct config_position position; /* line 0: there is no such broker */
    const char *listen;              /* host:port */
    const char *cert_file, *key_file;
    const char *stamp_key_file;                                /* core */
    const char *deny_file;                                     /* core, prov */
    const char *viewers;                                       /* core: host:port; NULL: no such listener */
    int viewers_show;                                          /* core: 0 fleet, 1 all */
    const char *websockets;                                    /* dash: host:port */
    const char *password_file;                                 /* dash; NULL: whoever reaches the listeners may look */
    const char *uplink, *uplink_ca, *uplink_cert, *uplink_key; /* dash: the core broker, as svc-bridge */
    const char *user;
    const char *run_dir;   /* pid file */
    const char *state_dir; /* core: what is retained */
    const char *log_file;
    struct broker_trial trial;
};

struct brokerdesc {
    const char *directory;                                  /* of the versions */
    const char *plugin;                                     /* libmuster_observed.so */
    struct config_strings roots, devices, services, claims; /* PEM files of authorities */
    struct config_strings lists;                            /* PEM files of revocation lists */
    struct config_strings names;                            /* services: "svc-coord", ... */
    struct broker_part part[BROKER_KINDS];
};

extern const struct config_schema brokerdesc_schema;

/** "core", "prov", "dash": keys of the description and names of folders. */
const char *broker_kind_name(enum broker_kind kind);
