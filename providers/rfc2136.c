/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rfc2136: DNS UPDATE (RFC 2136) signed with TSIG (RFC 8945). One message is all or nothing. Each change is "delete the
 * RRset" and "add" in the same message, so values and TTL are replaced together. Every data message requires
 * `_muster-owner.<zone> TXT "epoch=N"`: a writer that lost the zone, or a late message of a closed connection, changes
 * nothing. Each address requires that no CNAME stands at its name: a server leaves an address beside one out without a
 * word and answers NOERROR (RFC 2136 3.4.2.2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "providers/dnswire.h"
#include "providers/provider.h"

#define OWNER_LABEL "_muster-owner."
enum { OWNER_TTL_S = 60, OWNER_TEXT_SIZE = 32, MESSAGE_OVERHEAD = 12 + 255 + 4 + 512 /* header, zone, owner, TSIG */ };
enum {
    BATCH_MAX = 1000, /* a message of typical names is full at about 1,300 */
    /* Knot 3.2.6 ended with a segmentation fault when it took eight messages of 1,000 AAAA changes together for names
     * that had an A record each; with six it did not. Faster than four it was not either. */
    FLIGHT_MAX = 4 * BATCH_MAX,
};
enum { STAGE_CHANGE, STAGE_LOOKUP, STAGE_NAME, STAGE_OWNER, STAGE_CLAIM, STAGE_PROBE };

struct rfc2136 {
    struct dnsmsg_key *key; /* owned; NULL = unsigned */
    uint8_t scratch[DNSMSG_MAX];
};

struct owner_name {
    char text[sizeof(OWNER_LABEL) + DNSNAME_SIZE];
};

static struct view owner_name(const struct provider_zone *zone, struct owner_name *buffer)
{
    int len = snprintf(buffer->text, sizeof(buffer->text), OWNER_LABEL "%s", zone->name);
    return view_n(buffer->text, len > 0 ? (size_t)len : 0);
}

static struct view owner_text(uint64_t epoch, char buffer[static OWNER_TEXT_SIZE])
{
    int len = snprintf(buffer, OWNER_TEXT_SIZE, "epoch=%llu", (unsigned long long)epoch);
    return view_n(buffer, len > 0 ? (size_t)len : 0);
}

static enum err rfc2136_open(const struct engine_account_config *config, const struct template *template,
                             void **ret_state, struct errinfo *info)
{
    (void)template;
    struct rfc2136 *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return ERR_NOMEM;
    }
    enum err err = ERR_OK;
    if (config->key_file != NULL) {
        struct tsigkey text;
        err = tsigkey_load(config->key_file, &text, info);
        if (err == ERR_OK) {
            err = dnsmsg_key_new(&text, &state->key, info);
            tsigkey_deinit(&text);
        }
    }
    if (err != ERR_OK) {
        free(state);
        return err;
    }
    *ret_state = state;
    return ERR_OK;
}

static void rfc2136_close(void *context)
{
    struct rfc2136 *state = context;
    dnsmsg_key_free(state->key);
    free(state);
}

static void rfc2136_limits(const void *state, struct provider_limits *ret_limits)
{
    (void)state; /* the same for every account */
    *ret_limits = (struct provider_limits){.batch_max = BATCH_MAX,
                                           .depth_max = PROVIDER_DEPTH_MAX,
                                           .flight_max = FLIGHT_MAX,
                                           .bytes_max = DNSMSG_MAX - MESSAGE_OVERHEAD,
                                           .adaptive = true};
}

/* What a change requires of its name. In a shared zone a first write finds nothing of its type, a later one our last
 * value; an address finds no CNAME, which our last value is proof of. */
static bool needs_value(enum zone_mode mode, const struct batch_item *item)
{
    return mode == ZONE_SHARED && !item->adopt && item->have_known && item->have.len > 0;
}

static bool needs_absent(enum zone_mode mode, const struct batch_item *item)
{
    return mode == ZONE_SHARED && !item->adopt && !needs_value(mode, item);
}

