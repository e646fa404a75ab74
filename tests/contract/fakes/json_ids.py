# SPDX-License-Identifier: Apache-2.0
"""JSON APIs whose records have numbers that must be looked up: DigitalOcean, Vultr, Name.com, LuaDNS."""
from .api_simple import Ids
from .base import Response
from .json_simple import Rest, Wrong


class Numbered(Ids, Rest):
    """GET lists are lookups; a record is one address. `label` and `data` are the names of a record's members."""
    apex, label, data = "@", "name", "data"

    def rows_of(self, want=lambda name, rtype: True):
        return [(number, *row) for number, row in self.rows.items() if want(row[0], row[1])]

    def checked(self, item, optional=()):
        """(name, rtype, value, ttl) of a body, or the reply to a name that is not the account's."""
        self.shape(item, {self.label: str, "type": str, self.data: str}, {"ttl": int, **dict(optional)})
        if item["type"] not in self.families:
            raise Wrong(f"type {item['type']}")
        name = self.full(item[self.label])
        if not self.known(name):
            return self.fault(422, "name is invalid")
        return name.lower(), item["type"], self.value(item[self.data], item["type"]), self.ttl_of(item.get("ttl"))

    def full(self, label):
        return self.name_of(label, self.apex)

    def missing(self, number):
        self.violate("record-id", number)
        return self.fault(404, "The resource you were accessing could not be found.")


class DigitalOcean(Numbered):
    """A filter by name wants the whole name. TTL at least 30."""
    name, service, hosts, ttl, ttl_range = "digitalocean", "DigitalOcean", ("api.digitalocean.com",), 1800, (30, 2 ** 31 - 1)
    source, wrong_status = "https://github.com/digitalocean/openapi specification/resources/domains (7c1300c)", 422

    def fault(self, status, text):
        ids = {401: "unauthorized", 404: "not_found", 422: "unprocessable_entity", 429: "too_many_requests"}
        return Response(status, {"id": ids[status], "message": text})

    def denied(self, request):
        return self.fault(401, "Unable to authenticate you")

    def limited(self, request):
        return self.fault(429, "API rate limit exceeded.")

    def record(self, number):
        name, rtype, value, ttl = self.rows[number]
        return {"id": int(number), "type": rtype, "name": self.label_of(name), "data": value, "ttl": ttl, "priority": None, "port": None,
                "weight": None, "flags": None, "tag": None}

    def call(self, request, path):
        if path[:2] != ["v2", "domains"] or len(path) not in (4, 5) or path[3] != "records":
            return self.lost_path(request)
        if path[2].lower() != self.zone:
            self.violate("unknown-zone", path[2])
            return self.fault(404, "The resource you were accessing could not be found.")
        if len(path) == 4:
            return self.listed(request) if request.method == "GET" else self.made(request) if request.method == "POST" else self.lost_path(request)
        if path[4] not in self.rows:
            return self.missing(path[4])
        if request.method == "DELETE":
            self.drop(path[4])
            return Response(204)
        if request.method not in ("PATCH", "PUT"):
            return self.lost_path(request)
        old = self.record(path[4])
        body = self.shape(self.body(request), {"type": str}, {"name": str, "data": str, "ttl": int})
        found = self.checked({"name": body.get("name", old["name"]), "data": body.get("data", old["data"]), "ttl": body.get("ttl", old["ttl"]),
                              "type": body["type"]})
        if isinstance(found, Response):
            return found
        self.change(path[4], *found)
        return Response(200, {"domain_record": self.record(path[4])})

    def listed(self, request):
        self.fields(request.query, (), ("name", "type", "page", "per_page"))
        name, rtype = request.get("name"), request.get("type")
        rows = [self.record(row[0]) for row in self.rows_of(lambda n, t: name in (None, n) and rtype in (None, t))]
        size, page = int(request.get("per_page", "20")), int(request.get("page", "1"))
        part, last = rows[size * (page - 1):size * page], size * page >= len(rows)
        links = {} if last else {"pages": {"next": f"https://api.digitalocean.com/v2/domains/{self.zone}/records?page={page + 1}&per_page={size}"}}
        return Response(200, {"domain_records": part, "links": links, "meta": {"total": len(rows)}})

    def made(self, request):
        found = self.checked(self.body(request), {"priority": int})
        if isinstance(found, Response):
            return found
        return Response(201, {"domain_record": self.record(self.add(*found))})


