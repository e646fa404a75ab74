/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dyndns2.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "providers/provider.h"

#define MINUTE_MS 60000ull

enum {
    HOSTS_MAX = 20, /* of one request: more is answered "numhost" */
    STOPPED_BUCKETS = 256,
};

static const struct dyndns2_code codes[] = {
    {"good", DYNDNS2_APPLIED, 0, ""},
    {"nochg", DYNDNS2_APPLIED, 0, ""},
    {"badauth", DYNDNS2_STOP_ACCOUNT, 0, "user name or password is wrong: mend the account, then reload"},
    {"badagent", DYNDNS2_STOP_ACCOUNT, 0, "the service refuses this client: ask it, then change the account"},
    {"badsys", DYNDNS2_STOP_ACCOUNT, 0, "the service refuses a parameter: check the account's url"},
    {"!donator", DYNDNS2_STOP_HOST, 0, "the service's plan does not include this: change the plan or the name"},
    {"notfqdn", DYNDNS2_STOP_HOST, 0, "the service does not take this as a full host name"},
    {"nofqdn", DYNDNS2_STOP_HOST, 0, "the service does not take this as a full host name"},
    {"nohost", DYNDNS2_STOP_HOST, 0, "the name does not exist in this account: create it at the service"},
    {"!yours", DYNDNS2_STOP_HOST, 0, "the name belongs to another account"},
    {"!active", DYNDNS2_STOP_HOST, 0, "the name's domain is not active at the service"},
    {"abuse", DYNDNS2_STOP_HOST, 0, "the service blocked the name for abuse: have it cleared there first"},
    {"numhost", DYNDNS2_SPLIT, 0, "too many hosts in one request"},
    {"badrequest", DYNDNS2_SPLIT, 0, "the service could not read the request"},
    {"dnserr", DYNDNS2_WAIT_HOST, 30 * MINUTE_MS, "the service has trouble with its DNS"},
    {"911", DYNDNS2_WAIT_ACCOUNT, 10 * MINUTE_MS, "the service is down for maintenance"},
    {"servererror", DYNDNS2_WAIT_ACCOUNT, 0, "the service failed inside"},
};
static const struct dyndns2_code wait_code = {"wait", DYNDNS2_WAIT_ACCOUNT, 0, "the service asked to wait"};
static const struct dyndns2_code unknown_code = {"unknown-reply", DYNDNS2_UNKNOWN, 0,
                                                 "the service answered with something that is not a dyndns2 code"};

/** "w30m" and its like. */
static bool parse_wait(struct view word, uint64_t *ret_wait_ms)
{
    uint64_t number = 0;
    if (word.len < 3 || word.ptr[0] != 'w' || view_to_u64(view_n(word.ptr + 1, word.len - 2), 999, &number) != ERR_OK) {
        return false;
    }
    switch (word.ptr[word.len - 1]) {
    case 'h':
        *ret_wait_ms = number * 60 * MINUTE_MS;
        return true;
    case 'm':
        *ret_wait_ms = number * MINUTE_MS;
        return true;
    case 's':
        *ret_wait_ms = number * 1000;
        return true;
    default:
        return false;
    }
}

const struct dyndns2_code *dyndns2_find(struct view word, uint64_t *ret_wait_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (view_equals(word, codes[i].code)) {
            *ret_wait_ms = codes[i].wait_ms;
            return &codes[i];
        }
    }
    *ret_wait_ms = 0;
    return parse_wait(word, ret_wait_ms) ? &wait_code : &unknown_code;
}

/** A host that the service told us not to ask about again. */
struct stopped {
    struct stopped *next;
    const struct dyndns2_code *code;
    enum rrtype type;
    char name[];
};

struct dyndns2 {
    char *url, *user; /* owned */
    struct secret secret;
    struct stopped *stopped[STOPPED_BUCKETS]; /* owned */
};

static void dyndns2_close(void *context)
{
    struct dyndns2 *state = context;
    for (size_t i = 0; i < STOPPED_BUCKETS; i++) {
        while (state->stopped[i] != NULL) {
            struct stopped *stopped = state->stopped[i];
            state->stopped[i] = stopped->next;
            free(stopped);
        }
    }
    secret_deinit(&state->secret);
    free(state->url);
    free(state->user);
    free(state);
}

static enum err fill(struct dyndns2 *state, const struct engine_account_config *config, struct errinfo *info)
{
    state->url = strdup(config->url);
    state->user = strdup(config->username);
    if (state->url == NULL || state->user == NULL) {
        return ERR_NOMEM;
    }
    return account_read_secret(config->password_file, &state->secret, info);
}

