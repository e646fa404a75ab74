# SPDX-License-Identifier: Apache-2.0
"""Simple services that are an API of several calls: Beget and ClouDNS here, the others in api_more.
Lookups are counted apart from writes. Record ids are made up here and mean nothing to other services."""
import json

from .base import Response, Window, family
from .simple import Simple


class Ids(Simple):
    """Records with numbers, one address each: {id: (name, rtype, value, ttl)}. The zone shows what they say together."""
    state = ("records", "changed", "rows", "last")
    deletes, takes_ttl = True, True

    def __init__(self):
        super().__init__()
        self.rows, self.last = {}, 1000

    def show(self, name, rtype):
        found = [row for row in self.rows.values() if row[:2] == (name, rtype)]
        if found:
            self.put(name, rtype, [row[2] for row in found], found[-1][3])
        else:
            self.remove(name, rtype)

    def add(self, name, rtype, value, ttl):
        self.last += 1
        self.rows[str(self.last)] = (name.lower(), rtype, value, ttl)
        self.show(name.lower(), rtype)
        return str(self.last)

    def change(self, number, name, rtype, value, ttl):
        old = self.rows[number]
        self.rows[number] = (name.lower(), rtype, value, ttl)
        for key in {old[:2], (name.lower(), rtype)}:
            self.show(*key)

    def take_away(self, name, rtype):
        for number in [number for number, row in self.rows.items() if row[:2] == (name.lower(), rtype)]:
            self.drop(number)

    def drop(self, number):
        self.show(*self.rows.pop(number)[:2])

    def pairs(self, request, required, optional=(), methods=("GET", "POST")):
        """{name: value} of query and form, None with the breach noted."""
        before = len(self.violations)
        if request.method not in methods:
            self.violate("method", request.method)
        if request.body and request.content_type != "application/x-www-form-urlencoded":
            self.violate("content-type", request.content_type)
        self.fields(request.query + request.form, required, optional)
        return dict(request.query + request.form) if len(self.violations) == before else None

    def ttl_in(self, text, low, high, default):
        """The TTL, None where it is out of the documented range."""
        if text is None:
            return default
        value = int(text) if str(text).isdigit() else -1
        if low <= value <= high:
            return value
        self.violate("ttl", text)
        return None


class Beget(Simple):
    """dns/changeRecords replaces every record of the name: a family that is not in the request is gone (acme.sh sends all
    types back for that reason, and clears a name by {"records":{}})."""
    name, service, hosts, deletes = "beget", "Beget", ("api.beget.com",), True
    source, alone = "https://beget.com/en/kb/api/dns-administration-functions", ("A",)

    def account(self, hosts=()):
        return {"username": self.secret("user", "abcdefghijkmnopqrstuvwxyz", 8), "password": self.password()}

    def is_lookup(self, request):
        return request.path == "/api/dns/getData"

    @staticmethod
    def fault(code, text):
        return Response(200, {"status": "error", "error_text": text, "error_code": code})

    @staticmethod
    def inner(code, text):
        return Response(200, {"status": "success", "answer": {"status": "error", "errors": [{"error_code": code, "error_text": text}]}})

    def denied(self, request):
        return self.fault("AUTH_ERROR", "Invalid login or password")

    def limited(self, request):
        return self.inner("LIMIT_ERROR", "Requests limit exceeded")

    def handle(self, request):
        if request.path not in ("/api/dns/getData", "/api/dns/changeRecords"):
            self.violate("path", request.path)
            return self.fault("NO_SUCH_METHOD", "No such method")
        before = len(self.violations)
        if request.method not in ("GET", "POST"):
            self.violate("method", request.method)
        pairs = request.query + request.form
        self.fields(pairs, ("login", "passwd", "input_format", "input_data"), ("output_format",))
        q = dict(pairs)
        try:
            data = json.loads(q.get("input_data", ""))
        except ValueError as error:
            self.violate("body", error)
        if len(self.violations) > before or q["input_format"] != "json" or q.get("output_format", "json") != "json":
            return self.inner("INVALID_DATA", "Invalid parameters")
        account = self.account()
        if not self.credentials((q["login"], q["passwd"]) == (account["username"], account["password"]), repr(q["passwd"])):
            return self.denied(request)
        if not isinstance(data, dict) or not isinstance(data.get("fqdn"), str) or not self.known(data["fqdn"]):
            return self.inner("METHOD_FAILED", "Domain not found")
        return self.show(data["fqdn"]) if self.is_lookup(request) else self.change(data)

    def show(self, name):
        records = {rtype: [{"address": value, "ttl": self.ttl} for value in self.values(name, rtype)] for rtype in self.families}
        result = {"is_under_control": True, "is_beget_dns": True, "is_subdomain": name != self.zone, "fqdn": name, "set_type": 1,
                  "records": {rtype: found for rtype, found in records.items() if found}}
        return Response(200, {"status": "success", "answer": {"status": "success", "result": result}})

    def change(self, data):
        records = data.get("records")
        if set(data) != {"fqdn", "records"} or not isinstance(records, dict) or set(records) - {"A", "AAAA", "MX", "TXT", "CAA", "SRV"}:
            self.violate("body", sorted(data))
            return self.inner("INVALID_DATA", "records is required")
        for rtype, found in records.items():
            for item in found:
                if rtype in self.families and (not isinstance(item, dict) or not {"value"} <= set(item) <= {"value", "priority", "ttl"}
                                               or family(item["value"]) != rtype):
                    self.violate("body", item)
                    return self.inner("INVALID_DATA", f"Invalid {rtype} record")
        for rtype in self.families:
            self.put(data["fqdn"], rtype, [item["value"] for item in records.get(rtype, [])])
        return Response(200, {"status": "success", "answer": {"status": "success", "result": records}})


