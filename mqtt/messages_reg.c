/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/messages_reg.h"

#include <inttypes.h>

#include "mqtt/fields.h"
#include "mqtt/topics.h"

#define SHARD_MAX 255
#define PORT_MAX  65535

static const char *const STATES[REG_STATES] = {
    [REG_MADE] = "made",           [REG_ISSUED] = "issued",         [REG_ACTIVE] = "active",
    [REG_SUSPENDED] = "suspended", [REG_CLONED] = "cloned-suspect", [REG_REVOKED] = "revoked",
    [REG_SCRAPPED] = "scrapped",
};
static const char *const KINDS[SUSPECT_KINDS] = {"boot", "addresses", "takeover"};

const char *reg_state_name(enum reg_state state)
{
    return STATES[state];
}

const char *suspect_kind_name(enum suspect_kind kind)
{
    return KINDS[kind];
}

static bool hex_valid(const char *text, size_t max)
{
    struct view view = view_of(text);
    return view.len >= 1 && view.len <= max && text_valid(TEXT_HEX, view);
}

enum err seen_encode(const struct seen_message *message, struct strbuf *out)
{
    if (view_of(message->issuer).len != REG_KEY_ID_HEX || !hex_valid(message->issuer, REG_KEY_ID_HEX) ||
        !hex_valid(message->serial, REG_SERIAL_HEX_MAX) || message->ip.family == IP_NONE || message->port > PORT_MAX) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    const struct address_field ip = {.presence = FIELD_SET, .ip = message->ip};
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "issuer", message->issuer);
    write_text(out, "serial", message->serial);
    write_address(out, "addr", &ip);
    (void)strbuf_addf(out, ",\"port\":%" PRIu32 "}", message->port);
    return write_done(out, start);
}

enum err seen_decode(struct view text, struct seen_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct seen_message message = {.port = 0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        fields_text(&fields, "issuer", TEXT_HEX, FIELD_REQUIRED, message.issuer, sizeof(message.issuer));
        fields_text(&fields, "serial", TEXT_HEX, FIELD_REQUIRED, message.serial, sizeof(message.serial));
        const struct address_field ip = fields_address(&fields, "addr", IP_NONE);
        message.ip = ip.ip;
        message.port = (uint32_t)fields_u64(&fields, "port", PORT_MAX, FIELD_REQUIRED);
        if (fields.err == ERR_OK && view_of(message.issuer).len != REG_KEY_ID_HEX) {
            fields_fail(&fields, ERR_INVALID, "issuer", "not a key identifier");
        }
        if (fields.err == ERR_OK && ip.presence != FIELD_SET) {
            fields_fail(&fields, ERR_INVALID, "addr", "missing");
        }
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

static bool feed_valid(const char *feed)
{
    return feed[0] != '\0' && text_valid(TEXT_ID, view_of(feed));
}

enum err reg_encode(const struct reg_message *message, struct strbuf *out)
{
    if (!feed_valid(message->feed) || message->rev > FIELDS_COUNT_MAX ||
        !text_valid(TEXT_PRINTABLE, view_of(message->group)) || !text_valid(TEXT_PRINTABLE, view_of(message->site))) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "feed", message->feed);
    (void)strbuf_addf(out, ",\"rev\":%" PRIu64, message->rev);
    write_text(out, "state", STATES[message->state]);
    (void)strbuf_addf(out, ",\"owned\":%s", message->owned ? "true" : "false");
    write_text_or_null(out, "group", message->group);
    write_text_or_null(out, "site", message->site);
    (void)strbuf_addf(out, "}");
    return write_done(out, start);
}

enum err reg_decode(struct view text, struct reg_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct reg_message message = {.rev = 0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        fields_text(&fields, "feed", TEXT_ID, FIELD_REQUIRED, message.feed, sizeof(message.feed));
        message.rev = fields_u64(&fields, "rev", FIELDS_COUNT_MAX, FIELD_REQUIRED);
        message.state = (enum reg_state)fields_choice(&fields, "state", STATES, ARRAY_LEN(STATES), FIELD_REQUIRED, 0);
        message.owned = fields_bool(&fields, "owned");
        fields_text(&fields, "group", TEXT_PRINTABLE, FIELD_OPTIONAL, message.group, sizeof(message.group));
        fields_text(&fields, "site", TEXT_PRINTABLE, FIELD_OPTIONAL, message.site, sizeof(message.site));
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err regask_encode(const struct regask_message *message, struct strbuf *out)
{
    if (!text_valid(TEXT_ID, view_of(message->feed)) || message->rev > FIELDS_COUNT_MAX ||
        message->first > message->last || message->last > SHARD_MAX) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text_or_null(out, "feed", message->feed);
    (void)strbuf_addf(out, ",\"rev\":%" PRIu64 ",\"first\":%" PRIu32 ",\"last\":%" PRIu32 "}", message->rev,
                      message->first, message->last);
    return write_done(out, start);
}

enum err regask_decode(struct view text, struct regask_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct regask_message message = {.rev = 0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        fields_text(&fields, "feed", TEXT_ID, FIELD_OPTIONAL, message.feed, sizeof(message.feed));
        message.rev = fields_u64(&fields, "rev", FIELDS_COUNT_MAX, FIELD_REQUIRED);
        message.first = (uint32_t)fields_u64(&fields, "first", SHARD_MAX, FIELD_REQUIRED);
        message.last = (uint32_t)fields_u64(&fields, "last", SHARD_MAX, FIELD_REQUIRED);
        if (fields.err == ERR_OK && message.first > message.last) {
            fields_fail(&fields, ERR_INVALID, "first", "after the last");
        }
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err regdone_encode(const struct regdone_message *message, struct strbuf *out)
{
    if (!feed_valid(message->feed) || message->rev > FIELDS_COUNT_MAX) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "feed", message->feed);
    (void)strbuf_addf(out, ",\"rev\":%" PRIu64 "}", message->rev);
    return write_done(out, start);
}

enum err regdone_decode(struct view text, struct regdone_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct regdone_message message = {.rev = 0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        fields_text(&fields, "feed", TEXT_ID, FIELD_REQUIRED, message.feed, sizeof(message.feed));
        message.rev = fields_u64(&fields, "rev", FIELDS_COUNT_MAX, FIELD_REQUIRED);
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err suspect_encode(const struct suspect_message *message, struct strbuf *out)
{
    if (!device_id_valid(view_of(message->device)) || !text_valid(TEXT_PRINTABLE, view_of(message->detail))) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "device", message->device);
    write_text(out, "kind", KINDS[message->kind]);
    write_text_or_null(out, "detail", message->detail);
    (void)strbuf_addf(out, "}");
    return write_done(out, start);
}

enum err suspect_decode(struct view text, struct suspect_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct suspect_message message = {.device = ""};
    if (fields_open(&fields, text, info) == ERR_OK) {
        fields_text(&fields, "device", TEXT_ID, FIELD_REQUIRED, message.device, sizeof(message.device));
        message.kind = (enum suspect_kind)fields_choice(&fields, "kind", KINDS, ARRAY_LEN(KINDS), FIELD_REQUIRED, 0);
        fields_text(&fields, "detail", TEXT_PRINTABLE, FIELD_OPTIONAL, message.detail, sizeof(message.detail));
        if (fields.err == ERR_OK && !device_id_valid(view_of(message.device))) {
            fields_fail(&fields, ERR_INVALID, "device", "not a device id");
        }
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}
