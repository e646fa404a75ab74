/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * bundle: what a person sends to who helps him: a POSIX ustar archive, uncompressed, written here as it is 512 bytes of
 * header a file, and no program is started with root's rights for it. Never a key: only what is handed in goes in.
 * Pure.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define BUNDLE_MAX      (8 << 20)
#define BUNDLE_NAME_MAX 99

struct bundle_file {
    const char *name; /* 1 to BUNDLE_NAME_MAX bytes, in one folder */
    struct view content;
};

/** Appends the archive. @param mtime_s wall; below 0 counts as 0. @return ERR_INVALID (name), the buffer's error. */
enum err bundle_tar(const struct bundle_file *files, size_t len, int64_t mtime_s, struct strbuf *out) MUST_CHECK;

/** A text, the one of config_dump too, without what may be secret beyond the rows that say so: of a `command` the
 * program stays, its arguments go; of every URL what is behind '?' and what is before '@' go. Ends with a newline.
 * @return the buffer's error. */
enum err bundle_redact(struct view text, struct strbuf *out) MUST_CHECK;
