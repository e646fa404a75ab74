/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * regtable: what the provisioner's ledger said of each device, beside the device table: 32 bytes a device once anything
 * was said, nothing before. An index is the device table's. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "coordinator/store/store.h"
#include "mqtt/messages_reg.h"

enum reg_flag {
    REG_OWNED = 1,
    REG_DUE = 2,     /* the records were not compared with this yet */
    REG_DIRTY = 4,   /* waits for a commit */
    REG_QUEUED = 8,  /* stands in the queue of dirty ones */
    REG_UNTOLD = 16, /* suspected, and the ledger does not say so yet */
};

struct reg_row {
    uint64_t rev;         /* 0 = the ledger said nothing, or a former one did */
    uint32_t group, site; /* regtable_text; 0 = "" */
    uint32_t detail;      /* of the suspicion */
    uint32_t suspect_s;   /* wall */
    uint8_t state;        /* enum reg_state; STORE_REG_UNTOLD = no ledger knows it */
    uint8_t suspect;      /* 0 = no, else 1 + enum suspect_kind */
    uint8_t flags;        /* enum reg_flag */
};

struct regtable;

enum err regtable_new(struct regtable **ret_table) MUST_CHECK;
void regtable_free(struct regtable *table); /* NULL allowed */

/** NULL: nothing was ever said of it. Valid until the next regtable_get. */
struct reg_row *regtable_find(const struct regtable *table, uint32_t device);
/** Finds or makes an untold row. @return ERR_NOMEM. */
enum err regtable_get(struct regtable *table, uint32_t device, struct reg_row **ret_row) MUST_CHECK;
/** Indices below this may have a row. */
uint32_t regtable_end(const struct regtable *table);

/** Keeps a text once. @return ERR_NOMEM. */
enum err regtable_keep(struct regtable *table, struct view text, uint32_t *ret_ref) MUST_CHECK;
/** NUL-terminated, valid as long as the table. */
const char *regtable_text(const struct regtable *table, uint32_t ref);
