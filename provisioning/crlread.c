/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/crlread.h"

#include "provisioning/der.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"
#include "provisioning/x509.h"

static enum err read_time(struct view *rest, int64_t *ret_wall_s)
{
    struct der_item item;
    enum err err = der_next(rest, &item);
    return err == ERR_OK ? der_time(item.tag, item.body, ret_wall_s) : err;
}

static enum err read_version(struct view *rest)
{
    struct view field;
    uint32_t number;
    return der_expect(rest, DER_INTEGER, &field) == ERR_OK && der_small(field, &number) == ERR_OK && number == 1
               ? ERR_OK
               : ERR_UNSUPPORTED; /* v1 has no number there, and nobody makes it any more */
}

/** @param ret_serial big-endian, without sign byte. */
static enum err next_entry(struct view *entries, struct view *ret_serial)
{
    struct view entry;
    struct view field;
    int64_t revoked_s;
    if (der_expect(entries, DER_SEQUENCE, &entry) != ERR_OK || der_expect(&entry, DER_INTEGER, &field) != ERR_OK) {
        return ERR_PARSE;
    }
    enum err err = der_uint(field, ret_serial);
    return err == ERR_OK ? read_time(&entry, &revoked_s) : err; /* what stands behind them says why, not what */
}

static enum err count_entries(struct crlread *crl)
{
    struct view rest = crl->entries;
    struct view serial;
    while (rest.len > 0) {
        enum err err = crl->entries_len < CRL_ENTRIES_MAX ? next_entry(&rest, &serial) : ERR_LIMIT;
        if (err != ERR_OK) {
            return err;
        }
        crl->entries_len++;
    }
    return ERR_OK;
}

static enum err read_body(struct view rest, struct crlread *crl)
{
    struct view name;
    struct view extensions;
    bool found;
    enum err err = read_version(&rest);
    if (err == ERR_OK) {
        err = x509_read_algorithm(&rest);
    }
    if (err == ERR_OK) {
        err = x509_read_name(&rest, &crl->issuer, &name);
    }
    if (err == ERR_OK) {
        err = read_time(&rest, &crl->this_update_s);
    }
    if (err == ERR_OK && (rest.len == 0 || (rest.ptr[0] != DER_UTC_TIME && rest.ptr[0] != DER_GENERALIZED_TIME))) {
        err = ERR_UNSUPPORTED; /* a list that never expires */
    }
    if (err == ERR_OK) {
        err = read_time(&rest, &crl->next_update_s);
    }
    if (err == ERR_OK) {
        err = der_optional(&rest, DER_SEQUENCE, &crl->entries, &found);
    }
    if (err == ERR_OK) {
        err = der_optional(&rest, DER_CONTEXT_CONSTRUCTED | 0, &extensions, &found);
    }
    if (err == ERR_OK) {
        err = rest.len == 0 ? count_entries(crl) : ERR_PARSE;
    }
    return err;
}

enum err crlread_parse(struct view der, struct crlread *ret_crl)
{
    struct view outer;
    struct der_item body;
    struct view bits;
    struct crlread crl = {.entries_len = 0};
    if (der.len > CRL_DER_MAX) {
        return ERR_LIMIT;
    }
    if (der_expect(&der, DER_SEQUENCE, &outer) != ERR_OK || der.len != 0 || der_next(&outer, &body) != ERR_OK ||
        body.tag != DER_SEQUENCE) {
        return ERR_PARSE;
    }
    crl.body = body.whole;
    enum err err = x509_read_algorithm(&outer);
    if (err == ERR_OK && (der_expect(&outer, DER_BIT_STRING, &bits) != ERR_OK || outer.len != 0 ||
                          der_bits(bits, &crl.signature) != ERR_OK)) {
        err = ERR_PARSE;
    }
    if (err == ERR_OK) {
        err = read_body(body.body, &crl);
    }
    if (err == ERR_OK) {
        *ret_crl = crl;
    }
    return err;
}

enum err crlread_verify(const struct crlread *crl, const struct certread *issuer)
{
    if (!view_equal(crl->issuer, issuer->subject)) {
        return ERR_AUTH;
    }
    return key_verify(issuer->point, crl->body, crl->signature);
}

bool crlread_has(const struct crlread *crl, struct view serial)
{
    struct view rest = crl->entries;
    struct view one;
    while (rest.len > 0 && next_entry(&rest, &one) == ERR_OK) {
        if (view_equal(one, serial)) {
            return true;
        }
    }
    return false;
}
