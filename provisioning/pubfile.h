/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pubfile: public keys in files of their own, PEM "PUBLIC KEY": the factory's (P-256), which signs manifests, and the
 * roots of signed configuration (Ed25519). Blocks on the disk.
 */
#include <stdint.h>

#include "base/err.h"
#include "provisioning/ed25519.h"
#include "provisioning/key.h"

/** @return ERR_INVALID (not such a key), and what file_read returns; "path: what" in @p info. */
enum err pubfile_p256(const char *path, uint8_t ret_point[static KEY_POINT_SIZE], struct errinfo *info) MUST_CHECK;
enum err pubfile_ed25519(const char *path, uint8_t ret_point[static ED25519_POINT_SIZE],
                         struct errinfo *info) MUST_CHECK;
