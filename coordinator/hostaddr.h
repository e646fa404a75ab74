/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * hostaddr: the IPv6 address of a host behind a gateway: prefix | subnet | interface id. Pure; any thread.
 * Source: RFC 4291 2.5.1 and appendix A (interface identifiers, EUI-64), RFC 4862 5.5.3 (they are 64 bits long).
 *
 *   0          prefix.len          64                       128
 *   | the gateway's prefix | subnet | interface id            |   with a subnet or a MAC address
 *   | the gateway's prefix | low bits of the suffix           |   else: any length, subnet bits included
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"

/** Open value. */
struct host_id {
    struct ip suffix; /* IPv6; bits above the prefix's length do not count */
    uint32_t subnet;  /* number of the subnet in the prefix, counted in /64s */
    bool is_64;       /* the suffix is an interface id of 64 bits, made for a /64: of a MAC address, or with a subnet */
};

/** EUI-64 of "00:11:22:aa:bb:cc" or with "-", of either case, as the suffix of @p ret_id (its subnet is left alone).
 *  @return ERR_PARSE, ERR_INVALID (a group address, or all zero: no interface has it). */
enum err host_id_of_mac(struct view text, struct host_id *ret_id) MUST_CHECK;

/** IP_NONE when there is no such address: no prefix, no suffix, a subnet that the prefix has no room for, or an
 * interface id in a prefix longer than /64. */
struct ip host_address(const struct ip_prefix *prefix, const struct host_id *id);
