/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

#define SOCKET_MODE 0660

struct client {
    struct control *control;
    struct loop_poll *poll; /* owned */
    int fd;
    uint64_t since; /* order of arrival; 0: free slot */
    size_t len;
    char request[CONTROL_REQUEST_MAX];
};

struct control {
    struct loop *loop;
    struct loop_poll *poll; /* owned */
    int fd;
    struct control_calls calls;
    uint64_t accepted;
    struct sockaddr_un address;
    struct client *clients[CONTROL_CLIENTS_MAX]; /* owned; NULL: free */
};

struct response {
    const char *status;
    struct strbuf body;
};

static enum err address_of(const char *path, struct sockaddr_un *ret_address, struct errinfo *info)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (view_copy(view_of(path), ret_address->sun_path, sizeof(ret_address->sun_path)) != ERR_OK) {
        return errinfo_set(info, ERR_LIMIT, "control", 0, "%s: longer than the %zu bytes of a unix socket's path", path,
                           sizeof(ret_address->sun_path) - 1);
    }
    return ERR_OK;
}

static void close_client(struct client *client)
{
    struct control *control = client->control;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] == client) {
            control->clients[i] = NULL;
        }
    }
    loop_poll_free(client->poll);
    (void)close(client->fd); /* what was written is with the kernel */
    free(client);
}

static void respond(struct client *client, struct response *response)
{
    struct strbuf text;
    strbuf_init(&text, CONTROL_REPLY_MAX);
    if (strbuf_error(&response->body) != ERR_OK) {
        response->status = "500 Internal Server Error";
        strbuf_clear(&response->body);
        (void)strbuf_adds(&response->body, "{\"error\":\"the answer is too long\"}\n"); /* sticky, asked below */
    }
    (void)strbuf_addf(&text,
                      "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: "
                      "close\r\n\r\n",
                      response->status, response->body.len);
    (void)strbuf_add(&text, strbuf_view(&response->body));
    if (strbuf_error(&text) == ERR_OK) {
        struct view all = strbuf_view(&text);
        (void)!send(client->fd, all.ptr, all.len,
                    MSG_NOSIGNAL | MSG_DONTWAIT); /* a client that went away is no event */
    }
    strbuf_deinit(&text);
}

static void answer(struct client *client)
{
    const struct control_calls *calls = &client->control->calls;
    struct view rest = view_n(client->request, client->len), method = {0}, target = {0};
    struct response response = {.status = "200 OK"};
    strbuf_init(&response.body, CONTROL_REPLY_MAX - 256);
    bool parsed = view_next(&rest, ' ', &method) && view_next(&rest, ' ', &target) &&
                  view_starts_with(rest, VIEW_LITERAL("HTTP/1."));
    if (!parsed) {
        response.status = "400 Bad Request";
        (void)strbuf_adds(&response.body, "{\"error\":\"not an HTTP/1.1 request\"}\n"); /* sticky */
    } else if (view_equals(target, "/status") && view_equals(method, "GET")) {
        (void)calls->status(calls->context, &response.body); /* sticky */
    } else if (view_equals(target, "/report-now") && view_equals(method, "POST")) {
        enum err err = calls->report_now(calls->context);
        response.status = err == ERR_OK ? "202 Accepted" : "409 Conflict";
        (void)strbuf_adds(&response.body, err == ERR_OK ? "{}\n" : "{\"error\":\"not connected\"}\n"); /* sticky */
    } else if (view_equals(target, "/status") || view_equals(target, "/report-now")) {
        response.status = "405 Method Not Allowed";
        (void)strbuf_adds(&response.body, "{\"error\":\"GET /status, POST /report-now\"}\n"); /* sticky */
    } else {
        response.status = "404 Not Found";
        (void)strbuf_adds(&response.body, "{\"error\":\"GET /status, POST /report-now\"}\n"); /* sticky */
    }
    respond(client, &response);
    strbuf_deinit(&response.body);
}

static void client_ready(void *context, int events)
{
    struct client *client = context;
    ssize_t n = events == 0 ? 0
                            : recv(client->fd, client->request + client->len, sizeof(client->request) - client->len,
                                   MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n > 0) {
        client->len += (size_t)n;
        bool complete = memmem(client->request, client->len, "\r\n\r\n", 4) != NULL;
        if (!complete && client->len < sizeof(client->request)) {
            return;
        }
        answer(client);
    }
    close_client(client);
}

