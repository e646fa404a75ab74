/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "provisioning/ledger.h"
#include "provisioning/sealed.h"

#define VERSION          1
#define JSON_DEPTH       2
#define WALL_MAX         INT64_C(253402300799999) /* end of the year 9999 */
#define SERIAL_LAST_MAX  UINT64_C(999999999999999)
#define WIDTH_MAX        15
#define ACTIVATION_MAX_S (10 * 366 * 86400)
#define POINT_TEXT_SIZE  ((KEY_POINT_SIZE + 2) / 3 * 4 + 1)

static const struct view mark = VIEW_LITERAL("{serial}");

/* ---- members ---- */

static bool is_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool all(struct view text, bool (*is)(char), size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is(text.ptr[i])) {
            return false;
        }
    }
    return text.len >= 1 && text.len <= max;
}

/** Services and claims have names of their own. */
static bool is_reserved(struct view id)
{
    return view_starts_with(id, VIEW_LITERAL("svc-")) || view_starts_with(id, VIEW_LITERAL("claim-"));
}

/** Parts a template at its mark. @return false when it has none, or more than one. */
static bool split_template(struct view text, struct view *ret_before, struct view *ret_after)
{
    for (size_t i = 0; i + mark.len <= text.len; i++) {
        if (memcmp(text.ptr + i, mark.ptr, mark.len) == 0) {
            *ret_before = view_n(text.ptr, i);
            *ret_after = view_n(text.ptr + i + mark.len, text.len - i - mark.len);
            return true;
        }
    }
    return false;
}

static bool template_valid(struct view text)
{
    struct view before, after;
    return text.len <= MANIFEST_ID_MAX && split_template(text, &before, &after) && !is_reserved(before) &&
           (before.len == 0 || all(before, is_id, IDENTITY_MAX)) && (after.len == 0 || all(after, is_id, IDENTITY_MAX));
}

static unsigned digits_of(uint64_t number)
{
    unsigned digits = 1;
    for (; number >= 10; number /= 10) {
        digits++;
    }
    return digits;
}

static bool serials_valid(const struct manifest_serials *serials)
{
    struct view prefix = view_of(serials->prefix);
    return (prefix.len == 0 || ledger_serial_valid(prefix)) && serials->first <= serials->last &&
           serials->last <= SERIAL_LAST_MAX && serials->width >= 1 && serials->width <= WIDTH_MAX &&
           digits_of(serials->last) <= serials->width && prefix.len + serials->width <= LEDGER_SERIAL_MAX;
}

static bool claim_valid(const struct manifest *manifest)
{
    struct view cn = view_of(manifest->claim_cn);
    return view_starts_with(cn, VIEW_LITERAL("claim-")) && all(cn, is_id, IDENTITY_MAX);
}

static bool window_valid(const struct manifest *manifest)
{
    return manifest->from_ms >= 0 && manifest->from_ms < manifest->to_ms && manifest->to_ms <= WALL_MAX;
}

/** With the range known, the longest id is: one that a device could not have is found here and not on the line. */
static bool ids_fit(const struct manifest *manifest)
{
    char id[IDENTITY_MAX + 1];
    char serial[LEDGER_SERIAL_MAX + 1];
    return !manifest->has_serials || (manifest_serial_at(manifest, 0, serial) == ERR_OK &&
                                      manifest_device_id(manifest, view_of(serial), id) == ERR_OK);
}

