/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions beside the devices' own: what the provisioner says of devices (reg/#, and the end of its answers), and
 * who connects to the broker with which certificate (seen/#). What it means is the core's. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "mqtt/topics.h"

#define REG_FILTER  TOPIC_ROOT "/reg/#"
#define SEEN_FILTER TOPIC_ROOT "/seen/#"

static void done_filter(const struct coordinator *coordinator, char ret_text[static TOPIC_SIZE])
{
    ret_text[0] = '\0';
    (void)!topic_build(TOPIC_COORD_REG_DONE, view_of(coordinator->settings->config.broker.client_id),
                       ret_text); /* the id is the one of our presence, which was built at the start */
}

static bool subscribe(struct coordinator *coordinator, const char *filter, uint8_t qos)
{
    const struct session_filter request = {.filter = filter, .qos = qos, .retain_handling = SESSION_RETAIN_NONE};
    enum err err = session_subscribe(coordinator->session, &request);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "subscribe-failed", "filter=%s error=%s", filter, err_name(err));
    }
    return err == ERR_OK;
}

static void subscribe_ledger(struct coordinator *coordinator)
{
    char done[TOPIC_SIZE];
    if (coordinator->feed.asked_for || coordinator->settings->config.ownership != OWNERSHIP_REQUIRED) {
        return;
    }
    done_filter(coordinator, done);
    coordinator->feed.asked_for = true;
    coordinator->feed.refused = !subscribe(coordinator, REG_FILTER, 1) || !subscribe(coordinator, done, 1);
    coordinator->feed.waiting = 2;
}

static void subscribe_seen(struct coordinator *coordinator)
{
    if (!coordinator->feed.seen_asked_for && coordinator->settings->config.clones != CLONES_OFF) {
        coordinator->feed.seen_asked_for = subscribe(coordinator, SEEN_FILTER, 0);
    }
}

void feed_disconnected(struct coordinator *coordinator)
{
    memset(&coordinator->feed, 0, sizeof(coordinator->feed));
    core_reg_ready(coordinator->core, false);
}

void feed_connected(struct coordinator *coordinator)
{
    feed_disconnected(coordinator);
    subscribe_ledger(coordinator);
    subscribe_seen(coordinator);
}

void feed_reloaded(struct coordinator *coordinator)
{
    if (session_is_connected(coordinator->session)) {
        subscribe_ledger(coordinator);
        subscribe_seen(coordinator);
    }
}

bool feed_subscribed(struct coordinator *coordinator, const char *filter, enum err err)
{
    char done[TOPIC_SIZE];
    done_filter(coordinator, done);
    bool seen = strcmp(filter, SEEN_FILTER) == 0;
    if (!seen && strcmp(filter, REG_FILTER) != 0 && strcmp(filter, done) != 0) {
        return false;
    }
    if (err == ERR_CLOSED) {
        return true; /* the next connection subscribes everything again */
    }
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "subscribe-refused", "filter=%s error=%s hint=\"%s\"", filter, err_name(err),
                  seen ? "does the broker have the present plugin? clones are told by reports alone"
                       : "does the broker have the present plugin? names stay as they are");
    }
    if (!seen) {
        coordinator->feed.refused = coordinator->feed.refused || err != ERR_OK;
        coordinator->feed.waiting -= coordinator->feed.waiting > 0;
    }
    return true;
}

/* Asking waits for the stored devices: a word whose shard is not loaded is parked, and would be counted as taken. */
void feed_tick(struct coordinator *coordinator)
{
    bool live = coordinator->feed.asked_for && coordinator->feed.waiting == 0 && !coordinator->feed.refused &&
                loader_knows_all(coordinator->loader);
    if (live && !coordinator->feed.live) {
        coordinator->feed.live = true;
        core_reg_ready(coordinator->core, true);
    }
}
