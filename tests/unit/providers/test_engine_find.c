/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts that name no server, in the world of engine_world.h: the primary of a zone and whom to ask about an unknown
 * outcome are found by the system's resolvers, which this world scripts. Real ones: tests/contract/test_primary.py.
 */
#include "engine_world.h"

enum { MINUTE = 60 * 1000, SOA = 6, NS = 2, NOTAUTH = 9, UPDATE = 5 };

/** What the DNS says of the zone, and who was told what. */
static struct {
    const char *zone, *primary, *second; /* NULL: no such record */
    uint8_t ttl_minutes;
    const char *lame;    /* host that answers without authority */
    unsigned changes[3]; /* updates taken by "one.example", "two.example", others */
    unsigned applied, retried, unknown;
    char error[32], detail[256];
    char served_by[256]; /* host asked last */
} dns;

static size_t put_name(uint8_t *at, const char *name)
{
    size_t len = 0;
    struct view rest = view_of(name), label;
    while (rest.len > 0 && view_next(&rest, '.', &label)) {
        at[len++] = (uint8_t)label.len;
        memcpy(at + len, label.ptr, label.len);
        len += label.len;
    }
    at[len++] = 0;
    return len;
}

/** One record whose rdata begins with a host name. */
static size_t put_record(uint8_t *at, const char *owner, uint16_t type, const char *host, size_t behind)
{
    size_t len = put_name(at, owner);
    const uint8_t fixed[] = {
        0, (uint8_t)type, 0, 1, 0, 0, (uint8_t)(dns.ttl_minutes * 60 >> 8), (uint8_t)(dns.ttl_minutes * 60)};
    memcpy(at + len, fixed, sizeof(fixed));
    len += sizeof(fixed) + 2;
    size_t rdlength = put_name(at + len, host);
    memset(at + len + rdlength, 0, behind);
    rdlength += behind;
    at[len - 2] = (uint8_t)(rdlength >> 8);
    at[len - 1] = (uint8_t)rdlength;
    return len + rdlength;
}

/** The resolver: the SOA stands in the answer of its own name, and in the authority section of every other. */
static size_t resolve(const char *name, uint16_t type, uint8_t *reply)
{
    bool own = dns.zone != NULL && strcmp(name, dns.zone) == 0;
    size_t len = 12;
    memset(reply, 0, len);
    reply[2] = 0x81;
    reply[3] = 0x80;
    reply[5] = 1;
    len += put_name(reply + len, name);
    const uint8_t question[] = {0, (uint8_t)type, 0, 1};
    memcpy(reply + len, question, sizeof(question));
    len += sizeof(question);
    if (dns.zone != NULL && type == SOA) {
        reply[own ? 7 : 9] = 1;
        len += put_record(reply + len, dns.zone, SOA, dns.primary, 1 + 20);
    } else if (own && dns.second != NULL) {
        reply[7] = 1;
        len += put_record(reply + len, dns.zone, NS, dns.second, 0);
    }
    return len;
}

/** An authoritative server: whoever claims has it, updates are taken, addresses are those of `world.served`. */
static size_t serve(const uint8_t *query, size_t len, uint8_t *reply)
{
    bool lame = dns.lame != NULL && strcmp(world.stream.host, dns.lame) == 0;
    bool update = (query[2] >> 3 & 15) == UPDATE;
    size_t question = 12;
    while (query[question] != 0) {
        question += query[question] + 1u;
    }
    question += 5;
    uint8_t type = query[question - 3];
    (void)snprintf(dns.served_by, sizeof(dns.served_by), "%s", world.stream.host); /* same size */
    if (!update && type == 1) {
        size_t size = serve_address(query, len, reply);
        reply[2] = lame ? 0x80 : 0x84;
        return size;
    }
    memcpy(reply, query, question);
    memset(reply + 4, 0, 8);
    reply[5] = 1;
    reply[2] = (uint8_t)((lame ? 0x80 : 0x84) | (query[2] & 0x78));
    reply[3] = lame ? NOTAUTH : 0;
    if (update && !lame) {
        dns.changes[strcmp(world.stream.host, "one.example") == 0   ? 0
                    : strcmp(world.stream.host, "two.example") == 0 ? 1
                                                                    : 2]++;
    }
    return question;
}

