/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * detect_rig: agent/detect/detect.h over scripted sources and a clock of the test's; the loop never runs. One world a
 * program.
 */
#include "agent/detect/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define FLOOR  (10 * SECOND)
#define OPEN   4 /* questions of one source that may be open */

struct source {
    const struct source_config *config;
    struct source_callbacks callbacks;
    struct source_question open[OPEN];
    size_t open_len, asked;
};

static struct {
    struct loop *loop;
    struct detect *detect;
    uint64_t now;
    uint32_t spread_ms;
    const char *uplink;        /* of the sources that are asked */
    struct source *sources[4]; /* as opened */
    size_t sources_len;
    enum err ask_error;
    unsigned changes, stranded, moved; /* stranded: seen by the broker */
} world = {.uplink = ""};

static inline struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    assert_true(text[0] == '\0' || ip_parse(view_of(text), &ip) == ERR_OK);
    return ip;
}

static inline enum err check(const struct source_config *config, struct errinfo *info)
{
    (void)config;
    (void)info;
    return ERR_OK;
}

static inline enum err open_source(struct loop *loop, const struct source_config *config,
                                   const struct source_callbacks *callbacks, struct source **ret_source,
                                   struct errinfo *info)
{
    (void)loop;
    if (strcmp(config->server, "broken") == 0) {
        return errinfo_set(info, ERR_IO, "fake", 0, "no such device");
    }
    struct source *source = calloc(1, sizeof(*source));
    assert_non_null(source);
    *source = (struct source){.config = config, .callbacks = *callbacks};
    world.sources[world.sources_len++] = source;
    *ret_source = source;
    return ERR_OK;
}

static inline enum err ask(struct source *source, const struct source_question *question)
{
    if (world.ask_error == ERR_OK) {
        assert_in_range(source->open_len, 0, OPEN - 1);
        source->open[source->open_len++] = *question;
        source->asked++;
    }
    return world.ask_error;
}

static inline void cancel(struct source *source)
{
    source->open_len = 0;
}

static inline void close_source(struct source *source)
{
    free(source);
}

#define FAKE(name, seen_from, poll)                                                                                    \
    {                                                                                                                  \
        .type = name, .view = seen_from, .min_every_ms = FLOOR, .default_every_ms = poll, .check = check,              \
        .open = open_source, .ask = ask, .cancel = cancel, .close = close_source, .pause_ms = pause_ms                 \
    }

static inline uint32_t pause_ms(const struct source_config *config)
{
    return strcmp(config->type, "echo") == 0 ? 10 * MINUTE : 0;
}

static const struct source_ops fakes[] = {
    {.type = "interface", .view = SOURCE_VIEW_LOCAL, .check = check},
    {.type = "observed", .view = SOURCE_VIEW_PATH, .check = check},
    FAKE("stun", SOURCE_VIEW_PATH, 15 * MINUTE),
    FAKE("pcp", SOURCE_VIEW_ROUTER, 60 * MINUTE),
    FAKE("exec", SOURCE_VIEW_DECLARED, 60 * MINUTE),
    FAKE("echo", SOURCE_VIEW_PATH, 15 * MINUTE),
};

static inline const struct source_ops *find(const char *type, bool *ret_left_out)
{
    *ret_left_out = strcmp(type, "upnp") == 0;
    for (size_t i = 0; i < ARRAY_LEN(fakes); i++) {
        if (strcmp(fakes[i].type, type) == 0) {
            return &fakes[i];
        }
    }
    return NULL;
}

static inline uint64_t now(void *context)
{
    (void)context;
    return world.now;
}

static inline void changed(void *context)
{
    (void)context;
    world.changes++;
}

static inline void stranded(void *context, bool seen)
{
    (void)context;
    world.stranded += seen;
    world.moved += !seen;
}

