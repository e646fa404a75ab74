/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine over dyndns2 for a simulated day: loop and HTTP client are replaced at link time by a virtual clock and a
 * scripted service, so that what a client must not do for hours is tested in milliseconds. The same replies over real
 * TLS are in tests/contract/test_dyndns2.py.
 */
#include "providers/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "net/http.h"
#include "net/stream.h"
#include "providers/account.h"

enum { TIMERS_MAX = 8, HOURS = 3600 * 1000 };

struct loop_timer {
    loop_fn fn;
    void *context;
    uint64_t at_ms; /* UINT64_MAX = not armed */
    bool used;
};

static struct {
    uint64_t now_ms;
    struct loop_timer timers[TIMERS_MAX];
    /* the service */
    const char *body;
    enum err err;
    unsigned status;
    uint64_t retry_after_s;
    unsigned requests, faults_left;
    http_fn done; /* of the request under way */
    void *context;
    char url[256];
    /* the owner of the zone */
    unsigned applied, refused, retried, unknown;
} world;

uint64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return world.now_ms;
}

enum err loop_timer_new(struct loop *loop, loop_fn fn, void *context, struct loop_timer **ret_timer)
{
    (void)loop;
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        if (!world.timers[i].used) {
            world.timers[i] = (struct loop_timer){fn, context, UINT64_MAX, true};
            *ret_timer = &world.timers[i];
            return ERR_OK;
        }
    }
    return ERR_LIMIT;
}

void loop_timer_at(struct loop_timer *timer, uint64_t mono_ms)
{
    timer->at_ms = mono_ms;
}

void loop_timer_after(struct loop_timer *timer, uint64_t delay_ms)
{
    timer->at_ms = world.now_ms + delay_ms;
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->at_ms = UINT64_MAX;
}

void loop_timer_free(struct loop_timer *timer)
{
    timer->used = false;
    timer->at_ms = UINT64_MAX;
}

/* The authoritative server cannot be reached in this world: what is unknown stays unknown. */
enum err stream_new(struct loop *loop, const struct stream_options *options, struct stream **ret_stream)
{
    (void)loop;
    (void)options;
    (void)ret_stream;
    return ERR_IO;
}

void stream_free(struct stream *stream)
{
    (void)stream;
}

enum err stream_write_framed(struct stream *stream, struct view message)
{
    (void)stream;
    (void)message;
    return ERR_CLOSED;
}

bool stream_next_framed(struct view *data, struct view *ret_message)
{
    (void)data;
    (void)ret_message;
    return false;
}

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct http_client **ret_client)
{
    (void)loop;
    assert_true(strncmp(options->user_agent, "muster/", 7) == 0);
    *ret_client = (struct http_client *)&world;
    return ERR_OK;
}

void http_client_free(struct http_client *client)
{
    (void)client;
}

enum err http_start(struct http_client *client, const struct http_request *request, struct http_transfer **ret_transfer)
{
    assert_ptr_equal(client, &world);
    assert_null(world.done); /* one request at a time */
    world.requests++;
    world.done = request->done;
    world.context = request->context;
    (void)snprintf(world.url, sizeof(world.url), "%s", request->url); /* fits: two hosts */
    *ret_transfer = (struct http_transfer *)&world;
    return ERR_OK;
}

void http_cancel(struct http_transfer *transfer)
{
    (void)transfer;
    world.done = NULL;
}

bool http_result_header(const struct http_result *result, const char *name, struct view *ret_value)
{
    (void)result;
    (void)name;
    (void)ret_value;
    return false;
}

bool http_result_retry_after(const struct http_result *result, int64_t wall_ms, uint64_t *ret_ms)
{
    (void)wall_ms;
    *ret_ms = world.retry_after_s * 1000;
    return result->status != 200 && world.retry_after_s > 0;
}

size_t http_client_active(const struct http_client *client)
{
    (void)client;
    return world.done != NULL;
}

static void answer(void)
{
    http_fn done = world.done;
    char good[64] = "good 192.0.2.1\n";
    if (strchr(world.url, ',') != NULL) {
        (void)snprintf(good, sizeof(good), "good 192.0.2.1\ngood 192.0.2.1\n"); /* fits */
    }
    bool faulty = world.faults_left > 0;
    world.faults_left -= faulty;
    struct http_result result = {.status = faulty ? world.status : 200,
                                 .err = faulty ? world.err : ERR_OK,
                                 .sent = world.err != ERR_CRYPTO,
                                 .body = view_of(faulty ? world.body : good)};
    world.done = NULL;
    done(world.context, &result);
}

/** Runs the world until @p until_ms: timers in their order, every request answered after 50 ms. */
static void run_until(uint64_t until_ms)
{
    while (true) {
        struct loop_timer *next = NULL;
        for (size_t i = 0; i < TIMERS_MAX; i++) {
            struct loop_timer *timer = &world.timers[i];
            if (timer->used && (next == NULL || timer->at_ms < next->at_ms)) {
                next = timer;
            }
        }
        uint64_t answer_ms = world.done != NULL ? world.now_ms + 50 : UINT64_MAX;
        uint64_t at_ms = next != NULL ? MAX(next->at_ms, world.now_ms) : UINT64_MAX;
        if (MIN(answer_ms, at_ms) > until_ms) {
            world.now_ms = until_ms;
            return;
        }
        if (answer_ms < at_ms) {
            world.now_ms = answer_ms;
            answer();
        } else {
            world.now_ms = at_ms;
            next->at_ms = UINT64_MAX;
            next->fn(next->context);
        }
    }
}

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    (void)context;
    for (size_t i = 0; i < results_len; i++) {
        world.applied += results[i].outcome == OUTCOME_APPLIED;
        world.refused += results[i].outcome == OUTCOME_REFUSED;
        world.retried += results[i].outcome == OUTCOME_RETRY;
        world.unknown += results[i].outcome == OUTCOME_UNKNOWN;
        assert_true((results[i].error == NULL) == (results[i].outcome == OUTCOME_APPLIED));
    }
}

