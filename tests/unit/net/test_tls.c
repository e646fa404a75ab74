/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over TLS against OpenSSL's own server on a thread, with certificates made here. */
#include "net/tls.h"

#define ERR_STATE openssl_err_state /* as in net/tls.c */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sockaddr.h"
#include "tests/lib/loop_run.h"

enum { BULK = 300 * 1000, RECORD_SIZE = 16 * 1024 };

/** One connection is served by `script` on a thread. */
struct server {
    int listener;
    uint16_t port;
    void (*script)(struct server *server, int fd);
    pthread_t thread;
    SSL_CTX *context;
    sem_t poured;
    bool ok;
};

struct client {
    struct loop *loop;
    struct tls_client *tls;
    struct stream *stream;
    struct server *wait_for; /* in `connected`, until all is in the socket */
    bool connected, closed;
    size_t got;
    unsigned sum;
    size_t most; /* end of the test when so much came */
    enum stream_close why;
    struct errinfo info;
};

static char certificate[] = "/tmp/muster-tls-XXXXXX", other[] = "/tmp/muster-tls-XXXXXX";
static EVP_PKEY *key;
static X509 *x509;

static X509 *make_certificate(EVP_PKEY *pkey, const char *names, const char *path)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    FILE *file = fopen(path, "w");
    assert_true(X509_set_version(made, 2) && ASN1_INTEGER_set(X509_get_serialNumber(made), 1));
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made), 3600));
    assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0));
    assert_true(X509_set_issuer_name(made, name) && X509_set_pubkey(made, pkey));
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    assert_true(X509_add_ext(made, extension, -1));
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(made, pkey, EVP_sha256()) > 0);
    assert_true(file != NULL && PEM_write_X509(file, made) == 1 && fclose(file) == 0);
    return made;
}

static void *serve(void *context)
{
    struct server *server = context;
    int fd = accept(server->listener, NULL, NULL), on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* what is sent is there: see pour */
    server->script(server, fd);
    (void)close(fd);
    return NULL;
}

