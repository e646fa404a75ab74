/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/status.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define STATUS_JSON_MAX   65536
#define STATUS_JSON_DEPTH 8

/* Appends below are sticky: the buffer is asked once, at the end of agent_status_json. */

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    (void)strbuf_addf(out, "\"%s\":", key);
    (void)strbuf_add_json(out, view_of(text));
}

static void add_ip(struct strbuf *out, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    (void)ip_format(ip, text); /* the length is not needed */
    (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text);
}

static void add_field(struct strbuf *out, const char *key, const struct address_field *field)
{
    if (field->presence == FIELD_SET) {
        add_ip(out, key, &field->ip);
    } else if (field->presence == FIELD_NULL) {
        (void)strbuf_addf(out, ",\"%s\":null", key);
    }
}

static uint64_t seconds(uint64_t from_ms, uint64_t to_ms)
{
    return to_ms > from_ms ? (to_ms - from_ms) / 1000 : 0;
}

/* A moment of the monotonic clock as wall time; left out while no clock is set or when it never came. */
static void add_moment(struct strbuf *out, const char *key, const struct agent_status *status, uint64_t mono_ms)
{
    if (status->wall_ms != 0 && mono_ms != 0) {
        char text[CLOCK_RFC3339_SIZE];
        clock_rfc3339(status->wall_ms - (int64_t)(status->now_ms - mono_ms), text);
        (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text);
    }
}

static void add_seconds(struct strbuf *out, const char *key, uint32_t seconds)
{
    if (seconds != 0) {
        (void)strbuf_addf(out, ",\"%s\":%" PRIu32, key, seconds);
    }
}