class CloudNs(Ids):
    """The records' API; every reply has status 200, a failure is "status":"Failed". A host that is empty is the domain's own name
    where a record is written; what it means to a list is open, so that here it is as if there were none. Open too: the words of
    failures that the pages do not show, and whether a new record's id is told (here not)."""
    name, service, hosts = "cloudns", "ClouDNS", ("api.cloudns.net",)
    source = "https://cloudns.net/wiki/article/41, /57, /58, /59, /60; https://github.com/ClouDNS/octodns_cloudns (c29be64)"
    ttls = (60, 300, 900, 1800, 3600, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000)
    rates = ((20, 1, "account"), (600, 60, "account"), (36000, 3600, "account"))  # of an address that requests come from
    logins = ("auth-id", "sub-auth-id", "sub-auth-user")

    def __init__(self):
        super().__init__()
        self.windows = [Window(calls, per) for calls, per, _ in self.rates]

    def account(self, hosts=()):
        return {"username": self.secret("id", "123456789", 5), "password": self.password()}

    def is_lookup(self, request):
        return request.path in ("/dns/records.json", "/dns/get-zone-info.json", "/dns/login.json")

    def failed(self, text):
        return Response(200, {"status": "Failed", "statusDescription": text})

    def done(self, text):
        return Response(200, {"status": "Success", "statusDescription": text})

    def denied(self, request):
        return self.failed("Invalid authentication, incorrect auth-id or auth-password.")

    def limited(self, request):
        return self.failed("Request blocked. 192.0.2.250 is sending more than 20 requests per second.")

    def over(self):
        late = [window for window in self.windows if window.over("address", self.clock())] if self.limits_hold else []
        for window in late:
            self.violate("rate", f"more than {window.calls} in {window.per} s")
        return bool(late)

    def handle(self, request):
        if self.over():
            return self.limited(request)
        record = ("domain-name", "host", "record", "ttl")
        calls = {"/dns/records.json": (("domain-name",), ("host", "host-like", "type", "page", "rows-per-page", "order-by")),
                 "/dns/add-record.json": ((*record, "record-type"), ("status",)),
                 "/dns/mod-record.json": ((*record, "record-id"), ("status",)),
                 "/dns/delete-record.json": (("domain-name", "record-id"), ()), "/dns/get-zone-info.json": (("domain-name",), ()),
                 "/dns/login.json": ((), ())}
        if request.path not in calls:
            self.violate("path", request.path)
            return Response(404, "Not found")
        required, optional = calls[request.path]
        q = self.pairs(request, ("auth-password", *required), (*self.logins, *optional))
        if q is None:
            return self.failed("Missing parameter")
        if (refusal := self.login_of(q)) is not None:
            return refusal
        if "domain-name" in q and q["domain-name"].lower() != self.zone:
            self.violate("unknown-zone", q["domain-name"])
            return self.failed("Missing domain-name")
        call = request.path.removeprefix("/dns/").removesuffix(".json").replace("-", "_")
        return self.listed(q) if call == "records" else getattr(self, call)(q)

    def login_of(self, q):
        """None where the login is right, else the reply."""
        account, given = self.account(), [name for name in self.logins if name in q]
        good = len(given) == 1 and (q.get("auth-id"), q["auth-password"]) == (account["username"], account["password"])
        if self.credentials(good, repr([q.get(name) for name in (*given, "auth-password")])):
            return None
        if "auth-id" in given or not given:
            return self.denied(None)
        return self.failed("Invalid authentication, incorrect sub-auth-id, sub-auth-user or auth-password.")

    def login(self, q):
        return self.done("Success login.")

    def get_zone_info(self, q):
        return Response(200, {"name": self.zone, "type": "master", "zone": "domain", "status": "1"})

    def page_of(self, q, found):
        """The rows that are asked for; without rows-per-page all of them."""
        if "rows-per-page" not in q and "page" not in q:
            return found
        if q.get("rows-per-page") not in ("10", "20", "30", "50", "100") or not q.get("page", "1").isdigit():
            self.violate("parameter-value", f"rows-per-page={q.get('rows-per-page')}, page={q.get('page')}")
            return []
        size, page = int(q["rows-per-page"]), int(q.get("page", "1"))
        return found[(page - 1) * size:page * size]

    def listed(self, q):
        if "host-like" in q:
            self.violate("parameter-value", "host-like also finds what only resembles the name")
        rtype, found = q.get("type", "").upper(), []
        for number, (name, kind, value, ttl) in self.rows.items():
            host = "" if name == self.zone else name[:-len(self.zone) - 1]
            if (kind == rtype or rtype not in self.families) and q.get("host", "").lower() in ("", host):
                found.append((number, {"id": number, "type": kind, "host": host, "record": value, "ttl": str(ttl), "failover": "0", "status": 1}))
        return Response(200, dict(self.page_of(q, found)) or [])  # an empty list, where a map would be expected

    def checked(self, q, rtype):
        """(name, ttl), or the reply to what cannot be."""
        name = f"{q['host']}.{self.zone}" if q["host"] else self.zone
        if q["host"] == "@" or not self.known(name):
            if q["host"] == "@":
                self.violate("parameter-value", "host=@")
            return self.failed("Invalid host param.")
        if self.address(q["record"], (rtype,)) is None:
            return self.failed("Invalid record param.")
        if not q["ttl"].isdigit() or int(q["ttl"]) not in self.ttls:
            self.violate("ttl", q["ttl"])
            return self.failed("Invalid TTL. Choose from the list of the values we support.")
        return name, int(q["ttl"])

    def add_record(self, q):
        found = self.checked(q, q["record-type"] if q["record-type"] in self.families else "A")
        if isinstance(found, Response):
            return found
        if (found[0], q["record-type"], q["record"]) in [row[:3] for row in self.rows.values()]:
            return self.failed("The record already exists.")
        self.add(found[0], q["record-type"], q["record"], found[1])
        return self.done("The record was added successfully.")

    def mod_record(self, q):
        if q["record-id"] not in self.rows:
            self.violate("record-id", q["record-id"])
            return self.failed("Invalid record-id param.")
        rtype = self.rows[q["record-id"]][1]  # "you can't modify the record type"
        found = self.checked(q, rtype)
        if isinstance(found, Response):
            return found
        self.change(q["record-id"], found[0], rtype, q["record"], found[1])
        return self.done("The record was modified successfully.")

    def delete_record(self, q):
        if q["record-id"] not in self.rows:
            return self.failed("Invalid record-id param.")
        self.drop(q["record-id"])
        return self.done("The record was deleted successfully.")
