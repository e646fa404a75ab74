/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "net/httproute.h"
#include "net/listener.h"
#include "net/sockaddr.h"

#define ERROR_BODY_MAX 1024
#define MS_PER_S       1000
#define PAUSE_MS       100
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

enum state {
    STATE_READING, /* the request's body comes in */
    STATE_WAITING, /* the handler was called and has not replied */
    STATE_REPLIED, /* the response waits to be queued, or is */
};

/* A connection to a public server. It ends when its time is over: each byte that trickles in would begin the library's
 * own time-out anew. */
struct visit {
    struct visit *next, *previous; /* in the order of their ends */
    int fd;                        /* the library's */
    uint64_t end_ms;               /* of the loop's clock */
    bool ended;                    /* in no list any more; the library closes it */
};

struct httpd {
    struct loop *loop;
    const struct httpd_route *routes;
    size_t routes_len;
    void *context;
    struct listener listener;
    char *unix_path;                                     /* owned; NULL for TCP */
    bool one_request;                                    /* then the connection is closed */
    bool (*admit)(void *context, const struct ip *peer); /* NULL = all */
    struct MHD_Daemon *daemon;
    struct loop_poll *poll;
    struct loop_timer *timer;
    struct httpd_request *requests;
    struct visit *oldest, *newest; /* of a public server */
    unsigned connections;
    bool place_free; /* since the library looked last */
    bool heard;      /* of a connection, in this turn */
    bool paused;     /* the watch */
};

struct httpd_request {
    struct httpd *httpd; /* NULL once the server is gone */
    struct httpd_request *next, *previous;
    struct MHD_Connection *connection; /* NULL with httpd */
    struct httpd_peer peer;
    const struct httpd_route *route;
    char *path; /* owned */
    struct httproute_params params;
    struct strbuf body;
    enum state state;
    bool in_handler, suspended;
    struct MHD_Response *response; /* owned until queued */
    unsigned status;
};

static void request_free(struct httpd_request *request)
{
    if (request->response != NULL) {
        MHD_destroy_response(request->response);
    }
    strbuf_deinit(&request->body);
    free(request->path);
    free(request);
}

static void request_link(struct httpd_request *request)
{
    struct httpd *httpd = request->httpd;
    request->next = httpd->requests;
    if (httpd->requests != NULL) {
        httpd->requests->previous = request;
    }
    httpd->requests = request;
}

static void request_unlink(struct httpd_request *request)
{
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        request->httpd->requests = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    }
    request->httpd = NULL;
    request->connection = NULL;
}

static struct httpd_peer peer_of(struct MHD_Connection *connection, bool is_local)
{
    struct httpd_peer peer = {.is_local = is_local, .uid = (uid_t)-1, .gid = (gid_t)-1};
    const union MHD_ConnectionInfo *info;
    if (!is_local) {
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        if (info != NULL) {
            peer.ip = ip_unmap(sockaddr_ip((const struct sockaddr_storage *)(const void *)info->client_addr));
        }
        return peer;
    }
    struct ucred credentials;
    socklen_t len = sizeof(credentials);
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0) {
        peer.uid = credentials.uid;
        peer.gid = credentials.gid;
        peer.pid = credentials.pid;
    }
    return peer;
}

static bool serves_method(const struct httpd_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Finds the route. @return 0, 404 or 405. */
static unsigned find_route(struct httpd_request *request, const char *method)
{
    const struct httpd *httpd = request->httpd;
    unsigned status = MHD_HTTP_NOT_FOUND;
    for (size_t i = 0; i < httpd->routes_len; i++) {
        const struct httpd_route *route = &httpd->routes[i];
        if (!httproute_match(view_of(route->path), view_of(request->path), &request->params)) {
            continue;
        }
        if (serves_method(route, method)) {
            request->route = route;
            return 0;
        }
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    return status;
}

static bool announces_too_much(struct httpd_request *request)
{
    uint64_t len;
    struct view text = httpd_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    enum err err = text.len > 0 ? view_to_u64(text, UINT64_MAX, &len) : ERR_PARSE;
    return err == ERR_RANGE || (err == ERR_OK && len > request->route->body_max);
}

static struct httpd_request *request_new(struct httpd *httpd, struct MHD_Connection *connection, const char *path)
{
    struct httpd_request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return NULL;
    }
    request->path = strdup(path);
    if (request->path == NULL) {
        free(request);
        return NULL;
    }
    request->httpd = httpd;
    request->connection = connection;
    request->peer = peer_of(connection, httpd->unix_path != NULL);
    request_link(request);
    return request;
}

static enum MHD_Result queue(struct httpd_request *request)
{
    struct MHD_Response *response = TAKE(request->response);
    if (response == NULL) {
        return MHD_NO; /* there was no memory for it: closes the connection */
    }
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response); /* counted: the connection holds its own */
    return result;
}