static inline enum err make(const char *const *types, size_t len, unsigned quorum, struct detect **ret_detect)
{
    struct source_config configs[FUSION_SOURCES_MAX];
    for (size_t i = 0; i < len; i++) {
        bool broken = strcmp(types[i], "broken") == 0, asked = i > 0;
        configs[i] = (struct source_config){.type = broken ? "pcp" : types[i],
                                            .name = "",
                                            .ip4 = true,
                                            .ip6 = true,
                                            .server = broken ? "broken" : "",
                                            .uplink = asked ? world.uplink : ""};
    }
    const struct detect_options options = {.sources = configs,
                                           .sources_len = len,
                                           .policy = {.quorum = quorum, .confirm_ms = 5 * SECOND},
                                           .timeout_ms = 3000,
                                           .spread_ms = world.spread_ms,
                                           .changed = changed,
                                           .stranded = stranded,
                                           .find = find,
                                           .now = now};
    struct errinfo info = {0};
    return detect_new(world.loop, &options, ret_detect, &info);
}

static inline void set_up(const char *const *types, size_t len, unsigned quorum)
{
    world.sources_len = world.changes = world.stranded = world.moved = 0;
    world.now = 1000 * SECOND;
    world.ask_error = ERR_OK;
    assert_int_equal(loop_new(&world.loop), ERR_OK);
    assert_int_equal(make(types, len, quorum, &world.detect), ERR_OK);
}

static inline void tear_down(void)
{
    detect_free(world.detect);
    loop_free(world.loop);
}

static inline void add_uplink(struct address_set *set, const char *name, const char *ip4, const char *ip6,
                              const char *gateway)
{
    struct uplink *uplink = &set->uplinks[set->uplinks_len];
    memcpy(set->paths[set->uplinks_len].name, name, strlen(name) + 1);
    for (size_t i = 0; name[i] != '\0'; i++) { /* as it is reported */
        uplink->name[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
    }
    uplink->up = true;
    uplink->ip4 = (struct address_field){.presence = ip4[0] != '\0' ? FIELD_SET : FIELD_NULL, .ip = ip_of(ip4)};
    uplink->ip6 = (struct address_field){.presence = ip6[0] != '\0' ? FIELD_SET : FIELD_NULL, .ip = ip_of(ip6)};
    set->paths[set->uplinks_len++].gateway4 = ip_of(gateway);
    if (set->uplinks_len == 1) {
        set->ip4 = uplink->ip4;
        set->ip6 = uplink->ip6;
    }
}

static inline struct address_set home(const char *ip4)
{
    struct address_set set = {0};
    add_uplink(&set, "eth0", ip4, "", "192.168.1.1");
    return set;
}

/* The time passes and what is due then is done. */
static inline void after(uint64_t ms)
{
    world.now += ms;
    (void)detect_run(world.detect);
}

static inline void answer_with(struct source *source, const struct source_answer *answer)
{
    assert_int_not_equal(source->open_len, 0);
    const struct source_question question = source->open[0];
    memmove(source->open, source->open + 1, --source->open_len * sizeof(source->open[0]));
    source->callbacks.answered(source->callbacks.context, &question, answer);
    after(0);
}

static inline void answer(struct source *source, const char *ip)
{
    answer_with(source, &(struct source_answer){.status = ip[0] != '\0' ? SOURCE_ANSWER_ADDRESS : SOURCE_ANSWER_FAILED,
                                                .ip = ip_of(ip),
                                                .detail = "as the test says"});
}

static inline void assert_reported(struct address_set set, const char *ip4, const char *source, enum nat_class nat)
{
    char text[IP_TEXT_SIZE] = "none";
    detect_merge(world.detect, &set);
    if (set.ip4.presence == FIELD_SET) {
        (void)ip_format(&set.ip4.ip, text);
    }
    assert_string_equal(text, ip4);
    assert_string_equal(detect_source(world.detect, IP_V4), source);
    assert_string_equal(nat_class_name(set.uplinks[0].nat), nat_class_name(nat));
}
