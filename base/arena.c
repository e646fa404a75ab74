/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_SIZE 4096
#define ARENA_ALIGN      _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena, size_t cap)
{
    assert(cap < SIZE_MAX / 2); /* sums below never overflow */
    *arena = (struct arena){.cap = cap};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_deinit(struct arena *arena)
{
    free_blocks(arena->blocks);
    *arena = (struct arena){.cap = arena->cap};
}

void arena_reset(struct arena *arena)
{
    if (arena->blocks != NULL) {
        free_blocks(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->blocks->used = 0;
    }
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->cap) {
        return NULL;
    }
    size_t rounded = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (rounded > arena->cap - arena->used) {
        return NULL;
    }
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < rounded) {
        size_t block_size = MAX(rounded, (size_t)ARENA_BLOCK_SIZE);
        block = malloc(sizeof(*block) + block_size);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        block->size = block_size;
        block->used = 0;
        arena->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    memset(memory, 0, rounded);
    return memory;
}

char *arena_strdup(struct arena *arena, struct view text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}
