# SPDX-License-Identifier: Apache-2.0
"""JSON APIs without ids that take arrays or keys in bodies: Porkbun, Spaceship, Hostinger, Scaleway, Servercow, and the
update URL of IONOS."""
from .base import Response
from .json_simple import Refused, Rest, Wrong
from .simple import Keyed

LEGO = "https://github.com/go-acme/lego (a0e15c2)"


class Porkbun(Rest):
    """Only POST, the keys in every body; edits and deletes go by name and type; TTL at least 600. Anything but 200 is an error."""
    name, service, hosts, ttl, ttl_range = "porkbun", "Porkbun", ("api.porkbun.com", "api-ipv4.porkbun.com"), 600, (600, 2 ** 31 - 1)
    source = "https://porkbun.com/api/json/v3/documentation"

    def account(self, hosts=()):
        return {"username": "pk1_" + self.secret("key", "0123456789abcdef", 64), "password": "sk1_" + self.secret("secret", "0123456789abcdef", 64)}

    def is_lookup(self, request):
        return "retrieve" in request.path

    def fault(self, status, text):
        return Response(status, {"status": "ERROR", "message": text})

    def denied(self, request):
        return self.fault(400, "Invalid API key. (002)")

    def limited(self, request):
        return Response(503, "Service Unavailable")  # what ddns-updater's users saw at more than one request a second

    def handle(self, request):
        try:
            body = self.body(request)
            if request.method != "POST" or not isinstance(body, dict):
                raise Wrong(f"{request.method} of {type(body).__name__}")
        except Wrong as fault:
            self.violate("body", fault)
            return self.fault(400, "Invalid command.")
        account = self.account()
        given = (body.pop("apikey", None), body.pop("secretapikey", None))
        if not self.credentials(given == (account["username"], account["password"]), repr(given)):
            return self.denied(request)
        try:
            return self.run(request, request.segments, body)
        except Wrong as fault:
            self.violate("body", fault)
            return self.fault(400, "Invalid record.")

    def run(self, request, path, body):
        calls = {"create": 1, "editByNameType": 2, "deleteByNameType": 2, "retrieveByNameType": 2}
        if path[:4] != ["api", "json", "v3", "dns"] or len(path) < 6 or path[4] not in calls or len(path) - 5 not in (calls[path[4]], calls[path[4]] + 1):
            return self.lost_path(request)
        if path[5].lower() != self.zone:
            self.violate("unknown-zone", path[5])
            return self.fault(400, "Invalid domain.")
        if path[4] == "create":
            return self.create(body) if len(path) == 6 else self.lost_path(request)
        rtype, name = path[6], self.name_of(path[7] if len(path) == 8 else "", "")
        if rtype not in self.families or not self.known(name):
            return self.fault(400, "Invalid type." if rtype not in self.families else "Invalid record name.")
        held = self.records.get((name.lower(), rtype), (self.ttl, []))
        if path[4] == "retrieveByNameType":
            rows = [{"id": "106926659", "name": name, "type": rtype, "content": value, "ttl": str(held[0]), "prio": "0", "notes": ""} for value in held[1]]
            return Response(200, {"status": "SUCCESS", "records": rows})
        if not held[1]:
            return self.fault(400, f"{'Edit' if path[4] == 'editByNameType' else 'Delete'} error: We were unable to find the DNS record.")
        if path[4] == "deleteByNameType":
            self.shape(body, {})
            self.remove(name, rtype)
        else:
            self.shape(body, {"content": str}, {"ttl": (str, int), "prio": (str, int), "notes": str})
            self.put(name, rtype, [self.value(body["content"], rtype)], self.seconds(body.get("ttl")))
        return Response(200, {"status": "SUCCESS"})

    def seconds(self, ttl):
        if ttl is not None and not str(ttl).isdigit():
            raise Wrong(f"ttl {ttl}")
        return self.ttl_of(None if ttl is None else int(ttl))

    def create(self, body):
        self.shape(body, {"type": str, "content": str}, {"name": str, "ttl": (str, int), "prio": (str, int), "notes": str})
        name, rtype = self.name_of(body.get("name", ""), ""), body["type"]
        if rtype not in self.families or not self.known(name):
            return self.fault(400, "Invalid type." if rtype not in self.families else "Invalid record name.")
        values = self.values(name, rtype)
        if body["content"] in values:
            return self.fault(400, "Create error: We were unable to create the DNS record.")
        self.put(name, rtype, [*values, self.value(body["content"], rtype)], self.seconds(body.get("ttl")))
        return Response(200, {"status": "SUCCESS", "id": 106926659})


