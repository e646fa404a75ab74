/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/proof.h"

#include <string.h>

#include "base/crypto.h"

#define CONTEXT "muster-enrol-1" /* its zero byte is covered too */

struct covered {
    uint8_t bytes[sizeof(CONTEXT) + PROOF_OP_MAX + 1 + PROOF_NONCE_MAX + SHA256_SIZE];
    size_t len;
};

static void add(struct covered *covered, const void *bytes, size_t len)
{
    memcpy(covered->bytes + covered->len, bytes, len);
    covered->len += len;
}

static enum err cover(const char *op, struct view nonce, struct view csr, struct covered *ret_covered)
{
    size_t op_len = strlen(op);
    if (op_len == 0 || op_len > PROOF_OP_MAX || nonce.len == 0 || nonce.len > PROOF_NONCE_MAX) {
        return ERR_LIMIT;
    }
    ret_covered->len = 0;
    add(ret_covered, CONTEXT, sizeof(CONTEXT));
    add(ret_covered, op, op_len + 1);
    add(ret_covered, nonce.ptr, nonce.len);
    if (csr.len > 0) {
        uint8_t digest[SHA256_SIZE];
        crypto_sha256(csr, digest);
        add(ret_covered, digest, sizeof(digest));
    }
    return ERR_OK;
}

enum err proof_sign(struct key *key, const char *op, struct view nonce, struct view csr,
                    uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len)
{
    struct covered covered;
    enum err err = cover(op, nonce, csr, &covered);
    return err != ERR_OK ? err
                         : key_sign(key, view_n((const char *)covered.bytes, covered.len), ret_signature, ret_len);
}

enum err proof_verify(struct view point, const char *op, struct view nonce, struct view csr, struct view signature)
{
    struct covered covered;
    enum err err = cover(op, nonce, csr, &covered);
    return err != ERR_OK ? err : key_verify(point, view_n((const char *)covered.bytes, covered.len), signature);
}
