/* SPDX-License-Identifier: Apache-2.0 */
/**
 * sim_fleet: a thousand agents (their real step functions and codecs), a broker with retained states, the coordinator's
 * real core and SQLite on a file system in memory, and an authoritative server, in one process on fake time. The
 * network loses, doubles and reorders; agents reboot and lose their boot counters; addresses change; broker,
 * coordinator (with a power cut), disk and server fail; the coordinator's clock jumps. From time to time all faults
 * rest: then every agent must be acknowledged and the zone must hold what was reported last, nothing else. No ack may
 * ever name a pair that is not durable.
 *
 * sim_fleet [SEEDS [FIRST [HOURS [AGENTS]]]]
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "mqtt/topics.h"
#include "tests/system/sim_fleet.h"

struct sim sim;

bool sim_chance(unsigned permille)
{
    return !sim.quiet && sim_random() % 1000 < permille;
}

static struct core_time core_now(void)
{
    return (struct core_time){.mono_ms = sim.now,
                              .wall_ms = INT64_C(1780000000000) + (int64_t)sim.now + sim.wall_offset};
}

void sim_send(enum kind kind, struct message *message)
{
    sim.messages++;
    if (sim_chance(PERMILLE_TWICE)) {
        sim_schedule(sim.now + sim_between(1, 3000), kind, message->agent, sim_copy(message));
    }
    if (sim_chance(PERMILLE_LOST)) {
        sim.lost++;
        free(message);
        return;
    }
    sim_schedule(sim.now + sim_between(1, sim_chance(50) ? 3000 : 60), kind, message->agent, message);
}

/* ---- broker ---- */

static void to_core(const struct message *message, bool retained)
{
    struct message *copy = sim_copy(message);
    copy->retained = retained;
    copy->link = sim.life;
    if (retained) {
        sim_schedule(sim.now + sim_between(1, 200), EV_BROKER, copy->agent, copy);
    } else {
        sim_send(EV_BROKER, copy);
    }
}

static void on_published(struct message *message)
{
    struct agent *agent = &sim.agents[message->agent];
    bool live = sim.broker_up && (message->gone || (agent->connected && message->link == agent->link));
    if (!live) {
        free(message); /* the connection broke under it */
        return;
    }
    struct message **slot = message->gone ? &agent->retained_gone : &agent->retained;
    free(*slot);
    *slot = message;
    if (sim.session_up) {
        to_core(message, false);
    }
}

static void stamp_text(const struct message *message, const char *topic, char *text, size_t size)
{
    char address[IP_TEXT_SIZE];
    uint8_t mac[SHA256_SIZE];
    (void)ip_format(&message->observed, address); /* length not needed */
    const struct view parts[] = {view_of(topic), VIEW_LITERAL("|"), view_of(address)};
    assert_int_equal(crypto_hmac_sha256(sim.rig.key, parts, ARRAY_LEN(parts), mac), ERR_OK);
    int len = snprintf(text, size, "%s ", address);
    for (size_t i = 0; i < sizeof(mac); i++) {
        len += snprintf(text + len, size - (size_t)len, "%02x", mac[i]);
    }
}

static void arm_tick(uint64_t at)
{
    if (at < sim.tick_at || sim.tick_at <= sim.now) {
        sim.tick_at = at;
        sim_schedule(at, EV_TICK, sim.life, NULL);
    }
}

static void on_delivered(const struct message *message)
{
    char topic[TOPIC_SIZE], stamp[128] = "";
    if (sim.core == NULL || !sim.session_up || message->link != sim.life) {
        return;
    }
    struct view id = view_of(sim.agents[message->agent].id);
    assert_int_equal(topic_build(message->gone ? TOPIC_UP_GONE : TOPIC_UP_STATE, id, topic), ERR_OK);
    if (!message->gone) {
        stamp_text(message, topic, stamp, sizeof(stamp));
    }
    const struct core_message delivered = {.topic = view_of(topic),
                                           .payload = view_n(message->body, message->len),
                                           .observed = view_of(stamp),
                                           .retained = message->retained,
                                           .received_ms = sim.now};
    core_message(sim.core, core_now(), &delivered);
    core_flush(sim.core, core_now());
    arm_tick(sim.now + 5);
}

