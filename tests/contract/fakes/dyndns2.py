# SPDX-License-Identifier: Apache-2.0
"""The dyndns2 protocol as its inventor wrote it down (https://help.dyn.com/remote-access-api/perform-update, /return-codes,
/policies; read 2026-11-23), one strict class; a service is a subclass or a row (d2_services.py) that says where it differs.

Beside each request it judges what a client does over time, in `violations`:
  resend-unchanged  an address that it was told is set (good, nochg), before `refresh` seconds are over
  sent-after-CODE   anything after badauth, badagent (account), nohost, abuse, notfqdn, !yours ... (host), until cleared() or
                    other credentials
  before-wait       anything within the wait of 911, dnserr, wNNh/m/s, or of the service's own codes
  resent-applied    what the zone has already, after an answer that told nothing: a client looks there first
  too-often         over a documented rate
`nochg` counts that answer by host; refuse(CODE) makes the service's own answer for a script."""
import collections
import ipaddress
import re

from .base import GRACE, Fake, Response, Window, below, family, is_name

# "a well-formed user agent that includes company name, model number, and software build revision"
AGENT = re.compile(r"[A-Za-z][^\r\n]*[ /-]v?\d+(\.\d+)+.*")
STOPS_ACCOUNT = {"badauth", "badagent", "badsys"}
STOPS_HOST = {"nohost", "notfqdn", "nofqdn", "abuse", "!yours", "!active", "!donator", "numhost"}
MX = {"mx": r"NOCHG|[A-Za-z0-9.-]+", "backmx": r"YES|NO|NOCHG"}
CLASSIC = {"wildcard": r"ON|OFF|NOCHG", **MX, "offline": r"YES|NO|NOCHG"}
_WAIT = re.compile(r"w(\d\d?)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


class Asked:
    """What a request asks for: `hosts` in order; `values` by type, "keep", "delete", an address, or None where it says nothing."""

    def __init__(self, hosts, values, login, code=None, delete=False):
        self.hosts, self.values, self.login, self.code, self.delete = hosts, values, login, code, delete

    def explicit(self):
        return {rtype: value for rtype, value in self.values.items() if value not in (None, "keep", "delete")}


class D2(Fake):
    paths = ("/nic/update",)
    host_field = "hostname"  # None: the login is that of one host
    v4_field, v6_field = "myip", None  # no v6_field: both families in v4_field
    listed = False  # one field may hold "v4,v6"
    paired = False  # both fields may be there at once
    keep_word = None  # leaves a family as it is, in its field
    omitted = ("keeps", "keeps")  # what becomes of A, of AAAA, that the request does not name: keeps, deletes, detects
    methods = ("GET",)
    fixed = {}  # parameters that must be there with just this value
    extra = {}  # further parameters: name -> form of the value
    auth = ("basic",)  # "basic", ("user field", "password field") in the query
    login = "account"  # account | host: user is the host's name, password the host's own
    max_hosts = 20
    agent = AGENT
    words = {}  # code -> (status, body) where it is not 200 and the code
    refuses_unknown = "nohost"  # code for a name that is not in the account
    one_answer = False  # one line for the whole request
    echoes = True  # good and nochg are followed by the address
    rates = ()  # (calls, seconds, "host" | "account", code)
    waits = {"911": 600, "dnserr": 600}  # seconds before the next request of the account
    refresh = 20 * 86400
    deletes = False
    own_words = False  # True: the service answers in words of its own, `words` has those that mean a code
    means = {}  # code -> account, host, wait, or request (what was sent), where its page means another than the protocol
    client_address = {"A": "127.0.0.1"}  # what the service detects

    def __init__(self):
        super().__init__()
        if self.host_field is None:
            self.hosts_per_account = 1
        self.nochg = collections.Counter()
        self.windows = [(Window(calls, per), of, code) for calls, per, of, code in self.rates]
        self.set_at = {}  # (host, rtype): (address, when) that the client was told is set
        self.stops = {}  # ("account", login) or ("host", name): (code, when)
        self.holds = {}  # the same: (until, when)
        self.unsettled = {}  # (host, rtype): address of a request whose fate the client does not know
        self.bound = self.host("dyn")  # where the login is that of one host

    # ---- for the suite ----

    def account(self, hosts=()):
        if self.login == "host":
            return {"host_secrets": {host: self.password(host.lower()) for host in hosts}}
        if hosts and self.host_field is None:
            self.bound = hosts[0]
        return {"username": self.username(), "password": self.password()}

    def username(self):
        return "fleet@example.org"

    def cleared(self, host=None):
        """A person has put it right: of one host, or everything."""
        self.stops = {key: stop for key, stop in self.stops.items() if host and key != ("host", host)}
        self.holds = {key: hold for key, hold in self.holds.items() if host and key != ("host", host)}

    def forget(self):
        """The client starts anew, without what it knew."""
        self.set_at, self.unsettled = {}, {}

    # ---- reading a request ----

    def logins(self, request):
        """Every login that the request carries where one may be; [] where there is none."""
        found = [request.basic()] if "basic" in self.auth and request.basic() else []
        for pair in self.auth:
            if pair != "basic" and all(request.get(name) is not None for name in pair):
                found.append((request.get(pair[0]), request.get(pair[1])))
        return found

    def right(self, login, hosts):
        if self.login == "account":
            return login == (self.username(), self.password())
        return len(hosts) == 1 and login == (hosts[0], self.password(hosts[0].lower()))

    def check_login(self, request, hosts):
        """(login, code)"""
        logins = self.logins(request)
        if "basic" not in self.auth and request.headers.get("Authorization"):
            self.violate("login-not-documented", "Authorization")
        if len(logins) != 1:
            self.violate("login", f"{len(logins)} of {self.auth}")
            return None, "badauth"
        return logins[0], None if self.right(logins[0], hosts) else "badauth"

    def known_fields(self):
        fields = {field for field, _ in self.value_fields(None)} | set(self.extra)
        for pair in self.auth:
            fields |= set(pair) if pair != "basic" else set()
        return fields

    def check_fields(self, request):
        required = set(self.fixed) | ({self.host_field} if self.host_field else set())
        self.fields(request.query, required, self.known_fields())
        for name, form in {**self.extra, **{name: re.escape(value) for name, value in self.fixed.items()}}.items():
            for value in request.values(name):
                if not re.fullmatch(form, value):
                    self.violate("value", f"{name}={value}")

    def check_hosts(self, request):
        """(hosts, code of the first fault of the whole request)"""
        if self.host_field is None:  # the login says which host it is
            if request.get("hostname", self.bound) not in (self.bound, "1"):
                self.violate("not-the-host-of-the-login", request.get("hostname"))
            return [self.bound], None
        given = request.get(self.host_field)
        if given is None:
            return [], "notfqdn"
        hosts = given.split(",")
        if len(hosts) > self.max_hosts:
            self.violate("numhost", len(hosts))
            return hosts, "numhost"
        if len({host.lower() for host in hosts}) != len(hosts):
            self.violate("host-twice", given)
        return hosts, None

    def read_values(self, request):
        """Addresses by type. Notes what no client should send."""
        values = {"A": None, "AAAA": None}
        for field, types in self.value_fields(request):
            text = request.get(field)
            if text is None:
                continue
            if text in (self.keep_word, ""):
                for rtype in types:
                    values[rtype] = "keep" if text else self.emptied(field)
                continue
            parts = text.split(",")
            if len(parts) > 1 and not self.listed:
                self.violate("several-addresses", f"{field}={text}")
            for part in parts:
                rtype = family(part)
                if rtype not in types or values[rtype] is not None:
                    self.violate("address", f"{field}={text}")
                else:
                    values[rtype] = str(ipaddress.ip_address(part))
        if self.v6_field and not self.paired and all(values.values()):
            self.violate("several-addresses", request.raw_query)
        if not any(values.values()) and self.sets_given_address:
            self.violate("no-address", request.raw_query)
        return values

    def value_fields(self, request):
        """(field, types that it may hold)"""
        if self.v6_field is None:
            return [(self.v4_field, self.families)]
        return [(self.v4_field, ("A",)), (self.v6_field, ("AAAA",))]

    def emptied(self, field):
        self.violate("empty-parameter", field)
        return None

    def parse(self, request):
        if request.method not in self.methods:
            self.violate("method", request.method)
        if request.path not in self.paths:
            self.violate("path", request.path)
        if not self.agent.fullmatch(request.headers.get("User-Agent") or ""):
            self.violate("user-agent", request.headers.get("User-Agent"))
        self.check_fields(request)
        hosts, code = self.check_hosts(request)
        login, wrong = self.check_login(request, hosts)
        values = self.read_values(request)
        return Asked(hosts, values, login, wrong or code)

    # ---- what a client may do over time ----

    def judge(self, asked):
        now = self.clock()
        for key in [("account", asked.login), *(("host", host.lower()) for host in asked.hosts)]:
            code, since, *login = self.stops.get(key, (None, now))
            if since + GRACE < now and not (code in STOPS_ACCOUNT and login and login[0] != asked.login):
                self.violate(f"sent-after-{code}", key[1] if key[0] == "host" else "account")
            until, since = self.holds.get(key, (0, 0))
            if since + GRACE < now < until:
                self.violate("before-wait", f"{key[0]}, {until - now:.1f} s")
        for host in asked.hosts:
            wanted = {(host.lower(), rtype): value for rtype, value in asked.explicit().items()}
            if wanted and all(self.is_told(key, value, now) for key, value in wanted.items()):
                self.violate("resend-unchanged", f"{host} {list(wanted.values())}")
            for key, value in wanted.items():
                if self.publish and self.unsettled.get(key) == value and self.records.get(key, (0, []))[1] == [value]:
                    self.violate("resent-applied", f"{host} {value}")

    def is_told(self, key, value, now):
        address, when = self.set_at.get(key, (None, 0))
        return address == value and when + self.refresh > now

    def too_often(self, asked):
        """The code of the first documented rate that this request breaks."""
        if not self.limits_hold:
            return None
        for window, of, code in self.windows:
            for key in ["account"] if of == "account" else [host.lower() for host in asked.hosts]:
                if window.over(key, self.clock()):
                    self.violate("too-often", f"{of}: more than {window.calls} in {window.per} s")
                    return code
        return None

    # ---- the service ----

    def handle(self, request):
        asked = request.asked = self.parse(request)
        self.judge(asked)
        code = asked.code or self.too_often(asked)
        if code:
            return self.refuse(code)
        refusals = [self.refusal(host) for host in asked.hosts]
        if self.one_answer and any(refusals):  # all or nothing
            return self.refuse(next(filter(None, refusals)))
        return self.reply(asked, [refusal or self.update(host, asked) for host, refusal in zip(asked.hosts, refusals)])

    def refusal(self, host):
        """The code of a host that the account may not change, None where it may."""
        if not is_name(host):
            self.violate("notfqdn", host)
            return "notfqdn"
        if host.lower() in {name.lower() for name in self.bad} or not below(host, self.zone):
            return self.refuses_unknown
        return None

    def update(self, host, asked):
        """The code for one host; applies what is asked."""
        values = dict(asked.values)
        for rtype, rule in zip(("A", "AAAA"), self.omitted):
            if values[rtype] is None and rtype in self.families and not asked.delete:
                detected = self.client_address.get(rtype, "delete")
                values[rtype] = {"keeps": "keep", "deletes": "delete", "detects": detected}.get(rule, rule)
        changed = [self.put(host, rtype, [] if value == "delete" else [value])
                   for rtype, value in values.items() if value not in (None, "keep")]
        return "good" if any(changed) else "nochg"

    def word(self, code, asked=None):
        """(status, line)"""
        if code in self.words:
            return self.words[code]
        addresses = ",".join((asked.explicit() or self.client_address).values()) if asked and self.echoes else ""
        return 200, f"{code} {addresses}".strip() if code in ("good", "nochg") else code

    def refuse(self, code):
        status, line = self.word(code)
        return Response(status, line + "\n" if line else "")

    def limited(self, request):
        return self.refuse("toomanyrequests") if "toomanyrequests" in self.words else super().limited(request)

    def reply(self, asked, codes):
        if self.one_answer:
            codes = ["good" if "good" in codes else "nochg"]
        words = [self.word(code, asked) for code in codes]
        return Response(max(status for status, _ in words), "".join(line + "\n" for _, line in words if line))

    def denied(self, request):
        return self.refuse("badauth")

    # ---- what the client was told ----

    def codes(self, response, asked):
        """The code for each host that a client reads out of a reply; None where it tells nothing. Works for scripted ones too."""
        lines = response.body.decode("utf-8", "replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        own = {line: code for code, (_, line) in self.words.items() if line}
        found = [own.get(line) or line.split()[0] for line in lines]
        if lines == ["good 127.0.0.1"] and "127.0.0.1" not in asked.values.values() and self.sets_given_address:
            found = ["badagent"]
        if response.status >= 500 or "<" in "".join(lines[:1]):
            found = [code for code in found if code in self.waits]
        if len(found) == 1 and (self.one_answer or len(asked.hosts) == 1 or found[0] not in ("good", "nochg")):
            return found * len(asked.hosts)
        return found if len(found) == len(asked.hosts) else [None] * len(asked.hosts)

    def answered(self, request, response):
        asked, now = request.asked, self.clock()
        for host, code in zip(asked.hosts, self.codes(response, asked)):
            name, wait = host.lower(), _WAIT.fullmatch(code or "")
            if code in ("good", "nochg"):
                self.nochg[name] += code == "nochg"
                for rtype, value in asked.explicit().items():
                    self.set_at[name, rtype] = (value, now)
                    self.unsettled.pop((name, rtype), None)
            elif code in STOPS_ACCOUNT and code != self.refuses_unknown:  # else it may be about the name
                self.stops.setdefault(("account", asked.login), (code, now))
            elif code in (*STOPS_HOST, self.refuses_unknown) and self.one_answer and len(asked.hosts) > 1:
                self.unknown(host, asked)  # one of them: a client has to look for it
            elif code in (*STOPS_HOST, self.refuses_unknown):
                self.stops.setdefault(("host", name), (code, now, asked.login))
            elif wait:
                self.holds["host", name] = (now + int(wait[1]) * _SECONDS[wait[2]], now)
            elif code in self.waits:
                self.holds["account", asked.login] = (now + self.waits[code], now)
            else:
                self.unknown(host, asked)

    def unknown(self, host, asked):
        for rtype, value in asked.explicit().items():
            self.unsettled[host.lower(), rtype] = value
            self.set_at.pop((host.lower(), rtype), None)

    def lost(self, request):
        for host in request.asked.hosts:
            self.unknown(host, request.asked)
