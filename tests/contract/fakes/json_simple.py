# SPDX-License-Identifier: Apache-2.0
"""JSON APIs whose records are named by zone, name and type, without ids: Gandi LiveDNS, GoDaddy, Hetzner Cloud DNS, NS1,
Gcore. What they share is Rest; the others are in json_more."""
from .base import Response
from .simple import Simple


class Wrong(Exception):
    """A body that is not as documented; the text says where."""


class Refused(Exception):
    """A request as documented, for what the service does not let be changed."""


class Rest(Simple):
    deletes, takes_ttl = True, True
    ttl_range = (1, 2 ** 31 - 1)

    def account(self, hosts=()):
        return {"password": self.secret("token", length=40)}

    def is_lookup(self, request):
        return request.method == "GET"

    def fault(self, status, text):
        raise NotImplementedError

    def body(self, request):
        """The JSON of the body; Wrong where there is none or it is not declared as JSON."""
        if request.content_type != "application/json":
            raise Wrong(f"Content-Type {request.content_type}")
        try:
            return request.json()
        except ValueError as fault:
            raise Wrong(f"no JSON: {fault}") from None

    @staticmethod
    def shape(item, required, optional=()):
        """An object with these members and no others; each is {name: type or types}. True is no number here."""
        kinds = {name: kind if isinstance(kind, tuple) else (kind,) for name, kind in {**dict(required), **dict(optional)}.items()}
        if not isinstance(item, dict) or not set(required) <= set(item) <= set(kinds):
            raise Wrong(f"members of {item!r}")
        for name, value in item.items():
            if not isinstance(value, kinds[name]) or isinstance(value, bool) and bool not in kinds[name]:
                raise Wrong(f"{name}: {value!r}")
        return item

    def ttl_of(self, value, default=None):
        value = self.ttl if value is None and default is None else default if value is None else value
        if not self.ttl_range[0] <= value <= self.ttl_range[1]:
            raise Wrong(f"ttl {value}")
        return value

    def value(self, text, rtype):
        if self.address(text, (rtype,)) is None:
            raise Wrong(f"{rtype} {text}")
        return text

    def name_of(self, label, apex="@"):
        return self.zone if label == apex else f"{label}.{self.zone}"

    def label_of(self, name, apex="@"):
        return apex if name == self.zone else name[:-len(self.zone) - 1]

    def guarded(self, request, allowed):
        """None where the credentials and the rate hold, else the reply."""
        if self.over():
            return self.limited(request)
        return None if self.credentials(allowed, repr(request.headers.get("Authorization"))) else self.denied(request)

    def handle(self, request):
        if (reply := self.guarded(request, self.allowed(request))) is not None:
            return reply
        try:
            return self.call(request, request.segments)
        except Wrong as fault:
            self.violate("body", fault)
            return self.fault(self.wrong_status, str(fault))
        except Refused as fault:
            return self.fault(self.wrong_status, str(fault))

    wrong_status = 400

    def allowed(self, request):
        return request.bearer() == self.account()["password"]

    def call(self, request, path):
        raise NotImplementedError

    def lost_path(self, request):
        self.violate("path", f"{request.method} {request.path}")
        return self.fault(404, "Not Found")


