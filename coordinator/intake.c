/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/intake.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Positions rise for ever; a record never wraps: what is left at the end of the ring is skipped with a filler. */
struct header {
    uint32_t size; /* of the record with its header, a multiple of 8 */
    uint16_t topic_len;
    uint16_t observed_len;
    uint32_t payload_len;
    uint8_t retained;
    uint8_t filler; /* skip to the start of the ring */
    uint16_t unused;
    uint64_t received_ms;
};

struct intake {
    uint8_t *bytes;
    size_t size;                        /* a power of two */
    size_t consumed;                    /* consumer's: bytes of the record last handed out */
    _Alignas(64) _Atomic uint64_t head; /* written by the consumer */
    _Alignas(64) _Atomic uint64_t tail; /* written by the producer */
    _Alignas(64) _Atomic uint64_t overflows;
};

enum err intake_new(size_t bytes, struct intake **ret_intake)
{
    assert((bytes & (bytes - 1)) == 0);
    struct intake *intake = aligned_alloc(64, (sizeof(*intake) + 63) & ~(size_t)63);
    if (intake == NULL) {
        return ERR_NOMEM;
    }
    memset(intake, 0, sizeof(*intake));
    intake->bytes = malloc(bytes);
    if (intake->bytes == NULL) {
        free(intake);
        return ERR_NOMEM;
    }
    intake->size = bytes;
    *ret_intake = intake;
    return ERR_OK;
}

void intake_free(struct intake *intake)
{
    if (intake != NULL) {
        free(intake->bytes);
        free(intake);
    }
}

enum err intake_push(struct intake *intake, const struct core_message *message)
{
    size_t text = message->topic.len + message->observed.len + message->payload.len;
    size_t need = (sizeof(struct header) + text + 7) & ~(size_t)7;
    uint64_t tail = atomic_load_explicit(&intake->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&intake->head, memory_order_acquire);
    size_t offset = tail & (intake->size - 1);
    size_t to_end = intake->size - offset;
    size_t skip = to_end < need ? to_end : 0;
    if (message->topic.len > UINT16_MAX || message->observed.len > UINT16_MAX ||
        need + skip > intake->size - (tail - head)) {
        atomic_fetch_add_explicit(&intake->overflows, 1, memory_order_relaxed);
        return ERR_LIMIT;
    }
    if (skip > 0) {
        if (skip >= sizeof(struct header)) {
            *(struct header *)(void *)(intake->bytes + offset) = (struct header){.size = (uint32_t)skip, .filler = 1};
        }
        tail += skip;
        offset = 0;
    }
    struct header *header = (struct header *)(void *)(intake->bytes + offset);
    *header = (struct header){.size = (uint32_t)need,
                              .topic_len = (uint16_t)message->topic.len,
                              .observed_len = (uint16_t)message->observed.len,
                              .payload_len = (uint32_t)message->payload.len,
                              .retained = message->retained,
                              .received_ms = message->received_ms};
    uint8_t *at = (uint8_t *)(header + 1);
    const struct view parts[] = {message->topic, message->observed, message->payload};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len > 0) {
            memcpy(at, parts[i].ptr, parts[i].len);
        }
        at += parts[i].len;
    }
    atomic_store_explicit(&intake->tail, tail + need, memory_order_release);
    return ERR_OK;
}

bool intake_pop(struct intake *intake, struct core_message *ret_message)
{
    uint64_t head = atomic_load_explicit(&intake->head, memory_order_relaxed) + intake->consumed;
    intake->consumed = 0;
    uint64_t tail = atomic_load_explicit(&intake->tail, memory_order_acquire);
    atomic_store_explicit(&intake->head, head, memory_order_release);
    if (head == tail) {
        return false;
    }
    size_t offset = head & (intake->size - 1);
    size_t to_end = intake->size - offset;
    const struct header *header = (const struct header *)(const void *)(intake->bytes + offset);
    if (to_end < sizeof(*header) || header->filler != 0) {
        head += to_end;
        atomic_store_explicit(&intake->head, head, memory_order_release);
        header = (const struct header *)(const void *)intake->bytes; /* a filler is only written in front of a record */
    }
    const char *at = (const char *)(header + 1);
    ret_message->topic = view_n(at, header->topic_len);
    ret_message->observed = view_n(at + header->topic_len, header->observed_len);
    ret_message->payload = view_n(at + header->topic_len + header->observed_len, header->payload_len);
    ret_message->retained = header->retained != 0;
    ret_message->received_ms = header->received_ms;
    intake->consumed = header->size;
    return true;
}

uint64_t intake_overflows(const struct intake *intake)
{
    return atomic_load_explicit(&intake->overflows, memory_order_relaxed);
}

size_t intake_used(const struct intake *intake)
{
    return (size_t)(atomic_load(&intake->tail) - atomic_load(&intake->head));
}
