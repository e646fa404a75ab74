/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/settings.h"

#include <string.h>

#include "agent/detect/sources.h"
#include "base/suggest.h"

#define MS_SECOND 1000ULL
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR   (60 * MS_MINUTE)

#define START_SPREAD_MS          2000 /* thousands of devices at one echo service; a person at one device hardly sees it */
#define FLAP_WINDOW_LEAST_MS     (10 * MS_MINUTE) /* when it follows from the sources: events need no more */
#define FLAP_WINDOW_SET_LEAST_MS (1 * MS_SECOND)
#define POLL_LATE_PERCENT        120 /* of its period: the latest that a poll comes */

#define AT(member)     .offset = offsetof(struct source_settings, member), .flags = CONFIG_RELOADABLE
#define DETECT(member) .offset = offsetof(struct detect_settings, member), .flags = CONFIG_RELOADABLE

static enum err check_type(struct view value, struct errinfo *info)
{
    struct suggest suggest;
    suggest_init(&suggest, value);
    const struct source_ops *ops = NULL;
    const char *type = NULL;
    for (size_t i = 0; (type = source_type_at(i, &ops)) != NULL; i++) {
        if (view_equals(value, type)) {
            return ops != NULL ? ERR_OK
                               : errinfo_set(info, ERR_UNSUPPORTED, "config", 0,
                                             "the source %s was left out of this build", type);
        }
        suggest_offer(&suggest, type);
    }
    return suggest.best != NULL
               ? errinfo_set(info, ERR_INVALID, "config", 0, "no such source; did you mean %s?", suggest.best)
               : errinfo_set(info, ERR_INVALID, "config", 0, "no such source; see --config-reference");
}

static const struct config_row source_rows[] = {
    {.name = "type",
     .type = CONFIG_STRING,
     .offset = offsetof(struct source_settings, type),
     .flags = CONFIG_REQUIRED | CONFIG_RELOADABLE,
     .check = check_type,
     .help = "What it is for: interface, the device's own addresses; observed, where the broker sees it; stun, dns, "
             "http, what the internet sees of a path; pcp, upnp, what the router has outside; exec, what a program of "
             "yours says; static, what you wrote. See docs/detection.md"},
    {.name = "name", .type = CONFIG_STRING, AT(name), .max = 32, .help = "How it is shown; left out: its type"},
    {.name = "every",
     .type = CONFIG_DURATION,
     AT(every_ms),
     .max = 24 * MS_HOUR,
     .def = "0s",
     .help = "Period of the safety poll, spread by 20 %, at least what the source asks for; 0 the type's own"},
    {.name = "ip4", .type = CONFIG_BOOL, AT(ip4), .def = "true", .help = "Asked for the IPv4 address"},
    {.name = "ip6", .type = CONFIG_BOOL, AT(ip6), .def = "true", .help = "Asked for the IPv6 address"},
    {.name = "uplink",
     .type = CONFIG_STRING,
     AT(uplink),
     .max = 63,
     .help = "Interfaces that it is asked on, as a glob pattern; left out: all, static and exec the first uplink only"},
    {.name = "shown_only",
     .type = CONFIG_BOOL,
     AT(shown_only),
     .def = "false",
     .help = "Its answers are shown and compared but decide nothing"},
    {.name = "server",
     .type = CONFIG_HOSTPORT,
     AT(server),
     .help = "stun, dns: server as host:port; pcp: as address:port, left out the default gateway"},
    {.name = "server2",
     .type = CONFIG_HOSTPORT,
     AT(server2),
     .help = "stun: second server, to see whether the NAT maps by destination"},
    {.name = "service",
     .type = CONFIG_STRING,
     AT(service),
     .max = 32,
     .help = "dns: opendns, google, cloudflare or akamai; left out: server, query and rrtype say it"},
    {.name = "query", .type = CONFIG_STRING, AT(query), .max = 253, .help = "dns: name that is asked"},
    {.name = "rrtype", .type = CONFIG_STRING, AT(rrtype), .max = 16, .help = "dns: A, AAAA, TXT or CH TXT"},
    {.name = "url", .type = CONFIG_STRING, AT(url), .max = 1024, .help = "http: what is fetched"},
    {.name = "format",
     .type = CONFIG_STRING,
     AT(format),
     .max = 80,
     .help = "http: text, trace, json:<field> or dyndns: where the address stands in the answer"},
    {.name = "ca_file",
     .type = CONFIG_PATH,
     AT(ca_file),
     .help = "http: authorities that may sign the server's certificate; left out: the system's"},
    {.name = "command",
     .type = CONFIG_STRINGS,
     AT(command),
     .max = 32,
     .help = "exec: absolute path of a program and its arguments; no shell"},
    {.name = "address4", .type = CONFIG_STRING, AT(address4), .max = 45, .help = "static: the IPv4 address"},
    {.name = "address6", .type = CONFIG_STRING, AT(address6), .max = 45, .help = "static: the IPv6 address"},
    {0},
};

