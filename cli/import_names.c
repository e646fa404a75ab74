/* SPDX-License-Identifier: Apache-2.0 */
/* Zones and names of the plan. */
#include <stdio.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/macros.h"
#include "cli/import_plan_private.h"
#include "mqtt/topics.h"

#define REFRESH_MAX_S (365ull * 86400)
#define TTL_MIN       30u
#define TTL_MAX       86400u

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

static uint64_t refresh_of(const struct import_run *run)
{
    const char *text = import_value(run, run->client->refresh_key);
    uint64_t seconds = 0;
    if (text != NULL && !parse_seconds(text, REFRESH_MAX_S, &seconds)) {
        import_note(run->plan, import_line(run, run->client->refresh_key), false,
                    "%s: not a time that refresh_every can have", run->client->refresh_key);
    }
    return seconds;
}

static uint32_t ttl_of(const struct import_run *run)
{
    const char *text = import_value(run, "ttl");
    uint64_t seconds = 0;
    if (text == NULL) {
        return 0;
    }
    if (strcmp(run->service->provider, "cloudflare") == 0 && strcmp(text, "1") == 0) {
        return 0; /* Cloudflare chooses: an option of the account */
    }
    if (!parse_seconds(text, TTL_MAX, &seconds) || seconds < TTL_MIN) {
        import_note(run->plan, import_line(run, "ttl"), false,
                    "ttl: Muster's lie between %u and %u seconds; the default is used", TTL_MIN, TTL_MAX);
        return 0;
    }
    return (uint32_t)seconds;
}

static bool is_off(const char *value)
{
    return strcmp(value, "disabled") == 0 || strcmp(value, "no") == 0;
}

/* Which families the client keeps. */
static void families_of(const struct import_run *run, bool *ret_v4, bool *ret_v6)
{
    const char *v4 = import_value(run, "usev4"), *v6 = import_value(run, "usev6"), *any = import_value(run, "use");
    const char *flag = import_value(run, run->client == &import_inadyn ? "allow-ipv6" : "ipv6");
    *ret_v6 = (v6 != NULL && !is_off(v6)) || (flag != NULL && import_is_true(flag));
    v4 = v4 != NULL ? v4 : any; /* the older word */
    *ret_v4 = v4 != NULL ? !is_off(v4) : v6 == NULL;
    if (run->client == &import_inadyn && view_starts_with(view_of(run->section->id), VIEW_LITERAL("ipv6@"))) {
        *ret_v4 = false;
        *ret_v6 = true;
    }
    *ret_v4 = *ret_v4 || !*ret_v6;
}

/* The name as the DNS has it. @return false: it has none, which is noted. */
static bool host_name(struct import_run *run, const struct import_host *host, char ret_name[static DNSNAME_SIZE])
{
    char text[DNSNAME_SIZE];
    struct view name = view_of(host->name);
    struct errinfo info = {0};
    const char *domain = run->service->user_is_zone ? import_value(run, run->client->user_key) : run->service->domain;
    name = view_starts_with(name, VIEW_LITERAL("@.")) ? view_n(name.ptr + 2, name.len - 2) : name;
    bool bare = memchr(name.ptr, '.', name.len) == NULL && domain != NULL;
    if (bare && view_equals(name, "@")) {
        name = (struct view){0};
    }
    int len =
        snprintf(text, sizeof(text), "%.*s%s%s", VIEW_ARG(name), bare && name.len > 0 ? "." : "", bare ? domain : "");
    enum err err = len < 0 || (size_t)len >= sizeof(text) ? ERR_LIMIT
                                                          : dnsname_parse(view_of(text), DNSNAME_HOST, ret_name, &info);
    if (err != ERR_OK) {
        import_note(run->plan, host->line, true, "%s: not the name of a host: %s", host->name,
                    strchr(host->name, '*') != NULL ? "Muster writes no wildcards" : info.text);
    } else if (strchr(ret_name, '.') == NULL) {
        import_note(run->plan, host->line, true, "%s: its domain is missing: Muster needs the whole name", host->name);
        return false;
    }
    return err == ERR_OK;
}

/* @return "" when the name is not below it. */
static struct view zone_name(struct import_run *run, const char *name, char buffer[static DNSNAME_SIZE])
{
    const char *asked = import_value(run, "zone");
    asked = asked != NULL ? asked : import_value(run, "root-domain");
    asked = asked == NULL && run->service->user_is_zone ? import_value(run, run->client->user_key) : asked;
    if (asked != NULL && dnsname_parse(view_of(asked), DNSNAME_HOST, buffer, NULL) == ERR_OK &&
        dnsname_in_zone(view_of(name), view_of(buffer))) {
        return view_of(buffer);
    }
    return view_of(strchr(name, '.') + 1); /* names have two labels */
}

static bool find_zone(struct import_run *run, const struct import_host *host, const char *name, size_t account,
                      size_t *ret_index)
{
    struct import_plan *plan = run->plan;
    char buffer[DNSNAME_SIZE];
    struct view zone = zone_name(run, name, buffer);
    if (view_equals(zone, name) || memchr(zone.ptr, '.', zone.len) == NULL) {
        import_note(plan, host->line, true, "%s: the zone itself, whose addresses Muster leaves alone", name);
        return false;
    }
    for (size_t i = 0; i < plan->zones_len; i++) {
        if (!view_equals(zone, plan->zones[i].name)) {
            continue;
        }
        if (plan->zones[i].account != account) {
            import_note(plan, host->line, true,
                        "%s: account %s has names in %s already, and a zone has one account: move the name to that one",
                        name, plan->accounts[plan->zones[i].account].name, plan->zones[i].name);
            return false;
        }
        *ret_index = i;
        return true;
    }
    *ret_index = plan->zones_len;
    plan->zones[plan->zones_len++] =
        (struct import_zone){.name = import_keep(plan, zone), .account = account, .refresh_s = refresh_of(run)};
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

static bool may_add(struct import_run *run, const struct import_host *host, const char *name)
{
    const struct import_plan *plan = run->plan;
    struct view label = view_n(name, strcspn(name, "."));
    if (run->options->each && !device_id_valid(label)) {
        import_note(run->plan, host->line, true, "%s: its first label is not the id of a device", name);
    } else if (run->options->each && has_label(plan, label)) {
        import_note(run->plan, host->line, true,
                    "%s: another name begins with the same label, which would be the device's id", name);
    } else if (!run->options->each && plan->names_len >= IMPORT_NAMES_MAX) {
        import_note(run->plan, host->line, true, "%s: a device has at most %d names; --each makes every name a device",
                    name, IMPORT_NAMES_MAX);
    } else if (plan->names_len >= IMPORT_RECORDS_MAX) {
        import_note(run->plan, host->line, true, "%s: more than %d names", name, IMPORT_RECORDS_MAX);
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

static void add_secret(struct import_run *run, struct import_account *account, const struct import_host *host,
                       const char *name)
{
    const char *password = import_value(run, "password");
    if (account->service->secret == IMPORT_HOSTS && strbuf_addf(&account->hosts, "%s %s\n", name, password) != ERR_OK) {
        import_note(run->plan, host->line, true, "%s: too many secrets for one file", name);
    }
}

void import_add_name(struct import_run *run, const struct import_host *host, size_t account)
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
            .name = import_keep(plan, view_of(name)), .zone = zone, .v4 = v4, .v6 = v6, .ttl = ttl_of(run)};
        add_secret(run, &plan->accounts[account], host, name);
    }
}
