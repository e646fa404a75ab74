/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "agent/detect/detect_private.h"

#define JSON_ANSWERS_MAX                                                                                               \
    30000 /* bytes, after which answers are only counted: a status has room for names beside it                        \
           */

/* Appends below are sticky: the buffer is asked once, at the end of detect_json. */

/* An address that a source gave of the path as it is now, and not longer ago than it counts. */
static const struct ip *answer_of(const struct path *path, size_t i, uint64_t now)
{
    const struct fusion_vote *vote = &path->fusion.votes[i];
    uint64_t fresh_ms = path->fusion.sources[i].fresh_ms;
    bool good = vote->has && vote->answer.status == SOURCE_ANSWER_ADDRESS && vote->at_ms >= path->moved_ms &&
                (fresh_ms == 0 || now - vote->at_ms < fresh_ms);
    return good ? &vote->answer.ip : NULL;
}

/* The router's last word on the path as it is now. It does not age: as a failure it is asked for again and again. */
static bool says_no_outside(const struct path *path, size_t i)
{
    const struct fusion_vote *vote = &path->fusion.votes[i];
    return vote->has && vote->answer.no_outside && vote->at_ms >= path->moved_ms;
}

static bool is_observed(const struct slot *slot)
{
    return detect_is_event(slot, SOURCE_VIEW_PATH);
}

/* First source that is not `observed` and says the value; NULL: only the broker does, who need not be told. */
static const struct slot *witness(const struct detect *detect, const struct path *path)
{
    if (path->fusion.value.family == IP_NONE) {
        return NULL;
    }
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct ip *ip = &path->fusion.votes[i].ip;
        if (!is_observed(&detect->slots[i]) && ip_equal(ip, &path->fusion.value)) {
            return &detect->slots[i];
        }
    }
    const struct slot *first = &detect->slots[path->fusion.value_source];
    return is_observed(first) ? NULL : first; /* nobody says it any more, and nobody another one */
}

/* What the internet sees of the path. @param told without what only the broker saw. */
static struct ip seen_of(const struct detect *detect, const struct path *path, bool told)
{
    uint64_t now = detect_now(detect);
    struct ip seen = {0};
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct slot *slot = &detect->slots[i];
        const struct ip *ip = slot->ops->view == SOURCE_VIEW_PATH ? answer_of(path, i, now) : NULL;
        if (ip == NULL || (told && is_observed(slot)) || !ip_is_public(ip)) {
            continue;
        }
        if (seen.family == IP_NONE || ip_equal(ip, &path->fusion.value)) {
            seen = *ip;
        }
    }
    return seen;
}

static bool has_ip6(const struct address_set *set)
{
    for (size_t i = 0; i < set->uplinks_len; i++) {
        if (set->uplinks[i].ip6.presence == FIELD_SET && ip_is_public(&set->uplinks[i].ip6.ip)) {
            return true;
        }
    }
    return false;
}

static enum nat_class nat_of(const struct detect *detect, const struct path *path, bool told)
{
    struct nat_input input = {.own = path->own.presence == FIELD_SET ? path->own.ip : (struct ip){0},
                              .seen = seen_of(detect, path, told),
                              .clat = strncmp(path->uplink, "clat", 4) == 0 || strncmp(path->uplink, "v4-", 3) == 0,
                              .has_ip6 = has_ip6(&detect->set)};
    uint64_t now = detect_now(detect);
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct ip *ip = detect->slots[i].ops->view == SOURCE_VIEW_ROUTER ? answer_of(path, i, now) : NULL;
        if (ip != NULL && input.router.family == IP_NONE) {
            input.router = *ip;
        }
        input.no_outside = input.no_outside || says_no_outside(path, i);
        input.port_control = input.port_control || (ip != NULL && path->fusion.votes[i].answer.port_control);
    }
    return nat_classify(&input);
}

static struct address_field *field_of(struct address_set *set, uint8_t family)
{
    return family == IP_V4 ? &set->ip4 : &set->ip6;
}

/* The path that the device's own address of the family belongs to, else the first that knows one. */
static const struct path *main_path(const struct detect *detect, const struct address_set *set, uint8_t family)
{
    const struct address_field *own = family == IP_V4 ? &set->ip4 : &set->ip6;
    const struct path *first = NULL;
    for (size_t i = 0; i < set->uplinks_len; i++) {
        const struct path *path = detect_path(detect, set->paths[i].name, family);
        if (path == NULL || !path->present) {
            continue;
        }
        if (own->presence == FIELD_SET && path->own.presence == FIELD_SET && ip_equal(&own->ip, &path->own.ip)) {
            return path;
        }
        first = first == NULL && own->presence != FIELD_SET && witness(detect, path) != NULL ? path : first;
    }
    return first;
}

static void merge_uplink(const struct detect *detect, const char *name, struct uplink *uplink)
{
    const struct path *path4 = detect_path(detect, name, IP_V4);
    const struct path *path6 = detect_path(detect, name, IP_V6);
    if (path4 != NULL && path4->present) {
        uplink->seen4 = seen_of(detect, path4, true);
        uplink->nat = nat_of(detect, path4, true);
    }
    if (path6 != NULL && path6->present) {
        uplink->seen6 = seen_of(detect, path6, true);
    }
}

void detect_merge(const struct detect *detect, struct address_set *set)
{
    static const uint8_t families[] = {IP_V4, IP_V6};
    for (size_t f = 0; detect != NULL && f < ARRAY_LEN(families); f++) {
        const struct path *path = main_path(detect, set, families[f]);
        if (path != NULL && witness(detect, path) != NULL) {
            *field_of(set, families[f]) = (struct address_field){.presence = FIELD_SET, .ip = path->fusion.value};
        }
    }
    for (size_t i = 0; detect != NULL && i < set->uplinks_len; i++) {
        merge_uplink(detect, set->paths[i].name, &set->uplinks[i]);
    }
}

