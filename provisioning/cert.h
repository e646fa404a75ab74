/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * cert: builds X.509 v3 certificates (RFC 5280) from policy alone: a profile fixes key usage, path length and validity,
 * the caller gives a subject and a public key, nothing is ever copied from a request. Pure: time and serial are inputs.
 *
 * Tree: root CA (path length 1) -> device, service, server and claim CA (path length 0) -> leaves. An issuing CA
 * carries the extended key usage of its leaves, and the name constraint that no DNS name and no address is theirs, so a
 * device CA cannot make a server's certificate.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"

enum cert_profile {
    CERT_ROOT_CA,
    CERT_DEVICE_CA,
    CERT_SERVICE_CA,
    CERT_SERVER_CA,
    CERT_CLAIM_CA,
    CERT_DEVICE,  /* CN = id, SAN URI urn:muster:device:<id>, clientAuth */
    CERT_SERVICE, /* CN = svc-..., clientAuth */
    CERT_SERVER,  /* CN for people, SAN DNS and IP, serverAuth */
    CERT_CLAIM,   /* CN = claim-..., one for all devices of a batch until each has its own; clientAuth */
};

#define CERT_PROFILE_COUNT 9
#define CERT_SERIAL_SIZE   16
#define CERT_KEY_ID_SIZE   20
#define CERT_DEVICE_URN    "urn:muster:device:"

const char *cert_profile_name(enum cert_profile profile); /* "device", ...; static storage */
/** Days a certificate of @p profile lives unless the caller says otherwise. */
uint32_t cert_profile_days(enum cert_profile profile);
/** The CA profile that signs @p profile; CERT_ROOT_CA for CAs. */
enum cert_profile cert_profile_issuer(enum cert_profile profile);
bool cert_profile_is_ca(enum cert_profile profile);
/** What the common name of a CA ends with, " device CA": tells the kinds apart. @p profile a CA. Static storage. */
const char *cert_ca_suffix(enum cert_profile profile);

struct cert_subject {
    enum cert_profile profile;
    struct view common_name;
    const char *const *dns; /* CERT_SERVER: host names, canonical or not */
    size_t dns_len;
    const struct ip *ips; /* CERT_SERVER */
    size_t ips_len;
    struct view constraints; /* CERT_SERVER_CA: body of NameConstraints (provisioning/certpermit.h); empty: none */
};

/**
 * Judges a subject by its profile: ids are `[a-z0-9-]{1,40}`; "svc-" is the mark of a service and "claim-" that of a
 * claim, both refused for a device;
 * a server has at least one DNS name or address, others have none; a CA's name is printable.
 * @param info says which part. @return ERR_INVALID, ERR_LIMIT.
 */
enum err cert_subject_check(const struct cert_subject *subject, struct errinfo *info) MUST_CHECK;

struct cert_validity {
    int64_t not_before_s; /* wall, seconds since 1970 */
    int64_t not_after_s;
};

/** From an hour before @p now_s, since clocks of devices differ, for @p days. */
struct cert_validity cert_validity_of(int64_t now_s, uint32_t days);

/** What a certificate or revocation list needs of its signer; all borrowed for the call. */
struct cert_signer {
    struct view name;              /* encoded subject Name of the signer */
    struct view key_id;            /* CERT_KEY_ID_SIZE bytes */
    struct cert_validity validity; /* a certificate never outlives its signer */
    struct key *key;
};

struct cert_request {
    const struct cert_subject *subject;
    const uint8_t *point; /* KEY_POINT_SIZE: public key of the subject */
    struct cert_validity validity;
    uint8_t serial[CERT_SERIAL_SIZE];
};

/** 16 random bytes, the first 01 to 7f: positive, never shortened by DER. */
void cert_serial_make(uint8_t ret_serial[static CERT_SERIAL_SIZE]);

/** First 160 bits of SHA-256 over the point (RFC 7093 2 (1)). */
void cert_key_id(const uint8_t point[static KEY_POINT_SIZE], uint8_t ret_key_id[static CERT_KEY_ID_SIZE]);

/**
 * Builds and signs. @param signer NULL name: self-signed by signer->key, for CERT_ROOT_CA only.
 * @param der CERT_DER_MAX bytes. @return what cert_subject_check returns, ERR_RANGE (not within the signer's validity),
 * ERR_STATE (a root signed by another, or another by itself), ERR_LIMIT, ERR_CRYPTO.
 */
enum err cert_build(const struct cert_request *request, const struct cert_signer *signer,
                    uint8_t der[static CERT_DER_MAX], size_t *ret_len, struct errinfo *info) MUST_CHECK;
