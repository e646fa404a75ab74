/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: made, given again, lapsed, revoked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "mqtt/denyline.h"
#include "provisioner/desk_private.h"

#define CRL_DAYS     7
#define CRL_EVERY_MS (INT64_C(24) * 3600 * 1000)
#define CRL_TEXT_MAX (CRL_DER_MAX / 3 * 4 + (1 << 17))
#define DENY_MAX     (16 << 20)

enum err desk_step(struct desk *desk, int64_t now_ms, struct device_row *device, enum life_step step)
{
    enum err err = life_step(&device->life, &device->held, step);
    if (err == ERR_OK) {
        device->changed_ms = now_ms;
        err = store_set_device(desk->store, device);
    }
    return err;
}

/* ---- making ---- */

static void serial_text(const uint8_t serial[static CERT_SERIAL_SIZE], char ret_text[static REG_SERIAL_HEX_MAX + 1])
{
    char hex[2 * CERT_SERIAL_SIZE + 1];
    crypto_hex(serial, CERT_SERIAL_SIZE, hex);
    size_t skip = strspn(hex, "0");
    (void)snprintf(ret_text, REG_SERIAL_HEX_MAX + 1, "%s", hex + skip); /* 32 digits fit */
}

static enum err make_cert(struct desk *desk, struct desk_time now, const char *id,
                          const uint8_t point[static KEY_POINT_SIZE], struct cert_row *row)
{
    const struct provisioner_config *config = &desk->settings->config;
    const struct cert_signer signer = ca_signer(desk->ca);
    const struct cert_subject subject = {.profile = CERT_DEVICE, .common_name = view_of(id)};
    struct cert_request request = {
        .subject = &subject, .point = point, .validity = cert_validity_of(now.wall_ms / 1000, config->issue.days)};
    request.validity.not_after_s = MIN(request.validity.not_after_s, signer.validity.not_after_s);
    request.validity.not_before_s = MAX(request.validity.not_before_s, signer.validity.not_before_s);
    cert_serial_make(request.serial);
    uint8_t der[CERT_DER_MAX];
    enum err err = cert_build(&request, &signer, der, &row->der_len, &desk->info);
    if (err != ERR_OK || row->der_len > STORE_DER_MAX) {
        return err != ERR_OK ? err : ERR_LIMIT;
    }
    memcpy(row->der, der, row->der_len);
    int64_t life_s = request.validity.not_after_s - now.wall_ms / 1000;
    row->not_before_s = request.validity.not_before_s;
    row->not_after_s = request.validity.not_after_s;
    row->renew_ms = now.wall_ms + life_s * 10 * config->issue.renew_share; /* percent of seconds, in ms */
    crypto_hex((const uint8_t *)signer.key_id.ptr, CERT_KEY_ID_SIZE, row->issuer);
    serial_text(request.serial, row->serial);
    return ERR_OK;
}

struct certs {
    struct cert_row *items; /* owned */
    size_t len, size;
};

static enum err collect(void *context, const struct cert_row *cert)
{
    struct certs *certs = context;
    if (certs->len == certs->size) {
        size_t size = certs->size == 0 ? 8 : certs->size * 2;
        struct cert_row *items = realloc(certs->items, size * sizeof(*items));
        if (items == NULL) {
            return ERR_NOMEM;
        }
        certs->items = items;
        certs->size = size;
    }
    certs->items[certs->len++] = *cert;
    return ERR_OK;
}

/* Rows are read to their end before any is changed: a query that runs into its own changes may see them or not. */
static enum err live_certs(struct desk *desk, const char *device, struct certs *certs)
{
    *certs = (struct certs){.items = NULL};
    return store_each_cert(desk->store, device, true, collect, certs);
}

/* A device that asks with another key has lost what it was given before and never used. */
static enum err drop_unused(struct desk *desk, struct desk_time now, const char *device)
{
    struct certs certs;
    enum err err = live_certs(desk, device, &certs);
    for (size_t i = 0; i < certs.len && err == ERR_OK; i++) {
        if (certs.items[i].state == CERT_ISSUED || certs.items[i].state == CERT_STORED) {
            err = desk_revoke_cert(desk, now.wall_ms, &certs.items[i], "device", "never used, replaced");
        }
    }
    free(certs.items);
    return err;
}

enum err desk_issue(struct desk *desk, struct desk_time now, struct device_row *device,
                    const uint8_t point[static KEY_POINT_SIZE], const char *why, struct cert_row *ret_cert)
{
    struct cert_row *row = ret_cert;
    *row = (struct cert_row){.state = CERT_ISSUED, .issued_ms = now.wall_ms, .changed_ms = now.wall_ms};
    (void)snprintf(row->device, sizeof(row->device), "%s", device->id); /* of the same size */
    crypto_sha256(view_n((const char *)point, KEY_POINT_SIZE), row->spki);
    enum err err = drop_unused(desk, now, device->id);
    if (err == ERR_OK) {
        err = make_cert(desk, now, device->id, point, row);
    }
    if (err == ERR_OK) {
        err = store_add_cert(desk->store, row);
    }
    if (err == ERR_OK) {
        device->had_one = true;
        err = desk_step(desk, now.wall_ms, device, LIFE_ISSUE);
    }
    if (err == ERR_OK) {
        err = desk_event(desk, now.wall_ms, "device", "issue", device->id, "%s serial=%s not_after=%lld", why,
                         row->serial, (long long)row->not_after_s);
    }
    return err;
}

