/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nobody asks for: certificates that lapse, revocations that are brought to the end, and telling coordinators.
 *
 * A revocation is in the store with the transaction that decided it. From there it goes through steps that may each be
 * repeated: the authority's list and the files, the core broker's plugin, the program that brings the list to the
 * broker. Only when the plugin has it (or there is no core broker) does it leave the store; a start takes up what is
 * left.
 */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "provisioner/provisioner_private.h"

#define DENY_COOKIE    1
#define FEED_QUEUE_MAX 2000 /* messages not yet with the broker: beyond, the feed waits */
#define COMMAND_MS     60000
#define COMMAND_LOOK   (INT64_C(50) * 1000000)

extern char **environ;

/* ---- the program that brings lists to the broker ---- */

struct command {
    char **argv; /* owned, as its texts */
    int status;  /* of waitpid; -1 = not started, or killed for its time */
};

static void command_free(struct command *command)
{
    for (char **arg = command->argv; arg != NULL && *arg != NULL; arg++) {
        free(*arg);
    }
    free((void *)command->argv);
    free(command);
}

static void command_work(void *context)
{
    struct command *command = context;
    pid_t pid = 0;
    command->status = -1;
    if (posix_spawn(&pid, command->argv[0], NULL, NULL, command->argv, environ) != 0) {
        return;
    }
    uint64_t ends_ms = clock_mono_ms() + COMMAND_MS;
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_mono_ms() < ends_ms) {
        (void)nanosleep(&(const struct timespec){.tv_nsec = COMMAND_LOOK}, NULL); /* a shorter wait is as good */
    }
    if (ended == 0) {
        (void)kill(pid, SIGKILL); /* it is ours and not waited for, so it is there */
        (void)waitpid(pid, NULL, 0);
        return;
    }
    command->status = status;
}

static void command_done(void *context)
{
    struct command *command = context;
    bool good = WIFEXITED(command->status) && WEXITSTATUS(command->status) == 0 && command->status != -1;
    log_event(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "reload-command", "program=%s status=%d", command->argv[0],
              command->status);
    command_free(command);
}

static void run_command(struct provisioner *provisioner)
{
    const struct config_strings *words = &provisioner->settings->config.revocation.reload_command;
    struct command *command = words->len > 0 ? calloc(1, sizeof(*command)) : NULL;
    if (command == NULL) {
        return;
    }
    command->argv = (char **)calloc(words->len + 1, sizeof(char *));
    for (size_t i = 0; command->argv != NULL && i < words->len; i++) {
        command->argv[i] = strdup(words->items[i]);
    }
    bool whole = command->argv != NULL && command->argv[words->len - 1] != NULL && command->argv[0] != NULL;
    if (!whole || loop_worker_submit(provisioner->commands, command_work, command_done, command) != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "reload-command", "note=\"not run: busy, or no memory\"");
        command_free(command);
    }
}

/* ---- the clock's work ---- */

struct ticking {
    struct provisioner *provisioner;
    bool list;                           /* nothing is in flight: take the next revocations */
    bool told_due;                       /* note how far coordinators were told, */
    uint64_t told;                       /* which is so far */
    struct desk_revocations through;     /* done with: to be dropped */
    struct desk_revocations revocations; /* taken */
    bool lists;
    enum err err, list_err;
    struct errinfo info;
    uint64_t rev, lives[LIVES], certs[CERT_STATES], revoking;
    struct desk_stats stats;
};

static enum err tick_transaction(struct ticking *ticking, struct desk *desk)
{
    enum err err = desk_begin(desk);
    if (err != ERR_OK) {
        return err;
    }
    err = desk_tick(desk, provisioner_now());
    if (err == ERR_OK && ticking->through.len > 0) {
        err = desk_revoke_done(desk, &ticking->through);
    }
    if (err == ERR_OK && ticking->told_due) {
        err = desk_told(desk, ticking->told);
    }
    return desk_end(desk, err);
}

static void ticking_work(void *context)
{
    struct ticking *ticking = context;
    struct desk *desk = ticking->provisioner->desk;
    struct store *store = desk_store(desk);
    ticking->err = tick_transaction(ticking, desk);
    if (ticking->err == ERR_OK && ticking->list) {
        ticking->list_err =
            desk_revoke_lists(desk, provisioner_now(), &ticking->revocations, &ticking->lists, &ticking->info);
    }
    enum err err = store_count_lives(store, ticking->lives);
    err = err == ERR_OK ? store_count_certs(store, ticking->certs) : err;
    err = err == ERR_OK ? store_count_revoking(store, &ticking->revoking) : err;
    ticking->err = ticking->err == ERR_OK ? err : ticking->err;
    ticking->rev = store_rev(store);
    ticking->stats = desk_stats(desk);
}

static void send_flight(struct provisioner *provisioner)
{
    struct outbox outbox;
    if (provisioner->flight.len == 0 || provisioner->flight_sent || !session_is_connected(provisioner->core.session)) {
        return;
    }
    outbox_init(&outbox);
    if (desk_revoke_lines(&provisioner->flight, &outbox) == ERR_OK) {
        outbox.first->cookie = DENY_COOKIE;
        provisioner->flight_sent = true;
        provisioner_publish(provisioner, &outbox);
    }
    outbox_deinit(&outbox);
}

