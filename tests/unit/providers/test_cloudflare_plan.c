/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/cloudflare_plan.h"

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
#include "base/macros.h"
#include "providers/provider.h"

enum { MANY = PROVIDER_BATCH_MAX, NAME_SIZE = 40 };

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

static struct rrset_value value_of(const char *addresses)
{
    struct rrset_value value = {0};
    struct view rest = view_of(addresses), word;
    while (view_next(&rest, ' ', &word)) {
        struct ip ip;
        if (word.len > 0) {
            assert_int_equal(ip_parse(word, &ip), ERR_OK);
            assert_true(rrset_value_add(&value, RRTYPE_A, &ip));
        }
    }
    return value;
}

static void every_rrset_ends_with_what_is_wanted(void **state)
{
    (void)state;
    static const char *const sets[] = {
        "", "192.0.2.1", "192.0.2.2", "192.0.2.1 192.0.2.2", "192.0.2.2 192.0.2.3", "192.0.2.1 192.0.2.2 192.0.2.3"};
    const struct cloudflare_policy policy = {.ttl_min = 60};
    for (size_t from = 0; from < ARRAY_LEN(sets); from++) {
        for (size_t to = 0; to < ARRAY_LEN(sets); to++) {
            struct rrset_value present = value_of(sets[from]);
            struct batch_item item = {.name = "a.example.net", .type = RRTYPE_A, .ttl = 60, .want = value_of(sets[to])};
            struct zonecache *records = NULL;
            struct cloudflare_plan plan;
            assert_int_equal(zonecache_new(&records), ERR_OK);
            for (size_t i = 0; i < present.len; i++) {
                struct zonecache_record record = {.ttl = 60, .ip = present.ips[i], .id = {(char)('a' + i)}};
                assert_int_equal(zonecache_put(records, item.name, &record), ERR_OK);
            }
            cloudflare_plan_init(&plan);
            cloudflare_plan_item(&plan, &policy, records, &item);
            /* as few operations as there are records to touch, and no address written twice */
            assert_int_equal(plan.len, MAX(present.len, item.want.len));
            for (size_t i = 0; i < item.want.len; i++) {
                char address[IP_TEXT_SIZE], content[IP_TEXT_SIZE + 16];
                ip_format(&item.want.ips[i], address);
                (void)snprintf(content, sizeof(content), "\"content\":\"%s\"", address); /* fits */
                const char *patch = strstr(strbuf_str(&plan.patches), content);
                const char *post = strstr(strbuf_str(&plan.posts), content);
                assert_true((patch != NULL) != (post != NULL));
            }
            cloudflare_plan_deinit(&plan);
            zonecache_free(records);
        }
    }
}

static void *open_account(const struct config_pair *options, size_t len)
{
    char path[] = "/tmp/muster-cf-XXXXXX";
    void *account = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    assert_int_equal(file_replace(path, view_of("t0ken"), 0600), ERR_OK);
    struct engine_account_config config = {.name = "x", .password_file = path};
    config.options.items = (struct config_pair *)(uintptr_t)options;
    config.options.len = len;
    assert_int_equal(provider_open(&provider_cloudflare, &config, NULL, &account, NULL), ERR_OK);
    assert_int_equal(unlink(path), 0);
    return account;
}

static void learn(void *account, struct provider_zone *zone, struct batch *batch, const char *zones, const char *page)
{
    struct provider_request request;
    const char *const bodies[] = {zones, page};
    provider_request_init(&request);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct provider_reply reply = {.status = 200, .body = view_of(bodies[i]), .now_ms = 1000};
        struct verdict verdict;
        provider_request_reset(&request, 0, 1000);
        assert_int_equal(provider_cloudflare.build_request(account, zone, batch, &request), ERR_OK);
        assert_int_equal(provider_cloudflare.parse_reply(account, zone, batch, &request, &reply, &verdict), ERR_OK);
        assert_int_equal(verdict.kind, VERDICT_CONTINUE);
    }
    provider_request_deinit(&request);
}

static void the_largest_batch_is_one_request(void **state)
{
    (void)state;
    static char names[MANY][NAME_SIZE];
    static struct batch_item items[MANY];
    static const struct {
        const char *plan;
        size_t most;
    } plans[] = {{"free", 200}, {"pro", 3500}, {"business", 3500}, {"enterprise", 3500}};
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], NAME_SIZE, "host-%06zu.fleet.example.net", i); /* fits */
        items[i] = (struct batch_item){
            .name = names[i], .type = RRTYPE_A, .ttl = 60, .want = rrset_value_of(ip_of("192.0.2.1"))};
    }
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct config_pair option = {.key = "plan", .value = plans[i].plan};
        void *account = open_account(&option, 1);
        struct provider_zone zone = {.name = "example.net"};
        struct batch batch = {.items = items, .len = plans[i].most};
        struct provider_limits limits;
        struct provider_request request;
        provider_cloudflare.limits(account, &limits);
        assert_int_equal(limits.batch_max, plans[i].most);
        learn(account, &zone, &batch, "{\"success\":true,\"result\":[{\"id\":\"z\",\"name\":\"example.net\"}]}",
              "{\"success\":true,\"result\":[{\"id\":\"1\",\"type\":\"A\",\"name\":\"host-000000.fleet.example.net\","
              "\"content\":\"192.0.2.7\"},{\"id\":\"2\",\"type\":\"A\",\"name\":\"host-000000.fleet.example.net\","
              "\"content\":\"192.0.2.8\"}]}");
        provider_request_init(&request);
        /* one record too many stands at the first name: its deletion counts */
        assert_int_equal(provider_cloudflare.build_request(account, &zone, &batch, &request), ERR_LIMIT);
        batch.len--;
        provider_request_reset(&request, 0, 1000);
        assert_int_equal(provider_cloudflare.build_request(account, &zone, &batch, &request), ERR_OK);
        assert_int_equal(request.stage, PROVIDER_STAGE_CHANGE);
        provider_request_deinit(&request);
        provider_cloudflare.cache_free(zone.cache);
        provider_cloudflare.close(account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rrset_ends_with_what_is_wanted),
        cmocka_unit_test(the_largest_batch_is_one_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
