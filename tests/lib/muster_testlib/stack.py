# SPDX-License-Identifier: Apache-2.0
"""A whole deployment on free ports: broker with plugin, authoritative server, coordinator; and devices that speak the contract by hand."""
import json

from . import build_dir, ports
from .broker import Broker, topic
from .certs import Pki
from .dns import Knot
from .mqttclient import Client
from .procs import Process

_CONFIG = """\
broker:
  endpoints: ["{broker}"]
  client_id: svc-coord1
  ca_file: {ca}
  cert_file: {cert}
  key_file: {key}
  stamp_key_file: {stamp}
store:
  path: {folder}/coordinator.db
registry: {folder}/registry.yaml
control:
  socket: {folder}/control.sock
metrics:
  listen: "{address}:{metrics}"
accounts:
{account}
zones:
  - name: {zone}
    account: dns
    mode: {mode}
    sweep_every: {sweep}
    refresh_every: {refresh}
groups:
{groups}
log:
  level: debug
{more}
"""

RFC2136 = """\
  - name: dns
    provider: rfc2136
    server: "{server}"
    key_file: {tsig}
"""

GROUPS = """\
  - name: cameras
    names:
      - name: "{id}.example.net"
"""

REGISTRY = """\
devices:
  - match: "cam-*"
    group: cameras
"""


class Stack:
    """Everything, started in order. `server` is a class of dns.py; `account` is the text of one element of `accounts:` named dns,
    with the names in `values` in braces."""

    def __init__(self, work, server=Knot, groups=GROUPS, registry=REGISTRY, mode="dedicated", sweep="7d", more="", prefix=(), account=RFC2136):
        self.work = work
        self.pki = Pki(work / "pki")
        self.broker = Broker(work, self.pki, viewers="all")
        self.dns = server(work, prefix=prefix)
        self.folder = work.folder("coordinator")
        identity = self.pki.service("svc-coord1")
        self.metrics_port = ports.free_port(self.broker.address)
        algorithm, name, secret = self.dns.tsig.split(":", 2)
        tsig = work.write("coordinator/tsig.key", f'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};\n', 0o600)
        self.registry_file = work.write("coordinator/registry.yaml", registry)
        self.values = {
            "broker": self.broker.endpoint, "ca": self.broker.ca_file, "cert": identity.cert, "key": identity.key,
            "stamp": self.broker.stamp_key_file, "folder": self.folder, "address": "127.0.0.1", "metrics": self.metrics_port,
            "server": f"{self.dns.address}:{self.dns.port}", "tsig": tsig, "zone": self.dns.zones[0], "mode": mode, "sweep": sweep,
            "refresh": "0s", "groups": groups, "more": more,
        }
        self.values["account"] = account.format(**self.values)
        self.write_config()
        self.coordinator = Process([build_dir() / "coordinator" / "muster-coordinator", "-c", self.config_file], self.folder / "log")

    def write_config(self, **changes):
        self.values.update(changes)
        self.config_file = self.work.write("coordinator/coordinator.yaml", _CONFIG.format(**self.values))

    def start(self):
        self.broker.start()
        self.dns.start()
        self.start_coordinator()
        return self

    def start_coordinator(self):
        self.coordinator.start()
        self.coordinator.wait_log("broker-connected")
        if "rfc2136" in self.values["account"]:
            self.coordinator.wait_log("zone-claimed")
        # until the comparison of a start is over, a record that just came to rest may be written a second time
        self.coordinator.wait_log("notice loaded ")
        return self

    def device(self, device_id):
        return Device(self, device_id)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.coordinator.stop()
        self.dns.stop()
        self.broker.stop()


class Device:
    """A device that publishes what it is told, on its own certificate."""

    def __init__(self, stack, device_id):
        self.stack, self.id = stack, device_id
        self.identity = stack.pki.device(device_id)
        self.boot, self.conn, self.seq = 1, 0, 0
        self.client = None

    def topic(self, direction, leaf):
        return topic(direction, self.id, leaf)

    def connect(self):
        broker = self.stack.broker
        self.conn += 1
        will = {"topic": self.topic("up", "gone"), "payload": json.dumps({"v": 1, "boot": self.boot, "conn": self.conn}).encode(),
                "qos": 1, "retain": True}
        self.client = Client(broker.address, broker.port, ca_file=broker.ca_file, identity=self.identity, will=will)
        self.client.subscribe(self.topic("dn", "dns"))
        return self

    def state(self, **fields):
        """The body of a state; seq is what it is."""
        body = {"v": 1, "s": "on", "boot": self.boot, "conn": self.conn, "seq": self.seq, "ts": 0, "tsq": "none", "src": "interface",
                "why": "change", "agent": "test", "fw": "", "cfg": "", "caps": []}
        body.update(fields)
        return body

    def report(self, **fields):
        self.seq += 1
        self.client.publish(self.topic("up", "state"), json.dumps(self.state(**fields)).encode(), retain=True)

    def acks(self):
        return [json.loads(message.payload) for message in self.client.wait_messages(0)]

    def wait_ack(self, match=lambda ack: True, deadline=10.0):
        """The first ack of the present (boot, seq) that matches."""
        want = {"boot": self.boot, "seq": self.seq}
        found = self.client.wait_messages(
            1, lambda message: json.loads(message.payload).get("ack") == want and match(json.loads(message.payload)), deadline)
        return json.loads(found[0].payload)

    def close(self):
        if self.client is not None:
            self.client.disconnect()
            self.client = None
