/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** config: the provisioner's own file. All texts live in the arena that the load was given. */
#include "base/config.h"

struct provisioner_broker {
    struct config_position position; /* line 0: the section is absent */
    struct config_strings endpoints;
    const char *client_id;
    const char *ca_file, *cert_file, *key_file;
    uint64_t keepalive_ms;
};

struct provisioner_config {
    struct provisioner_broker prov; /* where devices enrol; its certificate also signs the answers */
    struct provisioner_broker core; /* where they live; absent in a factory without one */
    struct {
        const char *path;
    } store;
    struct {
        const char *dir;
        const char *password_file; /* NULL: the key is not encrypted */
    } ca;
    const char *factory_key; /* public half: who may announce batches */
    struct {
        const char *socket;
        const char *mode; /* octal permission bits */
    } control;
    struct {
        const char *listen;
    } metrics;
    struct {
        uint32_t days;        /* life of a device's certificate */
        uint32_t renew_share; /* percent of that after which the device asks for the next */
        uint32_t rate, burst; /* certificates a second, at once */
    } issue;
    uint64_t activation_ms; /* from the first connection with a certificate to the first report */
    bool recovery;
    struct config_strings core_endpoints; /* told to devices */
    const char *server_trust;             /* PEM bundle told to devices: the brokers' authorities */
    struct config_strings config_roots;   /* files of Ed25519 public keys told to devices */
    struct {
        const char *deny_file; /* NULL: none is written */
        const char *crl_file;
        struct config_strings reload_command; /* program and arguments */
    } revocation;
    struct {
        int level; /* index into error, warn, notice, info, debug */
    } log;
};

extern const struct config_schema provisioner_config_schema;
