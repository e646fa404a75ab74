# SPDX-License-Identifier: Apache-2.0
"""Simple services, Dynadot to MyOnlinePortal: one class each, with the page that it is written from."""
import re

from .base import Response, below
from .simple import Get, Keyed, words
from .simple_a import DDCLIENT, INADYN

UPDATER = "https://github.com/qdm12/ddns-updater (4b18087)"


class Dynadot(Get):
    """A client that Dynadot's developers wrote: one domain and its dynamic password a request, several labels with commas,
    containRoot adds the domain itself; a record that is not there is made. error_code -1 is a failure, anything else is done, so
    that a reply without one is too (as it was seen). Open: limits, and what a failure says in `content`."""
    name, service, hosts = "dynadot", "Dynadot", ("www.dynadot.com",)
    source = "https://github.com/jeessy2/ddns-go/pull/1050 and /1055, dns/dynadot.go (2699a61)"
    path, host_param, domain_param, secret_param, many = "/set_ddns", None, "domain", "pwd", 20
    takes_ttl, denies_a_host = True, True
    addresses, required = {"ip": ("A", "AAAA")}, ("subDomain", "type", "ttl", "containRoot")

    def params(self, request):
        pairs = dict(request.query)
        self.fields([pair for pair in request.query if pair[0] in self.required], self.required)
        request.query = [pair for pair in request.query if pair[0] not in self.required]
        found = super().params(request)
        return None if found is None or not set(self.required) <= set(pairs) else pairs

    def names(self, q):
        self.asked_type = q["type"]
        root = {"true": [q["domain"]], "false": []}.get(q["containRoot"])
        if root is None or not q["ttl"].isdigit() or self.asked_type not in self.families:
            self.violate("parameter-value", q)
            root = []
        labels = [label for label in q["subDomain"].split(",") if label]
        return root + [f"{label}.{q['domain']}" for label in labels] or [f"?.{q['domain']}"]

    def wanted(self, q):
        found = super().wanted(q)
        if found is not None and self.asked_type not in found:
            self.violate("parameter-value", f"type={self.asked_type}")
            return None
        return found

    def ttl_of(self, q):
        return int(q["ttl"]) if q["ttl"].isdigit() else None

    def failed(self, text):
        return Response(200, {"status": "failed", "error_code": -1, "content": [text]})

    def answer(self, q, outcomes, wanted):
        good = Response(200, {"status": "success"})
        return words(outcomes, {"unknown": self.failed("invalid domain"), "early": None, "good": good, "nochg": good})

    def denied(self, request):
        return self.failed("fail: invalid password")

    def malformed(self, request):
        return self.failed("fail: missing parameter")


class DynV6(Get):
    """What is not named is kept; "-" removes it; an address with a length sets the zone's prefix as well."""
    name, service, hosts, zone = "dynv6", "dynv6", ("dynv6.com", "ipv4.dynv6.com", "ipv6.dynv6.com"), "dynv6.net"
    source, deletes = "https://dynv6.com/docs/apis", True
    path, secret_param, host_param = "/api/update", "token", None
    addresses, optional = {"ipv4": ("A",), "ipv6": ("AAAA",)}, ("zone", "hostname", "Hostname", "ipv6prefix")

    def names(self, q):
        found = [q[name] for name in ("zone", "hostname", "Hostname") if name in q]
        if len(found) != 1:
            self.violate("missing-parameter" if not found else "parameter-twice", "zone")
        return found[:1] or ["?"]

    def wanted(self, q):
        found = {}
        for name, rtype in (("ipv4", "A"), ("ipv6", "AAAA")):
            text = q.get(name, "")
            if text in ("auto", "6to4"):
                found[rtype] = self.detect(rtype, f"{name}={text}")
            elif text == "-":
                found[rtype] = None
            elif text:
                found[rtype] = text.partition("/")[0] if rtype == "AAAA" else text
                if self.address(found[rtype], (rtype,)) is None:
                    return None
        if "ipv6prefix" in q or "/" in q.get("ipv6", ""):
            self.violate("prefix", "shifts every IPv6 record of the zone")
        if not found:
            self.violate("missing-parameter", "ipv4, ipv6")
        return found

    def update(self, name, wanted, ttl=None):
        removed = [self.remove(name, rtype) for rtype, text in wanted.items() if text is None]
        return super().update(name, {rtype: text for rtype, text in wanted.items() if text}) or any(removed)

    def answer(self, q, outcomes, wanted):
        return words(outcomes, {"unknown": Response(404, "zone not found"), "early": None, "good": Response(200, "addresses updated"),
                                "nochg": Response(200, "addresses unchanged")})

    def denied(self, request):
        return Response(401, "invalid authentication token")


