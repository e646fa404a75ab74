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

/** Who looks after the identity that the agent connects with (agent/tenancy.h). Loop thread. */
struct agent_keeper {
    void (*connected)(void *context);
    void (*disconnected)(void *context, enum err err);                     /* as session.h says it */
    void (*certificate)(void *context, struct view payload);               /* came on the device's topic for it */
    void (*identity)(void *context, struct status_identity *ret_identity); /* for people who ask */
    void *context;
};

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

/** Once, right after agent_new. @param keeper copied. */
void agent_keep(struct agent *agent, const struct agent_keeper *keeper);
/** Asks for the next certificate. @return ERR_STATE (not connected), and what session_publish returns. */
enum err agent_send_renewal(struct agent *agent, struct view payload) MUST_CHECK;
/** Connects anew, with these TLS files from then on. @return ERR_NOMEM. */
enum err agent_use_files(struct agent *agent, const char *ca_file, const char *cert_file,
                         const char *key_file) MUST_CHECK;

/** Applies the reloadable rows of @p config, which is borrowed until the next reload or agent_free. */
void agent_reload(struct agent *agent, const struct agent_config *config);

/** Publishes "off" when connected, closes cleanly (the broker sends no will), then calls @p done once. */
void agent_stop(struct agent *agent, loop_fn done, void *context);

/** For the control socket (struct control_calls). @param agent struct agent *. */
enum err agent_write_status(void *agent, struct strbuf *out);
enum err agent_report_now(void *agent);