/* As in the state itself. */
static void add_further(struct strbuf *out, const struct address_set *set, uint64_t now_ms)
{
    struct state_message told = {.on = true};
    address_set_tell_prefixes(set, now_ms, &told);
    add_seconds(out, "prefix6_preferred", told.prefix6_life.preferred_s);
    add_seconds(out, "prefix6_valid", told.prefix6_life.valid_s);
    (void)strbuf_adds(out, ",\"prefix6_also\":[");
    for (size_t i = 0; i < told.prefix6_also_len; i++) {
        char text[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&told.prefix6_also[i].prefix, text);
        (void)strbuf_addf(out, "%s{\"prefix\":\"%s\"", i > 0 ? "," : "", text);
        add_seconds(out, "preferred", told.prefix6_also[i].life.preferred_s);
        add_seconds(out, "valid", told.prefix6_also[i].life.valid_s);
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_addc(out, ']');
}

/* What detection adds to an uplink; what is unknown is left out, as in the state itself. */
static void add_seen(struct strbuf *out, const struct uplink *uplink)
{
    if (uplink->has_metric) {
        (void)strbuf_addf(out, ",\"metric\":%" PRIu32, uplink->metric);
    }
    if (uplink->seen4.family != IP_NONE) {
        add_ip(out, "seen4", &uplink->seen4);
    }
    if (uplink->seen6.family != IP_NONE) {
        add_ip(out, "seen6", &uplink->seen6);
    }
    if (uplink->nat != NAT_UNKNOWN) {
        (void)strbuf_addc(out, ',');
        add_text(out, "nat", nat_class_name(uplink->nat));
    }
}

static void add_addresses(struct strbuf *out, const char *source, const struct address_set *set, uint64_t now_ms)
{
    (void)strbuf_adds(out, ",\"addresses\":{");
    add_text(out, "source", source);
    add_field(out, "ip4", &set->ip4);
    add_field(out, "ip6", &set->ip6);
    if (set->has_prefix6) {
        char text[IP_PREFIX_TEXT_SIZE];
        (void)ip_prefix_format(&set->prefix6, text);
        (void)strbuf_addf(out, ",\"prefix6\":\"%s\"", text);
        add_further(out, set, now_ms);
    } else if (set->prefix6_gone) {
        (void)strbuf_adds(out, ",\"prefix6\":null");
    }
    (void)strbuf_adds(out, ",\"uplinks\":[");
    for (size_t i = 0; i < set->uplinks_len; i++) {
        (void)strbuf_adds(out, i > 0 ? ",{" : "{");
        add_text(out, "name", set->uplinks[i].name);
        (void)strbuf_addf(out, ",\"up\":%s", set->uplinks[i].up ? "true" : "false");
        add_field(out, "ip4", &set->uplinks[i].ip4);
        add_field(out, "ip6", &set->uplinks[i].ip6);
        add_seen(out, &set->uplinks[i]);
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_adds(out, "]}");
}

static void add_report(struct strbuf *out, const struct agent_status *status)
{
    const struct report *report = status->report;
    (void)strbuf_adds(out, ",\"report\":{");
    add_text(out, "state", report_state_text(report->state));
    (void)strbuf_addf(out, ",\"boot\":%" PRIu32 ",\"conn\":%" PRIu32 ",\"seq\":%" PRIu32 ",\"boot_stored\":%s",
                      report->boot, report->conn, report->seq, status->boot_stored ? "true" : "false");
    add_moment(out, "sent", status, report->sent_ms);
    add_moment(out, "acknowledged", status, report->acked_ms);
    uint64_t next = report_deadline(report);
    if (next != REPORT_NEVER) {
        (void)strbuf_addf(out, ",\"next_s\":%" PRIu64, seconds(status->now_ms, next));
    }
    (void)strbuf_addc(out, '}');
}

static void add_dns(struct strbuf *out, const struct agent_status *status)
{
    const struct dns_message *dns = status->dns;
    if (dns == NULL) {
        return;
    }
    (void)strbuf_adds(out, ",\"dns\":{");
    add_text(out, "error", dns->error);
    add_moment(out, "at", status, status->dns_ms);
    if (dns->observed.family != IP_NONE) {
        add_ip(out, "observed", &dns->observed);
    }
    (void)strbuf_adds(out, ",\"names\":[");
    for (size_t i = 0; i < dns->names_len; i++) {
        const struct name_status *name = &dns->names[i];
        (void)strbuf_adds(out, i > 0 ? ",{" : "{");
        add_text(out, "name", name->name);
        (void)strbuf_addc(out, ',');
        add_text(out, "type", name->type);
        (void)strbuf_addc(out, ',');
        add_text(out, "value", name->value);
        (void)strbuf_addf(out, ",\"ttl\":%" PRIu32 ",", name->ttl);
        add_text(out, "state", name_state_text(name->state));
        (void)strbuf_addc(out, ',');
        add_text(out, "error", name->error);
        (void)strbuf_addc(out, '}');
    }
    (void)strbuf_adds(out, "]}");
}

static void add_wall(struct strbuf *out, const char *key, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(wall_ms, text);
    (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text);
}

static void add_identity(struct strbuf *out, const struct status_identity *identity)
{
    if (identity == NULL) {
        return;
    }
    (void)strbuf_addf(out, ",\"identity\":{\"version\":%" PRIu32 ",\"trial\":%s", identity->version,
                      identity->on_trial ? "true" : "false");
    add_wall(out, "expires", identity->not_after_ms);
    add_wall(out, "renewal", identity->renew_ms);
    (void)strbuf_addc(out, ',');
    add_text(out, "error", identity->error);
    (void)strbuf_addc(out, '}');
}

enum err enrolment_status_json(const struct enrolment_status *status, struct strbuf *out)
{
    (void)strbuf_addc(out, '{');
    add_text(out, "serial", status->serial);
    (void)strbuf_addc(out, ',');
    add_text(out, "version", status->version);
    (void)strbuf_addf(out, ",\"uptime_s\":%" PRIu64 ",\"enrolment\":{", seconds(status->started_ms, status->now_ms));
    add_text(out, "state", status->state);
    (void)strbuf_addc(out, ',');
    add_text(out, "error", status->error);
    (void)strbuf_adds(out, "}}\n");
    return strbuf_error(out);
}

enum err agent_status_json(const struct agent_status *status, struct strbuf *out)
{
    (void)strbuf_addc(out, '{');
    add_text(out, "device", status->device_id);
    (void)strbuf_addc(out, ',');
    add_text(out, "version", status->version);
    (void)strbuf_addf(out, ",\"uptime_s\":%" PRIu64 ",\"connection\":{", seconds(status->started_ms, status->now_ms));
    add_text(out, "state", status->endpoint[0] != '\0' ? "connected" : "disconnected");
    (void)strbuf_addc(out, ',');
    add_text(out, "endpoint", status->endpoint);
    (void)strbuf_addc(out, ',');
    add_text(out, "error", status->connection_error);
    add_moment(out, "since", status, status->connection_since_ms);
    (void)strbuf_addf(out, ",\"probe_s\":%" PRIu64, seconds(0, status->probe_ms));
    (void)strbuf_addf(out, ",\"dropped\":%" PRIu64 "}", status->dropped);
    add_identity(out, status->identity);
    add_report(out, status);
    add_addresses(out, status->source, &status->report->current, status->now_ms);
    if (status->detect != NULL) {
        (void)strbuf_adds(out, ",\"detect\":");
        if (detect_json(status->detect, out) != ERR_OK) {
            return strbuf_error(out);
        }
    }
    add_dns(out, status);
    (void)strbuf_adds(out, "}\n");
    return strbuf_error(out);
}

static const char *text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL) {
        return "-";
    }
    if (json_is_null(value)) {
        return "none";
    }
    const char *text = json_string_value(value);
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static json_int_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void add_names(const json_t *dns, struct strbuf *out)
{
    const json_t *names = json_object_get(dns, "names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);
        (void)strbuf_addf(out, "dns          %s %s %s (%s%s%s)\n", text_at(name, "name"), text_at(name, "type"),
                          text_at(name, "value"), text_at(name, "state"), text_at(name, "error")[0] != '-' ? ": " : "",
                          text_at(name, "error")[0] != '-' ? text_at(name, "error") : "");
    }
}

/* "IPv4 confirmed 203.0.113.7 from stun (disputed)" */
static void add_family(const json_t *family, const char *name, struct strbuf *out)
{
    if (family != NULL) {
        (void)strbuf_addf(out, "; %s %s %s from %s", name, text_at(family, "state"), text_at(family, "value"),
                          text_at(family, "source"));
        (void)strbuf_adds(out, json_is_true(json_object_get(family, "disputed")) ? ", disputed" : "");
        (void)strbuf_adds(out, json_is_true(json_object_get(family, "unstable")) ? ", unstable" : "");
        const char *health = text_at(family, "health");
        bool worth_saying = strcmp(health, "dead") == 0 || strcmp(health, "rising") == 0;
        (void)strbuf_addf(out, "%s%s", worth_saying ? ", " : "", worth_saying ? health : "");
    }
}

static void add_answers(const json_t *family, struct strbuf *out)
{
    const json_t *answers = json_object_get(family, "answers");
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *answer = json_array_get(answers, i);
        if (json_object_get(answer, "status") != NULL) {
            (void)strbuf_addf(out, "  %-10s %s %s, %" JSON_INTEGER_FORMAT " s ago: %s\n", text_at(answer, "source"),
                              text_at(answer, "ip"), text_at(answer, "verdict"), number_at(answer, "age_s"),
                              text_at(answer, "why"));
        }
    }
}

