/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/ca_private.h"
#include "provisioning/ceremony.h"
#include "provisioning/ed25519.h"
#include "provisioning/pem.h"
#include "provisioning/pkcs11.h"

#define FACTORY "factory"

const char *const ca_signing_keys[] = {FACTORY,         "config-root-1", "config-root-2",
                                       "config-root-3", "config-signer", NULL};

enum err ca_log(const struct ca_setup *setup, const char *act, const char *what, struct view der, struct errinfo *info)
{
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(der, digest);
    const struct ceremony_act line = {.by = setup->by, .act = act, .what = what, .sha256 = digest};
    return ceremony_append(setup->dir, &line, setup->now_s, info);
}

enum err ca_mint(const struct ca_mint *mint, enum cert_profile profile, struct view name, const char *generation,
                 struct key *key, struct ca_signed *ret_signed, struct errinfo *info)
{
    char common_name[CERT_COMMON_MAX + 1];
    uint8_t point[KEY_POINT_SIZE];
    int n = snprintf(common_name, sizeof(common_name), "%.*s%s%s%s", VIEW_ARG(name), generation[0] != '\0' ? " " : "",
                     generation, cert_ca_suffix(profile));
    if (n < 0 || (size_t)n >= sizeof(common_name)) {
        return errinfo_set(info, ERR_LIMIT, "ca", 0, "the name is longer than %d", CA_NAME_MAX);
    }
    key_public(key, point);
    const struct cert_subject subject = {
        .profile = profile,
        .common_name = view_of(common_name),
        .constraints = profile == CERT_SERVER_CA ? mint->setup->constraints : view_n(NULL, 0),
    };
    struct cert_request request = {
        .subject = &subject,
        .point = point,
        .validity = cert_validity_of(mint->setup->now_s, cert_profile_days(profile)),
    };
    cert_serial_make(request.serial);
    struct cert_signer signer = {.key = mint->root_key};
    if (profile != CERT_ROOT_CA) {
        signer.name = mint->root.subject;
        signer.key_id = mint->root.key_id;
        signer.validity = mint->root.validity;
        request.validity.not_after_s = MIN(request.validity.not_after_s, mint->root.validity.not_after_s);
    }
    enum err err = cert_build(&request, &signer, ret_signed->der, &ret_signed->der_len, info);
    if (err == ERR_OK) {
        memcpy(ret_signed->serial, request.serial, CERT_SERIAL_SIZE);
        ret_signed->validity = request.validity;
    }
    return err;
}

static enum err save_key(const struct key *key, struct view password, const char *path, struct errinfo *info)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = key_write_sealed(key, password, &text);
    if (err == ERR_OK) {
        err = file_replace(path, strbuf_view(&text), 0600);
    }
    crypto_zeroise(text.ptr, text.size);
    strbuf_deinit(&text);
    return err == ERR_INVALID ? errinfo_set(info, err, "ca", 0, "a password has %d to %d characters",
                                            PKCS8_PASSWORD_MIN, PKCS8_PASSWORD_MAX)
                              : ca_file_error(info, err, path);
}

/** The URI that the setup names for @p base; NULL: none. */
static const char *token_key(const struct ca_setup *setup, const char *base)
{
    size_t len = strlen(base);
    for (size_t i = 0; i < setup->token_keys_len; i++) {
        if (strncmp(setup->token_keys[i], base, len) == 0 && setup->token_keys[i][len] == '=') {
            return setup->token_keys[i] + len + 1;
        }
    }
    return NULL;
}

static enum err link_token_key(const struct ca_setup *setup, const char *base, const char *ending, const char *uri,
                               struct key **ret_key, struct errinfo *info)
{
    struct strbuf text;
    CLEANUP(key_free_p) struct key *key = NULL;
    if (!view_starts_with(view_of(uri), VIEW_LITERAL(PKCS11_SCHEME))) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "the key for %s is no pkcs11: URI", base);
    }
    enum err err = key_open(uri, setup->opening, &key, info);
    if (err != ERR_OK) {
        return err;
    }
    strbuf_init(&text, PEM_FILE_MAX);
    (void)strbuf_addf(&text, "%s\n", uri); /* the error sticks */
    err = ca_write(setup->dir, base, ending, &text, 0600, info);
    strbuf_deinit(&text);
    if (err == ERR_OK) {
        *ret_key = TAKE(key);
    }
    return err;
}

