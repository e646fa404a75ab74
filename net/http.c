/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "net/bindpath.h"
#include "net/httphead.h"

#define CREDENTIAL_MAX 1024 /* bytes of a user name or secret */
#define IDLE_MAX_S     50   /* an idle connection older than this is not used again: servers close them at 60 */

/* A descriptor that curl watches. */
struct watch {
    struct http_client *client;
    int fd;
    struct loop_poll *poll;
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next, *previous;
    CURL *easy;
    struct curl_slist *lines, *connect_to;
    http_fn done;
    void *context;
    struct http_headers headers;
    struct strbuf body;
    bool over_limit; /* why the transfer was broken off from inside a callback */
    bool no_memory;
    bool head_ended; /* the empty line after the reply's head has come */
    bool once;       /* of the request */
    bool stopped;    /* it was about to be sent once more */
    enum err unbound;
    char interface[IF_NAMESIZE]; /* "" = any */
    struct ip local;
    uint64_t began_ms;
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    char *ca_file, *unix_path, *connect_to, *user_agent; /* owned; NULL = none */
    bool allow_http;
    struct http_transfer *transfers;
    size_t active;
    bool in_loop, freed; /* in_loop: a call from the loop is on the stack */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

static void init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void client_destroy(struct http_client *client)
{
    if (client->multi != NULL) {
        (void)curl_multi_cleanup(client->multi); /* all easy handles are gone */
    }
    loop_timer_free(client->timer);
    free(client->ca_file);
    free(client->unix_path);
    free(client->connect_to);
    free(client->user_agent);
    free(client);
}

static void enter(struct http_client *client)
{
    client->in_loop = true;
}

static void leave(struct http_client *client)
{
    client->in_loop = false;
    if (client->freed) {
        client_destroy(client);
    }
}

static void transfer_free(struct http_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->lines);
    curl_slist_free_all(transfer->connect_to);
    http_headers_deinit(&transfer->headers);
    strbuf_deinit(&transfer->body);
    free(transfer);
}

static void transfer_attach(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;
    transfer->next = client->transfers;
    if (client->transfers != NULL) {
        client->transfers->previous = transfer;
    }
    client->transfers = transfer;
    client->active++;
}

/* Takes a running transfer out of curl and off the client's list. */
static void transfer_detach(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;
    (void)curl_multi_remove_handle(client->multi, transfer->easy); /* it is there: cannot fail */
    if (transfer->previous != NULL) {
        transfer->previous->next = transfer->next;
    } else {
        client->transfers = transfer->next;
    }
    if (transfer->next != NULL) {
        transfer->next->previous = transfer->previous;
    }
    client->active--;
}

static enum err err_of(const struct http_transfer *transfer, CURLcode code)
{
    if (transfer->over_limit) {
        return ERR_LIMIT;
    }
    if (transfer->no_memory) {
        return ERR_NOMEM;
    }
    if (transfer->unbound != ERR_OK) {
        return transfer->unbound;
    }
    switch (code) {
    case CURLE_OK: /* so does curl call it when the connection ends within the head */
        return transfer->head_ended ? ERR_OK : ERR_IO;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return ERR_LIMIT;
    case CURLE_COULDNT_RESOLVE_HOST:
        return ERR_NOTFOUND;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return ERR_CRYPTO;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return ERR_PARSE;
    default:
        return ERR_IO;
    }
}

static void fill_peer(CURL *easy, struct ip *ret_ip)
{
    char *text = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &text) != CURLE_OK || ip_parse(view_of(text), ret_ip) != ERR_OK) {
        *ret_ip = (struct ip){0};
    }
}