/* The methods that the path has (RFC 9110 15.5.6). */
static void list_methods(const struct httpd_request *request, struct strbuf *list)
{
    struct httproute_params params;
    for (size_t i = 0; i < request->httpd->routes_len; i++) {
        const struct httpd_route *route = &request->httpd->routes[i];
        if (httproute_match(view_of(route->path), view_of(request->path), &params)) {
            (void)strbuf_addf(list, "%s%s", list->len > 0 ? ", " : "", route->method); /* the error sticks */
        }
    }
}

static enum MHD_Result refuse(struct httpd_request *request, unsigned status, struct view error)
{
    struct strbuf allowed;
    strbuf_init(&allowed, ERROR_BODY_MAX);
    list_methods(request, &allowed);
    const char *const allow[] = {MHD_HTTP_HEADER_ALLOW, strbuf_str(&allowed)};
    bool brief = request->httpd->one_request; /* strangers: see httpd_reply_error */
    request->in_handler = true;               /* the reply is queued here, not by the loop */
    httpd_reply(request, &(struct httpd_reply){.status = status,
                                               .content_type = brief ? NULL : "application/json",
                                               .body = brief ? view_n(NULL, 0) : error,
                                               .headers = allow,
                                               .headers_len = status == MHD_HTTP_METHOD_NOT_ALLOWED ? 1 : 0});
    request->in_handler = false;
    strbuf_deinit(&allowed);
    return queue(request);
}

/* The parameters of one request against those of its route. */
struct query_check {
    struct view known;
    struct view seen[HTTPD_QUERY_MAX]; /* of the connection */
    size_t seen_len;
    struct view bad; /* the first one that is refused */
    const char *why; /* NULL: none is */
};

static bool is_known(struct view known, struct view name)
{
    struct view one;
    while (view_next(&known, ' ', &one)) {
        if (view_equal(one, name)) {
            return true;
        }
    }
    return false;
}

static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                       const char *value, size_t value_len)
{
    struct query_check *check = context;
    struct view name = view_n(key, key_len);
    (void)kind;
    (void)value;
    (void)value_len;
    check->why = is_known(check->known, name) ? NULL : "is not known here";
    for (size_t i = 0; i < check->seen_len; i++) {
        check->why = view_equal(check->seen[i], name) ? "is given twice" : check->why;
    }
    if (check->why == NULL && check->seen_len == HTTPD_QUERY_MAX) {
        check->why = "is one too many";
    }
    if (check->why != NULL) {
        check->bad = name;
        return MHD_NO;
    }
    check->seen[check->seen_len++] = name;
    return MHD_YES;
}

static enum MHD_Result refuse_query(struct httpd_request *request, const struct query_check *check)
{
    struct strbuf text;
    strbuf_init(&text, ERROR_BODY_MAX);
    struct view name = view_n(check->bad.ptr, MIN(check->bad.len, (size_t)64));
    (void)strbuf_addf(&text, "query parameter \"%.*s\" %s; known: %s", VIEW_ARG(name), check->why,
                      request->route->query != NULL ? request->route->query : "none"); /* cut is enough */
    request->in_handler = true; /* the reply is queued here, not by the loop */
    httpd_reply_error(request, MHD_HTTP_BAD_REQUEST, "bad-query", strbuf_str(&text));
    request->in_handler = false;
    strbuf_deinit(&text);
    return queue(request);
}

