/* SPDX-License-Identifier: Apache-2.0 */
/** Every decoder of a control message on the same text: what decodes can be written and decodes to the same text. */
#include <stdlib.h>

#include "mqtt/messages.h"
#include "mqtt/messages_prov.h"
#include "mqtt/messages_reg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* dns alone may be longer as we write it (every optional member of up to 32 names) than as it came. */
#define TRY(name, may_exceed)                                                                                          \
    static void try_##name(struct view text)                                                                           \
    {                                                                                                                  \
        static struct name##_message first, second;                                                                    \
        struct errinfo info;                                                                                           \
        if (name##_decode(text, &first, &info) != ERR_OK) {                                                            \
            return;                                                                                                    \
        }                                                                                                              \
        struct strbuf once, twice;                                                                                     \
        strbuf_init(&once, 4 * MQTT_PAYLOAD_MAX);                                                                      \
        strbuf_init(&twice, 4 * MQTT_PAYLOAD_MAX);                                                                     \
        enum err err = name##_encode(&first, &once);                                                                   \
        require(err == ERR_OK || ((may_exceed) && err == ERR_LIMIT));                                                  \
        if (err == ERR_OK) {                                                                                           \
            require(name##_decode(strbuf_view(&once), &second, NULL) == ERR_OK);                                       \
            require(name##_encode(&second, &twice) == ERR_OK);                                                         \
            require(view_equal(strbuf_view(&once), strbuf_view(&twice)));                                              \
        }                                                                                                              \
        strbuf_deinit(&once);                                                                                          \
        strbuf_deinit(&twice);                                                                                         \
    }

TRY(gone, false)
TRY(dns, true)
TRY(summary, false)
TRY(feed, false)
TRY(coord, false)
TRY(sync, false)
TRY(prov_request, false)
TRY(prov_answer, false)
TRY(envelope, false)
TRY(renewal, false)
TRY(seen, false)
TRY(reg, false)
TRY(regask, false)
TRY(regdone, false)
TRY(suspect, false)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_n((const char *)data, size);
    try_gone(text);
    try_dns(text);
    try_summary(text);
    try_feed(text);
    try_coord(text);
    try_sync(text);
    try_prov_request(text);
    try_prov_answer(text);
    try_envelope(text);
    try_renewal(text);
    try_seen(text);
    try_reg(text);
    try_regask(text);
    try_regdone(text);
    try_suspect(text);
    struct ip ip;
    struct view address;
    uint8_t mac[32];
    if (observed_parse(text, &ip, &address, mac) == ERR_OK) {
        require(ip.family != IP_NONE && address.len + 65 == text.len);
    }
    return 0;
}
