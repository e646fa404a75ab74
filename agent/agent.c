/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/boot.h"
#include "agent/detect/detect.h"
#include "agent/detect/resume.h"
#include "agent/identity.h"
#include "agent/inbox.h"
#include "agent/interfaces.h"
#include "agent/lifeline.h"
#include "agent/probing.h"
#include "agent/wayout.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "mqtt/session.h"
#include "mqtt/topics.h"

#define DRAIN_MS        3000 /* for the "off" state at the end: a slow uplink's round trips */
#define SESSION_QUEUE   8    /* messages; one state at a time goes out */
#define BACKOFF_BASE_MS 1000
#define DOUBT_PROBE_S   4   /* where questions beside the connection fail, it is asked whether it still stands */
#define HURRY_MS        500 /* a router that was given an address gets its routes a moment later */
#define HURRY_PAUSE_MS  50
#define BIRTH_HOLD_MS   3000 /* for the router's answer: UPnP takes two to three seconds, PCP milliseconds */

struct agent {
    struct loop *loop;                 /* borrowed */
    const struct agent_config *config; /* borrowed; of the start: rows that need a restart */
    const struct agent_config *live;   /* borrowed; of the last reload: rows that do not */
    char device_id[DEVICE_ID_MAX + 1];
    char state_topic[TOPIC_SIZE], gone_topic[TOPIC_SIZE], dns_topic[TOPIC_SIZE], sync_topic[TOPIC_SIZE];
    struct report report;
    struct interfaces *interfaces;   /* owned */
    struct address_set own;          /* what the interfaces have; report.current is what was made of it */
    struct detect *detect;           /* owned; NULL when memory ran out at a reload */
    struct resume *resume;           /* owned */
    struct session *session;         /* owned */
    struct inbox *inbox;             /* owned */
    struct loop_timer *report_timer; /* owned */
    char way_out[RT_IFNAME_SIZE];    /* uplink that the connection is bound to; "" = the routing table's choice */
    bool doubting;                   /* the path of the connection is doubted */
    struct loop_timer *hurry_timer;  /* owned */
    struct loop_timer *probe_timer;  /* owned */
    struct probing probing;
    uint64_t hurry_until_ms; /* attempts that fail are repeated at once */
    bool boot_stored;
    bool started; /* the session was */
    uint64_t started_ms;
    char endpoint[MQTT_TOPIC_MAX + 1];
    char connection_error[ERRINFO_TEXT_MAX];
    uint64_t connection_since_ms;
    struct dns_message *dns; /* owned; NULL before the first */
    uint64_t dns_ms;
    loop_fn stopped; /* set while stopping */
    void *stopped_context;
};

static void act(struct agent *agent, const struct report_actions *actions);

/* Copies what fits: for texts that people read. */
static void set_text(char *buffer, size_t size, const char *text)
{
    struct view cut = view_of(text);
    cut.len = MIN(cut.len, size - 1);
    memcpy(buffer, cut.len > 0 ? cut.ptr : "", cut.len);
    buffer[cut.len] = '\0';
}

static void step(struct agent *agent, const struct report_event *event)
{
    struct report_actions actions = report_step(&agent->report, event, loop_now_ms(agent->loop), crypto_random_u64());
    act(agent, &actions);
    loop_timer_at(agent->report_timer, report_deadline(&agent->report));
}

static void step_kind(struct agent *agent, enum report_event_kind kind)
{
    step(agent, &(struct report_event){.kind = kind});
}

static void store_boot(struct agent *agent)
{
    /* On the loop thread: once in a device's life, and nothing may go out before it is done. */
    enum err err = boot_store(agent->config->state_dir, agent->report.boot);
    agent->boot_stored = err == ERR_OK;
    log_event(err == ERR_OK ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "boot-raised", "boot=%" PRIu32 " stored=%s",
              agent->report.boot, err_text(err));
}

/* Where the addresses come from; of two families the first that is there. */
static const char *source_text(const struct agent *agent)
{
    const char *source = detect_source(agent->detect, IP_V4);
    return strcmp(source, "none") != 0 ? source : detect_source(agent->detect, IP_V6);
}

