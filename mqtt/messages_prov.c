/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/messages_prov.h"

#include <inttypes.h>

#include "base/crypto.h"
#include "mqtt/fields.h"
#include "mqtt/topics.h"

#define EXPIRES_MAX_S 3600

static const char *const REQUEST_OPS[PROV_REQUEST_OPS] = {"hello", "csr", "stored", "trouble"};
static const char *const ANSWER_OPS[PROV_ANSWER_OPS] = {"nonce", "cert", "no"};
static const char *const REFUSALS[PROV_REFUSALS] = {"refused", "quota", "closed", "busy", "malformed"};

const char *prov_request_op_name(enum prov_request_op op)
{
    return REQUEST_OPS[op];
}

const char *prov_refusal_name(enum prov_refusal refusal)
{
    return REFUSALS[refusal];
}

/* ---- bytes ---- */

/** Decodes base64 behind what is in the store. */
static struct view take_bytes(struct fields *fields, const char *key, const json_t *value, size_t max,
                              struct prov_store *store)
{
    struct view none = {0};
    if (!json_is_string(value)) {
        fields_fail(fields, ERR_INVALID, key, "not a text");
        return none;
    }
    size_t len = 0;
    size_t room = MIN(max, sizeof(store->bytes) - store->len);
    uint8_t *at = store->bytes + store->len;
    enum err err = crypto_base64_decode(view_n(json_string_value(value), json_string_length(value)), at, room, &len);
    if (err != ERR_OK || len == 0) {
        fields_fail(fields, err == ERR_LIMIT ? ERR_LIMIT : ERR_INVALID, key,
                    "not base64 of so many bytes as it may be");
        return none;
    }
    store->len += len;
    return view_n((const char *)at, len);
}

static struct view read_bytes(struct fields *fields, const char *key, enum field_need need, size_t max,
                              struct prov_store *store)
{
    const json_t *value = fields_find(fields, key, need);
    if (value == NULL || (need == FIELD_OPTIONAL && json_is_null(value))) {
        return (struct view){0};
    }
    return take_bytes(fields, key, value, max, store);
}

/** An array of at least one. @param exact bytes of each, 0: 1 to @p max. */
static size_t read_list(struct fields *fields, const char *key, struct view *items, size_t items_max, size_t max,
                        size_t exact, struct prov_store *store)
{
    const json_t *array = fields_array(fields, key, items_max);
    size_t len = json_array_size(array);
    if (len == 0) {
        fields_fail(fields, ERR_INVALID, key, "missing or empty");
        return 0;
    }
    for (size_t i = 0; i < len && fields->err == ERR_OK; i++) {
        items[i] = take_bytes(fields, key, json_array_get(array, i), max, store);
        if (fields->err == ERR_OK && exact != 0 && items[i].len != exact) {
            fields_fail(fields, ERR_INVALID, key, "not so many bytes as it must be");
        }
    }
    return len;
}

static void add_base64(struct strbuf *out, struct view bytes)
{
    char text[(PROV_PAYLOAD_MAX + 2) / 3 * 4 + 1];
    crypto_base64_encode((const uint8_t *)bytes.ptr, bytes.len, text);
    (void)strbuf_addf(out, "\"%s\"", text);
}

static void write_bytes(struct strbuf *out, const char *key, struct view bytes)
{
    (void)strbuf_addf(out, ",\"%s\":", key);
    add_base64(out, bytes);
}

static void write_bytes_if_any(struct strbuf *out, const char *key, struct view bytes)
{
    if (bytes.len > 0) {
        write_bytes(out, key, bytes);
    }
}

static void write_list(struct strbuf *out, const char *key, const struct view *items, size_t len)
{
    (void)strbuf_addf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < len; i++) {
        (void)strbuf_addf(out, "%s", i == 0 ? "" : ",");
        add_base64(out, items[i]);
    }
    (void)strbuf_addf(out, "]");
}

static bool fits(struct view bytes, size_t max)
{
    return bytes.len >= 1 && bytes.len <= max;
}

static bool list_fits(const struct view *items, size_t len, size_t items_max, size_t max)
{
    bool good = len >= 1 && len <= items_max;
    for (size_t i = 0; i < len && good; i++) {
        good = fits(items[i], max);
    }
    return good;
}

static enum err written(const struct strbuf *out, size_t start)
{
    enum err err = strbuf_error(out);
    return err == ERR_OK && out->len - start > PROV_PAYLOAD_MAX ? ERR_LIMIT : err;
}

static bool cid_valid(const char *cid)
{
    struct view view = view_of(cid);
    return view.len == PROV_CID_SIZE && text_valid(TEXT_HEX, view);
}

