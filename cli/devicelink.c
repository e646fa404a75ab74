/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/devicelink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define CLOSE_MS    2000
#define EXEC_FAILED 127
#define READ_SIZE   (FACTORY_LINE_MAX + 2)

struct devicelink {
    pid_t pid;
    int in, out; /* the command's input and output; -1 when closed */
    uint64_t timeout_ms;
    char text[READ_SIZE]; /* of its output, not yet taken */
    size_t len;
};

/* ---- command ---- */

struct words {
    char text[2 * DEVICELINK_COMMAND_MAX];
    char *argv[DEVICELINK_ARGUMENTS_MAX + 1];
};

/** Copies @p command with the serial number in place of its marks. */
static enum err replace_serial(const char *command, const char *serial, struct words *words)
{
    static const char mark[] = "{serial}";
    struct strbuf text;
    strbuf_init(&text, sizeof(words->text) - 1);
    for (const char *at; (at = strstr(command, mark)) != NULL; command = at + sizeof(mark) - 1) {
        (void)strbuf_add(&text, view_n(command, (size_t)(at - command))); /* sticky: asked for below */
        (void)strbuf_adds(&text, serial);
    }
    enum err err = strbuf_adds(&text, command);
    if (err == ERR_OK) {
        memcpy(words->text, strbuf_str(&text), text.len + 1);
    }
    strbuf_deinit(&text);
    return err;
}

static enum err split(struct words *words)
{
    size_t len = 0;
    char *p = words->text;
    while (*p != '\0') {
        if (*p == ' ') {
            *p++ = '\0';
            continue;
        }
        if (len == DEVICELINK_ARGUMENTS_MAX) {
            return ERR_LIMIT;
        }
        words->argv[len++] = p;
        p += strcspn(p, " ");
    }
    words->argv[len] = NULL;
    return len > 0 ? ERR_OK : ERR_INVALID;
}

/** Of the child: it has its ends of the pipes, default signals and nothing else of ours. */
static _Noreturn void run(struct words *words, int in, int out)
{
    (void)signal(SIGPIPE, SIG_DFL); /* cannot fail for this signal */
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
        (void)execvp(words->argv[0], words->argv); /* returns when it failed, which the exit status says */
    }
    _exit(EXEC_FAILED);
}

static enum err start(struct devicelink *link, struct words *words)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        enum err err = err_from_errno(errno);
        (void)close(in[0]); /* nothing to lose in them; -1 is refused */
        (void)close(in[1]);
        return err;
    }
    link->pid = fork();
    if (link->pid == 0) {
        run(words, in[0], out[1]);
    }
    enum err err = link->pid > 0 ? ERR_OK : err_from_errno(errno);
    (void)close(in[0]); /* the child's ends */
    (void)close(out[1]);
    link->in = in[1];
    link->out = out[0];
    return err;
}

enum err devicelink_open(const char *command, const char *serial, uint64_t timeout_ms, struct devicelink **ret_link,
                         struct errinfo *info)
{
    struct words words;
    struct devicelink *link = calloc(1, sizeof(*link));
    enum err err = link != NULL ? replace_serial(command, serial, &words) : ERR_NOMEM;
    if (err == ERR_OK) {
        err = split(&words);
    }
    if (err == ERR_OK) {
        link->in = link->out = -1;
        link->timeout_ms = timeout_ms;
        err = start(link, &words);
    }
    if (err != ERR_OK) {
        free(link);
        return errinfo_set(info, err, "device", 0, "the command to the device: %s", err_text(err));
    }
    *ret_link = link;
    return ERR_OK;
}

/* ---- talking ---- */

/** Waits until @p fd is ready for @p events. */
static enum err wait_for(int fd, short events, uint64_t deadline_ms, struct errinfo *info)
{
    for (;;) {
        uint64_t now_ms = clock_mono_ms();
        struct pollfd poller = {.fd = fd, .events = events};
        int n = now_ms < deadline_ms ? poll(&poller, 1, (int)MIN(deadline_ms - now_ms, (uint64_t)60000)) : 0;
        if (n > 0) {
            return ERR_OK;
        }
        if (n < 0 && errno != EINTR) {
            return errinfo_set(info, ERR_IO, "device", errno, "waiting for the device: %s", strerror(errno));
        }
        if (n == 0 && clock_mono_ms() >= deadline_ms) {
            return errinfo_set(info, ERR_TIMEOUT, "device", 0, "the device does not answer");
        }
    }
}

