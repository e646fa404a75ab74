/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/outbox.h"

#include <stdlib.h>

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){.first = NULL};
    outbox->last = &outbox->first;
}

void outgoing_free(struct outgoing *outgoing)
{
    strbuf_deinit(&outgoing->body);
    free(outgoing);
}

void outbox_deinit(struct outbox *outbox)
{
    for (struct outgoing *next; (next = outbox_take(outbox)) != NULL;) {
        outgoing_free(next);
    }
}

struct outgoing *outbox_add(struct outbox *outbox, const char *topic, size_t cap)
{
    struct outgoing *outgoing = calloc(1, sizeof(*outgoing));
    if (outgoing == NULL || view_copy(view_of(topic), outgoing->topic, sizeof(outgoing->topic)) != ERR_OK) {
        free(outgoing);
        return NULL;
    }
    outgoing->qos = 1;
    strbuf_init(&outgoing->body, cap);
    *outbox->last = outgoing;
    outbox->last = &outgoing->next;
    return outgoing;
}

struct outgoing *outbox_take(struct outbox *outbox)
{
    struct outgoing *first = outbox->first;
    if (first != NULL) {
        outbox->first = first->next;
        if (outbox->first == NULL) {
            outbox->last = &outbox->first;
        }
    }
    return first;
}
