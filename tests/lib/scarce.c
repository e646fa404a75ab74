/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/scarce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUNS_MAX 100000

#ifndef __has_feature
#define __has_feature(name) 0 /* clang's */
#endif

/* What lies below these definitions, which take the place of the public names in the whole program. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||               \
    __has_feature(thread_sanitizer)
#define BELOW(name) __interceptor_##name
#define COUNTS      false /* its strdup, for one, does not come by here; LeakSanitizer counts */
#else
#define BELOW(name) __libc_##name
#define COUNTS      true
#endif

/* The sanitizer's own start comes by here, before it can follow anybody. */
#define UNSEEN __attribute__((no_sanitize("address", "thread", "undefined")))

void *BELOW(malloc)(size_t size);
void *BELOW(calloc)(size_t count, size_t size);
void *BELOW(realloc)(void *memory, size_t size);
void BELOW(free)(void *memory);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
void free(void *memory);

static _Thread_local struct {
    bool armed, paused, reached;
    unsigned long left; /* allocations until the one that fails */
    size_t large;       /* smaller ones do not count */
    long live;
} scarce;

UNSEEN static bool must_fail(size_t size)
{
    if (!scarce.armed || scarce.paused || scarce.reached || size < scarce.large) {
        return false;
    }
    scarce.reached = scarce.left == 0;
    scarce.left -= scarce.left > 0;
    return scarce.reached;
}

UNSEEN static void *counted(void *memory)
{
    scarce.live += memory != NULL;
    return memory;
}

UNSEEN void *malloc(size_t size)
{
    return must_fail(size) ? NULL : counted(BELOW(malloc)(size));
}

UNSEEN void *calloc(size_t count, size_t size)
{
    return must_fail(count * size) ? NULL : counted(BELOW(calloc)(count, size));
}

UNSEEN void *realloc(void *memory, size_t size)
{
    if (must_fail(size)) {
        return NULL;
    }
    return memory == NULL ? counted(BELOW(realloc)(memory, size)) : BELOW(realloc)(memory, size);
}

UNSEEN void free(void *memory)
{
    scarce.live -= memory != NULL;
    BELOW(free)(memory);
}

void scarce_arm(unsigned long n)
{
    scarce.left = n;
    scarce.large = 0;
    scarce.reached = false;
    scarce.paused = false;
    scarce.armed = true;
}

void scarce_arm_large(size_t bytes)
{
    scarce_arm(0);
    scarce.large = bytes;
}

void scarce_pause(void)
{
    scarce.paused = true;
}

void scarce_resume(void)
{
    scarce.paused = false;
}

bool scarce_disarm(void)
{
    scarce.armed = false;
    return scarce.reached;
}

long scarce_live(void)
{
    return scarce.live;
}

unsigned long scarce_each(bool (*run)(void *context, unsigned long n), void *context)
{
    (void)run(context, RUNS_MAX); /* what libraries keep for good is allocated now */
    for (unsigned long n = 0; n < RUNS_MAX; n++) {
        long before = scarce_live();
        bool reached = run(context, n);
        if (COUNTS && scarce_live() != before) { /* once may be what a library keeps for good, twice is a leak */
            before = scarce_live();
            (void)run(context, n);
        }
        if (COUNTS && scarce_live() != before) {
            fail_msg("allocation %lu failed: %ld left behind", n, scarce_live() - before);
        }
        if (!reached) {
            return n;
        }
    }
    fail_msg("never enough memory");
    return 0;
}
