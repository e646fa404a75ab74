/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * credentials: what a device that was provisioned has on its disk, and what it says with it. The claim (certificate,
 * key and root of its batch, from the image), its serial number, the device's own key (of which the factory's ledger
 * knows the public half; it signs requests, never a TLS handshake), and the identity folder with the certificates it
 * has got (provisioning/identitydir.h). Writes requests, verifies answers, stores certificates. Blocks on the disk;
 * loop thread. Keys are in memory for the length of one call.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "mqtt/messages_prov.h"
#include "provisioning/identitydir.h"

#define CREDENTIALS_CLAIM_CERT "claim.pem"
#define CREDENTIALS_CLAIM_KEY  "claim.key"
#define CREDENTIALS_CLAIM_ROOT "root.pem"

/** The version in use: the one on trial, else the current one. */
struct credentials_identity {
    uint32_t version; /* 0: there is none, and nothing else here counts */
    char id[DEVICE_ID_MAX + 1];
    int64_t not_before_ms, not_after_ms; /* wall */
    int64_t renew_ms;                    /* wall; when to ask for the next */
    char core[PROV_CORE_MAX][PROV_ENDPOINT_MAX + 1];
    size_t core_len;
    char ca_file[PATH_MAX], cert_file[PATH_MAX], key_file[PATH_MAX];
};

struct credentials {
    const struct agent_config *config; /* borrowed */
    struct identitydir dir;
    struct credentials_identity identity;
    char serial[PROV_SERIAL_MAX + 1]; /* "": not known */
    char claim[DEVICE_ID_MAX + 1];    /* common name of the claim certificate; "": no claim */
};

/** Looks what is there; half-made versions of a power cut are no fault. @return what identitydir_open returns,
 * ERR_NOTFOUND (no identity and no claim or serial number to get one with), ERR_PARSE, ERR_INVALID; @p info names the
 * file and the remedy. */
enum err credentials_open(const struct agent_config *config, struct credentials *ret_credentials,
                          struct errinfo *info) MUST_CHECK;

/** As credentials_open for who only looks, as another user: nothing is made, nothing is needed.
 * @return ERR_NOTFOUND (no identity yet), and what files return. */
enum err credentials_look(const struct agent_config *config, struct credentials *ret_credentials,
                          struct errinfo *info) MUST_CHECK;

/** Path of the claim's file @p name. @return ERR_LIMIT. */
enum err credentials_claim_path(const struct credentials *credentials, const char *name,
                                char ret_path[static PATH_MAX]) MUST_CHECK;

/** Requests, appended to @p out. The key to be certified is on the disk before credentials_csr or credentials_renewal
 * returns; the device's own key is made when there is none and no identity either.
 * @return what files and keys return, with @p info. */
enum err credentials_hello(const struct credentials *credentials, struct strbuf *out, struct errinfo *info) MUST_CHECK;
enum err credentials_csr(struct credentials *credentials, struct view nonce, struct strbuf *out,
                         struct errinfo *info) MUST_CHECK;
enum err credentials_stored(struct credentials *credentials, struct view nonce, struct strbuf *out,
                            struct errinfo *info) MUST_CHECK;
enum err credentials_trouble(struct credentials *credentials, struct view nonce, const char *why, struct strbuf *out,
                             struct errinfo *info) MUST_CHECK;
enum err credentials_renewal(struct credentials *credentials, const char *cid, struct strbuf *out,
                             struct errinfo *info) MUST_CHECK;

/** Takes an answer apart: the envelope's signer leads to the claim's root and is a provisioner, and the answer is the
 * one to @p cid. Its time becomes a floor of the clock. @return ERR_AUTH, ERR_RANGE, ERR_PARSE, ERR_INVALID, ERR_NOMEM,
 * and what files return. */
enum err credentials_answer(const struct credentials *credentials, struct view text, const char *cid,
                            struct prov_answer_message *ret_answer, struct errinfo *info) MUST_CHECK;

/** Stores the certificate of an answer: from then on it is the version in use, on trial. @return ERR_INVALID (not for
 * the key that was asked about, or not as announced), what files return; the version before stays in use then. */
enum err credentials_install(struct credentials *credentials, const struct prov_answer_message *answer,
                             struct errinfo *info) MUST_CHECK;

bool credentials_on_trial(const struct credentials *credentials);
/** There is a version before the one on trial to go back to. */
bool credentials_may_return(const struct credentials *credentials);
/** A connection with the version on trial stood. @return as identitydir_promote. */
enum err credentials_promote(struct credentials *credentials, struct errinfo *info) MUST_CHECK;
/** It is of no use: back to the one before. @return as identitydir_reject. */
enum err credentials_return(struct credentials *credentials, struct errinfo *info) MUST_CHECK;
