/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dnsmsg.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/libknot.h>

#include "base/crypto.h"

struct dnsmsg_key {
    knot_tsig_key_t knot;
    size_t size;
};

const char *dnsmsg_rcode_name(unsigned rcode)
{
    static const struct {
        unsigned rcode;
        const char *name;
    } names[] = {
        {DNSMSG_NOERROR, "NOERROR"},   {DNSMSG_FORMERR, "FORMERR"}, {DNSMSG_SERVFAIL, "SERVFAIL"},
        {DNSMSG_NXDOMAIN, "NXDOMAIN"}, {DNSMSG_NOTIMP, "NOTIMP"},   {DNSMSG_REFUSED, "REFUSED"},
        {DNSMSG_YXDOMAIN, "YXDOMAIN"}, {DNSMSG_YXRRSET, "YXRRSET"}, {DNSMSG_NXRRSET, "NXRRSET"},
        {DNSMSG_NOTAUTH, "NOTAUTH"},   {DNSMSG_NOTZONE, "NOTZONE"}, {DNSMSG_BADSIG, "BADSIG"},
        {DNSMSG_BADKEY, "BADKEY"},     {DNSMSG_BADTIME, "BADTIME"}, {DNSMSG_BADTRUNC, "BADTRUNC"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].rcode == rcode) {
            return names[i].name;
        }
    }
    return "RCODE";
}

enum err dnsmsg_key_new(const struct tsigkey *text, struct dnsmsg_key **ret_key, struct errinfo *info)
{
    struct dnsmsg_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        return ERR_NOMEM;
    }
    int result = knot_tsig_key_init(&key->knot, text->algorithm, text->name, text->secret);
    if (result != KNOT_EOK) {
        free(key);
        return errinfo_set(info, ERR_INVALID, "dns", result, "TSIG key %s: name or base64 secret is not valid",
                           text->name);
    }
    key->size = knot_tsig_wire_size(&key->knot);
    *ret_key = key;
    return ERR_OK;
}

void dnsmsg_key_free(struct dnsmsg_key *key)
{
    if (key != NULL) {
        crypto_zeroise(key->knot.secret.data, key->knot.secret.size);
        knot_tsig_key_deinit(&key->knot);
        free(key);
    }
}

size_t dnsmsg_key_size(const struct dnsmsg_key *key)
{
    return key != NULL ? key->size : 0;
}

enum err dnsmsg_sign(const struct dnsmsg_key *key, uint8_t *data, size_t size, size_t *len, struct dnsmsg_mac *ret_mac)
{
    *ret_mac = (struct dnsmsg_mac){0};
    if (key == NULL) {
        return ERR_OK;
    }
    if (size - *len < key->size) {
        return ERR_LIMIT;
    }
    size_t mac_len = sizeof(ret_mac->bytes);
    if (knot_tsig_sign(data, len, size, NULL, 0, ret_mac->bytes, &mac_len, &key->knot, 0, 0) != KNOT_EOK) {
        return ERR_CRYPTO;
    }
    ret_mac->len = mac_len;
    return ERR_OK;
}

/** Parses a copy of @p wire: libknot cuts the TSIG record off the buffer it parses. */
static enum err parse_packet(struct view wire, uint8_t **ret_copy, knot_pkt_t **ret_packet)
{
    if (wire.len < KNOT_WIRE_HEADER_SIZE) {
        return ERR_PARSE;
    }
    if (wire.len > DNSMSG_MAX) {
        return ERR_LIMIT;
    }
    uint8_t *copy = malloc(wire.len);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    memcpy(copy, wire.ptr, wire.len);
    knot_pkt_t *packet = knot_pkt_new(copy, (uint16_t)wire.len, NULL);
    if (packet == NULL || knot_pkt_parse(packet, 0) != KNOT_EOK) {
        enum err err = packet == NULL ? ERR_NOMEM : ERR_PARSE;
        knot_pkt_free(packet);
        free(copy);
        return err;
    }
    *ret_copy = copy;
    *ret_packet = packet;
    return ERR_OK;
}

