/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of the plan: which provider serves a section, and with which credentials. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "cli/import_plan_private.h"
#include "providers/template.h"

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
    account->name = import_keep(plan, view_of(name));
}

static const struct provider_ops *ops_of(const struct import_run *run, const struct import_account *account,
                                         const struct template **ret_template)
{
    *ret_template = NULL;
    return run->options->catalogue != NULL ? catalogue_find(run->options->catalogue, account->provider, ret_template)
                                           : NULL;
}

/* Where the outcome of an update is looked up that the service was silent about; else the coordinator finds it. */
static const char *verify_of(struct import_run *run, const struct import_account *account)
{
    const struct import_options *options = run->options;
    const struct template *template = NULL;
    const struct provider_ops *ops = ops_of(run, account, &template);
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
    return any;
}

/* An account has its options once, for all its names. */
static void compare_option(struct import_run *run, const struct import_account *has, const char *key, bool same)
{
    if (!same) {
        import_note(run->plan, import_line(run, key), false,
                    "%s: account %s has it otherwise from an earlier section, and an account's options are for all its "
                    "names: write an account of its own for these where it matters",
                    key, has->name);
    }
}

/* @return false: it could not be made, which is noted. */
static bool add_account(struct import_run *run, struct import_account *account, size_t *ret_index)
{
    struct import_plan *plan = run->plan;
    const struct template *template = NULL;
    const struct provider_ops *ops = ops_of(run, account, &template);
    for (size_t i = 0; i < plan->accounts_len; i++) {
        if (same_account(&plan->accounts[i], account)) {
            compare_option(run, &plan->accounts[i], "proxied", plan->accounts[i].proxied == account->proxied);
            compare_option(run, &plan->accounts[i], "ttl", plan->accounts[i].ttl_auto == account->ttl_auto);
            *ret_index = i;
            return true;
        }
    }
    if (plan->accounts_len == IMPORT_ACCOUNTS_MAX) {
        import_note(plan, run->section->line, true, "%s: Muster has at most %d accounts", run->section->id,
                    IMPORT_ACCOUNTS_MAX);
        return false;
    }
    name_account(plan, account);
    account->verify = verify_of(run, account);
    account->shares = ops == NULL || ops->shared;
    strbuf_init(&account->hosts, IMPORT_TEXT_MAX);
    *ret_index = plan->accounts_len;
    plan->accounts[plan->accounts_len++] = *account;
    return true;
}

static bool need(const struct import_run *run, const char *value, const char *key)
{
    if (value == NULL) {
        import_note(run->plan, run->section->line, true, "%s: %s is missing", run->section->id, key);
    } else if (!view_is_utf8(view_of(value)) || strpbrk(value, "\r\n") != NULL) {
        import_note(run->plan, import_line(run, key), true, "%s: %s is not a line of UTF-8", run->section->id, key);
        return false;
    }
    return value != NULL;
}

/* Of a Basic login the first colon ends the user name (RFC 7617 2): the service never saw this one. */
static bool travels(const struct import_run *run, const struct import_account *account)
{
    const struct template *template = NULL;
    (void)ops_of(run, account, &template);
    if (account->username == NULL || strchr(account->username, ':') == NULL || template == NULL ||
        !template_basic_says_user(template)) {
        return true;
    }
    import_note(run->plan, import_line(run, run->client->user_key), true,
                "%s: the user name holds a colon, where the login ends it: write the user name alone",
                run->section->id);
    return false;
}

/* What the path's query says besides the name and the address, Muster does not send. The values may be secrets. */
static void note_query(const struct import_run *run, struct view query)
{
    struct view field, name;
    while (view_next(&query, '&', &field)) {
        if (view_next(&field, '=', &name) && name.len > 0 && !view_equals(name, "hostname") &&
            !view_equals(name, "myip")) {
            import_note(
                run->plan, import_line(run, run->section->custom ? "ddns-path" : "script"), false,
                "%.*s of the path is not sent; where the server needs it, write a template: muster provider lint",
                VIEW_ARG(name));
        }
    }
}

/* An update server of one's own that speaks dyndns2. */
static bool own_server(struct import_run *run, struct import_account *account, const char *server, const char *path)
{
    static const struct view schemes[] = {VIEW_LITERAL("https://"), VIEW_LITERAL("http://")};
    char url[512];
    struct view script = view_of(path);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) { /* some write it, which ddclient allows */
        server += view_starts_with(view_of(server), schemes[i]) ? schemes[i].len : 0;
    }
    const char *query = strchr(path, '?');
    script = query != NULL ? view_n(path, (size_t)(query - path)) : script;
    int len = snprintf(url, sizeof(url), "https://%s%s%.*s", server, script.len > 0 && *script.ptr == '/' ? "" : "/",
                       VIEW_ARG(script));
    if (len < 0 || (size_t)len >= sizeof(url) || strpbrk(url, " \t\r\n\"#") != NULL || !view_is_utf8(view_of(url))) {
        return false; /* its characters make no URL */
    }
    note_query(run, query != NULL ? view_of(query + 1) : (struct view){0});
    account->provider = "dyndns2";
    account->url = import_keep(run->plan, view_of(url));
    return true;
}

