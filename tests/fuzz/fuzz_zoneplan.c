/* SPDX-License-Identifier: Apache-2.0 */
/** No plan breaks the reader; one that is read is in order, within its cap, and finds each of its own changes. */
#include <assert.h>
#include <string.h>

#include "coordinator/zoneplan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zoneplan *plan = NULL;
    struct errinfo info = {0};
    enum err err = zoneplan_parse(view_n((const char *)data, size), &plan, &info);
    if (err != ERR_OK) {
        assert(plan == NULL && (info.text[0] != '\0' || err == ERR_NOMEM || err == ERR_LIMIT));
        return 0;
    }
    assert(plan->len <= ZONEPLAN_CHANGES_MAX);
    for (size_t i = 0; i < plan->len; i++) {
        const struct zoneplan_change change = plan->items[i].change;
        assert(i == 0 || strcmp(plan->items[i - 1].change.name, change.name) <= 0);
        assert(zoneplan_take(plan, &change) == &plan->items[i] && plan->items[i].fate == ZONEPLAN_APPLY);
    }
    (void)!zoneplan_check(plan, "example.net", "s", 0, &info); /* whatever it says */
    zoneplan_free(plan);
    return 0;
}
