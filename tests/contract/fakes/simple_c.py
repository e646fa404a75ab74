# SPDX-License-Identifier: Apache-2.0
"""Simple services, Namecheap to ZoneEdit, dinahosting and Directnic: one class each, with the page that it is written from."""
from .base import Response, below
from .simple import Get, Keyed, words
from .simple_a import DDCLIENT, OPENWRT
from .simple_b import UPDATER


class Namecheap(Get):
    """A records only, TTL fixed at 30 minutes; HTTP 200 also for errors; the XML says utf-16 and is utf-8. The request is the
    page's (copies of it), the replies are quoted from the service by many and are not in the copies."""
    name, service, hosts, families, ttl = "namecheap", "Namecheap", ("dynamicdns.park-your-domain.com",), ("A",), 1800
    documented = False
    source = "https://www.namecheap.com/support/knowledgebase/article.aspx/29/11/how-to-use-the-browser-to-dynamically-update-hosts-ip"
    path, host_param, domain_param, secret_param = "/update", "host", "domain", "password"

    def key(self):
        return self.secret("ddns", "0123456789abcdef", 32)

    def say(self, number=None, text="", address=""):
        if number:
            middle = f"<ErrCount>1</ErrCount><errors><Err1>{text}</Err1></errors><ResponseCount>1</ResponseCount><responses><response>" \
                     f"<ResponseNumber>{number}</ResponseNumber><ResponseString>{text}</ResponseString></response></responses>"
        else:
            middle = f"<IP>{address}</IP><ErrCount>0</ErrCount><errors /><ResponseCount>0</ResponseCount><responses />"
        body = f"<?xml version=\"1.0\" encoding=\"utf-16\"?><interface-response><Command>SETDNSHOST</Command><Language>eng</Language>" \
               f"{middle}<Done>true</Done><debug><![CDATA[]]></debug></interface-response>"
        return Response(200, body, content_type="text/xml")

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.say(380091, "No Records updated. A record not Found;")
        return self.say(address=wanted["A"])

    def denied(self, request):
        return self.say(304156, "Passwords do not match")

    def malformed(self, request):
        return self.say(316153, "Domain name not found")


class Njalla(Get):
    """A key a record; both families in one request; `quiet` empties a good reply."""
    name, service, hosts = "njalla", "Njalla", ("njal.la",)
    source, documented = DDCLIENT + ", which names https://njal.la/docs/ddns/", False
    path, host_param, secret_param, per_host = "/update/", "h", "k", True
    addresses, optional = {"a": ("A",), "aaaa": ("AAAA",)}, ("auto", "quiet")

    def common(self, request):
        """`auto` and `quiet` stand without a value."""
        bare = [part for part in request.raw_query.split("&") if part in ("auto", "quiet")]
        if bare:
            rest = "&".join(part for part in request.raw_query.split("&") if part not in bare)
            request.faults = [fault for fault in request.faults if "bad query field" not in fault]
            request.query = request._pairs(rest) + [(part, "") for part in bare]
        return super().common(request)

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.denied(None)
        value = {rtype: address for rtype, address in wanted.items()}
        return Response(200, "" if "quiet" in q else {"status": 200, "message": "record updated", "value": value})

    def denied(self, request):
        return Response(401, {"status": 401, "message": "invalid host or key"})


class NoIpPl(Get):
    """No parameter for an address is known: the host gets the address of the connection."""
    name, service, hosts = "no-ip-pl", "no-ip.pl", ("update.no-ip.pl",)
    source, documented, families, basic, addresses, sets_given_address = OPENWRT, False, ("A",), True, {}, False

    def answer(self, q, outcomes, wanted):
        return Response(200, "nohost" if outcomes[0][1] == "unknown" else f"good {wanted['A']}")


class Regfish(Get):
    """Token of the domain, no user name. Both families in one request."""
    name, service, hosts, methods = "regfish", "regfish", ("dyndns.regfish.de",), ("GET", "POST")
    source = "https://www.regfish.de/domains/dyndns/dokumentation"
    host_param, secret_param = "fqdn", "token"
    addresses, optional = {"ipv4": ("A",), "ipv6": ("AAAA",)}, ("forcehost", "authtype", "thisipv4", "thisipv6", "ttl")

    def answer(self, q, outcomes, wanted):
        return Response(200, words(outcomes, {"unknown": "failure|412|no valid fqdn provided", "early": None,
                                              "good": "success|100|update succeeded!", "nochg": "success|101|no update needed at this time.."}))

    def denied(self, request):
        return Response(200, "failure|401|authentication failed")

    def malformed(self, request):
        return Response(200, "failure|412|no valid fqdn provided")

    def refused(self, request):
        v6 = "ipv6" in dict(request.query + request.form)
        return Response(200, "failure|409|invalid ipv6 address" if v6 else "failure|408|invalid ipv4 address")


