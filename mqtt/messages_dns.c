/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/crypto.h"
#include "mqtt/fields.h"
#include "mqtt/messages.h"

static const char *const NAME_STATES[] = {
    [NAME_PENDING] = "pending", [NAME_APPLIED] = "applied", [NAME_REFUSED] = "refused",
    [NAME_HELD] = "held",       [NAME_GONE] = "gone",
};

const char *name_state_text(enum name_state state)
{
    return (size_t)state < ARRAY_LEN(NAME_STATES) ? NAME_STATES[state] : "unknown";
}

static bool wall_fits(int64_t wall_ms)
{
    return wall_ms >= 0 && wall_ms <= FIELDS_WALL_MAX;
}

static bool name_fits(const struct name_status *name)
{
    return name->name[0] != '\0' && text_valid(TEXT_NAME, view_of(name->name)) && name->type[0] != '\0' &&
           text_valid(TEXT_TYPE, view_of(name->type)) && text_valid(TEXT_PRINTABLE, view_of(name->value)) &&
           text_valid(TEXT_CODE, view_of(name->error)) && (size_t)name->state < ARRAY_LEN(NAME_STATES) &&
           wall_fits(name->since) && wall_fits(name->next);
}

static bool dns_fits(const struct dns_message *message)
{
    if (!text_valid(TEXT_TERM, view_of(message->term)) || !text_valid(TEXT_ID, view_of(message->error)) ||
        message->names_len > MQTT_NAMES_MAX) {
        return false;
    }
    for (size_t i = 0; i < message->names_len; i++) {
        if (!name_fits(&message->names[i])) {
            return false;
        }
    }
    return true;
}

static void write_name(const struct name_status *name, struct strbuf *out)
{
    (void)strbuf_adds(out, "{\"name\":");
    (void)strbuf_add_json(out, view_of(name->name));
    write_text(out, "type", name->type);
    write_text_or_null(out, "value", name->value);
    (void)strbuf_addf(out, ",\"ttl\":%" PRIu32 ",\"state\":\"%s\",\"since\":%" PRId64, name->ttl,
                      NAME_STATES[name->state], name->since);
    write_text_or_null(out, "error", name->error);
    if (name->next != 0) {
        (void)strbuf_addf(out, ",\"next\":%" PRId64, name->next);
    } else {
        (void)strbuf_adds(out, ",\"next\":null");
    }
    (void)strbuf_addc(out, '}');
}

enum err dns_encode(const struct dns_message *message, struct strbuf *out)
{
    if (!dns_fits(message)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d", MESSAGE_VERSION);
    write_text(out, "term", message->term);
    if (message->has_ack) {
        (void)strbuf_addf(out, ",\"ack\":{\"boot\":%" PRIu32 ",\"seq\":%" PRIu32 "}", message->ack_boot,
                          message->ack_seq);
    }
    char observed[IP_TEXT_SIZE];
    (void)ip_format(&message->observed, observed);
    write_text_or_null(out, "observed", observed);
    if (message->error[0] != '\0') {
        write_text(out, "error", message->error);
    }
    (void)strbuf_adds(out, ",\"names\":[");
    for (size_t i = 0; i < message->names_len; i++) {
        (void)strbuf_adds(out, i == 0 ? "" : ",");
        write_name(&message->names[i], out);
    }
    (void)strbuf_adds(out, "]}");
    return write_done(out, start);
}

static void read_name(struct fields *fields, struct name_status *name)
{
    fields_text(fields, "name", TEXT_NAME, FIELD_REQUIRED, name->name, sizeof(name->name));
    fields_text(fields, "type", TEXT_TYPE, FIELD_REQUIRED, name->type, sizeof(name->type));
    fields_text(fields, "value", TEXT_PRINTABLE, FIELD_OPTIONAL, name->value, sizeof(name->value));
    name->ttl = fields_u32(fields, "ttl", FIELD_REQUIRED);
    name->state = (enum name_state)fields_choice(fields, "state", NAME_STATES, ARRAY_LEN(NAME_STATES), FIELD_REQUIRED,
                                                 NAME_PENDING);
    name->since = fields_wall(fields, "since", FIELD_OPTIONAL);
    fields_text(fields, "error", TEXT_CODE, FIELD_OPTIONAL, name->error, sizeof(name->error));
    name->next = fields_wall(fields, "next", FIELD_OPTIONAL);
}

static void read_names(struct fields *fields, struct dns_message *message)
{
    const json_t *array = fields_array(fields, "names", MQTT_NAMES_MAX);
    for (size_t i = 0; i < json_array_size(array) && fields->err == ERR_OK; i++) {
        fields->object = json_array_get(array, i);
        if (!json_is_object(fields->object)) {
            fields_fail(fields, ERR_INVALID, "names", "item is not an object");
        }
        read_name(fields, &message->names[i]);
        message->names_len = i + 1;
    }
    fields->object = fields->root;
}

static void read_ack(struct fields *fields, struct dns_message *message)
{
    const json_t *ack = fields_find(fields, "ack", FIELD_OPTIONAL);
    if (ack == NULL || json_is_null(ack)) {
        return;
    }
    if (!json_is_object(ack)) {
        fields_fail(fields, ERR_INVALID, "ack", "not an object");
    }
    fields->object = ack;
    message->ack_boot = fields_u32(fields, "boot", FIELD_REQUIRED);
    message->ack_seq = fields_u32(fields, "seq", FIELD_REQUIRED);
    message->has_ack = true;
    fields->object = fields->root;
}

enum err dns_decode(struct view text, struct dns_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    if (fields_open(&fields, text, info) != ERR_OK) {
        fields_close(&fields);
        return fields.err;
    }
    struct dns_message message = {.has_ack = false};
    fields_text(&fields, "term", TEXT_TERM, FIELD_REQUIRED, message.term, sizeof(message.term));
    read_ack(&fields, &message);
    message.observed = fields_address(&fields, "observed", IP_NONE).ip;
    fields_text(&fields, "error", TEXT_ID, FIELD_OPTIONAL, message.error, sizeof(message.error));
    read_names(&fields, &message);
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err observed_parse(struct view value, struct ip *ret_ip, struct view *ret_address_text, uint8_t ret_mac[static 32])
{
    struct view address;
    struct ip ip;
    uint8_t mac[32];
    if (value.len > MQTT_OBSERVED_MAX || !view_next(&value, ' ', &address) || ip_parse(address, &ip) != ERR_OK ||
        crypto_unhex(value, mac, sizeof(mac)) != ERR_OK) {
        return ERR_PARSE;
    }
    *ret_ip = ip;
    *ret_address_text = address;
    memcpy(ret_mac, mac, sizeof(mac));
    return ERR_OK;
}
