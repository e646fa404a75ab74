/* SPDX-License-Identifier: Apache-2.0 */
/* template_check: what the rows of a template cannot say one by one. */
#include <string.h>

#include "base/macros.h"
#include "base/suggest.h"
#include "providers/template_internal.h"

/* ---- placeholders ---- */

struct check {
    const struct template_config *config;
    struct config_errors *errors;
    const struct template_request *request; /* that is looked at */
};

static bool has_key(const struct config_map *map, struct view key)
{
    for (size_t i = 0; i < map->len; i++) {
        if (view_equals(key, map->items[i].key)) {
            return true;
        }
    }
    return false;
}

static void complain_key(const struct check *check, const struct config_position *at, const char *what,
                         const struct config_map *map, const struct config_map *more, struct view key,
                         const char *remedy)
{
    struct suggest suggest;
    suggest_init(&suggest, key);
    for (size_t i = 0; i < map->len; i++) {
        suggest_offer(&suggest, map->items[i].key);
    }
    for (size_t i = 0; more != NULL && i < more->len; i++) {
        suggest_offer(&suggest, more->items[i].key);
    }
    if (suggest.best != NULL) {
        config_error(check->errors, at, "{%s.%.*s} is not declared; did you mean {%s.%s}?", what, VIEW_ARG(key), what,
                     suggest.best);
    } else {
        config_error(check->errors, at, "{%s.%.*s} is not declared; %s", what, VIEW_ARG(key), remedy);
    }
}

static void check_keyed(const struct check *check, const struct config_position *at, const struct template_part *part)
{
    const struct template_config *config = check->config;
    bool in_lookup = check->request == &config->lookup.request;
    if (part->slot == TEMPLATE_SLOT_OPTION) {
        if (!has_key(&config->account.options, part->key) && !has_key(&config->account.optional_options, part->key)) {
            complain_key(check, at, "option", &config->account.options, &config->account.optional_options, part->key,
                         "add it to account.options");
        }
    } else if (in_lookup || config->lookup.request.position.line == 0) {
        config_error(check->errors, at, "{capture.%.*s} needs a `lookup` that finds it before", VIEW_ARG(part->key));
    } else if (!has_key(&config->lookup.capture, part->key)) {
        complain_key(check, at, "capture", &config->lookup.capture, NULL, part->key, "add it to lookup.capture");
    }
}

static const char *slot_fault(const struct check *check, enum template_slot slot)
{
    const struct template_config *config = check->config;
    enum template_send send = (enum template_send)config->families.send;
    switch (slot) {
    case TEMPLATE_SLOT_USERNAME:
        return config->account.username == TEMPLATE_NONE ? "{username} needs `account.username`" : NULL;
    case TEMPLATE_SLOT_SECRET:
        return config->account.password == TEMPLATE_NONE && config->account.host_secrets == TEMPLATE_NONE
                   ? "{secret} needs `account.password` or `account.host_secrets`"
                   : NULL;
    case TEMPLATE_SLOT_PASSWORD:
        return config->account.password == TEMPLATE_NONE ? "{password} needs `account.password`" : NULL;
    case TEMPLATE_SLOT_IP:
        return send == TEMPLATE_LIST || send == TEMPLATE_PAIR || send == TEMPLATE_ACCOUNT
                   ? "{ip} stands for one family: with `send: list` write {ips}, with `send: pair` {ip4} and {ip6}"
                   : NULL;
    case TEMPLATE_SLOT_MYIP:
    case TEMPLATE_SLOT_MYIPV6:
        return send != TEMPLATE_ACCOUNT ? "{myip} and {myipv6} go with `families.send: account`" : NULL;
    case TEMPLATE_SLOT_IP6:
        return send == TEMPLATE_IPV4 ? "{ip6} cannot go with `families.send: ipv4`" : NULL;
    case TEMPLATE_SLOT_HOST:
    case TEMPLATE_SLOT_FQDN:
    case TEMPLATE_SLOT_LABEL:
        return config->hosts.max > 1 && check->request == &config->request
                   ? "with hosts.max over 1 write {hosts}: there is no one host"
                   : NULL;
    default:
        return NULL;
    }
}

