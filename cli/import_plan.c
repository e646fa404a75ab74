/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/dnsname.h"
#include "base/macros.h"
#include "mqtt/topics.h"

#define NOTES_MAX     8192
#define NOTE_SIZE     512
#define REFRESH_MAX_S (365ull * 86400)
#define TTL_MIN       30u
#define TTL_MAX       86400u

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

/* A section under work. */
struct run {
    const struct import_client *client;
    const struct import_file *file;
    const struct import_options *options;
    struct import_plan *plan;
    const struct import_section *section;
    const struct import_service *service;
};

static const char *keep(struct import_plan *plan, struct view text)
{
    const char *copy = arena_strdup(&plan->arena, text);
    if (copy == NULL) {
        plan->err = ERR_NOMEM;
    }
    return copy != NULL ? copy : "";
}

/* What another's file says goes to a terminal and into a comment: no character of it may do anything there. */
static void defuse(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

static void note(struct import_plan *plan, uint32_t line, bool lost, const char *format, ...) PRINTF_LIKE(4, 5);
static void note(struct import_plan *plan, uint32_t line, bool lost, const char *format, ...)
{
    char text[NOTE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a long one is cut */
    va_end(args);
    defuse(text);
    for (size_t i = 0; i < plan->notes_len; i++) {
        if (plan->notes[i].line == line && strcmp(plan->notes[i].text, text) == 0) {
            return; /* inherited by many hosts, told once */
        }
    }
    if (plan->notes_len < plan->notes_size) {
        plan->notes[plan->notes_len++] =
            (struct import_note){.line = line, .lost = lost, .text = keep(plan, view_of(text))};
    }
}

/* A section of ddclient's holds what held for all when it began: what stands in the file behind it does not count. */
static const struct import_setting *setting_of(const struct run *run, const char *key)
{
    const struct import_setting *setting = import_find(run->section, key);
    bool inherits = setting == NULL && run->client == &import_inadyn;
    return inherits ? import_find(&run->file->all, key) : setting;
}

static const char *value_of(const struct run *run, const char *key)
{
    const struct import_setting *setting = setting_of(run, key);
    return setting != NULL && setting->value[0] != '\0' ? setting->value : NULL;
}

static uint32_t line_of(const struct run *run, const char *key)
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
            note(plan, setting->line, false, "%s: %s", setting->key, text);
        }
    }
}

/* "1800", "25d": seconds. */
static bool parse_seconds(const char *text, uint64_t max, uint64_t *ret_seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    struct view digits = view_of(text);
    uint64_t factor = 1, value;
    for (size_t i = 0; i < ARRAY_LEN(units) && digits.len > 0; i++) {
        if (digits.ptr[digits.len - 1] == units[i].unit) {
            factor = units[i].seconds;
            digits.len--;
            break;
        }
    }
    if (view_to_u64(digits, max / factor, &value) != ERR_OK) {
        return false;
    }
    *ret_seconds = value * factor;
    return true;
}

static uint64_t refresh_of(const struct run *run)
{
    const char *text = value_of(run, run->client->refresh_key);
    uint64_t seconds = 0;
    if (text != NULL && !parse_seconds(text, REFRESH_MAX_S, &seconds)) {
        note(run->plan, line_of(run, run->client->refresh_key), false, "%s: not a time that refresh_every can have",
             run->client->refresh_key);
    }
    return seconds;
}

static uint32_t ttl_of(const struct run *run)
{
    const char *text = value_of(run, "ttl");
    uint64_t seconds = 0;
    if (text == NULL) {
        return 0;
    }
    if (!parse_seconds(text, TTL_MAX, &seconds) || seconds < TTL_MIN) {
        note(run->plan, line_of(run, "ttl"), false, "ttl: Muster's lie between %u and %u seconds; the default is used",
             TTL_MIN, TTL_MAX);
        return 0;
    }
    return (uint32_t)seconds;
}

static bool is_off(const char *value)
{
    return strcmp(value, "disabled") == 0 || strcmp(value, "no") == 0;
}

