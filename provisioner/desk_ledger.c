/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from the factory: manifests of batches, and the ledgers of its stations. */
#include <stdio.h>
#include <string.h>

#include "provisioner/desk_private.h"
#include "provisioning/manifest.h"

/* ---- batches ---- */

static void batch_json(struct jsonout *json, const struct batch_row *batch)
{
    jsonout_text(json, "batch", view_of(batch->id));
    jsonout_u64(json, "quota", batch->quota);
    jsonout_u64(json, "used", batch->used);
    jsonout_u64(json, "devices", batch->devices);
    jsonout_bool(json, "closed", batch->closed_ms != 0);
    jsonout_bool(json, "disabled", batch->disabled);
}

static void row_of(const struct manifest *manifest, struct view text, int64_t now_ms, struct batch_row *row)
{
    *row = (struct batch_row){
        .from_ms = manifest->from_ms,
        .to_ms = manifest->to_ms,
        .added_ms = now_ms,
        .activation_s = manifest->activation_s,
        .quota = manifest->quota,
    };
    (void)snprintf(row->id, sizeof(row->id), "%s", manifest->batch); /* of the same size */
    manifest_digest(text, row->digest);
}

enum err desk_add_batch(struct desk *desk, const struct desk_caller *caller, struct view manifest, struct jsonout *json)
{
    struct manifest parsed;
    struct batch_row row, old;
    struct errinfo info = {0};
    struct view text = view_trim(manifest);
    enum err err = manifest_read(text, desk->settings->factory, &parsed, &info);
    if (err != ERR_OK) {
        return desk_refuse(caller->reply, err == ERR_AUTH ? 403 : 400,
                           err == ERR_AUTH ? "not-the-factory" : "bad-manifest", "%s", info.text);
    }
    row_of(&parsed, text, caller->now.wall_ms, &row);
    err = store_get_batch(desk->store, row.id, &old, NULL);
    if (err == ERR_OK && memcmp(old.digest, row.digest, SHA256_SIZE) != 0) {
        return desk_refuse(caller->reply, 409, "batch-exists", "batch %s is there with another manifest", row.id);
    }
    bool added = err == ERR_NOTFOUND;
    if (added) {
        err = store_add_batch(desk->store, &row, text);
        old = row;
        if (err == ERR_OK) {
            err = desk_event(desk, caller->now.wall_ms, caller->actor, "add-batch", row.id, "model=%s count=%u",
                             parsed.model, parsed.count);
        }
    }
    if (err == ERR_OK) {
        batch_json(json, &old);
        jsonout_bool(json, "added", added);
    }
    return err;
}

static const struct {
    const char *name; /* of the event */
} BATCH_ACTS[] = {[BATCH_CLOSE] = {"close-batch"},
                  [BATCH_QUOTA] = {"set-quota"},
                  [BATCH_DISABLE] = {"disable-batch"},
                  [BATCH_ENABLE] = {"enable-batch"}};

enum err desk_change_batch(struct desk *desk, const struct desk_caller *caller, const char *id, enum desk_batch_act act,
                           uint64_t quota, struct jsonout *json)
{
    struct batch_row row;
    enum err err = store_get_batch(desk->store, id, &row, NULL);
    if (err == ERR_NOTFOUND) {
        return desk_refuse(caller->reply, 404, "no-such-batch", "no batch of this name");
    }
    if (err != ERR_OK) {
        return err;
    }
    struct batch_row before = row;
    if (act == BATCH_CLOSE && row.closed_ms == 0) {
        row.closed_ms = caller->now.wall_ms;
    } else if (act == BATCH_QUOTA) {
        row.quota = quota;
    } else if (act == BATCH_DISABLE || act == BATCH_ENABLE) {
        row.disabled = act == BATCH_DISABLE;
    }
    bool changed = row.closed_ms != before.closed_ms || row.quota != before.quota || row.disabled != before.disabled;
    if (changed) {
        err = store_set_batch(desk->store, &row);
        err = err == ERR_OK ? desk_event(desk, caller->now.wall_ms, caller->actor, BATCH_ACTS[act].name, row.id,
                                         "quota=%llu", (unsigned long long)row.quota)
                            : err;
    }
    if (err == ERR_OK) {
        batch_json(json, &row);
        jsonout_bool(json, "changed", changed);
    }
    return err;
}

/* ---- ledgers ---- */

