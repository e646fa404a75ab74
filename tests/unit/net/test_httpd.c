/* SPDX-License-Identifier: Apache-2.0 */
#include "net/httpd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "net/http.h"
#include "net/stream.h"
#include "tests/lib/loop_run.h"

struct house {
    struct loop *loop;
    struct loop_worker *worker;
    struct httpd *httpd;
    struct http_client *client;
    char folder[32], socket_path[64], base_url[64];
    struct httpd_peer peer;
    struct httpd_request *held; /* a request whose reply the test withholds */
    unsigned pending;
    /* of the last exchange: */
    enum err err;
    unsigned status;
    struct strbuf body;
    char header[64];
};

static void on_echo(void *context, struct httpd_request *request)
{
    struct house *house = context;
    struct strbuf text;
    strbuf_init(&text, 65536);
    house->peer = httpd_request_peer(request);
    struct view query = httpd_request_query(request, "q");
    struct view absent = httpd_request_query(request, "absent");
    assert_null(absent.ptr);
    (void)strbuf_addf(&text, "path=%.*s one=%.*s two=%.*s q=%.*s x=%.*s body=", VIEW_ARG(httpd_request_path(request)),
                      VIEW_ARG(httpd_request_param(request, 0)), VIEW_ARG(httpd_request_param(request, 1)),
                      VIEW_ARG(query), VIEW_ARG(httpd_request_header(request, "x-name")));
    (void)strbuf_add(&text, httpd_request_body(request));
    const char *const headers[] = {"X-Answer", "42"};
    char *bytes;
    size_t len;
    assert_int_equal(strbuf_take(&text, &bytes, &len), ERR_OK);
    httpd_reply(request, &(struct httpd_reply){.status = 201,
                                               .content_type = "text/plain",
                                               .body = view_n(bytes, len),
                                               .take_body = true,
                                               .headers = headers,
                                               .headers_len = 1});
}

static void do_work(void *context)
{
    (void)context; /* the thread's turn is what the test wants */
}

static void work_done(void *context)
{
    httpd_reply_json(context, 200, VIEW_LITERAL("{\"late\":true}"));
}

static void on_later(void *context, struct httpd_request *request)
{
    struct house *house = context;
    assert_int_equal(loop_worker_submit(house->worker, do_work, work_done, request), ERR_OK);
}

static void on_hold(void *context, struct httpd_request *request)
{
    struct house *house = context;
    house->held = request;
    loop_stop(house->loop);
}

static void on_empty(void *context, struct httpd_request *request)
{
    (void)context;
    httpd_reply(request, &(struct httpd_reply){.status = 204});
}

static void on_stop(void *context, struct httpd_request *request)
{
    const struct house *house = context;
    on_empty(context, request);
    loop_stop(house->loop);
}

static void on_error(void *context, struct httpd_request *request)
{
    (void)context;
    httpd_reply_error(request, 409, "conflict", "a \"quoted\"\nline");
}

static const struct httpd_route ROUTES[] = {
    {"GET", "/echo/{one}/and/{two}", on_echo, 0, "q f"},
    {"POST", "/echo", on_echo, 1000, NULL},
    {"GET", "/later", on_later, 0, NULL},
    {"GET", "/hold", on_hold, 0, NULL},
    {"GET", "/stop", on_stop, 0, NULL},
    {"GET", "/empty", on_empty, 0, NULL},
    {"DELETE", "/empty", on_empty, 0, NULL},
    {"GET", "/error", on_error, 0, NULL},
};

static void on_done(void *context, const struct http_result *result)
{
    struct house *house = context;
    struct view header;
    house->err = result->err;
    house->status = result->status;
    strbuf_clear(&house->body);
    assert_int_equal(strbuf_add(&house->body, result->body), ERR_OK);
    house->header[0] = '\0';
    if (http_result_header(result, "x-answer", &header) || http_result_header(result, "allow", &header)) {
        assert_int_equal(view_copy(header, house->header, sizeof(house->header)), ERR_OK);
    }
    if (result->err == ERR_OK) {
        assert_true(http_result_header(result, "cache-control", &header) && view_equals(header, "no-store"));
    }
    if (--house->pending == 0) {
        loop_stop(house->loop);
    }
}

static void ask(struct house *house, struct http_request request, const char *path)
{
    char url[256];
    assert_true(snprintf(url, sizeof(url), "%s%s", house->base_url, path) < (int)sizeof(url));
    request.url = url;
    request.done = on_done;
    request.context = house;
    house->pending++;
    assert_int_equal(http_start(house->client, &request, NULL), ERR_OK);
}