static enum MHD_Result on_request_head(struct httpd_request *request, const char *method)
{
    unsigned status = find_route(request, method);
    if (status == MHD_HTTP_NOT_FOUND) {
        return refuse(request, status, VIEW_LITERAL("{\"error\":\"not-found\"}"));
    }
    if (status != 0) {
        return refuse(request, status, VIEW_LITERAL("{\"error\":\"method-not-allowed\"}"));
    }
    if (announces_too_much(request)) {
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, VIEW_LITERAL("{\"error\":\"too-large\"}"));
    }
    struct query_check check = {0};
    if (request->route->query != NULL) {
        check.known = view_of(request->route->query);
    }
    (void)MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, check_parameter,
                                      &check); /* their number says nothing */
    if (check.why != NULL) {
        return refuse_query(request, &check);
    }
    strbuf_init(&request->body, MAX(request->route->body_max, (size_t)1));
    return MHD_YES;
}

static enum MHD_Result on_request_body(struct httpd_request *request, const char *data, size_t len)
{
    if (len > request->route->body_max - request->body.len || strbuf_add(&request->body, view_n(data, len)) != ERR_OK) {
        return MHD_NO; /* announced less or nothing and sent more: closes the connection */
    }
    return MHD_YES;
}

static enum MHD_Result on_request_end(struct httpd_request *request)
{
    if (request->state == STATE_READING) {
        request->state = STATE_WAITING;
        request->in_handler = true;
        request->route->handler(request->httpd->context, request);
        request->in_handler = false;
    }
    if (request->state == STATE_REPLIED) {
        return queue(request);
    }
    request->suspended = true;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_len, void **request_slot)
{
    (void)version;
    struct httpd_request *request = *request_slot;
    if (request == NULL) {
        request = request_new(context, connection, url);
        *request_slot = request;
        return request != NULL ? on_request_head(request, method) : MHD_NO;
    }
    if (*upload_len > 0) {
        size_t len = *upload_len;
        *upload_len = 0;
        return on_request_body(request, upload, len);
    }
    return on_request_end(request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)context;
    (void)connection;
    (void)why;
    struct httpd_request *request = *request_slot;
    *request_slot = NULL;
    if (request == NULL) {
        return;
    }
    request_unlink(request);
    if (request->state != STATE_WAITING) {
        request_free(request); /* else httpd_reply will */
    }
}

static void visit_link(struct httpd *httpd, struct visit *visit)
{
    visit->previous = httpd->newest;
    if (httpd->newest != NULL) {
        httpd->newest->next = visit;
    } else {
        httpd->oldest = visit;
    }
    httpd->newest = visit;
}

static void visit_unlink(struct httpd *httpd, struct visit *visit)
{
    if (visit->previous != NULL) {
        visit->previous->next = visit->next;
    } else {
        httpd->oldest = visit->next;
    }
    if (visit->next != NULL) {
        visit->next->previous = visit->previous;
    } else {
        httpd->newest = visit->previous;
    }
    visit->ended = true;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **visit_slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct httpd *httpd = context;
    struct visit *visit = *visit_slot;
    httpd->heard = true;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        httpd->connections--;
        if (visit != NULL && !visit->ended) {
            visit_unlink(httpd, visit);
        }
        free(visit);
        *visit_slot = NULL;
        httpd->place_free = true;
        return;
    }
    httpd->connections++;
    if (!httpd->one_request) {
        return; /* not a public server */
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    visit = info != NULL ? calloc(1, sizeof(*visit)) : NULL;
    if (visit != NULL) {
        visit->fd = info->connect_fd;
        visit->end_ms = loop_now_ms(httpd->loop) + (uint64_t)HTTPD_PUBLIC_TIMEOUT_S * MS_PER_S;
        visit_link(httpd, visit);
    } else if (info != NULL) {
        (void)shutdown(info->connect_fd, SHUT_RDWR); /* nobody would end it */
    }
    *visit_slot = visit;
}

