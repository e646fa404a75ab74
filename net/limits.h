/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** limits: a number on everything that HTTP peers bring in. */
#include <stddef.h>

#define HTTP_URL_MAX           2048                /* no provider's request line comes near it */
#define HTTP_METHOD_MAX        16                  /* letters of a method */
#define HTTP_HEADERS_MAX       32                  /* lines a caller may add to a request */
#define HTTP_REPLY_HEADERS_MAX ((size_t)16 * 1024) /* bytes of all header blocks of a reply, 1xx ones included */
#define HTTP_REPLY_DEFAULT     ((size_t)64 * 1024) /* body of a reply where the caller names no cap */
#define HTTP_REPLY_MAX         ((size_t)8 * 1024 * 1024)
#define HTTP_REPLY_WHOLE_MAX   ((size_t)64 * 1024 * 1024) /* a zone in one piece, where a service has no pages */
#define HTTP_TIMEOUT_MS        15000                      /* whole transfer, where the caller names none */
#define HTTP_CONNECT_MS        8000
#define HTTP_CONNECTIONS_MAX   16              /* open to one client's hosts together */
#define HTTP_RETRY_AFTER_MAX_S (24u * 60 * 60) /* no server parks us for more than a day */

#define HTTPD_ROUTES_MAX  64
#define HTTPD_QUERY_MAX   16                    /* query parameters of one request; no route knows half of it */
#define HTTPD_CONNECTIONS 128                   /* per server; a control socket and a scraper need a handful */
#define HTTPD_TIMEOUT_S   30                    /* idle time of a connection */
#define HTTPD_BODY_MAX    ((size_t)1024 * 1024) /* most that any route may ask for */
#define HTTPD_MEMORY      ((size_t)32 * 1024)   /* request line and headers of one connection */

/* A server that anybody may reach (struct httpd_public): one short question a connection. */
#define HTTPD_PUBLIC_CONNECTIONS 256                /* about 50 KiB each, TLS included */
#define HTTPD_PUBLIC_PER_IP      16                 /* a site with many cameras is one address */
#define HTTPD_PUBLIC_TIMEOUT_S   10                 /* of a connection, all in all: handshake, question, answer */
#define HTTPD_PUBLIC_MEMORY      ((size_t)8 * 1024) /* request line and headers */
