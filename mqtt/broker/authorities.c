/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/authorities.h"

#include <stdio.h>

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

bool authorities_issued(const struct authorities *authorities, X509 *leaf)
{
    bool issued = false;
    for (int i = 0; i < sk_X509_num(authorities->list) && !issued; i++) {
        X509 *issuer = sk_X509_value(authorities->list, i);
        issued = X509_check_issued(issuer, leaf) == X509_V_OK && X509_verify(leaf, X509_get0_pubkey(issuer)) == 1;
    }
    ERR_clear_error(); /* a signature that does not fit must not show up in the broker's next TLS call */
    return issued;
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

static enum role role_of(const struct trust *trust, X509 *leaf, struct view name)
{
    if (authorities_issued(&trust->services, leaf)) {
        return rights_service_role(name);
    }
    if (authorities_issued(&trust->devices, leaf)) {
        return rights_name_is_service(name) ? ROLE_NONE : ROLE_DEVICE;
    }
    return authorities_issued(&trust->swarm, leaf) ? ROLE_SWARM : ROLE_NONE;
}

void trust_rights(const struct trust *trust, X509 *leaf, struct rights *ret_rights)
{
    struct view name = common_name(leaf);
    uint8_t shard = 0;
    enum role role = ROLE_NONE;
    if (rights_name_valid(name) && stamp_shard(name, &shard) == ERR_OK) {
        role = role_of(trust, leaf, name);
    }
    rights_init(ret_rights, role, name, shard);
}
