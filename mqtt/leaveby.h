/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * leaveby: makes Paho's next connection leave by an interface that the routing table would not take. Paho makes its
 * socket by itself and shows it to nobody, so this module takes the place of libc's connect in the process: a TCP
 * socket that is to be connected to the address under way is bound to the interface first (net/bindpath.h), anything
 * else is passed on. See docs/adr/0011-mqtt-session.md. Any thread.
 */
#include "base/ip.h"

/** From now on connections to @p peer leave by @p device. Where that cannot be, they fail. */
void leaveby_set(const struct ip *peer, const char *device);
void leaveby_clear(void);
