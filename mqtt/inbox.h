/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * inbox: the bounded way of a message from Paho's receive thread to the loop: copied there, drained here. What does not
 * fit is dropped and counted; nothing is lost by that, since who sent it repeats what is not answered.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mqtt/session.h"
#include "net/loop.h"

struct inbox;

struct inbox_message {
    struct view topic, payload; /* valid for the call */
    bool retained;
};
typedef void (*inbox_fn)(void *context, const struct inbox_message *message);

/** @p fn is called on the loop thread, once a message, in order of arrival. @param max messages that may wait. */
enum err inbox_new(struct loop *loop, size_t max, inbox_fn fn, void *context, struct inbox **ret_inbox) MUST_CHECK;
void inbox_free(struct inbox *inbox); /* after the session; NULL allowed */

/** Any thread; never blocks for longer than a copy. */
void inbox_put(struct inbox *inbox, const struct session_message *message);
uint64_t inbox_dropped(struct inbox *inbox);
