/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/detect/detect_private.h"
#include "base/log.h"

/* Beyond the time that a source wants between two questions: others may stand before it. */
#define SOON_MS 30000

/* Asks somebody on the internet along the path. What the router or a person says tells nothing of what is behind. */
static bool is_asker(const struct slot *slot, const struct path *path)
{
    return slot->ops->view == SOURCE_VIEW_PATH && detect_may_ask(slot, path);
}

bool detect_has_asker(const struct detect *detect, const struct path *path)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (is_asker(&detect->slots[i], path)) {
            return true;
        }
    }
    return false;
}

static bool is_good(const struct path *path, size_t i)
{
    const struct fusion_vote *vote = &path->fusion.votes[i];
    return vote->has && vote->answer.status != SOURCE_ANSWER_FAILED && vote->at_ms >= path->moved_ms;
}

/* Another path of the family, that the same sources are asked along. */
static bool is_sibling(const struct path *path, const struct path *other)
{
    return other != path && other->present && other->family == path->family;
}

/* The source answered along another path after the doubt began, and failed here soon after that. */
static bool answered_elsewhere(const struct detect *detect, const struct path *path, size_t i)
{
    for (size_t p = 0; p < detect->paths_len; p++) {
        const struct path *other = detect->paths[p];
        uint64_t heard_ms = other->fusion.votes[i].at_ms;
        uint64_t soon_ms = heard_ms + path->schedules[i].timing.floor_ms + SOON_MS;
        if (is_sibling(path, other) && is_good(other, i) && heard_ms >= path->health.doubt_ms &&
            path->missed_ms[i] >= heard_ms && path->missed_ms[i] <= soon_ms) {
            return true;
        }
    }
    return false;
}

static bool carries(const struct detect *detect, const struct path *path)
{
    return path->family == detect->carrier_family && strcmp(path->uplink, detect->carrier) == 0;
}

static struct health_facts facts_of(const struct detect *detect, const struct path *path)
{
    struct health_facts facts = {.carries = carries(detect, path)};
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (is_asker(&detect->slots[i], path)) {
            facts.vouched = facts.vouched || is_good(path, i);
            facts.proven = facts.proven || answered_elsewhere(detect, path, i);
        }
    }
    return facts;
}

/* A doubt asks everybody else along this path, and who failed here along the others, to tell a dead path from a dead
 * server. Who failed is asked again here by his schedule, after those. */
static void resolve_doubt(struct detect *detect, struct path *path)
{
    uint64_t now = detect_now(detect);
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (path->missed_ms[i] == 0 && is_asker(&detect->slots[i], path)) {
            schedule_want(&path->schedules[i], now, false);
        }
    }
    for (size_t p = 0; p < detect->paths_len; p++) {
        struct path *other = detect->paths[p];
        for (size_t i = 0; is_sibling(path, other) && i < detect->slots_len; i++) {
            if (path->missed_ms[i] != 0 && is_asker(&detect->slots[i], other)) {
                schedule_want(&other->schedules[i], now, false);
            }
        }
    }
}

static void step(struct detect *detect, struct path *path, enum health_event event, uint64_t asked_ms)
{
    enum health_state before = path->health.state;
    const struct health_facts facts = facts_of(detect, path);
    if (health_step(&path->health, event, &facts, asked_ms, detect_now(detect))) {
        bool alive = path->health.told == ALIVE_YES;
        log_event(alive ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN, alive ? "uplink-alive" : "uplink-dead",
                  "uplink=%s family=%d", path->uplink, path->family);
    }
    if (path->health.state == before) {
        return;
    }
    if (path->health.state == HEALTH_DOUBTED) {
        resolve_doubt(detect, path);
    } else if (path->health.state == HEALTH_RISING) {
        detect_want(detect, path, detect_now(detect), false);
    }
    detect_wake(detect);
}

/* Who answers here and was silent along a path that is doubted is asked there again, while it is sure to be up. */
static void confront(struct detect *detect, const struct path *path, size_t i)
{
    for (size_t p = 0; p < detect->paths_len; p++) {
        struct path *other = detect->paths[p];
        if (is_sibling(path, other) && other->health.state == HEALTH_DOUBTED && other->missed_ms[i] != 0) {
            schedule_want(&other->schedules[i], detect_now(detect), false);
        }
    }
}

void detect_heard(struct detect *detect, struct path *path, const struct slot *slot, bool good, uint64_t asked_ms)
{
    if (!is_asker(slot, path)) {
        return;
    }
    path->missed_ms[slot->index] = good ? 0 : asked_ms;
    step(detect, path, good ? HEALTH_ANSWERED : HEALTH_FAILED, asked_ms);
    if (good) {
        confront(detect, path, slot->index);
    }
}

void detect_check_health(struct detect *detect, struct path *path)
{
    step(detect, path, HEALTH_TIME, 0);
}

void detect_carries(struct detect *detect, const char *uplink, uint8_t family)
{
    if (detect == NULL) {
        return;
    }
    memset(detect->carrier, 0, sizeof(detect->carrier));
    memcpy(detect->carrier, uplink, MIN(strlen(uplink), sizeof(detect->carrier) - 1)); /* the kernel's are shorter */
    detect->carrier_family = uplink[0] != '\0' ? family : (uint8_t)IP_NONE;
    for (size_t p = 0; p < detect->paths_len; p++) {
        if (detect->paths[p]->present) {
            detect_check_health(detect, detect->paths[p]);
        }
    }
}

bool detect_doubts_carrier(const struct detect *detect)
{
    const struct path *path = detect != NULL ? detect_path(detect, detect->carrier, detect->carrier_family) : NULL;
    return path != NULL && path->present && path->health.state == HEALTH_DOUBTED;
}

bool detect_doubts(const struct detect *detect, const char *uplink)
{
    bool doubted = false;
    for (size_t p = 0; detect != NULL && p < detect->paths_len; p++) {
        const struct path *path = detect->paths[p];
        if (!path->present || strcmp(path->uplink, uplink) != 0) {
            continue;
        }
        if (path->health.state == HEALTH_ALIVE || carries(detect, path)) {
            return false;
        }
        doubted = doubted || path->health.state == HEALTH_DOUBTED;
    }
    return doubted;
}
