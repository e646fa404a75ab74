/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions of shards: live first, then once more for what is retained, one after the other. */
#include "base/log.h"
#include "coordinator/loader_private.h"
#include "mqtt/topics.h"

/* ---- subscriptions ---- */

static void subscribe(struct loader *loader, unsigned shard, enum session_retain_handling retain_handling)
{
    char filter[TOPIC_SIZE];
    topic_shard_filter((uint8_t)shard, filter);
    const struct session_filter request = {.filter = filter, .qos = 0, .retain_handling = retain_handling};
    enum err err = session_subscribe(loader->coordinator->session, &request);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "subscribe-failed", "filter=%s error=%s", filter, err_name(err));
        loader->subscribe_again = true;
    }
}

/* @return false: all of it was replayed. */
static bool continue_some(struct loader *loader)
{
    for (unsigned i = 0; loader->replay_some && i < SHARDS; i++) {
        if ((loader->replay_shards[i / 8] & (1u << i % 8)) != 0) {
            loader->replay_shards[i / 8] = (uint8_t)(loader->replay_shards[i / 8] & ~(1u << i % 8));
            loader->replay_outstanding++;
            subscribe(loader, i, SESSION_RETAIN_SEND);
            return true;
        }
    }
    loader->replay_some = false;
    return false;
}

static bool is_ours(const struct loader *loader, unsigned shard)
{
    const struct coordinator_config *config = &loader->coordinator->settings->config;
    return shard >= config->shards.first && shard <= config->shards.last;
}

void loader_continue_replay(struct loader *loader)
{
    bool connected = session_is_connected(loader->coordinator->session);
    while (loader->replay_outstanding < 1 && loader->replay_next < SHARDS &&
           loader->shards[loader->replay_next] == SHARD_LOADED && connected) {
        if (is_ours(loader, loader->replay_next)) {
            loader->replay_outstanding++;
            subscribe(loader, loader->replay_next, SESSION_RETAIN_SEND);
        }
        loader->replay_next++;
    }
    if (loader->replay_next >= SHARDS && loader->replay_outstanding == 0 && connected) {
        (void)continue_some(loader);
    }
}

void loader_replay_shard(struct loader *loader, uint8_t shard)
{
    if (is_ours(loader, shard)) {
        loader->replay_shards[shard / 8] = (uint8_t)(loader->replay_shards[shard / 8] | 1u << shard % 8);
        loader->replay_some = true;
    }
}

void loader_connected(struct loader *loader)
{
    loader->replay_next = 0;
    loader->replay_outstanding = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        if (is_ours(loader, i)) {
            subscribe(loader, i, SESSION_RETAIN_NONE);
            loader->replay_outstanding++;
        }
    } /* the live subscriptions are confirmed first */
}

void loader_replay(struct loader *loader)
{
    if (loader->replay_next >= SHARDS && loader->replay_outstanding == 0) {
        loader->replay_next = 0;
        loader_continue_replay(loader);
    } else {
        loader->replay_again = true;
    }
}

void loader_subscribed(struct loader *loader, const char *filter, enum err err)
{
    if (err == ERR_CLOSED) {
        return; /* the next connection subscribes everything again */
    }
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "subscribe-refused", "filter=%s error=%s%s", filter, err_name(err),
                  err == ERR_DENIED ? " hint=\"is the certificate a coordinator's?\"" : "");
    }
    loader->replay_outstanding -= loader->replay_outstanding > 0;
    loader_continue_replay(loader);
    if (loader->replay_next >= SHARDS && loader->replay_outstanding == 0 && loader->replay_again) {
        loader->replay_again = false;
        loader_replay(loader);
    }
}
