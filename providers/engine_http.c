/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "net/http.h"
#include "providers/engine_internal.h"

enum { HEADERS_MAX = 16 };

enum err http_client_open(struct engine_account *account, const struct engine_account_config *config)
{
    struct http_client_options options = {
        .ca_file = config->ca_file,
        .user_agent = "muster/" MUSTER_VERSION " (fleet dynamic DNS)",
        .connections_max = account->limits.depth_max,
    };
    return http_client_new(account->engine->loop, &options, &account->http);
}

void http_client_close(struct engine_account *account)
{
    http_client_free(account->http);
    account->http = NULL;
}

/** What a request means that brought no reply: nothing was done when nothing of it had left. */
static void failed(struct exchange *exchange, const struct http_result *result)
{
    struct verdict verdict = {0};
    const char *error = result->err == ERR_CRYPTO    ? "tls"
                        : result->err == ERR_TIMEOUT ? "timeout"
                        : result->sent               ? "connection-lost"
                                                     : "unreachable";
    verdict_set(&verdict, result->sent ? VERDICT_UNKNOWN : VERDICT_RETRY, error, "%s", result->info.text);
    exchange_verdict(exchange, &verdict);
}

static void done(void *context, const struct http_result *result)
{
    struct exchange *exchange = context;
    exchange->http = NULL;
    if (result->err != ERR_OK) {
        failed(exchange, result);
        return;
    }
    struct provider_reply reply = {
        .status = (long)result->status, .body = result->body, .now_ms = zone_now(exchange->zone)};
    if (!http_result_retry_after(result, clock_wall_ms(), &reply.retry_after_ms)) {
        reply.retry_after_ms = 0;
    }
    reply.retry_after_ms = MIN(reply.retry_after_ms, ENGINE_RETRY_AFTER_MAX_MS);
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

enum err http_send(struct exchange *exchange)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    struct provider_request *request = &exchange->request;
    struct engine_account *account = exchange->zone->account;
    const char *lines[HEADERS_MAX];
    size_t lines_len = 0;
    uint64_t now = zone_now(exchange->zone);
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
        .timeout_ms = exchange->deadline_ms > now ? (uint32_t)(exchange->deadline_ms - now) : 1,
        .reply_max = PROVIDER_HTTP_BODY_MAX,
        .done = done,
        .context = exchange,
    };
    return http_start(account->http, &options, &exchange->http);
}

void http_abandon(struct exchange *exchange)
{
    http_cancel(exchange->http);
    exchange->http = NULL;
}
