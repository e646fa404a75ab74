/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/macros.h"
#include "providers/template_internal.h"

const char *const template_thens[] = {"applied",      "unchanged",    "missing",   "stop_host",    "stop_family",
                                      "stop_account", "stop_service", "wait_host", "wait_account", "split",
                                      "malformed",    "unknown",      NULL}; /* enum template_then */
static const char *const statuses[] = {"ok", "undocumented", "dead", NULL};
static const char *const needs[] = {"none", "optional", "required", NULL};
static const char *const user_needs[] = {"none", "optional", "required", "secret", NULL};
static const char *const forms[] = {"fqdn", "label", NULL};
static const char *const sends[] = {"separate", "list", "pair", "ipv4", "account", NULL};
static const char *const omissions[] = {"keeps", "deletes", "detects", NULL};
static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL}; /* enum http_verb */
static const char *const auths[] = {"none", "basic", "bearer", NULL};
static const char *const pers[] = {"host", "zone", NULL};
static const char *const bases[] = {"none", "dyndns2", NULL};
static const char *const line_ways[] = {"hosts", "any", NULL};
static const char *const one_lines[] = {"none", "all", NULL};
static const char *const rate_ofs[] = {"account", "zone", "host", NULL};

static bool of_set(struct view text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL))) {
            return false;
        }
    }
    return text.len > 0;
}

static enum err check_name(struct view value, struct errinfo *info)
{
    if (provider_find(value) != NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "is built in: choose another name");
    }
    return of_set(value, "-") ? ERR_OK : errinfo_set(info, ERR_INVALID, "config", 0, "write it in a-z, 0-9 and - only");
}

static enum err check_code(struct view value, struct errinfo *info)
{
    return of_set(value, "!-") ? ERR_OK
                               : errinfo_set(info, ERR_INVALID, "config", 0, "write it in a-z, 0-9, ! and - only");
}

static enum err check_class(struct view value, struct errinfo *info)
{
    static const char *const known[] = {"D2", "G", "J", "S", "R", "X", "L"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (view_starts_with(value, view_of(known[i]))) {
            return ERR_OK;
        }
    }
    return errinfo_set(info, ERR_INVALID, "config", 0,
                       "begin with D2 (dyndns2), G (simple GET or POST), J (JSON), S (signed) or R (RFC 2136)");
}

static enum err check_day(struct view value, struct errinfo *info)
{
    bool good = value.len == 10;
    for (size_t i = 0; good && i < value.len; i++) {
        char c = value.ptr[i];
        good = i == 4 || i == 7 ? c == '-' : c >= '0' && c <= '9';
    }
    uint64_t month = 0, day = 0;
    good = good && view_to_u64(view_n(value.ptr + 5, 2), 12, &month) == ERR_OK && month > 0 &&
           view_to_u64(view_n(value.ptr + 8, 2), 31, &day) == ERR_OK && day > 0;
    return good ? ERR_OK : errinfo_set(info, ERR_INVALID, "config", 0, "write the day as 2026-11-23");
}

static enum err check_status(struct view value, struct errinfo *info)
{
    bool good = value.len == 3 && value.ptr[0] >= '1' && value.ptr[0] <= '5';
    bool any = value.len == 3 && value.ptr[1] == 'x' && value.ptr[2] == 'x';
    for (size_t i = 1; good && !any && i < 3; i++) {
        good = value.ptr[i] >= '0' && value.ptr[i] <= '9';
    }
    return good ? ERR_OK : errinfo_set(info, ERR_INVALID, "config", 0, "write an HTTP status such as 200, or 5xx");
}

static enum err check_regex(struct view value, struct errinfo *info)
{
    regex_t regex;
    enum err err = template_regex_compile(value, &regex, info);
    if (err == ERR_OK) {
        regfree(&regex);
    }
    return err;
}

static enum err check_pointer(struct view value, struct errinfo *info)
{
    return value.len == 0 || value.ptr[0] == '/'
               ? ERR_OK
               : errinfo_set(info, ERR_INVALID, "config", 0, "is not a JSON pointer: start it with / (RFC 6901)");
}

