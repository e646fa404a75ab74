# SPDX-License-Identifier: Apache-2.0
"""Simple services, 1984.is to DuiaDNS: one class each, with the page that it is written from."""
import hashlib

from .base import Response, below
from .simple import Get, words

DDCLIENT = "https://github.com/ddclient/ddclient (4.0.1-rc.2, f4dcf6f)"
INADYN = "https://github.com/troglobit/inadyn (2.13.0, 98e43d7)"
OPENWRT = "https://github.com/openwrt/packages net/ddns-scripts (2.8.4, 0521bb5)"


class Nineteen84(Get):
    name, service, hosts = "1984is", "1984.is", ("api.1984.is",)
    source, documented, denies_a_host = DDCLIENT, False, True  # the words of its messages are not documented
    path, host_param, secret_param, families = "/1.0/freedns/", "domain", "apikey", ("A",)

    def answer(self, q, outcomes, wanted):
        word = outcomes[0][1]
        if word == "unknown":
            return Response(200, {"ok": False, "msg": "Domain not found.", "lookup": [outcomes[0][0], self.zone]})
        return Response(200, {"ok": True, "msg": "unaltered" if word == "nochg" else "success", "ip": wanted["A"], "lookup": []})

    def denied(self, request):
        return Response(200, {"ok": False, "msg": "Bad API key."})


class ChangeIp(Get):
    name, service, hosts = "changeip", "ChangeIP", ("nic.changeip.com",)
    source = "https://www.changeip.com/accounts/knowledgebase.php?action=displayarticle&id=34"
    path, basic, families = "/nic/update", True, ("A",)
    addresses, optional = {"ip": ("A",), "myip": ("A",)}, ("u", "p", "cmd", "set", "system", "offline")

    def login(self, request, q, names):
        if "u" in q or "p" in q:  # allowed, "only if you absolutely have to"
            self.violate("password-in-url", "the page prefers Basic authentication")
        return super().login(request, q, names)

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return Response(422, f"422 Could not locate the hostname {outcomes[0][0]}")
        return Response(200, f"200 Successful Update\r\nYour IP is {wanted['A']}\r\n")

    def denied(self, request):
        return Response(401, "401 Access Denied", [("WWW-Authenticate", 'Basic realm="nic.ChangeIP.com"')])


class DdnsFm(Get):
    """What the operator's own tools and answers say: a key is one name's, one address a request, whose form is its family; "updating
    IPv4 will not delete IPv6 records". Done is 200 and "OK name address"; a failure has ERROR in its text. Open: the words behind
    it and the status (here 400)."""
    name, service, hosts = "ddnsfm", "DDNS.fm", ("api.ddns.fm",)
    source = "https://github.com/ddclient/ddclient/pull/695; https://github.com/woolflare/EasyInstall fmcert (0b19792)"
    path, host_param, secret_param, per_host, addresses = "/update", "domain", "key", True, {"myip": ("A", "AAAA")}

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.denied(None)
        return Response(200, f"OK {outcomes[0][0]} {next(iter(wanted.values()))}\n")

    def denied(self, request):
        return Response(400, "ERROR\n")

    def malformed(self, request):
        return self.denied(request)


