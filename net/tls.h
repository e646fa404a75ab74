/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * tls: TLS 1.2 and 1.3 for a stream (net/stream.h), as a client that judges the server's certificate. Over OpenSSL, the
 * library that curl and Paho bring into the process anyway, and tls.c is the only file of the rooms that names it. No
 * client certificates, no session resumption. Threading: loop thread.
 * Sources: RFC 8446, RFC 6125 (names), RFC 7858 and RFC 9103 (DNS over TLS, ALPN "dot").
 */
#include "base/err.h"
#include "net/stream.h"

struct tls_client; /* roots and expectations, for any number of streams */

struct tls_client_options {
    const char *ca_file; /* PEM; NULL = the system's roots */
    const char *name;    /* that the certificate must bear, a DNS name or an address; NULL = the stream's host */
    const char *alpn;    /* protocol to offer, at most 254 bytes; NULL = none. A server that knows none is taken */
};

/** @param options copied. @return ERR_INVALID (roots that cannot be read; name, protocol), ERR_NOMEM; info says which.
 */
enum err tls_client_new(const struct tls_client_options *options, struct tls_client **ret_client,
                        struct errinfo *info) MUST_CHECK;
void tls_client_free(struct tls_client *client); /* after its streams; NULL allowed */

/** For stream_options.layer; its context is a struct tls_client. */
extern const struct stream_layer tls_client_layer;
