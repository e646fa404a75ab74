/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/replay.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/macros.h"
#include "providers/catalogue.h"
#include "providers/hosts.h"

enum { CASE_MAX = 1 << 20, DEPTH_MAX = 12, ITEMS_MAX = 32, WIRE_MAX = 65536, PATH_LEN = 64 };

static const char *const verdict_names[VERDICT_KINDS] = {"settled", "split", "continue", "fenced",
                                                         "suspect", "retry", "unknown",  "stop"};
static const char *const verbs[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

/** One file under replay. */
struct replay {
    const struct provider_ops *ops;
    const struct template *template; /* of the catalogue; NULL for what is written in C */
    void *state;
    struct hosts hosts; /* what the engine remembers of names */
    struct provider_zone zone;
    struct strbuf *faults; /* one line each; empty = the case holds */
    int64_t wall_ms;       /* when the case begins */
    size_t step;
    char folder[PATH_LEN];
};

/** One step under way. */
struct attempt {
    struct batch batch;
    struct batch_item items[ITEMS_MAX];
    struct provider_request request;
    struct provider_owner owner; /* found by, or given to, the fence */
    struct verdict verdict;
    void *list; /* owned, of ops->list_end */
    struct strbuf listed;
};

static bool fault(struct replay *replay, const char *format, ...) PRINTF_LIKE(2, 3);
static bool fault(struct replay *replay, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addf(replay->faults, "step %zu: ", replay->step);
    strbuf_addv(replay->faults, format, args);
    strbuf_addc(replay->faults, '\n');
    va_end(args);
    return false;
}

/** Every key of @p json is one of @p known, with a blank around each: a mistyped expectation is not passed over. */
static bool only_keys(struct replay *replay, json_t *json, const char *known)
{
    const char *key;
    json_t *value;
    bool fine = json_is_object(json) || fault(replay, "an object with%swas expected", known);
    json_object_foreach(json, key, value)
    {
        char word[64];
        (void)snprintf(word, sizeof(word), " %s ", key); /* a cut key is not known either */
        fine = strstr(known, word) != NULL ? fine : fault(replay, "unknown key \"%s\"", key);
    }
    return fine;
}

static const char *text_of(const json_t *json, const char *key, const char *absent)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : absent;
}

static uint64_t number_of(const json_t *json, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(json, key));
}

static bool same_text(struct replay *replay, const char *what, const char *got, const char *want)
{
    return strcmp(got, want) == 0 || fault(replay, "%s is \"%s\", must be \"%s\"", what, got, want);
}

static bool same_number(struct replay *replay, const char *what, uint64_t got, uint64_t want)
{
    return got == want ||
           fault(replay, "%s is %llu, must be %llu", what, (unsigned long long)got, (unsigned long long)want);
}

static bool read_value(const json_t *json, enum rrtype type, struct rrset_value *ret_value)
{
    size_t i;
    json_t *text;
    *ret_value = (struct rrset_value){0};
    json_array_foreach(json, i, text)
    {
        struct ip ip;
        if (!json_is_string(text) || ip_parse(view_of(json_string_value(text)), &ip) != ERR_OK ||
            !rrset_value_add(ret_value, type, &ip)) {
            return false;
        }
    }
    return json == NULL || json_is_array(json);
}

static bool read_change(struct replay *replay, json_t *json, struct batch_item *ret_item)
{
    const char *type = text_of(json, "type", "");
    if (!only_keys(replay, json, " name type ttl want have sent unsure adopt ")) {
        return false;
    }
    *ret_item = (struct batch_item){.name = text_of(json, "name", NULL),
                                    .type = strcmp(type, "AAAA") == 0 ? RRTYPE_AAAA : RRTYPE_A,
                                    .ttl = (uint32_t)number_of(json, "ttl"),
                                    .have_known = json_object_get(json, "have") != NULL,
                                    .adopt = json_is_true(json_object_get(json, "adopt")),
                                    .unsure = json_is_true(json_object_get(json, "unsure")),
                                    .outcome = OUTCOME_UNKNOWN};
    bool fine = ret_item->name != NULL && (ret_item->type == RRTYPE_AAAA || strcmp(type, "A") == 0) &&
                json_is_array(json_object_get(json, "want")) &&
                read_value(json_object_get(json, "want"), ret_item->type, &ret_item->want) &&
                read_value(json_object_get(json, "have"), ret_item->type, &ret_item->have) &&
                read_value(json_object_get(json, "sent"), ret_item->type, &ret_item->sent);
    return fine || fault(replay, "a change needs name, type A or AAAA, and addresses of that type");
}

