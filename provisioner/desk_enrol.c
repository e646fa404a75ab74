/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices on the broker for provisioning. Whoever holds a batch's claim can speak here, so nothing that is answered may
 * tell which serial numbers exist: a request for a certificate costs the same two verifications whether its device is
 * known or not (for an unknown one against a key that nobody has), and all that can be wrong with it is one code.
 *
 * A nonce is the moment at which it ends with a MAC over that, the attempt, the claim and the serial number. No state
 * is kept for it and a restart does not void it. Used twice it gives the same certificate twice.
 */
#include <stdio.h>
#include <string.h>

#include "provisioner/desk_private.h"
#include "provisioning/certread.h"
#include "provisioning/envelope.h"
#include "provisioning/proof.h"

#define CLAIM_PREFIX "claim-"
#define NONCE_TIME   8
#define NONCE_SIZE   (NONCE_TIME + SHA256_SIZE)

/** One request and where it came from. */
struct asked {
    struct prov_topic topic;
    const struct prov_request_message *message;
    struct desk_time now;
};

/* ---- answers ---- */

static enum err put_answer(struct desk *desk, const struct strbuf *payload, struct outgoing *outgoing)
{
    static _Thread_local struct envelope_message envelope;
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len = 0;
    enum err err = envelope_sign(desk->signer, ENVELOPE_PROV, strbuf_view(payload), signature, &len);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < ARRAY_LEN(desk->settings->signer); i++) {
        const struct settings_der *der = &desk->settings->signer[i];
        envelope.signer[i] = view_n((const char *)der->bytes, der->len);
    }
    envelope.signer_len = ARRAY_LEN(desk->settings->signer);
    envelope.payload = strbuf_view(payload);
    envelope.signature = view_n((const char *)signature, len);
    return envelope_encode(&envelope, &outgoing->body);
}

enum err desk_answer(struct desk *desk, const struct prov_answer_message *answer, bool core, const char *topic,
                     struct outbox *outbox)
{
    struct strbuf payload;
    struct outgoing *outgoing = outbox_add(outbox, topic, PROV_PAYLOAD_MAX);
    if (outgoing == NULL) {
        return ERR_NOMEM;
    }
    outgoing->core = core;
    outgoing->expiry_s = core ? 600 : 300;
    strbuf_init(&payload, PROV_PAYLOAD_MAX);
    enum err err = prov_answer_encode(answer, &payload);
    err = err == ERR_OK ? put_answer(desk, &payload, outgoing) : err;
    strbuf_deinit(&payload);
    return err;
}

static void refuse(struct prov_answer_message *answer, enum prov_refusal refusal, uint32_t retry_after_s)
{
    answer->op = PROV_NO;
    answer->refusal = refusal;
    answer->retry_after_s = retry_after_s;
}

/* Devices that were told to come later would all come at once again: each gets a time of its own. */
static uint32_t busy_retry_s(struct desk *desk, struct desk_time now)
{
    uint64_t wait_s = bucket_wait_ms(&desk->bucket, 1, now.mono_ms) / 1000;
    uint64_t spread = MIN(wait_s * 2 + 2, (uint64_t)BUSY_RETRY_MAX_S);
    return (uint32_t)(1 + crypto_random_u64() % spread);
}

static enum err add_chain(struct desk *desk, const struct cert_row *cert, struct prov_answer_message *answer)
{
    static _Thread_local uint8_t authority[STORE_DER_MAX];
    size_t len = 0;
    enum err err = store_get_authority(desk->store, cert->issuer, authority, &len);
    if (err == ERR_OK) {
        answer->chain[0] = view_n((const char *)cert->der, cert->der_len);
        answer->chain[1] = view_n((const char *)authority, len);
        answer->chain_len = 2;
    }
    return err;
}

