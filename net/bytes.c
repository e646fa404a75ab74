/* SPDX-License-Identifier: Apache-2.0 */
#include "net/bytes.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_FIRST_SIZE 4096

void bytes_init(struct bytes *bytes, size_t max)
{
    assert(max > 0 && max < SIZE_MAX / 4);
    *bytes = (struct bytes){.max = max};
}

void bytes_deinit(struct bytes *bytes)
{
    free(bytes->ptr);
    *bytes = (struct bytes){.max = bytes->max};
}

enum err bytes_reserve(struct bytes *bytes, size_t more)
{
    if (more > bytes->max - bytes->len) {
        return ERR_LIMIT;
    }
    size_t need = bytes->len + more;
    if (bytes->head + need <= bytes->size) {
        return ERR_OK;
    }
    if (need > bytes->size) {
        size_t size = MIN(bytes->max, MAX(MAX(bytes->size * 2, need), (size_t)BYTES_FIRST_SIZE));
        char *ptr = realloc(bytes->ptr, size);
        if (ptr == NULL) {
            return ERR_NOMEM;
        }
        bytes->ptr = ptr;
        bytes->size = size;
    }
    if (bytes->head > 0) {
        memmove(bytes->ptr, bytes->ptr + bytes->head, bytes->len);
        bytes->head = 0;
    }
    return ERR_OK;
}

char *bytes_tail(struct bytes *bytes)
{
    return bytes->ptr + bytes->head + bytes->len;
}

void bytes_commit(struct bytes *bytes, size_t len)
{
    assert(bytes->head + bytes->len + len <= bytes->size);
    bytes->len += len;
}

void bytes_append(struct bytes *bytes, struct view data)
{
    assert(bytes->head + bytes->len + data.len <= bytes->size);
    if (data.len > 0) {
        memcpy(bytes_tail(bytes), data.ptr, data.len);
    }
    bytes->len += data.len;
}

void bytes_consume(struct bytes *bytes, size_t len)
{
    assert(len <= bytes->len);
    bytes->len -= len;
    bytes->head = bytes->len == 0 ? 0 : bytes->head + len;
}

struct view bytes_view(const struct bytes *bytes)
{
    return bytes->len == 0 ? (struct view){0} : view_n(bytes->ptr + bytes->head, bytes->len);
}
