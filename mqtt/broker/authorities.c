/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/authorities.h"

#include <stdio.h>
#include <string.h>

#include "mqtt/broker/stamp.h"

/** Reads until the end of the file; anything broken on the way is an error, not an end. */
static enum err read_all(BIO *file, STACK_OF(X509) * list)
{
    for (;;) {
        X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
        if (certificate == NULL) {
            bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ERR_clear_error();
            return at_end && sk_X509_num(list) > 0 ? ERR_OK : ERR_PARSE;
        }
        if (sk_X509_push(list, certificate) == 0) {
            X509_free(certificate);
            return ERR_NOMEM;
        }
    }
}

enum err authorities_load(const char *path, struct authorities *ret_authorities)
{
    BIO *file = BIO_new_file(path, "r");
    if (file == NULL) {
        ERR_clear_error();
        return ERR_NOTFOUND;
    }
    struct authorities authorities = {.list = sk_X509_new_null()};
    enum err err = authorities.list != NULL ? read_all(file, authorities.list) : ERR_NOMEM;
    BIO_free(file);
    if (err != ERR_OK) {
        authorities_deinit(&authorities);
        return err;
    }
    *ret_authorities = authorities;
    return ERR_OK;
}

void authorities_deinit(struct authorities *authorities)
{
    sk_X509_pop_free(authorities->list, X509_free);
    authorities->list = NULL;
}

bool authorities_overlap(const struct authorities *a, const struct authorities *b)
{
    for (int i = 0; i < sk_X509_num(a->list); i++) {
        for (int k = 0; k < sk_X509_num(b->list); k++) {
            if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(a->list, i)), X509_get0_pubkey(sk_X509_value(b->list, k))) ==
                1) {
                return true;
            }
        }
    }
    return false;
}

const X509 *authorities_issuer(const struct authorities *authorities, X509 *leaf)
{
    const X509 *found = NULL;
    for (int i = 0; i < sk_X509_num(authorities->list) && found == NULL; i++) {
        X509 *issuer = sk_X509_value(authorities->list, i);
        bool issued = X509_check_issued(issuer, leaf) == X509_V_OK && X509_verify(leaf, X509_get0_pubkey(issuer)) == 1;
        found = issued ? issuer : NULL;
    }
    ERR_clear_error(); /* a signature that does not fit must not show up in the broker's next TLS call */
    return found;
}

/** The one CN as a view into the certificate; empty when there is none, or several. */
static struct view common_name(X509 *leaf)
{
    X509_NAME *subject = X509_get_subject_name(leaf);
    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) {
        return view_n(NULL, 0);
    }
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first));
    return view_n((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/** @param ret_issuer NULL for ROLE_NONE. */
static enum role role_of(const struct trust *trust, X509 *leaf, struct view name, const X509 **ret_issuer)
{
    *ret_issuer = authorities_issuer(&trust->services, leaf);
    if (*ret_issuer != NULL) {
        return rights_service_role(trust->mode, name);
    }
    const struct {
        const struct authorities *authorities;
        enum role role;
    } others[] = {{&trust->devices, ROLE_DEVICE}, {&trust->claims, ROLE_CLAIM}, {&trust->swarm, ROLE_SWARM}};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        *ret_issuer = authorities_issuer(others[i].authorities, leaf);
        if (*ret_issuer != NULL) {
            return rights_name_is_service(name) ? ROLE_NONE : others[i].role;
        }
    }
    return ROLE_NONE;
}

/** Octets of @p part at the end of @p ret_part; false when there are too many. */
static bool put_part(const uint8_t *part, int len, uint8_t ret_part[static CERT_PART_SIZE])
{
    if (len < 0 || len > CERT_PART_SIZE) {
        return false;
    }
    memset(ret_part, 0, CERT_PART_SIZE);
    memcpy(ret_part + CERT_PART_SIZE - len, part, (size_t)len);
    return true;
}

/** An authority without a key identifier of the usual length goes by the digest that RFC 5280 4.2.1.2 (1) names. */
static bool name_certificate(X509 *leaf, const X509 *issuer, struct cert_ref *ret_ref)
{
    const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id((X509 *)(uintptr_t)issuer); /* fills a cache inside */
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    bool named = key_id != NULL && ASN1_STRING_length(key_id) == CERT_PART_SIZE;
    if (!named && (X509_pubkey_digest(issuer, EVP_sha1(), digest, &digest_len) != 1 || digest_len != CERT_PART_SIZE)) {
        return false;
    }
    return put_part(named ? ASN1_STRING_get0_data(key_id) : digest, CERT_PART_SIZE, ret_ref->issuer) &&
           put_part(ASN1_STRING_get0_data(serial), ASN1_STRING_length(serial), ret_ref->serial);
}

void trust_rights(const struct trust *trust, X509 *leaf, struct view client_id, struct rights *ret_rights,
                  struct cert_ref *ret_ref)
{
    struct view name = common_name(leaf);
    uint8_t shard = 0;
    enum role role = ROLE_NONE;
    const X509 *issuer = NULL;
    if (rights_name_valid(name) && stamp_shard(name, &shard) == ERR_OK) {
        role = role_of(trust, leaf, name, &issuer);
    }
    if (role != ROLE_NONE && !name_certificate(leaf, issuer, ret_ref)) {
        role = ROLE_NONE; /* one that could not be revoked by name */
    }
    rights_init(ret_rights, role, name, shard);
    if (trust->mode == BROKER_PROV) {
        rights_set_attempt(ret_rights, client_id);
    } else if (!view_equals(client_id, ret_rights->id)) {
        rights_init(ret_rights, ROLE_NONE, view_n(NULL, 0), 0); /* the listener is set up wrongly */
    }
}
