/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * store: what the provisioner knows, on disk: batches, devices, their certificates, and what happened to them, each
 * event chained to the one before by a digest. SQLite, each transaction on the disk when it ends. Rows in, rows out;
 * decides nothing. One thread; blocks on the disk.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "mqtt/limits.h"
#include "mqtt/messages_reg.h"
#include "provisioner/limits.h"
#include "provisioning/key.h"
#include "provisioning/ledger.h"
#include "provisioning/lifecycle.h"

#define STORE_SECRET_SIZE 32
#define STORE_DER_MAX     2046 /* what one answer can carry of one certificate */

struct store;

enum err store_open(const char *path, struct store **ret_store, struct errinfo *info) MUST_CHECK;
void store_close(struct store *store); /* NULL allowed */

/** A transaction. Everything that writes is called inside one. */
enum err store_begin(struct store *store) MUST_CHECK;
/** Commits when @p err is ERR_OK, else rolls back. @return @p err, or why the commit failed. */
enum err store_end(struct store *store, enum err err) MUST_CHECK;
/** Words for the last failure. Lives as long as the store. */
const struct errinfo *store_error(const struct store *store);

const char *store_uuid(const struct store *store);
const uint8_t *store_secret(const struct store *store); /* STORE_SECRET_SIZE random bytes, made with the file */
uint64_t store_rev(const struct store *store);          /* of the newest change of a device */
/** Up to which revision coordinators were told; kept loosely: a crash tells some twice. */
uint64_t store_told(const struct store *store);
enum err store_set_told(struct store *store, uint64_t rev) MUST_CHECK;

/* ---- batches and stations ---- */

struct batch_row {
    char id[LEDGER_BATCH_MAX + 1];
    uint8_t digest[SHA256_SIZE]; /* of the manifest */
    int64_t from_ms, to_ms;      /* wall */
    int64_t added_ms, closed_ms; /* wall; 0 = open */
    uint64_t activation_s;
    uint64_t quota;
    uint64_t used;    /* devices that have had a certificate */
    uint64_t devices; /* in the ledger */
    bool disabled;
};

/** @return ERR_EXISTS. */
enum err store_add_batch(struct store *store, const struct batch_row *batch, struct view manifest) MUST_CHECK;
/** @param ret_manifest appended; NULL allowed. @return ERR_NOTFOUND. */
enum err store_get_batch(struct store *store, const char *id, struct batch_row *ret_batch,
                         struct strbuf *ret_manifest) MUST_CHECK;
/** Changes quota, closed_ms and disabled. */
enum err store_set_batch(struct store *store, const struct batch_row *batch) MUST_CHECK;
enum err store_each_batch(struct store *store, const char *after, size_t limit,
                          enum err (*each)(void *context, const struct batch_row *batch), void *context) MUST_CHECK;

/** How far the ledger of one station was read. @return ERR_NOTFOUND. */
enum err store_get_chain(struct store *store, const char *batch, const char *station,
                         struct ledger_chain *ret_chain) MUST_CHECK;
enum err store_set_chain(struct store *store, const struct ledger_chain *chain) MUST_CHECK;
enum err store_each_chain(struct store *store, const char *batch,
                          enum err (*each)(void *context, const char *station, uint64_t lines),
                          void *context) MUST_CHECK;

/* ---- devices ---- */

struct device_row {
    char id[DEVICE_ID_MAX + 1];
    char serial[LEDGER_SERIAL_MAX + 1];
    char batch[LEDGER_BATCH_MAX + 1];
    uint8_t key[KEY_POINT_SIZE];
    uint8_t label[SHA256_SIZE]; /* digest of the owner code on its label */
    enum life life, held;
    char owner[OWNER_MAX + 1]; /* "" = nobody's yet */
    char group[MQTT_TEXT_MAX + 1], site[MQTT_TEXT_MAX + 1];
    char was_owner[OWNER_MAX + 1]; /* before the last transfer */
    char was_group[MQTT_TEXT_MAX + 1], was_site[MQTT_TEXT_MAX + 1];
    int64_t moved_ms; /* wall, of the last transfer; 0 = none, or undone */
    bool tested;      /* at the end of the line */
    bool had_one;     /* a certificate */
    int64_t made_ms, changed_ms;
    uint64_t rev;
};

/** @return ERR_EXISTS: id, serial or key is another's. Takes the next revision. */
enum err store_add_device(struct store *store, const struct device_row *device) MUST_CHECK;
/** Changes everything but id, serial, batch and key, and takes the next revision. */
enum err store_set_device(struct store *store, struct device_row *device) MUST_CHECK;
enum err store_get_device(struct store *store, const char *id, struct device_row *ret_device) MUST_CHECK;
enum err store_find_serial(struct store *store, const char *serial, struct device_row *ret_device) MUST_CHECK;

typedef enum err (*store_device_fn)(void *context, const struct device_row *device);
struct store_device_query {
    const char *after; /* id; "" = from the first */
    const char *match; /* pattern of ids, GLOB; NULL = all */
    int life;          /* -1 = all */
    size_t limit;
};
enum err store_each_device(struct store *store, const struct store_device_query *query, store_device_fn each,
                           void *context) MUST_CHECK;
