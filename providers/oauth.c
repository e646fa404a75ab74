/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/oauth.h"

#include <string.h>

enum { EARLY_MS = 60000 /* not to end on the way */, LIFE_MAX_S = 7 * 24 * 3600, DEPTH_MAX = 4, CODE_MAX = 64 };

void oauth_deinit(struct oauth_token *token)
{
    secret_deinit(&token->value);
    *token = (struct oauth_token){0};
}

bool oauth_fresh(const struct oauth_token *token, uint64_t now_ms)
{
    return token->value.len > 0 && now_ms < token->until_ms;
}

void oauth_header(const struct oauth_token *token, struct provider_request *request)
{
    httpjson_header(request, "Authorization", "Bearer ", secret_view(&token->value));
    request->login = token->serial;
}

/** RFC 6749 says a number; Azure's metadata service writes it as a string. */
static bool read_life(const json_t *json, uint64_t *ret_s)
{
    const json_t *life = json_object_get(json, "expires_in");
    if (json_is_integer(life) && json_integer_value(life) > 0) {
        *ret_s = MIN((uint64_t)json_integer_value(life), (uint64_t)LIFE_MAX_S);
        return true;
    }
    return json_is_string(life) && view_to_u64(httpjson_text_at(json, "/expires_in"), LIFE_MAX_S, ret_s) == ERR_OK &&
           *ret_s > 0; /* else it would be asked for again at once, and again */
}

static enum err take(struct oauth_token *token, const json_t *json, uint64_t now_ms)
{
    struct view value = httpjson_text_at(json, "/access_token");
    uint64_t life_s = 0;
    if (value.len == 0 || value.len > OAUTH_TOKEN_MAX || !read_life(json, &life_s)) {
        return ERR_PARSE;
    }
    enum err err = secret_set(&token->value, value);
    if (err == ERR_OK) {
        uint64_t life_ms = 1000 * life_s;
        token->serial++;
        token->until_ms = now_ms + (life_ms > 2 * EARLY_MS ? life_ms - EARLY_MS : life_ms / 2);
    }
    return err;
}

/** jansson keeps a copy of the token; it goes with this. */
static void wipe(json_t *json)
{
    json_t *value = json_object_get(json, "access_token");
    if (json_is_string(value)) {
        char *text = NULL;
        const char *held = json_string_value(value);
        memcpy(&text, &held, sizeof(text)); /* jansson hands out its own memory as const */
        crypto_zeroise(text, json_string_length(value));
    }
}

/** Codes that say nothing about the login: RFC 6749 4.1.2.1, and Microsoft's at the token endpoint. */
static bool is_passing(const char *code)
{
    return strcmp(code, "temporarily_unavailable") == 0 || strcmp(code, "server_error") == 0;
}

/** RFC 6749 5.2. "invalid_grant" is also what Google says of an assertion from another time. */
static void judge_refusal(const struct httpjson_api *api, const struct provider_reply *reply, const json_t *json,
                          struct verdict *verdict)
{
    char code[CODE_MAX];
    struct view text = httpjson_text_at(json, "/error_description");
    httpjson_copy_text(httpjson_text_at(json, "/error"), code, sizeof(code));
    if (text.len > 0 && memmem(text.ptr, text.len, "reasonable timeframe", strlen("reasonable timeframe")) != NULL) {
        verdict_set(verdict, VERDICT_RETRY, "badtime", "the clocks differ: set the time here");
    } else if (is_passing(code)) {
        verdict_set(verdict, VERDICT_RETRY, "no-token", "HTTP %ld %s: %s gives no access token now", reply->status,
                    code, api->name);
    } else {
        verdict_set(verdict, VERDICT_STOP, "badauth", "HTTP %ld %s: %s", reply->status, code, api->login);
    }
}

void oauth_parse(struct oauth_token *token, const struct httpjson_api *api, const struct provider_reply *reply,
                 struct verdict *verdict)
{
    json_t *json = NULL;
    bool refused = reply->status == 400 || reply->status == 401 || reply->status == 403;
    enum err err = json_parse(reply->body, reply->body.len, DEPTH_MAX, &json, NULL);
    *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    if (reply->status == 200 && err == ERR_OK && take(token, json, reply->now_ms) == ERR_OK) {
        wipe(json);
    } else if (refused && json_is_string(json_object_get(json, "error"))) {
        judge_refusal(api, reply, json, verdict);
    } else {
        verdict_set(verdict, VERDICT_RETRY, reply->status == 429 ? "rate-limited" : "no-token",
                    "HTTP %ld: %s gives no access token now", reply->status, api->name);
        verdict->wait_ms = reply->retry_after_ms != 0 ? reply->retry_after_ms : reply->status == 429 ? api->wait_ms : 0;
    }
    json_decref(json);
}

bool oauth_again(struct oauth_token *token, const struct provider_request *request, struct verdict *verdict)
{
    bool given_up = request->login != token->serial || token->value.len == 0, again = given_up || !token->refused;
    if (!given_up) {
        secret_deinit(&token->value);
        token->refused = again;
    }
    if (again) {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    }
    return again;
}
