/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * detect_private: what the parts of agent/detect/detect.h share. Nobody else includes it.
 */
#include "agent/detect/detect.h"
#include "agent/detect/health.h"
#include "agent/detect/schedule.h"
#include "net/loop.h"

#define DETECT_PATHS_MAX (2 * MQTT_UPLINKS_MAX)

/* One configured source. */
struct slot {
    struct detect *detect;
    size_t index;
    struct source_config config; /* texts borrowed */
    const struct source_ops *ops;
    struct source *source;            /* owned; NULL: its answers are events, or it could not be opened */
    char trouble[SOURCE_DETAIL_SIZE]; /* why it could not be opened; "" when it could */
};

/* What a source last knew of the path: a failure after it says nothing, so it counts until it is stale. */
struct word {
    bool has;
    uint64_t at_ms;
    struct ip ip;                  /* of any class; IP_NONE with no_outside */
    bool port_control, no_outside; /* as in struct source_answer */
};

/* What was known of the NAT when the path was last in doubt (detect_moved). */
struct held_nat {
    enum nat_class reported, shown;
    size_t router; /* index of the source that told the router's outside; SIZE_MAX: none did */
    struct ip ip;  /* which it said */
    bool same;     /* its own address and its router stayed the same */
};

/* One family of one uplink; kept while its link is away, for it mostly comes back. */
struct path {
    char uplink[RT_IFNAME_SIZE]; /* the kernel's name: what a socket is bound to */
    uint8_t family;              /* enum ip_family */
    bool present;                /* in the last set */
    bool away; /* was missing from a set, or is of another life: when it is present again it has moved */
    struct address_field own;
    struct ip gateway;
    struct ip observed;  /* what the broker sees of the connection, if that leaves by this path; IP_NONE = nothing */
    uint64_t present_ms; /* when it was last in a set */
    uint64_t first_ms;   /* nobody outside is asked before */
    uint64_t moved_ms;   /* what was seen from outside before is stale */
    unsigned under_way;  /* questions */
    struct fusion fusion;
    struct schedule schedules[FUSION_SOURCES_MAX];
    struct word words[FUSION_SOURCES_MAX];
    struct held_nat held;
    struct health health;
    uint64_t missed_ms[FUSION_SOURCES_MAX]; /* when the source's last question was asked, if it failed; else 0 */
};

struct detect {
    struct loop *loop; /* borrowed */
    struct detect_options options;
    struct slot slots[FUSION_SOURCES_MAX];
    size_t slots_len;
    struct path *paths[DETECT_PATHS_MAX]; /* owned */
    size_t paths_len;
    struct address_set set; /* as the interfaces have it */
    struct loop_timer *timer;
    unsigned under_way; /* questions of all paths */
    bool changed;       /* the owner is to be told */
    bool stranded;      /* this too, before */
    bool stranded_seen;
    uint64_t made_ms;             /* the agent's start: a reload hands it on */
    uint64_t lost_ms;             /* when the connection to the broker broke last; 0 = never */
    char carrier[RT_IFNAME_SIZE]; /* the path that the connection stands on; "" = none */
    uint8_t carrier_family;
};

uint64_t detect_now(const struct detect *detect);
/** The owner is told, and what is due is done, from the loop. */
void detect_wake(struct detect *detect);

struct path *detect_path(const struct detect *detect, const char *uplink, uint8_t family); /* NULL: none */
bool detect_is_event(const struct slot *slot, enum source_view view);                      /* interface, observed */
/** The config lets the source say something about the path: its family, its uplink. */
bool detect_concerns(const struct slot *slot, const struct path *path);
bool detect_may_ask(const struct slot *slot, const struct path *path);
/** One answer, or what an event says. */
void detect_vote(struct detect *detect, struct path *path, const struct slot *slot, const struct source_answer *answer,
                 bool event);
/** Wants every source that may be asked about the path. */
void detect_want(struct detect *detect, struct path *path, uint64_t at_ms, bool event);
/** What the end of a question that was asked at @p asked_ms says of its path. */
void detect_heard(struct detect *detect, struct path *path, const struct slot *slot, bool good, uint64_t asked_ms);
/** Time passed, or the connection to the broker changed. */
void detect_check_health(struct detect *detect, struct path *path);
/** Whether somebody outside is asked along it: only then its health is told. */
bool detect_has_asker(const struct detect *detect, const struct path *path);
/** Asks no more about a path that is not present. */
void detect_let_go(struct path *path);
/** What was seen from outside is in doubt. @param same the path's own address and router are as they were. */
void detect_moved(struct detect *detect, struct path *path, bool same);
/** What detect_view.c makes of the path's NAT now, for when it will be in doubt. */
struct held_nat detect_hold_nat(const struct detect *detect, const struct path *path, bool same);
