# SPDX-License-Identifier: Apache-2.0
"""Services of the dyndns2 family with rules of their own: deSEC, nsupdate.info, NIC.RU, core-networks, easyDNS, Domeneshop,
selfhost, OpenDNS, Tunnelbroker, DNSever, dy.fi, DHIS, Oray."""
import re
import zlib

from .base import Response, below, family, is_name
from .d2_services import BASIC_OR_QUERY, READ
from .dyndns2 import CLASSIC, D2, Asked


class Desec(D2):
    """All hosts of a request are one transaction with one answer; a family that is not named is taken from the connection, or
    deleted; addresses may be given by host (myipv4:NAME)."""

    name, service, hosts = "desec-dyndns", "deSEC / dedyn.io", ("update.dedyn.io", "update6.dedyn.io")
    source, read = "https://desec.readthedocs.io/en/latest/dyndns/update-api.html", READ
    own_words = True
    keep_word, omitted, deletes, one_answer, max_hosts = "preserve", ("detects", "deletes"), True, True, 10000
    auth = BASIC_OR_QUERY
    words = {"good": (200, "good"), "nochg": (200, "good"), "badauth": (401, "badauth"), "nohost": (404, "nohost"),
             "notfqdn": (404, "nohost"), "throttled": (429, "Request was throttled.")}
    rates = ((2, 120, "account", "throttled"),)  # per domain, and an account of the fake has one

    def username(self):
        return self.zone

    def right(self, login, hosts):
        return below(login[0], self.zone) and login[1] == self.password()

    def logins(self, request):
        token = request.bearer("Token")
        return super().logins(request) + ([(self.zone, token)] if token is not None else [])

    def refuse(self, code):
        response = super().refuse(code)
        if code == "throttled":
            response.headers.append(("Retry-After", "120"))
        return response

    def check_fields(self, request):
        plain = [pair for pair in request.query if not pair[0].startswith(("myipv4:", "myipv6:"))]
        self.fields(plain, set(), {"hostname", "host_id", "myip", "myipv4", "ip", "myipv6", "ipv6", "username", "password"})
        if request.path.endswith((".ico", ".png")):
            self.violate("path", request.path)

    paths = property(lambda self: _AnyPath())

    def check_hosts(self, request):
        user = (request.basic() or (None,))[0]
        text = request.get("hostname") or request.get("host_id") or user or request.get("username") or self.zone
        hosts = text.split(",")
        for name, _ in request.query:
            host = name.partition(":")[2]
            if host and host not in hosts:
                hosts.append(host)
        return hosts, None

    def read_values(self, request):
        request.by_host = {}
        for name, value in request.query:
            field, _, host = name.partition(":")
            if host:
                rtype = "A" if field == "myipv4" else "AAAA"
                request.by_host.setdefault(host.lower(), {})[rtype] = self.one(value, rtype, name)
        values = {}
        for rtype, names in (("A", ("myip", "myipv4", "ip")), ("AAAA", ("myipv6", "ipv6", "myip", "ip"))):
            values[rtype] = None
            for field in names:
                text = request.get(field)
                parts = [part for part in (text or "").split(",") if family(part) in (rtype, None)]
                if text is not None and parts:
                    values[rtype] = self.one(",".join(parts), rtype, field)
                    break
        everywhere = all(set(request.by_host.get(host.lower(), ())) == {"A", "AAAA"}
                         for host in self.check_hosts(request)[0])
        if not all(values.values()) and not everywhere:
            self.violate("family-left-out", request.raw_query)  # "recommended to always specify ... both"
        return values

    def one(self, text, rtype, field):
        if text in ("preserve", ""):
            return "keep" if text else "delete"
        if family(text) != rtype:
            self.violate("address", f"{field}={text}")
            return "keep"
        return text

    def parse(self, request):
        asked = super().parse(request)
        asked.by_host = request.by_host
        return asked

    def update(self, host, asked):
        own = Asked([host], {**asked.values, **asked.by_host.get(host.lower(), {})}, asked.login)
        return super().update(host, own)


class _AnyPath:
    """"The request path can be chosen freely"."""

    def __contains__(self, path):
        return True


