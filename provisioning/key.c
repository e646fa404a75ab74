/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include "base/crypto.h"
#include "base/file.h"
#include "provisioning/der.h"
#include "provisioning/limits.h"
#include "provisioning/oids.h"
#include "provisioning/pem.h"
#include "provisioning/pkcs11.h"
#include "provisioning/pkcs8.h"
#include "provisioning/x509.h"

#define SCALAR_SIZE 32
#define KEY_DER_MAX 256

struct key_rng {
    WC_RNG wc;
};

struct key {
    ecc_key wc;
    struct key_rng *rng;      /* borrowed for the key's life */
    struct pkcs11_key *token; /* owned; NULL: wc holds the private half */
    uint8_t point[KEY_POINT_SIZE];
};

enum err key_rng_new(struct key_rng **ret_rng)
{
    struct key_rng *rng = calloc(1, sizeof(*rng));
    if (rng == NULL) {
        return ERR_NOMEM;
    }
    if (wc_InitRng(&rng->wc) != 0) {
        free(rng);
        return ERR_CRYPTO;
    }
    *ret_rng = rng;
    return ERR_OK;
}

void key_rng_free(struct key_rng *rng)
{
    if (rng != NULL) {
        (void)wc_FreeRng(&rng->wc); /* zeroises; its result names a state that free ends anyway */
        free(rng);
    }
}

enum err key_rng_bytes(struct key_rng *rng, uint8_t *ret_bytes, size_t len)
{
    return wc_RNG_GenerateBlock(&rng->wc, ret_bytes, (word32)len) == 0 ? ERR_OK : ERR_CRYPTO;
}

static struct key *alloc_key(void)
{
    struct key *key = calloc(1, sizeof(*key));
    if (key != NULL && wc_ecc_init(&key->wc) != 0) {
        free(key);
        return NULL;
    }
    return key;
}

void key_free(struct key *key)
{
    if (key != NULL) {
        pkcs11_free(key->token);
        (void)wc_ecc_free(&key->wc); /* always 0 for a software key */
        crypto_zeroise(key, sizeof(*key));
        free(key);
    }
}

/** Keeps the public point at hand and gives the key its generator for blinding. */
static enum err finish_key(struct key *key, struct key_rng *rng)
{
    key->rng = rng;
    word32 len = sizeof(key->point);
    if (wc_ecc_export_x963(&key->wc, key->point, &len) != 0 || len != sizeof(key->point)) {
        return ERR_CRYPTO;
    }
    return wc_ecc_set_rng(&key->wc, &rng->wc) == 0 ? ERR_OK : ERR_CRYPTO;
}

enum err key_make(struct key_rng *rng, struct key **ret_key)
{
    CLEANUP(key_free_p) struct key *key = alloc_key();
    if (key == NULL) {
        return ERR_NOMEM;
    }
    if (wc_ecc_make_key_ex(&rng->wc, SCALAR_SIZE, &key->wc, ECC_SECP256R1) != 0) {
        return ERR_CRYPTO;
    }
    enum err err = finish_key(key, rng);
    if (err == ERR_OK) {
        *ret_key = TAKE(key);
    }
    return err;
}

/** ECPrivateKey (RFC 5915 3): the scalar. @p curve is what the PKCS#8 frame said, or empty. */
static enum err parse_sec1(struct view der, struct view curve, struct view *ret_scalar)
{
    struct view body;
    struct view field;
    struct view scalar;
    uint32_t version;
    bool found = false;
    if (der_expect(&der, DER_SEQUENCE, &body) != ERR_OK || der.len != 0 ||
        der_expect(&body, DER_INTEGER, &field) != ERR_OK || der_small(field, &version) != ERR_OK || version != 1 ||
        der_expect(&body, DER_OCTET_STRING, &scalar) != ERR_OK ||
        der_optional(&body, DER_CONTEXT_CONSTRUCTED | 0, &field, &found) != ERR_OK ||
        (found && (der_expect(&field, DER_OID, &curve) != ERR_OK || field.len != 0))) {
        return ERR_PARSE;
    }
    if (!view_equal(curve, OID_PRIME256V1)) {
        return ERR_UNSUPPORTED;
    }
    *ret_scalar = scalar;
    return scalar.len == SCALAR_SIZE ? ERR_OK : ERR_PARSE;
}