class Spaceship(Rest):
    """PUT adds to what is there (force settles conflicts), so an old address has to be deleted by its value."""
    name, service, hosts, ttl, ttl_range = "spaceship", "Spaceship", ("spaceship.dev",), 3600, (60, 3600)
    planned = True
    source, wrong_status = "https://docs.spaceship.dev (bodies: " + LEGO + " providers/dns/spaceship)", 422

    def account(self, hosts=()):
        return {"username": self.secret("key", length=20), "password": self.secret("secret", length=64)}

    def allowed(self, request):
        account = self.account()
        return (request.headers.get("X-Api-Key"), request.headers.get("X-Api-Secret")) == (account["username"], account["password"])

    def fault(self, status, text):
        return Response(status, {"detail": text, **({"data": [{"field": "items", "details": text}]} if status == 422 else {})})

    def denied(self, request):
        return self.fault(401, "Authentication failed")

    def limited(self, request):
        return self.fault(429, "Too many requests")

    def call(self, request, path):
        if path[:4] != ["api", "v1", "dns", "records"] or len(path) != 5 or request.method not in ("GET", "PUT", "DELETE"):
            return self.lost_path(request)
        if path[4].lower() != self.zone:
            self.violate("unknown-zone", path[4])
            return self.fault(404, "Domain not found")
        if request.method == "GET":
            return self.listed(request)
        body = self.body(request)
        if request.method == "PUT":
            body = self.shape(body, {"items": list}, {"force": bool})["items"]
        if not isinstance(body, list) or not 0 < len(body) <= 500:
            raise Wrong("1 to 500 items")
        more = {"ttl": int} if request.method == "PUT" else {}
        rows = []
        for item in body:
            self.shape(item, {"type": str, "name": str, "address": str}, more)
            name = self.name_of(item["name"])
            if item["type"] not in self.families or not self.known(name, len(body) == 1):
                return self.fault(422, f"{item['name']} {item['type']}")
            rows.append((name.lower(), item["type"], self.value(item["address"], item["type"]), self.ttl_of(item.get("ttl")) if more else 0))
        return self.write(request.method, rows)

    def write(self, method, rows):
        for name, rtype, value, ttl in rows:
            values = self.values(name, rtype)
            if method == "DELETE" and value not in values:
                return self.fault(404, "Record not found")
            self.put(name, rtype, [text for text in values if text != value] + ([value] if method == "PUT" else []), ttl or None)
        return Response(204)

    def listed(self, request):
        self.fields(request.query, ("take", "skip"), ("orderBy",))
        rows = [{"type": rtype, "name": self.label_of(name), "address": value, "ttl": ttl, "group": {"type": "custom"}}
                for (name, rtype), (ttl, values) in sorted(self.records.items()) for value in values]
        take, skip = int(request.get("take", "500")), int(request.get("skip", "0"))
        return Response(200, {"items": rows[skip:skip + take], "total": len(rows)})


