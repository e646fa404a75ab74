/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * daemon: the process around the agent: loads the config, runs the loop, obeys signals (SIGTERM and SIGINT: say "off"
 * and leave; SIGHUP: reload; a failed reload keeps the old config), serves the control socket and tells the service
 * manager how it is.
 */
#include "agent/config.h"
#include "base/arena.h"
#include "base/err.h"

/** One load of a config file and the memory of its texts. */
struct daemon_config {
    struct agent_config config;
    struct arena arena; /* owned */
};

/** Loads @p path and writes what is wrong with it to stderr. @return as config_load. deinit after success. */
enum err daemon_config_load(struct daemon_config *config, const char *path) MUST_CHECK;
/** As daemon_config_load, and what a start needs besides: the files of `tls` and the device's name. For a start and
 * for --check-config; whoever only asks the running agent may not read the key. */
enum err daemon_config_load_whole(struct daemon_config *config, const char *path) MUST_CHECK;
void daemon_config_deinit(struct daemon_config *config);

/** Runs until a signal ends it. @return the exit status, of sysexits.h: 0, EX_CONFIG (78) for a bad config, EX_OSERR.
 */
int daemon_run(const char *config_path);
