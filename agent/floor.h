/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * floor: the least that the time can be, for devices whose clock starts in 1970. The TLS library asks time(2), which is
 * ours in this process and never says less than the floor: so certificates are judged by a time that has passed for
 * certain, and every check of chain, name and dates stays what it is (docs/adr/0055-floor-clock.md).
 *
 *     floor = max(this version's year, the time saved in state_dir/clock, the newest signed time) + what passed since
 *
 * A signed time is one that somebody vouched for whose certificate was verified: `now` of a provisioner's answer, or
 * the day from which a server's certificate is valid. The latter is tried before it is believed: with floor_try the
 * next connection is judged by it, and only when that stands, chain, name, dates and all, is it kept.
 *
 * The floor only moves forward, and a clock that is ahead of it rules. Process-wide; any thread; floor_start,
 * floor_keep and floor_signed block on the disk and belong to one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** Whose time it is. */
enum floor_kind {
    FLOOR_CLOCK,  /* the machine's own: it is ahead of the floor */
    FLOOR_SAVED,  /* of this version or of an earlier run */
    FLOOR_SIGNED, /* vouched for in this run */
};

/** Reads what was saved. @param state_dir borrowed for the life of the process; a folder without a time in it, or a
 * file that is damaged, leaves this version's year. */
void floor_start(const char *state_dir);

/** Wall milliseconds since 1970, never below the floor. */
int64_t floor_now_ms(void);
enum floor_kind floor_kind(void);

/** The connection under way is judged as if it were this time, if that is ahead of floor_now_ms: until floor_keep or
 * floor_drop. @return it is ahead. */
bool floor_try(int64_t wall_s);
/** The connection stood: what was tried counts, and is saved. @return of the saving; it counts in either case. */
enum err floor_keep(void) MUST_CHECK;
/** It did not: what was tried is forgotten. */
void floor_drop(void);

/** Somebody whose signature was verified says that it is at least @p wall_s. @return of the saving. */
enum err floor_signed(int64_t wall_s) MUST_CHECK;
