/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "tests/lib/loop_run.h"

#define SKIP 77

/* The server's process, shared by the tests. */
static struct {
    pid_t pid;
    int input; /* closing it ends the server */
    char folder[64];
    char ca_file[128];
    char connect_to[64];
    unsigned port;
} server;

struct exchange {
    struct loop *loop;
    struct http_client *client;
    bool done;
    struct http_result result; /* pointers void, except the copies below */
    struct strbuf body;
    uint64_t retry_ms;
    bool has_retry;
    bool free_client;
    struct http_transfer *cancel_too;
    unsigned left;
};

static void on_done(void *context, const struct http_result *result)
{
    struct exchange *exchange = context;
    exchange->done = true;
    exchange->result = *result;
    strbuf_clear(&exchange->body);
    assert_int_equal(strbuf_add(&exchange->body, result->body), ERR_OK);
    exchange->has_retry = http_result_retry_after(result, 0, &exchange->retry_ms);
    http_cancel(TAKE(exchange->cancel_too));
    if (exchange->free_client) {
        http_client_free(TAKE(exchange->client));
    }
    if (exchange->left == 0 || --exchange->left == 0) {
        loop_stop(exchange->loop);
    }
}

static void exchange_start(struct exchange *exchange, struct http_client_options options)
{
    *exchange = (struct exchange){0};
    strbuf_init(&exchange->body, 1 << 20);
    assert_int_equal(loop_new(&exchange->loop), ERR_OK);
    assert_int_equal(http_client_new(exchange->loop, &options, &exchange->client), ERR_OK);
}

static void exchange_end(struct exchange *exchange)
{
    http_client_free(exchange->client);
    loop_free(exchange->loop);
    strbuf_deinit(&exchange->body);
}

static struct http_client_options trusted(void)
{
    return (struct http_client_options){.ca_file = server.ca_file, .connect_to = server.connect_to};
}

static enum err start(struct exchange *exchange, struct http_request request)
{
    request.done = on_done;
    request.context = exchange;
    exchange->done = false;
    return http_start(exchange->client, &request, NULL);
}

static void fetch(struct exchange *exchange, struct http_request request)
{
    assert_int_equal(start(exchange, request), ERR_OK);
    assert_false(exchange->done);
    loop_run_or_fail(exchange->loop);
    assert_true(exchange->done);
    assert_int_equal(http_client_active(exchange->client), 0);
}

static void assert_says(const struct exchange *exchange, const char *text)
{
    if (strstr(strbuf_str(&exchange->body), text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, strbuf_str(&exchange->body));
    }
}

static void a_request_carries_what_was_asked(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    const char *const headers[] = {"X-One: 1", "Content-Type: application/json"};
    fetch(&exchange, (struct http_request){.method = "PATCH",
                                           .url = "https://api.test/echo",
                                           .headers = headers,
                                           .headers_len = 2,
                                           .body = VIEW_LITERAL("{\"a\":1}"),
                                           .user = VIEW_LITERAL("joe"),
                                           .secret = VIEW_LITERAL("s3cret")});
    assert_int_equal(exchange.result.err, ERR_OK);
    assert_int_equal(exchange.result.status, 200);
    assert_true(exchange.result.sent);
    assert_int_equal(exchange.result.peer.family, IP_V4);
    assert_says(&exchange, "PATCH /echo HTTP\n");
    assert_says(&exchange, "X-One: 1\n");
    assert_says(&exchange, "Content-Type: application/json\n");
    assert_says(&exchange, "Authorization: Basic am9lOnMzY3JldA==\n");
    assert_says(&exchange, "User-Agent: muster/");
    assert_says(&exchange, "\n\n{\"a\":1}");
    fetch(&exchange, (struct http_request){.url = "https://api.test/echo"});
    assert_says(&exchange, "GET /echo HTTP\n");
    assert_null(strstr(strbuf_str(&exchange.body), "Authorization"));
    fetch(&exchange, (struct http_request){.method = "POST", .url = "https://api.test/echo"});
    assert_says(&exchange, "Content-Length: 0\n");
    assert_null(strstr(strbuf_str(&exchange.body), "Content-Type"));
    fetch(&exchange, (struct http_request){.method = "DELETE", .url = "https://api.test/echo"});
    assert_says(&exchange, "DELETE /echo HTTP\n");
    exchange_end(&exchange);
}

