/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/sign.h"

#include "provisioning/oids.h"

void sign_put_algorithm(struct der_writer *writer)
{
    size_t mark = der_open(writer, DER_SEQUENCE);
    der_put(writer, DER_OID, OID_ECDSA_SHA256);
    der_close(writer, mark);
}

void sign_put_authority(struct der_writer *writer, struct view key_id)
{
    size_t extension = der_open(writer, DER_SEQUENCE);
    der_put(writer, DER_OID, OID_AUTHORITY_KEY_ID);
    size_t octets = der_open(writer, DER_OCTET_STRING);
    size_t sequence = der_open(writer, DER_SEQUENCE);
    der_put(writer, DER_CONTEXT | 0, key_id);
    der_close(writer, sequence);
    der_close(writer, octets);
    der_close(writer, extension);
}

enum err sign_wrap(struct view body, struct key *key, uint8_t *out, size_t size, size_t *ret_len)
{
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t signature_len;
    enum err err = key_sign(key, body, signature, &signature_len);
    if (err != ERR_OK) {
        return err;
    }
    struct der_writer w;
    der_writer_init(&w, out, size);
    size_t outer = der_open(&w, DER_SEQUENCE);
    der_put_raw(&w, body);
    sign_put_algorithm(&w);
    der_put_bits(&w, view_n((const char *)signature, signature_len));
    der_close(&w, outer);
    return der_writer_end(&w, ret_len);
}