static void fill_result(struct http_transfer *transfer, CURLcode code, struct http_result *result)
{
    long number = 0;
    result->err = err_of(transfer, code);
    result->elapsed_ms = clock_mono_ms() - transfer->began_ms;
    result->headers = &transfer->headers;
    fill_peer(transfer->easy, &result->peer);
    if (curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &number) == CURLE_OK) {
        result->sent = number > 0;
    }
    if (result->err == ERR_OK) {
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &number); /* known after success */
        result->status = (unsigned)number;
        result->body = strbuf_view(&transfer->body);
        return;
    }
    if (transfer->unbound != ERR_OK) {
        (void)errinfo_set(&result->info, result->err, "http", (long)code, "cannot leave through %s%s: %s",
                          transfer->interface, transfer->local.family != IP_NONE ? " from the given address" : "",
                          err_text(result->err));
        return;
    }
    bool too_large = transfer->over_limit || code == CURLE_FILESIZE_EXCEEDED;
    const char *text = too_large                    ? "the reply is larger than allowed"
                       : transfer->stopped          ? "the connection ended without an answer"
                       : transfer->error[0] != '\0' ? transfer->error
                                                    : curl_easy_strerror(code);
    (void)errinfo_set(&result->info, result->err, "http", (long)code, "%s", text);
}

static void finish(struct http_transfer *transfer, CURLcode code)
{
    struct http_result result = {0};
    transfer_detach(transfer);
    fill_result(transfer, code, &result);
    transfer->done(transfer->context, &result);
    transfer_free(transfer);
}

/* After every socket action. A completion may cancel others, start new ones or free the client. */
static void collect(struct http_client *client)
{
    int left;
    CURLMsg *message;
    while (!client->freed && (message = curl_multi_info_read(client->multi, &left)) != NULL) {
        char *transfer = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK) {
            finish((struct http_transfer *)(void *)transfer, message->data.result);
        }
    }
}

static void act(struct http_client *client, curl_socket_t fd, int mask)
{
    int running;
    enter(client);
    (void)curl_multi_socket_action(client->multi, fd, mask, &running); /* failures come as messages of transfers */
    collect(client);
    leave(client);
}

static void on_timer(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(void *context, int events)
{
    struct watch *watch = context;
    int mask = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(watch->client, watch->fd, events == 0 ? CURL_CSELECT_ERR : mask);
}

/* curl: begin, change or end watching a descriptor. curl_multi_assign is the one multi call made for this place. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    (void)easy;
    struct http_client *client = context;
    struct watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            loop_poll_free(watch->poll); /* before curl closes the descriptor */
            free(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof(*watch));
        if (watch == NULL) {
            return -1;
        }
        *watch = (struct watch){.client = client, .fd = fd};
        if (loop_poll_new(client->loop, fd, on_ready, watch, &watch->poll) != ERR_OK) {
            free(watch);
            return -1;
        }
        (void)curl_multi_assign(client->multi, fd, watch); /* fails only for a descriptor that curl does not know */
    }
    int events = (what & CURL_POLL_IN ? LOOP_READABLE : 0) | (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0);
    return loop_poll_events(watch->poll, events) == ERR_OK ? 0 : -1;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct http_client *client = context;
    if (timeout_ms < 0) {
        loop_timer_stop(client->timer);
    } else {
        loop_timer_after(client->timer, (uint64_t)timeout_ms);
    }
    return 0;
}

/* Refuses in curl's way: fewer bytes than there were. */
static size_t refuse(struct http_transfer *transfer, enum err err)
{
    transfer->over_limit = err == ERR_LIMIT;
    transfer->no_memory = err != ERR_LIMIT;
    return 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    transfer->head_ended = size * count > 0 && (bytes[0] == '\r' || bytes[0] == '\n');
    enum err err = http_headers_add(&transfer->headers, view_n(bytes, size * count));
    return err == ERR_OK ? size * count : refuse(transfer, err);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    enum err err = strbuf_add(&transfer->body, view_n(bytes, size * count));
    return err == ERR_OK ? size * count : refuse(transfer, err);
}

/* A new socket, before it connects. */
static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)purpose; /* nothing is listened for: always a connection */
    struct http_transfer *transfer = context;
    int domain = 0;
    socklen_t len = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0) {
        transfer->unbound = err_from_errno(errno);
        return CURL_SOCKOPT_ERROR;
    }
    uint8_t family = domain == AF_INET6 ? IP_V6 : IP_V4;
    transfer->unbound = bindpath(fd, family, transfer->interface, &transfer->local, 0);
    return transfer->unbound == ERR_OK ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

