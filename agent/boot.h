/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * boot: the counter in flash that orders a device's lives. It rises once a process start and is written before the
 * first report, so (boot, seq) never goes backwards, whatever the wall clock does. The file is `boot` in the state
 * folder: one line "boot <n> <check>", replaced atomically, so a power cut leaves the old or the new number. Blocks on
 * the disk.
 */
#include <stdint.h>

#include "base/err.h"

enum boot_origin {
    BOOT_RAISED,  /* found, raised by one */
    BOOT_FRESH,   /* no file: a new or re-flashed device starts from 1 */
    BOOT_DAMAGED, /* a file that is not ours or fails its check: starts from 1; the coordinator's answer mends it */
};
const char *boot_origin_text(enum boot_origin origin);

struct boot_start {
    uint32_t boot; /* of this process, from 1; valid whatever boot_start returned */
    enum boot_origin origin;
};

/**
 * Reads, raises and persists the counter of @p state_dir.
 * @param ret_start written always: a device whose flash is full or read-only still reports, and the answer of the
 * coordinator to a pair it has seen (a lower one) raises the number again.
 * @return ERR_OK, or why the new number could not be stored: ERR_FULL, ERR_READONLY, ERR_DENIED, ERR_NOTFOUND (folder),
 * ERR_IO, ERR_LIMIT (path too long); ERR_RANGE: the counter stands at its end and stays there.
 */
enum err boot_raise(const char *state_dir, struct boot_start *ret_start) MUST_CHECK;

/** Stores @p boot durably. @return as boot_raise. */
enum err boot_store(const char *state_dir, uint32_t boot) MUST_CHECK;