static enum err give(struct desk *desk, struct desk_time now, const struct cert_row *cert,
                     struct prov_answer_message *answer)
{
    const struct settings *settings = desk->settings;
    answer->op = PROV_CERT;
    answer->now = now.wall_ms;
    answer->renew = cert->renew_ms;
    (void)snprintf(answer->id, sizeof(answer->id), "%s", cert->device); /* of the same size */
    for (size_t i = 0; i < settings->trust_len; i++) {
        answer->trust[i] = view_n((const char *)settings->trust[i].bytes, settings->trust[i].len);
    }
    answer->trust_len = settings->trust_len;
    for (size_t i = 0; i < settings->config.config_roots.len; i++) {
        answer->roots[i] = view_n((const char *)settings->roots[i], ED25519_POINT_SIZE);
    }
    answer->roots_len = settings->config.config_roots.len;
    answer->core_len = settings->config.core_endpoints.len;
    for (size_t i = 0; i < answer->core_len; i++) {
        if (view_copy(view_of(settings->config.core_endpoints.items[i]), answer->core[i], sizeof(answer->core[i])) !=
            ERR_OK) {
            return ERR_LIMIT;
        }
    }
    return add_chain(desk, cert, answer);
}

enum err desk_decide(struct desk *desk, struct desk_time now, struct enrol_facts *facts, struct device_row *device,
                     struct view point, const char *why, struct prov_answer_message *answer, uint64_t *counters)
{
    static _Thread_local struct cert_row cert; /* pointed to by the answer */
    uint8_t spki[SHA256_SIZE];
    uint64_t recent = 0;
    crypto_sha256(point, spki);
    /* Also for a device that there is not, whose id is empty: a refusal takes as long either way. */
    enum err err = desk_find_same(desk, now, device, spki, &cert);
    facts->has_same = err == ERR_OK;
    facts->has_token = true;
    facts->now_ms = now.wall_ms;
    if (err == ERR_NOTFOUND) {
        err = store_count_recent(desk->store, device->id, now.wall_ms - INT64_C(86400000), &recent);
        facts->has_token = recent < DEVICE_CERTS_DAY;
    }
    if (err != ERR_OK && err != ERR_NOTFOUND) {
        return err;
    }
    enum enrol_verdict verdict = enrol_judge(facts);
    if (verdict == ENROL_ISSUE && !bucket_take(&desk->bucket, 1, now.mono_ms)) {
        verdict = ENROL_BUSY;
    }
    counters[verdict]++;
    switch (verdict) {
    case ENROL_ISSUE:
        err = desk_issue(desk, now, device, (const uint8_t *)point.ptr, why, &cert);
        return err == ERR_OK ? give(desk, now, &cert, answer) : err;
    case ENROL_SAME:
        return give(desk, now, &cert, answer);
    case ENROL_REFUSED:
        refuse(answer, PROV_REFUSED, REFUSED_RETRY_S);
        return ERR_OK;
    case ENROL_CLOSED:
        refuse(answer, PROV_CLOSED, CLOSED_RETRY_S);
        return ERR_OK;
    case ENROL_QUOTA:
        refuse(answer, PROV_QUOTA, QUOTA_RETRY_S);
        return ERR_OK;
    default:
        refuse(answer, PROV_BUSY, facts->has_token ? busy_retry_s(desk, now) : 3600);
        return ERR_OK;
    }
}

/* ---- nonces ---- */

static enum err nonce_mac(struct desk *desk, const struct asked *asked, const uint8_t time[static NONCE_TIME],
                          uint8_t ret_mac[static SHA256_SIZE])
{
    /* No blank occurs in any of the three: nothing can be moved from one into the next. */
    const struct view parts[] = {VIEW_LITERAL("nonce "), asked->topic.cid,
                                 VIEW_LITERAL(" "),      asked->topic.claim,
                                 VIEW_LITERAL(" "),      view_of(asked->message->serial),
                                 VIEW_LITERAL(" "),      view_n((const char *)time, NONCE_TIME)};
    return crypto_hmac_sha256(desk->nonce, parts, ARRAY_LEN(parts), ret_mac);
}

