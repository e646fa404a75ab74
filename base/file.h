/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * file: whole small files. A write is atomic and durable: temporary file in the same folder, fsync, rename, fsync of
 * the folder, so a power cut leaves the old or the new content and nothing between. Blocks on the disk.
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/view.h"

/** Reads all of @p path. @param cap most bytes. @param ret_data owned by the caller, free(); a NUL follows the last
 * byte.
 *  @return ERR_LIMIT (over cap), ERR_NOTFOUND, ERR_DENIED, ERR_IO, ERR_NOMEM. */
enum err file_read(const char *path, size_t cap, char **ret_data, size_t *ret_len) MUST_CHECK;

/** Replaces @p path atomically and durably. @param mode permission bits of the new file, set before any content is in
 * it.
 *  @return ERR_FULL, ERR_READONLY, ERR_DENIED, ERR_IO, ERR_NOTFOUND (folder); the old file is untouched then,
 *  unless it was the last fsync, of the folder, that failed. A symbolic link is replaced, not followed. */
enum err file_replace(const char *path, struct view content, mode_t mode) MUST_CHECK;

/** mkdir -p of the folder part of @p path, mode 0755 for what it makes. */
enum err file_make_parents(const char *path) MUST_CHECK;
