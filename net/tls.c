/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

/* OpenSSL has a type of the name of our error: it is called otherwise in its headers. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/resolve.h"

struct tls_client {
    SSL_CTX *context; /* owned */
    char name[RESOLVE_HOST_MAX + 1];
};

/* What OpenSSL says of the last failure; the queue is the thread's and is emptied. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text != NULL ? text : "unknown error";
}

static bool set_alpn(SSL_CTX *context, const char *alpn)
{
    unsigned char list[256];
    size_t len = strnlen(alpn, sizeof(list));
    if (len == 0 || len >= sizeof(list) - 1) {
        return false;
    }
    list[0] = (unsigned char)len;
    memcpy(list + 1, alpn, len);
    return SSL_CTX_set_alpn_protos(context, list, (unsigned)len + 1) == 0;
}

static bool set_roots(SSL_CTX *context, const char *ca_file)
{
    return (ca_file != NULL ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                            : SSL_CTX_set_default_verify_paths(context)) == 1;
}

static enum err configure(struct tls_client *client, const struct tls_client_options *options, struct errinfo *info)
{
    client->context = SSL_CTX_new(TLS_client_method());
    if (client->context == NULL) {
        return ERR_NOMEM;
    }
    /* A message's own length tells whether it is whole: an end without close_notify cuts nothing off unseen. */
    SSL_CTX_set_options(client->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(client->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION) != 1) {
        return errinfo_set(info, ERR_INVALID, "tls", 0, "TLS 1.2: %s", reason());
    }
    if (!set_roots(client->context, options->ca_file)) {
        return errinfo_set(info, ERR_INVALID, "tls", 0, "%s: no certificates that can be read: %s",
                           options->ca_file != NULL ? options->ca_file : "the system's roots", reason());
    }
    if (options->alpn != NULL && !set_alpn(client->context, options->alpn)) {
        return errinfo_set(info, ERR_INVALID, "tls", 0, "ALPN %s: %s", options->alpn, reason());
    }
    return options->name == NULL || view_copy(view_of(options->name), client->name, sizeof(client->name)) == ERR_OK
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "tls", 0, "the server's name is too long");
}

enum err tls_client_new(const struct tls_client_options *options, struct tls_client **ret_client, struct errinfo *info)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    enum err err = configure(client, options, info);
    if (err != ERR_OK) {
        tls_client_free(client);
        return err;
    }
    *ret_client = client;
    return ERR_OK;
}

void tls_client_free(struct tls_client *client)
{
    if (client != NULL) {
        SSL_CTX_free(client->context);
        free(client);
    }
}

/* The certificate must bear the name, or the address where the name is one (RFC 6125 6.4, RFC 5280 4.2.1.6). */
static bool expect(SSL *ssl, const char *name)
{
    struct ip ip;
    if (ip_parse(view_of(name), &ip) == ERR_OK) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static enum err layer_open(void *context, int fd, const char *host, void **ret_layer)
{
    const struct tls_client *client = context;
    SSL *ssl = SSL_new(client->context);
    if (ssl == NULL) {
        ERR_clear_error();
        return ERR_NOMEM;
    }
    if (SSL_set_fd(ssl, fd) != 1 || !expect(ssl, client->name[0] != '\0' ? client->name : host)) {
        ERR_clear_error();
        SSL_free(ssl);
        return ERR_INVALID;
    }
    SSL_set_connect_state(ssl);
    *ret_layer = ssl;
    return ERR_OK;
}

static void layer_free(void *layer)
{
    SSL *ssl = layer;
    ERR_clear_error();
    if (SSL_is_init_finished(ssl)) {
        (void)SSL_shutdown(ssl); /* says goodbye if the socket takes it; nobody waits for the answer */
    }
    SSL_free(ssl);
    ERR_clear_error();
}

static enum err broken(SSL *ssl, int kind, int errno_value, struct errinfo *info)
{
    long verified = SSL_get_verify_result(ssl);
    bool handshake = !SSL_is_init_finished(ssl);
    if (verified != X509_V_OK) {
        ERR_clear_error();
        return errinfo_set(info, ERR_CRYPTO, "tls", verified, "the server's certificate is refused: %s",
                           X509_verify_cert_error_string(verified));
    }
    if (kind == SSL_ERROR_SSL) {
        bool plain = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_WRONG_VERSION_NUMBER;
        return errinfo_set(info, ERR_CRYPTO, "tls", 0, "TLS: %s%s", reason(),
                           plain ? ": the server does not speak TLS on this port" : "");
    }
    ERR_clear_error();
    return errinfo_set(info, handshake ? ERR_CRYPTO : ERR_IO, "tls", errno_value, "%s: %s",
                       handshake ? "the connection ended in the TLS handshake: does the server speak TLS on this port"
                                 : "TLS",
                       errno_value != 0 ? strerrordesc_np(errno_value) : "closed by the peer");
}

/* After a call that did not do what it should. @return ERR_AGAIN with what to wait for, ERR_CLOSED (orderly end). */
static enum err judge(SSL *ssl, int result, int errno_value, int *ret_events, struct errinfo *info)
{
    int kind = SSL_get_error(ssl, result);
    switch (kind) {
    case SSL_ERROR_WANT_READ:
        *ret_events = LOOP_READABLE;
        return ERR_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_events = LOOP_WRITABLE;
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return SSL_is_init_finished(ssl) ? ERR_CLOSED : broken(ssl, kind, 0, info);
    default:
        return broken(ssl, kind, errno_value, info);
    }
}

static enum err layer_handshake(void *layer, int *ret_events, struct errinfo *info)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(layer);
    return result == 1 ? ERR_OK : judge(layer, result, errno, ret_events, info);
}

static enum err layer_send(void *layer, struct view data, size_t *ret_sent, int *ret_events, struct errinfo *info)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(layer, data.ptr, data.len, ret_sent);
    return result == 1 ? ERR_OK : judge(layer, result, errno, ret_events, info);
}

static enum err layer_recv(void *layer, char *buffer, size_t room, size_t *ret_got, int *ret_events,
                           struct errinfo *info)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(layer, buffer, room, ret_got);
    return result == 1 ? ERR_OK : judge(layer, result, errno, ret_events, info);
}

const struct stream_layer tls_client_layer = {
    .open = layer_open, .free = layer_free, .handshake = layer_handshake, .send = layer_send, .recv = layer_recv};
