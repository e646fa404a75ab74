/* SPDX-License-Identifier: Apache-2.0 */
/** rtnetlink messages of any content: nothing is read past their end, and every event that comes out can be printed. */
#include <stdlib.h>
#include <string.h>

#include "net/rtparse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *aligned = malloc(size > 0 ? size : 1); /* the exact size: the sanitizer sees the first byte too many */
    if (aligned == NULL) {
        return 0;
    }
    memcpy(aligned, data, size);
    struct rt_event event;
    char text[RT_TEXT_SIZE];
    if (rt_parse(aligned, size, &event) == ERR_OK) {
        bool bad_name = memchr(event.ifname, '\0', sizeof(event.ifname)) == NULL;
        bool bad_length = event.what == RT_ADDR && event.addr.prefix_len > (event.addr.ip.family == IP_V4 ? 32 : 128);
        if (bad_name || bad_length || rt_describe(&event, text) != strlen(text)) {
            abort();
        }
    }
    free(aligned);
    return 0;
}
