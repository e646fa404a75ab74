/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/pem.h"

/** What a CA is called on disk and in its certificate. */
static const struct ca_row {
    enum cert_profile profile;
    const char *file;
} rows[] = {
    [CERT_ROOT_CA] = {CERT_ROOT_CA, "root"},           [CERT_DEVICE_CA] = {CERT_DEVICE_CA, "devices"},
    [CERT_SERVICE_CA] = {CERT_SERVICE_CA, "services"}, [CERT_SERVER_CA] = {CERT_SERVER_CA, "server-ca"},
    [CERT_CLAIM_CA] = {CERT_CLAIM_CA, "claims"},
};

static const struct bundle_row {
    const char *file;
    enum cert_profile members[3];
    size_t members_len;
} bundles[] = {
    {"bundle-clients.pem", {CERT_ROOT_CA, CERT_DEVICE_CA, CERT_SERVICE_CA}, 3},
    {"bundle-server.pem", {CERT_ROOT_CA, CERT_SERVER_CA}, 2},
    {"bundle-claims.pem", {CERT_ROOT_CA, CERT_CLAIM_CA, CERT_SERVICE_CA}, 3},
};

struct ca {
    struct key *key;     /* owned */
    struct key_rng *rng; /* borrowed until ca_free */
    enum cert_profile profile;
    uint8_t der[CERT_DER_MAX];
    size_t der_len;
    struct certread cert; /* points into der */
};

static const struct ca_row *row_of(enum cert_profile profile)
{
    assert((size_t)profile < ARRAY_LEN(rows));
    return &rows[profile];
}

static enum err make_path(const char *dir, const char *file, const char *ending, char path[static PATH_MAX],
                          struct errinfo *info)
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s", dir, file, ending);
    return n >= 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", dir);
}

static enum err file_error(struct errinfo *info, enum err err, const char *path)
{
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
}

static enum err write_text(const char *dir, const char *file, const char *ending, const struct strbuf *text,
                           struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = make_path(dir, file, ending, path, info);
    if (err != ERR_OK) {
        return err;
    }
    err = strbuf_error(text);
    return file_error(info, err == ERR_OK ? file_replace(path, strbuf_view(text), 0644) : err, path);
}

/** Reads the first certificate of dir/file.pem. */
static enum err read_certificate(const char *dir, const char *file, uint8_t der[static CERT_DER_MAX], size_t *ret_len,
                                 struct certread *ret_cert, struct errinfo *info)
{
    char path[PATH_MAX];
    char *text;
    size_t len;
    enum err err = make_path(dir, file, ".pem", path, info);
    if (err != ERR_OK) {
        return err;
    }
    err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return file_error(info, err, path);
    }
    err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, CERT_DER_MAX, ret_len);
    free(text);
    if (err == ERR_OK) {
        err = certread_parse(view_n((const char *)der, *ret_len), ret_cert);
    }
    return err == ERR_OK
               ? ERR_OK
               : errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s: not a certificate of ours (%s)", path, err_text(err));
}

static enum err write_bundle(const char *dir, const char *out, const struct bundle_row *bundle, struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = ERR_OK;
    for (size_t m = 0; err == ERR_OK && m < bundle->members_len; m++) {
        uint8_t der[CERT_DER_MAX];
        size_t len;
        struct certread cert;
        err = read_certificate(dir, row_of(bundle->members[m])->file, der, &len, &cert, info);
        if (err == ERR_OK) {
            err = pem_write(&text, PEM_CERTIFICATE, view_n((const char *)der, len));
        }
    }
    if (err == ERR_OK) {
        err = write_text(out, bundle->file, "", &text, info);
    }
    strbuf_deinit(&text);
    return err;
}

/** A folder of before there were claims has no such CA, and needs no bundle with it. */
static bool lacks_claims(const char *dir)
{
    char path[PATH_MAX];
    return make_path(dir, rows[CERT_CLAIM_CA].file, ".pem", path, NULL) == ERR_OK && access(path, F_OK) != 0;
}

