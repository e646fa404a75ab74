/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes over the core broker. The broker vouches for the device in a topic (mutual TLS and the plugin's rights),
 * so a renewal needs no nonce: asking twice with one key gives one certificate.
 */
#include <stdio.h>
#include <string.h>

#include "provisioner/desk_private.h"
#include "provisioning/proof.h"

/* ---- renewal ---- */

static enum err gather(struct desk *desk, const struct renewal_message *message, struct view id,
                       struct enrol_facts *facts, struct device_row *device)
{
    char name[DEVICE_ID_MAX + 1];
    enum err err = view_copy(id, name, sizeof(name));
    err = err == ERR_OK ? store_get_device(desk->store, name, device) : err;
    /* Its batch is long done with: what counts is that it has an identity. */
    *facts = (struct enrol_facts){
        .batch_known = true, .device_known = err == ERR_OK, .of_this_batch = true, .had_one = true};
    if (err != ERR_OK) {
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    facts->life = device->life;
    return desk_proven(desk, device, PROOF_RENEW, view_of(message->cid), message->csr, message->signature,
                       &facts->proven);
}

static enum err not_another(struct desk *desk, struct view point, const struct device_row *device,
                            struct enrol_facts *facts)
{
    static _Thread_local struct cert_row row;
    uint8_t spki[SHA256_SIZE];
    crypto_sha256(point, spki);
    enum err err = store_find_spki(desk->store, spki, &row);
    if (err == ERR_OK && strcmp(row.device, device->id) != 0) {
        facts->proven = false;
    }
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

static enum err take_renewal(struct desk *desk, struct desk_time now, struct view id, struct view payload,
                             struct outbox *outbox)
{
    static _Thread_local struct renewal_message message;
    struct prov_answer_message answer = {.op = PROV_NO, .refusal = PROV_MALFORMED};
    struct enrol_facts facts;
    struct device_row device = {.id = ""};
    struct csr csr;
    char topic[TOPIC_SIZE];
    enum err err = ERR_OK;
    if (renewal_decode(payload, &message, NULL) != ERR_OK) {
        desk->stats.malformed++; /* and no cid to answer to */
        return ERR_OK;
    }
    (void)snprintf(answer.cid, sizeof(answer.cid), "%s", message.cid); /* of the same size */
    if (csr_parse(message.csr, &csr) != ERR_OK) {
        desk->stats.malformed++;
    } else {
        err = gather(desk, &message, id, &facts, &device);
        err = err == ERR_OK ? not_another(desk, csr.point, &device, &facts) : err;
        err = err == ERR_OK
                  ? desk_decide(desk, now, &facts, &device, csr.point, "renewed", &answer, desk->stats.renewals)
                  : err;
    }
    err = err == ERR_OK ? topic_build(TOPIC_DN_CERT, id, topic) : err;
    return err == ERR_OK ? desk_answer(desk, &answer, true, topic, outbox) : err;
}

/* ---- presence ---- */

static enum err kick(const struct cert_row *cert, struct outbox *outbox)
{
    struct desk_revocations again = {.len = 1};
    (void)snprintf(again.items[0].issuer, sizeof(again.items[0].issuer), "%s", cert->issuer); /* of the same sizes */
    (void)snprintf(again.items[0].serial, sizeof(again.items[0].serial), "%s", cert->serial);
    return desk_revoke_lines(&again, outbox);
}

static enum err take_seen(struct desk *desk, struct desk_time now, struct view id, struct view payload,
                          struct outbox *outbox)
{
    struct seen_message message;
    struct cert_row cert;
    if (seen_decode(payload, &message, NULL) != ERR_OK) {
        desk->stats.malformed++;
        awaited_drop(desk->awaited, id);
        return ERR_OK;
    }
    enum err err = store_get_cert(desk->store, message.issuer, message.serial, &cert);
    if (err != ERR_OK || !view_equals(id, cert.device)) {
        awaited_drop(desk->awaited, id); /* issued by hand, or before there was a provisioner */
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    if (cert.state == CERT_REVOKED) {
        awaited_drop(desk->awaited, id);
        return kick(&cert, outbox); /* the broker forgot: tell it again */
    }
    if (cert.state == CERT_ACTIVE || cert.state == CERT_SUPERSEDED) {
        awaited_drop(desk->awaited, id);
        return ERR_OK;
    }
    awaited_add(desk->awaited, id);
    if (cert.state == CERT_ATTEMPTED) {
        return ERR_OK;
    }
    cert.state = CERT_ATTEMPTED;
    cert.attempted_ms = now.wall_ms;
    cert.changed_ms = now.wall_ms;
    return store_set_cert(desk->store, &cert);
}

struct confirming {
    struct cert_row confirmed, older[8];
    size_t older_len;
};

static enum err sort_certs(void *context, const struct cert_row *cert)
{
    struct confirming *confirming = context;
    if (cert->state == CERT_ATTEMPTED && confirming->confirmed.device[0] == '\0') {
        confirming->confirmed = *cert;
    } else if (cert->state == CERT_ACTIVE && confirming->older_len < ARRAY_LEN(confirming->older)) {
        confirming->older[confirming->older_len++] = *cert;
    }
    return ERR_OK;
}

/** The device's first report with a certificate: that is its identity from now on. */
static enum err take_state(struct desk *desk, struct desk_time now, struct view id)
{
    static _Thread_local struct confirming confirming;
    struct device_row device;
    char name[DEVICE_ID_MAX + 1];
    confirming.confirmed.device[0] = '\0';
    confirming.older_len = 0;
    enum err err = view_copy(id, name, sizeof(name));
    awaited_drop(desk->awaited, id);
    if (err != ERR_OK || (err = store_get_device(desk->store, name, &device)) != ERR_OK) {
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    err = store_each_cert(desk->store, name, true, sort_certs, &confirming);
    if (err != ERR_OK || confirming.confirmed.device[0] == '\0') {
        return err;
    }
    confirming.confirmed.state = CERT_ACTIVE;
    confirming.confirmed.changed_ms = now.wall_ms;
    err = store_set_cert(desk->store, &confirming.confirmed);
    for (size_t i = 0; i < confirming.older_len && err == ERR_OK; i++) {
        confirming.older[i].state = CERT_SUPERSEDED;
        confirming.older[i].changed_ms = now.wall_ms;
        err = store_set_cert(desk->store, &confirming.older[i]);
    }
    if (err == ERR_OK) {
        err = desk_step(desk, now.wall_ms, &device, LIFE_CONFIRM);
        err = err == ERR_STATE ? ERR_OK : err; /* suspended meanwhile: stays so */
    }
    desk->stats.confirmed++;
    return err == ERR_OK
               ? desk_event(desk, now.wall_ms, "device", "confirm", name, "serial=%s", confirming.confirmed.serial)
               : err;
}

/* ---- coordinators ---- */

static enum err take_ask(struct desk *desk, struct view kid, struct view payload)
{
    struct regask_message message;
    struct desk_ask ask = {.until = store_rev(desk->store)};
    if (regask_decode(payload, &message, NULL) != ERR_OK || view_copy(kid, ask.kid, sizeof(ask.kid)) != ERR_OK) {
        desk->stats.malformed++;
        return ERR_OK;
    }
    bool same = strcmp(message.feed, store_uuid(desk->store)) == 0;
    ask.rev = same ? MIN(message.rev, ask.until) : 0;
    ask.first = (uint8_t)message.first;
    ask.last = (uint8_t)message.last;
    size_t at = 0;
    while (at < desk->asks_len && strcmp(desk->asks[at].kid, ask.kid) != 0) {
        at++;
    }
    if (at == FEED_ASKS_MAX) {
        return ERR_OK; /* it asks again */
    }
    desk->asks[at] = ask; /* a later question of the same coordinator takes the place of the one before */
    desk->asks_len = MAX(desk->asks_len, at + 1);
    return ERR_OK;
}

bool desk_next_ask(struct desk *desk, struct desk_ask *ret_ask)
{
    if (desk->asks_len == 0) {
        return false;
    }
    *ret_ask = desk->asks[0];
    desk->asks_len--;
    memmove(desk->asks, desk->asks + 1, desk->asks_len * sizeof(*desk->asks));
    return true;
}

static enum err take_suspect(struct desk *desk, struct desk_time now, struct view kid, struct view payload)
{
    struct suspect_message message;
    struct device_row device;
    char actor[DEVICE_ID_MAX + 1];
    if (suspect_decode(payload, &message, NULL) != ERR_OK || view_copy(kid, actor, sizeof(actor)) != ERR_OK) {
        desk->stats.malformed++;
        return ERR_OK;
    }
    enum err err = store_get_device(desk->store, message.device, &device);
    if (err != ERR_OK || device.life == LIFE_CLONED) {
        return err == ERR_NOTFOUND ? ERR_OK : err;
    }
    err = desk_step(desk, now.wall_ms, &device, LIFE_SUSPECT);
    if (err != ERR_OK) {
        return err == ERR_STATE ? ERR_OK : err; /* it is suspended or revoked already */
    }
    return desk_event(desk, now.wall_ms, actor, "suspect", device.id, "%s: %s", suspect_kind_name(message.kind),
                      message.detail);
}

/* ---- the feed ---- */

static enum reg_state reg_of(enum life life)
{
    static const enum reg_state states[LIVES] = {
        [LIFE_MADE] = REG_MADE,           [LIFE_ISSUED] = REG_ISSUED, [LIFE_ACTIVE] = REG_ACTIVE,
        [LIFE_SUSPENDED] = REG_SUSPENDED, [LIFE_CLONED] = REG_CLONED, [LIFE_REVOKED] = REG_REVOKED,
        [LIFE_SCRAPPED] = REG_SCRAPPED,
    };
    return states[life];
}

struct feeding {
    struct desk *desk;
    struct outbox *outbox;
    uint64_t rev;
};

static enum err feed_one(void *context, const struct device_row *device)
{
    struct feeding *feeding = context;
    struct reg_message message = {.rev = device->rev, .state = reg_of(device->life), .owned = device->owner[0] != '\0'};
    char topic[TOPIC_SIZE];
    (void)snprintf(message.feed, sizeof(message.feed), "%s", store_uuid(feeding->desk->store)); /* 36 characters */
    (void)snprintf(message.group, sizeof(message.group), "%s", device->group);                  /* of the same sizes */
    (void)snprintf(message.site, sizeof(message.site), "%s", device->site);
    enum err err = topic_build(TOPIC_REG, view_of(device->id), topic);
    if (err != ERR_OK) {
        return err;
    }
    struct outgoing *outgoing = outbox_add(feeding->outbox, topic, MQTT_PAYLOAD_MAX);
    if (outgoing == NULL) {
        return ERR_NOMEM;
    }
    outgoing->core = true;
    feeding->rev = device->rev;
    feeding->desk->stats.told++;
    return reg_encode(&message, &outgoing->body);
}

enum err desk_feed(struct desk *desk, uint64_t rev, uint8_t first, uint8_t last, struct outbox *outbox,
                   uint64_t *ret_rev)
{
    struct feeding feeding = {.desk = desk, .outbox = outbox, .rev = rev};
    enum err err = store_each_changed(desk->store, rev, first, last, FEED_PAGE, feed_one, &feeding);
    if (err == ERR_OK) {
        *ret_rev = feeding.rev;
    }
    return err;
}

enum err desk_told(struct desk *desk, uint64_t rev)
{
    return store_set_told(desk->store, rev);
}

enum err desk_ask_done(struct desk *desk, const struct desk_ask *ask, struct outbox *outbox)
{
    struct regdone_message message = {.rev = ask->until};
    char topic[TOPIC_SIZE];
    (void)snprintf(message.feed, sizeof(message.feed), "%s", store_uuid(desk->store)); /* 36 characters */
    enum err err = topic_build(TOPIC_COORD_REG_DONE, view_of(ask->kid), topic);
    struct outgoing *outgoing = err == ERR_OK ? outbox_add(outbox, topic, MQTT_PAYLOAD_MAX) : NULL;
    if (outgoing == NULL) {
        return err != ERR_OK ? err : ERR_NOMEM;
    }
    outgoing->core = true;
    return regdone_encode(&message, &outgoing->body);
}

enum err desk_core_letter(struct desk *desk, struct desk_time now, const struct desk_letter *letter,
                          struct outbox *outbox)
{
    struct topic topic;
    if (topic_parse(letter->topic, &topic) != ERR_OK) {
        desk->stats.malformed++;
        return ERR_OK;
    }
    switch (topic.kind) {
    case TOPIC_UP_CSR:
        return take_renewal(desk, now, topic.id, letter->payload, outbox);
    case TOPIC_SEEN:
        return take_seen(desk, now, topic.id, letter->payload, outbox);
    case TOPIC_UP_STATE:
        return take_state(desk, now, topic.id);
    case TOPIC_COORD_REG:
        return take_ask(desk, topic.id, letter->payload);
    case TOPIC_COORD_SUSPECT:
        return take_suspect(desk, now, topic.id, letter->payload);
    default:
        return ERR_OK;
    }
}
