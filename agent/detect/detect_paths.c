/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "agent/detect/detect_private.h"
#include "base/crypto.h"
#include "base/log.h"

/* A fleet loses its broker at one moment: who is asked then is asked over this time. */
#define SPREAD_MS 250
/* A router's answer is as good as one of now, and a question that is due is as good as asked. */
#define ROUTER_MS 250

/* A path that appears so soon after the start is there since the power came back: as long as DHCP and duplicate address
 * detection may take. Later ones are this device's alone. */
#define START_MS 30000

struct path *detect_path(const struct detect *detect, const char *uplink, uint8_t family)
{
    for (size_t p = 0; p < detect->paths_len; p++) {
        if (detect->paths[p]->family == family && strcmp(detect->paths[p]->uplink, uplink) == 0) {
            return detect->paths[p];
        }
    }
    return NULL;
}

/* The place of the path that was away the longest; NULL: none can be spared. */
static struct path *forgettable(const struct detect *detect)
{
    struct path *oldest = NULL;
    for (size_t p = 0; p < detect->paths_len; p++) {
        struct path *path = detect->paths[p];
        bool may = !path->present && path->under_way == 0;
        if (may && (oldest == NULL || path->present_ms < oldest->present_ms)) {
            oldest = path;
        }
    }
    return oldest;
}

/* The owner keeps to it, for it outlives the source at a reload. */
static uint64_t floor_of(const struct slot *slot)
{
    uint32_t pause_ms = slot->ops->pause_ms != NULL ? slot->ops->pause_ms(&slot->config) : 0;
    return MAX(slot->ops->min_every_ms, pause_ms);
}

static void init_path(const struct detect *detect, struct path *path, const char *uplink, uint8_t family)
{
    struct fusion_source sources[FUSION_SOURCES_MAX];
    *path = (struct path){.family = family};
    memcpy(path->uplink, uplink, MIN(strlen(uplink), sizeof(path->uplink) - 1)); /* of the same size */
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct slot *slot = &detect->slots[i];
        const struct schedule_timing timing = {.floor_ms = floor_of(slot),
                                               .every_ms = source_period_ms(slot->ops, &slot->config)};
        sources[i] =
            (struct fusion_source){.view = slot->ops->view,
                                   .counts = !slot->config.shown_only,
                                   .fresh_ms = source_fresh_ms(slot->ops, &slot->config, detect->options.timeout_ms)};
        schedule_init(&path->schedules[i], &timing);
    }
    uint64_t now = detect_now(detect);
    uint32_t spread_ms = now - detect->made_ms < START_MS ? detect->options.spread_ms : 0;
    path->first_ms = schedule_first_ms(now, spread_ms, crypto_random_u64());
    fusion_init(&path->fusion, family, &detect->options.policy, sources, detect->slots_len, now);
    health_init(&path->health, &detect->options.policy, now);
}

/* A source that could not be opened has said its last word. */
static void show_troubles(struct detect *detect, struct path *path)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (detect->slots[i].trouble[0] != '\0') {
            struct source_answer answer = {.status = SOURCE_ANSWER_FAILED};
            memcpy(answer.detail, detect->slots[i].trouble, sizeof(answer.detail));
            detect_vote(detect, path, &detect->slots[i], &answer, false);
        }
    }
}

static struct path *make_path(struct detect *detect, const char *uplink, uint8_t family)
{
    struct path *path = detect->paths_len < DETECT_PATHS_MAX ? calloc(1, sizeof(*path)) : forgettable(detect);
    if (path == NULL) {
        return NULL;
    }
    if (detect->paths_len < DETECT_PATHS_MAX) {
        detect->paths[detect->paths_len++] = path;
    }
    init_path(detect, path, uplink, family);
    show_troubles(detect, path);
    return path;
}

static bool is_first_uplink(const struct detect *detect, const struct path *path)
{
    return detect->set.uplinks_len > 0 && strcmp(detect->set.paths[0].name, path->uplink) == 0;
}

static bool names_uplinks(const struct slot *slot)
{
    return slot->config.uplink != NULL && slot->config.uplink[0] != '\0';
}

bool detect_concerns(const struct slot *slot, const struct path *path)
{
    bool wanted = path->family == IP_V4 ? slot->config.ip4 : slot->config.ip6;
    return wanted && (!names_uplinks(slot) || fnmatch(slot->config.uplink, path->uplink, 0) == 0);
}

