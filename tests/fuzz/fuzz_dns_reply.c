/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: which reply is read (0 owner, 1 claim, 2 change, 3 zone transfer; bit 2: with a TSIG key); the rest is
 * the message. Without a valid signature nothing may count as applied where a key is set.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "providers/authority.h"
#include "providers/provider.h"

/** The same bytes as a resolver's answers to SOA and NS. */
static void find_authority(struct view message)
{
    struct authority found = {.zone = "example"};
    if (authority_read(message, "a.example", &found, NULL) == ERR_OK) {
        assert(found.hosts_len == 1 && dnsname_in_zone(view_of("a.example"), view_of(found.zone)));
        assert(found.ttl_s >= AUTHORITY_TTL_MIN_S && found.ttl_s <= AUTHORITY_TTL_MAX_S);
    }
    for (int i = 0; i < 2; i++) {
        authority_add_servers(&found, message);
    }
    assert(found.hosts_len <= AUTHORITY_HOSTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *account(bool keyed)
{
    static void *states[2];
    if (states[keyed] == NULL) {
        char path[] = "/tmp/muster-fuzz-XXXXXX";
        int fd = mkstemp(path);
        static const char key[] = "hmac-sha256:k:c2VjcmV0\n";
        assert(fd >= 0 && write(fd, key, sizeof(key) - 1) == sizeof(key) - 1);
        struct engine_account_config config = {
            .name = "fuzz", .server = "127.0.0.1:53", .key_file = keyed ? path : NULL};
        enum err err = provider_rfc2136.open(&config, NULL, &states[keyed], NULL);
        assert(err == ERR_OK);
        close(fd);
        unlink(path);
    }
    return states[keyed];
}

static void ignore_record(void *context, const char *name, enum rrtype type, uint32_t ttl, const struct ip *ip)
{
    (void)context;
    (void)ttl;
    assert(name[0] != '\0' || type == RRTYPE_A || type == RRTYPE_AAAA);
    assert(ip->family == (type == RRTYPE_A ? IP_V4 : IP_V6));
}

static void feed_transfer(void *state, struct provider_zone *zone, struct view message)
{
    struct provider_listing listing = {.each = ignore_record};
    struct provider_request request;
    void *list = NULL;
    bool done = false;
    provider_request_init(&request);
    enum err err = provider_rfc2136.list_begin(state, zone, &listing, &request, &list);
    assert(err == ERR_OK);
    for (int i = 0; i < 3 && err == ERR_OK && !done; i++) {
        err = provider_rfc2136.list_feed(list, &request, &(struct provider_reply){.body = message}, &done, NULL);
    }
    provider_rfc2136.list_end(list);
    provider_request_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    bool keyed = (data[0] & 4) != 0;
    void *state = account(keyed);
    struct provider_zone zone = {.name = "example", .mode = data[0] & 8 ? ZONE_SHARED : ZONE_DEDICATED, .epoch = 1};
    struct provider_request request = {.id = (uint16_t)(data[1] << 8 | data[2]),
                                       .mac = {.len = 32}}; /* no input knows its MAC */
    struct provider_reply reply = {.body = view_n((const char *)data + 1, size - 1)};
    struct batch_item item = {.name = "a.example", .type = RRTYPE_A, .outcome = OUTCOME_UNKNOWN};
    struct batch batch = {.items = &item, .len = 1};
    struct provider_owner owner = {0};
    struct verdict verdict = {0};
    enum err err = ERR_PARSE;
    find_authority(reply.body);
    switch (data[0] & 3) {
    case 0:
        err = provider_rfc2136.parse_owner(state, &request, &reply, &owner, &verdict);
        break;
    case 1:
        err = provider_rfc2136.parse_claim(state, &request, &reply, &verdict);
        break;
    case 2:
        err = provider_rfc2136.parse_reply(state, &zone, &batch, &request, &reply, &verdict);
        break;
    default:
        feed_transfer(state, &zone, reply.body);
        return 0;
    }
    assert(err != ERR_OK || !keyed || verdict.kind != VERDICT_SETTLED);
    return 0;
}
