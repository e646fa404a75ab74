/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/damper.h"

#include <stdlib.h>

#include "coordinator/device.h"

#define FIRST_SLOTS   256u
#define CALM_HALVINGS 10 /* after as many half-lives an entry says nothing any more */

struct slot {
    uint32_t device; /* DEVICE_NONE = free */
    struct damping damping;
};

struct damper {
    struct slot *slots; /* a power of two, at most half full */
    size_t slots_len, used;
};

static enum err make_slots(size_t len, struct slot **ret_slots)
{
    struct slot *slots = calloc(len, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < len; i++) {
        slots[i].device = DEVICE_NONE;
    }
    *ret_slots = slots;
    return ERR_OK;
}

enum err damper_new(struct damper **ret_damper)
{
    struct damper *damper = calloc(1, sizeof(*damper));
    if (damper == NULL) {
        return ERR_NOMEM;
    }
    damper->slots_len = FIRST_SLOTS;
    enum err err = make_slots(FIRST_SLOTS, &damper->slots);
    if (err != ERR_OK) {
        free(damper);
        return err;
    }
    *ret_damper = damper;
    return ERR_OK;
}

void damper_free(struct damper *damper)
{
    if (damper != NULL) {
        free(damper->slots);
        free(damper);
    }
}

static struct slot *find(const struct damper *damper, uint32_t device)
{
    size_t at = (device * 0x9e3779b1u >> 7) & (damper->slots_len - 1);
    while (damper->slots[at].device != DEVICE_NONE && damper->slots[at].device != device) {
        at = (at + 1) & (damper->slots_len - 1);
    }
    return &damper->slots[at];
}

/* Keeps the table at most half full, leaving calm devices behind. */
static enum err make_room(struct damper *damper, const struct damping_params *params, uint64_t now_ms)
{
    if ((damper->used + 1) * 2 <= damper->slots_len) {
        return ERR_OK;
    }
    struct damper grown = {.slots_len = damper->slots_len * 2};
    enum err err = make_slots(grown.slots_len, &grown.slots);
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < damper->slots_len; i++) {
        const struct slot *slot = &damper->slots[i];
        uint64_t calm_s = slot->damping.last_s + (uint64_t)params->half_life_s * CALM_HALVINGS;
        if (slot->device != DEVICE_NONE && (slot->damping.held_since_s != 0 || now_ms / 1000 < calm_s)) {
            *find(&grown, slot->device) = *slot;
            grown.used++;
        }
    }
    free(damper->slots);
    *damper = grown;
    return ERR_OK;
}

uint64_t damper_change(struct damper *damper, uint32_t device, const struct damping_params *params, uint64_t now_ms)
{
    if (make_room(damper, params, now_ms) != ERR_OK) {
        return 0; /* publishing too eagerly beats not publishing */
    }
    struct slot *slot = find(damper, device);
    if (slot->device == DEVICE_NONE) {
        *slot = (struct slot){.device = device};
        damper->used++;
    }
    struct damping_decision decision = damping_change(&slot->damping, params, now_ms);
    return decision.publish ? 0 : decision.until_ms;
}

uint64_t damper_release(struct damper *damper, uint32_t device, const struct damping_params *params, uint64_t now_ms)
{
    struct slot *slot = find(damper, device);
    if (slot->device == DEVICE_NONE) {
        return 0;
    }
    struct damping_decision decision = damping_release(&slot->damping, params, now_ms);
    return decision.publish ? 0 : decision.until_ms;
}
