/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** settings: a config with what the files that it names hold, loaded whole before it is used. Blocks on the disk. */
#include "mqtt/messages_prov.h"
#include "provisioner/config.h"
#include "provisioner/limits.h"
#include "provisioning/ed25519.h"
#include "provisioning/key.h"

struct settings_der {
    uint8_t bytes[PROV_CERT_MAX];
    size_t len;
};

struct settings {
    struct arena arena;
    struct provisioner_config config;
    uint8_t factory[KEY_POINT_SIZE];
    struct settings_der trust[TRUST_MAX];
    size_t trust_len;
    uint8_t roots[ROOTS_MAX][ED25519_POINT_SIZE];
    struct settings_der signer[2]; /* the service certificate and its CA: what answers are signed with */
};

/** The file alone, without those that it names. @param report errors, one a line. @return as config_load. */
enum err settings_read(const char *path, struct settings **ret_settings, struct strbuf *report) MUST_CHECK;
/** @return also ERR_INVALID: a file that it names is missing or wrong. */
enum err settings_load(const char *path, struct settings **ret_settings, struct strbuf *report) MUST_CHECK;
void settings_free(struct settings *settings); /* NULL allowed */
bool settings_has_core(const struct settings *settings);
