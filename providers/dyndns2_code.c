/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/dyndns2.h"

#include "base/macros.h"

#define MINUTE_MS 60000ull

static const struct dyndns2_code codes[] = {
    {"good", DYNDNS2_APPLIED, 0, 0, ""},
    {"nochg", DYNDNS2_APPLIED, 0, 2,
     "the service said twice in a row that nothing changed, and blocks names for that: see who else updates this name, "
     "then reload"},
    {"badauth", DYNDNS2_STOP_ACCOUNT, 0, 0, "user name or password is wrong: mend the account, then reload"},
    {"badagent", DYNDNS2_STOP_SERVICE, 0, 0, "the service refuses this client: ask it, then change the account"},
    {"badsys", DYNDNS2_STOP_ACCOUNT, 0, 0, "the service refuses a parameter: check the account's url"},
    {"!donator", DYNDNS2_STOP_FAMILY, 0, 0, "the service's plan does not include this: change the plan or the name"},
    {"notfqdn", DYNDNS2_STOP_HOST, 0, 0, "the service does not take this as a full host name"},
    {"nofqdn", DYNDNS2_STOP_HOST, 0, 0, "the service does not take this as a full host name"},
    {"nohost", DYNDNS2_STOP_HOST, 0, 0, "the name does not exist in this account: create it at the service"},
    {"!yours", DYNDNS2_STOP_HOST, 0, 0, "the name belongs to another account"},
    {"!active", DYNDNS2_STOP_HOST, 0, 0, "the name's domain is not active at the service"},
    {"abuse", DYNDNS2_STOP_HOST, 0, 0, "the service blocked the name for abuse: have it cleared there first"},
    {"numhost", DYNDNS2_SPLIT, 0, 0, "too many hosts in one request, or a name with several addresses"},
    {"badrequest", DYNDNS2_MALFORMED, 0, 0,
     "the service could not read the request: check url and ipv6 of the account"},
    {"dnserr", DYNDNS2_WAIT_HOST, 30 * MINUTE_MS, 4, "the service has trouble with its DNS"},
    {"911", DYNDNS2_WAIT_ACCOUNT, 30 * MINUTE_MS, 0, "the service is down for maintenance"},
    {"servererror", DYNDNS2_WAIT_ACCOUNT, 0, 0, "the service failed inside"},
};
static const struct dyndns2_code wait_code = {"wait", DYNDNS2_WAIT_ACCOUNT, 0, 0, "the service asked to wait"};
static const struct dyndns2_code unknown_code = {"unknown-reply", DYNDNS2_UNKNOWN, 0, 0,
                                                 "the service answered with something that is not a dyndns2 code"};

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

const struct dyndns2_code *dyndns2_find(struct view word, uint64_t *ret_wait_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (view_equals(word, codes[i].code)) {
            *ret_wait_ms = codes[i].wait_ms;
            return &codes[i];
        }
    }
    *ret_wait_ms = 0;
    return parse_wait(word, ret_wait_ms) ? &wait_code : &unknown_code;
}