class NsupdateInfo(D2):
    """A login a host; the answer has a line a family where they differ; /nic/delete takes a family away."""

    name, service = "nsupdate-info", "nsupdate.info"
    hosts = ("nsupdate.info", "ipv4.nsupdate.info", "ipv6.nsupdate.info")
    source, read = "https://github.com/nsupdate-info/nsupdate.info/blob/main/src/nsupdate/api/views.py", READ
    paths, login, max_hosts, listed, deletes = ("/nic/update", "/nic/delete"), "host", 1, True, True
    words = {"badauth": (401, "badauth"), "abuse": (403, "abuse")}

    def parse(self, request):
        asked = super().parse(request)
        asked.delete = request.path == "/nic/delete"
        return asked

    def update(self, host, asked):
        asked.lines = []
        for rtype, value in asked.explicit().items():
            if asked.delete:
                self.remove(host, rtype)
                asked.lines.append(("deleted", rtype))
            else:
                asked.lines.append(("good" if self.put(host, rtype, [value]) else "nochg", value))
        return asked.lines[0][0] if asked.lines else "good"

    def reply(self, asked, codes):
        if not getattr(asked, "lines", None):
            return super().reply(asked, codes)
        words = sorted({code for code, _ in asked.lines}, key=("good", "nochg", "deleted").index)
        values = {word: ",".join(value for code, value in asked.lines if code == word) for word in words}
        return Response(200, "\n".join(f"{word} {values[word]}" for word in words))

    def codes(self, response, asked):
        codes = super().codes(response, asked)
        if codes == [None] and response.body.split(b" ")[0] in (b"good", b"nochg"):
            return ["good"]
        return codes

    def judge(self, asked):
        if not asked.delete:
            super().judge(asked)

    def answered(self, request, response):
        if not request.asked.delete:
            super().answered(request, response)
        else:
            for rtype in request.asked.explicit():
                self.set_at.pop((request.asked.hosts[0].lower(), rtype), None)


class NicRu(D2):
    """A line a family of each host; without `myip` the A records become the connection's address."""

    name, service, hosts = "nic-ru", "NIC.RU", ("api.nic.ru",)
    source, read = "https://www.nic.ru/help/dynamic-dns-for-developers_5810.html", READ
    paths, v6_field, paired, omitted, alone = ("/dyndns/update",), "ipv6", True, ("detects", "keeps"), ("A",)

    def reply(self, asked, codes):
        addresses = list({"A": self.client_address["A"], **asked.explicit()}.values())
        lines = []
        for code in codes:
            lines += [f"{code} {address}" for address in addresses] if code in ("good", "nochg") else [code]
        return Response(200, "".join(line + "\n" for line in lines))

    def codes(self, response, asked):
        lines = [line.split()[0] for line in response.body.decode("utf-8", "replace").split("\n") if line.strip()]
        if lines == ["badauth"]:
            return lines * len(asked.hosts)
        each, codes = len({"A": 1, **asked.explicit()}), []
        while lines:
            codes.append(lines[0])
            del lines[:each if lines[0] in ("good", "nochg") else 1]
        return codes if len(codes) == len(asked.hosts) else super().codes(response, asked)


class CoreNetworks(D2):
    """keepipv4=1, keepipv6=1 keep the family that is not named."""

    name, service, hosts = "core-networks", "core-networks.de", ("dyndns.core-networks.de",)
    source, read = "https://github.com/openwrt/packages/pull/2995", READ  # the vendor's own entry in a client
    paths, max_hosts, omitted = ("/",), 1, ("deletes", "deletes")
    extra = {"keepipv4": "1", "keepipv6": "1"}

    def read_values(self, request):
        values = super().read_values(request)
        for rtype, field in (("A", "keepipv4"), ("AAAA", "keepipv6")):
            if request.get(field) and values[rtype] is None:
                values[rtype] = "keep"
        return values


class EasyDns(D2):
    """Its own words, in HTML; an update a host in ten minutes."""

    name, service, hosts = "easydns", "easyDNS", ("api.cp.easydns.com", "members.easydns.com")
    source, read = "http://support.easydns.com/tutorials/dynamicUpdateSpecs.php", READ
    own_words = True
    means = {"notfqdn": "request"}
    paths, max_hosts = ("/dyn/generic.php", "/dyn/dyndns.php"), 1
    extra = {"tld": r"[a-z.]+", **{name: CLASSIC[name] for name in ("wildcard", "mx", "backmx")}}
    words = {"good": (200, "NOERROR"), "nochg": (200, "NOERROR"), "badauth": (200, "NOACCESS"), "nohost": (200, "NOSERVICE"),
             "notfqdn": (200, "ILLEGAL INPUT"), "toosoon": (200, "TOOSOON")}
    rates = ((1, 600, "host", "toosoon"),)
    waits = {"toosoon": 600}

    def page(self, response):
        text = response.body.decode("utf-8", "replace").strip()
        return Response(response.status, f"<HTML><BODY>\n{text}<BR>\n</BODY></HTML>\n", content_type="text/html")

    def reply(self, asked, codes):
        return self.page(super().reply(asked, codes))

    def refuse(self, code):
        return self.page(super().refuse(code))

    def codes(self, response, asked):
        text = re.sub(rb"<[^>]*>", b" ", response.body).decode("utf-8", "replace")
        found = [code for code, (_, line) in self.words.items() if re.search(rf"\b{line}\b", text)]
        return [found[0] if found and response.status == 200 else None] * len(asked.hosts)


