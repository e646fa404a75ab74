/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/topics.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"

#define PROV_TOPIC_CID 32

/* What stands between the root and the last level. */
enum shape { SHAPE_UP, SHAPE_DN, SHAPE_SEEN, SHAPE_REG, SHAPE_COORD, SHAPE_PLAIN };

static const struct {
    enum shape shape;
    struct view leaf; /* last level, empty where there is none; the whole rest for SHAPE_PLAIN */
} ROWS[] = {
    [TOPIC_UP_STATE] = {SHAPE_UP, VIEW_LITERAL("state")},
    [TOPIC_UP_GONE] = {SHAPE_UP, VIEW_LITERAL("gone")},
    [TOPIC_UP_CONFIG] = {SHAPE_UP, VIEW_LITERAL("config")},
    [TOPIC_UP_RSP] = {SHAPE_UP, VIEW_LITERAL("rsp")},
    [TOPIC_UP_CSR] = {SHAPE_UP, VIEW_LITERAL("csr")},
    [TOPIC_DN_DNS] = {SHAPE_DN, VIEW_LITERAL("dns")},
    [TOPIC_DN_CONFIG] = {SHAPE_DN, VIEW_LITERAL("config")},
    [TOPIC_DN_CMD] = {SHAPE_DN, VIEW_LITERAL("cmd")},
    [TOPIC_DN_CERT] = {SHAPE_DN, VIEW_LITERAL("cert")},
    [TOPIC_BC_SYNC] = {SHAPE_PLAIN, VIEW_LITERAL("bc/sync")},
    [TOPIC_BC_KEYS] = {SHAPE_PLAIN, VIEW_LITERAL("bc/keys")},
    [TOPIC_SEEN] = {SHAPE_SEEN, VIEW_LITERAL("")},
    [TOPIC_REG] = {SHAPE_REG, VIEW_LITERAL("")},
    [TOPIC_COORD_STATE] = {SHAPE_COORD, VIEW_LITERAL("state")},
    [TOPIC_COORD_REG] = {SHAPE_COORD, VIEW_LITERAL("reg")},
    [TOPIC_COORD_REG_DONE] = {SHAPE_COORD, VIEW_LITERAL("reg-done")},
    [TOPIC_COORD_SUSPECT] = {SHAPE_COORD, VIEW_LITERAL("suspect")},
    [TOPIC_FLEET_SUMMARY] = {SHAPE_PLAIN, VIEW_LITERAL("fleet/summary")},
    [TOPIC_FLEET_FEED] = {SHAPE_PLAIN, VIEW_LITERAL("fleet/feed")},
};

/* Branches whose topics are a device's. */
static const struct view DEVICE_BRANCHES[] = {
    [SHAPE_UP] = VIEW_LITERAL("up"),
    [SHAPE_DN] = VIEW_LITERAL("dn"),
    [SHAPE_SEEN] = VIEW_LITERAL("seen"),
    [SHAPE_REG] = VIEW_LITERAL("reg"),
};

static const struct view SERVICE_PREFIX = VIEW_LITERAL("svc-");

