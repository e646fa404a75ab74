/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioner/desk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioner/desk_private.h"
#include "sql/storelock.h"

static enum err open_authority(struct desk *desk, struct errinfo *info)
{
    const struct provisioner_config *config = &desk->settings->config;
    struct key_opening opening = {.rng = desk->rng, .password_file = config->ca.password_file};
    enum err err = ca_open(config->ca.dir, CERT_DEVICE, &opening, &desk->ca, info);
    if (err == ERR_OK) {
        err = key_load(config->prov.key_file, desk->rng, &desk->signer, info);
    }
    struct key *decoy = NULL;
    if (err == ERR_OK && (err = key_make(desk->rng, &decoy)) != ERR_OK) {
        err = errinfo_set(info, err, "key", 0, "%s", err_text(err));
    }
    if (err == ERR_OK) {
        key_public(decoy, desk->decoy);
        key_free(decoy); /* nobody can ever prove to have it */
    }
    return err;
}

/* What answers carry beside the leaf is looked up by the leaf's issuer: an older certificate has an older one. */
static enum err note_authority(struct desk *desk, struct errinfo *info)
{
    struct view der = ca_certificate_der(desk->ca);
    char key_id[REG_KEY_ID_HEX + 1];
    crypto_hex((const uint8_t *)ca_certificate(desk->ca)->key_id.ptr, CERT_KEY_ID_SIZE, key_id);
    enum err err = store_begin(desk->store);
    if (err == ERR_OK) {
        err = store_end(desk->store, store_add_authority(desk->store, key_id, der));
    }
    if (err != ERR_OK && info != NULL) {
        *info = *store_error(desk->store);
    }
    return err;
}

enum err desk_reopen(struct desk *desk, struct errinfo *info)
{
    const struct provisioner_config *config = &desk->settings->config;
    struct key_opening opening = {.rng = desk->rng, .password_file = config->ca.password_file};
    struct ca *fresh = NULL;
    enum err err = ca_open(config->ca.dir, CERT_DEVICE, &opening, &fresh, info);
    if (err != ERR_OK) {
        return err;
    }
    struct ca *old = desk->ca;
    desk->ca = fresh;
    err = note_authority(desk, info);
    if (err != ERR_OK) {
        desk->ca = old;
        old = fresh;
    }
    ca_free(old);
    return err;
}

static enum err note_attempted(void *context, const struct cert_row *cert)
{
    awaited_add(context, view_of(cert->device));
    return ERR_OK;
}

static enum err open_all(struct desk *desk, struct errinfo *info)
{
    const char *path = desk->settings->config.store.path;
    enum err err = storelock_take(path, &desk->lock, info);
    if (err == ERR_OK) {
        err = store_open(path, &desk->store, info);
    }
    if (err == ERR_OK && (err = key_rng_new(&desk->rng)) != ERR_OK) {
        err = errinfo_set(info, err, "key", 0, "%s", err_text(err));
    }
    if (err == ERR_OK) {
        err = open_authority(desk, info);
    }
    if (err == ERR_OK) {
        err = note_authority(desk, info);
    }
    if (err == ERR_OK) {
        err = crypto_hmac_new(store_secret(desk->store), STORE_SECRET_SIZE, &desk->nonce);
    }
    return err == ERR_OK ? store_each_attempted(desk->store, note_attempted, desk->awaited) : err;
}

enum err desk_new(const struct settings *settings, struct awaited *awaited, struct desk_time now,
                  struct desk **ret_desk, struct errinfo *info)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    if (desk == NULL) {
        return errinfo_set(info, ERR_NOMEM, "store", 0, "out of memory");
    }
    desk->lock = -1;
    desk->awaited = awaited;
    desk_set_settings(desk, settings, now);
    enum err err = open_all(desk, info);
    if (err != ERR_OK) {
        desk_free(desk);
        return err;
    }
    *ret_desk = desk;
    return ERR_OK;
}

void desk_free(struct desk *desk)
{
    if (desk != NULL) {
        store_close(desk->store);
        storelock_release(desk->lock);
        crypto_hmac_free(desk->nonce);
        ca_free(desk->ca);
        key_free(desk->signer);
        key_rng_free(desk->rng);
        free(desk);
    }
}

void desk_set_settings(struct desk *desk, const struct settings *settings, struct desk_time now)
{
    desk->settings = settings;
    bucket_init(&desk->bucket, settings->config.issue.burst, (uint64_t)settings->config.issue.rate * 1000, now.mono_ms);
}

const struct settings *desk_settings(const struct desk *desk)
{
    return desk->settings;
}

struct store *desk_store(struct desk *desk)
{
    return desk->store;
}

struct desk_stats desk_stats(const struct desk *desk)
{
    return desk->stats;
}

const struct errinfo *desk_error(const struct desk *desk)
{
    return store_error(desk->store);
}

enum err desk_begin(struct desk *desk)
{
    desk->stats_before = desk->stats;
    return store_begin(desk->store);
}

enum err desk_end(struct desk *desk, enum err err)
{
    err = store_end(desk->store, err);
    if (err != ERR_OK) {
        desk->stats = desk->stats_before; /* it did not happen */
    }
    return err;
}

enum err desk_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter, struct outbox *outbox)
{
    return (letter->core ? desk_core_letter : desk_enrol_letter)(desk, now, letter, outbox);
}

enum err desk_event(struct desk *desk, int64_t now_ms, const char *actor, const char *act, const char *subject,
                    const char *format, ...)
{
    char detail[EVENT_DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args); /* cut: for people */
    va_end(args);
    const struct event_row row = {.at_ms = now_ms, .actor = actor, .act = act, .device = subject, .detail = detail};
    return store_add_event(desk->store, &row);
}

enum err desk_refuse(struct desk_reply *reply, unsigned status, const char *id, const char *format, ...)
{
    char text[ERRINFO_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut: for people */
    va_end(args);
    reply->status = status;
    reply->id = id;
    return errinfo_set(&reply->info, ERR_STATE, "control", 0, "%s", text);
}
