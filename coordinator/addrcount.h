/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * addrcount: how many devices the broker saw behind each address. Keyed by a seeded 64-bit fingerprint of the address,
 * so an entry costs 16 bytes; two addresses in one entry are as likely as a stray bit.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct addrcount;

enum err addrcount_new(struct addrcount **ret_counts) MUST_CHECK;
void addrcount_free(struct addrcount *counts);
/** Moves a device from @p from to @p to (either may be IP_NONE). @return devices now counted at @p to, 0 for IP_NONE.
 */
uint32_t addrcount_move(struct addrcount *counts, const struct ip *from, const struct ip *to);
uint32_t addrcount_get(const struct addrcount *counts, const struct ip *ip);
size_t addrcount_bytes(const struct addrcount *counts);