/** OneAsymmetricKey (RFC 5958 2) around an ECPrivateKey. */
static enum err parse_pkcs8(struct view der, struct view *ret_scalar)
{
    struct view body;
    struct view field;
    struct view algorithm;
    struct view oid;
    struct view curve = {0};
    uint32_t version;
    if (der_expect(&der, DER_SEQUENCE, &body) != ERR_OK || der.len != 0 ||
        der_expect(&body, DER_INTEGER, &field) != ERR_OK || der_small(field, &version) != ERR_OK || version > 1 ||
        der_expect(&body, DER_SEQUENCE, &algorithm) != ERR_OK || der_expect(&algorithm, DER_OID, &oid) != ERR_OK ||
        der_expect(&body, DER_OCTET_STRING, &field) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_EC_PUBLIC_KEY)) {
        return ERR_UNSUPPORTED;
    }
    if (der_expect(&algorithm, DER_OID, &curve) != ERR_OK) {
        return ERR_UNSUPPORTED; /* explicit curve parameters */
    }
    return parse_sec1(field, curve, ret_scalar);
}

static enum err import_scalar(struct view scalar, struct key_rng *rng, struct key **ret_key)
{
    CLEANUP(key_free_p) struct key *key = alloc_key();
    if (key == NULL) {
        return ERR_NOMEM;
    }
    /* order: import without a public half, then compute it; both refuse 0 and n or more */
    if (wc_ecc_import_private_key_ex((const byte *)scalar.ptr, (word32)scalar.len, NULL, 0, &key->wc, ECC_SECP256R1) !=
            0 ||
        wc_ecc_set_rng(&key->wc, &rng->wc) != 0 || wc_ecc_make_pub_ex(&key->wc, NULL, &rng->wc) != 0 ||
        wc_ecc_check_key(&key->wc) != 0) {
        return ERR_INVALID;
    }
    enum err err = finish_key(key, rng);
    if (err == ERR_OK) {
        *ret_key = TAKE(key);
    }
    return err;
}

static enum err scalar_of_block(struct view label, struct view der, struct view *ret_scalar)
{
    if (view_equals(label, PEM_PKCS8)) {
        return parse_pkcs8(der, ret_scalar);
    }
    if (view_equals(label, PEM_SEC1)) {
        return parse_sec1(der, (struct view){0}, ret_scalar);
    }
    return ERR_UNSUPPORTED;
}

/** The first block that is not "EC PARAMETERS", which some tools write ahead of the key. */
static enum err first_key_block(struct view pem, uint8_t buffer[static KEY_DER_MAX], struct view *ret_label,
                                size_t *ret_len)
{
    enum err err;
    do {
        err = pem_next(&pem, ret_label, buffer, KEY_DER_MAX, ret_len);
    } while (err == ERR_OK && view_equals(*ret_label, "EC PARAMETERS"));
    return err;
}

enum err key_parse_der(struct view label, struct view der, struct key_rng *rng, struct key **ret_key,
                       struct errinfo *info)
{
    struct view scalar;
    enum err err = scalar_of_block(label, der, &scalar);
    if (err == ERR_OK) {
        err = import_scalar(scalar, rng, ret_key);
    }
    switch (err) {
    case ERR_OK:
        return ERR_OK;
    case ERR_UNSUPPORTED:
        return errinfo_set(info, err, "key", 0, "\"%.*s\" is not an unencrypted ECDSA P-256 key", VIEW_ARG(label));
    case ERR_INVALID:
        return errinfo_set(info, err, "key", 0, "the private number is out of the curve's range");
    default:
        return errinfo_set(info, err, "key", 0, "malformed private key");
    }
}

