/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of Cloudflare's API at every stage: which zone, which records, what became of a batch. */
#include "tests/lib/fuzz_provider.h"

#include "providers/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const canned[] = {
        "{\"success\":true,\"result\":[{\"id\":\"z1\",\"name\":\"example.net\",\"status\":\"active\"}]}",
        "{\"success\":true,\"result\":[{\"id\":\"r1\",\"type\":\"A\",\"name\":\"a.example.net\",\"content\":\"192.0.2."
        "9\","
        "\"ttl\":60}],\"result_info\":{\"total_pages\":1}}",
        NULL,
    };
    static const struct fuzz_provider fuzz = {.ops = &provider_cloudflare, .canned = canned};
    fuzz_provider_run(&fuzz, data, size);
    return 0;
}
