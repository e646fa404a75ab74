/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ledger: what a factory station writes down, one JSON line an event, each with the digest of the line before it and
 * the station's signature: nobody can take a line out, put one in or change one afterwards without being seen. A file
 * is one station's part of one batch, so files of stations that were off line are read in any order.
 *
 *     {"v":1,"t":"head","n":0,"batch":"b1","station":"line-1","manifest":"<sha256>","key":"<base64>","ts":...,"sig":"..."}
 *     {"v":1,"t":"made","n":1,"prev":"<sha256>","serial":"A-1","id":"cam-a-1","key":"<base64>","oc":"<sha256>",...}
 *     {"v":1,"t":"tested","n":2,"prev":"<sha256>","serial":"A-1",...}     the device proved its key at the end of the
 * line
 *     {"v":1,"t":"void","n":3,"prev":"<sha256>","serial":"A-1","why":"...",...}      not a product: never to be
 * enrolled
 *
 * `sig` comes last: the station's signature over the bytes before `,"sig"`. This file is the text and the chain,
 * without a disk (provisioning/ledgerfile.h has that). Pure.
 */
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "provisioning/key.h"
#include "provisioning/limits.h"

enum ledger_event { LEDGER_HEAD, LEDGER_MADE, LEDGER_TESTED, LEDGER_VOID };
#define LEDGER_EVENTS (LEDGER_VOID + 1)
const char *ledger_event_name(enum ledger_event event); /* "head", ...; static storage */

struct ledger_line {
    enum ledger_event event;
    uint64_t n;                           /* 0 for the head, then one more each */
    int64_t ts;                           /* wall ms of the station, orders nothing */
    uint8_t prev[SHA256_SIZE];            /* not of a head */
    char batch[LEDGER_BATCH_MAX + 1];     /* head */
    char station[LEDGER_STATION_MAX + 1]; /* head */
    uint8_t manifest[SHA256_SIZE];        /* head: digest of the batch's manifest */
    char serial[LEDGER_SERIAL_MAX + 1];   /* all others */
    char id[IDENTITY_MAX + 1];            /* made */
    uint8_t key[KEY_POINT_SIZE];          /* head: the station's; made: the device's */
    uint8_t owner[SHA256_SIZE];           /* made: digest of the owner code (ownercode.h) */
    char why[LEDGER_WHY_MAX + 1];         /* void: for people; blank to tilde */
};

/** Where a chain stands: what the next line must fit. */
struct ledger_chain {
    bool begun;
    uint64_t next;             /* number of the next line */
    uint8_t last[SHA256_SIZE]; /* digest of the last line */
    struct ledger_line head;
};

/** Appends @p line with number, digest and signature, and a newline; moves the chain on.
 * @param station its key; the head carries its public half. @return ERR_STATE (a head twice, or none at first),
 * ERR_INVALID (a member), ERR_NOMEM, ERR_LIMIT, ERR_CRYPTO: the chain stands where it stood. */
enum err ledger_write(struct ledger_chain *chain, const struct ledger_line *line, struct key *station,
                      struct strbuf *out) MUST_CHECK;

/** Reads one line without its newline, judges that it is the chain's next, and moves the chain on.
 * @param info says what is wrong. @return ERR_PARSE, ERR_INVALID (a member), ERR_LIMIT (over LEDGER_LINE_MAX),
 * ERR_CONFLICT (number or digest: a line was taken out, put in or changed), ERR_AUTH (signature), ERR_NOMEM. */
enum err ledger_read(struct ledger_chain *chain, struct view text, struct ledger_line *ret_line,
                     struct errinfo *info) MUST_CHECK;

/** "[A-Za-z0-9._-]{1,LEDGER_SERIAL_MAX}": what a serial number may be made of. */
bool ledger_serial_valid(struct view serial);
