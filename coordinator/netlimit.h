/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * netlimit: how much the networks of the internet may ask: a token bucket for each /24 of IPv4 and /56 of IPv6 (what
 * one customer has, RFC 6177), and one for all together, since source addresses of datagrams can be invented: networks
 * without end then each come with a full bucket. The table has a fixed size; the network that asked longest ago gives
 * way, and has a full bucket when it comes again. Pure: the clock is handed in. Threading: one thread.
 */
#include "base/err.h"
#include "base/ip.h"

#define NETLIMIT_PREFIX4 24
#define NETLIMIT_PREFIX6 56

struct netlimit_options {
    uint32_t per_s, burst;             /* tokens of one network: refill, most */
    uint32_t total_per_s, total_burst; /* of all */
    uint32_t networks_max;             /* in the table: about 100 bytes each; 1 to 2^20 */
    uint64_t seed;                     /* random: nobody may choose addresses that meet in one slot */
};

enum netlimit_verdict {
    NETLIMIT_PASS,
    NETLIMIT_NETWORK, /* this network asks too much; the tokens of all stay as they are */
    NETLIMIT_TOTAL,   /* all together do */
};

struct netlimit;

/** @return ERR_NOMEM, ERR_INVALID (networks_max). */
enum err netlimit_new(const struct netlimit_options *options, uint64_t now_ms, struct netlimit **ret_limit) MUST_CHECK;
void netlimit_free(struct netlimit *limit); /* NULL allowed */
/** @param peer unmapped. @param tokens what this question costs. @param now_ms monotonic, never earlier than before. */
enum netlimit_verdict netlimit_take(struct netlimit *limit, const struct ip *peer, uint32_t tokens, uint64_t now_ms);
/** Networks in the table. */
uint32_t netlimit_networks(const struct netlimit *limit);
