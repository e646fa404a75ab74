/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/dnsname.h"
#include "base/hostport.h"
#include "base/ip.h"
#include "base/suggest.h"
#include "base/units.h"

/* One scalar on its way into a struct. */
struct value {
    struct config_fill *fill;
    const struct config_row *row;
    const struct config_node *node;
    const struct config_path *path;
};

#define COMPLAIN(value, ...) config_complain((value)->fill->errors, &(value)->node->at, (value)->path, __VA_ARGS__)

bool config_node_is_null(const struct config_node *node)
{
    return node->kind == CONFIG_NODE_SCALAR && node->plain &&
           (node->text.len == 0 || view_equals(node->text, "~") || view_equals(node->text, "null"));
}

/* No C0, DEL or C1 controls, no separators or marks that YAML folds or drops (U+2028, U+2029, U+FEFF) and none of the
 * noncharacters that it refuses: what is left survives a dump and is fit for a log line or a header. */
static bool is_text(struct view text, bool lines)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char a = (unsigned char)text.ptr[i];
        unsigned char b = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
        unsigned char c = i + 2 < text.len ? (unsigned char)text.ptr[i + 2] : 0;
        bool line_end = lines && (a == '\n' || a == '\r');
        bool control = (a < 0x20 && !line_end) || a == 0x7f || (a == 0xc2 && b < 0xa0);
        bool separator = a == 0xe2 && b == 0x80 && (c == 0xa8 || c == 0xa9);
        bool mark = a == 0xef && ((b == 0xbb && c == 0xbf) || (b == 0xbf && c >= 0xbe));
        if (control || separator || mark) {
            return false;
        }
    }
    return view_is_utf8(text);
}

static void store_bool(const struct value *value, void *field)
{
    struct view text = value->node->text;
    bool yes = view_equals(text, "true");
    if (!value->node->plain || (!yes && !view_equals(text, "false"))) {
        char shown[CONFIG_SHOWN_SIZE];
        COMPLAIN(value, "`%s` is not a boolean; write true or false", config_shown(text, shown));
        return;
    }
    *(bool *)field = yes;
}

static void complain_range(const struct value *value, uint64_t max)
{
    char shown[CONFIG_SHOWN_SIZE];
    char low[UNITS_TEXT_SIZE];
    char high[UNITS_TEXT_SIZE];
    uint64_t min = value->row->min;
    const char *unit = value->row->unit != NULL ? value->row->unit : "";
    config_shown(value->node->text, shown);
    if (value->row->type == CONFIG_DURATION) {
        COMPLAIN(value, "%s is out of range; allowed are %s to %s", shown, units_format_duration(min, low),
                 units_format_duration(max, high));
    } else if (value->row->type == CONFIG_SIZE) {
        COMPLAIN(value, "%s is out of range; allowed are %s to %s", shown, units_format_size(min, low),
                 units_format_size(max, high));
    } else {
        COMPLAIN(value, "%s is out of range; allowed are %" PRIu64 " to %" PRIu64 "%s%s", shown, min, max,
                 *unit != '\0' ? " " : "", unit);
    }
}

static const char *number_wanted(enum config_type type, bool bare)
{
    switch (type) {
    case CONFIG_DURATION:
        return bare ? "has no unit; write a duration such as 250ms, 60s, 15m, 1h or 25d"
                    : "is not a duration; write a number and a unit, such as 250ms, 60s, 15m, 1h or 25d";
    case CONFIG_SIZE:
        return "is not a size; write a number of bytes or one with a unit, such as 64KiB, 1MiB or 2GiB";
    default:
        return "is not a number; write digits only, without quotes, sign, unit or leading zeros";
    }
}

static void store_number(const struct value *value, void *field)
{
    enum config_type type = value->row->type;
    struct view text = value->node->text;
    uint64_t type_max = type == CONFIG_U32 ? UINT32_MAX : UINT64_MAX;
    uint64_t max = value->row->max != 0 ? value->row->max : type_max;
    uint64_t bare = 0;
    uint64_t number = 0;
    enum err bare_err = view_to_u64(text, UINT64_MAX, &bare);
    enum err err = type == CONFIG_DURATION ? units_parse_duration(text, &number)
                   : type == CONFIG_SIZE   ? units_parse_size(text, &number)
                   : value->node->plain    ? view_to_u64(text, type_max, &number)
                                           : ERR_PARSE;
    if (err == ERR_PARSE) {
        char shown[CONFIG_SHOWN_SIZE];
        COMPLAIN(value, "`%s` %s", config_shown(text, shown), number_wanted(type, bare_err != ERR_PARSE));
    } else if (err != ERR_OK || number < value->row->min || number > max) {
        complain_range(value, max);
    } else if (type == CONFIG_U32) {
        *(uint32_t *)field = (uint32_t)number;
    } else {
        *(uint64_t *)field = number;
    }
}

static void store_choice(const struct value *value, void *field)
{
    struct suggest suggest;
    suggest_init(&suggest, value->node->text);
    char list[400];
    size_t used = 0;
    for (int i = 0; value->row->choices[i] != NULL; i++) {
        const char *choice = value->row->choices[i];
        if (view_equals(value->node->text, choice)) {
            *(int *)field = i;
            return;
        }
        suggest_offer(&suggest, choice);
        size_t len = strlen(choice);
        if (used + len + 3 < sizeof(list)) {
            memcpy(list + used, ", ", used > 0 ? 2 : 0);
            used += used > 0 ? 2 : 0;
            memcpy(list + used, choice, len);
            used += len;
        }
    }
    char shown[CONFIG_SHOWN_SIZE];
    config_shown(value->node->text, shown);
    if (suggest.best != NULL) {
        COMPLAIN(value, "`%s` is not a choice; did you mean `%s`?", shown, suggest.best);
    } else {
        COMPLAIN(value, "`%s` is not a choice; allowed are %.*s", shown, (int)used, list);
    }
}

