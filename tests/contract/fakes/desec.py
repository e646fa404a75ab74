# SPDX-License-Identifier: Apache-2.0
"""deSEC's REST API v1, RRsets of a domain. Sources, read 2026-11-23, all of desec.readthedocs.io:
  dns/rrsets.html (fields, bulk operations, atomicity, list of errors in request order, pagination by cursor and Link)
  rate-limits.html (sliding windows; 429 with Retry-After; refused requests do not count)
  dns/domains.html (minimum_ttl), auth/tokens.html (Authorization: Token)
Texts of errors are those of the service's own test suite (github.com/desec-io/desec-stack)."""
import collections
import ipaddress
import math
import re

from .base import Fake, Response
from .tables import EARLY, Refused, Table, is_integer

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
RATES = {  # scope: [(requests, seconds)]
    "dns_api_cheap": [(10, SECOND), (50, MINUTE)],
    "dns_api_per_domain_expensive": [(2, SECOND), (15, MINUTE), (100, HOUR), (300, DAY)],
    "user": [(2000, DAY)],
}
TYPES = ("A", "AAAA", "AFSDB", "APL", "CAA", "CDNSKEY", "CDS", "CERT", "CNAME", "DHCID", "DNAME", "DNSKEY", "DLV", "DS",
         "EUI48", "EUI64", "HINFO", "HTTPS", "KX", "L32", "L64", "LOC", "LP", "MX", "NAPTR", "NID", "NS", "OPENPGPKEY",
         "PTR", "RP", "SMIMEA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI")
