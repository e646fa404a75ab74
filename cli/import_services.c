/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_services.h"

#include <string.h>

#define PLANNED(name)                                                                                                  \
    {                                                                                                                  \
        name, NULL, IMPORT_NONE, NULL, false, "Muster does not serve it yet"                                           \
    }
#define GONE(name)                                                                                                     \
    {                                                                                                                  \
        name, NULL, IMPORT_NONE, NULL, false, "the service is gone"                                                    \
    }
#define CALLER_ONLY(name)                                                                                              \
    {                                                                                                                  \
        name, NULL, IMPORT_NONE, NULL, false,                                                                          \
            "the service takes only the address that a request comes from, which would be the coordinator's"           \
    }

#define FREEDNS_TOKENS                                                                                                 \
    "its records have tokens (freedns.afraid.org/dynamic/v2/): give secrets_file a line \"host token\" each"

/* Names: plugins of inadyn 2.13 and inadyn.conf(5), read 2026-11-23. */
const struct import_service import_inadyn_services[] = {
    {"default@3322.org", "3322", IMPORT_LOGIN, NULL, false, NULL},
    {"default@all-inkl.com", "all-inkl", IMPORT_LOGIN, NULL, false, NULL},
    {"default@changeip.com", "changeip", IMPORT_LOGIN, NULL, false, NULL},
    {"default@cloudflare.com", "cloudflare", IMPORT_PASSWORD, NULL, true, NULL},
    PLANNED("default@cloudxns.net"),
    {"default@core-networks.de", "core-networks", IMPORT_LOGIN, NULL, false, NULL},
    {"default@ddnss.de", "ddnss", IMPORT_LOGIN, NULL, false, NULL},
    {"default@desec.io", "desec-dyndns", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@desec.io", "desec-dyndns", IMPORT_LOGIN, NULL, false, NULL},
    CALLER_ONLY("default@dhis.org"),
    CALLER_ONLY("ipv6@dhis.org"),
    {"default@dnsmadeeasy.com", "dnsmadeeasy", IMPORT_BY_HAND, NULL, false,
     "it names records by number: give secrets_file a line \"host number\" each"},
    {"default@dnsever.com", "dnsever", IMPORT_LOGIN, NULL, false, NULL},
    {"default@dnsexit.com", "dnsexit", IMPORT_PASSWORD, NULL, false, "DNSExit wants an API key as password"},
    {"default@dnshome.de", "dnshome", IMPORT_HOSTS, NULL, false, NULL},
    {"ipv6@dnshome.de", "dnshome", IMPORT_HOSTS, NULL, false, NULL},
    GONE("default@dnsmax.com"),
    {"default@dnsomatic.com", "dnsomatic", IMPORT_LOGIN, NULL, false, NULL},
    {"default@dnspod.cn", "dnspod", IMPORT_BY_HAND, NULL, false,
     "password_file is \"ID,Token\", and DNSPod wants an e-mail address: options: {contact: ..}"},
    {"ipv6@dnspod.cn", "dnspod", IMPORT_BY_HAND, NULL, false,
     "password_file is \"ID,Token\", and DNSPod wants an e-mail address: options: {contact: ..}"},
    {"default@do.de", "do-de", IMPORT_LOGIN, NULL, false, NULL},
    {"default@domaindiscount24.com", "domaindiscount24", IMPORT_HOSTS, NULL, false, NULL},
    {"default@domene.shop", "domeneshop", IMPORT_LOGIN, NULL, false, NULL},
    {"default@domopoli", "domopoli", IMPORT_LOGIN, NULL, false, NULL},
    {"default@duckdns.org", "duckdns", IMPORT_USERNAME, "duckdns.org", false, NULL},
    {"default@duiadns.net", "duiadns", IMPORT_PASSWORD, NULL, false, NULL},
    {"ipv6@duiadns.net", "duiadns", IMPORT_PASSWORD, NULL, false, NULL},
    CALLER_ONLY("default@dy.fi"),
    {"default@dyndns.org", "dyn", IMPORT_LOGIN, NULL, false, NULL},
    {"default@dyn.com", "dyn", IMPORT_LOGIN, NULL, false, NULL},
    {"default@dyndns.it", "dyndns-it", IMPORT_LOGIN, NULL, false, NULL},
    {"default@dynu.com", "dynu", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv4@dynv6.com", "dynv6", IMPORT_USERNAME, NULL, false, NULL},
    {"ipv6@dynv6.com", "dynv6", IMPORT_USERNAME, NULL, false, NULL},
    {"default@ipv4.dynv6.com", "dynv6", IMPORT_USERNAME, NULL, false, NULL},
    {"default@easydns.com", "easydns", IMPORT_LOGIN, NULL, false, NULL},
    {"default@freedns.afraid.org", "freedns", IMPORT_BY_HAND, NULL, false, FREEDNS_TOKENS},
    {"default@freemyip.com", "freemyip", IMPORT_HOSTS, "freemyip.com", false, NULL},
    {"default@gira.de", "gira", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@gira.de", "gira", IMPORT_LOGIN, NULL, false, NULL},
    {"default@goip.de", "goip", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@goip.de", "goip", IMPORT_LOGIN, NULL, false, NULL},
    GONE("default@domains.google.com"),
    {"default@he.net", "he", IMPORT_HOSTS, NULL, false, NULL},
    {"default@tunnelbroker.net", "tunnelbroker", IMPORT_BY_HAND, NULL, false,
     "it names a tunnel, not a host: options: {tunnel: ..}"},
    {"ipv6@he.net", "tunnelbroker", IMPORT_BY_HAND, NULL, false,
     "it names a tunnel, not a host: options: {tunnel: ..}"},
    {"default@infomaniak.com", "infomaniak", IMPORT_LOGIN, NULL, false, NULL},
    {"default@inwx.com", "inwx", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@inwx.com", "inwx", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv4@ipv64.net", "ipv64", IMPORT_PASSWORD, NULL, false, "IPv64.net wants the account's update token as password"},
    {"ipv6@ipv64.net", "ipv64", IMPORT_PASSWORD, NULL, false, "IPv64.net wants the account's update token as password"},
    {"default@ipv64.net", "ipv64", IMPORT_PASSWORD, NULL, false,
     "IPv64.net wants the account's update token as password"},
    {"default@itsdns.de", "itsdns", IMPORT_LOGIN, NULL, false, NULL},
    {"default@joker.com", "joker", IMPORT_LOGIN, NULL, false, NULL},
    {"default@loopia.com", "loopia", IMPORT_LOGIN, NULL, false, NULL},
    {"default@moniker.com", "moniker", IMPORT_HOSTS, NULL, false, NULL},
    {"default@mydns.jp", "mydns", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@mydns.jp", "mydns", IMPORT_LOGIN, NULL, false, NULL},
    {"default@myonlineportal.net", "myonlineportal", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@myonlineportal.net", "myonlineportal", IMPORT_LOGIN, NULL, false, NULL},
    {"default@namecheap.com", "namecheap", IMPORT_PASSWORD, NULL, true, NULL},
    {"default@no-ip.com", "noip", IMPORT_LOGIN, NULL, false, NULL},
    {"default@noip.com", "noip", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv4@nsupdate.info", "nsupdate-info", IMPORT_HOSTS, NULL, false, NULL},
    {"ipv6@nsupdate.info", "nsupdate-info", IMPORT_HOSTS, NULL, false, NULL},
    {"default@opendns.com", "opendns", IMPORT_BY_HAND, NULL, false,
     "it names a network, not a host: options: {network: ..}"},
    {"default@oray.com", "oray", IMPORT_LOGIN, NULL, false, NULL},
    {"default@ovh.com", "ovh", IMPORT_LOGIN, NULL, false, NULL},
    {"default@porkbun.com", "porkbun", IMPORT_LOGIN, NULL, false, NULL},
    {"default@regfish.de", "regfish", IMPORT_USERNAME, NULL, false, NULL},
    {"default@schokokeks.org", "schokokeks", IMPORT_LOGIN, NULL, false, NULL},
    {"default@selfhost.de", "selfhost", IMPORT_LOGIN, NULL, false, NULL},
    {"default@simply.com", "simply", IMPORT_LOGIN, NULL, false, NULL},
    {"default@sitelutions.com", "sitelutions", IMPORT_BY_HAND, NULL, false,
     "it names records by number: give secrets_file a line \"host number\" each"},
    {"default@spdyn.de", "spdyn", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv6@spdyn.de", "spdyn", IMPORT_LOGIN, NULL, false, NULL},
    {"default@strato.com", "strato", IMPORT_LOGIN, NULL, false, NULL},
    GONE("default@thatip.com"),
    GONE("default@twodns.de"),
    {"default@udmedia.de", "udmedia", IMPORT_LOGIN, NULL, false, NULL},
    {"default@variomedia.de", "variomedia", IMPORT_LOGIN, NULL, false, NULL},
    PLANNED("default@pdd.yandex.ru"),
    {"default@zoneedit.com", "zoneedit", IMPORT_LOGIN, NULL, false, NULL},
    {0},
};

/* Names: protocols of ddclient 4.0.1-rc2 and its example configuration, read 2026-11-23. */
const struct import_service import_ddclient_services[] = {
    {"1984", "1984is", IMPORT_PASSWORD, NULL, false, NULL},
    {"changeip", "changeip", IMPORT_LOGIN, NULL, false, NULL},
    {"cloudflare", "cloudflare", IMPORT_PASSWORD, NULL, false,
     "Muster knows API tokens only: where login is an address, the password is the global key, and a token is needed"},
    {"cloudns", "cloudns", IMPORT_BY_HAND, NULL, false,
     "ddclient has a URL for each host, Muster an API user: username and password_file"},
    {"ddns.fm", "ddnsfm", IMPORT_HOSTS, NULL, false, NULL},
    {"ddnss", "ddnss", IMPORT_BY_HAND, NULL, false,
     "ddclient has the account's update key, Muster signs in: username and password_file"},
    {"digitalocean", "digitalocean", IMPORT_PASSWORD, NULL, false, NULL},
    {"dinahosting", "dinahosting", IMPORT_LOGIN, NULL, false, NULL},
    {"directnic", "directnic", IMPORT_BY_HAND, NULL, false,
     "ddclient has a URL for each host, Muster its last part: secrets_file with a line \"host key\" each"},
    {"dnsexit", "dnsexit", IMPORT_PASSWORD, NULL, false, "DNSExit wants an API key as password"},
    {"dnsexit2", "dnsexit", IMPORT_PASSWORD, NULL, false, NULL},
    {"dnsmadeeasy", "dnsmadeeasy", IMPORT_BY_HAND, NULL, false,
     "it names records by number: give secrets_file a line \"host number\" each"},
    {"domeneshop", "domeneshop", IMPORT_LOGIN, NULL, false, NULL},
    {"dondominio", "dondominio", IMPORT_LOGIN, NULL, false, NULL},
    {"dslreports1", "dslreports", IMPORT_BY_HAND, NULL, false,
     "it names hosts by number: give secrets_file a line \"host number\" each"},
    {"duckdns", "duckdns", IMPORT_PASSWORD, "duckdns.org", false, NULL},
    {"dyndns1", "dyn", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns2", "dyn", IMPORT_LOGIN, NULL, false, NULL}, /* without server=; see import_servers */
    {"dynadot", "dynadot", IMPORT_PASSWORD, NULL, false, NULL},
    {"dynu", "dynu", IMPORT_LOGIN, NULL, false, NULL},
    {"easydns", "easydns", IMPORT_LOGIN, NULL, false, NULL},
    {"enom", "enom", IMPORT_PASSWORD, NULL, true, NULL},
    {"freedns", "freedns", IMPORT_BY_HAND, NULL, false, FREEDNS_TOKENS},
    {"freemyip", "freemyip", IMPORT_HOSTS, "freemyip.com", false, NULL},
    {"gandi", "gandi", IMPORT_PASSWORD, NULL, false,
     "Gandi takes personal access tokens; its older API keys are no such"},
    {"godaddy", "godaddy", IMPORT_LOGIN, NULL, false, NULL},
    GONE("googledomains"),
    {"he.net", "he", IMPORT_HOSTS, NULL, false, NULL},
    {"hetzner", "hetzner", IMPORT_PASSWORD, NULL, false,
     "the token must be one of Hetzner Cloud, not of the older DNS console"},
    {"infomaniak", "infomaniak", IMPORT_LOGIN, NULL, false, NULL},
    {"inwx", "inwx", IMPORT_LOGIN, NULL, false, NULL},
    {"ionos", "ionos", IMPORT_HOSTS, NULL, false, NULL},
    {"keysystems", "domaindiscount24", IMPORT_HOSTS, NULL, false, NULL},
    {"luadns", "luadns", IMPORT_LOGIN, NULL, false, NULL},
    {"mythicdyn", "mythicbeasts", IMPORT_LOGIN, NULL, false, NULL},
    {"namecheap", "namecheap", IMPORT_PASSWORD, NULL, true, NULL},
    PLANNED("netcup"),
    PLANNED("nfsn"),
    {"njalla", "njalla", IMPORT_HOSTS, NULL, false, NULL},
    {"noip", "noip", IMPORT_LOGIN, NULL, false, NULL},
    {"ns1", "ns1", IMPORT_PASSWORD, NULL, false, NULL},
    {"nsupdate", "rfc2136", IMPORT_KEY_FILE, NULL, false, NULL},
    {"ovh", "ovh", IMPORT_LOGIN, NULL, false, NULL},
    {"porkbun", "porkbun", IMPORT_API_KEYS, NULL, false, NULL},
    {"regfishde", "regfish", IMPORT_PASSWORD, NULL, false, NULL},
    {"simply.com", "simply", IMPORT_LOGIN, NULL, false, NULL},
    {"sitelutions", "sitelutions", IMPORT_BY_HAND, NULL, false,
     "it names records by number: give secrets_file a line \"host number\" each"},
    PLANNED("spaceship"),
    PLANNED("yandex"),
    {"zoneedit1", "zoneedit", IMPORT_LOGIN, NULL, false, NULL},
    {0},
};

/* The hosts of the templates' own URLs, and names that services gave them before. */
const struct import_service import_servers[] = {
    {"members.3322.net", "3322", IMPORT_LOGIN, NULL, false, NULL},
    {"members.3322.org", "3322", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.kasserver.com", "all-inkl", IMPORT_LOGIN, NULL, false, NULL},
    {"api.apertodns.com", "apertodns", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.core-networks.de", "core-networks", IMPORT_LOGIN, NULL, false, NULL},
    {"www.ddnss.de", "ddnss", IMPORT_LOGIN, NULL, false, NULL},
    {"update.dedyn.io", "desec-dyndns", IMPORT_LOGIN, NULL, false, NULL},
    {"update6.dedyn.io", "desec-dyndns", IMPORT_LOGIN, NULL, false, NULL},
    GONE("www.dnsdynamic.org"),
    {"www.dnshome.de", "dnshome", IMPORT_HOSTS, NULL, false, NULL},
    {"updates.dnsomatic.com", "dnsomatic", IMPORT_LOGIN, NULL, false, NULL},
    {"ddns.do.de", "do-de", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.domopoli.de", "domopoli", IMPORT_LOGIN, NULL, false, NULL},
    {"members.dyndns.org", "dyn", IMPORT_LOGIN, NULL, false, NULL},
    {"update.dyndns.it", "dyndns-it", IMPORT_LOGIN, NULL, false, NULL},
    {"dynamicdns.park-your-domain.com", "namecheap", IMPORT_PASSWORD, NULL, true, NULL}, /* not dyndns2 */
    {"api.dynu.com", "dynu", IMPORT_LOGIN, NULL, false, NULL},
    {"dynv6.com", "dynv6", IMPORT_PASSWORD, NULL, false, NULL},
    {"ipv4.dynv6.com", "dynv6", IMPORT_PASSWORD, NULL, false, NULL},
    {"api.cp.easydns.com", "easydns", IMPORT_LOGIN, NULL, false, NULL},
    {"members.easydns.com", "easydns", IMPORT_LOGIN, NULL, false, NULL},
    {"update.eurodyndns.org", "eurodns", IMPORT_LOGIN, NULL, false, NULL},
    {"api.gigahost.no", "gigahost", IMPORT_LOGIN, NULL, false, NULL},
    {"dyn.dns.he.net", "he", IMPORT_HOSTS, NULL, false, NULL},
    {"ddns.hosting.de", "hosting-de", IMPORT_LOGIN, NULL, false, NULL},
    {"infomaniak.com", "infomaniak", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.inwx.com", "inwx", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv64.net", "ipv64", IMPORT_PASSWORD, NULL, false, NULL},
    {"www.itsdns.de", "itsdns", IMPORT_LOGIN, NULL, false, NULL},
    {"svc.joker.com", "joker", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.loopia.se", "loopia", IMPORT_LOGIN, NULL, false, NULL},
    {"dns.loopia.se", "loopia", IMPORT_LOGIN, NULL, false, NULL},
    {"app.luadns.com", "luadns", IMPORT_LOGIN, NULL, false, NULL},
    {"myonlineportal.net", "myonlineportal", IMPORT_LOGIN, NULL, false, NULL},
    {"api.nic.ru", "nic-ru", IMPORT_LOGIN, NULL, false, NULL},
    {"dynupdate.no-ip.com", "noip", IMPORT_LOGIN, NULL, false, NULL},
    {"dynupdate6.no-ip.com", "noip", IMPORT_LOGIN, NULL, false, NULL},
    {"now-dns.com", "now-dns", IMPORT_LOGIN, NULL, false, NULL},
    {"nsupdate.info", "nsupdate-info", IMPORT_HOSTS, NULL, false, NULL},
    {"ipv4.nsupdate.info", "nsupdate-info", IMPORT_HOSTS, NULL, false, NULL},
    {"ipv6.nsupdate.info", "nsupdate-info", IMPORT_HOSTS, NULL, false, NULL},
    {"updates.opendns.com", "opendns", IMPORT_BY_HAND, NULL, false,
     "it names a network, not a host: options: {network: ..}"},
    {"ddns.oray.com", "oray", IMPORT_LOGIN, NULL, false, NULL},
    {"www.ovh.com", "ovh", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.schokokeks.org", "schokokeks", IMPORT_LOGIN, NULL, false, NULL},
    {"carol.selfhost.de", "selfhost", IMPORT_LOGIN, NULL, false, NULL},
    {"api.simply.com", "simply", IMPORT_LOGIN, NULL, false, NULL},
    {"update.spdyn.de", "spdyn", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.strato.com", "strato", IMPORT_LOGIN, NULL, false, NULL},
    {"ipv4.tunnelbroker.net", "tunnelbroker", IMPORT_BY_HAND, NULL, false,
     "it names a tunnel, not a host: options: {tunnel: ..}"},
    {"www.udmedia.de", "udmedia", IMPORT_LOGIN, NULL, false, NULL},
    {"updatedip.com", "updatedip", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.variomedia.de", "variomedia", IMPORT_LOGIN, NULL, false, NULL},
    {"dyndns.websupport.sk", "websupport", IMPORT_LOGIN, NULL, false, NULL},
    {"nsupdate.xlhost.de", "xlhost", IMPORT_LOGIN, NULL, false, NULL},
    {"ydns.io", "ydns", IMPORT_LOGIN, NULL, false, NULL},
    {0},
};

static const struct import_service *find(const struct import_service *table, struct view id)
{
    for (const struct import_service *row = table; row->id != NULL; row++) {
        if (view_equal_nocase(id, view_of(row->id))) {
            return row;
        }
    }
    return NULL;
}

static struct view behind_at(struct view id)
{
    const char *at = id.len > 0 ? memchr(id.ptr, '@', id.len) : NULL;
    return at != NULL ? view_n(at + 1, id.len - (size_t)(at + 1 - id.ptr)) : id;
}

static const struct import_service *find_service(struct view name)
{
    for (const struct import_service *row = import_inadyn_services; row->id != NULL; row++) {
        if (view_equal_nocase(name, behind_at(view_of(row->id)))) {
            return row;
        }
    }
    return NULL;
}

static bool same(const struct import_service *a, const struct import_service *b)
{
    return a->provider == b->provider ||
           (a->provider != NULL && b->provider != NULL && strcmp(a->provider, b->provider) == 0);
}

static const struct import_service *find_piece(struct view piece)
{
    const struct import_service *found = NULL;
    for (const struct import_service *row = import_inadyn_services; row->id != NULL && piece.len > 0; row++) {
        if (memmem(row->id, strlen(row->id), piece.ptr, piece.len) == NULL) {
            continue;
        }
        if (found != NULL && !same(found, row)) {
            return NULL;
        }
        found = row;
    }
    return found;
}

const struct import_service *import_find_inadyn(struct view id)
{
    struct view name;
    if (!view_next(&id, ':', &name)) {
        return NULL;
    }
    const struct import_service *found = find(import_inadyn_services, name);
    found = found != NULL ? found : find_service(behind_at(name));
    return found != NULL ? found : find_piece(name);
}

const struct import_service *import_find_ddclient(struct view id)
{
    return find(import_ddclient_services, id);
}

const struct import_service *import_find_server(struct view server)
{
    struct view host;
    return view_next(&server, ':', &host) ? find(import_servers, host) : NULL;
}
