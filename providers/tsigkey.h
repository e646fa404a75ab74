/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * tsigkey: reads a TSIG key file, either as BIND and tsig-keygen write it (key "name" { algorithm ...; secret "...";
 * };) or as one line `algorithm:name:base64`. Text only: no DNS library. Any thread.
 */
#include "base/err.h"
#include "base/view.h"

#define TSIG_NAME_SIZE   256
#define TSIG_SECRET_SIZE 512

/** Open value, secret: tsigkey_deinit zeroises. */
struct tsigkey {
    char algorithm[16]; /* "hmac-sha256", ... */
    char name[TSIG_NAME_SIZE];
    char secret[TSIG_SECRET_SIZE]; /* base64 */
};

/** @return ERR_PARSE, ERR_UNSUPPORTED (algorithm), ERR_LIMIT; info says what. */
enum err tsigkey_parse(struct view text, struct tsigkey *ret_key, struct errinfo *info) MUST_CHECK;
/** Reads @p path, which others must not be able to read. Blocks on the disk. @return also ERR_DENIED (mode),
 * ERR_NOTFOUND, ERR_IO. */
enum err tsigkey_load(const char *path, struct tsigkey *ret_key, struct errinfo *info) MUST_CHECK;
void tsigkey_deinit(struct tsigkey *key);
