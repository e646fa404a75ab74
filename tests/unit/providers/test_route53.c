/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/replay/route53 does not show: the caps of one call, whose name a message means, GetChange, and memory that
 * ends at the n-th allocation. */
#include "providers/route53_internal.h"

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

enum { MANY = 600 };

static char secret_file[] = "/tmp/muster-route53-XXXXXX";
static struct engine_account_config config = {.name = "aws", .username = "AKIDEXAMPLE", .password_file = secret_file};
static struct batch_item items[MANY];
static char names[MANY][32];

static int write_secret(void **state)
{
    (void)state;
    int fd = mkstemp(secret_file);
    assert_true(fd >= 0);
    (void)close(fd); /* only its name */
    return file_replace(secret_file, view_of("secret\n"), 0600) == ERR_OK ? 0 : -1;
}

static int remove_secret(void **state)
{
    (void)state;
    return unlink(secret_file);
}

static void fill(const char *address, enum rrtype type)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(address), &ip), ERR_OK);
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "h%zu.example.net", i);
        items[i] = (struct batch_item){.name = names[i], .type = type, .ttl = 60, .want = rrset_value_of(ip)};
    }
}

/** As the engine fills a message. */
static size_t fitting(const void *state, const struct provider_zone *zone)
{
    struct provider_limits limits;
    struct batch batch = {.items = items};
    size_t bytes = 0;
    provider_route53.limits(state, &limits);
    while (batch.len < limits.batch_max && batch.len < MANY) {
        const struct batch_item *item = &items[batch.len];
        bytes += provider_route53.item_size(zone, item);
        if (bytes > limits.bytes_max || (batch.len > 0 && !provider_route53.together(state, &batch, item))) {
            break;
        }
        batch.len++;
    }
    return batch.len;
}

static void one_call_is_as_large_as_documented(void **unused)
{
    (void)unused;
    static const struct {
        const char *address;
        enum rrtype type;
        size_t fits;
    } rows[] = {
        {"192.0.2.1", RRTYPE_A, 500},                                        /* elements, each counted twice */
        {"255.255.255.255", RRTYPE_A, 500},                                  /* 15,000 characters */
        {"2001:db8:1111:2222:3333:4444:5555:6666", RRTYPE_AAAA, 32000 / 76}, /* characters, likewise */
        {"2001:db8::1", RRTYPE_AAAA, 500},
    };
    void *state = NULL;
    assert_int_equal(provider_open(&provider_route53, &config, NULL, &state, NULL), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct provider_zone zone = {.name = "example.net", .mode = ZONE_DEDICATED};
        struct provider_request request;
        fill(rows[i].address, rows[i].type);
        size_t len = fitting(state, &zone);
        assert_int_equal(len, rows[i].fits);
        struct route53_cache *cache = route53_cache_of(&zone);
        assert_non_null(cache);
        (void)snprintf(cache->id, sizeof(cache->id), "Z1");
        struct batch batch = {.items = items, .len = len};
        provider_request_init(&request);
        assert_int_equal(provider_route53.build_request(state, &zone, &batch, &request), ERR_OK);
        assert_int_equal(request.stage, PROVIDER_STAGE_CHANGE);
        batch.len++;
        provider_request_reset(&request, 0, 0);
        assert_int_equal(provider_route53.build_request(state, &zone, &batch, &request), ERR_LIMIT);
        provider_request_deinit(&request);
        provider_route53.cache_free(zone.cache);
    }
    assert_int_equal(provider_route53.item_cost(state, &items[0]), 2);
    items[0].want.len = 0;
    assert_int_equal(provider_route53.item_cost(state, &items[0]), 1);
    provider_route53.close(state);
}

