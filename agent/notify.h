/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * notify: tells the service manager over NOTIFY_SOCKET (sd_notify(3) protocol) how the daemon is. Without a manager the
 * calls do nothing; a message that cannot be sent is no event, since there is nobody to tell. Never blocks.
 */
#include <stdint.h>

void notify_ready(void);
void notify_reloading(void); /* answered by the next notify_ready */
void notify_stopping(void);
void notify_watchdog(void);

/** Milliseconds within which the manager wants notify_watchdog; 0: it wants none. */
uint64_t notify_watchdog_ms(void);
