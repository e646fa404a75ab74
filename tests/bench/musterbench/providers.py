# SPDX-License-Identifier: Apache-2.0
"""providers: Debian's inadyn and ddclient and our engine against the same strict dyndns2 service, for several numbers of hosts
that share an address: requests, seconds, and what each does that the protocol forbids, by name.

The service is tests/contract/fakes/dyndns2.py without any vendor's dialect. The others run once a step, as cron would run them,
with a cache of their own and plain HTTP on loopback; ours keeps running, with HTTPS. Steps are in SCENARIOS. `set` is how many
hosts have the address that they should have after the step."""
import collections
import json
import re
import subprocess
import time

from muster_testlib import certs
from muster_testlib.procs import DEADLINE, Workspace

from .agent import _program
from .calls import _config, _contract

FIRST, SECOND = "192.0.2.10", "192.0.2.20"
SCENARIOS = {  # name: the steps, each one run
    "update": ("first", "unchanged", "changed"),
    "nohost": ("first", "again"),
    "badauth": ("first", "again"),
    "911": ("first", "again"),
}
LOOK_S = 0.25  # so long is looked on whether a client that should be silent is; past the grace of the service's rules


def _service_class():
    base, dyndns2 = _contract("fakes.base"), _contract("fakes.dyndns2")

    class Service(dyndns2.D2):
        """The protocol alone; /ip tells the address, as an echo service does."""

        name, hosts, plain_http, zone, address = "dyndns2", ("127.0.0.1", "localhost"), True, "dyndns2.example", FIRST
        extra = {**dyndns2.CLASSIC, "system": "dyndns|statdns|custom"}  # the last is of older versions of the protocol

        def username(self):
            return "fleet"

        def password(self, purpose="password"):
            return self.secret(purpose)

        def is_lookup(self, request):
            return request.path == "/ip"

        def common(self, request):
            return self.is_lookup(request) or super().common(request)

        def handle(self, request):
            return base.Response(200, self.address + "\n") if self.is_lookup(request) else super().handle(request)

        def answered(self, request, response):
            if not self.is_lookup(request):
                super().answered(request, response)

    return Service, base.Response


class Inadyn:
    name = "inadyn"

    def __init__(self, work, place, hosts, password):
        self.work, self.folder = work, work.folder(f"inadyn-{place.port}")
        where, listed = f"127.0.0.1:{place.port}", ", ".join(f'"{host}"' for host in hosts)
        self.config = work.write(f"inadyn-{place.port}.conf", f"""custom bench {{
    ssl = false
    username = fleet
    password = {password}
    hostname = {{ {listed} }}
    checkip-server = "{where}"
    checkip-path = "/ip"
    checkip-ssl = false
    ddns-server = "{where}"
    ddns-path = "/nic/update?hostname=%h&myip=%i"
}}
""", 0o600)

    def step(self, _address):
        _run(_program("inadyn"), "-1", "-n", "-f", self.config, f"--cache-dir={self.folder}", "-P", self.folder / "pid")

    def close(self):
        pass


class Ddclient:
    """`min-interval` is its least pause between two updates of a host, 30 s where nobody says otherwise: nobody waits here."""

    name = "ddclient"

    def __init__(self, work, place, hosts, password):
        self.cache, where = work / f"ddclient-{place.port}.cache", f"127.0.0.1:{place.port}"
        self.config = work.write(f"ddclient-{place.port}.conf", f"""ssl=no
min-interval=0
use=web, web=http://{where}/ip
protocol=dyndns2, server={where}, login=fleet, password={password} {",".join(hosts)}
""", 0o600)

    def step(self, _address):
        _run(_program("ddclient"), "-daemon=0", "-file", self.config, "-cache", self.cache)

    def close(self):
        pass


def _run(*argv):
    subprocess.run([str(part) for part in argv], capture_output=True, check=False, timeout=DEADLINE)