/** Those that changed after @p rev, oldest change first. */
enum err store_each_changed(struct store *store, uint64_t rev, uint8_t first, uint8_t last, size_t limit,
                            store_device_fn each, void *context) MUST_CHECK;
enum err store_count_lives(struct store *store, uint64_t ret_counts[static LIVES]) MUST_CHECK;

/* ---- certificates ---- */

/** A certificate opens doors until it is REVOKED. */
enum cert_state { CERT_ISSUED, CERT_STORED, CERT_ATTEMPTED, CERT_ACTIVE, CERT_SUPERSEDED, CERT_REVOKED };
#define CERT_STATES (CERT_REVOKED + 1)
const char *cert_state_name(enum cert_state state); /* "issued", ...; static storage */

struct cert_row {
    char issuer[REG_KEY_ID_HEX + 1];
    char serial[REG_SERIAL_HEX_MAX + 1]; /* hexadecimal, without leading zeros */
    char device[DEVICE_ID_MAX + 1];
    uint8_t spki[SHA256_SIZE]; /* digest of the key's point */
    enum cert_state state;
    int64_t not_before_s, not_after_s; /* wall */
    int64_t renew_ms;                  /* when the device asks for the next */
    int64_t issued_ms;
    int64_t attempted_ms; /* first connection to the core broker; 0 = none */
    int64_t changed_ms;   /* of the state */
    uint8_t der[STORE_DER_MAX];
    size_t der_len;
};

enum err store_add_cert(struct store *store, const struct cert_row *cert) MUST_CHECK;
/** State, attempted_ms and changed_ms. */
enum err store_set_cert(struct store *store, const struct cert_row *cert) MUST_CHECK;
enum err store_get_cert(struct store *store, const char *issuer, const char *serial,
                        struct cert_row *ret_cert) MUST_CHECK;
/** The newest certificate that is not revoked for this key, whoever has it. @return ERR_NOTFOUND. */
enum err store_find_spki(struct store *store, const uint8_t spki[static SHA256_SIZE],
                         struct cert_row *ret_cert) MUST_CHECK;
typedef enum err (*store_cert_fn)(void *context, const struct cert_row *cert);
/** Newest first; @p live: without the revoked ones. @p each may change what it is given, but not add. */
enum err store_each_cert(struct store *store, const char *device, bool live, store_cert_fn each,
                         void *context) MUST_CHECK;
/** Whose time has come: attempted before @p attempted_ms; superseded before @p superseded_ms; issued or stored, of a
 * batch whose activation ended before @p now_ms. */
enum err store_each_lapsed(struct store *store, int64_t now_ms, int64_t attempted_ms, int64_t superseded_ms,
                           size_t limit, store_cert_fn each, void *context) MUST_CHECK;
enum err store_each_attempted(struct store *store, store_cert_fn each, void *context) MUST_CHECK;
enum err store_count_recent(struct store *store, const char *device, int64_t since_ms, uint64_t *ret_count) MUST_CHECK;
enum err store_count_certs(struct store *store, uint64_t ret_counts[static CERT_STATES]) MUST_CHECK;
/** The revoked ones that would still be valid, for a deny file. */
enum err store_each_denied(struct store *store, int64_t now_s, store_cert_fn each, void *context) MUST_CHECK;

/** The certificate of an authority that signed some of these, by key identifier. Adding it again is fine. */
enum err store_add_authority(struct store *store, const char *key_id, struct view der) MUST_CHECK;
enum err store_get_authority(struct store *store, const char *key_id, uint8_t der[static STORE_DER_MAX],
                             size_t *ret_len) MUST_CHECK;

/* ---- revocations under way: each is told to the broker and listed, in any number of tries ---- */

enum err store_add_revoking(struct store *store, const char *issuer, const char *serial, const char *device) MUST_CHECK;
enum err store_drop_revoking(struct store *store, const char *issuer, const char *serial) MUST_CHECK;
enum err store_each_revoking(struct store *store, size_t limit,
                             enum err (*each)(void *context, const char *issuer, const char *serial,
                                              const char *device),
                             void *context) MUST_CHECK;
enum err store_count_revoking(struct store *store, uint64_t *ret_count) MUST_CHECK;

/* ---- events ---- */

struct event_row {
    uint64_t n; /* from 1, without gaps */
    int64_t at_ms;
    const char *actor;         /* "uid:1000", "device", "clock", "svc-coord-1" */
    const char *act;           /* "issue", "claim", ... */
    const char *device;        /* id, or batch for acts on batches; never NULL */
    const char *detail;        /* for people */
    uint8_t hash[SHA256_SIZE]; /* of the event before and of this one */
};
/** Appends; n and hash are the store's. */
enum err store_add_event(struct store *store, const struct event_row *event) MUST_CHECK;
/** @param device "" = of all. */
enum err store_each_event(struct store *store, const char *device, uint64_t after, size_t limit,
                          enum err (*each)(void *context, const struct event_row *event), void *context) MUST_CHECK;
/** Digest of the event's text behind @p prev: what `hash` must be. */
void event_hash(const uint8_t prev[static SHA256_SIZE], const struct event_row *event,
                uint8_t ret_hash[static SHA256_SIZE]);