static void connect_session(void)
{
    if (sim.core == NULL || !sim.broker_up || sim.session_up) {
        return;
    }
    sim.session_up = true;
    core_connected(sim.core, core_now(), true);
    for (uint32_t i = 0; i < sim.agents_len; i++) {
        if (sim.agents[i].retained != NULL) {
            to_core(sim.agents[i].retained, true);
        }
        if (sim.agents[i].retained_gone != NULL) {
            to_core(sim.agents[i].retained_gone, true);
        }
    }
}

/* ---- the coordinator's ways out ---- */

static uint32_t agent_of(struct view text)
{
    uint64_t number = 0;
    assert_true(text.len > 4 && view_to_u64(view_n(text.ptr + 4, text.len - 4), UINT32_MAX, &number) == ERR_OK);
    assert_true(number < sim.agents_len);
    return (uint32_t)number;
}

static enum err on_publish(void *context, const struct core_publish *publish)
{
    (void)context;
    struct topic topic;
    static struct dns_message dns; /* large */
    struct errinfo info = {0};
    if (!sim.session_up || sim.session_full || sim_chance(10)) {
        return ERR_LIMIT;
    }
    assert_int_equal(topic_parse(view_of(publish->topic), &topic), ERR_OK);
    if (topic.kind != TOPIC_DN_DNS) {
        return ERR_OK;
    }
    uint32_t index = agent_of(topic.id);
    struct agent *agent = &sim.agents[index];
    assert_int_equal(dns_decode(publish->payload, &dns, &info), ERR_OK);
    if (dns.has_ack && (dns.ack_boot != agent->durable_boot || dns.ack_seq != agent->durable_seq)) {
        fail_msg("seed %" PRIu64 " at %" PRIu64 " ms: %s got an ack of (%u,%u), durable is (%u,%u)", sim.seed, sim.now,
                 agent->id, dns.ack_boot, dns.ack_seq, agent->durable_boot, agent->durable_seq);
    }
    sim.acks++;
    struct message *answer = sim_message(index, publish->payload);
    answer->link = agent->link;
    free(agent->answer);
    agent->answer = sim_copy(answer);
    if (agent->connected) {
        sim_send(EV_DOWN, answer);
    } else {
        free(answer);
    }
    return ERR_OK;
}

static struct served *served_of(const char *name, enum rrtype type)
{
    const char *dot = strchr(name, '.');
    assert_non_null(dot);
    return &sim.served[agent_of(view_n(name, (size_t)(dot - name))) * 2 + (type == RRTYPE_AAAA)];
}

static void arm_engine(void)
{
    if (!sim.engine_due) {
        sim.engine_due = true;
        sim_schedule(sim.now + (sim.dns_slow ? sim_between(500, 20000) : sim_between(2, 30)), EV_ENGINE, sim.life,
                     NULL);
    }
}

static enum err on_submit(void *context, uint16_t zone, const struct rrset_change *change)
{
    (void)context;
    (void)zone;
    struct served *served = served_of(change->name, change->type);
    served->waiting = *change; /* a newer change replaces a waiting one */
    served->has_waiting = true;
    arm_engine();
    return ERR_OK;
}

static void on_commit(void *context, struct store_batch *batch)
{
    (void)context;
    assert_null(sim.batch);
    sim.batch = batch;
    sim_schedule(sim.now + (sim_chance(5) ? sim_between(500, 5000) : sim_between(1, 10)), EV_COMMIT, sim.life, NULL);
}

static uint64_t on_random(void *context)
{
    (void)context;
    return sim_random();
}

