/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/report.h"
#include "net/http.h"

#define JSON_DEPTH_MAX 8 /* the deepest answer has 5 */
#define REAL_DIGITS    12
#define HINT_MAX       160

struct api {
    const struct command_call *call; /* borrowed */
    const struct api_options *options;
    const char *what, *socket;
    struct loop *loop; /* owned */
    struct http_client *client;
    enum err err; /* of the request under way */
    unsigned status;
    struct errinfo info;
    json_t *body; /* owned */
};

void api_close(struct api *api)
{
    if (api != NULL) {
        http_client_free(api->client);
        loop_free(api->loop);
        json_decref(api->body);
        free(api);
    }
}

enum exit_code api_open(const struct command_call *call, const struct api_options *options, const char *what,
                        struct api **ret_api)
{
    struct api *api = calloc(1, sizeof(*api));
    if (api == NULL) {
        return EXIT_FAILED;
    }
    api->call = call;
    api->options = options;
    api->what = what;
    api->socket = options->socket != NULL ? options->socket : API_SOCKET_DEFAULT;
    const struct http_client_options client = {.unix_path = api->socket, .connections_max = 1};
    enum err err = loop_new(&api->loop);
    if (err == ERR_OK) {
        err = http_client_new(api->loop, &client, &api->client);
    }
    if (err != ERR_OK) {
        enum exit_code code = api_report(api, EXIT_FAILED, "internal", err_text(err), "run the command again");
        api_close(api);
        return code;
    }
    *ret_api = api;
    return EXIT_OK;
}

enum exit_code api_report(const struct api *api, enum exit_code code, const char *id, const char *cause,
                          const char *hint)
{
    struct strbuf error;
    strbuf_init(&error, API_PATH_MAX);
    bool named = api->call->operands_len > 0;
    (void)strbuf_addf(&error, "%s%s%s", named ? api->call->operands[0] : "", named ? ": " : "", api->what); /* cut */
    const struct report report = {
        .error = strbuf_str(&error), .cause = cause, .hint = hint, .docs = api->call->name, .id = id};
    if (api->options->json) {
        report_print_json(&report, stderr);
    } else {
        report_print(&report, stderr);
    }
    strbuf_deinit(&error);
    return code;
}

static void done(void *context, const struct http_result *result)
{
    struct api *api = context;
    api->err = result->err;
    api->status = result->status;
    api->info = result->info;
    if (result->err == ERR_OK) {
        json_decref(api->body);
        api->body = NULL;
        api->err = json_parse(result->body, HTTP_REPLY_MAX, JSON_DEPTH_MAX, &api->body, &api->info);
    }
    loop_stop(api->loop);
}

/** Why the socket cannot be reached, as the kernel says it; 0 when it can. */
static int connect_error(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (view_copy(view_of(path), address.sun_path, sizeof(address.sun_path)) != ERR_OK) {
        return ENAMETOOLONG;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    (void)close(fd); /* nothing was written */
    return error;
}

/* With the server's name in both places. */
static const char *hint_of(const struct api *api, const char *format, char ret_text[static HINT_MAX])
{
    const char *server = api->options->server != NULL ? api->options->server : "coordinator";
    struct strbuf text;
    strbuf_init(&text, HINT_MAX - 1);
    for (const char *at = format; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 's') {
            (void)strbuf_adds(&text, server); /* cut is enough */
            at++;
        } else {
            (void)strbuf_addf(&text, "%c", *at);
        }
    }
    (void)snprintf(ret_text, HINT_MAX, "%s", strbuf_str(&text)); /* fits */
    strbuf_deinit(&text);
    return ret_text;
}

static enum exit_code report_transport(const struct api *api)
{
    struct strbuf cause;
    char log_hint[HINT_MAX], start_hint[HINT_MAX];
    const char *hint = hint_of(api, "look at the %s's log: journalctl -u muster-%s", log_hint);
    const char *id = "no-answer";
    enum exit_code code = api->err == ERR_TIMEOUT ? EXIT_TIMED_OUT : EXIT_FAILED;
    int error = api->err == ERR_TIMEOUT ? 0 : connect_error(api->socket);
    strbuf_init(&cause, ERRINFO_TEXT_MAX + API_PATH_MAX);
    (void)strbuf_addf(&cause, "%s: %s", api->socket, error != 0 ? strerror(error) : api->info.text); /* else unknown */
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        id = "not-running";
        hint = hint_of(api, "start the %s (systemctl start muster-%s), or name its socket with --socket", start_hint);
        break;
    case EACCES:
    case EPERM:
        id = "not-permitted";
        hint = "run the command as root or as a member of the socket's group";
        code = EXIT_REFUSED;
        break;
    default:
        if (code == EXIT_TIMED_OUT) {
            id = "timeout";
            hint = "the work may still go on; give it longer with --timeout";
        }
        break;
    }
    (void)api_report(api, code, id, strbuf_str(&cause), hint); /* returns the code */
    strbuf_deinit(&cause);
    return code;
}