static bool needs_no_cname(enum zone_mode mode, const struct batch_item *item)
{
    return item->want.len > 0 && !needs_value(mode, item);
}

static size_t rfc2136_item_size(const struct provider_zone *zone, const struct batch_item *item)
{
    size_t relative = strlen(item->name) - strlen(zone->name);
    size_t absent = (size_t)needs_absent(zone->mode, item) + needs_no_cname(zone->mode, item);
    return dnswire_change_size(relative, item->type, item->want.len, absent,
                               needs_value(zone->mode, item) ? item->have.len : 0);
}

/** Signs what the wire holds and moves it into the request. */
static enum err finish(struct rfc2136 *state, struct dnswire *wire, struct provider_request *request)
{
    enum err err = dnswire_finish(wire);
    size_t len = wire->len;
    if (err == ERR_OK) {
        err = dnsmsg_sign(state->key, state->scratch, sizeof(state->scratch), &len, &request->mac);
    }
    return err == ERR_OK ? strbuf_add(&request->body, view_n((const char *)state->scratch, len)) : err;
}

static void require_item(struct dnswire *wire, enum zone_mode mode, const struct batch_item *item)
{
    if (needs_value(mode, item)) {
        dnswire_require_value(wire, view_of(item->name), item->type, &item->have);
    }
    if (needs_absent(mode, item)) {
        dnswire_require_absent(wire, view_of(item->name), (uint16_t)item->type);
    }
    if (needs_no_cname(mode, item)) {
        dnswire_require_absent(wire, view_of(item->name), DNSMSG_TYPE_CNAME);
    }
}