static enum err write_batch(struct errinfo *info)
{
    powerfs_plan(sim.fs, sim.disk_full ? POWERFS_FULL : POWERFS_NONE, 1);
    enum err err = store_sqlite.commit(sim.store, sim.batch, info);
    for (size_t i = 0; err == ERR_OK && i < sim.batch->devices_len; i++) {
        struct agent *agent = &sim.agents[agent_of(view_of(sim.batch->devices[i].id))];
        agent->durable_boot = sim.batch->devices[i].boot;
        agent->durable_seq = sim.batch->devices[i].seq;
    }
    return err;
}

static void finish_commit(void)
{
    struct errinfo info = {0};
    enum err err = write_batch(&info);
    sim.batch = NULL;
    core_committed(sim.core, core_now(), err, &info);
    arm_tick(sim.now + 5);
}

/* What flew is settled, what waits flies off. A server that is down leaves everything where it is. */
static void run_engine(void)
{
    bool more = false;
    sim.engine_due = false;
    for (uint32_t i = 0; i < sim.agents_len * 2; i++) {
        struct served *served = &sim.served[i];
        if (served->has_flying && !sim.dns_down) {
            bool poison = i / 2 == POISON;
            struct engine_result result = {.type = served->flying.type,
                                           .rev = served->flying.rev,
                                           .outcome = poison ? OUTCOME_REFUSED : OUTCOME_APPLIED,
                                           .value = &served->flying.want,
                                           .error = poison ? "refused" : NULL,
                                           .detail = ""};
            char name[DNSNAME_SIZE];
            (void)snprintf(name, sizeof(name), "cam-%u.example.net", i / 2); /* fits */
            result.name = name;
            served->has_flying = false;
            if (!poison) {
                served->value = served->flying.want;
            }
            if (sim_chance(5)) { /* the answer was lost: it is sent again */
                served->waiting = served->has_waiting ? served->waiting : served->flying;
                served->has_waiting = true;
            } else {
                core_settled(sim.core, core_now(), 0, sim.epoch, &result, 1);
            }
        }
        if (served->has_waiting && !served->has_flying) {
            served->flying = served->waiting;
            served->has_flying = true;
            served->has_waiting = false;
        }
        more = more || served->has_flying;
    }
    if (more) {
        arm_engine();
    }
}

/* ---- the coordinator's lives ---- */

static enum err load_device(void *context, const struct store_device *device)
{
    (void)context;
    struct agent *agent = &sim.agents[agent_of(view_of(device->id))];
    assert_true(agent->durable_boot == device->boot &&
                agent->durable_seq == device->seq); /* nothing lost, nothing invented */
    return core_load_device(sim.core, device);
}

static enum err load_record(void *context, const struct store_record *record)
{
    (void)context;
    return core_load_pending(sim.core, core_now(), record);
}

static void start_coordinator(void)
{
    static const struct store_options options = {.path = "/store.db", .vfs = POWERFS_NAME, .checkpoint_pages = 256};
    struct errinfo info = {0};
    uint64_t rev = 0;
    assert_int_equal(store_sqlite.open(&options, &sim.store, &info), ERR_OK);
    assert_int_equal(store_sqlite.claim_zone(sim.store, "example.net", 0, &sim.epoch, &info), ERR_OK);
    assert_int_equal(store_sqlite.last_rev(sim.store, &rev), ERR_OK);
    const struct core_options core_options = {
        .config = &sim.rig.settings->config,
        .registry = sim.rig.settings->registry,
        .stamp_key = sim.rig.key,
        .term = RIG_TERM,
        .last_rev = rev,
        .ops = {.publish = on_publish, .submit = on_submit, .commit = on_commit, .random = on_random},
    };
    sim.life++;
    sim.tick_at = 0;
    sim.engine_due = false;
    assert_int_equal(core_new(&core_options, &sim.core), ERR_OK);
    core_reconciled(sim.core);
    core_zone_claimed(sim.core, 0, sim.epoch);
    assert_int_equal(store_sqlite.each_device(sim.store, STORE_ALL_SHARDS, load_device, NULL), ERR_OK);
    const struct store_record_query pending = {.pending_only = true};
    assert_int_equal(store_sqlite.each_record(sim.store, &pending, load_record, NULL), ERR_OK);
    connect_session();
    arm_tick(sim.now + 100);
}

