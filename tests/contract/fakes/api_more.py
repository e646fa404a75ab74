# SPDX-License-Identifier: Apache-2.0
"""Simple services that are an API of several calls: DNSPod (dnsapi.cn), DreamHost, Mythic Beasts, NameSilo."""
import collections
import re
import xml.sax.saxutils

from .base import Response, below
from .api_simple import Ids
from .simple import Simple


class DnsPod(Ids):
    """Only POST; a User-Agent of program/version(contact e-mail); more than 5 changes without a difference in an hour lock the
    record for an hour; more than 30 failed logins in 5 minutes lock the login for one."""
    name, service, hosts = "dnspod", "DNSPod (dnsapi.cn)", ("dnsapi.cn",)
    source, ttl = "https://github.com/DNSPod/dnspod-api-doc (4ddb19a)", 600
    state = (*Ids.state, "same", "locked")
    agent = re.compile(r"[^/]+/[^(]+\([^)]*@[^)]*\)")
    calls_ = {"Record.List": ((), ("offset", "length", "sub_domain", "keyword", "record_type")),
              "Record.Create": (("record_type", "value"), ("sub_domain", "record_line", "record_line_id", "ttl", "mx", "status", "weight")),
              "Record.Modify": (("record_id", "record_type", "value"), ("sub_domain", "record_line", "record_line_id", "ttl", "mx", "status", "weight")),
              "Record.Ddns": (("record_id",), ("value", "sub_domain", "record_line", "record_line_id", "record_type", "ttl")),
              "Record.Remove": (("record_id",), ())}
    domain_id = "59753949"

    def __init__(self):
        super().__init__()
        self.same, self.locked = {}, {}
        self.failures = collections.deque()

    def account(self, hosts=()):
        number, token = self.secret("id", "123456789", 6), self.secret("token", "0123456789abcdef", 32)
        return {"username": number, "password": token, "options": {"contact": "hostmaster@example.org"}}

    def is_lookup(self, request):
        return request.path == "/Record.List"

    def say(self, code, text, **more):
        return Response(200, {"status": {"code": str(code), "message": text, "created_at": "2026-11-23 12:00:00"}, **more})

    def denied(self, request):
        return self.say(-1, "Login failed, please check login information")

    def limited(self, request):
        return self.say(-2, "API usage is limited")

    def handle(self, request):
        call = request.path[1:]
        if request.method != "POST" or request.query:
            self.violate("method", f"{request.method} {request.target}")
            return self.say(2, "Only POST method is allowed")
        if call not in self.calls_:
            self.violate("path", request.path)
            return self.say(3, "Unknown error")
        if not self.agent.fullmatch(request.headers.get("User-Agent") or ""):
            self.violate("user-agent", request.headers.get("User-Agent"))
        required, optional = self.calls_[call]
        q = self.pairs(request, ("login_token", *required), ("format", "lang", "error_on_empty", "domain", "domain_id", *optional))
        if q is None or q.get("format") != "json" or ("domain" in q) == ("domain_id" in q):
            self.violate("parameter-value", "format=json and one of domain, domain_id")
            return self.say(6, "Missing or wrong parameter")
        if not self.login(q["login_token"]):
            return self.denied(request) if len(self.failures) <= 30 else self.say(-8, "Too many failed logins, try later")
        if q.get("domain", self.zone).lower() != self.zone or q.get("domain_id", self.domain_id) != self.domain_id:
            self.violate("unknown-zone", q.get("domain"))
            return self.say(6, "Domain id invalid")
        return {"List": self.listed, "Create": self.create, "Remove": self.taken}.get(call.partition(".")[2], self.modify)(q)

    def login(self, token):
        now = self.clock()
        while self.failures and self.failures[0] <= now - 300:
            self.failures.popleft()
        if self.credentials(token == ",".join(self.account()[field] for field in ("username", "password")), token):
            return len(self.failures) <= 30
        self.failures.append(now)
        return False

    def listed(self, q):
        rows = [{"id": number, "ttl": str(ttl), "value": value, "enabled": "1", "status": "enabled", "type": rtype, "line": "默认", "line_id": "0",
                 "name": "@" if name == self.zone else name[:-len(self.zone) - 1]} for number, (name, rtype, value, ttl) in self.rows.items()]
        rows = [row for row in rows if q.get("sub_domain", row["name"]) == row["name"] and q.get("record_type", row["type"]) == row["type"]]
        domain = {"id": self.domain_id, "name": self.zone, "grade": "DP_Free", "ttl": 600, "min_ttl": 600}
        if not rows and q.get("error_on_empty", "yes") == "yes":
            return self.say(10, "No records on the list")
        return self.say(1, "Action completed successful", domain=domain, records=rows)

    def checked(self, q, rtype):
        """(name, ttl), or the reply to what cannot be."""
        label = q.get("sub_domain", "@")
        name = self.zone if label == "@" else f"{label}.{self.zone}"
        if not self.known(name):
            return self.say(22, "Subdomain invalid")
        if q.get("record_line", "默认") != "默认" or q.get("record_line_id", "0") != "0" or not {"record_line", "record_line_id"} & set(q):
            self.violate("parameter-value", "record_line")
            return self.say(26, "Record line invalid")
        if rtype not in self.families:
            self.violate("record-type", rtype)
            return self.say(27, "Record type invalid")
        if self.address(q.get("value", ""), (rtype,)) is None:
            return self.say(34, "Record value invalid")
        ttl = self.ttl_in(q.get("ttl"), 1, 604800, self.ttl)
        return self.say(32, "TTL out of range") if ttl is None else (name, ttl)

    def create(self, q):
        found = self.checked(q, q["record_type"])
        if isinstance(found, Response):
            return found
        number = self.add(found[0], q["record_type"], q["value"], found[1])
        return self.say(1, "Action completed successful", record={"id": number, "name": q.get("sub_domain", "@"), "status": "enable"})

    def modify(self, q):
        number = q["record_id"]
        if number not in self.rows:
            self.violate("record-id", number)
            return self.say(8, "Record id invalid")
        found = self.checked(q, q.get("record_type", self.rows[number][1]))
        if isinstance(found, Response):
            return found
        if self.locked.get(number, 0) > self.clock():
            self.violate("locked-record", number)
            return self.say(21, "Domain is locked")
        row = (found[0].lower(), q.get("record_type", self.rows[number][1]), q["value"], found[1] if "ttl" in q else self.rows[number][3])
        if row == self.rows[number]:
            times = [then for then in self.same.get(number, []) if then > self.clock() - 3600] + [self.clock()]
            self.same[number] = times
            if len(times) > 5:
                self.violate("unchanged", f"{len(times)} changes without a difference in an hour")
                self.locked[number] = self.clock() + 3600
        self.change(number, *row)
        return self.say(1, "Action completed successful", record={"id": int(number), "name": q.get("sub_domain", "@"), "value": q["value"]})

    def taken(self, q):
        if q["record_id"] not in self.rows:
            return self.say(8, "Record id invalid")
        self.drop(q["record_id"])
        return self.say(1, "Action completed successful")


