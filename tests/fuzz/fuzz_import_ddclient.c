/* SPDX-License-Identifier: Apache-2.0 */
/** No ddclient.conf breaks the reader or the plan; a refusal says why; see tests/lib/fuzz_import.h. */
#include "cli/import_plan.h"
#include "tests/lib/fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_import(&import_ddclient, view_n((const char *)data, size));
    return 0;
}
