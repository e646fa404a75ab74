# SPDX-License-Identifier: Apache-2.0
"""One service as its vendor documents it: state, checks, faults. No sockets here; server.py calls serve().

A fake for the contract suite is a subclass of Fake with the class attributes below and `handle`. The rules of the house:
  * `handle(request)` runs under the fake's lock. It checks everything first (`violate` notes a breach, the reply is what the
    vendor answers), then changes the zone with put() and remove() only: these feed the real zone too.
  * Whatever else it remembers is named in `state`, so that a fault that must not apply can take it back.
  * It never waits and never reads a clock but self.clock().
"""
import base64
import collections
import copy
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import threading
import time
import urllib.parse

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?|\*", re.IGNORECASE)
# What may stand in a query or path as it is (RFC 3986 3.3, 3.4); everything else has to be percent-encoded.
_PLAIN = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")


class Headers:
    """Header fields of a request, by name whatever its case. `text[name]` fails where it came twice."""

    def __init__(self, fields):
        self.fields = fields

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


class Request:
    """One request as it came. `query` and `form` are lists of (name, value), decoded, duplicates kept, in order; `path` is
    raw, `segments` are its decoded parts. `faults` are what is wrong with the bytes themselves."""

    def __init__(self, method, target, headers, body=b"", host="", secure=True, size=0):
        self.method, self.target, self.headers, self.body = method, target, Headers(headers), body
        self.host, self.secure, self.size = host, secure, size or len(target) + len(body)
        self.path, mark, self.raw_query = target.partition("?")
        self.faults = [] if _PLAIN.fullmatch(target) else [f"not encoded: {target!r}"]
        if mark and not self.raw_query:
            self.faults.append("a question mark without a query")
        self.query = self._pairs(self.raw_query)
        self.segments = [urllib.parse.unquote(part, errors="replace") for part in self.path.split("/")[1:]]
        is_form = self.content_type == "application/x-www-form-urlencoded"
        self.form = self._pairs(body.decode("ascii", "replace")) if is_form else []

    @property
    def content_type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0].strip().lower()

    def _pairs(self, text):
        try:
            return urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
        except ValueError as fault:
            self.faults.append(f"{fault}: {text!r}")
            return []

    def values(self, name):
        return [value for key, value in self.query if key == name]

    def get(self, name, default=None):
        """The value of a parameter of the query; fields() says whether it may come twice."""
        return next(iter(self.values(name)), default)

    def json(self):
        """The body as strict JSON; ValueError where it is none (duplicate keys and NaN included)."""
        def unique(pairs):
            if len({key for key, _ in pairs}) != len(pairs):
                raise ValueError("duplicate key")
            return dict(pairs)

        def constant(name):
            raise ValueError(f"{name} is not JSON")
        return json.loads(self.body.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)

    def basic(self):
        """(user, password) of HTTP Basic, None where there is none or it is malformed."""
        values = self.headers.all("Authorization")
        scheme, _, text = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        if scheme.lower() != "basic":
            return None
        try:
            user, mark, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
        except ValueError:
            return None
        return (user, password) if mark else None

    def bearer(self, scheme="Bearer"):
        values = self.headers.all("Authorization")
        word, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        return token if word.lower() == scheme.lower() else None

    def __repr__(self):
        return f"{self.method} {self.host}{self.target} {self.body[:200]!r}"


class Response:
    """A reply. `body` is text, bytes, or anything else as JSON; `headers` are pairs."""

    def __init__(self, status=200, body="", headers=(), content_type=None):
        if not isinstance(body, (str, bytes)):
            body, content_type = json.dumps(body), content_type or "application/json"
        self.status, self.headers = status, list(headers)
        self.body = body.encode() if isinstance(body, str) else body
        self.content_type = content_type or "text/plain; charset=utf-8"

    def __repr__(self):
        return f"{self.status} {self.body[:200]!r}"


class Held:
    """In a script: the request is applied, and answered when the test sets `released`; `arrived` tells that it is there."""

    def __init__(self):
        self.arrived, self.released = threading.Event(), threading.Event()


HTML = ("<!DOCTYPE html>\n<html><head><title>Welcome</title></head>\n"
        "<body><h1>Welcome</h1>\n<p>good OK success 200</p></body></html>\n")

# Words of a script. The request is always checked; it changes the zone where `applies` says so.
FAULTS = {  # word: (applies, how the server sends it)
    "500": (False, "reply"), "503": (False, "reply"), "429": (False, "reply"), "denied": (False, "reply"),
    "html": (False, "reply"), "empty": (False, "reply"), "apply-html": (True, "reply"), "apply-500": (True, "reply"),
    "stall": (False, "stall"), "apply-stall": (True, "stall"), "cut": (False, "cut"), "apply-cut": (True, "cut"),
}


GRACE = 0.1  # seconds after a reply in which a request may have been on its way already
EARLY = 0.02  # seconds that nobody counts: a client measures from when it looked at its clock last


