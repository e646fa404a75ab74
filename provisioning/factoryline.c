/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/factoryline.h"

#include <string.h>

#include "base/json.h"
#include "provisioning/ledger.h"

#define VERSION            1
#define JSON_DEPTH         1
#define PURPOSE            "muster-factory-1"
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

static const char *const OPS[FACTORY_OPS] = {"key", "prove", "install", "serial", "label-tail", "test", "no"};
const char *const factory_files[] = {"claim.pem", "claim.key", "root.pem", NULL};

const char *factory_op_name(enum factory_op op)
{
    return OPS[op];
}

/* ---- writing ---- */

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    (void)strbuf_addf(out, ",\"%s\":", key); /* sticky: asked for at the end, as below */
    (void)strbuf_add_json(out, view_of(text));
}

static void add_bytes(struct strbuf *out, const char *key, const uint8_t *bytes, size_t len)
{
    char text[BASE64_SIZE(FACTORY_FILE_MAX)];
    crypto_base64_encode(bytes, len, text);
    (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text);
    crypto_zeroise(text, sizeof(text)); /* a claim's key is one of the files */
}

enum err factory_request_write(const struct factory_request *request, struct strbuf *out)
{
    enum factory_op op = request->op;
    (void)strbuf_addf(out, "{\"v\":%d,\"op\":\"%s\"", VERSION, OPS[op]);
    if (op == FACTORY_PROVE || op == FACTORY_SERIAL || op == FACTORY_TEST) {
        add_text(out, "serial", request->serial);
    }
    if (op == FACTORY_PROVE || op == FACTORY_TEST) {
        add_bytes(out, "n", request->nonce, sizeof(request->nonce));
    }
    if (op == FACTORY_INSTALL) {
        add_text(out, "file", request->file);
        add_bytes(out, "data", request->data, request->data_len);
    }
    return strbuf_adds(out, "}\n");
}

enum err factory_answer_write(const struct factory_answer *answer, struct strbuf *out)
{
    (void)strbuf_addf(out, "{\"v\":%d,\"op\":\"%s\"", VERSION, OPS[answer->op]);
    if (answer->op == FACTORY_KEY) {
        add_bytes(out, "key", answer->key, sizeof(answer->key));
    } else if (answer->op == FACTORY_PROVE || answer->op == FACTORY_TEST) {
        add_bytes(out, "sig", answer->signature, answer->signature_len);
    } else if (answer->op == FACTORY_LABEL_TAIL) {
        add_text(out, "serial", answer->serial);
        add_text(out, "tail", answer->tail);
    } else if (answer->op == FACTORY_NO) {
        add_text(out, "why", answer->why);
    }
    return strbuf_adds(out, "}\n");
}

/* ---- reading ---- */

struct reading {
    json_t *root; /* owned */
    struct errinfo *info;
    enum err err; /* first failure */
};

static void wrong(struct reading *reading, const char *key, const char *what)
{
    if (reading->err == ERR_OK) {
        reading->err = errinfo_set(reading->info, ERR_INVALID, "factory", 0, "%s: %s", key, what);
    }
}

static struct view text_of(struct reading *reading, const char *key)
{
    const json_t *value = json_object_get(reading->root, key);
    if (!json_is_string(value)) {
        wrong(reading, key, "missing, or not a text");
        return (struct view){0};
    }
    return view_n(json_string_value(value), json_string_length(value));
}

static void read_text(struct reading *reading, const char *key, char *buffer, size_t size)
{
    if (view_copy(text_of(reading, key), buffer, size) != ERR_OK) {
        wrong(reading, key, "too long");
    }
}

static void read_serial(struct reading *reading, char ret_serial[static LEDGER_SERIAL_MAX + 1])
{
    read_text(reading, "serial", ret_serial, LEDGER_SERIAL_MAX + 1);
    if (reading->err == ERR_OK && !ledger_serial_valid(view_of(ret_serial))) {
        wrong(reading, "serial", "not a serial number");
    }
}

/** @param exactly bytes; 0: 1 to @p size of them. */
static void read_bytes(struct reading *reading, const char *key, uint8_t *bytes, size_t size, size_t exactly,
                       size_t *ret_len)
{
    size_t len = 0;
    if (crypto_base64_decode(text_of(reading, key), bytes, size, &len) != ERR_OK || len == 0 ||
        (exactly != 0 && len != exactly)) {
        wrong(reading, key, "not base64 of the length that is right");
    }
    *ret_len = len;
}

static void read_file_name(struct reading *reading, char ret_name[static FACTORY_FILE_NAME_MAX + 1])
{
    read_text(reading, "file", ret_name, FACTORY_FILE_NAME_MAX + 1);
    for (const char *const *file = factory_files; *file != NULL; file++) {
        if (strcmp(*file, ret_name) == 0) {
            return;
        }
    }
    wrong(reading, "file", "not one that a station installs");
}

static enum factory_op read_op(struct reading *reading)
{
    const json_t *version = json_object_get(reading->root, "v");
    if (!json_is_integer(version) || json_integer_value(version) != VERSION) {
        wrong(reading, "v", "not a version that this program reads");
    }
    struct view name = text_of(reading, "op");
    for (size_t i = 0; i < ARRAY_LEN(OPS); i++) {
        if (view_equals(name, OPS[i])) {
            return (enum factory_op)i;
        }
    }
    wrong(reading, "op", "not known");
    return FACTORY_NO;
}

