/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * pcplisten: hears what routers announce on 224.0.0.1 and ff02::1, port 5350 (RFC 6887 14.1, RFC 6886 3.2.1), on a port
 * shared with other programs of this machine. Anybody on the link can send such: only those of routers that were asked
 * (by their address) and that are news (agent/detect/pcprouter.h) are told on, at most a few in a row and then one in
 * ten seconds. Threading: loop thread. At rest it costs its sockets.
 */
#include "agent/detect/pcprouter.h"
#include "net/loop.h"

struct pcplisten;

/** Opens nothing before the first pcplisten_join. @param routers borrowed for its life. @param announced from the loop.
 *  @return ERR_NOMEM. */
enum err pcplisten_new(struct loop *loop, struct pcp_routers *routers, loop_fn announced, void *context,
                       struct pcplisten **ret_listen) MUST_CHECK;
void pcplisten_free(struct pcplisten *listen); /* NULL allowed; not from inside `announced` */
/** Listens on an uplink for a family too. What fails is told by pcplisten_trouble and tried again with the next call.
 * @param listen NULL allowed. */
void pcplisten_join(struct pcplisten *listen, uint8_t family, const char *uplink);
/** Why announcements are not heard, "" when they are; NULL allowed. Static storage. */
const char *pcplisten_trouble(const struct pcplisten *listen);
