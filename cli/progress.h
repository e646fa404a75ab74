/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * progress: how far a long command is, on stderr: a bar that is drawn over on a terminal, a line every ten seconds
 * elsewhere, with rate, time left and failures. Main thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/strbuf.h"

struct progress {
    FILE *stream;   /* borrowed; NULL: nothing is shown */
    bool bar;       /* a terminal */
    uint64_t total; /* 0: not known */
    uint64_t done, failed, skipped;
    uint64_t begun_ms, shown_ms; /* mono */
};

/** @param total 0: not known. */
void progress_init(struct progress *progress, FILE *stream, uint64_t total, uint64_t now_ms);

enum progress_outcome { PROGRESS_DONE, PROGRESS_FAILED, PROGRESS_SKIPPED };
/** One more. Shows where it stands when it is time. */
void progress_step(struct progress *progress, enum progress_outcome outcome, uint64_t now_ms);
/** Takes the bar off the line, before something else is printed on a terminal. */
void progress_clear(struct progress *progress);
/** The last word. */
void progress_end(struct progress *progress, uint64_t now_ms);

/** The words of one line, without bar and newline. Skipped ones (done before) count for how far it is, not for the
 * rate. Pure. */
void progress_text(const struct progress *progress, uint64_t now_ms, struct strbuf *out);