class Vultr(Numbered):
    """The apex has an empty name. 30 requests a second from an address."""
    name, service, hosts, apex, ttl, ttl_range = "vultr", "Vultr", ("api.vultr.com",), "", 300, (120, 2 ** 31 - 1)
    source, rate = "https://github.com/vultr/govultr domain_records.go (9ee451b)", (30, 1)

    def fault(self, status, text):
        return Response(400 if status == 422 else status, {"error": text, "status": 400 if status == 422 else status})

    def denied(self, request):
        return self.fault(401, "Invalid API token.")

    def limited(self, request):
        return self.fault(429, "Rate limit reached - please try your request again later.")

    def record(self, number):
        name, rtype, value, ttl = self.rows[number]
        return {"id": f"cb676a46-66fd-4dfb-b839-{int(number):012}", "type": rtype, "name": self.label_of(name, ""), "data": value, "priority": -1, "ttl": ttl}

    def number(self, text):
        return str(int(text.rpartition("-")[2])) if text.startswith("cb676a46-66fd-4dfb-b839-") and text[-12:].isdigit() else text

    def call(self, request, path):
        if path[:2] != ["v2", "domains"] or len(path) not in (4, 5) or path[3] != "records":
            return self.lost_path(request)
        if path[2].lower() != self.zone:
            self.violate("unknown-zone", path[2])
            return self.fault(404, "Invalid domain.")
        if len(path) == 4 and request.method == "GET":
            self.fields(request.query, (), ("per_page", "cursor"))
            rows = [self.record(row[0]) for row in self.rows_of()]
            return Response(200, {"records": rows, "meta": {"total": len(rows), "links": {"next": "", "prev": ""}}})
        if len(path) == 4 and request.method == "POST":
            found = self.checked(self.body(request), {"priority": int})
            return found if isinstance(found, Response) else Response(201, {"record": self.record(self.add(*found))})
        number = self.number(path[4]) if len(path) == 5 else ""
        if number not in self.rows:
            return self.missing(number) if len(path) == 5 else self.lost_path(request)
        if request.method == "DELETE":
            self.drop(number)
            return Response(204)
        if request.method != "PATCH":
            return self.lost_path(request)
        old = self.record(number)
        body = self.shape(self.body(request), {}, {"name": str, "data": str, "ttl": int, "priority": int})
        found = self.checked({**{key: old[key] for key in ("name", "data", "ttl", "type")}, **{key: body[key] for key in body if key != "priority"}})
        if isinstance(found, Response):
            return found
        self.change(number, *found)
        return Response(204)


class NameCom(Numbered):
    """PUT replaces a record; TTL at least 300."""
    name, service, hosts, label, data, ttl, ttl_range = "namecom", "Name.com", ("api.name.com",), "host", "answer", 300, (300, 2 ** 31 - 1)
    source = "https://www.name.com/api-docs/DNS"

    def account(self, hosts=()):
        return {"username": self.secret("user", "abcdefghijkmnopqrstuvwxyz", 8), "password": self.secret("token", "0123456789abcdef", 40)}

    def allowed(self, request):
        account = self.account()
        return request.basic() == (account["username"], account["password"])

    def fault(self, status, text):
        messages = {400: "Invalid Argument", 401: "Unauthenticated", 403: "Permission Denied", 404: "Not Found", 422: "Invalid Argument"}
        return Response(400 if status == 422 else status, {"message": messages[status], "details": text})

    def denied(self, request):
        return self.fault(401, "")

    def full(self, label):
        return super().full(label or "@")

    def record(self, number):
        name, rtype, value, ttl = self.rows[number]
        return {"id": int(number), "domainName": self.zone, "host": self.label_of(name, ""), "fqdn": name + ".", "type": rtype, "answer": value, "ttl": ttl}

    def call(self, request, path):
        if path[:2] != ["v4", "domains"] or len(path) not in (4, 5) or path[3] != "records":
            return self.lost_path(request)
        if path[2].lower() != self.zone:
            self.violate("unknown-zone", path[2])
            return self.fault(404, "domain")
        if len(path) == 4 and request.method == "GET":
            self.fields(request.query, (), ("perPage", "page"))
            return Response(200, {"records": [self.record(row[0]) for row in self.rows_of()]})
        if len(path) == 5 and path[4] not in self.rows:
            return self.missing(path[4])
        if len(path) == 5 and request.method in ("GET", "DELETE"):
            found = self.record(path[4])
            if request.method == "DELETE":
                self.drop(path[4])
            return Response(200, found if request.method == "GET" else {})
        if (len(path), request.method) not in ((4, "POST"), (5, "PUT")):
            return self.lost_path(request)
        found = self.checked(self.body(request), {"priority": int})
        if isinstance(found, Response):
            return found
        number = path[4] if len(path) == 5 else self.add(*found)
        if len(path) == 5:
            self.change(number, *found)
        return Response(200, self.record(number))