static void check_text(const struct check *check, const char *text, const struct config_position *at)
{
    struct view rest = view_of(text), unknown;
    struct template_part part;
    while (template_text_next(&rest, &part, &unknown)) {
        if (!part.is_slot) {
            continue;
        }
        const char *fault = slot_fault(check, part.slot);
        if (fault != NULL) {
            config_error(check->errors, at, "%s", fault);
        } else if (part.slot >= TEMPLATE_SLOT_OPTION) {
            check_keyed(check, at, &part);
        }
    }
}

/** Placeholders may stand in the names of parameters, too. */
static void check_map(const struct check *check, const struct config_map *map)
{
    for (size_t i = 0; i < map->len; i++) {
        struct errinfo info = {0};
        check_text(check, map->items[i].value, &map->items[i].position);
        check_text(check, map->items[i].key, &map->items[i].position);
        if (template_text_check(view_of(map->items[i].key), &info) != ERR_OK) {
            config_error(check->errors, &map->items[i].position, "%s", info.text);
        }
    }
}

/** RFC 9110 5.1: a token. */
static void check_headers(const struct check *check, const struct config_map *map)
{
    for (size_t i = 0; i < map->len; i++) {
        const char *name = map->items[i].key;
        bool token = name[0] != '\0';
        for (const char *c = name; *c != '\0'; c++) {
            bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
            token = token && (plain || strchr("!#$%&'*+-.^_`|~", *c) != NULL);
        }
        if (!token) {
            config_error(check->errors, &map->items[i].position, "%s cannot be the name of a header", name);
        }
    }
}

/* ---- requests ---- */

static bool request_uses(const struct template_request *request, enum template_slot slot)
{
    const char *texts[] = {request->url.text, request->url6.text, request->json.text};
    const struct config_map *maps[] = {&request->query, &request->form, &request->headers};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        found = found || (texts[i] != NULL && template_text_uses(texts[i], slot));
    }
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        for (size_t j = 0; j < maps[i]->len; j++) {
            found = found || template_text_uses(maps[i]->items[j].value, slot) ||
                    template_text_uses(maps[i]->items[j].key, slot);
        }
    }
    return found;
}

static bool names_secret(const struct template_request *request)
{
    return request->auth != TEMPLATE_AUTH_NONE || request_uses(request, TEMPLATE_SLOT_SECRET) ||
           request_uses(request, TEMPLATE_SLOT_PASSWORD);
}

/** The host of a URL may be an option, never an address or a name of a record. */
static bool host_is_fixed(const char *text)
{
    struct view rest = view_of(text), unknown;
    struct template_part part;
    size_t slashes = 0;
    while (template_text_next(&rest, &part, &unknown)) {
        for (size_t i = 0; i < part.literal.len; i++) {
            slashes += part.literal.ptr[i] == '/';
        }
        if (part.is_slot && slashes < 3 && part.slot != TEMPLATE_SLOT_OPTION) {
            return false;
        }
    }
    return true;
}

static void check_url(const struct check *check, const struct template_request *request, const struct config_text *url)
{
    struct view text = view_of(url->text);
    bool plain = view_starts_with(text, VIEW_LITERAL("http://"));
    if (url->text == NULL) {
        return;
    }
    if (!plain && !view_starts_with(text, VIEW_LITERAL("https://"))) {
        config_error(check->errors, &url->position, "a URL must start with https://");
    } else if (plain && names_secret(request)) {
        config_error(check->errors, &url->position, "the secret would travel in the clear: write https://");
    } else if (plain && check->config->note == NULL) {
        config_error(check->errors, &url->position,
                     "write https://, or say in `note` why the service has http:// only");
    } else if (strpbrk(url->text, " \t\"<>\\^`|#") != NULL) {
        config_error(check->errors, &url->position,
                     "a URL holds no blank, quote, bracket or #: write %%20 and its like");
    } else if (!host_is_fixed(url->text)) {
        config_error(check->errors, &url->position, "only {option.NAME} may stand in the host of a URL");
    }
    check_text(check, url->text, &url->position);
}

static bool fill_one(void *context, enum template_slot slot, struct view key, struct strbuf *out)
{
    (void)context;
    (void)slot;
    (void)key;
    return strbuf_addc(out, '1') == ERR_OK;
}