static void any_status_is_a_reply_and_redirects_are_not_followed(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/busy"});
    assert_int_equal(exchange.result.err, ERR_OK);
    assert_int_equal(exchange.result.status, 503);
    assert_true(exchange.has_retry);
    assert_int_equal(exchange.retry_ms, 7000);
    fetch(&exchange, (struct http_request){.url = "https://api.test/moved"});
    assert_int_equal(exchange.result.status, 302);
    assert_false(exchange.has_retry);
    exchange_end(&exchange);
}

static void a_connection_is_kept_and_used_again(void **state)
{
    (void)state;
    struct exchange exchange;
    char first[16];
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/connection"});
    assert_int_equal(view_copy(strbuf_view(&exchange.body), first, sizeof(first)), ERR_OK);
    fetch(&exchange, (struct http_request){.url = "https://api.test/connection"});
    assert_string_equal(strbuf_str(&exchange.body), first);
    exchange_end(&exchange);
}

static void a_certificate_must_be_trusted_and_of_the_host(void **state)
{
    (void)state;
    struct exchange exchange;
    struct http_client_options options = trusted();
    options.ca_file = NULL; /* the system's trust does not know the test's certificate */
    exchange_start(&exchange, options);
    fetch(&exchange, (struct http_request){.url = "https://api.test/echo"});
    assert_int_equal(exchange.result.err, ERR_CRYPTO);
    assert_false(exchange.result.sent);
    exchange_end(&exchange);
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://other.test/echo"});
    assert_int_equal(exchange.result.err, ERR_CRYPTO);
    assert_false(exchange.result.sent);
    assert_string_equal(exchange.result.info.layer, "http");
    exchange_end(&exchange);
}

static void too_much_of_anything_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "https://api.test/announced",
        "https://api.test/endless-body",
        "https://api.test/endless-headers",
        "https://api.test/endless-continue",
    };
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        fetch(&exchange, (struct http_request){.url = urls[i], .reply_max = 4999});
        assert_int_equal(exchange.result.err, ERR_LIMIT);
        assert_int_equal(exchange.result.status, 0);
        assert_int_equal(exchange.body.len, 0);
        assert_true(exchange.result.sent);
    }
    fetch(&exchange, (struct http_request){.url = "https://api.test/announced", .reply_max = 5000});
    assert_int_equal(exchange.result.err, ERR_OK);
    assert_int_equal(exchange.body.len, 5000);
    exchange_end(&exchange);
}

static void a_stalled_server_runs_into_the_time_limit(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/connection"}); /* the limit is for no handshake */
    uint64_t before = clock_mono_ms();
    fetch(&exchange, (struct http_request){.url = "https://api.test/stall", .timeout_ms = 1000});
    assert_int_equal(exchange.result.err, ERR_TIMEOUT);
    assert_true(exchange.result.sent); /* the server may have acted: the outcome is unknown */
    assert_true(clock_mono_ms() - before >= 999);
    exchange_end(&exchange);
}

static void a_broken_reply_is_a_failure(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/half"});
    assert_int_equal(exchange.result.err, ERR_IO);
    assert_true(exchange.result.sent);
    fetch(&exchange, (struct http_request){.url = "https://api.test/hang-up"});
    assert_int_equal(exchange.result.err, ERR_IO);
    assert_true(exchange.result.info.text[0] != '\0');
    fetch(&exchange, (struct http_request){.url = "https://api.test/half-head"}); /* curl says that all is well */
    assert_int_equal(exchange.result.err, ERR_IO);
    assert_true(exchange.result.sent);
    assert_int_equal(exchange.result.status, 0);
    assert_int_equal(exchange.body.len, 0);
    exchange_end(&exchange);
}

/** curl would send it once more on a new connection, unasked. */
static void a_request_that_may_have_acted_is_sent_once(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PATCH"};
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        char count[16];
        fetch(&exchange, (struct http_request){.url = "https://api.test/connection"}); /* is kept and used again */
        fetch(&exchange,
              (struct http_request){
                  .method = methods[i], .url = "https://api.test/vanish", .body = VIEW_LITERAL("{}"), .once = true});
        assert_int_equal(exchange.result.err, ERR_IO);
        assert_true(exchange.result.sent);
        fetch(&exchange, (struct http_request){.url = "https://api.test/vanished"});
        (void)snprintf(count, sizeof(count), "%zu", 2 * i + 1); /* each look counts, too */
        assert_string_equal(strbuf_str(&exchange.body), count);
    }
    exchange_end(&exchange);
}

