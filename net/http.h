/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * http: HTTP requests on the loop, through curl's multi interface. A client is a pool of kept-open connections with its
 * own trust and limits; make one an account. HTTPS with peer and host verified, TLS 1.2 or later, HTTP/2 where offered;
 * no redirects, no proxy from the environment, no cookies, no decompression (a reply's size is what the wire carried).
 * Threading: loop thread. Never logs. Completions come from the loop, never from inside http_start.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/view.h"
#include "net/limits.h"
#include "net/loop.h"

struct http_client;
struct http_transfer; /* one request under way */

/** All strings NUL-terminated, NULL = default, copied. */
struct http_client_options {
    const char *ca_file;   /* PEM bundle trusted instead of the system's */
    const char *unix_path; /* talk to this socket, whatever the URL's host; plain HTTP is allowed then */
    const char
        *connect_to; /* "HOST:PORT:CONNECT-HOST:CONNECT-PORT" as curl's --connect-to: tests and split-horizon set-ups */
    const char *user_agent; /* default "muster/<version>" */
    bool allow_http; /* plain http:// URLs, for services inside the house; basic authentication never goes over them,
                        what a caller puts into headers is the caller's to judge */
    unsigned connections_max; /* 0 = HTTP_CONNECTIONS_MAX; further requests wait */
};

enum err http_client_new(struct loop *loop, const struct http_client_options *options,
                         struct http_client **ret_client) MUST_CHECK;
/** Cancels what is under way and closes the connections. NULL allowed; also from inside a completion. */
void http_client_free(struct http_client *client);

/** What became of a request. Borrowed for the call, with everything it points to. */
struct http_result {
    /** ERR_OK: a whole reply of any status arrived. ERR_TIMEOUT. What bindpath() says, of interface and local.
     * ERR_LIMIT: reply body or headers over their cap. ERR_NOTFOUND: host name unknown. ERR_CRYPTO: TLS, an untrusted
     * or wrong certificate among them. ERR_PARSE: not HTTP. ERR_NOMEM. ERR_IO: everything else, refused and broken
     * connections among them. */
    enum err err;
    struct errinfo info; /* layer "http", native = curl's code; set unless ERR_OK */
    bool sent;           /* some of the request had left us: on a failure the server may have acted */
    unsigned status;     /* 100 to 999; 0 unless ERR_OK */
    struct view body;
    uint64_t elapsed_ms;
    struct ip peer;                     /* the server's address, IP_NONE when none was connected (or unix) */
    const struct http_headers *headers; /* for http_result_header */
};

typedef void (*http_fn)(void *context, const struct http_result *result);

/** Borrowed for the call of http_start. */
struct http_request {
    const char *method;         /* upper case letters; NULL = GET */
    const char *url;            /* https://..., or http:// where the client allows it; no user part */
    const char *const *headers; /* "Name: value" lines without CR or LF */
    size_t headers_len;         /* at most HTTP_HEADERS_MAX */
    struct view body;           /* sent when not empty, and with POST, PUT and PATCH always */
    struct view user, secret;   /* basic authentication when user is not empty; wiped from our copies after use */
    uint32_t timeout_ms;        /* whole transfer, waiting for a connection included; 0 = HTTP_TIMEOUT_MS */
    size_t reply_max;           /* most bytes of body; 0 = HTTP_REPLY_DEFAULT; at most HTTP_REPLY_MAX */
    uint8_t family;             /* enum ip_family: connect by this family only; IP_NONE = any */
    const char *interface;      /* leave through this one, on a connection of its own; NULL or "" = any */
    struct ip local;            /* leave from this address, on a connection of its own; IP_NONE = any */
    bool once;                  /* never sent again without the caller: a kept connection that ends before any answer
                                   is ERR_IO and `sent`, for the server may have acted */
    http_fn done;               /* called exactly once unless the transfer is cancelled */
    void *context;
};

/** Begins a request. @param ret_transfer for http_cancel; void from the call of `done` on; NULL allowed.
 *  @return ERR_INVALID (method, URL, scheme, interface, header line, NUL in user or secret, credentials over plain
 * TCP), ERR_LIMIT (header lines, URL), ERR_RANGE (reply_max), ERR_NOMEM. */
enum err http_start(struct http_client *client, const struct http_request *request,
                    struct http_transfer **ret_transfer) MUST_CHECK;
/** No completion follows. The server may have acted all the same. NULL allowed. */
void http_cancel(struct http_transfer *transfer);

/** Value of the first header of that name (any case) in the final reply. False when there is none. */
bool http_result_header(const struct http_result *result, const char *name, struct view *ret_value);

/** Retry-After (RFC 9110 10.2.3), seconds or a date, as milliseconds from @p wall_ms, at most HTTP_RETRY_AFTER_MAX_S.
 * False when absent or not understood; a date in the past is 0. */
bool http_result_retry_after(const struct http_result *result, int64_t wall_ms, uint64_t *ret_ms);

/** Requests under way. */
size_t http_client_active(const struct http_client *client);
