/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * store_script: a numbered workload and its oracle. Batch k (1, 2, ...) writes a device, a wanted value, the outcome of
 * batch k - 1, the ledger's word on the device with the position of its feed, and an audit line, so what a store holds
 * after any k batches follows from k alone.
 */
#include "coordinator/store/store.h"

#define SCRIPT_ZONE "cams.example.net"

/** Commits batch @p k; its outcome carries @p epoch. */
enum err script_commit(const struct store_ops *ops, struct store *store, uint64_t k, uint64_t epoch,
                       struct errinfo *info);

/** How many batches the store holds, by its last_rev; fails the test unless everything in it (devices, records, audit,
 * counts) is what exactly that many batches leave behind. */
uint64_t script_check(const struct store_ops *ops, struct store *store);