/** The changes that must fit into one request. */
static bool read_changes(struct replay *replay, const json_t *json, struct attempt *attempt)
{
    size_t i;
    json_t *change;
    attempt->batch = (struct batch){.items = attempt->items};
    json_array_foreach(json, i, change)
    {
        struct batch_item *item = &attempt->items[i];
        if (i == ITEMS_MAX || !read_change(replay, change, item)) {
            return false;
        }
        if (i > 0 && replay->ops->together != NULL && !replay->ops->together(replay->state, &attempt->batch, item)) {
            return fault(replay, "change %zu does not go into one request with those before it", i + 1);
        }
        attempt->batch.len++;
    }
    return attempt->batch.len > 0 || fault(replay, "no changes");
}

/** Hexadecimal bytes, line by line; what stands behind "|" explains them. */
static bool read_wire(struct replay *replay, const json_t *lines, struct strbuf *ret_wire)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        struct view rest = view_of(json_is_string(line) ? json_string_value(line) : "?"), hex, word;
        if (!view_next(&rest, '|', &hex)) {
            continue;
        }
        hex = view_trim(hex);
        while (view_next(&hex, ' ', &word)) {
            for (size_t at = 0; at < word.len; at += 2) {
                char pair[3] = {word.ptr[at], at + 1 < word.len ? word.ptr[at + 1] : '?', '\0'};
                char *end = NULL;
                unsigned long byte = strtoul(pair, &end, 16);
                if (end != pair + 2) {
                    return fault(replay, "line %zu of a message is not hexadecimal", i + 1);
                }
                strbuf_addc(ret_wire, (char)(unsigned char)byte);
            }
        }
    }
    return strbuf_error(ret_wire) == ERR_OK && (ret_wire->len >= 12 || fault(replay, "a message needs its header"));
}

/** "json" is compared as a value, "body" byte by byte. */
static bool check_body(struct replay *replay, const json_t *want, struct view got)
{
    const json_t *json = json_object_get(want, "json");
    json_t *sent = NULL;
    char text[4096];
    if (json == NULL) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)got.len, got.ptr != NULL ? got.ptr : ""); /* long ones: json */
        return same_text(replay, "body", text, text_of(want, "body", ""));
    }
    bool fine = json_parse(got, CASE_MAX, DEPTH_MAX, &sent, NULL) == ERR_OK ||
                fault(replay, "the body is not JSON: %.*s", (int)MIN(got.len, (size_t)200), got.ptr);
    fine =
        fine && (json_equal(sent, json) || fault(replay, "the body is %.*s", (int)MIN(got.len, (size_t)2000), got.ptr));
    json_decref(sent);
    return fine;
}

/** Appends a header that is expected; "{version}" in it is Muster's, which no case should have to name. */
static void add_wanted(struct strbuf *headers, const char *line)
{
    static const char mark[] = "{version}";
    const char *at = strstr(line, mark);
    if (at != NULL) {
        strbuf_addf(headers, "%.*s%s%s\n", (int)(at - line), line, MUSTER_VERSION, at + sizeof(mark) - 1);
    } else {
        strbuf_addf(headers, "%s\n", line);
    }
}

