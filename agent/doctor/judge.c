/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor/judge.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

#define DAY_S 86400

#define HINT_CLOCK "set the clock: an NTP client (systemd-timesyncd, chrony), or a battery for the real-time clock"
#define HINT_RENEW                                                                                                     \
    "issue a new one (muster ca issue) and put it in its place; the agent reads it at its next connection"
#define HINT_SERVER "the broker's certificate needs to be renewed (muster ca issue --profile server)"
#define HINT_LOG    "see the broker's log for the reason"

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void format_time(int64_t seconds, char buffer[static CLOCK_RFC3339_SIZE])
{
    clock_rfc3339(seconds * 1000, buffer);
}

struct finding judge_clock(int64_t now_s, bool is_set, const struct cert_validity *validity)
{
    char now[CLOCK_RFC3339_SIZE], bound[CLOCK_RFC3339_SIZE];
    format_time(now_s, now);
    if (!is_set) {
        return finding_of(CHECK_FAIL, HINT_CLOCK, "it is %s, before this program was built", now);
    }
    if (validity != NULL && now_s < validity->not_before_s) {
        format_time(validity->not_before_s, bound);
        return finding_of(CHECK_FAIL, HINT_CLOCK, "it is %s, before the device's certificate was issued (%s)", now,
                          bound);
    }
    if (validity != NULL && now_s > validity->not_after_s) {
        format_time(validity->not_after_s, bound);
        return finding_of(CHECK_WARN, "if this is not the time, set the clock; else renew the certificate",
                          "it is %s, after the device's certificate ended (%s)", now, bound);
    }
    return finding_of(CHECK_OK, NULL, "%s%s", now, validity != NULL ? ", within the device's certificate" : "");
}

struct finding judge_validity(int64_t now_s, const struct cert_validity *validity)
{
    char end[CLOCK_RFC3339_SIZE];
    format_time(validity->not_after_s, end);
    int64_t left_s = validity->not_after_s - now_s, life_s = validity->not_after_s - validity->not_before_s;
    if (left_s < 0) {
        return finding_of(CHECK_FAIL, HINT_RENEW, "ended %s, %" PRId64 " days ago", end, -left_s / DAY_S);
    }
    if (now_s < validity->not_before_s) {
        format_time(validity->not_before_s, end);
        return finding_of(CHECK_FAIL, HINT_CLOCK, "begins %s: not valid yet by this machine's clock", end);
    }
    bool soon = left_s < (int64_t)JUDGE_DAYS_WARN * DAY_S && left_s < life_s / 3;
    return finding_of(soon ? CHECK_WARN : CHECK_OK, HINT_RENEW, "%" PRId64 " days left, until %s", left_s / DAY_S, end);
}

struct finding judge_tls(const struct tlspeer *peer, const char *host)
{
    static const struct {
        enum check_verdict verdict;
        const char *text, *hint;
    } rows[TLSPEER_FAULTS] = {
        [TLSPEER_GOOD] = {CHECK_OK, "chain and name are good for", NULL},
        [TLSPEER_NO_TLS] = {CHECK_FAIL, "no TLS handshake with",
                            "is this the broker's TLS port, and nothing in between that closes or replaces it?"},
        [TLSPEER_CHAIN] = {CHECK_FAIL, "not of the authority in tls.ca_file:",
                           "tls.ca_file must be the server authority of this broker (bundle-server.pem); else somebody "
                           "stands in between"},
        [TLSPEER_NAME] = {CHECK_FAIL, "the broker's certificate is not for",
                          "name the broker in broker.endpoints as its certificate does, or issue one with that name "
                          "(muster ca issue --profile server --dns NAME)"},
        [TLSPEER_EXPIRED] = {CHECK_FAIL, "a certificate has ended, of",
                             HINT_SERVER "; or this machine's clock is wrong"},
        [TLSPEER_NOT_YET] = {CHECK_FAIL, "a certificate is not valid yet, of", HINT_CLOCK},
        [TLSPEER_DEFECTIVE] = {CHECK_FAIL, "a certificate cannot be used, of", HINT_LOG},
    };
    return finding_of(rows[peer->fault].verdict, rows[peer->fault].hint, "%s %s%s%s%s", rows[peer->fault].text, host,
                      peer->text[0] != '\0' ? " (" : "", peer->text, peer->text[0] != '\0' ? ")" : "");
}

static const char *session_hint(enum err err)
{
    switch (err) {
    case ERR_AUTH:
        return "the broker, or TLS, refused the certificate: is it of an authority the broker knows, not revoked, its "
               "name the device's id?";
    case ERR_DENIED:
        return "the broker's rules refuse this device; " HINT_LOG;
    case ERR_LIMIT:
        return "the broker has reached a limit (max_connections, descriptors)";
    case ERR_TIMEOUT:
        return "the broker does not answer: is it overloaded, or something in between drops packets?";
    default:
        return HINT_LOG ": a device's certificate that it does not accept is one";
    }
}

struct finding judge_session(enum err err, const char *reason)
{
    if (err == ERR_OK) {
        return finding_of(CHECK_OK, NULL, "the broker took this device's own connection");
    }
    bool told = reason != NULL && reason[0] != '\0';
    return finding_of(CHECK_FAIL, session_hint(err), "%s", told ? reason : err_text(err));
}

