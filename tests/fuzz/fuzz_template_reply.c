/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: which status; the rest is the body of a reply to a template with a rule of every kind. Whatever it says,
 * each host ends with an outcome, and a success stands in the reply.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "providers/template_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "format: 1\nname: fuzz\nservice: F\nclass: G\nsource: s\nread: 2026-11-23\nhosts: {max: 3}\n"
    "request: {url: \"https://f.example/{zone}\", query: {h: \"{hosts}\", i: \"{ip}\", c: \"{capture.id}\"}}\n"
    "lookup: {url: \"https://f.example/l\", per: zone, list: /zones, where: {/name: \"{zone}\"}, capture: {id: /id}}\n"
    "reply:\n  base: dyndns2\n  rules:\n"
    "    - {line: \"(ok|fine)( ([0-9a-f.:, ]*))?\", address: 3, then: applied}\n"
    "    - {body: \"[[:space:]]*OK.*UPDATED\", then: unchanged, repeats: 2}\n"
    "    - {json: /status, equals: success, then: applied}\n"
    "    - {json: /errors/0/code, matches: \"[0-9]{1,4}\", then: stop_account}\n"
    "    - {xml: ErrCount, equals: \"0\", then: applied}\n"
    "    - {xml: Err1, matches: \".*[Pp]assword.*\", then: stop_host}\n"
    "    - {status: [\"422\"], then: split}\n    - {status: [\"404\"], line: \"none.*\", then: missing}\n";

static struct template *template_of(void)
{
    static struct template *template;
    if (template == NULL) {
        struct strbuf report;
        strbuf_init(&report, 4096);
        enum err err = template_load_text("fuzz", view_of(text), &template, &report);
        assert(err == ERR_OK);
        strbuf_deinit(&report);
    }
    return template;
}

static void *account_of(const struct template *template)
{
    static void *account;
    if (account == NULL) {
        struct engine_account_config config = {.name = "f", .verify_server = "127.0.0.1:53"};
        enum err err = provider_open(&template->ops, &config, template, &account, NULL);
        assert(err == ERR_OK);
    }
    return account;
}

/** The reply to the lookup and the one to the change are the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 201, 204, 302, 400, 401, 404, 422, 429, 503};
    const struct template *template = template_of();
    struct provider_zone zone = {.name = "example"};
    struct batch_item items[3];
    struct batch batch = {.items = items, .len = 3};
    struct provider_request request;
    if (size == 0) {
        return 0;
    }
    struct provider_reply reply = {.status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))],
                                   .body = view_n((const char *)data + 1, size - 1)};
    provider_request_init(&request);
    for (unsigned stage = 0; stage < 2; stage++) {
        struct verdict verdict = {0};
        for (size_t i = 0; i < batch.len; i++) {
            items[i] = (struct batch_item){.name = "a.example", .type = RRTYPE_A, .outcome = OUTCOME_UNKNOWN};
            items[i].want = (struct rrset_value){.len = 1, .ips = {{.family = IP_V4, .bytes = {192, 0, 2, 1}}}};
        }
        request.stage = stage == 0 ? PROVIDER_STAGE_ZONE : PROVIDER_STAGE_CHANGE;
        request.index = 0;
        enum err err = template->ops.parse_reply(account_of(template), &zone, &batch, &request, &reply, &verdict);
        assert(err == ERR_OK && verdict.kind < VERDICT_KINDS);
        for (size_t i = 0; verdict.kind == VERDICT_SETTLED && i < batch.len; i++) {
            assert((items[i].outcome == OUTCOME_APPLIED) == (items[i].error == NULL));
            assert(items[i].outcome != OUTCOME_APPLIED || reply.status / 100 == 2);
        }
    }
    provider_request_deinit(&request);
    template_cache_free(zone.cache);
    return 0;
}
