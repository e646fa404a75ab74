/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, the authorities that signed them, and revocations under way. */
#include <string.h>

#include "provisioner/store_private.h"

static const char *const STATE_NAMES[CERT_STATES] = {"issued", "stored",     "attempted",
                                                     "active", "superseded", "revoked"};

const char *cert_state_name(enum cert_state state)
{
    return STATE_NAMES[state];
}

static enum err damaged(struct store *store)
{
    return errinfo_set(&store->info, ERR_CORRUPT, "store", 0, "a row of certificates is damaged");
}

enum err store_add_cert(struct store *store, const struct cert_row *cert)
{
    return store_run(store, STMT_CERT_ADD, "tttbiiiiiiib", cert->issuer, cert->serial, cert->device, cert->spki,
                     sizeof(cert->spki), (int64_t)cert->state, cert->not_before_s, cert->not_after_s, cert->renew_ms,
                     cert->issued_ms, cert->attempted_ms, cert->changed_ms, cert->der, cert->der_len);
}

enum err store_set_cert(struct store *store, const struct cert_row *cert)
{
    return store_run(store, STMT_CERT_SET, "ttiii", cert->issuer, cert->serial, (int64_t)cert->state,
                     cert->attempted_ms, cert->changed_ms);
}

static bool read_cert(sqlite3_stmt *statement, struct cert_row *row)
{
    int64_t state = sqlite3_column_int64(statement, 4);
    const void *der = sqlite3_column_blob(statement, 11);
    int len = sqlite3_column_bytes(statement, 11);
    if (state < 0 || state >= CERT_STATES || der == NULL || len > STORE_DER_MAX) {
        return false;
    }
    row->state = (enum cert_state)state;
    row->not_before_s = sqlite3_column_int64(statement, 5);
    row->not_after_s = sqlite3_column_int64(statement, 6);
    row->renew_ms = sqlite3_column_int64(statement, 7);
    row->issued_ms = sqlite3_column_int64(statement, 8);
    row->attempted_ms = sqlite3_column_int64(statement, 9);
    row->changed_ms = sqlite3_column_int64(statement, 10);
    row->der_len = (size_t)len;
    memcpy(row->der, der, (size_t)len);
    return store_text(statement, 0, row->issuer, sizeof(row->issuer)) &&
           store_text(statement, 1, row->serial, sizeof(row->serial)) &&
           store_text(statement, 2, row->device, sizeof(row->device)) &&
           store_blob(statement, 3, row->spki, sizeof(row->spki));
}

static enum err read_certs(struct store *store, sqlite3_stmt *statement, store_cert_fn each, void *context)
{
    enum err err = ERR_OK;
    while (store_next(store, statement, &err)) {
        struct cert_row row;
        err = read_cert(statement, &row) ? each(context, &row) : damaged(store);
    }
    store_done(statement);
    return err;
}

struct one_cert {
    struct cert_row *row;
    bool found;
};

static enum err take_cert(void *context, const struct cert_row *cert)
{
    struct one_cert *one = context;
    *one->row = *cert;
    one->found = true;
    return ERR_OK;
}

static enum err one(struct store *store, sqlite3_stmt *statement, struct cert_row *ret_cert)
{
    struct one_cert one = {.row = ret_cert};
    enum err err = read_certs(store, statement, take_cert, &one);
    return err == ERR_OK && !one.found ? ERR_NOTFOUND : err;
}

enum err store_get_cert(struct store *store, const char *issuer, const char *serial, struct cert_row *ret_cert)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_GET, &statement, "tt", issuer, serial);
    return err == ERR_OK ? one(store, statement, ret_cert) : err;
}

enum err store_find_spki(struct store *store, const uint8_t spki[static SHA256_SIZE], struct cert_row *ret_cert)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_SPKI, &statement, "b", spki, (size_t)SHA256_SIZE);
    return err == ERR_OK ? one(store, statement, ret_cert) : err;
}

enum err store_each_cert(struct store *store, const char *device, bool live, store_cert_fn each, void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err =
        store_bind(store, STMT_CERT_DEVICE, &statement, "ti", device, (int64_t)(live ? CERT_SUPERSEDED : CERT_REVOKED));
    return err == ERR_OK ? read_certs(store, statement, each, context) : err;
}

