/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/control.h"

#define STEP_TIMEOUT_S 5

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static enum err say_errno(struct errinfo *info, const char *path)
{
    enum err err = err_from_errno(errno);
    if (errno == EAGAIN) { /* SO_RCVTIMEO, SO_SNDTIMEO */
        err = ERR_TIMEOUT;
    } else if (errno == ECONNREFUSED) {
        err = ERR_CLOSED;
    }
    const char *hint = err == ERR_CLOSED || err == ERR_NOTFOUND ? " (is the agent running?)" : "";
    return errinfo_set(info, err, "control", errno, "%s: %s%s", path, err_text(err), hint);
}

static enum err send_all(int fd, struct view text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        text = view_n(text.ptr + n, text.len - (size_t)n);
    }
    return ERR_OK;
}

static enum err read_all(int fd, struct strbuf *answer)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ERR_IO;
        }
        if (n == 0) {
            return ERR_OK;
        }
        (void)strbuf_add(answer, view_n(chunk, (size_t)n)); /* sticky */
    }
}

static enum err split(struct view answer, struct strbuf *body, struct errinfo *info)
{
    const char *end = answer.len == 0 ? NULL : memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
    if (end == NULL || !view_starts_with(answer, VIEW_LITERAL("HTTP/1.1 "))) {
        return errinfo_set(info, ERR_PARSE, "control", 0, "the answer is not HTTP");
    }
    size_t head = (size_t)(end - answer.ptr) + 4;
    enum err err = strbuf_add(body, view_n(answer.ptr + head, answer.len - head));
    if (err != ERR_OK) {
        return errinfo_set(info, err, "control", 0, "%s", err_text(err));
    }
    if (!view_starts_with(answer, VIEW_LITERAL("HTTP/1.1 2"))) {
        return errinfo_set(info, ERR_STATE, "control", 0, "the agent refused");
    }
    return ERR_OK;
}

enum err control_request(const char *path, const char *method, const char *target, struct strbuf *body,
                         struct errinfo *info)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum err err = view_copy(view_of(path), address.sun_path, sizeof(address.sun_path));
    if (err != ERR_OK) {
        return errinfo_set(info, err, "control", 0, "%s: too long for a unix socket", path);
    }
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval timeout = {.tv_sec = STEP_TIMEOUT_S};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        return say_errno(info, path);
    }
    struct strbuf text;
    strbuf_init(&text, CONTROL_REPLY_MAX);
    err = strbuf_addf(&text, "%s %s HTTP/1.1\r\nHost: agent\r\n\r\n", method, target);
    if (err != ERR_OK || send_all(fd, strbuf_view(&text)) != ERR_OK) {
        err = say_errno(info, path);
    } else {
        strbuf_clear(&text);
        err = read_all(fd, &text) != ERR_OK ? say_errno(info, path) : split(strbuf_view(&text), body, info);
    }
    strbuf_deinit(&text);
    return err;
}