static void read_cid(struct fields *fields, char ret_cid[static PROV_CID_SIZE + 1])
{
    fields_text(fields, "cid", TEXT_HEX, FIELD_REQUIRED, ret_cid, PROV_CID_SIZE + 1);
    if (fields->err == ERR_OK && !cid_valid(ret_cid)) {
        fields_fail(fields, ERR_INVALID, "cid", "not 32 hexadecimal digits");
    }
}

/* ---- requests ---- */

static bool request_fits(const struct prov_request_message *message)
{
    struct view serial = view_of(message->serial);
    if (serial.len == 0 || !text_valid(TEXT_SERIAL, serial)) {
        return false;
    }
    switch (message->op) {
    case PROV_HELLO:
        return text_valid(TEXT_ID, view_of(message->batch)) && text_valid(TEXT_PRINTABLE, view_of(message->model)) &&
               text_valid(TEXT_PRINTABLE, view_of(message->agent));
    case PROV_CSR:
        return fits(message->nonce, PROV_NONCE_MAX) && fits(message->csr, PROV_CSR_MAX) &&
               fits(message->signature, PROV_SIGNATURE_MAX) &&
               (message->mac.len == 0 || message->mac.len == SHA256_SIZE) && message->old.len <= PROV_CERT_MAX;
    case PROV_TROUBLE:
        if (message->why[0] == '\0' || !text_valid(TEXT_ID, view_of(message->why))) {
            return false;
        }
        break;
    case PROV_STORED:
        break;
    }
    return fits(message->nonce, PROV_NONCE_MAX) && fits(message->signature, PROV_SIGNATURE_MAX);
}

enum err prov_request_encode(const struct prov_request_message *message, struct strbuf *out)
{
    if (!request_fits(message)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"op\":\"%s\"", MESSAGE_VERSION, REQUEST_OPS[message->op]);
    write_text(out, "serial", message->serial);
    if (message->op == PROV_HELLO) {
        write_text_or_null(out, "batch", message->batch);
        write_text_or_null(out, "model", message->model);
        write_text_or_null(out, "agent", message->agent);
    } else {
        write_bytes(out, "n", message->nonce);
        write_bytes(out, "sig", message->signature);
    }
    if (message->op == PROV_CSR) {
        write_bytes(out, "csr", message->csr);
        write_bytes_if_any(out, "mac", message->mac);
        write_bytes_if_any(out, "old", message->old);
    } else if (message->op == PROV_TROUBLE) {
        write_text(out, "why", message->why);
    }
    (void)strbuf_addf(out, "}");
    return write_done(out, start);
}

static void read_hello(struct fields *fields, struct prov_request_message *message)
{
    fields_text(fields, "batch", TEXT_ID, FIELD_OPTIONAL, message->batch, sizeof(message->batch));
    fields_text(fields, "model", TEXT_PRINTABLE, FIELD_OPTIONAL, message->model, sizeof(message->model));
    fields_text(fields, "agent", TEXT_PRINTABLE, FIELD_OPTIONAL, message->agent, sizeof(message->agent));
}

static void read_proof(struct fields *fields, struct prov_request_message *message)
{
    message->nonce = read_bytes(fields, "n", FIELD_REQUIRED, PROV_NONCE_MAX, &message->store);
    message->signature = read_bytes(fields, "sig", FIELD_REQUIRED, PROV_SIGNATURE_MAX, &message->store);
    if (message->op == PROV_TROUBLE) {
        fields_text(fields, "why", TEXT_ID, FIELD_REQUIRED, message->why, sizeof(message->why));
    } else if (message->op == PROV_CSR) {
        message->csr = read_bytes(fields, "csr", FIELD_REQUIRED, PROV_CSR_MAX, &message->store);
        message->mac = read_bytes(fields, "mac", FIELD_OPTIONAL, SHA256_SIZE, &message->store);
        message->old = read_bytes(fields, "old", FIELD_OPTIONAL, PROV_CERT_MAX, &message->store);
        if (fields->err == ERR_OK && message->mac.len != 0 && message->mac.len != SHA256_SIZE) {
            fields_fail(fields, ERR_INVALID, "mac", "not 32 bytes");
        }
    }
}

/* The store is large, and views point into it: so the message is filled in place, and emptied on a failure. */
enum err prov_request_decode(struct view text, struct prov_request_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct prov_request_message *message = ret_message;
    *message = (struct prov_request_message){.op = PROV_HELLO};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message->op =
            (enum prov_request_op)fields_choice(&fields, "op", REQUEST_OPS, ARRAY_LEN(REQUEST_OPS), FIELD_REQUIRED, 0);
        fields_text(&fields, "serial", TEXT_SERIAL, FIELD_REQUIRED, message->serial, sizeof(message->serial));
        if (fields.err == ERR_OK) {
            (message->op == PROV_HELLO ? read_hello : read_proof)(&fields, message);
        }
    }
    fields_close(&fields);
    if (fields.err != ERR_OK) {
        *message = (struct prov_request_message){.op = PROV_HELLO};
    }
    return fields.err;
}

