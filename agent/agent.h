/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * agent: the shell around the pure parts: netlink feeds addresses, addresses and the session feed report, and what
 * report decides goes out over the session. Threads: everything on the loop thread; the session's message callback
 * only fills the inbox. At rest no timer of its own runs but the next heartbeat,
 * and the next poll where the config names sources that are polled.
 */
#include "agent/config.h"
#include "agent/status.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "net/loop.h"

struct agent;

/**
 * Raises the boot counter (blocks on the disk), watches the interfaces and connects once the first picture of them is
 * complete. @param config borrowed until agent_free.
 * @return ERR_INVALID (identity files, endpoints), ERR_NOMEM, with the reason in @p info. A state folder that cannot be
 * written or a netlink socket that cannot be opened is logged and lived with.
 */
enum err agent_new(struct loop *loop, const struct agent_config *config, struct agent **ret_agent,
                   struct errinfo *info) MUST_CHECK;
/** After agent_stop's @p done; blocks up to 2 s. NULL allowed. */
void agent_free(struct agent *agent);

/** Applies the reloadable rows of @p config, which is borrowed until the next reload or agent_free. */
void agent_reload(struct agent *agent, const struct agent_config *config);

/** Publishes "off" when connected, closes cleanly (the broker sends no will), then calls @p done once. */
void agent_stop(struct agent *agent, loop_fn done, void *context);

/** For the control socket (struct control_calls). @param agent struct agent *. */
enum err agent_write_status(void *agent, struct strbuf *out);
enum err agent_report_now(void *agent);