static enum err check_element(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'))) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "is not the name of an XML element");
        }
    }
    return ERR_OK;
}

static enum err check_text(struct view value, struct errinfo *info)
{
    return template_text_check(value, info);
}

static enum err check_header(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] >= 0x7f) {
            return errinfo_set(info, ERR_INVALID, "config", 0, "a header holds ASCII only");
        }
    }
    return template_text_check(value, info);
}

#define ROW(row_name, row_type, owner, field) .name = row_name, .type = row_type, .offset = offsetof(owner, field)
#define TEXT(row_name, owner, field)          ROW(row_name, CONFIG_STRING, owner, field), .flags = CONFIG_PLACED
#define CHOICE(row_name, owner, field, names) ROW(row_name, CONFIG_ENUM, owner, field), .choices = names
#define SECTION(row_name, field, section_rows)                                                                         \
    ROW(row_name, CONFIG_SECTION, struct template_config, field), .rows = section_rows, .position_offset = 0

/** Rows of a request; @p prefix is the way to it in @p type. */
#define REQUEST_ROWS(owner, prefix, default_method)                                                                    \
    {CHOICE("method", owner, prefix method, methods), .def = default_method, .help = "HTTP method"},                   \
        {TEXT("url", owner, prefix url), .max = TEMPLATE_URL_MAX, .check = check_text,                                 \
         .help = "address of the request; may hold placeholders and a query"},                                         \
        {TEXT("url6", owner, prefix url6), .max = TEMPLATE_URL_MAX, .check = check_text,                               \
         .help = "the same for IPv6 where that goes to another address"},                                              \
        {ROW("query", CONFIG_MAP, owner, prefix query), .max = TEMPLATE_PARAMETERS_MAX, .check = check_text,           \
         .help = "parameters of the query; one whose value comes out empty is left out, but for the host's"},          \
        {CHOICE("auth", owner, prefix auth, auths), .def = "none", .help = "how the login travels"},                   \
        {TEXT("auth_user", owner, prefix auth_user), .max = 256, .check = check_text,                                  \
         .help = "user of `auth: basic`; {username} by default"},                                                      \
        {TEXT("auth_secret", owner, prefix auth_secret), .max = 256, .check = check_text,                              \
         .help = "password or token of `auth`; {secret} by default"},                                                  \
        {ROW("headers", CONFIG_MAP, owner, prefix headers), .max = TEMPLATE_HEADERS_MAX, .check = check_header,        \
         .help = "further headers"},                                                                                   \
        {ROW("form", CONFIG_MAP, owner, prefix form), .max = TEMPLATE_PARAMETERS_MAX, .check = check_text,             \
         .help = "body of a form (application/x-www-form-urlencoded)"},                                                \
        {TEXT("json", owner, prefix json), .check = check_text, .help = "JSON body"},                                  \
    {                                                                                                                  \
        ROW("idempotent", CONFIG_BOOL, owner, prefix idempotent),                                                      \
            .def = "false",                                                                                            \
            .help =                                                                                                    \
                "true: the service minds no repetition, so an unknown outcome is sent again instead of looked up in "  \
                "DNS"                                                                                                  \
    }

static const struct config_row request_rows[] = {REQUEST_ROWS(struct template_request, , "GET"), {.name = NULL}};
static const struct config_row create_rows[] = {REQUEST_ROWS(struct template_request, , "POST"), {.name = NULL}};
static const struct config_row delete_rows[] = {REQUEST_ROWS(struct template_request, , "DELETE"), {.name = NULL}};
static enum err check_parameter(struct view value, struct errinfo *info)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain) {
            return errinfo_set(info, ERR_INVALID, "config", 0,
                               "must be letters, digits, _ and -: it stands in the URL");
        }
    }
    return ERR_OK;
}

