/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/floor.h"
#include "agent/lifeline.h"
#include "agent/wayout.h"
#include "base/crypto.h"

#define SESSION_QUEUE     8 /* messages; one state at a time goes out */
#define BACKOFF_BASE_MS   1000
#define DOUBT_PROBE_S     4   /* where questions beside the connection fail, it is asked whether it still stands */
#define HURRY_MS          500 /* a router that was given an address gets its routes a moment later */
#define HURRY_PAUSE_MS    50
#define TAKEOVERS         6
#define TAKEOVER_YOUNG_MS 60000
#define TAKEOVER_PAUSE_MS 600000
#define DENIED_BASE_MS    2000
#define DENIED_MAX_MS     3600000
#define RENEWAL_S         600  /* a request nobody took by then is made anew */
#define BIRTH_HOLD_MS     3000 /* for the router's answer: UPnP takes two to three seconds, PCP milliseconds */

static void fall(struct agent *agent, enum err err, const char *reason);

static bool stands_on_nothing(const struct agent *agent)
{
    struct ip used[LIFELINE_MAX];
    size_t len = lifeline_addresses(used);
    bool carried = len == 0;
    for (size_t i = 0; i < len; i++) {
        carried = carried || addresses_carries(interfaces_table(agent->interfaces), &used[i]);
    }
    return !carried;
}

/* A connection that nobody would answer any more: a new one is made at once. Its socket is ended first, for Paho's
 * receiving thread waits for up to a second on the sockets that it knew. */
void connection_leave(struct agent *agent, const char *reason)
{
    fall(agent, ERR_STATE, reason); /* by our own will */
    session_hurry(agent->session);
    lifeline_cut();
    session_reconnect(agent->session);
}

/* The kernel's name of the uplink of lowest metric that has an IPv4 address; NULL: none. */
static const char *primary_uplink(const struct address_set *set)
{
    size_t best = set->uplinks_len;
    for (size_t i = 0; i < set->uplinks_len; i++) {
        const struct uplink *uplink = &set->uplinks[i];
        bool counts = uplink->has_metric && uplink->ip4.presence == FIELD_SET;
        if (counts && (best == set->uplinks_len || uplink->metric < set->uplinks[best].metric)) {
            best = i;
        }
    }
    return best < set->uplinks_len ? set->paths[best].name : NULL;
}

/* Whether another uplink became the primary one and the connection stayed behind: what the broker sees of it is not
 * what the device is reached by. */
static bool stands_aside(const struct agent *agent, const struct address_set *set)
{
    const char *before = primary_uplink(&agent->own), *now = primary_uplink(set);
    if (now == NULL || before == NULL || strcmp(before, now) == 0) {
        return false;
    }
    struct ip used[LIFELINE_MAX];
    return lifeline_addresses(used) > 0 && used[0].family == IP_V4 &&
           strcmp(addresses_owner(interfaces_table(agent->interfaces), &used[0]), now) != 0;
}

const char *connection_carrier(const struct agent *agent, struct ip *ret_local)
{
    struct ip used[LIFELINE_MAX];
    size_t len = lifeline_addresses(used);
    *ret_local = len > 0 ? used[0] : (struct ip){0};
    return len > 0 ? addresses_owner(interfaces_table(agent->interfaces), &used[0]) : "";
}

/* Addresses changed: a connection whose own end went away is dead without knowing it, and a wait for the next attempt
 * was measured for another network. */
void connection_mend(struct agent *agent, const struct address_set *set)
{
    bool has_address = set->ip4.presence == FIELD_SET || set->ip6.presence == FIELD_SET;
    if (!agent->started || address_set_equal(set, &agent->own)) {
        return;
    }
    struct ip local;
    (void)connection_carrier(agent, &local);
    if (session_is_connected(agent->session) && stands_on_nothing(agent)) {
        connection_leave(agent, "its own address went away");
    } else if (session_is_connected(agent->session) &&
               addresses_outdated(interfaces_table(agent->interfaces), &local)) {
        connection_leave(agent, "the prefix of its own address was replaced");
    } else if (session_is_connected(agent->session) && stands_aside(agent, set)) {
        connection_leave(agent, "another uplink is the primary one");
    } else if (!session_is_connected(agent->session) && has_address) {
        if (stands_on_nothing(agent)) {
            session_give_up(agent->session);
        }
        session_reconnect(agent->session);
    }
}