static void bad_requests_never_leave(void **state)
{
    (void)state;
    static const char *const smuggling[] = {"X-A: 1\r\nX-B: 2"};
    static const char *const nameless[] = {": 1"};
    static char long_url[HTTP_URL_MAX + 32] = "https://api.test/";
    memset(long_url + 17, 'a', HTTP_URL_MAX);
    const struct {
        struct http_request request;
        enum err err;
    } rows[] = {
        {{.url = "http://api.test/echo"}, ERR_INVALID}, /* plain HTTP was not allowed */
        {{.url = "ftp://api.test/echo"}, ERR_INVALID},
        {{.url = "file:///etc/passwd"}, ERR_INVALID},
        {{.url = ""}, ERR_INVALID},
        {{.url = long_url}, ERR_LIMIT},
        {{.url = "https://api.test/", .method = "get"}, ERR_INVALID},
        {{.url = "https://api.test/", .method = "GET / HTTP/1.1\r\nX: y"}, ERR_INVALID},
        {{.url = "https://api.test/", .headers = smuggling, .headers_len = 1}, ERR_INVALID},
        {{.url = "https://api.test/", .headers = nameless, .headers_len = 1}, ERR_INVALID},
        {{.url = "https://api.test/", .headers_len = HTTP_HEADERS_MAX + 1}, ERR_LIMIT},
        {{.url = "https://api.test/", .user = {"a\0b", 3}}, ERR_INVALID},
        {{.url = "https://api.test/", .reply_max = HTTP_REPLY_WHOLE_MAX + 1}, ERR_RANGE},
    };
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(start(&exchange, rows[i].request), rows[i].err);
    }
    assert_int_equal(http_client_active(exchange.client), 0);
    exchange_end(&exchange);
    exchange_start(&exchange, (struct http_client_options){.allow_http = true});
    struct http_request in_the_clear = {.url = "http://api.test/", .user = VIEW_LITERAL("joe")};
    assert_int_equal(start(&exchange, in_the_clear), ERR_INVALID);
    exchange_end(&exchange);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    struct exchange exchange;
    assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/echo"});
    assert_int_equal(exchange.result.err, ERR_OK);
    exchange_end(&exchange);
    assert_int_equal(unsetenv("https_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

static void many_requests_share_few_connections(void **state)
{
    (void)state;
    struct exchange exchange;
    struct http_client_options options = trusted();
    options.connections_max = 2;
    exchange_start(&exchange, options);
    exchange.left = 20;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(start(&exchange, (struct http_request){.url = "https://api.test/connection"}), ERR_OK);
    }
    assert_int_equal(http_client_active(exchange.client), 20);
    loop_run_or_fail(exchange.loop);
    assert_int_equal(exchange.left, 0);
    exchange_end(&exchange);
}

static void cancelled_transfers_never_complete(void **state)
{
    (void)state;
    struct exchange exchange;
    struct exchange other = {0};
    exchange_start(&exchange, trusted());
    struct http_request stalled = {.url = "https://api.test/stall", .done = on_done, .context = &other};
    assert_int_equal(http_start(exchange.client, &stalled, &exchange.cancel_too), ERR_OK);
    assert_int_equal(start(&exchange, (struct http_request){.url = "https://api.test/echo"}), ERR_OK);
    loop_run_or_fail(exchange.loop); /* the completion cancels the stalled one */
    assert_int_equal(http_client_active(exchange.client), 0);
    assert_int_equal(http_start(exchange.client, &stalled, NULL), ERR_OK);
    exchange_end(&exchange); /* frees the client with one under way */
    assert_false(other.done);
}

static void the_client_may_be_freed_in_a_completion(void **state)
{
    (void)state;
    struct exchange exchange;
    exchange_start(&exchange, trusted());
    exchange.free_client = true;
    assert_int_equal(start(&exchange, (struct http_request){.url = "https://api.test/stall"}), ERR_OK);
    assert_int_equal(start(&exchange, (struct http_request){.url = "https://api.test/echo"}), ERR_OK);
    loop_run_or_fail(exchange.loop);
    assert_null(exchange.client);
    exchange_end(&exchange);
}

static void a_request_leaves_by_the_given_way(void **state)
{
    (void)state;
    struct exchange exchange;
    char first[16], second[16];
    const struct ip other = {.family = IP_V4, .bytes = {127, 0, 0, 2}};
    exchange_start(&exchange, trusted());
    fetch(&exchange, (struct http_request){.url = "https://api.test/connection"});
    assert_int_equal(view_copy(strbuf_view(&exchange.body), first, sizeof(first)), ERR_OK);
    fetch(&exchange, (struct http_request){.url = "https://api.test/peer", .local = other});
    assert_int_equal(exchange.result.err, ERR_OK);
    assert_string_equal(strbuf_str(&exchange.body), "127.0.0.2");
    fetch(&exchange, (struct http_request){.url = "https://api.test/connection", .interface = "lo", .local = other});
    assert_int_equal(view_copy(strbuf_view(&exchange.body), second, sizeof(second)), ERR_OK);
    assert_string_not_equal(second, first); /* a connection of its own, used once */
    fetch(&exchange, (struct http_request){.url = "https://api.test/peer"});
    assert_string_equal(strbuf_str(&exchange.body), "127.0.0.1");
    exchange_end(&exchange);
}

static void a_way_that_is_not_there_is_no_other_way(void **state)
{
    (void)state;
    struct exchange exchange;
    const struct ip foreign = {.family = IP_V4, .bytes = {198, 51, 100, 1}}, six = {.family = IP_V6};
    const struct {
        struct http_request request;
        enum err err;
    } rows[] = {
        {{.interface = "none0"}, ERR_NOTFOUND},
        {{.local = foreign}, ERR_IO},
        {{.local = six}, ERR_INVALID},
    };
    exchange_start(&exchange, trusted());
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_request request = rows[i].request;
        request.url = "https://api.test/peer";
        fetch(&exchange, request);
        assert_int_equal(exchange.result.err, rows[i].err);
        assert_false(exchange.result.sent);
        assert_non_null(strstr(exchange.result.info.text, "cannot leave through"));
    }
    struct http_request request = {.url = "https://api.test/", .interface = "a-name-too-long-for-one"};
    assert_int_equal(start(&exchange, request), ERR_INVALID);
    exchange_end(&exchange);
}

