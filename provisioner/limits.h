/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** Limits of the provisioner: every number on what comes from a broker, a file or an operator, with its reason. */

#define INBOX_MAX        8192 /* messages a broker that wait for the worker: a hall of cameras at once, 16 MiB */
#define BATCH_MAX        128  /* messages of one transaction: one fsync for all of them */
#define NONCE_LIFE_S     60   /* of an attempt: between hello and csr a device makes a key and a signature */
#define BUSY_RETRY_MAX_S 60   /* devices told to come later spread over at least a second and at most this */
#define QUOTA_RETRY_S    3600
#define CLOSED_RETRY_S   3600
#define REFUSED_RETRY_S  3600
#define DEVICE_CERTS_DAY 12 /* certificates of one device in a day: twice what its worst day takes */
#define SUPERSEDED_KEEP_MS                                                                                             \
    (INT64_C(24) * 3600 * 1000) /* an old certificate opens the door that long after a new one                         \
                                 */
#define UNDO_MS          (INT64_C(7) * 24 * 3600 * 1000) /* a transfer can be taken back */
#define TICK_MS          1000                            /* between two looks at what lapsed */
#define TICK_ROWS        200                             /* certificates handled in one of them */
#define FEED_PAGE        500                             /* devices told to a coordinator in one go */
#define FEED_ASKS_MAX    16                              /* coordinators that are being told at once */
#define AWAITED_MAX      65536                           /* devices whose first report is waited for */
#define OWNER_MAX        128
#define EVENT_DETAIL_MAX 256
#define ORDERS_MAX       10000 /* lines of one file of orders */
#define ENDPOINTS_MAX    8     /* what one answer to a device holds */
#define TRUST_MAX        6
#define ROOTS_MAX        4