static bool check_http(struct replay *replay, json_t *want, const struct provider_request *request)
{
    char login[512] = "";
    bool fine = only_keys(replay, want, " method url login headers body json ");
    struct strbuf headers;
    size_t i;
    json_t *line;
    if (request->user.len > 0) {
        (void)snprintf(login, sizeof(login), "%.*s:%.*s", (int)request->user.len, request->user.ptr,
                       (int)request->secret.len, request->secret.ptr); /* a cut login differs */
    }
    strbuf_init(&headers, WIRE_MAX);
    json_array_foreach(json_object_get(want, "headers"), i, line)
    {
        add_wanted(&headers, json_is_string(line) ? json_string_value(line) : "");
    }
    fine &= same_text(replay, "method", verbs[request->verb], text_of(want, "method", ""));
    fine &= same_text(replay, "url", strbuf_str(&request->url), text_of(want, "url", ""));
    fine &= same_text(replay, "login", login, text_of(want, "login", ""));
    fine &= same_text(replay, "headers", strbuf_str(&request->headers), strbuf_str(&headers));
    fine &= check_body(replay, want, strbuf_view(&request->body));
    strbuf_deinit(&headers);
    return fine;
}

static bool check_dns(struct replay *replay, const struct strbuf *want, const struct provider_request *request)
{
    const struct strbuf *got = &request->body;
    for (size_t i = 0; i < MIN(got->len, want->len); i++) {
        if (got->ptr[i] != want->ptr[i]) {
            return fault(replay, "byte %zu of the message is %02x, must be %02x", i, (unsigned char)got->ptr[i],
                         (unsigned char)want->ptr[i]);
        }
    }
    return same_number(replay, "length of the message", got->len, want->len);
}

/** What a listing told, line by line, as "name type ttl address". */
static void listed(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    ip_format(ip, text);
    strbuf_addf(context, "%s %s %u %s\n", name, rrtype_name(type), (unsigned)ttl, text);
}

/** Which function builds and reads is said by the key that the step has. */
static enum err build(struct replay *replay, const json_t *step, struct attempt *attempt)
{
    const struct provider_ops *ops = replay->ops;
    if (json_object_get(step, "list") != NULL) {
        return ops->list_next(attempt->list, &attempt->request);
    }
    if (json_object_get(step, "owner") != NULL) {
        return ops->build_owner(replay->state, &replay->zone, &attempt->request);
    }
    json_t *claim = json_object_get(step, "claim");
    if (claim == NULL) {
        return ops->build_request(replay->state, &replay->zone, &attempt->batch, &attempt->request);
    }
    struct provider_owner seen = {.present = json_is_integer(json_object_get(claim, "seen")),
                                  .epoch = number_of(claim, "seen")};
    return ops->build_claim(replay->state, &replay->zone, &seen, number_of(claim, "epoch"), &attempt->request);
}

static enum err parse(struct replay *replay, const json_t *step, const struct provider_reply *reply,
                      struct attempt *attempt)
{
    const struct provider_ops *ops = replay->ops;
    attempt->verdict = (struct verdict){0};
    if (json_object_get(step, "list") != NULL) {
        bool done = false;
        enum err err = ops->list_feed(attempt->list, &attempt->request, reply, &done, NULL);
        attempt->verdict.kind = done ? VERDICT_SETTLED : VERDICT_CONTINUE;
        return err;
    }
    if (json_object_get(step, "owner") != NULL) {
        return ops->parse_owner(replay->state, &attempt->request, reply, &attempt->owner, &attempt->verdict);
    }
    if (json_object_get(step, "claim") != NULL) {
        return ops->parse_claim(replay->state, &attempt->request, reply, &attempt->verdict);
    }
    return ops->parse_reply(replay->state, &replay->zone, &attempt->batch, &attempt->request, reply, &attempt->verdict);
}