static const struct config_row lookup_rows[] = {
    REQUEST_ROWS(struct template_lookup, request., "GET"),
    {CHOICE("per", struct template_lookup, per, pers), .def = "host",
     .help = "what the answer holds for: a host (and its type, where the lookup uses {type}), or the whole zone"},
    {ROW("fresh", CONFIG_BOOL, struct template_lookup, fresh), .def = "false",
     .help = "true: asked before every request, since a change makes the answer wrong"},
    {TEXT("list", struct template_lookup, list), .max = 256, .check = check_pointer,
     .help = "JSON pointer to an array or object: the first element for which all of `where` hold is taken"},
    {ROW("where", CONFIG_MAP, struct template_lookup, where), .max = TEMPLATE_WHERE_MAX, .check = check_text,
     .help = "JSON pointers in the element and the texts that they must equal"},
    {TEXT("next", struct template_lookup, next), .max = 256, .check = check_pointer,
     .help =
         "JSON pointer to what asks for the next page: followed until the element of `list` is found or there is none"},
    {ROW("next_param", CONFIG_STRING, struct template_lookup, next_param), .max = 64, .check = check_parameter,
     .help = "query parameter that takes what `next` points to"},
    {ROW("capture", CONFIG_MAP, struct template_lookup, capture), .flags = CONFIG_REQUIRED, .min = 1,
     .max = TEMPLATE_CAPTURES_MAX, .check = check_pointer,
     .help = "names and JSON pointers of what is kept: {capture.NAME}"},
    {.name = NULL},
};

static const struct config_row rule_rows[] = {
    {ROW("status", CONFIG_STRINGS, struct template_rule, status), .max = 8, .check = check_status,
     .help = "HTTP statuses; without it any, and 2xx for applied and unchanged"},
    {TEXT("line", struct template_rule, line), .max = TEMPLATE_REGEX_MAX, .check = check_regex,
     .help = "regular expression (POSIX extended) that a whole line matches"},
    {TEXT("body", struct template_rule, body), .max = TEMPLATE_REGEX_MAX, .check = check_regex,
     .help = "the same for the whole reply without blanks around it"},
    {TEXT("json", struct template_rule, json), .max = 256, .check = check_pointer,
     .help = "JSON pointer to something that is there; with `equals` or `matches`, and has that value"},
    {TEXT("xml", struct template_rule, xml), .min = 1, .max = 64, .check = check_element,
     .help = "the same for the first XML element of that name"},
    {TEXT("equals", struct template_rule, equals), .max = 256, .help = "the value of `json` or `xml`"},
    {TEXT("matches", struct template_rule, matches), .max = TEMPLATE_REGEX_MAX, .check = check_regex,
     .help = "regular expression that the whole value of `json` or `xml` matches"},
    {CHOICE("then", struct template_rule, then, template_thens), .flags = CONFIG_REQUIRED,
     .help = "what the reply obliges a client to do"},
    {ROW("code", CONFIG_STRING, struct template_rule, code), .min = 1, .max = 32, .check = check_code,
     .help = "short id for people; that of `then` by default"},
    {ROW("detail", CONFIG_STRING, struct template_rule, detail), .max = 160, .help = "cause and remedy in one line"},
    {ROW("wait", CONFIG_DURATION, struct template_rule, wait), .max = 7ull * 24 * 3600 * 1000, .def = "0s",
     .help = "with wait_host and wait_account: how long; 0s: the reply's Retry-After, or growing pauses"},
    {ROW("repeats", CONFIG_U32, struct template_rule, repeats), .max = 100, .def = "0",
     .help = "so many in a row raise an alarm, and stop the host where it was applied or unchanged; 0: any number"},
    {ROW("address", CONFIG_U32, struct template_rule, address), .max = TEMPLATE_GROUPS_MAX, .def = "0",
     .help =
         "group of `line`, `body` or `matches` with the addresses that the service echoes, which must be those sent"},
    {.name = NULL},
};

static const struct config_row rate_rows[] = {
    {ROW("calls", CONFIG_U32, struct template_rate, calls), .flags = CONFIG_REQUIRED, .min = 1, .max = 1000000,
     .help = "most requests"},
    {ROW("per", CONFIG_DURATION, struct template_rate, per), .flags = CONFIG_REQUIRED, .min = 100,
     .max = 31ull * 24 * 3600 * 1000, .help = "in any time of that length"},
    {CHOICE("of", struct template_rate, of, rate_ofs), .def = "account", .help = "what has that limit"},
    {.name = NULL},
};