struct same {
    const uint8_t *spki;
    int64_t now_ms;
    struct cert_row *row;
    bool found;
};

static enum err look_same(void *context, const struct cert_row *cert)
{
    struct same *same = context;
    if (!same->found && cert->state < CERT_SUPERSEDED && cert->renew_ms > same->now_ms &&
        memcmp(cert->spki, same->spki, SHA256_SIZE) == 0) {
        *same->row = *cert;
        same->found = true;
    }
    return ERR_OK;
}

enum err desk_find_same(struct desk *desk, struct desk_time now, const struct device_row *device,
                        const uint8_t spki[static SHA256_SIZE], struct cert_row *ret_cert)
{
    struct same same = {.spki = spki, .now_ms = now.wall_ms, .row = ret_cert};
    enum err err = store_each_cert(desk->store, device->id, true, look_same, &same);
    return err == ERR_OK && !same.found ? ERR_NOTFOUND : err;
}

/* ---- ending ---- */

enum err desk_revoke_cert(struct desk *desk, int64_t now_ms, struct cert_row *cert, const char *actor, const char *why)
{
    cert->state = CERT_REVOKED;
    cert->changed_ms = now_ms;
    enum err err = store_set_cert(desk->store, cert);
    if (err == ERR_OK) {
        err = store_add_revoking(desk->store, cert->issuer, cert->serial, cert->device);
    }
    if (err == ERR_OK) {
        desk->stats.revoked++;
        err = desk_event(desk, now_ms, actor, "revoke-certificate", cert->device, "serial=%s %s", cert->serial, why);
    }
    return err;
}

enum err desk_revoke_all(struct desk *desk, int64_t now_ms, const char *device, const char *actor, const char *why)
{
    struct certs certs;
    enum err err = live_certs(desk, device, &certs);
    for (size_t i = 0; i < certs.len && err == ERR_OK; i++) {
        err = desk_revoke_cert(desk, now_ms, &certs.items[i], actor, why);
    }
    free(certs.items);
    awaited_drop(desk->awaited, view_of(device));
    return err;
}

/* Its only certificate is gone: where it never got past that, it is as it was made. */
static enum err lapse_device(struct desk *desk, int64_t now_ms, const char *id)
{
    struct certs certs;
    struct device_row device;
    enum err err = live_certs(desk, id, &certs);
    free(certs.items);
    if (err != ERR_OK || certs.len > 0) {
        return err;
    }
    err = store_get_device(desk->store, id, &device);
    return err == ERR_OK ? desk_step(desk, now_ms, &device, LIFE_LAPSE) : err;
}

enum err desk_tick(struct desk *desk, struct desk_time now)
{
    struct certs certs = {.items = NULL};
    int64_t activation_ms = (int64_t)desk->settings->config.activation_ms;
    enum err err = store_each_lapsed(desk->store, now.wall_ms, now.wall_ms - activation_ms,
                                     now.wall_ms - SUPERSEDED_KEEP_MS, TICK_ROWS, collect, &certs);
    for (size_t i = 0; i < certs.len && err == ERR_OK; i++) {
        struct cert_row *cert = &certs.items[i];
        bool unused = cert->state != CERT_SUPERSEDED;
        err =
            desk_revoke_cert(desk, now.wall_ms, cert, "clock", unused ? "never confirmed" : "replaced by a newer one");
        if (err == ERR_OK && unused) {
            desk->stats.lapsed++;
            awaited_drop(desk->awaited, view_of(cert->device));
            err = lapse_device(desk, now.wall_ms, cert->device);
        }
    }
    free(certs.items);
    return err;
}

/* ---- lists ---- */

