/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * zoneplan: what an operator has reviewed (`muster zone plan`) and wants done, exactly that (`muster zone apply`). The
 * plan is a JSON file; a sweep that runs with one does what both say: a change whose value in the zone, or whose wanted
 * value, is another by now is left. Pure.
 *
 *     {"muster_plan":1,"zone":"example.net","store":"<uuid>","made_ms":1795000000000,"valid_s":3600,..,
 *      "changes":[{"kind":"wrong","name":"a.example.net","type":"A","zone":["192.0.2.1"],"zone_ttl":60,
 *                  "want":["192.0.2.2"],"ttl":60}]}
 *
 * Other members are for people and are not read.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "providers/rrset.h"

#define ZONEPLAN_VERSION     1
#define ZONEPLAN_CHANGES_MAX 1000
#define ZONEPLAN_TEXT_MAX    ((size_t)1 << 20)
#define ZONEPLAN_VALID_MAX_S (7u * 86400)
#define ZONEPLAN_AHEAD_MS    60000 /* clocks that were set meanwhile */

/** One change as it was reviewed, or as a sweep finds it. */
struct zoneplan_change {
    const char *kind; /* drift_name */
    const char *name; /* canonical */
    enum rrtype type;
    struct rrset_value have, want; /* want empty = delete */
    uint32_t have_ttl, want_ttl;   /* 0 = nothing there, or it cannot be listed */
};

enum zoneplan_fate {
    ZONEPLAN_SETTLED, /* nothing is to be done there any more */
    ZONEPLAN_CHANGED, /* the zone or what is wanted has changed: another change than the one that was reviewed */
    ZONEPLAN_MOVING,  /* its writer is at it already */
    ZONEPLAN_APPLY,   /* done; the reply to a dry run says would-apply */
};
/** For programs: "settled", "changed", "moving", "applied". */
const char *zoneplan_fate_name(enum zoneplan_fate fate);

struct zoneplan_item {
    struct zoneplan_change change;
    enum zoneplan_fate fate;
};

struct zoneplan {
    char *zone, *store; /* owned, as the texts of the items */
    int64_t made_ms;    /* wall */
    uint64_t valid_s;
    struct zoneplan_item *items; /* by name and type; owned */
    size_t len;
};

/** @return ERR_PARSE (info says what), ERR_LIMIT, ERR_UNSUPPORTED (another version), ERR_NOMEM. */
enum err zoneplan_parse(struct view text, struct zoneplan **ret_plan, struct errinfo *info) MUST_CHECK;
void zoneplan_free(struct zoneplan *plan); /* NULL allowed */

/** Whether a plan may be applied here and now. @return ERR_INVALID (another zone), ERR_CONFLICT (another store, too
 * old, or from the future), info. */
enum err zoneplan_check(const struct zoneplan *plan, const char *zone, const char *store, int64_t now_ms,
                        struct errinfo *info) MUST_CHECK;

/** The item for what a sweep would do, which gets its fate. @return NULL: not reviewed, or reviewed otherwise: leave
 * it. */
struct zoneplan_item *zoneplan_take(struct zoneplan *plan, const struct zoneplan_change *found);