/* Before each sending. When a kept connection ends without an answer curl takes it for one that was idle for too long
 * and sends the request again on a new one (so it does after REFUSED_STREAM, which is lost on the caution here), unless
 * the request may leave once only: what the server did with the first one is not known. */
static int on_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct http_transfer *transfer = context;
    long sent = 0;
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent); /* 0 before the first byte leaves */
    transfer->stopped = transfer->once && sent > 0;
    return transfer->stopped ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static enum err copy_text(const char *text, char **ret_copy)
{
    *ret_copy = text != NULL ? strdup(text) : NULL;
    return text != NULL && *ret_copy == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err client_init(struct http_client *client, const struct http_client_options *options)
{
    const char *agent = options->user_agent != NULL ? options->user_agent : "muster/" MUSTER_VERSION;
    if (copy_text(options->ca_file, &client->ca_file) != ERR_OK ||
        copy_text(options->unix_path, &client->unix_path) != ERR_OK ||
        copy_text(options->connect_to, &client->connect_to) != ERR_OK ||
        copy_text(agent, &client->user_agent) != ERR_OK) {
        return ERR_NOMEM;
    }
    client->allow_http = options->allow_http || options->unix_path != NULL;
    client->multi = curl_multi_init();
    if (client->multi == NULL) {
        return ERR_NOMEM;
    }
    long most = options->connections_max != 0 ? (long)options->connections_max : HTTP_CONNECTIONS_MAX;
    bool ok = curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_watch) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) == CURLM_OK &&
              curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, most) == CURLM_OK;
    return ok ? loop_timer_new(client->loop, on_timer, client, &client->timer) : ERR_UNSUPPORTED;
}

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct http_client **ret_client)
{
    (void)pthread_once(&curl_once, init_curl); /* fails only for a bad control word */
    if (curl_ready != CURLE_OK) {
        return ERR_UNSUPPORTED;
    }
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    client->loop = loop;
    enum err err = client_init(client, options);
    if (err != ERR_OK) {
        client_destroy(client);
        return err;
    }
    *ret_client = client;
    return ERR_OK;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->transfers != NULL) {
        http_cancel(client->transfers);
    }
    loop_timer_stop(client->timer);
    if (client->in_loop) {
        client->freed = true;
    } else {
        client_destroy(client);
    }
}

static bool is_method(struct view method)
{
    for (size_t i = 0; i < method.len; i++) {
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z') {
            return false;
        }
    }
    return method.len > 0 && method.len <= HTTP_METHOD_MAX;
}

static bool is_header_line(struct view line)
{
    const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    return colon != NULL && colon != line.ptr && memchr(line.ptr, '\r', line.len) == NULL &&
           memchr(line.ptr, '\n', line.len) == NULL;
}

static enum err check_request(const struct http_client *client, const struct http_request *request)
{
    struct view url = view_of(request->url);
    bool https = view_starts_with(url, VIEW_LITERAL("https://"));
    bool http = view_starts_with(url, VIEW_LITERAL("http://")) && client->allow_http;
    if (url.len > HTTP_URL_MAX || request->headers_len > HTTP_HEADERS_MAX) {
        return ERR_LIMIT;
    }
    if (request->reply_max > HTTP_REPLY_WHOLE_MAX) {
        return ERR_RANGE;
    }
    if ((!https && !http) || (request->method != NULL && !is_method(view_of(request->method)))) {
        return ERR_INVALID;
    }
    if (request->user.len > 0 && !https && client->unix_path == NULL) {
        return ERR_INVALID; /* a secret never crosses a wire in the clear */
    }
    for (size_t i = 0; i < request->headers_len; i++) {
        if (!is_header_line(view_of(request->headers[i]))) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static enum err add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        return ERR_NOMEM;
    }
    *list = longer;
    return ERR_OK;
}