enum err ca_bundle(const char *dir, const char *out, struct errinfo *info)
{
    enum err err = ERR_OK;
    for (size_t b = 0; err == ERR_OK && b < ARRAY_LEN(bundles); b++) {
        if (bundles[b].members[1] != CERT_CLAIM_CA || !lacks_claims(dir)) {
            err = write_bundle(dir, out, &bundles[b], info);
        }
    }
    return err;
}

/** The CAs while they are made. */
struct making {
    const char *dir;
    struct view name;
    int64_t now_s;
    struct key *root_key;
    struct view root_name; /* points into root_der */
    uint8_t root_key_id[CERT_KEY_ID_SIZE];
    struct cert_validity root_validity;
    uint8_t root_der[CERT_DER_MAX];
    size_t root_der_len;
};

static enum err make_certificate(const struct making *making, const struct ca_row *row, struct key *key,
                                 uint8_t der[static CERT_DER_MAX], size_t *ret_len, struct errinfo *info)
{
    char name[CERT_COMMON_MAX + 1];
    int n = snprintf(name, sizeof(name), "%.*s%s", VIEW_ARG(making->name), cert_ca_suffix(row->profile));
    if (n < 0 || (size_t)n >= sizeof(name)) {
        return errinfo_set(info, ERR_LIMIT, "ca", 0, "the name is longer than %d", CA_NAME_MAX);
    }
    uint8_t point[KEY_POINT_SIZE];
    key_public(key, point);
    const struct cert_subject subject = {.profile = row->profile, .common_name = view_of(name)};
    struct cert_request request = {
        .subject = &subject,
        .point = point,
        .validity = cert_validity_of(making->now_s, cert_profile_days(row->profile)),
    };
    cert_serial_make(request.serial);
    struct cert_signer signer = {.key = key};
    if (row->profile != CERT_ROOT_CA) {
        signer = (struct cert_signer){
            .name = making->root_name,
            .key_id = view_n((const char *)making->root_key_id, CERT_KEY_ID_SIZE),
            .validity = making->root_validity,
            .key = making->root_key,
        };
    }
    return cert_build(&request, &signer, der, ret_len, info);
}

static enum err save_key(const char *dir, const char *file, const struct key *key, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = make_path(dir, file, ".key", path, info);
    return err == ERR_OK ? file_error(info, key_save(key, path), path) : err;
}

static enum err save_certificate(const char *dir, const char *file, const uint8_t *der, size_t len,
                                 struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = pem_write(&text, PEM_CERTIFICATE, view_n((const char *)der, len));
    if (err == ERR_OK) {
        err = write_text(dir, file, ".pem", &text, info);
    }
    strbuf_deinit(&text);
    return err;
}

/** Makes and keeps the root in memory; only its key goes to the disk yet. */
static enum err make_root(struct making *making, struct errinfo *info)
{
    enum err err =
        make_certificate(making, &rows[CERT_ROOT_CA], making->root_key, making->root_der, &making->root_der_len, info);
    if (err == ERR_OK) {
        err = save_key(making->dir, rows[CERT_ROOT_CA].file, making->root_key, info);
    }
    struct certread root;
    if (err == ERR_OK) {
        err = certread_parse(view_n((const char *)making->root_der, making->root_der_len), &root);
    }
    if (err == ERR_OK) {
        making->root_name = root.subject;
        making->root_validity = root.validity;
        memcpy(making->root_key_id, root.key_id.ptr, sizeof(making->root_key_id));
    }
    return err;
}

static enum err make_issuing(const struct making *making, const struct ca_row *row, struct key_rng *rng,
                             struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    uint8_t der[CERT_DER_MAX];
    size_t len;
    enum err err = key_make(rng, &key);
    if (err == ERR_OK) {
        err = make_certificate(making, row, key, der, &len, info);
    }
    if (err == ERR_OK) {
        err = save_key(making->dir, row->file, key, info);
    }
    return err == ERR_OK ? save_certificate(making->dir, row->file, der, len, info) : err;
}

