# SPDX-License-Identifier: Apache-2.0
"""Vercel's REST API, DNS records of a domain. Sources, read 2026-11-23:
  vercel.com/docs/rest-api/dns and its four pages (paths, parameters, bodies, ttl, replies; the list is v5 there, v4 on
    vercel.com/docs/rest-api/endpoints/dns, both are served)
  github.com/vercel/sdk 426eb4b src/models/{getrecords,createrecord,updaterecord,removerecord}op.ts, pagination.ts,
    src/funcs/dns*.ts (members and their types, which statuses there are)
  vercel.com/docs/rest-api/errors (codes of errors, what a 429 says), vercel.com/docs/cli/dns (20 a page, at most 100)
  github.com/vercel/terraform-provider-vercel c8a6711 client/{request,pagination}.go (Retry-After, until is next)
  github.com/vercel/vercel packages/cli/src/util/dns/add-dns-record.ts (400, 403, 404, 409 with oldId)
Not on a vendor's page that was found, but seen by users (DNSControl, documentation/provider/vercel.md, 5063e32): 100
creations an hour and 50 changes a minute, each a limit of its own; the headers of a limit; that a record keeps its
type; the records of the system."""
import math
import time

from .api_simple import Ids
from .base import Response, Window
from .json_simple import Rest, Wrong

TEAM = ("teamId", "slug")
COMMENT = 500  # characters
JSON = "application/json; charset=utf-8"
SYSTEM = (("", "CAA", '0 issue "letsencrypt.org"'), ("*", "ALIAS", "cname.vercel-dns.com."))