class Enom(Get):
    """Zone is the host's full name (or HostName within Zone, as the clients send it); DomainPassword is the domain's."""
    name, service, hosts = "enom", "Enom", ("dynamic.name-services.com",)
    source, families = "https://www.enom.com/api/API%20topics/api_SetDNSHost.htm", ("A",)
    path, host_param, secret_param = "/interface.asp", "Zone", "DomainPassword"
    addresses = {"Address": ("A",)}
    optional = ("HostName", "ResponseType", "UID", "PW")

    def params(self, request):
        """The names of parameters and commands are those of ASP: whatever the case."""
        proper = {name.lower(): name for name in ("Command", "Zone", "DomainPassword", "Address", "HostName", "ResponseType", "UID", "PW")}
        request.query = [(proper.get(name.lower(), name), value) for name, value in request.query]
        command = [value for name, value in request.query if name == "Command"]
        request.query = [(name, value) for name, value in request.query if name != "Command"]
        if [value.lower() for value in command] != ["setdnshost"]:
            self.violate("parameter-value", f"Command={command}")
            return None
        self.form = (request.get("ResponseType") or "text").lower()
        return super().params(request)

    def names(self, q):
        host = q.get("HostName", "@")
        return [q["Zone"] if host == "@" else f"{host}.{q['Zone']}"]

    def say(self, number=None, text="", address=""):
        errors = 1 if number else 0
        if self.form == "xml":
            fault = f"<errors><Err1>{text}</Err1></errors><responses><response><ResponseNumber>{number}</ResponseNumber>" \
                    f"<ResponseString>{text}</ResponseString></response></responses>" if number else f"<IP>{address}</IP>"
            body = f"<?xml version=\"1.0\"?>\n<interface-response><Command>SETDNSHOST</Command>{fault}<ErrCount>{errors}</ErrCount>" \
                   "<Done>true</Done></interface-response>"
            return Response(200, body, content_type="text/xml")
        fault = f"Err1={text}\r\nResponseNumber1={number}\r\n" if number else f"IP={address}\r\n"
        return Response(200, f";\r\n; URL Interface\r\nCommand=SETDNSHOST\r\n{fault}ErrCount={errors}\r\nDone=true\r\n")

    def answer(self, q, outcomes, wanted):
        return self.say(304153, "Domain name not found") if outcomes[0][1] == "unknown" else self.say(address=wanted["A"])

    def denied(self, request):
        self.form = (request.get("ResponseType") or "text").lower()
        return self.say(304155, "Password is incorrect")

    def malformed(self, request):
        self.form = (request.get("ResponseType") or "text").lower()
        return self.say(702, "Bad parameters")