static enum err closed(struct errinfo *info)
{
    return errinfo_set(info, ERR_CLOSED, "device", 0, "the command to the device ended, or is not there");
}

/** A line fits a pipe's buffer twice: the write is whole, or waits for a device that reads. */
static enum err send_line(struct devicelink *link, struct view text, uint64_t deadline_ms, struct errinfo *info)
{
    while (text.len > 0) {
        enum err err = wait_for(link->in, POLLOUT, deadline_ms, info);
        if (err != ERR_OK) {
            return err;
        }
        ssize_t n = write(link->in, text.ptr, text.len);
        if (n < 0 && errno != EINTR) {
            return closed(info);
        }
        text = n > 0 ? view_n(text.ptr + n, text.len - (size_t)n) : text;
    }
    return ERR_OK;
}

/** Takes the next line off what was read. @return false: there is none yet. */
static bool take_line(struct devicelink *link, char line[static READ_SIZE])
{
    char *newline = memchr(link->text, '\n', link->len);
    if (newline == NULL) {
        return false;
    }
    size_t len = (size_t)(newline - link->text);
    memcpy(line, link->text, len);
    line[len] = '\0';
    link->len -= len + 1;
    memmove(link->text, newline + 1, link->len);
    return true;
}

static enum err read_line(struct devicelink *link, char line[static READ_SIZE], uint64_t deadline_ms,
                          struct errinfo *info)
{
    while (!take_line(link, line)) {
        if (link->len == sizeof(link->text)) {
            return errinfo_set(info, ERR_LIMIT, "device", 0, "the device's line is too long");
        }
        enum err err = wait_for(link->out, POLLIN, deadline_ms, info);
        if (err != ERR_OK) {
            return err;
        }
        ssize_t n = read(link->out, link->text + link->len, sizeof(link->text) - link->len);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return closed(info);
        }
        link->len += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

/** Consoles print banners and prompts between the answers: only what begins as an object counts. */
static enum err read_answer(struct devicelink *link, struct factory_answer *ret_answer, uint64_t deadline_ms,
                            struct errinfo *info)
{
    char line[READ_SIZE];
    for (;;) {
        enum err err = read_line(link, line, deadline_ms, info);
        if (err != ERR_OK) {
            return err;
        }
        struct view text = view_trim(view_of(line));
        if (view_starts_with(text, VIEW_LITERAL("{"))) {
            return factory_answer_read(text, ret_answer, info);
        }
    }
}

enum err devicelink_ask(struct devicelink *link, const struct factory_request *request,
                        struct factory_answer *ret_answer, struct errinfo *info)
{
    uint64_t deadline_ms = clock_mono_ms() + link->timeout_ms;
    struct strbuf text;
    strbuf_init(&text, FACTORY_LINE_MAX);
    enum err err = factory_request_write(request, &text);
    if (err == ERR_OK) {
        err = send_line(link, strbuf_view(&text), deadline_ms, info);
    }
    if (text.ptr != NULL) {
        crypto_zeroise(text.ptr, text.size); /* a claim's key may be in it */
    }
    strbuf_deinit(&text);
    if (err == ERR_OK) {
        err = read_answer(link, ret_answer, deadline_ms, info);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (ret_answer->op == FACTORY_NO) {
        return errinfo_set(info, ERR_DENIED, "device", 0, "the device says no to %s: %s", factory_op_name(request->op),
                           ret_answer->why);
    }
    return ret_answer->op == request->op ? ERR_OK
                                         : errinfo_set(info, ERR_INVALID, "device", 0, "the device answered %s to %s",
                                                       factory_op_name(ret_answer->op), factory_op_name(request->op));
}

/* ---- ending ---- */

/** Its output ends when it does: that is waited for, not slept for. */
static void drain(struct devicelink *link)
{
    uint64_t deadline_ms = clock_mono_ms() + CLOSE_MS;
    while (wait_for(link->out, POLLIN, deadline_ms, NULL) == ERR_OK) {
        ssize_t n = read(link->out, link->text, sizeof(link->text));
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return;
        }
    }
    (void)kill(link->pid, SIGKILL); /* it is ours and not yet waited for */
}

void devicelink_close(struct devicelink *link)
{
    if (link == NULL) {
        return;
    }
    (void)close(link->in); /* tells it to end */
    drain(link);
    (void)close(link->out);
    while (waitpid(link->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    free(link);
}