/* The power goes. A commit under way is in the store, or not; messages under way to the server arrive, or not. */
static void kill_coordinator(void)
{
    static const enum powerfs_survival survivals[] = {POWERFS_LOSE_ALL, POWERFS_KEEP_SOME, POWERFS_TORN,
                                                      POWERFS_KEEP_ALL};
    struct errinfo info = {0};
    if (sim.batch != NULL && sim_random() % 2 == 0) {
        (void)!write_batch(&info); /* nobody is left to hear of it */
    }
    sim.batch = NULL;
    core_free(sim.core);
    sim.core = NULL;
    sim.session_up = false;
    powerfs_plan(sim.fs, POWERFS_CUT, 1);
    store_sqlite.close(sim.store);
    powerfs_reboot(sim.fs, survivals[sim_random() % ARRAY_LEN(survivals)]);
    for (uint32_t i = 0; i < sim.agents_len * 2; i++) {
        struct served *served = &sim.served[i];
        if (served->has_flying && !sim.dns_down && i / 2 != POISON && sim_random() % 2 == 0) {
            served->value = served->flying.want;
        }
        served->has_flying = served->has_waiting = false;
    }
}

static void on_tick(void)
{
    uint64_t next = core_tick(sim.core, core_now());
    sim.tick_at = 0;
    arm_tick(next);
}

/* ---- chaos ---- */

static struct ip new_address(enum ip_family family)
{
    struct ip ip = {.family = (uint8_t)family};
    uint64_t bits = sim_random();
    memcpy(ip.bytes + 4, &bits, sizeof(bits));
    if (family == IP_V4) {
        ip = (struct ip){.family = IP_V4, .bytes = {45, (uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16)}};
    } else {
        memcpy(ip.bytes, "\x2a\x00\x14\x50", 4);
    }
    return ip;
}

static void disturb_agent(uint32_t index)
{
    struct agent *agent = &sim.agents[index];
    switch (sim_random() % 6) {
    case 0:
    case 1: /* the router is renumbered: every connection through it breaks */
        agent->observed = new_address(IP_V4);
        agent_hang_up(index);
        break;
    case 2:
        agent->ip6 = new_address(IP_V6);
        agent_tell_addresses(index);
        break;
    case 3:
        agent->ip6 = (struct ip){0};
        agent_tell_addresses(index);
        break;
    case 4: /* reboot, perhaps with an address of its own */
        agent_hang_up(index);
        agent_boot(index);
        break;
    default: /* re-flashed: the counter begins again */
        agent_hang_up(index);
        agent->flash = 0;
        agent_boot(index);
        break;
    }
}

static void stop_broker(void)
{
    sim.broker_up = false;
    if (sim.session_up) {
        sim.session_up = false;
        core_connected(sim.core, core_now(), false);
    }
    bool forgets = sim_random() % 2 == 0;
    for (uint32_t i = 0; i < sim.agents_len; i++) {
        struct agent *agent = &sim.agents[i];
        if (forgets) {
            free(agent->retained);
            free(agent->retained_gone);
            free(agent->answer);
            agent->retained = agent->retained_gone = agent->answer = NULL;
        }
        if (agent->connected) { /* no wills: the broker itself is gone */
            agent->connected = false;
            agent_step(i, &(struct report_event){.kind = REPORT_EV_DISCONNECTED});
            agent_dial(i);
        }
    }
}

