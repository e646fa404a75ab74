/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/jwt.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"

enum { CLAIMS_MAX = 4096, DEPTH_MAX = 2 };

/** What the file's members are put into. */
struct reading {
    struct jwt_account account;
    char type[64];
    char pem[JWT_ACCOUNT_FILE_MAX];
    size_t pem_len;
    const char *fault; /* member that does not fit */
};

static enum err each_member(void *context, const struct jsonscan_member *member)
{
    struct reading *reading = context;
    const struct {
        const char *key;
        char *buffer;
        size_t size;
    } rows[] = {
        {"type", reading->type, sizeof(reading->type)},
        {"project_id", reading->account.project, JWT_NAME_SIZE},
        {"private_key_id", reading->account.key_id, JWT_NAME_SIZE},
        {"private_key", reading->pem, sizeof(reading->pem)},
        {"client_email", reading->account.email, JWT_NAME_SIZE},
        {"token_uri", reading->account.token_uri, JWT_URI_SIZE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (view_equals(member->key, rows[i].key)) {
            size_t len = 0;
            enum err err = jsonscan_text(member, rows[i].buffer, rows[i].size, &len);
            reading->fault = err != ERR_OK ? rows[i].key : NULL;
            reading->pem_len = rows[i].buffer == reading->pem ? len : reading->pem_len;
            return err;
        }
    }
    return ERR_OK;
}

static enum err bad(struct errinfo *info, enum err err, const char *member, const char *what)
{
    return errinfo_set(info, err, "config", 0, "service account key: `%s` %s", member, what);
}

/** Members that a request is written with: printable ASCII without blank, so neither header, URL nor JSON breaks. */
static bool is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\') {
            return false;
        }
    }
    return text[0] != '\0';
}

static enum err check(struct reading *reading, struct errinfo *info)
{
    struct jwt_account *account = &reading->account;
    if (strcmp(reading->type, "service_account") != 0) {
        return bad(info, ERR_UNSUPPORTED, "type", "must be \"service_account\"");
    }
    const struct {
        const char *key, *value;
    } rows[] = {{"project_id", account->project},
                {"private_key_id", account->key_id},
                {"client_email", account->email},
                {"token_uri", account->token_uri}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!is_plain(rows[i].value)) {
            return bad(info, ERR_INVALID, rows[i].key, "is missing or not plain text");
        }
    }
    if (!view_starts_with(view_of(account->token_uri), VIEW_LITERAL("https://"))) {
        return bad(info, ERR_INVALID, "token_uri", "must be an https URL: the assertion is a login");
    }
    enum err err = crypto_rsa_new(view_n(reading->pem, reading->pem_len), &account->key);
    if (err != ERR_OK) {
        return bad(info, err, "private_key", "is no RSA key of 2,048 to 4,096 bits in PEM");
    }
    return ERR_OK;
}

enum err jwt_account_parse(struct view json, struct jwt_account *ret_account, struct errinfo *info)
{
    if (json.len > JWT_ACCOUNT_FILE_MAX) {
        return errinfo_set(info, ERR_LIMIT, "config", 0, "service account key: more than %d bytes",
                           JWT_ACCOUNT_FILE_MAX);
    }
    struct reading *reading = calloc(1, sizeof(*reading));
    if (reading == NULL) {
        return ERR_NOMEM;
    }
    enum err err = jsonscan_object(json, DEPTH_MAX, each_member, reading);
    if (err == ERR_OK) {
        err = check(reading, info);
    } else if (reading->fault != NULL) {
        err = bad(info, err, reading->fault, "is no string that fits");
    } else {
        err = errinfo_set(info, err, "config", 0, "service account key: not the JSON file of a key");
    }
    if (err == ERR_OK) {
        *ret_account = reading->account;
        reading->account.key = NULL;
    }
    jwt_account_deinit(&reading->account);
    crypto_zeroise(reading, sizeof(*reading));
    free(reading);
    return err;
}

void jwt_account_deinit(struct jwt_account *account)
{
    crypto_rsa_free(account->key);
    crypto_zeroise(account, sizeof(*account));
}

static void add_base64url(struct strbuf *token, const uint8_t *data, size_t len)
{
    char *text = malloc((len + 2) / 3 * 4 + 1);
    if (text == NULL) {
        token->error = token->error == ERR_OK ? ERR_NOMEM : token->error;
        return;
    }
    crypto_base64url_encode(data, len, text);
    strbuf_adds(token, text);
    free(text);
}

enum err jwt_sign(struct crypto_rsa *key, struct view header, struct view claims, struct strbuf *token)
{
    uint8_t signature[RSA_SIZE_MAX];
    size_t len = 0, start = token->len;
    add_base64url(token, (const uint8_t *)header.ptr, header.len);
    strbuf_addc(token, '.');
    add_base64url(token, (const uint8_t *)claims.ptr, claims.len);
    enum err err = strbuf_error(token);
    if (err == ERR_OK) {
        err = crypto_rsa_sign_sha256(key, view_n(token->ptr + start, token->len - start), signature, &len);
    }
    if (err != ERR_OK) {
        return err;
    }
    strbuf_addc(token, '.');
    add_base64url(token, signature, len);
    return strbuf_error(token);
}

enum err jwt_assertion(const struct jwt_account *account, const char *scope, int64_t wall_ms, struct strbuf *token)
{
    struct strbuf header, claims;
    long long issued = wall_ms / 1000;
    strbuf_init(&header, CLAIMS_MAX);
    strbuf_init(&claims, CLAIMS_MAX);
    strbuf_adds(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":");
    strbuf_add_json(&header, view_of(account->key_id));
    strbuf_addc(&header, '}');
    strbuf_adds(&claims, "{\"iss\":");
    strbuf_add_json(&claims, view_of(account->email));
    strbuf_adds(&claims, ",\"scope\":");
    strbuf_add_json(&claims, view_of(scope));
    strbuf_adds(&claims, ",\"aud\":");
    strbuf_add_json(&claims, view_of(account->token_uri));
    strbuf_addf(&claims, ",\"iat\":%lld,\"exp\":%lld}", issued, issued + JWT_LIFETIME_S);
    enum err err = strbuf_error(&header);
    err = err == ERR_OK ? strbuf_error(&claims) : err;
    err = err == ERR_OK ? jwt_sign(account->key, strbuf_view(&header), strbuf_view(&claims), token) : err;
    strbuf_deinit(&header);
    strbuf_deinit(&claims);
    return err;
}