static struct client **slot_for(struct control *control)
{
    struct client **oldest = &control->clients[0];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] == NULL) {
            return &control->clients[i];
        }
        if (control->clients[i]->since < (*oldest)->since) {
            oldest = &control->clients[i];
        }
    }
    close_client(*oldest);
    return oldest;
}

static void listener_ready(void *context, int events)
{
    struct control *control = context;
    if (events == 0 && loop_poll_events(control->poll, LOOP_READABLE) != ERR_OK) {
        return; /* paused for good: nobody can ask any more, the reports go on */
    }
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return; /* the peer went away, or no descriptor is free: it is asked again while somebody waits */
    }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        (void)close(fd);
        return;
    }
    struct client **slot = slot_for(control);
    *client = (struct client){.control = control, .fd = fd, .since = ++control->accepted};
    if (loop_poll_new(control->loop, fd, client_ready, client, &client->poll) != ERR_OK) {
        (void)close(fd);
        free(client);
        return;
    }
    *slot = client;
    if (loop_poll_events(client->poll, LOOP_READABLE) != ERR_OK) {
        close_client(client);
    }
}

/* A socket file left by a killed agent is removed; one that somebody serves is not. */
static enum err clear_path(const struct sockaddr_un *address, struct errinfo *info)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return ERR_OK; /* bind will say what is wrong, if anything is */
    }
    if (!S_ISSOCK(status.st_mode)) {
        return errinfo_set(info, ERR_EXISTS, "control", 0, "%s: exists and is no socket", address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (served) {
        return errinfo_set(info, ERR_EXISTS, "control", 0, "%s: another agent answers there", address->sun_path);
    }
    (void)unlink(address->sun_path); /* bind says it when this failed */
    return ERR_OK;
}

static enum err open_listener(struct control *control, struct errinfo *info)
{
    const char *path = control->address.sun_path;
    enum err err = file_make_parents(path);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "control", errno, "%s: its folder cannot be made: %s", path, err_text(err));
    }
    err = clear_path(&control->address, info);
    if (err != ERR_OK) {
        return err;
    }
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->fd >= 0) {
        mode_t before = umask(0777 & ~SOCKET_MODE); /* from its first moment nobody else may connect */
        int bound = bind(control->fd, (const struct sockaddr *)&control->address, sizeof(control->address));
        (void)umask(before); /* cannot fail */
        if (bound == 0 && listen(control->fd, CONTROL_CLIENTS_MAX) == 0) {
            return ERR_OK;
        }
    }
    err = err_from_errno(errno);
    return errinfo_set(info, err, "control", errno, "%s: %s", path, err_text(err));
}

enum err control_new(struct loop *loop, const char *path, const struct control_calls *calls,
                     struct control **ret_control, struct errinfo *info)
{
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return errinfo_set(info, ERR_NOMEM, "control", 0, "%s", err_text(ERR_NOMEM));
    }
    control->loop = loop;
    control->fd = -1;
    control->calls = *calls;
    struct sockaddr_un address;
    enum err err = address_of(path, &address, info);
    if (err == ERR_OK) {
        control->address = address;
        err = open_listener(control, info);
    }
    if (err == ERR_OK) {
        err = loop_poll_new(loop, control->fd, listener_ready, control, &control->poll);
    }
    if (err == ERR_OK) {
        err = loop_poll_events(control->poll, LOOP_READABLE);
    }
    if (err != ERR_OK) {
        if (control->poll == NULL) {
            control->address.sun_path[0] = '\0'; /* not ours to remove */
        }
        control_free(control);
        return err;
    }
    *ret_control = control;
    return ERR_OK;
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] != NULL) {
            close_client(control->clients[i]);
        }
    }
    if (control->poll != NULL) {
        loop_poll_free(control->poll);
    }
    if (control->fd >= 0) {
        (void)close(control->fd);
    }
    if (control->address.sun_path[0] != '\0') {
        (void)unlink(control->address.sun_path); /* a file left behind is replaced at the next start */
    }
    free(control);
}
