/* SPDX-License-Identifier: Apache-2.0 */
/* template_match: one reply held against the rules of a template. Pure; takes bytes of any content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "providers/template_internal.h"

enum { VALUE_MAX = 1024 /* bytes of a value of JSON or XML that is looked at */ };

/** Cuts the body into lines that are not empty. */
static size_t split_lines(struct view body, struct view lines[static TEMPLATE_HOSTS_MAX + 1])
{
    size_t len = 0;
    struct view line;
    while (len <= TEMPLATE_HOSTS_MAX && view_next(&body, '\n', &line)) {
        line = view_trim(line);
        if (line.len > 0) {
            lines[len++] = line;
        }
    }
    return len;
}

void template_reading_init(struct template_reading *reading, const struct template *template,
                           const struct provider_reply *reply)
{
    static const struct view mark = VIEW_LITERAL("\xef\xbb\xbf"); /* Unicode's byte order mark: no part of the text */
    struct view body = reply->body;
    body = view_starts_with(body, mark) ? view_n(body.ptr + mark.len, body.len - mark.len) : body;
    *reading = (struct template_reading){.template = template,
                                         .status = reply->status,
                                         .body = view_trim(body),
                                         .retry_after_ms = reply->retry_after_ms};
    reading->lines_len = split_lines(reading->body, reading->lines);
}

void template_reading_deinit(struct template_reading *reading)
{
    json_decref(reading->json);
}

const json_t *template_reading_json(struct template_reading *reading)
{
    if (!reading->json_read) {
        reading->json_read = true;
        if (json_parse(reading->body, PROVIDER_HTTP_BODY_MAX, TEMPLATE_JSON_DEPTH_MAX, &reading->json, NULL) !=
            ERR_OK) {
            reading->json = NULL;
        }
    }
    return reading->json;
}

/* ---- values ---- */

/** One step of a pointer, with ~1 and ~0 resolved. */
static bool unescape(struct view step, char *buffer, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < step.len; i++) {
        char c = step.ptr[i];
        if (c == '~' && i + 1 < step.len) {
            c = step.ptr[++i] == '1' ? '/' : '~';
        }
        if (len + 1 >= size) {
            return false;
        }
        buffer[len++] = c;
    }
    buffer[len] = '\0';
    return true;
}

const json_t *template_json_at(const json_t *json, const char *pointer)
{
    struct view rest = view_of(pointer), step;
    char key[256];
    if (rest.len == 0) {
        return json;
    }
    rest = view_n(rest.ptr + 1, rest.len - 1);
    bool last = rest.len == 0; /* "/" is the key "" */
    while (json != NULL && (view_next(&rest, '/', &step) || last)) {
        uint64_t index = 0;
        step = last ? (struct view){0} : step;
        last = false;
        if (json_is_array(json)) {
            json = view_to_u64(step, SIZE_MAX, &index) == ERR_OK ? json_array_get(json, (size_t)index) : NULL;
        } else {
            json = unescape(step, key, sizeof(key)) ? json_object_get(json, key) : NULL;
        }
    }
    return json;
}

bool template_json_text(const json_t *json, char *buffer, size_t size)
{
    int len = -1;
    if (json_is_string(json)) {
        struct view text = view_n(json_string_value(json), json_string_length(json));
        return view_copy(text, buffer, size) == ERR_OK;
    }
    if (json_is_integer(json)) {
        len = snprintf(buffer, size, "%lld", (long long)json_integer_value(json));
    } else if (json_is_real(json)) {
        len = snprintf(buffer, size, "%.17g", json_real_value(json));
    } else if (json_is_boolean(json)) {
        len = snprintf(buffer, size, "%s", json_is_true(json) ? "true" : "false");
    }
    return len >= 0 && (size_t)len < size;
}

/** The five entities that XML knows without a DTD. */
static void unescape_xml(char *text)
{
    static const struct {
        const char *entity;
        char c;
    } entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}};
    char *out = text;
    while (*text != '\0') {
        char c = *text;
        size_t len = 1;
        for (size_t i = 0; c == '&' && i < ARRAY_LEN(entities); i++) {
            if (strncmp(text, entities[i].entity, strlen(entities[i].entity)) == 0) {
                c = entities[i].c;
                len = strlen(entities[i].entity);
                break;
            }
        }
        *out++ = c;
        text += len;
    }
    *out = '\0';
}

