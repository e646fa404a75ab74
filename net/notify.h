/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * notify: tells the service manager how the daemon is (sd_notify's protocol over AF_UNIX, without libsystemd). Without
 * NOTIFY_SOCKET in the environment every call does nothing. Source: sd_notify(3), sd_watchdog_enabled(3). Loop thread;
 * never blocks.
 */
#include "base/err.h"
#include "net/loop.h"

void notify_ready(void);
void notify_stopping(void);
/** With MONOTONIC_USEC, as Type=notify-reload wants it. notify_ready ends the reload. */
void notify_reloading(void);
/** One line that `systemctl status` shows. */
void notify_status(const char *text);

struct notify_watchdog;
/** Pets the watchdog at half of WATCHDOG_USEC from the loop, so a loop that hangs is noticed. NULL in @p ret_watchdog
 * when none is asked for. @return ERR_NOMEM. */
enum err notify_watchdog_new(struct loop *loop, struct notify_watchdog **ret_watchdog) MUST_CHECK;
void notify_watchdog_free(struct notify_watchdog *watchdog); /* NULL allowed */
