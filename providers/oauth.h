/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * oauth: an access token of OAuth 2.0 for an account: asked for, kept until shortly before it ends, put into requests.
 * Source: RFC 6749 4.4, 5.1, 5.2; RFC 6750 2.1. Pure; one thread at a time an account.
 */
#include "providers/httpjson.h"

#define OAUTH_TOKEN_MAX 12288 /* Microsoft's grow with the groups and roles that they name */

/** Secret: deinit. */
struct oauth_token {
    struct secret value; /* empty = none */
    uint64_t until_ms;   /* monotonic */
    uint32_t serial;     /* how many there were: replies tell by it which one they are about */
    bool refused;        /* the service refused the last one although it had not ended */
};
void oauth_deinit(struct oauth_token *token);

/** False: one must be asked for. */
bool oauth_fresh(const struct oauth_token *token, uint64_t now_ms);
/** Appends "Authorization: Bearer ...", and notes in the request which token that was. */
void oauth_header(const struct oauth_token *token, struct provider_request *request);

/**
 * Reads the token endpoint's reply: CONTINUE and the token is there; STOP "badauth": the login is refused, STOP, with
 * @p api's remedy; RETRY for all that passes. The endpoint's own text is not repeated, only its error code.
 */
void oauth_parse(struct oauth_token *token, const struct httpjson_api *api, const struct provider_reply *reply,
                 struct verdict *verdict);

/** @p request was answered 401: once a new token is asked for. Several requests may be out when a token ends: what is
 * said of one that was given up already counts for nothing. @return false: that was a new one. */
bool oauth_again(struct oauth_token *token, const struct provider_request *request, struct verdict *verdict);
