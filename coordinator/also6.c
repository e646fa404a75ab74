/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/also6.h"

#include "base/macros.h"

/* Seconds are rounded and messages take their time: an end that moves by less is the same one. */
#define SAME_END_MS 5000

_Static_assert(ALSO6_MAX == MQTT_ALSO_MAX, "each prefix that a state may have is an address of each host");

static const struct also6_item *find(const struct also6 *also, const struct ip_prefix *prefix)
{
    for (size_t i = 0; i < also->len; i++) {
        if (ip_prefix_equal(&also->items[i].prefix, prefix)) {
            return &also->items[i];
        }
    }
    return NULL;
}

/* A device that has no clock does not tell how old its word is: then it counts as new. */
static int64_t said_ms(const struct also6_word *word)
{
    bool dated = word->retained && word->state->ts != 0;
    return dated ? MIN(word->state->ts, word->now_ms) : word->now_ms;
}

static int64_t end_of(const struct also6_word *word, const struct also_prefix *said, const struct also6_item *known)
{
    int64_t end = ALSO6_NO_END;
    if (said->life.preferred_s != 0) {
        end = said_ms(word) + (int64_t)said->life.preferred_s * 1000;
    }
    if (known == NULL) {
        return end;
    }
    if (word->retained && !word->newer) {
        return MIN(end, known->until_ms);
    }
    bool same = end != ALSO6_NO_END && known->until_ms != ALSO6_NO_END && end - known->until_ms <= SAME_END_MS &&
                known->until_ms - end <= SAME_END_MS;
    return same ? known->until_ms : end;
}

void also6_take(const struct also6_word *word, const struct also6 *before, struct also6 *ret_also)
{
    struct also6 also = {.len = 0};
    for (size_t i = 0; i < word->state->prefix6_also_len && also.len < ALSO6_MAX; i++) {
        const struct also_prefix *said = &word->state->prefix6_also[i];
        const struct also6_item *known = find(before, &said->prefix);
        bool ended = word->retained && !word->newer && known == NULL;
        bool again = find(&also, &said->prefix) != NULL || ip_prefix_equal(&said->prefix, &word->state->prefix6);
        int64_t until_ms = end_of(word, said, known);
        if (!ended && !again && until_ms > word->now_ms) {
            also.items[also.len++] = (struct also6_item){.prefix = said->prefix, .until_ms = until_ms};
        }
    }
    *ret_also = also;
}

bool also6_equal(const struct also6 *a, const struct also6 *b)
{
    bool equal = a->len == b->len;
    for (size_t i = 0; i < a->len && equal; i++) {
        equal = ip_prefix_equal(&a->items[i].prefix, &b->items[i].prefix);
    }
    return equal;
}

bool also6_ends_equal(const struct also6 *a, const struct also6 *b)
{
    bool equal = also6_equal(a, b);
    for (size_t i = 0; i < a->len && equal; i++) {
        equal = a->items[i].until_ms == b->items[i].until_ms;
    }
    return equal;
}

void also6_drop(struct also6 *also, size_t at)
{
    also->len--;
    for (size_t i = at; i < also->len; i++) {
        also->items[i] = also->items[i + 1];
    }
}

void also6_expire(struct also6 *also, int64_t now_ms)
{
    for (size_t i = also->len; i-- > 0;) {
        if (also->items[i].until_ms <= now_ms) {
            also6_drop(also, i);
        }
    }
}

int64_t also6_next_end(const struct also6 *also)
{
    int64_t next = ALSO6_NO_END;
    for (size_t i = 0; i < also->len; i++) {
        next = MIN(next, also->items[i].until_ms);
    }
    return next;
}
