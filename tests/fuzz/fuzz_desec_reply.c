/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of deSEC's API at every stage: the domain, pages of RRsets, what became of a bulk change. */
#include "tests/lib/fuzz_provider.h"

#include "providers/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const canned[] = {"{\"minimum_ttl\":60}", "[]", NULL};
    static const struct fuzz_provider fuzz = {.ops = &provider_desec, .canned = canned};
    fuzz_provider_run(&fuzz, data, size);
    return 0;
}