enum err key_parse(struct view pem, struct key_rng *rng, struct key **ret_key, struct errinfo *info)
{
    uint8_t der[KEY_DER_MAX];
    size_t len = 0;
    struct view label = {0};
    enum err err = first_key_block(pem, der, &label, &len);
    if (err != ERR_OK) {
        crypto_zeroise(der, sizeof(der));
        if (err == ERR_NOTFOUND) {
            return errinfo_set(info, ERR_PARSE, "key", 0, "no PEM block found");
        }
        return err == ERR_LIMIT ? errinfo_set(info, ERR_UNSUPPORTED, "key", 0, "too long for an ECDSA P-256 key")
                                : errinfo_set(info, ERR_PARSE, "key", 0, "damaged or encrypted PEM block");
    }
    err = key_parse_der(label, view_n((const char *)der, len), rng, ret_key, info);
    crypto_zeroise(der, sizeof(der));
    return err;
}

enum err key_read_file(const char *path, char **ret_text, size_t *ret_len, struct errinfo *info)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return errinfo_set(info, err_from_errno(errno), "key", errno, "%s: %s", path, err_text(err_from_errno(errno)));
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return errinfo_set(info, ERR_DENIED, "key", 0, "%s: group or others have rights on this private key", path);
    }
    enum err err = file_read(path, PEM_FILE_MAX, ret_text, ret_len);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "key", 0, "%s: %s", path, err_text(err));
}

enum err key_load(const char *path, struct key_rng *rng, struct key **ret_key, struct errinfo *info)
{
    char *text;
    size_t len;
    enum err err = key_read_file(path, &text, &len, info);
    if (err != ERR_OK) {
        return err;
    }
    struct errinfo inner = {0};
    err = key_parse(view_n(text, len), rng, ret_key, &inner);
    crypto_zeroise(text, len);
    free(text);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "key", 0, "%s: %s", path, inner.text);
}

static enum err encode_pkcs8(const struct key *key, const uint8_t scalar[static SCALAR_SIZE],
                             uint8_t der[static KEY_DER_MAX], size_t *ret_len)
{
    struct der_writer w;
    der_writer_init(&w, der, KEY_DER_MAX);
    size_t outer = der_open(&w, DER_SEQUENCE);
    der_put_small(&w, 0);
    size_t algorithm = der_open(&w, DER_SEQUENCE);
    der_put(&w, DER_OID, OID_EC_PUBLIC_KEY);
    der_put(&w, DER_OID, OID_PRIME256V1);
    der_close(&w, algorithm);
    size_t octets = der_open(&w, DER_OCTET_STRING);
    size_t sec1 = der_open(&w, DER_SEQUENCE);
    der_put_small(&w, 1);
    der_put(&w, DER_OCTET_STRING, view_n((const char *)scalar, SCALAR_SIZE));
    size_t public = der_open(&w, DER_CONTEXT_CONSTRUCTED | 1);
    der_put_bits(&w, view_n((const char *)key->point, sizeof(key->point)));
    der_close(&w, public);
    der_close(&w, sec1);
    der_close(&w, octets);
    der_close(&w, outer);
    return der_writer_end(&w, ret_len);
}

/** The private scalar, zero-padded on the left: wolfCrypt exports a fixed width only by promise. */
static enum err export_scalar(const struct key *key, uint8_t scalar[static SCALAR_SIZE])
{
    word32 len = SCALAR_SIZE;
    ecc_key *wc = (ecc_key *)&key->wc; /* exported, not changed: the prototype lacks the const */
    return wc_ecc_export_private_only(wc, scalar, &len) == 0 && len == SCALAR_SIZE ? ERR_OK : ERR_CRYPTO;
}

enum err key_write_sealed(const struct key *key, struct view password, struct strbuf *out)
{
    uint8_t scalar[SCALAR_SIZE];
    uint8_t der[KEY_DER_MAX];
    size_t len;
    if (key->token != NULL) {
        return ERR_UNSUPPORTED;
    }
    enum err err = export_scalar(key, scalar);
    if (err == ERR_OK) {
        err = encode_pkcs8(key, scalar, der, &len);
    }
    if (err == ERR_OK) {
        struct view plain = view_n((const char *)der, len);
        err = password.len == 0 ? pem_write(out, PEM_PKCS8, plain) : pkcs8_seal(plain, password, PKCS8_ITERATIONS, out);
    }
    crypto_zeroise(scalar, sizeof(scalar));
    crypto_zeroise(der, sizeof(der));
    return err;
}