enum err store_each_lapsed(struct store *store, int64_t now_ms, int64_t attempted_ms, int64_t superseded_ms,
                           size_t limit, store_cert_fn each, void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err =
        store_bind(store, STMT_CERT_LAPSED, &statement, "iiii", now_ms, attempted_ms, superseded_ms, (int64_t)limit);
    return err == ERR_OK ? read_certs(store, statement, each, context) : err;
}

enum err store_each_attempted(struct store *store, store_cert_fn each, void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_ATTEMPTED, &statement, "");
    return err == ERR_OK ? read_certs(store, statement, each, context) : err;
}

enum err store_each_denied(struct store *store, int64_t now_s, store_cert_fn each, void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_DENIED, &statement, "i", now_s);
    return err == ERR_OK ? read_certs(store, statement, each, context) : err;
}

static enum err count(struct store *store, sqlite3_stmt *statement, uint64_t *ret_count)
{
    enum err err = ERR_OK;
    if (store_next(store, statement, &err)) {
        *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    store_done(statement);
    return err;
}

enum err store_count_recent(struct store *store, const char *device, int64_t since_ms, uint64_t *ret_count)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_RECENT, &statement, "ti", device, since_ms);
    return err == ERR_OK ? count(store, statement, ret_count) : err;
}

enum err store_count_certs(struct store *store, uint64_t ret_counts[static CERT_STATES])
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CERT_STATES, &statement, "");
    if (err != ERR_OK) {
        return err;
    }
    memset(ret_counts, 0, CERT_STATES * sizeof(*ret_counts));
    while (store_next(store, statement, &err)) {
        int64_t state = sqlite3_column_int64(statement, 0);
        if (state >= 0 && state < CERT_STATES) {
            ret_counts[state] = (uint64_t)sqlite3_column_int64(statement, 1);
        }
    }
    store_done(statement);
    return err;
}

/* ---- authorities ---- */

enum err store_add_authority(struct store *store, const char *key_id, struct view der)
{
    return store_run(store, STMT_AUTHORITY_ADD, "tb", key_id, der.ptr, der.len);
}

enum err store_get_authority(struct store *store, const char *key_id, uint8_t der[static STORE_DER_MAX],
                             size_t *ret_len)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_AUTHORITY_GET, &statement, "t", key_id);
    if (err != ERR_OK) {
        return err;
    }
    if (!store_next(store, statement, &err)) {
        err = err == ERR_OK ? ERR_NOTFOUND : err;
    } else {
        size_t len = (size_t)sqlite3_column_bytes(statement, 0);
        err = len <= STORE_DER_MAX && store_blob(statement, 0, der, len) ? ERR_OK : damaged(store);
        *ret_len = len;
    }
    store_done(statement);
    return err;
}

/* ---- revocations under way ---- */

enum err store_add_revoking(struct store *store, const char *issuer, const char *serial, const char *device)
{
    return store_run(store, STMT_REVOKING_ADD, "ttt", issuer, serial, device);
}

enum err store_drop_revoking(struct store *store, const char *issuer, const char *serial)
{
    return store_run(store, STMT_REVOKING_DROP, "tt", issuer, serial);
}

enum err store_each_revoking(struct store *store, size_t limit,
                             enum err (*each)(void *context, const char *issuer, const char *serial,
                                              const char *device),
                             void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_REVOKING_ALL, &statement, "i", (int64_t)limit);
    if (err != ERR_OK) {
        return err;
    }
    while (store_next(store, statement, &err)) {
        const char *issuer, *serial, *device;
        err = sql_read_text(statement, 0, &issuer) && sql_read_text(statement, 1, &serial) &&
                      sql_read_text(statement, 2, &device)
                  ? each(context, issuer, serial, device)
                  : damaged(store);
    }
    store_done(statement);
    return err;
}

enum err store_count_revoking(struct store *store, uint64_t *ret_count)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_REVOKING_COUNT, &statement, "");
    return err == ERR_OK ? count(store, statement, ret_count) : err;
}
