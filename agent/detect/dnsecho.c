/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/detect/dnsecho.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/detect/rows.h"
#include "base/hostport.h"

#define CANARY_LETTERS 16
#define SHOWN_MAX      40 /* bytes of a text that somebody sent */

static const struct dnsecho services[] = {
    {.name = "opendns", /* resolvers that answer this name for themselves: no authority */
     .servers4 = {"208.67.222.222:53", "208.67.220.220:53"},
     .servers6 = {"[2620:119:35::35]:53", "[2620:119:53::53]:53"},
     .query = "myip.opendns.com",
     .rrclass = DNS_CLASS_IN},
    {.name = "google", /* ns1 and ns2.google.com: only the name servers themselves, not 8.8.8.8 */
     .servers4 = {"216.239.32.10:53", "216.239.34.10:53"},
     .servers6 = {"[2001:4860:4802:32::a]:53", "[2001:4860:4802:34::a]:53"},
     .query = "o-o.myaddr.l.google.com",
     .type = DNS_TYPE_TXT,
     .rrclass = DNS_CLASS_IN,
     .authoritative = true},
    {.name = "cloudflare",
     .servers4 = {"1.1.1.1:53", "1.0.0.1:53"},
     .servers6 = {"[2606:4700:4700::1111]:53", "[2606:4700:4700::1001]:53"},
     .query = "whoami.cloudflare",
     .type = DNS_TYPE_TXT,
     .rrclass = DNS_CLASS_CH},
    {.name = "akamai",
     .servers4 = {"ns1-1.akamaitech.net:53"},
     .query = "whoami.akamai.net",
     .type = DNS_TYPE_A,
     .rrclass = DNS_CLASS_IN,
     .authoritative = true},
};

const struct dnsecho *dnsecho_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        if (strcmp(services[i].name, name) == 0) {
            return &services[i];
        }
    }
    return NULL;
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum err read_rrtype(const char *text, struct dnsecho *echo, struct errinfo *info)
{
    static const struct {
        const char *text;
        uint16_t type, rrclass;
    } types[] = {{"", 0, DNS_CLASS_IN},
                 {"A", DNS_TYPE_A, DNS_CLASS_IN},
                 {"AAAA", DNS_TYPE_AAAA, DNS_CLASS_IN},
                 {"TXT", DNS_TYPE_TXT, DNS_CLASS_IN},
                 {"CH TXT", DNS_TYPE_TXT, DNS_CLASS_CH}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (view_equal_nocase(view_of(types[i].text), view_of(text))) {
            echo->type = types[i].type;
            echo->rrclass = types[i].rrclass;
            return ERR_OK;
        }
    }
    return errinfo_set(info, ERR_INVALID, "detect", 0, "rrtype: \"%s\" is none of A, AAAA, TXT, \"CH TXT\"", text);
}

static enum err own_echo(const struct source_config *config, struct dnsecho *echo, struct errinfo *info)
{
    char name[DNSNAME_SIZE];
    struct errinfo why = {0};
    if (!given(config->server) || !given(config->query)) {
        return errinfo_set(info, ERR_INVALID, "detect", 0,
                           "dns: needs a service (" DNSECHO_NAMES ") or both server and query");
    }
    if (dnsname_parse(view_of(config->query), DNSNAME_RECORD, name, &why) != ERR_OK) {
        return errinfo_set(info, ERR_INVALID, "detect", 0, "query: %s", why.text);
    }
    echo->name = "dns";
    echo->query = config->query;
    enum err err = read_rrtype(given(config->rrtype) ? config->rrtype : "", echo, info);
    echo->authoritative = echo->rrclass == DNS_CLASS_IN;
    return err;
}

