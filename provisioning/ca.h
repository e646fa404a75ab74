/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ca: a certificate authority in a folder. Layout (names that other programs and the documentation rely on):
 *
 *     root.pem       root.key        signs those below; the key belongs off-line once they exist
 *     devices.pem    devices.key     device CA
 *     services.pem   services.key    service CA
 *     server-ca.pem  server-ca.key   server CA
 *     claims.pem     claims.key      claim CA
 *     bundle-clients.pem             root + device CA + service CA: what a core broker trusts (mosquitto's cafile)
 *     bundle-claims.pem              root + claim CA + service CA: what a broker for provisioning trusts
 *     bundle-server.pem              root + server CA: what agents and the coordinator trust
 *     devices.revoked, ...           serial numbers of each (provisioning/revoked.h); absent at first
 *
 * Key files have mode 0600. root.pem is written after all but the bundles: a folder without it holds no
 * authority and may be made again.
 * Blocks on the disk; one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/cert.h"
#include "provisioning/certread.h"
#include "provisioning/keyopen.h"

/** Makes the folder, the CAs and the bundles. @param name start of the CAs' names, at most CA_NAME_MAX.
 * @param now_s wall clock. @return ERR_EXISTS (has a root.pem), ERR_INVALID (name), and what writing files returns. */
enum err ca_init(const char *dir, struct view name, int64_t now_s, struct key_rng *rng,
                 struct errinfo *info) MUST_CHECK;

/** Writes the bundles from the certificates in @p dir into the folder @p out. Needs no key. */
enum err ca_bundle(const char *dir, const char *out, struct errinfo *info) MUST_CHECK;

/** An issuing CA with its key. */
struct ca;

/** Opens the CA that signs @p profile (a leaf profile), once for any number of signatures. No thread of its own and
 * none shared: one thread uses it at a time. @param opening borrowed for the call, its generator until ca_free.
 * @return ERR_NOTFOUND (no CA there), ERR_CORRUPT (damaged certificate, not such a CA), ERR_CONFLICT (key and
 * certificate do not belong together), what key_open returns. */
enum err ca_open(const char *dir, enum cert_profile profile, const struct key_opening *opening, struct ca **ret_ca,
                 struct errinfo *info) MUST_CHECK;
void ca_free(struct ca *ca); /* NULL allowed */

/** A new key with its certificate, as PEM. key_pem is secret: deinit zeroises. */
struct ca_pair {
    struct strbuf key_pem;
    struct strbuf chain_pem; /* leaf, then issuing CA */
};
void ca_pair_init(struct ca_pair *pair);
void ca_pair_deinit(struct ca_pair *pair);

/** Makes a key and certifies it. @param now_s wall clock. @param days life; 0 for the profile's. Never outlives the CA.
 * @param pair initialised; emptied first. @return what cert_build returns, ERR_RANGE (now is outside the CA's life). */
enum err ca_issue(struct ca *ca, const struct cert_subject *subject, int64_t now_s, uint32_t days, struct ca_pair *pair,
                  struct errinfo *info) MUST_CHECK;

/** A certificate that was just made. */
struct ca_signed {
    uint8_t der[CERT_DER_MAX];
    size_t der_len;
    uint8_t serial[CERT_SERIAL_SIZE];
    struct cert_validity validity;
};

/** Certifies a key made elsewhere: one signature, no file, about 0.1 ms with a key in memory. Proof of possession is
 * the caller's business. @param days life; 0 for the profile's. Never outlives the CA. @return what cert_build returns,
 * ERR_RANGE (now is outside the CA's life), ERR_STATE (a profile that this CA does not sign). */
enum err ca_sign(struct ca *ca, const struct cert_subject *subject, const uint8_t point[static KEY_POINT_SIZE],
                 int64_t now_s, uint32_t days, struct ca_signed *ret_signed, struct errinfo *info) MUST_CHECK;

/** Certifies a key made elsewhere, as PEM: leaf, then issuing CA. Proof of possession is the caller's business. */
enum err ca_certify(struct ca *ca, const struct cert_subject *subject, const uint8_t point[static KEY_POINT_SIZE],
                    int64_t now_s, uint32_t days, struct strbuf *chain_pem, struct errinfo *info) MUST_CHECK;

/** Writes PREFIX.key (0600) and PREFIX.pem as new files, the key first. Not durable before ca_sync.
 * @param replace existing files are replaced, but not those of a CA. @return ERR_EXISTS (one is there already), and
 * what writing returns. */
enum err ca_pair_save(const struct ca_pair *pair, const char *prefix, bool replace, struct errinfo *info) MUST_CHECK;

/** Makes everything written under the folder of @p prefix durable (syncfs): once for any number of pairs. */
enum err ca_sync(const char *prefix, struct errinfo *info) MUST_CHECK;

/** What signing with @p ca takes; points into it. */
struct cert_signer ca_signer(const struct ca *ca);
/** The CA's own certificate; points into it. */
const struct certread *ca_certificate(const struct ca *ca);
/** The same as DER, for chains; points into @p ca. */
struct view ca_certificate_der(const struct ca *ca);
/** "devices", ...: file name without ending of the CA that signs the leaf @p profile. Static storage. */
const char *ca_file(enum cert_profile profile);

/** Revokes the first certificate of the file @p certificate, durably: its number goes into the list of the CA that
 * signed it. Takes effect with the next list that a broker loads. @return ERR_AUTH (not issued here), ERR_EXISTS
 * (revoked already), ERR_CORRUPT, and what ca_open and files return. */
enum err ca_revoke(const char *dir, const char *certificate, int64_t now_s, const struct key_opening *opening,
                   struct errinfo *info) MUST_CHECK;

/** Appends the revocation list of the CA that signs @p profile as PEM. @param days until the list expires, after which
 * brokers refuse every certificate of that CA. @return as ca_open and revoked_load. */
enum err ca_crl(const char *dir, enum cert_profile profile, int64_t now_s, uint32_t days,
                const struct key_opening *opening, struct strbuf *pem, struct errinfo *info) MUST_CHECK;
