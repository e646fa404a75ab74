/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/csr.h"

#include "provisioning/der.h"
#include "provisioning/sign.h"
#include "provisioning/x509.h"

#define VERSION_1  0
#define ATTRIBUTES (DER_CONTEXT_CONSTRUCTED | 0)

enum err csr_build(struct key *key, struct view common_name, uint8_t der[static CSR_DER_MAX], size_t *ret_len)
{
    if (common_name.len == 0 || common_name.len > CERT_COMMON_MAX) {
        return ERR_INVALID;
    }
    uint8_t point[KEY_POINT_SIZE];
    key_public(key, point);
    uint8_t body[CSR_DER_MAX];
    struct der_writer w;
    der_writer_init(&w, body, sizeof(body));
    size_t sequence = der_open(&w, DER_SEQUENCE);
    der_put_small(&w, VERSION_1);
    x509_put_name(&w, common_name);
    x509_put_public_key(&w, point);
    der_close(&w, der_open(&w, ATTRIBUTES)); /* there, though empty: RFC 2986 4.1 does not make it optional */
    der_close(&w, sequence);
    size_t len;
    enum err err = der_writer_end(&w, &len);
    return err == ERR_OK ? sign_wrap(view_n((const char *)body, len), key, der, CSR_DER_MAX, ret_len) : err;
}

/* Attributes stand last and are not looked into beyond being DER: nothing in them is granted. */
static enum err read_body(struct view rest, struct csr *csr)
{
    struct view field;
    struct view name;
    struct view attributes;
    uint32_t version;
    bool found;
    enum err err = der_expect(&rest, DER_INTEGER, &field);
    if (err == ERR_OK) {
        err = der_small(field, &version);
    }
    if (err == ERR_OK && version != VERSION_1) {
        err = ERR_UNSUPPORTED;
    }
    if (err == ERR_OK) {
        err = x509_read_name(&rest, &name, &csr->common_name);
    }
    if (err == ERR_OK) {
        err = x509_read_public_key(&rest, &csr->point);
    }
    if (err == ERR_OK) {
        err = der_optional(&rest, ATTRIBUTES, &attributes, &found);
    }
    if (err == ERR_OK && found) {
        err = der_check(attributes);
    }
    return err == ERR_OK && rest.len != 0 ? ERR_PARSE : err;
}

enum err csr_parse(struct view der, struct csr *ret_csr)
{
    struct view outer;
    struct der_item body;
    struct view signature;
    struct csr csr = {0};
    if (der.len > CSR_DER_MAX) {
        return ERR_LIMIT;
    }
    if (der_expect(&der, DER_SEQUENCE, &outer) != ERR_OK || der.len != 0 || der_next(&outer, &body) != ERR_OK ||
        body.tag != DER_SEQUENCE) {
        return ERR_PARSE;
    }
    enum err err = x509_read_algorithm(&outer);
    if (err == ERR_OK) {
        err = der_expect(&outer, DER_BIT_STRING, &signature);
    }
    if (err == ERR_OK) {
        err = outer.len == 0 ? der_bits(signature, &signature) : ERR_PARSE;
    }
    if (err == ERR_OK) {
        err = read_body(body.body, &csr);
    }
    if (err == ERR_OK) {
        err = key_verify(csr.point, body.whole, signature);
    }
    if (err == ERR_OK) {
        *ret_csr = csr;
    }
    return err;
}