static bool id_grammar(struct view id)
{
    if (id.len == 0 || id.len > DEVICE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

bool device_id_valid(struct view id)
{
    return id_grammar(id) && !view_starts_with(id, SERVICE_PREFIX);
}

static bool service_id_valid(struct view id)
{
    return id_grammar(id) && id.len > SERVICE_PREFIX.len && view_starts_with(id, SERVICE_PREFIX);
}

uint8_t topic_shard(struct view id)
{
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(id, digest);
    return digest[0];
}

static bool skip(struct view *rest, struct view prefix)
{
    if (!view_starts_with(*rest, prefix)) {
        return false;
    }
    *rest = view_n(rest->ptr + prefix.len, rest->len - prefix.len);
    return true;
}

static bool find_leaf(enum shape shape, struct view leaf, enum topic_kind *ret_kind)
{
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        if (ROWS[i].shape == shape && view_equal(ROWS[i].leaf, leaf)) {
            *ret_kind = (enum topic_kind)i;
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<sh>/<id>/<leaf>", or "<sh>/<id>" for a shape without leaves; two lower-case hex digits first: upper case would be a
 * second topic for the same shard. */
static enum err parse_device(enum shape shape, struct view rest, struct topic *ret_topic)
{
    if (rest.len < 3 || rest.ptr[2] != '/') {
        return ERR_PARSE;
    }
    int high = hex_digit(rest.ptr[0]);
    int low = hex_digit(rest.ptr[1]);
    if (high < 0 || low < 0) {
        return ERR_PARSE;
    }
    rest = view_n(rest.ptr + 3, rest.len - 3);
    struct view id = rest;
    struct topic topic = {.shard = (uint8_t)(high * 16 + low)};
    bool has_leaf = shape == SHAPE_UP || shape == SHAPE_DN;
    struct view leaf = VIEW_LITERAL("");
    if (has_leaf) {
        leaf = rest;
        if (!view_next(&leaf, '/', &id)) {
            return ERR_PARSE;
        }
    }
    if (!find_leaf(shape, leaf, &topic.kind)) {
        return ERR_PARSE;
    }
    if (!device_id_valid(id)) {
        return ERR_INVALID;
    }
    topic.id = id;
    *ret_topic = topic;
    return ERR_OK;
}

static enum err parse_coord(struct view rest, struct topic *ret_topic)
{
    struct view id;
    enum topic_kind kind;
    if (!view_next(&rest, '/', &id) || !find_leaf(SHAPE_COORD, rest, &kind)) {
        return ERR_PARSE;
    }
    if (!service_id_valid(id)) {
        return ERR_INVALID;
    }
    *ret_topic = (struct topic){.kind = kind, .id = id};
    return ERR_OK;
}

enum err topic_parse_unchecked(struct view text, struct topic *ret_topic)
{
    if (text.len > MQTT_TOPIC_MAX) {
        return ERR_LIMIT;
    }
    struct view rest = text;
    if (!skip(&rest, VIEW_LITERAL(TOPIC_ROOT "/"))) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < ARRAY_LEN(DEVICE_BRANCHES); i++) {
        if (skip(&rest, DEVICE_BRANCHES[i])) {
            return skip(&rest, VIEW_LITERAL("/")) ? parse_device((enum shape)i, rest, ret_topic) : ERR_PARSE;
        }
    }
    if (skip(&rest, VIEW_LITERAL("coord/"))) {
        return parse_coord(rest, ret_topic);
    }
    enum topic_kind kind;
    if (!find_leaf(SHAPE_PLAIN, rest, &kind)) {
        return ERR_PARSE;
    }
    *ret_topic = (struct topic){.kind = kind};
    return ERR_OK;
}

enum err topic_parse(struct view text, struct topic *ret_topic)
{
    struct topic topic;
    enum err err = topic_parse_unchecked(text, &topic);
    if (err != ERR_OK) {
        return err;
    }
    if (topic.id.len != 0) {
        uint8_t shard = topic_shard(topic.id);
        if (ROWS[topic.kind].shape != SHAPE_COORD && shard != topic.shard) {
            return ERR_INVALID;
        }
        topic.shard = shard;
    }
    *ret_topic = topic;
    return ERR_OK;
}

/* Every topic fits: root 9, branch 6, shard 3, id 40, leaf 7, under MQTT_TOPIC_MAX by the checks before. */
#define TOPIC_WRITE(buffer, ...) ((void)snprintf((buffer), TOPIC_SIZE, TOPIC_ROOT "/" __VA_ARGS__))

enum err topic_build(enum topic_kind kind, struct view id, char ret_text[static TOPIC_SIZE])
{
    if ((size_t)kind >= ARRAY_LEN(ROWS)) {
        return ERR_INVALID;
    }
    enum shape shape = ROWS[kind].shape;
    struct view leaf = ROWS[kind].leaf;
    bool fits = shape == SHAPE_PLAIN ? id.len == 0 : shape == SHAPE_COORD ? service_id_valid(id) : device_id_valid(id);
    if (!fits) {
        return ERR_INVALID;
    }
    if (shape == SHAPE_PLAIN) {
        TOPIC_WRITE(ret_text, "%.*s", VIEW_ARG(leaf));
    } else if (shape == SHAPE_COORD) {
        TOPIC_WRITE(ret_text, "coord/%.*s/%.*s", VIEW_ARG(id), VIEW_ARG(leaf));
    } else {
        TOPIC_WRITE(ret_text, "%.*s/%02x/%.*s%s%.*s", VIEW_ARG(DEVICE_BRANCHES[shape]), topic_shard(id), VIEW_ARG(id),
                    leaf.len > 0 ? "/" : "", VIEW_ARG(leaf));
    }
    return ERR_OK;
}

void topic_shard_filter(uint8_t shard, char ret_text[static TOPIC_SIZE])
{
    TOPIC_WRITE(ret_text, "up/%02x/#", shard);
}

enum err topic_device_filter(struct view id, char ret_text[static TOPIC_SIZE])
{
    if (!device_id_valid(id)) {
        return ERR_INVALID;
    }
    TOPIC_WRITE(ret_text, "dn/%02x/%.*s/#", topic_shard(id), VIEW_ARG(id));
    return ERR_OK;
}

static bool cid_grammar(struct view cid)
{
    for (size_t i = 0; i < cid.len; i++) {
        if (hex_digit(cid.ptr[i]) < 0) {
            return false;
        }
    }
    return cid.len == PROV_TOPIC_CID;
}

static bool prov_topic_valid(const struct prov_topic *topic)
{
    return device_id_valid(topic->claim) && cid_grammar(topic->cid);
}

enum err prov_topic_parse(struct view text, struct prov_topic *ret_topic)
{
    if (text.len > MQTT_TOPIC_MAX) {
        return ERR_LIMIT;
    }
    struct prov_topic topic = {.request = false};
    struct view rest = text;
    if (!skip(&rest, VIEW_LITERAL(TOPIC_ROOT "/prov/")) || !view_next(&rest, '/', &topic.claim) ||
        !view_next(&rest, '/', &topic.cid)) {
        return ERR_PARSE;
    }
    topic.request = view_equals(rest, "req");
    if (!topic.request && !view_equals(rest, "rsp")) {
        return ERR_PARSE;
    }
    if (!prov_topic_valid(&topic)) {
        return ERR_INVALID;
    }
    *ret_topic = topic;
    return ERR_OK;
}

enum err prov_topic_build(const struct prov_topic *topic, char ret_text[static TOPIC_SIZE])
{
    if (!prov_topic_valid(topic)) {
        return ERR_INVALID;
    }
    TOPIC_WRITE(ret_text, "prov/%.*s/%.*s/%s", VIEW_ARG(topic->claim), VIEW_ARG(topic->cid),
                topic->request ? "req" : "rsp");
    return ERR_OK;
}
