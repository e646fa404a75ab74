/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * resume: notices that the machine was suspended. CLOCK_BOOTTIME runs on during a suspend and CLOCK_MONOTONIC does not
 * (clock_gettime(2)); that their distance grew is the proof. What wakes the process to look costs nothing at rest: a
 * timerfd of CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET becomes readable when the wall clock jumps against the
 * monotonic one, and Linux counts the end of a suspend as such a jump (timerfd_resume in fs/timerfd.c, since 5.14;
 * before that the resume of hrtimers did the same). A step of the clock alone is no resume, for the distance stays. A
 * kernel that does not tell is caught by resume_check, which its owner calls whenever it is awake anyway. Threading:
 * loop thread.
 */
#include <stdint.h>

#include "net/loop.h"

#define RESUME_LEAST_MS 2000 /* shorter ones change no network, and reading two clocks takes a moment */

struct resume;
struct resume_options {
    /** @param slept_ms how long. From the loop or from resume_check. */
    void (*resumed)(void *context, uint64_t slept_ms);
    void *context;
};

/** @return ERR_NOMEM. Without a timerfd (a sandbox) it lives on resume_check alone. */
enum err resume_new(struct loop *loop, const struct resume_options *options, struct resume **ret_resume) MUST_CHECK;
void resume_free(struct resume *resume); /* NULL allowed */
void resume_check(struct resume *resume);
