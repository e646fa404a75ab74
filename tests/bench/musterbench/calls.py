# SPDX-License-Identifier: Apache-2.0
"""calls: how many requests N changed addresses of one zone take at each service, A and then AAAA, beside the least number
that the service's documented limits allow (limits.py), and how long they take under its documented rates.

The real engine, with the account and the provider that a deployment has, changes records that were there before, at the
strict stand-ins of tests/contract/fakes, at pdns_server, knotd and named. Requests are counted where they arrive. Nobody
waits for rates: the account's `quota` lifts ours, the stand-ins do not hold theirs (but every other limit), and the time
under them is what the engine's own meters say of the same requests on a simulated clock (tests/contract/pace.c). It is held
against the least that limits.py reckons from the vendors' pages, and so is each documented rate by itself, with as many
requests as it takes for this rate to hold them up: meters that let them go sooner are `too_fast`.

What the zone holds afterwards is compared with what was asked: `lost` is an address that is not there, `wrong` one that
nobody asked for, anything that a stand-in has to complain of, and what is too fast."""
import collections
import importlib
import json
import re
import socket
import subprocess
import sys
import threading

from muster_testlib import build_dir, certs, dns, ports, source_dir
from muster_testlib.pdns import PowerDns
from muster_testlib.procs import DEADLINE, Workspace

from .limits import LIMITS, RATES, address, least_s
from .tools import ToolFailed

RTYPES = ("A", "AAAA")
BEFORE, AFTER = 0x0A000000, 0x0A800000  # 10.0.0.0 and 10.128.0.0: the addresses that were there, and those that are asked for
PATIENCE_S = 300
CLOCK_S = 0.001  # of the engine: what it says is right to so much
ZONE = "example.net"


def _contract(name):
    """A module of the contract suite, which is no package."""
    folder = str(source_dir() / "tests" / "contract")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def prepare():
    """Before the network is our own: the vendor's signer for Route 53 comes from npm once for a build tree."""
    _contract("fakes.sigv4").installed()


def _names(count, zone):
    return [f"n{i:06d}.{zone}" for i in range(count)]


class Fake:
    """A service's stand-in over HTTPS, whose requests are noted in order."""

    def __init__(self, work, pki, kind, plan=None):
        self.work, self.fake = work, kind()
        self.place = _contract("fakes.server").Server([self.fake], pki)
        self.zone, self.trace, self.plan = self.fake.zone, [], plan
        self.fake.limits_hold = False  # the rates; everything else is held
        self.fake.enlarge()
        if plan:
            self.fake.plan = plan
        self._serve, self.fake.serve = self.fake.serve, self._noted

    def _noted(self, request):
        with self.fake.lock:
            lookups = self.fake.lookups
            answer = self._serve(request)
            self.trace.append((self.fake.lookups > lookups, len(self.fake.changes), request.size))
            return answer

    def start(self, count):
        for rtype in RTYPES:
            self.fake.fill([(name, rtype, [address(rtype, BEFORE + i)], self.fake.ttl)
                            for i, name in enumerate(_names(count, self.zone))])
        self.place.start()

    def account(self):
        account, name = self.fake.account(), self.fake.name
        lines = {"provider": name, "connect_to": self.place.connect_to, "ca_file": str(self.place.ca)}
        if "password" in account:
            lines["password_file"] = str(self.work.write(f"{name}.password", account["password"], 0o600))
        if "key" in account:
            aws = "[default]\n" + "".join(f"{key} = {value}\n" for key, value in account["key"].items())
            text = aws if name == "route53" else json.dumps(account["key"])
            lines["key_file"] = str(self.work.write(f"{name}.key", text, 0o600))
        options = {**account.get("options", {}), **({"plan": self.plan} if self.plan else {})}
        if options:
            lines["options"] = options
        return lines

    def requests(self):
        """[(is a lookup, changes, bytes)] of every request so far."""
        return list(self.trace)

    def zone_now(self):
        return {key: values for key, (_, values) in self.fake.records.items()}

    def complaints(self):
        return self.fake.violations + self.place.violations

    def stop(self):
        self.place.stop()


class Relay:
    """Between the engine and a real server, and keeps what the engine sends: a list of bytes, one element a connection."""

    def __init__(self, host, port):
        self.target, self.sent = (host, port), []
        self.listener = socket.create_server((ports.loopback(), 0))
        self.address, self.port = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target, DEADLINE)
            except OSError:
                return  # closed, or the server is gone, which nothing survives here
            self.sent.append(bytearray())
            threading.Thread(target=self._pump, args=(client, server, self.sent[-1]), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, None), daemon=True).start()

    @staticmethod
    def _pump(source, target, kept):
        try:
            while data := source.recv(1 << 16):
                if kept is not None:
                    kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side went away: the other learns of it by its own thread

    def close(self):
        self.listener.close()


