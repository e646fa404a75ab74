/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * jwt: the signed assertion (RS256) with which a Google service account asks for an access token, and the JSON file
 * that the account's key comes in.
 * Source: RFC 7515, RFC 7519, RFC 7523 2.1; https://developers.google.com/identity/protocols/oauth2/service-account
 * ("HTTP/REST"), read 2026-11-23. Pure: wall time is an argument. One thread at a time an account (its key).
 */
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define JWT_ACCOUNT_FILE_MAX 16384 /* Google's files are of 2.4 KiB */
#define JWT_NAME_SIZE        256   /* project, address, key id */
#define JWT_URI_SIZE         512
#define JWT_LIFETIME_S       3600 /* "The expiration time ... has a maximum of 1 hour after the issued time" */

/** A service account. Secret: deinit. */
struct jwt_account {
    char project[JWT_NAME_SIZE], email[JWT_NAME_SIZE], key_id[JWT_NAME_SIZE];
    char token_uri[JWT_URI_SIZE]; /* https only */
    struct crypto_rsa *key;       /* owned */
};

/** Reads what Google's console hands out: an object with type, project_id, private_key_id, private_key, client_email
 * and token_uri. Nothing of it is left behind in memory but @p ret_account. @return ERR_LIMIT, ERR_PARSE, ERR_INVALID,
 * ERR_UNSUPPORTED (another type of account or key), ERR_NOMEM; info says which member, never its value. */
enum err jwt_account_parse(struct view json, struct jwt_account *ret_account, struct errinfo *info) MUST_CHECK;
void jwt_account_deinit(struct jwt_account *account);

/** Appends header, claims and signature in the compact form (RFC 7515 3.1). @p header and @p claims are JSON texts,
 * taken byte by byte. @return ERR_LIMIT, ERR_NOMEM, ERR_CRYPTO. */
enum err jwt_sign(struct crypto_rsa *key, struct view header, struct view claims, struct strbuf *token) MUST_CHECK;

/** Appends the assertion for @p scope, valid from @p wall_ms for an hour. @return as jwt_sign. */
enum err jwt_assertion(const struct jwt_account *account, const char *scope, int64_t wall_ms,
                       struct strbuf *token) MUST_CHECK;
