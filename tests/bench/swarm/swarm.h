/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * swarm: the connections of a simulated fleet on one epoll, and the jobs that publish over them. A fleet shares
 * `connections` links with certificates of the swarm authority, or has a link of each device's own with its own
 * certificate and the rights of production. One thread.
 *
 *   link: CLOSED ──open──▶ CONNECTING ──CONNACK──▶ SUBSCRIBING ──SUBACKs──▶ READY ──publish job──▶ READY
 */
#include <stdio.h>

#include "tests/bench/swarm/fleet.h"
#include "tests/bench/swarm/mqtt5.h"
#include "tests/bench/swarm/probe.h"
#include "tests/bench/swarm/wire.h"

struct swarm_options {
    const char *broker;  /* host:port, an IPv4 address */
    const char *ca;      /* PEM */
    const char *certs;   /* folder with <id>.pem and <id>.key */
    const char *prefix;  /* of the device ids */
    const char *log;     /* oracle; NULL: none */
    const char *serials; /* file for (time, serial) pairs; NULL: none */
    const char *dns;     /* host:port of the authoritative server; NULL: not watched */
    const char *zone;
    uint32_t devices, connections, window, boot;
    uint64_t seed;
    uint64_t timeout_ms; /* of a command */
    bool own;            /* a connection each */
    bool no_repeats;     /* nobody acknowledges here, and no device minds */
};

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_SUBSCRIBING, LINK_READY };

struct link {
    struct wire wire;
    enum link_state state;
    uint32_t index;
    uint16_t window, in_flight, next_id, subscriptions;
    uint16_t oldest_id; /* of those in flight */
    bool watched_write; /* EPOLLOUT is set */
    bool again;         /* was connected before: its devices report their return */
    size_t cursor;      /* next device of the job: index, index + links, ... */
    size_t due_cursor;  /* next device to look at for a report that is due */
    uint32_t rounds;    /* of the job, behind this one */
    uint64_t sent_ms;   /* for keep-alive */
};

/** What is being published: every device in turn, `rounds` times, or what `body` makes of it. */
struct job {
    const char *why;
    size_t limit;    /* devices 0..limit-1 */
    uint32_t rounds; /* at least 1 */
    bool renumber;   /* a new address before each publish */
    size_t open_max; /* devices whose report of this job is not acknowledged yet, at most; 0: no limit */
    /** NULL: the device's state. Else writes topic and payload. */
    void (*body)(void *context, size_t device, char topic[static TOPIC_SIZE], struct strbuf *payload, bool *ret_retain);
    void *context;
};

struct swarm_counts {
    uint64_t published, confirmed, refused, repeats; /* of the present job */
    uint64_t acks, disconnects, bad_codec;
    uint64_t unexpected; /* confirmations of what was not the oldest in flight (MQTT-4.6.0-2) */
};

struct swarm {
    const struct swarm_options *options;
    struct fleet fleet;
    struct link *links; /* owned */
    size_t links_len, links_ready, links_failed;
    struct wire_trust *trust;
    struct sockaddr_in peer;
    int epoll;
    struct strbuf payload; /* scratch */
    struct job job;
    bool job_open;
    uint64_t job_first_ns, job_last_ns; /* first publish, last PUBACK */
    uint64_t ack_last_ns;
    size_t acked;            /* devices whose present report is acknowledged */
    size_t job_open_devices; /* renumbered by this job and not acknowledged yet */
    struct swarm_counts counts;
    struct probe probe;         /* for the serial, served by swarm_serve */
    struct probe address_probe; /* for addresses, served by who asks */
    FILE *serials;              /* owned */
    uint32_t serial;
    uint64_t serial_ns; /* when the present serial was first seen */
};

enum err swarm_init(struct swarm *swarm, const struct swarm_options *options) MUST_CHECK;
void swarm_deinit(struct swarm *swarm);

/** Serves all links for at most @p wait_ms (0: only what is ready). @p extra_fd -1, or watched too. @return whether
 * extra_fd is readable. */
bool swarm_serve(struct swarm *swarm, int wait_ms, int extra_fd);
/** Starts to connect every closed link, a bounded number at a time; swarm_serve goes on. */
void swarm_connect_some(struct swarm *swarm);
/** Drops every link without a word. */
void swarm_drop_all(struct swarm *swarm);
/** DISCONNECTs every link. */
void swarm_leave(struct swarm *swarm);

void swarm_begin(struct swarm *swarm, const struct job *job);
/** Whether the job may publish for one more device. */
bool swarm_job_has_room(const struct swarm *swarm);
/** Lets every link publish what it has room for: acks on one link make room for all. */
void swarm_fill(struct swarm *swarm);
/** All of the job is published and confirmed. */
bool swarm_done(const struct swarm *swarm);
/** Publishes one device's report, outside a job, as soon as its link has room. */
void swarm_report(struct swarm *swarm, size_t device);

/* link.c: what swarm.c uses of one link */
enum err link_open(struct swarm *swarm, struct link *link) MUST_CHECK;
/** Reads, answers and writes; closes the link when it ended. */
void link_serve(struct swarm *swarm, struct link *link);
void link_ping(struct swarm *swarm, struct link *link, uint64_t now_ms);
void link_close(struct swarm *swarm, struct link *link);
void link_watch(struct swarm *swarm, struct link *link);

/* commands.c */
/** Runs one line ("storm", "heartbeat 3", ...) and prints one JSON object. @return false for "quit". */
bool command_run_line(struct swarm *swarm, char *line);
