/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * httpd: a small HTTP/1.1 server on the loop, through libmicrohttpd in external epoll mode: no thread of its own. One
 * server is one listener: a unix socket whose peers are known by SO_PEERCRED, or a TCP port. A handler answers at once
 * or later, when the store's worker has. Threading: loop thread. Never logs.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/limits.h"
#include "net/loop.h"

struct httpd;
struct httpd_request; /* lives from the call of its handler until httpd_reply returns */

/** Called on the loop thread with a whole request. Must lead to exactly one httpd_reply, now or later, also when the
 * server was freed meanwhile. */
typedef void (*httpd_fn)(void *context, struct httpd_request *request);

struct httpd_route {
    const char *method; /* "GET" also serves HEAD */
    const char *path;   /* "/v1/devices/{id}": a segment in braces stands for any non-empty text; at most two of them */
    httpd_fn handler;
    size_t body_max;   /* most bytes of request body; 0 = none allowed; at most HTTPD_BODY_MAX */
    const char *query; /* names of the query parameters, separated by spaces; NULL = none. Another one, and one given
                          twice, is answered with 400: a misspelt filter must not widen what is asked for */
};

/** A server that anybody may reach: TLS, one request a connection, which ends after HTTPD_PUBLIC_TIMEOUT_S whatever
 * still comes in, tight limits (HTTPD_PUBLIC_*), no credentials. */
struct httpd_public {
    const char *cert_pem, *key_pem; /* chain, own certificate first; unencrypted key. Borrowed for the call */
    /** Says for each connection, before the handshake, whether it may stand. @param peer unmapped. */
    bool (*admit)(void *context, const struct ip *peer);
    /** NULL, or a public server whose listening socket is shared, so that a new certificate refuses nobody: free that
     * server afterwards. Address and port are that one's. */
    const struct httpd *successor_of;
};

struct httpd_options {
    const char *unix_path;            /* NULL = TCP; a socket that nobody serves any more is replaced */
    mode_t unix_mode;                 /* permissions of the socket, set before anyone can connect; 0 = 0600 */
    struct ip ip;                     /* TCP: where to listen; "::" takes IPv4 too */
    uint16_t port;                    /* TCP: 0 = any free one, see httpd_port */
    const struct httpd_public *open;  /* TCP: for strangers, over TLS; NULL = plain HTTP for loopback */
    const struct httpd_route *routes; /* static; searched in order; at most HTTPD_ROUTES_MAX */
    size_t routes_len;
    void *context; /* of every handler */
};

/** @param options borrowed for the call, its routes for the server's life.
 *  @return ERR_EXISTS (another process serves the socket or port), ERR_DENIED, ERR_NOTFOUND (folder), ERR_INVALID
 * (routes, path too long), ERR_UNSUPPORTED (libmicrohttpd without TLS), ERR_CRYPTO (it takes certificate or key not),
 * ERR_IO, ERR_NOMEM, with info (layer "httpd"). */
enum err httpd_new(struct loop *loop, const struct httpd_options *options, struct httpd **ret_httpd,
                   struct errinfo *info) MUST_CHECK;
/** Stops listening, drops all connections, removes the unix socket. Requests not yet replied stay valid. NULL allowed.
 * Not from inside a handler. */
void httpd_free(struct httpd *httpd);

uint16_t httpd_port(const struct httpd *httpd); /* 0 for a unix socket */

struct httpd_peer {
    bool is_local; /* unix socket: the fields below are the kernel's word */
    uid_t uid;
    gid_t gid;
    pid_t pid;
    struct ip ip; /* TCP */
};

struct httpd_peer httpd_request_peer(const struct httpd_request *request);
/** All views are borrowed until the reply; a missing one is empty with a NULL pointer. */
struct view httpd_request_body(const struct httpd_request *request);
struct view httpd_request_path(const struct httpd_request *request);
/** Text of the n-th brace segment, percent-decoded, never empty, no '/'. */
struct view httpd_request_param(const struct httpd_request *request, size_t n);
/** Value of a query parameter, percent-decoded; "" with a pointer for one without a value. */
struct view httpd_request_query(const struct httpd_request *request, const char *name);
struct view httpd_request_header(const struct httpd_request *request, const char *name);

struct httpd_reply {
    unsigned status;          /* 200 to 599 */
    const char *content_type; /* NULL = none */
    struct view body;
    bool take_body;             /* the body is the caller's malloc memory and now ours; else it is copied */
    const char *const *headers; /* pairs: name, value; NULL = none */
    size_t headers_len;         /* of pairs */
};

/** Answers and ends the request; the pointer is void from then on. Without memory the connection is closed instead.
 * Each reply carries "Cache-Control: no-store"; of a public server "Connection: close", to be short and the last, else
 * "X-Content-Type-Options: nosniff". */
void httpd_reply(struct httpd_request *request, const struct httpd_reply *reply);
/** A JSON body, copied. */
void httpd_reply_json(struct httpd_request *request, unsigned status, struct view json);
/** {"error":"<id>","message":"<text>"}; @p error_id as [a-z0-9-]+, @p message any text (NULL = none). A public
 * server leaves the message out, and where nothing is served the body: strangers get no more than about what they sent.
 */
void httpd_reply_error(struct httpd_request *request, unsigned status, const char *error_id, const char *message);
