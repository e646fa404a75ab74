/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * store_suite: what every store must do, whatever database is below. Runs as a cmocka group.
 */
#include "coordinator/store/store.h"

struct store_backend {
    const struct store_ops *ops;
    /** Names an empty store for the next test; the suite opens it, more than once. */
    void (*fresh)(struct store_options *ret_options);
};

/** @return number of failed tests. */
int store_suite_run(const struct store_backend *backend);
