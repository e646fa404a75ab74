/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_shim: preloaded into session_probe, makes its surroundings hostile in two ways that a test cannot get from
 * the kernel. SHIM_CLOCK=FILE       CLOCK_REALTIME is ahead by the seconds that FILE holds. Waits by the wall clock
 * that were begun while it was ahead end that much late: what a backward step does to a wait under way.
 *   SHIM_RESOLVER_MS=N    every look-up of a name takes N ms.
 *   SHIM_RESOLVER_DEAD=N,MS   after N look-ups of names each further one fails, after MS ms.
 *   SHIM_RESOLVER_MAP=NAME=ADDRESS,ADDRESS   what NAME resolves to, in this order.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int (*clock_fn)(clockid_t, struct timespec *);
typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static long seconds_ahead(void)
{
    const char *path = getenv("SHIM_CLOCK");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    long seconds = 0;
    if (file != NULL) {
        if (fscanf(file, "%ld", &seconds) != 1) {
            seconds = 0;
        }
        (void)fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    static clock_fn next;
    if (next == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "clock_gettime");
        memcpy(&next, &symbol, sizeof(symbol));
    }
    int rc = next(clock, ret_time);
    if (rc == 0 && clock == CLOCK_REALTIME) {
        ret_time->tv_sec += seconds_ahead();
    }
    return rc;
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static bool is_dead(void)
{
    static atomic_long asked;
    const char *dead = getenv("SHIM_RESOLVER_DEAD");
    char *rest = NULL;
    if (dead == NULL || atomic_fetch_add(&asked, 1) < strtol(dead, &rest, 10)) {
        return false;
    }
    pause_ms(*rest == ',' ? strtol(rest + 1, NULL, 10) : 0);
    return true;
}

static int resolve_mapped(getaddrinfo_fn next, char *addresses, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret_list)
{
    struct addrinfo numeric = hints != NULL ? *hints : (struct addrinfo){0};
    numeric.ai_flags = AI_NUMERICHOST;
    struct addrinfo **tail = ret_list;
    *ret_list = NULL;
    char *rest = addresses;
    for (char *address = strsep(&rest, ","); address != NULL; address = strsep(&rest, ",")) {
        int rc = next(address, service, &numeric, tail);
        if (rc != 0) {
            return rc;
        }
        while (*tail != NULL) {
            tail = &(*tail)->ai_next;
        }
    }
    return 0;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list)
{
    static getaddrinfo_fn next;
    if (next == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
        memcpy(&next, &symbol, sizeof(symbol));
    }
    if (node == NULL || (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0)) {
        return next(node, service, hints, ret_list);
    }
    const char *delay = getenv("SHIM_RESOLVER_MS");
    if (delay != NULL) {
        pause_ms(strtol(delay, NULL, 10));
    }
    if (is_dead()) {
        return EAI_AGAIN;
    }
    const char *map = getenv("SHIM_RESOLVER_MAP");
    size_t len = strlen(node);
    if (map != NULL && strncmp(map, node, len) == 0 && map[len] == '=') {
        char copy[256];
        (void)snprintf(copy, sizeof(copy), "%s", map + len + 1);
        return resolve_mapped(next, copy, service, hints, ret_list);
    }
    return next(node, service, hints, ret_list);
}