class FreeDns(Keyed):
    """A token stands for one record, an A or an AAAA; account() has the A records' tokens, the AAAA records' are in
    `host_secrets6`. "You can override automatic IP detection by appending &address= to any update URL"; the address of the other
    family makes another record of it. The home page shows "Updated HOST from OLD to NEW". Open: the words for an address that is
    there already and for a token that is none; what is said here was seen."""
    name, service, hosts = "freedns", "FreeDNS (afraid.org)", ("sync.afraid.org", "v6.sync.afraid.org", "freedns.afraid.org")
    source = "https://freedns.afraid.org/, /dynamic/, /dynamic/v2/tips/ (copied in https://github.com/opnsense/plugins/issues/3466)"
    secret_param, addresses = "token", {"address": ("A", "AAAA"), "ip": ("A", "AAAA")}
    alone = ("A",)  # an account of ours has one secret a host: the token of its AAAA record has no place

    def account(self, hosts=()):
        found = super().account(hosts)
        second = {host: self.host_secret("6/" + host) for host in found["host_secrets"]}
        self.keys.update({secret: host for host, secret in second.items()})
        return {**found, "host_secrets6": second}

    def common(self, request):
        """A bare key in the query is version 1's form, not a malformed one."""
        if request.path == "/dynamic/update.php":
            key, _, rest = request.raw_query.partition("&")
            request.faults = [fault for fault in request.faults if key not in fault]
            request.query = [("token", key), *request._pairs(rest)]
        return super().common(request)

    def params(self, request):
        before = len(self.violations)
        self.first = request.host == "freedns.afraid.org"
        found = re.fullmatch(r"/u/([^/]+)/", request.path)
        if self.first != (request.path == "/dynamic/update.php") or not self.first and not found or request.method != "GET":
            self.violate("path", f"{request.method} {request.host}{request.path}")
            return None
        self.fields(request.query, ("token",) if self.first else (), ("address", "ip"))
        if {"address", "ip"} <= {name for name, _ in request.query}:
            self.violate("parameter-twice", "address, ip")
        return {**dict(request.query), **({"token": found[1]} if found else {})} if len(self.violations) == before else None

    def wanted(self, q):
        found = super().wanted(q)
        rtype = "A" if q["token"] == self.host_secret(self.keys[q["token"]]) else "AAAA"
        if found is not None and list(found) != [rtype]:
            self.violate("record-type", f"{q} would make another record of the {rtype}")
            return None
        return found

    def outcomes(self, names, wanted, ttl=None, together=True):
        rtype = next(iter(wanted))
        self.old = (self.values(names[0], rtype) or ["192.0.2.251" if rtype == "A" else "2001:db8:ffff::251"])[0]
        return super().outcomes(names, wanted, ttl, together)

    def answer(self, q, outcomes, wanted):
        host, word = outcomes[0]
        address = next(iter(wanted.values()))
        if word == "unknown":
            return self.denied(None)
        if word == "nochg":
            return Response(200, f"ERROR: Address {address} has not changed.\n" if self.first
                            else f"No IP change detected for {host} with IP {address}, skipping update\n")
        return Response(200, f"Updated {host} from {self.old} to {address}\n")

    def denied(self, request):
        return Response(404, "<html><body>404 Not Found</body></html>\n", content_type="text/html")

    def malformed(self, request):
        return self.denied(request)

    def refused(self, request):
        return Response(200, "ERROR: invalid IP address.\n")


class FreeMyIp(Get):
    """A token a name. "This command should return: OK"; the page names the domain in full. Open: what is said of a failure, here
    ERROR as a library that names the page has it, and what IPv6 in myip does to the other family."""
    name, service, hosts, zone = "freemyip", "freemyip.com", ("freemyip.com",), "freemyip.com"
    source = "https://freemyip.com/help"  # copies of it; myip as https://github.com/troglobit/inadyn (2.13.0) quotes it
    path, host_param, secret_param, per_host = "/update", "domain", "token", True
    addresses, optional, alone = {"myip": ("A", "AAAA")}, ("verbose",), ("A",)

    def host_secret(self, host):
        return self.secret(f"host/{host.lower()}", "0123456789abcdef", 32)

    def params(self, request):
        found = super().params(request)
        if found is not None and found.get("verbose", "yes") != "yes":
            self.violate("parameter-value", f"verbose={found['verbose']}")
            return None
        return found

    def answer(self, q, outcomes, wanted):
        return self.denied(None) if outcomes[0][1] == "unknown" else Response(200, "OK\n")

    def denied(self, request):
        return Response(200, "ERROR\n")

    def malformed(self, request):
        return self.denied(request)


