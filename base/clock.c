/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define MS_PER_S        1000
#define NS_PER_MS       1000000
#define NS_PER_S        1000000000u
#define WALL_FLOOR_S    1767225600      /* 2026-01-01: no correct clock can be before this code was written */
#define RFC3339_LAST_MS 253402300799999 /* 9999-12-31T23:59:59.999Z */

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts;
    int rc = clock_gettime(id, &ts);
    assert(rc == 0); /* fails only for an unknown clock */
    (void)rc;
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

uint64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / NS_PER_MS;
}

int64_t clock_wall_ms(void)
{
    return (int64_t)(read_ns(CLOCK_REALTIME) / NS_PER_MS);
}

bool clock_wall_is_set(void)
{
    return clock_wall_ms() >= clock_wall_floor_ms();
}

int64_t clock_wall_floor_ms(void)
{
    return (int64_t)WALL_FLOOR_S * MS_PER_S;
}

void clock_rfc3339(int64_t wall_ms, char buffer[static CLOCK_RFC3339_SIZE])
{
    int64_t clamped = wall_ms < 0 ? 0 : wall_ms > RFC3339_LAST_MS ? RFC3339_LAST_MS : wall_ms;
    time_t seconds = (time_t)(clamped / MS_PER_S);
    struct tm tm;
    struct tm *ok = gmtime_r(&seconds, &tm);
    assert(ok != NULL); /* in range by the clamp */
    (void)ok;
    char text[64];
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(clamped % MS_PER_S));
    for (size_t i = 0; i < CLOCK_RFC3339_SIZE; i++) {
        buffer[i] = text[i];
    }
}
