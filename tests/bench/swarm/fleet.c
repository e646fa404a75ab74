/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/swarm/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "agent/report.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "mqtt/messages.h"

#define NETWORK    0x2d000000u /* 45.0.0.0/8 */
#define NUMBER_MAX 0x00ffffffu
#define STRIDE     7919u /* between generations: prime, so no two devices meet */

/* muster-agent's defaults (agent/report.h) */
#define REPEATS_COUNTED 16 /* the first pause doubled so often is beyond the longest one */

enum err fleet_init(struct fleet *fleet, size_t devices, const char *prefix, uint32_t first_boot, uint64_t seed,
                    const char *log_path)
{
    *fleet =
        (struct fleet){.len = devices, .prefix = prefix, .random = seed, .jitter = ~seed, .began_ns = clock_mono_ns()};
    fleet->devices = calloc(devices, sizeof(*fleet->devices));
    if (fleet->devices == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < devices; i++) {
        char id[DEVICE_ID_MAX + 1];
        fleet_id(fleet, i, id);
        if (!device_id_valid(view_of(id))) {
            return ERR_INVALID;
        }
        fleet->devices[i] =
            (struct fleet_device){.boot = first_boot, .number = (uint32_t)i + 1, .shard = topic_shard(view_of(id))};
    }
    fleet->log = log_path != NULL ? fopen(log_path, "we") : NULL;
    return log_path == NULL || fleet->log != NULL ? ERR_OK : ERR_IO;
}

void fleet_deinit(struct fleet *fleet)
{
    free(fleet->devices);
    fleet->devices = NULL;
    if (fleet->log != NULL) {
        (void)fclose(fleet->log); /* every command has flushed it and looked at ferror */
        fleet->log = NULL;
    }
}

void fleet_id(const struct fleet *fleet, size_t index, char ret_id[static DEVICE_ID_MAX + 1])
{
    (void)snprintf(ret_id, DEVICE_ID_MAX + 1, "%s%06zu", fleet->prefix, index); /* a cut id is refused at init */
}

bool fleet_find(const struct fleet *fleet, struct view id, size_t *ret_index)
{
    size_t prefix_len = strlen(fleet->prefix);
    size_t index = 0;
    if (id.len <= prefix_len || memcmp(id.ptr, fleet->prefix, prefix_len) != 0) {
        return false;
    }
    for (size_t i = prefix_len; i < id.len; i++) {
        if (id.ptr[i] < '0' || id.ptr[i] > '9' || index > fleet->len) {
            return false;
        }
        index = index * 10 + (size_t)(id.ptr[i] - '0');
    }
    *ret_index = index;
    return index < fleet->len;
}

struct view fleet_topic(const struct fleet *fleet, size_t index, const char *leaf, char ret_topic[static TOPIC_SIZE])
{
    int len = snprintf(ret_topic, TOPIC_SIZE, TOPIC_ROOT "/up/%02x/%s%06zu/%s", fleet->devices[index].shard,
                       fleet->prefix, index, leaf);
    return view_n(ret_topic, (size_t)MIN(len, MQTT_TOPIC_MAX));
}

/** splitmix64 (public domain, S. Vigna) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t fleet_random(struct fleet *fleet)
{
    return next_random(&fleet->random);
}

static void next_report(struct fleet_device *device)
{
    device->seq++;
    device->acked = device->reported = false;
    device->repeats = 0;
}

void fleet_renumber(struct fleet *fleet, size_t index)
{
    struct fleet_device *device = &fleet->devices[index];
    /* Every device moves by the same stride in a generation, so addresses stay distinct as long as all move; those of
     * single changes leave by whole fleets and meet nobody either. */
    uint32_t step = (uint32_t)fleet->len + STRIDE;
    device->number = (device->number + step) & NUMBER_MAX;
    next_report(device);
}

void fleet_reconnect(struct fleet *fleet, size_t index)
{
    fleet->devices[index].conn++;
    next_report(&fleet->devices[index]);
}

uint32_t fleet_address(const struct fleet_device *device)
{
    return NETWORK | device->number;
}

enum err fleet_state(const struct fleet *fleet, size_t index, const char *why, struct strbuf *out)
{
    const struct fleet_device *device = &fleet->devices[index];
    uint32_t address = fleet_address(device);
    static struct state_message message; /* large; its constant parts are set once */
    message.on = true;
    message.boot = device->boot;
    message.conn = device->conn;
    message.seq = device->seq;
    message.ts = clock_wall_ms();
    message.tsq = TIME_NTP;
    message.ip4 = (struct address_field){.presence = FIELD_SET, .ip = {.family = IP_V4}};
    for (unsigned i = 0; i < 4; i++) {
        message.ip4.ip.bytes[i] = (uint8_t)(address >> (24 - 8 * i));
    }
    (void)snprintf(message.src, sizeof(message.src), "interface");
    (void)snprintf(message.why, sizeof(message.why), "%s", why);
    (void)snprintf(message.agent, sizeof(message.agent), "swarm/" MUSTER_VERSION);
    return state_encode(&message, out);
}

enum err fleet_gone(const struct fleet *fleet, size_t index, struct strbuf *out)
{
    const struct gone_message message = {.boot = fleet->devices[index].boot, .conn = fleet->devices[index].conn};
    return gone_encode(&message, out);
}

void fleet_reported(struct fleet *fleet, size_t index, uint64_t now_ns)
{
    struct fleet_device *device = &fleet->devices[index];
    const struct report_timing timing = REPORT_TIMING_DEFAULT;
    device->repeats = (uint8_t)MIN(device->repeats + device->reported, REPEATS_COUNTED);
    uint64_t pause_ms = MIN(timing.repeat_first_ms << device->repeats, timing.repeat_max_ms);
    device->repeat_ns =
        now_ns + backoff_jitter(pause_ms, REPORT_REPEAT_PERCENT, next_random(&fleet->jitter)) * 1000000u;
    if (device->reported) {
        return;
    }
    device->reported = true;
    if (fleet->log != NULL) {
        uint32_t address = fleet_address(device);
        (void)fprintf(fleet->log, "%.6f %s%06zu %u %u %u.%u.%u.%u\n", (double)(now_ns - fleet->began_ns) / 1e9,
                      fleet->prefix, index, device->boot, device->seq, address >> 24, address >> 16 & 255,
                      address >> 8 & 255, address & 255); /* ferror is looked at after each command */
    }
}

static bool read_u32(const char **at, const char *end, const char *key, uint32_t *ret_value)
{
    const char *found = memmem(*at, (size_t)(end - *at), key, strlen(key));
    uint64_t value = 0;
    if (found == NULL) {
        return false;
    }
    for (found += strlen(key); found < end && *found >= '0' && *found <= '9' && value <= UINT32_MAX; found++) {
        value = value * 10 + (uint64_t)(*found - '0');
    }
    *at = found;
    *ret_value = (uint32_t)value;
    return value <= UINT32_MAX;
}

bool fleet_acknowledges(const struct fleet *fleet, size_t index, struct view body)
{
    const struct fleet_device *device = &fleet->devices[index];
    const char *at = memmem(body.ptr, body.len, "\"ack\":{", strlen("\"ack\":{"));
    const char *end = body.ptr + body.len;
    uint32_t boot = 0;
    uint32_t seq = 0;
    return at != NULL && read_u32(&at, end, "\"boot\":", &boot) && read_u32(&at, end, "\"seq\":", &seq) &&
           boot == device->boot && seq == device->seq;
}