static void check_json(const struct check *check, const struct config_text *json)
{
    struct strbuf filled;
    struct errinfo info = {0};
    json_t *parsed = NULL;
    strbuf_init(&filled, PROVIDER_HTTP_BODY_MAX);
    enum err err = template_text_expand(json->text, TEMPLATE_PLACE_JSON, fill_one, NULL, &filled);
    if (err == ERR_OK) {
        err = json_parse(strbuf_view(&filled), PROVIDER_HTTP_BODY_MAX, TEMPLATE_JSON_DEPTH_MAX, &parsed, &info);
    }
    if (err != ERR_OK) {
        config_error(check->errors, &json->position, "is not JSON with 1 for each placeholder: %s",
                     info.text[0] != '\0' ? info.text : err_text(err));
    }
    json_decref(parsed);
    strbuf_deinit(&filled);
}

static void check_request(struct check *check, const struct template_request *request, const char *name)
{
    const struct template_config *config = check->config;
    check->request = request;
    if (request->position.line == 0) {
        return;
    }
    if (request->url.text == NULL && config->account.url != TEMPLATE_REQUIRED) {
        config_error(check->errors, &request->position, "%s needs `url`, or the account does: account.url: required",
                     name);
    }
    if (request->url6.text != NULL && config->families.send != TEMPLATE_SEPARATE && request != &config->delete) {
        config_error(check->errors, &request->url6.position, "`url6` goes with `families.send: separate`");
    }
    if (request->form.len > 0 && request->json.text != NULL) {
        config_error(check->errors, &request->json.position, "a request has a form or JSON, not both");
    }
    if (request->method == HTTP_VERB_GET && (request->form.len > 0 || request->json.text != NULL)) {
        config_error(check->errors, &request->position, "a GET has no body: set `method`, or put it into `query`");
    }
    if (request->auth != TEMPLATE_AUTH_NONE && request->auth_secret.text == NULL &&
        config->account.password == TEMPLATE_NONE && config->account.host_secrets == TEMPLATE_NONE) {
        config_error(check->errors, &request->position, "`auth` needs `account.password` or `account.host_secrets`");
    }
    check_url(check, request, &request->url);
    check_url(check, request, &request->url6);
    const struct config_text *texts[] = {&request->auth_user, &request->auth_secret, &request->json};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        check_text(check, texts[i]->text, &texts[i]->position);
    }
    check_map(check, &request->query);
    check_map(check, &request->form);
    check_map(check, &request->headers);
    check_headers(check, &request->headers);
    if (request->json.text != NULL) {
        check_json(check, &request->json);
    }
}

/* ---- sections against each other ---- */

static void check_lookup(struct check *check)
{
    const struct template_lookup *lookup = &check->config->lookup;
    if (lookup->request.position.line == 0) {
        return;
    }
    check_map(check, &lookup->where);
    for (size_t i = 0; i < lookup->where.len; i++) {
        if (lookup->where.items[i].key[0] != '/') {
            config_error(check->errors, &lookup->where.items[i].position,
                         "the key %s is not a JSON pointer: start it with /", lookup->where.items[i].key);
        }
    }
    if (lookup->where.len == 0 && lookup->list.text != NULL) {
        config_error(check->errors, &lookup->request.position, "`list` needs `where`: which element is meant");
    }
    if ((lookup->next.text == NULL) != (lookup->next_param == NULL)) {
        config_error(check->errors, &lookup->request.position, "`next` and `next_param` go together");
    }
    if (lookup->next.text != NULL && lookup->list.text == NULL) {
        config_error(check->errors, &lookup->request.position, "`next` needs `list`: what is looked for on each page");
    }
    if (lookup->per == TEMPLATE_PER_HOST && check->config->hosts.max > 1) {
        config_error(check->errors, &lookup->request.position, "a lookup per host needs hosts.max: 1");
    }
}

static bool is_used(const struct template_config *config, enum template_slot slot)
{
    return request_uses(&config->request, slot);
}

