/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/clients.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 256 /* doubled whenever there are as many clients as buckets */

static size_t bucket_of(const struct clients *clients, const void *key)
{
    uint64_t mixed =
        (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15U; /* Fibonacci hashing: allocator addresses are even */
    return (size_t)(mixed >> 32) & (clients->buckets_len - 1);
}

static enum err grow(struct clients *clients)
{
    size_t len = clients->buckets_len == 0 ? BUCKETS_FIRST : clients->buckets_len * 2;
    struct clients bigger = {
        .buckets = calloc(len, sizeof(struct client *)), .buckets_len = len, .count = clients->count};
    if (bigger.buckets == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < clients->buckets_len; i++) {
        struct client *next = NULL;
        for (struct client *client = clients->buckets[i]; client != NULL; client = next) {
            struct client **head = &bigger.buckets[bucket_of(&bigger, client->key)];
            next = client->next;
            client->next = *head;
            *head = client;
        }
    }
    free(clients->buckets);
    *clients = bigger;
    return ERR_OK;
}

struct client *clients_find(const struct clients *clients, const void *key)
{
    if (clients->buckets_len == 0) {
        return NULL;
    }
    struct client *client = clients->buckets[bucket_of(clients, key)];
    while (client != NULL && client->key != key) {
        client = client->next;
    }
    return client;
}

static void client_free(struct client *client)
{
    X509_free(client->certificate);
    free(client);
}

void clients_drop(struct clients *clients, const void *key)
{
    if (clients->buckets_len == 0) {
        return;
    }
    struct client **link = &clients->buckets[bucket_of(clients, key)];
    while (*link != NULL && (*link)->key != key) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        struct client *client = *link;
        *link = client->next;
        client_free(client);
        clients->count--;
    }
}

enum err clients_add(struct clients *clients, const void *key, X509 *certificate, struct client **ret_client)
{
    clients_drop(clients, key);
    if (clients->count == clients->buckets_len && grow(clients) != ERR_OK) {
        return ERR_NOMEM;
    }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    struct client **head = &clients->buckets[bucket_of(clients, key)];
    client->key = key;
    (void)X509_up_ref(certificate); /* fails for no valid object */
    client->certificate = certificate;
    client->next = *head;
    *head = client;
    clients->count++;
    *ret_client = client;
    return ERR_OK;
}

/** What mosquitto knows the session by. */
static const char *client_id(const struct client *client)
{
    return client->rights.attempt[0] != '\0' ? client->rights.attempt : client->rights.id;
}

static size_t holders(const struct clients *clients, const struct denied *denied, const void *except,
                      char (*ids)[DEVICE_ID_MAX + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < clients->buckets_len; i++) {
        for (const struct client *client = clients->buckets[i]; client != NULL; client = client->next) {
            if (client->key == except || client->rights.role == ROLE_NONE || !denied_has(denied, &client->ref)) {
                continue;
            }
            if (ids != NULL) {
                const char *id = client_id(client);
                memcpy(ids[len], id, strlen(id) + 1); /* DEVICE_ID_MAX at most */
            }
            len++;
        }
    }
    return len;
}

enum err clients_holding(const struct clients *clients, const struct denied *denied, const void *except,
                         char (**ret_ids)[DEVICE_ID_MAX + 1], size_t *ret_len)
{
    size_t len = holders(clients, denied, except, NULL);
    char(*ids)[DEVICE_ID_MAX + 1] = len > 0 ? calloc(len, sizeof(*ids)) : NULL;
    if (len > 0 && ids == NULL) {
        return ERR_NOMEM;
    }
    *ret_len = ids != NULL ? holders(clients, denied, except, ids) : 0;
    *ret_ids = ids;
    return ERR_OK;
}

void clients_deinit(struct clients *clients)
{
    for (size_t i = 0; i < clients->buckets_len; i++) {
        struct client *next = NULL;
        for (struct client *client = clients->buckets[i]; client != NULL; client = next) {
            next = client->next;
            client_free(client);
        }
    }
    free(clients->buckets);
    *clients = (struct clients){.buckets = NULL};
}