class Ddnss(Get):
    """The page has the requests: ip at ip4.ddnss.de, ip6 at ip6.ddnss.de, both at www.ddnss.de. What is answered is not in its copies:
    the header is IPFire's ddns', the text inadyn's and acme.sh's."""
    name, service, hosts, zone = "ddnss", "DDNSS.de", ("ddnss.de", "www.ddnss.de", "ip4.ddnss.de", "ip6.ddnss.de"), "ddnss.de"
    source, documented = "https://ddnss.de/info.php, copied in https://github.com/ddclient/ddclient/issues/916 and 577", False
    path, host_param, addresses, many = "/upd.php", "host", {"ip": ("A",), "ip6": ("AAAA",)}, 20
    optional = ("user", "pwd", "key", "old")

    def account(self, hosts=()):
        return {"username": self.secret("user", length=8), "password": self.key()}

    def params(self, request):
        found = super().params(request)
        other = {"ip4.ddnss.de": "ip6", "ip6.ddnss.de": "ip"}.get(request.host)
        if found is not None and other in found:
            self.violate("host", f"{other} at {request.host}")
            return None
        return found

    def login(self, request, q, names):
        """The account's key, or its name and password."""
        if "key" in q and "user" not in q and "pwd" not in q:
            return self.credentials(q["key"] == self.key(), q["key"])
        return self.credentials((q.get("user"), q.get("pwd")) == (self.secret("user", length=8), self.key()), repr(q))

    @staticmethod
    def say(word, text):
        return Response(200, text, [("DDNSS-Response", word), ("DDNSS-Message", text)])

    def answer(self, q, outcomes, wanted):
        changed = sum(word == "good" for _, word in outcomes)
        return words(outcomes, {"unknown": self.say("nohost", "nohost"), "nochg": self.say("nochg", "No change"), "early": None,
                                "good": self.say("good", f"Updated {changed} hostname{'s' if changed > 1 else ''}.")})

    def denied(self, request):
        return self.say("badauth", "badauth")

    def malformed(self, request):
        return self.say("badysys", "badysys")  # so spelt by ddns-updater


class DdoJp(Get):
    name, service, hosts, zone = "ddojp", "ddo.jp", ("free.ddo.jp",), "ddo.jp"
    source, documented = OPENWRT, False
    path, host_param, secret_param, per_host, families = "/dnsupdate.php", "dn", "pw", True, ("A",)

    def answer(self, q, outcomes, wanted):
        return Response(200, f"FAIL: {outcomes[0][0]}" if outcomes[0][1] == "unknown" else f"SUCCESS: {outcomes[0][0]} {wanted['A']}")

    def denied(self, request):
        return Response(200, "FAIL: password")


class DnsMadeEasy(Get):
    """id is the record's, so it says the host; several are separated by commas."""
    name, service, hosts = "dnsmadeeasy", "DNS Made Easy", ("cp.dnsmadeeasy.com", "www.dnsmadeeasy.com")
    source = "https://support.dnsmadeeasy.com/support/solutions/articles/47001122450-dynamic-dns"
    path, methods, families, many = "/servlet/updateip", ("GET", "POST"), ("A",), 20
    host_param, user_param, secret_param = "id", "username", "password"

    def __init__(self):
        super().__init__()
        self.ids = {}

    def record(self, host):
        return str(10000000 + int(hashlib.sha256(self.seed + host.encode()).hexdigest()[:6], 16))

    def account(self, hosts=()):
        found = {host: self.record(host) for host in hosts or [self.host("@")]}
        self.ids.update({number: host for host, number in found.items()})
        return {**super().account(), "host_secrets": found}

    def names(self, q):
        return [self.ids.get(number, number) for number in super().names(q)]

    def wanted(self, q):
        if "ip" not in q:  # "All arguments are required to make a successful call"
            self.violate("missing-parameter", "ip")
            return None
        return super().wanted(q)

    def answer(self, q, outcomes, wanted):
        return Response(200, words(outcomes, {"unknown": "error-record-invalid", "good": "success", "nochg": "error-record-ip-same",
                                              "early": None}))

    def denied(self, request):
        return Response(200, "error-auth")

    def malformed(self, request):
        return Response(200, "error")

    def refused(self, request):
        return Response(200, "error-auth")  # client.txt: "or invalid IP syntax"