static void a_message_names_exactly_one(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        enum rrtype type;
        const char *messages;
        bool named;
    } rows[] = {
        {"a.example.net", RRTYPE_A, "Tried to create resource record set [name='a.example.net.', type='A'] but", true},
        {"a.example.net", RRTYPE_AAAA, "[name='a.example.net.', type='A'] but it already exists", false},
        {"a.example.net", RRTYPE_A, "[name='ba.example.net.', type='A'] but it already exists", false},
        {"a.example.net", RRTYPE_A, "[name='b.a.example.net.', type='A'] but it already exists", false},
        {"a.example.net", RRTYPE_A, "[name='a.example.net.org.', type='A'] but it already exists", false},
        {"a.example.net", RRTYPE_A, "[name='\\052.a.example.net.', type='A'] it already exists", false},
        {"*.a.example.net", RRTYPE_A, "[name='\\052.a.example.net.', type='A'] it already exists", true},
        {"a.example.net", RRTYPE_A, "RRSet of type A with DNS name a.example.net. is not permitted", true},
        {"a.example.net", RRTYPE_AAAA, "RRSet of type A with DNS name a.example.net. is not permitted", false},
        {"a.example.net", RRTYPE_AAAA, "RRSet of type CNAME with DNS name a.example.net. conflicts", true},
        {"a.example.net", RRTYPE_A, "RRSet with DNS name a.example.net. is not permitted", true},
        {"a.example.net", RRTYPE_A, "RRSet with DNS name a.example.net., type A, SetIdentifier null cannot be", true},
        {"a.example.net", RRTYPE_AAAA, "RRSet with DNS name a.example.net., type A cannot be created", false},
        {"example.net", RRTYPE_A, "a CNAME with the same DNS name already exists in zone example.net.", false},
        {"a.example.net", RRTYPE_A, "it is said of a.example.net", true},
        {"a.example.net", RRTYPE_A, "ba.example.net. is one, a.example.net. another", true},
        {"a.example.net", RRTYPE_A, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route53_cache cache = {0};
        struct batch_item item = {.name = rows[i].name, .type = rows[i].type, .ttl = 60};
        struct batch batch = {.items = &item, .len = 1};
        item.want.len = 1;
        size_t named = route53_judge_messages(&cache, ZONE_DEDICATED, &batch, view_of(rows[i].messages));
        if ((named == 1) != rows[i].named || (item.error != NULL) != rows[i].named) {
            fail_msg("%s in \"%s\"", rows[i].name, rows[i].messages);
        }
        rrcache_deinit(&cache.records);
    }
}

static void take_messages(struct route53_cache *cache, struct batch *batch, const char *const *names_of,
                          const char *messages)
{
    for (size_t i = 0; i < batch->len; i++) {
        batch->items[i] = (struct batch_item){.name = names_of[i], .type = RRTYPE_A, .ttl = 60};
        batch->items[i].want.len = 1;
    }
    assert_true(route53_judge_messages(cache, ZONE_SHARED, batch, view_of(messages)) > 0);
}

/** A CNAME is said to "already exist" too; CREATE was tried again for ever, and with it all of its batch. */
static void a_cname_refuses_its_own_name_for_good(void **unused)
{
    (void)unused;
    static const char *const named[] = {"example.net", "a.example.net", "b.example.net", "c.example.net"};
    struct route53_cache cache = {0};
    struct batch batch = {.items = items, .len = ARRAY_LEN(named)};
    take_messages(&cache, &batch, named,
                  "[RRSet of type A with DNS name a.example.net. is not permitted because a conflicting RRSet of type  "
                  "CNAME with the same DNS name already exists in zone example.net., Tried to create resource record "
                  "set [name='b.example.net.', type='A'] but it already exists, RRSet of type A with DNS name "
                  "c.example.net. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name "
                  "already exists in zone example.net.]");
    assert_null(items[0].error);
    assert_false(items[0].unsure);
    assert_int_equal(items[1].outcome, OUTCOME_REFUSED);
    assert_string_equal(items[1].error, "refused");
    assert_null(items[2].error);
    assert_true(items[2].unsure); /* looked at, and tried again */
    assert_int_equal(items[3].outcome, OUTCOME_REFUSED);
    assert_non_null(items[3].error);
    rrcache_deinit(&cache.records);
}

static void a_record_that_others_write_all_the_time_holds_nothing_up(void **unused)
{
    (void)unused;
    static const char *const named[] = {"a.example.net", "b.example.net"};
    struct route53_cache cache = {.stale = ROUTE53_STALE_MAX};
    struct batch batch = {.items = items, .len = ARRAY_LEN(named)};
    struct verdict verdict = {0};
    take_messages(&cache, &batch, named,
                  "[Tried to create resource record set [name='b.example.net.', type='A'] but it "
                  "already exists]");
    assert_null(items[0].error);
    assert_int_equal(items[1].outcome, OUTCOME_RETRY);
    assert_string_equal(items[1].error, "conflict");
    assert_int_equal(route53_count_pending(&cache, ZONE_SHARED, &batch), 1);
    route53_settle(&cache, &batch, &verdict);
    assert_int_equal(items[0].outcome, OUTCOME_APPLIED);
    assert_int_equal(items[1].outcome, OUTCOME_RETRY);
    rrcache_deinit(&cache.records);
}