/* Where nothing answers along the uplink that the routing table takes, attempts take another one: who else would tell
 * the coordinator? @return it is another one than before. */
static bool choose_way_out(struct agent *agent, const struct address_set *set, size_t *ret_index)
{
    char name[RT_IFNAME_SIZE] = "";
    struct address_set judged = *set;
    for (size_t i = 0; i < set->uplinks_len; i++) {
        if (detect_doubts(agent->detect, set->paths[i].name)) {
            judged.uplinks[i].alive4 = judged.uplinks[i].alive6 = ALIVE_NO;
        }
    }
    size_t index = wayout_choose(&judged);
    *ret_index = index;
    if (index < set->uplinks_len && !wayout_is_first(set, index)) {
        memcpy(name, set->paths[index].name, sizeof(name));
    }
    if (strcmp(name, agent->way_out) == 0) {
        return false;
    }
    memcpy(agent->way_out, name, sizeof(name));
    log_event(LOG_LEVEL_NOTICE, "way-out", "uplink=%s", name[0] != '\0' ? set->uplinks[index].name : "by-route");
    session_leave_by(agent->session, name);
    return true;
}

/* An attempt that is under way along another one is given up, and so is a connection. */
static void follow_way_out(struct agent *agent, const struct address_set *set)
{
    struct ip local;
    size_t index;
    if (!choose_way_out(agent, set, &index) || !agent->started || index == set->uplinks_len ||
        strcmp(connection_carrier(agent, &local), set->paths[index].name) == 0) {
        return;
    }
    if (session_is_connected(agent->session)) {
        connection_leave(agent, "another uplink is the way out");
    } else {
        session_give_up(agent->session);
        session_reconnect(agent->session);
    }
}

/* The session waits for a moment now: its next attempt need not be along a path that is doubted. */
static void choose_before_attempt(struct agent *agent)
{
    struct address_set set = agent->own;
    size_t index;
    detect_merge(agent->detect, &set);
    (void)choose_way_out(agent, &set, &index); /* whichever it is, the attempt takes it */
}

static void probe_connection(const struct agent *agent)
{
    int probe_s = (int)((agent->probing.period_ms + 999) / 1000);
    bool slow = probe_s == 0 || probe_s > DOUBT_PROBE_S;
    lifeline_probe(agent->doubting && slow ? DOUBT_PROBE_S : probe_s);
}

void connection_alert(struct agent *agent)
{
    if (session_is_connected(agent->session)) {
        probing_alert(&agent->probing, loop_now_ms(agent->loop));
        loop_timer_at(agent->probe_timer, agent->probing.deadline_ms);
        probe_connection(agent);
    }
}

static void on_probe_timer(void *context)
{
    struct agent *agent = context;
    if (probing_tick(&agent->probing, loop_now_ms(agent->loop))) {
        probe_connection(agent);
    }
    loop_timer_at(agent->probe_timer, agent->probing.deadline_ms);
}

static void follow_doubt(struct agent *agent)
{
    bool doubting = detect_doubts_carrier(agent->detect);
    if (doubting != agent->doubting) {
        agent->doubting = doubting;
        connection_alert(agent);
    }
}

/* A connection that the broker has not told us of yet may have been made behind the new address. */
void connection_stranded(void *context, bool seen)
{
    struct agent *agent = context;
    bool connected = session_is_connected(agent->session);
    agent->hurry_until_ms = loop_now_ms(agent->loop) + HURRY_MS;
    if (connected && seen) {
        connection_leave(agent, "the router has another address");
    } else if (!connected && agent->started) {
        session_reconnect(agent->session);
    }
}

static void on_hurry_timer(void *context)
{
    struct agent *agent = context;
    if (!session_is_connected(agent->session)) {
        session_reconnect(agent->session);
    }
}

static void on_prepare(void *context, struct strbuf *will_payload)
{
    struct agent *agent = context;
    agent_step_kind(agent, REPORT_EV_ATTEMPT);
    const struct gone_message gone = {.boot = agent->report.boot, .conn = agent->report.conn};
    if (gone_encode(&gone, will_payload) != ERR_OK) {
        strbuf_clear(will_payload); /* without memory an empty will: judged malformed, changes nothing */
    }
}

static void subscribe(struct agent *agent, const struct session_filter *filter)
{
    enum err err = session_subscribe(agent->session, filter);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "subscribe-failed", "filter=%s error=%s", filter->filter, err_name(err));
    }
}