static bool exchange_http(struct replay *replay, const json_t *step, json_t *exchange, struct attempt *attempt)
{
    json_t *from = json_object_get(exchange, "reply"), *line;
    size_t i;
    if (!only_keys(replay, from, " status retry_after_s body json headers ")) {
        return false;
    }
    char *json = json_dumps(json_object_get(from, "json"), JSON_COMPACT | JSON_ENCODE_ANY);
    struct http_headers headers;
    http_headers_init(&headers, WIRE_MAX);
    bool fine = true;
    json_array_foreach(json_object_get(from, "headers"), i, line)
    {
        fine &= json_is_string(line) && http_headers_add(&headers, view_of(json_string_value(line))) == ERR_OK;
    }
    uint64_t at_ms = 1000 * number_of(step, "at_s");
    struct provider_reply reply = {.status = (long)number_of(from, "status"),
                                   .body = view_of(json != NULL ? json : text_of(from, "body", "")),
                                   .retry_after_ms = 1000 * number_of(from, "retry_after_s"),
                                   .now_ms = 1000 + at_ms,
                                   .wall_ms = replay->wall_ms + (int64_t)at_ms,
                                   .headers = &headers};
    if (build(replay, step, attempt) != ERR_OK) {
        fine = fault(replay, "the request cannot be built");
    } else {
        fine &= check_http(replay, json_object_get(exchange, "request"), &attempt->request);
        fine &= parse(replay, step, &reply, attempt) == ERR_OK || fault(replay, "the reply cannot be read");
    }
    http_headers_deinit(&headers);
    free(json);
    return fine;
}

/** A signed request holds the time and cannot be foreseen: then there is no "request". */
static bool exchange_dns(struct replay *replay, const json_t *step, json_t *exchange, struct attempt *attempt)
{
    json_t *expected = json_object_get(exchange, "request");
    struct strbuf want, bytes;
    strbuf_init(&want, WIRE_MAX);
    strbuf_init(&bytes, WIRE_MAX);
    bool fine = read_wire(replay, json_object_get(exchange, "reply"), &bytes) &&
                (expected == NULL || read_wire(replay, expected, &want));
    if (fine) {
        attempt->request.id = (uint16_t)((unsigned char)bytes.ptr[0] << 8 | (unsigned char)bytes.ptr[1]);
        fine = build(replay, step, attempt) == ERR_OK || fault(replay, "the request cannot be built");
        fine = fine && (expected == NULL || check_dns(replay, &want, &attempt->request));
        struct provider_reply reply = {.body = strbuf_view(&bytes), .now_ms = 1000};
        if (parse(replay, step, &reply, attempt) != ERR_OK) { /* as the engine does it */
            verdict_set(&attempt->verdict, VERDICT_UNKNOWN, "bad-reply", "the answer cannot be read");
        }
    }
    strbuf_deinit(&want);
    strbuf_deinit(&bytes);
    return fine;
}

/** Who is refused, now or while the rest of the batch goes on, is told why. */
static bool check_reason(struct replay *replay, const struct attempt *attempt)
{
    const struct verdict *verdict = &attempt->verdict;
    bool told = verdict->kind != VERDICT_SETTLED && verdict->kind != VERDICT_CONTINUE;
    for (size_t i = 0; !told && i < attempt->batch.len; i++) {
        const struct batch_item *item = &attempt->batch.items[i];
        if (item->outcome == OUTCOME_REFUSED && item->error != NULL && verdict->detail[0] == '\0') {
            return fault(replay, "%s is refused without a reason", item->name);
        }
    }
    return true;
}

static bool run_exchanges(struct replay *replay, const json_t *step, struct attempt *attempt)
{
    json_t *exchanges = json_object_get(step, "exchanges"), *exchange;
    size_t i, len = json_array_size(exchanges);
    bool dns = replay->ops->transport == PROVIDER_DNS, fine = len > 0 || fault(replay, "no exchanges");
    json_array_foreach(exchanges, i, exchange)
    {
        fine = fine && only_keys(replay, exchange, " request reply ");
        uint64_t at_ms = 1000 * number_of(step, "at_s");
        provider_request_reset(&attempt->request, replay->wall_ms + (int64_t)at_ms, 1000 + at_ms);
        fine = fine &&
               (dns ? exchange_dns(replay, step, exchange, attempt) : exchange_http(replay, step, exchange, attempt));
        fine = fine && check_reason(replay, attempt);
        if (fine && i + 1 < len) {
            fine = same_text(replay, "verdict of a look-up", verdict_names[attempt->verdict.kind], "continue");
        }
    }
    return fine;
}

