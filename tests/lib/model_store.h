/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** model_store: the SQLite store on a disk in memory whose power can go. Fails the cmocka test when it cannot be read.
 */
#include "coordinator/store/store.h"
#include "tests/lib/powerfs.h"

#define MODEL_ROWS_MAX 200

struct model_store_texts {
    char zone[DNSNAME_SIZE], name[DNSNAME_SIZE], device[64];
};

struct model_store {
    struct powerfs *fs;
    struct store *store;
    struct store_record rows[MODEL_ROWS_MAX]; /* last read; texts in `texts` */
    struct model_store_texts texts[MODEL_ROWS_MAX];
    size_t rows_len;
};

void model_store_open(struct model_store *store, uint64_t seed);
void model_store_close(struct model_store *store);
void model_store_read(struct model_store *store, const struct store_record_query *query);
/** The power goes and comes back, and the store is opened again. */
void model_store_cut(struct model_store *store, enum powerfs_survival survival);