static const struct config_row example_rows[] = {
    {ROW("status", CONFIG_U32, struct template_example, status), .min = 100, .max = 599, .def = "200",
     .help = "HTTP status of a reply"},
    {ROW("body", CONFIG_STRING, struct template_example, body), .flags = CONFIG_LINES, .max = 2048, .def = "\"\"",
     .help = "its body; the address sent was 192.0.2.1"},
    {CHOICE("then", struct template_example, then, template_thens), .flags = CONFIG_REQUIRED,
     .help = "what the rules must make of it"},
    {ROW("code", CONFIG_STRING, struct template_example, code), .max = 32, .help = "and its code"},
    {.name = NULL},
};

#define CONFIG(row_name, row_type, field) ROW(row_name, row_type, struct template_config, field)
#define FACT                              .flags = CONFIG_REQUIRED, .min = 1

static const struct config_row account_rows[] = {
#define AT(field) offsetof(struct template_config, field) - offsetof(struct template_config, account)
    {.name = "username",
     .type = CONFIG_ENUM,
     .offset = AT(account.username),
     .choices = user_needs,
     .def = "none",
     .help = "the account's login; secret: required, and a key that nobody is shown"},
    {.name = "password",
     .type = CONFIG_ENUM,
     .offset = AT(account.password),
     .choices = needs,
     .def = "none",
     .help = "its password, token or API key: {secret}, from `password_file`"},
    {.name = "host_secrets",
     .type = CONFIG_ENUM,
     .offset = AT(account.host_secrets),
     .choices = needs,
     .def = "none",
     .help = "a secret for each host, from `secrets_file`: {secret} is then the host's own"},
    {.name = "url",
     .type = CONFIG_ENUM,
     .offset = AT(account.url),
     .choices = needs,
     .def = "none",
     .help = "an own address of the service, which replaces `request.url` up to its query"},
    {.name = "options",
     .type = CONFIG_MAP,
     .offset = AT(account.options),
     .max = PROVIDER_OPTIONS_MAX,
     .help = "options that an account must have and what they are: {option.NAME}"},
    {.name = "optional_options",
     .type = CONFIG_MAP,
     .offset = AT(account.optional_options),
     .max = PROVIDER_OPTIONS_MAX,
     .help = "options that it may have"},
#undef AT
    {.name = NULL},
};
static const struct config_row hosts_rows[] = {
#define AT(field) offsetof(struct template_config, field) - offsetof(struct template_config, hosts)
    {.name = "max",
     .type = CONFIG_U32,
     .offset = AT(hosts.max),
     .min = 1,
     .max = TEMPLATE_HOSTS_MAX,
     .def = "1",
     .help = "most host names in one request"},
    {.name = "per_account",
     .type = CONFIG_U32,
     .offset = AT(hosts.per_account),
     .max = 1,
     .def = "0",
     .help = "1: the login stands for one host name, so an account has one; 0: any number"},
    {.name = "separator",
     .type = CONFIG_STRING,
     .offset = AT(hosts.separator),
     .min = 1,
     .max = 4,
     .def = "\",\"",
     .help = "what stands between them"},
    {.name = "form",
     .type = CONFIG_ENUM,
     .offset = AT(hosts.form),
     .choices = forms,
     .def = "fqdn",
     .help = "how {host} is written: whole, or without `domain`"},
    {.name = "domain",
     .type = CONFIG_NAME,
     .offset = AT(hosts.domain),
     .help = "with `form: label`: the service's domain; by default the zone"},
    {.name = "apex",
     .type = CONFIG_STRING,
     .offset = AT(hosts.apex),
     .max = 16,
     .def = "\"@\"",
     .help = "with `form: label`: how the domain itself is written"},
#undef AT
    {.name = NULL},
};
static const struct config_row families_rows[] = {
#define AT(field) offsetof(struct template_config, field) - offsetof(struct template_config, families)
    {.name = "send",
     .type = CONFIG_ENUM,
     .offset = AT(families.send),
     .choices = sends,
     .def = "separate",
     .help = "separate: a request a family ({ip}); list: \"v4,v6\" where both change ({ips}); pair: a parameter each "
             "({ip4}, {ip6}); ipv4: no IPv6; account: as the account's `ipv6` says ({myip}, {myipv6})"},
    {.name = "omitted",
     .type = CONFIG_ENUM,
     .offset = AT(families.omitted),
     .choices = omissions,
     .def = "keeps",
     .help = "what the service does with a family that a request does not name; detects: takes it from the connection"},
    {.name = "unchanged",
     .type = CONFIG_STRING,
     .offset = AT(families.unchanged),
     .min = 1,
     .max = 32,
     .help = "with `pair`: the word that leaves a family alone"},
#undef AT
    {.name = NULL},
};
static const struct config_row reply_rows[] = {
#define AT(field) offsetof(struct template_config, field) - offsetof(struct template_config, reply)
    {.name = "base",
     .type = CONFIG_ENUM,
     .offset = AT(reply.base),
     .choices = bases,
     .def = "none",
     .help = "rules tried after `rules`: the return codes of the dyndns2 protocol, or those of HTTP alone"},
    {.name = "lines",
     .type = CONFIG_ENUM,
     .offset = AT(reply.lines),
     .choices = line_ways,
     .def = "hosts",
     .help = "hosts: a line for each host in the order of the request; any: `line` looks for one anywhere"},
    {.name = "one_line",
     .type = CONFIG_ENUM,
     .offset = AT(reply.one_line),
     .choices = one_lines,
     .def = "none",
     .help = "whom one line alone is about where several hosts were sent: all of them, or none that can be told"},
    {.name = "rules",
     .type = CONFIG_LIST,
     .offset = AT(reply.rules),
     .max = TEMPLATE_RULES_MAX,
     .rows = rule_rows,
     .element_size = sizeof(struct template_rule),
     .position_offset = offsetof(struct template_rule, position),
     .help = "the first whose conditions all hold says what a reply means; where none does the outcome is unknown"},
#undef AT
    {.name = NULL},
};
static const struct config_row limits_rows[] = {
#define AT(field) offsetof(struct template_config, field) - offsetof(struct template_config, limits)
    {.name = "requests",
     .type = CONFIG_U32,
     .offset = AT(limits.requests),
     .min = 1,
     .max = PROVIDER_DEPTH_MAX,
     .def = "1",
     .help = "most requests at once"},
    {.name = "rates",
     .type = CONFIG_LIST,
     .offset = AT(limits.rates),
     .max = PROVIDER_RATES_MAX - 1,
     .rows = rate_rows,
     .element_size = sizeof(struct template_rate),
     .position_offset = offsetof(struct template_rate, position),
     .help = "documented limits"},
    {.name = "interval",
     .type = CONFIG_DURATION,
     .offset = AT(limits.interval),
     .max = 7ull * 24 * 3600 * 1000,
     .def = "0s",
     .help = "least time between two updates of one host and type"},
    {.name = "refresh",
     .type = CONFIG_DURATION,
     .offset = AT(limits.refresh),
     .max = 400ull * 24 * 3600 * 1000,
     .def = "0s",
     .help = "an unchanged name is sent again after that, before the service lets it expire; 0s: never"},
    {.name = "ttl",
     .type = CONFIG_U32,
     .offset = AT(limits.ttl),
     .unit = "seconds",
     .max = 604800,
     .def = "0",
     .help = "what the service serves where it is fixed; 0: what is asked for"},
    {.name = "ttl_min",
     .type = CONFIG_U32,
     .offset = AT(limits.ttl_min),
     .unit = "seconds",
     .max = 604800,
     .def = "0",
     .help = "shortest that it takes"},
    {.name = "ttl_max",
     .type = CONFIG_U32,
     .offset = AT(limits.ttl_max),
     .unit = "seconds",
     .max = 2147483647,
     .def = "0",
     .help = "longest that it takes; 0: any"},
    {.name = "wait",
     .type = CONFIG_DURATION,
     .offset = AT(limits.wait),
     .max = 7ull * 24 * 3600 * 1000,
     .def = "10m",
     .help = "pause after HTTP 429 that says no time"},
#undef AT
    {.name = NULL},
};