/* One fault of the whole; EV_MEND ends it. */
static void disturb_all(void)
{
    uint64_t until = sim.now + sim_between(SECOND, 10 * MINUTE);
    sim.faults++;
    switch (sim_random() % 7) {
    case 0:
        if (sim.broker_up) {
            stop_broker();
        }
        break;
    case 1:
        if (sim.core != NULL) {
            kill_coordinator();
        }
        break;
    case 2:
        sim.disk_full = true;
        break;
    case 3:
        sim.dns_down = true;
        break;
    case 4:
        sim.dns_slow = true;
        break;
    case 5:
        sim.session_full = sim.disk_full = true;
        break;
    default:
        sim.wall_offset += (int64_t)sim_between(0, 2 * HOUR) - (int64_t)HOUR;
        break;
    }
    sim_schedule(until, EV_MEND, 0, NULL);
}

static void mend(void)
{
    sim.disk_full = sim.session_full = sim.dns_down = sim.dns_slow = false;
    sim.broker_up = true;
    if (sim.core == NULL) {
        start_coordinator();
    }
    connect_session();
}

/* @p again: 0, or the agent + 1 that is disturbed once more, shortly after. */
static void on_chaos(uint32_t again)
{
    if (sim.quiet) {
        return;
    }
    if (again > 0) {
        disturb_agent(again - 1);
        return;
    }
    if (sim_random() % 60 == 0) {
        disturb_all();
    } else {
        uint32_t index = (uint32_t)(sim_random() % sim.agents_len);
        disturb_agent(index);
        if (sim_random() % 3 == 0) {
            sim_schedule(sim.now + sim_between(10, 2000), EV_CHAOS, index + 1, NULL);
        }
    }
    sim_schedule(sim.now + sim_between(1, 60 * MINUTE / sim.agents_len * 10), EV_CHAOS, 0, NULL);
}

/* ---- the invariant ---- */

static void check_record(uint32_t index, enum rrtype type, const struct ip *want)
{
    const struct served *served = &sim.served[index * 2 + (type == RRTYPE_AAAA)];
    struct rrset_value value = {.len = want->family != IP_NONE && index != POISON, .ips = {*want}};
    if (value.len == 0) {
        value.ips[0] = (struct ip){0};
    }
    if (!rrset_value_equal(&served->value, &value)) {
        char has[IP_TEXT_SIZE] = "", wants[IP_TEXT_SIZE] = "";
        (void)ip_format(&served->value.ips[0], has); /* length not needed */
        (void)ip_format(want, wants);                /* length not needed */
        fail_msg("seed %" PRIu64 " at %" PRIu64 " ms: %s %s is %s, reported %s", sim.seed, sim.now,
                 sim.agents[index].id, rrtype_name(type), has, wants);
    }
}

static void check_all(void)
{
    for (uint32_t i = 0; i < sim.agents_len; i++) {
        const struct agent *agent = &sim.agents[i];
        if (agent->report.state != REPORT_ACKED) {
            fail_msg("seed %" PRIu64 " at %" PRIu64 " ms: %s is %s with (%u,%u), durable (%u,%u)", sim.seed, sim.now,
                     agent->id, report_state_text(agent->report.state), agent->report.boot, agent->report.seq,
                     agent->durable_boot, agent->durable_seq);
        }
        check_record(i, RRTYPE_A, &agent->observed);
        check_record(i, RRTYPE_AAAA, &agent->ip6);
    }
    struct core_stats stats;
    core_stats(sim.core, &stats);
    assert_int_equal(stats.records_open, 0);
    assert_int_equal(stats.records_held, 0);
    assert_int_equal(stats.acks_waiting, 0);
    assert_string_equal(stats.store_state, "ok");
    assert_true(core_is_durable(sim.core));
}

/* ---- the run ---- */

