/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/dedup.h"

int dedup_compare(const struct device *device, uint32_t boot, uint32_t seq)
{
    if (boot != device->boot) {
        return boot > device->boot ? 1 : -1;
    }
    return (seq > device->seq) - (seq < device->seq);
}

enum dedup_verdict dedup_judge(const struct device *device, const struct dedup_input *input)
{
    if (!input->known) {
        return DEDUP_CHANGED;
    }
    int order = dedup_compare(device, input->scan->boot, input->scan->seq);
    if (order < 0) {
        return input->retained ? DEDUP_STALE : DEDUP_LOWER;
    }
    bool same = input->scan->content_hash == device->content_hash &&
                (input->observed->family == IP_NONE || ip_equal(input->observed, &device->observed));
    if (!same) {
        return DEDUP_CHANGED;
    }
    if (order > 0) {
        return DEDUP_NEWER;
    }
    bool unacked = (device->flags & DEVICE_DURABLE) == 0 || input->repeat;
    return unacked && !input->retained ? DEDUP_UNACKED : DEDUP_SAME;
}