static void add_detect(const json_t *detect, struct strbuf *out)
{
    const json_t *uplinks = json_object_get(detect, "uplinks");
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        const json_t *uplink = json_array_get(uplinks, i);
        (void)strbuf_addf(out, "uplink       %s: NAT %s, inbound %s", text_at(uplink, "name"), text_at(uplink, "nat"),
                          text_at(uplink, "inbound"));
        add_family(json_object_get(uplink, "ip4"), "IPv4", out);
        add_family(json_object_get(uplink, "ip6"), "IPv6", out);
        (void)strbuf_addc(out, '\n');
        add_answers(json_object_get(uplink, "ip4"), out);
        add_answers(json_object_get(uplink, "ip6"), out);
    }
}

static enum err add_enrolment(const json_t *root, const json_t *enrolment, struct strbuf *out)
{
    (void)strbuf_addf(
        out, "device       not enrolled yet: serial number %s (muster-agent %s, up %" JSON_INTEGER_FORMAT " s)\n",
        text_at(root, "serial"), text_at(root, "version"), number_at(root, "uptime_s"));
    (void)strbuf_addf(out, "enrolment    %s%s%s\n", text_at(enrolment, "state"),
                      text_at(enrolment, "error")[0] != '-' ? ": " : "",
                      text_at(enrolment, "error")[0] != '-' ? text_at(enrolment, "error") : "");
    return strbuf_error(out);
}

