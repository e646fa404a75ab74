/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/replay/azure does not show: accounts that are not whole, links that lead away, secrets in texts, and
 * memory that ends at the n-th allocation. */
#include "providers/azure_account.h"

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

#define KEY_FILE "{\"clientId\":\"c\",\"clientSecret\":\"hunter2\",\"subscriptionId\":\"s\",\"tenantId\":\"t\"}"
#define SITE     "https://management.azure.com"
#define ZONE     SITE "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/ex"

static char key_file[] = "/tmp/muster-azure-XXXXXX";
static struct config_pair group[] = {{.key = "resource_group", .value = "g"}};
static struct engine_account_config config = {
    .name = "az", .key_file = key_file, .options = {.items = group, .len = ARRAY_LEN(group)}};

static int write_key(void **state)
{
    (void)state;
    int fd = mkstemp(key_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    return file_replace(key_file, view_of(KEY_FILE), 0600) == ERR_OK ? 0 : -1;
}

static int remove_key(void **state)
{
    (void)state;
    return unlink(key_file);
}

static struct azure_account *open_account(void)
{
    void *state = NULL;
    assert_int_equal(provider_open(&provider_azure, &config, NULL, &state, NULL), ERR_OK);
    return state;
}

static void an_account_must_be_whole(void **unused)
{
    (void)unused;
    static const struct {
        const char *file; /* content of the key file */
        struct config_pair options[3];
        const char *says;
    } rows[] = {
        {KEY_FILE, {{.key = "resource_group", .value = "g"}}, NULL},
        {KEY_FILE, {{.key = NULL}}, "resource_group"},
        {"{\"appId\":\"c\",\"password\":\"hunter2\",\"tenant\":\"t\"}",
         {{.key = "resource_group", .value = "g"}},
         "subscription"},
        {"{\"clientId\":\"c\",\"subscriptionId\":\"s\",\"tenantId\":\"t\"}",
         {{.key = "resource_group", .value = "g"}},
         "key_file"},
        {"{\"clientId\":\"c\",\"clientSecret\":\"hunter2\",\"subscriptionId\":\"s\"}",
         {{.key = "resource_group", .value = "g"}},
         "tenant"},
        {KEY_FILE,
         {{.key = "resource_group", .value = "g"}, {.key = "login_url", .value = "http://login.example"}},
         "https"},
        {KEY_FILE, {{.key = "resource_group", .value = "g"}, {.key = "identity", .value = "other"}}, "identity"},
        {"{\"clientSecret\":\"hunter2\"", {{.key = "resource_group", .value = "g"}}, "JSON"},
        {"hunter2", {{.key = "resource_group", .value = "g"}}, "JSON"},
        {"{\"clientSecret\":1,\"x\":\"hunter2\"}", {{.key = "resource_group", .value = "g"}}, "JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct engine_account_config other = config;
        struct config_pair options[3];
        struct errinfo info = {0};
        void *state = NULL;
        memcpy(options, rows[i].options, sizeof(options));
        other.options = (struct config_map){.items = options};
        while (other.options.len < 3 && options[other.options.len].key != NULL) {
            other.options.len++;
        }
        assert_int_equal(file_replace(key_file, view_of(rows[i].file), 0600), ERR_OK);
        enum err err = provider_open(&provider_azure, &other, NULL, &state, &info);
        bool fine = rows[i].says == NULL ? err == ERR_OK : err != ERR_OK && strstr(info.text, rows[i].says) != NULL;
        if (!fine || strstr(info.text, "hunter2") != NULL) {
            fail_msg("row %zu: %s", i, info.text);
        }
        if (err == ERR_OK) {
            provider_azure.close(state);
        }
    }
    assert_int_equal(file_replace(key_file, view_of(KEY_FILE), 0600), ERR_OK);
}

static void secrets_are_taken_out_of_texts(void **unused)
{
    (void)unused;
    struct azure_account *state = open_account();
    char text[] = "the secret hunter2, the token eyJ0.secret";
    assert_int_equal(secret_set(&state->token.value, view_of("eyJ0.secret")), ERR_OK);
    provider_azure.redact(state, text);
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "eyJ0"));
    provider_azure.close(state);
}

static void count(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    (void)name;
    (void)type;
    (void)ttl;
    (void)ip;
    (*(size_t *)context)++;
}

/** The token goes along a link, so it goes to nobody else. */
static void links_lead_home(void **unused)
{
    (void)unused;
    static const struct {
        const char *link;
        enum err err;
    } rows[] = {
        {ZONE "/recordsets?$skipToken=2", ERR_OK},
        {"https://management.azure.com:443/subscriptions/s?$skipToken=2", ERR_OK},
        {"https://management.azure.com:443", ERR_PARSE},
        {"https://management.azure.com:4433/", ERR_PARSE},
        {"https://management.azure.com:443@evil.example/", ERR_PARSE},
        {"https://management.azure.com.evil.example/", ERR_PARSE},
        {"https://evil.example/" ZONE, ERR_PARSE},
        {"http://management.azure.com/", ERR_PARSE},
        {"https://management.azure.com@evil.example/", ERR_PARSE},
        {SITE, ERR_PARSE},
    };
    struct azure_account *state = open_account();
    assert_int_equal(secret_set(&state->token.value, view_of("eyJ0")), ERR_OK);
    state->token.until_ms = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_zone zone = {.name = "ex"};
        struct provider_request request;
        struct strbuf body;
        size_t seen = 0;
        const struct provider_listing listing = {.each = count, .context = &seen};
        void *list = NULL;
        bool done = true;
        provider_request_init(&request);
        strbuf_init(&body, 4096);
        strbuf_addf(&body,
                    "{\"value\":[{\"name\":\"a\",\"type\":\"x/A\",\"properties\":{\"TTL\":60,\"ARecords\":"
                    "[{\"ipv4Address\":\"192.0.2.1\"}]}}],\"nextLink\":\"%s\"}",
                    rows[i].link);
        struct provider_reply reply = {.status = 200, .body = strbuf_view(&body)};
        assert_int_equal(provider_azure.list_begin(state, &zone, &listing, &request, &list), ERR_OK);
        assert_int_equal(provider_azure.list_next(list, &request), ERR_OK);
        assert_string_equal(strbuf_str(&request.url), ZONE "/recordsets?api-version=2018-05-01");
        assert_int_equal(provider_azure.list_feed(list, &request, &reply, &done, NULL), rows[i].err);
        assert_int_equal(seen, 1);
        assert_false(done);
        if (rows[i].err == ERR_OK) { /* and the same page again is not followed for ever */
            provider_request_reset(&request, 0, 0);
            assert_int_equal(provider_azure.list_next(list, &request), ERR_OK);
            assert_string_equal(strbuf_str(&request.url), rows[i].link);
            assert_int_equal(provider_azure.list_feed(list, &request, &reply, &done, NULL), ERR_PARSE);
        }
        provider_azure.list_end(list);
        strbuf_deinit(&body);
        provider_request_deinit(&request);
    }
    provider_azure.close(state);
}

