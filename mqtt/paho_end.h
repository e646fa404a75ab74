/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * paho_end: the end of Paho's threads, which serve every client of a process. MQTTAsync_destroy of the last client
 * waits for a state, not for the ends of these detached threads: they still run libcrypto's destructors of their own
 * data while the program may be in exit(), where libcrypto frees the same, or what they leave is a leak.
 */

/** Waits until they are gone; a second is what they need, ten is for a busy machine. Only after the last client's
 * MQTTAsync_destroy: while another one lives they stay. Blocks. */
void paho_end_await(void);
