/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/floorlook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/doctor/network.h"
#include "agent/floor.h"
#include "base/hostport.h"
#include "base/log.h"
#include "net/resolve.h"
#include "provisioning/tlspeer.h"

#define EACH_MS 60000 /* a broker that refuses us for another reason is not asked at every attempt */

struct floorlook {
    struct loop *loop;
    const struct config_strings *endpoints;
    loop_fn ahead;
    void *context;
    struct resolve *resolve;
    struct loop_worker *worker; /* while a look is under way */
    bool looked;                /* at last_ms */
    uint64_t last_ms;
    size_t next; /* endpoint to look at */
    char host[RESOLVE_HOST_MAX + 1];
    struct sockaddr_storage address;
    bool found; /* by the worker */
    int64_t not_before_s;
};

enum err floorlook_new(const struct floorlook_options *options, struct floorlook **ret_look)
{
    struct floorlook *look = calloc(1, sizeof(*look));
    if (look == NULL) {
        return ERR_NOMEM;
    }
    look->loop = options->loop;
    look->endpoints = options->endpoints;
    look->ahead = options->ahead;
    look->context = options->context;
    *ret_look = look;
    return ERR_OK;
}

void floorlook_free(struct floorlook *look)
{
    if (look == NULL) {
        return;
    }
    look->ahead = NULL;
    resolve_cancel(look->resolve);
    loop_worker_free(look->worker);
    free(look);
}

/* Worker's thread. */
static void work(void *context)
{
    struct floorlook *look = context;
    struct tlspeer peer = {0};
    int fd = network_dial(&look->address);
    if (fd < 0) {
        return;
    }
    look->found = tlspeer_look(fd, look->host, NULL, &peer, NULL) == ERR_OK && peer.has_validity;
    look->not_before_s = peer.not_before_s;
    (void)close(fd); /* nothing was written that matters */
}

static void end_worker(void *context)
{
    struct floorlook *look = context;
    struct loop_worker *worker = look->worker;
    look->worker = NULL;
    loop_worker_free(worker);
}

static void worked(void *context)
{
    struct floorlook *look = context;
    if (look->ahead == NULL) {
        return; /* being freed, by who waits for the worker */
    }
    if (loop_post(look->loop, end_worker, look) != ERR_OK) {
        return; /* the thread idles until the end */
    }
    if (look->found && floor_try(look->not_before_s + 1)) {
        log_event(LOG_LEVEL_NOTICE, "clock-tried", "host=%s not_before_s=%" PRId64, look->host, look->not_before_s);
        look->ahead(look->context);
    }
}

static void on_resolved(void *context, const struct resolve_result *result, const struct errinfo *info)
{
    struct floorlook *look = context;
    (void)info; /* the connection's own attempts say it */
    look->resolve = NULL;
    if (result->len == 0 || look->worker != NULL) {
        return;
    }
    look->address = result->addresses[0];
    look->found = false;
    if (loop_worker_new(look->loop, "floorlook", 1, &look->worker) != ERR_OK) {
        look->worker = NULL;
        return;
    }
    if (loop_worker_submit(look->worker, work, worked, look) != ERR_OK) {
        end_worker(look);
    }
}

static void begin(struct floorlook *look)
{
    struct view host;
    uint16_t port = 0;
    struct resolve_result result;
    const char *endpoint = look->endpoints->items[look->next++ % look->endpoints->len];
    if (hostport_parse(view_of(endpoint), &host, &port, NULL) != ERR_OK ||
        view_copy(host, look->host, sizeof(look->host)) != ERR_OK) {
        return;
    }
    if (resolve_numeric(look->host, port, &result)) {
        on_resolved(look, &result, NULL);
    } else if (resolve_start(look->loop, look->host, port, on_resolved, look, &look->resolve) != ERR_OK) {
        look->resolve = NULL;
    }
}

void floorlook_failed(struct floorlook *look, enum err err)
{
    uint64_t now = loop_now_ms(look->loop);
    floor_drop();
    if (err != ERR_AUTH || look->worker != NULL || look->resolve != NULL || look->endpoints->len == 0 ||
        (look->looked && now - look->last_ms < EACH_MS)) {
        return;
    }
    look->looked = true;
    look->last_ms = now;
    begin(look);
}

void floorlook_connected(void)
{
    if (floor_keep() != ERR_OK) {
        log_event(LOG_LEVEL_WARN, "clock-not-saved", "where=state_dir");
    }
}
