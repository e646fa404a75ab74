/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * act: what the plugin does of its own accord, through mosquitto's functions: tells which certificate connected, ends
 * sessions. mosquitto's one thread.
 */
#include "mqtt/broker/clients.h"

/** Publishes `seen` of the device @p client (docs/protocol.md): QoS 0, in mosquitto's next turn. */
void act_seen(const struct client *client);

/** Ends every session that holds a certificate in @p denied, but not that of the client @p except, in whose callback
 * mosquitto may be. Their wills are sent: presence must not wait for a keep-alive.
 * @return ERR_NOMEM: nothing was done. */
enum err act_kick_denied(const struct clients *clients, const struct denied *denied, const void *except) MUST_CHECK;

/** Ends the sessions of the user name @p id, unless it is @p caller's own. @param id [a-z0-9-]{1,40}. */
void act_kick_name(struct view id, const char *caller);