class Vercel(Ids, Rest):
    """A record is one address, its id is text. The list is newest first; `next` of a page is `until` of the following.
    What the list shows of a record and what a change answers are not the same members."""
    name, service, hosts = "vercel", "Vercel", ("api.vercel.com",)
    source, ttl, ttl_range = "https://vercel.com/docs/rest-api/dns", 60, (60, 2 ** 31 - 1)
    state = (*Ids.state, "notes", "stamp")

    def __init__(self):
        super().__init__()
        self.wall = time.time  # for the times of records and of limits
        self.windows = {"create": Window(100, 3600), "update": Window(50, 60)}
        self.team = None  # {"teamId": id, "slug": slug}: the domain is this team's, every request has to say so
        self.notes, self.stamp = {}, 0  # notes: {id: (created, updated, comment)}
        self.others = {}  # records that the client may not touch: {id: (label, rtype, value, creator, created)}
        for row in SYSTEM:
            self.add_other(*row, creator="system")

    # ---- for the suite ----

    def account(self, hosts=()):
        return {"password": self.secret("token", length=24)}

    def add_other(self, label, rtype, value, creator="user"):
        """A record that is not the client's, of any type. Returns its id."""
        number = f"rec_{self.secret(f'other/{len(self.others)}')}"
        self.others[number] = (label, rtype, value, creator, self.now())
        return number

    def now(self):
        """Milliseconds, never the same twice: pages are cut at them."""
        self.stamp = max(self.stamp + 1, int(self.wall() * 1000))
        return self.stamp

    # ---- replies ----

    def error(self, status, code, message, **more):
        return Response(status, {"error": {"code": code, "message": message, **more}}, content_type=JSON)

    def fault(self, status, text):
        codes = {400: "bad_request", 403: "forbidden", 404: "not_found"}
        return self.error(status, codes[status], text)

    def ok(self, body):
        return Response(200, body, content_type=JSON)

    def denied(self, request):
        if not request.headers.get("Authorization"):
            return self.error(401, "forbidden", "The request is missing an authentication token", missingToken=True)
        return self.error(403, "forbidden", "Not authorized", invalidToken=True)

    def outage(self, request, status):
        return self.error(status, "internal_server_error", "An unexpected internal error occurred")

    def limited(self, request, kind="update", seconds=None):
        """Without Retry-After: who knows it adds it."""
        seconds = (self.retry_after or 2) if seconds is None else seconds
        total, reset = self.windows[kind].calls, self.wall() + seconds
        again = f"Try again in {math.ceil(seconds)} seconds"
        limit = {"remaining": 0, "reset": math.ceil(reset), "resetMs": int(reset * 1000), "total": total}
        text = f"The rate limit of {total} exceeded for 'domain-record-{kind}'. {again}"
        reply = self.error(429, "rate_limited", text, limit=limit)
        reply.headers += self.rate_headers(total, 0, reset)
        return reply

    @staticmethod
    def rate_headers(total, left, reset):
        return [("X-RateLimit-Limit", str(total)), ("X-RateLimit-Remaining", str(left)),
                ("X-RateLimit-Reset", str(math.ceil(reset)))]

    def missing(self, number):
        if number in self.others:
            self.violate("foreign-record", number)
            return self.fault(403, "You don't have permission to change this record.")
        self.violate("record-id", number)
        return self.fault(404, f"Could not find the record: {number}")

    def conflict(self, number, rtype, label, value):
        text = f'Existing record ("{number}") conflict with attempted "{label}" {rtype} "{value}" creation.'
        return self.error(409, "record_conflicts", text, oldId=number)

    # ---- what is asked ----

    def operation(self, method, path):
        """(kind, domain, id), None where there is no such call. A version is part of a call."""
        if path[1:2] != ["domains"]:
            return None
        kinds = {("v4", "GET"): "list", ("v5", "GET"): "list", ("v2", "POST"): "create"}
        if len(path) == 4 and path[3] == "records" and (path[0], method) in kinds:
            return kinds[(path[0], method)], path[2], None
        if len(path) == 4 and (path[0], path[2], method) == ("v1", "records", "PATCH"):
            return "update", None, path[3]
        if len(path) == 5 and (path[0], path[3], method) == ("v2", "records", "DELETE"):
            return "delete", path[2], path[4]
        return None

    def call(self, request, path):
        asked = self.operation(request.method, path)
        if asked is None:
            return self.lost_path(request)
        kind, domain, number = asked
        window, now = self.windows.get(kind) if self.limits_hold else None, self.clock()
        if window and window.over("account", now):
            self.violate("rate", f"{kind}: more than {window.calls} in {window.per} s")
            seconds = self.frees(window, now)
            reply = self.limited(request, kind, seconds)
            reply.headers.append(("Retry-After", str(math.ceil(seconds))))
            return reply
        try:
            reply = self.judged(request, kind, domain, number)
        except Wrong as fault:
            self.violate("body", fault)
            reply = self.fault(400, f"Invalid request: {fault}")
        if window:
            times = window.times["account"]
            left, seconds = window.calls - len(times), times[0] + window.per - now
            reply.headers += self.rate_headers(window.calls, left, self.wall() + seconds)
        return reply

    @staticmethod
    def frees(window, now):
        """Seconds until the window takes a call again; the refused ones count as well."""
        times = window.times["account"]
        return times[len(times) - window.calls] + window.per - now

    def judged(self, request, kind, domain, number):
        if not self.fields(request.query, (), TEAM if kind != "list" else (*TEAM, "limit", "since", "until")):
            return self.fault(400, "Invalid request: query")
        given = {name: value for name, value in request.query if name in TEAM}
        if any((self.team or {}).get(name) != value for name, value in given.items()):
            self.violate("unknown-team", given)
            return self.fault(403, "You don't have permission to access this team.")
        what = f"record: {number}" if domain is None else f"domain: {domain}"
        if self.team is not None and not given:
            self.violate("missing-team", request.path)
            return self.fault(404, f"Could not find the {what}")
        if domain is not None and domain.lower() != self.zone:
            self.violate("unknown-zone", domain)
            return self.fault(404, f"Could not find the {what}")
        if number is not None and number not in self.rows:
            return self.missing(number)
        return getattr(self, f"do_{kind}")(request, number)

    # ---- the four calls ----

    def numeric(self, request, name, low, high, default):
        text = request.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise Wrong(f"{name}={text}")
        return int(text)

    def listed(self, label, rtype, value, creator, note, ttl):
        """What the list says of a record."""
        created, updated, comment = note
        more = {key: given for key, given in (("ttl", ttl), ("comment", comment)) if given is not None}
        return {"slug": "", "name": label, "type": rtype, "value": value, "creator": creator, "created": created,
                "updated": updated, "createdAt": created, "updatedAt": updated, **more}

    def do_list(self, request, _):
        size, until = self.numeric(request, "limit", 1, 100, 20), self.numeric(request, "until", 0, 2 ** 53, math.inf)
        since = self.numeric(request, "since", 0, 2 ** 53, -1)
        found = [{"id": number, **self.listed(label, rtype, value, creator, (created, None, None), None)}
                 for number, (label, rtype, value, creator, created) in self.others.items()]
        found += [{"id": number, **self.listed(self.label_of(name, ""), rtype, value, "user", self.notes[number], ttl)}
                  for number, (name, rtype, value, ttl) in self.rows.items()]
        found = sorted((row for row in found if since < row["created"] < until), key=lambda row: -row["created"])
        page = found[:size]
        pages = {"count": len(page), "next": page[-1]["created"] if len(found) > size else None,
                 "prev": page[0]["created"] if page else None}
        return self.ok({"records": page, "pagination": pages})

    def named(self, label):
        """The name of a label, None where it is not the account's."""
        name = self.name_of(label, "").lower()
        return name if self.known(name) else None

    def taken(self, row, but=None):
        """The reply where a record stands against this one, else None."""
        label = self.label_of(row[0], "")
        same = (number for number, other in self.rows.items() if other[:3] == row[:3] and number != but)
        alias = (number for number, (other, rtype, *_) in self.others.items() if (other, rtype) == (label, "CNAME"))
        number = next(same, None) or next(alias, None)
        return self.conflict(number, row[1], label, row[2]) if number else None

    @staticmethod
    def comment_of(body, default=None):
        if len(body.get("comment", "")) > COMMENT:
            raise Wrong("comment")
        return body.get("comment", default)

    def do_create(self, request, _):
        body = self.shape(self.body(request), {"name": str, "type": str, "value": str}, {"ttl": int, "comment": str})
        if body["type"] not in self.families:
            raise Wrong(f"type {body['type']}")
        value, ttl = self.value(body["value"], body["type"]), self.ttl_of(body.get("ttl"))
        comment = self.comment_of(body)
        name = self.named(body["name"])
        if name is None:
            return self.fault(400, "Invalid name")
        row = (name, body["type"], value, ttl)
        if (reply := self.taken(row)) is not None:
            return reply
        return self.ok({"uid": self.add(*row, comment)})

    def add(self, name, rtype, value, ttl, comment=None):
        self.last += 1
        number = f"rec_{self.secret(f'record/{self.last}')}"
        self.rows[number], self.notes[number] = (name, rtype, value, ttl), (self.now(), None, comment)
        self.show(name, rtype)
        return number

    def do_update(self, request, number):
        """null is the same as nothing. The type may be said, not changed."""
        empty = type(None)
        kinds = {"name": (str, empty), "value": (str, empty), "type": (str, empty), "ttl": (int, empty), "comment": str}
        body = {key: value for key, value in self.shape(self.body(request), {}, kinds).items() if value is not None}
        if not body:
            raise Wrong("nothing to change")
        old, rtype, value, ttl = self.rows[number]
        if body.get("type", rtype) != rtype:
            raise Wrong(f"type {body['type']} of a record {rtype}")
        value = self.value(body.get("value", value), rtype)
        ttl, comment = self.ttl_of(body.get("ttl", ttl)), self.comment_of(body, self.notes[number][2])
        name = self.named(body["name"] if "name" in body else self.label_of(old, ""))
        if name is None:
            return self.fault(400, "Invalid name")
        if (reply := self.taken((name, rtype, value, ttl), number)) is not None:
            return reply
        self.change(number, name, rtype, value, ttl)
        self.notes[number] = (self.notes[number][0], self.now(), comment)
        record = {"id": number, "name": self.label_of(name, ""), "type": "record", "value": value, "creator": "user",
                  "domain": self.zone, "ttl": ttl, "recordType": rtype, "createdAt": self.notes[number][0]}
        more = {} if comment is None else {"comment": comment}
        return self.ok({**record, **more})

    def do_delete(self, request, number):
        self.drop(number)
        del self.notes[number]
        return self.ok({})
