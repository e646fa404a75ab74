/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * keypair: whether a certificate and a key file are what a client can connect with, so that a config is refused when it
 * is checked and not at the first connection. Knows the certificates that this project issues; of others only the key
 * file's permissions are judged, the rest is for the TLS library and the peer. Blocks on the disk.
 */
#include <stdbool.h>

#include "base/err.h"

#define KEYPAIR_NAME_SIZE 65 /* RFC 5280 A.1: ub-common-name is 64 */

struct keypair {
    bool known;                          /* the fields below were read */
    char common_name[KEYPAIR_NAME_SIZE]; /* "" when there is none, or it is longer */
    bool server_only;                    /* of the profile for servers: no client can use it */
};

/** @param cert_file its first certificate counts. @return about the key file, with "path: what" in @p info: ERR_DENIED
 * (anyone may read it), ERR_INVALID (of another certificate, or no key), and what file_read returns for either. */
enum err keypair_check(const char *cert_file, const char *key_file, struct keypair *ret_pair,
                       struct errinfo *info) MUST_CHECK;
