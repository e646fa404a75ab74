/* SPDX-License-Identifier: Apache-2.0 */
/* The group commit: one transaction a batch. */
#include "coordinator/store/sqlite_db.h"

#define AUDIT_PRUNED_PER_ROW 2 /* old rows dropped for each new one: a backlog shrinks, no commit grows long */

static enum err put_device(struct store *store, sqlite3_stmt *statement, const struct store_device *device,
                           struct errinfo *info)
{
    uint8_t prefix[17], ip4[RRSET_VALUES_MAX * 16], ip6[RRSET_VALUES_MAX * 16];
    uint8_t also6[ALSO6_MAX * SQLITE_ALSO6_SIZE];
    int rc = sql_bind_text(statement, 1, device->id);
    rc |= sqlite3_bind_int(statement, 2, device->shard);
    rc |= sqlite3_bind_int64(statement, 3, device->boot);
    rc |= sqlite3_bind_int64(statement, 4, device->conn);
    rc |= sqlite3_bind_int64(statement, 5, device->seq);
    rc |= sqlite3_bind_int64(statement, 6, (int64_t)device->content_hash); /* all 64 bits, as they are */
    rc |= sqlite_bind_ip(statement, 7, &device->observed);
    rc |= sqlite_bind_value(statement, 8, ip4, &device->ip4);
    rc |= sqlite_bind_value(statement, 9, ip6, &device->ip6);
    rc |= sqlite_bind_prefix(statement, 10, prefix, &device->prefix6);
    rc |= sqlite3_bind_int(statement, 11, device->presence);
    rc |= sqlite3_bind_int(statement, 12, device->flags);
    rc |= sqlite3_bind_int64(statement, 13, device->seen_ms);
    rc |= sqlite3_bind_int64(statement, 14, device->changed_ms);
    rc |= sqlite_bind_also6(statement, 15, also6, &device->also6);
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind a device", info)
                           : sqlite_db_run(store, statement, "write a device", info);
}

static enum err put_devices(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->devices_len; i++) {
        err = sqlite_db_statement(store, STMT_DEVICE_PUT, &statement, info);
        if (err == ERR_OK) {
            err = put_device(store, statement, &batch->devices[i], info);
        }
    }
    for (size_t i = 0; err == ERR_OK && i < batch->device_removals_len; i++) {
        err = sqlite_db_statement(store, STMT_DEVICE_DROP, &statement, info);
        if (err == ERR_OK) {
            (void)sql_bind_text(statement, 1, batch->device_removals[i]); /* a borrowed text cannot fail to bind */
            err = sqlite_db_run(store, statement, "remove a device", info);
        }
    }
    return err;
}

static int bind_key(sqlite3_stmt *statement, const struct sqlite_zone *zone, const char *name, enum rrtype type)
{
    int rc = sqlite3_bind_int64(statement, 1, zone->id);
    rc |= sql_bind_text(statement, 2, name);
    return rc | sqlite3_bind_int(statement, 3, (int)type);
}

/* What stands in the row of a want. */
struct standing {
    bool exists, same_owner, tombstone;
    uint64_t want_rev;
};

static enum err read_standing(struct store *store, const struct sqlite_zone *zone, struct store_want *want,
                              struct standing *ret_standing, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_WANT_GET, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = bind_key(statement, zone, want->name, want->type);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    *ret_standing = (struct standing){.exists = rc == SQLITE_ROW};
    if (rc == SQLITE_ROW) {
        const char *owner;
        bool read = sql_read_text(statement, 0, &owner);
        ret_standing->same_owner = owner == NULL || want->device == NULL
                                       ? owner == want->device
                                       : view_equal(view_of(owner), view_of(want->device));
        ret_standing->tombstone = sqlite3_column_int(statement, 1) != 0;
        ret_standing->want_rev = (uint64_t)sqlite3_column_int64(statement, 2);
        want->was_pending = sqlite3_column_int(statement, 4) != 0;
        want->have_rev = (uint64_t)sqlite3_column_int64(statement, 6);
        bool known; /* a tombstone's want is an empty one */
        if (!read || !sqlite_read_value(statement, 3, want->type, &want->have_known, &want->have) ||
            !sqlite_read_value(statement, 5, want->type, &known, &want->was)) {
            err = errinfo_set(info, sqlite_row_error(store), "store", 0, "cannot read the row of %s", want->name);
        }
    } else if (rc != SQLITE_DONE) {
        err = sqlite_db_error(store, rc, "read a record", info);
    }
    (void)sqlite3_reset(statement); /* repeats the code of the step */
    return err;
}

