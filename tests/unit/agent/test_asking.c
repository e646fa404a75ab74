/* SPDX-License-Identifier: Apache-2.0 */
/** The sources stun and dns while nobody answers: what is under way, what is refused, what is cancelled. */
#include "agent/detect/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/detect/sources.h"
#include "net/sockaddr.h"
#include "tests/lib/scarce.h"

static const struct ip LOOPBACK = {.family = IP_V4, .bytes = {127, 0, 0, 1}};

static struct seen {
    struct loop *loop;
    struct source *source;
    const struct source_ops *ops;
    unsigned answers, wanted;
    bool ask_again;
    struct source_question question;
    struct source_answer answer;
} seen;

static void answered(void *context, const struct source_question *question, const struct source_answer *answer)
{
    struct seen *at = context;
    at->answers++;
    at->question = *question;
    at->answer = *answer;
    if (at->ask_again) { /* the path is free when its answer is told */
        at->ask_again = false;
        assert_int_equal(at->ops->ask(at->source, question), ERR_OK);
    }
    if (at->answers == at->wanted) {
        loop_stop(at->loop);
    }
}

/* A server that hears and says nothing. */
static int silent(char server[static 32])
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_make(&LOOPBACK, 0, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(server, 32, "127.0.0.1:%u", (unsigned)sockaddr_port(&address));
    return fd;
}

static void begin(const struct source_ops *ops, const struct source_config *config)
{
    const struct source_callbacks callbacks = {.answered = answered, .context = &seen};
    seen = (struct seen){.ops = ops};
    assert_int_equal(loop_new(&seen.loop), ERR_OK);
    assert_int_equal(ops->open(seen.loop, config, &callbacks, &seen.source, NULL), ERR_OK);
}

static void end(void)
{
    seen.ops->close(seen.source);
    loop_free(seen.loop);
}

/* @param both families can be asked: the server is given by name. */
static void each_path_is_asked_once_at_a_time(const struct source_ops *ops, const struct source_config *config,
                                              bool both)
{
    struct source_question v4 = {.family = IP_V4, .timeout_ms = 40};
    struct source_question lo = {.family = IP_V4, .uplink = "lo", .timeout_ms = 20};
    struct source_question v6 = {.family = IP_V6, .timeout_ms = 40};
    begin(ops, config);
    assert_int_equal(ops->ask(seen.source, &v4), ERR_OK);
    assert_int_equal(ops->ask(seen.source, &v4), ERR_AGAIN);
    assert_int_equal(ops->ask(seen.source, &v6), both ? ERR_OK : ERR_UNSUPPORTED);
    assert_int_equal(ops->ask(seen.source, &lo), ERR_OK);
    assert_int_equal(ops->ask(seen.source, &lo), ERR_AGAIN);
    assert_int_equal(seen.answers, 0); /* never inside ask */
    seen.wanted = both ? 4 : 3;
    seen.ask_again = true;
    loop_run(seen.loop);
    assert_int_equal(seen.answer.status, SOURCE_ANSWER_FAILED);
    assert_true(seen.answer.elapsed_ms >= 20);
    assert_non_null(strstr(seen.answer.detail, "127.0.0.1"));
    end();
}

static void stop(void *context)
{
    loop_stop(context);
}

#define TIMEOUT_MS 300 /* nothing of it passes before the cancel, but for what a busy machine takes */

static void what_is_cancelled_is_not_answered(const struct source_ops *ops, const struct source_config *config)
{
    struct source_question v4 = {.family = IP_V4, .timeout_ms = TIMEOUT_MS};
    struct source_question lo = {.family = IP_V4, .uplink = "lo", .timeout_ms = TIMEOUT_MS};
    struct loop_timer *later;
    begin(ops, config);
    assert_int_equal(ops->ask(seen.source, &v4), ERR_OK);
    ops->cancel(seen.source); /* before it began */
    assert_int_equal(ops->ask(seen.source, &v4), ERR_OK);
    assert_int_equal(ops->ask(seen.source, &lo), ERR_OK);
    assert_int_equal(loop_timer_new(seen.loop, stop, seen.loop, &later), ERR_OK);
    loop_timer_after(later, 0);
    loop_run(seen.loop);
    ops->cancel(seen.source); /* under way */
    loop_timer_after(later, TIMEOUT_MS + 50);
    loop_run(seen.loop);
    assert_int_equal(seen.answers, 0);
    assert_int_equal(ops->ask(seen.source, &v4), ERR_OK);
    loop_timer_after(later, 0);
    loop_run(seen.loop);
    loop_timer_free(later);
    end(); /* with one under way */
}

static void stun_asks_each_path_once(void **state)
{
    char server[32];
    int fd = silent(server);
    (void)state;
    const struct source_config one = {.type = "stun", .server = server};
    const struct source_config two = {.type = "stun", .server = server, .server2 = "localhost:9"};
    each_path_is_asked_once_at_a_time(&source_stun, &one, false);
    each_path_is_asked_once_at_a_time(&source_stun, &two, true);
    what_is_cancelled_is_not_answered(&source_stun, &one);
    what_is_cancelled_is_not_answered(&source_stun, &two);
    assert_int_equal(close(fd), 0);
}

static void dns_asks_each_path_once(void **state)
{
    char server[32];
    int fd = silent(server);
    (void)state;
    const struct source_config given = {.type = "dns", .service = "google", .server = server};
    const struct source_config named = {.type = "dns", .server = "localhost:9", .query = "me.example.net"};
    each_path_is_asked_once_at_a_time(&source_dns, &given, false);
    what_is_cancelled_is_not_answered(&source_dns, &given);
    what_is_cancelled_is_not_answered(&source_dns, &named);
    assert_int_equal(close(fd), 0);
}

/* Memory that ends at each allocation in turn: an error or an answer, never both, never neither. */
static void memory_may_end_anywhere(void **state)
{
    char server[32];
    int fd = silent(server);
    (void)state;
    const struct source_config stun = {.type = "stun", .server = server};
    const struct source_config dns = {.type = "dns", .service = "google", .server = server};
    const struct {
        const struct source_ops *ops;
        const struct source_config *config;
    } cases[] = {{&source_stun, &stun}, {&source_dns, &dns}};
    struct source_question question = {.family = IP_V4, .timeout_ms = 2};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(cases[i].ops, cases[i].config);
        seen.wanted = 1;
        bool failed = true;
        for (unsigned long n = 0; failed; n++) {
            seen.answers = 0;
            scarce_arm(n);
            enum err err = cases[i].ops->ask(seen.source, &question);
            if (err == ERR_OK) {
                loop_run(seen.loop);
            }
            failed = scarce_disarm();
            assert_true(err == ERR_OK || (err == ERR_NOMEM && failed));
            assert_int_equal(seen.answers, err == ERR_OK ? 1 : 0);
        }
        end();
    }
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stun_asks_each_path_once),
        cmocka_unit_test(dns_asks_each_path_once),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