class Sitelutions(Get):
    """id is the number of an A record, several with commas; a TTL that is not given stays. detectip=1 takes the connection's."""
    name, service, hosts, families = "sitelutions", "Sitelutions", ("www.sitelutions.com", "dnsup.sitelutions.com", "api2.sitelutions.com"), ("A",)
    source, many, takes_ttl = "http://www.sitelutions.com/help/dynamic_dns_clients", 20, True
    path, host_param, user_param, secret_param, optional = "/dnsup", "id", "user", "pass", ("ttl", "detectip")

    def __init__(self):
        super().__init__()
        self.ids = {}

    def account(self, hosts=()):
        found = {host: self.secret(f"record/{host}", "123456789", 8) for host in hosts or [self.host("@")]}
        self.ids.update({number: host for host, number in found.items()})
        return {**super().account(), "host_secrets": found}

    def names(self, q):
        return [self.ids.get(number, number) for number in super().names(q)]

    def wanted(self, q):
        return {"A": self.detect("A", "detectip=1")} if q.get("detectip") == "1" else super().wanted(q)

    def update(self, name, wanted, ttl=None):
        return super().update(name, wanted, ttl or self.records.get((name.lower(), "A"), (self.ttl,))[0])

    def ttl_of(self, q):
        if q.get("ttl", "1").isdigit():
            return int(q.get("ttl", "0")) or None
        self.violate("ttl", q["ttl"])
        return None

    def answer(self, q, outcomes, wanted):
        return Response(200, "noauth" if any(word == "unknown" for _, word in outcomes) else "success")

    def denied(self, request):
        return Response(200, "noauth")


class ZoneEdit(Get):
    """auth/dynamic.html with its list of return codes; a wrong login is HTTP's 401. Open: several hosts in one request, how soon is
    707's "too frequent" (a newer panel says 600 seconds), what an address that is none is told (here 702, "Update failed.")."""
    name, service, hosts, families, interval = "zoneedit", "ZoneEdit", ("dynamic.zoneedit.com",), ("A",), 600
    source, basic = "http://www.zoneedit.com/doc/dynamic.html", True  # quoted in Tomato's mdu.c, ReturnCodes.txt with it
    path, host_param, addresses = "/auth/dynamic.html", "host", {"dnsto": ("A",)}

    def page(self, line):
        return Response(200, line + "\n", content_type="text/html")

    def answer(self, q, outcomes, wanted):
        (host, word), zone = outcomes[0], f'ZONE="{self.zone}"'
        return self.page({"good": f'<SUCCESS CODE="200" TEXT="Update succeeded." {zone} HOST="{host}" IP="{wanted["A"]}">',
                          "nochg": f'<SUCCESS CODE="201" TEXT="No records need updating." {zone}>',
                          "early": f'<ERROR CODE="707" TEXT="Too frequent updates for the same host, adjust client settings" {zone}>'}.get(
                              word, f'<ERROR CODE="701" TEXT="Zone is not set up in this account." ZONE="{host}">'))

    def denied(self, request):
        body = "<html><head><title>Authentication Failed </title></head><body></body></html>\n"
        return Response(401, body, [("WWW-Authenticate", 'Basic realm="ZoneEdit"')], content_type="text/html")

    def malformed(self, request):
        return self.page('<ERROR CODE="703" TEXT="one of either parameters \'zones\' or \'host\' are required.">')

    def refused(self, request):
        return self.page(f'<ERROR CODE="702" TEXT="Update failed." ZONE="{self.zone}">')


