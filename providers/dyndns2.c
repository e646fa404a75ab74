/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dyndns2.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "providers/dyndns2_hosts.h"
#include "providers/provider.h"

#define MINUTE_MS 60000ull

enum { HOSTS_MAX = 20 /* of one request: more is answered "numhost" */ };

struct dyndns2 {
    char *url, *user; /* owned */
    struct secret secret;
    enum account_ipv6 ipv6;
    char *unchanged; /* owned; "" = that family's parameter is left out */
    bool taken;      /* the service took a request: the form of ours is right */
    struct dyndns2_hosts hosts;
};

static void dyndns2_close(void *context)
{
    struct dyndns2 *state = context;
    dyndns2_hosts_deinit(&state->hosts);
    secret_deinit(&state->secret);
    free(state->url);
    free(state->user);
    free(state->unchanged);
    free(state);
}

static enum err fill(struct dyndns2 *state, const struct engine_account_config *config, struct errinfo *info)
{
    state->url = strdup(config->url);
    state->user = strdup(config->username);
    state->unchanged = strdup(config->unchanged != NULL ? config->unchanged : "");
    state->ipv6 = (enum account_ipv6)config->ipv6;
    if (state->url == NULL || state->user == NULL || state->unchanged == NULL) {
        return ERR_NOMEM;
    }
    return account_read_secret(config->password_file, &state->secret, info);
}

static enum err dyndns2_open(const struct engine_account_config *config, const struct template *template,
                             void **ret_state, struct errinfo *info)
{
    (void)template;
    if (config->url == NULL || config->verify_server == NULL) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: dyndns2 needs `url` and `verify_server`",
                           config->name);
    }
    if (config->unchanged != NULL && config->ipv6 != ACCOUNT_IPV6_MYIPV6) {
        return errinfo_set(info, ERR_INVALID, "config", 0, "account %s: `unchanged` goes with `ipv6: myipv6` only",
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
    *ret_limits = (struct provider_limits){.batch_max = HOSTS_MAX, .depth_max = 1, .account_max = 1};
}

static const char *dyndns2_impossible(const void *context, const struct batch_item *item,
                                      char detail[static PROVIDER_DETAIL_MAX])
{
    const struct dyndns2 *state = context;
    struct verdict verdict = {0};
    const struct dyndns2_code *stopped = dyndns2_hosts_stopped(&state->hosts, item->name, item->type);
    if (stopped != NULL) {
        verdict_set(&verdict, VERDICT_SETTLED, stopped->code, "stopped until the account's config changes: %s",
                    stopped->detail);
    } else if (item->want.len == 0) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-delete", "dyndns2 cannot remove an address: do it at the service");
    } else if (item->want.len > 1) {
        verdict_set(&verdict, VERDICT_SETTLED, "one-address", "dyndns2 holds one address a name and family");
    } else if (item->type == RRTYPE_AAAA && state->ipv6 == ACCOUNT_IPV6_NONE) {
        verdict_set(&verdict, VERDICT_SETTLED, "no-ipv6", "the account says `ipv6: none`");
    }
    memcpy(detail, verdict.detail, sizeof(verdict.detail));
    return verdict.error;
}

/** One request is about several hosts with one address, or about one host with an address of each family. */
static bool dyndns2_together(const void *context, const struct batch *batch, const struct batch_item *item)
{
    const struct dyndns2 *state = context;
    const struct batch_item *first = &batch->items[0];
    bool pairs = state->ipv6 == ACCOUNT_IPV6_LIST || state->ipv6 == ACCOUNT_IPV6_MYIPV6;
    if (first->type != item->type) {
        return pairs && batch->len == 1 && strcmp(first->name, item->name) == 0;
    }
    return batch->items[batch->len - 1].type == item->type && rrset_value_equal(&first->want, &item->want);
}

static size_t hosts_of(const struct batch *batch)
{
    return batch->items[0].type != batch->items[batch->len - 1].type ? 1 : batch->len;
}

/** The address of that family in the batch; "" when it does not change. */
static void format_family(const struct batch *batch, enum rrtype type, char address[static IP_TEXT_SIZE])
{
    address[0] = '\0';
    if (batch->items[0].type == type) {
        ip_format(&batch->items[0].want.ips[0], address);
    } else if (batch->items[batch->len - 1].type == type) {
        ip_format(&batch->items[batch->len - 1].want.ips[0], address);
    }
}