class DreamHost(Simple):
    """dns-add_record adds to what is there, dns-remove_record needs the exact value; a unique_id is used up by success."""
    name, service, hosts, deletes, calls_a_change = "dreamhost", "DreamHost", ("api.dreamhost.com",), True, 2
    source, ttl, state = "http://wiki.dreamhost.com/Application_programming_interface", 14400, ("records", "changed", "used")
    commands = {"dns-list_records": (), "dns-add_record": ("record", "type", "value"), "dns-remove_record": ("record", "type", "value")}

    def __init__(self):
        super().__init__()
        self.used = set()

    def account(self, hosts=()):
        return {"password": self.secret("key", length=16)}

    def is_lookup(self, request):
        return dict(request.query + request.form).get("cmd") == "dns-list_records"

    def say(self, request, result, data):
        if dict(request.query + request.form).get("format", "tab") == "json":
            return Response(200, {"result": result, "data": data})
        rows = data if isinstance(data, str) else "\n".join("\t".join(row.values()) for row in data)
        return Response(200, f"{result}\n{rows}\n")

    def denied(self, request):
        return self.say(request, "error", "invalid_api_key")

    def limited(self, request):
        return self.say(request, "error", "slow_down_bucko")

    def handle(self, request):
        before = len(self.violations)
        pairs = request.query + request.form
        command = dict(pairs).get("cmd")
        if request.path != "/" or request.method not in ("GET", "POST"):
            self.violate("path", f"{request.method} {request.path}")
        if command not in self.commands:
            self.violate("parameter-value", f"cmd={command}")
            return self.say(request, "error", "no_such_cmd")
        self.fields(pairs, ("key", "cmd", *self.commands[command]), ("unique_id", "format", "comment", "account"))
        q = dict(pairs)
        if len(self.violations) > before or q.get("format", "tab") not in ("tab", "json"):
            return self.say(request, "error", "missing_parameters")
        if not self.credentials(q["key"] == self.account()["password"], q["key"]):
            return self.denied(request)
        if q.get("unique_id") in self.used or len(q.get("unique_id", "")) > 64:
            self.violate("unique-id", q["unique_id"])
            return self.say(request, "error", "unique_id_already_used")
        result, data = {"dns-list_records": self.listed, "dns-add_record": self.add, "dns-remove_record": self.take}[command](q)
        if result == "success" and "unique_id" in q:
            self.used.add(q["unique_id"])
        return self.say(request, result, data)

    def listed(self, q):
        return "success", [{"account_id": "1", "zone": self.zone, "record": name, "type": rtype, "value": value, "comment": "", "editable": "1"}
                           for (name, rtype), (_, values) in sorted(self.records.items()) for value in values]

    def add(self, q):
        if not self.known(q["record"]):
            return "error", "no_such_zone"
        if q["type"] not in self.families:
            self.violate("record-type", q["type"])
            return "error", "invalid_type"
        if self.address(q["value"], (q["type"],)) is None:
            return "error", "invalid_value"
        values = self.values(q["record"], q["type"])
        if q["value"] in values:
            self.violate("exists", q["value"])
            return "error", "record_already_exists_remove_first"
        self.put(q["record"], q["type"], [*values, q["value"]])
        return "success", "record_added"

    def take(self, q):
        values = self.values(q["record"], q["type"])
        if q["value"] not in values:
            self.violate("no-such-record", q["value"])
            return "error", "no_such_value"
        self.put(q["record"], q["type"], [value for value in values if value != q["value"]])
        return "success", "record_removed"


