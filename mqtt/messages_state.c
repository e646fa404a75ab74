/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "mqtt/fields.h"
#include "mqtt/messages.h"

static const char *const ON_OFF[] = {"off", "on"};
static const char *const QUALITIES[] = {
    [TIME_NONE] = "none", [TIME_FLOOR] = "floor", [TIME_RTC] = "rtc", [TIME_NTP] = "ntp", [TIME_SIGNED] = "signed",
};

/* Index 0 is never on the wire: what is unknown is left out. */
static const char *const NAT_NAMES[NAT_CLASSES] = {
    [NAT_UNKNOWN] = "unknown", [NAT_PUBLIC] = "public", [NAT_NAT] = "nat",       [NAT_PORT_CONTROL] = "port-control",
    [NAT_DOUBLE] = "double",   [NAT_CGNAT] = "cgnat",   [NAT_DSLITE] = "dslite", [NAT_464XLAT] = "464xlat",
    [NAT_TUNNEL] = "tunnel",
};

const char *nat_class_name(enum nat_class nat)
{
    return (size_t)nat < ARRAY_LEN(NAT_NAMES) ? NAT_NAMES[nat] : NAT_NAMES[NAT_UNKNOWN];
}

enum nat_inbound nat_inbound(enum nat_class nat)
{
    switch (nat) {
    case NAT_PUBLIC:
        return NAT_INBOUND_OPEN;
    case NAT_PORT_CONTROL:
        return NAT_INBOUND_POSSIBLE;
    case NAT_DOUBLE:
    case NAT_CGNAT:
    case NAT_DSLITE:
    case NAT_464XLAT:
        return NAT_INBOUND_NONE;
    case NAT_UNKNOWN:
    case NAT_NAT:
    case NAT_TUNNEL:
        break;
    }
    return NAT_INBOUND_UNPROVEN;
}

const char *nat_inbound_name(enum nat_inbound inbound)
{
    static const char *const names[] = {
        [NAT_INBOUND_UNPROVEN] = "unproven",
        [NAT_INBOUND_POSSIBLE] = "possible",
        [NAT_INBOUND_OPEN] = "open",
        [NAT_INBOUND_NONE] = "none",
    };
    return names[inbound];
}

static bool family_fits(const struct address_field *field, enum ip_family family)
{
    return field->presence != FIELD_SET || field->ip.family == family;
}

static bool texts_fit(const struct state_message *message)
{
    const struct {
        enum text_kind kind;
        const char *text;
    } texts[] = {
        {TEXT_ID, message->src},       {TEXT_ID, message->why},        {TEXT_PRINTABLE, message->agent},
        {TEXT_PRINTABLE, message->fw}, {TEXT_PRINTABLE, message->cfg},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!text_valid(texts[i].kind, view_of(texts[i].text))) {
            return false;
        }
    }
    return true;
}

static bool seen_fits(const struct ip *seen, enum ip_family family)
{
    return seen->family == IP_NONE || seen->family == family;
}

static bool uplink_fits(const struct uplink *uplink)
{
    return uplink->name[0] != '\0' && text_valid(TEXT_PRINTABLE, view_of(uplink->name)) &&
           family_fits(&uplink->ip4, IP_V4) && family_fits(&uplink->ip6, IP_V6) && seen_fits(&uplink->seen4, IP_V4) &&
           seen_fits(&uplink->seen6, IP_V6) && (size_t)uplink->nat < NAT_CLASSES &&
           (size_t)uplink->alive4 < ALIVE_STATES && (size_t)uplink->alive6 < ALIVE_STATES;
}