#define CHANGE_INFO(status)                                                                                            \
    "<GetChangeResponse><ChangeInfo><Id>/change/C1</Id><Status>" status "</Status></ChangeInfo></GetChangeResponse>"

static void a_change_is_followed_until_it_is_in_sync(void **unused)
{
    (void)unused;
    void *state = NULL;
    struct provider_zone zone = {.name = "example.net"};
    struct provider_request request;
    bool done = true;
    assert_int_equal(provider_open(&provider_route53, &config, NULL, &state, NULL), ERR_OK);
    provider_request_init(&request);
    assert_int_equal(provider_route53.build_follow(state, &zone, &request), ERR_NOTFOUND);
    struct route53_cache *cache = route53_cache_of(&zone);
    assert_non_null(cache);
    (void)snprintf(cache->change, sizeof(cache->change), "C1");
    assert_int_equal(provider_route53.build_follow(state, &zone, &request), ERR_OK);
    assert_string_equal(strbuf_str(&request.url), "https://route53.amazonaws.com/2013-04-01/change/C1");
    struct provider_reply reply = {.status = 200, .body = view_of(CHANGE_INFO("PENDING"))};
    assert_int_equal(provider_route53.parse_follow(state, &zone, &request, &reply, &done), ERR_OK);
    assert_false(done);
    reply.body = view_of("<GetChangeResponse>");
    assert_int_equal(provider_route53.parse_follow(state, &zone, &request, &reply, &done), ERR_PARSE);
    struct batch none = {0};
    struct verdict verdict = {0};
    const struct provider_request change = {.stage = ROUTE53_STAGE_CHANGE};
    reply.body = view_of("<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C2</Id><Status>PENDING</Status>"
                         "</ChangeInfo></ChangeResourceRecordSetsResponse>");
    zone.following = true;
    assert_int_equal(provider_route53.parse_reply(state, &zone, &none, &change, &reply, &verdict), ERR_OK);
    assert_string_equal(cache->change, "C1"); /* a later one does not take its place while it is asked about */
    zone.following = false;
    assert_int_equal(provider_route53.parse_reply(state, &zone, &none, &change, &reply, &verdict), ERR_OK);
    assert_string_equal(cache->change, "C2");
    (void)snprintf(cache->change, sizeof(cache->change), "C1");
    reply.body = view_of(CHANGE_INFO("INSYNC"));
    assert_int_equal(provider_route53.parse_follow(state, &zone, &request, &reply, &done), ERR_OK);
    assert_true(done);
    provider_request_reset(&request, 0, 0);
    assert_int_equal(provider_route53.build_follow(state, &zone, &request), ERR_NOTFOUND);
    provider_request_deinit(&request);
    provider_route53.cache_free(zone.cache);
    provider_route53.close(state);
}

#define ZONE_OF(id, name, is_private)                                                                                  \
    "<HostedZone><Id>/hostedzone/" id "</Id><Name>" name "</Name><Config><PrivateZone>" is_private                     \
    "</PrivateZone></Config></HostedZone>"
#define PAGE_OF(zones, tail)                                                                                           \
    "<ListHostedZonesByNameResponse><HostedZones>" zones "</HostedZones>" tail "</ListHostedZonesByNameResponse>"
#define NEXT_OF(name, id)                                                                                              \
    "<IsTruncated>true</IsTruncated><NextDNSName>" name "</NextDNSName><NextHostedZoneId>" id "</NextHostedZoneId>"

static enum verdict_kind answer(void *state, struct provider_zone *zone, struct provider_request *request, long status,
                                const char *body, struct verdict *verdict)
{
    struct batch batch = {.items = items, .len = 1};
    struct provider_reply reply = {.status = status, .body = view_of(body)};
    assert_int_equal(provider_route53.parse_reply(state, zone, &batch, request, &reply, verdict), ERR_OK);
    provider_request_reset(request, 0, 0);
    assert_int_equal(provider_route53.build_request(state, zone, &batch, request), ERR_OK);
    return verdict->kind;
}