/** The library reads the end of such a connection like the peer's, and closes it. */
static void end_visits(struct httpd *httpd)
{
    struct visit *visit = httpd->oldest;
    while (visit != NULL && visit->end_ms <= loop_now_ms(httpd->loop)) {
        visit_unlink(httpd, visit);
        (void)shutdown(visit->fd, SHUT_RDWR); /* the peer may have been first */
        visit = httpd->oldest;
    }
}

/** A server without a place, or a process without a descriptor, accepts nobody; the library begins anew only when it is
 * run after a connection has ended. With the last one nothing else would do that. */
static void run(struct httpd *httpd)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    uint64_t next_ms = UINT64_MAX;
    httpd->place_free = false;
    end_visits(httpd);
    (void)MHD_run(httpd->daemon); /* failures are of connections, which it closes */
    if (MHD_get_timeout(httpd->daemon, &timeout_ms) == MHD_YES) {
        next_ms = loop_now_ms(httpd->loop) + timeout_ms;
    }
    if (httpd->oldest != NULL) {
        next_ms = MIN(next_ms, httpd->oldest->end_ms);
    }
    if (httpd->paused) {
        next_ms = loop_now_ms(httpd->loop) + PAUSE_MS;
    }
    next_ms = httpd->place_free ? 0 : next_ms;
    loop_timer_at(httpd->timer, next_ms);
}

static void on_timer(void *context)
{
    struct httpd *httpd = context;
    httpd->paused = httpd->paused && loop_poll_events(httpd->poll, LOOP_READABLE) != ERR_OK;
    run(httpd);
}

/* Somebody waits and cannot be accepted: the process has no descriptor left. The library would try for ever. */
static void on_ready(void *context, int events)
{
    struct httpd *httpd = context;
    (void)events; /* an epoll descriptor has no errors of its own */
    httpd->heard = false;
    run(httpd);
    if (!httpd->heard && httpd->connections == 0 && loop_poll_events(httpd->poll, 0) == ERR_OK) {
        httpd->paused = true;
        loop_timer_after(httpd->timer, PAUSE_MS);
    }
}

static enum err check_routes(const struct httpd_options *options, struct errinfo *info)
{
    if (options->routes_len > HTTPD_ROUTES_MAX) {
        return errinfo_set(info, ERR_INVALID, "httpd", 0, "more than %d routes", HTTPD_ROUTES_MAX);
    }
    for (size_t i = 0; i < options->routes_len; i++) {
        const struct httpd_route *route = &options->routes[i];
        if (!httproute_is_valid(view_of(route->path)) || route->body_max > HTTPD_BODY_MAX) {
            return errinfo_set(info, ERR_INVALID, "httpd", 0, "bad route %s", route->path);
        }
    }
    return ERR_OK;
}

/** One socket for both: a connection that waits in its queue is taken by whichever of them looks first. */
static enum err share_listener(const struct httpd *predecessor, struct listener *ret_listener, struct errinfo *info)
{
    const union MHD_DaemonInfo *listening = MHD_get_daemon_info(predecessor->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    int fd = listening != NULL ? fcntl(listening->listen_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0) {
        return errinfo_set(info, ERR_IO, "httpd", errno, "cannot share the listening socket");
    }
    *ret_listener = (struct listener){.fd = fd, .port = predecessor->listener.port};
    return ERR_OK;
}

static enum err open_listener(struct httpd *httpd, const struct httpd_options *options, struct errinfo *info)
{
    if (options->open != NULL && options->open->successor_of != NULL) {
        return share_listener(options->open->successor_of, &httpd->listener, info);
    }
    if (options->unix_path == NULL) {
        return listener_open_tcp(&options->ip, options->port, &httpd->listener, info);
    }
    httpd->unix_path = strdup(options->unix_path);
    if (httpd->unix_path == NULL) {
        return errinfo_set(info, ERR_NOMEM, "httpd", 0, "out of memory");
    }
    return listener_open_unix(httpd->unix_path, options->unix_mode != 0 ? options->unix_mode : 0600, &httpd->listener,
                              info);
}

static struct MHD_Daemon *start_local(struct httpd *httpd)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, httpd,
                            MHD_OPTION_LISTEN_SOCKET, httpd->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)HTTPD_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTPD_TIMEOUT_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, httpd, MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_END);
}