enum err dnsecho_of_config(const struct source_config *config, struct dnsecho *ret_echo, struct errinfo *info)
{
    struct dnsecho echo = {0};
    enum err err = rows_check(config, ROWS_SERVER | ROWS_SERVICE | ROWS_QUERY | ROWS_RRTYPE, 0, info);
    if (err != ERR_OK) {
        return err;
    }
    if (given(config->service)) {
        const struct dnsecho *known = dnsecho_find(config->service);
        if (known == NULL) {
            return errinfo_set(info, ERR_INVALID, "detect", 0, "service: \"%s\" is none of " DNSECHO_NAMES,
                               config->service);
        }
        if (given(config->query) || given(config->rrtype)) {
            return errinfo_set(info, ERR_INVALID, "detect", 0, "service: %s has its own query and rrtype",
                               config->service);
        }
        echo = *known;
    } else {
        err = own_echo(config, &echo, info);
    }
    if (err == ERR_OK && given(config->server)) {
        struct errinfo why = {0};
        if (hostport_check(view_of(config->server), &why) != ERR_OK) {
            return errinfo_set(info, ERR_INVALID, "detect", 0, "server: %s", why.text);
        }
        memset(echo.servers4, 0, sizeof(echo.servers4));
        memset(echo.servers6, 0, sizeof(echo.servers6));
        echo.servers4[0] = echo.servers6[0] = config->server;
    }
    if (err == ERR_OK) {
        *ret_echo = echo;
    }
    return err;
}

enum err dnsecho_query(const struct dnsecho *echo, uint8_t family, const uint8_t random[static DNSQUERY_RANDOM_LEN],
                       struct dnsquery *ret_query)
{
    uint16_t own = family == IP_V6 ? DNS_TYPE_AAAA : DNS_TYPE_A;
    uint16_t type = echo->type != 0 ? echo->type : own;
    const char *const *servers = family == IP_V6 ? echo->servers6 : echo->servers4;
    if (servers[0] == NULL || (type != DNS_TYPE_TXT && type != own)) {
        return ERR_UNSUPPORTED;
    }
    return dnsquery_make(view_of(echo->query), type, echo->rrclass, !echo->authoritative, random, ret_query);
}

void dnsecho_canary(const uint8_t random[static DNSQUERY_RANDOM_LEN], struct dnsquery *ret_query)
{
    static const char suffix[] = ".invalid";
    char name[CANARY_LETTERS + sizeof(suffix)];
    for (size_t i = 0; i < CANARY_LETTERS; i++) {
        name[i] = (char)('a' + random[DNSQUERY_RANDOM_LEN - 1 - i] % 26); /* the bits of its short name are others */
    }
    memcpy(name + CANARY_LETTERS, suffix, sizeof(suffix));
    enum err err = dnsquery_make(view_of(name), DNS_TYPE_A, DNS_CLASS_IN, true, random, ret_query);
    assert(err == ERR_OK);
    (void)err; /* letters only */
}

/* What somebody sent, for people: cut, and only what prints. */
struct shown {
    char text[SHOWN_MAX + 4];
};

static struct shown show(struct view bytes)
{
    struct shown shown = {0};
    size_t len = MIN(bytes.len, (size_t)SHOWN_MAX);
    for (size_t i = 0; i < len; i++) {
        char c = bytes.ptr[i];
        shown.text[i] = c >= ' ' && c < 0x7f ? c : '?';
    }
    (void)memcpy(shown.text + len, "...", bytes.len > len ? 4 : 0);
    return shown;
}

static enum dnsecho_verdict fail(struct source_answer *answer, const char *format, ...) PRINTF_LIKE(2, 3);
static enum dnsecho_verdict fail(struct source_answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    answer->status = SOURCE_ANSWER_FAILED;
    answer->ip = (struct ip){0};
    (void)vsnprintf(answer->detail, sizeof(answer->detail), format, args); /* a cut text is still the best we have */
    va_end(args);
    return DNSECHO_FAILED;
}

/* The address that one record tells. @return ERR_NOTFOUND: it tells something else that is none of ours. */
static enum err read_record(const struct dnsrecord *record, struct ip *ret_ip, struct shown *ret_shown)
{
    static const struct view subnet = VIEW_LITERAL("edns0-client-subnet ");
    if (record->type != DNS_TYPE_TXT) {
        return dnsrecord_address(record, ret_ip);
    }
    struct view text;
    *ret_shown = show(record->rdata.len > 0 ? view_n(record->rdata.ptr + 1, record->rdata.len - 1) : record->rdata);
    enum err err = dnsrecord_text(record, &text);
    if (err == ERR_OK && view_starts_with(text, subnet)) {
        return ERR_NOTFOUND; /* Google's, about the network that a resolver named (RFC 7871) */
    }
    return err == ERR_OK ? ip_parse(text, ret_ip) : err;
}