static void on_connected(void *context, const char *endpoint)
{
    struct agent *agent = context;
    connection_alert(agent);
    agent_set_text(agent->endpoint, sizeof(agent->endpoint), endpoint);
    agent->connection_error[0] = '\0';
    agent->connection_since_ms = loop_now_ms(agent->loop);
    log_event(LOG_LEVEL_NOTICE, "connected", "endpoint=%s conn=%" PRIu32, endpoint, agent->report.conn);
    floorlook_connected();
    if (agent->keeper.certificate != NULL) {
        subscribe(agent, &(struct session_filter){.filter = agent->cert_topic, .qos = 1});
    }
    subscribe(agent, &(struct session_filter){.filter = agent->dns_topic, .qos = 1});
    subscribe(agent,
              &(struct session_filter){.filter = agent->sync_topic, .qos = 1, .retain_handling = SESSION_RETAIN_NONE});
    struct ip local;
    const char *carrier = connection_carrier(agent, &local);
    detect_carries(agent->detect, carrier, local.family);
    detect_trigger(agent->detect, DETECT_CONNECTED);
    /* The broker's view of a path through a carrier's NAT looks like any other: only the router knows. */
    agent_step(agent, &(struct report_event){.kind = REPORT_EV_CONNECTED,
                                             .hold_ms = detect_awaits_router(agent->detect) ? BIRTH_HOLD_MS : 0});
}

/* Two devices with one identity throw each other out for ever, each taking the names along. mosquitto 2.0.11 closes the
 * connection that is taken over without a word, so what tells is that one after the other ends young. */
static void judge_end(struct agent *agent, enum err err, uint64_t stood_ms)
{
    bool taken = err == ERR_CONFLICT || (err == ERR_CLOSED && stood_ms < TAKEOVER_YOUNG_MS);
    agent->takeovers = taken ? agent->takeovers + 1 : 0;
    if (agent->takeovers < TAKEOVERS) {
        return;
    }
    agent->takeovers = 0;
    session_hold_off(agent->session, TAKEOVER_PAUSE_MS + crypto_random_u64() % (TAKEOVER_PAUSE_MS / 4));
    log_event(LOG_LEVEL_ERROR, "taken-over", "times=%d pause_ms=%d hint=\"has another device this one's identity?\"",
              TAKEOVERS, TAKEOVER_PAUSE_MS);
}

static void tell_keeper(struct agent *agent, enum err err, bool was_connected, uint64_t stood_ms)
{
    floorlook_failed(agent->look, err);
    if (agent->keeper.disconnected == NULL) {
        return;
    }
    if (was_connected) {
        judge_end(agent, err, stood_ms);
    }
    agent->keeper.disconnected(agent->keeper.context, err);
}

enum err agent_send_renewal(struct agent *agent, struct view payload)
{
    return session_publish(
        agent->session,
        &(struct session_publish){.topic = agent->csr_topic, .payload = payload, .qos = 1, .expiry_s = RENEWAL_S});
}

enum err agent_use_files(struct agent *agent, const char *ca_file, const char *cert_file, const char *key_file)
{
    enum err err = session_use_files(agent->session, ca_file, cert_file, key_file);
    if (err == ERR_OK) {
        session_reconnect(agent->session);
    }
    return err;
}

static void on_ahead(void *context)
{
    struct agent *agent = context;
    session_reconnect(agent->session);
}

static void fall(struct agent *agent, enum err err, const char *reason)
{
    char quoted[LOG_QUOTED_SIZE];
    bool was_connected = agent->endpoint[0] != '\0';
    uint64_t stood_ms = loop_now_ms(agent->loop) - agent->connection_since_ms;
    if (was_connected || agent->connection_since_ms == 0) {
        agent->connection_since_ms = loop_now_ms(agent->loop);
    }
    agent->endpoint[0] = '\0';
    bool readable = reason != NULL && reason[0] != '\0' && view_is_utf8(view_of(reason));
    agent_set_text(agent->connection_error, sizeof(agent->connection_error), readable ? reason : err_text(err));
    log_event(LOG_LEVEL_WARN, "disconnected", "error=%s reason=%s", err_name(err),
              log_quote(agent->connection_error, strlen(agent->connection_error), quoted));
    if (was_connected) {
        detect_observed(agent->detect, &(struct ip){0}, "");
        detect_carries(agent->detect, "", IP_NONE);
        choose_before_attempt(agent);
        detect_trigger(agent->detect, DETECT_CONNECTION_LOST);
        probing_rest(&agent->probing);
        loop_timer_stop(agent->probe_timer);
    }
    if (loop_now_ms(agent->loop) < agent->hurry_until_ms) {
        loop_timer_after(agent->hurry_timer, HURRY_PAUSE_MS);
    }
    agent_step_kind(agent, REPORT_EV_DISCONNECTED);
    tell_keeper(agent, err, was_connected, stood_ms);
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    fall(context, err, reason);
}

