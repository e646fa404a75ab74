/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * macros: attributes and scope ownership, used by every room.
 *
 * CLEANUP(fn) runs `fn(&variable)` when the variable leaves its scope; TAKE(pointer) hands a pointer over and leaves
 * NULL behind, so an owning variable and its new owner never both free.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK                           __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define CLEANUP(fn)                          __attribute__((cleanup(fn)))
#define UNUSED                               __attribute__((unused))

#define TAKE(pointer)                                                                                                  \
    ({                                                                                                                 \
        __typeof__(pointer) *take_from_ = &(pointer);                                                                  \
        __typeof__(pointer) taken_ = *take_from_;                                                                      \
        *take_from_ = NULL;                                                                                            \
        taken_;                                                                                                        \
    })

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))

/** Defines `x_free_p`, the CLEANUP function of a heap type whose destructor is `x_free(struct x *)`. */
#define DEFINE_CLEANUP(type, free_fn)                                                                                  \
    static inline void free_fn##_p(type *pointer)                                                                      \
    {                                                                                                                  \
        free_fn(*pointer);                                                                                             \
    }
