# SPDX-License-Identifier: Apache-2.0
"""What the fakes of the simple services share: credentials and addresses in the parameters of one request, hosts by name,
an interval and a rate, and the words for what becomes of a host. A service is a row of class attributes and `answer`.
Where a test has no time for what a page asks for, it sets `interval` of the fake to 0 or gives it a `clock` of its own."""
from .base import Fake, Response, Window, below, family, is_name

# What a service that takes the address of the connection would publish: the coordinator's own, so never what was wanted.
DETECTED = {"A": "198.51.100.254", "AAAA": "2001:db8:ffff::254"}
READ = "2026-11-23"


class Simple(Fake):
    read = READ
    deletes = False
    interval = 0  # seconds between two changes of one host, as documented
    rate = None  # (calls, seconds) for the account, as documented
    state = ("records", "changed")

    def __init__(self):
        super().__init__()
        self.changed, self.stops = {}, set()
        self.window = Window(*self.rate) if self.rate else None

    def username(self):
        return self.secret("user", "abcdefghijkmnopqrstuvwxyz", 10) + "@example.org"

    def host_secret(self, host):
        return self.secret(f"host/{host.lower()}")

    def stopped(self, what):
        """A reply after which the same must not be asked again; False, so that a check can return it."""
        if what in self.stops:
            self.violate("resend-after-stop", what)
        self.stops.add(what)
        return False

    def credentials(self, good, what):
        if good:
            return True
        self.violate("wrong-credentials")
        return self.stopped(("credentials", what))

    def over(self):
        if self.window is None or not self.window.over("account", self.clock()):
            return False
        self.violate("rate", f"more than {self.window.calls} in {self.window.per} s")
        return True

    def known(self, name, alone=True):
        """Whether the account may change the name; the suite's bad names are no breach of the client's. A refused name may
        come again among others (`alone` is False then): the client may be looking for the one that the service meant."""
        if is_name(name, 1) and below(name, self.zone) and name.lower() not in self.bad:
            return True
        if name.lower() not in self.bad:
            self.violate("unknown-host", name)
        return alone and self.stopped(("host", name.lower()))

    def early(self, name):
        if not self.interval or self.clock() - self.changed.get(name.lower(), -self.interval) >= self.interval:
            return False
        self.violate("too-often", f"{name}: before {self.interval} s")
        return True

    def address(self, text, rtypes):
        """The family of an address that may be of `rtypes`, None with a breach noted."""
        found = family(text)
        if found not in rtypes:
            self.violate("bad-address", text)
            return None
        return found

    def detect(self, rtype, why):
        self.violate("address-of-connection", why)
        return DETECTED[rtype]

    def update(self, name, wanted, ttl=None):
        """Sets {rtype: address} and says whether anything changed."""
        changed = [self.put(name, rtype, [address], ttl) for rtype, address in wanted.items()]
        if any(changed):
            self.changed[name.lower()] = self.clock()
        return any(changed)

    def outcomes(self, names, wanted, ttl=None, together=True):
        """[(name, what becomes of it)]: unknown, early, good or nochg. `together`: one that is refused refuses them all."""
        found = {}
        for name in names:
            found[name] = "unknown" if not self.known(name, len(names) == 1) else "early" if self.early(name) else ""
        refused = [word for word in found.values() if word]
        for name in names:
            if not found[name] and not (refused and together):
                found[name] = "good" if self.update(name, wanted, ttl) else "nochg"
        return [(name, found[name] or "skipped") for name in names]