static void fill_state(const struct agent *agent, const struct report_actions *actions, struct state_message *message)
{
    const struct address_set *set = &agent->report.published;
    bool clock_set = clock_wall_is_set();
    *message = (struct state_message){
        .on = !actions->off,
        .boot = agent->report.boot,
        .conn = agent->report.conn,
        .seq = agent->report.seq,
        .ts = clock_set ? clock_wall_ms() : 0,
        .tsq = clock_set ? TIME_RTC : TIME_NONE,
        .ip4 = set->ip4,
        .ip6 = set->ip6,
        .uplinks_len = set->uplinks_len,
    };
    address_set_tell_prefixes(set, loop_now_ms(agent->loop), message);
    memcpy(message->uplinks, set->uplinks, sizeof(set->uplinks));
    set_text(message->src, sizeof(message->src), source_text(agent));
    set_text(message->why, sizeof(message->why), actions->why);
    set_text(message->agent, sizeof(message->agent), MUSTER_VERSION);
    set_text(message->fw, sizeof(message->fw), agent->config->firmware);
}

static void publish_state(struct agent *agent, const struct report_actions *actions)
{
    struct state_message message;
    struct strbuf text;
    strbuf_init(&text, MQTT_PAYLOAD_MAX);
    fill_state(agent, actions, &message);
    enum err err = state_encode(&message, &text);
    if (err == ERR_OK) {
        err = session_publish(
            agent->session, &(struct session_publish){
                                .topic = agent->state_topic, .payload = strbuf_view(&text), .qos = 1, .retain = true});
    }
    strbuf_deinit(&text);
    /* A state that could not go out is repeated like one that was lost on the way. */
    log_event(err == ERR_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "state-published",
              "why=%s boot=%" PRIu32 " seq=%" PRIu32 " result=%s", actions->why, message.boot, message.seq,
              err_name(err));
}

static void session_ended(void *context)
{
    struct agent *agent = context;
    agent->stopped(agent->stopped_context);
}

static void act(struct agent *agent, const struct report_actions *actions)
{
    if (actions->persist_boot) {
        store_boot(agent);
    }
    if (actions->publish) {
        publish_state(agent, actions);
    }
    if (actions->reconnect) {
        session_reconnect(agent->session);
    }
    if (actions->stopped) {
        session_stop(agent->session, DRAIN_MS, session_ended, agent);
    }
}

static void on_disconnected(void *context, enum err err, const char *reason);

