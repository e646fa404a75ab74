/* SPDX-License-Identifier: Apache-2.0 */
/* The agents of the simulation: their real step functions, and a shell that carries out what they decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/system/sim_fleet.h"

#define BODY_MAX 2048

static void publish_state(uint32_t index, const struct report_actions *actions)
{
    struct agent *agent = &sim.agents[index];
    const struct report *report = &agent->report;
    static struct state_message state; /* large */
    state = (struct state_message){.on = !actions->off,
                                   .boot = report->boot,
                                   .conn = report->conn,
                                   .seq = report->seq,
                                   .ip4 = report->published.ip4,
                                   .ip6 = report->published.ip6};
    (void)snprintf(state.why, sizeof(state.why), "%s", actions->why); /* fits */
    (void)snprintf(state.src, sizeof(state.src), "interface");        /* fits */
    struct strbuf body;
    strbuf_init(&body, BODY_MAX);
    assert_int_equal(state_encode(&state, &body), ERR_OK);
    struct message *message = sim_message(index, strbuf_view(&body));
    message->link = agent->link;
    message->observed = agent->observed;
    strbuf_deinit(&body);
    sim_send(EV_UP, message);
}

void agent_dial(uint32_t index)
{
    if (!sim.agents[index].dialling) {
        sim.agents[index].dialling = true;
        sim_schedule(sim.now + sim_between(100, 5000), EV_CONNECT, index, NULL);
    }
}

void agent_step(uint32_t index, const struct report_event *event)
{
    struct agent *agent = &sim.agents[index];
    struct report_actions actions = report_step(&agent->report, event, sim.now, sim_random());
    if (actions.persist_boot) {
        agent->flash = agent->report.boot;
    }
    if (actions.publish && agent->connected) {
        publish_state(index, &actions);
    }
    if (actions.reconnect) {
        agent_hang_up(index);
    }
    uint64_t deadline = report_deadline(&agent->report);
    if (deadline != REPORT_NEVER) {
        sim_schedule(MAX(deadline, sim.now), EV_AGENT, index, NULL);
    }
}

void agent_hang_up(uint32_t index)
{
    struct agent *agent = &sim.agents[index];
    if (agent->connected) {
        char body[80];
        (void)snprintf(body, sizeof(body), "{\"v\":1,\"boot\":%u,\"conn\":%u}", agent->report.boot,
                       agent->report.conn); /* fits */
        struct message *will = sim_message(index, view_of(body));
        will->gone = true;
        will->link = agent->link;
        agent->connected = false;
        sim_schedule(sim.now + sim_between(1, 100), EV_UP, index, will);
        agent_step(index, &(struct report_event){.kind = REPORT_EV_DISCONNECTED});
    }
    agent_dial(index);
}

void agent_on_connect(uint32_t index)
{
    struct agent *agent = &sim.agents[index];
    agent->dialling = false;
    if (agent->connected) {
        return;
    }
    agent_step(index, &(struct report_event){.kind = REPORT_EV_ATTEMPT});
    if (!sim.broker_up) {
        agent_step(index, &(struct report_event){.kind = REPORT_EV_DISCONNECTED});
        agent_dial(index);
        return;
    }
    agent->link++;
    agent->connected = true;
    agent_step(index, &(struct report_event){.kind = REPORT_EV_CONNECTED});
    if (agent->answer != NULL) {
        struct message *answer = sim_copy(agent->answer);
        answer->retained = true;
        answer->link = agent->link;
        sim_schedule(sim.now + sim_between(1, 50), EV_DOWN, index, answer);
    }
}

void agent_tell_addresses(uint32_t index)
{
    struct agent *agent = &sim.agents[index];
    struct address_set set = {.ip4 = {.presence = FIELD_SET, .ip = rig_ip("192.168.7.7")}};
    set.ip6.presence = agent->ip6.family != IP_NONE ? FIELD_SET : FIELD_NULL;
    set.ip6.ip = agent->ip6;
    agent_step(index, &(struct report_event){.kind = REPORT_EV_CHANGED, .addresses = &set});
}

void agent_boot(uint32_t index)
{
    struct agent *agent = &sim.agents[index];
    report_init(&agent->report, ++agent->flash, &REPORT_TIMING_DEFAULT);
    agent_tell_addresses(index);
    agent_dial(index);
}

void agent_on_answer(uint32_t index, const struct message *message)
{
    static struct dns_message dns; /* large */
    struct errinfo info = {0};
    struct agent *agent = &sim.agents[index];
    if (!agent->connected || message->link != agent->link) {
        return;
    }
    assert_int_equal(dns_decode(view_n(message->body, message->len), &dns, &info), ERR_OK);
    struct report_event event = {.kind = REPORT_EV_ANSWER};
    event.answer.has_ack = dns.has_ack;
    event.answer.boot = dns.ack_boot;
    event.answer.seq = dns.ack_seq;
    event.answer.retained = message->retained;
    agent_step(index, &event);
}
