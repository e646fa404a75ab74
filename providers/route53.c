/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route53: Amazon Route 53 over its XML API, signed with SigV4. One call changes up to 500 addresses (UPSERT) of one
 * hosted zone, all or nothing; InvalidChangeBatch names the bad ones, which alone are refused. Calls for one zone go
 * one after the other: others are answered PriorRequestNotComplete.
 * Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html,
 * https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html, read 2026-11-23.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/awskey.h"
#include "providers/httpjson.h"
#include "providers/route53_internal.h"
#include "providers/sigv4.h"

enum { BATCH_MAX = ROUTE53_ELEMENTS_MAX, CREDENTIALS_MAX = 65536 };

static void route53_close(void *context)
{
    struct route53 *state = context;
    awskey_deinit(&state->key);
    free(state->url);
    free(state);
}

/** Cuts scheme, host and path apart; the signature covers host and path. */
static enum err set_url(struct route53 *state, const char *url, struct errinfo *info)
{
    struct view text = view_of(url), scheme = VIEW_LITERAL("https://"), port = VIEW_LITERAL(":443");
    while (view_ends_with(text, VIEW_LITERAL("/"))) {
        text.len--;
    }
    struct view rest =
        view_starts_with(text, scheme) ? view_n(text.ptr + scheme.len, text.len - scheme.len) : (struct view){0};
    struct view host;
    if (!view_next(&rest, '/', &host) || host.len == 0 || memchr(url, '?', strlen(url)) != NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "url: https://host[:port][/path] without a query");
    }
    state->path_at = scheme.len + host.len;
    if (view_ends_with(host, port)) {
        host.len -= port.len; /* curl leaves it out too */
    }
    state->url = strndup(text.ptr, text.len);
    return state->url != NULL ? view_copy(host, state->host, sizeof(state->host)) : ERR_NOMEM;
}

/** "Z1PA6795UKMFR9", or as the vendor's tools print it: "/hostedzone/Z1PA6795UKMFR9". It becomes part of a path. */
static enum err set_zone_id(struct route53 *state, const struct engine_account_config *config, struct errinfo *info)
{
    const char *text = provider_option(config, "zone_id");
    struct view id = view_of(text != NULL ? text : ""), prefix = VIEW_LITERAL("/hostedzone/");
    if (view_starts_with(id, prefix)) {
        id = view_n(id.ptr + prefix.len, id.len - prefix.len);
    }
    bool fine = text == NULL || (id.len > 0 && id.len < ROUTE53_ID_SIZE);
    for (size_t i = 0; fine && i < id.len; i++) {
        fine = (id.ptr[i] >= 'A' && id.ptr[i] <= 'Z') || (id.ptr[i] >= '0' && id.ptr[i] <= '9');
    }
    return fine ? view_copy(id, state->zone_id, sizeof(state->zone_id))
                : errinfo_set(info, ERR_INVALID, "config", 0,
                              "account %s: options: zone_id is not an id as Z1PA6795UKMFR9", config->name);
}

static enum err read_key(struct route53 *state, const struct engine_account_config *config, struct errinfo *info)
{
    const char *profile = provider_option(config, "profile");
    struct secret text = {0};
    if (config->key_file == NULL) {
        if (config->username == NULL || config->password_file == NULL) {
            return errinfo_set(info, ERR_INVALID, "config", 0,
                               "account %s: route53 needs `key_file` (AWS credentials), or `username` (access key id) "
                               "and `password_file` (secret access key)",
                               config->name);
        }
        enum err err = secret_set(&state->key.id, view_of(config->username));
        return err == ERR_OK ? account_read_secret(config->password_file, &state->key.secret, info) : err;
    }
    enum err err = account_read_file(config->key_file, CREDENTIALS_MAX, &text, info);
    if (err == ERR_OK) {
        err = awskey_parse(secret_view(&text), profile != NULL ? profile : "default", &state->key, info);
    }
    secret_deinit(&text);
    return err;
}

