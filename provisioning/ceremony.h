/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ceremony: what was done with a certificate authority, as lines of JSON in DIR/ceremony.log, each with the SHA-256 of
 * the line before it: a line that is changed, moved or taken out of the middle shows. What was cut off at the end shows
 * only to who has kept the last line's digest elsewhere. A line without its newline was cut by a power failure before
 * anybody was told that it is written, and is removed by the next.
 *
 *     {"v":1,"n":0,"time":"2026-11-22T16:43:00Z","by":"root","act":"init","what":"devices","sha256":"..","prev":"0..0"}
 *
 * Blocks on the disk, and on a lock of the file against other writers. Any thread.
 */
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/view.h"

#define CEREMONY_FILE     "ceremony.log"
#define CEREMONY_LINE_MAX 512
#define CEREMONY_FILE_MAX (16 << 20) /* 40,000 acts; devices are not in it one by one */
#define CEREMONY_TEXT_MAX 96

struct ceremony_act {
    const char *by;        /* who, [!-~]; what is longer is cut */
    const char *act;       /* "init", "issue", "revoke", "rotate", "drop" */
    const char *what;      /* "devices", a common name, a serial number; what is longer is cut */
    const uint8_t *sha256; /* of the certificate or public key in DER; NULL: there is none */
};

/** Adds a line, durably. @return ERR_CORRUPT (the last line there is none of ours), what files return. */
enum err ceremony_append(const char *dir, const struct ceremony_act *act, int64_t now_s,
                         struct errinfo *info) MUST_CHECK;

struct ceremony_state {
    uint64_t lines;
    uint8_t last[SHA256_SIZE]; /* of the last line, without newline; zero when there is none */
    char time[32];             /* of the last line; "" when there is none */
};
/** Reads all lines and recomputes their chain. No file: no lines. @return ERR_CORRUPT (@p info names file and line),
 * what files return. */
enum err ceremony_verify(const char *dir, struct ceremony_state *ret_state, struct errinfo *info) MUST_CHECK;
