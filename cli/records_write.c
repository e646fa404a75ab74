/* SPDX-License-Identifier: Apache-2.0 */
/* `muster record adopt|retry`: the coordinator takes the order and answers; what became of it the record says, whose
 * revision rises with the order. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/records.h"

#define LOOK_FIRST_MS 20
#define LOOK_MOST_MS  500

/** One call. */
struct writing {
    const struct command_call *call;
    const struct record_write_options *options;
    struct api *api; /* owned */
    json_t *before;  /* owned: the answer of record_find */
};

static enum exit_code post(struct api *api, const json_t *record, const char *verb)
{
    struct strbuf path;
    json_t *body = NULL;
    strbuf_init(&path, API_PATH_MAX);
    (void)strbuf_adds(&path, "/v1/records/"); /* api_request looks at the sticky error */
    api_add_encoded(&path, api_text(record, "name"));
    (void)strbuf_addf(&path, "/%s", verb);
    api_add_query(&path, "type", api_text(record, "type"));
    enum exit_code code = api_request(api, "POST", &path, API_TIMEOUT_MS, &body);
    json_decref(body);
    strbuf_deinit(&path);
    return code;
}

/** What has become of one record. @return "served", "pending", or what was answered instead. */
static const char *outcome_of(const json_t *records, const json_t *before)
{
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        if (strcmp(api_text(record, "type"), api_text(before, "type")) != 0) {
            continue;
        }
        const char *error = api_text(record, "error");
        if (api_u64(record, "rev") == api_u64(before, "rev")) {
            return "pending"; /* the store has not seen the order yet */
        }
        return !api_bool(record, "pending") ? "served" : error[0] != '\0' ? error : "pending";
    }
    return "served"; /* a tombstone that was carried out has no record any more */
}

/** The worst of all records: what was answered to one of them, else "pending", else "served". */
static const char *worst_outcome(const json_t *records, const json_t *before)
{
    const char *worst = "served";
    for (size_t i = 0; i < json_array_size(before); i++) {
        const char *outcome = outcome_of(records, json_array_get(before, i));
        bool pending = strcmp(outcome, "pending") == 0;
        if (strcmp(outcome, "served") != 0 && (!pending || strcmp(worst, "served") == 0)) {
            worst = outcome;
        }
    }
    return worst;
}

static enum exit_code say(const struct writing *writing, const char *state)
{
    size_t count = json_array_size(json_object_get(writing->before, "records"));
    int n = writing->options->api.json ? printf("{\"state\":\"%s\",\"records\":%zu}\n", state, count)
                                       : printf("%s: %zu %s\n", writing->call->operands[0], count, state);
    return n > 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static const char *hint_of(const char *outcome)
{
    return strcmp(outcome, "foreign") == 0
               ? "muster record adopt NAME takes over what somebody else wrote there"
               : "muster provider stops has what the service must not be asked again, and how to go on; else the "
                 "coordinator's log has the server's own words";
}

/** Looks until every record is served, one is answered otherwise, or the time is over. */
static enum exit_code await_outcome(const struct writing *writing)
{
    const json_t *before = json_object_get(writing->before, "records");
    uint64_t end = clock_mono_ms() + writing->options->wait_ms;
    for (int pause = LOOK_FIRST_MS;; pause = MIN(pause * 2, LOOK_MOST_MS)) {
        json_t *now = NULL;
        enum exit_code code = record_fetch(writing->api, writing->call, writing->options->type, &now);
        const char *outcome = worst_outcome(json_object_get(now, "records"), before);
        bool over = clock_mono_ms() >= end;
        bool pending = strcmp(outcome, "pending") == 0;
        if (code == EXIT_OK && strcmp(outcome, "served") == 0) {
            code = say(writing, "served");
        } else if (code == EXIT_OK && !pending) {
            code = api_report(writing->api, EXIT_FAILED, "not-served", outcome, hint_of(outcome));
        } else if (code == EXIT_OK && over) {
            code = api_report(writing->api, EXIT_PENDING, "pending", "no outcome within the time of --wait",
                              "it is tried until it works; look at the zone: muster zone list");
        } else if (code == EXIT_OK) {
            json_decref(now);
            (void)poll(NULL, 0, pause); /* an early wake-up only looks once more */
            continue;
        }
        json_decref(now);
        return code;
    }
}

/** Every record of the name that is asked for; stops at the first failure. */
static enum exit_code write_all(const struct writing *writing, const char *verb)
{
    enum exit_code code = EXIT_OK;
    const json_t *records = json_object_get(writing->before, "records");
    for (size_t i = 0; i < json_array_size(records) && code == EXIT_OK; i++) {
        code = post(writing->api, json_array_get(records, i), verb);
    }
    if (code != EXIT_OK) {
        return code;
    }
    return writing->options->wait_ms > 0 ? await_outcome(writing) : say(writing, "submitted");
}

static enum exit_code run(const struct command_call *call, const char *verb, const char *what)
{
    struct writing writing = {.call = call, .options = call->options};
    enum exit_code code = api_open(call, &writing.options->api, what, &writing.api);
    if (code == EXIT_OK) {
        code = record_find(writing.api, call, writing.options->type, &writing.before);
    }
    if (code == EXIT_OK) {
        code = write_all(&writing, verb);
    }
    json_decref(writing.before);
    api_close(writing.api);
    return code;
}

enum exit_code record_adopt_run(const struct command_call *call)
{
    return run(call, "adopt", "the record was not adopted");
}

enum exit_code record_retry_run(const struct command_call *call)
{
    return run(call, "retry", "the record was not written again");
}
