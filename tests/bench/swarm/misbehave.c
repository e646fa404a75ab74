/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/misbehave.h"

#include <stdio.h>

#include "base/macros.h"

#define NOISE_MAX 2000

enum kind {
    TRUNCATED,
    NOISE,
    LONG_NAME,
    NUMBER_TOO_LARGE,
    NOT_A_NUMBER,
    TWICE,
    BAD_UTF8,
    DEEP,
    WRONG_SHARD,
    STRANGER,
    LOWER_PAIR
};

static const char *const bodies[] = {
    [TRUNCATED] = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":0,\"se",
    [NUMBER_TOO_LARGE] = "{\"v\":1,\"s\":\"on\",\"boot\":4294967296,\"conn\":0,\"seq\":1}",
    [NOT_A_NUMBER] = "{\"v\":1,\"s\":\"on\",\"boot\":NaN,\"conn\":0,\"seq\":1}",
    [TWICE] = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"boot\":2,\"conn\":0,\"seq\":1}",
    [BAD_UTF8] = "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":0,\"seq\":1,\"fw\":\"\xc3\x28\"}",
    [DEEP] = "{\"v\":1,\"x\":[[[[[[[[[[1]]]]]]]]]],\"s\":\"on\",\"boot\":1,\"conn\":0,\"seq\":1}",
    [LOWER_PAIR] =
        "{\"v\":1,\"s\":\"on\",\"boot\":0,\"conn\":0,\"seq\":0,\"ts\":0,\"tsq\":\"none\",\"ip4\":\"9.9.9.9\","
        "\"src\":\"interface\",\"why\":\"change\",\"agent\":\"swarm\",\"fw\":\"\",\"cfg\":\"\",\"caps\":[]}",
};

static void add_noise(struct fleet *fleet, struct strbuf *payload)
{
    size_t len = (size_t)(fleet_random(fleet) % NOISE_MAX) + 1;
    for (size_t i = 0; i < len; i++) {
        (void)strbuf_addc(payload, (char)(fleet_random(fleet) & 255)); /* the cap is larger */
    }
}

static void add_long_name(struct strbuf *payload)
{
    (void)strbuf_adds(payload,
                      "{\"v\":1,\"s\":\"on\",\"boot\":1,\"conn\":0,\"seq\":1,\"fw\":\""); /* sticky, as below */
    for (size_t i = 0; i < MQTT_PAYLOAD_MAX - 200u; i++) {
        (void)strbuf_addc(payload, 'x');
    }
    (void)strbuf_adds(payload, "\"}");
}

void misbehave(void *context, size_t device, char topic[static TOPIC_SIZE], struct strbuf *payload, bool *ret_retain)
{
    struct misbehaviour *misbehaviour = context;
    struct fleet *fleet = misbehaviour->fleet;
    enum kind kind = (enum kind)(fleet_random(fleet) % (LOWER_PAIR + 1));
    (void)fleet_topic(fleet, device, "state", topic);
    *ret_retain = false; /* the broker's copy stays the truth */
    switch (kind) {
    case NOISE:
        add_noise(fleet, payload);
        return;
    case LONG_NAME:
        add_long_name(payload);
        return;
    case WRONG_SHARD:
        (void)snprintf(topic, TOPIC_SIZE, TOPIC_ROOT "/up/%02x/%s%06zu/state",
                       (unsigned)(uint8_t)~fleet->devices[device].shard, fleet->prefix, device); /* fits */
        (void)strbuf_adds(payload, bodies[LOWER_PAIR]); /* the cap is larger, as below */
        return;
    case STRANGER:
        (void)!topic_build(TOPIC_UP_STATE, VIEW_LITERAL("nobody-knows-me"), topic); /* the id is valid */
        (void)strbuf_adds(payload, bodies[LOWER_PAIR]);
        return;
    case TRUNCATED:
    case NUMBER_TOO_LARGE:
    case NOT_A_NUMBER:
    case TWICE:
    case BAD_UTF8:
    case DEEP:
    case LOWER_PAIR:
    default:
        (void)strbuf_adds(payload, bodies[kind]);
        return;
    }
}
