/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/credentials_private.h"
#include "provisioning/csr.h"
#include "provisioning/keyopen.h"
#include "provisioning/proof.h"

#define CLAIM_PREFIX "claim-"
#define DEVICE_KEY   "device.key"

static void free_rng(struct key_rng **rng)
{
    key_rng_free(*rng);
}

bool credentials_serial_valid(struct view serial)
{
    for (size_t i = 0; i < serial.len; i++) {
        char c = serial.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_')) {
            return false;
        }
    }
    return serial.len >= 1 && serial.len <= PROV_SERIAL_MAX;
}

/** Who signs a request. */
struct prover {
    struct key *key;           /* owned */
    uint8_t old[CERT_DER_MAX]; /* the certificate of `key`, where that is a certificate's and not the device's own */
    size_t old_len;
};

static enum err device_key_path(const struct credentials *credentials, char ret_path[static PATH_MAX])
{
    const char *configured = credentials->config->provisioning.key;
    if (configured != NULL && configured[0] != '\0') {
        return view_copy(view_of(configured), ret_path, PATH_MAX);
    }
    return credentials_join(credentials->config->state_dir, DEVICE_KEY, ret_path);
}

static enum err make_device_key(const char *path, struct key_rng *rng, struct key **ret_key, struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    enum err err = key_make(rng, &key);
    if (err == ERR_OK) {
        err = key_save(key, path);
    }
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "%s: %s", path, err_text(err));
    }
    *ret_key = TAKE(key);
    return ERR_OK;
}

/* The device's own key; where that is lost, the key in use, whose certificate the provisioner knows. */
static enum err open_prover(const struct credentials *credentials, struct key_rng *rng, struct prover *ret_prover,
                            struct errinfo *info)
{
    char path[PATH_MAX];
    const struct credentials_identity *identity = &credentials->identity;
    enum err err = device_key_path(credentials, path);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "provisioning.key: %s", err_text(err));
    }
    if (access(path, F_OK) == 0 || errno != ENOENT) { /* a token whose key is not found is no reason to make another */
        return key_open(path, &(struct key_opening){.rng = rng}, &ret_prover->key, info);
    }
    if (identity->version == 0) {
        return make_device_key(path, rng, &ret_prover->key, info);
    }
    err = credentials_first_cert(identity->cert_file, ret_prover->old, &ret_prover->old_len, info);
    return err == ERR_OK ? key_load(identity->key_file, rng, &ret_prover->key, info) : err;
}

static struct view bytes(const uint8_t *data, size_t len)
{
    return view_n((const char *)data, len);
}

static enum err build_csr(struct credentials *credentials, struct key_rng *rng, uint8_t der[static CSR_DER_MAX],
                          size_t *ret_len, struct errinfo *info)
{
    CLEANUP(key_free_p) struct key *key = NULL;
    const char *name = credentials->serial[0] != '\0' ? credentials->serial : credentials->identity.id;
    enum err err = identitydir_next_key(&credentials->dir, rng, &key, info);
    if (err != ERR_OK) {
        return err;
    }
    err = csr_build(key, view_of(name), der, ret_len);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "identity", 0, "request: %s", err_text(err));
}

/* One signed request. @param request filled but for signature, csr and old. */
struct asking {
    const char *op;
    struct view nonce;
    bool with_csr;
    uint8_t csr[CSR_DER_MAX], signature[KEY_SIGNATURE_MAX];
    size_t csr_len, signature_len;
    struct prover prover;
};

static enum err prove(struct credentials *credentials, struct asking *asking, struct errinfo *info)
{
    CLEANUP(free_rng) struct key_rng *rng = NULL;
    enum err err = key_rng_new(&rng);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "identity", 0, "random numbers: %s", err_text(err));
    }
    if (asking->with_csr) {
        err = build_csr(credentials, rng, asking->csr, &asking->csr_len, info);
    }
    if (err == ERR_OK) {
        err = open_prover(credentials, rng, &asking->prover, info);
    }
    if (err == ERR_OK) {
        err = proof_sign(asking->prover.key, asking->op, asking->nonce, bytes(asking->csr, asking->csr_len),
                         asking->signature, &asking->signature_len);
        (void)errinfo_set(info, err, "identity", 0, "signature: %s", err_text(err)); /* counts only on failure */
    }
    key_free(asking->prover.key);
    asking->prover.key = NULL;
    key_forget_tables();
    return err;
}

static enum err fail_encode(enum err err, struct errinfo *info)
{
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "identity", 0, "request: %s", err_text(err));
}

enum err credentials_hello(const struct credentials *credentials, struct strbuf *out, struct errinfo *info)
{
    struct prov_request_message message = {.op = PROV_HELLO};
    struct view batch = view_of(credentials->claim);
    if (view_starts_with(batch, VIEW_LITERAL(CLAIM_PREFIX))) {
        batch = view_n(batch.ptr + sizeof(CLAIM_PREFIX) - 1, batch.len - (sizeof(CLAIM_PREFIX) - 1));
    }
    memcpy(message.serial, credentials->serial, sizeof(message.serial));
    enum err err = view_copy(batch, message.batch, sizeof(message.batch));
    if (err == ERR_OK) {
        err = view_copy(view_of(MUSTER_VERSION), message.agent, sizeof(message.agent));
    }
    return fail_encode(err == ERR_OK ? prov_request_encode(&message, out) : err, info);
}

static enum err request(struct credentials *credentials, enum prov_request_op op, struct view nonce, const char *why,
                        struct strbuf *out, struct errinfo *info)
{
    struct asking asking = {.op = prov_request_op_name(op), .nonce = nonce, .with_csr = op == PROV_CSR};
    enum err err = prove(credentials, &asking, info);
    if (err != ERR_OK) {
        return err;
    }
    struct prov_request_message message = {.op = op,
                                           .nonce = nonce,
                                           .csr = bytes(asking.csr, asking.csr_len),
                                           .signature = bytes(asking.signature, asking.signature_len),
                                           .old = bytes(asking.prover.old, asking.prover.old_len)};
    memcpy(message.serial, credentials->serial, sizeof(message.serial));
    (void)snprintf(message.why, sizeof(message.why), "%s", why); /* ours, and short */
    return fail_encode(prov_request_encode(&message, out), info);
}

enum err credentials_csr(struct credentials *credentials, struct view nonce, struct strbuf *out, struct errinfo *info)
{
    return request(credentials, PROV_CSR, nonce, "", out, info);
}

enum err credentials_stored(struct credentials *credentials, struct view nonce, struct strbuf *out,
                            struct errinfo *info)
{
    return request(credentials, PROV_STORED, nonce, "", out, info);
}

enum err credentials_trouble(struct credentials *credentials, struct view nonce, const char *why, struct strbuf *out,
                             struct errinfo *info)
{
    return request(credentials, PROV_TROUBLE, nonce, why, out, info);
}

enum err credentials_renewal(struct credentials *credentials, const char *cid, struct strbuf *out, struct errinfo *info)
{
    struct asking asking = {.op = PROOF_RENEW, .nonce = view_of(cid), .with_csr = true};
    enum err err = prove(credentials, &asking, info);
    if (err != ERR_OK) {
        return err;
    }
    struct renewal_message message = {.csr = bytes(asking.csr, asking.csr_len),
                                      .signature = bytes(asking.signature, asking.signature_len)};
    (void)snprintf(message.cid, sizeof(message.cid), "%s", cid); /* judged by the encoder */
    return fail_encode(renewal_encode(&message, out), info);
}
