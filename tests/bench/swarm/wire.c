/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#define ERR_STATE OPENSSL_ERR_STATE /* OpenSSL's type of that name is not used here; ours is an error code */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (16 * 1024)

struct wire_trust {
    SSL_CTX *context;
};

enum err wire_trust_new(const char *ca_file, const char *host, struct wire_trust **ret_trust)
{
    struct wire_trust *trust = calloc(1, sizeof(*trust));
    if (trust == NULL) {
        return ERR_NOMEM;
    }
    trust->context = SSL_CTX_new(TLS_client_method());
    if (trust->context == NULL || SSL_CTX_load_verify_locations(trust->context, ca_file, NULL) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(trust->context), host) != 1) {
        ERR_clear_error();
        wire_trust_free(trust);
        return ERR_CRYPTO;
    }
    SSL_CTX_set_verify(trust->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(trust->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                               SSL_MODE_RELEASE_BUFFERS); /* returns the mode */
    *ret_trust = trust;
    return ERR_OK;
}

void wire_trust_free(struct wire_trust *trust)
{
    if (trust != NULL) {
        SSL_CTX_free(trust->context);
        free(trust);
    }
}

void wire_init(struct wire *wire)
{
    *wire = (struct wire){.fd = -1};
}

void wire_close(struct wire *wire)
{
    SSL_free(wire->ssl);
    wire->ssl = NULL;
    if (wire->fd >= 0) {
        (void)close(wire->fd); /* nothing to be done about a failure */
    }
    wire->fd = -1;
    wire->state = WIRE_CLOSED;
    wire->wants_write = false;
    wire->out_len = wire->out_sent = wire->in_len = 0;
}

void wire_deinit(struct wire *wire)
{
    wire_close(wire);
    free(wire->out);
    free(wire->in);
    wire->out = wire->in = NULL;
    wire->out_size = wire->in_size = 0;
}

enum err wire_open(struct wire *wire, struct wire_trust *trust, const struct sockaddr_in *peer, const char *cert_file,
                   const char *key_file)
{
    if (wire->state != WIRE_CLOSED) {
        return ERR_STATE;
    }
    SSL *ssl = SSL_new(trust->context);
    if (ssl == NULL || SSL_use_certificate_chain_file(ssl, cert_file) != 1 ||
        SSL_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1) {
        ERR_clear_error();
        SSL_free(ssl);
        return ERR_CRYPTO;
    }
    wire->ssl = ssl;
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (wire->fd < 0 || setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        (connect(wire->fd, (const struct sockaddr *)peer, sizeof(*peer)) != 0 && errno != EINPROGRESS) ||
        SSL_set_fd(ssl, wire->fd) != 1) {
        wire_close(wire);
        return ERR_IO;
    }
    SSL_set_connect_state(ssl);
    wire->state = WIRE_CONNECTING;
    wire->wants_write = true;
    return ERR_OK;
}

/** What a failed TLS call means: ERR_AGAIN to wait, else the end. */
static enum err judge(struct wire *wire, int result)
{
    int why = SSL_get_error(wire->ssl, result);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_WRITE) {
        wire->wants_write = true;
        return ERR_AGAIN;
    }
    if (why == SSL_ERROR_WANT_READ) {
        return ERR_AGAIN;
    }
    return why == SSL_ERROR_SSL ? ERR_CRYPTO : ERR_CLOSED;
}

static enum err handshake(struct wire *wire)
{
    int problem = 0;
    socklen_t size = sizeof(problem);
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        return ERR_CLOSED;
    }
    wire->state = WIRE_HANDSHAKE;
    ERR_clear_error();
    int result = SSL_do_handshake(wire->ssl);
    if (result != 1) {
        return judge(wire, result);
    }
    wire->state = WIRE_OPEN;
    return ERR_OK;
}

static enum err flush(struct wire *wire)
{
    while (wire->out_sent < wire->out_len) {
        size_t part = wire->out_len - wire->out_sent;
        ERR_clear_error();
        int result = SSL_write(wire->ssl, wire->out + wire->out_sent, part > INT32_MAX ? INT32_MAX : (int)part);
        if (result <= 0) {
            return judge(wire, result);
        }
        wire->out_sent += (size_t)result;
    }
    wire->out_len = wire->out_sent = 0;
    return ERR_OK;
}

static enum err drain(struct wire *wire)
{
    for (;;) {
        if (wire->in_size - wire->in_len < READ_SIZE) {
            size_t size = wire->in_size == 0 ? (size_t)2 * READ_SIZE : wire->in_size * 2;
            uint8_t *in = realloc(wire->in, size);
            if (in == NULL) {
                return ERR_NOMEM;
            }
            wire->in = in;
            wire->in_size = size;
        }
        ERR_clear_error();
        int result = SSL_read(wire->ssl, wire->in + wire->in_len, READ_SIZE);
        if (result <= 0) {
            return judge(wire, result);
        }
        wire->in_len += (size_t)result;
    }
}

enum err wire_pump(struct wire *wire)
{
    wire->wants_write = false;
    enum err err = ERR_OK;
    if (wire->state == WIRE_CONNECTING || wire->state == WIRE_HANDSHAKE) {
        err = handshake(wire);
    }
    if (err == ERR_OK && wire->state == WIRE_OPEN) {
        err = flush(wire);
        err = err == ERR_AGAIN ? ERR_OK : err;
    }
    if (err == ERR_OK && wire->state == WIRE_OPEN) {
        err = drain(wire);
    }
    return err == ERR_AGAIN ? ERR_OK : err;
}

uint8_t *wire_reserve(struct wire *wire, size_t len)
{
    if (wire->out_size - wire->out_len < len) {
        size_t size = wire->out_size == 0 ? 4096 : wire->out_size;
        while (size - wire->out_len < len) {
            size *= 2;
        }
        uint8_t *out = realloc(wire->out, size);
        if (out == NULL) {
            return NULL;
        }
        wire->out = out;
        wire->out_size = size;
    }
    return wire->out + wire->out_len;
}

void wire_wrote(struct wire *wire, size_t len)
{
    wire->out_len += len;
}

size_t wire_pending(const struct wire *wire)
{
    return wire->out_len - wire->out_sent;
}

void wire_consume(struct wire *wire, size_t len)
{
    wire->in_len -= len;
    memmove(wire->in, wire->in + len, wire->in_len);
}
