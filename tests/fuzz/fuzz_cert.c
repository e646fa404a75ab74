/* SPDX-License-Identifier: Apache-2.0 */
/** Certificates, requests, revocation lists, PEM and DER from outside: every view that comes back lies within the
 * input, and what the reader takes as DER is well formed to the last element. */
#include <stdlib.h>

#include "base/macros.h"
#include "provisioning/certread.h"
#include "provisioning/crlread.h"
#include "provisioning/csr.h"
#include "provisioning/der.h"
#include "provisioning/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void require_inside(struct view part, struct view whole)
{
    require(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void read_certificate(struct view der)
{
    struct certread cert;
    if (certread_parse(der, &cert) != ERR_OK) {
        return;
    }
    const struct view parts[] = {cert.body,  cert.signature, cert.serial,       cert.issuer,    cert.subject,
                                 cert.point, cert.key_id,    cert.authority_id, cert.alt_names, cert.common_name};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        require_inside(parts[i], der);
    }
    require(cert.point.len == KEY_POINT_SIZE);
    require(cert.validity.not_before_s >= 0 && cert.validity.not_after_s >= 0);
}

static void read_request(struct view der)
{
    struct csr csr;
    if (csr_parse(der, &csr) == ERR_OK) {
        require_inside(csr.common_name, der);
        require_inside(csr.point, der);
        require(csr.point.len == KEY_POINT_SIZE);
    }
}

static void read_list(struct view der)
{
    struct crlread crl;
    if (crlread_parse(der, &crl) == ERR_OK) {
        require_inside(crl.body, der);
        require_inside(crl.signature, der);
        require_inside(crl.issuer, der);
        require_inside(crl.entries, der);
        require((crl.entries_len == 0) == (crl.entries.len == 0));
        (void)crlread_has(&crl, VIEW_LITERAL("\x01")); /* reads every entry */
    }
}

static void read_elements(struct view der)
{
    struct view rest = der;
    struct der_item item;
    while (der_next(&rest, &item) == ERR_OK) {
        require_inside(item.whole, der);
        require_inside(item.body, item.whole);
        uint8_t again[64];
        struct der_writer w;
        if (item.whole.len <= sizeof(again)) { /* the strict reader takes one encoding only: the writer's */
            size_t len = 0;
            der_writer_init(&w, again, sizeof(again));
            der_put(&w, item.tag, item.body);
            require(der_writer_end(&w, &len) == ERR_OK);
            require(view_equal(view_n((const char *)again, len), item.whole));
        }
    }
    if (der_check(der) == ERR_OK) {
        require(rest.len == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = view_n((const char *)data, size);
    read_elements(input);
    read_certificate(input);
    read_request(input);
    read_list(input);
    struct view rest = input;
    struct view label;
    uint8_t der[CERT_DER_MAX];
    size_t len;
    while (pem_next(&rest, &label, der, sizeof(der), &len) == ERR_OK) {
        require_inside(label, input);
        read_certificate(view_n((const char *)der, len));
        read_list(view_n((const char *)der, len));
    }
    return 0;
}