static enum err dyndns2_open(const struct engine_account_config *config, void **ret_state, struct errinfo *info)
{
    if (config->url == NULL || config->username == NULL || config->password_file == NULL ||
        config->verify_server == NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0,
                           "account %s: dyndns2 needs `url`, `username`, `password_file` and `verify_server`",
                           config->name);
    }
    struct dyndns2 *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = fill(state, config, info);
    if (err != ERR_OK) {
        dyndns2_close(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void dyndns2_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* the same for every account */
    *ret_limits = (struct provider_limits){.batch_max = HOSTS_MAX, .depth_max = 1};
}

static struct stopped **stopped_slot(struct dyndns2 *state, const char *name, enum rrtype type)
{
    struct stopped **slot = &state->stopped[view_hash(view_of(name)) % STOPPED_BUCKETS];
    while (*slot != NULL && ((*slot)->type != type || strcmp((*slot)->name, name) != 0)) {
        slot = &(*slot)->next;
    }
    return slot;
}

/** Without memory the host is not remembered; the service will say it again. */
static void stop_host(struct dyndns2 *state, const struct batch_item *item, const struct dyndns2_code *code)
{
    struct stopped **slot = stopped_slot(state, item->name, item->type);
    size_t size = strlen(item->name) + 1;
    struct stopped *stopped = *slot == NULL ? malloc(sizeof(*stopped) + size) : NULL;
    if (stopped != NULL) {
        *stopped = (struct stopped){.code = code, .type = item->type};
        memcpy(stopped->name, item->name, size);
        *slot = stopped;
    }
}

static const char *dyndns2_impossible(const void *context, const struct batch_item *item,
                                      char detail[static PROVIDER_DETAIL_MAX])
{
    struct dyndns2 *state = (struct dyndns2 *)(uintptr_t)context; /* the slot is only read */
    struct verdict verdict = {0};
    const struct stopped *stopped = *stopped_slot(state, item->name, item->type);
    if (stopped != NULL) {
        verdict_set(&verdict, VERDICT_SETTLED, stopped->code->code, "stopped until the account's config changes: %s",
                    stopped->code->detail);
    } else if (item->want.len == 0) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-delete", "dyndns2 cannot remove an address: do it at the service");
    } else if (item->want.len > 1) {
        verdict_set(&verdict, VERDICT_SETTLED, "one-address", "dyndns2 holds one address a name and family");
    }
    memcpy(detail, verdict.detail, sizeof(verdict.detail));
    return verdict.error;
}

static bool dyndns2_together(const struct batch_item *a, const struct batch_item *b)
{
    return a->type == b->type && rrset_value_equal(&a->want, &b->want);
}

static enum err dyndns2_build(void *context, struct provider_zone *zone, struct batch *batch,
                              struct provider_request *request)
{
    (void)zone; /* the service knows whole names only */
    struct dyndns2 *state = context;
    char address[IP_TEXT_SIZE];
    strbuf_addf(&request->url, "%s%chostname=", state->url, strchr(state->url, '?') != NULL ? '&' : '?');
    for (size_t i = 0; i < batch->len; i++) {
        strbuf_addf(&request->url, "%s%s", i > 0 ? "," : "", batch->items[i].name);
    }
    ip_format(&batch->items[0].want.ips[0], address);
    strbuf_addf(&request->url, "&myip=%s", address);
    request->verb = HTTP_VERB_GET;
    request->user = view_of(state->user);
    request->secret = secret_view(&state->secret);
    return strbuf_error(&request->url);
}

enum echo { ECHO_NONE, ECHO_SAME, ECHO_LOOPBACK, ECHO_OTHER };

/** The addresses behind "good" or "nochg": one, or one of each family with a comma or blank between. */
static enum echo compare_echo(struct view rest, const struct ip *want)
{
    enum echo found = ECHO_NONE;
    size_t start = 0;
    for (size_t i = 0; rest.len > 0 && i <= rest.len; i++) {
        if (i < rest.len && rest.ptr[i] != ',' && rest.ptr[i] != ' ') {
            continue;
        }
        struct ip ip;
        struct view word = view_n(rest.ptr + start, i - start);
        start = i + 1;
        if (word.len == 0) {
            continue;
        }
        if (ip_parse(word, &ip) != ERR_OK) {
            return ECHO_OTHER;
        }
        if (ip_equal(&ip, want)) {
            return ECHO_SAME;
        }
        bool loopback = ip.family == IP_V4 && memcmp(ip.bytes, (uint8_t[4]){127, 0, 0, 1}, 4) == 0;
        found = loopback ? ECHO_LOOPBACK : ECHO_OTHER;
    }
    return found;
}

/** One reply line about @p item. "good 127.0.0.1" is Dyn's way to say that the agent was ignored. */
static const struct dyndns2_code *read_line(struct view line, const struct batch_item *item, uint64_t *ret_wait_ms)
{
    struct view rest = line, word;
    if (!view_next(&rest, ' ', &word)) {
        return dyndns2_find((struct view){0}, ret_wait_ms);
    }
    const struct dyndns2_code *code = dyndns2_find(word, ret_wait_ms);
    if (code->action != DYNDNS2_APPLIED) {
        return code;
    }
    switch (compare_echo(view_trim(rest), &item->want.ips[0])) {
    case ECHO_LOOPBACK:
        return dyndns2_find(VIEW_LITERAL("badagent"), ret_wait_ms);
    case ECHO_OTHER:
        return &unknown_code;
    case ECHO_NONE:
    case ECHO_SAME:
        break;
    }
    return code;
}

