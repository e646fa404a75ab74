/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "agent/detect/detect_private.h"

#define JSON_ANSWERS_MAX                                                                                               \
    30000 /* bytes, after which answers are only counted: a status has room for names beside it                        \
           */

/* Appends below are sticky: the buffer is asked once, at the end of detect_json. */

static bool is_fresh(const struct path *path, size_t i, uint64_t now)
{
    uint64_t fresh_ms = path->fusion.sources[i].fresh_ms;
    return path->words[i].has && (fresh_ms == 0 || now - path->words[i].at_ms < fresh_ms);
}

/* What a source said of the path as it is now, and not longer ago than it counts; NULL: nothing. */
static const struct word *word_of(const struct path *path, size_t i, uint64_t now)
{
    return is_fresh(path, i, now) && path->words[i].at_ms >= path->moved_ms ? &path->words[i] : NULL;
}

static const struct ip *answer_of(const struct path *path, size_t i, uint64_t now)
{
    const struct word *word = word_of(path, i, now);
    return word != NULL && word->ip.family != IP_NONE ? &word->ip : NULL;
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

/* A source has not answered since the path is in doubt, and will soon. */
static bool is_awaited(const struct detect *detect, const struct path *path)
{
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct schedule *schedule = &path->schedules[i];
        bool soon = schedule->under_way || schedule->due_ms <= path->moved_ms + detect->options.timeout_ms;
        if (path->fusion.votes[i].at_ms < path->moved_ms && soon) {
            return true;
        }
    }
    return false;
}

/* Nobody outside has said since then what he sees, which somebody had before. */
static bool is_unseen(const struct detect *detect, const struct path *path)
{
    uint64_t now = detect_now(detect);
    bool before = false;
    for (size_t i = 0; i < detect->slots_len; i++) {
        if (detect->slots[i].ops->view == SOURCE_VIEW_PATH && is_fresh(path, i, now)) {
            if (path->words[i].at_ms >= path->moved_ms) {
                return false;
            }
            before = true;
        }
    }
    return before;
}

/* The path is in doubt, and who knew what stands in between has not said anything else since. */
static bool holds_nat(const struct detect *detect, const struct path *path)
{
    const struct held_nat *held = &path->held;
    uint64_t now = detect_now(detect);
    if (held->router == SIZE_MAX || path->moved_ms == 0) {
        return false;
    }
    const struct word *word = word_of(path, held->router, now);
    if (word != NULL) {
        return ip_equal(&word->ip, &held->ip) && (is_awaited(detect, path) || (held->same && is_unseen(detect, path)));
    }
    return held->same ? is_fresh(path, held->router, now) : is_awaited(detect, path);
}

static enum nat_class classify(const struct detect *detect, const struct path *path, bool told)
{
    struct nat_input input = {.own = path->own.presence == FIELD_SET ? path->own.ip : (struct ip){0},
                              .seen = seen_of(detect, path, told),
                              .clat = strncmp(path->uplink, "clat", 4) == 0 || strncmp(path->uplink, "v4-", 3) == 0,
                              .has_ip6 = has_ip6(&detect->set)};
    uint64_t now = detect_now(detect);
    for (size_t i = 0; i < detect->slots_len; i++) {
        const struct word *word = detect->slots[i].ops->view == SOURCE_VIEW_ROUTER ? word_of(path, i, now) : NULL;
        if (word != NULL) {
            input.router = input.router.family == IP_NONE ? word->ip : input.router;
            input.no_outside = input.no_outside || word->no_outside;
            input.port_control = input.port_control || word->port_control;
        }
    }
    return nat_classify(&input);
}

/* That nobody can come in from outside keeps the record back, and stays until somebody knows better: a machine that
 * wakes up, a router that announces something or one lost answer publish nothing. */
static enum nat_class nat_of(const struct detect *detect, const struct path *path, bool told)
{
    enum nat_class nat = classify(detect, path, told);
    enum nat_class held = told ? path->held.reported : path->held.shown;
    bool gained = nat != NAT_PUBLIC && nat_inbound(nat) != NAT_INBOUND_NONE && nat_inbound(held) == NAT_INBOUND_NONE;
    return gained && holds_nat(detect, path) ? held : nat;
}

struct held_nat detect_hold_nat(const struct detect *detect, const struct path *path, bool same)
{
    struct held_nat held = {
        .reported = nat_of(detect, path, true), .shown = nat_of(detect, path, false), .router = SIZE_MAX, .same = same};
    uint64_t now = detect_now(detect);
    for (size_t i = 0; i < detect->slots_len && held.router == SIZE_MAX; i++) {
        if (detect->slots[i].ops->view == SOURCE_VIEW_ROUTER && is_fresh(path, i, now)) {
            held.router = i;
            held.ip = path->words[i].ip;
        }
    }
    return held;
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

/* Nothing is told of the only path: there is no other, and it cannot be dead. */
static enum alive alive_of(const struct detect *detect, const struct path *path)
{
    bool told = detect->set.uplinks_len > 1 && detect_has_asker(detect, path);
    return told ? path->health.told : ALIVE_UNKNOWN;
}

static void merge_uplink(const struct detect *detect, const char *name, struct uplink *uplink)
{
    const struct path *path4 = detect_path(detect, name, IP_V4);
    const struct path *path6 = detect_path(detect, name, IP_V6);
    if (path4 != NULL && path4->present) {
        uplink->seen4 = seen_of(detect, path4, true);
        uplink->nat = nat_of(detect, path4, true);
        uplink->alive4 = alive_of(detect, path4);
    }
    if (path6 != NULL && path6->present) {
        uplink->seen6 = seen_of(detect, path6, true);
        uplink->alive6 = alive_of(detect, path6);
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
    (void)strbuf_addc(out, ',');
    add_text(out, "health", health_state_name(path->health.state));
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
