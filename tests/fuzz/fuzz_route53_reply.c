/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: status and what was asked; second: zone's mode and number of changes; the rest is the body. Whatever it
 * says, a change counts as applied only after its own reply of status 200, or where a lookup showed it as wanted.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "providers/route53_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *account(void)
{
    static void *state;
    if (state == NULL) {
        char path[] = "/tmp/muster-fuzz-XXXXXX";
        int fd = mkstemp(path);
        assert(fd >= 0 && write(fd, "x", 1) == 1);
        struct engine_account_config config = {.name = "fuzz", .username = "u", .password_file = path};
        enum err err = provider_route53.open(&config, NULL, &state, NULL);
        assert(err == ERR_OK);
        close(fd);
        unlink(path);
    }
    return state;
}

static void fill(struct batch *batch, unsigned bits)
{
    static const char *const names[] = {"a.example", "b.example", "*.example", "example"};
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        *item = (struct batch_item){.name = names[i], .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
        item->want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)i}});
        item->want.len = (bits >> i & 1) != 0;
        item->have_known = true;
    }
}

static void settled_soundly(const struct batch *batch, const struct provider_request *request, long status)
{
    for (size_t i = 0; i < batch->len; i++) {
        const struct batch_item *item = &batch->items[i];
        assert((item->outcome == OUTCOME_APPLIED) == (item->error == NULL));
        bool looked = request->stage == ROUTE53_STAGE_RECORDS || status != 200;
        assert(item->error != NULL || !looked || item->want.len == 0);
    }
}

static void list(const uint8_t *data, size_t size)
{
    struct provider_zone zone = {.name = "example"};
    struct provider_listing listing = {.each = NULL};
    struct provider_request request;
    struct provider_reply reply = {.status = 200, .body = view_n((const char *)data, size)};
    void *context = NULL;
    bool done = false;
    provider_request_init(&request);
    if (provider_route53.list_begin(account(), &zone, &listing, &request, &context) == ERR_OK &&
        provider_route53.list_next(context, &request) == ERR_OK) {
        (void)provider_route53.list_feed(context, &request, &reply, &done, NULL); /* any error is fine */
        assert(!done); /* the first reply is about the zone's id */
    }
    provider_route53.list_end(context);
    provider_route53.cache_free(zone.cache);
    provider_request_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 400, 403, 404, 500, 200, 400, 503};
    if (size < 2) {
        return 0;
    }
    struct batch_item items[4];
    struct batch batch = {.items = items, .len = data[1] % 4u + 1};
    struct provider_zone zone = {.name = "example", .mode = (data[1] & 4) != 0 ? ZONE_SHARED : ZONE_DEDICATED};
    struct provider_request request;
    struct provider_reply reply = {.status = statuses[data[0] & 7], .body = view_n((const char *)data + 2, size - 2)};
    struct verdict verdict = {0};
    struct route53_cache *cache = route53_cache_of(&zone);
    assert(cache != NULL);
    memcpy(cache->id, "Z1", (data[0] & 8) != 0 ? 3 : 1);
    fill(&batch, data[1] >> 4);
    provider_request_init(&request);
    if (provider_route53.build_request(account(), &zone, &batch, &request) == ERR_OK &&
        provider_route53.parse_reply(account(), &zone, &batch, &request, &reply, &verdict) == ERR_OK) {
        assert(verdict.kind < VERDICT_KINDS);
        if (verdict.kind == VERDICT_SETTLED) {
            settled_soundly(&batch, &request, reply.status);
        }
    }
    provider_request_deinit(&request);
    provider_route53.cache_free(zone.cache);
    list(data + 2, size - 2);
    return 0;
}