static void on_claim(void *context, struct engine_zone *zone, uint64_t seen)
{
    (void)context;
    engine_zone_claimed(zone, seen + 1, ERR_OK);
}

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    (void)context;
    for (size_t i = 0; i < results_len; i++) {
        dns.applied += results[i].outcome == OUTCOME_APPLIED;
        dns.retried += results[i].outcome == OUTCOME_RETRY;
        dns.unknown += results[i].outcome == OUTCOME_UNKNOWN;
        if (results[i].error != NULL) {
            (void)snprintf(dns.error, sizeof(dns.error), "%s", results[i].error);    /* fits */
            (void)snprintf(dns.detail, sizeof(dns.detail), "%s", results[i].detail); /* cut: for its words */
        }
    }
}

static void open_world(struct service *service)
{
    *service = (struct service){.path = "/tmp/muster-engine-XXXXXX"};
    int fd = mkstemp(service->path);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    memset(&world, 0, sizeof(world));
    memset(&dns, 0, sizeof(dns));
    dns.zone = "zone.example";
    dns.primary = "one.example";
    dns.ttl_minutes = 10;
    world.now_ms = 1000;
    world.authority = true;
    world.resolve = resolve;
    world.serve = serve;
    assert_int_equal(engine_new(NULL, &service->engine), ERR_OK);
}

static struct engine_zone *open_zone_of(struct service *service, struct engine_account *account)
{
    struct engine_zone *zone = NULL;
    struct engine_zone_options options = {
        .name = "zone.example", .account = account, .callbacks = {.settled = on_settled, .claim = on_claim}};
    assert_int_equal(engine_zone_new(service->engine, &options, &zone), ERR_OK);
    return zone;
}

/** An account of @p provider that names no server. */
static struct engine_zone *open_zone(struct service *service, const char *provider)
{
    bool http = strcmp(provider, "rfc2136") != 0;
    open_world(service);
    struct engine_account_config config = {.name = "t",
                                           .provider = provider,
                                           .url = http ? "https://h.example/u" : NULL,
                                           .username = http ? "u" : NULL,
                                           .password_file = http ? service->path : NULL,
                                           .timeout = 10000,
                                           .retry_min = 1000,
                                           .retry_max = 60000,
                                           .burst = 1};
    assert_int_equal(engine_account_new(service->engine, &config, &service->account, NULL), ERR_OK);
    return open_zone_of(service, service->account);
}

/* ---- updates ---- */

static void primary_is_found_and_kept(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "rfc2136");
    submit(zone, "a.zone.example", 1, 1);
    run_until(5000);
    assert_int_equal(dns.applied, 1);
    assert_int_equal(dns.changes[0], 2); /* the claim and the change */
    assert_int_equal(world.asked, 1);
    assert_int_equal(world.stream.options.port, 53);
    close_stream(STREAM_CLOSE_PEER);
    run_until(world.now_ms + 5000);
    submit(zone, "a.zone.example", 2, 2);
    run_until(world.now_ms + 5000);
    assert_int_equal(dns.applied, 2);
    assert_int_equal(world.asked, 1); /* the SOA's TTL is ten minutes */
    run_until(world.now_ms + 11 * MINUTE);
    dns.primary = "two.example";
    close_stream(STREAM_CLOSE_PEER);
    run_until(world.now_ms + 5000);
    assert_int_equal(world.asked, 2);
    assert_string_equal(world.stream.host, "two.example");
    service_close(&service);
}

