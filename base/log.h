/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * log: what the daemons say. One line an event: `<level>event key=value ...`, with journald's "<N>" prefix when stderr
 * is the journal and an RFC 3339 time otherwise. Each event id is rate limited on its own; what was held back is said
 * in the next line as `suppressed=N`. Lower rooms (base, net, mqtt, providers, provisioning) never log: they return
 * errors. Any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARN = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/** Sets the threshold and finds out whether stderr is the journal (JOURNAL_STREAM). Call once at start, before threads.
 */
void log_init(const char *program, enum log_level threshold);
void log_set_level(enum log_level threshold);
enum log_level log_get_level(void);

/** Level of "error", "warn", "notice", "info", "debug". */
bool log_level_parse(const char *text, enum log_level *ret_level);

/**
 * Writes one line. @p event: static storage, `[a-z0-9-]+`, the id that is rate limited (20 lines a 10 s, errors too).
 * @p format: the `key=value` part with the unit in the key ("retry_ms=%d"); values from outside go through log_quote.
 * A line is at most 1 KiB, cut with "..."; controls in it become blanks. Keeps errno. Blocks as stderr does.
 */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#define LOG_QUOTED_SIZE 200

/** Text from outside made safe for a line: always in quotes, everything but printable ASCII as \xNN, cut with "...".
 * @return @p buffer. */
const char *log_quote(const char *ptr, size_t len, char buffer[static LOG_QUOTED_SIZE]);

/** Lines held back since start, for metrics. */
uint64_t log_suppressed(void);