class Window:
    """At most `calls` in any `per` seconds for a key; over() counts a call and says whether it was one too many."""

    def __init__(self, calls, per):
        self.calls, self.per, self.times = calls, per, collections.defaultdict(collections.deque)

    def over(self, key, now):
        times = self.times[key]
        while times and times[0] <= now - self.per:
            times.popleft()
        times.append(now)
        return len(times) > self.calls


class Fake:
    name = ""  # provider id: name of the native or the template
    service = ""  # first column of the table of services
    hosts = ()  # host names that it serves
    source, read = "", ""  # the vendor's page and the day it was read
    documented = True  # False: no vendor page was found, the facts are what clients send
    plain_http = False  # True: the vendor has no HTTPS; else a login in clear is noted, whatever the vendor takes
    families = ("A", "AAAA")
    alone = None  # families that can be changed without harm to the other, where these are not all of `families`
    planned = False  # True: Muster has no provider for it yet
    ttl = 60  # what the service serves where a request does not say
    apex_is_a_host = True  # whether the zone itself can have addresses by this service
    takes_ttl = False  # True: a request says what is served; "made": only the one that makes the record does
    denies_a_host = False  # True: wrong credentials and a name that is not the account's are told in the same words
    deletes = True  # whether a name's addresses can be taken away
    state = ("records",)  # attributes that a fault which must not apply takes back
    calls_a_change = 1  # 2: what is there cannot be changed, only removed and made anew
    hosts_per_account = None  # 1: the credentials are those of one host, account() names it
    sets_given_address = True  # False: the service sets the address that the request comes from, whatever is asked
    zone = ""  # the account may change the names in it; default NAME.example

    def __init__(self):
        self.zone = type(self).zone or f"{self.name}.example"
        self.records = {}  # (name, rtype): (ttl, sorted values)
        self.violations = []  # (rule, detail)
        self.calls, self.lookups, self.bytes = 0, 0, 0
        # for the next writes, the next lookups: words of FAULTS, Response, Held, or what makes a Response of the request
        self.script, self.lookup_script = [], []
        self.bad = set()  # names that the service refuses, in its own way
        self.own_reply = None  # what the service itself made of the newest request
        self.retry_after = 2  # of a scripted 429 or 503, seconds; None sends none
        self.requests = collections.deque(maxlen=4096)
        self.clock = time.monotonic
        self.told, self.not_before = 0.0, 0.0  # when a Retry-After was sent, and until when
        self.limits_hold = True  # False: the vendor's rates are not held, for cases that are about something else
        self.publish = None  # given by the suite: takes [(name, rtype, ttl, values)], returns wait() -> fault or None
        self.changes = []  # of the request at hand, for publish
        self.lock = threading.RLock()
        self.seed = secrets.token_bytes(16)

    # ---- for the suite ----

    def account(self, hosts=()):
        """What a customer has: `username`, `password` (or token, key), `host_secrets` {host: secret} where each of `hosts` has
        its own, `options` {name: value}, `key` (a structured credential, a dict). Fresh for every fake, the same on each call."""
        raise NotImplementedError

    def host(self, label):
        """A name that the account may change; "@" is the zone itself."""
        return self.zone if label == "@" else f"{label}.{self.zone}"

    def values(self, name, rtype):
        return self.records.get((name.lower(), rtype), (0, []))[1]

    def take_away(self, name, rtype):
        """Somebody else removes it."""
        self.remove(name, rtype)

    def denial_is_of_a_host(self):
        """Whether denied() is said of one name, or of credentials and name together, so that others may go on."""
        return self.denies_a_host or "host_secrets" in self.account([self.host("www")])

    # ---- for the fakes ----

    def handle(self, request):
        raise NotImplementedError

    def claims(self, request):
        """Whether a request is for this fake, where several serve the same host."""
        return True

    def is_lookup(self, request):
        """Whether the request reads only: it is counted in `lookups`, and lookup_script is for it."""
        return False

    def denied(self, request):
        """The service's own way to refuse the credentials."""
        return Response(401, "Unauthorized")

    def limited(self, request):
        """The service's own way to say that there were too many requests."""
        return Response(429, "Too Many Requests")

    def outage(self, request, status):
        return Response(status, "Internal Server Error" if status == 500 else "Service Unavailable")

    def violate(self, rule, detail=""):
        self.violations.append((rule, str(detail)))

    def secret(self, purpose, alphabet="abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", length=24):
        """Text that is this fake's alone, the same for the same purpose."""
        data = b"".join(hmac.new(self.seed, f"{purpose}/{i}".encode(), hashlib.sha256).digest()
                        for i in range(length // 32 + 1))
        return "".join(alphabet[byte % len(alphabet)] for byte in data[:length])

    def password(self, purpose="password"):
        """A password with the characters that unencoded text would break on."""
        return self.secret(purpose, length=16) + "+&=%2F#:/ ?"

    def put(self, name, rtype, values, ttl=None):
        """The RRset from now on; returns whether that changes anything. No values: removed."""
        key = (name.lower().rstrip("."), rtype)
        entry = (self.ttl if ttl is None else ttl, sorted(values)) if values else None
        if self.records.get(key) == entry:
            return False
        if entry is None:
            del self.records[key]
        else:
            self.records[key] = entry
        self.changes.append((*key, *(entry or (0, []))))
        return True

    def note(self, name, rtype, text):
        """The customer notes something beside an RRset that is there. False: the service has no place for that."""
        return False

    def noted(self, name, rtype):
        return None

    def fill(self, sets):
        """Many RRsets at once, for benchmarks: [(name, rtype, values, ttl)] that were there before."""
        for name, rtype, values, ttl in sets:
            self.put(name, rtype, values, ttl)

    def remove(self, name, rtype):
        return self.put(name, rtype, ())

    def fields(self, pairs, required, optional=()):
        """Whether the parameters are exactly the documented ones, each once."""
        names = [name for name, _ in pairs]
        before = len(self.violations)
        for name in sorted(set(names)):
            if names.count(name) > 1:
                self.violate("parameter-twice", name)
            if name not in required and name not in optional:
                self.violate("unknown-parameter", name)
        for name in required:
            if name not in names:
                self.violate("missing-parameter", name)
        return len(self.violations) == before

    def common(self, request):
        """What holds for every request to every service; True where nothing is wrong."""
        before = len(self.violations)
        for fault in request.faults:
            self.violate("malformed", fault)
        if not request.secure and not self.plain_http:
            self.violate("plain-http", request.host)
        if not request.headers.get("User-Agent"):
            self.violate("no-user-agent")
        if request.method == "GET" and request.body:
            self.violate("body-in-get")
        return len(self.violations) == before

    # ---- for the server ----

    def serve(self, request):
        """(Response, how, waiter): how is reply, stall, cut or a Held; waiter() returns when the zone has the change."""
        with self.lock:
            self.requests.append(request)
            self.bytes += request.size
            lookup = self.is_lookup(request)
            if lookup:
                self.lookups += 1
            else:
                self.calls += 1
            script = self.lookup_script if lookup else self.script
            word = script.pop(0) if script else None
            applies, how = FAULTS[word] if isinstance(word, str) else (word is None or isinstance(word, Held), "reply")
            kept = None if applies else {name: copy.deepcopy(getattr(self, name)) for name in self.state}
            self.changes = []
            if self.told + GRACE < self.clock() < self.not_before - EARLY:
                self.violate("before-retry-after", f"{self.not_before - self.clock():.2f} s")
            self.common(request)
            response = self.handle(request)
            if kept is not None:
                for name, value in kept.items():
                    setattr(self, name, value)
                self.changes = []
            waiter = self.publish(self.changes) if self.publish and self.changes else None
            self.own_reply = response
            response, how = self._instead(word, how, request, response)
            if how in ("stall", "cut"):
                self.lost(request)
            else:
                self._wait(response)
                self.answered(request, response)
            return response, how, waiter

    def _wait(self, response):
        for name, value in response.headers:
            if name.lower() == "retry-after" and value.isdigit():
                self.told = self.clock()
                self.not_before = self.told + int(value)

    def answered(self, request, response):
        """Called with what the client is told; it may be nothing of what handle() said."""

    def lost(self, request):
        """Called when the client does not learn what came of a request."""

    def _instead(self, word, how, request, response):
        if isinstance(word, Held):
            return response, word
        if isinstance(word, Response):
            return word, how
        if callable(word):
            return word(request), how
        if word in ("html", "apply-html"):
            return Response(200, HTML, content_type="text/html; charset=utf-8"), how
        if word == "empty":
            return Response(200, ""), how
        if word == "denied":
            return self.denied(request), how
        if word in ("500", "apply-500"):
            return self.outage(request, 500), how
        if word in ("429", "503"):
            response = self.limited(request) if word == "429" else self.outage(request, 503)
            if self.retry_after is not None:
                response.headers.append(("Retry-After", str(self.retry_after)))
        return response, how


def is_name(text, labels=2):
    """Whether it is a host name of so many labels or more, as a user would write it, without the last dot."""
    parts = text.split(".")
    return len(text) <= 253 and len(parts) >= labels and all(LABEL.fullmatch(part) for part in parts)


def family(text):
    """"A", "AAAA", or None where it is no address as the standards write it (RFC 4291 2.2, no zone, no prefix)."""
    try:
        return "A" if ipaddress.ip_address(text).version == 4 else "AAAA" if "%" not in text else None
    except ValueError:
        return None


def below(name, zone):
    """Whether the name is the zone's own or below it."""
    return f".{name.lower()}".endswith(f".{zone.lower()}")
