/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/fields.h"

#include <string.h>

static bool is_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_code(char c)
{
    return is_id(c) || c == '!';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_name(char c)
{
    return is_id(c) || c == '_' || c == '*' || c == '.';
}

static bool is_type(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_serial(char c)
{
    return (c >= 'a' && c <= 'z') || is_type(c) || c == '.' || c == '_' || c == '-';
}

static bool is_term(char c)
{
    return is_id(c) || is_type(c);
}

static bool all(struct view text, bool (*is)(char))
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool term_valid(struct view text)
{
    struct view store;
    if (!view_next(&text, ':', &store) || store.len == 0 || store.len > 40 || text.len == 0 || text.len > 20) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return all(store, is_term);
}

bool text_valid(enum text_kind kind, struct view text)
{
    switch (kind) {
    case TEXT_ID:
        return all(text, is_id);
    case TEXT_CODE:
        return all(text, is_code);
    case TEXT_PRINTABLE:
        return all(text, is_printable);
    case TEXT_NAME:
        return all(text, is_name);
    case TEXT_TYPE:
        return all(text, is_type);
    case TEXT_TERM:
        return term_valid(text);
    case TEXT_HEX:
        return all(text, is_hex);
    case TEXT_SERIAL:
        return all(text, is_serial);
    }
    return false;
}

void fields_fail(struct fields *fields, enum err err, const char *key, const char *what)
{
    if (fields->err == ERR_OK) {
        fields->err = errinfo_set(fields->info, err, "message", 0, "%s: %s", key, what);
    }
}

enum err fields_open(struct fields *fields, struct view text, struct errinfo *info)
{
    return fields_open_large(fields, text, MQTT_PAYLOAD_MAX, info);
}

enum err fields_open_large(struct fields *fields, struct view text, size_t max_len, struct errinfo *info)
{
    *fields = (struct fields){.info = info};
    fields->err = json_parse(text, max_len, MQTT_JSON_DEPTH, &fields->root, info);
    if (fields->err != ERR_OK) {
        return fields->err;
    }
    fields->object = fields->root;
    if (!json_is_object(fields->root)) {
        fields_fail(fields, ERR_INVALID, "body", "must be an object");
    } else if (fields_u32(fields, "v", FIELD_REQUIRED) != MESSAGE_VERSION) {
        fields_fail(fields, ERR_INVALID, "v", "not a version that we speak");
    }
    return fields->err;
}

void fields_close(struct fields *fields)
{
    json_decref(fields->root);
    fields->root = NULL;
}

const json_t *fields_find(struct fields *fields, const char *key, enum field_need need)
{
    if (fields->err != ERR_OK) {
        return NULL;
    }
    const json_t *value = json_object_get(fields->object, key);
    if (value == NULL && need == FIELD_REQUIRED) {
        fields_fail(fields, ERR_INVALID, key, "missing");
    }
    return value;
}

static uint64_t integer(struct fields *fields, const char *key, const json_t *value, uint64_t max)
{
    if (value == NULL) {
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
        fields_fail(fields, ERR_INVALID, key, "not a whole number in range");
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

uint32_t fields_u32(struct fields *fields, const char *key, enum field_need need)
{
    return (uint32_t)fields_u64(fields, key, UINT32_MAX, need);
}

uint64_t fields_u64(struct fields *fields, const char *key, uint64_t max, enum field_need need)
{
    return integer(fields, key, fields_find(fields, key, need), max);
}

int64_t fields_wall(struct fields *fields, const char *key, enum field_need need)
{
    const json_t *value = fields_find(fields, key, need);
    if (need == FIELD_OPTIONAL && json_is_null(value)) {
        return 0;
    }
    return (int64_t)integer(fields, key, value, (uint64_t)FIELDS_WALL_MAX);
}

double fields_real(struct fields *fields, const char *key)
{
    const json_t *value = fields_find(fields, key, FIELD_REQUIRED);
    if (value == NULL) {
        return 0;
    }
    double real = json_number_value(value); /* 0 for anything else: the type is checked beside it */
    if (!json_is_number(value) || !(real >= 0 && real <= 1e12)) {
        fields_fail(fields, ERR_INVALID, key, "not a number in range");
        return 0;
    }
    return real;
}

bool fields_bool(struct fields *fields, const char *key)
{
    const json_t *value = fields_find(fields, key, FIELD_REQUIRED);
    if (value != NULL && !json_is_boolean(value)) {
        fields_fail(fields, ERR_INVALID, key, "neither true nor false");
    }
    return json_is_true(value);
}

enum alive fields_alive(struct fields *fields, const char *key)
{
    const json_t *value = fields_find(fields, key, FIELD_OPTIONAL);
    if (value == NULL) {
        return ALIVE_UNKNOWN;
    }
    return fields_bool(fields, key) ? ALIVE_YES : ALIVE_NO;
}

int fields_choice(struct fields *fields, const char *key, const char *const *choices, size_t choices_len,
                  enum field_need need, int absent)
{
    const json_t *value = fields_find(fields, key, need);
    if (value == NULL) {
        return absent;
    }
    if (json_is_string(value)) {
        struct view text = view_n(json_string_value(value), json_string_length(value));
        for (size_t i = 0; i < choices_len; i++) {
            if (view_equals(text, choices[i])) {
                return (int)i;
            }
        }
    }
    fields_fail(fields, ERR_INVALID, key, "not one of its values");
    return absent;
}

void fields_text(struct fields *fields, const char *key, enum text_kind kind, enum field_need need, char *buffer,
                 size_t size)
{
    buffer[0] = '\0';
    const json_t *value = fields_find(fields, key, need);
    if (value == NULL || (need == FIELD_OPTIONAL && json_is_null(value))) {
        return;
    }
    if (!json_is_string(value)) {
        fields_fail(fields, ERR_INVALID, key, "not a text");
        return;
    }
    struct view text = view_n(json_string_value(value), json_string_length(value));
    if (text.len >= size || (need == FIELD_REQUIRED && text.len == 0)) {
        fields_fail(fields, ERR_LIMIT, key, "too long or empty");
    } else if (!text_valid(kind, text)) {
        fields_fail(fields, ERR_INVALID, key, "holds a character that it must not");
    } else if (view_copy(text, buffer, size) != ERR_OK) {
        fields_fail(fields, ERR_INVALID, key, "holds a zero byte");
    }
}

struct address_field fields_address(struct fields *fields, const char *key, enum ip_family family)
{
    struct address_field field = {.presence = FIELD_ABSENT};
    const json_t *value = fields_find(fields, key, FIELD_OPTIONAL);
    if (value == NULL) {
        return field;
    }
    if (json_is_null(value)) {
        field.presence = FIELD_NULL;
        return field;
    }
    struct view text = view_n(json_string_value(value), json_is_string(value) ? json_string_length(value) : 0);
    if (ip_parse(text, &field.ip) != ERR_OK || (family != IP_NONE && field.ip.family != family)) {
        fields_fail(fields, ERR_INVALID, key, "not an address of its family");
        return (struct address_field){.presence = FIELD_ABSENT};
    }
    field.presence = FIELD_SET;
    return field;
}

const json_t *fields_array(struct fields *fields, const char *key, size_t max)
{
    const json_t *value = fields_find(fields, key, FIELD_OPTIONAL);
    if (value != NULL && !json_is_array(value)) {
        fields_fail(fields, ERR_INVALID, key, "not an array");
        return NULL;
    }
    if (value != NULL && json_array_size(value) > max) {
        fields_fail(fields, ERR_LIMIT, key, "too many items");
        return NULL;
    }
    return value;
}

/* strbuf keeps its first failure; write_done asks for it. */
void write_text(struct strbuf *out, const char *key, const char *text)
{
    (void)strbuf_addf(out, ",\"%s\":", key);
    (void)strbuf_add_json(out, view_of(text));
}

void write_text_or_null(struct strbuf *out, const char *key, const char *text)
{
    if (text[0] != '\0') {
        write_text(out, key, text);
    } else {
        (void)strbuf_addf(out, ",\"%s\":null", key);
    }
}

void write_address(struct strbuf *out, const char *key, const struct address_field *field)
{
    char text[IP_TEXT_SIZE];
    if (field->presence == FIELD_SET) {
        (void)ip_format(&field->ip, text);
        write_text(out, key, text);
    } else if (field->presence == FIELD_NULL) {
        write_text_or_null(out, key, "");
    }
}

enum err write_done(const struct strbuf *out, size_t start)
{
    enum err err = strbuf_error(out);
    return err == ERR_OK && out->len - start > MQTT_PAYLOAD_MAX ? ERR_LIMIT : err;
}