class Gandi(Rest):
    """PUT replaces; /records/{name} replaces every type of the name, /records the whole zone."""
    name, service, hosts, ttl = "gandi", "Gandi LiveDNS", ("api.gandi.net",), 10800
    source, ttl_range = "https://api.gandi.net/docs/livedns/", (300, 2592000)

    def allowed(self, request):
        return self.account()["password"] in (request.bearer(), request.bearer("Apikey"))

    def fault(self, status, text):
        causes = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
        if status == 400:
            return Response(400, {"status": "error", "errors": [{"location": "body", "name": "rrset_values", "description": text}]})
        cause = causes[status]
        return Response(status, {"object": f"HTTP{cause.replace(' ', '')}", "cause": cause, "code": status, "message": text})

    def denied(self, request):
        return self.fault(401, "The server could not verify that you authorized to access the document you requested.")

    def limited(self, request):
        return self.fault(429, "Too many requests")

    def call(self, request, path):
        if path[:3] != ["v5", "livedns", "domains"] or len(path) not in (5, 6, 7) or path[4] != "records":
            return self.lost_path(request)
        if path[3].lower() != self.zone:
            self.violate("unknown-zone", path[3])
            return self.fault(403, "Access was denied to this resource.")
        name = self.name_of(path[5]) if len(path) > 5 else None
        if name is not None and not self.known(name):
            return self.fault(404, "The resource could not be found.")
        types = [path[6]] if len(path) == 7 else list(self.families)
        if types[0] not in self.families:
            raise Wrong(f"rrset_type {types[0]}")
        return getattr(self, "do_" + request.method, self.other)(request, name, types)

    def other(self, request, *_):
        return self.lost_path(request)

    def do_GET(self, request, name, types):
        found = [{"rrset_name": self.label_of(key), "rrset_type": rtype, "rrset_ttl": ttl, "rrset_values": values}
                 for (key, rtype), (ttl, values) in sorted(self.records.items()) if name in (None, key) and rtype in types]
        if name is not None and len(types) == 1:
            return Response(200, found[0]) if found else self.fault(404, "The resource could not be found.")
        return Response(200, found)

    def rrset(self, item, types):
        """(rtype, values, ttl) of an object."""
        more = {} if len(types) == 1 else {"rrset_type": str}
        self.shape(item, {"rrset_values": list, **more}, {"rrset_ttl": int, **({"rrset_name": str} if more else {})})
        rtype = item.get("rrset_type", types[0])
        if rtype not in self.families or not item["rrset_values"]:
            raise Wrong(f"rrset {item}")
        return rtype, [self.value(text, rtype) for text in item["rrset_values"]], self.ttl_of(item.get("rrset_ttl"))

    def do_PUT(self, request, name, types):
        body = self.body(request)
        if name is not None and len(types) == 1:
            found = {(name.lower(), types[0]): self.rrset(body, types)}
        else:
            items = self.shape(body, {"items": list})["items"]
            found = {(name or self.name_of(item.get("rrset_name", "@")).lower(), item.get("rrset_type")): self.rrset(item, types) for item in items}
        for key in list(self.records):
            if (name is None or key[0] == name.lower()) and key[1] in types and key not in found:
                self.remove(*key)
        for (key, _), (rtype, values, ttl) in found.items():
            self.put(key, rtype, values, ttl)
        return Response(201, {"message": "DNS Record Created"})

    def do_DELETE(self, request, name, types):
        if name is None:
            self.violate("whole-zone", request.path)
        for rtype in types:
            self.remove(name or self.zone, rtype)
        return Response(204)


class GoDaddy(Rest):
    """PUT on a type and name replaces those records. At most 60 requests a minute; TTL 600 to 604800."""
    name, service, hosts, ttl, ttl_range, rate = "godaddy", "GoDaddy", ("api.godaddy.com",), 3600, (600, 604800), (60, 60)
    source = "https://developer.godaddy.com/doc/endpoint/domains (swagger_domains.json)"
    wrong_status = 422

    def account(self, hosts=()):
        return {"username": self.secret("key", length=20), "password": self.secret("secret", length=22)}

    def allowed(self, request):
        account = self.account()
        return request.bearer("sso-key") == f"{account['username']}:{account['password']}"

    def fault(self, status, text):
        codes = {400: "MALFORMED", 401: "UNABLE_TO_AUTHENTICATE", 403: "ACCESS_DENIED", 404: "UNKNOWN_DOMAIN", 422: "INVALID_BODY", 429: "TOO_MANY_REQUESTS"}
        more = {"fields": [{"code": "INVALID", "path": "records", "message": text}]} if status == 422 else {}
        return Response(status, {"code": codes[status], "message": text, **more})

    def denied(self, request):
        return self.fault(401, "Unauthorized : Could not authenticate API key/secret")

    def limited(self, request):
        reply = {"code": "TOO_MANY_REQUESTS", "message": "Too many requests received within interval", "retryAfterSec": 30}
        return Response(429, reply)

    def call(self, request, path):
        if path[:2] != ["v1", "domains"] or len(path) != 6 or path[3] != "records" or request.method not in ("GET", "PUT", "DELETE"):
            return self.lost_path(request)
        name, rtype = self.name_of(path[5]), path[4]
        if path[2].lower() != self.zone:
            self.violate("unknown-zone", path[2])
        if path[2].lower() != self.zone or not self.known(name):
            return self.fault(404, "The given domain is not registered, or does not have a zone file")
        if rtype not in self.families:
            raise Wrong(f"type {rtype}")
        if request.method == "GET":
            ttl, values = self.records.get((name.lower(), rtype), (0, []))
            return Response(200, [{"data": value, "name": path[5], "ttl": ttl, "type": rtype} for value in values])
        if request.method == "DELETE":
            self.remove(name, rtype)
            return Response(204)
        items = self.body(request)
        if not isinstance(items, list) or not items:
            raise Wrong("an array of records")
        for item in items:
            self.shape(item, {"data": str}, {"ttl": int})
        ttls = {self.ttl_of(item.get("ttl")) for item in items}
        self.put(name, rtype, [self.value(item["data"], rtype) for item in items], max(ttls))
        return Response(200, "")


