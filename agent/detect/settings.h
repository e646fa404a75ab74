/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * settings: the section `detect` of the agent's config: its rows, its checks and what the shell takes from it. Pure but
 * for detect_settings_open.
 */
#include "agent/detect/detect.h"
#include "base/config.h"

/** One item of `detect.sources`; texts in the arena of the load, NULL when left out. */
struct source_settings {
    struct config_position at;
    const char *type, *name;
    uint64_t every_ms;
    bool ip4, ip6, shown_only;
    const char *uplink;
    const char *server, *server2, *service, *query, *rrtype, *url, *format, *ca_file, *address4, *address6;
    struct config_strings command;
};

struct detect_settings {
    uint32_t quorum, flap_max;
    uint64_t confirm_ms, hold_ms, timeout_ms, flap_window_ms, flap_delay_ms;
    struct config_list sources; /* of struct source_settings */
};

/** For the row of the section, whose struct is struct detect_settings. */
extern const struct config_row detect_settings_rows[];

/** Checks across rows: what each type says of its item, at the item's line; names that are not unique; a quorum that
 * can never be reached. */
void detect_settings_check(const struct detect_settings *settings, struct config_errors *errors);

/** @param ret_sources borrows the texts of @p settings. @return how many. */
size_t detect_settings_sources(const struct detect_settings *settings,
                               struct source_config ret_sources[static FUSION_SOURCES_MAX]);
/** A flap_window of 0 becomes one in which polls alone can recognise a path that flaps. */
struct fusion_policy detect_settings_policy(const struct detect_settings *settings);
/** What is allowed and cannot do what it is for, a line each; nothing when all is well. @return of @p out. */
enum err detect_settings_warn(const struct detect_settings *settings, struct strbuf *out) MUST_CHECK;
/** detect_new with what is configured. @param owner whom to tell: `changed`, `stranded` and `context` count. */
enum err detect_settings_open(const struct detect_settings *settings, struct loop *loop,
                              const struct detect_options *owner, struct detect **ret_detect,
                              struct errinfo *info) MUST_CHECK;
