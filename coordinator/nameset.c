/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/nameset.h"

#include <stdlib.h>

#include "base/arena.h"

#define NAMESET_ARENA_MAX ((size_t)1 << 30)

struct slot {
    const char *name; /* NULL = free */
    uint64_t owner;
    uint32_t hash; /* upper half, spares most comparisons */
};

struct nameset {
    struct arena arena;
    struct slot *slots; /* a power of two, at most half full */
    size_t slots_len, used;
};

enum err nameset_new(struct nameset **ret_set)
{
    struct nameset *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&set->arena, NAMESET_ARENA_MAX);
    set->slots_len = 1024;
    set->slots = calloc(set->slots_len, sizeof(*set->slots));
    if (set->slots == NULL) {
        nameset_free(set);
        return ERR_NOMEM;
    }
    *ret_set = set;
    return ERR_OK;
}

void nameset_free(struct nameset *set)
{
    if (set != NULL) {
        arena_deinit(&set->arena);
        free(set->slots);
        free(set);
    }
}

static struct slot *find(const struct nameset *set, struct view name, uint64_t hash)
{
    size_t at = hash & (set->slots_len - 1);
    while (set->slots[at].name != NULL &&
           (set->slots[at].hash != (uint32_t)(hash >> 32) || !view_equals(name, set->slots[at].name))) {
        at = (at + 1) & (set->slots_len - 1);
    }
    return &set->slots[at];
}

static enum err grow(struct nameset *set)
{
    struct slot *old = set->slots;
    size_t old_len = set->slots_len;
    struct slot *slots = calloc(old_len * 2, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    set->slots = slots;
    set->slots_len = old_len * 2;
    for (size_t i = 0; i < old_len; i++) {
        if (old[i].name != NULL) {
            struct view name = view_of(old[i].name);
            *find(set, name, view_hash(name)) = old[i];
        }
    }
    free(old);
    return ERR_OK;
}

enum err nameset_add(struct nameset *set, struct view name, uint64_t owner, uint64_t *ret_owner)
{
    if ((set->used + 1) * 2 > set->slots_len) {
        enum err err = grow(set);
        if (err != ERR_OK) {
            return err;
        }
    }
    uint64_t hash = view_hash(name);
    struct slot *slot = find(set, name, hash);
    if (slot->name != NULL) {
        if (slot->owner == owner) {
            return ERR_OK;
        }
        *ret_owner = slot->owner;
        return ERR_EXISTS;
    }
    slot->name = arena_strdup(&set->arena, name);
    if (slot->name == NULL) {
        return ERR_NOMEM;
    }
    slot->owner = owner;
    slot->hash = (uint32_t)(hash >> 32);
    set->used++;
    return ERR_OK;
}

bool nameset_find(const struct nameset *set, struct view name, uint64_t *ret_owner)
{
    const struct slot *slot = find(set, name, view_hash(name));
    if (slot->name == NULL) {
        return false;
    }
    *ret_owner = slot->owner;
    return true;
}

enum err nameset_each(const struct nameset *set, enum err (*each)(void *context, const char *name, uint64_t owner),
                      void *context)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < set->slots_len && err == ERR_OK; i++) {
        if (set->slots[i].name != NULL) {
            err = each(context, set->slots[i].name, set->slots[i].owner);
        }
    }
    return err;
}
