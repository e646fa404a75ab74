/* SPDX-License-Identifier: Apache-2.0 */
/* `muster provider test`: does the account work, and what would be sent. */
#include <stdio.h>
#include <string.h>

#include "cli/accounts.h"
#include "cli/records.h"

#define TEST_TIMEOUT_MS 120000 /* a large zone's transfer, a service that is slow */
#define TEST_WAIT_MS    30000

const struct args_row accounts_test_rows[] = {
    API_ROWS,
    {"zone", 'z', "ZONE", ARGS_STRING, offsetof(struct accounts_test_options, zone),
     .help = "Zone to ask about (default: the account's first)"},
    {"host", 0, "NAME", ARGS_STRING, offsetof(struct accounts_test_options, host),
     .help = "Name to show the requests for; of a service that cannot list: one of ours, to be written again as it is"},
    {"dry-run", 0, NULL, ARGS_FLAG, offsetof(struct accounts_test_options, dry_run),
     .help = "Print the requests for a change of --host, without secrets, and send nothing"},
    {0},
};

static void print_request(const json_t *request)
{
    const json_t *headers = json_object_get(request, "headers");
    const char *error = api_text(request, "error");
    (void)printf("%s: ", api_text(request, "type")); /* judged at the end by fflush */
    if (error[0] != '\0') {
        (void)printf("none: %s%s%s\n", error, api_text(request, "detail")[0] != '\0' ? ": " : "",
                     api_text(request, "detail"));
        return;
    }
    (void)printf("%s\n  %s %s\n", api_text(request, "stage"), api_text(request, "method"), api_text(request, "url"));
    for (size_t i = 0; i < json_array_size(headers); i++) {
        (void)printf("  %s\n", json_string_value(json_array_get(headers, i)));
    }
    if (api_text(request, "body")[0] != '\0') {
        (void)printf("  %s\n", api_text(request, "body"));
    }
    if (strcmp(api_text(request, "stage"), "change") != 0) {
        (void)printf(
            "  Nothing was sent. The change depends on what the service answers to this, so it is not shown.\n");
    }
}

static enum exit_code print_requests(const json_t *body)
{
    const json_t *requests = json_object_get(body, "requests");
    for (size_t i = 0; i < json_array_size(requests); i++) {
        print_request(json_array_get(requests, i));
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code report_listing(struct api *api, const json_t *body)
{
    bool ok = api_bool(body, "ok");
    (void)printf("asked:   %s of %s\nanswer:  %s after %llu ms\nrecords: %llu\n", api_text(body, "asked"),
                 api_text(body, "zone"), ok ? "ok" : "failed", (unsigned long long)api_u64(body, "ms"),
                 (unsigned long long)api_u64(body, "records")); /* judged by fflush */
    if (fflush(stdout) != 0) {
        return EXIT_FAILED;
    }
    return ok ? EXIT_OK
              : api_report(api, EXIT_FAILED, "test-failed", api_text(body, "detail"),
                           "mend the account's rows or files, then reload: systemctl reload muster-coordinator");
}

static enum exit_code ask(struct api *api, const struct command_call *call, json_t **ret_body)
{
    const struct accounts_test_options *options = call->options;
    struct strbuf path;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/accounts/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, call->operands[0]);
    (void)strbuf_adds(&path, "/test");
    api_add_query(&path, "zone", options->zone);
    api_add_query(&path, "host", options->dry_run ? options->host : NULL);
    api_add_query(&path, "dry_run", options->dry_run ? "1" : NULL);
    enum exit_code code = api_request(api, "POST", &path, TEST_TIMEOUT_MS, ret_body);
    strbuf_deinit(&path);
    return code;
}

/* A service that cannot list shows by a write that it takes the account: of a name of ours, to the value that it has.
 */
static enum exit_code write_again(const struct command_call *call)
{
    const struct accounts_test_options *options = call->options;
    const struct record_write_options write = {.api = options->api, .type = -1, .wait_ms = TEST_WAIT_MS};
    const struct command_call again = {
        .name = call->name, .options = &write, .operands = &options->host, .operands_len = 1};
    (void)fprintf(stderr, "%s: written again, to the value that it has\n", options->host); /* message only */
    return record_retry_run(&again);
}

enum exit_code accounts_test_run(const struct command_call *call)
{
    const struct accounts_test_options *options = call->options;
    struct api *api = NULL;
    json_t *body = NULL;
    if (options->dry_run && options->host == NULL) {
        return command_misuse(call, "--dry-run needs --host");
    }
    if (!options->dry_run && options->host != NULL) {
        return write_again(call);
    }
    enum exit_code code = api_open(call, &options->api, "the account was not tested", &api);
    if (code != EXIT_OK) {
        return code;
    }
    code = ask(api, call, &body);
    if (code == EXIT_OK && options->api.json) {
        code = api_print_json(body);
        code = code == EXIT_OK && !options->dry_run && !api_bool(body, "ok") ? EXIT_FAILED : code;
    } else if (code == EXIT_OK) {
        code = options->dry_run ? print_requests(body) : report_listing(api, body);
    }
    json_decref(body);
    api_close(api);
    return code;
}
