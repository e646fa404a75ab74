/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

struct host {
    struct host *next;
    char *stop_detail;                 /* owned; NULL = not stopped */
    uint64_t wrote_ms[HOSTS_RATE_MAX]; /* ring */
    uint64_t repeated_ms;
    unsigned repeats;
    uint8_t wrote_next, wrote_len;
    uint8_t type;
    char stop_code[HOSTS_CODE_MAX], repeat_code[HOSTS_CODE_MAX];
    char name[];
};

static struct host **slot_of(const struct hosts *hosts, const char *name, enum rrtype type)
{
    struct host *const *slot = &hosts->buckets[(view_hash(view_of(name)) + type) % HOSTS_BUCKETS];
    while (*slot != NULL && ((*slot)->type != type || strcmp((*slot)->name, name) != 0)) {
        slot = &(*slot)->next;
    }
    return (struct host **)(uintptr_t)slot; /* callers with a const table do not write */
}

static struct host *find_or_add(struct hosts *hosts, const char *name, enum rrtype type)
{
    struct host **slot = slot_of(hosts, name, type);
    if (*slot == NULL) {
        size_t len = strlen(name);
        struct host *host = calloc(1, sizeof(*host) + len + 1);
        if (host == NULL) {
            return NULL;
        }
        host->type = (uint8_t)type;
        memcpy(host->name, name, len + 1);
        *slot = host;
    }
    return *slot;
}

static bool is_idle(const struct hosts *hosts, const struct host *host, uint64_t now_ms)
{
    uint64_t last_ms = host->wrote_ms[(host->wrote_next + HOSTS_RATE_MAX - 1) % HOSTS_RATE_MAX];
    bool wrote = host->wrote_len > 0 && now_ms < last_ms + hosts->rate.period_ms;
    return host->stop_detail == NULL && host->repeats == 0 && !wrote;
}

static void drop(struct host **slot)
{
    struct host *host = *slot;
    *slot = host->next;
    free(host->stop_detail);
    free(host);
}

void hosts_deinit(struct hosts *hosts)
{
    for (size_t i = 0; i < HOSTS_BUCKETS; i++) {
        while (hosts->buckets[i] != NULL) {
            drop(&hosts->buckets[i]);
        }
    }
}

void hosts_inherit(struct hosts *hosts, const struct hosts *from)
{
    for (size_t i = 0; i < HOSTS_BUCKETS; i++) {
        for (const struct host *old = from->buckets[i]; old != NULL; old = old->next) {
            size_t size = sizeof(*old) + strlen(old->name) + 1;
            char *detail = old->stop_detail != NULL ? strdup(old->stop_detail) : NULL;
            struct host *host = detail != NULL || old->stop_detail == NULL ? malloc(size) : NULL;
            if (host == NULL) {
                free(detail);
                continue;
            }
            memcpy(host, old, size);
            host->stop_detail = detail;
            host->next = hosts->buckets[i];
            hosts->buckets[i] = host;
        }
    }
}

const char *hosts_stopped(const struct hosts *hosts, const char *name, enum rrtype type, const char **ret_detail)
{
    const struct host *host = *slot_of(hosts, name, type);
    if (host == NULL || host->stop_detail == NULL) {
        return NULL;
    }
    *ret_detail = host->stop_detail;
    return host->stop_code;
}

static enum err stop_one(struct hosts *hosts, const char *name, enum rrtype type, const char *code, const char *detail)
{
    char *copy = strdup(detail);
    struct host *host = copy != NULL ? find_or_add(hosts, name, type) : NULL;
    if (host == NULL) {
        free(copy);
        return ERR_NOMEM;
    }
    free(host->stop_detail);
    host->stop_detail = copy;
    (void)snprintf(host->stop_code, sizeof(host->stop_code), "%s", code); /* codes are shorter */
    return ERR_OK;
}

enum err hosts_stop(struct hosts *hosts, const char *name, enum rrtype type, bool both, const char *code,
                    const char *detail)
{
    enum rrtype other = type == RRTYPE_A ? RRTYPE_AAAA : RRTYPE_A;
    enum err err = stop_one(hosts, name, type, code, detail);
    return err == ERR_OK && both ? stop_one(hosts, name, other, code, detail) : err;
}

