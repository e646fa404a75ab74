/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pemfile: whether a file is one that TLS can be given, so that a config is refused when it is checked and not at the
 * first connection. Looks for the frame only: what stands in it is for the TLS library and the peer. Blocks on the
 * disk.
 */
#include "base/err.h"

/** @return ERR_NOTFOUND, ERR_DENIED, ERR_LIMIT (over PEM_BUNDLE_MAX), ERR_IO, ERR_PARSE (no PEM block in it), with
 * "path: what" in @p info. */
enum err pemfile_check(const char *path, struct errinfo *info) MUST_CHECK;
