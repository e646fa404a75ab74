/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/hostaddr.h"

#include <string.h>

#include "base/crypto.h"
#include "base/macros.h"

#define MAC_LEN      6
#define MAC_TEXT_LEN 17
#define ID_AT        8  /* byte at which the interface id begins */
#define ID_BITS      64 /* bits before it */

enum err host_id_of_mac(struct view text, struct host_id *ret_id)
{
    uint8_t mac[MAC_LEN];
    if (text.len != MAC_TEXT_LEN || (text.ptr[2] != ':' && text.ptr[2] != '-')) {
        return ERR_PARSE;
    }
    for (size_t i = 0; i < MAC_LEN; i++) {
        bool last = i == MAC_LEN - 1;
        if (crypto_unhex(view_n(text.ptr + 3 * i, 2), &mac[i], 1) != ERR_OK ||
            (!last && text.ptr[3 * i + 2] != text.ptr[2])) {
            return ERR_PARSE;
        }
    }
    static const uint8_t none[MAC_LEN];
    if ((mac[0] & 0x01U) != 0 || memcmp(mac, none, sizeof(mac)) == 0) {
        return ERR_INVALID;
    }
    const uint8_t id[] = {mac[0] ^ 0x02U, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    ret_id->suffix = (struct ip){.family = IP_V6};
    memcpy(ret_id->suffix.bytes + ID_AT, id, sizeof(id));
    ret_id->is_64 = true;
    return ERR_OK;
}

static bool has_room(const struct ip_prefix *prefix, const struct host_id *id)
{
    if (!id->is_64) {
        return true;
    }
    if (prefix->len > ID_BITS) {
        return false;
    }
    unsigned room = ID_BITS - prefix->len; /* bits for the number of the subnet */
    return room >= 32 || id->subnet >> room == 0;
}

struct ip host_address(const struct ip_prefix *prefix, const struct host_id *id)
{
    struct ip ip = id->suffix;
    if (prefix->ip.family != IP_V6 || prefix->len > 128 || ip.family != IP_V6 || !has_room(prefix, id)) {
        return (struct ip){0};
    }
    for (size_t i = 0; i < 4 && id->is_64; i++) {
        ip.bytes[ID_AT - 1 - i] = (uint8_t)(id->subnet >> (8 * i));
    }
    for (unsigned i = 0; i < sizeof(ip.bytes); i++) {
        unsigned keep = prefix->len > 8 * i ? MIN(prefix->len - 8 * i, 8U) : 0;
        uint8_t mask = (uint8_t)(0xff00U >> keep);
        ip.bytes[i] = (uint8_t)((prefix->ip.bytes[i] & mask) | (ip.bytes[i] & (uint8_t)~mask));
    }
    return ip;
}