static enum err route53_open(const struct engine_account_config *config, const struct template *template,
                             void **ret_state, struct errinfo *info)
{
    (void)template;
    struct route53 *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = set_url(state, config->url != NULL ? config->url : provider_route53.default_url, info);
    err = err == ERR_OK ? set_zone_id(state, config, info) : err;
    err = err == ERR_OK ? read_key(state, config, info) : err;
    if (err != ERR_OK) {
        route53_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void route53_redact(const void *context, char *text)
{
    const struct route53 *state = context;
    httpjson_redact(text, secret_view(&state->key.secret));
    httpjson_redact(text, secret_view(&state->key.token));
    httpjson_redact(text, secret_view(&state->key.id));
}

static void route53_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* the same for every account */
    *ret_limits = (struct provider_limits){
        .batch_max = BATCH_MAX,
        .depth_max = 1, /* PriorRequestNotComplete */
        .bytes_max = ROUTE53_CHARACTERS_MAX,
        .ttl_max = INT32_MAX,
        /* the second bucket's size is not documented; it must hold the largest call, 500 UPSERTs */
        .rates = {{RATE_OF_ACCOUNT, RATE_CALLS, 10, 1000, 50}, {RATE_OF_ACCOUNT, RATE_CHANGES, 100, 1000, 1000}},
        .rates_len = 2};
}

static uint32_t route53_item_cost(const void *state, const struct batch_item *item)
{
    (void)state;
    return item->want.len > 0 ? 2 : 1; /* UPSERT, or DELETE and CREATE */
}

static size_t route53_item_size(const struct provider_zone *zone, const struct batch_item *item)
{
    return route53_item_characters(zone->mode, item);
}

/** The zone's mode is not known here; in a shared one an item counts at most what UPSERT would, or ERR_LIMIT says so.
 */
static bool route53_together(const void *state, const struct batch *batch, const struct batch_item *item)
{
    (void)state;
    size_t elements = route53_item_elements(ZONE_DEDICATED, item);
    for (size_t i = 0; i < batch->len; i++) {
        elements += route53_item_elements(ZONE_DEDICATED, &batch->items[i]);
    }
    return elements <= ROUTE53_ELEMENTS_MAX;
}

static void cache_free(void *context)
{
    struct route53_cache *cache = context;
    rrcache_deinit(&cache->records);
    free(cache);
}

struct route53_cache *route53_cache_of(struct provider_zone *zone)
{
    if (zone->cache == NULL) {
        zone->cache = calloc(1, sizeof(struct route53_cache));
    }
    return zone->cache;
}

/** Signs what url, body and verb hold. */
enum err route53_finish(const struct route53 *state, struct provider_request *request, enum http_verb verb,
                        uint8_t stage)
{
    const struct sigv4_credentials credentials = {secret_view(&state->key.id), secret_view(&state->key.secret),
                                                  secret_view(&state->key.token)};
    const struct sigv4_header type = {VIEW_LITERAL("Content-Type"), VIEW_LITERAL("application/xml")};
    enum err err = strbuf_error(&request->url);
    if (err != ERR_OK) {
        return err;
    }
    struct view query = view_n(request->url.ptr + state->path_at, request->url.len - state->path_at), path;
    (void)view_next(&query, '?', &path);                         /* a path is always there */
    const struct sigv4_request options = {.region = "us-east-1", /* of the global endpoint */
                                          .service = "route53",
                                          .wall_ms = request->wall_ms,
                                          .method = verb == HTTP_VERB_POST ? "POST" : "GET",
                                          .host = state->host,
                                          .path = path,
                                          .query = query,
                                          .headers = &type,
                                          .headers_len = verb == HTTP_VERB_POST,
                                          .payload = strbuf_view(&request->body)};
    request->verb = verb;
    request->stage = stage;
    request->reply_max = ROUTE53_REPLY_MAX;
    if (verb == HTTP_VERB_POST) {
        strbuf_adds(&request->headers, "Content-Type: application/xml\n");
    }
    return sigv4_sign(&options, &credentials, &request->headers);
}

bool route53_has_id(const struct route53 *state, struct route53_cache *cache)
{
    if (state->zone_id[0] != '\0') {
        memcpy(cache->id, state->zone_id, sizeof(cache->id));
        cache->id_given = true;
    }
    return cache->id[0] != '\0';
}

enum err route53_build_id(const struct route53 *state, const struct provider_zone *zone,
                          const struct route53_search *search, struct provider_request *request)
{
    strbuf_addf(&request->url, "%s/2013-04-01/hostedzonesbyname?dnsname=%s.", state->url, zone->name);
    if (search->next[0] == '\0') {
        strbuf_adds(&request->url, "&maxitems=10"); /* mostly one zone, and its neighbours by name */
    } else {
        strbuf_addf(&request->url, "&hostedzoneid=%s&maxitems=100", search->next);
    }
    return route53_finish(state, request, HTTP_VERB_GET, ROUTE53_STAGE_ID);
}

bool route53_search_page(struct route53_search *search, const struct route53_reading *reading,
                         char ret_id[static ROUTE53_ID_SIZE])
{
    if (search->next[0] == '\0') {
        *search = (struct route53_search){0};
    }
    if (reading->zones > 0) {
        memcpy(search->found, reading->zone_id, sizeof(search->found));
    }
    search->zones += reading->zones;
    search->pages++;
    bool more =
        reading->truncated && strcmp(reading->next_zone, reading->zone) == 0 && search->pages < ROUTE53_ZONES_MAX;
    memcpy(search->next, reading->next_zone_id, sizeof(search->next));
    if (more && search->next[0] != '\0') {
        return false;
    }
    search->next[0] = '\0';
    if (search->zones == 1) {
        memcpy(ret_id, search->found, ROUTE53_ID_SIZE);
    }
    return true;
}

enum err route53_build_records(const struct route53 *state, const char *id, const char *name, const char *type,
                               const char *identifier, unsigned most, struct provider_request *request)
{
    strbuf_addf(&request->url, "%s/2013-04-01/hostedzone/%s/rrset?maxitems=%u", state->url, id, most);
    if (name[0] != '\0') {
        strbuf_adds(&request->url, "&name=");
        httpjson_encode(&request->url, view_of(name));
        strbuf_adds(&request->url, "&type=");
        httpjson_encode(&request->url, view_of(type));
    }
    if (identifier[0] != '\0') {
        strbuf_adds(&request->url, "&identifier=");
        httpjson_encode(&request->url, view_of(identifier));
    }
    return route53_finish(state, request, HTTP_VERB_GET, ROUTE53_STAGE_RECORDS);
}

static enum err build_lookup(const struct route53 *state, const struct route53_cache *cache, const struct batch *batch,
                             bool more, struct provider_request *request)
{
    const struct batch_item *item = &batch->items[request->index];
    char name[DNSNAME_SIZE + 1];
    (void)snprintf(name, sizeof(name), "%s.", item->name); /* canonical names are shorter */
    return route53_build_records(state, cache->id, name, rrtype_name(item->type), "", more ? ROUTE53_PAGE_MAX : 1,
                                 request);
}

static enum err route53_build(void *context, struct provider_zone *zone, struct batch *batch,
                              struct provider_request *request)
{
    const struct route53 *state = context;
    struct route53_cache *cache = route53_cache_of(zone);
    bool more = false;
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    if (!route53_has_id(state, cache)) {
        return route53_build_id(state, zone, &cache->search, request);
    }
    if (route53_find_unknown(cache, zone->mode, batch, &request->index, &more)) {
        return build_lookup(state, cache, batch, more, request);
    }
    if (route53_count_pending(cache, zone->mode, batch) == 0) { /* only by what the cache says: ask once more */
        request->index = 0;
        return build_lookup(state, cache, batch, false, request);
    }
    enum err err = route53_write_batch(cache, zone->mode, batch, &request->body);
    if (err != ERR_OK) {
        return err;
    }
    strbuf_addf(&request->url, "%s/2013-04-01/hostedzone/%s/rrset/", state->url, cache->id);
    return route53_finish(state, request, HTTP_VERB_POST, ROUTE53_STAGE_CHANGE);
}

/* What the codes mean that are not about the changes; SETTLED stands for "by the status". */
static const struct {
    const char *code;
    enum verdict_kind kind;
    const char *error, *detail;
} codes[] = {
    {"Throttling", VERDICT_RETRY, "rate-limited", "the account sends more than Route 53 takes"},
    {"ThrottlingException", VERDICT_RETRY, "rate-limited", "the account sends more than Route 53 takes"},
    {"PriorRequestNotComplete", VERDICT_RETRY, "busy", "another writer's request for this zone is being processed"},
    {"InvalidClientTokenId", VERDICT_STOP, "badauth", "AWS does not know the access key id: mend the account"},
    {"UnrecognizedClientException", VERDICT_STOP, "badauth", "AWS does not know the access key id: mend the account"},
    {"SignatureDoesNotMatch", VERDICT_STOP, "badauth", "the secret access key is wrong: mend the account"},
    {"IncompleteSignature", VERDICT_STOP, "badauth", "AWS cannot read the signature: check the access key id"},
    {"MissingAuthenticationToken", VERDICT_STOP, "badauth", "AWS saw no signature: check `url` and proxies"},
    {"ExpiredToken", VERDICT_STOP, "badauth", "the session token has expired: renew the credentials"},
    {"ExpiredTokenException", VERDICT_STOP, "badauth", "the session token has expired: renew the credentials"},
    {"OptInRequired", VERDICT_STOP, "forbidden", "the AWS account has no Route 53: subscribe it"},
    {"AccessDenied", VERDICT_STOP, "forbidden",
     "allow this key route53:ChangeResourceRecordSets, ListResourceRecordSets, ListHostedZonesByName and GetChange"},
    {"AccessDeniedException", VERDICT_STOP, "forbidden",
     "allow this key route53:ChangeResourceRecordSets, ListResourceRecordSets, ListHostedZonesByName and GetChange"},
    {"RequestExpired", VERDICT_RETRY, "badtime", "the clocks differ: set the time here"},
};

/** "Signature expired: 20150830T123600Z is now earlier than ..." comes under the code of a wrong key. */
static bool is_about_time(const struct route53_reading *reading)
{
    const char *text = strbuf_str(&reading->messages);
    return strstr(text, "Signature expired") != NULL || strstr(text, "Signature not yet current") != NULL;
}

/** Whatever is not about the changes. Messages of the service are not repeated here: that about a wrong signature holds
 * the session token. False: the code is about the changes, or unknown. */
static bool judge_code(const struct route53_reading *reading, struct verdict *verdict)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(codes[i].code, reading->code) != 0) {
            continue;
        }
        if (is_about_time(reading)) {
            verdict_set(verdict, VERDICT_RETRY, "badtime", "the clocks differ by minutes: set the time here");
        } else {
            verdict_set(verdict, codes[i].kind, codes[i].error, "%s: %s", codes[i].code, codes[i].detail);
            verdict->zone_only = strcmp(codes[i].error, "busy") == 0;
        }
        return true;
    }
    return false;
}