bool detect_may_ask(const struct slot *slot, const struct path *path)
{
    if (slot->source == NULL || !path->present || path->own.presence != FIELD_SET || !detect_concerns(slot, path)) {
        return false;
    }
    /* What a person says is about the device, not about one of its ways out, unless he says which. */
    return slot->ops->view != SOURCE_VIEW_DECLARED || names_uplinks(slot) || is_first_uplink(slot->detect, path);
}

void detect_want(struct detect *detect, struct path *path, uint64_t at_ms, bool event)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct slot *slot = &detect->slots[i];
        /* Only who is asked by a whole fleet is spared its start. */
        bool outside = slot->ops->view == SOURCE_VIEW_PATH;
        if (detect_may_ask(slot, path)) {
            schedule_want(&path->schedules[i], outside ? MAX(at_ms, path->first_ms) : at_ms, event);
        }
    }
}

void detect_moved(struct detect *detect, struct path *path, bool same)
{
    path->held = detect_hold_nat(detect, path, same);
    path->moved_ms = detect_now(detect);
    (void)fusion_path_changed(&path->fusion, path->moved_ms); /* whatever changed, the owner is told below */
    health_moved(&path->health, path->moved_ms);
    memset(path->missed_ms, 0, sizeof(path->missed_ms));
    detect_wake(detect);
}

static void tell_interface(struct detect *detect, struct path *path)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED};
    static const char *const details[] = {[FIELD_ABSENT] = "nothing is known yet",
                                          [FIELD_NULL] = "the interface has none",
                                          [FIELD_SET] = "the interface's own"};
    memcpy(answer.detail, details[path->own.presence], strlen(details[path->own.presence]));
    if (path->own.presence == FIELD_SET) {
        answer.status = SOURCE_ANSWER_ADDRESS;
        answer.ip = path->own.ip;
    } else if (path->own.presence == FIELD_NULL) {
        answer.status = SOURCE_ANSWER_ABSENT;
    }
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (detect_is_event(&detect->slots[i], SOURCE_VIEW_LOCAL)) {
            detect_vote(detect, path, &detect->slots[i], &answer, true);
        }
    }
    (void)fusion_absence(&path->fusion, path->own.presence == FIELD_NULL, detect_now(detect));
    detect_wake(detect);
}

static bool field_is(const struct address_field *a, const struct address_field *b)
{
    return a->presence == b->presence && (a->presence != FIELD_SET || ip_equal(&a->ip, &b->ip));
}

/* @return the path is new or another one. */
static bool take_field(struct detect *detect, const char *uplink, uint8_t family, const struct address_field *field,
                       const struct ip *gateway)
{
    struct path *path = detect_path(detect, uplink, family);
    bool fresh = path == NULL;
    if (fresh && field->presence == FIELD_ABSENT) {
        return false; /* a family that is not reported, or of which nothing is known yet */
    }
    path = fresh ? make_path(detect, uplink, family) : path;
    if (path == NULL) {
        return false; /* no memory, or more links than anybody has: the interfaces' own addresses stay */
    }
    bool moved = fresh || path->away || !field_is(&path->own, field) || !ip_equal(&path->gateway, gateway);
    uint64_t now = detect_now(detect);
    path->present = true;
    path->away = false;
    path->present_ms = now;
    path->own = *field;
    path->gateway = *gateway;
    if (moved && !fresh) {
        detect_moved(detect, path, false);
    }
    if (moved) {
        tell_interface(detect, path);
        detect_want(detect, path, now, true);
    }
    return moved;
}

/* A link that comes back is another path: it may lead elsewhere. */
void detect_let_go(struct path *path)
{
    path->away = true;
    for (size_t i = 0; i < FUSION_SOURCES_MAX; i++) {
        schedule_rest(&path->schedules[i]);
    }
}

/* Another uplink is the first: what a person says is now about that one. */
static void follow_first(struct detect *detect, const char *before)
{
    for (size_t p = 0; p < detect->paths_len; p++) {
        struct path *path = detect->paths[p];
        bool follows = is_first_uplink(detect, path) && strcmp(path->uplink, before) != 0;
        for (size_t i = 0; follows && i < detect->slots_len; i++) {
            const struct slot *slot = &detect->slots[i];
            if (slot->ops->view == SOURCE_VIEW_DECLARED && detect_may_ask(slot, path)) {
                schedule_want(&path->schedules[i], detect_now(detect), true);
            }
        }
    }
}