const struct config_row detect_settings_rows[] = {
    {.name = "quorum",
     .type = CONFIG_U32,
     DETECT(quorum),
     .min = 1,
     .max = FUSION_SOURCES_MAX,
     .def = "1",
     .help = "So many sources must agree on an address before it counts"},
    {.name = "confirm",
     .type = CONFIG_DURATION,
     DETECT(confirm_ms),
     .max = 1 * MS_HOUR,
     .def = "10s",
     .help = "A change that only a poll found must hold this long; one that an event brought goes out at once"},
    {.name = "hold",
     .type = CONFIG_DURATION,
     DETECT(hold_ms),
     .max = 24 * MS_HOUR,
     .def = "0s",
     .help = "A family that the interface lost is retracted this long after addresses.hold"},
    {.name = "timeout",
     .type = CONFIG_DURATION,
     DETECT(timeout_ms),
     .min = 100,
     .max = 2 * MS_MINUTE,
     .def = "10s",
     .help = "Of one question, its repeats included"},
    {.name = "flap_max",
     .type = CONFIG_U32,
     DETECT(flap_max),
     .max = FUSION_FLAPS_MAX,
     .def = "4",
     .help = "After so many changes within flap_window further ones wait flap_delay (a carrier's pool); 0 never"},
    {.name = "flap_window",
     .type = CONFIG_DURATION,
     DETECT(flap_window_ms),
     .max = 24 * MS_HOUR,
     .def = "0s",
     .help = "See flap_max; 0 as long as flap_max polls of the slowest source take, at least 10m"},
    {.name = "flap_delay",
     .type = CONFIG_DURATION,
     DETECT(flap_delay_ms),
     .max = 24 * MS_HOUR,
     .def = "5m",
     .help = "How long a slowed change must hold; see flap_max"},
    {.name = "sources",
     .type = CONFIG_LIST,
     DETECT(sources),
     .min = 1,
     .max = FUSION_SOURCES_MAX,
     .rows = source_rows,
     .element_size = sizeof(struct source_settings),
     .position_offset = offsetof(struct source_settings, at),
     .def = "[{type: interface}, {type: observed}]",
     .help = "Where addresses are learnt from, in order of preference. The default asks nobody"},
    {0},
};

static const char *text(const char *given)
{
    return given != NULL ? given : "";
}

static struct source_config config_of(const struct source_settings *item)
{
    return (struct source_config){.type = item->type,
                                  .name = text(item->name),
                                  .every_ms = item->every_ms,
                                  .ip4 = item->ip4,
                                  .ip6 = item->ip6,
                                  .uplink = text(item->uplink),
                                  .shown_only = item->shown_only,
                                  .server = text(item->server),
                                  .server2 = text(item->server2),
                                  .service = text(item->service),
                                  .query = text(item->query),
                                  .rrtype = text(item->rrtype),
                                  .url = text(item->url),
                                  .format = text(item->format),
                                  .ca_file = text(item->ca_file),
                                  .command = (const char *const *)item->command.items,
                                  .command_len = item->command.len,
                                  .address4 = text(item->address4),
                                  .address6 = text(item->address6)};
}

static const char *shown_name(const struct source_settings *item)
{
    return item->name != NULL && item->name[0] != '\0' ? item->name : item->type;
}

static void check_item(const struct source_settings *items, size_t index, struct config_errors *errors)
{
    const struct source_settings *item = &items[index];
    const struct source_config config = config_of(item);
    struct errinfo info = {0};
    bool left_out = false;
    const struct source_ops *ops = source_find(item->type, &left_out);
    if (ops != NULL && ops->check(&config, &info) != ERR_OK) {
        config_error(errors, &item->at, "detect.sources[%zu]: %s: %s", index, item->type, info.text);
    }
    if (ops != NULL && item->every_ms != 0 && item->every_ms < ops->min_every_ms) {
        config_error(errors, &item->at, "detect.sources[%zu]: every: %s is asked every %us at most", index, item->type,
                     (unsigned)(ops->min_every_ms / MS_SECOND));
    }
    if (!item->ip4 && !item->ip6) {
        config_error(errors, &item->at, "detect.sources[%zu]: ip4 and ip6 are both false; leave the source out", index);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(shown_name(&items[i]), shown_name(item)) == 0) {
            config_error(errors, &item->at, "detect.sources[%zu]: two sources are called %s; give this one a name",
                         index, shown_name(item));
            return;
        }
    }
}