static void on_report_timer(void *context)
{
    step_kind(context, REPORT_EV_TIMER);
}

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
static void leave_connection(struct agent *agent, const char *reason)
{
    on_disconnected(agent, ERR_CLOSED, reason);
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

/* The kernel's name of the link that the connection leaves by, "" when there is none; and its own address. */
static const char *carrier_of(const struct agent *agent, struct ip *ret_local)
{
    struct ip used[LIFELINE_MAX];
    size_t len = lifeline_addresses(used);
    *ret_local = len > 0 ? used[0] : (struct ip){0};
    return len > 0 ? addresses_owner(interfaces_table(agent->interfaces), &used[0]) : "";
}

/* Addresses changed: a connection whose own end went away is dead without knowing it, and a wait for the next attempt
 * was measured for another network. */
static void mend_connection(struct agent *agent, const struct address_set *set)
{
    bool has_address = set->ip4.presence == FIELD_SET || set->ip6.presence == FIELD_SET;
    if (!agent->started || address_set_equal(set, &agent->own)) {
        return;
    }
    struct ip local;
    (void)carrier_of(agent, &local);
    if (session_is_connected(agent->session) && stands_on_nothing(agent)) {
        leave_connection(agent, "its own address went away");
    } else if (session_is_connected(agent->session) &&
               addresses_outdated(interfaces_table(agent->interfaces), &local)) {
        leave_connection(agent, "the prefix of its own address was replaced");
    } else if (session_is_connected(agent->session) && stands_aside(agent, set)) {
        leave_connection(agent, "another uplink is the primary one");
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
        strcmp(carrier_of(agent, &local), set->paths[index].name) == 0) {
        return;
    }
    if (session_is_connected(agent->session)) {
        leave_connection(agent, "another uplink is the way out");
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

/* Something happened: the path is looked at more often for a while. */
static void alert(struct agent *agent)
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
        alert(agent);
    }
}

/* What is reported: what the interfaces have, and what others know of it. */
static void take_addresses(void *context)
{
    struct agent *agent = context;
    struct address_set set = agent->own;
    detect_merge(agent->detect, &set);
    follow_doubt(agent);
    follow_way_out(agent, &set);
    step(agent, &(struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set});
    if (agent->report.state == REPORT_HELD && !detect_awaits_router(agent->detect)) {
        step_kind(agent, REPORT_EV_SETTLED);
    }
}

/* A connection that the broker has not told us of yet may have been made behind the new address. */
static void on_stranded(void *context, bool seen)
{
    struct agent *agent = context;
    bool connected = session_is_connected(agent->session);
    agent->hurry_until_ms = loop_now_ms(agent->loop) + HURRY_MS;
    if (connected && seen) {
        leave_connection(agent, "the router has another address");
    } else if (!connected && agent->started) {
        session_reconnect(agent->session);
    }
}

/* Runs once for all events of a turn of the loop, and when a hold ends. */
static void on_interfaces_changed(void *context)
{
    struct agent *agent = context;
    struct address_policy policy = agent_config_policy(agent->live);
    struct address_set set;
    interfaces_select(agent->interfaces, &policy, &set);
    mend_connection(agent, &set);
    if (!address_set_equal(&set, &agent->own)) {
        alert(agent);
    }
    agent->own = set;
    detect_addresses(agent->detect, &set);
    take_addresses(agent);
    resume_check(agent->resume);
}

static void on_hurry_timer(void *context)
{
    struct agent *agent = context;
    if (!session_is_connected(agent->session)) {
        session_reconnect(agent->session);
    }
}

static void start_session(void *context)
{
    struct agent *agent = context;
    if (!agent->started) {
        agent->started = true;
        session_start(agent->session);
    }
}

/* The connection is as good as gone once its keep-alive has passed, and nobody will say so before the next packet. */
static void on_resumed(void *context, uint64_t slept_ms)
{
    struct agent *agent = context;
    log_event(LOG_LEVEL_NOTICE, "resumed", "slept_ms=%" PRIu64, slept_ms);
    interfaces_resync(agent->interfaces);
    detect_trigger(agent->detect, DETECT_RESUMED);
    bool connected = session_is_connected(agent->session);
    if (connected && slept_ms >= agent->config->broker.keepalive_ms) {
        leave_connection(agent, "the machine slept for longer than the keepalive");
    } else if (connected) {
        alert(agent);
    } else if (!connected && agent->started) {
        session_reconnect(agent->session);
    }
}

static enum err make_detect(struct agent *agent, struct detect **ret_detect, struct errinfo *info)
{
    const struct detect_options owner = {.changed = take_addresses, .stranded = on_stranded, .context = agent};
    return detect_settings_open(&agent->live->detect, agent->loop, &owner, ret_detect, info);
}

/* The texts of the old one's sources go away with the old config. */
static void remake_detect(struct agent *agent)
{
    struct errinfo info = {0};
    struct detect *fresh = NULL;
    if (make_detect(agent, &fresh, &info) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "detect-failed", "error=\"%s\"", info.text);
    } else if (agent->detect != NULL) {
        detect_adopt(fresh, agent->detect);
    } else {
        detect_addresses(fresh, &agent->own);
    }
    detect_free(agent->detect);
    agent->detect = fresh;
}

static void on_prepare(void *context, struct strbuf *will_payload)
{
    struct agent *agent = context;
    step_kind(agent, REPORT_EV_ATTEMPT);
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
    alert(agent);
    set_text(agent->endpoint, sizeof(agent->endpoint), endpoint);
    agent->connection_error[0] = '\0';
    agent->connection_since_ms = loop_now_ms(agent->loop);
    log_event(LOG_LEVEL_NOTICE, "connected", "endpoint=%s conn=%" PRIu32, endpoint, agent->report.conn);
    subscribe(agent, &(struct session_filter){.filter = agent->dns_topic, .qos = 1});
    subscribe(agent,
              &(struct session_filter){.filter = agent->sync_topic, .qos = 1, .retain_handling = SESSION_RETAIN_NONE});
    struct ip local;
    const char *carrier = carrier_of(agent, &local);
    detect_carries(agent->detect, carrier, local.family);
    detect_trigger(agent->detect, DETECT_CONNECTED);
    /* The broker's view of a path through a carrier's NAT looks like any other: only the router knows. */
    step(agent, &(struct report_event){.kind = REPORT_EV_CONNECTED,
                                       .hold_ms = detect_awaits_router(agent->detect) ? BIRTH_HOLD_MS : 0});
}