static void add_expiry(const json_t *identity, struct strbuf *out)
{
    if (identity == NULL) {
        return;
    }
    bool failed = text_at(identity, "error")[0] != '-';
    (void)strbuf_addf(out, "identity     version %" JSON_INTEGER_FORMAT "%s, until %s, renewal %s%s%s\n",
                      number_at(identity, "version"),
                      json_is_true(json_object_get(identity, "trial")) ? " on trial" : "", text_at(identity, "expires"),
                      text_at(identity, "renewal"), failed ? ": " : "", failed ? text_at(identity, "error") : "");
}

enum err agent_status_text(struct view json, struct strbuf *out)
{
    CLEANUP(json_decref_p) json_t *root = NULL;
    enum err err = json_parse(json, STATUS_JSON_MAX, STATUS_JSON_DEPTH, &root, NULL);
    if (err != ERR_OK) {
        return err;
    }
    const json_t *enrolment = json_object_get(root, "enrolment"), *identity = json_object_get(root, "identity");
    if (enrolment != NULL) {
        return add_enrolment(root, enrolment, out);
    }
    const json_t *connection = json_object_get(root, "connection"), *report = json_object_get(root, "report");
    const json_t *addresses = json_object_get(root, "addresses"), *dns = json_object_get(root, "dns");
    (void)strbuf_addf(out, "device       %s (muster-agent %s, up %" JSON_INTEGER_FORMAT " s)\n",
                      text_at(root, "device"), text_at(root, "version"), number_at(root, "uptime_s"));
    (void)strbuf_addf(out, "connection   %s %s since %s", text_at(connection, "state"), text_at(connection, "endpoint"),
                      text_at(connection, "since"));
    (void)strbuf_addf(out, "%s%s\n", text_at(connection, "error")[0] != '-' ? ": " : "",
                      text_at(connection, "error")[0] != '-' ? text_at(connection, "error") : "");
    add_expiry(identity, out);
    (void)strbuf_addf(out, "report       %s, boot %" JSON_INTEGER_FORMAT " seq %" JSON_INTEGER_FORMAT,
                      text_at(report, "state"), number_at(report, "boot"), number_at(report, "seq"));
    (void)strbuf_addf(out, ", sent %s, acknowledged %s\n", text_at(report, "sent"), text_at(report, "acknowledged"));
    (void)strbuf_addf(out, "addresses    IPv4 %s, IPv6 %s, from %s; the broker sees %s\n", text_at(addresses, "ip4"),
                      text_at(addresses, "ip6"), text_at(addresses, "source"), text_at(dns, "observed"));
    add_detect(json_object_get(root, "detect"), out);
    if (text_at(dns, "error")[0] != '-') {
        (void)strbuf_addf(out, "coordinator  %s\n", text_at(dns, "error"));
    }
    add_names(dns, out);
    return strbuf_error(out);
}
