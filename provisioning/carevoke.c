/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "provisioning/ca_private.h"
#include "provisioning/crl.h"
#include "provisioning/crlread.h"
#include "provisioning/pem.h"
#include "provisioning/revoked.h"

#define DAY_S 86400

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

/** What is asked of every CA of a folder, present and old, until one says yes. */
struct question {
    const struct certread *leaf; /* did you sign it? NULL: */
    struct view key_id;          /* is this yours? */
};

static bool is_issuer(const struct certread *ca, const struct question *question)
{
    return question->leaf != NULL ? certread_verify(question->leaf, ca) == ERR_OK
                                  : view_equal(ca->key_id, question->key_id);
}

static enum err find_in(const char *dir, const char *what, const struct question *question,
                        char ret_base[static CA_BASE_SIZE], struct errinfo *info)
{
    struct ca_generations generations;
    enum err err = ca_generations(dir, what, ".pem", &generations, info);
    for (size_t i = 0; err == ERR_OK && i < generations.len; i++) {
        uint8_t der[CERT_DER_MAX];
        size_t len;
        struct certread ca;
        err = ca_read_certificate(dir, generations.base[i], der, &len, &ca, info);
        if (err == ERR_OK && is_issuer(&ca, question)) {
            return view_copy(view_of(generations.base[i]), ret_base, CA_BASE_SIZE);
        }
    }
    return err == ERR_OK ? ERR_AUTH : err;
}

static enum err find_issuer(const char *dir, const struct question *question, char ret_base[static CA_BASE_SIZE],
                            struct errinfo *info)
{
    for (enum cert_profile profile = CERT_DEVICE_CA; profile <= CERT_CLAIM_CA; profile++) {
        enum err err = find_in(dir, ca_base_of(profile), question, ret_base, info);
        if (err == ERR_NOTFOUND && profile == CERT_CLAIM_CA) {
            continue; /* made before there were claims */
        }
        if (err != ERR_AUTH) {
            return err;
        }
    }
    return errinfo_set(info, ERR_AUTH, "ca", 0, "the certificate was not issued by a CA in %s", dir);
}

static enum err revoke_locked(const char *dir, const struct question *question, struct view serial, int64_t now_s,
                              struct errinfo *info)
{
    char base[CA_BASE_SIZE];
    char path[PATH_MAX];
    enum err err = find_issuer(dir, question, base, info);
    if (err == ERR_OK) {
        err = ca_path(dir, base, ".revoked", path, info);
    }
    return err == ERR_OK ? revoked_add(path, serial, now_s, info) : err;
}

static enum err revoke(const char *dir, const struct question *question, struct view serial, int64_t now_s,
                       struct errinfo *info)
{
    int lock;
    enum err err = ca_lock(dir, &lock, info);
    if (err == ERR_OK) {
        err = revoke_locked(dir, question, serial, now_s, info);
        ca_unlock(lock);
    }
    return err;
}

enum err ca_revoke(const char *dir, const char *certificate, int64_t now_s, struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    struct certread cert;
    enum err err = read_leaf(certificate, der, &cert, info);
    const struct question question = {.leaf = &cert};
    return err == ERR_OK ? revoke(dir, &question, cert.serial, now_s, info) : err;
}

enum err ca_revoke_check(const char *dir, const char *certificate, struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    struct certread cert;
    char base[CA_BASE_SIZE];
    char path[PATH_MAX];
    struct revoked revoked = {0};
    const struct question question = {.leaf = &cert};
    enum err err = read_leaf(certificate, der, &cert, info);
    if (err == ERR_OK) {
        err = find_issuer(dir, &question, base, info);
    }
    if (err == ERR_OK) {
        err = ca_path(dir, base, ".revoked", path, info);
    }
    if (err == ERR_OK) {
        err = revoked_load(path, &revoked, info);
    }
    for (size_t i = 0; err == ERR_OK && i < revoked.len; i++) {
        const struct crl_entry *entry = &revoked.entries[i];
        if (view_equal(view_n((const char *)entry->serial, entry->serial_len), cert.serial)) {
            err = errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: the certificate is revoked already", path);
        }
    }
    revoked_deinit(&revoked);
    return err;
}

enum err ca_revoke_serial(const char *dir, struct view issuer, struct view serial, int64_t now_s, struct errinfo *info)
{
    const struct question question = {.key_id = issuer};
    return revoke(dir, &question, serial, now_s, info);
}

/* ---- lists ---- */

/** Whether @p crl is what @p ca should have signed. */
static enum err judge_list(const struct crlread *crl, const struct revoked *revoked, const char *base, int64_t now_s,
                           int64_t margin_s, struct errinfo *info)
{
    if (crl->this_update_s > now_s || crl->next_update_s < now_s + margin_s) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "the list of %s is %s", base,
                           crl->this_update_s > now_s   ? "from the future"
                           : crl->next_update_s < now_s ? "expired"
                                                        : "about to expire");
    }
    if (crl->entries_len != revoked->len) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "the list of %s has %zu entries, revoked are %zu", base,
                           crl->entries_len, revoked->len);
    }
    for (size_t i = 0; i < revoked->len; i++) {
        if (!crlread_has(crl, view_n((const char *)revoked->entries[i].serial, revoked->entries[i].serial_len))) {
            return errinfo_set(info, ERR_INVALID, "ca", 0, "the list of %s lacks a number that is revoked", base);
        }
    }
    return ERR_OK;
}