struct day {
    const char *body;
    unsigned status;
    enum err err;
    unsigned faults; /* replies of this kind before the service is well again; 0 = always */
    uint64_t retry_after_s;
    unsigned requests_min, requests_max; /* in 24 hours, two hosts of one address */
    unsigned applied, refused;
};

static void run_day(const struct day *day)
{
    char path[] = "/tmp/muster-engine-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    memset(&world, 0, sizeof(world));
    world.now_ms = 1000;
    world.body = day->body;
    world.status = day->status;
    world.err = day->err;
    world.retry_after_s = day->retry_after_s;
    world.faults_left = day->faults != 0 ? day->faults : UINT32_MAX;
    struct engine_account_config config = {.name = "t",
                                           .provider = "dyndns2",
                                           .url = "https://h.example/u",
                                           .username = "u",
                                           .password_file = path,
                                           .verify_server = "127.0.0.1:53",
                                           .timeout = 10000,
                                           .retry_min = 1000,
                                           .retry_max = 600000,
                                           .burst = 1};
    struct engine *engine = NULL;
    struct engine_account *account = NULL;
    struct engine_zone *zone = NULL;
    assert_int_equal(engine_new(NULL, &engine), ERR_OK);
    assert_int_equal(engine_account_new(engine, &config, &account, NULL), ERR_OK);
    struct engine_zone_options options = {.name = "example", .account = account, .callbacks = {.settled = on_settled}};
    assert_int_equal(engine_zone_new(engine, &options, &zone), ERR_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct rrset_change change = {
            .name = i == 0 ? "a.example" : "b.example", .type = RRTYPE_A, .ttl = 60, .rev = i};
        change.want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
        assert_int_equal(engine_zone_submit(zone, &change), ERR_OK);
    }
    run_until(24 * (uint64_t)HOURS);
    if (world.requests < day->requests_min || world.requests > day->requests_max || world.applied != day->applied ||
        world.refused != day->refused) {
        print_error("status %u \"%s\": %u requests, %u applied, %u refused\n", day->status, day->body, world.requests,
                    world.applied, world.refused);
    }
    assert_in_range(world.requests, day->requests_min, day->requests_max);
    assert_int_equal(world.applied, day->applied);
    assert_int_equal(world.refused, day->refused);
    engine_zone_free(zone);
    engine_free(engine);
    unlink(path);
}

static void requests_of_a_day_stay_within_the_rules(void **state)
{
    (void)state;
    static const struct day days[] = {
        /* body, status, err, faults, retry_after_s, requests, applied, refused */
        {"good\ngood", 200, ERR_OK, 0, 0, 1, 1, 2, 0},
        {"nochg\nnochg", 200, ERR_OK, 0, 0, 1, 1, 2, 0},
        {"badauth", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"badagent", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"good 127.0.0.1", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"", 401, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"", 403, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"notfqdn\nnohost", 200, ERR_OK, 0, 0, 1, 1, 0, 2},
        {"abuse\n!donator", 200, ERR_OK, 0, 0, 1, 1, 0, 2},
        {"nohost\ngood", 200, ERR_OK, 0, 0, 1, 1, 1, 1},
        {"good\nabuse", 200, ERR_OK, 0, 0, 1, 1, 1, 1},
        {"good\nbadauth", 200, ERR_OK, 0, 0, 1, 1, 1, 0},
        {"numhost", 200, ERR_OK, 0, 0, 3, 3, 0, 2}, /* together, then each alone */
        {"numhost", 200, ERR_OK, 1, 0, 3, 3, 2, 0},
        {"dnserr\ndnserr", 200, ERR_OK, 0, 0, 24, 96, 0, 0}, /* at most each half hour a host */
        {"dnserr\ndnserr", 200, ERR_OK, 1, 0, 2, 3, 2, 0},
        {"911", 200, ERR_OK, 0, 0, 72, 144, 0, 0}, /* at most each ten minutes */
        {"911", 200, ERR_OK, 3, 0, 4, 4, 2, 0},
        {"", 429, ERR_OK, 0, 3600, 12, 24, 0, 0},
        {"", 429, ERR_OK, 1, 7, 2, 2, 2, 0},
        {"", 500, ERR_OK, 0, 0, 150, 600, 0, 0}, /* full jitter up to ten minutes */
        {"", 503, ERR_OK, 5, 0, 6, 6, 2, 0},
        {"", 200, ERR_OK, 0, 0, 1, 1, 0, 0}, /* unknown, and nobody can tell: never again */
        {"<html>\n<p>\n</html>", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"goo", 200, ERR_OK, 0, 0, 1, 1, 0, 0},
        {"good", 200, ERR_OK, 0, 0, 1, 1, 1, 0}, /* fewer lines than hosts */
        {"", 0, ERR_TIMEOUT, 0, 0, 1, 1, 0, 0},  /* stalled after the request had left */
        {"", 0, ERR_IO, 0, 0, 1, 1, 0, 0},
        {"", 0, ERR_CRYPTO, 0, 0, 150, 600, 0, 0}, /* TLS: nothing had left, so it may be tried again */
        {"", 0, ERR_CRYPTO, 4, 0, 5, 5, 2, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        run_day(&days[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests_of_a_day_stay_within_the_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
