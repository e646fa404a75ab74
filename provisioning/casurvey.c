/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/ca_private.h"
#include "provisioning/crlread.h"
#include "provisioning/pem.h"
#include "provisioning/pkcs11.h"
#include "provisioning/revoked.h"

const char *ca_key_place_name(enum ca_key_place place)
{
    static const char *const names[] = {"absent", "file", "encrypted", "token", "unreadable"};
    return names[place];
}

static enum ca_key_place place_of(const char *dir, const char *base)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    if (ca_path(dir, base, ".key", path, NULL) != ERR_OK) {
        return CA_KEY_UNREADABLE;
    }
    enum err err = file_read(path, PEM_FILE_MAX, &text, &len);
    if (err != ERR_OK) {
        return err == ERR_NOTFOUND ? CA_KEY_ABSENT : CA_KEY_UNREADABLE;
    }
    enum ca_key_place place = CA_KEY_FILE;
    if (view_starts_with(view_trim(view_n(text, len)), VIEW_LITERAL(PKCS11_SCHEME))) {
        place = CA_KEY_TOKEN;
    } else if (strstr(text, "-----BEGIN " PEM_PKCS8_ENCRYPTED) != NULL) {
        place = CA_KEY_ENCRYPTED;
    }
    crypto_zeroise(text, len);
    free(text);
    return place;
}

/** The times of the list that was signed last; zero when there is none that can be read. */
static void look_at_list(const char *dir, struct ca_item *item)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    struct crlread crl;
    uint8_t *der = malloc(CRL_DER_MAX);
    if (der != NULL && ca_path(dir, item->base, ".crl", path, NULL) == ERR_OK &&
        file_read(path, 2 * CRL_DER_MAX, &text, &len) == ERR_OK &&
        pem_find(view_n(text, len), PEM_CRL, der, CRL_DER_MAX, &len) == ERR_OK &&
        crlread_parse(view_n((const char *)der, len), &crl) == ERR_OK) {
        item->list_this_s = crl.this_update_s;
        item->list_next_s = crl.next_update_s;
    }
    free(text);
    free(der);
}

static enum err look_at_ca(const char *dir, struct ca_item *item, struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    size_t len;
    char path[PATH_MAX];
    struct certread cert;
    struct revoked revoked = {0};
    enum err err = ca_read_certificate(dir, item->base, der, &len, &cert, info);
    if (err == ERR_OK) {
        err = ca_path(dir, item->base, ".revoked", path, info);
    }
    if (err == ERR_OK) {
        err = revoked_load(path, &revoked, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    crypto_sha256(view_n((const char *)der, len), item->sha256);
    cert_key_id((const uint8_t *)cert.point.ptr, item->key_id);
    if (view_copy(cert.common_name, item->name, sizeof(item->name)) != ERR_OK) {
        item->name[0] = '\0'; /* longer than the standard allows */
    }
    item->not_after_s = cert.validity.not_after_s;
    item->revoked = revoked.len;
    revoked_deinit(&revoked);
    look_at_list(dir, item);
    return ERR_OK;
}

static enum err look_at_signing(const char *dir, struct ca_item *item, struct errinfo *info)
{
    char path[PATH_MAX];
    char *text;
    uint8_t der[CERT_DER_MAX];
    size_t len;
    enum err err = ca_path(dir, item->base, ".pub", path, info);
    if (err == ERR_OK) {
        err = ca_file_error(info, file_read(path, PEM_FILE_MAX, &text, &len), path);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = pem_find(view_n(text, len), PEM_PUBLIC, der, sizeof(der), &len);
    free(text);
    if (err != ERR_OK) {
        return errinfo_set(info, ERR_CORRUPT, "ca", 0, "%s: not a public key", path);
    }
    crypto_sha256(view_n((const char *)der, len), item->sha256);
    return ERR_OK;
}

/** What there is of @p what; what a folder of an older version lacks is left out. */
static enum err survey_one(const char *dir, const char *what, bool is_ca,
                           enum err (*each)(void *context, const struct ca_item *item), void *context,
                           struct errinfo *info)
{
    const char *ending = is_ca ? ".pem" : ".pub";
    char path[PATH_MAX];
    struct ca_generations generations;
    enum err err = ca_generations(dir, what, ending, &generations, info);
    for (size_t i = 0; err == ERR_OK && i < generations.len; i++) {
        struct ca_item item = {.base = generations.base[i], .is_ca = is_ca};
        err = ca_path(dir, item.base, ending, path, info);
        if (err == ERR_OK && access(path, F_OK) != 0 && strcmp(what, ca_base_of(CERT_ROOT_CA)) != 0) {
            continue;
        }
        if (err == ERR_OK) {
            err = is_ca ? look_at_ca(dir, &item, info) : look_at_signing(dir, &item, info);
        }
        if (err == ERR_OK) {
            item.key = place_of(dir, item.base);
            err = each(context, &item);
        }
    }
    return err;
}

enum err ca_survey(const char *dir, enum err (*each)(void *context, const struct ca_item *item), void *context,
                   struct errinfo *info)
{
    enum err err = ERR_OK;
    for (enum cert_profile profile = CERT_ROOT_CA; err == ERR_OK && profile <= CERT_CLAIM_CA; profile++) {
        err = survey_one(dir, ca_base_of(profile), true, each, context, info);
    }
    for (size_t i = 0; err == ERR_OK && ca_signing_keys[i] != NULL; i++) {
        err = survey_one(dir, ca_signing_keys[i], false, each, context, info);
    }
    return err;
}