class Dinahosting(Get):
    """A command of the general API: a POST of JSON as the vendor's client sends it, or names and values with `command` and
    `responseType` as the API's page describes; what comes without a responseType is open, so that one has to be there. UpdateType*
    changes a record that is there, which account() stands for; AddType* makes one. 1000 is done, 2200 and 2201 "Credenciales
    incorrectas", any other a failure. The client knows A only; that of AAAA is in the API's list of commands, its parameters
    are open and taken to be the same."""
    name, service, hosts, methods = "dinahosting", "dinahosting", ("dinahosting.com",), ("GET", "POST")
    source = "https://github.com/dinahosting/dinaip-linux-shell source/Proceso.pm (29499ed); https://en.dinahosting.com/api/documentation"
    path, basic, host_param, domain_param, apex = "/special/api.php", True, "hostname", "domain", "@"
    addresses, optional = {"ip": ("A", "AAAA")}, ("command", "responseType", "oldIp")
    commands = {f"Domain_Zone_{verb}Type{rtype}": rtype for verb in ("Update", "Add") for rtype in ("A", "AAAA")}
    state = (*Get.state, "made")

    def __init__(self):
        super().__init__()
        self.made = set()

    def account(self, hosts=()):
        self.made |= {(host.lower(), rtype) for host in hosts for rtype in self.families}
        return super().account()

    def username(self):
        return self.secret("user", "abcdefghijkmnopqrstuvwxyz", 10)

    def handle(self, request):
        """JSON is read as if its parameters had been sent one by one; it is answered as JSON."""
        self.command, self.form = request.get("command") or dict(request.form).get("command"), None
        if request.content_type == "application/json":
            try:
                body = request.json()
                self.command = body["method"]
                if request.method != "POST" or request.query or set(body) != {"method", "params"} or not isinstance(self.command, str):
                    raise ValueError("POST of method and params")
                request.form = [(name, value) for name, value in body["params"].items() if name != "responseType"]
                request.form += [("command", self.command), ("responseType", "Json")]
                if not all(isinstance(value, str) for _, value in request.form):
                    raise ValueError("a parameter that is no text")
                request.headers.fields = [field for field in request.headers.fields if field[0].lower() != "content-type"] + [
                    ("Content-Type", "application/x-www-form-urlencoded")]
            except (ValueError, KeyError, AttributeError, TypeError) as fault:
                self.violate("body", fault)
                self.form = "json"
                return self.malformed(request)
        self.form = (request.get("responseType") or dict(request.form).get("responseType", "")).lower()
        return super().handle(request)

    def params(self, request):
        if self.command not in self.commands or self.form not in ("json", "xml"):
            self.violate("parameter-value", f"command={self.command}, responseType={self.form}")
            return None
        return super().params(request)

    def wanted(self, q):
        rtype, old = self.commands[self.command], q.get("oldIp", "")
        found = super().wanted(q)
        if found is None or list(found) != [rtype] or old and self.address(old, (rtype,)) is None:
            self.violate("parameter-value", f"command={self.command}")
            return None
        return found

    def known(self, name, alone=True):
        """A domain that is not the account's is told apart from a host that is not in it."""
        self.foreign = not below(name, self.zone)
        key = (name.lower(), self.commands[self.command])
        if not super().known(name, alone):
            return False
        if "_Add" in self.command:
            self.made.add(key)
        return key in self.made

    def say(self, code, message, errors=()):
        """`errors`: (code, message, parameter) each."""
        told = {} if errors else {"message": message}
        if self.form == "xml":
            found = "".join(f"<error><message>{text}</message><code>{number}</code><parameter>{what}</parameter></error>"
                            for number, text, what in errors)
            middle = f"<errors>{found}</errors>" if errors else f"<message>{message}</message>"
            return Response(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<xml><response><trId>fake</trId><responseCode>{code}</responseCode>'
                                 f"{middle}<command>{self.command}</command></response></xml>", content_type="text/xml")
        if errors:
            told["errors"] = [{"code": number, "message": text, "parameter": what} for number, text, what in errors]
        return Response(200, {"trId": "fake", "responseCode": code, **told, "data": "", "command": self.command})

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] != "unknown":
            return self.say(1000, "Success.")
        if self.foreign:
            return self.say(2201, "", [(2201, "Authorization error.", "")])
        return self.say(2303, "", [(2303, 'Param "hostname" value doesn\'t exist.', "hostname")])

    def denied(self, request):
        return self.say(2200, "", [(2200, "Authentication error.", "")])

    def malformed(self, request):
        return self.say(2001, "", [(2003, "Required param is missing.", "")])

    def refused(self, request):
        return self.say(2001, "", [(2005, 'Param "ip" value syntax is not valid.', "ip")])


class Directnic(Keyed):
    """Each record has its own URL. account() has the A records' keys; the AAAA records' are in `host_secrets6`."""
    name, service, hosts = "directnic", "Directnic", ("directnic.com",)
    source, documented = DDCLIENT + ", which names https://directnic.com/knowledge#/knowledge/article/3726", False
    secret_param, addresses = "key", {"data": ("A", "AAAA")}
    alone = ("A",)  # an account of ours has one secret a host: the URL of its AAAA record has no place

    def account(self, hosts=()):
        found = super().account(hosts)
        second = {host: self.host_secret("6/" + host) for host in found["host_secrets"]}
        self.keys.update({secret: host for host, secret in second.items()})
        return {**found, "host_secrets6": second}

    def params(self, request):
        before = len(self.violations)
        parts = request.segments
        if request.method != "GET" or len(parts) != 4 or parts[:2] != ["dns", "gateway"] or parts[3]:
            self.violate("path", f"{request.method} {request.path}")
            return None
        self.fields(request.query, (), ("data",))
        return {**dict(request.query), "key": parts[2]} if len(self.violations) == before else None

    def wanted(self, q):
        found = super().wanted(q)
        host = self.keys[q["key"]]
        rtype = "A" if q["key"] == self.host_secret(host) else "AAAA"
        if found is not None and rtype not in found:
            self.violate("bad-address", f"{q.get('data')} for the {rtype} record")
            return None
        return found

    def answer(self, q, outcomes, wanted):
        if outcomes[0][1] == "unknown":
            return self.denied(None)
        return Response(200, {"result": "success", "message": f"Your record has been updated to {next(iter(wanted.values()))}."})

    def denied(self, request):
        return Response(200, {"result": "error", "message": "Invalid update URL."})

    def malformed(self, request):
        return Response(200, {"result": "error", "message": "There was an error updating your record."})
