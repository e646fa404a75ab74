/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * desk: the one who decides. Holds the store and the key of the device CA, is asked by devices (through two brokers),
 * by coordinators, by operators and by the clock, and answers with rows written and messages to be sent. Everything of
 * it runs on the worker thread, one call after the other; it has no clock and no socket. Calls that write stand between
 * desk_begin and desk_end: what they put into the outbox may be sent only when desk_end said ERR_OK.
 */
#include <stdint.h>

#include "base/jsonout.h"
#include "provisioner/awaited.h"
#include "provisioner/outbox.h"
#include "provisioner/settings.h"
#include "provisioner/store.h"
#include "provisioning/enrol_judge.h"

struct desk;

/** What counts time: `mono_ms` for rates, `wall_ms` for records and certificates. */
struct desk_time {
    uint64_t mono_ms;
    int64_t wall_ms;
};

/** @param settings, @param awaited borrowed. @return what the store and the authority's files return. */
enum err desk_new(const struct settings *settings, struct awaited *awaited, struct desk_time now,
                  struct desk **ret_desk, struct errinfo *info) MUST_CHECK;
void desk_free(struct desk *desk); /* NULL allowed */
/** Opens the authority anew: it may have been rotated. The old one stays when that fails. */
enum err desk_reopen(struct desk *desk, struct errinfo *info) MUST_CHECK;
/** From now on these; the old ones are not used any more. Store, brokers and sockets stay those of the start. */
void desk_set_settings(struct desk *desk, const struct settings *settings, struct desk_time now);
const struct settings *desk_settings(const struct desk *desk);

enum err desk_begin(struct desk *desk) MUST_CHECK;
enum err desk_end(struct desk *desk, enum err err) MUST_CHECK;
/** Words for what desk_end or a query returned. */
const struct errinfo *desk_error(const struct desk *desk);
struct store *desk_store(struct desk *desk);

/* ---- messages ---- */

struct desk_letter {
    bool core; /* which broker brought it */
    struct view topic, payload;
};
/** @return store errors only: what is wrong with a letter is answered or counted. */
enum err desk_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter,
                     struct outbox *outbox) MUST_CHECK;

struct desk_stats {
    uint64_t enrolments[ENROL_VERDICTS]; /* requests for a certificate, by verdict */
    uint64_t renewals[ENROL_VERDICTS];
    uint64_t malformed; /* letters that could not be read */
    uint64_t stale;     /* nonces too old */
    uint64_t confirmed, lapsed, revoked;
    uint64_t troubles;
    uint64_t told; /* devices told to coordinators */
};
struct desk_stats desk_stats(const struct desk *desk);

/* ---- the clock ---- */

/** Revokes what lapsed. Cheap when there is nothing. */
enum err desk_tick(struct desk *desk, struct desk_time now) MUST_CHECK;

struct desk_revocations {
    struct {
        char issuer[REG_KEY_ID_HEX + 1], serial[REG_SERIAL_HEX_MAX + 1], device[DEVICE_ID_MAX + 1];
    } items[20]; /* each is written to the authority's list by itself */
    size_t len;
};
/** The next revocations that are not through: enters them in the authority's list, and writes lists and deny file when
 * that changed anything. Outside of a transaction; may be repeated. @param ret_lists whether files were written.
 * @return what files return: nothing is lost, it is tried again. */
enum err desk_revoke_lists(struct desk *desk, struct desk_time now, struct desk_revocations *ret_revocations,
                           bool *ret_lists, struct errinfo *info) MUST_CHECK;
/** The lines for the core broker's plugin. */
enum err desk_revoke_lines(const struct desk_revocations *revocations, struct outbox *outbox) MUST_CHECK;
/** They are listed, and the broker (if there is one) has been told. */
enum err desk_revoke_done(struct desk *desk, const struct desk_revocations *revocations) MUST_CHECK;

/** Devices that changed after @p rev, at most FEED_PAGE, as messages. @param ret_rev of the last one in @p outbox, or
 * @p rev when there was none. */
enum err desk_feed(struct desk *desk, uint64_t rev, uint8_t first, uint8_t last, struct outbox *outbox,
                   uint64_t *ret_rev) MUST_CHECK;
enum err desk_told(struct desk *desk, uint64_t rev) MUST_CHECK;
/** What a coordinator asked for, by letter; false when nobody did. */
struct desk_ask {
    char kid[DEVICE_ID_MAX + 1];
    uint64_t rev, until; /* from, to (inclusive) */
    uint8_t first, last; /* shards */
};
bool desk_next_ask(struct desk *desk, struct desk_ask *ret_ask);
enum err desk_ask_done(struct desk *desk, const struct desk_ask *ask, struct outbox *outbox) MUST_CHECK;

/* ---- operators (control_*.c) ---- */

/** What an operator's call came to, besides ERR_OK: the HTTP status and words for a person. */
struct desk_reply {
    unsigned status; /* 200, 400, 403, 404, 409, ... */
    const char *id;  /* of the error; static storage; NULL when status is 200 */
    struct errinfo info;
};
/** Fills @p reply and returns ERR_STATE, so that the transaction is rolled back. */
enum err desk_refuse(struct desk_reply *reply, unsigned status, const char *id, const char *format, ...)
    PRINTF_LIKE(4, 5);

struct desk_caller {
    const char *actor; /* "uid:1000" */
    struct desk_time now;
    struct desk_reply *reply;
};

enum err desk_add_batch(struct desk *desk, const struct desk_caller *caller, struct view manifest,
                        struct jsonout *json) MUST_CHECK;
enum desk_batch_act { BATCH_CLOSE, BATCH_QUOTA, BATCH_DISABLE, BATCH_ENABLE };
enum err desk_change_batch(struct desk *desk, const struct desk_caller *caller, const char *id, enum desk_batch_act act,
                           uint64_t quota, struct jsonout *json) MUST_CHECK;
/** A piece of a station's ledger: its head line, then lines from any number on that follows what is known. All or
 * nothing. */
enum err desk_add_ledger(struct desk *desk, const struct desk_caller *caller, struct view text,
                         struct jsonout *json) MUST_CHECK;

struct desk_owner {
    const char *owner, *group, *site; /* NULL: not said */
    const char *code;                 /* of the label; NULL: the operator's word is enough */
    const char *reason;               /* for the history; NULL: not said */
};
enum desk_device_act {
    DEVICE_CLAIM,
    DEVICE_TRANSFER,
    DEVICE_UNDO,
    DEVICE_SUSPEND,
    DEVICE_RESUME,
    DEVICE_REVOKE,
    DEVICE_REKEY,
    DEVICE_SCRAP
};
#define DEVICE_ACTS (DEVICE_SCRAP + 1)
const char *desk_act_name(enum desk_device_act act); /* "claim", ..., "undo-transfer": static storage */
enum err desk_change_device(struct desk *desk, const struct desk_caller *caller, const char *id,
                            enum desk_device_act act, const struct desk_owner *owner, struct jsonout *json) MUST_CHECK;
/** "device,owner,group,site" lines, with or without such a header; device is an id or a serial number. All or nothing.
 */
enum err desk_orders(struct desk *desk, const struct desk_caller *caller, struct view csv,
                     struct jsonout *json) MUST_CHECK;