/* Not by base/xml: Namecheap says that its UTF-8 is UTF-16, and others put text around the document; all that is wanted
 * is one value out of a reply that no rule trusts further. */
bool template_xml_text(struct view xml, const char *element, char *buffer, size_t size)
{
    char open[72], close[72];
    size_t open_len = (size_t)snprintf(open, sizeof(open), "<%s", element); /* both fit: a name has 64 bytes */
    size_t close_len = (size_t)snprintf(close, sizeof(close), "</%s", element);
    const char *at = xml.ptr, *end = xml.ptr + xml.len;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), open, open_len)) != NULL) {
        at += open_len;
        if (at == end || strchr(" \t\r\n/>", *at) == NULL || *at == '\0') {
            continue; /* a longer name */
        }
        const char *text = memchr(at, '>', (size_t)(end - at));
        if (text == NULL) {
            return false;
        }
        text++;
        const char *stop = text[-2] == '/' ? text : memmem(text, (size_t)(end - text), close, close_len);
        if (stop == NULL || view_copy(view_trim(view_n(text, (size_t)(stop - text))), buffer, size) != ERR_OK) {
            return false;
        }
        unescape_xml(buffer);
        return true;
    }
    return false;
}

/* ---- one rule ---- */

/** What a rule's `address` stands for, once it matched. */
struct echo_text {
    char text[VALUE_MAX];
    bool set;
};

static bool matches(const regex_t *regex, struct view text, uint32_t group, struct echo_text *echo)
{
    char buffer[TEMPLATE_MATCH_MAX];
    regmatch_t groups[TEMPLATE_GROUPS_MAX + 1];
    if (view_copy(text, buffer, sizeof(buffer)) != ERR_OK) {
        return false;
    }
    if (regexec(regex, buffer, group != 0 ? ARRAY_LEN(groups) : 0, groups, 0) != 0) {
        return false;
    }
    if (group != 0 && group < TEMPLATE_GROUPS_MAX && groups[group + 1].rm_so >= 0) { /* group 1 is the anchors' */
        regmatch_t found = groups[group + 1];
        struct view part = view_n(buffer + found.rm_so, (size_t)(found.rm_eo - found.rm_so));
        echo->set = view_copy(part, echo->text, sizeof(echo->text)) == ERR_OK;
    }
    return true;
}

static bool status_holds(const struct template_rule *rule, long status)
{
    char text[8];
    (void)snprintf(text, sizeof(text), "%ld", status % 1000); /* fits */
    for (size_t i = 0; i < rule->status.len; i++) {
        const char *want = rule->status.items[i];
        if (want[0] == text[0] && (want[1] == 'x' || strcmp(want, text) == 0)) {
            return true;
        }
    }
    bool good = rule->then == TEMPLATE_APPLIED || rule->then == TEMPLATE_UNCHANGED;
    return rule->status.len == 0 && (!good || (status >= 200 && status < 300));
}

static bool line_holds(const struct template_rule *rule, const struct template_reading *reading,
                       const struct view *line, struct echo_text *echo)
{
    if (rule->line_regex == NULL) {
        return true;
    }
    if (reading->template->config.reply.lines == TEMPLATE_LINES_HOSTS) {
        return line != NULL && matches(rule->line_regex, *line, rule->address, echo);
    }
    for (size_t i = 0; i < reading->lines_len; i++) {
        if (matches(rule->line_regex, reading->lines[i], rule->address, echo)) {
            return true;
        }
    }
    return false;
}

static bool value_holds(const struct template_rule *rule, struct template_reading *reading, struct echo_text *echo)
{
    char text[VALUE_MAX] = "";
    bool is_text;
    if (rule->json.text != NULL) {
        const json_t *json = template_json_at(template_reading_json(reading), rule->json.text);
        if (json == NULL || json_is_null(json)) {
            return false;
        }
        is_text = template_json_text(json, text, sizeof(text));
    } else if (rule->xml.text != NULL) {
        is_text = template_xml_text(reading->body, rule->xml.text, text, sizeof(text));
        if (!is_text) {
            return false;
        }
    } else {
        return true;
    }
    if (rule->equals.text != NULL) {
        return is_text && strcmp(rule->equals.text, text) == 0;
    }
    return rule->matches_regex == NULL || (is_text && matches(rule->matches_regex, view_of(text), rule->address, echo));
}

