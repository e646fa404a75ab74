/* SPDX-License-Identifier: Apache-2.0 */
/* In a network namespace of its own, made by unshare: needs the right to make one, else the test is skipped. */
#include "net/netlink.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SKIP      77
#define KNOWN_MAX 512

extern char **environ;

/* What an owner of netlink does: keeps a set. */
struct known {
    struct loop *loop;
    struct netlink *netlink;
    struct rt_event events[KNOWN_MAX];
    size_t len;
    unsigned begun, ended, saw_tentative;
    bool (*is_reached)(const struct known *known);
};

static bool is_same(const struct rt_event *a, const struct rt_event *b)
{
    if (a->what != b->what || a->ifindex != b->ifindex) {
        return false;
    }
    return a->what == RT_ADDR    ? ip_equal(&a->addr.ip, &b->addr.ip)
           : a->what == RT_ROUTE ? a->route.family == b->route.family && a->route.metric == b->route.metric
                                 : true;
}

static void check(struct known *known)
{
    if (known->is_reached(known)) {
        loop_stop(known->loop);
    }
}

static void on_event(void *context, const struct rt_event *event)
{
    struct known *known = context;
    size_t at = 0;
    while (at < known->len && !is_same(&known->events[at], event)) {
        at++;
    }
    known->saw_tentative += event->what == RT_ADDR && (event->addr.flags & RT_ADDR_TENTATIVE) != 0;
    if (event->removed && at < known->len) {
        known->events[at] = known->events[--known->len];
    } else if (!event->removed) {
        assert_true(at < KNOWN_MAX);
        known->events[at] = *event;
        known->len = MAX(known->len, at + 1);
    }
    check(known);
}

static void on_resync(void *context, bool begin)
{
    struct known *known = context;
    known->begun += begin;
    known->ended += !begin;
    known->len = begin ? 0 : known->len;
    check(known);
}

static void on_failed(void *context, const struct errinfo *info)
{
    (void)context;
    fail_msg("netlink failed: %s", info->text);
}

static void give_up(void *context)
{
    const struct known *known = context;
    char text[RT_TEXT_SIZE];
    for (size_t i = 0; i < known->len; i++) {
        (void)rt_describe(&known->events[i], text);
        (void)fprintf(stderr, "known: %s\n", text);
    }
    fail_msg("not reached in time (begun %u, ended %u)", known->begun, known->ended);
}

static void run_until(struct known *known, bool (*is_reached)(const struct known *known))
{
    struct loop_timer *deadline;
    known->is_reached = is_reached;
    if (is_reached(known)) {
        return;
    }
    assert_int_equal(loop_timer_new(known->loop, give_up, known, &deadline), ERR_OK);
    loop_timer_after(deadline, 20000);
    loop_run(known->loop);
    loop_timer_free(deadline);
}

static bool is_quiet(const struct known *known)
{
    return known->ended > 0 && known->ended == known->begun;
}

static const struct rt_event *find(const struct known *known, enum rt_what what, const char *ifname, const char *ip)
{
    for (size_t i = 0; i < known->len; i++) {
        const struct rt_event *event = &known->events[i];
        char text[IP_TEXT_SIZE] = "";
        if (event->what == RT_ADDR) {
            (void)ip_format(&event->addr.ip, text);
        } else if (event->what == RT_ROUTE) {
            (void)ip_format(&event->route.gateway, text);
        }
        if (event->what == what && strcmp(event->ifname, ifname) == 0 && (ip == NULL || strcmp(text, ip) == 0)) {
            return event;
        }
    }
    return NULL;
}