/** Server's clock from a BADTIME answer: 48 bits of other data (RFC 8945 5.2.3). */
static int64_t badtime_clock(const knot_rrset_t *tsig)
{
    const uint8_t *other = knot_tsig_rdata_other_data(tsig);
    if (other == NULL || knot_tsig_rdata_other_data_length(tsig) != 6) {
        return 0;
    }
    int64_t seconds = 0;
    for (size_t i = 0; i < 6; i++) {
        seconds = seconds << 8 | other[i];
    }
    return seconds;
}

static enum dnsmsg_trust check_reply(const knot_pkt_t *packet, const struct dnsmsg_key *key,
                                     const struct dnsmsg_mac *mac)
{
    if (key == NULL || packet->tsig_rr == NULL || knot_tsig_rdata_mac_length(packet->tsig_rr) == 0) {
        return DNSMSG_UNSIGNED;
    }
    int result =
        knot_tsig_client_check(packet->tsig_rr, packet->wire, packet->size, mac->bytes, mac->len, &key->knot, 0);
    return result == KNOT_EOK ? DNSMSG_VERIFIED : DNSMSG_FORGED;
}

enum err dnsmsg_parse(struct view wire, const struct dnsmsg_key *key, const struct dnsmsg_mac *mac,
                      struct dnsmsg *ret_message)
{
    uint8_t *copy = NULL;
    knot_pkt_t *packet = NULL;
    enum err err = parse_packet(wire, &copy, &packet);
    if (err != ERR_OK) {
        return err;
    }
    *ret_message = (struct dnsmsg){
        .packet = packet,
        .copy = copy,
        .id = knot_wire_get_id(copy),
        .opcode = knot_wire_get_opcode(copy),
        .response = knot_wire_get_qr(copy) != 0,
        .truncated = knot_wire_get_tc(copy) != 0,
        .authoritative = knot_wire_get_aa(copy) != 0,
        .rcode = knot_wire_get_rcode(copy),
        .trust = check_reply(packet, key, mac),
    };
    if (packet->tsig_rr != NULL) {
        ret_message->tsig_error = knot_tsig_rdata_error(packet->tsig_rr);
        ret_message->server_time_s = ret_message->tsig_error == DNSMSG_BADTIME ? badtime_clock(packet->tsig_rr) : 0;
    }
    return ERR_OK;
}

void dnsmsg_deinit(struct dnsmsg *message)
{
    knot_pkt_free(message->packet);
    free(message->copy);
    *message = (struct dnsmsg){0};
}

