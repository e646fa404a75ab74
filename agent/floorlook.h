/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * floorlook: the time from a broker's certificate, for a device that cannot connect since its clock is behind. After a
 * failure that may have to do with certificates it looks, beside the connection, from which day on the broker's is
 * valid, and has the next attempt judged by that (agent/floor.h: nothing is believed before that attempt stands). Loop
 * thread; a look is made by a worker of its own, once a minute at most, and none while connections stand.
 */
#include "base/config.h"
#include "base/err.h"
#include "net/loop.h"

struct floorlook;

struct floorlook_options {
    struct loop *loop;
    const struct config_strings *endpoints; /* "host:port"; borrowed for the life of the object */
    loop_fn ahead;                          /* the floor has moved: connect now */
    void *context;
};

enum err floorlook_new(const struct floorlook_options *options, struct floorlook **ret_look) MUST_CHECK;
void floorlook_free(struct floorlook *look); /* waits for a look under way, 15 s at most; NULL allowed */

/** An attempt failed with @p err. */
void floorlook_failed(struct floorlook *look, enum err err);
/** One stood. */
void floorlook_connected(void);