/** root.pem comes when all else stands but the bundles, which `muster ca bundle` can make again at any time. */
static enum err fill(struct making *making, struct key_rng *rng, struct errinfo *info)
{
    enum err err = make_root(making, info);
    for (size_t i = CERT_DEVICE_CA; err == ERR_OK && i < ARRAY_LEN(rows); i++) {
        err = make_issuing(making, &rows[i], rng, info);
    }
    if (err == ERR_OK) {
        err = save_certificate(making->dir, rows[CERT_ROOT_CA].file, making->root_der, making->root_der_len, info);
    }
    return err == ERR_OK ? ca_bundle(making->dir, making->dir, info) : err;
}

enum err ca_init(const char *dir, struct view name, int64_t now_s, struct key_rng *rng, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = make_path(dir, rows[CERT_ROOT_CA].file, ".pem", path, info);
    if (err != ERR_OK) {
        return err;
    }
    if (access(path, F_OK) == 0) {
        return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: there is a certificate authority already", path);
    }
    if (name.len == 0 || name.len > CA_NAME_MAX) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "the name has 1 to %d characters", CA_NAME_MAX);
    }
    err = file_error(info, file_make_parents(path), dir);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(key_free_p) struct key *root_key = NULL;
    err = key_make(rng, &root_key);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "cannot make a key: %s", err_text(err));
    }
    struct making making = {.dir = dir, .name = name, .now_s = now_s, .root_key = root_key};
    return fill(&making, rng, info);
}

static enum err check_pairing(const struct ca *ca, const char *dir, const char *file, struct errinfo *info)
{
    uint8_t point[KEY_POINT_SIZE];
    key_public(ca->key, point);
    if (!view_equal(ca->cert.point, view_n((const char *)point, sizeof(point)))) {
        return errinfo_set(info, ERR_CONFLICT, "ca", 0, "%s/%s.key does not belong to %s.pem", dir, file, file);
    }
    bool client = ca->profile != CERT_SERVER_CA;
    if (!ca->cert.is_ca || ca->cert.client_auth != client || ca->cert.server_auth == client ||
        ca->cert.key_id.len != CERT_KEY_ID_SIZE) {
        return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s/%s.pem is not a %s", dir, file,
                           cert_profile_name(ca->profile));
    }
    return ERR_OK;
}

enum err ca_open(const char *dir, enum cert_profile profile, const struct key_opening *opening, struct ca **ret_ca,
                 struct errinfo *info)
{
    const struct ca_row *row = row_of(cert_profile_issuer(profile));
    char path[PATH_MAX];
    enum err err = make_path(dir, row->file, ".key", path, info);
    if (err != ERR_OK) {
        return err;
    }
    struct ca *ca = calloc(1, sizeof(*ca));
    if (ca == NULL) {
        return errinfo_set(info, ERR_NOMEM, "ca", 0, "out of memory");
    }
    ca->rng = opening->rng;
    ca->profile = row->profile;
    err = read_certificate(dir, row->file, ca->der, &ca->der_len, &ca->cert, info);
    if (err == ERR_OK) {
        err = key_open(path, opening, &ca->key, info);
    }
    if (err == ERR_OK) {
        err = check_pairing(ca, dir, row->file, info);
    }
    if (err != ERR_OK) {
        ca_free(ca);
        return err;
    }
    *ret_ca = ca;
    return ERR_OK;
}

void ca_free(struct ca *ca)
{
    if (ca != NULL) {
        key_free(ca->key);
        free(ca);
    }
}

struct cert_signer ca_signer(const struct ca *ca)
{
    return (struct cert_signer){
        .name = ca->cert.subject,
        .key_id = ca->cert.key_id,
        .validity = ca->cert.validity,
        .key = ca->key,
    };
}

