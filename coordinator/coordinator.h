/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * coordinator: the daemon's one object: wires the core to the loop, the broker session, the zone writers and the store.
 * Loop thread only.
 */
#include "base/err.h"
#include "base/strbuf.h"

struct coordinator;

/** Loads config and registry, opens the store. @param report errors for a person, one a line. @return ERR_INVALID
 * (config), store errors. */
enum err coordinator_new(const char *config_path, struct coordinator **ret_coordinator,
                         struct strbuf *report) MUST_CHECK;
/** Runs until SIGTERM or SIGINT. */
enum err coordinator_run(struct coordinator *coordinator) MUST_CHECK;
void coordinator_free(struct coordinator *coordinator);
