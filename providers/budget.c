/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/budget.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define MILLI 1000

void budget_init(struct budget *budget)
{
    *budget = (struct budget){0};
}

void budget_deinit(struct budget *budget)
{
    for (size_t i = 0; i < budget->len; i++) {
        free(budget->meters[i].times_ms);
    }
    budget_init(budget);
}

enum err budget_add(struct budget *budget, const struct provider_rate *rate, uint64_t now_ms)
{
    if (budget->len == ARRAY_LEN(budget->meters)) {
        return ERR_LIMIT;
    }
    struct budget_meter meter = {.rate = *rate, .updated_ms = now_ms};
    if (rate->what == RATE_CHANGES && rate->burst == 0) {
        meter.rate.burst = rate->units;
    }
    if (meter.rate.burst == 0) {
        meter.times_ms = calloc(rate->units, sizeof(*meter.times_ms));
        if (meter.times_ms == NULL) {
            return ERR_NOMEM;
        }
    }
    meter.milli = (int64_t)meter.rate.burst * MILLI;
    budget->meters[budget->len++] = meter;
    return ERR_OK;
}

enum err budget_add_all(struct budget *budget, const struct provider_limits *limits, enum rate_of scope,
                        uint64_t now_ms)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < limits->rates_len && err == ERR_OK; i++) {
        if (limits->rates[i].of == scope) {
            err = budget_add(budget, &limits->rates[i], now_ms);
        }
    }
    return err;
}

static bool same_rate(const struct provider_rate *a, const struct provider_rate *b)
{
    return a->of == b->of && a->what == b->what && a->units == b->units && a->period_ms == b->period_ms &&
           a->burst == b->burst;
}

void budget_inherit(struct budget *budget, const struct budget *from)
{
    for (size_t i = 0; i < budget->len; i++) {
        struct budget_meter *meter = &budget->meters[i];
        const struct budget_meter *old = from->meters;
        while (old < from->meters + from->len && !same_rate(&old->rate, &meter->rate)) {
            old++;
        }
        if (old < from->meters + from->len) {
            uint64_t *times_ms = meter->times_ms;
            if (times_ms != NULL) {
                memcpy(times_ms, old->times_ms, meter->rate.units * sizeof(*times_ms));
            }
            *meter = *old;
            meter->times_ms = times_ms;
        }
    }
}

static void refill(struct budget_meter *meter, uint64_t now_ms)
{
    const struct provider_rate *rate = &meter->rate;
    int64_t full = (int64_t)rate->burst * MILLI;
    uint64_t per_period = (uint64_t)rate->units * MILLI, passed = now_ms - meter->updated_ms;
    meter->updated_ms = now_ms;
    if (passed / rate->period_ms > (uint64_t)(full - meter->milli) / per_period) {
        meter->milli = full;
        meter->remainder = 0;
        return;
    }
    uint64_t parts = passed * per_period + meter->remainder;
    meter->milli += (int64_t)(parts / rate->period_ms);
    meter->remainder = parts % rate->period_ms;
    if (meter->milli >= full) {
        meter->milli = full;
        meter->remainder = 0;
    }
}

/** Rounded up: never too early. */
static uint64_t bucket_wait(struct budget_meter *meter, uint64_t changes, uint64_t now_ms)
{
    uint64_t units = meter->rate.what == RATE_CHANGES ? MIN(MAX(changes, 1u), (uint64_t)meter->rate.burst) : 1;
    int64_t need = (int64_t)units * MILLI;
    refill(meter, now_ms);
    if (meter->milli >= need) {
        return 0;
    }
    uint64_t per_period = (uint64_t)meter->rate.units * MILLI;
    uint64_t parts = (uint64_t)(need - meter->milli) * meter->rate.period_ms - meter->remainder;
    return (parts + per_period - 1) / per_period;
}

static uint64_t window_wait(const struct budget_meter *meter, uint64_t now_ms)
{
    if (meter->count < meter->rate.units) {
        return 0;
    }
    uint64_t due_ms = meter->times_ms[meter->next] + meter->rate.period_ms; /* the oldest is overwritten next */
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static bool counts(const struct budget_meter *meter, bool write)
{
    return meter->rate.what == RATE_CALLS || write;
}

uint64_t budget_wait_ms(struct budget *budget, bool write, uint64_t changes, uint64_t now_ms)
{
    uint64_t wait = 0;
    for (size_t i = 0; i < budget->len; i++) {
        struct budget_meter *meter = &budget->meters[i];
        if (counts(meter, write)) {
            uint64_t own = meter->times_ms != NULL ? window_wait(meter, now_ms) : bucket_wait(meter, changes, now_ms);
            wait = MAX(wait, own);
        }
    }
    return wait;
}

static uint64_t window_left(const struct budget_meter *meter, uint64_t now_ms)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < meter->count; i++) {
        uint32_t at = (meter->next + meter->rate.units - 1 - i) % meter->rate.units; /* the newest first */
        if (now_ms - meter->times_ms[at] >= meter->rate.period_ms) {
            break;
        }
        used++;
    }
    return meter->rate.units - used;
}

bool budget_left(struct budget *budget, const struct provider_rate *rate, uint64_t now_ms, uint64_t *ret_units)
{
    for (size_t i = 0; i < budget->len; i++) {
        struct budget_meter *meter = &budget->meters[i];
        if (meter->rate.of != rate->of || meter->rate.what != rate->what || meter->rate.units != rate->units ||
            meter->rate.period_ms != rate->period_ms) {
            continue;
        }
        if (meter->times_ms != NULL) {
            *ret_units = window_left(meter, now_ms);
        } else {
            refill(meter, now_ms);
            *ret_units = meter->milli > 0 ? (uint64_t)meter->milli / MILLI : 0;
        }
        return true;
    }
    return false;
}

void budget_spend(struct budget *budget, bool write, uint64_t changes, uint64_t now_ms)
{
    for (size_t i = 0; i < budget->len; i++) {
        struct budget_meter *meter = &budget->meters[i];
        if (!counts(meter, write)) {
            continue;
        }
        if (meter->times_ms == NULL) {
            refill(meter, now_ms);
            meter->milli -= (int64_t)(meter->rate.what == RATE_CHANGES ? changes : 1) * MILLI;
            continue;
        }
        meter->times_ms[meter->next] = now_ms;
        meter->next = (meter->next + 1) % meter->rate.units;
        meter->count = MIN(meter->count + 1, meter->rate.units);
    }
}
