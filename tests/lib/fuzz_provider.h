/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * fuzz_provider: feeds replies to a provider that speaks HTTP. The first byte says how many of the canned replies come
 * before (so that every stage is reached), the second the status; the rest is the body, given again while the provider
 * asks for more. Whatever it says, the verdict must be one of the known, and what is settled must have outcomes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "providers/provider.h"

struct fuzz_provider {
    const struct provider_ops *ops;
    struct engine_account_config config; /* password_file is written */
    const char *const *canned;           /* bodies of status 200, in order; NULL-terminated */
};

enum { FUZZ_ROUNDS = 6, FUZZ_ITEMS = 3 };

static void *fuzz_provider_open(const struct fuzz_provider *fuzz)
{
    char path[] = "/tmp/muster-fuzz-XXXXXX";
    void *state = NULL;
    int fd = mkstemp(path);
    assert(fd >= 0 && write(fd, "t0ken-of-nobody", 15) == 15);
    struct engine_account_config config = fuzz->config;
    config.name = "fuzz";
    config.password_file = path;
    enum err err = provider_open(fuzz->ops, &config, NULL, &state, NULL);
    assert(err == ERR_OK);
    close(fd);
    unlink(path);
    return state;
}

static void fuzz_provider_items(struct batch_item items[static FUZZ_ITEMS])
{
    static const char *const names[FUZZ_ITEMS] = {"a.example.net", "b.example.net", "example.net"};
    for (size_t i = 0; i < FUZZ_ITEMS; i++) {
        struct ip ip = {.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)(i + 1)}};
        items[i] = (struct batch_item){
            .name = names[i], .type = RRTYPE_A, .ttl = 3600, .want = rrset_value_of(ip), .outcome = OUTCOME_UNKNOWN};
    }
    items[2].want = (struct rrset_value){0};
}

static void fuzz_provider_check(const struct batch *batch, const struct verdict *verdict)
{
    assert(verdict->kind < VERDICT_KINDS && memchr(verdict->detail, 0, sizeof(verdict->detail)) != NULL);
    for (size_t i = 0; verdict->kind == VERDICT_SETTLED && i < batch->len; i++) {
        assert((batch->items[i].outcome == OUTCOME_APPLIED) == (batch->items[i].error == NULL));
    }
    assert(verdict->kind == VERDICT_SETTLED || verdict->kind == VERDICT_CONTINUE || verdict->error != NULL);
}

static void fuzz_provider_listed(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    (void)context;
    (void)ttl;
    assert(name[0] != '\0' && ip->family == (type == RRTYPE_A ? IP_V4 : IP_V6));
}

static void fuzz_provider_list(const struct fuzz_provider *fuzz, void *state, struct provider_zone *zone,
                               const struct provider_reply *reply)
{
    struct provider_listing listing = {.each = fuzz_provider_listed};
    struct provider_request request;
    void *list = NULL;
    bool done = false;
    provider_request_init(&request);
    provider_request_reset(&request, 1700000000000, 1000);
    enum err err = fuzz->ops->list_begin(state, zone, &listing, &request, &list);
    for (int round = 0; err == ERR_OK && !done && round < FUZZ_ROUNDS; round++) {
        provider_request_reset(&request, 1700000000000, 1000);
        err = fuzz->ops->list_next(list, &request);
        err = err == ERR_OK ? fuzz->ops->list_feed(list, &request, reply, &done, NULL) : err;
    }
    if (list != NULL) {
        fuzz->ops->list_end(list);
    }
    provider_request_deinit(&request);
}

static void fuzz_provider_run(const struct fuzz_provider *fuzz, const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 204, 400, 404, 409, 422, 403, 429, 500, 302};
    static void *state;
    struct batch_item items[FUZZ_ITEMS];
    struct batch batch = {.items = items, .len = FUZZ_ITEMS};
    struct provider_request request;
    if (size < 2) {
        return;
    }
    state = state != NULL ? state : fuzz_provider_open(fuzz);
    struct provider_zone zone = {.name = "example.net", .mode = data[0] & 0x80 ? ZONE_SHARED : ZONE_DEDICATED};
    struct provider_reply reply = {.status = statuses[data[1] % ARRAY_LEN(statuses)],
                                   .body = view_n((const char *)data + 2, size - 2),
                                   .now_ms = 2000,
                                   .wall_ms = 1700000001000};
    size_t canned = data[0] & 0x0f;
    struct verdict verdict = {.kind = VERDICT_CONTINUE};
    fuzz_provider_items(items);
    provider_request_init(&request);
    for (int round = 0; verdict.kind == VERDICT_CONTINUE && round < FUZZ_ROUNDS; round++) {
        bool given = (size_t)round < canned && fuzz->canned[round] != NULL;
        struct provider_reply first = {.status = 200, .now_ms = 1500};
        canned = given ? canned : 0;
        first.body = view_of(given ? fuzz->canned[round] : NULL);
        provider_request_reset(&request, 1700000000000, 1000);
        verdict = (struct verdict){0};
        if (fuzz->ops->build_request(state, &zone, &batch, &request) != ERR_OK ||
            fuzz->ops->parse_reply(state, &zone, &batch, &request, given ? &first : &reply, &verdict) != ERR_OK) {
            break;
        }
        fuzz_provider_check(&batch, &verdict);
    }
    if (fuzz->ops->list_begin != NULL) {
        fuzz_provider_list(fuzz, state, &zone, &reply);
    }
    if (zone.cache != NULL) {
        fuzz->ops->cache_free(zone.cache);
    }
    provider_request_deinit(&request);
}