class Real:
    """A real server behind a relay; what was there before is written by the engine."""

    def __init__(self, work, server):
        self.work, self.server, self.zone, self.relay = work, server, ZONE, None

    def start(self, _count):
        self.server.start()
        self.relay = Relay(self.server.address, self.port)

    @property
    def port(self):
        return self.server.port

    def zone_now(self):
        return {key: values for key, values in dns.axfr(self.server).items() if key[1] in RTYPES and key[0] != f"ns1.{ZONE}"}

    def complaints(self):
        return []

    def stop(self):
        if self.relay is not None:
            self.relay.close()
        self.server.stop()


class Rfc2136(Real):
    def account(self):
        text = f'key "{self.server.key_name}" {{\n  algorithm {self.server.algorithm};\n  secret "{self.server.secret}";\n}};\n'
        return {"provider": "rfc2136", "server": f"{self.relay.address}:{self.relay.port}",
                "key_file": str(self.work.write("tsig.key", text, 0o600))}

    def requests(self):
        """Of the messages on each connection; what is no UPDATE, or one without a change of an address, is a lookup."""
        found = []
        for stream in self.relay.sent:
            at = 0
            while at + 2 <= len(stream):
                size = int.from_bytes(stream[at:at + 2], "big")
                message = stream[at + 2:at + 2 + size]
                counts = [int.from_bytes(message[place:place + 2], "big") for place in (4, 6, 8)]
                changes = counts[2] // 2 if message[2] >> 3 & 15 == 5 else 0  # each deletes an RRset and adds a record
                found.append((changes == 0, changes, 2 + size))
                at += 2 + size
        return found


class PowerDnsApi(Real):
    _REQUEST = re.compile(rb"(GET|PATCH|POST|PUT|DELETE) /\S* HTTP/1\.1\r\n")

    @property
    def port(self):
        return self.server.api_port

    def account(self):
        return {"provider": "powerdns", "url": f"http://{self.relay.address}:{self.relay.port}/",
                "password_file": str(self.work.write("pdns.key", self.server.api_key, 0o600))}

    def requests(self):
        found = []
        for stream in self.relay.sent:
            starts = [match.start() for match in self._REQUEST.finditer(stream)] + [len(stream)]
            for start, end in zip(starts, starts[1:]):
                part = stream[start:end]
                found.append((part.startswith(b"GET"), part.count(b'"changetype"'), end - start))
        return found


def _services(work, pki):
    """{name: how to make it}"""
    kinds = _contract("fakes").classes()
    made = {name: (lambda kind=kinds[name]: Fake(work, pki, kind)) for name in ("route53", "google", "azure", "desec")}
    return {
        "cloudflare": lambda: Fake(work, pki, kinds["cloudflare"]),
        "cloudflare-paid": lambda: Fake(work, pki, kinds["cloudflare"], "pro"),
        **made,
        "powerdns": lambda: PowerDnsApi(work, PowerDns(work)),
        "knot": lambda: Rfc2136(work, dns.Knot(work)),
        "bind": lambda: Rfc2136(work, dns.Bind(work)),
    }


NAMES = ("cloudflare", "cloudflare-paid", "route53", "google", "desec", "powerdns", "knot", "bind", "azure")


def _config(work, name, account, **more):
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in {"name": name, **account, **more}.items())
    return work.write(f"{name}.yaml", lines)


def _change(session, count, base, rtype, rev):
    """All at once; returns what the engine says of it."""
    session.send("bulk", count, base, rev, rtype)
    return session.event("bulk", PATIENCE_S)


def _seconds(config, requests, rtype):
    """The engine's own meters on a simulated clock."""
    lines = "".join("lookup\n" if lookup else f"write {changes} {rtype}\n" for lookup, changes, *_ in requests)
    done = subprocess.run([build_dir() / "tests" / "contract" / "muster-pace", config], input=lines, capture_output=True,
                          text=True, timeout=DEADLINE, check=False)
    if done.returncode != 0:
        raise ToolFailed(done.stderr)
    return json.loads(done.stdout)["seconds"]


def _too_fast(name, config, runs):
    """What the engine's meters let go sooner than the vendor documents. `runs`: [(what, requests, seconds)]."""
    runs = runs + [(rate.text, rate.series(), _seconds(config, rate.series(), "A")) for rate in RATES.get(name, ())]
    return [f"{what}: {seconds} s, not {least_s(name, requests)}" for what, requests, seconds in runs
            if seconds + CLOCK_S < least_s(name, requests)]


def _judge(service, count):
    """(lost, wrong) of the zone."""
    wanted = {(name, rtype): [address(rtype, AFTER + i)] for rtype in RTYPES for i, name in enumerate(_names(count, service.zone))}
    found = service.zone_now()
    old = {(name, rtype): [address(rtype, BEFORE + i)] for rtype in RTYPES for i, name in enumerate(_names(count, service.zone))}
    lost = sum(found.get(key) in (None, [], old[key]) for key in wanted)
    wrong = sum(found[key] != wanted.get(key) and found[key] != old.get(key) for key in found)
    return lost, wrong + len(service.complaints())