enum err key_write(const struct key *key, struct strbuf *out)
{
    return key_write_sealed(key, view_n(NULL, 0), out);
}

enum err key_write_public(const struct key *key, struct strbuf *out)
{
    uint8_t der[KEY_DER_MAX];
    struct der_writer w;
    size_t len;
    der_writer_init(&w, der, sizeof(der));
    x509_put_public_key(&w, key->point);
    enum err err = der_writer_end(&w, &len);
    return err == ERR_OK ? pem_write(out, PEM_PUBLIC, view_n((const char *)der, len)) : err;
}

enum err key_parse_public(struct view pem, uint8_t ret_point[static KEY_POINT_SIZE])
{
    uint8_t der[KEY_DER_MAX];
    size_t len;
    struct view point;
    enum err err = pem_find(pem, PEM_PUBLIC, der, sizeof(der), &len);
    if (err != ERR_OK) {
        return err == ERR_LIMIT ? ERR_UNSUPPORTED : ERR_PARSE;
    }
    struct view rest = view_n((const char *)der, len);
    err = x509_read_public_key(&rest, &point);
    if (err == ERR_OK && rest.len != 0) {
        err = ERR_PARSE;
    }
    if (err == ERR_OK) {
        memcpy(ret_point, point.ptr, KEY_POINT_SIZE);
    }
    return err;
}

enum err key_of_token(struct pkcs11_key *token, struct key **ret_key)
{
    struct key *key = alloc_key();
    if (key == NULL) {
        pkcs11_free(token);
        return ERR_NOMEM;
    }
    key->token = token;
    pkcs11_public(token, key->point);
    *ret_key = key;
    return ERR_OK;
}

bool key_is_token(const struct key *key)
{
    return key->token != NULL;
}

enum err key_save(const struct key *key, const char *path)
{
    struct strbuf text;
    strbuf_init(&text, PEM_FILE_MAX);
    enum err err = key_write(key, &text);
    if (err == ERR_OK) {
        err = file_replace(path, strbuf_view(&text), 0600);
    }
    crypto_zeroise(text.ptr, text.size);
    strbuf_deinit(&text);
    return err;
}

void key_public(const struct key *key, uint8_t ret_point[static KEY_POINT_SIZE])
{
    memcpy(ret_point, key->point, KEY_POINT_SIZE);
}

enum err key_sign(struct key *key, struct view data, uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t signature[KEY_SIGNATURE_MAX];
    crypto_sha256(data, digest);
    if (key->token != NULL) {
        return pkcs11_sign(key->token, digest, ret_signature, ret_len);
    }
    word32 len = sizeof(signature);
    if (wc_ecc_sign_hash(digest, sizeof(digest), signature, &len, &key->rng->wc, &key->wc) != 0) {
        return ERR_CRYPTO;
    }
    memcpy(ret_signature, signature, len);
    *ret_len = len;
    return ERR_OK;
}

enum err key_verify(struct view point, struct view data, struct view signature)
{
    if (point.len != KEY_POINT_SIZE || point.ptr[0] != 4 || signature.len == 0 || signature.len > KEY_SIGNATURE_MAX) {
        return point.len == KEY_POINT_SIZE && point.ptr[0] == 4 ? ERR_AUTH : ERR_INVALID;
    }
    CLEANUP(key_free_p) struct key *key = alloc_key();
    if (key == NULL) {
        return ERR_NOMEM;
    }
    if (wc_ecc_import_x963_ex((const byte *)point.ptr, (word32)point.len, &key->wc, ECC_SECP256R1) != 0 ||
        wc_ecc_check_key(&key->wc) != 0) {
        return ERR_INVALID;
    }
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(data, digest);
    int fits = 0;
    int rc =
        wc_ecc_verify_hash((const byte *)signature.ptr, (word32)signature.len, digest, sizeof(digest), &fits, &key->wc);
    return rc == 0 && fits == 1 ? ERR_OK
                                : ERR_AUTH; /* both: a malformed signature fails with a code, a wrong one fits 0 */
}

void key_forget_tables(void)
{
    wc_ecc_fp_free();
}
