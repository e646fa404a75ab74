/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * agent_private: what the parts of agent/agent.h share. Nobody else includes it. Parts: agent.c (what is reported, and
 * when), connection.c (the connection that it is reported over).
 */
#include "agent/agent.h"
#include "agent/detect/detect.h"
#include "agent/detect/resume.h"
#include "agent/floorlook.h"
#include "agent/interfaces.h"
#include "agent/probing.h"
#include "base/backoff.h"
#include "mqtt/inbox.h"
#include "mqtt/session.h"
#include "mqtt/topics.h"

struct agent {
    struct loop *loop;                 /* borrowed */
    const struct agent_config *config; /* borrowed; of the start: rows that need a restart */
    const struct agent_config *live;   /* borrowed; of the last reload: rows that do not */
    char device_id[DEVICE_ID_MAX + 1];
    char state_topic[TOPIC_SIZE], gone_topic[TOPIC_SIZE], dns_topic[TOPIC_SIZE], sync_topic[TOPIC_SIZE];
    char cert_topic[TOPIC_SIZE], csr_topic[TOPIC_SIZE];
    struct agent_keeper keeper;      /* all NULL: the identity is in files that somebody put there */
    struct floorlook *look;          /* owned */
    unsigned takeovers;              /* connections in a row that ended young */
    struct loop_timer *denied_timer; /* owned */
    struct backoff denied;           /* of connections without rights */
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

/** Copies what fits: for texts that people read. */
void agent_set_text(char *buffer, size_t size, const char *text);
/** One step of the report, and what it asks for. */
void agent_step(struct agent *agent, const struct report_event *event);
void agent_step_kind(struct agent *agent, enum report_event_kind kind);

/** Session and timers. @return ERR_NOMEM, or what session_new says. */
enum err connection_new(struct agent *agent) MUST_CHECK;
void connection_free(struct agent *agent);
/** Nothing is tried any more; the session still sends what is queued. */
void connection_stop(struct agent *agent);
/** The connection is dead or stands where it should not: a new one is made at once. */
void connection_leave(struct agent *agent, const char *reason);
/** The addresses are about to become @p set (agent->own still has the old ones). */
void connection_mend(struct agent *agent, const struct address_set *set);
/** What detection knows of the paths may have changed. */
void connection_follow(struct agent *agent, const struct address_set *set);
/** Something happened: the path is looked at more often for a while. */
void connection_alert(struct agent *agent);
/** `stranded` of struct detect_options. */
void connection_stranded(void *context, bool seen);
/** The kernel's name of the link that the connection leaves by, "" when there is none; and its own address. */
const char *connection_carrier(const struct agent *agent, struct ip *ret_local);