class Domeneshop(D2):
    """204 for all that went well, 404 for a host that is not there."""

    name, service, hosts = "domeneshop", "Domeneshop", ("api.domeneshop.no",)
    source, read = "https://api.domeneshop.no/docs/", READ
    own_words = True
    paths, listed, one_answer = ("/v0/dyndns/update",), True, True
    words = {"good": (204, ""), "nochg": (204, ""), "badauth": (401, "Unauthorized"), "nohost": (404, "Not found"),
             "notfqdn": (404, "Not found")}

    def username(self):
        return self.secret("token")

    def codes(self, response, asked):
        known = {204: "good", 401: "badauth", 404: "nohost"}
        return [known.get(response.status)] * len(asked.hosts)


class Selfhost(D2):
    """The login is that of a DynAccount, which knows its hosts; HTTP statuses are the answer, 204 is "not changed"."""

    name, service, hosts = "selfhost", "selfhost.de", ("carol.selfhost.de",)
    source, read = "https://de.scribd.com/document/720787648/api", READ
    paths, families, host_field, auth = ("/nic/update", "/update"), ("A",), None, BASIC_OR_QUERY
    means = {"nohost": "account"}  # "no zones found" for the login
    extra = {"hostname": r".+", "hostlist": "1", "remote": "1", "http_status": "[01]", "textmodi": "[01]"}
    words = {"nochg": (204, ""), "badauth": (401, "badauth"), "nohost": (409, "nohost"), "private": (412, "private IP"),
             "overloaded": (503, "update too early")}
    waits = {"overloaded": 60, "911": 600, "dnserr": 600}

    def username(self):
        return "712345"

    def check_login(self, request, hosts):
        if (request.path == "/update") != (request.basic() is None):
            self.violate("login", f"{request.path} with the other way to log in")
        return super().check_login(request, hosts)

    def handle(self, request):
        if re.match(r"10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.", request.get("myip") or ""):
            request.asked = self.parse(request)
            return self.refuse("private")
        return super().handle(request)

    def codes(self, response, asked):
        known = {204: "nochg", 401: "badauth", 409: "nohost", 503: "overloaded"}
        return [known[response.status]] if response.status in known else super().codes(response, asked)


class OpenDns(D2):
    """It is a network's address that changes, no DNS name; "good" also says "not needed"; once a minute."""

    name, service, hosts = "opendns", "OpenDNS (IP updater)", ("updates.opendns.com",)
    source, read = "https://support.opendns.com/hc/en-us/articles/227986527", READ
    means = {"nohost": "account", "abuse": "wait"}
    families, max_hosts, rates = ("A",), 1, ((1, 60, "account", "abuse"),)
    waits = {"911": 600, "dnserr": 600, "abuse": 60}

    apex_is_a_host = False
    hosts_per_account = 1  # of the program's: the account names the network

    def account(self, hosts=()):
        return {**super().account(hosts), "options": {"network": hosts[0].partition(".")[0]}} if hosts else super().account()

    def refusal(self, host):
        if f"{host}.{self.zone}" in self.bad:
            return "nohost"
        return super().refusal(host) if "." in host else None if re.fullmatch(r"[\w -]+", host) else "nohost"

    def update(self, host, asked):
        super().update(host if "." in host else f"{host}.{self.zone}", asked)
        return "good"


class Tunnelbroker(D2):
    """The other end of a tunnel: the host name is the tunnel's number, or a name made of it that no DNS has; IPv4."""

    name, service, hosts = "tunnelbroker", "Hurricane Electric Tunnelbroker", ("ipv4.tunnelbroker.net",)
    source, read = "https://forums.he.net/index.php?topic=1994", READ
    zone, families, max_hosts, auth = "tunnelbroker.net", ("A",), 1, BASIC_OR_QUERY
    apex_is_a_host = False
    hosts_per_account = 1  # of the program's: the account names the tunnel

    def account(self, hosts=()):
        return {**super().account(hosts), "options": {"tunnel": re.sub(r"\D", "", hosts[0])}} if hosts else super().account()

    def host(self, label):
        return f"tunnel{zlib.crc32(label.encode()) % 900000 + 100000}.{self.zone}"

    def check_hosts(self, request):
        hosts, code = super().check_hosts(request)
        return [f"tunnel{host}.{self.zone}" if host.isdigit() else host for host in hosts], code

    def refusal(self, host):
        return super().refusal(host) or (None if re.fullmatch(r"tunnel\d+\..*", host.lower()) else "nohost")