class DnsExit(Get):
    """https://api.dnsexit.com/dns/ud/ for addresses, https://api.dnsexit.com/dns/ for records as JSON (TTL in minutes)."""
    name, service, hosts = "dnsexit", "DNSExit", ("api.dnsexit.com",)
    source, interval, many, ttl = "https://dnsexit.com/dns/dns-api/", 240, 20, 28800
    path, methods, host_param, secret_param = ("/dns/ud/", "/dns/ud"), ("GET", "POST"), "host", "apikey"
    addresses, deletes = {"ip": ("A", "AAAA")}, True

    def say(self, code, message, details=None):
        return Response(200, {"code": code, **({"details": details} if details else {}), "message": message})

    def handle(self, request):
        return self.records_api(request) if request.path in ("/dns/", "/dns") else super().handle(request)

    def answer(self, q, outcomes, wanted):
        early = "IP was updated less than 4 minutes ago"
        return words(outcomes, {"unknown": self.say(1, "Hostname is not found"), "early": self.say(1, early),
                                "good": self.say(0, "Success - IP updated"), "nochg": self.say(0, "Success - IP not changed")})

    def denied(self, request):
        return self.say(2, "API Key Authentication Error")

    def malformed(self, request):
        return self.say(3, "Missing Required Definitions")

    def records_api(self, request):
        try:
            body = request.json()
            if request.method != "POST" or request.content_type != "application/json" or not isinstance(body, dict):
                raise ValueError("POST of a JSON object")
        except ValueError as fault:
            self.violate("body", fault)
            return self.say(4, "JSON Data Syntax Error")
        given = {name: body.get(name, request.get(name, request.headers.get(name))) for name in ("apikey", "domain")}
        actions = [(word, item) for word in ("add", "update", "delete") if word in body
                   for item in (body[word] if isinstance(body[word], list) else [body[word]])]
        if set(body) - {"apikey", "domain", "add", "update", "delete"} or not given["domain"] or not actions:
            self.violate("body", sorted(body))
            return self.malformed(request)
        if not self.credentials(given["apikey"] == self.key(), given["apikey"]):
            return self.denied(request)
        faults = [fault for word, item in actions if (fault := self.act(word, item, given["domain"]))]
        return faults[0] if faults else self.say(0, "Success", [f"{word} {item['type']} {item['name']}" for word, item in actions])

    def act(self, word, item, domain):
        """None, or the reply to an action that cannot be done."""
        allowed = {"type", "name", "content", "ttl", "overwrite"} if word != "delete" else {"type", "name", "content"}
        if not isinstance(item, dict) or set(item) - allowed or not {"type", "name"} <= set(item):
            self.violate("body", item)
            return self.malformed(None)
        if item["type"] not in self.families:
            self.violate("record-type", item["type"])
            return self.say(5, "JSON Defined Record Type not Supported")
        name = item["name"] if below(item["name"], domain) and item["name"] else f"{item['name']}.{domain}".lstrip(".")
        if not self.known(name):
            return self.say(1, "Some execution problems", [f"{name} is not found"])
        if word == "delete":
            self.remove(name, item["type"])
            return None
        ttl = item.get("ttl", 480)
        if self.address(item.get("content", ""), (item["type"],)) is None or not isinstance(ttl, int) or isinstance(ttl, bool) or ttl < 0:
            self.violate("body", item)
            return self.malformed(None)
        self.update(name, {item["type"]: item["content"]}, ttl * 60)
        return None


class DnsHome(Get):
    """The user name is the host's own; a hostname parameter is ignored. What the operator wrote into lego and acme.sh: the path, the
    login, GET or POST, status 200 always, "error - TEXT" for a failure; ip, ip6, good and nochg are clients'."""
    name, service, hosts, zone = "dnshome", "dnsHome.de", ("www.dnshome.de", "dnshome.de"), "dnshome.de"
    source, documented = "https://github.com/go-acme/lego/pull/1871; https://github.com/leamas/ddupdate plugins/dnshome_de_srvc.py", False
    path, methods, host_param, basic, per_host = "/dyndns.php", ("GET", "POST"), None, True, True
    addresses, optional = {"ip": ("A",), "ip6": ("AAAA",)}, ("hostname", "u")

    def handle(self, request):
        self.login_name = (request.basic() or ("", ""))[0]
        return super().handle(request)

    def names(self, q):
        return [self.login_name]

    def login(self, request, q, names):
        good = names[0].lower() in self.bad or request.basic() == (names[0], self.host_secret(names[0]))
        return self.credentials(good, repr(request.basic()))

    def answer(self, q, outcomes, wanted):
        addresses = " ".join(wanted.values())
        return words(outcomes, {"unknown": self.failed("nohost"), "good": Response(200, f"good {addresses}"),
                                "nochg": Response(200, f"nochg {addresses}"), "early": None})

    @staticmethod
    def failed(text):
        return Response(200, f"error - {text}")

    def denied(self, request):
        return self.failed("badauth")

    def malformed(self, request):
        return self.failed("badrequest")


