/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "net/http.h"
#include "providers/engine_internal.h"

enum { HEADERS_MAX = 16 };

enum err http_client_open(struct engine_account *account, const struct engine_account_config *config)
{
    char connect_to[DNSNAME_SIZE + sizeof("::[]:65535")];
    if (config->connect_to != NULL) { /* whatever host and port; the config's rows keep it short */
        (void)snprintf(connect_to, sizeof(connect_to), "::%s", config->connect_to);
    }
    struct http_client_options options = {
        .ca_file = config->ca_file,
        .user_agent = "muster/" MUSTER_VERSION " (fleet dynamic DNS)",
        .connections_max = account->limits.account_max,
        .connect_to = config->connect_to != NULL ? connect_to : NULL,
        .allow_http = account->ops->plain || view_starts_with(view_of(config->url), VIEW_LITERAL("http://")),
    };
    return http_client_new(account->engine->loop, &options, &account->http);
}

void http_client_close(struct engine_account *account)
{
    http_client_free(account->http);
    account->http = NULL;
}

const char *http_failure(const struct http_result *result)
{
    return result->err == ERR_CRYPTO    ? "tls"
           : result->err == ERR_TIMEOUT ? "timeout"
           : result->err == ERR_LIMIT   ? "too-large"
           : result->sent               ? "connection-lost"
                                        : "unreachable";
}

/** What a request means that brought no reply: nothing was done when nothing of it had left, or it only asked. */
static void failed(struct exchange *exchange, const struct http_result *result)
{
    struct verdict verdict = {0};
    bool harmless = !result->sent || exchange->request.stage != PROVIDER_STAGE_CHANGE;
    verdict_set(&verdict, harmless ? VERDICT_RETRY : VERDICT_UNKNOWN, http_failure(result), "%s", result->info.text);
    if (exchange->kind == EXCHANGE_FOLLOW) {
        follow_reply(exchange, NULL);
    } else {
        exchange_verdict(exchange, &verdict);
    }
}

struct provider_reply http_reply(struct engine_account *account, const struct http_result *result)
{
    /* A Retry-After counts from when it was sent, not from when this turn began. */
    loop_catch_up(account->engine->loop);
    struct provider_reply reply = {.status = (long)result->status,
                                   .body = result->body,
                                   .now_ms = loop_now_ms(account->engine->loop),
                                   .wall_ms = clock_wall_ms(),
                                   .headers = result->headers};
    if (!http_result_retry_after(result, reply.wall_ms, &reply.retry_after_ms)) {
        reply.retry_after_ms = 0;
    }
    reply.retry_after_ms = MIN(reply.retry_after_ms, ENGINE_RETRY_AFTER_MAX_MS);
    return reply;
}

static void done(void *context, const struct http_result *result)
{
    struct exchange *exchange = context;
    exchange->http = NULL;
    exchange_landed(exchange, result->sent);
    if (result->err != ERR_OK) {
        failed(exchange, result);
        return;
    }
    struct provider_reply reply = http_reply(exchange->zone->account, result);
    exchange_reply(exchange, &reply);
}

/** Cuts the lines of @p headers apart in place; each becomes NUL-terminated. */
static enum err split_headers(struct strbuf *headers, const char *lines[static HEADERS_MAX], size_t *ret_len)
{
    size_t len = 0;
    char *line = headers->ptr;
    for (size_t i = 0; i < headers->len; i++) {
        if (headers->ptr[i] != '\n') {
            continue;
        }
        if (len == HEADERS_MAX) {
            return ERR_LIMIT;
        }
        headers->ptr[i] = '\0';
        lines[len++] = line;
        line = headers->ptr + i + 1;
    }
    *ret_len = len;
    return ERR_OK;
}

enum err http_ask(struct engine_account *account, struct provider_request *request, bool once, uint64_t deadline_ms,
                  http_fn done_fn, void *context, struct http_transfer **ret_transfer)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const char *lines[HEADERS_MAX];
    size_t lines_len = 0;
    uint64_t now = loop_now_ms(account->engine->loop);
    enum err err = strbuf_error(&request->url);
    if (err == ERR_OK) {
        err = split_headers(&request->headers, lines, &lines_len);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct http_request options = {
        .method = methods[request->verb],
        .url = strbuf_str(&request->url),
        .headers = lines,
        .headers_len = lines_len,
        .body = strbuf_view(&request->body),
        .user = request->user,
        .secret = request->secret,
        .timeout_ms = deadline_ms > now ? (uint32_t)(deadline_ms - now) : 1,
        .once = once,
        .reply_max = request->reply_max != 0 ? request->reply_max : PROVIDER_HTTP_BODY_MAX,
        .done = done_fn,
        .context = context,
    };
    return http_start(account->http, &options, ret_transfer);
}

enum err http_send(struct exchange *exchange)
{
    bool once = exchange->request.stage == PROVIDER_STAGE_CHANGE; /* what became of it is asked before it is resent */
    return http_ask(exchange->zone->account, &exchange->request, once, exchange->deadline_ms, done, exchange,
                    &exchange->http);
}

void http_abandon(struct exchange *exchange)
{
    if (exchange->http != NULL) {
        http_cancel(exchange->http);
        exchange->http = NULL;
        exchange_landed(exchange, true);
    }
}
