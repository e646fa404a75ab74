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

/** How soon the kernel gives up connected TCP sockets whose path is dead. What was sent must be acknowledged within
 * LIFELINE_PATIENCE_S (TCP_USER_TIMEOUT), which costs nothing. With @p probe_s above 0 silence is not enough either:
 * after half of it without traffic the kernel asks, then eight times as often, and gives up after all of it, at least 4
 * s; a reset in answer ends the connection at once. @param probe_s 0 = no questions, nor any more. */
#define LIFELINE_PATIENCE_S 20
void lifeline_probe(int probe_s);

/** Ends the connected TCP sockets at once, as if the peer had: whoever waits for one of them wakes up. */
void lifeline_cut(void);