const struct certread *ca_certificate(const struct ca *ca)
{
    return &ca->cert;
}

struct view ca_certificate_der(const struct ca *ca)
{
    return view_n((const char *)ca->der, ca->der_len);
}

const char *ca_file(enum cert_profile profile)
{
    return row_of(cert_profile_issuer(profile))->file;
}

/** The profile's life, cut to the CA's: a fresh CA is younger than the backdated start of its first leaf. */
static enum err leaf_validity(const struct ca *ca, enum cert_profile profile, int64_t now_s, uint32_t days,
                              struct cert_validity *ret_validity, struct errinfo *info)
{
    const struct cert_validity *limit = &ca->cert.validity;
    if (now_s < limit->not_before_s || now_s >= limit->not_after_s) {
        return errinfo_set(info, ERR_RANGE, "ca", 0, "the clock says a time outside the life of the issuing CA");
    }
    if (days > CA_VALIDITY_MAX_DAYS) {
        return errinfo_set(info, ERR_RANGE, "ca", 0, "at most %d days", CA_VALIDITY_MAX_DAYS);
    }
    struct cert_validity wanted = cert_validity_of(now_s, days != 0 ? days : cert_profile_days(profile));
    ret_validity->not_before_s = MAX(wanted.not_before_s, limit->not_before_s);
    ret_validity->not_after_s = MIN(wanted.not_after_s, limit->not_after_s);
    return ERR_OK;
}

enum err ca_sign(struct ca *ca, const struct cert_subject *subject, const uint8_t point[static KEY_POINT_SIZE],
                 int64_t now_s, uint32_t days, struct ca_signed *ret_signed, struct errinfo *info)
{
    if (cert_profile_is_ca(subject->profile) || cert_profile_issuer(subject->profile) != ca->profile) {
        return errinfo_set(info, ERR_STATE, "ca", 0, "the %s does not issue %s certificates",
                           cert_profile_name(ca->profile), cert_profile_name(subject->profile));
    }
    struct cert_request request = {.subject = subject, .point = point};
    enum err err = leaf_validity(ca, subject->profile, now_s, days, &request.validity, info);
    if (err != ERR_OK) {
        return err;
    }
    cert_serial_make(request.serial);
    const struct cert_signer signer = ca_signer(ca);
    err = cert_build(&request, &signer, ret_signed->der, &ret_signed->der_len, info);
    if (err == ERR_OK) {
        memcpy(ret_signed->serial, request.serial, CERT_SERIAL_SIZE);
        ret_signed->validity = request.validity;
    }
    return err;
}

enum err ca_certify(struct ca *ca, const struct cert_subject *subject, const uint8_t point[static KEY_POINT_SIZE],
                    int64_t now_s, uint32_t days, struct strbuf *chain_pem, struct errinfo *info)
{
    struct ca_signed leaf;
    enum err err = ca_sign(ca, subject, point, now_s, days, &leaf, info);
    if (err == ERR_OK) {
        err = pem_write(chain_pem, PEM_CERTIFICATE, view_n((const char *)leaf.der, leaf.der_len));
    }
    return err == ERR_OK ? pem_write(chain_pem, PEM_CERTIFICATE, ca_certificate_der(ca)) : err;
}

enum err ca_issue(struct ca *ca, const struct cert_subject *subject, int64_t now_s, uint32_t days, struct ca_pair *pair,
                  struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    uint8_t point[KEY_POINT_SIZE];
    ca_pair_deinit(pair);
    enum err err = cert_subject_check(subject, info); /* before a key is made for nothing */
    if (err != ERR_OK) {
        return err;
    }
    err = key_make(ca->rng, &key);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "cannot make a key: %s", err_text(err));
    }
    key_public(key, point);
    err = ca_certify(ca, subject, point, now_s, days, &pair->chain_pem, info);
    return err == ERR_OK ? key_write(key, &pair->key_pem) : err;
}