/* Paho's receive thread. */
static void on_message(void *context, const struct session_message *message)
{
    struct agent *agent = context;
    inbox_put(agent->inbox, message);
}

static void on_denied_timer(void *context)
{
    struct agent *agent = context;
    if (session_is_connected(agent->session)) {
        session_reconnect(agent->session);
    }
}

/* The broker's plugin lets a denied certificate connect and gives it no rights: its own topic shows which it is. */
static void judge_rights(struct agent *agent, enum err err)
{
    if (err == ERR_OK) {
        backoff_reset(&agent->denied);
        agent->keeper.connected(agent->keeper.context);
    } else if (err == ERR_DENIED) {
        loop_timer_after(agent->denied_timer, backoff_next(&agent->denied, crypto_random_u64()));
        agent->keeper.disconnected(agent->keeper.context, err);
    }
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    struct agent *agent = context;
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "subscribe-failed", "filter=%s error=%s", filter, err_name(err));
    }
    if (agent->keeper.connected != NULL && strcmp(filter, agent->dns_topic) == 0) {
        judge_rights(agent, err);
    }
}

static enum err make_session(struct agent *agent)
{
    const struct agent_config *config = agent->config;
    bool has_key = config->tls.key_file != NULL && config->tls.key_file[0] != '\0';
    return session_new(
        &(struct session_options){.loop = agent->loop,
                                  .client_id = agent->device_id,
                                  .endpoints = config->broker.endpoints.items,
                                  .endpoints_len = config->broker.endpoints.len,
                                  .ca_file = config->tls.ca_file,
                                  .cert_file = config->tls.cert_file,
                                  .key_file = has_key ? config->tls.key_file : NULL,
                                  .keepalive_s = (uint32_t)(config->broker.keepalive_ms / 1000),
                                  .connect_timeout_s = (uint32_t)(config->broker.connect_timeout_ms / 1000),
                                  .backoff_base_ms = BACKOFF_BASE_MS,
                                  .backoff_cap_ms = config->broker.backoff_ms,
                                  .queue_max = SESSION_QUEUE,
                                  .will_topic = agent->gone_topic,
                                  .will_retain = true,
                                  .callbacks = {.prepare = on_prepare,
                                                .connected = on_connected,
                                                .disconnected = on_disconnected,
                                                .message = on_message,
                                                .subscribed = on_subscribed},
                                  .context = agent},
        &agent->session);
}

void connection_follow(struct agent *agent, const struct address_set *set)
{
    follow_doubt(agent);
    follow_way_out(agent, set);
}

enum err connection_new(struct agent *agent)
{
    enum err err = loop_timer_new(agent->loop, on_hurry_timer, agent, &agent->hurry_timer);
    err = err != ERR_OK ? err : loop_timer_new(agent->loop, on_probe_timer, agent, &agent->probe_timer);
    err = err != ERR_OK ? err : loop_timer_new(agent->loop, on_denied_timer, agent, &agent->denied_timer);
    agent->denied = (struct backoff){.base_ms = DENIED_BASE_MS, .cap_ms = DENIED_MAX_MS};
    err = err != ERR_OK ? err
                        : floorlook_new(&(struct floorlook_options){.loop = agent->loop,
                                                                    .endpoints = &agent->config->broker.endpoints,
                                                                    .ahead = on_ahead,
                                                                    .context = agent},
                                        &agent->look);
    probing_init(&agent->probing, agent->config->broker.probe_ms, agent->config->broker.probe_max_ms);
    return err != ERR_OK ? err : make_session(agent);
}

void connection_free(struct agent *agent)
{
    session_free(agent->session);
    floorlook_free(agent->look);
    loop_timer_free(agent->hurry_timer);
    loop_timer_free(agent->probe_timer);
    loop_timer_free(agent->denied_timer);
}

void connection_stop(struct agent *agent)
{
    loop_timer_stop(agent->hurry_timer);
    loop_timer_stop(agent->probe_timer);
    loop_timer_stop(agent->denied_timer);
    agent->hurry_until_ms = 0;
}