/* Which families the client keeps. */
static void families_of(const struct run *run, bool *ret_v4, bool *ret_v6)
{
    const char *v4 = value_of(run, "usev4"), *v6 = value_of(run, "usev6"), *any = value_of(run, "use");
    const char *flag = value_of(run, run->client == &import_inadyn ? "allow-ipv6" : "ipv6");
    *ret_v6 = (v6 != NULL && !is_off(v6)) || (flag != NULL && import_is_true(flag));
    v4 = v4 != NULL ? v4 : any; /* the older word */
    *ret_v4 = v4 != NULL ? !is_off(v4) : v6 == NULL;
    if (run->client == &import_inadyn && view_starts_with(view_of(run->section->id), VIEW_LITERAL("ipv6@"))) {
        *ret_v4 = false;
        *ret_v6 = true;
    }
    *ret_v4 = *ret_v4 || !*ret_v6;
}

/* ---- accounts ---- */

static bool same_text(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_account(const struct import_account *a, const struct import_account *b)
{
    return same_text(a->provider, b->provider) && same_text(a->username, b->username) && same_text(a->url, b->url) &&
           same_text(a->server, b->server) &&
           (a->service->secret == IMPORT_HOSTS || same_text(a->password, b->password));
}

static void name_account(struct import_plan *plan, struct import_account *account)
{
    char name[48];
    unsigned number = 1;
    for (size_t i = 0; i < plan->accounts_len; i++) {
        number += strcmp(plan->accounts[i].provider, account->provider) == 0;
    }
    (void)snprintf(name, sizeof(name), number == 1 ? "%s" : "%s-%u", account->provider, number); /* 32 and a number */
    account->name = keep(plan, view_of(name));
}

/* Where the outcome of an update is looked up that the service was silent about, for services that need it. */
static const char *verify_of(struct run *run, const struct import_account *account)
{
    const struct import_options *options = run->options;
    const struct template *template = NULL;
    const struct provider_ops *ops =
        options->catalogue != NULL ? catalogue_find(options->catalogue, account->provider, &template) : NULL;
    size_t len = strlen(account->name);
    const char *any = NULL;
    if (ops == NULL || !ops->asks) {
        return NULL;
    }
    for (size_t i = 0; i < options->verify_len; i++) {
        const char *item = options->verify[i];
        if (strncmp(item, account->name, len) == 0 && item[len] == '=') {
            return item + len + 1;
        }
        any = strchr(item, '=') == NULL ? item : any;
    }
    if (any == NULL) {
        note(run->plan, run->section->line, false,
             "%s: verify_server is missing: --verify %s=HOST:PORT names an authoritative server of its zones",
             run->section->id, account->name);
    }
    return any;
}

/* @return false: it could not be made, which is noted. */
static bool add_account(struct run *run, struct import_account *account, size_t *ret_index)
{
    struct import_plan *plan = run->plan;
    for (size_t i = 0; i < plan->accounts_len; i++) {
        if (same_account(&plan->accounts[i], account)) {
            *ret_index = i;
            return true;
        }
    }
    if (plan->accounts_len == IMPORT_ACCOUNTS_MAX) {
        note(plan, run->section->line, true, "%s: Muster has at most %d accounts", run->section->id,
             IMPORT_ACCOUNTS_MAX);
        return false;
    }
    name_account(plan, account);
    account->verify = verify_of(run, account);
    strbuf_init(&account->hosts, IMPORT_TEXT_MAX);
    *ret_index = plan->accounts_len;
    plan->accounts[plan->accounts_len++] = *account;
    return true;
}

static bool need(const struct run *run, const char *value, const char *key)
{
    if (value == NULL) {
        note(run->plan, run->section->line, true, "%s: %s is missing", run->section->id, key);
    } else if (!view_is_utf8(view_of(value)) || strpbrk(value, "\r\n") != NULL) {
        note(run->plan, line_of(run, key), true, "%s: %s is not a line of UTF-8", run->section->id, key);
        return false;
    }
    return value != NULL;
}

/* An update server of one's own that speaks dyndns2. */
static bool own_server(struct run *run, struct import_account *account, const char *server, const char *path)
{
    char url[512];
    struct view script = view_of(path);
    const char *query = strchr(path, '?');
    script = query != NULL ? view_n(path, (size_t)(query - path)) : script;
    int len = snprintf(url, sizeof(url), "https://%s%s%.*s", server, script.len > 0 && *script.ptr == '/' ? "" : "/",
                       VIEW_ARG(script));
    if (len < 0 || (size_t)len >= sizeof(url) || strpbrk(url, " \t\r\n\"#") != NULL || !view_is_utf8(view_of(url))) {
        return false; /* its characters make no URL */
    }
    account->provider = "dyndns2";
    account->url = keep(run->plan, view_of(url));
    return true;
}

static bool credentials(struct run *run, struct import_account *account)
{
    const char *user = value_of(run, run->client->user_key), *password = value_of(run, "password");
    account->password = password;
    switch (account->service->secret) {
    case IMPORT_LOGIN:
        account->username = user;
        return need(run, user, run->client->user_key) && need(run, password, "password");
    case IMPORT_PASSWORD:
    case IMPORT_HOSTS:
        return need(run, password, "password");
    case IMPORT_USERNAME:
        account->password = user;
        return need(run, user, run->client->user_key);
    case IMPORT_API_KEYS:
        account->username = value_of(run, "apikey");
        account->password = value_of(run, "secretapikey");
        return need(run, account->username, "apikey") && need(run, account->password, "secretapikey");
    case IMPORT_KEY_FILE:
        return need(run, password, "password");
    default:
        return false;
    }
}

/* ddclient's nsupdate: the key stays where it is. */
static bool key_file(struct run *run, struct import_account *account)
{
    const char *server = value_of(run, "server");
    char endpoint[300];
    if (!need(run, server, "server")) {
        return false;
    }
    if (account->password[0] != '/') {
        note(run->plan, line_of(run, "password"), true, "nsupdate: its key must have an absolute path");
        return false;
    }
    (void)snprintf(endpoint, sizeof(endpoint), strchr(server, ':') != NULL ? "%s" : "%s:53",
                   server); /* checked later */
    account->server = keep(run->plan, view_of(endpoint));
    return true;
}

/* Which provider serves a section, and with which credentials. */
static const struct import_service *service_of(struct run *run, struct import_account *account)
{
    static const struct import_service own = {"dyndns2", "dyndns2", IMPORT_LOGIN, NULL, false, NULL};
    bool custom = run->section->custom;
    bool protocol = run->client == &import_ddclient && strcmp(run->section->id, "dyndns2") == 0;
    const char *server = value_of(run, custom ? "ddns-server" : "server");
    if (custom || (protocol && server != NULL)) {
        const struct import_service *known = server != NULL ? import_find_server(view_of(server)) : NULL;
        const char *path = value_of(run, custom ? "ddns-path" : "script");
        path = path == NULL ? "/nic/update" : path;
        if (known != NULL || server == NULL) {
            return known;
        }
        if (custom && strstr(path, "hostname=") == NULL) {
            return NULL; /* not dyndns2 */
        }
        return own_server(run, account, server, path) ? &own : NULL;
    }
    if (server != NULL && run->client == &import_ddclient && strcmp(run->section->id, "nsupdate") != 0) {
        note(run->plan, line_of(run, "server"), false, "server: Muster asks where the service's documentation says");
    }
    struct view id = view_of(run->section->id);
    return run->client == &import_inadyn ? import_find_inadyn(id) : import_find_ddclient(id);
}

static bool find_account(struct run *run, size_t *ret_index)
{
    const struct import_section *section = run->section;
    struct import_account account = {0};
    const struct import_service *service = service_of(run, &account);
    if (service == NULL) {
        note(run->plan, section->line, true,
             "%s: no provider of Muster's is known for it; a template may serve it: muster provider lint", section->id);
        return false;
    }
    if (service->secret == IMPORT_NONE || service->secret == IMPORT_BY_HAND) {
        bool there = service->provider != NULL;
        note(run->plan, section->line, true, "%s: %s%s%s%s", section->id, there ? "write an account of provider " : "",
             there ? service->provider : "", there ? " by hand: " : "", service->why);
        return false;
    }
    run->service = account.service = service;
    account.provider = account.provider != NULL ? account.provider : service->provider;
    account.ca_file = value_of(run, run->client->ca_key);
    if (service->why != NULL) {
        note(run->plan, section->line, false, "%s: %s", section->id, service->why);
    }
    return credentials(run, &account) && (service->secret != IMPORT_KEY_FILE || key_file(run, &account)) &&
           add_account(run, &account, ret_index);
}

/* ---- zones and names ---- */

/* The name as the DNS has it. @return false: it has none, which is noted. */
static bool host_name(struct run *run, const struct import_host *host, char ret_name[static DNSNAME_SIZE])
{
    char text[DNSNAME_SIZE];
    struct view name = view_of(host->name);
    struct errinfo info = {0};
    name = view_starts_with(name, VIEW_LITERAL("@.")) ? view_n(name.ptr + 2, name.len - 2) : name;
    bool bare = memchr(name.ptr, '.', name.len) == NULL;
    int len = snprintf(text, sizeof(text), "%.*s%s%s", VIEW_ARG(name), bare && run->service->domain != NULL ? "." : "",
                       bare && run->service->domain != NULL ? run->service->domain : "");
    enum err err = len < 0 || (size_t)len >= sizeof(text) ? ERR_LIMIT
                                                          : dnsname_parse(view_of(text), DNSNAME_HOST, ret_name, &info);
    if (err != ERR_OK) {
        note(run->plan, host->line, true, "%s: not the name of a host: %s", host->name,
             strchr(host->name, '*') != NULL ? "Muster writes no wildcards" : info.text);
    } else if (strchr(ret_name, '.') == NULL) {
        note(run->plan, host->line, true, "%s: its domain is missing: Muster needs the whole name", host->name);
        return false;
    }
    return err == ERR_OK;
}

/* @return "" when the name is not below it. */
static struct view zone_name(struct run *run, const char *name, char buffer[static DNSNAME_SIZE])
{
    const char *asked = value_of(run, "zone");
    asked = asked != NULL ? asked : value_of(run, "root-domain");
    asked = asked == NULL && run->service->user_is_zone ? value_of(run, run->client->user_key) : asked;
    if (asked != NULL && dnsname_parse(view_of(asked), DNSNAME_HOST, buffer, NULL) == ERR_OK &&
        dnsname_in_zone(view_of(name), view_of(buffer))) {
        return view_of(buffer);
    }
    return view_of(strchr(name, '.') + 1); /* names have two labels */
}

static bool find_zone(struct run *run, const struct import_host *host, const char *name, size_t account,
                      size_t *ret_index)
{
    struct import_plan *plan = run->plan;
    char buffer[DNSNAME_SIZE];
    struct view zone = zone_name(run, name, buffer);
    if (view_equals(zone, name) || memchr(zone.ptr, '.', zone.len) == NULL) {
        note(plan, host->line, true, "%s: the zone itself, whose addresses Muster leaves alone", name);
        return false;
    }
    for (size_t i = 0; i < plan->zones_len; i++) {
        if (!view_equals(zone, plan->zones[i].name)) {
            continue;
        }
        if (plan->zones[i].account != account) {
            note(plan, host->line, true, "%s: account %s has names in %s already, and a zone has one account", name,
                 plan->accounts[plan->zones[i].account].name, plan->zones[i].name);
            return false;
        }
        *ret_index = i;
        return true;
    }
    *ret_index = plan->zones_len;
    plan->zones[plan->zones_len++] =
        (struct import_zone){.name = keep(plan, zone), .account = account, .refresh_s = refresh_of(run)};
    return true;
}

static bool has_label(const struct import_plan *plan, struct view label)
{
    for (size_t i = 0; i < plan->names_len; i++) {
        const char *name = plan->names[i].name;
        if (view_equal(label, view_n(name, strcspn(name, ".")))) {
            return true;
        }
    }
    return false;
}

static bool may_add(struct run *run, const struct import_host *host, const char *name)
{
    const struct import_plan *plan = run->plan;
    struct view label = view_n(name, strcspn(name, "."));
    if (run->options->each && !device_id_valid(label)) {
        note(run->plan, host->line, true, "%s: its first label is not the id of a device", name);
    } else if (run->options->each && has_label(plan, label)) {
        note(run->plan, host->line, true, "%s: another name begins with the same label, which would be the device's id",
             name);
    } else if (!run->options->each && plan->names_len >= IMPORT_NAMES_MAX) {
        note(run->plan, host->line, true, "%s: a device has at most %d names; --each makes every name a device", name,
             IMPORT_NAMES_MAX);
    } else if (plan->names_len >= IMPORT_RECORDS_MAX) {
        note(run->plan, host->line, true, "%s: more than %d names", name, IMPORT_RECORDS_MAX);
    } else {
        return true;
    }
    return false;
}

static struct import_name *find_name(struct import_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->names_len; i++) {
        if (strcmp(plan->names[i].name, name) == 0) {
            return &plan->names[i];
        }
    }
    return NULL;
}

