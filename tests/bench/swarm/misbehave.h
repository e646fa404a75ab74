/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** misbehave: messages that no device should send, each of a kind the coordinator must survive with a counter. */
#include "tests/bench/swarm/fleet.h"

struct misbehaviour {
    struct fleet *fleet; /* borrowed; its random generator chooses */
};

/** The `body` of a job (swarm.h). */
void misbehave(void *context, size_t device, char topic[static TOPIC_SIZE], struct strbuf *payload, bool *ret_retain);
