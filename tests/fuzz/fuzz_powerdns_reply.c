/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of PowerDNS's API: look-ups of shared zones, what became of a PATCH, a zone's listing. */
#include "tests/lib/fuzz_provider.h"

#include "providers/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const canned[] = {"{\"rrsets\":[]}", "{\"rrsets\":[]}", NULL};
    static const struct fuzz_provider fuzz = {
        .ops = &provider_powerdns, .config = {.url = "http://127.0.0.1:8081"}, .canned = canned};
    fuzz_provider_run(&fuzz, data, size);
    return 0;
}