size_t hosts_clear(struct hosts *hosts, const char *name, uint64_t now_ms)
{
    size_t cleared = 0;
    for (size_t i = 0; i < HOSTS_BUCKETS; i++) {
        for (struct host **slot = &hosts->buckets[i]; *slot != NULL;) {
            struct host *host = *slot;
            if (host->stop_detail != NULL && (name == NULL || strcmp(host->name, name) == 0)) {
                cleared++;
                free(TAKE(host->stop_detail));
                host->repeats = 0; /* and its row of repetitions: a person looked */
            }
            if (is_idle(hosts, host, now_ms)) {
                drop(slot);
            } else {
                slot = &host->next; /* how often it may be written is no person's to say */
            }
        }
    }
    return cleared;
}

unsigned hosts_count(struct hosts *hosts, const char *name, enum rrtype type, const char *code, uint64_t now_ms)
{
    if (code == NULL) {
        struct host **slot = slot_of(hosts, name, type);
        if (*slot != NULL) {
            (*slot)->repeats = 0;
            if (is_idle(hosts, *slot, now_ms)) {
                drop(slot);
            }
        }
        return 0;
    }
    struct host *host = find_or_add(hosts, name, type);
    if (host == NULL) {
        return 1;
    }
    bool same = host->repeats > 0 && strcmp(host->repeat_code, code) == 0 && now_ms < host->repeated_ms + HOSTS_ROW_MS;
    host->repeats = same ? host->repeats + 1 : 1;
    host->repeated_ms = now_ms;
    (void)snprintf(host->repeat_code, sizeof(host->repeat_code), "%s", code); /* codes are shorter */
    return host->repeats;
}

uint64_t hosts_ready_ms(const struct hosts *hosts, const char *name, enum rrtype type, uint64_t now_ms)
{
    const struct host *host = hosts->rate.units > 0 ? *slot_of(hosts, name, type) : NULL;
    if (host == NULL || host->wrote_len < hosts->rate.units) {
        return 0;
    }
    size_t oldest = (host->wrote_next + HOSTS_RATE_MAX - hosts->rate.units) % HOSTS_RATE_MAX;
    uint64_t ready_ms = host->wrote_ms[oldest] + hosts->rate.period_ms;
    return ready_ms > now_ms ? ready_ms : 0;
}

void hosts_wrote(struct hosts *hosts, const char *name, enum rrtype type, uint64_t now_ms)
{
    struct host *host = hosts->rate.units > 0 ? find_or_add(hosts, name, type) : NULL;
    if (host != NULL) {
        host->wrote_ms[host->wrote_next] = now_ms;
        host->wrote_next = (uint8_t)((host->wrote_next + 1) % HOSTS_RATE_MAX);
        host->wrote_len = (uint8_t)MIN(host->wrote_len + 1, HOSTS_RATE_MAX);
    }
}

void hosts_unwrote(struct hosts *hosts, const char *name, enum rrtype type)
{
    struct host *host = hosts->rate.units > 0 ? *slot_of(hosts, name, type) : NULL;
    if (host != NULL && host->wrote_len > 0) {
        host->wrote_next = (uint8_t)((host->wrote_next + HOSTS_RATE_MAX - 1) % HOSTS_RATE_MAX);
        host->wrote_len--;
    }
}

enum batch_stop hosts_learn(struct hosts *hosts, struct batch_item *item, uint64_t now_ms)
{
    unsigned row = hosts_count(hosts, item->name, item->type, item->repeat, now_ms);
    bool too_often = item->repeat != NULL && row >= item->repeat_max && item->repeat_max > 0;
    enum batch_stop stop = item->stop != BATCH_STOP_NONE    ? item->stop
                           : too_often && item->repeat_stop ? BATCH_STOP_HOST
                                                            : BATCH_STOP_NONE;
    if (too_often && row == item->repeat_max) {
        item->alarm = item->repeat;
    }
    if (stop != BATCH_STOP_NONE) {
        (void)!hosts_stop(hosts, item->name, item->type, stop == BATCH_STOP_HOST,
                          item->error != NULL ? item->error : item->repeat,
                          item->stop_detail != NULL ? item->stop_detail : ""); /* else the service says it again */
    }
    return stop;
}