enum err ca_make_key(const struct ca_setup *setup, const char *base, const char *ending, struct key **ret_key,
                     struct errinfo *info)
{
    char path[PATH_MAX];
    CLEANUP(key_free_p) struct key *key = NULL;
    const char *uri = token_key(setup, base);
    if (uri != NULL) {
        return link_token_key(setup, base, ending, uri, ret_key, info);
    }
    enum err err = ca_path(setup->dir, base, ending, path, info);
    if (err == ERR_OK) {
        err = key_make(setup->opening->rng, &key);
        if (err != ERR_OK) {
            return errinfo_set(info, err, "ca", 0, "cannot make a key: %s", err_text(err));
        }
        err = save_key(key, setup->password, path, info);
    }
    if (err == ERR_OK) {
        *ret_key = TAKE(key);
    }
    return err;
}

/** The key that setup->root_key names, made where it is the path of no file yet. */
static enum err make_root_key(const struct ca_setup *setup, struct key **ret_key, struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    const char *path = setup->root_key;
    if (path == NULL) {
        return ca_make_key(setup, ca_base_of(CERT_ROOT_CA), ".key", ret_key, info);
    }
    if (view_starts_with(view_of(path), VIEW_LITERAL(PKCS11_SCHEME)) || access(path, F_OK) == 0) {
        return key_open(path, setup->opening, ret_key, info);
    }
    enum err err = key_make(setup->opening->rng, &key);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "ca", 0, "cannot make a key: %s", err_text(err));
    }
    err = save_key(key, setup->password, path, info);
    if (err == ERR_OK) {
        *ret_key = TAKE(key);
    }
    return err;
}