static void check_families(const struct check *check)
{
    const struct template_config *config = check->config;
    const struct config_position *at =
        config->families.position.line != 0 ? &config->families.position : &config->request.position;
    static const enum template_slot needed[][2] = {
        [TEMPLATE_SEPARATE] = {TEMPLATE_SLOT_IP, TEMPLATE_SLOT_IPS},
        [TEMPLATE_LIST] = {TEMPLATE_SLOT_IPS, TEMPLATE_SLOT_IPS},
        [TEMPLATE_PAIR] = {TEMPLATE_SLOT_IP4, TEMPLATE_SLOT_IP4},
        [TEMPLATE_IPV4] = {TEMPLATE_SLOT_IP, TEMPLATE_SLOT_IP4},
        [TEMPLATE_ACCOUNT] = {TEMPLATE_SLOT_MYIP, TEMPLATE_SLOT_MYIP},
    };
    int send = config->families.send;
    bool says = is_used(config, needed[send][0]) || is_used(config, needed[send][1]);
    /* of a family alone, which is separate requests with a parameter each */
    says =
        says || (send == TEMPLATE_SEPARATE && is_used(config, TEMPLATE_SLOT_IP4) && is_used(config, TEMPLATE_SLOT_IP6));
    says = says || (send == TEMPLATE_IPV4 && is_used(config, TEMPLATE_SLOT_IPS));
    if (!says || (send == TEMPLATE_PAIR && !is_used(config, TEMPLATE_SLOT_IP6))) {
        config_error(check->errors, at, "`request` never says the address: with `send: %s` write %s",
                     (const char *const[]){"separate", "list", "pair", "ipv4", "account"}[send],
                     (const char *const[]){"{ip}", "{ips}", "{ip4} and {ip6}", "{ip}", "{myip} and {myipv6}"}[send]);
    }
    bool loses = config->families.omitted != TEMPLATE_KEEPS && send != TEMPLATE_IPV4 && send != TEMPLATE_ACCOUNT;
    if (loses && (send != TEMPLATE_PAIR || config->families.unchanged == NULL)) {
        config_error(
            check->errors, at,
            "a change of one family would lose the other: write `send: pair` with the word for `unchanged`, or "
            "`send: ipv4`; where each family has an address of its own (`url6`) it is `omitted: keeps`");
    }
    if (config->families.unchanged != NULL && send != TEMPLATE_PAIR) {
        config_error(check->errors, at, "`unchanged` goes with `send: pair`");
    }
    if (send == TEMPLATE_PAIR && config->request.json.text != NULL && config->families.unchanged == NULL &&
        template_text_uses(config->request.json.text, TEMPLATE_SLOT_IP4)) {
        config_error(
            check->errors, &config->request.json.position,
            "a family that does not change would be an empty text in the JSON: `send: pair` needs `unchanged`");
    }
}

static void check_create(const struct check *check)
{
    const struct template_config *config = check->config;
    bool alone = config->hosts.max == 1 &&
                 (config->families.send == TEMPLATE_SEPARATE || config->families.send == TEMPLATE_IPV4);
    if (config->create.position.line != 0 && !alone) {
        config_error(check->errors, &config->create.position,
                     "`create` makes one record: it needs hosts.max: 1 and `families.send` separate or ipv4");
    }
}

static void check_account(const struct check *check)
{
    const struct template_config *config = check->config;
    if (config->account.host_secrets != TEMPLATE_NONE && config->hosts.max > 1) {
        config_error(check->errors, &config->hosts.position, "with a secret for each host a request names one: max: 1");
    }
    for (size_t i = 0; i < config->account.options.len; i++) {
        const struct config_pair *option = &config->account.options.items[i];
        if (has_key(&config->account.optional_options, view_of(option->key))) {
            config_error(check->errors, &option->position, "option %s is required and optional", option->key);
        }
    }
    if (config->hosts.domain != NULL && config->hosts.form != TEMPLATE_LABEL) {
        config_error(check->errors, &config->hosts.position, "`domain` goes with `form: label`");
    }
}

/* ---- replies ---- */