static void on_disconnected(void *context, enum err err, const char *reason)
{
    struct agent *agent = context;
    char quoted[LOG_QUOTED_SIZE];
    bool was_connected = agent->endpoint[0] != '\0';
    if (was_connected || agent->connection_since_ms == 0) {
        agent->connection_since_ms = loop_now_ms(agent->loop);
    }
    agent->endpoint[0] = '\0';
    bool readable = reason != NULL && reason[0] != '\0' && view_is_utf8(view_of(reason));
    set_text(agent->connection_error, sizeof(agent->connection_error), readable ? reason : err_text(err));
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
    step_kind(agent, REPORT_EV_DISCONNECTED);
}

/* Paho's receive thread. */
static void on_message(void *context, const struct session_message *message)
{
    struct agent *agent = context;
    inbox_put(agent->inbox, message);
}

static void on_subscribed(void *context, const char *filter, enum err err)
{
    (void)context;
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "subscribe-failed", "filter=%s error=%s", filter, err_name(err));
    }
}

static void take_observed(struct agent *agent, const struct ip *observed)
{
    struct ip local;
    const char *uplink = carrier_of(agent, &local);
    if (session_is_connected(agent->session) && observed->family != IP_NONE) {
        detect_observed(agent->detect, observed, uplink);
    }
}

static void take_dns(struct agent *agent, const struct inbox_message *message)
{
    struct errinfo info = {0};
    struct dns_message *dns = malloc(sizeof(*dns));
    if (dns == NULL || dns_decode(message->payload, dns, &info) != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "dns-ignored", "bytes=%zu error=\"%s\"", message->payload.len, info.text);
        free(dns);
        return;
    }
    free(agent->dns);
    agent->dns = dns;
    agent->dns_ms = loop_now_ms(agent->loop);
    if (!message->retained) { /* what an earlier connection was seen as says nothing of this one */
        take_observed(agent, &dns->observed);
    }
    enum report_state before = agent->report.state;
    step(agent, &(struct report_event){.kind = REPORT_EV_ANSWER,
                                       .answer = {.has_ack = dns->has_ack,
                                                  .boot = dns->ack_boot,
                                                  .seq = dns->ack_seq,
                                                  .unregistered = strcmp(dns->error, "unregistered") == 0,
                                                  .retained = message->retained}});
    if (agent->report.state != before) {
        log_event(LOG_LEVEL_INFO, "answered", "state=%s boot=%" PRIu32 " seq=%" PRIu32 " names=%zu",
                  report_state_text(agent->report.state), agent->report.boot, agent->report.seq, dns->names_len);
    }
}

static void take_sync(struct agent *agent, const struct inbox_message *message)
{
    struct sync_message sync;
    struct errinfo info = {0};
    if (message->retained) {
        return; /* an old call, answered by the birth already */
    }
    if (sync_decode(message->payload, &sync, &info) != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "sync-ignored", "bytes=%zu error=\"%s\"", message->payload.len, info.text);
        return;
    }
    log_event(LOG_LEVEL_INFO, "sync", "window_s=%" PRIu32, sync.window_s);
    step(agent, &(struct report_event){.kind = REPORT_EV_SYNC, .sync_window_s = sync.window_s});
}

static void on_inbox(void *context, const struct inbox_message *message)
{
    struct agent *agent = context;
    if (view_equals(message->topic, agent->dns_topic)) {
        take_dns(agent, message);
    } else if (view_equals(message->topic, agent->sync_topic)) {
        take_sync(agent, message);
    }
}

static enum err build_topics(struct agent *agent)
{
    struct view id = view_of(agent->device_id);
    enum err err = topic_build(TOPIC_UP_STATE, id, agent->state_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_UP_GONE, id, agent->gone_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_DN_DNS, id, agent->dns_topic);
    return err != ERR_OK ? err : topic_build(TOPIC_BC_SYNC, view_of(""), agent->sync_topic);
}

