/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "provisioning/ca_private.h"
#include "provisioning/certpermit.h"
#include "provisioning/pem.h"

struct ca {
    struct key *key;     /* owned */
    struct key_rng *rng; /* borrowed until ca_free */
    enum cert_profile profile;
    uint8_t der[CERT_DER_MAX];
    size_t der_len;
    struct certread cert; /* points into der */
};

const char *ca_base_of(enum cert_profile profile)
{
    static const char *const bases[] = {
        [CERT_ROOT_CA] = "root",        [CERT_DEVICE_CA] = "devices", [CERT_SERVICE_CA] = "services",
        [CERT_SERVER_CA] = "server-ca", [CERT_CLAIM_CA] = "claims",
    };
    assert((size_t)profile < ARRAY_LEN(bases));
    return bases[profile];
}

enum err ca_path(const char *dir, const char *base, const char *ending, char path[static PATH_MAX],
                 struct errinfo *info)
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s", dir, base, ending);
    return n >= 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", dir);
}

enum err ca_file_error(struct errinfo *info, enum err err, const char *path)
{
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
}

enum err ca_write(const char *dir, const char *base, const char *ending, const struct strbuf *text, mode_t mode,
                  struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = ca_path(dir, base, ending, path, info);
    if (err != ERR_OK) {
        return err;
    }
    err = strbuf_error(text);
    return ca_file_error(info, err == ERR_OK ? file_replace(path, strbuf_view(text), mode) : err, path);
}

enum err ca_save_certificate(const char *dir, const char *base, const char *ending, struct view der,
                             struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = pem_write(&text, PEM_CERTIFICATE, der);
    if (err == ERR_OK) {
        err = ca_write(dir, base, ending, &text, 0644, info);
    }
    strbuf_deinit(&text);
    return err;
}

enum err ca_read_certificate(const char *dir, const char *base, uint8_t der[static CERT_DER_MAX], size_t *ret_len,
                             struct certread *ret_cert, struct errinfo *info)
{
    char path[PATH_MAX];
    char *text;
    size_t len;
    enum err err = ca_path(dir, base, ".pem", path, info);
    if (err != ERR_OK) {
        return err;
    }
    err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return ca_file_error(info, err, path);
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

enum err ca_lock(const char *dir, int *ret_fd, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = ca_path(dir, "lock", "", path, info);
    if (err != ERR_OK) {
        return err;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        err = err_from_errno(errno);
        if (fd >= 0) {
            (void)close(fd); /* nothing was written */
        }
        return ca_file_error(info, err, path);
    }
    *ret_fd = fd;
    return ERR_OK;
}

void ca_unlock(int fd)
{
    (void)close(fd); /* the lock goes with it */
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
        ca->cert.key_id.len != CERT_KEY_ID_SIZE ||
        !view_ends_with(ca->cert.common_name, view_of(cert_ca_suffix(ca->profile)))) {
        return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s/%s.pem is not a %s", dir, file,
                           cert_profile_name(ca->profile));
    }
    return ERR_OK;
}

enum err ca_open(const char *dir, enum cert_profile profile, const struct key_opening *opening, struct ca **ret_ca,
                 struct errinfo *info)
{
    enum cert_profile issuer = cert_profile_issuer(profile);
    return ca_open_base(dir, ca_base_of(issuer), issuer, opening, ret_ca, info);
}

enum err ca_open_base(const char *dir, const char *base, enum cert_profile profile, const struct key_opening *opening,
                      struct ca **ret_ca, struct errinfo *info)
{
    char path[PATH_MAX];
    enum err err = ca_path(dir, base, ".key", path, info);
    if (err != ERR_OK) {
        return err;
    }
    struct ca *ca = calloc(1, sizeof(*ca));
    if (ca == NULL) {
        return errinfo_set(info, ERR_NOMEM, "ca", 0, "out of memory");
    }
    ca->rng = opening->rng;
    ca->profile = profile;
    err = ca_read_certificate(dir, base, ca->der, &ca->der_len, &ca->cert, info);
    if (err == ERR_OK) {
        err = key_open(path, opening, &ca->key, info);
    }
    if (err == ERR_OK) {
        err = check_pairing(ca, dir, base, info);
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
    return ca_base_of(cert_profile_issuer(profile));
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
    err = certpermit_check(ca->cert.constraints, subject, info);
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