class MythicBeasts(Simple):
    """The `dynamic` endpoint has no parameter for an address: it takes the connection's. The records' API replaces by PUT."""
    name, service, deletes, takes_ttl = "mythicbeasts", "Mythic Beasts", True, True
    hosts = ("api.mythic-beasts.com", "ipv4.api.mythic-beasts.com", "ipv6.api.mythic-beasts.com")
    source = "https://www.mythic-beasts.com/support/api/dnsv2"

    def account(self, hosts=()):
        return {"username": self.secret("key", length=12), "password": self.password()}

    def is_lookup(self, request):
        return request.method == "GET" and request.segments[:3] == ["dns", "v2", "zones"]

    def fault(self, status, text):
        return Response(status, {"error": text})

    def denied(self, request):
        return self.fault(401, "Unauthorized")

    def handle(self, request):
        account, segments = self.account(), request.segments
        given = request.basic() or (request.get("username"), request.get("password"))
        if not self.credentials(given == (account["username"], account["password"]), repr(given)):
            return self.denied(request)
        if segments[:3] == ["dns", "v2", "dynamic"] and len(segments) == 4 and request.method in ("GET", "POST", "PUT"):
            return self.dynamic(request, segments[3])
        if segments[:3] != ["dns", "v2", "zones"] or len(segments) != 7 or segments[4] != "records":
            self.violate("path", request.path)
            return self.fault(404, "Not found")
        label, rtype = segments[5], segments[6]
        name = self.zone if label == "@" else f"{label}.{self.zone}"
        if segments[3].lower() != self.zone or not self.known(name):
            return self.fault(404, "Zone or host not found") if segments[3].lower() == self.zone else self.fault(403, "No access to zone")
        if rtype not in self.families:
            self.violate("record-type", rtype)
            return self.fault(400, "Invalid type")
        return self.record(request, label, name, rtype)

    def dynamic(self, request, name):
        if not self.known(name):
            return self.fault(403, "No access to record")
        rtype = "AAAA" if request.host.startswith("ipv6.") else "A"
        self.update(name, {rtype: self.detect(rtype, request.path)}, 300)
        return Response(200, {"message": "1 records added", "records_added": 1, "records_removed": 1})

    def record(self, request, label, name, rtype):
        held = self.values(name, rtype)
        if request.method == "GET":
            ttl = self.records.get((name.lower(), rtype), (300,))[0]
            return Response(200, {"records": [{"host": label, "type": rtype, "ttl": ttl, "data": value} for value in held]})
        if request.method == "DELETE":
            self.remove(name, rtype)
            return Response(200, {"message": f"{len(held)} records removed", "records_removed": len(held)})
        if request.method not in ("PUT", "POST"):
            self.violate("method", request.method)
            return self.fault(405, "Method not allowed")
        found = self.asked(request, label, rtype)
        if found is None:
            return self.fault(400, "Invalid records")
        kept = held if request.method == "POST" else []
        values = [item["data"] for item in found]
        self.put(name, rtype, kept + [value for value in values if value not in kept], found[-1].get("ttl", 300) if found else None)
        more = {"records_removed": len(held)} if request.method == "PUT" else {}
        return Response(200, {"message": f"{len(values)} records added", "records_added": len(values), **more})

    def asked(self, request, label, rtype):
        """The records of the body, None where one is not as documented."""
        try:
            body = request.json() if request.content_type == "application/json" else {"records": [dict(request.form)]}
            found = body["records"] if set(body) == {"records"} else None
            for item in found:
                if set(item) - {"host", "type", "ttl", "data"} or item.get("host", label) != label or item.get("type", rtype) != rtype:
                    raise ValueError(f"record {item}")
                if not isinstance(item.get("ttl", 300), int) or item.get("ttl", 300) < 1 or self.address(item["data"], (rtype,)) is None:
                    raise ValueError(f"record {item}")
            return found
        except (ValueError, TypeError, KeyError) as fault:
            self.violate("body", repr(fault))
            return None