static const struct {
    unsigned status;
    enum exit_code code;
    const char *hint;
} refusals[] = {
    {400, EXIT_USAGE, "correct what the cause names"},
    {403, EXIT_REFUSED, "scan the label again; without --code-file the operator's own word counts"},
    {404, EXIT_ABSENT, "list what there is: muster device list, muster record list, muster zone list"},
    {409, EXIT_CONFLICT, "wait until it is through, then run the command again"},
    {412, EXIT_CONFLICT, "make a new plan: muster zone plan ZONE -o FILE"},
    {501, EXIT_FAILED, "--host NAME has a name of ours written again, to the value that it has"},
    {502, EXIT_FAILED, "look at the zone: muster zone list"},
    {503, EXIT_FAILED, "it is busy; run the command again"},
};

/* Where the error id says more than the status. */
static const struct {
    const char *id, *hint;
} remedies[] = {
    {"no-such-account", "list what there is: muster provider accounts"},
    {"no-such-zone", "list what there is: muster zone list"},
    {"no-such-record", "list what there is: muster record list"},
    {"no-such-device", "list what there is: muster device list"},
    {"owned", "muster device transfer ID gives it another owner"},
    {"not-owned", "muster device claim ID gives it its first owner"},
    {"wrong-state", "muster device history ID says how it came there"},
    {"nothing-to-undo", "muster device transfer ID gives it another owner"},
    {"gone", "give the device a new identity: it does not come back"},
    {"stopped", "mend the account and reload, or let it go on: muster provider resume ACCOUNT"},
};

static enum exit_code report_refusal(const struct api *api)
{
    enum exit_code code = EXIT_FAILED;
    char log_hint[HINT_MAX];
    const char *hint = hint_of(api, "look at the %s's log: journalctl -u muster-%s", log_hint);
    const char *id = api_text(api->body, "error");
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].status == api->status) {
            code = refusals[i].code;
            hint = refusals[i].hint;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
        hint = strcmp(remedies[i].id, id) == 0 ? remedies[i].hint : hint;
    }
    const char *message = api_text(api->body, "message");
    return api_report(api, code, id, message[0] != '\0' ? message : id, hint);
}

enum exit_code api_request(struct api *api, const char *method, const struct strbuf *path, uint64_t timeout_ms,
                           json_t **ret_body)
{
    return api_send(api, method, path, (struct view){0}, timeout_ms, ret_body);
}

enum exit_code api_send(struct api *api, const char *method, const struct strbuf *path, struct view body,
                        uint64_t timeout_ms, json_t **ret_body)
{
    struct strbuf url;
    uint64_t timeout = api->options->timeout_ms != 0 ? api->options->timeout_ms : timeout_ms;
    const struct http_request request = {
        .method = method,
        .body = body,
        .timeout_ms = (uint32_t)timeout, /* a day at most */
        .reply_max = HTTP_REPLY_MAX,
        .done = done,
        .context = api,
    };
    strbuf_init(&url, HTTP_URL_MAX);
    enum err err = strbuf_error(path);
    if (err == ERR_OK) {
        err = strbuf_addf(&url, "http://coordinator%s", strbuf_str(path));
    }
    if (err == ERR_OK) {
        struct http_request whole = request;
        whole.url = strbuf_str(&url);
        err = http_start(api->client, &whole, NULL);
    }
    strbuf_deinit(&url);
    if (err != ERR_OK) {
        return api_report(api, EXIT_USAGE, "bad-request", err_text(err), "shorten the names and filters");
    }
    loop_run(api->loop);
    if (api->err != ERR_OK) {
        return report_transport(api);
    }
    if (api->status < 200 || api->status > 299) {
        return report_refusal(api);
    }
    *ret_body = TAKE(api->body);
    return EXIT_OK;
}

void api_add_encoded(struct strbuf *path, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c) != NULL; /* RFC 3986 2.3 */
        if (plain) {
            (void)strbuf_addc(path, *p); /* sticky: api_request looks at it */
        } else {
            const char triple[] = {'%', hex[c >> 4], hex[c & 15]};
            (void)strbuf_add(path, view_n(triple, sizeof(triple)));
        }
    }
}

void api_add_query(struct strbuf *path, const char *key, const char *value)
{
    if (value != NULL) {
        bool first = memchr(strbuf_str(path), '?', path->len) == NULL;
        (void)strbuf_addf(path, "%c%s=", first ? '?' : '&', key); /* sticky */
        api_add_encoded(path, value);
    }
}

const char *api_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

uint64_t api_u64(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

double api_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

bool api_bool(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void api_keep(json_t *items, const char *key, const char *value)
{
    for (size_t i = json_array_size(items); value != NULL && i > 0; i--) {
        if (strcmp(value, api_text(json_array_get(items, i - 1), key)) != 0) {
            (void)json_array_remove(items, i - 1); /* the index is one of its own */
        }
    }
}

enum exit_code api_print_json(const json_t *body)
{
    bool good = json_dumpf(body, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS)) == 0;
    return good && putchar('\n') != EOF && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
