/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/cert.h"

#include <string.h>

#include "base/crypto.h"
#include "base/dnsname.h"
#include "provisioning/der.h"
#include "provisioning/oids.h"
#include "provisioning/sign.h"
#include "provisioning/x509.h"

#define BACKDATE_S 3600
#define DAY_S      86400

/* KeyUsage bits, RFC 5280 4.2.1.3 */
#define USE_DIGITAL_SIGNATURE (1u << 0)
#define USE_KEY_CERT_SIGN     (1u << 5)
#define USE_CRL_SIGN          (1u << 6)
#define USE_CA                (USE_KEY_CERT_SIGN | USE_CRL_SIGN)

/* GeneralName tags, RFC 5280 4.2.1.6 */
#define NAME_DNS (DER_CONTEXT | 2)
#define NAME_URI (DER_CONTEXT | 6)
#define NAME_IP  (DER_CONTEXT | 7)

#define PATH_NONE (-1)

static const struct profile_row {
    const char *name;
    uint32_t days;
    enum cert_profile issuer;
    int path_len; /* PATH_NONE: not a CA */
    bool client_auth;
    bool server_auth;
} profiles[CERT_PROFILE_COUNT] = {
    [CERT_ROOT_CA] = {"root", 10950, CERT_ROOT_CA, 1, false, false},
    [CERT_DEVICE_CA] = {"device-ca", 7300, CERT_ROOT_CA, 0, true, false},
    [CERT_SERVICE_CA] = {"service-ca", 7300, CERT_ROOT_CA, 0, true, false},
    [CERT_SERVER_CA] = {"server-ca", 7300, CERT_ROOT_CA, 0, false, true},
    [CERT_CLAIM_CA] = {"claim-ca", 7300, CERT_ROOT_CA, 0, true, false},
    [CERT_DEVICE] = {"device", 1095, CERT_DEVICE_CA, PATH_NONE, true, false},
    [CERT_SERVICE] = {"service", 397, CERT_SERVICE_CA, PATH_NONE, true, false},
    [CERT_SERVER] = {"server", 397, CERT_SERVER_CA, PATH_NONE, false, true},
    [CERT_CLAIM] = {"claim", 397, CERT_CLAIM_CA, PATH_NONE, true, false},
};

const char *cert_profile_name(enum cert_profile profile)
{
    return profiles[profile].name;
}

uint32_t cert_profile_days(enum cert_profile profile)
{
    return profiles[profile].days;
}

enum cert_profile cert_profile_issuer(enum cert_profile profile)
{
    return profiles[profile].issuer;
}

bool cert_profile_is_ca(enum cert_profile profile)
{
    return profiles[profile].path_len != PATH_NONE;
}

const char *cert_ca_suffix(enum cert_profile profile)
{
    static const char *const suffixes[] = {
        [CERT_ROOT_CA] = " root CA",     [CERT_DEVICE_CA] = " device CA", [CERT_SERVICE_CA] = " service CA",
        [CERT_SERVER_CA] = " server CA", [CERT_CLAIM_CA] = " claim CA",
    };
    assert((size_t)profile < ARRAY_LEN(suffixes));
    return suffixes[profile];
}

static bool is_identity(struct view id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return id.len >= 1 && id.len <= IDENTITY_MAX;
}

/** What the id of a profile starts with; nothing: a device's, which starts with none of them. */
static const struct mark_row {
    enum cert_profile profile;
    struct view mark;
} marks[] = {
    {CERT_SERVICE, VIEW_LITERAL("svc-")},
    {CERT_CLAIM, VIEW_LITERAL("claim-")},
};

static enum err check_identity(const struct cert_subject *subject, struct errinfo *info)
{
    struct view id = subject->common_name;
    if (!is_identity(id)) {
        return errinfo_set(info, ERR_INVALID, "cert", 0, "an id is 1 to %d of a-z, 0-9 and \"-\"", IDENTITY_MAX);
    }
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        struct view mark = marks[i].mark;
        const char *name = profiles[marks[i].profile].name;
        bool marked = view_starts_with(id, mark);
        if (subject->profile != marks[i].profile && marked) {
            return errinfo_set(info, ERR_INVALID, "cert", 0, "ids that start with \"%.*s\" are for %ss, not %ss",
                               VIEW_ARG(mark), name, profiles[subject->profile].name);
        }
        if (subject->profile == marks[i].profile && (!marked || id.len == mark.len)) {
            return errinfo_set(info, ERR_INVALID, "cert", 0, "the id of a %s starts with \"%.*s\"", name,
                               VIEW_ARG(mark));
        }
    }
    return ERR_OK;
}