class GiraDns(Get):
    """The account is one host: the request names none."""
    name, service, hosts = "gira", "giradns / gira.de", ("homeserver.gira.de",)
    source, documented = INADYN, False
    path, host_param, user_param, secret_param, hosts_per_account = "/hsdyndns.php", None, "u", "p", 1
    addresses = {"ip": ("A", "AAAA")}

    def __init__(self):
        super().__init__()
        self.own = [self.zone]

    def account(self, hosts=()):
        self.own = list(hosts) or self.own
        return super().account()

    def names(self, q):
        return self.own

    def answer(self, q, outcomes, wanted):
        return Response(200, "FAILED" if outcomes[0][1] == "unknown" else "OK")

    def denied(self, request):
        return Response(200, "Login failed")


class GoIp(Get):
    """shortResponse=true: one line instead of a page. Without `subdomain` all hosts of the router are set."""
    name, service, hosts, zone, many = "goip", "GoIP.de", ("www.goip.de", "goip.de", "www.goip.it"), "goip.de", 20
    denies_a_host = True
    source, alone = "http://www.goip.it/update-url.html", ("A",)  # without `ip` IPv4 is that of the connection
    path, host_param, user_param, secret_param = "/setip", "subdomain", "username", "password"
    addresses, optional = {"ip": ("A",), "ip6": ("AAAA",)}, ("shortResponse",)

    def answer(self, q, outcomes, wanted):
        if any(word == "unknown" for _, word in outcomes):
            return self.denied(None)
        lines = [f"{host} ({address})" for host, _ in outcomes for address in wanted.values()]
        if q.get("shortResponse") == "true":
            return Response(200, "\n".join(lines))
        return Response(200, f"<html><body>{'<br>'.join(lines)}</body></html>", content_type="text/html")

    def denied(self, request):
        return Response(200, "Zugriff verweigert")


class IpV64(Get):
    """At most 3 requests in 10 s and, by default, 48 in a day. Parameters have several names; the token is a parameter,
    Bearer, or either half of Basic."""
    name, service, hosts, many = "ipv64", "IPv64.net", ("ipv64.net", "ipv4.ipv64.net", "ipv6.ipv64.net"), 1
    source, rate = "https://ipv64.net/dyndns_updater_api", (3, 10)
    path, methods, host_param = ("/nic/update", "/update", "/update.php"), ("GET", "POST"), None
    addresses = {**dict.fromkeys(("ip", "ipv4", "ip4", "myip"), ("A",)), **dict.fromkeys(("ip6", "ipv6", "myip6", "myipv6"), ("AAAA",))}
    optional = ("key", "token", "user", "username", "domain", "host", "hostname", "praefix", "output")

    def handle(self, request):
        self.many = 20 if request.method == "POST" else 1  # several domains with commas are the POST's
        self.tokens = [request.bearer(), *(request.basic() or ())]
        return super().handle(request)

    def names(self, q):
        found = [q[name] for name in ("domain", "host", "hostname") if name in q]
        if len(found) != 1:
            self.violate("missing-parameter" if not found else "parameter-twice", "domain")
        prefix = f"{q['praefix']}." if q.get("praefix") else ""
        texts = [prefix + text for text in (found or ["?"])[0].split(",")]
        if len(texts) > self.many:
            self.violate("too-many-hosts", len(texts))
        return texts

    def login(self, request, q, names):
        given = [q[name] for name in ("key", "token", "user", "username") if name in q] + self.tokens
        return self.credentials(self.key() in given, repr(given))

    def answer(self, q, outcomes, wanted):
        addresses = " ".join(wanted.values())
        return words(outcomes, {"unknown": Response(200, "nohost"), "early": None, "good": Response(200, f"good {addresses}"),
                                "nochg": Response(200, f"nochg {addresses}")})

    def denied(self, request):
        return Response(401, "badauth")

    def limited(self, request):
        return Response(429, "Updateintervall overcommited")


