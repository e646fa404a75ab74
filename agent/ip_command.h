/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * ip_command: `muster-agent ip`: every source is asked once, and a person sees who said what and how it counts. Works
 * without a running agent, without its key, and without a config: then with the default sources.
 */
#include "agent/config.h"
#include "base/err.h"
#include "base/strbuf.h"

/** Asks every source of the config once; a running agent is asked what the broker sees. Blocks up to detect.timeout and
 * a little. @param all also the sources that need no setting. @param json as detect_json, appended. @return as
 * detect_new and loop_new, with the reason in @p info. */
enum err ip_command_ask(const struct agent_config *config, bool all, struct strbuf *json,
                        struct errinfo *info) MUST_CHECK;

/** @param config_path what stood before the command; NULL for nothing. @param argv starts with the command's name.
 * @return the exit status: 0 an address is known and nobody says otherwise, 1 the sources disagree, 69 none is known,
 * 64, 71, 74, 78 as the daemon's. */
int ip_command(const char *config_path, int argc, char *const argv[]);
