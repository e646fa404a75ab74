/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends at the n-th allocation while the providers of JSON APIs open accounts, look up, write and list: an
 * error or an open outcome, nothing left behind, and the next attempt succeeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/macros.h"
#include "providers/provider.h"
#include "tests/lib/scarce.h"

enum { ROUNDS_MAX = 8 };

/** A service that answers always the same: which reply by a part of the URL and the method. */
struct service {
    const struct provider_ops *ops;
    const char *url; /* NULL = the provider's own */
    struct {
        enum http_verb verb;
        const char *part;
        long status;
        const char *body;
    } replies[4];
};

static const struct service services[] = {
    {&provider_cloudflare,
     NULL,
     {{HTTP_VERB_GET, "/zones?name=", 200,
       "{\"success\":true,\"result\":[{\"id\":\"z1\",\"name\":\"example.net\",\"status\":\"active\"}]}"},
      {HTTP_VERB_GET, "/dns_records?", 200,
       "{\"success\":true,\"result\":[{\"id\":\"r1\",\"type\":\"A\",\"name\":\"a.example.net\",\"content\":"
       "\"192.0.2.9\",\"ttl\":60}],\"result_info\":{\"total_pages\":1}}"},
      {HTTP_VERB_POST, "/batch", 200,
       "{\"success\":true,\"result\":{\"patches\":[{\"id\":\"r1\",\"type\":\"A\",\"name\":\"a.example.net\","
       "\"content\":\"192.0.2.1\",\"ttl\":60}]}}"}}},
    {&provider_desec,
     NULL,
     {{HTTP_VERB_GET, "/rrsets/?cursor=", 200,
       "[{\"name\":\"a.example.net.\",\"type\":\"A\",\"records\":[\"192.0.2.9\"],\"ttl\":60}]"},
      {HTTP_VERB_GET, "/domains/example.net/", 200, "{\"minimum_ttl\":60}"},
      {HTTP_VERB_PATCH, "/rrsets/", 200,
       "[{\"name\":\"a.example.net.\",\"type\":\"A\",\"records\":[\"192.0.2.1\"]}]"}}},
    {&provider_powerdns,
     "http://127.0.0.1:8081",
     {{HTTP_VERB_GET, "/export", 200,
       "{\"zone\":\"a.example.net.\\t60\\tIN\\tA\\t192.0.2.1\\nexample.net.\\t60\\tIN\\tSOA\\tn. h. 1 2 3 4 5\\n\"}"},
      {HTTP_VERB_GET, "/zones/example.net.", 200,
       "{\"rrsets\":[{\"name\":\"a.example.net.\",\"type\":\"A\",\"ttl\":60,\"records\":[{\"content\":\"192.0.2.9\"}]}]"
       "}"},
      {HTTP_VERB_PATCH, "/zones/example.net.", 204, ""}}},
};

static char password_file[] = "/tmp/muster-oom-XXXXXX";

/* jansson 2.14's lexer goes on after it could not save a character, and reads and writes behind its buffer
 * (lex_scan_string): memory never ends inside of it here. */
static void *json_memory(size_t size)
{
    scarce_pause();
    void *memory = malloc(size);
    scarce_resume();
    return memory;
}

