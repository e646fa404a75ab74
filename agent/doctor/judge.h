/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * judge: what the doctor makes of what it saw, with the remedy. Pure: the caller hands in the time and the answers.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/doctor/check.h"
#include "base/json.h"
#include "provisioning/cert.h"
#include "provisioning/tlspeer.h"

#define JUDGE_DAYS_WARN 14 /* a certificate that ends sooner warns, unless it has a third of its life before it */

/** The clock against the device's certificate. @param validity NULL: unknown. @param is_set clock_wall_is_set. */
struct finding judge_clock(int64_t now_s, bool is_set, const struct cert_validity *validity);

/** Days left of a certificate. */
struct finding judge_validity(int64_t now_s, const struct cert_validity *validity);

/** What the server showed. @param host that was looked for. */
struct finding judge_tls(const struct tlspeer *peer, const char *host);

/** An attempt of our own to connect. @param err ERR_OK: CONNACK came; else as session_callbacks.disconnected says, with
 * its @p reason. */
struct finding judge_session(enum err err, const char *reason);

/** The connection of the running agent, from its status. */
struct finding judge_connection(const json_t *status);

/**
 * Whether the report that was asked for came back as an answer. @param status asked since. @param since RFC 3339 as
 * clock_rfc3339 writes it, before the request; "" when the clock is not set: then the state decides.
 */
struct finding judge_ack(const json_t *status, const char *since);
/** The answer is there, or will not come: no need to wait longer. */
bool judge_ack_is_final(const json_t *status, const char *since);

/** What the coordinator says of the names, from the agent's status. */
struct finding judge_names(const json_t *status);

/** One uplink of what detect_json wrote. */
struct finding judge_sources(const json_t *uplink);
struct finding judge_nat(const json_t *uplink);