class Hostinger(Rest):
    """An array of RRsets; overwrite (the default) replaces those of the same name and type, else values are added."""
    name, service, hosts, ttl = "hostinger", "Hostinger", ("developers.hostinger.com",), 14400
    source, wrong_status = "https://github.com/hostinger/api openapi.json", 422

    def fault(self, status, text):
        more = {"errors": {"zone": [text]}} if status == 422 else {}
        return Response(status, {"message": text, **more, "correlation_id": "26a91bd9-f8c8-4a83-9df9-83e23d696fe3"})

    def denied(self, request):
        return self.fault(401, "Unauthenticated")

    def limited(self, request):
        return self.fault(429, "Too Many Requests")

    def call(self, request, path):
        if path[:4] != ["api", "dns", "v1", "zones"] or len(path) != 5 or request.method not in ("GET", "PUT", "DELETE"):
            return self.lost_path(request)
        if path[4].lower() != self.zone:
            self.violate("unknown-zone", path[4])
            return self.fault(422, "The selected domain is invalid.")
        if request.method == "GET":
            return Response(200, [{"name": self.label_of(name), "type": rtype, "ttl": ttl, "records": [{"content": value, "is_disabled": False} for value in values]}
                                  for (name, rtype), (ttl, values) in sorted(self.records.items())])
        return self.destroy(request) if request.method == "DELETE" else self.write(request)

    def write(self, request):
        body = self.shape(self.body(request), {"zone": list}, {"overwrite": bool})
        rows = []
        for item in body["zone"]:
            self.shape(item, {"name": str, "type": str, "records": list}, {"ttl": int})
            rtype, name = item["type"], self.name_of(item["name"])
            values = [self.value(self.shape(record, {"content": str})["content"], rtype) for record in item["records"] if rtype in self.families]
            if not values or not self.known(name, len(body["zone"]) == 1):
                return self.fault(422, f"The zone.{len(rows)} is invalid.")
            rows.append((name, rtype, values, self.ttl_of(item.get("ttl"))))
        if not rows:
            raise Wrong("zone is empty")
        for name, rtype, values, ttl in rows:
            old = [] if body.get("overwrite", True) else self.values(name, rtype)
            self.put(name, rtype, sorted({*old, *values}), ttl)
        return Response(200, {"message": "Request accepted"})

    def destroy(self, request):
        filters = self.shape(self.body(request), {"filters": list})["filters"]
        for item in filters:
            self.shape(item, {"name": str, "type": str})
        for item in filters:
            self.remove(self.name_of(item["name"]), item["type"])
        return Response(200, {"message": "Request accepted"})


class Scaleway(Rest):
    """Many changes a call: set replaces what id_fields names, add adds, delete removes; all or none."""
    name, service, hosts, ttl, ttl_range = "scaleway", "Scaleway", ("api.scaleway.com",), 3600, (60, 2592000)
    source = "https://github.com/scaleway/scaleway-sdk-go api/domain/v2beta1 (2c5cd81)"

    def allowed(self, request):
        return request.headers.get("X-Auth-Token") == self.account()["password"]

    def fault(self, status, text):
        kinds = {400: "invalid_arguments", 401: "denied_authentication", 403: "permissions_denied", 404: "not_found"}
        return Response(status, {"message": text, "type": kinds.get(status, "unknown")})

    def denied(self, request):
        return self.fault(401, "authentication is denied")

    def call(self, request, path):
        if path[:3] != ["domain", "v2beta1", "dns-zones"] or len(path) != 5 or path[4] != "records" or request.method not in ("GET", "PATCH"):
            return self.lost_path(request)
        if path[3].lower() != self.zone:
            self.violate("unknown-zone", path[3])
            return self.fault(404, "dns_zone is not found")
        if request.method == "GET":
            return self.listed([])
        body = self.shape(self.body(request), {"changes": list}, {"return_all_records": (bool, type(None)), "disallow_new_zone_creation": bool, "serial": (int, type(None))})
        if not body["changes"]:
            raise Wrong("no changes")
        wanted = {}
        for change in body["changes"]:
            self.apply(change, wanted, len(body["changes"]) == 1)
        for (name, rtype), (ttl, values) in wanted.items():
            self.put(name, rtype, values, ttl)
        return self.listed([key for key in wanted] if not body.get("return_all_records", True) else [])

    def listed(self, only):
        rows = [{"id": "0", "data": value, "name": self.label_of(name, ""), "type": rtype, "ttl": ttl, "priority": 0, "comment": None}
                for (name, rtype), (ttl, values) in sorted(self.records.items()) if not only or (name, rtype) in only for value in values]
        return Response(200, {"records": rows})

    def key(self, name, rtype, alone):
        full = self.name_of(name, "")
        if rtype not in self.families:
            raise Wrong(f"{name} {rtype}")
        if not self.known(full, alone):
            raise Refused(f"{name} {rtype}")
        return full.lower(), rtype

    def apply(self, change, wanted, alone):
        """Puts into `wanted` what the RRsets of one change are to be."""
        if not isinstance(change, dict) or len(change) != 1:
            raise Wrong(f"change {change}")
        word, item = next(iter(change.items()))
        if word not in ("set", "add", "delete"):
            raise Wrong(f"change {word}")
        ids = {"name": str, "type": str}
        rows = []
        for record in item.get("records", []):
            self.shape(record, {"data": str, "name": str, "type": str, "ttl": int}, {"priority": int, "comment": (str, type(None))})
            rows.append((self.key(record["name"], record["type"], alone), self.value(record["data"], record["type"]), self.ttl_of(record["ttl"])))
        if word == "add":
            self.shape(item, {"records": list})
        else:
            self.shape(item, {"id_fields": dict, **({"records": list} if word == "set" else {})})
            fields = self.shape(item["id_fields"], ids, {"data": (str, type(None)), "ttl": (int, type(None))})
            key = self.key(fields["name"], fields["type"], alone)
            kept = [] if fields.get("data") is None else [value for value in self.values(*key) if value != fields["data"]]
            wanted[key] = (self.records.get(key, (self.ttl,))[0], kept)
        for key, value, ttl in rows:
            old = wanted.get(key) or (ttl, self.values(*key))
            wanted[key] = (ttl, sorted({*old[1], value}))