/** The list in @p pem that @p ca signed. @param der CRL_DER_MAX bytes. */
static enum err find_list(struct view pem, const struct certread *ca, const char *base, uint8_t *der,
                          struct crlread *ret_crl, struct errinfo *info)
{
    struct view label;
    size_t len;
    enum err err;
    while ((err = pem_next(&pem, &label, der, CRL_DER_MAX, &len)) == ERR_OK) {
        if (!view_equals(label, PEM_CRL) || crlread_parse(view_n((const char *)der, len), ret_crl) != ERR_OK) {
            return errinfo_set(info, ERR_INVALID, "ca", 0, "what should be a list is damaged");
        }
        if (crlread_verify(ret_crl, ca) == ERR_OK) {
            return ERR_OK;
        }
    }
    return errinfo_set(info, ERR_INVALID, "ca", 0,
                       err == ERR_NOTFOUND ? "there is no list of %s" : "damaged PEM, of %s?", base);
}

static enum err lint_one(const char *dir, const char *base, struct view pem, int64_t now_s, int64_t margin_s,
                         struct errinfo *info)
{
    char path[PATH_MAX];
    uint8_t cert_der[CERT_DER_MAX];
    size_t len;
    struct certread ca;
    struct crlread crl;
    struct revoked revoked = {0};
    enum err err = ca_read_certificate(dir, base, cert_der, &len, &ca, info);
    if (err == ERR_OK) {
        err = ca_path(dir, base, ".revoked", path, info);
    }
    if (err == ERR_OK) {
        err = revoked_load(path, &revoked, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    uint8_t *der = malloc(CRL_DER_MAX);
    err = der == NULL ? ERR_NOMEM : find_list(pem, &ca, base, der, &crl, info);
    if (err == ERR_OK) {
        err = judge_list(&crl, &revoked, base, now_s, margin_s, info);
    }
    free(der);
    revoked_deinit(&revoked);
    return err;
}

enum err ca_crl_lint(const char *dir, enum cert_profile profile, struct view pem, int64_t now_s, int64_t margin_s,
                     struct errinfo *info)
{
    struct ca_generations generations;
    enum err err = ca_generations(dir, ca_file(profile), ".pem", &generations, info);
    for (size_t i = 0; err == ERR_OK && i < generations.len; i++) {
        err = lint_one(dir, generations.base[i], pem, now_s, margin_s, info);
    }
    return err;
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

/** The list of one generation, judged and kept. */
static enum err make_list(const char *dir, const char *base, enum cert_profile profile, int64_t now_s, uint32_t days,
                          const struct key_opening *opening, struct strbuf *pem, struct errinfo *info)
{
    char path[PATH_MAX];
    struct revoked revoked = {0};
    struct ca *ca = NULL;
    enum err err = ca_path(dir, base, ".revoked", path, info);
    if (err == ERR_OK) {
        err = revoked_load(path, &revoked, info);
    }
    if (err == ERR_OK) {
        err = ca_open_base(dir, base, cert_profile_issuer(profile), opening, &ca, info);
    }
    if (err == ERR_OK) {
        err = sign_list(ca, &revoked, now_s, days, pem);
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "ca", 0, "cannot sign the list: %s", err_text(err)); /* returned below */
        }
    }
    if (err == ERR_OK) {
        err = lint_one(dir, base, strbuf_view(pem), now_s, 0, info);
    }
    if (err == ERR_OK) {
        err = ca_write(dir, base, ".crl", pem, 0644, info);
    }
    ca_free(ca);
    revoked_deinit(&revoked);
    return err;
}

static enum err make_lists(const char *dir, enum cert_profile profile, int64_t now_s, uint32_t days,
                           const struct key_opening *opening, struct strbuf *pem, struct errinfo *info)
{
    struct ca_generations generations;
    struct strbuf one;
    enum err err = ca_generations(dir, ca_file(profile), ".pem", &generations, info);
    strbuf_init(&one, 2 * CRL_DER_MAX);
    for (size_t i = 0; err == ERR_OK && i < generations.len; i++) {
        strbuf_clear(&one);
        err = make_list(dir, generations.base[i], profile, now_s, days, opening, &one, info);
        if (err == ERR_OK) {
            err = strbuf_add(pem, strbuf_view(&one));
        }
    }
    strbuf_deinit(&one);
    return err;
}

enum err ca_crl(const char *dir, enum cert_profile profile, int64_t now_s, uint32_t days,
                const struct key_opening *opening, struct strbuf *pem, struct errinfo *info)
{
    int lock;
    enum err err = ca_lock(dir, &lock, info);
    if (err == ERR_OK) {
        err = make_lists(dir, profile, now_s, days, opening, pem, info);
        ca_unlock(lock);
    }
    return err;
}
