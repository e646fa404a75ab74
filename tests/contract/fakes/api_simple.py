# SPDX-License-Identifier: Apache-2.0
"""Simple services that are an API of several calls: Beget and ClouDNS here, the others in api_more.
Lookups are counted apart from writes. Record ids are made up here and mean nothing to other services."""
import json

from .base import Response, family
from .simple import Simple


class Ids(Simple):
    """Records with numbers, one address each: {id: (name, rtype, value, ttl)}. The zone shows what they say together."""
    state = ("records", "changed", "rows", "last")
    deletes = True

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
    """The DynURL of a record sets the connection's address (or X-Forwarded-For with proxy=1); api.cloudns.net has the records."""
    name, service, hosts = "cloudns", "ClouDNS", ("api.cloudns.net", "ipv4.cloudns.net", "ipv6.cloudns.net")
    source, rate = "https://www.cloudns.net/wiki/article/152/ (API), /36/ (DynURL, as ddclient 4.0.1-rc.2 quotes it)", (20, 1)
    ttls = (60, 300, 900, 1800, 3600, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000)

    def __init__(self):
        super().__init__()
        self.urls = {}

    def account(self, hosts=()):
        for host in hosts:
            self.urls[self.host_secret(host)] = (host, "A")
            self.urls[self.host_secret("6/" + host)] = (host, "AAAA")
        return {"username": self.secret("id", "123456789", 5), "password": self.password()}

    def dynamic_keys(self, hosts, rtype="A"):
        """{host: last part of its DynURL}: keys of records, which an account of the API has no use for."""
        return {host: self.host_secret(host if rtype == "A" else "6/" + host) for host in hosts}

    def is_lookup(self, request):
        return request.path in ("/dns/records.json", "/dns/get-zone-info.json", "/dns/login.json")

    def failed(self, text):
        return Response(200, {"status": "Failed", "statusDescription": text})

    def denied(self, request):
        if request.path.startswith("/api/"):
            return Response(200, "The record's key is wrong!")
        return self.failed("Invalid authentication, incorrect auth-id or auth-password.")

    def limited(self, request):
        return Response(200, "Request blocked! You have made more than 20 requests per second.")

    def handle(self, request):
        if self.over():
            return self.limited(request)
        return self.api(request) if request.host == "api.cloudns.net" else self.dynamic(request)

    def dynamic(self, request):
        if request.path != "/api/dynamicURL/" or request.method != "GET" or not self.fields(request.query, ("q",), ("proxy", "notify")):
            self.violate("path", f"{request.method} {request.path}")
            return Response(200, "Invalid request.")
        found = self.urls.get(request.get("q"))
        if found is None or not self.known(found[0]):
            self.credentials(found is not None, request.get("q"))
            return self.denied(request)
        forwarded = request.headers.get("X-Forwarded-For") if request.get("proxy") == "1" else None
        address = forwarded or self.detect(found[1], "no X-Forwarded-For with proxy=1")
        if self.address(address, (found[1],)) is None:
            return Response(200, "Invalid request.")
        self.update(found[0], {found[1]: address})
        return Response(200, "OK")

    def api(self, request):
        login = ("auth-id", "auth-password")
        record = ("domain-name", "host", "record", "ttl")
        calls = {"/dns/records.json": (("domain-name",), ("host", "type", "page", "rows-per-page")),
                 "/dns/add-record.json": ((*record, "record-type"), ()), "/dns/mod-record.json": ((*record, "record-id"), ()),
                 "/dns/delete-record.json": (("domain-name", "record-id"), ()), "/dns/get-zone-info.json": (("domain-name",), ()),
                 "/dns/login.json": ((), ())}
        if request.path not in calls:
            self.violate("path", request.path)
            return Response(404, "Not found")
        required, optional = calls[request.path]
        q = self.pairs(request, (*login, *required), optional)
        if q is None:
            return self.failed("Missing parameter")
        account = self.account()
        if not self.credentials((q["auth-id"], q["auth-password"]) == (account["username"], account["password"]), repr(q["auth-password"])):
            return self.denied(request)
        if "domain-name" in q and q["domain-name"].lower() != self.zone:
            self.violate("unknown-zone", q["domain-name"])
            return self.failed("Missing domain-name")
        call = request.path.removeprefix("/dns/").removesuffix(".json").replace("-", "_")
        return self.listed(q) if call == "records" else getattr(self, call)(q)

    def login(self, q):
        return Response(200, {"status": "Success", "statusDescription": "Success login."})

    def get_zone_info(self, q):
        return Response(200, {"name": self.zone, "type": "master", "zone": "domain", "status": "1"})

    def listed(self, q):
        found = {}
        for number, (name, rtype, value, ttl) in self.rows.items():
            host = "" if name == self.zone else name[:-len(self.zone) - 1]
            if q.get("type", rtype) == rtype and q.get("host", host) in (host, host or "@"):
                found[number] = {"id": number, "type": rtype, "host": host, "record": value, "ttl": str(ttl), "failover": "0", "status": 1}
        return Response(200, found or [])  # an empty list, where a map would be expected

    def checked(self, q, rtype):
        """(name, ttl), or the reply to what cannot be."""
        name = self.zone if q["host"] in ("", "@") else f"{q['host']}.{self.zone}"
        if not self.known(name):
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
        number = self.add(found[0], q["record-type"], q["record"], found[1])
        return Response(200, {"status": "Success", "statusDescription": "The record was added successfully.", "data": {"id": int(number)}})

    def mod_record(self, q):
        if q["record-id"] not in self.rows:
            self.violate("record-id", q["record-id"])
            return self.failed("Invalid record-id param.")
        rtype = self.rows[q["record-id"]][1]
        found = self.checked(q, rtype)
        if isinstance(found, Response):
            return found
        self.change(q["record-id"], found[0], rtype, q["record"], found[1])
        return Response(200, {"status": "Success", "statusDescription": "The record was modified successfully."})

    def delete_record(self, q):
        if q["record-id"] not in self.rows:
            return self.failed("Invalid record-id param.")
        self.drop(q["record-id"])
        return Response(200, {"status": "Success", "statusDescription": "The record was deleted successfully."})