static void fetch(struct house *house, struct http_request request, const char *path)
{
    ask(house, request, path);
    loop_run_or_fail(house->loop);
    assert_int_equal(house->pending, 0);
}

static struct httpd_options unix_options(struct house *house)
{
    return (struct httpd_options){.unix_path = house->socket_path,
                                  .unix_mode = 0660,
                                  .routes = ROUTES,
                                  .routes_len = ARRAY_LEN(ROUTES),
                                  .context = house};
}

static void open_house(struct house *house, bool is_local)
{
    struct errinfo info;
    struct http_client_options client = {.allow_http = true};
    struct httpd_options options = unix_options(house);
    if (is_local) {
        client.unix_path = house->socket_path;
    } else {
        options.unix_path = NULL;
        options.ip = (struct ip){.family = IP_V4, .bytes = {127, 0, 0, 1}};
    }
    assert_int_equal(httpd_new(house->loop, &options, &house->httpd, &info), ERR_OK);
    assert_int_equal(http_client_new(house->loop, &client, &house->client), ERR_OK);
    assert_true(snprintf(house->base_url, sizeof(house->base_url),
                         is_local ? "http://localhost" : "http://127.0.0.1:%u",
                         (unsigned)httpd_port(house->httpd)) > 0);
}

static int make_house(void **state)
{
    struct house *house = calloc(1, sizeof(*house));
    *state = house;
    strbuf_init(&house->body, 1 << 20);
    (void)snprintf(house->folder, sizeof(house->folder), "/tmp/muster-httpd-XXXXXX");
    if (mkdtemp(house->folder) == NULL || loop_new(&house->loop) != ERR_OK ||
        loop_worker_new(house->loop, "test", 64, &house->worker) != ERR_OK) {
        return -1;
    }
    (void)snprintf(house->socket_path, sizeof(house->socket_path), "%s/control.sock", house->folder);
    return 0;
}

static int drop_house(void **state)
{
    struct house *house = *state;
    http_client_free(house->client);
    httpd_free(house->httpd);
    loop_worker_free(house->worker);
    loop_free(house->loop);
    strbuf_deinit(&house->body);
    bool clean = access(house->socket_path, F_OK) != 0 && rmdir(house->folder) == 0; /* the server left nothing */
    free(house);
    return clean ? 0 : -1;
}

