/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster-pace: how long a series of requests takes under the documented rates of an account's service, on a simulated
 * clock: what the engine's own meters (providers/budget.h) say, and no second reckoning. The service answers at once.
 *
 *   muster-pace CONFIG    the account, as muster-probe takes it
 * Standard input, one request a line: "lookup", or "write COUNT A|AAAA". At its end one JSON object is written.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "providers/account.h"
#include "providers/budget.h"
#include "providers/provider.h"

enum { CONFIG_BYTES_MAX = 1 << 20, REPORT_MAX = 1 << 16, LINE_MAX_LEN = 128, FIELDS_MAX = 3, START_MS = 1 };

struct pace {
    const struct provider_ops *ops;
    void *state;
    struct budget account, zone;
    uint64_t now_ms, requests;
};

static enum err open_budgets(struct pace *pace)
{
    struct provider_limits limits;
    pace->ops->limits(pace->state, &limits);
    enum err err = budget_add_all(&pace->account, &limits, RATE_OF_ACCOUNT, START_MS);
    return err == ERR_OK ? budget_add_all(&pace->zone, &limits, RATE_OF_ZONE, START_MS) : err;
}

static enum err open_account(struct pace *pace, const char *path, struct strbuf *report)
{
    struct engine_account_config *config = calloc(1, engine_account_config_size());
    struct config_schema schema = {.title = "pace", .rows = engine_account_rows, .size = engine_account_config_size()};
    struct arena arena;
    struct errinfo info = {0};
    arena_init(&arena, CONFIG_BYTES_MAX);
    enum err err = config == NULL ? ERR_NOMEM : config_load(&schema, path, &arena, config, report);
    if (err == ERR_OK) {
        pace->ops = provider_find(view_of(config->provider));
        err = pace->ops == NULL ? ERR_NOTFOUND : provider_open(pace->ops, config, NULL, &pace->state, &info);
        strbuf_adds(report, info.text);
    }
    arena_deinit(&arena);
    free(config);
    return err == ERR_OK ? open_budgets(pace) : err;
}

/** What @p count changes to one address each count against RATE_CHANGES. */
static uint64_t cost_of(const struct pace *pace, uint64_t count, enum rrtype type)
{
    struct batch_item item = {.name = "n.example", .type = type, .ttl = 60, .want = {.len = 1}};
    item.want.ips[0].family = type == RRTYPE_A ? IP_V4 : IP_V6;
    return count * (pace->ops->item_cost != NULL ? pace->ops->item_cost(pace->state, &item) : 1);
}

/** As the engine does it: a lookup waits for the budget of the change that it is made for. */
static void request(struct pace *pace, bool write, uint64_t cost)
{
    uint64_t wait;
    while ((wait = MAX(budget_wait_ms(&pace->account, true, cost, pace->now_ms),
                       budget_wait_ms(&pace->zone, true, cost, pace->now_ms))) != 0) {
        pace->now_ms += wait;
    }
    budget_spend(&pace->account, write, cost, pace->now_ms);
    budget_spend(&pace->zone, write, cost, pace->now_ms);
    pace->requests++;
}

static enum err take_line(struct pace *pace, struct view line)
{
    struct view fields[FIELDS_MAX];
    size_t len = 0;
    uint64_t count = 0;
    while (len < FIELDS_MAX && view_next(&line, ' ', &fields[len])) {
        len++;
    }
    if (len == 1 && view_equals(fields[0], "lookup")) {
        request(pace, false, 0);
        return ERR_OK;
    }
    if (len != 3 || !view_equals(fields[0], "write") || view_to_u64(fields[1], UINT32_MAX, &count) != ERR_OK) {
        return ERR_PARSE;
    }
    request(pace, true, cost_of(pace, count, view_equals(fields[2], "AAAA") ? RRTYPE_AAAA : RRTYPE_A));
    return ERR_OK;
}

static enum err run(struct pace *pace, const char *path, struct strbuf *report)
{
    char line[LINE_MAX_LEN];
    enum err err = open_account(pace, path, report);
    while (err == ERR_OK && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        err = take_line(pace, view_of(line));
    }
    return err;
}

int main(int argc, char **argv)
{
    struct pace pace = {.now_ms = START_MS};
    struct strbuf report;
    if (argc != 2) {
        fprintf(stderr, "usage: muster-pace CONFIG\n");
        return 2;
    }
    strbuf_init(&report, REPORT_MAX);
    budget_init(&pace.account);
    budget_init(&pace.zone);
    enum err err = run(&pace, argv[1], &report);
    if (err == ERR_OK) {
        printf("{\"requests\":%" PRIu64 ",\"seconds\":%.3f}\n", pace.requests, (double)(pace.now_ms - START_MS) / 1000);
    } else {
        fprintf(stderr, "muster-pace: %s: %s: %s\n", argv[1], err_text(err), strbuf_str(&report));
    }
    budget_deinit(&pace.account);
    budget_deinit(&pace.zone);
    if (pace.state != NULL) {
        pace.ops->close(pace.state);
    }
    strbuf_deinit(&report);
    return err == ERR_OK ? 0 : 1;
}
