/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * powerfs: a SQLite VFS over a file system in memory that knows what a power cut takes away. Each file has its live
 * bytes and its durable bytes; writes and truncations stay volatile until the file is synced, names stay volatile until
 * the folder is (SQLite's unix VFS does that with the first sync of a new journal or log, and in a delete that asks for
 * it). A step is a write, a truncation, a sync or a delete; a plan makes one step, or all from there on, fail.
 *
 * A failed sync follows Linux: the bytes stay readable, but a later sync does not make them durable unless they are
 * written again. One connection at a time, one thread.
 */
#include <stdbool.h>
#include <stdint.h>

#define POWERFS_NAME "powerfs"

enum powerfs_fault {
    POWERFS_NONE,
    POWERFS_CUT,       /* the power goes at the step: it and everything later fails, until powerfs_reboot */
    POWERFS_EIO,       /* the step fails once with EIO */
    POWERFS_FULL_ONCE, /* the step fails once with ENOSPC, if it is a write */
    POWERFS_FULL,      /* no write that grows a file succeeds from the step on */
    POWERFS_READONLY,  /* nothing can be changed from the step on (EROFS) */
};

/** What of the volatile bytes a reboot finds. */
enum powerfs_survival {
    POWERFS_LOSE_ALL,   /* only what was synced */
    POWERFS_KEEP_SOME,  /* each volatile write or not, in any order */
    POWERFS_TORN,       /* the writes up to one that is torn at a sector */
    POWERFS_KEEP_ALL,   /* all of it: the machine only lost its processes */
    POWERFS_SURVIVALS_, /* count */
};

struct powerfs;

/** Registers the VFS under POWERFS_NAME; aborts the test program when memory is short. */
struct powerfs *powerfs_new(uint64_t seed);
void powerfs_free(struct powerfs *fs);

/** The @p step-th step from now (1 = the next) fails as @p fault says. Replaces the plan before it. */
void powerfs_plan(struct powerfs *fs, enum powerfs_fault fault, uint64_t step);
/** Steps since the last plan. */
uint64_t powerfs_steps(const struct powerfs *fs);
/** The plan's fault has happened. */
bool powerfs_struck(const struct powerfs *fs);
/** Power back; every file must be closed. The plan is cleared. */
void powerfs_reboot(struct powerfs *fs, enum powerfs_survival survival);
/** Replaces the durable bytes at an offset of the file that ends in @p suffix: damage. */
void powerfs_damage(struct powerfs *fs, const char *suffix, uint64_t offset, const void *bytes, uint64_t len);