static void zone_without_soa_waits_with_a_clear_error_and_is_tried_again(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone_status status;
    struct engine_zone *zone = open_zone(&service, "rfc2136");
    dns.zone = NULL;
    submit(zone, "a.zone.example", 1, 1);
    run_until(30 * MINUTE);
    assert_int_equal(dns.applied, 0);
    assert_string_equal(dns.error, "no-primary");
    assert_non_null(strstr(dns.detail, "no zone of zone.example"));
    assert_non_null(strstr(dns.detail, "set `server`"));
    assert_in_range(world.asked, 20, 120); /* a minute's backoff with its jitter */
    engine_zone_status(zone, &status);
    assert_string_equal(status.state, "broken");
    dns.zone = "example"; /* there is a parent only: updates of it would be another zone's */
    run_until(60 * MINUTE);
    engine_zone_status(zone, &status);
    assert_non_null(strstr(status.last_error, "is no zone of its own, it lies in example"));
    assert_int_equal(world.connections, 0);
    dns.zone = "zone.example";
    run_until(world.now_ms + 3 * MINUTE);
    assert_int_equal(dns.applied, 1);
    service_close(&service);
}

static void primary_that_moved_is_found_anew(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "rfc2136");
    submit(zone, "a.zone.example", 1, 1);
    run_until(5000);
    assert_int_equal(dns.applied, 1);
    /* the old one became a secondary: it is told so by NOTAUTH, long before the SOA's TTL */
    dns.lame = "one.example";
    dns.primary = "two.example";
    submit(zone, "a.zone.example", 2, 2);
    run_until(world.now_ms + 2 * MINUTE);
    assert_int_equal(dns.applied, 2);
    assert_string_equal(dns.served_by, "two.example");
    /* and that one cannot be reached any more */
    dns.lame = NULL;
    dns.primary = "three.example";
    world.unreachable = "two.example";
    close_stream(STREAM_CLOSE_IO);
    submit(zone, "a.zone.example", 3, 3);
    run_until(world.now_ms + 2 * MINUTE);
    assert_int_equal(dns.applied, 3);
    assert_string_equal(dns.served_by, "three.example");
    service_close(&service);
}

static void silent_resolvers_stop_nobody_who_was_found(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "rfc2136");
    run_until(5000);
    world.resolve = NULL;
    run_until(world.now_ms + 11 * MINUTE);
    close_stream(STREAM_CLOSE_PEER);
    submit(zone, "a.zone.example", 1, 1);
    run_until(world.now_ms + 5000);
    assert_int_equal(dns.applied, 1);
    assert_int_equal(world.asked, 2);
    service_close(&service);
}

static void on_record(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct rrset_value *value)
{
    (void)context;
    (void)name;
    (void)type;
    (void)ttl;
    (void)value;
}

static void on_listed(void *context, enum err err, const char *detail)
{
    unsigned *called = context;
    ++*called;
    assert_int_not_equal(err, ERR_OK);
    assert_non_null(strstr(detail, "no zone of zone.example"));
}

static void listing_finds_the_primary_itself(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "rfc2136");
    unsigned called = 0;
    struct engine_listing listing = {.each = on_record, .done = on_listed, .context = &called};
    dns.zone = NULL;
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_STATE);
    run_until(5000);
    assert_int_equal(called, 1);
    assert_int_equal(engine_zone_list(zone, &listing), ERR_OK); /* ends with the zone, in the middle of the question */
    service_close(&service);
    assert_int_equal(called, 1);
}

/* ---- over TLS ---- */