static bool credentials(struct import_run *run, struct import_account *account)
{
    const char *user = import_value(run, run->client->user_key), *password = import_value(run, "password");
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
        account->username = import_value(run, "apikey");
        account->password = import_value(run, "secretapikey");
        return need(run, account->username, "apikey") && need(run, account->password, "secretapikey");
    case IMPORT_KEY_FILE:
        return need(run, password, "password");
    default:
        return false;
    }
}

/* ddclient's nsupdate: the key stays where it is. */
static bool key_file(struct import_run *run, struct import_account *account)
{
    const char *server = import_value(run, "server");
    char endpoint[300];
    if (!need(run, server, "server")) {
        return false;
    }
    if (account->password[0] != '/') {
        import_note(run->plan, import_line(run, "password"), true, "nsupdate: its key must have an absolute path");
        return false;
    }
    (void)snprintf(endpoint, sizeof(endpoint), strchr(server, ':') != NULL ? "%s" : "%s:53",
                   server); /* checked later */
    account->server = import_keep(run->plan, view_of(endpoint));
    return true;
}

/* Which provider serves a section, and with which credentials. */
static const struct import_service *service_of(struct import_run *run, struct import_account *account)
{
    static const struct import_service own = {"dyndns2", "dyndns2", IMPORT_LOGIN, NULL, false, NULL};
    bool custom = run->section->custom;
    bool protocol = run->client == &import_ddclient && strcmp(run->section->id, "dyndns2") == 0;
    const char *server = import_value(run, custom ? "ddns-server" : "server");
    if (custom || (protocol && server != NULL)) {
        const struct import_service *known = server != NULL ? import_find_server(view_of(server)) : NULL;
        const char *path = import_value(run, custom ? "ddns-path" : "script");
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
        import_note(run->plan, import_line(run, "server"), false,
                    "server: Muster asks where the service's documentation says");
    }
    struct view id = view_of(run->section->id);
    return run->client == &import_inadyn ? import_find_inadyn(id) : import_find_ddclient(id);
}

static bool is_value(const struct import_run *run, const char *key, const char *wanted)
{
    const char *value = import_value(run, key);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* What is a setting there and an option of the account here. */
static void take_options(struct import_run *run, struct import_account *account)
{
    const char *proxied = import_value(run, "proxied");
    bool on = proxied != NULL && import_is_true(proxied);
    if (strcmp(account->provider, "cloudflare") == 0) {
        account->proxied = on;
        account->ttl_auto = is_value(run, "ttl", "1");
    } else if (on) {
        import_note(run->plan, import_line(run, "proxied"), false, "proxied: no equivalent: Cloudflare alone has it");
    }
}

/* ddclient's own word for a token: nothing is to be said then. */
static bool has_token(const struct import_run *run, const struct import_account *account)
{
    return strcmp(account->provider, "cloudflare") == 0 && is_value(run, run->client->user_key, "token");
}

bool import_find_account(struct import_run *run, size_t *ret_index)
{
    const struct import_section *section = run->section;
    struct import_account account = {0};
    const struct import_service *service = service_of(run, &account);
    if (service == NULL) {
        import_note(run->plan, section->line, true,
                    "%s: no provider of Muster's is known for it: look for it with muster provider list, or write a "
                    "template (docs/providers.md)",
                    section->id);
        return false;
    }
    if (service->secret == IMPORT_NONE || service->secret == IMPORT_BY_HAND) {
        bool there = service->provider != NULL;
        import_note(run->plan, section->line, true, "%s: %s%s%s%s", section->id,
                    there ? "write an account of provider " : "", there ? service->provider : "",
                    there ? " by hand: " : "", service->why);
        return false;
    }
    run->service = account.service = service;
    account.provider = account.provider != NULL ? account.provider : service->provider;
    account.ca_file = import_value(run, run->client->ca_key);
    if (service->why != NULL && !has_token(run, &account)) {
        import_note(run->plan, section->line, false, "%s: %s", section->id, service->why);
    }
    take_options(run, &account);
    return credentials(run, &account) && travels(run, &account) &&
           (service->secret != IMPORT_KEY_FILE || key_file(run, &account)) && add_account(run, &account, ret_index);
}
