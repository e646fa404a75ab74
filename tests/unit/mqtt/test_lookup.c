/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

/* What Paho asks, and the first address that it gets, as text. */
static int ask(const char *host, char ret_text[static IP_TEXT_SIZE])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc == 0) {
        assert_int_equal(getnameinfo(list->ai_addr, list->ai_addrlen, ret_text, IP_TEXT_SIZE, NULL, 0, NI_NUMERICHOST),
                         0);
        assert_null(list->ai_next);
        freeaddrinfo(list);
    }
    return rc;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(view_of(text), &ip), ERR_OK);
    return ip;
}

/* 192.0.2.0/24 and 2001:db8::/32 are documentation; the names end in .invalid: no server is ever asked. */
static void a_pinned_host_is_its_address_until_unpinned(void **state)
{
    (void)state;
    int owner;
    char text[IP_TEXT_SIZE];
    struct ip ip = ip_of("192.0.2.7");
    assert_int_equal(lookup_pin(&owner, "broker.invalid", &ip), ERR_OK);
    assert_int_equal(ask("broker.invalid", text), 0);
    assert_string_equal(text, "192.0.2.7");
    ip = ip_of("2001:db8::7");
    assert_int_equal(lookup_pin(&owner, "broker.invalid", &ip), ERR_OK); /* replaces */
    assert_int_equal(ask("broker.invalid", text), 0);
    assert_string_equal(text, "2001:db8::7");
    assert_int_equal(ask("192.0.2.9", text), 0); /* others are passed on */
    assert_string_equal(text, "192.0.2.9");
    lookup_unpin(&owner);
    assert_int_equal(ask("2001:db8::9", text), 0);
    assert_string_equal(text, "2001:db8::9");
}

static void owners_have_a_pin_each_and_sixteen_at_most(void **state)
{
    (void)state;
    char owners[17];
    char text[IP_TEXT_SIZE];
    struct ip ip = ip_of("192.0.2.1");
    for (size_t i = 0; i < 16; i++) {
        char host[] = "a.invalid";
        host[0] = (char)('a' + i);
        assert_int_equal(lookup_pin(&owners[i], host, &ip), ERR_OK);
    }
    assert_int_equal(lookup_pin(&owners[16], "q.invalid", &ip), ERR_LIMIT);
    lookup_unpin(&owners[3]);
    assert_int_equal(lookup_pin(&owners[16], "q.invalid", &ip), ERR_OK);
    assert_int_equal(ask("q.invalid", text), 0);
    for (size_t i = 0; i < 17; i++) {
        lookup_unpin(&owners[i]);
    }
}

static void count(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static enum err wait_result(struct lookup *lookup, struct ip *addresses, size_t *len)
{
    uint64_t end = clock_mono_ms() + 10000;
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN && clock_mono_ms() < end) {
        err = lookup_result(lookup, addresses, len);
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return err;
}

static void a_lookup_hands_out_addresses_and_wakes_once(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    struct lookup *lookup = NULL;
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
    size_t len = 0;
    assert_int_equal(lookup_start("2001:db8::5", count, &wakes, &lookup), ERR_OK);
    assert_int_equal(wait_result(lookup, addresses, &len), ERR_OK);
    assert_int_equal(len, 1);
    struct ip expected = ip_of("2001:db8::5");
    assert_true(ip_equal(&addresses[0], &expected));
    lookup_free(lookup);
    assert_int_equal(atomic_load(&wakes), 1);
}

/* The empty name fails in the library: nobody is asked. */
static void a_name_that_is_none_is_not_found(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    struct lookup *lookup = NULL;
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
    size_t len = 0;
    assert_int_equal(lookup_start("", count, &wakes, &lookup), ERR_OK);
    assert_int_equal(wait_result(lookup, addresses, &len), ERR_NOTFOUND);
    lookup_free(lookup);
    char longer[LOOKUP_HOST_MAX + 2];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(lookup_start(longer, count, &wakes, &lookup), ERR_LIMIT);
}

static void nobody_is_woken_after_free(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        atomic_int wakes = 0;
        struct lookup *lookup = NULL;
        assert_int_equal(lookup_start("192.0.2.1", count, &wakes, &lookup), ERR_OK);
        lookup_free(lookup);
        assert_true(atomic_load(&wakes) <= 1);
        atomic_store(&wakes, -1000); /* a late wake would write to a dead frame: the sanitizers watch */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pinned_host_is_its_address_until_unpinned),
        cmocka_unit_test(owners_have_a_pin_each_and_sixteen_at_most),
        cmocka_unit_test(a_lookup_hands_out_addresses_and_wakes_once),
        cmocka_unit_test(a_name_that_is_none_is_not_found),
        cmocka_unit_test(nobody_is_woken_after_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
