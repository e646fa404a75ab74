/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/certread.h"

#include "provisioning/der.h"
#include "provisioning/limits.h"
#include "provisioning/oids.h"
#include "provisioning/x509.h"

#define EXTENSIONS_MAX 16 /* ours have six */

static enum err read_time(struct view *rest, int64_t *ret_wall_s)
{
    struct der_item item;
    enum err err = der_next(rest, &item);
    return err == ERR_OK ? der_time(item.tag, item.body, ret_wall_s) : err;
}

static enum err read_validity(struct view *rest, struct cert_validity *ret_validity)
{
    struct view body;
    enum err err = der_expect(rest, DER_SEQUENCE, &body);
    if (err == ERR_OK) {
        err = read_time(&body, &ret_validity->not_before_s);
    }
    if (err == ERR_OK) {
        err = read_time(&body, &ret_validity->not_after_s);
    }
    return err == ERR_OK && body.len != 0 ? ERR_PARSE : err;
}

static enum err read_basic_constraints(struct view value, struct certread *cert)
{
    struct view body;
    struct view field;
    bool found;
    if (der_expect(&value, DER_SEQUENCE, &body) != ERR_OK || value.len != 0 ||
        der_optional(&body, DER_BOOLEAN, &field, &found) != ERR_OK ||
        (found && der_bool(field, &cert->is_ca) != ERR_OK) ||
        der_optional(&body, DER_INTEGER, &field, &cert->has_path_len) != ERR_OK ||
        (cert->has_path_len && der_small(field, &cert->path_len) != ERR_OK) || body.len != 0) {
        return ERR_PARSE;
    }
    return ERR_OK;
}

static enum err read_key_usage(struct view value, struct certread *cert)
{
    struct view bits;
    if (der_expect(&value, DER_BIT_STRING, &bits) != ERR_OK || value.len != 0) {
        return ERR_PARSE;
    }
    return der_flags(bits, &cert->key_usage);
}

static enum err read_ext_key_usage(struct view value, struct certread *cert)
{
    struct view list;
    struct view oid;
    if (der_expect(&value, DER_SEQUENCE, &list) != ERR_OK || value.len != 0) {
        return ERR_PARSE;
    }
    while (list.len > 0) {
        if (der_expect(&list, DER_OID, &oid) != ERR_OK) {
            return ERR_PARSE;
        }
        cert->client_auth = cert->client_auth || view_equal(oid, OID_CLIENT_AUTH);
        cert->server_auth = cert->server_auth || view_equal(oid, OID_SERVER_AUTH);
    }
    return ERR_OK;
}

static enum err read_key_id(struct view value, struct certread *cert)
{
    return der_expect(&value, DER_OCTET_STRING, &cert->key_id) == ERR_OK && value.len == 0 ? ERR_OK : ERR_PARSE;
}

static enum err read_authority_id(struct view value, struct certread *cert)
{
    struct view body;
    bool found;
    if (der_expect(&value, DER_SEQUENCE, &body) != ERR_OK || value.len != 0) {
        return ERR_PARSE;
    }
    return der_optional(&body, DER_CONTEXT | 0, &cert->authority_id, &found);
}

static enum err read_alt_names(struct view value, struct certread *cert)
{
    return der_expect(&value, DER_SEQUENCE, &cert->alt_names) == ERR_OK && value.len == 0 ? ERR_OK : ERR_PARSE;
}

static enum err read_constraints(struct view value, struct certread *cert)
{
    return der_expect(&value, DER_SEQUENCE, &cert->constraints) == ERR_OK && value.len == 0 ? ERR_OK : ERR_PARSE;
}

static const struct extension_row {
    struct view oid;
    enum err (*read)(struct view value, struct certread *cert);
} extension_rows[] = {
    {OID_BASIC_CONSTRAINTS, read_basic_constraints}, {OID_KEY_USAGE, read_key_usage},
    {OID_EXT_KEY_USAGE, read_ext_key_usage},         {OID_SUBJECT_KEY_ID, read_key_id},
    {OID_AUTHORITY_KEY_ID, read_authority_id},       {OID_SUBJECT_ALT_NAME, read_alt_names},
    {OID_NAME_CONSTRAINTS, read_constraints},
};

