/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonout.h"

#include "base/clock.h"

/* Errors stick in the buffer: every (void) below is checked by who sends it. */
static void begin(struct jsonout *json, const char *key)
{
    if (json->comma) {
        (void)strbuf_addc(json->out, ',');
    }
    json->comma = true;
    if (key != NULL) {
        (void)strbuf_add_json(json->out, view_of(key));
        (void)strbuf_addc(json->out, ':');
    }
}

void jsonout_open(struct jsonout *json, const char *key, char bracket)
{
    begin(json, key);
    (void)strbuf_addc(json->out, bracket);
    json->comma = false;
}

void jsonout_close(struct jsonout *json, char bracket)
{
    (void)strbuf_addc(json->out, bracket);
    json->comma = true;
}

void jsonout_text(struct jsonout *json, const char *key, struct view value)
{
    begin(json, key);
    (void)strbuf_add_json(json->out, value);
}

void jsonout_u64(struct jsonout *json, const char *key, uint64_t value)
{
    begin(json, key);
    (void)strbuf_addf(json->out, "%llu", (unsigned long long)value);
}

void jsonout_double(struct jsonout *json, const char *key, double value)
{
    begin(json, key);
    (void)strbuf_addf(json->out, "%.3f", value);
}

void jsonout_bool(struct jsonout *json, const char *key, bool value)
{
    begin(json, key);
    (void)strbuf_adds(json->out, value ? "true" : "false");
}

void jsonout_time(struct jsonout *json, const char *key, int64_t wall_ms)
{
    begin(json, key);
    if (wall_ms == 0) {
        (void)strbuf_adds(json->out, "null");
        return;
    }
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(wall_ms, text);
    (void)strbuf_addf(json->out, "\"%s\"", text);
}

void jsonout_ip(struct jsonout *json, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    begin(json, key);
    if (ip->family == IP_NONE) {
        (void)strbuf_adds(json->out, "null");
        return;
    }
    (void)ip_format(ip, text); /* length not needed */
    (void)strbuf_addf(json->out, "\"%s\"", text);
}
