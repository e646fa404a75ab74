/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/ledger.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "provisioning/sealed.h"

#define VERSION            1
#define JSON_DEPTH         1
#define WALL_MAX           INT64_C(253402300799999) /* end of the year 9999 */
#define NUMBER_MAX         UINT64_C(9007199254740991)
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

static const char *const EVENTS[LEDGER_EVENTS] = {"head", "made", "tested", "void"};

const char *ledger_event_name(enum ledger_event event)
{
    return EVENTS[event];
}

/* ---- members ---- */

static bool all(struct view text, bool (*is)(char), size_t min, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is(text.ptr[i])) {
            return false;
        }
    }
    return text.len >= min && text.len <= max;
}

static bool is_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_serial(char c)
{
    return is_id(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

bool ledger_serial_valid(struct view serial)
{
    return all(serial, is_serial, 1, LEDGER_SERIAL_MAX);
}

static bool line_valid(const struct ledger_line *line)
{
    if (line->ts < 0 || line->ts > WALL_MAX) {
        return false;
    }
    if (line->event == LEDGER_HEAD) {
        return all(view_of(line->batch), is_id, 1, LEDGER_BATCH_MAX) &&
               all(view_of(line->station), is_id, 1, LEDGER_STATION_MAX);
    }
    return ledger_serial_valid(view_of(line->serial)) &&
           (line->event != LEDGER_MADE || all(view_of(line->id), is_id, 1, IDENTITY_MAX)) &&
           (line->event != LEDGER_VOID || all(view_of(line->why), is_printable, 1, LEDGER_WHY_MAX));
}

/* ---- writing ---- */

static void add_hex(struct strbuf *out, const char *key, const uint8_t digest[static SHA256_SIZE])
{
    char hex[2 * SHA256_SIZE + 1];
    crypto_hex(digest, SHA256_SIZE, hex);
    (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, hex); /* sticky: asked for at the end, as below */
}

static void add_point(struct strbuf *out, const uint8_t point[static KEY_POINT_SIZE])
{
    char text[BASE64_SIZE(KEY_POINT_SIZE)];
    crypto_base64_encode(point, KEY_POINT_SIZE, text);
    (void)strbuf_addf(out, ",\"key\":\"%s\"", text);
}

static void add_members(struct strbuf *out, const struct ledger_chain *chain, const struct ledger_line *line)
{
    (void)strbuf_addf(out, "{\"v\":%d,\"t\":\"%s\",\"n\":%" PRIu64, VERSION, EVENTS[line->event], chain->next);
    if (line->event == LEDGER_HEAD) {
        (void)strbuf_addf(out, ",\"batch\":\"%s\",\"station\":\"%s\"", line->batch, line->station);
        add_hex(out, "manifest", line->manifest);
        add_point(out, line->key);
    } else {
        add_hex(out, "prev", chain->last);
        (void)strbuf_addf(out, ",\"serial\":\"%s\"", line->serial);
    }
    if (line->event == LEDGER_MADE) {
        (void)strbuf_addf(out, ",\"id\":\"%s\"", line->id);
        add_point(out, line->key);
        add_hex(out, "oc", line->owner);
    } else if (line->event == LEDGER_VOID) {
        (void)strbuf_addf(out, ",\"why\":\"%s\"", line->why);
    }
    (void)strbuf_addf(out, ",\"ts\":%" PRId64, line->ts);
}

static void move_on(struct ledger_chain *chain, const struct ledger_line *line, struct view text)
{
    if (line->event == LEDGER_HEAD) {
        chain->begun = true;
        chain->head = *line;
    }
    chain->next++;
    crypto_sha256(text, chain->last);
}

enum err ledger_write(struct ledger_chain *chain, const struct ledger_line *line, struct key *station,
                      struct strbuf *out)
{
    if (chain->begun == (line->event == LEDGER_HEAD)) {
        return ERR_STATE;
    }
    struct ledger_line whole = *line;
    if (line->event == LEDGER_HEAD) {
        key_public(station, whole.key);
    }
    if (!line_valid(&whole)) {
        return ERR_INVALID;
    }
    struct strbuf text;
    strbuf_init(&text, LEDGER_LINE_MAX);
    add_members(&text, chain, &whole);
    enum err err = sealed_close(&text, station);
    if (err == ERR_OK) {
        err = strbuf_addf(out, "%s\n", strbuf_str(&text));
    }
    if (err == ERR_OK) {
        move_on(chain, &whole, strbuf_view(&text));
    }
    strbuf_deinit(&text);
    return err;
}

/* ---- reading ---- */

struct reading {
    const json_t *object;
    struct errinfo *info;
    enum err err; /* first failure */
};

static void wrong(struct reading *reading, enum err err, const char *key, const char *what)
{
    if (reading->err == ERR_OK) {
        reading->err = errinfo_set(reading->info, err, "ledger", 0, "%s: %s", key, what);
    }
}

static uint64_t read_number(struct reading *reading, const char *key, uint64_t max)
{
    const json_t *value = json_object_get(reading->object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
        wrong(reading, ERR_INVALID, key, "not a whole number in range");
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static struct view text_of(struct reading *reading, const char *key)
{
    const json_t *value = json_object_get(reading->object, key);
    if (!json_is_string(value)) {
        wrong(reading, ERR_INVALID, key, "missing, or not a text");
        return (struct view){0};
    }
    return view_n(json_string_value(value), json_string_length(value));
}

static void read_text(struct reading *reading, const char *key, char *buffer, size_t size)
{
    struct view text = text_of(reading, key);
    if (reading->err == ERR_OK && view_copy(text, buffer, size) != ERR_OK) {
        wrong(reading, ERR_INVALID, key, "too long");
    }
}

static void read_hex(struct reading *reading, const char *key, uint8_t ret_digest[static SHA256_SIZE])
{
    struct view text = text_of(reading, key);
    if (reading->err == ERR_OK && crypto_unhex(text, ret_digest, SHA256_SIZE) != ERR_OK) {
        wrong(reading, ERR_INVALID, key, "not a digest");
    }
}

static void read_point(struct reading *reading, uint8_t ret_point[static KEY_POINT_SIZE])
{
    size_t len = 0;
    struct view text = text_of(reading, "key");
    if (reading->err == ERR_OK && (crypto_base64_decode(text, ret_point, KEY_POINT_SIZE, &len) != ERR_OK ||
                                   len != KEY_POINT_SIZE || ret_point[0] != 4)) {
        wrong(reading, ERR_INVALID, "key", "not a P-256 key");
    }
}

static void read_event(struct reading *reading, struct ledger_line *line)
{
    struct view name = text_of(reading, "t");
    for (size_t i = 0; i < ARRAY_LEN(EVENTS); i++) {
        if (view_equals(name, EVENTS[i])) {
            line->event = (enum ledger_event)i;
            return;
        }
    }
    wrong(reading, ERR_INVALID, "t", "not an event of this version");
}

static void read_members(struct reading *reading, struct ledger_line *line)
{
    if (read_number(reading, "v", NUMBER_MAX) != VERSION) {
        wrong(reading, ERR_INVALID, "v", "not a version that this program reads");
    }
    read_event(reading, line);
    line->n = read_number(reading, "n", NUMBER_MAX);
    line->ts = (int64_t)read_number(reading, "ts", (uint64_t)WALL_MAX);
    if (line->event == LEDGER_HEAD) {
        read_text(reading, "batch", line->batch, sizeof(line->batch));
        read_text(reading, "station", line->station, sizeof(line->station));
        read_hex(reading, "manifest", line->manifest);
        read_point(reading, line->key);
    } else {
        read_hex(reading, "prev", line->prev);
        read_text(reading, "serial", line->serial, sizeof(line->serial));
    }
    if (line->event == LEDGER_MADE) {
        read_text(reading, "id", line->id, sizeof(line->id));
        read_point(reading, line->key);
        read_hex(reading, "oc", line->owner);
    } else if (line->event == LEDGER_VOID) {
        read_text(reading, "why", line->why, sizeof(line->why));
    }
    if (reading->err == ERR_OK && !line_valid(line)) {
        wrong(reading, ERR_INVALID, EVENTS[line->event], "holds a character that it must not, or an empty text");
    }
}

/** The line must be the chain's next. */
static void check_place(struct reading *reading, const struct ledger_chain *chain, const struct ledger_line *line)
{
    bool is_head = line->event == LEDGER_HEAD;
    if (chain->begun == is_head) {
        wrong(reading, ERR_CONFLICT, "t", is_head ? "a second head" : "the first line is no head");
    } else if (line->n != chain->next) {
        wrong(reading, ERR_CONFLICT, "n", "not the number after the line before: a line is missing or doubled");
    } else if (!is_head && memcmp(line->prev, chain->last, SHA256_SIZE) != 0) {
        wrong(reading, ERR_CONFLICT, "prev", "not the digest of the line before: that line was changed or replaced");
    }
}

/** Of a head by the key that it names itself: who trusts that key is the manifest's to say. */
static void check_signature(struct reading *reading, const struct ledger_chain *chain, const struct ledger_line *line,
                            struct view text)
{
    if (reading->err == ERR_OK) {
        reading->err = sealed_verify(text, line->event == LEDGER_HEAD ? line->key : chain->head.key, reading->info);
    }
}

enum err ledger_read(struct ledger_chain *chain, struct view text, struct ledger_line *ret_line, struct errinfo *info)
{
    json_t *root = NULL;
    struct ledger_line line = {.event = LEDGER_HEAD};
    enum err err = json_parse(text, LEDGER_LINE_MAX, JSON_DEPTH, &root, info);
    if (err != ERR_OK) {
        return err;
    }
    struct reading reading = {.object = root, .info = info};
    read_members(&reading, &line);
    if (reading.err == ERR_OK) {
        check_place(&reading, chain, &line);
    }
    check_signature(&reading, chain, &line, text);
    json_decref(root);
    if (reading.err == ERR_OK) {
        move_on(chain, &line, text);
        *ret_line = line;
    }
    return reading.err;
}
