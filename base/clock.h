/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * clock: the only place that asks for time. Delays use the monotonic clock, wall time is for records and certificates.
 * Pure code never calls this: it is handed `now`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Milliseconds of CLOCK_MONOTONIC. Never steps, does not run while suspended. */
uint64_t clock_mono_ms(void);
/** Nanoseconds of CLOCK_MONOTONIC, for measurements. */
uint64_t clock_mono_ns(void);
/** Milliseconds of CLOCK_BOOTTIME: monotonic and running while suspended. */
uint64_t clock_boot_ms(void);
/** Milliseconds since 1970 of CLOCK_REALTIME. May step either way. */
int64_t clock_wall_ms(void);
/** False while the wall clock is before this build's floor (a device without a real-time clock before its first NTP
 * sync). */
bool clock_wall_is_set(void);
/** That floor: no correct wall clock can be before it. */
int64_t clock_wall_floor_ms(void);

#define CLOCK_RFC3339_SIZE 25 /* "2026-11-22T16:43:00.123Z" and its NUL */

/** RFC 3339 in UTC with milliseconds; years 1970 to 9999, clamped outside. */
void clock_rfc3339(int64_t wall_ms, char buffer[static CLOCK_RFC3339_SIZE]);