static void ticking_done(void *context)
{
    struct ticking *ticking = context;
    struct provisioner *provisioner = ticking->provisioner;
    provisioner->ticking = false;
    provisioner_note(provisioner, ticking->err, ticking->rev, &ticking->stats);
    memcpy(provisioner->lives, ticking->lives, sizeof(ticking->lives));
    memcpy(provisioner->certs, ticking->certs, sizeof(ticking->certs));
    provisioner->revoking = ticking->revoking;
    if (ticking->list_err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "revocation-list-failed", "error=%s detail=\"%s\"", err_name(ticking->list_err),
                  ticking->info.text);
    }
    if (ticking->lists) {
        run_command(provisioner);
    }
    struct desk_revocations taken = ticking->revocations;
    bool listed = ticking->list && ticking->list_err == ERR_OK && taken.len > 0;
    provisioner->told_stored = ticking->err == ERR_OK ? ticking->told : provisioner->told_stored;
    free(ticking);
    if (listed) {
        provisioner->flight = taken;
        provisioner->flight_sent = false;
        provisioner->flight_told = provisioner->core.session == NULL; /* nobody to tell */
    }
    if (provisioner->core.session != NULL) {
        send_flight(provisioner);
    }
    chores_feed(provisioner);
}

void chores_tick(struct provisioner *provisioner)
{
    struct ticking *ticking = provisioner->ticking ? NULL : calloc(1, sizeof(*ticking));
    if (ticking == NULL) {
        return; /* the next tick */
    }
    ticking->provisioner = provisioner;
    ticking->told_due = provisioner->told != provisioner->told_stored;
    ticking->told = provisioner->told;
    if (provisioner->flight_told) { /* should the transaction fail, they are listed and told once more */
        ticking->through = provisioner->flight;
        provisioner->flight.len = 0;
        provisioner->flight_told = false;
    } else {
        ticking->list = provisioner->flight.len == 0;
    }
    provisioner->ticking = true;
    if (loop_worker_submit(provisioner->worker, ticking_work, ticking_done, ticking) != ERR_OK) {
        provisioner->ticking = false; /* full, or stopping: the next tick */
        free(ticking);
    }
}

void chores_delivered(struct provisioner *provisioner, uint64_t cookie, enum err err)
{
    if (cookie != DENY_COOKIE || provisioner->flight.len == 0) {
        return;
    }
    if (err != ERR_OK) {
        provisioner->flight_sent = false; /* the next tick, or the next connection */
        return;
    }
    provisioner->flight_told = true;
    chores_tick(provisioner);
}

/* ---- coordinators ---- */

struct feeding {
    struct provisioner *provisioner;
    bool asked; /* for one that asked, or what changed for all */
    struct desk_ask ask;
    uint64_t rev;
    bool ended;
    struct outbox outbox;
    enum err err;
};

static void feeding_work(void *context)
{
    struct feeding *feeding = context;
    struct desk *desk = feeding->provisioner->desk;
    if (!feeding->asked && desk_next_ask(desk, &feeding->ask)) {
        feeding->asked = true;
        feeding->rev = feeding->ask.rev;
    }
    uint64_t before = feeding->rev;
    uint8_t first = feeding->asked ? feeding->ask.first : 0, last = feeding->asked ? feeding->ask.last : 255;
    feeding->err = desk_feed(desk, before, first, last, &feeding->outbox, &feeding->rev);
    feeding->ended = feeding->rev == before || feeding->rev >= feeding->ask.until;
    if (feeding->err == ERR_OK && feeding->asked && feeding->ended) {
        feeding->err = desk_ask_done(desk, &feeding->ask, &feeding->outbox);
    }
}

static void feeding_done(void *context)
{
    struct feeding *feeding = context;
    struct provisioner *provisioner = feeding->provisioner;
    bool more = false;
    provisioner->feeding = false;
    if (feeding->err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "feed-failed", "error=%s", err_name(feeding->err));
    } else if (session_is_connected(provisioner->core.session)) {
        more = feeding->outbox.first != NULL;
        provisioner_publish(provisioner, &feeding->outbox);
        if (feeding->asked) {
            provisioner->ask = feeding->ask;
            provisioner->ask.rev = feeding->rev;
            provisioner->asked = !feeding->ended;
        } else {
            provisioner->told = feeding->rev;
        }
    }
    outbox_deinit(&feeding->outbox);
    free(feeding);
    if (more) {
        chores_feed(provisioner);
    }
}

/** The next page: for the coordinator that is being answered, else for one that waits, else what is new. */
void chores_feed(struct provisioner *provisioner)
{
    if (provisioner->core.session == NULL || provisioner->feeding || provisioner->stopping ||
        !session_is_connected(provisioner->core.session) ||
        session_queued(provisioner->core.session) > FEED_QUEUE_MAX) {
        return;
    }
    struct feeding *feeding = calloc(1, sizeof(*feeding));
    if (feeding == NULL) {
        return;
    }
    feeding->provisioner = provisioner;
    feeding->asked = provisioner->asked;
    feeding->ask = provisioner->ask;
    feeding->rev = provisioner->asked ? provisioner->ask.rev : provisioner->told;
    outbox_init(&feeding->outbox);
    provisioner->feeding = true;
    if (loop_worker_submit(provisioner->worker, feeding_work, feeding_done, feeding) != ERR_OK) {
        provisioner->feeding = false;
        free(feeding);
    }
}