/** Ten private zones of the name came first, and the public one was said not to be there. */
static void a_public_zone_behind_private_ones_is_found(void **unused)
{
    (void)unused;
    static const char base[] = "https://route53.amazonaws.com/2013-04-01";
    void *state = NULL;
    struct provider_zone zone = {.name = "example.net"};
    struct batch batch = {.items = items, .len = 1};
    struct provider_request request;
    struct verdict verdict;
    char url[200];
    fill("192.0.2.1", RRTYPE_A);
    assert_int_equal(provider_open(&provider_route53, &config, NULL, &state, NULL), ERR_OK);
    provider_request_init(&request);
    for (int round = 0; round < 2; round++) { /* what a search that failed has seen does not count in the next one */
        bool there = round == 1;
        assert_int_equal(provider_route53.build_request(state, &zone, &batch, &request), ERR_OK);
        (void)snprintf(url, sizeof(url), "%s/hostedzonesbyname?dnsname=example.net.&maxitems=10", base);
        assert_string_equal(strbuf_str(&request.url), url);
        assert_int_equal(answer(state, &zone, &request, 200,
                                PAGE_OF(ZONE_OF("ZA", "example.net.", "true"), NEXT_OF("example.net.", "ZK")),
                                &verdict),
                         VERDICT_CONTINUE);
        (void)snprintf(url, sizeof(url), "%s/hostedzonesbyname?dnsname=example.net.&hostedzoneid=ZK&maxitems=100",
                       base);
        assert_string_equal(strbuf_str(&request.url), url);
        const char *last = there ? PAGE_OF(ZONE_OF("ZK", "example.net.", "false"), NEXT_OF("z.example.net.", "ZZ"))
                                 : PAGE_OF(ZONE_OF("ZK", "example.net.", "true"), NEXT_OF("z.example.net.", "ZZ"));
        assert_int_equal(answer(state, &zone, &request, 200, last, &verdict), there ? VERDICT_CONTINUE : VERDICT_RETRY);
        assert_true(there || strcmp(verdict.error, "nxdomain") == 0);
        provider_request_reset(&request, 0, 0);
    }
    assert_int_equal(provider_route53.build_request(state, &zone, &batch, &request), ERR_OK);
    (void)snprintf(url, sizeof(url), "%s/hostedzone/ZK/rrset/", base);
    assert_string_equal(strbuf_str(&request.url), url);
    provider_request_deinit(&request);
    provider_route53.cache_free(zone.cache);
    provider_route53.close(state);
}

static void a_given_zone_is_not_looked_for(void **unused)
{
    (void)unused;
    static const char *const values[] = {"/hostedzone/Z1PA6795UKMFR9", "Z1PA6795UKMFR9", "../Z1", "", "/hostedzone/"};
    struct provider_request request;
    struct verdict verdict;
    fill("192.0.2.1", RRTYPE_A);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct config_pair option = {.key = "zone_id", .value = values[i]};
        struct engine_account_config other = config;
        struct provider_zone zone = {.name = "example.net"};
        struct batch batch = {.items = items, .len = 1};
        struct errinfo info = {0};
        void *state = NULL;
        other.options = (struct config_map){.items = &option, .len = 1};
        if (i >= 2) {
            assert_int_equal(provider_open(&provider_route53, &other, NULL, &state, &info), ERR_INVALID);
            assert_non_null(strstr(info.text, "zone_id"));
            continue;
        }
        assert_int_equal(provider_open(&provider_route53, &other, NULL, &state, &info), ERR_OK);
        provider_request_init(&request);
        assert_int_equal(provider_route53.build_request(state, &zone, &batch, &request), ERR_OK);
        for (int round = 0; round < 2; round++) { /* nor after the service says that it is not there */
            assert_string_equal(strbuf_str(&request.url),
                                "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1PA6795UKMFR9/rrset/");
            assert_int_equal(answer(state, &zone, &request, 404,
                                    "<ErrorResponse><Error><Code>NoSuchHostedZone</Code></Error></ErrorResponse>",
                                    &verdict),
                             VERDICT_RETRY);
            assert_non_null(strstr(verdict.detail, "option zone_id"));
        }
        provider_request_deinit(&request);
        provider_route53.cache_free(zone.cache);
        provider_route53.close(state);
    }
}

