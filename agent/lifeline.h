/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * lifeline: which own addresses the connections of this process stand on. TCP never notices that its local address was
 * taken away (RFC 9293 has no event for it): the connection would stay silent until the keepalive, minutes later, while
 * the very change that killed it waits to be reported. Paho does not show its socket, so the process's descriptors are
 * asked. Loop thread; a system call a descriptor, made only when addresses change.
 */
#include <stddef.h>

#include "base/ip.h"

#define LIFELINE_MAX 8 /* connections looked at; the agent has one */

/** @return how many addresses were written: local ends of connected TCP sockets, each as often as it is used. */
size_t lifeline_addresses(struct ip ret_addresses[static LIFELINE_MAX]);