/** Owner as canonical text. False for names that no record of ours can have (escapes, longer than 253). */
static bool owner_text(const knot_dname_t *owner, char buffer[static KNOT_DNAME_TXT_MAXLEN + 1])
{
    if (knot_dname_to_str(buffer, owner, KNOT_DNAME_TXT_MAXLEN + 1) == NULL) {
        return false;
    }
    size_t len = strlen(buffer);
    if (len > 0 && buffer[len - 1] == '.') {
        buffer[--len] = '\0';
    }
    for (char *c = buffer; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return len <= DNSNAME_MAX;
}

static void each_of_section(const knot_pkt_t *packet, knot_section_t which, dnsmsg_each_fn each, void *context)
{
    const knot_pktsection_t *section = knot_pkt_section(packet, which);
    char name[KNOT_DNAME_TXT_MAXLEN + 1];
    for (uint16_t i = 0; i < section->count; i++) {
        const knot_rrset_t *rrset = knot_pkt_rr(section, i);
        if (!owner_text(rrset->owner, name)) {
            continue;
        }
        knot_rdata_t *rdata = rrset->rrs.rdata;
        for (uint16_t j = 0; j < rrset->rrs.count; j++, rdata = knot_rdataset_next(rdata)) {
            each(context, &(struct dnsmsg_record){.name = name,
                                                  .type = rrset->type,
                                                  .ttl = rrset->ttl,
                                                  .rdata = view_n((const char *)rdata->data, rdata->len)});
        }
    }
}

void dnsmsg_each_answer(const struct dnsmsg *message, dnsmsg_each_fn each, void *context)
{
    each_of_section(message->packet, KNOT_ANSWER, each, context);
}

void dnsmsg_each_authority(const struct dnsmsg *message, dnsmsg_each_fn each, void *context)
{
    each_of_section(message->packet, KNOT_AUTHORITY, each, context);
}

enum err dnsmsg_host(const struct dnsmsg_record *record, char ret_host[static DNSNAME_SIZE])
{
    char name[KNOT_DNAME_TXT_MAXLEN + 1];
    const uint8_t *wire = (const uint8_t *)record->rdata.ptr;
    bool names = record->type == DNSMSG_TYPE_NS || record->type == DNSMSG_TYPE_CNAME || record->type == DNSMSG_TYPE_SOA;
    if (!names || knot_dname_wire_check(wire, wire + record->rdata.len, NULL) <= 1 || !owner_text(wire, name)) {
        return ERR_INVALID;
    }
    return dnsname_parse(view_of(name), DNSNAME_RECORD, ret_host, NULL) == ERR_OK ? ERR_OK : ERR_INVALID;
}

struct view dnsmsg_txt(const struct dnsmsg_record *record)
{
    if (record->type != DNSMSG_TYPE_TXT || record->rdata.len == 0) {
        return (struct view){0};
    }
    size_t len = (uint8_t)record->rdata.ptr[0];
    return len < record->rdata.len ? view_n(record->rdata.ptr + 1, len) : (struct view){0};
}

enum { AXFR_UNSIGNED_MAX = 100 }; /* RFC 8945 5.3.1: a TSIG at least every 100 messages */

struct dnsmsg_axfr {
    const struct dnsmsg_key *key; /* borrowed */
    struct dnsmsg_mac mac;        /* of the request, then of the last signed message */
    bool first_signature;         /* none was seen yet */
    dnsmsg_each_fn each;
    void *context;
    unsigned soas;    /* SOA records seen: the second ends the transfer */
    uint8_t *pending; /* owned: bytes since the last signature, TSIG records cut off */
    size_t pending_len, pending_size;
    knot_pkt_t *packets[AXFR_UNSIGNED_MAX]; /* owned: parsed, not yet authenticated */
    uint8_t *copies[AXFR_UNSIGNED_MAX];     /* owned: their bytes */
    size_t packets_len;
};

enum err dnsmsg_axfr_new(const struct dnsmsg_key *key, const struct dnsmsg_mac *mac, dnsmsg_each_fn each, void *context,
                         struct dnsmsg_axfr **ret_axfr)
{
    struct dnsmsg_axfr *axfr = calloc(1, sizeof(*axfr));
    if (axfr == NULL) {
        return ERR_NOMEM;
    }
    axfr->key = key;
    axfr->mac = *mac;
    axfr->first_signature = true;
    axfr->each = each;
    axfr->context = context;
    *ret_axfr = axfr;
    return ERR_OK;
}

static void drop_packets(struct dnsmsg_axfr *axfr)
{
    for (size_t i = 0; i < axfr->packets_len; i++) {
        knot_pkt_free(axfr->packets[i]);
        free(axfr->copies[i]);
    }
    axfr->packets_len = 0;
    axfr->pending_len = 0;
}

void dnsmsg_axfr_free(struct dnsmsg_axfr *axfr)
{
    if (axfr != NULL) {
        drop_packets(axfr);
        free(axfr->pending);
        free(axfr);
    }
}

static enum err append_pending(struct dnsmsg_axfr *axfr, const knot_pkt_t *packet)
{
    size_t need = axfr->pending_len + packet->size;
    if (need > axfr->pending_size) {
        uint8_t *grown = realloc(axfr->pending, 2 * need);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        axfr->pending = grown;
        axfr->pending_size = 2 * need;
    }
    memcpy(axfr->pending + axfr->pending_len, packet->wire, packet->size);
    axfr->pending_len = need;
    return ERR_OK;
}

/** Checks the signature that covers everything pending and remembers its MAC for the next one. */
static bool check_signature(struct dnsmsg_axfr *axfr, const knot_rrset_t *tsig)
{
    const knot_tsig_key_t *key = &axfr->key->knot;
    int result = axfr->first_signature ? knot_tsig_client_check(tsig, axfr->pending, axfr->pending_len, axfr->mac.bytes,
                                                                axfr->mac.len, key, 0)
                                       : knot_tsig_client_check_next(tsig, axfr->pending, axfr->pending_len,
                                                                     axfr->mac.bytes, axfr->mac.len, key, 0);
    size_t mac_len = knot_tsig_rdata_mac_length(tsig);
    if (result != KNOT_EOK || mac_len == 0 || mac_len > sizeof(axfr->mac.bytes)) {
        return false;
    }
    memcpy(axfr->mac.bytes, knot_tsig_rdata_mac(tsig), mac_len);
    axfr->mac.len = mac_len;
    axfr->first_signature = false;
    return true;
}

static void count_soa(void *context, const struct dnsmsg_record *record)
{
    struct dnsmsg_axfr *axfr = context;
    axfr->soas += record->type == DNSMSG_TYPE_SOA ? 1 : 0;
}

static void release_packets(struct dnsmsg_axfr *axfr)
{
    for (size_t i = 0; i < axfr->packets_len; i++) {
        each_of_section(axfr->packets[i], KNOT_ANSWER, axfr->each, axfr->context);
    }
    drop_packets(axfr);
}

static enum err check_header(const knot_pkt_t *packet, struct errinfo *info)
{
    unsigned rcode = knot_wire_get_rcode(packet->wire);
    unsigned tsig = packet->tsig_rr != NULL ? knot_tsig_rdata_error(packet->tsig_rr) : 0;
    if (rcode != DNSMSG_NOERROR) {
        return errinfo_set(info, tsig != 0 ? ERR_AUTH : ERR_DENIED, "dns", (long)(tsig != 0 ? tsig : rcode),
                           "zone transfer: server answered %s; allow transfers to this TSIG key",
                           dnsmsg_rcode_name(tsig != 0 ? tsig : rcode));
    }
    if (!knot_wire_get_qr(packet->wire) || knot_wire_get_tc(packet->wire)) {
        return errinfo_set(info, ERR_PARSE, "dns", 0, "zone transfer: not a whole answer");
    }
    return ERR_OK;
}

static enum err take_packet(struct dnsmsg_axfr *axfr, bool *ret_done, struct errinfo *info)
{
    const knot_pkt_t *packet = axfr->packets[axfr->packets_len - 1];
    bool was_empty = axfr->soas == 0;
    each_of_section(packet, KNOT_ANSWER, count_soa, axfr);
    if (was_empty && axfr->soas == 0) {
        return errinfo_set(info, ERR_PARSE, "dns", 0, "zone transfer does not start with SOA");
    }
    bool done = axfr->soas >= 2;
    if (axfr->key != NULL) {
        enum err err = append_pending(axfr, packet);
        if (err != ERR_OK) {
            return err;
        }
        if (packet->tsig_rr != NULL && !check_signature(axfr, packet->tsig_rr)) {
            return errinfo_set(info, ERR_AUTH, "dns", 0, "zone transfer: signature is wrong");
        }
        if (packet->tsig_rr == NULL) { /* the last message must be signed, RFC 8945 5.3.1 */
            return done ? errinfo_set(info, ERR_AUTH, "dns", 0, "zone transfer: last message is not signed") : ERR_OK;
        }
    }
    release_packets(axfr);
    *ret_done = done;
    return ERR_OK;
}

enum err dnsmsg_axfr_feed(struct dnsmsg_axfr *axfr, struct view wire, bool *ret_done, struct errinfo *info)
{
    *ret_done = false;
    if (axfr->packets_len == AXFR_UNSIGNED_MAX) {
        return errinfo_set(info, ERR_LIMIT, "dns", 0, "zone transfer: 100 messages without a signature");
    }
    enum err err = parse_packet(wire, &axfr->copies[axfr->packets_len], &axfr->packets[axfr->packets_len]);
    if (err != ERR_OK) {
        return errinfo_set(info, err, "dns", 0, "zone transfer: %s", err_text(err));
    }
    axfr->packets_len++;
    err = check_header(axfr->packets[axfr->packets_len - 1], info);
    return err == ERR_OK ? take_packet(axfr, ret_done, info) : err;
}
