/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's zone writers: accounts and zones of the config as the engine's, and what the engine tells of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "coordinator/coordinator_private.h"
#include "providers/account.h"

static void on_settled(void *context, const struct engine_result *results, size_t results_len)
{
    struct zone *zone = context;
    struct engine_zone_status status;
    engine_zone_status(zone->engine_zone, &status);
    core_settled(zone->coordinator->core, coordinator_now(), zone->index, status.epoch, results, results_len);
    coordinator_arm_tick(zone->coordinator, coordinator_now().mono_ms + SOON_MS);
}

/* Outlives a reload: the zone is touched only while its generation is the present one. */
struct claim_job {
    struct coordinator *coordinator;
    uint16_t index;
    uint64_t generation;
    char name[DNSNAME_SIZE];
    uint64_t seen, epoch;
    enum err err;
    struct errinfo info;
};

static const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

static void claim_work(void *context)
{
    struct claim_job *job = context;
    struct coordinator *coordinator = job->coordinator;
    job->err = coordinator->store_ops->claim_zone(coordinator->store, job->name, job->seen, &job->epoch, &job->info);
}

static void claim_done(void *context)
{
    struct claim_job *job = context;
    struct coordinator *coordinator = job->coordinator;
    bool current = job->generation == coordinator->zones_generation;
    if (job->err == ERR_OK) {
        log_event(LOG_LEVEL_INFO, "zone-claimed", "zone=%s epoch=%llu", job->name, (unsigned long long)job->epoch);
    } else {
        log_event(LOG_LEVEL_ERROR, "zone-claim-failed", "zone=%s error=%s detail=\"%s\"", job->name, err_name(job->err),
                  job->info.text);
    }
    if (current && job->err == ERR_OK) {
        core_zone_claimed(coordinator->core, job->index, job->epoch);
    }
    if (current && coordinator->zones[job->index].engine_zone != NULL) {
        engine_zone_claimed(coordinator->zones[job->index].engine_zone, job->epoch, job->err);
    }
    free(job);
}

static void on_claim(void *context, struct engine_zone *engine_zone, uint64_t seen_epoch)
{
    struct zone *zone = context;
    struct claim_job *job = calloc(1, sizeof(*job));
    enum err err = ERR_NOMEM;
    if (job != NULL) {
        job->coordinator = zone->coordinator;
        job->index = zone->index;
        job->generation = zone->coordinator->zones_generation;
        job->seen = seen_epoch;
        (void)!view_copy(view_of(zone_name(zone)), job->name, sizeof(job->name)); /* a configured zone fits */
        log_event(LOG_LEVEL_DEBUG, "zone-claiming", "zone=%s seen_epoch=%llu", job->name,
                  (unsigned long long)seen_epoch);
        err = loop_worker_submit(zone->coordinator->worker, claim_work, claim_done, job);
    }
    if (err != ERR_OK) {
        free(job);
        engine_zone_claimed(engine_zone, 0, err);
    }
}

static void on_trouble(void *context, struct engine_zone *engine_zone, const char *error, const char *detail)
{
    (void)engine_zone;
    if (error != NULL) {
        log_event(LOG_LEVEL_WARN, "zone-failing", "zone=%s error=%s detail=\"%s\"", zone_name(context), error, detail);
    } else {
        log_event(LOG_LEVEL_NOTICE, "zone-recovered", "zone=%s", zone_name(context));
    }
}

static void on_deposed(void *context, struct engine_zone *engine_zone)
{
    struct zone *zone = context;
    (void)engine_zone;
    zone->deposed = true;
    log_event(LOG_LEVEL_ERROR, "zone-deposed",
              "zone=%s hint=\"another coordinator writes this zone; stop one of them, then muster zone "
              "resume %s\"",
              zone_name(zone), zone_name(zone));
}

void zones_free_accounts(struct engine_account **accounts, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        engine_account_free(accounts[i]);
        accounts[i] = NULL;
    }
}

enum err zones_make_accounts(struct coordinator *coordinator, const struct coordinator_config *config,
                             struct engine_account **ret_accounts, struct strbuf *report)
{
    const struct engine_account_config *accounts = config->accounts.items;
    engine_use_catalogue(coordinator->engine, config->catalogue);
    for (size_t i = 0; i < config->accounts.len; i++) {
        struct errinfo info = {0};
        enum err err = engine_account_new(coordinator->engine, &accounts[i], &ret_accounts[i], &info);
        if (err != ERR_OK) {
            settings_tell_account(report, coordinator->config_path, &accounts[i], &info);
            zones_free_accounts(ret_accounts, i);
            return err;
        }
    }
    return ERR_OK;
}

static size_t account_index(const struct coordinator_config *config, const char *name)
{
    const struct engine_account_config *accounts = config->accounts.items;
    size_t i = 0;
    while (strcmp(accounts[i].name, name) != 0) {
        i++; /* the config's check has found it */
    }
    return i;
}

enum err zones_open(struct coordinator *coordinator, const bool *deposed)
{
    const struct coordinator_config *config = &coordinator->settings->config;
    const struct zone_config *zones = config->zones.items;
    for (size_t i = 0; i < config->zones.len; i++) {
        struct zone *zone = &coordinator->zones[i];
        zone->coordinator = coordinator;
        zone->index = (uint16_t)i;
        enum err err = view_copy(view_of(zones[i].name), zone->name, sizeof(zone->name));
        if (err != ERR_OK) {
            return err;
        }
        const struct engine_zone_options options = {
            .name = zones[i].name,
            .mode = (enum zone_mode)zones[i].mode,
            .account = coordinator->accounts[account_index(config, zones[i].account)],
            .deposed = deposed != NULL && deposed[i],
            .callbacks = {.settled = on_settled, .claim = on_claim, .trouble = on_trouble, .deposed = on_deposed},
            .context = zone,
        };
        err = engine_zone_new(coordinator->engine, &options, &zone->engine_zone);
        if (err != ERR_OK) {
            return err;
        }
        struct engine_zone_status status;
        engine_zone_status(zone->engine_zone, &status);
        zone->deposed = strcmp(status.state, "deposed") == 0; /* not where nothing can be fenced */
        coordinator->zones_len++;
    }
    return ERR_OK;
}

void zones_find_deposed(const struct coordinator *coordinator, const struct coordinator_config *config,
                        bool ret_deposed[static ZONES_MAX])
{
    const struct zone_config *zones = config->zones.items;
    memset(ret_deposed, 0, ZONES_MAX * sizeof(*ret_deposed));
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        for (size_t k = 0; coordinator->zones[i].deposed && k < config->zones.len; k++) {
            ret_deposed[k] = ret_deposed[k] || strcmp(coordinator->zones[i].name, zones[k].name) == 0;
        }
    }
}

void zones_close(struct coordinator *coordinator)
{
    for (size_t i = 0; i < coordinator->zones_len; i++) {
        engine_zone_free(coordinator->zones[i].engine_zone);
        coordinator->zones[i] = (struct zone){0};
    }
    coordinator->zones_len = 0;
}
