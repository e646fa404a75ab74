/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * identity: the TLS files and the device's name, which is the common name of its certificate: the broker takes it from
 * there, so a config that says another one could never connect. Blocks on the disk.
 */
#include "agent/config.h"
#include "base/err.h"
#include "base/strbuf.h"
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

/** All that a start needs of `tls` and device_id: the three files can be read and the name is right. @param path of the
 * config, for messages. @param report each error as a line. @return ERR_INVALID when there is one. */
enum err identity_check(const struct agent_config *config, const char *path, struct strbuf *report) MUST_CHECK;
