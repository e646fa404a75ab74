/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** import_plan_private: what the files of the plan share (import_plan.c, import_accounts.c, import_names.c). */
#include "cli/import_plan.h"

/* A section under work. */
struct import_run {
    const struct import_client *client;
    const struct import_file *file;
    const struct import_options *options;
    struct import_plan *plan;
    const struct import_section *section;
    const struct import_service *service;
};

/** What another's file says goes to a terminal and into a comment: no character of it may do anything there. */
void import_defuse(char *text);
/** Copy in the plan's arena; without memory the plan has failed and it is "". */
const char *import_keep(struct import_plan *plan, struct view text);
/** For a person, once however many hosts inherit it. */
void import_note(struct import_plan *plan, uint32_t line, bool lost, const char *format, ...) PRINTF_LIKE(4, 5);
/** What a setting is for the section; NULL = not set, empty, or known to the client's environment only. */
const char *import_value(const struct import_run *run, const char *key);
/** Where it stands; the section's own line when it does not. */
uint32_t import_line(const struct import_run *run, const char *key);

/* import_accounts.c: the account that a section has, which is made when it is the first. @return false: none, noted. */
bool import_find_account(struct import_run *run, size_t *ret_index);
/* import_names.c: one host name of the section with its zone, or a note why not. */
void import_add_name(struct import_run *run, const struct import_host *host, size_t account);
