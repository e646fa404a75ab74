/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, stations and devices. */
#include <string.h>

#include "mqtt/topics.h"
#include "provisioner/store_private.h"

static enum err damaged(struct store *store, const char *what)
{
    return errinfo_set(&store->info, ERR_CORRUPT, "store", 0, "a row of %s is damaged", what);
}

/* ---- batches ---- */

enum err store_add_batch(struct store *store, const struct batch_row *batch, struct view manifest)
{
    char text[MANIFEST_MAX + 1];
    enum err err = view_copy(manifest, text, sizeof(text));
    if (err != ERR_OK) {
        return errinfo_set(&store->info, err, "store", 0, "the manifest is too long");
    }
    return store_run(store, STMT_BATCH_ADD, "tbiiiiiiit", batch->id, batch->digest, sizeof(batch->digest),
                     batch->from_ms, batch->to_ms, batch->added_ms, batch->closed_ms, (int64_t)batch->activation_s,
                     (int64_t)batch->quota, (int64_t)batch->disabled, text);
}

static bool read_batch(sqlite3_stmt *statement, struct batch_row *row)
{
    *row = (struct batch_row){
        .from_ms = sqlite3_column_int64(statement, 2),
        .to_ms = sqlite3_column_int64(statement, 3),
        .added_ms = sqlite3_column_int64(statement, 4),
        .closed_ms = sqlite3_column_int64(statement, 5),
        .activation_s = (uint64_t)sqlite3_column_int64(statement, 6),
        .quota = (uint64_t)sqlite3_column_int64(statement, 7),
        .disabled = sqlite3_column_int64(statement, 8) != 0,
        .used = (uint64_t)sqlite3_column_int64(statement, 9),
        .devices = (uint64_t)sqlite3_column_int64(statement, 10),
    };
    return store_text(statement, 0, row->id, sizeof(row->id)) &&
           store_blob(statement, 1, row->digest, sizeof(row->digest));
}

enum err store_get_batch(struct store *store, const char *id, struct batch_row *ret_batch, struct strbuf *ret_manifest)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_BATCH_GET, &statement, "t", id);
    if (err != ERR_OK) {
        return err;
    }
    const char *manifest = NULL;
    if (!store_next(store, statement, &err)) {
        err = err == ERR_OK ? ERR_NOTFOUND : err;
    } else if (!read_batch(statement, ret_batch) || !sql_read_text(statement, 11, &manifest)) {
        err = damaged(store, "batches");
    } else if (ret_manifest != NULL) {
        err = strbuf_adds(ret_manifest, manifest);
    }
    store_done(statement);
    return err;
}

enum err store_set_batch(struct store *store, const struct batch_row *batch)
{
    return store_run(store, STMT_BATCH_SET, "tiii", batch->id, (int64_t)batch->quota, batch->closed_ms,
                     (int64_t)batch->disabled);
}

enum err store_each_batch(struct store *store, const char *after, size_t limit,
                          enum err (*each)(void *context, const struct batch_row *batch), void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_BATCH_ALL, &statement, "ti", after, (int64_t)limit);
    if (err != ERR_OK) {
        return err;
    }
    while (store_next(store, statement, &err)) {
        struct batch_row row;
        err = read_batch(statement, &row) ? each(context, &row) : damaged(store, "batches");
    }
    store_done(statement);
    return err;
}

/* ---- stations ---- */

enum err store_get_chain(struct store *store, const char *batch, const char *station, struct ledger_chain *ret_chain)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CHAIN_GET, &statement, "tt", batch, station);
    if (err != ERR_OK) {
        return err;
    }
    struct ledger_chain chain = {.begun = true, .head = {.event = LEDGER_HEAD}};
    if (!store_next(store, statement, &err)) {
        err = err == ERR_OK ? ERR_NOTFOUND : err;
    } else if (!store_blob(statement, 0, chain.head.key, sizeof(chain.head.key)) ||
               !store_blob(statement, 1, chain.head.manifest, sizeof(chain.head.manifest)) ||
               !store_blob(statement, 3, chain.last, sizeof(chain.last)) ||
               view_copy(view_of(batch), chain.head.batch, sizeof(chain.head.batch)) != ERR_OK ||
               view_copy(view_of(station), chain.head.station, sizeof(chain.head.station)) != ERR_OK) {
        err = damaged(store, "stations");
    } else {
        chain.next = (uint64_t)sqlite3_column_int64(statement, 2);
        *ret_chain = chain;
    }
    store_done(statement);
    return err;
}

enum err store_set_chain(struct store *store, const struct ledger_chain *chain)
{
    return store_run(store, STMT_CHAIN_SET, "ttbbib", chain->head.batch, chain->head.station, chain->head.key,
                     sizeof(chain->head.key), chain->head.manifest, sizeof(chain->head.manifest), (int64_t)chain->next,
                     chain->last, sizeof(chain->last));
}

enum err store_each_chain(struct store *store, const char *batch,
                          enum err (*each)(void *context, const char *station, uint64_t lines), void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_CHAIN_ALL, &statement, "t", batch);
    if (err != ERR_OK) {
        return err;
    }
    while (store_next(store, statement, &err)) {
        char name[LEDGER_STATION_MAX + 1];
        err = store_text(statement, 0, name, sizeof(name))
                  ? each(context, name, (uint64_t)sqlite3_column_int64(statement, 1))
                  : damaged(store, "stations");
    }
    store_done(statement);
    return err;
}

/* ---- devices ---- */

