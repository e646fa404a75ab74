/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * loop_uv: the libuv side of the loop, for the modules of this room only.
 */
#include <uv.h>

#include "net/loop.h"

/** The libuv loop. Handles a module puts on it itself must be closed by that module before loop_free. */
uv_loop_t *loop_uv(struct loop *loop);

/** Our error for a libuv status (a negative errno or one of UV_EAI_*). */
enum err loop_uv_err(int status);
