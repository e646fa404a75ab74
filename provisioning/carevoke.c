/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "provisioning/crl.h"
#include "provisioning/pem.h"
#include "provisioning/revoked.h"

#define DAY_S 86400

static enum err revoked_path(const char *dir, enum cert_profile profile, char path[static PATH_MAX],
                             struct errinfo *info)
{
    int n = snprintf(path, PATH_MAX, "%s/%s.revoked", dir, ca_file(profile));
    return n >= 0 && n < PATH_MAX ? ERR_OK : errinfo_set(info, ERR_LIMIT, "ca", 0, "path too long: %s", dir);
}

static enum err read_leaf(const char *path, uint8_t der[static CERT_DER_MAX], struct certread *ret_cert,
                          struct errinfo *info)
{
    char *text;
    size_t len;
    enum err err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "%s: %s", path, err_text(err));
    }
    size_t der_len;
    err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, CERT_DER_MAX, &der_len);
    free(text);
    if (err == ERR_OK) {
        err = certread_parse(view_n((const char *)der, der_len), ret_cert);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s: not a certificate of ours", path);
}

/** The leaf profile whose CA signed @p cert. */
static enum err find_issuer(const char *dir, const struct certread *cert, const struct key_opening *opening,
                            enum cert_profile *ret_profile, struct errinfo *info)
{
    for (enum cert_profile profile = CERT_DEVICE; profile <= CERT_CLAIM; profile++) {
        struct ca *ca = NULL;
        enum err err = ca_open(dir, profile, opening, &ca, info);
        if (err == ERR_NOTFOUND && profile == CERT_CLAIM) {
            continue; /* made before there were claims */
        }
        if (err != ERR_OK) {
            return err;
        }
        bool ours = certread_verify(cert, ca_certificate(ca)) == ERR_OK;
        ca_free(ca);
        if (ours) {
            *ret_profile = profile;
            return ERR_OK;
        }
    }
    return errinfo_set(info, ERR_AUTH, "ca", 0, "the certificate was not issued by a CA in %s", dir);
}

enum err ca_revoke(const char *dir, const char *certificate, int64_t now_s, const struct key_opening *opening,
                   struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    struct certread cert;
    enum cert_profile profile = CERT_DEVICE;
    char path[PATH_MAX];
    enum err err = read_leaf(certificate, der, &cert, info);
    if (err == ERR_OK) {
        err = find_issuer(dir, &cert, opening, &profile, info);
    }
    if (err == ERR_OK) {
        err = revoked_path(dir, profile, path, info);
    }
    return err == ERR_OK ? revoked_add(path, cert.serial, now_s, info) : err;
}

static enum err sign_list(struct ca *ca, const struct revoked *revoked, int64_t now_s, uint32_t days,
                          struct strbuf *pem)
{
    uint8_t *der = malloc(CRL_DER_MAX);
    if (der == NULL) {
        return ERR_NOMEM;
    }
    const struct cert_signer signer = ca_signer(ca);
    const struct crl_times times = {.this_update_s = now_s, .next_update_s = now_s + (int64_t)days * DAY_S};
    size_t len;
    enum err err = crl_build(&signer, &times, revoked->entries, revoked->len, der, CRL_DER_MAX, &len);
    if (err == ERR_OK) {
        err = pem_write(pem, PEM_CRL, view_n((const char *)der, len));
    }
    free(der);
    return err;
}

enum err ca_crl(const char *dir, enum cert_profile profile, int64_t now_s, uint32_t days,
                const struct key_opening *opening, struct strbuf *pem, struct errinfo *info)
{
    char path[PATH_MAX];
    struct revoked revoked = {0};
    struct ca *ca = NULL;
    enum err err = revoked_path(dir, profile, path, info);
    if (err == ERR_OK) {
        err = revoked_load(path, &revoked, info);
    }
    if (err == ERR_OK) {
        err = ca_open(dir, profile, opening, &ca, info);
    }
    if (err == ERR_OK) {
        err = sign_list(ca, &revoked, now_s, days, pem);
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "ca", 0, "cannot sign the list: %s", err_text(err)); /* returned below */
        }
    }
    ca_free(ca);
    revoked_deinit(&revoked);
    return err;
}