static bool check_outcome(struct replay *replay, json_t *want, const struct batch_item *item)
{
    bool fine = true;
    if (json_is_string(want)) {
        return same_text(replay, item->name, outcome_name(item->outcome), json_string_value(want));
    }
    fine &= only_keys(replay, want, " outcome error alarm wait_s ");
    fine &= same_text(replay, item->name, outcome_name(item->outcome), text_of(want, "outcome", ""));
    fine &= same_text(replay, "error", item->error != NULL ? item->error : "", text_of(want, "error", ""));
    fine &= same_text(replay, "alarm", item->alarm != NULL ? item->alarm : "", text_of(want, "alarm", ""));
    return same_number(replay, "wait_ms", item->wait_ms, 1000 * number_of(want, "wait_s")) && fine;
}

static bool check_verdict(struct replay *replay, const json_t *step, const struct attempt *attempt)
{
    const struct verdict *verdict = &attempt->verdict;
    json_t *outcomes = json_object_get(step, "outcomes"), *found = json_object_get(step, "found"), *outcome;
    bool settled = verdict->kind == VERDICT_SETTLED, changes = json_object_get(step, "changes") != NULL;
    bool fine = same_text(replay, "verdict", verdict_names[verdict->kind], text_of(step, "verdict", "settled"));
    size_t i;
    if (!settled) {
        fine &= same_text(replay, "error", verdict->error != NULL ? verdict->error : "", text_of(step, "error", ""));
    }
    fine &= same_number(replay, "wait_ms", verdict->wait_ms, 1000 * number_of(step, "wait_s"));
    fine &= same_number(replay, "stop", verdict->stop, json_is_true(json_object_get(step, "stop")));
    fine &= same_number(replay, "everywhere", verdict->everywhere, json_is_true(json_object_get(step, "everywhere")));
    fine &= same_number(replay, "zone_only", verdict->zone_only, json_is_true(json_object_get(step, "zone_only")));
    fine &= same_number(replay, "outcomes", json_array_size(outcomes), settled && changes ? attempt->batch.len : 0);
    json_array_foreach(outcomes, i, outcome)
    {
        fine = fine && check_outcome(replay, outcome, &attempt->items[i]);
    }
    if (settled && json_object_get(step, "owner") != NULL) {
        fine &= found != NULL || fault(replay, "\"found\" is missing");
        fine &= same_number(replay, "found", attempt->owner.present, json_is_integer(found));
        fine &= same_number(replay, "epoch", attempt->owner.epoch, (uint64_t)json_integer_value(found));
    }
    return fine;
}

static bool begin_list(struct replay *replay, const json_t *step, struct attempt *attempt)
{
    struct provider_listing listing = {.each = listed, .context = &attempt->listed};
    const struct provider_ops *ops = replay->ops;
    if (json_object_get(step, "list") == NULL) {
        return true;
    }
    if (ops->list_begin == NULL || ops->list_next == NULL) {
        return fault(replay, "the provider has no listing over HTTP");
    }
    return ops->list_begin(replay->state, &replay->zone, &listing, &attempt->request, &attempt->list) == ERR_OK ||
           fault(replay, "the listing cannot begin");
}

static bool check_list(struct replay *replay, const json_t *step, const struct attempt *attempt)
{
    json_t *lines = json_object_get(step, "list"), *line;
    struct strbuf want;
    size_t i;
    strbuf_init(&want, CASE_MAX);
    json_array_foreach(lines, i, line)
    {
        strbuf_addf(&want, "%s\n", json_is_string(line) ? json_string_value(line) : "");
    }
    bool fine = same_text(replay, "listing", strbuf_str(&attempt->listed), strbuf_str(&want));
    strbuf_deinit(&want);
    return fine;
}