static void secrets_are_taken_out_of_texts(void **unused)
{
    (void)unused;
    void *state = NULL;
    char text[] = "the key AKIDEXAMPLE, secret secret/aws4_request";
    assert_int_equal(provider_open(&provider_route53, &config, NULL, &state, NULL), ERR_OK);
    provider_route53.redact(state, text);
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "AKID"));
    provider_route53.close(state);
}

static void an_account_is_checked(void **unused)
{
    (void)unused;
    static const char *const urls[] = {"http://route53.amazonaws.com", "https://", "https:///x", "https://h/?a=b"};
    struct engine_account_config wrong = config;
    void *state = NULL;
    wrong.username = NULL;
    assert_int_equal(provider_open(&provider_route53, &wrong, NULL, &state, NULL), ERR_INVALID);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        wrong = config;
        wrong.url = urls[i];
        assert_int_equal(provider_open(&provider_route53, &wrong, NULL, &state, NULL), ERR_INVALID);
    }
    wrong.url = "https://localhost:8443/aws/";
    assert_int_equal(provider_open(&provider_route53, &wrong, NULL, &state, NULL), ERR_OK);
    const struct route53 *account = state;
    assert_string_equal(account->url, "https://localhost:8443/aws");
    assert_string_equal(account->host, "localhost:8443");
    assert_string_equal(account->url + account->path_at, "/aws");
    provider_route53.close(state);
}

/** A deletion: lookup of the zone, of the record, then the change; each with its reply. */
static bool delete_once(void *context, unsigned long n)
{
    void *state = context;
    static const char *const replies[] = {
        "<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id><Name>example.net.</Name>"
        "</HostedZone></HostedZones></ListHostedZonesByNameResponse>",
        "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>a.example.net.</Name><Type>A"
        "</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>"
        "</ResourceRecords></ResourceRecordSet></ResourceRecordSets></ListResourceRecordSetsResponse>",
        "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id></ChangeInfo>"
        "</ChangeResourceRecordSetsResponse>"};
    struct provider_zone zone = {.name = "example.net"};
    struct batch_item item = {.name = "a.example.net", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    enum err err = ERR_OK;
    scarce_arm(n);
    for (size_t round = 0; err == ERR_OK && verdict.kind == VERDICT_CONTINUE && round < ARRAY_LEN(replies); round++) {
        struct provider_request request;
        struct provider_reply reply = {.status = 200, .body = view_of(replies[round])};
        provider_request_init(&request);
        err = provider_route53.build_request(state, &zone, &batch, &request);
        err = err == ERR_OK ? provider_route53.parse_reply(state, &zone, &batch, &request, &reply, &verdict) : err;
        provider_request_deinit(&request);
    }
    bool reached = scarce_disarm();
    bool whole = err == ERR_OK && verdict.kind == VERDICT_SETTLED && item.outcome == OUTCOME_APPLIED;
    assert_true(whole || reached);
    if (zone.cache != NULL) {
        provider_route53.cache_free(zone.cache);
    }
    return reached;
}

static void without_memory_nothing_counts_as_done(void **unused)
{
    (void)unused;
    void *state = NULL;
    assert_int_equal(provider_open(&provider_route53, &config, NULL, &state, NULL), ERR_OK);
    assert_true(scarce_each(delete_once, state) > 20);
    provider_route53.close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_is_as_large_as_documented),
        cmocka_unit_test(a_message_names_exactly_one),
        cmocka_unit_test(a_cname_refuses_its_own_name_for_good),
        cmocka_unit_test(a_record_that_others_write_all_the_time_holds_nothing_up),
        cmocka_unit_test(a_change_is_followed_until_it_is_in_sync),
        cmocka_unit_test(a_public_zone_behind_private_ones_is_found),
        cmocka_unit_test(a_given_zone_is_not_looked_for),
        cmocka_unit_test(secrets_are_taken_out_of_texts),
        cmocka_unit_test(an_account_is_checked),
        cmocka_unit_test(without_memory_nothing_counts_as_done),
    };
    return cmocka_run_group_tests(tests, write_secret, remove_secret);
}