static enum err write_want(struct store *store, const struct sqlite_zone *zone, const struct store_want *want,
                           enum sqlite_statement which, struct errinfo *info)
{
    uint8_t value[RRSET_VALUES_MAX * 16];
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, which, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = bind_key(statement, zone, want->name, want->type);
    rc |= sql_bind_text(statement, 4, want->device);
    rc |= sqlite3_bind_int64(statement, 5, want->ttl);
    rc |= want->want_null ? sqlite3_bind_null(statement, 6) : sqlite_bind_value(statement, 6, value, &want->want);
    rc |= sqlite3_bind_int64(statement, 7, (int64_t)want->want_rev);
    rc |= sqlite3_bind_int64(statement, 8, want->now_ms);
    if (which == STMT_BOTH_ADD || which == STMT_BOTH_SET) {
        rc |= sqlite3_bind_int64(statement, 9, want->outcome->now_ms);
    }
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind a record", info)
                           : sqlite_db_run(store, statement, "write a record", info);
}

static enum err write_have(struct store *store, const struct sqlite_zone *zone, const struct store_have *have,
                           enum sqlite_statement which, struct errinfo *info);

/* A want whose outcome is known already: one row, one write. */
static enum err write_both(struct store *store, struct sqlite_zone *zone, const struct store_want *want,
                           const struct standing *standing, struct errinfo *info)
{
    enum err err = sqlite_zone_fence(store, zone, want->outcome->epoch, info);
    if (err != ERR_OK) {
        return err;
    }
    if (standing->exists && !standing->same_owner) { /* a tombstone taken over: rare */
        err = write_want(store, zone, want, STMT_WANT_TAKE, info);
        return err == ERR_OK ? write_have(store, zone, want->outcome, STMT_HAVE_SET, info) : err;
    }
    return write_want(store, zone, want, standing->exists ? STMT_BOTH_SET : STMT_BOTH_ADD, info);
}

static enum err put_want(struct store *store, struct store_want *want, struct errinfo *info)
{
    want->taken = want->have_known = want->was_pending = false;
    want->have = want->was = (struct rrset_value){0};
    want->have_rev = 0;
    if (want->want_rev > INT64_MAX) {
        return errinfo_set(info, ERR_RANGE, "store", 0, "the revision of %s is out of range", want->name);
    }
    struct sqlite_zone *zone;
    struct standing standing;
    enum err err = sqlite_zone_find(store, want->zone, true, &zone, info);
    if (err == ERR_OK) {
        err = read_standing(store, zone, want, &standing, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    want->taken = standing.exists && !standing.same_owner && !standing.tombstone;
    if (want->taken || (standing.exists && want->want_rev < standing.want_rev)) {
        return ERR_OK;
    }
    if (want->outcome != NULL) {
        return write_both(store, zone, want, &standing, info);
    }
    if (!standing.exists) {
        return write_want(store, zone, want, STMT_WANT_ADD, info);
    }
    return write_want(store, zone, want, standing.same_owner ? STMT_WANT_SET : STMT_WANT_TAKE, info);
}

static enum err put_wants(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    uint64_t last = store->last_rev;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->wants_len; i++) {
        err = put_want(store, &batch->wants[i], info);
        last = MAX(last, batch->wants[i].want_rev);
    }
    sqlite3_stmt *statement;
    if (err != ERR_OK || last == store->last_rev) {
        return err;
    }
    err = sqlite_db_statement(store, STMT_REV_SET, &statement, info);
    if (err == ERR_OK) {
        (void)sqlite3_bind_int64(statement, 1, (int64_t)last); /* a number cannot fail to bind */
        err = sqlite_db_run(store, statement, "write the last revision", info);
    }
    return err;
}

/* HAVE_SET, HAVE_FAILED and HAVE_FORGET share their parameter numbers; each uses some of them. */
static enum err write_have(struct store *store, const struct sqlite_zone *zone, const struct store_have *have,
                           enum sqlite_statement which, struct errinfo *info)
{
    uint8_t value[RRSET_VALUES_MAX * 16];
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, which, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = bind_key(statement, zone, have->name, have->type);
    rc |= sqlite3_bind_int64(statement, 5, (int64_t)have->have_rev);
    if (which != STMT_HAVE_FORGET) {
        rc |= sqlite3_bind_int64(statement, 6, have->attempts);
        rc |= sql_bind_text(statement, 7, have->error != NULL ? have->error : "");
        rc |= sqlite3_bind_int64(statement, 8, have->not_before_ms);
    }
    if (which == STMT_HAVE_SET) {
        rc |= sqlite_bind_value(statement, 4, value, &have->have);
        rc |= sqlite3_bind_int64(statement, 9, have->now_ms);
    }
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind an outcome", info)
                           : sqlite_db_run(store, statement, "write an outcome", info);
}

static enum err put_have(struct store *store, const struct store_have *have, struct errinfo *info)
{
    if (have->have_rev > INT64_MAX || have->epoch > INT64_MAX) {
        return errinfo_set(info, ERR_RANGE, "store", 0, "the revision or epoch of %s is out of range", have->name);
    }
    struct sqlite_zone *zone;
    enum err err = sqlite_zone_find(store, have->zone, false, &zone, info);
    if (err != ERR_OK || zone == NULL) { /* no such zone: no such record, nothing to settle */
        return err;
    }
    err = sqlite_zone_fence(store, zone, have->epoch, info);
    if (err != ERR_OK) {
        return err;
    }
    if (!have->applied) {
        return write_have(store, zone, have, STMT_HAVE_FAILED, info);
    }
    if (have->forget) {
        err = write_have(store, zone, have, STMT_HAVE_FORGET, info);
        if (err != ERR_OK || sqlite3_changes(store->db) > 0) {
            return err;
        }
    }
    return write_have(store, zone, have, STMT_HAVE_SET, info); /* wanted again meanwhile, or never forgotten */
}

static enum err put_haves(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->haves_len; i++) {
        if (!batch->haves[i].with_want) {
            err = put_have(store, &batch->haves[i], info);
        }
    }
    return err;
}