static void store_address(const struct value *value, void *field)
{
    struct ip ip;
    if (ip_parse(value->node->text, &ip) != ERR_OK) {
        char shown[CONFIG_SHOWN_SIZE];
        COMPLAIN(value, "`%s` is not an IP address; write one such as 192.0.2.1 or 2001:db8::1",
                 config_shown(value->node->text, shown));
        return;
    }
    *(struct ip *)field = ip;
}

static const char *copy(struct config_fill *fill, struct view text)
{
    const char *stored = arena_strdup(fill->arena, text);
    if (stored == NULL) {
        config_errors_fail(fill->errors, ERR_NOMEM);
    }
    return stored;
}

/* Path, endpoint and name: what a plain text must be besides. @p ret_text: what to store. @return false when it was
 * reported. */
static bool check_shape(const struct value *value, char name[static DNSNAME_SIZE], struct view *ret_text)
{
    struct view text = value->node->text;
    char shown[CONFIG_SHOWN_SIZE];
    struct errinfo info = {0};
    struct view host;
    uint16_t port;
    config_shown(text, shown);
    *ret_text = text;
    if (value->row->type == CONFIG_PATH && (text.len == 0 || text.ptr[0] != '/')) {
        COMPLAIN(value, "`%s` is not an absolute path; start it with /", shown);
        return false;
    }
    if (value->row->type == CONFIG_HOSTPORT && hostport_parse(text, &host, &port, &info) != ERR_OK) {
        COMPLAIN(value, "`%s`: %s", shown, info.text);
        return false;
    }
    if (value->row->type == CONFIG_NAME) {
        if (dnsname_parse(text, DNSNAME_RECORD, name, &info) != ERR_OK) {
            COMPLAIN(value, "`%s` is not a DNS name: %s", shown, info.text);
            return false;
        }
        *ret_text = view_of(name);
    }
    return true;
}

/* Length, characters, and the row's own check. @return false when it was reported. */
static bool check_text(const struct value *value, uint64_t min_len, uint64_t max_len)
{
    struct view text = value->node->text;
    if (text.len < min_len || text.len > max_len) {
        COMPLAIN(value, "is %zu bytes long; allowed are %" PRIu64 " to %" PRIu64, text.len, min_len, max_len);
        return false;
    }
    if (!is_text(text, (value->row->flags & CONFIG_LINES) != 0)) {
        COMPLAIN(value, "holds a control character; remove it");
        return false;
    }
    return true;
}

static bool run_check(const struct value *value)
{
    struct errinfo info = {0};
    enum err err = value->row->check != NULL ? value->row->check(value->node->text, &info) : ERR_OK;
    if (err == ERR_NOMEM) {
        config_errors_fail(value->fill->errors, err);
    }
    if (err == ERR_OK || err == ERR_NOMEM) {
        return err == ERR_OK;
    }
    char shown[CONFIG_SHOWN_SIZE];
    COMPLAIN(value, "`%s`: %s", config_shown(value->node->text, shown),
             info.text[0] != '\0' ? info.text : err_text(ERR_INVALID));
    return false;
}

static void store_text(const struct value *value, void *field)
{
    const struct config_row *row = value->row;
    uint64_t max = row->max != 0 ? row->max : row->type == CONFIG_PATH ? PATH_MAX - 1 : CONFIG_STRING_MAX;
    char name[DNSNAME_SIZE];
    if (!check_text(value, row->min, max)) {
        return;
    }
    struct view text;
    if (check_shape(value, name, &text) && run_check(value)) {
        *(const char **)field = copy(value->fill, text);
        if ((row->flags & CONFIG_PLACED) != 0) {
            ((struct config_text *)field)->position = value->node->at;
        }
    }
}

void config_store_scalar(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                         const struct config_path *path, void *field)
{
    struct value value = {.fill = fill, .row = row, .node = node, .path = path};
    if (node->kind != CONFIG_NODE_SCALAR || config_node_is_null(node)) {
        COMPLAIN(&value, node->kind == CONFIG_NODE_SCALAR ? "has no value; write one or remove the key"
                                                          : "a single value is expected here");
        return;
    }
    size_t before = config_errors_count(fill->errors);
    switch (row->type) {
    case CONFIG_BOOL:
        store_bool(&value, field);
        break;
    case CONFIG_U32:
    case CONFIG_U64:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        store_number(&value, field);
        break;
    case CONFIG_ENUM:
        store_choice(&value, field);
        break;
    case CONFIG_ADDRESS:
        store_address(&value, field);
        break;
    default:
        store_text(&value, field);
        return; /* has run the row's check */
    }
    if (config_errors_count(fill->errors) == before) {
        (void)run_check(&value); /* reported in there */
    }
}

const char *config_copy_text(struct config_fill *fill, const struct config_row *row, const struct config_node *node,
                             const struct config_path *path, uint64_t max_len)
{
    struct value value = {.fill = fill, .row = row, .node = node, .path = path};
    if (node->kind == CONFIG_NODE_BROKEN) {
        return NULL;
    }
    if (node->kind != CONFIG_NODE_SCALAR || config_node_is_null(node)) {
        COMPLAIN(&value, "a single value is expected here");
        return NULL;
    }
    if (!check_text(&value, 0, max_len) || !run_check(&value)) {
        return NULL;
    }
    return copy(fill, node->text);
}
