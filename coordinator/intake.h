/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * intake: the bounded queue between Paho's receive thread and the loop: one ring of bytes, one producer, one consumer,
 * no lock. A message that does not fit is dropped and counted: states are retained at the broker, so the loader has
 * them replayed afterwards.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "coordinator/core.h"

struct intake;

enum err intake_new(size_t bytes, struct intake **ret_intake) MUST_CHECK;
void intake_free(struct intake *intake);

/** Producer: copies one message. @return ERR_LIMIT: no room, counted; the message is lost. */
enum err intake_push(struct intake *intake, const struct core_message *message) MUST_CHECK;
/** Consumer: the oldest message; its views live until the next call. false when empty. */
bool intake_pop(struct intake *intake, struct core_message *ret_message);
/** Messages that found no room since start. Any thread. */
uint64_t intake_overflows(const struct intake *intake);
size_t intake_used(const struct intake *intake); /* bytes */
