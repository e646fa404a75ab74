/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/httpjson.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

enum { POINTER_PART_MAX = 64, REASON_MAX = 160, SECRET_PART_MIN = 4 };

void httpjson_header(struct provider_request *request, const char *name, const char *scheme, struct view value)
{
    struct strbuf *headers = &request->headers;
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < ' ') {
            headers->error = headers->error != ERR_OK ? headers->error : ERR_INVALID;
            return;
        }
    }
    strbuf_addf(headers, "%s: %s", name, scheme);
    strbuf_add(headers, value);
    strbuf_addc(headers, '\n');
}

void httpjson_begin(struct provider_request *request, enum http_verb verb, uint8_t stage)
{
    request->verb = verb;
    request->stage = stage;
    strbuf_adds(&request->headers, "Accept: application/json\n");
    if (verb != HTTP_VERB_GET && verb != HTTP_VERB_DELETE) {
        strbuf_adds(&request->headers, "Content-Type: application/json\n");
    }
}

enum err httpjson_built(const struct provider_request *request)
{
    enum err err = strbuf_error(&request->url);
    err = err != ERR_OK ? err : strbuf_error(&request->headers);
    return err != ERR_OK ? err : strbuf_error(&request->body);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void httpjson_encode(struct strbuf *url, struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i])) {
            strbuf_addc(url, text.ptr[i]);
        } else {
            strbuf_addf(url, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
        }
    }
}

void httpjson_path(struct strbuf *url, struct view segment)
{
    strbuf_addc(url, '/');
    httpjson_encode(url, segment);
}

void httpjson_query(struct strbuf *url, const char *name, struct view value)
{
    strbuf_addf(url, "%c%s=", url->ptr != NULL && strchr(url->ptr, '?') != NULL ? '&' : '?', name);
    httpjson_encode(url, value);
}

char *httpjson_base(const char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return strndup(url, len);
}

void httpjson_add_text(struct strbuf *json, const char *key, struct view text)
{
    strbuf_addf(json, "\"%s\":", key);
    strbuf_add_json(json, text);
}

void httpjson_add_addresses(struct strbuf *json, const struct rrset_value *value)
{
    strbuf_addc(json, '[');
    for (size_t i = 0; i < value->len; i++) {
        char address[IP_TEXT_SIZE];
        ip_format(&value->ips[i], address);
        strbuf_addf(json, "%s\"%s\"", i > 0 ? "," : "", address);
    }
    strbuf_addc(json, ']');
}

const json_t *httpjson_at(const json_t *json, const char *pointer)
{
    struct view rest = view_of(pointer), part;
    (void)view_next(&rest, '/', &part); /* what stands before the first "/" is empty */
    while (json != NULL && view_next(&rest, '/', &part)) {
        char key[POINTER_PART_MAX];
        uint64_t index = 0;
        if (json_is_array(json)) {
            json = view_to_u64(part, SIZE_MAX, &index) == ERR_OK ? json_array_get(json, (size_t)index) : NULL;
        } else {
            json = view_copy(part, key, sizeof(key)) == ERR_OK ? json_object_get(json, key) : NULL;
        }
    }
    return json;
}

struct view httpjson_text_at(const json_t *json, const char *pointer)
{
    const json_t *found = httpjson_at(json, pointer);
    return json_is_string(found) ? view_n(json_string_value(found), json_string_length(found)) : (struct view){0};
}

void httpjson_copy_text(struct view text, char *buffer, size_t size)
{
    size_t len = 0;
    while (text.len > 0) {
        size_t step = view_utf8_sequence(text);
        bool plain = step > 0 && (unsigned char)text.ptr[0] >= ' ' && text.ptr[0] != 0x7f;
        step = MAX(step, 1);
        if (len + step >= size) {
            break;
        }
        if (plain) {
            memcpy(buffer + len, text.ptr, step);
        } else {
            memset(buffer + len, ' ', step);
        }
        len += step;
        text = view_n(text.ptr + step, text.len - step);
    }
    buffer[len] = '\0';
}

/** @p detail with the peer's own reason behind it, when there is one. */
static void judge(struct verdict *verdict, enum verdict_kind kind, const char *error, const char *detail,
                  const struct httpjson_api *api, const json_t *json)
{
    char reason[REASON_MAX];
    struct view text = api->text != NULL ? httpjson_text_at(json, api->text) : (struct view){0};
    text = text.len == 0 && api->text_too != NULL ? httpjson_text_at(json, api->text_too) : text;
    httpjson_copy_text(text, reason, sizeof(reason));
    verdict_set(verdict, kind, error, "%s%s%s", detail, reason[0] != '\0' ? ": " : "", reason);
}

static bool is_change(const struct provider_request *request)
{
    return request->stage == PROVIDER_STAGE_CHANGE;
}

void httpjson_unreadable(const struct httpjson_api *api, const struct provider_request *request,
                         struct verdict *verdict)
{
    verdict_set(verdict, is_change(request) ? VERDICT_UNKNOWN : VERDICT_RETRY, "bad-reply",
                "the reply is not what %s documents: check `url`, or what stands between", api->name);
}