enum err store_add_device(struct store *store, const struct device_row *device)
{
    enum err err = store_run(store, STMT_DEVICE_ADD, "tttbbiittttttiiiiiii", device->id, device->serial, device->batch,
                             device->key, sizeof(device->key), device->label, sizeof(device->label),
                             (int64_t)device->life, (int64_t)device->held, device->owner, device->group, device->site,
                             device->was_owner, device->was_group, device->was_site, device->moved_ms,
                             (int64_t)device->tested, (int64_t)device->had_one, device->made_ms, device->changed_ms,
                             (int64_t)(store->rev + 1), (int64_t)topic_shard(view_of(device->id)));
    if (err == ERR_OK) {
        store->rev++;
    }
    return err;
}

enum err store_set_device(struct store *store, struct device_row *device)
{
    enum err err =
        store_run(store, STMT_DEVICE_SET, "tttbbiittttttiiiiii", device->id, device->serial, device->batch, device->key,
                  sizeof(device->key), device->label, sizeof(device->label), (int64_t)device->life,
                  (int64_t)device->held, device->owner, device->group, device->site, device->was_owner,
                  device->was_group, device->was_site, device->moved_ms, (int64_t)device->tested,
                  (int64_t)device->had_one, device->made_ms, device->changed_ms, (int64_t)(store->rev + 1));
    if (err == ERR_OK) {
        device->rev = ++store->rev;
    }
    return err;
}

static bool read_device(sqlite3_stmt *statement, struct device_row *row)
{
    int64_t life = sqlite3_column_int64(statement, 5), held = sqlite3_column_int64(statement, 6);
    *row = (struct device_row){
        .life = (enum life)life,
        .held = (enum life)held,
        .moved_ms = sqlite3_column_int64(statement, 13),
        .tested = sqlite3_column_int64(statement, 14) != 0,
        .had_one = sqlite3_column_int64(statement, 15) != 0,
        .made_ms = sqlite3_column_int64(statement, 16),
        .changed_ms = sqlite3_column_int64(statement, 17),
        .rev = (uint64_t)sqlite3_column_int64(statement, 18),
    };
    return life >= 0 && life < LIVES && held >= 0 && held < LIVES &&
           store_text(statement, 0, row->id, sizeof(row->id)) &&
           store_text(statement, 1, row->serial, sizeof(row->serial)) &&
           store_text(statement, 2, row->batch, sizeof(row->batch)) &&
           store_blob(statement, 3, row->key, sizeof(row->key)) &&
           store_blob(statement, 4, row->label, sizeof(row->label)) &&
           store_text(statement, 7, row->owner, sizeof(row->owner)) &&
           store_text(statement, 8, row->group, sizeof(row->group)) &&
           store_text(statement, 9, row->site, sizeof(row->site)) &&
           store_text(statement, 10, row->was_owner, sizeof(row->was_owner)) &&
           store_text(statement, 11, row->was_group, sizeof(row->was_group)) &&
           store_text(statement, 12, row->was_site, sizeof(row->was_site));
}

static enum err read_devices(struct store *store, sqlite3_stmt *statement, store_device_fn each, void *context)
{
    enum err err = ERR_OK;
    while (store_next(store, statement, &err)) {
        struct device_row row;
        err = read_device(statement, &row) ? each(context, &row) : damaged(store, "devices");
    }
    store_done(statement);
    return err;
}

static enum err take_device(void *context, const struct device_row *device)
{
    *(struct device_row *)context = *device;
    return ERR_OK;
}

static enum err one_device(struct store *store, enum store_statement which, const char *name,
                           struct device_row *ret_device)
{
    sqlite3_stmt *statement = NULL;
    struct device_row row = {.id = ""};
    enum err err = store_bind(store, which, &statement, "t", name);
    if (err == ERR_OK) {
        err = read_devices(store, statement, take_device, &row);
    }
    if (err == ERR_OK && row.id[0] == '\0') {
        return ERR_NOTFOUND;
    }
    if (err == ERR_OK) {
        *ret_device = row;
    }
    return err;
}

enum err store_get_device(struct store *store, const char *id, struct device_row *ret_device)
{
    return one_device(store, STMT_DEVICE_GET, id, ret_device);
}

enum err store_find_serial(struct store *store, const char *serial, struct device_row *ret_device)
{
    return one_device(store, STMT_DEVICE_SERIAL, serial, ret_device);
}

enum err store_each_device(struct store *store, const struct store_device_query *query, store_device_fn each,
                           void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_DEVICE_ALL, &statement, "ttii", query->after, query->match,
                              (int64_t)query->life, (int64_t)query->limit);
    return err == ERR_OK ? read_devices(store, statement, each, context) : err;
}

enum err store_each_changed(struct store *store, uint64_t rev, uint8_t first, uint8_t last, size_t limit,
                            store_device_fn each, void *context)
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_DEVICE_CHANGED, &statement, "iiii", (int64_t)rev, (int64_t)first,
                              (int64_t)last, (int64_t)limit);
    return err == ERR_OK ? read_devices(store, statement, each, context) : err;
}

enum err store_count_lives(struct store *store, uint64_t ret_counts[static LIVES])
{
    sqlite3_stmt *statement = NULL;
    enum err err = store_bind(store, STMT_DEVICE_LIVES, &statement, "");
    if (err != ERR_OK) {
        return err;
    }
    memset(ret_counts, 0, LIVES * sizeof(*ret_counts));
    while (store_next(store, statement, &err)) {
        int64_t life = sqlite3_column_int64(statement, 0);
        if (life >= 0 && life < LIVES) {
            ret_counts[life] = (uint64_t)sqlite3_column_int64(statement, 1);
        }
    }
    store_done(statement);
    return err;
}
