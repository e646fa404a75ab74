/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keyopen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioning/limits.h"
#include "provisioning/pem.h"
#include "provisioning/pkcs11.h"

#define WHAT_MAX 512

/** The first line of a file that only its owner reads. */
static enum err read_password(const char *path, struct secret *ret_password, struct errinfo *info)
{
    char *text;
    size_t len;
    struct view line;
    enum err err = key_read_file(path, &text, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    struct view rest = view_n(text, len);
    if (!view_next(&rest, '\n', &line) || line.len == 0 || line.len > PKCS8_PASSWORD_MAX) {
        err = errinfo_set(info, ERR_INVALID, "key", 0, "%s: the first line is no password", path);
    } else {
        err = secret_set(ret_password, line);
    }
    crypto_zeroise(text, len);
    free(text);
    return err;
}

enum err key_password(const struct key_opening *opening, const char *what, struct secret *ret_password,
                      struct errinfo *info)
{
    if (opening->password_file != NULL) {
        return read_password(opening->password_file, ret_password, info);
    }
    if (opening->ask == NULL) {
        return errinfo_set(info, ERR_DENIED, "key", 0, "%s is needed, and there is no password file and no terminal",
                           what);
    }
    enum err err = opening->ask(opening->ask_context, what, ret_password);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "key", 0, "%s was not given: %s", what, err_text(err));
}

static enum err unseal(struct view sealed, const char *path, const struct key_opening *opening, uint8_t *der,
                       size_t *ret_len, struct errinfo *info)
{
    char what[WHAT_MAX];
    struct secret password = {0};
    (void)snprintf(what, sizeof(what), "the password of %s", path); /* cut short it still says what is asked */
    enum err err = key_password(opening, what, &password, info);
    if (err != ERR_OK) {
        return err;
    }
    err = pkcs8_unseal(sealed, secret_view(&password), der, ret_len);
    secret_deinit(&password);
    switch (err) {
    case ERR_OK:
        return ERR_OK;
    case ERR_AUTH:
        return errinfo_set(info, err, "key", 0, "%s: the password is wrong", path);
    case ERR_UNSUPPORTED:
        return errinfo_set(info, err, "key", 0, "%s: encrypted, but not by PBKDF2-HMAC-SHA256 and AES-256-CBC", path);
    default:
        return errinfo_set(info, err, "key", 0, "%s: damaged encrypted key: %s", path, err_text(err));
    }
}

enum err key_read_der(struct view text, const char *path, const struct key_opening *opening, struct view *ret_label,
                      uint8_t *der, size_t *ret_len, struct errinfo *info)
{
    uint8_t block[2 * PKCS8_KEY_MAX];
    size_t len;
    enum err err;
    do { /* some tools write a block of parameters ahead of the key */
        err = pem_next(&text, ret_label, block, sizeof(block), &len);
    } while (err == ERR_OK && view_equals(*ret_label, "EC PARAMETERS"));
    if (err != ERR_OK) {
        err = errinfo_set(info, err == ERR_LIMIT ? ERR_UNSUPPORTED : ERR_PARSE, "key", 0, "%s: %s", path,
                          err == ERR_LIMIT      ? "too long for a key of ours"
                          : err == ERR_NOTFOUND ? "no PEM block found"
                                                : "damaged PEM block");
    } else if (view_equals(*ret_label, PEM_PKCS8_ENCRYPTED)) {
        err = unseal(view_n((const char *)block, len), path, opening, der, ret_len, info);
        *ret_label = VIEW_LITERAL(PEM_PKCS8);
    } else if (len > PKCS8_KEY_MAX) {
        err = errinfo_set(info, ERR_UNSUPPORTED, "key", 0, "%s: too long for a key of ours", path);
    } else {
        memcpy(der, block, len);
        *ret_len = len;
    }
    crypto_zeroise(block, sizeof(block));
    return err;
}

static enum err open_token(struct view uri, const struct key_opening *opening, struct key **ret_key,
                           struct errinfo *info)
{
    struct pkcs11_key *token = NULL;
    enum err err = pkcs11_open(uri, opening, &token, info);
    return err == ERR_OK ? key_of_token(token, ret_key) : err;
}

static enum err open_text(struct view text, const char *path, const struct key_opening *opening, struct key **ret_key,
                          struct errinfo *info)
{
    uint8_t der[PKCS8_KEY_MAX];
    size_t len;
    struct view label = {0};
    struct errinfo inner = {0};
    enum err err = key_read_der(text, path, opening, &label, der, &len, info);
    if (err == ERR_OK) {
        err = key_parse_der(label, view_n((const char *)der, len), opening->rng, ret_key, &inner);
        if (err != ERR_OK) {
            (void)errinfo_set(info, err, "key", 0, "%s: %s", path, inner.text); /* returned below */
        }
    }
    crypto_zeroise(der, sizeof(der));
    return err;
}

enum err key_open(const char *reference, const struct key_opening *opening, struct key **ret_key, struct errinfo *info)
{
    char *text;
    size_t len;
    if (view_starts_with(view_of(reference), VIEW_LITERAL(PKCS11_SCHEME))) {
        return open_token(view_of(reference), opening, ret_key, info);
    }
    enum err err = key_read_file(reference, &text, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    struct view content = view_trim(view_n(text, len));
    if (view_starts_with(content, VIEW_LITERAL(PKCS11_SCHEME))) {
        err = open_token(content, opening, ret_key, info);
    } else {
        err = open_text(view_n(text, len), reference, opening, ret_key, info);
    }
    crypto_zeroise(text, len);
    free(text);
    return err;
}