/* Runs `ip -batch -` on a text of commands. */
static void ip_batch(const char *commands)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(commands, file) >= 0 && fflush(file) == 0);
    rewind(file);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fileno(file), 0), 0);
    char name[] = "ip", batch[] = "-batch", input[] = "-";
    char *const arguments[] = {name, batch, input, NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawnp(&pid, "ip", &actions, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    assert_int_equal(fclose(file), 0);
}

static void begin(struct known *known, int rcvbuf)
{
    *known = (struct known){0};
    struct netlink_options options = {
        .event = on_event, .resync = on_resync, .failed = on_failed, .context = known, .rcvbuf = rcvbuf};
    struct errinfo info;
    assert_int_equal(loop_new(&known->loop), ERR_OK);
    assert_int_equal(netlink_new(known->loop, &options, &known->netlink, &info), ERR_OK);
    run_until(known, is_quiet);
}

static void end(struct known *known)
{
    netlink_free(known->netlink);
    loop_free(known->loop);
    ip_batch("link del mt0\n");
}

static bool has_both(const struct known *known)
{
    const struct rt_event *v6 = find(known, RT_ADDR, "mt0", "2001:db8::5");
    return find(known, RT_ADDR, "mt0", "198.51.100.7") != NULL && v6 != NULL &&
           (v6->addr.flags & RT_ADDR_TENTATIVE) == 0 && find(known, RT_ROUTE, "mt0", "198.51.100.1") != NULL;
}

static bool has_lost_both(const struct known *known)
{
    return find(known, RT_ADDR, "mt0", "198.51.100.7") == NULL && find(known, RT_ADDR, "mt0", "2001:db8::5") == NULL &&
           find(known, RT_ROUTE, "mt0", NULL) == NULL;
}

static bool is_down(const struct known *known)
{
    const struct rt_event *link = find(known, RT_LINK, "mt0", NULL);
    return link != NULL && !link->link.up;
}

static void addresses_come_through_detection_and_go(void **state)
{
    (void)state;
    struct known known;
    ip_batch("link add mt0 type veth peer name mt1\nlink set mt0 up\nlink set mt1 up\n");
    begin(&known, 0);
    const struct rt_event *link = find(&known, RT_LINK, "lo", NULL);
    assert_non_null(link);
    assert_true(link->link.loopback);
    assert_non_null(find(&known, RT_LINK, "mt0", NULL));
    ip_batch("addr add 198.51.100.7/24 dev mt0\naddr add 2001:db8::5/64 dev mt0 valid_lft 1000 preferred_lft 500\n"
             "route add default via 198.51.100.1 dev mt0 metric 42\n");
    run_until(&known, has_both);
    const struct rt_event *v6 = find(&known, RT_ADDR, "mt0", "2001:db8::5");
    assert_true(known.saw_tentative > 0); /* duplicate address detection ran */
    assert_int_equal(v6->addr.prefix_len, 64);
    assert_in_range(v6->addr.preferred_s, 1, 500);
    assert_in_range(v6->addr.valid_s, 501, 1000);
    assert_int_equal(v6->addr.scope, RT_ADDR_SCOPE_UNIVERSE);
    const struct rt_event *v4 = find(&known, RT_ADDR, "mt0", "198.51.100.7");
    assert_int_equal(v4->addr.valid_s, RT_FOREVER);
    assert_true(v4->addr.flags & RT_ADDR_PERMANENT);
    const struct rt_event *route = find(&known, RT_ROUTE, "mt0", "198.51.100.1");
    assert_int_equal(route->route.metric, 42);
    assert_false(route->route.from_ra);
    ip_batch("route del default\naddr del 198.51.100.7/24 dev mt0\naddr del 2001:db8::5/64 dev mt0\n");
    run_until(&known, has_lost_both);
    ip_batch("link set mt0 down\n");
    run_until(&known, is_down);
    assert_int_equal(netlink_stats(known.netlink).overruns, 0);
    assert_int_equal(netlink_stats(known.netlink).malformed, 0);
    assert_int_equal(known.begun, 1);
    end(&known);
}

static bool has_last_of_storm(const struct known *known)
{
    return is_quiet(known) && known->begun > 1 && find(known, RT_ADDR, "mt0", "10.1.2.3") != NULL;
}

/* More events than a tiny buffer holds, none read meanwhile: the kernel drops some, and the picture is whole again. */
static void dropped_events_lead_to_a_whole_picture_again(void **state)
{
    (void)state;
    struct known known;
    static char commands[64 * 1024];
    size_t len = 0;
    ip_batch("link add mt0 type veth peer name mt1\nlink set mt0 up\nlink set mt1 up\n");
    begin(&known, 2048);
    for (unsigned i = 0; i < 200; i++) {
        len += (size_t)snprintf(commands + len, sizeof(commands) - len, "addr add 10.2.%u.1/24 dev mt0\n", i);
    }
    for (unsigned i = 0; i < 199; i++) {
        len += (size_t)snprintf(commands + len, sizeof(commands) - len, "addr del 10.2.%u.1/24 dev mt0\n", i);
    }
    (void)snprintf(commands + len, sizeof(commands) - len, "addr add 10.1.2.3/24 dev mt0\n");
    ip_batch(commands);
    run_until(&known, has_last_of_storm);
    assert_true(netlink_stats(known.netlink).overruns > 0);
    assert_true(netlink_stats(known.netlink).resyncs > 1);
    assert_non_null(find(&known, RT_ADDR, "mt0", "10.2.199.1"));
    for (unsigned i = 0; i < 199; i++) {
        char text[IP_TEXT_SIZE];
        (void)snprintf(text, sizeof(text), "10.2.%u.1", i);
        assert_null(find(&known, RT_ADDR, "mt0", text));
    }
    end(&known);
}

static bool has_resynced(const struct known *known)
{
    return known->ended == 2;
}

static void a_resync_by_hand_tells_all_again(void **state)
{
    (void)state;
    struct known known;
    ip_batch("link add mt0 type veth peer name mt1\nlink set mt0 up\naddr add 198.51.100.7/24 dev mt0\n");
    begin(&known, 0);
    netlink_resync(known.netlink);
    run_until(&known, has_resynced);
    assert_int_equal(known.begun, 2);
    assert_non_null(find(&known, RT_ADDR, "mt0", "198.51.100.7"));
    end(&known);
}

int main(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        (void)fprintf(stderr, "no right to make a network namespace: %s\n", strerror(errno));
        return SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_through_detection_and_go),
        cmocka_unit_test(dropped_events_lead_to_a_whole_picture_again),
        cmocka_unit_test(a_resync_by_hand_tells_all_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