/* The one address of the answer section. */
static enum dnsecho_verdict read_answers(const struct dnsquery *query, struct dnsreply *reply, const char *server,
                                         struct source_answer *answer)
{
    struct dnsrecord record;
    struct ip found = {0};
    enum err err;
    while ((err = dnsreply_next(reply, query, &record)) == ERR_OK) {
        struct ip ip;
        struct shown shown = {"a record of the wrong length"};
        if (!record.owned || record.type != query->type || record.rrclass != query->rrclass) {
            continue;
        }
        err = read_record(&record, &ip, &shown);
        if (err == ERR_NOTFOUND) {
            continue;
        }
        if (err != ERR_OK) {
            return fail(answer, "%s says \"%s\", which is no address", server, shown.text);
        }
        if (found.family != IP_NONE && !ip_equal(&found, &ip)) {
            return fail(answer, "%s tells more than one address", server);
        }
        found = ip;
    }
    if (err != ERR_NOTFOUND) {
        return fail(answer, "%s: malformed answer", server);
    }
    if (found.family == IP_NONE) {
        return fail(answer, "%s knows no address of ours: is it the right server, is port 53 intercepted?", server);
    }
    answer->status = SOURCE_ANSWER_ADDRESS;
    answer->ip = found;
    return DNSECHO_ADDRESS;
}

static enum dnsecho_verdict judge_address(uint8_t family, const char *server, struct source_answer *answer)
{
    char text[IP_TEXT_SIZE];
    struct ip ip = answer->ip;
    (void)ip_format(&ip, text);
    if (ip.family != family) {
        return fail(answer, "%s says %s, which is not of the family that asked", server, text);
    }
    if (!ip_is_public(&ip)) {
        return fail(answer, "%s says %s (%s): no server out there sees that; port 53 is intercepted", server, text,
                    ip_class_name(ip_classify(&ip)));
    }
    (void)snprintf(answer->detail, sizeof(answer->detail), "%s says %s", server, text); /* cut at worst */
    return DNSECHO_ADDRESS;
}

enum dnsecho_verdict dnsecho_judge(const struct dnsecho *echo, const struct dnsquery *query, struct view message,
                                   bool tcp, uint8_t family, const char *server, struct source_answer *ret_answer)
{
    struct dnsreply reply;
    enum err err = dnsreply_open(query, message, &reply);
    if (err != ERR_OK) {
        return tcp ? fail(ret_answer, "%s: malformed answer", server) : DNSECHO_IGNORE;
    }
    if (!tcp && reply.question == DNSREPLY_OTHER_CASE) {
        return DNSECHO_BY_TCP;
    }
    if (reply.rcode != DNS_RCODE_NOERROR) {
        return fail(ret_answer, "%s: %s%s", server, dns_rcode_name(reply.rcode),
                    reply.rcode == DNS_RCODE_SERVFAIL ? "" : ": it does not know this service; intercepted?");
    }
    if (reply.question == DNSREPLY_OTHER) {
        return fail(ret_answer, "%s: answers another question than was asked: port 53 is intercepted", server);
    }
    if (reply.truncated) {
        return tcp ? fail(ret_answer, "%s: cut off even by TCP", server) : DNSECHO_BY_TCP;
    }
    if (echo->authoritative && !reply.authoritative) {
        return fail(ret_answer, "%s: answer without authority: port 53 is intercepted by a resolver", server);
    }
    enum dnsecho_verdict verdict = read_answers(query, &reply, server, ret_answer);
    return verdict == DNSECHO_ADDRESS ? judge_address(family, server, ret_answer) : verdict;
}

enum dnsecho_verdict dnsecho_judge_canary(const struct dnsquery *query, struct view message, const char *server,
                                          struct source_answer *ret_answer)
{
    struct dnsreply reply;
    struct dnsrecord record;
    if (dnsreply_open(query, message, &reply) != ERR_OK || reply.question == DNSREPLY_OTHER) {
        return DNSECHO_IGNORE;
    }
    while (reply.rcode == DNS_RCODE_NOERROR && dnsreply_next(&reply, query, &record) == ERR_OK) {
        if (record.type == DNS_TYPE_A) {
            return fail(ret_answer, "%s: a name that cannot exist has an address: port 53 is intercepted", server);
        }
    }
    return DNSECHO_ADDRESS;
}