/* Starts the server and reads its port and CA file. @return false when python or openssl is missing. */
static bool server_start(void)
{
    int in[2], out[2];
    if (snprintf(server.folder, sizeof(server.folder), "/tmp/muster-http-XXXXXX") < 0 || !mkdtemp(server.folder) ||
        pipe(in) != 0 || pipe(out) != 0) {
        return false;
    }
    server.pid = fork();
    if (server.pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)close(in[1]);
        (void)close(out[0]);
        (void)execl("/usr/bin/python3", "python3", MUSTER_SOURCE_DIR "/tests/lib/https_server.py", server.folder, NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    server.input = in[1];
    FILE *lines = fdopen(out[0], "r");
    bool ok = lines != NULL && fscanf(lines, "%u %127s", &server.port, server.ca_file) == 2;
    (void)snprintf(server.connect_to, sizeof(server.connect_to), "::127.0.0.1:%u", server.port);
    (void)fclose(lines);
    return ok;
}

static void server_stop(void)
{
    (void)close(server.input);
    (void)waitpid(server.pid, NULL, 0);
    DIR *folder = opendir(server.folder);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0); /* "." and ".." refuse */
    }
    (void)closedir(folder);
    (void)rmdir(server.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_carries_what_was_asked),
        cmocka_unit_test(any_status_is_a_reply_and_redirects_are_not_followed),
        cmocka_unit_test(a_connection_is_kept_and_used_again),
        cmocka_unit_test(a_certificate_must_be_trusted_and_of_the_host),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(a_stalled_server_runs_into_the_time_limit),
        cmocka_unit_test(a_broken_reply_is_a_failure),
        cmocka_unit_test(a_request_that_may_have_acted_is_sent_once),
        cmocka_unit_test(bad_requests_never_leave),
        cmocka_unit_test(proxies_of_the_environment_are_ignored),
        cmocka_unit_test(many_requests_share_few_connections),
        cmocka_unit_test(cancelled_transfers_never_complete),
        cmocka_unit_test(the_client_may_be_freed_in_a_completion),
        cmocka_unit_test(a_request_leaves_by_the_given_way),
        cmocka_unit_test(a_way_that_is_not_there_is_no_other_way),
    };
    if (!server_start()) {
        (void)fprintf(stderr, "the test's HTTPS server needs python3 and openssl\n");
        server_stop();
        return access("/usr/bin/python3", X_OK) != 0 ? SKIP : 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_stop();
    return failed;
}