static void add_parameter(struct strbuf *url, const char *name, const char *address, const char *unchanged)
{
    const char *value = address[0] != '\0' ? address : unchanged;
    if (value[0] != '\0') {
        strbuf_addf(url, "&%s=%s", name, value);
    }
}

static enum err dyndns2_build(void *context, struct provider_zone *zone, struct batch *batch,
                              struct provider_request *request)
{
    (void)zone; /* the service knows whole names only */
    struct dyndns2 *state = context;
    char v4[IP_TEXT_SIZE], v6[IP_TEXT_SIZE];
    size_t hosts = hosts_of(batch);
    strbuf_addf(&request->url, "%s%chostname=", state->url, strchr(state->url, '?') != NULL ? '&' : '?');
    for (size_t i = 0; i < hosts; i++) {
        strbuf_addf(&request->url, "%s%s", i > 0 ? "," : "", batch->items[i].name);
    }
    format_family(batch, RRTYPE_A, v4);
    format_family(batch, RRTYPE_AAAA, v6);
    if (state->ipv6 == ACCOUNT_IPV6_MYIPV6) {
        add_parameter(&request->url, "myip", v4, state->unchanged);
        add_parameter(&request->url, "myipv6", v6, state->unchanged);
    } else {
        strbuf_addf(&request->url, "&myip=%s%s%s", v4, v4[0] != '\0' && v6[0] != '\0' ? "," : "", v6);
    }
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
        return dyndns2_find((struct view){0}, ret_wait_ms);
    case ECHO_NONE:
    case ECHO_SAME:
        break;
    }
    return code;
}

/** What a reply is judged in. */
struct judgement {
    struct dyndns2 *state;
    struct batch *batch;
    uint64_t now_ms;
    struct verdict *verdict;
};

static void stop_host(const struct judgement *judgement, struct batch_item *item, const struct dyndns2_code *code)
{
    dyndns2_hosts_stop(&judgement->state->hosts, item->name, item->type, code);
    item->outcome = OUTCOME_REFUSED;
}

static void set_outcome(const struct judgement *judgement, struct batch_item *item, const struct dyndns2_code *code,
                        uint64_t wait_ms)
{
    struct verdict *verdict = judgement->verdict;
    switch (code->action) {
    case DYNDNS2_APPLIED:
        judgement->state->taken = true;
        item->outcome = OUTCOME_APPLIED;
        break;
    case DYNDNS2_STOP_HOST:
    case DYNDNS2_STOP_FAMILY:
    case DYNDNS2_SPLIT: /* about this line's host: it cannot be made smaller */
    case DYNDNS2_MALFORMED:
        stop_host(judgement, item, code);
        break;
    case DYNDNS2_STOP_SERVICE:
    case DYNDNS2_STOP_ACCOUNT:
        verdict->stop = true;
        verdict->everywhere |= code->action == DYNDNS2_STOP_SERVICE;
        item->alarm = code->code;
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_WAIT_ACCOUNT:
        verdict->wait_ms = MAX(verdict->wait_ms, wait_ms);
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_WAIT_HOST:
        item->outcome = OUTCOME_RETRY;
        break;
    case DYNDNS2_UNKNOWN:
        item->outcome = OUTCOME_UNKNOWN;
        break;
    }
}

