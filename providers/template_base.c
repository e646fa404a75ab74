/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_base: the return codes of the dyndns2 protocol as data, and what HTTP statuses mean where a template does
 * not say. Sources: help.dyn.com/return-codes and /remote-access-api/policies; noip.com/integrate/response (911 for 30
 * minutes; Dynu says ten, the longer holds for all) and its older wNN; dynu.com/DynamicDNS/IP-Update-Protocol
 * (servererror). Read 2026-11-22. Pure.
 */
#include "base/macros.h"
#include "providers/template_internal.h"

#define MINUTE_MS 60000ull

static const struct template_code codes[] = {
    {"good", "", TEMPLATE_APPLIED, 0, 0},
    {"nochg",
     "the service said twice in a row that nothing changed, and blocks names for that: see who else updates this name, "
     "then muster provider resume",
     TEMPLATE_UNCHANGED, 0, 2},
    {"badauth", "user name or password is wrong: mend the account, then reload", TEMPLATE_STOP_ACCOUNT, 0, 0},
    {"badagent", "the service refuses this client: ask it, then change the account", TEMPLATE_STOP_SERVICE, 0, 0},
    {"badsys", "the service refuses a parameter: check the account's url", TEMPLATE_STOP_ACCOUNT, 0, 0},
    {"!donator", "the service's plan does not include this: change the plan or the name", TEMPLATE_STOP_FAMILY, 0, 0},
    {"notfqdn", "the service does not take this as a full host name", TEMPLATE_STOP_HOST, 0, 0},
    {"nofqdn", "the service does not take this as a full host name", TEMPLATE_STOP_HOST, 0, 0},
    {"nohost", "the name does not exist in this account: create it at the service", TEMPLATE_STOP_HOST, 0, 0},
    {"!yours", "the name belongs to another account", TEMPLATE_STOP_HOST, 0, 0},
    {"!active", "the name's domain is not active at the service", TEMPLATE_STOP_HOST, 0, 0},
    {"abuse", "the service blocked the name for abuse: have it cleared there first", TEMPLATE_STOP_HOST, 0, 0},
    {"numhost", "too many hosts in one request, or a name with several addresses", TEMPLATE_SPLIT, 0, 0},
    {"badrequest", "the service could not read the request: check url and ipv6 of the account", TEMPLATE_MALFORMED, 0,
     0},
    {"dnserr", "the service has trouble with its DNS", TEMPLATE_WAIT_HOST, 30 * MINUTE_MS, 4},
    {"911", "the service is down for maintenance", TEMPLATE_WAIT_ACCOUNT, 30 * MINUTE_MS, 0},
    {"servererror", "the service failed inside", TEMPLATE_WAIT_ACCOUNT, 0, 0},
};
static const struct template_code wait_code = {"wait", "the service asked to wait", TEMPLATE_WAIT_ACCOUNT, 0, 0};
const struct template_code template_unknown = {
    "unknown-reply", "the service answered with something that is not part of its protocol", TEMPLATE_UNKNOWN, 0, 0};

/** "w30m" and its like. */
static bool parse_wait(struct view word, uint64_t *ret_wait_ms)
{
    uint64_t number = 0;
    if (word.len < 3 || word.ptr[0] != 'w' || view_to_u64(view_n(word.ptr + 1, word.len - 2), 999, &number) != ERR_OK) {
        return false;
    }
    switch (word.ptr[word.len - 1]) {
    case 'h':
        *ret_wait_ms = number * 60 * MINUTE_MS;
        return true;
    case 'm':
        *ret_wait_ms = number * MINUTE_MS;
        return true;
    case 's':
        *ret_wait_ms = number * 1000;
        return true;
    default:
        return false;
    }
}

const struct template_code *template_dyndns2_code(struct view word, uint64_t *ret_wait_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (view_equals(word, codes[i].code)) {
            *ret_wait_ms = codes[i].wait_ms;
            return &codes[i];
        }
    }
    *ret_wait_ms = 0;
    return parse_wait(word, ret_wait_ms) ? &wait_code : NULL;
}

/* ---- HTTP ---- */

static const struct template_code unauthorised = {"badauth", "user name, password or token is wrong: mend the account",
                                                  TEMPLATE_STOP_ACCOUNT, 0, 0};
static const struct template_code forbidden = {"forbidden", "the service refuses this account or url",
                                               TEMPLATE_STOP_ACCOUNT, 0, 0};
static const struct template_code absent = {
    "notfound", "the service does not know the name: create it there, then muster provider resume", TEMPLATE_STOP_HOST,
    0, 0};
static const struct template_code malformed = {
    "badrequest", "the service could not read the request: check url and ipv6 of the account", TEMPLATE_MALFORMED, 0,
    0};
static const struct template_code limited = {"rate-limited", "too many requests", TEMPLATE_WAIT_ACCOUNT, 0, 0};
static const struct template_code failed = {"servererror", "the service failed inside", TEMPLATE_WAIT_ACCOUNT, 0, 0};

const struct template_code *template_status_code(enum template_base base, long status)
{
    switch (status) {
    case 400:
        return &malformed;
    case 401:
        return &unauthorised;
    case 403:
        return &forbidden;
    case 404:
        return base == TEMPLATE_BASE_DYNDNS2 ? &forbidden : &absent; /* there the path is the service's own */
    case 429:
        return &limited;
    default:
        return status >= 500 ? &failed : &template_unknown;
    }
}

const struct template_code *template_default_code(enum template_then then)
{
    static const struct template_code defaults[TEMPLATE_THENS] = {
        [TEMPLATE_APPLIED] = {"good", "", TEMPLATE_APPLIED, 0, 0},
        [TEMPLATE_UNCHANGED] = {"nochg",
                                "the service said again and again that nothing changed: see who else updates this "
                                "name, then muster provider resume",
                                TEMPLATE_UNCHANGED, 0, 0},
        [TEMPLATE_MISSING] = {"norecord",
                              "the record does not exist: create it once at the service, then muster provider resume",
                              TEMPLATE_MISSING, 0, 0},
        [TEMPLATE_STOP_HOST] = {"refused",
                                "the service refuses this name: look it up there, then muster provider resume",
                                TEMPLATE_STOP_HOST, 0, 0},
        [TEMPLATE_STOP_FAMILY] = {"family-refused", "the service refuses this kind of address for the name",
                                  TEMPLATE_STOP_FAMILY, 0, 0},
        [TEMPLATE_STOP_ACCOUNT] = {"account-refused", "the service refuses this account: mend it, then reload",
                                   TEMPLATE_STOP_ACCOUNT, 0, 0},
        [TEMPLATE_STOP_SERVICE] = {"badagent", "the service refuses this client: ask it, then change the account",
                                   TEMPLATE_STOP_SERVICE, 0, 0},
        [TEMPLATE_WAIT_HOST] = {"wait", "the service asked to wait with this name", TEMPLATE_WAIT_HOST, 0, 0},
        [TEMPLATE_WAIT_ACCOUNT] = {"wait", "the service asked to wait", TEMPLATE_WAIT_ACCOUNT, 0, 0},
        [TEMPLATE_SPLIT] = {"numhost", "too many hosts in one request", TEMPLATE_SPLIT, 0, 0},
        [TEMPLATE_MALFORMED] = {"badrequest", "the service could not read the request", TEMPLATE_MALFORMED, 0, 0},
        [TEMPLATE_UNKNOWN] = {"unknown-reply", "what the service answered does not tell what it did", TEMPLATE_UNKNOWN,
                              0, 0},
    };
    return &defaults[then];
}
