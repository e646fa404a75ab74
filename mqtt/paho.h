/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * paho: the one file that names Paho. A thread of our own makes every Paho call (any of them may block on the mutex
 * that Paho's threads share); commands go to it through a queue, what happened comes back as events and finished
 * tickets that the owner collects after `wake`. Paho's callbacks copy and return. Owner: session.c; every function here
 * is called on the loop thread and none of them blocks, paho_free excepted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/view.h"
#include "mqtt/session.h"

struct paho;

#define PAHO_TICKETS_MAX 4095 /* messages handed over and not finished; twelve bits of a callback's context */
#define PAHO_REASON_MAX  256

struct paho_options {
    const struct session_options *session; /* borrowed for the call; texts are copied */
    size_t tickets;                        /* at most PAHO_TICKETS_MAX */
    void (*wake)(void *context);           /* any thread: collect */
    void *context;
};

enum paho_event_kind {
    PAHO_CONNECTED,
    PAHO_FAILED, /* the attempt */
    PAHO_LOST,   /* the connection that stood */
    PAHO_LEFT,   /* DISCONNECT is through, or there was nothing to disconnect */
};

struct paho_event {
    enum paho_event_kind kind;
    enum err err;
    char reason[PAHO_REASON_MAX];
};

struct paho_finished {
    unsigned ticket; /* as handed to paho_publish or paho_subscribe */
    enum err err;    /* ERR_DENIED: reason codes 0x87 and its like */
};

enum err paho_new(const struct paho_options *options, struct paho **ret_paho) MUST_CHECK;

/** @p uri "ssl://host:port". @p will may be empty. @return ERR_NOMEM. */
enum err paho_connect(struct paho *paho, const char *uri, struct view will) MUST_CHECK;
/** Other TLS files from the next paho_connect on, in place of the options'. @return ERR_NOMEM. */
enum err paho_use_files(struct paho *paho, const char *ca_file, const char *cert_file, const char *key_file) MUST_CHECK;
/** Repeats the last connect, so that Paho's send thread wakes and sees that the attempt under way is too old: it sleeps
 * by the wall clock and oversleeps when that steps back. */
void paho_nudge(struct paho *paho);
void paho_disconnect(struct paho *paho);

/** A ticket is free again when it came back as finished, or after paho_forget. @return ERR_NOMEM. */
enum err paho_publish(struct paho *paho, unsigned ticket, const struct session_publish *publish) MUST_CHECK;
enum err paho_subscribe(struct paho *paho, unsigned ticket, const struct session_filter *filter) MUST_CHECK;

/** The next event or finished ticket, false when there is none. */
bool paho_next_event(struct paho *paho, struct paho_event *ret_event);
bool paho_next_finished(struct paho *paho, struct paho_finished *ret_finished);

/** The connection is gone: no ticket handed out so far will come back. */
void paho_forget(struct paho *paho);

/** Ends the threads; a connection that stands is closed with DISCONNECT. Blocks: Paho takes up to 2 s to stop its
 * threads with the last client of the process. NULL allowed. */
void paho_free(struct paho *paho);