class HetznerCloud(Rest):
    """set_records replaces the values of an RRset that is there; add_records makes one; the TTL has a call of its own."""
    name, service, hosts, ttl, ttl_range = "hetzner", "Hetzner Cloud DNS", ("api.hetzner.cloud",), 3600, (60, 2147483647)
    takes_ttl = "made"
    source, rate, wrong_status = "https://github.com/hetznercloud/hcloud-go (b8cfa39), https://docs.hetzner.cloud/reference/cloud#zone-rrsets", (3600, 3600), 422

    def fault(self, status, text):
        codes = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "uniqueness_error", 422: "invalid_input", 429: "rate_limit_exceeded",
                 503: "maintenance"}
        return Response(status, {"error": {"code": codes[status], "message": text, "details": None}})

    def denied(self, request):
        return self.fault(401, "unable to authenticate")

    def limited(self, request):
        return self.fault(429, "limit of 3600 requests per hour reached")

    def action(self, command, **more):
        return Response(201, {**more, "action": {"id": 1, "command": command, "status": "running", "progress": 0, "error": None, "finished": None,
                                                 "started": "2026-11-23T12:00:00+00:00", "resources": [{"id": 42, "type": "zone"}]}})

    def call(self, request, path):
        if len(path) < 4 or path[:2] != ["v1", "zones"] or path[3] != "rrsets":
            return self.lost_path(request)
        if path[2] not in (self.zone, "42"):
            self.violate("unknown-zone", path[2])
            return self.fault(404, "zone not found")
        if len(path) == 4 and request.method == "POST":
            return self.create(request)
        if len(path) not in (6, 8):
            return self.lost_path(request)
        name, rtype = self.name_of(path[4]), path[5]
        if path[4] != path[4].lower() or rtype not in self.families:
            raise Wrong(f"{path[4]} {rtype}")
        if not self.known(name, alone=False):  # a client may make it yet
            return self.fault(404, "rrset not found")
        if len(path) == 8:
            return self.act(request, path[7], name, rtype) if path[6] == "actions" and request.method == "POST" else self.lost_path(request)
        if (name, rtype) not in self.records:
            return self.fault(404, "rrset not found")
        if request.method == "GET":
            return Response(200, {"rrset": self.show(name, rtype)})
        if request.method != "DELETE":
            return self.lost_path(request)
        self.remove(name, rtype)
        return self.action("delete_rrset")

    def show(self, name, rtype):
        ttl, values = self.records[name, rtype]
        label = self.label_of(name)
        return {"id": f"{label}/{rtype}", "name": label, "type": rtype, "ttl": ttl, "labels": {}, "protection": {"change": False}, "zone": 42,
                "records": [{"value": value, "comment": ""} for value in values]}

    def listed(self, records, rtype):
        if not records:
            raise Wrong("records is empty")
        return [self.value(self.shape(item, {"value": str}, {"comment": str})["value"], rtype) for item in records]

    def create(self, request):
        body = self.shape(self.body(request), {"name": str, "type": str, "records": list}, {"ttl": (int, type(None)), "labels": dict})
        name, rtype = self.name_of(body["name"]), body["type"]
        if rtype not in self.families or body["name"] != body["name"].lower() or not self.known(name):
            return self.fault(422, f"invalid input in field 'name': {body['name']}")
        if (name, rtype) in self.records:
            return self.fault(409, "rrset already exists")
        self.put(name, rtype, self.listed(body["records"], rtype), self.ttl_of(body.get("ttl")))
        return self.action("create_rrset", rrset=self.show(name, rtype))

    def act(self, request, action, name, rtype):
        held = self.records.get((name, rtype))
        if action == "add_records":
            body = self.shape(self.body(request), {"records": list}, {"ttl": (int, type(None))})
            ttl = self.ttl_of(body.get("ttl"), held[0] if held else None)
            values = self.listed(body["records"], rtype) + (held[1] if held else [])
            if len(set(values)) != len(values):
                return self.fault(409, "record exists")
            self.put(name, rtype, values, ttl)
            return self.action("add_rrset_records")
        if action not in ("set_records", "change_ttl", "remove_records"):
            return self.lost_path(request)
        if held is None:
            return self.fault(404, "rrset not found")
        if action == "change_ttl":
            body = self.shape(self.body(request), {"ttl": (int, type(None))})
            self.put(name, rtype, held[1], self.ttl_of(body["ttl"]))
            return self.action("change_rrset_ttl")
        values = self.listed(self.shape(self.body(request), {"records": list})["records"], rtype)
        self.put(name, rtype, values if action == "set_records" else [value for value in held[1] if value not in values], held[0])
        return self.action("set_rrset_records" if action == "set_records" else "remove_rrset_records")


