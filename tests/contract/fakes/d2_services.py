# SPDX-License-Identifier: Apache-2.0
"""The services that speak dyndns2 nearly as it was written down: a row each, with what its vendor's page says differently.
Those that need code are in d2_special.py, those that are gone in dead.py. `documented` False: no page of the vendor was
found, the row is what the named clients send and expect."""
import re

from .dyndns2 import AGENT, CLASSIC, D2

READ = "2026-11-23"
BASIC_OR_QUERY = ("basic", ("username", "password"))
# What clients send: ddclient 4.0.1-rc.2, inadyn 2.13, OpenWrt ddns-scripts 2.8.4.
DDCLIENT, INADYN, OPENWRT = ("https://github.com/ddclient/ddclient", "https://github.com/troglobit/inadyn",
                             "https://github.com/openwrt/packages")


def row(name, service, hosts, source, documented=True, **more):
    fields = {"name": name, "service": service, "hosts": hosts, "source": source, "read": READ, "documented": documented,
              "__module__": __name__, **more}
    globals()[name.replace("-", "_").replace(".", "_")] = type(name, (D2,), fields)


row("dyn", "Dyn / DynDNS", ("members.dyndns.org",), "https://help.dyn.com/remote-access-api/perform-update",
    paths=("/nic/update", "/v3/update"), listed=True, extra=CLASSIC,
    omitted=("deletes", "deletes"), alone=("A",))  # told in https://github.com/openwrt/packages/issues/17875

row("noip", "No-IP", ("dynupdate.no-ip.com",), "https://www.noip.com/integrate/request", listed=True,
    extra={"offline": r"YES|NO"}, waits={"911": 1800, "dnserr": 1800}, means={"abuse": "account"},  # "Username is blocked due to abuse"
    # "Company NameOfProgram/OSVersion-ReleaseVersion maintainer-contact@example.com"
    agent=re.compile(r"[A-Za-z][^\r\n]*/\S*\d+(\.\d+)+\S* .*[^\s@]+@[^\s@]+\.[^\s@]+.*"))

row("dnsomatic", "DNS-O-Matic", ("updates.dnsomatic.com",), "https://www.dnsomatic.com/docs/api", families=("A",),
    extra=CLASSIC)

row("dynu", "Dynu", ("api.dynu.com",), "https://www.dynu.com/DynamicDNS/IP-Update-Protocol", v6_field="myipv6", paired=True,
    keep_word="no", omitted=("detects", "keeps"), auth=BASIC_OR_QUERY, extra={"location": r"[^,]+", "alias": r"[A-Za-z0-9.-]+"},
    waits={"911": 600, "dnserr": 600})

row("he", "Hurricane Electric DNS", ("dyn.dns.he.net",), "https://dns.he.net/docs.html", login="host", max_hosts=1,
    auth=("basic", ("hostname", "password")), rates=((10, 120, "host", "interval"),), waits={"interval": 60, "911": 600})

row("infomaniak", "Infomaniak", ("infomaniak.com", "www.infomaniak.com"),
    "https://www.infomaniak.com/en/support/faq/2376", auth=BASIC_OR_QUERY,  # quoted in ddns-updater's issue 31
    words={"nohost": (400, "nohost"), "badauth": (400, "badauth")})

row("inwx", "INWX", ("dyndns.inwx.com",), "https://github.com/ddclient/ddclient/issues/96", host_field=None, v6_field="myipv6",
    paired=True, omitted=("127.0.0.1", "deletes"), alone=("A",), extra={"hostname": r".*"}, words={"badauth": (401, "badauth")})

row("joker", "Joker.com", ("svc.joker.com",), "https://joker.com/faq/books/jokercom-faq-en/page/dynamic-dns-dyndns",
    auth=BASIC_OR_QUERY)  # quoted in ddclient's issue 408

row("loopia", "Loopia", ("dns.loopia.se", "dyndns.loopia.se"), OPENWRT, False, paths=("/XDynDNSServer/XDynDNS.php", "/"),
    families=("A",), extra={"system": r"custom", **CLASSIC}, words={"badauth": (401, "badauth")})

row("ovh", "OVH", ("www.ovh.com", "dns.eu.ovhapis.com"),
    # IPv6 since https://github.com/ovh/docs/pull/6337
    "https://github.com/ovh/docs/blob/develop/pages/web_cloud/domains/dns_dynhost/guide.en-gb.md", fixed={"system": "dyndns"},
    max_hosts=1, words={"badauth": (401, "badauth")})

row("strato", "Strato", ("dyndns.strato.com",),  # quoted in ddns-updater's issue 116
    "https://www.strato.com/faq/en_us/domain/this-is-how-easy-it-is-to-set-up-dyndns-for-your-domains/", listed=True,
    extra=CLASSIC)

row("spdyn", "spDYN", ("update.spdyn.de",), "https://wiki.securepoint.de/SPDyn/Parameter", listed=True,
    auth=("basic", ("user", "pass")))

row("variomedia", "Variomedia", ("dyndns.variomedia.de", "dyndns4.variomedia.de", "dyndns6.variomedia.de"),
    "https://dyndns.variomedia.de", listed=True, max_hosts=1)

row("3322", "3322.org (pubyun)", ("members.3322.net", "members.3322.org"), "http://www.pubyun.com/wiki/帮助:api",
    paths=("/dyndns/update",), families=("A",), max_hosts=1, extra={"system": r"dyndns|statdns", **CLASSIC}, plain_http=True,
    rates=((1, 60, "host", None), (3, 60, "host", "abuse")), waits={"911": 60, "dnserr": 60, "interror": 60},
    words={"badauth": (401, "badauth"), "interror": (500, "interror")})

