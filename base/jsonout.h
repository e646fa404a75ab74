/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * jsonout: JSON objects written field by field into a strbuf, whose sticky error is checked once at the end.
 */
#include "base/ip.h"
#include "base/strbuf.h"

struct jsonout {
    struct strbuf *out; /* borrowed */
    bool comma;         /* a member stands before */
};

void jsonout_open(struct jsonout *json, const char *key, char bracket); /* key NULL: an element or the root */
void jsonout_close(struct jsonout *json, char bracket);
void jsonout_text(struct jsonout *json, const char *key, struct view value);
void jsonout_u64(struct jsonout *json, const char *key, uint64_t value);
void jsonout_double(struct jsonout *json, const char *key, double value);
void jsonout_bool(struct jsonout *json, const char *key, bool value);
/** RFC 3339, or null for 0. */
void jsonout_time(struct jsonout *json, const char *key, int64_t wall_ms);
/** Address text, or null for none. */
void jsonout_ip(struct jsonout *json, const char *key, const struct ip *ip);