const char *detect_source(const struct detect *detect, uint8_t family)
{
    if (detect == NULL) {
        return "none";
    }
    const struct path *path = main_path(detect, &detect->set, family);
    const struct slot *slot = path != NULL ? witness(detect, path) : NULL;
    const struct address_field *own = family == IP_V4 ? &detect->set.ip4 : &detect->set.ip6;
    if (slot != NULL) {
        return slot->ops->type;
    }
    return own->presence == FIELD_SET ? "interface" : "none";
}

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    bool good = view_is_utf8(view_of(text)); /* a detail may carry what a server said */
    (void)strbuf_addf(out, "\"%s\":", key);
    (void)strbuf_add_json(out, view_of(good ? text : "?"));
}

static void add_ip(struct strbuf *out, const char *key, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    (void)ip_format(ip, text); /* the length is not needed */
    (void)strbuf_addf(out, ",\"%s\":\"%s\"", key, text);
}

static void add_answer(struct strbuf *out, const struct detect *detect, const struct path *path, size_t i)
{
    static const char *const statuses[] = {
        [SOURCE_ANSWER_ADDRESS] = "address", [SOURCE_ANSWER_ABSENT] = "absent", [SOURCE_ANSWER_FAILED] = "failed"};
    const struct slot *slot = &detect->slots[i];
    const struct fusion_vote *vote = &path->fusion.votes[i];
    uint64_t now = detect_now(detect);
    (void)strbuf_addc(out, '{');
    add_text(out, "source", slot->config.name[0] != '\0' ? slot->config.name : slot->ops->type);
    (void)strbuf_addc(out, ',');
    add_text(out, "type", slot->ops->type);
    (void)strbuf_addc(out, ',');
    add_text(out, "verdict", fusion_verdict(&path->fusion, i, now));
    if (vote->has) {
        (void)strbuf_addc(out, ',');
        add_text(out, "status", statuses[vote->answer.status]);
        if (vote->answer.status == SOURCE_ANSWER_ADDRESS) {
            add_ip(out, "ip", &vote->answer.ip);
            (void)strbuf_addc(out, ',');
            add_text(out, "class", ip_class_name(ip_classify(&vote->answer.ip)));
        }
        (void)strbuf_addf(out, ",\"age_s\":%" PRIu64 ",\"elapsed_ms\":%" PRIu64 ",", (now - vote->at_ms) / 1000,
                          vote->answer.elapsed_ms);
        add_text(out, "why", vote->answer.detail);
    }
    (void)strbuf_addc(out, '}');
}

static void add_path(struct strbuf *out, const struct detect *detect, const struct path *path)
{
    const struct fusion *fusion = &path->fusion;
    uint64_t now = detect_now(detect);
    size_t left_out = 0;
    bool first = true;
    (void)strbuf_addf(out, ",\"ip%u\":{", path->family);
    add_text(out, "state", fusion_state_name(fusion->state));
    (void)strbuf_addf(out, ",\"since_s\":%" PRIu64 ",\"unstable\":%s,\"disputed\":%s", (now - fusion->since_ms) / 1000,
                      fusion->unstable ? "true" : "false", fusion->disputed ? "true" : "false");
    if (fusion->value.family != IP_NONE) {
        add_ip(out, "value", &fusion->value);
        (void)strbuf_addc(out, ',');
        add_text(out, "source", detect->slots[fusion->value_source].ops->type);
    }
    if (fusion->candidate.family != IP_NONE) {
        add_ip(out, "candidate", &fusion->candidate);
    }
    (void)strbuf_adds(out, ",\"answers\":[");
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (!detect_concerns(&detect->slots[i], path)) {
            continue;
        }
        if (out->len > JSON_ANSWERS_MAX) {
            left_out++;
            continue;
        }
        (void)strbuf_adds(out, first ? "" : ",");
        first = false;
        add_answer(out, detect, path, i);
    }
    (void)strbuf_addf(out, "],\"left_out\":%zu}", left_out);
}

static void add_uplink(struct strbuf *out, const struct detect *detect, size_t i)
{
    const struct uplink *uplink = &detect->set.uplinks[i];
    const struct path *path4 = detect_path(detect, detect->set.paths[i].name, IP_V4);
    const struct path *path6 = detect_path(detect, detect->set.paths[i].name, IP_V6);
    (void)strbuf_addc(out, '{');
    add_text(out, "name", uplink->name);
    if (uplink->has_metric) {
        (void)strbuf_addf(out, ",\"metric\":%" PRIu32, uplink->metric);
    }
    if (path4 != NULL && path4->present) {
        enum nat_class nat = nat_of(detect, path4, false);
        (void)strbuf_addc(out, ',');
        add_text(out, "nat", nat_class_name(nat));
        (void)strbuf_addc(out, ',');
        add_text(out, "inbound", nat_inbound_name(nat_inbound(nat)));
        add_path(out, detect, path4);
    }
    if (path6 != NULL && path6->present) {
        add_path(out, detect, path6);
    }
    (void)strbuf_addc(out, '}');
}

enum err detect_json(const struct detect *detect, struct strbuf *out)
{
    (void)strbuf_adds(out, "{\"uplinks\":[");
    for (size_t i = 0; i < detect->set.uplinks_len; i++) {
        (void)strbuf_adds(out, i > 0 ? "," : "");
        add_uplink(out, detect, i);
    }
    (void)strbuf_adds(out, "]}");
    return strbuf_error(out);
}
