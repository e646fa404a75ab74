/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * wire: one mutual-TLS byte stream on a non-blocking socket, for thousands of them in one thread. Names no MQTT. What
 * is written is gathered and leaves in large TLS records at the next wire_pump; what came in lies in one buffer until
 * wire_consume. Not thread-safe.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

struct wire_trust; /* what every connection of a process shares */

enum wire_state { WIRE_CLOSED, WIRE_CONNECTING, WIRE_HANDSHAKE, WIRE_OPEN };

struct wire {
    enum wire_state state;
    int fd;    /* -1 when closed */
    void *ssl; /* SSL *, owned */
    bool wants_write;
    uint8_t *out, *in; /* owned */
    size_t out_len, out_sent, out_size;
    size_t in_len, in_size;
};

/** @param ca_file PEM the server is verified by; its certificate must name @p host (an address). @return ERR_CRYPTO. */
enum err wire_trust_new(const char *ca_file, const char *host, struct wire_trust **ret_trust) MUST_CHECK;
void wire_trust_free(struct wire_trust *trust);

void wire_init(struct wire *wire);
void wire_deinit(struct wire *wire);

/** Starts to connect. @return ERR_IO, ERR_CRYPTO (bad key pair), ERR_STATE (not closed). */
enum err wire_open(struct wire *wire, struct wire_trust *trust, const struct sockaddr_in *peer, const char *cert_file,
                   const char *key_file) MUST_CHECK;
/** Handshakes, sends and receives what can be without blocking. @return ERR_CLOSED or ERR_CRYPTO when the stream ended:
 * close it. */
enum err wire_pump(struct wire *wire) MUST_CHECK;
/** Room for @p len more bytes of output, to be counted with wire_wrote; NULL without memory. */
uint8_t *wire_reserve(struct wire *wire, size_t len);
void wire_wrote(struct wire *wire, size_t len);
size_t wire_pending(const struct wire *wire);
void wire_consume(struct wire *wire, size_t len);
/** Ends the stream at once, as a power cut would. */
void wire_close(struct wire *wire);