static const struct config_row rows[] = {
    {CONFIG("format", CONFIG_U32, format), FACT, .max = 1, .help = "version of this form: 1"},
    {CONFIG("name", CONFIG_STRING, name), .flags = CONFIG_REQUIRED | CONFIG_PLACED, .min = 1, .max = 32,
     .check = check_name, .help = "value of `provider:` in an account; the file is NAME.yaml"},
    {CONFIG("service", CONFIG_STRING, service), FACT, .max = 64, .help = "as people call it"},
    {CONFIG("class", CONFIG_STRING, class), FACT, .max = 8, .check = check_class, .help = "kind of interface"},
    {CHOICE("status", struct template_config, status, statuses), .def = "ok",
     .help = "ok: the vendor's page was read; undocumented: there is none; dead: the service has ended"},
    {CONFIG("since", CONFIG_STRING, since), .min = 1, .max = 16, .def = "\"0.1\"",
     .help = "version of Muster that had it first"},
    {CONFIG("source", CONFIG_STRING, source), FACT, .max = 300,
     .help = "page that says how it works; without one: what is known to send it"},
    {CONFIG("read", CONFIG_STRING, read), FACT, .check = check_day, .help = "day on which that was read"},
    {CONFIG("note", CONFIG_STRING, note), .max = 400, .help = "one line for people"},
    {SECTION("account", account, account_rows), .help = "what an account must and may have"},
    {SECTION("hosts", hosts, hosts_rows), .help = "how host names are sent"},
    {SECTION("families", families, families_rows), .help = "how IPv4 and IPv6 are sent"},
    {SECTION("request", request, request_rows), .flags = CONFIG_REQUIRED,
     .help = "the request that changes an address"},
    {SECTION("delete", delete, delete_rows),
     .help = "the request that removes an address; without it the service cannot"},
    {SECTION("create", create, create_rows),
     .help = "the request that makes a record which is not there: a capture is missing, or a rule says `missing`"},
    {SECTION("lookup", lookup, lookup_rows),
     .help = "a request whose JSON answer holds what the others need; kept until the service answers 404"},
    {SECTION("reply", reply, reply_rows), .help = "what a reply means"},
    {SECTION("limits", limits, limits_rows), .help = "what the service asks of its clients"},
    {CONFIG("examples", CONFIG_LIST, examples), .max = TEMPLATE_EXAMPLES_MAX, .rows = example_rows,
     .element_size = sizeof(struct template_example), .position_offset = offsetof(struct template_example, position),
     .help = "replies and what the rules must make of them: checked at every load"},
    {.name = NULL},
};

const struct config_schema template_schema = {
    .title = "muster-provider", .rows = rows, .size = sizeof(struct template_config), .check = template_check};

/** The checks above that say which characters may stand there, as regular expressions of JSON Schema. */
const char *template_row_pattern(const struct config_row *row)
{
    static const struct {
        enum err (*check)(struct view value, struct errinfo *info);
        const char *pattern;
    } patterns[] = {{check_name, "^[a-z0-9-]+$"},
                    {check_code, "^[a-z0-9!-]+$"},
                    {check_class, "^(D2|G|J|S|R|X|L)"},
                    {check_day, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
                    {check_status, "^[1-5]([0-9]{2}|xx)$"},
                    {check_pointer, "^(/|$)"},
                    {check_element, "^[A-Za-z_][A-Za-z0-9_.:-]*$"},
                    {check_parameter, "^[A-Za-z0-9_-]*$"}};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        if (row->check == patterns[i].check) {
            return patterns[i].pattern;
        }
    }
    return NULL;
}
