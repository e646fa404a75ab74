/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * loop_run: a loop of a test that must come to an end.
 */
#include "net/loop.h"

/** Runs until somebody stops the loop; the cmocka test fails when nobody has after 30 s. */
void loop_run_or_fail(struct loop *loop);