class Get(Simple):
    """A GET (or POST of a form) with everything in parameters."""
    methods = ("GET",)
    path = "/"  # or several, in a tuple
    host_param, domain_param, apex = "hostname", None, "@"  # domain_param: the host is relative to it
    many = 1  # hosts in one request, separated by commas
    addresses = {"ip": ("A",)}  # parameter: the families that it takes
    optional, fixed = (), {}  # parameters that may be there; that must be there with this value
    user_param, secret_param, basic = None, None, False
    per_host = False  # each host has a secret of its own
    together = True  # one host that is refused refuses the request

    def account(self, hosts=()):
        if self.per_host:
            return {"host_secrets": {host: self.host_secret(host) for host in hosts or [self.host("@")]}}
        login = {"username": self.username()} if self.user_param or self.basic else {}
        return {**login, "password": self.key()}

    def key(self):
        """The account's password; a service whose keys are plain text of its own making has secret() here."""
        return self.password() if self.user_param or self.basic else self.secret("key")

    def login(self, request, q, names):
        if self.per_host:
            return all(self.credentials(q[self.secret_param] == self.host_secret(name), name) for name in names)
        if self.basic:
            return self.credentials(request.basic() == (self.username(), self.key()), repr(request.basic()))
        found = (q.get(self.user_param), q[self.secret_param])
        wanted = (self.username() if self.user_param else None, self.key())
        return self.credentials(found == wanted, repr(found))

    def names(self, q):
        texts = q[self.host_param].split(",") if self.many > 1 else [q[self.host_param]]
        if self.domain_param:
            domain = q[self.domain_param]
            texts = [domain if text == self.apex else f"{text}.{domain}" for text in texts]
        if len(texts) > self.many:
            self.violate("too-many-hosts", len(texts))
        if len({text.lower() for text in texts}) != len(texts):
            self.violate("host-twice", ",".join(texts))
        return texts

    def params(self, request):
        """{name: value}, None with the breach noted where the request is not as documented."""
        before = len(self.violations)
        paths = (self.path,) if isinstance(self.path, str) else self.path
        if request.path not in paths:
            self.violate("path", request.path)
        if request.method not in self.methods:
            self.violate("method", request.method)
        if request.body and request.content_type != "application/x-www-form-urlencoded":
            self.violate("content-type", request.content_type)
        pairs = request.query + request.form
        login = [] if self.basic else [name for name in (self.user_param, self.secret_param) if name]
        host = [name for name in (self.host_param, self.domain_param) if name]
        self.fields(pairs, (*login, *host, *self.fixed), (*self.addresses, *self.optional))
        q = dict(pairs)
        for name, value in self.fixed.items():
            if q.get(name, value) != value:
                self.violate("parameter-value", f"{name}={q[name]}")
        return q if len(self.violations) == before else None

    def wanted(self, q):
        """{rtype: address} of the parameters, None where one is none; absent_() says what a missing one means."""
        found = {}
        for name, rtypes in self.addresses.items():
            if name not in q:
                continue
            rtype = self.address(q[name], rtypes)
            if rtype is None:
                return None
            found[rtype] = q[name]
        return found or {rtype: self.detect(rtype, "no address given") for rtype in self.families[:1]}

    def handle(self, request):
        q = self.params(request)
        if q is None:
            return self.malformed(request)
        names = self.names(q)
        if not self.login(request, q, names):
            return self.denied(request)
        if self.over():
            return self.limited(request)
        wanted = self.wanted(q)
        if wanted is None:
            return self.refused(request)
        return self.answer(q, self.outcomes(names, wanted, self.ttl_of(q), self.together), wanted)

    def ttl_of(self, q):
        """The TTL that the request asks for, None where it is the service's."""
        return None

    def answer(self, q, outcomes, wanted):
        raise NotImplementedError

    def malformed(self, request):
        return Response(400, "Bad Request")

    def refused(self, request):
        """The reply to an address that is none."""
        return self.malformed(request)


class Keyed(Get):
    """Each host has a key that says which host it is; the request names none."""
    per_host, host_param = True, None

    def __init__(self):
        super().__init__()
        self.keys = {}

    def account(self, hosts=()):
        found = super().account(hosts)
        self.keys.update({secret: host for host, secret in found["host_secrets"].items()})
        return found

    def names(self, q):
        host = self.keys.get(q[self.secret_param])
        return [host] if host else []

    def login(self, request, q, names):
        return bool(names) or self.credentials(False, q[self.secret_param])


def words(outcomes, table):
    """The reply of the first outcome that is an error, else of "good" if any host changed."""
    found = [word for _, word in outcomes]
    for word in ("unknown", "early", "good"):
        if word in found:
            return table[word]
    return table["nochg"]