struct import {
    struct desk *desk;
    const struct desk_caller *caller;
    struct manifest manifest;
    struct batch_row batch;
    struct ledger_chain chain;
    uint64_t before; /* number of the next line when this began */
    uint64_t line;   /* of the text, from 1 */
    uint64_t made, tested, voided, known;
};

static enum err bad_line(struct import *import, unsigned status, const char *id, const char *what)
{
    return desk_refuse(import->caller->reply, status, id, "line %llu: %s", (unsigned long long)import->line, what);
}

static enum err take_head(struct import *import, const struct ledger_line *head)
{
    if (memcmp(head->manifest, import->batch.digest, SHA256_SIZE) != 0) {
        return bad_line(import, 409, "other-manifest", "the ledger was begun with another manifest of this batch");
    }
    if (!manifest_has_station(&import->manifest, head->key)) {
        return bad_line(import, 403, "not-a-station", "the manifest does not name this station's key");
    }
    return ERR_OK;
}

static enum err take_made(struct import *import, const struct ledger_line *line)
{
    struct device_row device = {
        .life = LIFE_MADE, .held = LIFE_MADE, .made_ms = line->ts, .changed_ms = import->caller->now.wall_ms};
    char id[IDENTITY_MAX + 1];
    if (!manifest_has_serial(&import->manifest, view_of(line->serial)) ||
        manifest_device_id(&import->manifest, view_of(line->serial), id) != ERR_OK || strcmp(id, line->id) != 0) {
        return bad_line(import, 409, "not-of-batch", "the batch has no such serial number, or gives it another id");
    }
    if (import->batch.devices + import->made >= import->manifest.count) {
        return bad_line(import, 409, "too-many", "the batch has as many devices as its manifest says");
    }
    (void)snprintf(device.id, sizeof(device.id), "%s", line->id); /* all of the same sizes */
    (void)snprintf(device.serial, sizeof(device.serial), "%s", line->serial);
    (void)snprintf(device.batch, sizeof(device.batch), "%s", import->batch.id);
    memcpy(device.key, line->key, sizeof(device.key));
    memcpy(device.label, line->owner, sizeof(device.label));
    enum err err = store_add_device(import->desk->store, &device);
    if (err == ERR_EXISTS) {
        return bad_line(import, 409, "made-before", "another station made this serial number, id or key");
    }
    import->made++;
    return err;
}

static enum err take_known(struct import *import, const struct ledger_line *line)
{
    struct device_row device;
    enum err err = store_find_serial(import->desk->store, line->serial, &device);
    if (err == ERR_NOTFOUND || (err == ERR_OK && strcmp(device.batch, import->batch.id) != 0)) {
        return bad_line(import, 409, "never-made", "this serial number was not made in this batch");
    }
    if (err != ERR_OK) {
        return err;
    }
    int64_t now_ms = import->caller->now.wall_ms;
    if (line->event == LEDGER_TESTED) {
        device.tested = true;
        import->tested++;
        return store_set_device(import->desk->store, &device);
    }
    import->voided++;
    err = desk_revoke_all(import->desk, now_ms, device.id, import->caller->actor, "void");
    err = err == ERR_OK ? desk_step(import->desk, now_ms, &device, LIFE_SCRAP) : err;
    err = err == ERR_STATE ? ERR_OK : err; /* scrapped before */
    return err == ERR_OK ? desk_event(import->desk, now_ms, import->caller->actor, "void", device.id, "%s", line->why)
                         : err;
}

/* A line that was taken in before needs no signature: the digest of the newest such line covers all before it. */
static enum err pass_known(struct import *import, struct view text, uint64_t n)
{
    uint8_t digest[SHA256_SIZE];
    import->known++;
    if (n + 1 != import->chain.next) {
        return ERR_OK;
    }
    crypto_sha256(text, digest);
    return memcmp(digest, import->chain.last, SHA256_SIZE) == 0
               ? ERR_OK
               : bad_line(import, 409, "other-ledger", "not the line that was imported before: the ledger was changed");
}

/** The number in a line that may be known: `{"v":1,"t":"made","n":17,...`. */
static bool line_number(struct view text, uint64_t *ret_n)
{
    static const struct view mark = VIEW_LITERAL(",\"n\":");
    const char *at = memmem(text.ptr, text.len, mark.ptr, mark.len);
    if (at == NULL) {
        return false;
    }
    struct view rest = view_n(at + mark.len, text.len - (size_t)(at - text.ptr) - mark.len), number;
    return view_next(&rest, ',', &number) && view_to_u64(number, UINT64_C(1) << 53, ret_n) == ERR_OK;
}

