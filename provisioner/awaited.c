/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/awaited.h"

#include <pthread.h>
#include <stdlib.h>

#include "provisioner/limits.h"

#define SLOTS ((size_t)2 * AWAITED_MAX) /* a power of two; half of it stays empty, so that searches end soon */

struct awaited {
    pthread_mutex_t lock; /* guards what follows */
    size_t len;
    uint64_t slots[SLOTS]; /* 0 = empty; linear probing */
};

enum err awaited_new(struct awaited **ret_awaited)
{
    struct awaited *awaited = calloc(1, sizeof(*awaited));
    if (awaited == NULL) {
        return ERR_NOMEM;
    }
    pthread_mutex_init(&awaited->lock, NULL);
    *ret_awaited = awaited;
    return ERR_OK;
}

void awaited_free(struct awaited *awaited)
{
    if (awaited != NULL) {
        pthread_mutex_destroy(&awaited->lock);
        free(awaited);
    }
}

static uint64_t hash_of(struct view id)
{
    uint64_t hash = view_hash(id);
    return hash != 0 ? hash : 1;
}

/** Where the hash is, or the empty slot where it would go. */
static size_t find(const struct awaited *awaited, uint64_t hash)
{
    size_t at = (size_t)hash & (SLOTS - 1);
    while (awaited->slots[at] != 0 && awaited->slots[at] != hash) {
        at = (at + 1) & (SLOTS - 1);
    }
    return at;
}

void awaited_add(struct awaited *awaited, struct view id)
{
    uint64_t hash = hash_of(id);
    pthread_mutex_lock(&awaited->lock);
    size_t at = find(awaited, hash);
    if (awaited->slots[at] == 0 && awaited->len < AWAITED_MAX) {
        awaited->slots[at] = hash;
        awaited->len++;
    }
    pthread_mutex_unlock(&awaited->lock);
}

/* What stood behind the hole may have been looking for it: it moves up, so that it is still found. */
static void close_hole(struct awaited *awaited, size_t hole)
{
    for (size_t at = (hole + 1) & (SLOTS - 1); awaited->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        size_t home = (size_t)awaited->slots[at] & (SLOTS - 1);
        if (((at - home) & (SLOTS - 1)) >= ((at - hole) & (SLOTS - 1))) {
            awaited->slots[hole] = awaited->slots[at];
            hole = at;
        }
    }
    awaited->slots[hole] = 0;
}

void awaited_drop(struct awaited *awaited, struct view id)
{
    pthread_mutex_lock(&awaited->lock);
    size_t at = find(awaited, hash_of(id));
    if (awaited->slots[at] != 0) {
        close_hole(awaited, at);
        awaited->len--;
    }
    pthread_mutex_unlock(&awaited->lock);
}

bool awaited_has(struct awaited *awaited, struct view id)
{
    pthread_mutex_lock(&awaited->lock);
    bool has = awaited->len > 0 && awaited->slots[find(awaited, hash_of(id))] != 0;
    pthread_mutex_unlock(&awaited->lock);
    return has;
}
