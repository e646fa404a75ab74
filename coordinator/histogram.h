/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * histogram: times in milliseconds, counted in buckets that grow by an eighth, over two windows of five minutes, so
 * quantiles are of the last 5 to 10 minutes and within 12.5 %. A value of 2 KiB.
 */
#include <stdint.h>

#define HISTOGRAM_BUCKETS   256
#define HISTOGRAM_WINDOW_MS 300000

struct histogram {
    uint32_t windows[2][HISTOGRAM_BUCKETS];
    uint64_t window_start_ms; /* of windows[current] */
    unsigned current;
    uint64_t count; /* since start */
    double sum_ms;  /* since start */
};

void histogram_add(struct histogram *histogram, uint64_t value_ms, uint64_t now_ms);
/** @p q from 0 to 1; 0 when there is nothing to tell from. */
double histogram_quantile(const struct histogram *histogram, double q);