void detect_settings_check(const struct detect_settings *settings, struct config_errors *errors)
{
    const struct source_settings *items = settings->sources.items;
    size_t voters = 0;
    for (size_t i = 0; i < settings->sources.len; i++) {
        check_item(items, i, errors);
        voters += items[i].shown_only ? 0 : 1;
    }
    if (settings->flap_window_ms != 0 && settings->flap_window_ms < FLAP_WINDOW_SET_LEAST_MS) {
        config_error(errors, NULL, "detect.flap_window: at least 1s, or 0s for what the sources take");
    }
    if (voters < settings->quorum && settings->sources.len > 0) {
        config_error(errors, NULL, "detect.quorum: %u sources must agree, but only %zu of the list decide",
                     settings->quorum, voters);
    }
}

size_t detect_settings_sources(const struct detect_settings *settings,
                               struct source_config ret_sources[static FUSION_SOURCES_MAX])
{
    const struct source_settings *items = settings->sources.items;
    size_t len = MIN(settings->sources.len, (size_t)FUSION_SOURCES_MAX);
    for (size_t i = 0; i < len; i++) {
        ret_sources[i] = config_of(&items[i]);
    }
    return len;
}

/* Period of who of those that decide is polled most seldom; 0: nobody is polled. */
static uint64_t slowest_poll_ms(const struct detect_settings *settings)
{
    const struct source_settings *items = settings->sources.items;
    uint64_t slowest = 0;
    for (size_t i = 0; i < settings->sources.len; i++) {
        const struct source_config config = config_of(&items[i]);
        bool left_out = false;
        const struct source_ops *ops = source_find(items[i].type, &left_out);
        bool decides = ops != NULL && !items[i].shown_only;
        slowest = decides ? MAX(slowest, source_period_ms(ops, &config)) : slowest;
    }
    return slowest;
}

/* Another address at each poll makes flap_max changes within flap_max - 1 periods, and what confirms them in one more.
 */
static uint64_t flap_window_ms(const struct detect_settings *settings)
{
    uint64_t polls_ms = settings->flap_max * slowest_poll_ms(settings) / 100 * POLL_LATE_PERCENT;
    return settings->flap_window_ms != 0 ? settings->flap_window_ms : MAX(polls_ms, FLAP_WINDOW_LEAST_MS);
}

enum err detect_settings_warn(const struct detect_settings *settings, struct strbuf *out)
{
    uint64_t slowest_ms = slowest_poll_ms(settings);
    uint64_t between_ms = settings->flap_max > 0 ? (settings->flap_max - 1) * slowest_ms : 0;
    if (settings->flap_window_ms != 0 && settings->flap_window_ms <= between_ms) {
        (void)strbuf_addf(out, /* sticky */
                          "detect.flap_window: a source that is polled every %llus needs %llus for %u changes: "
                          "it never finds that an address flaps; 0s fits\n",
                          slowest_ms / MS_SECOND, between_ms / MS_SECOND, (unsigned)settings->flap_max);
    }
    return strbuf_error(out);
}

struct fusion_policy detect_settings_policy(const struct detect_settings *settings)
{
    return (struct fusion_policy){.quorum = settings->quorum,
                                  .confirm_ms = settings->confirm_ms,
                                  .hold_ms = settings->hold_ms,
                                  .flap_max = settings->flap_max,
                                  .flap_window_ms = flap_window_ms(settings),
                                  .flap_delay_ms = settings->flap_delay_ms};
}

enum err detect_settings_open(const struct detect_settings *settings, struct loop *loop,
                              const struct detect_options *owner, struct detect **ret_detect, struct errinfo *info)
{
    struct source_config sources[FUSION_SOURCES_MAX];
    return detect_new(loop,
                      &(struct detect_options){.sources = sources,
                                               .sources_len = detect_settings_sources(settings, sources),
                                               .policy = detect_settings_policy(settings),
                                               .timeout_ms = (uint32_t)settings->timeout_ms,
                                               .spread_ms = START_SPREAD_MS,
                                               .changed = owner->changed,
                                               .stranded = owner->stranded,
                                               .context = owner->context},
                      ret_detect, info);
}