class LuaDns(Numbered):
    """PATCH on the records of a zone replaces those of every name and type in its array, POST delete_many removes what matches:
    many RRsets a call, without ids of records. Names are absolute, with the last dot. 1,200 requests in five minutes by the
    clock. `query` of the zones' list is taken to be what they have to contain. Open: the TTL's bounds, the status of a wrong
    login (here 401), how many records an array may have."""
    name, service, hosts, data, ttl, ttl_range = "luadns", "LuaDNS", ("api.luadns.com",), "content", 3600, (1, 2 ** 31 - 1)
    source = "https://github.com/luadns/luadns-go client_records.go (b473781), https://www.luadns.com/api.html"
    rates = ((1200, 300, "account"),)

    def __init__(self):
        super().__init__()
        self.counted = (0, 0)  # which period, how many requests in it

    def account(self, hosts=()):
        return {"username": self.username(), "password": self.secret("key", "0123456789abcdef", 32)}

    def allowed(self, request):
        account = self.account()
        return request.basic() == (account["username"], account["password"])

    def fault(self, status, text):
        if status in (400, 422):
            return Response(400, [{"fieldNames": ["content"], "message": text}])
        words = {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
        return Response(status, {"status": words[status], "request_id": "fake/ztHMmU9StQ-000003", "message": words[status]})

    def denied(self, request):
        return self.fault(401, "")

    def limited(self, request):
        return self.fault(429, "")

    def over(self):
        calls, seconds, _ = self.rates[0]
        period = int(self.clock() // seconds)
        self.counted = (period, self.counted[1] + 1 if self.counted[0] == period else 1)
        if not self.limits_hold or self.counted[1] <= calls:
            return False
        self.violate("rate", f"more than {calls} in {seconds} s")
        return True

    def handle(self, request):
        response = super().handle(request)
        calls, seconds, _ = self.rates[0]
        left, reset = max(0, calls - self.counted[1]), (self.counted[0] + 1) * seconds
        response.headers += [("X-Ratelimit-Limit", str(calls)), ("X-Ratelimit-Remaining", str(left)), ("X-Ratelimit-Reset", str(reset))]
        if response.status == 429:
            response.headers.append(("Retry-After", str(seconds)))
        return response

    def zone_list(self, request):
        """Another zone of the account first, which the query may match as well."""
        self.fields(request.query, (), ("query", "limit", "page"))
        names = {4: f"not-{self.zone}", 5: self.zone}
        return Response(200, [{"id": number, "name": name, "template_id": 0, "synced": False, "queries_count": 0, "records_count": len(self.rows)}
                              for number, name in names.items() if request.get("query", "").lower() in name])

    def full(self, label):
        if not label.endswith("."):
            raise Wrong(f"name {label} without its dot")
        return label[:-1]

    def record(self, number):
        name, rtype, value, ttl = self.rows[number]
        return {"id": int(number), "name": name + ".", "type": rtype, "content": value, "ttl": ttl, "zone_id": 5, "generated": False,
                "created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T12:00:00Z"}

    def call(self, request, path):
        if path == ["v1", "zones"] and request.method == "GET":
            return self.zone_list(request)
        if path[:2] != ["v1", "zones"] or len(path) not in (4, 5) or path[3] != "records":
            return self.lost_path(request)
        if path[2] != "5":
            self.violate("unknown-zone", path[2])
            return self.fault(404, "")
        if len(path) == 5:
            many = {"create_many": self.create_many, "delete_many": self.delete_many}.get(path[4])
            return many(request) if many and request.method == "POST" else self.single(request, path[4])
        if request.method == "GET":
            return Response(200, [self.record(row[0]) for row in self.rows_of()])
        if request.method == "PATCH":
            return self.update_many(request)
        if request.method != "POST":
            return self.lost_path(request)
        found = self.checked(self.body(request))
        return found if isinstance(found, Response) else Response(200, self.record(self.add(*found)))

    def single(self, request, number):
        if number not in self.rows:
            return self.missing(number)
        old = self.record(number)
        if request.method == "DELETE":
            self.drop(number)
            return Response(200, old)
        if request.method != "PUT":
            return self.record_shown(request, old)
        found = self.checked(self.body(request), {"id": int, "zone_id": int})
        if isinstance(found, Response):
            return found
        self.change(number, *found)
        return Response(200, self.record(number))

    def record_shown(self, request, record):
        return Response(200, record) if request.method == "GET" else self.lost_path(request)

    def many(self, request):
        """The checked records of an array, or the reply to the first that cannot be."""
        items = self.body(request)
        if not isinstance(items, list) or not items:
            raise Wrong("an array of records")
        found = [self.checked(item) for item in items]
        return next((item for item in found if isinstance(item, Response)), found)

    def create_many(self, request):
        found = self.many(request)
        return found if isinstance(found, Response) else Response(200, [self.record(self.add(*item)) for item in found])

    def update_many(self, request):
        found = self.many(request)
        if isinstance(found, Response):
            return found
        for key in {item[:2] for item in found}:
            for number in [row[0] for row in self.rows_of() if row[1:3] == key]:
                del self.rows[number]  # shown again below, by those that take their place
        return Response(200, [self.record(self.add(*item)) for item in found])

    def delete_many(self, request):
        gone, items = [], self.body(request)
        if not isinstance(items, list):
            raise Wrong("an array of records")
        for item in items:
            self.shape(item, {"name": str}, {"type": str, "content": str, "ttl": int})
            name = self.full(item["name"]).lower()
            gone += [row[0] for row in self.rows_of() if row[1] == name and item.get("type", row[2]) == row[2]
                     and item.get("content", row[3]) == row[3] and item.get("ttl", row[4]) == row[4]]
        records = [self.record(number) for number in dict.fromkeys(gone)]
        for number in dict.fromkeys(gone):
            self.drop(number)
        return Response(200, records)
