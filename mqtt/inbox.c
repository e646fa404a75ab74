/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/limits.h"
#include "mqtt/messages_prov.h"

struct item {
    struct item *next;
    struct inbox_message message; /* views into text */
    char text[];
};

struct inbox {
    struct loop_wake *wake;
    size_t max;
    inbox_fn fn;
    void *context;
    pthread_mutex_t lock; /* guards what follows */
    struct item *first, **last;
    size_t len;
    uint64_t dropped;
};

static struct item *take_all(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    struct item *first = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    inbox->len = 0;
    pthread_mutex_unlock(&inbox->lock);
    return first;
}

static void drain(void *context)
{
    struct inbox *inbox = context;
    for (struct item *item = take_all(inbox), *next; item != NULL; item = next) {
        next = item->next;
        inbox->fn(inbox->context, &item->message);
        free(item);
    }
}

enum err inbox_new(struct loop *loop, size_t max, inbox_fn fn, void *context, struct inbox **ret_inbox)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        return ERR_NOMEM;
    }
    inbox->max = max;
    inbox->fn = fn;
    inbox->context = context;
    inbox->last = &inbox->first;
    pthread_mutex_init(&inbox->lock, NULL);
    enum err err = loop_wake_new(loop, drain, inbox, &inbox->wake);
    if (err != ERR_OK) {
        inbox_free(inbox);
        return err;
    }
    *ret_inbox = inbox;
    return ERR_OK;
}

void inbox_free(struct inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    if (inbox->wake != NULL) {
        loop_wake_free(inbox->wake);
    }
    for (struct item *item = inbox->first, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

static struct item *item_of(const struct session_message *message)
{
    if (message->topic.len > MQTT_TOPIC_MAX || message->payload.len > PROV_PAYLOAD_MAX) {
        return NULL;
    }
    struct item *item = malloc(sizeof(*item) + message->topic.len + message->payload.len);
    if (item == NULL) {
        return NULL;
    }
    char *payload = item->text + message->topic.len;
    if (message->topic.len > 0) {
        memcpy(item->text, message->topic.ptr, message->topic.len);
    }
    if (message->payload.len > 0) {
        memcpy(payload, message->payload.ptr, message->payload.len);
    }
    item->next = NULL;
    item->message = (struct inbox_message){.topic = view_n(item->text, message->topic.len),
                                           .payload = view_n(payload, message->payload.len),
                                           .retained = message->retained};
    return item;
}

void inbox_put(struct inbox *inbox, const struct session_message *message)
{
    struct item *item = item_of(message);
    pthread_mutex_lock(&inbox->lock);
    bool fits = item != NULL && inbox->len < inbox->max;
    if (fits) {
        *inbox->last = item;
        inbox->last = &item->next;
        inbox->len++;
    } else {
        inbox->dropped++;
    }
    pthread_mutex_unlock(&inbox->lock);
    if (fits) {
        loop_wake(inbox->wake);
    } else {
        free(item);
    }
}

uint64_t inbox_dropped(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    uint64_t dropped = inbox->dropped;
    pthread_mutex_unlock(&inbox->lock);
    return dropped;
}