static enum err take_line(struct import *import, struct view text)
{
    struct ledger_line line;
    struct errinfo info = {0};
    enum err err = ledger_read(&import->chain, text, &line, &info);
    if (err != ERR_OK) {
        return bad_line(import, err == ERR_AUTH ? 403 : 409, "bad-line", info.text);
    }
    switch (line.event) {
    case LEDGER_HEAD:
        return take_head(import, &line);
    case LEDGER_MADE:
        return take_made(import, &line);
    default:
        return take_known(import, &line);
    }
}

static enum err begin(struct import *import, const struct ledger_line *head)
{
    struct strbuf text;
    strbuf_init(&text, MANIFEST_MAX);
    enum err err = store_get_batch(import->desk->store, head->batch, &import->batch, &text);
    if (err == ERR_NOTFOUND) {
        err = desk_refuse(import->caller->reply, 404, "no-such-batch", "no batch of this name; add its manifest first");
    } else if (err == ERR_OK) {
        err = manifest_read(strbuf_view(&text), NULL, &import->manifest, &import->caller->reply->info);
    }
    strbuf_deinit(&text);
    if (err == ERR_OK) {
        err = store_get_chain(import->desk->store, head->batch, head->station, &import->chain);
        import->before = import->chain.next;
        if (err == ERR_OK && memcmp(import->chain.head.key, head->key, KEY_POINT_SIZE) != 0) {
            err = bad_line(import, 409, "other-ledger", "this station began its ledger with another key");
        }
        err = err == ERR_NOTFOUND ? ERR_OK : err;
    }
    return err;
}

/* Every piece of a ledger begins with its head, which says what the rest is about. */
static enum err take_first(struct import *import, struct view text)
{
    struct ledger_chain fresh = {.begun = false};
    struct ledger_line head;
    struct errinfo info = {0};
    import->line = 1;
    enum err err = ledger_read(&fresh, text, &head, &info);
    if (err != ERR_OK) {
        return bad_line(import, err == ERR_AUTH ? 403 : 400, "bad-line", info.text);
    }
    err = begin(import, &head);
    if (err != ERR_OK) {
        return err;
    }
    if (!import->chain.begun) {
        import->chain = fresh;
    } else {
        memcpy(&import->chain.head, &head, sizeof(head));
    }
    return take_head(import, &head);
}

static enum err take_text(struct import *import, struct view text)
{
    struct view line = {0};
    (void)view_next(&text, '\n', &line); /* an empty text has an empty first line: no head */
    enum err err = take_first(import, line);
    while (err == ERR_OK && view_next(&text, '\n', &line)) {
        uint64_t n = 0;
        import->line++;
        if (line.len == 0 && text.len == 0) {
            break; /* behind the last end of line */
        }
        bool known = line_number(line, &n) && n < import->chain.next;
        err = known ? pass_known(import, line, n) : take_line(import, line);
    }
    return err;
}

enum err desk_add_ledger(struct desk *desk, const struct desk_caller *caller, struct view text, struct jsonout *json)
{
    struct import import = {.desk = desk, .caller = caller};
    enum err err = take_text(&import, text);
    const struct ledger_line *head = &import.chain.head;
    if (err == ERR_OK && import.chain.next != import.before) {
        err = store_set_chain(desk->store, &import.chain);
        err = err == ERR_OK ? desk_event(desk, caller->now.wall_ms, caller->actor, "import-ledger", head->batch,
                                         "station=%s lines=%llu made=%llu", head->station,
                                         (unsigned long long)import.chain.next, (unsigned long long)import.made)
                            : err;
    }
    if (err == ERR_OK) {
        jsonout_text(json, "batch", view_of(head->batch));
        jsonout_text(json, "station", view_of(head->station));
        jsonout_u64(json, "lines", import.line);
        jsonout_u64(json, "added", import.chain.next - import.before);
        jsonout_u64(json, "duplicates", import.known);
        jsonout_u64(json, "made", import.made);
        jsonout_u64(json, "tested", import.tested);
        jsonout_u64(json, "void", import.voided);
        jsonout_u64(json, "n", import.chain.next - 1);
    }
    return err;
}
