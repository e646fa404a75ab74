/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * provisioner: the daemon's one object: wires the desk (on a worker thread) to the loop, the sessions with the two
 * brokers, the operator's socket and the clock. Loop thread only.
 */
#include "base/err.h"
#include "base/strbuf.h"

struct provisioner;

/** Loads the config, opens store and authority. @param report errors for a person, one a line. @return ERR_INVALID
 * (config), store errors. */
enum err provisioner_new(const char *config_path, struct provisioner **ret_provisioner,
                         struct strbuf *report) MUST_CHECK;
/** Runs until SIGTERM or SIGINT. */
enum err provisioner_run(struct provisioner *provisioner) MUST_CHECK;
void provisioner_free(struct provisioner *provisioner); /* NULL allowed */
