/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "cli/import_plan_private.h"

#define NOTES_MAX 8192
#define NOTE_SIZE 512

const struct import_client import_inadyn = {.name = "inadyn",
                                            .parse = import_parse_inadyn,
                                            .rules = import_inadyn_rules,
                                            .user_key = "username",
                                            .refresh_key = "forced-update",
                                            .ca_key = "ca-trust-file"};
const struct import_client import_ddclient = {.name = "ddclient",
                                              .parse = import_parse_ddclient,
                                              .rules = import_ddclient_rules,
                                              .user_key = "login",
                                              .refresh_key = "max-interval",
                                              .ca_key = "ssl_ca_file"};

const char *import_keep(struct import_plan *plan, struct view text)
{
    const char *copy = arena_strdup(&plan->arena, text);
    if (copy == NULL) {
        plan->err = ERR_NOMEM;
    }
    return copy != NULL ? copy : "";
}

void import_defuse(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

void import_note(struct import_plan *plan, uint32_t line, bool lost, const char *format, ...)
{
    char text[NOTE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a long one is cut */
    va_end(args);
    import_defuse(text);
    for (size_t i = 0; i < plan->notes_len; i++) {
        if (plan->notes[i].place == line && strcmp(plan->notes[i].text, text) == 0) {
            return; /* inherited by many hosts, told once */
        }
    }
    if (plan->notes_len < plan->notes_size) {
        plan->notes[plan->notes_len++] = (struct import_note){.path = import_path_of(plan->file, line),
                                                              .line = IMPORT_LINE(line),
                                                              .place = line,
                                                              .lost = lost,
                                                              .text = import_keep(plan, view_of(text))};
    }
}

/* A section of ddclient's holds what held for all when it began: what stands in the file behind it does not count. */
static const struct import_setting *setting_of(const struct import_run *run, const char *key)
{
    const struct import_setting *setting = import_find(run->section, key);
    bool inherits = setting == NULL && run->client == &import_inadyn;
    return inherits ? import_find(&run->file->all, key) : setting;
}

const char *import_value(const struct import_run *run, const char *key)
{
    const struct import_setting *setting = setting_of(run, key);
    return setting != NULL && setting->value[0] != '\0' && !setting->from_env ? setting->value : NULL;
}

uint32_t import_line(const struct import_run *run, const char *key)
{
    const struct import_setting *setting = setting_of(run, key);
    return setting != NULL ? setting->line : run->section->line;
}

static void judge_settings(struct import_plan *plan, const struct import_client *client,
                           const struct import_section *section)
{
    for (size_t i = 0; i < section->settings_len; i++) {
        const struct import_setting *setting = &section->settings[i];
        const char *text = import_judge(client->rules, setting);
        if (text != NULL) {
            import_note(plan, setting->line, false, "%s: %s", setting->key, text);
        }
    }
}

static void free_hosts(struct import_account *account)
{
    if (account->hosts.ptr != NULL) {
        crypto_zeroise(account->hosts.ptr, account->hosts.size);
    }
    strbuf_deinit(&account->hosts);
}

/* What names were left out of is of no use either: an account without names may lack what it needs. */
static void drop_unused(struct import_plan *plan)
{
    size_t zones = 0, accounts = 0;
    for (size_t i = 0; i < plan->zones_len; i++) {
        bool used = false;
        for (size_t k = 0; k < plan->names_len; k++) {
            used = used || plan->names[k].zone == i;
        }
        for (size_t k = 0; used && k < plan->names_len; k++) {
            plan->names[k].zone = plan->names[k].zone == i ? zones : plan->names[k].zone;
        }
        if (used) {
            plan->zones[zones++] = plan->zones[i];
        }
    }
    plan->zones_len = zones;
    for (size_t i = 0; i < plan->accounts_len; i++) {
        bool used = false;
        for (size_t k = 0; k < zones; k++) {
            used = used || plan->zones[k].account == i;
        }
        for (size_t k = 0; used && k < zones; k++) {
            plan->zones[k].account = plan->zones[k].account == i ? accounts : plan->zones[k].account;
        }
        if (used) {
            plan->accounts[accounts++] = plan->accounts[i];
        } else {
            free_hosts(&plan->accounts[i]);
        }
    }
    plan->accounts_len = accounts;
}

static int by_line(const void *a, const void *b)
{
    const struct import_note *left = a, *right = b;
    return left->place < right->place ? -1 : left->place > right->place;
}

static enum err make_room(struct import_plan *plan)
{
    plan->notes_size = NOTES_MAX;
    plan->notes = arena_alloc(&plan->arena, NOTES_MAX * sizeof(*plan->notes));
    plan->accounts = arena_alloc(&plan->arena, IMPORT_ACCOUNTS_MAX * sizeof(*plan->accounts));
    plan->zones = arena_alloc(&plan->arena, IMPORT_RECORDS_MAX * sizeof(*plan->zones));
    plan->names = arena_alloc(&plan->arena, IMPORT_RECORDS_MAX * sizeof(*plan->names));
    bool good = plan->notes != NULL && plan->accounts != NULL && plan->zones != NULL && plan->names != NULL;
    return good ? ERR_OK : ERR_NOMEM;
}

enum err import_plan_make(const struct import_client *client, const struct import_file *file,
                          const struct import_options *options, struct import_plan *ret_plan)
{
    struct import_plan *plan = ret_plan;
    *plan = (struct import_plan){.file = file};
    arena_init(&plan->arena, IMPORT_ARENA_MAX);
    if (make_room(plan) != ERR_OK) {
        return ERR_NOMEM;
    }
    judge_settings(plan, client, &file->all);
    for (size_t i = 0; i < file->sections_len && plan->err == ERR_OK; i++) {
        struct import_run run = {
            .client = client, .file = file, .options = options, .plan = plan, .section = &file->sections[i]};
        size_t account = 0;
        judge_settings(plan, client, run.section);
        if (!import_find_account(&run, &account)) {
            continue;
        }
        for (size_t k = 0; k < run.section->hosts_len; k++) {
            import_add_name(&run, &run.section->hosts[k], account);
        }
    }
    drop_unused(plan);
    qsort(plan->notes, plan->notes_len, sizeof(*plan->notes), by_line);
    return plan->err;
}

void import_plan_deinit(struct import_plan *plan)
{
    for (size_t i = 0; i < plan->accounts_len; i++) {
        free_hosts(&plan->accounts[i]);
    }
    arena_deinit(&plan->arena);
}

bool import_plan_lost(const struct import_plan *plan)
{
    for (size_t i = 0; i < plan->notes_len; i++) {
        if (plan->notes[i].lost) {
            return true;
        }
    }
    return false;
}
