/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * messages: the bodies of the contract as open values, their encoders and strict decoders. The JSON Schemas in
 * mqtt/schema/ are the same contract; both are judged by the vectors in tests/vectors/. Decoders borrow nothing: texts
 * are copied into the struct. Unknown fields are ignored, known ones must be right. Pure.
 * Texts are ASCII: ids (src, why, caps, error, event) are [a-z0-9-], a name is [a-z0-9_*.-], a type [A-Z0-9], a term
 * "[A-Za-z0-9-]{1,40}:[0-9]{1,20}", the rest is blank to tilde; wall times end with the year 9999, counters at 2^53-1.
 * Encoders append to @p out and refuse what decoders would: @return ERR_INVALID, ERR_LIMIT (over MQTT_PAYLOAD_MAX or
 * the buffer's cap), ERR_NOMEM. Decoders write their result on success only: @return ERR_PARSE, ERR_INVALID, ERR_LIMIT,
 * ERR_NOMEM, with the field in @p info (NULL allowed).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/strbuf.h"
#include "base/view.h"
#include "mqtt/limits.h"

#define MESSAGE_VERSION      1
#define MESSAGE_CONTENT_TYPE "application/json"
#define OBSERVED_PROPERTY    "muster-observed"

/** Absent means unknown, an explicit null means gone: only the latter may retract a record. */
enum field_presence { FIELD_ABSENT, FIELD_NULL, FIELD_SET };

struct address_field {
    enum field_presence presence;
    struct ip ip; /* when FIELD_SET */
};

/** What stands between an uplink and the internet, for IPv4; on the wire "public", "nat", ... */
enum nat_class {
    NAT_UNKNOWN, /* not said */
    NAT_PUBLIC,
    NAT_NAT,          /* some NAT, class unknown: inbound unproven */
    NAT_PORT_CONTROL, /* one NAT whose router opens ports */
    NAT_DOUBLE,
    NAT_CGNAT,
    NAT_DSLITE,
    NAT_464XLAT,
    NAT_TUNNEL, /* the path leaves through a VPN or proxy */
};
#define NAT_CLASSES (NAT_TUNNEL + 1)
/** "unknown", "public", "nat", "port-control", "double", "cgnat", "dslite", "464xlat", "tunnel": static storage. */
const char *nat_class_name(enum nat_class nat);

enum nat_inbound { NAT_INBOUND_UNPROVEN, NAT_INBOUND_POSSIBLE, NAT_INBOUND_OPEN, NAT_INBOUND_NONE };
/** Whether somebody outside can reach the device: cgnat, double, dslite and 464xlat have no inbound path, only
 * public is open, port-control possible, anything else unproven. */
enum nat_inbound nat_inbound(enum nat_class nat);
const char *nat_inbound_name(enum nat_inbound inbound); /* "unproven", "possible", "open", "none" */

/** Whether anything outside answers along a path. */
enum alive { ALIVE_UNKNOWN, ALIVE_YES, ALIVE_NO };
#define ALIVE_STATES (ALIVE_NO + 1)

struct uplink {
    char name[MQTT_TEXT_MAX + 1]; /* interface name */
    bool up;
    struct address_field ip4, ip6;
    struct ip seen4, seen6; /* what the internet sees of this path, by the device's own sources; IP_NONE = unknown */
    enum nat_class nat;
    enum alive alive4, alive6; /* by the device's own questions, one a family */
    bool has_metric;
    uint32_t metric; /* of its IPv4 default route, else of its IPv6 one; the lowest is the primary uplink */
};

/** Seconds left when the message was sent; 0: without end, or not said. */
struct lifetime {
    uint32_t preferred_s, valid_s;
};

struct also_prefix {
    struct ip_prefix prefix; /* IPv6 */
    struct lifetime life;
};

enum time_quality { TIME_NONE, TIME_FLOOR, TIME_RTC, TIME_NTP, TIME_SIGNED };

struct state_message {
    bool on; /* s: "on" or "off" (clean shutdown) */
    uint32_t boot, conn, seq;
    int64_t ts; /* wall ms, 0 when unknown; orders nothing */
    enum time_quality tsq;
    struct address_field ip4, ip6;
    bool has_prefix6;         /* false: unknown, unless prefix6_gone */
    bool prefix6_gone;        /* an explicit null; not together with has_prefix6 */
    struct ip_prefix prefix6; /* the prefix that a gateway's hosts live in */
    struct lifetime prefix6_life;
    struct also_prefix prefix6_also[MQTT_ALSO_MAX]; /* preferred beside prefix6; without it they mean nothing */
    size_t prefix6_also_len;
    struct uplink uplinks[MQTT_UPLINKS_MAX];
    size_t uplinks_len;
    char src[MQTT_TEXT_MAX + 1];   /* source of the addresses: "interface", "observed", ... */
    char why[MQTT_TEXT_MAX + 1];   /* "birth", "change", "heartbeat", "sync", "repeat" */
    char agent[MQTT_TEXT_MAX + 1]; /* agent version */
    char fw[MQTT_TEXT_MAX + 1];    /* firmware version, may be "" */
    char cfg[MQTT_TEXT_MAX + 1];   /* config generation, may be "" */
    char caps[MQTT_CAPS_MAX][MQTT_TEXT_MAX + 1];
    size_t caps_len;
};

enum err state_encode(const struct state_message *message, struct strbuf *out) MUST_CHECK;
/** Runs state_scan first, so that both refuse the same texts. */
enum err state_decode(struct view text, struct state_message *ret_message, struct errinfo *info) MUST_CHECK;

/** What dedup needs of a state, found in one pass without allocation. Judges validity of the JSON and of these five
 * fields; the content is judged by state_decode when the hash is new. */
struct state_scan {
    bool on;
    uint32_t boot, conn, seq;
    bool repeat;           /* why: the device has no answer to this state yet */
    uint64_t content_hash; /* of everything but v, s, boot, conn, seq, ts, tsq, why; comparable within one process */
};
enum err state_scan(struct view text, struct state_scan *ret_scan) MUST_CHECK;

struct gone_message {
    uint32_t boot, conn;
};
enum err gone_encode(const struct gone_message *message, struct strbuf *out) MUST_CHECK;
enum err gone_decode(struct view text, struct gone_message *ret_message, struct errinfo *info) MUST_CHECK;

enum name_state { NAME_PENDING, NAME_APPLIED, NAME_REFUSED, NAME_HELD, NAME_GONE };
const char *name_state_text(enum name_state state);

struct name_status {
    char name[254];
    char type[8];                  /* "A", "AAAA" */
    char value[MQTT_TEXT_MAX + 1]; /* "" when withdrawn */
    uint32_t ttl;                  /* seconds */
    enum name_state state;
    int64_t since;                 /* wall ms of the last change of state */
    char error[MQTT_TEXT_MAX + 1]; /* "" when none */
    int64_t next;                  /* wall ms of the next try, 0 when none is due */
};

struct dns_message {
    char term[64]; /* "<store uuid>:<n>" */
    bool has_ack;
    uint32_t ack_boot, ack_seq;
    struct ip observed;            /* IP_NONE when unknown */
    char error[MQTT_TEXT_MAX + 1]; /* "unregistered", "not-public", ... or "" */
    struct name_status names[MQTT_NAMES_MAX];
    size_t names_len;
};
enum err dns_encode(const struct dns_message *message, struct strbuf *out) MUST_CHECK;
enum err dns_decode(struct view text, struct dns_message *ret_message, struct errinfo *info) MUST_CHECK;

/** fleet/summary. */
struct summary_message {
    int64_t ts;
    char term[64];
    uint64_t devices, online, late, lost, unknown, unregistered;
    uint64_t records, applied, pending, refused, held;
    uint64_t changes;                    /* since start */
    double change_p50_ms, change_p99_ms; /* report taken in to authoritative answer, last 10 minutes */
};
enum err summary_encode(const struct summary_message *message, struct strbuf *out) MUST_CHECK;
enum err summary_decode(struct view text, struct summary_message *ret_message, struct errinfo *info) MUST_CHECK;

/** fleet/feed: one change. */
struct feed_message {
    int64_t ts;
    char device[DEVICE_ID_MAX + 1];
    char event[MQTT_TEXT_MAX + 1]; /* "applied", "refused", "online", "lost", ... */
    char name[254];                /* "" when the event is not about a name */
    char type[8];
    char value[MQTT_TEXT_MAX + 1];
    uint64_t dropped; /* feed messages left out by the rate limit since the last one sent */
};
enum err feed_encode(const struct feed_message *message, struct strbuf *out) MUST_CHECK;
enum err feed_decode(struct view text, struct feed_message *ret_message, struct errinfo *info) MUST_CHECK;

/** coord/<kid>/state: birth and will of a coordinator. */
struct coord_message {
    bool on;
    char term[64];
    int64_t ts;
};
enum err coord_encode(const struct coord_message *message, struct strbuf *out) MUST_CHECK;
enum err coord_decode(struct view text, struct coord_message *ret_message, struct errinfo *info) MUST_CHECK;

/** bc/sync: "report again within window_s seconds". */
struct sync_message {
    uint32_t window_s;
};
enum err sync_encode(const struct sync_message *message, struct strbuf *out) MUST_CHECK;
enum err sync_decode(struct view text, struct sync_message *ret_message, struct errinfo *info) MUST_CHECK;

/** Splits the plugin's stamp "<address> <64 hex digits>". @return ERR_PARSE. */
enum err observed_parse(struct view value, struct ip *ret_ip, struct view *ret_address_text,
                        uint8_t ret_mac[static 32]) MUST_CHECK;
