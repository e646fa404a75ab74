/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/enrol_proof.h"

#include <string.h>

#include "base/crypto.h"

#define LABEL  "muster-enrol-1"
#define OP_MAX 8

enum err enrol_proof(const char *op, struct view nonce, struct view csr, uint8_t ret_bytes[static ENROL_PROOF_SIZE],
                     size_t *ret_len)
{
    size_t op_size = strlen(op) + 1;
    if (op_size > OP_MAX + 1 || nonce.len > ENROL_PROOF_NONCE_MAX) {
        return ERR_LIMIT;
    }
    uint8_t *at = ret_bytes;
    memcpy(at, LABEL, sizeof(LABEL)); /* with its NUL */
    at += sizeof(LABEL);
    memcpy(at, op, op_size);
    at += op_size;
    if (nonce.len > 0) {
        memcpy(at, nonce.ptr, nonce.len);
        at += nonce.len;
    }
    if (csr.len > 0) {
        crypto_sha256(csr, at);
        at += SHA256_SIZE;
    }
    *ret_len = (size_t)(at - ret_bytes);
    return ERR_OK;
}