static void raise_boot(struct agent *agent)
{
    struct boot_start start;
    struct report_timing timing = agent_config_timing(agent->live);
    enum err err = boot_raise(agent->config->state_dir, &start);
    agent->boot_stored = err == ERR_OK;
    report_init(&agent->report, start.boot, &timing);
    bool bad = err != ERR_OK || start.origin == BOOT_DAMAGED;
    log_event(bad ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "boot",
              "device=%s boot=%" PRIu32 " counter=%s stored=\"%s\" folder=%s", agent->device_id, start.boot,
              boot_origin_text(start.origin), err_text(err), agent->config->state_dir);
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

static enum err make_interfaces(struct agent *agent)
{
    return interfaces_new(
        agent->loop,
        &(struct interfaces_options){.changed = on_interfaces_changed, .ready = start_session, .context = agent},
        &agent->interfaces);
}

static enum err make_resume(struct agent *agent)
{
    return resume_new(agent->loop, &(struct resume_options){.resumed = on_resumed, .context = agent}, &agent->resume);
}

enum err agent_new(struct loop *loop, const struct agent_config *config, struct agent **ret_agent, struct errinfo *info)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    if (agent == NULL) {
        return errinfo_set(info, ERR_NOMEM, "agent", 0, "%s", err_text(ERR_NOMEM));
    }
    agent->loop = loop;
    agent->config = agent->live = config;
    probing_init(&agent->probing, config->broker.probe_ms, config->broker.probe_max_ms);
    agent->started_ms = loop_now_ms(loop);
    enum err err = identity_read(config->device_id, config->tls.cert_file, agent->device_id, info);
    if (err != ERR_OK) {
        agent_free(agent);
        return err;
    }
    err = build_topics(agent);
    err = err != ERR_OK ? err : make_interfaces(agent);
    err = err != ERR_OK ? err : inbox_new(loop, on_inbox, agent, &agent->inbox);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_report_timer, agent, &agent->report_timer);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_hurry_timer, agent, &agent->hurry_timer);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_probe_timer, agent, &agent->probe_timer);
    err = err != ERR_OK ? err : make_resume(agent);
    err = err != ERR_OK ? err : make_detect(agent, &agent->detect, info);
    err = err != ERR_OK ? err : make_session(agent);
    if (err != ERR_OK) {
        agent_free(agent);
        return errinfo_set(info, err, "agent", 0, "the connection cannot be set up: %s", err_text(err));
    }
    raise_boot(agent);
    interfaces_start(agent->interfaces);
    *ret_agent = agent;
    return ERR_OK;
}

void agent_free(struct agent *agent)
{
    if (agent == NULL) {
        return;
    }
    interfaces_free(agent->interfaces);
    detect_free(agent->detect);
    resume_free(agent->resume);
    session_free(agent->session);
    inbox_free(agent->inbox);
    loop_timer_free(agent->report_timer);
    loop_timer_free(agent->hurry_timer);
    loop_timer_free(agent->probe_timer);
    free(agent->dns);
    free(agent);
}

void agent_reload(struct agent *agent, const struct agent_config *config)
{
    agent->live = config;
    const struct report_timing timing = agent_config_timing(config);
    report_retime(&agent->report, &timing, loop_now_ms(agent->loop), crypto_random_u64());
    loop_timer_at(agent->report_timer, report_deadline(&agent->report));
    remake_detect(agent);
    interfaces_select_soon(agent->interfaces);
}

void agent_stop(struct agent *agent, loop_fn done, void *context)
{
    agent->stopped = done;
    agent->stopped_context = context;
    interfaces_stop(agent->interfaces);
    loop_timer_stop(agent->hurry_timer);
    loop_timer_stop(agent->probe_timer);
    agent->hurry_until_ms = 0;
    detect_free(agent->detect);
    agent->detect = NULL;
    if (!agent->started) {
        done(context);
        return;
    }
    step_kind(agent, REPORT_EV_STOP);
}

enum err agent_write_status(void *context, struct strbuf *out)
{
    struct agent *agent = context;
    resume_check(agent->resume);
    const struct agent_status status = {
        .device_id = agent->device_id,
        .version = MUSTER_VERSION,
        .now_ms = loop_now_ms(agent->loop),
        .started_ms = agent->started_ms,
        .wall_ms = clock_wall_is_set() ? clock_wall_ms() : 0,
        .endpoint = agent->endpoint,
        .connection_error = agent->connection_error,
        .connection_since_ms = agent->connection_since_ms,
        .probe_ms = agent->endpoint[0] != '\0' ? agent->probing.period_ms : 0,
        .dropped = inbox_dropped(agent->inbox),
        .report = &agent->report,
        .boot_stored = agent->boot_stored,
        .detect = agent->detect,
        .source = source_text(agent),
        .dns = agent->dns,
        .dns_ms = agent->dns_ms,
    };
    return agent_status_json(&status, out);
}

enum err agent_report_now(void *context)
{
    struct agent *agent = context;
    detect_trigger(agent->detect, DETECT_REQUESTED);
    if (!session_is_connected(agent->session)) {
        return ERR_STATE;
    }
    step_kind(agent, REPORT_EV_REQUEST);
    return ERR_OK;
}
