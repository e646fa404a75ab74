/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * also6: the prefixes that count for a gateway's hosts beside its first one, each until its end: the old one while a
 * network is renumbered (docs/adr/0015-two-prefixes.md). Pure.
 *
 * A message that comes from the device says what is left now. One out of the broker's store was said some time ago: it
 * prolongs nothing that is known, and brings nothing back that has ended. Wall time, for the ends outlive the process.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "mqtt/messages.h"
#include "providers/rrset.h"

#define ALSO6_MAX    (RRSET_VALUES_MAX - 1)
#define ALSO6_NO_END INT64_MAX

struct also6_item {
    struct ip_prefix prefix;
    int64_t until_ms; /* wall; ALSO6_NO_END */
};

struct also6 {
    struct also6_item items[ALSO6_MAX];
    uint8_t len;
};

struct also6_word {
    const struct state_message *state; /* has_prefix6 */
    bool retained;                     /* out of the broker's store */
    bool newer;                        /* than what `before` follows from: it says what nobody has judged */
    int64_t now_ms;                    /* wall */
};
/** What counts by @p word. No prefix twice, and not the first one again; whether they are public is not asked. */
void also6_take(const struct also6_word *word, const struct also6 *before, struct also6 *ret_also);

/** The same prefixes, whenever they end. */
bool also6_equal(const struct also6 *a, const struct also6 *b);
bool also6_ends_equal(const struct also6 *a, const struct also6 *b); /* and the same ends */
/** Drops item @p at. */
void also6_drop(struct also6 *also, size_t at);
/** Drops what has ended. */
void also6_expire(struct also6 *also, int64_t now_ms);
/** When the next one ends; ALSO6_NO_END. */
int64_t also6_next_end(const struct also6 *also);