static void judge_status(const struct provider_request *request, const struct provider_reply *reply,
                         const struct route53_reading *reading, struct verdict *verdict)
{
    bool change = request->stage == ROUTE53_STAGE_CHANGE;
    char text[PROVIDER_DETAIL_MAX];
    httpjson_copy_text(strbuf_view(&reading->messages), text, sizeof(text));
    if (reply->status == 401 || reply->status == 403) {
        verdict_set(verdict, VERDICT_STOP, "forbidden", "HTTP %ld: AWS refuses this account", reply->status);
    } else if (reply->status == 408) {
        verdict_set(verdict, VERDICT_RETRY, "servererror", "HTTP 408: Route 53 waited too long for the request");
    } else if (reply->status == 429 || reply->status == 503) {
        verdict_set(verdict, VERDICT_RETRY, "rate-limited", "HTTP %ld: Route 53 asks to wait", reply->status);
    } else if (reply->status >= 500 || reply->status < 200) {
        verdict_set(verdict, change ? VERDICT_UNKNOWN : VERDICT_RETRY, "servererror",
                    "HTTP %ld: Route 53 failed inside", reply->status);
    } else if (reply->status < 300) {
        verdict_set(verdict, change ? VERDICT_UNKNOWN : VERDICT_RETRY, "bad-reply",
                    "the reply is not what Route 53 documents: check `url`, or what stands between");
    } else if (reply->status < 400) {
        verdict_set(verdict, VERDICT_RETRY, "redirect", "HTTP %ld: the service has moved: check `url`", reply->status);
    } else {
        verdict_set(verdict, change && reading->code[0] != '\0' ? VERDICT_SPLIT : VERDICT_RETRY, "refused",
                    "HTTP %ld %s: %s", reply->status, reading->code, text);
    }
    verdict->wait_ms = reply->retry_after_ms;
}

