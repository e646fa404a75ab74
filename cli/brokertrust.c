/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokertrust.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"

#define FILE_MAX_BYTES (8 << 20) /* a list of CRL_DER_MAX in base64 */

static enum err fail(struct errinfo *info, enum err err, const char *path, const char *what)
{
    return errinfo_set(info, err, "broker", 0, "%s: %s", path, what != NULL ? what : err_text(err));
}

static enum err add_cert(struct brokertrust *trust, struct view der)
{
    struct brokertrust_cert one = {.der = der};
    enum err err = trust->certs_len < BROKERTRUST_MAX ? certread_parse(der, &one.cert) : ERR_LIMIT;
    struct brokertrust_cert *certs =
        err == ERR_OK ? realloc(trust->certs, (trust->certs_len + 1) * sizeof(*certs)) : NULL;
    if (certs == NULL) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    certs[trust->certs_len++] = one;
    trust->certs = certs;
    return ERR_OK;
}

static enum err add_list(struct brokertrust *trust, struct view der)
{
    struct brokertrust_list one = {.der = der};
    enum err err = trust->lists_len < BROKERTRUST_MAX ? crlread_parse(der, &one.crl) : ERR_LIMIT;
    struct brokertrust_list *lists =
        err == ERR_OK ? realloc(trust->lists, (trust->lists_len + 1) * sizeof(*lists)) : NULL;
    if (lists == NULL) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    lists[trust->lists_len++] = one;
    trust->lists = lists;
    return ERR_OK;
}

/** Takes a copy; what @p add does not take is freed. */
static enum err add_block(struct brokertrust *trust, struct view der,
                          enum err (*add)(struct brokertrust *trust, struct view der))
{
    char *copy = malloc(der.len + 1);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    memcpy(copy, der.ptr, der.len);
    enum err err = add(trust, view_n(copy, der.len));
    if (err != ERR_OK) {
        free(copy);
    }
    return err;
}

static enum err add_blocks(struct brokertrust *trust, struct view text, const char *label,
                           enum err (*add)(struct brokertrust *trust, struct view der))
{
    uint8_t *der = malloc(CRL_DER_MAX);
    struct view found;
    size_t len = 0;
    size_t count = 0;
    enum err err = der != NULL ? ERR_OK : ERR_NOMEM;
    while (err == ERR_OK) {
        err = pem_next(&text, &found, der, CRL_DER_MAX, &len);
        if (err == ERR_NOTFOUND) {
            err = ERR_OK;
            break;
        }
        if (err == ERR_OK && view_equals(found, label)) {
            err = add_block(trust, view_n((const char *)der, len), add);
            count++;
        }
    }
    free(der);
    return err == ERR_OK && count == 0 ? ERR_NOTFOUND : err;
}

static enum err add_file(struct brokertrust *trust, const char *path, const char *label,
                         enum err (*add)(struct brokertrust *trust, struct view der), struct errinfo *info)
{
    char *text = NULL;
    size_t len = 0;
    enum err err = file_read(path, FILE_MAX_BYTES, &text, &len);
    if (err != ERR_OK) {
        return fail(info, err, path, NULL);
    }
    err = add_blocks(trust, view_n(text, len), label, add);
    free(text);
    if (err == ERR_NOTFOUND) {
        return errinfo_set(info, ERR_PARSE, "broker", 0, "%s: holds no \"%s\" in PEM", path, label);
    }
    return err == ERR_OK ? ERR_OK : fail(info, err, path, NULL);
}

enum err brokertrust_add_certs(struct brokertrust *trust, const char *path, struct errinfo *info)
{
    return add_file(trust, path, PEM_CERTIFICATE, add_cert, info);
}

enum err brokertrust_add_lists(struct brokertrust *trust, const char *path, struct errinfo *info)
{
    return add_file(trust, path, PEM_CRL, add_list, info);
}

void brokertrust_deinit(struct brokertrust *trust)
{
    for (size_t i = 0; i < trust->certs_len; i++) {
        free((char *)(uintptr_t)trust->certs[i].der.ptr);
    }
    for (size_t i = 0; i < trust->lists_len; i++) {
        free((char *)(uintptr_t)trust->lists[i].der.ptr);
    }
    free(trust->certs);
    free(trust->lists);
    *trust = (struct brokertrust){.certs = NULL};
}

const struct brokertrust_list *brokertrust_newest(const struct brokertrust *trust, const struct certread *issuer)
{
    const struct brokertrust_list *newest = NULL;
    for (size_t i = 0; i < trust->lists_len; i++) {
        const struct crlread *crl = &trust->lists[i].crl;
        if ((newest == NULL || crl->this_update_s > newest->crl.this_update_s) &&
            crlread_verify(crl, issuer) == ERR_OK) {
            newest = &trust->lists[i];
        }
    }
    return newest;
}

enum err brokertrust_write_certs(const struct brokertrust *trust, struct strbuf *out)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < trust->certs_len && err == ERR_OK; i++) {
        err = pem_write(out, PEM_CERTIFICATE, trust->certs[i].der);
    }
    return err;
}