static enum err take_revoking(void *context, const char *issuer, const char *serial, const char *device)
{
    struct desk_revocations *revocations = context;
    size_t n = revocations->len++;
    if (view_copy(view_of(issuer), revocations->items[n].issuer, sizeof(revocations->items[n].issuer)) != ERR_OK ||
        view_copy(view_of(serial), revocations->items[n].serial, sizeof(revocations->items[n].serial)) != ERR_OK ||
        view_copy(view_of(device), revocations->items[n].device, sizeof(revocations->items[n].device)) != ERR_OK) {
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

/* Into the list of the authority that signed it, the present one or an older. One that was dropped has none any more:
 * nobody trusts it. */
static enum err list_one(struct desk *desk, struct desk_time now, const char *issuer, const char *serial,
                         struct errinfo *info)
{
    uint8_t key_id[CERT_KEY_ID_SIZE], bytes[REG_SERIAL_HEX_MAX / 2];
    char even[REG_SERIAL_HEX_MAX + 2];
    (void)snprintf(even, sizeof(even), "%s%s", strlen(serial) % 2 == 1 ? "0" : "", serial); /* fits */
    size_t len = strlen(even) / 2;
    if (crypto_unhex(view_of(issuer), key_id, sizeof(key_id)) != ERR_OK ||
        crypto_unhex(view_of(even), bytes, len) != ERR_OK) {
        return errinfo_set(info, ERR_CORRUPT, "ca", 0, "serial %s cannot be listed", serial);
    }
    enum err err = ca_revoke_serial(desk->settings->config.ca.dir, view_n((const char *)key_id, sizeof(key_id)),
                                    view_n((const char *)bytes, len), now.wall_ms / 1000, info);
    return err == ERR_EXISTS || err == ERR_AUTH || err == ERR_NOTFOUND ? ERR_OK : err;
}

static enum err add_deny(void *context, const struct cert_row *cert)
{
    return strbuf_addf(context, "deny %s %s\n", cert->issuer, cert->serial);
}

static enum err write_file(const char *path, const struct strbuf *text, struct errinfo *info)
{
    enum err err = strbuf_error(text);
    err = err == ERR_OK ? file_replace(path, strbuf_view(text), 0644) : err;
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "file", 0, "%s: %s", path, err_text(err));
}

static enum err write_deny(struct desk *desk, struct desk_time now, struct errinfo *info)
{
    const char *path = desk->settings->config.revocation.deny_file;
    if (path == NULL) {
        return ERR_OK;
    }
    struct strbuf text;
    strbuf_init(&text, DENY_MAX);
    enum err err = store_each_denied(desk->store, now.wall_ms / 1000, add_deny, &text);
    err = err == ERR_OK ? write_file(path, &text, info) : err;
    strbuf_deinit(&text);
    return err;
}

static enum err write_crl(struct desk *desk, struct desk_time now, struct errinfo *info)
{
    const struct provisioner_config *config = &desk->settings->config;
    if (config->revocation.crl_file == NULL) {
        return ERR_OK;
    }
    struct strbuf pem;
    struct key_opening opening = {.rng = desk->rng, .password_file = config->ca.password_file};
    strbuf_init(&pem, CRL_TEXT_MAX);
    enum err err = ca_crl(config->ca.dir, CERT_DEVICE, now.wall_ms / 1000, CRL_DAYS, &opening, &pem, info);
    err = err == ERR_OK ? write_file(config->revocation.crl_file, &pem, info) : err;
    strbuf_deinit(&pem);
    return err;
}

enum err desk_revoke_lists(struct desk *desk, struct desk_time now, struct desk_revocations *ret_revocations,
                           bool *ret_lists, struct errinfo *info)
{
    *ret_lists = false;
    ret_revocations->len = 0;
    enum err err = store_each_revoking(desk->store, ARRAY_LEN(ret_revocations->items), take_revoking, ret_revocations);
    for (size_t i = 0; i < ret_revocations->len && err == ERR_OK; i++) {
        err = list_one(desk, now, ret_revocations->items[i].issuer, ret_revocations->items[i].serial, info);
    }
    bool due = desk->lists_due || ret_revocations->len > 0 || desk->crl_ms == 0 ||
               now.wall_ms - desk->crl_ms >= CRL_EVERY_MS || now.wall_ms < desk->crl_ms;
    if (err != ERR_OK || !due) {
        return err;
    }
    desk->lists_due = true;
    err = write_deny(desk, now, info);
    err = err == ERR_OK ? write_crl(desk, now, info) : err;
    if (err == ERR_OK) {
        desk->lists_due = false;
        desk->crl_ms = now.wall_ms;
        *ret_lists = true;
    }
    return err;
}

enum err desk_revoke_lines(const struct desk_revocations *revocations, struct outbox *outbox)
{
    struct outgoing *outgoing = outbox_add(outbox, DENY_TOPIC, PROV_PAYLOAD_MAX);
    if (outgoing == NULL) {
        return ERR_NOMEM;
    }
    outgoing->core = true;
    for (size_t i = 0; i < revocations->len; i++) {
        (void)strbuf_addf(&outgoing->body, "deny %s %s\n", revocations->items[i].issuer,
                          revocations->items[i].serial); /* sticky */
    }
    return strbuf_error(&outgoing->body);
}

enum err desk_revoke_done(struct desk *desk, const struct desk_revocations *revocations)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < revocations->len && err == ERR_OK; i++) {
        err = store_drop_revoking(desk->store, revocations->items[i].issuer, revocations->items[i].serial);
    }
    return err;
}