/** A listing that is refused is no empty zone, and is not asked for again and again. */
static void a_listing_that_is_refused_ends(void **unused)
{
    (void)unused;
    static const struct {
        long status;
        const char *body;
    } rows[] = {{403, "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}"},
                {429, "{\"error\":{\"code\":\"SubscriptionRequestsThrottled\",\"message\":\"later\"}}"},
                {404, "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"no zone\"}}"},
                {200, "{\"value\":{}}"},
                {200, "<html>"}};
    struct azure_account *state = open_account();
    assert_int_equal(secret_set(&state->token.value, view_of("eyJ0")), ERR_OK);
    state->token.until_ms = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_zone zone = {.name = "ex"};
        struct provider_request request;
        size_t seen = 0;
        const struct provider_listing listing = {.each = count, .context = &seen};
        struct provider_reply reply = {.status = rows[i].status, .body = view_of(rows[i].body)};
        struct errinfo info = {0};
        void *list = NULL;
        bool done = true;
        provider_request_init(&request);
        assert_int_equal(provider_azure.list_begin(state, &zone, &listing, &request, &list), ERR_OK);
        assert_int_equal(provider_azure.list_next(list, &request), ERR_OK);
        assert_int_not_equal(provider_azure.list_feed(list, &request, &reply, &done, &info), ERR_OK);
        assert_true(!done && seen == 0 && info.text[0] != '\0');
        provider_azure.list_end(list);
        provider_request_deinit(&request);
    }
    provider_azure.close(state);
}

/* Tokens of less than 16 bytes: where jansson 2.14 cannot make room for a longer one it loses its last byte, and reads
 * on behind it. */
static bool change_once(void *context, unsigned long n)
{
    static const char *const replies[] = {
        "{\"access_token\":\"eyJ0\",\"expires_in\":3599}",
        "{\"etag\":\"e1\",\"properties\":{\"ARecords\":[{\"ipv4Address\":\"192.0.2.9\"}]}}",
        "{\"etag\":\"e2\",\"properties\":{\"ARecords\":[{\"ipv4Address\":\"192.0.2.1\"}]}}"};
    struct azure_account *state = context;
    struct provider_zone zone = {.name = "ex", .mode = ZONE_SHARED};
    struct batch_item item = {.name = "a.ex", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    struct provider_request request;
    enum err err = ERR_OK;
    item.want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}});
    item.have = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, 9}});
    item.have_known = true;
    oauth_deinit(&state->token);
    provider_request_init(&request);
    scarce_arm(n);
    for (size_t i = 0; err == ERR_OK && verdict.kind == VERDICT_CONTINUE && i < ARRAY_LEN(replies); i++) {
        struct provider_reply reply = {.status = 200, .body = view_of(replies[i]), .now_ms = 1};
        provider_request_reset(&request, 0, 1);
        err = provider_azure.build_request(state, &zone, &batch, &request);
        err = err == ERR_OK ? provider_azure.parse_reply(state, &zone, &batch, &request, &reply, &verdict) : err;
    }
    bool reached = scarce_disarm();
    bool whole = err == ERR_OK && verdict.kind == VERDICT_SETTLED && item.outcome == OUTCOME_APPLIED;
    assert_true(whole || reached);
    provider_request_deinit(&request);
    if (zone.cache != NULL) {
        provider_azure.cache_free(zone.cache);
    }
    return reached;
}

static void without_memory_nothing_counts_as_done(void **unused)
{
    (void)unused;
    struct azure_account *state = open_account();
    assert_true(scarce_each(change_once, state) > 40);
    provider_azure.close(state);
}

static bool open_once(void *context, unsigned long n)
{
    (void)context;
    void *state = NULL;
    scarce_arm(n);
    enum err err = provider_azure.open(&config, NULL, &state, NULL);
    bool reached = scarce_disarm();
    assert_true(err == ERR_OK ? state != NULL : reached && state == NULL);
    if (state != NULL) {
        provider_azure.close(state);
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
        cmocka_unit_test(an_account_must_be_whole),
        cmocka_unit_test(secrets_are_taken_out_of_texts),
        cmocka_unit_test(links_lead_home),
        cmocka_unit_test(a_listing_that_is_refused_ends),
        cmocka_unit_test(without_memory_nothing_counts_as_done),
        cmocka_unit_test(an_account_opens_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, write_key, remove_key);
}
