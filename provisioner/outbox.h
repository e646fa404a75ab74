/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** outbox: messages that were decided on the worker and are published by the loop once what they say is on the disk. A
 * value; one thread at a time. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "mqtt/topics.h"

struct outgoing {
    struct outgoing *next;
    bool core; /* or the broker for provisioning */
    uint8_t qos;
    uint32_t expiry_s; /* 0 = never */
    uint64_t cookie;   /* 0 = nobody asks whether it arrived */
    char topic[TOPIC_SIZE];
    struct strbuf body;
};

struct outbox {
    struct outgoing *first, **last;
};

void outbox_init(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox);
/** Adds a message with an empty body of at most @p cap bytes, QoS 1. @return NULL without memory. */
struct outgoing *outbox_add(struct outbox *outbox, const char *topic, size_t cap);
/** The oldest one, now the caller's (outgoing_free); NULL when there is none. */
struct outgoing *outbox_take(struct outbox *outbox);
void outgoing_free(struct outgoing *outgoing);
