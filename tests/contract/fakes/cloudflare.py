# SPDX-License-Identifier: Apache-2.0
"""Cloudflare's API v4, DNS records of a zone. Sources, read 2026-11-23:
  developers.cloudflare.com/api/resources/dns/subresources/records/ (fields, filters, per_page 1 to 5,000,000, ttl)
  .../dns/manage-dns-records/how-to/batch-record-changes/ (order, one transaction, 200 or 3,500 records, the first error only)
  .../dns/manage-dns-records/reference/{ttl,record-attributes,proxied-dns-records}/ (auto is 300 s; comments; tags)
  .../fundamentals/api/reference/limits/ (1,200 requests in five minutes a user, then blocked for five minutes, retry-after)
Codes and texts of errors are those that the API is seen to send (81053, 81054, 81058, 1004 with its error_chain ...); the
code for a batch with too many records is not documented."""
import ipaddress
import math

from .base import Fake, Response, Window, below, is_name
from .tables import Refused, Table, is_integer

TYPES = ("A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY", "PTR",
         "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI")
FIELDS = {"name", "type", "content", "ttl", "proxied", "comment", "tags", "settings", "data", "priority",
          "private_routing"}
PLANS = {  # legacy_id: (records a batch, records a zone, least TTL, length of a comment, tags a record)
    "free": (200, 1000, 60, 100, 0), "pro": (3500, 3500, 60, 500, 20), "business": (3500, 3500, 60, 500, 20),
    "enterprise": (3500, None, 30, 500, 20)}
# What may not be proxied: nothing that Cloudflare's edge could reach.
UNREACHABLE = [ipaddress.ip_network(net) for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
                                                     "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
                                                     "fc00::/7", "fe80::/10")]
AUTO = 300  # seconds that a record with ttl 1 is served with
STAMP = "2026-11-23T10:00:00.000000Z"


def ok(result, **more):
    return Response(200, {"result": result, "success": True, "errors": [], "messages": [], **more})


def error(status, code, message, chain=()):
    fault = {"code": code, "message": message}
    if chain:
        fault["error_chain"] = [{"code": number, "message": text} for number, text in chain]
    return Response(status, {"result": None, "success": False, "errors": [fault], "messages": []})


