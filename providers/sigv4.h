/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * sigv4: AWS Signature Version 4 in the Authorization header, for services other than S3 (which encodes its path
 * once only and keeps dots and slashes).
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and AWS's public
 * signing test suite (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4), read 2026-11-23.
 * Pure: wall time is an argument. Any thread.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/view.h"

#define SIGV4_HEADERS_MAX 16    /* signed headers of one request, with those that are added */
#define SIGV4_TEXT_MAX    32768 /* canonical request without its payload: a session token alone may take 4 KiB */
#define SIGV4_PARTS_MAX   64    /* segments of a path, parameters of a query */

struct sigv4_credentials {
    struct view id;     /* access key id; printable, no blank */
    struct view secret; /* borrowed from a struct secret */
    struct view token;  /* session token of temporary credentials; empty = none */
};

struct sigv4_header {
    struct view name; /* of either case */
    struct view value;
};

/** One request as it is sent. All borrowed. */
struct sigv4_request {
    const char *region, *service;       /* "us-east-1", "route53" */
    int64_t wall_ms;                    /* since 1970 */
    const char *method, *host;          /* host with its port where it is not the scheme's own */
    struct view path;                   /* as it stands in the URL, "/" at least */
    struct view query;                  /* as it stands in the URL, without '?' */
    const struct sigv4_header *headers; /* further ones to sign */
    size_t headers_len;
    struct view payload;
};

/** Appends "X-Amz-Date", "X-Amz-Security-Token" where there is a token, and "Authorization", each a line ended by \n.
 * @p headers then holds the secrets' traces: zeroise it. @return ERR_LIMIT (a number above), ERR_INVALID (a line end in
 * a value), ERR_NOMEM, ERR_CRYPTO. */
enum err sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
                    struct strbuf *headers) MUST_CHECK;

/** What is signed, for tests and for people who compare: the canonical request. @return as sigv4_sign. */
enum err sigv4_canonical(const struct sigv4_request *request, const struct sigv4_credentials *credentials,
                         struct strbuf *text) MUST_CHECK;
