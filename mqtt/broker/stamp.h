/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * stamp: the value of the user property "muster-observed": `<address> <hex HMAC-SHA256(broker key, topic|address)>`, by
 * which the coordinator knows that the broker, not the device, names the address. The coordinator verifies the same
 * text with base/crypto. OpenSSL only, since this runs inside mosquitto, which has loaded it. One thread.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define STAMP_PROPERTY "muster-observed"
#define STAMP_KEY_LEN  32
/* longest address, blank, 64 hex digits, NUL (INET6_ADDRSTRLEN counts the NUL) */
#define STAMP_SIZE (INET6_ADDRSTRLEN + 1 + 64)

struct stamp; /* a prepared key */

/** @return ERR_NOMEM, ERR_CRYPTO (no HMAC-SHA256 in this OpenSSL). */
enum err stamp_new(const uint8_t key[static STAMP_KEY_LEN], struct stamp **ret_stamp) MUST_CHECK;
void stamp_free(struct stamp *stamp); /* zeroises; NULL allowed */

/** The peer's address in the one form that is signed: an IPv4-mapped address as IPv4, IPv6 as RFC 5952 writes it.
 *  @param peer NUL-terminated, NULL allowed. @return ERR_PARSE (NULL, or no address). */
enum err stamp_address(const char *peer, char ret_address[static INET6_ADDRSTRLEN]) MUST_CHECK;

/** Writes the property's value, NUL-terminated. @param address of stamp_address. @return ERR_CRYPTO. */
enum err stamp_write(struct stamp *stamp, struct view topic, const char *address,
                     char ret_value[static STAMP_SIZE]) MUST_CHECK;

/** First byte of SHA-256(id). @return ERR_CRYPTO. */
enum err stamp_shard(struct view id, uint8_t *ret_shard) MUST_CHECK;
