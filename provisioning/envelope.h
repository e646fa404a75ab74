/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * envelope: signed payloads. A signature covers PURPOSE NUL PAYLOAD, so that what was signed for one purpose is nothing
 * for another. Two ways to know whose it is: a certificate chain that travels along (answers of the provisioner, whose
 * frame on the wire is mqtt/messages_prov.h's envelope), or a bare public key that the reader knows (manifests, kept as
 * files). Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/certchain.h"
#include "provisioning/key.h"

#define ENVELOPE_PROV     VIEW_LITERAL("muster-prov-1")
#define ENVELOPE_MANIFEST VIEW_LITERAL("muster-manifest-1")

#define ENVELOPE_PAYLOAD_MAX 65535
#define ENVELOPE_FILE_MAX    88064 /* the payload in base64, signature and frame */

/** @param purpose one of those above. @return ERR_LIMIT (payload), ERR_NOMEM, ERR_CRYPTO. */
enum err envelope_sign(struct key *key, struct view purpose, struct view payload,
                       uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len) MUST_CHECK;

/** By a bare key. @param point KEY_POINT_SIZE bytes. @return ERR_AUTH (not signed by it), ERR_INVALID (point),
 * ERR_LIMIT, ERR_NOMEM, ERR_CRYPTO. */
enum err envelope_verify(struct view point, struct view purpose, struct view payload, struct view signature) MUST_CHECK;

/** What came with its signer's chain; borrowed for the call. */
struct envelope_signed {
    const struct view *chain; /* CERTCHAIN_LEN certificates: the signer's and its CA's */
    size_t chain_len;
    struct view payload;
    struct view signature;
};

/** By a certificate of rules->profile whose common name begins with @p signer ("svc-prov"). @param ret_signed_s as
 * certchain_verify gives it: a floor for the clock. NULL allowed. @return what certchain_verify and envelope_verify
 * return; @p info says why. */
enum err envelope_verify_chain(const struct envelope_signed *envelope, const struct certchain_rules *rules,
                               struct view purpose, struct view signer, int64_t *ret_signed_s,
                               struct errinfo *info) MUST_CHECK;

/** Appends the form for files, signed by a bare key: {"v":1,"payload":BASE64,"sig":BASE64} and a newline. @return as
 * envelope_sign, and @p out's error. */
enum err envelope_seal(struct key *key, struct view purpose, struct view payload, struct strbuf *out) MUST_CHECK;
/** Reads that form and verifies it. @param ret_payload initialised, with a cap; the payload is appended only when the
 * signature is that of @p point. @return also ERR_PARSE. */
enum err envelope_open(struct view text, struct view point, struct view purpose, struct strbuf *ret_payload,
                       struct errinfo *info) MUST_CHECK;