static void the_unix_socket_tells_who_asks(void **state)
{
    struct house *house = *state;
    struct stat status;
    open_house(house, true);
    assert_int_equal(stat(house->socket_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    const char *const headers[] = {"X-Name: value"};
    fetch(house, (struct http_request){.headers = headers, .headers_len = 1}, "/echo/a%20b/and/c?q=d%26e&f");
    assert_int_equal(house->err, ERR_OK);
    assert_int_equal(house->status, 201);
    assert_string_equal(strbuf_str(&house->body), "path=/echo/a b/and/c one=a b two=c q=d&e x=value body=");
    assert_string_equal(house->header, "42");
    assert_true(house->peer.is_local);
    assert_int_equal(house->peer.uid, getuid());
    assert_int_equal(house->peer.gid, getgid());
    assert_int_equal(house->peer.pid, getpid());
}

static void tcp_serves_the_same(void **state)
{
    struct house *house = *state;
    open_house(house, false);
    fetch(house, (struct http_request){.method = "POST", .body = VIEW_LITERAL("hello")}, "/echo");
    assert_int_equal(house->status, 201);
    assert_non_null(strstr(strbuf_str(&house->body), "body=hello"));
    assert_false(house->peer.is_local);
    assert_int_equal(house->peer.ip.bytes[0], 127);
    fetch(house, (struct http_request){.method = "HEAD"}, "/error");
    assert_int_equal(house->status, 409);
    assert_int_equal(house->body.len, 0);
}

static void unknown_parameters_are_refused(void **state)
{
    struct house *house = *state;
    open_house(house, true);
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/echo/a/and/b?x=1", "query parameter \\\"x\\\" is not known here; known: q f"},
        {"/echo/a/and/b?q=1&=2", "query parameter \\\"\\\" is not known here; known: q f"},
        {"/echo/a/and/b?Q=1", "query parameter \\\"Q\\\" is not known here; known: q f"},
        {"/echo/a/and/b?q%00=1", "is not known here; known: q f"},
        {"/echo/a/and/b?q=1&q=2", "query parameter \\\"q\\\" is given twice; known: q f"},
        {"/error?q", "query parameter \\\"q\\\" is not known here; known: none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fetch(house, (struct http_request){0}, cases[i].path);
        assert_int_equal(house->status, 400);
        assert_non_null(strstr(strbuf_str(&house->body), "\"error\":\"bad-query\""));
        assert_non_null(strstr(strbuf_str(&house->body), cases[i].text));
    }
    fetch(house, (struct http_request){0}, "/echo/a/and/b?f&q=2");
    assert_int_equal(house->status, 201);
}

static void errors_are_json_with_an_id(void **state)
{
    struct house *house = *state;
    static char big[1001];
    open_house(house, true);
    fetch(house, (struct http_request){0}, "/error");
    assert_int_equal(house->status, 409);
    assert_string_equal(strbuf_str(&house->body),
                        "{\"error\":\"conflict\",\"message\":\"a \\\"quoted\\\"\\u000aline\"}");
    fetch(house, (struct http_request){0}, "/nowhere");
    assert_int_equal(house->status, 404);
    assert_string_equal(strbuf_str(&house->body), "{\"error\":\"not-found\"}");
    fetch(house, (struct http_request){.method = "POST"}, "/empty");
    assert_int_equal(house->status, 405);
    assert_string_equal(house->header, "GET, DELETE");
    fetch(house, (struct http_request){.method = "POST", .body = {big, sizeof(big)}}, "/echo");
    assert_int_equal(house->status, 413);
    fetch(house, (struct http_request){.method = "POST", .body = {big, sizeof(big) - 1}}, "/echo");
    assert_int_equal(house->status, 201);
    fetch(house, (struct http_request){.method = "DELETE", .body = VIEW_LITERAL("x")}, "/empty");
    assert_int_equal(house->status, 413);
    fetch(house, (struct http_request){0}, "/empty");
    assert_int_equal(house->status, 204);
}

static void replies_may_come_later_and_many_at_once(void **state)
{
    struct house *house = *state;
    open_house(house, true);
    for (int i = 0; i < 40; i++) {
        ask(house, (struct http_request){0}, "/later");
    }
    loop_run_or_fail(house->loop);
    assert_int_equal(house->pending, 0);
    assert_int_equal(house->status, 200);
    assert_string_equal(strbuf_str(&house->body), "{\"late\":true}");
}

static void a_server_may_end_before_the_reply(void **state)
{
    struct house *house = *state;
    open_house(house, true);
    ask(house, (struct http_request){0}, "/hold");
    loop_run_or_fail(house->loop);
    assert_non_null(house->held);
    httpd_free(TAKE(house->httpd));
    assert_null(httpd_request_header(house->held, "host").ptr);
    httpd_reply_json(TAKE(house->held), 200, VIEW_LITERAL("{}")); /* the sanitizer judges */
    loop_run_or_fail(house->loop);
    assert_int_equal(house->err, ERR_IO);
}

/* While all places are taken nobody is accepted. When all leave at once nothing else happens that would begin it anew.
 */
static void places_that_all_leave_at_once_are_given_again(void **state)
{
    struct house *house = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char request[] = "GET /stop HTTP/1.1\r\nHost: x\r\n\r\n";
    int taken[HTTPD_CONNECTIONS];
    open_house(house, true);
    assert_int_equal(view_copy(view_of(house->socket_path), address.sun_path, sizeof(address.sun_path)), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        taken[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(taken[i], (const struct sockaddr *)&address, sizeof(address)), 0);
    }
    const ssize_t len = sizeof(request) - 1;
    assert_int_equal(write(taken[ARRAY_LEN(taken) - 1], request, (size_t)len), len);
    loop_run_or_fail(house->loop); /* the last one is served, so all have a place */
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        assert_int_equal(close(taken[i]), 0);
    }
    fetch(house, (struct http_request){0}, "/empty");
    assert_int_equal(house->status, 204);
}

static void stop(void *context)
{
    loop_stop(context);
}

