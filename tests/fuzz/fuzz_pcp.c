/* SPDX-License-Identifier: Apache-2.0 */
/** Answers and announcements of routers, of any bytes: nothing is read past their end, and an address comes only out of
 * a success with our nonce. */
#include <stdlib.h>
#include <string.h>

#include "agent/detect/pcpwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void has_words(const struct pcp_reply *reply)
{
    require(pcp_result_name(reply->version, reply->result)[0] != '\0');
    require(pcp_result_remedy(reply->version, reply->result)[0] != '\0');
    require(reply->result == PCP_SUCCESS || reply->external.family == IP_NONE);
}

/* The nonce of the corpus' answers; then that of the input itself, so that every answer is one to it. */
static void as_map(const uint8_t *data, size_t size)
{
    struct pcp_map map = {.nonce = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, .internal_port = 40000};
    struct pcp_reply reply;
    struct view datagram = view_n((const char *)data, size);
    for (int own = 0; own < 2; own++) {
        enum err err = pcp_parse_map(datagram, &map, &reply);
        require(err == ERR_OK || err == ERR_PARSE || err == ERR_STATE);
        if (err == ERR_OK) {
            has_words(&reply);
            require(reply.external.family == IP_NONE || memcmp(data + 24, map.nonce, PCP_NONCE_SIZE) == 0);
        }
        if (size >= PCP_MAP_SIZE) {
            memcpy(map.nonce, data + 24, PCP_NONCE_SIZE);
            map.internal_port = (uint16_t)(data[40] << 8 | data[41]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcp_reply reply;
    struct view datagram = view_n((const char *)data, size);
    as_map(data, size);
    if (natpmp_parse(datagram, &reply) == ERR_OK) {
        has_words(&reply);
    }
    if (pcp_parse_announcement(datagram, &reply) == ERR_OK) {
        require(reply.result == PCP_SUCCESS && size >= 12);
        struct pcp_epoch epoch;
        pcp_epoch_set(&epoch, reply.version, reply.epoch, 1000);
        require(pcp_epoch_holds(&epoch, reply.version, reply.epoch, 1000));
    }
    return 0;
}
