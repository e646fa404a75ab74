# SPDX-License-Identifier: Apache-2.0
"""providers: Debian's inadyn and ddclient and our engine against the same strict dyndns2 service, for several numbers of hosts
that share an address: requests, seconds, and what each does that the protocol forbids, by name.

The service is tests/contract/fakes/dyndns2.py without any vendor's dialect. Each client has the configuration that serves it best
there: inadyn a section for each 50 hosts, of which it takes no more, ddclient a file, and a process, for each 20, since it sends
all of a file in one request and the service takes 20. Two parts:

  update  The others run once a step, as cron would run them; ours keeps running. What a step costs.
  daemon  All run as daemons for an hour by their own clocks, which go faster than ours (libfaketime), as does the service's.
          What each does after an error, by its own schedule, and what an hour costs in which nothing goes wrong.

`set` is how many hosts have the address that they should have at the end."""
import collections
import glob
import json
import os
import re
import subprocess
import threading
import time

from muster_testlib import certs
from muster_testlib.procs import DEADLINE, Workspace

from .agent import _program
from .calls import _config, _contract
from .tools import ToolFailed

FIRST, SECOND = "192.0.2.10", "192.0.2.20"
UPDATE = ("first", "unchanged", "changed")
DAEMON = ("steady", "nohost", "badauth", "911")  # the address changes in the middle of the first one
INADYN_SECTION, SERVICE_TAKES = 50, 20           # hosts
TOGETHER = 50  # so many hosts, and all scenarios run at once: more would keep a small machine busy, and clients waiting


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


def _parts(hosts, most):
    return [hosts[i:i + most] for i in range(0, len(hosts), most)]