void detect_addresses(struct detect *detect, const struct address_set *set)
{
    if (detect == NULL) {
        return;
    }
    char first[RT_IFNAME_SIZE];
    memcpy(first, detect->set.paths[0].name, sizeof(first));
    bool moved = set->uplinks_len != detect->set.uplinks_len || strcmp(first, set->paths[0].name) != 0;
    detect->set = *set;
    for (size_t p = 0; p < detect->paths_len; p++) {
        detect->paths[p]->present = false;
    }
    for (size_t i = 0; i < set->uplinks_len; i++) {
        const struct uplink *uplink = &set->uplinks[i];
        const struct uplink_path *path = &set->paths[i];
        moved = take_field(detect, path->name, IP_V4, &uplink->ip4, &path->gateway4) || moved;
        moved = take_field(detect, path->name, IP_V6, &uplink->ip6, &path->gateway6) || moved;
    }
    for (size_t p = 0; p < detect->paths_len; p++) {
        if (!detect->paths[p]->present) {
            detect_let_go(detect->paths[p]);
        }
    }
    follow_first(detect, first);
    if (moved) { /* a router that repeats its advertisements wakes nobody twice */
        detect_wake(detect);
    }
}

static void tell_observed(struct detect *detect, struct path *path, const struct ip *observed)
{
    struct source_answer answer = {.status = SOURCE_ANSWER_FAILED};
    static const char seen[] = "the broker's view of the connection", none[] = "no connection to the broker";
    if (observed->family == IP_NONE) {
        memcpy(answer.detail, none, sizeof(none));
    } else {
        memcpy(answer.detail, seen, sizeof(seen));
        answer.status = SOURCE_ANSWER_ADDRESS;
        answer.ip = *observed;
    }
    for (size_t i = 0; i < detect->slots_len; i++) {
        bool had = path->fusion.votes[i].has;
        if (detect_is_event(&detect->slots[i], SOURCE_VIEW_PATH) && (had || observed->family != IP_NONE)) {
            detect_vote(detect, path, &detect->slots[i], &answer, true);
        }
    }
}

void detect_observed(struct detect *detect, const struct ip *observed, const char *uplink)
{
    if (detect == NULL) {
        return;
    }
    if (uplink[0] == '\0' && detect->set.uplinks_len == 1) {
        uplink = detect->set.paths[0].name;
    }
    for (size_t p = 0; p < detect->paths_len; p++) {
        struct path *path = detect->paths[p];
        bool gone = observed->family == IP_NONE;
        path->observed = (struct ip){0};
        if (path->present && (gone || (path->family == observed->family && strcmp(path->uplink, uplink) == 0))) {
            path->observed = *observed;
            tell_observed(detect, path, observed);
        }
    }
}

static bool is_router(const struct detect *detect, size_t i)
{
    return detect->slots[i].ops->view == SOURCE_VIEW_ROUTER;
}

/* Of a path that nobody could be reached by; the router is asked when somebody can: it may change only then. */
static void want_outside(struct detect *detect, struct path *path, uint64_t at_ms)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (!is_router(detect, i) && detect_may_ask(&detect->slots[i], path)) {
            schedule_want(&path->schedules[i], at_ms, true);
        }
    }
}

/* The path may lead through another NAT than the one before. */
static void want_routers(struct detect *detect, struct path *path, uint64_t now)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        struct schedule *schedule = &path->schedules[i];
        bool recent = schedule->asked_before && now - schedule->asked_ms < ROUTER_MS;
        if (is_router(detect, i) && !recent && detect_may_ask(&detect->slots[i], path)) {
            schedule_want(schedule, now, true);
        }
    }
}

/* Who was silent before is not waited for. */
static bool awaits(const struct detect *detect, const struct path *path, size_t i)
{
    const struct schedule *schedule = &path->schedules[i];
    const struct fusion_vote *vote = &path->fusion.votes[i];
    bool speaks = !vote->has || vote->answer.status != SOURCE_ANSWER_FAILED || vote->answer.no_outside;
    bool soon = schedule->due_ms != SCHEDULE_NEVER && schedule->due_ms <= detect_now(detect) + ROUTER_MS;
    return is_router(detect, i) && speaks && (schedule->under_way || soon);
}

static bool has_router(const struct detect *detect)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (is_router(detect, i) && detect->slots[i].source != NULL && detect->slots[i].config.ip4) {
            return true;
        }
    }
    return false;
}