struct finding judge_connection(const json_t *status)
{
    const json_t *connection = json_object_get(status, "connection");
    const char *error = text_at(connection, "error");
    if (strcmp(text_at(connection, "state"), "connected") == 0) {
        return finding_of(CHECK_OK, NULL, "the running agent is connected to %s", text_at(connection, "endpoint"));
    }
    return finding_of(CHECK_FAIL, "what failed above is the reason; else see the agent's and the broker's log",
                      "the running agent is not connected%s%s", error[0] != '\0' ? ": " : "", error);
}

static bool is_unregistered(const json_t *status)
{
    return strcmp(text_at(json_object_get(status, "report"), "state"), "unregistered") == 0 ||
           strcmp(text_at(json_object_get(status, "dns"), "error"), "unregistered") == 0;
}

/* RFC 3339 of one form and zone sorts as text. */
static bool is_acknowledged(const json_t *status, const char *since)
{
    const json_t *report = json_object_get(status, "report");
    const char *sent = text_at(report, "sent"), *acked = text_at(report, "acknowledged");
    if (strcmp(text_at(report, "state"), "acknowledged") != 0) {
        return false;
    }
    return since[0] == '\0' || (strcmp(sent, since) >= 0 && strcmp(acked, sent) >= 0);
}

bool judge_ack_is_final(const json_t *status, const char *since)
{
    bool fresh = strcmp(text_at(json_object_get(status, "dns"), "at"), since) >= 0; /* it may be registered since */
    return (is_unregistered(status) && fresh) || is_acknowledged(status, since);
}

struct finding judge_ack(const json_t *status, const char *since)
{
    const json_t *report = json_object_get(status, "report");
    if (is_unregistered(status)) {
        return finding_of(CHECK_FAIL, "add the device to the coordinator's registry and reload the coordinator",
                          "the coordinator does not know '%s'", text_at(status, "device"));
    }
    if (is_acknowledged(status, since)) {
        return finding_of(CHECK_OK, NULL,
                          "the coordinator acknowledged what was reported now (seq %" JSON_INTEGER_FORMAT ")",
                          json_integer_value(json_object_get(report, "seq")));
    }
    const char *last = text_at(report, "acknowledged");
    return finding_of(
        CHECK_FAIL,
        "is the coordinator running and connected to this broker (muster status)? A stamp key that differs "
        "between broker and coordinator refuses every state",
        "no answer to a report; last one %s", last[0] != '\0' ? last : "never");
}

struct finding judge_names(const json_t *status)
{
    const json_t *names = json_object_get(json_object_get(status, "dns"), "names");
    size_t len = json_array_size(names);
    for (size_t i = 0; i < len; i++) {
        const json_t *name = json_array_get(names, i);
        const char *error = text_at(name, "error");
        if (error[0] != '\0') {
            return finding_of(CHECK_WARN, "see the coordinator's errors in docs/operations.md", "%s %s is %s: %s",
                              text_at(name, "name"), text_at(name, "type"), text_at(name, "state"), error);
        }
    }
    const char *error = text_at(json_object_get(status, "dns"), "error");
    if (error[0] != '\0') {
        return finding_of(CHECK_WARN, "see the coordinator's errors in docs/operations.md", "%s", error);
    }
    return finding_of(CHECK_OK, NULL, "%zu, none with an error", len);
}

static void judge_family(const json_t *family, const char *name, struct finding *finding)
{
    const char *state = text_at(family, "state"), *value = text_at(family, "value");
    bool disputed = json_is_true(json_object_get(family, "disputed"));
    if (family == NULL || finding->verdict == CHECK_FAIL) {
        return;
    }
    if (strcmp(state, "disagree") == 0) {
        *finding = finding_of(CHECK_FAIL, "muster-agent ip shows who said what; take out the source that is wrong",
                              "the sources disagree about %s, none has the quorum", name);
    } else if (disputed && finding->verdict == CHECK_OK) {
        *finding = finding_of(CHECK_WARN, "muster-agent ip shows who said what", "%s %s, and a source says otherwise",
                              name, value);
    }
}

struct finding judge_sources(const json_t *uplink)
{
    const json_t *ip4 = json_object_get(uplink, "ip4"), *ip6 = json_object_get(uplink, "ip6");
    const char *value4 = text_at(ip4, "value"), *value6 = text_at(ip6, "value");
    struct finding finding = {.verdict = CHECK_OK};
    judge_family(ip4, "IPv4", &finding);
    judge_family(ip6, "IPv6", &finding);
    if (finding.verdict != CHECK_OK) {
        return finding;
    }
    if (value4[0] == '\0' && value6[0] == '\0') {
        return finding_of(CHECK_WARN,
                          "nothing here knows a public address: while the agent is connected the broker's view counts; "
                          "else add a source (detect.sources, docs/detection.md)",
                          "no public address is known");
    }
    return finding_of(CHECK_OK, NULL, "%s%s%s", value4, value4[0] != '\0' && value6[0] != '\0' ? " and " : "", value6);
}

struct finding judge_nat(const json_t *uplink)
{
    const char *nat = text_at(uplink, "nat"), *inbound = text_at(uplink, "inbound");
    if (strcmp(inbound, "none") == 0) {
        return finding_of(
            CHECK_WARN,
            "nobody outside reaches this device over IPv4: use IPv6, a public IPv4 address of the provider, "
            "or a tunnel",
            "%s, no inbound path", nat);
    }
    if (strcmp(nat, "tunnel") == 0) {
        return finding_of(CHECK_WARN, "what is seen is the VPN's or proxy's address, not this line's",
                          "the path leaves through a VPN or a proxy");
    }
    return finding_of(CHECK_OK, NULL, "%s, inbound %s", nat[0] != '\0' ? nat : "unknown",
                      inbound[0] != '\0' ? inbound : "unproven");
}
