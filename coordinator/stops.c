/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/stops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "providers/account.h"
#include "providers/catalogue.h"
#include "providers/limits.h"

enum { ERROR_SIZE = 32, DETAIL_SIZE = PROVIDER_DETAIL_MAX };

struct entry {
    struct entry *next;
    struct store_stop stop; /* its texts are the arrays below */
    char account[ACCOUNT_NAME_SIZE], name[DNSNAME_SIZE], error[ERROR_SIZE], detail[DETAIL_SIZE];
};

struct stops {
    struct coordinator *coordinator;
    struct entry *entries;                                      /* owned */
    uint8_t fingerprints[ACCOUNTS_MAX][STORE_FINGERPRINT_SIZE]; /* of the present config's accounts */
};

/* For the worker: one row to write, or rows to drop. Owns copies, the entry may go meanwhile. */
struct job {
    struct coordinator *coordinator;
    struct entry row;
    bool drop, all_names;
    enum err err;
    struct errinfo info;
};

/** What a log line says of a stop's name: "*" is the account, all of it. */
static const char *name_in_log(const char *name)
{
    return name[0] != '\0' ? name : "*";
}

static void fill(struct entry *entry, const struct store_stop *from)
{
    (void)snprintf(entry->account, sizeof(entry->account), "%s", from->account); /* as long as the config allows */
    (void)snprintf(entry->name, sizeof(entry->name), "%s", from->name);          /* a DNS name */
    (void)snprintf(entry->error, sizeof(entry->error), "%s", from->error);       /* an id */
    (void)snprintf(entry->detail, sizeof(entry->detail), "%s", from->detail);    /* cut at one line's cap */
    entry->stop = *from;
    entry->stop.account = entry->account;
    entry->stop.name = entry->name;
    entry->stop.error = entry->error;
    entry->stop.detail = entry->detail;
}

static struct entry **slot_of(struct stops *stops, const char *account, const char *name, enum rrtype type)
{
    struct entry **slot = &stops->entries;
    while (*slot != NULL &&
           ((*slot)->stop.type != type || strcmp((*slot)->name, name) != 0 || strcmp((*slot)->account, account) != 0)) {
        slot = &(*slot)->next;
    }
    return slot;
}

static enum err keep(struct stops *stops, const struct store_stop *stop)
{
    struct entry **slot = slot_of(stops, stop->account, stop->name, stop->type);
    if (*slot == NULL) {
        struct entry *entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            return ERR_NOMEM;
        }
        *slot = entry;
    }
    struct entry *next = (*slot)->next;
    fill(*slot, stop);
    (*slot)->next = next;
    return ERR_OK;
}

static enum err keep_read(void *context, const struct store_stop *stop)
{
    return keep(context, stop);
}

static void write_work(void *context)
{
    struct job *job = context;
    const struct store_ops *ops = job->coordinator->store_ops;
    struct store *store = job->coordinator->store;
    if (job->drop) {
        job->err = ops->drop_stops(store, job->row.account, job->all_names ? NULL : job->row.name, &job->info);
    } else {
        job->err = ops->put_stop(store, &job->row.stop, &job->info);
    }
}

static void not_kept(const struct job *job, enum err err)
{
    log_event(LOG_LEVEL_ERROR, "stop-not-kept", "account=%s name=%s error=%s detail=\"%s\" note=\"%s\"",
              job->row.account, name_in_log(job->row.name), err_name(err), job->info.text,
              job->drop ? "the stop comes back with the next start" : "the next start asks the service once more");
}

static void write_done(void *context)
{
    struct job *job = context;
    if (job->err != ERR_OK) {
        not_kept(job, job->err);
    }
    free(job);
}

static void write_row(struct stops *stops, const struct store_stop *stop, bool drop, bool all_names)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        log_event(LOG_LEVEL_ERROR, "stop-not-kept", "account=%s name=%s error=%s", stop->account,
                  name_in_log(stop->name), err_name(ERR_NOMEM));
        return;
    }
    job->coordinator = stops->coordinator;
    job->drop = drop;
    job->all_names = all_names;
    fill(&job->row, stop);
    enum err err = loop_worker_submit(stops->coordinator->worker, write_work, write_done, job);
    if (err != ERR_OK) {
        not_kept(job, err);
        free(job);
    }
}