bool detect_awaits_router(const struct detect *detect)
{
    if (detect != NULL && detect->set.uplinks_len == 0) {
        return has_router(detect); /* the kernel calls a link up a moment after it carries a connection */
    }
    for (size_t p = 0; detect != NULL && p < detect->paths_len; p++) {
        const struct path *path = detect->paths[p];
        for (size_t i = 0; path->present && path->family == IP_V4 && i < detect->slots_len; i++) {
            if (awaits(detect, path, i)) {
                return true;
            }
        }
    }
    return false;
}

/* A connection that stands again answers for the path; only who could not be reached is asked sooner than planned. */
static void want_unanswered(struct detect *detect, struct path *path, uint64_t at_ms)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        struct schedule *schedule = &path->schedules[i];
        bool stale = schedule->failures > 0 || (detect->lost_ms != 0 && schedule->asked_ms < detect->lost_ms);
        if (stale && detect_may_ask(&detect->slots[i], path)) {
            schedule_want(schedule, at_ms, true);
        }
    }
}

static void trigger_path(struct detect *detect, struct path *path, enum detect_trigger trigger, uint64_t spread)
{
    uint64_t now = detect_now(detect);
    switch (trigger) {
    case DETECT_CONNECTION_LOST:
        want_outside(detect, path, now + spread);
        break;
    case DETECT_CONNECTED:
        want_routers(detect, path, now);
        want_unanswered(detect, path, now + spread);
        break;
    case DETECT_ANNOUNCED:
    case DETECT_RESUMED:
        detect_moved(detect, path, true);
        detect_want(detect, path, now, true);
        break;
    case DETECT_REQUESTED:
        detect_want(detect, path, now, false);
        break;
    }
}

void detect_trigger(struct detect *detect, enum detect_trigger trigger)
{
    if (detect == NULL) {
        return;
    }
    uint64_t spread = crypto_random_u64() % SPREAD_MS;
    for (size_t p = 0; p < detect->paths_len; p++) {
        if (detect->paths[p]->present) {
            trigger_path(detect, detect->paths[p], trigger, spread);
        }
    }
    detect->lost_ms = trigger == DETECT_CONNECTION_LOST ? detect_now(detect) : detect->lost_ms;
    detect_wake(detect);
}

static const struct slot *same_source(const struct detect *detect, const struct slot *slot)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct slot *other = &detect->slots[i];
        if (other->ops == slot->ops && strcmp(other->config.name, slot->config.name) == 0) {
            return other;
        }
    }
    return NULL;
}

static void adopt_path(struct detect *detect, struct path *path, const struct detect *old, const struct path *before)
{
    size_t from[FUSION_SOURCES_MAX];
    path->own = before->own;
    path->gateway = before->gateway;
    path->observed = before->observed;
    path->moved_ms = before->moved_ms;
    path->held = before->held;
    path->held.router = SIZE_MAX;
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct slot *slot = &detect->slots[i], *was = same_source(old, slot);
        bool known = was != NULL && detect_concerns(slot, path);
        from[i] = known ? was->index : SIZE_MAX;
        if (known) {
            path->words[i] = before->words[was->index];
            path->held.router = was->index == before->held.router ? i : path->held.router;
            path->schedules[i].asked_before = before->schedules[was->index].asked_before;
            path->schedules[i].asked_ms = before->schedules[was->index].asked_ms;
        }
    }
    fusion_adopt(&path->fusion, &before->fusion, from, detect_now(detect));
    show_troubles(detect, path);
}

void detect_adopt(struct detect *detect, const struct detect *old)
{
    for (size_t p = 0; p < old->paths_len; p++) {
        const struct path *before = old->paths[p];
        struct path *path = before->present ? make_path(detect, before->uplink, before->family) : NULL;
        if (path != NULL) {
            adopt_path(detect, path, old, before);
            path->health = before->health;
            path->health.policy = &detect->options.policy;
        }
    }
    detect->lost_ms = old->lost_ms;
    detect->made_ms = old->made_ms;
    memcpy(detect->carrier, old->carrier, sizeof(detect->carrier));
    detect->carrier_family = old->carrier_family;
    detect_addresses(detect, &old->set);
    for (size_t p = 0; p < detect->paths_len; p++) {
        tell_interface(detect, detect->paths[p]);                        /* the old config may not have had it */
        detect_want(detect, detect->paths[p], detect_now(detect), true); /* each within its floor */
    }
}