/** @p seen holds a bit for each row that was met: an extension stands once (RFC 5280 4.2). */
static enum err read_extension(struct view *list, struct certread *cert, unsigned *seen)
{
    struct view body;
    struct view oid;
    struct view field;
    struct view value;
    bool critical = false;
    bool found;
    if (der_expect(list, DER_SEQUENCE, &body) != ERR_OK || der_expect(&body, DER_OID, &oid) != ERR_OK ||
        der_optional(&body, DER_BOOLEAN, &field, &found) != ERR_OK || (found && der_bool(field, &critical) != ERR_OK) ||
        der_expect(&body, DER_OCTET_STRING, &value) != ERR_OK || body.len != 0) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < ARRAY_LEN(extension_rows); i++) {
        if (view_equal(oid, extension_rows[i].oid)) {
            if ((*seen >> i & 1) != 0) {
                return ERR_PARSE;
            }
            *seen |= 1u << i;
            return extension_rows[i].read(value, cert);
        }
    }
    return critical ? ERR_UNSUPPORTED : ERR_OK;
}

static enum err read_extensions(struct view *rest, struct certread *cert)
{
    struct view outer;
    struct view list;
    unsigned seen = 0;
    if (der_expect(rest, DER_CONTEXT_CONSTRUCTED | 3, &outer) != ERR_OK ||
        der_expect(&outer, DER_SEQUENCE, &list) != ERR_OK || outer.len != 0) {
        return ERR_PARSE;
    }
    for (size_t i = 0; list.len > 0; i++) {
        enum err err = i < EXTENSIONS_MAX ? read_extension(&list, cert, &seen) : ERR_LIMIT;
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err read_version_and_serial(struct view *rest, struct certread *cert)
{
    struct view version;
    struct view field;
    uint32_t number;
    if (der_expect(rest, DER_CONTEXT_CONSTRUCTED | 0, &version) != ERR_OK ||
        der_expect(&version, DER_INTEGER, &field) != ERR_OK || der_small(field, &number) != ERR_OK || number != 2) {
        return ERR_UNSUPPORTED;
    }
    enum err err = der_expect(rest, DER_INTEGER, &field);
    return err == ERR_OK ? der_uint(field, &cert->serial) : err;
}

static enum err read_body(struct view rest, struct certread *cert)
{
    struct view issuer_name;
    enum err err = read_version_and_serial(&rest, cert);
    if (err == ERR_OK) {
        err = x509_read_algorithm(&rest);
    }
    if (err == ERR_OK) {
        err = x509_read_name(&rest, &cert->issuer, &issuer_name);
    }
    if (err == ERR_OK) {
        err = read_validity(&rest, &cert->validity);
    }
    if (err == ERR_OK) {
        err = x509_read_name(&rest, &cert->subject, &cert->common_name);
    }
    if (err == ERR_OK) {
        err = x509_read_public_key(&rest, &cert->point);
    }
    if (err == ERR_OK) {
        err = read_extensions(&rest, cert);
    }
    return err == ERR_OK && rest.len != 0 ? ERR_PARSE : err;
}

enum err certread_parse(struct view der, struct certread *ret_cert)
{
    struct view outer;
    struct der_item body;
    struct view bits;
    struct certread cert = {0};
    if (der.len > CERT_DER_MAX) {
        return ERR_LIMIT;
    }
    if (der_expect(&der, DER_SEQUENCE, &outer) != ERR_OK || der.len != 0 || der_next(&outer, &body) != ERR_OK ||
        body.tag != DER_SEQUENCE) {
        return ERR_PARSE;
    }
    cert.body = body.whole;
    enum err err = x509_read_algorithm(&outer);
    if (err != ERR_OK) {
        return err;
    }
    if (der_expect(&outer, DER_BIT_STRING, &bits) != ERR_OK || outer.len != 0 ||
        der_bits(bits, &cert.signature) != ERR_OK) {
        return ERR_PARSE;
    }
    err = read_body(body.body, &cert);
    if (err == ERR_OK) {
        *ret_cert = cert;
    }
    return err;
}

enum err certread_verify(const struct certread *cert, const struct certread *issuer)
{
    if (!view_equal(cert->issuer, issuer->subject)) {
        return ERR_AUTH;
    }
    return key_verify(issuer->point, cert->body, cert->signature);
}
