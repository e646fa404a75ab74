/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_LINE_MAX       1024 /* a journal line an operator can read */
#define LOG_PREFIX_MAX     256  /* time, program, level, event */
#define LOG_TAIL_MAX       32   /* " suppressed=4294967295", newline, NUL */
#define LOG_EVENTS_MAX     128  /* distinct event ids with their own budget; later ones share the last slot */
#define LOG_WINDOW_MS      10000
#define LOG_LINES_A_WINDOW 20

struct event_budget {
    const char *event; /* static storage; compared by text */
    uint64_t window_start_ms;
    uint32_t lines;
    uint32_t held_back;
};

static struct {
    pthread_mutex_t lock; /* of the budgets */
    pthread_mutex_t write_lock;
    _Atomic int threshold;
    _Atomic uint64_t suppressed;
    bool journal;
    const char *program;
    struct event_budget budgets[LOG_EVENTS_MAX];
    size_t budgets_len;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .write_lock = PTHREAD_MUTEX_INITIALIZER,
           .threshold = LOG_LEVEL_INFO,
           .program = "muster"};

/* JOURNAL_STREAM is "device:inode" of the journal's socket; children of a service inherit the variable, but their
 * stderr may go elsewhere (sd-daemon(3)). */
static bool stderr_is_journal(void)
{
    const char *variable = getenv("JOURNAL_STREAM");
    struct stat stat;
    if (variable == NULL || fstat(STDERR_FILENO, &stat) != 0) {
        return false;
    }
    char own[64];
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino); /* fits */
    return strcmp(variable, own) == 0;
}

void log_init(const char *program, enum log_level threshold)
{
    state.program = program;
    state.journal = stderr_is_journal();
    log_set_level(threshold);
}

void log_set_level(enum log_level threshold)
{
    atomic_store(&state.threshold, (int)threshold);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&state.threshold);
}

static const char *const level_names[] = {[LOG_LEVEL_ERROR] = "error",
                                          [LOG_LEVEL_WARN] = "warn",
                                          [LOG_LEVEL_NOTICE] = "notice",
                                          [LOG_LEVEL_INFO] = "info",
                                          [LOG_LEVEL_DEBUG] = "debug"};

bool log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = LOG_LEVEL_ERROR; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static struct event_budget *find_budget(const char *event)
{
    for (size_t i = 0; i < state.budgets_len; i++) {
        if (strcmp(state.budgets[i].event, event) == 0) {
            return &state.budgets[i];
        }
    }
    if (state.budgets_len < LOG_EVENTS_MAX) {
        state.budgets_len++;
        state.budgets[state.budgets_len - 1] = (struct event_budget){.event = event};
    }
    return &state.budgets[state.budgets_len - 1];
}

/* True when the line may be written; ret_held_back: lines of this event dropped since the last one written. Called with
 * the lock held. */
static bool take_budget(const char *event, uint32_t *ret_held_back)
{
    uint64_t now = clock_mono_ms();
    struct event_budget *budget = find_budget(event);
    if (budget->lines == 0 || now - budget->window_start_ms >= LOG_WINDOW_MS) {
        budget->window_start_ms = now;
        budget->lines = 0;
    }
    if (budget->lines >= LOG_LINES_A_WINDOW) {
        budget->held_back++;
        atomic_fetch_add(&state.suppressed, 1);
        return false;
    }
    budget->lines++;
    *ret_held_back = budget->held_back;
    budget->held_back = 0;
    return true;
}

static size_t write_prefix(char *line, size_t size, enum log_level level, const char *event)
{
    int n;
    if (state.journal) {
        n = snprintf(line, size, "<%d>%s ", (int)level, event);
    } else {
        char stamp[CLOCK_RFC3339_SIZE];
        clock_rfc3339(clock_wall_ms(), stamp);
        n = snprintf(line, size, "%s %s %s %s ", stamp, state.program, level_names[level], event);
    }
    return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

/* One event is one line: what would start another one, or act on a terminal, becomes a blank. */
static void make_harmless(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = ' ';
        }
    }
}

/* Where a text of `len` bytes may be cut without splitting a UTF-8 sequence. */
static size_t cut_point(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

/* Formats the key=value part behind `len` bytes of prefix. @return the new length, at most `limit`; a text that does
 * not fit ends with "...". */
static size_t write_text(char *line, size_t len, size_t limit, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static size_t write_text(char *line, size_t len, size_t limit, const char *format, va_list args)
{
    int n = vsnprintf(line + len, limit - len + 1, format, args);
    size_t wanted = n < 0 ? 0 : (size_t)n;
    size_t end = len + wanted;
    if (end > limit) {
        end = cut_point(line, limit - 3);
        memcpy(line + end, "...", 3);
        end += 3;
    }
    make_harmless(line + len, end - len);
    return end;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level > atomic_load(&state.threshold)) {
        return;
    }
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    (void)pthread_mutex_lock(&state.lock); /* fails only on misuse */
    uint32_t held_back = 0;
    bool allowed = take_budget(event, &held_back);
    (void)pthread_mutex_unlock(&state.lock);
    if (!allowed) {
        return;
    }
    char tail[LOG_TAIL_MAX] = "\n";
    if (held_back > 0) {
        (void)snprintf(tail, sizeof(tail), " suppressed=%" PRIu32 "\n", held_back); /* fits */
    }
    size_t len = write_prefix(line, LOG_PREFIX_MAX, level, event);
    va_list args;
    va_start(args, format);
    len = write_text(line, len, sizeof(line) - sizeof(tail), format, args);
    va_end(args);
    memcpy(line + len, tail, strlen(tail));
    (void)pthread_mutex_lock(&state.write_lock); /* two writes to a plain file at once may land on the same offset */
    (void)!write(STDERR_FILENO, line, len + strlen(tail)); /* nowhere left to complain to */
    (void)pthread_mutex_unlock(&state.write_lock);
    errno = saved_errno;
}

const char *log_quote(const char *ptr, size_t len, char buffer[static LOG_QUOTED_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    size_t out = 0;
    buffer[out++] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)ptr[i];
        if (out > LOG_QUOTED_SIZE - 10) {
            buffer[out++] = '.';
            buffer[out++] = '.';
            buffer[out++] = '.';
            break;
        }
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            buffer[out++] = '\\';
            buffer[out++] = 'x';
            buffer[out++] = hex[c >> 4];
            buffer[out++] = hex[c & 15];
        } else {
            buffer[out++] = (char)c;
        }
    }
    buffer[out++] = '"';
    buffer[out] = '\0';
    return buffer;
}

uint64_t log_suppressed(void)
{
    return atomic_load(&state.suppressed);
}
