/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: one pass of base/jsonscan over a state, the fields that dedup compares by value, and a hash of the rest
 * (without ts, tsq and why). About 0.3 us for 160 bytes at -O2 and 2.4 GHz, two thirds of it in the scanner.
 *
 * The hash is a 64 x 64 -> 128 bit multiply-and-fold over 16 bytes at a time, keyed by three random words of this
 * process. It stands in for "the same text as the one that was decoded last from this device", so whoever collides it
 * harms only the device that he already speaks for: its own change would be taken for a heartbeat. A keyed hash is
 * still needed, because a device's text is partly its network's (a DHCP server picks the address that it reports), and
 * nobody outside may choose two addresses that look alike. The key never leaves the process and no hash is ever shown,
 * so a cryptographic PRF (SipHash takes about twice the time at this length) buys nothing.
 */
#include <pthread.h>
#include <string.h>

#include "base/crypto.h"
#include "base/jsonscan.h"
#include "mqtt/messages.h"

static uint64_t seeds[3];
static pthread_once_t seeds_once = PTHREAD_ONCE_INIT;

static void make_seeds(void)
{
    crypto_random(seeds, sizeof(seeds));
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* One member's text, 4 bytes (`"":0`) or more. The length goes into the last step, whose loads overlap the bytes before
 * when the rest is short: no byte is left out and no copy of variable length is made. */
static inline uint64_t hash_add(uint64_t hash, const char *at, size_t len)
{
    const char *end = at + len;
    uint64_t a;
    uint64_t b;
    for (; end - at > 16; at += 16) {
        hash = fold(load64(at) ^ seeds[1], load64(at + 8) ^ hash);
    }
    if (len >= 8) {
        at = end - at >= 8 ? at : end - 8;
        a = load64(at);
        b = load64(end - 8);
    } else {
        a = load32(at);
        b = load32(end - 4);
    }
    return fold(a ^ seeds[2] ^ len, b ^ hash);
}

/* Inlined comparisons against literals: a call a key would cost more than the parse. */
#define IS(text, literal) ((text).len == sizeof(literal) - 1 && memcmp((text).ptr, (literal), sizeof(literal) - 1) == 0)

enum { SEEN_V = 1, SEEN_S = 2, SEEN_BOOT = 4, SEEN_CONN = 8, SEEN_SEQ = 16, SEEN_ALL = 31 };

struct scan {
    struct state_scan result;
    unsigned seen;
};

static enum err read_on(const struct jsonscan_member *member, bool *ret_on)
{
    if (!IS(member->value, "\"on\"") && !IS(member->value, "\"off\"")) {
        return ERR_INVALID;
    }
    *ret_on = member->value.len == 4;
    return ERR_OK;
}

static enum err read_version(const struct jsonscan_member *member)
{
    uint32_t version;
    enum err err = jsonscan_u32(member, &version);
    if (err == ERR_OK && version != MESSAGE_VERSION) {
        return ERR_INVALID;
    }
    return err;
}

/* Takes one of the five members that dedup compares by value; ret_taken is false for any other. */
static inline enum err read_member(struct scan *scan, const struct jsonscan_member *member, bool *ret_taken)
{
    struct state_scan *result = &scan->result;
    *ret_taken = true;
    if (IS(member->key, "v")) {
        scan->seen |= SEEN_V;
        return read_version(member);
    }
    if (IS(member->key, "s")) {
        scan->seen |= SEEN_S;
        return read_on(member, &result->on);
    }
    if (IS(member->key, "boot")) {
        scan->seen |= SEEN_BOOT;
        return jsonscan_u32(member, &result->boot);
    }
    if (IS(member->key, "conn")) {
        scan->seen |= SEEN_CONN;
        return jsonscan_u32(member, &result->conn);
    }
    if (IS(member->key, "seq")) {
        scan->seen |= SEEN_SEQ;
        return jsonscan_u32(member, &result->seq);
    }
    *ret_taken = false;
    return ERR_OK;
}

/* Hashes from the name's quote to the value's end. Blanks around the colon count too: an agent that writes them always
 * writes the same ones, and a needless decode is all that another one costs. */
static enum err each_member(void *context, const struct jsonscan_member *member)
{
    struct scan *scan = context;
    struct view key = member->key;
    if (IS(key, "ts") || IS(key, "tsq")) {
        return ERR_OK;
    }
    if (IS(key, "why")) {
        scan->result.repeat = view_equal(member->value, VIEW_LITERAL("\"repeat\""));
        return ERR_OK;
    }
    bool taken;
    enum err err = read_member(scan, member, &taken);
    if (err != ERR_OK || taken) {
        return err;
    }
    /* an escaped name is refused: it could hide one of ours from these comparisons */
    if (key.len > 0 && memchr(key.ptr, '\\', key.len) != NULL) {
        return ERR_PARSE;
    }
    const char *start = key.ptr - 1;
    size_t len = (size_t)(member->value.ptr + member->value.len - start);
    scan->result.content_hash = hash_add(scan->result.content_hash, start, len);
    return ERR_OK;
}

enum err state_scan(struct view text, struct state_scan *ret_scan)
{
    if (text.len > MQTT_PAYLOAD_MAX) {
        return ERR_LIMIT;
    }
    (void)pthread_once(&seeds_once, make_seeds); /* fails only for a bad argument */
    struct scan scan = {.result.content_hash = seeds[0]};
    enum err err = jsonscan_object(text, MQTT_JSON_DEPTH, each_member, &scan);
    if (err != ERR_OK) {
        return err;
    }
    if (scan.seen != SEEN_ALL) {
        return ERR_INVALID;
    }
    *ret_scan = scan.result;
    return ERR_OK;
}
