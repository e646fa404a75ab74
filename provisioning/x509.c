/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/x509.h"

#include "provisioning/oids.h"

#define RDN_MAX 16

void x509_put_name(struct der_writer *w, struct view common_name)
{
    size_t name = der_open(w, DER_SEQUENCE);
    size_t rdn = der_open(w, DER_SET);
    size_t pair = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_COMMON_NAME);
    der_put(w, DER_UTF8_STRING, common_name);
    der_close(w, pair);
    der_close(w, rdn);
    der_close(w, name);
}

void x509_put_public_key(struct der_writer *w, const uint8_t point[static KEY_POINT_SIZE])
{
    size_t info = der_open(w, DER_SEQUENCE);
    size_t algorithm = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_EC_PUBLIC_KEY);
    der_put(w, DER_OID, OID_PRIME256V1);
    der_close(w, algorithm);
    der_put_bits(w, view_n((const char *)point, KEY_POINT_SIZE));
    der_close(w, info);
}

enum err x509_read_algorithm(struct view *rest)
{
    struct view body;
    struct view oid;
    if (der_expect(rest, DER_SEQUENCE, &body) != ERR_OK || der_expect(&body, DER_OID, &oid) != ERR_OK) {
        return ERR_PARSE;
    }
    return view_equal(oid, OID_ECDSA_SHA256) && body.len == 0 ? ERR_OK : ERR_UNSUPPORTED;
}

enum err x509_read_name(struct view *rest, struct view *ret_name, struct view *ret_common_name)
{
    struct der_item item;
    if (der_next(rest, &item) != ERR_OK || item.tag != DER_SEQUENCE) {
        return ERR_PARSE;
    }
    *ret_name = item.whole;
    struct view rdns = item.body;
    for (size_t i = 0; rdns.len > 0; i++) {
        struct view rdn;
        struct view pair;
        struct view oid;
        struct der_item value;
        if (i == RDN_MAX || der_expect(&rdns, DER_SET, &rdn) != ERR_OK ||
            der_expect(&rdn, DER_SEQUENCE, &pair) != ERR_OK || der_expect(&pair, DER_OID, &oid) != ERR_OK ||
            der_next(&pair, &value) != ERR_OK || pair.len != 0) {
            return ERR_PARSE;
        }
        if (view_equal(oid, OID_COMMON_NAME)) {
            *ret_common_name = value.body;
        }
    }
    return ERR_OK;
}

enum err x509_read_public_key(struct view *rest, struct view *ret_point)
{
    struct view body;
    struct view algorithm;
    struct view oid;
    struct view curve;
    struct view bits;
    if (der_expect(rest, DER_SEQUENCE, &body) != ERR_OK || der_expect(&body, DER_SEQUENCE, &algorithm) != ERR_OK ||
        der_expect(&algorithm, DER_OID, &oid) != ERR_OK || der_expect(&body, DER_BIT_STRING, &bits) != ERR_OK ||
        body.len != 0 || der_bits(bits, &bits) != ERR_OK) {
        return ERR_PARSE;
    }
    if (!view_equal(oid, OID_EC_PUBLIC_KEY) || der_expect(&algorithm, DER_OID, &curve) != ERR_OK ||
        !view_equal(curve, OID_PRIME256V1) || bits.len != KEY_POINT_SIZE || bits.ptr[0] != 4) {
        return ERR_UNSUPPORTED;
    }
    *ret_point = bits;
    return ERR_OK;
}