enum err manifest_check(const struct manifest *manifest, struct errinfo *info)
{
    const struct manifest *m = manifest;
    uint64_t room = m->has_serials ? m->serials.last - m->serials.first + 1 : MANIFEST_COUNT_MAX;
    const struct {
        bool good;
        const char *says;
    } rows[] = {
        {all(view_of(m->batch), is_id, LEDGER_BATCH_MAX), "batch: not [a-z0-9-]{1,32}"},
        {all(view_of(m->model), is_printable, MANIFEST_MODEL_MAX), "model: empty, or holds a quote or control"},
        {!m->has_serials || serials_valid(&m->serials), "serials: an empty range, or more digits than its width"},
        {m->count >= 1 && m->count <= MANIFEST_COUNT_MAX, "count: not 1 to 1000000"},
        {m->count <= room, "count: more devices than serial numbers"},
        {m->quota >= 1 && m->quota <= MANIFEST_COUNT_MAX, "quota: not 1 to 1000000"},
        {template_valid(view_of(m->id)), "id: not [a-z0-9-] around one {serial}, or reserved (svc-, claim-)"},
        {claim_valid(m), "claim: not claim-..."},
        {window_valid(m), "from, to: an empty window"},
        {m->activation_s <= ACTIVATION_MAX_S, "activation_s: over ten years"},
        {m->stations_len >= 1 && m->stations_len <= MANIFEST_STATIONS_MAX, "stations: not 1 to 16"},
        {m->made_ms >= 0 && m->made_ms <= WALL_MAX, "made: not a time"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!rows[i].good) {
            return errinfo_set(info, ERR_INVALID, "manifest", 0, "%s", rows[i].says);
        }
    }
    return ids_fit(m) ? ERR_OK
                      : errinfo_set(info, ERR_INVALID, "manifest", 0, "id: with a serial number over %d characters",
                                    IDENTITY_MAX);
}

/* ---- writing ---- */

static void add_point(struct strbuf *out, const uint8_t point[static KEY_POINT_SIZE])
{
    char text[POINT_TEXT_SIZE];
    crypto_base64_encode(point, KEY_POINT_SIZE, text);
    (void)strbuf_addf(out, "\"%s\"", text); /* sticky: asked for at the end, as below */
}

static void add_serials(struct strbuf *out, const struct manifest *m)
{
    if (!m->has_serials) {
        (void)strbuf_adds(out, ",\"serials\":null");
        return;
    }
    (void)strbuf_addf(
        out, ",\"serials\":{\"prefix\":\"%s\",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"width\":%" PRIu32 "}",
        m->serials.prefix, m->serials.first, m->serials.last, m->serials.width);
}

static void add_stations(struct strbuf *out, const struct manifest *m)
{
    (void)strbuf_adds(out, ",\"stations\":[");
    for (size_t i = 0; i < m->stations_len; i++) {
        (void)strbuf_adds(out, i > 0 ? "," : "");
        add_point(out, m->stations[i]);
    }
    (void)strbuf_adds(out, "]");
}

/** Everything but the time it was made, and the end. */
static void add_members(struct strbuf *out, const struct manifest *m)
{
    char hex[2 * SHA256_SIZE + 1];
    crypto_hex(m->claim_sha256, SHA256_SIZE, hex);
    (void)strbuf_addf(
        out, "{\"v\":%d,\"t\":\"manifest\",\"batch\":\"%s\",\"model\":\"%s\",\"count\":%" PRIu32 ",\"quota\":%" PRIu32,
        VERSION, m->batch, m->model, m->count, m->quota);
    add_serials(out, m);
    (void)strbuf_addf(out, ",\"id\":\"%s\",\"claim\":{\"cn\":\"%s\",\"sha256\":\"%s\"}", m->id, m->claim_cn, hex);
    (void)strbuf_addf(out, ",\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"activation_s\":%" PRIu32, m->from_ms, m->to_ms,
                      m->activation_s);
    add_stations(out, m);
    (void)strbuf_adds(out, ",\"factory\":");
    add_point(out, m->factory);
}

enum err manifest_write(const struct manifest *manifest, struct key *factory, struct strbuf *out, struct errinfo *info)
{
    struct manifest whole = *manifest;
    key_public(factory, whole.factory);
    enum err err = manifest_check(&whole, info);
    if (err != ERR_OK) {
        return err;
    }
    struct strbuf text;
    strbuf_init(&text, MANIFEST_MAX);
    add_members(&text, &whole);
    (void)strbuf_addf(&text, ",\"made\":%" PRId64, whole.made_ms); /* sealed_close asks for its outcome */
    err = sealed_close(&text, factory);
    if (err == ERR_OK) {
        err = strbuf_add(out, strbuf_view(&text));
    }
    strbuf_deinit(&text);
    return err == ERR_OK ? ERR_OK : errinfo_set(info, err, "manifest", 0, "not signed: %s", err_text(err));
}

bool manifest_same(const struct manifest *a, const struct manifest *b)
{
    struct strbuf texts[2];
    strbuf_init(&texts[0], MANIFEST_MAX);
    strbuf_init(&texts[1], MANIFEST_MAX);
    add_members(&texts[0], a);
    add_members(&texts[1], b);
    bool same = strbuf_error(&texts[0]) == ERR_OK && strbuf_error(&texts[1]) == ERR_OK &&
                view_equal(strbuf_view(&texts[0]), strbuf_view(&texts[1]));
    strbuf_deinit(&texts[0]);
    strbuf_deinit(&texts[1]);
    return same;
}

