/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/broker/stamp.h"

#include "mqtt/broker/openssl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_LEN 32

struct stamp {
    EVP_MAC *mac;         /* owned */
    EVP_MAC_CTX *context; /* owned; keyed: EVP_MAC_init without a key starts the next message with the same one */
};

enum err stamp_new(const uint8_t key[static STAMP_KEY_LEN], struct stamp **ret_stamp)
{
    struct stamp *stamp = calloc(1, sizeof(*stamp));
    if (stamp == NULL) {
        return ERR_NOMEM;
    }
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
    stamp->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    stamp->context = stamp->mac != NULL ? EVP_MAC_CTX_new(stamp->mac) : NULL;
    if (stamp->context == NULL || EVP_MAC_init(stamp->context, key, STAMP_KEY_LEN, parameters) != 1) {
        stamp_free(stamp);
        return ERR_CRYPTO;
    }
    *ret_stamp = stamp;
    return ERR_OK;
}

void stamp_free(struct stamp *stamp)
{
    if (stamp != NULL) {
        EVP_MAC_CTX_free(stamp->context); /* clears the key schedule */
        EVP_MAC_free(stamp->mac);
        free(stamp);
    }
}

enum err stamp_address(const char *peer, char ret_address[static INET6_ADDRSTRLEN])
{
    struct in6_addr six;
    struct in_addr four;
    if (peer == NULL) {
        return ERR_PARSE;
    }
    if (inet_pton(AF_INET6, peer, &six) == 1) {
        if (!IN6_IS_ADDR_V4MAPPED(&six)) {
            return inet_ntop(AF_INET6, &six, ret_address, INET6_ADDRSTRLEN) != NULL ? ERR_OK : ERR_PARSE;
        }
        memcpy(&four, &six.s6_addr[12], sizeof(four));
    } else if (inet_pton(AF_INET, peer, &four) != 1) {
        return ERR_PARSE;
    }
    return inet_ntop(AF_INET, &four, ret_address, INET6_ADDRSTRLEN) != NULL ? ERR_OK : ERR_PARSE;
}

static void write_hex(const uint8_t *data, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[data[i] >> 4];
        ret_text[2 * i + 1] = digits[data[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

enum err stamp_write(struct stamp *stamp, struct view topic, const char *address, char ret_value[static STAMP_SIZE])
{
    uint8_t mac[MAC_LEN];
    size_t mac_len = 0;
    size_t address_len = strnlen(address, INET6_ADDRSTRLEN - 1);
    if (EVP_MAC_init(stamp->context, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(stamp->context, (const unsigned char *)topic.ptr, topic.len) != 1 ||
        EVP_MAC_update(stamp->context, (const unsigned char *)"|", 1) != 1 ||
        EVP_MAC_update(stamp->context, (const unsigned char *)address, address_len) != 1 ||
        EVP_MAC_final(stamp->context, mac, &mac_len, sizeof(mac)) != 1 || mac_len != sizeof(mac)) {
        return ERR_CRYPTO;
    }
    memcpy(ret_value, address, address_len);
    ret_value[address_len] = ' ';
    write_hex(mac, sizeof(mac), ret_value + address_len + 1);
    return ERR_OK;
}

enum err stamp_shard(struct view id, uint8_t *ret_shard)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    if (EVP_Digest(id.ptr, id.len, digest, &digest_len, EVP_sha256(), NULL) != 1) {
        return ERR_CRYPTO;
    }
    *ret_shard = digest[0];
    return ERR_OK;
}
