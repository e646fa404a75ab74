/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/pkcs11.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/options.h> /* before every other wolfSSL header, or their types differ from the library's */

#include <wolfssl/wolfcrypt/pkcs11.h> /* types and numbers of PKCS#11 only: no function of wolfSSL is called here */

#include "provisioning/der.h"
#include "provisioning/key.h"
#include "provisioning/keyopen.h"
#include "provisioning/oids.h"
#include "provisioning/pkcs11uri.h"

#define SLOTS_MAX 64
#define WHAT_MAX  128

/* numbers of PKCS#11 2.40 that the header lacks */
#define RV_PIN_INCORRECT       0x000000a0UL
#define RV_PIN_LOCKED          0x000000a4UL
#define RV_LOGGED_IN           0x00000100UL
#define RV_ALREADY_INITIALIZED 0x00000191UL
#define TOKEN_LOGIN_REQUIRED   0x00000004UL
#define NOT_AVAILABLE          ((CK_ULONG)-1)

struct pkcs11_key {
    CK_FUNCTION_LIST *functions; /* of a module that stays loaded */
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE handle;
    bool has_session;
    uint8_t point[KEY_POINT_SIZE];
};

static enum err refused(struct errinfo *info, enum err err, const char *what, CK_RV rv)
{
    return errinfo_set(info, err, "pkcs11", (long)rv, "%s (PKCS#11 code 0x%lx)", what, rv);
}

static enum err load_module(const char *path, CK_FUNCTION_LIST **ret_functions, struct errinfo *info)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        return errinfo_set(info, ERR_NOTFOUND, "pkcs11", 0, "%s: cannot be loaded", path);
    }
    CK_C_GetFunctionList list;
    void *symbol = dlsym(module, "C_GetFunctionList");
    memcpy(&list, &symbol, sizeof(list)); /* ISO C knows no cast from an object to a function */
    CK_FUNCTION_LIST *functions = NULL;
    CK_RV rv = list != NULL ? list(&functions) : CKR_OK;
    if (rv != CKR_OK || functions == NULL) {
        (void)dlclose(module); /* nothing of it was called yet */
        return errinfo_set(info, ERR_NOTFOUND, "pkcs11", 0, "%s: is no PKCS#11 module", path);
    }
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    rv = functions->C_Initialize(&arguments);
    if (rv != CKR_OK && rv != RV_ALREADY_INITIALIZED) {
        return refused(info, ERR_IO, "the token's module does not start", rv);
    }
    *ret_functions = functions;
    return ERR_OK;
}

/** Labels are padded with blanks, and never end in NUL. */
static bool is_token(const CK_TOKEN_INFO *token, const char *label)
{
    size_t len = sizeof(token->label);
    while (len > 0 && token->label[len - 1] == ' ') {
        len--;
    }
    return view_equals(view_n((const char *)token->label, len), label);
}

static enum err find_slot(CK_FUNCTION_LIST *functions, const struct pkcs11_uri *uri, CK_SLOT_ID *ret_slot,
                          CK_TOKEN_INFO *ret_token, struct errinfo *info)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    size_t found = 0;
    CK_RV rv = functions->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK) {
        return refused(info, ERR_IO, "the module does not list its tokens", rv);
    }
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO token;
        if ((uri->has_slot && slots[i] != uri->slot) || functions->C_GetTokenInfo(slots[i], &token) != CKR_OK ||
            (uri->token[0] != '\0' && !is_token(&token, uri->token))) {
            continue;
        }
        found++;
        *ret_slot = slots[i];
        *ret_token = token;
    }
    if (found != 1) {
        return errinfo_set(info, found == 0 ? ERR_NOTFOUND : ERR_CONFLICT, "pkcs11", 0, "%s token \"%s\"",
                           found == 0 ? "there is no" : "more than one", uri->token);
    }
    return ERR_OK;
}

static enum err read_pin(const struct pkcs11_uri *uri, const struct key_opening *opening, struct secret *ret_pin,
                         struct errinfo *info)
{
    char what[WHAT_MAX];
    struct key_opening from_file = {.password_file = uri->pin_source};
    (void)snprintf(what, sizeof(what), "the PIN of token \"%s\"",
                   uri->token); /* cut short it still says what is asked */
    return key_password(uri->pin_source[0] != '\0' ? &from_file : opening, what, ret_pin, info);
}

