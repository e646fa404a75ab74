/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: status and how much is known of the zone; second: zone's mode and number of changes; the rest is the
 * body. Whatever it says, a change that was not sent counts as applied only where a lookup showed it as wanted.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/providers/google_key.h"
#include "providers/google_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS_MAX = 4 };

static struct google *account(void)
{
    static void *state;
    if (state == NULL) {
        char path[] = "/tmp/muster-fuzz-XXXXXX";
        int fd = mkstemp(path);
        assert(fd >= 0 && write(fd, GOOGLE_KEY_FILE, strlen(GOOGLE_KEY_FILE)) == (ssize_t)strlen(GOOGLE_KEY_FILE));
        struct engine_account_config config = {.name = "fuzz", .key_file = path};
        enum err err = provider_google.open(&config, NULL, &state, NULL);
        assert(err == ERR_OK);
        close(fd);
        unlink(path);
    }
    return state;
}

/** What the bits say is known: the token, the zone, its listing, one record. */
static void know(struct google *state, struct google_cache *cache, unsigned bits)
{
    oauth_deinit(&state->token);
    if ((bits & 8) != 0) {
        enum err err = secret_set(&state->token.value, view_of("t"));
        assert(err == ERR_OK);
        state->token.until_ms = UINT64_MAX;
    }
    memcpy(cache->zone, "z", (bits & 16) != 0 ? 2 : 1);
    cache->zone[(bits & 16) != 0] = '\0';
    cache->listed = (bits & 32) != 0;
    cache->listed_at = (bits & 64) != 0 ? cache->batch : 99;
    if ((bits & 128) != 0) {
        enum err err = google_see(cache, "a.example", RRTYPE_A, 60, view_of("192.0.2.9"));
        assert(err == ERR_OK);
    }
}

static void fill(struct batch *batch, unsigned bits)
{
    static const char *const names[ITEMS_MAX] = {"a.example", "b.example", "*.example", "example"};
    for (size_t i = 0; i < batch->len; i++) {
        struct batch_item *item = &batch->items[i];
        *item = (struct batch_item){.name = names[i], .type = RRTYPE_A, .ttl = 60, .outcome = OUTCOME_UNKNOWN};
        item->want = rrset_value_of((struct ip){.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)i}});
        item->want.len = (bits >> i & 1) != 0;
    }
}

static void settled_soundly(const struct batch *batch, const struct provider_request *request, long status)
{
    assert(request->stage < PROVIDER_STAGE_ACCOUNT && request->stage != GOOGLE_STAGE_ZONE);
    for (size_t i = 0; i < batch->len; i++) {
        const struct batch_item *item = &batch->items[i];
        assert((item->outcome == OUTCOME_APPLIED) == (item->error == NULL));
        assert(item->error != NULL || status == 200);
    }
}

static void list(struct google *state, const uint8_t *data, size_t size)
{
    struct provider_zone zone = {.name = "example"};
    struct provider_listing listing = {.each = NULL};
    struct provider_request request;
    struct provider_reply reply = {.status = 200, .body = view_n((const char *)data, size)};
    void *context = NULL;
    bool done = false;
    provider_request_init(&request);
    if (provider_google.list_begin(state, &zone, &listing, &request, &context) == ERR_OK &&
        provider_google.list_next(context, &request) == ERR_OK) {
        (void)provider_google.list_feed(context, &request, &reply, &done, NULL); /* any error is fine */
        assert(!done); /* the first reply is about a token or the zone */
    }
    provider_google.list_end(context);
    provider_google.cache_free(zone.cache);
    provider_request_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 400, 403, 404, 409, 412, 401, 200};
    if (size < 2) {
        return 0;
    }
    struct google *state = account();
    struct batch_item items[ITEMS_MAX];
    struct batch batch = {.items = items, .len = data[1] % ITEMS_MAX + 1u};
    struct provider_zone zone = {.name = "example", .mode = (data[1] & 4) != 0 ? ZONE_SHARED : ZONE_DEDICATED};
    struct provider_request request;
    struct provider_reply reply = {.status = statuses[data[0] & 7], .body = view_n((const char *)data + 2, size - 2)};
    struct verdict verdict = {0};
    struct google_cache *cache = google_cache_of(&zone);
    assert(cache != NULL);
    know(state, cache, data[0]);
    fill(&batch, data[1] >> 4);
    provider_request_init(&request);
    if (provider_google.build_request(state, &zone, &batch, &request) == ERR_OK &&
        provider_google.parse_reply(state, &zone, &batch, &request, &reply, &verdict) == ERR_OK) {
        assert(verdict.kind < VERDICT_KINDS);
        if (verdict.kind == VERDICT_SETTLED) {
            settled_soundly(&batch, &request, reply.status);
        }
    }
    provider_request_deinit(&request);
    provider_google.cache_free(zone.cache);
    list(state, data + 2, size - 2);
    return 0;
}
