/* SPDX-License-Identifier: Apache-2.0 */
/** Header lines of a reply and Retry-After, with any bytes: caps hold, values found lie without line ends. */
#include <stdlib.h>
#include <string.h>

#include "net/httphead.h"

#define MAX_BYTES 4096
#define WALL_MS   1767225600000
#define MAX_S     86400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_headers headers;
    struct view rest = view_n((const char *)data, size);
    struct view line, value;
    enum err err = ERR_OK;
    http_headers_init(&headers, MAX_BYTES);
    while (err == ERR_OK && view_next(&rest, '\n', &line)) {
        err = http_headers_add(&headers, line);
    }
    if (headers.bytes > MAX_BYTES || (err == ERR_LIMIT && size <= MAX_BYTES)) {
        abort();
    }
    if (http_headers_find(&headers, "retry-after", &value)) {
        uint64_t wait_ms = 0;
        if (memchr(value.ptr, '\n', value.len) != NULL) {
            abort();
        }
        if (http_retry_after_parse(value, WALL_MS, MAX_S, &wait_ms) == ERR_OK && wait_ms > (uint64_t)MAX_S * 1000) {
            abort();
        }
    }
    http_headers_deinit(&headers);
    return 0;
}