static void judge_item(const struct judgement *judgement, struct batch_item *item, const struct dyndns2_code *code,
                       uint64_t wait_ms)
{
    struct dyndns2_hosts *hosts = &judgement->state->hosts;
    unsigned row = dyndns2_hosts_count(hosts, item->name, item->type, code, judgement->now_ms);
    item->error = code->action == DYNDNS2_APPLIED ? NULL : code->code;
    item->alarm = code->repeats != 0 && row == code->repeats ? code->code : NULL;
    item->wait_ms = wait_ms;
    set_outcome(judgement, item, code, wait_ms);
    if (item->alarm != NULL && code->action == DYNDNS2_APPLIED) {
        dyndns2_hosts_stop(hosts, item->name, item->type, code); /* what stands there is right; the next is refused */
    }
    if (item->error != NULL || item->alarm != NULL) {
        verdict_set(judgement->verdict, VERDICT_SETTLED, code->code, "%s: %s", code->code, code->detail);
    }
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

/** A code that is about the whole request. False: it is about its host. */
static bool judge_whole(const struct judgement *judgement, const struct dyndns2_code *code, uint64_t wait_ms)
{
    struct verdict *verdict = judgement->verdict;
    bool alone = hosts_of(judgement->batch) == 1;
    enum verdict_kind kind;
    switch (code->action) {
    case DYNDNS2_STOP_SERVICE:
    case DYNDNS2_STOP_ACCOUNT:
        kind = VERDICT_STOP;
        break;
    case DYNDNS2_WAIT_ACCOUNT:
        kind = VERDICT_RETRY;
        break;
    case DYNDNS2_SPLIT:
    case DYNDNS2_MALFORMED:
        if (alone && (code->action == DYNDNS2_SPLIT || judgement->state->taken)) {
            return false;
        }
        kind = alone ? VERDICT_STOP : VERDICT_SPLIT;
        break;
    default:
        return false;
    }
    verdict_set(verdict, kind, code->code, "%s: %s", code->code, code->detail);
    verdict->everywhere = code->action == DYNDNS2_STOP_SERVICE;
    verdict->wait_ms = wait_ms;
    return true;
}

/** Every line says the same: as if it stood alone. NULL: they differ. */
static const struct dyndns2_code *only_code(const struct batch *batch, const struct view *lines, size_t len,
                                            uint64_t *ret_wait_ms)
{
    const struct dyndns2_code *only = NULL;
    for (size_t i = 0; i < len && len <= hosts_of(batch); i++) {
        const struct dyndns2_code *code = read_line(lines[i], &batch->items[i], ret_wait_ms);
        if (only != NULL && only != code) {
            return NULL;
        }
        only = code;
    }
    return only;
}

static void judge_body(const struct judgement *judgement, struct view body)
{
    struct view lines[HOSTS_MAX + 1];
    struct batch *batch = judgement->batch;
    size_t len = split_lines(body, lines), hosts = hosts_of(batch);
    uint64_t wait_ms = 0;
    const struct dyndns2_code *only = only_code(batch, lines, len, &wait_ms);
    if (only != NULL && judge_whole(judgement, only, wait_ms)) {
        return;
    }
    judgement->verdict->kind = VERDICT_SETTLED;
    for (size_t i = 0; i < batch->len; i++) {
        size_t host = hosts == 1 ? 0 : i;
        /* more lines than hosts: nobody can say which is whose */
        struct view line = host < len && len <= hosts ? lines[host] : (struct view){0};
        const struct dyndns2_code *code = read_line(line, &batch->items[i], &wait_ms);
        judge_item(judgement, &batch->items[i], code, wait_ms);
    }
}

/** HTTP 400: "badrequest" for the whole request. */
static void judge_malformed(const struct judgement *judgement)
{
    uint64_t wait_ms = 0;
    const struct dyndns2_code *code = dyndns2_find(VIEW_LITERAL("badrequest"), &wait_ms);
    if (!judge_whole(judgement, code, 0)) {
        judgement->verdict->kind = VERDICT_SETTLED;
        for (size_t i = 0; i < judgement->batch->len; i++) {
            judge_item(judgement, &judgement->batch->items[i], code, 0);
        }
    }
}

/** Replies other than 200. */
static void judge_status(const struct judgement *judgement, long status, uint64_t retry_after_ms)
{
    struct verdict *verdict = judgement->verdict;
    if (status == 401) {
        verdict_set(verdict, VERDICT_STOP, "badauth", "HTTP 401: user name or password is wrong: mend the account");
    } else if (status == 403 || status == 404) {
        verdict_set(verdict, VERDICT_STOP, "forbidden", "HTTP %ld: the service refuses this account or url", status);
    } else if (status == 400) {
        judge_malformed(judgement);
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
    struct judgement judgement = {context, batch, reply->now_ms, ret_verdict};
    *ret_verdict = (struct verdict){0};
    if (reply->status == 200) {
        judge_body(&judgement, reply->body);
    } else {
        judge_status(&judgement, reply->status, reply->retry_after_ms);
    }
    return ERR_OK;
}

const struct provider_ops provider_dyndns2 = {
    .about = {.name = "dyndns2",
              .service = "dyndns2 (any server)",
              .class = "D2",
              .since = "0.1",
              .source = "https://help.dyn.com/return-codes",
              .read = "2026-11-22"},
    .transport = PROVIDER_HTTP,
    .needs = PROVIDER_URL | PROVIDER_USERNAME | PROVIDER_PASSWORD,
    .one_address = true,
    .asks = true,
    .open = dyndns2_open,
    .close = dyndns2_close,
    .limits = dyndns2_limits,
    .impossible = dyndns2_impossible,
    .together = dyndns2_together,
    .build_request = dyndns2_build,
    .parse_reply = dyndns2_parse,
};