row("dyndns-it", "dyndns.it", ("update.dyndns.it",), "http://www.impulso.it/howto/dyndns.it-update-protocol.html",
    families=("A",), extra={"system": r"dyndns", **CLASSIC})

row("eurodns", "EuroDNS", ("update.eurodyndns.org",), "http://eurodns.com/documents/EuroDynDNS-documentation",
    paths=("/update/",))

row("hosting-de", "hosting.de", ("ddns.hosting.de",), OPENWRT, False)

row("itsdns", "itsdns.de", ("www.itsdns.de",), "https://www.itsdns.de/dynupdatehelp.htm", paths=("/update.php",),
    auth=BASIC_OR_QUERY, max_hosts=1, means={"notfqdn": "request"},
    refuses_unknown="badauth", denies_a_host=True,  # e-mail, key and host name are judged together
    words={"badauth": (401, "Die Zugangsdaten stimmen nicht"), "notfqdn": (400, "Der Parameter hostname fehlt"),
           "dnserr": (500, "DNS-Update fehlgeschlagen")})

# The vendor's updaters have the request without an address, and success is status 200; myip and the words are clients'.
row("now-dns", "Now-DNS", ("now-dns.com",), "https://github.com/Now-DNS/Updater", False, paths=("/update",), max_hosts=1,
    words={"nohost": (400, "nohost"), "badauth": (400, "badauth")})

row("apertodns", "ApertoDNS", ("api.apertodns.com",),
    "https://github.com/apertodns/apertodns-protocol/blob/main/APERTODNS-PROTOCOL.md", v6_field="myipv6", paired=True,
    omitted=("detects", "keeps"), alone=("A",), extra={"wildcard": r"ON|OFF", "offline": r"YES"}, rates=((60, 60, "account", "abuse"),),
    waits={"911": 600, "dnserr": 600, "abuse": 60}, means={"abuse": "wait"})  # its word for the rate

row("gigahost", "Gigahost.no", ("api.gigahost.no",), "https://gigahost.no/en/api-dokumentasjon",
    paths=("/api/v0/dns/dyndns",), v6_field="myipv6", paired=True, max_hosts=1, means={"badagent": "host"}, words={"badauth": (401, "badauth")})

row("all-inkl", "all-inkl.com", ("dyndns.kasserver.com",), "https://github.com/qdm12/ddns-updater/issues/399", paths=("/",),
    host_field=None, v6_field="myip6", paired=True, extra={"host": r".*", "hostname": r".*"}, words={"badauth": (401, "badauth")})

row("do-de", "do.de (Domain-Offensive)", ("ddns.do.de",), "https://www.do.de/wiki/FlexDNS_-_Entwickler",
    paths=("/", "/nic/update"), host_field=None, auth=BASIC_OR_QUERY, extra={"hostname": r".*"}, refuses_unknown="numhost",
    words={"badauth": (401, "badauth"), "numhost": (400, "numhost"), "toomanyrequests": (429, "toomanyrequests"),
           "911": (500, "911 ddns down")})

# The vendor's panel has the login, account or account_handle, and that its records follow it; the URL is clients'.
row("schokokeks", "schokokeks.org", ("dyndns.schokokeks.org",), "https://github.com/schokokeksorg/webinterface modules/dns (29b65d7)", False,
    families=("A",), host_field=None, extra={"hostname": r".*"}, username=lambda self: "fleet_cam")

row("ipnodns", "ipnodns.ru", ("ipnodns.ru",), "https://github.com/vaizmanai/ipnodns_example", False, paths=("/cgi-bin/dyndns.cgi",),
    families=("A",), max_hosts=1, zone="ipnodns.ru", planned=True)  # its author's request; what it answers is nowhere

row("udmedia", "UDMedia", ("www.udmedia.de",), OPENWRT, False, host_field=None, extra={"hostname": r".*"})

row("simply", "Simply.com", ("api.simply.com", "ddns.simply.com", "dyndns.simply.com"), "https://www.simply.com/en/docs/api/",
    paths=("/2/ddns/", "/2/dyndns/", "/nic/update"), methods=("GET", "POST"), max_hosts=1, extra={"domain": r"[a-z0-9.-]+"},
    words={"badauth": (401, "badauth")})

# These two are entries of ddclient's documentation that nobody has said to have tried (its pull requests 924, 925).
row("updatedip", "UpdatedIP", ("updatedip.com",), DDCLIENT, False)

row("websupport", "WebSupport", ("dyndns.websupport.sk",), DDCLIENT, False)

row("xlhost", "xlhost.de", ("nsupdate.xlhost.de",), OPENWRT, False, paths=("/nic/update", "/"), families=("A",))

row("domopoli", "Domopoli", ("dyndns.domopoli.de",), INADYN, False, families=("A",))

row("ydns", "YDNS", ("ydns.io",), "https://ydns.io/api/v1", paths=("/api/v1/update/",), host_field="host", v4_field="ip",
    max_hosts=1, means={"notfqdn": "request"}, extra={"record_id": r"\d+"}, agent=AGENT, echoes=False,
    words={"nochg": (200, "good"), "badauth": (401, "badauth"), "nohost": (404, "nohost"), "notfqdn": (400, "notfqdn")})
