/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/replay/google does not show: the size of one call, the fate of a change, secrets in texts, and memory that
 * ends at the n-th allocation. */
#include "providers/google_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "tests/lib/scarce.h"
#include "tests/unit/providers/google_key.h"

static char key_file[] = "/tmp/muster-google-XXXXXX";
static struct engine_account_config config = {.name = "gcp", .key_file = key_file};

#define TOKEN_REPLY "{\"access_token\":\"ya29.secret\",\"token_type\":\"Bearer\",\"expires_in\":3599}"
#define ZONES_REPLY "{\"managedZones\":[{\"name\":\"fleet\",\"dnsName\":\"example.net.\"}]}"

static int write_key(void **state)
{
    (void)state;
    int fd = mkstemp(key_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    return file_replace(key_file, view_of(GOOGLE_KEY_FILE), 0600) == ERR_OK ? 0 : -1;
}

static int remove_key(void **state)
{
    (void)state;
    return unlink(key_file);
}

static struct google *open_account(void)
{
    void *state = NULL;
    assert_int_equal(provider_open(&provider_google, &config, NULL, &state, NULL), ERR_OK);
    return state;
}

/** Builds the next request of @p batch and hands it @p body with @p status. */
static enum err exchange_as(struct google *state, struct provider_zone *zone, struct batch *batch, long status,
                            const char *body, struct provider_request *request, struct verdict *verdict)
{
    struct provider_reply reply = {.status = status, .body = view_of(body), .now_ms = 1};
    provider_request_reset(request, 1795420800000, 1);
    enum err err = provider_google.build_request(state, zone, batch, request);
    return err == ERR_OK ? provider_google.parse_reply(state, zone, batch, request, &reply, verdict) : err;
}

static enum err exchange(struct google *state, struct provider_zone *zone, struct batch *batch, const char *body,
                         struct provider_request *request, struct verdict *verdict)
{
    return exchange_as(state, zone, batch, 200, body, request, verdict);
}

static void one_call_is_as_large_as_the_quota(void **unused)
{
    (void)unused;
    static struct batch_item items[GOOGLE_CHANGES];
    static char names[GOOGLE_CHANGES][32];
    struct google *state = open_account();
    struct provider_zone zone = {.name = "example.net"};
    struct provider_limits limits;
    struct batch batch = {.items = items, .len = GOOGLE_CHANGES};
    struct provider_request request;
    struct verdict verdict = {0};
    struct ip ip;
    size_t bytes = 0;
    assert_int_equal(ip_parse(view_of("2001:db8:1111:2222:3333:4444:5555:6666"), &ip), ERR_OK);
    provider_google.limits(state, &limits);
    for (size_t i = 0; i < GOOGLE_CHANGES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "h%zu.example.net", i);
        items[i] = (struct batch_item){.name = names[i], .type = RRTYPE_AAAA, .ttl = 60, .want = rrset_value_of(ip)};
        bytes += provider_google.item_size(&zone, &items[i]);
    }
    assert_true(bytes <= limits.bytes_max); /* a whole call of the longest addresses, each in place of another */
    assert_int_equal(limits.batch_max, GOOGLE_CHANGES);
    provider_request_init(&request);
    assert_int_equal(exchange(state, &zone, &batch, TOKEN_REPLY, &request, &verdict), ERR_OK);
    assert_int_equal(exchange(state, &zone, &batch, ZONES_REPLY, &request, &verdict), ERR_OK);
    assert_int_equal(exchange(state, &zone, &batch, "{}", &request, &verdict), ERR_OK);
    assert_int_equal(exchange(state, &zone, &batch, "{\"status\":\"pending\",\"id\":\"7\"}", &request, &verdict),
                     ERR_OK);
    assert_int_equal(verdict.kind, VERDICT_SETTLED);
    json_t *json = NULL;
    assert_int_equal(json_parse(strbuf_view(&request.body), request.body.len, 8, &json, NULL), ERR_OK);
    assert_int_equal(json_array_size(json_object_get(json, "additions")), GOOGLE_CHANGES);
    json_decref(json);
    for (size_t i = 0; i < GOOGLE_CHANGES; i++) { /* each with four addresses: what the engine could not foresee */
        for (uint8_t k = 1; k < RRSET_VALUES_MAX; k++) {
            struct ip other = ip;
            other.bytes[15] ^= k;
            assert_true(rrset_value_add(&items[i].want, RRTYPE_AAAA, &other));
        }
        items[i].outcome = OUTCOME_UNKNOWN;
    }
    provider_request_reset(&request, 1795420800000, 1);
    assert_int_equal(provider_google.build_request(state, &zone, &batch, &request), ERR_LIMIT);
    provider_request_deinit(&request);
    provider_google.cache_free(zone.cache);
    provider_google.close(state);
}

#define ERROR(code, message, reason)                                                                                   \
    "{\"error\":{\"code\":" code ",\"message\":\"" message "\",\"errors\":[{\"reason\":\"" reason "\"}]}}"

