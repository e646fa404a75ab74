/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The scan and the decoder of a state agree: what decodes was scanned, with the same order and presence; what decodes
 * can be written and reads back the same; equal texts have equal hashes.
 */
#include <stdlib.h>

#include "mqtt/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void write_and_read_back(const struct state_message *message)
{
    static struct state_message again;
    struct strbuf once;
    struct strbuf twice;
    strbuf_init(&once, 2 * MQTT_PAYLOAD_MAX);
    strbuf_init(&twice, 2 * MQTT_PAYLOAD_MAX);
    require(state_encode(message, &once) == ERR_OK);
    require(state_decode(strbuf_view(&once), &again, NULL) == ERR_OK);
    require(state_encode(&again, &twice) == ERR_OK);
    require(view_equal(strbuf_view(&once), strbuf_view(&twice)));
    strbuf_deinit(&once);
    strbuf_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct state_message message;
    struct view text = view_n((const char *)data, size);
    struct state_scan scan;
    struct state_scan again;
    struct errinfo info;
    enum err scanned = state_scan(text, &scan);
    enum err decoded = state_decode(text, &message, &info);
    if (scanned != ERR_OK) {
        require(decoded == scanned);
        return 0;
    }
    require(state_scan(text, &again) == ERR_OK && again.content_hash == scan.content_hash);
    if (decoded == ERR_OK) {
        require(scan.on == message.on && scan.boot == message.boot && scan.conn == message.conn &&
                scan.seq == message.seq);
        write_and_read_back(&message);
    } else {
        require(decoded == ERR_INVALID || decoded == ERR_LIMIT); /* never the grammar: that is the scan's to judge */
    }
    return 0;
}
