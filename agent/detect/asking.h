/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * asking: what sources that ask over the network have in common: the questions under way, at most one a family and
 * uplink; a timer each; the addresses of a server; the one call of `answered`. Threading: loop thread.
 *
 * A source embeds `struct asking` as the first member of its own question. The first call of its timer comes at once
 * from the loop, so nothing of a source happens inside `ask`.
 */
#include "agent/detect/source.h"
#include "net/resolve.h"

struct asking;

/** One a source. Open value; init, then through the functions. */
struct askings {
    struct loop *loop;                 /* borrowed */
    struct source_callbacks callbacks; /* copied */
    loop_fn on_timer;                  /* its context is the asking */
    /** Lets go of what the source holds for @p asking (sockets), not of its memory. */
    void (*release)(struct asking *asking);
    struct asking *first; /* owned */
};

/** Open value; zeroed by its owner, written by the functions below. */
struct asking {
    struct asking *next;
    struct askings *askings;
    struct source_question question;
    uint64_t started_ms, deadline_ms; /* mono */
    struct loop_timer *timer;
    struct resolve *resolve; /* NULL when none is under way */
};

/** Takes @p asking (from calloc; freed here in every case but ERR_OK) in and arms its timer for now.
 *  @return ERR_AGAIN (the path is being asked), ERR_NOMEM. */
enum err asking_begin(struct askings *askings, const struct source_question *question,
                      struct asking *asking) MUST_CHECK;
/** Frees @p asking and tells @p answer, whose elapsed_ms is set here. Only from the loop: never inside asking_begin. */
void asking_end(struct asking *asking, const struct source_answer *answer);
/** Writes answer->detail, cut to what fits. */
void asking_detail(struct source_answer *answer, const char *format, ...) PRINTF_LIKE(2, 3);
/** asking_end with SOURCE_ANSWER_FAILED and a text. */
void asking_fail(struct asking *asking, const char *format, ...) PRINTF_LIKE(2, 3);
/** Arms the timer for @p mono_ms or the deadline, whichever is first. */
void asking_wake_at(struct asking *asking, uint64_t mono_ms);
bool asking_is_late(const struct asking *asking); /* the deadline has come */
/* `cancel` and `close` of a source whose struct has its askings first and owns nothing else. */
void asking_cancel(struct source *source);
void asking_close(struct source *source);

/** False when @p server ("host:port") is an address of another family: such a question is ERR_UNSUPPORTED. */
bool asking_may_know(const char *server, uint8_t family);
/** The first address of the question's family among @p result. IP_NONE: there is none. */
struct ip asking_address(const struct source_question *question, const struct resolve_result *result,
                         uint16_t *ret_port);
