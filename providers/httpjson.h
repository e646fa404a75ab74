/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * httpjson: what the JSON APIs over HTTP have in common: requests put together from parts that are encoded for where
 * they stand, and replies judged by what their status says whatever the service. Pure; any thread.
 *
 * A reply is first given to httpjson_judge. Only what that leaves open is the provider's: a success with its JSON, or a
 * refusal (4xx) whose text says what is wrong; httpjson_refusal is for those that the provider knows no better word
 * for.
 */
#include "base/json.h"
#include "providers/provider.h"

/** What is the service's own in the common judgement. Static storage. */
struct httpjson_api {
    const char *name;     /* for people */
    const char *login;    /* remedy after 401 and 403, no full stop */
    uint64_t wait_ms;     /* after 429 without Retry-After; 0 = the engine's backoff */
    const char *text;     /* JSON pointer of the reason in an error reply: "/errors/0/message"; NULL = none */
    const char *text_too; /* and where it stands in other replies of the same service; NULL = nowhere */
    unsigned depth_max;   /* nesting of its replies */
};

/* Requests. Failures stick in the buffers: strbuf_error of url, headers and body, or httpjson_built. */

/** Appends "Name: value". A value with a line end in it is ERR_INVALID: no header is smuggled in. */
void httpjson_header(struct provider_request *request, const char *name, const char *scheme, struct view value);
/** Verb, what is accepted and, where a body follows, its type. */
void httpjson_begin(struct provider_request *request, enum http_verb verb, uint8_t stage);
/** First failure of url, headers and body. */
enum err httpjson_built(const struct provider_request *request) MUST_CHECK;

/** Appends @p text percent-encoded: all but the unreserved characters of RFC 3986 2.3, so it fits path and query. */
void httpjson_encode(struct strbuf *url, struct view text);
/** Appends "/" and an encoded path segment. */
void httpjson_path(struct strbuf *url, struct view segment);
/** Appends "?name=value" or "&name=value", the value encoded. */
void httpjson_query(struct strbuf *url, const char *name, struct view value);

/** Appends `"key":"text"`. */
void httpjson_add_text(struct strbuf *json, const char *key, struct view text);
/** Appends the addresses as an array of strings. */
void httpjson_add_addresses(struct strbuf *json, const struct rrset_value *value);

/* Replies */

/**
 * Judges a reply by its status. A request of PROVIDER_STAGE_CHANGE may have been carried out when its outcome is not
 * told (5xx, a page instead of JSON): UNKNOWN; a look-up is asked again: RETRY.
 * @param ret_json of a success or a refusal, owned; NULL when the body is empty (204), or no JSON in a refusal.
 * @return true: the verdict is final, *ret_json is NULL. False: a status of 2xx with JSON or nothing, or 4xx other than
 * 401, 403, 408 and 429: the provider's to read. ERR_NOMEM counts as a page that is no JSON.
 */
bool httpjson_judge(const struct httpjson_api *api, const struct provider_request *request,
                    const struct provider_reply *reply, json_t **ret_json, struct verdict *verdict);

/** A refusal that the provider has no better word for. 400, 409, 412, 413 and 422 of a change: SPLIT, alone the item is
 * refused; everything else: RETRY, which keeps the change and shows the trouble. */
void httpjson_refusal(const struct httpjson_api *api, const struct provider_request *request, long status,
                      const json_t *json, struct verdict *verdict);

/** A reply that should have been a success but is not what the documentation says: UNKNOWN or, for look-ups, RETRY. */
void httpjson_unreadable(const struct httpjson_api *api, const struct provider_request *request,
                         struct verdict *verdict);

/** Copy of a base URL without slashes at its end; NULL without memory. */
char *httpjson_base(const char *url) MUST_CHECK;

/** Value at a JSON pointer (RFC 6901, without ~ escapes); NULL when it is not there. */
const json_t *httpjson_at(const json_t *json, const char *pointer);
/** Text at a pointer; the empty view when there is none. */
struct view httpjson_text_at(const json_t *json, const char *pointer);
/** Copies a peer's text for people: control characters become blanks, cut at @p size at a whole character. */
void httpjson_copy_text(struct view text, char *buffer, size_t size);

/** Takes @p secret out of @p text in place: as it is, percent-encoded, and where the text was cut inside of it. */
void httpjson_redact(char *text, struct view secret);

/* Batches of which some items were refused while the rest went on (VERDICT_CONTINUE). */

/** Or left to another batch (OUTCOME_RETRY). */
bool httpjson_is_refused(const struct batch_item *item);
/** Items that are not refused. */
size_t httpjson_count_open(const struct batch *batch);
/** Each item APPLIED but the refused, verdict SETTLED. */
void httpjson_settle(struct batch *batch, struct verdict *verdict);
/** For a verdict that leaves the rest of the batch to another request: @p why goes into it when there are refused ones,
 * should that request have to wait. */
void httpjson_go_on_because(const struct batch *batch, const char why[static PROVIDER_DETAIL_MAX],
                            struct verdict *verdict);
/** As httpjson_settle. @param why of the refused; goes into the verdict when there are any, and is empty afterwards. */
void httpjson_settle_because(struct batch *batch, char why[static PROVIDER_DETAIL_MAX], struct verdict *verdict);
