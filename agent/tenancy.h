/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * tenancy: a device that has its identity over the air: gets one (agent/enrolment.h), runs the agent with it, keeps it
 * valid, and gets another when its brokers refuse it (agent/tenure.h). In the place of an agent where the config has
 * the block `provisioning`; the calls are the agent's. Loop thread; blocks on the disk when a certificate is asked for
 * or came.
 */
#include "agent/config.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "net/loop.h"

struct tenancy;

/** @param config borrowed until tenancy_free. @return ERR_NOTFOUND and others of credentials_open, ERR_NOMEM, what
 * agent_new returns; @p info has the remedy. */
enum err tenancy_new(struct loop *loop, const struct agent_config *config, struct tenancy **ret_tenancy,
                     struct errinfo *info) MUST_CHECK;
void tenancy_free(struct tenancy *tenancy); /* after tenancy_stop's done; NULL allowed */
void tenancy_reload(struct tenancy *tenancy, const struct agent_config *config);
void tenancy_stop(struct tenancy *tenancy, loop_fn done, void *context);

/** For the control socket. @param tenancy struct tenancy *. */
enum err tenancy_write_status(void *tenancy, struct strbuf *out);
enum err tenancy_report_now(void *tenancy); /* ERR_STATE also while it enrols */
