/* SPDX-License-Identifier: Apache-2.0 */
/* What would be sent for a change: built as ever, shown without a secret, and dropped. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "providers/engine_internal.h"

enum { TEXT_MAX = 1 << 16 };

void engine_preview_deinit(struct engine_preview *preview)
{
    strbuf_deinit(&preview->url);
    strbuf_deinit(&preview->headers);
    strbuf_deinit(&preview->body);
}

/* The account's own redaction knows what is secret, in each form that it is sent in. */
static void add_redacted(const struct engine_account *account, struct view text, struct strbuf *out)
{
    char *copy = NULL;
    struct strbuf own;
    strbuf_init(&own, TEXT_MAX);
    (void)strbuf_add(&own, text); /* sticky, found out below */
    if (strbuf_take(&own, &copy, &(size_t){0}) != ERR_OK) {
        strbuf_deinit(&own);
        (void)strbuf_adds(out, "(too long to show)"); /* short */
        return;
    }
    if (account->ops->redact != NULL) {
        account->ops->redact(account->state, copy);
    }
    (void)strbuf_adds(out, copy); /* as long as what fitted */
    crypto_zeroise(copy, strlen(copy));
    free(copy);
}

/* Values of headers may be signatures and tokens, whatever redaction knows: only harmless ones are shown. */
static void add_headers(const struct provider_request *request, struct strbuf *out)
{
    static const char *const harmless[] = {"content-type", "accept", "if-match", "if-none-match", "user-agent"};
    struct view lines = strbuf_view(&request->headers), line;
    while (view_next(&lines, '\n', &line)) {
        struct view rest = line, name;
        bool shown = false;
        if (!view_next(&rest, ':', &name) || name.len == 0) {
            continue;
        }
        for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
            shown = shown || view_equal_nocase(name, view_of(harmless[i]));
        }
        (void)strbuf_addf(out, "%.*s: %.*s\n", VIEW_ARG(name),
                          VIEW_ARG(shown ? view_trim(rest) : view_of("<redacted>")));
    }
    if (request->user.len > 0 || request->secret.len > 0) {
        (void)strbuf_adds(out, "Authorization: Basic <redacted>\n"); /* sticky: too many headers are cut */
    }
}

static void show_http(const struct engine_account *account, const struct provider_request *request,
                      struct engine_preview *preview)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    preview->method = methods[request->verb];
    add_redacted(account, strbuf_view(&request->url), &preview->url);
    add_headers(request, &preview->headers);
    if (request->stage >= PROVIDER_STAGE_ACCOUNT) { /* a login: what it proves itself with was made just now */
        (void)strbuf_adds(&preview->body, "<redacted>");
    } else {
        add_redacted(account, strbuf_view(&request->body), &preview->body);
    }
}

/* A DNS message is no text; its signature is no secret, and is not shown either. */
static void show_dns(const struct engine_zone *zone, const struct rrset_change *change, struct engine_preview *preview)
{
    const struct engine_account *account = zone->account;
    preview->method = "UPDATE";
    (void)strbuf_addf(&preview->url, "%s:%u", account->host[0] != '\0' ? account->host : "(the zone's primary)",
                      (unsigned)account->port); /* short, as the rest */
    (void)strbuf_addf(&preview->body, "zone %s; delete %s %s", zone->name, change->name, rrtype_name(change->type));
    for (size_t i = 0; i < change->want.len; i++) {
        char address[IP_TEXT_SIZE];
        (void)ip_format(&change->want.ips[i], address);
        (void)strbuf_addf(&preview->body, "; add %s %u %s %s", change->name,
                          (unsigned)engine_zone_ttl(zone, change->ttl), rrtype_name(change->type), address);
    }
}

static enum err build(struct engine_zone *zone, const struct rrset_change *change, struct provider_request *request,
                      struct engine_preview *preview)
{
    const struct engine_account *account = zone->account;
    const struct provider_ops *ops = account->ops;
    struct batch_item item = {.name = change->name,
                              .type = change->type,
                              .ttl = engine_zone_ttl(zone, change->ttl),
                              .want = change->want,
                              .have_known = change->have_known,
                              .have = change->have};
    struct batch batch = {.items = &item, .len = 1};
    const char *never = ops->impossible != NULL ? ops->impossible(account->state, &item, preview->impossible) : NULL;
    if (never != NULL) {
        return ERR_UNSUPPORTED;
    }
    provider_request_reset(request, clock_wall_ms(), zone_now(zone));
    return ops->build_request(account->state, &zone->about, &batch, request);
}

enum err engine_zone_preview(struct engine_zone *zone, const struct rrset_change *change,
                             struct engine_preview *ret_preview)
{
    struct provider_request request;
    *ret_preview = (struct engine_preview){.method = "", .stage = "change"};
    strbuf_init(&ret_preview->url, TEXT_MAX);
    strbuf_init(&ret_preview->headers, TEXT_MAX);
    strbuf_init(&ret_preview->body, TEXT_MAX);
    if (zone->lookups > 0 || zone->account->lookups > 0) {
        return ERR_AGAIN; /* what the answer changes may be looked at by the build */
    }
    provider_request_init(&request);
    enum err err = build(zone, change, &request, ret_preview);
    if (err == ERR_OK) {
        ret_preview->stage = request.stage == PROVIDER_STAGE_CHANGE    ? "change"
                             : request.stage >= PROVIDER_STAGE_ACCOUNT ? "lookup of the account"
                                                                       : "lookup of the zone";
        ret_preview->bytes = request.body.len;
    }
    if (err == ERR_OK && zone->account->ops->transport == PROVIDER_HTTP) {
        show_http(zone->account, &request, ret_preview);
    } else if (err == ERR_OK) {
        show_dns(zone, change, ret_preview);
    }
    provider_request_deinit(&request);
    return err;
}