static bool run_step(struct replay *replay, json_t *step)
{
    struct attempt attempt = {0};
    json_t *changes = json_object_get(step, "changes");
    const char *unsent = text_of(step, "unsent", NULL), *error = NULL;
    char detail[PROVIDER_DETAIL_MAX] = "";
    bool fine = only_keys(replay, step,
                          " about at_s changes owner claim exchanges verdict error wait_s stop everywhere zone_only "
                          "outcomes found unsent list ");
    fine = fine && (changes == NULL || read_changes(replay, changes, &attempt));
    for (size_t i = 0; fine && i < attempt.batch.len && error == NULL; i++) {
        const struct batch_item *item = &attempt.items[i];
        const char *why = NULL;
        error = hosts_stopped(&replay->hosts, item->name, item->type, &why);
        if (error == NULL && replay->ops->impossible != NULL) {
            error = replay->ops->impossible(replay->state, item, detail);
        }
    }
    if (!fine || unsent != NULL || error != NULL) {
        return fine && same_text(replay, "unsent", error != NULL ? error : "", unsent != NULL ? unsent : "");
    }
    provider_request_init(&attempt.request);
    strbuf_init(&attempt.listed, CASE_MAX);
    fine = begin_list(replay, step, &attempt) && run_exchanges(replay, step, &attempt);
    for (size_t i = 0; fine && attempt.verdict.kind == VERDICT_SETTLED && i < attempt.batch.len; i++) {
        (void)hosts_learn(&replay->hosts, &attempt.items[i], 1000 + 1000 * number_of(step, "at_s")); /* seen later */
    }
    fine = fine && check_verdict(replay, step, &attempt) && check_list(replay, step, &attempt);
    if (attempt.list != NULL) {
        replay->ops->list_end(attempt.list);
    }
    strbuf_deinit(&attempt.listed);
    provider_request_deinit(&attempt.request);
    return fine;
}

/** Keys are rows of `accounts:`; where a row names a file, the case holds what the file says. */
static bool add_account(struct replay *replay, json_t *account, struct strbuf *yaml)
{
    const char *key;
    json_t *value;
    bool fine = true;
    json_object_foreach(account, key, value)
    {
        struct view name = view_of(key), suffix = VIEW_LITERAL("_file");
        char file[PATH_LEN + 64];
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        if (json_is_object(value)) { /* options: JSON is YAML */
            char *map = json_dumps(value, JSON_COMPACT);
            strbuf_addf(yaml, "%s: %s\n", key, map != NULL ? map : "");
            free(map);
            continue;
        }
        if (name.len > suffix.len && view_equal(view_n(name.ptr + name.len - suffix.len, suffix.len), suffix)) {
            (void)snprintf(file, sizeof(file), "%s/%s", replay->folder, key); /* a cut path does not open */
            fine &= file_replace(file, view_of(text), 0600) == ERR_OK || fault(replay, "%s cannot be written", file);
            text = file;
        }
        strbuf_addf(yaml, "%s: ", key);
        strbuf_add_json(yaml, view_of(text));
        strbuf_addc(yaml, '\n');
    }
    return fine;
}

