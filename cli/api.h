/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * api: asks the coordinator over its unix socket, in HTTP and JSON. Every failure is reported on stderr here, once, in
 * the form of cli/report.h (as JSON when the command was asked for JSON). Main thread; blocks.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/args.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cli/command.h"

#define API_SOCKET_DEFAULT "/run/muster/control.sock"
#define API_TIMEOUT_MAX_MS 86400000 /* a day */
#define API_PATH_MAX       2000     /* of a request, below HTTP_URL_MAX */

/** The first member of every options struct of a command that asks the coordinator. */
struct api_options {
    const char *socket;
    uint64_t timeout_ms; /* 0 = the command's own */
    bool json;
    const char *server; /* who listens there, for hints; from the defaults; NULL = the coordinator */
};

#define API_ROWS                                                                                                       \
    {"socket",                                                                                                         \
     's',                                                                                                              \
     "PATH",                                                                                                           \
     ARGS_STRING,                                                                                                      \
     offsetof(struct api_options, socket),                                                                             \
     .help = "Control socket of the coordinator (default " API_SOCKET_DEFAULT ")"},                                    \
        {"timeout",                                                                                                    \
         't',                                                                                                          \
         "DURATION",                                                                                                   \
         ARGS_DURATION,                                                                                                \
         offsetof(struct api_options, timeout_ms),                                                                     \
         .min = 1,                                                                                                     \
         .max = API_TIMEOUT_MAX_MS,                                                                                    \
         .help = "How long to wait for an answer (default 15s; sweeps and diffs 10m)"},                                \
    {                                                                                                                  \
        "json", 'j', NULL, ARGS_FLAG, offsetof(struct api_options, json), .help = "Print the whole answer as JSON"     \
    }

struct api;

/** @param what the first line of a failure's report, behind the first operand: what was not done; borrowed for the
 * life of ret_api. */
enum exit_code api_open(const struct command_call *call, const struct api_options *options, const char *what,
                        struct api **ret_api);
void api_close(struct api *api); /* NULL allowed */

/**
 * One request. @param path with its query, percent-encoded; one that did not fit its buffer is refused. @param
 * timeout_ms where --timeout was not given.
 * @param ret_body owned, an object. @return EXIT_OK for a 2xx answer, else the code for what was reported.
 */
enum exit_code api_request(struct api *api, const char *method, const struct strbuf *path, uint64_t timeout_ms,
                           json_t **ret_body);

/** The same with a body. */
enum exit_code api_send(struct api *api, const char *method, const struct strbuf *path, struct view body,
                        uint64_t timeout_ms, json_t **ret_body);

/** Reports a failure that the command itself found. @return @p code. */
enum exit_code api_report(const struct api *api, enum exit_code code, const char *id, const char *cause,
                          const char *hint);

/** Appends @p text percent-encoded: one segment of a path, or one value of a query. */
void api_add_encoded(struct strbuf *path, const char *text);
/** Appends "?key=value" or "&key=value"; nothing for a NULL value. */
void api_add_query(struct strbuf *path, const char *key, const char *value);

#define API_TIMEOUT_MS      15000
#define API_LONG_TIMEOUT_MS 600000 /* transfer and repair of a large zone */

/* Members of an answer; an absent one is empty, 0 or false: a newer or older coordinator may not send it. */
const char *api_text(const json_t *object, const char *key);
uint64_t api_u64(const json_t *object, const char *key);
double api_number(const json_t *object, const char *key);
bool api_bool(const json_t *object, const char *key);

/** Leaves of @p items, an array or NULL, those whose member @p key is @p value; all for a NULL value. */
void api_keep(json_t *items, const char *key, const char *value);

/** Pretty-prints @p body on stdout. @return EXIT_OK, EXIT_FAILED when stdout is broken. */
enum exit_code api_print_json(const json_t *body);