enum err factory_request_read(struct view text, struct factory_request *ret_request, struct errinfo *info)
{
    struct reading reading = {.info = info};
    struct factory_request request = {.op = FACTORY_NO};
    size_t len = 0;
    enum err err = json_parse(text, FACTORY_LINE_MAX, JSON_DEPTH, &reading.root, info);
    if (err != ERR_OK) {
        return err;
    }
    request.op = read_op(&reading);
    if (request.op == FACTORY_NO) {
        wrong(&reading, "op", "not a request");
    }
    if (request.op == FACTORY_PROVE || request.op == FACTORY_SERIAL || request.op == FACTORY_TEST) {
        read_serial(&reading, request.serial);
    }
    if (request.op == FACTORY_PROVE || request.op == FACTORY_TEST) {
        read_bytes(&reading, "n", request.nonce, sizeof(request.nonce), sizeof(request.nonce), &len);
    }
    if (request.op == FACTORY_INSTALL) {
        read_file_name(&reading, request.file);
        read_bytes(&reading, "data", request.data, sizeof(request.data), 0, &request.data_len);
    }
    json_decref(reading.root);
    if (reading.err == ERR_OK) {
        *ret_request = request;
    }
    crypto_zeroise(request.data, sizeof(request.data));
    return reading.err;
}

/** The device's words, for a station's log and screen. */
static void read_why(struct reading *reading, char ret_why[static FACTORY_WHY_MAX + 1])
{
    struct view text = text_of(reading, "why");
    size_t len = MIN(text.len, (size_t)FACTORY_WHY_MAX);
    for (size_t i = 0; i < len; i++) {
        ret_why[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
    }
    ret_why[len] = '\0';
}

static void read_tail(struct reading *reading, char ret_tail[static FACTORY_TAIL_SIZE])
{
    read_text(reading, "tail", ret_tail, FACTORY_TAIL_SIZE);
    for (const char *p = ret_tail; *p != '\0'; p++) {
        if (strchr("0123456789abcdef-", *p) == NULL) {
            wrong(reading, "tail", "not the end of a digest");
        }
    }
}

enum err factory_answer_read(struct view text, struct factory_answer *ret_answer, struct errinfo *info)
{
    struct reading reading = {.info = info};
    struct factory_answer answer = {.op = FACTORY_NO};
    size_t len = 0;
    enum err err = json_parse(text, FACTORY_LINE_MAX, JSON_DEPTH, &reading.root, info);
    if (err != ERR_OK) {
        return err;
    }
    answer.op = read_op(&reading);
    if (answer.op == FACTORY_KEY) {
        read_bytes(&reading, "key", answer.key, sizeof(answer.key), sizeof(answer.key), &len);
    } else if (answer.op == FACTORY_PROVE || answer.op == FACTORY_TEST) {
        read_bytes(&reading, "sig", answer.signature, sizeof(answer.signature), 0, &answer.signature_len);
    } else if (answer.op == FACTORY_LABEL_TAIL) {
        read_serial(&reading, answer.serial);
        read_tail(&reading, answer.tail);
    } else if (answer.op == FACTORY_NO) {
        read_why(&reading, answer.why);
    }
    json_decref(reading.root);
    if (reading.err == ERR_OK) {
        *ret_answer = answer;
    }
    return reading.err;
}

/* ---- proofs ---- */

#define PROOF_MAX (sizeof(PURPOSE) + 16 + LEDGER_SERIAL_MAX + 1 + FACTORY_NONCE_SIZE)

static size_t proof_bytes(const struct factory_request *request, uint8_t ret_bytes[static PROOF_MAX])
{
    struct strbuf text;
    strbuf_init(&text, PROOF_MAX);
    (void)strbuf_add(&text, view_n(PURPOSE, sizeof(PURPOSE))); /* with its NUL; all fit: see PROOF_MAX */
    (void)strbuf_add(&text, view_n(OPS[request->op], strlen(OPS[request->op]) + 1));
    (void)strbuf_add(&text, view_n(request->serial, strlen(request->serial) + 1));
    (void)strbuf_add(&text, view_n((const char *)request->nonce, sizeof(request->nonce)));
    size_t len = strbuf_error(&text) == ERR_OK ? text.len : 0;
    memcpy(ret_bytes, strbuf_str(&text), len);
    strbuf_deinit(&text);
    return len;
}

enum err factory_proof_sign(struct key *key, const struct factory_request *request,
                            uint8_t ret_signature[static KEY_SIGNATURE_MAX], size_t *ret_len)
{
    uint8_t bytes[PROOF_MAX];
    size_t len = proof_bytes(request, bytes);
    return len == 0 ? ERR_NOMEM : key_sign(key, view_n((const char *)bytes, len), ret_signature, ret_len);
}

enum err factory_proof_verify(const uint8_t point[static KEY_POINT_SIZE], const struct factory_request *request,
                              struct view signature)
{
    uint8_t bytes[PROOF_MAX];
    size_t len = proof_bytes(request, bytes);
    return len == 0
               ? ERR_NOMEM
               : key_verify(view_n((const char *)point, KEY_POINT_SIZE), view_n((const char *)bytes, len), signature);
}

void factory_tail(const uint8_t point[static KEY_POINT_SIZE], char ret_tail[static FACTORY_TAIL_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    char hex[9];
    crypto_sha256(view_n((const char *)point, KEY_POINT_SIZE), digest);
    crypto_hex(digest + SHA256_SIZE - 4, 4, hex);
    memcpy(ret_tail, hex, 4);
    ret_tail[4] = '-';
    memcpy(ret_tail + 5, hex + 4, 5);
}
