/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * paho_poll: has Paho notice in a moment that a connection stands. Its receiving thread asks poll(2) twice: whether a
 * socket can be written, at once, and whether one can be read, for 1 s; what the first said is looked at after the
 * second (Socket_getReadySocket of 1.3.12). A TCP connection that is being made has nothing to read, so every one but
 * the first of a process, for which it waits 10 ms, took a second longer than the network. Nothing of Paho's shortens
 * that; this module takes the place of libc's poll in the process and shortens that one wait, of that one thread, while
 * an attempt is under way, or about to be. Everybody else's poll is libc's ppoll with the same arguments. Any thread.
 *
 * It depends on Paho's calling `poll` by that name, for PAHO_POLL_MS, from a thread that it calls PAHO_POLL_THREAD.
 * Where one of these is not so a reconnect takes a second longer, and nothing else happens: paho_poll_shortened tells.
 */
#include <stdbool.h>
#include <stdint.h>

#define PAHO_POLL_MS         1000 /* the wait that is shortened */
#define PAHO_POLL_THREAD     "MQTTAsync_rcv"
#define PAHO_POLL_HURRY_MS   20   /* while a network answers as it usually does, PAHO_POLL_BRISK_MS from the begin */
#define PAHO_POLL_BRISK_MS   1000 /* at most 50 wake-ups */
#define PAHO_POLL_SLOW_MS    100  /* then, until PAHO_POLL_GIVE_UP_MS: nobody sees the difference after a second */
#define PAHO_POLL_GIVE_UP_MS 5000 /* at most 40 wake-ups; a longer attempt is one that fails */

/** @param on an attempt begins, or will in a moment; else it is over. */
void paho_poll_hurry(bool on);
/** Waits that were shortened since the start. 0 after a reconnect: this module is not in effect. */
uint64_t paho_poll_shortened(void);