/** Makes and keeps the root in memory; only its key goes to the disk yet. */
static enum err make_root(struct ca_mint *mint, struct errinfo *info)
{
    struct ca_signed root;
    enum err err = make_root_key(mint->setup, &mint->root_key, info);
    if (err == ERR_OK) {
        err = ca_mint(mint, CERT_ROOT_CA, mint->setup->name, "", mint->root_key, &root, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    memcpy(mint->root_der, root.der, root.der_len);
    mint->root_len = root.der_len;
    return certread_parse(view_n((const char *)mint->root_der, mint->root_len), &mint->root);
}

static enum err make_issuing(const struct ca_mint *mint, enum cert_profile profile, struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    struct ca_signed made;
    const char *base = ca_base_of(profile);
    enum err err = ca_make_key(mint->setup, base, ".key", &key, info);
    if (err == ERR_OK) {
        err = ca_mint(mint, profile, mint->setup->name, "", key, &made, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct view der = view_n((const char *)made.der, made.der_len);
    err = ca_log(mint->setup, "init", base, der, info);
    return err == ERR_OK ? ca_save_certificate(mint->setup->dir, base, ".pem", der, info) : err;
}

static enum err write_pair(const struct ca_setup *setup, const char *base, const char *public_ending,
                           struct strbuf *public, const char *act, struct errinfo *info)
{
    uint8_t der[CERT_DER_MAX];
    size_t len;
    enum err err = pem_find(strbuf_view(public), PEM_PUBLIC, der, sizeof(der), &len);
    if (err == ERR_OK) {
        err = ca_log(setup, act, base, view_n((const char *)der, len), info);
    }
    return err == ERR_OK ? ca_write(setup->dir, base, public_ending, public, 0644, info) : err;
}

static enum err make_ed25519(const struct ca_setup *setup, const char *base, const char *ending, struct strbuf *public,
                             struct errinfo *info)
{
    struct strbuf text;
    CLEANUP(ed25519_free_p) struct ed25519 *key = NULL;
    if (token_key(setup, base) != NULL) {
        return errinfo_set(info, ERR_UNSUPPORTED, "ca", 0, "%s is an Ed25519 key, which is kept in a file", base);
    }
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = ed25519_make(setup->opening->rng, &key);
    if (err == ERR_OK) {
        err = ed25519_write_sealed(key, setup->password, &text);
    }
    if (err != ERR_OK) {
        (void)errinfo_set(info, err, "ca", 0, "cannot make a key: %s", err_text(err)); /* returned below */
    } else {
        err = ca_write(setup->dir, base, ending, &text, 0600, info);
    }
    crypto_zeroise(text.ptr, text.size);
    strbuf_deinit(&text);
    return err == ERR_OK ? ed25519_write_public(key, public) : err;
}

enum err ca_make_signing(const struct ca_setup *setup, const char *base, const char *key_ending,
                         const char *public_ending, const char *act, struct errinfo *info)
{
    struct strbuf public;
    enum err err;
    strbuf_init(&public, PEM_FILE_MAX);
    if (strcmp(base, FACTORY) == 0) {
        CLEANUP(key_free_p) struct key *key = NULL;
        err = ca_make_key(setup, base, key_ending, &key, info);
        if (err == ERR_OK) {
            err = key_write_public(key, &public);
        }
    } else {
        err = make_ed25519(setup, base, key_ending, &public, info);
    }
    if (err == ERR_OK) {
        err = write_pair(setup, base, public_ending, &public, act, info);
    }
    strbuf_deinit(&public);
    return err;
}

/** root.pem comes when all else stands but the bundles, which `muster ca bundle` can make again at any time. */
static enum err fill(struct ca_mint *mint, struct errinfo *info)
{
    const struct ca_setup *setup = mint->setup;
    enum err err = make_root(mint, info);
    struct view root = view_n((const char *)mint->root_der, mint->root_len);
    if (err == ERR_OK) {
        err = ca_log(setup, "init", ca_base_of(CERT_ROOT_CA), root, info);
    }
    for (enum cert_profile profile = CERT_DEVICE_CA; err == ERR_OK && profile <= CERT_CLAIM_CA; profile++) {
        err = make_issuing(mint, profile, info);
    }
    for (size_t i = 0; err == ERR_OK && ca_signing_keys[i] != NULL; i++) {
        err = ca_make_signing(setup, ca_signing_keys[i], ".key", ".pub", "init", info);
    }
    if (err == ERR_OK) {
        err = ca_save_certificate(setup->dir, ca_base_of(CERT_ROOT_CA), ".pem", root, info);
    }
    return err == ERR_OK ? ca_bundle(setup->dir, setup->dir, info) : err;
}

/** Whether the setup names keys for what there is. */
static enum err check_setup(const struct ca_setup *setup, struct errinfo *info)
{
    const struct cert_subject subject = {.profile = CERT_ROOT_CA, .common_name = setup->name};
    if (setup->name.len == 0 || setup->name.len > CA_NAME_MAX) {
        return errinfo_set(info, ERR_INVALID, "ca", 0, "the name has 1 to %d characters", CA_NAME_MAX);
    }
    enum err err = cert_subject_check(&subject, info);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < setup->token_keys_len; i++) {
        struct view rest = view_of(setup->token_keys[i]);
        struct view base;
        char name[CA_BASE_SIZE];
        if (!view_next(&rest, '=', &base) || view_copy(base, name, sizeof(name)) != ERR_OK || !ca_can_rotate(name)) {
            return errinfo_set(info, ERR_INVALID, "ca", 0, "%s: not WHAT=pkcs11:..., of a key that a CA has",
                               setup->token_keys[i]);
        }
    }
    return ERR_OK;
}

enum err ca_init(const struct ca_setup *setup, struct errinfo *info)
{
    char path[PATH_MAX];
    int lock;
    enum err err = ca_path(setup->dir, ca_base_of(CERT_ROOT_CA), ".pem", path, info);
    if (err != ERR_OK) {
        return err;
    }
    if (access(path, F_OK) == 0) {
        return errinfo_set(info, ERR_EXISTS, "ca", 0, "%s: there is a certificate authority already", path);
    }
    err = check_setup(setup, info);
    if (err == ERR_OK) {
        err = ca_file_error(info, file_make_parents(path), setup->dir);
    }
    if (err == ERR_OK) {
        err = ca_lock(setup->dir, &lock, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct ca_mint mint = {.setup = setup};
    err = fill(&mint, info);
    key_free(mint.root_key);
    ca_unlock(lock);
    return err;
}

enum err ca_mint_open(const struct ca_setup *setup, struct ca_mint *mint, struct errinfo *info)
{
    char path[PATH_MAX];
    uint8_t point[KEY_POINT_SIZE];
    mint->setup = setup;
    enum err err = ca_path(setup->dir, ca_base_of(CERT_ROOT_CA), ".key", path, info);
    if (err == ERR_OK) {
        err = ca_read_certificate(setup->dir, ca_base_of(CERT_ROOT_CA), mint->root_der, &mint->root_len, &mint->root,
                                  info);
    }
    if (err == ERR_OK) {
        err = key_open(setup->root_key != NULL ? setup->root_key : path, setup->opening, &mint->root_key, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    key_public(mint->root_key, point);
    if (!view_equal(mint->root.point, view_n((const char *)point, sizeof(point)))) {
        return errinfo_set(info, ERR_CONFLICT, "ca", 0, "the root key is not that of %s/root.pem", setup->dir);
    }
    return ERR_OK;
}
