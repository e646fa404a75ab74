/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** metrics: what Prometheus and a load balancer ask. Loop thread. */
#include "base/err.h"
#include "base/strbuf.h"

struct coordinator;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX          (4u << 20) /* 1,024 zones of nine series */

enum err metrics_write(struct coordinator *coordinator, struct strbuf *out) MUST_CHECK;
/** NULL when all is well, else the first reason as an id. */
const char *metrics_health(struct coordinator *coordinator);