static enum err take_hello(struct desk *desk, const struct asked *asked, struct prov_answer_message *answer,
                           uint8_t nonce[static NONCE_SIZE])
{
    uint64_t ends_ms = (uint64_t)asked->now.wall_ms + NONCE_LIFE_S * 1000;
    for (unsigned i = 0; i < NONCE_TIME; i++) {
        nonce[i] = (uint8_t)(ends_ms >> (56 - 8 * i));
    }
    answer->op = PROV_NONCE;
    answer->now = asked->now.wall_ms;
    answer->expires_s = NONCE_LIFE_S;
    answer->nonce = view_n((const char *)nonce, NONCE_SIZE);
    return nonce_mac(desk, asked, nonce, nonce + NONCE_TIME);
}

enum nonce { NONCE_GOOD, NONCE_STALE, NONCE_FALSE };

static enum nonce judge_nonce(struct desk *desk, const struct asked *asked)
{
    struct view nonce = asked->message->nonce;
    uint8_t mac[SHA256_SIZE];
    if (nonce.len != NONCE_SIZE || nonce_mac(desk, asked, (const uint8_t *)nonce.ptr, mac) != ERR_OK ||
        !crypto_equal(mac, nonce.ptr + NONCE_TIME, SHA256_SIZE)) {
        return NONCE_FALSE;
    }
    uint64_t ends_ms = 0;
    for (unsigned i = 0; i < NONCE_TIME; i++) {
        ends_ms = ends_ms << 8 | (uint8_t)nonce.ptr[i];
    }
    return (uint64_t)asked->now.wall_ms < ends_ms ? NONCE_GOOD : NONCE_STALE;
}

/* ---- proofs ---- */

