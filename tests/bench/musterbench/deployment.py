# SPDX-License-Identifier: Apache-2.0
"""What a bench runs against: the real broker, coordinator and authoritative server on free ports.

The broker carries one rule that is never shipped: certificates of a `swarm` authority may write any device's topics
(libmuster_observed_bench.so, see mqtt/broker/README.md). With own=True it is the shipped plugin, and every device has a
certificate and a connection of its own.
"""
import json
import subprocess

from muster_testlib import build_dir
from muster_testlib.broker import Broker
from muster_testlib.certs import ProductPki
from muster_testlib.coordinator import Coordinator
from muster_testlib.dns import Bind, Knot
from muster_testlib.procs import Workspace

from .tools import Swarm, Tool, memory_kib

SERVERS = {"knot": Knot, "bind": Bind}
ZONE = "example.net"
PREFIX = "cam-"
FLEET_STRIDE = 7919  # as in swarm/fleet.c
POPULATE = "populate 5000"  # makes a fleet known with so many devices unacknowledged at a time

# Rounds change every device again within seconds, which is what damping is there to hold back: it is off.
_GROUPS = f"""\
  - name: cameras
    damping: false
    names:
      - name: "{{id}}.{ZONE}"
        types: [A]
"""
_REGISTRY = f"""\
devices:
  - match: "{PREFIX}*"
    group: cameras
"""


class Deployment:
    """Broker, authoritative server, coordinator; and fleets that play against them. Use as a context manager."""

    def __init__(self, devices, server="knot", connections=100, own=False, more="", prefix="muster-bench-"):
        """`more`: sections of the coordinator's configuration."""
        self.devices, self.kind, self.own, self._more = devices, server, own, more
        self.timeout_s = 120 + devices // 500  # of one command
        self.connections = devices if own else min(connections, devices)
        self.work = Workspace(prefix)
        self._tools, self._closers = [], []
        muster = build_dir() / "cli" / "muster"
        self.pki = ProductPki(self.work / "pki", muster)
        if own:
            self.certs = self._issue(self.work / "pki", (f"{PREFIX}{i:06d}" for i in range(devices)))
            self._broker_arguments = {}
        else:
            swarm = ProductPki(self.work / "swarm-pki", muster)
            self.certs = self._issue(self.work / "swarm-pki", (f"swarm-{i:03d}" for i in range(self.connections)))
            bundle = self.work.write("clients.pem", self.pki.clients_bundle.read_text() + swarm.clients_bundle.read_text())
            self.pki.clients_bundle = bundle
            self._broker_arguments = {"plugin": build_dir() / "mqtt" / "broker" / "libmuster_observed_bench.so",
                                      "plugin_options": f"plugin_opt_swarm_ca {swarm.devices.cert}"}
        self.broker = self.new_broker("broker")
        self.dns = self.new_dns("dns")
        self._configure()

    def _issue(self, folder, names):
        certs = self.work.folder("certs")
        subprocess.run([build_dir() / "cli" / "muster", "ca", "issue", "--dir", folder, "--profile", "device", "--stdin",
                        "--out", certs], input="".join(f"{name}\n" for name in names), text=True, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return certs

    def _configure(self):
        self.coordinator = Coordinator(self.work, self.pki, self.broker, self.dns, _GROUPS, _REGISTRY, more=self._more)
        self.folder = self.coordinator.folder
        self.metrics_port = self.coordinator.metrics_port

    def new_broker(self, name):
        """One more broker with the same rights, e.g. for a baseline."""
        broker = Broker(self.work, self.pki, name=name, **self._broker_arguments)
        self._closers.append(broker.stop)
        return broker

    def new_dns(self, name):
        server = SERVERS[self.kind](self.work, zones=ZONE, name=name)
        self._closers.append(server.stop)
        return server

    def start(self):
        self.broker.start()
        self.dns.start()
        self.start_coordinator()
        return self

    def start_coordinator(self):
        self._closers.append(self.coordinator.stop)
        self.coordinator.start_ready()

    def processes(self):
        """{name: pid} of what a change passes through."""
        return {"broker": self.broker.process.pid, "coordinator": self.coordinator.pid, self.kind: self.dns.process.pid}

    def rss_kib(self):
        return {name: memory_kib(pid)[0] for name, pid in self.processes().items()}

    def status(self):
        """What the coordinator says of itself over its control socket."""
        done = subprocess.run([build_dir() / "cli" / "muster", "status", "--json", "--socket",
                               self.coordinator.folder / "control.sock"],
                              capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def prefill(self):
        """Before the start: the zone's file holds what the fleet is going to report first (fleet.c). So the server has
        nothing to change while a fleet becomes known, which with a million records takes longer than all the rest."""
        step = self.devices + FLEET_STRIDE
        with open(self.dns.folder / f"{ZONE}.zone", "a", encoding="ascii") as zone:
            for device in range(self.devices):
                number = (device + 1 + step) & 0xFFFFFF
                zone.write(f"{PREFIX}{device:06d} 60 A 45.{number >> 16}.{number >> 8 & 255}.{number & 255}\n")

    def populate(self, swarm):
        """Every device reports and is acknowledged, no faster than that: nothing of it is measured."""
        return swarm.ask(POPULATE)

    def _tool(self, name, arguments, label, kind=Tool):
        tool = kind(name, arguments, self.work / f"{label}.log")
        self._tools.append(tool)
        return tool

    def swarm(self, label="swarm", broker=None, dns=None, seed=1, prefix=PREFIX, devices=None):
        """A fleet, not yet connected. Its oracle is <label>.oracle; watched serials are in <label>.serials. At another
        broker than the coordinator's nobody acknowledges, so there its devices repeat nothing."""
        alone = broker not in (None, self.broker)
        broker = broker or self.broker
        arguments = ["--broker", broker.endpoint, "--ca", broker.ca_file, "--certs", self.certs, "--devices",
                     devices or self.devices, "--connections", self.connections, "--prefix", prefix, "--log",
                     self.work / f"{label}.oracle", "--serials", self.work / f"{label}.serials", "--seed", seed,
                     "--zone", ZONE, "--timeout", f"{self.timeout_s}s"]
        if dns is not None:
            arguments += ["--dns", f"{dns.address}:{dns.port}"]
        if self.own:
            arguments.append("--own-connections")
        if alone:
            arguments.append("--no-repeats")
        tool = self._tool("muster-swarm", arguments, label, Swarm)
        tool.devices = devices or self.devices
        return tool

    def raw_feed(self, dns):
        return self._tool("raw-feed", ["--server", f"{dns.address}:{dns.port}", "--zone", ZONE, "--key",
                                       f"{dns.key_name}:{dns.secret}", "--prefix", PREFIX], "raw-feed")

    def paho_empty(self, broker, name="svc-coord2", identity=None, more=()):
        identity = identity or self.pki.service(name)
        tool = self._tool("paho-empty", ["--broker", broker.endpoint, "--ca", broker.ca_file, "--cert", identity.cert,
                                         "--key", identity.key, "--id", name, *more], f"paho-{name}")
        tool.result()
        return tool

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for tool in self._tools:
            tool.stop()
        for close in reversed(self._closers):
            close()
        self.work.close()