AUTOMATIC = ("SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "KEY", "OPT")
FIELDS = {"subname", "type", "ttl", "records"}
SUBNAME = re.compile(r"\*|(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+|")
STAMP = "2026-11-23T10:00:00.000000Z"
PAGE = 500


class Desec(Fake):
    name, service, hosts = "desec", "deSEC / dedyn.io", ("desec.io",)
    source, read = "https://desec.readthedocs.io/en/latest/dns/rrsets.html", "2026-11-23"
    ttl = 3600  # the least that a domain takes unless support lowers it
    state, takes_ttl = ("records",), True

    def __init__(self):
        super().__init__()
        self.records = Table()
        self.minimum_ttl = self.ttl
        self.token = self.secret("token", length=28)
        # (scope, seconds): when; sliding windows over self.clock
        self.history = collections.defaultdict(collections.deque)

    def account(self, hosts=()):
        return {"password": self.token}

    def is_lookup(self, request):
        return request.method == "GET"

    def enlarge(self):
        """The documentation has no limit for the RRsets of a domain."""

    def denied(self, request):
        return Response(401, {"detail": "Invalid token."}, [("WWW-Authenticate", "Token")])

    def limited(self, request):
        return Response(429,
                        {"detail": f"Request was throttled. Expected available in {self.retry_after or 1} seconds."})

    def outage(self, request, status):
        if status == 500:
            return Response(500, {"detail": "Internal Server Error. We're on it!"})
        return super().outage(request, status)

    # ---- the API ----

    def handle(self, request):
        try:
            return self._route(request)
        except Refused as refusal:
            return refusal.response

    def _refuse(self, status, body, rule=None):
        if rule:
            self.violate(rule, body)
        raise Refused(Response(status, body))

    def _missing(self, rule=None):
        self._refuse(404, {"detail": "Not found."}, rule)

    def _route(self, request):
        parts = request.segments
        if parts[:3] != ["api", "v1", "domains"] or parts[-1] != "":
            self._missing("path")
        if not request.headers.get("Authorization"):
            self.violate("auth", "no Authorization")
            refusal = Response(401, {"detail": "Authentication credentials were not provided."},
                               [("WWW-Authenticate", "Token")])
            raise Refused(refusal)
        if request.bearer("Token") != self.token:
            self.violate("auth", "another token or scheme")
            raise Refused(self.denied(request))
        self._pace(request)
        rest = parts[3:-1]
        if request.method == "GET" and not rest:
            self.fields(request.query, (), ("owns_qname", "cursor"))
            asked = request.get("owns_qname")
            owns = asked is None or f".{asked.lower().rstrip('.')}".endswith(f".{self.zone}")
            return Response(200, [self._domain()] if owns else [])
        if not rest or rest[0] != self.zone:
            self._missing()
        if request.method == "GET" and len(rest) == 1:
            self.fields(request.query, ())
            return Response(200, {**self._domain(), "keys": []})
        if rest[1:2] != ["rrsets"] or len(rest) not in (2, 4):
            self._missing("path")
        if len(rest) == 4:
            return self._single(request, *rest[2:])
        action = {"GET": self._list, "POST": self._bulk, "PATCH": self._bulk, "PUT": self._bulk}.get(request.method)
        if action is None:
            self._refuse(405, {"detail": f'Method "{request.method}" not allowed.'}, "method")
        return action(request)

    def _pace(self, request):
        if not self.limits_hold:
            return
        now, wait = self.clock(), 0
        for scope in ("dns_api_cheap" if request.method == "GET" else "dns_api_per_domain_expensive", "user"):
            rates = [(calls, per, self.history[(scope, per)]) for calls, per in RATES[scope]]
            for calls, per, times in rates:
                while times and times[0] <= now - per + EARLY:
                    times.popleft()
            late = max((per - (now - times[0]) for calls, per, times in rates if len(times) >= calls), default=0)
            wait = max(wait, late)
            if not late:
                for _, _, times in rates:
                    times.append(now)
        if wait:
            self.violate("rate", f"to wait for {wait:.1f} s")
            seconds = math.ceil(wait)
            raise Refused(Response(429,
                                   {"detail": f"Request was throttled. Expected available in {seconds} second{'s' * (seconds > 1)}."},
                                   [("Retry-After", str(seconds))]))

    def _domain(self):
        return {"created": STAMP, "minimum_ttl": self.minimum_ttl, "name": self.zone, "published": STAMP,
                "touched": STAMP}

    def _set(self, name, rtype):
        ttl, values = self.records[(name, rtype)]
        return {"created": STAMP, "domain": self.zone, "subname": "" if name == self.zone
                else name[:-len(self.zone) - 1], "name": name + ".", "records": values, "ttl": ttl, "type": rtype,
                "touched": STAMP}

    def _owner(self, subname):
        return f"{subname}.{self.zone}" if subname else self.zone

    def _list(self, request):
        self.fields(request.query, (), ("type", "subname", "cursor"))
        rtype, subname, cursor = request.get("type"), request.get("subname"), request.get("cursor")
        if rtype in AUTOMATIC:
            self._refuse(403, {"detail": f"You cannot tinker with the {rtype} RRset."}, "query")
        keys = [key for key in reversed(self.records) if rtype in (None, key[1])
                and (subname is None or key[0] == self._owner(subname))]
        if len(keys) <= PAGE:
            return Response(200, [self._set(*key) for key in keys])
        others = "&".join(f"{name}={value}" for name, value in request.query if name != "cursor")
        link = f"https://desec.io{request.path}?{others}{'&' if others else ''}cursor="
        if cursor is None:
            return Response(400,
                            {"detail": f"Pagination required. You can query up to {PAGE} items at a time ({len(keys)} total). Please use the "
                             "`first` page link (see Link header)."}, [("Link", f'<{link}>; rel="first"')])
        if cursor and not re.fullmatch(r"c\d+", cursor):
            self._refuse(404, {"detail": "Invalid cursor"}, "query")
        start = int(cursor[1:]) if cursor else 0
        links = [f'<{link}>; rel="first"']
        if start:
            links.append(f'<{link}{f"c{start - PAGE}" if start > PAGE else ""}>; rel="prev"')
        if start + PAGE < len(keys):
            links.append(f'<{link}c{start + PAGE}>; rel="next"')
        return Response(200, [self._set(*key) for key in keys[start:start + PAGE]], [("Link", ", ".join(links))])

    def _body(self, request):
        if request.content_type != "application/json":
            self._refuse(415, {"detail": f'Unsupported media type "{request.content_type}" in request.'},
                         "content-type")
        try:
            return request.json()
        except ValueError as fault:
            return self._refuse(400, {"detail": f"JSON parse error - {fault}"}, "body")

    def _single(self, request, subname, rtype):
        subname = "" if subname in ("@", "...") else subname.removesuffix("...")
        key = (self._owner(subname), rtype)
        self.fields(request.query, ())
        if request.method == "DELETE":
            self.remove(*key)
            return Response(204)
        if request.method not in ("GET", "PATCH", "PUT"):
            self._refuse(405, {"detail": f'Method "{request.method}" not allowed.'}, "method")
        if key not in self.records:
            self._missing()
        if request.method == "GET":
            return Response(200, self._set(*key))
        body = self._body(request)
        if not isinstance(body, dict):
            self._refuse(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]}, "body")
        if body.get("subname", subname) != subname or body.get("type", rtype) != rtype:
            self._refuse(400, {"type": ["Can only be written on create."]}, "field")
        error, entry = self._item({**body, "subname": subname, "type": rtype}, request.method, [])
        if error:
            raise Refused(Response(400, error))
        self.put(*key, entry[1], entry[0])
        return Response(200, self._set(*key)) if entry[1] else Response(204)

    def _bulk(self, request):
        body, method = self._body(request), request.method
        self.fields(request.query, ())
        if isinstance(body, dict) and method == "POST":
            error, entry = self._item({"subname": "", **body}, method, [{"subname": "", **body}])
            if error:
                raise Refused(Response(400, error))
            key = (self._owner(body.get("subname", "")), body["type"])
            self.put(*key, entry[1], entry[0])
            return Response(201, self._set(*key))
        if not isinstance(body, list):
            self._refuse(400, {"non_field_errors": [f"Expected a list of items but got {type(body).__name__}."]},
                         "body")
        positions = collections.defaultdict(list)
        kinds = collections.defaultdict(dict)  # {subname: {type: [positions]}} of what is not deleted
        for i, item in enumerate(body):
            if isinstance(item, dict):
                positions[(item.get("subname"), item.get("type"))].append(i)
                if item.get("records") != []:
                    kinds[item.get("subname")].setdefault(item.get("type"), []).append(i)
        gone = {key for key, places in positions.items() if any(body[i].get("records") == [] for i in places)}
        errors, entries = [], []
        for i, item in enumerate(body):
            error, entry = self._listed(i, item, method, body, positions, kinds, gone)
            errors.append(error)
            entries.append(entry)
        if any(errors):
            raise Refused(Response(400, errors))
        for item, (ttl, values) in zip(body, entries):
            self.put(self._owner(item["subname"]), item["type"], values, ttl)
        kept = [(self._owner(item["subname"]), item["type"]) for item, (_, values) in zip(body, entries) if values]
        # What is deleted is not in the answer, and its order is not that of the request.
        return Response(201 if method == "POST" else 200, [self._set(*key) for key in reversed(kept)])

    def _listed(self, i, item, method, body, positions, kinds, gone):
        if not isinstance(item, dict):
            self.violate("body", item)
            return {"non_field_errors": f"Expected a dictionary, but got {type(item).__name__}."}, None
        subname, rtype = item.get("subname"), item.get("type")
        for field, value in (("subname", subname), ("type", rtype)):
            if not isinstance(value, (str, type(None))):
                self.violate("field", value)
                return {field: f"Expected a string, but got {type(value).__name__}."}, None
        same = positions[(subname, rtype)]
        if len(same) > 1:
            self.violate("twice", (subname, rtype))
            others = ", ".join(str(place) for place in same if place != i)
            return {"non_field_errors": [f"Same subname and type as in position(s) {others}, but must be unique."]}, None
        if item.get("records") != [] and isinstance(subname, str):
            clash = self._cname(subname, rtype, kinds[subname], gone)
            if clash:
                return {"non_field_errors": [f"RRset with conflicting type present at same subname: {clash}. (No other RRsets are allowed alongside "
                                             "CNAME.)"]}, None
        return self._item(item, method, body)

    def _cname(self, subname, rtype, given, gone):
        """What at the name may not stand beside this type, "" where nothing is in the way."""
        found = [f"{places[0]} ({kind})" for kind, places in given.items() if kind
                 and (kind == "CNAME") != (rtype == "CNAME")]
        owner = self._owner(subname)
        others = [kind for kind in TYPES if (kind == "CNAME") != (rtype == "CNAME")]
        stored = [kind for kind in others if (owner, kind) in self.records and (subname, kind) not in gone]
        return ", ".join(found + ([f"database ({', '.join(stored)})"] if stored else []))

    def _item(self, item, method, body):
        """({field: [texts]}, (ttl, values)) of one RRset of a request."""
        if set(item) - FIELDS:
            self.violate("field", f"read-only or unknown: {sorted(set(item) - FIELDS)}")
        subname, rtype, ttl, records = (item.get(field) for field in ("subname", "type", "ttl", "records"))
        old = self.records.get((self._owner(subname or ""), rtype))
        partial = method == "PATCH" and (old is not None or records == [])
        owed = ("subname", "type") if partial else ("subname", "type", "ttl", "records")
        errors = {field: ["This field is required."] for field in owed if field not in item}
        if not errors:
            errors = {**self._type(rtype), **self._subname(subname), **self._ttl(item), **self._records(item, method)}
        if errors:
            self.violate("field", errors)
            return errors, None
        if method == "POST" and old is not None:
            return {"non_field_errors": ["Another RRset with the same subdomain and type exists for this domain. (Try modifying it.)"]}, None
        if self._owner(subname) in self.bad:
            return {"non_field_errors": ["Cannot parse record contents: the name is not accepted."]}, None
        values = self._canonical(rtype, records) if records is not None else old[1]
        if values is None:
            self.violate("value", records)
            return {"non_field_errors": ["Cannot parse record contents: unable to parse, or records are not unique."]}, None
        return {}, (ttl if ttl is not None else old[0] if old else 0, values)

    @staticmethod
    def _type(rtype):
        if rtype in TYPES:
            return {}
        if rtype in AUTOMATIC:
            return {"type": [f"You cannot tinker with the {rtype} RR set. It is managed automatically."]}
        return {"type": ["Generic type format is not supported." if str(rtype).startswith("TYPE")
                         else f"The {rtype} RR set type is currently unsupported."]}

    def _subname(self, subname):
        if not isinstance(subname, str) or not SUBNAME.fullmatch(subname) or len(subname) > 178:
            return {"subname": ["Subname can only use (lowercase) a-z, 0-9, ., -, and _, may start with a '*.', or just be '*'."]}
        if any(len(label) > 63 for label in subname.split(".")) or len(self._owner(subname)) > 253:
            return {"subname": ["This field combined with the domain name must not exceed 255 characters."]}
        return {}

    def _ttl(self, item):
        if "ttl" not in item or is_integer(item["ttl"], self.minimum_ttl, 86400):
            return {}
        if not is_integer(item["ttl"], -1 << 40, 1 << 40):
            return {"ttl": ["A valid integer is required."]}
        return {"ttl": [f"Ensure this value is greater than or equal to {self.minimum_ttl}."
                        if item["ttl"] < self.minimum_ttl else "Ensure this value is less than or equal to 86400."]}

    @staticmethod
    def _records(item, method):
        records = item.get("records")
        if "records" not in item:
            return {}
        if not isinstance(records, list) or not all(isinstance(record, str) for record in records):
            return {"records": ["Must be a list of strings."]}
        if not records and method == "POST":
            return {"records": ["This field must not be empty when using POST."]}
        if len(records) > 4091 or sum(map(len, records)) > 64000:
            return {"records": ["Ensure this field has no more than 4091 elements."]}
        return {}

    @staticmethod
    def _canonical(rtype, records):
        """The records in canonical form, None where one is no such record or there twice."""
        values = []
        for record in records:
            if rtype in ("A", "AAAA"):
                try:
                    address = ipaddress.ip_address(record if "%" not in record else "")
                except ValueError:
                    return None
                if address.version != (4 if rtype == "A" else 6):
                    return None
                record = str(address)
            values.append(record)
        return values if len(set(values)) == len(values) else None
