/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * scarce: memory that ends at a chosen allocation. A program that uses it gets its malloc, calloc, realloc and free
 * from here, those of the libraries it is linked to included, on top of the C library's or the sanitizer's own.
 * Threading: arm and disarm from one thread; other threads are neither counted nor failed.
 */
#include <stdbool.h>
#include <stddef.h>

/** From now on the n-th allocation of this thread (0 = the next one) fails, once. */
void scarce_arm(unsigned long n);
/** The next allocation of at least so many bytes fails, once. */
void scarce_arm_large(size_t bytes);
/** Allocations succeed and are not counted until scarce_resume: around what is not under test. */
void scarce_pause(void);
void scarce_resume(void);
/** Ends it. @return true when an allocation was failed, false when there were not so many. */
bool scarce_disarm(void);
/** Live allocations of this thread since the program's start, whether armed or not: equal before and after a run that
 * leaks nothing. */
long scarce_live(void);

/** Calls @p run for n = 0, 1, ... with allocation n failing, until there are not so many; @p run arms and disarms and
 * returns what scarce_disarm said. Fails the cmocka test when a call leaves allocations behind.
 * @return how many allocations a run makes. */
unsigned long scarce_each(bool (*run)(void *context, unsigned long n), void *context);
