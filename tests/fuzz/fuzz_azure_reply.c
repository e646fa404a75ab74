/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: status, whether there is a token, and what is known; second: zone's mode and the change; the rest is the
 * body. Whatever it says, the change counts as applied only after its own reply, or where a lookup showed that nothing
 * is there to delete.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "providers/azure_account.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct azure_account *account(void)
{
    static void *state;
    if (state == NULL) {
        static struct config_pair options[] = {{.key = "resource_group", .value = "g"},
                                               {.key = "subscription", .value = "s"},
                                               {.key = "tenant", .value = "t"}};
        char path[] = "/tmp/muster-fuzz-XXXXXX";
        int fd = mkstemp(path);
        assert(fd >= 0 && write(fd, "x", 1) == 1);
        struct engine_account_config config = {
            .name = "fuzz", .username = "c", .password_file = path, .options = {.items = options, .len = 3}};
        enum err err = provider_azure.open(&config, NULL, &state, NULL);
        assert(err == ERR_OK);
        close(fd);
        unlink(path);
    }
    return state;
}

static void know(struct azure_account *state, bool token)
{
    oauth_deinit(&state->token);
    if (token) {
        enum err err = secret_set(&state->token.value, view_of("t"));
        assert(err == ERR_OK);
        state->token.until_ms = UINT64_MAX;
    }
}

static void count(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    (void)ttl;
    (void)ip;
    assert(dnsname_in_zone(view_of(name), VIEW_LITERAL("example")) && (type == RRTYPE_A || type == RRTYPE_AAAA));
    (*(size_t *)context)++;
}

static void list(struct azure_account *state, const struct provider_reply *reply)
{
    size_t seen = 0;
    struct provider_zone zone = {.name = "example"};
    struct provider_listing listing = {.each = count, .context = &seen};
    struct provider_request request;
    void *context = NULL;
    bool done = false;
    provider_request_init(&request);
    if (provider_azure.list_begin(state, &zone, &listing, &request, &context) == ERR_OK &&
        provider_azure.list_next(context, &request) == ERR_OK &&
        provider_azure.list_feed(context, &request, reply, &done, NULL) == ERR_OK && !done) {
        provider_request_reset(&request, 0, 0);
        if (provider_azure.list_next(context, &request) == ERR_OK && request.stage != AZURE_STAGE_TOKEN) {
            assert(view_starts_with(strbuf_view(&request.url), VIEW_LITERAL("https://management.azure.com/")));
        }
    }
    provider_azure.list_end(context);
    provider_request_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 201, 403, 404, 409, 412, 401, 204};
    if (size < 2) {
        return 0;
    }
    struct azure_account *state = account();
    struct batch_item item = {.name = "a.example", .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct provider_zone zone = {.name = "example", .mode = (data[1] & 1) != 0 ? ZONE_SHARED : ZONE_DEDICATED};
    struct provider_request request;
    struct provider_reply reply = {.status = statuses[data[0] & 7], .body = view_n((const char *)data + 2, size - 2)};
    struct verdict verdict = {0};
    item.want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, 1}});
    item.want.len = (data[1] & 2) != 0;
    item.have_known = (data[1] & 4) != 0;
    item.unsure = (data[1] & 8) != 0;
    know(state, (data[0] & 8) != 0);
    provider_request_init(&request);
    if (provider_azure.build_request(state, &zone, &batch, &request) == ERR_OK &&
        provider_azure.parse_reply(state, &zone, &batch, &request, &reply, &verdict) == ERR_OK) {
        assert(verdict.kind < VERDICT_KINDS);
        if (verdict.kind == VERDICT_SETTLED) {
            assert((item.outcome == OUTCOME_APPLIED) == (item.error == NULL));
            assert(item.error != NULL || request.stage == PROVIDER_STAGE_CHANGE || item.want.len == 0);
        }
    }
    provider_request_deinit(&request);
    if (zone.cache != NULL) {
        provider_azure.cache_free(zone.cache);
    }
    list(state, &reply);
    return 0;
}