static enum err set_lines(struct http_transfer *transfer, const struct http_request *request)
{
    bool typed = false;
    enum err err = add_line(&transfer->lines, "Expect:"); /* no 100-continue dance: bodies are small */
    for (size_t i = 0; err == ERR_OK && i < request->headers_len; i++) {
        struct view line = view_of(request->headers[i]);
        typed = typed || view_equal_nocase(view_n(line.ptr, MIN(line.len, (size_t)13)), VIEW_LITERAL("content-type:"));
        err = add_line(&transfer->lines, request->headers[i]);
    }
    if (err == ERR_OK && !typed) {
        err = add_line(&transfer->lines, "Content-Type:"); /* curl would call every body a form */
    }
    if (err == ERR_OK && transfer->client->connect_to != NULL) {
        err = add_line(&transfer->connect_to, transfer->client->connect_to);
    }
    return err;
}

#define SET(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

static bool set_security(const struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct http_client *client = transfer->client;
    return SET(easy, CURLOPT_PROTOCOLS_STR, client->allow_http ? "http,https" : "https") &&
           SET(easy, CURLOPT_FOLLOWLOCATION, 0L) && SET(easy, CURLOPT_PROXY, "") && SET(easy, CURLOPT_NOSIGNAL, 1L) &&
           SET(easy, CURLOPT_SSL_VERIFYPEER, 1L) && SET(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
           (client->ca_file == NULL || SET(easy, CURLOPT_CAINFO, client->ca_file)) &&
           (client->unix_path == NULL || SET(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_path)) &&
           (transfer->connect_to == NULL || SET(easy, CURLOPT_CONNECT_TO, transfer->connect_to));
}

static bool set_limits(const struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    long timeout_ms = request->timeout_ms != 0 ? (long)request->timeout_ms : HTTP_TIMEOUT_MS;
    long resolve = request->family == IP_V4   ? CURL_IPRESOLVE_V4
                   : request->family == IP_V6 ? CURL_IPRESOLVE_V6
                                              : CURL_IPRESOLVE_WHATEVER;
    return SET(easy, CURLOPT_TIMEOUT_MS, timeout_ms) &&
           SET(easy, CURLOPT_CONNECTTIMEOUT_MS, MIN(timeout_ms, (long)HTTP_CONNECT_MS)) &&
           SET(easy, CURLOPT_QUICK_EXIT, 1L) && /* else the end of a transfer waits for its resolver's thread */
           SET(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->body.cap) &&
           SET(easy, CURLOPT_IPRESOLVE, resolve) && SET(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
}

static bool set_callbacks(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    return SET(easy, CURLOPT_PRIVATE, transfer) && SET(easy, CURLOPT_ERRORBUFFER, transfer->error) &&
           SET(easy, CURLOPT_HEADERFUNCTION, on_header) && SET(easy, CURLOPT_HEADERDATA, transfer) &&
           SET(easy, CURLOPT_WRITEFUNCTION, on_body) && SET(easy, CURLOPT_WRITEDATA, transfer) &&
           SET(easy, CURLOPT_PREREQFUNCTION, on_request) && SET(easy, CURLOPT_PREREQDATA, transfer);
}

/* A bound connection shares its fate with one request: curl does not know what its socket was bound to. */
static bool set_path(const struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    if (transfer->interface[0] == '\0' && transfer->local.family == IP_NONE) {
        return true;
    }
    return SET(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) && SET(easy, CURLOPT_SOCKOPTDATA, transfer) &&
           SET(easy, CURLOPT_FRESH_CONNECT, 1L) && SET(easy, CURLOPT_FORBID_REUSE, 1L);
}

static bool set_message(const struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    const char *method = request->method != NULL ? request->method : "GET";
    bool ok =
        SET(easy, CURLOPT_URL, request->url) && SET(easy, CURLOPT_HTTPHEADER, transfer->lines) &&
        SET(easy, CURLOPT_USERAGENT, transfer->client->user_agent) &&
        SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) &&
        SET(easy, CURLOPT_PIPEWAIT, 1L); /* rather the stream of a connection that is being made than another one */
    struct view name = view_of(method);
    bool has_body =
        request->body.len > 0 || view_equals(name, "POST") || view_equals(name, "PUT") || view_equals(name, "PATCH");
    if (has_body) {
        ok = ok && SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) &&
             SET(easy, CURLOPT_COPYPOSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
    }
    if (view_equals(name, "HEAD")) {
        return ok && SET(easy, CURLOPT_NOBODY, 1L);
    }
    return ok && SET(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* ERR_INVALID for a NUL or too long a text: neither goes through curl. */
static enum err set_credential(CURL *easy, CURLoption option, struct view text)
{
    char copy[CREDENTIAL_MAX];
    enum err err = view_copy(text, copy, sizeof(copy)) == ERR_OK ? ERR_OK : ERR_INVALID;
    if (err == ERR_OK && !SET(easy, option, copy)) {
        err = ERR_NOMEM;
    }
    explicit_bzero(copy, sizeof(copy));
    return err;
}

static enum err set_auth(CURL *easy, const struct http_request *request)
{
    if (request->user.len == 0) {
        return ERR_OK;
    }
    enum err err = set_credential(easy, CURLOPT_USERNAME, request->user);
    if (err == ERR_OK) {
        err = set_credential(easy, CURLOPT_PASSWORD, request->secret);
    }
    if (err == ERR_OK && !SET(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC)) {
        err = ERR_UNSUPPORTED;
    }
    return err;
}

static enum err prepare(struct http_transfer *transfer, const struct http_request *request)
{
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        return ERR_NOMEM;
    }
    enum err err = set_lines(transfer, request);
    if (err == ERR_OK) {
        err = set_auth(transfer->easy, request);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool ok = set_callbacks(transfer) && set_security(transfer) && set_limits(transfer, request) &&
              set_path(transfer) && set_message(transfer, request);
    return ok ? ERR_OK : ERR_NOMEM; /* all options are of this build: only memory can lack */
}

enum err http_start(struct http_client *client, const struct http_request *request, struct http_transfer **ret_transfer)
{
    enum err err = check_request(client, request);
    if (err != ERR_OK) {
        return err;
    }
    struct http_transfer *transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL) {
        return ERR_NOMEM;
    }
    transfer->client = client;
    transfer->done = request->done;
    transfer->context = request->context;
    transfer->began_ms = clock_mono_ms();
    transfer->local = request->local;
    transfer->once = request->once;
    http_headers_init(&transfer->headers, HTTP_REPLY_HEADERS_MAX);
    strbuf_init(&transfer->body, request->reply_max != 0 ? request->reply_max : HTTP_REPLY_DEFAULT);
    err = view_copy(view_of(request->interface), transfer->interface, sizeof(transfer->interface));
    err = err == ERR_OK ? prepare(transfer, request) : ERR_INVALID;
    if (err == ERR_OK && curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        err = ERR_NOMEM;
    }
    if (err != ERR_OK) {
        transfer_free(transfer);
        return err;
    }
    transfer_attach(transfer);
    if (ret_transfer != NULL) {
        *ret_transfer = transfer;
    }
    return ERR_OK;
}

void http_cancel(struct http_transfer *transfer)
{
    if (transfer != NULL) {
        transfer_detach(transfer);
        transfer_free(transfer);
    }
}

bool http_result_header(const struct http_result *result, const char *name, struct view *ret_value)
{
    return http_headers_find(result->headers, name, ret_value);
}

bool http_result_retry_after(const struct http_result *result, int64_t wall_ms, uint64_t *ret_ms)
{
    struct view value;
    return http_result_header(result, "retry-after", &value) &&
           http_retry_after_parse(value, wall_ms, HTTP_RETRY_AFTER_MAX_S, ret_ms) == ERR_OK;
}

size_t http_client_active(const struct http_client *client)
{
    return client->active;
}