static void whom_to_expect_must_be_said(void **state)
{
    (void)state;
    struct config_pair pairs[] = {{.key = "transport", .value = "tls"}, {.key = "tls_name", .value = "dns.example"}};
    const struct {
        const char *server, *ca_file, *words; /* NULL: it is taken */
        size_t first, len;                    /* of the options above */
        uint16_t port;
    } rows[] = {
        {NULL, NULL, "whom to expect", 0, 1, 0},
        {"dns.example:5353", NULL, NULL, 0, 1, 5353},
        {NULL, NULL, NULL, 0, 2, 853},
        {NULL, NULL, "go with the option transport: tls", 1, 1, 0},
        {"dns.example:53", "/ca.pem", "go with the option transport: tls", 0, 0, 0},
        {"dns.example:53", "/nonexistent", "/nonexistent: no certificates", 0, 1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct service service;
        struct errinfo info = {0};
        struct engine_account *account = NULL;
        struct engine_account_config config = {.name = "t",
                                               .provider = "rfc2136",
                                               .server = rows[i].server,
                                               .ca_file = rows[i].ca_file,
                                               .options = {.items = pairs + rows[i].first, .len = rows[i].len},
                                               .timeout = 10000,
                                               .retry_min = 1000,
                                               .retry_max = 60000,
                                               .burst = 1};
        open_world(&service);
        enum err err = engine_account_new(service.engine, &config, &account, &info);
        assert_int_equal(err, rows[i].words != NULL ? ERR_INVALID : ERR_OK);
        assert_true(rows[i].words == NULL || strstr(info.text, rows[i].words) != NULL);
        if (err == ERR_OK) {
            (void)open_zone_of(&service, account);
            run_until(world.now_ms + 200);
            assert_int_equal(world.stream.options.port, rows[i].port);
            assert_non_null(world.stream.options.layer);
        }
        service_close(&service);
    }
}

/* ---- unknown outcomes ---- */

static void unknown_outcome_is_settled_at_the_servers_of_the_name(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "dyndns2");
    const struct reply lost = {0, NULL, ERR_CLOSED};
    world.script = &lost;
    world.script_len = 1;
    dns.zone = "example"; /* the cut is above the zone of the config */
    memcpy(world.served, (uint8_t[]){192, 0, 2, 1}, 4);
    submit(zone, "a.zone.example", 1, 1);
    run_until(MINUTE);
    assert_int_equal(dns.unknown, 1);
    assert_int_equal(dns.applied, 1);
    assert_int_equal(world.requests, 1); /* it had been applied: nothing was sent again */
    assert_string_equal(dns.served_by, "one.example");
    service_close(&service);
}

static void name_servers_are_asked_where_the_primary_hides(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "dyndns2");
    const struct reply lost[] = {{0, NULL, ERR_CLOSED}, {0, NULL, ERR_CLOSED}};
    world.script = lost;
    world.script_len = 2;
    world.unreachable = "one.example";
    dns.second = "two.example";
    memcpy(world.served, (uint8_t[]){192, 0, 2, 1}, 4);
    submit(zone, "a.zone.example", 1, 1);
    run_until(MINUTE);
    assert_int_equal(dns.applied, 1);
    assert_string_equal(dns.served_by, "two.example");
    /* nor is one believed that answers without authority */
    world.unreachable = NULL;
    dns.lame = "one.example";
    run_until(world.now_ms + 11 * MINUTE); /* what was found is not fresh any more */
    world.served[3] = 2;
    submit(zone, "a.zone.example", 2, 2);
    run_until(world.now_ms + MINUTE);
    assert_int_equal(dns.applied, 2);
    assert_int_equal(world.requests, 2);
    assert_string_equal(dns.served_by, "two.example");
    service_close(&service);
}

static void nobody_can_be_asked_and_the_name_is_not_wrong_for_ever(void **state)
{
    (void)state;
    struct service service;
    struct engine_zone *zone = open_zone(&service, "dyndns2");
    const struct reply lost = {0, NULL, ERR_CLOSED};
    world.script = &lost;
    world.script_len = 1;
    world.unreachable = "one.example";
    submit(zone, "a.zone.example", 1, 1);
    run_until(2 * MINUTE);
    assert_int_equal(world.requests, 1); /* not at once */
    run_until(10 * MINUTE);
    assert_int_equal(world.requests, 2);
    assert_int_equal(dns.applied, 1);
    assert_string_equal(dns.error, "not-verified");
    assert_non_null(strstr(dns.detail, "verify_server"));
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primary_is_found_and_kept),
        cmocka_unit_test(zone_without_soa_waits_with_a_clear_error_and_is_tried_again),
        cmocka_unit_test(primary_that_moved_is_found_anew),
        cmocka_unit_test(silent_resolvers_stop_nobody_who_was_found),
        cmocka_unit_test(listing_finds_the_primary_itself),
        cmocka_unit_test(whom_to_expect_must_be_said),
        cmocka_unit_test(unknown_outcome_is_settled_at_the_servers_of_the_name),
        cmocka_unit_test(name_servers_are_asked_where_the_primary_hides),
        cmocka_unit_test(nobody_can_be_asked_and_the_name_is_not_wrong_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
