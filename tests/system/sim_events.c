/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/sim_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct event *heap;
    size_t heap_len, heap_size;
    uint64_t random, order;
} sim;

void sim_events_start(uint64_t seed)
{
    for (size_t i = 0; i < sim.heap_len; i++) {
        free(sim.heap[i].message);
    }
    free(sim.heap);
    sim.heap = NULL;
    sim.heap_len = sim.heap_size = 0;
    sim.random = seed;
    sim.order = 0;
}

uint64_t sim_random(void)
{
    uint64_t z = sim.random += 0x9e3779b97f4a7c15u; /* splitmix64: the run repeats from its seed */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_between(uint64_t low, uint64_t high)
{
    return low + sim_random() % (high - low + 1);
}

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_schedule(uint64_t at, enum kind kind, uint32_t index, struct message *message)
{
    if (sim.heap_len == sim.heap_size) {
        sim.heap_size = sim.heap_size == 0 ? 4096 : sim.heap_size * 2;
        sim.heap = realloc(sim.heap, sim.heap_size * sizeof(*sim.heap));
        assert_non_null(sim.heap);
    }
    size_t hole = sim.heap_len++;
    const struct event event = {.at = at, .order = sim.order++, .kind = kind, .index = index, .message = message};
    while (hole > 0 && earlier(&event, &sim.heap[(hole - 1) / 2])) {
        sim.heap[hole] = sim.heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    sim.heap[hole] = event;
}

bool sim_next(uint64_t until, struct event *ret_event)
{
    if (sim.heap_len == 0 || sim.heap[0].at > until) {
        return false;
    }
    *ret_event = sim.heap[0];
    struct event last = sim.heap[--sim.heap_len];
    size_t hole = 0;
    for (size_t child = 1; child < sim.heap_len; child = 2 * hole + 1) {
        child += child + 1 < sim.heap_len && earlier(&sim.heap[child + 1], &sim.heap[child]);
        if (!earlier(&sim.heap[child], &last)) {
            break;
        }
        sim.heap[hole] = sim.heap[child];
        hole = child;
    }
    if (sim.heap_len > 0) {
        sim.heap[hole] = last;
    }
    return true;
}

struct message *sim_message(uint32_t agent, struct view body)
{
    struct message *message = calloc(1, sizeof(*message) + body.len);
    assert_non_null(message);
    message->agent = agent;
    message->len = body.len;
    memcpy(message->body, body.ptr, body.len);
    return message;
}

struct message *sim_copy(const struct message *message)
{
    struct message *copy = sim_message(message->agent, view_n(message->body, message->len));
    memcpy(copy, message, sizeof(*copy));
    return copy;
}
