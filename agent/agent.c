/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_private.h"
#include "agent/boot.h"
#include "agent/floor.h"
#include "agent/identity.h"
#include "base/clock.h"
#include "base/crypto.h"

#define INBOX_MAX 16   /* messages; a device gets one answer a state and a rare broadcast */
#define DRAIN_MS  3000 /* for the "off" state at the end: a slow uplink's round trips */

static void act(struct agent *agent, const struct report_actions *actions);

void agent_set_text(char *buffer, size_t size, const char *text)
{
    struct view cut = view_of(text);
    cut.len = MIN(cut.len, size - 1);
    memcpy(buffer, cut.len > 0 ? cut.ptr : "", cut.len);
    buffer[cut.len] = '\0';
}

void agent_step(struct agent *agent, const struct report_event *event)
{
    struct report_actions actions = report_step(&agent->report, event, loop_now_ms(agent->loop), crypto_random_u64());
    act(agent, &actions);
    loop_timer_at(agent->report_timer, report_deadline(&agent->report));
}

void agent_step_kind(struct agent *agent, enum report_event_kind kind)
{
    agent_step(agent, &(struct report_event){.kind = kind});
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
    const enum floor_kind kind = floor_kind();
    bool clock_set = kind != FLOOR_SAVED;
    *message = (struct state_message){
        .on = !actions->off,
        .boot = agent->report.boot,
        .conn = agent->report.conn,
        .seq = agent->report.seq,
        .ts = clock_set ? floor_now_ms() : 0,
        .tsq = kind == FLOOR_CLOCK    ? TIME_RTC
               : kind == FLOOR_SIGNED ? TIME_SIGNED
                                      : TIME_NONE,
        .ip4 = set->ip4,
        .ip6 = set->ip6,
        .uplinks_len = set->uplinks_len,
    };
    address_set_tell_prefixes(set, loop_now_ms(agent->loop), message);
    memcpy(message->uplinks, set->uplinks, sizeof(set->uplinks));
    agent_set_text(message->src, sizeof(message->src), source_text(agent));
    agent_set_text(message->why, sizeof(message->why), actions->why);
    agent_set_text(message->agent, sizeof(message->agent), MUSTER_VERSION);
    agent_set_text(message->fw, sizeof(message->fw), agent->config->firmware);
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

static void on_report_timer(void *context)
{
    agent_step_kind(context, REPORT_EV_TIMER);
}

/* What is reported: what the interfaces have, and what others know of it. */
static void take_addresses(void *context)
{
    struct agent *agent = context;
    struct address_set set = agent->own;
    detect_merge(agent->detect, &set);
    connection_follow(agent, &set);
    agent_step(agent, &(struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set});
    if (agent->report.state == REPORT_HELD && !detect_awaits_router(agent->detect)) {
        agent_step_kind(agent, REPORT_EV_SETTLED);
    }
}

/* Runs once for all events of a turn of the loop, and when a hold ends. */
static void on_interfaces_changed(void *context)
{
    struct agent *agent = context;
    struct address_policy policy = agent_config_policy(agent->live);
    struct address_set set;
    interfaces_select(agent->interfaces, &policy, &set);
    connection_mend(agent, &set);
    if (!address_set_equal(&set, &agent->own)) {
        connection_alert(agent);
    }
    agent->own = set;
    detect_addresses(agent->detect, &set);
    take_addresses(agent);
    resume_check(agent->resume);
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
        connection_leave(agent, "the machine slept for longer than the keepalive");
    } else if (connected) {
        connection_alert(agent);
    } else if (!connected && agent->started) {
        session_reconnect(agent->session);
    }
}

static enum err make_detect(struct agent *agent, struct detect **ret_detect, struct errinfo *info)
{
    const struct detect_options owner = {.changed = take_addresses, .stranded = connection_stranded, .context = agent};
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

static void take_observed(struct agent *agent, const struct ip *observed)
{
    struct ip local;
    const char *uplink = connection_carrier(agent, &local);
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
    agent_step(agent, &(struct report_event){.kind = REPORT_EV_ANSWER,
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
    agent_step(agent, &(struct report_event){.kind = REPORT_EV_SYNC, .sync_window_s = sync.window_s});
}

static void on_inbox(void *context, const struct inbox_message *message)
{
    struct agent *agent = context;
    if (view_equals(message->topic, agent->dns_topic)) {
        take_dns(agent, message);
    } else if (view_equals(message->topic, agent->sync_topic)) {
        take_sync(agent, message);
    } else if (agent->keeper.certificate != NULL && view_equals(message->topic, agent->cert_topic)) {
        agent->keeper.certificate(agent->keeper.context, message->payload);
    }
}

static enum err build_topics(struct agent *agent)
{
    struct view id = view_of(agent->device_id);
    enum err err = topic_build(TOPIC_UP_STATE, id, agent->state_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_UP_GONE, id, agent->gone_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_DN_DNS, id, agent->dns_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_UP_CSR, id, agent->csr_topic);
    err = err != ERR_OK ? err : topic_build(TOPIC_DN_CERT, id, agent->cert_topic);
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
    agent->started_ms = loop_now_ms(loop);
    enum err err = identity_read(config->device_id, config->tls.cert_file, agent->device_id, info);
    if (err != ERR_OK) {
        agent_free(agent);
        return err;
    }
    err = build_topics(agent);
    err = err != ERR_OK ? err : make_interfaces(agent);
    err = err != ERR_OK ? err : inbox_new(loop, INBOX_MAX, on_inbox, agent, &agent->inbox);
    err = err != ERR_OK ? err : loop_timer_new(loop, on_report_timer, agent, &agent->report_timer);
    err = err != ERR_OK ? err : make_resume(agent);
    err = err != ERR_OK ? err : make_detect(agent, &agent->detect, info);
    err = err != ERR_OK ? err : connection_new(agent);
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
    connection_free(agent);
    inbox_free(agent->inbox);
    loop_timer_free(agent->report_timer);
    free(agent->dns);
    free(agent);
}

void agent_keep(struct agent *agent, const struct agent_keeper *keeper)
{
    agent->keeper = *keeper;
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
    connection_stop(agent);
    detect_free(agent->detect);
    agent->detect = NULL;
    if (!agent->started) {
        done(context);
        return;
    }
    agent_step_kind(agent, REPORT_EV_STOP);
}

enum err agent_write_status(void *context, struct strbuf *out)
{
    struct agent *agent = context;
    struct status_identity identity = {0};
    resume_check(agent->resume);
    if (agent->keeper.identity != NULL) {
        agent->keeper.identity(agent->keeper.context, &identity);
    }
    const struct agent_status status = {
        .identity = agent->keeper.identity != NULL ? &identity : NULL,
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
    agent_step_kind(agent, REPORT_EV_REQUEST);
    return ERR_OK;
}
