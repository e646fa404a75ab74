/* SPDX-License-Identifier: Apache-2.0 */
/** Lines that turn certificates away: what is taken reads back the same when it is written. */
#include <stdlib.h>
#include <string.h>

#include "mqtt/denyline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = view_n((const char *)data, size);
    struct view text;
    while (view_next(&rest, '\n', &text)) {
        struct deny_line line;
        struct deny_line again;
        char written[DENY_LINE_SIZE];
        if (deny_line_parse(text, &line) != ERR_OK) {
            continue;
        }
        if (line.verb == DENY_KICK) {
            require(line.id.len > 0 && line.id.len <= DEVICE_ID_MAX);
            continue;
        }
        deny_line_write(line.verb, &line.cert, written);
        require(deny_line_parse(view_of(written), &again) == ERR_OK && again.verb == line.verb);
        require(memcmp(&line.cert, &again.cert, sizeof(line.cert)) == 0);
    }
    return 0;
}
