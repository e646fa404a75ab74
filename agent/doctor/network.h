/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * network: the doctor's own way to a broker: name, TCP, TLS, and a session where no agent runs. Blocks.
 */
#include <sys/socket.h>

#include "agent/config.h"
#include "agent/doctor/check.h"

/** Adds the lines `resolver`, `tcp`, `tls` and `server-cert` of @p endpoint. @param ca_file NULL: not readable, TLS is
 * skipped. @param now_s wall. @return whether an agent could connect there, as far as this shows. */
bool network_check(struct checks *checks, const char *endpoint, const char *ca_file, int64_t now_s);

/** A TCP connection whose reads and writes end after 5 s, as making it does. @return the descriptor, -1 with errno. */
int network_dial(const struct sockaddr_storage *address);

/** Adds the line `connack`: one connection with the device's own id, certificate and key, ended at once. Only where no
 * agent runs: two sessions of one id throw each other out. @param endpoints that network_check found good. */
void network_session(struct checks *checks, const struct agent_config *config, const char *device_id,
                     const char *const *endpoints, size_t len);
