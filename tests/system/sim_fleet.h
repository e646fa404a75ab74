/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** sim_fleet: what the files of the simulation share; see sim_fleet.c. */
#include "agent/report.h"
#include "coordinator/core.h"
#include "tests/lib/core_rig.h"
#include "tests/lib/powerfs.h"
#include "tests/system/sim_events.h"

#define SECOND         UINT64_C(1000)
#define MINUTE         (60 * SECOND)
#define HOUR           (60 * MINUTE)
#define QUIET_EVERY    (6 * HOUR)
#define QUIET_FOR      (2 * HOUR) /* the slowest repeat is 15 minutes, and an outage may have slowed it down */
#define POISON         7          /* this agent's name is refused by the server */
#define PERMILLE_LOST  20
#define PERMILLE_TWICE 20

struct agent {
    struct report report;
    char id[16];
    uint32_t flash; /* boot counter that survives */
    uint32_t link;  /* rises with each connection */
    bool connected, dialling;
    struct ip observed, ip6;
    struct message *retained, *retained_gone; /* at the broker */
    struct message *answer;                   /* retained dns */
    uint32_t durable_boot, durable_seq;       /* mirror of the store */
};

struct served { /* one RRset of the zone and of its writer */
    struct rrset_value value;
    struct rrset_change waiting, flying;
    bool has_waiting, has_flying;
};

struct sim {
    struct rig rig; /* settings and key */
    uint64_t seed, now;
    int64_t wall_offset;
    struct agent *agents;
    struct served *served; /* two an agent: A, AAAA */
    uint32_t agents_len;
    struct powerfs *fs;
    struct store *store;
    struct core *core;
    struct store_batch *batch;
    uint32_t life; /* of the coordinator: events of a life before are void */
    bool broker_up, session_up, disk_full, session_full, dns_down, dns_slow, quiet, engine_due;
    uint64_t epoch, tick_at, faults, messages, acks, lost;
};
extern struct sim sim;

/** True so many times in a thousand; never at a quiet time. */
bool sim_chance(unsigned permille);
/** The network: late, never, or twice; so also out of order. */
void sim_send(enum kind kind, struct message *message);

/* sim_agents.c */
void agent_step(uint32_t index, const struct report_event *event);
void agent_boot(uint32_t index);
void agent_dial(uint32_t index);
/** The connection is gone; the broker sends the will. */
void agent_hang_up(uint32_t index);
/** Tells the agent which addresses it has now. */
void agent_tell_addresses(uint32_t index);
void agent_on_connect(uint32_t index);
void agent_on_answer(uint32_t index, const struct message *message);