/* ---- answers ---- */

static bool wall_fits(int64_t wall_ms)
{
    return wall_ms >= 0 && wall_ms <= FIELDS_WALL_MAX;
}

/** "host:port" by its alphabet: names, IPv4, IPv6 in brackets. */
static bool endpoint_valid(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == ':' || c == '[' || c == ']')) {
            return false;
        }
    }
    return text.len >= 1 && text.len <= PROV_ENDPOINT_MAX;
}

static bool cert_fits(const struct prov_answer_message *message)
{
    bool good = device_id_valid(view_of(message->id)) && wall_fits(message->now) && wall_fits(message->renew) &&
                list_fits(message->chain, message->chain_len, PROV_CHAIN_MAX, PROV_CERT_MAX) &&
                list_fits(message->trust, message->trust_len, PROV_TRUST_MAX, PROV_CERT_MAX) &&
                list_fits(message->roots, message->roots_len, PROV_ROOTS_MAX, PROV_ROOT_SIZE) &&
                message->core_len >= 1 && message->core_len <= PROV_CORE_MAX;
    for (size_t i = 0; good && i < message->roots_len; i++) {
        good = message->roots[i].len == PROV_ROOT_SIZE;
    }
    for (size_t i = 0; good && i < message->core_len; i++) {
        good = endpoint_valid(view_of(message->core[i]));
    }
    return good;
}

static bool answer_fits(const struct prov_answer_message *message)
{
    if (!cid_valid(message->cid)) {
        return false;
    }
    switch (message->op) {
    case PROV_NONCE:
        return fits(message->nonce, PROV_NONCE_MAX) && wall_fits(message->now) && message->expires_s <= EXPIRES_MAX_S;
    case PROV_CERT:
        return cert_fits(message);
    case PROV_NO:
        break;
    }
    return message->retry_after_s <= PROV_RETRY_MAX_S;
}

static void write_cert(const struct prov_answer_message *message, struct strbuf *out)
{
    write_text(out, "id", message->id);
    (void)strbuf_addf(out, ",\"now\":%" PRId64 ",\"renew\":%" PRId64, message->now, message->renew);
    write_list(out, "chain", message->chain, message->chain_len);
    write_list(out, "trust", message->trust, message->trust_len);
    write_list(out, "roots", message->roots, message->roots_len);
    (void)strbuf_addf(out, ",\"core\":[");
    for (size_t i = 0; i < message->core_len; i++) {
        (void)strbuf_addf(out, "%s\"%s\"", i == 0 ? "" : ",", message->core[i]);
    }
    (void)strbuf_addf(out, "]");
}

enum err prov_answer_encode(const struct prov_answer_message *message, struct strbuf *out)
{
    if (!answer_fits(message)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"op\":\"%s\"", MESSAGE_VERSION, ANSWER_OPS[message->op]);
    write_text(out, "cid", message->cid);
    if (message->op == PROV_NONCE) {
        write_bytes(out, "n", message->nonce);
        (void)strbuf_addf(out, ",\"now\":%" PRId64 ",\"exp\":%" PRIu32, message->now, message->expires_s);
    } else if (message->op == PROV_CERT) {
        write_cert(message, out);
    } else {
        write_text(out, "code", REFUSALS[message->refusal]);
        (void)strbuf_addf(out, ",\"retry_after\":%" PRIu32, message->retry_after_s);
    }
    (void)strbuf_addf(out, "}");
    return written(out, start);
}

static void read_core(struct fields *fields, struct prov_answer_message *message)
{
    const json_t *array = fields_array(fields, "core", PROV_CORE_MAX);
    message->core_len = json_array_size(array);
    if (message->core_len == 0) {
        fields_fail(fields, ERR_INVALID, "core", "missing or empty");
    }
    for (size_t i = 0; i < message->core_len && fields->err == ERR_OK; i++) {
        const json_t *item = json_array_get(array, i);
        struct view text = view_n(json_string_value(item), json_is_string(item) ? json_string_length(item) : 0);
        if (!endpoint_valid(text) || view_copy(text, message->core[i], sizeof(message->core[i])) != ERR_OK) {
            fields_fail(fields, ERR_INVALID, "core", "not host:port");
        }
    }
}