static bool rule_holds(const struct template_rule *rule, struct template_reading *reading, const struct view *line,
                       struct echo_text *echo)
{
    return status_holds(rule, reading->status) && line_holds(rule, reading, line, echo) &&
           (rule->body_regex == NULL || matches(rule->body_regex, reading->body, rule->address, echo)) &&
           value_holds(rule, reading, echo);
}

/* ---- addresses that the service gives back ---- */

enum echo { ECHO_NONE, ECHO_SAME, ECHO_LOOPBACK, ECHO_OTHER };

/** One address, or one of each family with a comma or blank between. */
static enum echo compare_echo(struct view rest, const struct batch_item *item)
{
    enum echo found = ECHO_NONE;
    size_t start = 0;
    for (size_t i = 0; rest.len > 0 && i <= rest.len; i++) {
        if (i < rest.len && strchr(", \t", rest.ptr[i]) == NULL) {
            continue;
        }
        struct ip ip;
        struct view word = view_n(rest.ptr + start, i - start);
        start = i + 1;
        if (word.len == 0) {
            continue;
        }
        if (ip_parse(word, &ip) != ERR_OK) {
            return ECHO_OTHER;
        }
        if (item->want.len == 0 || ip_equal(&ip, &item->want.ips[0])) {
            return ECHO_SAME;
        }
        bool loopback = ip.family == IP_V4 && memcmp(ip.bytes, (uint8_t[4]){127, 0, 0, 1}, 4) == 0;
        found = loopback ? ECHO_LOOPBACK : ECHO_OTHER;
    }
    return found;
}

static bool tells_success(enum template_then then)
{
    return then == TEMPLATE_APPLIED || then == TEMPLATE_UNCHANGED;
}

/** One line by the dyndns2 protocol. "good 127.0.0.1" is Dyn's way to say that the agent was ignored. */
static const struct template_code *read_dyndns2(struct view line, const struct batch_item *item, uint64_t *ret_wait_ms)
{
    struct view rest = line, word;
    const struct template_code *code = view_next(&rest, ' ', &word) ? template_dyndns2_code(word, ret_wait_ms) : NULL;
    if (code == NULL || !tells_success(code->then)) {
        return code;
    }
    switch (compare_echo(view_trim(rest), item)) {
    case ECHO_LOOPBACK:
        return template_dyndns2_code(VIEW_LITERAL("badagent"), ret_wait_ms);
    case ECHO_OTHER:
        return NULL;
    case ECHO_NONE:
    case ECHO_SAME:
        break;
    }
    return code;
}

static const struct template_code *find_base(const struct template_reading *reading, const struct view *line,
                                             const struct batch_item *item, uint64_t *ret_wait_ms)
{
    enum template_base base = (enum template_base)reading->template->config.reply.base;
    const struct template_code *code = NULL;
    *ret_wait_ms = 0;
    if (reading->status != 200) {
        return reading->status >= 300 ? template_status_code(base, reading->status) : &template_unknown;
    }
    if (base == TEMPLATE_BASE_DYNDNS2 && line != NULL) {
        code = read_dyndns2(*line, item, ret_wait_ms);
    }
    return code != NULL ? code : &template_unknown;
}

/** A page for people in place of an answer: a portal or a proxy spoke. Believed only by a rule that looks at it. */
static bool is_page_unread(const struct template_rule *rule, const struct template_reading *reading)
{
    bool reads =
        rule->line_regex != NULL || rule->body_regex != NULL || rule->json.text != NULL || rule->xml.text != NULL;
    return !reads && reading->body.len > 0 && reading->body.ptr[0] == '<';
}

const struct template_code *template_find(struct template_reading *reading, const struct view *line,
                                          const struct batch_item *item, uint64_t *ret_wait_ms)
{
    const struct template_rule *rules = reading->template->config.reply.rules.items;
    for (size_t i = 0; i < reading->template->config.reply.rules.len; i++) {
        struct echo_text echo = {.set = false};
        if (!rule_holds(&rules[i], reading, line, &echo)) {
            continue;
        }
        enum echo same = echo.set ? compare_echo(view_trim(view_of(echo.text)), item) : ECHO_NONE;
        bool told = tells_success(rules[i].found.then);
        *ret_wait_ms = rules[i].found.wait_ms;
        bool doubtful = same == ECHO_OTHER || same == ECHO_LOOPBACK || is_page_unread(&rules[i], reading);
        return told && doubtful ? &template_unknown : &rules[i].found;
    }
    return find_base(reading, line, item, ret_wait_ms);
}