class MyAddr(Keyed):
    """A key is for one name and all below it; `ip=self` is the requester's. DELETE takes both addresses away, and always
    answers 204. An address that is not updated for 90 days goes by itself."""
    name, service, hosts, zone, deletes = "myaddr", "MyAddr", ("myaddr.tools", "ipv4.myaddr.tools", "ipv6.myaddr.tools"), "myaddr.tools", True
    source = "https://github.com/brianshea2/addr.tools website/myaddr.tools/index.html (03b1568)"
    path, secret_param, addresses, methods = "/update", "key", {"ip": ("A", "AAAA")}, ("GET", "POST", "PUT", "DELETE")

    def common(self, request):
        """The body may be JSON."""
        if request.content_type == "application/json":
            try:
                body = request.json()
                request.form = [(name, body[name]) for name in body]
                request.headers.fields = [field for field in request.headers.fields if field[0].lower() != "content-type"] + [
                    ("Content-Type", "application/x-www-form-urlencoded")]
            except (ValueError, TypeError) as fault:
                request.faults.append(str(fault))
        return super().common(request)

    def wanted(self, q):
        if self.deleting:
            return None if "ip" in q else {}
        return {"A": self.detect("A", "ip=self")} if q.get("ip") == "self" else super().wanted(q)

    def handle(self, request):
        self.deleting = request.method == "DELETE"
        return super().handle(request)

    def update(self, name, wanted, ttl=None):
        return super().update(name, wanted, ttl) if wanted else any([self.remove(name, rtype) for rtype in self.families])

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.denied(None)
        return Response(204) if self.deleting else Response(200, "OK")

    def denied(self, request):
        return Response(400, 'invalid value for "key"\n')

    def malformed(self, request):
        return Response(400, 'must specify "key"\n')

    def refused(self, request):
        return Response(400, 'invalid value for "ip"\n')


class MyDnsJp(GiraDns):
    """A master id is its hosts: the request names none."""
    name, service, hosts = "mydns", "MyDNS.JP", ("www.mydns.jp", "ipv4.mydns.jp", "ipv6.mydns.jp")
    source, documented = INADYN + "; acme.sh for the page", False
    path, user_param, secret_param = "/directip.html", "MID", "PWD"
    addresses = {"IPV4ADDR": ("A",), "IPV6ADDR": ("AAAA",)}

    def say(self, text):
        return Response(200, f"<HTML>\n<HEAD><TITLE>Free Dynamic DNS (DDNS) for Home Server and VPS etc  | MyDNS.JP</TITLE></HEAD>\n"
                        f"<BODY>\n{text}<BR>\n</BODY>\n</HTML>\n", content_type="text/html; charset=UTF-8")

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.denied(None)
        return self.say(f"Login and IP address notify OK.<BR>\nlogin_status = 1.<BR>\nREMOTE ADDRESS:{next(iter(wanted.values()))}")

    def denied(self, request):
        return self.say("Login and IP address notify NG.<BR>\nlogin_status = 0.")


class MyOnlinePortal(Get):
    name, service, hosts = "myonlineportal", "MyOnlinePortal", ("myonlineportal.net", "ipv4.myonlineportal.net", "ipv6.myonlineportal.net")
    source, documented = INADYN + "; https://github.com/leamas/ddupdate plugins/myonlineportal_net.py", False
    path, addresses, optional = "/updateddns", {"ip": ("A",), "ip6": ("AAAA",)}, ("username", "password")
    basic = True

    def login(self, request, q, names):
        given = (q["username"], q.get("password")) if "username" in q else request.basic()
        return self.credentials(given == (self.username(), self.key()), repr(given))

    def answer(self, q, outcomes, wanted):
        text = ",".join(wanted.values())
        return Response(200, words(outcomes, {"unknown": "nohost", "early": None, "good": f"good {text}", "nochg": f"nochg {text}"}))

    def denied(self, request):
        return Response(401, "badauth", [("WWW-Authenticate", 'Basic realm="MyOnlinePortal"')])

    def malformed(self, request):
        return Response(200, "notfqdn")
