/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector-judge: what the codecs say of the files named: "valid PATH" or "invalid PATH". The body's kind is the name of
 * the folder two above the file. A valid text must also survive a round trip: decode, encode, decode, encode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "mqtt/messages.h"
#include "mqtt/messages_prov.h"
#include "mqtt/messages_reg.h"

#define SIZE_MAX_BYTES (64 * 1024)

/* A judge of one body; the second encoding must equal the first. */
#define JUDGE(name)                                                                                                    \
    static bool judge_##name(struct view text, bool *ret_stable)                                                       \
    {                                                                                                                  \
        static struct name##_message first, second;                                                                    \
        struct strbuf once, twice;                                                                                     \
        struct errinfo info;                                                                                           \
        if (name##_decode(text, &first, &info) != ERR_OK) {                                                            \
            return false;                                                                                              \
        }                                                                                                              \
        strbuf_init(&once, SIZE_MAX_BYTES);                                                                            \
        strbuf_init(&twice, SIZE_MAX_BYTES);                                                                           \
        enum err err = name##_encode(&first, &once);                                                                   \
        if (err == ERR_LIMIT) { /* legal in pieces, too long as written by us */                                       \
            *ret_stable = true;                                                                                        \
        } else {                                                                                                       \
            *ret_stable = err == ERR_OK && name##_decode(strbuf_view(&once), &second, &info) == ERR_OK &&              \
                          name##_encode(&second, &twice) == ERR_OK &&                                                  \
                          view_equal(strbuf_view(&once), strbuf_view(&twice));                                         \
        }                                                                                                              \
        strbuf_deinit(&once);                                                                                          \
        strbuf_deinit(&twice);                                                                                         \
        return true;                                                                                                   \
    }

JUDGE(state)
JUDGE(gone)
JUDGE(dns)
JUDGE(summary)
JUDGE(feed)
JUDGE(coord)
JUDGE(sync)
JUDGE(prov_request)
JUDGE(prov_answer)
JUDGE(envelope)
JUDGE(renewal)
JUDGE(seen)
JUDGE(reg)
JUDGE(regask)
JUDGE(regdone)
JUDGE(suspect)

static const struct {
    const char *name;
    bool (*judge)(struct view text, bool *ret_stable);
} BODIES[] = {
    {"state", judge_state},
    {"gone", judge_gone},
    {"dns", judge_dns},
    {"summary", judge_summary},
    {"feed", judge_feed},
    {"coord", judge_coord},
    {"sync", judge_sync},
    {"prov-request", judge_prov_request},
    {"prov-answer", judge_prov_answer},
    {"envelope", judge_envelope},
    {"renewal", judge_renewal},
    {"seen", judge_seen},
    {"reg", judge_reg},
    {"regask", judge_regask},
    {"regdone", judge_regdone},
    {"suspect", judge_suspect},
};

/* ".../<body>/<verdict>/<file>". */
static bool body_of(const char *path, struct view *ret_body)
{
    struct view rest = view_of(path);
    struct view part;
    struct view last[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    while (view_next(&rest, '/', &part)) {
        last[0] = last[1];
        last[1] = last[2];
        last[2] = part;
    }
    *ret_body = last[0];
    return last[0].len > 0;
}

/* @return false when the file cannot be judged or a round trip changed it. */
static bool judge_file(const char *path)
{
    struct view body;
    char *bytes = NULL;
    size_t len = 0;
    if (!body_of(path, &body) || file_read(path, SIZE_MAX_BYTES, &bytes, &len) != ERR_OK) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        return false;
    }
    bool known = false;
    bool stable = true;
    for (size_t i = 0; i < ARRAY_LEN(BODIES); i++) {
        if (view_equals(body, BODIES[i].name)) {
            known = true;
            (void)printf("%s %s\n", BODIES[i].judge(view_n(bytes, len), &stable) ? "valid" : "invalid", path);
        }
    }
    free(bytes);
    if (!known || !stable) {
        (void)fprintf(stderr, "%s: %s\n", path, known ? "a round trip changes it" : "no such body");
    }
    return known && stable;
}

int main(int argc, char **argv)
{
    bool fine = true;
    for (int i = 1; i < argc; i++) {
        fine = judge_file(argv[i]) && fine;
    }
    return fine ? 0 : 1;
}