static enum err login(struct pkcs11_key *key, const struct pkcs11_uri *uri, const struct key_opening *opening,
                      struct errinfo *info)
{
    struct secret pin = {0};
    enum err err = read_pin(uri, opening, &pin, info);
    if (err != ERR_OK) {
        return err;
    }
    CK_RV rv = key->functions->C_Login(key->session, CKU_USER, pin.ptr, pin.len);
    secret_deinit(&pin);
    switch (rv) {
    case CKR_OK:
    case RV_LOGGED_IN:
        return ERR_OK;
    case RV_PIN_INCORRECT:
        return refused(info, ERR_AUTH, "the token refuses the PIN; do not try often, it locks itself", rv);
    case RV_PIN_LOCKED:
        return refused(info, ERR_AUTH, "the token's PIN is locked", rv);
    default:
        return refused(info, ERR_AUTH, "the token does not log us in", rv);
    }
}

static enum err open_session(struct pkcs11_key *key, const struct pkcs11_uri *uri, const struct key_opening *opening,
                             struct errinfo *info)
{
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO token = {0};
    enum err err = find_slot(key->functions, uri, &slot, &token, info);
    if (err != ERR_OK) {
        return err;
    }
    CK_RV rv = key->functions->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &key->session);
    if (rv != CKR_OK) {
        return refused(info, ERR_IO, "the token opens no session", rv);
    }
    key->has_session = true;
    return (token.flags & TOKEN_LOGIN_REQUIRED) != 0 ? login(key, uri, opening, info) : ERR_OK;
}

/** The one object of @p class that the URI names. @param id instead of the URI's, where that has none. */
static enum err find_object(struct pkcs11_key *key, const struct pkcs11_uri *uri, CK_OBJECT_CLASS class,
                            CK_OBJECT_HANDLE *ret_handle, struct errinfo *info)
{
    CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_ULONG fields = 1;
    if (uri->object[0] != '\0') {
        template[fields++] = (CK_ATTRIBUTE){CKA_LABEL, (void *)uri->object, strlen(uri->object)};
    }
    if (uri->id_len > 0) {
        template[fields++] = (CK_ATTRIBUTE){CKA_ID, (void *)uri->id, uri->id_len};
    }
    CK_OBJECT_HANDLE handles[2];
    CK_ULONG found = 0;
    CK_RV rv = key->functions->C_FindObjectsInit(key->session, template, fields);
    if (rv == CKR_OK) {
        rv = key->functions->C_FindObjects(key->session, handles, ARRAY_LEN(handles), &found);
        (void)key->functions->C_FindObjectsFinal(key->session); /* the search is over either way */
    }
    if (rv != CKR_OK) {
        return refused(info, ERR_IO, "the token does not search", rv);
    }
    if (found != 1) {
        return errinfo_set(info, found == 0 ? ERR_NOTFOUND : ERR_CONFLICT, "pkcs11", 0, "%s %s key fits the URI",
                           found == 0 ? "no" : "more than one", class == CKO_PRIVATE_KEY ? "private" : "public");
    }
    *ret_handle = handles[0];
    return ERR_OK;
}

/** Whether an attribute has exactly this value. */
static bool attribute_is(struct pkcs11_key *key, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, struct view value)
{
    uint8_t buffer[KEY_POINT_SIZE];
    CK_ATTRIBUTE attribute = {type, buffer, sizeof(buffer)};
    return key->functions->C_GetAttributeValue(key->session, handle, &attribute, 1) == CKR_OK &&
           attribute.ulValueLen != NOT_AVAILABLE &&
           view_equal(view_n((const char *)buffer, attribute.ulValueLen), value);
}

static enum err check_private(struct pkcs11_key *key, struct errinfo *info)
{
    static const CK_KEY_TYPE ec = CKK_EC;
    static const CK_BBOOL yes = CK_TRUE;
    static const CK_BBOOL no = CK_FALSE;
    static const char p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"; /* OBJECT IDENTIFIER prime256v1 */
    const struct {
        CK_ATTRIBUTE_TYPE type;
        struct view value;
        const char *otherwise;
    } rows[] = {
        {CKA_KEY_TYPE, view_n((const char *)&ec, sizeof(ec)), "is not an EC key"},
        {CKA_EC_PARAMS, view_n(p256, sizeof(p256) - 1), "is not on the curve P-256"},
        {CKA_TOKEN, view_n((const char *)&yes, 1), "is not kept by the token"},
        {CKA_SIGN, view_n((const char *)&yes, 1), "may not sign"},
        {CKA_SENSITIVE, view_n((const char *)&yes, 1), "is not marked as sensitive"},
        {CKA_EXTRACTABLE, view_n((const char *)&no, 1), "can be extracted from the token"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!attribute_is(key, key->handle, rows[i].type, rows[i].value)) {
            return errinfo_set(info, ERR_UNSUPPORTED, "pkcs11", 0, "the token's key %s", rows[i].otherwise);
        }
    }
    return ERR_OK;
}