static enum err prune_audits(struct store *store, size_t added, int64_t now_ms, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = sqlite_db_statement(store, STMT_AUDIT_PRUNE, &statement, info);
    if (err != ERR_OK) {
        return err;
    }
    int rc = sqlite3_bind_int64(statement, 1, (int64_t)(added * AUDIT_PRUNED_PER_ROW));
    rc |= sqlite3_bind_int64(statement, 2, now_ms - store->audit_keep_ms);
    return rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind the age of the audit", info)
                           : sqlite_db_run(store, statement, "prune the audit", info);
}

static enum err put_audits(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    sqlite3_stmt *statement;
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->audits_len; i++) {
        const struct store_audit *audit = &batch->audits[i];
        err = sqlite_db_statement(store, STMT_AUDIT_ADD, &statement, info);
        if (err != ERR_OK) {
            break;
        }
        int rc = sqlite3_bind_int64(statement, 1, audit->at_ms);
        rc |= sql_bind_text(statement, 2, audit->event);
        rc |= sql_bind_text(statement, 3, audit->subject);
        rc |= sql_bind_text(statement, 4, audit->detail != NULL ? audit->detail : "");
        err = rc != SQLITE_OK ? sqlite_db_error(store, rc, "bind an audit line", info)
                              : sqlite_db_run(store, statement, "write an audit line", info);
    }
    if (err == ERR_OK && batch->audits_len > 0) {
        err = prune_audits(store, batch->audits_len, batch->audits[batch->audits_len - 1].at_ms, info);
    }
    return err;
}

enum err sqlite_commit(struct store *store, const struct store_batch *batch, struct errinfo *info)
{
    enum err err = sqlite_begin(store, info);
    if (err != ERR_OK) {
        return err;
    }
    err = put_devices(store, batch, info);
    if (err == ERR_OK) {
        err = put_wants(store, batch, info);
    }
    if (err == ERR_OK) {
        err = put_haves(store, batch, info);
    }
    if (err == ERR_OK) {
        err = sqlite_put_regs(store, batch, info);
    }
    if (err == ERR_OK) {
        err = put_audits(store, batch, info);
    }
    err = sqlite_end(store, err, info);
    if (err == ERR_OK) {
        for (size_t i = 0; i < batch->wants_len; i++) {
            store->last_rev = MAX(store->last_rev, batch->wants[i].want_rev);
        }
    }
    return err;
}
