/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dyndns2_hosts.h"

#include <stdlib.h>
#include <string.h>

/** One family of a host. */
struct family {
    const struct dyndns2_code *stopped; /* NULL = not */
    const struct dyndns2_code *last;    /* of the row; NULL = none */
    unsigned row;
    uint64_t last_ms; /* monotonic */
};

struct dyndns2_host {
    struct dyndns2_host *next;
    struct family families[2]; /* A, AAAA */
    char name[];
};

static size_t bucket_of(const char *name)
{
    return view_hash(view_of(name)) % DYNDNS2_HOSTS_BUCKETS;
}

static struct dyndns2_host *find(const struct dyndns2_hosts *hosts, const char *name)
{
    struct dyndns2_host *host = hosts->buckets[bucket_of(name)];
    while (host != NULL && strcmp(host->name, name) != 0) {
        host = host->next;
    }
    return host;
}

/** NULL without memory. */
static struct dyndns2_host *find_or_add(struct dyndns2_hosts *hosts, const char *name)
{
    struct dyndns2_host *host = find(hosts, name);
    size_t size = strlen(name) + 1;
    if (host == NULL && (host = calloc(1, sizeof(*host) + size)) != NULL) {
        struct dyndns2_host **bucket = &hosts->buckets[bucket_of(name)];
        memcpy(host->name, name, size);
        host->next = *bucket;
        *bucket = host;
    }
    return host;
}

static struct family *family_of(struct dyndns2_host *host, enum rrtype type)
{
    return &host->families[type == RRTYPE_AAAA];
}

void dyndns2_hosts_deinit(struct dyndns2_hosts *hosts)
{
    for (size_t i = 0; i < DYNDNS2_HOSTS_BUCKETS; i++) {
        while (hosts->buckets[i] != NULL) {
            struct dyndns2_host *host = hosts->buckets[i];
            hosts->buckets[i] = host->next;
            free(host);
        }
    }
}

const struct dyndns2_code *dyndns2_hosts_stopped(const struct dyndns2_hosts *hosts, const char *name, enum rrtype type)
{
    struct dyndns2_host *host = find(hosts, name);
    return host != NULL ? family_of(host, type)->stopped : NULL;
}

void dyndns2_hosts_stop(struct dyndns2_hosts *hosts, const char *name, enum rrtype type,
                        const struct dyndns2_code *code)
{
    struct dyndns2_host *host = find_or_add(hosts, name);
    if (host == NULL) {
        return;
    }
    family_of(host, type)->stopped = code;
    if (code->action != DYNDNS2_STOP_FAMILY) {
        host->families[0].stopped = host->families[1].stopped = code;
    }
}

unsigned dyndns2_hosts_count(struct dyndns2_hosts *hosts, const char *name, enum rrtype type,
                             const struct dyndns2_code *code, uint64_t now_ms)
{
    bool counts = code->repeats != 0;
    struct dyndns2_host *host = counts ? find_or_add(hosts, name) : find(hosts, name);
    if (host == NULL) {
        return counts;
    }
    struct family *family = family_of(host, type);
    bool again = counts && family->last == code && now_ms - family->last_ms < DYNDNS2_HOSTS_ROW_MS;
    family->row = again ? family->row + 1 : counts;
    family->last = code;
    family->last_ms = now_ms;
    return family->row;
}
