/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "mqtt/fields.h"
#include "mqtt/messages.h"
#include "mqtt/topics.h"

#define SYNC_WINDOW_MAX 86400 /* a day: spreads even the slowest fleet */

static const char *const ON_OFF[] = {"off", "on"};

/* The counters of a summary, in the order of the wire. */
#define SUMMARY_COUNTERS(X)                                                                                            \
    X(devices)                                                                                                         \
    X(online) X(late) X(lost) X(unknown) X(unregistered) X(records) X(applied) X(pending) X(refused) X(held) X(changes)

static bool counters_fit(const struct summary_message *message)
{
#define X(name)                                                                                                        \
    if (message->name > FIELDS_COUNT_MAX) {                                                                            \
        return false;                                                                                                  \
    }
    SUMMARY_COUNTERS(X)
#undef X
    return message->change_p50_ms >= 0 && message->change_p50_ms <= 1e12 && message->change_p99_ms >= 0 &&
           message->change_p99_ms <= 1e12;
}

static bool wall_fits(int64_t wall_ms)
{
    return wall_ms >= 0 && wall_ms <= FIELDS_WALL_MAX;
}

enum err summary_encode(const struct summary_message *message, struct strbuf *out)
{
    if (!counters_fit(message) || !wall_fits(message->ts) || !text_valid(TEXT_TERM, view_of(message->term))) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"ts\":%" PRId64, MESSAGE_VERSION, message->ts);
    write_text(out, "term", message->term);
#define X(name) (void)strbuf_addf(out, ",\"" #name "\":%" PRIu64, message->name);
    SUMMARY_COUNTERS(X)
#undef X
    (void)strbuf_addf(out, ",\"change_p50_ms\":%.3f,\"change_p99_ms\":%.3f}", message->change_p50_ms,
                      message->change_p99_ms);
    return write_done(out, start);
}

enum err summary_decode(struct view text, struct summary_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct summary_message message = {0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message.ts = fields_wall(&fields, "ts", FIELD_REQUIRED);
        fields_text(&fields, "term", TEXT_TERM, FIELD_REQUIRED, message.term, sizeof(message.term));
#define X(name) message.name = fields_u64(&fields, #name, FIELDS_COUNT_MAX, FIELD_REQUIRED);
        SUMMARY_COUNTERS(X)
#undef X
        message.change_p50_ms = fields_real(&fields, "change_p50_ms");
        message.change_p99_ms = fields_real(&fields, "change_p99_ms");
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err feed_encode(const struct feed_message *message, struct strbuf *out)
{
    if (!wall_fits(message->ts) || !device_id_valid(view_of(message->device)) || message->event[0] == '\0' ||
        !text_valid(TEXT_ID, view_of(message->event)) || !text_valid(TEXT_NAME, view_of(message->name)) ||
        !text_valid(TEXT_TYPE, view_of(message->type)) || !text_valid(TEXT_PRINTABLE, view_of(message->value)) ||
        message->dropped > FIELDS_COUNT_MAX) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"ts\":%" PRId64, MESSAGE_VERSION, message->ts);
    write_text(out, "device", message->device);
    write_text(out, "event", message->event);
    write_text_or_null(out, "name", message->name);
    write_text_or_null(out, "type", message->type);
    write_text_or_null(out, "value", message->value);
    (void)strbuf_addf(out, ",\"dropped\":%" PRIu64 "}", message->dropped);
    return write_done(out, start);
}

enum err feed_decode(struct view text, struct feed_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct feed_message message = {0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message.ts = fields_wall(&fields, "ts", FIELD_REQUIRED);
        fields_text(&fields, "device", TEXT_ID, FIELD_REQUIRED, message.device, sizeof(message.device));
        fields_text(&fields, "event", TEXT_ID, FIELD_REQUIRED, message.event, sizeof(message.event));
        fields_text(&fields, "name", TEXT_NAME, FIELD_OPTIONAL, message.name, sizeof(message.name));
        fields_text(&fields, "type", TEXT_TYPE, FIELD_OPTIONAL, message.type, sizeof(message.type));
        fields_text(&fields, "value", TEXT_PRINTABLE, FIELD_OPTIONAL, message.value, sizeof(message.value));
        message.dropped = fields_u64(&fields, "dropped", FIELDS_COUNT_MAX, FIELD_REQUIRED);
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

enum err coord_encode(const struct coord_message *message, struct strbuf *out)
{
    if (!wall_fits(message->ts) || !text_valid(TEXT_TERM, view_of(message->term))) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"s\":\"%s\"", MESSAGE_VERSION, ON_OFF[message->on]);
    write_text(out, "term", message->term);
    (void)strbuf_addf(out, ",\"ts\":%" PRId64 "}", message->ts);
    return write_done(out, start);
}

enum err coord_decode(struct view text, struct coord_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct coord_message message = {.on = false};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message.on = fields_choice(&fields, "s", ON_OFF, ARRAY_LEN(ON_OFF), FIELD_REQUIRED, 0) == 1;
        fields_text(&fields, "term", TEXT_TERM, FIELD_REQUIRED, message.term, sizeof(message.term));
        message.ts = fields_wall(&fields, "ts", FIELD_REQUIRED);
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err sync_encode(const struct sync_message *message, struct strbuf *out)
{
    if (message->window_s > SYNC_WINDOW_MAX) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"window_s\":%" PRIu32 "}", MESSAGE_VERSION, message->window_s);
    return write_done(out, start);
}

enum err sync_decode(struct view text, struct sync_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct sync_message message = {0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message.window_s = (uint32_t)fields_u64(&fields, "window_s", SYNC_WINDOW_MAX, FIELD_REQUIRED);
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}