static void check_address(const struct check *check, const struct template_rule *rule)
{
    const struct config_text *text = rule->line.text != NULL   ? &rule->line
                                     : rule->body.text != NULL ? &rule->body
                                                               : &rule->matches;
    if (rule->address == 0) {
        return;
    }
    regex_t regex;
    if (text->text == NULL || template_regex_compile(view_of(text->text), &regex, NULL) != ERR_OK) {
        config_error(check->errors, &rule->position, "`address` needs `line`, `body` or `matches` with that group");
        return;
    }
    if (regex.re_nsub < rule->address + 1) { /* one more is ours */
        config_error(check->errors, &text->position, "has %zu groups: there is no group %u for `address`",
                     regex.re_nsub - 1, rule->address);
    }
    regfree(&regex);
}

static void check_rule(const struct check *check, const struct template_rule *rule)
{
    bool waits = rule->then == TEMPLATE_WAIT_HOST || rule->then == TEMPLATE_WAIT_ACCOUNT;
    bool value = rule->equals.text != NULL || rule->matches.text != NULL;
    if (rule->status.len == 0 && rule->line.text == NULL && rule->body.text == NULL && rule->json.text == NULL &&
        rule->xml.text == NULL) {
        config_error(check->errors, &rule->position, "a rule needs a condition: status, line, body, json or xml");
    }
    if (rule->json.text != NULL && rule->xml.text != NULL) {
        config_error(check->errors, &rule->xml.position, "a rule looks at `json` or `xml`, not at both");
    }
    if (value && rule->json.text == NULL && rule->xml.text == NULL) {
        config_error(check->errors, &rule->position, "`equals` and `matches` go with `json` or `xml`");
    }
    if (rule->equals.text != NULL && rule->matches.text != NULL) {
        config_error(check->errors, &rule->matches.position, "`equals` or `matches`, not both");
    }
    if (rule->wait != 0 && !waits) {
        config_error(check->errors, &rule->position, "`wait` goes with wait_host and wait_account");
    }
    if (rule->then == TEMPLATE_UNKNOWN && rule->repeats != 0) {
        config_error(check->errors, &rule->position, "`repeats` cannot go with unknown");
    }
    check_address(check, rule);
}

static void check_reply(const struct check *check)
{
    const struct template_config *config = check->config;
    const struct template_rule *rules = config->reply.rules.items;
    bool applies = config->reply.base == TEMPLATE_BASE_DYNDNS2;
    for (size_t i = 0; i < config->reply.rules.len; i++) {
        check_rule(check, &rules[i]);
        applies = applies || rules[i].then == TEMPLATE_APPLIED || rules[i].then == TEMPLATE_UNCHANGED;
    }
    if (!applies && config->status == TEMPLATE_OK) { /* what nobody knows DNS is asked about */
        config_error(check->errors, config->reply.position.line != 0 ? &config->reply.position : &config->position,
                     "no reply means success: write `base: dyndns2` or a rule with `then: applied`");
    }
    if (config->reply.one_line == TEMPLATE_ONE_LINE_ALL && config->hosts.max == 1) {
        config_error(check->errors, &config->reply.position, "`one_line: all` goes with hosts.max over 1");
    }
}

static void check_limits(const struct check *check)
{
    const struct template_config *config = check->config;
    uint32_t min = config->limits.ttl_min, max = config->limits.ttl_max;
    if (config->limits.ttl != 0 && (min != 0 || max != 0)) {
        config_error(check->errors, &config->limits.position, "`ttl` is fixed, or it has `ttl_min` and `ttl_max`");
    }
    if (max != 0 && max < min) {
        config_error(check->errors, &config->limits.position, "ttl_max is below ttl_min");
    }
    if (config->limits.refresh != 0 && config->limits.refresh < config->limits.interval) {
        config_error(check->errors, &config->limits.position, "refresh is shorter than interval");
    }
}

void template_check(void *root, struct config_errors *errors)
{
    struct check check = {.config = root, .errors = errors};
    const struct template_config *config = root;
    check_account(&check);
    check_request(&check, &config->request, "request");
    check_request(&check, &config->delete, "delete");
    check_request(&check, &config->create, "create");
    check_request(&check, &config->lookup.request, "lookup");
    check_lookup(&check);
    check_families(&check);
    check_create(&check);
    check_reply(&check);
    check_limits(&check);
}