static void nobody_is_accepted_without_a_descriptor_and_nothing_spins(void **state)
{
    struct house *house = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct loop_timer *end;
    struct rlimit old;
    open_house(house, true);
    assert_int_equal(loop_timer_new(house->loop, stop, house->loop, &end), ERR_OK);
    assert_int_equal(view_copy(view_of(house->socket_path), address.sun_path, sizeof(address.sun_path)), ERR_OK);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    const struct rlimit none = {.rlim_cur = (rlim_t)client + 1, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    clock_t began = clock();
    loop_timer_after(end, 500);
    loop_run(house->loop);
    assert_true((clock() - began) * 1000 / CLOCKS_PER_SEC < 50); /* of the 500 ms */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    static const char request[] = "GET /stop HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(write(client, request, sizeof(request) - 1), sizeof(request) - 1);
    loop_run_or_fail(house->loop);
    assert_int_equal(close(client), 0);
    loop_timer_free(end);
}

static void a_served_socket_is_left_alone_and_a_dead_one_replaced(void **state)
{
    struct house *house = *state;
    struct errinfo info;
    struct httpd *second;
    struct httpd_options options = unix_options(house);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, house->socket_path, strlen(house->socket_path) + 1);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(dead), 0); /* its file stays */
    open_house(house, true);
    assert_int_equal(httpd_new(house->loop, &options, &second, &info), ERR_EXISTS);
    assert_non_null(strstr(info.text, house->socket_path));
    fetch(house, (struct http_request){0}, "/empty");
    assert_int_equal(house->status, 204);
    options.unix_path = "/nonexistent/folder/socket";
    assert_int_equal(httpd_new(house->loop, &options, &second, &info), ERR_NOTFOUND);
    options.unix_path = "/a-path-that-is-longer-than-the-hundred-and-seven-bytes-which-the-kernel-has-room-for-in-the-"
                        "address-of-a-unix-socket";
    assert_int_equal(httpd_new(house->loop, &options, &second, &info), ERR_INVALID);
}

static void a_plain_file_in_the_way_is_not_removed(void **state)
{
    struct house *house = *state;
    struct errinfo info;
    struct httpd_options options = unix_options(house);
    FILE *file = fopen(house->socket_path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(httpd_new(house->loop, &options, &house->httpd, &info), ERR_EXISTS);
    assert_int_equal(unlink(house->socket_path), 0); /* was still there */
}

static size_t ignore(void *context, struct view data)
{
    (void)context;
    return data.len;
}

static void nothing(void *context)
{
    (void)context;
}

static void on_cut(void *context, enum stream_close why, const struct errinfo *info)
{
    (void)why;
    (void)info;
    struct house *house = context;
    loop_stop(house->loop);
}

/* A chunked body has no announced length: past its cap the connection is cut. */
static void an_endless_body_is_cut_off(void **state)
{
    struct house *house = *state;
    open_house(house, false);
    struct stream *stream;
    struct stream_options options = {.host = "127.0.0.1",
                                     .port = httpd_port(house->httpd),
                                     .connected = nothing,
                                     .read = ignore,
                                     .closed = on_cut,
                                     .context = house};
    assert_int_equal(stream_new(house->loop, &options, &stream), ERR_OK);
    static char chunk[] = "3f0\r\n";
    assert_int_equal(
        stream_write(stream, view_of("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")), ERR_OK);
    static char bytes[1008];
    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream_write(stream, view_of(chunk)), ERR_OK);
        assert_int_equal(stream_write(stream, view_n(bytes, sizeof(bytes))), ERR_OK);
        assert_int_equal(stream_write(stream, view_of("\r\n")), ERR_OK);
    }
    loop_run_or_fail(house->loop);
    stream_free(stream);
    fetch(house, (struct http_request){0}, "/empty");
    assert_int_equal(house->status, 204);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_unix_socket_tells_who_asks, make_house, drop_house),
        cmocka_unit_test_setup_teardown(tcp_serves_the_same, make_house, drop_house),
        cmocka_unit_test_setup_teardown(unknown_parameters_are_refused, make_house, drop_house),
        cmocka_unit_test_setup_teardown(errors_are_json_with_an_id, make_house, drop_house),
        cmocka_unit_test_setup_teardown(replies_may_come_later_and_many_at_once, make_house, drop_house),
        cmocka_unit_test_setup_teardown(a_server_may_end_before_the_reply, make_house, drop_house),
        cmocka_unit_test_setup_teardown(nobody_is_accepted_without_a_descriptor_and_nothing_spins, make_house,
                                        drop_house),
        cmocka_unit_test_setup_teardown(places_that_all_leave_at_once_are_given_again, make_house, drop_house),
        cmocka_unit_test_setup_teardown(a_served_socket_is_left_alone_and_a_dead_one_replaced, make_house, drop_house),
        cmocka_unit_test_setup_teardown(a_plain_file_in_the_way_is_not_removed, make_house, drop_house),
        cmocka_unit_test_setup_teardown(an_endless_body_is_cut_off, make_house, drop_house),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
