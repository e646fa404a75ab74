/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * csr: certificate requests (PKCS#10, RFC 2986) for P-256 keys. The device builds one, which proves that it holds the
 * key; the provisioner takes nothing out of it but that key. What else a request asks for (names, a CA's rights) is
 * read over: certificates are built from policy (provisioning/cert.h). Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"

/** Builds and signs a request. @param common_name what the device thinks it is called, for people who look at the
 * request: 1 to CERT_COMMON_MAX bytes of UTF-8. @return ERR_INVALID (name), ERR_LIMIT, ERR_CRYPTO. */
enum err csr_build(struct key *key, struct view common_name, uint8_t der[static CSR_DER_MAX],
                   size_t *ret_len) MUST_CHECK;

/** What a request proves; borrowed from its DER. */
struct csr {
    struct view common_name; /* empty when there is none; nobody's name until policy says so */
    struct view point;       /* KEY_POINT_SIZE bytes: the key that signed the request */
};

/** Reads the whole of @p der as one request and verifies that its own key signed it. @return ERR_PARSE, ERR_LIMIT (over
 * CSR_DER_MAX), ERR_UNSUPPORTED (version, algorithm or curve), ERR_AUTH (another key signed it), ERR_INVALID (its key
 * is no point of the curve), and what key_verify returns. */
enum err csr_parse(struct view der, struct csr *ret_csr) MUST_CHECK;