static bool has_identity(enum cert_profile profile)
{
    return profile == CERT_DEVICE || profile == CERT_SERVICE || profile == CERT_CLAIM;
}

/** A server's or a CA's name: for people, so printable ASCII of the PrintableString kind. */
static enum err check_display_name(struct view name, struct errinfo *info)
{
    static const char others[] = " -._():/'";
    if (name.len == 0 || name.len > CERT_COMMON_MAX) {
        return errinfo_set(info, ERR_LIMIT, "cert", 0, "a name has 1 to %d characters", CERT_COMMON_MAX);
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              memchr(others, c, sizeof(others) - 1) != NULL)) {
            return errinfo_set(info, ERR_INVALID, "cert", 0, "a name holds letters, digits and%s only", others);
        }
    }
    return ERR_OK;
}

/** Host names for a certificate; the wildcard is left out: a server here knows its names. */
static enum err check_server_names(const struct cert_subject *subject, struct errinfo *info)
{
    if (subject->dns_len + subject->ips_len == 0) {
        return errinfo_set(info, ERR_INVALID, "cert", 0, "a server needs a DNS name or an address that clients use");
    }
    if (subject->dns_len + subject->ips_len > CERT_SAN_MAX) {
        return errinfo_set(info, ERR_LIMIT, "cert", 0, "at most %d names and addresses", CERT_SAN_MAX);
    }
    for (size_t i = 0; i < subject->dns_len; i++) {
        char name[DNSNAME_SIZE];
        enum err err = dnsname_parse(view_of(subject->dns[i]), DNSNAME_HOST, name, info);
        if (err != ERR_OK) {
            return err;
        }
    }
    for (size_t i = 0; i < subject->ips_len; i++) {
        if (subject->ips[i].family == IP_NONE) {
            return errinfo_set(info, ERR_INVALID, "cert", 0, "no address");
        }
    }
    return ERR_OK;
}

enum err cert_subject_check(const struct cert_subject *subject, struct errinfo *info)
{
    enum err err =
        has_identity(subject->profile) ? check_identity(subject, info) : check_display_name(subject->common_name, info);
    if (err != ERR_OK) {
        return err;
    }
    if (subject->profile == CERT_SERVER) {
        return check_server_names(subject, info);
    }
    if (subject->dns_len + subject->ips_len > 0) {
        return errinfo_set(info, ERR_INVALID, "cert", 0, "only a server's certificate holds DNS names and addresses");
    }
    return ERR_OK;
}

struct cert_validity cert_validity_of(int64_t now_s, uint32_t days)
{
    int64_t start = now_s - BACKDATE_S;
    return (struct cert_validity){.not_before_s = start, .not_after_s = start + (int64_t)days * DAY_S - 1};
}

void cert_serial_make(uint8_t ret_serial[static CERT_SERIAL_SIZE])
{
    do {
        crypto_random(ret_serial, CERT_SERIAL_SIZE);
        ret_serial[0] &= 0x7f;
    } while (ret_serial[0] == 0);
}

void cert_key_id(const uint8_t point[static KEY_POINT_SIZE], uint8_t ret_key_id[static CERT_KEY_ID_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(view_n((const char *)point, KEY_POINT_SIZE), digest);
    memcpy(ret_key_id, digest, CERT_KEY_ID_SIZE);
}

/** Starts one extension; two marks to close: the octets, then the sequence. */
struct extension {
    size_t sequence;
    size_t octets;
};

static struct extension open_extension(struct der_writer *w, struct view oid, bool critical)
{
    struct extension extension;
    extension.sequence = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, oid);
    if (critical) { /* DEFAULT FALSE is not encoded, X.690 11.5 */
        der_put_bool(w, true);
    }
    extension.octets = der_open(w, DER_OCTET_STRING);
    return extension;
}

