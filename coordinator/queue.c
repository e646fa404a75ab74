/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/queue.h"

#include <stdlib.h>
#include <string.h>

void queue_deinit(struct queue *queue)
{
    free(queue->items);
    *queue = (struct queue){0};
}

enum err queue_reserve(struct queue *queue, size_t more)
{
    size_t size = queue->size == 0 ? 64 : queue->size;
    while (size - queue->len < more) {
        size *= 2;
    }
    if (size == queue->size) {
        return ERR_OK;
    }
    struct queue_item *items = malloc(size * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < queue->len; i++) {
        items[i] = queue->items[(queue->head + i) & (queue->size - 1)];
    }
    free(queue->items);
    queue->items = items;
    queue->size = size;
    queue->head = 0;
    return ERR_OK;
}

enum err queue_push(struct queue *queue, uint32_t value, uint64_t due_ms)
{
    if (queue_reserve(queue, 1) != ERR_OK) {
        return ERR_NOMEM;
    }
    queue->items[(queue->head + queue->len++) & (queue->size - 1)] =
        (struct queue_item){.due_ms = due_ms, .value = value};
    return ERR_OK;
}

bool queue_pop(struct queue *queue, uint32_t *ret_value)
{
    if (queue->len == 0) {
        return false;
    }
    *ret_value = queue->items[queue->head].value;
    queue->head = (queue->head + 1) & (queue->size - 1);
    queue->len--;
    return true;
}

const struct queue_item *queue_peek(const struct queue *queue)
{
    return queue->len == 0 ? NULL : &queue->items[queue->head];
}