class Servercow(Rest):
    """POST makes or replaces; HTTP 200 also where the login is wrong. The apex has an empty name."""
    name, service, hosts, ttl, ttl_range = "servercow", "Servercow", ("api.servercow.de",), 3600, (60, 2 ** 31 - 1)
    source = "https://wiki.servercow.de/en/domains/dns_api/api-syntax"

    def account(self, hosts=()):
        return {"username": self.secret("user", length=12), "password": self.password()}

    def allowed(self, request):
        account = self.account()
        return (request.headers.get("X-Auth-Username"), request.headers.get("X-Auth-Password")) == (account["username"], account["password"])

    def fault(self, status, text):
        return Response(200 if status in (400, 401) else status, {"error": text})

    def denied(self, request):
        return self.fault(401, "authentication failed")

    def call(self, request, path):
        if path[:3] != ["dns", "v1", "domains"] or len(path) != 4 or request.method not in ("GET", "POST", "DELETE"):
            return self.lost_path(request)
        if path[3].lower() != self.zone:
            self.violate("unknown-zone", path[3])
            return self.fault(400, "no such domain in user context")
        if request.method == "GET":
            return Response(200, [{"name": self.label_of(name, ""), "type": rtype, "ttl": ttl, "content": values if len(values) > 1 else values[0]}
                                  for (name, rtype), (ttl, values) in sorted(self.records.items())])
        more = {"content": (str, list)} if request.method == "POST" else {}
        body = self.shape(self.body(request), {"name": str, "type": str, **more}, {"ttl": (int, str), "content": (str, list)})
        name, rtype = self.name_of(body["name"], ""), body["type"]
        if rtype not in self.families or not self.known(name):
            return self.fault(400, "invalid name or type")
        if request.method == "DELETE":
            if not self.remove(name, rtype):
                return self.fault(400, "no such record")
            return Response(200, {"message": "ok"})
        texts = body["content"] if isinstance(body["content"], list) else [body["content"]]
        ttl = body.get("ttl", self.ttl)
        if not texts or not str(ttl).isdigit():
            raise Wrong(f"content {texts}, ttl {ttl}")
        self.put(name, rtype, [self.value(text, rtype) for text in texts], self.ttl_of(int(ttl)))
        return Response(200, {"message": "ok"})


class IonosDynDns(Keyed):
    """The update URL that the API hands out for a name; without addresses the connection's is taken. The vendor's help has the
    request with both addresses; what is answered, and what becomes of a family that is not named, it does not say."""
    name, service, hosts = "ionos", "IONOS", ("api.hosting.ionos.com", "ipv4.api.hosting.ionos.com", "ipv6.api.hosting.ionos.com")
    source, documented = "https://www.ionos.com/help/domains/configuring-your-ip-address/set-up-dynamic-dns-with-company-name/", False
    alone = ("A",)  # nor what becomes of A where only the other is named
    path, secret_param = "/dns/v1/dyndns", "q"
    addresses = {"ipv4": ("A",), "ipv6": ("AAAA",)}

    def answer(self, q, outcomes, wanted):
        return self.denied(None) if outcomes[0][1] == "unknown" else Response(200, "")

    def denied(self, request):
        return Response(404, [{"code": "NOT_FOUND", "message": "Dynamic DNS configuration not found."}])

    def malformed(self, request):
        return Response(400, [{"code": "INVALID_DATA", "message": "Endpoint resource not found."}])
