/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/crl.h"

#include <stdlib.h>

#include "provisioning/der.h"
#include "provisioning/oids.h"
#include "provisioning/sign.h"

static void put_entries(struct der_writer *w, const struct crl_entry *entries, size_t entries_len)
{
    if (entries_len == 0) { /* an empty list is left out, RFC 5280 5.1.2.6 */
        return;
    }
    size_t list = der_open(w, DER_SEQUENCE);
    for (size_t i = 0; i < entries_len; i++) {
        size_t entry = der_open(w, DER_SEQUENCE);
        der_put_uint(w, view_n((const char *)entries[i].serial, entries[i].serial_len));
        der_put_time(w, entries[i].revoked_s);
        der_close(w, entry);
    }
    der_close(w, list);
}

static void put_number(struct der_writer *w, int64_t number)
{
    char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)((uint64_t)number >> (56 - 8 * i));
    }
    size_t extension = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, OID_CRL_NUMBER);
    size_t octets = der_open(w, DER_OCTET_STRING);
    der_put_uint(w, view_n(bytes, sizeof(bytes)));
    der_close(w, octets);
    der_close(w, extension);
}

static void put_body(struct der_writer *w, const struct cert_signer *signer, const struct crl_times *times,
                     const struct crl_entry *entries, size_t entries_len)
{
    size_t body = der_open(w, DER_SEQUENCE);
    der_put_small(w, 1); /* v2 */
    sign_put_algorithm(w);
    der_put_raw(w, signer->name);
    der_put_time(w, times->this_update_s);
    der_put_time(w, times->next_update_s);
    put_entries(w, entries, entries_len);
    size_t explicit = der_open(w, DER_CONTEXT_CONSTRUCTED | 0);
    size_t extensions = der_open(w, DER_SEQUENCE);
    sign_put_authority(w, signer->key_id);
    put_number(w, times->this_update_s);
    der_close(w, extensions);
    der_close(w, explicit);
    der_close(w, body);
}

enum err crl_build(const struct cert_signer *signer, const struct crl_times *times, const struct crl_entry *entries,
                   size_t entries_len, uint8_t *der, size_t size, size_t *ret_len)
{
    if (times->this_update_s < 0 || times->next_update_s <= times->this_update_s) {
        return ERR_RANGE;
    }
    if (entries_len > CRL_ENTRIES_MAX) {
        return ERR_LIMIT;
    }
    uint8_t *body = malloc(size);
    if (body == NULL) {
        return ERR_NOMEM;
    }
    struct der_writer w;
    size_t len;
    der_writer_init(&w, body, size);
    put_body(&w, signer, times, entries, entries_len);
    enum err err = der_writer_end(&w, &len);
    if (err == ERR_OK) {
        err = sign_wrap(view_n((const char *)body, len), signer->key, der, size, ret_len);
    }
    free(body);
    return err;
}
