/* SPDX-License-Identifier: Apache-2.0 */
/* Real handshakes over a socketpair, with a server in a thread and certificates of our own authorities. */
#include "provisioning/tlspeer.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/ssl.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "provisioning/ca.h"

#define DAY  (24 * 60 * 60)
#define LIFE (30 * DAY - 1) /* the last second counts */
#define HOST "broker.example.net"

static char folder[] = "/tmp/muster-tlspeer-XXXXXX";
static char ours[64], others[64], trusted[96]; /* two authorities; what agents of the first one trust */
static struct key_rng *rng;
static int64_t now_s;

/* What the server shows, and how. */
struct server {
    int fd;
    struct ca_pair pair;
    bool old;            /* TLS 1.2 */
    bool wants_client;   /* a certificate, which we have none of */
    const char *garbage; /* said in place of a handshake, NULL = none */
};

static void *serve(void *context)
{
    struct server *server = context;
    if (server->garbage != NULL) {
        (void)!write(server->fd, server->garbage,
                     strlen(server->garbage)); /* what the client makes of it is the test */
        (void)shutdown(server->fd, SHUT_WR);
        return NULL;
    }
    WOLFSSL_CTX *tls = wolfSSL_CTX_new(server->old ? wolfTLSv1_2_server_method() : wolfTLS_server_method());
    const unsigned char *chain = (const unsigned char *)strbuf_str(&server->pair.chain_pem);
    const unsigned char *key = (const unsigned char *)strbuf_str(&server->pair.key_pem);
    bool good =
        tls != NULL &&
        wolfSSL_CTX_use_certificate_chain_buffer(tls, chain, (long)server->pair.chain_pem.len) == WOLFSSL_SUCCESS &&
        wolfSSL_CTX_use_PrivateKey_buffer(tls, key, (long)server->pair.key_pem.len, WOLFSSL_FILETYPE_PEM) ==
            WOLFSSL_SUCCESS;
    if (good && server->wants_client) {
        good = wolfSSL_CTX_load_verify_locations(tls, trusted, NULL) == WOLFSSL_SUCCESS;
        wolfSSL_CTX_set_verify(tls, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    WOLFSSL *ssl = good ? wolfSSL_new(tls) : NULL;
    good = ssl != NULL && wolfSSL_set_fd(ssl, server->fd) == WOLFSSL_SUCCESS;
    if (good) {
        wolfSSL_SetIOWriteFlags(ssl, MSG_NOSIGNAL);
        (void)wolfSSL_accept(ssl); /* it fails where the client is to find that out */
    }
    (void)shutdown(server->fd, SHUT_WR);
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(tls);
    key_forget_tables(); /* of this thread */
    return good ? NULL : server;
}

/* A certificate of @p authority that is made @p days_ago and lives 30 days. */
static void certify(struct server *server, const char *authority, const struct cert_subject *subject, int64_t days_ago)
{
    struct ca *ca = NULL;
    struct errinfo info = {0};
    ca_pair_init(&server->pair);
    assert_int_equal(ca_open(authority, subject->profile, &(struct key_opening){.rng = rng}, &ca, &info), ERR_OK);
    enum err err = ca_issue(ca, subject, now_s - days_ago * DAY, 30, &server->pair, &info);
    ca_free(ca);
    if (err != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

/* Looks at @p server as a client of @p host. */
static struct tlspeer look(struct server *server, const char *host)
{
    struct tlspeer peer = {0};
    struct errinfo info = {0};
    const struct timeval patience = {.tv_sec = 30};
    int ends[2];
    pthread_t thread;
    void *failed = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(ends[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    }
    server->fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
    enum err err = tlspeer_look(ends[0], host, trusted, &peer, &info);
    assert_true(fcntl(ends[0], F_GETFD) >= 0); /* it stays the caller's */
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_int_equal(close(ends[1]), 0);
    assert_null(failed);
    if (err != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return peer;
}

static const char *const names[] = {HOST, "mqtt.example.org"};
static const struct ip addresses[] = {{.family = IP_V4, .bytes = {192, 0, 2, 7}},
                                      {.family = IP_V6, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = 1}}};
static const struct cert_subject broker = {.profile = CERT_SERVER,
                                           .common_name = {.ptr = "broker", .len = 6},
                                           .dns = names,
                                           .dns_len = 2,
                                           .ips = addresses,
                                           .ips_len = 2};

static void finds_nothing_against_a_good_server(void **state)
{
    (void)state;
    static const char *const hosts[] = {HOST, "BROKER.Example.Net", "mqtt.example.org", "192.0.2.7", "2001:db8::1"};
    for (size_t i = 0; i < 2 * ARRAY_LEN(hosts); i++) {
        struct server server = {.old = i % 2 == 1};
        certify(&server, ours, &broker, 0);
        struct tlspeer peer = look(&server, hosts[i / 2]);
        if (peer.fault != TLSPEER_GOOD) {
            fail_msg("%s: fault %d: %s", hosts[i / 2], peer.fault, peer.text);
        }
        assert_string_equal(peer.text, "");
        assert_true(peer.has_validity);
        assert_int_equal(peer.not_before_s, cert_validity_of(now_s, 30).not_before_s);
        assert_int_equal(peer.not_after_s - peer.not_before_s, LIFE);
        ca_pair_deinit(&server.pair);
    }
}

static void a_server_that_wants_a_certificate_is_good_all_the_same(void **state)
{
    (void)state;
    for (unsigned old = 0; old < 2; old++) {
        struct server server = {.wants_client = true, .old = old == 1};
        certify(&server, ours, &broker, 0);
        struct tlspeer peer = look(&server, HOST);
        assert_int_equal(peer.fault, TLSPEER_GOOD);
        assert_true(peer.has_validity);
        ca_pair_deinit(&server.pair);
    }
}

static void says_what_is_wrong_with_a_certificate(void **state)
{
    (void)state;
    static const struct cert_subject device = {.profile = CERT_DEVICE, .common_name = {.ptr = "cam-1", .len = 5}};
    const struct {
        const char *about, *authority, *host;
        const struct cert_subject *subject;
        int64_t days_ago;
        enum tlspeer_fault fault;
    } cases[] = {
        {"another host", ours, "other.example.net", &broker, 0, TLSPEER_NAME},
        {"a host below", ours, "a." HOST, &broker, 0, TLSPEER_NAME},
        {"the common name", ours, "broker", &broker, 0, TLSPEER_NAME},
        {"another address", ours, "192.0.2.8", &broker, 0, TLSPEER_NAME},
        {"another IPv6 address", ours, "2001:db8::2", &broker, 0, TLSPEER_NAME},
        {"expired", ours, HOST, &broker, 31, TLSPEER_EXPIRED},
        {"expired and of another host", ours, "other.example.net", &broker, 31, TLSPEER_EXPIRED},
        {"not yet valid", ours, HOST, &broker, -2, TLSPEER_NOT_YET},
        {"of another authority", others, HOST, &broker, 0, TLSPEER_CHAIN},
        {"a device's own", ours, "cam-1", &device, 0, TLSPEER_DEFECTIVE},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        struct server server = {.old = i % 2 == 1};
        certify(&server, cases[i / 2].authority, cases[i / 2].subject, cases[i / 2].days_ago);
        struct tlspeer peer = look(&server, cases[i / 2].host);
        if (peer.fault != cases[i / 2].fault) {
            fail_msg("%s: fault %d (%s), not %d", cases[i / 2].about, peer.fault, peer.text, cases[i / 2].fault);
        }
        assert_true(peer.has_validity); /* also of what is not believed: a person wants to see it */
        assert_int_equal(peer.not_after_s - peer.not_before_s, LIFE);
        ca_pair_deinit(&server.pair);
    }
}

static void says_that_there_is_no_tls(void **state)
{
    (void)state;
    static const char *const said[] = {"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x20\x02\x00\x05"};
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct server server = {.garbage = said[i]};
        struct tlspeer peer = look(&server, HOST);
        assert_int_equal(peer.fault, TLSPEER_NO_TLS);
        assert_string_not_equal(peer.text, "");
        assert_false(peer.has_validity);
    }
}

static void says_that_the_authority_is_none(void **state)
{
    (void)state;
    char path[96];
    struct tlspeer peer = {.fault = TLSPEER_NAME};
    struct errinfo info = {0};
    (void)snprintf(path, sizeof(path), "%s/none.pem", folder);
    assert_int_equal(tlspeer_look(-1, HOST, path, &peer, &info), ERR_INVALID); /* not there */
    assert_non_null(strstr(info.text, path));
    assert_int_equal(file_replace(path, VIEW_LITERAL("no certificate"), 0600), ERR_OK);
    assert_int_equal(tlspeer_look(-1, HOST, path, &peer, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "cannot be used as an authority"));
    assert_int_equal(peer.fault, TLSPEER_NAME); /* written only on success */
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

/* Old enough to have made what has expired since. */
static int set_up(void **state)
{
    (void)state;
    struct errinfo info;
    now_s = (int64_t)(clock_wall_ms() / 1000);
    /* Client and server would start the library at one moment, which it does not allow. */
    bool good = wolfSSL_Init() == WOLFSSL_SUCCESS && mkdtemp(folder) != NULL && key_rng_new(&rng) == ERR_OK;
    (void)snprintf(ours, sizeof(ours), "%s/ours", folder);
    (void)snprintf(others, sizeof(others), "%s/others", folder);
    (void)snprintf(trusted, sizeof(trusted), "%s/bundle-server.pem", ours);
    const struct key_opening opening = {.rng = rng};
    struct ca_setup setup = {
        .dir = ours, .name = VIEW_LITERAL("test"), .opening = &opening, .by = "test", .now_s = now_s - 100 * DAY};
    good = good && ca_init(&setup, &info) == ERR_OK;
    setup.dir = others;
    good = good && ca_init(&setup, &info) == ERR_OK;
    return good ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    key_rng_free(rng);
    (void)wolfSSL_Cleanup(); /* the process ends */
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_against_a_good_server),
        cmocka_unit_test(a_server_that_wants_a_certificate_is_good_all_the_same),
        cmocka_unit_test(says_what_is_wrong_with_a_certificate),
        cmocka_unit_test(says_that_there_is_no_tls),
        cmocka_unit_test(says_that_the_authority_is_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