/** Statuses that mean the same everywhere. */
static bool judge_status(const struct httpjson_api *api, const struct provider_request *request,
                         const struct provider_reply *reply, const json_t *json, struct verdict *verdict)
{
    char detail[PROVIDER_DETAIL_MAX];
    bool told = reply->status == 503 && reply->retry_after_ms != 0; /* it did not begin, and says when it will */
    if (reply->status == 401 || reply->status == 403) {
        (void)snprintf(detail, sizeof(detail), "HTTP %ld: %s", reply->status, api->login); /* cut at one line's cap */
        judge(verdict, VERDICT_STOP, reply->status == 401 ? "badauth" : "forbidden", detail, api, json);
    } else if (reply->status == 429 || reply->status == 408 || told) {
        (void)snprintf(detail, sizeof(detail), "HTTP %ld: %s asks to wait", reply->status, api->name);
        judge(verdict, VERDICT_RETRY, reply->status == 429 ? "rate-limited" : "servererror", detail, api, json);
        verdict->wait_ms = reply->retry_after_ms != 0 ? reply->retry_after_ms : reply->status == 429 ? api->wait_ms : 0;
    } else if (reply->status >= 500) {
        (void)snprintf(detail, sizeof(detail), "HTTP %ld: %s failed inside", reply->status, api->name);
        judge(verdict, is_change(request) ? VERDICT_UNKNOWN : VERDICT_RETRY, "servererror", detail, api, json);
        verdict->wait_ms = reply->retry_after_ms;
    } else if (reply->status < 200 || (reply->status >= 300 && reply->status < 400)) {
        verdict_set(verdict, VERDICT_RETRY, "redirect", "HTTP %ld: the service has moved: check `url`", reply->status);
    } else {
        return false;
    }
    return true;
}

bool httpjson_judge(const struct httpjson_api *api, const struct provider_request *request,
                    const struct provider_reply *reply, json_t **ret_json, struct verdict *verdict)
{
    json_t *json = NULL;
    bool success = reply->status >= 200 && reply->status < 300;
    *verdict = (struct verdict){0};
    *ret_json = NULL;
    /* the size is bounded by what the request allowed its reply */
    enum err err = reply->body.len > 0 ? json_parse(reply->body, reply->body.len, api->depth_max, &json, NULL) : ERR_OK;
    if (judge_status(api, request, reply, json, verdict)) {
        json_decref(json);
        return true;
    }
    if (success && err != ERR_OK) {
        httpjson_unreadable(api, request, verdict);
        return true;
    }
    *ret_json = json;
    return false;
}

void httpjson_refusal(const struct httpjson_api *api, const struct provider_request *request, long status,
                      const json_t *json, struct verdict *verdict)
{
    static const long about_content[] = {400, 409, 412, 413, 422};
    char detail[PROVIDER_DETAIL_MAX];
    bool split = false;
    for (size_t i = 0; i < ARRAY_LEN(about_content); i++) {
        split |= is_change(request) && status == about_content[i];
    }
    (void)snprintf(detail, sizeof(detail), "HTTP %ld: %s refuses %s", status, api->name,
                   split ? "the record" : "the request"); /* cut at one line's cap */
    judge(verdict, split ? VERDICT_SPLIT : VERDICT_RETRY, status == 404 ? "notfound" : "refused", detail, api, json);
    verdict->zone_only = status == 404;
}

/** Overwrites with stars where @p text holds the first @p len bytes of @p secret; all of them. */
static void cover(char *text, struct view secret)
{
    size_t text_len = strlen(text);
    if (secret.len == 0) {
        return;
    }
    for (size_t i = 0; i < text_len; i++) {
        size_t left = text_len - i, len = MIN(left, secret.len);
        bool whole = len == secret.len, cut = left < secret.len && left >= SECRET_PART_MIN;
        if ((whole || cut) && memcmp(text + i, secret.ptr, len) == 0) {
            memset(text + i, '*', len);
            i += len - 1;
        }
    }
}

void httpjson_redact(char *text, struct view secret)
{
    struct strbuf encoded;
    cover(text, secret);
    strbuf_init(&encoded, 3 * ACCOUNT_SECRET_MAX);
    httpjson_encode(&encoded, secret);
    cover(text, strbuf_view(&encoded));
    if (encoded.ptr != NULL) {
        crypto_zeroise(encoded.ptr, encoded.size);
    }
    strbuf_deinit(&encoded);
}

bool httpjson_is_refused(const struct batch_item *item)
{
    return (item->outcome == OUTCOME_REFUSED || item->outcome == OUTCOME_RETRY) && item->error != NULL;
}

size_t httpjson_count_open(const struct batch *batch)
{
    size_t open = 0;
    for (size_t i = 0; i < batch->len; i++) {
        open += !httpjson_is_refused(&batch->items[i]);
    }
    return open;
}

void httpjson_settle(struct batch *batch, struct verdict *verdict)
{
    verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < batch->len; i++) {
        if (!httpjson_is_refused(&batch->items[i])) {
            batch->items[i].outcome = OUTCOME_APPLIED;
            batch->items[i].error = NULL;
        }
    }
}

void httpjson_go_on_because(const struct batch *batch, const char why[static PROVIDER_DETAIL_MAX],
                            struct verdict *verdict)
{
    if (httpjson_count_open(batch) < batch->len) {
        memcpy(verdict->detail, why, sizeof(verdict->detail));
    }
}

void httpjson_settle_because(struct batch *batch, char why[static PROVIDER_DETAIL_MAX], struct verdict *verdict)
{
    httpjson_go_on_because(batch, why, verdict);
    why[0] = '\0'; /* what is said of one batch is not said of the next */
    httpjson_settle(batch, verdict);
}