static enum MHD_Result on_accept(void *context, const struct sockaddr *address, socklen_t len)
{
    struct httpd *httpd = context;
    struct sockaddr_storage copy = {0};
    memcpy(&copy, address, MIN((size_t)len, sizeof(copy)));
    struct ip peer = ip_unmap(sockaddr_ip(&copy));
    httpd->heard = true;
    return httpd->admit == NULL || httpd->admit(httpd->context, &peer) ? MHD_YES : MHD_NO;
}

static struct MHD_Daemon *start_public(struct httpd *httpd, const struct httpd_public *open)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TLS, 0, on_accept, httpd, on_access, httpd,
        MHD_OPTION_LISTEN_SOCKET, httpd->listener.fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTPD_PUBLIC_CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTPD_PUBLIC_PER_IP, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTPD_PUBLIC_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_PUBLIC_MEMORY,
        MHD_OPTION_HTTPS_MEM_CERT, open->cert_pem, MHD_OPTION_HTTPS_MEM_KEY, open->key_pem, MHD_OPTION_HTTPS_PRIORITIES,
        TLS_PRIORITIES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, httpd, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        httpd, MHD_OPTION_END);
}

static enum err start_daemon(struct httpd *httpd, const struct httpd_public *open, struct errinfo *info)
{
    if (open != NULL && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        return errinfo_set(info, ERR_UNSUPPORTED, "httpd", 0, "this libmicrohttpd has no TLS");
    }
    httpd->daemon = open != NULL ? start_public(httpd, open) : start_local(httpd);
    if (httpd->daemon == NULL) {
        return open != NULL ? errinfo_set(info, ERR_CRYPTO, "httpd", 0,
                                          "the TLS library takes certificate or key not; are they PEM, and a pair?")
                            : errinfo_set(info, ERR_IO, "httpd", 0, "libmicrohttpd did not start");
    }
    return ERR_OK;
}

static enum err start(struct httpd *httpd, const struct httpd_public *open, struct errinfo *info)
{
    enum err err = start_daemon(httpd, open, info);
    if (err != ERR_OK) {
        return err;
    }
    httpd->listener.fd = -1; /* the daemon's now */
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    err = epoll != NULL ? loop_poll_new(httpd->loop, epoll->epoll_fd, on_ready, httpd, &httpd->poll) : ERR_IO;
    if (err == ERR_OK) {
        err = loop_poll_events(httpd->poll, LOOP_READABLE);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(httpd->loop, on_timer, httpd, &httpd->timer);
    }
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "httpd", 0, "cannot watch the listener");
}

enum err httpd_new(struct loop *loop, const struct httpd_options *options, struct httpd **ret_httpd,
                   struct errinfo *info)
{
    enum err err = check_routes(options, info);
    if (err != ERR_OK) {
        return err;
    }
    struct httpd *httpd = calloc(1, sizeof(*httpd));
    if (httpd == NULL) {
        return errinfo_set(info, ERR_NOMEM, "httpd", 0, "out of memory");
    }
    httpd->loop = loop;
    httpd->routes = options->routes;
    httpd->routes_len = options->routes_len;
    httpd->context = options->context;
    httpd->one_request = options->open != NULL;
    httpd->admit = options->open != NULL ? options->open->admit : NULL;
    httpd->listener.fd = -1;
    err = open_listener(httpd, options, info);
    if (err == ERR_OK) {
        err = start(httpd, options->open, info);
    }
    if (err != ERR_OK) {
        httpd_free(httpd);
        return err;
    }
    *ret_httpd = httpd;
    return ERR_OK;
}

void httpd_free(struct httpd *httpd)
{
    if (httpd == NULL) {
        return;
    }
    listener_unlink(&httpd->listener);
    loop_poll_free(httpd->poll); /* before the daemon closes the descriptor */
    loop_timer_free(httpd->timer);
    for (struct httpd_request *request = httpd->requests; request != NULL; request = request->next) {
        if (request->suspended) {
            MHD_resume_connection(request->connection); /* a daemon with suspended connections must not be stopped */
        }
    }
    if (httpd->daemon != NULL) {
        MHD_stop_daemon(httpd->daemon); /* completes every request */
    }
    if (httpd->listener.fd >= 0) {
        (void)close(httpd->listener.fd); /* the daemon did not start */
    }
    free(httpd->unix_path);
    free(httpd);
}

