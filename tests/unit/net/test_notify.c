/* SPDX-License-Identifier: Apache-2.0 */
#include "net/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* The service manager's end. */
struct manager {
    int fd;
    char folder[32], path[64];
};

static int make_manager(void **state)
{
    struct manager *manager = calloc(1, sizeof(*manager));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *state = manager;
    (void)snprintf(manager->folder, sizeof(manager->folder), "/tmp/muster-notify-XXXXXX");
    if (mkdtemp(manager->folder) == NULL) {
        return -1;
    }
    (void)snprintf(manager->path, sizeof(manager->path), "%s/notify", manager->folder);
    memcpy(address.sun_path, manager->path, sizeof(manager->path));
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(manager->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   setenv("NOTIFY_SOCKET", manager->path, 1) == 0
               ? 0
               : -1;
}

static int drop_manager(void **state)
{
    struct manager *manager = *state;
    bool clean = close(manager->fd) == 0 && unlink(manager->path) == 0 && rmdir(manager->folder) == 0;
    clean = unsetenv("NOTIFY_SOCKET") == 0 && unsetenv("WATCHDOG_USEC") == 0 && unsetenv("WATCHDOG_PID") == 0 && clean;
    free(manager);
    return clean ? 0 : -1;
}

static void assert_told(const struct manager *manager, const char *expected)
{
    char text[512] = "";
    ssize_t got = recv(manager->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    assert_true(got >= 0);
    assert_string_equal(text, expected);
}

static void assert_told_nothing(const struct manager *manager)
{
    char byte;
    assert_int_equal(recv(manager->fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void each_state_is_one_datagram(void **state)
{
    const struct manager *manager = *state;
    unsigned long long usec = 0;
    char text[128] = "";
    notify_ready();
    assert_told(manager, "READY=1");
    notify_status("zone ex.test: 3 pending");
    assert_told(manager, "STATUS=zone ex.test: 3 pending");
    uint64_t before = clock_mono_ns() / 1000;
    notify_reloading();
    assert_true(recv(manager->fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
    assert_in_range(usec, before, clock_mono_ns() / 1000);
    notify_stopping();
    assert_told(manager, "STOPPING=1");
}

static void without_a_manager_nothing_happens(void **state)
{
    const struct manager *manager = *state;
    static const char *const elsewhere[] = {"", "relative", "/nonexistent/folder/notify"};
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", elsewhere[i], 1), 0);
        notify_ready();
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_ready();
    assert_told_nothing(manager);
}

static void stop(void *context)
{
    loop_stop(context);
}

static void the_watchdog_is_petted_twice_a_period(void **state)
{
    const struct manager *manager = *state;
    struct loop *loop;
    struct loop_timer *end;
    struct notify_watchdog *watchdog;
    assert_int_equal(setenv("WATCHDOG_USEC", "40000", 1), 0);
    assert_int_equal(loop_new(&loop), ERR_OK);
    assert_int_equal(notify_watchdog_new(loop, &watchdog), ERR_OK);
    assert_non_null(watchdog);
    assert_told(manager, "WATCHDOG=1"); /* at once */
    assert_int_equal(loop_timer_new(loop, stop, loop, &end), ERR_OK);
    loop_timer_after(end, 21);
    loop_run(loop);
    assert_told(manager, "WATCHDOG=1"); /* half a period later */
    notify_watchdog_free(watchdog);
    loop_timer_free(end);
    loop_free(loop);
}

static void a_watchdog_of_another_process_or_none_is_left_alone(void **state)
{
    const struct manager *manager = *state;
    struct loop *loop;
    struct notify_watchdog *watchdog;
    assert_int_equal(loop_new(&loop), ERR_OK);
    static const char *const values[] = {"", "0", "-5", "soon"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_int_equal(setenv("WATCHDOG_USEC", values[i], 1), 0);
        assert_int_equal(notify_watchdog_new(loop, &watchdog), ERR_OK);
        assert_null(watchdog);
    }
    assert_int_equal(setenv("WATCHDOG_USEC", "40000", 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    assert_int_equal(notify_watchdog_new(loop, &watchdog), ERR_OK);
    assert_null(watchdog);
    notify_watchdog_free(watchdog);
    assert_told_nothing(manager);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_state_is_one_datagram, make_manager, drop_manager),
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_happens, make_manager, drop_manager),
        cmocka_unit_test_setup_teardown(the_watchdog_is_petted_twice_a_period, make_manager, drop_manager),
        cmocka_unit_test_setup_teardown(a_watchdog_of_another_process_or_none_is_left_alone, make_manager,
                                        drop_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
