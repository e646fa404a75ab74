/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** credentials_private: what the parts of agent/credentials.h share. Parts: credentials.c (what is there, answers),
 * credentials_ask.c (requests), credentials_store.c (certificates that came). Nobody else includes it. */
#include "agent/credentials.h"
#include "provisioning/limits.h"

enum err credentials_join(const char *folder, const char *name, char ret_path[static PATH_MAX]) MUST_CHECK;
bool credentials_serial_valid(struct view serial);
/** @return ERR_PARSE (none in it), and what file_read returns. */
enum err credentials_first_cert(const char *path, uint8_t der[static CERT_DER_MAX], size_t *ret_len,
                                struct errinfo *info) MUST_CHECK;
/** Reads the version that the folder says is in use. */
enum err credentials_use(struct credentials *credentials, struct errinfo *info) MUST_CHECK;
/** What the provisioner said beside the certificate. Damaged or missing: renewal at two thirds of the certificate's
 * life, and no addresses. */
void credentials_meta_read(const struct credentials *credentials, struct credentials_identity *identity);