class KeySystems(Get):
    """After an update further ones are denied; wait at least 30 minutes. An address cannot be deleted."""
    hosts, families, interval = ("dynamicdns.key-systems.net",), ("A",), 1800
    path, secret_param, per_host, optional = "/update.php", "password", True, ("mx",)

    def say(self, code, text):
        return Response(200, f"[RESPONSE]\ncode = {code}\ndescription = {text}\nEOF\n")

    def claims(self, request):
        return below(request.get("hostname") or "", self.zone) or request.get("hostname") in self.bad

    def wanted(self, q):
        if q.get("ip", "auto") == "auto":
            return {"A": self.detect("A", "ip=auto")}
        return super().wanted(q)

    def answer(self, q, outcomes, wanted):
        return words(outcomes, {"unknown": self.say(531, "Authorization failed"), "early": self.say(549, "Command failed; abuse prevention triggered"),
                                "good": self.say(200, "Command completed successfully"), "nochg": self.say(200, "Command completed successfully")})

    def denied(self, request):
        return self.say(530, "Authentication failed; invalid password")

    def malformed(self, request):
        return self.say(505, "Invalid attribute value syntax")


class Dd24(KeySystems):
    name, service = "domaindiscount24", "domaindiscount24 / key-systems"
    source = "https://support.domaindiscount24.com/hc/en-gb/articles/4409759444625-Dynamic-DNS"


class Moniker(KeySystems):
    """The same server as domaindiscount24's, which is Moniker's registrar platform. That Moniker's customers use it is a client's
    word: no page with Moniker's own name on it was found."""
    name, service, documented = "moniker", "Moniker", False
    source = "https://www.rrpproxy.net/deutsch/API/DynamicDNS; " + INADYN


class DonDominio(Get):
    """The page names the key `apikey`; all clients, the vendor's own too, send it as `password`: both are taken."""
    name, service, hosts = "dondominio", "DonDominio", ("dondns.dondominio.com",)
    source, families, denies_a_host = "https://dondominio.dev/en/dondns/docs/api", ("A",), True
    path, host_param, user_param, methods = ("/plain/", "/json/"), "host", "user", ("GET", "POST")
    optional = ("apikey", "password", "lang")

    def handle(self, request):
        self.json = request.path == "/json/"
        return super().handle(request)

    def login(self, request, q, names):
        secret = q.get("apikey", q.get("password"))
        return self.credentials((q["user"], secret) == (self.username(), self.key()), repr((q["user"], secret)))

    def say(self, good, text):
        return Response(200, {"success": good, "messages": [text]} if self.json else text)

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.say(False, "Host not found")
        return self.say(True, f"IP:{wanted['A']}" if self.json else f"OK\nIP:{wanted['A']}")

    def denied(self, request):
        return self.say(False, "Invalid username or apikey")

    def malformed(self, request):
        return self.say(False, "Missing or invalid parameters")


class DslReports(Get):
    """A line monitor rather than a zone: host_id is the number of a monitored line."""
    name, service, hosts = "dslreports", "dslreports", ("www.dslreports.com",)
    source, documented, families = DDCLIENT, False, ("A",)
    path, host_param, basic = "/nic/dyndns", "host_id", True
    addresses, fixed = {"myip": ("A",)}, {"action": "edit", "started": "1", "hostname": "YES"}

    def __init__(self):
        super().__init__()
        self.ids = {}

    def account(self, hosts=()):
        found = {host: self.secret(f"line/{host}", "123456789", 7) for host in hosts or [self.host("@")]}
        self.ids.update({number: host for host, number in found.items()})
        return {**super().account(), "host_secrets": found}

    def names(self, q):
        return [self.ids.get(q["host_id"], q["host_id"])]

    def answer(self, q, outcomes, wanted):
        code = "NOHOST" if outcomes[0][1] == "unknown" else "NOERROR"
        return Response(200, f"return code: {code}\nerror code: {code}\n")

    def denied(self, request):
        return Response(401, "return code: BADAUTH\n")


