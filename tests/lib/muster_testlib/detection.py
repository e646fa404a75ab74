# SPDX-License-Identifier: Apache-2.0
"""A deployment on the internet of network.py, and how a scenario is run on it: clients keep their names while networks
change; each change is timed until the authoritative server answers what is now true, and the zone's journal tells
whether anything untrue was ever published.

A scenario is a generator of Steps: what it does before it yields one is the event, and the one it yields says what is
true from then on.
"""
import dataclasses
import re
import signal
import time
import urllib.request

from . import asker, build_dir, certs, ports
from .broker import Broker
from .clients import Agent, deprecated6, usable6
from .coordinator import Coordinator
from .dns import Bind
from .internet import Stun, Web, Whoami
from .network import SERVER, SERVER2, SERVER6, Network
from .procs import DEADLINE, Timeout, wait_until

GROUPS = """\
  - name: cameras
    damping: false
    names:
      - name: "{id}.example.net"
  - name: gateways
    gateway: true
    damping: false
    names:
      - name: "{id}.example.net"
      - name: "{host}.{id}.example.net"
        types: [AAAA]
        hosts: true
  - name: routers
    gateway: true
    damping: false
    uplinks: healthy
    names:
      - name: "{id}.example.net"
"""
HOSTS = 200
REGISTRY = """\
devices:
  - match: "cam-*"
    group: cameras
  - id: gw-2
    group: routers
  - id: gw-1
    group: gateways
    hosts:
""" + "".join(f'      - {{name: h{number}, suffix: "::{number:x}"}}\n' for number in range(0x10, 0x10 + HOSTS))


OWN = """\
whoami:
  stun_listen: ["{stun}"]
  listen: ["{https}"]
  cert_file: {identity.cert}
  key_file: {identity.key}
"""


@dataclasses.dataclass
class Step:
    """What is true since `began` (monotonic seconds): {type: addresses}. `limit`: seconds in which the agent has to have
    it published; None: not timed. `hosts`: the prefixes that a gateway's hosts are in."""

    what: str
    truth: dict
    began: float
    limit: float = None
    hosts: tuple = ()


@dataclasses.dataclass
class Scenario:
    """`settings`: the agent's, over its defaults. `device`: where it is not the one of its place. `ip6`: it has a prefix to
    live in. `others`: whether clients that know one host and its address can take part. `never_empty`: from its first
    address on its name always has one. `needs`: what not every build has, by its path in the build tree."""

    name: str
    tells: str
    steps: object
    space: str = "camera"
    ip6: bool = False
    port_control: bool = False
    others: bool = True
    device: str = None
    never_empty: bool = False
    needs: str = None
    settings: dict = dataclasses.field(default_factory=dict)

    def playable(self):
        return self.needs is None or (build_dir() / self.needs).exists()