uint16_t httpd_port(const struct httpd *httpd)
{
    return httpd->listener.port;
}

struct httpd_peer httpd_request_peer(const struct httpd_request *request)
{
    return request->peer;
}

struct view httpd_request_body(const struct httpd_request *request)
{
    return strbuf_view(&request->body);
}

struct view httpd_request_path(const struct httpd_request *request)
{
    return view_of(request->path);
}

struct view httpd_request_param(const struct httpd_request *request, size_t n)
{
    return n < request->params.len ? request->params.of[n] : (struct view){0};
}

static struct view lookup(const struct httpd_request *request, enum MHD_ValueKind kind, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (request->connection == NULL ||
        MHD_lookup_connection_value_n(request->connection, kind, name, strlen(name), &value, &len) != MHD_YES) {
        return (struct view){0};
    }
    return value != NULL ? view_n(value, len) : VIEW_LITERAL("");
}

struct view httpd_request_query(const struct httpd_request *request, const char *name)
{
    return lookup(request, MHD_GET_ARGUMENT_KIND, name);
}

struct view httpd_request_header(const struct httpd_request *request, const char *name)
{
    return lookup(request, MHD_HEADER_KIND, name);
}

static struct MHD_Response *make_response(const struct httpd_reply *reply, bool one_request)
{
    void *body = (void *)(uintptr_t)reply->body.ptr; /* only read by the library unless it takes it over */
    enum MHD_ResponseMemoryMode mode = reply->take_body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_MUST_COPY;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.len, reply->body.len > 0 ? body : NULL, mode);
    if (reply->take_body && (response == NULL || reply->body.len == 0)) {
        free(body); /* was not taken over */
    }
    if (response == NULL) {
        return NULL;
    }
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
              (one_request ? MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES
                           : MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES) &&
              (reply->content_type == NULL ||
               MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type) == MHD_YES);
    for (size_t i = 0; ok && i < reply->headers_len; i++) {
        ok = MHD_add_response_header(response, reply->headers[2 * i], reply->headers[2 * i + 1]) == MHD_YES;
    }
    if (!ok) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

void httpd_reply(struct httpd_request *request, const struct httpd_reply *reply)
{
    assert(request->state != STATE_REPLIED && reply->status >= 200 && reply->status <= 599);
    request->state = STATE_REPLIED;
    request->status = reply->status;
    request->response = make_response(reply, request->httpd != NULL && request->httpd->one_request);
    if (request->httpd == NULL) {
        request_free(request); /* nobody is left to read it */
    } else if (!request->in_handler) {
        request->suspended = false;
        MHD_resume_connection(request->connection);
        loop_timer_at(request->httpd->timer, 0);
    }
}

void httpd_reply_json(struct httpd_request *request, unsigned status, struct view json)
{
    httpd_reply(request, &(struct httpd_reply){.status = status, .content_type = "application/json", .body = json});
}

void httpd_reply_error(struct httpd_request *request, unsigned status, const char *error_id, const char *message)
{
    struct strbuf json;
    strbuf_init(&json, ERROR_BODY_MAX);
    (void)strbuf_adds(&json, "{\"error\":"); /* errors stick */
    (void)strbuf_add_json(&json, view_of(error_id));
    bool brief = request->httpd != NULL && request->httpd->one_request;
    if (message != NULL && !brief) {
        (void)strbuf_adds(&json, ",\"message\":");
        (void)strbuf_add_json(&json, view_of(message));
    }
    (void)strbuf_adds(&json, "}");
    httpd_reply_json(request, status,
                     strbuf_error(&json) == ERR_OK ? strbuf_view(&json) : VIEW_LITERAL("{\"error\":\"internal\"}"));
    strbuf_deinit(&json);
}