class DuckDns(Get):
    """`ip` may hold either family; without it, and without `ipv6`, the IPv4 address is that of the connection."""
    name, service, hosts, zone = "duckdns", "Duck DNS", ("www.duckdns.org", "duckdns.org"), "duckdns.org"
    apex_is_a_host, denies_a_host = False, True
    source, deletes, many = "https://www.duckdns.org/spec.jsp", True, 20
    path, host_param, secret_param = "/update", "domains", "token"
    addresses, optional = {"ip": ("A", "AAAA"), "ipv6": ("AAAA",)}, ("verbose", "clear")

    def key(self):
        text = self.secret("token", "0123456789abcdef", 32)
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def names(self, q):
        return [text if "." in text else f"{text}.{self.zone}" for text in super().names(q)]

    def params(self, request):
        q = super().params(request)
        for flag in ("verbose", "clear"):
            if q and q.get(flag, "true") not in ("true", "false"):
                self.violate("parameter-value", f"{flag}={q[flag]}")
                return None
        return q

    def wanted(self, q):
        given = {name: text for name, text in q.items() if name in self.addresses and text}  # empty counts as absent
        if q.get("clear") == "true":
            return {}
        return super().wanted(given)

    def update(self, name, wanted, ttl=None):
        if not wanted:
            return any([self.remove(name, rtype) for rtype in self.families])
        return super().update(name, wanted, ttl)

    def answer(self, q, outcomes, wanted):
        if q.get("verbose") != "true":
            return Response(200, words(outcomes, {"unknown": "KO", "early": None, "good": "OK", "nochg": "OK"}))
        lines = "OK\n" + "\n".join(wanted.get(rtype, "") for rtype in ("A", "AAAA"))
        return Response(200, words(outcomes, {"unknown": "KO", "early": None, "good": f"{lines}\nUPDATED", "nochg": f"{lines}\nNOCHANGE"}))

    def denied(self, request):
        return Response(200, "KO")

    def malformed(self, request):
        return Response(200, "KO")


class DuiaDns(Get):
    """Known by the vendor's own clients. The password is the MD5 that the account's page shows; each family alone goes to its
    own host, both to that of IPv4; the word none removes an address. They look at the status only: 200 is done, 401 "invalid
    hostname or password", any other a failure. Open: what a reply says (here nothing), and the other failures' number (here 400)."""
    name, service, hosts = "duiadns", "DuiaDNS", ("ipv4.duiadns.net", "ipv6.duiadns.net")
    denies_a_host = True
    source = "https://github.com/duiadns/download console/bash/duiadns.sh, console/go/duiadns.go (7ac2d80)"
    path, host_param, secret_param, deletes = "/dynamic.duia", "host", "password", True
    addresses = {"ip4": ("A",), "ip6": ("AAAA",)}

    def params(self, request):
        found = super().params(request)
        own = "ipv4.duiadns.net" if request.get("ip4") is not None else "ipv6.duiadns.net"
        if found is not None and request.host != own:
            self.violate("host", f"{request.host}, not {own}")
            return None
        return found

    def key(self):
        return hashlib.md5(self.password().encode(), usedforsecurity=False).hexdigest()

    def wanted(self, q):
        given = {name: text for name, text in q.items() if text != "none"}
        gone = {rtype: None for name, (rtype,) in self.addresses.items() if q.get(name) == "none"}
        if gone and not set(given) & set(self.addresses):
            return gone
        found = super().wanted(given)
        return None if found is None else {**gone, **found}

    def update(self, name, wanted, ttl=None):
        gone = [self.remove(name, rtype) for rtype, address in wanted.items() if address is None]
        return super().update(name, {rtype: address for rtype, address in wanted.items() if address}, ttl) or any(gone)

    def answer(self, q, outcomes, wanted):
        return self.denied(None) if outcomes[0][1] == "unknown" else Response(200)

    def denied(self, request):
        return Response(401)

    def malformed(self, request):
        return Response(400)