def _measure(probes, work, name, service, count):
    limit = LIMITS[name]
    service.start(count)
    account = service.account()
    config = _config(work, name, account, quota=100000, timeout="120s", retry_min="50ms", retry_max="1s")
    if isinstance(service, Real):
        session = probes.open(f"{name}-before", config, service.zone)
        for number, rtype in enumerate(RTYPES, 1):
            _change(session, count, BEFORE, rtype, number)
        session.close()
    requests, engine = collections.defaultdict(list), {}
    seen = len(service.requests())
    session = probes.open(name, config, service.zone)
    for number, rtype in enumerate(RTYPES, 3):
        engine[rtype] = _change(session, count, AFTER, rtype, number)["seconds"]
        requests[rtype] = service.requests()[seen:]
        seen += len(requests[rtype])
    session.close()
    lost, wrong = _judge(service, count)
    plain = _config(work, f"{name}-rates", account)
    pairs = {rtype: [(address(rtype, BEFORE + i), address(rtype, AFTER + i)) for i in range(count)] for rtype in RTYPES}
    seconds = {rtype: _seconds(plain, requests[rtype], rtype) for rtype in RTYPES}
    too_fast = _too_fast(name, plain, [(rtype, requests[rtype], seconds[rtype]) for rtype in RTYPES])
    calls = {rtype: sum(not lookup for lookup, _, _ in requests[rtype]) for rtype in RTYPES}
    return {
        "name": name, "calls": calls["A"], "calls_aaaa": calls["AAAA"],
        "lookups": sum(lookup for rtype in RTYPES for lookup, _, _ in requests[rtype]),
        "minimum": limit.minimum("A", pairs["A"]), "minimum_aaaa": limit.minimum("AAAA", pairs["AAAA"]),
        "bytes": sum(size for _, _, size in requests["A"]), "bytes_aaaa": sum(size for _, _, size in requests["AAAA"]),
        "seconds_at_limits": seconds["A"], "seconds_at_limits_aaaa": seconds["AAAA"],
        "least_seconds": least_s(name, requests["A"]), "least_seconds_aaaa": least_s(name, requests["AAAA"]),
        "rates": [f"{rate.text} ({rate.source})" for rate in RATES.get(name, ())], "too_fast": too_fast,
        "seconds": round(engine["A"], 3), "seconds_aaaa": round(engine["AAAA"], 3), "limit": limit.text,
        "documented": limit.documented, "source": limit.source, "lost": lost, "wrong": wrong + len(too_fast),
        "violations": sorted({str(rule) for rule, _ in service.complaints()}),
    }


def _line(row):
    return (f"{row['name']:16}{row['calls']:>7,}{row['minimum']:>8,}{row['calls_aaaa']:>9,}{row['minimum_aaaa']:>8,}"
            f"{row['lookups']:>9,}{row['bytes']:>12,}{row['seconds_at_limits']:>11,.1f}{row['seconds_at_limits_aaaa']:>9,.1f}"
            f"{row['seconds']:>9,.2f}  {row['limit']}{'' if row['documented'] else ' (ours: none is documented)'}")


def run(options, out):
    names = options.provider or list(NAMES)
    if set(names) - set(NAMES):
        raise ToolFailed(f"providers are: {' '.join(NAMES)}")
    found, probes = [], _contract("probes").Probes
    out(f"{options.changes:,} changes of one zone\n{'':16}{'calls':>7}{'least':>8}{'AAAA':>9}{'least':>8}{'lookups':>9}"
        f"{'bytes':>12}{'at limits':>11}{'AAAA, s':>9}{'ran, s':>9}  limit of a request")
    with Workspace("muster-bench-") as work, probes() as engine:
        pki = certs.Pki(work.folder("pki"))
        services = _services(work, pki)
        for name in names:
            service = services[name]()
            try:
                found.append(_measure(engine, work, name, service, options.changes))
            finally:
                service.stop()
            out(_line(found[-1]))
            for text in found[-1]["too_fast"]:
                out(f"{name}: sooner than documented: {text}")
    lost, wrong = (sum(row[key] for row in found) for key in ("lost", "wrong"))
    return {"bench": "calls", "changes": options.changes, "lost": lost, "wrong": wrong, "providers": found}, [
        (f"{row['name']}: calls", f"{row['minimum']:,} {row['minimum_aaaa']:,}", f"{row['calls']:,} {row['calls_aaaa']:,}",
         (row["calls"], row["calls_aaaa"]) == (row["minimum"], row["minimum_aaaa"])) for row in found] + [
        (f"{row['name']}: seconds", f"{row['least_seconds']:,.0f} {row['least_seconds_aaaa']:,.0f}",
         f"{row['seconds_at_limits']:,.1f} {row['seconds_at_limits_aaaa']:,.1f}", not row["too_fast"]) for row in found]