class World:
    """Servers on the internet and the network; `agent` and `others` are those of the scenario under way."""

    zone, peers_zone = "example.net", "example.org"

    def __init__(self, work):
        self.work, self.started = work, []
        self.network = Network(work)
        self.agent, self.clients = None, []
        self._identities = {}

    def start(self):
        self.network.enter()
        self.pki = certs.pki(self.work / "pki")
        self.broker = self._run(Broker(self.work, self.pki, address=SERVER, further=[SERVER6]))
        # BIND: Knot 3.2 holds some updates back for up to a second (docs/operations.md), which is not to be measured.
        self.dns = self._run(Bind(self.work, zones=(self.zone, self.peers_zone), address=SERVER))
        self.own_stun, self.own_echo = (f"{SERVER}:{ports.free_port(SERVER)}" for _ in range(2))
        identity = self.pki.server("whoami", ips=[SERVER])
        self.coordinator = Coordinator(self.work, self.pki, self.broker, self.dns, GROUPS, REGISTRY,
                                       more=OWN.format(stun=self.own_stun, https=self.own_echo, identity=identity))
        self.started.append(self.coordinator)
        self.coordinator.start_ready()
        self.stun, self.whoami = self._run(Stun(self.work)), self._run(Whoami(self.work))
        self.web = Web(self.pki, self.dns, self.peers_zone)
        self.started.append(self.web)
        self.network.spaces.nft("internet", f"""table inet questions {{
  counter stun {{ }}
  counter dns {{ }}
  chain input {{ type filter hook input priority filter;
    iifname "to-*" udp dport {self.stun.port} counter name stun;
    iifname "to-*" ip daddr {SERVER2} udp dport 53 counter name dns; }}
}}
""")
        return self

    def _run(self, server):
        self.started.append(server)
        return server.start()

    def identity(self, device):
        if device not in self._identities:
            self._identities[device] = self.pki.device(device)
        return self._identities[device]

    def close(self):
        try:
            for one in reversed(self.clients + self.started):
                one.stop()
        finally:
            self.network.close()

    def values(self):
        """What sections of a scenario's settings may name in braces."""
        return {"stun": f"{SERVER}:{self.stun.port}", "stun2": f"{SERVER2}:{self.stun.port}", "whoami": f"{SERVER2}:53",
                "echo": f"https://{SERVER}/ip", "plain_echo": f"http://{SERVER}/ip", "ca": str(self.pki.server_bundle),
                "broker6": f"[{SERVER6}]:{self.broker.port}", "own_stun": self.own_stun, "own_echo": f"https://{self.own_echo}/whoami"}

    def asked(self):
        """What only the agent sends: STUN and DNS questions to services of others, questions to the home router, questions
        and reports to its own coordinator."""
        counters = [counter for space in ("internet", "home") for counter in self.network.spaces.counters(space).values()]
        return (sum(number for number, _ in counters)
                + sum(self._metric(name) for name in ("muster_states_total", "muster_whoami_questions_total")))

    def _metric(self, name):
        """Of the coordinator, the sum over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.coordinator.metrics_port}/metrics", timeout=DEADLINE) as page:
            return sum(map(int, re.findall(rf"^{name}(?:{{\S*}})? (\d+)", page.read().decode(), re.MULTILINE)))

    # What scenarios ask for.

    def started_with(self, **truth):
        """The first step: the clients start, and their names become what is true."""
        for client in self.clients:
            client.start()
        return Step("start", truth, time.monotonic())

    def usable6(self, prefix):
        """(the address below `prefix` that duplicate detection has passed, when)"""
        end = time.monotonic() + DEADLINE
        while (address := usable6(self.agent.process.pid, prefix)) is None:
            if time.monotonic() > end:
                raise Timeout(f"after {DEADLINE} s no address in {prefix} is usable")
            time.sleep(0.001)
        return address, time.monotonic()

    def deprecated6(self, prefix):
        """When no address below `prefix` was preferred any more."""
        end = time.monotonic() + DEADLINE
        while not deprecated6(self.agent.process.pid, prefix):
            if time.monotonic() > end:
                raise Timeout(f"after {DEADLINE} s {prefix} is still preferred")
            time.sleep(0.001)
        return time.monotonic()

    def acknowledged(self):
        """The coordinator has the agent's last word."""
        self.agent.wait_status(lambda status: status["report"]["state"] == "acknowledged", "the report is acknowledged")

    def settled(self):
        """And it has written what follows from it."""
        self.acknowledged()
        wait_until(lambda: self._metric("muster_records_open") == 0, "every record is at rest")

    def move_clocks(self, wall_s, boot_s):
        """Of the machine that the clients run on."""
        for client in self.clients:
            client.move_clocks(wall_s, boot_s)

    def sleep(self, seconds, meanwhile):
        """The machine is suspended while `meanwhile` happens, and resumes later by its boot and wall clocks."""
        asleep = [client.process for client in self.clients if client.process.running()]
        for process in asleep:
            process.signal(signal.SIGSTOP)
        result = meanwhile()
        self.move_clocks(seconds, seconds)
        for process in asleep:
            process.signal(signal.SIGCONT)
        return result


@dataclasses.dataclass
class Result:
    """Of one client in one scenario. `times`: {step: seconds, or None where it never became true}; `wrong`: addresses that
    were published and not true at that time; `requests`: questions and updates that it sent to anybody; `ended`: it did
    not live to see the end."""

    times: dict
    limits: dict
    wrong: list
    requests: int
    ended: bool = False


def _filled(value, values):
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return value.format(**values) if isinstance(value, str) else value