class Cloudflare(Fake):
    name, service, hosts = "cloudflare", "Cloudflare", ("api.cloudflare.com",)
    source, read = "https://developers.cloudflare.com/api/resources/dns/subresources/records/", "2026-11-23"
    state, takes_ttl = ("records", "rrs", "names", "made"), True

    def __init__(self):
        super().__init__()
        self.plan = "free"
        self.max_records = 0  # 0: what the plan has; None: no limit
        self.gone = 404  # status of an answer about a record that is not there
        self.zone_id = self.secret("zone", "0123456789abcdef", 32)
        self.token = self.secret("token", length=40)
        # rrs: {id: record}, names: {name: (id, ...)}
        self.records, self.rrs, self.names, self.made = Table(), Table(), Table(), 0
        self.window, self.blocked = Window(1200, 300), 0

    def account(self, hosts=()):
        return {"password": self.token, "options": {"plan": self.plan}}

    def is_lookup(self, request):
        return request.method == "GET"

    # ---- for the suite ----

    def add(self, name, rtype, content, ttl=1, **more):
        """A record that was there before: `proxied`, `comment`, `tags`. Returns its id."""
        rrs, names = Table(self.rrs), Table(self.names)
        record = self._insert(rrs, names, self._record({"name": name, "type": rtype, "content": content, "ttl": ttl,
                                                        **more}, None))
        self._commit(rrs, names, {name})
        return record["id"]

    def of(self, name, rtype):
        """The records of an RRset as the API shows them."""
        return [self.rrs[key] for key in self.names.get(name.lower(), ()) if self.rrs[key]["type"] == rtype]

    def note(self, name, rtype, text):
        rrs = Table(self.rrs)
        for record in self.of(name, rtype):
            rrs[record["id"]] = {**record, "comment": text}
        self.rrs = rrs
        return True

    def noted(self, name, rtype):
        return ", ".join(record["comment"] or "" for record in self.of(name, rtype))

    def enlarge(self):
        """A zone with room for whatever a benchmark does."""
        self.max_records = None

    def fill(self, sets):
        """In one step: put() copies the tables each time."""
        rrs, names = Table(self.rrs), Table(self.names)
        for name, rtype, values, ttl in sets:
            for value in values:
                self._insert(rrs, names, self._record({"name": name, "type": rtype, "content": value, "ttl": ttl}, None))
        self._commit(rrs, names, {name for name, *_ in sets})

    def renumber(self):
        """Every record and the zone get new ids, as after an export and import: what a client remembers is wrong."""
        self.zone_id = self.zone_id[1:] + self.zone_id[:1]
        kept, self.rrs, self.names = list(self.rrs.values()), Table(), Table()
        for record in kept:
            self._insert(self.rrs, self.names, {**record, "id": None})

    def put(self, name, rtype, values, ttl=None):
        """Somebody else's change: values that stay keep their records."""
        name, rrs, names = name.lower().rstrip("."), Table(self.rrs), Table(self.names)
        for record in self.of(name, rtype):
            if record["content"] not in values:
                self._drop(rrs, names, record["id"])
        have = {rrs[key]["content"] for key in names.get(name, ()) if rrs[key]["type"] == rtype}
        for value in sorted(set(values) - have):
            self._insert(rrs, names, self._record({"name": name, "type": rtype, "content": value,
                                                   "ttl": ttl or self.ttl}, None))
        return self._commit(rrs, names, {name})

    def denied(self, request):
        if request.path == "/client/v4/zones":
            return error(403, 9109, "Invalid access token")
        return error(403, 10000, "Authentication error")

    def limited(self, request):
        return error(429, 10100,
                     "More than 1200 requests per 300 seconds reached. Please wait and consider throttling your request speed")

    def outage(self, request, status):
        return error(status, 10013 if status == 500 else 10001, "Internal error" if status == 500
                     else "Service temporarily unavailable")

    # ---- the API ----

    def handle(self, request):
        try:
            self._admit(request)
            return self._route(request)
        except Refused as refusal:
            return refusal.response

    def _refuse(self, status, code, message, chain=(), rule=None):
        if rule:
            self.violate(rule, message if not chain else chain[0][1])
        raise Refused(error(status, code, message, chain))

    def _invalid(self, code, message, rule="field"):
        self._refuse(400, 1004, "DNS Validation Error", [(code, message)], rule)

    def _admit(self, request):
        now = self.clock()
        if self.limits_hold and (now < self.blocked or self.window.over("user", now)):
            self.blocked = self.blocked if now < self.blocked else now + 300
            self.violate("rate", "more than 1200 requests in five minutes")
            refusal = self.limited(request)
            refusal.headers.append(("retry-after", str(math.ceil(self.blocked - now))))
            raise Refused(refusal)
        if not request.headers.get("Authorization"):
            self._refuse(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", rule="auth")
        token = request.bearer()
        if token is None:
            self._refuse(400, 6003, "Invalid request headers", [(6111, "Invalid format for Authorization header")],
                         "auth")
        if token != self.token:
            self.violate("auth", "another token")
            raise Refused(self.denied(request))

    def _route(self, request):
        parts, method = request.segments, request.method
        if parts[:3] != ["client", "v4", "zones"] or request.path.endswith("/"):
            self._refuse(400, 7000, "No route for that URI", rule="path")
        if len(parts) == 3 and method == "GET":
            return self._list_zones(request)
        if len(parts) > 3 and parts[3] != self.zone_id:
            self._refuse(404, 7003, f"Could not route to {request.path}, perhaps your object identifier is invalid?")
        if len(parts) == 4 and method == "GET":
            return ok(self._zone())
        if len(parts) in (5, 6) and parts[4] == "dns_records":
            verb = (method, "batch" if parts[5:] == ["batch"] else "one" if parts[5:] else "all")
            action = {("GET", "all"): self._list, ("POST", "all"): self._create, ("POST", "batch"): self._batch,
                      ("GET", "one"): self._get, ("PATCH", "one"): self._change, ("PUT", "one"): self._change,
                      ("DELETE", "one"): self._delete}.get(verb)
            if action:
                return action(request)
        return self._refuse(405, 10405, "Method not allowed for this authentication scheme", rule="method")

    def _zone(self):
        return {"id": self.zone_id, "name": self.zone, "status": "active", "paused": False, "type": "full",
                "development_mode": 0, "name_servers": ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
                "original_name_servers": [], "modified_on": STAMP, "created_on": STAMP, "activated_on": STAMP,
                "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
                "account": {"id": self.secret("account", "0123456789abcdef", 32), "name": "Fleet"},
                "plan": {"id": self.secret("plan", "0123456789abcdef", 32), "name": f"{self.plan.title()} Website",
                         "price": 0, "currency": "USD", "frequency": "", "is_subscribed": True, "can_subscribe": False,
                         "legacy_id": self.plan}}

    def _number(self, request, name, default, least, most):
        text = request.get(name, str(default))
        if not text.isdigit() or not least <= int(text) <= most:
            self._refuse(400, 9003 if name == "page" else 9002, f"Invalid {name} parameter", rule="query")
        return int(text)

    def _page(self, request, found, default, least, most):
        page, size = self._number(request, "page", 1, 1, 1 << 31), self._number(request, "per_page", default, least,
                                                                                most)
        shown = found[(page - 1) * size:page * size]
        return ok(shown, result_info={"page": page, "per_page": size, "count": len(shown), "total_count": len(found),
                                      "total_pages": -(-len(found) // size)})

    def _list_zones(self, request):
        self.fields(request.query, (), ("name", "status", "account.id", "account.name", "type", "page", "per_page",
                                        "order", "direction", "match"))
        wanted = request.get("name", self.zone)
        found = wanted.lower() == self.zone and request.get("status", "active") == "active"
        return self._page(request, [self._zone()] if found else [], 20, 5, 50)

    def _list(self, request):
        texts = {f"{field}{mode}" for field in ("name", "content", "comment") for mode in ("", ".exact", ".contains",
                                                                                           ".startswith",
                                                                                           ".endswith")} - {"comment"}
        self.fields(request.query, (), texts | {"type", "proxied", "page", "per_page", "order", "direction", "match",
                                                "comment.present", "comment.absent"})
        tests = [self._filter(key, value) for key, value in request.query if key not in ("page", "per_page", "order",
                                                                                         "direction", "match")]
        judge = any if request.get("match", "all") == "any" else all
        records = [record for record in self.rrs.values() if not tests or judge(test(record) for test in tests)]
        order = request.get("order")
        if order is not None:
            if order not in ("type", "name", "content", "ttl", "proxied"):
                self._refuse(400, 9002, "Invalid order parameter", rule="query")
            records.sort(key=lambda record: record[order], reverse=request.get("direction") == "desc")
        return self._page(request, records, 100, 1, 5000000)

    def _filter(self, key, value):
        field, _, mode = key.partition(".")
        if field == "type" and value not in TYPES or field == "proxied" and value not in ("true", "false"):
            self._refuse(400, 9002, f"Invalid {field} parameter", rule="query")
        if field == "proxied":
            return lambda record: record["proxied"] == (value == "true")
        if mode in ("present", "absent"):
            return lambda record: bool(record[field]) == (mode == "present")
        value = value.lower()
        compare = {"contains": str.__contains__, "startswith": str.startswith, "endswith": str.endswith}.get(mode,
                                                                                                             str.__eq__)
        return lambda record: compare((record[field] or "").lower(), value)

    def _body(self, request):
        if request.content_type != "application/json":
            self._refuse(415, 6002, "Unsupported Media Type", rule="content-type")
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._refuse(400, 9207, "Request body is invalid.", rule="body")
        self.fields(request.query, (), ("include_shadow_metadata",))
        return body

    def _get(self, request):
        return ok(self._found(self.rrs, request.segments[5]))

    def _create(self, request):
        rrs, names = Table(self.rrs), Table(self.names)
        record = self._post(rrs, names, self._body(request))
        self._commit(rrs, names, {record["name"]})
        return ok(record)

    def _change(self, request):
        rrs, names, body = Table(self.rrs), Table(self.names), self._body(request)
        old = self._found(rrs, request.segments[5])
        record = self._replace(rrs, names, {**body, "id": old["id"]}, request.method == "PATCH")
        self._commit(rrs, names, {old["name"], record["name"]})
        return ok(record)

    def _delete(self, request):
        rrs, names = Table(self.rrs), Table(self.names)
        record = self._found(rrs, request.segments[5])
        self._drop(rrs, names, record["id"])
        self._commit(rrs, names, {record["name"]})
        return ok({"id": record["id"]})

    def _batch(self, request):
        body = self._body(request)
        lists = {verb: body.get(verb) or [] for verb in ("deletes", "patches", "puts", "posts")}
        if set(body) - set(lists) or not all(isinstance(items, list) and all(isinstance(item, dict) for item in items)
                                             for items in lists.values()):
            self._refuse(400, 9207, "Request body is invalid.", rule="body")
        count, limit = sum(map(len, lists.values())), PLANS[self.plan][0]
        if count > limit or not count:
            self._refuse(400, 9207, f"Request body is invalid: {count} records, at most {limit}", rule="batch-size")
        rrs, names, touched = Table(self.rrs), Table(self.names), set()
        result = {verb: [] for verb in lists if verb in body}
        for item in lists["deletes"]:
            result["deletes"].append(self._found(rrs, item.get("id")))
            self._drop(rrs, names, item["id"])
        for verb in ("patches", "puts"):
            for item in lists[verb]:
                touched.add(self._found(rrs, item.get("id"))["name"])
                result[verb].append(self._replace(rrs, names, item, verb == "patches"))
        for item in lists["posts"]:
            result["posts"].append(self._post(rrs, names, item))
        touched.update(record["name"] for records in result.values() for record in records)
        self._commit(rrs, names, touched)
        return ok(result)

    # ---- records ----

    def _found(self, rrs, key):
        if not isinstance(key, str) or len(key) != 32 or not set(key) <= set("0123456789abcdef"):
            self._refuse(400, 7003, "Could not route, perhaps your object identifier is invalid?", rule="identifier")
        if key not in rrs:
            self._refuse(self.gone, 81044, "Record does not exist.")
        return rrs[key]

    def _post(self, rrs, names, body):
        if "id" in body:
            self.violate("field", "id of a new record")
        for field in ("name", "type", "content"):
            if field not in body:
                self._invalid(9000 if field == "name" else 9005, f"{field} is required")
        record = self._record(body, None)
        self._conflicts(rrs, names, record)
        limit = self.max_records if self.max_records != 0 else PLANS[self.plan][1]
        if limit is not None and len(rrs) >= limit:
            self._refuse(400, 81045, "Record quota exceeded.")
        return self._insert(rrs, names, record)

    def _replace(self, rrs, names, body, patch):
        old = rrs[body["id"]]
        if not patch and not {"name", "type", "content"} <= set(body):
            self._invalid(9000, "name, type and content are required")
        if patch and set(body) == {"id"}:
            self.violate("field", "a patch without a change")
        record = {**self._record(body, old if patch else None), "id": old["id"], "created_on": old["created_on"]}
        self._conflicts(rrs, names, record)
        if record["name"] != old["name"]:
            self._drop(rrs, names, old["id"])
            return self._insert(rrs, names, record)
        rrs[old["id"]] = record
        return record

    def _insert(self, rrs, names, record):
        if not record["id"]:
            self.made += 1
            record = {**record, "id": f"{self.made:08x}{self.secret(f'id{self.made}', '0123456789abcdef')}"}
        rrs[record["id"]] = record
        names[record["name"]] = names.get(record["name"], ()) + (record["id"],)
        return record

    @staticmethod
    def _drop(rrs, names, key):
        name = rrs.pop(key)["name"]
        names[name] = tuple(other for other in names[name] if other != key)
        if not names[name]:
            del names[name]

    def _commit(self, rrs, names, touched):
        before = {(name, self.rrs[key]["type"]) for name in touched for key in self.names.get(name, ())}
        self.rrs, self.names, changed = rrs, names, False
        sets = {key: [] for key in sorted(before)}
        for name in touched:
            for key in names.get(name, ()):
                sets.setdefault((name, rrs[key]["type"]), []).append(rrs[key])
        for (name, rtype), records in sets.items():
            ttl = min((AUTO if record["ttl"] == 1 else record["ttl"] for record in records), default=AUTO)
            changed |= super().put(name, rtype, [record["content"] for record in records], ttl)
        return changed

    def _record(self, body, old):
        """What a body makes of a record (PATCH) or of the defaults (POST, PUT)."""
        if set(body) - FIELDS - {"id"}:
            self.violate("field", f"unknown: {sorted(set(body) - FIELDS - {'id'})}")
        base = old or {"ttl": 1, "proxied": False, "comment": None, "tags": [], "settings": {}, "content": None,
                       "type": None, "name": ""}
        merged = {**base, **{field: body[field] for field in FIELDS & set(body)}}
        name, rtype = self._name(merged["name"]), merged["type"]
        if rtype not in TYPES:
            self._invalid(9004, f"Invalid DNS record type: {rtype}")
        content, proxied = self._content(rtype, merged["content"]), merged["proxied"]
        if not isinstance(proxied, bool):
            self._invalid(9003, "Invalid 'proxied' value, must be a boolean")
        if proxied and not self._proxiable(rtype, content):
            self._refuse(400, 9004, f"This record type or target {content} cannot be proxied.")
        ttl = self._lifetime(merged["ttl"])
        self._attributes(merged)
        return {"id": None, "name": name, "type": rtype, "content": content, "proxiable": self._proxiable(rtype,
                                                                                                          content),
                "proxied": proxied, "ttl": 1 if proxied else ttl, "settings": merged["settings"], "meta": {},
                "comment": merged["comment"] or None, "tags": merged["tags"], "created_on": STAMP, "modified_on": STAMP}

    def _name(self, text):
        name = text.lower() if isinstance(text, str) else ""
        if name == "@":
            name = self.zone
        if name and not below(name, self.zone):
            self.violate("field", f"a name that is not complete: {text}")
            name = f"{name}.{self.zone}"
        if not is_name(name) or name in self.bad:
            self._invalid(9000, "DNS name is invalid.", None if name in self.bad else "field")
        return name

    def _content(self, rtype, content):
        if rtype not in ("A", "AAAA"):
            if not isinstance(content, str) or not content:
                self._invalid(9005, f"Content for {rtype} record is missing.")
            return content
        try:
            address = ipaddress.ip_address(content if isinstance(content, str) and "%" not in content else "")
        except ValueError:
            address = None
        if address is None or address.version != (4 if rtype == "A" else 6):
            text = f"Content for {rtype} record must be a valid IPv{4 if rtype == 'A' else 6} address."
            self._refuse(400, 9005 if rtype == "A" else 9006, text, rule="field")
        return str(address)

    @staticmethod
    def _proxiable(rtype, content):
        if rtype in ("A", "AAAA"):
            return not any(ipaddress.ip_address(content) in net for net in UNREACHABLE)
        return rtype == "CNAME"

    def _lifetime(self, ttl):
        least = PLANS[self.plan][2]
        if ttl != 1 and not is_integer(ttl, least, 86400) or ttl is True:
            self._refuse(400, 9021, f"Invalid TTL. Must be between {least} and 86400 seconds, or 1 for Automatic.",
                         rule="field")
        return ttl

    def _attributes(self, merged):
        comment, tags, (_, _, _, length, most) = merged["comment"], merged["tags"], PLANS[self.plan]
        if comment is not None and (not isinstance(comment, str) or len(comment) > length or "\n" in comment
                                    or "\r" in comment):
            self._invalid(9313, f"DNS record comment is invalid or longer than {length} characters.")
        if not isinstance(tags, list) or not all(isinstance(tag, str) and ":" in tag for tag in tags):
            self._invalid(9301, "DNS record tag is invalid.")
        if len(tags) > most:
            self._invalid(9300, f"DNS record has {len(tags)} tags, exceeding the quota of {most}.")
        if not isinstance(merged["settings"], dict):
            self._invalid(9302, "DNS record settings are invalid.")

    def _conflicts(self, rrs, names, record):
        others = [rrs[key] for key in names.get(record["name"], ()) if key != record["id"]]
        if any((other["type"], other["content"]) == (record["type"], record["content"]) for other in others):
            self._refuse(400, 81058, "An identical record already exists.")
        kinds = {other["type"] for other in others}
        if record["type"] == "CNAME" and kinds & {"A", "AAAA", "CNAME"}:
            self._refuse(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
        if record["type"] in ("A", "AAAA") and "CNAME" in kinds:
            page = "https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/"
            self._refuse(400, 81054,
                         f"A CNAME record with that host already exists. For more details, refer to <{page}>.")
        if kinds and (record["type"] == "NS") != (kinds == {"NS"}):
            self._refuse(400, 81056, "NS records cannot exist on the same name as any other record type.")
