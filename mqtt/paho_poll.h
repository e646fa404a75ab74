/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * paho_poll: has Paho notice in a moment that a connection stands. Its receiving thread asks poll(2) twice: whether a
 * socket can be written, at once, and whether one can be read, for 1 s; what the first said is looked at after the
 * second (Socket_getReadySocket of 1.3.12). A TCP connection that is being made has nothing to read, so every one but
 * the first of a process, for which it waits 10 ms, took a second longer than the network. Nothing of Paho's shortens
 * that; this module takes the place of libc's poll in the process and shortens that one wait while an attempt is under
 * way, or about to be. Any thread.
 */
#include <stdint.h>

#define PAHO_POLL_MS         1000 /* the wait that is shortened; any other is libc's */
#define PAHO_POLL_HURRY_MS   20
#define PAHO_POLL_ATTEMPT_MS 5000 /* an attempt that takes longer is not the network's usual */

/** @param for_ms an attempt is under way, and worth waking up for so long; 0: it is over. */
void paho_poll_hurry(uint32_t for_ms);
