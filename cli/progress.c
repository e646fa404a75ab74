/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <unistd.h>

#define BAR_EVERY_MS  200
#define LINE_EVERY_MS 10000
#define BAR_WIDTH     24
#define TEXT_MAX      256
#define CLEAR_LINE    "\r\033[K"

void progress_init(struct progress *progress, FILE *stream, uint64_t total, uint64_t now_ms)
{
    *progress = (struct progress){.stream = stream, .total = total, .begun_ms = now_ms, .shown_ms = now_ms};
    progress->bar = stream != NULL && isatty(fileno(stream)) == 1;
}

static uint64_t all_of(const struct progress *progress)
{
    return progress->done + progress->failed + progress->skipped;
}

static void add_time(struct strbuf *out, uint64_t s)
{
    if (s >= 3600) {
        (void)strbuf_addf(out, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
                          s / 60 % 60); /* a cut line is shown all the same */
    } else if (s >= 60) {
        (void)strbuf_addf(out, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    } else {
        (void)strbuf_addf(out, "%" PRIu64 "s", s);
    }
}

void progress_text(const struct progress *progress, uint64_t now_ms, struct strbuf *out)
{
    uint64_t all = all_of(progress);
    uint64_t worked = progress->done + progress->failed;
    double elapsed_s = (double)(now_ms - progress->begun_ms) / 1000.0;
    double rate = elapsed_s > 0 ? (double)worked / elapsed_s : 0;
    (void)strbuf_addf(out, "%" PRIu64, all); /* as above */
    if (progress->total > 0) {
        (void)strbuf_addf(out, "/%" PRIu64, progress->total);
    }
    (void)strbuf_addf(out, "  %.1f/s", rate);
    if (progress->total > all && rate > 0) {
        (void)strbuf_adds(out, "  left ");
        add_time(out, (uint64_t)((double)(progress->total - all) / rate + 0.5));
    }
    (void)strbuf_addf(out, "  %" PRIu64 " failed", progress->failed);
    if (progress->skipped > 0) {
        (void)strbuf_addf(out, "  %" PRIu64 " done before", progress->skipped);
    }
}

static void add_bar(const struct progress *progress, struct strbuf *out)
{
    uint64_t filled = all_of(progress) * BAR_WIDTH / progress->total;
    (void)strbuf_addc(out, '[');
    for (uint64_t i = 0; i < BAR_WIDTH; i++) {
        (void)strbuf_addc(out, i < filled ? '#' : '.');
    }
    (void)strbuf_adds(out, "] ");
}

static void show(struct progress *progress, uint64_t now_ms)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    if (progress->bar && progress->total > 0) {
        add_bar(progress, &text);
    }
    progress_text(progress, now_ms, &text);
    (void)fprintf(progress->stream, progress->bar ? CLEAR_LINE "%s" : "%s\n", strbuf_str(&text));
    (void)fflush(progress->stream); /* it is for eyes only, as the line above */
    strbuf_deinit(&text);
    progress->shown_ms = now_ms;
}

void progress_step(struct progress *progress, enum progress_outcome outcome, uint64_t now_ms)
{
    progress->done += outcome == PROGRESS_DONE;
    progress->failed += outcome == PROGRESS_FAILED;
    progress->skipped += outcome == PROGRESS_SKIPPED;
    if (progress->stream != NULL && now_ms - progress->shown_ms >= (progress->bar ? BAR_EVERY_MS : LINE_EVERY_MS)) {
        show(progress, now_ms);
    }
}

void progress_clear(struct progress *progress)
{
    if (progress->stream != NULL && progress->bar) {
        (void)fputs(CLEAR_LINE, progress->stream); /* for eyes only */
        (void)fflush(progress->stream);
    }
}

void progress_end(struct progress *progress, uint64_t now_ms)
{
    if (progress->stream != NULL) {
        show(progress, now_ms);
        (void)fputs(progress->bar ? "\n" : "", progress->stream); /* for eyes only */
    }
}