static bool lists_fit(const struct state_message *message)
{
    if (message->uplinks_len > MQTT_UPLINKS_MAX || message->caps_len > MQTT_CAPS_MAX ||
        message->prefix6_also_len > MQTT_ALSO_MAX) {
        return false;
    }
    for (size_t i = 0; i < message->prefix6_also_len; i++) {
        if (message->prefix6_also[i].prefix.ip.family != IP_V6) {
            return false;
        }
    }
    for (size_t i = 0; i < message->uplinks_len; i++) {
        if (!uplink_fits(&message->uplinks[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < message->caps_len; i++) {
        if (message->caps[i][0] == '\0' || !text_valid(TEXT_ID, view_of(message->caps[i]))) {
            return false;
        }
    }
    return true;
}

static bool state_fits(const struct state_message *message)
{
    return texts_fit(message) && lists_fit(message) && family_fits(&message->ip4, IP_V4) &&
           family_fits(&message->ip6, IP_V6) && (size_t)message->tsq < ARRAY_LEN(QUALITIES) && message->ts >= 0 &&
           message->ts <= FIELDS_WALL_MAX &&
           (!message->has_prefix6 || (message->prefix6.ip.family == IP_V6 && !message->prefix6_gone));
}

static void write_if_set(struct strbuf *out, const char *key, const char *text)
{
    if (text[0] != '\0') {
        write_text(out, key, text);
    }
}

static void write_seen(struct strbuf *out, const char *key, const struct ip *seen)
{
    const struct address_field field = {.presence = seen->family == IP_NONE ? FIELD_ABSENT : FIELD_SET, .ip = *seen};
    write_address(out, key, &field);
}

static void write_alive(struct strbuf *out, const char *key, enum alive alive)
{
    if (alive != ALIVE_UNKNOWN) {
        (void)strbuf_addf(out, ",\"%s\":%s", key, alive == ALIVE_YES ? "true" : "false");
    }
}

static void write_uplink(const struct uplink *uplink, struct strbuf *out)
{
    (void)strbuf_adds(out, "{\"name\":");
    (void)strbuf_add_json(out, view_of(uplink->name));
    (void)strbuf_addf(out, ",\"up\":%s", uplink->up ? "true" : "false");
    if (uplink->has_metric) {
        (void)strbuf_addf(out, ",\"metric\":%" PRIu32, uplink->metric);
    }
    write_address(out, "ip4", &uplink->ip4);
    write_address(out, "ip6", &uplink->ip6);
    write_seen(out, "seen4", &uplink->seen4);
    write_seen(out, "seen6", &uplink->seen6);
    if (uplink->nat != NAT_UNKNOWN) {
        write_text(out, "nat", nat_class_name(uplink->nat));
    }
    write_alive(out, "alive4", uplink->alive4);
    write_alive(out, "alive6", uplink->alive6);
    (void)strbuf_addc(out, '}');
}

static void write_uplinks(const struct state_message *message, struct strbuf *out)
{
    (void)strbuf_adds(out, ",\"uplinks\":[");
    for (size_t i = 0; i < message->uplinks_len; i++) {
        (void)strbuf_adds(out, i == 0 ? "" : ",");
        write_uplink(&message->uplinks[i], out);
    }
    (void)strbuf_addc(out, ']');
}

/* One of a lifetime's two ends; none is not written. */
static void write_seconds(struct strbuf *out, const char *key, uint32_t seconds)
{
    if (seconds != 0) {
        (void)strbuf_addf(out, ",\"%s\":%" PRIu32, key, seconds);
    }
}

static void write_also(const struct state_message *message, struct strbuf *out)
{
    (void)strbuf_adds(out, ",\"prefix6_also\":[");
    for (size_t i = 0; i < message->prefix6_also_len; i++) {
        char text[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&message->prefix6_also[i].prefix, text);
        (void)strbuf_addf(out, "%s{\"prefix\":\"%s\"", i == 0 ? "" : ",", text);
        write_seconds(out, "preferred", message->prefix6_also[i].life.preferred_s);
        write_seconds(out, "valid", message->prefix6_also[i].life.valid_s);
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_addc(out, ']');
}

static void write_prefixes(const struct state_message *message, struct strbuf *out)
{
    if (message->has_prefix6) {
        char text[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&message->prefix6, text);
        write_text(out, "prefix6", text);
    } else if (message->prefix6_gone) {
        (void)strbuf_adds(out, ",\"prefix6\":null");
    }
    write_seconds(out, "prefix6_preferred", message->prefix6_life.preferred_s);
    write_seconds(out, "prefix6_valid", message->prefix6_life.valid_s);
    if (message->prefix6_also_len != 0) {
        write_also(message, out);
    }
}

static void write_caps(const struct state_message *message, struct strbuf *out)
{
    (void)strbuf_adds(out, ",\"caps\":[");
    for (size_t i = 0; i < message->caps_len; i++) {
        (void)strbuf_adds(out, i == 0 ? "" : ",");
        (void)strbuf_add_json(out, view_of(message->caps[i]));
    }
    (void)strbuf_addc(out, ']');
}

static void write_time(const struct state_message *message, struct strbuf *out)
{
    if (message->ts != 0) {
        (void)strbuf_addf(out, ",\"ts\":%" PRId64, message->ts);
    }
    write_text(out, "tsq", QUALITIES[message->tsq]);
}

enum err state_encode(const struct state_message *message, struct strbuf *out)
{
    if (!state_fits(message)) {
        return ERR_INVALID;
    }
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"s\":\"%s\",\"boot\":%" PRIu32 ",\"conn\":%" PRIu32 ",\"seq\":%" PRIu32,
                      MESSAGE_VERSION, ON_OFF[message->on], message->boot, message->conn, message->seq);
    write_time(message, out);
    write_address(out, "ip4", &message->ip4);
    write_address(out, "ip6", &message->ip6);
    write_prefixes(message, out);
    if (message->uplinks_len != 0) {
        write_uplinks(message, out);
    }
    write_if_set(out, "src", message->src);
    write_if_set(out, "why", message->why);
    write_if_set(out, "agent", message->agent);
    write_if_set(out, "fw", message->fw);
    write_if_set(out, "cfg", message->cfg);
    if (message->caps_len != 0) {
        write_caps(message, out);
    }
    (void)strbuf_addc(out, '}');
    return write_done(out, start);
}

static bool read_prefix(struct fields *fields, const char *key, const json_t *value, struct ip_prefix *ret_prefix)
{
    struct view text = view_n(json_string_value(value), json_is_string(value) ? json_string_length(value) : 0);
    if (ip_prefix_parse(text, ret_prefix) != ERR_OK || ret_prefix->ip.family != IP_V6) {
        fields_fail(fields, ERR_INVALID, key, "not an IPv6 prefix with zero host bits");
        return false;
    }
    return true;
}

/* Absent where there is no end; what has none left is not preferred, or not valid, and has no place in a state. */
static uint32_t read_seconds(struct fields *fields, const char *key)
{
    uint32_t seconds = fields_u32(fields, key, FIELD_OPTIONAL);
    if (seconds == 0 && fields_find(fields, key, FIELD_OPTIONAL) != NULL) {
        fields_fail(fields, ERR_INVALID, key, "not a lifetime");
    }
    return seconds;
}

static void read_also(struct fields *fields, struct state_message *message)
{
    const json_t *array = fields_array(fields, "prefix6_also", MQTT_ALSO_MAX);
    for (size_t i = 0; i < json_array_size(array) && fields->err == ERR_OK; i++) {
        struct also_prefix *also = &message->prefix6_also[i];
        fields->object = json_array_get(array, i);
        if (!json_is_object(fields->object)) {
            fields_fail(fields, ERR_INVALID, "prefix6_also", "item is not an object");
        }
        const json_t *value = fields_find(fields, "prefix", FIELD_REQUIRED);
        (void)(value != NULL && read_prefix(fields, "prefix6_also", value, &also->prefix)); /* the failure is kept */
        also->life.preferred_s = read_seconds(fields, "preferred");
        also->life.valid_s = read_seconds(fields, "valid");
        message->prefix6_also_len = i + 1;
    }
    fields->object = fields->root;
}

static void read_prefixes(struct fields *fields, struct state_message *message)
{
    const json_t *value = fields_find(fields, "prefix6", FIELD_OPTIONAL);
    message->prefix6_gone = value != NULL && json_is_null(value);
    message->has_prefix6 =
        value != NULL && !message->prefix6_gone && read_prefix(fields, "prefix6", value, &message->prefix6);
    message->prefix6_life.preferred_s = read_seconds(fields, "prefix6_preferred");
    message->prefix6_life.valid_s = read_seconds(fields, "prefix6_valid");
    read_also(fields, message);
}

/* Absent is unknown; there is no null, since nothing is retracted by it. */
static struct ip read_seen(struct fields *fields, const char *key, enum ip_family family)
{
    struct address_field field = fields_address(fields, key, family);
    if (field.presence == FIELD_NULL) {
        fields_fail(fields, ERR_INVALID, key, "not an address of its family");
    }
    return field.ip; /* all-zero unless FIELD_SET */
}

static void read_uplink(struct fields *fields, struct uplink *uplink)
{
    fields_text(fields, "name", TEXT_PRINTABLE, FIELD_REQUIRED, uplink->name, sizeof(uplink->name));
    uplink->up = fields_bool(fields, "up");
    uplink->has_metric = fields_find(fields, "metric", FIELD_OPTIONAL) != NULL;
    uplink->metric = fields_u32(fields, "metric", FIELD_OPTIONAL);
    uplink->ip4 = fields_address(fields, "ip4", IP_V4);
    uplink->ip6 = fields_address(fields, "ip6", IP_V6);
    uplink->seen4 = read_seen(fields, "seen4", IP_V4);
    uplink->seen6 = read_seen(fields, "seen6", IP_V6);
    const int first = NAT_UNKNOWN + 1;
    int known = fields_choice(fields, "nat", NAT_NAMES + first, NAT_CLASSES - (size_t)first, FIELD_OPTIONAL, -first);
    uplink->nat = (enum nat_class)(known + first);
    uplink->alive4 = fields_alive(fields, "alive4");
    uplink->alive6 = fields_alive(fields, "alive6");
}

static void read_uplinks(struct fields *fields, struct state_message *message)
{
    const json_t *array = fields_array(fields, "uplinks", MQTT_UPLINKS_MAX);
    for (size_t i = 0; i < json_array_size(array) && fields->err == ERR_OK; i++) {
        fields->object = json_array_get(array, i);
        if (!json_is_object(fields->object)) {
            fields_fail(fields, ERR_INVALID, "uplinks", "item is not an object");
        }
        read_uplink(fields, &message->uplinks[i]);
        message->uplinks_len = i + 1;
    }
    fields->object = fields->root;
}

static void read_caps(struct fields *fields, struct state_message *message)
{
    const json_t *array = fields_array(fields, "caps", MQTT_CAPS_MAX);
    for (size_t i = 0; i < json_array_size(array) && fields->err == ERR_OK; i++) {
        const json_t *item = json_array_get(array, i);
        struct view text = view_n(json_string_value(item), json_is_string(item) ? json_string_length(item) : 0);
        if (text.len == 0 || !text_valid(TEXT_ID, text) ||
            view_copy(text, message->caps[i], sizeof(message->caps[i])) != ERR_OK) {
            fields_fail(fields, ERR_INVALID, "caps", "item is not a short id");
        }
        message->caps_len = i + 1;
    }
}

static void read_state(struct fields *fields, struct state_message *message)
{
    message->on = fields_choice(fields, "s", ON_OFF, ARRAY_LEN(ON_OFF), FIELD_REQUIRED, 0) == 1;
    message->boot = fields_u32(fields, "boot", FIELD_REQUIRED);
    message->conn = fields_u32(fields, "conn", FIELD_REQUIRED);
    message->seq = fields_u32(fields, "seq", FIELD_REQUIRED);
    message->ts = fields_wall(fields, "ts", FIELD_OPTIONAL);
    message->tsq =
        (enum time_quality)fields_choice(fields, "tsq", QUALITIES, ARRAY_LEN(QUALITIES), FIELD_OPTIONAL, TIME_NONE);
    message->ip4 = fields_address(fields, "ip4", IP_V4);
    message->ip6 = fields_address(fields, "ip6", IP_V6);
    read_prefixes(fields, message);
    read_uplinks(fields, message);
    fields_text(fields, "src", TEXT_ID, FIELD_OPTIONAL, message->src, sizeof(message->src));
    fields_text(fields, "why", TEXT_ID, FIELD_OPTIONAL, message->why, sizeof(message->why));
    fields_text(fields, "agent", TEXT_PRINTABLE, FIELD_OPTIONAL, message->agent, sizeof(message->agent));
    fields_text(fields, "fw", TEXT_PRINTABLE, FIELD_OPTIONAL, message->fw, sizeof(message->fw));
    fields_text(fields, "cfg", TEXT_PRINTABLE, FIELD_OPTIONAL, message->cfg, sizeof(message->cfg));
    read_caps(fields, message);
}

enum err state_decode(struct view text, struct state_message *ret_message, struct errinfo *info)
{
    struct state_scan scan; /* one set of rules: what the scan refuses is refused here */
    enum err err = state_scan(text, &scan);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "message", 0, "state: %s", err_text(err));
    }
    struct fields fields;
    struct state_message message = {.on = false};
    if (fields_open(&fields, text, info) == ERR_OK) {
        read_state(&fields, &message);
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}

enum err gone_encode(const struct gone_message *message, struct strbuf *out)
{
    size_t start = out->len;
    (void)strbuf_addf(out, "{\"v\":%d,\"boot\":%" PRIu32 ",\"conn\":%" PRIu32 "}", MESSAGE_VERSION, message->boot,
                      message->conn);
    return write_done(out, start);
}

enum err gone_decode(struct view text, struct gone_message *ret_message, struct errinfo *info)
{
    struct fields fields;
    struct gone_message message = {0};
    if (fields_open(&fields, text, info) == ERR_OK) {
        message.boot = fields_u32(&fields, "boot", FIELD_REQUIRED);
        message.conn = fields_u32(&fields, "conn", FIELD_REQUIRED);
    }
    fields_close(&fields);
    if (fields.err == ERR_OK) {
        *ret_message = message;
    }
    return fields.err;
}