/** What every change is answered with; look-ups find an empty zone. @return when it is over, or goes on for ever. */
static struct verdict refuse_changes(struct google *state, struct provider_zone *zone, struct batch *batch, long status,
                                     const char *body)
{
    struct provider_request request;
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    provider_request_init(&request);
    for (int round = 0; round < 30 && verdict.kind == VERDICT_CONTINUE; round++) {
        struct google_cache *cache = google_cache_of(zone);
        bool token = oauth_fresh(&state->token, 1), write = token && cache->zone[0] != '\0' && cache->listed;
        for (size_t i = 0; write && i < batch->len; i++) {
            write &= google_plan_of(cache, zone->mode, &batch->items[i]) != GOOGLE_ASK;
        }
        const char *answer = !token ? TOKEN_REPLY : cache->zone[0] == '\0' ? ZONES_REPLY : write ? body : "{}";
        assert_int_equal(exchange_as(state, zone, batch, write ? status : 200, answer, &request, &verdict), ERR_OK);
        assert_true((request.stage == GOOGLE_STAGE_CHANGE) == write);
    }
    provider_request_deinit(&request);
    return verdict;
}

/** One record that cannot be written must not hold up the others of its batch, now or at the next try. */
static void one_conflict_holds_nothing_up(void **unused)
{
    (void)unused;
    static const struct {
        long status;
        const char *body;
        size_t len; /* items of the batch */
        enum verdict_kind kind;
        enum outcome outcome; /* of the first, when settled */
    } rows[] = {
        {409, ERROR("409", "'entity.change.additions[0]' has a CNAME", "cnameResourceRecordSetConflict"), 1,
         VERDICT_SETTLED, OUTCOME_REFUSED},
        {409, ERROR("409", "The resource 'entity.change.additions[0]' already exists", "alreadyExists"), 1,
         VERDICT_SETTLED, OUTCOME_RETRY},
        {409, ERROR("409", "The resource 'entity.rrset' already exists", "alreadyExists"), 1, VERDICT_SETTLED,
         OUTCOME_RETRY},
        {409, ERROR("409", "The resource 'entity.rrset' already exists", "alreadyExists"), 2, VERDICT_SPLIT,
         OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const char *const hosts[] = {"a.example.net", "b.example.net"};
        struct google *state = open_account();
        struct provider_zone zone = {.name = "example.net"};
        struct batch_item items[2];
        struct batch batch = {.items = items, .len = rows[i].len};
        for (size_t k = 0; k < ARRAY_LEN(items); k++) {
            items[k] = (struct batch_item){.name = hosts[k], .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
            items[k].want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}});
        }
        struct verdict verdict = refuse_changes(state, &zone, &batch, rows[i].status, rows[i].body);
        if (verdict.kind != rows[i].kind || items[0].outcome != rows[i].outcome) {
            fail_msg("row %zu: verdict %d, outcome %d, %s", i, (int)verdict.kind, (int)items[0].outcome,
                     verdict.detail);
        }
        provider_google.cache_free(zone.cache);
        provider_google.close(state);
    }
}