class DnsEver(D2):
    """host[NAME]=ADDRESS in the query, XML in the answer, which counts and does not name the hosts."""

    name, service, hosts = "dnsever", "DNSever", ("dyna.dnsever.com",)
    source, read = "https://support.dnsever.com/hc/ko/articles/219666247", READ
    own_words = True
    means = {"badauth": "account", "nohost": "host"}
    paths, families, plain_http, max_hosts = ("/update.php",), ("A",), True, 100
    MESSAGES = {"701": "DDNS Update Success", "103": "Login Failed", "304": "DDNS not registered or Not Your Domain",
                "210": "Update Failure"}

    def check_fields(self, request):
        for name, value in request.query:
            if not re.fullmatch(r"host\[[^\[\]]+\]", name) or family(value) != "A":
                self.violate("unknown-parameter", f"{name}={value}")
        if len({name.lower() for name, _ in request.query}) != len(request.query):
            self.violate("host-twice", request.raw_query)

    def check_hosts(self, request):
        return [name[5:-1] for name, _ in request.query], None

    def read_values(self, request):
        request.addresses = {name[5:-1]: value for name, value in request.query}
        values = sorted(set(request.addresses.values()))
        return {"A": values[0] if len(values) == 1 else None, "AAAA": None}

    def handle(self, request):
        asked = request.asked = self.parse(request)
        self.judge(asked)
        if asked.code:
            return self.xml("103", 0, 0)
        refusals = [self.refusal(host) for host in asked.hosts]
        for host, refusal in zip(asked.hosts, refusals):
            if refusal is None:
                self.put(host, "A", [request.addresses[host]])
        failed = sum(refusal is not None for refusal in refusals)
        return self.xml("701" if failed < len(refusals) else "304", len(refusals) - failed, failed)

    def xml(self, code, done, failed):
        return Response(200, f'<dnsever>\n<result type="update" code="{code}" numOfSuccess="{done}" numOfFailure="{failed}" '
                             f'msg="{self.MESSAGES[code]}" lang="en">\n</result>\n</dnsever>\n', content_type="text/xml")

    def refuse(self, code):
        return self.xml({"badauth": "103", "nohost": "304"}.get(code, "210"), 0, 0)

    def codes(self, response, asked):
        found = re.search(rb'code="(\d+)" numOfSuccess="(\d+)" numOfFailure="(\d+)"', response.body)
        code = {b"701": "good", b"103": "badauth", b"304": "nohost"}.get(found[1]) if found else None
        return [code if code != "good" or found[3] == b"0" else None] * len(asked.hosts)


class DyFi(D2):
    """Sets the address that the request comes from, and has no parameter for another; names go after seven days."""

    name, service, hosts, zone = "dy-fi", "dy.fi", ("www.dy.fi",), "dy.fi"
    source, read = "https://www.dy.fi/page/specification?lang=en", READ
    sets_given_address, families, omitted, refresh = False, ("A",), ("detects", "keeps"), 5 * 86400
    words = {"badauth": (401, "badauth"), "nochg": (200, "nochg")}

    def value_fields(self, request):
        return []


class Dhis(D2):
    """The login is the host's; the address is that of the connection; offline again after six minutes."""

    name, service, zone = "dhis", "DHIS", "dhis.org"
    hosts = ("is.dhis.org", "is4.dhis.org", "is6.dhis.org")
    source, read = "https://dhis.org/WebEngine.ipo?context=dhis.website.updating", READ
    paths, host_field, login, sets_given_address, omitted = ("/update/",), None, "host", False, ("detects", "keeps")
    refresh, words = 300, {"badauth": (401, "badauth")}

    def value_fields(self, request):
        return []

    def check_hosts(self, request):
        user = (request.basic() or ("",))[0]
        return [user], None if is_name(user) else "badauth"


class Oray(D2):
    """HTTPS is for users who pay; others are told !donator. "nochg" stands alone, "good" is followed by the address. Open: how
    often is too often (the page only says that abuse comes for it), several hosts in a request, IPv6: the page shows neither."""

    name, service, hosts = "oray", "Oray (Peanut Hull)", ("ddns.oray.com",)
    source, read = "http://service.oray.com/question/3820.html", READ  # copies of it
    paths, families, max_hosts = ("/ph/update",), ("A",), 1
    words = {"nochg": (200, "nochg")}
    means = {"!donator": "account"}  # said of the user's plan, whatever the host
    pays = True

    def check_login(self, request, hosts):
        login, code = super().check_login(request, hosts)
        return login, code or ("!donator" if request.secure and not self.pays else None)
