/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sources: the registry of agent/detect/source.h. A new source, "stun" say, is a file source_stun.c with the table
 * source_stun, its declaration here, the row `ROW(MUSTER_SOURCE_STUN, stun)` in sources.c, and in agent/CMakeLists.txt,
 * where it can be left out of a build, `muster_source(stun detect/source_stun.c)`.
 */
#include <stddef.h>

#include "agent/detect/source.h"

/** Type at @p index, NULL after the last. *ret_ops is NULL when this build left the type out. */
const char *source_type_at(size_t index, const struct source_ops **ret_ops);

/* The table of each source_<type>.c. Not defined in a build that left the source out: sources.c alone refers to them,
 * through its rows. */
extern const struct source_ops source_dns;
extern const struct source_ops source_exec;
extern const struct source_ops source_http;
extern const struct source_ops source_pcp;
extern const struct source_ops source_static;
extern const struct source_ops source_stun;
extern const struct source_ops source_upnp;
