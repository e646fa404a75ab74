/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brokerreload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define PID_FILE     "mosquitto.pid"
#define LOOK_MS      20
#define QUIET_MS     500        /* without a probe nothing says that the reload is through */
#define LOG_PART_MAX (1u << 20) /* of the log after the signal; a busy broker writes a line a connection */
#define FILE_CAP     (16u << 20)

struct reload {
    const struct brokerdesc *desc;
    enum broker_kind kind;
    const struct broker_part *part;
    struct brokerversion *version;
    uint64_t timeout_ms;
    struct brokerreload *result;
};

/** The process of the pid file, if it is a mosquitto: a stale file must not get somebody else signalled. */
static enum err find_process(const struct broker_part *part, pid_t *ret_pid, struct errinfo *info)
{
    char path[BROKERVERSION_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    uint64_t pid = 0;
    (void)snprintf(path, sizeof(path), "%s/" PID_FILE, part->run_dir); /* cut: not found */
    enum err err = file_read(path, 64, &text, &len);
    if (err == ERR_OK) {
        err = view_to_u64(view_trim(view_n(text, len)), INT32_MAX, &pid);
    }
    free(text);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "broker", 0, "%s: %s", path, err_text(err));
    }
    char comm[64];
    (void)snprintf(comm, sizeof(comm), "/proc/%llu/comm", (unsigned long long)pid); /* fits */
    text = NULL;
    bool ours =
        file_read(comm, 64, &text, &len) == ERR_OK && view_starts_with(view_n(text, len), VIEW_LITERAL("mosquitto"));
    free(text);
    if (!ours) {
        return errinfo_set(info, ERR_NOTFOUND, "broker", 0, "%s: no mosquitto runs as %llu", path,
                           (unsigned long long)pid);
    }
    *ret_pid = (pid_t)pid;
    return ERR_OK;
}

/** What stands behind the time at the front of a line of the log. */
static struct view message_of(struct view line)
{
    size_t at = 0;
    while (at < line.len && line.ptr[at] >= '0' && line.ptr[at] <= '9') {
        at++;
    }
    bool timed = at > 0 && at + 2 <= line.len && memcmp(line.ptr + at, ": ", 2) == 0;
    return timed ? view_n(line.ptr + at + 2, line.len - at - 2) : line;
}

/** Looks at the log from @p mark on. @param ret_cause the first error's words; "" without one. @return whether the
 * reload has begun. */
static bool look_at_log(const char *path, off_t mark, char *ret_cause, size_t size)
{
    static const char *const errors[] = {"Error", "muster: reload failed", "muster: plugin_opt"};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = malloc(LOG_PART_MAX);
    ssize_t len = fd >= 0 && text != NULL ? pread(fd, text, LOG_PART_MAX, mark) : -1;
    struct view rest = view_n(text, len > 0 ? (size_t)len : 0);
    struct view raw;
    bool begun = false;
    ret_cause[0] = '\0';
    while (len > 0 && view_next(&rest, '\n', &raw)) {
        struct view line = message_of(raw);
        begun = begun || view_starts_with(line, VIEW_LITERAL("Reloading config"));
        for (size_t i = 0; i < ARRAY_LEN(errors) && begun && ret_cause[0] == '\0'; i++) {
            if (view_starts_with(line, view_of(errors[i]))) {
                (void)snprintf(ret_cause, size, "the log says: %.*s", (int)MIN(line.len, 200), line.ptr);
            }
        }
    }
    free(text);
    if (fd >= 0) {
        (void)close(fd); /* only read */
    }
    return begun;
}