static void server_start(struct server *server, void (*script)(struct server *server, int fd))
{
    struct sockaddr_storage address;
    struct ip loopback = {.family = IP_V4, .bytes = {127, 0, 0, 1}};
    socklen_t len = sockaddr_make(&loopback, 0, &address);
    *server = (struct server){.script = script};
    server->context = SSL_CTX_new(TLS_server_method());
    assert_true(SSL_CTX_use_certificate(server->context, x509) && SSL_CTX_use_PrivateKey(server->context, key));
    assert_int_equal(sem_init(&server->poured, 0, 0), 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = sockaddr_port(&address);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_join(struct server *server)
{
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_int_equal(close(server->listener), 0);
    assert_int_equal(sem_destroy(&server->poured), 0);
    SSL_CTX_free(server->context);
}

static void on_connected(void *context)
{
    struct client *client = context;
    client->connected = true;
    while (client->wait_for != NULL && sem_wait(&client->wait_for->poured) != 0) {
    }
}

static size_t on_read(void *context, struct view data)
{
    struct client *client = context;
    for (size_t i = 0; i < data.len; i++) {
        client->sum = client->sum * 31 + (uint8_t)data.ptr[i];
    }
    client->got += data.len;
    if (client->got == client->most) {
        loop_stop(client->loop);
    }
    return data.len;
}

static void on_closed(void *context, enum stream_close why, const struct errinfo *info)
{
    struct client *client = context;
    client->closed = true;
    client->why = why;
    client->info = *info;
    loop_stop(client->loop);
}

static void client_start(struct client *client, uint16_t port, struct tls_client_options trust)
{
    *client = (struct client){.loop = NULL};
    trust.alpn = "dot";
    assert_int_equal(loop_new(&client->loop), ERR_OK);
    assert_int_equal(tls_client_new(&trust, &client->tls, NULL), ERR_OK);
    struct stream_options options = {.host = "127.0.0.1",
                                     .port = port,
                                     .layer = &tls_client_layer,
                                     .layer_context = client->tls,
                                     .connected = on_connected,
                                     .read = on_read,
                                     .closed = on_closed,
                                     .context = client};
    assert_int_equal(stream_new(client->loop, &options, &client->stream), ERR_OK);
}

static void client_end(struct client *client)
{
    stream_free(client->stream);
    tls_client_free(client->tls);
    loop_free(client->loop);
}

/** Takes BULK bytes, then gives them back in one write, after which nothing makes the socket readable. */
static void echo_bulk(struct server *server, int fd)
{
    static char bytes[BULK];
    SSL *ssl = SSL_new(server->context);
    size_t len = 0, now = 0;
    server->ok = SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1;
    while (server->ok && len < BULK) {
        server->ok = SSL_read_ex(ssl, bytes + len, BULK - len, &now) == 1;
        len += now;
    }
    server->ok = server->ok && SSL_write_ex(ssl, bytes, BULK, &now) == 1 && now == BULK;
    char end;
    server->ok = server->ok && SSL_read(ssl, &end, 1) == 0; /* until the client's goodbye */
    SSL_free(ssl);
}

static void much_goes_and_comes_whole(void **state)
{
    (void)state;
    struct server server;
    struct client client;
    static char bytes[BULK];
    unsigned sum = 0;
    for (size_t i = 0; i < BULK; i++) {
        bytes[i] = (char)(i * 7 / 3);
        sum = sum * 31 + (uint8_t)bytes[i];
    }
    server_start(&server, echo_bulk);
    client_start(&client, server.port, (struct tls_client_options){.ca_file = certificate});
    client.most = BULK;
    for (size_t at = 0; at < BULK; at += RECORD_SIZE - 3) { /* before there is a connection, and in odd parts */
        struct view part = view_n(bytes + at, BULK - at < RECORD_SIZE - 3 ? BULK - at : RECORD_SIZE - 3);
        assert_int_equal(stream_write(client.stream, part), ERR_OK);
    }
    loop_run_or_fail(client.loop);
    assert_false(client.closed);
    assert_int_equal(client.got, BULK);
    assert_int_equal(client.sum, sum);
    client_end(&client);
    server_join(&server);
    assert_true(server.ok);
}

/* A turn's sixteen reads of 4 KiB: two for the half, three for each whole, so that one is missing for the last. */
enum { PART = 10000, PARTS = 5, POURED = PART / 2 + PARTS * PART };

static void pour(struct server *server, int fd)
{
    static const char bytes[PART];
    SSL *ssl = SSL_new(server->context);
    server->ok = SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 && SSL_write(ssl, bytes, PART / 2) == PART / 2;
    for (int i = 0; i < PARTS; i++) {
        server->ok = server->ok && SSL_write(ssl, bytes, PART) == PART;
    }
    (void)sem_post(&server->poured); /* one post: cannot overflow */
    char end;
    server->ok = server->ok && SSL_read(ssl, &end, 1) == 0;
    SSL_free(ssl);
}

static void what_the_library_holds_is_read_without_an_event(void **state)
{
    (void)state;
    struct server server;
    struct client client;
    server_start(&server, pour);
    client_start(&client, server.port, (struct tls_client_options){.ca_file = certificate});
    client.wait_for = &server;
    client.most = POURED;
    loop_run_or_fail(client.loop);
    assert_int_equal(client.got, POURED);
    client_end(&client);
    server_join(&server);
    assert_true(server.ok);
}

static void say_goodbye(struct server *server, int fd)
{
    SSL *ssl = SSL_new(server->context);
    server->ok = SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 && SSL_write(ssl, "bye", 3) == 3;
    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
}

static void an_orderly_end_is_the_peers(void **state)
{
    (void)state;
    struct server server;
    struct client client;
    server_start(&server, say_goodbye);
    client_start(&client, server.port,
                 (struct tls_client_options){.ca_file = certificate, .name = "dns.example"}); /* not the host's */
    loop_run_or_fail(client.loop);
    assert_true(client.connected && client.closed);
    assert_int_equal(client.why, STREAM_CLOSE_PEER);
    assert_int_equal(client.got, 3);
    client_end(&client);
    server_join(&server);
    assert_true(server.ok);
}

static void try_handshake(struct server *server, int fd)
{
    SSL *ssl = SSL_new(server->context);
    server->ok = SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1;
    SSL_free(ssl);
}

static void refuse_politely(struct server *server, int fd)
{
    static const char text[] = "HTTP/1.0 400 Bad Request\r\n\r\n";
    server->ok = send(fd, text, sizeof(text) - 1, 0) > 0;
    char byte;
    (void)recv(fd, &byte, 1, 0);
}

static void hang_up(struct server *server, int fd)
{
    char bytes[1024];
    server->ok = recv(fd, bytes, sizeof(bytes), 0) > 0;
}

static void a_server_that_cannot_be_trusted_is_left_with_the_reason(void **state)
{
    (void)state;
    const struct {
        void (*script)(struct server *server, int fd);
        struct tls_client_options trust;
        const char *words;
    } rows[] = {
        {try_handshake, {.ca_file = other}, "certificate is refused: self-signed certificate"},
        {try_handshake, {.ca_file = certificate, .name = "else.example"}, "certificate is refused: hostname mismatch"},
        {try_handshake, {.ca_file = certificate, .name = "192.0.2.1"}, "certificate is refused: IP address mismatch"},
        {refuse_politely, {.ca_file = certificate}, "the server does not speak TLS on this port"},
        {hang_up, {.ca_file = certificate}, "ended in the TLS handshake"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct client client;
        server_start(&server, rows[i].script);
        client_start(&client, server.port, rows[i].trust);
        assert_int_equal(stream_write(client.stream, view_of("secret")), ERR_OK);
        loop_run_or_fail(client.loop);
        assert_false(client.connected);
        assert_int_equal(client.why, STREAM_CLOSE_CONNECT);
        assert_int_equal(client.info.err, ERR_CRYPTO);
        assert_string_equal(client.info.layer, "tls");
        if (strstr(client.info.text, rows[i].words) == NULL) {
            fail_msg("%s: %s", rows[i].words, client.info.text);
        }
        client_end(&client);
        server_join(&server);
    }
}

static void what_cannot_be_used_is_told_at_once(void **state)
{
    (void)state;
    struct tls_client *client = NULL;
    struct errinfo info = {0};
    struct tls_client_options options = {.ca_file = "/nonexistent"};
    assert_int_equal(tls_client_new(&options, &client, &info), ERR_INVALID);
    assert_non_null(strstr(info.text, "/nonexistent: no certificates"));
    options = (struct tls_client_options){.alpn = ""};
    assert_int_equal(tls_client_new(&options, &client, &info), ERR_INVALID);
    assert_null(client);
}

static int make_all(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    assert_true(close(mkstemp(certificate)) == 0 && close(mkstemp(other)) == 0);
    X509_free(make_certificate(key, "DNS:other.example", other));
    EVP_PKEY_free(key);
    key = EVP_EC_gen("P-256");
    x509 = make_certificate(key, "DNS:dns.example,IP:127.0.0.1", certificate);
    return 0;
}

static int drop_all(void **state)
{
    (void)state;
    X509_free(x509);
    EVP_PKEY_free(key);
    return unlink(certificate) == 0 && unlink(other) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_goes_and_comes_whole),
        cmocka_unit_test(what_the_library_holds_is_read_without_an_event),
        cmocka_unit_test(an_orderly_end_is_the_peers),
        cmocka_unit_test(a_server_that_cannot_be_trusted_is_left_with_the_reason),
        cmocka_unit_test(what_cannot_be_used_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