static void handle(struct event *event)
{
    bool mine = event->index == sim.life && sim.core != NULL;
    switch (event->kind) {
    case EV_AGENT:
        if (report_deadline(&sim.agents[event->index].report) <= sim.now) {
            agent_step(event->index, &(struct report_event){.kind = REPORT_EV_TIMER});
        }
        break;
    case EV_UP:
        on_published(event->message);
        return; /* owned by the broker now */
    case EV_BROKER:
        on_delivered(event->message);
        break;
    case EV_DOWN:
        agent_on_answer(event->index, event->message);
        break;
    case EV_CONNECT:
        agent_on_connect(event->index);
        break;
    case EV_TICK:
        if (mine && event->at == sim.tick_at) {
            on_tick();
        }
        break;
    case EV_COMMIT:
        if (mine && sim.batch != NULL) {
            finish_commit();
        }
        break;
    case EV_ENGINE:
        if (mine) {
            run_engine();
        }
        break;
    case EV_CHAOS:
        on_chaos(event->index);
        break;
    case EV_MEND:
        mend();
        break;
    }
    free(event->message);
}

static void pass_until(uint64_t end)
{
    struct event event;
    while (sim_next(end, &event)) {
        sim.now = event.at;
        handle(&event);
    }
    sim.now = end;
}

static void start(uint64_t seed, uint32_t agents)
{
    memset(&sim, 0, sizeof(sim));
    sim.seed = seed;
    sim_events_start(seed);
    sim.now = MINUTE;
    sim.agents_len = agents;
    rig_start(&sim.rig, &(struct rig_config){0});
    sim.fs = powerfs_new(seed);
    sim.agents = calloc(agents, sizeof(*sim.agents));
    sim.served = calloc((size_t)agents * 2, sizeof(*sim.served));
    assert_true(sim.agents != NULL && sim.served != NULL);
    sim.broker_up = true;
    start_coordinator();
    for (uint32_t i = 0; i < agents; i++) {
        (void)snprintf(sim.agents[i].id, sizeof(sim.agents[i].id), "cam-%u", i); /* fits */
        sim.agents[i].observed = new_address(IP_V4);
        agent_boot(i);
    }
}

static void stop(void)
{
    sim_events_start(0);
    for (uint32_t i = 0; i < sim.agents_len; i++) {
        free(sim.agents[i].retained);
        free(sim.agents[i].retained_gone);
        free(sim.agents[i].answer);
    }
    core_free(sim.core);
    store_sqlite.close(sim.store);
    powerfs_free(sim.fs);
    rig_stop(&sim.rig);
    free(sim.agents);
    free(sim.served);
}

static void run_seed(uint64_t seed, uint64_t hours, uint32_t agents)
{
    uint64_t began = clock_mono_ms();
    start(seed, agents);
    uint64_t end = sim.now + hours * HOUR;
    while (sim.now < end) {
        sim.quiet = false;
        sim_schedule(sim.now + 1, EV_CHAOS, 0, NULL);
        pass_until(sim.now + QUIET_EVERY);
        sim.quiet = true;
        mend();
        pass_until(sim.now + QUIET_FOR);
        check_all();
    }
    printf("seed=%" PRIu64 " agents=%u hours=%" PRIu64 " messages=%" PRIu64 " lost=%" PRIu64 " acks=%" PRIu64
           " faults=%" PRIu64 " lives=%u wall_ms=%" PRIu64 "\n",
           seed, agents, hours, sim.messages, sim.lost, sim.acks, sim.faults, sim.life, clock_mono_ms() - began);
    stop();
}

static uint64_t options[] = {1, 1, 24, 1000}; /* seeds, first, hours, agents */

static void simulation(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    for (uint64_t seed = options[1]; seed < options[1] + options[0]; seed++) {
        run_seed(seed, options[2], (uint32_t)options[3]);
        (void)fflush(stdout); /* shows the last good seed when the next one fails */
    }
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc && i <= (int)ARRAY_LEN(options); i++) {
        if (view_to_u64(view_of(argv[i]), UINT32_MAX, &options[i - 1]) != ERR_OK) {
            (void)fprintf(stderr, "usage: sim_fleet [SEEDS [FIRST [HOURS [AGENTS]]]]\n"); /* message only */
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(simulation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