/** Signals the broker and asks it; what it did is in the result. @return whether all is well. */
static bool hang_up(struct reload *reload)
{
    struct brokerreload *result = reload->result;
    struct errinfo info = {0};
    struct stat status;
    pid_t pid;
    off_t mark = stat(reload->part->log_file, &status) == 0 ? status.st_size : 0;
    bool begun = false;
    result->probed = false;
    if (find_process(reload->part, &pid, &info) != ERR_OK || kill(pid, SIGHUP) != 0) {
        (void)snprintf(result->cause, sizeof(result->cause), "%s", info.text[0] != '\0' ? info.text : strerror(errno));
        return false;
    }
    for (uint64_t end = clock_mono_ms() + reload->timeout_ms; !begun && clock_mono_ms() < end;) {
        begun = look_at_log(reload->part->log_file, mark, result->cause, sizeof(result->cause));
        (void)poll(NULL, 0, begun ? 0 : LOOK_MS);
    }
    if (!begun) {
        (void)snprintf(result->cause, sizeof(result->cause), "%s: no word of a reload", reload->part->log_file);
        return false;
    }
    if (reload->part->trial.position.line == 0) {
        (void)poll(NULL, 0, QUIET_MS);
    } else {
        enum err err = brokerprobe_run(reload->kind, &reload->part->trial, reload->timeout_ms, &result->probe, &info);
        result->probed = err == ERR_OK;
        if (err != ERR_OK) {
            (void)snprintf(result->cause, sizeof(result->cause), "no probe: %s", info.text);
            return false;
        }
    }
    /* The probe's answer came from the one thread that reloads: by now the log says all. */
    (void)look_at_log(reload->part->log_file, mark, result->cause, sizeof(result->cause));
    if (result->cause[0] == '\0' && result->probed && !brokerprobe_passed(&result->probe)) {
        (void)snprintf(result->cause, sizeof(result->cause), "the probe failed");
    }
    return result->cause[0] == '\0';
}

static bool conf_differs(const struct brokerversion *version)
{
    struct view views[2];
    char *texts[2] = {NULL, NULL};
    const unsigned numbers[2] = {version->current, version->newest};
    bool read = true;
    for (size_t i = 0; i < 2; i++) {
        char path[BROKERVERSION_PATH_MAX];
        size_t len = 0;
        brokerversion_path(version, numbers[i], BROKERFILE_CONF, path);
        read = file_read(path, FILE_CAP, &texts[i], &len) == ERR_OK && read;
        views[i] = view_n(texts[i], len);
    }
    bool differs = read && !view_equal(views[0], views[1]);
    free(texts[0]);
    free(texts[1]);
    return differs;
}

/** Back to what was in use; the first cause stays the one that is told. */
static enum err restore(struct reload *reload, struct errinfo *info)
{
    struct brokerreload *result = reload->result;
    char cause[sizeof(result->cause)];
    memcpy(cause, result->cause, sizeof(cause));
    enum err err = ERR_OK;
    if (result->before != reload->version->current) {
        err = brokerversion_use(reload->version, result->before, info);
    }
    bool well = err == ERR_OK && hang_up(reload);
    result->end = well ? BROKERRELOAD_RESTORED : BROKERRELOAD_LEFT_WRONG;
    result->after = reload->version->current;
    memcpy(result->cause, cause, sizeof(cause));
    return err;
}

enum err brokerreload_run(const struct brokerdesc *desc, enum broker_kind kind, struct brokerversion *version,
                          uint64_t timeout_ms, struct brokerreload *ret_reload, struct errinfo *info)
{
    struct brokerreload result = {.before = version->current};
    struct reload reload = {.desc = desc,
                            .kind = kind,
                            .part = &desc->part[kind],
                            .version = version,
                            .timeout_ms = timeout_ms,
                            .result = &result};
    pid_t pid;
    enum err err = find_process(reload.part, &pid, info);
    if (err == ERR_OK) {
        result.restart = conf_differs(version);
        err = version->current != version->newest ? brokerversion_use(version, version->newest, info) : ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    result.after = version->current;
    if (!hang_up(&reload)) {
        err = restore(&reload, info);
    }
    if (err == ERR_OK) {
        *ret_reload = result;
    }
    return err;
}
