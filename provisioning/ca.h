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
 *     factory.key    factory.pub     signs manifests of batches (P-256)
 *     config-root-1 .. -3.key, .pub  name the keys that may sign configs (Ed25519); off-line like the root
 *     config-signer.key, .pub        signs configs (Ed25519)
 *     old/BASE-KEYID.*               generations before: still trusted and revocable, until they are dropped
 *     dropped/BASE-KEYID.*           trusted no longer
 *     bundle-clients.pem             root + device CAs + service CAs: what a core broker trusts (mosquitto's cafile)
 *     bundle-claims.pem              root + claim CAs + service CAs: what a broker for provisioning trusts
 *     bundle-server.pem              root + server CAs: what agents and the coordinator trust
 *     issuers-devices.pem, ...       device CAs, service CAs, claim CAs alone: for the broker's plugin
 *
 *     devices.revoked, ...           serial numbers of each (provisioning/revoked.h); absent at first
 *
 *     devices.crl, ...               the list that was signed last, of each
 *
 *     ceremony.log                   what was done (provisioning/ceremony.h)
 *
 *     lock                           held by who writes here
 *
 * Key files have mode 0600; they hold a key, a key under a password or a PKCS#11 URI (provisioning/keyopen.h). root.pem
 * is written after all but the bundles: a folder without it holds no authority and may be made again. Blocks on the
 * disk; one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/cert.h"
#include "provisioning/certread.h"
#include "provisioning/keyopen.h"

/** How to make keys and CAs. */
struct ca_setup {
    const char *dir;
    struct view name;              /* start of the CAs' names, at most CA_NAME_MAX; for ca_init */
    const char *root_key;          /* path or PKCS#11 URI; NULL: DIR/root.key. ca_init makes a file that is absent */
    const char *const *token_keys; /* "BASE=pkcs11:...", for keys that exist in a token already */
    size_t token_keys_len;
    struct view password; /* for key files that are made; empty: not encrypted */
    struct view
        constraints; /* of the server CA (provisioning/certpermit.h); empty: none, or when rotating the old ones */
    const struct key_opening *opening;
    const char *by; /* for the log: who does this */
    int64_t now_s;  /* wall clock */
};

/** Makes the folder, the CAs, the signing keys and the bundles. @return ERR_EXISTS (has a root.pem), ERR_INVALID
 * (name), and what keys and writing files return. */
enum err ca_init(const struct ca_setup *setup, struct errinfo *info) MUST_CHECK;

/** Replaces the key of @p what ("devices", ..., "factory", "config-signer", ...) by a new one; CAs are certified by the
 * root. The old one goes to old/: bundles and lists hold both until ca_drop. Steps that a power cut interrupted are
 * finished by the next call, which then does nothing else. A signing key that a folder lacks is made.
 * @return ERR_INVALID (no such thing), ERR_LIMIT (CA_GENERATIONS_MAX), and as ca_init. */
enum err ca_rotate(const struct ca_setup *setup, const char *what, struct errinfo *info) MUST_CHECK;
/** Trusts the generations before the present one of @p what no longer. Needs no key.
 * @param ret_dropped how many. @return ERR_NOTFOUND (there are none). */
enum err ca_drop(const struct ca_setup *setup, const char *what, size_t *ret_dropped, struct errinfo *info) MUST_CHECK;
/** Whether ca_rotate knows @p what. */
bool ca_can_rotate(const char *what);

#define CA_GENERATIONS_MAX 16
#define CA_BASE_SIZE       48 /* "old/config-root-1-0123abcd" */

/** All that is there of one CA or key, as paths in the folder without ending: the present one first. */
struct ca_generations {
    char base[CA_GENERATIONS_MAX][CA_BASE_SIZE];
    size_t len;
};
/** @param what as of ca_rotate. @param ending ".pem", for signing keys ".pub". @return ERR_LIMIT, what reading returns.
 */
enum err ca_generations(const char *dir, const char *what, const char *ending, struct ca_generations *ret_generations,
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
 * signed it, present or old. Takes effect with the next list that a broker loads. @return ERR_AUTH (not issued here),
 * ERR_EXISTS (revoked already), ERR_CORRUPT, and what files return. */
enum err ca_revoke(const char *dir, const char *certificate, int64_t now_s, struct errinfo *info) MUST_CHECK;
/** Whether ca_revoke would. */
enum err ca_revoke_check(const char *dir, const char *certificate, struct errinfo *info) MUST_CHECK;
/** The same by the issuer's key identifier (CERT_KEY_ID_SIZE bytes) and the serial number, both as certread has them.
 */
enum err ca_revoke_serial(const char *dir, struct view issuer, struct view serial, int64_t now_s,
                          struct errinfo *info) MUST_CHECK;

/** Appends the revocation lists of the CAs that sign @p profile as PEM, the present one's first, each judged before
 * (ca_crl_lint) and kept as BASE.crl. @param days until the lists expire, after which brokers refuse every certificate
 * of those CAs. @return as ca_open and revoked_load. */
enum err ca_crl(const char *dir, enum cert_profile profile, int64_t now_s, uint32_t days,
                const struct key_opening *opening, struct strbuf *pem, struct errinfo *info) MUST_CHECK;

/** Whether @p pem holds a list for every CA, present or old, that signs @p profile, by its key, valid at @p now_s and
 * for at least @p margin_s from then, with every number that is revoked. @return ERR_INVALID with what is wrong, and
 * what reading the folder returns. */
enum err ca_crl_lint(const char *dir, enum cert_profile profile, struct view pem, int64_t now_s, int64_t margin_s,
                     struct errinfo *info) MUST_CHECK;

enum ca_key_place { CA_KEY_ABSENT, CA_KEY_FILE, CA_KEY_ENCRYPTED, CA_KEY_TOKEN, CA_KEY_UNREADABLE };
const char *ca_key_place_name(enum ca_key_place place); /* "file", ...; static storage */

/** One CA or signing key of the folder. */
struct ca_item {
    const char *base; /* "devices", "old/devices-0123abcd", "factory" */
    bool is_ca;
    char name[CERT_COMMON_MAX + 1];   /* CAs: common name */
    uint8_t sha256[SHA256_SIZE];      /* of the certificate or public key, DER */
    uint8_t key_id[CERT_KEY_ID_SIZE]; /* CAs */
    int64_t not_after_s;              /* CAs */
    enum ca_key_place key;
    size_t revoked;      /* CAs: how many */
    int64_t list_this_s; /* CAs: of BASE.crl; 0: never made */
    int64_t list_next_s;
};
/** Calls @p each for all that is there, the root first. @param each what it returns other than ERR_OK ends it. */
enum err ca_survey(const char *dir, enum err (*each)(void *context, const struct ca_item *item), void *context,
                   struct errinfo *info) MUST_CHECK;