/** The token of a page may not be taken any more: it was asked with it for ever. */
static void a_page_that_is_refused_begins_the_listing_anew(void **unused)
{
    (void)unused;
    struct google *state = open_account();
    struct provider_zone zone = {.name = "example.net"};
    struct batch_item item = {.name = "a.example.net", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct provider_request request;
    struct verdict verdict = {0};
    provider_request_init(&request);
    assert_int_equal(exchange(state, &zone, &batch, TOKEN_REPLY, &request, &verdict), ERR_OK);
    assert_int_equal(exchange(state, &zone, &batch, ZONES_REPLY, &request, &verdict), ERR_OK);
    assert_int_equal(exchange(state, &zone, &batch, "{\"nextPageToken\":\"two\"}", &request, &verdict), ERR_OK);
    assert_int_equal(exchange_as(state, &zone, &batch, 400, ERROR("400", "Invalid value for 'pageToken'", "invalid"),
                                 &request, &verdict),
                     ERR_OK);
    assert_non_null(strstr(strbuf_str(&request.url), "pageToken=two"));
    assert_int_equal(verdict.kind, VERDICT_RETRY);
    assert_int_equal(exchange(state, &zone, &batch, "{}", &request, &verdict), ERR_OK);
    assert_null(strstr(strbuf_str(&request.url), "pageToken"));
    provider_request_deinit(&request);
    provider_google.cache_free(zone.cache);
    provider_google.close(state);
}

static void a_change_is_followed_until_it_is_done(void **unused)
{
    (void)unused;
    struct google *state = open_account();
    struct provider_zone zone = {.name = "example.net"};
    struct provider_request request;
    bool done = true;
    provider_request_init(&request);
    assert_int_equal(provider_google.build_follow(state, &zone, &request), ERR_NOTFOUND);
    struct google_cache *cache = google_cache_of(&zone);
    assert_non_null(cache);
    (void)snprintf(cache->zone, sizeof(cache->zone), "fleet");
    (void)snprintf(cache->change, sizeof(cache->change), "7");
    assert_int_equal(provider_google.build_follow(state, &zone, &request), ERR_NOTFOUND); /* without a token */
    assert_int_equal(secret_set(&state->token.value, view_of("t")), ERR_OK);
    state->token.until_ms = 10;
    assert_int_equal(provider_google.build_follow(state, &zone, &request), ERR_OK);
    assert_string_equal(strbuf_str(&request.url),
                        "https://dns.googleapis.com/dns/v1/projects/project-1/managedZones/fleet/changes/7");
    struct provider_reply reply = {.status = 200, .body = view_of("{\"id\":\"7\",\"status\":\"pending\"}")};
    assert_int_equal(provider_google.parse_follow(state, &zone, &request, &reply, &done), ERR_OK);
    assert_false(done);
    reply.body = view_of("{}");
    assert_int_equal(provider_google.parse_follow(state, &zone, &request, &reply, &done), ERR_PARSE);
    struct batch none = {0};
    struct verdict verdict = {0};
    const struct provider_request change = {.stage = GOOGLE_STAGE_CHANGE};
    reply.body = view_of("{\"id\":\"8\",\"status\":\"pending\"}");
    zone.following = true;
    assert_int_equal(provider_google.parse_reply(state, &zone, &none, &change, &reply, &verdict), ERR_OK);
    assert_string_equal(cache->change, "7"); /* a later one does not take its place while it is asked about */
    zone.following = false;
    assert_int_equal(provider_google.parse_reply(state, &zone, &none, &change, &reply, &verdict), ERR_OK);
    assert_string_equal(cache->change, "8");
    (void)snprintf(cache->change, sizeof(cache->change), "7");
    reply.body = view_of("{\"id\":\"7\",\"status\":\"done\"}");
    assert_int_equal(provider_google.parse_follow(state, &zone, &request, &reply, &done), ERR_OK);
    assert_true(done);
    assert_string_equal(cache->change, "");
    provider_request_deinit(&request);
    provider_google.cache_free(zone.cache);
    provider_google.close(state);
}

static void the_token_is_taken_out_of_texts(void **unused)
{
    (void)unused;
    struct google *state = open_account();
    char text[] = "Invalid Credentials: ya29.secret";
    assert_int_equal(secret_set(&state->token.value, view_of("ya29.secret")), ERR_OK);
    provider_google.redact(state, text);
    assert_null(strstr(text, "ya29"));
    provider_google.close(state);
}

/* Tokens of less than 16 bytes: where jansson 2.14 cannot make room for a longer one it loses its last byte, and reads
 * on behind it. */
static bool change_once(void *context, unsigned long n)
{
    static const char *const replies[] = {
        TOKEN_REPLY, "{\"managedZones\":[{\"name\":\"fleet\",\"dnsName\":\"ex.\"}]}",
        "{\"rrsets\":[{\"name\":\"a.ex.\",\"type\":\"A\",\"ttl\":60,\"rrdatas\":[\"192.0.2.9\"]}]}",
        "{\"status\":\"pending\",\"id\":\"7\"}"};
    struct google *state = context;
    struct provider_zone zone = {.name = "ex"};
    struct batch_item item = {.name = "a.ex", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    struct provider_request request;
    enum err err = ERR_OK;
    item.want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}});
    oauth_deinit(&state->token);
    provider_request_init(&request);
    scarce_arm(n);
    for (size_t i = 0; err == ERR_OK && verdict.kind == VERDICT_CONTINUE && i < ARRAY_LEN(replies); i++) {
        err = exchange(state, &zone, &batch, replies[i], &request, &verdict);
    }
    bool reached = scarce_disarm();
    bool whole = err == ERR_OK && verdict.kind == VERDICT_SETTLED && item.outcome == OUTCOME_APPLIED;
    assert_true(whole || reached);
    provider_request_deinit(&request);
    if (zone.cache != NULL) {
        provider_google.cache_free(zone.cache);
    }
    return reached;
}

static void without_memory_nothing_counts_as_done(void **unused)
{
    (void)unused;
    struct google *state = open_account();
    assert_true(scarce_each(change_once, state) > 40);
    provider_google.close(state);
}

static bool open_once(void *context, unsigned long n)
{
    (void)context;
    void *state = NULL;
    scarce_arm(n);
    enum err err = provider_google.open(&config, NULL, &state, NULL);
    bool reached = scarce_disarm();
    assert_true(err == ERR_OK ? state != NULL : reached && state == NULL);
    if (state != NULL) {
        provider_google.close(state);
    }
    return reached;
}

static void an_account_opens_whole_or_not_at_all(void **unused)
{
    (void)unused;
    assert_true(scarce_each(open_once, NULL) > 2); /* a sanitizer keeps strdup for itself */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_conflict_holds_nothing_up),
        cmocka_unit_test(a_page_that_is_refused_begins_the_listing_anew),
        cmocka_unit_test(one_call_is_as_large_as_the_quota),
        cmocka_unit_test(a_change_is_followed_until_it_is_done),
        cmocka_unit_test(the_token_is_taken_out_of_texts),
        cmocka_unit_test(without_memory_nothing_counts_as_done),
        cmocka_unit_test(an_account_opens_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, write_key, remove_key);
}
