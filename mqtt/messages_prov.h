/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * messages_prov: the bodies of provisioning, under the rules of messages.h (strict, versioned, one set of vectors with
 * the schemas). Bytes travel as base64 with padding; a decoded message keeps them in its own store, so a message must
 * not be copied, only pointed to. What they mean, and what a signature covers, is in docs/provisioning.md.
 *
 *     prov/<claim>/<cid>/req   prov_request    a device without identity asks
 *     prov/<claim>/<cid>/rsp   envelope        around a prov_answer
 *     up/<sh>/<id>/csr         renewal         a device asks for its next certificate
 *     dn/<sh>/<id>/cert        envelope        around a prov_answer
 *     seen/<sh>/<id>           seen            the core broker: who connected with which certificate
 *     reg/<sh>/<id>            reg             the provisioner: what a device is at present
 *     coord/<kid>/reg          regask          a coordinator: tell me what changed after
 *     coord/<kid>/reg-done     regdone         the provisioner: that was all
 *     coord/<kid>/suspect      suspect         a coordinator: this looks like two devices with one identity
 */
#include "mqtt/messages.h"

#define PROV_PAYLOAD_MAX   16384 /* an answer in its envelope: 6 certificates of 1 KB, base64 twice */
#define PROV_SERIAL_MAX    48
#define PROV_BATCH_MAX     32
#define PROV_CID_SIZE      32 /* hexadecimal digits */
#define PROV_NONCE_MAX     63 /* these are multiples of three, so that a length of base64 says the same */
#define PROV_CSR_MAX       2046
#define PROV_CERT_MAX      2046 /* one certificate, DER */
#define PROV_SIGNATURE_MAX 72   /* ECDSA P-256, DER */
#define PROV_CHAIN_MAX     3
#define PROV_TRUST_MAX     6
#define PROV_ROOTS_MAX     4
#define PROV_ROOT_SIZE     32 /* an Ed25519 public key */
#define PROV_CORE_MAX      8
#define PROV_ENDPOINT_MAX  261 /* a DNS name of 253, ":", a port */
#define PROV_RETRY_MAX_S   86400

/** The bytes of one message: what views in it point into. */
struct prov_store {
    uint8_t bytes[PROV_PAYLOAD_MAX];
    size_t len;
};

enum prov_request_op { PROV_HELLO, PROV_CSR, PROV_STORED, PROV_TROUBLE };
#define PROV_REQUEST_OPS (PROV_TROUBLE + 1)
const char *prov_request_op_name(enum prov_request_op op); /* "hello", ...; static storage */

struct prov_request_message {
    enum prov_request_op op;
    char serial[PROV_SERIAL_MAX + 1]; /* [A-Za-z0-9._-] */
    char batch[PROV_BATCH_MAX + 1];   /* hello: as the image says; may be "" */
    char model[MQTT_TEXT_MAX + 1];    /* hello; may be "" */
    char agent[MQTT_TEXT_MAX + 1];    /* hello: agent's version; may be "" */
    char why[MQTT_TEXT_MAX + 1];      /* trouble: "core-refused", "core-silent" */
    struct view nonce;                /* all but hello: as the answer to hello had it */
    struct view csr;                  /* csr: DER */
    struct view signature;            /* all but hello: by the device's key */
    struct view mac;                  /* csr: HMAC-SHA256 with a key of the ledger; empty: none */
    struct view old;                  /* csr: the expired certificate whose key signed; empty: none */
    struct prov_store store;
};
enum err prov_request_encode(const struct prov_request_message *message, struct strbuf *out) MUST_CHECK;
enum err prov_request_decode(struct view text, struct prov_request_message *ret_message,
                             struct errinfo *info) MUST_CHECK;

enum prov_answer_op { PROV_NONCE, PROV_CERT, PROV_NO };
#define PROV_ANSWER_OPS (PROV_NO + 1)

/** Why not. One code for all that would tell which serials exist or what is wrong with a proof. */
enum prov_refusal { PROV_REFUSED, PROV_QUOTA, PROV_CLOSED, PROV_BUSY, PROV_MALFORMED };
#define PROV_REFUSALS (PROV_MALFORMED + 1)
const char *prov_refusal_name(enum prov_refusal refusal); /* "refused", ...; static storage */

struct prov_answer_message {
    enum prov_answer_op op;
    char cid[PROV_CID_SIZE + 1];       /* of the request */
    int64_t now;                       /* nonce, cert: wall ms */
    struct view nonce;                 /* nonce */
    uint32_t expires_s;                /* nonce: seconds from now */
    char id[DEVICE_ID_MAX + 1];        /* cert */
    struct view chain[PROV_CHAIN_MAX]; /* cert: DER, the device's first */
    size_t chain_len;
    struct view trust[PROV_TRUST_MAX]; /* cert: DER, authorities of the brokers */
    size_t trust_len;
    struct view roots[PROV_ROOTS_MAX]; /* cert: Ed25519 keys that sign the list of config signers */
    size_t roots_len;
    char core[PROV_CORE_MAX][PROV_ENDPOINT_MAX + 1]; /* cert: "host:port" of core brokers */
    size_t core_len;
    int64_t renew;             /* cert: wall ms of the time to ask for the next */
    enum prov_refusal refusal; /* no */
    uint32_t retry_after_s;    /* no; 0: not before something changes */
    struct prov_store store;
};
enum err prov_answer_encode(const struct prov_answer_message *message, struct strbuf *out) MUST_CHECK;
enum err prov_answer_decode(struct view text, struct prov_answer_message *ret_message, struct errinfo *info) MUST_CHECK;

/** A payload with the signature of the key that the first certificate is for. */
struct envelope_message {
    struct view signer[PROV_CHAIN_MAX]; /* DER, leaf first */
    size_t signer_len;
    struct view payload;
    struct view signature;
    struct prov_store store;
};
enum err envelope_encode(const struct envelope_message *message, struct strbuf *out) MUST_CHECK;
enum err envelope_decode(struct view text, struct envelope_message *ret_message, struct errinfo *info) MUST_CHECK;

struct renewal_message {
    char cid[PROV_CID_SIZE + 1];
    struct view csr;
    struct view signature; /* by the key of the certificate in use, or the device's token */
    struct prov_store store;
};
enum err renewal_encode(const struct renewal_message *message, struct strbuf *out) MUST_CHECK;
enum err renewal_decode(struct view text, struct renewal_message *ret_message, struct errinfo *info) MUST_CHECK;