/** Something that was believed is not so: once more, but not for ever. */
static void go_on(struct route53_cache *cache, struct verdict *verdict)
{
    if (++cache->stale <= ROUTE53_STALE_MAX) {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
        return;
    }
    cache->stale = 0;
    verdict_set(verdict, VERDICT_RETRY, "conflict", "another writer changes the same records all the time");
    verdict->zone_only = true;
}

static void judge_failure(struct route53_cache *cache, enum zone_mode mode, struct batch *batch,
                          const struct provider_request *request, const struct provider_reply *reply,
                          const struct route53_reading *reading, struct verdict *verdict)
{
    if (judge_code(reading, verdict)) {
        verdict->wait_ms = reply->retry_after_ms;
    } else if (strcmp(reading->code, "NoSuchHostedZone") == 0 && cache->id_given) {
        verdict_set(verdict, VERDICT_RETRY, "nxdomain",
                    "the AWS account has no hosted zone %s: mend the option zone_id", cache->id);
        verdict->zone_only = true;
    } else if (strcmp(reading->code, "NoSuchHostedZone") == 0) {
        cache->id[0] = '\0';
        rrcache_deinit(&cache->records);
        go_on(cache, verdict);
    } else if (strcmp(reading->code, "InvalidChangeBatch") == 0 && request->stage == ROUTE53_STAGE_CHANGE &&
               route53_judge_messages(cache, mode, batch, strbuf_view(&reading->messages)) > 0) {
        cache->stale = cache->stale < ROUTE53_STALE_MAX ? cache->stale : 0; /* what lost so often is out of the batch */
        if (route53_count_pending(cache, mode, batch) == 0) {
            route53_settle(cache, batch, verdict);
        } else {
            go_on(cache, verdict);
        }
    } else {
        judge_status(request, reply, reading, verdict);
    }
}