/** After a message went unanswered in a shared zone nobody knows which value to require: ask, one name at a time. */
static bool find_unsure(const struct batch *batch, size_t *ret_index)
{
    for (size_t i = 0; i < batch->len; i++) {
        if (batch->items[i].unsure && !batch->items[i].adopt) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/** Addresses, or the CNAME that stands in their place. */
static enum err build_question(struct rfc2136 *state, const struct batch_item *item, uint8_t stage,
                               struct provider_request *request)
{
    struct dnswire wire;
    request->stage = stage;
    dnswire_query(&wire, state->scratch, sizeof(state->scratch), request->id, view_of(item->name),
                  (uint16_t)item->type);
    return finish(state, &wire, request);
}

static enum err rfc2136_build(void *context, struct provider_zone *zone, struct batch *batch,
                              struct provider_request *request)
{
    struct rfc2136 *state = context;
    struct dnswire wire;
    if (batch->items[0].contested) {
        return build_question(state, &batch->items[0], STAGE_NAME, request);
    }
    if (zone->mode == ZONE_SHARED && find_unsure(batch, &request->index)) {
        return build_question(state, &batch->items[request->index], STAGE_LOOKUP, request);
    }
    request->stage = STAGE_CHANGE;
    struct owner_name owner;
    char text[OWNER_TEXT_SIZE];
    dnswire_update(&wire, state->scratch, sizeof(state->scratch), request->id, view_of(zone->name));
    dnswire_require_txt(&wire, owner_name(zone, &owner), owner_text(zone->epoch, text));
    for (size_t i = 0; i < batch->len; i++) {
        require_item(&wire, zone->mode, &batch->items[i]);
    }
    for (size_t i = 0; i < batch->len; i++) {
        const struct batch_item *item = &batch->items[i];
        dnswire_replace(&wire, view_of(item->name), item->type, item->ttl, &item->want);
    }
    return finish(state, &wire, request);
}

/* What each answer means, in the words of somebody who has to mend it. */
static const struct {
    unsigned code;
    const char *error, *remedy;
} explanations[] = {
    {DNSMSG_FORMERR, "formerr", "the server could not read the message"},
    {DNSMSG_SERVFAIL, "servfail", "the server failed inside: see its log (disk, journal, zone not loaded)"},
    {DNSMSG_NXDOMAIN, "nxdomain", "the server does not know the zone: check its name and the server's address"},
    {DNSMSG_NOTIMP, "notimp", "the server does not do dynamic updates: point `server` at the primary"},
    {DNSMSG_REFUSED, "refused", "the server's policy does not allow it: allow this key to update these names"},
    {DNSMSG_YXDOMAIN, "foreign", "a record that is not ours stands there: `muster record adopt` takes it over"},
    {DNSMSG_YXRRSET, "foreign",
     "a record that is not ours stands there: `muster record adopt` takes an address over, a CNAME must be deleted"},
    {DNSMSG_NXRRSET, "foreign", "the record is not what we wrote last: `muster record adopt` takes it over"},
    {DNSMSG_NOTAUTH, "notauth", "the server is not primary for the zone: check the zone's name and `server`"},
    {DNSMSG_NOTZONE, "notzone", "the name lies outside the zone"},
    {DNSMSG_BADSIG, "badsig", "the TSIG secret differs from the server's: compare key_file with the server's key"},
    {DNSMSG_BADKEY, "badkey", "the server does not know the TSIG key by this name and algorithm: compare key_file"},
    {DNSMSG_BADTIME, "badtime", "the clocks differ by more than 300 s: set the time here or on the server"},
    {DNSMSG_BADTRUNC, "badtrunc", "the server refuses the length of the TSIG signature"},
};

/** What to do about a refusal where the code alone would mislead: without a key, and before the zone's first answer. */
static const char *remedy_of(const struct rfc2136 *state, int stage, const struct dnsmsg *message, unsigned code,
                             const char *usual)
{
    if (code != DNSMSG_REFUSED && code != DNSMSG_NOTAUTH) {
        return usual;
    }
    if (state->key == NULL) {
        return "what we sent was not signed: set `key_file` to a TSIG key that may update the zone";
    }
    if (code == DNSMSG_NOTAUTH && message->trust == DNSMSG_UNSIGNED) { /* BIND and Knot sign it, or give a TSIG error */
        return "the server does not take our signature, and PowerDNS does not say why: compare key_file with its key, "
               "and "
               "the clocks; or it does not serve the zone";
    }
    if (stage == STAGE_CLAIM && code == DNSMSG_REFUSED) {
        return "the server answers about the zone but takes no update of it: let this key update it, or thaw it if it "
               "is frozen";
    }
    return stage == STAGE_OWNER || stage == STAGE_CLAIM
               ? "the server does not serve the zone, or does not let this key ask about it: check the "
                 "zone's name, `server` and the rights of the key in `key_file`"
               : usual;
}

/** Do the words mean that the zone's primary is another server? A secondary, too, answers REFUSED to an update. */
static bool is_misdirected(int stage, const struct dnsmsg *message)
{
    return message->tsig_error == 0 &&
           (message->rcode == DNSMSG_NOTAUTH || message->rcode == DNSMSG_NOTIMP ||
            (message->rcode == DNSMSG_REFUSED && (stage == STAGE_OWNER || stage == STAGE_CLAIM)));
}

static void explain(struct verdict *verdict, enum verdict_kind kind, const struct dnsmsg *message,
                    const struct rfc2136 *state, const struct provider_request *request)
{
    unsigned code = message->tsig_error != 0 ? message->tsig_error : message->rcode;
    char skew[64] = "";
    if (message->server_time_s != 0) {
        long long ahead = (long long)(clock_wall_ms() / 1000 - message->server_time_s);
        (void)snprintf(skew, sizeof(skew), " (ours is %lld s %s)", ahead < 0 ? -ahead : ahead,
                       ahead < 0 ? "behind" : "ahead"); /* cut on purpose: a hint */
    }
    verdict->misdirected = is_misdirected(request->stage, message);
    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        if (explanations[i].code == code) {
            verdict_set(verdict, kind, explanations[i].error, "%s: %s%s", dnsmsg_rcode_name(code),
                        remedy_of(state, request->stage, message, code, explanations[i].remedy), skew);
            return;
        }
    }
    verdict_set(verdict, kind, "rcode", "the server answered with code %u", code);
}

/** Reads the answer and judges what does not depend on the request: signature, truncation, TSIG errors.
 *  @return ERR_OK with *ret_judged false: the RCODE can be believed. The message is to be deinited on ERR_OK. */
static enum err read_reply(struct rfc2136 *state, const struct provider_request *request,
                           const struct provider_reply *reply, struct dnsmsg *message, struct verdict *verdict,
                           bool *ret_judged)
{
    enum err err = dnsmsg_parse(reply->body, state->key, &request->mac, message);
    if (err != ERR_OK) {
        return err;
    }
    if (message->id != request->id || !message->response) {
        dnsmsg_deinit(message);
        return ERR_PARSE;
    }
    *ret_judged = true;
    if (message->trust == DNSMSG_FORGED) {
        verdict_set(verdict, VERDICT_UNKNOWN, "forged",
                    "the signature of the answer is wrong: another key, or tampering");
    } else if (state->key != NULL && message->trust == DNSMSG_UNSIGNED) {
        if (message->tsig_error == DNSMSG_BADKEY && request->stage == STAGE_CHANGE) {
            /* The claim was taken with this key. Knot answers so to names that its update-owner rules do not allow. */
            verdict_set(verdict, VERDICT_SUSPECT, "refused",
                        "BADKEY: the server's policy does not allow it: allow this key to update these names");
        } else if (message->rcode != DNSMSG_NOERROR) {
            explain(verdict, VERDICT_UNKNOWN, message, state, request);
        } else {
            verdict_set(verdict, VERDICT_UNKNOWN, "unsigned",
                        "the answer carries no signature although the request did");
        }
    } else if (message->truncated) {
        verdict_set(verdict, VERDICT_UNKNOWN, "truncated", "the answer is cut off although it came over TCP");
    } else if (message->tsig_error != 0) {
        explain(verdict, VERDICT_RETRY, message, state, request);
    } else {
        *ret_judged = false;
    }
    return ERR_OK;
}

static void settle_all(struct batch *batch, struct verdict *verdict)
{
    *verdict = (struct verdict){.kind = VERDICT_SETTLED};
    for (size_t i = 0; i < batch->len; i++) {
        batch->items[i].outcome = OUTCOME_APPLIED;
        batch->items[i].error = NULL;
    }
}

static enum verdict_kind change_verdict(unsigned rcode, enum zone_mode mode)
{
    switch (rcode) {
    case DNSMSG_NXRRSET: /* RFC 2136 3.2.5: the owner's prerequisite, or in a shared zone a record's */
        return mode == ZONE_SHARED ? VERDICT_SUSPECT : VERDICT_FENCED;
    case DNSMSG_REFUSED: /* about one of the names, or the zone was frozen since it was claimed */
        return VERDICT_SUSPECT;
    case DNSMSG_FORMERR:
    case DNSMSG_YXDOMAIN:
    case DNSMSG_YXRRSET:
    case DNSMSG_NOTZONE:
        return VERDICT_SPLIT;
    case DNSMSG_SERVFAIL:
        return mode == ZONE_SHARED ? VERDICT_UNKNOWN : VERDICT_RETRY;
    default:
        return VERDICT_RETRY;
    }
}

static void add_address(struct rrset_value *value, const struct dnsmsg_record *record)
{
    struct ip ip = {0};
    if (record->type == DNSMSG_TYPE_A && record->rdata.len == 4) {
        ip.family = IP_V4;
    } else if (record->type == DNSMSG_TYPE_AAAA && record->rdata.len == 16) {
        ip.family = IP_V6;
    } else {
        return;
    }
    memcpy(ip.bytes, record->rdata.ptr, record->rdata.len);
    (void)rrset_value_add(value, (enum rrtype)record->type,
                          &ip); /* more than we ever write is a foreign value anyway */
}

/** What a server holds at one name. */
struct place {
    const char *name;
    struct rrset_value value;
    bool cname;
    char target[DNSNAME_SIZE]; /* "" = the root, or longer than a name that is written */
};

/** A CNAME's answer goes on with what its target has. */
static void collect_place(void *context, const struct dnsmsg_record *record)
{
    struct place *place = context;
    if (strcmp(record->name, place->name) != 0) {
        return;
    }
    if (record->type == DNSMSG_TYPE_CNAME) {
        place->cname = true;
        if (dnsmsg_host(record, place->target) != ERR_OK) {
            place->target[0] = '\0';
        }
    }
    add_address(&place->value, record);
}

/** The server told what it holds: that decides between `have`, `sent`, and what a former writer may have sent already.
 * An empty place is nobody's, as before a first write. */
static void take_lookup(struct batch_item *item, const struct dnsmsg *message)
{
    struct place place = {.name = item->name};
    dnsmsg_each_answer(message, collect_place, &place);
    if (place.value.len == 0 || rrset_value_equal(&place.value, &item->sent) ||
        rrset_value_equal(&place.value, &item->want)) {
        item->have_known = true;
        item->have = place.value;
    }
    item->unsure = false;
}

/** A single change failed for what stands in its place: that is named. A place that is empty again is tried again. */
static void take_name(struct batch_item *item, const struct dnsmsg *message, struct verdict *verdict)
{
    struct place place = {.name = item->name};
    char address[IP_TEXT_SIZE];
    dnsmsg_each_answer(message, collect_place, &place);
    item->contested = false;
    if (place.cname) {
        verdict_set(verdict, VERDICT_SPLIT, "cname",
                    "a CNAME to %s stands there, and no address can stand beside it: delete the CNAME, or give the "
                    "device another name",
                    place.target[0] != '\0' ? place.target : ".");
    } else if (place.value.len > 0) {
        ip_format(&place.value.ips[0], address);
        verdict_set(verdict, VERDICT_SPLIT, "foreign",
                    "%s, which is not ours, stands there: `muster record adopt` takes it over", address);
    } else {
        *verdict = (struct verdict){.kind = VERDICT_CONTINUE};
    }
}

static bool is_answered(const struct dnsmsg *message)
{
    return (message->rcode == DNSMSG_NOERROR || message->rcode == DNSMSG_NXDOMAIN) && message->authoritative;
}

static enum err rfc2136_parse(void *context, struct provider_zone *zone, struct batch *batch,
                              const struct provider_request *request, const struct provider_reply *reply,
                              struct verdict *ret_verdict)
{
    struct dnsmsg message;
    bool judged = false;
    enum err err = read_reply(context, request, reply, &message, ret_verdict, &judged);
    if (err != ERR_OK) {
        return err;
    }
    if (!judged) {
        if (request->stage == STAGE_NAME && is_answered(&message)) {
            take_name(&batch->items[0], &message, ret_verdict);
        } else if (request->stage == STAGE_NAME) { /* it takes our updates, but no questions */
            message.rcode = DNSMSG_YXRRSET;
            explain(ret_verdict, VERDICT_SPLIT, &message, context, request);
        } else if (request->stage == STAGE_LOOKUP && is_answered(&message)) {
            take_lookup(&batch->items[request->index], &message);
            *ret_verdict = (struct verdict){.kind = VERDICT_CONTINUE};
        } else if (request->stage == STAGE_CHANGE && message.rcode == DNSMSG_YXRRSET && batch->len == 1) {
            batch->items[0].contested = true;
            *ret_verdict = (struct verdict){.kind = VERDICT_CONTINUE};
        } else if (request->stage == STAGE_CHANGE && message.rcode == DNSMSG_NOERROR) {
            settle_all(batch, ret_verdict);
        } else {
            enum verdict_kind kind =
                request->stage == STAGE_LOOKUP ? VERDICT_RETRY : change_verdict(message.rcode, zone->mode);
            explain(ret_verdict, kind, &message, context, request);
            ret_verdict->probe = request->stage == STAGE_CHANGE && message.rcode == DNSMSG_REFUSED;
        }
    }
    dnsmsg_deinit(&message);
    return ERR_OK;
}

static enum err rfc2136_build_owner(void *context, const struct provider_zone *zone, struct provider_request *request)
{
    struct rfc2136 *state = context;
    struct dnswire wire;
    struct owner_name owner;
    request->stage = STAGE_OWNER;
    dnswire_query(&wire, state->scratch, sizeof(state->scratch), request->id, owner_name(zone, &owner),
                  DNSMSG_TYPE_TXT);
    return finish(state, &wire, request);
}

struct owner_found {
    struct provider_owner owner;
    bool unreadable;
};

static void collect_owner(void *context, const struct dnsmsg_record *record)
{
    struct owner_found *found = context;
    if (record->type != DNSMSG_TYPE_TXT) {
        return;
    }
    struct view text = dnsmsg_txt(record), prefix = VIEW_LITERAL("epoch=");
    uint64_t epoch = 0;
    if (found->owner.present || !view_starts_with(text, prefix) ||
        view_to_u64(view_n(text.ptr + prefix.len, text.len - prefix.len), UINT64_MAX - 1, &epoch) != ERR_OK) {
        found->unreadable = true;
    }
    found->owner = (struct provider_owner){.present = true, .epoch = epoch};
}

static void judge_owner(const struct dnsmsg *message, struct provider_owner *ret_owner, struct verdict *verdict)
{
    struct owner_found found = {0};
    if (!message->authoritative) {
        verdict_set(verdict, VERDICT_RETRY, "notauth",
                    "the server is not authoritative for the zone: check its name "
                    "and `server`");
        verdict->misdirected = true;
        return;
    }
    dnsmsg_each_answer(message, collect_owner, &found);
    if (found.unreadable) {
        verdict_set(verdict, VERDICT_RETRY, "owner-unreadable",
                    OWNER_LABEL " holds something else than one \"epoch=N\": look who wrote it, then delete it");
        return;
    }
    *ret_owner = found.owner;
    *verdict = (struct verdict){.kind = VERDICT_SETTLED};
}

static enum err rfc2136_parse_owner(void *context, const struct provider_request *request,
                                    const struct provider_reply *reply, struct provider_owner *ret_owner,
                                    struct verdict *ret_verdict)
{
    struct dnsmsg message;
    bool judged = false;
    enum err err = read_reply(context, request, reply, &message, ret_verdict, &judged);
    if (err != ERR_OK) {
        return err;
    }
    if (!judged && message.rcode != DNSMSG_NOERROR && message.rcode != DNSMSG_NXDOMAIN) {
        explain(ret_verdict, VERDICT_RETRY, &message, context, request);
    } else if (!judged) {
        judge_owner(&message, ret_owner, ret_verdict);
    }
    dnsmsg_deinit(&message);
    return ERR_OK;
}

static enum err rfc2136_build_claim(void *context, const struct provider_zone *zone, const struct provider_owner *seen,
                                    uint64_t epoch, struct provider_request *request)
{
    struct rfc2136 *state = context;
    struct dnswire wire;
    struct owner_name buffer;
    char before[OWNER_TEXT_SIZE], after[OWNER_TEXT_SIZE];
    struct view owner = owner_name(zone, &buffer);
    request->stage = seen->present && seen->epoch == epoch ? STAGE_PROBE : STAGE_CLAIM;
    dnswire_update(&wire, state->scratch, sizeof(state->scratch), request->id, view_of(zone->name));
    if (seen->present) {
        dnswire_require_txt(&wire, owner, owner_text(seen->epoch, before));
    } else {
        dnswire_require_absent(&wire, owner, DNSMSG_TYPE_TXT);
    }
    dnswire_replace_txt(&wire, owner, OWNER_TTL_S, owner_text(epoch, after));
    return finish(state, &wire, request);
}

static enum err rfc2136_parse_claim(void *context, const struct provider_request *request,
                                    const struct provider_reply *reply, struct verdict *ret_verdict)
{
    struct dnsmsg message;
    bool judged = false;
    enum err err = read_reply(context, request, reply, &message, ret_verdict, &judged);
    if (err != ERR_OK) {
        return err;
    }
    if (!judged && message.rcode == DNSMSG_NOERROR) {
        *ret_verdict = (struct verdict){.kind = VERDICT_SETTLED};
    } else if (!judged && message.rcode == DNSMSG_REFUSED && request->stage == STAGE_PROBE) {
        verdict_set(ret_verdict, VERDICT_RETRY, "frozen",
                    "REFUSED: the server takes no update of the zone any more: thaw it if it is frozen, or allow this "
                    "key again to update it");
    } else if (!judged) {
        bool beaten = message.rcode == DNSMSG_NXRRSET || message.rcode == DNSMSG_YXRRSET;
        explain(ret_verdict, beaten ? VERDICT_FENCED : VERDICT_RETRY, &message, context, request);
    }
    dnsmsg_deinit(&message);
    return ERR_OK;
}

struct list {
    struct dnsmsg_axfr *axfr; /* owned */
    struct provider_listing listing;
};

static void list_record(void *context, const struct dnsmsg_record *record)
{
    struct list *list = context;
    struct rrset_value value = {0};
    add_address(&value, record);
    if (value.len == 1) {
        list->listing.each(list->listing.context, record->name, (enum rrtype)record->type, record->ttl, &value.ips[0]);
    }
}

static enum err rfc2136_list_begin(void *context, struct provider_zone *zone, const struct provider_listing *listing,
                                   struct provider_request *request, void **ret_list)
{
    struct rfc2136 *state = context;
    struct dnswire wire;
    dnswire_query(&wire, state->scratch, sizeof(state->scratch), request->id, view_of(zone->name), DNSWIRE_TYPE_AXFR);
    enum err err = finish(state, &wire, request);
    struct list *list = err == ERR_OK ? calloc(1, sizeof(*list)) : NULL;
    if (list == NULL) {
        return err != ERR_OK ? err : ERR_NOMEM;
    }
    list->listing = *listing;
    err = dnsmsg_axfr_new(state->key, &request->mac, list_record, list, &list->axfr);
    if (err != ERR_OK) {
        free(list);
        return err;
    }
    *ret_list = list;
    return ERR_OK;
}

static enum err rfc2136_list_feed(void *context, const struct provider_request *request,
                                  const struct provider_reply *reply, bool *ret_done, struct errinfo *info)
{
    (void)request;
    struct list *list = context;
    return dnsmsg_axfr_feed(list->axfr, reply->body, ret_done, info);
}

static void rfc2136_list_end(void *context)
{
    struct list *list = context;
    if (list != NULL) {
        dnsmsg_axfr_free(list->axfr);
        free(list);
    }
}

static const char *const transports[] = {"tcp", "tls", NULL};

static const struct provider_option rfc2136_options[] = {
    {.name = "transport",
     .help = "tcp, or tls: DNS over TLS (RFC 7858, RFC 9103), with roots from `ca_file`",
     .choices = transports},
    {.name = "tls_name", .help = "name that the server's certificate must bear, where it is not the host of `server`"},
    {.name = NULL},
};

const struct provider_ops provider_rfc2136 = {
    .about = {.name = "rfc2136",
              .service = "BIND/Knot/Technitium/generic RFC 2136",
              .class = "R",
              .since = "0.1",
              .source = "https://www.rfc-editor.org/rfc/rfc2136",
              .read = "2026-11-22",
              .note = "key_file: the TSIG key; with `transport: tls` give `server` or `tls_name`, the name that the "
                      "certificate must bear"},
    .transport = PROVIDER_DNS,
    .takes = PROVIDER_SERVER | PROVIDER_KEY,
    .options = rfc2136_options,
    .shared = true,
    .open = rfc2136_open,
    .close = rfc2136_close,
    .limits = rfc2136_limits,
    .item_size = rfc2136_item_size,
    .build_request = rfc2136_build,
    .parse_reply = rfc2136_parse,
    .build_owner = rfc2136_build_owner,
    .parse_owner = rfc2136_parse_owner,
    .build_claim = rfc2136_build_claim,
    .parse_claim = rfc2136_parse_claim,
    .list_begin = rfc2136_list_begin,
    .list_feed = rfc2136_list_feed,
    .list_end = rfc2136_list_end,
};
