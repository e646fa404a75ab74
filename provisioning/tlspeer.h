/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * tlspeer: looks at the certificate that a TLS server shows, and says what a client of ours would have against it: for
 * a person who asks why a connection does not come about. The connections of the product are Paho's and curl's, this is
 * never one: the handshake goes on whatever is found, no certificate of our own is shown, nothing is sent in it. A
 * server that wants one may log that this client had none.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum tlspeer_fault {
    TLSPEER_GOOD,
    TLSPEER_NO_TLS,    /* the handshake ended before a certificate came */
    TLSPEER_CHAIN,     /* does not end at the authority */
    TLSPEER_NAME,      /* of another host */
    TLSPEER_EXPIRED,   /* by this machine's clock */
    TLSPEER_NOT_YET,   /* by this machine's clock */
    TLSPEER_DEFECTIVE, /* any other: signature, purpose, form */
};
#define TLSPEER_FAULTS (TLSPEER_DEFECTIVE + 1)

struct tlspeer {
    enum tlspeer_fault fault;
    char text[80];        /* what the library calls it; "" when good */
    bool has_validity;    /* a certificate came and its dates could be read */
    int64_t not_before_s; /* wall, seconds since 1970; of the server's own certificate */
    int64_t not_after_s;
};

/**
 * Blocks as the socket's time-outs let it.
 * @param fd a connected TCP socket; stays the caller's. @param host name or address that the certificate must be for.
 * @param ca_file PEM, the authority the server's chain must end at. NULL: none; then no chain is good, and only the
 * dates are of use.
 * @return ERR_INVALID (ca_file holds no certificate), ERR_NOMEM; what the server did is in @p ret_peer.
 */
enum err tlspeer_look(int fd, const char *host, const char *ca_file, struct tlspeer *ret_peer,
                      struct errinfo *info) MUST_CHECK;