/** The old certificate's key, when that certificate is one of the device's and was not revoked. */
static enum err old_key(struct desk *desk, const struct device_row *device, struct view old,
                        uint8_t ret_point[static KEY_POINT_SIZE], bool *ret_good)
{
    struct certread cert;
    struct cert_row row;
    char issuer[REG_KEY_ID_HEX + 1], hex[2 * DER_INTEGER_MAX + 1];
    *ret_good = false;
    if (certread_parse(old, &cert) != ERR_OK || cert.authority_id.len != CERT_KEY_ID_SIZE ||
        cert.serial.len > DER_INTEGER_MAX) {
        return ERR_OK;
    }
    crypto_hex((const uint8_t *)cert.authority_id.ptr, cert.authority_id.len, issuer);
    crypto_hex((const uint8_t *)cert.serial.ptr, cert.serial.len, hex);
    enum err err = store_get_cert(desk->store, issuer, hex + strspn(hex, "0"), &row);
    if (err != ERR_OK) {
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    *ret_good = strcmp(row.device, device->id) == 0 && row.state != CERT_REVOKED && row.der_len == old.len &&
                memcmp(row.der, old.ptr, old.len) == 0;
    memcpy(ret_point, cert.point.ptr, KEY_POINT_SIZE);
    return ERR_OK;
}

struct proving {
    const char *op;
    struct view nonce, csr, signature;
    bool proven;
};

static enum err try_cert(void *context, const struct cert_row *row)
{
    struct proving *proving = context;
    struct certread cert;
    if (!proving->proven && certread_parse(view_n((const char *)row->der, row->der_len), &cert) == ERR_OK) {
        proving->proven =
            proof_verify(cert.point, proving->op, proving->nonce, proving->csr, proving->signature) == ERR_OK;
    }
    return ERR_OK;
}

enum err desk_proven(struct desk *desk, const struct device_row *device, const char *op, struct view nonce,
                     struct view csr, struct view signature, bool *ret_proven)
{
    struct proving proving = {.op = op, .nonce = nonce, .csr = csr, .signature = signature};
    struct view ledger = view_n((const char *)device->key, KEY_POINT_SIZE);
    proving.proven = proof_verify(ledger, op, nonce, csr, signature) == ERR_OK;
    enum err err = ERR_OK;
    if (!proving.proven) {
        err = store_each_cert(desk->store, device->id, true, try_cert, &proving);
    }
    *ret_proven = proving.proven;
    return err;
}

/* ---- requests ---- */

static enum err gather(struct desk *desk, const struct asked *asked, struct enrol_facts *facts,
                       struct device_row *device)
{
    struct batch_row batch = {.id = ""};
    char id[LEDGER_BATCH_MAX + 1];
    struct view claim = asked->topic.claim, prefix = VIEW_LITERAL(CLAIM_PREFIX);
    bool named = view_starts_with(claim, prefix) &&
                 view_copy(view_n(claim.ptr + prefix.len, claim.len - prefix.len), id, sizeof(id)) == ERR_OK;
    enum err err = named ? store_get_batch(desk->store, id, &batch, NULL) : ERR_NOTFOUND;
    if (err != ERR_OK && err != ERR_NOTFOUND) {
        return err;
    }
    *facts = (struct enrol_facts){
        .batch_known = err == ERR_OK,
        .batch_disabled = batch.disabled,
        .batch_closed = batch.closed_ms != 0,
        .from_ms = batch.from_ms,
        .to_ms = batch.to_ms,
        .quota = batch.quota,
        .used = batch.used,
        .recovery_on = desk->settings->config.recovery,
    };
    err = store_find_serial(desk->store, asked->message->serial, device);
    facts->device_known = err == ERR_OK;
    if (err == ERR_OK) {
        facts->of_this_batch = facts->batch_known && strcmp(device->batch, batch.id) == 0;
        facts->life = device->life;
        facts->had_one = device->had_one;
    }
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

/** Whose key signed. Costs one verification in any case. */
static enum err prove(struct desk *desk, const struct asked *asked, const struct device_row *device,
                      struct enrol_facts *facts)
{
    uint8_t point[KEY_POINT_SIZE];
    bool good = facts->device_known;
    enum err err = ERR_OK;
    memcpy(point, good ? device->key : desk->decoy, sizeof(point));
    if (asked->message->old.len > 0) {
        bool own = false;
        facts->recovering = true;
        err = old_key(desk, device, asked->message->old, point, &own);
        good = good && own;
    }
    facts->recovering = facts->recovering || (facts->had_one && facts->life == LIFE_ACTIVE);
    facts->proven = proof_verify(view_n((const char *)point, sizeof(point)), "csr", asked->message->nonce,
                                 asked->message->csr, asked->message->signature) == ERR_OK &&
                    good;
    return err;
}

/* A key that is in another device's certificate is nobody's second identity. */
static enum err check_other(struct desk *desk, struct view point, const struct device_row *device,
                            struct enrol_facts *facts)
{
    static _Thread_local struct cert_row row;
    uint8_t spki[SHA256_SIZE];
    crypto_sha256(point, spki);
    enum err err = store_find_spki(desk->store, spki, &row);
    if (err == ERR_OK && facts->device_known && strcmp(row.device, device->id) != 0) {
        facts->proven = false;
    }
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

static enum err take_csr(struct desk *desk, const struct asked *asked, struct prov_answer_message *answer)
{
    struct csr csr;
    struct enrol_facts facts;
    struct device_row device = {.id = ""};
    if (csr_parse(asked->message->csr, &csr) != ERR_OK) {
        desk->stats.malformed++;
        refuse(answer, PROV_MALFORMED, 0);
        return ERR_OK;
    }
    enum err err = gather(desk, asked, &facts, &device);
    if (err == ERR_OK) {
        err = prove(desk, asked, &device, &facts);
    }
    if (err == ERR_OK) {
        err = check_other(desk, csr.point, &device, &facts);
    }
    if (err != ERR_OK) {
        return err;
    }
    const char *why = facts.recovering ? "recovered" : "enrolled";
    return desk_decide(desk, asked->now, &facts, &device, csr.point, why, answer, desk->stats.enrolments);
}

static enum err mark_stored(void *context, const struct cert_row *cert)
{
    struct cert_row *newest = context;
    if (newest->device[0] == '\0') {
        *newest = *cert;
    }
    return ERR_OK;
}

/* "stored" and "trouble": nobody waits for an answer, and none is given. */
static enum err take_word(struct desk *desk, const struct asked *asked)
{
    struct device_row device;
    struct cert_row cert = {.device = ""};
    bool proven = false;
    const char *op = prov_request_op_name(asked->message->op);
    enum err err = store_find_serial(desk->store, asked->message->serial, &device);
    if (err == ERR_OK) {
        err = desk_proven(desk, &device, op, asked->message->nonce, view_of(NULL), asked->message->signature, &proven);
    }
    if (err != ERR_OK || !proven) {
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    if (asked->message->op == PROV_TROUBLE) {
        desk->stats.troubles++;
        return desk_event(desk, asked->now.wall_ms, "device", "trouble", device.id, "%s", asked->message->why);
    }
    err = store_each_cert(desk->store, device.id, true, mark_stored, &cert);
    if (err == ERR_OK && cert.device[0] != '\0' && cert.state == CERT_ISSUED) {
        cert.state = CERT_STORED;
        cert.changed_ms = asked->now.wall_ms;
        err = store_set_cert(desk->store, &cert);
    }
    return err;
}

static enum err take_request(struct desk *desk, const struct asked *asked, struct outbox *outbox)
{
    struct prov_answer_message answer = {.op = PROV_NO};
    uint8_t nonce[NONCE_SIZE];
    enum err err = ERR_OK;
    (void)!view_copy(asked->topic.cid, answer.cid, sizeof(answer.cid)); /* of that size, by its grammar */
    enum nonce fresh = asked->message->op == PROV_HELLO ? NONCE_GOOD : judge_nonce(desk, asked);
    bool word = asked->message->op == PROV_STORED || asked->message->op == PROV_TROUBLE;
    if (fresh == NONCE_STALE) {
        desk->stats.stale++;
        refuse(&answer, PROV_BUSY, 1); /* ask for another one */
    } else if (fresh == NONCE_FALSE) {
        desk->stats.malformed++;
        refuse(&answer, PROV_REFUSED, REFUSED_RETRY_S);
    } else if (word) {
        err = take_word(desk, asked);
    } else if (asked->message->op == PROV_HELLO) {
        err = take_hello(desk, asked, &answer, nonce);
    } else {
        err = take_csr(desk, asked, &answer);
    }
    if (err != ERR_OK || word) {
        return err;
    }
    char topic[TOPIC_SIZE];
    const struct prov_topic back = {.request = false, .claim = asked->topic.claim, .cid = asked->topic.cid};
    err = prov_topic_build(&back, topic);
    return err == ERR_OK ? desk_answer(desk, &answer, false, topic, outbox) : err;
}

enum err desk_enrol_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter,
                           struct outbox *outbox)
{
    static _Thread_local struct prov_request_message message;
    struct asked asked = {.message = &message, .now = now};
    if (prov_topic_parse(letter->topic, &asked.topic) != ERR_OK || !asked.topic.request) {
        desk->stats.malformed++;
        return ERR_OK;
    }
    if (prov_request_decode(letter->payload, &message, NULL) != ERR_OK) {
        struct prov_answer_message answer = {.op = PROV_NO};
        char topic[TOPIC_SIZE];
        const struct prov_topic back = {.request = false, .claim = asked.topic.claim, .cid = asked.topic.cid};
        desk->stats.malformed++;
        (void)!view_copy(asked.topic.cid, answer.cid, sizeof(answer.cid)); /* of that size, by its grammar */
        refuse(&answer, PROV_MALFORMED, 0);
        enum err err = prov_topic_build(&back, topic);
        return err == ERR_OK ? desk_answer(desk, &answer, false, topic, outbox) : err;
    }
    return take_request(desk, &asked, outbox);
}