static void close_extension(struct der_writer *w, struct extension extension)
{
    der_close(w, extension.octets);
    der_close(w, extension.sequence);
}

/** Critical in CAs (RFC 5280 4.2.1.9), which wolfSSL's own writer gets wrong. */
static void put_basic_constraints(struct der_writer *w, const struct profile_row *row)
{
    struct extension extension = open_extension(w, OID_BASIC_CONSTRAINTS, true);
    size_t sequence = der_open(w, DER_SEQUENCE);
    if (row->path_len != PATH_NONE) {
        der_put_bool(w, true);
        der_put_small(w, (uint32_t)row->path_len);
    }
    der_close(w, sequence);
    close_extension(w, extension);
}

static void put_usages(struct der_writer *w, const struct profile_row *row)
{
    struct extension extension = open_extension(w, OID_KEY_USAGE, true);
    der_put_flags(w, row->path_len != PATH_NONE ? USE_CA : USE_DIGITAL_SIGNATURE);
    close_extension(w, extension);
    if (row->client_auth || row->server_auth) {
        extension = open_extension(w, OID_EXT_KEY_USAGE, false);
        size_t sequence = der_open(w, DER_SEQUENCE);
        der_put(w, DER_OID, row->client_auth ? OID_CLIENT_AUTH : OID_SERVER_AUTH);
        der_close(w, sequence);
        close_extension(w, extension);
    }
}

static void put_subtree(struct der_writer *w, uint8_t name_tag, struct view base)
{
    size_t subtree = der_open(w, DER_SEQUENCE);
    der_put(w, name_tag, base);
    der_close(w, subtree);
}

/** Critical (RFC 5280 4.2.1.10): no leaf has a DNS name that could ever be a host's, or an address. The empty DNS name
 * would exclude all, but wolfSSL does not read it; so the one domain that holds no host (RFC 6761 6.4) is permitted. */
static void put_name_constraints(struct der_writer *w, const struct cert_subject *subject)
{
    const struct profile_row *row = &profiles[subject->profile];
    static const char zeros[32]; /* address and mask: all of a family */
    if (row->path_len != 0 || (row->server_auth && subject->constraints.len == 0)) {
        return;
    }
    struct extension extension = open_extension(w, OID_NAME_CONSTRAINTS, true);
    size_t constraints = der_open(w, DER_SEQUENCE);
    if (row->server_auth) {
        der_put_raw(w, subject->constraints);
        der_close(w, constraints);
        close_extension(w, extension);
        return;
    }
    size_t permitted = der_open(w, DER_CONTEXT_CONSTRUCTED | 0);
    put_subtree(w, NAME_DNS, VIEW_LITERAL("invalid"));
    der_close(w, permitted);
    size_t excluded = der_open(w, DER_CONTEXT_CONSTRUCTED | 1);
    put_subtree(w, NAME_IP, view_n(zeros, 2 * 4));
    put_subtree(w, NAME_IP, view_n(zeros, 2 * 16));
    der_close(w, excluded);
    der_close(w, constraints);
    close_extension(w, extension);
}

static void put_alt_names(struct der_writer *w, const struct cert_subject *subject)
{
    if (subject->profile != CERT_DEVICE && subject->profile != CERT_SERVER) {
        return;
    }
    struct extension extension = open_extension(w, OID_SUBJECT_ALT_NAME, false);
    size_t names = der_open(w, DER_SEQUENCE);
    if (subject->profile == CERT_DEVICE) {
        char urn[sizeof(CERT_DEVICE_URN) + IDENTITY_MAX] = CERT_DEVICE_URN;
        size_t prefix = sizeof(CERT_DEVICE_URN) - 1;
        memcpy(urn + prefix, subject->common_name.ptr, subject->common_name.len);
        der_put(w, NAME_URI, view_n(urn, prefix + subject->common_name.len));
    }
    for (size_t i = 0; i < subject->dns_len; i++) {
        char name[DNSNAME_SIZE];
        if (dnsname_parse(view_of(subject->dns[i]), DNSNAME_HOST, name, NULL) == ERR_OK) { /* checked before */
            der_put(w, NAME_DNS, view_of(name));
        }
    }
    for (size_t i = 0; i < subject->ips_len; i++) {
        size_t len = subject->ips[i].family == IP_V4 ? 4 : 16;
        der_put(w, NAME_IP, view_n((const char *)subject->ips[i].bytes, len));
    }
    der_close(w, names);
    close_extension(w, extension);
}

