/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/echobody.h"

#include <string.h>

#include "base/json.h"

#define JSON_DEPTH   8  /* ipinfo-like services nest three deep */
#define EXCERPT_SIZE 41 /* of a refused body, for people */
#define URL_MAX      2048

#define DYNDNS_HEAD "<html><head><title>Current IP Check</title></head><body>Current IP Address: "
#define DYNDNS_TAIL "</body></html>"

/* The front of a text from outside, printable. */
static const char *excerpt(struct view text, char buffer[static EXCERPT_SIZE])
{
    size_t len = MIN(text.len, (size_t)EXCERPT_SIZE - 1);
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        buffer[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    buffer[len] = '\0';
    return buffer;
}

static enum err refuse(struct errinfo *info, const char *what, struct view text)
{
    char front[EXCERPT_SIZE];
    return errinfo_set(info, ERR_PARSE, "echo", 0, "%s: \"%s\"", what, excerpt(text, front));
}

/* The whole of @p text as one address of the asked family. */
static enum err take_address(struct view text, uint8_t family, struct ip *ret_ip, struct errinfo *info)
{
    struct ip ip;
    if (ip_parse(text, &ip) != ERR_OK) {
        return refuse(info, "not exactly one address", text);
    }
    if (ip_unmap(ip).family != ip.family) {
        return refuse(info, "an IPv4-mapped address", text);
    }
    if (ip.family != family) {
        return refuse(info, "an address of the other family", text);
    }
    *ret_ip = ip;
    return ERR_OK;
}

struct trace {
    struct view ip, host, warp, gateway;
    unsigned ips, hosts, warps, gateways;
};

static bool trace_line(struct trace *trace, struct view line)
{
    const struct {
        const char *key;
        struct view *value;
        unsigned *count;
    } keys[] = {
        {"ip", &trace->ip, &trace->ips},
        {"h", &trace->host, &trace->hosts},
        {"warp", &trace->warp, &trace->warps},
        {"gateway", &trace->gateway, &trace->gateways},
    };
    struct view value = view_trim(line), key;
    if (memchr(value.ptr, '=', value.len) == NULL) {
        return false;
    }
    (void)view_next(&value, '=', &key); /* there is one */
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (view_equals(key, keys[i].key)) {
            *keys[i].value = value;
            ++*keys[i].count;
        }
    }
    return true;
}

static enum err parse_trace(struct view host, uint8_t family, struct view body, struct ip *ret_ip, struct errinfo *info)
{
    struct trace trace = {0};
    struct view line;
    while (view_next(&body, '\n', &line)) {
        if (!trace_line(&trace, line)) {
            return refuse(info, "no trace, a line without \"=\"", line);
        }
    }
    if (trace.ips != 1 || trace.hosts != 1 || trace.warps != 1 || trace.gateways > 1) {
        return errinfo_set(info, ERR_PARSE, "echo", 0, "no trace: ip, h and warp are needed, each once");
    }
    if (!view_equal_nocase(trace.host, host)) {
        return refuse(info, "the trace of another host", trace.host);
    }
    if (!view_equals(trace.warp, "off") || (trace.gateways == 1 && !view_equals(trace.gateway, "off"))) {
        return errinfo_set(info, ERR_PARSE, "echo", 0,
                           "through Cloudflare's tunnel (warp or gateway), whose address it is");
    }
    return take_address(trace.ip, family, ret_ip, info);
}

static enum err parse_json(const char *field, uint8_t family, struct view body, struct ip *ret_ip, struct errinfo *info)
{
    json_t *json CLEANUP(json_decref_p) = NULL;
    enum err err = json_parse(body, ECHO_BODY_MAX, JSON_DEPTH, &json, NULL);
    if (err != ERR_OK) {
        return err == ERR_NOMEM ? err : refuse(info, "no JSON", body);
    }
    const json_t *value = json_object_get(json, field); /* NULL where it is no object */
    if (!json_is_string(value)) {
        return errinfo_set(info, ERR_PARSE, "echo", 0, "the JSON has no text \"%s\"", field);
    }
    return take_address(view_n(json_string_value(value), json_string_length(value)), family, ret_ip, info);
}