static int write_password(void **state)
{
    (void)state;
    int fd = mkstemp(password_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    json_t *json = NULL;
    assert_int_equal(json_parse(VIEW_LITERAL("{}"), 2, 1, &json, NULL), ERR_OK); /* has set its own by now */
    json_decref(json);
    json_set_alloc_funcs(json_memory, free);
    return file_replace(password_file, view_of("t0ken"), 0600) == ERR_OK ? 0 : -1;
}

static int remove_password(void **state)
{
    (void)state;
    return unlink(password_file);
}

static struct engine_account_config config_of(const struct service *service)
{
    return (struct engine_account_config){.name = "x", .url = service->url, .password_file = password_file};
}

static bool open_account(void *context, unsigned long n)
{
    const struct service *service = context;
    struct engine_account_config config = config_of(service);
    void *account = NULL;
    scarce_arm(n);
    enum err err = provider_open(service->ops, &config, NULL, &account, NULL);
    bool reached = scarce_disarm();
    assert_true(err == ERR_OK ? account != NULL : reached && account == NULL);
    if (account != NULL) {
        service->ops->close(account);
    }
    return reached;
}

static struct provider_reply answer(const struct service *service, const struct provider_request *request)
{
    for (size_t i = 0; i < ARRAY_LEN(service->replies) && service->replies[i].part != NULL; i++) {
        if (service->replies[i].verb == request->verb &&
            strstr(strbuf_str(&request->url), service->replies[i].part) != NULL) {
            return (struct provider_reply){
                .status = service->replies[i].status, .body = view_of(service->replies[i].body), .now_ms = 2000};
        }
    }
    fail_msg("nobody answers %s", strbuf_str(&request->url));
    return (struct provider_reply){0};
}

/** Changes one record. @return whether it was applied. */
static bool change(const struct service *service, void *account, struct provider_zone *zone)
{
    struct ip want = {.family = IP_V4, .bytes = {192, 0, 2, 1}}, have = {.family = IP_V4, .bytes = {192, 0, 2, 9}};
    struct batch_item item = {.name = "a.example.net",
                              .type = RRTYPE_A,
                              .ttl = 60,
                              .want = rrset_value_of(want),
                              .have_known = true,
                              .have = rrset_value_of(have),
                              .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct provider_request request;
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    provider_request_init(&request);
    for (int round = 0; verdict.kind == VERDICT_CONTINUE && round < ROUNDS_MAX; round++) {
        provider_request_reset(&request, 0, 1000);
        verdict = (struct verdict){.kind = VERDICT_UNKNOWN};
        if (service->ops->build_request(account, zone, &batch, &request) != ERR_OK) {
            break;
        }
        struct provider_reply reply = answer(service, &request);
        if (service->ops->parse_reply(account, zone, &batch, &request, &reply, &verdict) != ERR_OK) {
            verdict.kind = VERDICT_UNKNOWN;
        }
    }
    provider_request_deinit(&request);
    assert_true(verdict.kind == VERDICT_SETTLED || item.outcome != OUTCOME_APPLIED);
    return verdict.kind == VERDICT_SETTLED && item.outcome == OUTCOME_APPLIED;
}

struct run {
    const struct service *service;
    void *account;
    enum zone_mode mode;
};

static bool change_scarcely(void *context, unsigned long n)
{
    struct run *run = context;
    struct provider_zone zone = {.name = "example.net", .mode = run->mode};
    scarce_arm(n);
    bool applied = change(run->service, run->account, &zone);
    bool reached = scarce_disarm();
    assert_true(applied || reached);
    if (!applied) {
        assert_true(change(run->service, run->account, &zone)); /* nothing half-learnt stands in the way */
    }
    if (zone.cache != NULL) {
        run->service->ops->cache_free(zone.cache);
    }
    return reached;
}

static void count(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    (void)name;
    (void)type;
    (void)ttl;
    (void)ip;
    ++*(size_t *)context;
}

static bool list_scarcely(void *context, unsigned long n)
{
    struct run *run = context;
    const struct provider_ops *ops = run->service->ops;
    struct provider_zone zone = {.name = "example.net", .mode = run->mode};
    struct provider_request request;
    size_t found = 0;
    struct provider_listing listing = {.each = count, .context = &found};
    void *list = NULL;
    bool done = false;
    provider_request_init(&request);
    scarce_arm(n);
    enum err err = ops->list_begin(run->account, &zone, &listing, &request, &list);
    for (int round = 0; err == ERR_OK && !done && round < ROUNDS_MAX; round++) {
        provider_request_reset(&request, 0, 1000);
        err = ops->list_next(list, &request);
        struct provider_reply reply = {0};
        if (err == ERR_OK) {
            reply = answer(run->service, &request);
            err = ops->list_feed(list, &request, &reply, &done, NULL);
        }
    }
    bool reached = scarce_disarm();
    assert_true(reached ? true : err == ERR_OK && done && found == 1);
    assert_true(!done || found == 1); /* never a short list that looks whole */
    if (list != NULL) {
        ops->list_end(list);
    }
    provider_request_deinit(&request);
    return reached;
}

static void each_survives_every_failed_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        struct engine_account_config config = config_of(&services[i]);
        struct run run = {.service = &services[i]};
        assert_true(scarce_each(open_account, (void *)(uintptr_t)&services[i]) > 2);
        assert_int_equal(provider_open(services[i].ops, &config, NULL, &run.account, NULL), ERR_OK);
        assert_true(scarce_each(change_scarcely, &run) > 5);
        run.mode = ZONE_SHARED;
        assert_true(scarce_each(change_scarcely, &run) > 5);
        assert_true(scarce_each(list_scarcely, &run) > 2);
        services[i].ops->close(run.account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_survives_every_failed_allocation)};
    return cmocka_run_group_tests(tests, write_password, remove_password);
}
