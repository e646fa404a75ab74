/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * identity: the device's name, which is the common name of its certificate: the broker takes it from there, so a config
 * that says another one could never connect. Blocks on the disk.
 */
#include "base/err.h"
#include "mqtt/limits.h"

/**
 * @param configured the config's device_id; "" or NULL: what the certificate says.
 * @param cert_file PEM; the device's own certificate comes first.
 * @return ERR_INVALID (the two differ, or the certificate's name is not a device id), ERR_NOTFOUND, ERR_DENIED,
 * ERR_IO (file), ERR_PARSE (no certificate in it), ERR_UNSUPPORTED (of a kind that this program cannot read, and no
 * device_id is configured), with the reason in @p info.
 */
enum err identity_read(const char *configured, const char *cert_file, char ret_id[static DEVICE_ID_MAX + 1],
                       struct errinfo *info) MUST_CHECK;
