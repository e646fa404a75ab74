/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/keypair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/view.h"
#include "provisioning/certread.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"
#include "provisioning/pem.h"

#define DER_MAX 8192 /* one certificate of a foreign authority with long extensions */

struct leaf {
    struct keypair pair;
    uint8_t point[KEY_POINT_SIZE];
};

static enum err read_leaf(const char *path, struct leaf *ret_leaf, struct errinfo *info)
{
    uint8_t der[DER_MAX];
    char *text = NULL;
    size_t len = 0;
    size_t der_len = 0;
    struct certread cert;
    enum err err = file_read(path, PEM_BUNDLE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "tls", 0, "%s: %s", path, err_text(err));
    }
    err = pem_find(view_n(text, len), PEM_CERTIFICATE, der, sizeof(der), &der_len);
    crypto_zeroise(text, len); /* the key may be in the same file */
    free(text);
    *ret_leaf = (struct leaf){0};
    if (err != ERR_OK || certread_parse(view_n((const char *)der, der_len), &cert) != ERR_OK ||
        cert.point.len != KEY_POINT_SIZE) {
        return ERR_OK; /* another authority's kind */
    }
    ret_leaf->pair.known = true;
    ret_leaf->pair.server_only = cert.server_auth && !cert.client_auth;
    if (view_copy(cert.common_name, ret_leaf->pair.common_name, KEYPAIR_NAME_SIZE) != ERR_OK) {
        ret_leaf->pair.common_name[0] = '\0';
    }
    memcpy(ret_leaf->point, cert.point.ptr, KEY_POINT_SIZE);
    return ERR_OK;
}

static enum err compare(struct view pem, const char *cert_file, const char *key_file, const struct leaf *leaf,
                        struct errinfo *info)
{
    struct key_rng *rng = NULL;
    struct key *key = NULL;
    struct errinfo cause = {0};
    uint8_t point[KEY_POINT_SIZE];
    enum err err = key_rng_new(&rng);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "tls", 0, "%s: %s", key_file, err_text(err));
    }
    err = key_parse(pem, rng, &key, &cause);
    if (err == ERR_OK) {
        key_public(key, point);
        if (memcmp(point, leaf->point, sizeof(point)) != 0) {
            err = errinfo_set(info, ERR_INVALID, "tls", 0,
                              "%s: is not the key of %s; name the two files that were made together", key_file,
                              cert_file);
        }
    } else {
        err = errinfo_set(info, err == ERR_NOMEM ? err : ERR_INVALID, "tls", 0, "%s: no key for %s: %s", key_file,
                          cert_file, cause.text[0] != '\0' ? cause.text : err_text(err));
    }
    key_free(key);
    key_rng_free(rng);
    return err;
}

enum err keypair_check(const char *cert_file, const char *key_file, struct keypair *ret_pair, struct errinfo *info)
{
    struct stat status;
    struct leaf leaf;
    char *text = NULL;
    size_t len = 0;
    enum err err = read_leaf(cert_file, &leaf, info);
    if (err != ERR_OK) {
        return err;
    }
    err = file_read(key_file, PEM_BUNDLE_MAX, &text, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "tls", 0, "%s: %s", key_file, err_text(err));
    }
    if (leaf.pair.known) {
        err = compare(view_n(text, len), cert_file, key_file, &leaf, info);
    }
    if (err == ERR_OK && stat(key_file, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        err = errinfo_set(info, ERR_DENIED, "tls", 0, "%s: anyone may read it; chmod o-rwx it", key_file);
    }
    crypto_zeroise(text, len);
    free(text);
    if (err == ERR_OK) {
        *ret_pair = leaf.pair;
    }
    return err;
}