/* ---- reading ---- */

struct reading {
    struct errinfo *info;
    enum err err; /* first failure */
};

static void wrong(struct reading *reading, const char *key, const char *what)
{
    if (reading->err == ERR_OK) {
        reading->err = errinfo_set(reading->info, ERR_INVALID, "manifest", 0, "%s: %s", key, what);
    }
}

static uint64_t read_number(struct reading *reading, const json_t *object, const char *key, uint64_t max)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
        wrong(reading, key, "not a whole number in range");
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

static void read_text(struct reading *reading, const json_t *object, const char *key, char *buffer, size_t size)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value) ||
        view_copy(view_n(json_string_value(value), json_string_length(value)), buffer, size) != ERR_OK) {
        wrong(reading, key, "missing, too long, or not a text");
    }
}

static void read_point(struct reading *reading, const json_t *value, const char *key,
                       uint8_t ret_point[static KEY_POINT_SIZE])
{
    size_t len = 0;
    if (!json_is_string(value) ||
        crypto_base64_decode(view_n(json_string_value(value), json_string_length(value)), ret_point, KEY_POINT_SIZE,
                             &len) != ERR_OK ||
        len != KEY_POINT_SIZE || ret_point[0] != 4) {
        wrong(reading, key, "not a P-256 key");
    }
}

static void read_serials(struct reading *reading, const json_t *root, struct manifest *m)
{
    const json_t *serials = json_object_get(root, "serials");
    m->has_serials = !json_is_null(serials);
    if (!m->has_serials) {
        return;
    }
    if (!json_is_object(serials)) {
        wrong(reading, "serials", "neither an object nor null");
        return;
    }
    read_text(reading, serials, "prefix", m->serials.prefix, sizeof(m->serials.prefix));
    m->serials.first = read_number(reading, serials, "first", SERIAL_LAST_MAX);
    m->serials.last = read_number(reading, serials, "last", SERIAL_LAST_MAX);
    m->serials.width = (uint32_t)read_number(reading, serials, "width", WIDTH_MAX);
}

static void read_claim(struct reading *reading, const json_t *root, struct manifest *m)
{
    const json_t *claim = json_object_get(root, "claim");
    char hex[2 * SHA256_SIZE + 1] = "";
    read_text(reading, claim, "cn", m->claim_cn, sizeof(m->claim_cn));
    read_text(reading, claim, "sha256", hex, sizeof(hex));
    if (reading->err == ERR_OK && crypto_unhex(view_of(hex), m->claim_sha256, SHA256_SIZE) != ERR_OK) {
        wrong(reading, "claim", "sha256 is not a digest");
    }
}

static void read_stations(struct reading *reading, const json_t *root, struct manifest *m)
{
    const json_t *stations = json_object_get(root, "stations");
    size_t len = json_array_size(stations);
    if (len > MANIFEST_STATIONS_MAX) {
        wrong(reading, "stations", "too many");
        return;
    }
    for (m->stations_len = 0; m->stations_len < len; m->stations_len++) {
        read_point(reading, json_array_get(stations, m->stations_len), "stations", m->stations[m->stations_len]);
    }
}

static void read_members(struct reading *reading, const json_t *root, struct manifest *m)
{
    char type[16] = "";
    read_text(reading, root, "t", type, sizeof(type));
    if (read_number(reading, root, "v", UINT32_MAX) != VERSION || strcmp(type, "manifest") != 0) {
        wrong(reading, "v, t", "not a manifest of a version that this program reads");
    }
    read_text(reading, root, "batch", m->batch, sizeof(m->batch));
    read_text(reading, root, "model", m->model, sizeof(m->model));
    m->count = (uint32_t)read_number(reading, root, "count", UINT32_MAX);
    m->quota = (uint32_t)read_number(reading, root, "quota", UINT32_MAX);
    read_serials(reading, root, m);
    read_text(reading, root, "id", m->id, sizeof(m->id));
    read_claim(reading, root, m);
    m->from_ms = (int64_t)read_number(reading, root, "from", (uint64_t)WALL_MAX);
    m->to_ms = (int64_t)read_number(reading, root, "to", (uint64_t)WALL_MAX);
    m->activation_s = (uint32_t)read_number(reading, root, "activation_s", ACTIVATION_MAX_S);
    read_stations(reading, root, m);
    read_point(reading, json_object_get(root, "factory"), "factory", m->factory);
    m->made_ms = (int64_t)read_number(reading, root, "made", (uint64_t)WALL_MAX);
}