def _records(client, step):
    """{(name, type): addresses} that have to be answered."""
    found = {(client.name, rtype): addresses for rtype, addresses in step.truth.items() if rtype in client.families}
    if step.hosts and "AAAA" in client.families:
        for number in range(0x10, 0x10 + HOSTS):
            found[f"h{number}.{client.name}", "AAAA"] = [f"{prefix}{number:x}" for prefix in step.hosts]
    return found


def _allowed(client, step):
    """{name: addresses} that may stand there."""
    found = {client.name: []}
    for (name, _), addresses in _records(client, step).items():
        found.setdefault(name, []).extend(addresses)
    return found


def untrue(changes, name, truths):
    """Addresses that were added to the name without being the truth, or after it had been superseded by one that was
    published. `truths`: what was true, in its order, each as {name: addresses}."""
    at, wrong = 0, []
    for owner, _, address, added in changes:
        if owner != name or not added:
            continue
        later = [number for number in range(at, len(truths)) if address in truths[number].get(name, ())]
        if later:
            at = later[0]
        else:
            wrong.append(address)
    return wrong


def run(world, scenario, others=(), patience=DEADLINE, other_patience=0.0):
    """Runs one scenario; {client's label: Result}. `others`: classes of clients.py beside the agent; `patience`: seconds
    in which the agent, and the others, have to follow an event at all."""
    world.network.build(scenario.ip6, scenario.port_control)
    world.web.mood, world.web.requests = "right", {}
    device = scenario.device or ("gw-1" if scenario.space == "gateway" else "cam-1")
    settings = {"addresses": {"include": ["eth0"] if scenario.space == "camera" else ["wan-*", "lan"], "ip6": scenario.ip6},
                **_filled(scenario.settings, world.values())}
    world.agent = Agent(world, scenario.space, device, settings)
    world.clients = [world.agent] + [kind(world, scenario.space, scenario.ip6) for kind in others if scenario.others]
    zones = {zone: asker.Publications(world.dns, zone) for zone in (world.zone, world.peers_zone)}
    truths = {client: [] for client in world.clients}
    results = {client: Result({}, {}, [], 0) for client in world.clients}
    asked = world.asked()
    try:
        for step in scenario.steps(world):
            _follow(world, step, results, patience, other_patience)
            for client in world.clients:
                truths[client].append(_allowed(client, step))
        if results[world.agent].times[step.what] is not None:
            results[world.agent].wrong += _not_lasting(world, step)
        for client, result in results.items():
            result.ended = not client.process.running()
    finally:
        for client in world.clients:
            client.stop()
    for client, result in results.items():
        changes = zones[client.name.split(".", 1)[1]].changes()
        names = {owner for owner, _, _, _ in changes if owner == client.name or owner.endswith(f".{client.name}")}
        for name in sorted(names):
            result.wrong += untrue(changes, name, truths[client])
        if scenario.never_empty and client is world.agent:
            result.wrong += ["no address"] * zones[world.zone].emptied(client.name)
        result.requests = world.web.count(client.label)
    results[world.agent].requests += world.asked() - asked
    return {client.label: result for client, result in results.items()}


def _not_lasting(world, step):
    """What of the last truth does not stand any more when all that the agent had to say is said and written."""
    world.settled()
    wrong = []
    for (name, rtype), addresses in _records(world.agent, step).items():
        found = wait_until(lambda: asker.answered(world.dns, name, rtype), f"{name} is answered")[0]
        if found != sorted(addresses):
            wrong.append(f"{name} {rtype} is {found} in the end")
    return wrong


def _follow(world, step, results, patience, other_patience):
    """Waits until every client's names are what is true, or for as long as it is given. That the agent ends is an error,
    that another client does is its result."""
    wanted = {client: _records(client, step) for client in world.clients}
    for clients, deadline in (([world.agent], patience), (world.clients[1:], other_patience)):
        records = {key: value for client in clients for key, value in wanted[client].items()}
        left = max(0.0, step.began + deadline - time.monotonic())
        found = asker.wait_answers(world.dns, records, left, world.agent.running) if records else {}
        for client in clients:
            times = [found[key] for key in wanted[client]]
            results[client].times[step.what] = None if None in times else max(times) - step.began if times else 0.0
            results[client].limits[step.what] = step.limit