static void add_secret(struct run *run, struct import_account *account, const struct import_host *host,
                       const char *name)
{
    const char *password = value_of(run, "password");
    if (account->service->secret == IMPORT_HOSTS && strbuf_addf(&account->hosts, "%s %s\n", name, password) != ERR_OK) {
        note(run->plan, host->line, true, "%s: too many secrets for one file", name);
    }
}

static void add_host(struct run *run, const struct import_host *host, size_t account)
{
    struct import_plan *plan = run->plan;
    char name[DNSNAME_SIZE];
    size_t zone;
    bool v4, v6;
    if (!host_name(run, host, name) || !find_zone(run, host, name, account, &zone)) {
        return;
    }
    families_of(run, &v4, &v6);
    struct import_name *known = find_name(plan, name);
    if (known != NULL) { /* a section for each family */
        known->v4 = known->v4 || v4;
        known->v6 = known->v6 || v6;
        return;
    }
    if (may_add(run, host, name)) {
        plan->names[plan->names_len++] = (struct import_name){
            .name = keep(plan, view_of(name)), .zone = zone, .v4 = v4, .v6 = v6, .ttl = ttl_of(run)};
        add_secret(run, &plan->accounts[account], host, name);
    }
}

static int by_line(const void *a, const void *b)
{
    const struct import_note *left = a, *right = b;
    return left->line < right->line ? -1 : left->line > right->line;
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
    *plan = (struct import_plan){0};
    arena_init(&plan->arena, IMPORT_ARENA_MAX);
    if (make_room(plan) != ERR_OK) {
        return ERR_NOMEM;
    }
    judge_settings(plan, client, &file->all);
    for (size_t i = 0; i < file->sections_len && plan->err == ERR_OK; i++) {
        struct run run = {
            .client = client, .file = file, .options = options, .plan = plan, .section = &file->sections[i]};
        size_t account = 0;
        judge_settings(plan, client, run.section);
        if (!find_account(&run, &account)) {
            continue;
        }
        for (size_t k = 0; k < run.section->hosts_len; k++) {
            add_host(&run, &run.section->hosts[k], account);
        }
    }
    qsort(plan->notes, plan->notes_len, sizeof(*plan->notes), by_line);
    return plan->err;
}

void import_plan_deinit(struct import_plan *plan)
{
    for (size_t i = 0; i < plan->accounts_len; i++) {
        struct strbuf *hosts = &plan->accounts[i].hosts;
        if (hosts->ptr != NULL) {
            crypto_zeroise(hosts->ptr, hosts->size);
        }
        strbuf_deinit(hosts);
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