static size_t account_index(const struct stops *stops, const char *name)
{
    const struct coordinator_config *config = &stops->coordinator->settings->config;
    const struct engine_account_config *accounts = config->accounts.items;
    size_t i = 0;
    while (i < config->accounts.len && strcmp(accounts[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void on_stop(void *context, const struct engine_stop *told)
{
    struct stops *stops = context;
    size_t account = account_index(stops, told->account);
    struct store_stop stop = {.account = told->account,
                              .name = told->name,
                              .type = told->type,
                              .both = told->both,
                              .error = told->error,
                              .detail = told->detail,
                              .at_ms = coordinator_now().wall_ms};
    log_event(LOG_LEVEL_ERROR, "provider-stopped",
              "account=%s name=%s error=%s detail=\"%s\" hint=\"muster provider "
              "resume %s, when it is mended\"",
              told->account, name_in_log(told->name), told->error, told->detail, told->account);
    if (account == stops->coordinator->settings->config.accounts.len) {
        return; /* of an account that a reload is taking away */
    }
    memcpy(stop.fingerprint, stops->fingerprints[account], sizeof(stop.fingerprint));
    if (keep(stops, &stop) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "stop-not-kept", "account=%s name=%s error=%s", told->account,
                  name_in_log(told->name), err_name(ERR_NOMEM));
        return;
    }
    write_row(stops, &stop, false, false);
}

enum err stops_new(struct coordinator *coordinator, struct stops **ret_stops)
{
    struct stops *stops = calloc(1, sizeof(*stops));
    if (stops == NULL) {
        return ERR_NOMEM;
    }
    stops->coordinator = coordinator;
    enum err err = coordinator->store_ops->each_stop(coordinator->store, keep_read, stops);
    if (err != ERR_OK) {
        stops_free(stops);
        return err;
    }
    engine_on_stop(coordinator->engine, on_stop, stops);
    *ret_stops = stops;
    return ERR_OK;
}

void stops_free(struct stops *stops)
{
    if (stops == NULL) {
        return;
    }
    while (stops->entries != NULL) {
        struct entry *entry = stops->entries;
        stops->entries = entry->next;
        free(entry);
    }
    free(stops);
}

/* False: it is of another config, or of an account that is gone. */
static bool give_back(struct stops *stops, const struct entry *entry)
{
    size_t account = account_index(stops, entry->account);
    if (account == stops->coordinator->settings->config.accounts.len ||
        memcmp(entry->stop.fingerprint, stops->fingerprints[account], STORE_FINGERPRINT_SIZE) != 0) {
        return false;
    }
    struct engine_stop stop = {.account = entry->account,
                               .name = entry->name,
                               .type = entry->stop.type,
                               .both = entry->stop.both,
                               .error = entry->error,
                               .detail = entry->detail};
    enum err err = engine_account_restore_stop(stops->coordinator->accounts[account], &stop);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "stop-not-restored", "account=%s name=%s error=%s", entry->account,
                  name_in_log(entry->name), err_name(err));
    }
    return true;
}

void stops_restore(struct stops *stops)
{
    const struct coordinator_config *config = &stops->coordinator->settings->config;
    const struct engine_account_config *accounts = config->accounts.items;
    for (size_t i = 0; i < config->accounts.len; i++) {
        const struct template *template = NULL;
        (void)catalogue_find(config->catalogue, accounts[i].provider, &template); /* found when the config was loaded */
        engine_account_fingerprint(&accounts[i], template, stops->fingerprints[i]);
    }
    for (struct entry **slot = &stops->entries; *slot != NULL;) {
        struct entry *entry = *slot;
        if (give_back(stops, entry)) {
            slot = &entry->next;
            continue;
        }
        log_event(LOG_LEVEL_NOTICE, "stop-lifted", "account=%s name=%s error=%s reason=config-changed", entry->account,
                  name_in_log(entry->name), entry->error);
        write_row(stops, &entry->stop, true, false);
        *slot = entry->next;
        free(entry);
    }
}

size_t stops_clear(struct stops *stops, size_t account, const char *name)
{
    const struct engine_account_config *accounts = stops->coordinator->settings->config.accounts.items;
    struct store_stop all = {
        .account = accounts[account].name, .name = name != NULL ? name : "", .error = "", .detail = ""};
    size_t lifted = 0;
    for (struct entry **slot = &stops->entries; *slot != NULL;) {
        struct entry *entry = *slot;
        if (strcmp(entry->account, all.account) == 0 && (name == NULL || strcmp(entry->name, name) == 0)) {
            *slot = entry->next;
            free(entry);
            lifted++;
        } else {
            slot = &entry->next;
        }
    }
    write_row(stops, &all, true, name == NULL);
    size_t cleared = engine_account_clear_stops(stops->coordinator->accounts[account], name);
    return lifted > 0 ? lifted : cleared; /* the engine counts each type, and what could not be kept */
}

void stops_each(const struct stops *stops, void (*each)(void *context, const struct store_stop *stop), void *context)
{
    for (const struct entry *entry = stops->entries; entry != NULL; entry = entry->next) {
        each(context, &entry->stop);
    }
}