class Muster:
    """The engine. An address that has not changed ends in the coordinator, so nothing is handed to it then."""

    name = "muster"

    def __init__(self, work, place, hosts, password):
        self.hosts, self.rev, self.address, self.open = hosts, 0, None, list(hosts)
        self.probes = _contract("probes").Probes()
        account = {"provider": "dyndns2", "url": f"https://localhost:{place.port}/nic/update", "username": "fleet",
                   "password_file": str(work.write(f"password-{place.port}", password, 0o600)), "ca_file": str(place.ca)}
        self.session = self.probes.open("bench", _config(work, f"muster-{place.port}", account), place.fakes[0].zone)

    def step(self, address, again=False):
        """`again`: what was not applied, as the coordinator would tell it once more."""
        hosts = self.open if again else self.hosts
        if address == self.address and not again:
            return
        self.address, first = address, self.rev + 1
        self.rev += len(hosts)
        self.probes.send_all(f"bench submit {host} A 60 {first + i} {address} ?" for i, host in enumerate(hosts))
        if again:
            self.session.status()  # it has taken them all; what it says of them may take half an hour
            return
        applied = set()
        for rev in range(first, self.rev + 1):
            event = self.session.settled(rev, ("applied", "refused", "retry", "unknown"))
            if event["outcome"] == "retry":
                break  # the account stands still, and all who wait with it
            applied |= {event["name"]} if event["outcome"] == "applied" else set()
        self.open = [host for host in hosts if host not in applied]

    def close(self):
        self.probes.__exit__()


CLIENTS = (Inadyn, Ddclient, Muster)


def _steps(scenario, client, fake):
    """(name of the step, what runs) one after the other; the service is put into its state in between."""
    if scenario == "update":
        yield "first", lambda: client.step(FIRST)
        yield "unchanged", lambda: client.step(FIRST)
        fake.address = SECOND
        yield "changed", lambda: client.step(SECOND)
        return
    yield "first", lambda: client.step(FIRST)
    yield "again", (lambda: client.step(FIRST, True)) if client.name == "muster" else (lambda: client.step(FIRST))


def _play(work, pki, kind, count, scenario):
    service, response = _service_class()
    fake = service()
    hosts = [fake.host(f"h{i}") for i in range(count)]
    if scenario == "nohost":
        fake.bad = {hosts[0]}
    if scenario == "911":
        fake.script = [response(200, "911\n")]
    password = fake.password("another" if scenario == "badauth" else "password")
    rows = []
    with _contract("fakes.server").Server([fake], pki, old_http=True) as place:
        client = kind(work, place, hosts, password)
        try:
            for step, go in _steps(scenario, client, fake):
                calls, began = fake.calls, time.monotonic()
                fake.violations.clear()
                go()
                took = time.monotonic() - began
                time.sleep(LOOK_S)
                broken = collections.Counter(rule for rule, _ in fake.violations + place.violations)
                place.violations.clear()
                rows.append({"client": kind.name, "hosts": count, "scenario": scenario, "step": step,
                             "requests": fake.calls - calls, "seconds": round(took, 3), "violations": dict(sorted(broken.items())),
                             "set": sum(fake.values(host, "A") == [fake.address] for host in hosts)})
        finally:
            client.close()
    return rows


def _versions():
    found = {}
    for name, option in (("inadyn", "--version"), ("ddclient", "-version")):
        done = subprocess.run([_program(name), option], capture_output=True, text=True, check=False, timeout=DEADLINE)
        match = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        found[name] = match[0] if match else "unknown"
    return found


def run(options, out):
    counts, rows = options.hosts or [1, 50, 1000], []
    out(f"{'client':10}{'hosts':>7}  {'scenario':18}{'requests':>9}{'set':>7}{'seconds':>9}  what the protocol forbids")
    with Workspace("muster-bench-") as work:
        pki = certs.Pki(work.folder("pki"))
        for count in counts:
            for scenario in SCENARIOS:
                for kind in CLIENTS:
                    for row in _play(work, pki, kind, count, scenario):
                        rows.append(row)
                        rules = ", ".join(f"{rule} {times}" for rule, times in row["violations"].items())
                        out(f"{row['client']:10}{count:>7,}  {scenario + ', ' + row['step']:18}{row['requests']:>9,}"
                            f"{row['set']:>7,}{row['seconds']:>9.3f}  {rules or '-'}")
    ours = [row for row in rows if row["client"] == "muster"]
    lost = sum(row["hosts"] - row["set"] for row in ours if row["scenario"] == "update")
    wrong = sum(sum(row["violations"].values()) for row in ours)
    broken = {kind.name: sum(sum(row["violations"].values()) for row in rows if row["client"] == kind.name) for kind in CLIENTS}
    return {"bench": "providers", "hosts": counts, "lost": lost, "wrong": wrong, "versions": _versions(), "violations": broken,
            "runs": rows}, [(f"violations, {name}", "", number, number == 0 if name == "muster" else None)
                            for name, number in broken.items()]
