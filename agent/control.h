/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * control: the agent's local socket. HTTP/1.1 on a unix socket of mode 0660, one request a connection, so `curl
 * --unix-socket` speaks it too: GET /status (JSON), POST /report-now. Written by hand and small on purpose: the
 * library that the coordinator's HTTP server uses brings a second TLS stack into the memory of a camera.
 * Bounded: CONTROL_CLIENTS_MAX connections (a new one pushes the oldest out), CONTROL_REQUEST_MAX bytes of request.
 */
#include "base/err.h"
#include "base/strbuf.h"
#include "net/loop.h"

#define CONTROL_CLIENTS_MAX 4
#define CONTROL_REQUEST_MAX 2048
#define CONTROL_REPLY_MAX   65536 /* a status with 32 names is under 24 KiB; fits a unix socket's buffer in one write */

struct control_calls {
    /** Loop thread. Appends the status as one JSON object. */
    enum err (*status)(void *context, struct strbuf *out);
    /** Loop thread. @return ERR_STATE when there is no connection to report over. */
    enum err (*report_now)(void *context);
    void *context;
};

struct control;
/**
 * Listens on @p path; a socket file that nobody serves is replaced, its folder is made.
 * @param calls copied. @return ERR_EXISTS: another agent answers there; ERR_DENIED, ERR_LIMIT (path too long), ERR_IO,
 * ERR_NOMEM, with the reason in @p info.
 */
enum err control_new(struct loop *loop, const char *path, const struct control_calls *calls,
                     struct control **ret_control, struct errinfo *info) MUST_CHECK;
/** Closes and removes the socket file. NULL allowed. */
void control_free(struct control *control);

/**
 * The other end, for the command line: sends one request and reads the whole answer. Blocks, 5 s at most a step.
 * @param method "GET" or "POST". @param body of the answer, appended.
 * @return ERR_NOTFOUND (no socket), ERR_DENIED, ERR_CLOSED (nobody listens), ERR_TIMEOUT, ERR_PARSE, ERR_STATE (the
 * agent answered with an error, which is in @p body), with the reason in @p info.
 */
enum err control_request(const char *path, const char *method, const char *target, struct strbuf *body,
                         struct errinfo *info) MUST_CHECK;
