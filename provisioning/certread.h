/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * certread: takes apart the certificates that this project issues (v3, P-256, ecdsa-with-SHA256), for issuing from a CA
 * on disk and for looking at what was issued. Not a path validator: TLS does that. Views point into the DER that was
 * parsed. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "provisioning/cert.h"

struct certread {
    struct view body;        /* signed part, encoded */
    struct view signature;   /* DER of r and s */
    struct view serial;      /* big-endian, without sign byte */
    struct view issuer;      /* encoded Name */
    struct view subject;     /* encoded Name */
    struct view common_name; /* of the subject; empty when there is none */
    struct cert_validity validity;
    struct view point; /* KEY_POINT_SIZE bytes */
    bool is_ca;
    bool has_path_len;
    uint32_t path_len;
    uint16_t key_usage; /* bit n = bit n of RFC 5280 4.2.1.3; 0 when absent */
    bool client_auth;
    bool server_auth;
    struct view key_id;       /* SubjectKeyIdentifier; empty when absent */
    struct view authority_id; /* AuthorityKeyIdentifier's keyIdentifier; empty when absent */
    struct view alt_names;    /* body of GeneralNames; empty when absent */
    struct view constraints;  /* body of NameConstraints; empty when absent. Not applied here: see above */
};

/** The whole of @p der as one certificate. @return ERR_PARSE, ERR_UNSUPPORTED (version, algorithm, curve or an unknown
 * critical extension), ERR_LIMIT. */
enum err certread_parse(struct view der, struct certread *ret_cert) MUST_CHECK;

/** The signature fits the issuer's point, and the names chain. @return ERR_AUTH, and what key_verify returns. */
enum err certread_verify(const struct certread *cert, const struct certread *issuer) MUST_CHECK;