static void take_id(struct route53_cache *cache, const struct provider_zone *zone,
                    const struct route53_reading *reading, struct verdict *verdict)
{
    if (!route53_search_page(&cache->search, reading, cache->id) || cache->search.zones == 1) {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    } else if (cache->search.zones == 0) {
        verdict_set(verdict, VERDICT_RETRY, "nxdomain", "the AWS account has no public hosted zone %s: create it",
                    zone->name);
        verdict->zone_only = true;
    } else {
        verdict_set(verdict, VERDICT_RETRY, "ambiguous",
                    "the AWS account has %u public hosted zones %s: set the option zone_id", cache->search.zones,
                    zone->name);
        verdict->zone_only = true;
    }
}

/** What a page of records is put into. */
struct filling {
    struct route53_cache *cache;
    const struct batch *batch;
};

/** Of a page only what the batch is about. */
static enum err take_rrset(void *context, const struct route53_rrset *rrset)
{
    const struct filling *filling = context;
    struct view values = rrset->plain ? rrset->values : VIEW_LITERAL(ROUTE53_SPECIAL);
    for (size_t i = 0; i < filling->batch->len; i++) {
        const struct batch_item *item = &filling->batch->items[i];
        if (item->type == rrset->type && strcmp(item->name, rrset->name) == 0) {
            return rrcache_put(&filling->cache->records, rrset->name, rrset->type, rrset->ttl, values,
                               (struct view){0});
        }
    }
    return ERR_OK;
}

/** The page began at the item that was asked about: if it is not in it, nothing stands there. */
static enum err take_records(struct route53_cache *cache, enum zone_mode mode, struct batch *batch,
                             const struct provider_request *request, struct verdict *verdict)
{
    struct batch_item *item = &batch->items[request->index];
    struct rrcache_found found;
    enum err err = ERR_OK;
    if (!rrcache_find(&cache->records, item->name, item->type, &found)) {
        err = rrcache_put(&cache->records, item->name, item->type, 0, (struct view){0}, (struct view){0});
    }
    route53_refuse_foreign(cache, mode, batch);
    *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    if (route53_count_pending(cache, mode, batch) == 0) {
        route53_settle(cache, batch, verdict);
    }
    return err;
}

