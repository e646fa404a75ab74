/* SPDX-License-Identifier: Apache-2.0 */
/** STUN messages of any bytes: nothing is read past their end, what is answered is small and reads back as what was
 * meant. */
#include <stdlib.h>
#include <string.h>

#include "net/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void answer_it(const struct stun_message *request, size_t size)
{
    static const struct ip PEERS[] = {
        {.family = IP_V4, .bytes = {198, 51, 100, 7}},
        {.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}},
    };
    for (size_t i = 0; i < ARRAY_LEN(PEERS); i++) {
        uint8_t buffer[STUN_WRITE_MAX];
        size_t len = stun_write_answer(request, &PEERS[i], 40000, buffer);
        require(len * 10 <= size * 22);
        require((len > 0) == (request->msg_class == STUN_REQUEST && request->method == STUN_BINDING));
        if (len > 0) {
            struct stun_message reply;
            enum err err = stun_answer_parse(view_n((const char *)buffer, len), request->id, &reply);
            require(err == (request->unknown_len > 0 ? ERR_DENIED : ERR_OK));
            require(err == ERR_OK ? ip_equal(&reply.mapped, &PEERS[i]) : reply.error_code == 420);
            require(reply.fingerprint == request->fingerprint);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stun_message message, judged;
    struct view datagram = view_n((const char *)data, size);
    if (stun_parse(datagram, &message) != ERR_OK) {
        return 0;
    }
    require(size >= STUN_HEADER_SIZE && message.unknown_len <= STUN_UNKNOWN_MAX && message.reason.len < size);
    require(message.error_code == 0 || (message.error_code >= 300 && message.error_code < 700));
    enum err err = stun_answer_parse(datagram, message.id, &judged);
    require(err != ERR_PARSE);
    require(err != ERR_OK || judged.mapped.family == IP_V4 || judged.mapped.family == IP_V6);
    answer_it(&message, size);
    return 0;
}