static void put_key_ids(struct der_writer *w, const uint8_t *point, struct view authority)
{
    uint8_t own[CERT_KEY_ID_SIZE];
    cert_key_id(point, own);
    struct view own_view = view_n((const char *)own, sizeof(own));
    struct extension extension = open_extension(w, OID_SUBJECT_KEY_ID, false);
    der_put(w, DER_OCTET_STRING, own_view);
    close_extension(w, extension);
    sign_put_authority(w, authority.len > 0 ? authority : own_view);
}

static void put_extensions(struct der_writer *w, const struct cert_request *request, struct view authority)
{
    const struct profile_row *row = &profiles[request->subject->profile];
    size_t explicit = der_open(w, DER_CONTEXT_CONSTRUCTED | 3);
    size_t list = der_open(w, DER_SEQUENCE);
    put_basic_constraints(w, row);
    put_usages(w, row);
    put_key_ids(w, request->point, authority);
    put_alt_names(w, request->subject);
    put_name_constraints(w, request->subject);
    der_close(w, list);
    der_close(w, explicit);
}

static void put_body(struct der_writer *w, const struct cert_request *request, const struct cert_signer *signer)
{
    size_t body = der_open(w, DER_SEQUENCE);
    size_t version = der_open(w, DER_CONTEXT_CONSTRUCTED | 0);
    der_put_small(w, 2); /* v3 */
    der_close(w, version);
    der_put_uint(w, view_n((const char *)request->serial, sizeof(request->serial)));
    sign_put_algorithm(w);
    if (signer->name.len > 0) {
        der_put_raw(w, signer->name);
    } else {
        x509_put_name(w, request->subject->common_name);
    }
    size_t validity = der_open(w, DER_SEQUENCE);
    der_put_time(w, request->validity.not_before_s);
    der_put_time(w, request->validity.not_after_s);
    der_close(w, validity);
    x509_put_name(w, request->subject->common_name);
    x509_put_public_key(w, request->point);
    put_extensions(w, request, signer->key_id);
    der_close(w, body);
}

static enum err check_validity(const struct cert_request *request, const struct cert_signer *signer,
                               struct errinfo *info)
{
    const struct cert_validity *own = &request->validity;
    if (own->not_before_s < 0 || own->not_after_s <= own->not_before_s) {
        return errinfo_set(info, ERR_RANGE, "cert", 0, "the validity is empty or before 1970");
    }
    if (signer->name.len > 0 &&
        (own->not_after_s > signer->validity.not_after_s || own->not_before_s < signer->validity.not_before_s)) {
        return errinfo_set(info, ERR_RANGE, "cert", 0, "the validity is not within that of the issuing CA");
    }
    return ERR_OK;
}

enum err cert_build(const struct cert_request *request, const struct cert_signer *signer,
                    uint8_t der[static CERT_DER_MAX], size_t *ret_len, struct errinfo *info)
{
    bool self_signed = signer->name.len == 0;
    if (self_signed != (request->subject->profile == CERT_ROOT_CA)) {
        return errinfo_set(info, ERR_STATE, "cert", 0, "a root CA signs itself, and nothing else does");
    }
    enum err err = cert_subject_check(request->subject, info);
    if (err == ERR_OK) {
        err = check_validity(request, signer, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint8_t body[CERT_DER_MAX];
    struct der_writer w;
    der_writer_init(&w, body, sizeof(body));
    put_body(&w, request, signer);
    size_t len;
    err = der_writer_end(&w, &len);
    if (err == ERR_OK) {
        err = sign_wrap(view_n((const char *)body, len), signer->key, der, CERT_DER_MAX, ret_len);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "cert", 0, "cannot sign: %s", err_text(err));
}