class Other:
    """A program that is told nothing but its configuration. `once`, `daemon`: the commands of each."""

    def __init__(self):
        self.children = []

    def step(self, _address):
        children = [subprocess.Popen([str(part) for part in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for argv in self.commands("once")]
        for child in children:
            child.wait(DEADLINE)

    def start(self, env):
        self.children = [subprocess.Popen([str(part) for part in argv], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                         for argv in self.commands("daemon")]

    def changed(self, _address):
        """It finds out by itself."""

    def ended(self):
        """Processes that gave up by themselves."""
        return sum(child.poll() is not None for child in self.children)

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(DEADLINE)


class Inadyn(Other):
    name = "inadyn"

    def __init__(self, work, place, hosts, password):
        super().__init__()
        self.folder, where = work.folder(f"inadyn-{place.port}"), f"127.0.0.1:{place.port}"
        sections = [f"""custom bench{i} {{
    ssl = false
    username = fleet
    password = {password}
    hostname = {{ {", ".join(f'"{host}"' for host in part)} }}
    checkip-server = "{where}"
    checkip-path = "/ip"
    checkip-ssl = false
    ddns-server = "{where}"
    ddns-path = "/nic/update?hostname=%h&myip=%i"
}}
""" for i, part in enumerate(_parts(hosts, INADYN_SECTION))]
        self.config = work.write(f"inadyn-{place.port}.conf", "".join(sections), 0o600)

    def commands(self, how):
        yield (_program("inadyn"), *(["-1"] if how == "once" else []), "-n", "-f", self.config, f"--cache-dir={self.folder}",
               "-P", self.folder / "pid")


class Ddclient(Other):
    """Run once, `min-interval`, its least pause between two updates of a host, is nothing: nobody waits here. The daemon has
    what it has by default, and asks every five minutes as Debian's unit has it."""

    name = "ddclient"

    def __init__(self, work, place, hosts, password):
        super().__init__()
        where, self.files = f"127.0.0.1:{place.port}", []
        for i, part in enumerate(_parts(hosts, SERVICE_TAKES)):
            text = (f"ssl=no\nuse=web, web=http://{where}/ip\n"
                    f"protocol=dyndns2, server={where}, login=fleet, password={password} {','.join(part)}\n")
            self.files.append({how: (work.write(f"ddclient-{place.port}-{i}-{how}.conf", head + text, 0o600),
                                     work / f"ddclient-{place.port}-{i}.cache")
                               for how, head in (("once", "min-interval=0\n"), ("daemon", ""))})

    def commands(self, how):
        for file in self.files:
            config, cache = file[how]
            yield (_program("ddclient"), *(["-daemon=0"] if how == "once" else ["-foreground", "-daemon=300"]), "-file", config,
                   "-cache", cache)


class Muster:
    """The engine. An address that has not changed ends in the coordinator, so nothing is handed to it then."""

    name = "muster"

    def __init__(self, work, place, hosts, password):
        self.hosts, self.rev, self.address, self.probes = hosts, 0, None, None
        account = {"provider": "dyndns2", "url": f"https://localhost:{place.port}/nic/update", "username": "fleet",
                   "password_file": str(work.write(f"password-{place.port}", password, 0o600)), "ca_file": str(place.ca),
                   "timeout": "2m"}  # as ddclient's: where a clock goes faster, the machine is slower by as much
        self.config, self.zone = _config(work, f"muster-{place.port}", account), place.fakes[0].zone

    def start(self, env=None):
        self.probes = _contract("probes").Probes(env)
        self.session = self.probes.open("bench", self.config, self.zone)
        if env is not None:
            self.changed(FIRST)

    def changed(self, address):
        self.address, first = address, self.rev + 1
        self.rev += len(self.hosts)
        self.probes.send_all(f"bench submit {host} A 60 {first + i} {address} ?" for i, host in enumerate(self.hosts))
        return range(first, self.rev + 1)

    def step(self, address):
        if address != self.address:
            for rev in self.changed(address):
                self.session.settled(rev)

    def ended(self):
        return int(self.probes.child.poll() is not None)

    def close(self):
        if self.probes is not None:
            self.probes.__exit__()


CLIENTS = (Inadyn, Ddclient, Muster)


class Run:
    """One client at a service of its own."""

    def __init__(self, work, pki, kind, count, scenario, speed=1):
        service, response = _service_class()
        self.fake, self.kind, self.count, self.scenario, self.speed = service(), kind, count, scenario, speed
        began = time.monotonic()
        self.fake.clock = lambda: began + (time.monotonic() - began) * speed
        self.hosts = [self.fake.host(f"h{i}") for i in range(count)]
        if scenario == "nohost":
            self.fake.bad = {self.hosts[0]}
        if scenario == "911":
            self.fake.script = [response(200, "911\n")]
        self.password = self.fake.password("another" if scenario == "badauth" else "password")
        self.place, self.work = _contract("fakes.server").Server([self.fake], pki, old_http=True), work

    def _row(self, place, step, calls, **more):
        broken = collections.Counter(rule for rule, _ in self.fake.violations + place.violations)
        self.fake.violations.clear()
        place.violations.clear()
        return {"client": self.kind.name, "hosts": self.count, "scenario": self.scenario, "step": step,
                "requests": self.fake.calls - calls, "violations": dict(sorted(broken.items())),
                "set": sum(self.fake.values(host, "A") == [self.fake.address] for host in self.hosts), **more}

    def update(self):
        rows = []
        with self.place as place:
            client = self.kind(self.work, place, self.hosts, self.password)
            try:
                if self.kind is Muster:
                    client.start()
                for step, address in zip(UPDATE, (FIRST, FIRST, SECOND)):
                    self.fake.address, calls, began = address, self.fake.calls, time.monotonic()
                    client.step(address)
                    rows.append(self._row(place, step, calls, seconds=round(time.monotonic() - began, 3)))
            finally:
                client.close()
        return rows

    def daemon(self, minutes, env):
        with self.place as place:
            client = self.kind(self.work, place, self.hosts, self.password)
            try:
                client.start(env)
                time.sleep(minutes * 30 / self.speed)  # half of what is measured; nobody is waited for
                if self.scenario == "steady":
                    self.fake.address = SECOND
                    client.changed(SECOND)
                time.sleep(minutes * 30 / self.speed)
                ended = client.ended()
            finally:
                client.close()
            return [self._row(place, f"{minutes} min", 0, lookups=self.fake.lookups, ended=ended)]


def _daemons(work, pki, count, scenarios, options):
    """All side by side, each with a service of its own: an hour takes long enough."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not libraries:
        raise ToolFailed("libfaketime is missing (Debian package of that name)")
    env = {**os.environ, "LD_PRELOAD": libraries[0], "FAKETIME": f"+0 x{options.speed}"}
    runs = [Run(work, pki, kind, count, scenario, options.speed) for scenario in scenarios for kind in CLIENTS]
    found = {}

    def go(run):
        try:
            found[run] = run.daemon(options.minutes, env)
        except Exception as fault:  # told below, by the thread that waits
            found[run] = fault

    threads = [threading.Thread(target=go, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        if isinstance(found[run], Exception):
            raise found[run]
        yield from found[run]


def _versions():
    found = {}
    for name, option in (("inadyn", "--version"), ("ddclient", "-version")):
        done = subprocess.run([_program(name), option], capture_output=True, text=True, check=False, timeout=DEADLINE)
        match = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        found[name] = match[0] if match else "unknown"
    return found


def _tell(out, row):
    rules = ", ".join(f"{rule} {times}" for rule, times in row["violations"].items())
    seconds = f"{row['seconds']:.3f}" if "seconds" in row else "-"
    ended = f"; {row['ended']} ended" if row.get("ended") else ""
    out(f"{row['client']:10}{row['hosts']:>7,}  {row['scenario'] + ', ' + row['step']:18}{row['requests']:>9,}{row['set']:>7,}"
        f"{seconds:>9}  {rules or '-'}{ended}")


def _all(work, pki, options):
    for count in options.hosts or [1, 50, 1000]:
        for kind in CLIENTS:
            yield from Run(work, pki, kind, count, "update").update()
        for scenarios in [DAEMON] if count <= TOGETHER else [[scenario] for scenario in DAEMON]:
            yield from _daemons(work, pki, count, scenarios, options)


def run(options, out):
    rows = []
    out(f"{'client':10}{'hosts':>7}  {'scenario':18}{'requests':>9}{'set':>7}{'seconds':>9}  what the protocol forbids")
    with Workspace("muster-bench-") as work:
        pki = certs.Pki(work.folder("pki"))
        for row in _all(work, pki, options):
            rows.append(row)
            _tell(out, row)
    ours = [row for row in rows if row["client"] == "muster"]
    lost = sum(row["hosts"] - row["set"] for row in ours if row["scenario"] in ("update", "steady"))
    wrong = sum(sum(row["violations"].values()) for row in ours)
    broken = {kind.name: sum(sum(row["violations"].values()) for row in rows if row["client"] == kind.name) for kind in CLIENTS}
    return {"bench": "providers", "hosts": options.hosts or [1, 50, 1000], "lost": lost, "wrong": wrong, "versions": _versions(),
            "violations": broken, "runs": rows}, [(f"violations, {name}", "", number, number == 0 if name == "muster" else None)
                                                  for name, number in broken.items()]