static void judge_item(struct dyndns2 *state, struct batch_item *item, const struct dyndns2_code *code,
                       uint64_t wait_ms, struct verdict *verdict)
{
    item->error = code->action == DYNDNS2_APPLIED ? NULL : code->code;
    item->wait_ms = wait_ms;
    switch (code->action) {
    case DYNDNS2_APPLIED:
        item->outcome = OUTCOME_APPLIED;
        return;
    case DYNDNS2_STOP_HOST:
        stop_host(state, item, code);
        item->outcome = OUTCOME_REFUSED;
        break;
    case DYNDNS2_STOP_ACCOUNT:
        verdict->stop = true;
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_WAIT_ACCOUNT:
        verdict->wait_ms = MAX(verdict->wait_ms, wait_ms);
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_SPLIT:
    case DYNDNS2_WAIT_HOST:
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_UNKNOWN:
        item->outcome = OUTCOME_UNKNOWN;
        break;
    }
    verdict_set(verdict, VERDICT_SETTLED, code->code, "%s: %s", code->code, code->detail);
}

/** Cuts the body into lines that are not empty. @return their number; HOSTS_MAX + 1 stands for more. */
static size_t split_lines(struct view body, struct view lines[static HOSTS_MAX + 1])
{
    size_t len = 0;
    struct view line;
    while (len <= HOSTS_MAX && view_next(&body, '\n', &line)) {
        line = view_trim(line);
        if (line.len > 0) {
            lines[len++] = line;
        }
    }
    return len;
}

/** A code that stands alone for all hosts, or decides for the whole request. False: each line is about its host. */
static bool judge_whole(const struct dyndns2_code *code, uint64_t wait_ms, struct verdict *verdict)
{
    enum verdict_kind kind;
    switch (code->action) {
    case DYNDNS2_STOP_ACCOUNT:
        kind = VERDICT_STOP;
        break;
    case DYNDNS2_WAIT_ACCOUNT:
        kind = VERDICT_RETRY;
        break;
    case DYNDNS2_SPLIT:
        kind = VERDICT_SPLIT;
        break;
    default:
        return false;
    }
    verdict_set(verdict, kind, code->code, "%s: %s", code->code, code->detail);
    verdict->wait_ms = wait_ms;
    return true;
}

static void judge_body(struct dyndns2 *state, struct batch *batch, struct view body, struct verdict *verdict)
{
    struct view lines[HOSTS_MAX + 1];
    size_t len = split_lines(body, lines);
    uint64_t wait_ms = 0;
    if (len == 1) {
        const struct dyndns2_code *only = read_line(lines[0], &batch->items[0], &wait_ms);
        if (judge_whole(only, wait_ms, verdict)) {
            return;
        }
    }
    *verdict = (struct verdict){.kind = VERDICT_SETTLED};
    for (size_t i = 0; i < batch->len; i++) {
        /* more lines than hosts: nobody can say which is whose */
        struct view line = i < len && len <= batch->len ? lines[i] : (struct view){0};
        const struct dyndns2_code *code = read_line(line, &batch->items[i], &wait_ms);
        judge_item(state, &batch->items[i], code, wait_ms, verdict);
    }
}

/** Replies other than 200. */
static void judge_status(long status, uint64_t retry_after_ms, struct verdict *verdict)
{
    if (status == 401) {
        verdict_set(verdict, VERDICT_STOP, "badauth", "HTTP 401: user name or password is wrong: mend the account");
    } else if (status == 403 || status == 404) {
        verdict_set(verdict, VERDICT_STOP, "forbidden", "HTTP %ld: the service refuses this account or url", status);
    } else if (status == 400) {
        verdict_set(verdict, VERDICT_SPLIT, "badrequest", "HTTP 400: the service could not read the request");
    } else if (status == 429) {
        verdict_set(verdict, VERDICT_RETRY, "rate-limited", "HTTP 429: too many requests");
        verdict->wait_ms = retry_after_ms != 0 ? retry_after_ms : 10 * MINUTE_MS;
    } else if (status >= 500) {
        verdict_set(verdict, VERDICT_RETRY, "servererror", "HTTP %ld: the service failed inside", status);
        verdict->wait_ms = retry_after_ms;
    } else {
        verdict_set(verdict, VERDICT_UNKNOWN, "unknown-reply", "HTTP %ld is not part of the dyndns2 protocol", status);
    }
}

static enum err dyndns2_parse(void *context, struct provider_zone *zone, struct batch *batch,
                              const struct provider_request *request, const struct provider_reply *reply,
                              struct verdict *ret_verdict)
{
    (void)zone;
    (void)request;
    *ret_verdict = (struct verdict){0};
    if (reply->status == 200) {
        judge_body(context, batch, reply->body, ret_verdict);
    } else {
        judge_status(reply->status, reply->retry_after_ms, ret_verdict);
    }
    return ERR_OK;
}

const struct provider_ops provider_dyndns2 = {
    .name = "dyndns2",
    .transport = PROVIDER_HTTP,
    .open = dyndns2_open,
    .close = dyndns2_close,
    .limits = dyndns2_limits,
    .impossible = dyndns2_impossible,
    .together = dyndns2_together,
    .build_request = dyndns2_build,
    .parse_reply = dyndns2_parse,
};