/** CKA_EC_POINT is the point in an OCTET STRING. */
static enum err read_point(struct pkcs11_key *key, const struct pkcs11_uri *uri, struct errinfo *info)
{
    CK_OBJECT_HANDLE public;
    uint8_t buffer[KEY_POINT_SIZE + 2];
    CK_ATTRIBUTE attribute = {CKA_EC_POINT, buffer, sizeof(buffer)};
    struct view point;
    enum err err = find_object(key, uri, CKO_PUBLIC_KEY, &public, info);
    if (err != ERR_OK) {
        return err;
    }
    CK_RV rv = key->functions->C_GetAttributeValue(key->session, public, &attribute, 1);
    struct view rest = view_n((const char *)buffer, rv == CKR_OK ? attribute.ulValueLen : 0);
    if (rv != CKR_OK || der_expect(&rest, DER_OCTET_STRING, &point) != ERR_OK || point.len != KEY_POINT_SIZE) {
        return refused(info, ERR_UNSUPPORTED, "the token's public key is not one of P-256", rv);
    }
    memcpy(key->point, point.ptr, KEY_POINT_SIZE);
    return ERR_OK;
}

/** Signs once and judges the signature by our own library: both halves belong together, and the token works. */
static enum err prove(struct pkcs11_key *key, struct errinfo *info)
{
    uint8_t challenge[SHA256_SIZE];
    uint8_t digest[SHA256_SIZE];
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t len;
    crypto_random(challenge, sizeof(challenge));
    struct view message = view_n((const char *)challenge, sizeof(challenge));
    crypto_sha256(message, digest);
    enum err err = pkcs11_sign(key, digest, signature, &len);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "pkcs11", 0, "the token does not sign");
    }
    struct view point = view_n((const char *)key->point, sizeof(key->point));
    return key_verify(point, message, view_n((const char *)signature, len)) == ERR_OK
               ? ERR_OK
               : errinfo_set(info, ERR_CRYPTO, "pkcs11", 0, "the token's signature does not fit its public key");
}

enum err pkcs11_open(struct view uri_text, const struct key_opening *opening, struct pkcs11_key **ret_key,
                     struct errinfo *info)
{
    struct pkcs11_uri uri;
    enum err err = pkcs11_uri_parse(uri_text, &uri, info);
    if (err != ERR_OK) {
        return err;
    }
    struct pkcs11_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return errinfo_set(info, ERR_NOMEM, "pkcs11", 0, "%s", err_text(ERR_NOMEM));
    }
    err = load_module(uri.module_path, &key->functions, info);
    if (err == ERR_OK) {
        err = open_session(key, &uri, opening, info);
    }
    if (err == ERR_OK) {
        err = find_object(key, &uri, CKO_PRIVATE_KEY, &key->handle, info);
    }
    if (err == ERR_OK) {
        err = check_private(key, info);
    }
    if (err == ERR_OK) {
        err = read_point(key, &uri, info);
    }
    if (err == ERR_OK) {
        err = prove(key, info);
    }
    if (err != ERR_OK) {
        pkcs11_free(key);
        return err;
    }
    *ret_key = key;
    return ERR_OK;
}

void pkcs11_free(struct pkcs11_key *key)
{
    if (key != NULL) {
        if (key->has_session) {
            (void)key->functions->C_CloseSession(key->session); /* the token forgets it anyway when it is gone */
        }
        free(key);
    }
}

void pkcs11_public(const struct pkcs11_key *key, uint8_t *ret_point)
{
    memcpy(ret_point, key->point, KEY_POINT_SIZE);
}

enum err pkcs11_sign(struct pkcs11_key *key, const uint8_t digest[static SHA256_SIZE], uint8_t *ret_signature,
                     size_t *ret_len)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};
    uint8_t raw[64]; /* r and s, 32 bytes each (PKCS#11 2.40, 2.3.1) */
    CK_ULONG raw_len = sizeof(raw);
    if (key->functions->C_SignInit(key->session, &mechanism, key->handle) != CKR_OK ||
        key->functions->C_Sign(key->session, (CK_BYTE *)digest, SHA256_SIZE, raw, &raw_len) != CKR_OK ||
        raw_len != sizeof(raw)) {
        return ERR_CRYPTO;
    }
    struct der_writer w;
    der_writer_init(&w, ret_signature, KEY_SIGNATURE_MAX);
    size_t sequence = der_open(&w, DER_SEQUENCE);
    der_put_uint(&w, view_n((const char *)raw, sizeof(raw) / 2));
    der_put_uint(&w, view_n((const char *)raw + sizeof(raw) / 2, sizeof(raw) / 2));
    der_close(&w, sequence);
    return der_writer_end(&w, ret_len) == ERR_OK ? ERR_OK : ERR_CRYPTO;
}