static enum err judge(struct route53_cache *cache, struct provider_zone *zone, struct batch *batch,
                      const struct provider_request *request, const struct provider_reply *reply,
                      const struct route53_reading *reading, struct verdict *verdict)
{
    const char *root = reading->root;
    if (reply->status != 200) {
        judge_failure(cache, zone->mode, batch, request, reply, reading, verdict);
    } else if (request->stage == ROUTE53_STAGE_CHANGE && strcmp(root, "ChangeResourceRecordSetsResponse") == 0) {
        if (!zone->following) {
            memcpy(cache->change, reading->id, sizeof(cache->change));
        }
        route53_settle(cache, batch, verdict);
    } else if (request->stage == ROUTE53_STAGE_ID && strcmp(root, "ListHostedZonesByNameResponse") == 0) {
        take_id(cache, zone, reading, verdict);
    } else if (request->stage == ROUTE53_STAGE_RECORDS && strcmp(root, "ListResourceRecordSetsResponse") == 0) {
        return take_records(cache, zone->mode, batch, request, verdict);
    } else {
        judge_status(request, reply, reading, verdict);
    }
    return ERR_OK;
}

static enum err route53_parse(void *state, struct provider_zone *zone, struct batch *batch,
                              const struct provider_request *request, const struct provider_reply *reply,
                              struct verdict *ret_verdict)
{
    (void)state;
    struct route53_cache *cache = route53_cache_of(zone);
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    struct filling filling = {cache, batch};
    struct route53_reading reading = {.zone = zone->name, .context = &filling};
    *ret_verdict = (struct verdict){0};
    if (request->stage == ROUTE53_STAGE_RECORDS) { /* what is asked about is not what the cache says */
        const struct batch_item *item = &batch->items[request->index];
        rrcache_forget(&cache->records, item->name, item->type);
        reading.each = take_rrset;
    }
    enum err err = route53_read(reply->body, &reading);
    if (err != ERR_OK) { /* a page that is no XML: only its status says something */
        reading.code[0] = reading.root[0] = '\0';
        strbuf_clear(&reading.messages);
    }
    err = judge(cache, zone, batch, request, reply, &reading, ret_verdict);
    if (ret_verdict->kind == VERDICT_CONTINUE) {
        httpjson_go_on_because(batch, cache->detail, ret_verdict);
    }
    if (ret_verdict->kind != VERDICT_CONTINUE) {
        cache->stale = 0;
        cache->detail[0] = '\0';
    }
    route53_reading_deinit(&reading);
    return err;
}

static const struct provider_option options[] = {
    {"profile", "section of the credentials file, `default` if left out", NULL, false},
    {"zone_id", "id of the account's only zone, for keys that may not list zones, or where several have its name", NULL,
     false},
    {NULL, NULL, NULL, false},
};

const struct provider_ops provider_route53 = {
    .about =
        {.name = "route53",
         .service = "Route 53",
         .class = "S",
         .since = "0.1",
         .source = "https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html",
         .read = "2026-11-23",
         .note = "key_file: an AWS credentials file; or username: access key id, and password_file: secret access key"},
    .transport = PROVIDER_HTTP,
    .takes = PROVIDER_URL | PROVIDER_USERNAME | PROVIDER_PASSWORD | PROVIDER_KEY,
    .options = options,
    .default_url = "https://route53.amazonaws.com",
    .shared = true,
    .open = route53_open,
    .close = route53_close,
    .limits = route53_limits,
    .cache_free = cache_free,
    .item_cost = route53_item_cost,
    .item_size = route53_item_size,
    .together = route53_together,
    .redact = route53_redact,
    .build_request = route53_build,
    .parse_reply = route53_parse,
    .build_follow = route53_build_follow,
    .parse_follow = route53_parse_follow,
    .list_begin = route53_list_begin,
    .list_next = route53_list_next,
    .list_feed = route53_list_feed,
    .list_end = route53_list_end,
};