class Ns1(Rest):
    """PUT makes a record, POST changes one that is there."""
    name, service, hosts, ttl = "ns1", "NS1 (IBM)", ("api.nsone.net",), 3600
    source = "https://github.com/ns1/ns1-go rest/record.go"

    def allowed(self, request):
        return request.headers.get("X-NSONE-Key") == self.account()["password"]

    def fault(self, status, text):
        return Response(status, {"message": text})

    def denied(self, request):
        return self.fault(401, "Unauthorized")

    def limited(self, request):
        return Response(429, {"message": "rate limit exceeded"}, [("X-RateLimit-Limit", "10"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Period", "1")])

    def call(self, request, path):
        if path[:2] != ["v1", "zones"] or len(path) != 5 or request.method not in ("GET", "PUT", "POST", "DELETE"):
            return self.lost_path(request)
        if path[2].lower() != self.zone:
            self.violate("unknown-zone", path[2])
            return self.fault(404, "zone not found")
        name, rtype = path[3].lower(), path[4]
        if rtype not in self.families:
            raise Wrong(f"type {rtype}")
        held = (name, rtype) in self.records
        if not self.known(name, request.method == "PUT") or not held and request.method != "PUT":
            return self.fault(404, "record not found")
        if request.method == "GET":
            return Response(200, self.show(name, rtype))
        if request.method == "DELETE":
            self.remove(name, rtype)
            return Response(200, {})
        if request.method == "PUT" and held:
            self.violate("exists", name)
            return self.fault(400, "record already exists")
        return self.write(request, name, rtype)

    def show(self, name, rtype):
        ttl, values = self.records[name, rtype]
        return {"zone": self.zone, "domain": name, "type": rtype, "ttl": ttl, "answers": [{"answer": [value]} for value in values]}

    def write(self, request, name, rtype):
        new = {"zone": str, "domain": str, "type": str, "answers": list}
        put = request.method == "PUT"
        body = self.shape(self.body(request), new if put else {}, {**({} if put else new), "ttl": int})
        for key, wanted in (("zone", self.zone), ("domain", name), ("type", rtype)):
            if str(body.get(key, wanted)).lower() != wanted.lower():
                raise Wrong(f"{key} {body[key]}")
        old = self.records.get((name, rtype), (self.ttl, []))
        values = old[1]
        if "answers" in body:
            answers = [self.shape(item, {"answer": list}, {"meta": dict})["answer"] for item in body["answers"]]
            if not answers or any(len(answer) != 1 for answer in answers):
                raise Wrong(f"answers {body['answers']}")
            values = [self.value(answer[0], rtype) for answer in answers]
        self.put(name, rtype, values, self.ttl_of(body.get("ttl"), old[0]))
        return Response(200, self.show(name, rtype))


class Gcore(Rest):
    """POST makes an RRset, PUT changes one that is there; names are fully qualified."""
    name, service, hosts, ttl = "gcore", "Gcore", ("api.gcore.com",), 300
    source = "https://github.com/G-Core/gcore-dns-sdk-go (09af292)"

    def allowed(self, request):
        return request.bearer("APIKey") == self.account()["password"]

    def fault(self, status, text):
        return Response(status, {"error": text})

    def denied(self, request):
        return self.fault(401, "invalid API key")

    def call(self, request, path):
        if path[:3] != ["dns", "v2", "zones"] or len(path) != 6 or request.method not in ("GET", "POST", "PUT", "DELETE"):
            return self.lost_path(request)
        if path[3].lower() != self.zone:
            self.violate("unknown-zone", path[3])
            return self.fault(404, "get zone: zone is not found")
        name, rtype = path[4].lower(), path[5]
        if rtype not in self.families:
            raise Wrong(f"type {rtype}")
        held = self.records.get((name, rtype))
        if not self.known(name, request.method == "POST") or held is None and request.method != "POST":
            return self.fault(404, "rrset is not found")
        if request.method == "GET":
            return Response(200, {"name": name, "type": rtype, "ttl": held[0], "resource_records": [{"content": [value], "enabled": True} for value in held[1]]})
        if request.method == "DELETE":
            self.remove(name, rtype)
            return Response(200, {})
        if request.method == "POST" and held is not None:
            self.violate("exists", name)
            return self.fault(409, "rrset already exists")
        body = self.shape(self.body(request), {"resource_records": list}, {"ttl": int, "meta": dict, "filters": list})
        items = [self.shape(item, {"content": list}, {"enabled": bool, "meta": dict}) for item in body["resource_records"]]
        if not items or any(len(item["content"]) != 1 for item in items):
            raise Wrong(f"resource_records {items}")
        self.put(name, rtype, [self.value(item["content"][0], rtype) for item in items], self.ttl_of(body.get("ttl")))
        return Response(200, {})