static enum err parse_dyndns(uint8_t family, struct view body, struct ip *ret_ip, struct errinfo *info)
{
    const struct view head = VIEW_LITERAL(DYNDNS_HEAD), tail = VIEW_LITERAL(DYNDNS_TAIL);
    if (body.len < head.len + tail.len || !view_starts_with(body, head) || !view_ends_with(body, tail)) {
        return refuse(info, "not the page of checkip.dyndns.com", body);
    }
    return take_address(view_n(body.ptr + head.len, body.len - head.len - tail.len), family, ret_ip, info);
}

enum err echo_body_parse(const struct echo_format *format, struct view host, uint8_t family, struct view body,
                         struct ip *ret_ip, struct errinfo *info)
{
    struct view trimmed = view_trim(body);
    if (body.len > ECHO_BODY_MAX) {
        return errinfo_set(info, ERR_LIMIT, "echo", 0, "a body of more than %d bytes", ECHO_BODY_MAX);
    }
    if (trimmed.len == 0) {
        return errinfo_set(info, ERR_PARSE, "echo", 0, "an empty body");
    }
    switch (format->form) {
    case ECHO_TRACE:
        return parse_trace(host, family, trimmed, ret_ip, info);
    case ECHO_JSON:
        return parse_json(format->field, family, trimmed, ret_ip, info);
    case ECHO_DYNDNS:
        return parse_dyndns(family, trimmed, ret_ip, info);
    default:
        return take_address(trimmed, family, ret_ip, info);
    }
}

enum err echo_format_parse(struct view text, struct echo_format *ret_format, struct errinfo *info)
{
    static const struct view json = VIEW_LITERAL("json:");
    struct echo_format format = {.form = ECHO_TEXT};
    if (view_equals(text, "trace")) {
        format.form = ECHO_TRACE;
    } else if (view_equals(text, "dyndns")) {
        format.form = ECHO_DYNDNS;
    } else if (view_starts_with(text, json) && text.len > json.len) {
        format.form = ECHO_JSON;
        if (view_copy(view_n(text.ptr + json.len, text.len - json.len), format.field, sizeof(format.field)) != ERR_OK) {
            return errinfo_set(info, ERR_INVALID, "echo", 0, "format: a field's name has at most %d bytes",
                               ECHO_FIELD_SIZE - 1);
        }
    } else if (text.len > 0 && !view_equals(text, "text")) {
        return errinfo_set(info, ERR_INVALID, "echo", 0, "format: text, trace, json:<field> or dyndns");
    }
    *ret_format = format;
    return ERR_OK;
}

static bool is_url_text(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

/* The part between the scheme and the path, query or fragment. */
static struct view authority_of(struct view rest)
{
    size_t len = 0;
    while (len < rest.len && memchr("/?#\\", rest.ptr[len], 4) == NULL) {
        len++;
    }
    return view_n(rest.ptr, len);
}

static struct view host_of(struct view authority)
{
    const char *end = NULL;
    if (authority.len > 0 && authority.ptr[0] == '[') {
        end = memchr(authority.ptr, ']', authority.len);
        return end != NULL ? view_n(authority.ptr + 1, (size_t)(end - authority.ptr) - 1) : (struct view){0};
    }
    end = authority.len > 0 ? memchr(authority.ptr, ':', authority.len) : NULL;
    return end != NULL ? view_n(authority.ptr, (size_t)(end - authority.ptr)) : authority;
}

enum err echo_url_host(struct view url, char host[static ECHO_HOST_SIZE], struct errinfo *info)
{
    static const struct view schemes[] = {VIEW_LITERAL("https://"), VIEW_LITERAL("http://")};
    if (url.len > URL_MAX) {
        return errinfo_set(info, ERR_LIMIT, "echo", 0, "url: more than %d bytes", URL_MAX);
    }
    for (size_t i = 0; is_url_text(url) && i < ARRAY_LEN(schemes); i++) {
        if (!view_starts_with(url, schemes[i])) {
            continue;
        }
        struct view authority = authority_of(view_n(url.ptr + schemes[i].len, url.len - schemes[i].len));
        struct view found = host_of(authority);
        bool user = authority.len > 0 && memchr(authority.ptr, '@', authority.len) != NULL;
        if (!user && found.len > 0 && view_copy(found, host, ECHO_HOST_SIZE) == ERR_OK) {
            return ERR_OK;
        }
    }
    return errinfo_set(info, ERR_INVALID, "echo", 0, "url: https://HOST/..., or http://HOST/... without TLS");
}