static void read_cert(struct fields *fields, struct prov_answer_message *message)
{
    fields_text(fields, "id", TEXT_ID, FIELD_REQUIRED, message->id, sizeof(message->id));
    if (fields->err == ERR_OK && !device_id_valid(view_of(message->id))) {
        fields_fail(fields, ERR_INVALID, "id", "not a device id");
    }
    message->now = fields_wall(fields, "now", FIELD_REQUIRED);
    message->renew = fields_wall(fields, "renew", FIELD_REQUIRED);
    message->chain_len = read_list(fields, "chain", message->chain, PROV_CHAIN_MAX, PROV_CERT_MAX, 0, &message->store);
    message->trust_len = read_list(fields, "trust", message->trust, PROV_TRUST_MAX, PROV_CERT_MAX, 0, &message->store);
    message->roots_len =
        read_list(fields, "roots", message->roots, PROV_ROOTS_MAX, PROV_ROOT_SIZE, PROV_ROOT_SIZE, &message->store);
    read_core(fields, message);
}

static void read_answer(struct fields *fields, struct prov_answer_message *message)
{
    if (message->op == PROV_NONCE) {
        message->nonce = read_bytes(fields, "n", FIELD_REQUIRED, PROV_NONCE_MAX, &message->store);
        message->now = fields_wall(fields, "now", FIELD_REQUIRED);
        message->expires_s = (uint32_t)fields_u64(fields, "exp", EXPIRES_MAX_S, FIELD_REQUIRED);
    } else if (message->op == PROV_CERT) {
        read_cert(fields, message);
    } else {
        message->refusal =
            (enum prov_refusal)fields_choice(fields, "code", REFUSALS, ARRAY_LEN(REFUSALS), FIELD_REQUIRED, 0);
        message->retry_after_s = (uint32_t)fields_u64(fields, "retry_after", PROV_RETRY_MAX_S, FIELD_REQUIRED);
    }
}

enum err prov_answer_decode(struct view text, struct prov_answer_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct prov_answer_message *message = ret_message;
    *message = (struct prov_answer_message){.op = PROV_NO};
    if (fields_open_large(&fields, text, PROV_PAYLOAD_MAX, info) == ERR_OK) {
        message->op = (enum prov_answer_op)fields_choice(&fields, "op", ANSWER_OPS, ARRAY_LEN(ANSWER_OPS),
                                                         FIELD_REQUIRED, PROV_NO);
        read_cid(&fields, message->cid);
        if (fields.err == ERR_OK) {
            read_answer(&fields, message);
        }
    }
    fields_close(&fields);
    if (fields.err != ERR_OK) {
        *message = (struct prov_answer_message){.op = PROV_NO};
    }
    return fields.err;
}

/* ---- envelope and renewal ---- */

enum err envelope_encode(const struct envelope_message *message, struct strbuf *out)
{
    if (!list_fits(message->signer, message->signer_len, PROV_CHAIN_MAX, PROV_CERT_MAX) ||
        !fits(message->payload, PROV_PAYLOAD_MAX) || !fits(message->signature, PROV_SIGNATURE_MAX)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_list(out, "signer", message->signer, message->signer_len);
    write_bytes(out, "payload", message->payload);
    write_bytes(out, "sig", message->signature);
    (void)strbuf_addf(out, "}");
    return written(out, start);
}

enum err envelope_decode(struct view text, struct envelope_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct envelope_message *message = ret_message;
    *message = (struct envelope_message){.signer_len = 0};
    if (fields_open_large(&fields, text, PROV_PAYLOAD_MAX, info) == ERR_OK) {
        message->signer_len =
            read_list(&fields, "signer", message->signer, PROV_CHAIN_MAX, PROV_CERT_MAX, 0, &message->store);
        message->payload = read_bytes(&fields, "payload", FIELD_REQUIRED, PROV_PAYLOAD_MAX, &message->store);
        message->signature = read_bytes(&fields, "sig", FIELD_REQUIRED, PROV_SIGNATURE_MAX, &message->store);
    }
    fields_close(&fields);
    if (fields.err != ERR_OK) {
        *message = (struct envelope_message){.signer_len = 0};
    }
    return fields.err;
}

enum err renewal_encode(const struct renewal_message *message, struct strbuf *out)
{
    if (!cid_valid(message->cid) || !fits(message->csr, PROV_CSR_MAX) ||
        !fits(message->signature, PROV_SIGNATURE_MAX)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "cid", message->cid);
    write_bytes(out, "csr", message->csr);
    write_bytes(out, "sig", message->signature);
    (void)strbuf_addf(out, "}");
    return write_done(out, start);
}

enum err renewal_decode(struct view text, struct renewal_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct renewal_message *message = ret_message;
    *message = (struct renewal_message){.cid = ""};
    if (fields_open(&fields, text, info) == ERR_OK) {
        read_cid(&fields, message->cid);
        message->csr = read_bytes(&fields, "csr", FIELD_REQUIRED, PROV_CSR_MAX, &message->store);
        message->signature = read_bytes(&fields, "sig", FIELD_REQUIRED, PROV_SIGNATURE_MAX, &message->store);
    }
    fields_close(&fields);
    if (fields.err != ERR_OK) {
        *message = (struct renewal_message){.cid = ""};
    }
    return fields.err;
}
