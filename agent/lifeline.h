/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * lifeline: which own addresses the connections of this process stand on. TCP never notices that its local address was
 * taken away (RFC 9293 has no event for it): the connection would stay silent until the keepalive, minutes later, while
 * the very change that killed it waits to be reported. Nor does it notice that a router on the way was given another
 * address, before it sends something: probes do that (RFC 9293 3.8.4). Paho does not show its socket, so the process's
 * descriptors are asked. Loop thread; a system call a descriptor, made only when addresses change or a connection is
 * new.
 */
#include <stddef.h>

#include "base/ip.h"

#define LIFELINE_MAX 8 /* connections looked at; the agent has one */

/** @return how many addresses were written: local ends of TCP sockets that are connected or being connected, each as
 * often as it is used. */
size_t lifeline_addresses(struct ip ret_addresses[static LIFELINE_MAX]);

/** Has the kernel probe the connected TCP sockets. A reset in answer ends a connection at once; silence only after ten
 * probes, for a short outage is no reason. @param idle_s without traffic, and between probes; at least 1. */
void lifeline_probe(int idle_s);
