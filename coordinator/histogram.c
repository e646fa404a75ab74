/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/histogram.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

#define LINEAR_BUCKETS 16 /* 0 to 15 ms one by one, then eight buckets a doubling */
#define PER_DOUBLING   8

static unsigned bucket_of(uint64_t value)
{
    if (value < LINEAR_BUCKETS) {
        return (unsigned)value;
    }
    unsigned top = 63 - (unsigned)__builtin_clzll(value); /* at least 4 */
    unsigned eighth = (unsigned)(value >> (top - 3)) & (PER_DOUBLING - 1);
    unsigned bucket = LINEAR_BUCKETS + (top - 4) * PER_DOUBLING + eighth;
    return MIN(bucket, HISTOGRAM_BUCKETS - 1u);
}

static double middle_of(unsigned bucket)
{
    if (bucket < LINEAR_BUCKETS) {
        return bucket;
    }
    unsigned top = (bucket - LINEAR_BUCKETS) / PER_DOUBLING + 4;
    double width = (double)(1ull << (top - 3));
    return (double)(1ull << top) + width * ((bucket - LINEAR_BUCKETS) % PER_DOUBLING) + width / 2;
}

void histogram_add(struct histogram *histogram, uint64_t value_ms, uint64_t now_ms)
{
    if (now_ms - histogram->window_start_ms >= HISTOGRAM_WINDOW_MS) {
        bool silent = now_ms - histogram->window_start_ms >= 2 * HISTOGRAM_WINDOW_MS;
        if (silent) { /* the window that ends now is older than what the other one may tell of */
            memset(histogram->windows, 0, sizeof(histogram->windows));
        }
        histogram->current ^= 1u;
        memset(histogram->windows[histogram->current], 0, sizeof(histogram->windows[0]));
        histogram->window_start_ms = now_ms;
    }
    histogram->windows[histogram->current][bucket_of(value_ms)]++;
    histogram->count++;
    histogram->sum_ms += (double)value_ms;
}

double histogram_quantile(const struct histogram *histogram, double q)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += histogram->windows[0][i] + histogram->windows[1][i];
    }
    if (total == 0) {
        return 0;
    }
    uint64_t rank = (uint64_t)(q * (double)(total - 1)) + 1;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->windows[0][i] + histogram->windows[1][i];
        if (seen >= rank) {
            return middle_of(i);
        }
    }
    return middle_of(HISTOGRAM_BUCKETS - 1);
}