static bool open_account(struct replay *replay, json_t *account, const char *provider)
{
    struct engine_account_config *config = calloc(1, engine_account_config_size());
    struct config_schema schema = {
        .title = "replay", .rows = engine_account_rows, .size = engine_account_config_size()};
    struct errinfo info = {0};
    struct strbuf yaml, report;
    struct arena arena;
    strbuf_init(&yaml, WIRE_MAX);
    strbuf_init(&report, WIRE_MAX);
    arena_init(&arena, 1 << 20);
    strbuf_addf(&yaml, "name: replay\nprovider: %s\n", provider);
    bool fine = config != NULL && add_account(replay, account, &yaml);
    if (fine && config_load_text(&schema, "account", strbuf_view(&yaml), &arena, config, &report) != ERR_OK) {
        fine = fault(replay, "%s", strbuf_str(&report));
    }
    if (fine && provider_open(replay->ops, config, replay->template, &replay->state, &info) != ERR_OK) {
        fine = fault(replay, "%s", info.text);
    }
    arena_deinit(&arena);
    strbuf_deinit(&report);
    strbuf_deinit(&yaml);
    free(config);
    return fine;
}

static bool is_date(const char *text)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof(form); i++) {
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

static bool check_head(struct replay *replay, json_t *root)
{
    json_t *zone = json_object_get(root, "zone");
    bool fine = only_keys(replay, root, " source read about now account zone steps ") &&
                only_keys(replay, zone, " name mode epoch ");
    fine &= strncmp(text_of(root, "source", ""), "https://", 8) == 0 || fault(replay, "\"source\" must be a page");
    fine &= is_date(text_of(root, "read", "")) || fault(replay, "\"read\" must be the date of reading");
    fine &= text_of(root, "about", "")[0] != '\0' || fault(replay, "\"about\" must say what the case is about");
    fine &= json_array_size(json_object_get(root, "steps")) > 0 || fault(replay, "no steps");
    const char *mode = text_of(zone, "mode", "dedicated");
    replay->wall_ms = 1000 * (int64_t)number_of(root, "now");
    replay->zone = (struct provider_zone){.name = text_of(zone, "name", NULL),
                                          .mode = strcmp(mode, "shared") == 0 ? ZONE_SHARED : ZONE_DEDICATED,
                                          .epoch = number_of(zone, "epoch")};
    return fine && (replay->zone.name != NULL || fault(replay, "the zone needs a name"));
}

static void run_steps(struct replay *replay, const json_t *steps)
{
    json_t *step;
    size_t i;
    json_array_foreach(steps, i, step)
    {
        replay->step = i + 1;
        if (!run_step(replay, step)) {
            return; /* what follows would start from elsewhere */
        }
    }
}

static void remove_folder(const char *folder)
{
    char pattern[PATH_LEN + 8];
    glob_t found;
    (void)snprintf(pattern, sizeof(pattern), "%s/*", folder); /* fits */
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            (void)unlink(found.gl_pathv[i]); /* rmdir tells when one is left */
        }
        globfree(&found);
    }
    if (rmdir(folder) != 0) {
        perror(folder);
    }
}

void replay_run(struct view text, const char *provider, struct strbuf *faults)
{
    struct replay replay = {.faults = faults};
    static struct catalogue *catalogue; /* of every case */
    struct errinfo info = {0};
    json_t *root = NULL;
    (void)snprintf(replay.folder, sizeof(replay.folder), "/tmp/muster-replay-XXXXXX"); /* fits */
    if (mkdtemp(replay.folder) == NULL) {
        fault(&replay, "no temporary folder");
        return;
    }
    if (catalogue != NULL || catalogue_new(NULL, &catalogue, faults) == ERR_OK) {
        replay.ops = catalogue_find(catalogue, provider, &replay.template);
    }
    if (replay.ops == NULL) {
        fault(&replay, "no provider \"%s\"", provider);
    } else if (json_parse(text, CASE_MAX, DEPTH_MAX, &root, &info) != ERR_OK) {
        fault(&replay, "%s", info.text);
    } else if (check_head(&replay, root) && open_account(&replay, json_object_get(root, "account"), provider)) {
        run_steps(&replay, json_object_get(root, "steps"));
    }
    if (replay.state != NULL) {
        replay.ops->close(replay.state);
    }
    if (replay.zone.cache != NULL) {
        replay.ops->cache_free(replay.zone.cache);
    }
    hosts_deinit(&replay.hosts);
    json_decref(root);
    remove_folder(replay.folder);
}