class NameSilo(Ids):
    """A changed record gets a new record_id; every reply has status 200 and one of the published codes. The page gives the TTL's
    default and no bounds: those here are what clients keep to. Open: how the domain's own name is written in rrhost (nothing
    or @), what `detail` says of a failure; the list of replies has one 280 for whatever is wrong with a record."""
    name, service, hosts = "namesilo", "NameSilo", ("www.namesilo.com",)
    source, ttl = "https://www.namesilo.com/api-reference#dns", 7207  # a copy of 2020-04-07, and its list of codes
    calls_ = {"dnsListRecords": ((), ()), "dnsAddRecord": (("rrtype", "rrhost", "rrvalue"), ("rrttl", "rrdistance")),
              "dnsUpdateRecord": (("rrid", "rrhost", "rrvalue"), ("rrttl", "rrdistance")), "dnsDeleteRecord": (("rrid",), ())}
    CODES = {108: "Missing parameters for the specified operation", 110: "Invalid API Key", 102: "Invalid API operation",
             200: "Domain is not active, or does not belong to this user", 280: "DNS modification error",
             300: "success", 400: "Existing API request is still processing - request will need to be re-submitted"}

    def account(self, hosts=()):
        return {"password": self.secret("key", "0123456789abcdef", 21)}

    def is_lookup(self, request):
        return request.path == "/api/dnsListRecords"

    def say(self, request, code, **more):
        operation, detail = request.segments[-1], self.CODES[code]
        if request.get("type") == "json":
            return Response(200, {"request": {"operation": operation, "ip": "192.0.2.250"}, "reply": {"code": code, "detail": detail, **more}})
        rows = "".join(f"<resource_record>{''.join(f'<{key}>{xml.sax.saxutils.escape(str(value))}</{key}>' for key, value in row.items())}"
                       "</resource_record>" for row in more.get("resource_record", []))
        number = f"<record_id>{more['record_id']}</record_id>" if "record_id" in more else ""
        body = f'<?xml version="1.0"?><namesilo><request><operation>{operation}</operation><ip>192.0.2.250</ip></request>' \
               f"<reply><code>{code}</code><detail>{detail}</detail>{number}{rows}</reply></namesilo>"
        return Response(200, body, content_type="text/xml; charset=utf-8")

    def denied(self, request):
        return self.say(request, 110)

    def limited(self, request):
        return self.say(request, 400)

    def handle(self, request):
        call = request.segments[-1]
        if request.segments[0] != "api" or len(request.segments) != 2 or call not in self.calls_:
            self.violate("path", request.path)
            return self.say(request, 102)
        required, optional = self.calls_[call]
        q = self.pairs(request, ("version", "type", "key", "domain", *required), optional, ("GET",))
        if q is not None and (q["version"] != "1" or q["type"] not in ("xml", "json")):
            self.violate("parameter-value", f"version={q['version']}, type={q['type']}")
            q = None
        if q is None:
            return self.say(request, 108)
        if not self.credentials(q["key"] == self.account()["password"], q["key"]):
            return self.denied(request)
        if q["domain"].lower() != self.zone:
            self.violate("unknown-zone", q["domain"])
            return self.say(request, 200)
        if call == "dnsListRecords":
            rows = [{"record_id": number, "type": rtype, "host": name, "value": value, "ttl": ttl, "distance": 0}
                    for number, (name, rtype, value, ttl) in self.rows.items()]
            return self.say(request, 300, resource_record=rows)
        return self.write(request, call, q)

    def add(self, name, rtype, value, ttl):
        """Ids are of letters and digits."""
        self.last += 1
        number = self.secret(f"record/{self.last}", "0123456789abcdef", 32)
        self.rows[number] = (name.lower(), rtype, value, ttl)
        self.show(name.lower(), rtype)
        return number

    def write(self, request, call, q):
        number = q.get("rrid")
        if number is not None and number not in self.rows:
            self.violate("record-id", number)
            return self.say(request, 280)
        if call == "dnsDeleteRecord":
            self.drop(number)
            return self.say(request, 300)
        rtype = self.rows[number][1] if number else q["rrtype"]
        name = self.zone if q["rrhost"] in ("", "@") else f"{q['rrhost']}.{self.zone}"
        if below(q["rrhost"], self.zone):
            self.violate("parameter-value", "rrhost with the domain")
        ttl = self.ttl_in(q.get("rrttl"), 3600, 2592000, self.ttl)
        if rtype not in self.families or ttl is None or not self.known(name) or self.address(q["rrvalue"], (rtype,)) is None:
            return self.say(request, 280)
        if number is None and (name.lower(), rtype, q["rrvalue"]) in [row[:3] for row in self.rows.values()]:
            return self.say(request, 280)
        if number is not None:
            self.drop(number)
        return self.say(request, 300, record_id=self.add(name, rtype, q["rrvalue"], ttl))
