/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** desk_private: what the desk's files share. */
#include "base/bucket.h"
#include "mqtt/messages_prov.h"
#include "provisioner/desk.h"
#include "provisioning/ca.h"
#include "provisioning/csr.h"
#include "provisioning/keyopen.h"

struct desk {
    const struct settings *settings; /* borrowed */
    struct awaited *awaited;         /* borrowed */
    struct store *store;             /* owned, and so on */
    int lock;
    struct key_rng *rng;
    struct ca *ca;
    struct key *signer;        /* the service certificate's */
    struct crypto_hmac *nonce; /* keyed with the store's secret */
    uint8_t decoy[KEY_POINT_SIZE];
    struct bucket bucket; /* of certificates */
    struct desk_ask asks[FEED_ASKS_MAX];
    size_t asks_len;
    struct desk_stats stats, stats_before; /* as of the transaction's begin */
    int64_t crl_ms;                        /* wall, of the last list; 0 = none yet */
    bool lists_due;                        /* a file could not be written */
    struct errinfo info;
};

/** One event, with the device or batch that it is about. */
enum err desk_event(struct desk *desk, int64_t now_ms, const char *actor, const char *act, const char *subject,
                    const char *format, ...) PRINTF_LIKE(6, 7) MUST_CHECK;

/* desk_certs.c */
/** A certificate for @p point, on disk with the transaction. Changes @p device. */
enum err desk_issue(struct desk *desk, struct desk_time now, struct device_row *device,
                    const uint8_t point[static KEY_POINT_SIZE], const char *why, struct cert_row *ret_cert) MUST_CHECK;
/** The certificate that the device has for this key and that is worth giving again. @return ERR_NOTFOUND. */
enum err desk_find_same(struct desk *desk, struct desk_time now, const struct device_row *device,
                        const uint8_t spki[static SHA256_SIZE], struct cert_row *ret_cert) MUST_CHECK;
enum err desk_revoke_cert(struct desk *desk, int64_t now_ms, struct cert_row *cert, const char *actor,
                          const char *why) MUST_CHECK;
/** All that are live. */
enum err desk_revoke_all(struct desk *desk, int64_t now_ms, const char *device, const char *actor,
                         const char *why) MUST_CHECK;
/** One move of the table, and the row. @return ERR_STATE: not from here. */
enum err desk_step(struct desk *desk, int64_t now_ms, struct device_row *device, enum life_step step) MUST_CHECK;

/* desk_enrol.c */
enum err desk_enrol_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter,
                           struct outbox *outbox) MUST_CHECK;
/** Whether the key of one of the device's live certificates, or its ledger's key, made the proof. */
enum err desk_proven(struct desk *desk, const struct device_row *device, const char *op, struct view nonce,
                     struct view csr, struct view signature, bool *ret_proven) MUST_CHECK;
/** Judges, makes or finds the certificate, and fills @p answer. */
enum err desk_decide(struct desk *desk, struct desk_time now, struct enrol_facts *facts, struct device_row *device,
                     struct view point, const char *why, struct prov_answer_message *answer,
                     uint64_t *counters) MUST_CHECK;
/** Signs the answer and puts it into the outbox. */
enum err desk_answer(struct desk *desk, const struct prov_answer_message *answer, bool core, const char *topic,
                     struct outbox *outbox) MUST_CHECK;

/* desk_core.c */
enum err desk_core_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter,
                          struct outbox *outbox) MUST_CHECK;
