/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First byte: service (bits 0 and 1), IPv6 (bit 2), by TCP (bit 3), the canary instead (bit 4); the rest is the answer
 * to its question with the id 0x0102. An address comes out only if it is public and of the family that asked.
 */
#include <stdlib.h>

#include "agent/detect/dnsecho.h"
#include "net/dnsquery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void walk(const struct dnsquery *query, struct view message)
{
    struct dnsreply reply;
    struct dnsrecord record;
    unsigned found = 0;
    if (dnsreply_open(query, message, &reply) != ERR_OK) {
        return;
    }
    while (dnsreply_next(&reply, query, &record) == ERR_OK) {
        struct ip ip;
        struct view text;
        found++;
        require(record.rdata.ptr + record.rdata.len <= message.ptr + message.len);
        require(dnsrecord_address(&record, &ip) != ERR_OK || ip.family != IP_NONE);
        require(dnsrecord_text(&record, &text) != ERR_OK || text.len + 1 == record.rdata.len);
    }
    require(found * 11 <= message.len); /* each record took bytes of its own */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"opendns", "google", "cloudflare", "akamai"};
    static const uint8_t random[DNSQUERY_RANDOM_LEN] = {1, 2};
    if (size < 1) {
        return 0;
    }
    const struct dnsecho *echo = dnsecho_find(names[data[0] & 3]);
    uint8_t family = data[0] & 4 ? IP_V6 : IP_V4;
    struct view message = view_n((const char *)data + 1, size - 1);
    struct source_answer answer = {0};
    struct dnsquery query;
    if (data[0] & 16) {
        dnsecho_canary(random, &query);
        walk(&query, message);
        require(dnsecho_judge_canary(&query, message, "server", &answer) != DNSECHO_BY_TCP);
        return 0;
    }
    if (dnsecho_query(echo, family, random, &query) != ERR_OK) {
        return 0;
    }
    walk(&query, message);
    bool tcp = (data[0] & 8) != 0;
    enum dnsecho_verdict verdict = dnsecho_judge(echo, &query, message, tcp, family, "server", &answer);
    require(!tcp || verdict == DNSECHO_ADDRESS || verdict == DNSECHO_FAILED);
    require(verdict != DNSECHO_ADDRESS || (answer.ip.family == family && ip_is_public(&answer.ip)));
    require(verdict != DNSECHO_FAILED || (answer.ip.family == IP_NONE && answer.detail[0] != '\0'));
    return 0;
}