static struct view without_newline(struct view text)
{
    return view_ends_with(text, VIEW_LITERAL("\n")) ? view_n(text.ptr, text.len - 1) : text;
}

enum err manifest_read(struct view text, const uint8_t *factory, struct manifest *ret_manifest, struct errinfo *info)
{
    json_t *root = NULL;
    struct manifest manifest = {.count = 0};
    text = without_newline(text);
    enum err err = json_parse(text, MANIFEST_MAX, JSON_DEPTH, &root, info);
    if (err != ERR_OK) {
        return err;
    }
    struct reading reading = {.info = info};
    read_members(&reading, root, &manifest);
    json_decref(root);
    err = reading.err == ERR_OK ? manifest_check(&manifest, info) : reading.err;
    if (err == ERR_OK && factory != NULL && memcmp(factory, manifest.factory, KEY_POINT_SIZE) != 0) {
        err = errinfo_set(info, ERR_AUTH, "manifest", 0, "factory: signed by another factory key than the one given");
    }
    if (err == ERR_OK) {
        err = sealed_verify(text, manifest.factory, info);
    }
    if (err == ERR_OK) {
        *ret_manifest = manifest;
    }
    return err;
}

void manifest_digest(struct view text, uint8_t ret_digest[static SHA256_SIZE])
{
    crypto_sha256(without_newline(text), ret_digest);
}

/* ---- what it allows ---- */

bool manifest_has_serial(const struct manifest *manifest, struct view serial)
{
    const struct manifest_serials *range = &manifest->serials;
    struct view prefix = view_of(range->prefix);
    uint64_t number = 0;
    if (!ledger_serial_valid(serial) || !manifest->has_serials) {
        return ledger_serial_valid(serial);
    }
    if (!view_starts_with(serial, prefix) || serial.len != prefix.len + range->width) {
        return false;
    }
    for (size_t i = prefix.len; i < serial.len; i++) {
        if (serial.ptr[i] < '0' || serial.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(serial.ptr[i] - '0');
    }
    return number >= range->first && number <= range->last;
}

enum err manifest_serial_at(const struct manifest *manifest, uint64_t index,
                            char ret_serial[static LEDGER_SERIAL_MAX + 1])
{
    const struct manifest_serials *range = &manifest->serials;
    if (!manifest->has_serials) {
        return ERR_STATE;
    }
    if (index > range->last - range->first) {
        return ERR_RANGE;
    }
    int n = snprintf(ret_serial, LEDGER_SERIAL_MAX + 1, "%s%0*" PRIu64, range->prefix, (int)range->width,
                     range->first + index);
    return n > 0 && n <= LEDGER_SERIAL_MAX ? ERR_OK : ERR_RANGE;
}

enum err manifest_device_id(const struct manifest *manifest, struct view serial, char ret_id[static IDENTITY_MAX + 1])
{
    struct view before, after;
    if (!manifest_has_serial(manifest, serial) || !split_template(view_of(manifest->id), &before, &after) ||
        before.len + serial.len + after.len > IDENTITY_MAX) {
        return ERR_INVALID;
    }
    char *out = ret_id;
    memcpy(out, before.ptr, before.len);
    out += before.len;
    for (size_t i = 0; i < serial.len; i++) {
        char c = serial.ptr[i];
        *out++ = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '.' || c == '_' ? '-' : c;
    }
    memcpy(out, after.ptr, after.len);
    out[after.len] = '\0';
    return is_reserved(view_of(ret_id)) ? ERR_INVALID : ERR_OK;
}

bool manifest_has_station(const struct manifest *manifest, const uint8_t point[static KEY_POINT_SIZE])
{
    for (size_t i = 0; i < manifest->stations_len; i++) {
        if (memcmp(manifest->stations[i], point, KEY_POINT_SIZE) == 0) {
            return true;
        }
    }
    return false;
}
