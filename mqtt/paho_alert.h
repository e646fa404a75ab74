/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * paho_alert: what the broker's TLS said when it ended an attempt. Under TLS 1.3 a client certificate is refused after
 * the client's side of the handshake is done; the alert comes with the first read, and Paho 1.3.12 tells nobody. But it
 * asks SSL_get_error about each failed read, and that function is ours in this process (docs/adr/0011-mqtt-session.md):
 * it notes the alert and answers as ever. Of the whole process, so of the last attempt.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/** An attempt begins. */
void paho_alert_clear(void);
/** Whether an alert came since. @param buffer then says which, cut to @p size; else untouched. */
bool paho_alert(char *buffer, size_t size);

/** Of OpenSSL's "<thread>:error:<code>:SSL routines:..." what a person needs, which begins behind the code. */
struct view paho_alert_line(struct view text);
